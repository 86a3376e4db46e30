"""Comparison of two Cronbach's alphas, of different or of the same respondents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_interval,
    apa_number,
    check_choice,
    check_level,
    holding,
    numeric_frame,
)
from servicediag.psychometrics._moments import Moments
from servicediag.psychometrics.alpha import CronbachAlpha, alpha_variance, cronbach_alpha
from servicediag.psychometrics.measurement_error import two_sided_limit
from servicediag.results import ConfidenceInterval

__all__ = ["AlphaComparison", "compare_alphas"]

Design = Literal["independent", "dependent"]
Test = Literal["feldt", "bonett"]


@dataclass(frozen=True, repr=False)
class AlphaComparison(Result):
    """Difference of two alphas, with a test of no difference.

    Attributes
    ----------
    estimate : float
        First alpha minus second, also ``difference``.
    first, second : CronbachAlpha
    design : {"independent", "dependent"}
    method : {"feldt", "bonett"}
        The test.
    statistic : float
        Independent: ``(1 - second) / (1 - first)`` (Feldt) or a standard normal z (Bonett). Dependent: Student's t.
    df : float
        Degrees of freedom of t; NaN otherwise.
    p : float
        Two-sided.
    correlation : float
        Between the two total scores; NaN where the design is independent.
    """

    estimate: float
    first: CronbachAlpha
    second: CronbachAlpha
    design: Design
    method: Test
    statistic: float
    df: float
    p: float
    correlation: float
    _variance: float

    _shown: ClassVar[tuple[str, ...]] = ("difference", "design", "method", "statistic", "p")

    @property
    def difference(self) -> float:
        """First alpha minus second."""
        return self.estimate

    def confidence_interval(self, level: float = 0.95) -> ConfidenceInterval:
        """Interval of the difference.

        Notes
        -----
        Independent: the limits of both alphas are combined so that skewness is kept (Bonett & Wright 2015; Zou 2007,
        Psychological Methods, 12, 399-413), with Feldt's or Bonett's limits as the test has it. Dependent: delta
        method under normality, from the joint covariance matrix of all items (as van Zyl, Neudecker & Nel 2000 for
        one alpha).
        """
        level = check_level(level)
        if self.design == "dependent":
            reach = two_sided_limit(level) * math.sqrt(self._variance / self.first.n_respondents)
            return holding(self.estimate - reach, self.estimate + reach, self.estimate, level=level, method="delta")
        one = self.first.confidence_interval(level, self.method)
        two = self.second.confidence_interval(level, self.method)
        below = math.hypot(self.first.estimate - one.low, two.high - self.second.estimate)
        above = math.hypot(one.high - self.first.estimate, self.second.estimate - two.low)
        return holding(
            self.estimate - below, self.estimate + above, self.estimate, level=level, method=f"{self.method}, combined"
        )

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row: both alphas, their difference with its limits, the test."""
        interval = self.confidence_interval(level)
        row = {
            "first": self.first.estimate,
            "second": self.second.estimate,
            "difference": self.estimate,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "ci_level": level,
            "ci_method": interval.method,
            "statistic": self.statistic,
            "df": self.df,
            "p": self.p,
            "n_first": self.first.n_respondents,
            "n_second": self.second.n_respondents,
        }
        return pd.DataFrame([row], index=pd.Index(["difference of alphas"], name="coefficient"))

    def describe(self) -> str:
        """One sentence in APA style."""
        row = self.to_frame().iloc[0]
        interval = ConfidenceInterval(row.ci_low, row.ci_high)
        name = "t" if self.design == "dependent" else {"feldt": "W", "bonett": "z"}[self.method]
        df = f"({row.df:.0f})" if self.design == "dependent" else ""
        p = "p < .001" if row.p < 0.001 else f"p = {apa_number(row.p, 3)}"
        return (
            f"The alphas {apa_number(row['first'])} and {apa_number(row['second'])} differed by "
            f"{apa_number(row.difference)}, {apa_interval(interval)}, {name}{df} = "
            f"{apa_number(row.statistic, leading_zero=True)}, {p} ({self.design} respondents, n = {row.n_first:.0f} "
            f"and {row.n_second:.0f})."
        )


def compare_alphas(
    first: pd.DataFrame, second: pd.DataFrame, *, design: Design = "independent", method: Test = "feldt"
) -> AlphaComparison:
    """Test whether two Cronbach's alphas differ.

    Parameters
    ----------
    first, second : DataFrame, shape (n_respondents, n_items)
        Items of each scale; listwise in each. With a dependent design they are matched by index, and respondents
        count who answered every item of both.
    design : {"independent", "dependent"}
        Different respondents (two groups answering the same scale), or the same (two scales, or two waves).
    method : {"feldt", "bonett"}
        Test for the independent design: Feldt's ratio, whose tail is integrated exactly under his model, or Bonett's
        normal approximation. The dependent design uses Feldt's t.

    Returns
    -------
    AlphaComparison

    Raises
    ------
    InsufficientDataError
        As :func:`cronbach_alpha`; fewer than 3 respondents; or an alpha of exactly 1, where the tests are undefined.
    ValueError
        An unknown choice, or a dependent design in which a respondent appears twice.

    Notes
    -----
    Independent, Feldt [1]_: under equal alphas ``(1 - a2) / (1 - a1)`` is a ratio of two independent F variables with
    ``(n - 1)(k - 1)`` and ``n - 1`` degrees of freedom. Bonett [2]_: ``ln(1 - a)`` has variance
    ``2k / ((k - 1)(n - 2))``. Dependent [3]_: ``t = (a1 - a2) sqrt(n - 2) / sqrt(4 (1 - a1)(1 - a2)(1 - r^2))`` with r
    the correlation of the totals.

    References
    ----------
    .. [1] Feldt, L. S. (1969). Psychometrika, 34, 363-373.
    .. [2] Bonett, D. G. (2003). Applied Psychological Measurement, 27, 72-74.
    .. [3] Feldt, L. S. (1980). Psychometrika, 45, 99-105.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> trait = rng.normal(size=(200, 1))
    >>> good = pd.DataFrame(trait + 0.7 * rng.normal(size=(200, 4)))
    >>> poor = pd.DataFrame(trait + 1.5 * rng.normal(size=(200, 4)))
    >>> result = compare_alphas(good, poor)
    >>> result.difference > 0, result.p < 0.001
    (True, True)
    """
    check_choice("design", design, ("independent", "dependent"))
    check_choice("method", method, ("feldt", "bonett"))
    if design == "dependent":
        return _dependent(first, second)
    one, two = cronbach_alpha(first), cronbach_alpha(second)
    _refuse(one, two)
    if method == "bonett":
        spread = math.sqrt(sum(2 * a.n_items / ((a.n_items - 1) * (a.n_respondents - 2)) for a in (one, two)))
        statistic = (math.log1p(-two.estimate) - math.log1p(-one.estimate)) / spread
        p = _normal_p(statistic)
    else:
        statistic = (1 - two.estimate) / (1 - one.estimate)
        p = _ratio_p(statistic, one, two)
    return AlphaComparison(
        estimate=one.estimate - two.estimate,
        first=one,
        second=two,
        design=design,
        method=method,
        statistic=statistic,
        df=math.nan,
        p=p,
        correlation=math.nan,
        _variance=math.nan,
    )


def _refuse(one: CronbachAlpha, two: CronbachAlpha) -> None:
    if min(one.n_respondents, two.n_respondents) < 3:
        raise InsufficientDataError(
            f"Comparing alphas needs at least 3 respondents in each; there are {one.n_respondents} and "
            f"{two.n_respondents}."
        )
    if max(one.estimate, two.estimate) >= 1 - 1e-12:
        raise InsufficientDataError(
            "Comparing alphas is undefined where one of them is 1: its items are copies of each other. Drop copies."
        )


def _normal_p(z: float) -> float:
    from scipy.special import ndtr

    return 2 * float(ndtr(-abs(z)))


def _ratio_p(ratio: float, one: CronbachAlpha, two: CronbachAlpha) -> float:
    """Two-sided tail of the ratio of two independent F variables.

    Over the quantiles u of the second, P(F2 / F1 > w) is the mean of P(F1 < F2 / w). Gauss-Legendre nodes on u, with a
    substitution that crowds them at both ends.
    """
    from scipy.special import fdtr, fdtrc, fdtri

    nodes, weights = np.polynomial.legendre.leggauss(128)
    angle = (nodes + 1) * math.pi / 4
    share, weights = np.sin(angle) ** 2, weights * math.pi / 4 * np.sin(2 * angle)
    df1 = ((one.n_respondents - 1) * (one.n_items - 1), one.n_respondents - 1)
    df2 = ((two.n_respondents - 1) * (two.n_items - 1), two.n_respondents - 1)
    other = fdtri(*df2, share)
    above = float(weights @ fdtr(*df1, other / ratio))
    below = float(weights @ fdtrc(*df1, other / ratio))
    return min(1.0, 2 * min(above, below))


def _dependent(first: pd.DataFrame, second: pd.DataFrame) -> AlphaComparison:
    one, two = (cronbach_alpha(table) for table in _answered_both(first, second))
    _refuse(one, two)
    n = one.n_respondents
    left, right = (alpha.moments.answers("a comparison") for alpha in (one, two))
    scale = math.sqrt(one.moments.total_variance) * math.sqrt(two.moments.total_variance)
    across = left.T @ right / (n - 1) / scale  # both totals now have variance 1
    correlation = float(across.sum())
    unshared = 4 * (1 - one.estimate) * (1 - two.estimate) * (1 - correlation**2)
    if not unshared > 1e-14:
        raise InsufficientDataError("Comparing alphas is undefined: the two total scores are the same measure.")
    difference = one.estimate - two.estimate
    statistic = difference * math.sqrt(n - 2) / math.sqrt(unshared)
    shared = 2 * float(np.trace(_gradient(one.moments) @ across @ _gradient(two.moments) @ across.T))
    variance = alpha_variance(one.moments.covariance) + alpha_variance(two.moments.covariance) - 2 * shared
    return AlphaComparison(
        estimate=difference,
        first=one,
        second=two,
        design="dependent",
        method="feldt",
        statistic=statistic,
        df=n - 2,
        p=_student_p(statistic, n - 2),
        correlation=correlation,
        _variance=max(variance, 0.0),
    )


def _answered_both(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    for argument, table in (("first", first), ("second", second)):
        if not isinstance(table, pd.DataFrame):
            raise TypeError(f"{argument} must be a DataFrame (respondents x items), not {type(table).__name__}")
        if not table.index.is_unique:
            raise ValueError(f"{argument} holds a respondent more than once; keep one row a respondent")
    common = first.index.intersection(second.index, sort=False)
    one, two = first.loc[common], second.loc[common]
    both = numeric_frame(one, "first").complete & numeric_frame(two, "second").complete
    return one.loc[both], two.loc[both]


def _gradient(known: Moments) -> FloatArray:
    """The symmetric matrix G for which d alpha = trace(G dC), the total having variance 1."""
    k = known.n_items
    trace = float(np.trace(known.covariance)) / known.total_variance
    gradient: FloatArray = k / (k - 1) * (trace * np.ones((k, k)) - np.eye(k))
    return gradient


def _student_p(t: float, df: int) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(t)))
