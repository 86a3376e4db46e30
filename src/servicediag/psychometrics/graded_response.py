"""Samejima's graded response model by marginal maximum likelihood: what each answer says about a person's level."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import item_index
from servicediag.psychometrics._cumulative_logit import (
    category_derivatives,
    category_probabilities,
    fit_cumulative_logit,
)
from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_count, name_list, numeric_frame
from servicediag.psychometrics._moments import DroppedItem
from servicediag.psychometrics._resampling import Progress
from servicediag.psychometrics.polychoric import Categories, OrdinalAnswers, ordinal_answers

__all__ = ["GradedResponseModel", "graded_response_model"]

_STATISTIC = "The graded response model"
_STEEPEST = 8.0  # discriminations beyond this say that an item repeats the others, or that the fit runs away
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class _Item:
    """Parameters in slope-intercept form: ``logit P(X >= c) = slope * theta + intercept_c``."""

    slope: float
    intercepts: FloatArray

    @property
    def difficulties(self) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            result: FloatArray = -self.intercepts / self.slope
        return result


@dataclass(frozen=True, repr=False)
class GradedResponseModel(Result):
    """Items and persons on one latent scale, normal with mean 0 and variance 1.

    Attributes
    ----------
    marginal_reliability : float
        Test information over itself plus 1, averaged over the normal distribution.
    empirical_reliability : float
        Variance of the scores over itself plus the mean squared standard error.
    log_likelihood, aic, bic : float
    n_parameters, n_items, n_respondents, n_dropped : int
        Respondents with at least one answer count; missing answers are left out of their likelihood.
    n_iterations : int
    converged : bool
    items : tuple
    dropped_items : tuple of DroppedItem
    negative_items : tuple
        Items with a negative discrimination; nothing was turned.
    notes : tuple of str
    """

    marginal_reliability: float
    empirical_reliability: float
    log_likelihood: float
    aic: float
    bic: float
    n_parameters: int
    n_items: int
    n_respondents: int
    n_dropped: int
    n_iterations: int
    converged: bool
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    negative_items: tuple[Hashable, ...]
    notes: tuple[str, ...]
    _fitted: tuple[_Item, ...] = field(repr=False, compare=False)
    _errors: tuple[FloatArray, ...] = field(repr=False, compare=False)
    _values: tuple[FloatArray, ...] = field(repr=False, compare=False)
    _scores: pd.DataFrame = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = (
        "n_items", "n_respondents", "marginal_reliability", "log_likelihood", "converged",
    )  # fmt: skip

    @property
    def discriminations(self) -> pd.Series:
        """Slope of each item (a), in the logistic metric without the factor 1.7."""
        return pd.Series([item.slope for item in self._fitted], index=item_index(self.items), name="discrimination")

    @property
    def difficulties(self) -> pd.DataFrame:
        """Items x steps: the level at which the answer is as likely above a step as below it (b); NaN past the last.

        Step c leads from the c-th used category to the next.
        """
        width = max(len(item.intercepts) for item in self._fitted)
        values = np.full((self.n_items, width), math.nan)
        for row, item in zip(values, self._fitted, strict=True):
            row[: len(item.intercepts)] = item.difficulties
        return pd.DataFrame(values, index=item_index(self.items), columns=pd.RangeIndex(1, width + 1))

    @property
    def scores(self) -> pd.DataFrame:
        """Expected a posteriori scores, index respondent: theta, standard_error; NaN for those without answers."""
        return self._scores.copy()

    def to_frame(self) -> pd.DataFrame:
        """A row an item: discrimination, difficulty_1 ..., and the standard errors of each."""
        steps = self.difficulties
        frame = pd.DataFrame({"discrimination": self.discriminations})
        for step in steps.columns:
            frame[f"difficulty_{step}"] = steps[step]
        frame["discrimination_se"] = [errors[0] for errors in self._errors]
        for at in range(1, steps.shape[1] + 1):
            frame[f"difficulty_{at}_se"] = [errors[at] if at < len(errors) else math.nan for errors in self._errors]
        return frame

    def probabilities(self, item: Hashable, theta: npt.ArrayLike | None = None) -> pd.DataFrame:
        """Probability of each answer to an item at levels theta; index theta, columns the categories.

        Raises
        ------
        ValueError
            Unknown item, or a level that is no finite number.
        """
        if item not in self.items:
            raise ValueError(f"item must be one of {name_list(self.items)}, not {item!r}")
        position = self.items.index(item)
        levels, own = _levels(theta), self._fitted[position]
        values = category_probabilities(own.slope * levels, own.intercepts)
        columns = pd.Index(self._values[position], name="category")
        return pd.DataFrame(values, index=pd.Index(levels, name="theta"), columns=columns)

    def information(self, theta: npt.ArrayLike | None = None) -> pd.DataFrame:
        """Fisher information at levels theta; index theta, columns the items. The test's is the sum of a row."""
        levels = _levels(theta)
        values = np.column_stack([_information(item, levels) for item in self._fitted])
        columns = item_index(self.items).rename("item")
        return pd.DataFrame(values, index=pd.Index(levels, name="theta"), columns=columns)

    def test_information(self, theta: npt.ArrayLike | None = None) -> pd.DataFrame:
        """Index theta: information of the whole test, and the standard error 1 / sqrt(information)."""
        total = self.information(theta).sum(axis=1)
        return pd.DataFrame({"information": total, "standard_error": 1 / np.sqrt(total)})

    def describe(self) -> str:
        """One sentence in APA style."""
        slopes = self.discriminations
        sentence = (
            f"Graded response model of {self.n_items} items, n = {self.n_respondents}: discriminations from "
            f"{apa_number(float(slopes.min()), leading_zero=True)} to "
            f"{apa_number(float(slopes.max()), leading_zero=True)}, marginal reliability "
            f"{apa_number(self.marginal_reliability)}."
        )
        return " ".join([sentence, *self.notes])

    def plot(self) -> Any:
        """Item characteristic curves with the information of items and test, an altair chart."""
        from servicediag.psychometrics._factor_charts import item_curves

        curves = {item: self.probabilities(item) for item in self.items}
        return item_curves(curves, self.information())


def graded_response_model(
    items: pd.DataFrame,
    *,
    categories: Categories | None = None,
    n_quadrature: int = 61,
    max_iterations: int = 1000,
    progress: Progress | None = None,
) -> GradedResponseModel:
    """Graded response model, by marginal maximum likelihood (EM with Gauss-Hermite quadrature).

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Ordered answers, at least 3 items; missing answers are taken as missing at random.
    categories : optional
        See :func:`polychoric_correlation`; unused categories have no step.
    n_quadrature : int
        Points of the latent distribution, 11 to 201.
    max_iterations : int
    progress : callable, optional
        Called with (iteration, max_iterations).

    Returns
    -------
    GradedResponseModel

    Raises
    ------
    InsufficientDataError
        Fewer than 3 items that vary, or fewer respondents than parameters of an item.
    ValueError, TypeError
        Answers outside the categories, or an argument out of range.

    Notes
    -----
    ``P(X >= c) = 1 / (1 + exp(-a (theta - b_c)))`` (Samejima 1969 [1]_), estimated as in Bock & Aitkin (1981) [2]_;
    standard errors from the products of the respondents' scores. Where the iterations end before the largest change of
    a parameter is below 1e-9 the result says so.

    References
    ----------
    .. [1] Samejima, F. (1969). Estimation of latent ability using a response pattern of graded scores.
    .. [2] Bock, R. D., & Aitkin, M. (1981). Psychometrika, 46, 443-459.

    Examples
    --------
    >>> generator = np.random.default_rng(2)
    >>> answers = generator.normal(size=(400, 1)) + generator.normal(size=(400, 4))
    >>> result = graded_response_model(pd.DataFrame(np.digitize(answers, [-1, 0, 1]), columns=list("abcd")))
    >>> result.converged, round(result.marginal_reliability, 1)
    (True, 0.7)
    """
    n_quadrature = check_count("n_quadrature", n_quadrature, 11)
    if n_quadrature > 201:
        raise ValueError(f"n_quadrature must be at most 201, not {n_quadrature}")
    max_iterations = check_count("max_iterations", max_iterations, 1)
    frame = numeric_frame(items)
    known = ordinal_answers(items, categories, "pairwise", statistic=_STATISTIC, minimum_items=3)
    width = max(len(values) for values in known.values)
    if len(known.codes) <= width:
        raise InsufficientDataError(
            f"{_STATISTIC} needs more respondents than the {width} categories; there are {len(known.codes)}."
        )
    patterns, inverse, frequency = np.unique(known.codes, axis=0, return_inverse=True, return_counts=True)
    estimation = _Estimation(known, patterns, frequency.astype(np.float64), n_quadrature)
    fitted, n_iterations, converged = estimation.run(max_iterations, progress)
    scores = pd.DataFrame(math.nan, index=frame.index, columns=["theta", "standard_error"])
    per_pattern = estimation.scores(fitted)
    scores.iloc[np.flatnonzero(known.kept_rows)] = per_pattern[inverse.ravel()]
    return _result(known, estimation, fitted, scores, n_iterations, converged)


def _result(
    known: OrdinalAnswers,
    estimation: _Estimation,
    fitted: tuple[_Item, ...],
    scores: pd.DataFrame,
    n_iterations: int,
    converged: bool,
) -> GradedResponseModel:
    log_likelihood = estimation.log_likelihood(fitted)
    n = len(known.codes)
    n_parameters = sum(1 + len(item.intercepts) for item in fitted)
    grid, weights = np.polynomial.hermite_e.hermegauss(101)
    total = np.sum([_information(item, grid) for item in fitted], axis=0)
    variance = float(np.nanvar(scores["theta"], ddof=1))
    error = float(np.nanmean(scores["standard_error"] ** 2))
    negative = tuple(name for name, item in zip(known.items, fitted, strict=True) if item.slope < 0)
    return GradedResponseModel(
        marginal_reliability=float((weights * total / (total + 1)).sum() / weights.sum()),
        empirical_reliability=variance / (variance + error),
        log_likelihood=log_likelihood,
        aic=2 * n_parameters - 2 * log_likelihood,
        bic=math.log(n) * n_parameters - 2 * log_likelihood,
        n_parameters=n_parameters,
        n_items=len(known.items),
        n_respondents=n,
        n_dropped=known.n_dropped,
        n_iterations=n_iterations,
        converged=converged,
        items=known.items,
        dropped_items=known.dropped_items,
        negative_items=negative,
        notes=_notes(known, fitted, negative, converged, n_iterations),
        _fitted=fitted,
        _errors=estimation.standard_errors(fitted),
        _values=known.values,
        _scores=scores,
    )


def _notes(
    known: OrdinalAnswers,
    fitted: tuple[_Item, ...],
    negative: tuple[Hashable, ...],
    converged: bool,
    n_iterations: int,
) -> tuple[str, ...]:
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if negative:
        notes.append(f"Negative discriminations: {name_list(negative)}. Nothing was turned; check the keying.")
    steep = [name for name, item in zip(known.items, fitted, strict=True) if abs(item.slope) > _STEEPEST]
    if steep:
        notes.append(f"Very steep: {name_list(steep)}. An item repeats others, or its estimate runs away.")
    if not converged:
        notes.append(f"Not converged after {n_iterations} iterations.")
    return tuple(notes)


def _levels(theta: npt.ArrayLike | None) -> FloatArray:
    if theta is None:
        return np.linspace(-4, 4, 81)
    levels = np.atleast_1d(np.asarray(theta, dtype=np.float64))
    if levels.ndim != 1 or not np.isfinite(levels).all():
        raise ValueError("theta must be finite numbers in one dimension")
    return levels


def _information(item: _Item, levels: FloatArray) -> FloatArray:
    probability, steep = category_derivatives(item.slope * levels, item.intercepts)
    edge = np.zeros((len(levels), 1))
    change = np.concatenate([edge, steep], axis=1) - np.concatenate([steep, edge], axis=1)
    return np.asarray(item.slope**2 * (change**2 / np.maximum(probability, 1e-300)).sum(axis=1))


def _flat(fitted: tuple[_Item, ...]) -> FloatArray:
    return np.concatenate([np.concatenate([[item.slope], item.intercepts]) for item in fitted])


def _unflat(values: FloatArray, like: tuple[_Item, ...]) -> tuple[_Item, ...]:
    items, at = [], 0
    for item in like:
        size = 1 + len(item.intercepts)
        items.append(_Item(float(values[at]), values[at + 1 : at + size]))
        at += size
    return tuple(items)


class _Estimation:
    """The likelihood of distinct answer patterns over the points of the latent distribution."""

    def __init__(
        self, known: OrdinalAnswers, patterns: npt.NDArray[np.int64], frequency: FloatArray, n_quadrature: int
    ) -> None:
        from scipy.sparse import csr_array

        self.patterns, self.frequency = patterns, frequency
        self.sizes = [len(values) for values in known.values]
        self.nodes, weights = np.polynomial.hermite_e.hermegauss(n_quadrature)
        self.log_weights = np.log(weights / weights.sum())
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self.marks = np.zeros((len(patterns), int(self.starts[-1])))
        rows, columns = np.nonzero(patterns >= 0)
        self.marks[rows, self.starts[columns] + patterns[rows, columns]] = 1.0
        self.sparse = csr_array(self.marks)  # one mark an item
        self.turned = csr_array(self.marks.T)

    def run(self, max_iterations: int, progress: Progress | None) -> tuple[tuple[_Item, ...], int, bool]:
        """Expectation-maximisation, every third step of which leaps ahead by what the two before it told."""
        fitted = self._start()
        before: list[FloatArray] = []
        for iteration in range(1, max_iterations + 1):
            changed = self._step(fitted)
            change = float(np.abs(_flat(changed) - _flat(fitted)).max())
            before.append(_flat(fitted))
            fitted = changed
            if progress is not None:
                progress(iteration, max_iterations)
            if change < _TOLERANCE:
                return self._oriented(fitted), iteration, True
            if len(before) == 2:
                fitted = self._leap(before[0], before[1], changed)
                before = []
        return self._oriented(fitted), max_iterations, False

    def _step(self, fitted: tuple[_Item, ...]) -> tuple[_Item, ...]:
        posterior, _ = self._posterior(fitted)
        expected = self.turned @ (posterior * self.frequency[:, None])
        return tuple(self._maximise(expected, i, item) for i, item in enumerate(fitted))

    def _leap(self, first: FloatArray, second: FloatArray, third: tuple[_Item, ...]) -> tuple[_Item, ...]:
        """Extrapolate two steps (Varadhan & Roland 2008, Scandinavian Journal of Statistics, 35, 335-353).

        Where that leaves the model or is less likely than the last step, the last step stands.
        """
        step = second - first
        bend = _flat(third) - second - step
        size = float(np.sqrt((bend**2).sum()))
        if not size > 0:
            return third
        length = max(float(np.sqrt((step**2).sum())) / size, 1.0)
        there = _unflat(first + 2 * length * step + length**2 * bend, third)
        if any((np.diff(item.intercepts) >= 0).any() for item in there):
            return third
        return there if self.log_likelihood(there) >= self.log_likelihood(third) - 1e-12 else third

    def _start(self) -> tuple[_Item, ...]:
        """Slopes by the sign of the correlation with the other items, intercepts by the category shares."""
        present = self.patterns >= 0
        scores = np.where(present, self.patterns, 0).astype(np.float64)
        shares = [self.frequency @ self.marks[:, a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]
        fitted = []
        centred = np.where(present, scores - np.average(scores, axis=0, weights=self.frequency), 0.0)
        cross = (centred * self.frequency[:, None]).T @ centred
        leading = np.linalg.eigh(cross)[1][:, -1]
        signs = np.where(leading * (1 if leading.sum() >= 0 else -1) < 0, -1.0, 1.0)
        for sign, counts in zip(signs, shares, strict=True):
            above = np.cumsum(counts[::-1])[::-1][1:] / counts.sum()
            fitted.append(_Item(float(sign), 1.2 * np.log(above / (1 - above))))
        return tuple(fitted)

    def _maximise(self, expected: FloatArray, i: int, item: _Item) -> _Item:
        counts = expected[self.starts[i] : self.starts[i + 1]].T
        fit = fit_cumulative_logit(
            counts, self.nodes[:, None], (item.intercepts, np.array([item.slope])), iterations=5, tolerance=1e-14
        )
        return _Item(float(fit.slopes[0]), fit.intercepts)

    def _posterior(self, fitted: tuple[_Item, ...]) -> tuple[FloatArray, FloatArray]:
        """Posterior weights of the points for every pattern, and the log of its marginal probability."""
        logs = np.concatenate(
            [np.log(np.maximum(category_probabilities(item.slope * self.nodes, item.intercepts), 1e-300)).T
             for item in fitted]
        )  # fmt: skip
        joint = self.sparse @ logs + self.log_weights
        top = joint.max(axis=1, keepdims=True)
        joint = np.exp(joint - top)
        total = joint.sum(axis=1, keepdims=True)
        return joint / total, (np.log(total) + top)[:, 0]

    def log_likelihood(self, fitted: tuple[_Item, ...]) -> float:
        return float(self.frequency @ self._posterior(fitted)[1])

    def scores(self, fitted: tuple[_Item, ...]) -> FloatArray:
        """Expected a posteriori score and posterior standard deviation of every pattern."""
        posterior, _ = self._posterior(fitted)
        mean = posterior @ self.nodes
        spread = posterior @ self.nodes**2 - mean**2
        return np.column_stack([mean, np.sqrt(np.maximum(spread, 0.0))])

    def standard_errors(self, fitted: tuple[_Item, ...]) -> tuple[FloatArray, ...]:
        """Standard errors of each item's discrimination and difficulties; NaN where they cannot be told."""
        posterior, _ = self._posterior(fitted)
        columns = [self._pattern_scores(posterior, i, item) for i, item in enumerate(fitted)]
        gradient = np.concatenate(columns, axis=1)
        information = (gradient * self.frequency[:, None]).T @ gradient
        values, vectors = np.linalg.eigh(information)
        usable = values[0] > 1e-9 * values[-1]
        covariance = (vectors / values) @ vectors.T if usable else np.full(information.shape, math.nan)
        result, at = [], 0
        for item in fitted:
            size = 1 + len(item.intercepts)
            own = covariance[at : at + size, at : at + size]
            jacobian = np.zeros((size, size))  # from slope and intercepts to discrimination and difficulties
            jacobian[0, 0] = 1.0
            with np.errstate(divide="ignore", invalid="ignore"):
                jacobian[1:, 0] = item.intercepts / item.slope**2
                jacobian[np.arange(1, size), np.arange(1, size)] = -1 / item.slope
                result.append(np.sqrt(np.diag(jacobian @ own @ jacobian.T)))
            at += size
        return tuple(result)

    def _pattern_scores(self, posterior: FloatArray, i: int, item: _Item) -> FloatArray:
        probability, steep = category_derivatives(item.slope * self.nodes, item.intercepts)
        k = self.sizes[i]
        by_category = np.zeros((len(self.nodes), k, k - 1))  # derivative of log P(category) in each linear predictor
        place = np.arange(k - 1)
        by_category[:, place + 1, place] = steep / np.maximum(probability[:, 1:], 1e-300)
        by_category[:, place, place] = -steep / np.maximum(probability[:, :-1], 1e-300)
        slope = by_category.sum(axis=2) * self.nodes[:, None]
        derivatives = np.concatenate([slope[:, :, None], by_category], axis=2)
        marks = self.marks[:, self.starts[i] : self.starts[i + 1]]
        result: FloatArray = np.einsum("pq,pc,qcd->pd", posterior, marks, derivatives, optimize=True)
        return result

    @staticmethod
    def _oriented(fitted: tuple[_Item, ...]) -> tuple[_Item, ...]:
        """High levels mean high answers: the slopes sum to at least 0."""
        if sum(item.slope for item in fitted) >= 0:
            return fitted
        return tuple(_Item(-item.slope, item.intercepts) for item in fitted)
