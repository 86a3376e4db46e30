"""JSON Schema of the machine-readable diagnosis, made from the values and tables that it describes."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from servicediag.diagnosis import model
from servicediag.diagnosis.bottleneck import READINESS_COLUMNS
from servicediag.diagnosis.publish import EVIDENCE_COLUMNS, INDICATOR_COLUMNS, ITEM_COLUMNS, WITHHELD_COLUMNS
from servicediag.reliability_table import RELIABILITY_COLUMNS
from servicediag.report.columns import FRAMES, ColumnKind, kind_of
from servicediag.report.json_report import SCHEMA_VERSION

__all__ = ["diagnosis_schema", "write_schema"]

NAME = "diagnosis.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_COLUMNS: dict[str, tuple[str, ...]] = {
    "evidence": tuple(EVIDENCE_COLUMNS),
    "items": tuple(ITEM_COLUMNS),
    "indicators": tuple(INDICATOR_COLUMNS),
    "readiness": tuple(READINESS_COLUMNS),
    "comparisons": model.COMPARISON_COLUMNS,
    "patterns": model.PATTERN_COLUMNS,
    "changes": model.CHANGE_COLUMNS,
    "agreement": model.AGREEMENT_COLUMNS,
    "segments": model.SEGMENT_COLUMNS,
    "indexes": model.INDEX_COLUMNS,
    "answers": model.ANSWER_COLUMNS,
    "operations": model.OPERATION_COLUMNS,
    "not_measured": model.NOT_MEASURED_COLUMNS,
    "comments": model.COMMENT_COLUMNS,
    "comment_themes": model.COMMENT_THEME_COLUMNS,
    "reliability": tuple(RELIABILITY_COLUMNS),
    "withheld": tuple(WITHHELD_COLUMNS),
}
_TYPES: dict[ColumnKind, str] = {"text": "string", "count": "integer", "flag": "boolean"}
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def diagnosis_schema() -> dict[str, Any]:
    """The schema that every file of :func:`servicediag.report.write_json` satisfies.

    Tables may gain columns from version to version; what is listed stays.

    Examples
    --------
    >>> schema = diagnosis_schema()
    >>> schema["properties"]["schema_version"], schema["$defs"]["Cause"]["properties"]["side"]
    ({'const': '1.0'}, {'type': 'string'})
    """
    values = (model.Finding, model.Cause, model.Summary, model.OpenQuestion)
    tables = {name: {"type": "array", "items": _row(name)} for name in FRAMES}
    properties: dict[str, Any] = {
        "schema_version": {"const": SCHEMA_VERSION},
        "servicediag_version": {"type": "string"},
        "language": {"type": "string"},
        "study": {"type": "object"},
        "summary": {"$ref": "#/$defs/Summary"},
        "findings": {"type": "array", "items": {"$ref": "#/$defs/Finding"}},
        **tables,
        "method": {"type": "object"},
    }
    return {
        "$schema": _DIALECT,
        "title": "A diagnosis by servicediag",
        "description": "Only what has passed the privacy gate. unit null: the whole organisation.",
        **_object(properties),
        "$defs": {value.__name__: _value(value) for value in values},
    }


def write_schema(folder: Path) -> Path:
    """Write the schema into a folder; ``docs/schema`` holds the published one.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        The file written.
    """
    path = folder / NAME
    text = json.dumps(diagnosis_schema(), indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _row(frame: str) -> dict[str, Any]:
    columns = _COLUMNS[frame]
    properties = {name: {"type": [_TYPES.get(kind_of(frame, name), "number"), "null"]} for name in columns}
    anything = {"type": ["string", "number", "integer", "boolean", "null"]}
    return {"type": "object", "properties": properties, "required": list(columns), "additionalProperties": anything}


def _value(value: type) -> dict[str, Any]:
    hints = typing.get_type_hints(value, vars(model))
    return _object({field.name: _hint(hints[field.name]) for field in fields(value)})


def _hint(hint: Any) -> dict[str, Any]:
    """The schema of an annotation: plain values, choices, tuples, and values of the model."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        options = [_hint(argument) for argument in arguments]
        if all(set(option) == {"type"} for option in options):
            return {"type": [option["type"] for option in options]}
        return {"anyOf": options}
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return {"type": "array", "items": _hint(arguments[0])}
        items = [_hint(argument) for argument in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if is_dataclass(hint):
        return {"$ref": f"#/$defs/{hint.__name__}"}  # type: ignore[union-attr]
    return {"type": _PLAIN[hint]}
