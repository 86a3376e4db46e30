"""The definitions of gaps as validated, frozen documents, before their cross references are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict, StringConstraints

from servicediag.instrument.documents import AtLeastOne, Document, Many, OptionCode, ScaleCode, SnakeIdentifier
from servicediag.instrument.model import Rater

__all__ = [
    "AnswersOf",
    "Attribution",
    "Blame",
    "ConfidenceCapability",
    "CycleStage",
    "DimensionReference",
    "Facet",
    "GapDefinitions",
    "InternalExternal",
    "Inversion",
    "LaunchDecay",
    "LossRates",
    "Member",
    "NegativeCycle",
    "Pattern",
    "PromiseGap",
    "PromiseRates",
    "Reference",
    "Repair",
    "SayDo",
    "Screen",
    "SilentLoss",
    "Stages",
    "StatementPair",
    "TenureGradient",
]

EvidenceTag = Literal["S", "S~", "I"]
Side = Literal["manager", "employee", "customer", "auditor"]
DimensionReference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*/[a-z][a-z0-9_]*$", max_length=128)]
ItemReference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)+$", max_length=64)]
Reference = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z][a-z0-9-]*/[a-z][a-z0-9_]*|[a-z][a-z0-9]*(_[a-z0-9]+)+)$", max_length=128),
]
Raters = AtLeastOne[Rater]


class Member(Document):
    """One voice of a side: dimensions or items of one kind of rater, averaged in points of health."""

    references: AtLeastOne[Reference]
    raters: Raters


class Pattern(Document):
    """What several groups of raters see together, by name."""

    id: SnakeIdentifier
    levels: Annotated[dict[Side, Literal["high", "low"]], Field(min_length=2)]
    evidence: EvidenceTag


class Facet(Document):
    """Items of confidence, and the items of capability that it should rest on."""

    id: SnakeIdentifier
    confidence: AtLeastOne[ItemReference]
    capability: AtLeastOne[ItemReference]


class ConfidenceCapability(Document):
    evidence: EvidenceTag
    confidence: DimensionReference
    capability: DimensionReference
    raters: Raters
    facets: AtLeastOne[Facet]


class Blame(Document):
    """How often failures are explained by staff, and by their situation."""

    staff: DimensionReference
    situation: DimensionReference


class Attribution(Document):
    """Shortfalls of persons against shortfalls of what they are given."""

    evidence: EvidenceTag
    person: AtLeastOne[Member]
    organisation: AtLeastOne[Member]
    environment: AtLeastOne[DimensionReference]
    blame: Blame


class Screen(Document):
    """Background field that says whether a promise was broken."""

    field: SnakeIdentifier
    kept: AtLeastOne[OptionCode]
    broken: AtLeastOne[OptionCode]


class Repair(Document):
    """Background field that says whether a broken promise was put right."""

    field: SnakeIdentifier
    repaired: AtLeastOne[OptionCode]
    left_broken: AtLeastOne[OptionCode]


class AnswersOf(Document):
    """Some of the answers to one item."""

    item: ItemReference
    answers: AtLeastOne[ScaleCode]
    raters: Many[Rater] = ()


class PromiseRates(Document):
    """Operations data: promises broken, failures put right, and remedies that were broken too."""

    breach: SnakeIdentifier
    repaired: SnakeIdentifier
    second_breach: SnakeIdentifier


class PromiseGap(Document):
    evidence: EvidenceTag
    screen: Screen
    repair: Repair
    raters: Raters
    attitude: AtLeastOne[DimensionReference]
    second_breach: AnswersOf
    operations: PromiseRates
    fewest_promises: Annotated[int, Field(ge=1)]


class InternalExternal(Document):
    evidence: EvidenceTag
    internal: AtLeastOne[Member]
    external: AtLeastOne[Member]


class StatementPair(Document):
    """An official message, and the daily decision that it should show in."""

    said: ItemReference
    done: ItemReference


class SayDo(Document):
    evidence: EvidenceTag
    raters: Raters
    pairs: Annotated[tuple[StatementPair, ...], Strict(False), Field(min_length=3)]


class Inversion(Document):
    """A stage that outruns the one it should follow."""

    id: SnakeIdentifier
    ahead: DimensionReference
    behind: DimensionReference


class Stages(Document):
    evidence: EvidenceTag
    raters: Raters
    order: Annotated[tuple[DimensionReference, ...], Strict(False), Field(min_length=2)]
    inversions: AtLeastOne[Inversion]


class TenureGradient(Document):
    evidence: EvidenceTag
    field: SnakeIdentifier
    raters: Raters
    references: AtLeastOne[DimensionReference]


class LossRates(Document):
    """Operations data: share of customers lost, and complaints for each hundred customers."""

    left: SnakeIdentifier
    complaints: SnakeIdentifier


class SilentLoss(Document):
    evidence: EvidenceTag
    raters: Raters
    left: AnswersOf
    told: AnswersOf
    operations: LossRates


class LaunchDecay(Document):
    evidence: EvidenceTag
    cynicism: AtLeastOne[DimensionReference]
    raters: Raters


class CycleStage(Document):
    id: SnakeIdentifier
    members: Many[Member] = ()
    operations: Many[SnakeIdentifier] = ()


class NegativeCycle(Document):
    evidence: EvidenceTag
    stages: AtLeastOne[CycleStage]


class GapDefinitions(Document):
    """``gaps.yaml``: which scales and items make up each gap between two sides."""

    sides: Annotated[dict[Side, Raters], Field(min_length=2)]
    patterns: AtLeastOne[Pattern]
    provision: AtLeastOne[DimensionReference]
    confidence_capability: ConfidenceCapability
    attribution: Attribution
    promise_gap: PromiseGap
    internal_external: InternalExternal
    say_do: SayDo
    stages: Stages
    tenure_gradient: TenureGradient
    silent_loss: SilentLoss
    launch_decay: LaunchDecay
    negative_cycle: NegativeCycle
