"""Bootstrap intervals of coefficients that depend on weighted sums: respondents are resampled by their weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, check_count
from servicediag.results import ConfidenceInterval

__all__ = ["CovarianceSums", "PairwiseSums", "Progress", "ResampledInterval", "TotalSums", "bootstrap_interval"]

Progress = Callable[[int, int], None]
_CELLS = 4_000_000  # resampling weights held at a time
_CELLS_IN_CACHE = 200_000  # the same where the columns, too, are few enough to stay in cache
_ROWS = 8192
_EXACT = 2**24  # up to here float32 holds every integer


@dataclass(frozen=True, slots=True)
class ResampledInterval(ConfidenceInterval):
    """An interval by resampling, with what is needed to repeat it.

    Attributes
    ----------
    n_resamples, n_failed : int
        Resamples drawn, and those in which the coefficient was undefined (left out of the limits).
    seed : int or None
        None where a generator was given.
    """

    n_resamples: int = 0
    n_failed: int = 0
    seed: int | None = None


class Sums(Protocol):
    """Columns whose weighted sums determine a coefficient."""

    @property
    def n_rows(self) -> int:
        """Respondents."""

    def rows(self, start: int, stop: int) -> FloatArray:
        """The columns for some respondents, shape (stop - start, n_columns)."""

    def values(self, sums: FloatArray, n: FloatArray) -> FloatArray:
        """The coefficient for each row of weighted sums, shape (B,); NaN where undefined."""


@dataclass(frozen=True)
class TotalSums:
    """Sums that suffice for Cronbach's alpha: each item, the squared total, and all squares."""

    answers: FloatArray
    value: Callable[[FloatArray, FloatArray, int], FloatArray]  # (traces, total variances, n_items)

    @property
    def n_rows(self) -> int:
        return len(self.answers)

    def rows(self, start: int, stop: int) -> FloatArray:
        block = self.answers[start:stop]
        return np.column_stack([block, block.sum(axis=1) ** 2, np.einsum("ij,ij->i", block, block)])

    def values(self, sums: FloatArray, n: FloatArray) -> FloatArray:
        items = sums[:, :-2]
        traces = (sums[:, -1] - (items**2).sum(axis=1) / n) / (n - 1)
        totals = (sums[:, -2] - items.sum(axis=1) ** 2 / n) / (n - 1)
        return self.value(traces, totals, items.shape[1])


@dataclass(frozen=True)
class CovarianceSums:
    """Sums that give the whole covariance matrix, from complete answers."""

    answers: FloatArray
    value: Callable[[FloatArray], FloatArray]  # (B, k, k) -> (B,)

    @property
    def n_rows(self) -> int:
        return len(self.answers)

    def rows(self, start: int, stop: int) -> FloatArray:
        block = self.answers[start:stop]
        upper = np.triu_indices(block.shape[1])
        return np.column_stack([block, block[:, upper[0]] * block[:, upper[1]]])

    def values(self, sums: FloatArray, n: FloatArray) -> FloatArray:
        k = self.answers.shape[1]
        products = _unfold(sums[:, k:], k)
        items = sums[:, :k]
        size = n[:, None, None]
        return self.value((products - items[:, :, None] * items[:, None, :] / size) / (size - 1))


@dataclass(frozen=True)
class PairwiseSums:
    """Sums that give the pairwise covariance matrix, from answers with gaps."""

    answers: FloatArray
    value: Callable[[FloatArray], FloatArray]

    @property
    def n_rows(self) -> int:
        return len(self.answers)

    def rows(self, start: int, stop: int) -> FloatArray:
        block = self.answers[start:stop]
        present = ~np.isnan(block)
        filled = np.where(present, block, 0.0)
        first, second = np.triu_indices(block.shape[1])
        joint = (filled[:, :, None] * present[:, None, :]).reshape(len(block), -1)
        return np.column_stack([joint, present[:, first] & present[:, second], filled[:, first] * filled[:, second]])

    def values(self, sums: FloatArray, n: FloatArray) -> FloatArray:  # noqa: ARG002
        k = self.answers.shape[1]
        pairs = k * (k + 1) // 2
        joint = sums[:, : k * k].reshape(-1, k, k)
        counts = _unfold(sums[:, k * k : k * k + pairs], k)
        products = _unfold(sums[:, k * k + pairs :], k)
        with np.errstate(divide="ignore", invalid="ignore"):
            matrices = (products - joint * joint.transpose(0, 2, 1) / counts) / (counts - 1)
        matrices[(counts < 1.5).any(axis=(1, 2))] = math.nan
        return self.value(matrices)


def _unfold(columns: FloatArray, k: int) -> FloatArray:
    first, second = np.triu_indices(k)
    matrices = np.empty((len(columns), k, k))
    matrices[:, first, second] = columns
    matrices[:, second, first] = columns
    return matrices


def bootstrap_interval(
    sums: Sums,
    estimate: float,
    *,
    level: float,
    method: Literal["bca", "percentile"],
    n_resamples: int = 2000,
    seed: int | np.random.Generator = 0,
    progress: Progress | None = None,
    n_jackknife: int = 1000,
) -> ResampledInterval:
    """Percentile or bias-corrected and accelerated interval.

    Notes
    -----
    Efron (1987), Journal of the American Statistical Association, 82, 171-185; Efron & Tibshirani (1993). The
    acceleration comes from leaving out one respondent at a time, or, beyond ``n_jackknife`` respondents, one of that
    many random groups. The interval is widened to hold the estimate where resampling bias would put it outside.
    """
    n_resamples = check_count("n_resamples", n_resamples, 10)
    generator = np.random.default_rng(seed)
    values = _resampled(sums, n_resamples, generator, progress)
    kept = np.sort(values[np.isfinite(values)])
    if len(kept) < n_resamples / 2:
        raise InsufficientDataError(
            f"In {n_resamples - len(kept)} of {n_resamples} resamples the coefficient was undefined; too few "
            "respondents, or items that hardly vary. Use an analytic interval."
        )
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bca":
        tails = _corrected(tails, kept, estimate, _acceleration(sums, generator, n_jackknife))
    low, high = (float(limit) for limit in np.quantile(kept, tails))
    return ResampledInterval(
        min(low, estimate),
        max(high, estimate),
        level=level,
        method=method,
        n_resamples=n_resamples,
        n_failed=n_resamples - len(kept),
        seed=int(seed) if isinstance(seed, (int, np.integer)) else None,
    )


def _resampled(sums: Sums, n_resamples: int, generator: np.random.Generator, progress: Progress | None) -> FloatArray:
    n = sums.n_rows
    in_cache = _held_columns(sums) if n <= _ROWS else None
    kind = np.float64 if in_cache is None else in_cache.dtype
    at_once = max(1, min(n_resamples, (_CELLS if in_cache is None else _CELLS_IN_CACHE) // n))
    values = np.empty(n_resamples)
    for start in range(0, n_resamples, at_once):
        count = min(at_once, n_resamples - start)
        weights = _weights(generator, count, n).astype(kind)
        if in_cache is None:
            total = sum(weights[:, at : at + _ROWS] @ sums.rows(at, at + _ROWS) for at in range(0, n, _ROWS))
        else:
            total = weights @ in_cache
        with np.errstate(all="ignore"):
            values[start : start + count] = sums.values(np.asarray(total, dtype=np.float64), np.full(count, float(n)))
        if progress is not None:
            progress(start + count, n_resamples)
    return values


def _weights(generator: np.random.Generator, count: int, n: int) -> npt.NDArray[np.intp]:
    """How often each of n respondents is drawn in each of some resamples."""
    # 16 random bits a draw where they suffice: the draws are most of the work.
    drawn = generator.integers(0, n, size=(count, n), dtype=np.uint16 if n <= 2**16 else np.int64).astype(np.intp)
    drawn += np.arange(count, dtype=np.intp)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n)


def _held_columns(sums: Sums) -> npt.NDArray[Any]:
    """All columns; as float32, which is faster, where their weighted sums are whole numbers that it holds exactly."""
    columns = sums.rows(0, sums.n_rows)
    if len(columns) * np.abs(columns).max(initial=0.0) <= _EXACT and bool((np.rint(columns) == columns).all()):
        return columns.astype(np.float32)
    return np.asarray(columns, dtype=np.float64)


def _acceleration(sums: Sums, generator: np.random.Generator, n_jackknife: int) -> float:
    n = sums.n_rows
    groups = np.arange(n) if n <= n_jackknife else generator.permutation(n) % n_jackknife
    count = int(groups.max()) + 1
    parts = np.zeros((count, sums.rows(0, 1).shape[1]))
    for at in range(0, n, _ROWS):
        np.add.at(parts, groups[at : at + _ROWS], sums.rows(at, at + _ROWS).astype(np.float64))
    with np.errstate(all="ignore"):
        values = sums.values(parts.sum(axis=0) - parts, n - np.bincount(groups, minlength=count).astype(np.float64))
    values = values[np.isfinite(values)]
    distance = values.mean() - values if len(values) else values
    spread = float((distance**2).sum()) ** 1.5
    return float((distance**3).sum()) / (6 * spread) if spread > 0 else 0.0


def _corrected(tails: FloatArray, kept: FloatArray, estimate: float, acceleration: float) -> FloatArray:
    from scipy.special import ndtr, ndtri

    below = (np.sum(kept < estimate) + np.sum(kept <= estimate)) / 2 / len(kept)
    share = min(max(float(below), 1 / (len(kept) + 1)), 1 - 1 / (len(kept) + 1))
    bias = ndtri(share)
    shifted = bias + ndtri(tails)
    with np.errstate(divide="ignore"):
        result: FloatArray = ndtr(bias + shifted / np.maximum(1 - acceleration * shifted, 1e-12))
    return result
