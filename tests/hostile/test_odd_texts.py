"""Texts that are hard to hold, to print or to tell apart: classes 6 and 7 of hostile inputs.

Direction overrides, zero-width characters, NUL, lone surrogates and endless cells end in a right result or a refusal;
two names of units that only look alike are never merged unasked, since a merge changes how many people a unit has.
"""

from __future__ import annotations

import json

import openpyxl
import pandas as pd
import pytest

import servicediag as sd
from servicediag.errors import ResponsesError
from servicediag.tables import write_csv, write_workbook

ODD = ("Sa\u202eles", "Sa\u200dles", "Sal\x0bes", "Sales\ud83d", "\ufeffSales", "Sales\u0000")
TWINS = ("Sales", "ＳＡＬＥＳ", "Sales\u00a0", "SALES", "Sa\u200bles")


def frame_of(rows, units, n=12):
    head, *body = rows(units, n)
    return pd.DataFrame(body, columns=head, dtype=object)


def read(frame, **keywords):
    return sd.read_responses(frame, "seven-sins", form="customer-short", unit="Branch", **keywords)


def test_every_file_is_written_and_tells_units_apart_whatever_they_are_called(rows, tmp_path):
    responses = read(frame_of(rows, ["Sales", *ODD]))
    assert responses.respondents["unit"].nunique() == 7
    diagnosis = sd.diagnose(responses, by="unit")
    for suffix, write in ((".xlsx", diagnosis.to_excel), (".html", diagnosis.to_html), (".json", diagnosis.to_json)):
        write(tmp_path / f"report{suffix}")
    json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (tmp_path / "report.html").read_bytes().decode("utf-8")
    book = openpyxl.load_workbook(tmp_path / "report.xlsx", read_only=True)
    texts = {value for sheet in book for row in sheet.iter_rows(values_only=True) for value in row}
    assert {"Sales", "Sales (2)"} <= texts


@pytest.mark.parametrize("text", [*ODD, "x" * 40_000, "_x000D_", "\r\nline"], ids=lambda text: ascii(text)[:20])
def test_tables_hold_any_text_as_cell_and_as_heading(text, tmp_path):
    frame = pd.DataFrame([[1, text], [2, "North"]], columns=pd.Index(["n", text], dtype=object), dtype=object)
    write_workbook(tmp_path / "t.xlsx", {"T": frame})
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx")["T"]
    assert sheet.cell(1, 2).value == sheet.cell(2, 2).value
    assert sheet.cell(2, 2).data_type == "s"
    assert sheet.cell(3, 2).value == "North"
    write_csv(tmp_path / "t.csv", frame)
    assert len(pd.read_csv(tmp_path / "t.csv", encoding="utf-8-sig")) == 2


def test_command_reads_and_prints_odd_names(rows, workbook, command):
    path = workbook(rows(["Sa\u202eles", "Ma\u200dil", "Por\x0bt", "North"], 12))
    outcome = command("reliability", path, "-i", "seven-sins:customer-short", "--by", "Branch")
    assert outcome.kind == "done"
    assert not set("\u202e\x0b\x1b") & set(outcome.text)


def test_nul_in_a_text_file_is_refused(rows, text_file, command):
    path = text_file(rows(["Sales\0"], 3))
    outcome = command("check", path, "-i", "seven-sins:customer-short")
    assert outcome.kind == "refused"
    assert "NUL" in outcome.text or "neither a workbook nor text" in outcome.text


def test_lone_surrogate_in_a_text_file_is_refused_or_replaced(rows, text_file, confined):
    path = text_file(rows(["Sales\ud83d"], 12))
    outcome = confined("read", path=path, form="customer-short", unit="Branch")
    assert outcome.kind == "refused" or outcome.value["n"] == 12


def test_lone_surrogate_in_json_is_replaced(rows, tmp_path, command):
    head, *body = rows(["Sales\ud83d", "North"], 12)
    path = tmp_path / "export.json"
    path.write_text(json.dumps([dict(zip(head, row, strict=True)) for row in body]))
    outcome = command("score", path, "-i", "seven-sins:customer-short", "--unit", "Branch", "-o", tmp_path / "s.xlsx")
    assert outcome.kind == "done", outcome.text


def test_cell_of_40_000_characters_is_refused_and_the_limit_named(rows, text_file, command):
    path = text_file(rows(["x" * 40_000], 3))
    outcome = command("check", path, "-i", "seven-sins:customer-short")
    assert outcome.kind == "refused"
    assert "cell_characters" in outcome.text
    assert "xxxx" not in outcome.text


@pytest.mark.parametrize("twin", TWINS[1:], ids=ascii)
def test_names_that_look_alike_are_not_merged_unasked_but_pointed_out(twin, rows):
    responses = read(frame_of(rows, [TWINS[0], twin], 12))
    units = responses.respondents["unit"]
    assert units.nunique() == 2 or "similar_units" in {issue.code for issue in responses.intake.issues}
    assert "similar_units" in {issue.code for issue in responses.intake.issues}


def test_columns_that_look_alike_must_be_named_by_their_place(rows):
    frame = frame_of(rows, ["North"], 12)
    frame.insert(1, "Ｂranch", ["South"] * 12)
    frame = frame.rename(columns={"Branch": "branch "})
    with pytest.raises(ResponsesError) as error:
        sd.read_responses(frame, "seven-sins", form="customer-short", unit="BRANCH")
    assert "duplicate_match" in {issue.code for issue in error.value.issues}
