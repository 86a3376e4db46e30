"""Rule files read into values: root causes, actions and operations indicators, every fault with its line."""

from __future__ import annotations

import hashlib
import os
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from servicediag.diagnosis.operations import Indicator
from servicediag.diagnosis.rule_documents import (
    QUALIFIERS,
    ActionsFile,
    CausesFile,
    ConditionDocument,
    IndicatorDocument,
    IndicatorsFile,
    RuleDocument,
    RulesFile,
)
from servicediag.diagnosis.rule_files import FOLDER, fingerprint
from servicediag.diagnosis.rule_lint import missing_parts, rule_faults
from servicediag.diagnosis.rule_texts import action_term, indicator_terms, rule_terms
from servicediag.diagnosis.rules import SCALE_KINDS, Action, Condition, ConditionKind, Piece, Rule, RuleSet
from servicediag.errors import InstrumentError, Issue
from servicediag.instrument.catalogue import instruments_root
from servicediag.instrument.documents import Document
from servicediag.instrument.loading import faults
from servicediag.instrument.yaml_loader import MAXIMUM_ISSUES, check_document, did_you_mean, load_yaml, read_bytes

if TYPE_CHECKING:
    from servicediag.instrument.model import Instrument
    from servicediag.instrument.yaml_loader import LoadedYaml

__all__ = ["read_rules", "refuse_missing_parts"]

_Source = tuple[str, bytes, type[Document]]
_ALL_KINDS: tuple[ConditionKind, ...] = typing.get_args(ConditionKind)
_OPPOSITE = {"low": "not_low", "not_low": "low", "present": "absent", "absent": "present"}


def read_rules(path: str | os.PathLike[str] | Traversable | None = None) -> RuleSet:
    """The rule set of a file or folder, see :func:`servicediag.diagnosis.rules.load_rules`."""
    place: Traversable = instruments_root() / FOLDER if path is None else _as_traversable(path)
    label = FOLDER if path is None else str(place)
    files = list(_files(place, label)) if place.is_dir() else [(place, label, RulesFile)]
    issues: list[Issue] = []
    sources: list[_Source] = []
    for file, name, model in files:
        try:
            sources.append((name, read_bytes(file, name), model))
        except InstrumentError as error:
            issues.extend(error.issues)
    if issues:
        raise faults(label, issues)
    return _built(label, None if path is None else place.name, tuple(sources))


def refuse_missing_parts(ruleset: RuleSet, studied: Mapping[str, Instrument]) -> None:
    """Refuse rules, other than those of servicediag, that could never be tested.

    Parameters
    ----------
    studied : mapping of id -> Instrument
        The instruments of the study, which may be other versions than those of the catalogue.

    Raises
    ------
    InstrumentError
        Every dimension or item that its instrument lacks, as ``servicediag lint`` names it.
    """
    ours = frozenset(read_rules().rules)
    own = (rule for rule in ruleset.rules if rule not in ours)
    issues = list(islice(missing_parts(own, studied), MAXIMUM_ISSUES))
    if issues:
        raise faults(ruleset.origin, issues)


def _files(folder: Traversable, label: str) -> Iterator[tuple[Traversable, str, type[Document]]]:
    yield folder.joinpath("actions.yaml"), f"{label}/actions.yaml", ActionsFile
    yield folder.joinpath("causes.yaml"), f"{label}/causes.yaml", CausesFile
    if folder.joinpath("indicators.yaml").is_file():
        yield folder.joinpath("indicators.yaml"), f"{label}/indicators.yaml", IndicatorsFile


@lru_cache(maxsize=4)
def _built(label: str, origin: str | None, sources: tuple[_Source, ...]) -> RuleSet:
    """The rule set of these contents; the same contents give the same value, so they are parsed once.

    ``origin`` names a rule set by path; None is the one that comes with servicediag.
    """
    builder = _Builder(ours=origin is None)
    for name, content, model in sources:
        builder.read(name, content, model)
    if not builder.issues:
        if IndicatorsFile not in [model for *_, model in sources] and not builder.extended:
            builder.add_default_indicators()
        ruleset = builder.ruleset(origin)
        builder.issues.extend(islice(rule_faults(ruleset), MAXIMUM_ISSUES))
        if not builder.issues:
            return ruleset
    raise faults(label, builder.issues)


def _as_traversable(path: str | os.PathLike[str] | Traversable) -> Traversable:
    if isinstance(path, (str, os.PathLike)):
        return Path(path)
    if isinstance(path, Traversable):
        return path
    raise TypeError(f"path must be a path, not {type(path).__name__}")


class _Builder:
    """Turns the documents of one or several files into values, noting faults with their lines."""

    def __init__(self, *, ours: bool) -> None:
        self._ours = ours
        self.rules: list[Rule] = []
        self.actions: list[Action] = []
        self.indicators: list[Indicator] = []
        self.issues: list[Issue] = []
        self.extended = False
        self.files: dict[str, str] = {}
        self._digest = hashlib.sha256()

    def ruleset(self, origin: str | None) -> RuleSet:
        ours = origin is None
        name = origin or "the rules of servicediag"
        return RuleSet(
            tuple(rule_terms(rule, ours=ours) for rule in self.rules),
            tuple(action_term(action, ours=ours) for action in self.actions),
            self._digest.hexdigest(),
            tuple(indicator_terms(one, ours=ours) for one in self.indicators),
            f"the rules of servicediag and {name}" if self.extended else name,
            tuple(self.files.items()),
        )

    def read(self, name: str, content: bytes, model: type[Document]) -> None:
        try:
            loaded = load_yaml(content, name)
        except InstrumentError as error:
            self.issues.extend(error.issues)
            return
        mark = fingerprint(content)
        self._digest.update(mark.encode())
        document, issues = check_document(loaded, model)
        self.issues.extend(issues)
        if document is None:
            return
        if isinstance(document, RulesFile):
            self._extend(document, loaded)
        # a file by path goes by its bare name, since a report does not tell where it lay
        self.files[name if self._ours else PurePath(name).name] = mark
        self._add(document, loaded)

    def _extend(self, document: RulesFile, loaded: LoadedYaml) -> None:
        """Take over the default rules that the file does not leave out."""
        if document.extends is None:
            if document.without:
                problem = "'without' leaves out rules of servicediag, which this file does not extend."
                self.issues.append(loaded.issue("invalid_value", ("without",), problem, "Add 'extends: default'."))
            return
        default = read_rules()
        known = sorted({rule.id for rule in default.rules})
        unknown = ((position, wanted) for position, wanted in enumerate(document.without) if wanted not in known)
        for position, wanted in islice(unknown, MAXIMUM_ISSUES):
            problem = f"there is no rule {wanted} to leave out."
            remedy = did_you_mean(wanted, known)
            self.issues.append(loaded.issue("unknown_reference", ("without", position), problem, remedy))
        self.extended = True
        self._digest.update(default.content_hash.encode())
        self.files.update(default.files)
        left_out = frozenset(document.without)
        self.rules.extend(rule for rule in default.rules if rule.id not in left_out)
        self.actions.extend(default.actions)
        self.indicators.extend(default.indicators)

    def add_default_indicators(self) -> None:
        """Operations data are named alike whatever the rules are."""
        own, default = {one.id for one in self.indicators}, read_rules()
        self.indicators.extend(one for one in default.indicators if one.id not in own)
        self.files.update((name, mark) for name, mark in default.files if name.endswith("/indicators.yaml"))

    def _add(self, document: Document, loaded: LoadedYaml) -> None:
        actions = getattr(document, "actions", ())
        rules = getattr(document, "rules", ())
        indicators = getattr(document, "indicators", ())
        taken = [
            ("actions", [action.code for action in actions], {action.code for action in self.actions}),
            ("rules", [rule.id for rule in rules], {rule.id for rule in self.rules}),
            ("indicators", [one.id for one in indicators], {one.id for one in self.indicators}),
        ]
        for section, names, before in taken:
            self.issues.extend(_duplicates(loaded, section, names, before))
        self.actions.extend(Action(a.code, a.text, a.source, a.evidence) for a in actions)
        self.indicators.extend(
            Indicator(i.id, i.title, i.direction, i.unit, i.needs, i.source, i.target) for i in indicators
        )
        self.issues.extend(_indicator_faults(loaded, indicators))
        for index, rule in enumerate(rules):
            self.rules.extend(_expand(rule, loaded, index))
            self.issues.extend(_rule_faults(rule, loaded, index))


def _duplicates(loaded: LoadedYaml, section: str, names: list[str], before: set[str]) -> Iterator[Issue]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield loaded.issue("duplicate_id", (section, index), f"{name} is defined twice.", "Keep one of them.")
        elif name in before:
            problem = f"{name} is defined by servicediag already."
            remedy = "Choose another name" + (", or list it under 'without'." if section == "rules" else ".")
            yield loaded.issue("duplicate_id", (section, index), problem, remedy)
        seen.add(name)


def _indicator_faults(loaded: LoadedYaml, indicators: Iterable[IndicatorDocument]) -> Iterator[Issue]:
    """Targets that no value could reach, or that stand where neither direction is bad."""
    for index, one in enumerate(indicators):
        if one.target is None:
            continue
        fault = Indicator(one.id, one.title, one.direction, one.unit, one.needs, one.source).fault_of(float(one.target))
        if one.direction == "neutral":
            fault = "has no sense where the indicator is neutral"
        if fault:
            problem = f"The target of {one.id} {fault}."
            yield loaded.issue("invalid_value", ("indicators", index, "target"), problem, "Correct or remove it.")


def _rule_faults(rule: RuleDocument, loaded: LoadedYaml, index: int) -> Iterator[Issue]:
    at = ("rules", index)
    if bool(rule.confirmed_by) == bool(rule.variants):
        problem = f"{rule.id} must have either confirmed_by or variants."
        yield loaded.issue("invalid_condition", at, problem, "Write one of them.")
    if rule.variants and (rule.refuted_by or rule.actions or rule.no_refuter):
        problem = f"{rule.id} has variants; each of them has its own refuter and actions."
        yield loaded.issue("invalid_variant", at, problem, "Remove refuted_by, no_refuter and actions of the rule.")
    if rule.confirmed_by and not rule.actions:
        yield loaded.issue("missing_key", at, f"{rule.id} recommends no action.", "Add actions.")
    names = [variant.item or variant.dimension for variant in rule.variants]
    for number, variant in enumerate(rule.variants):
        place = (*at, "variants", number)
        if (variant.item is None) == (variant.dimension is None):
            problem = f"A variant of {rule.id} must name either an item or a dimension."
            yield loaded.issue("invalid_variant", place, problem, "Write one of them.")
        elif names[number] in names[:number]:
            yield loaded.issue("duplicate_id", place, f"{rule.id} has {names[number]} twice.", "Keep one of them.")
    for key, entries in (("confirmed_by", rule.confirmed_by), ("refuted_by", rule.refuted_by)):
        for number, entry in enumerate(entries):
            yield from _entry_faults(entry, loaded, (*at, key, number))


def _entry_faults(entry: ConditionDocument, loaded: LoadedYaml, at: tuple[str | int, ...]) -> Iterator[Issue]:
    for key in ("any_of", "all_of"):
        members = getattr(entry, key, None)
        if members is None:
            continue
        if _kinds(entry) or _qualifiers(entry):
            yield loaded.issue("invalid_condition", at, f"A condition stands beside {key}.", f"Move it into {key}.")
        for number, member in enumerate(members):
            yield from _condition_faults(member, loaded, (*at, key, number))
        return
    yield from _condition_faults(entry, loaded, at)


def _condition_faults(entry: ConditionDocument, loaded: LoadedYaml, at: tuple[str | int, ...]) -> Iterator[Issue]:
    kinds = _kinds(entry)
    if len(kinds) != 1:
        problem = f"A condition must have exactly one kind, and this one has {', '.join(kinds) or 'none'}."
        yield loaded.issue("invalid_condition", at, problem, f"Choose from {', '.join(QUALIFIERS)}.")
        return
    kind = kinds[0]
    required, permitted = QUALIFIERS[kind]
    said = _qualifiers(entry)
    for name in sorted(required - said):
        yield loaded.issue("missing_key", at, f"'{kind}' needs '{name}'.", f"Add {name}.")
    for name in sorted(said - required - permitted):
        remedy = f"Write {_OPPOSITE[kind]} instead." if name == "holds" and kind in SCALE_KINDS else f"Remove {name}."
        yield loaded.issue("invalid_condition", at, f"'{name}' does not go with '{kind}'.", remedy)
    if entry.lowest_of is not None and entry.lowest is not None and entry.lowest not in entry.lowest_of:
        problem = f"{entry.lowest} is not in the list of lowest_of."
        yield loaded.issue("invalid_condition", at, problem, did_you_mean(entry.lowest, entry.lowest_of))


def _kinds(entry: ConditionDocument) -> list[ConditionKind]:
    return [kind for kind in _ALL_KINDS if getattr(entry, kind) is not None]


def _qualifiers(entry: ConditionDocument) -> frozenset[str]:
    every = frozenset().union(*(required | permitted for required, permitted in QUALIFIERS.values()))
    return frozenset(name for name in every if getattr(entry, name) is not None)


def _expand(rule: RuleDocument, loaded: LoadedYaml, index: int) -> Iterator[Rule]:
    """A rule, or one rule for each variant."""
    if not rule.variants:
        yield Rule(
            id=rule.id,
            cause=rule.cause,
            symptoms=rule.symptoms,
            side=rule.side,
            step=rule.step,
            evidence=rule.evidence,
            pieces=tuple(Piece(p.weight, _conditions(p, p.any_of)) for p in rule.confirmed_by),
            refuter_groups=tuple(_conditions(r, r.all_of) for r in rule.refuted_by),
            actions=rule.actions,
            no_refuter=rule.no_refuter,
            where=loaded.where(("rules", index)),
        )
    targets = tuple(variant.item or variant.dimension or "" for variant in rule.variants)
    for number, (variant, target) in enumerate(zip(rule.variants, targets, strict=True)):
        signs: tuple[Condition, ...] = (Condition("low", target),)
        if len(targets) > 1:
            signs = (*signs, Condition("lowest_of", target, among=targets))
        yield Rule(
            id=rule.id,
            cause=variant.cause,
            symptoms=rule.symptoms,
            side=variant.side or rule.side,
            step=rule.step,
            evidence=rule.evidence,
            pieces=(Piece("strong", signs),),
            refuter_groups=((Condition("not_low", target),),),
            actions=variant.actions,
            variant=target,
            where=loaded.where(("rules", index, "variants", number)),
        )


def _conditions(entry: ConditionDocument, members: Iterable[ConditionDocument] | None) -> tuple[Condition, ...]:
    found = [entry] if members is None else members
    return tuple(_condition(one, kind) for one in found for kind in _kinds(one))


def _condition(entry: ConditionDocument, kind: ConditionKind) -> Condition:
    value = getattr(entry, kind)
    among = entry.across or (() if entry.over is None else (entry.over,))
    return Condition(
        kind=kind,
        target=(entry.lowest or "") if kind == "lowest_of" else value,
        needs=entry.needs,
        holds=entry.holds is not False,
        among=value if kind == "lowest_of" else among,
        sense=entry.towards or entry.level or "",
        groups=() if entry.worse is None or entry.than is None else (entry.worse, entry.than),
        limit=None if entry.limit is None else float(entry.limit),
        before=entry.before or "",
        rater=entry.rated_by,
    )
