"""Whether a finding rests on a single question of its scale."""

from dataclasses import replace

import numpy as np
import pytest

import servicediag as sd
from servicediag.diagnosis.item_stability import spread_ratios
from servicediag.responses.model import FIRST_MISSING

BRANCHES = [f"Branch {k:02d}" for k in range(1, 9)]
EACH = np.repeat(BRANCHES, 90)
WHOLE_SCALE, ONE_ITEM, PROVISIONS = BRANCHES[1], BRANCHES[3], BRANCHES[5]


@pytest.fixture(scope="module")
def answers(make_responses):
    shifts = [(WHOLE_SCALE, "cold", -1.2), (ONE_ITEM, "sin_rule_2", -3.5), (PROVISIONS, "can_requirements", -1.5)]
    parts = [("seven-sins", "customer"), ("readiness", "employee")]
    return make_responses(parts, EACH, seed=21, shifts=shifts, noise=0.3)


@pytest.fixture(scope="module")
def diagnosis(answers):
    return sd.diagnose(answers)


def finding_of(diagnosis, unit, dimension):
    (found,) = [f for f in diagnosis.findings if f.kind == "unit_gap" and (f.unit, f.dimension) == (unit, dimension)]
    return found


def without(answers, item):
    codes = {**answers.codes, item: np.full_like(answers.codes[item], FIRST_MISSING)}
    return replace(answers, codes=codes)


def test_a_gap_in_every_item_stands_without_any_of_them(diagnosis):
    finding = finding_of(diagnosis, WHOLE_SCALE, "cold")
    assert (finding.tier, finding.tier_without_item, finding.rests_on) == ("established", "established", None)
    assert "Without the question" not in finding.text


def test_a_gap_in_one_item_rests_on_it_and_the_text_says_so(diagnosis):
    finding = finding_of(diagnosis, ONE_ITEM, "rule")
    assert finding.tier == "established"
    assert (finding.tier_without_item, finding.rests_on) == ("watch", "sin_rule_2")
    text = sd.load_instrument("seven-sins").text("sin_rule_2", "customer", "en")
    assert f"Without the question “{text}”" in finding.text


@pytest.mark.parametrize(("unit", "dimension"), [(WHOLE_SCALE, "cold"), (ONE_ITEM, "rule")])
def test_the_study_without_that_item_says_the_same(answers, diagnosis, unit, dimension):
    finding = finding_of(diagnosis, unit, dimension)
    items = [item.code for item in sd.load_instrument("seven-sins").dimension(dimension).scored_items]
    tiers = {}
    for item in items:
        again = sd.diagnose(without(answers, item)).evidence
        cell = again[(again["unit"] == unit) & (again["dimension"] == dimension)].iloc[0]
        # the reliability of a shorter scale is another question
        likely = cell["q_value"] <= 0.08 and abs(cell["shrunk_gap"]) >= 5
        tiers[item] = "established" if cell["q_minimum_effect"] <= 0.05 else "likely" if likely else "watch"
    lowest = min(tiers.values(), key=("watch", "likely", "established").index)
    assert finding.tier_without_item == lowest
    if finding.rests_on is not None:
        assert tiers[finding.rests_on] == lowest


def test_provisions_are_not_left_out_of_a_list(diagnosis):
    finding = finding_of(diagnosis, PROVISIONS, "can_requirements")
    assert finding.tier == "established"
    assert (finding.tier_without_item, finding.rests_on) == (None, None)


def test_gaps_that_are_only_watched_are_not_looked_at(diagnosis):
    watched = [finding for finding in diagnosis.findings if finding.tier == "watch"]
    assert watched
    assert {finding.tier_without_item for finding in watched} == {None}


def test_levels_against_a_target_and_of_the_whole_organisation(make_responses):
    low = [(branch, "can", -1.6) for branch in BRANCHES]
    item = [(branch, "rdy_want_s1", -3.5) for branch in BRANCHES]
    answers = make_responses([("readiness", "employee")], EACH, seed=22, shifts=[*low, *item], noise=0.4)
    plain = {(f.kind, f.dimension): f for f in sd.diagnose(answers).findings if f.unit is None}
    assert plain["organisation_wide", "can"].tier_without_item == "established"
    aimed = sd.diagnose(answers, targets={"readiness/can": 50, "readiness/want": 58})
    levels = {f.dimension: f for f in aimed.findings if f.kind == "level" and f.unit is None}
    assert levels["can"].tier_without_item == "established"
    assert (levels["want"].tier, levels["want"].rests_on) == ("established", "rdy_want_s1")


def test_spread_of_shorter_scales_is_that_of_their_scores():
    scores = np.random.default_rng(8).normal(size=(200, 4)) @ np.tril(np.ones((4, 4)))
    expected = [np.delete(scores, item, axis=1).mean(axis=1).std() / scores.mean(axis=1).std() for item in range(4)]
    assert spread_ratios(np.cov(scores.T)) == pytest.approx(expected)


@pytest.mark.parametrize("language", ["es", "ru", "zh-Hans"])
def test_the_sentence_is_told_in_other_languages(diagnosis, language):
    english = finding_of(diagnosis, ONE_ITEM, "rule")
    told = {f.id: f for f in diagnosis.in_language(language).findings}[english.id]
    assert sd.load_instrument("seven-sins").text("sin_rule_2", "customer", language) in told.text
