"""Split-half reliability: two halves of a scale against each other."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    EstimateResult,
    apa_interval,
    apa_number,
    check_level,
    holding,
    name_list,
)
from servicediag.psychometrics._moments import DroppedItem, Missing, moments
from servicediag.psychometrics.benchmarks_rules import Coefficient
from servicediag.results import ConfidenceInterval

__all__ = ["SplitHalf", "split_half"]

Split = str | Sequence[Hashable]
_STATISTIC = "Split-half reliability"


@dataclass(frozen=True, repr=False)
class SplitHalf(EstimateResult):
    """Reliability of a sum score from the agreement of two halves of its items.

    Attributes
    ----------
    estimate : float
        The Spearman-Brown coefficient, also ``spearman_brown``.
    correlation : float
        Between the sums of the halves.
    spearman_brown : float
        ``2r / (1 + r)``: supposes halves of equal length and variance. NaN where r is -1.
    flanagan_rulon : float
        ``4 c / V``: supposes equal true-score variance only.
    horst : float
        Spearman-Brown for halves of unequal length; equal to it otherwise.
    first, second : tuple
        Items of the halves.
    n_items, n_respondents, n_dropped, n_smallest : int
    dropped_items : tuple of DroppedItem
    notes : tuple of str
    """

    estimate: float
    correlation: float
    spearman_brown: float
    flanagan_rulon: float
    horst: float
    first: tuple[Hashable, ...]
    second: tuple[Hashable, ...]
    n_items: int
    n_respondents: int
    n_dropped: int
    n_smallest: int
    dropped_items: tuple[DroppedItem, ...]
    notes: tuple[str, ...]

    _shown: ClassVar[tuple[str, ...]] = (
        "correlation", "spearman_brown", "flanagan_rulon", "horst", "n_items", "n_respondents", "n_dropped",
    )  # fmt: skip
    _coefficient: ClassVar[Coefficient] = "reliability"

    def confidence_interval(self, level: float = 0.95) -> ConfidenceInterval:
        """Interval of the Spearman-Brown coefficient: Fisher's z for the correlation, stepped up.

        Raises
        ------
        InsufficientDataError
            Fewer than 4 respondents, or a coefficient that is undefined.
        """
        from scipy.special import ndtri

        level = check_level(level)
        if self.n_smallest < 4 or math.isnan(self.estimate):
            raise InsufficientDataError(
                f"{_STATISTIC}: an interval needs at least 4 respondents and a defined coefficient; "
                f"there are {self.n_smallest} respondents, correlation {self.correlation:.3g}."
            )
        low = high = self.estimate
        if abs(self.correlation) < 1:
            reach = float(ndtri((1 + level) / 2)) / math.sqrt(self.n_smallest - 3)
            centre = math.atanh(self.correlation)
            low, high = (_spearman_brown(math.tanh(centre + side * reach)) for side in (-1, 1))
        return holding(low, high, self.estimate, level=level, method="fisher")

    def to_frame(self) -> pd.DataFrame:
        """One row: the coefficients, the sizes of the halves, and counts."""
        row = {
            "correlation": self.correlation,
            "spearman_brown": self.spearman_brown,
            "flanagan_rulon": self.flanagan_rulon,
            "horst": self.horst,
            "n_first": len(self.first),
            "n_second": len(self.second),
            "n_respondents": self.n_respondents,
            "n_dropped": self.n_dropped,
        }
        return pd.DataFrame([row], index=pd.Index(["split_half"], name="coefficient"))

    def describe(self) -> str:
        """One sentence in APA style, with the notes."""
        row = self.to_frame().iloc[0]
        limits = ""
        if self.n_smallest >= 4 and not math.isnan(self.estimate):
            limits = f", {apa_interval(self.confidence_interval())}"
        sentence = (
            f"The halves ({row.n_first:.0f} and {row.n_second:.0f} items) correlated at {apa_number(row.correlation)}; "
            f"the Spearman-Brown coefficient was {apa_number(row.spearman_brown)}{limits}, Flanagan-Rulon "
            f"{apa_number(row.flanagan_rulon)}, n = {row.n_respondents:.0f}."
        )
        return " ".join([sentence, *self.notes])


def split_half(items: pd.DataFrame, *, split: Split = "odd_even", missing: Missing = "listwise") -> SplitHalf:
    """Split-half reliability of a scale.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Scored answers of one scale in their order, reverse-keyed items already turned.
    split : {"odd_even", "first_second"} or sequence of item names
        First, third, fifth ... item against the others; the first half of the items against the rest (the longer
        half first where their number is odd); or the names of the items of the first half. Constant items take no
        part, and the split is made of those that remain.
    missing : {"listwise", "pairwise"}
        As for :func:`cronbach_alpha`.

    Returns
    -------
    SplitHalf

    Raises
    ------
    InsufficientDataError
        As :func:`cronbach_alpha`, or a half whose sum does not vary.
    ValueError
        An unknown split, or names that are no items or leave a half empty.

    References
    ----------
    Spearman (1910), British Journal of Psychology, 3, 271-295. Rulon (1939), Harvard Educational Review, 9, 99-103.
    Horst (1951), Educational and Psychological Measurement, 11, 368-371. Eisinga, te Grotenhuis & Pelzer (2013),
    International Journal of Public Health, 58, 637-642, who advise Spearman-Brown for two items.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 4, 5, 3], "q2": [2, 2, 4, 5, 2], "q3": [1, 3, 4, 4, 3]})
    >>> split_half(answers).first
    ('q1', 'q3')
    >>> round(split_half(answers).spearman_brown, 3)
    0.913
    """
    known = moments(items, missing, statistic=_STATISTIC)
    chosen = _first_half(known.items, tuple(drop.item for drop in known.dropped_items), split)
    covariance = known.covariance
    first, second = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    variances = [float(covariance[np.ix_(half, half)].sum()) for half in (first, second)]
    joint = float(covariance[np.ix_(first, second)].sum())
    if min(variances) <= 1e-12 * float(np.trace(covariance)):
        raise InsufficientDataError(f"{_STATISTIC}: the sum of a half does not vary; check the keying of its items.")
    correlation = joint / (math.sqrt(variances[0]) * math.sqrt(variances[1]))
    if missing == "listwise":
        correlation = max(-1.0, min(1.0, correlation))  # beyond by rounding only
    stepped = _spearman_brown(correlation)
    notes = [f"Left out: {name_list(known.dropped_items)}."] if known.dropped_items else []
    if len(first) != len(second):
        notes.append("The halves differ in length: read Horst's coefficient or Flanagan-Rulon.")
    if math.isnan(stepped):
        notes.append("The halves run exactly against each other; check the keying.")
    return SplitHalf(
        estimate=stepped,
        correlation=correlation,
        spearman_brown=stepped,
        flanagan_rulon=4 * joint / known.total_variance,
        horst=_horst(correlation, len(first) / known.n_items),
        first=tuple(known.items[i] for i in first),
        second=tuple(known.items[i] for i in second),
        n_items=known.n_items,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        n_smallest=known.n_smallest,
        dropped_items=known.dropped_items,
        notes=tuple(notes),
    )


def _first_half(items: tuple[Hashable, ...], dropped: tuple[Hashable, ...], split: Split) -> npt.NDArray[np.bool_]:
    if isinstance(split, str):
        if split == "odd_even":
            return np.array([place % 2 == 0 for place in range(len(items))])
        if split == "first_second":
            return np.array([place < (len(items) + 1) // 2 for place in range(len(items))])
        raise ValueError(f"split must be 'odd_even', 'first_second' or the items of the first half, not {split!r}")
    wanted = list(split)
    unknown = [name for name in wanted if name not in items and name not in dropped]
    if unknown:
        raise ValueError(f"split names {name_list(unknown)}, which are no items; the items are {name_list(items)}")
    chosen = np.array([name in wanted for name in items])
    if chosen.all() or not chosen.any():
        raise ValueError(f"split must leave at least one item that varies in each half, not {name_list(wanted)}")
    return chosen


def _spearman_brown(correlation: float) -> float:
    return 2 * correlation / (1 + correlation) if correlation > -1 else math.nan


def _horst(correlation: float, share: float) -> float:
    """Reliability of the whole from halves that hold the given share of the items and the rest.

    Horst's quotient, with numerator and denominator multiplied by the conjugate so that r = 1 is no special case.
    """
    product = 4 * share * (1 - share) * (1 - correlation**2)
    denominator = math.sqrt(max(correlation**2 + product, 0.0)) + correlation
    return 2 * correlation / denominator if denominator > 1e-12 else math.nan
