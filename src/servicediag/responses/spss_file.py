"""Reads an SPSS data file with its labels and declared missing values; needs pyreadstat."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from servicediag.responses import spss_worker
from servicediag.responses.column_builder import as_text
from servicediag.responses.readers import Grid, Variables
from servicediag.responses.safety import Limits, refuse, too_large, unsafe

__all__ = ["read_spss"]

_MISSING_EXTRA = 'Run: pip install "servicediag[spss]" - or save the file as .xlsx or .csv with labels.'
_DAMAGED = "Open it in SPSS or PSPP and save it anew, or give it as .csv."
_SECONDS, _BYTES_A_SECOND = 20, 200_000
_FAILED_TO_START = 1
_Parsed = tuple[Mapping[str, Any], list[Any]]


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
    if not _installed("pyreadstat"):
        problem = "An SPSS file is read with pyreadstat, which is not installed."
        raise refuse("missing_extra", where, problem, _MISSING_EXTRA)
    header, places = _parse(path, limits, encoding)
    if "limit" in header:
        name, what, found = header["limit"]
        raise too_large(where, what, found, name, limits)
    if "unsafe" in header:
        raise unsafe(where, header["unsafe"])
    if "damaged" in header:
        problem = f"The SPSS file is damaged, or its texts are in an unknown encoding ({header['damaged']})."
        raise refuse("unreadable_file", where, problem, _DAMAGED)
    columns = tuple(map(_column, header["names"], header["values"], places))
    variables = Variables(
        tuple(header["questions"]),
        tuple({as_text(value): label for value, label in labels} for labels in header["value_labels"]),
        tuple(tuple((low, high) for low, high in ranges) for ranges in header["missing"]),
    )
    return Grid(where, None, columns, platform="spss", variables=variables)


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:
        return False


def _parse(path: Path, limits: Limits, encoding: str | None) -> _Parsed:
    """What the parser says, in a process of its own where one can be started."""
    worker = Path(spss_worker.__file__)
    request: dict[str, Any] = {"path": str(path.absolute()), "n_bytes": path.stat().st_size, "limits": asdict(limits)}
    if getattr(sys, "frozen", False) or not sys.executable or not worker.is_file():
        return spss_worker.parse(request["path"], request["n_bytes"], request["limits"], encoding)
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(worker)],
            input=json.dumps({**request, "encoding": encoding}).encode(),
            capture_output=True,
            timeout=_SECONDS + request["n_bytes"] / _BYTES_A_SECOND,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"damaged": "no end"}, []
    except OSError:
        return spss_worker.parse(request["path"], request["n_bytes"], request["limits"], encoding)
    if done.returncode == _FAILED_TO_START:
        return spss_worker.parse(request["path"], request["n_bytes"], request["limits"], encoding)
    if done.returncode:
        return {"damaged": "the parser broke off"}, []
    return _unpacked(done.stdout)


def _unpacked(output: bytes) -> _Parsed:
    start = 8 + struct.unpack_from("<Q", output)[0]
    header = json.loads(output[8:start])
    n_rows = header.get("n_rows", 0)
    places = [
        np.frombuffer(output, "<i4", n_rows, start + 4 * n_rows * number)
        for number in range(len(header.get("names", ())))
    ]
    return header, places


def _column(name: str, values: list[Any], places: np.ndarray) -> Any:
    """A variable as dictionary-encoded text below its name."""
    texts = pa.array([_clean(text) for text in (name, *map(as_text, values))], pa.string())
    indices = np.concatenate([[0], np.where(places < 0, -1, places + 1)]).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), texts)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
