"""Chi-square and standard errors of a factor model that allow for answers that are not normal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_choice
from servicediag.psychometrics._structure_data import Sample
from servicediag.psychometrics._structure_engine import (
    case_products,
    entry_information,
    expected_information,
    observed_information,
    saturated_information,
    slopes,
)
from servicediag.psychometrics._structure_fit import Solution
from servicediag.psychometrics._structure_indices import FitIndices
from servicediag.psychometrics._structure_model import INTERCEPT, RESIDUAL, IntArray, Matrices

__all__ = ["RobustFit", "RobustMethod", "robust_covariance", "robust_fit"]

RobustMethod = Literal["satorra_bentler", "yuan_bentler"]


@dataclass(frozen=True, repr=False)
class RobustFit(Result):
    """Fit by a chi-square divided by a scaling factor, so that its mean is right for answers that are not normal.

    Attributes
    ----------
    method : {"satorra_bentler", "yuan_bentler"}
    scaling_factor : float
        Above 1 where answers have heavier tails than normal ones.
    baseline_scaling_factor : float
        Of the model in which items are unrelated.
    chi_square : float
    df : int
    p : float
    cfi, tli, rmsea : float
        Of the scaled chi-squares.
    cfi_robust, tli_robust, rmsea_robust : float
        Estimates of the indices in the population (Brosseau-Liard & Savalei 2014; Li & Bentler 2006); NaN for
        incomplete answers, for which they are biased (Zhang & Savalei 2023).
    """

    method: RobustMethod
    scaling_factor: float
    baseline_scaling_factor: float
    chi_square: float
    df: int
    p: float
    cfi: float
    tli: float
    rmsea: float
    cfi_robust: float
    tli_robust: float
    rmsea_robust: float
    n_respondents: int

    _shown: ClassVar[tuple[str, ...]] = ("method", "scaling_factor", "chi_square", "df", "p", "cfi_robust")

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        return pd.DataFrame([vars(self)])

    def describe(self) -> str:
        """The robust fit in APA style."""
        name = {"satorra_bentler": "Satorra-Bentler", "yuan_bentler": "Yuan-Bentler"}[self.method]
        chance = "< .001" if self.p < 0.001 else f"= {apa_number(self.p, 3)}"
        word, cfi, rmsea = "robust", self.cfi_robust, self.rmsea_robust
        if math.isnan(cfi):
            word, cfi, rmsea = "scaled", self.cfi, self.rmsea
        return (
            f"{name} scaled chi-square({self.df}) = {self.chi_square:.2f}, p {chance}, scaling factor "
            f"{self.scaling_factor:.3f}, {word} CFI = {apa_number(cfi, 3)}, {word} RMSEA = {apa_number(rmsea, 3)}, "
            f"n = {self.n_respondents}."
        )


def robust_fit(solution: Solution, fit: FitIndices, method: RobustMethod) -> RobustFit:
    """Scale the chi-squares of a model and of its baseline."""
    from scipy.special import chdtrc

    _refuse_unusable(solution, method, "A robust chi-square")
    if not solution.df:
        raise InsufficientDataError("A robust chi-square needs degrees of freedom, and this model has none.")
    of_model, of_baseline = _traces(solution, method)
    factor, base = of_model / solution.df, of_baseline / fit.baseline_df
    if not (factor > 0 and base > 0):
        raise InsufficientDataError("The scaling factor is not above 0: there are too few respondents for this model.")
    chi_square, baseline = fit.chi_square / factor, fit.baseline_chi_square / base
    n, groups = solution.study.n, fit.n_groups
    scaled = _indices(chi_square, fit.df, baseline, fit.baseline_df, n, groups, 1.0, 1.0)
    robust = (math.nan,) * 3
    if not solution.study.n_incomplete:
        robust = _indices(chi_square, fit.df, baseline, fit.baseline_df, n, groups, factor, base)
    return RobustFit(
        method, factor, base, chi_square, fit.df, float(chdtrc(fit.df, chi_square)), *scaled, *robust, n_respondents=n
    )


def robust_covariance(solution: Solution, method: RobustMethod) -> FloatArray:
    """Sampling covariance of the free parameters by the sandwich of the information and the scores' own spread.

    White (1982), Econometrica, 50, 1-25; Satorra & Bentler (1994), in Latent Variables Analysis, 399-419.
    """
    _refuse_unusable(solution, method, "Robust standard errors")
    bread, meat = _sandwich(solution, method)
    scale = np.sqrt(np.diag(bread))
    outer = np.outer(scale, scale)
    inverse = np.linalg.inv(bread / outer) / outer
    covariance: FloatArray = inverse @ meat @ inverse / solution.study.n
    return (covariance + covariance.T) / 2


def _refuse_unusable(solution: Solution, method: RobustMethod, what: str) -> None:
    check_choice("method", method, get_args(RobustMethod))
    verb = "need" if what.endswith("s") else "needs"
    if not solution.converged or solution.covariance is None:
        raise InsufficientDataError(f"{what} {verb} a model that converged and leaves no parameter open.")
    if any(sample.rows is None for sample in solution.study.samples):
        raise InsufficientDataError(f"{what} {verb} the answers themselves, not only their means and covariances.")
    if solution.study.n_incomplete and method == "satorra_bentler":
        raise InsufficientDataError(
            f"{what} by Satorra and Bentler {verb} complete answers; fit with missing='listwise', or ask for "
            "method='yuan_bentler'."
        )


def _sandwich(solution: Solution, method: RobustMethod) -> tuple[FloatArray, FloatArray]:
    """Information about the free parameters, and the mean product of the respondents' scores."""
    study, table = solution.study, solution.table
    meat = np.zeros((table.n_free, table.n_free))
    for group, sample in enumerate(study.samples):
        share = sample.n / study.n
        if method == "satorra_bentler":
            known = _moments(solution, group)
            pull = known.weight @ known.delta
            meat += share * (pull.T @ known.spread @ pull)
            continue
        place = solution.matrices[group]
        entries = np.flatnonzero((table.group == group) & (table.free >= 0))
        slope = slopes(place, table.kind[entries], table.row[entries], table.column[entries])
        numbers = table.free[entries]
        np.add.at(meat, np.ix_(numbers, numbers), share * case_products(place, sample, slope))
    if method == "satorra_bentler":
        return expected_information(table, solution.parameters, study.samples), meat
    return observed_information(table, solution.parameters, study.samples), meat


def _indices(
    chi_square: float, df: int, baseline: float, baseline_df: int, n: int, groups: int, factor: float, base: float
) -> tuple[float, float, float]:
    """CFI, TLI and RMSEA from scaled chi-squares, their excess multiplied back by the scaling factors."""
    excess, room = factor * (chi_square - df), base * (baseline - baseline_df)
    widest = max(excess, room, 0.0)
    cfi = 1.0 if widest == 0 else 1 - max(excess, 0.0) / widest
    tli = 1 - excess * baseline_df / (room * df) if room else math.nan
    return cfi, tli, math.sqrt(max(excess, 0.0) * groups / (n * df))


@dataclass(frozen=True)
class _Moments:
    """Of one group: how moments weigh in the discrepancy, how they vary, and how parameters move them.

    Moments are the covariances of the lower triangle and, where the model has them, the means.
    """

    weight: FloatArray  # (n_moments, n_moments), at the moments that the model implies
    spread: FloatArray  # (n_moments, n_moments): covariance of the respondents' cross-products
    delta: FloatArray  # (n_moments, n_free)
    off: FloatArray  # spread of each covariance over the product of the two variances


def _moments(solution: Solution, group: int) -> _Moments:
    place, sample = solution.matrices[group], solution.study.samples[group]
    table = solution.table
    kind, rows, columns = _places(sample)
    entries = np.flatnonzero((table.group == group) & (table.free >= 0))
    slope = slopes(place, table.kind[entries], table.row[entries], table.column[entries])
    second = kind == RESIDUAL
    row, column, means = rows[second], columns[second], rows[~second]
    moved = np.concatenate([slope.u[row] * slope.v[column] + slope.v[row] * slope.u[column], slope.w[means]])
    delta = np.zeros((len(kind), table.n_free))
    np.add.at(delta.T, table.free[entries], moved.T)
    away = _rows(sample) - sample.mean
    products = np.concatenate([away[:, row] * away[:, column] - sample.covariance[row, column], away[:, means]], axis=1)
    spread = products.T @ products / sample.n
    size = np.diag(sample.covariance)
    relative = np.diag(spread)[: len(row)] / (size[row] * size[column])
    return _Moments(
        weight=entry_information(place, sample, slopes(place, kind, rows, columns)),
        spread=spread,
        delta=delta,
        off=relative[row != column],
    )


def _places(sample: Sample) -> tuple[IntArray, IntArray, IntArray]:
    """Kind, row and column of every moment: covariances, then the means where they count."""
    p = len(sample.mean)
    row, column = np.tril_indices(p)
    means = np.arange(p if sample.mean_structure else 0, dtype=np.intp)
    kind = np.concatenate([np.full(len(row), RESIDUAL), np.full(len(means), INTERCEPT)]).astype(np.intp)
    return kind, np.concatenate([row, means]), np.concatenate([column, means])


def _rows(sample: Sample) -> FloatArray:
    if sample.rows is None:
        raise InsufficientDataError("The answers themselves are needed, not only their means and covariances.")
    return sample.rows


def _saturated(place: Matrices, sample: Sample) -> Matrices:
    """Matrices whose residuals and intercepts are the whole covariance and the means, and that have no factors."""
    p, m = place.loadings.shape
    return Matrices(np.zeros((p, m)), np.zeros((m, m)), np.eye(m), sample.covariance, sample.mean, np.zeros(m))


def _traces(solution: Solution, method: RobustMethod) -> tuple[float, float]:
    """Expected chi-squares of the model and of its baseline for answers that vary as these do."""
    whole, baseline = 0.0, 0.0
    for group, sample in enumerate(solution.study.samples):
        if method == "satorra_bentler":
            known = _moments(solution, group)
            whole += float((known.weight * known.spread).sum())
            baseline += float(known.off.sum())
        else:
            free, of_items = _free_traces(solution.matrices[group], sample)
            whole += free
            baseline += free - of_items
    bread, meat = _sandwich(solution, method)
    return whole - float(np.trace(np.linalg.solve(bread, meat))), baseline


def _free_traces(place: Matrices, sample: Sample) -> tuple[float, float]:
    """The trace for means and covariances that are free, and for means and variances of unrelated items."""
    free = _saturated(place, sample)
    slope = slopes(free, *_places(sample))
    information = saturated_information(free, sample, slope)
    trace = float(np.trace(np.linalg.solve(information, case_products(free, sample, slope))))
    rows = _rows(sample)
    away = (rows - np.nanmean(rows, axis=0)) ** 2
    heaviness = np.nanmean(away**2, axis=0) / np.nanmean(away, axis=0) ** 2 - 1
    means = float(len(sample.mean)) if sample.mean_structure else 0.0
    return trace, float(heaviness.sum()) / 2 + means
