"""Drivers of an outcome: how much of the explained variance each of several correlated predictors stands for."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import singular_items
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_number,
    check_choice,
    check_level,
    name_list,
    numeric_frame,
    numeric_series,
)
from servicediag.psychometrics._moments import DroppedItem
from servicediag.psychometrics._resampling import Progress
from servicediag.psychometrics._table_resampling import bootstrap_limits

__all__ = ["DriverAnalysis", "DriverInterval", "lmg_shares", "relative_weights"]

DriverInterval = Literal["percentile", "bca"]
_MOST = 16  # predictors whose subsets are all tried
_CELLS = 4_000_000
_COMMON_METHOD = (
    "Predictors and outcome answered by the same persons in one survey share moods and response styles (common method "
    "variance), which raises these numbers; and they say what goes with the outcome, not what causes it."
)


@dataclass(frozen=True, repr=False)
class DriverAnalysis(Result):
    """The explained variance of an outcome, divided among its predictors.

    Attributes
    ----------
    method : {"relative_weights", "lmg"}
    r_squared, adjusted_r_squared : float
        Share of the outcome's variance that all predictors explain together.
    n_predictors, n_respondents, n_dropped : int
    predictors : tuple
        Predictors that count.
    dropped_items : tuple of DroppedItem
        Constant predictors.
    notes : tuple of str
        Among them the common-method warning, always.
    """

    method: Literal["relative_weights", "lmg"]
    r_squared: float
    adjusted_r_squared: float
    n_predictors: int
    n_respondents: int
    n_dropped: int
    predictors: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    notes: tuple[str, ...]
    _weights: FloatArray = field(repr=False, compare=False)
    _matrix: FloatArray = field(repr=False, compare=False)
    _answers: FloatArray = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("method", "r_squared", "n_predictors", "n_respondents", "n_dropped")

    @property
    def weights(self) -> pd.Series:
        """What each predictor contributes to R squared; they add up to it."""
        return self._series(self._weights, "weight")

    @property
    def shares(self) -> pd.Series:
        """The weights as shares of R squared, adding up to 1; NaN where nothing is explained."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._series(self._weights / self._weights.sum(), "share")

    def to_frame(self) -> pd.DataFrame:
        """A row a predictor, in their order.

        Returns
        -------
        DataFrame
            weight (of R squared), share (0 to 1), correlation with the outcome, standardized_coefficient,
            variance_inflation.
        """
        within, outer = self._matrix[:-1, :-1], self._matrix[:-1, -1]
        return pd.DataFrame(
            {
                "weight": self.weights,
                "share": self.shares,
                "correlation": self._series(outer, ""),
                "standardized_coefficient": self._series(np.asarray(np.linalg.solve(within, outer)), ""),
                "variance_inflation": self._series(np.asarray(np.diag(np.linalg.inv(within)), dtype=np.float64), ""),
            }
        )

    def confidence_intervals(
        self,
        level: float = 0.95,
        method: DriverInterval = "bca",
        *,
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Intervals of the weights by resampling respondents.

        Weights cannot be negative, so an interval that leaves 0 out is no evidence that a predictor matters.

        Returns
        -------
        DataFrame
            Index predictor: weight, ci_low, ci_high, n_failed (resamples in which predictors were collinear).

        References
        ----------
        Tonidandel, LeBreton & Johnson (2009), Psychological Methods, 14, 387-399.
        """
        level = check_level(level)
        check_choice("method", method, get_args(DriverInterval))
        low, high, failed = bootstrap_limits(
            self._answers,
            _weights_of(self.method),
            self._weights,
            level=level,
            method=method,
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
        )
        frame = pd.DataFrame(
            {"weight": self.weights, "ci_low": self._series(low, ""), "ci_high": self._series(high, "")}
        )
        return frame.assign(n_failed=failed)

    def describe(self) -> str:
        """One sentence in APA style."""
        name = "Johnson's relative weights" if self.method == "relative_weights" else "LMG shares"
        order = np.argsort(-self._weights, kind="stable")[:3]
        shares = self.shares.to_numpy()
        first = ", ".join(f"{self.predictors[i]} {100 * shares[i]:.0f}%" for i in order)
        sentence = (
            f"{self.n_predictors} predictors explained {apa_number(self.r_squared)} of the variance (n = "
            f"{self.n_respondents}); {name} divide it as follows: {first}{', ...' if self.n_predictors > 3 else ''}."
        )
        return " ".join([sentence, *self.notes])

    def _series(self, values: FloatArray, name: str) -> pd.Series:
        index = pd.Index(self.predictors, tupleize_cols=False, name="predictor")
        return pd.Series(values, index=index, name=name)


def relative_weights(predictors: pd.DataFrame, outcome: pd.Series) -> DriverAnalysis:
    """Johnson's relative weights: the R squared of an outcome divided among correlated predictors.

    Parameters
    ----------
    predictors : DataFrame, shape (n_respondents, n_predictors)
        Scores; at least 2 that vary. Rows with any missing value are left out and counted.
    outcome : Series, shape (n_respondents,)
        Same index as ``predictors``.

    Returns
    -------
    DriverAnalysis
        ``.confidence_intervals()`` resamples respondents.

    Raises
    ------
    InsufficientDataError
        Collinear predictors (named), a constant outcome, fewer than 2 predictors, or no more complete respondents than
        predictors plus 1.
    ValueError, TypeError
        Text among the numbers, or an index that does not fit.

    Notes
    -----
    The predictors are replaced by the closest uncorrelated variables; the outcome's squared regression weights on
    these are carried back by the squared correlations of the two sets [1]_. Equals Genizi's (1993) decomposition.

    References
    ----------
    .. [1] Johnson, J. W. (2000). Multivariate Behavioral Research, 35, 1-19.

    Examples
    --------
    >>> x = pd.DataFrame({"feed": [1, 2, 3, 4, 5, 3], "role": [2, 1, 4, 3, 5, 4]})
    >>> result = relative_weights(x, pd.Series([1, 2, 2, 4, 5, 3]))
    >>> result.shares.round(2).to_dict()
    {'feed': 0.76, 'role': 0.24}
    """
    return _analyse(predictors, outcome, "relative_weights")


def lmg_shares(predictors: pd.DataFrame, outcome: pd.Series) -> DriverAnalysis:
    """LMG shares: what a predictor adds to R squared, averaged over all orders of entering.

    Parameters
    ----------
    predictors : DataFrame, shape (n_respondents, n_predictors)
        2 to 16 predictors.
    outcome : Series, shape (n_respondents,)

    Returns
    -------
    DriverAnalysis
        As :func:`relative_weights`.

    Raises
    ------
    InsufficientDataError, TypeError
        As :func:`relative_weights`.
    ValueError
        More than 16 predictors, or as there.

    Notes
    -----
    Lindeman, Merenda & Gold (1980) [1]_; also known as the Shapley value of R squared. The R squared of all subsets
    come from one elimination tree.

    References
    ----------
    .. [1] Lindeman, R. H., Merenda, P. F., & Gold, R. Z. (1980). Introduction to Bivariate and Multivariate Analysis.

    Examples
    --------
    >>> x = pd.DataFrame({"feed": [1, 2, 3, 4, 5, 3], "role": [2, 1, 4, 3, 5, 4]})
    >>> result = lmg_shares(x, pd.Series([1, 2, 2, 4, 5, 3]))
    >>> result.shares.round(2).to_dict()
    {'feed': 0.76, 'role': 0.24}
    """
    return _analyse(predictors, outcome, "lmg")


def _analyse(predictors: object, outcome: object, method: Literal["relative_weights", "lmg"]) -> DriverAnalysis:
    names, answers, n_rows, dropped = _complete(predictors, outcome)
    p, n = len(names), len(answers)
    if method == "lmg" and p > _MOST:
        raise ValueError(f"predictors of lmg_shares must be at most {_MOST}, not {p}; use relative_weights")
    covariance = np.cov(answers, rowvar=False)
    matrix = _correlation(covariance[None])[0]
    fault = singular_items(matrix[:-1, :-1], names)
    if fault:
        raise InsufficientDataError(f"The predictors are collinear: {fault}. Leave out what repeats others.")
    weights = _weights_of(method)(covariance[None])[0]
    r_squared = float(weights.sum())
    notes = [_COMMON_METHOD]
    if dropped:
        notes.insert(0, f"Left out: {name_list(dropped)}.")
    if n < 10 * p:
        notes.insert(0, f"Only {n} respondents for {p} predictors: expect wide intervals.")
    return DriverAnalysis(
        method=method,
        r_squared=r_squared,
        adjusted_r_squared=1 - (1 - r_squared) * (n - 1) / (n - p - 1),
        n_predictors=p,
        n_respondents=n,
        n_dropped=n_rows - n,
        predictors=names,
        dropped_items=dropped,
        notes=tuple(notes),
        _weights=weights,
        _matrix=matrix,
        _answers=answers,
    )


def _complete(
    predictors: object, outcome: object
) -> tuple[tuple[Hashable, ...], FloatArray, int, tuple[DroppedItem, ...]]:
    """Predictors that vary and the outcome (last), centred, complete rows."""
    frame = numeric_frame(predictors, "predictors")
    target = numeric_series(outcome, "outcome")
    if len(target) != len(frame.index):
        raise ValueError(f"outcome has {len(target)} values and predictors {len(frame.index)} rows; give one each")
    if isinstance(outcome, (pd.Series, pd.DataFrame)) and not target.index.equals(frame.index):
        raise ValueError("outcome has another index than predictors; give both the same index")
    both = np.column_stack([frame.floats, target.to_numpy()])
    used = both[~np.isnan(both).any(axis=1)]
    if len(used) < 3:
        raise InsufficientDataError(f"Drivers need at least 3 complete respondents; there are {len(used)}.")
    used = used - used.mean(axis=0)
    spread = np.ptp(used, axis=0)
    varies = spread > 1e-12 * np.maximum(np.abs(both[~np.isnan(both).any(axis=1)]).max(axis=0), 1e-100)
    if not varies[-1]:
        raise InsufficientDataError(f"The outcome does not vary among the {len(used)} complete respondents.")
    reason = f"constant among the {len(used)} complete rows"
    dropped = tuple(DroppedItem(frame.columns[i], reason) for i in np.flatnonzero(~varies))
    names = tuple(frame.columns[i] for i in np.flatnonzero(varies[:-1]))
    if len(names) < 2:
        raise InsufficientDataError(f"Drivers need at least 2 predictors that vary, not {len(names)}.")
    if len(used) <= len(names) + 1:
        raise InsufficientDataError(
            f"{len(names)} predictors need more than {len(names) + 1} complete respondents; there are {len(used)}."
        )
    return names, used[:, varies] / spread[varies], len(both), dropped


def _correlation(covariances: FloatArray) -> FloatArray:
    deviation = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    matrices: FloatArray = covariances / (deviation[:, :, None] * deviation[:, None, :])
    place = np.arange(matrices.shape[1])
    matrices[:, place, place] = 1.0
    return matrices


def _weights_of(method: str) -> Callable[[FloatArray], FloatArray]:
    return _johnson if method == "relative_weights" else _lmg


def _johnson(covariances: FloatArray) -> FloatArray:
    """Relative weights for B covariance matrices with the outcome last, shape (B, p); NaN where undefined."""
    result = np.full((len(covariances), covariances.shape[1] - 1), math.nan)
    with np.errstate(all="ignore"):
        matrices = _correlation(covariances)
    usable = np.isfinite(matrices).all(axis=(1, 2))
    matrices = matrices[usable]
    values, vectors = np.linalg.eigh(matrices[:, :-1, :-1])
    with np.errstate(all="ignore"):
        roots = np.sqrt(np.where(values > 1e-10, values, math.nan))
        towards = (vectors * roots[:, None, :]) @ vectors.transpose(0, 2, 1)
        back = (vectors / roots[:, None, :]) @ vectors.transpose(0, 2, 1)
        coefficients = np.einsum("bij,bj->bi", back, matrices[:, :-1, -1])
        result[usable] = np.einsum("bij,bj->bi", towards**2, coefficients**2)
    return result


def _lmg(covariances: FloatArray) -> FloatArray:
    """LMG shares for B covariance matrices with the outcome last, shape (B, p)."""
    p = covariances.shape[1] - 1
    result = np.empty((len(covariances), p))
    step = max(1, _CELLS // 2 ** (p + 2))
    with np.errstate(all="ignore"):
        for start in range(0, len(covariances), step):
            matrices = _correlation(covariances[start : start + step])
            result[start : start + step] = _averaged(_explained(matrices), p)
    result[~np.isfinite(result).all(axis=1)] = math.nan
    return result


def _explained(matrices: FloatArray) -> FloatArray:
    """R squared of every subset, shape (2^p, B); bit j of the first index says whether predictor j is in.

    Predictor by predictor, every matrix is continued without it and with it swept out; what is left at the end is the
    residual variance of the outcome.
    """
    stack = matrices[None]
    while stack.shape[-1] > 1:
        pivot = stack[..., 0, 0]
        pivot = np.where(pivot > 1e-10, pivot, math.nan)
        row = stack[..., 0, 1:]
        swept = stack[..., 1:, 1:] - row[..., :, None] * row[..., None, :] / pivot[..., None, None]
        stack = np.concatenate([stack[..., 1:, 1:], swept])
    return np.asarray(1 - stack[..., 0, 0])


def _averaged(explained: FloatArray, p: int) -> FloatArray:
    subsets = np.arange(2**p)
    sizes = np.array([bin(subset).count("1") for subset in subsets])
    weights = np.array([math.factorial(s) * math.factorial(p - s - 1) / math.factorial(p) for s in range(p)])
    result = np.empty((explained.shape[1], p))
    for j in range(p):
        without: npt.NDArray[np.int64] = subsets[(subsets >> j) & 1 == 0]
        result[:, j] = weights[sizes[without]] @ (explained[without + 2**j] - explained[without])
    return result
