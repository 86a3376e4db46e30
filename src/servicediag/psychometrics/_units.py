"""Matching of respondents to the units (teams, branches, groups) that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["CategoryCounter", "unit_codes"]


def unit_codes(units: object, index: pd.Index) -> tuple[npt.NDArray[np.int64], pd.Index]:
    """The position of every respondent's unit in the sorted labels, -1 where it is missing, and the labels.

    Parameters
    ----------
    units : Series, array or list
        A label a respondent. A Series is matched by its index, everything else by position.
    index : Index
        Index of the respondents.

    Raises
    ------
    TypeError
        ``units`` is no one-dimensional sequence, or a label cannot be one (a list, for example).
    ValueError
        Its length or index does not fit the respondents.
    """
    series = _matched(units, index)
    try:
        codes, labels = pd.factorize(series, sort=False)
    except TypeError as error:
        raise TypeError(f"units must hold labels such as text or numbers: {error}") from error
    found = pd.Index(labels)
    order = _sorted_positions(found, series)
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1  # where factorize's -1 for a missing label points
    labels_sorted = found.take(order)
    labels_sorted.name = "unit"
    return rank[codes], labels_sorted


def _matched(units: object, index: pd.Index) -> pd.Series:
    if isinstance(units, pd.DataFrame) and units.shape[1] == 1:
        units = units.iloc[:, 0]
    if isinstance(units, pd.Series):
        if units.index.equals(index):
            return units
        if units.index.is_unique and len(units) > len(index) and index.isin(units.index).all():
            return units.reindex(index)
        if len(units) == len(index):
            raise ValueError("units has another index than the respondents; give both the same index, or an array")
        raise ValueError(f"units has {len(units)} labels and there are {len(index)} respondents; give one each")
    kinds = (Sequence, np.ndarray, pd.Index, pd.api.extensions.ExtensionArray)
    if isinstance(units, str) or not isinstance(units, kinds):
        raise TypeError(f"units must be a Series (a label a respondent), not {type(units).__name__}")
    if isinstance(units, np.ndarray) and units.ndim != 1:
        raise TypeError("units must have one dimension: a label a respondent")
    if len(units) != len(index):
        raise ValueError(f"units has {len(units)} labels and there are {len(index)} respondents; give one each")
    return pd.Series(units, index=index)


def _sorted_positions(labels: pd.Index, series: pd.Series) -> npt.NDArray[np.int64]:
    if isinstance(series.dtype, pd.CategoricalDtype):
        return np.argsort(series.dtype.categories.get_indexer(labels), kind="stable").astype(np.int64)
    try:
        return np.asarray(labels.argsort(), dtype=np.int64)
    except TypeError:  # labels of several types have no order among themselves
        keys = [(type(label).__name__, str(label)) for label in labels]
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


class CategoryCounter:
    """Counts how often each option of an item was chosen in each unit; what all items share is made once.

    Parameters
    ----------
    codes : ndarray, shape (n_respondents,)
        Position of each respondent's unit, 0 to ``n_units - 1``.
    lowest : float
        Value of the first of ``n_points`` options that lie one apart.
    """

    def __init__(self, codes: npt.NDArray[np.int64], n_units: int, lowest: float, n_points: int) -> None:
        self._shape = n_units, n_points
        self._lowest = lowest
        self._first = codes * n_points
        self._before_first = self._first - int(lowest)  # what whole numbers are added to

    def counts(self, answers: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
        """Shape (n_units, n_points), of answers within the scale, NaN being a gap; None if some lie between options."""
        n_cells = self._shape[0] * self._shape[1]
        if answers.dtype.kind in "iu" and self._lowest == int(self._lowest):
            return np.bincount(self._before_first + answers, minlength=n_cells).reshape(self._shape)
        first = self._first
        present = ~np.isnan(answers)
        if not present.all():
            answers, first = answers[present], first[present]
        away = answers - self._lowest
        positions = away.astype(np.int64)
        if not (positions == away).all():
            return None
        positions += first
        return np.bincount(positions, minlength=n_cells).reshape(self._shape)
