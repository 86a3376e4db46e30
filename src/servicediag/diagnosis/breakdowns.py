"""Sums below the level of a unit: by background category, by cluster of respondents, and of change within persons."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from servicediag.diagnosis.sums import SUMS, WHOLE, Grouping, Quantity, group_sums, object_frame, sorted_table

if TYPE_CHECKING:
    from servicediag.diagnosis.backgrounds import Background
    from servicediag.responses.model import Responses

__all__ = [
    "CHANGE_KEYS",
    "CLUSTER_KEYS",
    "DISTRIBUTION_WIDTH",
    "SEGMENT_KEYS",
    "Linked",
    "change_table",
    "cluster_table",
    "distribution",
    "real_ids",
    "segment_table",
    "wave_order",
]

SEGMENT_KEYS = (
    "by", "unit", "instrument", "form", "rater", "wave", "kind", "dimension", "name", "background", "category",
)  # fmt: skip
CLUSTER_KEYS = ("by", "unit", "instrument", "form", "wave", "dimension", "cluster")
CHANGE_KEYS = ("by", "unit", "instrument", "form", "rater", "dimension", "first_wave", "second_wave")
DISTRIBUTION_WIDTH = 101
"""Scores are counted by whole points, 0 to 100."""


def segment_table(
    quantities: Sequence[Quantity],
    groupings: Sequence[Grouping],
    backgrounds: Sequence[Background],
    waves: tuple[np.ndarray, np.ndarray],
) -> pd.DataFrame:
    """Sums of scores and indicators by background category, keyed by ``SEGMENT_KEYS``.

    ``waves`` are the code of every respondent's wave and the waves' names.
    """
    wave_codes, wave_names = waves
    frames = []
    for grouping in groupings:
        for background in backgrounds:
            units, categories = len(grouping.units), len(background.categories)
            known = (grouping.codes >= 0) & (background.codes >= 0)
            place = (wave_codes * units + grouping.codes) * categories + background.codes
            place = np.where(known, place, -1)
            for quantity in quantities:
                sums = group_sums(quantity.values, place, len(wave_names) * units * categories)
                filled = np.flatnonzero(sums["n"])
                keys = {
                    **_about(quantity),
                    "by": grouping.by,
                    "unit": grouping.units[filled // categories % units],
                    "wave": wave_names[filled // (categories * units)],
                    "background": background.id,
                    "category": np.array(background.categories, dtype=object)[filled % categories],
                }
                frames.append(_frame(keys, sums, filled))
    return sorted_table(SEGMENT_KEYS, SUMS, frames)


def cluster_table(
    quantities: Sequence[Quantity],
    groupings: Sequence[Grouping],
    column: pd.Series,
    waves: tuple[np.ndarray, np.ndarray],
) -> pd.DataFrame:
    """Sums of scores by cluster, keyed by ``CLUSTER_KEYS``; a cluster is named by a hash, blank ones are left out."""
    wave_codes, wave_names = waves
    raw, values = pd.factorize(column)
    texts = ["" if value is None or value != value else str(value).strip() for value in values]
    names = np.array([_hashed(str(column.name), text) for text in texts], dtype=object)
    blank = np.array([text == "" for text in [*texts, ""]])[raw]
    frames = []
    for grouping in groupings:
        place = (wave_codes * len(grouping.units) + grouping.codes) * max(len(names), 1) + raw
        place = np.where(blank | (grouping.codes < 0), -1, place)
        # few of all pairs of unit and cluster occur
        pairs, inside = np.unique(place, return_inverse=True)
        shift = int(len(pairs) > 0 and pairs[0] < 0)
        pairs, inside = pairs[shift:], inside - shift
        for quantity in quantities:
            if quantity.kind != "score":
                continue
            sums = group_sums(quantity.values, inside, len(pairs))
            filled = np.flatnonzero(sums["n"])
            where = pairs[filled]
            keys = {
                **_about(quantity),
                "by": grouping.by,
                "unit": grouping.units[where // len(names) % len(grouping.units)],
                "wave": wave_names[where // (len(names) * len(grouping.units))],
                "cluster": names[where % len(names)],
            }
            frames.append(_frame(keys, sums, filled)[[*CLUSTER_KEYS, *SUMS]])
    return sorted_table(CLUSTER_KEYS, SUMS, frames)


def _hashed(column: str, text: str) -> str:
    """A name for a cluster that does not tell it at sight; whoever knows the names can still find them again."""
    return hashlib.sha256(f"servicediag cluster\0{column}\0{text}".encode()).hexdigest()[:16]


def _about(quantity: Quantity) -> dict[str, object]:
    return {
        "instrument": quantity.part.instrument.id,
        "form": quantity.part.form.id,
        "rater": quantity.part.form.rater,
        "kind": quantity.kind,
        "dimension": quantity.dimension,
        "name": quantity.name,
    }


def _frame(keys: Mapping[str, object], sums: Mapping[str, np.ndarray], filled: np.ndarray) -> pd.DataFrame:
    columns = {name: one if isinstance(one, np.ndarray) else np.full(len(filled), one, dtype=object)
               for name, one in keys.items()}  # fmt: skip
    return object_frame({**columns, **{name: column[filled] for name, column in sums.items()}})


def distribution(values: np.ndarray) -> np.ndarray:
    """How many scores lie nearest to each whole point from 0 to 100; a half goes up.

    Examples
    --------
    >>> counts = distribution(np.array([0.0, 12.5, 12.5, 100.0, np.nan]))
    >>> np.flatnonzero(counts).tolist(), int(counts.sum())
    ([0, 13, 100], 4)
    """
    points = np.floor(values[~np.isnan(values)] + 0.5).astype(np.int64)
    return np.bincount(points, minlength=DISTRIBUTION_WIDTH)


@dataclass(frozen=True)
class Linked:
    """The scores of an export whose respondents have ids of their own."""

    ids: np.ndarray
    quantities: tuple[Quantity, ...]
    groupings: tuple[Grouping, ...]
    wave_codes: np.ndarray
    wave_names: np.ndarray


def real_ids(responses: Responses) -> np.ndarray | None:
    """Ids that people keep from wave to wave, None where somebody has none; or None where rows were only counted."""
    index = responses.respondents.index
    if index.name != "respondent":
        return None
    ids = index.to_numpy(dtype=object, copy=True)
    if any(issue.code == "missing_respondent" for issue in responses.intake.issues):
        ids[[str(one).startswith("row ") for one in ids]] = None
    return ids


def wave_order(wave: str) -> list[tuple[int, int, str]]:
    """Sorting key of waves by name, in which "Wave 10" comes after "Wave 9".

    Examples
    --------
    >>> sorted(["Wave 10", "Wave 9", "2024-12"], key=wave_order)
    ['Wave 9', 'Wave 10', '2024-12']
    """
    pieces = re.findall(r"\d+|\D+", wave.casefold())
    return [(1, int(piece), "") if piece.isdecimal() else (0, 0, piece) for piece in pieces]


def change_table(exports: Sequence[Linked]) -> pd.DataFrame:
    """Sums of the change of a score within persons, for every two waves, keyed by ``CHANGE_KEYS``.

    A person counts where the same id answered once in either wave, and for a unit if it was theirs in both: beside the
    levels of two waves the sums of a unit would else tell what those gave who moved. A scale whose items differ
    between the waves is left out.
    """
    frames = []
    for first, second in combinations(list(_wave_answers(exports)), 2):
        earlier, later = sorted((first, second), key=lambda answers: wave_order(answers.wave))
        if earlier.wave == later.wave or earlier.source != later.source:
            continue
        positions = earlier.ids.get_indexer(later.ids)
        pairs = np.flatnonzero(positions >= 0)
        if not len(pairs):
            continue
        for dimension in sorted(earlier.scores.keys() & later.scores.keys()):
            old, new = earlier.scores[dimension], later.scores[dimension]
            if old.items != new.items:
                continue
            change = new.values[pairs] - old.values[positions[pairs]]
            keys = {
                "instrument": later.source[0],
                "form": later.source[1],
                "rater": later.source[2],
                "dimension": dimension,
                "first_wave": earlier.wave,
                "second_wave": later.wave,
            }
            for grouping in later.groupings:
                stayed = _stayed(earlier, grouping, positions[pairs], pairs)
                sums = group_sums(change, stayed, len(grouping.units))
                filled = np.flatnonzero(sums["n"])
                place = {"by": grouping.by, "unit": grouping.units[filled]}
                frames.append(_frame({**keys, **place}, sums, filled))
    return sorted_table(CHANGE_KEYS, SUMS, frames)


def _stayed(earlier: _WaveAnswers, grouping: Grouping, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The group of everybody who is in it in both waves, -1 for the others."""
    codes = grouping.codes[now]
    for old in earlier.groupings:
        if old.by == grouping.by:
            of_old = pd.Index(grouping.units).get_indexer(old.units)
            was = old.codes[before]
            return np.where((was >= 0) & (np.append(of_old, -1)[was] == codes), codes, -1)
    return np.full(len(now), -1)


@dataclass(frozen=True)
class _Score:
    items: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class _WaveAnswers:
    """The scores of one form in one wave by people who are there once."""

    source: tuple[str, str, str]
    wave: str
    ids: pd.Index
    scores: Mapping[str, _Score]
    groupings: tuple[Grouping, ...]


def _wave_answers(exports: Sequence[Linked]) -> Iterator[_WaveAnswers]:
    """One value a form and wave and export; an id that is there twice in a wave stands for nobody."""
    for export in exports:
        by_part: dict[tuple[str, str, str], list[Quantity]] = {}
        for quantity in export.quantities:
            if quantity.kind == "score":
                part = quantity.part
                by_part.setdefault((part.instrument.id, part.form.id, part.form.rater), []).append(quantity)
        for code, wave in enumerate(export.wave_names):
            rows = np.flatnonzero((export.wave_codes == code) & pd.notna(export.ids))
            rows = rows[~pd.Index(export.ids[rows]).duplicated(keep=False)]
            if wave == WHOLE or not len(rows):
                continue
            groupings = tuple(Grouping(g.by, g.units, g.codes[rows]) for g in export.groupings)
            for source, quantities in by_part.items():
                scores = {q.dimension: _Score(_items(q), q.values[rows]) for q in quantities}
                yield _WaveAnswers(source, str(wave), pd.Index(export.ids[rows]), scores, groupings)


def _items(quantity: Quantity) -> tuple[str, ...]:
    present = set(quantity.part.items)
    dimension = quantity.part.instrument.dimension(quantity.dimension)
    return tuple(item.code for item in dimension.scored_items if item.code in present)
