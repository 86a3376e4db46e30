"""Maximum-likelihood correlations of many two-way tables at once, their thresholds given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from servicediag.psychometrics._bivariate_normal import bivariate_cdf, bivariate_density
from servicediag.psychometrics._frames import FloatArray

__all__ = [
    "PAD",
    "PairFit",
    "cell_influence",
    "cell_probabilities",
    "influence_variance",
    "solve_pairs",
    "thresholds_of",
]

PAD = 20.0  # stands for an infinite threshold
_LIMIT = 1 - 1e-6
_LEAST = 1e-14  # probabilities below this are rounding
_CELLS = 400_000  # cells handled at a time


@dataclass(frozen=True)
class PairFit:
    """Correlations of P tables, and whether each was found, or runs to -1 or 1."""

    rho: FloatArray
    converged: npt.NDArray[np.bool_]
    at_limit: npt.NDArray[np.bool_]


def solve_pairs(
    tables: FloatArray, first: FloatArray, second: FloatArray, starts: FloatArray, *, tolerance: float = 1e-10
) -> PairFit:
    """Fisher scoring, kept within a bracket that the sign of the score narrows.

    Parameters
    ----------
    tables : ndarray, shape (P, K, K)
        Counts; unused categories at the end are empty.
    first, second : ndarray, shape (P, K - 1)
        Thresholds of the row and of the column variable, ``PAD`` where there are fewer.
    starts : ndarray, shape (P,)
    """
    count, k = tables.shape[:2]
    rho, converged = np.empty(count), np.empty(count, dtype=bool)
    step = max(1, _CELLS // (k * k))
    for at in range(0, count, step):
        part = slice(at, at + step)
        rho[part], converged[part] = _solve(tables[part], first[part], second[part], starts[part], tolerance)
    _move_to_limit(tables, first, second, rho)
    return PairFit(rho, converged, np.abs(rho) >= _LIMIT - 1e-9)


def _move_to_limit(tables: FloatArray, first: FloatArray, second: FloatArray, rho: FloatArray) -> None:
    """Where the likelihood still rises towards -1 or 1, however little, the correlation lies there."""
    strong = np.flatnonzero(np.abs(rho) > 0.8)
    if not strong.size:
        return
    own, thresholds = tables[strong], (first[strong], second[strong])
    limit = np.sign(rho[strong]) * _LIMIT
    here = (own * np.log(cell_probabilities(*thresholds, rho[strong])[0])).sum(axis=(1, 2))
    there = (own * np.log(cell_probabilities(*thresholds, limit)[0])).sum(axis=(1, 2))
    flat = there >= here - 1e-9 * np.abs(here)
    rho[strong[flat]] = limit[flat]


def _solve(
    tables: FloatArray, first: FloatArray, second: FloatArray, starts: FloatArray, tolerance: float
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    rho = np.clip(starts, -0.95, 0.95)
    low, high = np.full(len(rho), -_LIMIT), np.full(len(rho), _LIMIT)
    converged = np.zeros(len(rho), dtype=bool)
    active = np.arange(len(rho))
    for _ in range(100):
        if not active.size:
            break
        value = rho[active]
        probability, slope = cell_probabilities(first[active], second[active], value)
        ratio = slope / probability
        score = (tables[active] * ratio).sum(axis=(1, 2))
        size = tables[active].sum(axis=(1, 2))
        information = size * (slope * ratio).sum(axis=(1, 2))
        low[active] = np.where(score > 0, value, low[active])
        high[active] = np.where(score < 0, value, high[active])
        move = score / np.maximum(information, 1e-300)
        there = value + move
        arrived = np.abs(move) < tolerance  # also where rounding puts the last step on the bracket's edge
        inside = (there > low[active]) & (there < high[active])
        outside = np.where(arrived, np.clip(there, low[active], high[active]), (low[active] + high[active]) / 2)
        there = np.where(inside, there, outside)
        done = arrived | (np.abs(there - value) < tolerance / 10)
        rho[active] = np.where(np.abs(there - value) < 0.5, there, value + 0.5 * np.sign(there - value))
        converged[active[done]] = True
        active = active[~done]
    return rho, converged


def cell_probabilities(first: FloatArray, second: FloatArray, rho: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probability of every cell, and its derivative in the correlation, shape (P, K, K)."""
    from scipy.special import ndtr

    count, inner = first.shape
    x, y, r = first[:, :, None], second[:, None, :], rho[:, None, None]
    joint = np.zeros((count, inner + 2, inner + 2))
    joint[:, 1:-1, 1:-1] = bivariate_cdf(x, y, r)
    joint[:, 1:-1, -1] = ndtr(first)
    joint[:, -1, 1:-1] = ndtr(second)
    joint[:, -1, -1] = 1.0
    density = np.zeros_like(joint)
    density[:, 1:-1, 1:-1] = bivariate_density(x, y, r)
    return np.maximum(_differences(joint), _LEAST), _differences(density)


def _differences(corners: FloatArray) -> FloatArray:
    result: FloatArray = corners[:, 1:, 1:] - corners[:, :-1, 1:] - corners[:, 1:, :-1] + corners[:, :-1, :-1]
    return result


def influence_variance(
    tables: FloatArray, first: FloatArray, second: FloatArray, rho: FloatArray, *, expected: bool
) -> FloatArray:
    """Asymptotic variance of each two-step correlation, thresholds estimated too, shape (P,)."""
    influence = cell_influence(tables, first, second, rho, expected=expected)
    # at a correlation of nearly 1 the information is 0, and the variance has no bound
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result: FloatArray = (tables * influence**2).sum(axis=(1, 2)) / tables.sum(axis=(1, 2)) ** 2
    return result


def cell_influence(
    tables: FloatArray, first: FloatArray, second: FloatArray, rho: FloatArray, *, expected: bool
) -> FloatArray:
    """What one more respondent in a cell does to the two-step correlation, times n, shape (P, K, K).

    Notes
    -----
    The score for the correlation minus what the thresholds' own errors add to it, over the information; its mean
    square over the observed cells is the variance times n (Olsson 1979, Psychometrika, 44, 443-460). The information
    is the expected one, or the mean product of the observed scores (Muthen 1984, Psychometrika, 49, 115-132), which
    the usual weights of categorical factor analysis rest on but which strays more where the normal variables fit badly.
    """
    size = tables.sum(axis=(1, 2))
    observed = tables / size[:, None, None]
    probability, slope = cell_probabilities(first, second, rho)
    score = slope / probability
    share = probability if expected else observed
    information = (share * score**2).sum(axis=(1, 2))
    weighted = score * share / probability
    rows = _threshold_part(weighted, first, second, rho)
    columns = _threshold_part(weighted.transpose(0, 2, 1), second, first, rho)
    rows -= (observed.sum(axis=2) * rows).sum(axis=1, keepdims=True)  # errors of the thresholds average to 0
    columns -= (observed.sum(axis=1) * columns).sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: FloatArray = (score - rows[:, :, None] - columns[:, None, :]) / information[:, None, None]
    return result


def _threshold_part(score: FloatArray, own: FloatArray, other: FloatArray, rho: FloatArray) -> FloatArray:
    """What the errors of one variable's thresholds add to the score, for a respondent in each of its categories."""
    from scipy.special import ndtr

    count, inner = own.shape
    rest = np.sqrt(1 - rho**2)[:, None, None]
    edges = np.empty((count, inner, inner + 2))
    edges[:, :, 0], edges[:, :, -1] = 0.0, 1.0
    edges[:, :, 1:-1] = ndtr((other[:, None, :] - rho[:, None, None] * own[:, :, None]) / rest)
    weights = np.diff(edges, axis=2)
    change = ((score[:, :-1] - score[:, 1:]) * weights).sum(axis=2)
    change[own >= PAD] = 0.0
    # Category a lies below or at threshold j for every j >= a.
    below = np.cumsum(change[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([below, np.zeros((count, 1))], axis=1)


def thresholds_of(counts: FloatArray) -> FloatArray:
    """Standard normal thresholds of category counts, shape (..., K) -> (..., K - 1); ``PAD`` past the last category."""
    from scipy.special import ndtri

    share = np.cumsum(counts, axis=-1)[..., :-1] / counts.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        result: FloatArray = np.where(share >= 1 - 1e-15, PAD, ndtri(np.minimum(share, 1 - 1e-16)))
    return np.where(result == -math.inf, -PAD, result)
