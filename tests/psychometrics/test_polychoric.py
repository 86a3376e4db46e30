"""Polychoric correlations, categorical omega and ordinal alpha: closed forms, simulations and laws."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.errors import ServicediagWarning
from servicediag.psychometrics._bivariate_normal import bivariate_cdf, bivariate_density


def normal_sample(rho, n, k=2, seed=0):
    matrix = np.full((k, k), rho)
    np.fill_diagonal(matrix, 1)
    return np.random.default_rng(seed).multivariate_normal(np.zeros(k), matrix, n)


def two_by_two(a, b, c, d):
    rows = [(0, 0)] * a + [(0, 1)] * b + [(1, 0)] * c + [(1, 1)] * d
    return pd.DataFrame(rows, columns=["x", "y"])


@st.composite
def ordinal_frames(draw):
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    k, n = draw(st.integers(2, 4)), draw(st.integers(80, 200))
    level = generator.normal(size=(n, 1)) + generator.normal(size=(n, k))
    return pd.DataFrame(np.digitize(level, [-1, 0.3, 1.2]), columns=[f"q{i}" for i in range(k)])


@pytest.mark.parametrize("rho", [-0.99, -0.95, -0.6, 0.0, 0.3, 0.89, 0.91, 0.97, 0.999])
def test_probability_at_the_origin_is_its_arcsine_form(rho):
    found = bivariate_cdf(np.zeros(1), np.zeros(1), np.array([rho]))
    assert_allclose(found, 0.25 + math.asin(rho) / (2 * math.pi), atol=1e-10)


@pytest.mark.parametrize("rho", [-0.97, -0.4, 0.29, 0.31, 0.76, 0.9, 0.901, 0.96, 0.995])
def test_probabilities_equal_the_integral_of_the_conditional_ones(rho):
    from scipy.special import ndtr

    generator = np.random.default_rng(0)
    for x, y in [*generator.normal(size=(12, 2)), (0.5, 0.51), (1, 1), (-1, 1)]:
        at, step = np.linspace(-9, x, 40_001, retstep=True)
        inner = np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi) * ndtr((y - rho * at) / math.sqrt(1 - rho**2))
        wanted = (inner[0] + inner[-1] + 4 * inner[1::2].sum() + 2 * inner[2:-1:2].sum()) * step / 3
        assert bivariate_cdf(np.array(x), np.array(y), np.array(rho)) == pytest.approx(wanted, abs=1e-9)


def test_the_density_is_the_derivative_of_the_probability_in_the_correlation():
    x, y = np.array([0.3, -1.0, 2.0]), np.array([0.1, 0.5, 1.5])
    step = 1e-5
    slope = (bivariate_cdf(x, y, np.full(3, 0.4 + step)) - bivariate_cdf(x, y, np.full(3, 0.4 - step))) / (2 * step)
    assert_allclose(bivariate_density(x, y, np.full(3, 0.4)), slope, rtol=1e-7)


def test_tables_split_at_the_medians_have_the_sine_form():
    items = two_by_two(40, 10, 10, 40)
    assert pm.polychoric_correlation(items).loc["x", "y"] == pytest.approx(math.sin(math.pi * (0.8 - 0.5)), abs=1e-9)


def test_the_correlation_behind_coarse_answers_is_recovered():
    answers = normal_sample(0.55, 60_000, k=3)
    items = pd.DataFrame(np.column_stack([np.digitize(answers[:, j], cuts) for j, cuts in
                                          enumerate([[-1, 0, 1], [0.5], [-0.5, 0.2, 0.9, 1.5]])]))  # fmt: skip
    model = pm.polychoric_model(items)
    off = model.correlations.to_numpy()[np.triu_indices(3, 1)]
    errors = model.standard_errors.to_numpy()[np.triu_indices(3, 1)]
    assert (np.abs(off - 0.55) < 4 * errors).all()
    assert_allclose(model.thresholds.loc[0], [-1, 0, 1, np.nan], atol=0.03)


def test_standard_errors_are_the_spread_of_repeated_samples():
    found = [
        pm.polychoric_model(pd.DataFrame(np.digitize(normal_sample(0.5, 400, seed=i), [-1, 0, 1]))) for i in range(150)
    ]
    spread = np.std([model.correlations.iloc[0, 1] for model in found])
    assert spread == pytest.approx(np.mean([model.standard_errors.iloc[0, 1] for model in found]), rel=0.2)


@given(ordinal_frames())
@settings(max_examples=20, deadline=None)
def test_only_the_order_of_answers_counts(items):
    base = pm.polychoric_correlation(items).to_numpy()
    assert_allclose(pm.polychoric_correlation(items**3 * 10 - 7).to_numpy(), base, atol=1e-9)
    assert_allclose(pm.polychoric_correlation(items.sample(frac=1, random_state=1)).to_numpy(), base, atol=1e-9)
    turned = pm.polychoric_correlation(items.assign(q0=3 - items["q0"])).to_numpy()
    assert_allclose(turned[0, 1:], -base[0, 1:], atol=1e-8)
    backwards = pm.polychoric_correlation(items[items.columns[::-1]]).to_numpy()
    assert_allclose(backwards[::-1, ::-1], base, atol=1e-9)


@given(ordinal_frames())
@settings(max_examples=10, deadline=None)
def test_categories_that_nobody_used_change_nothing(items):
    declared = pm.polychoric_correlation(items, categories=range(-2, 9))
    pd.testing.assert_frame_equal(declared, pm.polychoric_correlation(items))
    by_item = {name: range(-2, 9) for name in items}
    pd.testing.assert_frame_equal(pm.polychoric_correlation(items, categories=by_item), declared)


def test_empty_cells_are_filled_only_when_asked():
    items = two_by_two(30, 0, 12, 40)
    with pytest.warns(ServicediagWarning, match="boundary"):
        bare = pm.polychoric_correlation(items)
    adjusted = pm.polychoric_correlation(items, empty_cell_adjustment=0.5)
    assert bare.loc["x", "y"] > 0.9999
    assert adjusted.loc["x", "y"] < 0.99
    model = pm.polychoric_model(items)
    assert model.boundary_pairs == (("x", "y"),)
    assert model.n_empty_cells == 1
    assert math.isnan(model.standard_errors.loc["x", "y"])


def test_pairwise_uses_every_answer_and_listwise_counts_what_it_drops():
    answers = pd.DataFrame(np.digitize(normal_sample(0.5, 300, k=3), [-1, 0, 1]), columns=list("abc")).astype(float)
    answers.loc[:49, "c"] = np.nan
    listwise, pairwise = (pm.polychoric_model(answers, missing=way) for way in ("listwise", "pairwise"))
    assert (listwise.n_respondents, listwise.n_dropped) == (250, 50)
    assert (pairwise.n_respondents, pairwise.n_smallest) == (300, 250)
    complete = pm.polychoric_correlation(answers[["a", "b"]])
    assert pairwise.correlations.loc["a", "b"] == pytest.approx(complete.loc["a", "b"], abs=1e-9)


# ----------------------------------------------------------------------------------------------------- reliability


def test_categorical_omega_is_the_correlation_of_parallel_sums():
    generator = np.random.default_rng(3)
    loadings, cuts = np.array([0.8, 0.7, 0.6, 0.5]), [[-1, 0, 1], [0, 0.5, 1.5], [-0.5, 0.5, 1], [-1.5, -0.5, 0.2]]
    n = 40_000
    level = generator.normal(size=(n, 1))

    def form():
        latent = level * loadings + generator.normal(size=(n, 4)) * np.sqrt(1 - loadings**2)
        return np.column_stack([np.digitize(latent[:, j], cuts[j]) for j in range(4)])

    first, second = form(), form()
    wanted = np.corrcoef(first.sum(axis=1), second.sum(axis=1))[0, 1]
    for estimator in ("dwls", "uls"):
        result = pm.categorical_omega(pd.DataFrame(first), estimator=estimator)
        assert result.estimate == pytest.approx(wanted, abs=0.01)
        assert_allclose(result.loadings["factor"], loadings, atol=0.02)
    model = pm.categorical_omega(pd.DataFrame(first), denominator="model")
    assert model.estimate == pytest.approx(wanted, abs=0.01)


def scale(n=250, k=4, seed=0):
    generator = np.random.default_rng(seed)
    level = generator.normal(size=(n, 1)) + generator.normal(size=(n, k))
    return pd.DataFrame(np.digitize(level, [-1.5, -0.5, 0.5, 1.5]) + 1, columns=[f"q{i}" for i in range(k)])


def test_categorical_omega_follows_the_coded_values():
    items = scale()
    base = pm.categorical_omega(items)
    assert pm.categorical_omega(items * 2 + 5).estimate == pytest.approx(base.estimate)
    assert pm.categorical_omega(items.assign(q0=items["q0"] * 100)).estimate < base.estimate


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_interval_of_categorical_omega_holds_the_estimate_and_repeats_with_its_seed(method):
    result = pm.categorical_omega(scale())
    interval = result.confidence_interval(method=method, n_resamples=200, seed=4)
    assert interval.low < result.estimate < interval.high
    assert interval == result.confidence_interval(method=method, n_resamples=200, seed=4)
    assert 0.02 < interval.high - interval.low < 0.2


def test_a_reversed_item_is_named_by_categorical_omega():
    items = scale()
    result = pm.categorical_omega(items.assign(q0=6 - items["q0"]))
    assert result.negative_items == ("q0",)
    assert "q0" in result.describe()


def test_ordinal_alpha_calls_itself_hypothetical_everywhere():
    result = pm.ordinal_alpha(scale())
    assert "hypothetical" in repr(result)
    assert "hypothetical" in result.describe()
    assert "hypothetical" in result.to_frame().index[0]
    matrix = pm.polychoric_correlation(scale()).to_numpy()
    assert result.hypothetical_estimate == pytest.approx(4 / 3 * (1 - 4 / matrix.sum()))


@settings(max_examples=60)
@given(st.tuples(*[st.integers(1, 300)] * 4))
def test_two_categories_reproduce_their_table_exactly(cells):
    """One correlation for one free cell: the estimate is where the normal variables give the cell its share."""
    answers = two_by_two(*cells)
    estimate = pm.polychoric_model(answers).correlations.loc["x", "y"]
    below = answers.eq(0).mean()
    thresholds = [np.array([statistics.NormalDist().inv_cdf(share)]) for share in below]
    share = bivariate_cdf(*thresholds, np.array([estimate]))
    assert_allclose(share, (answers == 0).all(axis=1).mean(), atol=1e-9)
