"""Item analysis, bootstrap of alpha and unit tables against the limit of the processor, scipy and pandas.

Processor time of one thread, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tracemalloc

from timing import ONE_THREAD, alternating


def extra_mb(action):
    """Largest memory that the action held beyond what was there before, as Python and numpy count it."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def line(what, ours, theirs, peer, *, times, note=""):
    """One row: medians, and the median of the ratios of the rounds (``times`` tells which way it reads)."""
    pairs = zip(ours, theirs, strict=True)
    ratio = statistics.median(b / a if times == "faster" else a / b for a, b in pairs)
    mine, other = statistics.median(ours), statistics.median(theirs)
    shown = f"{ratio:.2f} times as long" if times == "longer" else f"{ratio:.1f} times faster"
    print(f"| {what} | {1e3 * mine:.0f} ms | {peer} | {1e3 * other:.0f} ms | {shown} | {note} |", flush=True)


def five_point(generator, n, k):
    """Answers 1 to 5 with a common factor, as int8; made by blocks to spare memory."""
    import numpy as np

    values = np.empty((n, k), dtype=np.int8)
    for start in range(0, n, 50_000):
        stop = min(n, start + 50_000)
        factor = generator.standard_normal((stop - start, 1), dtype=np.float32)
        noise = generator.standard_normal((stop - start, k), dtype=np.float32)
        values[start:stop] = np.clip(np.rint(3.4 + 0.7 * factor + 0.8 * noise), 1, 5)
    return values


def measure_against_syrk(values, actions, rounds):
    """A row an action on n x k answers; ``values`` are the answers without gaps."""
    import numpy as np
    from scipy.linalg.blas import ssyrk

    single = values.astype(np.float32)
    found = alternating(rounds, syrk=lambda: ssyrk(1.0, single.T), **actions)
    n, k = values.shape
    for what, action in actions.items():
        memory = f"{extra_mb(action):.0f} MB extra"
        line(f"{what}, {n:,} x {k}", found[what], found["syrk"], "one float32 syrk", times="longer", note=memory)


def items_study(n, k, rounds):
    import numpy as np
    import pandas as pd

    from servicediag.psychometrics import cronbach_alpha, item_analysis

    generator = np.random.default_rng(1)
    values = five_point(generator, n, k)
    complete = pd.DataFrame(values)
    small = complete.iloc[:20_000]
    covariance = np.cov(small.to_numpy(float), rowvar=False)
    by_hand = k / (k - 1) * (1 - np.trace(covariance) / covariance.sum())
    if abs(by_hand - item_analysis(small).alpha.estimate) > 1e-12:
        raise SystemExit("alpha is not that of numpy")
    actions = {
        "alpha and item analysis, complete int8": lambda: item_analysis(complete),
        "the same with floor, ceiling, as a table with omega if deleted": lambda: item_analysis(
            complete, bounds=(1, 5)
        ).to_frame(),
        "alpha alone, complete int8": lambda: cronbach_alpha(complete),
    }
    measure_against_syrk(values, actions, rounds)
    holes = values.astype(np.float64)
    for start in range(0, n, 50_000):
        block = holes[start : start + 50_000]
        block[generator.random(block.shape, dtype=np.float32) < 0.02] = np.nan
    gaps = pd.DataFrame(holes)
    nullable = gaps.astype("Int8")
    actions = {
        "alpha, pairwise, 2 % missing (NaN in float64)": lambda: cronbach_alpha(gaps, missing="pairwise"),
        "alpha, pairwise, the same answers as pandas Int8": lambda: cronbach_alpha(nullable, missing="pairwise"),
        "alpha and item analysis, listwise, the same answers": lambda: item_analysis(gaps),
    }
    measure_against_syrk(values, actions, rounds)


def bootstrap_study(resamples, scaled_from, rounds):
    import numpy as np
    import pandas as pd
    from scipy.stats import bootstrap

    from servicediag.psychometrics import cronbach_alpha

    n, k = 1_000, 35
    values = five_point(np.random.default_rng(2), n, k).astype(float)
    frame = pd.DataFrame(values)

    def alpha(rows):
        drawn = values[rows]
        return k / (k - 1) * (1 - drawn.var(axis=0, ddof=1).sum() / drawn.sum(axis=1).var(ddof=1))

    def peer():
        return bootstrap(
            (np.arange(n),), alpha, n_resamples=scaled_from, vectorized=False, method="percentile", rng=1
        ).confidence_interval

    def ours(method):
        return cronbach_alpha(frame).confidence_interval(0.95, method, n_resamples=resamples, seed=1)

    found = alternating(rounds, percentile=lambda: ours("percentile"), bca=lambda: ours("bca"), peer=peer)
    whole = [value * resamples / scaled_from for value in found["peer"]]
    for method in ("percentile", "bca"):
        line(
            f"{method} interval of alpha, {resamples:,} resamples of {n:,} x {k}", found[method], whole,
            "scipy.stats.bootstrap, percentile", times="faster", note=f"scipy: {scaled_from} resamples, scaled",
        )  # fmt: skip


def units_study(n, k, n_units, rounds):
    import numpy as np
    import pandas as pd

    from servicediag.psychometrics import unit_table, within_group_agreement

    generator = np.random.default_rng(3)
    frame = pd.DataFrame(five_point(generator, n, k), columns=[f"q{i}" for i in range(k)])
    units = pd.Series(generator.integers(0, n_units, n))

    def ours():
        return unit_table(frame, units, scale=(1, 5)).to_frame()

    def peer():
        grouped = frame.groupby(units)
        sd = grouped.std()
        return {"n": grouped.count(), "mean": grouped.mean(), "sd": sd, "rwg": (1 - sd**2 / 2).clip(lower=0)}

    def peer_with_counts():
        return peer(), [frame.groupby([units, column]).size().unstack(fill_value=0) for column in frame]

    table = ours()
    for column, expected in peer().items():
        difference = np.abs(table[column].unstack("item")[list(frame)].to_numpy() - expected.to_numpy()).max()
        if difference > 1e-9:
            raise SystemExit(f"{column} differs by {difference}")
    actions = {
        "table": ours,
        "agreement": lambda: within_group_agreement(frame, units, scale=(1, 5)),
        "peer": peer,
        "counts": peer_with_counts,
    }
    found = alternating(rounds, **actions)
    size = f"{n_units:,} units, {n:,} x {k}"
    memory = f"{extra_mb(ours):.0f} MB extra, pandas {extra_mb(peer):.0f} MB"
    peer_name = "pandas groupby: n, mean, sd, r_wg"
    line(f"unit table with counts, {size}", found["table"], found["peer"], f"{peer_name}, no counts", times="faster",
         note=memory)  # fmt: skip
    line(f"unit table with counts, {size}", found["table"], found["counts"], f"{peer_name}, counts", times="faster")
    line(f"agreement, all indices, {size}", found["agreement"], found["peer"], f"{peer_name}, no counts",
         times="faster")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the respondents and units, fewer resamples")
    arguments = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        sys.stdout.flush()
        child = subprocess.run([sys.executable, *sys.argv], env=os.environ | ONE_THREAD, check=False)
        raise SystemExit(child.returncode)
    n = 100_000 if arguments.quick else 1_000_000
    print("| what | servicediag | against | takes | ratio | note |")
    print("|---|---|---|---|---|---|")
    items_study(n, 50, arguments.rounds)
    bootstrap_study(2_000 if arguments.quick else 10_000, 100 if arguments.quick else 250, arguments.rounds)
    units_study(n, 30, n // 200, arguments.rounds)


if __name__ == "__main__":
    main()
