"""Krippendorff's alpha for any number of raters, missing ratings, and four levels of measurement."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._agreement import AgreementCoefficient, StudentInterval
from servicediag.psychometrics._frames import FloatArray, check_choice
from servicediag.psychometrics._ratings import RatingCodes, rating_codes
from servicediag.psychometrics.benchmarks_rules import Coefficient

__all__ = ["KrippendorffAlpha", "MeasurementLevel", "krippendorff_alpha"]

MeasurementLevel = Literal["nominal", "ordinal", "interval", "ratio"]
_LEVELS: tuple[MeasurementLevel, ...] = get_args(MeasurementLevel)
_MOST_RATIO_VALUES = 20_000
_RESAMPLED_CATEGORIES = {"nominal": 2000, "ordinal": 60, "ratio": 500}
_BLOCK = 2_000_000


@dataclass(frozen=True, repr=False)
class KrippendorffAlpha(StudentInterval, AgreementCoefficient):
    """Krippendorff's alpha; ``weights`` holds the level of measurement.

    Attributes
    ----------
    observed_disagreement, expected_disagreement : float
        Mean disagreement of pairs within units, and of all pairs: shares (nominal), squared differences of ranks
        (ordinal) or values (interval), or of their relative differences (ratio).
    """

    observed_disagreement: float
    expected_disagreement: float

    _coefficient: ClassVar[Coefficient] = "krippendorff_alpha"

    @property
    def name(self) -> str:
        return "Krippendorff's alpha"

    def _parts(self) -> dict[str, float]:
        return {
            "observed_disagreement": self.observed_disagreement,
            "expected_disagreement": self.expected_disagreement,
        }


@dataclass(frozen=True)
class _Pairable:
    """Ratings of the units that have at least 2, one a row, and where their values lie on the scale.

    Attributes
    ----------
    unit, value : ndarray of int, shape (n_ratings,)
        Unit and category of each rating.
    places : ndarray, shape (n_categories,)
        Position of each category: its mid-rank (ordinal) or its number; unused for nominal ratings.
    """

    level: MeasurementLevel
    unit: npt.NDArray[np.int64]
    value: npt.NDArray[np.int64]
    n_units: int
    n_categories: int
    places: FloatArray

    @property
    def sizes(self) -> FloatArray:
        """Ratings a unit."""
        return np.bincount(self.unit, minlength=self.n_units).astype(np.float64)

    @property
    def frequencies(self) -> FloatArray:
        """Ratings a category."""
        return np.bincount(self.value, minlength=self.n_categories).astype(np.float64)

    def within(self) -> FloatArray:
        """Disagreement of the ordered pairs within each unit, over one less than its number of ratings."""
        sizes = self.sizes
        if self.level == "nominal":
            cells, counts = np.unique(self.unit * self.n_categories + self.value, return_counts=True)
            pairs = counts.astype(np.float64) ** 2
            same = np.bincount(cells // self.n_categories, weights=pairs, minlength=self.n_units)
            return np.asarray((sizes**2 - same) / (sizes - 1), dtype=np.float64)
        placed = self.places[self.value]
        if self.level == "ratio":
            return self._ratio_within(placed) / (sizes - 1)
        means = np.bincount(self.unit, weights=placed, minlength=self.n_units) / sizes
        away = np.bincount(self.unit, weights=(placed - means[self.unit]) ** 2, minlength=self.n_units)
        return np.asarray(2 * sizes * away / (sizes - 1), dtype=np.float64)

    def _ratio_within(self, placed: FloatArray) -> FloatArray:
        """Pairs by how many places apart they stand among the ratings of their unit; ratings are sorted by unit."""
        total = np.zeros(self.n_units)
        for apart in range(1, int(self.sizes.max())):
            first, second = placed[:-apart], placed[apart:]
            together = self.unit[:-apart] == self.unit[apart:]
            squares = _relative(first[together], second[together])
            total += 2 * np.bincount(self.unit[:-apart][together], weights=squares, minlength=self.n_units)
        return total

    def away(self) -> FloatArray:
        """Mean disagreement of each category with a rating drawn from all, shape (n_categories,)."""
        shares = self.frequencies / len(self.value)
        if self.level == "nominal":
            return 1 - shares
        if self.level == "ratio":
            return _mean_relative(self.places, shares)
        mean = float(shares @ self.places)
        return np.asarray((self.places - mean) ** 2 + shares @ (self.places - mean) ** 2, dtype=np.float64)


def _relative(first: FloatArray, second: FloatArray) -> FloatArray:
    """Squared ratio of difference and sum, 0 for two zeros."""
    total = first + second
    return np.asarray(((first - second) / np.where(total > 0, total, 1.0)) ** 2, dtype=np.float64)


def _mean_relative(places: FloatArray, shares: FloatArray) -> FloatArray:
    used = shares > 0
    step = max(1, _BLOCK // max(int(used.sum()), 1))
    blocks = [
        _relative(places[at : at + step, None], places[used][None, :]) @ shares[used]
        for at in range(0, len(places), step)
    ]
    return np.concatenate(blocks)


@dataclass(frozen=True)
class _Resampled:
    """Sums over units from which alpha follows: disagreements, and what the expected disagreement needs."""

    ratings: _Pairable

    @property
    def n_rows(self) -> int:
        return self.ratings.n_units

    @cached_property
    def _within(self) -> FloatArray:
        return self.ratings.within()

    def rows(self, start: int, stop: int) -> FloatArray:
        r = self.ratings
        most = _RESAMPLED_CATEGORIES.get(r.level, r.n_categories)
        if r.n_categories > most:
            raise ValueError(f"method must be 'analytic' for {r.level} ratings with more than {most} categories")
        first, last = np.searchsorted(r.unit, [start, stop])
        unit, value = r.unit[first:last] - start, r.value[first:last]
        n, q = min(stop, r.n_units) - start, r.n_categories
        if r.level == "ordinal":
            return self._coincidences(unit, value, n)
        disagreement = self._within[start:stop]
        if r.level == "interval":
            sums = [np.bincount(unit, weights=r.places[value] ** power, minlength=n) for power in (0, 1, 2)]
            return np.column_stack([disagreement, *sums])
        return np.column_stack([disagreement, np.bincount(unit * q + value, minlength=n * q).reshape(n, q)])

    def _coincidences(self, unit: npt.NDArray[np.int64], value: npt.NDArray[np.int64], n: int) -> FloatArray:
        q = self.ratings.n_categories
        counts = np.bincount(unit * q + value, minlength=n * q).reshape(n, q).astype(np.float64)
        pairs = counts[:, :, None] * counts[:, None, :]
        pairs[:, np.arange(q), np.arange(q)] -= counts
        sizes = counts.sum(axis=1)[:, None, None]
        return np.asarray((pairs / (sizes - 1)).reshape(n, q * q), dtype=np.float64)

    def values(self, sums: FloatArray, n: FloatArray) -> FloatArray:  # noqa: ARG002  counts ratings, not units
        level, q = self.ratings.level, self.ratings.n_categories
        if level == "ordinal":
            pairs = sums.reshape(-1, q, q)
            counts = pairs.sum(axis=2)
            ranks = np.cumsum(counts, axis=1) - counts / 2
            observed = (pairs * (ranks[:, :, None] - ranks[:, None, :]) ** 2).sum(axis=(1, 2))
            total = counts.sum(axis=1)
            expected = 2 * (total * (counts * ranks**2).sum(axis=1) - (counts * ranks).sum(axis=1) ** 2)
            return _alpha(observed, expected, total)
        observed = sums[:, 0]
        if level == "interval":
            total = sums[:, 1]
            return _alpha(observed, 2 * (total * sums[:, 3] - sums[:, 2] ** 2), total)
        counts = sums[:, 1:]
        total = counts.sum(axis=1)
        if level == "nominal":
            return _alpha(observed, total**2 - (counts**2).sum(axis=1), total)
        places = self.ratings.places
        apart = _relative(places[:, None], places[None, :])
        return _alpha(observed, np.einsum("bi,ij,bj->b", counts, apart, counts), total)


def _alpha(observed: FloatArray, expected: FloatArray, total: FloatArray) -> FloatArray:
    positive = np.where(expected > 1e-12 * total, expected, math.nan)
    return np.asarray(1 - (total - 1) * observed / positive, dtype=np.float64)


def krippendorff_alpha(
    ratings: pd.DataFrame,
    *,
    level: MeasurementLevel = "nominal",
    categories: Iterable[Hashable] | None = None,
) -> KrippendorffAlpha:
    """Krippendorff's alpha: one less the ratio of observed to expected disagreement.

    Parameters
    ----------
    ratings : DataFrame, shape (n_units, n_raters)
        A row a unit, a column a rater. Units with fewer than 2 ratings say nothing on agreement: they are left out and
        counted in ``n_dropped``.
    level : {"nominal", "ordinal", "interval", "ratio"}
        How the difference of two ratings is measured. Interval and ratio need numbers, ratio none below 0.
    categories : iterable, optional
        Every category, in order; ordinal text needs it. Categories that nobody chose change nothing.

    Returns
    -------
    KrippendorffAlpha
        At most 1; 0 is agreement as by chance; negative for systematic disagreement. With one prevailing category
        alpha is low although nearly all ratings agree.

    Raises
    ------
    InsufficientDataError
        No unit with 2 ratings, or these ratings do not vary.
    TypeError, ValueError
        ``ratings`` is no table of categories, or does not fit the level.

    Notes
    -----
    1 - Do / De from the coincidences of all pairs within units, each unit's pairs weighted by one over its number of
    ratings less one; squared differences of mid-ranks (ordinal), values (interval), or (a - b) / (a + b) (ratio) [1]_
    [2]_. Standard error by linearisation [3]_ with the metric taken as given; resampling recomputes ordinal ranks.

    References
    ----------
    .. [1] Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability. University of Pennsylvania.
    .. [2] Hayes, A. F., & Krippendorff, K. (2007). Communication Methods and Measures, 1, 77-89.
    .. [3] Gwet, K. L. (2021). Handbook of inter-rater reliability (5th ed., Vol. 1).

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"ann": [1, 2, 3, 3], "bob": [1, 2, 3, 4], "eve": [None, 2, 3, 4]})
    >>> [round(krippendorff_alpha(ratings, level=level).estimate, 3) for level in ("nominal", "ordinal")]
    [0.773, 0.92]
    """
    check_choice("level", level, _LEVELS)
    coded = rating_codes(ratings, categories)
    pairable = _pairable(coded, level)
    if not len(pairable.value):
        raise InsufficientDataError(
            f"Krippendorff's alpha needs at least one unit with 2 ratings; none of {len(coded.codes)} has them. "
            "Give a column a rater, and have units rated twice."
        )
    if (pairable.frequencies > 0).sum() < 2:
        raise InsufficientDataError(
            f"Krippendorff's alpha is undefined: all {len(pairable.value)} ratings are equal, so there is no variation "
            "to agree on. Report the share of agreement, or rate units that differ."
        )
    return _estimate(pairable, coded)


def _pairable(coded: RatingCodes, level: MeasurementLevel) -> _Pairable:
    if level == "ordinal" and not coded.ordered:
        raise ValueError("ordinal ratings need the order of the categories: declare them in categories=, lowest first")
    if level in ("interval", "ratio") and coded.numbers is None:
        raise ValueError(f"level {level!r} needs numbers; code the ratings as numbers, or use 'nominal' or 'ordinal'")
    present = coded.codes >= 0
    usable = present.sum(axis=1) >= 2
    unit, rater = np.nonzero(present[usable])
    value = coded.codes[usable][unit, rater]
    q = len(coded.categories)
    places = np.zeros(q)
    if level == "ordinal":
        frequencies = np.bincount(value, minlength=q).astype(np.float64)
        places = np.cumsum(frequencies) - frequencies / 2
    elif coded.numbers is not None and level != "nominal":
        places = coded.numbers
    if level == "ratio" and q:
        if places.min() < 0:
            raise ValueError("level 'ratio' needs ratings of at least 0; use level='interval'")
        if q > _MOST_RATIO_VALUES:
            raise ValueError(f"level 'ratio' takes at most {_MOST_RATIO_VALUES} different values, not {q}; round them")
    return _Pairable(level, unit, value, int(usable.sum()), q, places)


def _estimate(ratings: _Pairable, coded: RatingCodes) -> KrippendorffAlpha:
    scale = 1.0
    if ratings.level == "interval":  # centred and scaled: large numbers lose no digits, small ones do not vanish
        used = ratings.places[ratings.frequencies > 0]
        middle, scale = float(used[0]), float(np.ptp(used)) or 1.0
        ratings = replace(ratings, places=(ratings.places - middle) / scale)
    within, away = ratings.within(), ratings.away()
    shares = ratings.frequencies / len(ratings.value)
    total = len(ratings.value)
    observed, expected = float(within.sum()) / total, float(shares @ away)
    small = 1 - 1 / total
    return KrippendorffAlpha(
        estimate=1 - small * observed / expected,
        standard_error=_standard_error(ratings, within, away, observed, expected),
        n_units=ratings.n_units,
        n_raters=coded.codes.shape[1],
        n_ratings=total,
        n_dropped=len(coded.codes) - ratings.n_units,
        categories=coded.categories,
        weights=ratings.level,
        observed_disagreement=observed * scale**2,
        expected_disagreement=expected / small * scale**2,
        _sums=_Resampled(ratings),
    )


def _standard_error(
    ratings: _Pairable, within: FloatArray, away: FloatArray, observed: float, expected: float
) -> float:
    """Gwet's linearisation, written with disagreements in place of agreements."""
    n = ratings.n_units
    if n < 2:
        return math.nan
    mean_size = len(ratings.value) / n
    sizes = ratings.sizes / mean_size
    plain = 1 - observed / expected  # without the correction for few ratings
    corrected = (1 - 1 / len(ratings.value)) * observed
    own = 1 - (within / mean_size - corrected * (sizes - 1)) / expected
    met = np.bincount(ratings.unit, weights=away[ratings.value], minlength=n) / mean_size
    linear = own - 2 * (1 - plain) * (expected * sizes - met) / expected
    return math.sqrt(float(np.square(linear - plain).sum()) / (n * (n - 1)))
