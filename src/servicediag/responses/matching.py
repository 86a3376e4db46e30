"""Finds the column of every item: by mapping, by item code, or by the exact text of the question; never by position."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from servicediag.errors import Issue
from servicediag.instrument.model import Instrument
from servicediag.responses.normalise import normal_code, normal_text
from servicediag.responses.readers import Table

__all__ = ["ItemTexts", "Match", "MatchMethod", "close_names", "find_column", "match_columns"]

MatchMethod = Literal["mapping", "code", "text", "prefix", "suggested"]
ItemKey = tuple[str, str]
Reading = tuple[str, str]

_SEPARATOR = re.compile(r"\s[-\u2010-\u2015|/]\s|>>|\u2014|\s?::\s?")
_BRACKETS = re.compile(r"\[([^\[\]]{1,2000})\]")
_LEADING_NUMBER = re.compile(r"[(\[]?(?:q|question|item)?\s?[0-9]{1,3}(?:[._-][0-9]{1,3})?\s?[)\].:,、-]{0,3}\s?")
_LEADING_CODE = re.compile(r"[(\[]?([A-Za-z][\w.]{2,60}[0-9])(?=[\s.:)\]-]|$)")
_LONGEST_HEADING = 2_000


@dataclass(frozen=True)
class Match:
    """The column that holds an item.

    Attributes
    ----------
    readings : frozenset of (wording, language)
        In which wordings and languages the heading is the item's text; empty where only the code was seen.
    """

    column: int
    instrument: str
    item: str
    method: MatchMethod
    readings: frozenset[Reading] = frozenset()


@dataclass(frozen=True)
class ItemTexts:
    """Every code and text by which the items of some instruments can be recognised."""

    codes: Mapping[str, frozenset[ItemKey]]
    texts: Mapping[str, Mapping[ItemKey, frozenset[Reading]]] = field(repr=False)
    order: tuple[str, ...]

    @classmethod
    def of(cls, instruments: Sequence[Instrument]) -> ItemTexts:
        codes: dict[str, set[ItemKey]] = {}
        texts: dict[str, dict[ItemKey, set[Reading]]] = {}
        for instrument in instruments:
            for item in instrument.items:
                codes.setdefault(normal_code(item.code), set()).add((instrument.id, item.code))
            for language, locale in instrument.locales.items():
                for code, wordings in locale.items.items():
                    for wording, text in wordings.items():
                        found = texts.setdefault(normal_text(text), {})
                        found.setdefault((instrument.id, code), set()).add((wording, language))
        return cls(
            {code: frozenset(keys) for code, keys in codes.items()},
            {text: {key: frozenset(readings) for key, readings in found.items()} for text, found in texts.items()},
            tuple(item.code for instrument in instruments for item in instrument.items),
        )

    def by_code(self, heading: str) -> frozenset[ItemKey]:
        """Items whose code the heading is, starts with, or holds in brackets or as its last path segment."""
        for reading in _code_readings(heading):
            if found := self.codes.get(normal_code(reading)):
                return found
        return frozenset()

    def by_text(self, heading: str) -> Mapping[ItemKey, frozenset[Reading]]:
        """Items whose text the heading is, or whose text is the part of it that names the row of a grid."""
        for reading in _text_readings(heading):
            if found := self.texts.get(reading):
                return found
        return {}

    def count(self, headings: Sequence[str]) -> int:
        """How many different items are recognised in a row of headings."""
        keys: set[ItemKey] = set()
        for heading in headings:
            if heading and len(heading) <= _LONGEST_HEADING:
                keys.update(self.by_code(heading) or self.by_text(heading))
        return len(keys)


def _code_readings(heading: str) -> Iterator[str]:
    heading = heading.strip()
    yield heading
    if match := _LEADING_CODE.match(heading):
        yield match[1]
    yield from reversed(_BRACKETS.findall(heading))
    if "/" in heading:
        yield heading.rpartition("/")[2]


def _text_readings(heading: str) -> Iterator[str]:
    """The whole heading first, then its parts from the longest, each with and without a leading number."""
    parts = [heading, *(heading[match.end() :] for match in _SEPARATOR.finditer(heading))]
    parts.extend(reversed(_BRACKETS.findall(heading)))
    for part in parts:
        text = normal_text(part)
        yield text
        if (match := _LEADING_NUMBER.match(text)) and match.end() < len(text):
            yield text[match.end() :]
        if (match := _LEADING_CODE.match(part)) and match.end() < len(part):
            yield normal_text(part[match.end() :].lstrip(" .:)]-"))


def close_names(name: str, names: Sequence[str]) -> str:
    """Up to three names that look like the one that was not found, as a remedy."""
    by_text = {normal_text(candidate): candidate for candidate in names if candidate}
    close = difflib.get_close_matches(normal_text(name), by_text, n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(repr(by_text[text]) for text in close) + "?"
    return ""


def find_column(name: str, table: Table) -> list[int]:
    """Columns of that name: as it stands, else ignoring case and spaces."""
    exact = [i for i, names in enumerate(zip(table.headings, table.names, strict=True)) if name in names]
    if exact:
        return exact
    wanted = normal_text(name)
    return [i for i, heading in enumerate(table.headings) if heading and normal_text(heading) == wanted]


def match_columns(
    table: Table,
    texts: ItemTexts,
    mapping: Mapping[str, str | None],
    item_keys: Mapping[str, ItemKey],
    taken: Mapping[int, str],
    codes: Sequence[str] = (),
) -> tuple[list[Match], list[Issue]]:
    """Match columns to items; the faults are missing_column, ambiguous_match and duplicate_match.

    Parameters
    ----------
    mapping : {source column: item code or None}
        Wins over every other way; None says that the column is no item.
    item_keys : {item code: (instrument id, item code)}
    taken : {column: role}
        Columns that hold the unit, wave or respondent.
    codes : sequence of str
        Item codes of the columns where the platform keeps them apart from the headings; empty text for none.
    """
    issues: list[Issue] = []
    matches: list[Match] = []
    settled = set(taken)
    for name, code in mapping.items():
        columns = find_column(name, table)
        if len(columns) != 1:
            issues.append(_unfindable(name, columns, table))
            continue
        settled.update(columns)
        if code is not None:
            readings = texts.by_text(table.headings[columns[0]]).get(item_keys[code], frozenset())
            matches.append(Match(columns[0], *item_keys[code], "mapping", readings))
    mapped = {match.item for match in matches}
    for column, heading in enumerate(table.headings):
        if column in settled:
            continue
        match, issue = _match_heading(column, heading, codes[column] if codes else "", texts, table)
        if issue:
            issues.append(issue)
        elif match and match.item not in mapped:
            matches.append(match)
    issues.extend(_duplicates(matches, table))
    place = {code: number for number, code in enumerate(texts.order)}
    return sorted(matches, key=lambda match: place[match.item]), issues


def _match_heading(
    column: int, heading: str, code: str, texts: ItemTexts, table: Table
) -> tuple[Match | None, Issue | None]:
    by_code = texts.by_code(code) or texts.by_code(heading)
    by_text = texts.by_text(heading)
    if by_code and by_text and not by_code & by_text.keys() and not code:
        problem = f"The heading has the code of {_items(by_code)} and the text of {_items(by_text)}."
        return None, _ambiguous(column, heading, problem, table)
    keys = (by_code & by_text.keys()) or by_code or frozenset(by_text)
    if not keys:
        return None, None
    if len(keys) > 1:
        return None, _ambiguous(column, heading, f"The heading fits several items: {_items(keys)}.", table)
    key = next(iter(keys))
    method: MatchMethod = "code" if by_code else "text"
    return Match(column, *key, method, by_text.get(key, frozenset())), None


def _items(keys: frozenset[ItemKey] | Mapping[ItemKey, frozenset[Reading]]) -> str:
    return " and ".join(sorted(code for _, code in keys))


def _ambiguous(column: int, heading: str, problem: str, table: Table) -> Issue:
    remedy = f"Say which item it is: columns={{{heading!r}: 'item code'}}."
    return Issue("ambiguous_match", "error", table.where(column), problem, remedy)


def _unfindable(name: str, columns: Sequence[int], table: Table) -> Issue:
    if columns:
        problem = f"Several columns are called {name!r}."
        remedy = "Name one of them: " + ", ".join(repr(table.names[i]) for i in columns) + "."
        return Issue("duplicate_match", "error", table.where(), problem, remedy)
    remedy = close_names(name, table.names) or "Check the names in columns=."
    return Issue("missing_column", "error", table.where(), f"There is no column {name!r}.", remedy)


def _duplicates(matches: Sequence[Match], table: Table) -> Iterator[Issue]:
    by_item: dict[str, list[int]] = {}
    for match in matches:
        by_item.setdefault(match.item, []).append(match.column)
    for item, columns in by_item.items():
        if len(columns) > 1:
            names = " and ".join(repr(table.names[column]) for column in columns)
            remedy = f"Delete one, or say which holds: columns={{{table.names[columns[0]]!r}: {item!r}}}."
            problem = f"{len(columns)} columns hold the item {item}: {names}."
            yield Issue("duplicate_match", "error", table.where(columns[0]), problem, remedy)
