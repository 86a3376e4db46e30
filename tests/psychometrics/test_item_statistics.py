"""Item analysis, Guttman's bounds, split halves, inter-item correlations and the check of the keying."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.errors import InsufficientDataError
from servicediag.psychometrics.guttman import _searched_half, guttman_lambdas_from_covariance
from servicediag.psychometrics.items import item_analysis_from_covariance


def scale(n=60, k=5, noise=1.0, seed=0):
    generator = np.random.default_rng(seed)
    trait = generator.normal(size=(n, 1))
    answers = np.clip(np.rint(3 + trait + noise * generator.normal(size=(n, k))), 1, 5)
    return pd.DataFrame(answers, columns=[f"q{i + 1}" for i in range(k)])


# ---------------------------------------------------------------------------------------------------- item analysis


def test_item_statistics_equal_their_definitions():
    items = scale()
    table = pm.item_analysis(items, bounds=(1, 5)).to_frame()
    for name in items:
        others = items.drop(columns=name)
        row = table.loc[name]
        assert_allclose(row["mean"], items[name].mean())
        assert_allclose(row["sd"], items[name].std(ddof=1))
        assert_allclose(row["floor"], (items[name] == 1).mean())
        assert_allclose(row["ceiling"], (items[name] == 5).mean())
        assert_allclose(row["item_total_correlation"], items[name].corr(items.sum(axis=1)))
        assert_allclose(row["corrected_item_total_correlation"], items[name].corr(others.sum(axis=1)))
        assert_allclose(row["alpha_if_item_deleted"], pm.cronbach_alpha(others).estimate)
        assert_allclose(row["omega_if_item_deleted"], pm.mcdonald_omega(others).estimate, atol=1e-6)


def test_the_table_comes_with_the_alpha_of_the_scale():
    items = scale()
    assert pm.item_analysis(items).alpha == pm.cronbach_alpha(items)


def test_shares_at_the_bounds_need_declared_bounds():
    items = scale()
    assert pm.item_analysis(items).to_frame()[["floor", "ceiling"]].isna().all(axis=None)
    # On a scale to 7 nobody is at the ceiling, whatever the largest answer was.
    assert (pm.item_analysis(items, bounds=(1, 7)).to_frame()["ceiling"] == 0).all()


def test_bounds_may_differ_by_item():
    items = pd.DataFrame({"a": [1, 2, 5, 4], "b": [0, 10, 10, 4]})
    table = pm.item_analysis(items, bounds={"a": (1, 5), "b": (0, 10)}).to_frame()
    assert table["ceiling"].tolist() == [0.25, 0.5]
    assert table["floor"].tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("bounds", "wording"),
    [((1, 4), "outside the declared bounds in q"), ({"q1": (1, 5)}, "absent"), ((5, 1), "low < high")],
)
def test_faulty_bounds_are_refused(bounds, wording):
    with pytest.raises(ValueError, match=wording):
        pm.item_analysis(scale(), bounds=bounds)


def test_item_analysis_counts_complete_rows_only():
    items = scale()
    items.loc[:9, "q1"] = np.nan
    result = pm.item_analysis(items, bounds=(1, 5))
    assert (result.n_respondents, result.n_dropped) == (50, 10)
    assert (result.to_frame()["n"] == 50).all()
    assert_allclose(result.to_frame()["mean"], items.iloc[10:].mean())


def test_a_constant_item_stays_in_the_table_without_coefficients():
    items = scale().assign(q6=4)
    row = pm.item_analysis(items, bounds=(1, 5)).to_frame().loc["q6"]
    assert (row["mean"], row["sd"], row["ceiling"]) == (4, 0, 0)
    assert math.isnan(row["corrected_item_total_correlation"])
    assert "constant" in row["note"]


def test_an_item_that_runs_against_the_others_is_noted():
    items = scale(noise=0.6)
    items["q2"] = 6 - items["q2"]
    table = pm.item_analysis(items).to_frame()
    assert table.index[table["note"] != ""].tolist() == ["q2"]
    assert table["alpha_if_item_deleted"].idxmax() == "q2"


def test_two_items_have_no_alpha_without_one_of_them():
    table = pm.item_analysis(scale(k=2)).to_frame()
    assert table[["alpha_if_item_deleted", "omega_if_item_deleted"]].isna().all(axis=None)
    assert table["corrected_item_total_correlation"].nunique() == 1


def test_item_statistics_from_covariances_are_the_same():
    items = scale()
    direct = pm.item_analysis(items).to_frame()
    indirect = item_analysis_from_covariance(items.cov(), len(items)).to_frame()
    columns = ["sd", "corrected_item_total_correlation", "alpha_if_item_deleted", "omega_if_item_deleted"]
    pd.testing.assert_frame_equal(direct[columns], indirect[columns])
    assert indirect["mean"].isna().all()


def test_any_label_may_name_an_item():
    items = scale(k=3).set_axis(pd.MultiIndex.from_tuples([("s", 1), ("s", 2), ("t", 1)]), axis=1)
    table = pm.item_analysis(items, bounds=(1, 5)).to_frame()
    assert table.index.tolist() == [("s", 1), ("s", 2), ("t", 1)]
    assert pm.check_keying(items).to_frame()["item"].tolist() == table.index.tolist()
    assert pm.mcdonald_omega(items).loadings.index.tolist() == table.index.tolist()


# ---------------------------------------------------------------------------------------------------------- lambdas


def every_split(covariance):
    k = len(covariance)
    total = covariance.sum()
    return [
        4 * covariance[np.ix_(half, [i for i in range(k) if i not in half])].sum() / total
        for half in itertools.combinations(range(k), k // 2)
    ]


@pytest.mark.parametrize("k", [2, 3, 6, 7])
def test_lambda_4_is_the_best_of_all_splits(k):
    items = scale(k=k)
    result = pm.guttman_lambdas(items)
    assert_allclose(result.lambda4, max(every_split(items.cov().to_numpy())), rtol=1e-12)
    assert abs(2 * len(result.first_half) - k) <= 1


def test_the_reported_half_gives_lambda_4():
    items = scale(k=6)
    result = pm.guttman_lambdas(items)
    assert_allclose(pm.split_half(items, split=result.first_half).flanagan_rulon, result.lambda4, rtol=1e-12)


@pytest.mark.parametrize("k", [8, 9, 13])
def test_the_search_finds_what_trying_all_splits_finds(k):
    items = scale(k=k, noise=2.0)
    covariance = items.cov().to_numpy()
    signs = np.where(_searched_half(covariance, 0), 1, -1)
    assert abs(signs.sum()) == k % 2
    assert_allclose(1 - signs @ covariance @ signs / covariance.sum(), pm.guttman_lambdas(items).lambda4, rtol=1e-12)


def test_beyond_sixteen_items_the_split_is_searched_and_says_so():
    items = scale(k=18)
    one, two = (pm.guttman_lambdas(items) for _ in range(2))
    assert one == two
    assert not one.lambda4_exact
    told = []
    pm.guttman_lambdas(items, progress=lambda *at: told.append(at))
    assert told[-1] == (200, 200)
    assert any("search" in note for note in one.notes)
    assert one.lambda4 >= one.lambda3
    assert pm.guttman_lambdas(scale(k=16)).lambda4_exact


@pytest.mark.parametrize("coefficient", [f"lambda{number}" for number in range(1, 7)])
@pytest.mark.parametrize("standardized", [False, True])
def test_the_interval_of_a_bound_resamples_respondents(coefficient, standardized):
    items = scale(k=5)
    result = pm.guttman_lambdas(items, standardized=standardized)
    drawn = np.random.default_rng(4).integers(0, len(items), size=(60, len(items)), dtype=np.uint16)
    literal = [getattr(pm.guttman_lambdas(items.iloc[rows], standardized=standardized), coefficient) for rows in drawn]
    interval = result.confidence_interval(0.9, coefficient=coefficient, n_resamples=60, seed=4)
    low, high = np.quantile(literal, [0.05, 0.95])
    estimate = getattr(result, coefficient)
    assert_allclose(tuple(interval), [min(low, estimate), max(high, estimate)], rtol=1e-9)


def test_the_interval_of_lambda_4_of_many_items_improves_the_split_of_the_sample():
    result = pm.guttman_lambdas(scale(k=18))
    interval = result.confidence_interval(coefficient="lambda4", n_resamples=50)
    assert interval.low <= result.lambda4 <= interval.high
    assert interval.high > result.confidence_interval(coefficient="lambda3", n_resamples=50).high


def test_bounds_without_answers_have_no_interval():
    items = scale(k=4)
    known = guttman_lambdas_from_covariance(items.cov(), len(items))
    with pytest.raises(ValueError, match="only their covariance"):
        known.confidence_interval()
    assert "estimate alone" in known.interpret().basis
    assert "percentile" in pm.guttman_lambdas(items).interpret().basis


def test_lambda_6_equals_the_residual_variances_of_regressions():
    items = scale(k=4)
    residual = 0.0
    for name in items:
        others = np.column_stack([np.ones(60), items.drop(columns=name)])
        fitted = others @ np.linalg.lstsq(others, items[name], rcond=None)[0]
        residual += ((items[name] - fitted) ** 2).sum() / 59
    expected = 1 - residual / items.sum(axis=1).var(ddof=1)
    assert_allclose(pm.guttman_lambdas(items).lambda6, expected, rtol=1e-10)


def test_lambda_6_is_undefined_with_dependent_items():
    items = scale(k=3).assign(total=lambda x: x.sum(axis=1))
    result = pm.guttman_lambdas(items)
    assert math.isnan(result.lambda6)
    assert any("Lambda 6" in note for note in result.notes)
    assert "undefined" in result.describe()


def test_standardized_bounds_do_not_see_units():
    items = scale()
    one = pm.guttman_lambdas(items, standardized=True)
    two = pm.guttman_lambdas(items * [1, 10, 0.1, 5, 2], standardized=True)
    assert_allclose(one.to_frame()["estimate"], two.to_frame()["estimate"], rtol=1e-10)
    assert_allclose(one.lambda3, pm.cronbach_alpha(items).standardized, rtol=1e-12)


def test_bounds_from_covariances_are_the_same():
    items = scale()
    one, two = pm.guttman_lambdas(items), guttman_lambdas_from_covariance(items.cov(), len(items))
    assert_allclose(one.to_frame()["estimate"], two.to_frame()["estimate"], rtol=1e-12)


def test_opposite_items_leave_nothing_to_standardise():
    with pytest.raises(InsufficientDataError, match="cancel out"):
        pm.guttman_lambdas(pd.DataFrame({"a": [9.0, 0.0, 3.0], "b": [-1.0, 8.0, 5.0]}), standardized=True)


# ------------------------------------------------------------------------------------------------------- split half


def test_split_half_coefficients_equal_their_definitions():
    items = scale(k=6)
    result = pm.split_half(items, split=["q1", "q2", "q6"])
    a, b = items[["q1", "q2", "q6"]].sum(axis=1), items[["q3", "q4", "q5"]].sum(axis=1)
    r = a.corr(b)
    assert_allclose(result.correlation, r)
    assert_allclose(result.spearman_brown, 2 * r / (1 + r))
    assert_allclose(result.flanagan_rulon, 2 * (1 - (a.var() + b.var()) / (a + b).var()))
    assert_allclose(result.horst, result.spearman_brown)


@pytest.mark.parametrize(
    ("split", "first"),
    [("odd_even", ("q1", "q3", "q5")), ("first_second", ("q1", "q2", "q3")), (["q4", "q2"], ("q2", "q4"))],
)
def test_halves_are_as_named(split, first):
    result = pm.split_half(scale(k=5), split=split)
    assert result.first == first
    assert set(result.first) | set(result.second) == {f"q{i}" for i in range(1, 6)}


def test_horst_recovers_the_reliability_that_unequal_parallel_halves_have():
    # Eight parallel items with r = .4: halves of 2 and 6 items correlate at a known value.
    k, r, p = 8, 0.4, 2
    whole = k * r / (1 + (k - 1) * r)
    covariance = np.full((k, k), r) + (1 - r) * np.eye(k)
    generator = np.random.default_rng(0)
    white = generator.normal(size=(50, k))
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False)).T)
    items = pd.DataFrame(white @ np.linalg.cholesky(covariance).T)
    result = pm.split_half(items, split=list(range(p)))
    assert_allclose(result.horst, whole, rtol=1e-9)
    assert result.spearman_brown < whole
    assert any("Horst" in note for note in result.notes)


def test_the_interval_of_spearman_brown_is_stepped_up_from_fishers():
    result = pm.split_half(scale())
    centre, reach = np.arctanh(result.correlation), 1.959963984540054 / np.sqrt(57)
    low, high = np.tanh([centre - reach, centre + reach])
    assert_allclose(tuple(result.confidence_interval()), (2 * low / (1 + low), 2 * high / (1 + high)), rtol=1e-10)


@pytest.mark.parametrize("split", ["random", ["q1", "nope"], [], ["q1", "q2", "q3", "q4", "q5"]])
def test_impossible_splits_are_refused(split):
    with pytest.raises(ValueError, match="split"):
        pm.split_half(scale(), split=split)


def test_halves_exactly_against_each_other_have_no_spearman_brown():
    result = pm.split_half(pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [6.0, 4.0, 2.0]}))
    assert_allclose(result.correlation, -1)
    assert math.isnan(result.spearman_brown)
    assert "undefined" in result.describe()


# ----------------------------------------------------------------------------------------------------- correlations


def test_inter_item_correlations_equal_pandas():
    items = scale()
    result = pm.inter_item_correlation(items)
    values = items.corr().to_numpy()[np.triu_indices(5, 1)]
    assert_allclose(
        [result.mean, result.median, result.minimum, result.maximum, result.standard_deviation],
        [values.mean(), np.median(values), values.min(), values.max(), values.std(ddof=1)],
    )
    pd.testing.assert_frame_equal(result.correlations, items.corr(), check_names=False)


def test_the_interval_of_the_mean_correlation_resamples_respondents():
    items = scale()
    drawn = np.random.default_rng(3).integers(0, 60, size=(200, 60), dtype=np.uint16)
    literal = [items.iloc[rows].corr().to_numpy()[np.triu_indices(5, 1)].mean() for rows in drawn]
    interval = pm.inter_item_correlation(items).confidence_interval(0.8, n_resamples=200, seed=3)
    assert_allclose(tuple(interval), np.quantile(literal, [0.1, 0.9]), rtol=1e-9)


# ----------------------------------------------------------------------------------------------------------- keying


def verdicts(items, **arguments):
    return pm.check_keying(items, **arguments).to_frame().set_index("item")["verdict"].to_dict()


def test_an_item_that_was_not_turned_is_found():
    items = scale(noise=0.6)
    items["q4"] = 6 - items["q4"]
    assert verdicts(items) == {
        "q1": "consistent",
        "q2": "consistent",
        "q3": "consistent",
        "q4": "seems_reversed",
        "q5": "consistent",
    }


def test_an_item_that_was_turned_twice_is_told_apart():
    items = scale(noise=0.6)
    items["q4"] = 6 - items["q4"]
    assert verdicts(items, reverse_keyed=["q4", "q5"])["q4"] == "seems_already_reversed"
    assert verdicts(items, reverse_keyed=["q4", "q5"])["q5"] == "consistent"


def test_the_order_of_items_does_not_matter_and_nothing_is_turned():
    items = scale(noise=0.6)
    items["q1"] = 6 - items["q1"]
    expected = verdicts(items)
    for order in (["q5", "q1", "q3", "q2", "q4"], ["q2", "q3", "q4", "q5", "q1"]):
        assert verdicts(items[order]) == expected


def test_a_weak_negative_correlation_is_only_a_possibility():
    generator = np.random.default_rng(0)
    items = scale(noise=0.6)
    noise = generator.normal(size=(60, 200))
    rest = items.sum(axis=1)
    r = np.array([np.corrcoef(column, rest)[0, 1] for column in noise.T])
    items["q6"] = noise[:, np.flatnonzero((r < -0.02) & (r > -0.1))[0]]
    assert verdicts(items)["q6"] == "possibly_reversed"
    assert verdicts(items, reverse_keyed=["q6"])["q6"] == "possibly_already_reversed"


def test_a_scale_that_runs_both_ways_says_that_it_cannot_be_told():
    items = scale(k=4, noise=0.5)
    items[["q1", "q2"]] = 6 - items[["q1", "q2"]]
    result = pm.check_keying(items)
    assert len(result.suspects) >= 2
    assert any("direction cannot be told" in note for note in result.notes)


def test_a_constant_item_has_no_direction():
    assert verdicts(scale().assign(q6=2))["q6"] == "constant"


def test_names_that_are_no_items_are_refused():
    with pytest.raises(ValueError, match="q9"):
        pm.check_keying(scale(), reverse_keyed=["q9"])


def test_a_clean_scale_is_called_clean():
    assert pm.check_keying(scale()).describe() == "None of 5 items runs against the others, n = 60."
