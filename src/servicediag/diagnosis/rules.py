"""Root-cause rules and actions as values: which evidence confirms or refutes a candidate cause."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument.catalogue import instrument_ids, instruments_root, load_instrument
from servicediag.instrument.yaml_loader import check_document, did_you_mean, load_yaml, read_bytes

if TYPE_CHECKING:
    import pandas as pd

    from servicediag.diagnosis.rule_documents import ConditionDocument, RuleDocument
    from servicediag.instrument.documents import Document
    from servicediag.instrument.model import Instrument
    from servicediag.instrument.yaml_loader import LoadedYaml

__all__ = [
    "Action",
    "Condition",
    "ConditionKind",
    "INQUIRY_STEPS",
    "INSTRUMENT_PREFIXES",
    "Piece",
    "Rule",
    "RuleSet",
    "lint_rules",
    "load_rules",
]

ConditionKind = Literal["low", "not_low", "present", "absent", "pattern"]
_KINDS: tuple[ConditionKind, ...] = ("low", "not_low", "present", "absent", "pattern")

INSTRUMENT_PREFIXES = {
    "sin": "seven-sins",
    "rdy": "readiness",
    "tool": "four-tools",
    "att": "employee-attitudes",
    "cau": "attitude-causes",
    "rec": "service-recovery",
    "scu": "service-culture",
    "fail": "programme-failure",
    "anti": "cultural-antipatterns",
    "acc": "acculturation",
    "req": "quality-culture-requirements",
    "prev": "error-prevention",
    "hrq": "hr-internal-service",
    "life": "attitude-life-cycle",
    "str": "strategic-customer-thinking",
    "launch": "programme-launch",
    "out": "customer-outcomes",
}
"""Prefix of item codes -> instrument, for every instrument that a rule may name, those to come included."""

INQUIRY_STEPS = ("promise", "environment", "tools", "role", "know", "want", "culture", "individual")
"""Order in which causes are looked into: what people were given before what people are."""


@dataclass(frozen=True)
class Condition:
    """One testable statement about the unit in which a symptom is present.

    Attributes
    ----------
    kind : {"low", "not_low", "present", "absent", "pattern"}
        ``low`` and ``not_low`` speak of health, for strengths and weaknesses alike; ``present`` and ``absent`` of
        another symptom in the same unit; a ``pattern`` is not answered by a scale.
    target : str
        ``instrument/dimension``, an item code, or the name of the pattern.
    needs : str or None
        Which data would settle a pattern.

    Examples
    --------
    >>> Condition("low", "rdy_can_r5").instrument, Condition("low", "four-tools/feed").instrument
    ('readiness', 'four-tools')
    """

    kind: ConditionKind
    target: str
    needs: str | None = None

    @property
    def is_item(self) -> bool:
        """Whether the target is an item code."""
        return self.kind != "pattern" and "/" not in self.target

    @property
    def instrument(self) -> str | None:
        """Id of the instrument that the target belongs to; None for a pattern or an unknown prefix."""
        if self.kind == "pattern":
            return None
        if self.is_item:
            return INSTRUMENT_PREFIXES.get(self.target.partition("_")[0])
        return self.target.partition("/")[0]


@dataclass(frozen=True)
class Piece:
    """A separate piece of evidence; one of its alternatives is enough to confirm it.

    Attributes
    ----------
    weight : {"strong", "weak"}
        ``strong`` evidence tells the cause from its rivals; ``weak`` evidence fits the rivals too.
    alternatives : tuple of Condition
    """

    weight: Literal["strong", "weak"]
    alternatives: tuple[Condition, ...]


@dataclass(frozen=True)
class Rule:
    """A candidate cause of some symptoms, with what would confirm and what would refute it.

    Attributes
    ----------
    id : str
        Shared by the variants of a rule; ``key`` tells them apart.
    symptoms : tuple of str
        ``instrument/dimension`` whose health is low, or ``kind:target`` for another kind of finding.
    side : {"organisation", "person"}
    step : str
        Place in the order of inquiry, one of ``INQUIRY_STEPS``.
    evidence : {"S", "S~", "I"}
        Whether the literature states the link, implies it, or the authors infer it.
    pieces : tuple of Piece
        Supported needs every measured piece to confirm, a strong one among them.
    refuter_groups : tuple of tuple of Condition
        One group is enough to refute; a group holds where every measured condition in it holds.
    actions : tuple of str
        Action codes.
    variant : str or None
        The item or dimension of a variant.
    no_refuter : str
        Why nothing could refute the cause; empty where something can.
    where : str
        File and line.
    """

    id: str
    cause: str
    symptoms: tuple[str, ...]
    side: Literal["organisation", "person"]
    step: str
    evidence: Literal["S", "S~", "I"]
    pieces: tuple[Piece, ...]
    refuter_groups: tuple[tuple[Condition, ...], ...]
    actions: tuple[str, ...]
    variant: str | None = None
    no_refuter: str = ""
    where: str = field(default="", compare=False, repr=False)

    @property
    def key(self) -> str:
        """Unique name: the id, and the variant where there is one."""
        return self.id if self.variant is None else f"{self.id}:{self.variant}"

    @property
    def refuters(self) -> tuple[Condition, ...]:
        """Every condition that can take part in a refutation."""
        return tuple(condition for group in self.refuter_groups for condition in group)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition that can take part in a confirmation."""
        return tuple(condition for piece in self.pieces for condition in piece.alternatives)

    @property
    def strong_instruments(self) -> frozenset[str]:
        """Instruments of which any one can supply strong evidence."""
        strong = [c for piece in self.pieces if piece.weight == "strong" for c in piece.alternatives]
        return frozenset(c.instrument for c in strong if c.instrument is not None)


@dataclass(frozen=True)
class Action:
    """A recommendation.

    Attributes
    ----------
    source : str
        Short numbers of the source documents, or ``"authors"``.
    evidence : {"S", "S~", "I"}
    """

    code: str
    text: str
    source: str
    evidence: Literal["S", "S~", "I"]


@dataclass(frozen=True, repr=False)
class RuleSet:
    """Root-cause rules, variants expanded, and the actions they name.

    Examples
    --------
    >>> rules = load_rules()
    >>> [rule.key for rule in rules.for_symptom("seven-sins/apathy")]
    ['R08', 'R09', 'R10', 'R11']
    >>> rules.action("ACT.LIVEFEED").source
    '002'
    """

    rules: tuple[Rule, ...]
    actions: tuple[Action, ...]
    content_hash: str = ""

    def __repr__(self) -> str:
        n_ids = len({rule.id for rule in self.rules})
        return f"RuleSet(n_rules={n_ids}, n_causes={len(self.rules)}, n_actions={len(self.actions)})"

    def for_symptom(self, symptom: str) -> tuple[Rule, ...]:
        """Rules that may explain a symptom, in the order of the file."""
        return tuple(rule for rule in self.rules if symptom in rule.symptoms)

    def decidable_with(self, instruments: Iterable[str]) -> tuple[Rule, ...]:
        """Rules for which these instruments hold a strong piece of evidence.

        Examples
        --------
        >>> [rule.key for rule in load_rules().decidable_with(["four-tools"]) if "seven-sins/run" in rule.symptoms]
        ['R17']
        """
        known = frozenset(instruments)
        return tuple(rule for rule in self.rules if rule.strong_instruments & known)

    def action(self, code: str) -> Action:
        """The action of that code.

        Raises
        ------
        ValueError
            There is none.
        """
        for action in self.actions:
            if action.code == code:
                return action
        raise ValueError(f"code={code!r} is not an action. {did_you_mean(code, [a.code for a in self.actions])}")

    def to_frame(self) -> pd.DataFrame:
        """A row a cause: what it is, which symptoms it may explain, what confirms and refutes it, and what to do."""
        import pandas as pd

        rows = [
            {
                "id": rule.id,
                "variant": rule.variant,
                "cause": rule.cause,
                "symptoms": "; ".join(rule.symptoms),
                "side": rule.side,
                "step": rule.step,
                "evidence": rule.evidence,
                "confirmed_by": "; ".join(f"{_join(p.alternatives, ' or ')} ({p.weight})" for p in rule.pieces),
                "refuted_by": "; ".join(_join(group, " and ") for group in rule.refuter_groups),
                "actions": "; ".join(self.action(code).text for code in rule.actions),
            }
            for rule in self.rules
        ]
        return pd.DataFrame(rows)


def load_rules(path: str | os.PathLike[str] | Traversable | None = None) -> RuleSet:
    """Read root-cause rules and actions strictly.

    Parameters
    ----------
    path : str, path or Traversable, optional
        A folder with ``causes.yaml`` and ``actions.yaml``, or one YAML file with both ``rules:`` and ``actions:``.
        Default: the rules that come with servicediag.

    Returns
    -------
    RuleSet

    Raises
    ------
    InstrumentError
        With every fault as an ``Issue`` with file and line: ``unreadable_file``, ``unknown_key``, ``missing_key``,
        ``unknown_value``, ``invalid_value``, ``duplicate_id``, ``invalid_condition``, ``invalid_variant``,
        ``unknown_action``, ``unknown_reference``, ``no_refuter``, ``no_strong_evidence``, ``contradictory_rule``,
        ``indistinguishable_rules``.

    Examples
    --------
    >>> load_rules().for_symptom("seven-sins/condesc")[0].pieces[0].alternatives
    (Condition(kind='low', target='tool_capa_3', needs=None),)
    """
    from servicediag.diagnosis.rule_documents import ActionsFile, CausesFile, RulesFile
    from servicediag.instrument.loading import faults

    place: Traversable = instruments_root() / "_rules" if path is None else _as_traversable(path)
    label = "_rules" if path is None else str(place)
    models: list[tuple[Traversable, str, type[Document]]] = [(place, label, RulesFile)]
    if not place.is_file():
        models = [
            (place.joinpath("actions.yaml"), f"{label}/actions.yaml", ActionsFile),
            (place.joinpath("causes.yaml"), f"{label}/causes.yaml", CausesFile),
        ]
    builder, digest = _Builder(), hashlib.sha256()
    for file, name, model in models:
        builder.read(file, name, model, digest)
    if not builder.issues:
        ruleset = RuleSet(tuple(builder.rules), tuple(builder.actions), digest.hexdigest())
        builder.issues.extend(_faults(ruleset))
        if not builder.issues:
            return ruleset
    raise faults(label, builder.issues)


def lint_rules(ruleset: RuleSet, instruments: Iterable[Instrument] | None = None) -> tuple[Issue, ...]:
    """Every fault of a rule set that reading it alone does not show.

    Parameters
    ----------
    ruleset : RuleSet
    instruments : iterable of Instrument, optional
        Instruments whose dimensions and items the rules may name; default is the catalogue. References to an
        instrument that is planned but not encoded yet pass.

    Returns
    -------
    tuple of Issue
        ``unknown_action``, ``unknown_reference``, ``no_refuter``, ``no_strong_evidence``, ``contradictory_rule``,
        ``indistinguishable_rules``; empty where the rules are sound.

    Examples
    --------
    >>> lint_rules(load_rules())
    ()
    """
    if instruments is None:
        root = instruments_root()
        instruments = [load_instrument(instrument_id) for instrument_id in instrument_ids(root)]
    known = {instrument.id: _names(instrument) for instrument in instruments}
    return (*_faults(ruleset), *(issue for rule in ruleset.rules for issue in _reference_faults(rule, known)))


def _as_traversable(path: str | os.PathLike[str] | Traversable) -> Traversable:
    if isinstance(path, (str, os.PathLike)):
        return Path(path)
    if isinstance(path, Traversable):
        return path
    raise TypeError(f"path must be a path, not {type(path).__name__}")


def _join(conditions: Iterable[Condition], word: str) -> str:
    return word.join(f"{c.kind} {c.target}" for c in conditions)


class _Builder:
    """Turns the documents of one or two files into values, noting faults with their lines."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.actions: list[Action] = []
        self.issues: list[Issue] = []

    def read(self, file: Traversable, name: str, model: type[Document], digest: hashlib._Hash) -> None:
        try:
            content = read_bytes(file, name)
            digest.update(content)
            loaded = load_yaml(content, name)
        except InstrumentError as error:
            self.issues.extend(error.issues)
            return
        document, issues = check_document(loaded, model)
        self.issues.extend(issues)
        actions = getattr(document, "actions", ())
        rules = getattr(document, "rules", ())
        self.issues.extend(_duplicates(loaded, "actions", [action.code for action in actions]))
        self.issues.extend(_duplicates(loaded, "rules", [rule.id for rule in rules]))
        self.actions.extend(Action(a.code, a.text, a.source, a.evidence) for a in actions)
        for index, rule in enumerate(rules):
            self.rules.extend(_expand(rule, loaded, index))
            self.issues.extend(_rule_faults(rule, loaded, index))


def _duplicates(loaded: LoadedYaml, section: str, names: list[str]) -> Iterator[Issue]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield loaded.issue("duplicate_id", (section, index), f"{name} is defined twice.", "Keep one of them.")


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
        if _kinds(entry) or entry.needs is not None:
            yield loaded.issue("invalid_condition", at, f"A condition stands beside {key}.", f"Move it into {key}.")
        for number, member in enumerate(members):
            yield from _condition_faults(member, loaded, (*at, key, number))
        return
    yield from _condition_faults(entry, loaded, at)


def _condition_faults(entry: ConditionDocument, loaded: LoadedYaml, at: tuple[str | int, ...]) -> Iterator[Issue]:
    kinds = _kinds(entry)
    if len(kinds) != 1:
        problem = f"A condition must have exactly one kind, and this one has {', '.join(kinds) or 'none'}."
        yield loaded.issue("invalid_condition", at, problem, f"Choose from {', '.join(_KINDS)}.")
    elif (kinds[0] == "pattern") != (entry.needs is not None):
        problem = "'needs' goes with a pattern, and with nothing else."
        yield loaded.issue("invalid_condition", at, problem, "Say which data would settle the pattern.")


def _kinds(entry: ConditionDocument) -> list[ConditionKind]:
    return [kind for kind in _KINDS if getattr(entry, kind) is not None]


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
    for number, variant in enumerate(rule.variants):
        target = variant.item or variant.dimension or ""
        yield Rule(
            id=rule.id,
            cause=variant.cause,
            symptoms=rule.symptoms,
            side=variant.side or rule.side,
            step=rule.step,
            evidence=rule.evidence,
            pieces=(Piece("strong", (Condition("low", target),)),),
            refuter_groups=((Condition("not_low", target),),),
            actions=variant.actions,
            variant=target,
            where=loaded.where(("rules", index, "variants", number)),
        )


def _conditions(entry: ConditionDocument, members: Iterable[ConditionDocument] | None) -> tuple[Condition, ...]:
    found = [entry] if members is None else members
    return tuple(Condition(kind, getattr(c, kind), c.needs) for c in found for kind in _kinds(c))


def _faults(ruleset: RuleSet) -> Iterator[Issue]:
    """Faults of rules that show without any instrument."""
    codes = [action.code for action in ruleset.actions]
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
        for condition in sorted(set(rule.conditions) & set(rule.refuters), key=lambda c: (c.kind, c.target)):
            problem = f"'{condition.kind} {condition.target}' both confirms and refutes."
            yield _issue(rule, "contradictory_rule", problem, "Remove one of the two.")
    yield from _indistinguishable(ruleset)


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


def _names(instrument: Instrument) -> frozenset[str]:
    """Ids of an instrument's dimensions and codes of its items."""
    return frozenset([*(d.id for d in instrument.dimensions), *(item.code for item in instrument.items)])


def _reference_faults(rule: Rule, known: dict[str, frozenset[str]]) -> Iterator[Issue]:
    """References to an instrument, dimension or item that does not exist."""
    references = Counter((c.instrument, c.target) for c in (*rule.conditions, *rule.refuters) if c.kind != "pattern")
    for symptom in rule.symptoms:
        kind, _, target = symptom.rpartition(":")
        if kind not in ("quadrant", "operations"):
            references[(target.partition("/")[0], target)] += 1
    every = {*known, *INSTRUMENT_PREFIXES.values()}
    for instrument, target in references:
        if instrument is None:
            problem = f"the prefix of the item {target} belongs to no instrument."
            remedy = did_you_mean(target.partition("_")[0], INSTRUMENT_PREFIXES)
            yield _issue(rule, "unknown_reference", problem, remedy)
        elif instrument not in every:
            problem = f"the instrument of {target} does not exist."
            yield _issue(rule, "unknown_reference", problem, did_you_mean(instrument, sorted(every)))
        elif instrument in known and target != instrument and target.rpartition("/")[2] not in known[instrument]:
            remedy = did_you_mean(target.rpartition("/")[2], sorted(known[instrument]))
            yield _issue(rule, "unknown_reference", f"{target} is not part of {instrument}.", remedy)


def _issue(rule: Rule, code: str, problem: str, remedy: str) -> Issue:
    return Issue(code, "error", rule.where or rule.key, f"{rule.key}: {problem}", remedy)
