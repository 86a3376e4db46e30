"""Estimators and tests behind the gaps: pooled variance, contrasts, multiplicity, shrinkage, Wilson intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

__all__ = [
    "Contrast",
    "benjamini_hochberg",
    "expected_loss",
    "intraclass",
    "pooled_variance",
    "shrinkage_weights",
    "unit_contrasts",
    "welch",
    "wilson",
]


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values that control the false discovery rate (Benjamini and Hochberg, 1995); NaN stays NaN.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not len(known):
        return adjusted
    order = known[np.argsort(p[known], kind="stable")]
    ranked = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(ranked[::-1])[::-1])
    return adjusted


def wilson(count: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson, 1927); ``(nan, nan)`` for n = 0.

    Examples
    --------
    >>> [round(limit, 3) for limit in wilson(8, 20)]
    [0.219, 0.613]
    """
    if n <= 0:
        return math.nan, math.nan
    z = float(ndtri(0.5 + level / 2))
    share = count / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # at 0 and n the limit equals the share; rounding must not push it past
    return min((centre - half) / scale, share), max((centre + half) / scale, share)


def pooled_variance(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> tuple[float, int]:
    """Variance within units, pooled over units, and its degrees of freedom; ``(nan, 0)`` where there are none."""
    df = int(n.sum() - len(n))
    if df < 1:
        return math.nan, 0
    within = float((squares - total**2 / n).sum())
    return max(within, 0.0) / df, df


@dataclass(frozen=True)
class Contrast:
    """Units against the rest of the organisation, in points of the score; arrays are aligned with the units."""

    gap: np.ndarray
    standard_error: np.ndarray
    df: int

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        half = stdtrit(self.df, 0.5 + level / 2) * self.standard_error
        return self.gap - half, self.gap + half

    def p_no_difference(self) -> np.ndarray:
        """Two-sided p of a true difference of zero."""
        return minimum_effect_p(self.gap, self.standard_error, self.df, 0.0)

    def p_minimum_effect(self, minimum: float) -> np.ndarray:
        """p of a true difference between ``-minimum`` and ``+minimum`` (Murphy and Myors, 1999)."""
        return minimum_effect_p(self.gap, self.standard_error, self.df, minimum)

    def minimum_detectable(self, power: float = 0.80, alpha: float = 0.05) -> np.ndarray:
        """Smallest true difference that a two-sided test at ``alpha`` finds with that power."""
        factor = stdtrit(self.df, 1 - alpha / 2) + stdtrit(self.df, power)
        return np.asarray(factor * self.standard_error)


def minimum_effect_p(gap: np.ndarray, standard_error: np.ndarray, df: float | np.ndarray, minimum: float) -> np.ndarray:
    """p of |true difference| <= minimum: the larger tail area at the border of that interval, both tails counted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (np.abs(gap) - minimum) / standard_error
        far = (np.abs(gap) + minimum) / standard_error
    return np.asarray(np.minimum(1.0, stdtr(df, -near) + stdtr(df, -far)))


def unit_contrasts(
    n: np.ndarray, total: np.ndarray, squares: np.ndarray, population: np.ndarray | None = None
) -> Contrast | None:
    """Each unit's mean minus the mean of all other respondents, with the variance pooled within units.

    Parameters
    ----------
    n, total, squares : arrays, shape (n_units,)
        Respondents, sum and sum of squares of the score.
    population : array, optional
        Size of each unit where the answers are a census of it; multiplies the variance by ``1 - n/N``
        (Cochran, 1977). NaN where unknown.

    Returns
    -------
    Contrast or None
        None with fewer than two units, or where no answer differs within any unit.
    """
    if len(n) < 2:
        return None
    variance, df = pooled_variance(n, total, squares)
    if not variance > 0:
        return None
    rest_n = n.sum() - n
    gap = total / n - (total.sum() - total) / rest_n
    fraction = np.ones(len(n))
    if population is not None:
        fraction = np.where(np.isnan(population), 1.0, np.clip(1 - n / population, 0.0, 1.0))
    of_mean = variance * fraction / n
    of_rest = ((n**2 * of_mean).sum() - n**2 * of_mean) / rest_n**2
    return Contrast(gap, np.sqrt(of_mean + of_rest), df)


def shrinkage_weights(n: np.ndarray, total: np.ndarray, variance: float) -> np.ndarray:
    """Share of a unit's deviation that is kept, 0 to 1: ``tau2 / (tau2 + variance / n)``.

    ``tau2`` is the variance between units by the method of moments (DerSimonian and Laird, 1986). With fewer than
    five units there is too little to learn it from, and nothing is shrunk.
    """
    if len(n) < 5:
        return np.ones(len(n))
    if not variance > 0:
        return np.ones(len(n))
    weights = n / variance
    means = total / n
    centre = (weights * means).sum() / weights.sum()
    heterogeneity = float((weights * (means - centre) ** 2).sum()) - (len(n) - 1)
    tau2 = max(0.0, heterogeneity / float(weights.sum() - (weights**2).sum() / weights.sum()))
    return np.asarray(tau2 / (tau2 + variance / n))


def intraclass(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> tuple[float, float]:
    """ICC(1), with the average group size of Bartko, and ICC(2) of units from their sums; NaN where undefined."""
    variance, df = pooled_variance(n, total, squares)
    if df < 1 or len(n) < 2:
        return math.nan, math.nan
    grand = total.sum() / n.sum()
    between = float((n * (total / n - grand) ** 2).sum()) / (len(n) - 1)
    size = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    denominator = between + (size - 1) * variance
    icc1 = (between - variance) / denominator if denominator > 0 else math.nan
    icc2 = (between - variance) / between if between > 0 else math.nan
    return float(icc1), float(icc2)


def welch(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float, float] | None:
    """Difference of two means, its standard error and degrees of freedom (Welch, 1947).

    Each group is ``(n, total, squares)``. None where a group has fewer than two respondents or neither varies.
    """
    parts = []
    for n, total, squares in (first, second):
        if n < 2:
            return None
        parts.append((n, total / n, max(squares - total**2 / n, 0.0) / (n - 1) / n))
    (n_a, mean_a, v_a), (n_b, mean_b, v_b) = parts
    if v_a + v_b <= 0:
        return None
    df = (v_a + v_b) ** 2 / (v_a**2 / (n_a - 1) + v_b**2 / (n_b - 1))
    return mean_a - mean_b, math.sqrt(v_a + v_b), df


def expected_loss(gap: float, spread: float, margin: float) -> float:
    """Expected points by which the true gap is worse than ``-margin``, for a normal posterior; ranks findings."""
    worse = -gap - margin
    if not spread > 0:
        return max(0.0, worse)
    z = worse / spread
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return worse * float(ndtr(z)) + spread * density
