"""Reads an SPSS data file with its labels and declared missing values; needs pyreadstat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from servicediag.responses.column_builder import as_text
from servicediag.responses.readers import Grid, Variables
from servicediag.responses.safety import Limits, refuse, too_large, unsafe

__all__ = ["read_spss"]

_MISSING_EXTRA = 'Run: pip install "servicediag[spss]" - or save the file as .xlsx or .csv with labels.'
_DAMAGED = "Open it in SPSS or PSPP and save it anew, or give it as .csv."
_SEGMENT = 8
_SMALL = 10_000_000


def read_spss(path: Path, limits: Limits, encoding: str | None) -> Grid:
    """The cases of a .sav or .zsav file: the names of the variables in the first row, a case in each of the others.

    Cells hold values, not their labels; values that the file declares to be missing are kept, and system-missing
    values are blank. Labels and declared missing values are in ``Grid.variables``.

    Raises
    ------
    ResponsesError
        missing_extra, where pyreadstat is not installed; unreadable_file, unsafe_file or too_large.
    """
    where = path.name
    try:
        import pyreadstat
    except ImportError as error:
        problem = "An SPSS file is read with pyreadstat, which is not installed."
        raise refuse("missing_extra", where, problem, _MISSING_EXTRA) from error
    faults = (
        pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, TypeError, LookupError, OSError,
        OverflowError, MemoryError,
    )  # fmt: skip
    try:
        _, about = pyreadstat.read_sav(str(path), metadataonly=True, encoding=encoding)
        most = _most_rows(path, about, where, limits)
        frame, about = _read(pyreadstat, path, most + 1, encoding)
    except faults as error:
        problem = f"The SPSS file is damaged, or its texts are in an unknown encoding ({type(error).__name__})."
        raise refuse("unreadable_file", where, problem, _DAMAGED) from error
    if len(frame) > most:
        if most == limits.text_rows:
            raise too_large(where, "Rows", len(frame), "text_rows", limits)
        raise unsafe(where, "It holds far more cases than a file of its size should")
    columns = tuple(_column(name, frame.iloc[:, i]) for i, name in enumerate(about.column_names))
    return Grid(where, None, columns, platform="spss", variables=_variables(about))


def _read(pyreadstat: Any, path: Path, row_limit: int, encoding: str | None) -> tuple[pd.DataFrame, Any]:
    options = {"user_missing": True, "row_limit": row_limit, "encoding": encoding}
    try:
        found: tuple[pd.DataFrame, Any] = pyreadstat.read_sav(str(path), **options)
    except OverflowError:  # a date beyond the year 9999
        found = pyreadstat.read_sav(str(path), disable_datetime_conversion=True, **options)
    return found


def _most_rows(path: Path, about: Any, where: str, limits: Limits) -> int:
    """How many cases may be unpacked; what the file says of their number may be a lie, so it is only a first check."""
    n_columns = len(about.column_names)
    if n_columns > limits.columns:
        raise too_large(where, "Columns", n_columns, "columns", limits)
    if about.number_rows and about.number_rows > limits.text_rows:
        raise too_large(where, "Rows", about.number_rows, "text_rows", limits)
    widths = about.variable_storage_width.values()
    case = max(sum(math.ceil(max(width, 1) / _SEGMENT) * _SEGMENT for width in widths), _SEGMENT)
    if about.number_rows and about.number_rows * case > limits.inflated_bytes:
        raise too_large(where, "Bytes once unpacked", about.number_rows * case, "inflated_bytes", limits)
    honest = max(_SMALL, path.stat().st_size * limits.inflation_ratio)
    return int(min(limits.text_rows, limits.cells // max(n_columns, 1), min(honest, limits.inflated_bytes) // case))


def _column(name: str, values: pd.Series) -> Any:
    """A variable as dictionary-encoded text below its name."""
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:
        codes, distinct = pd.factorize(values.map(str, na_action="ignore"))
    texts = pa.array([name, *(_clean(as_text(value)) for value in distinct)], pa.string())
    indices = np.concatenate([[0], np.where(codes < 0, -1, codes + 1)]).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), texts)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _variables(about: Any) -> Variables:
    names = about.column_names
    questions: Mapping[str, str | None] = about.column_names_to_labels
    labels: Mapping[str, Mapping[Any, str]] = about.variable_value_labels
    missing: Mapping[str, list[Mapping[str, Any]]] = about.missing_ranges
    return Variables(
        tuple(questions.get(name) or "" for name in names),
        tuple({as_text(value): str(label) for value, label in labels.get(name, {}).items()} for name in names),
        tuple(tuple((_bound(r["lo"]), _bound(r["hi"])) for r in missing.get(name, ())) for name in names),
    )


def _bound(value: Any) -> float | str:
    return float(value) if isinstance(value, (int, float, np.number)) else str(value)
