"""Ratings of any kind (text, numbers, dates) as category codes, and weights for partial agreement."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.psychometrics._frames import FloatArray, name_list, numeric_frame

__all__ = ["RatingCodes", "WeightName", "Weights", "pair_of_ratings", "rating_codes", "weight_matrix"]

WeightName = Literal["linear", "quadratic"]
_WEIGHTS: tuple[WeightName, ...] = get_args(WeightName)
_MOST_CATEGORIES = 1000


@dataclass(frozen=True)
class RatingCodes:
    """Ratings as positions in a list of categories.

    Attributes
    ----------
    codes : ndarray of int, shape (n_units, n_raters)
        -1 where a rating is missing.
    categories : tuple
        In their order: as declared, else ascending.
    numbers : ndarray or None
        The categories as numbers, where all are.
    ordered : bool
        Whether the order of the categories means anything: numbers, declared categories or an ordered dtype.
    """

    codes: npt.NDArray[np.int64]
    categories: tuple[Hashable, ...]
    numbers: FloatArray | None
    ordered: bool

    @property
    def counts(self) -> FloatArray:
        """How many raters chose each category, shape (n_units, n_categories)."""
        n, q = len(self.codes), len(self.categories)
        refuse_many(q, "this coefficient")
        unit, rater = np.nonzero(self.codes >= 0)
        cells = unit * q + self.codes[unit, rater]
        return np.bincount(cells, minlength=n * q).reshape(n, q).astype(np.float64)


@dataclass(frozen=True)
class Weights:
    """Credit for every pair of categories, 1 on the diagonal, and how it was chosen."""

    name: str
    matrix: FloatArray


def refuse_many(n_categories: int, what: str) -> None:
    """Raise ValueError where so many values are no categories any more."""
    if n_categories > _MOST_CATEGORIES:
        raise ValueError(
            f"ratings hold {n_categories} different values, too many categories for {what} (at most "
            f"{_MOST_CATEGORIES}); use intraclass_correlation or krippendorff_alpha with level='interval'"
        )


def pair_of_ratings(first: object, second: object) -> pd.DataFrame:
    """Two raters' ratings side by side; Series are matched by their index."""
    columns = []
    for argument, ratings in (("first", first), ("second", second)):
        if isinstance(ratings, pd.DataFrame) and ratings.shape[1] == 1:
            ratings = ratings.iloc[:, 0]
        if isinstance(ratings, str) or not isinstance(ratings, (pd.Series, Sequence, np.ndarray, pd.Index)):
            raise TypeError(f"{argument} must be a Series (a rating a unit), not {type(ratings).__name__}")
        if isinstance(ratings, np.ndarray) and ratings.ndim != 1:
            raise TypeError(f"{argument} must have one dimension: a rating a unit")
        columns.append(ratings)
    one, two = columns
    if len(one) != len(two):
        raise ValueError(f"first has {len(one)} ratings and second {len(two)}; give a rating by each for every unit")
    if isinstance(one, pd.Series) and isinstance(two, pd.Series) and not one.index.equals(two.index):
        if not (one.index.is_unique and two.index.is_unique and one.index.isin(two.index).all()):
            raise ValueError("first and second have different indexes; give both the same units, or two arrays")
        two = two.reindex(one.index)
    index = next((column.index for column in (one, two) if isinstance(column, pd.Series)), None)
    pair = {name: pd.Series(column, index=index) for name, column in zip(("first", "second"), (one, two), strict=True)}
    return pd.DataFrame(pair)


def rating_codes(ratings: object, categories: Iterable[Hashable] | None = None) -> RatingCodes:
    """Check a table of ratings and code it; NaN, None and pandas.NA are missing ratings, never a category.

    Parameters
    ----------
    ratings : DataFrame or 2-D ndarray, shape (n_units, n_raters)
    categories : iterable, optional
        Every category that a rater could have chosen, in order.

    Raises
    ------
    TypeError
        ``ratings`` is no table, or holds values that cannot be categories.
    ValueError
        A rating is none of the declared categories, or a number is infinite.
    """
    if isinstance(ratings, np.ndarray) and ratings.ndim == 2:
        ratings = pd.DataFrame(ratings)
    if not isinstance(ratings, pd.DataFrame):
        raise TypeError(f"ratings must be a DataFrame (units x raters), not {type(ratings).__name__}")
    if not ratings.columns.is_unique:
        twice = ratings.columns[ratings.columns.duplicated()].unique()
        raise ValueError(f"ratings has more than one column named {name_list(twice)}; give each rater a name")
    flat, found = _distinct(ratings)
    ordered_dtype = None
    if categories is None:
        ordered_dtype = _shared_dtype(ratings)
        declared = None if ordered_dtype is None else tuple(ordered_dtype.categories)
    else:
        declared = _declared(categories)
    if declared is None:
        order, ordered = _ascending(found)
        listed = tuple(found[at] for at in order)
        places = np.empty(len(found), dtype=np.int64)
        places[order] = np.arange(len(found))
    else:
        listed, ordered = declared, ordered_dtype is None or bool(ordered_dtype.ordered)
        places = _places(found, declared)
    codes = np.append(places, -1)[flat].reshape(ratings.shape, order="F")
    return RatingCodes(codes, listed, _as_numbers(listed), ordered)


def _distinct(ratings: pd.DataFrame) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Column after column, the position of each rating among the distinct ones (-1 missing), and these."""
    kinds = (pd.api.types.is_numeric_dtype(dtype) for dtype in ratings.dtypes)
    if ratings.shape[1] and all(kinds) and not any(dtype.kind == "c" for dtype in ratings.dtypes):
        values = numeric_frame(ratings, "ratings").values.ravel(order="F")
    else:
        columns = [ratings.iloc[:, at].astype(object).to_numpy(dtype=object) for at in range(ratings.shape[1])]
        values = np.concatenate(columns) if columns else np.empty(0, dtype=object)
    try:
        flat, found = pd.factorize(values)
    except TypeError as error:
        raise TypeError(f"ratings must hold categories such as text or numbers: {error}") from error
    distinct = [value.item() if isinstance(value, np.generic) else value for value in found]
    if any(isinstance(value, numbers.Real) and not math.isfinite(value) for value in distinct):
        raise ValueError("ratings hold an infinite number; recode it as missing or as a category")
    return flat.astype(np.int64), distinct


def _shared_dtype(ratings: pd.DataFrame) -> pd.CategoricalDtype | None:
    dtypes = list(ratings.dtypes)
    if dtypes and isinstance(dtypes[0], pd.CategoricalDtype) and all(dtype == dtypes[0] for dtype in dtypes):
        return dtypes[0]
    return None


def _declared(categories: Iterable[Hashable]) -> tuple[Hashable, ...]:
    if isinstance(categories, (str, bytes)) or not isinstance(categories, Iterable):
        raise TypeError(f"categories must list every category in order, not {categories!r}")
    listed = tuple(value.item() if isinstance(value, np.generic) else value for value in categories)
    if any(not isinstance(value, Hashable) for value in listed):
        raise TypeError("categories must be values such as text or numbers")
    if not listed or len(set(listed)) < len(listed) or bool(pd.isna(pd.Series(listed, dtype=object)).any()):
        raise ValueError(f"categories must list at least one category, each once and none missing, not {listed!r}")
    return listed


def _ascending(found: list[Any]) -> tuple[npt.NDArray[np.int64], bool]:
    numeric = _as_numbers(found)
    if numeric is not None:
        return np.argsort(numeric, kind="stable"), True
    keys = [(type(value).__name__, str(value)) for value in found]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64), False


def _places(found: list[Any], declared: tuple[Hashable, ...]) -> npt.NDArray[np.int64]:
    lookup = {value: at for at, value in enumerate(declared)}
    foreign = [value for value in found if value not in lookup]
    if foreign:
        raise ValueError(
            f"ratings hold {name_list([repr(value) for value in foreign])}, not among the declared categories "
            f"{name_list([repr(value) for value in declared])}; declare them or recode them as missing"
        )
    return np.array([lookup[value] for value in found], dtype=np.int64)


def _as_numbers(values: Sequence[Any]) -> FloatArray | None:
    if all(isinstance(value, numbers.Real) for value in values):
        return np.array([float(value) for value in values], dtype=np.float64)
    return None


def weight_matrix(weights: WeightName | npt.ArrayLike | None, ratings: RatingCodes) -> Weights:
    """Weights for agreement: identity, linear or quadratic in the distance of categories, or given.

    Numbers lie as far apart as their values say, so that options nobody chose change nothing; other categories one
    apart in their declared order.
    """
    q = len(ratings.categories)
    refuse_many(q, "weights")
    if weights is None:
        return Weights("unweighted", np.eye(q))
    if isinstance(weights, str):
        if weights not in _WEIGHTS:
            raise ValueError(f"weights must be one of 'linear', 'quadratic', None or a matrix, not {weights!r}")
        if not ratings.ordered:
            raise ValueError("weights need the order of the categories: declare them in categories=, lowest first")
        places = np.arange(q, dtype=np.float64) if ratings.numbers is None else ratings.numbers
        reach = float(np.ptp(places)) if q else 0.0
        share = np.abs(places[:, None] - places) / (reach or 1.0)
        return Weights(weights, 1 - (share if weights == "linear" else share**2))
    return Weights("given", _given(weights, q))


def _given(weights: npt.ArrayLike, q: int) -> FloatArray:
    try:
        matrix = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"weights must be 'linear', 'quadratic', None or a matrix of numbers: {error}") from error
    if matrix.shape != (q, q):
        raise ValueError(f"weights must be {q} x {q}, a row and a column a category, not {matrix.shape}")
    if not (np.isfinite(matrix).all() and (matrix == matrix.T).all() and (np.diag(matrix) == 1).all()):
        raise ValueError("weights must be symmetric and 1 on the diagonal: credit for agreement, not for distance")
    if matrix.min() < 0 or matrix.max() > 1:
        raise ValueError("weights must lie between 0 and 1")
    return matrix
