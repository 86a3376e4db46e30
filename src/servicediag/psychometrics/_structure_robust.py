"""Chi-square of a factor model that allows for answers that are not normal: mean-adjusted statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_choice
from servicediag.psychometrics._structure_engine import entry_information, observed_information, slopes
from servicediag.psychometrics._structure_fit import Solution
from servicediag.psychometrics._structure_indices import FitIndices
from servicediag.psychometrics._structure_model import INTERCEPT, RESIDUAL, Matrices

__all__ = ["RobustFit", "RobustMethod", "robust_fit"]

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
        Estimates of the indices in the population (Brosseau-Liard & Savalei 2014; Li & Bentler 2006).
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
        return (
            f"{name} scaled chi-square({self.df}) = {self.chi_square:.2f}, p {chance}, scaling factor "
            f"{self.scaling_factor:.3f}, robust CFI = {apa_number(self.cfi_robust, 3)}, robust RMSEA = "
            f"{apa_number(self.rmsea_robust, 3)}, n = {self.n_respondents}."
        )


def robust_fit(solution: Solution, fit: FitIndices, method: RobustMethod) -> RobustFit:
    """Scale the chi-squares of a model and of its baseline."""
    from scipy.special import chdtrc

    check_choice("method", method, get_args(RobustMethod))
    if not solution.converged or solution.covariance is None:
        raise InsufficientDataError("A robust chi-square needs a model that converged and leaves no parameter open.")
    if solution.study.n_incomplete:
        raise InsufficientDataError("A robust chi-square is for complete answers; fit with missing='listwise'.")
    if not solution.df:
        raise InsufficientDataError("A robust chi-square needs degrees of freedom, and this model has none.")
    of_model, of_baseline = _traces(solution, method)
    factor, base = of_model / solution.df, of_baseline / fit.baseline_df
    if not (factor > 0 and base > 0):
        raise InsufficientDataError("The scaling factor is not above 0: there are too few respondents for this model.")
    chi_square, baseline = fit.chi_square / factor, fit.baseline_chi_square / base
    n, groups = solution.study.n, fit.n_groups
    scaled = _indices(chi_square, fit.df, baseline, fit.baseline_df, n, groups, 1.0, 1.0)
    robust = _indices(chi_square, fit.df, baseline, fit.baseline_df, n, groups, factor, base)
    return RobustFit(
        method, factor, base, chi_square, fit.df, float(chdtrc(fit.df, chi_square)), *scaled, *robust, n_respondents=n
    )


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
    free_weight: FloatArray  # the same at the observed moments
    spread: FloatArray  # (n_moments, n_moments): covariance of the respondents' cross-products
    delta: FloatArray  # (n_moments, n_free)
    off: FloatArray  # spread of each covariance over the product of the two variances
    own: FloatArray  # spread of each variance over its square


def _moments(solution: Solution, group: int) -> _Moments:
    place, sample = solution.matrices[group], solution.study.samples[group]
    table, p = solution.table, len(sample.mean)
    row, column = np.tril_indices(p)
    means = np.arange(p if sample.mean_structure else 0, dtype=np.intp)
    kind = np.concatenate([np.full(len(row), RESIDUAL), np.full(len(means), INTERCEPT)])
    rows, columns = np.concatenate([row, means]), np.concatenate([column, means])
    entries = np.flatnonzero((table.group == group) & (table.free >= 0))
    slope = slopes(place, table.kind[entries], table.row[entries], table.column[entries])
    moved = np.concatenate([slope.u[row] * slope.v[column] + slope.v[row] * slope.u[column], slope.w[means]])
    delta = np.zeros((len(kind), table.n_free))
    np.add.at(delta.T, table.free[entries], moved.T)
    away = sample.rows - sample.mean
    products = np.concatenate([away[:, row] * away[:, column] - sample.covariance[row, column], away[:, means]], axis=1)
    spread = products.T @ products / sample.n
    own = row == column
    size = np.diag(sample.covariance)
    relative = np.diag(spread)[: len(row)] / (size[row] * size[column])
    free_place = _saturated(place, sample.covariance)
    return _Moments(
        weight=entry_information(place, sample, slopes(place, kind, rows, columns)),
        free_weight=entry_information(free_place, sample, slopes(free_place, kind, rows, columns)),
        spread=spread,
        delta=delta,
        off=relative[~own],
        own=relative[own],
    )


def _saturated(place: Matrices, covariance: FloatArray) -> Matrices:
    """Matrices whose residuals are a whole covariance and that have no factors."""
    p, m = place.loadings.shape
    return Matrices(np.zeros((p, m)), np.zeros((m, m)), np.eye(m), covariance, np.zeros(p), np.zeros(m))


def _traces(solution: Solution, method: RobustMethod) -> tuple[float, float]:
    """Expected chi-squares of the model and of its baseline for answers that vary as these do."""
    study = solution.study
    whole, baseline = 0.0, 0.0
    bread = np.zeros((solution.table.n_free, solution.table.n_free))
    meat = np.zeros_like(bread)
    for group, sample in enumerate(study.samples):
        known = _moments(solution, group)
        share = sample.n / study.n
        pull = known.weight @ known.delta
        bread += share * (known.delta.T @ pull)
        meat += share * (pull.T @ known.spread @ pull)
        if method == "satorra_bentler":
            whole += float((known.weight * known.spread).sum())
            baseline += float(known.off.sum())
        else:
            free = float((known.free_weight * known.spread).sum())
            whole += free
            means = float(len(sample.mean)) if sample.mean_structure else 0.0
            baseline += free - float(known.own.sum()) / 2 - means
    if method == "yuan_bentler":
        bread = observed_information(solution.table, solution.parameters, study.samples)
    return whole - float(np.trace(np.linalg.solve(bread, meat))), baseline
