"""Probabilities and densities of the standard bivariate normal distribution, for many correlations at once."""

from __future__ import annotations

import math

import numpy as np

from servicediag.psychometrics._frames import FloatArray

__all__ = ["bivariate_cdf", "bivariate_density"]

_NEAR_ONE = 0.9  # beyond this the integral is taken from a correlation of 1 downwards


def bivariate_density(x: FloatArray, y: FloatArray, rho: FloatArray) -> FloatArray:
    """Density at (x, y); 0 where either is infinite. The arguments broadcast."""
    rest = 1 - rho**2
    with np.errstate(invalid="ignore"):
        power = np.asarray((x * x - 2 * rho * x * y + y * y) / (2 * rest))
    power = np.where(np.isnan(power), math.inf, power)
    result: FloatArray = np.exp(-power) / (2 * math.pi * np.sqrt(rest))
    return result


def bivariate_cdf(x: FloatArray, y: FloatArray, rho: FloatArray) -> FloatArray:
    """P(X <= x, Y <= y) for finite x and y; the arguments broadcast.

    Notes
    -----
    The derivative of the probability in the correlation is the density (Plackett 1954, Biometrika, 41, 351-360), so
    that the probability is an integral of the density over the correlation, here with its arcsine as variable
    (Drezner & Wesolowsky 1990, Journal of Statistical Computation and Simulation, 35, 101-107). It starts at a
    correlation of 0, or, for strong ones, at 1 or -1, where the probability is known too.

    Examples
    --------
    >>> probability = bivariate_cdf(np.array(0.0), np.array(0.0), np.array(0.5))
    >>> round(float(probability), 6)
    0.333333
    """
    x, y, rho = np.broadcast_arrays(x, y, rho)
    result = np.empty(x.shape)
    strong = np.abs(rho) > _NEAR_ONE
    if not strong.all():
        result[~strong] = _from_zero(x[~strong], y[~strong], rho[~strong])
    if strong.any():
        result[strong] = _from_one(x[strong], y[strong], rho[strong])
    return np.asarray(np.clip(result, 0.0, 1.0))


def _from_zero(x: FloatArray, y: FloatArray, rho: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    largest = float(np.abs(rho).max())
    nodes, weights = np.polynomial.legendre.leggauss(8 if largest < 0.3 else 14 if largest < 0.75 else 20)
    half = np.arcsin(rho) / 2
    total = np.zeros(x.shape)
    squares, product = (x * x + y * y) / 2, x * y
    for node, weight in zip(nodes, weights, strict=True):
        sine = np.sin(half * (1 + node))
        total += weight * np.exp((product * sine - squares) / (1 - sine * sine))
    result: FloatArray = ndtr(x) * ndtr(y) + total * half / (2 * math.pi)
    return result


def _from_one(x: FloatArray, y: FloatArray, rho: FloatArray) -> FloatArray:
    """From a correlation of 1 down; for a negative one, X <= x and Y <= y is X <= x without -Y <= -y.

    With v the sine of the angle and d = x - y, the integrand is ``exp(-d^2 / (2 v^2))``, steep near 0, times a function
    that is smooth in ``v^2``: the second is interpolated by a polynomial, and the moments of the first are exact.
    """
    from scipy.special import erfc, ndtr

    sign = np.sign(rho)
    other = sign * y
    width2 = 1 - rho**2
    nodes, to_powers = _interpolation()
    smooth = np.stack([_smooth(width2 * node, x * other) for node in nodes])
    powers = np.tensordot(to_powers, smooth, axes=1)
    ratio = np.minimum((x - other) ** 2 / width2, 1400.0)
    edge = np.exp(-ratio / 2)
    moment = edge - np.sqrt(ratio * math.pi / 2) * erfc(np.sqrt(ratio / 2))
    total = powers[0] * moment
    for m in range(1, len(powers)):
        moment = np.where(ratio < 80, (edge - ratio * moment) / (2 * m + 1), 0.0)
        total += powers[m] * moment
    joint = ndtr(np.minimum(x, other)) - total * np.sqrt(width2) / (2 * math.pi)
    result: FloatArray = np.where(sign > 0, joint, ndtr(x) - joint)
    return result


def _smooth(sine2: FloatArray, product: FloatArray) -> FloatArray:
    cosine = np.sqrt(1 - sine2)
    result: FloatArray = np.exp(-product / (1 + cosine)) / cosine
    return result


def _interpolation() -> tuple[FloatArray, FloatArray]:
    """Nodes between 0 and 1, and the matrix from values at the nodes to coefficients of powers."""
    count = 11
    nodes = (1 + np.cos(math.pi * (np.arange(count) + 0.5) / count)) / 2
    return nodes, np.asarray(np.linalg.inv(np.vander(nodes, increasing=True)), dtype=np.float64)
