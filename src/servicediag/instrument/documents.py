"""The instrument files as validated documents, before their cross references are checked."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from servicediag.instrument.model import Direction, Measurement, Rater

__all__ = [
    "BackgroundDocument",
    "BackgroundFieldDocument",
    "DEVICE_NAMES",
    "DimensionDocument",
    "DimensionText",
    "Document",
    "FormDocument",
    "FormTextDocument",
    "InstrumentDocument",
    "ItemDocument",
    "LocaleDocument",
    "PackageDocument",
    "PackagePartDocument",
    "PackagesDocument",
    "RollupDocument",
    "RollupPartDocument",
    "RollupsDocument",
    "ScaleDocument",
    "TargetDocument",
]

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Strict(False)]
"""A list of the file, kept as a tuple; the entries themselves stay strict."""
AtLeastOne = Annotated[tuple[T, ...], Strict(False), Field(min_length=1)]

# Windows opens a device for these names, whatever their folder and suffix.
DEVICE_NAMES = frozenset(["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))])


def _no_device(name: str) -> str:
    if name in DEVICE_NAMES:
        raise PydanticCustomError("device_name", "this is the name of a device on Windows")
    return name


Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,63}$"), AfterValidator(_no_device)]
SnakeIdentifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
ItemCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)+$", max_length=64)]
LanguageCode = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"), AfterValidator(_no_device)
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
OptionalText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
# Codes from -128 to -123 stand for missing reasons where answers are held.
ScaleCode = Annotated[int, Field(ge=-99, le=127)]
MissingReason = Literal["not_applicable", "dont_know", "refused"]
OptionCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Reference = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z][a-z0-9_-]*/[a-z][a-z0-9_]*|[a-z][a-z0-9]*(_[a-z0-9]+)+)$", max_length=128),
]


class Document(BaseModel):
    """Base of every document: frozen, without unknown keys, without conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ScaleDocument(Document):
    """A response scale: ``_scales/<id>.yaml``, or an entry of an instrument's own ``scales``."""

    id: Identifier
    codes: Annotated[tuple[ScaleCode, ...], Strict(False), Field(min_length=2)]
    labels: Annotated[dict[LanguageCode, dict[ScaleCode, Text]], Field(min_length=1)]
    missing: dict[LanguageCode, dict[MissingReason, Text]] = {}
    aliases: dict[LanguageCode, dict[ScaleCode, Many[Text]]] = {}


class FormDocument(Document):
    """A form of an instrument; without ``items`` and ``dimensions`` it holds every item."""

    id: Identifier
    rater: Rater
    reference_period: OptionalText = ""
    wording: Identifier | None = None
    scales: dict[SnakeIdentifier, Identifier] = {}
    short_of: Identifier | None = None
    items: AtLeastOne[ItemCode] | None = None
    dimensions: AtLeastOne[SnakeIdentifier] | None = None


class ItemDocument(Document):
    """What scoring needs to know of an item, and where its content comes from."""

    code: ItemCode
    reverse_keyed: bool = False
    in_score: bool = True
    scale: Identifier | None = None
    facet: OptionalText = ""
    source: OptionalText = ""
    evidence: Literal["S", "S~", "I"] = "I"


class TargetDocument(Document):
    """What a dimension should reach, in points of health (high is good), and who says so."""

    points: Annotated[float, Field(ge=0, le=100)]
    source: Text


class DimensionDocument(Document):
    """A construct and its items; ``scale`` is the default of its items."""

    id: SnakeIdentifier
    direction: Direction
    measurement: Measurement
    minimum_answered: Annotated[float, Field(gt=0, le=1)] = 2 / 3
    scale: Identifier | None = None
    block: OptionalText = ""
    target: TargetDocument | None = None
    items: AtLeastOne[ItemDocument]


class InstrumentDocument(Document):
    """``instrument.yaml``: structure, keys, scales and sources; the texts are in ``locale/``."""

    id: Identifier
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,15}$")]
    status: Text = "not yet validated"
    license: OptionalText = ""
    original_language: LanguageCode = "en"
    sources: Many[Text] = ()
    notes: Many[Text] = ()
    scales: Many[ScaleDocument] = ()
    forms: AtLeastOne[FormDocument]
    dimensions: AtLeastOne[DimensionDocument]


class FormTextDocument(Document):
    """What the respondent reads around the items; ``stems`` maps a dimension id or ``default`` to its lead-in."""

    title: Text
    instruction: OptionalText = ""
    stems: dict[SnakeIdentifier, Text] = {}


class DimensionText(Document):
    """Name and meaning of a dimension, as reports print them."""

    title: Text
    definition: OptionalText = ""


class LocaleDocument(Document):
    """``locale/<language>.yaml``: every text of an instrument in one language."""

    language: LanguageCode
    status: Literal["original", "working translation", "reviewed translation"]
    title: Text
    definition: OptionalText = ""
    forms: dict[Identifier, FormTextDocument]
    dimensions: dict[SnakeIdentifier, DimensionText]
    items: dict[ItemCode, dict[Identifier, Text]]


class PackagePartDocument(Document):
    """One instrument of a package, in one form; without ``items`` all of that form."""

    instrument: Identifier
    form: Identifier
    items: AtLeastOne[ItemCode] | None = None


class PackageDocument(Document):
    """Instruments that are fielded together."""

    id: Identifier
    title: Text
    parts: AtLeastOne[PackagePartDocument]


class PackagesDocument(Document):
    """``_packages.yaml``."""

    packages: AtLeastOne[PackageDocument]


class BackgroundFieldDocument(Document):
    """A question about the respondent, or a label that the survey sets, shared by all instruments."""

    id: SnakeIdentifier
    kind: Literal["choice", "number", "text"]
    set_by: Literal["respondent", "survey"] = "respondent"
    raters: AtLeastOne[Rater]
    optional: bool = False
    ordered: bool = False
    minimum: int | None = None
    maximum: int | None = None
    shown_if: dict[SnakeIdentifier, AtLeastOne[OptionCode]] = {}
    title: Annotated[dict[LanguageCode, Text], Field(min_length=1)]
    question: dict[LanguageCode, Text] = {}
    options: dict[OptionCode, Annotated[dict[LanguageCode, Text], Field(min_length=1)]] = {}
    why: Text
    identifiability: Text


class BackgroundDocument(Document):
    """``_background.yaml``."""

    fields: AtLeastOne[BackgroundFieldDocument]


class RollupPartDocument(Document):
    """One side of a roll-up: dimensions (``instrument/dimension``) and item codes."""

    id: SnakeIdentifier
    title: Annotated[dict[LanguageCode, Text], Field(min_length=1)]
    references: AtLeastOne[Reference]


class RollupDocument(Document):
    """Dimensions of several instruments that are read together."""

    id: Identifier
    title: Annotated[dict[LanguageCode, Text], Field(min_length=1)]
    source: Text
    evidence: Literal["S", "S~", "I"]
    notes: Many[Text] = ()
    parts: AtLeastOne[RollupPartDocument]


class RollupsDocument(Document):
    """``_rollups.yaml``."""

    rollups: AtLeastOne[RollupDocument]
