"""Items that run against their scale: not turned although they should be, or turned twice."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from servicediag.psychometrics._frames import Result, check_level, name_list
from servicediag.psychometrics._moments import Missing, moments
from servicediag.psychometrics.items import corrected_item_total_correlations

__all__ = ["KeyingCheck", "check_keying"]

_STATISTIC = "The check of the keying"


@dataclass(frozen=True, repr=False)
class KeyingCheck(Result):
    """Direction of every item against the rest of its scale.

    Attributes
    ----------
    suspects : tuple
        Items whose correlation with the sum of the others is negative.
    n_items, n_respondents, n_dropped : int
    notes : tuple of str
    """

    suspects: tuple[Hashable, ...]
    n_items: int
    n_respondents: int
    n_dropped: int
    notes: tuple[str, ...]
    _table: pd.DataFrame = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("suspects", "n_items", "n_respondents", "n_dropped")

    def to_frame(self) -> pd.DataFrame:
        """A row an item.

        Returns
        -------
        DataFrame
            ``item``; ``corrected_item_total_correlation``; ``ci_low``, ``ci_high`` by Fisher's z; ``reverse_keyed`` as
            declared; ``verdict``: ``consistent``; ``seems_reversed`` (the item runs against the others and was not
            turned); ``seems_already_reversed`` (it runs against the others because it was turned, which its answers
            had been before); ``possibly_reversed`` and ``possibly_already_reversed`` where the interval holds 0;
            ``constant``.
        """
        return self._table.copy()

    def describe(self) -> str:
        """One sentence, with the notes."""
        table = self._table
        if not self.suspects:
            sentence = f"None of {self.n_items} items runs against the others, n = {self.n_respondents}."
        else:
            listed = ", ".join(
                f"{row.item} ({str(row.verdict).replace('_', ' ')}, r = {row.corrected_item_total_correlation:.2f})"
                for row in table.itertuples()
                if "reversed" in str(row.verdict)
            )
            sentence = f"Of {self.n_items} items these run against the others: {listed}; n = {self.n_respondents}."
        return " ".join([sentence, *self.notes])


def check_keying(
    items: pd.DataFrame,
    *,
    reverse_keyed: Collection[Hashable] = (),
    missing: Missing = "listwise",
    level: float = 0.95,
) -> KeyingCheck:
    """Look for items that were not turned although they should be, or whose answers had been turned already.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Answers of one scale as they would be scored: the items named in ``reverse_keyed`` already turned.
    reverse_keyed : collection of item names
        Items that were turned. One of these that runs against the others looks as if its answers had been turned
        before it reached you, so that turning it again spoilt it.
    missing : {"listwise", "pairwise"}
        As for :func:`cronbach_alpha`.
    level : float
        Level of the interval that tells *seems* from *possibly*.

    Returns
    -------
    KeyingCheck
        Nothing is turned. The order of the items plays no part.

    Raises
    ------
    InsufficientDataError
        As :func:`cronbach_alpha`.
    ValueError
        A name in ``reverse_keyed`` that is no item, or answers that are no numbers.

    Notes
    -----
    The sign of the correlation with the sum of the other items decides. Where about as many items run one way as the
    other, it cannot tell which of them are turned wrongly; a note then says so.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 4, 5, 3, 2], "q2": [2, 2, 4, 5, 2, 1],
    ...                         "q3": [1, 3, 4, 4, 3, 2], "q4": [5, 4, 1, 2, 3, 5]})
    >>> check_keying(answers).to_frame()[["item", "verdict"]]
      item         verdict
    0   q1      consistent
    1   q2      consistent
    2   q3      consistent
    3   q4  seems_reversed
    """
    level = check_level(level)
    known = moments(items, missing, statistic=_STATISTIC)
    names = tuple(pd.DataFrame(items).columns)
    unknown = [name for name in reverse_keyed if name not in names]
    if unknown:
        raise ValueError(f"reverse_keyed names {name_list(unknown)}, which are no items; the items are {names!r}")
    correlations = dict(zip(known.items, corrected_item_total_correlations(known)[0], strict=True))
    rows = []
    for name in names:
        value = float(correlations.get(name, math.nan))
        low, high = _fisher(value, known.n_smallest, level)
        turned = name in reverse_keyed
        rows.append(
            {
                "item": name,
                "corrected_item_total_correlation": value,
                "ci_low": low,
                "ci_high": high,
                "reverse_keyed": turned,
                "verdict": "constant" if name not in correlations else _verdict(value, high, turned),
            }
        )
    suspects = tuple(name for name in names if float(correlations.get(name, math.nan)) < 0)
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if 2 * len(suspects) >= known.n_items:
        notes.append(
            f"{len(suspects)} of {known.n_items} items run against the rest, so their direction cannot be told from "
            "the data: compare the wording of every item with its key."
        )
    return KeyingCheck(suspects, known.n_items, known.n_respondents, known.n_dropped, tuple(notes), pd.DataFrame(rows))


def _verdict(correlation: float, high: float, turned: bool) -> str:
    if not correlation < 0:
        return "consistent"
    how_sure = "seems" if high < 0 else "possibly"
    return f"{how_sure}_already_reversed" if turned else f"{how_sure}_reversed"


def _fisher(correlation: float, n: int, level: float) -> tuple[float, float]:
    from scipy.special import ndtri

    if math.isnan(correlation) or n < 4:
        return math.nan, math.nan
    if abs(correlation) >= 1 - 1e-15:
        return correlation, correlation
    reach = -float(ndtri((1 - level) / 2)) / math.sqrt(n - 3)
    centre = math.atanh(correlation)
    return float(np.tanh(centre - reach)), float(np.tanh(centre + reach))
