"""Distributions of answers without agreement, against which within-group agreement is measured."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from servicediag.psychometrics._frames import FloatArray, check_number

__all__ = ["NullDistribution", "NullName", "ResponseScale", "null_distribution"]

NullName = Literal["uniform", "slight_skew", "moderate_skew", "heavy_skew", "triangular", "normal"]
_NAMES: tuple[NullName, ...] = get_args(NullName)

# LeBreton & Senter (2008): expected shares of the options of a 5-point scale, as printed there.
_FIVE_POINTS: dict[str, tuple[float, ...]] = {
    "slight_skew": (0.05, 0.15, 0.20, 0.35, 0.25),
    "moderate_skew": (0.00, 0.10, 0.15, 0.40, 0.35),
    "heavy_skew": (0.00, 0.00, 0.10, 0.40, 0.50),
    "triangular": (0.11, 0.22, 0.34, 0.22, 0.11),
    "normal": (0.07, 0.24, 0.38, 0.24, 0.07),
}
_MOST_POINTS = 10_001


@dataclass(frozen=True)
class ResponseScale:
    """Lowest and highest option value of a response scale whose options lie one apart."""

    lowest: float
    highest: float

    @classmethod
    def of(cls, scale: object) -> ResponseScale:
        """Check a pair ``(lowest, highest)``."""
        if isinstance(scale, ResponseScale):
            return scale
        if isinstance(scale, str) or not isinstance(scale, (Sequence, np.ndarray)) or len(scale) != 2:
            raise TypeError(f"scale must be the pair (lowest, highest) of option values, not {scale!r}")
        lowest, highest = (check_number("scale", value, -1e9, 1e9) for value in scale)
        steps = highest - lowest
        if steps < 1 or steps != int(steps) or steps >= _MOST_POINTS:
            raise ValueError(
                f"scale must run from its lowest to its highest option in steps of 1, at most {_MOST_POINTS} options, "
                f"not from {lowest:g} to {highest:g}; recode the options first"
            )
        return cls(lowest, highest)

    @property
    def n_points(self) -> int:
        """Number of options."""
        return int(self.highest - self.lowest) + 1


@dataclass(frozen=True)
class NullDistribution:
    """What answers would look like if nobody agreed.

    Attributes
    ----------
    name : str
        One of the named distributions, ``"given shares"`` or ``"given variance"``.
    variance : float
        Expected variance of an answer.
    shares : tuple of float
        Expected share of every option; empty where only a variance was given.
    """

    name: str
    variance: float
    shares: tuple[float, ...] = ()


def null_distribution(
    null: NullName | Sequence[float] | float = "uniform", *, scale: tuple[float, float]
) -> NullDistribution:
    """A null distribution on the options of a scale.

    Parameters
    ----------
    null : str, sequence of float, or float
        A name: ``"uniform"``, ``"slight_skew"``, ``"moderate_skew"``, ``"heavy_skew"``, ``"triangular"``, ``"normal"``.
        Or the expected share of every option, from the lowest to the highest, adding up to 1. Or a variance.
    scale : (float, float)
        Lowest and highest option value; options lie one apart.

    Returns
    -------
    NullDistribution

    Raises
    ------
    TypeError, ValueError
        ``null`` or ``scale`` is none of these, or the variance is 0.

    Notes
    -----
    Uniform: variance ``(A**2 - 1) / 12`` for A options. The others are the 5-point shares printed in [1]_, whose
    direction of skew does not matter for the variance. For another number of options the same shape is used: the
    skewed ones as a histogram spread over A equal cells, the triangular one with shares that rise by equal steps to
    the middle, the normal one with a standard deviation of a quarter of the range. To use a variance printed elsewhere
    for such a scale, give it as ``null``.

    References
    ----------
    .. [1] LeBreton, J. M., & Senter, J. L. (2008). Organizational Research Methods, 11, 815-852.

    Examples
    --------
    >>> [round(null_distribution(name, scale=(1, 5)).variance, 2) for name in ("uniform", "slight_skew", "normal")]
    [2.0, 1.34, 1.04]
    """
    checked = ResponseScale.of(scale)
    points = checked.n_points
    if isinstance(null, str):
        if null not in _NAMES:
            raise ValueError(f"null must be one of {', '.join(map(repr, _NAMES))}, shares or a variance, not {null!r}")
        return _from_shares(null, _named_shares(null, points))
    if isinstance(null, (numbers.Real, np.floating, np.integer)):
        variance = check_number("null", null, 0.0, 1e18)
        if variance == 0:
            raise ValueError("null, as a variance, must be above 0")
        return NullDistribution("given variance", variance)
    if not isinstance(null, (Sequence, np.ndarray)):
        raise TypeError(f"null must be a name, the shares of {points} options or a variance, not {null!r}")
    shares = np.array([check_number("null", share, 0.0, 1.0) for share in null])
    if shares.size != points or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(
            f"null must give {points} shares that add up to 1, one an option, not {shares.size} adding up to "
            f"{shares.sum():g}"
        )
    result = _from_shares("given shares", shares / shares.sum())
    if result.variance <= 0:
        raise ValueError("null must spread over at least two options; all in one leaves no variance to compare with")
    return result


def _from_shares(name: str, shares: FloatArray) -> NullDistribution:
    options = np.arange(shares.size)
    variance = float(shares @ np.square(options - shares @ options))
    if name == "uniform":
        variance = (shares.size**2 - 1) / 12  # the same, free of rounding
    return NullDistribution(name, variance, tuple(float(share) for share in shares))


def _named_shares(name: str, points: int) -> FloatArray:
    if name == "uniform":
        return np.full(points, 1 / points)
    if points == 5:
        return np.array(_FIVE_POINTS[name])
    if name == "triangular":
        steps = np.minimum(np.arange(1, points + 1), np.arange(points, 0, -1))
        return np.asarray(steps / steps.sum(), dtype=np.float64)
    if name == "normal":
        from scipy.special import ndtr

        edges = (np.arange(points + 1) - points / 2) / ((points - 1) / 4)
        cumulative = ndtr(edges)
        cumulative[0], cumulative[-1] = 0.0, 1.0
        return np.asarray(np.diff(cumulative), dtype=np.float64)
    # A share of the five-point scale covers a fifth of the line, evenly.
    cumulative = np.concatenate(([0.0], np.cumsum(_FIVE_POINTS[name])))
    edges = np.interp(np.linspace(0, 5, points + 1), np.arange(6), cumulative)
    return np.asarray(np.diff(edges), dtype=np.float64)
