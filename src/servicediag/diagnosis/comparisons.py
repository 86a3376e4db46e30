"""Draft findings between groups of raters on the same items, and managers' habit of explaining failures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from servicediag.diagnosis.cells import index_part
from servicediag.diagnosis.draft import Draft, Titles, finding_id, name_or_none
from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.model import Finding, FindingKind
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import benjamini_hochberg, expected_loss, minimum_effect_p, welch
from servicediag.diagnosis.tiers import LOW_RELIABILITY, tier_of
from servicediag.results import table_rows

__all__ = ["blame_findings", "rater_findings"]

CLOSENESS = (
    "customer",
    "mystery_shopper",
    "internal_customer",
    "employee",
    "peer",
    "supervisor",
    "hr",
    "leader",
    "auditor",
)
"""From those who receive to those who lead; of two raters the later one is the insider whose view is compared."""
SCALE_USE = (
    "SCALE_USE: two groups of raters may use the answer scale differently; measurement invariance between them is "
    "untested here."
)
PROVISION = frozenset({"comm", "feed", "capa"})


def rater_findings(
    evidence: Evidence, cells: pd.DataFrame, settings: Settings, trust: dict[tuple[str, str, str, str], float | None]
) -> Iterable[Draft]:
    """What the receiving side says minus what the providing or leading side says, on the same items and scale."""
    rows = list(_pairs(evidence, cells))
    if not rows:
        return
    estimates = np.array([row["estimate"] for row in rows])
    errors = np.array([row["error"] for row in rows])
    df = np.array([row["df"] for row in rows])
    q = benjamini_hochberg(minimum_effect_p(estimates, errors, df, 0.0))
    q_minimum = benjamini_hochberg(minimum_effect_p(estimates, errors, df, settings.minimum_effect))
    titles = Titles(evidence)
    for row, point, minimum in zip(rows, q, q_minimum, strict=True):
        inner, outer = row["inner"], row["outer"]
        reliabilities = [trust.get((s.instrument, s.form, s.wave, s.dimension)) for s in (inner, outer)]
        size, smaller = row["estimate"], min(inner.n, outer.n)
        tier, unreliable = tier_of(point, minimum, size, size, smaller, reliabilities, settings)
        if tier is None or (size > 0 and tier == "watch"):
            continue
        half = float(stdtrit(row["df"], 0.975)) * row["error"]
        provision = inner.instrument == "four-tools" and inner.dimension in PROVISION
        kind: FindingKind = "provision_gap" if provision else "perception_gap"
        yield Draft(
            Finding(
                id=finding_id(kind, inner.by, inner.unit, inner.wave, inner.instrument, inner.form, outer.form,
                              inner.dimension),
                kind=kind,
                by=name_or_none(inner.by),
                unit=name_or_none(inner.unit),
                wave=name_or_none(inner.wave),
                instrument=inner.instrument,
                dimension=inner.dimension,
                item=None,
                rater=inner.rater,
                form=inner.form,
                estimate=row["estimate"],
                ci_low=row["estimate"] - half,
                ci_high=row["estimate"] + half,
                n=int(min(inner.n, outer.n)),
                comparator=f"what {titles.raters(outer.instrument, outer.form)} say",
                direction="worse" if row["estimate"] < 0 else "better",
                severity=settings.severity(row["estimate"]) if row["estimate"] < 0 else "none",
                tier=tier,
                q_value=float(point),
                q_minimum_effect=float(minimum),
                shrunk=row["estimate"],
                abstentions=(SCALE_USE, LOW_RELIABILITY) if unreliable else (SCALE_USE,),
            ),
            loss=expected_loss(row["estimate"], row["error"], settings.smallest_gap),
            values=(
                ("inner_health", float(inner.health)),
                ("outer_health", float(outer.health)),
                ("inner_raters", titles.raters(inner.instrument, inner.form)),
                ("outer_raters", titles.raters(outer.instrument, outer.form)),
                ("inner_n", int(inner.n)),
                ("outer_n", int(outer.n)),
            ),
        )  # fmt: skip


def _pairs(evidence: Evidence, cells: pd.DataFrame) -> Iterable[dict[str, Any]]:
    scores = cells[(cells["kind"] == "score") & cells["current"] & (cells["hidden"] == "") & (cells["n"] > 1)]
    scores = scores[scores["rater"].isin(CLOSENESS) & ~index_part(scores)]
    place = ["by", "unit", "wave", "instrument", "dimension"]
    scores = scores[scores.groupby(place, sort=False)["rater"].transform("nunique") > 1]
    for _, group in scores.groupby(place, sort=False):
        for first, second in combinations(table_rows(group), 2):
            inner, outer = sorted((first, second), key=lambda row: CLOSENESS.index(row.rater))
            if inner.rater == outer.rater or not _parallel(evidence, inner, outer):
                continue
            test = welch((inner.n, inner.total, inner.total_squares), (outer.n, outer.total, outer.total_squares))
            if test is None:
                continue
            difference, error, df = test
            yield {
                "inner": inner,
                "outer": outer,
                "estimate": float(inner.sign * difference),
                "error": float(error),
                "df": float(df),
            }


def _parallel(evidence: Evidence, first: Any, second: Any) -> bool:
    """Same items on the same response scale in both forms; at least three, unless the dimension is shorter."""
    instrument = evidence.instruments[first.instrument]
    dimension = instrument.dimension(first.dimension)
    forms = [instrument.form(row.form) for row in (first, second)]
    held = [[i.code for i in dimension.scored_items if i.code in form.items] for form in forms]
    if held[0] != held[1] or len(held[0]) < min(3, len(dimension.scored_items)):
        return False
    return all(len({instrument.scale(code, form.id).id for form in forms}) == 1 for code in held[0])


def blame_findings(evidence: Evidence, cells: pd.DataFrame, settings: Settings) -> Iterable[Draft]:
    """Share of explanations of failures that point at staff; more than half is a habit worth questioning."""
    pairs = evidence.cross
    pairs = pairs[pairs["first"].str.endswith("/blame_staff") & pairs["second"].str.endswith("/blame_situation")]
    shown = cells[(cells["dimension"] == "blame_staff") & (cells["kind"] == "score") & cells["current"]]
    shown = shown[shown["hidden"] == ""].set_index(["instrument", "form", "by", "unit", "wave"])
    rows: list[tuple[str, str, Any, float, float]] = []
    for pair in table_rows(pairs):
        instrument, form = pair.first.split("/")[0].split(":")
        if (instrument, form, pair.by, pair.unit, pair.wave) not in shown.index or pair.n < settings.minimum_group:
            continue
        ratio = _ratio(pair)
        if ratio is not None:
            rows.append((instrument, form, pair, *ratio))
    if not rows:
        return
    q = benjamini_hochberg(np.array([float(ndtr(-(share - 0.5) / error)) for *_, share, error in rows]))
    for (instrument, form, pair, share, error), adjusted in zip(rows, q, strict=True):
        if adjusted > settings.likely_error_rate:
            continue
        sure = adjusted <= settings.established_error_rate and pair.n >= settings.established_n
        points = 100 * (share - 0.5)
        yield Draft(
            Finding(
                id=finding_id("blame_shift", pair.by, pair.unit, pair.wave, instrument, form),
                kind="blame_shift",
                by=name_or_none(pair.by),
                unit=name_or_none(pair.unit),
                wave=name_or_none(pair.wave),
                instrument=instrument,
                dimension="blame_staff",
                item=None,
                rater=evidence.instruments[instrument].form(form).rater,
                form=form,
                estimate=float(share),
                ci_low=float(share - 1.96 * error),
                ci_high=float(share + 1.96 * error),
                n=int(pair.n),
                comparator="explanations by staff and by situation in equal parts (0.5)",
                direction="worse",
                severity=settings.severity(points),
                tier="established" if sure else "likely",
                q_value=float(adjusted),
                metric="share",
            ),
            loss=max(0.0, points - settings.smallest_gap),
        )


def _ratio(p: Any) -> tuple[float, float] | None:
    """``staff / (staff + situation)`` of the means and its standard error by the delta method."""
    n = float(p.n)
    staff, situation = p.first_total / n, p.second_total / n
    both = staff + situation
    if both <= 0 or n < 2:
        return None
    s11 = (p.first_squares - n * staff**2) / (n - 1)
    s22 = (p.second_squares - n * situation**2) / (n - 1)
    s12 = (p.product - n * staff * situation) / (n - 1)
    variance = (situation**2 * s11 + staff**2 * s22 - 2 * staff * situation * s12) / both**4 / n
    return (staff / both, math.sqrt(variance)) if variance > 0 else None
