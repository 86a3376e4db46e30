"""Answers are coded as a whole column on the declared scale, and everything that the scale does not know is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicediag.errors import ResponsesError
from servicediag.instrument.model import Scale
from servicediag.responses import read_responses
from servicediag.responses.coding import ScaleLabels, code_texts, missing_texts
from servicediag.responses.model import missing_code


def read_column(values, harbour, answered, **options):
    frame = answered(len(values), hrb_calm_1=values)
    options = {"form": "guest", "minimum_completed": 0, **options}
    return read_responses(frame, harbour, **options)


def coded(values, harbour, answered, **options):
    return read_column(values, harbour, answered, **options).answers["hrb_calm_1"].tolist()


def issue_codes(responses):
    return [issue.code for issue in responses.intake.issues]


@pytest.mark.parametrize(
    "values",
    [
        ["Never", "Rarely", "Sometimes", "Often", "Almost always"],
        ["never ", "RARELY", "Sometimes.", "\u00a0often", "Always"],
        ["Nunca", "Rara vez", "A veces", "A menudo", "Casi siempre"],
        ["Никогда", "Редко", "Иногда", "Часто", "Почти всегда"],
        ["1", "2", "3", "4", "5"],
        [1, 2, 3, 4, 5],
        [1.0, 2.0, 3.0, 4.0, 5.0],
        ["1.0", "2,0", " 3", "4", "5"],
        ["1 - Never", "2: Rarely", "(3): Sometimes", "4. Often", "5 (Almost always)"],
        ["Never (1)", "Rarely [2]", "3=Sometimes", "4) Often", "5 Always"],
    ],
)
def test_labels_and_codes_give_the_codes_of_the_scale(values, harbour, answered):
    assert coded(values, harbour, answered) == [1, 2, 3, 4, 5]


def test_answers_are_held_as_int8(harbour, answered):
    responses = read_responses(answered(), harbour, form="guest")
    assert {column.dtype for column in responses.codes.values()} == {np.dtype(np.int8)}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "blank"), ("", "blank"), (" \u00a0", "blank"), (float("nan"), "blank"), (pd.NA, "blank"),
        ("Did not apply", "not_applicable"), ("N/A", "not_applicable"), ("NA", "not_applicable"),
        ("No lo sé", "dont_know"), ("I don’t know", "dont_know"), ("Prefer not to say", "refused"),
        ("#N/A", "unreadable"), ("#REF!", "unreadable"),
        (-99, "declared"), ("-99.0", "declared"), ("no opinion", "declared"),
    ],
)  # fmt: skip
def test_missing_answers_keep_their_reason(value, reason, harbour, answered):
    responses = read_column([value, "1", "2"], harbour, answered, missing_codes=(-99, "No opinion"))
    assert responses.missing["hrb_calm_1"].tolist() == [reason, "", ""]
    assert responses.answers["hrb_calm_1"].isna().tolist() == [True, False, False]


def test_declared_missing_code_wins_over_a_code_of_the_scale(harbour, answered):
    responses = read_column([5, 4, 3], harbour, answered, missing_codes=(5,))
    assert responses.missing["hrb_calm_1"].tolist() == ["declared", "", ""]


@pytest.mark.parametrize("value", ["0", "6", "-1", "3.5", "99", "55"])
def test_number_beyond_the_scale__out_of_range(value, harbour, answered, faults):
    assert faults(answered(3, hrb_calm_1=[value, "1", "2"]), harbour, form="guest") == ["out_of_range"]


@pytest.mark.parametrize(
    "value", ["Agree", "Sometime", "Nearly always", "5 - Agree", "१", "1e400", "NaN", "#1", "2024-03-01"]
)
def test_label_that_the_scale_does_not_know__unknown_label(value, harbour, answered, faults):
    assert faults(answered(3, hrb_calm_1=[value, "Never", "Often"]), harbour, form="guest") == ["unknown_label"]


def test_every_unknown_value_is_named_with_count_and_first_cell(harbour, answered, workbook):
    frame = answered(5, hrb_calm_2=["Agree", "Often", "Agree", "Disagree", "9"])
    path = workbook(Data=[list(frame), *frame.values.tolist()])
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    issues = error.value.issues
    assert [(issue.code, issue.where) for issue in issues] == [
        ("unknown_label", "answers.xlsx, Data!B2, B4"),
        ("unknown_label", "answers.xlsx, Data!B5"),
        ("out_of_range", "answers.xlsx, Data!B6"),
    ]
    assert "'Agree' (2 times)" in issues[0].problem
    assert "1 Never" in issues[0].remedy


def test_all_numbers_beyond_the_scale_are_one_fault_of_their_column(harbour, answered):
    with pytest.raises(ResponsesError) as error:
        read_responses(answered(5, hrb_calm_1=[72, 86, 72, 5, 100]), harbour, form="guest")
    (issue,) = error.value.issues
    assert issue.code == "out_of_range"
    assert issue.problem == (
        "'72' (2 times), '86' (once), '100' (once) are not codes of hrb_calm_1, which goes from 1 to 5."
    )


@pytest.mark.parametrize(
    ("answers", "remarks"),
    [
        (["1 (Never)", "3", "5 (Almost always)"], []),
        (["1 (Never)", "3", "4 (Often)"], ["mixed_labels_and_codes"]),
        (["Never", "3", "Almost always"], ["mixed_labels_and_codes"]),
    ],
)
def test_labels_with_their_numbers_at_the_ends_of_a_scale_are_no_mixture(answers, remarks, harbour, answered):
    assert issue_codes(read_column(answers, harbour, answered)) == remarks


def test_faults_of_all_columns_come_in_one_error(harbour, answered, faults):
    frame = answered(3, hrb_calm_1=["x", 1, 2], hrb_late_1=[9, 1, 2], hrb_late_2=None)
    assert faults(frame, harbour, form="guest", unit="Nowhere") == [
        "missing_column", "unknown_label", "out_of_range", "missing_item",
    ]  # fmt: skip


def test_column_of_free_text__the_error_does_not_print_it_all(harbour, answered):
    texts = [
        f"My boss {i} is a very long story that should not be in a log, for it names people and places"
        for i in range(500)
    ]
    with pytest.raises(ResponsesError) as error:
        read_responses(answered(500, hrb_calm_1=texts), harbour, form="guest")
    assert len(error.value.issues) == 11
    assert "490 more" in error.value.issues[-1].problem
    assert "names people" not in str(error.value)


def test_labels_and_bare_codes_together__accepted_with_a_warning(harbour, answered):
    responses = read_column(["(3): Sometimes", "4", "4\u00a0", "Often"], harbour, answered)
    assert responses.answers["hrb_calm_1"].tolist() == [3, 4, 4, 4]
    assert issue_codes(responses) == ["mixed_labels_and_codes"]


def test_number_that_disagrees_with_its_label__the_label_is_taken_with_a_warning(harbour, answered):
    responses = read_column(["1 - Almost always", "5 - Never"], harbour, answered)
    assert responses.answers["hrb_calm_1"].tolist() == [5, 1]
    assert issue_codes(responses) == ["label_number_disagrees"]


def test_labels_of_two_languages_in_one_column__accepted_with_a_warning(harbour, answered):
    responses = read_column(["Never", "Casi siempre", "Иногда"], harbour, answered)
    assert responses.answers["hrb_calm_1"].tolist() == [1, 5, 3]
    assert issue_codes(responses) == ["mixed_languages"]


def test_error_cell_of_a_workbook__unreadable_with_a_warning(harbour, answered, workbook):
    frame = answered(3)
    rows = [list(frame), *frame.values.tolist()]
    rows[2][0] = "#N/A"
    responses = read_responses(workbook(Data=rows), harbour, form="guest")
    assert responses.missing["hrb_calm_1"].tolist() == ["", "unreadable", ""]
    assert [(i.code, i.where) for i in responses.intake.issues] == [("unreadable_cell", "answers.xlsx, Data!A3")]


SIDES = Scale(
    "sides", (1, 2, 3), {"en": {1: "Left", 2: "Middle", 3: "Right"}, "xx": {1: "Right", 2: "Middle", 3: "Left"}}
)


def test_label_whose_code_depends_on_the_language__refused_unless_the_language_is_known():
    labels = ScaleLabels.of(SIDES)
    assert {refusal.code for refusal in code_texts(["Left", "Middle"], labels).refusals} == {"unknown_label"}
    assert code_texts(["Left", "Middle"], labels, stated=("xx",)).codes.tolist()[:2] == [3, 2]
    assert code_texts(["Left", "Middle"], labels, stated=("en",)).codes.tolist()[:2] == [1, 2]


def test_alias_never_overrules_a_label():
    scale = Scale("s", (1, 2), {"en": {1: "Often", 2: "Always"}}, {}, {"en": {2: ("Often",)}})
    assert code_texts(["Often"], ScaleLabels.of(scale)).codes[0] == 1


def test_null_is_blank_and_stands_last():
    assert code_texts([], ScaleLabels.of(SIDES)).codes.tolist() == [missing_code("blank")]


@given(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))
def test_a_missing_code_is_the_same_number_however_it_is_written(number):
    wanted = missing_texts([number])
    assert wanted == missing_texts([f"{number:.3f}"]) == missing_texts([f"{number:.4f}".replace(".", ",")])


def test_names_of_choices__labels_with_underscores_for_spaces(harbour, answered):
    assert coded(["almost_always", "never", "Almost always"], harbour, answered) == [5, 1, 5]
    with pytest.raises(ResponsesError, match="'nearly_always'"):
        coded(["nearly_always", "never"], harbour, answered)
