"""Sums over the complete rows of a dimension's items: what its reliability and its comparability need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from servicediag.diagnosis.backgrounds import Background
from servicediag.responses.model import Part, Responses
from servicediag.scoring import DimensionScore, is_answer

__all__ = ["Moments", "add_moments", "all_moments", "language_moments"]

ROWS_AT_ONCE = 16_384
"""Rows whose products are added up together, so that they stay in the processor's cache."""
LARGEST_EXACT = 2**24
"""Up to here whole numbers of 32 bits with a floating point are exact."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the complete rows of a dimension's items."""

    items: tuple[str, ...]
    n: int
    n_dropped: int
    totals: np.ndarray
    products: np.ndarray

    def merge(self, other: Moments) -> Moments:
        return Moments(
            self.items,
            self.n + other.n,
            self.n_dropped + other.n_dropped,
            self.totals + other.totals,
            self.products + other.products,
        )

    def covariance(self) -> np.ndarray:
        """Covariance matrix of the items, n - 1 in the denominator."""
        return (self.products - np.outer(self.totals, self.totals) / self.n) / (self.n - 1)


def add_moments(
    first: Mapping[tuple[str, ...], Moments], second: Mapping[tuple[str, ...], Moments]
) -> dict[tuple[str, ...], Moments]:
    """Moments of both parts of a study.

    Raises
    ------
    ValueError
        A dimension was asked with different items.
    """
    added = dict(first)
    for key, value in second.items():
        mine = added.get(key)
        if mine is not None and mine.items != value.items:
            raise ValueError(f"other holds different items for {'/'.join(filter(None, key))}")
        added[key] = value if mine is None else mine.merge(value)
    return added


def all_moments(
    responses: Responses, scored: Sequence[DimensionScore], waves: np.ndarray, wave_names: np.ndarray
) -> dict[tuple[str, ...], Moments]:
    """Moments of every reflective dimension, by ``(instrument, form, wave, dimension)``."""
    return {
        (s.part.instrument.id, s.part.form.id, str(wave), s.dimension.id): _moments(responses, s, waves == code)
        for s in scored
        if s.dimension.measurement == "reflective"
        for code, wave in enumerate(wave_names)
    }


def language_moments(
    responses: Responses,
    scored: Sequence[DimensionScore],
    waves: np.ndarray,
    wave_names: np.ndarray,
    languages: Background | None,
) -> dict[tuple[str, ...], Moments]:
    """The same for each language of the questionnaire, whose name stands last in the key."""
    if languages is None:
        return {}
    return {
        (*key, name): value
        for place, name in enumerate(languages.categories)
        for key, value in all_moments(
            responses, scored, np.where(languages.codes == place, waves, -1), wave_names
        ).items()
        if value.n
    }


def _moments(responses: Responses, scored: DimensionScore, rows: np.ndarray) -> Moments:
    """In steps of the response scale, which are whole numbers: sums of parts are exactly those of the whole."""
    codes = tuple(item.code for item in scored.dimension.scored_items if item.code in responses.codes)
    inside = slice(None) if rows.all() else rows
    columns = [responses.codes[code][inside] for code in codes]
    longest = max(maximum - minimum for minimum, maximum in map(scored.part.bounds, codes))
    at_once = min(ROWS_AT_ONCE, LARGEST_EXACT // longest**2)
    steps = np.empty((len(codes) + 1, at_once), dtype=np.float32)
    products = np.zeros((len(codes) + 1, len(codes) + 1))
    for begin in range(0, len(columns[0]), at_once):
        block = [column[begin : begin + at_once] for column in columns]
        complete = np.logical_and.reduce([is_answer(column) for column in block])
        mine = steps[:, : len(complete)]
        for row, code, column in zip(mine, codes, block, strict=False):
            _steps(scored.part, code, column, row)
        mine[-1] = 1.0
        mine *= complete
        products += mine @ mine.T
    n = int(products[-1, -1])
    return Moments(codes, n, len(columns[0]) - n, products[-1, :-1].copy(), products[:-1, :-1].copy())


def _steps(part: Part, code: str, column: np.ndarray, out: np.ndarray) -> None:
    """How far each answer lies from the end of the scale at which the dimension is lowest."""
    minimum, maximum = part.bounds(code)
    if part.instrument.item(code).reverse_keyed:
        np.subtract(np.float32(maximum), column, out=out)
    else:
        np.subtract(column, np.float32(minimum), out=out)
