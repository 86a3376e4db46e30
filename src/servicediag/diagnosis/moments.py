"""Sums over the complete rows of a dimension's items: what its reliability and its comparability need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from servicediag.diagnosis.backgrounds import Background
from servicediag.responses.model import Responses
from servicediag.scoring import DimensionScore, code_points

__all__ = ["Moments", "add_moments", "all_moments", "language_moments"]


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
    codes = tuple(item.code for item in scored.dimension.scored_items if item.code in responses.codes)
    inside = slice(None) if rows.all() else rows
    columns = [responses.codes[code][inside].view(np.uint8) for code in codes]
    points = [code_points(scored.part, code) for code in codes]
    known = np.logical_and.reduce([np.take(~np.isnan(p), column) for p, column in zip(points, columns, strict=True)])
    filled = np.flatnonzero(known)
    complete = np.empty((len(codes), len(filled)))
    for place, (code, column) in enumerate(zip(codes, columns, strict=True)):
        minimum, maximum = scored.part.bounds(code)
        complete[place] = np.take(points[place] * ((maximum - minimum) / 100.0), column[filled])
    return Moments(codes, len(filled), len(known) - len(filled), complete.sum(axis=1), complete @ complete.T)
