"""Bootstrap limits of several numbers at once that depend on a covariance matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, check_count
from servicediag.psychometrics._resampling import CovarianceSums, Progress, _corrected

__all__ = ["bootstrap_limits"]

_CELLS = 2_000_000
_GROUPS = 500  # of the jackknife


def bootstrap_limits(
    answers: FloatArray,
    value: Callable[[FloatArray], FloatArray],
    estimate: FloatArray,
    *,
    level: float,
    method: Literal["percentile", "bca"],
    n_resamples: int,
    seed: int | np.random.Generator,
    progress: Progress | None,
) -> tuple[FloatArray, FloatArray, int]:
    """Lower and upper limits, and how many resamples failed; see ``bootstrap_interval`` for the methods.

    Parameters
    ----------
    answers : ndarray, shape (n_respondents, k)
        Complete and centred.
    value : callable
        Covariance matrices (B, k, k) to numbers (B, p), NaN where undefined.
    """
    n_resamples = check_count("n_resamples", n_resamples, 100)
    generator = np.random.default_rng(seed)
    drawn = _drawn(answers, value, n_resamples, generator, progress)
    good = drawn[np.isfinite(drawn).all(axis=1)]
    failed = n_resamples - len(good)
    if len(good) < n_resamples / 2:
        raise InsufficientDataError(
            f"In {failed} of {n_resamples} resamples the numbers were undefined; there are too few respondents."
        )
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    acceleration = _accelerations(answers, value, generator) if method == "bca" else np.zeros(len(estimate))
    low, high = np.empty(len(estimate)), np.empty(len(estimate))
    for j, own in enumerate(estimate):
        kept = np.sort(good[:, j])
        shares = _corrected(tails, kept, float(own), float(acceleration[j])) if method == "bca" else tails
        limits = np.quantile(kept, shares)
        low[j], high[j] = min(limits[0], own), max(limits[1], own)
    return low, high, failed


def _drawn(
    answers: FloatArray,
    value: Callable[[FloatArray], FloatArray],
    n_resamples: int,
    generator: np.random.Generator,
    progress: Progress | None,
) -> FloatArray:
    sums = CovarianceSums(answers, value)
    n = len(answers)
    columns = sums.rows(0, n)
    at_once = max(1, min(n_resamples, _CELLS // n))
    parts = []
    for start in range(0, n_resamples, at_once):
        count = min(at_once, n_resamples - start)
        rows = generator.integers(0, n, size=(count, n)) + np.arange(count)[:, None] * n
        weights = np.bincount(rows.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)
        parts.append(sums.values(weights @ columns, np.full(count, float(n))))
        if progress is not None:
            progress(start + count, n_resamples)
    return np.concatenate(parts)


def _accelerations(
    answers: FloatArray, value: Callable[[FloatArray], FloatArray], generator: np.random.Generator
) -> FloatArray:
    """From leaving out one respondent at a time, or one of many random groups of respondents."""
    n = len(answers)
    groups = np.arange(n) if n <= _GROUPS else generator.permutation(n) % _GROUPS
    count = int(groups.max()) + 1
    sums = CovarianceSums(answers, value)
    columns = sums.rows(0, n)
    parts = np.zeros((count, columns.shape[1]))
    np.add.at(parts, groups, columns)
    left = sums.values(parts.sum(axis=0) - parts, n - np.bincount(groups, minlength=count).astype(np.float64))
    left = left[np.isfinite(left).all(axis=1)]
    if not len(left):
        return np.zeros(left.shape[1])
    distance = left.mean(axis=0) - left
    spread = (distance**2).sum(axis=0) ** 1.5
    with np.errstate(divide="ignore", invalid="ignore"):
        result = np.where(spread > 0, (distance**3).sum(axis=0) / (6 * spread), 0.0)
    return np.where(np.isfinite(result), result, 0.0)
