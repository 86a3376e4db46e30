"""Finds the column of every item: by mapping, item code, exact text or cut-off text; never by position."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from servicediag.errors import Issue
from servicediag.instrument.model import Instrument
from servicediag.responses.normalise import normal_code, normal_text
from servicediag.responses.readers import Table

__all__ = [
    "Columns", "ItemKey", "ItemTexts", "MappedItem", "Match", "MatchMethod", "close_names", "match_columns",
    "question_parts", "without_label",
]  # fmt: skip

MatchMethod = Literal["mapping", "code", "text", "prefix", "suggested"]
ItemKey = tuple[str, str]
Reading = tuple[str, str]

_SEPARATOR = re.compile(r"\s[-\u2010-\u2015|/]\s|>>|\u2014|\s?::\s?")
_BRACKETS = re.compile(r"\[([^\[\]]{1,2000})\]")
_LEADING_NUMBER = re.compile(r"[(\[]?(?:q|question|item)?\s?[0-9]{1,3}(?:[._-][0-9]{1,3})?\s?[)\].:,、_-]{0,3}\s?")
_LEADING_CODE = re.compile(r"[(\[]?([A-Za-z][\w.]{2,60}[0-9])(?=[\s.:)\]-]|$)")
_LEADING_LABEL = re.compile(r"[(\[]?[a-z]{1,3}[0-9]{1,3}[a-z]?\s?[)\].:、_-]{1,2}\s?")
"""What a survey's maker puts before a question: ``B12.``, ``f1)``, ``q3_``."""
_LEADING_TAG = re.compile(r"[(\[][\w.+-]{1,15}[)\]]\s?")
"""The name of a scale before its question, as in ``4. (UWES-9) ...``."""
_HALVES = re.compile(r"\s[/|]\s")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_CUT_OFF = re.compile(r".*(?:\.\.+|\u2026)\s*", re.DOTALL)
_LONGEST_HEADING = 2_000
_LONGEST_COMPARED = 200
_MOST_UNFINDABLE = 40
"""Names of a mapping that no column has, after which the rest of it is not looked for."""
_NEAR = 60
"""Of 100, how alike two names must be."""
_MOST_PARTS = 12
_SHORTEST_CODE = 3
_CUT_LENGTHS = (15, *range(95, 106), 255, 256)
"""Lengths at which platforms and statistics programmes cut texts off without a sign."""


@dataclass(frozen=True)
class Match:
    """The column that holds an item.

    Attributes
    ----------
    readings : frozenset of (wording, language)
        In which wordings and languages the heading is the item's text; empty where only the code was seen.
    twins : tuple of int
        Further columns of the same item, which were merged into the first.
    reverse : bool
        Whether a mapping says that the numbers of the column run against the codes of the scale.
    """

    column: int
    instrument: str
    item: str
    method: MatchMethod
    readings: frozenset[Reading] = frozenset()
    twins: tuple[int, ...] = ()
    reverse: bool = False


@dataclass(frozen=True)
class MappedItem:
    """What a mapping says of a column: its item, and whether its numbers run against the codes of the scale."""

    code: str
    reverse: bool = False


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

    def by_prefix(self, heading: str, shortest: int) -> Mapping[ItemKey, frozenset[Reading]]:
        """The items of which the text begins as a heading that was visibly cut off, where it is a single one."""
        for part in question_parts(heading):
            if not (_CUT_OFF.fullmatch(part) or len(part) in _CUT_LENGTHS):
                continue
            prefix = normal_text(part).rstrip("\u2026. ")
            if len(prefix) < shortest:
                continue
            found: dict[ItemKey, frozenset[Reading]] = {}
            for text, keys in self.texts.items():
                if text.startswith(prefix):
                    for key, readings in keys.items():
                        found[key] = found.get(key, frozenset()) | readings
            if len(found) == 1:
                return found
        return {}

    def count(self, headings: Iterable[str]) -> int:
        """How many different items are recognised in a row of headings."""
        keys: set[ItemKey] = set()
        for heading in set(headings):
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
    last = heading.rpartition("_")[2]
    if len(last) >= _SHORTEST_CODE and any(map(str.isalpha, last)) and any(map(str.isdigit, last)):
        yield last


def question_parts(heading: str) -> list[str]:
    """The whole heading, then its parts that may be the question: what follows a separator, stands in brackets, ..."""
    shown = html.unescape(_TAG.sub(" ", heading)) if "<" in heading or "&" in heading else heading
    first = [heading] if shown == heading else [heading, shown]
    heading = shown
    if len(heading) > _LONGEST_HEADING:
        return first
    parts = [*first, *(heading[match.end() :] for match in islice(_SEPARATOR.finditer(heading), _MOST_PARTS))]
    parts.extend(reversed(_BRACKETS.findall(heading)[-_MOST_PARTS:]))
    parts.extend(heading[: match.start()] for match in islice(_HALVES.finditer(heading), _MOST_PARTS))
    return parts


def without_label(text: str) -> Iterator[str]:
    """A normalised question without the number or label before it, and then without the name of a scale.

    Examples
    --------
    >>> list(without_label("4. (uwes-9) my work inspires me")), list(without_label("b12) my work inspires me"))
    (['(uwes-9) my work inspires me', 'my work inspires me'], ['my work inspires me'])
    """
    for label in (_LEADING_NUMBER, _LEADING_LABEL, _LEADING_TAG):
        if (match := label.match(text)) and match.end() < len(text):
            text = text[match.end() :]
            yield text


def _text_readings(heading: str) -> Iterator[str]:
    """The whole heading first, then its parts from the longest, each with and without a leading number."""
    for part in question_parts(heading):
        text = normal_text(part)
        yield text
        yield from without_label(text)
        if (match := _LEADING_CODE.match(part)) and match.end() < len(part):
            yield normal_text(part[match.end() :].lstrip(" .:)]-"))


def close_names(name: str, names: Sequence[str]) -> str:
    """Up to three names that look like the one that was not found, as a remedy."""
    # only where something is faulty
    from rapidfuzz import fuzz, process

    wanted = normal_text(name[:_LONGEST_COMPARED])
    by_text = {normal_text(candidate[:_LONGEST_COMPARED]): candidate for candidate in names if candidate}
    close = process.extract(wanted, list(by_text), scorer=fuzz.ratio, score_cutoff=_NEAR, limit=3)
    if close:
        return "Did you mean " + " or ".join(repr(by_text[text]) for text, *_ in close) + "?"
    return ""


@dataclass(frozen=True)
class Columns:
    """What is known of the columns before they are matched.

    Attributes
    ----------
    taken : mapping of column -> role
        Columns that hold the unit, wave or respondent.
    codes : sequence of str
        Item codes of the columns where the platform keeps them apart from the headings; empty text for none.
    no_items : frozenset of int
        Columns that are taken for an item only if a mapping says so, or if the item code is their heading.
    shortest_prefix : int
        How many characters a heading that was cut off must keep to be matched by them.
    """

    taken: Mapping[int, str] = field(default_factory=dict)
    codes: Sequence[str] = ()
    no_items: frozenset[int] = frozenset()
    shortest_prefix: int = 25


def match_columns(
    table: Table,
    texts: ItemTexts,
    mapping: Mapping[str, MappedItem | None],
    item_keys: Mapping[str, ItemKey],
    columns: Columns,
) -> tuple[list[Match], list[Issue]]:
    """Match columns to items; the faults are missing_column and ambiguous_match, and prefix_match is a warning.

    Several matches may be of one item.

    Parameters
    ----------
    mapping : {source column: item or None}
        Wins over every other way; None says that the column is no item.
    item_keys : {item code: (instrument id, item code)}
    """
    issues: list[Issue] = []
    matches: list[Match] = []
    settled = set(columns.taken)
    for name, mapped in mapping.items():
        found = table.called(name)
        if len(found) != 1:
            issues.append(_unfindable(name, found, table))
            if len(issues) == _MOST_UNFINDABLE:
                break
            continue
        settled.update(found)
        if mapped is not None:
            key = item_keys[mapped.code]
            readings = _by_text(found[0], table, texts).get(key, frozenset())
            matches.append(Match(found[0], *key, "mapping", readings, reverse=mapped.reverse))
    done = {match.item for match in matches}
    for column, heading in enumerate(table.headings):
        if column in settled or (column in columns.no_items and normal_code(heading) not in texts.codes):
            continue
        code = columns.codes[column] if columns.codes else ""
        match, issue = _match_heading(column, heading, code, texts, table)
        if issue:
            issues.append(issue)
        elif match and match.item not in done:
            matches.append(match)
    done.update(match.item for match in matches)
    for match in _match_prefixes(table, texts, columns, settled.union(match.column for match in matches)):
        if match.item not in done:
            matches.append(match)
            issues.append(_prefix_warning(match, table))
    place = {code: number for number, code in enumerate(texts.order)}
    return sorted(matches, key=lambda match: (place[match.item], match.column)), issues


def _by_text(column: int, table: Table, texts: ItemTexts) -> Mapping[ItemKey, frozenset[Reading]]:
    """Items whose text the heading of a column is, or a question that stands apart from the heading."""
    for text in (table.headings[column], *(table.questions[column] if table.questions else ())):
        if found := texts.by_text(text):
            return found
    return {}


def _match_prefixes(table: Table, texts: ItemTexts, columns: Columns, settled: Collection[int]) -> Iterator[Match]:
    for column, heading in enumerate(table.headings):
        if column in settled or column in columns.no_items:
            continue
        for text in (heading, *(table.questions[column] if table.questions else ())):
            found = texts.by_prefix(text, columns.shortest_prefix) if text else {}
            if found:
                key, readings = next(iter(found.items()))
                yield Match(column, *key, "prefix", readings)
                break


def _prefix_warning(match: Match, table: Table) -> Issue:
    problem = f"{table.names[match.column]!r} is cut off; {match.item} alone begins so."
    remedy = "Check that it is this item."
    return Issue("prefix_match", "warning", table.where(match.column), problem, remedy)


def _match_heading(
    column: int, heading: str, code: str, texts: ItemTexts, table: Table
) -> tuple[Match | None, Issue | None]:
    by_code = texts.by_code(code) or texts.by_code(heading)
    by_text = _by_text(column, table, texts)
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
