"""Whether shortfalls lie with persons or with what they are given, and whether managers blame staff beyond that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from servicediag.diagnosis.draft import Draft, finding_id, name_or_none
from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, Place, index_rows, judge
from servicediag.diagnosis.levels import Panel, level_verdict, panel_of, side_weights
from servicediag.diagnosis.model import Finding, Tier
from servicediag.diagnosis.privacy import SENSITIVE_MINIMUM
from servicediag.diagnosis.sensitive import is_sensitive
from servicediag.diagnosis.statistics import benjamini_hochberg
from servicediag.results import table_rows
from servicediag.wording.telling import figure, sentence

__all__ = ["attribution_gaps", "attribution_share", "blame_shift_index"]

GAP = "attribution"
ORGANISATIONAL, PERSONAL = 0.60, 0.40
"""Conventions: shares of the shortfalls from which, and below which, one side is named."""
N_DRAWS = 4000
GROUPS_AT_ONCE = 8
"""Draws are made for so many groups together, which keeps them in the processor's cache."""


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


@dataclass(frozen=True)
class _Share:
    """The organisation's share in one group, what its draws say of it, and what holds a verdict back.

    ``interval`` holds 95 % of the draws, with the estimate inside; ``p`` is the chance that the share does not lie
    beyond the border of *organisational*, and of *personal*.
    """

    place: Place
    estimate: float
    interval: tuple[float, float]
    standard_error: float
    p: tuple[float, float]
    total: float
    n: int
    environment_free: bool


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
        asked = ", ".join(dict.fromkeys(r.partition("/")[0] for name in lacking for m in getattr(definition, name)
                                        for r in m.references))  # fmt: skip
        which = "attribution_both" if len(lacking) > 1 else f"attribution_{lacking[0]}"
        return [], [NotMeasured.told(GAP, "ONE_SIDE_MISSING", which, instruments=asked)]
    if len(panel.periods) > 1:
        return [], [NotMeasured.told(GAP, "DIFFERENT_PERIOD", "attribution_waves")]
    free = _environment(study, panel)
    generator = np.random.default_rng(study.settings.seed)
    noise = np.ascontiguousarray(generator.standard_normal((N_DRAWS, len(panel.references))).T)
    known = np.flatnonzero(~np.isnan(panel.health).any(axis=1) & ~np.isnan(panel.error).any(axis=1))
    found: list[_Share] = []
    for begin in range(0, len(known), GROUPS_AT_ONCE):
        rows = known[begin : begin + GROUPS_AT_ONCE]
        targets = _targets(study, panel.references, [panel.places[row][1] for row in rows])
        found += _shares_of(panel, rows, targets, sides, noise, free)
    return found, []


def _targets(study: GapStudy, references: Sequence[str], units: Sequence[str]) -> np.ndarray:
    """Target of each reference for each unit, units x references."""
    targets = np.full((len(units), len(references)), math.nan)
    if study.targets.values:
        names = [reference.partition("/") for reference in references]
        for unit, row in zip(units, targets, strict=True):
            row[:] = [study.targets.of(instrument, dimension, name_or_none(unit)) for instrument, _, dimension in names]
    return np.where(np.isnan(targets), study.settings.good_level, targets)


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


def _shares_of(
    panel: Panel, rows: np.ndarray, targets: np.ndarray, sides: dict[str, np.ndarray], noise: np.ndarray,
    free: np.ndarray,
) -> list[_Share]:  # fmt: skip
    """The shares of several groups, from draws of the normal posterior of their levels."""
    shortfall = targets - panel.health[rows]
    weights = np.vstack([sides["organisation"], sides["person"]])
    ours, theirs = weights @ np.maximum(shortfall, 0.0).T
    with np.errstate(invalid="ignore", divide="ignore"):
        estimates = ours / (ours + theirs)
    shares = _drawn_shares(shortfall, panel.covariance[rows], weights, noise)
    errors = shares.std(axis=1, ddof=1)
    p = (1 + np.array([np.count_nonzero(shares <= ORGANISATIONAL, axis=1),
                       np.count_nonzero(shares >= PERSONAL, axis=1)])) / (1 + shares.shape[1])  # fmt: skip
    limits = list(map(_limits, shares, shares.mean(axis=1).tolist(), errors.tolist()))
    return [
        _Share(
            panel.places[row],
            float(estimates[k]),
            (min(limits[k][0], float(estimates[k])), max(limits[k][1], float(estimates[k]))),
            float(errors[k]),
            (float(p[0, k]), float(p[1, k])),
            float(ours[k] + theirs[k]),
            int(panel.n[row].min()),
            bool(free[row]),
        )
        for k, row in enumerate(rows.tolist())
    ]


def _drawn_shares(shortfall: np.ndarray, covariance: np.ndarray, weights: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Draws of the organisation's share, groups x draws; each step takes the place of the one before it."""
    values, vectors = np.linalg.eigh(covariance)
    spread = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    drawn = spread @ noise
    np.subtract(shortfall[:, :, None], drawn, out=drawn)
    np.maximum(drawn, 0.0, out=drawn)
    ours, theirs = np.moveaxis(weights @ drawn, 1, 0)
    theirs += ours
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.divide(ours, theirs, out=ours)
    # where a draw has no shortfall at all, neither side has a larger one
    shares[np.isnan(shares)] = 0.5
    return np.asarray(shares)


def _limits(draws: np.ndarray, mean: float, error: float) -> tuple[float, float]:
    """2.5 % and 97.5 % of draws with that mean and standard deviation, as by ``np.quantile``."""
    last = len(draws) - 1
    low, high = int(0.025 * last), int(0.975 * last)
    below, above = draws[draws < mean - 1.5 * error], draws[draws > mean + 1.5 * error]
    # of most draws only the tails need to be put in order
    if len(below) < low + 2 or len(above) < last - high + 1:
        below = above = draws
    below, above = np.sort(below), np.sort(above)[high - last - 1 :]
    # from the nearer of the two, so that rounding does not take a limit past it
    lowest = below[low + 1] - (below[low + 1] - below[low]) * (1 - (0.025 * last - low))
    highest = above[0] + (above[1] - above[0]) * (0.975 * last - high)
    return float(lowest), float(highest)


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
    q = benjamini_hochberg(np.array([share.p for share in told]).T.ravel())
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
    held = (sentence("finding.abstention.not_separable"),)
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
            comparator=sentence("finding.comparator.equal_parts", half=figure(0.5, ".1f")),
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
        unasked = NotMeasured.told("blame_shift", "ONE_SIDE_MISSING", "blame", staff=both.staff,
                                   situation=both.situation)  # fmt: skip
        return [], [], [unasked]
    for row in rows:
        share = shares.get(row["place"])
        usable = share is not None and not math.isnan(share.estimate) and share.total >= study.settings.smallest_gap
        row["baseline"] = 1 - share.estimate if share is not None and usable else 0.5
        row["measured"] = usable
        extra = 0.0
        if share is not None and usable:
            # what lies with persons may be more by the longer side of its interval
            extra = max(share.standard_error, (share.estimate - share.interval[0]) / float(ndtri(0.975)))
        row["points"] = 100 * (row["share"] - row["baseline"])
        row["spread"] = math.hypot(row["error"], extra)
    indexes = [_blame_row(row) for row in rows if row["measured"]]
    drafts = list(_blame_drafts(study, rows))
    missing = []
    if not indexes:
        missing.append(NotMeasured.told("blame_shift", "ONE_SIDE_MISSING", "blame_index"))
    return drafts, indexes, missing


def _explanations(study: GapStudy) -> Iterable[dict[str, Any]]:
    blame = study.definitions.attribution.blame
    instrument, _, staff = blame.staff.partition("/")
    situation = blame.situation.partition("/")[2]
    cells = study.shown_scores[study.shown_scores["instrument"] == instrument]
    shown = {
        dimension: {(r.form, r.by, r.unit, r.wave): r for r in table_rows(cells[cells["dimension"] == dimension])}
        for dimension in (staff, situation)
    }
    pairs = study.evidence.cross
    firsts = {f"{name}:{form}/{staff}" for name, form, _ in study.evidence.n_respondents if name == instrument}
    pairs = pairs[pairs["first"].isin(firsts).to_numpy()]
    pairs = pairs[pairs["second"].str.endswith(f"/{situation}").to_numpy(bool)]
    least = study.settings.minimum_group
    if is_sensitive(instrument, staff) or is_sensitive(instrument, situation):
        least = max(least, SENSITIVE_MINIMUM)
    for pair in table_rows(pairs[(pairs["n"] >= least).to_numpy()]):
        form = pair.first.partition("/")[0].partition(":")[2]
        key = (form, pair.by, pair.unit, pair.wave)
        if key not in shown[staff] or key not in shown[situation]:
            continue
        ratio = _ratio(shown[staff][key], shown[situation][key], pair)
        if ratio is not None:
            yield {"place": key[1:], "form": form, "n": int(pair.n), "share": ratio[0], "error": ratio[1]}


def _ratio(staff: Any, situation: Any, pair: Any) -> tuple[float, float] | None:
    """``staff / (staff + situation)`` of the means that are shown and its standard error by the delta method.

    Of the people who gave both scores it would tell, beside the two means, of those who gave one only.
    """
    first, second = staff.total / staff.n, situation.total / situation.n
    both = first + second
    if both <= 0 or min(staff.n, situation.n, pair.n) < 2:
        return None
    s11 = (staff.total_squares / staff.n - first**2) / (staff.n - 1)
    s22 = (situation.total_squares / situation.n - second**2) / (situation.n - 1)
    product = (pair.product - pair.first_total * pair.second_total / pair.n) * pair.n / (pair.n - 1)
    s12 = product / (staff.n * situation.n)
    variance = (second**2 * s11 + first**2 * s22 - 2 * first * second * s12) / both**4
    return (first / both, math.sqrt(variance)) if variance > 0 else None


def _blame_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """The blame-shift index in percentage points; more than 0 means blamed beyond what the shortfalls warrant."""
    index = row["points"]
    half = 100 * float(ndtri(0.975)) * row["spread"]
    verdict = "blames staff" if index - half > 0 else "blames the situation" if index + half < 0 else "undetermined"
    return row["place"], "blame_shift", row["form"], index, index - half, index + half, row["n"], verdict


def _blame_drafts(study: GapStudy, rows: Sequence[dict[str, Any]]) -> Iterable[Draft]:
    """Groups that explain failures by staff more often than is warranted; a percentage point counts as a point."""
    settings = study.settings
    points = np.array([row["points"] for row in rows])
    errors = 100 * np.array([row["spread"] for row in rows])
    people = np.array([row["n"] for row in rows])
    judgements = judge(points, errors, np.full(len(rows), np.inf), people, [()] * len(rows), settings)
    for row, judged in zip(rows, judgements, strict=True):
        if row["points"] > 0 and judged.tier in ("established", "likely"):
            yield _blame_draft(study, row, judged.tier, judged.q, judged.q_minimum)


def _blame_draft(study: GapStudy, row: dict[str, Any], tier: Tier, q: float, q_minimum: float) -> Draft:
    settings = study.settings
    instrument, _, staff = study.definitions.attribution.blame.staff.partition("/")
    half = float(ndtri(0.975)) * row["error"]
    comparator = sentence("finding.comparator.equal_explanations", half=figure(0.5, ".1f"))
    if row["measured"]:
        comparator = sentence("finding.comparator.warranted", share=figure(row["baseline"], ".2f"))
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
            comparator=comparator,
            direction="worse",
            severity=settings.severity(row["points"]),
            tier=tier,
            q_value=q,
            q_minimum_effect=q_minimum,
            metric="share",
        ),
        loss=max(0.0, row["points"] - settings.smallest_gap),
    )
