"""Rotations of factor loadings: varimax, promax and oblimin, with or without Kaiser's normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from servicediag.psychometrics._frames import FloatArray

__all__ = ["Normalization", "Rotated", "RotationMethod", "rotate"]

RotationMethod = Literal["oblimin", "varimax", "promax", "none"]
Normalization = Literal["kaiser", "none"]
_POWER = 4  # of promax


@dataclass(frozen=True)
class Rotated:
    """Rotated loadings (the pattern), the correlations of the factors, and whether the search came to rest."""

    loadings: FloatArray
    factor_correlations: FloatArray
    converged: bool
    criterion: float


def rotate(
    loadings: FloatArray,
    rotation: RotationMethod,
    normalization: Normalization,
    *,
    n_starts: int = 1,
    seed: int = 0,
) -> Rotated:
    """Rotate; factors in the order of the variance they explain, each with loadings that sum to at least 0."""
    m = loadings.shape[1]
    if rotation == "none" or m == 1:
        return Rotated(loadings, np.eye(m), True, float("nan"))
    lengths = np.ones(len(loadings))
    if normalization == "kaiser":
        lengths = np.sqrt((loadings**2).sum(axis=1))
        lengths = np.where(lengths > 0, lengths, 1.0)
    scaled = loadings / lengths[:, None]
    if rotation == "oblimin":
        pattern, phi, converged, criterion = _oblimin(scaled, n_starts, seed)
        return _in_order(pattern * lengths[:, None], phi, converged, criterion)
    turned, converged = _varimax(scaled)
    turned = turned * lengths[:, None]
    if rotation == "varimax":
        return _in_order(turned, np.eye(m), converged, _varimax_criterion(turned / lengths[:, None]))
    pattern, phi = _promax(turned)
    return _in_order(pattern, phi, converged, float("nan"))


def _in_order(pattern: FloatArray, phi: FloatArray, converged: bool, criterion: float) -> Rotated:
    explained = np.diag(phi @ pattern.T @ pattern)
    order = np.argsort(-explained, kind="stable")
    signs = np.where(pattern.sum(axis=0) < 0, -1.0, 1.0)
    pattern = (pattern * signs)[:, order]
    phi = (phi * np.outer(signs, signs))[np.ix_(order, order)]
    np.fill_diagonal(phi, 1.0)
    return Rotated(pattern, phi, converged, criterion)


def _varimax_criterion(loadings: FloatArray) -> float:
    squares = loadings**2
    return float((squares.var(axis=0)).sum())


def _varimax(loadings: FloatArray) -> tuple[FloatArray, bool]:
    """Pairs of factors are turned by the best angle until none turns any more (Kaiser 1958, Psychometrika, 23)."""
    turned = loadings.copy()
    k, m = turned.shape
    for _ in range(1000):
        largest = 0.0
        for i in range(m - 1):
            for j in range(i + 1, m):
                x, y = turned[:, i], turned[:, j]
                u, v = x * x - y * y, 2 * x * y
                numerator = 2 * float(u @ v) - 2 * float(u.sum() * v.sum()) / k
                denominator = float(u @ u - v @ v) - float(u.sum() ** 2 - v.sum() ** 2) / k
                if abs(numerator) + abs(denominator) < 1e-14:
                    continue
                angle = np.arctan2(numerator, denominator) / 4
                cosine, sine = np.cos(angle), np.sin(angle)
                turned[:, i], turned[:, j] = x * cosine + y * sine, y * cosine - x * sine
                largest = max(largest, abs(float(angle)))
        if largest < 1e-10:
            return turned, True
    return turned, False


def _promax(turned: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Regression on the varimax loadings raised to a power (Hendrickson & White 1964)."""
    target = turned * np.abs(turned) ** (_POWER - 1)
    transform = np.linalg.lstsq(turned, target, rcond=None)[0]
    inverse = np.linalg.pinv(transform)
    transform = transform * np.sqrt(np.diag(inverse @ inverse.T))
    inverse = np.linalg.pinv(transform)
    return turned @ transform, inverse @ inverse.T


# ------------------------------------------------------------------------------------------------------------ oblimin


def _oblimin(loadings: FloatArray, n_starts: int, seed: int) -> tuple[FloatArray, FloatArray, bool, float]:
    """Direct oblimin with gamma 0 (quartimin), from the unrotated factors, from varimax and, if wanted, random ones.

    Unrotated factors can lie on a saddle of the criterion, where the search would rest at once.
    """
    m = loadings.shape[1]
    generator = np.random.default_rng(seed)
    turned = np.linalg.lstsq(loadings, _varimax(loadings)[0], rcond=None)[0]
    starts = [np.linalg.qr(turned)[0], *(np.linalg.qr(generator.normal(size=(m, m)))[0] for _ in range(n_starts - 1))]
    best = _project(loadings, np.eye(m))
    for start in starts:
        other = _project(loadings, start)
        if other[2] >= best[2] and (other[2] > best[2] or other[3] < best[3] - 1e-8):
            best = other
    return best


def _project(loadings: FloatArray, start: FloatArray) -> tuple[FloatArray, FloatArray, bool, float]:
    """Gradient projection on matrices with columns of length 1 (Jennrich 2002, Psychometrika, 67, 7-20)."""
    axes = start
    pattern = loadings @ np.linalg.inv(axes).T
    value, slope = _quartimin(pattern)
    step, converged = 1.0, False
    for _ in range(5000):
        inverse = np.linalg.inv(axes)
        gradient = -(pattern.T @ slope @ inverse).T
        projected = gradient - axes * (axes * gradient).sum(axis=0)
        size = float(np.sqrt((projected**2).sum()))
        if size < 1e-7:
            converged = True
            break
        step *= 2
        for _ in range(60):
            there = axes - step * projected
            there = there / np.sqrt((there**2).sum(axis=0))
            candidate = loadings @ np.linalg.inv(there).T
            reached, new_slope = _quartimin(candidate)
            if value - reached > 0.5 * size**2 * step:
                break
            step /= 2
        else:
            converged = size < 1e-5
            break
        axes, pattern, value, slope = there, candidate, reached, new_slope
    return pattern, axes.T @ axes, converged, value


def _quartimin(pattern: FloatArray) -> tuple[float, FloatArray]:
    squares = pattern**2
    others = squares.sum(axis=1, keepdims=True) - squares
    return float((squares * others).sum()) / 4, pattern * others
