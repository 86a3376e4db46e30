"""Relative weights and LMG shares: definitions by brute force, decompositions that add up, and laws."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.errors import InsufficientDataError

BOTH = [pm.relative_weights, pm.lmg_shares]


def study(n=120, p=4, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, p)) + generator.normal(size=(n, 1))
    y = x @ np.linspace(1, 0.1, p) + 2 * generator.normal(size=n)
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(p)]), pd.Series(y, name="y")


def r_squared(x, y):
    if x.shape[1] == 0:
        return 0.0
    design = np.column_stack([np.ones(len(x)), x])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return 1 - residual.var() / y.var()


def test_lmg_is_the_average_over_all_orders():
    x, y = study()
    wanted = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        for position, j in enumerate(order):
            before = list(order[:position])
            gain = r_squared(x.iloc[:, [*before, j]].to_numpy(), y) - r_squared(x.iloc[:, before].to_numpy(), y)
            wanted[j] += gain / len(orders)
    assert_allclose(pm.lmg_shares(x, y).weights, wanted, atol=1e-12)


def test_relative_weights_of_two_predictors_by_hand():
    x, y = study(p=2)
    matrix = np.corrcoef(np.column_stack([x, y]), rowvar=False)
    r = matrix[0, 1]
    large, small = np.sqrt(1 + r), np.sqrt(1 - r)
    same, other = (large + small) / 2, (large - small) / 2
    root = np.array([[same, other], [other, same]])
    wanted = root**2 @ np.linalg.solve(root, matrix[:2, 2]) ** 2
    assert_allclose(pm.relative_weights(x, y).weights, wanted, atol=1e-12)


def test_both_agree_exactly_for_two_predictors():
    x, y = study(p=2, seed=5)
    assert_allclose(pm.relative_weights(x, y).weights, pm.lmg_shares(x, y).weights, atol=1e-12)


@pytest.mark.parametrize("function", BOTH)
@given(seed=st.integers(0, 10_000), p=st.integers(2, 6))
@settings(max_examples=15, deadline=None)
def test_weights_are_never_negative_and_add_up_to_r_squared(function, seed, p):
    x, y = study(60, p, seed)
    result = function(x, y)
    assert (result.weights >= -1e-12).all()
    assert result.weights.sum() == pytest.approx(r_squared(x.to_numpy(), y.to_numpy()), abs=1e-10)
    assert result.shares.sum() == pytest.approx(1)
    moved = x.sample(frac=1, random_state=seed)[list(x.columns[::-1])] * 3 - 8
    assert_allclose(function(moved, 2 - y.loc[moved.index]).weights[x.columns], result.weights, atol=1e-10)


@pytest.mark.parametrize("function", BOTH)
def test_uncorrelated_predictors_get_their_squared_correlations(function):
    generator = np.random.default_rng(1)
    x = np.linalg.qr(np.column_stack([np.ones(80), generator.normal(size=(80, 3))]))[0][:, 1:]
    y = x @ [3, 2, 1] + generator.normal(size=80) * 0.1
    wanted = [np.corrcoef(x[:, j], y)[0, 1] ** 2 for j in range(3)]
    assert_allclose(function(pd.DataFrame(x), pd.Series(y)).weights, wanted, atol=1e-10)


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_intervals_hold_the_weights_repeat_with_their_seed_and_tell_progress(function, method):
    x, y = study()
    result, seen = function(x, y), []
    table = result.confidence_intervals(method=method, n_resamples=300, seed=2, progress=lambda *at: seen.append(at))
    assert (table["ci_low"] <= table["weight"]).all()
    assert (table["weight"] <= table["ci_high"]).all()
    pd.testing.assert_frame_equal(table, result.confidence_intervals(method=method, n_resamples=300, seed=2))
    assert seen[-1] == (300, 300)
    wider = result.confidence_intervals(0.99, method=method, n_resamples=300, seed=2)
    assert (wider["ci_high"] - wider["ci_low"] > table["ci_high"] - table["ci_low"]).all()


@pytest.mark.parametrize("function", BOTH)
def test_the_common_method_warning_is_always_printed(function):
    assert "common method" in function(*study()).describe()


@pytest.mark.parametrize("function", BOTH)
def test_collinear_predictors_are_named(function):
    x, y = study()
    with pytest.raises(InsufficientDataError, match="x0 and x9"):
        function(x.assign(x9=2 * x["x0"] + 1), y)


@pytest.mark.parametrize("function", BOTH)
def test_a_constant_predictor_is_left_out_and_a_constant_outcome_refused(function):
    x, y = study()
    result = function(x.assign(x3=1.0), y)
    assert [drop.item for drop in result.dropped_items] == ["x3"]
    assert result.predictors == ("x0", "x1", "x2")
    with pytest.raises(InsufficientDataError, match="outcome does not vary"):
        function(x, y * 0)


@pytest.mark.parametrize("function", BOTH)
def test_rows_with_a_missing_value_are_left_out_and_counted(function):
    x, y = study()
    x.iloc[3, 1], y.iloc[7] = np.nan, np.nan
    result = function(x, y)
    assert (result.n_respondents, result.n_dropped) == (118, 2)
    keep = x.index.difference([3, 7])
    assert_allclose(result.weights, function(x.loc[keep], y.loc[keep]).weights)


def test_the_table_holds_what_reviewers_ask_for():
    table = pm.relative_weights(*study()).to_frame()
    assert table.columns.tolist() == [
        "weight",
        "share",
        "correlation",
        "standardized_coefficient",
        "variance_inflation",
    ]
    assert (table["variance_inflation"] > 1).all()
