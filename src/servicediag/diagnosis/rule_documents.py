"""The rule files as validated documents, before their cross references are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict, StringConstraints

from servicediag.instrument.documents import AtLeastOne, Document, Many, OptionalText, Text
from servicediag.instrument.model import Rater

__all__ = [
    "ActionDocument",
    "ActionsFile",
    "CausesFile",
    "ConditionDocument",
    "IndicatorDocument",
    "IndicatorsFile",
    "PieceDocument",
    "PrivacyFile",
    "QUALIFIERS",
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
DimensionTarget = Annotated[
    str, StringConstraints(pattern=r"^(symptom|[a-z][a-z0-9-]*/[a-z][a-z0-9_]*)$", max_length=128)
]
"""A dimension, or the word that stands for the dimension of the finding to be explained."""
_KINDS = (
    "bottleneck|attribution|blame_shift|perception_gap|provision_gap|promise_gap|internal_external|change|dispersion"
    "|say_do|stage_gap|tenure_gradient|silent_loss"
)
FindingName = Annotated[
    str, StringConstraints(pattern=rf"^({_KINDS})(:[a-z][a-z0-9-]*(/[a-z][a-z0-9_]*)?)?$", max_length=128)
]
"""A kind of finding, perhaps of one instrument or dimension only."""
Symptom = Annotated[
    str,
    StringConstraints(
        pattern=rf"^([a-z][a-z0-9-]*/[a-z][a-z0-9_]*|({_KINDS})(:[a-z][a-z0-9-]*(/[a-z][a-z0-9_]*)?)?"
        r"|quadrant:(over|under)_confident|operations:[a-z][a-z0-9_]*)$",
        max_length=128,
    ),
]
FieldName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
"""A background field, or a column that the study names itself."""
IndicatorName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
SourceNumbers = Annotated[str, StringConstraints(pattern=r"^([0-9]{3}(, [0-9]{3})*|authors)$")]
Side = Literal["organisation", "person"]
Step = Literal["promise", "environment", "tools", "role", "know", "want", "culture", "individual"]
Weight = Literal["strong", "weak"]
EvidenceTag = Literal["S", "S~", "I"]


class ConditionDocument(Document):
    """Exactly one kind, with what that kind asks for."""

    low: Reference | None = None
    not_low: Reference | None = None
    present: DimensionReference | None = None
    absent: DimensionReference | None = None
    lowest_of: Annotated[tuple[Reference, ...], Strict(False), Field(min_length=2)] | None = None
    gradient: DimensionTarget | None = None
    segment_difference: DimensionTarget | None = None
    concentrated: DimensionTarget | None = None
    contrast: DimensionTarget | None = None
    indicator: IndicatorName | None = None
    lag: DimensionTarget | None = None
    finding: FindingName | None = None
    lowest: Reference | None = None
    over: FieldName | None = None
    across: AtLeastOne[FieldName] | None = None
    towards: Literal["worse", "better"] | None = None
    worse: Text | None = None
    than: Text | None = None
    level: Literal["high", "low"] | None = None
    limit: int | float | None = None
    before: DimensionTarget | None = None
    rated_by: Rater | None = None
    holds: bool | None = None
    needs: Text | None = None


QUALIFIERS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    kind: (frozenset(required.split()), frozenset(permitted.split()))
    for kind, required, permitted in (
        ("low", "", "rated_by"),
        ("not_low", "", "rated_by"),
        ("present", "", "rated_by"),
        ("absent", "", "rated_by"),
        ("lowest_of", "lowest", "holds needs"),
        ("gradient", "over towards", "holds needs"),
        ("segment_difference", "across", "holds needs"),
        ("concentrated", "", "holds needs"),
        ("contrast", "over worse than", "holds needs"),
        ("indicator", "level", "limit holds needs"),
        ("lag", "before", "holds needs"),
        ("finding", "", "holds needs"),
    )
}
"""What each kind of condition must say besides, and what it may."""


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
    source: SourceNumbers
    evidence: EvidenceTag


class IndicatorDocument(Document):
    """One kind of operations data."""

    id: IndicatorName
    title: Text
    direction: Literal["strength", "weakness", "neutral"]
    unit: Literal["share", "rate", "count", "points"]
    needs: Text
    source: SourceNumbers
    target: int | float | None = None


class ActionsFile(Document):
    """``actions.yaml``."""

    actions: AtLeastOne[ActionDocument]


class CausesFile(Document):
    """``causes.yaml``."""

    rules: AtLeastOne[RuleDocument]


class IndicatorsFile(Document):
    """``indicators.yaml``."""

    indicators: AtLeastOne[IndicatorDocument]


class RulesFile(Document):
    """All in one file; with ``extends`` beside the default rules, otherwise in their place."""

    extends: Literal["default"] | None = None
    without: Many[RuleId] = ()
    actions: Many[ActionDocument] = ()
    indicators: Many[IndicatorDocument] = ()
    rules: AtLeastOne[RuleDocument]


class PrivacyFile(Document):
    """``privacy.yaml``: scales that are shown of larger groups only."""

    sensitive: Many[DimensionReference]
