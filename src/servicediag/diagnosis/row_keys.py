"""Rows of a table by the texts that they share, each combination of texts looked at once however many rows have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["RowKeys", "positions_of_codes"]


@dataclass(frozen=True, eq=False)
class RowKeys:
    """The combinations of texts that occur in some columns, and which one each row has.

    Examples
    --------
    >>> table = pd.DataFrame({"by": ["", "unit", "unit"], "kind": ["score", "score", "score"]})
    >>> keys = RowKeys.of(table, ["by", "kind"])
    >>> keys.codes.tolist(), keys.keys
    ([0, 1, 1], [('', 'score'), ('unit', 'score')])
    >>> keys.each(lambda key: key[0] == "", bool).tolist()
    [True, False, False]
    """

    codes: np.ndarray
    keys: list[tuple[Any, ...]]

    @classmethod
    def of(cls, table: pd.DataFrame, columns: Sequence[str], make: Callable[[Any], tuple[Any, ...]] = tuple) -> RowKeys:
        """``make`` turns the texts of a combination into a named tuple."""
        texts = [table[name].to_numpy(dtype=object) for name in columns]
        codes = np.zeros(len(table), dtype=np.int64)
        for column in texts:
            one, names = pd.factorize(column)
            codes = codes * len(names) + one
        found, distinct = pd.factorize(codes)
        first = np.zeros(len(distinct), dtype=np.int64)
        # of several rows with the same code the one written last, which is the first one, stays
        first[found[::-1]] = np.arange(len(found))[::-1]
        return cls(found, [make(key) for key in zip(*(column[first] for column in texts), strict=True)])

    def each(self, answer: Callable[[Any], Any], dtype: type = object) -> np.ndarray:
        """What a function answers for the texts of each row, asked once for each combination."""
        answers: np.ndarray = np.empty(len(self.keys), dtype=dtype)
        answers[:] = [answer(key) for key in self.keys]
        return np.asarray(answers[self.codes])

    def at(self, rows: np.ndarray) -> RowKeys:
        """Of some of the rows, given by position or by a mask."""
        return RowKeys(self.codes[rows], self.keys)

    def positions(self) -> dict[tuple[Any, ...], np.ndarray]:
        """The rows of each combination, in order; combinations without a row are left out."""
        rows = positions_of_codes(self.codes, len(self.keys))
        return {key: one for key, one in zip(self.keys, rows, strict=True) if len(one)}

    def positions_of(self, wanted: np.ndarray) -> dict[tuple[Any, ...], np.ndarray]:
        """The same of the rows of a mask only."""
        places = np.flatnonzero(wanted)
        return {key: places[rows] for key, rows in self.at(places).positions().items()}


def positions_of_codes(codes: np.ndarray, n_codes: int) -> list[np.ndarray]:
    """Positions of each code, in order."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes, minlength=n_codes))[:-1]) if n_codes else []
