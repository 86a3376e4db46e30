"""Shares and means of a survey: intervals for a finite population, and for clusters, strata and weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_interval,
    apa_number,
    check_choice,
    check_count,
    check_level,
    holding,
    numeric_series,
)
from servicediag.psychometrics._units import unit_codes
from servicediag.results import ConfidenceInterval

__all__ = ["ShareInterval", "SurveyMean", "SurveyShare", "survey_mean", "survey_share"]

ShareInterval = Literal["wilson", "wilson_continuity", "clopper_pearson", "agresti_coull"]
_METHODS = ("wilson", "wilson_continuity", "clopper_pearson", "agresti_coull")


@dataclass(frozen=True, repr=False)
class SurveyShare(Result):
    """A share of the respondents.

    Attributes
    ----------
    estimate : float
        0 to 1.
    count, n_respondents : int
    population_size : int or None
        People whom the answers stand for, where they are a sample of finitely many.
    """

    estimate: float
    count: int
    n_respondents: int
    population_size: int | None

    _shown: ClassVar[tuple[str, ...]] = ("estimate", "count", "n_respondents", "population_size")

    def confidence_interval(self, level: float = 0.95, method: ShareInterval = "wilson") -> ConfidenceInterval:
        """Interval of the share.

        Parameters
        ----------
        level : float
            Between 0 and 1.
        method : {"wilson", "wilson_continuity", "clopper_pearson", "agresti_coull"}
            Wilson's score interval, the same with correction for continuity, the exact binomial one, which is wide, or
            Agresti and Coull's approximation. With a population size all but the exact one use the number of
            respondents that is worth as much in an infinite population; the exact one is refused with ValueError.

        References
        ----------
        Wilson (1927), Journal of the American Statistical Association, 22, 209-212. Clopper & Pearson (1934),
        Biometrika, 26, 404-413. Newcombe (1998), Statistics in Medicine, 17, 857-872. Agresti & Coull (1998), The
        American Statistician, 52, 119-126.
        """
        level = check_level(level)
        check_choice("method", method, _METHODS)
        if method == "clopper_pearson":
            if self.population_size is not None:
                raise ValueError("method='clopper_pearson' takes no population_size; use 'wilson'")
            low, high = _exact_limits(self.count, self.n_respondents, level)
        else:
            low, high = self._score_limits(level, method)
        return holding(low, high, self.estimate, level=level, method=method)

    def _score_limits(self, level: float, method: str) -> tuple[float, float]:
        from scipy.special import ndtri

        if self.population_size == self.n_respondents:
            return self.estimate, self.estimate  # everybody was asked
        n = _worth(self.n_respondents, self.population_size)
        z, share = float(ndtri(0.5 + level / 2)), self.estimate
        weight = n + z**2
        if method == "agresti_coull":
            middle = (n * share + z**2 / 2) / weight
            half = z * math.sqrt(middle * (1 - middle) / weight)
            return middle - half, middle + half
        step = 0.5 / n if method == "wilson_continuity" else 0.0
        limits = []
        for sign in (-1, 1):
            moved = min(max(share + sign * step, 0.0), 1.0)
            half = z * math.sqrt(moved * (1 - moved) / n + z**2 / (4 * n**2))
            limits.append((n * moved + z**2 / 2 + sign * n * half) / weight)
        return limits[0], limits[1]

    def to_frame(self, level: float = 0.95, method: ShareInterval = "wilson") -> pd.DataFrame:
        """One row: estimate, limits, count and n."""
        interval = self.confidence_interval(level, method)
        row = {
            "estimate": self.estimate,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "ci_level": interval.level,
            "ci_method": interval.method,
            "count": self.count,
            "n_respondents": self.n_respondents,
        }
        return pd.DataFrame([row], index=pd.Index(["share"], name="statistic"))

    def describe(self) -> str:
        """One sentence in APA style."""
        of = f" of {self.population_size}" if self.population_size is not None else ""
        return (
            f"{self.count} of {self.n_respondents} respondents{of}, a share of {apa_number(self.estimate)}, "
            f"{apa_interval(self.confidence_interval())} (Wilson)."
        )


def survey_share(count: int, n_respondents: int, *, population_size: int | None = None) -> SurveyShare:
    """A share with intervals that hold near 0 and 1 and in small groups.

    Parameters
    ----------
    count, n_respondents : int
        How many of how many.
    population_size : int, optional
        All people whom the result is about, where the respondents are a sample of just these [1]_. Leave it out where
        it is about a process that goes on.

    Returns
    -------
    SurveyShare

    Raises
    ------
    InsufficientDataError
        No respondents.
    TypeError, ValueError
        Counts that do not fit each other.

    Notes
    -----
    With N people, n respondents are worth ``n (N - 1) / (N - n)`` of an infinite population.

    References
    ----------
    .. [1] Cochran, W. G. (1977). Sampling techniques (3rd ed.). Wiley.

    Examples
    --------
    >>> low, high = survey_share(8, 20).confidence_interval()
    >>> round(low, 3), round(high, 3)
    (0.219, 0.613)
    >>> low, high = survey_share(8, 20, population_size=25).confidence_interval()
    >>> round(low, 3), round(high, 3)
    (0.308, 0.5)
    """
    n = check_count("n_respondents", n_respondents, 0)
    count = check_count("count", count, 0)
    if not n:
        raise InsufficientDataError("A share needs at least 1 respondent.")
    if count > n:
        raise ValueError(f"count must be at most n_respondents ({n}), not {count}")
    if population_size is not None:
        population_size = check_count("population_size", population_size, n)
    return SurveyShare(count / n, count, n, population_size)


@dataclass(frozen=True, repr=False)
class SurveyMean(Result):
    """A mean, with the standard error that its sampling design implies.

    Attributes
    ----------
    estimate : float
    standard_error : float
    df : int
        Clusters (respondents, where there are none) minus strata.
    sd : float
        Standard deviation of the scores, weighted where there are weights, n - 1 in the denominator.
    design_effect : float
        Variance of the mean over that of a simple random sample of as many respondents.
    n_respondents, n_clusters, n_strata, n_dropped : int
        ``n_dropped`` respondents lack the score, or the weight, cluster or stratum.
    """

    estimate: float
    standard_error: float
    df: int
    sd: float
    design_effect: float
    n_respondents: int
    n_clusters: int
    n_strata: int
    n_dropped: int

    _shown: ClassVar[tuple[str, ...]] = ("estimate", "standard_error", "df", "design_effect", "n_respondents")

    def confidence_interval(self, level: float = 0.95) -> ConfidenceInterval:
        """Interval by the t distribution with ``df`` degrees of freedom."""
        from scipy.special import stdtrit

        level = check_level(level)
        half = float(stdtrit(self.df, 0.5 + level / 2)) * self.standard_error
        return ConfidenceInterval(self.estimate - half, self.estimate + half, level=level, method="t")

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row: estimate, limits, standard error, design effect and counts."""
        interval = self.confidence_interval(level)
        row = {
            "estimate": self.estimate,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "ci_level": interval.level,
            "standard_error": self.standard_error,
            "df": self.df,
            "sd": self.sd,
            "design_effect": self.design_effect,
            "n_respondents": self.n_respondents,
            "n_clusters": self.n_clusters,
            "n_strata": self.n_strata,
            "n_dropped": self.n_dropped,
        }
        return pd.DataFrame([row], index=pd.Index(["mean"], name="statistic"))

    def describe(self) -> str:
        """One sentence in APA style."""
        design = f" in {self.n_clusters} clusters" if self.n_clusters < self.n_respondents else ""
        return (
            f"The mean was {apa_number(self.estimate, leading_zero=True)}, "
            f"{apa_interval(self.confidence_interval(), leading_zero=True)}, SD = "
            f"{apa_number(self.sd, leading_zero=True)}, n = {self.n_respondents}{design}, design effect "
            f"{apa_number(self.design_effect, leading_zero=True)}."
        )


def survey_mean(
    scores: pd.Series,
    *,
    weights: pd.Series | None = None,
    clusters: object = None,
    strata: object = None,
    population_size: int | None = None,
) -> SurveyMean:
    """A mean whose standard error follows from the way in which the respondents were sampled.

    Parameters
    ----------
    scores : Series, array or list of numbers
    weights : Series, array or list of numbers, optional
        How many people each respondent stands for, up to a factor; above 0.
    clusters : Series, array or list, optional
        Groups that were sampled as wholes, such as branches, or that share a rater, such as the customers of one
        server.
    strata : Series, array or list, optional
        Groups within which sampling was done separately.
    population_size : int, optional
        Respondents (clusters, where given) in the population, where it is finite; not together with strata.

    Returns
    -------
    SurveyMean

    Raises
    ------
    InsufficientDataError
        Fewer than 2 respondents, or a stratum with one cluster only.
    TypeError, ValueError
        Arguments that do not fit each other.

    Notes
    -----
    Linearisation of the weighted mean [1]_: with ``z = w (y - mean) / sum(w)`` added up in clusters, the variance is
    ``(1 - f) sum over strata of m / (m - 1) sum (z - mean z)^2`` for m clusters in a stratum. Without a design it is
    the usual ``sd^2 / n``. Few clusters make it too small: the t distribution with clusters minus strata helps in part.

    References
    ----------
    .. [1] Lohr, S. L. (2019). Sampling: Design and analysis (2nd ed.). CRC Press. Binder, D. A. (1983). International
       Statistical Review, 51, 279-292.

    Examples
    --------
    >>> result = survey_mean([4, 5, 4, 2, 1, 2], clusters=["a", "a", "a", "b", "b", "b"])
    >>> round(result.estimate, 3), round(result.standard_error, 3), result.df
    (3.0, 1.333, 1)
    """
    series = numeric_series(scores, "scores")
    y = series.to_numpy()
    w = np.ones(len(y)) if weights is None else _weights(weights, len(y))
    cluster = np.arange(len(y)) if clusters is None else unit_codes(clusters, series.index)[0]
    stratum = np.zeros(len(y), dtype=np.int64) if strata is None else unit_codes(strata, series.index)[0]
    known = ~(np.isnan(y) | np.isnan(w)) & (cluster >= 0) & (stratum >= 0)
    y, w, cluster, stratum = y[known], w[known], cluster[known], stratum[known]
    n = len(y)
    if n < 2:
        raise InsufficientDataError(f"A mean with an interval needs at least 2 respondents; there are {n}.")
    if population_size is not None and strata is not None:
        raise ValueError("population_size and strata do not go together: give weights that add up to the strata")
    mean = float(w @ y / w.sum())
    moved, of_stratum = _cluster_totals(w * (y - mean) / w.sum(), cluster, stratum)
    variance = _between(moved, of_stratum)
    if population_size is not None:
        variance *= 1 - len(moved) / check_count("population_size", population_size, len(moved))
    spread = float(w @ (y - mean) ** 2 / w.sum()) * n / (n - 1)
    return SurveyMean(
        estimate=mean,
        standard_error=math.sqrt(variance),
        df=len(moved) - int(of_stratum.max()) - 1,
        sd=math.sqrt(spread),
        design_effect=variance * n / spread if spread > 0 else math.nan,
        n_respondents=n,
        n_clusters=len(moved),
        n_strata=int(of_stratum.max()) + 1,
        n_dropped=len(known) - n,
    )


def _weights(weights: object, n: int) -> FloatArray:
    values = numeric_series(weights, "weights").to_numpy()
    if len(values) != n:
        raise ValueError(f"weights has {len(values)} numbers and there are {n} scores; give one each")
    if (values <= 0).any():
        raise ValueError("weights must be above 0; leave out respondents who stand for nobody")
    return np.asarray(values, dtype=np.float64)


def _cluster_totals(
    values: FloatArray, cluster: npt.NDArray[np.int64], stratum: npt.NDArray[np.int64]
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Total of each cluster within its stratum, and the position of the stratum, from 0 without gaps."""
    stratum = np.unique(stratum, return_inverse=True)[1]
    pairs = stratum * (int(cluster.max()) + 1) + cluster
    found, place = np.unique(pairs, return_inverse=True)
    totals: FloatArray = np.bincount(place, values).astype(np.float64)
    return totals, np.asarray(found // (int(cluster.max()) + 1), dtype=np.int64)


def _between(totals: FloatArray, stratum: npt.NDArray[np.int64]) -> float:
    size = np.bincount(stratum)
    if (size < 2).any():
        what = "cluster" if len(size) == 1 else "cluster or respondent in a stratum"
        raise InsufficientDataError(
            f"One {what} alone shows no variation between such: join strata, or sample more clusters."
        )
    away = totals - (np.bincount(stratum, totals) / size)[stratum]
    return float((size / (size - 1) * np.bincount(stratum, away**2)).sum())


def _worth(n: int, population_size: int | None) -> float:
    return float(n) if population_size is None else n * (population_size - 1) / (population_size - n)


def _exact_limits(count: int, n: int, level: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(count, n - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return low, high
