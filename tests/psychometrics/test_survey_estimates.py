"""Shares and means of a survey: limits that solve their equations, and designs whose variance is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import survey_mean, survey_share

METHODS = ("wilson", "wilson_continuity", "clopper_pearson", "agresti_coull")


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
@settings(max_examples=100)
def test_wilson_limits_are_the_shares_that_the_score_test_just_accepts(counts, level):
    count, n = counts
    share = survey_share(count, n)
    z = stats.norm.ppf(0.5 + level / 2)
    for limit in share.confidence_interval(level):
        assert_allclose((share.estimate - limit) ** 2, z**2 * limit * (1 - limit) / n, atol=1e-10)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.999))
@settings(max_examples=100)
def test_every_interval_of_a_share_holds_it_and_mirrors_its_opposite(counts, level):
    count, n = counts
    for method in METHODS:
        low, high = survey_share(count, n).confidence_interval(level, method)
        assert low <= count / n <= high
        turned = survey_share(n - count, n).confidence_interval(level, method)
        assert_allclose((turned.low, turned.high), (1 - high, 1 - low), atol=1e-9)


def test_exact_limits_leave_their_share_in_each_tail():
    low, high = survey_share(7, 20).confidence_interval(0.9, "clopper_pearson")
    assert_allclose(stats.binom.sf(6, 20, low), 0.05, atol=1e-10)
    assert_allclose(stats.binom.cdf(7, 20, high), 0.05, atol=1e-10)
    assert survey_share(0, 5).confidence_interval(0.95, "clopper_pearson").low == 0.0


def test_a_finite_population_narrows_the_interval_down_to_nothing_in_a_census():
    widths = [np.diff(tuple(survey_share(8, 20, population_size=size).confidence_interval()))[0] for size in
              (20, 25, 40, 10**9)]  # fmt: skip
    assert widths[0] == 0
    assert widths == sorted(widths)
    assert_allclose(widths[-1], np.diff(tuple(survey_share(8, 20).confidence_interval()))[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((0, 0), {}, InsufficientDataError),
        ((5, 4), {}, ValueError),
        ((-1, 4), {}, ValueError),
        ((1, 4), {"population_size": 3}, ValueError),
        ((1.5, 4), {}, TypeError),
    ],
)
def test_counts_that_do_not_fit_are_refused(arguments, options, error):
    with pytest.raises(error):
        survey_share(*arguments, **options)


def test_the_exact_interval_refuses_a_finite_population():
    with pytest.raises(ValueError, match="wilson"):
        survey_share(3, 9, population_size=30).confidence_interval(method="clopper_pearson")


# ------------------------------------------------------------------------------------------------------------ means


def scores(n=60, seed=0):
    return pd.Series(np.random.default_rng(seed).normal(50, 10, n))


def test_without_a_design_it_is_the_t_interval():
    values = scores()
    result = survey_mean(values)
    reference = stats.t.interval(0.9, 59, values.mean(), values.sem())
    assert_allclose(tuple(result.confidence_interval(0.9)), reference, rtol=1e-12)
    assert_allclose(result.design_effect, 1, rtol=1e-12)
    assert_allclose(result.sd, values.std(), rtol=1e-12)


def test_copies_within_clusters_count_once():
    values = scores(20)
    copies = survey_mean(np.repeat(values.to_numpy(), 5), clusters=np.repeat(np.arange(20), 5))
    alone = survey_mean(values)
    assert_allclose(copies.standard_error, alone.standard_error, rtol=1e-12)
    assert (copies.n_respondents, copies.n_clusters, copies.df) == (100, 20, 19)
    assert 4.5 < copies.design_effect < 5.5


def test_clusters_of_unequal_size_follow_the_ratio_estimator():
    values = np.array([3.0, 4.0, 5.0, 1.0, 2.0, 2.0, 4.0])
    clusters = np.array(["a", "a", "a", "b", "b", "c", "c"])
    result = survey_mean(values, clusters=clusters)
    mean = values.mean()
    totals = np.array([(values[clusters == name] - mean).sum() for name in "abc"])
    assert_allclose(result.standard_error**2, 3 / 2 * (totals**2).sum() / 49, rtol=1e-12)


def test_whole_weights_give_the_mean_of_as_many_copies():
    values, weights = scores(30), np.arange(30) % 4 + 1
    weighted = survey_mean(values, weights=weights)
    assert_allclose(weighted.estimate, np.repeat(values.to_numpy(), weights).mean(), rtol=1e-12)
    assert_allclose(weighted.standard_error, survey_mean(values, weights=weights * 3.7).standard_error, rtol=1e-12)


def test_strata_take_the_differences_between_them_out_of_the_error():
    generator = np.random.default_rng(2)
    strata = np.repeat([0, 1], 40)
    values = generator.normal(0, 1, 80) + 10 * strata
    result = survey_mean(values, strata=strata)
    by_hand = sum(values[strata == s].var(ddof=1) / 40 / 4 for s in (0, 1))
    assert_allclose(result.standard_error**2, by_hand, rtol=1e-12)
    assert result.df == 78
    assert result.standard_error < survey_mean(values).standard_error / 3


def test_a_census_leaves_no_sampling_error():
    values = scores(20)
    assert survey_mean(values, population_size=20).standard_error == 0
    half = survey_mean(values, population_size=40).standard_error
    assert_allclose(half, survey_mean(values).standard_error / np.sqrt(2), rtol=1e-12)


def test_the_standard_error_of_clusters_is_that_of_repeated_samples():
    generator = np.random.default_rng(5)
    clusters = np.repeat(np.arange(30), 8)
    found = []
    for _ in range(400):
        values = generator.normal(0, 1, 30)[clusters] + generator.normal(0, 1, 240)
        found.append(survey_mean(values, clusters=clusters))
    spread = np.std([one.estimate for one in found])
    assert_allclose(np.mean([one.standard_error for one in found]), spread, rtol=0.1)


def test_respondents_without_a_score_or_cluster_are_counted():
    result = survey_mean(pd.Series([1.0, 2.0, np.nan, 4.0, 5.0]), clusters=["a", "b", "b", None, "c"])
    assert (result.n_respondents, result.n_dropped, result.n_clusters) == (3, 2, 3)
    assert "3 clusters" not in result.describe()  # each respondent a cluster: no design to speak of


@pytest.mark.parametrize(
    ("options", "error", "wording"),
    [
        ({"clusters": ["a"] * 4}, InsufficientDataError, "One cluster"),
        ({"strata": ["a", "a", "a", "b"]}, InsufficientDataError, "stratum"),
        ({"weights": [1, 1, 0, 1]}, ValueError, "above 0"),
        ({"weights": [1, 1]}, ValueError, "give one each"),
        ({"strata": ["a", "a", "b", "b"], "population_size": 9}, ValueError, "do not go together"),
        ({"population_size": 3}, ValueError, "at least 4"),
    ],
)
def test_designs_that_cannot_be_used_are_refused(options, error, wording):
    with pytest.raises(error, match=wording):
        survey_mean([1.0, 2.0, 3.0, 5.0], **options)
