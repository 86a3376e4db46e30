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
    centile_of_counts,
    cluster_contrasts,
    cluster_sums,
    difference_reliability,
    directional_rates,
    equivalence,
    equivalence_p,
    expected_loss,
    intraclass,
    limited_weights,
    one_sample,
    pooled_variance,
    rank_uncertainty,
    response_bounds,
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


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=30).filter(lambda v: len(set(v)) > 1))
def test_one_sample_is_scipys_paired_t(differences):
    mean, error, df = one_sample(len(differences), float(np.sum(differences)), float(np.sum(np.square(differences))))
    reference = stats.ttest_1samp(differences, 0.0)
    assert_allclose(mean / error, reference.statistic, rtol=1e-9, atol=1e-12)
    assert df == reference.df


def test_one_sample_of_equal_values_has_no_error():
    assert one_sample(3, 15.0, 75.0) is None
    assert one_sample(1, 5.0, 25.0) is None


@pytest.mark.parametrize(
    ("reliability", "correlation", "expected"), [(0.85, 0.3, 0.79), (0.85, 0.6, 0.625), (0.80, 0.7, 0.33)]
)
def test_difference_reliability_of_equal_spreads(reliability, correlation, expected):
    assert_allclose(difference_reliability(8, reliability, 8, reliability, correlation), expected, atol=0.005)


def test_difference_reliability_is_the_share_of_true_variance():
    """Scores of a true part and an independent error: the share is known from the parts that were added."""
    generator = np.random.default_rng(8)
    first, second = generator.multivariate_normal([0, 0], [[9, 4], [4, 16]], 400_000).T
    x, y = first + generator.normal(0, 2, first.size), second + generator.normal(0, 3, first.size)
    expected = np.var(first - second) / np.var(x - y)
    found = difference_reliability(np.std(x), 9 / 13, np.std(y), 16 / 25, np.corrcoef(x, y)[0, 1])
    assert_allclose(found, expected, atol=0.01)


def test_difference_that_never_varies_has_no_reliability():
    assert math.isnan(difference_reliability(5, 0.9, 5, 0.9, 1.0))


@given(st.floats(-12, 12), st.floats(0.2, 6), st.integers(2, 200))
def test_equivalence_is_inside_exactly_where_both_one_sided_tests_reject(gap, error, df):
    half = stats.t.ppf(0.95, df) * error
    (verdict,) = equivalence(np.array([gap - half]), np.array([gap + half]), 5.0)
    low = stats.t.sf((gap + 5) / error, df)
    high = stats.t.cdf((gap - 5) / error, df)
    (p,) = equivalence_p(np.array([gap]), np.array([error]), df, 5.0)
    assert_allclose(p, max(low, high), rtol=1e-9, atol=1e-15)
    if abs(p - 0.05) > 1e-9:
        assert (verdict == "inside") == (p < 0.05)


def test_equivalence_without_an_interval_says_nothing():
    assert equivalence(np.array([np.nan]), np.array([1.0]), 5.0).tolist() == [None]


def test_clusters_of_one_give_the_welch_test():
    n, total, squares = sums(GROUPS)
    units = np.repeat(np.arange(3), n.astype(int))
    nested = cluster_sums(units, np.ones(len(units)), np.concatenate(GROUPS), 3)
    expected = [np.var(group, ddof=1) / len(group) for group in GROUPS]
    assert_allclose(nested.variance(), expected)
    contrast = cluster_contrasts(nested, fewest=2)
    difference, error, df = welch(
        (n[0], total[0], squares[0]), (n[1:].sum(), total[1:].sum(), squares[1:].sum())
    )  # the rest as one group
    assert_allclose(contrast.gap[0], difference)
    assert_allclose(contrast.standard_error[0], error)
    assert_allclose(contrast.df[0], df)


def test_respondents_of_no_known_cluster_count_as_clusters_of_one():
    units = np.repeat(np.arange(3), [4, 3, 5])
    every = cluster_sums(units, np.ones(12), np.concatenate(GROUPS), 3)
    none = np.array([], dtype=int)
    alone = cluster_sums(none, np.array([]), np.array([]), 3, alone=np.array(sums(GROUPS)))
    assert_allclose(alone.variance(), every.variance())
    assert_allclose(cluster_contrasts(alone, 2).standard_error, cluster_contrasts(every, 2).standard_error)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 100)), min_size=2, max_size=12))
def test_cluster_variance_is_that_of_the_sandwich(clusters):
    """The regression of the scores on a constant, with the residuals added up within clusters."""
    n = np.array([size for size, _ in clusters], float)
    total = np.array([size * mean for size, mean in clusters], float)
    residual = total - n * total.sum() / n.sum()
    expected = len(n) / (len(n) - 1) * (residual**2).sum() / n.sum() ** 2
    found = cluster_sums(np.zeros(len(n), dtype=int), n, total, 1).variance()
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_unit_with_too_few_clusters_has_no_error():
    units = np.array([0, 0, 1, 1, 1, 1, 1])
    nested = cluster_sums(units, np.full(7, 4.0), np.arange(7) * 40.0, 2)
    assert np.isnan(cluster_contrasts(nested, fewest=5).standard_error).all()
    assert not np.isnan(cluster_contrasts(nested, fewest=2).standard_error).any()


def test_cluster_robust_intervals_hold_where_pooled_ones_do_not():
    """Ten servers a unit, twelve customers each, a fifth of the variance between servers; no unit differs."""
    generator = np.random.default_rng(4)
    clusters = np.repeat(np.arange(80), 12)
    unit = np.repeat(np.arange(8), 10)
    robust, plain = [], []
    for _ in range(150):
        scores = generator.normal(0, 5, 80)[clusters] + generator.normal(0, 10, clusters.size)
        nested = cluster_sums(unit, np.full(80, 12.0), np.bincount(clusters, scores), 8)
        low, high = cluster_contrasts(nested, fewest=5).interval(0.95)
        robust += list((low < 0) & (high > 0))
        low, high = unit_contrasts(*sums(np.split(scores, 8))).interval(0.95)
        plain += list((low < 0) & (high > 0))
    assert abs(np.mean(robust) - 0.95) < 0.03
    assert np.mean(plain) < 0.80


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12).filter(any), st.sampled_from([0.1, 0.25, 0.5, 0.75]))
def test_centile_of_counts_is_the_inverted_distribution(counts, share):
    people = np.repeat(np.arange(len(counts)), counts)
    expected = np.quantile(people, share, method="inverted_cdf")
    assert centile_of_counts(np.array(counts), share) == expected


def test_centile_of_nobody_is_undefined():
    assert math.isnan(centile_of_counts(np.zeros(5), 0.25))


def test_response_bounds_of_full_response_are_the_mean():
    low, high = response_bounds(np.array([41.0]), np.array([12]), np.array([12]), 20.0, 80.0)
    assert (low[0], high[0]) == (41.0, 41.0)


@given(st.floats(0, 100), st.integers(1, 50), st.integers(0, 50))
def test_response_bounds_are_the_means_with_the_silent_filled_in(mean, n, silent):
    low, high = response_bounds(np.array([mean]), np.array([n]), np.array([n + silent]), 30.0, 75.0)
    assert_allclose(low[0], (n * mean + silent * 30) / (n + silent), atol=1e-9)
    assert_allclose(high[0], (n * mean + silent * 75) / (n + silent), atol=1e-9)


@given(st.integers(5, 60), st.integers(0, 5))
def test_probabilities_of_the_worst_fifth_add_up_to_its_size(n_units, seed):
    generator = np.random.default_rng(seed)
    ranks = rank_uncertainty(generator.normal(0, 5, n_units), generator.uniform(0.5, 5, n_units), seed=seed)
    assert_allclose(ranks.worst_fifth.sum(), n_units // 5)
    assert (ranks.low <= ranks.high).all()
    assert (ranks.low >= 1).all()
    assert (ranks.high <= n_units).all()


def test_ranks_of_two_units_agree_with_the_normal_law():
    estimate, spread = np.array([1.0, 0.0]), np.array([3.0, 4.0])
    ranks = rank_uncertainty(estimate, spread, n_draws=100_000)
    assert_allclose(ranks.worst_fifth[0], stats.norm.cdf(-1 / 5), atol=0.006)


def test_rank_intervals_hold_the_true_rank():
    generator = np.random.default_rng(2)
    held = []
    for seed in range(120):
        true = generator.normal(0, 6, 20)
        seen = true + generator.normal(0, 3, 20)
        keep = 36 / 45
        ranks = rank_uncertainty(keep * seen, np.full(20, 3 * math.sqrt(keep)), seed=seed, n_draws=1000)
        place = stats.rankdata(-true)
        held += list((ranks.low <= place) & (place <= ranks.high))
    assert 0.92 < np.mean(held) < 0.99


P_VALUES = st.lists(st.tuples(st.floats(0, 1), st.floats(-20, 20).filter(bool)), min_size=1, max_size=12)


@given(P_VALUES)
def test_troubles_and_strengths_are_judged_alike(pairs):
    p, gap = np.array(pairs).T
    assert_allclose(directional_rates(p, gap), directional_rates(p, -gap))


@given(P_VALUES)
def test_no_rate_is_below_that_of_all_gaps_together_nor_below_that_of_its_direction(pairs):
    p, gap = np.array(pairs).T
    rates = directional_rates(p, gap)
    assert (rates >= benjamini_hochberg(p)).all()
    worse = gap < 0
    one_sided = np.where(worse, p / 2, 1 - p / 2)
    assert (rates >= benjamini_hochberg(one_sided))[worse].all()


def test_where_all_gaps_have_one_direction_it_is_the_rate_of_all_together():
    p = np.array([0.001, 0.004, 0.03, 0.2])
    assert_allclose(directional_rates(p, -np.ones(4)), benjamini_hochberg(p))


def test_many_troubles_do_not_loosen_the_bar_for_a_strength():
    p = np.array([0.04, 1e-6, 1e-6, 1e-6, 0.6, 0.7])
    gap = np.array([6.0, -9.0, -9.0, -9.0, 1.0, 2.0])
    assert benjamini_hochberg(p)[0] == pytest.approx(0.06)
    assert directional_rates(p, gap)[0] == pytest.approx(0.12)
    assert_allclose(directional_rates(p, gap)[1:4], benjamini_hochberg(p)[1:4])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-60, 60), st.floats(0.1, 20)), min_size=1, max_size=8))
def test_no_gap_is_shrunk_by_more_than_its_standard_error_nor_beyond_it(rows):
    kept, gap, error = np.array(rows).T
    weights = limited_weights(kept, gap, error)
    assert ((weights >= kept) & (weights <= 1)).all()
    assert (np.abs(gap - gap * weights) <= error + 1e-9).all()
