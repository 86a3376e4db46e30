"""Scores by the declared bounds and keys, the minimum-answered rule, and person-level indicators."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import servicediag as sd
from servicediag.scoring import _add_points

SINS = sd.load_instrument("seven-sins")
READINESS = sd.load_instrument("readiness")


def sins(rows, form="customer", **all_items):
    """Answers to the whole form; ``rows`` maps an item to its answers, all others are ``all_items`` or 1."""
    n = max((len(values) for values in rows.values()), default=1)
    frame = pd.DataFrame({item.code: [5 if item.reverse_keyed else 1] * n for item in SINS.form_items(form)})
    for code, values in rows.items():
        frame[code] = values
    return sd.read_responses(frame, SINS, form=form, minimum_completed=0)


def apathy(*answers):
    return {f"sin_apathy_{k}": [answer] for k, answer in enumerate(answers, 1)}


def test_conversion_and_reverse_key_match_the_hand_computed_example():
    assert sd.score(sins(apathy(4, 3, 5, 4, 2))).values["apathy"].iloc[0] == 75.0


def test_reversal_uses_the_declared_bounds_even_if_nobody_ticked_them():
    assert sd.score(sins(apathy(3, 3, 3, 3, 3))).values["apathy"].iloc[0] == 50.0


@pytest.mark.parametrize(("missing", "expected"), [(1, 75.0), (2, 75.0), (3, np.nan)])
def test_score_needs_three_of_five_answers(missing, expected):
    answers = [4, 4, 4, 4, 2]
    answers[:missing] = [None] * missing
    assert_allclose(sd.score(sins(apathy(*answers))).values["apathy"].iloc[0], expected)


def test_two_thirds_of_the_items_is_the_default_minimum():
    frame = pd.DataFrame({item.code: [3.0, 3.0] for item in READINESS.items})
    frame.loc[0, ["rdy_can_s1"]] = np.nan
    frame.loc[1, ["rdy_can_s1", "rdy_can_s2"]] = np.nan
    values = sd.score(sd.read_responses(frame, READINESS, form="employee")).values["can"]
    assert_allclose(values, [50.0, np.nan])


def test_item_outside_the_score_does_not_move_it():
    frame = pd.DataFrame({item.code: [2, 2] for item in READINESS.items})
    frame["rdy_want_r5"] = [1, 5]
    values = sd.score(sd.read_responses(frame, READINESS, form="employee")).values["want_requirements"]
    assert values.iloc[0] == values.iloc[1] == 25.0


def test_incidence_is_one_directly_keyed_behaviour_at_sometimes_or_more():
    responses = sins(
        {"sin_rule_1": [1, 3, 4, 1], "sin_rule_5": [5, 5, 5, 1], "sin_rule_2": [2, 1, 1, 1]},
    )
    indicators = sd.score(responses).indicators
    assert indicators["rule_incidence"].tolist() == [0, 1, 1, 0]
    assert indicators["rule_severe_incidence"].tolist() == [0, 0, 1, 0]


def test_incidence_is_unknown_where_too_little_was_answered_and_known_where_met():
    rows = {f"sin_rule_{k}": [None, None] for k in range(2, 5)}
    rows["sin_rule_1"] = [1, 5]
    assert_allclose(sd.score(sins(rows)).indicators["rule_incidence"], [np.nan, 1.0])


def test_cooccurrence_counts_three_kinds_of_behaviour():
    rows = {"sin_rule_1": [3, 3], "sin_run_1": [4, 4], "sin_cold_1": [3, 1]}
    assert sd.score(sins(rows)).indicators["three_or_more_incident"].tolist() == [1, 0]


def test_agreement_with_a_weakness_is_no_incidence():
    causes = sd.load_instrument("attitude-causes")
    frame = pd.DataFrame({item.code: [3, 3] for item in causes.form_items("employee")})
    indicators = sd.score(sd.read_responses(frame, causes, form="employee")).indicators
    assert not [name for name in indicators if name.startswith("morale")]


def test_blocked_only_by_needs_the_two_others_to_be_fine():
    levels = {"know": [5, 5, 1], "want": [5, 1, 1], "can": [1, 1, 5]}
    frame = pd.DataFrame(
        {
            item.code: [6 - v if item.reverse_keyed else v for v in levels.get(item.dimension, [3, 3, 3])]
            for item in READINESS.items
        }
    )
    indicators = sd.score(sd.read_responses(frame, READINESS, form="employee")).indicators
    assert indicators["blocked_only_by_can"].tolist() == [1, 0, 0]
    assert indicators["blocked_only_by_want"].tolist() == [0, 0, 0]


def test_mystery_shoppers_three_points_become_the_same_0_to_100():
    frame = pd.DataFrame({i.code: [1, 2, 3] for i in SINS.items if i.dimension == "cold" and not i.reverse_keyed})
    frame["sin_cold_5"] = [3, 2, 1]
    read = sd.read_responses(frame, SINS, form="mystery-shopper")
    assert sd.score(read).values["cold"].tolist() == [0, 50, 100]


def test_groups_are_described_with_share_favourable():
    frame = pd.DataFrame({item.code: [5, 4, 1, 2] for item in READINESS.items})
    frame["branch"] = ["A", "A", "B", "B"]
    table = sd.score(sd.read_responses(frame, READINESS, form="employee", unit="branch")).by("unit")
    know = table[table["dimension"] == "know"].set_index("unit")
    assert_allclose(know["mean"], [87.5, 12.5])
    assert_allclose(know["share_favourable"], [1.0, 0.0])
    assert know["n"].tolist() == [2, 2]
    assert (know["ci_low"] < know["mean"]).all()


def test_unknown_group_column_names_the_choices():
    with pytest.raises(ValueError, match="column='region'"):
        sd.score(sins(apathy(1, 1, 1, 1, 1))).by("region")


def test_points_add_up_on_a_scale_wider_than_a_signed_byte():
    column = np.array([-50, 0, 100, -128, -124], dtype=np.int8)
    total, answered = np.zeros(5), np.zeros(5, dtype=np.int16)
    _add_points((-50, 100), [(column, False)], slice(None), total, answered)
    assert_allclose(total, [0, 100 / 3, 100, 0, 0])
    _add_points((-50, 100), [(column, True), (column, True)], slice(None), total, answered)
    assert_allclose(total, [200, 100 / 3 + 400 / 3, 100, 0, 0])
    assert answered.tolist() == [3, 3, 3, 0, 0]


codes = st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=5, max_size=5)


@settings(max_examples=60, deadline=None)
@given(codes)
def test_reversing_every_answer_turns_the_score(answers):
    turned = [None if a is None else 6 - a for a in answers]
    pair = [sd.score(sins(apathy(*row))).values["apathy"].iloc[0] for row in (answers, turned)]
    assert_allclose(pair[0], 100 - pair[1])


@settings(max_examples=60, deadline=None)
@given(codes)
def test_score_stays_between_0_and_100(answers):
    value = sd.score(sins(apathy(*answers))).values["apathy"].iloc[0]
    assert np.isnan(value) or 0 <= value <= 100
