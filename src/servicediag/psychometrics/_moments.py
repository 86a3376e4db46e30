"""Means and covariances of answers, listwise or pairwise, exact and sparing of memory for large integer files."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._block_sums import Sums, block_sums
from servicediag.psychometrics._frames import (
    FloatArray,
    NumericFrame,
    as_table,
    check_choice,
    check_count,
    name_list,
    numeric_frame,
)

__all__ = ["MISSING_POLICIES", "DroppedItem", "Missing", "Moments", "moments", "moments_from_covariance"]

Missing = Literal["listwise", "pairwise"]
MISSING_POLICIES = ("listwise", "pairwise")

_SMALLEST = 1e-140  # ranges whose squares underflow count as no variation
_LARGE = 200_000  # cells from which the blocked route pays


@dataclass(frozen=True)
class DroppedItem:
    """An item that takes no part in a coefficient, and why; ``value`` is what everybody answered, where known."""

    item: Hashable
    reason: str
    value: float = math.nan

    def __str__(self) -> str:
        return f"{self.item} ({self.reason})"


@dataclass(frozen=True)
class Moments:
    """What a covariance-based coefficient needs to know.

    Attributes
    ----------
    items : tuple
        Names of the items that take part.
    covariance : ndarray, shape (n_items, n_items)
        ddof 1.
    means : ndarray, shape (n_items,)
        NaN where only a covariance matrix was given.
    n_respondents : int
        Listwise: respondents who answered every item. Pairwise: those who answered at least one.
    n_dropped : int
        The others.
    n_smallest : int
        Smallest number of respondents behind any covariance; analytic intervals use it.
    dropped_items : tuple of DroppedItem
        Constant items.
    source : DataFrame or None
        The whole table behind the covariance; None where only sums were given.
    """

    items: tuple[Hashable, ...]
    covariance: FloatArray
    means: FloatArray
    n_respondents: int
    n_dropped: int
    n_smallest: int
    missing: Missing
    dropped_items: tuple[DroppedItem, ...] = ()
    source: pd.DataFrame | None = None

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def correlation(self) -> FloatArray:
        """Correlations that belong to the covariance; a diagonal of exactly 1."""
        deviation = np.sqrt(np.diag(self.covariance))
        matrix: FloatArray = self.covariance / np.outer(deviation, deviation)
        np.fill_diagonal(matrix, 1.0)
        return matrix

    @property
    def total_variance(self) -> float:
        return float(self.covariance.sum())

    def answers(self, purpose: str) -> FloatArray:
        """The respondents that count, about the item means: for resampling. NaN only where pairwise.

        Whole numbers are centred on a whole number, since sums of whole numbers are exact.
        """
        if self.source is None:
            raise ValueError(f"{purpose} needs the answers themselves; here only their covariance is known")
        frame = numeric_frame(self.source)
        used = frame.complete if self.missing == "listwise" else _answered_any(frame.values)
        taking_part = set(self.items)
        keep = np.array([position for position, name in enumerate(frame.columns) if name in taking_part], dtype=np.intp)
        chosen = np.asarray(frame.values[np.ix_(np.flatnonzero(used), keep)], dtype=np.float64)
        whole = bool((np.isnan(chosen) | (np.rint(chosen) == chosen)).all())
        return chosen - (np.rint(self.means) if whole else self.means)


def moments(items: object, missing: Missing = "listwise", *, statistic: str, minimum_items: int = 2) -> Moments:
    """Moments of a table of answers.

    Raises
    ------
    InsufficientDataError
        Fewer items that vary than the statistic needs, fewer than 2 respondents, or no variation in the total.
    ValueError
        Unknown policy, or answers that are no numbers.
    """
    check_choice("missing", missing, MISSING_POLICIES)
    table = as_table(items)
    names = tuple(table.columns)
    _refuse_too_few(names, minimum_items, statistic)
    sums = block_sums(table, missing) if table.size >= _LARGE else None
    if sums is not None and sums.n_rows >= 2 and np.diag(sums.counts).all():
        constant = sums.squares() < 0.25  # whole numbers that vary have at least 0.5
    else:
        sums, constant = _plain_sums(numeric_frame(table), missing, statistic)
    covariance, n_smallest = _covariance(sums, names, constant, statistic)
    constant |= ~(np.diag(covariance) > 0)
    keep = np.flatnonzero(~constant)
    kind = "complete rows" if missing == "listwise" and sums.n_rows < len(table) else "rows"
    means = sums.means()
    dropped = tuple(
        DroppedItem(names[i], f"constant among the {sums.n_rows} {kind}", float(means[i]))
        for i in np.flatnonzero(constant)
    )
    result = Moments(
        items=tuple(names[i] for i in keep),
        covariance=_locked(covariance[np.ix_(keep, keep)]),
        means=_locked(means[keep]),
        n_respondents=sums.n_rows,
        n_dropped=len(table) - sums.n_rows,
        n_smallest=n_smallest,
        missing=missing,
        dropped_items=dropped,
        source=table.copy(deep=False),
    )
    return _checked(result, statistic, minimum_items)


def moments_from_covariance(
    covariance: object,
    n_respondents: int,
    *,
    items: tuple[Hashable, ...] | None,
    statistic: str,
    minimum_items: int = 2,
) -> Moments:
    """Moments where only sums were kept: a covariance matrix (ddof 1) and the number of respondents behind it."""
    n_respondents = check_count("n_respondents", n_respondents, 0)
    if isinstance(covariance, pd.DataFrame):
        items = tuple(covariance.columns) if items is None else items
        covariance = covariance.to_numpy(dtype=np.float64)
    matrix = np.array(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"covariance must be a square matrix, not of shape {matrix.shape}")
    names = tuple(range(len(matrix))) if items is None else tuple(items)
    if len(names) != len(matrix):
        raise ValueError(f"items must hold {len(matrix)} names, one a row of covariance, not {len(names)}")
    _refuse_too_few(names, minimum_items, statistic)
    _refuse_few_rows(n_respondents, n_respondents, statistic)
    if not np.isfinite(matrix).all():
        raise InsufficientDataError(f"{statistic}: the covariance matrix has undefined entries; too few joint answers.")
    scale = float(np.abs(matrix).max())
    if np.abs(matrix - matrix.T).max() > 1e-8 * scale or (np.diag(matrix) < 0).any():
        raise ValueError("covariance must be symmetric with variances of at least 0 on its diagonal")
    matrix = (matrix + matrix.T) / 2
    keep = np.flatnonzero(np.diag(matrix) > 0)
    gone = tuple(
        DroppedItem(name, f"constant among the {n_respondents} respondents")
        for name, variance in zip(names, np.diag(matrix), strict=True)
        if not variance > 0
    )
    result = Moments(
        items=tuple(names[i] for i in keep),
        covariance=_locked(matrix[np.ix_(keep, keep)]),
        means=_locked(np.full(len(keep), math.nan)),
        n_respondents=n_respondents,
        n_dropped=0,
        n_smallest=n_respondents,
        missing="listwise",
        dropped_items=gone,
    )
    return _checked(result, statistic, minimum_items)


# ---------------------------------------------------------------------------------------------------------- checks


def _refuse_too_few(names: tuple[Hashable, ...], minimum: int, statistic: str) -> None:
    if len(names) < minimum:
        raise InsufficientDataError(
            f"{statistic} needs at least {minimum} items, not {len(names)}. "
            "Report a single item by itself, or add items to the scale."
        )


def _refuse_few_rows(n_respondents: int, n_rows: int, statistic: str) -> None:
    if n_respondents < 2:
        raise InsufficientDataError(
            f"{statistic} needs at least 2 respondents; {n_respondents} of {n_rows} can be used. "
            "Collect more answers, or leave out items that most respondents skipped."
        )


def _checked(result: Moments, statistic: str, minimum_items: int) -> Moments:
    if result.n_items < minimum_items:
        raise InsufficientDataError(
            f"{statistic} needs at least {minimum_items} items that vary, not {result.n_items}. Left out: "
            f"{name_list(result.dropped_items)}. Check that the answers were read rightly, or collect more."
        )
    # Below this share the total's variance is nothing but rounding.
    if result.total_variance <= 1e-12 * float(np.trace(result.covariance)):
        raise InsufficientDataError(
            f"{statistic}: the total score of the {result.n_items} items does not vary. "
            "Check the keying: items of opposite direction cancel out."
        )
    return result


def _locked(array: FloatArray) -> FloatArray:
    array = np.ascontiguousarray(array, dtype=np.float64)
    array.flags.writeable = False
    return array


def _answered(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if values.dtype.kind != "f":
        return np.full(values.shape[1], len(values), dtype=np.int64)
    return np.array([len(values) - np.isnan(column).sum() for column in values.T], dtype=np.int64)


def _answered_any(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if values.dtype.kind != "f":
        return np.ones(len(values), dtype=bool)
    result = np.zeros(len(values), dtype=bool)
    for column in values.T:
        result |= ~np.isnan(column)
    return result


def _constant(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    # By the range, since rounding can leave the variance above zero.
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    result: npt.NDArray[np.bool_] = (high == low) | (high.astype(np.float64) - low < _SMALLEST)
    return result


# ----------------------------------------------------------------------------------------------------- computation


def _covariance(
    sums: Sums, names: tuple[Hashable, ...], constant: npt.NDArray[np.bool_], statistic: str
) -> tuple[FloatArray, int]:
    varying = np.flatnonzero(~constant)
    counts = sums.counts[np.ix_(varying, varying)]
    if counts.size and counts.min() < 2:
        first, second = np.argwhere(counts < 2)[0]
        raise InsufficientDataError(
            f"{statistic}: fewer than 2 respondents answered both {names[varying[first]]} and "
            f"{names[varying[second]]}; leave one of them out."
        )
    matrix = sums.covariance()
    return np.where(np.isfinite(matrix), matrix, 0.0), int(counts.min()) if counts.size else 0


def _plain_sums(frame: NumericFrame, missing: Missing, statistic: str) -> tuple[Sums, npt.NDArray[np.bool_]]:
    """Sums in float64 of any numbers, and which items are constant."""
    values = frame.values
    empty = [name for name, count in zip(frame.columns, _answered(values), strict=True) if count == 0]
    if len(values) >= 2 and empty:
        raise InsufficientDataError(f"{statistic}: nobody answered {name_list(empty)}; leave such items out.")
    used = frame.complete if missing == "listwise" else _answered_any(values)
    _refuse_few_rows(int(used.sum()), len(values), statistic)
    if not used.all():
        values = values[used]
    constant = _constant(values)
    floats = np.asarray(values, dtype=np.float64)
    present = ~np.isnan(floats)
    weights = present.astype(np.float64)
    centre = np.where(present, floats, 0.0).sum(axis=0) / weights.sum(axis=0)
    filled = np.where(present, floats - centre, 0.0)
    return Sums(weights.T @ weights, filled.T @ weights, filled.T @ filled, centre, len(values)), constant
