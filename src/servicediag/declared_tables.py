"""Small tables that a user writes beside the exports, such as targets and operations data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from servicediag.errors import Issue, ResponsesError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_table", "unusable"]


def read_table(path: Path, remedy: str) -> pd.DataFrame:
    """The first visible sheet of a workbook, or a text file, as text, with its first row as column names.

    The index holds the rows' numbers in the file.

    Raises
    ------
    ResponsesError
        No sheet, a repeated heading, or what reading any export refuses; ``remedy`` says what to write instead.
    """
    import pandas as pd

    from servicediag.responses.readers import open_source
    from servicediag.responses.safety import Limits

    source = open_source(path, Limits(), None, frozenset())
    visible = [sheet for sheet in source.sheets if sheet.visible]
    if source.text is None and not visible:
        raise unusable(path, "It has no visible sheet.", remedy)
    grid = source.load(visible[0]) if source.text is None else source.text
    header, *rows = grid.top(grid.n_rows) or [[]]
    filled = {number: row for number, row in enumerate(rows, 2) if any(cell.strip() for cell in row)}
    names = [name.strip().lower() for name in header]
    if len(set(names)) != len(names):
        raise unusable(path, "Two of its columns have the same heading.", remedy)
    return pd.DataFrame(list(filled.values()), index=list(filled), columns=names, dtype=object)


def unusable(path: Path, problem: str, remedy: str) -> ResponsesError:
    """The refusal of a file as a whole."""
    return ResponsesError(f"{path.name}: {problem}", [Issue("unreadable_file", "error", path.name, problem, remedy)])
