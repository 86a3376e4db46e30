"""Sums of every score, item and indicator over groups of respondents, put together as the tables of the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from servicediag.diagnosis.cross_products import CROSS_SUMS, group_products
from servicediag.diagnosis.sums import WHOLE, Grouping, Quantity, cell_counts, empty_table, group_sums, object_frame
from servicediag.scoring import DimensionScore, code_points, is_answer

__all__ = ["COUNTS", "N_CATEGORIES", "Block", "added_up", "block_table"]

N_CATEGORIES = 11
"""Widest response scale that category counts are kept for."""
COUNTS = [f"count_{k}" for k in range(N_CATEGORIES)]


@dataclass(frozen=True)
class _Places:
    """The groups that one grouping makes, unit by unit within each wave."""

    by: str
    units: np.ndarray
    waves: np.ndarray

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True)
class Block:
    """Sums of one number for all groups of a grouping; ``keys`` are the same for all of them."""

    places: _Places
    keys: Mapping[str, str]
    sums: dict[str, np.ndarray]


def added_up(
    groupings: Sequence[Grouping],
    quantities: Sequence[Quantity],
    scored: Sequence[DimensionScore],
    named_waves: tuple[np.ndarray, np.ndarray],
) -> tuple[list[Block], list[Block]]:
    """Sums of every quantity, and cross-products of the scores, for the groups of every grouping.

    Where everybody is in a unit, the whole organisation is the sum of its units.
    """
    waves, wave_names = named_waves
    cells: list[Block] = []
    cross: list[Block] = []
    full = next((grouping.by for grouping in groupings if grouping.by != WHOLE and (grouping.codes >= 0).all()), None)
    for grouping in groupings:
        if grouping.by == WHOLE and full is not None:
            continue
        units = grouping.units
        group = np.where(grouping.codes >= 0, waves * len(units) + grouping.codes, -1)
        places = _Places(grouping.by, np.tile(units, len(wave_names)), np.repeat(wave_names, len(units)))
        found = _sum_columns(places, quantities, group), list(_sum_products(places, scored, group))
        cells.extend(found[0])
        cross.extend(found[1])
        if grouping.by == full:
            whole = _Places(WHOLE, np.full(len(wave_names), WHOLE, dtype=object), wave_names)
            cells.extend(_of_whole(whole, block) for block in found[0])
            cross.extend(_of_whole(whole, block) for block in found[1])
    return cells, cross


def _of_whole(whole: _Places, block: Block) -> Block:
    """The units of each wave added up."""
    sums = {name: column.reshape(len(whole), -1).sum(axis=1, dtype=column.dtype) for name, column in block.sums.items()}
    return Block(whole, block.keys, sums)


def _sum_columns(places: _Places, columns: Sequence[Quantity], group: np.ndarray) -> list[Block]:
    """Sums of every score, item and indicator for each group."""
    blocks = []
    cells: dict[int, np.ndarray] = {}
    for column in columns:
        keys = {
            "instrument": column.part.instrument.id,
            "form": column.part.form.id,
            "rater": column.part.form.rater,
            "kind": column.kind,
            "dimension": column.dimension,
            "name": column.name,
        }
        width = _width(column)
        if width not in cells:
            cells[width] = (group + 1) * width
        if column.kind == "item":
            sums = _item_sums(column, group, len(places), cells[width])
        elif column.kind == "indicator":
            sums = _without_counts(_indicator_sums(column, len(places), cells[width]))
        else:
            sums = _without_counts(group_sums(column.values, group, len(places)))
        blocks.append(Block(places, keys, sums))
    return blocks


def _width(column: Quantity) -> int:
    """Cells that a group needs: one for each code of an item, or for yes and no, and one for who did not answer."""
    if column.kind != "item":
        return 3
    minimum, maximum = column.part.bounds(column.name)
    return maximum - minimum + 2


def _without_counts(sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sums of a number that has no answer categories."""
    n_groups = len(sums["n"])
    no_counts = dict.fromkeys(COUNTS, np.zeros(n_groups, dtype=np.int32))
    return {**sums, "n_apart": np.zeros(n_groups, dtype=np.int64), **no_counts}


def _indicator_sums(column: Quantity, n_groups: int, first_cell: np.ndarray) -> dict[str, np.ndarray]:
    """Sums of an indicator, which is 1, 0 or not known, for each group."""

    def place(rows: slice) -> np.ndarray:
        values = column.values[rows]
        return np.where(np.isnan(values), 2, values == 1.0)

    counts = cell_counts(first_cell, place, (n_groups + 1) * 3).reshape(n_groups + 1, 3)[1:]
    total = counts[:, 1].astype(np.float64)
    return {"n": counts[:, :2].sum(axis=1), "total": total, "total_squares": total}


def _item_sums(column: Quantity, group: np.ndarray, n_groups: int, first_cell: np.ndarray) -> dict[str, np.ndarray]:
    """Sums of an item for each group, from how many of it chose each code; a wide scale's last codes count as one.

    ``first_cell`` is where the counts of each respondent's group begin: those of nobody's group first, and of every
    group one for each code and one for who did not answer.
    """
    minimum, maximum = column.part.bounds(column.name)
    points = code_points(column.part, column.name)
    chosen, width = np.arange(minimum, maximum + 1), maximum - minimum + 1
    lowest, missing = np.int8(minimum).view(np.uint8), np.uint8(width)
    codes = column.values.view(np.uint8)
    # as bytes the codes of missing answers lie above those of all answers, however low the scale begins
    counts = cell_counts(
        first_cell, lambda rows: np.minimum(codes[rows] - lowest, missing), (n_groups + 1) * (width + 1)
    )
    counts = counts.reshape(n_groups + 1, width + 1)[1:, :width]
    categories = np.zeros((n_groups, max(N_CATEGORIES, width)), dtype=np.int32)
    categories[:, :width] = counts
    categories[:, N_CATEGORIES - 1] = categories[:, N_CATEGORIES - 1 :].sum(axis=1)
    apart = np.zeros(n_groups, dtype=np.int64)
    if column.scored is not None:
        differs = np.flatnonzero(is_answer(column.values) != column.scored)
        apart = np.bincount(group[differs] + 1, minlength=n_groups + 1)[1:]
    return {
        "n": counts.sum(axis=1),
        "total": counts @ points[chosen],
        "total_squares": counts @ points[chosen] ** 2,
        "n_apart": apart,
        **dict(zip(COUNTS, categories.T, strict=False)),
    }


def _sum_products(places: _Places, scored: Sequence[DimensionScore], group: np.ndarray) -> Iterable[Block]:
    """Cross-products of every pair of scores that the same people gave."""
    if len(scored) < 2:
        return
    first, second = np.triu_indices(len(scored), 1)
    sums = group_products([s.values for s in scored], group, len(places), (first, second))
    source = "+".join(dict.fromkeys(f"{s.part.instrument.id}:{s.part.form.id}" for s in scored))
    for pair, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        keys = {"source": source, "first": _reference(scored[a]), "second": _reference(scored[b])}
        yield Block(places, keys, {name: sums[name][pair] for name in CROSS_SUMS})


def block_table(blocks: Sequence[Block], keys: list[str], sums: list[str]) -> pd.DataFrame:
    """All blocks as one frame, in a fixed order of keys; groups without an answer left out.

    Columns are put together one by one in their final order, and texts as numbers until then: there may be millions of
    rows.
    """
    if not blocks:
        return empty_table(keys, sums)
    sizes = [len(block.places) for block in blocks]
    codes, names = {}, {}
    for key in keys:
        codes[key], names[key] = _key_codes(key, blocks, sizes)
    filled = np.flatnonzero(np.concatenate([block.sums["n"] for block in blocks]))
    order = filled[np.lexsort([codes[key][filled] for key in reversed(keys)])]
    columns: dict[str, np.ndarray] = {}
    for key in keys:
        columns[key] = names[key][codes.pop(key)[order]]
    for name in sums:
        columns[name] = np.concatenate([block.sums.pop(name) for block in blocks])[order]
    return object_frame(columns)


def _key_codes(key: str, blocks: Sequence[Block], sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """A small number a row that sorts as its text does, and the texts."""
    if key in ("unit", "wave"):
        texts = {id(block.places): block.places.units if key == "unit" else block.places.waves for block in blocks}
        names = np.array(sorted({name for column in texts.values() for name in column}), dtype=object)
        place = {name: position for position, name in enumerate(names)}
        known = {one: np.array([place[name] for name in column], dtype=np.int32) for one, column in texts.items()}
        return np.concatenate([known[id(block.places)] for block in blocks]), names
    values = [block.places.by if key == "by" else block.keys[key] for block in blocks]
    names = np.array(sorted(set(values)), dtype=object)
    place = {name: position for position, name in enumerate(names)}
    return np.repeat(np.array([place[value] for value in values], dtype=np.int32), sizes), names


def _reference(scored: DimensionScore) -> str:
    return f"{scored.part.instrument.id}:{scored.part.form.id}/{scored.dimension.id}"
