"""Study planning: more people find more, larger gaps need fewer, and the answer agrees with a study done by hand."""

import json
import math

import numpy as np
import pytest

import servicediag as sd
from servicediag.planning import StudyPlan

QUICK = {"n_units": 6, "n_scales": 4, "n_simulations": 60}
CHANCES = ["p_shown", "p_likely", "p_established", "p_bottleneck"]


@pytest.fixture(scope="module")
def twenty() -> StudyPlan:
    return sd.plan(gap=20, **QUICK)


def test_more_people_never_have_less_power(twenty):
    curve = twenty.to_frame()
    assert (curve["people"].diff().dropna() > 0).all()
    assert (curve[CHANCES].diff().dropna() >= 0).all().all()
    assert curve["p_established"].iloc[0] < 0.2 < 0.95 < curve["p_established"].iloc[-1]


def test_likely_includes_established_and_needs_no_more_people(twenty):
    curve = twenty.to_frame()
    assert (curve["p_likely"] >= curve["p_established"]).all()
    assert sd.plan(gap=20, tier="likely", **QUICK).people_per_unit <= twenty.people_per_unit


def test_larger_gap_needs_fewer_people(twenty):
    smaller = sd.plan(gap=12, **QUICK)
    assert smaller.people_per_unit > 1.5 * twenty.people_per_unit
    assert smaller.people_for_bottleneck > twenty.people_for_bottleneck


def test_higher_power_and_more_scales_need_more_people(twenty):
    assert sd.plan(gap=20, power=0.95, **QUICK).people_per_unit > twenty.people_per_unit
    many = sd.plan(gap=20, n_units=6, n_scales=30, n_simulations=60)
    assert many.people_per_unit > twenty.people_per_unit


def test_lower_response_means_that_more_are_asked(twenty):
    half = sd.plan(gap=20, response_rate=0.5, **QUICK)
    assert 1.5 < half.people_per_unit / twenty.people_per_unit < 2.6
    assert half.expected_answers == pytest.approx(half.people_per_unit / 2, abs=0.51)


def test_publication_needs_enough_answers_in_every_unit():
    half = sd.plan(gap=20, response_rate=0.5, **QUICK)

    def every_unit_shown(people):
        few = sum(math.comb(people, k) for k in range(5)) / 2**people
        return (1 - few) ** 6

    assert every_unit_shown(half.people_to_publish) >= 0.80 > every_unit_shown(half.people_to_publish - 1)
    assert sd.plan(gap=20, **QUICK).people_to_publish == 5


def test_unreliable_scale_is_never_established():
    weak = sd.plan(gap=25, reliability=0.40, **QUICK)
    assert weak.people_per_unit is None
    assert weak.to_frame()["p_established"].max() < 0.05
    assert "more than 300 people" in weak.describe()


def test_power_agrees_with_studies_simulated_person_by_person():
    """Normal scores of single people; family of 1 scale x 5 units, Benjamini-Hochberg by hand on the engine's p."""
    from servicediag.diagnosis.statistics import minimum_effect_p

    people, runs, units, gap = 40, 400, 5, 12.0
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(runs):
        scores = 60 + 20 * rng.standard_normal((units, people))
        scores[0] -= gap
        means = scores.mean(axis=1)
        variance = scores.var(axis=1, ddof=1).mean()
        gaps = means - (means.sum() - means) / (units - 1)
        error = math.sqrt(variance / people * (1 + 1 / (units - 1)))
        p = minimum_effect_p(gaps, np.full(units, error), units * (people - 1), 2.5)
        passed = [k for k in range(1, units + 1) if np.sort(p)[k - 1] <= 0.05 * k / units]
        found += bool(passed) and p[0] <= np.sort(p)[max(passed) - 1] and gaps[0] < 0
    direct = found / runs
    study = sd.plan(gap=gap, n_units=units, n_scales=1, reliability=0.95, largest=people, n_simulations=400)
    simulated = study.to_frame().iloc[-1]
    assert simulated["people"] == people
    error = math.sqrt(direct * (1 - direct) / runs + simulated["simulation_error"] ** 2)
    assert abs(simulated["p_established"] - direct) < 3.5 * error


def test_same_seed_same_plan_and_progress_reaches_the_end():
    done = []
    first = sd.plan(gap=20, seed=3, n_units=4, n_scales=2, n_simulations=10, progress=done.append)
    again = sd.plan(gap=20, seed=3, n_units=4, n_scales=2, n_simulations=10)
    assert first.to_frame().equals(again.to_frame())
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_result_is_frozen_and_shows_itself(twenty):
    with pytest.raises(AttributeError):
        twenty.gap = 3
    frame = twenty.to_frame()
    frame["people"] = 0
    assert twenty.to_frame()["people"].iloc[0] == 5
    assert str(twenty.people_per_unit) in twenty.describe()
    assert twenty.describe().split(".")[0] in twenty._repr_html_()
    chart = twenty.plot().to_dict()
    assert "People asked in each unit" in json.dumps(chart)
    assert repr(twenty).startswith(f"StudyPlan(people_per_unit={twenty.people_per_unit}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gap", 0), ("gap", 101), ("n_units", 1), ("power", 1), ("tier", "sure"), ("n_scales", 0), ("icc", 1.0),
        ("standard_deviation", 0), ("reliability", 1.0), ("n_items", 0), ("response_rate", 0), ("minimum_group", 2),
        ("smallest_gap", 0), ("largest", 5), ("n_simulations", 1),
    ],
)  # fmt: skip
def test_argument_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=rf"{name}={value!r}"):
        sd.plan(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("gap", "10", "a number"), ("power", "high", "a number"), ("icc", None, "a number"),
        ("n_units", 2.5, "a whole number"), ("n_scales", "10", "a whole number"), ("n_items", 2.5, "a whole number"),
        ("minimum_group", 5.5, "a whole number"), ("largest", 300.5, "a whole number"),
        ("n_simulations", True, "a whole number"), ("seed", None, "a whole number"),
    ],
)  # fmt: skip
def test_argument_of_another_kind_is_named(name, value, kind):
    with pytest.raises(TypeError, match=rf"{name}={value!r} must be {kind}"):
        sd.plan(**{name: value})


def test_negative_seed_is_named():
    with pytest.raises(ValueError, match="seed=-1 must be at least 0"):
        sd.plan(seed=-1)
