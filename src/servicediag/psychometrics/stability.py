"""Test-retest reliability: the same respondents measured twice."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    EstimateResult,
    apa_interval,
    apa_number,
    check_choice,
    check_level,
    holding,
    numeric_series,
)
from servicediag.psychometrics.benchmarks_rules import Coefficient
from servicediag.psychometrics.icc import IntraclassCorrelation, intraclass_correlation
from servicediag.psychometrics.measurement_error import two_sided_limit
from servicediag.results import ConfidenceInterval

__all__ = ["Retest", "retest"]


@dataclass(frozen=True, repr=False)
class Retest(EstimateResult):
    """Agreement of two measurements of the same respondents.

    Attributes
    ----------
    estimate : float
        The intraclass correlation for absolute agreement, also ``icc_agreement``; NaN where scores agree so badly that
        its total variance would not be positive.
    correlation : float
        Pearson's; blind to a shift of everyone.
    icc_agreement, icc_consistency : float
        ICC(A,1) and ICC(C,1): two-way, of a single measurement.
    sem : float
        Standard error of measurement: the square root of the residual mean square, in the metric of the score.
    minimal_detectable_change : float
        ``1.96 * sqrt(2) * sem``: the change that error alone exceeds in 5 % of respondents.
    mean_change : float
        Second minus first.
    mean_first, mean_second, sd_first, sd_second : float
    n_matched : int
        Respondents with both scores.
    n_unmatched : int
        Respondents with one score only: absent from the other wave, or missing there.
    """

    estimate: float
    correlation: float
    icc_agreement: float
    icc_consistency: float
    sem: float
    minimal_detectable_change: float
    mean_change: float
    mean_first: float
    mean_second: float
    sd_first: float
    sd_second: float
    n_matched: int
    n_unmatched: int
    _icc: IntraclassCorrelation = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = (
        "correlation", "icc_agreement", "sem", "minimal_detectable_change", "n_matched", "n_unmatched",
    )  # fmt: skip
    _coefficient: ClassVar[Coefficient] = "icc"

    def confidence_interval(
        self, level: float = 0.95, *, of: Literal["icc_agreement", "icc_consistency", "correlation"] = "icc_agreement"
    ) -> ConfidenceInterval:
        """Interval of a coefficient: the F distribution for the ICCs (McGraw & Wong 1996), Fisher's z for r.

        Raises
        ------
        InsufficientDataError
            Fewer than 4 respondents for the correlation.
        """
        level = check_level(level)
        check_choice("of", of, ("icc_agreement", "icc_consistency", "correlation"))
        if of != "correlation":
            return self._icc.confidence_interval(level, form="ICC(2,1)" if of == "icc_agreement" else "ICC(3,1)")
        if self.n_matched < 4:
            raise InsufficientDataError(
                f"An interval of the retest correlation needs at least 4 respondents, not {self.n_matched}."
            )
        low = high = self.correlation
        if abs(self.correlation) < 1:
            reach = two_sided_limit(level) / math.sqrt(self.n_matched - 3)
            centre = math.atanh(self.correlation)
            low, high = math.tanh(centre - reach), math.tanh(centre + reach)
        return holding(low, high, self.correlation, level=level, method="fisher")

    def to_frame(self) -> pd.DataFrame:
        """One row with every number; limits are those of ``icc_agreement``, NaN where it is undefined."""
        low = high = math.nan
        if not math.isnan(self.icc_agreement):
            low, high = self.confidence_interval()
        row = {
            "correlation": self.correlation,
            "icc_agreement": self.icc_agreement,
            "ci_low": low,
            "ci_high": high,
            "icc_consistency": self.icc_consistency,
            "sem": self.sem,
            "minimal_detectable_change": self.minimal_detectable_change,
            "mean_change": self.mean_change,
            "n_matched": self.n_matched,
            "n_unmatched": self.n_unmatched,
        }
        return pd.DataFrame([row], index=pd.Index(["retest"], name="coefficient"))

    def describe(self) -> str:
        """One sentence in APA style."""
        row = self.to_frame().iloc[0]
        interval = ConfidenceInterval(row.ci_low, row.ci_high)
        limits = f", {apa_interval(interval)}" if not math.isnan(row.ci_low) else ""
        return (
            f"Scores agreed over time at ICC(A,1) = {apa_number(row.icc_agreement)}{limits} "
            f"(r = {apa_number(row.correlation)}), with a standard error of measurement of {row['sem']:.3g} and a "
            f"minimal detectable change of {row.minimal_detectable_change:.3g}, n = {row.n_matched:.0f}."
        )


def retest(first: pd.Series, second: pd.Series) -> Retest:
    """Test-retest reliability of a score.

    Parameters
    ----------
    first, second : Series
        Scores of the two waves, matched by index (the respondents); respondents without both are left out and
        counted in ``n_unmatched``.

    Returns
    -------
    Retest

    Raises
    ------
    InsufficientDataError
        Fewer than 2 respondents with both scores, or scores that do not vary.
    ValueError
        A respondent appears twice in a wave, or scores that are no numbers.

    References
    ----------
    McGraw, K. O., & Wong, S. P. (1996). Psychological Methods, 1, 30-46. Weir, J. P. (2005). Journal of Strength and
    Conditioning Research, 19, 231-240.

    Examples
    --------
    >>> first = pd.Series([10.0, 12.0, 15.0, 11.0, 18.0], index=list("abcde"))
    >>> second = pd.Series([17.0, 11.0, 12.0, 16.0, 12.0], index=list("edbcx"))
    >>> retest(first, second)
    Retest(correlation=0.9668, icc_agreement=0.973, sem=0.5774, minimal_detectable_change=1.6, n_matched=4,
           n_unmatched=2)
    """
    before, after = numeric_series(first, "first"), numeric_series(second, "second")
    for argument, scores in (("first", before), ("second", after)):
        if not scores.index.is_unique:
            twice = scores.index[scores.index.duplicated()][0]
            raise ValueError(f"{argument} holds respondent {twice!r} more than once; keep one score a respondent")
    table = pd.DataFrame({"first": before, "second": after})
    pairs = table.dropna()
    if len(pairs) < 2:
        raise InsufficientDataError(
            f"Retest reliability needs at least 2 respondents with both scores; {len(pairs)} of {len(table)} have "
            "them. Check that both indexes hold the same identifiers."
        )
    spread = [float(pairs[wave].max() - pairs[wave].min()) for wave in ("first", "second")]
    if min(spread) <= 1e-140:
        raise InsufficientDataError("Retest reliability is undefined: in one wave the scores do not vary.")
    icc = intraclass_correlation(pairs)
    sem = math.sqrt(max(icc.mean_square_error, 0.0))
    agreement = icc.coefficient("ICC(2,1)")
    return Retest(
        estimate=agreement,
        correlation=_pearson(pairs),
        icc_agreement=agreement,
        icc_consistency=icc.coefficient("ICC(3,1)"),
        sem=sem,
        minimal_detectable_change=two_sided_limit(0.95) * math.sqrt(2) * sem,
        mean_change=float((pairs["second"] - pairs["first"]).mean()),
        mean_first=float(pairs["first"].mean()),
        mean_second=float(pairs["second"].mean()),
        sd_first=float(pairs["first"].std(ddof=1)),
        sd_second=float(pairs["second"].std(ddof=1)),
        n_matched=len(pairs),
        n_unmatched=len(table) - len(pairs),
        _icc=icc,
    )


def _pearson(pairs: pd.DataFrame) -> float:
    centred = (pairs - pairs.mean()).to_numpy()
    centred = centred / abs(centred).max(axis=0)  # so that no square under- or overflows
    first, second = centred.T
    value = float(first @ second) / math.sqrt(float(first @ first) * float(second @ second))
    return max(-1.0, min(1.0, value))  # beyond by rounding only
