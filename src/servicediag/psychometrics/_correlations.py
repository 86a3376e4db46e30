"""The correlation matrix that factor methods start from, and which items make it unusable."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, check_choice, name_list, numeric_frame
from servicediag.psychometrics._moments import DroppedItem, Missing, Moments, moments

if TYPE_CHECKING:
    from servicediag.psychometrics.polychoric import Categories

__all__ = ["CorrelationKind", "Correlations", "correlations", "item_index", "refuse_singular", "singular_items"]

CorrelationKind = Literal["pearson", "polychoric"]
_SINGULAR = 1e-10  # smallest eigenvalue, as a share of the mean eigenvalue of 1


@dataclass(frozen=True)
class Correlations:
    """A correlation matrix and whom it stands for.

    Attributes
    ----------
    items : tuple
        Items that take part.
    matrix : ndarray, shape (n_items, n_items)
    n_respondents, n_dropped, n_smallest : int
        Respondents that count, those left out, and fewest respondents behind any correlation.
    dropped_items : tuple of DroppedItem
        Constant items.
    kind : {"pearson", "polychoric"}
    missing : {"listwise", "pairwise"}
    notes : tuple of str
    moments : Moments or None
        What Pearson correlations were computed from.
    """

    items: tuple[Hashable, ...]
    matrix: FloatArray
    n_respondents: int
    n_dropped: int
    n_smallest: int
    dropped_items: tuple[DroppedItem, ...]
    kind: CorrelationKind
    missing: Missing
    notes: tuple[str, ...]
    moments: Moments | None = field(default=None, repr=False, compare=False)

    @property
    def n_items(self) -> int:
        return len(self.items)


def correlations(
    items: object,
    *,
    statistic: str,
    correlation: CorrelationKind = "pearson",
    missing: Missing = "listwise",
    categories: Categories | None = None,
    minimum_items: int = 2,
) -> Correlations:
    """Correlations of a table of answers; constant items are left out and named.

    Raises
    ------
    InsufficientDataError
        Too few items that vary or too few respondents.
    ValueError
        Unknown kind, categories for Pearson correlations, or answers that are no numbers.
    """
    check_choice("correlation", correlation, get_args(CorrelationKind))
    if correlation == "polychoric":
        return _polychoric(items, statistic, missing, categories, minimum_items)
    if categories is not None:
        raise ValueError("categories are for correlation='polychoric'; leave them out for Pearson correlations")
    known = moments(items, missing, statistic=statistic, minimum_items=minimum_items)
    notes = [f"Left out: {name_list(known.dropped_items)}."] if known.dropped_items else []
    if missing == "pairwise":
        notes.append(f"Correlations are pairwise, each from at least {known.n_smallest} respondents.")
    return Correlations(
        items=known.items,
        matrix=known.correlation,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        n_smallest=known.n_smallest,
        dropped_items=known.dropped_items,
        kind="pearson",
        missing=missing,
        notes=tuple(notes),
        moments=known,
    )


def _polychoric(
    items: Any, statistic: str, missing: Missing, categories: Categories | None, minimum_items: int
) -> Correlations:
    from servicediag.psychometrics.polychoric import polychoric_model

    frame = numeric_frame(items)
    if len(frame.columns) < minimum_items:
        raise InsufficientDataError(
            f"{statistic} needs at least {minimum_items} items, not {len(frame.columns)}. Add items to the scale."
        )
    known = polychoric_model(items, categories=categories, missing=missing)
    if len(known.items) < minimum_items:
        raise InsufficientDataError(
            f"{statistic} needs at least {minimum_items} items that vary, not {len(known.items)}. Left out: "
            f"{name_list(known.dropped_items)}."
        )
    return Correlations(
        items=known.items,
        matrix=known.correlations.to_numpy(),
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        n_smallest=known.n_smallest,
        dropped_items=known.dropped_items,
        kind="polychoric",
        missing=missing,
        notes=known.notes,
    )


def item_index(items: tuple[Hashable, ...]) -> pd.Index:
    """Items as the index of a result's table."""
    return pd.Index(items, tupleize_cols=False, name="item")


def singular_items(matrix: FloatArray, items: tuple[Hashable, ...]) -> str:
    """Which items make a correlation matrix singular or indefinite, in words; empty where it is positive definite.

    Examples
    --------
    >>> singular_items(np.array([[1.0, 1.0], [1.0, 1.0]]), ("a", "b"))
    'a and b are the same up to their scale'
    """
    values, vectors = np.linalg.eigh(matrix)
    if values[0] > _SINGULAR:
        return ""
    same = np.argwhere(np.triu(np.abs(matrix) > 1 - 1e-9, 1))
    if len(same):
        pairs = [f"{items[i]} and {items[j]}" for i, j in same]
        return f"{name_list(pairs)} are the same up to their scale"
    involved = np.flatnonzero((np.abs(vectors[:, values <= _SINGULAR]) > 1e-5).any(axis=1))
    names = name_list([items[i] for i in involved])
    if values[0] < -_SINGULAR:
        return f"the correlations of {names} contradict each other (smallest eigenvalue {values[0]:.3g})"
    return f"{names} depend on each other linearly"


def refuse_singular(known: Correlations, statistic: str) -> None:
    """Raise InsufficientDataError that names the items, unless the correlation matrix is positive definite."""
    fault = singular_items(known.matrix, known.items)
    if fault:
        few = f" There are {known.n_respondents} respondents for {known.n_items} items."
        few = few if known.n_respondents <= known.n_items else ""
        raise InsufficientDataError(
            f"{statistic} needs correlations that can be inverted, and {fault}."
            f"{few} Leave out items that repeat others, or collect more."
        )
