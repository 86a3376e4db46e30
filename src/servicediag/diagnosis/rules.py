"""Root-cause rules and actions as values: which evidence confirms or refutes a candidate cause."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal

from servicediag.errors import Issue
from servicediag.instrument.yaml_loader import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from servicediag.diagnosis.operations import Indicator
    from servicediag.instrument.model import Instrument

__all__ = [
    "Action",
    "Condition",
    "ConditionKind",
    "INQUIRY_STEPS",
    "INSTRUMENT_PREFIXES",
    "Piece",
    "Rule",
    "RuleSet",
    "SCALE_KINDS",
    "SYMPTOM",
    "instrument_of",
    "lint_rules",
    "load_rules",
]

ConditionKind = Literal[
    "low", "not_low", "present", "absent", "lowest_of", "gradient", "segment_difference", "concentrated", "contrast",
    "indicator", "lag", "finding",
]  # fmt: skip
SCALE_KINDS: tuple[ConditionKind, ...] = ("low", "not_low", "present", "absent")
"""Kinds that a score or an item of the unit answers."""
SYMPTOM = "symptom"
"""Target that stands for the dimension of the finding that a rule explains."""

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
    kind : str
        ``low`` and ``not_low`` speak of health, for strengths and weaknesses alike; ``present`` and ``absent`` of
        another symptom in the same unit; ``lowest_of``: lower beyond doubt than the others of a list; ``gradient``:
        health falls or rises along an ordered background field; ``segment_difference``: some group of a background
        field differs from the others; ``concentrated``: the trouble lies with few of the persons who serve;
        ``contrast``: one group of a background field is worse off than another; ``indicator``: operations data;
        ``lag``: change goes before the change of something else; ``finding``: there is a finding of that kind.
    target : str
        ``instrument/dimension``, an item code, ``"symptom"``, an indicator, or a kind of finding.
    needs : str or None
        Which data would settle the condition where the study has none.
    holds : bool
        False turns the condition round: *yes* where there is no such gradient, difference and so on.
    among : tuple of str
        The list that ``lowest_of`` compares, or the background fields of a gradient, difference or contrast.
    sense : str
        ``"worse"`` or ``"better"`` along a gradient; ``"high"`` or ``"low"`` of an indicator.
    groups : tuple of str
        Of a contrast: the group that is worse off, and the one that it is compared with.
    limit : float or None
        A declared limit of an indicator; without one the other units are the comparison.
    before : str
        Of a lag: what changes later.
    rater : str or None
        Only what this group of raters says counts; None: whoever is asked first.

    Examples
    --------
    >>> Condition("low", "rdy_can_r5").instrument, Condition("low", "four-tools/feed").instrument
    ('readiness', 'four-tools')
    >>> print(Condition("contrast", "symptom", among=("promise_broken",), groups=("yes", "no")))
    contrast symptom over promise_broken (yes worse than no)
    """

    kind: ConditionKind
    target: str
    needs: str | None = None
    holds: bool = True
    among: tuple[str, ...] = ()
    sense: str = ""
    groups: tuple[str, ...] = ()
    limit: float | None = None
    before: str = ""
    rater: str | None = None

    def __str__(self) -> str:
        parts = {
            "lowest_of": f" of {', '.join(self.among)}",
            "gradient": f" over {', '.join(self.among)} ({self.sense})",
            "segment_difference": f" over {', '.join(self.among)}",
            "contrast": f" over {', '.join(self.among)} ({' worse than '.join(self.groups)})",
            "indicator": f" {self.sense}" + ("" if self.limit is None else f" (limit {self.limit:g})"),
            "lag": f" before {self.before}",
        }
        rater = "" if self.rater is None else f" by {self.rater}"
        return ("" if self.holds else "no ") + f"{self.kind} {self.target}{parts.get(self.kind, '')}{rater}"

    @property
    def references(self) -> tuple[str, ...]:
        """Dimensions and items that the condition names."""
        if self.kind in ("indicator", "finding"):
            return ()
        named = (self.target, *(self.among if self.kind == "lowest_of" else ()), self.before)
        return tuple(dict.fromkeys(name for name in named if name not in ("", SYMPTOM)))

    @property
    def is_item(self) -> bool:
        """Whether the target is an item code."""
        return self.target in self.references and "/" not in self.target

    @property
    def instrument(self) -> str | None:
        """Id of the instrument that the target belongs to; None where it is no dimension or item."""
        return instrument_of(self.target) if self.target in self.references else None


def instrument_of(reference: str) -> str | None:
    """Id of the instrument of a dimension or item; None for an unknown prefix.

    Examples
    --------
    >>> instrument_of("seven-sins/cold"), instrument_of("tool_feed_2"), instrument_of("zzz_1")
    ('seven-sins', 'four-tools', None)
    """
    if "/" in reference:
        return reference.partition("/")[0]
    return INSTRUMENT_PREFIXES.get(reference.partition("_")[0])


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
        """Instruments of which any one can supply strong evidence by its scores alone."""
        strong = [c for piece in self.pieces if piece.weight == "strong" for c in piece.alternatives]
        return frozenset(c.instrument for c in strong if c.kind in SCALE_KINDS and c.instrument is not None)


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

    Attributes
    ----------
    rules : tuple of Rule
    actions : tuple of Action
    content_hash : str
        Fingerprint of everything that was read.
    indicators : tuple of Indicator
    origin : str
        Whose rules they are, in words.
    files : tuple of (str, str)
        Name and SHA-256 of every file, line ends aside.

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
    indicators: tuple[Indicator, ...] = ()
    origin: str = ""
    files: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        n_ids = len({rule.id for rule in self.rules})
        return f"RuleSet(n_rules={n_ids}, n_causes={len(self.rules)}, n_actions={len(self.actions)})"

    @cached_property
    def references(self) -> frozenset[str]:
        """Every dimension and item that a condition names."""
        conditions = (c for rule in self.rules for c in (*rule.conditions, *rule.refuters))
        return frozenset(name for condition in conditions for name in condition.references)

    @cached_property
    def _by_symptom(self) -> dict[str, tuple[Rule, ...]]:
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for symptom in rule.symptoms:
                found.setdefault(symptom, []).append(rule)
        return {symptom: tuple(rules) for symptom, rules in found.items()}

    @cached_property
    def _by_code(self) -> dict[str, Action]:
        return {action.code: action for action in self.actions}

    def for_symptom(self, *symptoms: str) -> tuple[Rule, ...]:
        """Rules that may explain a symptom under any of these names, in the order of the file."""
        if len(symptoms) == 1:
            return self._by_symptom.get(symptoms[0], ())
        found = {rule.key for symptom in symptoms for rule in self._by_symptom.get(symptom, ())}
        return tuple(rule for rule in self.rules if rule.key in found)

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
        if code in self._by_code:
            return self._by_code[code]
        raise ValueError(f"code={code!r} is not an action. {did_you_mean(code, self._by_code)}")

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
                "confirmed_by": "; ".join(f"{' or '.join(map(str, p.alternatives))} ({p.weight})" for p in rule.pieces),
                "refuted_by": "; ".join(" and ".join(map(str, group)) for group in rule.refuter_groups),
                "actions": "; ".join(self.action(code).text for code in rule.actions),
            }
            for rule in self.rules
        ]
        return pd.DataFrame(rows)


def load_rules(path: str | os.PathLike[str] | Traversable | None = None) -> RuleSet:
    """Read root-cause rules, actions and operations indicators strictly.

    Parameters
    ----------
    path : str, path or Traversable, optional
        A folder with ``causes.yaml``, ``actions.yaml`` and perhaps ``indicators.yaml``, or one YAML file with
        ``rules:``, ``actions:`` and ``indicators:``. A file with ``extends: default`` adds its rules to those of
        servicediag, less the ones that it lists under ``without:``. Default: the rules that come with servicediag.

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
    >>> print(load_rules().for_symptom("seven-sins/condesc")[0].pieces[0].alternatives[0])
    low tool_capa_3
    """
    from servicediag.diagnosis.rule_loading import read_rules

    return read_rules(path)


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
        ``indistinguishable_rules``, and as warnings ``unknown_background`` and ``unknown_category``; empty where the
        rules are sound.

    Examples
    --------
    >>> lint_rules(load_rules())
    ()
    """
    from servicediag.diagnosis.rule_lint import reference_faults, rule_faults

    return (*rule_faults(ruleset), *reference_faults(ruleset, instruments))
