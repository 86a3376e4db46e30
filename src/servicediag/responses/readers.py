"""Yields the cells of a workbook sheet, text file or DataFrame as columns of text, with their place in the original."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from servicediag.errors import ResponsesError
from servicediag.escaping import encodable
from servicediag.responses.column_builder import as_text, text_array
from servicediag.responses.normalise import normal_text
from servicediag.responses.safety import FileKind, Limits, Stamp, refuse, sniff_kind, stamp_of, too_large, unchanged
from servicediag.responses.text_files import TextFile, read_text_file
from servicediag.responses.workbook import SheetInfo, inspect_workbook

__all__ = [
    "Grid",
    "Source",
    "Table",
    "Variables",
    "column_letter",
    "distinct",
    "has_text",
    "open_source",
    "table_from_frame",
]

_ERROR_NAME = re.compile(r"Error\((\w{1,20})\)")
_MOST_CELLS_NAMED = 5
_FEW_TEXTS = 64


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
class Variables:
    """What a statistics file says about its variables, a value a column.

    Attributes
    ----------
    labels : tuple of str
        The variable label, mostly the question; empty text where there is none.
    values : tuple of mappings of str -> str
        The value labels: the text of a value, as it stands in its cell (``"5"``), and its label.
    missing : tuple of tuples of (low, high)
        The ranges of values that are declared as user-missing; low and high are equal for a single one. Texts are
        given as they stand in their cells.
    """

    labels: tuple[str, ...]
    values: tuple[Mapping[str, str], ...]
    missing: tuple[tuple[tuple[float | str, float | str], ...], ...]


@dataclass(frozen=True)
class Grid:
    """All cells of one sheet or text file; row ``i`` of every column is row ``i + 1`` of the original.

    Attributes
    ----------
    columns : tuple of Arrow arrays
        Text, or dictionary-encoded text, all of one length; null and empty text are blank cells.
    first_column : int
        Number of the column of the original that ``columns[0]`` is, counted from 1.
    text_file : TextFile or None
        How a text file was taken apart.
    platform : str or None
        The platform, where the kind of file alone says it: ``spss``, ``yandex_forms``.
    variables : Variables or None
        Labels and declared missing values, where the file has them.
    """

    source: str
    sheet: str | None
    columns: tuple[Any, ...]
    first_column: int = 1
    text_file: TextFile | None = None
    platform: str | None = None
    variables: Variables | None = None

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
    questions : tuple of tuples of str
        Texts that can be the question of each column, where they stand apart from the heading; empty if nowhere.
    """

    source: str
    sheet: str | None
    headings: tuple[str, ...]
    columns: tuple[Any, ...]
    rows: pd.Index
    letters: tuple[str, ...] = ()
    frame: pd.DataFrame | None = None
    questions: tuple[tuple[str, ...], ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Headings made unique by their place: a repeated or empty one says which column it is."""
        counts: dict[str, int] = {}
        for heading in self.headings:
            counts[heading] = counts.get(heading, 0) + 1
        return tuple(
            heading if heading and counts[heading] == 1 else self.placed_name(i)
            for i, heading in enumerate(self.headings)
        )

    def called(self, name: str) -> list[int]:
        """Columns of that name: as it stands, else ignoring case and spaces, else by the question below the heading."""
        if exact := self._exact.get(name):
            return exact
        wanted = normal_text(name)
        return self._by_heading.get(wanted) or self._by_question.get(wanted, [])

    @cached_property
    def _exact(self) -> dict[str, list[int]]:
        return _places(enumerate(zip(self.headings, self.names, strict=True)))

    @cached_property
    def _by_heading(self) -> dict[str, list[int]]:
        return _places((i, [normal_text(heading)]) for i, heading in enumerate(self.headings) if heading)

    @cached_property
    def _by_question(self) -> dict[str, list[int]]:
        return _places((i, map(normal_text, texts)) for i, texts in enumerate(self.questions))

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
    """A file that has passed the checks of safety, ready to give its sheets.

    Attributes
    ----------
    sheets : tuple of SheetInfo
        Of a workbook.
    text : Grid or None
        The cells of a file that has no sheets.
    content : bytes or None
        What is parsed instead of the file itself, where it had to be packed anew.
    grids : mapping of SheetInfo -> Grid
        Sheets that are read already.
    stamp : Stamp or None
        What the file was when it was checked.
    """

    name: str
    path: Path
    limits: Limits
    sheets: tuple[SheetInfo, ...] = ()
    text: Grid | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    grids: Mapping[SheetInfo, Grid] = field(default_factory=dict, repr=False)
    stamp: Stamp | None = None

    def load(self, sheet: SheetInfo) -> Grid:
        """All cells of a worksheet."""
        if sheet in self.grids:
            return self.grids[sheet]
        with unchanged(self.path, self.stamp):
            return self._load(sheet)

    def _load(self, sheet: SheetInfo) -> Grid:
        import fastexcel

        try:
            columns, first_column = self._columns(sheet)
        except BaseException as error:
            # A panic of the parser derives from BaseException, and its class cannot be imported.
            known = isinstance(error, (fastexcel.FastExcelError, pa.ArrowException, OSError))
            if not known and type(error).__name__ != "PanicException":
                raise
            problem = f"Sheet {sheet.name!r} cannot be read ({type(error).__name__})."
            raise refuse("unreadable_file", self.name, problem, "Open it in Excel and save it anew.") from error
        _check_text_lengths(columns, f"{self.name}, sheet {sheet.name!r}", self.limits)
        return Grid(self.name, sheet.name, columns, first_column)

    def _columns(self, sheet: SheetInfo) -> tuple[tuple[Any, ...], int]:
        """The columns of a worksheet from row 1 on, and the number of the first one."""
        import fastexcel

        if sheet.cells is not None:
            return sheet.cells.columns(self.path, sheet.name, sheet.part), sheet.first_column
        reader = fastexcel.read_excel(self.content or str(self.path))
        name = sheet.name if self.content is None else int(sheet.part)
        batch, errors, first_column = _read_sheet(reader, sheet, name)
        return tuple(_mark_errors(column, errors.get(i)) for i, column in enumerate(batch.columns)), first_column


def open_source(path: Path, limits: Limits, encoding: str | None, known_texts: frozenset[str]) -> Source:
    """Check a file and find its sheets; a file without sheets is read at once.

    Raises
    ------
    ResponsesError
        unreadable_file, unsafe_file, too_large, empty_sheet or missing_extra.
    """
    stamp = stamp_of(path)
    with unchanged(path, stamp):
        return replace(_open(path, limits, encoding, known_texts), stamp=stamp)


def _open(path: Path, limits: Limits, encoding: str | None, known_texts: frozenset[str]) -> Source:
    kind = sniff_kind(path, limits)
    if kind == "workbook":
        return Source(path.name, path, limits, sheets=inspect_workbook(path, limits))
    if kind == "old_workbook":
        from servicediag.responses.old_workbook import inspect_old_workbook

        content, sheets = inspect_old_workbook(path, limits)
        return Source(path.name, path, limits, sheets=sheets, content=content)
    if kind == "open_document":
        return _open_document(path, limits)
    grid = _read_file(path, kind, limits, encoding, known_texts)
    _check_text_lengths(grid.columns, path.name, limits)
    return Source(path.name, path, limits, text=grid)


def _open_document(path: Path, limits: Limits) -> Source:
    from servicediag.responses.open_document import read_open_document

    grids = {
        sheet: Grid(path.name, sheet.name, columns, sheet.first_column)
        for sheet, columns in read_open_document(path, limits).items()
    }
    return Source(path.name, path, limits, sheets=tuple(grids), grids=grids)


def _read_file(path: Path, kind: FileKind, limits: Limits, encoding: str | None, known_texts: frozenset[str]) -> Grid:
    """The cells of a file that has no sheets; what only looks like JSON is text unless its name says otherwise."""
    if kind == "spss":
        from servicediag.responses.spss_file import read_spss

        return read_spss(path, limits, encoding)
    if kind == "parquet":
        from servicediag.responses.parquet_file import read_parquet

        return read_parquet(path, limits)
    if kind == "json":
        from servicediag.responses.json_file import read_json

        try:
            return read_json(path, limits, encoding, known_texts)
        except ResponsesError as error:
            if path.suffix.lower() == ".json" or error.issues[0].code != "unreadable_file":
                raise
    text_file = read_text_file(path, limits, encoding, known_texts)
    return Grid(path.name, None, text_file.columns, text_file=text_file)


def _read_sheet(reader: Any, sheet: SheetInfo, name: str | int) -> tuple[Any, dict[int, dict[int, str]], int]:
    """The sheet from row 1 as text, its error cells by column and row, and the number of its first column."""
    if not sheet.last_column:
        return pa.record_batch([], names=[]), {}, 1
    options = {"header_row": None, "skip_rows": 0, "dtypes": "string"}
    if not sheet.has_errors:
        batch = reader.load_sheet_eager(name, **options)
        if batch.num_columns == sheet.last_column - sheet.first_column + 1:
            return batch, {}, sheet.first_column
    loaded = reader.load_sheet(name, **options)
    batch, cell_errors = loaded.to_arrow_with_errors()
    errors: dict[int, dict[int, str]] = {}
    for cell in cell_errors.errors if cell_errors else ():
        kind = _ERROR_NAME.search(cell.detail)
        row, column = cell.position
        errors.setdefault(column, {})[row] = f"#{kind[1].upper() if kind else 'ERROR'}!"
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
    for number, cells in enumerate(columns, start=1):
        column = cells.dictionary if pa.types.is_dictionary(cells.type) else cells
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest > limits.cell_characters:
            characters = pc.max(pc.utf8_length(column)).as_py()
            if characters > limits.cell_characters:
                what = f"Characters in a cell of column {number}"
                raise too_large(where, what, characters, "cell_characters", limits)


def _places(named: Iterable[tuple[int, Iterable[str]]]) -> dict[str, list[int]]:
    """The columns of every name, each once."""
    found: dict[str, list[int]] = {}
    for column, names in named:
        for name in dict.fromkeys(names):
            found.setdefault(name, []).append(column)
    return found


def distinct(column: Any) -> tuple[list[str | None], np.ndarray]:
    """Distinct texts of a column and, for each row, which of them it holds, as compactly as their number allows.

    -1 stands for a cell that is null. A dictionary may hold texts of rows that were left out; these are not given.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    encoded = pa.types.is_dictionary(column.type)
    if not encoded:
        column = column.dictionary_encode()
    indices, texts = column.indices, column.dictionary
    if indices.null_count:
        indices = indices.fill_null(-1)
    codes = indices.to_numpy(zero_copy_only=False)
    if encoded and len(texts) <= _FEW_TEXTS:
        return _distinct_few(texts.to_pylist(), codes.astype(np.int8))
    held = np.ones(len(texts), bool)
    if encoded:
        held = np.bincount(codes.astype(np.intp) + 1, minlength=len(texts) + 1)[1:] > 0
    n_held = int(np.count_nonzero(held))
    compact = np.int8 if n_held < 128 else np.int16 if n_held < 32_768 else np.int32
    if n_held == len(held):
        return texts.to_pylist(), codes.astype(compact, copy=False)
    places = np.append(np.cumsum(held) - 1, -1).astype(compact)
    return texts.filter(pa.array(held)).to_pylist(), places.take(codes)


def _distinct_few(
    texts: list[str | None], codes: npt.NDArray[np.int8]
) -> tuple[list[str | None], npt.NDArray[np.int8]]:
    """What ``distinct`` gives, where a pass or two over the codes for each text cost less than a table of places."""
    cells = codes.tobytes()  # in which a search ends where it finds, so that mostly it hardly begins
    absent = [place for place in range(len(texts)) if place not in cells]
    for place in reversed(absent):
        codes -= codes > place
        del texts[place]
    return texts, codes


def has_text(column: Any) -> npt.NDArray[np.bool_]:
    """Whether the cell of each row is not blank."""
    if isinstance(column, pa.ChunkedArray):
        return np.concatenate([has_text(chunk) for chunk in column.chunks] or [np.zeros(0, bool)])
    if not pa.types.is_dictionary(column.type):
        filled = pc.greater(pc.binary_length(column), 0).fill_null(False)
        return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.bool_)
    known = np.append(has_text(column.dictionary), False)
    return np.asarray(known.take(column.indices.fill_null(-1).to_numpy(zero_copy_only=False)))


def table_from_frame(frame: pd.DataFrame) -> Table:
    """A DataFrame as a table; numbers become the text of their distinct values, never a column of text."""
    index = frame.index
    if isinstance(index, pd.MultiIndex) or not index.is_unique:
        index = pd.RangeIndex(len(frame))
    if index.name is None:
        index = index.rename("row")
    headings = tuple(encodable(" ".join(map(str, c)) if isinstance(c, tuple) else str(c)) for c in frame.columns)
    columns = tuple(_encode_series(frame.iloc[:, i]) for i in range(frame.shape[1]))
    return Table("DataFrame", None, headings, columns, index, frame=frame.set_axis(index, axis=0))


def _encode_series(series: pd.Series) -> Any:
    try:
        codes, values = pd.factorize(series)
    except TypeError:
        codes, values = pd.factorize(series.map(str, na_action="ignore"))
    texts = [as_text(value) for value in values]
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, text_array(texts))
