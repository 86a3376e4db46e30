"""Polychoric correlations: of the normal variables that are thought to lie behind ordered answers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError, ServicediagWarning
from servicediag.psychometrics._correlations import item_index, singular_items
from servicediag.psychometrics._frames import (
    FloatArray,
    NumericFrame,
    Result,
    apa_number,
    check_choice,
    check_number,
    name_list,
    numeric_frame,
)
from servicediag.psychometrics._moments import MISSING_POLICIES, DroppedItem, Missing
from servicediag.psychometrics._polychoric_solver import PAD, influence_variance, solve_pairs, thresholds_of

__all__ = [
    "Categories",
    "OrdinalAnswers",
    "PolychoricModel",
    "cross_tables",
    "ordinal_answers",
    "pearson_starts",
    "polychoric_correlation",
    "polychoric_model",
]

Categories: TypeAlias = "Iterable[float] | Mapping[Hashable, Iterable[float]]"
_STATISTIC = "The polychoric correlation"
_MOST = 50  # categories of an item
_BLOCK = 65_536


@dataclass(frozen=True)
class OrdinalAnswers:
    """Answers as positions in the ordered categories that were used, -1 where missing.

    Attributes
    ----------
    codes : ndarray of int, shape (n_respondents, n_items)
    values : tuple of ndarray
        For each item the categories that anyone used, ascending.
    unused : tuple of tuple
        For each item the declared categories that nobody used.
    """

    items: tuple[Hashable, ...]
    codes: npt.NDArray[np.int64]
    values: tuple[FloatArray, ...]
    unused: tuple[tuple[float, ...], ...]
    n_dropped: int
    dropped_items: tuple[DroppedItem, ...]
    kept_rows: npt.NDArray[np.bool_]

    def with_codes(self, codes: npt.NDArray[np.int64]) -> OrdinalAnswers:
        """The same items and categories with other answers."""
        return replace(self, codes=codes)


@dataclass(frozen=True, repr=False)
class PolychoricModel(Result):
    """Polychoric correlations with what they rest on.

    Attributes
    ----------
    items : tuple
        Items that count.
    n_respondents, n_dropped, n_smallest : int
        Respondents that count, those left out, and fewest respondents behind any correlation.
    n_empty_cells : int
        Cells of all two-way tables (used categories only) that no respondent falls into.
    smallest_eigenvalue : float
        Of the matrix; negative where the pairs contradict each other.
    boundary_pairs : tuple of (item, item)
        Pairs whose correlation runs to -1 or 1, which says that their table has too many empty cells.
    dropped_items : tuple of DroppedItem
    missing : {"listwise", "pairwise"}
    empty_cell_adjustment : float
    notes : tuple of str
    """

    items: tuple[Hashable, ...]
    n_respondents: int
    n_dropped: int
    n_smallest: int
    n_empty_cells: int
    smallest_eigenvalue: float
    boundary_pairs: tuple[tuple[Hashable, Hashable], ...]
    dropped_items: tuple[DroppedItem, ...]
    missing: Missing
    empty_cell_adjustment: float
    notes: tuple[str, ...]
    _matrix: FloatArray = field(repr=False, compare=False)
    _errors: FloatArray = field(repr=False, compare=False)
    _thresholds: FloatArray = field(repr=False, compare=False)
    _values: tuple[FloatArray, ...] = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("n_respondents", "n_dropped", "smallest_eigenvalue", "n_empty_cells")

    @property
    def correlations(self) -> pd.DataFrame:
        """The matrix, items x items."""
        return self._square(self._matrix)

    @property
    def standard_errors(self) -> pd.DataFrame:
        """Asymptotic standard errors, items x items; NaN on the diagonal and for pairs at the boundary."""
        return self._square(self._errors)

    @property
    def thresholds(self) -> pd.DataFrame:
        """Rows item, columns 1, 2 ...: between which values of the normal variable a category lies.

        Threshold j is the upper limit of the j-th used category.
        """
        width = self._thresholds.shape[1]
        values = np.where(np.abs(self._thresholds) >= PAD, math.nan, self._thresholds)
        return pd.DataFrame(values, index=item_index(self.items), columns=pd.RangeIndex(1, width + 1))

    def to_frame(self) -> pd.DataFrame:
        """A row a pair: first, second, estimate, standard_error, ci_low, ci_high (95 %, by Fisher's z), note."""
        from scipy.special import ndtri

        rows = []
        for i, j in zip(*np.triu_indices(len(self.items), 1), strict=True):
            r, error = float(self._matrix[i, j]), float(self._errors[i, j])
            low = high = math.nan
            if math.isfinite(error) and abs(r) < 1:
                reach = float(ndtri(0.975)) * error / (1 - r * r)
                low, high = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
            edge = (self.items[i], self.items[j]) in self.boundary_pairs
            rows.append((self.items[i], self.items[j], r, error, low, high, "at the boundary" if edge else ""))
        columns = ["first", "second", "estimate", "standard_error", "ci_low", "ci_high", "note"]
        return pd.DataFrame(rows, columns=columns)

    def describe(self) -> str:
        """One sentence in APA style."""
        off = self._matrix[np.triu_indices(len(self.items), 1)]
        sentence = (
            f"Polychoric correlations of {len(self.items)} items lay between {apa_number(float(off.min()))} and "
            f"{apa_number(float(off.max()))} (mean {apa_number(float(off.mean()))}), n = {self.n_respondents}."
        )
        return " ".join([sentence, *self.notes])

    def _square(self, matrix: FloatArray) -> pd.DataFrame:
        names = item_index(self.items)
        return pd.DataFrame(matrix, index=names, columns=names.rename(None))


def polychoric_correlation(
    items: pd.DataFrame,
    *,
    categories: Categories | None = None,
    missing: Missing = "listwise",
    empty_cell_adjustment: float = 0.0,
) -> pd.DataFrame:
    """Polychoric correlations of ordered answers, by two steps: thresholds from each item, then each pair.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Ordered answers as numbers, at least 2 items.
    categories : iterable of numbers, or mapping of item to these, optional
        The response categories; answers outside them are refused. Default: those observed. Unused categories do not
        change the estimates.
    missing : {"listwise", "pairwise"}
    empty_cell_adjustment : float
        Added to the empty cells of each two-way table of used categories; 0 to 1, 0.5 is usual in some programs.

    Returns
    -------
    DataFrame, shape (n_items, n_items)
        Constant items are left out. See :func:`polychoric_model` for standard errors, thresholds and notes.

    Raises
    ------
    InsufficientDataError
        Fewer than 2 items that vary, or fewer than 2 respondents.
    ValueError
        Answers outside the categories, or more than 50 categories.

    Warns
    -----
    ServicediagWarning
        A pair runs to -1 or 1, the matrix is not positive definite, or an item is left out.

    Notes
    -----
    Olsson (1979) [1]_; the derivative of a cell's probability in the correlation is a sum of bivariate normal
    densities, so that Fisher scoring needs no numerical derivative. Nothing is smoothed.

    References
    ----------
    .. [1] Olsson, U. (1979). Psychometrika, 44, 443-460.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [1, 1, 2, 2, 3, 3, 3, 1], "b": [1, 2, 2, 3, 3, 2, 3, 1]})
    >>> round(float(polychoric_correlation(answers, categories=[1, 2, 3]).loc["a", "b"]), 3)
    0.867
    """
    result = polychoric_model(
        items, categories=categories, missing=missing, empty_cell_adjustment=empty_cell_adjustment
    )
    if result.notes:
        warnings.warn(" ".join(result.notes), ServicediagWarning, stacklevel=2)
    return result.correlations


def polychoric_model(
    items: pd.DataFrame,
    *,
    categories: Categories | None = None,
    missing: Missing = "listwise",
    empty_cell_adjustment: float = 0.0,
) -> PolychoricModel:
    """Polychoric correlations with standard errors, thresholds and notes; see :func:`polychoric_correlation`.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [1, 1, 2, 2, 3, 3, 3, 1], "b": [1, 2, 2, 3, 3, 2, 3, 1]})
    >>> polychoric_model(answers)
    PolychoricModel(n_respondents=8, n_dropped=0, smallest_eigenvalue=0.1329, n_empty_cells=3)
    """
    adjustment = check_number("empty_cell_adjustment", empty_cell_adjustment, 0.0, 1.0)
    known = ordinal_answers(items, categories, missing, statistic=_STATISTIC)
    tables, counts = cross_tables(known)
    fewest = tables.sum(axis=(1, 2))
    if fewest.size and fewest.min() < 2:
        i, j = (index[int(np.argmin(fewest))] for index in np.triu_indices(len(known.items), 1))
        raise InsufficientDataError(
            f"{_STATISTIC}: fewer than 2 respondents answered both {known.items[i]} and {known.items[j]}; "
            "leave one of them out."
        )
    limits = thresholds_of(counts)
    first, second = np.triu_indices(len(known.items), 1)
    sizes = np.array([len(values) for values in known.values])
    place = np.arange(tables.shape[1])
    real = (place < sizes[first, None])[:, :, None] & (place < sizes[second, None])[:, None, :]
    empty = real & (tables == 0)
    adjusted = tables + adjustment * empty
    fit = solve_pairs(adjusted, limits[first], limits[second], pearson_starts(tables))
    matrix, errors = np.eye(len(known.items)), np.full((len(known.items),) * 2, math.nan)
    matrix[first, second] = matrix[second, first] = fit.rho
    deviation = np.sqrt(influence_variance(adjusted, limits[first], limits[second], fit.rho, expected=True))
    deviation[fit.at_limit] = math.nan
    errors[first, second] = errors[second, first] = deviation
    pairs = tuple((known.items[first[p]], known.items[second[p]]) for p in np.flatnonzero(fit.at_limit))
    lost = [(known.items[first[p]], known.items[second[p]]) for p in np.flatnonzero(~fit.converged & ~fit.at_limit)]
    return PolychoricModel(
        items=known.items,
        n_respondents=len(known.codes),
        n_dropped=known.n_dropped,
        n_smallest=int(fewest.min()),
        n_empty_cells=int(empty.sum()),
        smallest_eigenvalue=float(np.linalg.eigvalsh(matrix)[0]),
        boundary_pairs=pairs,
        dropped_items=known.dropped_items,
        missing=missing,
        empty_cell_adjustment=adjustment,
        notes=_notes(known, matrix, pairs, lost),
        _matrix=matrix,
        _errors=errors,
        _thresholds=limits,
        _values=known.values,
    )


def _notes(
    known: OrdinalAnswers,
    matrix: FloatArray,
    pairs: tuple[tuple[Hashable, Hashable], ...],
    lost: list[tuple[Hashable, Hashable]],
) -> tuple[str, ...]:
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if pairs:
        shown = name_list([f"{a} with {b}" for a, b in pairs])
        notes.append(f"At the boundary of -1 or 1, since their tables have empty cells: {shown}. Join categories.")
    if lost:
        notes.append(f"Not converged: {name_list([f'{a} with {b}' for a, b in lost])}.")
    fault = singular_items(matrix, known.items)
    if fault:
        notes.append(f"The matrix is not positive definite: {fault}.")
    return tuple(notes)


# ----------------------------------------------------------------------------------------------- answers and tables


def ordinal_answers(
    items: object, categories: Categories | None, missing: Missing, *, statistic: str, minimum_items: int = 2
) -> OrdinalAnswers:
    """Check ordered answers and number their categories; constant items are left out."""
    check_choice("missing", missing, MISSING_POLICIES)
    frame = numeric_frame(items)
    if len(frame.columns) < minimum_items:
        raise InsufficientDataError(f"{statistic} needs at least {minimum_items} items, not {len(frame.columns)}.")
    values = frame.floats
    declared = _declared(frame, categories)
    present = ~np.isnan(values)
    used = np.asarray(present.all(axis=1) if missing == "listwise" else present.any(axis=1), dtype=bool)
    if int(used.sum()) < 2:
        raise InsufficientDataError(
            f"{statistic} needs at least 2 respondents; {int(used.sum())} of {len(values)} can be used. "
            "Collect more answers, or leave out items that most respondents skipped."
        )
    columns, kept, observed, unused, dropped = [], [], [], [], []
    for position, name in enumerate(frame.columns):
        column = values[used, position]
        found = np.unique(column[~np.isnan(column)])
        if len(found) < 2:
            dropped.append(DroppedItem(name, f"constant among the {int(used.sum())} rows"))
            continue
        if len(found) > _MOST:
            raise ValueError(f"{name} has {len(found)} different values; more than {_MOST} are no ordered categories")
        columns.append(np.where(np.isnan(column), -1, np.searchsorted(found, column)).astype(np.int64))
        kept.append(name)
        observed.append(found)
        unused.append(tuple(sorted(set(declared.get(name, ())) - set(found.tolist()))))
    if len(kept) < minimum_items:
        raise InsufficientDataError(
            f"{statistic} needs at least {minimum_items} items that vary, not {len(kept)}. Left out: "
            f"{name_list(dropped)}."
        )
    return OrdinalAnswers(
        items=tuple(kept),
        codes=np.column_stack(columns),
        values=tuple(observed),
        unused=tuple(unused),
        n_dropped=len(values) - int(used.sum()),
        dropped_items=tuple(dropped),
        kept_rows=used,
    )


def _declared(frame: NumericFrame, categories: Categories | None) -> dict[Hashable, tuple[float, ...]]:
    """Declared categories by item; answers outside them are refused, all at once."""
    if categories is None:
        return {}
    if isinstance(categories, (str, bytes)) or not isinstance(categories, Iterable):
        raise TypeError(f"categories must be numbers, or a mapping of item to numbers, not {categories!r}")
    if isinstance(categories, Mapping):
        absent = [name for name in frame.columns if name not in categories]
        if absent:
            raise ValueError(f"categories must name every item; missing: {name_list(absent)}")
        declared = {name: _numbers(categories[name]) for name in frame.columns}
    else:
        common = _numbers(categories)
        declared = dict.fromkeys(frame.columns, common)
    faults = []
    for name, column in zip(frame.columns, frame.floats.T, strict=True):
        foreign = sorted(set(np.unique(column[~np.isnan(column)]).tolist()) - set(declared[name]))
        if foreign:
            faults.append(f"{name} ({name_list([f'{value:g}' for value in foreign])})")
    if faults:
        raise ValueError(f"items hold answers outside the categories: {name_list(faults)}")
    return declared


def _numbers(values: object) -> tuple[float, ...]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"categories must be numbers, not {values!r}")
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise TypeError(f"categories must be numbers: {error}") from error
    if len(numbers) < 2 or len(set(numbers)) < len(numbers) or not all(math.isfinite(value) for value in numbers):
        raise ValueError(f"categories must be at least 2 different finite numbers, not {numbers!r}")
    return numbers


def cross_tables(known: OrdinalAnswers) -> tuple[FloatArray, FloatArray]:
    """Two-way tables of all pairs, shape (P, K, K), and category counts of all items, shape (n_items, K)."""
    k, width = known.codes.shape[1], max(len(values) for values in known.values)
    total = np.zeros((k * width, k * width))
    place = np.arange(width)
    for start in range(0, len(known.codes), _BLOCK):
        block = known.codes[start : start + _BLOCK]
        # Sums of at most _BLOCK ones are exact.
        marks = (block[:, :, None] == place).reshape(len(block), k * width).astype(np.float32)
        total += marks.T @ marks
    square = total.reshape(k, width, k, width)
    first, second = np.triu_indices(k, 1)
    counts = np.diagonal(total).reshape(k, width).copy()
    return np.ascontiguousarray(square[first, :, second, :]), counts


def pearson_starts(tables: FloatArray) -> FloatArray:
    """Correlations of the category numbers, to start from."""
    place = np.arange(tables.shape[1], dtype=np.float64)
    size = tables.sum(axis=(1, 2))
    rows, columns = tables.sum(axis=2), tables.sum(axis=1)
    x, y = rows @ place / size, columns @ place / size
    covariance = np.einsum("pij,i,j->p", tables, place, place) / size - x * y
    spread = (rows @ place**2 / size - x**2) * (columns @ place**2 / size - y**2)
    return np.asarray(np.where(spread > 0, covariance / np.sqrt(np.maximum(spread, 1e-300)), 0.0))
