"""Graded response model and ordinal DIF: planted parameters are found, and the likelihood is at its maximum."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._cumulative_logit import category_probabilities, fit_cumulative_logit

SLOPES = np.array([1.0, 2.2, 0.8, 1.5])
STEPS = np.array([-1.4, -0.3, 0.9])


def answers(n=1500, seed=0, shift=None, slopes=SLOPES, level=None):
    generator = np.random.default_rng(seed)
    theta = generator.normal(size=n) if level is None else level
    moved = np.zeros((n, len(slopes))) if shift is None else shift
    eta = slopes[None, :, None] * (theta[:, None, None] + moved[:, :, None] - STEPS)
    below = generator.random((n, len(slopes), 1)) < 1 / (1 + np.exp(-eta))
    return pd.DataFrame(below.sum(axis=2), columns=list("abcd")[: len(slopes)]), theta


DATA, THETA = answers()
MODEL = pm.graded_response_model(DATA)


def test_planted_parameters_lie_within_a_few_standard_errors():
    table = MODEL.to_frame()
    assert (np.abs(table["discrimination"] - SLOPES) < 3.5 * table["discrimination_se"]).all()
    for step, wanted in enumerate(STEPS, 1):
        distance = np.abs(table[f"difficulty_{step}"] - wanted) / table[f"difficulty_{step}_se"]
        assert (distance < 3.5).all()
    assert MODEL.converged


def marginal_log_likelihood(slopes, difficulties, data):
    """By the trapezoid rule on a fine grid, with its own formula for the model."""
    grid = np.linspace(-7, 7, 701)
    weights = np.exp(-(grid**2) / 2)
    weights /= weights.sum()
    likelihood = np.ones((len(data), len(grid)))
    for j, name in enumerate(data.columns):
        above = 1 / (1 + np.exp(-slopes[j] * (grid[:, None] - difficulties[j])))
        edges = np.column_stack([np.ones(len(grid)), above, np.zeros(len(grid))])
        likelihood *= (edges[:, :-1] - edges[:, 1:]).T[data[name].to_numpy()]
    return np.log(likelihood @ weights).sum()


def test_the_log_likelihood_is_the_marginal_one_and_at_its_maximum():
    slopes, steps = MODEL.discriminations.to_numpy(), MODEL.difficulties.to_numpy()
    best = marginal_log_likelihood(slopes, steps, DATA)
    assert MODEL.log_likelihood == pytest.approx(best, abs=1e-4)
    for j in range(4):
        for change in (-0.01, 0.01):
            moved = slopes.copy()
            moved[j] += change
            assert marginal_log_likelihood(moved, steps, DATA) < best
            shifted = steps.copy()
            shifted[j, 1] += change
            assert marginal_log_likelihood(slopes, shifted, DATA) < best


def test_scores_follow_the_levels_and_their_errors_are_the_reliability():
    scores = MODEL.scores
    assert scores.index.equals(DATA.index)
    assert np.corrcoef(scores["theta"], THETA)[0, 1] ** 2 == pytest.approx(MODEL.empirical_reliability, abs=0.03)
    assert abs(scores["theta"].mean()) < 0.01
    assert MODEL.empirical_reliability == pytest.approx(MODEL.marginal_reliability, abs=0.05)
    highest, lowest = (DATA == 3).all(axis=1), (DATA == 0).all(axis=1)
    assert scores["theta"][highest].min() == scores["theta"].max()
    assert scores["theta"][lowest].max() == scores["theta"].min()


def test_information_is_the_sum_over_items_and_matches_its_definition():
    levels = np.array([-1.0, 0.0, 2.0])
    table = MODEL.information(levels)
    assert_allclose(MODEL.test_information(levels)["information"], table.sum(axis=1))
    step = 1e-5
    up, down = MODEL.probabilities("b", levels + step), MODEL.probabilities("b", levels - step)
    slope = (up.to_numpy() - down.to_numpy()) / (2 * step)
    assert_allclose(table["b"], (slope**2 / MODEL.probabilities("b", levels)).sum(axis=1), rtol=1e-6)
    assert_allclose(MODEL.probabilities("a").sum(axis=1), 1)


def test_order_of_rows_and_columns_and_codes_do_not_matter():
    moved = pm.graded_response_model(DATA.sample(frac=1, random_state=1)[list("dbca")] * 2 + 1)
    assert moved.log_likelihood == pytest.approx(MODEL.log_likelihood, abs=1e-4)
    assert_allclose(moved.discriminations[list("abcd")], MODEL.discriminations, atol=1e-3)


def test_a_reversed_item_gets_a_negative_discrimination_and_is_named():
    model = pm.graded_response_model(DATA.assign(a=3 - DATA["a"]))
    assert model.negative_items == ("a",)
    assert model.discriminations["a"] == pytest.approx(-MODEL.discriminations["a"], abs=1e-3)
    assert model.log_likelihood == pytest.approx(MODEL.log_likelihood, abs=1e-4)


def test_missing_answers_are_left_out_of_the_likelihood_and_empty_respondents_have_no_score():
    data = DATA.astype(float).iloc[:400]
    data.iloc[::3, 0] = np.nan
    data.iloc[5] = np.nan
    model = pm.graded_response_model(data)
    assert (model.n_respondents, model.n_dropped) == (399, 1)
    assert math.isnan(model.scores["theta"].iloc[5])
    assert model.scores["theta"].notna().sum() == 399


def test_iterations_that_end_early_are_reported():
    seen = []
    model = pm.graded_response_model(DATA, max_iterations=3, progress=lambda *at: seen.append(at))
    assert not model.converged
    assert "Not converged after 3" in model.describe()
    assert seen == [(1, 3), (2, 3), (3, 3)]


# ------------------------------------------------------------------------------------------------- cumulative logit


def test_cumulative_logit_is_at_the_maximum_that_a_general_optimiser_finds():
    from scipy.optimize import minimize

    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 2))
    y = np.digitize(x @ [1.0, -0.5] + generator.logistic(size=200), [-1, 0, 1.5])
    counts = np.eye(4)[y]
    fit = fit_cumulative_logit(counts, x)

    def loss(parameters):
        intercepts = parameters[0] - np.concatenate([[0], np.cumsum(np.exp(parameters[1:3]))])
        probability = category_probabilities(x @ parameters[3:], intercepts)
        return -np.log(probability[np.arange(200), y]).sum()

    other = minimize(loss, [1, 0, 0, 0, 0], method="BFGS")
    assert fit.log_likelihood == pytest.approx(-other.fun, abs=1e-5)
    assert_allclose(fit.slopes, other.x[3:], atol=1e-3)
    assert fit.converged


def test_cumulative_logit_of_separated_answers_is_not_converged():
    x = np.arange(20.0)[:, None] - 9.5
    assert not fit_cumulative_logit(np.eye(2)[(x[:, 0] > 0).astype(int)], x).converged


# -------------------------------------------------------------------------------------------------------------- DIF


def grouped(shifted=(), size=1.0, slopes=None, n=1000, seed=1):
    group = np.repeat(["staff", "customers"], n // 2)
    shift = np.zeros((n, 4))
    for item in shifted:
        shift[group == "staff", item] = size
    data, _ = answers(n, seed, shift)
    return data, pd.Series(group)


def test_no_item_is_flagged_where_none_differs():
    data, group = grouped()
    result = pm.ordinal_dif(data, group)
    assert result.flagged == ()
    assert result.settled
    assert result.n_rounds == 0
    assert result.groups == ("customers", "staff")


def test_a_shifted_item_is_flagged_as_uniform_and_leaves_the_anchors():
    data, group = grouped(shifted=[1])
    result = pm.ordinal_dif(data, group)
    table = result.to_frame()
    assert result.flagged == ("b",)
    assert result.anchors == ("a", "c", "d")
    assert 1 <= result.n_rounds <= 10
    assert table.loc["b", "p_uniform"] < 1e-10
    assert table.loc["b", "p_nonuniform"] > 0.001
    assert table.loc["b", "df"] == 2
    assert_allclose(table["chi_square"], table["chi_square_uniform"] + table["chi_square_nonuniform"], atol=1e-8)


def test_groups_that_only_differ_in_level_are_not_flagged():
    generator = np.random.default_rng(3)
    level = generator.normal(size=1000) + np.repeat([0, 0.8], 500)
    data, _ = answers(1000, 4, level=level)
    assert pm.ordinal_dif(data, np.repeat(["a", "b"], 500)).flagged == ()


def test_an_item_that_discriminates_in_one_group_only_is_flagged_as_nonuniform():
    first, _ = answers(800, 5)
    second, _ = answers(800, 6, slopes=np.array([0.05, 2.2, 0.8, 1.5]))
    data = pd.concat([first, second], ignore_index=True)
    table = pm.ordinal_dif(data, np.repeat([1, 2], 800), smallest_change=0).to_frame()
    assert table.loc["a", "p_nonuniform"] < 1e-4
    assert table.loc["a", "flagged"]


def test_statistics_do_not_depend_on_names_order_or_linear_recoding():
    data, group = grouped(shifted=[2])
    base = pm.ordinal_dif(data, group).to_frame()
    moved = data.sample(frac=1, random_state=0)[list("cbad")] * 3 + 2
    other = pm.ordinal_dif(moved, group.replace({"staff": "a", "customers": "b"}).loc[moved.index]).to_frame()
    assert_allclose(other.loc[list("abcd"), "chi_square"], base["chi_square"], atol=1e-6)
    assert_allclose(other.loc[list("abcd"), "r2_change"], base["r2_change"], atol=1e-9)


def test_three_groups_have_four_degrees_of_freedom_and_small_ones_are_refused():
    data, _ = grouped()
    thirds = np.resize(["a", "b", "c"], 1000)
    assert (pm.ordinal_dif(data, thirds).to_frame()["df"] == 4).all()
    thirds[:] = "a"
    thirds[:5] = "b"
    with pytest.raises(InsufficientDataError, match=r"b \(5\)"):
        pm.ordinal_dif(data, thirds)


def test_rows_without_an_answer_or_a_group_are_counted():
    data, group = grouped()
    data = data.astype(float)
    data.iloc[0, 0] = np.nan
    group.iloc[1:4] = None
    result = pm.ordinal_dif(data, group)
    assert (result.n_respondents, result.n_dropped) == (996, 4)


@pytest.mark.parametrize("kind", ["nagelkerke", "mcfadden", "cox_snell"])
def test_changes_of_pseudo_r2_are_never_negative(kind):
    data, group = grouped(shifted=[1])
    table = pm.ordinal_dif(data, group, pseudo_r2=kind).to_frame()
    assert (table[["r2_change", "r2_change_uniform", "r2_change_nonuniform"]] >= -1e-10).all().all()
    assert (table["size"] == "").all() == (kind != "nagelkerke")
