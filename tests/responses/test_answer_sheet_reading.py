"""A filled answer sheet says itself what it is, and is read back exactly."""

from __future__ import annotations

from dataclasses import replace

import openpyxl
import pytest

import servicediag as sd
from servicediag.responses import read_responses


@pytest.fixture
def sins():
    return sd.load_instrument("seven-sins")


@pytest.fixture
def fill(tmp_path, sins):
    """Write an answer sheet and fill in its first rows with labels, as people do."""

    def write(form, answers, people=()):
        path = sd.write_answer_sheet(sins, tmp_path / "sheet.xlsx", form=form, overwrite=True)
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        columns = {sheet.cell(2, c).value: c for c in range(1, sheet.max_column + 1)}
        for i, person in enumerate(people):
            for name, value in person.items():
                sheet.cell(3 + i, columns[name], value)
        for i, row in enumerate(answers):
            for code, value in row.items():
                sheet.cell(3 + i, columns[code], value)
        book.save(path)
        return path

    return write


def filled_rows(instrument, form, n=4):
    items = instrument.form(form).items
    codes = {item: list(instrument.options(item, form)) for item in items}
    expected = [[codes[item][(i + j) % len(codes[item])] for j, item in enumerate(items)] for i in range(n)]
    rows = [
        {item: instrument.options(item, form)[code] for item, code in zip(items, row, strict=True)} for row in expected
    ]
    return rows, expected


@pytest.mark.parametrize("form", ["customer", "observer", "supervisor", "mystery-shopper", "customer-short"])
def test_every_form_is_read_back_as_it_was_filled(form, fill, sins):
    rows, expected = filled_rows(sins, form)
    responses = read_responses(fill(form, rows), "seven-sins")
    assert (responses.intake.platform, responses.form) == ("answer_sheet", form)
    assert responses.answers[list(sins.form(form).items)].to_numpy().tolist() == expected
    assert responses.answers.index.tolist() == [3, 4, 5, 6]
    assert responses.intake.issues == ()


def test_respondent_unit_and_wave_need_no_naming(fill, sins):
    rows, _ = filled_rows(sins, "supervisor", 2)
    people = [
        {"respondent": "p1", "unit": "Pier", "wave": "2024"},
        {"respondent": "p2", "unit": "Quay", "wave": "2024"},
    ]
    responses = read_responses(fill("supervisor", rows, people), sins)
    assert responses.respondents.index.tolist() == ["p1", "p2"]
    assert responses.respondents.to_dict("list") == {"unit": ["Pier", "Quay"], "wave": ["2024", "2024"]}


def test_columns_that_nobody_filled_are_not_there(fill, sins):
    rows, _ = filled_rows(sins, "customer", 2)
    responses = read_responses(fill("customer", rows), sins)
    assert list(responses.respondents) == []
    assert responses.respondents.index.name == "row"


def test_rows_left_empty_between_are_skipped(fill, sins):
    rows, expected = filled_rows(sins, "customer", 3)
    responses = read_responses(fill("customer", [rows[0], {}, rows[2]]), sins)
    assert responses.answers.index.tolist() == [3, 5]
    assert responses.answers[list(sins.form("customer").items)].to_numpy().tolist() == [expected[0], expected[2]]


def test_missing_option_is_read_back(fill, sins):
    rows, _ = filled_rows(sins, "customer", 2)
    code = sins.form("customer").items[0]
    ((reason, label),) = sins.missing_options(code, "customer").items()
    rows[0][code] = label
    assert read_responses(fill("customer", rows), sins).missing[code].tolist() == [reason, ""]


def test_wave_of_the_caller_stands_where_the_column_is_empty(fill, sins):
    rows, _ = filled_rows(sins, "customer", 2)
    assert set(read_responses(fill("customer", rows), sins, wave="after").respondents["wave"]) == {"after"}


def test_form_against_the_sheet__error(fill, sins, faults):
    rows, _ = filled_rows(sins, "customer", 2)
    assert faults(fill("customer", rows), sins, form="observer") == ["ambiguous_form"]
    assert read_responses(fill("customer", rows), sins, form="customer").form == "customer"


def test_other_version__warning(fill, sins):
    rows, _ = filled_rows(sins, "customer", 2)
    newer = replace(sins, version="9.0.0")
    assert [issue.code for issue in read_responses(fill("customer", rows), newer).intake.issues] == ["other_version"]


def test_empty_answer_sheet__empty_sheet(fill, sins, faults):
    assert faults(fill("customer", []), sins) == ["empty_sheet"]


def test_hidden_row_of_codes_deleted__matched_by_text(fill, sins):
    rows, expected = filled_rows(sins, "supervisor", 2)
    path = fill("supervisor", rows)
    book = openpyxl.load_workbook(path)
    book.worksheets[0].delete_rows(2)
    book.save(path)
    responses = read_responses(path, sins)
    assert (responses.form, set(responses.intake.matches["method"])) == ("supervisor", {"text"})
    assert responses.answers[list(sins.form("supervisor").items)].to_numpy().tolist() == expected


def test_wrong_answer_in_the_sheet__cell_is_named(fill, sins):
    from servicediag.errors import ResponsesError

    rows, _ = filled_rows(sins, "customer", 2)
    rows[1]["sin_apathy_1"] = "Maybe"
    with pytest.raises(ResponsesError) as error:
        read_responses(fill("customer", rows), sins)
    assert [(i.code, i.where.rpartition("!")[2]) for i in error.value.issues] == [("unknown_label", "D4")]
