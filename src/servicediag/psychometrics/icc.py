"""Intraclass correlation: the six forms of Shrout and Fleiss with their intervals, and the test of rater bias."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
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
    numeric_frame,
)
from servicediag.psychometrics.benchmarks_rules import Interpretation, RuleSet, judge, rule_set
from servicediag.results import ConfidenceInterval, short_repr

__all__ = ["IccForm", "IntraclassCorrelation", "intraclass_correlation"]

IccForm = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]
_FEW_RATERS, _MANY_TARGETS = 10, 100  # from where the limits of absolute agreement miss by more than chance
_FORMS: tuple[IccForm, ...] = get_args(IccForm)

# McGraw & Wong's name, SPSS's words, what is meant.
_WORDS: dict[str, tuple[str, str, str]] = {
    "1,1": ("ICC(1)", "MODEL(ONEWAY), single measures", "one rating; every target has raters of its own"),
    "2,1": ("ICC(A,1)", "MODEL(RANDOM) TYPE(ABSOLUTE), single measures", "one rating; raters must give the same value"),
    "3,1": ("ICC(C,1)", "MODEL(MIXED) TYPE(CONSISTENCY), single measures", "one rating; raters may differ in level"),
    "1,k": ("ICC(k)", "MODEL(ONEWAY), average measures", "mean of k ratings; every target has raters of its own"),
    "2,k": ("ICC(A,k)", "MODEL(RANDOM) TYPE(ABSOLUTE), average measures", "mean of k ratings; raters agree in value"),
    "3,k": ("ICC(C,k)", "MODEL(MIXED) TYPE(CONSISTENCY), average measures", "mean of k ratings; levels may differ"),
}


@dataclass(frozen=True, repr=False)
class IntraclassCorrelation(Result):
    """The six intraclass correlations of targets rated by the same raters, and the test of rater bias.

    Attributes
    ----------
    n_targets, n_raters : int
        Targets with a rating by every rater, and raters.
    n_dropped : int
        Targets left out because a rating is missing.
    mean_square_targets, mean_square_raters, mean_square_within, mean_square_error : float
        Mean squares between targets, between raters, within targets, and of the residual.
    """

    n_targets: int
    n_raters: int
    n_dropped: int
    mean_square_targets: float
    mean_square_raters: float
    mean_square_within: float
    mean_square_error: float

    @property
    def rater_bias_f(self) -> float:
        """F test of equal rater means: mean square of raters over residual mean square."""
        return self._rater_bias[0]

    @property
    def rater_bias_p(self) -> float:
        """Upper-tail probability of ``rater_bias_f``."""
        return self._rater_bias[1]

    @property
    def _rater_bias(self) -> tuple[float, float]:
        df1 = self.n_raters - 1
        return f_test(self.mean_square_raters, self.mean_square_error, df1, df1 * (self.n_targets - 1))

    def coefficient(self, form: IccForm) -> float:
        """The estimate of one form; NaN where its variance components leave it undefined."""
        check_choice("form", form, _FORMS)
        msr, msc, msw, mse = self._mean_squares
        n, k = self.n_targets, self.n_raters
        numerator, denominator = {
            "ICC(1,1)": (msr - msw, msr + (k - 1) * msw),
            "ICC(2,1)": (msr - mse, msr + (k - 1) * mse + k * (msc - mse) / n),
            "ICC(3,1)": (msr - mse, msr + (k - 1) * mse),
            "ICC(1,k)": (msr - msw, msr),
            "ICC(2,k)": (msr - mse, msr + (msc - mse) / n),
            "ICC(3,k)": (msr - mse, msr),
        }[form]
        return numerator / denominator if denominator > 0 else math.nan

    def confidence_interval(
        self, level: float = 0.95, method: Literal["f"] = "f", *, form: IccForm = "ICC(2,1)"
    ) -> ConfidenceInterval:
        """Interval of one form from the F distribution.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1. At levels below about .4 the limits are widened to hold the estimate.
        method : {"f"}
            From the F distribution.
        form : str
            One of the six forms.

        Notes
        -----
        Exact under normality for forms 1 and 3; for absolute agreement with Satterthwaite's degrees of freedom [1]_,
        which makes the limits too narrow with few raters of many targets: with 4 raters, nominal 95 % limits held the
        value in 94.5 % of samples of 50 targets, 91.5 % of 200 and 83 % of 1,000 (``benchmarks/coverage.py``).
        The limits of averages are the Spearman-Brown transforms of the limits of single ratings, which is what [1]_
        gives too; a lower limit is minus infinity where that transform has no finite value.

        References
        ----------
        .. [1] McGraw, K. O., & Wong, S. P. (1996). Psychological Methods, 1, 30-46, with correction 1, 390.
        """
        check_choice("form", form, _FORMS)
        check_choice("method", method, ("f",))
        level = check_level(level)
        estimate = self.coefficient(form)
        if math.isnan(estimate):
            raise InsufficientDataError(
                f"{form} is undefined here: its estimated total variance is not positive. "
                "Collect ratings of targets that differ more, or report ICC(3,1)."
            )
        single: Callable[[float], tuple[float, float]] = {
            "1": self._one_way_limits,
            "2": self._agreement_limits,
            "3": self._consistency_limits,
        }[form[4]]
        low, high = single(level)
        if form.endswith("k)"):
            low, high = self._step_up(low), self._step_up(high)
        return holding(low, high, estimate, level=level, method=method)

    def interpret(
        self, rules: str | RuleSet | None = None, *, level: float = 0.95, form: IccForm = "ICC(2,1)"
    ) -> Interpretation:
        """Read the interval of one form by a named rule set, by default Koo and Li (2016)."""
        return judge(rule_set(rules, "icc"), self.coefficient(form), self.confidence_interval(level, form=form))

    def to_frame(self, *, level: float = 0.95) -> pd.DataFrame:
        """One row a form.

        Returns
        -------
        DataFrame
            Index ``form``; columns estimate, ci_low, ci_high, f, df1, df2, p (test that targets do not differ),
            mcgraw_wong, spss, meaning, note.
        """
        rows = {}
        for form in _FORMS:
            estimate = self.coefficient(form)
            low = high = math.nan
            if not math.isnan(estimate):
                low, high = self.confidence_interval(level, form=form)
            f, df1, df2, p = self._target_test(form)
            mcgraw_wong, spss, meaning = _WORDS[form[4:7]]
            note = self._note(form, estimate)
            rows[form] = {
                "estimate": estimate,
                "ci_low": low,
                "ci_high": high,
                "f": f,
                "df1": df1,
                "df2": df2,
                "p": p,
                "mcgraw_wong": mcgraw_wong,
                "spss": spss,
                "meaning": meaning,
                "note": note,
            }
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index.name = "form"
        return frame

    def _note(self, form: IccForm, estimate: float) -> str:
        if math.isnan(estimate):
            return "undefined: the estimated total variance is not positive"
        if form[4] == "2" and self.n_raters < _FEW_RATERS and self.n_targets >= _MANY_TARGETS:
            return (
                f"its limits are approximate and too narrow with few raters ({self.n_raters}) of many targets "
                f"({self.n_targets}): 95 % limits held the value in 83 % of samples of 4 raters and 1,000 targets"
            )
        return ""

    def describe(self) -> str:
        """One sentence in APA style on ICC(2,1) and the bias of raters."""
        row = self.to_frame().loc[["ICC(2,1)"]].to_dict("records")[0]
        size = f"{self.n_targets} targets rated by {self.n_raters} raters"
        bias = apa_f_test(
            self.rater_bias_f, self.n_raters - 1, (self.n_raters - 1) * (self.n_targets - 1), self.rater_bias_p
        )
        value = "was undefined"
        if not math.isnan(row["estimate"]):
            interval = apa_interval(ConfidenceInterval(row["ci_low"], row["ci_high"]))
            test = apa_f_test(row["f"], row["df1"], row["df2"], row["p"])
            value = f"was {apa_number(row['estimate'])}, {interval}, {test}"
        note = f" Note: {row['note']}." if row["note"] and not math.isnan(row["estimate"]) else ""
        return f"ICC(2,1), absolute agreement of single ratings, {value} ({size}; rater bias {bias}).{note}"

    def __repr__(self) -> str:
        pairs: list[tuple[str, object]] = [(form, self.coefficient(form)) for form in _FORMS]
        return short_repr(type(self).__name__, [*pairs, ("n_targets", self.n_targets), ("n_raters", self.n_raters)])

    @property
    def _mean_squares(self) -> tuple[float, float, float, float]:
        return (
            self.mean_square_targets,
            self.mean_square_raters,
            self.mean_square_within,
            self.mean_square_error,
        )

    def _target_test(self, form: IccForm) -> tuple[float, int, int, float]:
        df1 = self.n_targets - 1
        one_way = form[4] == "1"
        df2 = self.n_targets * (self.n_raters - 1) if one_way else df1 * (self.n_raters - 1)
        error = self.mean_square_within if one_way else self.mean_square_error
        f, p = f_test(self.mean_square_targets, error, df1, df2)
        return f, df1, df2, p

    def _one_way_limits(self, level: float) -> tuple[float, float]:
        return self._ratio_limits(self.mean_square_within, self.n_targets * (self.n_raters - 1), level)

    def _consistency_limits(self, level: float) -> tuple[float, float]:
        return self._ratio_limits(self.mean_square_error, (self.n_targets - 1) * (self.n_raters - 1), level)

    def _ratio_limits(self, error: float, df2: float, level: float) -> tuple[float, float]:
        divisor, factor = f_limits(self.n_targets - 1, df2, level)
        msr, k = self.mean_square_targets, self.n_raters

        # As a ratio of weighted mean squares it also holds where the observed F is infinite.
        def limit(targets: float, residual: float) -> float:
            return (targets - residual) / (targets + (k - 1) * residual)

        return limit(msr / divisor, error), limit(msr, error / factor)

    def _agreement_limits(self, level: float) -> tuple[float, float]:
        msr, msc, _, mse = self._mean_squares
        n, k = self.n_targets, self.n_raters
        rho = self.coefficient("ICC(2,1)")
        # Satterthwaite's degrees of freedom of a * MSC + b * MSE, both weights times n (1 - rho).
        scale = max(msr, msc, mse)
        raters = k * rho * msc / scale
        residual = (n * (1 - rho) + k * rho * (n - 1)) * mse / scale
        spread = raters**2 / (k - 1) + residual**2 / ((n - 1) * (k - 1))
        df2 = (raters + residual) ** 2 / spread if spread > 0 else 0.0
        if df2 <= 0:  # no residual variance, or no difference between targets: the limits do not depend on F
            return rho, rho
        divisor, factor = f_limits(n - 1, df2, level)
        fixed = k * msc + (k * n - k - n) * mse

        def limit(targets: float, others: float) -> float:
            return n * (targets * msr - others * mse) / (others * fixed + targets * n * msr)

        # weights count by their ratio only; with next to no degrees of freedom ``factor`` is 0
        return limit(1 / divisor, 1.0), limit(factor, 1.0)

    def _step_up(self, single: float) -> float:
        denominator = 1 + (self.n_raters - 1) * single
        return self.n_raters * single / denominator if denominator > 0 else -math.inf


def intraclass_correlation(ratings: pd.DataFrame) -> IntraclassCorrelation:
    """Intraclass correlations of targets that were all rated by the same raters.

    Parameters
    ----------
    ratings : DataFrame, shape (n_targets, n_raters)
        A row a target, a column a rater. Targets with a missing rating are left out and counted in ``n_dropped``.

    Returns
    -------
    IntraclassCorrelation
        Six forms, under the names of Shrout and Fleiss [1]_ and of McGraw and Wong [2]_. Each is at most 1; negative
        values are kept. The F of a row tests whether targets differ; ``rater_bias_f`` tests whether raters do.

    Raises
    ------
    InsufficientDataError
        Fewer than 2 raters or 2 targets rated by all of them, or no variation.
    TypeError, ValueError
        ``ratings`` is no table of numbers.

    Notes
    -----
    From the mean squares between targets (R), between raters (C), within targets (W) and of the residual (E):
    ICC(1,1) = (R - W) / (R + (k - 1) W), ICC(2,1) = (R - E) / (R + (k - 1) E + k (C - E) / n),
    ICC(3,1) = (R - E) / (R + (k - 1) E); the forms for means of k raters are their Spearman-Brown transforms.

    References
    ----------
    .. [1] Shrout, P. E., & Fleiss, J. L. (1979). Psychological Bulletin, 86, 420-428.
    .. [2] McGraw, K. O., & Wong, S. P. (1996). Psychological Methods, 1, 30-46, with correction 1, 390.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"ann": [4, 2, 5, 1, 3], "bob": [5, 2, 5, 2, 4], "eve": [4, 1, 4, 2, 3]})
    >>> result = intraclass_correlation(ratings)
    >>> result.to_frame()["estimate"].round(2).to_dict()
    {'ICC(1,1)': 0.85, 'ICC(2,1)': 0.86, 'ICC(3,1)': 0.91, 'ICC(1,k)': 0.95, 'ICC(2,k)': 0.95, 'ICC(3,k)': 0.97}
    >>> round(result.rater_bias_f, 2)
    4.33
    """
    frame = numeric_frame(ratings, "ratings")
    values = frame.floats[frame.complete]
    n_rows = len(frame.values)
    n, k = values.shape
    if k < 2:
        raise InsufficientDataError(
            f"An intraclass correlation needs at least 2 ratings a target; ratings has {k} column(s). "
            "Give a column a rater."
        )
    if n < 2:
        raise InsufficientDataError(
            f"An intraclass correlation needs at least 2 targets rated by all {k} raters; {n} of {n_rows} rows "
            "are complete. Leave out raters with many gaps, or collect their ratings."
        )
    if float(np.ptp(values)) <= smallest_spread:
        raise InsufficientDataError(
            f"All {n * k} ratings are equal, so an intraclass correlation is undefined. "
            "Rate targets that differ, or report the share of equal ratings."
        )
    return _from_values(values, n_rows - n)


def _from_values(values: FloatArray, n_dropped: int) -> IntraclassCorrelation:
    n, k = values.shape
    floor = rounding_floor(values)
    centred = values - values.mean()
    targets = centred.mean(axis=1, keepdims=True)
    raters = centred.mean(axis=0, keepdims=True)
    within = centred - targets

    def sum_of_squares(deviations: FloatArray, times: int = 1) -> float:
        total = times * float(np.square(deviations).sum())
        return total if total > floor else 0.0

    return IntraclassCorrelation(
        n_targets=n,
        n_raters=k,
        n_dropped=n_dropped,
        mean_square_targets=sum_of_squares(targets, k) / (n - 1),
        mean_square_raters=sum_of_squares(raters, n) / (k - 1),
        mean_square_within=sum_of_squares(within) / (n * (k - 1)),
        mean_square_error=sum_of_squares(within - raters) / ((n - 1) * (k - 1)),
    )
