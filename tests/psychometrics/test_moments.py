"""Covariances: the blocked route for large integer files against plain float64, and what is left out and why."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import cronbach_alpha
from servicediag.psychometrics._block_sums import block_sums
from servicediag.psychometrics._moments import moments, moments_from_covariance


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
    assert block_sums(items, "listwise") is not None
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


@pytest.mark.parametrize("dtype", ["float64", "float32", "Int8"])
@pytest.mark.parametrize(
    "leave_out",
    [
        pytest.param(lambda generator, holes: generator.random(holes.shape) < 0.02, id="few here and there"),
        pytest.param(lambda generator, holes: generator.random(holes.shape) < 0.5, id="half of all"),
        pytest.param(
            lambda generator, holes: (generator.random((len(holes), 1)) < 0.05) & (np.arange(24) > 2), id="drop-outs"
        ),
        pytest.param(
            lambda generator, holes: generator.random(holes.shape) < np.linspace(0, 0.3, len(holes))[:, None],
            id="more and more",
        ),
        pytest.param(lambda generator, holes: (generator.random((len(holes), 1)) < 0.01) | holes, id="whole rows"),
        pytest.param(lambda generator, holes: generator.random(holes.shape) < 0.001, id="hardly any"),
        pytest.param(lambda generator, holes: generator.random(holes.shape) < 0.97, id="nearly all"),
        pytest.param(lambda generator, holes: (np.arange(24) == 7) | holes, id="one item by everybody"),
        pytest.param(lambda generator, holes: (np.arange(len(holes))[:, None] == len(holes) - 1) | holes, id="last"),
        pytest.param(lambda generator, holes: (np.arange(len(holes))[:, None] < 9000) | holes, id="the first 9000"),
    ],
)
def test_sums_by_pairs_are_exact_whatever_is_missing(leave_out, dtype):
    generator = np.random.default_rng(15)
    items = large(generator, -2, 5, n=20_001, k=24, dtype="float64")
    items = items.mask(leave_out(generator, np.zeros(items.shape, dtype=bool)))
    sums = block_sums(items.astype(dtype), "pairwise")
    present, answers = items.notna().to_numpy().astype(float), items.fillna(0).to_numpy()
    assert_array_equal(sums.counts, present.T @ present)
    assert_array_equal(sums.sums, answers.T @ present)
    assert_array_equal(sums.products, answers.T @ answers)
    assert sums.n_rows == int(items.notna().any(axis=1).sum())


@pytest.mark.parametrize("share", [0.02, 0.07, 0.2, 0.6])
@pytest.mark.parametrize(("low", "high"), [(0, 100), (1, 10), (-120, 120)])
def test_sums_by_pairs_of_wide_answers_are_exact(low, high, share):
    """Sums of squares pass what float32 holds in a whole block, and gaps and answers no longer fit into one product."""
    generator = np.random.default_rng(16)
    items = pd.DataFrame(generator.integers(low, high + 1, size=(13_001, 9)).astype(float))
    items = items.mask(generator.random(items.shape) < share)
    sums = block_sums(items, "pairwise")
    present = items.notna().to_numpy().astype(float)
    answers = np.where(present > 0, items.fillna(0).to_numpy() - sums.centre, 0)
    assert_array_equal(sums.counts, present.T @ present)
    assert_array_equal(sums.sums, answers.T @ present)
    assert_array_equal(sums.products, answers.T @ answers)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
@pytest.mark.parametrize("dtype", ["int8", "float32", "float64"])
def test_it_does_not_matter_how_a_table_lies_in_memory(dtype, missing):
    generator = np.random.default_rng(17)
    answers = generator.integers(1, 6, size=(13_001, 7)).astype(dtype)
    if dtype != "int8":
        answers[generator.random(answers.shape) < 0.03] = np.nan
    by_rows, by_columns = (pd.DataFrame(np.array(answers, order=order), copy=False) for order in ("C", "F"))
    assert by_rows.to_numpy().flags.c_contiguous
    assert by_columns.to_numpy().flags.f_contiguous
    one, other = block_sums(by_rows, missing), block_sums(by_columns, missing)
    assert_array_equal(one.counts, other.counts)
    assert_array_equal(one.sums, other.sums)
    assert_array_equal(one.products, other.products)


@pytest.mark.parametrize("shift", [0.5, 0.0])
def test_wide_or_broken_numbers_take_the_plain_route(shift):
    generator = np.random.default_rng(4)
    items = pd.DataFrame(np.rint(generator.normal(0, 5000, size=(30_000, 8))) + shift)
    assert block_sums(items, "listwise") is None
    assert_allclose(moments(items, statistic="x").covariance, items.cov(), rtol=1e-11)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
@pytest.mark.parametrize("dtype", ["float32", "Int8", "UInt8", "Float64"])
def test_every_kind_of_answers_with_gaps_gives_the_same_moments(missing, dtype):
    generator = np.random.default_rng(9)
    items = large(generator, 1, 5, dtype="float64").mask(generator.random((30_000, 8)) < 0.05)
    items.iloc[:50] = np.nan
    expected, known = moments(items, missing, statistic="x"), moments(items.astype(dtype), missing, statistic="x")
    if dtype != "Float64":
        assert block_sums(items.astype(dtype), missing) is not None
    assert_allclose(known.covariance, expected.covariance, rtol=1e-12)
    assert_allclose(known.means, expected.means, rtol=1e-12)
    assert (known.n_respondents, known.n_smallest) == (expected.n_respondents, expected.n_smallest)
    assert known.n_respondents == items.dropna(how="any" if missing == "listwise" else "all").shape[0]


@pytest.mark.parametrize(("dtype", "mark"), [("Int8", -128), ("UInt8", 255)])
def test_an_answer_that_looks_like_the_mark_of_a_gap_counts(dtype, mark):
    items = large(np.random.default_rng(10), 1, 5).astype(dtype)
    items.iloc[:40, 2] = mark
    items.iloc[7, 3] = pd.NA
    plain = items.astype("float64")
    assert_allclose(moments(items, "pairwise", statistic="x").covariance, plain.cov(), rtol=1e-10)


@pytest.mark.parametrize("odd", [np.inf, 2.0**24 + 2, 3.0000001, 1e300])
def test_one_odd_number_in_a_late_block_is_not_overlooked(odd):
    items = large(np.random.default_rng(11), 1, 5, dtype="float64")
    items.iloc[25_000, 4] = odd
    assert block_sums(items, "pairwise") is None
    assert block_sums(items.mask(items == 5), "pairwise") is None
    if odd > 1e100:
        with pytest.raises(ValueError, match="infinite"):
            moments(items, statistic="x")
    else:
        assert_allclose(moments(items, statistic="x").covariance, items.cov(), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_numbers_that_float32_would_round_take_the_plain_route(dtype):
    items = large(np.random.default_rng(14), 1, 5, dtype="int64") + 2**24
    assert block_sums(items.astype(dtype), "listwise") is None
    assert_allclose(moments(items.astype(dtype), statistic="x").covariance, (items - 2**24).cov(), rtol=1e-9)


def test_answers_that_leave_the_range_of_the_first_block_stay_exact():
    items = large(np.random.default_rng(12), 0, 4, dtype="int16")
    items.iloc[20_000:] *= 25
    assert block_sums(items, "listwise") is not None
    assert_allclose(moments(items, statistic="x").covariance, np.cov(items.to_numpy(float), rowvar=False), rtol=1e-12)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
def test_a_large_file_needs_the_memory_of_a_few_blocks_only(missing):
    generator = np.random.default_rng(13)
    items = large(generator, 1, 5, n=200_000, k=20, dtype="float64").mask(generator.random((200_000, 20)) < 0.02)
    moments(items.iloc[:20_000], missing, statistic="x")  # what is imported on first use does not count
    tracemalloc.start()
    moments(items, missing, statistic="x")
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert largest < 0.5 * items.memory_usage().sum()


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
