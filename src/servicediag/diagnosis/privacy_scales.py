"""Scores and items of a scale that would follow from one another: the score times the items less all others is one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from servicediag.diagnosis.ranges import FEASIBLE_SHARE
from servicediag.diagnosis.row_keys import RowKeys
from servicediag.instrument import Instrument

__all__ = ["hide_what_scales_tell", "scored_cells"]

SCALE = ["by", "unit", "instrument", "form", "wave", "dimension"]
OF_THEMSELVES = ("unanimity", "complementary", "audit", "ledger")
"""Rules for whose sake something must not follow; what people left out is another matter."""


def scored_cells(cells: pd.DataFrame, instruments: Mapping[str, Instrument]) -> np.ndarray:
    """Which cells are scores, or items that count for one."""
    counted = {
        (instrument.id, item.code)
        for instrument in instruments.values()
        for dimension in instrument.dimensions
        for item in dimension.scored_items
    }
    keys = RowKeys.of(cells, ["kind", "instrument", "name"])
    return keys.each(lambda key: key[0] == "score" or (key[0] == "item" and key[1:] in counted), bool)


def hide_what_scales_tell(hidden: np.ndarray, table: pd.DataFrame, scored: np.ndarray) -> bool:
    """Hide further items, or at last the score, of a group where a hidden one follows from the rest of its scale.

    The sum of the hidden items follows from the score and the others. What is hidden must be able to lie anywhere in a
    fifth of its range all the same. Returns whether anything was hidden.
    """
    own = scored & np.isin(hidden, OF_THEMSELVES)
    if not own.any():
        return False
    rows = np.flatnonzero(scored)
    keys = RowKeys.of(table.iloc[rows], SCALE)
    concerned = np.unique(keys.codes[own[rows]])
    n, total = table["n"].to_numpy(float), table["total"].to_numpy(float) / 100.0
    is_score = (table["kind"] == "score").to_numpy()
    changed = False
    for members in keys.positions_of(np.isin(keys.codes, concerned)).values():
        scale = rows[members]
        score, items = scale[is_score[scale]], scale[~is_score[scale]]
        if len(score) == 1 and len(items):
            changed |= _hide_enough(hidden, int(score[0]), items, n, total)
    return changed


def _hide_enough(hidden: np.ndarray, score: int, items: np.ndarray, n: np.ndarray, total: np.ndarray) -> bool:
    """Hide items in the order in which they follow the first hidden one, then the score, until nothing is told."""
    first = np.flatnonzero(hidden[items] != "")
    begin = int(first[0]) if len(first) else 0
    changed = False
    for item in np.roll(items, -begin):
        if not _is_told(hidden, score, items, n, total):
            return changed
        if hidden[item] == "":
            hidden[item] = "complementary"
            changed = True
    if _is_told(hidden, score, items, n, total) and hidden[score] == "":
        hidden[score] = "complementary"
        changed = True
    return changed


def _is_told(hidden: np.ndarray, score: int, items: np.ndarray, n: np.ndarray, total: np.ndarray) -> bool:
    """Whether the total of a hidden item or score is known to less than a fifth of its range."""
    people = n[score]
    # each answer that somebody left out leaves the sum open by as much as it could be
    left_out = np.abs(n[items] - people).sum()
    concealed = hidden[items] != ""
    k, inside = len(items), int(concealed.sum())
    if hidden[score] != "":
        own = hidden[score] in OF_THEMSELVES
        return bool(own and (inside + left_out / max(people, 1)) / k < FEASIBLE_SHARE)
    if not np.isin(hidden[items], OF_THEMSELVES).any():
        return False
    together = k * total[score] - total[items[~concealed]].sum()
    low, high = max(0.0, together - (inside - 1) * people), min(people, together)
    return bool(high - low + left_out < FEASIBLE_SHARE * people)
