"""Gaps between groups of raters, patterns, agreement within units, and the table of answers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.agreement import average_deviation, maximum_spread

BRANCHES = [f"Branch {k:02d}" for k in range(1, 7)]
EACH = np.repeat(BRANCHES, 25)
MANY = np.repeat(BRANCHES, 70)


def everywhere(points, *dimensions):
    return [(branch, dimension, points) for branch in BRANCHES for dimension in dimensions]


@pytest.fixture(scope="module")
def three_sides(make_responses):
    """Customers see much coldness that neither staff nor supervisors see; on 'rule' all agree."""
    customers = make_responses(
        [("seven-sins", "customer")], MANY, seed=1, shifts=[*everywhere(-1.3, "cold"), *everywhere(0.9, "rule")]
    )
    staff = make_responses([("seven-sins", "observer")], MANY, seed=2, shifts=everywhere(1.2, "cold", "rule"))
    supervisors = make_responses(
        [("seven-sins", "supervisor")], MANY[::2], seed=3, shifts=everywhere(1.2, "cold", "rule")
    )
    return sd.diagnose(customers, staff, supervisors)


def whole(frame, **values):
    rows = frame[frame["unit"].isna()]
    for name, value in values.items():
        rows = rows[rows[name] == value]
    return rows


def test_sides_that_agree_are_aligned_and_sides_that_differ_are_a_gap(three_sides):
    same = whole(three_sides.comparisons, outer_rater="employee", dimension="rule", item="")
    assert same["verdict"].item() == "aligned"
    seen = whole(three_sides.comparisons, outer_rater="customer", inner_rater="employee", dimension="cold", item="")
    assert seen["verdict"].item() == "gap"
    assert seen["difference"].item() < -40
    assert seen["ci_low"].item() < seen["ci_low_90"].item() < seen["difference"].item() < seen["ci_high_90"].item()


def test_difference_is_the_one_of_the_published_levels(three_sides):
    rows = three_sides.comparisons
    assert np.allclose(rows["difference"], rows["outer_health"] - rows["inner_health"])
    level = whole(three_sides.evidence, form="customer", dimension="cold")
    seen = whole(rows, outer_rater="customer", inner_rater="employee", dimension="cold", item="")
    assert seen["outer_health"].item() == level["health"].item()
    assert seen["outer_n"].item() == level["n"].item()


def test_items_are_compared_too_with_the_chance_that_one_side_answers_better(three_sides):
    items = whole(three_sides.comparisons, outer_rater="customer", inner_rater="employee", dimension="cold")
    items = items[items["item"] != ""]
    assert len(items) == 5
    assert (items["verdict"] == "gap").all()
    assert (items["superiority"] < 0.2).all()


def test_superiority_has_limits_and_a_test_where_the_answers_of_both_sides_are_shown(three_sides):
    items = three_sides.comparisons[three_sides.comparisons["item"] != ""]
    told = items[items["superiority"].notna()]
    assert len(told)
    assert ((told["superiority_low"] <= told["superiority"]) & (told["superiority"] <= told["superiority_high"])).all()
    assert told["superiority_p"].between(0, 1).all()
    answers = three_sides.answers
    shown = set(zip(answers["unit"].fillna(""), answers["form"], answers["item"], strict=True))
    for side in ("inner", "outer"):
        assert set(zip(told["unit"].fillna(""), told[f"{side}_form"], told["item"], strict=True)) <= shown


def test_superiority_is_not_told_of_groups_whose_answers_by_option_are_not_shown(make_responses):
    sides = [
        make_responses([("seven-sins", form)], np.repeat(["A", "B"], [8, 20]), seed=seed)
        for seed, form in enumerate(("customer", "observer"))
    ]
    rows = sd.diagnose(*sides).comparisons
    items = rows[rows["item"] != ""]
    assert items.loc[items["unit"] == "B", "superiority"].notna().any()
    assert items.loc[items["unit"] == "A", ["superiority", "superiority_low", "superiority_p"]].isna().all(axis=None)


def test_superiority_counts_pairs(make_responses):
    customers = make_responses([("seven-sins", "customer")], np.repeat(["A"], 12), seed=1)
    staff = make_responses([("seven-sins", "observer")], np.repeat(["A"], 15), seed=2)
    rows = sd.diagnose(customers, staff).comparisons
    row = rows[(rows["item"] == "sin_cold_2") & rows["unit"].isna()].iloc[0]
    outer, inner = (r.answers["sin_cold_2"].to_numpy() for r in (customers, staff))
    # a sin is met less often: a lower code is better, unless the item is reverse-keyed
    reverse = sd.load_instrument("seven-sins").item("sin_cold_2").reverse_keyed
    wins = (outer[:, None] > inner if reverse else outer[:, None] < inner).mean() + (outer[:, None] == inner).mean() / 2
    assert row["superiority"] == pytest.approx(wins)


def test_pattern_has_a_name_and_one_finding(three_sides):
    pattern = whole(three_sides.patterns, dimension="cold")
    assert pattern["pattern"].item() == "inside_out_blindness"
    assert pattern["customer"].item() < 50 < 70 < pattern["employee"].item()
    found = [f for f in three_sides.findings if f.kind == "perception_gap" and f.unit is None and f.dimension == "cold"]
    (finding,) = found
    assert "nobody inside sees" in finding.text
    assert finding.rater == "customer"
    # hundreds of answers a side that fit one model: nothing is left to warn of
    assert not any(a.startswith("SCALE_USE") for a in finding.abstentions)
    assert whole(three_sides.patterns, dimension="rule").empty


def test_text_of_a_comparison_says_who_sees_what(three_sides):
    (finding,) = [
        f for f in three_sides.findings if f.kind == "perception_gap" and f.unit is None and f.dimension == "cold"
    ]
    rows = whole(three_sides.comparisons, dimension="cold", item="", outer_rater="customer")
    row = rows[np.isclose(rows["difference"], finding.estimate)].iloc[0]
    assert f"customers (n = {row['outer_n']})" in finding.text
    assert f"(n = {row['inner_n']}): health {row['outer_health']:.1f} against {row['inner_health']:.1f}" in finding.text


def test_equal_sides_give_no_finding(make_responses):
    customers = make_responses([("seven-sins", "customer")], EACH, seed=11)
    staff = make_responses([("seven-sins", "observer")], EACH, seed=12)
    diagnosis = sd.diagnose(customers, staff)
    assert [f for f in diagnosis.findings if f.kind == "perception_gap" and f.tier == "established"] == []
    assert diagnosis.patterns.empty


@pytest.mark.parametrize(
    ("build", "code"),
    [
        (lambda make: [make([("seven-sins", "customer")], EACH, seed=1)], "ONE_SIDE_MISSING"),
        (
            lambda make: [
                make([("seven-sins", "customer")], EACH, seed=1),
                make([("seven-sins", "supervisor")], ["Branch 01", "Branch 02", "Branch 03"], seed=2),
            ],
            "ANON",
        ),
        (
            lambda make: [
                make([("seven-sins", "customer")], EACH, seed=1),
                make([("seven-sins", "mystery-shopper")], EACH, seed=2),
            ],
            "NOT_PARALLEL",
        ),
        (
            lambda make: [
                in_wave(make([("seven-sins", "customer")], EACH, seed=1), "2025-1"),
                in_wave(make([("seven-sins", "observer")], EACH, seed=2), "2025-2"),
            ],
            "DIFFERENT_PERIOD",
        ),
    ],
)
def test_sides_that_cannot_be_compared_are_listed_with_the_reason(make_responses, build, code):
    missing = sd.diagnose(*build(make_responses)).not_measured
    assert code in missing.loc[missing["gap"] == "perception_gap", "code"].tolist()
    assert (missing["settled_by"] != "").all()


def in_wave(responses, wave):
    return replace(responses, respondents=responses.respondents.assign(wave=wave))


def test_audit_that_finds_what_staff_do_not_receive_is_a_delivery_problem(make_responses):
    staff = make_responses([("four-tools", "receiver")], EACH, seed=1, shifts=everywhere(-1.0, "feed"))
    audit = make_responses([("four-tools", "audit")], EACH[::4], seed=2, shifts=everywhere(1.2, "feed"))
    assert whole(sd.diagnose(staff, audit).patterns, dimension="feed")["pattern"].item() == "delivery_problem"


# Agreement


def test_average_deviation_of_the_worked_example():
    counts = np.array([0, 1, 1, 3, 1])
    assert average_deviation(counts) == pytest.approx(7 / 9)
    assert average_deviation(counts) < 5 / 6


def test_spread_of_a_split_group_is_the_largest_possible():
    scores = np.array([0.0] * 6 + [100.0] * 6)
    assert maximum_spread(np.array([scores.mean()]), np.array([12]))[0] == pytest.approx(scores.std(ddof=1))


@pytest.fixture(scope="module")
def split_unit(make_responses):
    """In one branch half of the staff feel able to serve and half do not; the mean is that of the others."""
    answers = make_responses([("readiness", "employee")], np.repeat(BRANCHES, 40), seed=5)
    frame = answers.answers.astype(float).copy()
    branch = (answers.respondents["unit"] == "Branch 03").to_numpy()
    rows = np.flatnonzero(branch)
    for item in sd.load_instrument("readiness").dimension("can").items:
        turned = item.reverse_keyed
        frame.iloc[rows[::2], frame.columns.get_loc(item.code)] = 5 if turned else 1
        frame.iloc[rows[1::2], frame.columns.get_loc(item.code)] = 1 if turned else 5
    frame["branch"] = answers.respondents["unit"].to_numpy()
    return sd.diagnose(sd.read_responses(frame, "readiness", form="employee", unit="branch"))


def test_unit_that_disagrees_is_found_and_described(split_unit):
    (finding,) = [f for f in split_unit.findings if f.kind == "dispersion"]
    assert (finding.unit, finding.dimension, finding.tier) == ("Branch 03", "can", "established")
    row = split_unit.agreement.set_index(["unit", "dimension"]).loc[("Branch 03", "can")]
    assert row["verdict"].startswith("weak")
    assert row["sd_share_of_maximum"] == pytest.approx(1.0)
    assert row["rwg_uniform"] == 0.0
    assert row["average_deviation"] == pytest.approx(2.0)
    assert finding.ci_low <= finding.estimate <= finding.ci_high < 0


def test_rwg_is_that_of_the_researchers_module(make_responses):
    answers = make_responses([("readiness", "employee")], np.repeat(["A", "B"], [12, 9]), seed=6)
    agreement = sd.diagnose(answers).agreement.set_index(["unit", "dimension"])
    items = [item.code for item in sd.load_instrument("readiness").dimension("know").items]
    table = sd.psychometrics.within_group_agreement(
        answers.answers[items], answers.respondents["unit"], scale=(1, 5), null="uniform"
    )
    expected = table.to_frame()
    row = agreement.loc[("A", "know")]
    assert row["rwg_uniform"] == pytest.approx(expected.loc["A", "rwg_j"])
    assert row["rwg_skewed"] == pytest.approx(table.under("slight_skew").loc["A"].item())
    assert row["average_deviation"] == pytest.approx(expected.loc["A", "ad_m"])
    assert np.isnan(agreement.loc[("B", "know"), "rwg_uniform"])


def test_noise_is_no_disagreement(make_responses):
    for seed in range(3):
        noise = make_responses([("readiness", "employee")], np.repeat(BRANCHES, 30), seed=60 + seed)
        assert [f for f in sd.diagnose(noise).findings if f.kind == "dispersion"] == []


def test_differences_between_levels_of_staff_are_a_share_of_all_differences(make_responses):
    levels = np.where(np.arange(len(EACH)) % 5 == 0, "supervisor", "front_line")
    answers = make_responses([("readiness", "employee")], levels, seed=8, shifts=[("supervisor", "can", 1.2)])
    answers = replace(answers, respondents=answers.respondents.assign(unit=EACH, level=levels))
    rows = sd.diagnose(answers).indexes.query("index == 'variance_explained' and unit.isna()", engine="python")
    rows = rows.set_index("part")
    scores = sd.score(answers).values["can"].to_numpy()
    means = np.where(
        levels == "supervisor", scores[levels == "supervisor"].mean(), scores[levels != "supervisor"].mean()
    )
    expected = ((means - scores.mean()) ** 2).sum() / ((scores - scores.mean()) ** 2).sum()
    assert rows.loc["readiness/can (employee) by level", "estimate"] == pytest.approx(expected)
    assert rows.loc["readiness/can (employee) by level", "verdict"] == "groups differ"


# Answers


def test_answers_add_up_and_have_their_labels(make_responses):
    answers = make_responses([("readiness", "employee")], np.repeat(["A", "B"], [30, 8]), seed=7, missing=0.1)
    table = sd.diagnose(answers).answers
    mine = table[table["unit"].isna() & (table["item"] == "rdy_can_s4")]
    column = answers.answers["rdy_can_s4"]
    assert mine["label"].tolist()[0] == "Strongly disagree"
    for row in mine.itertuples():
        assert row.share * row.n == pytest.approx((column == row.code).sum())
    # a unit of eight is too small for a distribution
    assert set(table["unit"].dropna()) == {"A"}


def test_every_row_of_the_tables_holds_the_minimum(make_responses, three_sides, split_unit):
    for diagnosis in (three_sides, split_unit):
        assert (diagnosis.comparisons[["outer_n", "inner_n"]] >= 5).all(axis=None)
        for name in ("agreement", "answers", "segments", "indexes"):
            frame = getattr(diagnosis, name)
            assert (pd.to_numeric(frame["n"]) >= 5).all(), name
