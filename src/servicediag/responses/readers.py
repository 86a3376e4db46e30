"""Yields the cells of a workbook sheet, text file or DataFrame as columns of text, with their place in the original."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from servicediag.responses.safety import Limits, refuse, sniff_kind, too_large
from servicediag.responses.text_files import TextFile, read_text_file
from servicediag.responses.workbook import SheetInfo, inspect_workbook

__all__ = ["Grid", "Source", "Table", "column_letter", "distinct", "open_source", "table_from_frame"]

_ERROR_NAME = re.compile(r"Error\((\w{1,20})\)")
_MOST_CELLS_NAMED = 5


def column_letter(number: int) -> str:
    """The letter of a column counted from 1.

    Examples
    --------
    >>> column_letter(1), column_letter(28)
    ('A', 'AB')
    """
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


@dataclass(frozen=True)
class Grid:
    """All cells of one sheet or text file; row ``i`` of every column is row ``i + 1`` of the original.

    Attributes
    ----------
    columns : tuple of Arrow arrays of text
        All of one length; null and empty text are blank cells.
    first_column : int
        Number of the column of the original that ``columns[0]`` is, counted from 1.
    """

    source: str
    sheet: str | None
    columns: tuple[Any, ...]
    first_column: int = 1
    text_file: TextFile | None = None

    @property
    def n_rows(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def top(self, n_rows: int) -> list[list[str]]:
        """The first rows as lists of text, blank cells empty."""
        columns = [[value or "" for value in column.slice(0, n_rows).to_pylist()] for column in self.columns]
        return [list(row) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Table:
    """Answers below their headings: what the matching, coding and reporting see.

    Attributes
    ----------
    headings : tuple of str
        As they stand, repeated ones included.
    columns : tuple of Arrow arrays
        Text, or dictionary-encoded text; null and empty text are blank.
    rows : Index
        Row numbers of the original, or the labels of a DataFrame's index.
    letters : tuple of str
        Column letters of the original; empty for a DataFrame.
    frame : DataFrame or None
        The rows of a DataFrame source, so that background columns keep their types.
    """

    source: str
    sheet: str | None
    headings: tuple[str, ...]
    columns: tuple[Any, ...]
    rows: pd.Index
    letters: tuple[str, ...] = ()
    frame: pd.DataFrame | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Headings made unique by their place: a repeated or empty one says which column it is."""
        counts: dict[str, int] = {}
        for heading in self.headings:
            counts[heading] = counts.get(heading, 0) + 1
        return tuple(
            heading if heading and counts[heading] == 1 else self.placed_name(i)
            for i, heading in enumerate(self.headings)
        )

    def placed_name(self, column: int) -> str:
        """The heading with the place of its column."""
        place = self.letters[column] if self.letters else str(column + 1)
        return f"{self.headings[column]} (column {place})".strip()

    def where(self, column: int | None = None, positions: Sequence[int] | np.ndarray = ()) -> str:
        """File, sheet and cells in words, e.g. ``answers.xlsx, Data!C5, C9``; positions count from 0."""
        if column is None and len(positions) == 0:
            return f"{self.source}, {self.sheet}" if self.sheet else self.source
        more = "" if len(positions) <= _MOST_CELLS_NAMED else f" and {len(positions) - _MOST_CELLS_NAMED} more"
        shown = [str(self.rows[position]) for position in positions[:_MOST_CELLS_NAMED]]
        if not self.letters:
            parts = [] if column is None else [f"column {self.headings[column]!r}"]
            return ", ".join([self.source, *parts, *(f"row {row}" for row in shown)]) + more
        if column is None:
            cells = ", ".join(f"row {row}" for row in shown)
        elif not shown:
            cells = f"column {self.letters[column]}"
        else:
            cells = ", ".join(f"{self.letters[column]}{row}" for row in shown)
        if column is not None and shown and self.sheet:
            return f"{self.source}, {self.sheet}!{cells}{more}"
        return f"{self.where()}, {cells}{more}"


@dataclass(frozen=True)
class Source:
    """A file that has passed the checks of safety, ready to give its sheets."""

    name: str
    path: Path
    limits: Limits
    sheets: tuple[SheetInfo, ...] = ()
    text: Grid | None = field(default=None, repr=False)

    def load(self, sheet: SheetInfo) -> Grid:
        """All cells of a worksheet."""
        import fastexcel

        try:
            reader = fastexcel.read_excel(str(self.path))
            batch, errors, first_column = _read_sheet(reader, sheet)
        except BaseException as error:
            # A panic of the parser derives from BaseException, and its class cannot be imported.
            known = isinstance(error, (fastexcel.FastExcelError, pa.ArrowException, OSError))
            if not known and type(error).__name__ != "PanicException":
                raise
            problem = f"Sheet {sheet.name!r} cannot be read ({type(error).__name__})."
            raise refuse("unreadable_file", self.name, problem, "Open it in Excel and save it anew.") from error
        columns = [_mark_errors(column, errors.get(i)) for i, column in enumerate(batch.columns)]
        _check_text_lengths(columns, f"{self.name}, sheet {sheet.name!r}", self.limits)
        return Grid(self.name, sheet.name, tuple(columns), first_column)


def open_source(path: Path, limits: Limits, encoding: str | None, known_texts: frozenset[str]) -> Source:
    """Check a file and find its sheets; a text file is read at once.

    Raises
    ------
    ResponsesError
        unreadable_file, unsafe_file, too_large or empty_sheet.
    """
    if sniff_kind(path, limits) == "workbook":
        return Source(path.name, path, limits, sheets=inspect_workbook(path, limits))
    text_file = read_text_file(path, limits, encoding, known_texts)
    _check_text_lengths(text_file.columns, path.name, limits)
    grid = Grid(path.name, None, text_file.columns, text_file=text_file)
    return Source(path.name, path, limits, text=grid)


def _read_sheet(reader: Any, sheet: SheetInfo) -> tuple[Any, dict[int, dict[int, str]], int]:
    """The sheet from row 1 as text, its error cells by column and row, and the number of its first column."""
    if not sheet.last_column:
        return pa.record_batch([], names=[]), {}, 1
    options = {"header_row": None, "skip_rows": 0, "dtypes": "string"}
    if not sheet.has_errors:
        batch = reader.load_sheet_eager(sheet.name, **options)
        if batch.num_columns == sheet.last_column - sheet.first_column + 1:
            return batch, {}, sheet.first_column
    loaded = reader.load_sheet(sheet.name, **options)
    batch, cell_errors = loaded.to_arrow_with_errors()
    errors: dict[int, dict[int, str]] = {}
    for cell in cell_errors.errors if cell_errors else ():
        name = _ERROR_NAME.search(cell.detail)
        row, column = cell.position
        errors.setdefault(column, {})[row] = f"#{name[1].upper() if name else 'ERROR'}!"
    available = loaded.available_columns()
    return batch, errors, available[0].absolute_index + 1 if available else 1


def _mark_errors(column: Any, errors: dict[int, str] | None) -> Any:
    """Error values as text, so that they are not taken for blank cells."""
    if not errors:
        return column
    values = column.to_pylist()
    for row, text in errors.items():
        values[row] = text
    return pa.array(values, pa.string())


def _check_text_lengths(columns: Sequence[Any], where: str, limits: Limits) -> None:
    for number, column in enumerate(columns, start=1):
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest > limits.cell_characters:
            characters = pc.max(pc.utf8_length(column)).as_py()
            if characters > limits.cell_characters:
                what = f"Characters in a cell of column {number}"
                raise too_large(where, what, characters, "cell_characters", limits)


def distinct(column: Any) -> tuple[list[str | None], np.ndarray]:
    """Distinct texts of a column and, for each row, which of them it holds, as compactly as their number allows.

    -1 stands for a cell that is null.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    indices = column.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    texts = column.dictionary.to_pylist()
    compact = np.int8 if len(texts) < 128 else np.int16 if len(texts) < 32_768 else np.int32
    return texts, indices.to_numpy(zero_copy_only=False).astype(compact, copy=False)


def table_from_frame(frame: pd.DataFrame) -> Table:
    """A DataFrame as a table; numbers become the text of their distinct values, never a column of text."""
    index = frame.index
    if isinstance(index, pd.MultiIndex) or not index.is_unique:
        index = pd.RangeIndex(len(frame))
    if index.name is None:
        index = index.rename("row")
    headings = tuple(" ".join(map(str, c)) if isinstance(c, tuple) else str(c) for c in frame.columns)
    columns = tuple(_encode_series(frame.iloc[:, i]) for i in range(frame.shape[1]))
    return Table("DataFrame", None, headings, columns, index, frame=frame.set_axis(index, axis=0))


def _encode_series(series: pd.Series) -> Any:
    try:
        codes, values = pd.factorize(series)
    except TypeError:
        codes, values = pd.factorize(series.map(str, na_action="ignore"))
    texts = [_as_text(value) for value in values]
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string()))


def _as_text(value: Any) -> str:
    """A cell of a DataFrame as people would type it: 5.0 is 5."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
