"""How often nominal intervals of alpha, omega and the intraclass correlations hold the population value."""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from servicediag import psychometrics
from servicediag.errors import ServicediagError
from servicediag.psychometrics.alpha import alpha_from_covariance
from servicediag.psychometrics.omega import omega_from_covariance

LOADINGS = np.array([0.4, 0.5, 0.6, 0.6, 0.7, 0.8])
"""One factor, six standardised items with unequal loadings."""
THRESHOLDS = np.array([-2.05, -1.48, -0.84, 0.25])
"""Five options with 2, 5, 13, 40 and 40 % of the answers: the skew of satisfied customers."""
TARGET, RATER, ERROR = 0.6, 0.1, 0.3
"""Variance components of the ratings, before they are cut into options; they add up to 1."""
RESAMPLED = ("percentile", "bca")
ALPHA_METHODS = ("feldt", "bonett", "duhachek", *RESAMPLED)
COLUMNS = [*(f"alpha {method}" for method in ALPHA_METHODS), "omega delta", "ICC(2,1) F", "ICC(3,1) F"]


def options(latent):
    """Standard normal values as answers 1 to 5."""
    return 1.0 + np.searchsorted(THRESHOLDS, latent)


def option_covariance(correlation):
    """Covariance of two five-point answers whose latent values correlate so; exact, no simulation."""
    below = ndtr(THRESHOLDS)
    if correlation == 1:
        joint = np.minimum.outer(below, below)
    else:
        pairs = np.array(np.meshgrid(THRESHOLDS, THRESHOLDS)).reshape(2, -1).T
        matrix = [[1, correlation], [correlation, 1]]
        joint = multivariate_normal.cdf(pairs, cov=matrix, abseps=1e-10).reshape(len(below), -1)
    return float((joint - np.outer(below, below)).sum())


def population(shape):
    """True values: alpha and omega of the population covariance matrix, ICCs of the variance components."""
    covariance = np.outer(LOADINGS, LOADINGS)
    np.fill_diagonal(covariance, 1)
    with_raters, alone, total = TARGET, TARGET / (TARGET + ERROR), 1.0
    if shape == "skewed":
        covariance = np.array([[option_covariance(value) for value in row] for row in covariance])
        with_raters, alone, total = (option_covariance(value) for value in (with_raters, alone, total))
    values = {f"alpha {method}": alpha_from_covariance(covariance, 10**9).estimate for method in ALPHA_METHODS}
    values["omega delta"] = omega_from_covariance(covariance, 10**9).estimate
    values["ICC(2,1) F"] = with_raters / total
    values["ICC(3,1) F"] = alone / total
    return values


def answers(generator, shape, n):
    factor = generator.standard_normal((n, 1))
    latent = factor * LOADINGS + generator.standard_normal((n, len(LOADINGS))) * np.sqrt(1 - LOADINGS**2)
    return pd.DataFrame(options(latent) if shape == "skewed" else latent)


def ratings(generator, shape, n, *, n_raters, rater):
    """Targets by raters; new raters every time, who differ in severity by the variance ``rater``."""
    total = TARGET + rater + ERROR
    latent = (
        generator.normal(0, np.sqrt(TARGET / total), (n, 1))
        + generator.normal(0, np.sqrt(rater / total), (1, n_raters))
        + generator.normal(0, np.sqrt(ERROR / total), (n, n_raters))
    )
    return pd.DataFrame(options(latent) if shape == "skewed" else latent)


def intervals(generator, shape, n, n_resamples, n_raters):
    """(column, interval) of one replication."""
    items = answers(generator, shape, n)
    alpha = psychometrics.cronbach_alpha(items)
    seed = int(generator.integers(2**31))
    for method in ALPHA_METHODS:
        more = {"n_resamples": n_resamples, "seed": seed} if method in RESAMPLED else {}
        yield f"alpha {method}", lambda method=method, more=more: alpha.confidence_interval(0.95, method, **more)
    yield "omega delta", lambda: psychometrics.mcdonald_omega(items).confidence_interval(0.95, "delta")
    for form, rater in (("ICC(2,1)", RATER), ("ICC(3,1)", 0.0)):
        result = psychometrics.intraclass_correlation(ratings(generator, shape, n, n_raters=n_raters, rater=rater))
        yield f"{form} F", lambda result=result, form=form: result.confidence_interval(0.95, form=form)


def study(shape, n, arguments):
    """Share of intervals that hold the true value, share below and above it, refusals, of one condition."""
    truth = population(shape)
    generator = np.random.default_rng([arguments.seed, n, int(shape == "skewed")])
    counts = pd.DataFrame(0, index=COLUMNS, columns=["holds", "below", "above", "refused"])
    for _ in range(arguments.replications):
        for column, interval in intervals(generator, shape, n, arguments.resamples, arguments.raters):
            try:
                found = interval()
            except ServicediagError:
                counts.loc[column, "refused"] += 1
                continue
            if not np.isfinite([found.low, found.high]).all():
                outcome = "refused"
            elif found.high < truth[column]:
                outcome = "below"
            elif found.low > truth[column]:
                outcome = "above"
            else:
                outcome = "holds"
            counts.loc[column, outcome] += 1
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples of one interval")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 50, 200], help="respondents or targets")
    parser.add_argument("--raters", type=int, default=4, help="raters of every target")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    for shape in ("normal", "skewed"):
        print(f"true values, {shape}:", {name: round(value, 4) for name, value in population(shape).items()})
    print("| answers | n | " + " | ".join(COLUMNS) + " |")
    print("|---|---|" + "---|" * len(COLUMNS))
    notes = []
    for shape in ("normal", "skewed"):
        for n in arguments.sizes:
            counts = study(shape, n, arguments)
            usable = counts[["holds", "below", "above"]].sum(axis=1)
            shares = 100 * counts["holds"] / usable
            print(f"| {shape} | {n} | " + " | ".join(f"{share:.1f}" for share in shares) + " |", flush=True)
            missed = (100 * counts[["below", "above"]].div(usable, axis=0)).round(1)
            notes += [
                f"{shape} {n} {name}: {row.below} % wholly below, {row.above} % wholly above, "
                f"{counts.loc[name, 'refused']} without interval"
                for name, row in missed.iterrows()
            ]
    error = 100 * np.sqrt(0.95 * 0.05 / arguments.replications)
    print(f"{arguments.replications} replications, standard error at 95 %: {error:.1f} points; ", end="")
    print(f"{arguments.resamples} resamples, seed {arguments.seed}, {time.perf_counter() - begin:.0f} s")
    print("\n".join(notes))


if __name__ == "__main__":
    main()
