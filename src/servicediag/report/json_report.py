"""The machine-readable diagnosis: one strict JSON document, the same bytes for the same diagnosis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from servicediag.diagnosis.model import Cause, Diagnosis, Finding, OpenQuestion, Summary
from servicediag.files import atomic_path
from servicediag.report.publication import FRAMES, blank_to_none, rounded
from servicediag.report.version import package_version

__all__ = ["SCHEMA_VERSION", "document", "write_json"]

SCHEMA_VERSION = "1.0"


def write_json(diagnosis: Diagnosis, path: str | Path, *, language: str | None = None, overwrite: bool = False) -> Path:
    """Write :func:`document` as UTF-8 with a final line break.

    Raises
    ------
    FileExistsError
        The file exists and ``overwrite`` is False, or the path is a symbolic link.
    FileNotFoundError
        The folder does not exist.
    """
    # a line at a time: the text of a large study is as large as all of its tables
    with atomic_path(path, overwrite=overwrite) as place, place.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_pieces(diagnosis, language))
    return Path(path)


def _pieces(diagnosis: Diagnosis, language: str | None) -> Iterator[str]:
    """The text of the document; rows of tables have a line each, so that two files can be compared line by line."""
    before = "{\n"
    for key, value in _entries(diagnosis, language):
        yield f"{before}{_encoded(key)}:"
        rows = _rows(value) if isinstance(value, pd.DataFrame) else iter(value if isinstance(value, list) else ())
        first = next(rows, None)
        if first is None:
            yield "[]" if isinstance(value, pd.DataFrame) else _encoded(value)
        else:
            yield f"[\n{_encoded(first)}"
            for row in rows:
                yield f",\n{_encoded(row)}"
            yield "\n]"
        before = ",\n"
    yield "\n}\n"


_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def document(diagnosis: Diagnosis, language: str | None = None) -> dict[str, Any]:
    """The diagnosis as plain mappings, lists, texts and numbers; what has no value is None.

    Keys: ``schema_version``, ``servicediag_version``, ``language``, ``study``, ``summary``, ``findings``, every table
    of :class:`~servicediag.diagnosis.model.Diagnosis` under its name and with its columns, and ``method``;
    ``docs/schema/diagnosis.schema.json`` describes them all. Text is kept exactly, except for lone surrogates. Values
    of fewer than 30 respondents are rounded, as in every report.
    """
    entries = _entries(diagnosis, language)
    return {key: list(_rows(value)) if isinstance(value, pd.DataFrame) else value for key, value in entries}


def _entries(diagnosis: Diagnosis, language: str | None) -> Iterator[tuple[str, Any]]:
    """The document's keys in their order, tables as frames."""
    published = rounded(diagnosis, language)
    yield "schema_version", SCHEMA_VERSION
    yield "servicediag_version", package_version()
    yield "language", published.language
    yield "study", _tree(published.study)
    yield "summary", _plain(published.summary)
    yield "findings", [_plain(finding) for finding in published.findings]
    for name in FRAMES:
        yield name, getattr(published, name)
    yield "method", _tree(published.method)


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    columns = [list(map(_scalar, frame.iloc[:, place].tolist())) for place in range(len(names))]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _plain(value: Finding | Cause | Summary | OpenQuestion) -> dict[str, Any]:
    """The fields of a value; values within it become mappings too."""
    return {field.name: _tree(getattr(value, field.name)) for field in fields(value)}


def _tree(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _tree(entry) for key, entry in value.items()}
    if isinstance(value, (Finding, Cause, Summary, OpenQuestion)):
        return _plain(value)
    if isinstance(value, (list, tuple)):
        return [_tree(entry) for entry in value]
    return value if value == "" else _scalar(value)


def _scalar(value: Any) -> Any:
    value = blank_to_none(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
