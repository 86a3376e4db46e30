"""Absent items, unfinished respondents and tiny files are judged by the instrument's own rules."""

from __future__ import annotations

import pandas as pd
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses


def severities(responses):
    return [(issue.code, issue.severity) for issue in responses.intake.issues]


def test_dimension_wholly_absent__note(harbour, answered):
    responses = read_responses(answered(hrb_late_1=None, hrb_late_2=None), harbour, form="guest")
    assert severities(responses) == [("missing_item", "note")]
    assert [dimension.id for dimension in responses.parts[0].dimensions] == ["calm"]


def test_dimension_that_can_still_be_scored__warning(harbour, answered):
    # Three of four items answer the minimum of 70 %.
    responses = read_responses(answered(hrb_calm_4=None), harbour, form="guest")
    assert severities(responses) == [("missing_item", "warning")]


@pytest.mark.parametrize("absent", [["hrb_late_1"], ["hrb_calm_1", "hrb_calm_2"]])
def test_dimension_that_cannot_be_scored__error(absent, harbour, answered, faults):
    frame = answered(**dict.fromkeys(absent))
    assert faults(frame, harbour, form="guest") == ["missing_item"]


def test_two_thirds_of_three_items_is_two():
    import servicediag as sd

    sins = sd.load_instrument("seven-sins")
    dimension = sins.dimensions[0]
    scored = [item.code for item in dimension.scored_items if item.code in sins.form("customer").items]
    frame = pd.DataFrame({item.code: [1, 2, 3] for item in sins.form_items("customer")}).drop(columns=scored[0])
    codes = [issue.severity for issue in read_responses(frame, sins, form="customer").intake.issues]
    assert codes == ["warning"]


def test_items_of_a_short_form_are_judged_by_the_short_form(harbour, answered):
    frame = answered()[["hrb_calm_1", "hrb_calm_2", "hrb_late_1"]]
    assert read_responses(frame, harbour, form="guest-short").intake.issues == ()


@pytest.mark.parametrize(("minimum", "kept"), [(0, [0, 1, 2, 3]), (0.5, [0, 1, 3]), (0.51, [0, 3]), (1, [0])])
def test_minimum_completed(minimum, kept, harbour, answered):
    frame = answered(4)
    frame.iloc[1, :3] = None
    frame.iloc[2, :5] = ""
    frame.iloc[3, 0] = None
    responses = read_responses(frame, harbour, form="guest", minimum_completed=minimum)
    assert responses.answers.index.tolist() == kept
    assert responses.respondents.index.tolist() == kept
    assert (responses.intake.n_rows, responses.intake.n_kept) == (4, len(kept))
    removed = [issue.problem for issue in responses.intake.issues if issue.code == "removed_partial"]
    assert [problem.split(" of ")[0] for problem in removed] == ([str(4 - len(kept))] if len(kept) < 4 else [])


def test_declined_answers_are_answers_but_declared_missing_ones_are_not(harbour, answered):
    frame = answered(3)
    frame.iloc[1] = "Did not apply"
    frame.iloc[2] = "-99"
    responses = read_responses(frame, harbour, form="guest", missing_codes=(-99,))
    assert responses.answers.index.tolist() == [0, 1]


def test_share_is_of_the_items_in_the_export(harbour, answered):
    frame = answered(hrb_calm_4=None)
    frame.iloc[0, :2] = None
    assert len(read_responses(frame, harbour, form="guest", minimum_completed=0.6)) == 4


def test_respondent_who_finished_one_of_two_instruments_is_kept(harbour, kitchen, answered):
    frame = answered(kit_heat_1=[1, 2, 3, None], kit_heat_2=[1, 2, 3, None])
    frame.iloc[0, :6] = None
    responses = read_responses(frame, [harbour, kitchen], form="harbour:guest", minimum_completed=0.9)
    assert len(responses) == 4


def test_nobody_left__error(harbour, answered, faults):
    frame = answered(2)
    frame.iloc[:, :4] = None
    assert faults(frame, harbour, form="guest") == ["too_few_respondents"]


def test_one_respondent__warning(harbour, answered):
    assert severities(read_responses(answered(1), harbour, form="guest")) == [("too_few_respondents", "warning")]


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_minimum_completed_is_a_share(value, harbour, answered):
    with pytest.raises(ValueError, match="minimum_completed"):
        read_responses(answered(), harbour, minimum_completed=value)


def test_rows_without_any_content_are_not_respondents(harbour, answered):
    frame = answered(3)
    frame.iloc[1] = None
    responses = read_responses(frame, harbour, form="guest", minimum_completed=0)
    assert responses.answers.index.tolist() == [0, 2]
    assert responses.intake.n_rows == 2


@pytest.mark.parametrize("blank", [None, "", "-99"])
def test_answers_that_are_all_blank__error_that_asks_for_the_right_sheet(blank, harbour, answered):
    frame = answered(12, shift=["day"] * 12)
    frame.iloc[:, :6] = blank
    with pytest.raises(ResponsesError, match="right sheet or export") as error:
        read_responses(frame, harbour, form="guest", missing_codes=(-99,))
    assert [issue.code for issue in error.value.issues] == ["empty_sheet"]
    kept = read_responses(frame, harbour, form="guest", missing_codes=(-99,), minimum_completed=0)
    assert (len(kept), severities(kept)) == (12, [("empty_sheet", "warning")])


def test_item_that_ten_answered_alike__warning_with_its_value(harbour, answered):
    frame = answered(12, hrb_calm_2=["Often"] * 10 + [None, "Did not apply"])
    issues = read_responses(frame, harbour, form="guest").intake.issues
    assert [(issue.code, issue.severity) for issue in issues] == [("constant_item", "warning")]
    assert "All 10 answers to hrb_calm_2 are the same: 4 Often." in issues[0].problem
    assert "hrb_calm_2" in issues[0].where


@pytest.mark.parametrize("column", [["Often"] * 9 + [None] * 3, ["Often"] * 11 + ["Rarely"], [None] * 12])
def test_item_that_fewer_answered_or_that_varies_is_no_constant(column, harbour, answered):
    assert read_responses(answered(12, hrb_calm_2=column), harbour, form="guest").intake.issues == ()


def test_constant_is_judged_by_the_respondents_that_are_kept(harbour, answered):
    frame = answered(12, hrb_calm_2=["Often"] * 11 + ["Rarely"])
    frame.loc[11, [code for code in frame.columns if code != "hrb_calm_2"]] = None
    codes = [issue.code for issue in read_responses(frame, harbour, form="guest").intake.issues]
    assert codes == ["removed_partial", "constant_item"]
