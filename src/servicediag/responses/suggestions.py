"""Suggests items for headings that resemble them; a person confirms the suggestions before anything is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servicediag.errors import Issue, ResponsesError
from servicediag.responses.mapping_file import write_mapping
from servicediag.responses.matching import ItemKey, ItemTexts, Match, question_parts, without_label
from servicediag.responses.normalise import normal_text
from servicediag.responses.readers import Table

__all__ = ["SuggestedMappingError", "suggest", "suggestion_issues"]

_LEAST_RATIO = 92.0
_LEAST_MARGIN = 8.0
_THE_SAME = 100.0
_SHORTEST = 15
_SHORTEST_SAME = 4
"""How many characters a text must have to be suggested where it is the same but for what was taken off."""
_LONGEST = 600
_MOST_COLUMNS = 400
_NEGATIONS = frozenset(
    (
        "not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "cannot", "hardly",
        "nunca", "jamás", "ningún", "ninguna", "nadie", "nada", "sin", "ni", "tampoco",
        "nicht", "kein", "keine", "keinen", "keiner", "nie", "niemals", "ohne", "nichts",
        "ne", "pas", "jamais", "aucun", "aucune", "sans", "rien",
        "não", "nenhum", "nenhuma", "ninguém", "sem",
        "не", "нет", "ни", "никогда", "никто", "без", "ничего",
    )
)  # fmt: skip
_NEGATING_CHARACTERS = frozenset("不没沒无無未非别別")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|[0-9]+")
_HINT = re.compile(r"(.{4,}?)\s?\([^()]{1,300}\)$|(.{8,}?\?).+$")
"""What may follow a question: ``(10 is the highest)``, or a sentence after its question mark."""
_SEPARATORS = (": ", "_")
_MOST_SEPARATORS = 4


class SuggestedMappingError(ResponsesError):
    """A person has to say which columns hold the items, or in which direction their numbers run.

    Attributes
    ----------
    mapping : dict of str -> str
        Source column to item code: the certain matches and the suggested ones. Where no item was found, every column
        with an empty code, to be filled in.
    reversed_columns : tuple of str
        Columns of which a mapping that was passed says that their numbers run against the codes.
    """

    def __init__(
        self,
        headline: str,
        issues: Iterable[Issue] = (),
        mapping: Mapping[str, str] | None = None,
        reversed_columns: Iterable[str] = (),
    ) -> None:
        super().__init__(headline, issues)
        self.mapping = dict(mapping or {})
        self.reversed_columns = tuple(reversed_columns)

    def save_mapping(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the suggested mapping, to be checked and passed as ``read_responses(..., columns=path)``.

        Parameters
        ----------
        path : path
            ``.csv`` or ``.yaml``.

        Raises
        ------
        ValueError
            Another suffix.
        FileExistsError
            The file exists and ``overwrite`` is False.
        """
        turned = set(self.reversed_columns)
        return write_mapping([(name, item, name in turned) for name, item in self.mapping.items()], path, overwrite)

    def __reduce__(self) -> Any:
        return (type(self), (self.headline, self.issues, self.mapping, self.reversed_columns))


def suggest(table: Table, texts: ItemTexts, matches: Sequence[Match], settled: Collection[int]) -> list[Match]:
    """Matches of the method ``suggested`` for items that no column was found for.

    A heading is suggested for an item if Levenshtein's ratio of their normalised texts is at least 92, no other item
    comes within 8 of it and no other heading does so for the item, and both hold the same negations and numbers. So it
    is if both are the same once a label before the question, a hint behind it, or underscores are taken off.

    Parameters
    ----------
    settled : collection of int
        Columns that are no items, or have theirs already.
    """
    found = {(match.instrument, match.item) for match in matches}
    known = {text: tuple(keys) for text, keys in texts.texts.items() if len(text) >= _SHORTEST_SAME}
    keys = list(dict.fromkeys(key for same in known.values() for key in same))
    if all(key in found for key in keys):
        return []
    columns = [column for column in range(len(table.headings)) if column not in settled]
    readings = [list(_texts(table, column)) for column in columns]
    best = np.zeros((len(columns), len(keys)))
    texts_of: dict[tuple[int, int], tuple[str, str]] = {}
    places = {key: i for i, key in enumerate(keys)}
    for row, text, own, ratio in (*_resembling(readings, known), *_same(readings, known)):
        for key in known[own]:
            at = (row, places[key])
            if ratio > best[at]:
                best[at] = ratio
                texts_of[at] = (text, own)
    return [
        Match(columns[i], *keys[j], "suggested", _readings(texts, texts_of[i, j][1], keys[j]))
        for i, j in _clear_pairs(best)
        if keys[j] not in found and _say_the_same(*texts_of[i, j])
    ]


def _resembling(readings: Sequence[Sequence[str]], known: Collection[str]) -> Iterator[tuple[int, str, str, float]]:
    """Rows of the readings, a reading and a known text that resemble each other, and their ratio."""
    from rapidfuzz import fuzz, process

    headings = [(text, row) for row, own in enumerate(readings) for text in own if len(text) >= _SHORTEST]
    headings = headings[: _MOST_COLUMNS * 4]
    long = [text for text in known if len(text) >= _SHORTEST]
    if headings and long:
        ratios = process.cdist([text for text, _ in headings], long, scorer=fuzz.ratio)
        for i, j in zip(*np.nonzero(ratios > _LEAST_RATIO - _LEAST_MARGIN), strict=True):
            yield headings[i][1], headings[i][0], long[j], float(ratios[i, j])


def _same(readings: Sequence[Sequence[str]], known: Collection[str]) -> Iterator[tuple[int, str, str, float]]:
    """Rows and readings that are a known text once something before or behind it is taken off."""
    for row, own in enumerate(readings):
        for text in dict.fromkeys(bare for reading in own for bare in _bare(reading)):
            if text in known:
                yield row, text, text, _THE_SAME


def _texts(table: Table, column: int) -> Iterator[str]:
    """The normalised readings of a column, with and without the number before a question."""
    questions = table.questions[column] if table.questions else ()
    parts = [part for text in (table.headings[column], *questions) for part in question_parts(text) if part]
    normal = [reading for text in map(normal_text, parts) for reading in (text, *without_label(text))]
    return (text for text in dict.fromkeys(normal) if _SHORTEST_SAME <= len(text) <= _LONGEST)


def _bare(text: str) -> Iterator[str]:
    """A normalised question without the title of its group, without the hint behind it, and without underscores."""
    readings = [text]
    for separator in _SEPARATORS:
        pieces = text.split(separator, _MOST_SEPARATORS)
        readings.extend(separator.join(pieces[start:]) for start in range(1, len(pieces)))
    for reading in readings:
        yield reading
        yield normal_text(reading.replace("_", " "))
        if match := _HINT.fullmatch(reading):
            yield normal_text(match[1] or match[2])


def _clear_pairs(ratios: np.ndarray) -> list[tuple[int, int]]:
    """Rows and columns that are each other's best by the margin, or alone the same; so none is in two pairs."""
    pairs = []
    for i, j in zip(*np.nonzero(ratios >= _LEAST_RATIO), strict=True):
        others = np.concatenate((np.delete(ratios[i], j), np.delete(ratios[:, j], i)))
        margin = ratios[i, j] - others.max(initial=0.0)
        if margin >= _LEAST_MARGIN or (ratios[i, j] == _THE_SAME and margin > 0):
            pairs.append((int(i), int(j)))
    return pairs


def _say_the_same(first: str, second: str) -> bool:
    return _weighty(first) == _weighty(second)


def _weighty(text: str) -> Counter[str]:
    """Negations, each counted as the same thing, and numbers: where these differ, the texts do not say the same."""
    words = _WORD.findall(text)
    negations = sum(word in _NEGATIONS or word.endswith("n't") for word in words)
    negations += sum(character in _NEGATING_CHARACTERS for character in text)
    return Counter({"negation": negations, **Counter(word for word in words if word.isdigit())})


def _readings(texts: ItemTexts, text: str, key: ItemKey) -> frozenset[tuple[str, str]]:
    return texts.texts.get(text, {}).get(key, frozenset())


def suggestion_issues(
    matches: Sequence[Match], item_texts: Mapping[str, str], table: Table, accepted: bool
) -> list[Issue]:
    """An issue for each suggestion: an error that asks for confirmation, or a warning where all are accepted.

    Parameters
    ----------
    item_texts : mapping of item code -> text
        A text of each item, to show.
    """
    issues = []
    for match in matches:
        name = table.names[match.column]
        asked = table.questions[match.column] if table.questions else ()
        shown = f"{name!r} ({asked[0]!r})" if asked and asked[0] not in name else repr(name)
        problem = f"{shown} resembles the item {match.item}, {item_texts.get(match.item, '')!r}."
        if accepted:
            remedy = "It was read as this item; check that it asks the same."
            issues.append(Issue("suggested_match", "warning", table.where(match.column), problem, remedy))
        else:
            remedy = (
                f"If it is this item, pass columns={{{name!r}: {match.item!r}}}, or accept_suggestions=True for all."
            )
            issues.append(Issue("suggested_match", "error", table.where(match.column), problem, remedy))
    return issues
