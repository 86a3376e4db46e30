"""Fit indices of covariance structures: chi-square, CFI, TLI, RMSEA with its interval, SRMR, information criteria."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_level
from servicediag.psychometrics._structure_data import Sample, Study
from servicediag.psychometrics._structure_fit import Solution
from servicediag.psychometrics._structure_model import Matrices
from servicediag.results import ConfidenceInterval

__all__ = ["FitIndices", "correlation_residuals", "fit_indices", "undefined_fit"]

_CRITICISM = (
    "The values .95 (CFI, TLI), .06 (RMSEA) and .08 (SRMR) of Hu & Bentler (1999) hold for the models of their study "
    "only (Marsh, Hau & Wen 2004; McNeish & Wolf 2023); RMSEA misleads at few degrees of freedom (Kenny, Kaniskan & "
    "McCoach 2015)."
)


@dataclass(frozen=True, repr=False)
class FitIndices(Result):
    """How well a model reproduces covariances and means.

    Attributes
    ----------
    chi_square : float
        Number of respondents times the discrepancy (N, not N - 1).
    df : int
    p : float
        NaN for a model without degrees of freedom.
    cfi, tli : float
        Against the model in which items are unrelated (Bentler 1990; Tucker & Lewis 1973).
    rmsea, rmsea_low, rmsea_high : float
        With the limits of the 90 % interval (Steiger 1990; Browne & Cudeck 1993; over groups, Steiger 1998).
    rmsea_close_p : float
        p of the hypothesis that RMSEA is at most .05.
    srmr : float
        Root mean square of the standardised residuals, means included where the model has them; over groups the mean
        by respondents.
    n_parameters, n_respondents, n_groups, baseline_df : int
    baseline_chi_square, log_likelihood, aic, bic : float
    """

    chi_square: float
    df: int
    p: float
    cfi: float
    tli: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    rmsea_close_p: float
    srmr: float
    n_parameters: int
    n_respondents: int
    n_groups: int
    baseline_chi_square: float
    baseline_df: int
    log_likelihood: float
    aic: float
    bic: float

    _shown: ClassVar[tuple[str, ...]] = (
        "chi_square", "df", "p", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr",
    )  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """One row with every index."""
        return pd.DataFrame([vars(self)])

    def describe(self) -> str:
        """The indices in APA style."""
        if math.isnan(self.chi_square):
            return "The model did not converge, so its fit is unknown."
        chance = "" if math.isnan(self.p) else f", p {_p(self.p)}"
        return (
            f"chi-square({self.df}) = {self.chi_square:.2f}{chance}, CFI = {apa_number(self.cfi, 3)}, "
            f"TLI = {apa_number(self.tli, 3)}, RMSEA = {apa_number(self.rmsea, 3)} "
            f"(90% CI [{apa_number(self.rmsea_low, 3)}, {apa_number(self.rmsea_high, 3)}]), "
            f"SRMR = {apa_number(self.srmr, 3)}, n = {self.n_respondents}."
        )

    def rmsea_interval(self, level: float = 0.90) -> ConfidenceInterval:
        """Interval of RMSEA by the noncentral chi-square distribution."""
        level = check_level(level)
        low, high = _rmsea_limits(self.chi_square, self.df, self.n_respondents, self.n_groups, level)
        return ConfidenceInterval(low, high, level=level, method="noncentral chi-square")

    def interpret(self) -> pd.DataFrame:
        """The indices beside the values of Hu & Bentler (1999), with what their critics say.

        Returns
        -------
        DataFrame
            Index cfi, tli, rmsea, srmr: value, convention, within (whether the value is on the better side; a value
            equal to the convention is), citation, criticism.
        """
        rows = {}
        for name, cut in (("cfi", 0.95), ("tli", 0.95), ("rmsea", 0.06), ("srmr", 0.08)):
            value, higher = getattr(self, name), name in ("cfi", "tli")
            rows[name] = {
                "value": value,
                "convention": f"{'at least' if higher else 'at most'} {cut:g}",
                "within": bool(value >= cut if higher else value <= cut),
                "citation": "Hu & Bentler (1999), Structural Equation Modeling, 6, 1-55",
                "criticism": _CRITICISM,
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("index")


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"= {apa_number(value, 3)}"


def fit_indices(solution: Solution) -> FitIndices:
    """The indices of a converged solution."""
    study = solution.study
    p, n = len(solution.model.items), study.n
    n_groups = len(study.samples)
    least = sum(sample.n / n * sample.saturated for sample in study.samples)
    baseline = n * (sum(sample.n / n * sample.baseline for sample in study.samples) - least)
    n_parameters = solution.table.n_free
    log_likelihood = _log_likelihood(study, solution.minimum.value)
    return from_chi_square(
        solution.chi_square,
        solution.df,
        max(0.0, baseline),
        n_groups * p * (p - 1) // 2,
        n_respondents=n,
        n_groups=n_groups,
        srmr=_srmr(solution.matrices, study.samples),
        n_parameters=n_parameters,
        log_likelihood=log_likelihood,
    )


def from_chi_square(
    chi_square: float,
    df: int,
    baseline: float,
    baseline_df: int,
    *,
    n_respondents: int,
    n_groups: int,
    srmr: float,
    n_parameters: int,
    log_likelihood: float,
) -> FitIndices:
    """The indices that follow from two chi-squares."""
    from scipy.special import chdtrc, chndtr

    excess = max(chi_square - df, 0.0)
    widest = max(chi_square - df, baseline - baseline_df, 0.0)
    cfi = 1.0 if widest == 0 else 1 - excess / widest
    room = (baseline - baseline_df) * df
    tli = 1 - (chi_square - df) * baseline_df / room if df and room else 1.0
    low, high = _rmsea_limits(chi_square, df, n_respondents, n_groups, 0.90)
    close = math.nan
    if df:
        close = 1 - float(chndtr(chi_square, df, 0.05**2 * n_respondents * df / n_groups))
    return FitIndices(
        chi_square=chi_square,
        df=df,
        p=float(chdtrc(df, chi_square)) if df else math.nan,
        cfi=cfi,
        tli=tli,
        rmsea=_rmsea(excess, df, n_respondents, n_groups),
        rmsea_low=low,
        rmsea_high=high,
        rmsea_close_p=close,
        srmr=srmr,
        n_parameters=n_parameters,
        n_respondents=n_respondents,
        n_groups=n_groups,
        baseline_chi_square=baseline,
        baseline_df=baseline_df,
        log_likelihood=log_likelihood,
        aic=2 * n_parameters - 2 * log_likelihood,
        bic=math.log(n_respondents) * n_parameters - 2 * log_likelihood,
    )


def undefined_fit(solution: Solution) -> FitIndices:
    """Indices of a solution that did not converge: all NaN."""
    nan = math.nan
    p = len(solution.model.items)
    groups = len(solution.study.samples)
    return FitIndices(
        nan, solution.df, nan, nan, nan, nan, nan, nan, nan, nan, solution.table.n_free, solution.study.n, groups, nan,
        groups * p * (p - 1) // 2, nan, nan, nan,
    )  # fmt: skip


def _rmsea(excess: float, df: int, n: int, n_groups: int) -> float:
    return math.sqrt(n_groups * excess / (n * df)) if df else 0.0


def _rmsea_limits(chi_square: float, df: int, n: int, n_groups: int, level: float) -> tuple[float, float]:
    if math.isnan(chi_square):
        return math.nan, math.nan
    tail = (1 - level) / 2
    low = _noncentrality(chi_square, df, 1 - tail)
    high = _noncentrality(chi_square, df, tail)
    return _rmsea(low, df, n, n_groups), _rmsea(high, df, n, n_groups)


def _noncentrality(chi_square: float, df: int, probability: float) -> float:
    """The noncentrality at which a chi-square up to this one has this probability; 0 where even 0 is too large."""
    from scipy.optimize import brentq
    from scipy.special import chndtr

    def excess(noncentrality: float) -> float:
        return float(chndtr(chi_square, df, noncentrality)) - probability

    if not df or excess(0.0) <= 0:
        return 0.0
    top = max(chi_square, 1.0)
    while excess(top) > 0:
        top *= 2
    return float(brentq(excess, 0.0, top, xtol=1e-10, rtol=1e-12))


def _log_likelihood(study: Study, value: float) -> float:
    """Of the answers in their own units."""
    answered = sum(sample.answers_per_item for sample in study.samples)
    jacobian = float(answered @ np.log(study.scale))
    return -(study.n * value + float(np.sum(answered)) * math.log(2 * math.pi)) / 2 - jacobian


def correlation_residuals(place: Matrices, sample: Sample) -> FloatArray:
    """Observed minus implied covariances, divided by the observed standard deviations."""
    spread = np.sqrt(np.diag(sample.covariance))
    result: FloatArray = (sample.covariance - place.covariance) / np.outer(spread, spread)
    return result


def _srmr(matrices: Sequence[Matrices], samples: Sequence[Sample]) -> float:
    total = sum(sample.n for sample in samples)
    value = 0.0
    for place, sample in zip(matrices, samples, strict=True):
        residuals, p = correlation_residuals(place, sample), len(sample.mean)
        squares = (float(np.vdot(residuals, residuals)) + float((residuals.diagonal() ** 2).sum())) / 2
        count = p * (p + 1) // 2
        if sample.mean_structure:
            squares += float(((sample.mean - place.mean) ** 2 / np.diag(sample.covariance)).sum())
            count += p
        value += sample.n / total * math.sqrt(squares / count)
    return value
