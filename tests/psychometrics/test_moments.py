"""Covariances: the blocked route for large integer files against plain float64, and what is left out and why."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import cronbach_alpha
from servicediag.psychometrics._moments import _integer_sums, moments, moments_from_covariance


def large(generator, low, high, n=30_000, k=8, dtype="int8"):
    trait = generator.normal(size=(n, 1))
    spread = (high - low) / 6
    answers = np.clip(np.rint((low + high) / 2 + spread * (trait + generator.normal(size=(n, k)))), low, high)
    return pd.DataFrame(answers.astype(dtype))


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(1, 5, "int8"), (-3, 3, "int16"), (0, 90, "float64"), (1_000_001, 1_000_005, "int64")]
)
def test_the_blocked_route_is_exact(low, high, dtype):
    items = large(np.random.default_rng(1), low, high, dtype=dtype)
    assert _integer_sums(items.to_numpy(), "listwise") is not None
    assert_allclose(moments(items, statistic="x").covariance, np.cov(items.to_numpy(float), rowvar=False), rtol=1e-12)


def test_the_blocked_route_leaves_out_incomplete_rows():
    generator = np.random.default_rng(2)
    items = large(generator, 1, 5, dtype="float64").mask(generator.random((30_000, 8)) < 0.02)
    known = moments(items, statistic="x")
    complete = items.dropna()
    assert known.n_respondents == len(complete)
    assert known.n_dropped == len(items) - len(complete)
    assert_allclose(known.covariance, complete.cov(), rtol=1e-12)
    assert_allclose(known.means, complete.mean(), rtol=1e-12)


def test_the_blocked_route_by_pairs_equals_pandas():
    generator = np.random.default_rng(3)
    items = large(generator, 1, 7, dtype="float64").mask(generator.random((30_000, 8)) < 0.1)
    known = moments(items, "pairwise", statistic="x")
    present = items.notna().astype(int)
    assert_allclose(known.covariance, items.cov(), rtol=1e-11)
    assert_allclose(known.means, items.mean(), rtol=1e-12)
    assert known.n_smallest == (present.T @ present).to_numpy().min()


@pytest.mark.parametrize("shift", [0.5, 0.0])
def test_wide_or_broken_numbers_take_the_plain_route(shift):
    generator = np.random.default_rng(4)
    items = pd.DataFrame(np.rint(generator.normal(0, 5000, size=(30_000, 8))) + shift)
    assert _integer_sums(items.to_numpy(), "listwise") is None
    assert_allclose(moments(items, statistic="x").covariance, items.cov(), rtol=1e-11)


def test_a_large_file_gives_the_alpha_of_its_halves_pooled():
    items = large(np.random.default_rng(5), 1, 5)
    small = cronbach_alpha(items.astype(float) + 0.25)  # no whole numbers: plain route
    assert_allclose(cronbach_alpha(items).estimate, small.estimate, rtol=1e-12)


def test_a_constant_item_is_found_in_a_large_file():
    items = large(np.random.default_rng(6), 1, 5)
    items[3] = np.int8(4)
    known = moments(items, statistic="x")
    assert known.items == (0, 1, 2, 4, 5, 6, 7)
    assert [dropped.item for dropped in known.dropped_items] == [3]


def test_a_nearly_constant_item_is_kept_in_a_large_file():
    items = large(np.random.default_rng(7), 1, 5)
    items[3] = np.int8(4)
    items.loc[17, 3] = 5
    assert 3 in moments(items, statistic="x").items


def test_an_item_that_listwise_deletion_made_constant_names_the_rows():
    items = pd.DataFrame({"a": [1, 1, 1, 2], "b": [1, 2, 3, np.nan], "c": [2, 3, 5, 1]})
    (dropped,) = moments(items, statistic="x").dropped_items
    assert dropped.item == "a"
    assert "3 complete rows" in dropped.reason


def test_rounding_makes_no_item_vary():
    items = pd.DataFrame({"a": [0.1, 0.1, 0.1], "b": [1.0, 2.0, 4.0], "c": [1.0, 3.0, 4.0]})
    assert moments(items, statistic="x").items == ("b", "c")


@pytest.mark.parametrize(
    ("items", "wording"),
    [
        (pd.DataFrame({"a": [1, 2, 3]}), "at least 2 items, not 1"),
        (pd.DataFrame(), "at least 2 items, not 0"),
        (pd.DataFrame({"a": [1], "b": [2]}), "at least 2 respondents"),
        (pd.DataFrame({"a": [1, 2, 3], "b": [2, 2, 2]}), "items that vary, not 1"),
        (pd.DataFrame({"a": [1, 2, 3], "b": [3, 2, 1]}), "does not vary"),
        (pd.DataFrame({"a": [1, 2, 3], "b": [np.nan] * 3}), "nobody answered b"),
        (pd.DataFrame({"a": [1, 2, np.nan], "b": [np.nan, 2, 1]}), "1 of 3 can be used"),
    ],
)
def test_what_cannot_be_computed_says_why(items, wording):
    with pytest.raises(InsufficientDataError, match=wording):
        moments(items, statistic="Alpha")


def test_pairs_that_nobody_answered_together_are_named():
    items = pd.DataFrame({"a": [1, 2, 3, np.nan, np.nan], "b": [np.nan, np.nan, 3, 4, 5], "c": [1, 2, 3, 4, 5]})
    with pytest.raises(InsufficientDataError, match="both a and b"):
        moments(items, "pairwise", statistic="Alpha")


@pytest.mark.parametrize(
    ("matrix", "error", "wording"),
    [
        (np.ones((2, 3)), ValueError, "square"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), ValueError, "symmetric"),
        (np.array([[-1.0, 0.5], [0.5, 1.0]]), ValueError, "symmetric"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), InsufficientDataError, "undefined entries"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), InsufficientDataError, "that vary"),
    ],
)
def test_faulty_covariances_are_refused(matrix, error, wording):
    with pytest.raises(error, match=wording):
        moments_from_covariance(matrix, 50, items=None, statistic="Alpha")


def test_moments_cannot_be_changed():
    known = moments(pd.DataFrame({"a": [1, 2, 3], "b": [1, 3, 2]}), statistic="x")
    with pytest.raises(ValueError, match="read-only"):
        known.covariance[0, 0] = 5


def test_the_callers_table_is_not_changed():
    items = pd.DataFrame({"a": [1.0, 2.0, np.nan, 4.0], "b": [1.0, 3.0, 2.0, 4.0]})
    before = items.copy()
    cronbach_alpha(items, missing="pairwise").confidence_interval(method="bca", n_resamples=100)
    pd.testing.assert_frame_equal(items, before)
    assert_array_equal(items.index, before.index)
