"""SurveyMonkey and plain sheets whose questions stand merged above the rows of their grid."""

from __future__ import annotations

import pandas as pd
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses

START = ["Respondent ID", "Collector ID", "Start Date", "IP Address"]


def condensed(questions, answers):
    above = [*START, "How was it?", *[""] * 5, "Which pier?", "Anything else?"]
    below = ["", "", "", "", *questions, "Response", "Open-Ended Response"]
    rows = [
        [f"1149{i}", "77", "03/01/2026", "192.0.2.7", *answer, "NS"[i % 2], "-"] for i, answer in enumerate(answers)
    ]
    return [above, below, *rows]


def test_surveymonkey_condensed(export, questions, labels, check, harbour):
    path = export(condensed(questions, [labels(i) for i in range(3)]))
    responses = read_responses(path, harbour, form="guest", unit="Which pier?")
    check(responses, "surveymonkey", 3, [0, 1, 2])
    assert responses.respondents["unit"].tolist() == ["N", "S", "N"]
    assert responses.answers.index.tolist() == [3, 4, 5]


def test_surveymonkey_question_of_its_own(export, questions, labels, check, harbour):
    rows = condensed(questions, [labels(i) for i in range(3)])
    rows[0][4:10], rows[1][4:10] = questions, ["Response"] * 6
    check(read_responses(export(rows), harbour, form="guest"), "surveymonkey", 3, [0, 1, 2])


def expanded(questions, answers, harbour):
    labels = list(harbour.options("hrb_calm_1").values())
    above, below = ["Respondent ID", "Start Date"], ["", ""]
    for question in questions:
        above += [question, *[""] * (len(labels) - 1)]
        below += labels
    above += ["Which boats?", ""]
    below += ["Red", "Blue"]
    rows = [
        [f"9{i}", "", *(label if label == chosen else "" for chosen in answer for label in labels), "Red", "Blue"]
        for i, answer in enumerate(answers)
    ]
    return [
        above,
        below,
        *rows,
        *[["98", "", *[""] * (len(above) - 2)]],
        ["99", "", *[""] * (len(above) - 3), "Other (please specify)"],
    ]


def test_surveymonkey_expanded_columns_of_options_are_joined(export, questions, labels, check, harbour):
    rows = expanded(questions, [labels(i) for i in range(4)], harbour)
    rows[1][-1] = "Other (please specify)"
    responses = read_responses(export(rows), harbour, form="guest")
    assert (responses.intake.platform, responses.intake.n_rows, responses.intake.n_kept) == ("surveymonkey", 6, 4)
    assert responses.answers["hrb_calm_1"].tolist() == [1, 2, 3, 4]
    assert responses.answers["hrb_late_2"].tolist() == [1, 2, 3, 4]
    assert "joined_options" in {issue.code for issue in responses.intake.issues}


def test_plain_sheet_with_merged_question_above_the_rows(export, questions, labels, check, harbour):
    rows = [
        ["Harbour survey 2026", *[""] * 7],
        [*questions[:2], "How was the rest?", "", "", "", "Pier", ""],
        ["", "", *questions[2:], "", ""],
        *[[*labels(i), "N", ""] for i in range(3)],
    ]
    responses = read_responses(export(rows), harbour, form="guest", unit="Pier")
    check(responses, "plain", 3, [0, 1, 2])
    assert responses.answers.index.tolist() == [4, 5, 6]


@pytest.mark.parametrize("letters", ["Q", "VAR_", "v"])
def test_plain_sheet_with_the_numbers_of_its_questions_below_them(letters, export, questions, labels, check, harbour):
    numbers = [f"{letters}{i}" for i in range(3, 9)]
    rows = [["Pier", *questions, ""], ["Pier", *numbers, ""], *[["N", *labels(i), ""] for i in range(3)]]
    check(read_responses(export(rows), harbour, form="guest"), "plain", 3, [0, 1, 2])
    mapped = read_responses(export(rows), harbour, form="guest", columns={numbers[0]: "hrb_calm_1"})
    assert mapped.intake.matches.set_index("item").loc["hrb_calm_1", "method"] == "mapping"


def test_first_answers_that_look_like_numbers_of_questions_are_kept(export, questions, harbour):
    first, second = [f"A{i}" for i in range(1, 7)], [f"A{i}" for i in (1, 3, 3, 2, 5, 4)]
    with pytest.raises(ResponsesError, match="'A1' \\(2 times\\) is not an answer of hrb_calm_1"):
        read_responses(export([questions, first, second, second[::-1]]), harbour, form="guest")


def test_row_of_totals_is_left_out(export, questions, numbers, check, harbour):
    rows = [["Pier", *questions], *[["NSEW"[i], *numbers(i)] for i in range(4)], [], ["Average", *[2.5] * 6],
            ["Total", *[10] * 6]]  # fmt: skip
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "plain", 4, [0, 1, 2, 3])
    assert "removed_total_row" in {issue.code for issue in responses.intake.issues}


def test_last_respondent_of_a_unit_called_total_is_kept(export, questions, numbers, harbour):
    rows = [["Pier", *questions], *[["Total", *numbers(i)] for i in range(4)]]
    assert len(read_responses(export(rows), harbour, form="guest")) == 4


def test_summary_table_is_said_to_be_one(export, questions, harbour):
    rows = [["Answer", "Share"], *[[f"Option {i}", f"{i} %"] for i in range(9)]]
    with pytest.raises(ResponsesError, match="summary table"):
        read_responses(export(rows), harbour, form="guest")


def test_unknown_platform_name__value_error(export, questions, labels, harbour):
    with pytest.raises(ValueError, match=r"platform='qualtrix'.*qualtrics"):
        read_responses(export([questions, labels(0)]), harbour, platform="qualtrix")


def test_named_platform_overrides_what_the_content_says(export, questions, numbers, harbour):
    path = export([["Timestamp", *questions], *[["2026-01-01", *numbers(i)] for i in range(3)]])
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["unknown_direction"]
    responses = read_responses(path, harbour, form="guest", platform="plain")
    assert (responses.intake.platform, responses.answers["hrb_calm_1"].tolist()) == ("plain", [1, 2, 3])
    mapping = dict(zip(questions, [item.code for item in harbour.items], strict=True))
    path = export([questions, *[numbers(i) for i in range(3)]])
    named = read_responses(path, harbour, form="guest", platform="redcap", columns=mapping)
    assert named.intake.platform == "redcap"


def test_frame_that_pandas_read_with_one_or_two_rows_of_headings(export, questions, labels, check, harbour):
    path = export(condensed(questions, [labels(i) for i in range(3)]))
    for header in (0, [0, 1]):
        frame = pd.read_csv(path, header=header, dtype=str)
        check(read_responses(frame, harbour, form="guest"), "surveymonkey", 3, [0, 1, 2])


def test_heading_with_html(export, questions, labels, check, harbour):
    rows = condensed(questions, [labels(i) for i in range(3)])
    rows[0][4:10], rows[1][4:10] = [f"<p>{q}&nbsp;</p>" for q in questions], ["Response"] * 6
    check(read_responses(export(rows), harbour, form="guest"), "surveymonkey", 3, [0, 1, 2])


def test_two_questions_with_the_same_rows__the_one_below_the_stem_is_taken(export, questions, labels, harbour):
    from dataclasses import replace

    locale = harbour.locales["en"]
    stem = replace(locale.forms["guest"], stems={"default": "How often did you see this?"})
    mine = replace(harbour, locales={**harbour.locales, "en": replace(locale, forms={**locale.forms, "guest": stem})})
    above = ["Respondent ID", "How important is this?", *[""] * 5, "How often did you see this?", *[""] * 5, "Pier"]
    rows = [[f"9{i}", *["Important"] * 6, *labels(i), "N"] for i in range(3)]
    path = export([above, ["", *questions, *questions, "Response"], *rows])
    responses = read_responses(path, mine, form="guest")
    assert responses.answers["hrb_calm_1"].tolist() == [1, 2, 3]
    assert [issue.code for issue in responses.intake.issues] == ["other_question"] * 6
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert {issue.code for issue in error.value.issues} >= {"duplicate_match"}


def test_exports_put_below_each_other__the_headings_in_between_are_left_out(export, questions, labels, harbour):
    rows = [["Pier", *questions], *[["N", *labels(i)] for i in range(2)]]
    responses = read_responses(export([*rows, *rows]), harbour, form="guest")
    assert responses.answers["hrb_calm_1"].tolist() == [1, 2, 1, 2]
    assert responses.answers.index.tolist() == [2, 3, 5, 6]
    assert [issue.code for issue in responses.intake.issues] == ["removed_heading_row"]


@pytest.mark.parametrize("kind", ["list", "on its side", "summary", "codes"])
def test_questions_one_below_the_other__one_fault_that_says_so(kind, export, questions, labels, codes, harbour, faults):
    table = [["Pier", *questions], *[["N", *labels(i)] for i in range(9)]]
    rows = {
        "list": [
            ["who", "what", "answer"],
            *[[i, q, a] for i in range(9) for q, a in zip(questions, labels(i), strict=True)],
        ],
        "on its side": [list(row) for row in zip(*table, strict=True)],
        "summary": [["Question", "Never", "Often"], *[[q, "10%", "90%"] for q in questions]],
        "codes": [["item", "mean"], *[[code, "3.2"] for code in codes]],
    }[kind]
    assert faults(export(rows), harbour, form="guest") == ["questions_in_rows"]


def test_list_of_answers_whose_first_question_is_taken_for_a_heading(export, questions, harbour, faults):
    rows = [["Big", "A1", questions[0], "3"], ["Big", "A2", questions[1], "2"], ["Small", "A1", questions[0], "1"]]
    assert faults(export(rows), harbour, form="guest") == ["questions_in_rows"]


def test_design_of_a_form__said_so(export, questions, harbour):
    rows = [
        ["type", "name", "label"],
        ["begin_group", "visit", "Your visit"],
        *[["select_one often", f"q{i}", question] for i, question in enumerate(questions)],
        ["end_group", "", ""],
    ]
    with pytest.raises(ResponsesError, match="seems to be an XLSForm") as error:
        read_responses(export(rows), harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["questions_in_rows"]


def test_file_without_headings__no_answer_is_quoted(export, harbour):
    rows = [[i, f"4/{i}/2026 22:38", f"4/{i}/2026 22:39", "G9", "7", "3", "Ann was kind"] for i in range(1, 5)]
    with pytest.raises(ResponsesError, match="its first row seems to hold answers, not headings") as error:
        read_responses(export(rows), harbour, form="guest")
    assert "Ann" not in str(error.value)


def test_surveymonkey_details_beside_the_respondents_id(export, questions, labels, check, harbour):
    rows = condensed(questions, [labels(i) for i in range(3)])
    rows[0] = [rows[0][0], "", *rows[0][1:]]
    rows[1] = ["", "Name", *rows[1][1:]]
    answers = [[row[0], "Ann Other", *row[1:]] for row in rows[2:]]
    responses = read_responses(export([*rows[:2], *answers]), harbour, form="guest")
    check(responses, "surveymonkey", 3, [0, 1, 2])
    assert "Respondent ID" in responses.respondents
    assert not [name for name in responses.respondents if "Name" in name]


def test_question_below_a_heading_asks_for_a_name__dropped(harbour, labels, questions, export):
    heads = [["Q1", *(f"Q{i}" for i in range(2, 8))], ["What is your name?", *questions]]
    rows = [[name, *labels(i)] for i, name in enumerate(["Ann", "Bo", "Cy", "Di"])]
    responses = read_responses(export([*heads, *rows]), harbour, form="guest")
    assert list(responses.respondents) == []
    assert [issue.code for issue in responses.intake.issues] == ["dropped_personal_column"]
