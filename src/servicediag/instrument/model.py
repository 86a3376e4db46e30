"""The instrument as a value: scales, items, dimensions, forms and their texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from servicediag.results import as_html

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Dimension",
    "Direction",
    "Form",
    "FormText",
    "Instrument",
    "Item",
    "Locale",
    "Measurement",
    "MISSING_REASONS",
    "Rater",
    "Scale",
    "Target",
]

Direction = Literal["strength", "weakness"]
Measurement = Literal["reflective", "formative", "ordered_stages", "non_compensatory", "single"]
Rater = Literal[
    "customer", "employee", "supervisor", "mystery_shopper", "auditor", "leader", "hr", "peer", "internal_customer"
]
T = TypeVar("T")
MISSING_REASONS = ("blank", "not_applicable", "dont_know", "refused", "declared", "unreadable")


@dataclass(frozen=True)
class Scale:
    """A response scale: its codes in order, and its labels in every language.

    Attributes
    ----------
    codes : tuple of int
        The substantive codes in ascending order.
    labels : mapping language -> {code: label}
    missing : mapping language -> {missing reason: label}
        Options that are offered to respondents and mean "no answer" (``not_applicable``, ``dont_know``, ``refused``).
    aliases : mapping language -> {code: (other spellings accepted when a file is read)}
    """

    id: str
    codes: tuple[int, ...]
    labels: Mapping[str, Mapping[int, str]]
    missing: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    aliases: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def minimum(self) -> int:
        return self.codes[0]

    @property
    def maximum(self) -> int:
        return self.codes[-1]


@dataclass(frozen=True)
class Item:
    """A question: the bounds and key that scoring uses, and where its content comes from.

    Attributes
    ----------
    minimum, maximum : int
        Declared bounds of the response scale of the instrument's first form.
    reverse_keyed : bool
        Whether a high raw code means less of the dimension.
    in_score : bool
        Whether the item counts in the dimension's score; an item that does not is reported by itself.
    evidence : {"S", "S~", "I"}
        Stated by the source, implied by it, or the authors' inference.
    """

    code: str
    dimension: str
    scale: str
    minimum: int
    maximum: int
    reverse_keyed: bool = False
    in_score: bool = True
    facet: str = ""
    source: str = ""
    evidence: str = "I"


@dataclass(frozen=True)
class Target:
    """What a dimension should reach, in points of health (0 to 100, high is good), and who says so."""

    points: float
    source: str


@dataclass(frozen=True)
class Dimension:
    """A construct that is scored from its items.

    Attributes
    ----------
    direction : {"strength", "weakness"}
        Whether a high score is good or bad.
    measurement : str
        ``reflective`` dimensions have a reliability; ``formative`` ones are reported item by item.
    minimum_answered : float
        Share of the scored items that a respondent must answer for a score, 0 to 1.
    block : str
        Name of the block of the questionnaire that the dimension belongs to, e.g. ``"state"``.
    target : Target or None
        Declared by the author of the questionnaire; a diagnosis without targets of its own is judged against it.
    """

    id: str
    title: str
    direction: Direction
    measurement: Measurement
    items: tuple[Item, ...]
    minimum_answered: float = 2 / 3
    block: str = ""
    definition: str = ""
    target: Target | None = None

    @property
    def scored_items(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.in_score)


@dataclass(frozen=True)
class Form:
    """One version of the questionnaire for one kind of rater."""

    id: str
    rater: Rater
    items: tuple[str, ...]
    wording: str
    scales: Mapping[str, str] = field(default_factory=dict)
    reference_period: str = ""
    short_of: str | None = None


@dataclass(frozen=True)
class FormText:
    """Respondent-facing frame of a form; ``stems`` maps a dimension id, or ``"default"``, to its lead-in."""

    title: str
    instruction: str
    stems: Mapping[str, str]


@dataclass(frozen=True)
class Locale:
    """All texts of an instrument in one language; ``items`` maps item code -> {wording id: text}."""

    language: str
    status: str
    title: str
    definition: str
    forms: Mapping[str, FormText]
    dimensions: Mapping[str, tuple[str, str]]
    items: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, repr=False)
class Instrument:
    """A questionnaire: the single source of truth for bounds, keys, directions, categories and texts.

    Attributes
    ----------
    id, version, title : str
    languages : tuple of str
        The original language first.
    forms : tuple of Form
    dimensions : tuple of Dimension
    scales : mapping of scale id -> Scale
    status : str
        State of validation, printed wherever the instrument is.
    content_hash : str
        SHA-256 of the files it was read from.
    """

    id: str
    version: str
    title: str
    languages: tuple[str, ...]
    forms: tuple[Form, ...]
    dimensions: tuple[Dimension, ...]
    scales: Mapping[str, Scale]
    locales: Mapping[str, Locale]
    status: str = "not yet validated"
    license: str = ""
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    content_hash: str = ""

    def __repr__(self) -> str:
        return f"Instrument(id={self.id!r}, version={self.version!r}, n_items={len(self.items)})"

    def _repr_html_(self) -> str:
        import pandas as pd

        rows = [(d.id, d.title, d.direction, len(d.items)) for d in self.dimensions]
        table = pd.DataFrame(rows, columns=["dimension", "title", "direction", "n_items"])
        return as_html(f"{self.title} ({self!r})", table)

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for dimension in self.dimensions for item in dimension.items)

    def dimension(self, dimension_id: str) -> Dimension:
        return _find(self.dimensions, "id", dimension_id, f"dimension of {self.id}")

    def form(self, form_id: str | None = None) -> Form:
        """The form of that id; without one, the first."""
        return self.forms[0] if form_id is None else _find(self.forms, "id", form_id, f"form of {self.id}")

    def item(self, code: str) -> Item:
        return _find(self.items, "code", code, f"item of {self.id}")

    def form_items(self, form: str | None = None) -> tuple[Item, ...]:
        wanted = set(self.form(form).items)
        return tuple(item for item in self.items if item.code in wanted)

    def scale(self, code: str, form: str | None = None) -> Scale:
        """The response scale of an item, which a form may override (a mystery shopper ticks yes, partly, no)."""
        item = self.item(code)
        return self.scales[self.form(form).scales.get(code, item.scale)]

    def text(self, code: str, form: str | None = None, language: str = "en") -> str:
        """The wording of an item as a respondent of that form reads it."""
        item = self.item(code)
        chosen = self.form(form)
        if code not in chosen.items:
            raise ValueError(f"code={item.code!r} is not part of form {chosen.id!r} of {self.id}")
        return self._locale(language).items[code][chosen.wording]

    def stem(self, code: str, form: str | None = None, language: str = "en") -> str:
        """The lead-in above the item's block."""
        stems = self._locale(language).forms[self.form(form).id].stems
        return stems.get(self.item(code).dimension, stems.get("default", ""))

    def options(self, code: str, form: str | None = None, language: str = "en") -> dict[int, str]:
        """The response options of an item in order, ``{code: label}``; "no answer" options are left out."""
        self._locale(language)
        return dict(self.scale(code, form).labels[language])

    def missing_options(self, code: str, form: str | None = None, language: str = "en") -> dict[str, str]:
        """The options of an item that mean "no answer", ``{missing reason: label}``."""
        self._locale(language)
        return dict(self.scale(code, form).missing.get(language, {}))

    def to_frame(self, form: str | None = None, language: str = "en") -> pd.DataFrame:
        """A row an item of a form: code, dimension, text, options, key, bounds, facet, source and evidence tag."""
        import pandas as pd

        locale = self._locale(language)
        rows = []
        for item in self.form_items(form):
            scale = self.scale(item.code, form)
            rows.append(
                {
                    "code": item.code,
                    "dimension": item.dimension,
                    "dimension_title": locale.dimensions[item.dimension][0],
                    "text": self.text(item.code, form, language),
                    "scale": scale.id,
                    "options": "; ".join(f"{code} {label}" for code, label in scale.labels[language].items()),
                    "reverse_keyed": item.reverse_keyed,
                    "minimum": scale.minimum,
                    "maximum": scale.maximum,
                    "in_score": item.in_score,
                    "facet": item.facet,
                    "source": item.source,
                    "evidence": item.evidence,
                }
            )
        return pd.DataFrame(rows)

    def _locale(self, language: str) -> Locale:
        if language not in self.locales:
            raise ValueError(f"language={language!r} is not available for {self.id}; choose from {self.languages}")
        return self.locales[language]


def _find(values: tuple[T, ...], attribute: str, wanted: str, what: str) -> T:
    for value in values:
        if getattr(value, attribute) == wanted:
            return value
    choices = ", ".join(str(getattr(value, attribute)) for value in values)
    raise ValueError(f"{wanted!r} is not a {what}; choose from {choices}")
