"""McDonald's omega: exact cases, the fit behind it, its interval, and what happens at the edges."""

import itertools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from servicediag import psychometrics as pm
from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._one_factor import fit_one_factor, fit_one_factor_from_starts, refine_one_factor
from servicediag.psychometrics.omega import omega_from_covariance


def congeneric(loadings, uniquenesses):
    loadings = np.asarray(loadings, dtype=float)
    return np.outer(loadings, loadings) + np.diag(uniquenesses)


def scale(n=80, loadings=(0.9, 0.8, 0.7, 0.6, 0.5), seed=0):
    generator = np.random.default_rng(seed)
    trait = generator.normal(size=(n, 1))
    noise = generator.normal(size=(n, len(loadings)))
    return pd.DataFrame(trait * np.array(loadings) + 0.7 * noise, columns=[f"q{i + 1}" for i in range(len(loadings))])


@pytest.mark.parametrize("denominator", ["observed", "model"])
def test_a_matrix_made_by_one_factor_gives_its_parameters_back(denominator):
    loadings, unique = np.array([2.0, 1.5, 1.0, 0.4]), np.array([1.0, 0.5, 2.0, 3.0])
    result = omega_from_covariance(congeneric(loadings, unique), 500, denominator=denominator)
    assert_allclose(result.estimate, loadings.sum() ** 2 / (loadings.sum() ** 2 + unique.sum()), rtol=1e-9)
    assert_allclose(result.loadings["factor"], loadings * np.sqrt(499 / 500), rtol=1e-7)
    assert_allclose(result.uniquenesses, unique / (loadings**2 + unique), rtol=1e-7)


def test_three_items_follow_from_the_triads():
    items = scale(loadings=(0.9, 0.8, 0.7))
    c = items.cov().to_numpy()
    loadings = np.sqrt([c[0, 1] * c[0, 2] / c[1, 2], c[0, 1] * c[1, 2] / c[0, 2], c[0, 2] * c[1, 2] / c[0, 1]])
    assert_allclose(pm.mcdonald_omega(items).estimate, loadings.sum() ** 2 / c.sum(), rtol=1e-8)


def test_two_items_get_equal_loadings_and_say_so():
    items = scale(loadings=(0.9, 0.8))
    result = pm.mcdonald_omega(items)
    assert_allclose(result.estimate, pm.cronbach_alpha(items).estimate, rtol=1e-12)
    assert_allclose(result.loadings["factor"], np.sqrt(items.cov().iloc[0, 1] * 79 / 80), rtol=1e-12)
    assert any("equal loadings" in note for note in result.notes)


def test_two_items_against_each_other_give_a_negative_result_with_a_reason():
    items = scale(loadings=(0.9, -0.5))
    result = pm.mcdonald_omega(items)
    assert result.estimate < 0
    assert result.loadings["factor"].isna().all()
    assert any("keying" in note for note in result.notes)


def reference_minimum(correlation, floor=1e-6):
    """The objective minimised by a general optimiser, from several starts."""
    k = len(correlation)

    def objective(parameters):
        sigma = congeneric(parameters[:k], parameters[k:])
        return np.linalg.slogdet(sigma)[1] + np.trace(correlation @ np.linalg.inv(sigma))

    runs = [
        minimize(
            objective,
            np.concatenate([sign * np.full(k, 0.6), np.full(k, 0.5)]),
            method="L-BFGS-B",
            bounds=[(None, None)] * k + [(floor, None)] * k,
            options={"ftol": 1e-14, "gtol": 1e-8, "maxiter": 5000},
        )
        for sign in itertools.islice(itertools.product((1, -1), repeat=k), 0, 4)
    ]
    return min(run.fun for run in runs)


@pytest.mark.parametrize("seed", range(12))
def test_the_fit_reaches_the_minimum_of_the_likelihood(seed):
    generator = np.random.default_rng(seed)
    k, n = int(generator.integers(3, 8)), int(generator.integers(40, 300))
    answers = generator.normal(size=(n, 1)) * generator.uniform(0.3, 1.2, k) + generator.normal(size=(n, k))
    correlation = np.corrcoef(answers.T)
    fit = fit_one_factor_from_starts(correlation)
    assert fit.converged.all()
    assert fit.objective[0] <= reference_minimum(correlation) + 1e-6
    assert_allclose(fit.loadings**2 + fit.uniquenesses, 1, atol=1e-8)


def test_many_matrices_at_once_are_fitted_as_one_by_one():
    matrices = np.stack([scale(seed=seed).corr().to_numpy() for seed in range(6)])
    together = fit_one_factor(matrices, np.full(5, 0.5))
    for matrix, loadings in zip(matrices, together.loadings, strict=True):
        alone = fit_one_factor(matrix[None], np.full(5, 0.5)).loadings[0]
        assert_allclose(np.abs(loadings), np.abs(alone), atol=1e-8)


def test_an_undefined_matrix_among_many_gives_nan_only_for_itself():
    matrices = np.stack([scale(seed=1).corr().to_numpy(), np.full((5, 5), np.nan)])
    fit = fit_one_factor(matrices, np.full(5, 0.5))
    assert fit.converged.tolist() == [True, False]
    assert np.isnan(fit.loadings[1]).all()


def test_a_heywood_case_is_held_at_the_boundary_and_flagged():
    # r12 * r13 / r23 > 1: no loading of the first item could be real otherwise.
    correlation = np.array([[1, 0.8, 0.7], [0.8, 1, 0.4], [0.7, 0.4, 1]])
    result = omega_from_covariance(correlation, 100, items=("a", "b", "c"))
    assert result.heywood_items == ("a",)
    assert_allclose(result.standardized_loadings["factor"], [1, 0.8, 0.7], atol=1e-12)
    assert_allclose(result.estimate, 2.5**2 / correlation.sum(), rtol=1e-12)
    assert any("Heywood" in note for note in result.notes)
    assert result.estimate in result.confidence_interval()


def test_three_items_are_fitted_exactly_or_at_the_best_boundary():
    generator = np.random.default_rng(6)
    pairs = generator.uniform(-0.6, 0.6, (200, 3))
    matrices = np.tile(np.eye(3), (200, 1, 1))
    for place, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        matrices[:, i, j] = matrices[:, j, i] = pairs[:, place]
    fit = fit_one_factor(matrices, np.full(3, 0.5))
    assert fit.converged.all()
    proper = ~fit.heywood.any(axis=1)
    assert 20 < proper.sum() < 180
    products = fit.loadings[:, :, None] * fit.loadings[:, None, :]
    apart = np.abs(products - matrices)[:, [0, 0, 1], [1, 2, 2]].max(axis=1)
    assert apart[proper].max() < 1e-12
    for matrix, objective in zip(matrices[~proper][:12], fit.objective[~proper][:12], strict=True):
        assert objective <= reference_minimum(matrix) + 1e-6


def test_a_single_pair_that_shares_something_is_no_heywood_case():
    matrix = np.eye(3)
    matrix[0, 2] = matrix[2, 0] = -0.36
    fit = fit_one_factor_from_starts(matrix)
    assert_allclose(np.abs(fit.loadings[0]), [0.6, 0, 0.6], atol=1e-12)
    assert fit.loadings[0, 0] * fit.loadings[0, 2] < 0
    assert not fit.heywood.any()


def test_the_order_of_items_does_not_decide_between_equally_good_boundaries():
    # Items 1 and 2 fit equally well as the factor itself.
    matrix = np.array([[1, 0.5, 0.3], [0.5, 1, -0.3], [0.3, -0.3, 1]])
    first = omega_from_covariance(matrix, 100).estimate
    for order in itertools.permutations(range(3)):
        assert_allclose(omega_from_covariance(matrix[np.ix_(order, order)], 100).estimate, first, atol=1e-12)


def test_refining_ends_at_a_zero_gradient_from_a_coarse_start():
    generator = np.random.default_rng(8)
    loadings = generator.uniform(0.4, 0.8, 7)
    sample = generator.normal(size=(300, 1)) * loadings + generator.normal(size=(300, 7)) * np.sqrt(1 - loadings**2)
    correlation = np.corrcoef(sample.T)
    best = fit_one_factor_from_starts(correlation)
    coarse = best.loadings + generator.normal(0, 0.02, (1, 7))
    refined, uniquenesses, settled = refine_one_factor(correlation[None], coarse, 1 - coarse**2)
    assert settled.all()
    assert_allclose(refined, best.loadings, atol=1e-13)
    sigma = congeneric(refined[0], uniquenesses[0])
    inverse = np.linalg.inv(sigma)
    slope = inverse @ (sigma - correlation) @ inverse
    assert np.abs(np.diag(slope)).max() < 1e-13
    assert np.abs(slope @ refined[0]).max() < 1e-13


def test_refining_leaves_what_has_no_minimum_nearby_as_it_was():
    matrix = np.array([[1, 0.9, 0.8, 0.1], [0.9, 1, 0.3, 0.1], [0.8, 0.3, 1, 0.1], [0.1, 0.1, 0.1, 1]])
    start = np.array([[0.9, 0.6, 0.5, 0.1]])
    loadings, _, settled = refine_one_factor(matrix[None], start, 1 - start**2)
    assert not settled.any()
    assert_allclose(loadings, start)


def test_no_factor_gives_an_omega_of_zero_and_no_interval():
    result = omega_from_covariance(np.eye(4), 100)
    assert_allclose(result.estimate, 0, atol=1e-12)
    with pytest.raises(InsufficientDataError, match="identify"):
        result.confidence_interval()
    assert result.to_frame()[["ci_low", "ci_high"]].isna().all(axis=None)
    assert "omega" in result.describe()


def test_negative_loadings_are_kept_and_named():
    items = scale()
    items["q5"] = -items["q5"]
    result = pm.mcdonald_omega(items)
    assert result.negative_items == ("q5",)
    assert result.loadings.loc["q5", "factor"] < 0
    assert result.estimate < pm.mcdonald_omega(scale()).estimate


def test_the_sign_of_the_factor_follows_the_sum():
    assert (pm.mcdonald_omega(-scale()).loadings["factor"] > 0).all()


@pytest.mark.parametrize("denominator", ["observed", "model"])
@pytest.mark.parametrize("misfit", [0.0, 0.3])
def test_the_standard_error_is_the_derivative_by_the_covariances(denominator, misfit):
    c = congeneric([1.0, 0.9, 0.8, 0.7, 0.6], [0.5, 0.6, 0.7, 0.8, 0.9])
    c[0, 1] = c[1, 0] = c[0, 1] + misfit

    def omega(matrix):
        return omega_from_covariance(matrix, 200, denominator=denominator).estimate

    gradient, step = np.zeros((5, 5)), 1e-5
    for i in range(5):
        for j in range(i, 5):
            bump = np.zeros((5, 5))
            bump[i, j] = bump[j, i] = step
            slope = (omega(c + bump) - omega(c - bump)) / (2 * step)
            gradient[i, j] = gradient[j, i] = slope if i == j else slope / 2
    expected = np.sqrt(2 * np.trace(gradient @ c @ gradient @ c) / 200)
    assert_allclose(omega_from_covariance(c, 200, denominator=denominator).standard_error, expected, rtol=1e-5)


def test_parallel_items_have_the_standard_error_of_alpha():
    # With equal loadings and errors the two coefficients and their first derivatives agree on average over items.
    c = congeneric([0.8] * 5, [0.36] * 5)
    omega = omega_from_covariance(c, 400)
    assert_allclose(omega.standard_error, np.sqrt(2 * 5 / 4 * (1 - omega.estimate) ** 2 / 400), rtol=1e-6)


def test_weighted_sums_resample_like_fitting_drawn_rows():
    items = scale(n=60)
    result = pm.mcdonald_omega(items)
    drawn = np.random.default_rng(5).integers(0, 60, size=(100, 60), dtype=np.uint16)
    literal = [pm.mcdonald_omega(items.iloc[rows]).estimate for rows in drawn]
    interval = result.confidence_interval(0.9, "percentile", n_resamples=100, seed=5)
    assert_allclose(tuple(interval), np.quantile(literal, [0.05, 0.95]), atol=1e-7)


@pytest.mark.parametrize("method", ["delta", "bca", "percentile"])
def test_intervals_agree_in_a_large_normal_sample(method):
    items = scale(n=3000)
    low, high = pm.mcdonald_omega(items).confidence_interval(0.95, method, **({} if method == "delta" else {"seed": 1}))
    expected = pm.mcdonald_omega(items).confidence_interval()
    assert_allclose((low, high), tuple(expected), atol=0.004)


def test_pairwise_resampling_equals_listwise_without_gaps():
    items = scale()
    one, two = (pm.mcdonald_omega(items, missing=m).confidence_interval(method="percentile", n_resamples=200)
                for m in ("listwise", "pairwise"))  # fmt: skip
    assert_allclose(tuple(one), tuple(two), atol=1e-7)


def test_copies_of_an_item_are_named():
    items = scale().assign(twin=lambda x: 2 * x["q1"] + 1)
    with pytest.raises(InsufficientDataError, match="q1 and twin"):
        pm.mcdonald_omega(items)


def test_fewer_respondents_than_items_still_give_an_omega():
    items = scale(n=6, loadings=(0.9,) * 8)
    assert -1 < pm.mcdonald_omega(items).estimate <= 1.2


def test_omega_from_a_covariance_frame_equals_that_from_answers():
    items = scale()
    direct, indirect = pm.mcdonald_omega(items), omega_from_covariance(items.cov(), len(items))
    assert indirect.items == direct.items
    assert_allclose(indirect.estimate, direct.estimate, atol=1e-10)
    assert_allclose(tuple(indirect.confidence_interval()), tuple(direct.confidence_interval()), atol=1e-9)
    pd.testing.assert_frame_equal(indirect.loadings, direct.loadings, atol=1e-8)
    with pytest.raises(ValueError, match="answers themselves"):
        indirect.confidence_interval(method="bca")


def test_omega_exceeds_alpha_where_loadings_differ():
    items = scale(n=5000, loadings=(1.6, 0.8, 0.4, 0.2))
    assert pm.mcdonald_omega(items).estimate > pm.cronbach_alpha(items).estimate


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="'observed', 'model'"):
        pm.mcdonald_omega(scale(), denominator="total")
    with pytest.raises(ValueError, match="'delta'"):
        pm.mcdonald_omega(scale()).confidence_interval(method="wald")


def test_the_sentence_repeats_the_table():
    result = pm.mcdonald_omega(scale())
    row = result.to_frame().iloc[0]
    sentence = result.describe()
    for value in (row.estimate, row.ci_low, row.ci_high):
        assert f"{value:.2f}".replace("0.", ".") in sentence
    assert "observed variance" in sentence
    assert "delta method" in sentence
