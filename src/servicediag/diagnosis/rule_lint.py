"""Faults of a rule set as a whole: dangling names, causes that nothing could refute, rivals that predict the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from servicediag.diagnosis.rules import INSTRUMENT_PREFIXES, Condition, Rule, RuleSet, instrument_of
from servicediag.errors import Issue
from servicediag.instrument.background import load_background
from servicediag.instrument.catalogue import instrument_ids, instruments_root, load_instrument
from servicediag.instrument.yaml_loader import did_you_mean

if TYPE_CHECKING:
    from servicediag.instrument.model import Instrument

__all__ = ["missing_parts", "reference_faults", "rule_faults"]


def rule_faults(ruleset: RuleSet) -> Iterator[Issue]:
    """Faults of rules that show without any instrument."""
    codes = dict.fromkeys(action.code for action in ruleset.actions)
    indicators = dict.fromkeys(indicator.id for indicator in ruleset.indicators)
    for rule in ruleset.rules:
        for code in rule.actions:
            if code not in codes:
                yield _issue(rule, "unknown_action", f"the action {code} does not exist.", did_you_mean(code, codes))
        if bool(rule.refuter_groups) == bool(rule.no_refuter):
            remedy = "Add refuted_by, or say under no_refuter why nothing could; not both."
            yield _issue(rule, "no_refuter", "a cause needs something that could refute it.", remedy)
        if not any(piece.weight == "strong" for piece in rule.pieces):
            remedy = "Mark the piece that tells this cause from its rivals as strong."
            yield _issue(rule, "no_strong_evidence", "no piece of evidence is strong.", remedy)
        alone = {group[0] for group in rule.refuter_groups if len(group) == 1}
        for condition in sorted(set(rule.conditions) & alone, key=str):
            yield _issue(
                rule, "contradictory_rule", f"'{condition}' both confirms and refutes.", "Remove one of the two."
            )
        yield from _indicator_faults(rule, indicators)
    yield from _indistinguishable(ruleset)


def _indicator_faults(rule: Rule, known: Collection[str]) -> Iterator[Issue]:
    named = [c.target for c in (*rule.conditions, *rule.refuters) if c.kind == "indicator"]
    named += [symptom.removeprefix("operations:") for symptom in rule.symptoms if symptom.startswith("operations:")]
    for name in dict.fromkeys(named):
        if name not in known:
            problem = f"the operations indicator {name} does not exist."
            yield _issue(rule, "unknown_reference", problem, did_you_mean(name, known))


def _indistinguishable(ruleset: RuleSet) -> Iterator[Issue]:
    seen: dict[tuple[str, frozenset[frozenset[Condition]]], Rule] = {}
    for rule in ruleset.rules:
        predictions = frozenset(frozenset(piece.alternatives) for piece in rule.pieces)
        for symptom in rule.symptoms:
            first = seen.setdefault((symptom, predictions), rule)
            if first is not rule:
                problem = f"it predicts the same as {first.key} for {symptom}."
                remedy = "Add evidence that differs, or make one rule of the two."
                yield _issue(rule, "indistinguishable_rules", problem, remedy)


def reference_faults(ruleset: RuleSet, instruments: Iterable[Instrument] | None) -> Iterator[Issue]:
    """Names of dimensions, items and background groups that do not exist."""
    if instruments is None:
        root = instruments_root()
        instruments = [load_instrument(instrument_id) for instrument_id in instrument_ids(root)]
    known = {instrument.id: _parts(instrument) for instrument in instruments}
    fields = {one.id: tuple(one.options) for one in load_background()}
    for rule in ruleset.rules:
        yield from _reference_faults(rule, known)
        for condition in dict.fromkeys((*rule.conditions, *rule.refuters)):
            if condition.kind in ("gradient", "segment_difference", "contrast"):
                yield from _background_faults(rule, condition, fields)


def missing_parts(rules: Iterable[Rule], studied: Mapping[str, Instrument]) -> Iterator[Issue]:
    """Dimensions and items that an instrument of the study or of the catalogue lacks: they would never be measured.

    Nothing is said of other instruments, which may be the author's own.
    """
    known = {name: _parts(instrument) for name, instrument in studied.items()}
    shipped = frozenset(instrument_ids(instruments_root()))
    for rule in rules:
        for target, instrument in _references(rule):
            if instrument in shipped and instrument not in known:
                known[instrument] = _parts(load_instrument(instrument))
            yield from _part_faults(rule, target, instrument, known)


def _parts(instrument: Instrument) -> frozenset[str]:
    return frozenset([*(one.id for one in instrument.dimensions), *(item.code for item in instrument.items)])


def _references(rule: Rule) -> Iterator[tuple[str, str | None]]:
    """Everything that a rule names, and the id of its instrument; None for an unknown prefix."""
    references = [name for c in (*rule.conditions, *rule.refuters) for name in c.references]
    for symptom in rule.symptoms:
        kind, _, target = symptom.rpartition(":")
        if kind not in ("quadrant", "operations") and (kind or "/" in target):
            references.append(target)
    for target in dict.fromkeys(references):
        yield target, instrument_of(target) if "_" in target or "/" in target else target


def _part_faults(
    rule: Rule, target: str, instrument: str | None, known: Mapping[str, frozenset[str]]
) -> Iterator[Issue]:
    name = target.rpartition("/")[2]
    if instrument is None or instrument not in known or target == instrument:
        return
    if name not in known[instrument]:
        remedy = did_you_mean(name, sorted(known[instrument]))
        yield _issue(rule, "unknown_reference", f"{target} is not part of {instrument}.", remedy)


def _reference_faults(rule: Rule, known: Mapping[str, frozenset[str]]) -> Iterator[Issue]:
    every = {*known, *INSTRUMENT_PREFIXES.values()}
    for target, instrument in _references(rule):
        if instrument is None:
            problem = f"the prefix of the item {target} belongs to no instrument."
            remedy = did_you_mean(target.partition("_")[0], INSTRUMENT_PREFIXES)
            yield _issue(rule, "unknown_reference", problem, remedy)
        elif instrument not in every:
            problem = f"the instrument of {target} does not exist."
            yield _issue(rule, "unknown_reference", problem, did_you_mean(instrument, sorted(every)))
        else:
            yield from _part_faults(rule, target, instrument, known)


def _background_faults(rule: Rule, condition: Condition, fields: Mapping[str, tuple[str, ...]]) -> Iterator[Issue]:
    """A study may bring columns of its own, so these are warnings."""
    for name in condition.among:
        if name not in fields:
            problem = f"{name} is no background field; a study would have to bring it as a column of its own."
            yield _issue(rule, "unknown_background", problem, did_you_mean(name, fields), "warning")
            continue
        for group in condition.groups:
            if group not in fields[name]:
                problem = f"{group!r} is no answer to {name}."
                yield _issue(rule, "unknown_category", problem, did_you_mean(group, fields[name]), "warning")


def _issue(rule: Rule, code: str, problem: str, remedy: str, severity: Literal["error", "warning"] = "error") -> Issue:
    return Issue(code, severity, rule.where or rule.key, f"{rule.key}: {problem}", remedy)
