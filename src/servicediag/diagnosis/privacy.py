"""The privacy gate: which cells may be shown, and the only door from a draft to a published diagnosis."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["hidden_cells"]

UNANIMITY_BELOW = 10
"""Groups smaller than this do not show a share that tells everybody's answer."""


def hidden_cells(cells: pd.DataFrame, minimum_group: int) -> np.ndarray:
    """The rule that withholds each cell, or empty text where it may be shown.

    Rules: ``minimum_group`` (fewer answers than the minimum), ``complementary`` (it would give a hidden cell away by
    subtraction from the total), ``unanimity`` (a share that tells what nearly everyone of a small group answered).
    """
    hidden = np.full(len(cells), "", dtype=object)
    table = cells.reset_index(drop=True)
    small = table["n"].to_numpy() < minimum_group
    hidden[small] = "minimum_group"
    unanimous = (
        (table["kind"] == "indicator")
        & (table["n"] < UNANIMITY_BELOW)
        & ((table["total"] < 2) | (table["n"] - table["total"] < 2))
    ).to_numpy()
    hidden[unanimous & ~small] = "unanimity"
    whole_hidden = _hidden_wholes(table, small)
    for key, source in table[table["by"] != ""].groupby(["by", "instrument", "form", "wave"], sort=False):
        sizes = source.groupby("unit")["n"].max()
        for score, group in source.groupby(["kind", "dimension", "name"], sort=False):
            if (*key[1:], *score) in whole_hidden:
                continue
            _hide_complements(hidden, group, sizes, minimum_group)
    return hidden


def _hidden_wholes(table: pd.DataFrame, small: np.ndarray) -> set[tuple[str, ...]]:
    """Scores whose total is itself not shown, so that nothing can be subtracted from it."""
    totals = table[(table["by"] == "") & small]
    return set(totals[["instrument", "form", "wave", "kind", "dimension", "name"]].itertuples(index=False, name=None))


def _hide_complements(hidden: np.ndarray, group: pd.DataFrame, sizes: pd.Series, minimum_group: int) -> None:
    """Hide the smallest further cells until the hidden ones are two and hold the minimum together."""
    rows = group.index.to_numpy()
    n = group["n"].to_numpy()
    base = sizes.loc[group["unit"]].to_numpy()
    concealed = hidden[rows] == "minimum_group"
    if not concealed.any():
        return
    # the same order for every score of a form, so that the same unit is taken for all of them
    for position in np.lexsort((group["unit"].to_numpy().astype(str), base)):
        if concealed.sum() >= 2 and n[concealed].sum() >= minimum_group:
            return
        if not concealed[position]:
            concealed[position] = True
            hidden[rows[position]] = "complementary"
