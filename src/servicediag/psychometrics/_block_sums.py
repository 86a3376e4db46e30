"""Sums of products of whole-number answers, by blocks of rows in float32 that are too small for rounding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.psychometrics._frames import FloatArray

__all__ = ["Sums", "block_sums"]

Block = npt.NDArray[np.float32]

_ROWS = 8000  # of a block, so that it stays in cache; columns a power of two apart would fall on the same places there
_EXACT = 2**24  # up to here float32 holds every integer, so block sums carry no error
_FEWEST_ROWS = 1024  # below which a block does not pay
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


def block_sums(data: pd.DataFrame, missing: Literal["listwise", "pairwise"]) -> Sums | None:
    """Sums that are exact, in the memory of a few blocks; None where the answers are not all small whole numbers.

    Parameters
    ----------
    data : DataFrame, shape (n_respondents, n_items)
        Integers, floats of one kind, or pandas' nullable 8-bit integers; other tables give None.
    missing : {"listwise", "pairwise"}
    """
    if not data.size or (blocks := _blocks(data)) is None:
        return None
    adder = _Adder(data, pairwise=missing == "pairwise")
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is found and refused
        for block in blocks:
            if not adder.add(block):
                return None
    if adder.n_marks:
        n_missing = sum(int(column.isna().sum()) for _, column in data.items())
        if adder.n_marks != n_missing:
            return None  # somebody's answer is the number that marks a missing one
    return adder.result()


def _blocks(data: pd.DataFrame) -> Iterable[npt.NDArray[Any]] | None:
    """Rows after rows: of integers, of floats with NaN for a gap, or of 8-bit integers with a mark for it."""
    kinds = set(data.dtypes)
    if kinds <= _INTEGERS or kinds in _FLOATS:
        values = data.to_numpy()
        return (values[start : start + _ROWS] for start in range(0, len(values), _ROWS))
    return _blocks_of_nullable(data) if _mark(data) is not None else None


def _mark(data: pd.DataFrame) -> int | None:
    """What stands for a missing answer in the blocks of nullable integers."""
    names = {str(kind) for kind in data.dtypes}
    return _MARKS.get(names.pop()) if len(names) == 1 else None


def _blocks_of_nullable(data: pd.DataFrame) -> Iterator[npt.NDArray[Any]]:
    """Many rows of every column at a time, since each conversion of a nullable column costs a little."""
    columns = [data.iloc[:, position].array for position in range(data.shape[1])]
    mark, kind = _mark(data), np.dtype(str(data.dtypes.iloc[0]).lower())
    at_once = 16 * _ROWS
    for first in range(0, len(data), at_once):
        values = np.empty((min(at_once, len(data) - first), len(columns)), dtype=kind, order="F")
        for position, column in enumerate(columns):
            values[:, position] = column[first : first + at_once].to_numpy(dtype=kind, na_value=mark)
        for start in range(0, len(values), _ROWS):
            yield values[start : start + _ROWS]


class _Adder:
    """Turns block after block into float32 in one buffer and adds up the products of its columns."""

    def __init__(self, data: pd.DataFrame, *, pairwise: bool) -> None:
        rows, k = min(_ROWS, len(data)), data.shape[1]
        self._k, self._pairwise = k, pairwise
        self._mark = _mark(data)
        self.n_marks = 0
        # Answers, a column of ones, and zeros up to a multiple of 4, which the processor multiplies faster. Row by row
        # products are faster still, which pays for the turning where gaps have to be found anyway.
        self._by_rows = not set(data.dtypes) <= _INTEGERS
        layout: Literal["C", "F"] = "C" if self._by_rows else "F"
        self._buffer = np.zeros((rows, 4 * (k // 4 + 1)), dtype=np.float32, order=layout)
        self._buffer[:, k] = 1
        self._spare = np.zeros_like(self._buffer)  # fresh memory for every block would cost more than the work in it
        self._flags = np.zeros(self._buffer.shape, dtype=bool)
        self._shift = self._buffer
        self._centre: Block | None = None
        self._products = np.zeros((self._buffer.shape[1],) * 2)  # about the centre, missing answers being 0
        self._sums_in_gaps = np.zeros((k, k))  # at [j, i]: sum of item i over those who did not answer j
        self._gaps = np.zeros((k, k))  # those who answered neither
        self._n_rows = 0

    def add(self, block: npt.NDArray[Any]) -> bool:
        """Whether the block could be added without rounding."""
        if self._by_rows and block.dtype.itemsize <= 2:
            block = np.ascontiguousarray(block)  # turned to rows while small, which spares memory traffic
        n, k = len(block), self._k
        rows = self._buffer[:n]
        np.copyto(rows[:, :k], block, casting="unsafe")
        if not _held(block, rows[:, :k]):
            return False
        gaps = self._missing(rows, block)
        if self._centre is None:
            self._centre = _middle(rows[:, :k], gaps, rows.shape[1])
            self._shift = np.zeros_like(self._buffer)  # as large as the buffer: faster than a row for all
            self._shift[:, :k] = self._centre
        if self._centre.any():
            np.subtract(rows, self._shift[:n], out=rows)
        if gaps.size:
            at, item = np.divmod(gaps, rows.shape[1])
            if self._pairwise:
                rows.ravel()[gaps] = 0
                self._add_gaps(rows, at, item)
            else:
                rows = rows[np.bincount(at, minlength=n) == 0]
        self._n_rows += len(rows)
        bare = block.dtype.kind in "iu" and not gaps.size and not self._centre.any()
        reach = _reach(block if bare else rows)
        step = int(_EXACT // reach**2) if reach < _EXACT else 0
        if step < min(_FEWEST_ROWS, n) or (block.dtype.kind == "f" and not self._whole(rows)):
            return False
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            self._products += part.T @ part
        return True

    def _missing(self, rows: Block, block: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """Places of the missing answers in the flattened rows."""
        flags = self._flags[: len(rows)]
        if self._mark is not None:
            places = np.flatnonzero(np.equal(rows, self._mark, out=flags))
            self.n_marks += len(places)
            return places
        return np.flatnonzero(np.isnan(rows, out=flags)) if block.dtype.kind == "f" else np.empty(0, dtype=np.intp)

    def _whole(self, rows: Block) -> bool:
        rounded = np.rint(rows, out=self._spare[: len(rows)])
        return bool(np.equal(rounded, rows, out=self._flags[: len(rows)]).all())

    def _add_gaps(self, rows: Block, at: npt.NDArray[np.intp], item: npt.NDArray[np.intp]) -> None:
        """Sums over those who left out an item: few as a rule, so cheaper than products with all answers there."""
        from scipy.sparse import csc_array

        n, k = len(rows), self._k
        per_row = np.bincount(at, minlength=n)
        starts = np.concatenate([[0], np.cumsum(per_row)])
        ones = np.ones(len(at), dtype=np.float32)
        absent = csc_array((ones, item, starts), shape=(k, n))  # items x respondents
        again = self._spare[:n]
        again[...] = 0
        again[at, item] = 1
        self._sums_in_gaps += (absent @ rows)[:, :k]
        self._gaps += (absent @ again)[:, :k]
        self._n_rows -= int((per_row == k).sum())

    def result(self) -> Sums:
        k = self._k
        absent = np.diag(self._gaps)
        counts = self._products[k, k] - absent[:, None] - absent[None, :] + self._gaps
        sums = self._products[:k, k][:, None] - self._sums_in_gaps.T
        centre = np.zeros(k) if self._centre is None else self._centre.astype(np.float64)
        return Sums(counts, sums, self._products[:k, :k], centre, self._n_rows)


def _held(block: npt.NDArray[Any], converted: Block) -> bool:
    """Whether float32 holds the values."""
    if block.dtype.kind in "iu":
        return block.dtype.itemsize <= 2 or _reach(converted) < _EXACT
    if block.dtype != np.float64:
        return True
    # Small whole numbers and NaN have nothing in the lower half of their bits.
    if not int(np.bitwise_or.reduce(block.view(np.uint64), axis=None)) & 0xFFFFFFFF:
        return True
    return bool(np.array_equal(block, converted.astype(np.float64), equal_nan=True))


def _reach(values: npt.NDArray[Any]) -> float:
    return max(-float(values.min(initial=0)), float(values.max(initial=1)))


def _middle(answers: Block, gaps: npt.NDArray[np.intp], width: int) -> Block:
    """The whole number in the middle of what each item got; 0 where nobody answered it, or where all are small."""
    known = answers.copy()
    known[np.divmod(gaps, width)] = np.nan
    low, high = np.fmin.reduce(known, axis=0), np.fmax.reduce(known, axis=0)
    if np.fmax(-low, high).max() ** 2 * _ROWS <= _EXACT:
        return np.zeros_like(low)
    middle = np.floor((low + high) / 2)
    return np.where(np.isfinite(middle), middle, np.float32(0))
