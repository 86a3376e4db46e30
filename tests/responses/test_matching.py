"""Columns are found by mapping, code or exact text, in any language and wording; never by position or resemblance."""

from __future__ import annotations

import pandas as pd
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses


def found(responses):
    return dict(zip(responses.intake.matches["item"], responses.intake.matches["method"], strict=True))


@pytest.mark.parametrize(
    "heading",
    ["HRB.CALM.1", "hrbcalm1", " hrb-calm-1 ", "hrb_calm_1. Staff kept calm", "[hrb_calm_1]", "grid/hrb_calm_1",
     "Q7 [hrb_calm_1]", "hrb_calm_1: Staff kept calm"],
)  # fmt: skip
def test_item_code__case_and_punctuation_ignored(heading, harbour, answered):
    frame = answered().rename(columns={"hrb_calm_1": heading})
    responses = read_responses(frame, harbour, form="guest")
    assert found(responses)["hrb_calm_1"] == "code"
    assert responses.answers["hrb_calm_1"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "heading",
    ["Staff kept calm", "  staff KEPT\u00a0calm. ", "How was it? - Staff kept calm", "How was it? [Staff kept calm]",
     "How was it? >> Staff kept calm", "12、Staff kept calm", "Q3. Staff kept calm", "7) Staff kept calm",
     "7、How was it?\u2014Staff kept calm", "El personal mantuvo la calma", "Сотрудники были спокойны",
     "How was it? | 3. Staff kept calm", "B12) Staff kept calm", "f1: Staff kept calm", "4. (HRB-9) Staff kept calm",
     "(calm) Staff kept calm", "Q3_Staff kept calm", "A2a. Staff kept calm"],
)  # fmt: skip
def test_question_text__found_in_any_language_and_as_row_of_a_grid(heading, harbour, answered):
    frame = answered().rename(columns={"hrb_calm_1": heading})
    responses = read_responses(frame, harbour, form="guest")
    assert found(responses)["hrb_calm_1"] == "text"


def test_text_that_holds_a_separator_is_matched_whole(harbour, answered):
    frame = answered().rename(columns={"hrb_calm_2": "Stem - Staff listened - and answered"})
    assert found(read_responses(frame, harbour, form="guest"))["hrb_calm_2"] == "text"


@pytest.mark.parametrize(
    "heading", ["Staff kept calm and friendly", "Staff kept", "Staff did not keep calm", "xhrb_calm_1", "hrb_calm_11"]
)
def test_resembling_heading_is_not_matched(heading, harbour, answered):
    frame = answered().rename(columns={"hrb_calm_1": heading})
    responses = read_responses(frame, harbour, form="guest")
    assert "hrb_calm_1" not in responses.answers
    assert heading in responses.respondents


def test_position_does_not_matter(harbour, answered):
    frame = answered()
    turned = read_responses(frame[frame.columns[::-1]], harbour, form="guest")
    assert turned.answers.equals(read_responses(frame, harbour, form="guest").answers)


def test_headings_without_items__error_names_the_instrument(harbour):
    frame = pd.DataFrame({f"Q{i}": [1, 2, 3] for i in range(6)})
    with pytest.raises(ResponsesError, match="harbour") as error:
        read_responses(frame, harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["missing_item"]


def test_two_columns_for_one_item__error_names_both(harbour, answered):
    frame = answered()
    frame["Staff kept calm"] = frame["hrb_calm_1"]
    with pytest.raises(ResponsesError, match=r"'hrb_calm_1' and 'Staff kept calm'") as error:
        read_responses(frame, harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["duplicate_match"]


def test_repeated_heading_is_not_renamed_but_reported(harbour, answered, faults):
    frame = answered()
    frame.insert(1, "hrb_calm_1", frame["hrb_calm_1"], allow_duplicates=True)
    assert faults(frame, harbour, form="guest") == ["duplicate_match"]


def test_mapping_settles_which_of_two_columns_it_is(harbour, answered):
    frame = answered()
    frame["Staff kept calm"] = [5, 5, 5, 5]
    responses = read_responses(frame, harbour, form="guest", columns={"Staff kept calm": "HRB_CALM_1"})
    assert responses.answers["hrb_calm_1"].tolist() == [5, 5, 5, 5]
    assert found(responses)["hrb_calm_1"] == "mapping"


def test_mapping_to_none_says_that_a_column_is_no_item(harbour, answered):
    frame = answered()
    frame["Staff kept calm"] = ["x", "y", "z", "x"]
    responses = read_responses(frame, harbour, form="guest", columns={"Staff kept calm": None})
    assert responses.answers["hrb_calm_1"].tolist() == [1, 2, 3, 4]
    assert responses.respondents["Staff kept calm"].tolist() == ["x", "y", "z", "x"]


def test_mapped_column_that_is_not_there__error_with_close_names(harbour, answered):
    frame = answered().rename(columns={"hrb_calm_1": "Calmness"})
    with pytest.raises(ResponsesError, match="'Calmness'") as error:
        read_responses(frame, harbour, form="guest", columns={"Calmnes": "hrb_calm_1"})
    assert [issue.code for issue in error.value.issues] == ["missing_column"]


def test_mapping_to_unknown_item__value_error(harbour, answered):
    with pytest.raises(ValueError, match=r"columns=.*hrb_calm_1"):
        read_responses(answered(), harbour, form="guest", columns={"hrb_calm_2": "hrb_clam_1"})


def test_heading_with_the_code_of_one_item_and_the_text_of_another__error(harbour, answered, faults):
    frame = answered().rename(columns={"hrb_calm_1": "hrb_calm_1. Staff hurried me"})
    assert "ambiguous_match" in faults(frame, harbour, form="guest")


def test_text_shared_by_two_instruments__error(harbour, kitchen, answered, faults):
    from dataclasses import replace

    locale = kitchen.locales["en"]
    texts = {**locale.items, "kit_heat_1": {"cook": "Staff kept calm"}}
    twin = replace(kitchen, locales={"en": replace(locale, items=texts)})
    frame = answered(kit_heat_2=[1, 2, 3, 1]).rename(columns={"hrb_calm_1": "Staff kept calm"})
    assert "ambiguous_match" in faults(frame, [harbour, twin], form="harbour:guest")


def test_several_instruments_in_one_export(harbour, kitchen, answered):
    frame = answered(kit_heat_1=["Agree", "Neither", "Disagree", "Agree"], kit_heat_2=[3, 2, 1, 3])
    responses = read_responses(frame, [harbour, kitchen], form={"harbour": "guest"})
    assert [(part.instrument.id, part.form.id) for part in responses.parts] == [
        ("harbour", "guest"),
        ("kitchen", "cook"),
    ]
    assert responses.part("kitchen").answers["kit_heat_1"].tolist() == [3, 2, 1, 3]
    assert list(responses.part("harbour").answers) == [item.code for item in harbour.items]


def test_instrument_of_which_nothing_is_found__error(harbour, kitchen, answered, faults):
    assert faults(answered(), [harbour, kitchen], form="harbour:guest") == ["missing_item"]


def test_same_instrument_twice__value_error(harbour, answered):
    with pytest.raises(ValueError, match="instrument="):
        read_responses(answered(), [harbour, harbour], form="guest")


def test_item_outside_the_form_named_is_left_out_and_reported(harbour, answered):
    responses = read_responses(answered(), harbour, form="guest-short")
    assert list(responses.answers) == ["hrb_calm_1", "hrb_calm_2", "hrb_late_1"]
    assert list(responses.intake.matches["item"]) == ["hrb_calm_1", "hrb_calm_2", "hrb_late_1"]
    assert [issue.code for issue in responses.intake.issues] == ["outside_form"] * 3
    assert list(responses.respondents) == []


def test_instrument_by_id_and_by_package():
    import servicediag as sd

    sins = sd.load_instrument("seven-sins")
    frame = pd.DataFrame({item.code: [1, 2, 3] for item in sins.items})
    by_id = read_responses(frame, "seven-sins", form="customer")
    by_package = read_responses(frame, "customer")
    assert by_id.instrument == sins
    assert (by_package.form, by_package.answers.equals(by_id.answers)) == ("customer", True)


def test_package_asks_for_its_own_items_only():
    import servicediag as sd

    codes = [item.code for item in sd.load_instrument("readiness").form_items("employee")]
    frame = pd.DataFrame({code: [1, 2, 3] for code in [*codes, *(f"tool_role_{i}" for i in range(1, 5))]})
    responses = read_responses(frame, "core-employee")
    assert [part.form.id for part in responses.parts] == ["employee", "receiver"]
    assert responses.intake.issues == ()
