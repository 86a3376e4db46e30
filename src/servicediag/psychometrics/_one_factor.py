"""Maximum-likelihood fit of one common factor, to one correlation matrix or to many resampled ones at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from servicediag.psychometrics._frames import FloatArray

__all__ = ["OneFactorFit", "fit_one_factor", "fit_one_factor_from_starts", "refine_one_factor"]

_FLOOR = 1e-4  # a uniqueness that falls to here is taken to lie on the boundary, at 0
_TOLERANCE = 1e-10
_ITERATIONS = 200
_POLISHING = 12  # steps
_ROUNDING = 1e-13  # relative length of a step that is nothing but rounding
_LONGEST_STEP = 2.0  # in log uniqueness
_NOTHING = 1e-12  # a correlation that small is 0 but for rounding
_TIE = 1e-11  # objectives that close are equal but for rounding


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
    that every step descends; plain Newton steps finish, until rounding alone is left. Where a uniqueness runs to 0
    (Heywood), the solution on the boundary is known in closed form: the item is the factor itself. Three items are
    solved in closed form throughout.
    """
    count, k = correlations.shape[:2]
    if k == 3:
        return _fit_three(correlations)
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
    heywood = converged[:, None] & (logs <= np.log(_FLOOR))
    inside = np.flatnonzero(converged & ~heywood.any(axis=1))
    loadings[~converged] = np.nan
    uniquenesses = np.where(converged[:, None], np.exp(logs), np.nan)
    loadings[inside], uniquenesses[inside], _ = refine_one_factor(
        correlations[inside], loadings[inside], uniquenesses[inside]
    )
    _put_on_boundary(correlations, loadings, uniquenesses, heywood, objective, converged)
    nothing_shared = converged & (objective > k - 1e-12)  # as good without a factor, whose one loading is arbitrary
    loadings[nothing_shared], uniquenesses[nothing_shared], heywood[nothing_shared] = 0.0, 1.0, False
    return OneFactorFit(loadings, uniquenesses, heywood, objective, converged)


def _scaled(matrix: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    half = np.exp(-x / 2)
    values, vectors = np.linalg.eigh(matrix * half[:, :, None] * half[:, None, :])
    return half, values, vectors


def _solution(matrix: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Objective at the log uniquenesses, and the loadings they imply."""
    half, values, vectors = _scaled(matrix, x)
    top = values[:, -1]
    value = x.sum(axis=1) + np.log(top) + 1 + (half**2).sum(axis=1) - top
    return value, vectors[:, :, -1] * np.sqrt(np.maximum(top - 1, 0))[:, None] / half


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
        reached, _ = _solution(matrix[open_], candidate)
        good = reached <= value[open_] + 1e-4 * size * slope[open_]
        moved[open_[good]] = candidate[good]
        open_ = open_[~good]
        size /= 2
    return moved


def refine_one_factor(
    correlations: FloatArray, loadings: FloatArray, uniquenesses: FloatArray
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Newton steps in loadings and uniquenesses from a solution close by, down to rounding.

    Parameters
    ----------
    correlations : ndarray, shape (B, k, k)
    loadings, uniquenesses : ndarray, shape (B, k)
        Close to a minimum that has no uniqueness at 0.

    Returns
    -------
    loadings, uniquenesses : ndarray, shape (B, k)
    settled : ndarray of bool, shape (B,)
        Whether the steps shrank to rounding at proper values. Where not, the values are those of the start.

    Notes
    -----
    The gradient is precise where differences of the objective drown in rounding, so this ends closer to the minimum
    than any search by the objective. No eigenvalues are needed, which makes it the fast way, too.
    """
    k = correlations.shape[1]
    start = np.concatenate([loadings, uniquenesses], axis=1)
    solution, settled = start.copy(), np.zeros(len(start), dtype=bool)
    active = np.flatnonzero(np.isfinite(start).all(axis=1) & (uniquenesses > _FLOOR).all(axis=1))
    before = np.full(len(active), np.inf)
    for _ in range(_POLISHING):
        if not active.size:
            break
        at = solution[active]
        gradient, hessian = _full_derivatives(correlations[active], at[:, :k], at[:, k:])
        try:
            step = -np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            break
        length = np.abs(step / np.maximum(np.abs(at), 0.1)).max(axis=1)
        moved = at + step
        near = (length < np.minimum(before, 1.0)) & (moved[:, k:] > _FLOOR).all(axis=1)
        at_rounding = (length < _ROUNDING) | (~near & (before < _ROUNDING * 1e4))
        settled[active[at_rounding]] = True
        going = near & ~at_rounding
        active, before = active[going], length[going]
        solution[active] = moved[going]
    solution[~settled] = start[~settled]
    return solution[:, :k], solution[:, k:], settled


def _full_derivatives(
    correlations: FloatArray, loadings: FloatArray, uniquenesses: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gradient (B, 2k) and Hessian (B, 2k, 2k) of ln det(Sigma) + trace(R inverse(Sigma)) in loadings, uniquenesses."""
    k = loadings.shape[1]
    scaled = loadings / uniquenesses
    precision = -scaled[:, :, None] * scaled[:, None, :] / (1 + (loadings * scaled).sum(axis=1))[:, None, None]
    diagonal = np.arange(k)
    precision[:, diagonal, diagonal] += 1 / uniquenesses
    sample = precision @ correlations @ precision
    by_model = (precision @ loadings[:, :, None])[:, :, 0]
    by_sample = (sample @ loadings[:, :, None])[:, :, 0]
    difference = precision - sample
    gradient = np.concatenate([2 * (by_model - by_sample), difference[:, diagonal, diagonal]], axis=1)
    across = by_sample[:, :, None] * by_model[:, None, :]
    hessian = np.empty((len(loadings), 2 * k, 2 * k))
    within_model = (loadings * by_model).sum(axis=1)[:, None, None]
    within_sample = (loadings * by_sample).sum(axis=1)[:, None, None]
    corner = across + across.transpose(0, 2, 1) - by_model[:, :, None] * by_model[:, None, :]
    corner += difference * (1 - within_model) + within_sample * precision
    mixed = 2 * (precision * by_sample[:, None, :] - difference * by_model[:, None, :])
    hessian[:, :k, :k] = 2 * corner
    hessian[:, :k, k:] = mixed
    hessian[:, k:, :k] = mixed.transpose(0, 2, 1)
    hessian[:, k:, k:] = (2 * sample - precision) * precision
    return gradient, hessian


def _fit_three(correlations: FloatArray) -> OneFactorFit:
    """Three items are just identified: the factor fits exactly, or the best solution lies on the boundary."""
    usable: npt.NDArray[np.bool_] = np.asarray(np.isfinite(correlations).all(axis=(1, 2)))
    pairs = np.stack([correlations[:, 1, 2], correlations[:, 0, 2], correlations[:, 0, 1]], axis=1)  # opposite items
    pairs = np.where(np.abs(pairs) < _NOTHING, 0.0, pairs)
    with np.errstate(all="ignore"):
        communality = pairs[:, [1, 0, 0]] * pairs[:, [2, 2, 1]] / pairs
        determinant = 1 - (pairs**2).sum(axis=1) + 2 * pairs.prod(axis=1)
        inside = (communality > 0) & (communality < 1 - _NOTHING)
        exact = np.logical_and(usable, inside.all(axis=1))
        signs = np.where(pairs < 0, -1.0, 1.0)
        loadings = np.where(exact[:, None], np.sqrt(communality) * signs, np.nan)
        objective = np.where(exact, np.log(determinant) + 3, np.nan)
    uniquenesses = 1 - loadings**2
    converged: npt.NDArray[np.bool_] = usable.copy()
    heywood: npt.NDArray[np.bool_] = np.repeat((usable & ~exact)[:, None], 3, axis=1)
    for b in np.flatnonzero(heywood[:, 0] & ((pairs == 0).sum(axis=1) >= 2)):
        # One pair shares something, or none: loadings of equal size are the smallest of those that fit equally well.
        shared = pairs[b].sum()
        of_pair = (pairs[b] == 0) & (shared != 0)
        converged[b], heywood[b] = abs(shared) < 1, False
        if converged[b]:
            loadings[b] = np.where(of_pair, np.sqrt(abs(shared)), 0.0)
            loadings[b, np.argmax(of_pair)] *= np.sign(shared)
            uniquenesses[b] = 1 - loadings[b] ** 2
            objective[b] = 3 + np.log1p(-(shared**2))
    _put_on_boundary(correlations, loadings, uniquenesses, heywood, objective, converged)
    return OneFactorFit(loadings, uniquenesses, heywood, objective, converged)


def _put_on_boundary(
    correlations: FloatArray,
    loadings: FloatArray,
    uniquenesses: FloatArray,
    heywood: npt.NDArray[np.bool_],
    objective: FloatArray,
    converged: npt.NDArray[np.bool_],
) -> None:
    """Replace solutions at the floor by the best of those, known exactly, that have one uniqueness at 0."""
    rows = np.flatnonzero(heywood.any(axis=1))
    unique = 1 - correlations[rows] ** 2  # at [b, j]: of every item, if item j is the factor
    diagonal = np.arange(correlations.shape[1])
    unique[:, diagonal, diagonal] = 1.0
    possible = np.asarray((unique > 1e-12).all(axis=2), dtype=np.bool_)
    value = np.where(possible, np.log(np.where(possible[:, :, None], unique, 1.0)).sum(axis=2), np.inf)
    # Of equally good ones the one with the largest sum, whatever the order of the items.
    tied = value <= value.min(axis=1, keepdims=True) + _TIE
    best = np.where(tied, np.abs(correlations[rows].sum(axis=2)), -np.inf).argmax(axis=1)
    at = np.arange(len(rows))
    found = possible[at, best]
    converged[rows] = found
    objective[rows] = np.where(found, value[at, best] + len(diagonal), np.nan)
    loadings[rows] = np.where(found[:, None], correlations[rows, best], np.nan)
    heywood[rows] = found[:, None] & (diagonal == best[:, None])
    uniquenesses[rows] = np.where(found[:, None], np.where(heywood[rows], 0.0, unique[at, best]), np.nan)
