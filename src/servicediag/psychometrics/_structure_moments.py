"""Groups of which only numbers of respondents, means and covariances are known, as a factor model needs them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, check_count, name_list
from servicediag.psychometrics._structure_data import Study, group_order, moment_sample, pooled_units
from servicediag.results import short_repr

__all__ = ["GroupMoments", "moments_study"]


@dataclass(frozen=True, eq=False, repr=False)
class GroupMoments:
    """Means and covariances of the complete answers of one group.

    Attributes
    ----------
    n : int
        Respondents with a complete answer.
    mean : Series
        Index item.
    covariance : DataFrame
        Items x items, n - 1 in the denominator.
    n_dropped : int
        Respondents left out for missing answers.
    """

    n: int
    mean: pd.Series
    covariance: pd.DataFrame
    n_dropped: int = 0

    def __post_init__(self) -> None:
        check_count("n", self.n, 2)
        check_count("n_dropped", self.n_dropped, 0)
        if not isinstance(self.mean, pd.Series):
            raise TypeError(f"mean must be a Series with items as its index, not {type(self.mean).__name__}")
        if not isinstance(self.covariance, pd.DataFrame):
            raise TypeError(f"covariance must be a DataFrame, items x items, not {type(self.covariance).__name__}")
        items = self.mean.index
        if not items.is_unique:
            raise ValueError(f"mean names an item twice: {name_list(items[items.duplicated()])}")
        if not (self.covariance.index.equals(items) and self.covariance.columns.equals(items)):
            raise ValueError("covariance must have the items of mean, in their order, as its index and its columns")
        values = self.covariance.to_numpy(dtype=np.float64)
        if not (np.isfinite(values).all() and np.isfinite(self.mean.to_numpy(dtype=np.float64)).all()):
            raise ValueError("mean and covariance must hold finite numbers")
        own = np.sqrt(np.maximum(np.diag(values), 0.0))
        if (np.diag(values) < 0).any() or (np.abs(values - values.T) > 1e-8 * np.outer(own, own) + 1e-300).any():
            raise ValueError("covariance must be symmetric, with variances of at least 0")

    def __repr__(self) -> str:
        parts = [("n", self.n), ("n_items", len(self.mean)), ("n_dropped", self.n_dropped)]
        return short_repr("GroupMoments", parts)

    @classmethod
    def from_sums(
        cls, items: Sequence[Hashable], n: int, totals: FloatArray, products: FloatArray, n_dropped: int = 0
    ) -> GroupMoments:
        """From sums over complete answers.

        Parameters
        ----------
        items : sequence
        n : int
            Respondents, at least 2.
        totals : ndarray, shape (n_items,)
            Sums of the answers.
        products : ndarray, shape (n_items, n_items)
            Sums of the products of answers.
        n_dropped : int

        Examples
        --------
        >>> answers = np.array([[1.0, 2], [2, 4], [3, 3]])
        >>> moments = GroupMoments.from_sums(["a", "b"], 3, answers.sum(axis=0), answers.T @ answers)
        >>> moments.mean.tolist(), float(moments.covariance.loc["a", "b"])
        ([2.0, 3.0], 0.5)
        """
        n = check_count("n", n, 2)
        index = pd.Index(list(items), tupleize_cols=False)
        mean = np.asarray(totals, dtype=np.float64) / n
        covariance = (np.asarray(products, dtype=np.float64) - n * np.outer(mean, mean)) / (n - 1)
        variance = np.diag(covariance).copy()
        # What cancels when the products of a constant item are centred is rounding, on either side of 0.
        variance[np.abs(variance) <= 1e-13 * mean**2] = 0.0
        np.fill_diagonal(covariance, variance)
        frame = pd.DataFrame((covariance + covariance.T) / 2, index=index, columns=index)
        return cls(n, pd.Series(mean, index=index), frame, n_dropped)


def moments_study(groups: Mapping[Hashable, GroupMoments], names: Sequence[Hashable], statistic: str) -> Study:
    """The groups in the units of all their respondents together, as from the answers themselves.

    Raises
    ------
    InsufficientDataError
        As ``study`` of the answers.
    ValueError
        A group lacks an item.
    """
    if len(groups) < 2:
        raise InsufficientDataError(f"{statistic} of groups needs at least 2 groups with answers, not {len(groups)}.")
    for label, group in groups.items():
        absent = [name for name in names if name not in group.mean.index]
        if absent:
            raise ValueError(f"model names {name_list(absent)}, of which group {label} has no moments")
    known = [(label, *_arrays(groups[label], names)) for label in map(list(groups).__getitem__, group_order([*groups]))]
    shift, scale = pooled_units([(n, mean, covariance) for _, n, mean, covariance in known])
    scale = np.where(scale > 0, scale, 1.0)  # a constant item is refused below
    samples = tuple(
        moment_sample(
            label,
            n,
            (mean - shift) / scale,
            covariance / np.outer(scale, scale),
            names,
            groups[label].n_dropped,
            statistic,
        )
        for label, n, mean, covariance in known
    )
    return Study(samples, shift, scale, sum(group.n_dropped for group in groups.values()), 0)


def _arrays(group: GroupMoments, names: Sequence[Hashable]) -> tuple[int, FloatArray, FloatArray]:
    """Number, means, and covariances divided by the number."""
    at = group.mean.index.get_indexer(pd.Index(list(names), tupleize_cols=False))
    mean = group.mean.to_numpy(dtype=np.float64)[at]
    covariance = group.covariance.to_numpy(dtype=np.float64)[np.ix_(at, at)]
    return group.n, mean, covariance * (group.n - 1) / group.n
