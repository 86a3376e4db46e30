"""Who answered: the respondents' ids, units and waves, and the background columns that are not personal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from servicediag.errors import Issue
from servicediag.responses.matching import close_names
from servicediag.responses.normalise import normal_text
from servicediag.responses.personal import personal_reason
from servicediag.responses.readers import Table, distinct

__all__ = ["MINIMUM_GROUP", "People", "Roles", "find_roles", "read_people", "small_groups"]

MINIMUM_GROUP = 5
"""Of how many respondents a diagnosis shows results unless it is told otherwise."""
_MOST_NAMED = 8
_SHORT = 30


@dataclass(frozen=True)
class Roles:
    """Columns that hold the respondent, unit and wave; or the wave of everybody."""

    columns: Mapping[str, int]
    fixed_wave: str | None = None

    @property
    def taken(self) -> dict[int, str]:
        return {column: role for role, column in self.columns.items()}


@dataclass(frozen=True)
class People:
    """A row a row of the table.

    Attributes
    ----------
    frame : DataFrame
        ``unit``, ``wave``, then the background columns; index: the ids, or the rows of the source.
    has_ids : bool
        Whether the index holds ids of respondents.
    background : tuple of int
        Columns of the table that were kept beside the items, those of unit and wave included.
    repeated_ids : bool
        Whether an id may occur more than once.
    """

    frame: pd.DataFrame
    has_ids: bool
    background: tuple[int, ...] = ()
    repeated_ids: bool = False


@dataclass(frozen=True)
class _Ids:
    """The index of the respondents, whether it holds their ids, and whether one may occur more than once."""

    index: pd.Index
    has_ids: bool = False
    repeated: bool = False


def find_roles(table: Table, asked: Mapping[str, object], known: Mapping[str, int], issues: list[Issue]) -> Roles:
    """Find the columns that the caller names for respondent, unit and wave; the rest as the platform knows them.

    A wave for which there is no column is the wave of everybody.
    """
    columns = {role: column for role, column in known.items() if asked.get(role) is None}
    fixed_wave = None
    for role, name in asked.items():
        if name is None:
            continue
        found = table.called(name) if isinstance(name, str) else []
        if len(found) == 1:
            columns[role] = found[0]
        elif found:
            problem = f"Several columns are called {name!r}."
            remedy = f"Name one of them: {role}={table.names[found[0]]!r}."
            issues.append(Issue("duplicate_match", "error", table.where(), problem, remedy))
        elif role == "wave":
            fixed_wave = str(name)
            if remedy := close_names(fixed_wave, table.names):
                problem = f"There is no column {fixed_wave!r}; it is taken as the wave of all respondents."
                issues.append(Issue("missing_column", "warning", table.where(), problem, remedy))
        else:
            remedy = close_names(str(name), table.names) or f"Check {role}=. {_short_headings(table)}".strip()
            problem = f"There is no column {name!r} for {role}=."
            issues.append(Issue("missing_column", "error", table.where(), problem, remedy))
    return Roles(columns, fixed_wave)


def _short_headings(table: Table) -> str:
    """The headings that are no whole questions, among which a unit or an id is found."""
    short = [repr(heading) for heading in table.headings if heading and len(heading) <= _SHORT]
    more = f" and {len(short) - _MOST_NAMED} more" if len(short) > _MOST_NAMED else ""
    return f"The shorter headings are {', '.join(short[:_MOST_NAMED])}{more}." if short else ""


def read_people(table: Table, roles: Roles, items: Collection[int], issues: list[Issue]) -> People:
    """Who answered each row; personal columns are dropped, and reported."""
    ids = _ids(table, roles, issues)
    index = ids.index
    columns: dict[str, pd.Series] = {}
    if "unit" in roles.columns:
        columns["unit"] = _texts(table, roles.columns["unit"], index)
        issues.extend(_similar_units(table, roles.columns["unit"]))
    if "wave" in roles.columns:
        columns["wave"] = _texts(table, roles.columns["wave"], index)
    elif roles.fixed_wave is not None:
        columns["wave"] = pd.Series(roles.fixed_wave, index=index)
    for role in ("unit", "wave"):
        if role not in roles.columns or columns[role].notna().any():
            continue
        del columns[role]
    background = [roles.columns[role] for role in ("unit", "wave") if role in roles.columns]
    for column, name in enumerate(table.names):
        if column in items or column in roles.taken:
            continue
        questions = table.questions[column] if table.questions else ()
        if reason := personal_reason(table.headings[column], distinct(table.columns[column])[0], questions):
            problem = f"Column {name!r} seems to hold {reason}; it was left out."
            issues.append(Issue("dropped_personal_column", "note", table.where(column), problem))
            continue
        values = _background(table, column, index)
        if not table.headings[column] and values.isna().all():
            continue
        columns[_free_name(name, column, columns, table, issues)] = values
        background.append(column)
    return People(pd.DataFrame(columns, index=index), ids.has_ids, tuple(background), ids.repeated)


def small_groups(people: People, kept: np.ndarray, where: str) -> Iterator[Issue]:
    """A warning that names the units with fewer respondents than are shown of a group unless the caller says so."""
    if "unit" not in people.frame:
        return
    counts = people.frame["unit"].iloc[kept].value_counts(sort=False)
    small = sorted((str(unit), int(count)) for unit, count in counts.items() if count < MINIMUM_GROUP)
    if not small:
        return
    named = [f"{unit!r} ({count})" for unit, count in small[:_MOST_NAMED]]
    more = f" and {len(small) - _MOST_NAMED:,} more" if len(small) > _MOST_NAMED else ""
    who = "1 unit has" if len(small) == 1 else f"{len(small):,} of {len(counts):,} units have"
    problem = f"{who} fewer than {MINIMUM_GROUP} respondents: {', '.join(named)}{more}."
    remedy = "No result will be shown for them. Collect more answers, or join them with a unit that they belong to."
    yield Issue("small_group", "warning", where, problem, remedy)


def _ids(table: Table, roles: Roles, issues: list[Issue]) -> _Ids:
    column = roles.columns.get("respondent")
    if column is None:
        return _Ids(table.rows)
    cells = _filled_cells(table.columns[column])
    if cells.null_count == len(cells):
        return _Ids(table.rows)
    ids = _series(cells, table.rows)
    known = pc.unique(cells.drop_null())
    repeated = len(known) < len(cells)
    if cells.null_count:
        blank = ids.isna().to_numpy()
        ids = ids.where(~blank, [f"row {row}" for row in table.rows])
        problem = f"{int(blank.sum())} respondents have no id; their row stands for it."
        where = table.where(column, np.flatnonzero(blank))
        issues.append(Issue("missing_respondent", "warning", where, problem, "Fill in the ids to link waves."))
    if personal_reason("", known.to_pylist()):
        problem = "The respondents' ids look like personal details."
        remedy = "Replace them with numbers or other pseudonyms before you pass the data on."
        issues.append(Issue("personal_ids", "warning", table.where(column), problem, remedy))
    return _Ids(pd.Index(ids, name="respondent"), True, repeated)


def _texts(table: Table, column: int, index: pd.Index) -> pd.Series:
    """A column as text; blank cells are missing, and "NA" is a text like any other."""
    return _series(_filled_cells(table.columns[column]), index)


def _filled_cells(column: Any) -> Any:
    """The texts of a column, null where a cell is blank or holds spaces only."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        return _filled_cells(column.dictionary).take(column.indices)
    blank = pc.or_kleene(pc.equal(pc.binary_length(column), 0), pc.utf8_is_space(column))
    return pc.if_else(blank, None, column) if pc.any(blank).as_py() else column


def _series(cells: Any, index: pd.Index) -> pd.Series:
    """Texts as pandas holds them by itself: from Arrow without a detour where its own texts are Arrow's."""
    if cells.null_count == len(cells):
        return pd.Series([None] * len(cells), index, dtype=object)
    own = pd.Series([""]).dtype
    if isinstance(own, pd.StringDtype):
        texts: pd.Series = cells.to_pandas(types_mapper=lambda _: own)
        return texts.set_axis(index)
    return pd.Series(cells.to_pylist(), index, dtype=own)


def _background(table: Table, column: int, index: pd.Index) -> pd.Series:
    if table.frame is None:
        return _texts(table, column, index)
    return table.frame.iloc[:, column].set_axis(index)


def _free_name(name: str, column: int, taken: Mapping[str, object], table: Table, issues: list[Issue]) -> str:
    """The heading; a repeated one, or one that stands for something else, says which column it is."""
    heading = table.headings[column]
    final = name
    if final in taken:
        final = table.placed_name(column)
    if heading and final != heading:
        problem = f"Several columns are called {heading!r}; this one is kept as {final!r}."
        remedy = "Give each column a heading of its own."
        issues.append(Issue("duplicate_heading", "warning", table.where(column), problem, remedy))
    return final


def _similar_units(table: Table, column: int) -> Iterator[Issue]:
    """Units that differ only in case, spaces or width: merging them changes the results, so a person decides."""
    texts, _ = distinct(table.columns[column])
    groups: dict[str, list[str]] = {}
    for text in dict.fromkeys(text for text in texts if text and text.strip()):
        groups.setdefault(normal_text(text), []).append(text)
    for spellings in groups.values():
        if len(spellings) > 1:
            names = " and ".join(repr(text) for text in spellings)
            problem = f"The units {names} differ only in spelling; they are counted as different units."
            remedy = "If they are one unit, write them alike in the file."
            yield Issue("similar_units", "warning", table.where(column), problem, remedy)
