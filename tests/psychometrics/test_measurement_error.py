"""Errors of measurement, change, study size, and test-retest."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.errors import InsufficientDataError
from servicediag.psychometrics.alpha import alpha_from_covariance


def test_error_and_detectable_change_by_hand():
    assert_allclose(pm.standard_error_of_measurement(15, 0.84), 6)
    assert_allclose(pm.minimal_detectable_change(15, 0.84), 1.959963984540054 * math.sqrt(2) * 6)
    assert_allclose(pm.minimal_detectable_change(15, 0.84, level=0.90), 1.6448536269514722 * math.sqrt(2) * 6)


def test_perfect_and_negative_reliability_are_taken_as_they_are():
    assert pm.standard_error_of_measurement(15, 1.0) == 0
    assert_allclose(pm.standard_error_of_measurement(2, -3.0), 4)


@pytest.mark.parametrize(("sd", "reliability"), [(-1, 0.8), (1, 1.01), (math.nan, 0.8), (1, math.nan), (math.inf, 0.5)])
def test_impossible_arguments_are_refused(sd, reliability):
    with pytest.raises(ValueError, match="must lie between"):
        pm.standard_error_of_measurement(sd, reliability)


def test_the_sem_of_a_mean_score_is_that_of_the_sum_over_the_items():
    items = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 5)) + np.random.default_rng(1).normal(size=(40, 1)))
    alpha = pm.cronbach_alpha(items).estimate
    by_sum = pm.standard_error_of_measurement(items.sum(axis=1).std(ddof=1), alpha)
    by_mean = pm.standard_error_of_measurement(items.mean(axis=1).std(ddof=1), alpha)
    assert_allclose(by_sum, 5 * by_mean)


def test_a_change_is_reliable_beyond_the_detectable_change():
    limit = pm.minimal_detectable_change(10, 0.8)
    before = pd.Series(0.0, index=list("abcd"))
    after = pd.Series([limit * 0.999, limit * 1.001, -limit * 1.001, 0.0], index=list("abcd"))
    table = pm.reliable_change(before, after, standard_deviation=10, reliability=0.8)
    assert table["reliable"].tolist() == [False, True, True, False]
    assert_allclose(table["rci"], table["change"] / (math.sqrt(2) * pm.standard_error_of_measurement(10, 0.8)))


def test_change_is_matched_by_respondent_and_loses_nobody():
    before = pd.Series([10.0, 20.0, np.nan], index=["x", "y", "z"])
    after = pd.Series([25.0, 12.0, 7.0, 1.0], index=["y", "x", "z", "new"])
    table = pm.reliable_change(before, after, standard_deviation=2, reliability=0.5)
    assert table.index.tolist() == ["x", "y", "z", "new"]
    assert table["change"].tolist()[:2] == [2.0, 5.0]
    assert table.loc[["z", "new"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("before", "after", "arguments", "wording"),
    [
        ([1, 2], [1, 2, 3], {}, "2 scores and after 3"),
        (pd.Series([1, 2], index=["a", "a"]), pd.Series([1], index=["a"]), {}, "more than once"),
        ([1, 2], [2, 3], {"reliability": 1.0}, "every change is reliable"),
        ([1, 2], [2, 3], {"standard_deviation": 0.0}, "every change is reliable"),
        (["a", "b"], [1, 2], {}, "numbers only"),
    ],
)
def test_change_that_cannot_be_judged_is_refused(before, after, arguments, wording):
    with pytest.raises(ValueError, match=wording):
        pm.reliable_change(before, after, **{"standard_deviation": 1.0, "reliability": 0.8, **arguments})


@pytest.mark.parametrize("factor", [0.25, 0.5, 1, 2, 7.5])
def test_lengthening_and_shortening_undo_each_other(factor):
    assert_allclose(pm.spearman_brown(pm.spearman_brown(0.6, factor), 1 / factor), 0.6)


def test_a_test_that_cannot_exist_is_refused():
    with pytest.raises(ValueError, match="too low"):
        pm.spearman_brown(-0.8, 5)


@pytest.mark.parametrize(
    ("reliability", "n_items", "target"), [(0.6, 4, 0.8), (0.5, 3, 0.9), (0.9, 10, 0.7), (0.8, 5, 0.8)]
)
def test_items_needed_is_the_smallest_number_that_suffices(reliability, n_items, target):
    needed = pm.items_needed(reliability, n_items, target)
    assert pm.spearman_brown(reliability, needed / n_items) >= target - 1e-12
    assert needed == 1 or pm.spearman_brown(reliability, (needed - 1) / n_items) < target


@pytest.mark.parametrize(("reliability", "k", "width"), [(0.8, 5, 0.1), (0.7, 3, 0.2), (0.95, 20, 0.02), (0.0, 4, 0.5)])
def test_respondents_needed_is_the_smallest_number_with_that_width(reliability, k, width):
    n = pm.respondents_needed(reliability, k, width=width)

    def reached(count):
        r = reliability / (k - reliability * (k - 1))
        alpha = alpha_from_covariance(np.full((k, k), r) + (1 - r) * np.eye(k), count)
        low, high = alpha.confidence_interval(method="bonett")
        return high - low

    assert reached(n) <= width
    assert reached(n - 1) > width


def test_respondents_needed_for_a_test_reach_the_power():
    n = pm.respondents_needed(0.8, 5, null=0.7, power=0.9)
    from scipy.stats import norm

    def power(count):
        return norm.cdf(math.log(0.3 / 0.2) / math.sqrt(2 * 5 / 4 / (count - 2)) - 1.959963984540054)

    assert power(n) >= 0.9 > power(n - 1)


@pytest.mark.parametrize("arguments", [{}, {"width": 0.1, "null": 0.7}])
def test_one_aim_of_the_study_is_asked_for(arguments):
    with pytest.raises(ValueError, match="either width= or null="):
        pm.respondents_needed(0.8, 5, **arguments)


@pytest.mark.parametrize(
    ("reliability", "arguments"), [(1.0, {"width": 0.1}), (0.8, {"null": 0.8}), (0.8, {"null": 0.7, "power": 1})]
)
def test_impossible_aims_are_refused(reliability, arguments):
    with pytest.raises(ValueError, match=r"reliability|null|power"):
        pm.respondents_needed(reliability, 5, **arguments)


# ----------------------------------------------------------------------------------------------------------- retest


def waves(n=40, shift=0.0, seed=0):
    generator = np.random.default_rng(seed)
    trait = generator.normal(50, 10, n)
    ids = [f"p{i}" for i in range(n)]
    first = pd.Series(trait + generator.normal(0, 4, n), index=ids)
    return first, pd.Series(trait + shift + generator.normal(0, 4, n), index=ids)


def test_retest_error_is_half_the_variance_of_the_differences():
    first, second = waves()
    result = pm.retest(first, second)
    assert_allclose(result.sem, math.sqrt((second - first).var(ddof=1) / 2))
    assert_allclose(result.minimal_detectable_change, 1.959963984540054 * math.sqrt(2) * result.sem)
    assert_allclose(result.correlation, first.corr(second))
    assert_allclose(result.mean_change, (second - first).mean())


def test_a_shift_of_everyone_lowers_agreement_only():
    first, second = waves()
    still, moved = pm.retest(first, second), pm.retest(first, second + 15)
    assert_allclose(
        [still.correlation, still.icc_consistency, still.sem], [moved.correlation, moved.icc_consistency, moved.sem]
    )
    assert moved.icc_agreement < still.icc_agreement - 0.2


def test_respondents_are_matched_by_index_and_the_rest_counted():
    first, second = waves()
    result = pm.retest(first.iloc[:30], second.iloc[5:].sample(frac=1, random_state=2))
    expected = pm.retest(first.iloc[5:30], second.iloc[5:30])
    assert (result.n_matched, result.n_unmatched) == (25, 15)
    assert_allclose(result.icc_agreement, expected.icc_agreement)


@pytest.mark.parametrize("of", ["icc_agreement", "icc_consistency", "correlation"])
@pytest.mark.parametrize("level", [0.01, 0.5, 0.95, 0.999])
def test_retest_estimates_lie_in_their_intervals(of, level):
    result = pm.retest(*waves())
    assert getattr(result, of) in result.confidence_interval(level, of=of)


def test_retest_that_cannot_be_computed_says_why():
    first, second = waves()
    with pytest.raises(InsufficientDataError, match="same identifiers"):
        pm.retest(first, second.rename(index=lambda name: name.upper()))
    with pytest.raises(InsufficientDataError, match="do not vary"):
        pm.retest(first * 0 + 3, second)
    with pytest.raises(ValueError, match="more than once"):
        pm.retest(pd.concat([first, first]), second)
    with pytest.raises(InsufficientDataError, match="at least 4"):
        pm.retest(first[:3], second[:3]).confidence_interval(of="correlation")


def test_retest_without_any_agreement_is_described_as_undefined():
    result = pm.retest(pd.Series([1.0, 2.0]), pd.Series([2.0, 1.0]))
    assert math.isnan(result.icc_agreement)
    assert result.to_frame()[["ci_low", "ci_high"]].isna().all(axis=None)
    assert "ICC(A,1) = undefined" in result.describe()


def test_retest_is_described_from_its_table():
    sentence = pm.retest(*waves()).describe()
    assert "ICC(A,1) = ." in sentence
    assert "95% CI" in sentence
    assert "n = 40" in sentence
