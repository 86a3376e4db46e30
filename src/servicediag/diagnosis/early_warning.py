"""Customers lost in silence, and the ordered signs of a downward cycle."""

from __future__ import annotations

import math
from collections.abc import Iterable, Set
from typing import Any

import numpy as np
from scipy.special import ndtri

from servicediag.diagnosis.draft import Draft, finding_id, name_or_none
from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, Place, index_rows, judge
from servicediag.diagnosis.levels import Estimate, Panel, level_verdict, panel_of, side_weights
from servicediag.diagnosis.model import Finding
from servicediag.diagnosis.operations_gaps import record_verdicts
from servicediag.diagnosis.promises import answer_counts
from servicediag.diagnosis.stability import own_share
from servicediag.wording.telling import figure, sentence

__all__ = ["negative_cycle", "silent_loss_gaps"]

GAP = "silent_loss"
CYCLE = "negative_cycle"
NORMAL = float(ndtri(0.975))
LAPSED = sentence("finding.abstention.sample")
SIGNS = {"low": "reached", "high": "not reached", "unclear": "undetermined", "": "undetermined"}
"""Level of health of a stage -> whether the cycle has reached it."""
BAD, GOOD = frozenset({"worse", "missed"}), frozenset({"better", "met"})
"""What is said of operations data where the cycle has, and has not, reached them."""
Row = tuple[Any, ...]


def silent_loss_gaps(study: GapStudy) -> GapReport:
    """Share of customers who left, minus share of customers who said what went wrong."""
    pairs = {**_from_operations(study), **_from_customers(study)}
    if not pairs:
        definition = study.definitions.silent_loss
        missing = NotMeasured.told(GAP, "ONE_SIDE_MISSING", "silent_loss", left=definition.operations.left,
                                   complaints=definition.operations.complaints)  # fmt: skip
        return GapReport(not_measured=(missing,))
    rows: list[Row] = []
    for (place, source), (left, told, error, n) in pairs.items():
        gap, half = left - told, NORMAL * error
        verdict = "silent loss" if gap - half > 0 else "undetermined" if gap + half > 0 else "heard"
        rows += [(place, GAP, f"{name}, {source}", value, math.nan, math.nan, n, "")
                 for name, value in (("left", left), ("told", told))]  # fmt: skip
        rows.append((place, GAP, f"left - told, {source}", gap, gap - half, gap + half, n, verdict))
    drafts = _drafts(study, pairs)
    return GapReport(tuple(drafts), {"indexes": index_rows(rows)})


Pairs = dict[tuple[Place, str], tuple[float, float, float, int]]
"""Share that left, share that complained, standard error of the difference, and the smaller n."""


def _from_customers(study: GapStudy) -> Pairs:
    definition = study.definitions.silent_loss
    left, told = (
        answer_counts(study, side.item, side.answers, side.raters or definition.raters)
        for side in (definition.left, definition.told)
    )
    found: Pairs = {}
    for place in sorted(left.keys() & told.keys()):
        (gone, of_all), (said, of_failures) = left[place], told[place]
        a, b = gone / of_all, said / of_failures
        error = math.sqrt(_share_variance(gone, of_all) + _share_variance(said, of_failures))
        found[place, "customers"] = (a, b, error, int(min(of_all, of_failures)))
    return found


def _from_operations(study: GapStudy) -> Pairs:
    """Churn less complaints; complaints are counted for each hundred of the same customers."""
    names = study.definitions.silent_loss.operations
    found: Pairs = {}
    for (by, unit, indicator), lost in study.recorded.items():
        complaints = study.recorded.get((by, unit, names.complaints))
        if indicator != names.left or complaints is None or lost.cases is None or lost.wave != complaints.wave:
            continue
        told = min(complaints.value / 100, 1.0)
        n = lost.cases
        error = math.sqrt(_share_variance(lost.value * n, n) + _share_variance(told * n, n))
        found[(by, unit, lost.wave), "operations"] = (lost.value, told, error, n)
    return found


def _share_variance(count: float, n: float) -> float:
    """Of a share with two successes and two failures added (Agresti and Coull, 1998), so that it is never 0."""
    share = (count + 2) / (n + 4)
    return share * (1 - share) / (n + 4)


def _drafts(study: GapStudy, pairs: Pairs) -> Iterable[Draft]:
    settings = study.settings
    shares = np.array([(left - told, error, n) for left, told, error, n in pairs.values()])
    points, errors, people = (shares * (100, 100, 1)).T
    judgements = judge(points, errors, np.full(len(people), np.inf), people, [()] * len(people), settings)
    for judged, ((place, source), (left, told, error, n)) in zip(judgements, pairs.items(), strict=True):
        gap = left - told
        # the convention of other shares: a quarter of the customers is a minor, half a major trouble
        size = 4 * settings.smallest_gap * gap
        tier = judged.tier
        if gap < 0 or tier not in ("established", "likely"):
            continue
        yield Draft(
            Finding(
                id=finding_id("silent_loss", *place, source),
                kind="silent_loss",
                by=name_or_none(place[0]),
                unit=name_or_none(place[1]),
                wave=name_or_none(place[2]),
                instrument=None,
                dimension=None,
                item=None,
                rater="customer" if source == "customers" else None,
                estimate=gap,
                ci_low=gap - NORMAL * error,
                ci_high=gap + NORMAL * error,
                n=n,
                comparator=sentence("finding.comparator.told"),
                direction="worse",
                severity=settings.severity(max(size, settings.smallest_gap)),
                tier=tier,
                q_value=judged.q,
                q_minimum_effect=judged.q_minimum,
                metric="share",
                abstentions=(LAPSED,) if source == "customers" else (),
                stability=None if judged.shares is None else own_share(judged.shares, tier),
            ),
            loss=max(0.0, size - settings.smallest_gap),
            values=(("left_percent", figure(100 * left, ".0f")), ("told_percent", figure(100 * told, ".0f"))),
        )


def negative_cycle(study: GapStudy) -> GapReport:
    """The signs of the downward cycle in their order, and the furthest one that an unbroken run has reached."""
    stages = study.definitions.negative_cycle.stages
    members = [member for stage in stages for member in stage.members]
    panel = panel_of(study, [(r, m.raters) for m in members for r in m.references])
    weights = [side_weights(panel, stage.members) for stage in stages]
    levels = [panel.mean(weight) if weight.any() else None for weight in weights]
    signs = [_signs(study, panel, weight, level) for weight, level in zip(weights, levels, strict=True)]
    records = _records(study, {name for stage in stages for name in stage.operations})
    rows: list[Row] = []
    for position, place in enumerate(panel.places):
        reached, rated = [], False
        for stage, level, sign in zip(stages, levels, signs, strict=True):
            known = [records[place[0], place[1], name] for name in stage.operations if (*place[:2], name) in records]
            verdicts = {one for said, _ in known for one in said}
            value, low, high, n, read = math.nan, math.nan, math.nan, 0, ""
            if level is not None and not np.isnan(level.value[position]):
                value, read = float(level.value[position]), sign[position]
                low, high = (float(limit[position]) for limit in level.limits)
                n, rated = int(level.n[position]), True
            elif known:
                n = min(cases for _, cases in known)
            if n:
                rows.append((place, CYCLE, stage.id, value, low, high, n, _sign(read, verdicts)))
                reached.append((stage.id, _sign(read, verdicts), n))
        # losses alone do not tell what went before them
        if rated:
            rows.append(_furthest(place, reached, [stage.id for stage in stages]))
    recorded = {name for _, _, name in records}
    lacking = [
        stage.id
        for stage, weight in zip(stages, weights, strict=True)
        if not weight.any() and recorded.isdisjoint(stage.operations)
    ]
    return GapReport(tables={"indexes": index_rows(rows)}, not_measured=tuple(_unmeasured(study, lacking)))


def _records(study: GapStudy, names: Set[str]) -> dict[tuple[str, str, str], tuple[set[str], int]]:
    """What is said of the operations data that stand for a sign, and their cases, or else the units compared."""
    found = {}
    if any(name in names for _, _, name in study.recorded):
        for key, said in record_verdicts(study).items():
            if key[2] in names and key in study.recorded:
                cases = study.recorded[key].cases
                others = study.operations.others(*key)
                found[key] = said, len(others) + 1 if cases is None else cases
    return found


def _sign(level: str, records: Set[str]) -> str:
    """Reached where the level is low or a record is bad; not reached where neither is, and one is beyond doubt good.

    Examples
    --------
    >>> _sign("not reached", {"worse"}), _sign("", {"better"}), _sign("undetermined", {"undetermined"})
    ('reached', 'not reached', 'undetermined')
    """
    if level == "reached" or records & BAD:
        return "reached"
    return level or ("not reached" if records and records <= GOOD else "undetermined")


def _signs(study: GapStudy, panel: Panel, weight: np.ndarray, level: Estimate | None) -> list[str]:
    if level is None:
        return []
    low, high = study.border([panel.references[k] for k in np.flatnonzero(weight)])
    return [SIGNS[verdict] for verdict in level_verdict(level.value, level.error, level.df, low, high)]


def _furthest(place: Place, reached: list[tuple[str, str, int]], order: list[str]) -> Row:
    """The last sign in an unbroken run from the first measured one; its place in the order, 0 for none."""
    furthest = ""
    for stage, sign, _ in reached:
        if sign != "reached":
            break
        furthest = stage
    number = float(order.index(furthest) + 1) if furthest else 0.0
    return place, CYCLE, "furthest", number, math.nan, math.nan, min(n for *_, n in reached), furthest or "none"


def _unmeasured(study: GapStudy, lacking: list[str]) -> Iterable[NotMeasured]:
    for stage in study.definitions.negative_cycle.stages:
        if stage.id in lacking:
            wanted = [*(r for m in stage.members for r in m.references), *stage.operations]
            sign = sentence(f"finding.sign.{stage.id}")
            yield NotMeasured.told(CYCLE, "ONE_SIDE_MISSING", "negative_cycle", sign=sign, references=", ".join(wanted))
