"""Operations data that a user keeps in a file, a row a unit, as ``diagnose`` takes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from servicediag.declared_tables import read_number, read_table
from servicediag.errors import Issue, ResponsesError

if TYPE_CHECKING:
    import pandas as pd

    from servicediag.diagnosis.operations import Indicator

__all__ = ["read_operations", "unfit"]

_REMEDY = "Write a column unit and a column for each indicator, such as turnover or breach_rate and breach_rate_n."


def read_operations(path: Path, indicators: Iterable[Indicator]) -> pd.DataFrame:
    """Indicators of units as numbers; whether columns and units are known, and the ranges, is for ``diagnose`` to say.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.xlsx`` with the columns ``unit`` (blank: the whole organisation), one for each indicator, and
        perhaps ``<indicator>_n``, ``wave`` and ``by``. Shares are numbers from 0 to 1, or end with ``%``.
    indicators : iterable of Indicator
        Those that may be named.

    Raises
    ------
    ResponsesError
        Every cell that holds no number, with its line and column.
    """
    frame = read_table(path, _REMEDY)
    units = {indicator.id: indicator.unit for indicator in indicators}
    # True where the column holds shares
    numbers = {name: units.get(name) == "share" for name in frame.columns if name.removesuffix("_n") in units}
    faults = list(_faults(path, frame, numbers))
    if faults:
        raise ResponsesError(f"{path.name}: {len(faults)} problem{'s' if len(faults) != 1 else ''}", faults)
    return frame.assign(**{
        name: [read_number(text, share=share) for text in frame[name]] for name, share in numbers.items()
    })  # fmt: skip


def unfit(path: Path, faults: Iterable[str]) -> ResponsesError:
    """The error for a file that names what the study does not have, or values outside their range.

    Examples
    --------
    >>> print(unfit(Path("records.csv"), ["'North' is not a unit of this study"]))
    records.csv: 1 problem
      - records.csv: 'North' is not a unit of this study. [unfit_indicators]
    """
    said = [fault if fault.endswith("?") else f"{fault.rstrip(' .')}." for fault in faults]
    issues = [Issue("unfit_indicators", "error", path.name, f"{text[:1].upper()}{text[1:]}") for text in said]
    return ResponsesError(f"{path.name}: {len(issues)} problem{'s' if len(issues) != 1 else ''}", issues)


def _faults(path: Path, frame: pd.DataFrame, numbers: Mapping[str, bool]) -> Iterator[Issue]:
    if "unit" not in frame.columns:
        yield Issue("missing_column", "error", path.name, "The column unit is missing.", _REMEDY)
    for name, share in numbers.items():
        for row, text in frame[name].items():
            if text.strip() and math.isnan(read_number(text, share=share)):
                where = f"{path.name}, row {row}, column {name}"
                remedy = "Write a number with plain digits and no sign of thousands, or leave the cell empty."
                yield Issue("not_a_number", "error", where, f"{text[:80]!r} is no number.", remedy)
