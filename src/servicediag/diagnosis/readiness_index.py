"""Know, want, can in one number that a high state cannot mend, and whether people are held back by the same state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from servicediag.diagnosis.bottleneck import STATES
from servicediag.diagnosis.draft import name_or_none
from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, index_rows
from servicediag.diagnosis.levels import Panel, panel_of
from servicediag.diagnosis.statistics import wilson

__all__ = ["readiness_gaps", "readiness_index"]

GAP = "bottleneck"
INDEX = "readiness"
RATERS = ("employee",)
N_DRAWS = 4000
MAJORITY = 0.5


def readiness_index(levels: Sequence[float], targets: Sequence[float]) -> float:
    """Smallest share of its target that a state reaches, at most 1.

    Examples
    --------
    The plain mean of 72, 65 and 48 is 61.7 and hides that the third state blocks the others.

    >>> round(readiness_index([72, 65, 48], [70, 70, 70]), 3)
    0.686
    """
    return float(min(1.0, (np.asarray(levels, dtype=float) / np.asarray(targets, dtype=float)).min()))


def readiness_gaps(study: GapStudy) -> GapReport:
    """The readiness index beside the plain mean, and the mix of states that hold people back."""
    panel = panel_of(study, [(f"readiness/{state}", RATERS) for state in STATES])
    if panel.missing:
        return GapReport(not_measured=(NotMeasured.told(GAP, "ONE_SIDE_MISSING", "readiness"),))
    rows = [*_index_rows(study, panel), *_mix(study)]
    missing = []
    if not any(row[1] == INDEX for row in rows):
        missing.append(NotMeasured.told(GAP, "MISSING_TARGET", "readiness_index"))
    return GapReport(tables={"indexes": index_rows(rows)}, not_measured=tuple(missing))


def _index_rows(study: GapStudy, panel: Panel) -> Iterable[tuple[Any, ...]]:
    normal = np.random.default_rng(study.settings.seed).standard_normal((N_DRAWS, len(STATES)))
    plain = panel.mean(np.full(len(STATES), 1 / len(STATES)))
    limits = plain.limits
    for row in plain.known:
        place, n = panel.places[row], int(plain.n[row])
        targets = np.array([study.targets.of("readiness", state, name_or_none(place[1])) for state in STATES])
        if np.isnan(targets).any() or not (targets > 0).all():
            continue
        values, vectors = np.linalg.eigh(panel.covariance[row])
        draws = panel.health[row] + normal @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        index = readiness_index(panel.health[row].tolist(), targets.tolist())
        low, high = np.quantile(np.minimum(1.0, (draws / targets).min(axis=1)), [0.025, 0.975])
        limit = STATES[int(np.argmin(panel.health[row] / targets))]
        verdict = "all targets reached" if index >= 1 else f"limited by {limit}"
        yield place, INDEX, "index", index, float(min(low, index)), float(max(high, index)), n, verdict
        low, high = (float(one[row]) for one in limits)
        yield place, INDEX, "plain mean", float(plain.value[row]), low, high, n, ""


def _mix(study: GapStudy) -> Iterable[tuple[Any, ...]]:
    """Of the people held back by one state alone, the share for each state; mixed where none has the majority."""
    cells = study.shown
    names = [f"blocked_only_by_{state}" for state in STATES]
    rows = cells[(cells["kind"] == "indicator") & cells["name"].isin(names)]
    counts = rows.pivot_table(index=["by", "unit", "wave", "form"], columns="name", values="total", aggfunc="sum")
    if not set(names) <= set(counts.columns):
        return
    for key, values in zip(counts.index, counts[names].to_numpy(float), strict=True):
        blocked = values.sum()
        if np.isnan(blocked) or blocked < study.settings.minimum_group:
            continue
        shares = values / blocked
        verdict = "mixed" if shares.max() <= MAJORITY else f"mostly {STATES[int(shares.argmax())]}"
        for state, count in zip(STATES, values, strict=True):
            low, high = wilson(float(count), float(blocked))
            place = (str(key[0]), str(key[1]), str(key[2]))
            yield place, "held_back_by", state, float(count / blocked), low, high, int(blocked), verdict
