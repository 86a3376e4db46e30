"""The same number wherever it stands: tables, findings and their sentences do not contradict each other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, norm
from scipy.stats import t as student

import servicediag as sd
from servicediag.wording.catalogue import keys, placeholders

BRANCHES = [f"Branch {k:02d}" for k in range(1, 8)]
EACH = np.repeat(BRANCHES, 24)
TOOLS = ("comm", "feed", "capa")
BANDS = ("under_1", "from_1", "from_4", "from_10")


def noting(responses, **columns):
    return replace(responses, respondents=responses.respondents.assign(**columns))


def everywhere(points, *names, units=BRANCHES):
    return [(unit, name, points) for unit in units for name in names]


def of_kind(diagnosis, *kinds):
    return [finding for finding in diagnosis.findings if finding.kind in kinds]


def reasons(diagnosis, gap):
    return set(diagnosis.not_measured.loc[diagnosis.not_measured["gap"] == gap, "code"])


# One interval


def test_distance_to_a_target_has_one_interval(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=1)
    diagnosis = sd.diagnose(answers, targets={"want": 80})
    levels = diagnosis.evidence[diagnosis.evidence["dimension"] == "want"].set_index("unit")
    rows = diagnosis.indexes[diagnosis.indexes["index"] == "target"].set_index("unit")
    found = {f.unit: f for f in diagnosis.findings if f.kind == "level" and f.unit is not None}
    for limit in ("low", "high"):
        wanted = levels.loc[BRANCHES, f"target_gap_{limit}"].to_dict()
        assert rows.loc[BRANCHES, f"ci_{limit}"].to_dict() == pytest.approx(wanted)
        told = {unit: getattr(finding, f"ci_{limit}") for unit, finding in found.items()}
        assert told == pytest.approx({unit: wanted[unit] for unit in found})
    assert len(found) > 1
    assert all((row.verdict == "below") == (row.ci_high < 0) for row in rows.itertuples())


def test_tenure_gradient_of_few_people_has_one_interval(make_responses):
    bands = np.array(BANDS)[np.arange(48) % 4]
    shifts = [("from_4", "want", -1.0), ("from_10", "want", -2.0)]
    answers = make_responses([("readiness", "employee")], bands, seed=2, shifts=shifts)
    diagnosis = sd.diagnose(noting(answers, unit="North", tenure=bands))
    (finding,) = [f for f in diagnosis.findings if f.kind == "tenure_gradient" and f.unit is None]
    rows = diagnosis.indexes[(diagnosis.indexes["index"] == "tenure_gradient") & diagnosis.indexes["unit"].isna()]
    row = rows[rows["part"] == "readiness/want (employee)"].iloc[0]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((finding.ci_low, finding.ci_high))


def test_attitude_contrast_of_few_customers_has_one_interval(make_responses):
    broken = np.arange(48) % 3 == 0
    kinds = np.where(broken, "broken", "kept")
    sins = [dimension.id for dimension in sd.load_instrument("seven-sins").dimensions]
    shifts = [("broken", sin, -1.5) for sin in sins]
    rated = make_responses([("seven-sins", "customer")], kinds, seed=3, shifts=shifts)
    answers = noting(rated, unit="North", promise_broken=np.where(broken, "yes", "no"))
    diagnosis = sd.diagnose(answers)
    rows = diagnosis.indexes[diagnosis.indexes["part"] == "left_broken - kept"]
    found = [f for f in diagnosis.findings if f.kind == "promise_gap" and f.metric == "points" and f.unit is None]
    row = rows[rows["unit"].isna()].iloc[0]
    assert [(f.ci_low, f.ci_high) for f in found] == [pytest.approx((row["ci_low"], row["ci_high"]))]


def test_levels_of_the_whole_organisation_have_as_many_degrees_of_freedom_as_clusters_less_one(make_responses):
    """Six servers: the q of a level follows from the interval of the evidence, whose t has five degrees of freedom."""
    servers = np.array([f"s{k}" for k in range(6)])[np.arange(len(EACH)) % 6]
    shifts = everywhere(-0.5, "cold", "rule", "apathy")
    answers = noting(make_responses([("seven-sins", "customer")], EACH, seed=3, shifts=shifts), server=servers)
    diagnosis = sd.diagnose(answers, cluster="server")
    levels = diagnosis.evidence[diagnosis.evidence["unit"].isna()].set_index("dimension")
    errors = (levels["ci_high"] - levels["ci_low"]) / 2 / student.ppf(0.975, 5)
    distance = levels["health"] - 50
    q = dict(zip(levels.index, false_discovery_control(student.cdf(distance / errors, 5)), strict=True))
    found = {f.dimension: f for f in of_kind(diagnosis, "organisation_wide") if f.metric == "points"}
    assert len(found) > 2
    assert {name: f.q_value for name, f in found.items()} == pytest.approx({name: q[name] for name in found})
    half = student.ppf(0.975, 5) * errors
    assert {name: f.ci_low for name, f in found.items()} == pytest.approx((distance - half)[list(found)].to_dict())
    assert {name: f.ci_high for name, f in found.items()} == pytest.approx((distance + half)[list(found)].to_dict())


def test_level_of_clusters_against_a_target_has_the_interval_of_the_evidence(make_responses):
    servers = np.array([f"s{k}" for k in range(6)])[np.arange(len(EACH)) % 6]
    answers = noting(make_responses([("seven-sins", "customer")], EACH, seed=3), server=servers)
    diagnosis = sd.diagnose(answers, cluster="server", targets={"cold": 80})
    (finding,) = [f for f in of_kind(diagnosis, "level") if f.unit is None]
    levels = diagnosis.evidence[diagnosis.evidence["unit"].isna()].set_index("dimension").loc["cold"]
    assert (finding.ci_low, finding.ci_high) == pytest.approx((levels["target_gap_low"], levels["target_gap_high"]))
    assert finding.ci_high - finding.ci_low == pytest.approx(levels["ci_high"] - levels["ci_low"])


def test_census_in_which_everybody_answered_knows_its_levels(make_responses, recwarn):
    answers = make_responses([("readiness", "employee")], EACH, seed=1)
    everybody = dict.fromkeys(BRANCHES, 24)
    diagnosis = sd.diagnose(answers, population="census", population_size=everybody, targets={"want": 80})
    found = [f for f in of_kind(diagnosis, "level") if f.unit is not None]
    assert found
    assert all(f.ci_low == f.estimate == f.ci_high for f in found)
    assert [str(one.message) for one in recwarn if one.category is RuntimeWarning] == []


# As sure as the interval


@pytest.mark.parametrize(
    ("trait", "least", "most", "tier", "cautioned"),
    [
        (0.30, -1.0, 0.60, "abstained", True),
        (0.50, 0.60, 0.70, "likely", True),
        (0.90, 0.70, 1.00, "established", False),
    ],
)
def test_low_level_of_an_unreliable_scale_is_not_established(make_responses, trait, least, most, tier, cautioned):
    shifts = everywhere(-1.0, "want")
    answers = make_responses([("readiness", "employee")], EACH, seed=6, halo=0, trait=trait, shifts=shifts)
    diagnosis = sd.diagnose(answers)
    (finding,) = [f for f in of_kind(diagnosis, "organisation_wide") if f.dimension == "want"]
    omega = diagnosis.reliability.set_index("dimension").loc["want", "omega"]
    assert least < omega < most
    assert finding.q_value < 1e-6
    assert finding.tier == tier
    assert any(note.startswith("LOW_RELIABILITY") for note in finding.abstentions) == cautioned


def blaming(make_responses, seed, conditions, blame):
    """Shortfalls of persons and of what they are given, and how much the explanations point at staff."""
    shifts = [*everywhere(conditions, "know", "want"), *everywhere(-1.0, "can", "can_requirements", *TOOLS)]
    parts = [("readiness", "employee"), ("four-tools", "receiver")]
    each = np.repeat(BRANCHES, 30)
    return sd.diagnose(make_responses(parts, each, seed=seed, shifts=[*shifts, *everywhere(blame, "blame_staff")]))


def test_blame_is_judged_two_sided_and_established_beyond_the_minimum_effect(make_responses):
    diagnosis = blaming(make_responses, 1, -0.6, -0.3)
    rows = diagnosis.indexes[diagnosis.indexes["index"] == "blame_shift"]
    points, errors = rows["estimate"], (rows["ci_high"] - rows["ci_low"]) / 2 / norm.ppf(0.975)
    beyond = norm.sf((points.abs() - 2.5) / errors) + norm.cdf((-points.abs() - 2.5) / errors)
    units = [None if pd.isna(unit) else unit for unit in rows["unit"]]
    q = dict(zip(units, false_discovery_control(2 * norm.sf(points.abs() / errors)), strict=True))
    q_minimum = dict(zip(units, false_discovery_control(beyond), strict=True))
    found = {f.unit: f for f in of_kind(diagnosis, "blame_shift")}
    assert {unit: f.q_value for unit, f in found.items()} == pytest.approx({unit: q[unit] for unit in found})
    assert {unit: f.q_minimum_effect for unit, f in found.items()} == pytest.approx({u: q_minimum[u] for u in found})
    assert found[None].tier == "established"
    # sure that there is a difference, not that it is more than the minimum effect
    assert any(f.tier == "likely" and f.q_value < 0.05 < f.q_minimum_effect for f in found.values())
    assert all((f.tier == "established") == (f.q_minimum_effect <= 0.05) for f in found.values())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_blames_and_nothing_is_attributed_beyond_doubt_where_both_sides_are_even(make_responses, seed):
    found = of_kind(blaming(make_responses, seed, -0.8, -0.1), "blame_shift", "attribution")
    assert [f.id for f in found if f.tier == "established"] == []


def test_blame_of_less_than_the_minimum_effect_is_not_told_however_many_answered(make_responses):
    each = np.repeat(BRANCHES, 120)
    answers = make_responses([("four-tools", "receiver")], each, seed=1, shifts=everywhere(-0.7, "blame_staff"))
    values = sd.score(answers).values
    staff, situation = values["blame_staff"], values["blame_situation"]
    means = staff.mean(), situation.mean()
    share = means[0] / sum(means)
    error = ((means[1] * staff - means[0] * situation) / sum(means) ** 2).sem()
    assert 0.5 + 3 * error < share < 0.525
    assert [f for f in of_kind(sd.diagnose(answers), "blame_shift") if f.unit is None] == []


def test_silent_loss_whose_interval_holds_zero_is_not_established():
    """18 of 48 left and 10 of 48 spoke; Agresti and Coull's error of the difference is .0892."""
    items = sd.load_instrument("customer-outcomes").items
    frame = pd.DataFrame({item.code: np.full(48, item.minimum) for item in items})
    frame["out_return_1"] = np.where(np.arange(48) < 18, 0, 1)
    frame["out_told_1"] = np.where(np.arange(48) >= 38, 1, 0)
    diagnosis = sd.diagnose(sd.read_responses(frame, "customer-outcomes", form="customer", minimum_completed=0))
    shares = np.array([20 / 52, 12 / 52])
    error = np.sqrt((shares * (1 - shares) / 52).sum())
    (finding,) = [f for f in diagnosis.findings if f.kind == "silent_loss"]
    assert finding.ci_low < 0 < finding.ci_high
    assert finding.q_value == pytest.approx(2 * norm.sf(8 / 48 / error))
    assert finding.tier == "likely"
    # likely again from the size at which two-sided p is 8 %
    assert finding.stability == pytest.approx(norm.cdf(8 / 48 / error - norm.ppf(0.96)), abs=5e-4)


# What the records tell


def test_losses_of_the_downward_cycle_are_read_from_the_records(make_responses):
    records = pd.DataFrame({"unit": BRANCHES, "churn": [*[0.10] * 6, 0.45], "churn_n": 200})
    shifts = [("Branch 07", name, -1.5) for name in ("every", "scu_coop_2")]
    answers = make_responses([("service-culture", "staff")], EACH, seed=4, shifts=shifts)
    diagnosis = sd.diagnose(answers, indicators=records)
    rows = diagnosis.indexes[diagnosis.indexes["index"] == "negative_cycle"].set_index(["unit", "part"])
    assert rows.loc[("Branch 07", "losses"), "verdict"] == "reached"
    assert rows.loc[("Branch 07", "losses"), "n"] == 200
    assert rows.loc[("Branch 01", "losses"), "verdict"] != "reached"
    asked = diagnosis.not_measured.loc[diagnosis.not_measured["gap"] == "negative_cycle", "settled_by"]
    assert not asked.str.contains("churn").any()


def test_losses_alone_reach_no_stage_of_the_downward_cycle(make_responses):
    records = pd.DataFrame({"unit": BRANCHES, "churn": [*[0.10] * 6, 0.45], "churn_n": 200})
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], EACH, seed=4), indicators=records)
    rows = diagnosis.indexes[diagnosis.indexes["index"] == "negative_cycle"]
    assert set(rows["part"]) == {"losses"}


@pytest.mark.parametrize(("complaints", "status"), [(None, "untested"), (1.9, "supported"), (9.0, "not_supported")])
def test_customers_left_silently_only_where_complaints_are_known_to_be_few(make_responses, complaints, status):
    """That customers were lost is what is to be explained, so it cannot be the evidence too."""
    records = pd.DataFrame({"unit": BRANCHES, "churn": [*[0.10] * 6, 0.45], "churn_n": 200})
    if complaints is not None:
        records["complaints"] = [2.0, 2.02, 1.98, 2.01, 2.0, 1.99, complaints]
    answers = make_responses([("readiness", "employee")], EACH, seed=5)
    diagnosis = sd.diagnose(answers, indicators=records)
    (finding,) = [f for f in diagnosis.findings if f.kind == "operations" and "lost" in f.title]
    (cause,) = [c for c in finding.causes if c.rule == "R46"]
    assert cause.status == status


# What cannot be told


def test_units_too_small_to_compare_their_agreement_are_named(make_responses):
    small = np.repeat(BRANCHES, 8)
    assert reasons(sd.diagnose(make_responses([("readiness", "employee")], small)), "dispersion") == {"TOO_FEW"}


def test_units_in_which_nobody_differs_are_named():
    items = [item.code for item in sd.load_instrument("readiness").items]
    answers = {code: np.where(EACH == "Branch 01", 2, 4) for code in items}
    frame = pd.DataFrame({"unit": EACH, **answers})
    diagnosis = sd.diagnose(sd.read_responses(frame, "readiness", form="employee", unit="unit"))
    assert reasons(diagnosis, "dispersion") == {"NO_VARIANCE"}


def test_units_that_can_be_compared_miss_nothing(make_responses):
    assert reasons(sd.diagnose(make_responses([("readiness", "employee")], EACH)), "dispersion") == set()


@pytest.mark.parametrize("invited", [[30], {30}, "Branch 01"])
def test_invited_people_are_a_mapping_or_a_frame(make_responses, invited):
    with pytest.raises(TypeError, match="invited must be a mapping or a DataFrame"):
        sd.diagnose(make_responses([("readiness", "employee")], EACH), invited=invited)


def test_endless_people_are_no_number_of_people(make_responses):
    with pytest.raises(ValueError, match="no whole number of people"):
        sd.diagnose(make_responses([("readiness", "employee")], EACH), invited={"Branch 01": float("inf")})


# Arguments


@pytest.mark.parametrize(
    ("argument", "value", "error", "said"),
    [
        ("by", None, TypeError, "by=None must be the name of a column, or several"),
        ("by", 5, TypeError, "by=5 must be the name of a column, or several"),
        ("by", ["unit", None], TypeError, r"by=\['unit', None\] must be the name of a column, or several"),
        (
            "background",
            "tenure",
            ValueError,
            r"background='tenure' is not a respondent column .*choose from \['unit'\]",
        ),
        ("background", 5, TypeError, "background=5 must be the name of a column, or several"),
        ("seed", "a", TypeError, "seed='a' must be a whole number"),
        ("seed", -1, ValueError, "seed=-1 must be at least 0"),
        ("minimum_group", 5.5, TypeError, "minimum_group=5.5 must be a whole number"),
        ("minimum_group", True, TypeError, "minimum_group=True must be a whole number"),
        ("smallest_gap", "5", TypeError, "smallest_gap='5' must be a number of points"),
        ("smallest_gap", float("nan"), ValueError, "smallest_gap=nan must be above 0 and at most 50 points"),
        ("population_size", [30], TypeError, "population_size must be a mapping, not list"),
    ],
)
def test_impossible_argument_is_refused_with_its_value_and_what_it_may_be(make_responses, argument, value, error, said):
    answers = make_responses([("readiness", "employee")], EACH)
    with pytest.raises(error, match=said):
        sd.diagnose(answers, **{argument: value})


def test_column_named_twice_counts_once_and_one_name_needs_no_list(make_responses):
    answers = make_responses([("readiness", "employee")], EACH)
    answers = noting(answers, tenure=np.array(BANDS)[np.arange(len(EACH)) % 4])
    usual = sd.diagnose(answers, background=["tenure"])
    same = sd.diagnose(answers, by=["unit", "unit"], background="tenure")
    pd.testing.assert_frame_equal(same.evidence, usual.evidence)
    assert same.findings == usual.findings
    assert set(usual.segments["background"]) == {"tenure"}


# Words


def test_every_title_says_how_sure_it_is():
    """A watched gap must not be told in the words of an established one; the two exceptions are abstentions."""
    titles = {key for key in keys("finding") if key.startswith("finding.title.")}
    silent = {key.rpartition(".")[2] for key in titles if "verb" not in placeholders(key)}
    assert silent == {"attribution_not_separable", "bottleneck_joint"}


def test_blame_is_told_beside_what_it_is_compared_with():
    assert {"percent", "comparator"} <= placeholders("finding.text.blame_shift")
