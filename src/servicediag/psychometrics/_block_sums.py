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
_WAITING = 2**17  # gaps that are counted by pairs at a time
_MANY = 0.06  # share of missing answers from which dense products are faster, as measured
_PAIRS = 0.3  # and squared gaps of a respondent over items: those who left out nearly all have many pairs
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
        n_missing = sum(np.count_nonzero(column.array.isna()) for _, column in data.items())
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
        self._wide: Block | None = None
        self._centre: Block | None = None
        width = self._buffer.shape[1]
        # Of the answers about the centre, missing ones being 0, and beside them of 1 for each that is missing.
        self._products = np.zeros((2 * width, 2 * width))
        self._sums_in_gaps = np.zeros((k, k))  # at [j, i]: sum of item i over those who did not answer j
        self._gaps = np.zeros((k, k))  # those who answered neither
        self._n_rows = 0
        self._waiting: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]] = []  # gaps of which no pair is counted
        self._n_seen = 0
        self._sparse: Any = None

    def add(self, block: npt.NDArray[Any]) -> bool:
        """Whether the block could be added without rounding."""
        n, k = len(block), self._k
        rows, flags = self._buffer[:n], self._flags[:n]
        if self._mark is not None:
            block = np.ascontiguousarray(block)  # turned to rows while small, which spares memory traffic
        np.copyto(rows[:, :k], block, casting="unsafe")
        if not _held(block, rows[:, :k]):
            return False
        n_gaps = self._flag(block, rows)
        if self._centre is None:
            self._centre = _middle(rows[:, :k], flags[:, :k])
            self._shift = np.zeros_like(self._buffer)  # as large as the buffer: faster than a row for all
            self._shift[:, :k] = self._centre
        if self._centre.any():
            np.subtract(rows, self._shift[:n], out=rows)
        table = rows
        if n_gaps and self._pairwise:
            table = self._without_gaps(rows, n_gaps)
        elif n_gaps:
            table = rows = rows[np.bincount(_places(flags) // rows.shape[1], minlength=n) == 0]
        self._n_rows += len(rows)
        bare = block.dtype.kind in "iu" and not n_gaps and not self._centre.any()
        reach = _reach(block if bare else rows)
        step = int(_EXACT // reach**2) if reach < _EXACT else 0
        if step < min(_FEWEST_ROWS, n) or (block.dtype.kind == "f" and not self._whole(rows)):
            return False
        width = table.shape[1]
        for start in range(0, len(table), step):
            part = table[start : start + step]
            self._products[:width, :width] += part.T @ part
        return True

    def _flag(self, block: npt.NDArray[Any], rows: Block) -> int:
        """How many answers are missing; their flags are set."""
        flags = self._flags[: len(rows)]
        if self._mark is not None:
            np.equal(block, self._mark, out=flags[:, : self._k])
        elif block.dtype.kind == "f":
            np.isnan(rows, out=flags)
        else:
            return 0
        n_gaps = int(np.count_nonzero(flags))
        self.n_marks += n_gaps if self._mark is not None else 0
        return n_gaps

    def _whole(self, rows: Block) -> bool:
        rounded = np.rint(rows, out=self._spare[: len(rows)])
        return bool(np.equal(rounded, rows, out=self._flags[: len(rows)]).all())

    def _without_gaps(self, rows: Block, n_gaps: int) -> Block:
        """The rows with 0 for what is missing; beside them, where much is missing, 1 for each that is.

        Where little is missing, sums over those who left out an item cost less than products with all answers there.
        """
        n, k = len(rows), self._k
        width, flags = rows.shape[1], self._flags[:n]
        if n_gaps < _MANY * n * k:
            places = _places(flags)
            at, item = np.divmod(places, width)
            per_row = np.bincount(at, minlength=n)
            if int(per_row @ per_row) < _PAIRS * n * k:
                rows.ravel()[places] = 0
                self._n_rows -= int(np.count_nonzero(per_row == k))
                self._sums_in_gaps += (self._by_item(item, per_row) @ rows)[:, :k]
                self._waiting.append((at + self._n_seen, item))
                self._n_seen += n
                if sum(len(items) for _, items in self._waiting) > _WAITING:
                    self._add_pairs()
                return rows
        if self._wide is None:
            self._wide = np.zeros((len(self._buffer), 2 * width), dtype=np.float32)
        wide = self._wide[:n]
        kept = self._spare[:n].view(np.uint32)  # all bits of an answer, or none: an assignment by flags takes longer
        np.copyto(kept, flags)
        np.subtract(kept, 1, out=kept)
        bits = rows.view(np.uint32)
        np.bitwise_and(bits, kept, out=bits)
        np.copyto(wide[:, :width], rows)
        np.copyto(wide[:, width:], flags)
        self._n_rows -= int(np.count_nonzero(wide[:, width:].sum(axis=1) == k))
        return wide

    def _by_item(self, item: npt.NDArray[np.intp], per_row: npt.NDArray[np.intp]) -> Any:
        """Who left out which item, as a sparse table of items x respondents of the block."""
        from scipy.sparse import csc_array

        shape = (self._k, len(per_row))
        if self._sparse is None or self._sparse.shape != shape:
            self._sparse = csc_array(shape, dtype=np.float32)
        starts = np.zeros(len(per_row) + 1, dtype=np.int32)
        np.cumsum(per_row, out=starts[1:])
        # A new table for each block would be checked each time, which takes as long as the product.
        self._sparse.data = np.ones(len(item), dtype=np.float32)
        self._sparse.indices, self._sparse.indptr = item.astype(np.int32), starts
        return self._sparse

    def _add_pairs(self) -> None:
        """Count who left out both of two items: each gap with the next of the same respondent, the one after, ..."""
        if not self._waiting:
            return
        k = self._k
        at, item = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._gaps += np.diag(np.bincount(item, minlength=k))
        first = np.flatnonzero(at[1:] == at[:-1])
        for further in range(1, k):
            pairs = np.bincount(item[first] * k + item[first + further], minlength=k * k).reshape(k, k)
            self._gaps += pairs + pairs.T
            first = first[: np.searchsorted(first, len(at) - further - 1)]
            first = first[at[first] == at[first + further + 1]]
            if not len(first):
                return

    def result(self) -> Sums:
        self._add_pairs()
        k, width = self._k, self._buffer.shape[1]
        beside = slice(width, width + k)
        gaps = self._gaps + self._products[beside, beside]
        sums_in_gaps = self._sums_in_gaps + self._products[beside, :k]
        absent = np.diag(gaps)
        counts = self._products[k, k] - absent[:, None] - absent[None, :] + gaps
        sums = self._products[:k, k][:, None] - sums_in_gaps.T
        centre = np.zeros(k) if self._centre is None else self._centre.astype(np.float64)
        return Sums(counts, sums, self._products[:k, :k], centre, self._n_rows)


def _places(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Where flattened flags are true, which few are: looked for by eights, of which most are all false."""
    if flags.size % 8:
        return np.flatnonzero(flags)
    eights = flags.ravel().view(np.uint64)
    some = np.flatnonzero(eights != 0)
    which = np.flatnonzero(eights[some].view(np.bool_))
    places: npt.NDArray[np.intp] = 8 * some[which >> 3] + (which & 7)
    return places


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


def _middle(answers: Block, gaps: npt.NDArray[np.bool_]) -> Block:
    """The whole number in the middle of what each item got; 0 where nobody answered it, or where all are small."""
    known = np.where(gaps, np.float32(np.nan), answers)
    low, high = np.fmin.reduce(known, axis=0), np.fmax.reduce(known, axis=0)
    if np.fmax(-low, high).max() ** 2 * _ROWS <= _EXACT:
        return np.zeros_like(low)
    middle = np.floor((low + high) / 2)
    return np.where(np.isfinite(middle), middle, np.float32(0))
