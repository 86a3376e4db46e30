"""Correlations within respondents: of two sets of values of the same person."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from servicediag.psychometrics._frames import FloatArray

__all__ = ["row_correlations"]

_BLOCK = 2_000_000  # cells handled at a time


def row_correlations(first: FloatArray, second: FloatArray, *, minimum_pairs: int = 3) -> FloatArray:
    """Pearson correlation of each row of one array with the same row of the other.

    Parameters
    ----------
    first, second : ndarray, shape (n_respondents, n_pairs)
        NaN where missing; a pair counts where both values are there. ``second`` may be one row for all.
    minimum_pairs : int
        Rows with fewer pairs get NaN, and so do rows in which either side does not vary.
    """
    n, k = first.shape
    result = np.full(n, math.nan)
    step = max(1, _BLOCK // max(k, 1))
    for start in range(0, n, step):
        part = second if len(second) == 1 else second[start : start + step]
        result[start : start + step] = _block(first[start : start + step], part, minimum_pairs)
    return result


def _block(first: FloatArray, second: FloatArray, minimum_pairs: int) -> FloatArray:
    both = ~(np.isnan(first) | np.isnan(second))
    count = both.sum(axis=1)
    x, x_varies = _centred(np.where(both, first, 0.0), both, count)
    y, y_varies = _centred(np.where(both, second, 0.0), both, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    r[(count < minimum_pairs) | ~x_varies | ~y_varies] = math.nan
    return np.asarray(np.clip(r, -1.0, 1.0), dtype=np.float64)  # rounding alone leads beyond


def _centred(
    values: FloatArray, both: npt.NDArray[np.bool_], count: npt.NDArray[np.int64]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Deviations from the row mean, in units of the largest; and whether they are more than rounding."""
    size = np.maximum(count, 1)
    away = np.where(both, values - (values.sum(axis=1) / size)[:, None], 0.0)
    largest = np.abs(away).max(axis=1, initial=0.0)
    varies = largest > 1e-12 * np.abs(values).max(axis=1, initial=0.0)
    return away / np.where(varies, largest, 1.0)[:, None], varies
