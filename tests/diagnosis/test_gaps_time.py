"""Gaps that need waves, background fields or operations data: change, promises, tenure, silent loss, early warning."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.tenure import band_gradient

BRANCHES = [f"Branch {k:02d}" for k in range(1, 7)]
EACH = np.repeat(BRANCHES, 40)
N = len(EACH)
SINS = ("apathy", "brush", "cold", "condesc", "robot", "rule", "run")
BANDS = ("under_1", "from_1", "from_4", "from_10")
HALF = np.arange(N) % 2 == 0


def everywhere(points, *names):
    return [(branch, name, points) for branch in BRANCHES for name in names]


def shifted(make_responses, parts, points, where, *names, seed=1):
    """Answers in which some people, chosen by position, differ by so many scale points."""
    kinds = np.where(where, "moved", "same")
    answers = make_responses(parts, kinds, seed=seed, shifts=[("moved", name, points) for name in names])
    return replace(answers, respondents=answers.respondents.assign(unit=EACH))


def noting(responses, **columns):
    return replace(responses, respondents=responses.respondents.assign(**columns))


def index(diagnosis, name, part=None):
    rows = diagnosis.indexes[(diagnosis.indexes["index"] == name) & diagnosis.indexes["unit"].isna()]
    return rows if part is None else rows[rows["part"] == part]


def of_kind(diagnosis, kind):
    return [f for f in diagnosis.findings if f.kind == kind and f.unit is None]


def reasons(diagnosis, gap):
    return set(diagnosis.not_measured.loc[diagnosis.not_measured["gap"] == gap, "code"])


# From wave to wave


def two_waves(make_responses, points, *names, seed=1, **columns):
    answers = shifted(make_responses, [("readiness", "employee")], points, HALF, *names, seed=seed)
    return noting(answers, wave=np.where(HALF, "2025-2", "2025-1"), **columns)


def test_decline_between_two_samples_is_found(make_responses):
    diagnosis = sd.diagnose(two_waves(make_responses, -0.8, "can"))
    row = diagnosis.changes[diagnosis.changes["unit"].isna()].set_index("dimension").loc["can"]
    assert (row["verdict"], row["design"]) == ("declined", "unpaired")
    (finding,) = [f for f in of_kind(diagnosis, "change") if f.tier == "established"]
    assert finding.dimension == "can"
    assert finding.direction == "worse"
    assert any(a.startswith("NOT_LINKED") for a in finding.abstentions)
    assert finding.estimate == pytest.approx(row["second_health"] - row["first_health"])
    levels = diagnosis.evidence[diagnosis.evidence["unit"].isna() & (diagnosis.evidence["dimension"] == "can")]
    assert set(levels["health"]) == {row["first_health"], row["second_health"]}


def test_welch_interval_of_a_change(make_responses):
    from scipy.stats import ttest_ind

    answers = two_waves(make_responses, -0.8, "can")
    row = sd.diagnose(answers).changes.query("unit.isna() and dimension == 'want'", engine="python").iloc[0]
    scores = sd.score(answers).values["want"]
    second, first = scores[HALF], scores[~HALF]
    interval = ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert row["ci_low"] == pytest.approx(interval.low)
    assert row["ci_high"] == pytest.approx(interval.high)


def test_waves_that_do_not_differ_are_stable(make_responses):
    units = np.repeat(BRANCHES, 200)
    answers = make_responses([("readiness", "employee")], units, seed=3)
    second = np.arange(len(units)) % 2 == 0
    diagnosis = sd.diagnose(noting(answers, wave=np.where(second, "2", "1")))
    assert set(diagnosis.changes.loc[diagnosis.changes["unit"].isna(), "verdict"]) == {"stable"}
    assert [f for f in of_kind(diagnosis, "change") if f.tier != "watch"] == []


def test_linked_people_make_a_paired_change(make_responses):
    from scipy.stats import ttest_rel

    first = make_responses([("readiness", "employee")], EACH, seed=4)
    moved = np.clip(first.answers + (np.arange(N) % 3 == 0).astype(int)[:, None], 1, 5)
    frames = []
    for wave, table in (("1", first.answers), ("2", moved)):
        frames.append(table.assign(branch=EACH, wave=wave, person=[f"p{k}" for k in range(N)]))
    answers = [
        sd.read_responses(frame, "readiness", form="employee", unit="branch", wave="wave", respondent="person")
        for frame in frames
    ]
    diagnosis = sd.diagnose(*answers)
    row = diagnosis.changes[diagnosis.changes["unit"].isna()].set_index("dimension").loc["know"]
    scores = [sd.score(one).values["know"].to_numpy() for one in answers]
    interval = ttest_rel(scores[1], scores[0]).confidence_interval(0.95)
    assert row["design"] == "paired"
    assert row["n_pairs"] == N
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
    difference = scores[1] - scores[0]
    assert row["standardized_response_mean"] == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert "NOT_LINKED" not in reasons(diagnosis, "change")


def test_waves_of_different_people_are_flagged_and_standardized(make_responses):
    """Newcomers rate higher; they are one in five in the first wave and four in five in the second."""
    share = np.where(HALF, 0.8, 0.2)
    newcomer = np.random.default_rng(5).random(N) < share
    answers = shifted(make_responses, [("readiness", "employee")], 1.2, newcomer, "want")
    tenure = np.where(newcomer, "under_1", "from_10")
    diagnosis = sd.diagnose(noting(answers, wave=np.where(HALF, "2", "1"), tenure=tenure))
    (finding,) = [f for f in of_kind(diagnosis, "change") if f.dimension == "want" and f.tier == "established"]
    assert any(a.startswith("COMPOSITION_CHANGED") for a in finding.abstentions)
    row = index(diagnosis, "standardized_change", "readiness/want by tenure").iloc[0]
    assert row["ci_low"] < 0 < row["ci_high"]
    assert row["estimate"] < finding.estimate - 10
    assert set(index(diagnosis, "composition")["verdict"]) == {"composition changed"}


def test_one_wave_has_no_change(make_responses):
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], EACH, seed=6))
    assert diagnosis.changes.empty
    assert reasons(diagnosis, "change") == {"ONE_SIDE_MISSING"}


def test_launch_that_fades_while_cynicism_rises_is_a_relapse(make_responses):
    third = np.arange(N) % 3
    kinds = np.array(["before", "peak", "late"])[third]
    shifts = [("peak", "enthusiasm", 1.2), ("late", "enthusiasm", -0.6)]
    shifts += [("late", d, -1.2) for d in ("cynic_learned", "cynic_earned", "cynic_rational")]
    parts = [("programme-launch", "employee"), ("programme-failure", "employee")]
    answers = make_responses(parts, kinds, seed=7, shifts=shifts)
    waves = np.array(["week 02", "week 10", "week 30"])[third]
    diagnosis = sd.diagnose(noting(answers, unit=EACH, wave=waves))
    rows = index(diagnosis, "launch_decay").set_index("part")
    assert rows.loc["programme-launch/enthusiasm since week 10", "verdict"] == "relapse"
    assert (rows.loc[rows.index.str.startswith("programme-launch/enthusiasm"), "estimate"] < -20).all()


# Promises


def promised(make_responses, kept, repaired, broken, seed=8, **further):
    """Customers whose promises were kept, broken and put right, or broken and left so; the last rate staff lower."""
    state = np.random.default_rng(seed).choice(3, size=N, p=[kept, repaired, broken])
    answers = shifted(make_responses, [("seven-sins", "customer")], -1.2, state == 2, *SINS, seed=seed)
    fields = {"promise_broken": np.where(state == 0, "no", "yes"), "put_right": np.array([None, "fully", "no"])[state]}
    return noting(answers, **fields, **further), state


def test_attitude_is_split_by_what_happened_to_the_promise(make_responses):
    answers, state = promised(make_responses, 0.4, 0.3, 0.3)
    diagnosis = sd.diagnose(answers)
    (finding,) = [f for f in of_kind(diagnosis, "promise_gap") if f.metric == "points"]
    assert finding.tier == "established"
    assert any(a.startswith("PROVISIONAL") for a in finding.abstentions)
    health = 100 - sd.score(answers).values[list(SINS)]
    expected = [health[state == k].mean().mean() for k in (2, 0)]
    assert finding.estimate == pytest.approx(expected[0] - expected[1])
    levels = index(diagnosis, "attitude_contrast").set_index("part")["estimate"]
    assert levels["repaired"] == pytest.approx(health[state == 1].mean().mean())
    assert f"{levels['repaired']:.1f}" in finding.text


def test_shares_of_promises_broken_and_put_right(make_responses):
    answers, state = promised(make_responses, 0.4, 0.3, 0.3)
    diagnosis = sd.diagnose(answers)
    shares = index(diagnosis, "promises").set_index("part")
    assert shares.loc["breach rate, customers", "estimate"] == pytest.approx((state > 0).mean())
    assert shares.loc["recovery rate, customers", "estimate"] == pytest.approx((state == 1).sum() / (state > 0).sum())
    (finding,) = [f for f in of_kind(diagnosis, "promise_gap") if f.metric == "share"]
    assert finding.tier == "established"
    assert finding.estimate == shares.loc["breach rate, customers", "estimate"]


def test_attitude_that_does_not_hang_on_the_promise_gives_no_contrast(make_responses):
    answers = make_responses([("seven-sins", "customer")], EACH, seed=9)
    state = np.random.default_rng(9).random(N) < 0.2
    answers = noting(answers, promise_broken=np.where(state, "yes", "no"), put_right=np.where(state, "no", None))
    diagnosis = sd.diagnose(answers)
    assert [f for f in of_kind(diagnosis, "promise_gap") if f.tier in ("established", "likely")] == []


def test_breach_rate_of_the_log_has_wilsons_interval(make_responses):
    answers = make_responses([("seven-sins", "customer")], EACH, seed=9)
    log = pd.DataFrame({"unit": BRANCHES[:2], "breach_rate": [12 / 80, 0.5], "breach_rate_n": [80, 10]})
    diagnosis = sd.diagnose(answers, indicators=log)
    rows = diagnosis.indexes[diagnosis.indexes["part"] == "breach rate, operations"].set_index("unit")
    assert rows.loc["Branch 01", ["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [0.15, 0.088, 0.244], abs=5e-4
    )
    assert "Branch 02" not in rows.index
    assert "TOO_FEW" in reasons(diagnosis, "promise_gap")


def test_without_the_question_nothing_is_said_about_promises(make_responses):
    diagnosis = sd.diagnose(make_responses([("seven-sins", "customer")], EACH, seed=9))
    assert of_kind(diagnosis, "promise_gap") == []
    assert {"ONE_SIDE_MISSING", "TOO_FEW"} <= reasons(diagnosis, "promise_gap")


def test_second_breach_is_counted_from_its_question(make_responses):
    answers = make_responses([("service-recovery", "customer")], EACH, seed=10)
    row = index(sd.diagnose(answers), "promises", "second breach, customers").iloc[0]
    assert row["estimate"] == pytest.approx((answers.answers["rec_outcome_5"] <= 2).mean())


def test_shares_of_answers_are_told_of_the_first_grouping_only(make_responses):
    """A region less its larger units would tell what the people of a small unit chose."""
    answers = make_responses([("service-recovery", "customer")], EACH, seed=10)
    people = answers.respondents
    answers = replace(
        answers, respondents=people.assign(region=np.where(people["unit"] < "Branch 03", "North", "South"))
    )
    diagnosis = sd.diagnose(answers, by=["unit", "region"])
    rows = diagnosis.indexes[diagnosis.indexes["part"] == "second breach, customers"]
    assert set(rows["by"].dropna()) == {"unit"}
    assert "region" in set(diagnosis.evidence["by"].dropna())


# Length of service


def with_tenure(make_responses, points, seed=11):
    """Motivation falls by so many scale points a band of service."""
    band = np.random.default_rng(seed).integers(0, 4, N)
    kinds = np.array(BANDS)[band]
    shifts = [(name, "want", 0.9 + points * k) for k, name in enumerate(BANDS)]
    answers = make_responses([("readiness", "employee")], kinds, seed=seed, shifts=shifts)
    return noting(answers, unit=EACH, tenure=kinds), band


def test_motivation_that_falls_with_service_is_not_maintained(make_responses):
    answers, band = with_tenure(make_responses, -0.6)
    diagnosis = sd.diagnose(answers)
    (finding,) = of_kind(diagnosis, "tenure_gradient")
    assert (finding.dimension, finding.tier) == ("want", "established")
    assert "does not keep it" in finding.text
    assert any(a.startswith("SURVIVORS") for a in finding.abstentions)
    slope, _ = np.polyfit(band, sd.score(answers).values["want"], 1)
    assert finding.estimate == pytest.approx(3 * slope)


def test_gradient_has_the_standard_error_of_least_squares(make_responses):
    from scipy.stats import linregress

    generator = np.random.default_rng(12)
    band = np.repeat([0, 1, 3], [20, 35, 15])
    scores = 60 - 4 * band + generator.normal(0, 15, len(band))
    sums = [np.array([(band == k).sum(), scores[band == k].sum(), (scores[band == k] ** 2).sum()]) for k in (0, 1, 3)]
    found = band_gradient(*np.array(sums).T, np.array([0, 1, 3]))
    expected = linregress(band, scores)
    assert found.difference == pytest.approx(3 * expected.slope)
    assert found.error == pytest.approx(3 * expected.stderr)


def test_equal_bands_give_no_gradient(make_responses):
    answers, _ = with_tenure(make_responses, 0.0)
    diagnosis = sd.diagnose(answers)
    assert of_kind(diagnosis, "tenure_gradient") == []
    assert not index(diagnosis, "tenure_gradient").empty


def test_two_bands_are_too_few_and_none_is_missing(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=13)
    two = noting(answers, tenure=np.where(HALF, "under_1", "from_4"))
    assert reasons(sd.diagnose(two), "tenure_gradient") == {"TOO_FEW"}
    assert reasons(sd.diagnose(answers), "tenure_gradient") == {"ONE_SIDE_MISSING"}


def test_segments_are_published_with_their_levels(make_responses):
    answers, _ = with_tenure(make_responses, -0.6)
    table = sd.diagnose(answers).segments
    rows = table[table["unit"].isna() & (table["dimension"] == "want")].set_index("category")
    scores = sd.score(answers).values["want"].groupby(answers.respondents["tenure"].to_numpy()).agg(["mean", "size"])
    for band in BANDS:
        assert rows.loc[band, "mean"] == pytest.approx(scores.loc[band, "mean"])
        assert rows.loc[band, "n"] == scores.loc[band, "size"]


# Silent loss and the downward cycle


def lapsed(left, told):
    generator = np.random.default_rng(14)
    instrument = sd.load_instrument("customer-outcomes")
    frame = pd.DataFrame(
        {item.code: generator.integers(item.minimum, item.maximum + 1, N) for item in instrument.items}
    )
    frame["out_return_1"] = (generator.random(N) >= left).astype(int)
    frame["out_told_1"] = (generator.random(N) < told).astype(int)
    frame["branch"] = EACH
    return sd.read_responses(frame, instrument, form="customer", unit="branch", minimum_completed=0)


def test_more_customers_left_than_spoke():
    answers = lapsed(0.5, 0.1)
    diagnosis = sd.diagnose(answers)
    (finding,) = of_kind(diagnosis, "silent_loss")
    assert finding.tier == "established"
    assert any(a.startswith("SAMPLE") for a in finding.abstentions)
    table = answers.answers
    assert finding.estimate == pytest.approx((table["out_return_1"] == 0).mean() - (table["out_told_1"] == 1).mean())


def test_customers_who_speak_are_no_silent_loss():
    diagnosis = sd.diagnose(lapsed(0.1, 0.6))
    assert of_kind(diagnosis, "silent_loss") == []
    assert index(diagnosis, "silent_loss", "left - told, customers")["verdict"].item() == "heard"


def test_silent_loss_is_listed_where_nothing_tells_it(make_responses):
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], EACH, seed=15))
    assert reasons(diagnosis, "silent_loss") == {"ONE_SIDE_MISSING"}


def test_churn_without_complaints_in_the_records_is_a_silent_loss(make_responses):
    answers = make_responses([("seven-sins", "customer")], EACH, seed=15)
    records = pd.DataFrame({"unit": [None], "churn": [0.30], "churn_n": [400], "complaints": [3.0]})
    (finding,) = of_kind(sd.diagnose(answers, indicators=records), "silent_loss")
    assert finding.estimate == pytest.approx(0.27)
    assert finding.n == 400


def test_signs_of_the_downward_cycle_stop_at_the_first_that_is_not_there(make_responses):
    shifts = [*everywhere(-1.2, "every", "scu_coop_2", "scu_coop_1"), *everywhere(1.2, "scu_coop_3")]
    diagnosis = sd.diagnose(make_responses([("service-culture", "staff")], EACH, seed=16, shifts=shifts))
    rows = index(diagnosis, "negative_cycle").set_index("part")
    assert rows.loc["not_my_job", "verdict"] == "reached"
    assert rows.loc["finger_pointing", "verdict"] == "reached"
    assert rows.loc["refusal_to_cooperate", "verdict"] == "not reached"
    assert (rows.loc["furthest", "estimate"], rows.loc["furthest", "verdict"]) == (2.0, "finger_pointing")
    assert reasons(diagnosis, "negative_cycle") == {"ONE_SIDE_MISSING"}
