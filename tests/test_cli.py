"""The command line: exit codes, what is printed, and that nothing is left behind when something is wrong."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner
from xlsxwriter.exceptions import FileCreateError

from servicediag.cli import app
from servicediag.errors import InstrumentError, Issue
from servicediag.simulation import AnswerProcess, Effect, simulate
from servicediag.tables import write_workbook

COMMANDS = ("demo", "instruments", "answer-sheet", "check", "score", "reliability", "diagnose", "plan", "lint")
SINS = ["-i", "seven-sins:customer"]
STAFF = ["-i", "readiness:employee+four-tools:receiver"]


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def export(path: Path, frame: pd.DataFrame) -> Path:
    return write_workbook(path, {"Sheet1": frame})


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    study = simulate(
        "seven-sins",
        n_units=4,
        respondents_per_unit=25,
        effects=[Effect("Unit 02", "rule", -25)],
        process=AnswerProcess(icc=0.0),
        seed=11,
    )
    return study.labelled().rename(columns={"unit": "Branch"})


@pytest.fixture(scope="module")
def staff() -> pd.DataFrame:
    study = simulate([("readiness", "employee"), ("four-tools", "receiver")], n_units=4, seed=12)
    return study.labelled().rename(columns={"unit": "Branch"})


@pytest.fixture
def sins(tmp_path, customers) -> Path:
    return export(tmp_path / "customers.xlsx", customers)


def test_help_names_every_command():
    result = run("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments", [[], ["unknown"], ["score"], ["diagnose", "x.xlsx"], ["demo", "--no-such-option"]]
)
def test_wrong_usage_is_2(arguments):
    assert run(*arguments).exit_code == 2


def test_python_m_is_the_same_program():
    outputs = [
        subprocess.run([sys.executable, *start, "--version"], capture_output=True, text=True, check=True).stdout
        for start in (["-m", "servicediag"], ["-c", "from servicediag.__main__ import main; main()"])
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith("servicediag ")


def test_help_loads_nothing_heavy():
    code = "import sys, servicediag.cli; print([m for m in ('numpy', 'pandas', 'rich', 'yaml') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_instruments_lists_the_catalogue_and_shows_the_items_of_one():
    assert "seven-sins" in run("instruments").stdout
    shown = run("instruments", "seven-sins:observer")
    assert shown.exit_code == 0
    assert "sin_rule_1" in shown.stdout
    assert "observer" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [["no-such"], ["seven-sins:no-such"], ["seven-sins", "--language", "xx"]],
    ids=["id", "form", "language"],
)
def test_unknown_instrument_form_or_language_is_wrong_usage(arguments):
    assert run("instruments", *arguments).exit_code == 2


def test_answer_sheet_is_written_once_and_replaced_only_by_force(tmp_path):
    path = tmp_path / "sheet.xlsx"
    assert run("answer-sheet", "seven-sins:customer", path).exit_code == 0
    before = path.read_bytes()
    refused = run("answer-sheet", "readiness:employee", path)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert path.read_bytes() == before
    assert run("answer-sheet", "readiness:employee", path, "--force").exit_code == 0
    assert path.read_bytes() != before
    assert list(tmp_path.iterdir()) == [path]


def test_answer_sheet_says_which_form_was_written_and_names_the_others(tmp_path):
    chosen = run("answer-sheet", "readiness", tmp_path / "a.xlsx").stdout
    assert "Form written: employee\n" in chosen
    assert re.search(r"Other forms: supervisor.*readiness:FORM", chosen)
    asked = run("answer-sheet", "readiness:supervisor", tmp_path / "b.xlsx").stdout
    assert "Form written: supervisor\n" in asked
    assert "Other forms" not in asked


def test_answer_sheet_of_another_type_is_wrong_usage(tmp_path):
    assert run("answer-sheet", "seven-sins", tmp_path / "sheet.docx").exit_code == 2
    assert not list(tmp_path.iterdir())


def test_check_says_what_was_read(sins):
    result = run("check", sins, *SINS, "--unit", "Branch")
    assert result.exit_code == 0, result.output
    assert "35 of 35 items" in result.stdout
    assert "customers.xlsx" in result.stdout


def test_check_writes_the_mapping_and_the_marked_copy(tmp_path, sins):
    mapping, marked = tmp_path / "mapping.yaml", tmp_path / "marked.xlsx"
    result = run("check", sins, *SINS, "--save-mapping", mapping, "--annotate", marked)
    assert result.exit_code == 0, result.output
    assert mapping.stat().st_size > 0
    assert zipfile.is_zipfile(marked)
    assert run("check", sins, *SINS, "--columns", mapping).exit_code == 0


def wrong_labels(frame: pd.DataFrame) -> pd.DataFrame:
    changed = frame.copy()
    changed.iloc[:, 3] = "Sort of, on a good day"
    return changed


@pytest.mark.parametrize("command", ["check", "score", "reliability", "diagnose"])
@pytest.mark.parametrize("fault", ["missing_file", "wrong_type", "wrong_labels", "missing_unit", "no_items"])
def test_faulty_exports_are_1_and_leave_nothing(tmp_path, customers, command, fault):
    source = tmp_path / "export.xlsx"
    if fault == "wrong_type":
        source.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    elif fault == "wrong_labels":
        export(source, wrong_labels(customers))
    elif fault == "no_items":
        export(source, customers[["Branch"]])
    elif fault == "missing_unit":
        export(source, customers.drop(columns="Branch"))
    before = sorted(tmp_path.iterdir())
    out = {"check": [], "score": ["-o", tmp_path / "out.xlsx"], "reliability": ["-o", tmp_path / "out.csv"]}
    unit = ["--by" if command == "reliability" else "--unit", "Branch"]
    result = run(
        command, source, *SINS, *unit, *out.get(command, ["-o", tmp_path / "r.html", "-o", tmp_path / "r.json"])
    )
    assert result.exit_code == 1, result.output
    assert sorted(tmp_path.iterdir()) == before
    assert "Traceback" not in result.output
    assert "Internal error" not in result.output
    expected = {"wrong_labels": "unknown_label", "missing_unit": "missing_column", "no_items": "missing_item"}
    assert expected.get(fault, "export.xlsx") in result.stderr


def test_advice_is_given_in_the_words_of_the_command_line(tmp_path, sins):
    result = run("check", sins, "-i", "readiness", "--sheet", "Sheet1")
    assert result.exit_code == 1
    assert "--header-row" in result.stderr
    assert "header_row" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--export-language", "xx"], ["--minimum-completed", "7"], ["--header-row", "0"], ["-i", "seven-sins:observer"]],
)
def test_wrong_reading_options_are_wrong_usage(sins, arguments):
    assert run("check", sins, *SINS, *arguments).exit_code == 2


@pytest.mark.parametrize("command", ["check", "score", "reliability", "diagnose"])
def test_limits_are_read_by_every_command_that_reads_exports(tmp_path, sins, command):
    arguments = [command, sins, *SINS, *(["-o", tmp_path / "scores.xlsx"] if command == "score" else [])]
    result = run(*arguments, "--limit", "columns=100", "--limit", "workbook_rows=3")
    assert result.exit_code == 1
    assert "workbook_rows is 3" in result.stderr


def test_limit_is_raised_as_the_error_that_names_it_says(sins):
    refused = run("check", sins, *SINS, "--limit", "columns=3")
    assert refused.exit_code == 1
    assert "limits=" not in refused.stderr
    advice = re.search(r"pass (--limit) (columns=[0-9]+)\.", refused.stderr)
    assert advice is not None
    assert run("check", sins, *SINS, *advice.groups()).exit_code == 0


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (["colums=5"], "choose from workbook_bytes"),
        (["columns"], "NAME=VALUE"),
        (["columns=many"], "NAME=VALUE"),
        (["columns=-5"], "NAME=VALUE"),
        (["columns=\u0665"], "NAME=VALUE"),
        (["columns=0"], "at least 1"),
        (["columns=5", "columns=6"], "twice"),
    ],
)
def test_limit_that_is_none_is_wrong_usage_and_says_how_to_write_it(sins, limits, said):
    result = run("check", sins, *SINS, *(part for limit in limits for part in ("--limit", limit)))
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert "limits=" not in result.stderr


def test_folder_given_as_export_is_called_a_folder(tmp_path):
    for command in (["check"], ["score", "-o", tmp_path / "out.xlsx"], ["diagnose"]):
        result = run(command[0], tmp_path, *SINS, *command[1:])
        assert result.exit_code == 1
        assert "is a folder" in result.stderr
        assert "no file" not in result.stderr


def test_constant_item_is_told_with_its_value(tmp_path, customers):
    source = export(tmp_path / "e.xlsx", customers.assign(**{customers.columns[2]: "Never"}))
    result = run("check", source, *SINS)
    assert result.exit_code == 0, result.output
    assert "constant_item" in result.stdout
    assert "1 Never" in result.stdout


def test_packages_stand_for_their_instruments_and_forms(tmp_path, staff):
    source = export(tmp_path / "staff.xlsx", staff)
    result = run("check", source, "-i", "core-employee", "--unit", "Branch")
    assert result.exit_code == 0, result.output
    assert "readiness:employee" in result.stdout
    assert "four-tools:receiver" in result.stdout
    twice = run("check", source, "-i", "core-employee+readiness")
    assert twice.exit_code == 2
    assert "readiness" in twice.stderr


def test_faulty_catalogue_stops_only_what_needs_it(tmp_path, monkeypatch, sins):
    def faulty(root):
        raise InstrumentError(
            "_packages.yaml: 1 problem", [Issue("invalid_value", "error", "_packages.yaml:3", "Bad.")]
        )

    monkeypatch.setattr("servicediag.instrument.catalogue.read_packages", faulty)
    for command in (["check"], ["score", "-o", tmp_path / "s.xlsx"], ["diagnose", "-o", tmp_path / "d.json"]):
        result = run(command[0], sins, *SINS, "--unit", "Branch", *command[1:])
        assert result.exit_code == 0, result.output
    stopped = run("check", sins, "-i", "pulse")
    assert stopped.exit_code == 1
    assert "_packages.yaml:3" in stopped.stderr


def test_declared_missing_codes_are_no_fault(tmp_path, customers):
    source = export(tmp_path / "e.xlsx", customers.assign(**{customers.columns[2]: "No idea"}))
    assert run("check", source, *SINS).exit_code == 1
    assert run("check", source, *SINS, "--missing-code", "No idea").exit_code == 0


def test_faulty_cells_are_marked_in_a_copy(tmp_path, customers):
    source, marked = export(tmp_path / "e.xlsx", wrong_labels(customers)), tmp_path / "marked.xlsx"
    assert run("check", source, *SINS, "--annotate", marked).exit_code == 1
    with zipfile.ZipFile(marked) as book:
        assert any("comments" in name for name in book.namelist())


def test_faults_of_all_exports_are_told_together(tmp_path, customers, staff):
    first = export(tmp_path / "first.xlsx", wrong_labels(customers))
    second = export(tmp_path / "second.xlsx", staff.drop(columns="Branch"))
    result = run("diagnose", first, second, *SINS, *STAFF, "--unit", "Branch", "-o", tmp_path / "r.json")
    assert result.exit_code == 1
    assert "unknown_label" in result.stderr
    assert "missing_column" in result.stderr


def test_score_writes_working_data_that_says_so(tmp_path, sins, customers):
    out = tmp_path / "scores.xlsx"
    result = run("score", sins, *SINS, "--unit", "Branch", "-o", out, "--minimum-completed", "0")
    assert result.exit_code == 0, result.output
    assert "not for release" in result.stdout
    book = pd.read_excel(out, sheet_name=None, header=None, engine="openpyxl")
    assert "not for release" in book["Scores"].iloc[0, 0]
    scores = pd.read_excel(out, sheet_name="Scores", header=2, engine="openpyxl")
    assert len(scores) == len(customers)
    assert scores["rule"].dropna().between(0, 100).all()


def test_text_of_the_export_never_becomes_a_formula(tmp_path, customers):
    changed = customers.assign(Branch='=HYPERLINK("http://example.org")')
    out = tmp_path / "scores.xlsx"
    assert run("score", export(tmp_path / "e.xlsx", changed), *SINS, "--unit", "Branch", "-o", out).exit_code == 0
    with zipfile.ZipFile(out) as book:
        assert not any(b"<f>" in book.read(name) for name in book.namelist() if "worksheets" in name)


def test_reliability_prints_and_writes_both_types(tmp_path, sins):
    for name in ("alpha.xlsx", "alpha.csv"):
        result = run("reliability", sins, *SINS, "-o", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert "not for release" in result.stdout
        assert "alpha (95 %)" in result.stdout
    table = pd.read_csv(tmp_path / "alpha.csv")
    assert len(table) == 7
    assert table["alpha"].between(0.4, 0.99).all()


def test_diagnose_writes_every_report_and_finds_the_planted_unit(tmp_path, sins):
    reports = [tmp_path / f"report{suffix}" for suffix in (".xlsx", ".html", ".json")]
    result = run("diagnose", sins, *SINS, "--unit", "Branch", *(part for path in reports for part in ("-o", path)))
    assert result.exit_code == 0, result.output
    assert all(f"Written: {path}" in result.stdout for path in reports)
    assert "Unit 02" in result.stdout
    content = json.loads(reports[2].read_text(encoding="utf-8"))
    found = {(f["unit"], f["dimension"]) for f in content["findings"] if f["tier"] in ("established", "likely")}
    assert ("Unit 02", "rule") in found


def test_diagnose_reads_several_instruments_of_one_export(tmp_path, sins, staff):
    both = export(tmp_path / "staff.xlsx", staff)
    out = tmp_path / "report.json"
    result = run("diagnose", sins, both, *SINS, *STAFF, "--unit", "Branch", "-o", out)
    assert result.exit_code == 0, result.output
    measured = {row["instrument"] for row in json.loads(out.read_text(encoding="utf-8"))["evidence"]}
    assert measured == {"seven-sins", "readiness", "four-tools"}
    split = run("check", both, "-i", "readiness:employee", "-i", "four-tools:receiver", "--unit", "Branch")
    assert split.exit_code == 0
    assert "four-tools:receiver" in split.stdout


def test_study_without_units_is_diagnosed_as_a_whole_and_says_so(tmp_path, customers):
    source = export(tmp_path / "e.xlsx", customers.drop(columns="Branch"))
    out = tmp_path / "report.json"
    result = run("diagnose", source, *SINS, "-o", out)
    assert result.exit_code == 0, result.output
    assert "only the organisation as a whole is diagnosed" in result.stdout
    content = json.loads(out.read_text(encoding="utf-8"))
    assert {row["unit"] for row in content["evidence"]} == {None}
    with_units = run("diagnose", export(tmp_path / "u.xlsx", customers), *SINS, "--unit", "Branch")
    assert "as a whole is diagnosed" not in with_units.stdout


def test_waves_given_per_export_are_told_apart_and_the_newest_is_named(tmp_path, customers):
    first = export(tmp_path / "first.xlsx", customers.assign(Branch=customers["Branch"].to_numpy()[::-1]))
    second = export(tmp_path / "second.xlsx", customers)
    out = tmp_path / "report.json"
    result = run(
        "diagnose", first, second, *SINS, "--unit", "Branch", "--wave", "Wave 9", "--wave", "Wave 10", "-o", out
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"Wave 9\b", result.stdout)
    assert re.search(r"newest is taken to be Wave 10\b", result.stdout)
    content = json.loads(out.read_text(encoding="utf-8"))
    assert {row["wave"]: row["n_respondents"] for row in content["study"]["parts"]}.keys() == {"Wave 9", "Wave 10"}
    assert {row["wave"] for row in content["evidence"]} == {"Wave 9", "Wave 10"}
    assert {finding["wave"] for finding in content["findings"]} == {"Wave 10"}
    assert ("Unit 02", "rule") in {
        (f["unit"], f["dimension"]) for f in content["findings"] if f["direction"] == "worse"
    }


def test_one_wave_is_not_called_the_newest(tmp_path, sins):
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--wave", "2024")
    assert result.exit_code == 0, result.output
    assert "newest" not in result.stdout


@pytest.mark.parametrize("copy", ["same path", "same bytes", "saved anew"])
def test_export_given_twice_is_refused(tmp_path, sins, customers, copy):
    second = tmp_path / "copy.xlsx"
    if copy == "same path":
        second = sins
    elif copy == "same bytes":
        second.write_bytes(sins.read_bytes())
    else:
        write_workbook(second, {"Copy": customers})
    out = tmp_path / "report.json"
    result = run("diagnose", sins, second, *SINS, "--unit", "Branch", "-o", out)
    assert result.exit_code == 1
    assert "duplicate_export" in result.stderr
    assert f"seven-sins:customer as {sins}" in result.stderr
    assert not out.exists()


def test_same_file_may_hold_several_instruments_or_waves(tmp_path, staff, customers):
    both = export(tmp_path / "staff.xlsx", staff)
    each = ["-i", "readiness:employee", "-i", "four-tools:receiver"]
    assert run("diagnose", both, both, *each, "--unit", "Branch").exit_code == 0
    book = write_workbook(tmp_path / "waves.xlsx", {"2023": customers[::-1], "2024": customers})
    waves = ["--sheet", "2023", "--sheet", "2024", "--wave", "first", "--wave", "second"]
    result = run("diagnose", book, book, *SINS, "--unit", "Branch", *waves)
    assert result.exit_code == 0, result.output


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of Windows closes otherwise")
def test_reader_that_leaves_early_costs_no_report(tmp_path, sins):
    out = tmp_path / "report.html"
    arguments = ["diagnose", str(sins), *SINS, "--unit", "Branch", "-o", str(out)]
    command = subprocess.Popen(
        [sys.executable, "-m", "servicediag", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    command.stdout.close()
    with command.stderr:
        complaint = command.stderr.read()
    assert (command.wait(), complaint) == (0, "")
    assert out.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["customers.xlsx", "report.html"]


IN_LANGUAGES = {
    "en": ("Service diagnosis", "Action plan"),
    "es": ("Diagnóstico del servicio", "Plan de acción"),
    "ru": ("Диагностика обслуживания", "План действий"),
    "zh-Hans": ("服务诊断", "行动计划"),
}


@pytest.mark.parametrize("language", IN_LANGUAGES)
def test_every_report_is_in_the_language_that_was_asked_for(tmp_path, sins, language):
    word, plan = IN_LANGUAGES[language]
    names = ("r.html", "r.xlsx", "r.pptx", "r.docx", "r.json")
    outputs = [part for name in names for part in ("-o", tmp_path / name)]
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--language", language, *outputs)
    assert result.exit_code == 0, result.output
    assert word in result.output
    assert f'<html lang="{language}">' in (tmp_path / "r.html").read_text(encoding="utf-8")
    for name in ("r.xlsx", "r.pptx"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert any(word.encode() in archive.read(entry) for entry in archive.namelist()), name
    with zipfile.ZipFile(tmp_path / "r.docx") as archive:
        assert plan in archive.read("word/document.xml").decode("utf-8")


def test_theme_gives_names_and_colours_to_every_report(tmp_path, sins):
    theme = tmp_path / "theme.yaml"
    theme.write_text('organisation: Northern Lights\nprimary: "#3b0764"\n', encoding="utf-8")
    names = ("r.html", "r.xlsx", "r.pptx", "r.docx")
    outputs = [part for name in names for part in ("-o", tmp_path / name)]
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--theme", theme, *outputs)
    assert result.exit_code == 0, result.output
    assert "#3b0764" in (tmp_path / "r.html").read_text(encoding="utf-8")
    for name in names[1:]:
        with zipfile.ZipFile(tmp_path / name) as archive:
            content = b"".join(archive.read(entry) for entry in archive.namelist())
        assert b"Northern Lights" in content, name
        assert b"3B0764" in content.upper(), name


def test_faulty_theme_is_told_before_anything_is_written(tmp_path, sins):
    theme = tmp_path / "theme.yaml"
    theme.write_text("primary: red\n", encoding="utf-8")
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--theme", theme, "-o", tmp_path / "r.html")
    assert result.exit_code == 1
    assert "invalid_colour" in result.stderr
    assert not (tmp_path / "r.html").exists()


def test_reports_are_written_before_anything_is_printed(tmp_path, monkeypatch, sins):
    def leave(*arguments, **options):
        raise BrokenPipeError

    monkeypatch.setattr("servicediag.report.print_diagnosis", leave)
    out = tmp_path / "report.json"
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "-o", out)
    assert (result.exit_code, result.output) == (0, "")
    assert json.loads(out.read_text(encoding="utf-8"))["findings"]


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".csv", ".xlsx"])
def test_targets_come_from_any_of_the_file_types(tmp_path, sins, suffix):
    path = tmp_path / f"targets{suffix}"
    if suffix == ".csv":
        path.write_text("dimension,target,unit\nrule,95,\nseven-sins/cold,90,Unit 02\n", encoding="utf-8")
    elif suffix == ".xlsx":
        export(path, pd.DataFrame({"dimension": ["rule", "cold"], "target": [95, 90]}))
    else:
        path.write_text('{"rule": 95, "cold": 90}', encoding="utf-8")
    out = tmp_path / "report.json"
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--targets", path, "-o", out)
    assert result.exit_code == 0, result.output
    plain = tmp_path / "plain.json"
    assert run("diagnose", sins, *SINS, "--unit", "Branch", "-o", plain).exit_code == 0
    assert out.read_bytes() != plain.read_bytes()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("rules: 80", "unknown_dimension"),
        ("rule: 180", "out_of_range"),
        ("rule: high", "out_of_range"),
        ("- 3", "unreadable"),
    ],
)
def test_faulty_targets_are_1_and_every_fault_is_named(tmp_path, sins, content, code):
    path = tmp_path / "targets.yaml"
    path.write_text(content, encoding="utf-8")
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--targets", path, "-o", tmp_path / "r.json")
    assert result.exit_code == 1
    assert code in result.stderr
    assert not (tmp_path / "r.json").exists()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_operations_data_and_their_targets_come_from_files(tmp_path, sins, suffix):
    records = pd.DataFrame({"Unit": ["Unit 01", "Unit 02", ""], "breach_rate": ["40 %", "0,1", "0.2"]})
    records["breach_rate_n"] = ["200", "200", "900"]
    path = tmp_path / f"records{suffix}"
    records.to_csv(path, index=False, sep=";") if suffix == ".csv" else export(path, records)
    goals = tmp_path / "targets.yaml"
    goals.write_text("breach_rate: 15 %\nrule: 60\n", encoding="utf-8")
    out = tmp_path / "report.json"
    result = run(
        "diagnose",
        sins,
        *SINS,
        "--unit",
        "Branch",
        "--indicators",
        path,
        "--targets",
        goals,
        "-o",
        out,
        "--minimum-group",
        5,
    )
    assert result.exit_code == 0, result.output
    told = json.loads(out.read_text(encoding="utf-8"))["operations"]
    values = {(row["unit"], row["indicator"]): (row["value"], row["target"]) for row in told}
    assert values["Unit 01", "breach_rate"] == (0.4, 0.15)
    assert values["Unit 02", "breach_rate"] == (0.1, 0.15)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("unit,turnover\nUnit 01,many\nUnit 02,lots\n", ["row 2, column turnover", "'many'", "row 3", "'lots'"]),
        ("turnover\n0.1\n", ["column unit is missing"]),
        ("unit,turnover\nUnit 77,0.1\nUnit 01,9\n", ["'Unit 77' is not a unit of this study.", "turnover"]),
        ("unit,mood\nUnit 01,3\n", ["mood"]),
        ("unit,breach_rate,notes\nUnit 01,0.1,good\n", ["'notes' is no indicator"]),
        ("unit;workload\nUnit 01;1,200\nUnit 02;12 %\n", ["'1,200'", "'12 %'"]),
        ("unit,breach_rate\n", ["no rows"]),
        ("unit,breach_rate,\nUnit 01,0.1,0.2\n", ["no heading"]),
        ("unit,breach_rate,Breach_rate\nUnit 01,0.1,0.2\n", ["same heading"]),
    ],
)
def test_faulty_operations_data_stop_with_every_fault(tmp_path, sins, content, words):
    path = tmp_path / "records.csv"
    path.write_text(content, encoding="utf-8")
    out = tmp_path / "r.json"
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--indicators", path, "-o", out)
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert all(word in said for word in words), said
    assert not out.exists()


def test_empty_columns_of_a_table_of_operations_are_no_fault(tmp_path, sins):
    path = tmp_path / "records.csv"
    path.write_text("unit,breach_rate,,\nUnit 01,0.1,,\n", encoding="utf-8")
    out = tmp_path / "r.json"
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--indicators", path, "-o", out)
    assert result.exit_code == 0, result.output
    assert [row["value"] for row in json.loads(out.read_text(encoding="utf-8"))["operations"]] == [0.1]


OWN_RULES = """\
extends: default
rules:
  - id: OWN1
    cause: The counter is far from the desk
    symptoms: [seven-sins/run]
    side: organisation
    step: environment
    confirmed_by:
      - {low: readiness/can, weight: strong}
    refuted_by:
      - {not_low: readiness/can}
    evidence: I
    actions: [ACT.SYSTEMS]
"""


def test_rules_of_a_consultant_are_read_by_path_and_named_with_their_hash(tmp_path, sins):
    rules = tmp_path / "own.yaml"
    rules.write_text(OWN_RULES, encoding="utf-8")
    out = tmp_path / "report.json"
    result = run("diagnose", sins, *SINS, "--unit", "Branch", "--rules", rules, "-o", out)
    assert result.exit_code == 0, result.output
    assert "own.yaml" in json.loads(out.read_text(encoding="utf-8"))["method"]["rule_files"]


def test_rules_that_are_not_there_are_named_as_they_were_given(tmp_path, sins):
    result = run("diagnose", sins, *SINS, "--rules", tmp_path / "nowhere.yaml", "-o", tmp_path / "r.json")
    assert result.exit_code == 1
    said = "".join(result.stderr.split())
    assert "nowhere.yaml:Thefilecannotberead" in said, result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "report.odt"],
        ["-o", "customers.xlsx", "--force"],
        ["-o", "r.json", "-o", "r.json"],
        ["--minimum-group", "2"],
        ["--language", "xx"],
        ["-i", "readiness", "-i", "four-tools"],
        ["--sheet", "a", "--sheet", "b"],
    ],
    ids=["type", "export itself", "twice", "small group", "language", "too many instruments", "too many sheets"],
)
def test_wrong_usage_of_diagnose_is_2_before_anything_is_written(tmp_path, monkeypatch, customers, arguments):
    monkeypatch.chdir(tmp_path)
    names = [export(tmp_path / name, customers).name for name in ("customers.xlsx", "second.xlsx")]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sources = names if "-i" in arguments else names[:1]
    result = run("diagnose", *sources, *SINS, "--unit", "Branch", *arguments)
    assert result.exit_code == 2, result.output
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_existing_report_stops_all(tmp_path, sins):
    existing = tmp_path / "report.html"
    existing.write_text("mine", encoding="utf-8")
    arguments = ["diagnose", sins, *SINS, "--unit", "Branch", "-o", tmp_path / "report.json", "-o", existing]
    assert run(*arguments).exit_code == 1
    assert existing.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "report.json").exists()
    assert run(*arguments, "--force").exit_code == 0
    assert existing.read_text(encoding="utf-8") != "mine"


def test_a_folder_that_does_not_exist_is_1(tmp_path, sins):
    result = run("score", sins, *SINS, "-o", tmp_path / "nowhere" / "out.xlsx")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the system has no /proc")
@pytest.mark.parametrize(
    "arguments",
    [["diagnose", "-o", "/proc/x.html"], ["score", "-o", "/proc/x.xlsx"], ["check", "--save-mapping", "/proc/x.csv"]],
    ids=lambda arguments: arguments[0],
)
def test_folder_that_cannot_be_written_is_1_and_named(sins, arguments):
    result = run(arguments[0], sins, *SINS, *arguments[1:])
    assert result.exit_code == 1
    assert re.fullmatch(r"cannot write into /proc \(.*\); choose another folder\n", result.stderr)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the system has no /proc")
def test_demo_names_the_folder_that_it_cannot_make():
    result = run("demo", "--out", "/proc/demo")
    assert result.exit_code == 1
    assert result.stderr.startswith("cannot write into /proc ")


def test_full_disk_is_a_fault_of_the_file_and_no_internal_error(tmp_path, monkeypatch, sins):
    def full(*arguments, **options):
        raise FileCreateError(OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr("servicediag.tables.write_workbook", full)
    result = run("score", sins, *SINS, "-o", tmp_path / "out.xlsx")
    remedy = "make room there, or choose another folder"
    assert result.exit_code == 1
    assert result.stderr == f"cannot write into {tmp_path} (No space left on device); {remedy}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["customers.xlsx"]


def test_lint_passes_the_catalogue_and_fails_a_faulty_instrument(tmp_path):
    assert run("lint", "--all").exit_code == 0
    faulty = tmp_path / "instrument.yaml"
    faulty.write_text("id: Broken Id\nversion: one\n", encoding="utf-8")
    result = run("lint", tmp_path)
    assert result.exit_code == 1
    assert "instrument.yaml" in result.output


@pytest.mark.parametrize("arguments", [[], ["seven-sins", "--all"]])
def test_lint_wants_a_file_or_all(arguments):
    assert run("lint", *arguments).exit_code == 2


def test_internal_errors_tell_their_type_and_nothing_of_the_data(tmp_path, monkeypatch, sins):
    def broken(responses):
        raise KeyError("Ana Costa answered Never")

    monkeypatch.setattr("servicediag.scoring.score", broken)
    arguments = ["score", sins, *SINS, "-o", tmp_path / "out.xlsx"]
    result = run(*arguments)
    assert result.exit_code == 1
    assert "Internal error (KeyError)" in result.stderr
    assert "Ana" not in result.output
    assert not (tmp_path / "out.xlsx").exists()
    assert "Traceback" in run(*arguments, "--debug").stderr


def test_text_of_the_export_is_never_markup_or_terminal_code(tmp_path, customers):
    heading = "[bold red]Shift[/bold red] :warning:"
    source = export(tmp_path / "e.xlsx", customers.assign(**{heading: "day", "Size\x1b[2J": 1}))
    result = run("check", source, *SINS, "--unit", "Branch")
    assert result.exit_code == 0, result.output
    assert heading in result.stdout
    assert "\x1b" not in result.output


def test_suggested_columns_stop_until_they_are_accepted(sins, tmp_path):
    frame = pd.read_excel(sins, engine="openpyxl")
    asked = next(name for name in frame.columns if str(name).startswith("Staff"))
    altered = tmp_path / "altered.xlsx"
    frame.rename(columns={asked: asked.replace("Staff", "Stafff", 1)}).to_excel(altered, index=False)
    stopped = run("check", altered, *SINS)
    assert stopped.exit_code == 1
    assert "--accept-suggestions" in stopped.output
    assert run("check", altered, *SINS, "--accept-suggestions").exit_code == 0


def test_unknown_platform_is_wrong_usage(sins):
    result = run("check", sins, *SINS, "--platform", "carrier-pigeon")
    assert result.exit_code in (1, 2)
    assert "qualtrics" in result.output


def test_plan_prints_how_many_to_ask_and_the_curve():
    result = run("plan", "--gap", 25, "--units", 4, "--scales", 2, "--response-rate", 0.5)
    assert result.exit_code == 0
    assert "with a chance of 80 %, ask about" in result.stdout
    assert "at a response rate of 50 %" in result.stdout
    assert "p_established" in result.stdout


@pytest.mark.parametrize("arguments", [["--gap", "0"], ["--units", "1"], ["--tier", "sure"], ["--response-rate", "2"]])
def test_plan_out_of_range_is_wrong_usage(arguments):
    assert run("plan", *arguments).exit_code == 2
