"""Item statistics of a scale: how hard, how discriminating, and what the scale would be without the item."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.psychometrics._frames import (
    EstimateResult,
    FloatArray,
    Result,
    apa_number,
    as_table,
    check_level,
    name_list,
    numeric_frame,
)
from servicediag.psychometrics._moments import Missing, Moments, moments, moments_from_covariance
from servicediag.psychometrics._resampling import CovarianceSums, PairwiseSums, Progress, bootstrap_interval
from servicediag.psychometrics.alpha import CronbachAlpha, alpha_from_moments, alpha_value, rest_covariances
from servicediag.psychometrics.benchmarks_rules import Coefficient
from servicediag.psychometrics.omega import omega_without_each_item
from servicediag.results import ConfidenceInterval

__all__ = [
    "InterItemCorrelation",
    "ItemAnalysis",
    "corrected_item_total_correlations",
    "inter_item_correlation",
    "item_analysis",
    "item_analysis_from_covariance",
]

Bounds = tuple[float, float] | Mapping[Hashable, tuple[float, float]]
_STATISTIC = "Item analysis"


@dataclass(frozen=True, repr=False)
class ItemAnalysis(Result):
    """Item statistics of one scale, with the scale's own alpha.

    Attributes
    ----------
    alpha : CronbachAlpha
        Of all items that vary.
    n_items, n_respondents, n_dropped : int
    """

    alpha: CronbachAlpha
    n_items: int
    n_respondents: int
    n_dropped: int
    _table: pd.DataFrame = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("n_items", "n_respondents", "n_dropped")

    @cached_property
    def omega_if_item_deleted(self) -> pd.Series:
        """One-factor omega of the other items, a value an item; fitted on first use, for it costs a model an item."""
        known = self.alpha.moments
        found = pd.Series(omega_without_each_item(known), index=pd.Index(known.items, tupleize_cols=False))
        return found.reindex(self._table.index).rename("omega_if_item_deleted")

    def to_frame(self) -> pd.DataFrame:
        """A row an item, in the order given, constant items among them.

        Returns
        -------
        DataFrame, index ``item``
            ``n`` respondents who count; ``mean``, ``sd`` (ddof 1); ``floor``, ``ceiling``: share of answers at the
            declared bounds, 0 to 1; ``item_total_correlation`` with the sum of all items and
            ``corrected_item_total_correlation`` with the sum of the others; ``alpha_if_item_deleted`` and
            ``omega_if_item_deleted``; ``note``. NaN where undefined: a constant item, no bounds, only one other item.
        """
        table = self._table.copy()
        table.insert(len(table.columns) - 1, "omega_if_item_deleted", self.omega_if_item_deleted)
        return table

    def describe(self) -> str:
        """One sentence in APA style: the range of the corrected item-total correlations, and what stands out."""
        table = self._table
        correlations = table["corrected_item_total_correlation"].dropna()
        low, high = apa_number(correlations.min()), apa_number(correlations.max())
        noted = table.index[table["note"] != ""]
        remark = f" See the notes on {name_list(noted)}." if len(noted) else ""
        return (
            f"Corrected item-total correlations of {self.n_items} items ranged from {low} to {high}, "
            f"n = {self.n_respondents}.{remark}"
        )


def item_analysis(items: pd.DataFrame, *, bounds: Bounds | None = None) -> ItemAnalysis:
    """Statistics of every item of a scale, over the respondents who answered all of them.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Scored answers of one scale, reverse-keyed items already turned.
    bounds : (low, high) or mapping item -> (low, high), optional
        Declared bounds of the response scale, for ``floor`` and ``ceiling``; never taken from the data.

    Returns
    -------
    ItemAnalysis
        See :meth:`ItemAnalysis.to_frame`. Removing items by ``alpha_if_item_deleted`` fits the sample: it is no
        optimiser.

    Raises
    ------
    InsufficientDataError
        As :func:`cronbach_alpha`.
    ValueError
        Answers that are no numbers or lie outside the bounds.

    Notes
    -----
    The correlation with the sum of the others and alpha without the item follow from the covariance matrix [1]_.

    References
    ----------
    .. [1] Nunnally, J. C., & Bernstein, I. H. (1994). Psychometric theory (3rd ed.). McGraw-Hill.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 4, 5, 3], "q2": [2, 2, 4, 5, 2], "q3": [1, 3, 4, 4, 3]})
    >>> table = item_analysis(answers, bounds=(1, 5)).to_frame()
    >>> table[["mean", "ceiling", "corrected_item_total_correlation", "alpha_if_item_deleted"]].round(3)
          mean  ceiling  corrected_item_total_correlation  alpha_if_item_deleted
    item
    q1     3.0      0.2                             0.968                  0.833
    q2     3.0      0.2                             0.839                  0.933
    q3     3.0      0.0                             0.840                  0.941
    """
    known = moments(items, "listwise", statistic=_STATISTIC)
    table = as_table(items)
    names = tuple(table.columns)
    means = dict(zip(known.items, known.means.tolist(), strict=True))
    means |= {dropped.item: dropped.value for dropped in known.dropped_items}
    variances = dict(zip(known.items, np.diag(known.covariance), strict=True))
    descriptive = {
        "mean": [means[name] for name in names],
        "sd": [math.sqrt(variances.get(name, 0.0)) for name in names],
    }
    edges = _edges(names, bounds)
    if edges is not None:
        descriptive["floor"], descriptive["ceiling"] = _shares_at(edges, table, known)
    return _analysis(known, _table(known, names, descriptive))


def item_analysis_from_covariance(
    covariance: pd.DataFrame | FloatArray, n_respondents: int, *, items: tuple[Hashable, ...] | None = None
) -> ItemAnalysis:
    """Item statistics where only sums were kept: without means and shares at the bounds."""
    known = moments_from_covariance(covariance, n_respondents, items=items, statistic=_STATISTIC)
    names = tuple(items if items is not None else getattr(covariance, "columns", range(len(covariance))))
    variances = dict(zip(known.items, np.diag(known.covariance), strict=True))
    return _analysis(known, _table(known, names, {"sd": [math.sqrt(variances.get(name, 0.0)) for name in names]}))


def _analysis(known: Moments, table: pd.DataFrame) -> ItemAnalysis:
    return ItemAnalysis(alpha_from_moments(known), known.n_items, known.n_respondents, known.n_dropped, table)


def _table(known: Moments, names: tuple[Hashable, ...], descriptive: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    rest, total = corrected_item_total_correlations(known)
    coefficients = {
        "item_total_correlation": total,
        "corrected_item_total_correlation": rest,
        "alpha_if_item_deleted": _alpha_without_each(known.covariance),
    }
    place = {name: position for position, name in enumerate(known.items)}
    reasons = {dropped.item: dropped.reason for dropped in known.dropped_items}
    rows = []
    for position, name in enumerate(names):
        row: dict[str, object] = {"n": known.n_respondents}
        for label in ("mean", "sd", "floor", "ceiling"):
            row[label] = float(descriptive[label][position]) if label in descriptive else math.nan
        at = place.get(name)
        for label, values in coefficients.items():
            row[label] = float(values[at]) if at is not None else math.nan
        negative = at is not None and rest[at] < 0
        row["note"] = reasons.get(name, "runs against the other items: check its keying" if negative else "")
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(names, tupleize_cols=False, name="item"))


def corrected_item_total_correlations(known: Moments) -> tuple[FloatArray, FloatArray]:
    """Correlation of each item with the sum of the others, and with the sum of all; from one covariance matrix."""
    covariance = known.covariance
    variances = np.diag(covariance)
    with_all = covariance.sum(axis=1)
    rest = rest_covariances(covariance)
    rest_variance = known.total_variance - 2 * with_all + variances
    with np.errstate(divide="ignore", invalid="ignore"):
        corrected = np.where(
            rest_variance > 1e-12 * variances.sum(),
            rest / (np.sqrt(variances) * np.sqrt(np.abs(rest_variance))),
            math.nan,
        )
        total = with_all / (np.sqrt(variances) * math.sqrt(known.total_variance))
    return corrected, total


def _alpha_without_each(covariance: FloatArray) -> FloatArray:
    k = len(covariance)
    if k < 3:
        return np.full(k, math.nan)
    variances = np.diag(covariance)
    totals = covariance.sum() - 2 * covariance.sum(axis=1) + variances
    return alpha_value(variances.sum() - variances, totals, k - 1)


def _edges(names: tuple[Hashable, ...], bounds: Bounds | None) -> list[tuple[float, float]] | None:
    if bounds is None:
        return None
    if isinstance(bounds, Mapping):
        absent = [name for name in names if name not in bounds]
        if absent:
            raise ValueError(f"bounds must name every item; {name_list(absent)} are absent")
        edges = [bounds[name] for name in names]
    else:
        edges = [bounds] * len(names)
    for pair in edges:
        low, high = pair
        if not low < high:
            raise ValueError(f"bounds must be (low, high) with low < high, not {pair!r}")
    return edges


def _shares_at(
    edges: Sequence[tuple[float, float]], table: pd.DataFrame, known: Moments
) -> tuple[list[float], list[float]]:
    """Shares of answers at the lowest and at the highest option, of those who answered every item."""

    def columns() -> Iterator[npt.NDArray[Any]]:  # one at a time: no second table in memory
        return (numeric_frame(table.iloc[:, [position]]).values[:, 0] for position in range(table.shape[1]))

    complete = None
    if known.n_dropped:
        complete = np.ones(len(table), dtype=bool)
        for column in columns():
            complete &= ~np.isnan(column)
    floor: list[float] = []
    ceiling: list[float] = []
    faults = []
    for name, column, (low, high) in zip(table.columns, columns(), edges, strict=True):
        if np.fmin.reduce(column) < low or np.fmax.reduce(column) > high:
            faults.append(name)
        for shares, edge in ((floor, low), (ceiling, high)):
            at_edge = column == edge
            if complete is not None:
                at_edge &= complete
            shares.append(np.count_nonzero(at_edge) / known.n_respondents)
    if faults:
        raise ValueError(f"answers lie outside the declared bounds in {name_list(faults)}; recode them first")
    return floor, ceiling


@dataclass(frozen=True, repr=False)
class InterItemCorrelation(EstimateResult):
    """Correlations between the items of a scale, summed up.

    Attributes
    ----------
    estimate : float
        Their mean, also ``mean``.
    median, minimum, maximum, standard_deviation : float
    n_items, n_respondents, n_dropped : int
    """

    estimate: float
    median: float
    minimum: float
    maximum: float
    standard_deviation: float
    n_items: int
    n_respondents: int
    n_dropped: int
    _moments: Moments = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("estimate", "minimum", "maximum", "n_items", "n_respondents", "n_dropped")
    _coefficient: ClassVar[Coefficient] = "inter_item_correlation"

    @property
    def mean(self) -> float:
        """The estimate: mean of the correlations between different items."""
        return self.estimate

    @property
    def correlations(self) -> pd.DataFrame:
        """The correlation matrix, items x items."""
        names = pd.Index(self._moments.items, tupleize_cols=False, name="item")
        return pd.DataFrame(self._moments.correlation, index=names, columns=names)

    def confidence_interval(
        self,
        level: float = 0.95,
        *,
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> ConfidenceInterval:
        """Percentile interval of the mean correlation, respondents being resampled."""
        answers = self._moments.answers("a bootstrap interval")
        kind = CovarianceSums if self._moments.missing == "listwise" else PairwiseSums
        return bootstrap_interval(
            kind(answers, _mean_correlations),
            self.estimate,
            level=check_level(level),
            method="percentile",
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
        )

    def to_frame(self) -> pd.DataFrame:
        """One row: mean, median, minimum, maximum, standard deviation of the correlations, and counts."""
        row = {
            "mean": self.estimate,
            "median": self.median,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "sd": self.standard_deviation,
            "n_items": self.n_items,
            "n_respondents": self.n_respondents,
            "n_dropped": self.n_dropped,
        }
        return pd.DataFrame([row], index=pd.Index(["inter_item_correlation"], name="coefficient"))

    def describe(self) -> str:
        """One sentence in APA style."""
        row = self.to_frame().iloc[0]
        return (
            f"The correlations between {row.n_items:.0f} items had a mean of {apa_number(row['mean'])} and ranged "
            f"from {apa_number(row['minimum'])} to {apa_number(row['maximum'])}, n = {row.n_respondents:.0f}."
        )


def inter_item_correlation(items: pd.DataFrame, *, missing: Missing = "listwise") -> InterItemCorrelation:
    """Mean and range of the correlations between the items of a scale.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
    missing : {"listwise", "pairwise"}

    Returns
    -------
    InterItemCorrelation

    Raises
    ------
    InsufficientDataError
        As :func:`cronbach_alpha`.

    References
    ----------
    Clark, L. A., & Watson, D. (1995). Psychological Assessment, 7, 309-319.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 4, 5, 3], "q2": [2, 2, 4, 5, 2], "q3": [1, 3, 4, 4, 3]})
    >>> round(inter_item_correlation(answers).mean, 3)
    0.84
    """
    known = moments(items, missing, statistic="The inter-item correlation")
    values = known.correlation[np.triu_indices(known.n_items, 1)]
    return InterItemCorrelation(
        estimate=float(values.mean()),
        median=float(np.median(values)),
        minimum=float(values.min()),
        maximum=float(values.max()),
        standard_deviation=float(values.std(ddof=1)) if len(values) > 1 else math.nan,
        n_items=known.n_items,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        _moments=known,
    )


def _mean_correlations(covariances: FloatArray) -> FloatArray:
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    with np.errstate(all="ignore"):
        scaled = covariances / (deviations[:, :, None] * deviations[:, None, :])
    first, second = np.triu_indices(covariances.shape[1], 1)
    result: FloatArray = scaled[:, first, second].mean(axis=1)
    return result
