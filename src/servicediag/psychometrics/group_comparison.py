"""Two groups of scores, or two scores of the same people, compared: differences, effect sizes and their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._comparison_effects import (
    Effect,
    mann_whitney,
    mean_effects,
    order_effects,
    paired_effects,
    wilcoxon,
)
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_interval,
    apa_number,
    check_choice,
    check_level,
    numeric_series,
)
from servicediag.results import ConfidenceInterval

__all__ = ["GroupComparison", "PairedComparison", "compare_groups", "compare_paired"]

_SMALLEST = 1e-140  # differences whose squares underflow count as none


class _Comparison(Result):
    _effects: dict[str, Effect]

    def confidence_interval(self, level: float = 0.95, *, statistic: str = "difference") -> ConfidenceInterval:
        """Interval of one of the statistics.

        Parameters
        ----------
        level : float
            Between 0 and 1.
        statistic : str
            A name in the index of ``to_frame()``.

        Raises
        ------
        InsufficientDataError
            The statistic has no interval here, for example where the groups do not overlap at all.
        """
        level = check_level(level)
        check_choice("statistic", statistic, tuple(self._effects))
        interval = self._effects[statistic].interval(level)
        if math.isnan(interval.low):
            raise InsufficientDataError(
                f"{statistic} has no interval here: its sampling variance cannot be estimated, as where the groups do "
                "not overlap at all. Report the estimate and both groups."
            )
        return interval

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """A row a statistic.

        Returns
        -------
        DataFrame
            Index ``statistic``; columns estimate, ci_low, ci_high, ci_level, test (the value of its t or normal
            statistic), df, p, method.
        """
        level = check_level(level)
        rows = []
        for effect in self._effects.values():
            low, high = effect.interval(level)
            rows.append(
                {
                    "estimate": effect.estimate,
                    "ci_low": low,
                    "ci_high": high,
                    "ci_level": level,
                    "test": effect.statistic,
                    "df": effect.df,
                    "p": effect.p,
                    "method": effect.method,
                }
            )
        return pd.DataFrame(rows, index=pd.Index(list(self._effects), name="statistic"))


@dataclass(frozen=True, repr=False)
class GroupComparison(_Comparison):
    """Scores of two independent groups.

    Attributes
    ----------
    n_first, n_second, n_dropped : int
        Scores of each group, and missing ones in both.
    mean_first, mean_second, sd_first, sd_second : float
        Standard deviations with n - 1.
    difference : float
        Mean of the first group minus mean of the second.
    t, df, p : float
        Welch's test of equal means.
    cohens_d, hedges_g : float
        Difference in pooled standard deviations; ``hedges_g`` without its bias in small samples.
    glass_delta : float
        Difference in standard deviations of the second group.
    cliffs_delta : float
        Share of pairs in which the first is higher minus share in which it is lower, -1 to 1.
    superiority : float
        Chance that somebody of the first group scores higher than somebody of the second, ties counting half.
    brunner_munzel, brunner_munzel_df, brunner_munzel_p : float
        Test of a superiority of one half, without equal variances or normality.
    mann_whitney_u, mann_whitney_p : float
        Rank sum test with correction for ties and continuity.
    """

    n_first: int
    n_second: int
    n_dropped: int
    mean_first: float
    mean_second: float
    sd_first: float
    sd_second: float
    mann_whitney_u: float
    mann_whitney_p: float
    _effects: dict[str, Effect]

    _shown: ClassVar[tuple[str, ...]] = (
        "difference", "t", "df", "p", "hedges_g", "superiority", "n_first", "n_second",
    )  # fmt: skip

    @property
    def difference(self) -> float:
        """Difference of the means."""
        return self._effects["difference"].estimate

    @property
    def t(self) -> float:
        """Of the difference."""
        return self._effects["difference"].statistic

    @property
    def df(self) -> float:
        """Degrees of freedom of ``t``."""
        return self._effects["difference"].df

    @property
    def p(self) -> float:
        """Two-sided, of ``t``."""
        return self._effects["difference"].p

    @property
    def cohens_d(self) -> float:
        """In pooled standard deviations."""
        return self._effects["cohens_d"].estimate

    @property
    def hedges_g(self) -> float:
        """``cohens_d`` or the response mean, corrected for small samples."""
        return self._effects["hedges_g"].estimate

    @property
    def glass_delta(self) -> float:
        """In standard deviations of the second group."""
        return self._effects["glass_delta"].estimate

    @property
    def cliffs_delta(self) -> float:
        """Share of pairs won minus share lost."""
        return self._effects["cliffs_delta"].estimate

    @property
    def superiority(self) -> float:
        """Chance to score higher, ties counting half."""
        return self._effects["superiority"].estimate

    @property
    def brunner_munzel(self) -> float:
        """Test statistic of ``superiority``."""
        return self._effects["superiority"].statistic

    @property
    def brunner_munzel_df(self) -> float:
        """Its degrees of freedom."""
        return self._effects["superiority"].df

    @property
    def brunner_munzel_p(self) -> float:
        """Its two-sided p."""
        return self._effects["superiority"].p

    def describe(self) -> str:
        """One sentence in APA style."""
        interval = self.confidence_interval()
        return (
            f"The first group (M = {self.mean_first:.2f}, SD = {self.sd_first:.2f}, n = {self.n_first}) and the second "
            f"(M = {self.mean_second:.2f}, SD = {self.sd_second:.2f}, n = {self.n_second}) differed by "
            f"{apa_number(self.difference, leading_zero=True)}, {apa_interval(interval, leading_zero=True)}, "
            f"Welch's t({self.df:.1f}) = {self.t:.2f}, {_apa_p(self.p)}, Hedges' g = "
            f"{apa_number(self.hedges_g, leading_zero=True)}, "
            f"probability of superiority {apa_number(self.superiority)}."
        )


@dataclass(frozen=True, repr=False)
class PairedComparison(_Comparison):
    """Two scores of the same people.

    Attributes
    ----------
    n_pairs, n_dropped : int
        People with both scores, and those with one only.
    mean_before, mean_after, sd_before, sd_after, sd_difference : float
    correlation : float
        Of the two scores; NaN where one does not vary.
    difference : float
        Mean of ``after - before``.
    t, df, p : float
        Paired t test.
    standardized_response_mean : float
        Difference in standard deviations of the differences (also called d_z).
    hedges_g : float
        The same without its bias in small samples.
    repeated_measures_d : float
        Difference in standard deviations of a score, from that of the differences and the correlation.
    wilcoxon_v, wilcoxon_p : float
        Signed rank test: sum of the ranks of positive differences, zeros left out, normal approximation with
        correction for ties and continuity.
    """

    n_pairs: int
    n_dropped: int
    mean_before: float
    mean_after: float
    sd_before: float
    sd_after: float
    sd_difference: float
    correlation: float
    wilcoxon_v: float
    wilcoxon_p: float
    _effects: dict[str, Effect]

    _shown: ClassVar[tuple[str, ...]] = ("difference", "t", "df", "p", "standardized_response_mean", "n_pairs")

    @property
    def difference(self) -> float:
        """Difference of the means."""
        return self._effects["difference"].estimate

    @property
    def t(self) -> float:
        """Of the difference."""
        return self._effects["difference"].statistic

    @property
    def df(self) -> int:
        """Degrees of freedom of ``t``."""
        return int(self._effects["difference"].df)

    @property
    def p(self) -> float:
        """Two-sided, of ``t``."""
        return self._effects["difference"].p

    @property
    def standardized_response_mean(self) -> float:
        """In standard deviations of the differences."""
        return self._effects["standardized_response_mean"].estimate

    @property
    def hedges_g(self) -> float:
        """``cohens_d`` or the response mean, corrected for small samples."""
        return self._effects["hedges_g"].estimate

    @property
    def repeated_measures_d(self) -> float:
        """In standard deviations of a score."""
        return self._effects["repeated_measures_d"].estimate

    def describe(self) -> str:
        """One sentence in APA style."""
        interval = self.confidence_interval()
        return (
            f"Scores changed from M = {self.mean_before:.2f} (SD = {self.sd_before:.2f}) to M = {self.mean_after:.2f} "
            f"(SD = {self.sd_after:.2f}), by {apa_number(self.difference, leading_zero=True)}, "
            f"{apa_interval(interval, leading_zero=True)}, t({self.df}) = {self.t:.2f}, {_apa_p(self.p)}, standardised "
            f"response mean {apa_number(self.standardized_response_mean, leading_zero=True)}, n = {self.n_pairs}."
        )


def compare_groups(first: object, second: object) -> GroupComparison:
    """Compare the scores of two independent groups.

    Parameters
    ----------
    first, second : Series, array or list of numbers
        Scores; missing ones are left out and counted.

    Returns
    -------
    GroupComparison
        Every difference is first minus second.

    Raises
    ------
    InsufficientDataError
        Fewer than 2 scores in a group, or no score that differs from the others of its group.
    TypeError, ValueError
        Scores that are no numbers.

    Notes
    -----
    Means: Welch's t with ``(v1 / n1 + v2 / n2)^2 / sum((v / n)^2 / (n - 1))`` degrees of freedom [1]_. Standardised
    differences: limits from the noncentral t distribution, ``hedges_g`` with the exact correction
    ``gamma(df / 2) / (sqrt(df / 2) gamma((df - 1) / 2))`` [2]_. Cliff's delta: consistent variance and the asymmetric
    limits of [3]_ with t. Superiority: ``(delta + 1) / 2`` with the test and limits of [4]_.

    References
    ----------
    .. [1] Welch, B. L. (1947). Biometrika, 34, 28-35.
    .. [2] Hedges, L. V. (1981). Journal of Educational Statistics, 6, 107-128.
    .. [3] Cliff, N. (1996). Multivariate Behavioral Research, 31, 331-350; Feng, D., & Cliff, N. (2004). Journal of
       Modern Applied Statistical Methods, 3, 322-332.
    .. [4] Brunner, E., & Munzel, U. (2000). Biometrical Journal, 42, 17-25.

    Examples
    --------
    >>> result = compare_groups([4, 5, 3, 4, 5], [2, 4, 3, 3, 1])
    >>> round(result.difference, 3), round(result.df, 2), round(result.superiority, 2)
    (1.6, 7.34, 0.88)
    """
    x, dropped_first = _known(first, "first")
    y, dropped_second = _known(second, "second")
    for name, values in (("first", x), ("second", y)):
        if len(values) < 2:
            raise InsufficientDataError(
                f"Comparing groups needs at least 2 scores in each; {name} has {len(values)}. Collect more."
            )
    if max(np.ptp(x), np.ptp(y)) <= _SMALLEST:
        raise InsufficientDataError("Comparing groups needs scores that differ within a group; here none do.")
    u, u_p = mann_whitney(x, y)
    return GroupComparison(
        n_first=len(x),
        n_second=len(y),
        n_dropped=dropped_first + dropped_second,
        mean_first=float(x.mean()),
        mean_second=float(y.mean()),
        sd_first=float(x.std(ddof=1)),
        sd_second=float(y.std(ddof=1)),
        mann_whitney_u=u,
        mann_whitney_p=u_p,
        _effects=mean_effects(x, y) | order_effects(x, y),
    )


def compare_paired(before: object, after: object) -> PairedComparison:
    """Compare two scores of the same people.

    Parameters
    ----------
    before, after : Series, array or list of numbers
        Two Series are matched by their index, everything else by position. People with one score are left out.

    Returns
    -------
    PairedComparison
        Every difference is after minus before.

    Raises
    ------
    InsufficientDataError
        Fewer than 2 pairs, or differences that are all the same.
    TypeError, ValueError
        Scores that are no numbers, of different length, or a person who appears twice.

    Notes
    -----
    ``standardized_response_mean = mean / SD of the differences`` [1]_, limits from the noncentral t distribution;
    ``repeated_measures_d`` is that times ``sqrt(2 (1 - r))`` [2]_, its limits scaled alike.

    References
    ----------
    .. [1] Liang, M. H., Fossel, A. H., & Larson, M. G. (1990). Medical Care, 28, 632-642.
    .. [2] Morris, S. B., & DeShon, R. P. (2002). Psychological Methods, 7, 105-125.

    Examples
    --------
    >>> result = compare_paired([2, 3, 4, 2, 3], [3, 3, 5, 4, 4])
    >>> round(result.difference, 3), round(result.t, 3), round(result.standardized_response_mean, 3)
    (1.0, 3.162, 1.414)
    """
    first, second = _matched(before, after)
    both = ~(np.isnan(first) | np.isnan(second))
    x, y = first[both], second[both]
    change = y - x
    n = len(change)
    if n < 2 or not np.ptp(change) > max(1e-12 * np.abs(change).max(), _SMALLEST):
        raise InsufficientDataError(
            f"A paired comparison needs at least 2 people whose differences are not all the same; there are {n}."
        )
    spread = float(change.std(ddof=1))
    varies = np.ptp(x) > 0 and np.ptp(y) > 0
    correlation = float(np.corrcoef(x, y)[0, 1]) if varies else math.nan
    v, v_p = wilcoxon(change)
    return PairedComparison(
        n_pairs=n,
        n_dropped=len(first) - n,
        mean_before=float(x.mean()),
        mean_after=float(y.mean()),
        sd_before=float(x.std(ddof=1)),
        sd_after=float(y.std(ddof=1)),
        sd_difference=spread,
        correlation=correlation,
        wilcoxon_v=v,
        wilcoxon_p=v_p,
        _effects=paired_effects(float(change.mean()), spread, n, correlation),
    )


# ----------------------------------------------------------------------------------------------------------- input


def _known(scores: object, argument: str) -> tuple[FloatArray, int]:
    values = numeric_series(scores, argument).to_numpy()
    kept = values[~np.isnan(values)]
    return kept, len(values) - len(kept)


def _matched(before: object, after: object) -> tuple[FloatArray, FloatArray]:
    first, second = numeric_series(before, "before"), numeric_series(after, "after")
    if isinstance(before, pd.Series) and isinstance(after, pd.Series):
        for name, series in (("before", first), ("after", second)):
            if not series.index.is_unique:
                raise ValueError(f"{name} has more than one score for a person; give each its own index value")
        first, second = first.align(second, join="outer")
    elif len(first) != len(second):
        raise ValueError(f"before has {len(first)} scores and after {len(second)}; give two of each person")
    return first.to_numpy(), second.to_numpy()


def _apa_p(p: float) -> str:
    return "p < .001" if p < 0.001 else f"p = {apa_number(p, 3)}"
