"""Whether a finding stands when any one item of its scale is left out, from sums only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.gap_study import GapStudy
from servicediag.diagnosis.model import Tier
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import minimum_effect_p
from servicediag.diagnosis.tiers import NOT_APPLICABLE, tiers_of
from servicediag.wording.telling import sentence

__all__ = ["spread_ratios", "with_item_stability"]

FEWEST_ITEMS = 3
"""Of two items the other one alone would be left, which is no scale."""
ITEM_VALUES = {"unit_gap": "gap", "strength": "gap", "level": "health", "organisation_wide": "health"}
"""Kind of finding -> what of the cell of an item takes the place of the scale's."""
RANKS: tuple[Tier, ...] = ("watch", "likely", "established")
Scale = tuple[str, str, str, str]
"""Instrument, form, wave and dimension."""


@dataclass(frozen=True)
class _Family:
    """Findings of one kind about one scale: estimates, errors and rates, and an estimate for each item left out."""

    kind: str
    estimate: np.ndarray
    error: np.ndarray
    df: np.ndarray
    keep: np.ndarray
    rates: np.ndarray
    """Adjusted p-values of "no difference" and of "less than the minimum effect", findings x 2."""
    without: np.ndarray
    """Findings x items."""


def with_item_stability(drafts: Sequence[Draft], study: GapStudy) -> list[Draft]:
    """The drafts; those about a scale with the lowest tier that is left when any one of its items is left out.

    A shorter scale has the gap of its remaining items, and an error that changes as the standard deviation of the score
    does in the whole organisation. The adjustment for the other findings is that of the finding itself. Lists of
    provisions, whose items do not stand for each other, are not looked at.
    """
    found = list(drafts)
    of_scale: dict[tuple[str, Scale], list[int]] = {}
    for position, draft in enumerate(drafts):
        finding = draft.finding
        if finding.tier in ("established", "likely") and finding.metric == "points" and finding.kind in ITEM_VALUES:
            scale = (str(finding.instrument), str(finding.form), finding.wave or WHOLE, str(finding.dimension))
            of_scale.setdefault((finding.kind, scale), []).append(position)
    places = {place: position for position, place in enumerate(study.places)} if of_scale else {}
    for (kind, scale), positions in of_scale.items():
        moments = study.evidence.moments.get(scale)
        if moments is None or len(moments.items) < FEWEST_ITEMS or moments.n <= len(moments.items):
            continue
        told = [drafts[position] for position in positions]
        family = _family(kind, scale, told, study, places, moments.items)
        quoted = [_quoted(study, scale, item) for item in moments.items]
        for row, tier, item in _judged(family, spread_ratios(moments.covariance()), study.settings):
            found[positions[row]] = _noted(told[row], tier, moments.items[item], quoted[item])
    return found


def spread_ratios(covariance: np.ndarray) -> np.ndarray:
    """Standard deviation of the mean of the other items, for each one left out, over that of the mean of all.

    Examples
    --------
    Three items of variance 1 that correlate .5: the mean of all has variance ``6 / 9``, that of two ``3 / 4``.

    >>> spread_ratios(np.full((3, 3), 0.5) + np.eye(3) * 0.5).round(4).tolist()
    [1.0607, 1.0607, 1.0607]
    """
    k, total = len(covariance), covariance.sum()
    others = total - 2 * covariance.sum(axis=1) + covariance.diagonal()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.maximum(others, 0.0) / total) * k / (k - 1))


def _family(
    kind: str, scale: Scale, drafts: Sequence[Draft], study: GapStudy, places: Mapping[tuple[str, str], int],
    items: Sequence[str],
) -> _Family:  # fmt: skip
    findings = [draft.finding for draft in drafts]
    where = np.array([places[finding.by or WHOLE, finding.unit or WHOLE] for finding in findings], dtype=np.int64)
    rows = _rows(study, scale, f"{scale[0]}/{scale[3]}")[where]
    estimate = np.array([finding.estimate for finding in findings], dtype=float)
    rates = np.array([(finding.q_value, finding.q_minimum_effect) for finding in findings], dtype=float)
    if ITEM_VALUES[kind] == "gap":
        error, df, keep = (_values(study, name, rows) for name in ("standard_error", "df", "keep"))
    else:
        pooled = _values(study, "level_error", rows)
        alone = np.isnan(pooled) | (kind == "organisation_wide")
        error = np.where(alone, _values(study, "error", rows), pooled)
        df = np.where(alone, _values(study, "error_df", rows), _values(study, "level_df", rows))
        keep = np.ones(len(rows))
    of_items = np.column_stack([_values(study, ITEM_VALUES[kind], _rows(study, scale, item)[where]) for item in items])
    # what the items differ from each other in, so that people who left some of them out change nothing
    without = estimate[:, None] + (of_items.mean(axis=1, keepdims=True) - of_items) / (len(items) - 1)
    return _Family(kind, estimate, error, df, keep, rates, without)


def _rows(study: GapStudy, scale: Scale, reference: str) -> np.ndarray:
    """Position among the cells shown of a scale or item at every place, -1 where it is not shown."""
    rows = study.rows_of.get(reference, np.array([], dtype=np.int64))
    for name, wanted in zip(("instrument", "form"), scale[:2], strict=True):
        rows = rows[study.shown_texts[name][rows] == wanted]
    found = np.full(len(study.places), -1, dtype=np.int64)
    found[study.place_of[rows]] = rows
    return found


def _values(study: GapStudy, column: str, rows: np.ndarray) -> np.ndarray:
    return np.where(rows >= 0, study.shown[column].to_numpy(dtype=float)[rows], np.nan)


def _judged(family: _Family, ratios: np.ndarray, settings: Settings) -> Iterator[tuple[int, Tier, int]]:
    """Position of the finding in its family, the lowest tier without one item, and the item."""
    error, df = family.error[:, None] * ratios, np.broadcast_to(family.df[:, None], family.without.shape)
    rates = [
        _adjusted(family, error, df, minimum, column)
        for column, minimum in enumerate((0.0, settings.minimum_effect))
    ]  # fmt: skip
    ranks = _ranks(family, rates[0], rates[1], settings)
    ranks[family.without * np.sign(family.estimate)[:, None] <= 0] = 0
    # an error of zero is that of a census in which everybody answered
    with np.errstate(invalid="ignore", divide="ignore"):
        sureness = np.abs(family.without) / error
    lowest = ranks.min(axis=1)
    weakest = np.where(ranks == lowest[:, None], sureness, np.inf).argmin(axis=1)
    for row in np.flatnonzero(np.isfinite(sureness).all(axis=1)):
        yield int(row), RANKS[lowest[row]], int(weakest[row])


def _adjusted(family: _Family, error: np.ndarray, df: np.ndarray, minimum: float, column: int) -> np.ndarray:
    """p-values without each item, adjusted by the factor that adjusted the finding's own."""
    if family.kind == "organisation_wide":
        own, without = stdtr(family.df, family.estimate / family.error), stdtr(df, family.without / error)
    else:
        own = minimum_effect_p(family.estimate, family.error, family.df, minimum)
        without = minimum_effect_p(family.without, error, df, minimum)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(own > 0, family.rates[:, column] / own, 1.0)
    return np.asarray(np.minimum(1.0, without * np.fmax(factor, 1.0)[:, None]))


def _ranks(family: _Family, q: np.ndarray, q_minimum: np.ndarray, settings: Settings) -> np.ndarray:
    """Position of the tier in ``RANKS`` for each finding and item."""
    if family.kind == "organisation_wide":
        likely, firm = (q <= rate for rate in (settings.likely_error_rate, settings.established_error_rate))
        return np.asarray(likely.astype(int) + firm)
    flat = family.without.ravel()
    keep = np.repeat(family.keep, family.without.shape[1])
    # reliability and number of respondents are judged of the finding itself
    enough, trust = np.full(len(flat), np.inf), np.full(len(flat), NOT_APPLICABLE)
    tiers, _ = tiers_of(q.ravel(), q_minimum.ravel(), flat * keep, flat, enough, trust, settings)
    ranks = [RANKS.index(tier) if tier in RANKS else 0 for tier in tiers]
    return np.array(ranks, dtype=np.int64).reshape(family.without.shape)


def _quoted(study: GapStudy, scale: Scale, item: str) -> str:
    return sentence("finding.quote.item", text=study.titles.item(scale[0], item, scale[1]))


def _noted(draft: Draft, tier: Tier, item: str, quoted: str) -> Draft:
    finding = draft.finding
    if RANKS.index(tier) >= RANKS.index(finding.tier):
        return draft.with_finding(tier_without_item=finding.tier)
    noted = draft.with_finding(tier_without_item=tier, rests_on=item)
    return Draft(noted.finding, draft.loss, (*draft.values, ("rests_on", tier), ("item_left_out", quoted)))
