"""Estimators behind the gaps, against values worked out by hand or by scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from servicediag.diagnosis.statistics import (
    benjamini_hochberg,
    expected_loss,
    intraclass,
    pooled_variance,
    shrinkage_weights,
    unit_contrasts,
    welch,
    wilson,
)


def sums(groups):
    n = np.array([len(g) for g in groups], float)
    total = np.array([np.sum(g) for g in groups], float)
    squares = np.array([np.sum(np.square(g)) for g in groups], float)
    return n, total, squares


GROUPS = [[52.0, 61, 70, 44], [40.0, 35, 50], [66.0, 80, 75, 71, 58]]


@pytest.mark.parametrize(
    ("count", "n", "level", "low", "high"),
    [(8, 20, 0.95, 0.219, 0.613), (8, 20, 0.90, 0.242, 0.581), (12, 80, 0.95, 0.088, 0.244)],
)
def test_wilson_interval_matches_hand_computed_values(count, n, level, low, high):
    assert_allclose(wilson(count, n, level), (low, high), atol=5e-4)


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.5, 0.9, 0.99])
)
def test_wilson_interval_holds_its_share_and_stays_within_0_and_1(pair, level):
    count, n = pair
    low, high = wilson(count, n, level)
    assert low + 1e-12 >= 0
    assert low <= count / n <= high
    assert high <= 1 + 1e-12


def test_wilson_of_nobody_is_undefined():
    assert all(math.isnan(limit) for limit in wilson(0, 0))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_is_scipys(p):
    assert_allclose(benjamini_hochberg(np.array(p)), stats.false_discovery_control(p), rtol=1e-12)


def test_benjamini_hochberg_leaves_unknown_p_out_of_the_family():
    assert_allclose(benjamini_hochberg(np.array([0.01, np.nan, 0.04])), [0.02, np.nan, 0.04])


def test_pooled_variance_is_the_weighted_mean_of_the_group_variances():
    n, total, squares = sums(GROUPS)
    expected = sum((len(g) - 1) * np.var(g, ddof=1) for g in GROUPS) / (12 - 3)
    variance, df = pooled_variance(n, total, squares)
    assert df == 9
    assert_allclose(variance, expected)


def test_contrast_of_two_units_is_the_two_sample_t_test():
    result = unit_contrasts(*sums(GROUPS[:2]))
    reference = stats.ttest_ind(GROUPS[0], GROUPS[1])
    assert_allclose(result.gap, [np.mean(GROUPS[0]) - np.mean(GROUPS[1])] * np.array([1, -1]))
    assert_allclose(result.p_no_difference(), [reference.pvalue] * 2)
    interval = reference.confidence_interval(0.95)
    low, high = result.interval(0.95)
    assert_allclose((low[0], high[0]), (interval.low, interval.high))


def test_contrast_compares_with_the_others_and_never_with_a_total_that_holds_the_unit():
    result = unit_contrasts(*sums(GROUPS))
    rest = np.mean(GROUPS[1] + GROUPS[2])
    assert_allclose(result.gap[0], np.mean(GROUPS[0]) - rest)


def test_minimum_effect_test_is_never_easier_than_the_test_of_no_difference():
    result = unit_contrasts(*sums(GROUPS))
    assert (result.p_minimum_effect(2.5) >= result.p_no_difference()).all()
    assert_allclose(result.p_minimum_effect(0.0), result.p_no_difference())


def test_minimum_effect_test_keeps_its_level_at_the_border():
    generator = np.random.default_rng(5)
    rejected = 0
    for _ in range(1000):
        a, b = generator.normal(2.5, 10, 30), generator.normal(0, 10, 30)
        rejected += unit_contrasts(*sums([a, b])).p_minimum_effect(2.5)[0] <= 0.05
    assert rejected / 1000 <= 0.07


def test_census_of_a_whole_unit_leaves_only_the_rests_uncertainty():
    plain = unit_contrasts(*sums(GROUPS))
    census = unit_contrasts(*sums(GROUPS), population=np.array([4.0, np.nan, np.nan]))
    assert census.standard_error[0] < plain.standard_error[0]
    assert_allclose(census.gap, plain.gap)


def test_no_contrast_where_nobody_differs_within_a_unit():
    assert unit_contrasts(*sums([[50.0, 50], [60.0, 60]])) is None
    assert unit_contrasts(*sums([[50.0, 55]])) is None


def test_minimum_detectable_gap_is_found_with_the_stated_power():
    generator = np.random.default_rng(3)
    first, second = generator.normal(0, 10, 40), generator.normal(0, 10, 60)
    gap = unit_contrasts(*sums([first, second])).minimum_detectable()[0]
    found = 0
    for _ in range(1500):
        a, b = generator.normal(gap, 10, 40), generator.normal(0, 10, 60)
        found += unit_contrasts(*sums([a, b])).p_no_difference()[0] <= 0.05
    assert abs(found / 1500 - 0.80) < 0.06


def test_welch_is_scipys():
    n, total, squares = sums(GROUPS[:2])
    difference, error, df = welch((n[0], total[0], squares[0]), (n[1], total[1], squares[1]))
    reference = stats.ttest_ind(GROUPS[0], GROUPS[1], equal_var=False)
    assert_allclose(difference / error, reference.statistic)
    assert_allclose(df, reference.df)


def test_shrinkage_keeps_nothing_where_units_differ_by_chance_only():
    groups = [[50.0, 60, 70], [49.0, 60, 71], [51.0, 60, 69], [52.0, 60, 68], [48.0, 60, 72]]
    n, total, squares = sums(groups)
    assert_allclose(shrinkage_weights(n, total, pooled_variance(n, total, squares)[0]), 0.0)


def test_shrinkage_spares_large_units_more_than_small_ones():
    generator = np.random.default_rng(1)
    groups = [generator.normal(50 + 8 * (k - 3), 10, size) for k, size in enumerate([8, 8, 8, 80, 80, 80, 80])]
    n, total, squares = sums(groups)
    keep = shrinkage_weights(n, total, pooled_variance(n, total, squares)[0])
    assert ((keep > 0) & (keep < 1)).all()
    assert keep[0] < keep[3]


def test_shrinkage_is_not_attempted_with_four_units():
    n, total, squares = sums(GROUPS)
    assert_allclose(shrinkage_weights(n, total, pooled_variance(n, total, squares)[0]), 1.0)


def test_intraclass_matches_the_one_way_anova():
    n, total, squares = sums([[1.0, 2, 3, 4], [3.0, 4, 5, 6], [2.0, 4, 6, 8]])
    f = stats.f_oneway([1.0, 2, 3, 4], [3.0, 4, 5, 6], [2.0, 4, 6, 8]).statistic
    icc1, icc2 = intraclass(n, total, squares)
    assert_allclose(icc1, (f - 1) / (f + 3))
    assert_allclose(icc2, 1 - 1 / f)


def test_expected_loss_of_a_certain_gap_is_the_gap_beyond_the_margin():
    assert expected_loss(-12.0, 0.0, 5.0) == 7.0
    assert expected_loss(3.0, 0.0, 5.0) == 0.0


@given(st.floats(-30, 30), st.floats(0.5, 20))
def test_expected_loss_is_the_mean_over_the_posterior(gap, spread):
    grid = stats.norm.ppf((np.arange(20000) + 0.5) / 20000) * spread + gap
    expected = np.maximum(0, -grid - 5).mean()
    assert_allclose(expected_loss(gap, spread, 5.0), expected, atol=0.01 * spread)
