"""The story that the engine was made for, from planted answers to the first thing to do.

Promises are broken; customers whose promise was broken call it a bad attitude, the others do not; supervisors see
good people under pressure; managers explain it by their staff.
"""

from __future__ import annotations

import pytest

import servicediag as sd
from servicediag import AnswerProcess, Effect
from servicediag.diagnosis.rules import load_rules

CALM = AnswerProcess(icc=0.0, careless=0.0, acquiescence=0.0, missing=0.0, no_answer_option=0.0, breakoff=0.0)
BROKEN = {"promise_broken": {"yes": 0.5, "no": 0.5}}
AMONG = ("promise_broken", "yes")
ATTITUDES = ("first", "pos", "prof", "people", "avail", "pers", "basic", "rely")


def customers():
    """Attitude 38 where a promise was broken, 74 where none was; coldness and brush-off are met by many."""
    effects = [Effect(None, f"employee-attitudes/{name}", -36, AMONG) for name in ATTITUDES]
    effects += [Effect(None, f"seven-sins/{name}", -45, AMONG) for name in ("cold", "brush")]
    parts = [("seven-sins", "customer"), ("employee-attitudes", "customer"), ("service-recovery", "customer")]
    baseline = {f"employee-attitudes/{name}": 74.0 for name in ATTITUDES}
    baseline |= {"seven-sins/cold": 82.0, "seven-sins/brush": 82.0, "outcome": 32.0}
    return sd.simulate(parts, n_units=4, respondents_per_unit=70, seed=1, effects=effects, baseline=baseline,
                       background=BROKEN, process=CALM)  # fmt: skip


def supervisors():
    parts = [("seven-sins", "supervisor"), ("employee-attitudes", "supervisor")]
    baseline = {f"employee-attitudes/{name}": 80.0 for name in ATTITUDES}
    baseline |= {f"seven-sins/{name}": 84.0 for name in ("apathy", "brush", "cold", "condesc", "robot", "rule", "run")}
    return sd.simulate(parts, n_units=4, respondents_per_unit=15, seed=2, baseline=baseline, process=CALM)


def employees(tools):
    parts = [("attitude-causes", "employee"), ("readiness", "employee"), ("four-tools", "receiver")]
    baseline = {"promise": 30.0, "time": 30.0, "want": 82.0, "know": 76.0, "can": 62.0, "comm": tools, "feed": tools,
                "capa": tools, "blame_staff": 30.0, "blame_situation": 30.0}  # fmt: skip
    effects = [Effect(None, "four-tools/blame_staff", -20)]
    return sd.simulate(parts, n_units=4, respondents_per_unit=40, seed=3, baseline=baseline, effects=effects,
                       process=CALM)  # fmt: skip


def diagnosis(tools, *, exhaustion):
    staff = employees(tools)
    answers = staff.labelled()
    if not exhaustion:
        wording = sd.load_instrument("attitude-causes").text("cau_morale_2", form="employee")
        answers = answers.drop(columns=wording)
    forms = {"attitude-causes": "employee", "readiness": "employee", "four-tools": "receiver"}
    read = sd.read_responses(answers, list(forms), form=forms, unit="unit", minimum_completed=0.0)
    return sd.diagnose(customers().responses(), supervisors().responses(), read)


@pytest.fixture(scope="module")
def story():
    return diagnosis(72.0, exhaustion=False)


@pytest.fixture(scope="module")
def poor_tools():
    return diagnosis(30.0, exhaustion=True)


def causes(found, kind, dimension):
    return {
        cause.rule: cause
        for finding in found.findings
        if finding.kind == kind and finding.dimension == dimension and finding.unit is None
        for cause in finding.causes
    }


def the_finding(found, kind, dimension):
    return next(f for f in found.findings if f.kind == kind and f.dimension == dimension and f.unit is None)


def test_coldness_and_brush_off_are_met_by_many_customers(story):
    for sin in ("cold", "brush"):
        finding = the_finding(story, "organisation_wide", sin)
        assert finding.is_trouble
        assert finding.rater == "customer"


@pytest.mark.parametrize("attitude", ATTITUDES)
def test_a_bad_attitude_is_broken_promises_and_failed_recovery(story, attitude):
    cause = causes(story, "perception_gap", attitude)["R25"]
    assert cause.status == "supported"
    assert cause.evidence_tag == "S"
    assert set(cause.sources) == {"employee", "customer"}
    assert any("Promise not kept" in sentence for sentence in cause.confirming)


def test_breach_load_and_overload_are_supported(story):
    assert causes(story, "organisation_wide", "cold")["R06"].status == "supported"
    assert causes(story, "organisation_wide", "brush")["R12"].status == "supported"


def test_exhaustion_that_nobody_asked_about_is_untested(story):
    cause = causes(story, "organisation_wide", "cold")["R05"]
    assert cause.status == "untested"
    wording = sd.load_instrument("attitude-causes").text("cau_morale_2", form="employee")
    assert any(wording in sentence for sentence in cause.untested)


def test_nobody_is_blamed_while_promises_are_broken(story, poor_tools):
    for found in (story, poor_tools):
        person_side = [c for f in found.findings for c in f.causes if c.side == "person"]
        assert person_side
        assert not [c.rule for c in person_side if c.status == "supported"]


def test_attitude_is_called_provisional(story):
    finding = the_finding(story, "perception_gap", "pos")
    assert any(text.startswith("PROVISIONAL") for text in finding.abstentions)


def test_promises_come_first_and_recovery_second(story):
    first_two = tuple(load_rules().action(code).text for code in ("ACT.KEEP", "ACT.RECOVER"))
    for kind, dimension in (("perception_gap", "pos"), ("organisation_wide", "cold"), ("organisation_wide", "brush")):
        assert the_finding(story, kind, dimension).actions[:2] == first_two


def test_managers_blame_staff_only_counts_where_tools_are_missing(story, poor_tools):
    assert causes(story, "blame_shift", "blame_staff")["R38"].status != "supported"
    assert causes(poor_tools, "blame_shift", "blame_staff")["R38"].status == "supported"


def test_exhaustion_that_was_asked_about_is_judged(poor_tools):
    assert causes(poor_tools, "organisation_wide", "cold")["R05"].status != "untested"
