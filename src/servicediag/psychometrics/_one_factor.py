"""Maximum-likelihood fit of one common factor, to one correlation matrix or to many resampled ones at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from servicediag.psychometrics._frames import FloatArray

__all__ = ["OneFactorFit", "fit_one_factor", "fit_one_factor_from_starts"]

_FLOOR = 1e-4  # a uniqueness that falls to here is taken to lie on the boundary, at 0
_TOLERANCE = 1e-10
_ITERATIONS = 200
_LONGEST_STEP = 2.0  # in log uniqueness


@dataclass(frozen=True)
class OneFactorFit:
    """Solutions for B correlation matrices of k items.

    Attributes
    ----------
    loadings, uniquenesses : ndarray, shape (B, k)
        Standardised; the sign is that of the largest sum. NaN where the fit failed.
    heywood : ndarray of bool, shape (B, k)
        Items whose unique variance lies on the boundary of 0.
    objective : ndarray, shape (B,)
        ``ln det(Sigma) + trace(R inverse(Sigma))``, to be minimised.
    converged : ndarray of bool, shape (B,)
    """

    loadings: FloatArray
    uniquenesses: FloatArray
    heywood: npt.NDArray[np.bool_]
    objective: FloatArray
    converged: npt.NDArray[np.bool_]


def fit_one_factor_from_starts(correlation: FloatArray) -> OneFactorFit:
    """The best of several starts for one matrix, shape (k, k); the result has B = 1."""
    k = len(correlation)
    starts = np.stack([_start(correlation), np.full(k, 0.3), np.full(k, 0.7)])
    fit = fit_one_factor(np.broadcast_to(correlation, (len(starts), k, k)), starts)
    # A proper solution is preferred to one on the boundary, then the lower objective.
    rank = np.where(fit.converged, fit.objective, np.inf) + np.where(fit.heywood.any(axis=1), 1e6, 0.0)
    best = int(np.argmin(rank))
    one = slice(best, best + 1)
    return OneFactorFit(
        fit.loadings[one], fit.uniquenesses[one], fit.heywood[one], fit.objective[one], fit.converged[one]
    )


def _start(correlation: FloatArray) -> FloatArray:
    k = len(correlation)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < 1e-8:
        return np.full(k, 0.5)
    inverse_diagonal = (vectors**2 / values).sum(axis=1)
    start: FloatArray = np.clip((1 - 0.5 / k) / inverse_diagonal, 0.005, 0.995)
    return start


def fit_one_factor(correlations: FloatArray, starts: FloatArray) -> OneFactorFit:
    """Newton's method on the logs of the uniquenesses, the loadings being eliminated.

    Parameters
    ----------
    correlations : ndarray, shape (B, k, k)
        At least 3 items. Matrices with undefined entries give NaN.
    starts : ndarray, shape (k,) or (B, k)
        Uniquenesses to start from, 0 to 1.

    Notes
    -----
    For given uniquenesses the best loadings follow from the first eigenvector of the scaled matrix, so only k unknowns
    remain (Lawley & Maxwell 1971; Joreskog 1967). The Hessian is exact; its eigenvalues are taken without sign, so
    that every step descends. Where a uniqueness runs to 0 (Heywood), the solution on the boundary is known in closed
    form: the item is the factor itself.
    """
    count, k = correlations.shape[:2]
    usable = np.isfinite(correlations).all(axis=(1, 2))
    logs = np.log(np.clip(np.broadcast_to(starts, (count, k)), 10 * _FLOOR, 0.999)).copy()
    objective = np.full(count, np.nan)
    converged = np.zeros(count, dtype=bool)
    loadings = np.full((count, k), np.nan)
    active = np.flatnonzero(usable)
    for _ in range(_ITERATIONS):
        if not active.size:
            break
        matrix, x = correlations[active], logs[active]
        value, gradient, hessian, lambdas = _derivatives(matrix, x)
        objective[active], loadings[active] = value, lambdas
        at_floor = (x <= np.log(_FLOOR)) & (gradient > 0)
        at_top = (x >= 0) & (gradient < 0)
        gradient = np.where(at_floor | at_top, 0.0, gradient)
        noise = 1e-15 * np.exp(-x).sum(axis=1)  # of the largest eigenvalue
        done = np.abs(gradient).max(axis=1) < np.maximum(_TOLERANCE, 10 * noise)
        converged[active[done]] = True
        step = _descent(gradient[~done], hessian[~done], (at_floor | at_top)[~done])
        active, x, matrix = active[~done], x[~done], matrix[~done]
        moved = _backtrack(matrix, x, step, value[~done] + 10 * noise[~done], gradient[~done])
        stuck = (moved == x).all(axis=1)  # no progress within rounding: as good as it gets
        converged[active[stuck]] = np.abs(gradient[~done][stuck]).max(axis=1) < 1e-6
        logs[active] = moved
        active = active[~stuck]
    loadings[~converged] = np.nan
    uniquenesses = np.where(converged[:, None], np.exp(logs), np.nan)
    heywood = converged[:, None] & (logs <= np.log(_FLOOR))
    _put_on_boundary(correlations, loadings, uniquenesses, heywood, objective, converged)
    nothing_shared = converged & (objective > k - 1e-12)  # as good without a factor, whose one loading is arbitrary
    loadings[nothing_shared], uniquenesses[nothing_shared], heywood[nothing_shared] = 0.0, 1.0, False
    return OneFactorFit(loadings, uniquenesses, heywood, objective, converged)


def _scaled(matrix: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    half = np.exp(-x / 2)
    values, vectors = np.linalg.eigh(matrix * half[:, :, None] * half[:, None, :])
    return half, values, vectors


def _objective(matrix: FloatArray, x: FloatArray) -> FloatArray:
    half, values, _ = _scaled(matrix, x)
    top = values[:, -1]
    result: FloatArray = x.sum(axis=1) + np.log(top) + 1 + (half**2).sum(axis=1) - top
    return result


def _derivatives(matrix: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Objective, gradient and Hessian in the log uniquenesses, and the loadings they imply."""
    half, values, vectors = _scaled(matrix, x)
    top, rest = values[:, -1], values[:, :-1]
    first, others = vectors[:, :, -1], vectors[:, :, :-1]
    value = x.sum(axis=1) + np.log(top) + 1 + (half**2).sum(axis=1) - top
    lambdas = first * np.sqrt(np.maximum(top - 1, 0))[:, None] / half
    gradient = 1 - half**2 + (top - 1)[:, None] * first**2
    # Second derivative of the largest eigenvalue.
    weights = rest + (top[:, None] + rest) ** 2 / np.maximum(top[:, None] - rest, 1e-12)
    inner = np.einsum("bim,bm,bjm->bij", others, weights, others)
    inner += top[:, None, None] * first[:, :, None] * first[:, None, :]
    second = 0.5 * first[:, :, None] * first[:, None, :] * inner
    diagonal = np.arange(x.shape[1])
    second[:, diagonal, diagonal] += 0.5 * top[:, None] * first**2
    hessian = (1 / top - 1)[:, None, None] * second - (first**2)[:, :, None] * (first**2)[:, None, :]
    hessian[:, diagonal, diagonal] += half**2
    return value, gradient, hessian, lambdas


def _descent(gradient: FloatArray, hessian: FloatArray, held: npt.NDArray[np.bool_]) -> FloatArray:
    free = ~held
    hessian = np.where(free[:, :, None] & free[:, None, :], hessian, 0.0)
    diagonal = np.arange(gradient.shape[1])
    hessian[:, diagonal, diagonal] += held
    values, vectors = np.linalg.eigh(hessian)
    curvature = np.maximum(np.abs(values), 1e-9)
    step = -np.einsum("bim,bm,bjm,bj->bi", vectors, 1 / curvature, vectors, gradient)
    longest = np.abs(step).max(axis=1, keepdims=True)
    result: FloatArray = step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-300))
    return result


def _backtrack(
    matrix: FloatArray, x: FloatArray, step: FloatArray, value: FloatArray, gradient: FloatArray
) -> FloatArray:
    """Shorten each step until the objective falls; ``value`` has room for rounding, in which the last gains drown."""
    moved = x.copy()
    open_ = np.arange(len(x))
    size = 1.0
    slope = (gradient * step).sum(axis=1)
    for _ in range(30):
        if not open_.size:
            break
        candidate = np.clip(x[open_] + size * step[open_], np.log(_FLOOR), 0.0)
        reached = _objective(matrix[open_], candidate)
        good = reached <= value[open_] + 1e-4 * size * slope[open_]
        moved[open_[good]] = candidate[good]
        open_ = open_[~good]
        size /= 2
    return moved


def _put_on_boundary(
    correlations: FloatArray,
    loadings: FloatArray,
    uniquenesses: FloatArray,
    heywood: npt.NDArray[np.bool_],
    objective: FloatArray,
    converged: npt.NDArray[np.bool_],
) -> None:
    """Replace solutions at the floor by the best of those, known exactly, that have one uniqueness at 0."""
    for b in np.flatnonzero(heywood.any(axis=1)):
        best = None
        for j in range(heywood.shape[1]):
            loading = correlations[b, j]
            unique = 1 - loading**2
            others = np.arange(len(loading)) != j
            if (unique[others] > 1e-12).all():
                value = float(np.log(unique[others]).sum()) + len(loading)
                if best is None or value < best[0]:
                    best = (value, j, loading, unique)
        if best is None:
            converged[b] = False
            loadings[b] = uniquenesses[b] = np.nan
            heywood[b] = False
            continue
        objective[b], j, loadings[b], uniquenesses[b] = best
        heywood[b] = np.arange(heywood.shape[1]) == j
        uniquenesses[b, j] = 0.0
