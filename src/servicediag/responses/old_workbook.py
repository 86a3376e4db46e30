"""Measures an old .xls workbook and packs its records anew, so that no parser sees anything else of the file."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from servicediag.responses.safety import Limits, refuse, too_large, unsafe
from servicediag.responses.workbook import SheetInfo

__all__ = ["inspect_old_workbook"]

_SIGNATURE = bytes.fromhex("d0cf11e0a1b11ae1")
_END, _FREE, _IS_FAT, _LARGEST = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFA
_BOF, _EOF, _CONTINUE, _SHEET, _TEXTS, _ENCRYPTED, _CODE_PAGE = 0x809, 0x0A, 0x3C, 0x85, 0xFC, 0x2F, 0x42
_DIMENSIONS, _NUMBER, _SHARED_TEXT, _NUMBERS, _FORMULA = 0x200, 0x203, 0xFD, 0xBD, 0x06
_CELLS = frozenset((_NUMBER, 0x204, 0x205, 0x27E, _SHARED_TEXT, _NUMBERS, _FORMULA))
_MOST_TEXTS = 1_000_000
_CHUNK = 1 << 18
_BYTES_OF_A_CELL = 150
_SAVE_ANEW = "Open it in Excel or LibreOffice and save it as .xlsx, without a password."


@dataclass(frozen=True)
class _Listed:
    """A sheet as the list of sheets has it."""

    start: int
    visible: bool
    is_worksheet: bool
    name: str


def inspect_old_workbook(path: Path, limits: Limits) -> tuple[bytes, tuple[SheetInfo, ...]]:
    """The workbook in a container of our own, and its worksheets in their order with the extent of their cells.

    Parameters
    ----------
    path : Path
        An OLE container with a stream of BIFF5 or BIFF8 records (Excel 5 to 2003).

    Raises
    ------
    ResponsesError
        unreadable_file, unsafe_file or too_large.
    """
    where = path.name
    try:
        stream = bytearray(_workbook_stream(path.read_bytes(), where))
        listed, lengths = _globals(stream, where)
        sheets = _measure_all(stream, listed, lengths, where, limits)
        packed = _container(stream)
    except (struct.error, ValueError, LookupError) as error:
        problem = f"The .xls workbook is damaged ({type(error).__name__})."
        raise refuse("unreadable_file", where, problem, _SAVE_ANEW) from error
    shown = tuple(info for info, sheet in zip(sheets, listed, strict=True) if sheet.is_worksheet)
    return packed, shown


# ------------------------------------------------------------------------------------------------------ the container


def _workbook_stream(data: bytes, where: str) -> bytes:
    """The stream of records, from a container in which chains may neither loop nor leave the file."""
    shift, mini_shift = struct.unpack_from("<HH", data, 30)
    if shift not in (9, 12) or mini_shift != 6:
        raise ValueError("sector size")
    size = 1 << shift
    directory_start, mini_start, difat_start = (struct.unpack_from("<I", data, at)[0] for at in (48, 60, 68))
    n_sectors = -(-len(data) // size) - 1
    fat = _allocation(data, size, n_sectors, difat_start)
    directory = _stream(data, _chain(directory_start, fat, n_sectors), size)
    entries = list(_entries(directory, size))
    for name in ("Workbook", "Book"):
        found = [entry for entry in entries if entry[0] == name and entry[1] == 2]
        if len(found) > 1:
            raise unsafe(where, "It holds several workbooks under one name")
        if found:
            _, _, start, length = found[0]
            if length >= 4096:
                return _exactly(_stream(data, _chain(start, fat, n_sectors), size), length)
            root = next(entry for entry in entries if entry[1] == 5)
            small = _stream(data, _chain(root[2], fat, n_sectors), size)
            mini_fat = np.frombuffer(_stream(data, _chain(mini_start, fat, n_sectors), size), "<u4")
            parts = [small[i * 64 : i * 64 + 64] for i in _chain(start, mini_fat, len(small) // 64)]
            return _exactly(b"".join(parts), length)
    problem = "It is an Office document or program file, but no .xls workbook."
    raise refuse("unreadable_file", where, problem, _SAVE_ANEW)


def _allocation(data: bytes, size: int, n_sectors: int, difat_start: int) -> np.ndarray:
    """Which sector follows which."""
    sectors = list(struct.unpack_from("<109I", data, 76))
    start, n_read = difat_start, 0
    while start not in (_END, _FREE):
        n_read += 1
        if start >= n_sectors or n_read > n_sectors:
            raise ValueError("chain")
        *more, start = struct.unpack_from(f"<{size // 4}I", data, (start + 1) * size)
        sectors += more
    used = [sector for sector in sectors if sector <= _LARGEST]
    if any(sector >= n_sectors for sector in used) or len(set(used)) < len(used):
        raise ValueError("chain")
    return np.frombuffer(_stream(data, used, size), "<u4")


def _chain(start: int, following: np.ndarray, n_sectors: int) -> list[int]:
    found: list[int] = []
    while start not in (_END, _FREE):
        if start >= min(n_sectors, len(following)) or len(found) >= n_sectors:
            raise ValueError("chain")
        found.append(start)
        start = int(following[start])
    return found


def _stream(data: bytes, sectors: list[int], size: int) -> bytes:
    joined = b"".join(data[(i + 1) * size : (i + 2) * size] for i in sectors)
    return joined + b"\0" * (-len(joined) % size)


def _exactly(stream: bytes, length: int) -> bytes:
    if length > len(stream):
        raise ValueError("length")
    return stream[:length]


def _entries(directory: bytes, size: int) -> Iterator[tuple[str, int, int, int]]:
    """Name, type, first sector and length of what the container holds."""
    for at in range(0, len(directory), 128):
        n_bytes, kind = struct.unpack_from("<HB", directory, at + 64)
        start, low, high = struct.unpack_from("<III", directory, at + 116)
        name = directory[at : at + max(min(n_bytes, 64) - 2, 0)].decode("utf-16-le", "replace")
        yield name, kind, start, low if size == 512 else low + (high << 32)


def _container(stream: bytearray) -> bytes:
    """A container that holds the records and nothing else: table of sectors, directory, an empty small stream."""
    size = 4096
    stream += bytes(-len(stream) % size)
    n_stream = len(stream) // size
    n_fat = -(-(n_stream + 3) // (size // 4 - 1))
    if n_fat > 109:
        raise ValueError("too long for a simple container")
    small, first = n_fat + 1, n_fat + 2
    following = np.full(n_fat * size // 4, _FREE, "<u4")
    following[:n_fat] = _IS_FAT
    following[[n_fat, small]] = _END
    following[first : first + n_stream] = np.arange(first + 1, first + n_stream + 1)
    following[first + n_stream - 1] = _END
    header = struct.pack("<8s16xHHHHH6xIIIIIIIII", _SIGNATURE, 0x3E, 4, 0xFFFE, 12, 6, 1, n_fat, n_fat, 0, 4096, _END,
                         0, _END, 0)  # fmt: skip
    table = [*range(n_fat), *[_FREE] * (109 - n_fat)]
    root = _entry("Root Entry", 5, small, size, 1)
    workbook = _entry("Workbook", 2, first, len(stream), _FREE)
    head = (header + struct.pack("<109I", *table)).ljust(size, b"\0")
    return b"".join((head, following.tobytes(), (root + workbook).ljust(size, b"\0"), bytes(size), stream))


def _entry(name: str, kind: int, start: int, length: int, child: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBIII36xIQ", text, len(text), kind, 1, _FREE, _FREE, child, start, length)


# -------------------------------------------------------------------------------------------------------- the records


def _records(stream: bytearray, at: int) -> Iterator[tuple[int, int, int]]:
    """Type, start of the content, and its length, up to the end of a substream."""
    while True:
        kind, length = struct.unpack_from("<HH", stream, at)
        if at + 4 + length > len(stream):
            raise ValueError("record")
        yield kind, at + 4, length
        if kind == _EOF:
            return
        at += 4 + length


def _globals(stream: bytearray, where: str) -> tuple[list[_Listed], np.ndarray]:
    """The list of sheets, and the length of every shared text."""
    listed: list[_Listed] = []
    modern, page = True, "cp1252"
    texts: list[tuple[int, int]] = []
    owner = 0
    for kind, start, length in _records(stream, 0):
        if kind == _BOF:
            version = struct.unpack_from("<H", stream, start)[0]
            if version not in (0x500, 0x600):
                raise refuse("unreadable_file", where, "It is a workbook of Excel 4 or older.", _SAVE_ANEW)
            modern = version == 0x600
        elif kind == _ENCRYPTED:
            raise refuse("unreadable_file", where, "The workbook is encrypted.", _SAVE_ANEW)
        elif kind == _CODE_PAGE:
            page = f"cp{struct.unpack_from('<H', stream, start)[0]}"
        elif kind == _SHEET:
            listed.append(_sheet(stream, start, length, modern, page))
        elif kind == _TEXTS:
            texts = [(start, length)]
        elif kind == _CONTINUE and owner == _TEXTS:
            texts.append((start, length))
        owner = owner if kind == _CONTINUE else kind
    if len({sheet.name.casefold() for sheet in listed}) < len(listed) or len({s.start for s in listed}) < len(listed):
        raise unsafe(where, "It lists the same sheet twice")
    return listed, _text_lengths(stream, texts, where) if texts else np.zeros(1, np.int64)


def _sheet(stream: bytearray, start: int, length: int, modern: bool, page: str) -> _Listed:
    place, state, kind, n_characters = struct.unpack_from("<IBBB", stream, start)
    name = bytes(stream[start + 7 : start + length])
    if not modern:
        text = name[:n_characters].decode(page if page != "cp1200" else "cp1252", "replace")
    elif name[0] & 1:
        text = name[1 : 1 + 2 * n_characters].decode("utf-16-le", "replace")
    else:
        text = name[1 : 1 + n_characters].decode("latin-1")
    if struct.unpack_from("<H", stream, place)[0] != _BOF:
        raise ValueError("start of a sheet")
    return _Listed(place, state & 0x3F == 0, kind == 0, text.replace("\0", ""))


def _text_lengths(stream: bytearray, parts: list[tuple[int, int]], where: str) -> np.ndarray:
    """Characters of every shared text; a text may run on from one part to the next."""
    n_texts = struct.unpack_from("<I", stream, parts[0][0] + 4)[0]
    if n_texts > _MOST_TEXTS or n_texts * 3 > sum(length for _, length in parts):
        raise unsafe(where, "It announces more distinct texts than it can hold")
    lengths = np.zeros(max(n_texts, 1), np.int64)
    waiting = iter(parts)
    at, end = _bounds(next(waiting))
    at += 8
    for number in range(n_texts):
        if at >= end:
            at, end = _bounds(next(waiting, None))
        n_characters, flags = struct.unpack_from("<HB", stream, at)
        lengths[number] = n_characters
        at += 3
        n_after = 0
        if flags & 8:
            n_after += 4 * int(struct.unpack_from("<H", stream, at)[0])
            at += 2
        if flags & 4:
            n_after += int(struct.unpack_from("<I", stream, at)[0])
            at += 4
        while True:
            width = 1 + (flags & 1)
            fitting = min(n_characters, max(end - at, 0) // width)
            at += fitting * width
            n_characters -= fitting
            if not n_characters:
                break
            at, end = _bounds(next(waiting, None))
            flags = stream[at]
            at += 1
        while n_after > end - at:
            n_after -= end - at
            at, end = _bounds(next(waiting, None))
        at += n_after
    return lengths


def _bounds(part: tuple[int, int] | None) -> tuple[int, int]:
    if part is None:
        raise ValueError("shared texts")
    return part[0], part[0] + part[1]


def _measure_all(
    stream: bytearray, listed: list[_Listed], lengths: np.ndarray, where: str, limits: Limits
) -> list[SheetInfo]:
    """Every sheet with its extent; together they may not hold more than the limits allow, nor share their records."""
    sheets = []
    n_bytes = n_read = 0
    for position, sheet in enumerate(listed):
        starts, end = _cell_records(stream, sheet)
        n_read += end - sheet.start
        if n_read > len(stream):
            raise unsafe(where, "Its sheets share their cells")
        info, repeated = _extent(stream, sheet, position, starts, lengths, where)
        _check_extent(info, f"{where}, sheet {sheet.name!r}", limits)
        n_cells = max(len(starts), info.last_row * (info.last_column - info.first_column + 1))
        n_bytes += repeated + n_cells * _BYTES_OF_A_CELL
        if n_bytes > limits.inflated_bytes:
            raise too_large(where, "Bytes of its cells once unpacked", n_bytes, "inflated_bytes", limits)
        sheets.append(info)
    return sheets


def _cell_records(stream: bytearray, sheet: _Listed) -> tuple[array[int], int]:
    """Where the records of cells begin and the sheet ends; the extent that it announces is blotted out."""
    head = struct.Struct("<HH").unpack_from
    starts: array[int] = array("I")
    at = sheet.start
    while True:
        kind, length = head(stream, at)
        if kind in _CELLS:
            starts.append(at)
        elif kind == _DIMENSIONS:
            stream[at + 4 : at + 4 + length] = bytes(length)
        elif kind == _EOF:
            break
        at += 4 + length
    if len(starts) and starts[-1] + 4 + head(stream, starts[-1])[1] > len(stream):
        raise ValueError("record")
    return starts, at


def _extent(
    stream: bytearray, sheet: _Listed, position: int, starts: array[int], lengths: np.ndarray, where: str
) -> tuple[SheetInfo, int]:
    """The sheet with the bounds of its cells, and the bytes of its shared texts, repeated in every cell."""
    first, last, last_row, repeated = 1 << 16, -1, 0, 0
    data = np.frombuffer(stream, np.uint8)
    for begin in range(0, len(starts), _CHUNK):
        at = np.frombuffer(starts[begin : begin + _CHUNK], np.uint32).astype(np.int64)
        kinds, rows, columns = (_words(data, at + offset) for offset in (0, 4, 6))
        wide = at[kinds == _NUMBERS]
        ends = _words(data, wide + 2 + _words(data, wide + 2))
        if rows[0] < last_row or (np.diff(rows) < 0).any() or (ends < columns[kinds == _NUMBERS]).any():
            raise unsafe(where, f"The cells of sheet {sheet.name!r} are not in their order")
        shared = at[kinds == _SHARED_TEXT]
        places = _words(data, shared + 10) + (_words(data, shared + 12) << 16)
        repeated += int(lengths[places[places < len(lengths)]].sum()) * 2
        first = min(first, int(columns.min()))
        last = max(last, int(columns.max()), int(ends.max(initial=0)))
        last_row = int(rows[-1])
    if last < 0:
        return SheetInfo(sheet.name, sheet.visible, str(position)), 0
    info = SheetInfo(sheet.name, sheet.visible, str(position), first + 1, last + 1, last_row + 1, has_errors=True)
    return info, repeated


def _words(data: np.ndarray, at: np.ndarray) -> np.ndarray:
    words: np.ndarray = data[at].astype(np.int64) | data[at + 1].astype(np.int64) << 8
    return words


def _check_extent(sheet: SheetInfo, where: str, limits: Limits) -> None:
    n_cells = sheet.last_row * (sheet.last_column - sheet.first_column + 1)
    if sheet.last_row > limits.workbook_rows:
        raise too_large(where, "Rows", sheet.last_row, "workbook_rows", limits)
    if sheet.last_column > limits.columns:
        raise too_large(where, "Columns", sheet.last_column, "columns", limits)
    if n_cells > limits.cells:
        raise too_large(where, "Rows times columns", n_cells, "cells", limits)
