"""A finding before the gate, with what ranks it; and the small helpers every kind of gap shares."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import Finding, FindingKind, Tier
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import benjamini_hochberg
from servicediag.instrument.model import Instrument
from servicediag.wording.telling import Term, sentence

__all__ = [
    "Draft", "Titles", "changed", "dimension_title", "finding_id", "instrument_title", "item_text", "name_or_none",
    "rater_group", "share_tiers",
]  # fmt: skip

Value = TypeVar("Value")


def changed(value: Value, **changes: object) -> Value:
    """A frozen value with slots and other contents, as by ``dataclasses.replace``.

    A finding has over thirty fields, and there may be ten thousands of findings: contents are taken over all at once.
    """
    kind: Any = type(value)
    names, contents = _fields(kind)
    made: Value = object.__new__(kind)
    for name, content in zip(names, contents(value), strict=True):
        object.__setattr__(made, name, content)
    for name, content in changes.items():
        object.__setattr__(made, name, content)
    return made


@lru_cache(maxsize=8)
def _fields(kind: Any) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    """Names of the fields of a kind of value, and what gives their contents."""
    names = tuple(field.name for field in fields(kind))
    return names, attrgetter(*names)


@dataclass(frozen=True, slots=True)
class Draft:
    """A finding and its expected loss in points of health, by which findings are ranked within a tier."""

    finding: Finding
    loss: float = 0.0
    values: tuple[tuple[str, object], ...] = ()

    def with_finding(self, **changes: object) -> Draft:
        return Draft(changed(self.finding, **changes), self.loss, self.values)


@dataclass(frozen=True)
class Titles:
    """Readable names of dimensions and items, from the instruments, in all languages that these have."""

    evidence: Evidence
    _known: dict[tuple[str, ...], str] = field(default_factory=dict, compare=False, repr=False)

    def instrument(self, instrument: str) -> str:
        return instrument_title(self.evidence.instruments[instrument])

    def dimension(self, instrument: str, dimension: str) -> str:
        key = (instrument, dimension)
        if key not in self._known:
            self._known[key] = dimension_title(self.evidence.instruments[instrument], dimension)
        return self._known[key]

    def item(self, instrument: str, code: str, form: str) -> str:
        return item_text(self.evidence.instruments[instrument], code, form)

    def options(self, instrument: str, code: str, form: str) -> dict[int, str]:
        """The answers to an item, from the lowest code to the highest."""
        labels = self.evidence.instruments[instrument].scale(code, form).labels
        first = _first(labels)
        return {
            option: Term(label, {language: texts[option] for language, texts in labels.items() if option in texts})
            for option, label in labels[first].items()
        }

    def raters(self, instrument: str, form: str) -> str:
        return rater_group(self.evidence.instruments[instrument].form(form).rater)


@lru_cache(maxsize=64)
def rater_group(rater: str) -> str:
    """A group of raters as it reads within a sentence."""
    return sentence(f"finding.raters.{rater}")


def instrument_title(instrument: Instrument) -> Term:
    return Term(instrument.title, {language: locale.title for language, locale in instrument.locales.items()})


def dimension_title(instrument: Instrument, dimension: str) -> Term:
    texts = {language: locale.dimensions[dimension][0] for language, locale in instrument.locales.items()}
    return Term(instrument.dimension(dimension).title, texts)


def item_text(instrument: Instrument, code: str, form: str) -> Term:
    """The question as a respondent of that form reads it."""
    wording = instrument.form(form).wording
    texts = {language: locale.items[code][wording] for language, locale in instrument.locales.items()}
    return Term(instrument.text(code, form, _first(texts)), texts)


def _first(texts: Mapping[str, object]) -> str:
    """English, or the language that an instrument has instead."""
    return "en" if "en" in texts else next(iter(texts))


def finding_id(kind: FindingKind, *about: object) -> str:
    """Stable identifier: a hash of what the finding is about, not of its numbers."""
    text = "|".join([kind, *("" if part is None else str(part) for part in about)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def name_or_none(value: str) -> str | None:
    return None if value == WHOLE else value


def share_tiers(shares: pd.DataFrame, settings: Settings) -> list[Tier]:
    """Tier of "more than the criterion" for each row (``n``, ``share``), corrected over the rows.

    One-sided score test against the criterion (Wilson, 1927), Benjamini-Hochberg over the family of rows.
    """
    from scipy.special import ndtr

    criterion = settings.share_criterion
    error = np.sqrt(criterion * (1 - criterion) / shares["n"].to_numpy(float))
    q = benjamini_hochberg(ndtr(-(shares["share"].to_numpy(float) - criterion) / error))
    tiers: list[Tier] = []
    for value, n in zip(q, shares["n"], strict=True):
        if value <= settings.established_error_rate and n >= settings.established_n:
            tiers.append("established")
        else:
            tiers.append("likely" if value <= settings.likely_error_rate else "watch")
    return tiers
