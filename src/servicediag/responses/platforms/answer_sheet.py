"""The answer workbook that ``write_answer_sheet`` makes: it says itself which instrument, form and items it holds."""

from __future__ import annotations

from servicediag.responses.matching import ItemTexts
from servicediag.responses.platforms.layout import Declaration, Layout
from servicediag.responses.readers import Grid

__all__ = ["MARKER_SHEET", "declaration", "layout"]

MARKER_SHEET = "servicediag"
_ROLES = {"respondent": 0, "unit": 1, "wave": 2}


def declaration(marker: Grid) -> Declaration | None:
    """What the hidden sheet says: labels in column A, values in column B."""
    said = {row[0]: row[1] for row in marker.top(20) if len(row) > 1}
    if not said.get("instrument") or not said.get("form"):
        return None
    return Declaration(said["instrument"], said["form"], said.get("language", ""), said.get("version", ""))


def layout(grid: Grid, declared: Declaration, texts: ItemTexts) -> Layout:
    """Headings in row 1, item codes in the hidden row 2, answers from row 3; row 2 may have been deleted."""
    top = grid.top(2)
    headings = tuple(heading.strip() for heading in top[0]) if top else ()
    offset = grid.first_column - 1
    roles = {role: column - offset for role, column in _ROLES.items() if 0 <= column - offset < len(headings)}
    codes = tuple(code.strip() for code in top[1]) if len(top) > 1 else ()
    if not any(texts.by_code(code) for code in codes):
        return Layout("answer_sheet", headings, 1, (), roles, declared)
    return Layout("answer_sheet", headings, 2, codes, roles, declared)
