"""The JSON file is strict, complete, exact in its texts, and the same for the same diagnosis."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servicediag.diagnosis.model import Cause, Diagnosis, Finding
from servicediag.report import write_json
from servicediag.wording.numbers import number

KEYS = ["schema_version", "servicediag_version", "language", "study", "summary", "findings", "evidence", "items",
        "indicators", "readiness", "comparisons", "patterns", "changes", "agreement", "segments", "indexes", "answers",
        "operations", "not_measured", "comments", "comment_themes", "reliability", "withheld", "method"]  # fmt: skip


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def strict(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from leaves(entry)
    else:
        yield value


@pytest.fixture(scope="module")
def document(diagnosis: Diagnosis, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return strict(write_json(diagnosis, tmp_path_factory.mktemp("json") / "a.json"))


def test_document_has_the_keys_of_the_contract(document: Any) -> None:
    assert list(document) == KEYS
    assert document["schema_version"] == "1.0"


@pytest.mark.parametrize("name", KEYS[6:-1])
def test_every_row_and_column_is_there(diagnosis: Diagnosis, document: Any, name: str) -> None:
    frame = getattr(diagnosis, name)
    assert len(document[name]) == len(frame)
    assert all(list(row) == list(frame.columns) for row in document[name])


def test_a_row_of_a_table_has_a_line_of_its_own(diagnosis: Diagnosis, tmp_path: Path) -> None:
    lines = write_json(diagnosis, tmp_path / "lines.json").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line.rstrip(",")) for line in lines if line.startswith("{") and len(line) > 1]
    assert sum("shrunk_gap" in row for row in rows) == len(diagnosis.evidence)
    assert json.loads("".join(lines)) == json.loads((tmp_path / "lines.json").read_bytes())


def test_numbers_are_the_frames_rounded_where_few_answered(diagnosis: Diagnosis, document: Any) -> None:
    for row, (_, cell) in zip(document["evidence"], diagnosis.evidence.iterrows(), strict=True):
        for name in ("mean", "ci_low", "ci_high", "health", "gap"):
            if math.isnan(cell[name]):
                assert row[name] is None
            else:
                assert number(row[name]) == number(cell[name])
                assert row[name] == pytest.approx(cell[name], abs=0.0501 if cell["n"] < 30 else 0.00501)
        assert type(row["n"]) is int


def test_whole_organisation_is_null(document: Any) -> None:
    assert document["evidence"][0]["unit"] is None
    assert document["evidence"][0]["by"] is None


def test_findings_hold_every_field_and_every_cause(diagnosis: Diagnosis, document: Any) -> None:
    assert [entry["id"] for entry in document["findings"]] == [finding.id for finding in diagnosis.findings]
    for entry, finding in zip(document["findings"], diagnosis.findings, strict=True):
        assert set(entry) == {field.name for field in fields(Finding)}
        assert [cause["status"] for cause in entry["causes"]] == [cause.status for cause in finding.causes]
        assert all(set(cause) == {field.name for field in fields(Cause)} for cause in entry["causes"])
    assert document["findings"][0]["causes"][0]["confirming"] == list(diagnosis.findings[0].causes[0].confirming)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan"), np.nan])
def test_what_is_no_number_is_null(diagnosis: Diagnosis, tmp_path: Path, value: float) -> None:
    spoilt = replace(
        diagnosis,
        evidence=diagnosis.evidence.assign(gap=value),
        method={"a": value, "b": [value, {"c": value}]},
        findings=(replace(diagnosis.findings[0], estimate=value),),
    )
    document = strict(write_json(spoilt, tmp_path / "a.json"))
    assert {row["gap"] for row in document["evidence"]} == {None}
    assert document["method"] == {"a": None, "b": [None, {"c": None}]}
    assert document["findings"][0]["estimate"] is None


@pytest.mark.parametrize("name", ["html", "formula", "markup", "bidi", "template", "control"])
def test_text_is_exact(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], hostile_texts: Any, tmp_path: Path, name: str
) -> None:
    text = getattr(hostile_texts, name)
    document = strict(write_json(spoilt(diagnosis, text), tmp_path / "a.json"))
    assert document["findings"][0]["title"] == text.replace("\ud800", "\ufffd")
    assert text.replace("\ud800", "\ufffd") in set(leaves(document["evidence"]))


def test_values_are_plain(document: Any) -> None:
    assert {type(leaf) for leaf in leaves(document)} <= {str, int, float, bool, type(None)}


def test_same_diagnosis_gives_the_same_bytes(diagnosis: Diagnosis, tmp_path: Path) -> None:
    first, second = (write_json(diagnosis, tmp_path / name).read_bytes() for name in ("a.json", "b.json"))
    assert first == second
    assert first.endswith(b"}\n")


def test_sets_in_the_method_come_in_a_fixed_order(diagnosis: Diagnosis, tmp_path: Path) -> None:
    spoilt = replace(diagnosis, method={"families": frozenset({"b", "a", "c"})})
    assert strict(write_json(spoilt, tmp_path / "a.json"))["method"]["families"] == ["a", "b", "c"]


def test_failure_leaves_nothing(diagnosis: Diagnosis, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(FileExistsError):
        write_json(diagnosis, tmp_path / "a.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
