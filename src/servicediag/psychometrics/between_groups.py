"""Whether scores differ between units enough to be averaged: ICC(1), ICC(2), F and eta squared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._anova import apa_f_test, f_limits, f_test, rounding_floor, smallest_spread
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_interval,
    apa_number,
    check_choice,
    check_level,
    holding,
    numeric_series,
)
from servicediag.psychometrics._units import unit_codes
from servicediag.psychometrics.benchmarks_rules import Interpretation, RuleSet, judge, rule_set
from servicediag.results import ConfidenceInterval

__all__ = ["Aggregation", "GroupSize", "aggregation"]

GroupSize = Literal["anova", "mean"]
Index = Literal["icc1", "icc2"]


@dataclass(frozen=True, repr=False)
class Aggregation(Result):
    """How much of the differences between respondents lies between their units.

    Attributes
    ----------
    n_units, n_respondents, n_dropped : int
        Units, respondents used, and respondents without a score or a unit.
    mean_square_between, mean_square_within : float
    typical_size : float
        The group size in ICC(1), by the convention in ``group_size``.
    group_size : {"anova", "mean"}
    eta_squared : float
        Share of the total sum of squares that lies between units, 0 to 1.
    """

    n_units: int
    n_respondents: int
    n_dropped: int
    mean_square_between: float
    mean_square_within: float
    typical_size: float
    group_size: GroupSize
    eta_squared: float

    _shown = ("icc1", "icc2", "f", "p", "eta_squared", "n_units", "n_respondents")

    @property
    def df1(self) -> int:
        """Degrees of freedom between units."""
        return self.n_units - 1

    @property
    def df2(self) -> int:
        """Degrees of freedom within units."""
        return self.n_respondents - self.n_units

    @property
    def f(self) -> float:
        """F test of equal unit means."""
        return f_test(self.mean_square_between, self.mean_square_within, self.df1, self.df2)[0]

    @property
    def p(self) -> float:
        """Upper-tail probability of ``f``."""
        return f_test(self.mean_square_between, self.mean_square_within, self.df1, self.df2)[1]

    @property
    def icc1(self) -> float:
        """Reliability of one respondent's score as a measure of the unit; negative values are kept."""
        return self._icc1(self.mean_square_between, self.mean_square_within)

    @property
    def icc2(self) -> float:
        """Reliability of the unit means; negative values are kept, NaN where the means do not differ at all."""
        return self._icc2(self.mean_square_between, self.mean_square_within)

    def _icc1(self, between: float, within: float) -> float:
        return (between - within) / (between + (self.typical_size - 1) * within)

    def _icc2(self, between: float, within: float) -> float:
        return (between - within) / between if between > 0 else math.nan

    def confidence_interval(
        self, level: float = 0.95, method: Literal["f"] = "f", *, coefficient: Index = "icc1"
    ) -> ConfidenceInterval:
        """Interval from the F distribution: exact for normal scores and units of equal size, else approximate.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1. At levels below about .4 the limits are widened to hold the estimate.
        method : {"f"}
            From the F distribution.
        coefficient : {"icc1", "icc2"}
        """
        check_choice("coefficient", coefficient, ("icc1", "icc2"))
        check_choice("method", method, ("f",))
        level = check_level(level)
        estimate = getattr(self, coefficient)
        if math.isnan(estimate):
            raise InsufficientDataError("ICC(2) is undefined: the unit means do not differ. Report ICC(1).")
        divisor, factor = f_limits(self.df1, self.df2, level)
        formula = self._icc1 if coefficient == "icc1" else self._icc2
        low = formula(self.mean_square_between / divisor, self.mean_square_within)
        high = formula(self.mean_square_between, self.mean_square_within / factor)
        return holding(low, high, estimate, level=level, method=method)

    def interpret(
        self, rules: str | RuleSet | None = None, *, level: float = 0.95, coefficient: Index = "icc1"
    ) -> Interpretation:
        """Read the interval of ICC(1) or ICC(2) by a named rule set."""
        check_choice("coefficient", coefficient, ("icc1", "icc2"))
        interval = self.confidence_interval(level, coefficient=coefficient)
        return judge(rule_set(rules, coefficient), getattr(self, coefficient), interval)

    def to_frame(self, *, level: float = 0.95) -> pd.DataFrame:
        """One row with every number.

        Returns
        -------
        DataFrame
            Columns icc1, icc1_low, icc1_high, icc2, icc2_low, icc2_high, f, df1, df2, p, eta_squared, n_units,
            n_respondents, n_dropped, typical_size, group_size, note.
        """
        low, high = self.confidence_interval(level)
        low2 = high2 = math.nan
        defined = not math.isnan(self.icc2)
        if defined:
            low2, high2 = self.confidence_interval(level, coefficient="icc2")
        row = {
            "icc1": self.icc1,
            "icc1_low": low,
            "icc1_high": high,
            "icc2": self.icc2,
            "icc2_low": low2,
            "icc2_high": high2,
            "f": self.f,
            "df1": self.df1,
            "df2": self.df2,
            "p": self.p,
            "eta_squared": self.eta_squared,
            "n_units": self.n_units,
            "n_respondents": self.n_respondents,
            "n_dropped": self.n_dropped,
            "typical_size": self.typical_size,
            "group_size": self.group_size,
            "note": "" if defined else "icc2 undefined: the unit means do not differ",
        }
        return pd.DataFrame([row])

    def describe(self) -> str:
        """One sentence in APA style."""
        row = self.to_frame().iloc[0]
        interval = apa_interval(ConfidenceInterval(row["icc1_low"], row["icc1_high"]))
        test = apa_f_test(row["f"], row["df1"], row["df2"], row["p"])
        return (
            f"ICC(1) was {apa_number(row['icc1'])}, {interval}, and ICC(2) {apa_number(row['icc2'])}, {test}, "
            f"eta squared = {apa_number(row['eta_squared'])} ({row['n_respondents']} respondents in "
            f"{row['n_units']} units)."
        )


def aggregation(
    scores: pd.Series,
    units: pd.Series | Sequence[Any] | npt.NDArray[Any],
    *,
    group_size: GroupSize = "anova",
) -> Aggregation:
    """ICC(1), ICC(2) and the F test behind them: may scores be averaged within units?

    Parameters
    ----------
    scores : Series, shape (n_respondents,)
        One score a respondent. Those without a score or a unit are left out and counted in ``n_dropped``.
    units : Series, array or list, length n_respondents
        The unit of every respondent; a Series is matched by its index.
    group_size : {"anova", "mean"}
        What stands for the size of unequal units in ICC(1): ``(N - sum(n**2) / N) / (J - 1)``, which makes the
        variance between units unbiased [3]_, or the mean ``N / J``. Units of equal size make no difference.

    Returns
    -------
    Aggregation

    Raises
    ------
    InsufficientDataError
        Fewer than 2 units, no unit with 2 respondents, or no variation.
    TypeError, ValueError
        ``scores`` are no numbers, or ``units`` do not fit them.

    Notes
    -----
    From the mean squares between (B) and within (W) units: ICC(1) = (B - W) / (B + (m - 1) W) with m the group size
    [1]_; ICC(2) = (B - W) / B [1]_ [2]_; eta squared = sum of squares between / total, biased upwards in small units
    [3]_.

    References
    ----------
    .. [1] Bartko, J. J. (1976). Psychological Bulletin, 83, 762-765.
    .. [2] Bliese, P. D. (2000). In K. J. Klein & S. W. J. Kozlowski (Eds.), Multilevel theory, research, and methods
       in organizations (pp. 349-381).
    .. [3] Bliese, P. D., & Halverson, R. R. (1998). Journal of Management, 24, 157-172.

    Examples
    --------
    >>> import pandas as pd
    >>> result = aggregation(pd.Series([4.0, 4.5, 5.0, 2.0, 2.5, 3.0]), list("aaabbb"))
    >>> round(result.icc1, 3), round(result.icc2, 3), result.f
    (0.885, 0.958, 24.0)
    """
    check_choice("group_size", group_size, ("anova", "mean"))
    series = numeric_series(scores, "scores")
    codes, labels = unit_codes(units, series.index)
    values = series.to_numpy()
    keep = ~np.isnan(values) & (codes >= 0)
    values = values[keep]
    _, codes = np.unique(codes[keep], return_inverse=True)
    sizes = np.bincount(codes).astype(np.float64)
    if len(sizes) < 2 or len(values) == len(sizes):
        raise InsufficientDataError(
            f"ICC(1) and ICC(2) need at least 2 units and a unit with 2 respondents; {len(values)} usable scores lie "
            f"in {len(sizes)} of {len(labels)} units. Join units, or collect more answers."
        )
    if float(np.ptp(values)) <= smallest_spread:
        raise InsufficientDataError(
            f"All {len(values)} scores are equal, so ICC(1) and ICC(2) are undefined. Report the common score."
        )
    between, within = _sums_of_squares(values, codes, sizes)
    n, j = len(values), len(sizes)
    anova = (n - float(np.square(sizes).sum()) / n) / (j - 1)
    return Aggregation(
        n_units=j,
        n_respondents=n,
        n_dropped=len(keep) - n,
        mean_square_between=between / (j - 1),
        mean_square_within=within / (n - j),
        typical_size=anova if group_size == "anova" else n / j,
        group_size=group_size,
        eta_squared=between / (between + within),
    )


def _sums_of_squares(values: FloatArray, codes: npt.NDArray[np.intp], sizes: FloatArray) -> tuple[float, float]:
    floor = rounding_floor(values)
    centred = values - values.mean()
    means = np.bincount(codes, weights=centred) / sizes
    between = float((sizes * np.square(means)).sum())
    within = float(np.square(centred - means[codes]).sum())
    return (between if between > floor else 0.0), (within if within > floor else 0.0)
