"""Operations data as findings: a unit against the other units, and any value against its target."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtr

from servicediag.diagnosis.draft import Draft, finding_id, name_or_none
from servicediag.diagnosis.gap_study import Code, GapReport, GapStudy, NotMeasured
from servicediag.diagnosis.model import OPERATION_COLUMNS, Finding, Tier
from servicediag.diagnosis.operations import Indicator, Operations
from servicediag.diagnosis.operations_conditions import FEWEST_UNITS, HALF, shown_value
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import benjamini_hochberg, expected_loss, minimum_effect_p, wilson
from servicediag.diagnosis.sums import WHOLE
from servicediag.diagnosis.targets import RECORDS
from servicediag.diagnosis.tiers import tier_of
from servicediag.results import plain
from servicediag.wording.telling import figure, sentence

__all__ = ["operations_gaps", "record_verdicts"]

GAP = "operations"
ROOT_OF_EVENTS = 0.5
"""Standard deviation of the square root of a number of independent events, 3/8 added, whatever their rate
(Anscombe, 1948)."""
Key = tuple[str, str, str]
"""Grouping, unit and indicator."""


@dataclass(frozen=True)
class Distance:
    """How far a value lies from what it is compared with, in points: negative is worse.

    Of a share a point is a percentage point; of anything else the smallest gap of interest stands for half a standard
    deviation of the other units. ``p`` and ``p_minimum`` are those of "no difference" and of "less than the minimum
    effect", NaN where a record is a plain fact; without cases nothing is established, and ``p_minimum`` is 1. ``n``
    counts cases, or units where no cases are known.
    """

    key: Key
    against: Literal["rest", "target"]
    usual: float
    points: float
    p: float
    p_minimum: float
    n: int
    error: float = 0.0
    met: bool = False
    """Whether a target is reached beyond doubt."""


@dataclass(frozen=True)
class Group:
    """Values of one indicator in the units of one grouping and wave."""

    indicator: Indicator
    keys: tuple[Key, ...]
    values: np.ndarray
    cases: np.ndarray
    """NaN where they are not known."""

    @property
    def n_others(self) -> int:
        return len(self.keys) - 1


def operations_gaps(study: GapStudy) -> GapReport:
    """What the records say of a unit and of the whole organisation, beside the other units and the targets."""
    operations = study.operations
    judged, groups, rest, target = _compared(study)
    verdicts: dict[tuple[Key, str], str] = {}
    drafts: dict[Key, Draft] = {}
    for one, q, q_minimum, tier in (*_tiers(target, study.settings), *_tiers(rest, study.settings)):
        verdicts[one.key, one.against] = _verdict(one, tier)
        # a record that misses its target is told once
        if tier in ("established", "likely") and one.points < 0 and one.key not in drafts:
            drafts[one.key] = _draft(study, one, q, q_minimum, tier)
    table = _table(study, {one.key: one.usual for one in rest}, verdicts)
    compared = {one.key[2] for one in (*rest, *target)}
    return GapReport(
        tuple(drafts.values()), {"operations": table}, tuple(_not_judged(operations, judged, groups, compared))
    )


def record_verdicts(study: GapStudy) -> dict[Key, set[str]]:
    """What the table of operations data says of each value: *worse* or *better*, *missed* or *met*, *undetermined*."""
    _, _, rest, target = _compared(study)
    found: dict[Key, set[str]] = {}
    for one, *_, tier in (*_tiers(target, study.settings), *_tiers(rest, study.settings)):
        found.setdefault(one.key, set()).add(_verdict(one, tier))
    return found


def _compared(study: GapStudy) -> tuple[list[Key], list[Group], list[Distance], list[Distance]]:
    """The values that are judged, their groups, and how far they lie from the other units and from their targets."""
    operations = study.operations
    judged = [key for key in operations.newest if operations.catalogue[key[2]].direction != "neutral"]
    groups = _groups(operations, judged)
    group_of = {key: group for group in groups for key in group.keys}
    rest = [one for group in groups if group.n_others >= FEWEST_UNITS for one in _from_rest(group, study.settings)]
    target = [one for key in judged for one in _from_target(study, key, group_of.get(key))]
    return judged, groups, rest, target


def _groups(operations: Operations, judged: Sequence[Key]) -> list[Group]:
    members: dict[tuple[str, str, str], list[Key]] = {}
    for key in judged:
        if key[1] != WHOLE:
            members.setdefault((key[0], key[2], operations.newest[key].wave), []).append(key)
    groups = []
    for (_, name, _), keys in members.items():
        found = [operations.newest[key] for key in keys]
        values = np.array([one.value for one in found])
        cases = np.array([math.nan if one.cases is None else one.cases for one in found])
        groups.append(Group(operations.catalogue[name], tuple(keys), values, cases))
    return groups


def _tiers(family: Sequence[Distance], settings: Settings) -> Iterator[tuple[Distance, float, float, Tier | None]]:
    """Each distance with its adjusted p-values and its tier; a plain fact is likely, and outside of the family."""
    tested = [one for one in family if not math.isnan(one.p)]
    q = benjamini_hochberg(np.array([one.p for one in tested]))
    q_minimum = benjamini_hochberg(np.array([one.p_minimum for one in tested]))
    for one, adjusted, minimum in zip(tested, q, q_minimum, strict=True):
        tier, _ = tier_of(adjusted, minimum, one.points, one.points, one.n, [], settings)
        yield one, float(adjusted), float(minimum), tier
    for one in family:
        if math.isnan(one.p):
            yield one, math.nan, math.nan, "likely" if one.points < 0 else None


def _verdict(one: Distance, tier: Tier | None) -> str:
    if tier not in ("established", "likely") and not one.met:
        return "undetermined"
    if one.against == "target":
        return "missed" if one.points < 0 else "met"
    return "worse" if one.points < 0 else "better"


def _sign(indicator: Indicator) -> int:
    return 1 if indicator.direction == "strength" else -1


def _from_rest(group: Group, settings: Settings) -> Iterator[Distance]:
    """Every unit of a group beside all others."""
    if np.isnan(group.cases).any():
        return _values_from_rest(group, settings)
    return _shares_from_rest(group, settings)


def _shares_from_rest(group: Group, settings: Settings) -> Iterator[Distance]:
    """Differences of two shares, with one success and one failure added to each (Agresti and Caffo, 2000).

    The error is at least that of shares which do not differ, so that a share near 0 or 1 is not too sure of itself.
    """
    n, count = group.cases, group.values * group.cases
    other_n, other_count = n.sum() - n, count.sum() - count
    usual = other_count / other_n
    first, second = (count + 1) / (n + 2), (other_count + 1) / (other_n + 2)
    together = (count.sum() + 2) / (n.sum() + 4)
    apart = first * (1 - first) / (n + 2) + second * (1 - second) / (other_n + 2)
    error = 100 * np.sqrt(np.maximum(apart, together * (1 - together) * (1 / (n + 2) + 1 / (other_n + 2))))
    difference, df = 100 * (first - second), np.full(len(n), np.inf)
    p = minimum_effect_p(difference, error, df, 0.0)
    p_minimum = minimum_effect_p(difference, error, df, settings.minimum_effect)
    points = _sign(group.indicator) * 100 * (group.values - usual)
    for position, key in enumerate(group.keys):
        yield Distance(key, "rest", float(usual[position]), float(points[position]), float(p[position]),
                       float(p_minimum[position]), int(n[position]), float(error[position]))  # fmt: skip


def _values_from_rest(group: Group, settings: Settings) -> Iterator[Distance]:
    """Whether one more unit like the others would show such a value (Student's prediction interval).

    How such values spread is not known: rates count by the more cautious of their square roots and their logarithms,
    counts by square roots that vary at least as those of chance events do. Where the others do not differ, nothing is
    judged.
    """
    usual, spread = _of_others(group.values)
    if not spread.any():
        return
    df = group.n_others - 1
    p = np.zeros(len(group.keys))
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = (group.values - usual) / (HALF * spread)
        for values, least in _metrics(group):
            mean, error = _of_others(values)
            error = np.maximum(error, least) * math.sqrt(1 + 1 / group.n_others)
            p = np.maximum(p, 2 * stdtr(df, -np.abs(values - mean) / error))
    for position in np.flatnonzero(spread > 0):
        points = _sign(group.indicator) * float(halves[position]) * settings.smallest_gap
        yield Distance(group.keys[position], "rest", float(usual[position]), points, min(1.0, float(p[position])), 1.0,
                       len(group.keys))  # fmt: skip


def _metrics(group: Group) -> tuple[tuple[np.ndarray, float], ...]:
    """The values as they are judged, and the standard deviation that they have at least."""
    values = group.values
    if group.indicator.unit == "count":
        return ((np.sqrt(values + 3 / 8), ROOT_OF_EVENTS),)
    if group.indicator.unit != "rate":
        return ((values, 0.0),)
    positive = values[values > 0]
    return (np.sqrt(values), 0.0), (np.log(values + (0.0 if len(positive) == len(values) else positive.min() / 2)), 0.0)


def _of_others(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of all other values, for each of them; the latter 0 where they are all the same."""
    n, centred = len(values) - 1, values - values.mean()
    mean = -centred / n
    squares = (centred**2).sum() - centred**2 - n * mean**2
    spread = np.sqrt(np.maximum(squares, 0.0) / max(n - 1, 1))
    # sums of equal values may differ by rounding
    return values.mean() + mean, np.where(spread > 1e-7 * (1 + np.abs(values).max()), spread, 0.0)


def _target_of(study: GapStudy, key: Key) -> tuple[float, str]:
    """The target and where it comes from; NaN where there is none."""
    indicator, unit = study.operations.catalogue[key[2]], name_or_none(key[1])
    declared = study.targets.of(RECORDS, indicator.id, unit)
    if not math.isnan(declared):
        return declared, study.targets.origin_of(RECORDS, indicator.id, unit)
    return (math.nan if indicator.target is None else indicator.target), sentence("finding.origin.indicator")


def _from_target(study: GapStudy, key: Key, group: Group | None) -> Iterator[Distance]:
    """A share with its cases by the score test; of anything else it is certain only whether the record misses it."""
    target, _ = _target_of(study, key)
    if math.isnan(target):
        return
    own, indicator, settings = study.operations.newest[key], study.operations.catalogue[key[2]], study.settings
    sign = _sign(indicator)
    if own.cases is not None:
        yield _share_from_target(key, own.value, own.cases, target, sign, settings)
        return
    margin = _margin(key, indicator, group, settings)
    if margin is not None:
        missed = sign * (own.value - target)
        points = -settings.smallest_gap if missed < -margin else 0.0
        units = 1 if group is None else len(group.keys)
        yield Distance(key, "target", target, points, math.nan, math.nan, units, met=missed >= margin)


def _share_from_target(key: Key, share: float, cases: int, target: float, sign: int, settings: Settings) -> Distance:
    tails = []
    for border in (0.0, settings.minimum_effect):
        # a test against 0 or 1 itself would allow for no chance at all
        limit = min(max(target - sign * border / 100, 0.5 / cases), 1 - 0.5 / cases)
        error = math.sqrt(limit * (1 - limit) / cases)
        tails.append(float(ndtr(sign * (share - limit) / error)))
    low, high = wilson(share * cases, cases)
    return Distance(
        key, "target", target, sign * 100 * (share - target), 2 * min(tails[0], 1 - tails[0]), tails[1], cases,
        100 * (high - low) / 4, met=low >= target if sign > 0 else high <= target,
    )  # fmt: skip


def _margin(key: Key, indicator: Indicator, group: Group | None, settings: Settings) -> float | None:
    """How far a value without cases could be off: events are counted exactly, rates by half the spread of the units."""
    if indicator.unit == "count":
        return 0.0
    if indicator.unit == "points":
        return settings.smallest_gap
    if group is None or group.n_others < FEWEST_UNITS:
        return None
    return HALF * float(_of_others(group.values)[1][group.keys.index(key)])


def _draft(study: GapStudy, one: Distance, q: float, q_minimum: float, tier: Tier) -> Draft:
    by, unit, name = one.key
    own, indicator, settings = study.operations.newest[one.key], study.operations.catalogue[name], study.settings
    counted = own.cases is not None
    low, high = wilson(own.value * own.cases, own.cases) if own.cases is not None else (None, None)
    percent = sentence("finding.percent") if indicator.unit == "share" else ""
    numbers = {"value": own.value, "usual": one.usual, "from": low, "to": high}
    shown = {key: figure(*shown_value(indicator, value)) for key, value in numbers.items() if value is not None}
    if one.against == "rest" and indicator.unit == "count":
        shown["usual"] = figure(one.usual, ".1f")
    comparator, doubt = sentence("finding.comparator.other_units"), sentence("finding.abstention.no_cases")
    if one.against == "target":
        origin = _target_of(study, one.key)[1]
        comparator = sentence("finding.comparator.record_target", target=shown["usual"], percent=percent, origin=origin)
    severity = settings.severity(one.points) if counted else "minor"
    finding = Finding(
        id=finding_id("operations", by, unit, own.wave, name, one.against),
        kind="operations",
        by=name_or_none(by),
        unit=name_or_none(unit),
        wave=name_or_none(own.wave),
        instrument=None,
        dimension=None,
        item=None,
        rater=None,
        estimate=own.value,
        ci_low=low,
        ci_high=high,
        n=one.n,
        comparator=comparator,
        direction="worse",
        severity="minor" if severity == "none" else severity,
        tier=tier,
        q_value=plain(q),
        q_minimum_effect=plain(q_minimum),
        metric="share" if indicator.unit == "share" else "value",
        abstentions=() if counted or (indicator.unit == "count" and one.against == "target") else (doubt,),
    )
    wording = f"operations_{one.against}_{'share' if counted else 'value'}"
    told = {"wording": wording, "operations": name, "record": indicator.title, "percent": percent, **shown}
    loss = expected_loss(one.points, one.error, settings.smallest_gap) if counted else 0.0
    return Draft(finding, loss=loss, values=tuple(told.items()))


def _table(study: GapStudy, usual: dict[Key, float], verdicts: dict[tuple[Key, str], str]) -> pd.DataFrame:
    """Every value that may be shown; the newest ones with those of the other units, the target and the verdicts."""
    rows = []
    for row in study.operations.table.to_dict("records"):
        key = (row["by"], row["unit"], row["indicator"])
        newest = study.operations.newest[key].wave == row["wave"]
        rows.append({
            **row,
            "other_units": usual.get(key, math.nan) if newest else math.nan,
            "verdict": verdicts.get((key, "rest")) if newest else None,
            "target": _target_of(study, key)[0] if newest else math.nan,
            "target_verdict": verdicts.get((key, "target")) if newest else None,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(OPERATION_COLUMNS))


def _not_judged(
    operations: Operations, judged: Sequence[Key], groups: Sequence[Group], compared: Container[str]
) -> Iterator[NotMeasured]:
    """Indicators of which nothing could be compared with anything, and why; and those with values left out."""
    alike = {group.indicator.id for group in groups if group.n_others >= FEWEST_UNITS}
    for name in dict.fromkeys(key[2] for key in judged):
        if name not in compared:
            code: Code = "NO_VARIANCE" if name in alike else "TOO_FEW"
            text = "records_alike" if name in alike else "records_few"
            title = operations.catalogue[name].title
            yield NotMeasured.told(GAP, code, text, record=title, fewest=FEWEST_UNITS + 1)
    for name in operations.withheld:
        yield NotMeasured.told(GAP, "ANON", "records_withheld", record=operations.catalogue[name].title)
