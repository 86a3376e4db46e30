"""Finds cells whose formula was never calculated: they look blank, although somebody may have answered."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from servicediag.errors import Issue
from servicediag.responses.readers import Table
from servicediag.responses.twins import filled_rows
from servicediag.responses.workbook import listed_sheets, pieces

__all__ = ["formulas_without_values"]

_SMALL = 5_000_000
_MANY_BLANKS = 0.2
_MOST_CELLS = 100_000
_MOST_NAMED = 8
_MAIN_PART = "xl/workbook.xml"
_FORMULA = re.compile(
    rb'<c r="([A-Z]{1,3})([0-9]{1,7})"[^<>]*><f(?:\s[^<>]*)?(?:/>|>[^<>]*</f>)(?:<v\s?/>|<v></v>)?</c>'
)


def formulas_without_values(table: Table, path: Path | None, items: Collection[int]) -> Iterator[Issue]:
    """An error that names the items of which cells hold a formula without its result.

    Such workbooks are written by programs that do not calculate. A large workbook is only looked through where a
    column of an item is blank in a fifth of its rows or more.
    """
    if path is None or table.sheet is None or not zipfile.is_zipfile(path):
        return
    blank = {column: ~filled_rows(table, column) for column in items}
    share = max((float(rows.mean()) for rows in blank.values()), default=0.0)
    if not share or (share < _MANY_BLANKS and path.stat().st_size > _SMALL):
        return
    letters = {table.letters[column]: column for column in items if table.letters}
    found: dict[int, list[int]] = {}
    places = {int(row): position for position, row in enumerate(table.rows)}
    for letter, row in _places(path, table.sheet):
        column, position = letters.get(letter), places.get(row)
        if column is not None and position is not None and blank[column][position]:
            found.setdefault(column, []).append(position)
    if found:
        yield _issue(found, table)


def _places(path: Path, sheet: str) -> Iterator[tuple[str, int]]:
    """Column letter and row of each formula without a value; none in a file that is no workbook of Excel, as .ods."""
    with zipfile.ZipFile(path) as archive:
        if _MAIN_PART not in archive.namelist():
            return
        parts = [info.part for info in listed_sheets(archive, path.name) if info.name == sheet]
        count = 0
        for part in parts[:1]:
            for piece in pieces(archive, part, path.name, b"<c "):
                for match in _FORMULA.finditer(piece) if b"<f" in piece else ():
                    yield match[1].decode(), int(match[2])
                    count += 1
                    if count == _MOST_CELLS:
                        return


def _issue(found: Mapping[int, Sequence[int]], table: Table) -> Issue:
    names = [repr(table.names[column]) for column in found]
    more = f" and {len(names) - _MOST_NAMED} more columns" if len(names) > _MOST_NAMED else ""
    count = sum(map(len, found.values()))
    cells = "1 cell" if count == 1 else f"{count:,} cells"
    problem = f"{cells} of {', '.join(names[:_MOST_NAMED])}{more} hold formulas of which the file has no result."
    column, positions = next(iter(found.items()))
    remedy = "Open the workbook in Excel or LibreOffice, save it, and read it again."
    return Issue("formula_without_value", "error", table.where(column, np.array(positions)), problem, remedy)
