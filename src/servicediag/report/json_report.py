"""The machine-readable diagnosis: one strict JSON document, the same bytes for the same diagnosis."""

from __future__ import annotations

import json
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
    entries = (f"{_encoded(key)}:{_lines(value)}" for key, value in document(diagnosis, language).items())
    content = "{\n" + ",\n".join(entries) + "\n}\n"
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content.encode("utf-8"))
    return Path(path)


def _lines(value: Any) -> str:
    """A row of a table on a line of its own: short, fast, and two files can still be compared line by line."""
    if not isinstance(value, list) or not value:
        return _encoded(value)
    return "[\n" + ",\n".join(map(_encoded, value)) + "\n]"


def _encoded(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def document(diagnosis: Diagnosis, language: str | None = None) -> dict[str, Any]:
    """The diagnosis as plain mappings, lists, texts and numbers; what has no value is None.

    Keys: ``schema_version``, ``servicediag_version``, ``language``, ``study``, ``summary``, ``findings``, every table
    of :class:`~servicediag.diagnosis.model.Diagnosis` under its name and with its columns, and ``method``;
    ``docs/schema/diagnosis.schema.json`` describes them all. Text is kept exactly, except for lone surrogates. Values
    of fewer than 30 respondents are rounded, as in every report.
    """
    published = rounded(diagnosis, language)
    return {
        "schema_version": SCHEMA_VERSION,
        "servicediag_version": package_version(),
        "language": published.language,
        "study": _tree(published.study),
        "summary": _plain(published.summary),
        "findings": [_plain(finding) for finding in published.findings],
        **{name: _rows(getattr(published, name)) for name in FRAMES},
        "method": _tree(published.method),
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _scalar(value) for key, value in row.items()} for row in frame.to_dict("records")]


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
