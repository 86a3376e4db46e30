"""Root-cause rules applied to a finding: what supports each candidate, what refutes it, what is untested."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from servicediag.diagnosis.conditions import ConditionReader, Place, Reading
from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.model import Cause, CauseStatus
from servicediag.diagnosis.rules import Condition, Piece, Rule, RuleSet
from servicediag.wording import text

__all__ = ["connect", "explain"]

STATUS_ORDER: tuple[CauseStatus, ...] = (
    "supported", "not_distinguishable", "possible", "inconclusive", "untested", "not_supported",
)  # fmt: skip
TAG_ORDER = ("S", "S~", "I")
ORGANISATION_SIDE = (
    "readiness/can",
    "four-tools/comm",
    "four-tools/feed",
    "four-tools/capa",
    "attitude-causes/promise",
)
"""What must be measured, and not low, before anything is laid at a person's door."""
EXPLAINED = frozenset({"unit_gap", "level", "organisation_wide", "bottleneck", "blame_shift", "confidence_capability"})


def explain(
    draft: Draft,
    rules: RuleSet,
    reader: ConditionReader,
    unit_wide: frozenset[tuple[str | None, str | None, str | None]],
) -> Draft:
    """The finding with its candidate causes, best supported first, and the actions of the supported ones.

    ``unit_wide`` holds (grouping, unit, rater) of units that are low on nearly everything: their specific causes
    cannot be told apart, so none is named.
    """
    finding = draft.finding
    if finding.kind not in EXPLAINED or finding.direction != "worse" or finding.tier in ("watch", "abstained"):
        return draft
    if finding.unit is not None and (finding.by, finding.unit, finding.rater) in unit_wide:
        note = "UNIT_WIDE: this unit is low on nearly everything, so specific causes cannot be told apart."
        return draft.with_finding(abstentions=(*finding.abstentions, note))
    candidates = rules.for_symptom(_symptom(draft))
    if not candidates:
        return draft
    place = Place(finding.by or WHOLE, finding.unit or WHOLE)
    judged = _mark_rivals([_judge(rule, rules, reader, place) for rule in candidates])
    causes = tuple(sorted(_fold_variants(candidates, judged), key=_rank))
    supported = [cause for cause in causes if cause.status == "supported"]
    actions = tuple(dict.fromkeys(action for cause in supported for action in cause.actions))
    abstentions = (
        finding.abstentions if supported else (*finding.abstentions, _unknown_cause(candidates, causes, reader, place))
    )
    return draft.with_finding(causes=causes, actions=actions, abstentions=abstentions)


def connect(drafts: Sequence[Draft]) -> list[Draft]:
    """Findings that carry a supported cause of another one say so, and take over its actions."""
    behind: dict[tuple[str | None, str | None, str], list[tuple[str, Cause]]] = {}
    for draft in drafts:
        for cause in draft.finding.causes:
            if cause.status == "supported":
                for target in cause.confirming_targets:
                    place = (draft.finding.by, draft.finding.unit, target)
                    behind.setdefault(place, []).append((draft.finding.title, cause))
    return [_connected(draft, behind) for draft in drafts]


def _connected(draft: Draft, behind: dict[tuple[str | None, str | None, str], list[tuple[str, Cause]]]) -> Draft:
    finding = draft.finding
    links = behind.get((finding.by, finding.unit, f"{finding.instrument}/{finding.dimension}"), [])
    if not links or finding.direction != "worse" or finding.kind == "bottleneck":
        return draft
    titles = "; ".join(dict.fromkeys(title for title, _ in links))
    actions = tuple(dict.fromkeys((*finding.actions, *(action for _, cause in links for action in cause.actions))))
    sentence = text("finding.behind", findings=titles)
    return draft.with_finding(text=f"{finding.text} {sentence}", actions=actions)


def _symptom(draft: Draft) -> str:
    """The finding as the rules name it."""
    finding = draft.finding
    name = f"{finding.instrument}/{finding.dimension}"
    if finding.kind == "bottleneck":
        return f"bottleneck:{name}"
    if finding.kind == "blame_shift":
        return f"blame_shift:{finding.instrument}"
    if finding.kind == "confidence_capability":
        return "quadrant:" + str(dict(draft.values)["indicator"]).removeprefix("quadrant_")
    return name


def _judge(rule: Rule, rules: RuleSet, reader: ConditionReader, place: Place) -> Cause:
    confirming: list[Reading] = []
    refuting: list[Reading] = []
    undetermined: list[Reading] = []
    untested: list[Reading] = []
    strong = False
    strong_confirmed = False
    for piece in rule.pieces:
        state, readings = _read_piece(piece, reader, place)
        untested.extend(r for r in readings if r.state == "unmeasured")
        if state == "unmeasured":
            continue
        strong = strong or piece.weight == "strong"
        if state == "yes":
            strong_confirmed = strong_confirmed or piece.weight == "strong"
            confirming.extend(r for r in readings if r.state == "yes")
        elif state == "no" and piece.weight == "strong":
            refuting.extend(r for r in readings if r.state == "no")
        else:
            undetermined.extend(r for r in readings if r.state in ("undetermined", "no"))
    for conditions in rule.refuter_groups:
        state, readings = _read_all(conditions, reader, place)
        untested.extend(r for r in readings if r.state == "unmeasured")
        if state == "yes":
            refuting.extend(r for r in readings if r.state == "yes")
    status = _status(strong, strong_confirmed, bool(confirming), bool(refuting), bool(undetermined))
    told = {r.sentence for r in refuting}
    cause = Cause(
        rule=rule.id,
        cause=rule.cause,
        status=status,
        confirming=_sentences(confirming),
        refuting=_sentences(refuting),
        undetermined=tuple(s for s in _sentences(undetermined) if s not in told),
        untested=_sentences(untested),
        evidence_tag=rule.evidence,
        actions=tuple(rules.action(code).text for code in rule.actions),
        action_codes=rule.actions,
        side=rule.side,
        shortfall=min((r.shortfall for r in confirming if not math.isnan(r.shortfall)), default=None),
        confirming_targets=tuple(dict.fromkeys(r.target for r in confirming)),
    )
    if cause.side == "person":
        cause = _guard_person(cause, reader, place)
    return cause


def _status(strong: bool, strong_confirmed: bool, confirming: bool, refuting: bool, undetermined: bool) -> CauseStatus:
    if refuting:
        return "not_supported"
    if not strong:
        return "untested"
    if confirming and strong_confirmed and not undetermined:
        return "supported"
    return "possible" if confirming else "inconclusive"


def _read_piece(piece: Piece, reader: ConditionReader, place: Place) -> tuple[str, list[Reading]]:
    """A piece of evidence holds where one of its alternatives holds."""
    readings = [reader.read(condition, place) for condition in piece.alternatives]
    states = {reading.state for reading in readings}
    for state in ("yes", "undetermined", "no"):
        if state in states:
            return state, readings
    return "unmeasured", readings


def _read_all(conditions: Sequence[Condition], reader: ConditionReader, place: Place) -> tuple[str, list[Reading]]:
    """Conditions that hold together: every measured one must, and at least one is measured."""
    readings = [reader.read(condition, place) for condition in conditions]
    measured = [reading for reading in readings if reading.state != "unmeasured"]
    holds = bool(measured) and all(reading.state == "yes" for reading in measured)
    return ("yes" if holds else "no"), readings


def _guard_person(cause: Cause, reader: ConditionReader, place: Place) -> Cause:
    """No verdict on persons while the organisation's side is unmeasured or low."""
    readings = [(ref, reader.read(Condition("low", ref), place)) for ref in ORGANISATION_SIDE]
    missing = tuple(reading.sentence for _, reading in readings if reading.state == "unmeasured")
    if missing and cause.status in ("supported", "possible", "inconclusive"):
        return replace(cause, status="untested", untested=tuple(dict.fromkeys((*cause.untested, *missing))))
    blocking = tuple(reading.sentence for _, reading in readings if reading.state in ("yes", "undetermined"))
    if blocking and cause.status in ("supported", "possible"):
        return replace(cause, status="inconclusive", undetermined=(*cause.undetermined, *blocking))
    return cause


def _mark_rivals(causes: list[Cause]) -> list[Cause]:
    """Supported causes that rest on exactly the same evidence cannot be told apart, and say so."""
    counts = Counter(frozenset(cause.confirming_targets) for cause in causes if cause.status == "supported")
    return [
        replace(cause, status="not_distinguishable")
        if cause.status == "supported" and counts[frozenset(cause.confirming_targets)] > 1
        else cause
        for cause in causes
    ]


def _fold_variants(rules: Sequence[Rule], causes: Sequence[Cause]) -> Iterable[Cause]:
    """Of a rule with variants, those with something to show; otherwise one line for the whole rule."""
    by_rule: dict[str, list[tuple[Rule, Cause]]] = {}
    for rule, cause in zip(rules, causes, strict=True):
        by_rule.setdefault(rule.id, []).append((rule, cause))
    for members in by_rule.values():
        telling = [cause for _, cause in members if cause.status in ("supported", "possible", "not_distinguishable")]
        if len(members) == 1 or telling:
            yield from telling or [members[0][1]]
            continue
        statuses = [cause.status for _, cause in members]
        status = next(s for s in ("inconclusive", "untested", "not_supported") if s in statuses)
        yield Cause(
            rule=members[0][0].id,
            cause="One of these: " + "; ".join(rule.cause for rule, _ in members),
            status=status,
            refuting=tuple(s for _, cause in members for s in cause.refuting),
            undetermined=tuple(s for _, cause in members for s in cause.undetermined),
            untested=tuple(dict.fromkeys(s for _, cause in members for s in cause.untested)),
            evidence_tag=members[0][0].evidence,
            side=members[0][0].side,
        )


def _rank(cause: Cause) -> tuple[int, float, int, str]:
    shortfall = 0.0 if cause.shortfall is None else cause.shortfall
    return STATUS_ORDER.index(cause.status), shortfall, TAG_ORDER.index(cause.evidence_tag), cause.rule


def _unknown_cause(rules: Sequence[Rule], causes: Sequence[Cause], reader: ConditionReader, place: Place) -> str:
    """What would settle the cause: the instruments that hold unmeasured evidence of candidates still open."""
    still_open = {cause.rule for cause in causes if cause.status not in ("supported", "not_supported")}
    wanted: list[str] = []
    for rule in rules:
        if rule.id not in still_open:
            continue
        for piece in rule.pieces:
            for condition in piece.alternatives:
                if condition.instrument is not None and not reader.measured(place, condition.target):
                    wanted.append(condition.instrument)
    names = list(dict.fromkeys(wanted))
    if not names:
        return "CAUSE_UNKNOWN: no candidate cause is supported by what was measured; more answers here would help."
    return f"CAUSE_UNKNOWN: no candidate cause is supported by what was measured; ask with: {', '.join(names)}."


def _sentences(readings: Iterable[Reading]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reading.sentence for reading in readings))
