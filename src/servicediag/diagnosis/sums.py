"""Sums of numbers over groups of respondents, as tables whose rows add up when parts of a study are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from servicediag.responses.model import Part

__all__ = [
    "SUMS", "WHOLE", "Grouping", "Quantity", "add_tables", "cell_counts", "empty_table", "group_sums",
    "object_frame", "sorted_table",
]  # fmt: skip

BACKGROUND = "\x00background "
"""Before the id of a background field beside groupings; no column's name can hold a control character."""
WHOLE = ""
"""Grouping and unit name of the whole organisation inside the evidence; people's unit names are never empty."""
SUMS = ("n", "total", "total_squares")
ROWS_AT_ONCE = 131_072


@dataclass(frozen=True)
class Quantity:
    """One number a respondent, to be added up: a score or an indicator, or an item by its codes.

    ``scored`` says of an item's respondents who has the score that the item belongs to.
    """

    part: Part
    kind: str
    dimension: str
    name: str
    values: np.ndarray
    scored: np.ndarray | None = None


@dataclass(frozen=True)
class Grouping:
    """Groups that one column of the respondents makes: a code a respondent, -1 for nobody's."""

    by: str
    units: np.ndarray
    codes: np.ndarray


def group_sums(values: np.ndarray, group: np.ndarray, n_groups: int) -> dict[str, np.ndarray]:
    """Number, sum and sum of squares per group; who has no value, or a negative group, is left out.

    Examples
    --------
    >>> sums = group_sums(np.array([1.0, 2.0, np.nan, 4.0]), np.array([0, 0, 1, -1]), 2)
    >>> [sums[name].tolist() for name in ("n", "total", "total_squares")]
    [[2, 0], [3.0, 0.0], [5.0, 0.0]]
    """
    group = np.where(np.isnan(values) | (group < 0), n_groups, group)

    def add(weights: np.ndarray | None) -> np.ndarray:
        return np.bincount(group, weights, minlength=n_groups + 1)[:n_groups]

    return {"n": add(None), "total": add(values), "total_squares": add(values**2)}


def cell_counts(first: np.ndarray, place: Callable[[slice], np.ndarray], n_cells: int) -> np.ndarray:
    """How many respondents fall into each cell: ``first`` is where the cells of each one's group begin.

    ``place`` gives the places behind it for some of the rows: few at a time, so that they stay in the cache.
    """
    counts = np.zeros(n_cells, dtype=np.int64)
    for begin in range(0, len(first), ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        counts += np.bincount(first[rows] + place(rows), minlength=n_cells)
    return counts


def sorted_table(keys: Sequence[str], sums: Sequence[str], frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all frames, which have no key in common, in a fixed order of keys; empty groups left out."""
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return empty_table(keys, sums)
    table = pd.concat(filled, ignore_index=True)[[*keys, *sums]]
    # texts are compared once a distinct text, not once a row
    codes = [pd.factorize(table[key], sort=True)[0] for key in reversed(keys)]
    order = np.lexsort(codes)
    return table.iloc[order[table["n"].to_numpy()[order] > 0]].reset_index(drop=True)


def add_tables(keys: Sequence[str], sums: Sequence[str], frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Rows with the same keys added up, in a fixed order of keys; empty groups left out."""
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return empty_table(keys, sums)
    table = pd.concat(filled, ignore_index=True)[[*keys, *sums]]
    table = table[table["n"] > 0]
    return table.groupby(list(keys), sort=True, as_index=False, observed=True)[list(sums)].sum()


def object_frame(columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A frame whose texts stay plain objects, over which Python goes several times faster than over text columns."""
    series = {
        name: pd.Series(column, dtype=object if column.dtype == object else None, copy=False)
        for name, column in columns.items()
    }
    return pd.DataFrame(series, copy=False)


def empty_table(keys: Sequence[str], sums: Sequence[str]) -> pd.DataFrame:
    """No rows, with the types that the columns have when there are some."""
    columns: dict[str, np.ndarray] = {key: np.array([], dtype=object) for key in keys}
    columns.update({name: np.array([], dtype=np.int64 if name == "n" else np.float64) for name in sums})
    return object_frame(columns)
