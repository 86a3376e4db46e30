"""Where very many results are withheld they are told by grouping, and no unit is named, whatever units are called."""

import json

import numpy as np
import openpyxl
import pytest

import servicediag as sd
from servicediag.diagnosis import publish
from servicediag.report.cells import Cells, groupings, panels, units_of
from servicediag.wording import text

UNITS = np.repeat(["North", "West", "South", "East", "Harbour"], [20, 18, 4, 7, 25])


@pytest.fixture
def diagnosis(make_responses, monkeypatch):
    monkeypatch.setattr(publish, "MOST_WITHHELD", 3)
    return sd.diagnose(make_responses([("readiness", "employee")], UNITS, seed=6))


def test_withheld_units_are_not_named_and_each_kind_is_told_once(diagnosis):
    withheld = diagnosis.withheld[diagnosis.withheld["by"].notna()]
    assert withheld["unit"].isna().all()
    assert not withheld.duplicated().any()


def test_unit_called_like_a_sign_is_a_unit_as_any_other(make_responses, monkeypatch):
    monkeypatch.setattr(publish, "MOST_WITHHELD", 3)
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], np.where(UNITS == "West", "*", UNITS), seed=6))
    (grouping,) = groupings(diagnosis)
    assert set(units_of(diagnosis, grouping.by)) == {"North", "*", "Harbour"}
    assert "*" not in set(diagnosis.withheld["unit"])


def test_chart_has_no_unnamed_unit_and_what_a_named_unit_lacks_counts_as_withheld(diagnosis):
    (grouping,) = groupings(diagnosis)
    assert set(units_of(diagnosis, grouping.by)) == {"North", "West", "Harbour"}
    (panel,) = panels(diagnosis, None)
    assert Cells(diagnosis).is_withheld(grouping, "East", panel, "know")
    assert not Cells(diagnosis).is_withheld(grouping, None, panel, "know")


@pytest.mark.parametrize("language", ["en", "es", "zh-Hans"])
def test_every_report_is_written_in_every_language(diagnosis, language, tmp_path):
    told = diagnosis.in_language(language)
    assert told.withheld["unit"].isna().all()
    page = told.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "East" not in page
    several = text("report.several_units", language)
    assert f">{several}<" in page
    document = json.loads(told.to_json(tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {(row["by"], row["unit"]) for row in document["withheld"]} == {("unit", None)}
    book = openpyxl.load_workbook(told.to_excel(tmp_path / "report.xlsx"))
    cells = {sheet.title: {cell for row in sheet.iter_rows(values_only=True) for cell in row} for sheet in book}
    assert sum(several in values for values in cells.values()) == 1
    assert not any("East" in values for values in cells.values())


def test_report_is_written_where_no_unit_at_all_is_shown(make_responses, monkeypatch, tmp_path):
    monkeypatch.setattr(publish, "MOST_WITHHELD", 3)
    units = np.array([f"Unit {k}" for k in range(40)])
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], units, seed=1))
    assert not diagnosis.evidence["unit"].notna().any()
    assert groupings(diagnosis) == []
    assert "Unit 7" not in diagnosis.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    diagnosis.to_excel(tmp_path / "report.xlsx")
