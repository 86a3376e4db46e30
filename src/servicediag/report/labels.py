"""What the reader sees instead of codes and raw numbers: titles, raters, signs, intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.report.publication import blank_to_none
from servicediag.wording import numbers
from servicediag.wording.catalogue import has_text, text
from servicediag.wording.telling import Separator, joined

if TYPE_CHECKING:
    from servicediag.instrument.background import BackgroundField

__all__ = ["Labels"]

_SHOWN_AS = {"points": "signed", "probability": "probability", "share": "percent", "value": "number"}
_REFERENCE = re.compile(r"\b([a-z][a-z0-9-]*)/([a-z][a-z0-9_]*)")
_SLUG = re.compile(r"[^a-z0-9]+")
_RATER = re.compile(r"\s*\(([a-z_]+)\)")


@dataclass(frozen=True)
class Labels:
    """Titles of a diagnosis in one language.

    Attributes
    ----------
    dimensions : mapping of (instrument, dimension) -> title
    instruments : mapping of instrument id -> title
    """

    language: str
    dimensions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    instruments: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, diagnosis: Diagnosis, language: str | None = None) -> Labels:
        evidence = diagnosis.evidence
        known = evidence.dropna(subset=["title"])
        dimensions = dict(zip(zip(known["instrument"], known["dimension"], strict=True), known["title"], strict=True))
        parts = [part for part in diagnosis.study.get("parts") or () if isinstance(part, Mapping)]
        instruments = {str(p["instrument"]): str(p["title"]) for p in parts if p.get("instrument") and p.get("title")}
        return cls(language or diagnosis.language, dimensions, instruments)

    def say(self, key: str, /, **values: Any) -> str:
        """A fixed text of the report."""
        return text(f"report.{key}", self.language, **values)

    def joined(self, separator: Separator, parts: Iterable[str]) -> str:
        """Sentences, entries or names one after the other, as the language sets them."""
        return str(joined(separator, parts, self.language))

    def marks(self) -> dict[str, str]:
        """The marks between parts of a line, for templates."""
        marks = {name: self.say(f"mark.{name}") for name in ("comma", "semicolon", "stop", "open", "close")}
        return {**marks, "colon": self.colon("", "")}

    def clauses(self, parts: Iterable[str]) -> str:
        """Parts of one line with commas between them."""
        return self.say("mark.comma").join(parts)

    def aside(self, main: str, aside: str) -> str:
        """What it is about, and what stands in brackets behind it."""
        return f"{main}{self.say('mark.open')}{aside}{self.say('mark.close')}"

    def colon(self, first: str, second: str) -> str:
        """What it is about, a colon, and what is said of it."""
        return f"{first}{numbers.number_format(self.language).colon}{second}"

    def number(self, value: Any, decimals: int = 1) -> str:
        """A number as the language writes it; empty text where there is none."""
        return numbers.number(blank_to_none(value), decimals, self.language)

    def signed(self, value: Any, decimals: int = 1) -> str:
        """A difference with its sign."""
        return numbers.signed(blank_to_none(value), decimals, self.language)

    def percent(self, value: Any) -> str:
        """A share of 0 to 1 as a percentage."""
        return numbers.percent(blank_to_none(value), self.language)

    def probability(self, value: Any) -> str:
        """A probability that never reads as certain."""
        return numbers.probability(blank_to_none(value), self.language)

    def unit(self, unit: str | None) -> str:
        return self.say("whole_organisation") if unit is None else str(unit)

    def within(self, unit: str | None) -> str:
        """The unit as it reads within a sentence, where a bare number would read as a value."""
        if unit is None:
            return self.say("within_whole_organisation")
        named = any(character.isalpha() for character in str(unit))
        return str(unit) if named else text("finding.numbered_unit", self.language, unit=unit)

    def dimension(self, instrument: str | None, dimension: str | None) -> str:
        if dimension is None:
            return ""
        return self.dimensions.get((instrument or "", dimension), _words(dimension))

    def instrument(self, instrument: str | None) -> str:
        return "" if instrument is None else self.instruments.get(instrument, _words(instrument))

    def value(self, column: str, code: Any) -> str:
        """The word for a coded value, or the value itself where the report has no word for it."""
        code = blank_to_none(code)
        if code is None:
            return ""
        key = f"report.value.{column}.{str(code).replace(' ', '_')}"
        if has_text(key, self.language):
            return text(key, self.language)
        return self._stage(str(code)) if column == "verdict" else str(code)

    def _stage(self, code: str) -> str:
        """The stage that an index has reached: a sign of the negative cycle, or a dimension."""
        key = f"report.index.negative_cycle.part.{code}"
        if has_text(key, self.language):
            return text(key, self.language)
        return next((title for (_, dimension), title in self.dimensions.items() if dimension == code), code)

    def background(self, field: str) -> str:
        """Title of a background field."""
        known = _background_fields().get(field)
        return known.title.get(self.language, known.title["en"]) if known is not None else _words(field)

    def category(self, field: str, category: Any) -> str:
        """The option of a background field in words."""
        known = _background_fields().get(field)
        options = known.options.get(str(category), {}) if known is not None else {}
        return str(options.get(self.language) or options.get("en") or category)

    def index(self, name: Any) -> str:
        """The title of an index."""
        key = f"report.index.{name}.title"
        return text(key, self.language) if has_text(key, self.language) else _words(name)

    def part(self, index: str, part: Any) -> str:
        """A part of an index in words; dimensions within it by their titles."""
        code = blank_to_none(part)
        if code is None:
            return ""
        for name in (str(code).replace(" ", "_"), _SLUG.sub("_", str(code))):
            if has_text(f"report.index.{index}.part.{name}", self.language):
                return self.say(f"index.{index}.part.{name}")
        return self._composed(index, str(code))

    def _composed(self, index: str, code: str) -> str:
        """A part that names a dimension, a facet, and by what or since when it is told."""
        for kind, name in (("by", "background"), ("since", "wave")):
            what, found, rest = code.rpartition(f" {kind} ")
            if found and _REFERENCE.match(what):
                about = self.background(rest) if kind == "by" else rest
                return self.say(f"index_part.{kind}", what=self._composed(index, what), **{name: about})
        facet, found, side = code.partition(": ")
        if found and has_text(f"report.index.{index}.facet.{facet}", self.language):
            told = self.say(f"index.{index}.facet.{facet}"), self.say(f"index.{index}.side.{side}")
            return self.say("index_part.facet", facet=told[0], side=told[1])
        named = _REFERENCE.sub(lambda found: self.dimension(found[1], found[2]), code)
        return _RATER.sub(lambda found: self.aside("", self.value("rater", found[1])), named)

    def column(self, name: str) -> str:
        key = f"report.column.{name}"
        return text(key, self.language) if has_text(key, self.language) else _words(name)

    def estimate(self, finding: Finding) -> str:
        """The estimate with its unit and interval, e.g. ``−18.2 points (−24.1 to −12.0)``."""
        main, show = self.size(finding), getattr(self, _SHOWN_AS[finding.metric])
        if finding.estimate is None or finding.ci_low is None or finding.ci_high is None:
            return main
        return self.say("estimate.with_interval", estimate=main, low=show(finding.ci_low), high=show(finding.ci_high))

    def size(self, finding: Finding) -> str:
        """The estimate with its unit, without the interval."""
        if finding.estimate is None:
            return self.say("no_estimate")
        shown = getattr(self, _SHOWN_AS[finding.metric])(finding.estimate)
        return self.say(f"estimate.{finding.metric}", value=shown)

    def place(self, finding: Finding) -> str:
        """Where and on what: unit, dimension, who rated, wave."""
        parts = [self.unit(finding.unit)]
        if finding.dimension is not None:
            parts.append(self.dimension(finding.instrument, finding.dimension))
        if finding.rater is not None:
            parts.append(self.say("rated_by", rater=self.value("rater", finding.rater)))
        if finding.wave is not None:
            parts.append(str(finding.wave))
        return " · ".join(parts)


@cache
def _background_fields() -> Mapping[str, BackgroundField]:
    # not at the top: only reports with background fields read the catalogue
    from servicediag.instrument.background import load_background

    return {field.id: field for field in load_background()}


def _words(code: str) -> str:
    words = str(code).replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]
