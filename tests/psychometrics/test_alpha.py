"""Cronbach's alpha: worked numbers, its intervals, its diagnosis, and comparisons of two alphas."""

import io
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from rich.console import Console
from scipy import stats

from servicediag import psychometrics as pm
from servicediag.errors import InsufficientDataError
from servicediag.psychometrics.alpha import alpha_from_covariance


def parallel(alpha, k, n):
    """Alpha of k parallel items with exactly that value, as if from n respondents."""
    r = alpha / (k - alpha * (k - 1))
    return alpha_from_covariance(np.full((k, k), r) + (1 - r) * np.eye(k), n)


def scale(n=60, k=4, noise=1.0, seed=0):
    generator = np.random.default_rng(seed)
    trait = generator.normal(size=(n, 1))
    answers = np.clip(np.rint(3 + trait + noise * generator.normal(size=(n, k))), 1, 5)
    return pd.DataFrame(answers, columns=[f"q{i + 1}" for i in range(k)])


def test_alpha_by_hand():
    # Variances 1 and 1, covariance 1/2: the total has variance 3, alpha is 2 * (1 - 2/3).
    items = pd.DataFrame({"a": [1, 2, 3], "b": [1, 3, 2]})
    assert_allclose(pm.cronbach_alpha(items).estimate, 2 / 3, rtol=1e-14)


# Made from the formulas of the papers for k = 6, n = 300, alpha = .7759762, computed by other software.
@pytest.mark.parametrize(("method", "low", "high"), [("feldt", 0.7342926, 0.8130822), ("bonett", 0.7328944, 0.8121093)])
def test_published_intervals(method, low, high):
    interval = parallel(0.7759762, 6, 300).confidence_interval(0.95, method)
    assert_allclose(tuple(interval), (low, high), atol=2e-7)
    assert interval.method == method


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 30, 1_000_000])
def test_feldt_limits_are_quantiles_of_f(level, n):
    interval = parallel(0.8, 5, n).confidence_interval(level)
    tail = (1 - level) / 2
    df = (n - 1, 4 * (n - 1))
    assert_allclose(interval.low, 1 - 0.2 * stats.f.isf(tail, *df), rtol=1e-8)
    assert_allclose(interval.high, 1 - 0.2 * stats.f.ppf(tail, *df), rtol=1e-8)


def test_duhachek_reduces_to_the_known_variance_for_parallel_items():
    # For parallel items the asymptotic variance is 2k / (k - 1) (1 - alpha)^2.
    result = parallel(0.8, 5, 200)
    assert_allclose(result.standard_error, math.sqrt(2 * 5 / 4 * 0.2**2 / 200), rtol=1e-12)


@pytest.mark.parametrize("method", ["feldt", "bonett", "duhachek", "percentile", "bca", "bootstrap"])
def test_a_higher_level_gives_a_wider_interval(method):
    alpha = pm.cronbach_alpha(scale())
    intervals = [alpha.confidence_interval(level, method) for level in (0.5, 0.8, 0.95, 0.99)]
    for narrow, wide in itertools.pairwise(intervals):
        assert wide.low < narrow.low <= alpha.estimate <= narrow.high < wide.high


def test_limits_are_not_clamped():
    alpha = pm.cronbach_alpha(pd.DataFrame(np.random.default_rng(3).normal(size=(5, 3))))
    assert alpha.confidence_interval(0.99).low < -1


def test_perfect_items_have_an_alpha_of_exactly_one():
    column = np.random.default_rng(1).normal(size=50)
    alpha = pm.cronbach_alpha(pd.DataFrame({f"q{i}": column for i in range(7)}))
    assert alpha.estimate == 1.0
    for method in ("feldt", "bonett", "bca"):
        assert_allclose(tuple(alpha.confidence_interval(0.95, method)), (1, 1), atol=1e-12)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
def test_weighted_sums_resample_like_drawing_rows(missing):
    """The fast bootstrap equals drawing respondents and computing alpha anew, resample by resample."""
    items = scale(n=25)
    if missing == "pairwise":
        items = items.mask(np.random.default_rng(8).random(items.shape) < 0.1)
    alpha = pm.cronbach_alpha(items, missing=missing)
    drawn = np.random.default_rng(7).integers(0, 25, size=(300, 25), dtype=np.uint16)
    literal = [pm.cronbach_alpha(items.iloc[rows], missing=missing).estimate for rows in drawn]
    interval = alpha.confidence_interval(0.9, "percentile", n_resamples=300, seed=7)
    assert_allclose(tuple(interval), np.quantile(literal, [0.05, 0.95]), rtol=1e-9)


def test_bca_limits_follow_their_definition():
    items = scale(n=40, seed=5)
    alpha = pm.cronbach_alpha(items)
    drawn = np.random.default_rng(2).integers(0, 40, size=(500, 40), dtype=np.uint16)
    replicates = np.array([pm.cronbach_alpha(items.iloc[rows]).estimate for rows in drawn])
    left_out = np.array([pm.cronbach_alpha(items.drop(index=i)).estimate for i in range(40)])
    distance = left_out.mean() - left_out
    acceleration = (distance**3).sum() / (6 * (distance**2).sum() ** 1.5)
    bias = stats.norm.ppf(np.mean(replicates < alpha.estimate))
    z = bias + stats.norm.ppf([0.025, 0.975])
    expected = np.quantile(replicates, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    interval = alpha.confidence_interval(0.95, "bca", n_resamples=500, seed=2)
    assert_allclose(tuple(interval), expected, rtol=1e-9)


def test_resampling_is_repeatable_and_reports_what_it_did():
    alpha = pm.cronbach_alpha(scale())
    one, two = (alpha.confidence_interval(0.95, "bca", seed=3) for _ in range(2))
    assert one == two
    assert one != alpha.confidence_interval(0.95, "bca", seed=4)
    assert (one.n_resamples, one.n_failed, one.seed, one.method) == (2000, 0, 3, "bca")


def test_the_bootstrap_is_bca():
    alpha = pm.cronbach_alpha(scale())
    assert alpha.confidence_interval(method="bootstrap") == alpha.confidence_interval(method="bca")


def test_failed_resamples_are_counted_and_left_out():
    items = pd.DataFrame({"a": [1, 1, 1, 2], "b": [1, 1, 1, 3]})
    interval = pm.cronbach_alpha(items).confidence_interval(method="percentile", n_resamples=4000)
    # All four draws from the three equal rows, or all the fourth: no variation.
    assert_allclose(interval.n_failed / 4000, 0.75**4 + 0.25**4, atol=0.03)
    assert not math.isnan(interval.low)


def test_a_bootstrap_that_mostly_fails_says_so():
    items = pd.DataFrame({"a": [1, 2], "b": [1, 3]})
    alpha = pm.cronbach_alpha(items)
    assert alpha.confidence_interval(method="percentile").n_failed > 800
    # Two respondents for each pair of items: at least two draws of them are had for all three in few resamples.
    gap = np.nan
    sparse = pd.DataFrame({"a": [1, 2, 3, 5, gap, gap], "b": [1, 3, gap, gap, 2, 4], "c": [gap, gap, 2, 4, 3, 4]})
    with pytest.raises(InsufficientDataError, match="of 2000 resamples"):
        pm.cronbach_alpha(sparse, missing="pairwise").confidence_interval(method="percentile")


def test_a_callback_can_interrupt_the_resampling():
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pm.cronbach_alpha(scale()).confidence_interval(method="percentile", progress=stop)


def test_the_bar_is_drawn_in_a_terminal_and_nowhere_else():
    alpha = pm.cronbach_alpha(scale(n=3000))
    for is_terminal in (True, False):
        written = io.StringIO()
        console = Console(file=written, force_terminal=is_terminal, width=80)
        with pm.progress_bar("[b]resampling", console=console) as progress:
            alpha.confidence_interval(method="percentile", n_resamples=300, progress=progress)
        assert ("[b]resampling" in written.getvalue()) is is_terminal


def test_progress_is_told_until_the_end():
    told = []
    alpha = pm.cronbach_alpha(scale(n=3000))
    alpha.confidence_interval(method="percentile", progress=lambda done, total: told.append((done, total)))
    assert len(told) > 1
    assert told == sorted(told)
    assert told[-1] == (2000, 2000)


def test_scores_far_from_zero_do_not_disturb_the_bootstrap():
    items = scale(n=50)
    near = pm.cronbach_alpha(items).confidence_interval(method="bca", n_resamples=200)
    far = pm.cronbach_alpha(items + 1e7).confidence_interval(method="bca", n_resamples=200)
    assert_allclose(tuple(far), tuple(near), atol=1e-7)


def test_a_large_sample_takes_groups_for_the_acceleration():
    items = scale(n=2500)
    alpha = pm.cronbach_alpha(items)
    bca = alpha.confidence_interval(0.95, "bca", n_resamples=1000)
    percentile = alpha.confidence_interval(0.95, "percentile", n_resamples=1000)
    assert_allclose(tuple(bca), tuple(percentile), atol=0.006)


def test_empty_rows_change_nothing_under_either_policy():
    items = scale().mask(np.random.default_rng(1).random((60, 4)) < 0.1)
    empty = pd.DataFrame(np.nan, index=range(300), columns=items.columns)
    for missing in ("listwise", "pairwise"):
        alone = pm.cronbach_alpha(items, missing=missing)
        padded = pm.cronbach_alpha(pd.concat([items, empty]), missing=missing)
        assert padded.estimate == pytest.approx(alone.estimate, abs=1e-12)
        assert padded.n_respondents == alone.n_respondents
        assert tuple(padded.confidence_interval()) == pytest.approx(tuple(alone.confidence_interval()), abs=1e-12)
        assert padded.n_dropped == alone.n_dropped + 300


def test_pairwise_intervals_use_the_smallest_count_and_say_so():
    items = scale(n=100)
    items.loc[:39, "q1"] = np.nan
    alpha = pm.cronbach_alpha(items, missing="pairwise")
    assert (alpha.n_respondents, alpha.n_smallest) == (100, 60)
    interval = alpha.confidence_interval()
    assert "smallest pairwise n" in interval.method
    quantile = stats.f.isf(0.025, 59, 59 * 3)
    assert_allclose(interval.low, 1 - (1 - alpha.estimate) * quantile, rtol=1e-9)


def test_a_negative_alpha_is_a_result_that_names_the_items():
    items = scale(noise=0.4)
    items["q1"] = 6 - items["q1"]
    items["q2"] = 6 - items["q2"]
    alpha = pm.cronbach_alpha(items)
    assert alpha.estimate < 0
    assert set(alpha.negative_items) == {"q1", "q2", "q3", "q4"}
    assert any("keying" in note for note in alpha.notes)
    assert alpha.describe().startswith("Cronbach's alpha of 4 items was -")


def test_a_constant_item_is_left_out_and_recorded():
    items = scale()
    five = items.assign(q5=3)
    alpha = pm.cronbach_alpha(five)
    assert alpha.estimate == pm.cronbach_alpha(items).estimate
    assert alpha.items == ("q1", "q2", "q3", "q4")
    assert [str(dropped) for dropped in alpha.dropped_items] == ["q5 (constant among the 60 rows)"]
    assert "q5" in alpha.describe()


def test_an_indefinite_pairwise_matrix_is_pointed_out():
    generator = np.random.default_rng(0)
    x = generator.normal(size=40)
    nan = np.full(40, np.nan)
    items = pd.concat(
        [
            pd.DataFrame({"a": x, "b": x + 0.3 * generator.normal(size=40), "c": nan}),
            pd.DataFrame({"a": nan, "b": x, "c": x + 0.3 * generator.normal(size=40)}),
            pd.DataFrame({"a": x, "b": nan, "c": 0.3 * generator.normal(size=40) - x}),
        ],
        ignore_index=True,
    )
    assert any("indefinite" in note for note in pm.cronbach_alpha(items, missing="pairwise").notes)
    with pytest.raises(InsufficientDataError, match="indefinite"):
        pm.mcdonald_omega(items, missing="pairwise")


def test_alpha_from_a_covariance_frame_equals_that_from_answers():
    items = scale()
    direct, indirect = pm.cronbach_alpha(items), alpha_from_covariance(items.cov(), len(items))
    assert indirect.items == direct.items
    assert_allclose(indirect.estimate, direct.estimate, rtol=1e-14)
    assert_allclose(tuple(indirect.confidence_interval()), tuple(direct.confidence_interval()), rtol=1e-12)
    with pytest.raises(ValueError, match="answers themselves"):
        indirect.confidence_interval(method="bca")


@pytest.mark.parametrize("method", ["ml", None, "Feldt"])
def test_unknown_methods_are_named_with_the_choices(method):
    with pytest.raises(ValueError, match="'feldt', 'bonett'"):
        pm.cronbach_alpha(scale()).confidence_interval(method=method)


def test_bonett_needs_three_respondents():
    with pytest.raises(InsufficientDataError, match="at least 3"):
        parallel(0.8, 4, 2).confidence_interval(method="bonett")


def test_the_sentence_repeats_the_table():
    alpha = pm.cronbach_alpha(scale())
    row = alpha.to_frame().iloc[0]
    sentence = alpha.describe()
    for value in (row.estimate, row.ci_low, row.ci_high):
        assert f"{value:.2f}".replace("0.", ".") in sentence
    assert "95% CI" in sentence
    assert "n = 60" in sentence
    assert "(Feldt)" in sentence


def test_results_are_frozen_and_compare_by_value():
    one, two = pm.cronbach_alpha(scale()), pm.cronbach_alpha(scale())
    assert one == two
    with pytest.raises(AttributeError):
        one.estimate = 0.9


# ------------------------------------------------------------------------------------------------------ comparisons


def test_the_ratio_test_has_its_exact_tail():
    first, second = scale(n=20, noise=0.8, seed=1), scale(n=15, k=3, noise=1.6, seed=2)
    result = pm.compare_alphas(first, second)
    generator = np.random.default_rng(0)
    size = 400_000
    # (1 - alpha) / (1 - estimate) is F(n - 1, (n - 1)(k - 1)); its reciprocal has the degrees of freedom exchanged.
    one = generator.f(19 * 3, 19, size)
    two = generator.f(14 * 2, 14, size)
    above = np.mean(two / one > result.statistic)
    assert_allclose(result.p, 2 * min(above, 1 - above), atol=0.004)


def test_a_ratio_of_one_is_no_evidence():
    items = scale()
    result = pm.compare_alphas(items, items)
    assert result.difference == 0
    assert_allclose(result.p, 1, atol=1e-6)
    assert 0 in result.confidence_interval()


@pytest.mark.parametrize("method", ["feldt", "bonett"])
def test_exchanging_the_groups_turns_the_difference(method):
    first, second = scale(noise=0.6), scale(n=45, noise=1.4, seed=3)
    one, two = pm.compare_alphas(first, second, method=method), pm.compare_alphas(second, first, method=method)
    assert one.difference == -two.difference
    assert_allclose(one.p, two.p, rtol=1e-6)
    low, high = one.confidence_interval()
    assert_allclose((-high, -low), tuple(two.confidence_interval()), rtol=1e-12)
    assert low <= one.difference <= high


def test_bonetts_test_by_its_formula():
    first, second = scale(noise=0.6), scale(n=45, k=3, noise=1.4, seed=3)
    result = pm.compare_alphas(first, second, method="bonett")
    a, b = pm.cronbach_alpha(first).estimate, pm.cronbach_alpha(second).estimate
    z = np.log((1 - b) / (1 - a)) / np.sqrt(8 / (3 * 58) + 6 / (2 * 43))
    assert_allclose([result.statistic, result.p], [z, 2 * stats.norm.sf(abs(z))], rtol=1e-10)


def test_feldt_and_bonett_agree_in_large_samples():
    first, second = scale(n=2000, noise=0.9), scale(n=2000, noise=0.95, seed=1)
    by_method = [pm.compare_alphas(first, second, method=method).p for method in ("feldt", "bonett")]
    assert_allclose(by_method[0], by_method[1], atol=0.005)


def paired(n=80, seed=0):
    generator = np.random.default_rng(seed)
    trait = generator.normal(size=(n, 1))
    good = pd.DataFrame(trait + 0.7 * generator.normal(size=(n, 4)), columns=list("abcd"))
    poor = pd.DataFrame(trait + 1.4 * generator.normal(size=(n, 3)), columns=list("abc"))
    return good, poor


def test_the_dependent_test_by_its_formula():
    good, poor = paired()
    result = pm.compare_alphas(good, poor, design="dependent")
    a, b = pm.cronbach_alpha(good).estimate, pm.cronbach_alpha(poor).estimate
    r = np.corrcoef(good.sum(axis=1), poor.sum(axis=1))[0, 1]
    t = (a - b) * np.sqrt(78) / np.sqrt(4 * (1 - a) * (1 - b) * (1 - r**2))
    assert_allclose([result.correlation, result.statistic, result.df], [r, t, 78], rtol=1e-10)
    assert_allclose(result.p, 2 * stats.t.sf(abs(t), 78), rtol=1e-10)


def test_the_dependent_interval_is_the_delta_method_on_all_covariances():
    good, poor = paired()
    result = pm.compare_alphas(good, poor, design="dependent")
    joint = np.cov(pd.concat([good, poor], axis=1).to_numpy(), rowvar=False)

    def difference(c):
        one, two = c[:4, :4], c[4:, 4:]
        return 4 / 3 * (1 - np.trace(one) / one.sum()) - 3 / 2 * (1 - np.trace(two) / two.sum())

    gradient = np.zeros((7, 7))
    step = 1e-6
    for i in range(7):
        for j in range(i, 7):
            bump = np.zeros((7, 7))
            bump[i, j] = bump[j, i] = step
            slope = (difference(joint + bump) - difference(joint - bump)) / (2 * step)
            gradient[i, j] = gradient[j, i] = slope if i == j else slope / 2
    error = np.sqrt(2 * np.trace(gradient @ joint @ gradient @ joint) / 80)
    low, high = result.confidence_interval()
    assert_allclose((high - low) / 2, 1.959963984540054 * error, rtol=1e-6)


def test_the_dependent_design_matches_respondents_by_index():
    good, poor = paired()
    shuffled = poor.sample(frac=1, random_state=1)
    one, two = (pm.compare_alphas(good, other, design="dependent") for other in (poor, shuffled))
    assert_allclose(one.statistic, two.statistic, rtol=1e-12)
    gap = poor.iloc[10:].copy()
    gap.loc[20, "a"] = np.nan
    fewer = pm.compare_alphas(good.iloc[:60], gap, design="dependent")
    assert fewer.first.n_respondents == fewer.second.n_respondents == 49


def test_a_scale_is_not_compared_with_itself_as_if_it_were_two():
    good, _ = paired()
    with pytest.raises(InsufficientDataError, match="same measure"):
        pm.compare_alphas(good, good, design="dependent")


def test_a_respondent_twice_in_a_dependent_design_is_refused():
    good, poor = paired()
    with pytest.raises(ValueError, match="more than once"):
        pm.compare_alphas(pd.concat([good, good]), poor, design="dependent")


@pytest.mark.parametrize("arguments", [{"design": "paired"}, {"method": "t"}])
def test_unknown_comparisons_are_refused(arguments):
    with pytest.raises(ValueError, match="must be one of"):
        pm.compare_alphas(*paired(), **arguments)


def test_comparisons_are_described_from_their_table():
    sentence = pm.compare_alphas(*paired(), design="dependent").describe()
    assert "t(78) = " in sentence
    assert "95% CI" in sentence
