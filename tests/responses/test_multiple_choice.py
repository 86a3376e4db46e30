"""Questions that allow several answers: background where they are no item, a fault that says so where they are one."""

from __future__ import annotations

import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses


def found(responses, code="multiple_choice"):
    return [(issue.severity, issue.problem) for issue in responses.intake.issues if issue.code == code]


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["Mail;Desk;", "Desk;", "Mail;Phone;", "Phone"], "';'"),
        (["Mail, Desk", "Desk", "Mail, Phone", "Phone"], "commas"),
        (["Mail,Desk", "Desk", "Mail,Phone", "Phone"], "commas"),
        (["邮件┋柜台", "柜台", "邮件┋电话", "电话"], "'┋'"),
        (["Mail|Desk", "Desk", "Mail|Phone", "Phone"], "'|'"),
        (["Mail\nDesk", "Desk", "Mail\nPhone", "Phone"], "a line break"),
    ],
)
def test_choices_joined_in_a_cell_are_recognised_and_kept(cells, shown, harbour, answered):
    responses = read_responses(answered(4, Ways=cells), harbour, form="guest")
    assert responses.respondents["Ways"].tolist() == cells
    ((severity, problem),) = found(responses)
    assert severity == "note"
    assert "3 choices" in problem
    assert shown in problem


@pytest.mark.parametrize(
    "cells",
    [
        ["The boat was late, cold, and wet", "Nothing, really", "Good; thank you", "More seats, please"],
        ["Smith, Ann", "Jones, Bob", "Brown, Eve", "Young, Tim"],
        ["1,5", "2,5", "1,2", "5,2"],
        ["North Pier", "South Pier", "North Quay", "South Quay"],
    ],
)
def test_text_that_only_holds_a_separator_is_not_taken_for_choices(cells, harbour, answered):
    assert not found(read_responses(answered(4, Note=cells), harbour, form="guest"))


def test_unit_with_several_choices__warned_of(harbour, answered):
    frame = answered(4, Branch=["Pier;Quay", "Quay", "Pier", "Pier;Quay"])
    responses = read_responses(frame, harbour, form="guest", unit="Branch")
    ((severity, problem),) = found(responses)
    assert severity == "warning"
    assert "every combination" in problem


@pytest.mark.parametrize(
    "columns",
    [
        {"ways/mail": [1, 0, 1, ""], "ways/desk": [0, 1, 1, ""]},
        {"ways___1": [1, 0, 1, 0], "ways___2": [0, 1, 1, 0]},
        {"Ways (choice=Mail)": ["Checked", "Unchecked"] * 2, "Ways (choice=Desk)": ["Unchecked", "Checked"] * 2},
        {"G3[SQ001]. Ways [Mail]": ["Yes", "", "Yes", "N/A"], "G3[SQ002]. Ways [Desk]": ["", "Yes", "Yes", "N/A"]},
        {"Which ways? - Mail": ["Mail", "", "Mail", ""], "Which ways? - Desk": ["", "Desk", "Desk", ""]},
        {"Mail:Which ways?": ["Mail", "", "Mail", ""], "Desk:Which ways?": ["", "Desk", "Desk", ""]},
        {"Post": ["Post", "", "Post", ""], "Desk": ["", "Desk", "Desk", ""]},
    ],
    ids=["kobo", "redcap", "redcap labels", "limesurvey", "qualtrics", "alchemer", "typeform"],
)
def test_columns_of_options_are_recognised_as_one_question_and_kept(columns, harbour, answered):
    responses = read_responses(answered(4, **columns), harbour, form="guest")
    assert list(responses.respondents) == list(columns)
    ((severity, problem),) = found(responses)
    assert severity == "note"
    assert problem.startswith("2 columns are the options of one question")


def test_single_column_of_yes_and_no_is_no_question_of_several_options(harbour, answered):
    frame = answered(4, **{"Newsletter": ["Yes", "No", "Yes", ""], "Terms/accepted": [1, 1, 0, 1]})
    assert not found(read_responses(frame, harbour, form="guest"))


@pytest.mark.parametrize("cell", ["Often;Never", "Often; Never;", "Often, Never", "Often┋Never", "4 1", "4;1"])
def test_several_answers_to_an_item__a_fault_of_its_own_with_the_cell(cell, harbour, answered, workbook):
    frame = answered(4, hrb_calm_2=[cell, "Often", "Never", "Often"])
    with pytest.raises(ResponsesError) as error:
        read_responses(workbook(Data=[list(frame), *frame.values.tolist()]), harbour, form="guest")
    (issue,) = error.value.issues
    assert (issue.code, issue.where) == ("several_answers", "answers.xlsx, Data!B2")
    assert "2 answers" in issue.problem
    assert "single choice" in issue.remedy


@pytest.mark.parametrize("heading", ["hrb_calm_1/{}", "hrb_calm_1___{}", "Staff kept calm [{}]"])
def test_item_with_a_column_for_each_option__refused_and_said_so(heading, harbour, answered, faults):
    options = {heading.format(i): [1 if i in (j, 5) else 0 for j in range(1, 5)] for i in range(1, 6)}
    assert "several_options" in faults(answered(4, hrb_calm_1=None, **options), harbour, form="guest")
