"""Whether shortfalls lie with persons or with what they are given, and whether managers blame staff beyond that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from servicediag.diagnosis.draft import Draft, finding_id, name_or_none
from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, Place, index_rows
from servicediag.diagnosis.levels import Panel, level_verdict, panel_of, side_weights
from servicediag.diagnosis.model import Finding, Tier
from servicediag.diagnosis.statistics import benjamini_hochberg
from servicediag.results import table_rows

__all__ = ["attribution_gaps", "attribution_share", "blame_shift_index"]

GAP = "attribution"
ORGANISATIONAL, PERSONAL = 0.60, 0.40
"""Conventions: shares of the shortfalls from which, and below which, one side is named."""
N_DRAWS = 4000


def attribution_share(organisation: Sequence[float], person: Sequence[float]) -> float:
    """Organisation's share of the shortfalls: mean shortfall of its side over the sum of both means; NaN if none.

    Examples
    --------
    >>> round(attribution_share([20, 25, 18, 22, 15], [10, 5, 3]), 3)
    0.769
    """
    ours, theirs = float(np.mean(organisation)), float(np.mean(person))
    return ours / (ours + theirs) if ours + theirs > 0 else math.nan


def blame_shift_index(staff: float, situation: float, person_share: float) -> float:
    """How much more often failures are explained by staff than the shortfalls warrant, in percentage points.

    Parameters
    ----------
    staff, situation : float
        How often failures are explained by staff, and by their situation (points of the two scores).
    person_share : float
        Share of the shortfalls that lies with persons, 0 to 1.

    Examples
    --------
    >>> round(blame_shift_index(60, 30, 1 - attribution_share([20], [6])), 1)
    43.6
    """
    return 100 * (staff / (staff + situation) - person_share)


@dataclass(frozen=True, eq=False)
class _Share:
    """The organisation's share in one group: draws of it, and what holds a verdict back."""

    place: Place
    estimate: float
    draws: np.ndarray
    total: float
    n: int
    environment_free: bool

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % of the draws, with the estimate inside."""
        low, high = np.quantile(self.draws, [0.025, 0.975])
        return float(min(low, self.estimate)), float(max(high, self.estimate))

    @property
    def standard_error(self) -> float:
        return float(self.draws.std(ddof=1))


def attribution_gaps(study: GapStudy) -> GapReport:
    """The organisation's share of the shortfalls, and managers' explanations of failures beside it."""
    shares, missing = _shares(study)
    judged = {share.place: _verdict(share, study.settings.smallest_gap) for share in shares}
    rows = []
    for share in shares:
        low, high = share.interval
        verdict = judged[share.place]
        rows.append((share.place, GAP, "organisation", share.estimate, low, high, share.n, verdict))
        rows.append((share.place, GAP, "persons", 1 - share.estimate, 1 - high, 1 - low, share.n, verdict))
    blame, blame_rows, blame_missing = _blame(study, {share.place: share for share in shares})
    return GapReport(
        drafts=(*_attribution_drafts(study, shares, judged), *blame),
        tables={"indexes": index_rows([*rows, *blame_rows])},
        not_measured=(*missing, *blame_missing),
    )


def _shares(study: GapStudy) -> tuple[list[_Share], list[NotMeasured]]:
    definition = study.definitions.attribution
    members = (*definition.person, *definition.organisation)
    panel = panel_of(study, [(r, m.raters) for m in members for r in m.references])
    sides = {name: side_weights(panel, getattr(definition, name)) for name in ("person", "organisation")}
    lacking = [name for name, weights in sides.items() if not weights.any()]
    if lacking:
        what = f"no scale of the side of the {' and of the '.join(lacking)} was answered"
        asked = ", ".join(dict.fromkeys(r.partition("/")[0] for name in lacking for m in getattr(definition, name)
                                        for r in m.references))  # fmt: skip
        return [], [NotMeasured(GAP, "ONE_SIDE_MISSING", what, f"one of: {asked}")]
    if len(panel.periods) > 1:
        what = "the two sides were asked in different waves"
        return [], [NotMeasured(GAP, "DIFFERENT_PERIOD", what, "both sides in the same wave")]
    low = _environment(study, panel)
    generator = np.random.default_rng(study.settings.seed)
    normal = generator.standard_normal((N_DRAWS, len(panel.references)))
    found = []
    for row, place in enumerate(panel.places):
        if np.isnan(panel.health[row]).any() or np.isnan(panel.error[row]).any():
            continue
        targets = np.array([_target(study, reference, place[1]) for reference in panel.references])
        found.append(_share(panel, row, targets, sides, normal, low[row]))
    return found, []


def _target(study: GapStudy, reference: str, unit: str) -> float:
    instrument, _, dimension = reference.partition("/")
    declared = study.targets.of(instrument, dimension, name_or_none(unit))
    return study.settings.good_level if math.isnan(declared) else declared


def _environment(study: GapStudy, panel: Panel) -> np.ndarray:
    """Which groups may be judged on the persons' side: what they are given is measured and not low."""
    free = np.ones(len(panel.places), dtype=bool)
    for reference in study.definitions.attribution.environment:
        if reference not in panel.references:
            return np.zeros(len(panel.places), dtype=bool)
        column = panel.references.index(reference)
        low, high = study.border([reference])
        df = np.maximum(panel.n[:, column] - 1, 1)
        free &= level_verdict(panel.health[:, column], panel.error[:, column], df, low, high) != "low"
    return free


def _share(
    panel: Panel, row: int, targets: np.ndarray, sides: dict[str, np.ndarray], normal: np.ndarray, free: bool
) -> _Share:
    values, vectors = np.linalg.eigh(panel.covariance[row])
    spread = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = panel.health[row] + normal @ spread.T
    short = np.maximum(targets - panel.health[row], 0.0)
    drawn = np.maximum(targets - draws, 0.0)
    ours, theirs = short @ sides["organisation"], short @ sides["person"]
    sums = drawn @ sides["organisation"], drawn @ sides["person"]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = sums[0] / (sums[0] + sums[1])
    # where a draw has no shortfall at all, neither side has a larger one
    shares = np.where(np.isnan(shares), 0.5, shares)
    estimate = float(ours / (ours + theirs)) if ours + theirs > 0 else math.nan
    return _Share(panel.places[row], estimate, shares, float(ours + theirs), int(panel.n[row].min()), bool(free))


def _verdict(share: _Share, smallest_gap: float) -> str:
    if math.isnan(share.estimate) or share.total < smallest_gap:
        return "nothing to attribute"
    low, high = share.interval
    if low > ORGANISATIONAL:
        return "organisational"
    if high < PERSONAL:
        return "personal" if share.environment_free else "not separable"
    return "shared"


def _attribution_drafts(study: GapStudy, shares: list[_Share], judged: dict[Place, str]) -> Iterable[Draft]:
    """A finding where one side carries clearly more than the other."""
    settings = study.settings
    told = [share for share in shares if judged[share.place] != "nothing to attribute"]
    if not told:
        return
    p = {
        "organisational": [(1 + (s.draws <= ORGANISATIONAL).sum()) / (1 + N_DRAWS) for s in told],
        "personal": [(1 + (s.draws >= PERSONAL).sum()) / (1 + N_DRAWS) for s in told],
    }
    q = benjamini_hochberg(np.concatenate([p["organisational"], p["personal"]]))
    for position, share in enumerate(told):
        side = "organisational" if share.estimate >= 0.5 else "personal"
        adjusted = float(q[position + (len(told) if side == "personal" else 0)])
        if adjusted > settings.likely_error_rate or judged[share.place] == "shared":
            continue
        sure = adjusted <= settings.established_error_rate and share.n >= settings.established_n
        tier: Tier = "established" if sure else "likely"
        yield _attribution_draft(share, judged[share.place], tier, adjusted)


def _attribution_draft(share: _Share, verdict: str, tier: Tier, q: float) -> Draft:
    by, unit, wave = share.place
    low, high = share.interval
    held = (
        "NOT_SEPARABLE: nothing is attributed to persons while the conditions of their work or the promises made are "
        "low or unmeasured; measure both.",
    )
    return Draft(
        Finding(
            id=finding_id("attribution", *share.place),
            kind="attribution",
            by=name_or_none(by),
            unit=name_or_none(unit),
            wave=name_or_none(wave),
            instrument=None,
            dimension=None,
            item=None,
            rater=None,
            estimate=share.estimate,
            ci_low=low,
            ci_high=high,
            n=share.n,
            comparator="persons and organisation in equal parts (0.5)",
            direction="none",
            severity="none",
            tier="abstained" if verdict == "not separable" else tier,
            q_value=q,
            metric="share",
            abstentions=held if verdict == "not separable" else (),
        ),
        values=(("wording", f"attribution_{verdict.replace(' ', '_')}"),),
    )


def _blame(
    study: GapStudy, shares: dict[Place, _Share]
) -> tuple[list[Draft], list[tuple[Any, ...]], list[NotMeasured]]:
    """Share of explanations of failures that point at staff, against half or against what the shortfalls warrant."""
    rows = list(_explanations(study))
    if not rows:
        both = study.definitions.attribution.blame
        what = "how managers explain failures was not asked"
        return [], [], [NotMeasured("blame_shift", "ONE_SIDE_MISSING", what, f"{both.staff} and {both.situation}")]
    found = []
    for row in rows:
        share = shares.get(row["place"])
        usable = share is not None and not math.isnan(share.estimate) and share.total >= study.settings.smallest_gap
        row["baseline"] = 1 - share.estimate if share is not None and usable else 0.5
        row["measured"] = usable
        extra = share.standard_error if share is not None and usable else 0.0
        row["spread"] = math.hypot(row["error"], extra)
        found.append(float(ndtr(-(row["share"] - row["baseline"]) / row["spread"])))
    indexes = [_blame_row(row) for row in rows if row["measured"]]
    q = benjamini_hochberg(np.array(found))
    drafts = [
        _blame_draft(study, row, float(adjusted))
        for row, adjusted in zip(rows, q, strict=True)
        if adjusted <= study.settings.likely_error_rate
    ]
    missing = []
    if not indexes:
        what = "the blame-shift index needs the shortfalls of both sides; the share is compared with one half instead"
        missing.append(NotMeasured("blame_shift", "ONE_SIDE_MISSING", what, "both sides of attribution"))
    return drafts, indexes, missing


def _explanations(study: GapStudy) -> Iterable[dict[str, Any]]:
    blame = study.definitions.attribution.blame
    instrument, _, staff = blame.staff.partition("/")
    situation = blame.situation.partition("/")[2]
    cells = study.shown[(study.shown["kind"] == "score") & (study.shown["instrument"] == instrument)]
    places = ["form", "by", "unit", "wave"]
    shown = set(cells.loc[cells["dimension"] == staff, places].itertuples(index=False, name=None))
    shown &= set(cells.loc[cells["dimension"] == situation, places].itertuples(index=False, name=None))
    pairs = study.evidence.cross
    firsts = [one for one in pairs["first"].unique() if one.startswith(f"{instrument}:") and one.endswith(f"/{staff}")]
    seconds = [one for one in pairs["second"].unique() if one.endswith(f"/{situation}")]
    wanted = pairs["first"].isin(firsts) & pairs["second"].isin(seconds)
    pairs = pairs[wanted & (pairs["n"] >= study.settings.minimum_group)]
    for pair in table_rows(pairs):
        form = pair.first.partition("/")[0].partition(":")[2]
        ratio = _ratio(pair)
        if (form, pair.by, pair.unit, pair.wave) in shown and ratio is not None:
            place = (pair.by, pair.unit, pair.wave)
            yield {"place": place, "form": form, "n": int(pair.n), "share": ratio[0], "error": ratio[1]}


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


def _blame_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """The blame-shift index in percentage points; more than 0 means blamed beyond what the shortfalls warrant."""
    index = 100 * (row["share"] - row["baseline"])
    half = 100 * float(ndtri(0.975)) * row["spread"]
    verdict = "blames staff" if index - half > 0 else "blames the situation" if index + half < 0 else "undetermined"
    return row["place"], "blame_shift", row["form"], index, index - half, index + half, row["n"], verdict


def _blame_draft(study: GapStudy, row: dict[str, Any], q: float) -> Draft:
    settings = study.settings
    instrument, _, staff = study.definitions.attribution.blame.staff.partition("/")
    points = 100 * (row["share"] - row["baseline"])
    half = float(ndtri(0.975)) * row["error"]
    warranted = f"the share of the measured shortfalls that lies with persons ({row['baseline']:.2f})"
    sure = q <= settings.established_error_rate and row["n"] >= settings.established_n
    return Draft(
        Finding(
            id=finding_id("blame_shift", *row["place"], instrument, row["form"]),
            kind="blame_shift",
            by=name_or_none(row["place"][0]),
            unit=name_or_none(row["place"][1]),
            wave=name_or_none(row["place"][2]),
            instrument=instrument,
            dimension=staff,
            item=None,
            rater=study.evidence.instruments[instrument].form(row["form"]).rater,
            form=row["form"],
            estimate=float(row["share"]),
            ci_low=float(row["share"] - half),
            ci_high=float(row["share"] + half),
            n=row["n"],
            comparator=warranted if row["measured"] else "explanations by staff and by situation in equal parts (0.5)",
            direction="worse",
            severity=settings.severity(points),
            tier="established" if sure else "likely",
            q_value=q,
            metric="share",
        ),
        loss=max(0.0, points - settings.smallest_gap),
    )
