"""The workbook holds the frames' numbers as numbers, text as text, and is ready to filter and print."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from servicediag.diagnosis.model import Diagnosis
from servicediag.report import Theme, write_excel
from servicediag.report.labels import Labels
from servicediag.report.plain_text import clean
from servicediag.report.publication import printable

TITLES = [
    "Read me",
    "Findings",
    "Causes and actions",
    "Heatmap",
    "Scales",
    "Items",
    "Indicators",
    "Readiness",
    "Reliability",
    "Data quality",
    "Withheld",
    "Method",
    "Dictionary",
]
TABLES = [
    "Findings",
    "Causes and actions",
    "Scales",
    "Items",
    "Indicators",
    "Readiness",
    "Reliability",
    "Data quality",
    "Withheld",
    "Dictionary",
]


@pytest.fixture(scope="module")
def path(diagnosis: Diagnosis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_excel(diagnosis, tmp_path_factory.mktemp("book") / "report.xlsx")


@pytest.fixture(scope="module")
def book(path: Path) -> Any:
    return openpyxl.load_workbook(path)


def rows_of(book: Any, title: str) -> list[dict[str, Any]]:
    heads, *rows = book[title].iter_rows(values_only=True)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def cells(book: Any) -> list[Any]:
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]


def part(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def test_sheets_are_there_in_order(book: Any) -> None:
    assert book.sheetnames == TITLES


@pytest.mark.parametrize(
    ("title", "frame", "names"),
    [
        (
            "Scales",
            "evidence",
            [
                "n",
                "mean",
                "sd",
                "ci_low",
                "ci_high",
                "health",
                "gap",
                "gap_low",
                "gap_high",
                "shrunk_gap",
                "q_value",
                "q_minimum_effect",
                "minimum_detectable_gap",
            ],
        ),
        ("Items", "items", ["n", "mean", "health", "ci_low", "ci_high"]),
        ("Indicators", "indicators", ["n", "count", "share", "ci_low", "ci_high"]),
        ("Readiness", "readiness", ["n", "know", "want", "can", "p_lowest_know", "p_lowest_want", "p_lowest_can"]),
        (
            "Reliability",
            "reliability",
            ["n_items", "n_respondents", "alpha", "omega", "mean_inter_item_correlation", "sem"],
        ),
    ],
)
def test_every_number_is_the_frames(diagnosis: Diagnosis, book: Any, title: str, frame: str, names: list[str]) -> None:
    labels = Labels.of(diagnosis, "en")
    published = getattr(printable(diagnosis), frame)
    rows = rows_of(book, title)
    assert len(rows) == len(published)
    for name in names:
        found = [row[labels.column(name)] for row in rows]
        expected = [None if pd.isna(value) else value for value in published[name]]
        assert found == expected, name
        assert all(value is None or isinstance(value, (int, float)) for value in found)


def test_scales_hold_every_column_of_the_evidence(diagnosis: Diagnosis, book: Any) -> None:
    labels = Labels.of(diagnosis, "en")
    heads = {cell.value for cell in book["Scales"][1]}
    assert heads == {labels.column(name) for name in diagnosis.evidence.columns}


def test_every_finding_has_a_row_with_its_numbers(diagnosis: Diagnosis, book: Any) -> None:
    rows = rows_of(book, "Findings")
    assert [row["Identifier"] for row in rows] == [finding.id for finding in diagnosis.findings]
    for row, finding in zip(rows, printable(diagnosis).findings, strict=True):
        assert (row["Estimate"], row["95% low"], row["95% high"], row["n"]) == (
            finding.estimate, finding.ci_low, finding.ci_high, finding.n)  # fmt: skip


def test_unit_of_every_estimate_is_stated(book: Any) -> None:
    for row in rows_of(book, "Findings"):
        assert (row["Unit of estimate"] is None) == (row["Estimate"] is None)
        assert (row["Unit of estimate"] == "probability") == (row["Kind"] == "bottleneck")


def test_every_cause_has_a_row_with_its_status(diagnosis: Diagnosis, book: Any) -> None:
    found = [(row["No."], row["Cause"]) for row in rows_of(book, "Causes and actions") if row["Cause"]]
    expected = [(i, c.cause) for i, finding in enumerate(diagnosis.findings, start=1) for c in finding.causes]
    assert found == expected
    assert {row["Status"] for row in rows_of(book, "Causes and actions")} >= {
        "consistent with the data", "possible", "the data speak against it", "not measured", "cannot be decided",
        "cannot be told from another cause"}  # fmt: skip


def test_heatmap_shows_numbers_or_withheld(diagnosis: Diagnosis, book: Any) -> None:
    values = [cell.value for row in book["Heatmap"].iter_rows(min_row=5) for cell in row[1:]]
    numbers = sorted(value for value in values if isinstance(value, (int, float)))
    assert numbers == sorted(printable(diagnosis).evidence["health"])
    assert values.count("withheld") == len(diagnosis.withheld)


def test_heatmap_does_not_say_unit_twice(diagnosis: Diagnosis, tmp_path: Path) -> None:
    frames = {}
    for name in ("evidence", "withheld"):
        frame = getattr(diagnosis, name)
        frames[name] = frame.assign(by=frame["by"].where(frame["by"].isna(), "unit"))
    findings = tuple(replace(f, by="unit" if f.by else f.by) for f in diagnosis.findings)
    path = write_excel(replace(diagnosis, findings=findings, **frames), tmp_path / "unit.xlsx")
    sheet = openpyxl.load_workbook(path)["Heatmap"]
    told = [cell.value for row in sheet.iter_rows(max_col=1) for cell in row if cell.value]
    assert "unit" not in told
    assert "Unit" in told


def test_heatmap_is_shaded_on_the_absolute_scale(book: Any) -> None:
    rules = [rule for area in book["Heatmap"].conditional_formatting for rule in area.rules]
    scales = [rule.colorScale for rule in rules if rule.type == "colorScale"]
    assert scales
    for scale in scales:
        assert [(entry.type, entry.val) for entry in scale.cfvo] == [("num", 0), ("num", 100)]
        assert scale.color[0].rgb[-6:].lower() == Theme().primary[1:]


def test_tables_are_frozen_filtered_and_fit_the_paper(book: Any) -> None:
    for title in TABLES:
        sheet = book[title]
        assert sheet.freeze_panes is not None
        assert re.fullmatch(rf"A1:[A-Z]+{sheet.max_row}", sheet.auto_filter.ref)
        assert sheet.print_title_rows == "$1:$1"
        assert sheet.print_area
        assert sheet.column_dimensions["A"].width > 5
    for sheet in book:
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.paperSize, sheet.page_setup.fitToWidth or 1) == (9, 1)


def test_long_texts_are_wrapped(book: Any) -> None:
    assert all(
        cell.alignment.wrap_text for cell in cells(book) if isinstance(cell.value, str) and len(cell.value) > 240
    )


def test_nothing_is_a_formula_and_links_stay_inside(book: Any, path: Path) -> None:
    assert not [cell for cell in cells(book) if cell.data_type == "f"]
    links = [cell.hyperlink for cell in cells(book) if cell.hyperlink]
    assert len(links) == len(TITLES) - 1
    assert all(link.target is None and link.location for link in links)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert not [name for name in names if "external" in name.lower() or "vba" in name.lower()]
        relations = "".join(archive.read(name).decode() for name in names if name.endswith(".rels"))
    assert 'TargetMode="External"' not in relations


@pytest.mark.parametrize("name", ["html", "formula", "markup", "bidi", "template", "control"])
def test_hostile_text_stays_text(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], hostile_texts: Any, tmp_path: Path, name: str
) -> None:
    text = getattr(hostile_texts, name)
    path = write_excel(spoilt(diagnosis, text), tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(path)
    assert not [cell for cell in cells(book) if cell.data_type == "f"]
    found = [cell for cell in cells(book) if cell.value == clean(text)]
    assert {cell.parent.title for cell in found} >= {"Findings", "Causes and actions", "Scales", "Items", "Method"}
    assert all(cell.data_type == "s" for cell in found)
    if name == "formula":
        assert all(cell.quotePrefix for cell in found)
    assert book.sheetnames == TITLES


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", " ="])
def test_text_that_a_spreadsheet_might_run_is_marked_as_text(diagnosis: Diagnosis, tmp_path: Path, start: str) -> None:
    study = {**diagnosis.study, "title": f"{start}1+1"}
    book = openpyxl.load_workbook(write_excel(replace(diagnosis, study=study), tmp_path / "a.xlsx"))
    assert book["Read me"]["A1"].value == f"{start}1+1".strip()
    assert book["Read me"]["A1"].quotePrefix


def test_title_cannot_command_the_page_header(diagnosis: Diagnosis, tmp_path: Path) -> None:
    study = {**diagnosis.study, "title": "A&B &P &D " + "x" * 400}
    path = write_excel(replace(diagnosis, study=study), tmp_path / "a.xlsx")
    header = re.search(r"<oddHeader>(.*?)</oddHeader>", part(path, "xl/worksheets/sheet1.xml"))
    assert header is not None
    assert header.group(1).startswith("&amp;LA&amp;&amp;B &amp;&amp;P &amp;&amp;D xxx")


def test_cell_is_cut_where_a_spreadsheet_would_break(diagnosis: Diagnosis, tmp_path: Path) -> None:
    findings = (replace(diagnosis.findings[0], text="ä" * 32_768), *diagnosis.findings[1:])
    book = openpyxl.load_workbook(write_excel(replace(diagnosis, findings=findings), tmp_path / "a.xlsx"))
    value = rows_of(book, "Findings")[0]["Explanation"]
    assert len(value) == 32_767
    assert value.endswith("…")


def test_chart_has_an_alternative_text_and_no_value_beyond_its_table(book: Any, path: Path) -> None:
    drawing = part(path, "xl/drawings/drawing1.xml")
    (description,) = re.findall(r'descr="([^"]+)"', drawing)
    assert len(description) > 60
    cached = [float(value) for value in re.findall(r"<c:v>([-\d.]+)</c:v>", part(path, "xl/charts/chart1.xml"))]
    table = {value for row in rows_of(book, "Readiness") for value in row.values() if isinstance(value, (int, float))}
    assert cached
    assert set(cached) <= table


def test_dictionary_explains_every_heading(book: Any) -> None:
    explained = {(sheet, row["Heading"]) for row in rows_of(book, "Dictionary") for sheet in row["Sheet"].split(", ")}
    for title in TABLES[:-1]:
        assert {(title, cell.value) for cell in book[title][1]} <= explained
    assert all(row["Meaning"] for row in rows_of(book, "Dictionary"))


def test_cautions_are_said_plainly(book: Any) -> None:
    text = " ".join(str(cell.value) for cell in cells(book) if cell.parent.title in ("Read me", "Method"))
    for phrase in ("not yet validated", "conventions", "consistent with", "withheld"):
        assert phrase in text


def test_same_diagnosis_gives_the_same_bytes(diagnosis: Diagnosis, path: Path, book: Any, tmp_path: Path) -> None:
    assert write_excel(diagnosis, tmp_path / "again.xlsx").read_bytes() == path.read_bytes()
    assert book.properties.created == datetime(2000, 1, 1)
    assert book.properties.title == "Service culture survey, spring"


def test_other_ending_is_refused(diagnosis: Diagnosis, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="xlsx"):
        write_excel(diagnosis, tmp_path / "a.xls")


def test_existing_file_is_kept(diagnosis: Diagnosis, tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_text("mine")
    with pytest.raises(FileExistsError):
        write_excel(diagnosis, tmp_path / "a.xlsx")
    assert (tmp_path / "a.xlsx").read_text() == "mine"


def test_diagnosis_of_which_nothing_may_be_shown_is_still_a_workbook(
    empty_diagnosis: Diagnosis, tmp_path: Path
) -> None:
    book = openpyxl.load_workbook(write_excel(empty_diagnosis, tmp_path / "a.xlsx"))
    assert book.sheetnames == ["Read me", "Findings", "Heatmap", "Data quality", "Withheld", "Method", "Dictionary"]
    assert len(rows_of(book, "Withheld")) == len(empty_diagnosis.withheld)


def test_heads_of_the_heatmap_are_not_broken_within_a_word(diagnosis: Diagnosis, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_excel(diagnosis.in_language("es"), tmp_path / "r.xlsx"))
    sheet = book["Mapa de calor"]
    widths = {
        number: dimension.width
        for dimension in sheet.column_dimensions.values()
        for number in range(dimension.min, dimension.max + 1)
    }
    merged = {cell for area in sheet.merged_cells.ranges for cell in area.cells}
    words = [
        (cell.column, word)
        for row in sheet.iter_rows(min_row=4, min_col=2)
        for cell in row
        if isinstance(cell.value, str) and cell.font.b and (cell.row, cell.column) not in merged
        for word in cell.value.split()
    ]
    assert max(len(word) for _, word in words) > 12
    assert all(widths[column] > len(word) for column, word in words)
