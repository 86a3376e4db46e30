"""The same number wherever it stands: tables, findings and their sentences do not contradict each other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import servicediag as sd
from servicediag.wording.catalogue import keys, placeholders

BRANCHES = [f"Branch {k:02d}" for k in range(1, 8)]
EACH = np.repeat(BRANCHES, 24)
BANDS = ("under_1", "from_1", "from_4", "from_10")


def noting(responses, **columns):
    return replace(responses, respondents=responses.respondents.assign(**columns))


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


# As sure as the interval


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


# Words


def test_every_title_says_how_sure_it_is():
    """A watched gap must not be told in the words of an established one; the two exceptions are abstentions."""
    titles = {key for key in keys("finding") if key.startswith("finding.title.")}
    silent = {key.rpartition(".")[2] for key in titles if "verb" not in placeholders(key)}
    assert silent == {"attribution_not_separable", "bottleneck_joint"}


def test_blame_is_told_beside_what_it_is_compared_with():
    assert {"percent", "comparator"} <= placeholders("finding.text.blame_shift")
