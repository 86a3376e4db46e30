"""Unrotated common factors of a correlation matrix, by least squares (minres) or maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from servicediag.psychometrics._frames import FloatArray

__all__ = [
    "FLOOR",
    "Extraction",
    "ExtractionMethod",
    "extract",
    "one_factor_communalities",
    "squared_multiples",
    "squared_multiples_of_many",
]

ExtractionMethod = Literal["minres", "ml"]
IntArray: TypeAlias = npt.NDArray[np.intp]
_Derivatives: TypeAlias = Callable[[FloatArray, int, FloatArray], tuple[float, FloatArray, FloatArray]]
FLOOR = 0.005  # least unique variance; an item held there is a Heywood case
_ITERATIONS = 200
_TOLERANCE = 1e-9
_SWEEPS, _NEWTON_STEPS = 4, 200  # for many matrices at once
_RANDOM_STARTS, _MORE_STARTS = 3, 24
_SAME = 1e-7  # difference of two objectives that rounding may make


@dataclass(frozen=True)
class Extraction:
    """Unrotated loadings.

    Attributes
    ----------
    loadings : ndarray, shape (k, m)
        Factors in the order of what they explain, each with a sum of at least 0.
    uniquenesses : ndarray, shape (k,)
        0 to 1. Minres: 1 minus the communality; at the floor of the search it may be less than ``FLOOR``.
    heywood : ndarray of bool, shape (k,)
        Items at the floor.
    objective : float
    converged : bool
    n_starts, n_best : int
        Starts of the search, and how many of them ended at this objective; fewer where there are other, worse minima.
    """

    loadings: FloatArray
    uniquenesses: FloatArray
    heywood: npt.NDArray[np.bool_]
    objective: float
    converged: bool
    n_starts: int
    n_best: int


def extract(matrix: FloatArray, n_factors: int, method: ExtractionMethod, *, thorough: bool = False) -> Extraction:
    """The best of two starts: from squared multiple correlations, and from unique variances of one half.

    ``thorough``: of some more, drawn at random with a fixed seed; of many more where these disagree.

    Notes
    -----
    For given uniquenesses the loadings follow from the leading eigenvectors, so that only the k uniquenesses are
    searched (Joreskog 1967, Psychometrika, 32, 443-482; Harman & Jones 1966, Psychometrika, 31, 351-368), here by
    Newton's method with exact second derivatives inside the limits ``FLOOR`` and 1.
    """
    k = len(matrix)
    starts = [np.clip(1 - squared_multiples(matrix), 2 * FLOOR, 1.0), np.full(k, 0.5)]
    derivatives = _minres if method == "minres" else _likelihood
    found = [_minimise(matrix, n_factors, start, derivatives) for start in starts]
    if thorough:
        generator = np.random.default_rng(0)
        for count in (_RANDOM_STARTS, _MORE_STARTS):
            drawn = generator.uniform(0.1, 0.9, (count, k))
            found += [_minimise(matrix, n_factors, start, derivatives) for start in drawn]
            if _n_best(found) == len(found):
                break
    best = min(found, key=lambda one: (not one[2], one[1]))
    # Of two equally good solutions the first start's is kept, so that rounding does not choose.
    if found[0][2] and found[0][1] <= best[1] + 1e-10:
        best = found[0]
    psi, objective, converged = best
    loadings = _loadings(matrix, n_factors, psi, method)
    unique = psi if method == "ml" else np.clip(1 - (loadings**2).sum(axis=1), 0.0, 1.0)
    return Extraction(
        loadings=loadings,
        uniquenesses=unique,
        heywood=psi <= FLOOR * (1 + 1e-9),
        objective=objective,
        converged=converged,
        n_starts=len(found),
        n_best=_n_best(found),
    )


def _n_best(found: Sequence[tuple[FloatArray, float, bool]]) -> int:
    least = min(objective for _, objective, _ in found)
    return sum(objective <= least + _SAME for _, objective, _ in found)


def squared_multiples(matrix: FloatArray) -> FloatArray:
    """Squared multiple correlation of each item with the others; the largest correlation squared where singular."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] > 1e-10:
        result: FloatArray = 1 - 1 / (vectors**2 / values).sum(axis=1)
        return result
    off = matrix - np.diag(np.diag(matrix))
    return np.asarray(np.clip(np.abs(off).max(axis=0) ** 2, 0.0, 0.99))


def _loadings(matrix: FloatArray, m: int, psi: FloatArray, method: ExtractionMethod) -> FloatArray:
    if method == "minres":
        values, vectors = np.linalg.eigh(matrix - np.diag(psi))
        loadings = vectors[:, ::-1][:, :m] * np.sqrt(np.maximum(values[::-1][:m], 0.0))
    else:
        half = np.sqrt(psi)
        values, vectors = np.linalg.eigh(matrix / np.outer(half, half))
        loadings = half[:, None] * vectors[:, ::-1][:, :m] * np.sqrt(np.maximum(values[::-1][:m] - 1, 0.0))
    loadings = loadings[:, np.argsort(-(loadings**2).sum(axis=0), kind="stable")]
    return np.asarray(loadings * np.where(loadings.sum(axis=0) < 0, -1.0, 1.0))


# ------------------------------------------------------------------------------------------------------- objectives


def _minres(matrix: FloatArray, m: int, psi: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Half the sum of squared residuals, its gradient and Hessian in the uniquenesses."""
    values, vectors = np.linalg.eigh(matrix - np.diag(psi))
    values, vectors = values[::-1], vectors[:, ::-1]
    top, rest = np.maximum(values[:m], 0.0), values[m:]
    lead, trail = vectors[:, :m], vectors[:, m:]
    objective = 0.5 * float((rest**2).sum()) + 0.5 * float((np.minimum(values[:m], 0.0) ** 2).sum())
    gradient = -(trail**2) @ rest
    hessian = (trail @ trail.T) ** 2
    for s in range(m):
        weights = rest / np.minimum(rest - top[s], -1e-8)
        hessian += 2 * np.outer(lead[:, s], lead[:, s]) * ((trail * weights) @ trail.T)
    return objective, gradient, hessian


def _likelihood(matrix: FloatArray, m: int, psi: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """The likelihood discrepancy, its gradient and Hessian in the uniquenesses."""
    half = np.sqrt(psi)
    values, vectors = np.linalg.eigh(matrix / np.outer(half, half))
    values, vectors = np.maximum(values[::-1], 1e-14), vectors[:, ::-1]
    top, rest = values[:m], values[m:]
    lead, trail = vectors[:, :m], vectors[:, m:]
    objective = float((rest - np.log(rest) - 1).sum())
    weak = top < 1  # such a factor explains nothing at these uniquenesses
    objective += float((top[weak] - np.log(top[weak]) - 1).sum())
    logs = (trail**2) @ (1 - rest)
    hessian = ((trail * rest) @ trail.T) * (trail @ trail.T)
    for s in range(m):
        weights = (1 - rest) * (rest + top[s]) / np.maximum(top[s] - rest, 1e-8)
        hessian += np.outer(lead[:, s], lead[:, s]) * ((trail * weights) @ trail.T)
    # From derivatives in the logs of the uniquenesses to those in the uniquenesses.
    hessian = hessian / np.outer(psi, psi) - np.diag(logs / psi**2)
    return objective, logs / psi, hessian


def _minimise(
    matrix: FloatArray,
    m: int,
    start: FloatArray,
    derivatives: _Derivatives,
) -> tuple[FloatArray, float, bool]:
    """Newton's method with eigenvalues taken without sign, a trust in short steps, and items held at their limits."""
    psi = start.copy()
    value, gradient, hessian = derivatives(matrix, m, psi)
    damping = 0.0
    for _ in range(_ITERATIONS):
        held = ((psi <= FLOOR) & (gradient > 0)) | ((psi >= 1) & (gradient < 0))
        free = ~held
        if not free.any() or np.abs(gradient[free] * psi[free]).max() < _TOLERANCE:
            return psi, value, True
        curvature, axes = np.linalg.eigh(hessian[np.ix_(free, free)])
        scale = np.maximum(np.abs(curvature), 1e-8 * max(1.0, float(np.abs(curvature).max()))) + damping
        direction = np.zeros_like(psi)
        direction[free] = -axes @ ((axes.T @ gradient[free]) / scale)
        size = min(1.0, 0.5 / max(float(np.abs(direction).max()), 1e-300))
        moved = False
        for _ in range(40):
            there = np.clip(psi + size * direction, FLOOR, 1.0)
            reached = derivatives(matrix, m, there)
            if reached[0] < value - 1e-6 * abs(float(gradient @ (there - psi))) or (
                reached[0] <= value + 1e-15 and np.abs(reached[1]).max() < np.abs(gradient).max()
            ):
                moved = True
                break
            size /= 2
        if not moved:
            if damping > 0 or np.abs(gradient[free] * psi[free]).max() < 1e-7:
                return psi, value, bool(np.abs(gradient[free] * psi[free]).max() < 1e-6)
            damping = float(np.abs(curvature).max())
            continue
        damping = 0.0
        psi, (value, gradient, hessian) = there, reached
    return psi, value, False


# ------------------------------------------------------------------------------------------ many matrices, one factor


def one_factor_communalities(matrices: FloatArray, *, tolerance: float = 1e-7, at_most: int = 2000) -> FloatArray:
    """Communalities of one minres factor for B correlation matrices, shape (B, k); at most ``1 - FLOOR``.

    Notes
    -----
    It starts from the leading eigenvector of the matrix with squared multiple correlations on its diagonal. A few
    sweeps, in which each loading in turn is set to what fits best given the others (Harman & Jones 1966), come before
    Newton's method; matrices for which that finds no minimum inside the limits are swept on.
    """
    reduced = matrices.copy()
    place = np.arange(matrices.shape[1])
    reduced[:, place, place] = squared_multiples_of_many(matrices)
    loadings = _leading(reduced)
    active = _sweep(matrices, loadings, np.arange(len(matrices)), tolerance, _SWEEPS)
    active = _newton(matrices, loadings, active, tolerance)
    _sweep(matrices, loadings, active, tolerance, at_most)
    return np.asarray(loadings**2)


def _sweep(matrices: FloatArray, loadings: FloatArray, active: IntArray, tolerance: float, at_most: int) -> IntArray:
    """Improve the loadings in place; returns the numbers of those that still moved."""
    limit = np.sqrt(1 - FLOOR)
    for _ in range(at_most):
        if not active.size:
            break
        current, matrix = loadings[active], matrices[active]
        before = current.copy()
        total = (current**2).sum(axis=1)
        for j in range(matrices.shape[1]):
            own = current[:, j]
            rest = np.maximum(total - own**2, 1e-12)
            new = np.clip((np.einsum("bi,bi->b", matrix[:, j], current) - own) / rest, -limit, limit)
            total = total - own**2 + new**2
            current[:, j] = new
        loadings[active] = current
        active = active[np.abs(current - before).max(axis=1) > tolerance]
    return active


def _newton(matrices: FloatArray, loadings: FloatArray, active: IntArray, tolerance: float) -> IntArray:
    """Improve the loadings in place, damped where a step does not help; returns the numbers of those that still moved.

    Loadings at a limit that want beyond it are held there.
    """
    limit = np.sqrt(1 - FLOOR)
    place = np.arange(matrices.shape[1])
    misfit, damping = _misfit(matrices[active], loadings[active]), np.zeros(len(active))
    for _ in range(_NEWTON_STEPS):
        if not active.size:
            break
        current, matrix = loadings[active], matrices[active]
        squares = current**2
        total = squares.sum(axis=1, keepdims=True)
        gradient = current * (total - squares + 1) - (matrix @ current[:, :, None])[:, :, 0]
        held = (np.abs(current) >= limit) & (gradient * current < 0)
        hessian = 2 * current[:, :, None] * current[:, None, :] - matrix
        hessian[:, place, place] = total - squares + damping[:, None] + 1e-12
        if held.any():
            gradient[held] = 0.0
            free = 1.0 - held
            hessian *= free[:, :, None] * free[:, None, :]
            hessian[:, place, place] += held
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        there = np.clip(current - step, -limit, limit)
        reached = _misfit(matrix, there)
        good = (reached <= misfit + 1e-12 * (1 + np.abs(misfit))) & ((step * gradient).sum(axis=1) >= 0)
        loadings[active[good]] = there[good]
        misfit = np.where(good, reached, misfit)
        moving = ~good | (np.abs(there - current).max(axis=1) > tolerance) | (damping > 1e-3 * total[:, 0])
        damping = np.where(good, damping / 10, np.maximum(10 * damping, 0.1 * total[:, 0]))
        active, misfit, damping = active[moving], misfit[moving], damping[moving]
    return active


def _misfit(matrices: FloatArray, loadings: FloatArray) -> FloatArray:
    """Sum of squared correlations that one factor leaves, less what no loading changes."""
    squares = loadings**2
    common = np.einsum("bi,bij,bj->b", loadings, matrices, loadings, optimize=True) - squares.sum(axis=1)
    result: FloatArray = squares.sum(axis=1) ** 2 - (squares**2).sum(axis=1) - 2 * common
    return result


def _leading(matrices: FloatArray) -> FloatArray:
    """The first eigenvector times the root of its eigenvalue; for many matrices by powers, which a start allows."""
    count, k = matrices.shape[:2]
    if count <= 50:
        values, vectors = np.linalg.eigh(matrices)
        return np.asarray(vectors[:, :, -1] * np.sqrt(np.maximum(values[:, -1:], 1e-6)))
    positive = matrices + np.eye(k)  # no negative eigenvalue may lead
    for _ in range(5):
        positive = positive @ positive
        positive /= np.trace(positive, axis1=1, axis2=2)[:, None, None]
    at = np.diagonal(positive, axis1=1, axis2=2).argmax(axis=1)
    vector = positive[np.arange(count), :, at]
    vector /= np.sqrt((vector**2).sum(axis=1, keepdims=True))
    value = np.einsum("bi,bij,bj->b", vector, matrices, vector, optimize=True)
    return np.asarray(vector * np.sqrt(np.maximum(value, 1e-6))[:, None])


def squared_multiples_of_many(matrices: FloatArray) -> FloatArray:
    """Squared multiple correlations of the items of B matrices, shape (B, k), kept from 0 to ``1 - FLOOR``."""
    place = np.arange(matrices.shape[1])
    nearly = matrices.copy()
    nearly[:, place, place] += 1e-10  # a singular matrix stays within reach
    inverse = np.diagonal(np.linalg.inv(nearly), axis1=1, axis2=2)
    with np.errstate(divide="ignore"):
        shared = 1 - 1 / inverse
    return np.asarray(np.clip(np.where(inverse > 0, shared, 1 - FLOOR), 0.0, 1 - FLOOR))
