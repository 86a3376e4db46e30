"""Targets from a file or from the instrument itself: how they are read, what is refused, what the results record."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.errors import ResponsesError
from servicediag.instrument import list_instruments, load_instrument
from servicediag.report.labels import Labels
from servicediag.report.sheets import method_tables

BRANCHES = [f"Branch {k:02d}" for k in range(1, 7)]
EACH = np.repeat(BRANCHES, 30)
STUDY = {
    "instrument.yaml": """\
id: harbour
version: 1.0.0
prefix: hrb
license: CC-BY-4.0
sources: [Written for the tests.]
forms:
  - {id: crew, rater: employee}
dimensions:
  - id: calm
    direction: strength
    measurement: formative
    scale: frequency5
    target: {points: 80, source: "Agreed with the crew, 2025"}
    items:
      - {code: hrb_calm_1, facet: voice, source: "001", evidence: S}
      - {code: hrb_calm_2, facet: pace, source: "001", evidence: S}
  - id: late
    direction: weakness
    measurement: formative
    scale: frequency5
    items:
      - {code: hrb_late_1, facet: delay, source: "002", evidence: S}
""",
    "locale/en.yaml": """\
language: en
status: original
title: Harbour mood
forms:
  crew: {title: Your work}
dimensions:
  calm: {title: Calm}
  late: {title: Delay}
items:
  hrb_calm_1: {crew: People here speak in a quiet voice.}
  hrb_calm_2: {crew: People here take their time.}
  hrb_late_1: {crew: Boats leave late.}
""",
}


@pytest.fixture(scope="module")
def answers(make_responses):
    return make_responses([("readiness", "employee")], EACH, seed=15)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_excel(path, index=False)
        else:
            path.write_text(content, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def harbour(write, tmp_path):
    """The instrument above, and answers to it: two of every three answers are in the middle of the scale."""

    def harbour(change=("", "")):
        (tmp_path / "locale").mkdir(exist_ok=True)
        for name, text in STUDY.items():
            write(name, text.replace(*change))
        return load_instrument(tmp_path)

    return harbour


def answers_to(instrument):
    codes = np.resize([2, 3, 3, 4, 3], len(EACH))
    frame = pd.DataFrame(dict.fromkeys(["hrb_calm_1", "hrb_calm_2", "hrb_late_1"], codes)).assign(unit=EACH)
    return sd.read_responses(frame, instrument, form="crew", unit="unit")


def levels(diagnosis):
    return {(f.unit, f.dimension): f for f in diagnosis.findings if f.kind == "level"}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("name", ["goals.yaml", "goals.json", "goals.csv", "goals.xlsx", "GOALS.CSV"])
def test_a_file_says_the_same_as_the_mapping_that_it_holds(answers, write, name, as_text):
    table = pd.DataFrame({"Dimension": ["readiness/can", "know"], "Target": [90, 85]})
    text = table.to_csv(index=False) if name.lower().endswith("csv") else '{"readiness/can": 90, "know": 85}'
    path = write(name, table if name.endswith("xlsx") else text)
    found = levels(sd.diagnose(answers, targets=str(path) if as_text else path))
    expected = levels(sd.diagnose(answers, targets={"can": 90, "know": 85}))
    assert {key: (f.estimate, f.tier) for key, f in found.items()} == {
        key: (f.estimate, f.tier) for key, f in expected.items()
    }
    assert expected
    assert all(f.comparator.endswith(f"(file {name})") for f in found.values())


@pytest.mark.parametrize("name", ["goals.yaml", "goals.csv"])
def test_name_and_hash_of_the_file_are_recorded_without_its_folder(answers, write, name, tmp_path):
    path = write(name, "can: 90\n" if name.endswith("yaml") else "dimension,target\ncan,90\n")
    diagnosis = sd.diagnose(answers, targets=path)
    assert diagnosis.method["targets"] == f"file {name}"
    assert diagnosis.method["target_files"] == {name: hashlib.sha256(path.read_bytes()).hexdigest()}
    written = diagnosis.to_json(tmp_path / "d.json").read_text(encoding="utf-8")
    assert json.loads(written)["method"]["target_files"] == diagnosis.method["target_files"]
    assert str(tmp_path) not in written
    for language in ("en", "es", "ru", "zh-Hans"):
        cells = [cell for table in method_tables(diagnosis, Labels.of(diagnosis, language)) for row in table.rows
                 for cell in row if isinstance(cell, str)]  # fmt: skip
        assert any(name in cell and diagnosis.method["target_files"][name] in cell for cell in cells)


def test_without_a_file_none_is_recorded(answers):
    assert "target_files" not in sd.diagnose(answers, targets={"can": 90}).method


def test_units_and_origins_come_from_the_file(answers, write):
    path = write("goals.csv", "dimension,target,unit,origin\ncan,95,Branch 02,plan of 2025\ncan,94,,\n")
    found = levels(sd.diagnose(answers, targets=path))
    assert found["Branch 02", "can"].comparator == "the target of 95 points of health (plan of 2025)"
    assert found[None, "can"].comparator == "the target of 94 points of health (file goals.csv)"


def test_every_fault_of_a_table_is_listed_with_its_cell(answers, write):
    rows = [
        "dimension,target,unit",
        "cann,90,",
        "can,180,",
        ",,",
        "know,high,Nowhere",
        "want,70,",
        "readiness/want,60,",
    ]
    with pytest.raises(ResponsesError) as error:
        sd.diagnose(answers, targets=write("goals.csv", "\n".join(rows)))
    assert [(issue.code, issue.where) for issue in error.value.issues] == [
        ("unknown_dimension", "goals.csv, row 2, column dimension"),
        ("out_of_range", "goals.csv, row 3, column target"),
        ("out_of_range", "goals.csv, row 5, column target"),
        ("unknown_unit", "goals.csv, row 5, column unit"),
        ("duplicate_target", "goals.csv, row 7, column dimension"),
    ]
    problems = [issue.problem for issue in error.value.issues]
    assert problems[2] == "The target of 'know' is 'high', not between 0 and 100."
    assert problems[4] == "'readiness/want' has a target already, in goals.csv, row 6."


def test_every_fault_of_a_mapping_is_listed_with_its_line(answers, write):
    with pytest.raises(ResponsesError) as error:
        sd.diagnose(answers, targets=write("goals.yaml", "can: 90\ncann: 80\nknow: 101\nwant: [1]\nchurn: 12\n"))
    assert [(issue.code, issue.where) for issue in error.value.issues] == [
        ("unknown_dimension", "goals.yaml:2"),
        ("out_of_range", "goals.yaml:3"),
        ("out_of_range", "goals.yaml:4"),
        ("out_of_range", "goals.yaml:5"),
    ]
    assert "between 0 and 1" in error.value.issues[3].problem


def test_of_very_many_faults_the_first_are_listed(answers, write):
    with pytest.raises(ResponsesError, match="at least 200 problems") as error:
        sd.diagnose(answers, targets=write("goals.csv", "dimension,target\n" + "cann,90\n" * 5000))
    assert len(error.value.issues) == 200


@pytest.mark.parametrize("name", ["none.yaml", "none.csv", "none.xlsx"])
def test_a_file_that_is_not_there_is_named(answers, tmp_path, name):
    with pytest.raises(ResponsesError, match=name) as error:
        sd.diagnose(answers, targets=tmp_path / name)
    assert [issue.code for issue in error.value.issues] == ["unreadable_file"]


@pytest.mark.parametrize("content", ["target\n90\n", "- 3\n"])
def test_a_file_of_something_else_says_what_to_write(answers, write, content):
    path = write("goals.csv" if content.startswith("t") else "goals.yaml", content)
    with pytest.raises(ResponsesError, match="dimension: points"):
        sd.diagnose(answers, targets=path)


def test_a_text_that_is_neither_wave_nor_file_names_both(answers):
    with pytest.raises(ValueError, match="not an earlier wave of this study.*a file ends in .yaml"):
        sd.diagnose(answers, targets="last year")


@pytest.mark.parametrize(
    "targets",
    [
        {"can": 80, "readiness/can": 90},
        pd.DataFrame({"dimension": ["can", "can"], "target": [80, 90], "unit": ["Branch 01", "Branch 01"]}),
    ],
)
def test_two_targets_of_one_place_are_refused(answers, targets):
    with pytest.raises(ValueError, match="has two targets"):
        sd.diagnose(answers, targets=targets)


def test_targets_of_another_type_are_refused(answers):
    with pytest.raises(TypeError, match="targets is a list"):
        sd.diagnose(answers, targets=[80])


# Targets of the instrument


def test_a_target_of_the_instrument_is_used_and_its_source_printed(harbour):
    diagnosis = sd.diagnose(answers_to(harbour()))
    found = levels(diagnosis)
    assert found[None, "calm"].estimate == pytest.approx(50 - 80)
    origin = "the questionnaire “Harbour mood”: Agreed with the crew, 2025"
    assert found[None, "calm"].comparator == f"the target of 80 points of health ({origin})"
    assert {dimension for _, dimension in found} == {"calm"}
    assert diagnosis.method["targets"] == origin
    told = levels(diagnosis.in_language("es"))[None, "calm"].comparator
    assert "el cuestionario «Harbour mood»: Agreed with the crew, 2025" in told


def test_targets_of_the_study_stand_in_the_place_of_the_instruments(harbour):
    found = levels(sd.diagnose(answers_to(harbour()), targets={"late": 75}))
    assert {dimension for _, dimension in found} == {"late"}
    assert "declared for this study" in found[None, "late"].comparator


def test_an_instrument_without_targets_has_none(harbour):
    line = '    target: {points: 80, source: "Agreed with the crew, 2025"}\n'
    diagnosis = sd.diagnose(answers_to(harbour((line, ""))))
    assert levels(diagnosis) == {}
    assert diagnosis.method["targets"] == "none declared"


def test_no_instrument_of_the_library_declares_a_target():
    every = [load_instrument(name) for name in list_instruments()["id"]]
    assert [d.id for instrument in every for d in instrument.dimensions if d.target is not None] == []


def test_the_command_line_takes_the_same_file(answers, write, tmp_path):
    from typer.testing import CliRunner

    from servicediag.cli import app

    export = tmp_path / "export.csv"
    answers.answers.assign(unit=EACH).to_csv(export, index=False)
    out = tmp_path / "report.json"
    path = write("goals.csv", "dimension,target\ncan,90\n")
    options = ["-i", "readiness:employee", "--unit", "unit", "--targets", str(path), "-o", str(out)]
    result = CliRunner().invoke(app, ["diagnose", str(export), *options])
    assert result.exit_code == 0, result.output
    method = json.loads(Path(out).read_text(encoding="utf-8"))["method"]
    assert method["target_files"] == {"goals.csv": hashlib.sha256(path.read_bytes()).hexdigest()}
