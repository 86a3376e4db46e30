"""Cronbach's alpha with its intervals, from answers or from a covariance matrix."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import _moments
from servicediag.psychometrics._frames import (
    EstimateResult,
    FloatArray,
    apa_interval,
    apa_number,
    check_choice,
    check_level,
    holding,
    name_list,
    printed_method,
)
from servicediag.psychometrics._moments import DroppedItem, Missing, Moments
from servicediag.psychometrics._resampling import PairwiseSums, Progress, TotalSums, bootstrap_interval
from servicediag.psychometrics.benchmarks_rules import Coefficient
from servicediag.results import ConfidenceInterval

__all__ = ["AlphaInterval", "CronbachAlpha", "alpha_from_covariance", "alpha_from_moments", "cronbach_alpha"]

AlphaInterval = Literal["feldt", "bonett", "duhachek", "percentile", "bca", "bootstrap"]
_METHODS = ("feldt", "bonett", "duhachek", "percentile", "bca", "bootstrap")
_STATISTIC = "Cronbach's alpha"


@dataclass(frozen=True, repr=False)
class CronbachAlpha(EstimateResult):
    """Cronbach's alpha of the sum of some items.

    Attributes
    ----------
    estimate : float
        Raw alpha, from the covariances; at most 1, negative where items disagree.
    standardized : float
        Alpha of the standardised items, from the mean correlation.
    n_items, n_respondents, n_dropped : int
        Items and respondents that count, and respondents left out for missing answers.
    n_smallest : int
        Fewest respondents behind any covariance: ``n_respondents`` where listwise; the analytic intervals use it.
    missing : {"listwise", "pairwise"}
    items : tuple
        Items that count.
    dropped_items : tuple of DroppedItem
        Constant items, which take no part, and why.
    mean_inter_item_correlation, median_inter_item_correlation : float
    standard_error : float
        Asymptotic under normality (van Zyl, Neudecker & Nel 2000).
    negative_items : tuple
        Items whose correlation with the sum of the others is negative.
    notes : tuple of str
        What a reader should know.
    moments : Moments
        The covariances behind it.
    """

    estimate: float
    standardized: float
    n_items: int
    n_respondents: int
    n_dropped: int
    n_smallest: int
    missing: Missing
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    mean_inter_item_correlation: float
    median_inter_item_correlation: float
    standard_error: float
    negative_items: tuple[Hashable, ...]
    notes: tuple[str, ...]
    moments: Moments = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("estimate", "standardized", "n_items", "n_respondents", "n_dropped")
    _coefficient: ClassVar[Coefficient] = "reliability"

    def confidence_interval(
        self,
        level: float = 0.95,
        method: AlphaInterval = "feldt",
        *,
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> ConfidenceInterval:
        """Interval of alpha.

        Parameters
        ----------
        level : float
            Between 0 and 1. At levels below .37 the Feldt limits are widened to hold the estimate.
        method : {"feldt", "bonett", "duhachek", "percentile", "bca", "bootstrap"}
            ``feldt``: exact for parallel normal items, from the F distribution. ``bonett``: normal for
            ``ln(1 - alpha)``, without the correction of 2015. ``duhachek``: normal theory for any covariance matrix,
            symmetric. ``percentile`` and ``bca`` resample respondents; ``bootstrap`` means ``bca``. With pairwise
            covariances the first three use the smallest number of joint answers and say so in ``.method``.
        n_resamples, seed, progress
            For resampling; ``progress(done, total)`` is called now and then.

        Returns
        -------
        ConfidenceInterval
            Not clamped to any range. A resampled one also carries ``n_resamples`` and ``n_failed``.

        References
        ----------
        Feldt (1965), Psychometrika, 30, 357-370. Feldt, Woodruff & Salih (1987), Applied Psychological Measurement,
        11, 93-103. Bonett (2002), Journal of Educational and Behavioral Statistics, 27, 335-340. van Zyl, Neudecker &
        Nel (2000), Psychometrika, 65, 271-280. Duhachek & Iacobucci (2004), Journal of Applied Psychology, 89,
        792-808. Efron (1987), Journal of the American Statistical Association, 82, 171-185.
        """
        level = check_level(level)
        check_choice("method", method, _METHODS)
        if method == "percentile" or method == "bca" or method == "bootstrap":
            return bootstrap_interval(
                _alpha_sums(self.moments),
                self.estimate,
                level=level,
                method="percentile" if method == "percentile" else "bca",
                n_resamples=n_resamples,
                seed=seed,
                progress=progress,
            )
        low, high = _analytic_limits(self, level, method)
        label = f"{method} (smallest pairwise n)" if self.missing == "pairwise" else method
        return holding(low, high, self.estimate, level=level, method=label)

    def to_frame(self, level: float = 0.95, method: AlphaInterval = "feldt") -> pd.DataFrame:
        """One row: estimate, limits, standardised alpha, mean correlation, counts."""
        interval = self.confidence_interval(level, method)
        row = {
            "estimate": self.estimate,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "ci_level": interval.level,
            "ci_method": interval.method,
            "standardized": self.standardized,
            "mean_inter_item_correlation": self.mean_inter_item_correlation,
            "n_items": self.n_items,
            "n_respondents": self.n_respondents,
            "n_dropped": self.n_dropped,
        }
        return pd.DataFrame([row], index=pd.Index(["cronbach_alpha"], name="coefficient"))

    def describe(self, level: float = 0.95, method: AlphaInterval = "feldt") -> str:
        """One sentence in APA style, with the notes."""
        row = self.to_frame(level, method).iloc[0]
        interval = ConfidenceInterval(row.ci_low, row.ci_high, level=row.ci_level, method=row.ci_method)
        sentence = (
            f"Cronbach's alpha of {row.n_items} items was {apa_number(row.estimate)}, {apa_interval(interval)} "
            f"({printed_method(row.ci_method)}), n = {row.n_respondents}."
        )
        return " ".join([sentence, *self.notes])


def cronbach_alpha(items: pd.DataFrame, *, missing: Missing = "listwise") -> CronbachAlpha:
    """Cronbach's alpha, a lower bound to the reliability of a sum score under uncorrelated errors.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Scored answers of one scale, reverse-keyed items already turned.
    missing : {"listwise", "pairwise"}
        ``listwise``: respondents with any missing answer are left out and counted in ``n_dropped``. ``pairwise``:
        every covariance comes from those who answered both items.

    Returns
    -------
    CronbachAlpha
        ``estimate`` is at most 1 (listwise) and negative where items disagree; it is never clamped. Constant items
        take no part and are listed in ``dropped_items``.

    Raises
    ------
    InsufficientDataError
        Fewer than 2 items that vary or 2 respondents that count, or a total score that does not vary.
    ValueError
        Answers that are no numbers, or an unknown policy.

    Notes
    -----
    ``k / (k - 1) * (1 - sum of item variances / variance of the total)``: Guttman's lambda 3 [1]_ [2]_.

    References
    ----------
    .. [1] Cronbach, L. J. (1951). Psychometrika, 16, 297-334.
    .. [2] Guttman, L. (1945). Psychometrika, 10, 255-282.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 4, 5, 3], "q2": [2, 2, 4, 5, 2], "q3": [1, 3, 4, 4, 3]})
    >>> cronbach_alpha(answers)
    CronbachAlpha(estimate=0.9375, standardized=0.9403, n_items=3, n_respondents=5, n_dropped=0)
    >>> low, high = cronbach_alpha(answers).confidence_interval()
    >>> round(low, 3), round(high, 3)
    (0.684, 0.993)
    """
    return alpha_from_moments(_moments.moments(items, missing, statistic=_STATISTIC))


def alpha_from_covariance(
    covariance: pd.DataFrame | FloatArray, n_respondents: int, *, items: tuple[Hashable, ...] | None = None
) -> CronbachAlpha:
    """Cronbach's alpha where only sums were kept.

    Parameters
    ----------
    covariance : DataFrame or ndarray, shape (n_items, n_items)
        ddof 1, of the respondents who answered every item. A DataFrame also names the items.
    n_respondents : int
        Respondents behind it.
    items : tuple, optional
        Names of the items.

    Returns
    -------
    CronbachAlpha
        As from answers; intervals by resampling are refused with ValueError.

    Examples
    --------
    >>> round(alpha_from_covariance([[1.0, 0.5], [0.5, 1.0]], 100).estimate, 4)
    0.6667
    """
    known = _moments.moments_from_covariance(covariance, n_respondents, items=items, statistic=_STATISTIC)
    return alpha_from_moments(known)


def alpha_from_moments(known: Moments) -> CronbachAlpha:
    """Cronbach's alpha from moments that were already checked."""
    covariance = known.covariance
    k = known.n_items
    correlations = known.correlation[np.triu_indices(k, 1)]
    mean = float(correlations.mean())
    denominator = 1 + (k - 1) * mean
    estimate = float(alpha_value(np.trace(covariance), known.total_variance, k))
    if known.missing == "listwise":
        estimate = min(estimate, 1.0)  # beyond 1 by rounding only
    negative = tuple(known.items[i] for i in np.flatnonzero(rest_covariances(covariance) < 0))
    return CronbachAlpha(
        estimate=estimate,
        standardized=k * mean / denominator if denominator > 1e-12 else math.nan,
        n_items=k,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        n_smallest=known.n_smallest,
        missing=known.missing,
        items=known.items,
        dropped_items=known.dropped_items,
        mean_inter_item_correlation=mean,
        median_inter_item_correlation=float(np.median(correlations)),
        standard_error=math.sqrt(max(alpha_variance(covariance), 0.0) / known.n_smallest),
        negative_items=negative,
        notes=_notes(estimate, negative, known),
        moments=known,
    )


def alpha_value(trace: FloatArray | float, total: FloatArray | float, k: int) -> FloatArray:
    """Alpha from the sum of item variances and the variance of the total; NaN where the total does not vary."""
    trace, total = np.asarray(trace, dtype=np.float64), np.asarray(total, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 - (k * trace - total) / ((k - 1) * total)
    return np.where(total > 1e-12 * trace, value, np.nan)


def rest_covariances(covariance: FloatArray) -> FloatArray:
    """Covariance of each item with the sum of the others, exact zeros being freed of rounding."""
    diagonal = np.diag(covariance)
    values: FloatArray = covariance.sum(axis=1) - diagonal
    return np.where(np.abs(values) <= 1e-13 * np.abs(covariance).sum(axis=1), 0.0, values)


def alpha_variance(covariance: FloatArray) -> float:
    """Asymptotic variance of alpha times n, normal theory (van Zyl, Neudecker & Nel 2000)."""
    k = len(covariance)
    covariance = covariance / float(covariance.sum())  # the total now has variance 1
    trace = float(np.trace(covariance))
    column_sums = covariance.sum(axis=0)
    inner = float((covariance**2).sum()) + trace**2 - 2 * trace * float(column_sums @ column_sums)
    return 2 * k**2 / (k - 1) ** 2 * inner


def _analytic_limits(result: CronbachAlpha, level: float, method: str) -> tuple[float, float]:
    from scipy.special import ndtri

    n, k = result.n_smallest, result.n_items
    unreliable = 1 - result.estimate
    tail = (1 - level) / 2
    z = -float(ndtri(tail))
    if method == "feldt":
        from scipy.special import fdtri

        if unreliable == 0:
            return result.estimate, result.estimate
        between, within = n - 1, (n - 1) * (k - 1)
        # The upper quantile as the reciprocal of a lower one keeps small tails exact.
        reciprocal = float(fdtri(within, between, tail))
        low = 1 - unreliable / reciprocal if reciprocal > 0 else -math.inf
        return low, 1 - unreliable * float(fdtri(between, within, tail))
    if method == "bonett":
        if n < 3:
            raise InsufficientDataError(f"Bonett's interval needs at least 3 respondents, not {n}; use method='feldt'.")
        width = z * math.sqrt(2 * k / ((k - 1) * (n - 2)))
        return 1 - unreliable * math.exp(width), 1 - unreliable * math.exp(-width)
    return result.estimate - z * result.standard_error, result.estimate + z * result.standard_error


def _alpha_sums(known: Moments) -> TotalSums | PairwiseSums:
    answers = known.answers("a bootstrap interval")
    if known.missing == "listwise":
        return TotalSums(answers, alpha_value)
    return PairwiseSums(
        answers,
        lambda matrices: alpha_value(
            np.trace(matrices, axis1=1, axis2=2), matrices.sum(axis=(1, 2)), matrices.shape[-1]
        ),
    )


def _notes(estimate: float, negative: tuple[Hashable, ...], known: Moments) -> tuple[str, ...]:
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if negative:
        reading = "Alpha is negative: the items" if estimate < 0 else "These items"
        notes.append(f"{reading} correlate negatively with the rest: {name_list(negative)}; check their keying.")
    elif estimate < 0:
        notes.append("Alpha is negative: the items vary against each other; check their keying.")
    if known.missing == "pairwise":
        notes.append(f"Covariances are pairwise, each from at least {known.n_smallest} respondents.")
        if np.linalg.eigvalsh(known.covariance)[0] < -1e-10 * np.trace(known.covariance):
            notes.append("The pairwise covariance matrix is indefinite: no set of complete answers could give it.")
    return tuple(notes)
