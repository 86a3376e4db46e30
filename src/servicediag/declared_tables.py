"""Small tables that a user writes beside the exports, such as targets and operations data."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from servicediag.errors import Issue, ResponsesError
from servicediag.responses.normalise import parse_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_number", "read_table", "unusable"]

_LIMITS = {
    "workbook_bytes": 5_000_000,
    "text_bytes": 20_000_000,
    "inflated_bytes": 50_000_000,
    "workbook_rows": 100_000,
    "text_rows": 100_000,
    "columns": 200,
    "cells": 1_000_000,
}
"""Of such tables, which hold a few numbers of each unit; they cannot be raised."""
_SMALLER = "Leave out the rows and columns that are not needed."
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")


def read_table(path: Path, remedy: str) -> pd.DataFrame:
    """The first visible sheet of a workbook, or a text file, as text, with its first row as column names.

    The index holds the rows' numbers in the file. Columns without heading and content are left out.

    Raises
    ------
    ResponsesError
        No sheet, no rows, a heading that is repeated or missing, or what reading any export refuses; ``remedy`` says
        what to write instead.
    """
    import pandas as pd

    header, *rows = _cells(path, remedy) or [[]]
    filled = {number: row for number, row in enumerate(rows, 2) if any(cell.strip() for cell in row)}
    if not filled:
        raise unusable(path, "It has no rows below its headings.", remedy)
    frame = pd.DataFrame(list(filled.values()), index=list(filled), dtype=object)
    frame.columns = pd.Index([name.strip().lower() for name in header], dtype=object)
    frame = frame.loc[:, [bool(name) or any(map(str.strip, frame.iloc[:, k])) for k, name in enumerate(frame.columns)]]
    if "" in frame.columns:
        raise unusable(path, "One of its columns has no heading.", remedy)
    if not frame.columns.is_unique:
        raise unusable(path, "Two of its columns have the same heading.", remedy)
    return frame


def _cells(path: Path, remedy: str) -> list[list[str]]:
    """The rows of the first visible sheet, or of a text file, within the limits of such tables."""
    from servicediag.responses.readers import open_source
    from servicediag.responses.safety import Limits, too_large

    limits = Limits.of(_LIMITS)
    try:
        source = open_source(path, limits, None, frozenset())
        visible = [sheet for sheet in source.sheets if sheet.visible]
        if source.text is None and not visible:
            raise unusable(path, "It has no visible sheet.", remedy)
        grid = source.load(visible[0]) if source.text is None else source.text
        if (cells := grid.n_rows * len(grid.columns)) > limits.cells:
            raise too_large(path.name, "Cells of the table", cells, "cells", limits)
    except ResponsesError as error:
        issues = [replace(one, remedy=_SMALLER) if one.code == "too_large" else one for one in error.issues]
        raise ResponsesError(error.headline, issues) from None
    return grid.top(grid.n_rows)


def read_number(text: str, *, share: bool = False) -> float:
    """A number as people write it, of a share a percentage as well; NaN where it is none, or may mean two numbers.

    Examples
    --------
    >>> read_number(" 62,5 "), read_number("12,5 %", share=True), read_number("12 %"), read_number("1,200")
    (62.5, 0.125, nan, nan)
    """
    bare = text.strip()
    percent = share and bare.endswith("%")
    number = None if _THOUSANDS.fullmatch(bare) else parse_number(bare.removesuffix("%").rstrip() if percent else bare)
    if number is None:
        return math.nan
    return number / 100 if percent else number


def unusable(path: Path, problem: str, remedy: str) -> ResponsesError:
    """The refusal of a file as a whole."""
    return ResponsesError(f"{path.name}: {problem}", [Issue("unreadable_file", "error", path.name, problem, remedy)])
