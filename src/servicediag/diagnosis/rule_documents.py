"""The rule files as validated documents, before their cross references are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from servicediag.instrument.documents import AtLeastOne, Document, Many, OptionalText, Text

__all__ = [
    "ActionDocument",
    "ActionsFile",
    "CausesFile",
    "ConditionDocument",
    "PieceDocument",
    "RefuterDocument",
    "RuleDocument",
    "RulesFile",
    "VariantDocument",
]

ActionCode = Annotated[str, StringConstraints(pattern=r"^ACT\.[A-Z][A-Z0-9]{1,23}$")]
RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_-]{1,23}$")]
DimensionReference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*/[a-z][a-z0-9_]*$", max_length=128)]
ItemReference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)+$", max_length=64)]
Reference = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z][a-z0-9-]*/[a-z][a-z0-9_]*|[a-z][a-z0-9]*(_[a-z0-9]+)+)$", max_length=128),
]
SYMPTOM_PATTERN = (
    r"^([a-z][a-z0-9-]*/[a-z][a-z0-9_]*"
    r"|(bottleneck|blame_shift|perception_gap|internal_external|change|stage_gap|silent_loss|unit_wide)"
    r":[a-z][a-z0-9-]*(/[a-z][a-z0-9_]*)?"
    r"|quadrant:(over|under)_confident"
    r"|operations:[a-z][a-z0-9_]*)$"
)
Symptom = Annotated[str, StringConstraints(pattern=SYMPTOM_PATTERN, max_length=128)]
PatternName = Literal[
    "concentrated_in_few_people", "spread_evenly", "tenure_gradient", "no_tenure_gradient", "segment_difference",
    "no_segment_difference", "peaks_with_load", "unrelated_to_load", "programme_history", "no_programme_history",
    "say_do_gap", "no_say_do_gap", "wave_sequence", "operations_data",
]  # fmt: skip
Side = Literal["organisation", "person"]
Step = Literal["promise", "environment", "tools", "role", "know", "want", "culture", "individual"]
Weight = Literal["strong", "weak"]
EvidenceTag = Literal["S", "S~", "I"]


class ConditionDocument(Document):
    """Exactly one of the five kinds; a pattern names the data that would settle it."""

    low: Reference | None = None
    not_low: Reference | None = None
    present: DimensionReference | None = None
    absent: DimensionReference | None = None
    pattern: PatternName | None = None
    needs: Text | None = None


class PieceDocument(ConditionDocument):
    """One piece of evidence: a condition, or several of which one is enough."""

    any_of: AtLeastOne[ConditionDocument] | None = None
    weight: Weight = "strong"


class RefuterDocument(ConditionDocument):
    """What speaks against the cause: a condition, or several that must hold together."""

    all_of: AtLeastOne[ConditionDocument] | None = None


class VariantDocument(Document):
    """One requirement or tool that may be the missing one."""

    item: ItemReference | None = None
    dimension: DimensionReference | None = None
    cause: Text
    actions: AtLeastOne[ActionCode]
    side: Side | None = None


class RuleDocument(Document):
    """A candidate cause of some symptoms."""

    id: RuleId
    cause: Text
    symptoms: AtLeastOne[Symptom]
    side: Side
    step: Step
    evidence: EvidenceTag
    confirmed_by: Many[PieceDocument] = ()
    refuted_by: Many[RefuterDocument] = ()
    no_refuter: OptionalText = ""
    actions: Many[ActionCode] = ()
    variants: Many[VariantDocument] = ()


class ActionDocument(Document):
    """A recommendation and who makes it."""

    code: ActionCode
    text: Text
    source: Annotated[str, StringConstraints(pattern=r"^([0-9]{3}(, [0-9]{3})*|authors)$")]
    evidence: EvidenceTag


class ActionsFile(Document):
    """``actions.yaml``."""

    actions: AtLeastOne[ActionDocument]


class CausesFile(Document):
    """``causes.yaml``."""

    rules: AtLeastOne[RuleDocument]


class RulesFile(Document):
    """Both in one file."""

    actions: AtLeastOne[ActionDocument]
    rules: AtLeastOne[RuleDocument]
