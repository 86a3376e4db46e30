"""Headings that resemble an item are suggested, and nothing is read until a person confirms them."""

from __future__ import annotations

import pickle

import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses
from servicediag.responses.suggestions import SuggestedMappingError

NEAR = "Staff helped att once"
"""One letter more than the text of hrb_calm_4, a ratio of 98."""


def stopped(*arguments, **keywords):
    with pytest.raises(SuggestedMappingError) as error:
        read_responses(*arguments, **keywords)
    return error.value


def test_resembling_heading_stops_the_reading_and_offers_a_mapping(harbour, answered, tmp_path):
    frame = answered().rename(columns={"hrb_calm_4": NEAR})
    error = stopped(frame, harbour, form="guest")
    assert [issue.code for issue in error.issues] == ["suggested_match"]
    assert error.mapping[NEAR] == "hrb_calm_4"
    path = error.save_mapping(tmp_path / "mapping.csv")
    confirmed = read_responses(frame, harbour, form="guest", columns=path)
    assert confirmed.answers["hrb_calm_4"].tolist() == frame[NEAR].tolist()
    assert set(confirmed.intake.matches["method"]) == {"mapping"}


def test_accepted_suggestion_is_read_with_a_warning(harbour, answered):
    frame = answered().rename(columns={"hrb_calm_4": NEAR})
    responses = read_responses(frame, harbour, form="guest", accept_suggestions=True)
    methods = responses.intake.matches.set_index("item")["method"]
    assert (methods["hrb_calm_4"], set(methods) - {"suggested"}) == ("suggested", {"code"})
    assert ("suggested_match", "warning") in {(i.code, i.severity) for i in responses.intake.issues}


@pytest.mark.parametrize(
    "heading",
    ["Staff helped not at once", "Staff never helped at once", "Staff were helping at once", "Staff helped at once 2"],
)
def test_other_negation_number_or_wording_is_never_suggested(heading, harbour, answered):
    frame = answered().rename(columns={"hrb_calm_4": heading})
    try:
        responses = read_responses(frame, harbour, form="guest")
    except SuggestedMappingError as error:
        pytest.fail(str(error))
    assert "hrb_calm_4" not in responses.answers


@pytest.mark.parametrize(
    "heading",
    [
        "7. Staff helped at once (1 = never, 5 = always)",
        "Staff helped at once? Please choose one answer.",
        "About the crew: Staff helped at once",
        "staff_helped_at_once",
        "Q4_crew_staff_helped_at_once",
        "3. Staff helped att once",
    ],
)
def test_question_with_something_before_or_behind_it_is_suggested_and_not_taken(heading, harbour, answered):
    error = stopped(answered().rename(columns={"hrb_calm_4": heading}), harbour, form="guest")
    assert [issue.code for issue in error.issues] == ["suggested_match"]
    assert error.mapping[heading] == "hrb_calm_4"


def test_same_question_is_suggested_although_another_item_is_nearly_so(twins, answered):
    error = stopped(answered().rename(columns={"hrb_calm_4": "Crew: Staff helped at once"}), twins, form="guest")
    assert error.mapping["Crew: Staff helped at once"] == "hrb_calm_4"


def test_hint_that_two_headings_share_a_question_with__no_suggestion(harbour, answered):
    frame = answered().rename(columns={"hrb_calm_4": "Staff helped at once (today)"})
    frame["Staff helped at once (last year)"] = frame["Staff helped at once (today)"]
    assert "hrb_calm_4" not in read_responses(frame, harbour, form="guest").answers


@pytest.fixture
def twins(harbour):
    """The harbour instrument with two items whose texts differ by a single letter."""
    from dataclasses import replace

    locale = harbour.locales["en"]
    texts = {**locale.items, "hrb_late_2": {"guest": "Staff helped st once", "crew": "x" * 20}}
    return replace(harbour, languages=("en",), locales={"en": replace(locale, items=texts)})


def test_two_items_that_are_about_as_near__no_suggestion(twins, answered):
    frame = answered().rename(columns={"hrb_calm_4": "Staff helped tt once"})
    responses = read_responses(frame, twins, form="guest")
    assert "hrb_calm_4" not in responses.answers


def test_two_headings_that_are_about_as_near__no_suggestion(harbour, answered):
    frame = answered().rename(columns={"hrb_calm_4": NEAR})
    frame["Staff helped ats once"] = frame[NEAR]
    assert "hrb_calm_4" not in read_responses(frame, harbour, form="guest").answers


def test_item_that_has_its_column_is_not_suggested_again(harbour, answered):
    frame = answered()
    frame[NEAR] = ["a", "b", "c", "d"]
    assert NEAR in read_responses(frame, harbour, form="guest").respondents


def test_faults_of_a_suggested_column_are_reported_in_the_same_go(harbour, answered):
    frame = answered(hrb_calm_4=["Never", "Oftn", 3, 4]).rename(columns={"hrb_calm_4": NEAR})
    assert [i.code for i in stopped(frame, harbour, form="guest").issues] == ["suggested_match", "unknown_label"]


def test_error_survives_pickling(harbour, answered):
    error = stopped(answered().rename(columns={"hrb_calm_4": NEAR}), harbour, form="guest")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, ResponsesError)
    assert (copy.mapping, copy.issues, str(copy)) == (error.mapping, error.issues, str(error))


def test_cut_off_heading_of_one_item_only__matched_by_its_beginning(harbour, answered):
    from dataclasses import replace

    locale = harbour.locales["en"]
    long = "The office by the pier was shut although the notice on its door said that it would be open"
    items = {**locale.items, "hrb_calm_4": {"guest": long, "crew": "x" * 20}}
    mine = replace(harbour, locales={**harbour.locales, "en": replace(locale, items=items)})
    for heading in (f"{long[:60]}...", f"{long[:60]}\u2026", f"About us - {long[:60]}.. "):
        responses = read_responses(answered().rename(columns={"hrb_calm_4": heading}), mine, form="guest")
        assert responses.intake.matches.set_index("item").loc["hrb_calm_4", "method"] == "prefix"
        assert [issue.code for issue in responses.intake.issues] == ["prefix_match"]
    whole = read_responses(answered().rename(columns={"hrb_calm_4": long[:60]}), mine, form="guest")
    assert "hrb_calm_4" not in whole.answers
    both = {**items, "hrb_late_2": {"guest": f"{long} early", "crew": "y" * 20}}
    twin = replace(mine, locales={**mine.locales, "en": replace(locale, items=both)})
    frame = answered().rename(columns={"hrb_calm_4": f"{long[:60]}..."})
    assert "hrb_calm_4" not in read_responses(frame, twin, form="guest").answers
