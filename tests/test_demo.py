"""The demo: same bytes every time, finds what was planted, shows nobody."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from servicediag.cli import app
from servicediag.demo import ABOUT, FILES, TROUBLES, Demo, print_demo, run_demo

SMALL_BRANCH = "Rowan"


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Demo:
    return run_demo(tmp_path_factory.mktemp("demo"))


def test_planted_troubles_are_found_and_called_established_or_likely(demo):
    assert len(demo.comparison) == len(TROUBLES)
    assert demo.comparison["tier"].isin(["established", "likely"]).all()
    for row in demo.comparison.to_dict("records"):
        assert row["estimate"] == pytest.approx(row["points"], abs=10)
        assert row["ci_low"] < row["estimate"] < row["ci_high"] < 0


def test_planted_causes_are_supported_and_no_other(demo):
    for row in demo.comparison.to_dict("records"):
        assert set(row["supported_rules"]) == set(row["rules"])


def test_little_else_is_called_a_trouble(demo):
    beyond = {(finding.unit, finding.dimension) for finding in demo.others}
    planted_too = {("Cedar", "can"), ("Larch", "feed"), (None, "feed")}
    assert len(beyond - planted_too) <= 2


def test_unplanted_units_have_no_established_gap(demo):
    units = {f.unit for f in demo.diagnosis.findings if f.tier == "established" and f.kind == "unit_gap"}
    assert units == {"Cedar", "Larch"}


def test_too_small_a_group_is_withheld(demo):
    shown = demo.diagnosis.evidence
    staff = shown[(shown["unit"] == SMALL_BRANCH) & (shown["rater"] == "employee")]
    assert staff.empty
    assert SMALL_BRANCH in set(demo.diagnosis.withheld["unit"])


def test_people_are_in_the_exports_and_nowhere_else(demo):
    employees = pd.read_excel(demo.folder / "employees.xlsx", engine="openpyxl")
    assert {"Timestamp", "Email Address", "Name", "Branch"} <= set(employees.columns)
    assert employees.isna().to_numpy().any()
    for name in ("report.html", "report.json"):
        content = (demo.folder / name).read_text(encoding="utf-8")
        assert "example.org" not in content
        assert not any(person in content for person in employees["Name"])


def test_same_bytes_every_time(demo, tmp_path):
    again = run_demo(tmp_path / "again")
    for name in (ABOUT, *FILES):
        assert (again.folder / name).read_bytes() == (demo.folder / name).read_bytes(), name


def test_an_earlier_demo_is_replaced_but_no_foreign_file(demo, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    mine = folder / "report.html"
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"report\.html"):
        run_demo(folder)
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    assert mine.read_text(encoding="utf-8") == "mine"
    before = (demo.folder / "report.json").read_bytes()
    run_demo(demo.folder)
    assert (demo.folder / "report.json").read_bytes() == before


def test_what_was_planted_is_printed_beside_what_was_found(demo):
    stream = io.StringIO()
    print_demo(demo, Console(file=stream, width=200))
    shown = stream.getvalue()
    for name in FILES:
        assert name in shown
    for row in demo.comparison.to_dict("records"):
        assert f"{row['estimate']:.0f} (" in shown
        assert row["tier"] in shown
    assert SMALL_BRANCH in shown


def test_the_command_in_the_text_repeats_the_job(demo, monkeypatch):
    command = (demo.folder / ABOUT).read_text(encoding="utf-8").strip().splitlines()[-1]
    program, *arguments = shlex.split(command)
    assert program == "servicediag"
    monkeypatch.chdir(demo.folder)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    again = Path("again.xlsx")
    assert again.read_bytes() == Path("report.xlsx").read_bytes()
    again.unlink()


def test_the_command_line_runs_the_demo(tmp_path):
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert all((tmp_path / "out" / name).stat().st_size > 0 for name in FILES)
    assert "Cedar" in result.stdout
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "report.json").write_text("{}", encoding="utf-8")
    assert CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "full")]).exit_code == 1
