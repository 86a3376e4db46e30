"""Operations data that a user keeps in a file, a row a unit, as ``diagnose`` takes them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from servicediag.declared_tables import read_table
from servicediag.errors import Issue, ResponsesError
from servicediag.responses.normalise import parse_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_operations"]

_TEXTS = ("unit", "wave", "by")
_REMEDY = "Write a column unit and a column for each indicator, such as turnover or breach_rate and breach_rate_n."


def read_operations(path: Path) -> pd.DataFrame:
    """Indicators of units as numbers; which ones are known, and their ranges, is for ``diagnose`` to say.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.xlsx`` with the columns ``unit`` (blank: the whole organisation), one for each indicator, and
        perhaps ``<indicator>_n``, ``wave`` and ``by``. Shares are numbers from 0 to 1, or end with ``%``.

    Raises
    ------
    ResponsesError
        Every cell that holds no number, with its line and column.
    """
    frame = read_table(path, _REMEDY)
    faults = list(_faults(path, frame))
    if faults:
        raise ResponsesError(f"{path.name}: {len(faults)} problem{'s' if len(faults) != 1 else ''}", faults)
    return frame.assign(**{name: frame[name].map(_number) for name in frame.columns if name not in _TEXTS})


def _faults(path: Path, frame: pd.DataFrame) -> Iterator[Issue]:
    if "unit" not in frame.columns:
        yield Issue("missing_column", "error", path.name, "The column unit is missing.", _REMEDY)
    for name in [name for name in frame.columns if name not in _TEXTS]:
        for row, text in frame[name].items():
            if text.strip() and math.isnan(_number(text)):
                where = f"{path.name}, row {row}, column {name}"
                remedy = "Write a number with plain digits, or leave the cell empty."
                yield Issue("not_a_number", "error", where, f"{text[:80]!r} is no number.", remedy)


def _number(text: str) -> float:
    """A number as people write it; a percentage is a share; NaN where the cell is empty or holds no number."""
    bare = text.strip()
    number = parse_number(bare.removesuffix("%").rstrip())
    if number is None:
        return math.nan
    return number / 100 if bare.endswith("%") else number
