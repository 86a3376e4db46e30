"""Bottleneck, calibration of its probability, and coverage of intervals (A7-A9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
from goals import Measured, Row, ratio
from judged import SETTINGS, readiness_of, score_cells
from organisations import SKEWED, AnswerModel, Effects, Organisation, organisation, scales_of
from scipy.stats import binom

from servicediag.diagnosis.statistics import wilson

STATES = ("know", "want", "can")
READINESS = (scales_of("readiness", "employee", STATES),)
PLAIN = AnswerModel()
BINS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0001)
FEWEST_IN_BIN = 30


def _profiles(model: AnswerModel, seed: int, effects: Effects | None = None) -> tuple[Organisation, pd.DataFrame]:
    one = organisation(model, seed, READINESS, effects=effects)
    return one, readiness_of(one)


def bottleneck_goals(runs: int, seed: int) -> list[Row]:
    """In a fifth of the units one state is planted low; in the null organisations none is."""
    named, units = np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        _, profile = _profiles(replace(PLAIN, sizes=(8, 40)), seed + run)
        named[run], units[run] = profile["bottleneck"].notna().sum(), len(profile)
    rows = [Row("A7", "null: units with a bottleneck named", ratio(named, units), "at most", 0.03)]
    right, said = np.zeros(2 * runs), np.zeros(2 * runs)
    for place, (size, points) in enumerate(((40, 12.5), (20, 12.5))):
        hit, planted = np.zeros(runs), np.zeros(runs)
        for run in range(runs):
            truth = {unit: STATES[(unit + run) % 3] for unit in range(4)}
            effects = {(unit, f"readiness/{state}"): -points for unit, state in truth.items()}
            one, profile = _profiles(replace(PLAIN, sizes=(size, size)), seed + 10_000 + run, effects)
            wanted = {one.units[unit]: state for unit, state in truth.items()}
            found = {row.unit: row.bottleneck for row in profile.itertuples() if pd.notna(row.bottleneck)}
            hit[run], planted[run] = sum(found.get(unit) == state for unit, state in wanted.items()), len(wanted)
            right[place * runs + run] = sum(wanted.get(unit) == state for unit, state in found.items())
            said[place * runs + run] = len(found)
        sense = ("at least", 0.80) if size == 40 else (None, np.nan)
        rows.append(Row("A7", f"gap {points:g}, n {size}: bottleneck named rightly", ratio(hit, planted), *sense))
    return [*rows, Row("A7", "gap 12.5, n 20 and 40: right where named", ratio(right, said), "at least", 0.95)]


def calibration_goals(runs: int, seed: int) -> list[Row]:
    """Units differ at random in each state; the probability stated is compared with how often it is so.

    Stated is the probability that a state is the lowest by the minimum effect, raw and against the rest.
    """
    rng = np.random.default_rng(seed)
    stated, so = [], []
    for run in range(runs):
        points = rng.normal(0.0, 8.0, (20, 3))
        effects = {
            (unit, f"readiness/{state}"): float(points[unit, place])
            for unit in range(20)
            for place, state in enumerate(STATES)
        }
        one, profile = _profiles(replace(PLAIN, sizes=(8, 40)), seed + run, effects)
        group = one.groups[0]
        lowest = _lowest(group.truth) & _lowest(group.true_gap)
        shown = profile.set_index("unit").reindex(one.units)
        probabilities = shown[[f"p_lowest_{state}" for state in STATES]].to_numpy(float)
        for unit in range(20):
            best = int(np.argmax(probabilities[unit]))
            stated.append(probabilities[unit, best])
            so.append(bool(lowest[unit, best]))
    return _calibration_rows(np.array(stated), np.array(so), runs)


def _lowest(levels: np.ndarray) -> np.ndarray:
    """Whether each state lies below both others by the minimum effect, units x states."""
    others = np.column_stack([np.delete(levels, place, axis=1).min(axis=1) for place in range(3)])
    return np.asarray(levels <= others - SETTINGS.minimum_effect)


def _calibration_rows(stated: np.ndarray, so: np.ndarray, runs: int) -> list[Row]:
    errors, weights, told = [], [], []
    for low, high in pairwise(BINS):
        inside = (stated >= low) & (stated < high)
        if inside.sum() < FEWEST_IN_BIN:
            continue
        errors.append(abs(stated[inside].mean() - so[inside].mean()))
        weights.append(int(inside.sum()))
        told.append(f"{stated[inside].mean():.2f}: {so[inside].mean():.2f}")
    worst, average = max(errors), float(np.average(errors, weights=weights))
    half = 1.96 * 0.5 / np.sqrt(min(weights))
    text = "; ".join(told)
    return [
        Row("A8", f"probability of being lowest, stated: so ({text}); largest error of a bin",
            Measured(worst, max(0.0, worst - half), worst + half, runs), "at most", 0.07),
        Row("A8", "mean error of the bins", Measured(average, np.nan, np.nan, runs), "at most", 0.04),
    ]  # fmt: skip


def coverage_goals(runs: int, seed: int) -> list[Row]:
    """Intervals of levels and gaps over the true values of units with at least 8 answers; Wilson's over shares."""
    rows: list[Row] = []
    for name, model in (("", replace(PLAIN, icc=0.05)), (", skewed answers", replace(PLAIN, icc=0.05, shares=SKEWED))):
        level, gap, cells = np.zeros(runs), np.zeros(runs), np.zeros(runs)
        for run in range(runs):
            one = score_cells(organisation(model, seed + run))
            one = one[one["n"] >= 8]
            mean = np.where(one["sign"] > 0, one["true_health"], 100 - one["true_health"])
            level[run] = ((one["ci_low"] <= mean) & (mean <= one["ci_high"])).sum()
            gap[run] = ((one["gap_low"] <= one["true_gap"]) & (one["true_gap"] <= one["gap_high"])).sum()
            cells[run] = len(one)
        for what, held in (("level", level), ("gap to the rest", gap)):
            covered = ratio(held, cells)
            rows.append(Row("A9", f"95 % interval of a {what}{name}: holds the truth", covered, "at least", 0.93))
            rows.append(Row("A9", f"95 % interval of a {what}{name}: not too wide", covered, "at most", 0.97))
    return [*rows, *_wilson_rows()]


def _wilson_rows() -> Iterable[Row]:
    """Coverage of Wilson's interval, exact from the binomial distribution."""
    at = {n: _wilson_coverage(n, 0.85) for n in (10, 20, 40)}
    low = min(at.values())
    yield Row(
        "A9", "Wilson, share .85, n 10, 20, 40: smallest coverage (exact)", Measured(low, low, low, 0), "at least", 0.93
    )
    shares = np.arange(0.05, 0.96, 0.05)
    average = float(np.mean([_wilson_coverage(n, float(p)) for n in range(8, 41) for p in shares]))
    yield Row("A9", "Wilson, shares .05-.95, n 8-40: mean coverage (exact)", Measured(average, average, average, 0),
              "at least", 0.93)  # fmt: skip


def _wilson_coverage(n: int, share: float) -> float:
    counts = [count for count in range(n + 1) if wilson(count, n)[0] <= share <= wilson(count, n)[1]]
    return float(binom.pmf(counts, n, share).sum())
