"""What the reader sees instead of codes and raw numbers: titles, raters, signs, intervals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.report.publication import blank_to_none
from servicediag.wording.catalogue import has_text, text

if TYPE_CHECKING:
    from servicediag.instrument.background import BackgroundField

__all__ = ["Labels", "number", "percent", "probability", "signed"]

MINUS = "\N{MINUS SIGN}"
_REFERENCE = re.compile(r"\b([a-z][a-z0-9-]*)/([a-z][a-z0-9_]*)")
_RATER = re.compile(r"\(([a-z_]+)\)")


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
    def of(cls, diagnosis: Diagnosis, language: str) -> Labels:
        evidence = diagnosis.evidence
        known = evidence.dropna(subset=["title"])
        dimensions = dict(zip(zip(known["instrument"], known["dimension"], strict=True), known["title"], strict=True))
        parts = [part for part in diagnosis.study.get("parts") or () if isinstance(part, Mapping)]
        instruments = {str(p["instrument"]): str(p["title"]) for p in parts if p.get("instrument") and p.get("title")}
        return cls(language, dimensions, instruments)

    def say(self, key: str, /, **values: Any) -> str:
        """A fixed text of the report."""
        return text(f"report.{key}", self.language, **values)

    def unit(self, unit: str | None) -> str:
        return self.say("whole_organisation") if unit is None else str(unit)

    def within(self, unit: str | None) -> str:
        """The unit as it reads within a sentence."""
        return self.say("within_whole_organisation") if unit is None else str(unit)

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
        return text(key, self.language) if has_text(key, self.language) else str(code)

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
        key = f"report.index.{index}.part.{str(code).replace(' ', '_')}"
        if has_text(key, self.language):
            return text(key, self.language)
        named = _REFERENCE.sub(lambda found: self.dimension(found[1], found[2]), str(code))
        return _RATER.sub(lambda found: f"({self.value('rater', found[1])})", named)

    def column(self, name: str) -> str:
        key = f"report.column.{name}"
        return text(key, self.language) if has_text(key, self.language) else _words(name)

    def estimate(self, finding: Finding) -> str:
        """The estimate with its unit and interval, e.g. ``−18.2 points (−24.1 to −12.0)``."""
        main, show = self.size(finding), _SHOW[finding.metric]
        if finding.estimate is None or finding.ci_low is None or finding.ci_high is None:
            return main
        return self.say("estimate.with_interval", estimate=main, low=show(finding.ci_low), high=show(finding.ci_high))

    def size(self, finding: Finding) -> str:
        """The estimate with its unit, without the interval."""
        if finding.estimate is None:
            return self.say("no_estimate")
        return self.say(f"estimate.{finding.metric}", value=_SHOW[finding.metric](finding.estimate))

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


def number(value: Any, decimals: int = 1) -> str:
    """A number with a true minus sign; empty text where there is none.

    Examples
    --------
    >>> number(-3.14159), number(None), number(-0.04)
    ('−3.1', '', '0.0')
    """
    value = blank_to_none(value)
    if value is None:
        return ""
    shown = f"{value:.{decimals}f}"
    if not shown.strip("-0."):
        shown = shown.lstrip("-")
    return shown.replace("-", MINUS)


def signed(value: Any, decimals: int = 1) -> str:
    """A difference with its sign.

    Examples
    --------
    >>> signed(4), signed(-4), signed(0.0)
    ('+4.0', '−4.0', '0.0')
    """
    shown = number(value, decimals)
    return f"+{shown}" if shown.strip("0.") and not shown.startswith(MINUS) else shown


def percent(value: Any) -> str:
    """A share of 0 to 1 as a percentage.

    Examples
    --------
    >>> percent(0.284)
    '28%'
    """
    value = blank_to_none(value)
    return "" if value is None else f"{number(100 * value, 0)}%"


def probability(value: Any) -> str:
    """A probability that never reads as certain: not above ``> 0.99`` and not below ``< 0.01``.

    Examples
    --------
    >>> probability(0.9983), probability(0.25), probability(0.0004)
    ('> 0.99', '0.25', '< 0.01')
    """
    value = blank_to_none(value)
    if value is None:
        return ""
    if value > 0.99:
        return "> 0.99"
    return "< 0.01" if value < 0.01 else f"{value:.2f}"


_SHOW: dict[str, Callable[[Any], str]] = {"points": signed, "probability": probability, "share": percent}


def _words(code: str) -> str:
    words = str(code).replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]
