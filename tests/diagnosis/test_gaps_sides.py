"""Gaps between two sides of one study: attribution, said and done, stages, inside and outside, readiness, targets."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.attribution import attribution_share, blame_shift_index
from servicediag.diagnosis.levels import level_verdict
from servicediag.diagnosis.readiness_index import readiness_index

BRANCHES = [f"Branch {k:02d}" for k in range(1, 7)]
EACH = np.repeat(BRANCHES, 30)
STATES = ("know", "want", "can")
TOOLS = ("comm", "feed", "capa")


def everywhere(points, *names):
    return [(branch, name, points) for branch in BRANCHES for name in names]


def index(diagnosis, name, part=None, unit=None):
    rows = diagnosis.indexes[diagnosis.indexes["index"] == name]
    rows = rows[rows["unit"].isna()] if unit is None else rows[rows["unit"] == unit]
    return rows if part is None else rows[rows["part"] == part]


def of_kind(diagnosis, kind, unit=None):
    return [f for f in diagnosis.findings if f.kind == kind and f.unit == unit]


def reasons(diagnosis, gap):
    return set(diagnosis.not_measured.loc[diagnosis.not_measured["gap"] == gap, "code"])


# The worked examples, by hand


def test_readiness_index_of_the_worked_example():
    assert readiness_index([72, 65, 48], [70, 70, 70]) == pytest.approx(48 / 70)
    assert readiness_index([90, 80, 75], [70, 70, 70]) == 1.0


def test_attribution_and_blame_shift_of_the_worked_example():
    share = attribution_share([20, 25, 18, 22, 15], [10, 5, 3])
    assert share == pytest.approx(20 / 26)
    assert blame_shift_index(60, 30, 1 - share) == pytest.approx(100 * (60 / 90 - 6 / 26))
    assert np.isnan(attribution_share([0.0, 0.0], [0.0]))


def test_three_valued_level_of_the_worked_example():
    low = level_verdict(np.array([41.0, 41.0]), np.array([20.0, 25.0]) / 4, 15, 50, 70)
    assert low.tolist() == ["low", "unclear"]
    assert level_verdict(np.array([80.0]), np.array([2.0]), 15, 50, 70).tolist() == ["high"]


# Attribution


@pytest.fixture(scope="module")
def starved(make_responses):
    """Staff know and want; what they are given is poor, and managers say that it is the staff."""
    parts = [("readiness", "employee"), ("four-tools", "receiver")]
    shifts = [*everywhere(1.0, "know", "want"), *everywhere(-1.0, "can", "can_requirements", *TOOLS)]
    # explaining by staff is a weakness, so blame rises where its health falls
    shifts += [*everywhere(-1.0, "blame_staff"), *everywhere(-0.8, "blame_situation")]
    return sd.diagnose(make_responses(parts, EACH, seed=1, shifts=shifts))


def test_shortfalls_of_what_people_are_given_are_the_organisations(starved):
    row = index(starved, "attribution", "organisation").iloc[0]
    assert row["verdict"] == "organisational"
    assert 0.6 < row["ci_low"] <= row["estimate"] <= row["ci_high"] <= 1
    (finding,) = of_kind(starved, "attribution")
    assert finding.tier == "established"
    assert finding.direction == "none"
    assert not finding.is_trouble


def test_share_of_attribution_is_that_of_the_published_levels(starved):
    levels = starved.evidence[starved.evidence["unit"].isna()].set_index("dimension")["health"]
    person = [max(0.0, 70 - levels[d]) for d in ("know", "want")]
    given = [max(0.0, 70 - levels[d]) for d in (*TOOLS, "can", "can_requirements")]
    assert index(starved, "attribution", "organisation")["estimate"].item() == pytest.approx(
        attribution_share(given, person)
    )


def test_managers_who_blame_staff_beyond_the_shortfalls_are_found(starved):
    row = index(starved, "blame_shift").iloc[0]
    assert row["verdict"] == "blames staff"
    (finding,) = of_kind(starved, "blame_shift")
    share = index(starved, "attribution", "organisation")["estimate"].item()
    assert row["estimate"] == pytest.approx(100 * (finding.estimate - (1 - share)))
    assert f"{1 - share:.2f}" in finding.comparator


def test_blame_shift_tells_no_more_than_the_two_scores_that_are_shown(make_responses):
    """Of those alone who gave both it would tell, beside the scores, of the one who left a scale out."""
    responses = make_responses([("readiness", "employee"), ("four-tools", "receiver")], EACH, seed=1)
    codes = dict(responses.codes)
    for item in sd.load_instrument("four-tools").dimension("blame_situation").items:
        if item.code in codes:
            codes[item.code] = np.where(np.arange(len(EACH)) == 0, np.int8(-128), codes[item.code])
    diagnosis = sd.diagnose(replace(responses, codes=codes))
    rows = index(diagnosis, "blame_shift", unit=BRANCHES[0])
    assert rows["n"].tolist() == [29]
    persons = index(diagnosis, "attribution", "persons", unit=BRANCHES[0])["estimate"].item()
    levels = diagnosis.evidence.set_index(["unit", "dimension"])["mean"][BRANCHES[0]]
    share = levels["blame_staff"] / (levels["blame_staff"] + levels["blame_situation"])
    assert rows["estimate"].item() == pytest.approx(100 * (share - persons))


def test_blame_shift_of_sensitive_scales_needs_ten_people(make_responses):
    units = np.repeat(["A", "B", "C", "D"], [12, 16, 17, 18])
    responses = make_responses([("readiness", "employee"), ("four-tools", "receiver")], units, seed=1)
    codes = dict(responses.codes)
    for dimension, people in (("blame_staff", [0, 1]), ("blame_situation", [2, 3])):
        for item in sd.load_instrument("four-tools").dimension(dimension).items:
            if item.code in codes:
                codes[item.code] = np.where(np.isin(np.arange(len(units)), people), np.int8(-128), codes[item.code])
    told = sd.diagnose(replace(responses, codes=codes)).indexes
    assert set(told.loc[told["index"] == "blame_shift", "unit"].dropna()) == {"B", "C", "D"}


def test_nothing_is_laid_on_persons_while_promises_are_unmeasured(make_responses):
    shifts = [*everywhere(-1.2, "know", "want"), *everywhere(1.2, "can", "can_requirements", *TOOLS)]
    parts = [("readiness", "employee"), ("four-tools", "receiver")]
    diagnosis = sd.diagnose(make_responses(parts, EACH, seed=2, shifts=shifts))
    assert index(diagnosis, "attribution", "organisation").iloc[0]["verdict"] == "not separable"
    (finding,) = of_kind(diagnosis, "attribution")
    assert finding.tier == "abstained"
    assert any(a.startswith("NOT_SEPARABLE") for a in finding.abstentions)


def test_persons_are_named_where_their_conditions_are_measured_and_good(make_responses):
    shifts = [
        *everywhere(-1.2, "know", "want"),
        *everywhere(1.2, "can", "can_requirements", "promise", "support", "train"),
    ]
    parts = [("readiness", "employee"), ("attitude-causes", "employee")]
    diagnosis = sd.diagnose(make_responses(parts, EACH, seed=2, shifts=shifts))
    assert index(diagnosis, "attribution", "organisation").iloc[0]["verdict"] == "personal"


def test_one_side_alone_is_not_attributed(make_responses):
    diagnosis = sd.diagnose(make_responses([("four-tools", "receiver")], EACH, seed=3))
    assert index(diagnosis, "attribution").empty
    assert reasons(diagnosis, "attribution") == {"ONE_SIDE_MISSING"}
    assert "ONE_SIDE_MISSING" in reasons(diagnosis, "blame_shift")


def test_no_shortfall_leaves_nothing_to_attribute(make_responses):
    good = everywhere(1.5, *STATES, "can_requirements", *TOOLS)
    parts = [("readiness", "employee"), ("four-tools", "receiver")]
    diagnosis = sd.diagnose(make_responses(parts, EACH, seed=4, shifts=good))
    assert index(diagnosis, "attribution", "organisation").iloc[0]["verdict"] == "nothing to attribute"
    assert of_kind(diagnosis, "attribution") == []


# Said and done


def say_do(make_responses, *shifts, units=EACH):
    parts = [("service-culture", "staff"), ("readiness", "employee")]
    return sd.diagnose(make_responses(parts, units, seed=5, shifts=shifts))


def test_words_ahead_of_deeds_are_found(make_responses):
    said = everywhere(1.0, "scu_vision_1", "scu_values_1", "scu_values_2")
    done = everywhere(-0.8, "rdy_can_r6", "rdy_can_r1", "scu_values_4")
    diagnosis = say_do(make_responses, *said, *done)
    (finding,) = of_kind(diagnosis, "say_do")
    assert finding.tier == "established"
    assert finding.estimate < -20
    parts = index(diagnosis, "say_do").set_index("part")["estimate"]
    assert finding.estimate == pytest.approx(parts["done"] - parts["said"])
    items = diagnosis.items[diagnosis.items["unit"].isna()].set_index("item")["health"]
    assert parts["said"] == pytest.approx(items[["scu_vision_1", "scu_values_1", "scu_values_2"]].mean())


def test_words_and_deeds_that_agree_are_aligned(make_responses):
    diagnosis = say_do(make_responses, units=np.repeat(BRANCHES, 120))
    assert of_kind(diagnosis, "say_do") == []
    assert index(diagnosis, "say_do", "gap")["verdict"].item() == "aligned"


def test_too_few_pairs_are_no_gap(make_responses):
    diagnosis = sd.diagnose(make_responses([("service-culture", "staff")], EACH, seed=6))
    assert reasons(diagnosis, "say_do") == {"NOT_PARALLEL"}
    assert index(diagnosis, "say_do").empty


# Stages


def stages(make_responses, *shifts):
    return sd.diagnose(make_responses([("acculturation", "employee")], EACH, seed=7, shifts=shifts))


def test_behaviour_without_conviction_is_compliance(make_responses):
    diagnosis = stages(make_responses, *everywhere(1.2, "info", "behaviour"), *everywhere(-0.6, "attitude"))
    titles = [f.title for f in of_kind(diagnosis, "stage_gap") if f.tier == "established"]
    assert titles == ["Whole organisation: behaviour is ahead of conviction"]
    furthest = index(diagnosis, "stages", "furthest")
    assert (furthest["estimate"].item(), furthest["verdict"].item()) == (1.0, "info")


def test_knowing_without_doing_is_found(make_responses):
    diagnosis = stages(make_responses, *everywhere(1.2, "info", "attitude"), *everywhere(-0.6, "behaviour"))
    (finding,) = [f for f in of_kind(diagnosis, "stage_gap") if f.tier == "established"]
    assert finding.dimension == "behaviour"
    assert any(a.startswith("NOT_PARALLEL") for a in finding.abstentions)
    levels = diagnosis.evidence[diagnosis.evidence["unit"].isna()].set_index("dimension")["health"]
    assert finding.estimate == pytest.approx(levels["behaviour"] - levels["info"])


def test_stages_in_order_are_no_gap(make_responses):
    diagnosis = stages(make_responses)
    assert [f for f in of_kind(diagnosis, "stage_gap") if f.tier == "established"] == []
    assert index(diagnosis, "stages", "furthest")["verdict"].item() == "none"


def test_stage_that_is_not_measured_is_named(make_responses):
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], EACH, seed=8))
    assert reasons(diagnosis, "stage_gap") == {"ONE_SIDE_MISSING"}


# Inside and outside


def chain(make_responses, inside, outside):
    staff = make_responses(
        [("service-culture", "staff")], EACH, seed=9, shifts=everywhere(inside, "intern", "coop", "valued")
    )
    sins = ("apathy", "brush", "cold", "condesc", "robot", "rule", "run")
    customers = make_responses([("seven-sins", "customer")], EACH, seed=10, shifts=everywhere(outside, *sins))
    return sd.diagnose(staff, customers)


@pytest.mark.parametrize(
    ("inside", "outside", "verdict"),
    [(-1.0, 1.2, "facade"), (1.2, -1.0, "inward_looking"), (-1.0, -1.0, "chain_failure"), (1.2, 1.2, "aligned")],
)
def test_service_inside_and_outside_has_a_name(make_responses, inside, outside, verdict):
    diagnosis = chain(make_responses, inside, outside)
    assert index(diagnosis, "internal_external", "chain")["verdict"].item() == verdict
    found = of_kind(diagnosis, "internal_external")
    assert bool(found) == (verdict != "aligned")
    for finding in found:
        assert finding.tier == "established"
        assert finding.direction == "worse"
        levels = index(diagnosis, "internal_external").set_index("part")["estimate"]
        assert f"{levels['internal']:.1f}" in finding.text
        assert f"{levels['external']:.1f}" in finding.text


def test_levels_in_the_middle_have_no_name(make_responses):
    diagnosis = chain(make_responses, 0.0, 0.0)
    assert index(diagnosis, "internal_external", "chain")["verdict"].item() == "undetermined"
    assert of_kind(diagnosis, "internal_external") == []


def test_inside_alone_says_nothing_about_the_chain(make_responses):
    diagnosis = sd.diagnose(make_responses([("service-culture", "staff")], EACH, seed=9))
    assert reasons(diagnosis, "internal_external") == {"ONE_SIDE_MISSING"}


def test_association_over_units_needs_ten_of_them(make_responses):
    names = [f"Branch {k:02d}" for k in range(12)]
    moved = [
        (name, d, 0.3 * (k - 6)) for k, name in enumerate(names) for d in ("intern", "coop", "valued", "cold", "run")
    ]
    units = np.repeat(names, 20)
    staff = make_responses([("service-culture", "staff")], units, seed=1, shifts=moved)
    customers = make_responses([("seven-sins", "customer")], units, seed=2, shifts=moved)
    row = sd.diagnose(staff, customers).indexes.query("part == 'correlation'").iloc[0]
    assert row["verdict"] == "together"
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    assert row["n"] == 12
    assert index(chain(make_responses, 0.0, 0.0), "internal_external", "correlation").empty


# Confidence and capability


def test_facets_of_confidence_without_capability_are_shown(make_responses):
    shifts = [*everywhere(1.3, "tool_conf_4"), *everywhere(-1.2, "tool_capa_5")]
    diagnosis = sd.diagnose(make_responses([("four-tools", "receiver")], EACH, seed=11, shifts=shifts))
    rows = index(diagnosis, "confidence_capability").set_index("part")
    assert rows.loc["recovery: confidence", "verdict"] == "over_confident"
    assert rows.loc["recovery: confidence", "estimate"] > rows.loc["recovery: capability", "estimate"]
    assert reasons(diagnosis, "confidence_capability") == {"FORMATIVE"}


# Readiness


def test_readiness_index_is_limited_by_the_state_furthest_from_its_target(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=12, shifts=everywhere(-0.8, "can"))
    diagnosis = sd.diagnose(answers, targets=dict.fromkeys(STATES, 70))
    row = index(diagnosis, "readiness", "index").iloc[0]
    levels = diagnosis.evidence[diagnosis.evidence["unit"].isna()].set_index("dimension")["health"]
    assert row["estimate"] == pytest.approx(readiness_index(levels[list(STATES)].tolist(), [70, 70, 70]))
    assert row["verdict"] == "limited by can"
    assert index(diagnosis, "readiness", "plain mean")["estimate"].item() == pytest.approx(levels[list(STATES)].mean())
    assert "MISSING_TARGET" in reasons(sd.diagnose(answers), "bottleneck")


def test_two_states_that_block_alike_are_a_joint_bottleneck(make_responses):
    shifts = [*everywhere(-1.0, "know", "can"), *everywhere(1.0, "want")]
    answers = make_responses([("readiness", "employee")], np.repeat(BRANCHES, 80), seed=13, shifts=shifts)
    diagnosis = sd.diagnose(answers, targets=dict.fromkeys(STATES, 70))
    profile = diagnosis.readiness[diagnosis.readiness["unit"].isna()].iloc[0]
    assert profile["bottleneck"] is None or pd.isna(profile["bottleneck"])
    assert profile["verdict"] == "joint"
    (finding,) = of_kind(diagnosis, "bottleneck")
    assert finding.tier == "abstained"
    assert any(a.startswith("TIE") for a in finding.abstentions)


def test_people_held_back_by_different_states_are_mixed(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=14, halo=0.0, trait=1.2)
    rows = index(sd.diagnose(answers), "held_back_by")
    assert rows["estimate"].sum() == pytest.approx(1.0)
    assert set(rows["verdict"]) == {"mixed"}
    one = make_responses([("readiness", "employee")], EACH, seed=14, shifts=everywhere(-1.5, "want"))
    assert set(index(sd.diagnose(one), "held_back_by")["verdict"]) == {"mostly want"}


# Targets


def test_level_is_below_met_or_undetermined_against_its_target(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=15)
    health = sd.diagnose(answers).evidence.query("unit.isna()", engine="python").set_index("dimension")["health"]
    targets = {"know": float(health["know"]) - 20, "want": float(health["want"]), "can": float(health["can"]) + 20}
    rows = index(sd.diagnose(answers, targets=targets), "target")
    verdicts = {part.split()[0]: verdict for part, verdict in zip(rows["part"], rows["verdict"], strict=True)}
    assert verdicts == {"readiness/know": "met", "readiness/want": "undetermined", "readiness/can": "below"}


def test_share_below_target_counts_people(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=15)
    row = index(sd.diagnose(answers, targets={"can": 60}), "share_below_target").iloc[0]
    scores = sd.score(answers).values["can"]
    assert row["estimate"] == pytest.approx((scores < 60).mean())
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_origin_of_a_target_is_printed(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=15)
    norm = pd.DataFrame({"dimension": ["can"], "target": [90.0], "origin": ["norm of 40 branches, 2024"]})
    diagnosis = sd.diagnose(answers, targets=norm)
    (finding,) = of_kind(diagnosis, "level")
    assert "norm of 40 branches, 2024" in finding.comparator
    assert diagnosis.method["targets"] == "norm of 40 branches, 2024"


def test_earlier_wave_is_a_target(make_responses):
    answers = make_responses(
        [("readiness", "employee")], EACH, seed=16, shifts=[(b, "can", -1.0) for b in BRANCHES[::2]]
    )
    waves = np.where(np.isin(EACH, BRANCHES[::2]), "2025-2", "2025-1")
    answers = replace(answers, respondents=answers.respondents.assign(wave=waves))
    diagnosis = sd.diagnose(answers, targets="2025-1")
    (finding,) = [f for f in of_kind(diagnosis, "level") if f.dimension == "can"]
    assert "level of the wave 2025-1" in finding.comparator
    with pytest.raises(ValueError, match="not an earlier wave"):
        sd.diagnose(answers, targets="2025-2")
