"""Which breakdowns by background and which changes may be shown beside the cells that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from servicediag.diagnosis.audit import AuditResult, audit
from servicediag.diagnosis.privacy import SCORE, SENSITIVE_MINIMUM, SOURCE, facts_of, quadrant_rows, step_of
from servicediag.diagnosis.ranges import FEASIBLE_SHARE, UNANIMITY_BELOW, feasible_width, near_an_end
from servicediag.diagnosis.release_audit import exposing_groups, too_large
from servicediag.diagnosis.sensitive import sensitive_cells
from servicediag.diagnosis.sums import BACKGROUND, WHOLE
from servicediag.results import table_rows

__all__ = ["hidden_changes", "hidden_segments"]

CHANGE_SCORE = ["instrument", "form", "dimension", "first_wave", "second_wave"]


MOST_AUDITED = 400
"""Breakdowns that make more groups or parts than this are shown of the whole organisation only, or not at all."""
Atoms = Mapping[tuple[str, str, str], pd.DataFrame]


def hidden_segments(
    segments: pd.DataFrame, cells: pd.DataFrame, minimum: int, atoms: Atoms | None = None
) -> np.ndarray:
    """The rule that withholds each segment, or empty text where it may be shown.

    A unit shows a score by a background field in all of its categories or in none, and only where the whole
    organisation shows all of them: so a category that is withheld never follows from sums of those shown.

    Parameters
    ----------
    segments : DataFrame
        Sums by background category.
    cells : DataFrame
        The cells of the same evidence with their ``hidden`` rules.
    minimum : int
    atoms : mapping of (instrument, form, wave) -> DataFrame, optional
        ``Evidence.segment_atoms``: where several fields or groupings overlap, what would single people out together is
        withheld too (rule ``audit``).
    """
    hidden = np.full(len(segments), "", dtype=object)
    if segments.empty:
        return hidden
    table = segments.reset_index(drop=True)
    delicate = sensitive_cells(table)
    if delicate.any() and minimum < SENSITIVE_MINIMUM:
        for mine, least in ((~delicate, minimum), (delicate, SENSITIVE_MINIMUM)):
            hidden[mine] = hidden_segments(table[mine], cells, least, atoms)
        return hidden
    lone = _alone(table, minimum)
    hidden[lone] = np.where(table["n"].to_numpy()[lone] < minimum, "minimum_group", "unanimity")
    people, rules = _cells_of(table, cells)
    for _, group in table.groupby([*SOURCE, *SCORE, "background"], sort=False):
        rows = group.index.to_numpy()
        whole = rows[(group["by"] == WHOLE).to_numpy()]
        _hide_categories(hidden, table, whole, people[whole[0]], rules[whole[0]] != "", minimum)
        closed = bool((hidden[whole] != "").any())
        follows = False
        for _, inside in group[group["by"] != WHOLE].groupby("by", sort=False):
            mine = inside.index.to_numpy()
            shut = (rules[mine] != "") | closed
            follows |= _hide_units(hidden, inside, table.loc[whole], people[mine], shut, minimum)
        if follows:
            hidden[rows[hidden[rows] == ""]] = "complementary"
    if atoms is not None:
        _audit_segments(hidden, table, cells, atoms, minimum)
    _hide_together(hidden, table)
    return hidden


def _audit_segments(hidden: np.ndarray, table: pd.DataFrame, cells: pd.DataFrame, atoms: Atoms, minimum: int) -> None:
    """Withhold what would single people out together with other fields, other groupings and the cells."""
    shown_cells = cells[(cells["hidden"] == "").to_numpy()]
    seen: dict[tuple[bytes, ...], AuditResult] = {}
    for source, mine in table.groupby(SOURCE, sort=False):
        n_groupings = shown_cells.loc[shown_cells["by"] != WHOLE, "by"].nunique()
        if mine["background"].nunique() + n_groupings < 2:
            continue
        instrument, form, wave = map(str, source)
        people = atoms.get((instrument, form, wave))
        answered = {} if people is None else dict(iter(people.groupby(SCORE, sort=False)))
        of_source = shown_cells[
            np.logical_and.reduce([shown_cells[c] == v for c, v in zip(SOURCE, source, strict=True)])
        ]
        beside = dict(iter(of_source.groupby(SCORE, sort=False)))
        for score, group in mine.groupby(SCORE, sort=False):
            rows = group.index.to_numpy()[hidden[group.index] == ""]
            if score not in answered or score not in beside:
                hidden[rows] = "audit"
                continue
            part = {str(name): column.to_numpy(dtype=object) for name, column in answered[score].items()}
            settled = [_inside(part, row.by, row.unit) for row in table_rows(beside[score])]
            broken = [_inside(part, r.by, r.unit, r.background, r.category) for r in table_rows(table.loc[rows])]
            of_units = (table.loc[rows, "by"] != WHOLE).to_numpy()
            sizes = part["n"].astype(np.int64)
            key = (np.array(settled).tobytes(), np.array(broken).tobytes(), sizes.tobytes())
            if key not in seen:
                seen[key] = _audited(settled, broken, sizes, of_units, minimum)
            both = pd.concat([beside[score], table.loc[rows]], ignore_index=True)
            closed = _narrowed(both, np.array([*settled, *broken]), len(settled), sizes, seen[key].hidden, minimum)
            hidden[rows[closed]] = "audit"


def _audited(
    settled: list[np.ndarray], broken: list[np.ndarray], sizes: np.ndarray, of_units: np.ndarray, minimum: int
) -> AuditResult:
    """Which of the breakdowns have to be withheld beside the settled cells."""
    if not broken:
        return AuditResult(np.zeros(len(settled), dtype=bool), True)
    first = len(settled)
    membership, hidden = np.array([*settled, *broken]), np.zeros(first + len(broken), dtype=bool)
    result = audit(membership, sizes, hidden, minimum, largest=MOST_AUDITED, settled=first)
    if not result.finished:
        hidden[first:] = of_units
        result = audit(membership, sizes, hidden, minimum, largest=MOST_AUDITED, settled=first)
    return result


def _narrowed(
    both: pd.DataFrame, groups: np.ndarray, first: int, sizes: np.ndarray, closed: np.ndarray, minimum: int
) -> np.ndarray:
    """Which of the rows after the first few are closed, since totals or spreads would leave less than a fifth too."""
    if too_large(groups[~closed]):
        return np.ones(len(both) - first, dtype=bool)
    gone = exposing_groups(facts_of(both, groups, ~closed, first), minimum, sizes, step_of(both))
    return closed[first:] | np.isin(np.arange(first, len(both)).astype(str), sorted(gone))


def _inside(part: Mapping[str, np.ndarray], by: str, unit: str, background: str = "", category: str = "") -> np.ndarray:
    """Which atoms belong to a group."""
    inside = np.ones(len(part["n"]), dtype=bool)
    for column, value in ((by, unit), (background and BACKGROUND + background, category)):
        if column:
            inside &= part[column] == value
    return inside


def _cells_of(table: pd.DataFrame, cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """For every row, the people of the cell that it is a part of, and the rule that withholds that cell."""
    keys = [*SOURCE, *SCORE, "by", "unit"]
    known = cells.set_index(keys)[["n", "hidden"]].reindex(pd.MultiIndex.from_frame(table[keys]))
    return known["n"].to_numpy(float), known["hidden"].to_numpy(dtype=object)


def _alone(table: pd.DataFrame, minimum: int) -> np.ndarray:
    """Rows that are too small, or that tell what nearly everybody of a small group answered."""
    n, total, squares = (table[name].to_numpy(float) for name in ("n", "total", "total_squares"))
    of_indicator = (table["kind"] == "indicator").to_numpy() & ((total < 2) | (n - total < 2))
    near = feasible_width(1.0, np.maximum(n, 1), total / 100.0, squares / 100.0**2) < FEASIBLE_SHARE
    of_score = (table["kind"] == "score").to_numpy() & (near | near_an_end(n, total / 100.0, minimum))
    return np.asarray((n < minimum) | ((n < UNANIMITY_BELOW) & (of_indicator | of_score)))


def _hide_categories(
    hidden: np.ndarray, table: pd.DataFrame, rows: np.ndarray, people: float, closed: bool, minimum: int
) -> None:
    """Categories of the whole organisation: those hidden are two at least and hold the minimum together."""
    if closed:
        hidden[rows[hidden[rows] == ""]] = "complementary"
        return
    n = table["n"].to_numpy(float)[rows]
    silent = people - n.sum()
    if not (hidden[rows] != "").any() and not 0 < silent < minimum:
        return
    for position in np.argsort(n, kind="stable"):
        concealed = hidden[rows] != ""
        if concealed.sum() + (silent > 0) >= 2 and n[concealed].sum() + silent >= minimum:
            return
        if not concealed[position]:
            hidden[rows[position]] = "complementary"


def _hide_units(
    hidden: np.ndarray, inside: pd.DataFrame, whole: pd.DataFrame, people: np.ndarray, shut: np.ndarray, minimum: int
) -> bool:
    """Units that show all of their categories, so many fewer that no category of the others follows.

    ``people`` and ``shut`` say, for each row of ``inside``, how many its unit has, and whether it shows nothing.
    The answer is whether a unit that must not be shown is all that the whole organisation holds beside those shown.
    """
    rows = inside.index.to_numpy()
    units, names = pd.factorize(inside["unit"], sort=True)
    n = np.zeros((len(names), len(whole)))
    n[units, pd.Index(whole["category"]).get_indexer(inside["category"])] = inside["n"].to_numpy(float)
    closed, of_unit = np.zeros(len(names), dtype=bool), np.zeros(len(names))
    of_unit[units] = people
    silent = of_unit - n.sum(axis=1)
    closed[units[shut | (hidden[rows] != "")]] = True
    closed |= (silent > 0) & (silent < minimum)
    everybody = whole["n"].to_numpy(float)
    nowhere = everybody.sum() - n.sum() > 0
    for position in np.lexsort((names.astype(str), n.sum(axis=1))):
        left = everybody - n[~closed].sum(axis=0)
        if ((left < 0.5) | (left >= minimum)).all() and (not closed.any() or closed.sum() + nowhere >= 2):
            break
        closed[position] = True
    hidden[rows[closed[units] & (hidden[rows] == "")]] = "complementary"
    return bool(closed.sum() + nowhere == 1 and closed.any())


def _hide_together(hidden: np.ndarray, table: pd.DataFrame) -> None:
    """Quadrants add up to everybody, so one that is hidden hides the others of its place."""
    rows = quadrant_rows(table)
    if not len(rows):
        return
    place = table.loc[rows].groupby([*SOURCE, "by", "unit", "background"], sort=False).ngroup().to_numpy()
    caught = np.isin(place, place[hidden[rows] != ""])
    hidden[rows[caught & (hidden[rows] == "")]] = "complementary"


def hidden_changes(
    changes: pd.DataFrame, cells: pd.DataFrame, minimum: int, groupings: Sequence[str] = ()
) -> np.ndarray:
    """The rule that withholds each change within persons, or empty text where it may be shown.

    Beside the levels of both waves a change tells about the few who answered once only; so these must be none, or as
    many as the minimum. Beside those of units the changes of further groupings would tell of the few of a small unit
    who answered twice, so they are not shown.
    """
    hidden = np.full(len(changes), "", dtype=object)
    if changes.empty:
        return hidden
    table = changes.reset_index(drop=True)
    n, total, squares = (table[name].to_numpy(float) for name in ("n", "total", "total_squares"))
    same = (n < UNANIMITY_BELOW) & (squares - total**2 / np.maximum(n, 1) < 1e-9)
    hidden[same] = "unanimity"
    hidden[n < np.where(sensitive_cells(table), max(minimum, SENSITIVE_MINIMUM), minimum)] = "minimum_group"
    hidden[table["by"].isin(groupings[1:]).to_numpy() & (hidden == "")] = "audit"
    scores = cells[cells["kind"] == "score"]
    places = scores.set_index(["by", "unit", "instrument", "form", "dimension", "wave"])[["n", "hidden"]]
    for wave in ("first_wave", "second_wave"):
        keys = table[["by", "unit", "instrument", "form", "dimension", wave]]
        level = places.reindex(pd.MultiIndex.from_frame(keys))
        once = level["n"].to_numpy(float) - n
        close = ((once > 0) & (once < minimum)) | (level["hidden"].fillna("") != "").to_numpy()
        hidden[close & (hidden == "")] = "complementary"
    for _, group in table.groupby(CHANGE_SCORE, sort=False):
        _hide_change_units(hidden, group, minimum)
    return hidden


def _hide_change_units(hidden: np.ndarray, group: pd.DataFrame, minimum: int) -> None:
    """Units so many fewer that the change of the others, taken together, is one of the minimum of people."""
    whole = group[group["by"] == WHOLE]
    if whole.empty or hidden[whole.index[0]] != "":
        hidden[group.index[hidden[group.index] == ""]] = "complementary"
        return
    follows = False
    for _, inside in group[group["by"] != WHOLE].groupby("by", sort=False):
        rows, n = inside.index.to_numpy(), inside["n"].to_numpy(float)
        nowhere = float(whole["n"].iloc[0]) - n.sum()
        for position in np.lexsort((inside["unit"].to_numpy().astype(str), n)):
            shut = hidden[rows] != ""
            left = n[shut].sum() + nowhere
            if left < 0.5 or (left >= minimum and shut.sum() + (nowhere > 0) >= 2):
                break
            if not shut[position]:
                hidden[rows[position]] = "complementary"
        shut = hidden[rows] != ""
        follows |= bool(shut.any() and shut.sum() + (nowhere > 0) == 1)
    if follows:
        # one unit that must not be shown is all that the whole holds beside those shown
        hidden[group.index[hidden[group.index] == ""]] = "complementary"
