"""Levels against declared targets: below, met or undetermined, and the share of people below."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from servicediag.diagnosis.draft import name_or_none
from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, index_rows
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.statistics import wilson
from servicediag.results import table_rows

__all__ = ["share_below", "target_gaps"]

INDEX = "target"


def target_gaps(study: GapStudy) -> GapReport:
    """Distance of every level from its declared target, with the verdict of its 95 % interval."""
    scores = study.shown_scores[study.shown_scores["error"].notna()]
    if not study.targets.values:
        scores = scores.iloc[:0]
    rows: list[tuple[Any, ...]] = []
    for row in table_rows(scores):
        target = study.targets.of(row.instrument, row.dimension, name_or_none(row.unit))
        if math.isnan(target):
            continue
        gap, low, high = float(row.target_gap), float(row.target_gap_low), float(row.target_gap_high)
        verdict = "below" if high < 0 else "met" if low >= 0 else "undetermined"
        place = (row.by, row.unit, row.wave)
        part = f"{row.instrument}/{row.dimension} ({row.form})"
        rows.append((place, INDEX, part, gap, low, high, int(row.n), verdict))
        rows += _share(study, row, target, part)
    if not rows:
        return GapReport(not_measured=(NotMeasured.told("level", "MISSING_TARGET", "target"),))
    return GapReport(tables={"indexes": index_rows(rows)})


def share_below(counts: np.ndarray, target: float, strength: bool) -> tuple[int, int]:
    """How many of how many people lie below a target, from how many have each whole point of a score (0 to 100).

    Examples
    --------
    Of scores 40, 70 and 80 one lies below 70; where a high score is bad, their health is 60, 30 and 20.

    >>> counts = np.bincount([40, 70, 80], minlength=101)
    >>> share_below(counts, 70, True), share_below(counts, 70, False)
    ((1, 3), (3, 3))
    """
    health = counts if strength else counts[::-1]
    return int(health[np.arange(len(health)) < target].sum()), int(health.sum())


def _share(study: GapStudy, row: Any, target: float, part: str) -> Iterable[tuple[Any, ...]]:
    """For the whole organisation, whose scores are counted point by point."""
    counts = study.evidence.distributions.get((row.instrument, row.form, row.wave, row.dimension))
    if row.by != WHOLE or counts is None:
        return
    below, n = share_below(counts, target, row.sign > 0)
    if n != row.n or n < UNANIMITY_BELOW:
        return
    low, high = wilson(below, n)
    yield (row.by, row.unit, row.wave), "share_below_target", part, below / n, low, high, n, ""
