"""The generator behind the validation knows nothing of the engine, and plants what it says."""

import ast
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "validation"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="benchmarks are not part of an installation")


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator():
    return load("organisations")


@pytest.fixture(scope="module")
def goals():
    return load("goals")


@pytest.mark.parametrize("name", ["organisations", "planted_causes"])
def test_generator_does_not_import_the_engine(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [module for module in modules if module.startswith("servicediag.diagnosis") or module == "servicediag"]


def test_planted_gap_is_there(generator):
    model = generator.AnswerModel(sizes=(4000, 4000))
    scale = generator.CUSTOMERS[0]
    made = generator.organisation(model, 3, n_units=3, effects={(1, scale.reference): -15.0})
    group = made.groups[0]
    assert group.true_gap[1, 0] == pytest.approx(-15.0, abs=1e-6)
    means = [group.health[group.unit == unit, 0].mean() for unit in range(3)]
    error = group.health[:, 0].std() / np.sqrt(4000)
    assert means[1] - (means[0] + means[2]) / 2 == pytest.approx(-15.0, abs=4 * 1.3 * error)
    assert np.allclose(group.true_gap[:, 1:], 0.0)


def test_gaps_planted_at_random_average_to_what_was_asked_for(generator):
    model = generator.AnswerModel(sizes=(30, 30))
    made = generator.organisation(model, 5, effects=generator.planted_at_random(5, 12.5))
    planted = np.concatenate([group.true_gap[group.planted < 0] for group in made.groups])
    assert len(planted) == 28
    assert planted == pytest.approx(np.full(28, -12.5), abs=1e-6)


def test_effect_on_one_item_moves_its_share_of_the_scale(generator):
    scale = generator.EMPLOYEES[0]
    model = generator.AnswerModel(sizes=(10, 10))
    made = generator.organisation(model, 2, (generator.EMPLOYEES,), 2, {(0, scale.items[0]): -20.0})
    assert made.groups[0].true_gap[0, 0] == pytest.approx(-20.0 / len(scale.items), abs=1e-6)


def test_careless_people_and_drift_change_answers_but_not_the_truth(generator):
    plain, careless = (
        generator.organisation(generator.AnswerModel(careless=share, acquiescence=share), 4, n_units=2)
        for share in (0.0, 0.5)
    )
    assert np.array_equal(plain.groups[0].truth, careless.groups[0].truth)
    assert not np.array_equal(plain.groups[0].answers, careless.groups[0].answers)


def test_those_who_answer_are_more_satisfied_where_missing_is_not_at_random(generator):
    selected = generator.organisation(generator.AnswerModel(selection=0.6, sizes=(500, 500)), 6)
    plain = generator.organisation(generator.AnswerModel(sizes=(500, 500)), 6)
    assert selected.groups[0].health.mean() > plain.groups[0].health.mean() + 2


def test_ratio_interval_of_independent_things_is_wilsons(goals):
    counts, ones = np.r_[np.ones(8), np.zeros(12)], np.ones(20)
    measured = goals.ratio(counts, ones)
    assert measured.value == 0.4
    assert (measured.low, measured.high) == pytest.approx((0.219, 0.613), abs=0.01)


def test_things_of_one_organisation_count_less_than_independent_ones(goals):
    together = goals.ratio(np.tile([10.0, 0.0], 10), np.full(20, 10.0))
    apart = goals.ratio(np.full(20, 5.0) + np.tile([1.0, -1.0], 10), np.full(20, 10.0))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_row_says_whether_a_goal_is_met_and_whether_the_interval_crosses_it(goals):
    def met(value, low, high):
        return goals.Row("A1", "", goals.Measured(value, low, high, 10), "at most", 0.05).met

    assert met(0.01, 0.0, 0.02) == "yes"
    assert met(0.04, 0.01, 0.09) == "yes, interval crosses"
    assert met(0.09, 0.06, 0.12) == "no"
