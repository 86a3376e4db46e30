"""What analyses of variance share here: F tests, limits of F, sums freed from rounding, and how APA prints a test."""

from __future__ import annotations

import math

import numpy as np

from servicediag.psychometrics._frames import FloatArray, apa_number

__all__ = ["apa_f_test", "f_limits", "f_test", "rounding_floor", "smallest_spread"]

smallest_spread = 1e-140
"""Ranges below this have squares that underflow; they count as no variation."""


def rounding_floor(values: FloatArray) -> float:
    """Sum of squares that rounding alone can leave behind in an analysis of these values."""
    if values.size == 0:
        return 0.0
    largest = float(np.abs(values).max())
    return values.size * (8 * float(np.finfo(np.float64).eps) * largest) ** 2


def f_test(numerator: float, denominator: float, df1: float, df2: float) -> tuple[float, float]:
    """The ratio of two mean squares and its upper-tail probability.

    Without error variance F is infinite and p is 0; without any variance both are NaN.
    """
    from scipy.special import fdtrc

    if denominator == 0:
        return (math.nan, math.nan) if numerator == 0 else (math.inf, 0.0)
    f = numerator / denominator
    return f, float(fdtrc(df1, df2, f))


def f_limits(df1: float, df2: float, level: float) -> tuple[float, float]:
    """Divisor of an observed F for the lower limit of the population ratio, and factor for the upper limit.

    Both are upper points of F: the first with (df1, df2), the second with (df2, df1) degrees of freedom.
    """
    from scipy.special import fdtri

    upper = (1 + level) / 2
    divisor, factor = float(fdtri(df1, df2, upper)), float(fdtri(df2, df1, upper))
    return (math.inf if math.isnan(divisor) else divisor), (math.inf if math.isnan(factor) else factor)


def apa_f_test(f: float, df1: float, df2: float, p: float) -> str:
    """An F test as the APA manual prints it.

    Examples
    --------
    >>> apa_f_test(11.0272, 5, 15, 0.000135)
    'F(5, 15) = 11.03, p < .001'
    """
    tail = "p < .001" if p < 0.001 else f"p = {apa_number(p, 3)}"
    return f"F({df1:g}, {df2:g}) = {apa_number(f, leading_zero=True)}, {tail}"
