"""The published schema is what the code writes, and every written diagnosis satisfies it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.model import Diagnosis
from servicediag.report import write_json
from servicediag.report.json_schema import diagnosis_schema, write_schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "diagnosis.schema.json"
_TYPES = {"string": str, "integer": int, "boolean": bool, "null": type(None), "object": dict, "array": list}


def has_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "number":
        return isinstance(value, (int, float))
    return isinstance(value, _TYPES[name])


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """What of the schema language the diagnosis uses, checked."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        return [] if any(not faults(value, one, root, at) for one in schema["anyOf"]) else [f"{at}: none of anyOf"]
    if "const" in schema or "enum" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{at}: {value!r}"]
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(has_type(value, name) for name in names):
        return [f"{at}: {value!r} is not {names}"]
    found: list[str] = []
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{at}: lacks {name}" for name in schema["required"] if name not in value]
        for name, entry in value.items():
            inner = schema["properties"].get(name, schema.get("additionalProperties"))
            found += [f"{at}: {name}"] if inner is False else faults(entry, inner, root, f"{at}.{name}")
    if isinstance(value, list):
        if "prefixItems" in schema:
            if len(value) != len(schema["prefixItems"]):
                return [f"{at}: {len(value)} entries"]
            pairs = zip(value, schema["prefixItems"], strict=True)
            return [
                fault
                for number, (entry, one) in enumerate(pairs)
                for fault in faults(entry, one, root, f"{at}[{number}]")
            ]
        for number, entry in enumerate(value):
            found += faults(entry, schema["items"], root, f"{at}[{number}]")
    return found


def check(document: Any) -> list[str]:
    schema = diagnosis_schema()
    return faults(document, schema, schema)


def test_published_schema_is_fresh() -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == diagnosis_schema(), (
        'make it again: python -c "from pathlib import Path; '
        "from servicediag.report.json_schema import write_schema; write_schema(Path('docs/schema'))\""
    )


def test_written_schema_is_the_schema(tmp_path: Path) -> None:
    assert json.loads(write_schema(tmp_path).read_text(encoding="utf-8")) == diagnosis_schema()


@pytest.fixture(scope="module")
def found() -> Diagnosis:
    effects = [sd.Effect("Unit 02", name, -25) for name in ("four-tools/feed", "four-tools/role", "tool_comm_6")]
    study = sd.simulate(["readiness", "four-tools"], n_units=8, respondents_per_unit=35, seed=2, effects=effects)
    units = sorted(study.respondents["unit"].unique())
    records = pd.DataFrame({"unit": units, "breach_rate": 0.1, "breach_rate_n": 60, "workload": 20.0})
    return sd.diagnose(study.responses(), indicators=records)


@pytest.fixture(scope="module")
def written(found: Diagnosis, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = write_json(found, tmp_path_factory.mktemp("json") / "a.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["findings"].sort(key=lambda finding: not finding["causes"])
    return document


def test_written_diagnosis_satisfies_the_schema(written: Any) -> None:
    assert check(written) == []


def test_operations_and_summary_are_written(written: Any) -> None:
    told = {(row["indicator"], row["cases"]) for row in written["operations"]}
    assert told == {("breach_rate", 60), ("workload", None)}
    assert 0 < len(written["summary"]["troubles"]) <= 5
    assert written["summary"]["strengths"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(schema_version="0.9"),
        lambda d: d.pop("summary"),
        lambda d: d.update(extra=1),
        lambda d: d["findings"][0].update(tier="certain"),
        lambda d: d["findings"][0].pop("rank"),
        lambda d: d["findings"][0].update(n="many"),
        lambda d: d["findings"][0]["causes"][0].update(status="proven"),
        lambda d: d["findings"][0]["causes"][0].update(association=[0.1]),
        lambda d: d["evidence"][0].update(mean="high"),
        lambda d: d["evidence"][0].update(mean={"a": 1}),
        lambda d: d["evidence"][0].pop("n"),
    ],
)
def test_a_spoilt_document_does_not_satisfy_it(written: Any, spoil: Any) -> None:
    document = copy.deepcopy(written)
    spoil(document)
    assert check(document) != []


def test_the_schema_is_a_valid_schema_and_agrees_with_a_full_validator(written: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(diagnosis_schema())
    assert list(jsonschema.Draft202012Validator(diagnosis_schema()).iter_errors(written)) == []
