"""Factor models: what a model of known truth gives back, laws that any sample obeys, and refusals."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag import InsufficientDataError
from servicediag import psychometrics as pm
from servicediag.psychometrics import _structure_engine

MODEL = {"one": ["a1", "a2", "a3"], "two": ["b1", "b2", "b3", "b4"], "three": ["c1", "c2", "c3"]}
NAMES = [item for block in MODEL.values() for item in block]
LOADINGS = np.array([0.8, 0.7, 0.6, 0.9, 0.8, 0.7, 0.5, 0.7, 0.8, 0.6])
CORRELATIONS = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.4], [0.3, 0.4, 1.0]])
OWN = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2])


def exact_sample(covariance, n, seed=0):
    """Answers whose covariance (divided by n) is exactly the one given."""
    p = len(covariance)
    raw = np.random.default_rng(seed).normal(size=(n, p))
    raw -= raw.mean(axis=0)
    raw = raw @ np.linalg.inv(np.linalg.cholesky(raw.T @ raw / n)).T
    return raw @ np.linalg.cholesky(covariance).T


def implied(loadings=LOADINGS, correlations=CORRELATIONS):
    whole = np.outer(loadings, loadings) * correlations[np.ix_(OWN, OWN)]
    np.fill_diagonal(whole, 1.0)
    return whole


def exact(n=200):
    return pd.DataFrame(exact_sample(implied(), n), columns=NAMES)


def drawn(seed=1, n=250):
    """A sample that the model does not fit exactly."""
    generator = np.random.default_rng(seed)
    factors = generator.multivariate_normal(np.zeros(3), CORRELATIONS, size=n)
    noise = generator.normal(size=(n, 10)) * np.sqrt(1 - LOADINGS**2)
    return pd.DataFrame(factors[:, OWN] * LOADINGS + noise, columns=NAMES)


def straight(answers, result):
    """Chi-square from the definition, by the covariance that the result says it implies."""
    n = len(answers)
    observed = answers[list(result.items)].cov(ddof=0).to_numpy()
    model = result.implied_covariance.to_numpy()
    ratio = observed @ np.linalg.inv(model)
    return n * (np.trace(ratio) - np.linalg.slogdet(ratio)[1] - len(observed))


# ------------------------------------------------------------------------------------------------- known truth


def test_covariances_that_the_model_implies_give_its_parameters_back():
    result = pm.confirmatory_factor_analysis(exact(), MODEL)
    expected = np.zeros((10, 3))
    expected[np.arange(10), OWN] = LOADINGS
    assert result.converged
    assert_allclose(result.standardized_loadings, expected, atol=1e-6)
    assert_allclose(result.factor_correlations, CORRELATIONS, atol=1e-6)
    assert_allclose(result.residual_variances["share"], 1 - LOADINGS**2, atol=1e-6)
    assert_allclose([result.fit.chi_square, result.fit.srmr, result.fit.rmsea], 0, atol=1e-6)
    assert result.fit.cfi == 1
    assert result.fit.df == 55 - 20 - 3
    assert result.notes == ()


def test_chi_square_is_n_times_the_discrepancy_and_the_rest_follows():
    answers = drawn()
    result = pm.confirmatory_factor_analysis(answers, MODEL)
    fit = result.fit
    assert_allclose(fit.chi_square, straight(answers, result), atol=1e-8)
    correlation = answers.corr().to_numpy()
    baseline = -len(answers) * np.linalg.slogdet(correlation)[1]
    assert_allclose(fit.baseline_chi_square, baseline, rtol=1e-10)
    assert_allclose(fit.cfi, 1 - max(fit.chi_square - fit.df, 0) / (baseline - 45), rtol=1e-10)
    assert_allclose(fit.tli, 1 - (fit.chi_square / fit.df - 1) / (baseline / 45 - 1), rtol=1e-9)
    assert_allclose(fit.rmsea, np.sqrt(max(fit.chi_square - fit.df, 0) / (fit.df * len(answers))), rtol=1e-10)
    residuals = correlation - result.implied_covariance / np.outer(answers.std(ddof=0), answers.std(ddof=0))
    assert_allclose(fit.srmr, np.sqrt((residuals.to_numpy()[np.tril_indices(10)] ** 2).mean()), rtol=1e-6)
    assert_allclose(result.residuals, residuals, atol=1e-8)


def test_no_other_values_fit_better():
    answers = drawn()
    result = pm.confirmatory_factor_analysis(answers, MODEL, identification="variance")
    observed = answers.cov(ddof=0).to_numpy()
    loadings = result.loadings.to_numpy()
    factors = result.factor_correlations.to_numpy()
    residuals = result.residual_variances["variance"].to_numpy()

    def discrepancy(loadings, factors, residuals):
        model = loadings @ factors @ loadings.T + np.diag(residuals)
        return np.linalg.slogdet(model)[1] + np.trace(observed @ np.linalg.inv(model))

    best = discrepancy(loadings, factors, residuals)
    generator = np.random.default_rng(2)
    for _ in range(100):
        near = loadings + (loadings != 0) * generator.normal(0, 0.01, loadings.shape)
        other = residuals + generator.normal(0, 0.01, 10)
        assert discrepancy(near, factors, other) > best


def test_standard_errors_are_the_spread_of_estimates_over_samples():
    frames = [pm.confirmatory_factor_analysis(drawn(seed, 400), MODEL).to_frame() for seed in range(60)]
    estimates = np.array([frame["estimate"] for frame in frames])
    errors = np.array([frame["standard_error"] for frame in frames]).mean(axis=0)
    free = ~np.isnan(errors)
    assert_allclose(np.median(estimates.std(axis=0, ddof=1)[free] / errors[free]), 1, atol=0.12)
    standardized = np.array([frame["standardized"] for frame in frames]).std(axis=0, ddof=1)
    error = np.array([frame["standardized_error"] for frame in frames]).mean(axis=0)
    assert_allclose(np.median(standardized[error > 1e-6] / error[error > 1e-6]), 1, atol=0.12)


def test_modification_index_is_about_the_fall_of_chi_square():
    answers = drawn(5, 600)
    answers["a2"] += 0.3 * answers["c1"]
    result = pm.confirmatory_factor_analysis(answers, MODEL)
    hint = result.modification_indices().iloc[0]
    assert {hint["from"], hint["to"]} & {"a2"}
    pair = result.modification_indices().query("kind == 'residual_covariance'").iloc[0]
    freed = pm.confirmatory_factor_analysis(answers, MODEL, residual_covariances=[(pair["from"], pair["to"])])
    assert freed.fit.df == result.fit.df - 1
    assert_allclose(result.fit.chi_square - freed.fit.chi_square, pair["modification_index"], rtol=0.2)
    table = freed.to_frame()
    chosen = table[(table["kind"] == "residual_covariance") & (table["from"] != table["to"])]
    assert_allclose(chosen["estimate"], pair["expected_change"], rtol=0.2)


# -------------------------------------------------------------------------------------------------------- laws


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(range(10)))
def test_order_of_rows_columns_and_items_does_not_matter(seed, order):
    answers = drawn(seed, 150)
    shuffled = answers.sample(frac=1, random_state=seed).iloc[:, order]
    turned = {factor: list(reversed(items)) for factor, items in reversed(MODEL.items())}
    first = pm.confirmatory_factor_analysis(answers, MODEL)
    second = pm.confirmatory_factor_analysis(shuffled, turned)
    assert_allclose(first.fit.chi_square, second.fit.chi_square, atol=1e-6)
    assert_allclose(first.fit.srmr, second.fit.srmr, atol=1e-6)
    assert_allclose(first.standardized_loadings, second.standardized_loadings.loc[NAMES, list(MODEL)], atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.lists(st.floats(1e-3, 1e3), min_size=10, max_size=10),
    shift=st.lists(st.floats(-1e3, 1e3), min_size=10, max_size=10),
)
def test_units_of_the_items_do_not_matter(seed, scale, shift):
    answers = drawn(seed, 150)
    first = pm.confirmatory_factor_analysis(answers, MODEL)
    second = pm.confirmatory_factor_analysis(answers * scale + shift, MODEL)
    for name in ("chi_square", "cfi", "tli", "rmsea", "srmr"):
        assert_allclose(getattr(first.fit, name), getattr(second.fit, name), atol=1e-5)
    assert_allclose(first.standardized_loadings, second.standardized_loadings, atol=1e-5)
    assert_allclose(first.factor_correlations, second.factor_correlations, atol=1e-5)
    assert_allclose(second.implied_covariance, first.implied_covariance * np.outer(scale, scale), rtol=1e-4, atol=1e-9)


def test_identification_changes_units_and_nothing_else():
    answers = drawn()
    marker = pm.confirmatory_factor_analysis(answers, MODEL)
    variance = pm.confirmatory_factor_analysis(answers, MODEL, identification="variance")
    assert_allclose(marker.fit.chi_square, variance.fit.chi_square, atol=1e-9)
    assert_allclose(marker.standardized_loadings, variance.standardized_loadings, atol=1e-9)
    assert marker.loadings.loc["b1", "two"] == 1
    assert_allclose(np.diag(variance.factor_covariances), 1)
    assert_allclose(marker.loadings * np.sqrt(np.diag(marker.factor_covariances)), variance.loadings, atol=1e-9)


def test_a_reversed_item_is_named_and_fits_the_same():
    answers = drawn()
    turned = answers.assign(b2=-answers["b2"])
    first = pm.confirmatory_factor_analysis(answers, MODEL)
    second = pm.confirmatory_factor_analysis(turned, MODEL)
    assert_allclose(first.fit.chi_square, second.fit.chi_square, atol=1e-6)
    assert_allclose(second.standardized_loadings.loc["b2", "two"], -first.standardized_loadings.loc["b2", "two"])
    assert any("b2" in note and "keying" in note for note in second.notes)


def test_incomplete_rows_are_left_out_and_counted():
    answers = drawn()
    answers.iloc[:20, 0] = np.nan
    result = pm.confirmatory_factor_analysis(answers, MODEL)
    dropped = pm.confirmatory_factor_analysis(answers.dropna(), MODEL)
    assert (result.n_respondents, result.n_dropped) == (230, 20)
    assert_allclose(result.fit.chi_square, dropped.fit.chi_square)


def test_full_information_equals_listwise_where_nothing_is_missing():
    answers = drawn()
    listwise = pm.confirmatory_factor_analysis(answers, MODEL, mean_structure=True)
    full = pm.confirmatory_factor_analysis(answers, MODEL, missing="fiml")
    assert_allclose(full.fit.chi_square, listwise.fit.chi_square, atol=1e-8)
    assert_allclose(full.to_frame()["standard_error"], listwise.to_frame()["standard_error"], equal_nan=True)


def test_full_information_uses_every_answer_and_corrects_for_what_was_answered():
    """Where the poor answers of one item are missing, its mean is biased among those who gave it."""
    answers = drawn(3, 2000)
    low = answers["a1"] < -0.3
    gappy = answers.assign(a2=answers["a2"].mask(low), c1=answers["c1"].mask(np.arange(2000) % 7 == 0))
    result = pm.confirmatory_factor_analysis(gappy, MODEL, missing="fiml")
    assert result.n_respondents == 2000
    assert result.n_incomplete == int((low | (np.arange(2000) % 7 == 0)).sum())
    table = result.to_frame().set_index(["kind", "to"])
    assert abs(table.loc[("intercept", "a2"), "estimate"]) < 0.08 < gappy["a2"].mean()
    whole = pm.confirmatory_factor_analysis(answers, MODEL)
    assert_allclose(result.standardized_loadings, whole.standardized_loadings, atol=0.06)


# ------------------------------------------------------------------------------------------------------- shapes


def test_three_factors_under_a_second_one_fit_as_three_correlated_ones():
    answers = drawn()
    plain = pm.confirmatory_factor_analysis(answers, MODEL)
    for identification in ("marker", "variance"):
        above = pm.confirmatory_factor_analysis(answers, MODEL, structure="second_order", identification=identification)
        assert_allclose(above.fit.chi_square, plain.fit.chi_square, atol=1e-6)
        assert_allclose(above.standardized_loadings[list(MODEL)], plain.standardized_loadings, atol=1e-5)
        upper = above.second_order_loadings["general"]
        assert_allclose(upper["one"] * upper["two"], plain.factor_correlations.loc["one", "two"], atol=1e-5)
        assert above.identification == identification


def test_bifactor_gives_its_parameters_back():
    general = np.array([0.6, 0.5, 0.7, 0.5, 0.6, 0.4, 0.5, 0.6, 0.5, 0.6])
    special = np.array([0.5, 0.4, 0.3, 0.5, 0.3, 0.6, 0.4, 0.4, 0.5, 0.3])
    covariance = np.outer(general, general) + np.outer(special, special) * (OWN[:, None] == OWN)
    np.fill_diagonal(covariance, 1.0)
    answers = pd.DataFrame(exact_sample(covariance, 400), columns=NAMES)
    result = pm.confirmatory_factor_analysis(answers, MODEL, structure="bifactor")
    assert_allclose(result.standardized_loadings["general"], general, atol=1e-4)
    assert_allclose(result.standardized_loadings[list(MODEL)].sum(axis=1), special, atol=1e-4)
    assert_allclose(result.fit.chi_square, 0, atol=1e-6)
    assert_allclose(result.factor_correlations, np.eye(4), atol=1e-12)


def test_orthogonal_factors_are_the_sum_of_models_of_one_factor():
    answers = drawn()
    together = pm.confirmatory_factor_analysis(answers, MODEL, structure="orthogonal")
    for factor, items in MODEL.items():
        alone = pm.confirmatory_factor_analysis(answers, {factor: items})
        assert_allclose(together.loadings.loc[items, factor], alone.loadings[factor], atol=1e-5)


def test_groups_fit_as_each_alone_and_keep_their_names():
    answers = drawn()
    groups = pd.Series(np.where(np.arange(250) % 3 == 0, "south", "north"), index=answers.index)
    result = pm.confirmatory_factor_analysis(answers, MODEL, groups=groups)
    alone = [pm.confirmatory_factor_analysis(answers[groups == name], MODEL) for name in ("north", "south")]
    assert result.groups == ("north", "south")
    assert_allclose(result.fit.chi_square, sum(one.fit.chi_square for one in alone), atol=1e-6)
    assert result.fit.df == sum(one.fit.df for one in alone)
    assert_allclose(result.loadings.loc["south"], alone[1].loadings, atol=1e-5)
    by_column = pm.confirmatory_factor_analysis(answers.assign(site=groups), MODEL, groups="site")
    assert_allclose(by_column.fit.chi_square, result.fit.chi_square)


def test_robust_chi_square_is_larger_than_its_share_for_heavy_tails_only():
    normal = pm.confirmatory_factor_analysis(drawn(1, 3000), MODEL)
    heavy = drawn(1, 3000) * np.sqrt(5 / np.random.default_rng(0).chisquare(5, size=(3000, 1)))
    tailed = pm.confirmatory_factor_analysis(heavy, MODEL)
    for method in ("satorra_bentler", "yuan_bentler"):
        assert_allclose(normal.robust(method).scaling_factor, 1, atol=0.06)
        assert tailed.robust(method).scaling_factor > 1.3
        assert_allclose(tailed.robust(method).chi_square * tailed.robust(method).scaling_factor, tailed.fit.chi_square)


@pytest.mark.parametrize("method", ["satorra_bentler", "yuan_bentler"])
def test_robust_standard_errors_are_the_spread_of_estimates_of_heavy_tailed_answers(method):
    """Those for normal answers are too small here."""
    tables = []
    for seed in range(120):
        tails = np.where(np.random.default_rng(1000 + seed).random((400, 1)) < 0.2, 2.0, 0.7)
        fitted = pm.confirmatory_factor_analysis(drawn(seed, 400) * tails, {"one": MODEL["one"]})
        tables.append([fitted.to_frame(standard_errors=kind) for kind in ("normal", method)])
    variances = [index for index, kind in enumerate(tables[0][0]["kind"]) if kind == "residual_covariance"]
    spread = np.std([table["estimate"].iloc[variances] for table, _ in tables], axis=0).mean()
    normal, robust = (np.mean([pair[at]["standard_error"].iloc[variances] for pair in tables]) for at in (0, 1))
    assert normal < 0.8 * spread
    assert robust == pytest.approx(spread, rel=0.15)


def test_robust_standard_errors_of_incomplete_answers_need_the_observed_information():
    gappy = drawn(2, 400).mask(np.random.default_rng(3).random((400, len(NAMES))) < 0.05)
    result = pm.confirmatory_factor_analysis(gappy, MODEL, missing="fiml")
    table = result.to_frame(standard_errors="yuan_bentler")
    ratio = (table["standard_error"] / result.to_frame()["standard_error"]).dropna()
    assert ratio.between(0.7, 1.4).all()  # normal answers: nearly the same
    robust = result.robust("yuan_bentler")
    assert robust.scaling_factor == pytest.approx(1, abs=0.15)
    assert np.isnan(robust.cfi_robust)
    assert "scaled CFI" in robust.describe()
    with pytest.raises(InsufficientDataError, match="complete answers"):
        result.robust("satorra_bentler")
    with pytest.raises(InsufficientDataError, match="complete answers"):
        result.to_frame(standard_errors="satorra_bentler")
    with pytest.raises(ValueError, match="standard_errors"):
        result.to_frame(standard_errors="robust")


def test_many_patterns_of_missing_answers_are_added_up_as_one_by_one(monkeypatch):
    gappy = drawn(4, 300).mask(np.random.default_rng(5).random((300, len(NAMES))) < 0.12)
    model = {"one": MODEL["one"], "two": MODEL["two"]}

    def all_numbers():
        result = pm.confirmatory_factor_analysis(gappy, model, missing="fiml")
        robust = result.robust("yuan_bentler")
        table = result.to_frame()[["estimate", "standard_error"]].to_numpy()
        return table, np.array([result.fit.chi_square, robust.chi_square]), result.modification_indices()

    together = all_numbers()
    monkeypatch.setattr(_structure_engine, "_FEW_PATTERNS", 10**6)
    for first, second in zip(together, all_numbers(), strict=True):
        if isinstance(first, pd.DataFrame):
            pd.testing.assert_frame_equal(first, second, rtol=1e-6)
        else:
            assert_allclose(first, second, rtol=1e-7, atol=1e-10)


def test_full_information_of_answers_in_two_halves_without_a_complete_respondent():
    """Each respondent answers 8 of 10 items, all pairs of gaps: no complete row, more gaps than few."""
    answers = drawn(6, 900)
    pairs = [(i, j) for i in range(len(NAMES)) for j in range(i)]
    for row, (i, j) in zip(range(900), itertools.cycle(pairs)):
        answers.iloc[row, [i, j]] = np.nan
    result = pm.confirmatory_factor_analysis(answers, MODEL, missing="fiml")
    whole = pm.confirmatory_factor_analysis(drawn(6, 900), MODEL)
    assert result.converged
    assert result.n_incomplete == 900
    assert_allclose(result.standardized_loadings, whole.standardized_loadings, atol=0.1)


# ------------------------------------------------------------------------------------------ refusals and flags


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"a1": lambda x: 3.0}, "a1"),
        ({"a1": lambda x: 2 * x["b1"] + 1}, "a1 and b1"),
        ({"a1": lambda x: x["b1"] + x["c1"]}, "a1, b1, c1"),
    ],
)
def test_useless_items_are_refused_by_name(change, named):
    with pytest.raises(InsufficientDataError, match=named):
        pm.confirmatory_factor_analysis(drawn().assign(**change), MODEL)


def test_too_few_respondents_are_refused_with_their_number():
    with pytest.raises(InsufficientDataError, match="there are 8"):
        pm.confirmatory_factor_analysis(drawn().head(8), MODEL)
    with pytest.raises(InsufficientDataError, match="in group small"):
        pm.confirmatory_factor_analysis(drawn(), MODEL, groups=["large"] * 245 + ["small"] * 5)


@pytest.mark.parametrize(
    ("model", "structure", "match"),
    [
        ({"x": ["a1", "a2"]}, "correlated", "free parameters"),
        ({"x": ["a1", "a2", "a3"], "y": ["b1", "b2", "b3"]}, "bifactor", "cannot be identified"),
        ({"x": ["a1", "a2", "a3"], "y": ["b1", "b2", "b3"]}, "second_order", "cannot be identified"),
        ({"x": ["a1", "a2", "a3"], "y": ["b1", "b2"]}, "orthogonal", "cannot be identified"),
    ],
)
def test_models_that_no_data_identify_are_refused(model, structure, match):
    with pytest.raises(InsufficientDataError, match=match):
        pm.confirmatory_factor_analysis(drawn(), model, structure=structure)


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ({}, ValueError),
        ({"x": []}, ValueError),
        ({"x": ["a1", "zz"]}, ValueError),
        ({"x": ["a1", "a1", "a2"]}, ValueError),
        ({"x": "a1"}, TypeError),
        ({"x": [["a1"], "a2"]}, TypeError),
        (["a1", "a2"], TypeError),
        (None, TypeError),
    ],
)
def test_impossible_models_are_refused(model, error):
    with pytest.raises(error, match="model|factor"):
        pm.confirmatory_factor_analysis(drawn(), model)


@pytest.mark.parametrize(
    "arguments",
    [
        {"structure": "tree"}, {"identification": "none"}, {"missing": "mean"}, {"groups": ["a", "b"]},
        {"groups": "no_such_column"}, {"missing": "fiml", "mean_structure": False},
        {"residual_covariances": [("a1", "zz")]}, {"residual_covariances": [("a1", "a2"), ("a2", "a1")]},
        {"structure": "bifactor", "general": "one"},
    ],
)  # fmt: skip
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError):
        pm.confirmatory_factor_analysis(drawn(), MODEL, **arguments)


@pytest.mark.parametrize("items", [None, [[1, 2]], 5, "answers"])
def test_what_is_no_table_is_refused(items):
    with pytest.raises(TypeError, match="items"):
        pm.confirmatory_factor_analysis(items, MODEL)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(0, 40),
    seed=st.integers(0, 10**6),
    levels=st.integers(1, 4),
    gaps=st.floats(0, 0.4),
    missing=st.sampled_from(["listwise", "fiml"]),
)
def test_any_answers_give_a_result_or_a_named_refusal(n, seed, levels, gaps, missing):
    generator = np.random.default_rng(seed)
    answers = pd.DataFrame(generator.integers(0, levels, size=(n, 5)), columns=list("abcde"), dtype=float)
    answers = answers.mask(generator.random((n, 5)) < gaps)
    try:
        result = pm.confirmatory_factor_analysis(answers, {"x": list("abcde")}, missing=missing)
    except InsufficientDataError:
        return
    result.describe(), result.to_frame(), result.modification_indices(), result._repr_html_()
    if not result.converged:
        assert np.isnan(result.fit.chi_square)
        assert any("No convergence" in note for note in result.notes)
    assert (len(result.heywood_items) > 0) == any("Heywood" in note for note in result.notes)


def test_improper_solution_is_shown_and_named():
    covariance = np.array([[1, 0.9, 0.8], [0.9, 1, 0.5], [0.8, 0.5, 1]])
    answers = pd.DataFrame(exact_sample(covariance, 100), columns=["p", "q", "r"])
    result = pm.confirmatory_factor_analysis(answers, {"x": ["p", "q", "r"]})
    assert result.heywood_items == ("p",)
    assert_allclose(result.standardized_loadings.loc["p", "x"], np.sqrt(0.9 * 0.8 / 0.5), atol=1e-5)
    assert "Heywood" in result.describe()
    assert np.isnan(result.fit.p)


def test_unidentified_by_these_answers_gives_no_standard_errors():
    covariance = np.eye(4)
    covariance[0, 1] = covariance[1, 0] = covariance[2, 3] = covariance[3, 2] = 0.5  # the factors do not correlate
    answers = pd.DataFrame(exact_sample(covariance, 100), columns=list("abcd"))
    result = pm.confirmatory_factor_analysis(answers, {"x": ["a", "b"], "y": ["c", "d"]})
    assert result.to_frame()["standard_error"].isna().all()
    assert any("leave open" in note for note in result.notes)


def test_result_is_frozen_stable_and_escaped():
    answers = drawn().rename(columns={"a1": "<b>a1</b>"})
    model = {**MODEL, "one": ["<b>a1</b>", "a2", "a3"]}
    result = pm.confirmatory_factor_analysis(answers, model)
    with pytest.raises(AttributeError):
        result.converged = False
    assert repr(result) == repr(pm.confirmatory_factor_analysis(answers, model))
    assert "np." not in repr(result)
    assert "\n" not in repr(result)
    assert "<b>" not in result._repr_html_()
    assert "Hu & Bentler" in result.fit.interpret().loc["cfi", "citation"]


def test_heatmap_holds_every_residual_of_two_items():
    result = pm.confirmatory_factor_analysis(drawn(), MODEL)
    drawn_rows = [row for rows in result.plot().to_dict()["datasets"].values() for row in rows]
    assert len(drawn_rows) == 90
    off = result.residuals.to_numpy()[~np.eye(10, dtype=bool)]
    assert_allclose(sorted(row["value"] for row in drawn_rows), sorted(off))
    groups = ["a", "b"] * 125
    parts = pm.confirmatory_factor_analysis(drawn(), MODEL, groups=groups).plot().to_dict()["concat"]
    assert [part["title"]["text"][:2] for part in parts] == ["a:", "b:"]


# ------------------------------------------------------------------------------------- quick ways and hard samples


@pytest.mark.parametrize("structure", ["correlated", "orthogonal", "second_order", "bifactor"])
@pytest.mark.parametrize("mean_structure", [False, True])
def test_complete_answers_have_the_gradient_and_information_of_the_general_way(structure, mean_structure):
    fitted = pm.confirmatory_factor_analysis(drawn(), MODEL, structure=structure, mean_structure=mean_structure)
    solution = fitted._solution
    table, samples = solution.table, solution.study.samples
    point = solution.parameters + np.random.default_rng(2).uniform(-0.05, 0.05, len(solution.parameters))
    quick = _structure_engine.CompleteAnswers(table, samples)
    implied_moments, value = quick.moments(point)
    matrices = table.matrices(point)
    slope, information = _structure_engine._both(table, matrices, samples, information=True)
    assert_allclose(value, _structure_engine.discrepancy(matrices, samples)[0], rtol=1e-12)
    assert_allclose(quick.gradient(implied_moments), slope, atol=1e-11)
    assert_allclose(quick.information(implied_moments), information, atol=1e-11)


def test_the_gradient_vanishes_at_the_estimates():
    result = pm.confirmatory_factor_analysis(drawn(), MODEL)
    solution = result._solution
    slope = _structure_engine.gradient(solution.table, solution.parameters, solution.study.samples)
    assert np.abs(slope).max() < 1e-7
    assert solution.minimum.largest_gradient < 1e-8


def test_incomplete_answers_of_items_that_depend_on_each_other_are_refused_by_name():
    answers = drawn()
    answers["sum"] = answers[["a1", "a2", "a3"]].sum(axis=1)
    holes = answers.mask(np.random.default_rng(5).random(answers.shape) < 0.1)
    with pytest.raises(InsufficientDataError, match="depend on each other linearly"):
        pm.confirmatory_factor_analysis(holes, MODEL | {"one": ["a1", "a2", "a3", "sum"]}, missing="fiml")
