"""Guttman's six lower bounds to reliability, from one covariance matrix."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_count, name_list
from servicediag.psychometrics._moments import DroppedItem, Missing, Moments, moments, moments_from_covariance
from servicediag.psychometrics.benchmarks_rules import Interpretation, RuleSet, judge, rule_set

__all__ = ["GuttmanLambdas", "guttman_lambdas", "guttman_lambdas_from_covariance"]

_EXACT_UP_TO = 16
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

    def describe(self) -> str:
        """One sentence in APA style."""
        values = self.to_frame()["estimate"]
        listed = ", ".join(f"{name} = {apa_number(value)}" for name, value in values.items())
        kind = "standardised items" if self.standardized else "items"
        sentence = f"Guttman's lower bounds for {self.n_items} {kind} were {listed}, n = {self.n_respondents}."
        return " ".join([sentence, *self.notes])

    def interpret(self, rules: str | RuleSet | None = None) -> Interpretation:
        """Read lambda 2, the bound that is never below alpha, by a named rule set for reliability."""
        return judge(rule_set(rules, "reliability"), self.lambda2)


def guttman_lambdas(
    items: pd.DataFrame, *, standardized: bool = False, missing: Missing = "listwise", seed: int = 0
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
    return _from_moments(known, standardized, check_count("seed", seed, 0))


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


def _from_moments(known: Moments, standardized: bool, seed: int) -> GuttmanLambdas:
    matrix = known.correlation if standardized else known.covariance
    k = known.n_items
    total = float(matrix.sum())
    if total <= 1e-12 * float(np.trace(matrix)):
        raise InsufficientDataError(
            f"{_STATISTIC}: the sum of the {k} standardised items does not vary. Check the keying: items of opposite "
            "direction cancel out."
        )
    matrix = matrix / total  # the total now has variance 1
    shared = matrix - np.diag(np.diag(matrix))
    lambda1 = float(shared.sum())
    half, exact = _best_half(matrix, seed)
    signs = np.where(half, 1.0, -1.0)
    lambda6 = _lambda6(known.correlation, np.diag(matrix))
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if math.isnan(lambda6):
        notes.append("Lambda 6 is undefined: items are linearly dependent, or pairwise covariances indefinite.")
    if not exact:
        notes.append(f"Lambda 4 comes from a search over splits (seed {seed}); a better one may exist.")
    return GuttmanLambdas(
        lambda1=lambda1,
        lambda2=lambda1 + math.sqrt(k / (k - 1) * float((shared**2).sum())),
        lambda3=lambda1 * k / (k - 1),
        lambda4=1 - float(signs @ matrix @ signs),
        lambda5=lambda1 + 2 * math.sqrt(float((shared**2).sum(axis=0).max())),
        lambda6=lambda6,
        first_half=tuple(known.items[i] for i in np.flatnonzero(half)),
        lambda4_exact=exact,
        standardized=bool(standardized),
        n_items=k,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        items=known.items,
        dropped_items=known.dropped_items,
        notes=tuple(notes),
    )


def _lambda6(correlation: FloatArray, variances: FloatArray) -> float:
    """From the share of each item that the others leave unexplained; the total has variance 1."""
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < 1e-10:
        return math.nan
    unexplained = 1 / (vectors**2 / values).sum(axis=1)
    return 1 - float(variances @ unexplained)


def _best_half(matrix: FloatArray, seed: int) -> tuple[npt.NDArray[np.bool_], bool]:
    """The split that minimises the variance of the difference between the halves, and whether all were tried."""
    k = len(matrix)
    if k > _EXACT_UP_TO:
        return _searched_half(matrix, seed), False
    size = k // 2
    # With equal halves every split appears twice: hold the first item in one of them.
    even = ((0, *rest) for rest in combinations(range(1, k), size - 1))
    members = np.array(list(even if k % 2 == 0 else combinations(range(k), size)))
    halves = np.zeros((len(members), k), dtype=bool)
    halves[np.arange(len(members))[:, None], members] = True
    signs = np.where(halves, 1.0, -1.0)
    best = int(np.argmin(np.einsum("si,ij,sj->s", signs, matrix, signs, optimize=True)))
    return halves[best], True


def _searched_half(matrix: FloatArray, seed: int) -> npt.NDArray[np.bool_]:
    """Exchange pairs of items between the halves while that helps, from many random splits."""
    k = len(matrix)
    generator = np.random.default_rng(seed)
    best_value, best = math.inf, np.zeros(k, dtype=bool)
    for _ in range(200):
        signs = np.where(np.arange(k) < k // 2, 1.0, -1.0)[generator.permutation(k)]
        while True:
            field = matrix @ signs
            up, down = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
            # Variance of the difference after item i leaves the first half and item j the second, less that before.
            gain = 4 * (
                (np.diag(matrix) - signs * field)[up][:, None]
                + (np.diag(matrix) - signs * field)[down][None, :]
                - 2 * matrix[np.ix_(up, down)]
            )
            at = np.unravel_index(int(np.argmin(gain)), gain.shape)
            if gain[at] >= -1e-12 * matrix.trace():
                break
            signs[up[at[0]]], signs[down[at[1]]] = -1.0, 1.0
        value = float(signs @ matrix @ signs)
        if value < best_value:
            best_value, best = value, signs > 0
    return best
