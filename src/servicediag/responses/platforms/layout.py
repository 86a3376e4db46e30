"""Where a sheet keeps its headings and answers, and what it says about itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from servicediag.responses.normalise import normal_text
from servicediag.responses.readers import Grid, Table, Variables, column_letter, has_text

__all__ = [
    "Declaration",
    "Layout",
    "Marks",
    "Platform",
    "column_of",
    "filled_forward",
    "fold",
    "keep_rows",
    "marks",
    "positions",
    "table_from_grid",
    "tidy",
    "without_empty_rows",
]


@dataclass(frozen=True)
class Declaration:
    """What an answer sheet says about itself."""

    instrument: str
    form: str
    language: str
    version: str


@dataclass(frozen=True)
class Marks:
    """A column in which a platform marks rows, e.g. those that it made itself to test the survey.

    Attributes
    ----------
    values : frozenset of str
        Normalised texts that are the mark.
    meaning : str
        What a marked row is, in words: "previews of the survey".
    """

    column: int
    values: frozenset[str]
    meaning: str


@dataclass(frozen=True)
class Layout:
    """How one sheet is to be read.

    Attributes
    ----------
    first_row : int
        Position in the grid of the first row of answers.
    codes : tuple of str
        Item code of each column where the platform keeps it apart from the heading; empty if it does not.
    roles : mapping of role -> column
        Columns that the platform itself knows to be ``respondent``, ``unit`` or ``wave``.
    why : str
        What in the file shows that it is of this platform.
    questions : tuple of tuples of str
        Texts that can be the question of each column, beside its heading; empty if the heading is all there is.
    no_items : frozenset of int
        Columns that are never taken for an item unless the caller says so: timing, display order, comments.
    tests, rejected, doubtful : tuple of Marks
        Which rows are no answers of respondents, which somebody has rejected, and which a person may want to look at:
        not sent off, on hold.
    submission : tuple of int
        Columns that together tell one submission from another; empty if there are none.
    missing : mapping of normalised text -> missing reason
        How the platform writes "no answer", where the scale has no such label or code.
    positional : bool
        Whether bare numbers are places in the list of options or codes of the survey's maker, so that the file does
        not tell in which direction they run.
    list_numbers : bool
        Whether a number before a label is only its place in the list.
    option_letters : str
        What stands before the number of an option in its code (``A`` in ``A3``); empty if nothing does.
    options : tuple of (question, option)
        For each column the question and the option, where a question may have a column for each of its options; both
        are empty for other columns.
    variables : Variables or None
        Value labels and declared missing values of a statistics file.
    shortest_prefix : int
        How many characters a heading that was cut off must keep to be matched by them.
    """

    platform: str
    headings: tuple[str, ...]
    first_row: int
    codes: tuple[str, ...] = ()
    roles: Mapping[str, int] = field(default_factory=dict)
    declaration: Declaration | None = None
    why: str = ""
    questions: tuple[tuple[str, ...], ...] = ()
    no_items: frozenset[int] = frozenset()
    tests: tuple[Marks, ...] = ()
    rejected: tuple[Marks, ...] = ()
    doubtful: tuple[Marks, ...] = ()
    submission: tuple[int, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    positional: bool = False
    list_numbers: bool = False
    option_letters: str = ""
    options: tuple[tuple[str, str], ...] = ()
    variables: Variables | None = None
    shortest_prefix: int = 25


@dataclass(frozen=True)
class Platform:
    """A survey platform: how to know its exports, and how they are laid out.

    Attributes
    ----------
    fingerprint : callable rows -> str
        What shows that the first of these rows holds the headings of such an export; empty text if nothing does.
    layout : callable (rows, position) -> Layout
        The layout, given the first rows of the sheet and the position of the row of headings among them.
    """

    name: str
    fingerprint: Callable[[Sequence[Sequence[str]]], str]
    layout: Callable[[Sequence[Sequence[str]], int], Layout]


def tidy(row: Sequence[str]) -> tuple[str, ...]:
    """Cells without the spaces around them."""
    return tuple(cell.strip() for cell in row)


def fold(heading: str) -> str:
    """A heading of a platform in the form in which it is compared: case, spaces and width do not matter."""
    return normal_text(heading)


def column_of(headings: Sequence[str], *names: str) -> int | None:
    """The first column that has one of these headings, given in their compared form."""
    found = positions(headings)
    return next((found[name] for name in names if name in found), None)


def marks(headings: Sequence[str], name: str, values: Collection[str], meaning: str) -> tuple[Marks, ...]:
    """The marks of the column of that name, if there is one."""
    column = column_of(headings, name)
    return () if column is None else (Marks(column, frozenset(values), meaning),)


def positions(headings: Sequence[str]) -> dict[str, int]:
    """The first column of every heading, normalised."""
    found: dict[str, int] = {}
    for column, heading in enumerate(headings):
        found.setdefault(normal_text(heading), column)
    return found


def filled_forward(row: Sequence[str]) -> list[str]:
    """A row in which a blank cell takes the text to its left, as a merged cell covers several columns."""
    last = ""
    filled = []
    for cell in row:
        last = cell or last
        filled.append(last)
    return filled


def table_from_grid(grid: Grid, layout: Layout) -> Table:
    """The answers of a grid below their headings, without empty rows."""
    letters = tuple(column_letter(grid.first_column + i) for i in range(len(grid.columns)))
    columns = tuple(column.slice(layout.first_row) for column in grid.columns)
    rows = pd.RangeIndex(layout.first_row + 1, grid.n_rows + 1, name="row")
    table = Table(grid.source, grid.sheet, layout.headings, columns, rows, letters, questions=layout.questions)
    return without_empty_rows(table)


def without_empty_rows(table: Table) -> Table:
    """The table without the rows in which every cell is blank."""
    filled = np.zeros(len(table.rows), bool)
    for column in table.columns:
        filled |= has_text(column)
        if filled.all():
            return table
    return keep_rows(table, filled)


def keep_rows(table: Table, keep: np.ndarray) -> Table:
    """The rows of a table for which ``keep`` is true."""
    if keep.all():
        return table
    mask = pa.array(keep)
    columns = tuple(column.filter(mask) for column in table.columns)
    frame = None if table.frame is None else table.frame.loc[keep]
    return replace(table, columns=columns, rows=table.rows[keep], frame=frame)
