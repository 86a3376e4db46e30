"""What sums over all respondents contain of those who left out an item, by pairs of items."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["EXACT", "FEWEST_ROWS", "Block", "Flags", "GapSums", "Places", "are_few", "places_of"]

Block = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

EXACT = 2**24  # up to here float32 holds every integer, so smaller sums carry no error
FEWEST_ROWS = 1000  # of a product: blocks that need smaller ones do not pay
_MANY = 0.12  # share of missing answers from which dense products are faster, as measured


class GapSums:
    """Adds up pairs of gaps and the answers beside gaps, both by one product of float32.

    A gap enters the product as a number larger than twice any sum of answers in it: what the product then holds of
    that number are the gaps, and the rest are the answers.

    Attributes
    ----------
    pairs : ndarray, shape (k, k)
        Respondents who answered neither item.
    sums : ndarray, shape (k, k)
        At [j, i]: sum of item i over those who did not answer j.
    n_empty_rows : int
        Respondents who answered nothing.
    """

    def __init__(self, n_rows: int, k: int, width: int) -> None:
        self.pairs = np.zeros((k, k))
        self.sums = np.zeros((k, k))
        self.n_empty_rows = 0
        self._k = k
        self._shape = n_rows, width
        self._dense: Block | None = None
        self._spare: Block | None = None
        self._sparse: Any = None

    def clear(self, rows: Block, flags: Flags, places: Places | None) -> None:
        """Put 0 into the gaps."""
        if places is not None:
            rows.reshape(-1)[places] = 0
            return
        kept = self._buffers()[1][: len(rows)].view(np.uint32)
        np.copyto(kept, flags)  # all bits of an answer, or none: an assignment by flags takes longer
        np.subtract(kept, 1, out=kept)
        bits = rows.view(np.uint32)
        np.bitwise_and(bits, kept, out=bits)

    def add(self, rows: Block, flags: Flags, places: Places | None, largest: float) -> None:
        """Add the gaps of a block, which is overwritten.

        Parameters
        ----------
        rows : ndarray, shape (n, width)
            Whole numbers, 0 in the gaps.
        flags : ndarray, shape (n, width)
            Set in the gaps.
        places : ndarray or None
            The gaps in the flattened rows; None where they are not few.
        largest : float
            At least the sum of squares of every item.
        """
        if places is None or not self._added_sparse(rows, places, largest):
            dense = self._buffers()[0][: len(rows)]
            np.copyto(dense, flags)
            self._add_dense(rows, dense, largest)

    def _added_sparse(self, rows: Block, places: Places, largest: float) -> bool:
        n, width = rows.shape
        at = places // width
        item = places - at * width
        weight = _weight(np.bincount(item).max(), largest)
        if weight is None:
            return False
        per_row = np.bincount(at, minlength=n)
        self.n_empty_rows += int(np.count_nonzero(per_row == self._k))
        rows.reshape(-1)[places] = weight
        self._part(self._by_item(item, per_row) @ rows, weight)
        return True

    def _add_dense(self, rows: Block, dense: Block, largest: float) -> None:
        n, k = len(rows), self._k
        weight = _weight(dense.sum(axis=0).max(), largest)
        if weight is None and n // 2 >= FEWEST_ROWS:
            for half in (slice(n // 2), slice(n // 2, n)):
                self._add_dense(rows[half], dense[half], largest)
            return
        self.n_empty_rows += int(np.count_nonzero(dense.sum(axis=1) == k))
        if weight is None:  # so few rows that their sums of products are exact, as were those of the answers
            self.pairs += (dense.T @ dense)[:k, :k]
            self.sums += (dense.T @ rows)[:k, :k]
            return
        weighted = np.multiply(dense, np.float32(weight), out=self._buffers()[1][:n])
        np.add(rows, weighted, out=rows)
        self._part(dense.T @ rows, weight)

    def _part(self, together: Block, weight: int) -> None:
        """Tell gaps from answers."""
        both = together[: self._k, : self._k].astype(np.float64)
        pairs = np.rint(both / weight)
        self.pairs += pairs
        self.sums += both - weight * pairs

    def _buffers(self) -> tuple[Block, Block]:
        if self._dense is None or self._spare is None:
            self._dense, self._spare = np.zeros(self._shape, np.float32), np.zeros(self._shape, np.float32)
        return self._dense, self._spare

    def _by_item(self, item: Places, per_row: Places) -> Any:
        """Who left out which item, as a sparse table of items x respondents of the block."""
        from scipy.sparse import csc_array

        shape = (self._k, len(per_row))
        if self._sparse is None or self._sparse.shape != shape:
            self._sparse = csc_array(shape, dtype=np.float32)
        starts = np.zeros(len(per_row) + 1, dtype=np.intp)
        np.cumsum(per_row, out=starts[1:])
        # A new table for each block would be checked each time, which takes as long as the product.
        self._sparse.data = np.ones(len(item), dtype=np.float32)
        self._sparse.indices, self._sparse.indptr = item, starts
        return self._sparse


def are_few(n_gaps: int, n_rows: int, k: int) -> bool:
    """Whether gaps cost less one by one than in dense products."""
    return n_gaps < _MANY * n_rows * k


def places_of(flags: Flags) -> Places:
    """Where flattened flags are true, which few are: looked for by eights, of which most are all false."""
    if flags.size % 8:
        return np.flatnonzero(flags)
    eights = flags.reshape(-1).view(np.uint64)
    some = np.flatnonzero(eights != 0)
    which = np.flatnonzero(eights[some].view(np.bool_))
    places: Places = 8 * some[which >> 3] + (which & 7)
    return places


def _weight(most: float, largest: float) -> int | None:
    """More than twice what the answers of ``most`` respondents can add up to; None where the product would round.

    That sum is at most the root of their number times their sum of squares (Cauchy-Schwarz).
    """
    weight = 2 * math.isqrt(int(most * largest)) + 3
    return weight if (most + 1) * weight < EXACT else None
