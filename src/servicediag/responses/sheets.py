"""Opens a source and settles which sheet and which rows of it hold the answers."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from servicediag.errors import Issue
from servicediag.responses.matching import ItemTexts, close_names
from servicediag.responses.platforms import answer_sheet, plain
from servicediag.responses.platforms.layout import Layout, table_from_grid, without_empty_rows
from servicediag.responses.readers import Grid, Source, Table, open_source, table_from_frame
from servicediag.responses.safety import Limits, refuse
from servicediag.responses.workbook import SheetInfo

__all__ = ["Opened", "Search", "open_table"]


@dataclass(frozen=True)
class Search:
    """What is looked for in a source, and what the caller said about where it is.

    Attributes
    ----------
    names : collection of str
        Column names that the caller passed.
    known_texts : frozenset of str
        Normalised questions, item codes and labels, by which encoding and delimiter are recognised.
    """

    texts: ItemTexts
    names: Collection[str]
    known_texts: frozenset[str]
    sheet: str | int | None = None
    header_row: int | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Opened:
    """The table of answers, and what is known about where it came from."""

    table: Table
    layout: Layout
    issues: tuple[Issue, ...] = ()
    path: Path | None = None
    delimiter: str | None = None
    encoding: str | None = None


def open_table(source: str | os.PathLike[str] | pd.DataFrame, search: Search, limits: Limits) -> Opened:
    """The table of a source.

    Raises
    ------
    ResponsesError
        The source cannot be read, or it cannot be told which sheet is meant.
    TypeError
        ``source`` is neither a path nor a DataFrame.
    """
    if isinstance(source, pd.DataFrame):
        table = without_empty_rows(table_from_frame(source))
        return Opened(table, Layout("plain", table.headings, 0))
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"source={type(source).__name__} must be a path or a pandas DataFrame")
    opened = open_source(Path(source), limits, search.encoding, search.known_texts)
    if opened.text is None:
        return _open_workbook(opened, search)
    return _open_text(opened, opened.text, search)


def _open_text(source: Source, grid: Grid, search: Search) -> Opened:
    if search.sheet is not None:
        raise refuse("missing_sheet", source.name, "A text file has no sheets.", "Leave out sheet=.")
    layout = plain.layout(grid, search.texts, search.names, search.header_row)
    file = grid.text_file
    if file is None:
        return Opened(table_from_grid(grid, layout), layout, path=source.path)
    issues = []
    if file.guessed:
        problem = f"The encoding is taken to be {file.encoding}, judged by its letters."
        remedy = "Look at a name with an accent; if it is garbled, pass encoding=."
        issues.append(Issue("guessed_encoding", "warning", source.name, problem, remedy))
    table = table_from_grid(grid, layout)
    return Opened(table, layout, tuple(issues), source.path, file.delimiter, file.encoding)


def _open_workbook(source: Source, search: Search) -> Opened:
    declared = None
    for sheet in source.sheets:
        if sheet.name == answer_sheet.MARKER_SHEET and not sheet.visible:
            declared = answer_sheet.declaration(source.load(sheet))
    filled = [sheet for sheet in source.sheets if sheet.last_column and sheet.name != answer_sheet.MARKER_SHEET]
    if search.sheet is not None:
        grid = source.load(_named_sheet(source, search.sheet))
    elif not filled:
        raise refuse("empty_sheet", source.name, "The workbook holds no cells.", "Export the answers again.")
    elif declared:
        grid = source.load(source.sheets[0])
    else:
        grid = _best_sheet(source, [sheet for sheet in filled if sheet.visible] or filled, search)
    if declared and (search.sheet is None or grid.sheet == source.sheets[0].name):
        layout = answer_sheet.layout(grid, declared, search.texts)
    else:
        layout = plain.layout(grid, search.texts, search.names, search.header_row)
    return Opened(table_from_grid(grid, layout), layout, path=source.path)


def _named_sheet(source: Source, wanted: str | int) -> SheetInfo:
    names = [sheet.name for sheet in source.sheets]
    if isinstance(wanted, str):
        found = [s for s in source.sheets if s.name == wanted] or [
            s for s in source.sheets if s.name.strip().casefold() == wanted.strip().casefold()
        ]
        if found:
            return found[0]
    elif isinstance(wanted, int) and not isinstance(wanted, bool):
        if 0 <= wanted < len(names):
            return source.sheets[wanted]
    else:
        raise TypeError(f"sheet={wanted!r} must be the name of a sheet or its position from 0")
    shown = ", ".join(repr(name) for name in names if name != answer_sheet.MARKER_SHEET)
    remedy = f"{close_names(str(wanted), names)} The sheets are {shown}.".strip()
    raise refuse("missing_sheet", source.name, f"There is no sheet {wanted!r}.", remedy)


def _best_sheet(source: Source, sheets: list[SheetInfo], search: Search) -> Grid:
    """The sheet in which most items are found; the first where none is; a tie is an error."""
    best = source.load(sheets[0])
    if len(sheets) == 1:
        return best
    most = _found(best, search)
    tied = [sheets[0].name]
    for sheet in sheets[1:]:
        grid = source.load(sheet)
        found = _found(grid, search)
        if found > most:
            best, most, tied = grid, found, [sheet.name]
        elif found == most and found:
            tied.append(sheet.name)
    if most and len(tied) > 1:
        names = ", ".join(repr(name) for name in tied)
        problem = f"The sheets {names} hold equally many items."
        raise refuse("ambiguous_sheet", source.name, problem, f"Say which: sheet={tied[0]!r}.")
    return best


def _found(grid: Grid, search: Search) -> int:
    layout = plain.layout(grid, search.texts, search.names, search.header_row)
    return plain.recognised(grid, layout, search.texts, search.names)
