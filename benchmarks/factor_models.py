"""Polychoric correlations, factor models and parallel analysis against what a user would pick instead, and R."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import ONE_THREAD, alternating

MODEL = {f"f{j}": [f"q{5 * j + i}" for i in range(5)] for j in range(5)}


def line(what, ours, peer, theirs, note=""):
    """One row: medians, and the median of the ratios of the rounds."""
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    mine, other = statistics.median(ours), statistics.median(theirs)
    shown = f"{1e3 * mine:.{0 if mine > 0.02 else 1}f} ms"
    print(f"| {what} | {shown} | {peer} | {1e3 * other:.0f} ms | {ratio:.1f} | {note} |", flush=True)


def made_answers(n, n_factors, per_factor, seed, options=6):
    """Answers 1 to ``options`` of correlated factors."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(seed)
    general = generator.normal(size=(n, 1))
    factors = np.repeat(0.6 * general + 0.8 * generator.normal(size=(n, n_factors)), per_factor, axis=1)
    level = factors + generator.normal(size=factors.shape)
    middle = (options + 1) / 2
    codes = np.clip(np.rint(middle + level), 1, options).astype(int)
    return pd.DataFrame(codes, columns=[f"q{i}" for i in range(codes.shape[1])])


# ----------------------------------------------------------------------------------------------------------- R


def r_seconds(answers, preparation, call, rounds):
    """Processor seconds of a call inside one R session, after one unmeasured turn; None without R or the package."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        answers.to_csv(Path(folder, "answers.csv"), index=False)
        script = f"""
        d <- read.csv("answers.csv")
        suppressMessages(suppressWarnings({{ {preparation} }}))
        invisible(capture.output(suppressMessages(suppressWarnings({call}))))
        for (i in 1:{rounds}) {{
          took <- system.time(invisible(capture.output(suppressMessages(suppressWarnings({call})))))
          cat("seconds", took[["user.self"]] + took[["sys.self"]] + took[["user.child"]] + took[["sys.child"]], "\\n")
        }}
        """
        Path(folder, "call.R").write_text(script, encoding="utf-8")
        done = subprocess.run([rscript, "call.R"], cwd=folder, capture_output=True, text=True, check=False)
    found = [float(row.split()[1]) for row in done.stdout.splitlines() if row.startswith("seconds")]
    return found if done.returncode == 0 and found else None


def against_r(what, answers, ours, preparation, call, rounds, peer):
    """A row against R: our rounds before and after R's, since R runs in a process of its own."""
    before = alternating(rounds, ours=ours)["ours"]
    theirs = r_seconds(answers, preparation, call, rounds)
    if theirs is None:
        print(f"| {what} | {1e3 * statistics.median(before):.0f} ms | {peer} | not installed | | |")
        return
    after = alternating(rounds, ours=ours)["ours"]
    line(what, [(a + b) / 2 for a, b in zip(before, after, strict=True)], peer, theirs, "R's own clock")


# ------------------------------------------------------------------------------------------------------- studies


def polychoric_loop(answers):
    """Two steps, pair by pair: thresholds from the margins, a bounded search over scipy's bivariate normal."""
    import numpy as np
    from scipy.optimize import minimize_scalar
    from scipy.special import ndtri
    from scipy.stats import multivariate_normal

    values = answers.to_numpy()
    columns = values.shape[1]
    result = np.eye(columns)
    edges = []
    for column in values.T:
        shares = np.cumsum(np.unique(column, return_counts=True)[1]) / len(column)
        edges.append(np.concatenate([[-8.0], ndtri(shares[:-1]), [8.0]]))
    for i in range(columns):
        for j in range(i):
            table = np.histogram2d(*(np.unique(values[:, c], return_inverse=True)[1] for c in (i, j)),
                                   bins=(len(edges[i]) - 1, len(edges[j]) - 1))[0]  # fmt: skip
            grid = np.stack(np.meshgrid(edges[i], edges[j], indexing="ij"), axis=-1)

            def misfit(rho, grid=grid, table=table):
                joint = multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf(grid)
                cells = joint[1:, 1:] - joint[:-1, 1:] - joint[1:, :-1] + joint[:-1, :-1]
                return -(table * np.log(np.maximum(cells, 1e-12))).sum()

            result[i, j] = result[j, i] = minimize_scalar(misfit, bounds=(-0.99, 0.99), method="bounded").x
    return result


def polychoric_study(rounds, quick):
    import numpy as np

    from servicediag.psychometrics import polychoric_correlation

    answers = made_answers(5_000, 7, 5, seed=1, options=5)

    def ours():
        return polychoric_correlation(answers, categories=range(1, 6))

    few = answers.iloc[:, :6]
    difference = np.abs(polychoric_correlation(few).to_numpy() - polychoric_loop(few)).max()
    if difference > 1e-4:
        raise SystemExit(f"polychoric correlations differ by {difference}")
    share = 6 * 5 / (35 * 34)
    found = alternating(1 if quick else rounds, ours=ours, peer=lambda: polychoric_loop(few))
    whole = [value / share for value in found["peer"]]
    what = "polychoric, 35 x 35 of 5,000"
    line(what, found["ours"], "scipy pair by pair", whole, "peer: 15 of 595 pairs, scaled")
    against_r(
        what, answers, ours, "library(psych)", "polychoric(d, correct = 0)", 1 if quick else 2, "psych::polychoric"
    )


def confirmatory_study(rounds):
    from servicediag.psychometrics import confirmatory_factor_analysis, ordinal_confirmatory_factor_analysis

    answers = made_answers(2_436, 5, 5, seed=2)
    text = "\n".join(f"{factor} =~ {' + '.join(items)}" for factor, items in MODEL.items())

    def estimates():
        return confirmatory_factor_analysis(answers, MODEL)

    def ours():
        result = estimates()
        return result.to_frame(), result.fit

    name = "CFA, 5 factors x 25 items of 2,436"
    what = f"{name}: estimates, standard errors, standardised, fit"
    try:
        import semopy
    except ImportError:
        print(f"| {what} | | semopy | not installed | | |")
    else:

        def fitted():
            model = semopy.Model(text)
            model.fit(answers)
            return model

        def peer():
            model = fitted()
            return model.inspect(std_est=True), semopy.calc_stats(model)

        model = fitted()
        theirs = float(semopy.calc_stats(model)["chi2"].iloc[0])
        mine = confirmatory_factor_analysis(answers, MODEL).fit.chi_square
        if abs(mine - theirs) > 1e-3 * mine:
            raise SystemExit(f"chi-square is {mine} here and {theirs} with semopy")
        found = alternating(4 * rounds, estimates=estimates, fitted=fitted, ours=ours, peer=peer)
        note = "ours with fit indices; semopy without: Model and fit"
        line(f"{name}: estimates only", found["estimates"], "semopy", found["fitted"], note)
        line(what, found["ours"], "semopy", found["peer"], "semopy: fit, inspect(std_est=True), calc_stats")
    quoted = text.replace("\n", "\\n")
    call = "{f <- cfa(m, d); parameterEstimates(f, standardized = TRUE); fitMeasures(f)}"
    against_r(what, answers, ours, f'library(lavaan); m <- "{quoted}"', call, rounds, "lavaan")
    holes = answers.mask(made_holes(answers.shape))

    def incomplete():
        return confirmatory_factor_analysis(holes, MODEL, missing="fiml").to_frame()

    against_r(
        "the same, 5 % missing, full information", holes, incomplete, f'library(lavaan); m <- "{quoted}"',
        'parameterEstimates(cfa(m, d, missing = "fiml"))', 2, "lavaan",
    )  # fmt: skip

    def ordered():
        return ordinal_confirmatory_factor_analysis(answers, MODEL).to_frame()

    against_r(
        "the same, ordered answers (WLSMV)", answers, ordered, f'library(lavaan); m <- "{quoted}"',
        "parameterEstimates(cfa(m, d, ordered = TRUE, std.lv = TRUE))", 2, "lavaan",
    )  # fmt: skip


def made_holes(shape, share=0.05):
    import numpy as np

    return np.random.default_rng(3).random(shape) < share


def parallel_study(rounds):
    import numpy as np

    from servicediag.psychometrics import parallel_analysis

    answers = made_answers(2_436, 5, 5, seed=4)
    n, k = answers.shape

    def loop():
        generator = np.random.default_rng(0)
        components, factors = np.empty((500, k)), np.empty((500, k))
        for at in range(500):
            matrix = np.corrcoef(generator.normal(size=(n, k)), rowvar=False)
            components[at] = np.linalg.eigvalsh(matrix)[::-1]
            np.fill_diagonal(matrix, 1 - 1 / np.diag(np.linalg.inv(matrix)))
            factors[at] = np.linalg.eigvalsh(matrix)[::-1]
        return np.quantile(components, 0.95, axis=0), np.quantile(factors, 0.95, axis=0)

    def ours(communalities="squared_multiple"):
        return parallel_analysis(answers, communalities=communalities).to_frame()

    table, limits = ours(), loop()
    away = max(np.abs(table["component_limit"] - limits[0]).max(), np.abs(table["factor_limit"] - limits[1]).max())
    if away > 0.02:
        raise SystemExit(f"the simulated limits differ by {away}")
    found = alternating(rounds, same=ours, minres=lambda: ours("one_factor"), loop=loop)
    what = "parallel analysis, 500 x (2,436 x 25), components and factors"
    line(f"{what}, the same communalities", found["same"], "numpy loop", found["loop"])
    line(f"{what}, default: minres communalities", found["minres"], "numpy loop, easier communalities", found["loop"])
    call = 'fa.parallel(d, fa = "both", n.iter = 20, quant = .95, plot = FALSE)'
    peer = "psych::fa.parallel, 20 iterations"
    against_r(what, answers, lambda: ours("one_factor"), "library(psych)", call, 2, peer)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    arguments = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        sys.stdout.flush()
        child = subprocess.run([sys.executable, *sys.argv], env=os.environ | ONE_THREAD, check=False)
        raise SystemExit(child.returncode)
    rounds = 2 if arguments.quick else arguments.rounds
    print("| what | servicediag | against | takes | times faster | note |")
    print("|---|---|---|---|---|---|")
    polychoric_study(rounds, arguments.quick)
    confirmatory_study(rounds)
    parallel_study(rounds)


if __name__ == "__main__":
    main()
