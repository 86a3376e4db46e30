"""Opens a source and settles which sheet and which rows of it hold the answers."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from servicediag.errors import Issue
from servicediag.responses.matching import ItemKey, ItemTexts, close_names
from servicediag.responses.platforms import answer_sheet
from servicediag.responses.platforms.layout import Layout, keep_rows, table_from_grid, without_empty_rows
from servicediag.responses.platforms.recognition import lay_out, lay_out_rows, recognised_items
from servicediag.responses.readers import Grid, Source, Table, open_source, table_from_frame
from servicediag.responses.safety import Limits, refuse
from servicediag.responses.twins import filled_rows
from servicediag.responses.workbook import SheetInfo

__all__ = ["Opened", "Search", "open_table"]

_ROWS_BELOW = 3
_MOST_SHEETS = 50
"""Looked through for items; every further one takes time, and nobody spreads one survey over so many."""
_MOST_NAMED = 8
_DEEPEST = 6
_UNNAMED = re.compile(r"Unnamed: [0-9]+(?:_level_[0-9]+)?")


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
    platform: str | None = None

    def layout(self, grid: Grid) -> Layout:
        """How a sheet or text file is laid out."""
        return lay_out(grid, self.texts, self.names, self.header_row, self.platform)

    def items(self, layout: Layout) -> int:
        """How many items or named columns a layout holds."""
        return recognised_items(layout, self.texts, self.names)


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
        return _open_frame(source, search)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"source={type(source).__name__} must be a path or a pandas DataFrame")
    opened = open_source(Path(source), limits, search.encoding, search.known_texts)
    if opened.text is None:
        return _open_workbook(opened, search)
    return _open_text(opened, opened.text, search)


def _open_frame(frame: pd.DataFrame, search: Search) -> Opened:
    """A DataFrame: its columns, and where the platform has more rows of headings its first rows, say what it is."""
    table = table_from_frame(frame)
    above = _heading_rows(frame)
    below = [[text or "" for text in column.slice(0, _ROWS_BELOW).to_pylist()] for column in table.columns]
    rows = [*above, *(list(row) for row in zip(*below, strict=True))]
    layout = lay_out_rows(rows, search.texts, search.names, None, search.platform, searched=1)
    skipped = max(layout.first_row - len(above), 0)
    if layout.platform == "plain":
        return Opened(without_empty_rows(table), replace(layout, headings=table.headings, first_row=0, questions=()))
    table = replace(table, headings=layout.headings, questions=layout.questions)
    keep = np.arange(len(table.rows)) >= skipped
    return Opened(without_empty_rows(keep_rows(table, keep)), layout)


def _heading_rows(frame: pd.DataFrame) -> list[list[str]]:
    """The headings as rows of texts: one for each level, blank where pandas found the cell empty."""
    levels = [frame.columns.get_level_values(level) for level in range(frame.columns.nlevels)]
    return [["" if _UNNAMED.fullmatch(str(name)) else str(name) for name in level] for level in levels]


def _open_text(source: Source, grid: Grid, search: Search) -> Opened:
    if search.sheet is not None:
        raise refuse("missing_sheet", source.name, "A text file has no sheets.", "Leave out sheet=.")
    layout = search.layout(grid)
    file = grid.text_file
    if file is None:
        return Opened(table_from_grid(grid, layout), layout, path=source.path)
    issues = []
    if file.guessed:
        problem = f"The encoding is taken to be {file.encoding}, judged by its letters{_first_stray(source.path)}."
        remedy = "Look at a name with an accent; if it is garbled, pass encoding=."
        issues.append(Issue("guessed_encoding", "warning", source.name, problem, remedy))
    table = table_from_grid(grid, layout)
    if not file.delimiter:  # a JSON file, in which alone the columns of a mapping are named outer/inner
        issues.extend(_nested_answers(table, search))
    return Opened(table, layout, tuple(issues), source.path, file.delimiter, file.encoding)


def _nested_answers(table: Table, search: Search) -> Iterator[Issue]:
    """A warning for each column that stands inside an item, where its rows have no other answer to the item."""

    def keys(heading: str) -> Collection[ItemKey]:
        return search.texts.by_code(heading) or search.texts.by_text(heading)

    own: dict[ItemKey, list[int]] = {}
    inside: list[tuple[int, str, ItemKey]] = []
    for column, heading in enumerate(table.headings):
        found = keys(heading)
        for key in found:
            own.setdefault(key, []).append(column)
        if not found and heading not in search.names:
            inside += [(column, outer, key) for outer in _outer(heading) for key in keys(outer)]
    for column, outer, key in inside:
        lost = filled_rows(table, column)
        for answers in own.get(key, ()):
            lost &= ~filled_rows(table, answers)
        if lost.any():
            where = table.where(column, np.flatnonzero(lost))
            problem = f"What stands inside {outer!r} is not read as an answer to {key[1]}, and there is no other."
            yield Issue("nested_answers", "warning", where, problem, f"Give {outer!r} the answer itself as its value.")


def _outer(heading: str) -> Iterator[str]:
    """The members of which a column is a part, as deep as mappings are taken apart."""
    for _ in range(_DEEPEST):
        heading, slash, _ = heading.rpartition("/")
        if not slash:
            return
        yield heading


def _first_stray(path: Path) -> str:
    """Where the first byte stands that is not UTF-8: one or two of them are a slip, not an encoding."""
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return f"; the first byte that is not UTF-8 is byte {error.start + 1:,}, in line {line:,}"
    return ""


def _open_workbook(source: Source, search: Search) -> Opened:
    declared = None
    for sheet in source.sheets:
        if sheet.name == answer_sheet.MARKER_SHEET and not sheet.visible:
            declared = answer_sheet.declaration(source.load(sheet))
            break
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
        layout = search.layout(grid)
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
    shown = _named([name for name in names if name != answer_sheet.MARKER_SHEET])
    remedy = f"{close_names(str(wanted), names)} The sheets are {shown}.".strip()
    raise refuse("missing_sheet", source.name, f"There is no sheet {wanted!r}.", remedy)


def _best_sheet(source: Source, sheets: list[SheetInfo], search: Search) -> Grid:
    """The sheet in which most items are found; the first where none is; a tie, or too many of them, is an error."""
    if len(sheets) > _MOST_SHEETS:
        problem = f"It has {len(sheets):,} sheets with cells; answers are looked for in at most {_MOST_SHEETS}."
        raise refuse("ambiguous_sheet", source.name, problem, f"Say which: sheet={sheets[0].name!r}, for one.")
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
        problem = f"The sheets {_named(tied)} hold equally many items."
        raise refuse("ambiguous_sheet", source.name, problem, f"Say which: sheet={tied[0]!r}.")
    return best


def _named(sheets: Sequence[str]) -> str:
    more = f" and {len(sheets) - _MOST_NAMED:,} more" if len(sheets) > _MOST_NAMED else ""
    return ", ".join(map(repr, sheets[:_MOST_NAMED])) + more


def _found(grid: Grid, search: Search) -> int:
    return search.items(search.layout(grid)) if grid.columns else 0
