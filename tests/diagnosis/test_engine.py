"""The diagnosis finds what was planted, stays silent on noise, and says how sure it is."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.wording.telling import Told

BRANCHES = [f"Branch {k:02d}" for k in range(1, 13)]
EMPLOYEES = np.repeat(BRANCHES, 30)
CUSTOMERS = np.repeat(BRANCHES, 50)


@pytest.fixture(scope="module")
def planted(make_responses):
    customers = make_responses(
        [("seven-sins", "customer")], CUSTOMERS, seed=1, shifts=[("Branch 03", "rule", -0.9)], missing=0.03
    )
    employees = make_responses(
        [("readiness", "employee"), ("four-tools", "receiver")],
        EMPLOYEES,
        seed=2,
        shifts=[("Branch 03", "can", -0.9), ("Branch 03", "rdy_can_r5", -1.2), ("Branch 03", "rdy_can_r1", -1.0)],
        missing=0.03,
    )
    return sd.diagnose(customers, employees)


def find(diagnosis, kind, unit=None, dimension=None):
    return [
        f for f in diagnosis.findings
        if f.kind == kind and f.unit == unit and (dimension is None or f.dimension == dimension)
    ]  # fmt: skip


def test_planted_gap_is_established_in_its_branch(planted):
    (finding,) = find(planted, "unit_gap", "Branch 03", "rule")
    assert finding.tier == "established"
    assert finding.direction == "worse"
    assert finding.ci_low <= finding.estimate <= finding.ci_high < 0
    assert finding.severity in ("major", "critical")


def test_planted_bottleneck_is_named_with_its_requirement(planted):
    (finding,) = find(planted, "bottleneck", "Branch 03")
    assert finding.dimension == "can"
    assert finding.estimate >= 0.90
    supported = [cause.cause for cause in finding.causes if cause.status == "supported"]
    assert any("decisions" in cause for cause in supported)


def test_planted_cause_is_supported_and_unmeasured_ones_stay_listed(planted):
    (finding,) = find(planted, "unit_gap", "Branch 03", "rule")
    status = {cause.rule: cause.status for cause in finding.causes}
    assert status["R03"] == "supported"
    assert status["R01"] == "supported"
    assert status["R02"] == status["R04"] == "untested"
    assert all(cause.untested for cause in finding.causes if cause.status == "untested")
    assert finding.actions


def test_no_other_branch_is_accused(planted):
    accused = {f.unit for f in planted.findings if f.kind == "unit_gap" and f.tier == "established"}
    assert accused == {"Branch 03"}


def test_most_important_trouble_comes_first(planted):
    assert {f.unit for f in planted.top(3) if f.unit} == {"Branch 03"}


def test_every_number_in_a_text_is_in_the_finding(planted):
    (finding,) = find(planted, "unit_gap", "Branch 03", "rule")
    for value in (abs(finding.estimate), finding.ci_low, finding.ci_high, abs(finding.shrunk)):
        assert f"{value:.1f}" in finding.text
    assert f"n = {finding.n}" in finding.text


def test_noise_gives_no_established_finding_about_a_unit(make_responses):
    for seed in range(5):
        noise = make_responses([("readiness", "employee")], EMPLOYEES, seed=100 + seed)
        diagnosis = sd.diagnose(noise)
        assert [f for f in diagnosis.findings if f.unit and f.tier == "established"] == []


def test_unit_that_is_low_on_everything_gets_one_finding_and_no_specific_cause(make_responses):
    shifts = [("Branch 05", d, -1.0) for d in ("apathy", "brush", "cold", "condesc", "robot", "rule", "run")]
    diagnosis = sd.diagnose(make_responses([("seven-sins", "customer")], CUSTOMERS, seed=7, shifts=shifts))
    (finding,) = find(diagnosis, "unit_wide", "Branch 05")
    assert finding.severity in ("major", "critical")
    specific = find(diagnosis, "unit_gap", "Branch 05")
    assert specific
    assert all(not f.causes and any("UNIT_WIDE" in a for a in f.abstentions) for f in specific)


def test_provided_but_not_received_is_found(make_responses):
    receivers = make_responses([("four-tools", "receiver")], EMPLOYEES, seed=3)
    shifts = [(branch, "feed", 0.8) for branch in BRANCHES]
    providers = make_responses([("four-tools", "provider")], np.repeat(BRANCHES, 3), seed=4, shifts=shifts)
    diagnosis = sd.diagnose(receivers, providers)
    (finding,) = find(diagnosis, "provision_gap", None, "feed")
    assert finding.tier in ("established", "likely")
    assert finding.estimate < 0
    assert "supervisors" in finding.comparator


def test_person_side_cause_is_never_supported_while_promises_are_unmeasured(planted):
    person = [c for f in planted.findings for c in f.causes if c.side == "person"]
    assert all(cause.status in ("untested", "not_supported") for cause in person)


def test_target_turns_a_level_into_a_finding(make_responses):
    employees = make_responses([("readiness", "employee")], EMPLOYEES, seed=5)
    diagnosis = sd.diagnose(employees, targets={"can": 85})
    (finding,) = find(diagnosis, "level", None, "can")
    assert finding.tier == "established"
    assert "target of 85" in finding.comparator
    per_unit = pd.DataFrame({"dimension": ["can"], "unit": ["Branch 02"], "target": [90.0]})
    assert find(sd.diagnose(employees, targets=per_unit), "level", "Branch 02", "can")
    assert not find(sd.diagnose(employees, targets=per_unit), "level", None, "can")


def test_earlier_diagnosis_is_a_target(make_responses):
    employees = make_responses([("readiness", "employee")], EMPLOYEES, seed=5)
    earlier = sd.diagnose(employees)
    assert find(sd.diagnose(employees, targets=earlier), "level", None) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": {"kindness": 70}}, "'kindness' is not a dimension here"),
        ({"targets": {"can": 170}}, "the target of 'can' is 170, not between 0 and 100$"),
        ({"targets": {"can": "high"}}, "the target of 'can' is 'high', not between 0 and 100$"),
        ({"targets": {"cann": 50}}, "'cann' is not a dimension here; choose from .*readiness/can,"),
        ({"minimum_group": 1}, "minimum_group=1"),
        ({"smallest_gap": 0}, "smallest_gap=0"),
        ({"population": "everyone"}, "population='everyone'"),
        ({"population": "census"}, "population_size"),
        ({"by": "region"}, "by='region'"),
    ],
)
def test_wrong_argument_is_refused_by_name(make_responses, arguments, message):
    employees = make_responses([("readiness", "employee")], EMPLOYEES[:60], seed=5)
    with pytest.raises(ValueError, match=message):
        sd.diagnose(employees, **arguments)


def test_nothing_to_diagnose_is_refused():
    with pytest.raises(ValueError, match="empty"):
        sd.diagnose()
    with pytest.raises(TypeError, match="DataFrame"):
        sd.diagnose(pd.DataFrame())


def test_too_few_respondents_end_in_one_issue(make_responses):
    with pytest.raises(sd.ResponsesError) as caught:
        sd.diagnose(make_responses([("readiness", "employee")], ["A", "A", "B"], seed=1))
    assert [issue.code for issue in caught.value.issues] == ["too_few_respondents"]


def test_one_unit_is_described_but_not_compared(make_responses):
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], ["Only"] * 30, seed=1))
    assert {f.kind for f in diagnosis.findings} <= {"organisation_wide", "level", "confidence_capability"}
    assert diagnosis.evidence["gap"].isna().all()


def test_without_a_unit_column_the_organisation_is_diagnosed_and_says_so(make_responses):
    from dataclasses import replace

    employees = make_responses([("readiness", "employee")], EMPLOYEES, seed=5)
    bare = replace(employees, respondents=employees.respondents.drop(columns="unit"))
    diagnosis = sd.diagnose(bare)
    assert diagnosis.evidence["unit"].isna().all()
    assert any("unit" in note for note in diagnosis.study["notes"])


def test_same_input_gives_the_same_diagnosis(make_responses):
    employees = make_responses([("readiness", "employee")], EMPLOYEES, seed=5)
    assert sd.diagnose(employees).findings == sd.diagnose(employees).findings


def test_census_narrows_the_intervals(make_responses):
    employees = make_responses([("readiness", "employee")], EMPLOYEES, seed=5)
    process = sd.diagnose(employees).evidence
    census = sd.diagnose(employees, population="census", population_size=dict.fromkeys(BRANCHES, 35)).evidence
    width = [(e["gap_high"] - e["gap_low"]).mean() for e in (census, process)]
    assert width[0] < 0.6 * width[1]


def test_newest_wave_is_judged_and_older_ones_are_shown(make_responses):
    from dataclasses import replace

    employees = make_responses([("readiness", "employee")], EMPLOYEES, seed=5)
    waves = np.where(np.arange(len(employees)) % 2, "2025", "2026")
    diagnosis = sd.diagnose(replace(employees, respondents=employees.respondents.assign(wave=waves)))
    assert set(diagnosis.evidence["wave"]) == {"2025", "2026"}
    assert {f.wave for f in diagnosis.findings} <= {"2026"}
    assert diagnosis.evidence.loc[diagnosis.evidence["wave"] == "2025", "tier"].isna().all()


def test_findings_hold_plain_values_only(planted):
    plain = (str, float, int, bool, type(None), tuple)
    for finding in planted.findings:
        for one in (finding, *finding.causes):
            for field in fields(one):
                value = getattr(one, field.name)
                assert type(value) in plain or isinstance(value, Told), (finding.kind, field.name, type(value))


def test_same_export_twice_is_refused(make_responses):
    employees = make_responses([("readiness", "employee")], EMPLOYEES[:90], seed=5)
    with pytest.raises(ValueError, match="given twice"):
        sd.diagnose(employees, employees)


def test_tenth_wave_is_newer_than_the_ninth(make_responses):
    from dataclasses import replace

    employees = make_responses([("readiness", "employee")], EMPLOYEES, seed=5)
    waves = np.where(np.arange(len(employees)) % 2, "Wave 9", "Wave 10")
    diagnosis = sd.diagnose(replace(employees, respondents=employees.respondents.assign(wave=waves)))
    judged = diagnosis.evidence.loc[diagnosis.evidence["tier"].notna(), "wave"]
    assert set(judged) <= {"Wave 10"}
    assert any("newest is taken to be Wave 10" in note for note in diagnosis.study["notes"])


@pytest.mark.parametrize("size", [{"Nowhere": 40}, {"Branch 01": 5}])
def test_impossible_population_size_is_refused(make_responses, size):
    employees = make_responses([("readiness", "employee")], EMPLOYEES[:90], seed=5)
    with pytest.raises(ValueError, match="population_size"):
        sd.diagnose(employees, population="census", population_size=size)


def test_condition_that_is_no_worse_than_elsewhere_supports_no_cause(make_responses):
    """A unit strong on everything but the tool, which is as elsewhere: the tool explains nothing."""
    customers = make_responses([("seven-sins", "customer")], CUSTOMERS, seed=1, shifts=[("Branch 03", "apathy", -0.9)])
    strong = ["know", "want", "can", "comm", "capa", "conf", "role"]
    strong += ["know_requirements", "want_requirements", "can_requirements"]
    employees = make_responses(
        [("readiness", "employee"), ("four-tools", "receiver")],
        EMPLOYEES,
        seed=2,
        shifts=[("Branch 03", name, 0.8) for name in strong] + [("Branch 03", "feed", 0.25)],
    )
    (finding,) = find(sd.diagnose(customers, employees), "unit_gap", "Branch 03", "apathy")
    assert {c.rule: c.status for c in finding.causes}["R11"] != "supported"


def test_unit_wide_is_rare_on_noise(make_responses):
    found = 0
    for seed in range(12):
        diagnosis = sd.diagnose(make_responses([("readiness", "employee")], EMPLOYEES, seed=300 + seed))
        found += sum(f.kind == "unit_wide" for f in diagnosis.findings)
    assert found <= 1


def test_watch_says_whether_chance_or_size_is_the_reason(make_responses):
    seen = set()
    for seed in range(6):
        diagnosis = sd.diagnose(make_responses([("readiness", "employee")], EMPLOYEES, seed=seed, halo=0.6))
        for finding in diagnosis.findings:
            if finding.kind == "unit_gap" and finding.tier == "watch":
                distinct = finding.q_value <= 0.10
                assert ("cannot tell this from chance" in finding.text) == (not distinct)
                seen.add(distinct)
    assert False in seen
