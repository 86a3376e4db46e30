"""Estimators and tests behind the gaps, each from sums over groups of respondents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtr, stdtrit

__all__ = [
    "ClusterSums", "Contrast", "Equivalence", "RankUncertainty", "benjamini_hochberg",
    "centile_of_counts", "cluster_contrasts", "cluster_sums", "difference_reliability", "directional_rates",
    "equivalence", "equivalence_p", "expected_loss", "intraclass", "limited_weights", "minimum_effect_p",
    "one_sample", "pooled_variance", "rank_uncertainty", "response_bounds", "shrinkage_weights",
    "student_quantiles", "unit_contrasts", "welch", "wilson",
]  # fmt: skip

Equivalence = Literal["inside", "outside", "undetermined"]


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


def directional_rates(p: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Adjusted p-values that hold among all gaps and among those of the same direction; NaN stays NaN.

    Where some units lie low, all others lie a little above the rest, and among all gaps together every trouble that is
    found would loosen the bar for such strengths. So the larger of two rates counts (Benjamini and Hochberg, 1995):
    that of the two-sided test among all gaps, and that of the one-sided test in the gap's own direction.

    Parameters
    ----------
    p : array
        Two-sided p-values of "no difference".
    gap : array
        The differences; below zero is worse.

    Examples
    --------
    >>> directional_rates(np.array([0.001, 0.002, 0.04]), np.array([-9.0, -8.0, 4.0])).round(3).tolist()
    [0.003, 0.003, 0.06]
    """
    worse, better = np.where(gap < 0, p / 2, 1 - p / 2), np.where(gap > 0, p / 2, 1 - p / 2)
    own = np.where(gap < 0, benjamini_hochberg(worse), benjamini_hochberg(better))
    return np.asarray(np.maximum(benjamini_hochberg(p), own))


def student_quantiles(df: np.ndarray, level: float) -> np.ndarray:
    """Quantiles of Student's t for many degrees of freedom, of which few differ.

    Examples
    --------
    >>> student_quantiles(np.array([1.0, 5.0, 1.0]), 0.975).round(3).tolist()
    [12.706, 2.571, 12.706]
    """
    place, values = pd.factorize(df, use_na_sentinel=False)
    return np.asarray(stdtrit(values, level)[place])


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
    df: int | np.ndarray

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
        if minimum == 0:
            return np.asarray(np.minimum(1.0, 2 * stdtr(df, -near)))
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


def shrinkage_weights(n: np.ndarray, total: np.ndarray, variance: float | np.ndarray) -> np.ndarray:
    """Share of a unit's deviation that is kept, 0 to 1: ``tau2 / (tau2 + variance / n)``.

    ``tau2`` is the variance between units by the method of moments (DerSimonian and Laird, 1986). ``variance`` is that
    of a respondent, one for all units or one for each. With fewer than five units there is too little to learn
    ``tau2`` from, and nothing is shrunk.
    """
    if len(n) < 5:
        return np.ones(len(n))
    if not np.all(np.asarray(variance) > 0):
        return np.ones(len(n))
    weights = n / variance
    means = total / n
    centre = (weights * means).sum() / weights.sum()
    heterogeneity = float((weights * (means - centre) ** 2).sum()) - (len(n) - 1)
    tau2 = max(0.0, heterogeneity / float(weights.sum() - (weights**2).sum() / weights.sum()))
    return np.asarray(tau2 / (tau2 + variance / n))


def limited_weights(kept: np.ndarray, gap: np.ndarray, standard_error: np.ndarray) -> np.ndarray:
    """Shrinkage weights that draw no gap by more than its standard error.

    A unit that lies far out is then told with little less than its gap, even where the others hardly differ (limited
    translation; Efron and Morris, 1972). NaN where the standard error is.

    Examples
    --------
    >>> limited_weights(np.array([0.25, 0.25]), np.array([2.0, 20.0]), np.array([4.0, 4.0])).tolist()
    [0.25, 0.8]
    """
    size = np.abs(gap)
    share = np.divide(standard_error, size, out=np.ones(np.shape(gap)), where=~(size <= standard_error))
    return np.asarray(np.maximum(kept, 1 - share))


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


def one_sample(n: float, total: float, squares: float) -> tuple[float, float, float] | None:
    """Mean of one group, its standard error and degrees of freedom (Student, 1908); of differences: the paired t test.

    None with fewer than two values or where none differs.

    Examples
    --------
    The differences 2, 4, 6 and 8 have mean 5 and variance 20/3, so the standard error is ``sqrt(20 / 3 / 4)``.

    >>> mean, error, df = one_sample(4, 20.0, 120.0)
    >>> mean, round(error, 4), df
    (5.0, 1.291, 3)
    """
    if n < 2:
        return None
    mean = total / n
    variance = max(squares - n * mean**2, 0.0) / (n - 1)
    return (mean, math.sqrt(variance / n), n - 1) if variance > 0 else None


def difference_reliability(
    sd_first: float, reliability_first: float, sd_second: float, reliability_second: float, correlation: float
) -> float:
    """Reliability of the difference of two scores of the same people (Lord, 1963).

    ``(s1**2 r11 + s2**2 r22 - 2 s1 s2 r12) / (s1**2 + s2**2 - 2 s1 s2 r12)``; NaN where the difference does not vary.

    References
    ----------
    Lord, F. M. (1963). Elementary models for measuring change. In C. W. Harris (Ed.), Problems in measuring change,
    21-38.

    Examples
    --------
    Two scales of reliability .85 that correlate .60: ``(0.85 - 0.60) / (1 - 0.60)``.

    >>> round(difference_reliability(10, 0.85, 10, 0.85, 0.60), 3)
    0.625
    """
    shared = 2 * sd_first * sd_second * correlation
    observed = sd_first**2 + sd_second**2 - shared
    if not observed > 1e-12 * (sd_first**2 + sd_second**2):
        return math.nan
    return (sd_first**2 * reliability_first + sd_second**2 * reliability_second - shared) / observed


def equivalence(low: np.ndarray, high: np.ndarray, margin: float) -> np.ndarray:
    """Whether 90 % intervals of a difference lie inside ``-margin`` to ``+margin``, outside it, or across its border.

    *inside*: the two one-sided tests at 5 % both reject a difference of the margin or more (Schuirmann, 1987);
    *outside*: the whole interval lies beyond the margin (Kruschke, 2018); else *undetermined*, which is never
    "no difference". None where there is no interval.

    References
    ----------
    Schuirmann, D. J. (1987). Journal of Pharmacokinetics and Biopharmaceutics, 15, 657-680.
    Kruschke, J. K. (2018). Advances in Methods and Practices in Psychological Science, 1, 270-280.

    Examples
    --------
    >>> equivalence(np.array([-3.0, -9.0, -14.0]), np.array([4.0, 1.0, -6.0]), 5.0).tolist()
    ['inside', 'undetermined', 'outside']
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    verdict = np.zeros(low.shape, dtype=np.int8)
    verdict[(low > -margin) & (high < margin)] = 1
    verdict[(high < -margin) | (low > margin)] = 2
    verdict[np.isnan(low) | np.isnan(high)] = 3
    # each text is put in its places once
    return np.array(["undetermined", "inside", "outside", None], dtype=object)[verdict]


def equivalence_p(gap: np.ndarray, standard_error: np.ndarray, df: float | np.ndarray, margin: float) -> np.ndarray:
    """p of "the true difference is the margin or more": the larger of two one-sided tests (Schuirmann, 1987).

    Examples
    --------
    A difference of 0 with standard error 2 is 2.5 standard errors away from either border of 5.

    >>> equivalence_p(np.array([0.0]), np.array([2.0]), 10, 5.0).round(4).tolist()
    [0.0157]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(stdtr(df, (np.abs(gap) - margin) / standard_error))


@dataclass(frozen=True)
class ClusterSums:
    """Sums over the clusters of each unit: of sizes n and totals t, and of t**2, t * n and n**2."""

    n: np.ndarray
    total: np.ndarray
    n_clusters: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    sizes: np.ndarray

    def rest(self) -> ClusterSums:
        """The same sums over the clusters of all other units."""
        mine = (self.n, self.total, self.n_clusters, self.squares, self.products, self.sizes)
        return ClusterSums(*(column.sum() - column for column in mine))

    def variance(self) -> np.ndarray:
        """Of the mean ``total / n``: ``G / (G - 1) * sum((t - mean * n)**2) / sum(n)**2``; NaN with one cluster."""
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.total / self.n
            squares = np.maximum(self.squares - 2 * mean * self.products + mean**2 * self.sizes, 0.0)
            factor = np.where(self.n_clusters > 1, self.n_clusters / (self.n_clusters - 1), np.nan)
            return np.asarray(factor * squares / self.n**2)


def cluster_sums(
    unit: np.ndarray, n: np.ndarray, total: np.ndarray, n_units: int, alone: np.ndarray | None = None
) -> ClusterSums:
    """Sums over clusters, such as the servers whom customers rated, for each unit.

    Parameters
    ----------
    unit : int array, shape (n_rows,)
        The unit, 0 to ``n_units - 1``, that each cluster belongs to; a cluster with people in two units has a row in
        each.
    n, total : arrays, shape (n_rows,)
        Respondents of a cluster and the sum of their scores.
    alone : array, shape (3, n_units), optional
        Respondents of no known cluster, the sum of their scores and of the squares; each is a cluster of one.
    """
    extra = np.zeros((3, n_units)) if alone is None else alone

    def add(values: np.ndarray, more: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(unit, values, minlength=n_units) + more)

    return ClusterSums(
        add(n, extra[0]),
        add(total, extra[1]),
        add(np.ones(len(unit)), extra[0]),
        add(total**2, extra[2]),
        add(total * n, extra[1]),
        add(n**2, extra[0]),
    )


def cluster_contrasts(sums: ClusterSums, fewest: int) -> Contrast:
    """Units against the rest where respondents are nested in clusters.

    The variance of a unit's mean is that of a ratio of sums over its G clusters, with ``G - 1`` degrees of freedom
    (``ClusterSums.variance``); the variances of unit and rest add, and their degrees of freedom are joined as Welch
    (1947) does. Clusters of one respondent give the Welch test. With fewer than ``fewest`` clusters in the unit or in
    the rest the standard error is NaN.

    References
    ----------
    Cochran, W. G. (1977). Sampling techniques (3rd ed.), sections 6.3 and 9A. Wiley.
    Cameron, A. C., & Miller, D. L. (2015). Journal of Human Resources, 50, 317-372 (the factor ``G / (G - 1)``).

    Examples
    --------
    A unit whose three servers were rated by two customers each, with sums 100, 120 and 140: the mean is 60, the
    clusters are off by -20, 0 and 20, and the variance is ``3 / 2 * 800 / 36``. In the other unit it is a quarter of
    that.

    >>> units, n, totals = np.array([0, 0, 0, 1, 1, 1]), np.full(6, 2.0), np.array([100.0, 120, 140, 90, 100, 110])
    >>> sums = cluster_sums(units, n, totals, 2)
    >>> contrast = cluster_contrasts(sums, fewest=3)
    >>> sums.variance().round(3).tolist(), contrast.gap.tolist(), (contrast.standard_error**2).round(3).tolist()
    ([33.333, 8.333], [10.0, -10.0], [41.667, 41.667])
    """
    rest = sums.rest()
    inside, outside = sums.variance(), rest.variance()
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums.total / sums.n - rest.total / rest.n
        df = (inside + outside) ** 2 / (inside**2 / (sums.n_clusters - 1) + outside**2 / (rest.n_clusters - 1))
    few = (sums.n_clusters < fewest) | (rest.n_clusters < fewest) | ~(inside + outside > 0)
    return Contrast(gap, np.sqrt(np.where(few, np.nan, inside + outside)), df)


def centile_of_counts(counts: np.ndarray, share: float) -> float:
    """Position of the smallest category that at least that share of people is in or below; NaN without people.

    Examples
    --------
    >>> centile_of_counts(np.array([1, 1, 2, 4]), 0.25), centile_of_counts(np.array([1, 1, 2, 4]), 0.5)
    (1.0, 2.0)
    """
    running = np.cumsum(counts)
    if not len(running) or not running[-1] > 0:
        return math.nan
    # a sum that meets the share exactly must not miss it by rounding
    return float(np.searchsorted(running, share * running[-1] * (1 - 1e-12)))


def response_bounds(
    mean: np.ndarray, n: np.ndarray, invited: np.ndarray, lowest: float | np.ndarray, highest: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means of units if those who were invited and did not answer were all at ``lowest``, or all at ``highest``.

    Examples
    --------
    20 of 40 answered with a mean of 50; the others at 30, or at 80:

    >>> [limit.tolist() for limit in response_bounds(np.array([50.0]), np.array([20]), np.array([40]), 30.0, 80.0)]
    [[40.0], [65.0]]

    References
    ----------
    Cochran, W. G. (1977). Sampling techniques (3rd ed.), section 13.2: bounds that no assumption about those who did
    not answer can leave; with centiles in the place of the ends of the scale they are a convention.
    """
    silent = 1 - n / invited
    return mean + silent * (lowest - mean), mean + silent * (highest - mean)


@dataclass(frozen=True)
class RankUncertainty:
    """Ranks that the data leave open, 1 for the highest; arrays are aligned with the units."""

    low: np.ndarray
    high: np.ndarray
    worst_fifth: np.ndarray
    """Probability of being among the lowest fifth (at least one unit)."""


def rank_draws(n_units: int, seed: int, n_draws: int | None = None) -> np.ndarray:
    """Standard normal draws for so many units, n_draws x units; see :func:`rank_uncertainty`."""
    if n_draws is None:
        n_draws = int(np.clip(200_000 // max(n_units, 1), 200, 4_000))
    return np.random.default_rng(seed).standard_normal((n_draws, n_units))


def rank_uncertainty(
    estimate: np.ndarray, spread: np.ndarray, *, level: float = 0.95, seed: int = 0, n_draws: int | None = None,
    normal: np.ndarray | None = None,
) -> RankUncertainty:  # fmt: skip
    """Interval of every unit's rank, and its probability of the lowest fifth, from draws of normal posteriors.

    Parameters
    ----------
    estimate, spread : arrays, shape (n_units,)
        Mean and standard deviation of each unit's posterior, such as the shrunk gap and its error.
    n_draws : int, optional
        Default 4,000, fewer with more than 50 units, at least 200.
    normal : array, shape (n_draws, n_units), optional
        What :func:`rank_draws` gives for so many units, where it is at hand.

    References
    ----------
    Goldstein, H., & Spiegelhalter, D. J. (1996). Journal of the Royal Statistical Society A, 159, 385-443.

    Examples
    --------
    Units that are told apart beyond doubt keep their ranks:

    >>> ranks = rank_uncertainty(np.array([3.0, 9.0, 1.0, 5.0, 7.0]), np.full(5, 0.01))
    >>> ranks.low.tolist(), ranks.high.tolist(), ranks.worst_fifth.tolist()
    ([4, 1, 5, 3, 2], [4, 1, 5, 3, 2], [0.0, 0.0, 1.0, 0.0, 0.0])
    """
    n_units = len(estimate)
    draws = spread * (rank_draws(n_units, seed, n_draws) if normal is None else normal)
    n_draws = len(draws)
    draws += estimate
    ranks = np.empty((n_draws, n_units), dtype=np.min_scalar_type(n_units))
    in_order = np.arange(1, n_units + 1, dtype=ranks.dtype)
    for one, order in zip(ranks, np.argsort(np.negative(draws, out=draws), axis=1), strict=True):
        one[order] = in_order
    ranks = np.ascontiguousarray(ranks.T)
    lowest = max(1, n_units // 5)
    worst = (ranks > n_units - lowest).mean(axis=1)
    cut = int(n_draws * (1 - level) / 2)
    # small whole numbers are sorted in less time than two of them are looked for
    ranks.sort(axis=1)
    return RankUncertainty(ranks[:, cut].astype(np.int64), ranks[:, n_draws - 1 - cut].astype(np.int64), worst)


def expected_loss(gap: float, spread: float, margin: float) -> float:
    """Expected points by which the true gap is worse than ``-margin``, for a normal posterior; ranks findings."""
    worse = -gap - margin
    if not spread > 0:
        return max(0.0, worse)
    z = worse / spread
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return worse * float(ndtr(z)) + spread * density
