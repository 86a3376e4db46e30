"""Reads the sheets of an OpenDocument spreadsheet (.ods) in one pass, where no repetition can outgrow the limits."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from servicediag.responses.column_builder import ColumnBuilder, as_text
from servicediag.responses.safety import Limits, check_directory, refuse, too_large
from servicediag.responses.workbook import DAMAGED, SheetInfo, pieces

__all__ = ["read_open_document"]

_KIND = b"application/vnd.oasis.opendocument.spreadsheet"
_REMEDY = "Open it in LibreOffice and save it as .xlsx, without a password."
_MOST_SPACES = 1_000
_FEW_CELLS = 1_000_000
_VALUES = {
    "float": "office:value",
    "percentage": "office:value",
    "currency": "office:value",
    "date": "office:date-value",
    "time": "office:time-value",
    "boolean": "office:boolean-value",
    "string": "office:string-value",
}
_ERROR = "#ERROR!"


@dataclass
class _Sheet:
    """A sheet as far as it was read; columns by their number from 0."""

    name: str
    visible: bool
    columns: dict[int, ColumnBuilder] = field(default_factory=dict)
    n_rows: int = 0

    @property
    def first_column(self) -> int:
        return min(self.columns, default=0)

    @property
    def width(self) -> int:
        return max(self.columns) + 1 - self.first_column if self.columns else 0


def read_open_document(path: Path, limits: Limits) -> dict[SheetInfo, tuple[Any, ...]]:
    """The sheets of a .ods file in their order, each with its columns as dictionary-encoded text.

    Raises
    ------
    ResponsesError
        unreadable_file, unsafe_file or too_large.
    """
    where = path.name
    try:
        with zipfile.ZipFile(path) as archive:
            check_directory(archive, where, limits, "content.xml")
            _check_kind(archive, where)
            reader = _Reader(where, limits)
            for piece in pieces(archive, "content.xml", where):
                reader.feed(piece)
            reader.feed(b"", last=True)
    except (*DAMAGED, expat.ExpatError) as error:
        problem = f"The .ods file is damaged ({type(error).__name__})."
        raise refuse("unreadable_file", where, problem, _REMEDY) from error
    return {_info(sheet, number): _columns(sheet) for number, sheet in enumerate(reader.sheets)}


def _check_kind(archive: zipfile.ZipFile, where: str) -> None:
    names = archive.namelist()
    kind = archive.open("mimetype").read(len(_KIND)) if "mimetype" in names else b""
    if kind != _KIND:
        raise refuse("unreadable_file", where, "It is an OpenDocument file, but no spreadsheet.", _REMEDY)
    if "META-INF/manifest.xml" in names:
        manifest = b"".join(pieces(archive, "META-INF/manifest.xml", where))
        if b"encryption-data" in manifest:
            raise refuse("unreadable_file", where, "The spreadsheet is encrypted.", _REMEDY)


def _info(sheet: _Sheet, number: int) -> SheetInfo:
    if not sheet.columns:
        return SheetInfo(sheet.name, sheet.visible, str(number))
    first = sheet.first_column
    return SheetInfo(sheet.name, sheet.visible, str(number), first + 1, first + sheet.width, sheet.n_rows)


def _columns(sheet: _Sheet) -> tuple[Any, ...]:
    empty = ColumnBuilder()
    numbers = range(sheet.first_column, sheet.first_column + sheet.width)
    return tuple(sheet.columns.get(number, empty).finish(sheet.n_rows) for number in numbers)


class _Reader:
    """Follows the tags of content.xml; what stands in a comment on a cell is no part of the cell."""

    def __init__(self, where: str, limits: Limits) -> None:
        self.sheets: list[_Sheet] = []
        self._where = where
        self._limits = limits
        self._n_tags = self._n_bytes = self._n_cells = 0
        self._style = ""
        self._hidden: set[str] = set()
        self._depth = 0
        self._row = self._row_repeats = self._column = self._column_repeats = 0
        self._cells: list[tuple[int, int, str]] = []
        self._value: str | None = None
        self._text: list[str] | None = None
        self._n_paragraphs = 0
        self._ignored = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        self._n_tags += piece.count(b"<")
        if self._n_tags > self._limits.tags:
            raise too_large(self._where, "Opening and closing tags", self._n_tags, "tags", self._limits)
        self._parser.Parse(piece, last)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._ignored:
            self._ignored += 1
        elif name in ("table:table-cell", "table:covered-table-cell"):
            if self._depth == 1:
                self._start_cell(attributes)
        elif self._text is not None:
            self._start_in_cell(name, attributes)
        elif name == "table:table-row":
            if self._depth == 1:
                self._row_repeats = _repeats(attributes, "table:number-rows-repeated")
                self._column, self._cells = 0, []
        elif name == "table:table":
            self._depth += 1
            if self._depth == 1:
                visible = attributes.get("table:style-name") not in self._hidden
                self.sheets.append(_Sheet(attributes.get("table:name", ""), visible))
                self._row = 0
        elif name == "style:style":
            self._style = attributes.get("style:name", "")
        elif name == "style:table-properties" and attributes.get("table:display") == "false":
            self._hidden.add(self._style)

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        self._column_repeats = _repeats(attributes, "table:number-columns-repeated")
        kind = attributes.get("office:value-type", "")
        value = attributes.get(_VALUES.get(kind, ""))
        if attributes.get("calcext:value-type") == "error":
            value = _ERROR
        elif not kind:
            value = ""
        elif value is not None and _VALUES[kind] == "office:value":
            value = as_text(float(value))
        elif value is not None and kind == "date":
            value = value.replace("T", " ", 1)
        self._value = value
        self._text, self._n_paragraphs, self._ignored = [], 0, 0

    def _start_in_cell(self, name: str, attributes: Mapping[str, str]) -> None:
        text = self._text
        if text is None or name in ("office:annotation", "table:table", "draw:frame"):
            self._ignored += 1
        elif name == "text:p":
            self._n_paragraphs += 1
            if self._n_paragraphs > 1:
                text.append("\n")
        elif name == "text:s":
            n_spaces = _repeats(attributes, "text:c")
            if n_spaces > _MOST_SPACES:
                raise too_large(self._where, "Spaces in a row", n_spaces, "cell_characters", self._limits)
            text.append(" " * n_spaces)
        elif name == "text:tab":
            text.append("\t")
        elif name == "text:line-break":
            text.append("\n")

    def _characters(self, data: str) -> None:
        if self._text is not None and self._n_paragraphs and not self._ignored:
            self._text.append(data)

    def _end(self, name: str) -> None:
        if self._ignored:
            self._ignored -= 1
        elif name in ("table:table-cell", "table:covered-table-cell"):
            if self._depth == 1:
                self._end_cell()
        elif name == "table:table-row":
            if self._depth == 1:
                self._end_row()
        elif name == "table:table":
            self._depth -= 1

    def _end_cell(self) -> None:
        text = self._value if self._value is not None else "".join(self._text or ())
        if text:
            last = self._column + self._column_repeats
            if last > self._limits.columns:
                raise too_large(self._place(), "Columns", last, "columns", self._limits)
            if len(text) > self._limits.cell_characters:
                what = f"Characters in a cell of row {self._row + 1}"
                raise too_large(self._place(), what, len(text), "cell_characters", self._limits)
            self._cells.append((self._column, self._column_repeats, text))
        self._column += self._column_repeats
        self._text = None

    def _end_row(self) -> None:
        """Put the cells of the row into their columns, as often as the row is repeated."""
        if self._cells:
            self._check_row()
            columns = self.sheets[-1].columns
            for first, n_columns, text in self._cells:
                for column in range(first, first + n_columns):
                    if column not in columns:
                        columns[column] = ColumnBuilder()
                    columns[column].put(self._row, text, self._row_repeats)
            self.sheets[-1].n_rows = self._row + self._row_repeats
        self._row += self._row_repeats

    def _check_row(self) -> None:
        limits, sheet = self._limits, self.sheets[-1]
        last_row = self._row + self._row_repeats
        if last_row > limits.workbook_rows:
            raise too_large(self._place(), "Rows", last_row, "workbook_rows", limits)
        first = min(self._cells[0][0], sheet.first_column if sheet.columns else self._cells[0][0])
        last = max(self._cells[-1][0] + self._cells[-1][1], sheet.first_column + sheet.width)
        if last_row * (last - first) > limits.cells:
            raise too_large(self._place(), "Rows times columns", last_row * (last - first), "cells", limits)
        self._n_cells += sum(n for _, n, _ in self._cells) * self._row_repeats
        if self._n_cells > limits.cells:
            raise too_large(self._where, "Cells of all sheets", self._n_cells, "cells", limits)
        if self._n_cells > max(_FEW_CELLS, self._n_tags * limits.inflation_ratio):
            what = "Cells written out for each tag"
            raise too_large(self._place(), what, self._n_cells // self._n_tags + 1, "inflation_ratio", limits)
        self._n_bytes += sum(n * len(text) for _, n, text in self._cells) * self._row_repeats
        if self._n_bytes > limits.inflated_bytes:
            what = "Characters of text, repeated in every cell"
            raise too_large(self._place(), what, self._n_bytes, "inflated_bytes", limits)

    def _place(self) -> str:
        return f"{self._where}, sheet {self.sheets[-1].name!r}"


def _repeats(attributes: Mapping[str, str], name: str) -> int:
    """A count of repetitions: 1 unless the tag says more; a faulty one is damage."""
    count = attributes.get(name, "1")
    if len(count) > 9 or (number := int(count)) < 1:
        raise ValueError(name)
    return number
