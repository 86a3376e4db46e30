"""The record of a reading: readable, saved as a mapping, and marked in a copy of the workbook."""

from __future__ import annotations

import openpyxl
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses
from servicediag.responses.intake import mark_cells


@pytest.fixture
def labelled(workbook, codes):
    """A workbook whose first column mixes labels and bare codes, below headings that need a mapping."""
    headings = ["=1+1", *codes[1:], "Contact"]
    rows = [
        ["Rarely", 2, 3, 4, 5, 1, "a@b.org"],
        [4, 2, 3, 4, 5, 1, ""],
        *[[4, 1, 1, 1, 1, 1, ""]] * 7,
        [4, 1, 1, 1, 1, 2, ""],
    ]
    path = workbook(Data=[headings, *rows])
    book = openpyxl.load_workbook(path)
    book["Data"]["A1"].data_type = "s"
    book.save(path)
    return path


@pytest.fixture
def intake(labelled, harbour):
    return read_responses(labelled, harbour, form="guest", columns={"=1+1": "hrb_calm_1"}).intake


def test_frame_has_a_row_an_issue(intake):
    frame = intake.to_frame()
    assert list(frame) == ["code", "severity", "where", "problem", "remedy"]
    assert frame["code"].tolist() == ["mixed_labels_and_codes", "dropped_personal_column"]


def test_frame_without_issues_has_its_columns(harbour, answered):
    frame = read_responses(answered(), harbour, form="guest").intake.to_frame()
    assert (len(frame), list(frame)) == (0, ["code", "severity", "where", "problem", "remedy"])


def test_representations(intake, harbour, answered):
    assert repr(intake) == (
        "Intake(source='answers.xlsx', platform='plain', n_rows=10, n_kept=10, n_items=6, n_issues=2)"
    )
    hostile = answered(**{"<script>alert(1)</script>": ["a@b.org"] * 4})
    shown = read_responses(hostile, harbour, form="guest").intake._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize("name", ["mapping.csv", "mapping.yaml"])
def test_saved_mapping_reads_the_next_export(name, intake, labelled, harbour, tmp_path):
    path = intake.save_mapping(tmp_path / name)
    again = read_responses(labelled, harbour, form="guest", columns=path)
    assert again.intake.matches["column"].tolist() == intake.matches["column"].tolist()
    assert set(again.intake.matches["method"]) == {"mapping"}


def test_heading_that_is_a_formula_is_harmless_in_the_saved_csv(intake, tmp_path):
    assert '"\'=1+1"' in intake.save_mapping(tmp_path / "mapping.csv").read_text(encoding="utf-8")


def test_saved_mapping_does_not_overwrite(intake, tmp_path):
    path = intake.save_mapping(tmp_path / "mapping.csv")
    with pytest.raises(FileExistsError):
        intake.save_mapping(path)
    intake.save_mapping(path, overwrite=True)
    with pytest.raises(ValueError, match=r"\.csv or \.yaml"):
        intake.save_mapping(tmp_path / "mapping.txt")


def test_mapping_file_without_its_columns__value_error(tmp_path, harbour, answered):
    path = tmp_path / "mapping.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="source_column"):
        read_responses(answered(), harbour, form="guest", columns=path)


def test_mapping_file_may_say_that_a_column_is_no_item(tmp_path, harbour, answered):
    path = tmp_path / "mapping.csv"
    path.write_text("source_column,item_code\nStaff kept calm,\n")
    frame = answered(**{"Staff kept calm": list("abcd")})
    assert "Staff kept calm" in read_responses(frame, harbour, form="guest", columns=path).respondents


def test_annotated_copy_marks_every_doubtful_cell(intake, labelled, tmp_path):
    before = labelled.read_bytes()
    path = intake.annotate(tmp_path / "marked.xlsx")
    sheet = openpyxl.load_workbook(path)["Data"]
    marked = [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment]
    assert marked == [f"A{row}" for row in range(3, 12)]
    assert sheet["A3"].fill.start_color.rgb.endswith("FFEB9C")
    assert "labels in some rows" in sheet["A3"].comment.text
    assert [cell.value for cell in sheet["A"]] == ["=1+1", "Rarely", *[4] * 9]
    assert labelled.read_bytes() == before


def test_annotated_copy_does_not_overwrite(intake, labelled, tmp_path):
    with pytest.raises(FileExistsError):
        intake.annotate(labelled)
    with pytest.raises(ValueError, match=r"\.xlsx"):
        intake.annotate(tmp_path / "marked.xls")


def test_only_workbooks_can_be_annotated(harbour, answered, tmp_path):
    intake = read_responses(answered(), harbour, form="guest").intake
    with pytest.raises(ValueError, match="DataFrame"):
        intake.annotate(tmp_path / "marked.xlsx")


def test_errors_can_be_marked_too(harbour, codes, workbook, tmp_path):
    path = workbook(Data=[codes, [9, 2, 3, 4, 5, 1], *[[1, 2, 3, 4, 5, "x"]] * 7])
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    sheet = openpyxl.load_workbook(mark_cells(path, error.value.issues, tmp_path / "marked.xlsx"))["Data"]
    marked = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment}
    assert marked == {"A2", *(f"F{row}" for row in range(3, 10))}


def test_a_file_that_was_refused_is_not_opened_to_mark_it(harbour, tmp_path):
    path = tmp_path / "damaged.xlsx"
    path.write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour)
    with pytest.raises(ResponsesError):
        mark_cells(path, error.value.issues, tmp_path / "marked.xlsx")
    assert not (tmp_path / "marked.xlsx").exists()
