"""What each unit answered to each item: number, mean, spread, agreement and the count of every option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_choice, numeric_frame
from servicediag.psychometrics._units import CategoryCounter, unit_codes
from servicediag.psychometrics.null_distributions import NullDistribution, NullName, ResponseScale, null_distribution
from servicediag.psychometrics.rwg_simulation import rwg_j
from servicediag.psychometrics.within_group import refuse_off_scale

__all__ = ["UnitTable", "unit_table"]


@dataclass(frozen=True, repr=False)
class UnitTable(Result):
    """Answers of every unit to every item.

    Attributes
    ----------
    n_units, n_items, n_respondents : int
    n_dropped : int
        Respondents left out: no unit, no answer at all, or (listwise) any answer missing.
    null : NullDistribution
        What r_wg was measured against.
    counts : ndarray of int, shape (n_units, n_items, n_options)
        How often each option was chosen.
    options : tuple of float
        Option values, in the order of the last axis of ``counts``.
    """

    n_units: int
    n_items: int
    n_respondents: int
    n_dropped: int
    null: NullDistribution
    options: tuple[float, ...]
    counts: npt.NDArray[np.int64] = field(compare=False)
    _labels: pd.Index = field(compare=False)
    _items: pd.Index = field(compare=False)
    _sizes: npt.NDArray[np.int64] = field(compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("n_units", "n_items", "n_respondents", "n_dropped", "options")

    def to_frame(self) -> pd.DataFrame:
        """A row a unit and item. Small units are shown here: not for release.

        Returns
        -------
        DataFrame
            Index ``unit, item``; columns n, mean, sd (ddof 1, NaN below 2 answers), rwg (0 to 1), and
            ``count_<option>`` for every option.
        """
        n, mean, variance = self._moments()
        columns = {
            "n": n.astype(np.int64).ravel(),
            "mean": mean.ravel(),
            "sd": np.sqrt(variance).ravel(),
            "rwg": rwg_j(variance / self.null.variance, np.ones_like(variance)).ravel(),
        }
        flat = self.counts.reshape(-1, len(self.options))
        columns |= {f"count_{option:g}": flat[:, place] for place, option in enumerate(self.options)}
        index = pd.MultiIndex.from_product([self._labels, self._items], names=["unit", "item"])
        return pd.DataFrame(columns, index=index)

    def units(self) -> pd.DataFrame:
        """A row a unit. Small units are shown here: not for release.

        Returns
        -------
        DataFrame
            Index ``unit``; columns n (respondents), mean (of the item means), sd (root of the mean item variance) and
            rwg_j, over the items with at least 2 answers in the unit (the mean: with any).
        """
        _, mean, variance = self._moments()
        usable = ~np.isnan(variance)
        n_items = usable.sum(axis=1).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            typical = np.where(usable, variance, 0.0).sum(axis=1) / n_items
            answered = ~np.isnan(mean)
            average = np.where(answered, mean, 0.0).sum(axis=1) / answered.sum(axis=1)
        columns = {
            "n": self._sizes,
            "mean": average,
            "sd": np.sqrt(typical),
            "rwg_j": rwg_j(typical / self.null.variance, n_items),
        }
        return pd.DataFrame(columns, index=self._labels)

    def _moments(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Number, mean and variance of the answers, shape (n_units, n_items)."""
        steps = np.arange(len(self.options), dtype=np.float64)
        counts = self.counts.astype(np.float64)
        n = counts.sum(axis=2)
        sums, squares = counts @ steps, counts @ steps**2  # whole numbers: exact
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = sums / n
            variance = np.where(n > 1, (squares - sums * mean) / (n - 1), np.nan)
        return n, self.options[0] + mean, np.maximum(variance, 0.0)

    def describe(self) -> str:
        """One sentence in APA style."""
        table = self.units()
        return (
            f"{self.n_units} units of median size {table['n'].median():g} answered {self.n_items} items; their means "
            f"ranged from {apa_number(table['mean'].min(), leading_zero=True)} to "
            f"{apa_number(table['mean'].max(), leading_zero=True)}, median r_wg({self.n_items}) "
            f"{apa_number(float(table['rwg_j'].median()))}."
        )


def unit_table(
    answers: pd.DataFrame,
    units: pd.Series | Sequence[Any] | npt.NDArray[Any],
    *,
    scale: tuple[float, float],
    null: NullName | Sequence[float] | float = "uniform",
    missing: Literal["available", "listwise"] = "available",
) -> UnitTable:
    """Number, mean, standard deviation, agreement and counts of every unit and item, in one pass over the answers.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Answers to items of one response scale.
    units : Series, array or list, length n_respondents
        The unit of every respondent; a Series is matched by its index. Respondents without a unit are left out.
    scale : (float, float)
        Lowest and highest option value, options one apart.
    null : str, sequence of float, or float
        Answers without agreement, see :func:`null_distribution`.
    missing : {"available", "listwise"}
        Use what each item has, or leave out respondents with any missing answer.

    Returns
    -------
    UnitTable
        Working data of the analyst: units of any size are in it.

    Raises
    ------
    InsufficientDataError
        No items, or no usable respondent.
    TypeError, ValueError
        Answers that are no numbers, off the scale or between its options, or another wrong argument.

    Notes
    -----
    r_wg = 1 - variance / null variance, 0 where the variance is larger [1]_; see :func:`within_group_agreement` for
    more indices.

    References
    ----------
    .. [1] James, L. R., Demaree, R. G., & Wolf, G. (1984). Journal of Applied Psychology, 69, 85-98.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [4, 5, 4, 1, 5, 3], "q2": [4, 4, 4, 2, 5, 2]})
    >>> result = unit_table(answers, ["north"] * 3 + ["south"] * 3, scale=(1, 5))
    >>> result.to_frame().loc[("north", "q1"), ["n", "mean", "count_4", "count_5"]].round(2).to_dict()
    {'n': 3.0, 'mean': 4.33, 'count_4': 2.0, 'count_5': 1.0}
    """
    frame = numeric_frame(answers, "answers")
    checked = ResponseScale.of(scale)
    distribution = null_distribution(null, scale=(checked.lowest, checked.highest))
    check_choice("missing", missing, ("available", "listwise"))
    codes, labels = unit_codes(units, frame.index)
    if not frame.columns:
        raise InsufficientDataError("A table of units needs at least 1 item; answers has none. Give a column.")
    refuse_off_scale(frame.values, frame.columns, checked)
    keep = codes >= 0
    if missing == "listwise":
        keep &= frame.complete
    elif frame.values.dtype.kind == "f":
        keep &= ~np.logical_and.reduce([np.isnan(column) for column in frame.values.T])
    if not keep.any():
        raise InsufficientDataError(f"None of {len(keep)} respondents has a unit and an answer. Fill the unit column.")
    values = frame.values if keep.all() else frame.values[keep]
    codes = codes if keep.all() else codes[keep]
    counter = CategoryCounter(codes, len(labels), checked.lowest, checked.n_points)
    counts = np.empty((len(labels), len(frame.columns), checked.n_points), dtype=np.int64)
    for position, name in enumerate(frame.columns):
        found = counter.counts(values[:, position])
        if found is None:
            raise ValueError(f"answers to {name} lie between the options of the scale; recode them first")
        counts[:, position] = found
    counts.flags.writeable = False
    return UnitTable(
        n_units=len(labels),
        n_items=len(frame.columns),
        n_respondents=len(codes),
        n_dropped=len(keep) - len(codes),
        null=distribution,
        options=tuple(checked.lowest + step for step in range(checked.n_points)),
        counts=counts,
        _labels=labels,
        _items=pd.Index(frame.columns, tupleize_cols=False, name="item"),
        _sizes=np.bincount(codes, minlength=len(labels)),
    )
