"""Agreement of raters on categories beyond chance: Cohen's and Fleiss' kappa, Gwet's AC1 and AC2."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._agreement import AgreementCoefficient, StudentInterval
from servicediag.psychometrics._frames import FloatArray
from servicediag.psychometrics._ratings import (
    RatingCodes,
    WeightName,
    pair_of_ratings,
    rating_codes,
    weight_matrix,
)

__all__ = [
    "CohenKappa",
    "FleissKappa",
    "GwetAgreement",
    "cohen_kappa",
    "fleiss_kappa",
    "gwet_ac",
]

_CERTAIN = 1e-12  # chance agreement this close to 1 leaves nothing to agree beyond chance


@dataclass(frozen=True, repr=False)
class _KappaLike(AgreementCoefficient):
    """A coefficient (observed - expected) / (1 - expected).

    Attributes
    ----------
    observed_agreement, expected_agreement : float
        Share of agreeing pairs, and what chance would make it.
    """

    observed_agreement: float
    expected_agreement: float

    def _parts(self) -> dict[str, float]:
        return {"observed_agreement": self.observed_agreement, "expected_agreement": self.expected_agreement}


# ------------------------------------------------------------------------------------------------------- Cohen


@dataclass(frozen=True, repr=False)
class CohenKappa(_KappaLike):
    """Cohen's kappa, plain or weighted, of two raters.

    Attributes
    ----------
    table : DataFrame
        Number of units by the category of the first (rows) and the second rater (columns).
    """

    table: pd.DataFrame = field(compare=False)

    @property
    def name(self) -> str:
        return "Cohen's kappa"

    @property
    def largest_share(self) -> float:
        """Share of the most frequent category over both raters; kappa is low where it is near 1."""
        counts = self.table.to_numpy()
        return float((counts.sum(axis=0) + counts.sum(axis=1)).max() / (2 * counts.sum()))

    def _parts(self) -> dict[str, float]:
        return {**super()._parts(), "largest_share": self.largest_share}

    def _quantile(self, probability: float) -> float:
        from scipy.special import ndtri

        return float(ndtri(probability))


@dataclass(frozen=True)
class _CellSums:
    """Cells of the table of two raters, for resampling."""

    cells: npt.NDArray[np.int64]
    weights: FloatArray

    @property
    def n_rows(self) -> int:
        return len(self.cells)

    def rows(self, start: int, stop: int) -> FloatArray:
        block = self.cells[start:stop]
        result = np.zeros((len(block), self.weights.size))
        result[np.arange(len(block)), block] = 1.0
        return result

    def values(self, sums: FloatArray, n: FloatArray) -> FloatArray:
        q = len(self.weights)
        shares = (sums / n[:, None]).reshape(-1, q, q)
        observed = np.einsum("bij,ij->b", shares, self.weights)
        expected = np.einsum("bi,ij,bj->b", shares.sum(axis=2), self.weights, shares.sum(axis=1))
        return _beyond(observed, expected)


def _beyond(observed: FloatArray, expected: FloatArray) -> FloatArray:
    left = np.where(1 - expected > _CERTAIN, 1 - expected, math.nan)
    return np.asarray((observed - expected) / left, dtype=np.float64)


def cohen_kappa(
    first: pd.Series,
    second: pd.Series,
    *,
    categories: Iterable[Hashable] | None = None,
    weights: WeightName | npt.ArrayLike | None = None,
) -> CohenKappa:
    """Cohen's kappa: agreement of two raters beyond what their own habits would give by chance.

    Parameters
    ----------
    first, second : Series or array, length n_units
        The category that each rater chose; Series are matched by their index. Units without a rating by both are left
        out and counted in ``n_dropped``.
    categories : iterable, optional
        Every category on offer, in order; default those found. Text needs it for weights.
    weights : {"linear", "quadratic"}, matrix or None
        Credit for near agreement. Numbers are as far apart as their values say, declared text categories one step.

    Returns
    -------
    CohenKappa
        Unweighted kappa is at least -1 and at most 1; its size depends on how frequent the categories are.

    Raises
    ------
    InsufficientDataError
        Fewer than 2 units rated by both, or both raters used one and the same category only.
    TypeError, ValueError
        Ratings that are no categories or not among the declared ones, or weights that do not fit.

    Notes
    -----
    (po - pe) / (1 - pe), with weighted shares of the observed table and of the product of its margins [1]_; standard
    error of [2]_, not the one that holds for kappa = 0 only.

    References
    ----------
    .. [1] Cohen, J. (1960). Educational and Psychological Measurement, 20, 37-46; (1968). Psychological Bulletin, 70,
       213-220.
    .. [2] Fleiss, J. L., Cohen, J., & Everitt, B. S. (1969). Psychological Bulletin, 72, 323-327.

    Examples
    --------
    >>> result = cohen_kappa([1, 2, 3, 3, 2, 1], [1, 2, 3, 2, 2, 1], categories=[1, 2, 3])
    >>> round(result.estimate, 3)
    0.75
    """
    coded = rating_codes(pair_of_ratings(first, second), categories)
    chosen = weight_matrix(weights, coded)
    both = np.asarray((coded.codes >= 0).all(axis=1))
    pairs = coded.codes[both]
    n, q = len(pairs), len(coded.categories)
    if n < 2:
        raise InsufficientDataError(
            f"Cohen's kappa needs at least 2 units rated by both raters; {n} of {len(both)} are. Have more units rated."
        )
    cells = pairs[:, 0] * q + pairs[:, 1]
    counts = np.bincount(cells, minlength=q * q).reshape(q, q)
    shares = counts / n
    rows, columns, matrix = shares.sum(axis=1), shares.sum(axis=0), chosen.matrix
    observed, expected = float((shares * matrix).sum()), float(rows @ matrix @ columns)
    if 1 - expected <= _CERTAIN:
        raise InsufficientDataError(
            f"Cohen's kappa is undefined: in all {n} units both raters agree fully by the margins alone. "
            "Report the share of agreement, or rate units that differ."
        )
    kappa = (observed - expected) / (1 - expected)
    margins = (matrix @ columns)[:, None] + (matrix @ rows)[None, :]
    moment = float((shares * (matrix - margins * (1 - kappa)) ** 2).sum())
    variance = (moment - (kappa - expected * (1 - kappa)) ** 2) / (n * (1 - expected) ** 2)
    table = pd.DataFrame(counts, index=pd.Index(coded.categories, name="first"))
    table.columns = pd.Index(coded.categories, name="second")
    return CohenKappa(
        estimate=kappa,
        standard_error=math.sqrt(max(variance, 0.0)),
        n_units=n,
        n_raters=2,
        n_ratings=2 * n,
        n_dropped=len(both) - n,
        categories=coded.categories,
        weights=chosen.name,
        observed_agreement=observed,
        expected_agreement=expected,
        table=table,
        _sums=_CellSums(cells, matrix),
    )


# --------------------------------------------------------------------------------------------- Fleiss and Gwet


@dataclass(frozen=True, repr=False)
class FleissKappa(StudentInterval, _KappaLike):
    """Fleiss' kappa of any number of raters, who may differ from unit to unit."""

    _counts: FloatArray = field(compare=False)

    @property
    def name(self) -> str:
        return "Fleiss' kappa"

    def by_category(self) -> pd.DataFrame:
        """Kappa of each category against all others.

        Returns
        -------
        DataFrame
            Index ``category``; columns share (of all ratings, units weighted alike) and kappa, NaN where undefined.
        """
        rows = []
        for column in range(self._counts.shape[1]):
            chosen = self._counts[:, column]
            binary = np.column_stack([chosen, self._counts.sum(axis=1) - chosen])
            parts = _Agreement.of(binary, np.eye(2), chance="fleiss")
            rows.append({"share": float(parts.shares[0]), "kappa": float(_beyond(*parts.pair)[0])})
        return pd.DataFrame(rows, index=pd.Index(self.categories, name="category"))


@dataclass(frozen=True, repr=False)
class GwetAgreement(StudentInterval, _KappaLike):
    """Gwet's AC1 (unweighted) or AC2 (weighted)."""

    @property
    def name(self) -> str:
        return "Gwet's AC1" if self.weights == "unweighted" else "Gwet's AC2"


@dataclass(frozen=True)
class _Agreement:
    """Agreement and chance agreement, unit by unit; units without a rating are gone."""

    counts: FloatArray
    weights: FloatArray
    chance: Literal["fleiss", "gwet"]
    agreement: FloatArray  # of each unit's pairs of ratings, 0 with a single rating
    paired: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, counts: FloatArray, weights: FloatArray, *, chance: Literal["fleiss", "gwet"]) -> _Agreement:
        counts = counts[counts.sum(axis=1) > 0]
        n_ratings = counts.sum(axis=1)
        paired = n_ratings >= 2
        agreeing = (counts * (counts @ weights - 1)).sum(axis=1)
        agreement = np.where(paired, agreeing / np.maximum(n_ratings * (n_ratings - 1), 1), 0.0)
        return cls(counts, weights, chance, agreement, paired)

    @property
    def unit_shares(self) -> FloatArray:
        return np.asarray(self.counts / self.counts.sum(axis=1, keepdims=True), dtype=np.float64)

    @property
    def shares(self) -> FloatArray:
        return np.asarray(self.unit_shares.mean(axis=0), dtype=np.float64)

    @property
    def pair(self) -> tuple[FloatArray, FloatArray]:
        """Observed and expected agreement, each of shape (1,)."""
        observed = self.agreement.sum() / max(self.paired.sum(), 1)
        return np.array([observed]), self.expected(self.shares[None, :])

    def expected(self, shares: FloatArray) -> FloatArray:
        """Chance agreement for rows of category shares."""
        if self.chance == "fleiss":
            return np.asarray(np.einsum("bi,ij,bj->b", shares, self.weights, shares), dtype=np.float64)
        q = len(self.weights)
        return np.asarray(self.weights.sum() / (q * (q - 1)) * (shares * (1 - shares)).sum(axis=1), dtype=np.float64)

    def standard_error(self) -> float:
        """Linearised over units (Gwet 2008, 2021)."""
        n = len(self.counts)
        if n < 2:
            return math.nan
        observed, expected = (float(value[0]) for value in self.pair)
        estimate = (observed - expected) / (1 - expected)
        own = n / self.paired.sum() * np.where(self.paired, self.agreement - expected, 0.0) / (1 - expected)
        if self.chance == "fleiss":
            chance = self.unit_shares @ (self.weights @ self.shares)
        else:
            q = len(self.weights)
            chance = self.weights.sum() / (q * (q - 1)) * (self.unit_shares @ (1 - self.shares))
        linear = own - 2 * (1 - estimate) * (chance - expected) / (1 - expected)
        return math.sqrt(float(np.square(linear - estimate).sum()) / (n * (n - 1)))

    # What resampling needs: unit agreements, paired units, and shares add up over units.

    @property
    def n_rows(self) -> int:
        return len(self.counts)

    def rows(self, start: int, stop: int) -> FloatArray:
        columns = [self.agreement[start:stop], self.paired[start:stop], self.unit_shares[start:stop]]
        return np.column_stack(columns).astype(np.float64)

    def values(self, sums: FloatArray, n: FloatArray) -> FloatArray:
        paired = np.where(sums[:, 1] > 0, sums[:, 1], math.nan)
        return _beyond(sums[:, 0] / paired, self.expected(sums[:, 2:] / n[:, None]))


def _checked_agreement(
    coded: RatingCodes, weights: FloatArray, chance: Literal["fleiss", "gwet"], name: str
) -> _Agreement:
    parts = _Agreement.of(coded.counts, weights, chance=chance)
    if not parts.paired.any():
        raise InsufficientDataError(
            f"{name} needs at least one unit with 2 ratings; none of {len(coded.codes)} has them. "
            "Give a column a rater, and have units rated twice."
        )
    if 1 - float(parts.pair[1][0]) <= _CERTAIN:
        raise InsufficientDataError(
            f"{name} is undefined: by the shares of the categories alone, all {int(parts.counts.sum())} ratings agree. "
            "Report the share of agreement, or rate units that differ."
        )
    return parts


def _common_fields(coded: RatingCodes, parts: _Agreement) -> dict[str, Any]:
    observed, expected = (float(value[0]) for value in parts.pair)
    return {
        "estimate": (observed - expected) / (1 - expected),
        "standard_error": parts.standard_error(),
        "n_units": len(parts.counts),
        "n_raters": coded.codes.shape[1],
        "n_ratings": int(parts.counts.sum()),
        "n_dropped": len(coded.codes) - len(parts.counts),
        "categories": coded.categories,
        "observed_agreement": observed,
        "expected_agreement": expected,
        "_sums": parts,
    }


def fleiss_kappa(ratings: pd.DataFrame) -> FleissKappa:
    """Fleiss' kappa: agreement of several raters on unordered categories.

    Parameters
    ----------
    ratings : DataFrame, shape (n_units, n_raters)
        The category that each rater chose. Units may have different numbers of ratings: a unit with one rating counts
        for the frequency of categories only, a unit without any is left out and counted in ``n_dropped``.

    Returns
    -------
    FleissKappa

    Raises
    ------
    InsufficientDataError
        No unit with 2 ratings, or all ratings in one category.
    TypeError, ValueError
        ``ratings`` is no table of categories.

    Notes
    -----
    (pa - pe) / (1 - pe): pa the mean share of agreeing pairs within units, pe the sum of squared category shares [1]_,
    for unequal numbers of ratings as in [2]_, whose standard error holds whatever the true kappa is.

    References
    ----------
    .. [1] Fleiss, J. L. (1971). Psychological Bulletin, 76, 378-382.
    .. [2] Gwet, K. L. (2021). Handbook of inter-rater reliability (5th ed., Vol. 1).

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"ann": ["a", "b", "a", "c"], "bob": ["a", "b", "b", "c"], "eve": ["a", "b", "a", "c"]})
    >>> round(fleiss_kappa(ratings).estimate, 3)
    0.745
    """
    coded = rating_codes(ratings)
    parts = _checked_agreement(coded, np.eye(len(coded.categories)), "fleiss", "Fleiss' kappa")
    return FleissKappa(**_common_fields(coded, parts), weights="unweighted", _counts=parts.counts)


def gwet_ac(
    ratings: pd.DataFrame,
    *,
    categories: Iterable[Hashable] | None = None,
    weights: WeightName | npt.ArrayLike | None = None,
) -> GwetAgreement:
    """Gwet's AC1, or with weights AC2: agreement beyond chance that does not collapse when one category prevails.

    Parameters
    ----------
    ratings : DataFrame, shape (n_units, n_raters)
        The category that each rater chose; missing ratings as in :func:`fleiss_kappa`.
    categories : iterable, optional
        Every category on offer, in order; default those found. The value depends on their number: declare them.
    weights : {"linear", "quadratic"}, matrix or None
        Credit for near agreement, as in :func:`cohen_kappa`.

    Returns
    -------
    GwetAgreement

    Raises
    ------
    InsufficientDataError
        No unit with 2 ratings, or fewer than 2 categories.
    TypeError, ValueError
        Ratings that are no categories or not among the declared ones, or weights that do not fit.

    Notes
    -----
    (pa - pe) / (1 - pe) with pa as in Fleiss' kappa and pe = T / (q (q - 1)) * sum of p (1 - p) over the q categories,
    T the sum of all weights [1]_ [2]_.

    References
    ----------
    .. [1] Gwet, K. L. (2008). British Journal of Mathematical and Statistical Psychology, 61, 29-48.
    .. [2] Gwet, K. L. (2021). Handbook of inter-rater reliability (5th ed., Vol. 1).

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"ann": [1, 1, 1, 1, 2], "bob": [1, 1, 1, 1, 1]})
    >>> result = gwet_ac(ratings, categories=[1, 2, 3])
    >>> round(result.estimate, 3), round(cohen_kappa(ratings["ann"], ratings["bob"]).estimate, 3)
    (0.78, 0.0)
    """
    coded = rating_codes(ratings, categories)
    if len(coded.categories) < 2:
        raise InsufficientDataError(
            f"Gwet's AC needs at least 2 categories, not {len(coded.categories)}. "
            "Declare in categories= every category that raters could have chosen."
        )
    chosen = weight_matrix(weights, coded)
    name = "Gwet's AC1" if chosen.name == "unweighted" else "Gwet's AC2"
    parts = _checked_agreement(coded, chosen.matrix, "gwet", name)
    return GwetAgreement(**_common_fields(coded, parts), weights=chosen.name)
