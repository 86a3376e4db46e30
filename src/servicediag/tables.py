"""Write plain tables to a file: text stays text, and the same tables give the same bytes."""

from __future__ import annotations

import csv
import datetime
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicediag.errors import ServicediagError
from servicediag.escaping import csv_text, excel_text, starts_like_formula
from servicediag.files import new_workbook

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_csv", "write_workbook"]

_CREATED = datetime.datetime(2024, 1, 1)
"""Creation date in every workbook, so that it does not depend on the day."""
_MOST_ROWS = 1_048_575


def write_workbook(path: Path, sheets: Mapping[str, pd.DataFrame], *, note: str = "") -> Path:
    """Write a table a sheet; ``note`` stands above each table.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    sheets : mapping of sheet name -> DataFrame
        Missing values become empty cells, dates stay dates, and every text is written as text, never as a formula.
    note : str

    Raises
    ------
    ServicediagError
        A table has more rows than an Excel sheet holds.
    """
    for name, frame in sheets.items():
        if len(frame) > _MOST_ROWS - 2:
            raise ServicediagError(f"sheet {name!r} would have {len(frame)} rows; an Excel sheet holds {_MOST_ROWS}")
    with new_workbook(path, in_memory=False) as book:
        book.set_properties({"created": _CREATED})
        heading = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        quoted = book.add_format({"quote_prefix": True})
        for name, frame in sheets.items():
            sheet = book.add_worksheet(name)
            first = 0
            if note:
                sheet.write_string(0, 0, note, book.add_format({"bold": True, "font_color": "#9C0006"}))
                first = 2
            for column, label in enumerate(frame.columns):
                sheet.write_string(first, column, excel_text(str(label)), heading)
                for row, value in enumerate(frame.iloc[:, column].tolist(), start=first + 1):
                    _write_cell(sheet, row, column, value, date, quoted)
            sheet.set_column(0, max(len(frame.columns) - 1, 0), 16)
            sheet.freeze_panes(first + 1, 0)
    return path


def _write_cell(sheet: Any, row: int, column: int, value: Any, date: Any, quoted: Any) -> None:
    """One cell by the type of its value."""
    if value is None or value != value:  # NaN and NaT are the values that differ from themselves
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)) and math.isfinite(value):
        sheet.write_number(row, column, value)
    elif isinstance(value, datetime.datetime) and value.tzinfo is None:
        sheet.write_datetime(row, column, value, date)
    else:
        text = excel_text(str(value))
        sheet.write_string(row, column, text, quoted if starts_like_formula(text) else None)


def write_csv(path: Path, frame: pd.DataFrame) -> Path:
    r"""Write a table as UTF-8 text that spreadsheets open; a text that looks like a formula gets a leading apostrophe.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_csv(Path(folder) / "t.csv", pd.DataFrame({"unit": ["=1+1", "North"], "n": [-1, 2]}))
    ...     path.read_text(encoding="utf-8-sig").split()
    ['"unit","n"', '"\'=1+1",-1', '"North",2']
    """
    safe = frame.map(_defused).rename(columns=_defused)
    safe.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return path


def _defused(value: Any) -> Any:
    return csv_text(value) if isinstance(value, str) else value
