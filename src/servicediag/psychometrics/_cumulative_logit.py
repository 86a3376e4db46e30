"""Maximum-likelihood fit of the cumulative logit model to counts of ordered categories."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from servicediag.psychometrics._frames import FloatArray

__all__ = ["CumulativeLogit", "category_derivatives", "category_probabilities", "fit_cumulative_logit"]

_LEAST = 1e-300


@dataclass(frozen=True)
class CumulativeLogit:
    """``logit P(Y >= c) = intercept_c + x * slopes``, for every category c but the lowest.

    Attributes
    ----------
    intercepts : ndarray, shape (K - 1,), descending
    slopes : ndarray, shape (p,)
    log_likelihood : float
    converged : bool
        False also where the likelihood has no maximum (complete separation).
    """

    intercepts: FloatArray
    slopes: FloatArray
    log_likelihood: float
    converged: bool


def category_probabilities(predictor: FloatArray, intercepts: FloatArray) -> FloatArray:
    """Probability of each category, shape (..., K), for linear predictors of shape (...,)."""
    from scipy.special import expit

    eta = predictor[..., None] + intercepts
    inner = expit(eta[..., :-1]) * expit(-eta[..., 1:]) * -np.expm1(np.minimum(eta[..., 1:] - eta[..., :-1], 0.0))
    return np.concatenate([expit(-eta[..., :1]), inner, expit(eta[..., -1:])], axis=-1)


def category_derivatives(predictor: FloatArray, intercepts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Category probabilities (..., K), and the slope of each cumulative probability, shape (..., K - 1)."""
    from scipy.special import expit

    eta = predictor[..., None] + intercepts
    return category_probabilities(predictor, intercepts), expit(eta) * expit(-eta)


def fit_cumulative_logit(
    counts: FloatArray,
    design: FloatArray,
    start: tuple[FloatArray, FloatArray] | None = None,
    *,
    iterations: int = 100,
    tolerance: float = 1e-9,
) -> CumulativeLogit:
    """Fisher scoring with halved steps.

    Parameters
    ----------
    counts : ndarray, shape (m, K)
        Weights of the categories for each row of the design; every category has some.
    design : ndarray, shape (m, p)
    start : (intercepts, slopes), optional

    Notes
    -----
    McCullagh (1980), Journal of the Royal Statistical Society B, 42, 109-142.
    """
    inner, p = counts.shape[1] - 1, design.shape[1]
    if start is None:
        share = np.cumsum(counts.sum(axis=0)[::-1])[::-1][1:] / counts.sum()
        intercepts, slopes = np.log(share / (1 - share)), np.zeros(p)
    else:
        intercepts, slopes = start
    value = _log_likelihood(counts, design, intercepts, slopes)
    converged = False
    for _ in range(iterations):
        gradient, information = _derivatives(counts, design, intercepts, slopes)
        step = np.linalg.lstsq(information, gradient, rcond=1e-12)[0]
        gain = float(gradient @ step)
        if gain < tolerance:
            converged = True
            break
        size = 1.0
        for _ in range(40):
            there = intercepts + size * step[:inner]
            slopes_there = slopes + size * step[inner:]
            if (np.diff(there) < 0).all():
                reached = _log_likelihood(counts, design, there, slopes_there)
                if reached >= value + 1e-4 * size * gain or (gain < 1e-6 and reached >= value - 1e-9):
                    break
            size /= 2
        else:
            converged = gain < 1e-5
            break
        intercepts, slopes, value = there, slopes_there, reached
    largest = np.abs(design @ slopes).max(initial=0.0) if p else 0.0
    return CumulativeLogit(intercepts, slopes, value, bool(converged and largest < 30))


def _log_likelihood(counts: FloatArray, design: FloatArray, intercepts: FloatArray, slopes: FloatArray) -> float:
    probability = category_probabilities(design @ slopes, intercepts)
    if not np.isfinite(probability).all():
        return -math.inf
    return float((counts * np.log(np.maximum(probability, _LEAST))).sum())


def _derivatives(
    counts: FloatArray, design: FloatArray, intercepts: FloatArray, slopes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gradient and expected information, intercepts first."""
    probability, steep = category_derivatives(design @ slopes, intercepts)
    probability = np.maximum(probability, 1e-14)
    ratio = counts / probability
    score = (ratio[:, 1:] - ratio[:, :-1]) * steep
    size = counts.sum(axis=1, keepdims=True)
    diagonal = size * steep**2 * (1 / probability[:, 1:] + 1 / probability[:, :-1])
    beside = -size * steep[:, :-1] * steep[:, 1:] / probability[:, 1:-1]
    gradient = np.concatenate([score.sum(axis=0), design.T @ score.sum(axis=1)])
    inner = len(intercepts)
    information = np.zeros((len(gradient), len(gradient)))
    place = np.arange(inner)
    information[place, place] = diagonal.sum(axis=0)
    information[place[:-1], place[1:]] = information[place[1:], place[:-1]] = beside.sum(axis=0)
    rows = diagonal.copy()
    rows[:, :-1] += beside
    rows[:, 1:] += beside
    information[:inner, inner:] = rows.T @ design
    information[inner:, :inner] = information[:inner, inner:].T
    information[inner:, inner:] = (design * rows.sum(axis=1)[:, None]).T @ design
    return gradient, information
