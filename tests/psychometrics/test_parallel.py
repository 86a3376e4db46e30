"""Parallel analysis: planted dimensions are found, noise has none, and the simulation is what it says."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.psychometrics import parallel


def planted(n_factors, n=400, per_factor=4, seed=0):
    generator = np.random.default_rng(seed)
    factors = np.repeat(generator.normal(size=(n, n_factors)), per_factor, axis=1)
    return pd.DataFrame(factors + generator.normal(size=factors.shape)).rename(columns="q{}".format)


@pytest.mark.parametrize("n_factors", [1, 2, 3])
@pytest.mark.parametrize("communalities", ["one_factor", "squared_multiple"])
def test_planted_factors_are_counted(n_factors, communalities):
    result = pm.parallel_analysis(planted(n_factors), communalities=communalities, n_iterations=200)
    assert result.n_components == n_factors
    assert n_factors <= result.n_factors <= n_factors + 1


def test_unrelated_items_have_no_components_at_about_the_nominal_rate():
    generator = np.random.default_rng(1)
    found = [
        pm.parallel_analysis(pd.DataFrame(generator.normal(size=(150, 6))), n_iterations=100, seed=i).n_components
        for i in range(60)
    ]
    assert 0 <= np.mean(np.array(found) > 0) < 0.15  # 5 % nominal, 60 tries


def test_the_same_seed_gives_the_same_table_and_another_seed_does_not():
    items = planted(2)
    first, again, other = (pm.parallel_analysis(items, seed=seed, n_iterations=50) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first.to_frame(), again.to_frame())
    assert not first.to_frame().equals(other.to_frame())
    assert first.seed == 3
    assert pm.parallel_analysis(items, seed=np.random.default_rng(3), n_iterations=50).seed is None


def test_simulated_eigenvalues_are_those_of_simulated_respondents():
    n, k = 60, 5
    items = pd.DataFrame(np.random.default_rng(0).normal(size=(n, k)))
    table = pm.parallel_analysis(items, n_iterations=4000).to_frame()
    generator = np.random.default_rng(1)
    drawn = np.array(
        [np.linalg.eigvalsh(np.corrcoef(generator.normal(size=(n, k)), rowvar=False))[::-1] for _ in range(4000)]
    )
    assert_allclose(table["component_mean"], drawn.mean(axis=0), atol=0.01)
    assert_allclose(table["component_limit"], np.quantile(drawn, 0.95, axis=0), atol=0.02)


def test_counting_stops_at_the_first_eigenvalue_that_fails(monkeypatch):
    items = planted(3)
    values = np.array([3.0, 0.5, 2.5, *np.linspace(1, 0.2, 9)])
    limits = np.full(12, 1.2)
    monkeypatch.setattr(parallel.np.linalg, "eigvalsh", lambda matrix: np.broadcast_to(
        (values if len(matrix) == 12 and matrix.ndim == 2 else limits)[::-1], (*matrix.shape[:-2], 12)))  # fmt: skip
    result = pm.parallel_analysis(items, n_iterations=20, communalities="one_factor")
    assert result.n_components == 1


def test_progress_is_told_up_to_the_last_iteration():
    seen = []
    coarse = planted(1).apply(lambda column: np.digitize(column, [-1, 0, 1]))
    pm.parallel_analysis(coarse, n_iterations=25, correlation="polychoric", progress=lambda *at: seen.append(at))
    assert seen == [(10, 25), (20, 25), (25, 25)]


def test_polychoric_analysis_of_skewed_items_finds_the_planted_factors():
    coarse = planted(2, n=500).apply(lambda column: np.digitize(column, [0.5, 1.5, 2.2]))
    result = pm.parallel_analysis(coarse, n_iterations=40, correlation="polychoric", categories=range(4))
    assert (result.n_components, result.simulated_from) == (2, "permuted")


def test_missing_rows_are_counted_and_left_out():
    items = planted(1)
    items.iloc[:7, 0] = np.nan
    result = pm.parallel_analysis(items, n_iterations=30)
    assert (result.n_respondents, result.n_dropped) == (393, 7)
    pd.testing.assert_frame_equal(result.to_frame(), pm.parallel_analysis(items.dropna(), n_iterations=30).to_frame())


def test_shuffled_answers_take_the_place_of_normal_variables_on_demand():
    items = planted(2, n=300).apply(lambda column: np.digitize(column, [1.0, 2.0]))
    shuffled = pm.parallel_analysis(items, simulated_from="permuted", n_iterations=200)
    normal = pm.parallel_analysis(items, n_iterations=200)
    assert (shuffled.simulated_from, normal.simulated_from) == ("permuted", "normal")
    assert shuffled.n_components == normal.n_components == 2
    first, second = shuffled.to_frame(), normal.to_frame()
    assert_allclose(first["component"], second["component"])
    assert_allclose(first["component_mean"], second["component_mean"], atol=0.03)
    assert not np.allclose(first["component_mean"], second["component_mean"], atol=1e-9)


@pytest.mark.parametrize(
    "choice",
    [
        {"simulated_from": "permuted", "missing": "pairwise"},
        {"simulated_from": "normal", "correlation": "polychoric"},
        {"simulated_from": "other"},
    ],
)
def test_impossible_simulations_are_refused(choice):
    with pytest.raises(ValueError, match="simulated_from|shuffled"):
        pm.parallel_analysis(planted(1).round(), **choice)
