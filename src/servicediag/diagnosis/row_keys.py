"""Rows of a table by the texts that they share, each combination of texts looked at once however many rows have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["RowKeys", "combinations_of", "having", "positions_of_codes"]


MOST_LOOKED_UP = 2**22
"""Codes up to here are looked up in a table rather than hashed."""


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
        found, first = _numbered(_codes(table, columns))
        texts = (table[name].to_numpy(dtype=object)[first] for name in columns)
        return cls(found, [make(key) for key in zip(*texts, strict=True)])

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


def combinations_of(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """A number for each row, from 0 in the order in which the combinations of texts first occur.

    Examples
    --------
    >>> table = pd.DataFrame({"by": ["unit", "", "unit"], "kind": ["score", "score", "score"]})
    >>> combinations_of(table, ["by", "kind"]).tolist()
    [0, 1, 0]
    """
    return _numbered(_codes(table, columns))[0]


def _codes(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """The same number for rows with the same texts."""
    codes = np.zeros(len(table), dtype=np.int64)
    for name in columns:
        one, texts = _factorized(table[name].to_numpy(dtype=object))
        codes = codes * len(texts) + one
    return codes


def _factorized(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As by pandas; the same text mostly stands in many rows one after the other, of which only the first is hashed."""
    begins = np.ones(len(column), dtype=bool)
    begins[1:] = column[1:] != column[:-1]
    if 2 * np.count_nonzero(begins) > len(column):
        return pd.factorize(column)
    codes, texts = pd.factorize(column[begins])
    return codes[np.cumsum(begins) - 1], texts


def _numbered(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers from 0 in the order in which the codes first occur, and where each does."""
    if codes.max(initial=0) > MOST_LOOKED_UP or codes.min(initial=0) < 0:
        codes = pd.factorize(codes)[0]
    rows = np.arange(len(codes))
    first_of = np.full(codes.max(initial=-1) + 1, len(codes))
    # of several rows with the same code the one written last, which is the first one, stays
    first_of[codes[::-1]] = rows[::-1]
    first = np.sort(first_of[first_of < len(codes)])
    number = np.zeros(len(first_of), dtype=np.int64)
    number[codes[first]] = np.arange(len(first))
    return number[codes], first


def positions_of_codes(codes: np.ndarray, n_codes: int) -> list[np.ndarray]:
    """Positions of each code, in order."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes, minlength=n_codes))[:-1]) if n_codes else []


def having(table: pd.DataFrame, **texts: str) -> np.ndarray:
    """Which rows hold all these texts in these columns, found several times faster than by a comparison in pandas.

    Examples
    --------
    >>> table = pd.DataFrame({"by": ["", "unit", "unit"], "kind": ["score", "score", "item"]})
    >>> having(table, by="unit", kind="score").tolist()
    [False, True, False]
    """
    columns = (table[name].to_numpy(dtype=object) for name in texts)
    found = [column == text for column, text in zip(columns, texts.values(), strict=True)]
    return np.asarray(np.logical_and.reduce(found), dtype=bool)
