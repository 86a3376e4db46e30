"""The published JSON Schemas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servicediag.instrument.schema import json_schemas, write_schemas

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("name", sorted(json_schemas()))
def test_published_schema_is_fresh(name: str) -> None:
    published = (PUBLISHED / name).read_text(encoding="utf-8")
    assert json.loads(published) == json.loads(json_schemas()[name]), (
        "write them again: from pathlib import Path; "
        "from servicediag.instrument.schema import write_schemas; write_schemas(Path('docs/schema'))"
    )


def test_no_other_file_is_published() -> None:
    assert sorted(path.name for path in PUBLISHED.iterdir()) == sorted([*json_schemas(), "diagnosis.schema.json"])


def test_written_files_hold_the_schemas(tmp_path: Path) -> None:
    paths = write_schemas(tmp_path / "new" / "folder")
    assert {path.name: path.read_bytes().decode() for path in paths} == json_schemas()


def test_schema_refuses_unknown_keys_and_names_the_choices() -> None:
    schema = json.loads(json_schemas()["instrument.schema.json"])
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"id", "version", "prefix", "forms", "dimensions"}
    assert schema["$defs"]["DimensionDocument"]["properties"]["direction"]["enum"] == ["strength", "weakness"]
    assert schema["properties"]["id"]["pattern"] == "^[a-z][a-z0-9_-]{1,63}$"
