"""Reads cells straight from the markup of a worksheet, where they are written as most programs write them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["LARGEST_TEXTS", "MOST_TEXTS", "TEXTS", "PlainCells", "PlainSheet", "plain_cells"]

TEXTS = "xl/sharedStrings.xml"
"""The part of a workbook that holds the shared texts."""
MOST_TEXTS = 500_000
"""Above so many shared texts, or so many bytes of them, a workbook is not read here."""
LARGEST_TEXTS = 50_000_000
_COPIED = frozenset(
    ("[content_types].xml", "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml")
) | {TEXTS.casefold()}
_MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ROW = b'<row r="'
_CELL = b'<c r="'
_STYLE = b' s="'
_SHARED = b' t="s"><'
_NUMBER = b"><"
_OPENED = b"v>"
_BLANK = b"/>"
_VALUE_END = b"</v></c>"
_ROW_END = b"</row>"
_EMPTY_ROW = re.compile(rb'<row r="[0-9]{1,7}"[^<>]{0,4000}(?:/>|></row>)')
_NO_CELLS = re.compile(rb"<!|<\?(?!xml\s)|<(?:[\w.-]{1,64}:)?(?:row|c)[\s/>]")
_OTHER = re.compile(rb'(?: s="[0-9]{1,5}")?(?: t="[nb]")?><v>[^<>]{1,40}</v></c>')
_LESS, _GREATER, _SLASH, _QUOTE, _ZERO = b'<>/"0'
_LOWER_C, _LOWER_R = b"cr"
_ROW_DIGITS = 7
_VALUE_DIGITS = 6
_STYLE_DIGITS = 5
_NUMBERS = 10**_VALUE_DIGITS
_MOST_OTHERS = 500_000
_FEW_OTHERS = 1_000
_SHARE_OF_OTHERS = 3
"""Beyond a few, one in so many cells of a piece may be of another kind; with more, parsing the sheet is as fast."""
_SCATTERED = 8
"""A sheet whose used range is more than this many times its cells is not held as columns here."""


def _column_codes() -> np.ndarray:
    """For two bytes as a number: four times the column that they begin with, plus how many letters name it; else 0."""
    codes = np.zeros(1 << 16, np.int16)
    letters = range(ord("A"), ord("Z") + 1)
    for first in letters:
        for digit in range(ord("0"), ord("9") + 1):
            codes[first | digit << 8] = (first & 0x1F) << 2 | 1
        for second in letters:
            codes[first | second << 8] = ((first & 0x1F) * 26 + (second & 0x1F)) << 2 | 2
    return codes


_COLUMNS = _column_codes()


@dataclass(frozen=True)
class PlainCells:
    """Cells of a part of a sheet, row by row from left to right, all arrays of one length.

    Attributes
    ----------
    rows : int32 array
    columns : int16 array
        Counted from 1.
    values : int32 array
        Place among the shared texts; for a whole number ``n``: ``-1 - n``; for another value, ``-1_000_001`` minus its
        place among ``others``.
    others : tuple of bytes
        The markup of the other values, each once, from behind the reference of the cell to its end.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    others: tuple[bytes, ...] = ()


_NONE = PlainCells(np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0, np.int32))


class _Unusual(Exception):
    """The markup is not written in the plain way."""


def plain_cells(piece: bytes) -> PlainCells | None:
    """The cells of a piece of a worksheet that holds whole rows; None where it is not written in the plain way.

    Plain is ``<row r="2" ...><c r="A2" s="1" t="s"><v>17</v></c>...</row>``, with or without the style, as is a whole
    number without a style (``<c r="A2"><v>17</v></c>``) and a cell without a value (``<c r="A2" s="1"/>``), which is
    left out. Some cells may hold other numbers, dates, or truth values. Every opening bracket of the rows belongs to
    such a tag, and rows and columns ascend: nothing is passed over, and no cell is given twice.

    Examples
    --------
    >>> found = plain_cells(b'<row r="2"><c r="A2" t="s"><v>17</v></c><c r="AB2"><v>5</v></c></row>')
    >>> found.rows.tolist(), found.columns.tolist(), found.values.tolist()
    ([2, 2], [1, 28], [17, -6])
    >>> plain_cells(b'<row r="2"><c r="A2" t="e"><v>#N/A</v></c></row>') is None
    True
    """
    start = piece.find(b"<row ")
    if start < 0:
        return None if _NO_CELLS.search(piece) else _NONE
    end = piece.find(b"</sheetData", start)
    end = len(piece) if end < 0 else end
    if _NO_CELLS.search(piece, 0, start) or _NO_CELLS.search(piece, end):
        return None
    try:
        return _Rows(memoryview(piece)[start:end]).cells()
    except _Unusual:
        return None


def _require(holds: np.ndarray | bool) -> None:
    if not np.all(holds):
        raise _Unusual


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


def _mask(length: int) -> np.uint64:
    return np.uint64((1 << 8 * length) - 1)


class _Rows:
    """The markup of some rows: its bytes, and as a number the eight bytes from each of them on."""

    def __init__(self, text: memoryview) -> None:
        self.text = text
        padded = b"".join((text, b" " * 16))
        self.data = np.frombuffer(padded, np.uint8)
        self.words: np.ndarray = np.ndarray((len(text) + 8,), "<u8", padded, strides=(1,))

    def cells(self) -> PlainCells:
        data = self.data
        less = data[:-1] == _LESS
        tags = np.flatnonzero(less & ((data[1:] == _LOWER_C) | (data[1:] == _LOWER_R)))
        is_row = data[tags + 1] == _LOWER_R
        rows, cells = tags[is_row], tags[~is_row]
        next_rows = np.append(rows[1:], len(self.text))
        behind_last = np.searchsorted(cells, next_rows)
        per_row = np.diff(behind_last, prepend=0)
        filled = per_row > 0
        n_tags = self._empty_rows(rows[~filled], next_rows[~filled]) + 2 * np.count_nonzero(filled)
        first = (behind_last - per_row)[filled]
        _require((data[cells[first] - 1] == _GREATER) & (data[cells[first] - 2] != _SLASH))
        row_ends = next_rows[filled] - len(_ROW_END)
        _require(self._begins(row_ends, _ROW_END))
        ends = np.append(cells[1:], 0)
        ends[behind_last[filled] - 1] = row_ends

        numbers, digits = self._row_numbers(rows)
        columns, after = self._references(cells, np.repeat(np.arange(len(rows)), per_row), rows, digits)
        ascending = columns[1:] > columns[:-1]
        ascending[first[1:] - 1] = True
        _require(ascending)
        row_of = np.repeat(numbers, per_row)
        valued, values, others = self._values(after, ends)
        _require(np.count_nonzero(less) == n_tags + len(cells) + 3 * len(values))
        if len(values) < len(cells):
            row_of, columns = row_of[valued], columns[valued]
        return PlainCells(row_of, columns, values, others)

    def _begins(self, at: np.ndarray, text: bytes) -> np.ndarray:
        """Whether this text, of fewer than eight bytes, stands at these places."""
        begins: np.ndarray = self.words[at] & _mask(len(text)) == _word(text)
        return begins

    def _empty_rows(self, starts: np.ndarray, ends: np.ndarray) -> int:
        """How many tags the rows without a cell have."""
        n_tags = 0
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            row = bytes(self.text[start:end])
            _require(_EMPTY_ROW.fullmatch(row) is not None)
            n_tags += row.count(b"<")
        return n_tags

    def _row_numbers(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of each row, every one above the last, and how many digits it has."""
        _require(self.words[rows] == _word(_ROW))
        at = rows + len(_ROW)
        digits = np.zeros(len(rows), np.int64)
        more = np.ones(len(rows), bool)
        for _ in range(_ROW_DIGITS):
            more &= self.data[at + digits] != _QUOTE
            digits += more
        _require((self.data[at + digits] == _QUOTE) & (digits > 0))
        shift = _to_upper_end(digits)
        numbers, are_numbers = _numbers(self.words[at] << shift, shift)
        _require(are_numbers & (np.diff(numbers, prepend=0) > 0))
        return numbers, digits

    def _references(
        self, cells: np.ndarray, row_of: np.ndarray, rows: np.ndarray, digits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The column of each cell, whose reference ends in the number of its row, and where the reference ends."""
        words = self.words[cells]
        _require(words & _mask(len(_CELL)) == _word(_CELL))
        codes = _COLUMNS[words >> np.uint64(8 * len(_CELL))]
        letters = codes & 0x3
        _require(letters > 0)
        mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> (56 - 8 * digits).astype(np.uint64)
        numbers = self.words[rows + len(_ROW)] & mask
        at = cells + letters
        _require((self.words[at + len(_CELL)] & mask[row_of]) == numbers[row_of])
        return codes >> 2, at + (digits + len(_CELL) + 1)[row_of]

    def _values(self, after: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[bytes, ...]]:
        """Which of the cells have a value, these values, and the other ones among them."""
        words = self.words[after]
        styled = words & _mask(len(_STYLE)) == _word(_STYLE)
        at = after
        if styled.any():
            at = np.where(styled, self._behind_style(after, styled), after)
            words = self.words[at]
        shared = words == _word(_SHARED)
        if shared.all():
            values, are_numbers = self._numbers_before(ends, at + len(_SHARED))
            _require(are_numbers)
            return shared, values, ()
        blank = (words & _mask(len(_BLANK)) == _word(_BLANK)) & (at + len(_BLANK) == ends)
        numbers, are_numbers = self._numbers_before(ends, at + np.where(shared, len(_SHARED), len(_NUMBER)))
        _require(are_numbers | ~shared)
        number = (words & _mask(len(_NUMBER)) == _word(_NUMBER)) & ~styled & are_numbers
        values = np.where(shared, numbers, -1 - numbers)
        other = np.flatnonzero(~(shared | blank | number))
        others: dict[bytes, int] = {}
        if len(other):
            _require(len(other) <= _FEW_OTHERS + len(after) // _SHARE_OF_OTHERS)
            values[other] = -1 - _NUMBERS - self._others(after[other], ends[other], others)
        return ~blank, values[~blank], tuple(others)

    def _numbers_before(self, ends: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers between the rest ``v>`` of a tag, and ``</v></c>`` before ``ends``; and whether they are some."""
        ends = ends - len(_VALUE_END)
        digits = ends - starts - len(_OPENED)
        proper = (digits > 0) & (digits <= _VALUE_DIGITS) & (self.words[ends] == _word(_VALUE_END))
        shift = _to_upper_end(np.clip(digits, 1, _VALUE_DIGITS))
        words = self.words[ends - 8]
        proper &= words >> (shift - np.uint64(8 * len(_OPENED))) & _mask(len(_OPENED)) == _word(_OPENED)
        numbers, are_numbers = _numbers(words >> shift << shift, shift)
        return numbers, proper & are_numbers

    def _behind_style(self, after: np.ndarray, styled: np.ndarray) -> np.ndarray:
        """Where the attribute ``s`` ends, of at most five digits."""
        at = after + len(_STYLE)
        more = styled.copy()
        for _ in range(_STYLE_DIGITS + 1):
            character = self.data[np.where(more, at, 0)]
            _require(~more | (character == _QUOTE) | ((character >= _ZERO) & (character <= _ZERO + 9)))
            at += more
            more &= character != _QUOTE
            if not more.any():
                return at
        raise _Unusual

    def _others(self, starts: np.ndarray, ends: np.ndarray, known: dict[bytes, int]) -> np.ndarray:
        """The place of each of these values among those that are known."""
        text = bytes(self.text)
        places = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            value = text[start:end]
            place = known.get(value)
            if place is None:
                _require(_OTHER.fullmatch(value) is not None)
                place = known[value] = len(known)
            places.append(place)
        return np.array(places, np.int32)


def _to_upper_end(digits: np.ndarray) -> np.ndarray:
    """How far that many characters must be moved to stand at the upper end of a word."""
    shift: np.ndarray = (64 - 8 * digits).astype(np.uint64)
    return shift


def _numbers(words: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers whose digits stand at the upper end of words, above ``shift`` zero bits; and whether they are some.

    Neighbouring digits, then pairs, then fours are added up, in all words at once.
    """
    words = words ^ (np.uint64(0x3030303030303030) << shift)
    are_digits = ((words | (words + np.uint64(0x7676767676767676))) & np.uint64(0x8080808080808080)) == 0
    words = (words * np.uint64(10 << 8 | 1)) >> np.uint64(8)
    words = ((words & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(100 << 16 | 1)) >> np.uint64(16)
    words = ((words & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(10_000 << 32 | 1)) >> np.uint64(32)
    return words.astype(np.int32), are_digits


class PlainSheet:
    """The cells of a worksheet, collected piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[PlainCells] = []
        self._others: dict[bytes, int] = {}

    def add(self, cells: PlainCells) -> bool:
        """Add the next cells; False where they cannot be held, as they begin in a row that is there already."""
        if not len(cells.rows):
            return True
        if cells.others:
            places = [self._others.setdefault(other, len(self._others)) for other in cells.others]
            other = cells.values < -_NUMBERS
            values = cells.values.copy()
            values[other] = -1 - _NUMBERS - np.array(places, np.int32)[-1 - _NUMBERS - values[other]]
            cells = replace(cells, values=values, others=())
        if len(self._others) > _MOST_OTHERS or (self._pieces and cells.rows[0] <= self._pieces[-1].rows[-1]):
            return False
        self._pieces.append(cells)
        return True

    @property
    def n_rows(self) -> int:
        return int(self._pieces[-1].rows[-1]) if self._pieces else 0

    @cached_property
    def _bounds(self) -> tuple[int, int]:
        """The first column and the last."""
        first = min(int(cells.columns.min()) for cells in self._pieces)
        return first, max(int(cells.columns.max()) for cells in self._pieces)

    @property
    def is_dense(self) -> bool:
        """Whether the cells are so many of the used range that its columns are hardly larger than they."""
        if not self._pieces:
            return False
        first, last = self._bounds
        return self.n_rows * (last - first + 1) <= _SCATTERED * sum(len(cells.rows) for cells in self._pieces)

    def columns(self, path: Path, sheet: str, part: str) -> tuple[Any, ...]:
        """All columns of the used range from row 1 on, as dictionary-encoded text.

        Parameters
        ----------
        path : Path
            The workbook, for its texts and formats.
        sheet, part : str
            Name of the sheet and its path in the workbook.

        Raises
        ------
        FastExcelError
            The texts or formats cannot be read.
        """
        n_texts = max(int(cells.values.max()) for cells in self._pieces) + 1
        texts, meanings = self._meanings(_texts(path, sheet, part, n_texts, tuple(self._others)), n_texts)
        first, last = self._bounds
        codes = np.full((last - first + 1) * self.n_rows, -1, np.int32)
        for cells in self._pieces:
            starts = (cells.columns - first).astype(np.int64) * self.n_rows
            codes[starts + (cells.rows - 1)] = meanings[cells.values]
        return tuple(_column(column, texts) for column in codes.reshape(-1, self.n_rows))

    def _meanings(self, texts: Any, n_texts: int) -> tuple[Any, np.ndarray]:
        """All texts of the sheet, each once, and which of them each value means; -1 for none.

        Values below 0 count from the end, so what they mean stands there in reverse.
        """
        present = np.zeros(_NUMBERS, bool)
        for cells in self._pieces:
            present[-1 - cells.values[(cells.values < 0) & (cells.values >= -_NUMBERS)]] = True
        numbers = np.flatnonzero(present)
        spelled = pa.concat_arrays([texts, pa.array(map(str, numbers.tolist()), pa.string())]).dictionary_encode()
        codes = spelled.indices.fill_null(-1).to_numpy()
        behind = np.full(_NUMBERS if len(numbers) or len(texts) > n_texts else 0, -1, np.int32)
        behind[len(behind) - 1 - numbers] = codes[len(texts) :]
        return spelled.dictionary, np.concatenate([codes[:n_texts], codes[n_texts : len(texts)][::-1], behind])


def _column(codes: np.ndarray, texts: Any) -> Any:
    """A column with its own texts only, in the order in which they appear."""
    encoded = pa.array(codes, mask=codes < 0).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, texts.take(encoded.dictionary))


def _texts(path: Path, sheet: str, part: str, n_texts: int, others: Sequence[bytes]) -> Any:
    """The first shared texts of a workbook and these other values, as the parser reads them, in an Arrow array.

    The parser gets the workbook with a sheet in which each of them stands once.
    """
    import fastexcel

    n_values = n_texts + len(others)
    if not n_values:
        return pa.array([], pa.string())
    cells = b"</row><row><c".join([*(b' t="s"><v>%d</v></c>' % place for place in range(n_texts)), *others])
    rows = b'<worksheet xmlns="%s"><sheetData><row><c%s</row></sheetData></worksheet>' % (_MAIN, cells)
    content = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(content, "w") as book:
        for name in archive.namelist():
            if name.casefold() in _COPIED:
                book.writestr(name, archive.read(name))
        book.writestr(part, rows)
    reader = fastexcel.read_excel(content.getvalue())
    batch = reader.load_sheet_eager(sheet, header_row=None, skip_rows=0, dtypes="string")
    texts = batch.columns[0] if batch.num_columns else pa.array([], pa.string())
    return pa.concat_arrays([texts, pa.nulls(n_values - len(texts), pa.string())])
