"""Parses an SPSS file with pyreadstat and writes it to the output stream; runs in a process of its own.

The parser is a C library that a damaged file can bring down; this way the file is refused, and the caller goes on.
Nothing of servicediag is imported here, so that the process starts at once.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["parse"]

_SEGMENT = 8
_SMALL = 10_000_000


def parse(path: str, n_bytes: int, limits: Mapping[str, int], encoding: str | None) -> tuple[dict[str, Any], list[Any]]:
    """The variables of a file, and for each the places of its values among its distinct ones.

    Parameters
    ----------
    n_bytes : int
        Size of the file.
    limits : mapping
        The fields of ``Limits``.

    Returns
    -------
    dict
        ``names, questions, value_labels, missing, values`` (distinct ones) and ``n_rows``; or what speaks against the
        file: ``{"limit": [name, what, found]}``, ``{"unsafe": why}`` or ``{"damaged": type of the error}``.
    list of int32 arrays, shape (n_rows,)
        -1 for a blank cell.
    """
    import pyreadstat

    try:
        _, about = pyreadstat.read_sav(path, metadataonly=True, encoding=encoding, output_format="dict")
        most, fault = _most_rows(about, n_bytes, limits)
        if fault:
            return fault, []
        data, about = _read(pyreadstat, path, most + 1, encoding)
    except Exception as error:  # whatever the library makes of a damaged file
        return {"damaged": type(error).__name__}, []
    names = list(about.column_names)
    coded = [_distinct(data[name]) for name in names]
    n_rows = len(coded[0][1]) if coded else 0
    if n_rows > most:
        if most == limits["text_rows"]:
            return {"limit": ["text_rows", "Rows", n_rows]}, []
        return {"unsafe": "It holds far more cases than a file of its size should"}, []
    header = {
        "names": names,
        "questions": [about.column_names_to_labels.get(name) or "" for name in names],
        "value_labels": [
            [[_plain(value), str(label)] for value, label in about.variable_value_labels.get(name, {}).items()]
            for name in names
        ],
        "missing": [[[_plain(r["lo"]), _plain(r["hi"])] for r in about.missing_ranges.get(name, ())] for name in names],
        "values": [values for values, _ in coded],
        "n_rows": n_rows,
    }
    return header, [places for _, places in coded]


def _most_rows(about: Any, n_bytes: int, limits: Mapping[str, int]) -> tuple[int, dict[str, Any]]:
    """How many cases may be unpacked; what the file says of their number may be a lie, so it is only a first check."""
    n_columns, n_rows = len(about.column_names), about.number_rows or 0
    if n_columns > limits["columns"]:
        return 0, {"limit": ["columns", "Columns", n_columns]}
    if n_rows > limits["text_rows"]:
        return 0, {"limit": ["text_rows", "Rows", n_rows]}
    widths = about.variable_storage_width.values()
    case = max(sum(math.ceil(max(width, 1) / _SEGMENT) * _SEGMENT for width in widths), _SEGMENT)
    if n_rows * case > limits["inflated_bytes"]:
        return 0, {"limit": ["inflated_bytes", "Bytes once unpacked", n_rows * case]}
    honest = max(_SMALL, n_bytes * limits["inflation_ratio"])
    by_size = min(honest, limits["inflated_bytes"]) // case
    return int(min(limits["text_rows"], limits["cells"] // max(n_columns, 1), by_size)), {}


def _read(pyreadstat: Any, path: str, row_limit: int, encoding: str | None) -> tuple[Mapping[str, Any], Any]:
    options = {"user_missing": True, "row_limit": row_limit, "encoding": encoding, "output_format": "dict"}
    try:
        found: tuple[Mapping[str, Any], Any] = pyreadstat.read_sav(path, **options)
    except OverflowError:  # a date beyond the year 9999
        found = pyreadstat.read_sav(path, disable_datetime_conversion=True, **options)
    return found


def _distinct(column: Any) -> tuple[list[Any], np.ndarray]:
    """Distinct values of a column and, for each row, which of them it holds; -1 for none."""
    values = np.asarray(column)
    if values.dtype.kind in "iuf":
        found, places = np.unique(values, return_inverse=True)
        blank = np.isnan(found) if found.dtype.kind == "f" else np.zeros(len(found), bool)
        places = np.where(blank[places], -1, places) if len(found) else places
        return [_plain(value) for value in found], places.astype(np.int32).ravel()
    known: dict[Any, int] = {}
    rows = [-1 if value is None or value != value else known.setdefault(value, len(known)) for value in column]
    return [_plain(value) for value in known], np.array(rows, np.int32)


def _plain(value: Any) -> float | str:
    return float(value) if isinstance(value, (int, float, np.number)) else str(value)


def _main() -> None:
    request = json.loads(sys.stdin.read())
    header, columns = parse(request["path"], request["n_bytes"], request["limits"], request["encoding"])
    text = json.dumps(header).encode("ascii")
    out = sys.stdout.buffer
    out.write(struct.pack("<Q", len(text)) + text)
    for column in columns:
        out.write(column.astype("<i4").tobytes())


if __name__ == "__main__":
    _main()
