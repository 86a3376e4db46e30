"""Reliability of sums of ordered answers: categorical omega, and ordinal alpha of hypothetical continuous answers."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._bivariate_normal import bivariate_cdf
from servicediag.psychometrics._correlations import correlations, item_index
from servicediag.psychometrics._factor_extraction import one_factor_communalities
from servicediag.psychometrics._frames import (
    EstimateResult,
    FloatArray,
    Result,
    apa_number,
    check_choice,
    check_count,
    check_level,
    name_list,
)
from servicediag.psychometrics._moments import DroppedItem
from servicediag.psychometrics._polychoric_solver import influence_variance, solve_pairs, thresholds_of
from servicediag.psychometrics._resampling import Progress, ResampledInterval, _corrected
from servicediag.psychometrics.benchmarks_rules import Coefficient
from servicediag.psychometrics.polychoric import Categories, OrdinalAnswers, ordinal_answers, pearson_starts
from servicediag.results import ConfidenceInterval

__all__ = ["CategoricalOmega", "OrdinalAlpha", "categorical_omega", "ordinal_alpha"]

Denominator = Literal["observed", "model"]
Estimator = Literal["dwls", "uls"]
_OMEGA = "Categorical omega"
_ALPHA = "Ordinal alpha"
_ROWS = 2_000_000  # resampling weights held at a time


@dataclass(frozen=True, repr=False)
class CategoricalOmega(EstimateResult):
    """Reliability of the sum of ordered answers that share one factor.

    Attributes
    ----------
    estimate : float
        Share of the variance of the sum of the answers as they are coded, not of hypothetical continuous ones.
    denominator : {"observed", "model"}
        Variance of the sum by the polychoric correlations, or by those that the factor implies.
    estimator : {"dwls", "uls"}
    n_items, n_respondents, n_dropped : int
    items : tuple
    dropped_items : tuple of DroppedItem
    heywood_items, negative_items : tuple
        Items whose loading reached 1 in size, and those with a negative loading.
    notes : tuple of str
    """

    estimate: float
    denominator: Denominator
    estimator: Estimator
    n_items: int
    n_respondents: int
    n_dropped: int
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    heywood_items: tuple[Hashable, ...]
    negative_items: tuple[Hashable, ...]
    notes: tuple[str, ...]
    _loadings: FloatArray = field(repr=False, compare=False)
    _answers: OrdinalAnswers = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("estimate", "denominator", "n_items", "n_respondents", "n_dropped")
    _coefficient: ClassVar[Coefficient] = "reliability"

    @property
    def loadings(self) -> pd.DataFrame:
        """Standardised loadings of the normal variables behind the items, shape (n_items, 1)."""
        return pd.DataFrame({"factor": self._loadings}, index=item_index(self.items))

    def confidence_interval(
        self,
        level: float = 0.95,
        method: Literal["bca", "percentile", "bootstrap"] = "bca",
        *,
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> ConfidenceInterval:
        """Interval by resampling respondents, every step estimated anew.

        Parameters
        ----------
        level : float
        method : {"bca", "percentile", "bootstrap"}
            ``bootstrap`` means ``bca``, as Kelley & Pornprasertmanit (2016) advise.
        n_resamples, seed, progress
            Number of resamples (at least 100), start of the random numbers, callback (done, total).
        """
        level = check_level(level)
        check_choice("method", method, ("bca", "percentile", "bootstrap"))
        n_resamples = check_count("n_resamples", n_resamples, 100)
        generator = np.random.default_rng(seed)
        values = self._resampled(n_resamples, generator, progress)
        kept = np.sort(values[np.isfinite(values)])
        if len(kept) < n_resamples / 2:
            raise InsufficientDataError(f"{_OMEGA} was undefined in most resamples; there are too few respondents.")
        tails = np.array([(1 - level) / 2, (1 + level) / 2])
        if method != "percentile":
            tails = _corrected(tails, kept, self.estimate, self._acceleration(generator))
        low, high = (float(limit) for limit in np.quantile(kept, tails))
        return ResampledInterval(
            min(low, self.estimate),
            max(high, self.estimate),
            level=level,
            method="percentile" if method == "percentile" else "bca",
            n_resamples=n_resamples,
            n_failed=n_resamples - len(kept),
            seed=int(seed) if isinstance(seed, (int, np.integer)) else None,
        )

    def to_frame(self) -> pd.DataFrame:
        """One row, index the name of the coefficient: estimate, n_items, n_respondents, n_dropped, choices, note."""
        names = ("estimate", "n_items", "n_respondents", "n_dropped", "denominator", "estimator")
        row = {**{name: getattr(self, name) for name in names}, "note": " ".join(self.notes)}
        return pd.DataFrame([row], index=pd.Index(["categorical_omega"], name="coefficient"))

    def describe(self) -> str:
        """One sentence in APA style; the interval is not part of it, since it takes resampling."""
        sentence = (
            f"Categorical omega of the sum of {self.n_items} ordered items was {apa_number(self.estimate)}, "
            f"n = {self.n_respondents}."
        )
        return " ".join([sentence, *self.notes])

    def _resampled(self, n_resamples: int, generator: np.random.Generator, progress: Progress | None) -> FloatArray:
        n = len(self._answers.codes)
        at_once = max(1, min(n_resamples, 200, _ROWS // n))
        values = []
        for start in range(0, n_resamples, at_once):
            count = min(at_once, n_resamples - start)
            rows = generator.integers(0, n, size=(count, n)) + np.arange(count)[:, None] * n
            weights = np.bincount(rows.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)
            values.append(_weighted_omega(self._answers, weights, self.denominator, self.estimator)[0])
            if progress is not None:
                progress(start + count, n_resamples)
        return np.concatenate(values)

    def _acceleration(self, generator: np.random.Generator, most: int = 200) -> float:
        """By leaving out one of up to 200 random groups at a time."""
        n = len(self._answers.codes)
        groups = generator.permutation(n) % min(n, most)
        weights = (groups[None, :] != np.arange(min(n, most))[:, None]).astype(np.float64)
        values, _ = _weighted_omega(self._answers, weights, self.denominator, self.estimator)
        values = values[np.isfinite(values)]
        distance = values.mean() - values if len(values) else values
        spread = float((distance**2).sum()) ** 1.5
        return float((distance**3).sum()) / (6 * spread) if spread > 0 else 0.0


@dataclass(frozen=True, repr=False)
class OrdinalAlpha(Result):
    """Cronbach's alpha of polychoric correlations.

    Attributes
    ----------
    hypothetical_estimate : float
        Reliability that a sum of the continuous variables behind the answers would have, which nobody observes.
    n_items, n_respondents, n_dropped : int
    items : tuple
    notes : tuple of str
    """

    hypothetical_estimate: float
    n_items: int
    n_respondents: int
    n_dropped: int
    items: tuple[Hashable, ...]
    notes: tuple[str, ...]

    _shown: ClassVar[tuple[str, ...]] = ("hypothetical_estimate", "n_items", "n_respondents", "n_dropped")

    def to_frame(self) -> pd.DataFrame:
        """One row: hypothetical_estimate, n_items, n_respondents, n_dropped, note."""
        row = {**{name: getattr(self, name) for name in self._shown}, "note": " ".join(self.notes)}
        return pd.DataFrame([row], index=pd.Index(["ordinal_alpha (hypothetical)"], name="coefficient"))

    def describe(self) -> str:
        """One sentence in APA style."""
        sentence = (
            f"Ordinal alpha, the reliability of hypothetical continuous answers to {self.n_items} items, was "
            f"{apa_number(self.hypothetical_estimate)}, n = {self.n_respondents}; it is not that of the observed sum."
        )
        return " ".join([sentence, *self.notes])


def categorical_omega(
    items: pd.DataFrame,
    *,
    categories: Categories | None = None,
    denominator: Denominator = "observed",
    estimator: Estimator = "dwls",
) -> CategoricalOmega:
    """Reliability of the sum of ordered answers under one factor, by Green and Yang.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        At least 3 items; reverse-keyed ones already turned. Rows with any missing answer are left out and counted.
    categories : optional
        See :func:`polychoric_correlation`.
    denominator : {"observed", "model"}
        Variance of the sum from the polychoric correlations, or from those that the factor implies.
    estimator : {"dwls", "uls"}
        Loadings by least squares of the polychoric correlations, each weighted by its precision or all alike.

    Returns
    -------
    CategoricalOmega

    Raises
    ------
    InsufficientDataError
        Fewer than 3 items that vary, or fewer than 2 respondents.
    ValueError
        Answers outside the categories.

    Notes
    -----
    A coded answer is a sum of steps over thresholds, so covariances of coded answers follow from bivariate normal
    probabilities, with the correlations due to the factor above the line, and all correlations below it [1]_.

    References
    ----------
    .. [1] Green, S. B., & Yang, Y. (2009). Psychometrika, 74, 155-167.

    Examples
    --------
    >>> generator = np.random.default_rng(5)
    >>> answers = generator.normal(size=(300, 1)) + generator.normal(size=(300, 4))
    >>> items = pd.DataFrame(np.clip(np.rint(answers) + 3, 1, 5).astype(int), columns=list("abcd"))
    >>> round(categorical_omega(items, categories=range(1, 6)).estimate, 1)
    0.8
    """
    check_choice("denominator", denominator, ("observed", "model"))
    check_choice("estimator", estimator, ("dwls", "uls"))
    known = ordinal_answers(items, categories, "listwise", statistic=_OMEGA, minimum_items=3)
    values, loadings = _weighted_omega(known, np.ones((1, len(known.codes))), denominator, estimator)
    if not math.isfinite(values[0]):
        raise InsufficientDataError(f"{_OMEGA}: the sum of the items does not vary; check the keying.")
    own = loadings[0]
    heywood = tuple(known.items[i] for i in np.flatnonzero(np.abs(own) >= 0.9999))
    negative = tuple(known.items[i] for i in np.flatnonzero(own < 0))
    return CategoricalOmega(
        estimate=float(values[0]),
        denominator=denominator,
        estimator=estimator,
        n_items=len(known.items),
        n_respondents=len(known.codes),
        n_dropped=known.n_dropped,
        items=known.items,
        dropped_items=known.dropped_items,
        heywood_items=heywood,
        negative_items=negative,
        notes=_notes(known, heywood, negative),
        _loadings=own,
        _answers=known,
    )


def _notes(known: OrdinalAnswers, heywood: tuple[Hashable, ...], negative: tuple[Hashable, ...]) -> tuple[str, ...]:
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if heywood:
        notes.append(f"Heywood case: the loading of {name_list(heywood)} reached 1; trust neither it nor omega.")
    if negative:
        notes.append(f"Negative loadings: {name_list(negative)}. Nothing was turned; check the keying.")
    return tuple(notes)


def ordinal_alpha(items: pd.DataFrame, *, categories: Categories | None = None) -> OrdinalAlpha:
    """Ordinal alpha: Cronbach's alpha of polychoric correlations, hypothetical and never the headline.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
    categories : optional
        See :func:`polychoric_correlation`.

    Returns
    -------
    OrdinalAlpha

    Raises
    ------
    InsufficientDataError, ValueError
        As :func:`polychoric_correlation`.

    Notes
    -----
    Zumbo, Gadermann & Zeisser (2007) [1]_. It is the reliability of a sum of variables that nobody observes; Chalmers
    (2018) [2]_ advises against it in reports. For the sum that is really taken see :func:`categorical_omega`.

    References
    ----------
    .. [1] Zumbo, B. D., Gadermann, A. M., & Zeisser, C. (2007). Journal of Modern Applied Statistical
           Methods, 6, 21-29.
    .. [2] Chalmers, R. P. (2018). Educational and Psychological Measurement, 78, 1056-1071.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [1, 1, 2, 2, 3, 3, 3, 1], "b": [1, 2, 2, 3, 3, 2, 3, 1]})
    >>> round(ordinal_alpha(answers).hypothetical_estimate, 2)
    0.93
    """
    known = correlations(items, statistic=_ALPHA, correlation="polychoric", categories=categories)
    k, total = known.n_items, float(known.matrix.sum())
    if total <= 1e-12 * k:
        raise InsufficientDataError(f"{_ALPHA}: the sum of the {k} items does not vary; check the keying.")
    return OrdinalAlpha(
        hypothetical_estimate=k / (k - 1) * (1 - k / total),
        n_items=k,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        items=known.items,
        notes=known.notes,
    )


# ----------------------------------------------------------------------------------------------------- computation


def _weighted_omega(
    known: OrdinalAnswers, weights: FloatArray, denominator: Denominator, estimator: Estimator
) -> tuple[FloatArray, FloatArray]:
    """Omega and loadings for B weightings of the respondents, shape (B,) and (B, k)."""
    k, width = len(known.items), max(len(values) for values in known.values)
    first, second = np.triu_indices(k, 1)
    marks = (known.codes[:, :, None] == np.arange(width)).astype(np.float64)
    count = len(weights)
    counts = np.einsum("bn,nic->bic", weights, marks, optimize=True)
    tables = np.empty((count, len(first), width, width))
    for p in range(len(first)):
        i, j = int(first[p]), int(second[p])
        joint = (marks[:, i, :, None] * marks[:, j, None, :]).reshape(len(marks), -1)
        tables[:, p] = (weights @ joint).reshape(count, width, width)
    limits = thresholds_of(counts)
    flat = tables.reshape(-1, width, width)
    upper, lower = (limits[:, index].reshape(-1, width - 1) for index in (first, second))
    rho = solve_pairs(flat, upper, lower, pearson_starts(flat), tolerance=1e-8).rho
    precision = np.ones_like(rho)
    if estimator == "dwls":
        precision = 1 / np.clip(influence_variance(flat, upper, lower, rho, expected=False), 1e-8, None)
        precision[~np.isfinite(precision)] = 0.0
    matrix, weight = np.tile(np.eye(k), (count, 1, 1)), np.zeros((count, k, k))
    matrix[:, first, second] = matrix[:, second, first] = rho.reshape(count, -1)
    weight[:, first, second] = weight[:, second, first] = precision.reshape(count, -1)
    loadings = _weighted_loadings(matrix, weight)
    steps = np.zeros((k, width - 1))
    for row, used in zip(steps, known.values, strict=True):
        row[: len(used) - 1] = np.diff(used)
    shared = loadings[:, :, None] * loadings[:, None, :]
    above = _sum_variance(limits, steps, shared, own_too=True)
    below = matrix if denominator == "observed" else shared
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = _sum_variance(limits, steps, below, own_too=False)
        values = np.where(variance > 1e-10 * steps.sum() ** 2, above / variance, math.nan)
    return values, loadings


def _weighted_loadings(matrix: FloatArray, weight: FloatArray) -> FloatArray:
    """One factor by weighted least squares of the off-diagonal correlations, loading by loading."""
    k = matrix.shape[1]
    size = np.sqrt(one_factor_communalities(matrix))
    leading = np.linalg.eigh(matrix)[1][:, :, -1]
    loadings = size * np.where(leading < 0, -1.0, 1.0) * np.where(leading.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    active = np.arange(len(matrix))
    for _ in range(2000):
        if not active.size:
            break
        current, r, w = loadings[active], matrix[active], weight[active]
        before = current.copy()
        for j in range(k):
            row = w[:, j] * current
            new = (row * r[:, j]).sum(axis=1) / np.maximum((row * current).sum(axis=1), 1e-12)
            current[:, j] = np.clip(new, -0.99999, 0.99999)
        loadings[active] = current
        active = active[np.abs(current - before).max(axis=1) > 1e-9]
    return np.asarray(loadings * np.where(loadings.sum(axis=1, keepdims=True) < 0, -1.0, 1.0))


def _sum_variance(limits: FloatArray, steps: FloatArray, matrix: FloatArray, *, own_too: bool) -> FloatArray:
    """Variance of the sum of coded answers for B sets of thresholds and correlations, shape (B,).

    ``own_too``: an item's covariance with itself is taken from its diagonal entry too, as that of two parallel items.
    """
    from scipy.special import ndtr

    k = len(steps)
    beyond = ndtr(limits)
    mean = (beyond * steps).sum(axis=2)
    first, second = np.triu_indices(k, 0 if own_too else 1)
    joint = bivariate_cdf(
        limits[:, first, :, None],
        limits[:, second, None, :],
        np.clip(matrix[:, first, second], -0.999999, 0.999999)[:, :, None, None],
    )
    cross = np.einsum("bpij,pi,pj->bp", joint, steps[first], steps[second]) - mean[:, first] * mean[:, second]
    total = (cross * np.where(first == second, 1.0, 2.0)).sum(axis=1)
    if not own_too:
        smaller = ndtr(np.minimum(limits[:, :, :, None], limits[:, :, None, :]))
        total = total + (np.einsum("bkij,ki,kj->bk", smaller, steps, steps) - mean**2).sum(axis=1)
    return np.asarray(total)
