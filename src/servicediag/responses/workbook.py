"""Lists the worksheets of a workbook and counts their true extent, so that no parser is led to allocate a void."""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from servicediag.responses.plain_cells import LARGEST_TEXTS, MOST_TEXTS, TEXTS, PlainCells, PlainSheet, plain_cells
from servicediag.responses.safety import Limits, check_directory, refuse, too_large, unsafe

__all__ = ["DAMAGED", "SheetInfo", "inspect_workbook", "listed_sheets", "pieces"]

_CHUNK = 1 << 20
DAMAGED = (
    zipfile.BadZipFile, zlib.error, ElementTree.ParseError, EOFError, NotImplementedError, OSError, RuntimeError,
    ValueError, LookupError,
)  # fmt: skip
_MOST_TEXTS = 5_000_000
_TAG = re.compile(rb"<(?:[\w.-]{1,64}:)?(row|c)(?=[\s/>])([^>]{0,4000})>")
_REFERENCE = re.compile(rb"""\sr\s{0,9}=\s{0,9}["']\s{0,9}([A-Za-z]{0,4})([0-9]{0,9})""")
_TEXT_START = re.compile(rb"<(?:[\w.-]{1,64}:)?si[\s/>]")
_VALUE = re.compile(rb"<(?:[\w.-]{1,64}:)?v(?:\s[^>]{0,200})?>\s{0,9}([0-9]{1,9}|&)?")
_RELATION_IDS = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id",
    "{http://purl.oclc.org/ooxml/officeDocument/relationships}id",
)
_LARGEST_UNUSUAL = 30_000_000
_EQUALS, _LESS, _GREATER, _COLON, _SLASH, _SPACE = b"=<>:/ "
_LOWER_C, _LOWER_I, _LOWER_O, _LOWER_R, _LOWER_S, _LOWER_V, _LOWER_W = b"ciorsvw"
_ZERO, _NINE = b"09"


@dataclass(frozen=True)
class SheetInfo:
    """One worksheet as the workbook lists it, with the extent that was counted in its cells.

    Attributes
    ----------
    visible : bool
        False for hidden and very hidden sheets.
    part : str
        Its path inside the file.
    first_column, last_column, last_row : int
        Counted from 1; 0 for a sheet without cells.
    has_errors : bool
        Whether a cell may hold an error value such as ``#N/A``.
    cells : PlainSheet or None
        All cells, where they could be taken from the markup; the sheet need not be parsed then.
    """

    name: str
    visible: bool
    part: str
    first_column: int = 0
    last_column: int = 0
    last_row: int = 0
    has_errors: bool = False
    cells: PlainSheet | None = field(default=None, repr=False, compare=False)


@dataclass
class _Extent:
    """Running bounds of the cells seen so far; ``plain`` is false once the fast count cannot be trusted."""

    first_column: int = 1 << 30
    last_column: int = 0
    last_row: int = 0
    n_cells: int = 0
    text_bytes: int = 0
    has_errors: bool = False
    plain: bool = True

    def add(self, columns: np.ndarray, rows: np.ndarray) -> None:
        if len(columns):
            self.first_column = min(self.first_column, int(columns.min()))
            self.last_column = max(self.last_column, int(columns.max()))
            self.last_row = max(self.last_row, int(rows.max()))
            self.n_cells += len(columns)

    def merge(self, other: _Extent) -> None:
        self.first_column = min(self.first_column, other.first_column)
        self.last_column = max(self.last_column, other.last_column)
        self.last_row = max(self.last_row, other.last_row)
        self.n_cells += other.n_cells
        self.text_bytes += other.text_bytes
        self.has_errors = self.has_errors or other.has_errors
        self.plain = self.plain and other.plain


def inspect_workbook(path: Path, limits: Limits) -> tuple[SheetInfo, ...]:
    """The worksheets of an .xlsx or .xlsm file in their order, after every check of safety.

    Raises
    ------
    ResponsesError
        unreadable_file, unsafe_file or too_large.
    """
    where = path.name
    try:
        with zipfile.ZipFile(path) as archive:
            check_directory(archive, where, limits)
            sheets = listed_sheets(archive, where)
            measured_parts = {sheet.part for sheet in sheets} | {TEXTS}
            for entry in archive.infolist():
                if entry.filename.endswith((".xml", ".rels")) and entry.filename not in measured_parts:
                    for _ in pieces(archive, entry.filename, where):
                        pass
            lengths = _text_lengths(archive, where, limits)
            # one pool for all: thousands of sheets would else start thousands of threads
            with ThreadPoolExecutor(max_workers=2) as pool:
                return tuple(_measure(archive, sheet, where, limits, lengths, pool) for sheet in sheets)
    except DAMAGED as error:
        problem = f"The workbook is damaged ({type(error).__name__})."
        raise refuse("unreadable_file", where, problem, "Repair it in Excel and save it anew.") from error


def pieces(archive: zipfile.ZipFile, part: str, where: str, start: bytes = b"<") -> Iterator[bytes]:
    """The unpacked part in pieces that never cut a tag; a part that does not unpack to its declared size is damaged.

    Pieces after the first begin with ``start`` where that occurs often enough.
    """
    with archive.open(part) as file:
        rest = b""
        first = True
        while chunk := file.read(_CHUNK):
            if first and b"\0" in chunk[:64]:
                raise unsafe(where, "It holds XML in an unusual encoding")
            first = False
            buffer = rest + chunk
            cut = buffer.rfind(start)
            if cut <= 0 and len(buffer) > _CHUNK:
                cut = buffer.rfind(b"<")
            if cut <= 0 and len(buffer) > _CHUNK:
                if b">" not in buffer:
                    raise unsafe(where, "It holds a tag of more than a megabyte")
                cut = len(buffer)
            piece, rest = buffer[: max(cut, 0)], buffer[max(cut, 0) :]
            yield _without_document_type(piece, where)
        yield _without_document_type(rest, where)


def _without_document_type(piece: bytes, where: str) -> bytes:
    if b"<!DOCTYPE" in piece:
        raise unsafe(where, "It holds a document type definition, which can be made to exhaust the machine")
    return piece


def listed_sheets(archive: zipfile.ZipFile, where: str) -> tuple[SheetInfo, ...]:
    """Worksheets by name, visibility and part, as the workbook lists them."""
    targets = {}
    for relation in _xml(archive, "xl/_rels/workbook.xml.rels", where).iter():
        if str(relation.get("Type", "")).endswith("/worksheet"):
            target = str(relation.get("Target"))
            joined = target.lstrip("/") if target.startswith("/") else posixpath.join("xl", target)
            targets[relation.get("Id")] = posixpath.normpath(joined)
    sheets = []
    for sheet in _xml(archive, "xl/workbook.xml", where).iter():
        part = targets.get(next((sheet.get(key) for key in _RELATION_IDS if sheet.get(key)), None))
        if sheet.tag.rpartition("}")[2] == "sheet" and part:
            visible = sheet.get("state", "visible") == "visible"
            sheets.append(SheetInfo(str(sheet.get("name")), visible, part))
    return tuple(sheets)


def _xml(archive: zipfile.ZipFile, part: str, where: str) -> ElementTree.Element:
    return ElementTree.fromstring(b"".join(pieces(archive, part, where)))


def _text_lengths(archive: zipfile.ZipFile, where: str, limits: Limits) -> np.ndarray:
    """Bytes of every shared text, markup included."""
    if TEXTS not in archive.namelist():
        return np.zeros(1, np.int64)
    starts: list[int] = []
    base = 0
    for piece in pieces(archive, TEXTS, where):
        starts.extend(base + place for place in _text_starts(piece))
        base += len(piece)
        if len(starts) > _MOST_TEXTS:
            raise too_large(where, "Distinct texts", len(starts), "cells", limits)
    return np.diff([*starts, base]) if starts else np.zeros(1, np.int64)


def _text_starts(piece: bytes) -> list[int]:
    """Where the tags of shared texts begin."""
    if b":si" in piece:
        return [match.start() for match in _TEXT_START.finditer(piece)]
    data = np.frombuffer(piece + b" " * 4, np.uint8)
    tags = np.flatnonzero((data[:-2] == _LESS) & (data[1:-1] == _LOWER_S) & (data[2:] == _LOWER_I))
    places: list[int] = tags[_ends_name(data[tags + 3])].tolist()
    return places


def _measure(
    archive: zipfile.ZipFile,
    sheet: SheetInfo,
    where: str,
    limits: Limits,
    lengths: np.ndarray,
    pool: ThreadPoolExecutor,
) -> SheetInfo:
    """The sheet with its extent, after the limits of rows, columns, cells and repeated texts."""
    readable = len(lengths) <= MOST_TEXTS and int(lengths.sum()) <= LARGEST_TEXTS
    by_rows = pieces(archive, sheet.part, where, b"<row ")
    extent, cells = _count(by_rows, lengths, pool, PlainSheet() if readable else None)
    if not extent.plain:
        if archive.getinfo(sheet.part).file_size > _LARGEST_UNUSUAL:
            raise unsafe(where, f"The cells of sheet {sheet.name!r} are written in an unusual way")
        extent = _count_one_by_one(pieces(archive, sheet.part, where), lengths)
    elif cells is None and _excess(extent, limits):
        extent, _ = _count(pieces(archive, sheet.part, where), lengths, pool, without_blank=True)
    if excess := _excess(extent, limits):
        raise too_large(f"{where}, sheet {sheet.name!r}", *excess, limits)
    if extent.text_bytes > limits.inflated_bytes:
        what = "Bytes of text, repeated in every cell that refers to it"
        raise too_large(f"{where}, sheet {sheet.name!r}", what, extent.text_bytes, "inflated_bytes", limits)
    return replace(
        sheet,
        first_column=extent.first_column if extent.last_column else 0,
        last_column=extent.last_column,
        last_row=extent.last_row,
        has_errors=extent.has_errors,
        cells=cells if cells is not None and cells.is_dense else None,
    )


def _excess(extent: _Extent, limits: Limits) -> tuple[str, int, str] | None:
    width = max(extent.last_column - extent.first_column + 1, 0)
    if extent.last_row > limits.workbook_rows:
        return "Rows", extent.last_row, "workbook_rows"
    if extent.last_column > limits.columns:
        return "Columns", extent.last_column, "columns"
    if extent.last_row * width > limits.cells:
        return "Rows times columns", extent.last_row * width, "cells"
    return None


def _count(
    pieces: Iterator[bytes],
    lengths: np.ndarray,
    pool: ThreadPoolExecutor,
    sheet: PlainSheet | None = None,
    *,
    without_blank: bool = False,
) -> tuple[_Extent, PlainSheet | None]:
    """Bounds of the cells, with or without those that are only formatted, and whether every tag says its place.

    Two pieces are looked through at a time; only a few are held, however large the sheet is. The cells are put into
    ``sheet`` as long as all of them are plain.
    """
    extent = _Extent()
    waiting: deque[Future[tuple[_Extent, PlainCells | None]]] = deque()

    def take() -> PlainSheet | None:
        part, cells = waiting.popleft().result()
        extent.merge(part)
        return sheet if sheet is not None and cells is not None and sheet.add(cells) else None

    for piece in pieces:
        waiting.append(pool.submit(_look_through, piece, lengths, without_blank, sheet is not None))
        if len(waiting) > 3:
            sheet = take()
    while waiting:
        sheet = take()
    return extent, sheet


def _look_through(
    piece: bytes, lengths: np.ndarray, without_blank: bool, plainly: bool
) -> tuple[_Extent, PlainCells | None]:
    """The bounds of one piece, and its cells where they are wanted and plain."""
    cells = plain_cells(piece) if plainly else None
    if cells is None or (len(cells.values) and int(cells.values.max()) >= len(lengths)):
        return _scan(piece, lengths, without_blank), None
    shared = cells.values if (cells.values >= 0).all() else cells.values[cells.values >= 0]
    extent = _Extent(text_bytes=int(lengths[shared].sum()))
    extent.add(cells.columns, cells.rows)
    return extent, cells


def _scan(piece: bytes, lengths: np.ndarray, without_blank: bool) -> _Extent:
    """The bounds and texts of one piece."""
    extent = _Extent()
    data = np.frombuffer(piece + b" " * 16, np.uint8)
    tags, colons = np.flatnonzero(data == _LESS), np.flatnonzero(data == _COLON)
    extent.text_bytes = _text_bytes(piece, _values(data, tags, colons), lengths)
    references = _references(data, tags, colons, extent)
    if without_blank and len(references):
        ends = np.flatnonzero(data == _GREATER)
        ends = ends[np.searchsorted(ends, references)]
        # some writers close a blank cell at once, others open and close it
        blank = (data[ends - 1] == _SLASH) | ((data[ends + 1] == _LESS) & (data[ends + 2] == _SLASH))
        references = references[~blank]
    extent.add(*_decode(data, references))
    extent.has_errors = b't="e"' in piece or b"t='e'" in piece
    return extent


def _references(data: np.ndarray, tags: np.ndarray, colons: np.ndarray, extent: _Extent) -> np.ndarray:
    """Positions of cell references; a cell or row that leaves its place unsaid makes the extent not plain."""
    second = data[tags + 1]
    cells = tags[second == _LOWER_C]
    n_cells = int(_ends_name(data[cells + 2]).sum())
    rows = tags[second == _LOWER_R]
    rows = rows[(data[rows + 2] == _LOWER_O) & (data[rows + 3] == _LOWER_W)]
    n_rows = int(_ends_name(data[rows + 4]).sum())
    prefixed_cells = (data[colons + 1] == _LOWER_C) & _ends_name(data[colons + 2])
    prefixed_rows = (data[colons + 1] == _LOWER_R) & (data[colons + 2] == _LOWER_O)

    equals = np.flatnonzero(data == _EQUALS)
    equals = equals[equals > 1]
    start = equals[(data[equals - 1] == _LOWER_R) & (data[equals - 2] <= _SPACE)] + 2
    first = data[start]
    is_cell = first >= ord("A")
    n_row_references = int(((first >= ord("0")) & (first <= ord("9"))).sum())
    if int(is_cell.sum()) != n_cells or n_row_references != n_rows or prefixed_cells.any() or prefixed_rows.any():
        extent.plain = False
    references: np.ndarray = start[is_cell]
    return references


def _ends_name(character: np.ndarray) -> np.ndarray:
    ends: np.ndarray = (character <= _SPACE) | (character == _SLASH) | (character == _GREATER)
    return ends


def _decode(data: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and row numbers of the cell references that start at these positions."""
    column = np.zeros(len(position), np.int32)
    position = position.copy()
    for _ in range(4):
        character = data[position]
        letter = character >= ord("A")
        if not letter.any():
            break
        column = np.where(letter, column * 26 + (character & 0x1F), column)
        position += letter
    return column, _number(data, position, 8)


def _number(data: np.ndarray, position: np.ndarray, digits: int) -> np.ndarray:
    """The whole numbers, of at most that many digits, that start at these positions."""
    values = np.zeros(len(position), np.int64)
    position = position.copy()
    for _ in range(digits):
        digit = data[position] - _ZERO  # what is below 0 wraps round to a large one
        more = digit <= 9
        if not more.any():
            break
        values = np.where(more, values * 10 + digit, values)
        position += more
    return values


def _count_one_by_one(pieces: Iterator[bytes], lengths: np.ndarray) -> _Extent:
    """Bounds of the cells that are not self-closing, for sheets whose cells or rows leave their place unsaid."""
    extent = _Extent(has_errors=True)
    row = column = 0
    for piece in pieces:
        extent.text_bytes += _text_bytes(piece, None, lengths)
        for match in _TAG.finditer(piece):
            reference = _REFERENCE.search(match[2])
            letters, digits = (reference[1], reference[2]) if reference else (b"", b"")
            if match[1] == b"row":
                row, column = int(digits) if digits else row + 1, 0
                continue
            row = int(digits) if digits else max(row, 1)
            column = _column_number(letters) if letters else column + 1
            if not match[2].endswith(b"/") and not piece.startswith(b"</", match.end()):
                extent.first_column = min(extent.first_column, column)
                extent.last_column = max(extent.last_column, column)
                extent.last_row = max(extent.last_row, row)
                extent.n_cells += 1
    return extent


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + (letter & 0x1F)
    return number


def _text_bytes(piece: bytes, indices: np.ndarray | None, lengths: np.ndarray) -> int:
    """Upper bound of the bytes that shared texts take once every cell holds its own copy."""
    total = 0
    if indices is None:  # values written in an unusual way are read one by one
        values = _VALUE.findall(piece)
        indices = np.array([int(value) for value in values if value and value != b"&"], np.int64)
        total = int(lengths.max()) * values.count(b"&")
    return total + int(lengths[indices[indices < len(lengths)]].sum())


def _values(data: np.ndarray, tags: np.ndarray, colons: np.ndarray) -> np.ndarray | None:
    """The numbers of all ``<v>123</v>``; None where a value does not look like that."""
    opens = tags[(data[tags + 1] == _LOWER_V) & ~_is_name(data[tags + 2])]
    if (data[opens + 2] != _GREATER).any() or (data[colons + 1] == _LOWER_V).any():
        return None
    position = opens + 3
    digit = (data[position] >= _ZERO) & (data[position] <= _NINE)
    if not digit.all():
        return None
    return _number(data, position, 10)


def _is_name(character: np.ndarray) -> np.ndarray:
    """Whether a tag's name goes on, so that it is not ``v`` but another one."""
    letter = (character >= ord("A")) | ((character >= _ZERO) & (character <= _NINE))
    name: np.ndarray = letter | (character == ord("-")) | (character == ord(".")) | (character == _COLON)
    return name
