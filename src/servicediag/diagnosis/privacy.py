"""The privacy gate's rules: which cells may be shown, and which further ones would give a hidden one away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

__all__ = ["hidden_cells"]

UNANIMITY_BELOW = 10
"""Groups smaller than this do not show a number that tells what (nearly) everybody answered."""
SOURCE = ["instrument", "form", "wave"]
SCORE = ["kind", "dimension", "name"]


def hidden_cells(cells: pd.DataFrame, atoms: Mapping[tuple[str, str, str], pd.DataFrame], minimum: int) -> np.ndarray:
    """The rule that withholds each cell of the evidence, or empty text where it may be shown.

    Rules: ``minimum_group`` (fewer answers than the minimum), ``unanimity`` (a number that tells what nearly everyone
    of a small group answered), ``complementary`` (it would give a hidden cell away by subtraction).

    Parameters
    ----------
    cells : DataFrame
        Cells of the evidence with their sums and category counts.
    atoms : mapping of (instrument, form, wave) -> DataFrame
        How many people share each combination of groups, where there are several groupings.
    minimum : int
    """
    table = cells.reset_index(drop=True)
    hidden = np.full(len(table), "", dtype=object)
    small = table["n"].to_numpy() < minimum
    hidden[_unanimous(table) & ~small] = "unanimity"
    hidden[small] = "minimum_group"
    hidden[_nested(table, atoms, minimum) & (hidden == "")] = "complementary"
    wholes = {
        key: (float(n), bool(s))
        for key, n, s in zip(
            table.loc[table["by"] == "", SOURCE + SCORE].itertuples(index=False, name=None),
            table.loc[table["by"] == "", "n"],
            small[(table["by"] == "").to_numpy()],
            strict=True,
        )
    }
    for key, source in table[table["by"] != ""].groupby(["by", *SOURCE], sort=False):
        sizes = source.groupby("unit")["n"].max()
        for score, group in source.groupby(SCORE, sort=False):
            n_whole, whole_hidden = wholes.get((*key[1:], *score), (0.0, True))
            if not whole_hidden:
                _hide_complements(hidden, group, sizes, n_whole - float(group["n"].sum()), minimum)
    return hidden


def _unanimous(table: pd.DataFrame) -> np.ndarray:
    """Small groups in which all, or all but one, gave the same answer; and scores on which nobody differs."""
    counts = table[[name for name in table.columns if str(name).startswith("count_")]].to_numpy()
    n, total = table["n"].to_numpy(float), table["total"].to_numpy(float)
    squares = table["total_squares"].to_numpy(float)
    kind = table["kind"].to_numpy()
    of_indicator = (kind == "indicator") & ((total < 2) | (n - total < 2))
    of_item = (kind == "item") & (counts.max(axis=1, initial=0) >= n - 1)
    of_score = (kind == "score") & (squares - total**2 / np.maximum(n, 1) < 1e-9)
    masked = (n < UNANIMITY_BELOW) & (of_indicator | of_item | of_score)
    # quadrants add up to everybody: one masked quadrant would follow from the four others
    quadrant = np.flatnonzero((kind == "indicator") & table["name"].str.startswith("quadrant_").to_numpy())
    places = list(table.loc[quadrant, ["by", "unit", *SOURCE]].itertuples(index=False, name=None))
    caught = {place for place, position in zip(places, quadrant, strict=True) if masked[position]}
    masked[quadrant] = [place in caught for place in places]
    return np.asarray(masked)


def _hide_complements(hidden: np.ndarray, group: pd.DataFrame, sizes: pd.Series, nowhere: float, minimum: int) -> None:
    """Hide the smallest further cells until the hidden ones are two and hold the minimum together.

    ``nowhere`` counts people of no unit: they are in the total only, so they stand like a hidden cell.
    """
    rows = group.index.to_numpy()
    n = group["n"].to_numpy()
    concealed = hidden[rows] != ""
    if not concealed.any() and not 0 < nowhere < minimum:
        return
    base = sizes.loc[group["unit"]].to_numpy()
    extra = 1 if nowhere > 0 else 0
    # the same order for every score of a form, so that the same unit is taken for all of them
    for position in np.lexsort((group["unit"].to_numpy().astype(str), base)):
        if concealed.sum() + extra >= 2 and n[concealed].sum() + nowhere >= minimum:
            return
        if not concealed[position]:
            concealed[position] = True
            hidden[rows[position]] = "complementary"


def _nested(table: pd.DataFrame, atoms: Mapping[tuple[str, str, str], pd.DataFrame], minimum: int) -> np.ndarray:
    """Groups of one grouping that lie inside a group of another and would leave a remainder below the minimum."""
    out = np.zeros(len(table), dtype=bool)
    for source, members in atoms.items():
        hide = _remainders(members, minimum)
        if not hide:
            continue
        mine = np.logical_and.reduce([(table[c] == value).to_numpy() for c, value in zip(SOURCE, source, strict=True)])
        places = zip(table["by"], table["unit"], strict=True)
        out |= mine & np.array([place in hide for place in places], dtype=bool)
    return out


def _remainders(members: pd.DataFrame, minimum: int) -> set[tuple[str, str]]:
    """Groups to hide so that every group minus the shown groups inside it is empty or holds the minimum."""
    groupings = [name for name in members.columns if name != "n"]
    sizes = {
        (by, str(unit)): int(n) for by in groupings for unit, n in members.groupby(by)["n"].sum().items() if unit != ""
    }
    hide = {place for place, n in sizes.items() if n < minimum}
    inside = _containment(members, groupings)
    while True:
        before = len(hide)
        for outer, inner in inside.items():
            shown = sorted((sizes[place], place) for place in inner if place not in hide)
            rest = sizes[outer] - sum(n for n, _ in shown)
            if outer not in hide and 0 < rest < minimum and shown:
                hide.add(shown[0][1])
        if len(hide) == before:
            return hide


def _containment(members: pd.DataFrame, groupings: list[str]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """For every group, the groups of other groupings whose members all belong to it."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for inner in groupings:
        for outer in groupings:
            if inner == outer:
                continue
            pairs = members[members[inner] != ""].groupby(inner)[outer].unique()
            for unit, holders in pairs.items():
                if len(holders) == 1 and holders[0] != "":
                    found.setdefault((outer, str(holders[0])), []).append((inner, str(unit)))
    return found
