"""Ids of questionnaires, dimensions, questions and records in sentences, told by their titles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import groupby

from servicediag.diagnosis.rule_loading import read_rules
from servicediag.instrument.background import load_background
from servicediag.instrument.catalogue import instrument_ids, instruments_root, load_instrument
from servicediag.instrument.model import Instrument, Locale
from servicediag.wording.catalogue import languages, text
from servicediag.wording.telling import joined, retold

__all__ = ["spelled"]

_WORD = re.compile(r"[A-Za-z0-9_/-]+")
_BRACKETED = re.compile(r"\s*[(（]([a-z-]+)[)）]")
_MOST_NAMES = 3
_CASES = "_n"
"""Ends the name of the column with the number of cases behind a record."""
_COMPOSED = re.compile(r"[a-z][/_-][a-z]")


@lru_cache(maxsize=10_000)
def spelled(sentence: str, language: str) -> str:
    """The sentence with ids of the catalogue in words; what the catalogue does not know stays as it is.

    Examples
    --------
    >>> spelled("Not measured: readiness/want, readiness/can.", "en")
    "Not measured: 'Want', 'Can' (Know, want and can)."
    """
    if language == "en" and not _COMPOSED.search(sentence):
        return sentence
    sentence = _BRACKETED.sub(lambda found: "" if found[1] in _instruments() else found[0], sentence)
    told, end = [], 0
    for first, last in _listed(sentence):
        after_colon = sentence[:first].endswith(": ")
        told += [sentence[end:first], _told(sentence[first:last], language, after_colon=after_colon)]
        end = last
    return "".join((*told, sentence[end:]))


def _listed(sentence: str) -> list[tuple[int, int]]:
    """Where words, or several with nothing but a comma and a space between them, begin and end."""
    places: list[tuple[int, int]] = []
    for found in _WORD.finditer(sentence):
        first, last = found.span()
        if places and sentence[places[-1][1] : first] == ", ":
            first = places.pop()[0]
        places.append((first, last))
    return places


def _told(listed: str, language: str, *, after_colon: bool) -> str:
    """Words or ids with commas between them: of ids that follow each other the titles, behind them their origin."""
    words = listed.split(", ")
    # a questionnaire whose id is a common word is one in a list of ids, or alone behind a colon
    sure = any(_is_known(word, language) for word in words) or (after_colon and len(words) == 1)
    entries: list[str] = []
    for known, run in groupby(words, key=lambda word: _is_known(word, language) or (sure and word in _instruments())):
        names = list(run)
        entries += [_titles(names, language)] if known else names
    return ", ".join(entries)


def _titles(ids: list[str], language: str) -> str:
    groups: dict[str, list[str]] = {}
    for questionnaire, name in (_named(entry, language) for entry in ids):
        groups.setdefault(questionnaire, []).append(name)
    opened, closed = (text(f"report.mark.{name}", language) for name in ("open", "close"))
    told = ((joined("names", _shortened(names, language), language), f"{opened}{group}{closed}" if group else "")
            for group, names in groups.items())  # fmt: skip
    return str(joined("list", (names + behind for names, behind in told), language))


def _shortened(names: list[str], language: str) -> list[str]:
    """The first names, and how many more there are."""
    more = len(names) - _MOST_NAMES
    return names if more < 2 else [*names[:_MOST_NAMES], text("report.count.entries_more", language, count=more)]


def _is_known(entry: str, language: str) -> bool:
    # English calls some records by their ids
    if language == "en" and not _COMPOSED.search(entry):
        return False
    instrument, _, dimension = entry.partition("/")
    if dimension:
        return instrument in _instruments() and dimension in _locale(_instruments()[instrument], "en").dimensions
    if entry in _items() or entry in _records() or entry.removesuffix(_CASES) in _indicators():
        return True
    return "-" in entry and entry in _instruments()


def _named(entry: str, language: str) -> tuple[str, str]:
    """The title of the questionnaire, and of what is named in it; questionnaires and records stand alone."""
    instrument, _, dimension = entry.partition("/")
    if dimension:
        locale = _locale(_instruments()[instrument], language)
        return locale.title, text("finding.quote.title", language, title=locale.dimensions[dimension][0])
    if entry in _items():
        locale = _locale(_items()[entry], language)
        return locale.title, text("finding.quote.item", language, text=next(iter(locale.items[entry].values())))
    if entry in _records():
        titles = _records()[entry]
        return "", text("finding.quote.title", language, title=titles.get(language, titles["en"]))
    if entry.removesuffix(_CASES) in _indicators():
        return "", text("report.cases_of", language)
    return "", text("finding.quote.title", language, title=_locale(_instruments()[entry], language).title)


def _locale(instrument: Instrument, language: str) -> Locale:
    return instrument.locales.get(language) or instrument.locales["en"]


@cache
def _instruments() -> Mapping[str, Instrument]:
    return {name: load_instrument(name) for name in instrument_ids(instruments_root())}


@cache
def _items() -> Mapping[str, Instrument]:
    return {item.code: instrument for instrument in _instruments().values() for item in instrument.items}


@cache
def _records() -> Mapping[str, Mapping[str, str]]:
    """Titles of operations data and background fields."""
    return {**{field.id: field.title for field in load_background()}, **_indicators()}


@cache
def _indicators() -> Mapping[str, Mapping[str, str]]:
    return {one.id: {name: retold(one.title, name) for name in languages()} for one in read_rules().indicators}
