"""Factor analysis of ordered answers: planted truth, sampling errors, laws and refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag import InsufficientDataError
from servicediag import psychometrics as pm

MODEL = {"one": ["a", "b", "c"], "two": ["d", "e", "f"]}
ITEMS = [item for block in MODEL.values() for item in block]
LOADINGS = np.array([0.8, 0.7, 0.6, 0.8, 0.7, 0.6])


def ordered(n, seed, cuts=(-0.5, 0.3, 1.0), correlation=0.4):
    generator = np.random.default_rng(seed)
    factors = generator.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=n)
    noise = generator.normal(size=(n, 6)) * np.sqrt(1 - LOADINGS**2)
    return pd.DataFrame(np.digitize(np.repeat(factors, 3, axis=1) * LOADINGS + noise, cuts), columns=ITEMS)


def test_planted_loadings_are_found_where_codes_as_measurements_are_too_small():
    answers = ordered(20_000, 1, cuts=(0.8, 1.6))
    result = pm.ordinal_confirmatory_factor_analysis(answers, MODEL)
    assert_allclose(result.loadings.sum(axis=1), LOADINGS, atol=0.03)
    assert_allclose(result.factor_correlations.loc["one", "two"], 0.4, atol=0.03)
    as_measured = pm.confirmatory_factor_analysis(answers, MODEL).standardized_loadings.sum(axis=1)
    assert (as_measured < LOADINGS - 0.05).all()


def test_standard_errors_and_chi_square_hold_over_samples():
    fitted = [pm.ordinal_confirmatory_factor_analysis(ordered(400, seed), MODEL) for seed in range(150)]
    estimates = np.array([result.to_frame()["estimate"] for result in fitted])
    errors = np.array([result.to_frame()["standard_error"] for result in fitted])
    assert_allclose(errors.mean(axis=0), estimates.std(axis=0), rtol=0.2)
    values = np.array([result.fit.chi_square for result in fitted])
    assert_allclose(values.mean(), 8, rtol=0.12)  # df, and variance 2 df
    assert_allclose(values.var(), 16, rtol=0.5)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
def test_order_names_and_codes_do_not_matter(seed, order):
    answers = ordered(250, seed)
    first = pm.ordinal_confirmatory_factor_analysis(answers, MODEL)
    recoded = (answers.iloc[:, list(order)] * 10 - 7).iloc[::-1]
    second = pm.ordinal_confirmatory_factor_analysis(recoded, MODEL)
    if first.converged and second.converged and not first.heywood_items:
        assert_allclose(second.loadings, first.loadings, atol=1e-6)
        assert_allclose(second.fit.chi_square, first.fit.chi_square, rtol=1e-6)


def test_a_turned_item_turns_its_loading_and_is_named():
    answers = ordered(800, 3)
    turned = answers.assign(b=3 - answers["b"])
    first, second = (pm.ordinal_confirmatory_factor_analysis(x, MODEL) for x in (answers, turned))
    assert_allclose(second.loadings.loc["b", "one"], -first.loadings.loc["b", "one"], atol=1e-6)
    assert_allclose(second.fit.chi_square, first.fit.chi_square, rtol=1e-6)
    assert any("b; check the keying" in note for note in second.notes)


def test_a_wrong_structure_fits_worse():
    answers = ordered(1000, 5, correlation=0.1)
    right = pm.ordinal_confirmatory_factor_analysis(answers, MODEL)
    wrong = pm.ordinal_confirmatory_factor_analysis(answers, {"all": ITEMS})
    assert right.fit.p > 0.001
    assert wrong.fit.p < 1e-6
    assert wrong.fit.cfi < right.fit.cfi - 0.1
    assert wrong.residuals.abs().to_numpy().max() > right.residuals.abs().to_numpy().max()


def test_missing_answers_are_left_out_and_counted():
    answers = ordered(300, 6).astype(float)
    gappy = answers.copy()
    gappy.loc[:19, "a"] = np.nan
    result = pm.ordinal_confirmatory_factor_analysis(gappy, MODEL)
    same = pm.ordinal_confirmatory_factor_analysis(answers.iloc[20:], MODEL)
    assert (result.n_respondents, result.n_dropped) == (280, 20)
    assert_allclose(result.loadings, same.loadings)
    assert any("20 respondents" in note for note in result.notes)


@pytest.mark.parametrize("structure", ["bifactor", "orthogonal"])
def test_other_structures_are_fitted(structure):
    generator = np.random.default_rng(8)
    general = generator.normal(size=(4000, 1))
    parts = np.repeat(generator.normal(size=(4000, 3)), 4, axis=1)
    level = 0.6 * (general if structure == "bifactor" else 0) + 0.5 * parts + 0.6 * generator.normal(size=(4000, 12))
    items = [f"q{i}" for i in range(12)]
    model = {f"f{j}": items[4 * j : 4 * j + 4] for j in range(3)}
    answers = pd.DataFrame(np.digitize(level, [-1, 0, 1]), columns=items)
    result = pm.ordinal_confirmatory_factor_analysis(answers, model, structure=structure)
    assert result.converged
    assert result.fit.p > 0.001
    if structure == "bifactor":
        assert_allclose(result.loadings["general"], 0.6 / np.sqrt(0.97), atol=0.08)


def test_refusals_name_what_is_wrong():
    answers = ordered(200, 9)
    analyse = pm.ordinal_confirmatory_factor_analysis
    with pytest.raises(InsufficientDataError, match=r"d \(constant"):
        analyse(answers.assign(d=1), MODEL)
    with pytest.raises(InsufficientDataError, match="a and b runs to -1 or 1"):
        analyse(answers.assign(b=answers["a"]), MODEL)
    with pytest.raises(InsufficientDataError, match="more respondents than its 6 items"):
        analyse(answers.head(6), MODEL)
    with pytest.raises(ValueError, match="answers outside the categories"):
        analyse(answers, MODEL, categories=[0, 1, 2])
    with pytest.raises(ValueError, match="two one item"):
        analyse(answers, {"one": ["a", "b", "c"], "two": ["d"]})
    with pytest.raises(InsufficientDataError, match="free parameters"):
        analyse(answers, {"one": ["a", "b", "c"]}, residual_covariances=[("a", "b")])
    with pytest.raises(InsufficientDataError, match="leave parameters of this model open"):
        analyse(answers, {"one": ["a", "b"], "two": ["c", "d"]}, structure="orthogonal", residual_covariances=[])
    with pytest.raises(TypeError, match="items must be a DataFrame"):
        analyse(answers.to_numpy(), MODEL)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 100_000),
    n=st.integers(4, 90),
    cuts=st.sampled_from([(0.0,), (1.2,), (-1.0, 0.0, 1.0), (1.0, 1.5, 2.0)]),
    copy=st.booleans(),
    missing=st.sampled_from([0.0, 0.2]),
)
def test_poor_answers_give_a_result_or_a_named_refusal(seed, n, cuts, copy, missing):
    answers = ordered(n, seed, cuts=cuts).astype(float)
    if copy:
        answers["f"] = answers["e"]
    answers = answers.mask(np.random.default_rng(seed).random(answers.shape) < missing)
    try:
        result = pm.ordinal_confirmatory_factor_analysis(answers, MODEL)
    except InsufficientDataError:
        return
    if not result.converged:
        assert "No convergence" in result.notes[0]
        assert np.isnan(result.fit.chi_square)
        assert result.to_frame()["standard_error"].isna().all()
    else:
        assert np.isfinite(result.fit.chi_square)
        assert 0 <= result.fit.cfi <= 1
    assert result.describe()
