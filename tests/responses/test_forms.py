"""The form is told by wording, scale or items; where these cannot tell, nobody guesses who answered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.errors import ResponsesError
from servicediag.responses import read_responses


def by_code(instrument, form, low=1, high=5):
    generator = np.random.default_rng(0)
    return pd.DataFrame({code: generator.permutation([low, high, low]) for code in instrument.form(form).items})


def by_text(instrument, form, frame=None):
    frame = by_code(instrument, form) if frame is None else frame
    return frame.rename(columns={code: instrument.text(code, form) for code in instrument.form(form).items})


def candidates(frame, instrument):
    with pytest.raises(ResponsesError) as error:
        read_responses(frame, instrument)
    (issue,) = error.value.issues
    assert issue.code == "ambiguous_form"
    return {form.id for form in instrument.forms if f"'{form.id}'" in issue.remedy}


@pytest.mark.parametrize("form", ["guest", "crew"])
def test_wording_tells_the_form(form, harbour):
    assert read_responses(by_text(harbour, form), harbour).form == form


def test_codes_alone_do_not_tell_guests_from_crew(harbour):
    assert candidates(by_code(harbour, "guest"), harbour) == {"guest", "crew"}


def test_scale_tells_the_form(harbour):
    assert read_responses(by_code(harbour, "inspector", 0, 1), harbour).form == "inspector"
    labelled = by_text(harbour, "guest").replace({1: "Never", 5: "Often"})
    assert read_responses(labelled, harbour).form == "guest"


def test_labels_of_another_scale_tell_the_form(harbour):
    frame = by_code(harbour, "inspector", 0, 1).replace({0: "No", 1: "Yes"})
    assert read_responses(frame, harbour).form == "inspector"


def test_codes_that_all_scales_share__ambiguous(harbour):
    assert candidates(by_code(harbour, "guest", 1, 1), harbour) == {"guest", "crew", "inspector"}


def test_short_form_is_taken_where_only_its_items_are_there(harbour):
    responses = read_responses(by_text(harbour, "guest-short"), harbour)
    assert (responses.form, responses.intake.issues) == ("guest-short", ())


def test_long_form_is_taken_where_an_item_of_it_is_there(harbour):
    frame = by_text(harbour, "guest").drop(columns="Staff hurried me")
    assert read_responses(frame, harbour).form == "guest"


def test_short_form_by_codes_is_still_ambiguous_between_raters(harbour):
    assert candidates(by_code(harbour, "guest-short"), harbour) == {"guest", "crew", "guest-short"}


def test_only_form_is_taken_by_codes(kitchen):
    assert read_responses(pd.DataFrame({"kit_heat_1": [1, 2], "kit_heat_2": [2, 3]}), kitchen).form == "cook"


def test_wordings_of_two_forms_in_one_file__error(harbour, faults):
    frame = by_text(harbour, "guest").rename(columns={"Staff kept calm": "We keep calm"})
    assert faults(frame, harbour) == ["ambiguous_form"]


def test_named_form_against_the_wording__warning(harbour):
    responses = read_responses(by_text(harbour, "guest"), harbour, form="crew")
    assert responses.form == "crew"
    assert [issue.code for issue in responses.intake.issues] == ["other_wording"]


@pytest.mark.parametrize("form", ["guests", "kitchen:cook", "harbour:cook", {"harbour": "x"}, {"x": "guest"}])
def test_form_that_does_not_exist__value_error(form, harbour, answered):
    with pytest.raises(ValueError, match="form="):
        read_responses(answered(), harbour, form=form)


@pytest.mark.parametrize("form", ["harbour:crew,kitchen:cook", {"harbour": "crew", "kitchen": "cook"}, "harbour:crew"])
def test_forms_of_several_instruments(form, harbour, kitchen, answered):
    frame = answered(kit_heat_1=[1, 2, 3, 1], kit_heat_2=[1, 2, 3, 1])
    assert [part.form.id for part in read_responses(frame, [harbour, kitchen], form=form).parts] == ["crew", "cook"]


def test_seven_sins_by_codes__never_guessed():
    sins = sd.load_instrument("seven-sins")
    assert {"customer", "observer", "supervisor"} <= candidates(by_code(sins, "customer"), sins)


def test_seven_sins_by_text__customers_are_told_but_colleagues_not_from_supervisors():
    sins = sd.load_instrument("seven-sins")
    assert read_responses(by_text(sins, "customer"), sins).form == "customer"
    assert candidates(by_text(sins, "observer"), sins) == {"observer", "supervisor"}


def test_readiness_state_by_codes__employee_or_supervisor():
    readiness = sd.load_instrument("readiness")
    assert {"employee", "supervisor"} <= candidates(by_code(readiness, "supervisor"), readiness)


def test_readiness_requirements_are_asked_of_employees_only():
    readiness = sd.load_instrument("readiness")
    assert read_responses(by_code(readiness, "employee"), readiness).form == "employee"


def test_four_tools_audit_is_excluded_by_codes_beyond_its_scale():
    tools = sd.load_instrument("four-tools")
    assert candidates(by_code(tools, "audit"), tools) == {"receiver", "provider"}
    assert "audit" in candidates(by_code(tools, "audit", 1, 3), tools)


def test_unknown_labels_are_named_rather_than_hidden_behind_the_form(harbour, faults):
    frame = by_text(harbour, "crew")
    frame.loc[0, "We keep calm"] = 9
    assert faults(frame, harbour) == ["out_of_range"]
