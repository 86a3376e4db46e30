"""A plain sheet: one row of headings among the first rows, or two where a grid has its question above its rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from servicediag.responses.matching import ItemTexts
from servicediag.responses.platforms.layout import Layout, filled_forward, tidy

__all__ = ["layout"]

_CODE = re.compile(r"([A-Za-z]{1,6})[_.-]?([0-9]{1,4})")
_LEAST_CODES = 4


def layout(rows: Sequence[Sequence[str]], texts: ItemTexts, names: Collection[str], header_row: int | None) -> Layout:
    """The row of headings is the one in which most items, or columns named by the caller, are found.

    Where two rows together hold more items than any single one, both are headings: a question merged over its columns
    and the rows of its grid below it. So they are where the row below numbers the questions: Q1, Q2, Q3 ...

    Parameters
    ----------
    rows : sequence of rows
        The rows that can be the headings.
    names : collection of str
        Column names that the caller passed.
    header_row : int or None
        Row of the headings in the file, counted from 1, where the caller names it.
    """
    if not rows:
        return Layout("plain", (), 0)
    if header_row is not None:
        position = min(header_row, len(rows)) - 1
        return Layout("plain", tidy(rows[position]), position + 1)
    scores = [_score(row, texts, names) for row in rows]
    if not any(scores):
        position = _first_filled(rows)
        return Layout("plain", tidy(rows[position]), position + 1)
    best = scores.index(max(scores))
    if _are_codes(rows[best], rows[best + 1 :]):
        codes = tidy(rows[best + 1])
        return Layout("plain", tidy(rows[best]), best + 2, codes, questions=tuple((code,) for code in codes))
    for upper in (best - 1, best):
        if 0 <= upper < len(rows) - 1 and _are_both_headings(scores[upper : upper + 2]):
            both = _joined(rows[upper], rows[upper + 1])
            if _score([text for column in both for text in column], texts, names) > scores[best]:
                return _layout_of_two(both, upper)
    return Layout("plain", tidy(rows[best]), best + 1)


def _are_codes(headings: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first row below the headings numbers them, and so is no respondent, who would repeat answers."""
    if len(below) < 2:
        return False
    cells = tidy(below[0])
    codes = [
        (column, match[1], int(match[2]))
        for column, (cell, heading) in enumerate(zip(cells, tidy(headings), strict=True))
        if cell != heading and (match := _CODE.fullmatch(cell))
    ]
    pairs = zip(cells, tidy(headings), strict=True)
    others = sum(bool(cell) and cell != heading and not cell.isdigit() for cell, heading in pairs)
    numbers = [number for _, _, number in codes]
    return (
        len(codes) >= _LEAST_CODES
        and len(codes) == others
        and len({letters for _, letters, _ in codes}) == 1
        and all(first < second for first, second in pairwise(numbers))
        and not any(row[column].strip() == cells[column] for row in below[1:] for column, _, _ in codes)
    )


def _are_both_headings(scores: Sequence[int]) -> bool:
    return all(scores)


def _joined(upper: Sequence[str], lower: Sequence[str]) -> list[tuple[str, ...]]:
    """For each column the texts that may be its question: the lower one, or the upper one where there is no other."""
    joined: list[tuple[str, ...]] = []
    for own, question, part in zip(tidy(upper), filled_forward(tidy(upper)), tidy(lower), strict=True):
        joined.append((part, question) if part and question else (part or own,))
    return joined


def _layout_of_two(columns: Sequence[tuple[str, ...]], upper: int) -> Layout:
    headings = tuple(" - ".join(reversed(texts)) if len(texts) > 1 else texts[0] for texts in columns)
    questions = tuple(texts[:1] if len(texts) > 1 else () for texts in columns)
    return Layout("plain", headings, upper + 2, questions=questions)


def _score(row: Sequence[str], texts: ItemTexts, names: Collection[str]) -> int:
    return texts.count(row) + sum(heading.strip() in names for heading in row if heading)


def _first_filled(rows: Sequence[Sequence[str]]) -> int:
    return next((i for i, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
