"""Cells that a spreadsheet or a hand has changed: the right answer, or a refusal that says what happened to them."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from servicediag.errors import ResponsesError
from servicediag.instrument.model import Scale
from servicediag.responses import read_responses

BANDS = Scale("frequency", (1, 2, 3, 4, 5), {"en": {1: "0", 2: "1-2", 3: "3-5", 4: "6-10", 5: "More than 10"}})


@pytest.fixture
def banded(harbour):
    return replace(harbour, scales={**harbour.scales, "frequency": BANDS})


def test_labels_that_look_like_dates_are_labels(banded, codes, workbook):
    rows = [codes, ["0", "1-2", "3-5", "6-10", "More than 10", "3\u20135"]]
    assert read_responses(workbook(Data=rows), banded, form="guest").answers.loc[2].tolist() == [1, 2, 3, 4, 5, 3]


@pytest.mark.parametrize(
    "cell",
    [datetime.datetime(2024, 5, 3), datetime.date(2024, 3, 5), "2024-05-03", "2024-05-03 00:00:00"],
    ids=["5 March", "3 May", "text", "text with time"],
)
def test_label_that_became_a_date__refused_and_the_label_is_named(cell, banded, codes, workbook):
    with pytest.raises(ResponsesError) as error:
        read_responses(workbook(Data=[codes, [cell, *["1-2"] * 5]]), banded, form="guest")
    (issue,) = error.value.issues
    assert (issue.code, issue.where) == ("unknown_label", "answers.xlsx, Data!A2")
    assert "turned '3-5' into a date" in issue.remedy


@pytest.mark.parametrize(
    "cell", ["May-03", "3-May", "03. Mai", "5-mar", "05-Mar", "5-мар", "3. Mär", "5月3日", "03/05/2024"]
)
def test_label_that_became_a_date_in_words__said_so(cell, banded, codes, workbook):
    with pytest.raises(ResponsesError, match="into a date"):
        read_responses(workbook(Data=[codes, [cell, *["1-2"] * 5]]), banded, form="guest")


def test_serial_number_of_a_date__out_of_range(banded, codes, workbook, faults):
    assert faults(workbook(Data=[codes, [45415, *["1-2"] * 5]]), banded, form="guest") == ["out_of_range"]


@pytest.mark.parametrize("cell", ["4,0", "4.0", "4.00", " 4 ", "\u00a04", "４", 4.0, "4\u200b", "\u202d4\u202c", "4\t"])
def test_number_however_it_is_written(cell, harbour, codes, workbook):
    rows = [codes, [cell, 2, 3, 4, 5, 1]]
    assert read_responses(workbook(Data=rows), harbour, form="guest").answers.iloc[0, 0] == 4


@pytest.mark.parametrize("cell", ["3,5", "3.5", 3.5, "-3", "3e0"])
def test_number_that_is_no_code__refused(cell, harbour, codes, workbook, faults):
    found = faults(workbook(Data=[codes, [cell, 2, 3, 4, 5, 1]]), harbour, form="guest")
    assert found in (["out_of_range"], ["unknown_label"])


@pytest.mark.parametrize(
    "label",
    ["Often\u200b", "\ufeffOften", "\u202eOften\u202c", "Of\u00adten", "Often\u2069", "\u200eOften", "OFTEN.",
     "\u00a0Often\u00a0", "Ｏｆｔｅｎ", "Often\r\n"],
)  # fmt: skip
def test_label_with_marks_that_nobody_sees(label, harbour, codes, answered):
    frame = answered(3, hrb_calm_1=[label, "Never", "Rarely"])
    assert read_responses(frame, harbour, form="guest").answers["hrb_calm_1"].tolist() == [4, 1, 2]


@pytest.mark.parametrize("label", ["Ofte\u0301n", "netfO\u202e", "Оften", "Often\x00often", "<b>Often</b>", "=Often"])
def test_label_that_is_only_made_to_look_alike__refused_without_harm(label, harbour, answered, faults):
    assert faults(answered(3, hrb_calm_1=[label, "Never", "Rarely"]), harbour, form="guest") == ["unknown_label"]


@pytest.mark.parametrize(
    "heading",
    [
        "<p>Staff kept <strong>calm</strong></p>", "Staff kept calm<br>", "<b style='x'>Staff kept calm</b>",
        "Staff&nbsp;kept calm", "Staff\u00a0kept\u00a0calm", "\u202aStaff kept calm\u202c", "Staff kept\ncalm",
        "Staff\r\n\r\nkept calm", "1. Staff kept calm", "Q3. Staff kept calm", "Staff kept calm:", "Staff kept calm *",
        "How often? - Staff kept calm", "How often?\nThink back. - Staff kept calm", "How often? >> Staff kept calm",
        "How often? [Staff kept calm]", "How often? [Staff kept calm ]", "(hrb_calm_1) Staff kept calm",
    ],
)  # fmt: skip
def test_heading_with_markup_line_breaks_or_numbers(heading, harbour, answered):
    frame = answered(4).rename(columns={"hrb_calm_1": heading})
    assert "hrb_calm_1" in read_responses(frame, harbour, form="guest").answers
