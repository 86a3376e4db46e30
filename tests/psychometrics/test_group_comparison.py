"""Comparison of groups and of paired scores: against scipy and definitions, and the laws of differences."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import compare_groups, compare_paired

ANSWERS = st.lists(st.integers(1, 5), min_size=3, max_size=25)
GROUP_ROWS = [
    "difference", "student_difference", "cohens_d", "hedges_g", "hedges_g_separate", "glass_delta", "cliffs_delta",
    "superiority",
]  # fmt: skip


def scores(seed=0, n=(40, 25), shift=0.5):
    generator = np.random.default_rng(seed)
    first = np.rint(generator.normal(3 + shift, 1, n[0]))
    return first, np.rint(generator.normal(3, 1.5, n[1]))


@pytest.mark.parametrize("seed", range(4))
def test_tests_of_two_groups_equal_scipy(seed):
    x, y = scores(seed)
    result = compare_groups(x, y)
    welch = stats.ttest_ind(x, y, equal_var=False)
    assert_allclose([result.t, result.p, result.df], [welch.statistic, welch.pvalue, welch.df], rtol=1e-10)
    assert_allclose(tuple(result.confidence_interval(0.9)), tuple(welch.confidence_interval(0.9)), rtol=1e-10)
    student = stats.ttest_ind(x, y)
    assert_allclose(result.to_frame().loc["student_difference", "p"], student.pvalue, rtol=1e-10)
    munzel = stats.brunnermunzel(y, x)  # its first group is the one that is higher when the statistic is negative
    assert_allclose([result.brunner_munzel, result.brunner_munzel_p], munzel, rtol=1e-9)
    ranks = stats.mannwhitneyu(x, y, method="asymptotic")
    assert_allclose([result.mann_whitney_u, result.mann_whitney_p], ranks, rtol=1e-10)


@given(ANSWERS, ANSWERS)
@settings(max_examples=80)
def test_dominance_is_that_of_all_pairs(first, second):
    x, y = np.array(first, float), np.array(second, float)
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        return
    result = compare_groups(x, y)
    wins = np.sign(x[:, None] - y[None, :])
    assert_allclose(result.cliffs_delta, wins.mean(), atol=1e-12)
    assert_allclose(result.superiority, (wins > 0).mean() + (wins == 0).mean() / 2, atol=1e-12)
    m, n, delta = len(x), len(y), wins.mean()
    rows, columns = ((wins.mean(axis=1) - delta) ** 2).sum(), ((wins.mean(axis=0) - delta) ** 2).sum()
    variance = (n**2 * rows + m**2 * columns - ((wins - delta) ** 2).sum()) / (m * n * (m - 1) * (n - 1))
    variance = max(variance, (1 - delta**2) / (m * n - 1))
    row = result.to_frame().loc["cliffs_delta"]
    if not np.isnan(row.test):
        assert_allclose(row.test, delta / np.sqrt(variance), atol=1e-9)


@given(ANSWERS, ANSWERS, st.floats(0.5, 20), st.floats(-50, 50))
@settings(max_examples=80)
def test_a_change_of_unit_or_of_sides_changes_what_it_should(first, second, factor, shift):
    x, y = np.array(first, float), np.array(second, float)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    table = compare_groups(x, y).to_frame()
    moved = compare_groups(x * factor + shift, y * factor + shift).to_frame()
    turned = compare_groups(y, x).to_frame()
    for row in GROUP_ROWS:
        plain = factor if row in ("difference", "student_difference") else 1.0
        for column in ("estimate", "ci_low", "ci_high"):
            assert_allclose(moved.loc[row, column], plain * table.loc[row, column], rtol=1e-6, atol=1e-7)
        assert_allclose(moved.loc[row, "p"], table.loc[row, "p"], rtol=1e-6, atol=1e-12)
        if row == "glass_delta":
            continue  # the unit is the spread of the second group
        middle = 0.5 if row == "superiority" else 0.0
        for one, other in (("estimate", "estimate"), ("ci_low", "ci_high")):
            assert_allclose(turned.loc[row, one], 2 * middle - table.loc[row, other], rtol=1e-6, atol=1e-7)


@given(ANSWERS, ANSWERS, st.floats(0.01, 0.99))
@settings(max_examples=60)
def test_estimates_lie_in_their_intervals(first, second, level):
    if len(set(first)) == 1 and len(set(second)) == 1:
        return
    table = compare_groups(first, second).to_frame(level)
    known = table.dropna(subset=["ci_low"])
    assert ((known.ci_low <= known.estimate) & (known.estimate <= known.ci_high)).all()


def test_noncentral_limits_put_the_observed_t_into_the_tails():
    x, y = scores(3)
    result = compare_groups(x, y)
    width = np.sqrt(1 / len(x) + 1 / len(y))
    low, high = result.confidence_interval(0.9, statistic="cohens_d")
    t, df = result.to_frame().loc["cohens_d", ["test", "df"]]
    assert_allclose(stats.nct.sf(t, df, low / width), 0.05, atol=1e-8)
    assert_allclose(stats.nct.cdf(t, df, high / width), 0.05, atol=1e-8)


def test_hedges_g_is_free_of_the_bias_of_d():
    generator = np.random.default_rng(1)
    found = [compare_groups(*generator.normal([[0.8], [0.0]], 1, (2, 6))) for _ in range(2000)]
    d, g = np.mean([one.cohens_d for one in found]), np.mean([one.hedges_g for one in found])
    assert abs(g - 0.8) < 0.05  # two standard errors are .03
    assert d - 0.8 > 0.05


def test_missing_scores_are_left_out_and_counted():
    whole = compare_groups([1, 2, 4], [2, 3, 5, 5])
    gaps = compare_groups(pd.Series([1, None, 2, 4]), pd.Series([2, 3, None, None, 5, 5]))
    assert (gaps.n_first, gaps.n_second, gaps.n_dropped) == (3, 4, 3)
    pd.testing.assert_frame_equal(gaps.to_frame(), whole.to_frame())


def test_groups_that_do_not_overlap_have_no_interval_of_dominance():
    result = compare_groups([4, 5, 5], [1, 2, 2])
    assert (result.cliffs_delta, result.superiority) == (1.0, 1.0)
    assert result.to_frame().loc[["cliffs_delta", "superiority"], "ci_low"].isna().all()
    with pytest.raises(InsufficientDataError, match="do not overlap|not overlap"):
        result.confidence_interval(statistic="superiority")


def test_a_constant_second_group_gives_no_unit_for_glass():
    result = compare_groups([4, 5, 3], [2, 2, 2])
    assert np.isnan(result.glass_delta)
    assert np.isfinite(result.difference)


@pytest.mark.parametrize(
    ("first", "second", "wording"),
    [([1], [1, 2], "first has 1"), ([1, 2], [np.nan, 3], "second has 1"), ([2, 2], [3, 3], "differ within")],
)
def test_too_little_is_refused_with_the_reason(first, second, wording):
    with pytest.raises(InsufficientDataError, match=wording):
        compare_groups(first, second)


def test_an_unknown_statistic_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="'hedges_g'"):
        compare_groups([1, 2], [2, 4]).confidence_interval(statistic="eta")


def test_sentences_and_reprs_show_the_comparison():
    groups, paired = compare_groups(*scores()), compare_paired([1, 2, 3, 3], [2, 2, 5, 4])
    assert "Welch's t(" in groups.describe()
    assert repr(groups).startswith("GroupComparison(difference=")
    assert "standardised response mean" in paired.describe()
    assert paired._repr_html_().startswith("<div")


# ---------------------------------------------------------------------------------------------------------- paired


@pytest.mark.parametrize("seed", range(4))
def test_tests_of_paired_scores_equal_scipy(seed):
    generator = np.random.default_rng(seed)
    before = np.rint(generator.normal(3, 1, 30))
    after = before + np.rint(generator.normal(0.3, 1, 30))
    result = compare_paired(before, after)
    student = stats.ttest_rel(after, before)
    assert_allclose([result.t, result.p], student, rtol=1e-10)
    assert_allclose(tuple(result.confidence_interval()), tuple(student.confidence_interval()), rtol=1e-10)
    change = after - before
    ranks = stats.wilcoxon(change[change != 0], correction=True, method="approx", alternative="two-sided")
    assert_allclose(result.wilcoxon_p, ranks.pvalue, rtol=1e-10)
    assert_allclose(result.standardized_response_mean, change.mean() / change.std(ddof=1), rtol=1e-12)
    low, _ = result.confidence_interval(statistic="standardized_response_mean")
    assert_allclose(stats.nct.sf(result.t, 29, low * np.sqrt(30)), 0.025, atol=1e-8)


def test_people_are_matched_by_index_and_those_with_one_score_counted():
    before = pd.Series({"ann": 1, "bob": 2, "cem": 4, "dee": 3})
    after = pd.Series({"dee": 5, "cem": 4, "ann": 2, "eve": 1})
    result = compare_paired(before, after)
    assert (result.n_pairs, result.n_dropped) == (3, 2)
    assert_allclose(result.difference, (1 + 0 + 2) / 3)


def test_limits_of_an_enormous_change_are_still_found():
    result = compare_paired([0.0, 0.0], [5.534487e16, 5.540982e16])
    for statistic in ("standardized_response_mean", "hedges_g"):
        low, high = result.to_frame().loc[statistic, ["ci_low", "ci_high"]]
        assert np.isnan(low) or low <= getattr(result, statistic) <= high


def test_exchanging_before_and_after_turns_every_sign():
    one, other = compare_paired([1, 2, 3, 3, 5], [2, 2, 5, 4, 4]), compare_paired([2, 2, 5, 4, 4], [1, 2, 3, 3, 5])
    first, second = one.to_frame(), other.to_frame()
    assert_allclose(first.estimate, -second.estimate, rtol=1e-12)
    assert_allclose(first.ci_low, -second.ci_high, rtol=1e-9)


@pytest.mark.parametrize(
    ("before", "after", "error", "wording"),
    [
        ([1, 2, 3], [2, 3, 4], InsufficientDataError, "not all the same"),
        ([1, np.nan], [2, 3], InsufficientDataError, "there are 1"),
        ([1, 2], [2, 3, 4], ValueError, "two of each"),
        (pd.Series([1, 2], index=[7, 7]), pd.Series([1, 2]), ValueError, "more than one score"),
    ],
)
def test_pairs_that_cannot_be_compared_are_refused(before, after, error, wording):
    with pytest.raises(error, match=wording):
        compare_paired(before, after)
