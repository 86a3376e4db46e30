"""Minimum groups, sensitive scales, managers' ratings, and the type that alone is rendered."""

from dataclasses import fields, replace

import numpy as np
import pytest

import servicediag as sd
from servicediag.diagnosis.model import Diagnosis, PublishedDiagnosis
from servicediag.diagnosis.privacy import _hide_units, _Pool
from servicediag.diagnosis.ranges import feasible_width
from servicediag.diagnosis.sensitive import sensitive_scales
from servicediag.report import write_excel, write_html, write_json

UNITS = np.repeat(["North", "South", "West", "East"], [20, 8, 18, 7])


@pytest.fixture(scope="module")
def answers(make_responses):
    return make_responses([("four-tools", "receiver")], UNITS, seed=6)


@pytest.fixture(scope="module")
def diagnosis(answers):
    return sd.diagnose(answers)


def test_sensitive_scales_are_shown_of_ten_or_more_only(diagnosis):
    delicate = diagnosis.evidence["dimension"].isin(["blame_staff", "blame_situation"])
    assert diagnosis.evidence.loc[delicate, "n"].min() >= 10
    assert diagnosis.evidence.loc[~delicate, "n"].min() < 10
    items = diagnosis.items[diagnosis.items["dimension"].isin(["blame_staff", "blame_situation"])]
    assert items["n"].min() >= 10


def test_every_sensitive_scale_exists():
    for scale in sensitive_scales():
        instrument, dimension = scale.split("/")
        assert sd.load_instrument(instrument).dimension(dimension)


@pytest.mark.parametrize("minimum", [3, 4])
def test_groups_below_five_need_a_recorded_reason(answers, minimum):
    with pytest.raises(ValueError, match="privacy_override"):
        sd.diagnose(answers, minimum_group=minimum)
    with pytest.raises(ValueError, match="privacy_override"):
        sd.diagnose(answers, minimum_group=minimum, privacy_override="  ")
    agreed = sd.diagnose(answers, minimum_group=minimum, privacy_override="agreed with the works council")
    assert agreed.method["privacy_override"] == "agreed with the works council"


def test_no_reason_permits_groups_of_two(answers):
    with pytest.raises(ValueError, match="minimum_group=2"):
        sd.diagnose(answers, minimum_group=2, privacy_override="agreed")


def test_reason_is_not_recorded_where_none_is_needed(diagnosis):
    assert "privacy_override" not in diagnosis.method


def test_a_single_manager_is_shown_nowhere(make_responses):
    units = np.repeat(["A", "B", "C"], [20, 22, 24])
    staff = make_responses([("four-tools", "receiver")], units, seed=1)
    managers = make_responses([("four-tools", "provider")], np.array(["A", "B", "C"]), seed=2)
    diagnosis = sd.diagnose(staff, managers)
    for table in (diagnosis.evidence, diagnosis.items, diagnosis.indicators, diagnosis.agreement, diagnosis.answers):
        assert "provider" not in set(table["form"])
    assert diagnosis.comparisons.empty
    assert not any(finding.form == "provider" for finding in diagnosis.findings)
    assert set(diagnosis.withheld.loc[diagnosis.withheld["form"] == "provider", "rule"]) == {"minimum_group"}


def test_unit_is_not_shown_within_a_region_whose_others_are_withheld_and_of_one_mind(make_responses):
    """The 14 people of B, withheld to protect three others, are left of the region, all at an end of the scale."""
    units = np.repeat(["A", "B", "C", "D"], [18, 14, 30, 3])
    study = make_responses([("four-tools", "receiver")], units, seed=3, missing=0.0)
    respondents = study.respondents.assign(region=np.where(np.isin(units, ["C", "D"]), "North", "South"))
    best = {item.code: 5 for item in sd.load_instrument("four-tools").dimension("feed").items}
    codes = {code: np.where(units == "B", best.get(code, column), column) for code, column in study.codes.items()}
    shown = sd.diagnose(replace(study, respondents=respondents, codes=codes), by=["unit", "region"]).evidence
    feedback = shown[shown["dimension"] == "feed"]
    places = set(zip(feedback["by"], feedback["unit"], strict=True))
    assert ("region", "South") in places
    assert ("unit", "A") not in places


@pytest.mark.parametrize(("write", "name"), [(write_excel, "a.xlsx"), (write_html, "a.html"), (write_json, "a.json")])
def test_only_what_passed_the_gate_is_rendered(diagnosis, tmp_path, write, name):
    assert type(diagnosis) is PublishedDiagnosis
    raw = Diagnosis(**{field.name: getattr(diagnosis, field.name) for field in fields(Diagnosis)})
    with pytest.raises(TypeError, match="PublishedDiagnosis"):
        write(raw, tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_small_group_near_the_end_of_the_scale_is_withheld(answers):
    codes = {code: np.where(UNITS == "South", 5, column).astype(column.dtype) for code, column in answers.codes.items()}
    shown = sd.diagnose(replace(answers, codes=codes)).evidence
    assert "South" not in set(shown["unit"])


@pytest.mark.parametrize(("n", "m"), [(5, 1), (7, 3), (9, 4)])
def test_feasible_width_covers_every_choice_of_people(n, m):
    generator = np.random.default_rng(n)
    for _ in range(200):
        values = generator.random(n) ** generator.choice([0.2, 1.0, 5.0])
        width = float(feasible_width(float(m), n, values.sum(), (values**2).sum()))
        ordered = np.sort(values)
        assert width >= ordered[-m:].sum() - ordered[:m].sum() - 1e-9


@pytest.mark.parametrize(("mean", "safe"), [(0.93, False), (0.60, True)])
def test_five_people_of_no_unit_near_an_end_are_not_left_by_subtraction(mean, safe):
    # with a mean of 93 of 100, three of the five lie between 265 and 300 whoever they are
    answers = np.clip(mean + np.array([-0.28, 0.07, 0.07, 0.07, 0.07]), 0, 1)
    left = np.array([5, answers.sum(), (answers**2).sum()])
    units = np.array([[16.0, 20.0], [8.0, 11.0], [5.0, 7.0]])
    pool = _Pool(units, np.zeros(2, dtype=bool), left, 5, True)
    assert pool.is_safe(np.zeros(2, dtype=bool)) == safe


def test_unit_that_was_withheld_first_is_shown_where_a_larger_one_protects_as_well():
    """Three who are all at the end need a partner: ten near the end are none, twelve of all minds are one alone."""
    sums = np.array([[3.0, 10.0, 12.0, 30.0], [3.0, 9.5, 6.0, 15.0], [3.0, 9.1, 5.0, 10.0]])
    pool = _Pool(sums, np.array([True, False, False, False]), np.zeros(3), 5, True)
    hidden = np.array(["minimum_group", "", "", ""], dtype=object)
    assert _hide_units(hidden, np.arange(4), pool)
    assert hidden.tolist() == ["minimum_group", "", "complementary", ""]
