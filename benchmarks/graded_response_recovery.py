"""Whether the graded response model finds planted parameters, and whether its maximum is one by brute force."""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from servicediag.psychometrics import graded_response_model

SLOPES = np.array([0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2])
STEPS = np.array([-1.6, -0.6, 0.4, 1.3])
SHIFTS = np.linspace(-0.4, 0.4, len(SLOPES))
NODES = np.linspace(-7, 7, 701)


def planted(n_items):
    """Slopes, and difficulties items x steps."""
    return SLOPES[:n_items], STEPS + SHIFTS[:n_items, None]


def answers(generator, n, n_items):
    slopes, difficulties = planted(n_items)
    level = generator.normal(size=n)
    above = 1 / (1 + np.exp(-slopes[None, :, None] * (level[:, None, None] - difficulties)))
    codes = (generator.random((n, n_items, 1)) < above).sum(axis=2)
    return pd.DataFrame(codes, columns=[f"q{i + 1}" for i in range(n_items)]), level


def recovery(n, replications, n_items=8):
    """One row a kind of parameter: bias, RMSE, mean standard error over the spread, coverage of 95 % intervals."""
    generator = np.random.default_rng(n)
    slopes, difficulties = planted(n_items)
    truth = np.column_stack([slopes, difficulties])
    estimates, errors, score_errors, correlations = [], [], [], []
    for _ in range(replications):
        items, level = answers(generator, n, n_items)
        model = graded_response_model(items, categories=range(5))
        table = model.to_frame().to_numpy(dtype=float)
        if not model.converged or table.shape[1] != 2 * truth.shape[1] or np.isnan(table).any():
            continue
        estimates.append(table[:, : truth.shape[1]])
        errors.append(table[:, truth.shape[1] :])
        score_errors.append(np.sqrt(np.mean((model.scores["theta"] - level) ** 2)))
        correlations.append(np.corrcoef(model.scores["theta"], level)[0, 1] ** 2 - model.empirical_reliability)
    found, error = np.array(estimates), np.array(errors)
    away = found - truth
    covered = np.abs(away) <= 1.959964 * error
    for what, part in (("discrimination", slice(0, 1)), ("difficulty", slice(1, None))):
        spread = found[:, :, part].std(axis=0, ddof=1)
        print(
            f"| {n} | {what} | {away[:, :, part].mean():+.3f} | {np.abs(away[:, :, part].mean(axis=0)).max():.3f} | "
            f"{np.sqrt((away[:, :, part] ** 2).mean()):.3f} | {(error[:, :, part].mean(axis=0) / spread).mean():.2f} | "
            f"{100 * covered[:, :, part].mean():.1f} |",
            flush=True,
        )
    print(
        f"| {n} | scores | | | {np.mean(score_errors):.3f} | | squared correlation with the true level less the "
        f"empirical reliability: {np.mean(correlations):+.3f}; {replications - len(found)} runs left out |",
        flush=True,
    )


def minus_log_likelihood(parameters, patterns, frequency, n_items):
    """By the trapezoid rule on 701 points, with its own formula; steps are kept in order by adding up exponentials."""
    table = parameters.reshape(n_items, -1)
    difficulties = np.cumsum(np.column_stack([table[:, 1], np.exp(table[:, 2:])]), axis=1)
    weights = np.exp(-(NODES**2) / 2)
    likelihood = np.ones((len(patterns), len(NODES)))
    for item in range(n_items):
        above = 1 / (1 + np.exp(-table[item, 0] * (NODES[:, None] - difficulties[item])))
        edges = np.column_stack([np.ones(len(NODES)), above, np.zeros(len(NODES))])
        likelihood *= (edges[:, :-1] - edges[:, 1:]).T[patterns[:, item]]
    return -frequency @ np.log(likelihood @ (weights / weights.sum()))


def brute_force(n, n_items=4):
    """The maximum that a general optimiser finds without any knowledge of the model."""
    items, _ = answers(np.random.default_rng(9), n, n_items)
    patterns, frequency = np.unique(items.to_numpy(), axis=0, return_counts=True)
    model = graded_response_model(items)
    start = np.column_stack([np.ones(n_items), np.full(n_items, -1.0), np.zeros((n_items, len(STEPS) - 1))]).ravel()
    known = (patterns, frequency, n_items)
    found = minimize(minus_log_likelihood, start, args=known, method="BFGS", options={"gtol": 1e-5})
    table = found.x.reshape(n_items, -1)
    difficulties = np.cumsum(np.column_stack([table[:, 1], np.exp(table[:, 2:])]), axis=1)
    print(f"log-likelihood: {model.log_likelihood:.6f} here, {-found.fun:.6f} by brute force")
    print(f"largest difference of a discrimination: {np.abs(model.discriminations - table[:, 0]).max():.1e}")
    print(f"largest difference of a difficulty: {np.abs(model.difficulties.to_numpy() - difficulties).max():.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--sizes", type=int, nargs="+", default=[250, 500, 1000])
    arguments = parser.parse_args()
    brute_force(1000)
    print("| n | what | bias | largest bias | RMSE | standard error / spread | 95 % intervals hold, % |")
    print("|---|---|---|---|---|---|---|")
    for n in arguments.sizes:
        recovery(n, arguments.replications)


if __name__ == "__main__":
    main()
