"""Effect sizes of two samples: estimates, tests and what their intervals need."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from servicediag.psychometrics._frames import FloatArray, holding
from servicediag.results import ConfidenceInterval

__all__ = ["Effect", "mann_whitney", "mean_effects", "order_effects", "paired_effects", "wilcoxon"]


@dataclass(frozen=True)
class Effect:
    """An estimate with its test and what its interval needs: ``scale`` times t, or times noncentral t, with ``df``."""

    estimate: float
    statistic: float
    df: float
    p: float
    scale: float  # NaN: no interval
    kind: Literal["t", "noncentral t", "cliff"]
    method: str

    def interval(self, level: float) -> ConfidenceInterval:
        from scipy.special import stdtrit

        if math.isnan(self.scale):
            return ConfidenceInterval(math.nan, math.nan, level=level, method=self.method)
        reach = float(stdtrit(self.df, 0.5 + level / 2))
        if self.kind == "t":
            low, high = self.estimate - reach * self.scale, self.estimate + reach * self.scale
        elif self.kind == "cliff":
            low, high = _cliff_limits(self.estimate, self.scale**2, reach)
        else:
            low, high = (self.scale * value for value in _noncentralities(self.statistic, self.df, level))
        return holding(low, high, self.estimate, level=level, method=self.method)


def mean_effects(x: FloatArray, y: FloatArray) -> dict[str, Effect]:
    """Differences of the means of two groups, plain and standardised."""
    n1, n2 = len(x), len(y)
    v1, v2 = float(x.var(ddof=1)), float(y.var(ddof=1))
    difference = float(x.mean() - y.mean())
    error = math.sqrt(v1 / n1 + v2 / n2)
    share = v1 / n1 / (v1 / n1 + v2 / n2)
    df = 1 / (share**2 / (n1 - 1) + (1 - share) ** 2 / (n2 - 1))
    pooled_df = n1 + n2 - 2
    pooled = math.sqrt(((n1 - 1) * v1 + (n2 - 1) * v2) / pooled_df)
    width = math.sqrt(1 / n1 + 1 / n2)
    separate = math.sqrt((v1 + v2) / 2)
    welch = (difference / error, df, _two_sided(difference / error, df))
    student = (difference / pooled / width, pooled_df, _two_sided(difference / pooled / width, pooled_df))
    small, small_separate = _correction(pooled_df), _correction(df)
    glass_sd = math.sqrt(v2) if v2 > 0 else math.nan
    # Of the second group alone: its standard deviation is the unit.
    glass = (welch[0], float(n2 - 1), _two_sided(welch[0], n2 - 1))
    exact: Literal["noncentral t"] = "noncentral t"
    return {
        "difference": Effect(difference, *welch, error, "t", "Welch"),
        "student_difference": Effect(difference, *student, pooled * width, "t", "Student, pooled variance"),
        "cohens_d": Effect(difference / pooled, *student, width, exact, exact),
        "hedges_g": Effect(small * difference / pooled, *student, small * width, exact, exact),
        "hedges_g_separate": Effect(
            small_separate * difference / separate, *welch, small_separate * error / separate, exact, exact
        ),
        "glass_delta": Effect(difference / glass_sd, *glass, error / glass_sd, exact, exact),
    }


def order_effects(x: FloatArray, y: FloatArray) -> dict[str, Effect]:
    """Cliff's delta and the probability of superiority, from how the scores of one group lie in the other."""
    n1, n2 = len(x), len(y)
    in_second, ties = _dominance(x, y)
    in_first = _dominance(y, x)[0]
    delta = float(in_second.mean())
    rows, columns = float(((in_second - delta) ** 2).sum()), float(((-in_first - delta) ** 2).sum())
    cells = n1 * n2 - ties - n1 * n2 * delta**2
    variance = (n2**2 * rows + n1**2 * columns - cells) / (n1 * n2 * (n1 - 1) * (n2 - 1))
    variance = max(variance, (1 - delta**2) / (n1 * n2 - 1))  # the least it can be (Cliff 1996)
    overlap = abs(delta) < 1 and rows + columns > 0
    # Brunner and Munzel: variances of the placements, which are half of delta's rows and columns.
    parts = rows / 4 / (n1 - 1) / n1, columns / 4 / (n2 - 1) / n2
    error = math.sqrt(sum(parts))
    superiority = (1 + delta) / 2
    if overlap:
        df = sum(parts) ** 2 / (parts[0] ** 2 / (n1 - 1) + parts[1] ** 2 / (n2 - 1))
        statistic = (superiority - 0.5) / error
        p = _two_sided(statistic, df)
    else:
        df = statistic = p = error = math.nan
    z = delta / math.sqrt(variance) if overlap else math.nan
    pooled_df = n1 + n2 - 2
    scale = math.sqrt(variance) if overlap else math.nan
    return {
        "cliffs_delta": Effect(
            delta, z, pooled_df, _two_sided(z, pooled_df), scale, "cliff", "Feng & Cliff, consistent variance"
        ),
        "superiority": Effect(superiority, statistic, df, p, error, "t", "Brunner-Munzel"),
    }


def _dominance(x: FloatArray, y: FloatArray) -> tuple[FloatArray, int]:
    """For each of x the share of y below minus the share above, and the number of ties."""
    ordered = np.sort(y)
    below = np.searchsorted(ordered, x, side="left")
    above = len(y) - np.searchsorted(ordered, x, side="right")
    return (below - above) / len(y), int((len(y) - below - above).sum())


def paired_effects(mean: float, spread: float, n: int, correlation: float) -> dict[str, Effect]:
    """Mean change, plain and standardised."""
    width = 1 / math.sqrt(n)
    ratio = mean / spread
    test = (ratio / width, float(n - 1), _two_sided(ratio / width, n - 1))
    small = _correction(n - 1)
    back = math.sqrt(max(2 * (1 - correlation), 0.0)) if not math.isnan(correlation) else math.nan
    exact: Literal["noncentral t"] = "noncentral t"
    return {
        "difference": Effect(mean, *test, spread * width, "t", "paired t"),
        "standardized_response_mean": Effect(ratio, *test, width, exact, exact),
        "hedges_g": Effect(small * ratio, *test, small * width, exact, exact),
        "repeated_measures_d": Effect(back * ratio, *test, back * width, exact, exact),
    }


# ----------------------------------------------------------------------------------------------------- distributions


def _two_sided(statistic: float, df: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(statistic)))


def _correction(df: float) -> float:
    from scipy.special import gammaln

    if df <= 1:
        return math.nan
    return math.exp(float(gammaln(df / 2) - gammaln((df - 1) / 2)) - math.log(df / 2) / 2)


def _noncentralities(t: float, df: float, level: float) -> tuple[float, float]:
    """The noncentral t distributions in whose upper and lower tail the observed t lies."""
    from scipy.optimize import brentq
    from scipy.special import nctdtr

    def solve(p: float) -> float:
        def excess(noncentrality: float) -> float:
            below = float(nctdtr(df, noncentrality, t))
            # Far from t, where the function gives up, nearly all of the distribution lies on one side.
            return (below if not math.isnan(below) else float(noncentrality < t)) - p

        reach = 1.0
        while not (excess(t - reach) > 0 > excess(t + reach)):
            reach *= 2
            if reach > 1e4 * (1 + abs(t)):
                return math.nan
        found = float(brentq(excess, t - reach, t + reach, xtol=1e-13, rtol=1e-13))
        return found if abs(excess(found)) < 1e-6 else math.nan  # no limit where the function gave up

    tail = (1 - level) / 2
    return solve(1 - tail), solve(tail)


def _cliff_limits(delta: float, variance: float, reach: float) -> tuple[float, float]:
    base = 1 - delta**2 + reach**2 * variance
    half = reach * math.sqrt(variance) * math.sqrt((1 - delta**2) ** 2 + reach**2 * variance)
    return max((delta - delta**3 - half) / base, -1.0), min((delta - delta**3 + half) / base, 1.0)


def mann_whitney(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """U of the first group, and its p."""
    n1, n2 = len(x), len(y)
    shares, _ = _dominance(x, y)
    u = float(n1 * n2 * (1 + shares.mean()) / 2)
    _, counts = np.unique(np.concatenate([x, y]), return_counts=True)
    n = n1 + n2
    variance = n1 * n2 / 12 * (n + 1 - float((counts**3.0 - counts).sum()) / (n * (n - 1)))
    return round(2 * u) / 2, _normal_p(u - n1 * n2 / 2, variance)


def wilcoxon(change: FloatArray) -> tuple[float, float]:
    """V of the signed ranks, and its p."""
    from scipy.stats import rankdata

    change = change[change != 0]
    n = len(change)
    ranks = rankdata(np.abs(change))
    v = float(ranks[change > 0].sum())
    _, counts = np.unique(ranks, return_counts=True)
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((counts**3.0 - counts).sum()) / 48
    return v, _normal_p(v - n * (n + 1) / 4, variance)


def _normal_p(away: float, variance: float) -> float:
    """Two-sided, with correction for continuity."""
    from scipy.special import ndtr

    if not variance > 0:
        return math.nan
    return min(1.0, 2 * float(ndtr(-max(abs(away) - 0.5, 0.0) / math.sqrt(variance))))
