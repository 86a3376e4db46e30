"""Cells to draft findings: unit gaps, strengths, unit-wide lows, levels, shares and organisation-wide troubles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from servicediag.diagnosis.cells import index_part
from servicediag.diagnosis.draft import Draft, finding_id, name_or_none, share_tiers
from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.model import Finding, FindingKind, Tier
from servicediag.diagnosis.row_keys import having
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.stability import Redrawn, border_shares, own_share, share_stability, tier_shares
from servicediag.diagnosis.statistics import benjamini_hochberg, expected_loss, minimum_effect_p, wilson
from servicediag.diagnosis.targets import Targets
from servicediag.diagnosis.tiers import LOW_RELIABILITY, LOW_RESPONSE, TOO_FEW_CLUSTERS, tier_of
from servicediag.results import plain, table_rows
from servicediag.wording.telling import figure, sentence

__all__ = ["level_findings", "organisation_findings", "share_findings", "unit_findings", "unit_wide_findings"]

FAMILY_COLUMNS = ["by", "unit", "wave", "instrument", "dimension", "rater", "gap", "standard_error", "df", "n"]
SHARE_COLUMNS = ["by", "unit", "wave", "instrument", "form", "rater", "dimension", "name", "n", "n_worth",
                 "total"]  # fmt: skip
UNIT_COLUMNS = [
    "by", "unit", "wave", "instrument", "dimension", "rater", "form", "n", "mean", "gap", "gap_low", "gap_high",
    "shrunk_gap", "standard_error", "keep", "minimum_detectable_gap", "tier", "q_value", "q_minimum_effect",
    "cautions", "unreliable", "stability",
]  # fmt: skip
REST = sentence("finding.comparator.rest")
SMALL = sentence("finding.abstention.small")
_about = attrgetter("by", "unit", "wave", "instrument", "form", "dimension")
"""What the finding of a cell is identified by."""


def unit_findings(cells: pd.DataFrame, settings: Settings) -> Iterable[Draft]:
    """A finding for every unit x score cell that stands out from the rest, or would if it could be told."""
    tier, above = cells["tier"].to_numpy(dtype=object), cells["gap"].to_numpy(float) > 0
    told = cells["tier"].notna().to_numpy() & (~above | (tier == "established") | (tier == "likely"))
    for row in table_rows(cells.loc[told, UNIT_COLUMNS]):
        better = row.gap > 0
        spread = row.standard_error * math.sqrt(row.keep)
        abstentions = (*row.cautions, LOW_RELIABILITY) if row.unreliable else row.cautions
        distinct = bool(row.q_value <= settings.likely_error_rate)
        if row.tier == "watch" and not row.cautions:
            abstentions = (_watch_note(row, distinct),)
        yield Draft(
            Finding(
                id=finding_id("strength" if better else "unit_gap", *_about(row)),
                kind="strength" if better else "unit_gap",
                by=row.by,
                unit=row.unit,
                wave=name_or_none(row.wave),
                instrument=row.instrument,
                dimension=row.dimension,
                item=None,
                rater=row.rater,
                form=row.form,
                estimate=float(row.gap),
                ci_low=plain(row.gap_low),
                ci_high=plain(row.gap_high),
                n=int(row.n),
                comparator=REST,
                direction="better" if better else "worse",
                severity="none" if better else settings.severity(row.shrunk_gap),
                tier=row.tier,
                q_value=plain(row.q_value),
                q_minimum_effect=plain(row.q_minimum_effect),
                shrunk=float(row.shrunk_gap),
                minimum_detectable_gap=plain(row.minimum_detectable_gap),
                abstentions=abstentions,
                stability=plain(row.stability),
            ),
            loss=expected_loss(-abs(row.shrunk_gap), spread, settings.smallest_gap),
            values=(("mean", float(row.mean)), ("distinct", distinct), ("held_down_by", _held_down_by(row, distinct))),
        )


def _held_down_by(row: Any, distinct: bool) -> str:
    """What alone keeps a gap from being told, where it is neither chance nor size."""
    if TOO_FEW_CLUSTERS in row.cautions:
        return "clusters"
    return "response" if row.tier == "watch" and distinct and LOW_RESPONSE in row.cautions else ""


def _watch_note(row: Any, distinct: bool) -> str:
    if distinct:
        return SMALL
    return _undetermined(int(row.n), figure(row.minimum_detectable_gap, ".0f"))


@lru_cache(maxsize=4096)
def _undetermined(n: int, detectable: str) -> str:
    """Units of about the same size could have shown about the same gap: most of thousands of notes say the same."""
    return sentence("finding.abstention.undetermined", n=n, detectable=detectable)


def unit_wide_findings(cells: pd.DataFrame, settings: Settings) -> Iterable[Draft]:
    """A unit that one group of raters puts lower on nearly everything: one finding instead of many causes."""
    inside = having(cells, kind="score", hidden="") & ~having(cells, by=WHOLE) & cells["current"].to_numpy(dtype=bool)
    family = cells.loc[inside & cells["gap"].notna().to_numpy(), FAMILY_COLUMNS]
    family = family[~index_part(family)]
    groups = _units_of_raters(family, settings)
    if groups.empty:
        return
    estimates, errors, df = (groups[name].to_numpy(float) for name in ("gap", "error", "df"))
    q = benjamini_hochberg(minimum_effect_p(estimates, errors, df, 0.0))
    q_minimum = benjamini_hochberg(minimum_effect_p(estimates, errors, df, settings.minimum_effect))
    for position, row in enumerate(table_rows(groups)):
        by, unit, rater, low, estimate, n = row.by, row.unit, row.rater, int(row.low), float(row.gap), int(row.n)
        if estimate >= 0 or low < settings.unit_wide_share * row.scales:
            continue
        tier, _ = tier_of(q[position], q_minimum[position], estimate, estimate, n, [], settings)
        if tier not in ("established", "likely"):
            continue
        half = float(stdtrit(df[position], 0.975) * errors[position])
        yield Draft(
            Finding(
                id=finding_id("unit_wide", by, unit, rater),
                kind="unit_wide",
                by=str(by),
                unit=str(unit),
                wave=name_or_none(row.wave),
                instrument=None,
                dimension=None,
                item=None,
                rater=str(rater),
                estimate=estimate,
                ci_low=estimate - half,
                ci_high=estimate + half,
                n=n,
                comparator=REST,
                direction="worse",
                severity=settings.severity(estimate),
                tier=tier,
                q_value=float(q[position]),
                q_minimum_effect=float(q_minimum[position]),
                shrunk=estimate,
            ),
            loss=expected_loss(estimate, float(errors[position]), settings.smallest_gap),
            values=(("n_low", low), ("n_scales", int(row.scales))),
        )


def _units_of_raters(family: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """A row a unit and group of raters with enough scales: the mean gap, its error, and how many scales are low."""
    grouped = family.assign(low=family["gap"] <= -settings.smallest_gap).groupby(["by", "unit", "rater"], sort=False)
    # perfect correlation between the scales is the widest that their mean's interval can be
    groups = grouped.agg(
        gap=("gap", "mean"), error=("standard_error", "mean"), df=("df", "min"), n=("n", "min"), low=("low", "sum"),
        scales=("gap", "size"), wave=("wave", "first"),
    )  # fmt: skip
    return groups[groups["scales"] >= settings.unit_wide_dimensions].reset_index()


def organisation_findings(
    cells: pd.DataFrame, settings: Settings, targets: Targets, trust: dict[tuple[str, str, str, str], float | None]
) -> Iterable[Draft]:
    """Scores of the whole organisation that lie below the conventional border of a low level.

    Being there at all is a trouble, so the severity is at least *minor*; its size is the distance from the border.
    """
    whole = cells[having(cells, kind="score", by=WHOLE, hidden="") & cells["current"].to_numpy(dtype=bool)]
    places = zip(whole["instrument"], whole["dimension"], strict=True)
    whole = whole[np.array([not targets.declared(i, d) for i, d in places], dtype=bool)]
    whole = whole[whole["error"].notna() & ~index_part(whole)]
    distance, error = (whole["health"] - settings.low_level).to_numpy(float), whole["error"].to_numpy(float)
    df = np.maximum(whole["error_df"].to_numpy(float), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        q = benjamini_hochberg(stdtr(df, distance / error))
    shares = border_shares(distance, error, df, settings)
    for row, adjusted, again in zip(table_rows(whole), q, shares, strict=True):
        if not row.health < settings.low_level:
            continue
        reliability = trust.get((row.instrument, row.form, row.wave, row.dimension))
        tier: Tier = "watch"
        if adjusted <= settings.likely_error_rate:
            tier = "likely"
        if adjusted <= settings.established_error_rate and _firm(row.n, reliability, settings):
            tier = "established"
        unreliable = tier != "watch" and reliability is not None and not reliability >= settings.reliability_needed
        if unreliable and not (reliability or 0.0) >= settings.reliability_floor:
            tier = "abstained"
        estimate = float(row.health - settings.low_level)
        severity = settings.severity(estimate)
        half = (row.ci_high - row.ci_low) / 2
        yield Draft(
            Finding(
                id=finding_id("organisation_wide", *_about(row)),
                kind="organisation_wide",
                by=None,
                unit=None,
                wave=name_or_none(row.wave),
                instrument=row.instrument,
                dimension=row.dimension,
                item=None,
                rater=row.rater,
                form=row.form,
                estimate=estimate,
                ci_low=estimate - half,
                ci_high=estimate + half,
                n=int(row.n),
                comparator=sentence("finding.comparator.low_level", level=figure(settings.low_level, "g")),
                direction="worse",
                severity="minor" if severity == "none" else severity,
                tier=tier,
                q_value=float(adjusted),
                shrunk=estimate,
                stability=own_share(again, tier),
                abstentions=(LOW_RELIABILITY,) if unreliable else (),
            ),
            loss=expected_loss(float(estimate), float(row.error), settings.smallest_gap),
            values=(("health", float(row.health)),),
        )


def level_findings(
    cells: pd.DataFrame, settings: Settings, targets: Targets, trust: dict[tuple[str, str, str, str], float | None]
) -> Iterable[Draft]:
    """Scores below the target that was declared for them, for the organisation and for each unit."""
    aimed = cells["target"].notna() & cells["current"] & cells["error"].notna()
    scores = cells[aimed.to_numpy() & having(cells, hidden="")]
    if scores.empty:
        return
    pooled = scores["level_error"].notna()
    error = scores["level_error"].where(pooled, scores["error"]).to_numpy(float)
    df = scores["level_df"].where(pooled, scores["error_df"]).to_numpy(float)
    gap = (scores["health"] - scores["target"]).to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        q = benjamini_hochberg(minimum_effect_p(gap, error, df, 0.0))
        q_minimum = benjamini_hochberg(minimum_effect_p(gap, error, df, settings.minimum_effect))
    half = stdtrit(df, 0.975) * error
    shares = tier_shares(Redrawn.of(gap, error, df, scores["n"].to_numpy(float), settings), settings)
    for position, row in enumerate(table_rows(scores)):
        estimate = float(gap[position])
        known = trust.get((row.instrument, row.form, row.wave, row.dimension))
        tier, unreliable = tier_of(q[position], q_minimum[position], estimate, estimate, row.n, [known], settings)
        if estimate >= 0 or tier is None:
            continue
        origin = targets.origin_of(row.instrument, row.dimension, name_or_none(row.unit))
        yield Draft(
            Finding(
                id=finding_id("level", *_about(row)),
                kind="level",
                by=name_or_none(row.by),
                unit=name_or_none(row.unit),
                wave=name_or_none(row.wave),
                instrument=row.instrument,
                dimension=row.dimension,
                item=None,
                rater=row.rater,
                form=row.form,
                estimate=estimate,
                ci_low=estimate - float(half[position]),
                ci_high=estimate + float(half[position]),
                n=int(row.n),
                comparator=sentence("finding.comparator.target", target=figure(row.target, "g"), origin=origin),
                direction="worse",
                severity=settings.severity(estimate),
                tier=tier,
                q_value=float(q[position]),
                q_minimum_effect=float(q_minimum[position]),
                shrunk=estimate,
                abstentions=(LOW_RELIABILITY,) if unreliable else (),
                stability=own_share(shares[position], tier),
            ),
            loss=expected_loss(estimate, float(error[position]), settings.smallest_gap),
            values=(("mean", float(row.mean)),),
        )


def share_findings(cells: pd.DataFrame, settings: Settings) -> Iterable[Draft]:
    """Shares of respondents above the criterion: sins met (whole organisation), confidence without capability."""
    inside = having(cells, kind="indicator", hidden="") & cells["current"].to_numpy(dtype=bool)
    shares = cells.loc[inside, SHARE_COLUMNS]
    shares = shares.assign(share=shares["total"] / shares["n"])
    met = [name for name in shares["name"].unique()
           if name.endswith("_incidence") and not name.endswith("_severe_incidence")]  # fmt: skip
    incidence = shares["name"].isin(met)
    quadrant = shares["name"].isin(["quadrant_over_confident", "quadrant_under_confident"])
    levels = _levels_of_whole(cells)
    for family in (shares[incidence & (shares["by"] == WHOLE)], shares[quadrant]):
        # people of a cluster who answer alike count as fewer; where there are no clusters, as many as there are
        worth = np.maximum(np.floor(family["n_worth"].to_numpy(float)), 1.0)
        of_family = share_tiers(family.assign(n=worth), settings)
        tiers = np.array(of_family, dtype=object)
        stable = share_stability(family["share"].to_numpy(float) * worth, worth, of_family, settings)
        silent = (tiers == "watch") & (family["by"] != WHOLE).to_numpy()
        told = (family["share"] > settings.share_criterion).to_numpy() & ~silent
        for row, tier, share in zip(table_rows(family[told]), tiers[told], stable[told], strict=True):
            yield _share_draft(row, tier, float(share), settings, levels)


def _levels_of_whole(cells: pd.DataFrame) -> dict[tuple[str, ...], float]:
    """Health of the whole organisation in each score, by instrument, form, wave and dimension."""
    whole = cells[having(cells, kind="score", by=WHOLE)]
    keys = whole[["instrument", "form", "wave", "dimension"]].itertuples(index=False, name=None)
    return dict(zip(keys, whole["health"].tolist(), strict=True))


def _share_draft(
    r: Any, tier: Tier, stability: float, settings: Settings, levels: Mapping[tuple[str, ...], float]
) -> Draft:
    kind: FindingKind = "confidence_capability" if r.name.startswith("quadrant_") else "organisation_wide"
    low, high = wilson(float(r.share * r.n_worth), float(r.n_worth))
    if kind == "confidence_capability":
        # convention: a quarter of the people is a minor, half a major, all of them a critical trouble
        size = 4 * settings.smallest_gap * float(r.share)
        dimension = "conf"
    else:
        level = levels.get((r.instrument, r.form, r.wave, r.dimension), settings.good_level)
        size = max(0.0, settings.good_level - level)
        dimension = str(r.dimension)
    return Draft(
        Finding(
            id=finding_id(kind, r.by, r.unit, r.wave, r.instrument, r.form, r.name),
            kind=kind,
            by=name_or_none(str(r.by)),
            unit=name_or_none(str(r.unit)),
            wave=name_or_none(str(r.wave)),
            instrument=str(r.instrument),
            dimension=dimension,
            item=None,
            rater=str(r.rater),
            form=str(r.form),
            estimate=float(r.share),
            ci_low=low,
            ci_high=high,
            n=int(r.n),
            comparator=sentence("finding.comparator.respondents", share=figure(100 * settings.share_criterion, "g")),
            direction="worse",
            severity=settings.severity(size),
            tier=tier,
            metric="share",
            stability=plain(stability),
        ),
        loss=max(0.0, size - settings.smallest_gap),
        values=(("indicator", str(r.name)),),
    )


def _firm(n: int, reliability: float | None, settings: Settings) -> bool:
    """Enough respondents, and a scale reliable enough, for an established statement."""
    return n >= settings.established_n and (reliability is None or reliability >= settings.reliability_needed)
