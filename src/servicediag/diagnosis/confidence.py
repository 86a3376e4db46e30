"""Confidence beside the capability it should rest on, facet by facet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, index_rows
from servicediag.diagnosis.levels import Estimate, Panel, level_verdict, panel_of
from servicediag.diagnosis.statistics import difference_reliability

__all__ = ["confidence_gaps"]

GAP = "confidence_capability"
QUADRANTS = {
    ("high", "high"): "ready",
    ("high", "low"): "over_confident",
    ("low", "high"): "under_confident",
    ("low", "low"): "unequipped",
}
"""Level of confidence and of capability -> what they show together."""
FLOOR = 0.50
"""Reliability of a difference below which no difference is given for ranking people."""


def confidence_gaps(study: GapStudy) -> GapReport:
    """Levels of the matched facets, and whether a person's difference could be read at all."""
    definition = study.definitions.confidence_capability
    codes = [code for facet in definition.facets for code in (*facet.confidence, *facet.capability)]
    panel = panel_of(study, [(code, definition.raters) for code in codes])
    rows: list[tuple[Any, ...]] = []
    for facet in definition.facets:
        if {*facet.confidence, *facet.capability} <= set(panel.references):
            rows += _facet_rows(study, panel, facet.id, facet.confidence, facet.capability)
    difference, missing = _difference(study)
    return GapReport(tables={"indexes": index_rows([*rows, *difference])}, not_measured=tuple(missing))


def _facet_rows(
    study: GapStudy, panel: Panel, facet: str, confidence: tuple[str, ...], capability: tuple[str, ...]
) -> Iterable[tuple[Any, ...]]:
    """Both levels, never their difference: they are answered on different response scales."""
    sides: dict[str, Estimate] = {}
    verdicts, limits = {}, {}
    for name, codes in (("confidence", confidence), ("capability", capability)):
        weights = np.isin(panel.references, codes) / len(codes)
        sides[name] = panel.mean(weights)
        low, high = study.settings.low_level, study.settings.good_level
        verdicts[name] = level_verdict(sides[name].value, sides[name].error, sides[name].df, low, high).tolist()
        limits[name] = [limit.tolist() for limit in sides[name].limits]
    for position in np.intersect1d(sides["confidence"].known, sides["capability"].known).tolist():
        verdict = QUADRANTS.get((verdicts["confidence"][position], verdicts["capability"][position]), "undetermined")
        for name, side in sides.items():
            low, high = (limit[position] for limit in limits[name])
            value, n = float(side.value[position]), int(side.n[position])
            yield panel.places[position], GAP, f"{facet}: {name}", value, low, high, n, verdict


def _difference(study: GapStudy) -> tuple[list[tuple[Any, ...]], list[NotMeasured]]:
    """Reliability of a person's difference between the two scales, where both have a reliability."""
    definition = study.definitions.confidence_capability
    pair = (definition.confidence, definition.capability)
    panel = panel_of(study, [(reference, definition.raters) for reference in pair])
    if panel.missing:
        return [], [NotMeasured.told(GAP, "ONE_SIDE_MISSING", "confidence", confidence=pair[0], capability=pair[1])]
    trust = [study.trust.get(form) for form in panel.forms]
    if any(value is None for value in trust):
        return [], [NotMeasured.told(GAP, "FORMATIVE", "confidence_list")]
    whole = [k for k, place in enumerate(panel.places) if place[0] == ""]
    if not whole or panel.unknown[0, 1]:
        return [], [NotMeasured.told(GAP, "NOT_LINKED", "confidence_people")]
    k = whole[0]
    n = panel.n[k]
    spread = panel.error[k] * np.sqrt(n)
    correlation = float(panel.covariance[k, 0, 1] * n.min() / spread.prod())
    reliability = difference_reliability(float(spread[0]), float(trust[0] or 0), float(spread[1]), float(trust[1] or 0),
                                         correlation)  # fmt: skip
    verdict = "usable for groups" if reliability >= FLOOR else "too unreliable"
    row = (panel.places[k], GAP, "difference reliability", reliability, np.nan, np.nan, int(n.min()), verdict)
    missing = []
    if reliability < FLOOR:
        missing.append(NotMeasured.told(GAP, "LOW_RELIABILITY", "confidence_difference"))
    return [row], missing
