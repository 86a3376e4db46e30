"""Where a sheet keeps its headings and answers, and what it says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from servicediag.responses.readers import Grid, Table, column_letter, distinct

__all__ = ["Declaration", "Layout", "table_from_grid", "without_empty_rows"]


@dataclass(frozen=True)
class Declaration:
    """What an answer sheet says about itself."""

    instrument: str
    form: str
    language: str
    version: str


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
    """

    platform: str
    headings: tuple[str, ...]
    first_row: int
    codes: tuple[str, ...] = ()
    roles: Mapping[str, int] = field(default_factory=dict)
    declaration: Declaration | None = None


def table_from_grid(grid: Grid, layout: Layout) -> Table:
    """The answers of a grid below their headings, without empty rows."""
    letters = tuple(column_letter(grid.first_column + i) for i in range(len(grid.columns)))
    columns = tuple(column.slice(layout.first_row) for column in grid.columns)
    rows = pd.RangeIndex(layout.first_row + 1, grid.n_rows + 1, name="row")
    return without_empty_rows(Table(grid.source, grid.sheet, layout.headings, columns, rows, letters))


def without_empty_rows(table: Table) -> Table:
    """The table without the rows in which every cell is blank."""
    filled = np.zeros(len(table.rows), bool)
    for column in table.columns:
        texts, indices = distinct(column)
        has_text = np.array([bool(text) for text in texts] + [False])
        filled |= has_text[indices]
        if filled.all():
            return table
    mask = pa.array(filled)
    columns = tuple(column.filter(mask) for column in table.columns)
    frame = None if table.frame is None else table.frame.loc[filled]
    return Table(table.source, table.sheet, table.headings, columns, table.rows[filled], table.letters, frame)
