"""A plain sheet: one row of headings among the first rows, answers below it."""

from __future__ import annotations

from collections.abc import Collection

from servicediag.responses.matching import ItemTexts
from servicediag.responses.platforms.layout import Layout
from servicediag.responses.readers import Grid

__all__ = ["layout", "recognised"]

_ROWS_SEARCHED = 15


def layout(grid: Grid, texts: ItemTexts, names: Collection[str], header_row: int | None) -> Layout:
    """The row of headings is the one in which most items, or columns named by the caller, are found.

    Parameters
    ----------
    names : collection of str
        Column names that the caller passed.
    header_row : int or None
        Row of the headings in the file, counted from 1, where the caller names it.
    """
    top = grid.top(header_row or _ROWS_SEARCHED)
    if header_row is None:
        scores = [_score(row, texts, names) for row in top]
        best = scores.index(max(scores)) if any(scores) else _first_filled(top)
    else:
        best = min(header_row, len(top)) - 1
    headings = tuple(heading.strip() for heading in top[best]) if top else ()
    return Layout("plain", headings, best + 1)


def recognised(grid: Grid, found: Layout, texts: ItemTexts, names: Collection[str]) -> int:
    """How many items or named columns the headings of a layout hold."""
    return _score(list(found.headings), texts, names) if grid.columns else 0


def _score(row: list[str], texts: ItemTexts, names: Collection[str]) -> int:
    return texts.count(row) + sum(heading.strip() in names for heading in row if heading)


def _first_filled(rows: list[list[str]]) -> int:
    return next((i for i, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
