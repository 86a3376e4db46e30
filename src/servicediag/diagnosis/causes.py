"""Root-cause rules applied to a finding: what supports each candidate, what refutes it, what is untested."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from servicediag.diagnosis.conditions import ConditionReader, Place, Reading
from servicediag.diagnosis.draft import Draft, changed
from servicediag.diagnosis.model import Cause, CauseStatus, Finding
from servicediag.diagnosis.rules import INQUIRY_STEPS, SCALE_KINDS, Condition, Piece, Rule, RuleSet
from servicediag.diagnosis.sums import WHOLE
from servicediag.wording.telling import joined, sentence

__all__ = ["Lacking", "connect", "explain"]

STATUS_ORDER: tuple[CauseStatus, ...] = (
    "supported", "not_distinguishable", "possible", "inconclusive", "untested", "not_supported",
)  # fmt: skip
TAG_ORDER = ("S", "S~", "I")
ORGANISATION_SIDE: tuple[tuple[Condition, ...], ...] = (
    (Condition("low", "readiness/can"),),
    (Condition("low", "four-tools/comm"),),
    (Condition("low", "four-tools/feed"),),
    (Condition("low", "four-tools/capa"),),
    (Condition("low", "attitude-causes/promise"), Condition("indicator", "breach_rate", sense="high")),
)
"""What must be measured, and not low, before anything is laid at a person's door; alternatives stand together."""
PROMISE = ORGANISATION_SIDE[-1]
SEEN_AS_ATTITUDE = frozenset({"seven-sins", "employee-attitudes"})
"""Instruments whose ratings by customers mix what staff did with whether promises were kept."""
Lacking = tuple[tuple[str, ...], tuple[str, ...]]
"""Instruments and records without which a cause stays open."""
UNEXPLAINED = frozenset({"unit_wide", "strength", "data_quality"})
PLAIN = frozenset({"unit_gap", "level", "organisation_wide"})
"""Kinds of finding that a rule names by the dimension alone."""


def explain(
    draft: Draft,
    rules: RuleSet,
    reader: ConditionReader,
    unit_wide: frozenset[tuple[str | None, str | None, str | None]],
    lacking: dict[Lacking, str] | None = None,
) -> Draft:
    """The finding with its candidate causes, best supported first, and the actions of the supported ones.

    ``unit_wide`` holds (grouping, unit, rater) of units that are low on nearly everything: their specific causes
    cannot be told apart, so none is named. Actions stand in the order of inquiry: promises and the environment before
    anything else. ``lacking`` keeps what was said of lacking data from one finding to the next.
    """
    finding = draft.finding
    if finding.kind in UNEXPLAINED or finding.direction != "worse" or finding.tier in ("watch", "abstained"):
        return draft
    if finding.unit is not None and (finding.by, finding.unit, finding.rater) in unit_wide:
        return draft.with_finding(abstentions=(*finding.abstentions, sentence("finding.abstention.unit_wide")))
    candidates = rules.for_symptom(*_symptoms(draft))
    if not candidates:
        return draft
    place = _place(draft)
    judged = _mark_rivals([_judge(rule, rules, reader, place) for rule in candidates])
    judged = [_with_association(cause, reader, place) for cause in judged]
    causes = tuple(sorted(_fold_variants(candidates, judged), key=_rank))
    own = (finding.rater,)
    causes = tuple(changed(cause, same_source=True) if cause.sources == own else cause for cause in causes)
    supported = sorted((cause for cause in causes if cause.status == "supported"), key=_inquiry)
    actions = tuple(dict.fromkeys(action for cause in supported for action in cause.actions))
    abstentions = [*finding.abstentions]
    if finding.rater == "customer" and finding.instrument in SEEN_AS_ATTITUDE and _broken(reader, place):
        abstentions.append(sentence("finding.abstention.provisional"))
    if not supported:
        unknown = _unread(candidates, causes, reader, place)
        # what is lacking is mostly lacking everywhere: thousands of findings say the same
        lacking = {} if lacking is None else lacking
        if unknown not in lacking:
            lacking[unknown] = _unknown_cause(*unknown)
        abstentions.append(lacking[unknown])
    return draft.with_finding(causes=causes, actions=actions, abstentions=tuple(abstentions))


def _place(draft: Draft) -> Place:
    finding = draft.finding
    symptom = "" if finding.dimension is None else f"{finding.instrument}/{finding.dimension}"
    return Place(finding.by or WHOLE, finding.unit or WHOLE, symptom, finding.form or "")


def _broken(reader: ConditionReader, place: Place) -> bool:
    """Whether promises are broken more than elsewhere, or often."""
    return any(reader.read(condition, place).state == "yes" for condition in PROMISE)


def connect(drafts: Sequence[Draft]) -> list[Draft]:
    """Findings that carry a supported cause of another one say so, and take over its actions."""
    behind: dict[tuple[str | None, str | None, str], list[tuple[Finding, Cause]]] = {}
    for draft in drafts:
        for cause in draft.finding.causes:
            if cause.status == "supported":
                for target in cause.confirming_targets:
                    place = (draft.finding.by, draft.finding.unit, target)
                    behind.setdefault(place, []).append((draft.finding, cause))
    return [_connected(draft, behind) for draft in drafts]


def _connected(draft: Draft, behind: dict[tuple[str | None, str | None, str], list[tuple[Finding, Cause]]]) -> Draft:
    finding = draft.finding
    found = behind.get((finding.by, finding.unit, f"{finding.instrument}/{finding.dimension}"), [])
    # two findings on the same scale may rest on it: none is behind itself
    links = [(other, cause) for other, cause in found if other.id != finding.id and other.title != finding.title]
    if not links or finding.direction != "worse" or finding.kind == "bottleneck":
        return draft
    titles = joined("list", dict.fromkeys(other.title for other, _ in links))
    actions = tuple(dict.fromkeys((*finding.actions, *(action for _, cause in links for action in cause.actions))))
    behind_it = sentence("finding.behind", findings=titles)
    return draft.with_finding(text=joined("sentences", (finding.text, behind_it)), actions=actions)


def _symptoms(draft: Draft) -> tuple[str, ...]:
    """The names under which rules may know the finding, from the broadest to the narrowest."""
    finding, extra = draft.finding, dict(draft.values)
    name = f"{finding.instrument}/{finding.dimension}"
    if finding.kind == "confidence_capability":
        return ("quadrant:" + str(extra.get("indicator", "")).removeprefix("quadrant_"),)
    if "operations" in extra:
        return (f"operations:{extra['operations']}",)
    if finding.kind in PLAIN:
        return (name,)
    return finding.kind, f"{finding.kind}:{finding.instrument}", f"{finding.kind}:{name}"


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
        step=rule.step,
        sources=tuple(dict.fromkeys(r.source for r in confirming if r.source)),
        numbers=_numbers((*confirming, *refuting, *undetermined)),
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
    sides = [[reader.read(condition, place) for condition in side] for side in ORGANISATION_SIDE]
    missing = tuple(side[0].sentence for side in sides if all(reading.state == "unmeasured" for reading in side))
    if missing and cause.status in ("supported", "possible", "inconclusive"):
        return changed(cause, status="untested", untested=tuple(dict.fromkeys((*cause.untested, *missing))))
    readings = [reading for side in sides for reading in side]
    blocking = tuple(reading.sentence for reading in readings if reading.state in ("yes", "undetermined"))
    if blocking and cause.status in ("supported", "possible"):
        numbers = _numbers(reading for reading in readings if reading.state in ("yes", "undetermined"))
        return changed(cause, status="inconclusive", undetermined=(*cause.undetermined, *blocking),
                       numbers=tuple(dict.fromkeys((*cause.numbers, *numbers))))  # fmt: skip
    return cause


def _mark_rivals(causes: list[Cause]) -> list[Cause]:
    """Supported causes that rest on exactly the same evidence cannot be told apart, and say so."""
    counts = Counter(frozenset(cause.confirming) for cause in causes if cause.status == "supported")
    return [
        changed(cause, status="not_distinguishable")
        if cause.status == "supported" and counts[frozenset(cause.confirming)] > 1
        else cause
        for cause in causes
    ]


def _with_association(cause: Cause, reader: ConditionReader, place: Place) -> Cause:
    """The cause with how closely its first confirming score goes along with the symptom over the units."""
    if cause.status not in ("supported", "not_distinguishable") or not place.symptom:
        return cause
    found = (reader.association(place, target) for target in cause.confirming_targets)
    return changed(cause, association=next((one for one in found if one is not None), None))


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
            cause=sentence("finding.one_of_these", causes=joined("list", (rule.cause for rule, _ in members))),
            status=status,
            refuting=tuple(s for _, cause in members for s in cause.refuting),
            undetermined=tuple(s for _, cause in members for s in cause.undetermined),
            numbers=tuple(dict.fromkeys(n for _, cause in members for n in cause.numbers)),
            untested=tuple(dict.fromkeys(s for _, cause in members for s in cause.untested)),
            evidence_tag=members[0][0].evidence,
            side=members[0][0].side,
            step=members[0][0].step,
        )


def _rank(cause: Cause) -> tuple[int, int, float, float, int, str]:
    """By status, independent sources, shortfall, association over units, and standing of the link in the literature."""
    shortfall = 0.0 if cause.shortfall is None else cause.shortfall
    association = 0.0 if cause.association is None else cause.association[0]
    status, tag = STATUS_ORDER.index(cause.status), TAG_ORDER.index(cause.evidence_tag)
    return status, -cause.n_sources, shortfall, -association, tag, cause.rule


def _inquiry(cause: Cause) -> int:
    return INQUIRY_STEPS.index(cause.step)


def _unread(rules: Sequence[Rule], causes: Sequence[Cause], reader: ConditionReader, place: Place) -> Lacking:
    """Instruments and records that hold unmeasured evidence of candidates still open."""
    still_open = {cause.rule for cause in causes if cause.status not in ("supported", "not_supported")}
    pieces = (piece for rule in rules if rule.id in still_open for piece in rule.pieces)
    read = [(condition, reader.read(condition, place)) for piece in pieces for condition in piece.alternatives]
    unread = [(condition, reading.needs) for condition, reading in read if reading.state == "unmeasured"]
    names = dict.fromkeys(c.instrument for c, _ in unread if c.kind in SCALE_KINDS and c.instrument is not None)
    records = dict.fromkeys(needs for c, needs in unread if c.kind not in (*SCALE_KINDS, "lowest_of"))
    return tuple(names), tuple(records)


def _unknown_cause(names: Sequence[str], records: Sequence[str]) -> str:
    """What would settle the cause."""
    asks = []
    if names:
        asks.append(sentence("finding.abstention.ask_with", names=", ".join(names)))
    if records:
        asks.append(sentence("finding.abstention.bring", records=joined("list", records)))
    if not asks:
        asks.append(sentence("finding.abstention.more_answers"))
    return sentence("finding.abstention.cause_unknown", ask=joined("list", asks))


def _numbers(readings: Iterable[Reading]) -> tuple[tuple[str, str, float], ...]:
    """What the sentences say, as target, name and number."""
    return tuple(dict.fromkeys((r.target, name, value) for r in readings for name, value in r.numbers))


def _sentences(readings: Iterable[Reading]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reading.sentence for reading in readings))
