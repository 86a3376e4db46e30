"""Sums of products of whole-number answers, by blocks of rows in float32 that are too small for rounding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.psychometrics._frames import FloatArray
from servicediag.psychometrics._gap_sums import EXACT, FEWEST_ROWS, Block, Flags, GapSums, Places, are_few, places_of

__all__ = ["Sums", "block_sums"]

_ROWS = 6000  # of a block, so that it stays in cache
_AT_ONCE = 16  # blocks of nullable integers, since asking a column costs a little each time
_INTEGERS = {np.dtype(name) for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")}
_FLOATS = [{np.dtype("f4")}, {np.dtype("f8")}]
_MARKS = {"Int8": -128, "UInt8": 255}  # for a missing answer among nullable integers


@dataclass(frozen=True)
class Sums:
    """Counts, sums and cross-products about a centre, by pairs of items.

    Attributes
    ----------
    counts : ndarray, shape (k, k)
        Respondents who answered both items.
    sums : ndarray, shape (k, k)
        At [i, j]: sum of item i over those who answered j too.
    products : ndarray, shape (k, k)
    centre : ndarray, shape (k,)
    n_rows : int
        Listwise: respondents who answered every item; pairwise: at least one.
    """

    counts: FloatArray
    sums: FloatArray
    products: FloatArray
    centre: FloatArray
    n_rows: int

    def means(self) -> FloatArray:
        result: FloatArray = self.centre + np.diag(self.sums) / np.diag(self.counts)
        return result

    def squares(self) -> FloatArray:
        """Sum of squares of each item about its mean."""
        result: FloatArray = np.diag(self.products) - np.diag(self.sums) ** 2 / np.diag(self.counts)
        return result

    def covariance(self) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            matrix: FloatArray = (self.products - self.sums * self.sums.T / self.counts) / (self.counts - 1)
        return (matrix + matrix.T) / 2


# Answers as rows, flags of what is missing (None: nothing), and where in the flattened rows that is (None: not few).
_Block = tuple[Block, Flags | None, Places | None]


class _NotExact(Exception):
    """Answers that are not all small whole numbers."""


def block_sums(data: pd.DataFrame, missing: Literal["listwise", "pairwise"]) -> Sums | None:
    """Sums that are exact, in the memory of a few blocks; None where the answers are not all small whole numbers.

    Parameters
    ----------
    data : DataFrame, shape (n_respondents, n_items)
        Integers, floats of one kind, or pandas' nullable 8-bit integers; other tables give None.
    missing : {"listwise", "pairwise"}
    """
    kinds = set(data.dtypes)
    if not data.size or not (kinds <= _INTEGERS or kinds in _FLOATS or _is_nullable(data)):
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is found and refused
        adder = _Adder(data, pairwise=missing == "pairwise")
        try:
            for block in _blocks(data):
                adder.add(*block)
        except _NotExact:
            return None
    return adder.result()


# --------------------------------------------------------------------------------------------------------- reading


def _blocks(data: pd.DataFrame) -> Iterator[_Block]:
    """Block after block, each of which overwrites the one before."""
    if _is_nullable(data):
        return _nullable_blocks(data)
    values = data.to_numpy()
    return _float_blocks(values) if values.dtype.kind == "f" else _integer_blocks(values)


def _integer_blocks(values: npt.NDArray[Any]) -> Iterator[_Block]:
    n, k = values.shape
    buffer = _buffer(n, k, "C" if values.flags.c_contiguous else "F")  # turning would cost what rows gain
    for start in range(0, n, _ROWS):
        block = values[start : start + _ROWS]
        rows = buffer[: len(block)]
        np.copyto(rows[:, :k], block, casting="unsafe")
        if values.dtype.itemsize > 2 and max(-rows.min(initial=0), rows.max(initial=0)) >= EXACT:
            raise _NotExact
        yield rows, None, None


def _float_blocks(values: npt.NDArray[Any]) -> Iterator[_Block]:
    n, k = values.shape
    buffer = _buffer(n, k, "C")
    flags, rounded = np.zeros(buffer.shape, dtype=bool), np.zeros_like(buffer)
    columns = _columns(len(buffer), k, np.float32)
    for start in range(0, n, _ROWS):
        block = values[start : start + _ROWS]
        rows, odd = buffer[: len(block)], flags[: len(block)]
        converted = rows[:, :k] if block.flags.c_contiguous else columns[: len(block)]
        np.copyto(converted, block, casting="unsafe")
        if not _held(block, converted):
            raise _NotExact
        if not block.flags.c_contiguous:
            np.copyto(rows[:, :k], converted)  # turned to rows while small and in cache
        np.not_equal(rows, np.rint(rows, out=rounded[: len(block)]), out=odd)
        n_odd = int(np.count_nonzero(odd))
        places = places_of(odd) if are_few(n_odd, len(block), k) else None
        n_missing = np.count_nonzero(np.isnan(rows if places is None else rows.reshape(-1)[places]))
        if n_missing != n_odd:
            raise _NotExact
        yield rows, odd if n_odd else None, places


def _nullable_blocks(data: pd.DataFrame) -> Iterator[_Block]:
    n, k = data.shape
    columns = [data.iloc[:, position].array for position in range(k)]
    name = str(data.dtypes.iloc[0])
    mark, kind = _MARKS[name], np.dtype(name.lower())
    buffer = _buffer(n, k, "C")
    flags, turned = np.zeros(buffer.shape, dtype=bool), buffer.astype(kind)
    at_once = min(n, _AT_ONCE * _ROWS)
    room = _columns(at_once, k, kind)
    reader = _NullableReader(at_once, kind, mark)
    n_marks = 0
    for first in range(0, n, at_once):
        several = room[: min(at_once, n - first)]
        for position, column in enumerate(columns):
            reader.read(column[first : first + at_once], out=several[:, position])
        for start in range(0, len(several), _ROWS):
            part = several[start : start + _ROWS]
            rows, missing, small = buffer[: len(part)], flags[: len(part)], turned[: len(part)]
            np.copyto(small[:, :k], part)  # turned to rows while small, which spares memory traffic
            np.copyto(rows, small)
            n_here = int(np.count_nonzero(np.equal(small, mark, out=missing)))
            n_marks += n_here
            places = places_of(missing) if are_few(n_here, len(part), k) else None
            yield rows, missing if n_here else None, places
    if n_marks != reader.n_missing:
        raise _NotExact  # somebody's answer is the number that marks a missing one


class _NullableReader:
    """Reads nullable integers with a mark for what is missing, through an array of pandas over memory of ours.

    An assignment by a mask, as in pandas' own conversion, takes longer than all the bit operations here.
    """

    def __init__(self, n: int, kind: np.dtype[Any], mark: Any) -> None:
        self._values, self._mask = np.empty(n, dtype=kind), np.empty(n, dtype=bool)
        self._both = pd.arrays.IntegerArray(self._values, self._mask)
        self._kept = np.empty(n, dtype=kind)
        self._mark = kind.type(mark)
        self.n_missing = 0

    def read(self, column: Any, out: npt.NDArray[Any]) -> None:
        n = len(column)
        self._both[:n] = column
        values, mask, kept = self._values[:n], self._mask[:n], self._kept[:n]
        self.n_missing += int(np.count_nonzero(mask))
        np.subtract(mask.view(kept.dtype), kept.dtype.type(1), out=kept)  # all bits of an answer, or none
        np.bitwise_xor(values, self._mark, out=values)
        np.bitwise_and(values, kept, out=values)
        np.bitwise_xor(values, self._mark, out=out)


def _buffer(n: int, k: int, order: Literal["C", "F"]) -> Block:
    """Room for a block of answers, beside them a column of ones."""
    buffer = np.zeros(_shape(n, k), dtype=np.float32, order=order)
    buffer[:, k] = 1
    return buffer


def _shape(n: int, k: int) -> tuple[int, int]:
    """Of a block: zeros up to a multiple of 4, which the processor multiplies faster."""
    return min(_ROWS, n), 4 * (k // 4 + 1)


def _columns(n: int, k: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Room for answers by columns, which a power of two apart would fall on the same few places of the cache."""
    return np.empty((4096 * (n // 4096 + 1) + 64, k), dtype=kind, order="F")[:n]


def _is_nullable(data: pd.DataFrame) -> bool:
    """Whether all columns are of one kind of nullable integers."""
    names = {str(kind) for kind in data.dtypes}
    return len(names) == 1 and names <= _MARKS.keys()


def _held(values: npt.NDArray[Any], converted: Block) -> bool:
    """Whether float32 holds the floats."""
    if values.dtype != np.float64:
        return True
    # Small whole numbers and NaN have nothing in the lower half of their bits.
    if not int(np.bitwise_or.reduce(values.view(np.uint64), axis=None)) & 0xFFFFFFFF:
        return True
    return bool(np.array_equal(values, converted.astype(np.float64), equal_nan=True))


def _middle(data: pd.DataFrame) -> Block:
    """The whole number in the middle of what each item got at first; 0 where nobody did, or where all are small."""
    known = data.iloc[:_ROWS].to_numpy(dtype=np.float32, na_value=np.nan)
    low, high = np.fmin.reduce(known, axis=0), np.fmax.reduce(known, axis=0)
    if not np.fmax.reduce(np.fmax(-low, high)) ** 2 * _ROWS > EXACT:  # nor where nobody answered anything
        return np.zeros_like(low)
    middle = np.floor((low + high) / 2)
    return np.where(np.isfinite(middle), middle, np.float32(0))


# ---------------------------------------------------------------------------------------------------------- adding


class _Adder:
    """Adds up the products of the columns of block after block."""

    def __init__(self, data: pd.DataFrame, *, pairwise: bool) -> None:
        n, k = data.shape
        shape = n_rows, width = _shape(n, k)
        self._k, self._pairwise = k, pairwise
        self._centre = _middle(data)
        self._shift: Block | None = None
        if self._centre.any():
            self._shift = np.zeros(shape, dtype=np.float32)  # as large as a block: faster than a row for all
            self._shift[:, :k] = self._centre
        self._complete = np.zeros(shape, dtype=np.float32)
        self._products = np.zeros((width, width))  # of the answers about the centre, missing ones being 0
        self._gaps = GapSums(n_rows, k, width)
        self._n_rows = 0

    def add(self, rows: Block, flags: Flags | None, places: Places | None) -> None:
        """Add a block, which may be overwritten."""
        n, width = rows.shape
        if self._shift is not None:
            np.subtract(rows, self._shift[:n], out=rows)
        if flags is None:
            self._multiply(rows)
        elif self._pairwise:
            self._gaps.clear(rows, flags, places)
            self._gaps.add(rows, flags, places, self._multiply(rows))
        else:
            where = np.flatnonzero(flags) if places is None else places
            complete = np.flatnonzero(np.bincount(where // width, minlength=n) == 0)
            rows = np.take(rows, complete, axis=0, out=self._complete[: len(complete)], mode="clip")
            self._multiply(rows)
        self._n_rows += len(rows)

    def _multiply(self, rows: Block) -> float:
        """Largest sum of squares of an item in these rows.

        While the sums of squares stay below 2**24, so do all sums of products of some of the rows (Cauchy-Schwarz):
        each was a whole number that float32 holds, and nothing was rounded. A sum that passes 2**24 never comes back.
        """
        products = rows.T @ rows
        largest = float(products.diagonal().max(initial=0))
        if largest < EXACT:
            self._products += products
            return largest
        half = len(rows) // 2
        if half < FEWEST_ROWS:
            raise _NotExact
        return self._multiply(rows[:half]) + self._multiply(rows[half:])

    def result(self) -> Sums:
        k = self._k
        gaps, sums_in_gaps = self._gaps.pairs, self._gaps.sums
        absent = np.diag(gaps)
        counts = self._products[k, k] - absent[:, None] - absent[None, :] + gaps
        sums = self._products[:k, k][:, None] - sums_in_gaps.T
        n_rows = self._n_rows - self._gaps.n_empty_rows
        return Sums(counts, sums, self._products[:k, :k], self._centre.astype(np.float64), n_rows)
