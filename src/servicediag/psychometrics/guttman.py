"""Guttman's six lower bounds to reliability, from one covariance matrix."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_number,
    check_choice,
    check_count,
    check_level,
    name_list,
)
from servicediag.psychometrics._moments import DroppedItem, Missing, Moments, moments, moments_from_covariance
from servicediag.psychometrics._resampling import CovarianceSums, PairwiseSums, Progress, bootstrap_interval
from servicediag.psychometrics.benchmarks_rules import Interpretation, RuleSet, judge, rule_set
from servicediag.results import ConfidenceInterval

__all__ = ["GuttmanLambdas", "guttman_lambdas", "guttman_lambdas_from_covariance"]

Bound = Literal["lambda1", "lambda2", "lambda3", "lambda4", "lambda5", "lambda6"]
_BOUNDS: tuple[Bound, ...] = ("lambda1", "lambda2", "lambda3", "lambda4", "lambda5", "lambda6")
_EXACT_UP_TO = 16
_SEARCHES = 200
_STATISTIC = "Guttman's lambdas"


@dataclass(frozen=True, repr=False)
class GuttmanLambdas(Result):
    """Guttman's lower bounds to the reliability of a sum score.

    Attributes
    ----------
    lambda1, lambda2, lambda3, lambda4, lambda5, lambda6 : float
        ``lambda3`` is Cronbach's alpha; ``lambda4`` the best split into halves; ``lambda6`` is NaN where an item is a
        linear combination of the others.
    first_half : tuple
        One half of the best split behind ``lambda4``.
    lambda4_exact : bool
        Whether all splits were tried, or a search was made.
    standardized : bool
        Whether the items were standardised first.
    n_items, n_respondents, n_dropped : int
    items : tuple
        Items that count.
    dropped_items : tuple of DroppedItem
    notes : tuple of str
    """

    lambda1: float
    lambda2: float
    lambda3: float
    lambda4: float
    lambda5: float
    lambda6: float
    first_half: tuple[Hashable, ...]
    lambda4_exact: bool
    standardized: bool
    n_items: int
    n_respondents: int
    n_dropped: int
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    notes: tuple[str, ...]
    _moments: Moments = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = (
        "lambda1", "lambda2", "lambda3", "lambda4", "lambda5", "lambda6", "n_items", "n_respondents",
    )  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """A row a bound, index ``coefficient``: the estimate and what it is."""
        meaning = {
            "lambda1": "sum of covariances against the total",
            "lambda2": "with the squares of the covariances",
            "lambda3": "Cronbach's alpha",
            "lambda4": "best split into halves" if self.lambda4_exact else "best split into halves that was found",
            "lambda5": "with the item that covaries most",
            "lambda6": "with the squared multiple correlations",
        }
        rows = [{"estimate": getattr(self, name), "meaning": text} for name, text in meaning.items()]
        return pd.DataFrame(rows, index=pd.Index(list(meaning), name="coefficient"))

    def confidence_interval(
        self,
        level: float = 0.95,
        method: Literal["percentile", "bca"] = "percentile",
        *,
        coefficient: Bound = "lambda2",
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> ConfidenceInterval:
        """Interval of one of the bounds, respondents being resampled.

        Parameters
        ----------
        level : float
            Between 0 and 1.
        method : {"percentile", "bca"}
        coefficient : {"lambda1", ..., "lambda6"}
            Lambda 4 looks for the best split in every resample: among all up to 16 items, beyond by exchanging items
            from the best split of the sample. Lambdas 4 and 6 pick what is largest in a sample, which resampling
            repeats: their limits lie rather high.
        n_resamples, seed, progress
            For resampling; ``progress(done, total)`` is called now and then.

        Returns
        -------
        ConfidenceInterval
            It also carries ``n_resamples`` and ``n_failed``.

        Raises
        ------
        InsufficientDataError
            The bound is undefined here or in most resamples.
        ValueError
            An unknown argument, or only a covariance matrix is known.
        """
        level = check_level(level)
        check_choice("method", method, ("percentile", "bca"))
        check_choice("coefficient", coefficient, _BOUNDS)
        estimate = float(getattr(self, coefficient))
        if math.isnan(estimate):
            raise InsufficientDataError(f"{coefficient} is undefined here; see the notes of the result.")
        answers = self._moments.answers("a bootstrap interval")
        half = np.array([item in set(self.first_half) for item in self.items])
        least = 1e-12 * np.diag(self._moments.covariance)
        value = partial(_bounds, coefficient=coefficient, standardized=self.standardized, half=half, least=least)
        kind = CovarianceSums if self._moments.missing == "listwise" else PairwiseSums
        return bootstrap_interval(
            kind(answers, value),
            estimate,
            level=level,
            method=method,
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
        )

    def describe(self) -> str:
        """One sentence in APA style."""
        values = self.to_frame()["estimate"]
        listed = ", ".join(f"{name} = {apa_number(value)}" for name, value in values.items())
        kind = "standardised items" if self.standardized else "items"
        sentence = f"Guttman's lower bounds for {self.n_items} {kind} were {listed}, n = {self.n_respondents}."
        return " ".join([sentence, *self.notes])

    def interpret(self, rules: str | RuleSet | None = None) -> Interpretation:
        """Read lambda 2, the bound that is never below alpha, by a named rule set for reliability.

        Its percentile interval is judged, or the estimate where only a covariance matrix is known.
        """
        interval = self.confidence_interval() if self._moments.source is not None else None
        return judge(rule_set(rules, "reliability"), self.lambda2, interval)


def guttman_lambdas(
    items: pd.DataFrame,
    *,
    standardized: bool = False,
    missing: Missing = "listwise",
    seed: int = 0,
    progress: Progress | None = None,
) -> GuttmanLambdas:
    """Guttman's lower bounds to reliability, lambda 1 to lambda 6.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Scored answers of one scale, reverse-keyed items already turned.
    standardized : bool
        Standardise the items first, that is, use correlations.
    missing : {"listwise", "pairwise"}
        As for :func:`cronbach_alpha`.
    seed : int
        For the search of lambda 4 beyond 16 items; up to there every split is tried.
    progress : callable, optional
        Told ``(done, total)`` during that search.

    Returns
    -------
    GuttmanLambdas
        The halves of lambda 4 are of equal size, differing by one where the number of items is odd.

    Raises
    ------
    InsufficientDataError, ValueError
        As :func:`cronbach_alpha`.

    Notes
    -----
    With covariances ``c``, variance ``V`` of the total and ``k`` items: ``l1 = 1 - sum of variances / V``;
    ``l2 = l1 + sqrt(k / (k - 1) * sum c^2) / V``; ``l3 = k / (k - 1) * l1``; ``l4 = max 4 * c(halves) / V``;
    ``l5 = l1 + 2 * sqrt(max over items of sum c^2) / V``; ``l6 = 1 - sum of residual variances / V`` [1]_. Lambda 4
    and lambda 6 capitalise on chance in small samples.

    References
    ----------
    .. [1] Guttman, L. (1945). Psychometrika, 10, 255-282.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 4, 5, 3], "q2": [2, 2, 4, 5, 2], "q3": [1, 3, 4, 4, 3]})
    >>> result = guttman_lambdas(answers)
    >>> round(result.lambda2, 3), round(result.lambda3, 3)
    (0.943, 0.938)
    """
    known = moments(items, missing, statistic=_STATISTIC)
    return _from_moments(known, standardized, check_count("seed", seed, 0), progress)


def guttman_lambdas_from_covariance(
    covariance: pd.DataFrame | FloatArray,
    n_respondents: int,
    *,
    standardized: bool = False,
    items: tuple[Hashable, ...] | None = None,
    seed: int = 0,
) -> GuttmanLambdas:
    """Guttman's lower bounds where only sums were kept; see :func:`guttman_lambdas`."""
    known = moments_from_covariance(covariance, n_respondents, items=items, statistic=_STATISTIC)
    return _from_moments(known, standardized, check_count("seed", seed, 0))


def _from_moments(known: Moments, standardized: bool, seed: int, progress: Progress | None = None) -> GuttmanLambdas:
    matrix = known.correlation if standardized else known.covariance
    k = known.n_items
    total = float(matrix.sum())
    if total <= 1e-12 * float(np.trace(matrix)):
        raise InsufficientDataError(
            f"{_STATISTIC}: the sum of the {k} standardised items does not vary. Check the keying: items of opposite "
            "direction cancel out."
        )
    half, exact = _best_half(matrix / total, seed, progress)
    values = {
        name: float(
            _bounds(matrix[None], coefficient=name, standardized=False, half=half, least=np.zeros(k), search=False)[0]
        )
        for name in _BOUNDS
    }
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if math.isnan(values["lambda6"]):
        notes.append("Lambda 6 is undefined: items are linearly dependent, or pairwise covariances indefinite.")
    if not exact:
        notes.append(f"Lambda 4 comes from a search over splits (seed {seed}); a better one may exist.")
    return GuttmanLambdas(
        **values,
        first_half=tuple(known.items[i] for i in np.flatnonzero(half)),
        lambda4_exact=exact,
        standardized=bool(standardized),
        n_items=k,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        items=known.items,
        dropped_items=known.dropped_items,
        notes=tuple(notes),
        _moments=known,
    )


def _bounds(
    matrices: FloatArray,
    *,
    coefficient: Bound,
    standardized: bool,
    half: npt.NDArray[np.bool_],
    least: FloatArray,
    search: bool = True,
) -> FloatArray:
    """One bound for each of B matrices, shape (B, k, k); NaN where it is undefined.

    Variances up to ``least``, shape (k,), are rounding: such an item is constant.
    """
    k = matrices.shape[1]
    diagonals = np.diagonal(matrices, axis1=1, axis2=2)
    deviations = np.sqrt(np.where(diagonals > least, diagonals, np.nan))
    correlations = matrices / deviations[:, :, None] / deviations[:, None, :]
    if standardized:
        matrices, diagonals = correlations, np.where(np.isnan(deviations), np.nan, 1.0)
    totals = matrices.sum(axis=(1, 2))
    totals = np.where(totals > 1e-12 * diagonals.sum(axis=1), totals, np.nan)
    matrices, variances = matrices / totals[:, None, None], diagonals / totals[:, None]  # the total has variance 1
    shared = matrices - variances[:, :, None] * np.eye(k)
    lambda1 = shared.sum(axis=(1, 2))
    if coefficient == "lambda2":
        return np.asarray(lambda1 + np.sqrt(k / (k - 1) * (shared**2).sum(axis=(1, 2))))
    if coefficient == "lambda3":
        return np.asarray(lambda1 * k / (k - 1))
    if coefficient == "lambda4":
        return _lambda4(matrices, half, search)
    if coefficient == "lambda5":
        return np.asarray(lambda1 + 2 * np.sqrt((shared**2).sum(axis=1).max(axis=1)))
    if coefficient == "lambda6":
        return _lambda6(correlations, variances)
    return np.asarray(lambda1)


def _lambda4(matrices: FloatArray, half: npt.NDArray[np.bool_], search: bool) -> FloatArray:
    k = matrices.shape[1]
    result = np.full(len(matrices), np.nan)
    if not search:
        signs = np.where(half, 1.0, -1.0)
        return np.asarray(1 - np.einsum("i,bij,j->b", signs, matrices, signs))
    splits = _all_signs(k) if k <= _EXACT_UP_TO else None
    for b in np.flatnonzero(np.isfinite(matrices).all(axis=(1, 2))):
        if splits is None:
            result[b] = 1 - _exchanged(matrices[b], np.where(half, 1.0, -1.0))[0]
        else:
            result[b] = 1 - float(((splits @ matrices[b]) * splits).sum(axis=1).min())
    return result


def _lambda6(correlations: FloatArray, variances: FloatArray) -> FloatArray:
    """From the share of each item that the others leave unexplained; the total has variance 1."""
    result = np.full(len(correlations), np.nan)
    usable = np.flatnonzero(np.isfinite(correlations).all(axis=(1, 2)))
    values, vectors = np.linalg.eigh(correlations[usable])
    regular = values[:, 0] >= 1e-10
    unexplained = 1 / (vectors[regular] ** 2 / values[regular][:, None, :]).sum(axis=2)
    usable = usable[regular]
    result[usable] = 1 - (variances[usable] * unexplained).sum(axis=1)
    return result


def _best_half(matrix: FloatArray, seed: int, progress: Progress | None) -> tuple[npt.NDArray[np.bool_], bool]:
    """The split that minimises the variance of the difference between the halves, and whether all were tried."""
    k = len(matrix)
    if k > _EXACT_UP_TO:
        return _searched_half(matrix, seed, progress), False
    signs = _all_signs(k)
    best = int(np.argmin(((signs @ matrix) * signs).sum(axis=1)))
    return signs[best] > 0, True


def _all_signs(k: int) -> FloatArray:
    """Every split into halves as a row of 1 and -1."""
    size = k // 2
    # With equal halves every split appears twice: hold the first item in one of them.
    even = ((0, *rest) for rest in combinations(range(1, k), size - 1))
    members = np.array(list(even if k % 2 == 0 else combinations(range(k), size)))
    signs = np.full((len(members), k), -1.0)
    signs[np.arange(len(members))[:, None], members] = 1.0
    return signs


def _searched_half(matrix: FloatArray, seed: int, progress: Progress | None = None) -> npt.NDArray[np.bool_]:
    """Exchange pairs of items between the halves while that helps, from many random splits."""
    k = len(matrix)
    generator = np.random.default_rng(seed)
    best_value, best = math.inf, np.zeros(k, dtype=bool)
    for done in range(1, _SEARCHES + 1):
        value, signs = _exchanged(matrix, np.where(np.arange(k) < k // 2, 1.0, -1.0)[generator.permutation(k)])
        if value < best_value:
            best_value, best = value, signs > 0
        if progress is not None:
            progress(done, _SEARCHES)
    return best


def _exchanged(matrix: FloatArray, signs: FloatArray) -> tuple[float, FloatArray]:
    """Variance of the difference between the halves after every exchange that lowers it, and the split."""
    signs = signs.copy()
    while True:
        field_of_others = matrix @ signs
        up, down = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
        # Variance of the difference after item i leaves the first half and item j the second, less that before.
        alone = np.diag(matrix) - signs * field_of_others
        gain = 4 * (alone[up][:, None] + alone[down][None, :] - 2 * matrix[np.ix_(up, down)])
        at = np.unravel_index(int(np.argmin(gain)), gain.shape)
        if gain[at] >= -1e-12 * matrix.trace():
            return float(signs @ matrix @ signs), signs
        signs[up[at[0]]], signs[down[at[1]]] = -1.0, 1.0
