"""Kappa and AC: definitions, standard errors, laws, categories, missing ratings, and refusals."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import cohen_kappa, fleiss_kappa, gwet_ac

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

FIRST = pd.Series([1, 2, 3, 3, 2, 1, 1, 2, 3, 1, 2, 2])
SECOND = pd.Series([1, 2, 3, 2, 2, 1, 2, 2, 3, 1, 3, 1])
THREE = pd.DataFrame(
    {
        "ann": ["a", "b", "a", "c", "b", "a"],
        "bob": ["a", "b", "b", "c", "b", "c"],
        "eve": ["a", None, "a", "c", "a", "a"],
    }
)


@st.composite
def tables(draw, missing=True):
    rows, raters = draw(st.integers(2, 12)), draw(st.integers(2, 4))
    cell = st.one_of(st.integers(1, 4), st.none()) if missing else st.integers(1, 4)
    return pd.DataFrame(draw(st.lists(st.lists(cell, min_size=raters, max_size=raters), min_size=rows, max_size=rows)))


def result_or_none(function, *args, **options):
    try:
        return function(*args, **options)
    except InsufficientDataError:
        return None


def pairs_within_units(ratings, credit=lambda a, b: float(a == b)):
    """Mean credit of the pairs of ratings within units, and the shares of categories, counted one by one."""
    shares, agreement = {}, []
    units = [[value for value in row if not pd.isna(value)] for row in ratings.itertuples(index=False)]
    units = [unit for unit in units if unit]
    for unit in units:
        for value in unit:
            shares[value] = shares.get(value, 0) + 1 / len(unit) / len(units)
        if len(unit) > 1:
            pairs = [credit(a, b) for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j]
            agreement.append(np.mean(pairs))
    return np.mean(agreement), shares


# ------------------------------------------------------------------------------------------------------------ Cohen


def test_cohens_kappa_is_agreement_beyond_the_margins():
    result = cohen_kappa(FIRST, SECOND)
    agree = FIRST.eq(SECOND).mean()
    chance = sum(FIRST.eq(c).mean() * SECOND.eq(c).mean() for c in (1, 2, 3))
    assert_allclose((result.observed_agreement, result.expected_agreement), (agree, chance))
    assert_allclose(result.estimate, (agree - chance) / (1 - chance))


def test_quadratic_kappa_is_the_concordance_of_two_raters():
    x, y = FIRST.to_numpy(float), SECOND.to_numpy(float)
    concordance = 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert_allclose(cohen_kappa(FIRST, SECOND, weights="quadratic").estimate, concordance)


def test_linear_kappa_is_one_less_the_ratio_of_mean_distances():
    distance = np.abs(FIRST.to_numpy()[:, None] - SECOND.to_numpy()[None, :])
    expected = 1 - np.diag(distance).mean() / distance.mean()
    assert_allclose(cohen_kappa(FIRST, SECOND, weights="linear").estimate, expected)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_standard_error_is_the_delta_method_on_the_table(weights):
    result = cohen_kappa(FIRST, SECOND, weights=weights)
    q, n = 3, len(FIRST)
    reach = np.abs(np.subtract.outer(range(q), range(q))) / (q - 1)
    credit = {None: np.eye(q), "linear": 1 - reach, "quadratic": 1 - reach**2}[weights]
    shares = result.table.to_numpy().ravel() / n

    def kappa(cells):
        cells = (cells / cells.sum()).reshape(q, q)
        chance = cells.sum(axis=1) @ credit @ cells.sum(axis=0)
        return ((cells * credit).sum() - chance) / (1 - chance)

    step = 1e-6
    slopes = np.array([(kappa(shares + step * e) - kappa(shares - step * e)) / (2 * step) for e in np.eye(q * q)])
    covariance = np.diag(shares) - np.outer(shares, shares)
    assert_allclose(result.standard_error, math.sqrt(slopes @ covariance @ slopes / n), rtol=1e-6)


def test_interval_covers_a_true_kappa_far_from_zero():
    random = np.random.default_rng(5)
    margins, true = np.array([0.6, 0.3, 0.1]), 0.7
    covered, runs, n = 0, 300, 80
    for _ in range(runs):
        first = random.choice(3, n, p=margins)
        second = np.where(random.random(n) < true, first, random.choice(3, n, p=margins))
        covered += true in cohen_kappa(first, second).confidence_interval()
    assert 0.91 < covered / runs < 0.98


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_declared_options_that_nobody_chose_do_not_change_kappa_of_numbers(weights):
    gap_first, gap_second = FIRST.replace(3, 5), SECOND.replace(3, 5)
    found = cohen_kappa(gap_first, gap_second, weights=weights)
    declared = cohen_kappa(gap_first, gap_second, weights=weights, categories=[1, 2, 3, 4, 5])
    assert_allclose(declared.estimate, found.estimate)
    assert_allclose(declared.standard_error, found.standard_error)
    assert declared.categories == (1, 2, 3, 4, 5)


def test_ordered_text_is_weighted_by_its_declared_order():
    words = {1: "never", 2: "rarely", 3: "often"}
    first, second = FIRST.map(words), SECOND.map(words)
    expected = cohen_kappa(FIRST, SECOND, weights="linear").estimate
    assert_allclose(cohen_kappa(first, second, categories=list(words.values()), weights="linear").estimate, expected)
    dtype = pd.CategoricalDtype(list(words.values()), ordered=True)
    assert_allclose(cohen_kappa(first.astype(dtype), second.astype(dtype), weights="linear").estimate, expected)
    with pytest.raises(ValueError, match="declare them in categories="):
        cohen_kappa(first, second, weights="linear")


def test_given_weights_are_used_and_checked():
    matrix = [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]]
    linear = cohen_kappa(FIRST, SECOND, weights="linear").estimate
    assert_allclose(cohen_kappa(FIRST, SECOND, weights=matrix).estimate, linear)
    for wrong in ("cubic", [[1]], [[0, 1, 2]] * 3, [[1, 2, 0], [2, 1, 0], [0, 0, 1]], "1", {"a": 1}):
        with pytest.raises((ValueError, TypeError), match="weights"):
            cohen_kappa(FIRST, SECOND, weights=wrong)


def test_units_that_one_rater_left_out_are_dropped_and_counted():
    first = FIRST.astype(float).where(FIRST.index != 0)
    second = SECOND.astype("Int64").where(SECOND.index != 3)
    result = cohen_kappa(first, second)
    kept = [i for i in range(12) if i not in (0, 3)]
    assert (result.n_units, result.n_dropped) == (10, 2)
    assert result.estimate == cohen_kappa(FIRST.iloc[kept], SECOND.iloc[kept]).estimate
    assert result.categories == (1, 2, 3)


def test_series_are_matched_by_unit_not_by_position():
    shuffled = SECOND.sample(frac=1, random_state=1)
    assert cohen_kappa(FIRST, shuffled).estimate == cohen_kappa(FIRST, SECOND).estimate
    with pytest.raises(ValueError, match="different indexes"):
        cohen_kappa(FIRST, SECOND.set_axis(range(5, 17)))


def test_table_and_prevalence_are_shown_beside_kappa():
    rare = pd.Series([0] * 19 + [1])
    also = pd.Series([0] * 18 + [1, 0])
    result = cohen_kappa(rare, also)
    assert result.estimate < 0
    assert_allclose(result.largest_share, 0.95)
    assert result.table.to_numpy().tolist() == [[18, 1], [1, 0]]
    assert gwet_ac(pd.DataFrame({"a": rare, "b": also})).estimate > 0.85


def test_raters_who_use_one_category_only_leave_kappa_undefined():
    with pytest.raises(InsufficientDataError, match="undefined"):
        cohen_kappa([1, 1, 1], [1, 1, 1])
    assert cohen_kappa([1, 1, 1], [1, 1, 2]).estimate == 0


# --------------------------------------------------------------------------------------------------- Fleiss and Gwet


@QUICK
@given(tables())
def test_fleiss_and_ac1_equal_their_definitions(ratings):
    fleiss, ac1 = result_or_none(fleiss_kappa, ratings), result_or_none(gwet_ac, ratings)
    if fleiss is not None:
        observed, shares = pairs_within_units(ratings)
        chance = sum(share**2 for share in shares.values())
        assert_allclose(fleiss.estimate, (observed - chance) / (1 - chance), atol=1e-9)
    if ac1 is not None:
        observed, shares = pairs_within_units(ratings)
        chance = sum(share * (1 - share) for share in shares.values()) / (len(shares) - 1)
        assert_allclose(ac1.estimate, (observed - chance) / (1 - chance), atol=1e-9)


@QUICK
@given(tables())
def test_ac2_equals_its_definition_with_credit_for_near_agreement(ratings):
    result = result_or_none(gwet_ac, ratings, categories=[1, 2, 3, 4], weights="linear")
    if result is not None:
        observed, shares = pairs_within_units(ratings, lambda a, b: 1 - abs(a - b) / 3)
        total = sum(1 - abs(a - b) / 3 for a in range(4) for b in range(4))
        chance = total / 12 * sum(share * (1 - share) for share in shares.values())
        assert_allclose(result.estimate, (observed - chance) / (1 - chance), atol=1e-9)


def test_kappa_of_each_category_is_that_of_it_against_the_rest():
    table = fleiss_kappa(THREE).by_category()
    for category in "abc":
        binary = THREE.map(lambda value, c=category: value if value is None or pd.isna(value) else value == c)
        assert_allclose(table.loc[category, "kappa"], fleiss_kappa(binary).estimate)
    assert_allclose(table["share"].sum(), 1)


def test_number_of_categories_on_offer_matters_to_gwets_ac():
    few, many = gwet_ac(THREE), gwet_ac(THREE, categories=list("abcdef"))
    assert many.estimate > few.estimate
    observed, shares = pairs_within_units(THREE)
    chance = sum(share * (1 - share) for share in shares.values()) / 5
    assert_allclose(many.estimate, (observed - chance) / (1 - chance))


def test_one_category_declared_among_others_is_perfect_agreement_for_ac_only():
    ratings = pd.DataFrame({"a": ["x"] * 4, "b": ["x"] * 4})
    result = gwet_ac(ratings, categories=["x", "y"])
    assert result.estimate == 1
    assert list(result.confidence_interval()) == [1, 1]
    with pytest.raises(InsufficientDataError, match="Declare"):
        gwet_ac(ratings)
    with pytest.raises(InsufficientDataError, match="undefined"):
        fleiss_kappa(ratings)


@pytest.mark.parametrize("function", [fleiss_kappa, gwet_ac])
def test_analytic_standard_error_agrees_with_resampling_in_a_larger_study(function):
    random = np.random.default_rng(2)
    truth = random.choice(4, 250, p=[0.4, 0.3, 0.2, 0.1])
    ratings = pd.DataFrame({r: np.where(random.random(250) < 0.7, truth, random.choice(4, 250)) for r in "abc"})
    result = function(ratings.astype(float).mask(random.random(ratings.shape) < 0.1))
    analytic, resampled = result.confidence_interval(), result.confidence_interval(method="percentile")
    assert_allclose(resampled.high - resampled.low, analytic.high - analytic.low, rtol=0.15)


# --------------------------------------------------------------------------------------------------------- all three

ALL = {
    "cohen": lambda ratings, **options: cohen_kappa(ratings.iloc[:, 0], ratings.iloc[:, 1], **options),
    "fleiss": fleiss_kappa,
    "gwet": gwet_ac,
}


@pytest.mark.parametrize("name", ALL)
@QUICK
@given(tables(), st.floats(0.001, 0.999))
def test_estimate_lies_in_its_interval(name, ratings, level):
    result = result_or_none(ALL[name], ratings)
    if result is not None and result.n_units > 1:
        low, high = result.confidence_interval(level)
        assert low <= result.estimate <= high
        assert result.estimate <= 1 + 1e-12


@pytest.mark.parametrize("method", ["percentile", "bca", "bootstrap"])
@pytest.mark.parametrize("name", ALL)
@settings(QUICK, max_examples=15)
@given(tables())
def test_estimate_lies_in_its_resampled_interval(name, method, ratings):
    result = result_or_none(ALL[name], ratings)
    if result is None or result.n_units < 2:
        return
    interval = result_or_none(result.confidence_interval, method=method, n_resamples=100)
    if interval is not None:  # else too many resamples leave it undefined
        assert interval.low <= result.estimate <= interval.high


@pytest.mark.parametrize("name", ALL)
def test_resampling_repeats_with_its_seed_and_reports_progress(name):
    seen = []
    result = ALL[name](THREE.iloc[:, :2])
    first = result.confidence_interval(method="bca", seed=4, progress=lambda done, total: seen.append((done, total)))
    assert first == result.confidence_interval(method="bca", seed=4)
    assert seen[-1] == (2000, 2000)


@pytest.mark.parametrize("name", ALL)
@QUICK
@given(tables(), st.permutations(["x", 7, "1", datetime.date(2024, 1, 1)]), st.randoms())
def test_neither_names_nor_order_matter_to_nominal_indices(name, ratings, names, random):
    renamed = ratings.map(lambda value: None if pd.isna(value) else names[int(value) - 1])
    rows = list(renamed.index)
    random.shuffle(rows)
    before, after = result_or_none(ALL[name], ratings), result_or_none(ALL[name], renamed.loc[rows])
    assert (before is None) == (after is None)
    if before is not None:
        assert_allclose((after.estimate, after.standard_error), (before.estimate, before.standard_error), atol=1e-9)


@pytest.mark.parametrize("name", ALL)
@QUICK
@given(tables())
def test_a_missing_rating_is_never_a_category(name, ratings):
    before = result_or_none(ALL[name], ratings)
    more = pd.concat([ratings.astype(object), pd.DataFrame([[None, np.nan, pd.NA, None][: ratings.shape[1]]])])
    after = result_or_none(ALL[name], more)
    assert (before is None) == (after is None)
    if before is not None:
        assert after.estimate == pytest.approx(before.estimate, abs=1e-12)
        assert after.categories == before.categories
        assert after.n_dropped == before.n_dropped + 1


@pytest.mark.parametrize("name", ["cohen", "gwet"])
def test_ratings_outside_the_declared_categories_are_refused_and_named(name):
    with pytest.raises(ValueError, match=r"'c', not among the declared categories 'a', 'b'"):
        ALL[name](THREE, categories=["a", "b"])


@pytest.mark.parametrize("categories", ["abc", [], ["a", "a", "b", "c"], ["a", "b", "c", None], 3, [["a"], "b"]])
def test_faulty_categories_are_refused_by_name(categories):
    with pytest.raises((ValueError, TypeError), match="categories"):
        gwet_ac(THREE, categories=categories)


@pytest.mark.parametrize("name", ALL)
def test_sentence_table_and_repr(name):
    result = ALL[name](THREE)
    row = result.to_frame().iloc[0]
    assert list(row[["ci_low", "ci_high"]]) == list(result.confidence_interval())
    assert f"was {row['estimate']:.2f}".replace("0.", ".") in result.describe()
    assert "95% CI" in result.describe()
    assert "np." not in repr(result)
    assert "estimate=" in repr(result)
    assert result.interpret(rules="landis_koch1977").citation.startswith("Landis")


def test_category_names_are_escaped_in_html():
    result = cohen_kappa(["<b>", "x", "<b>"], ["<b>", "x", "x"])
    assert "<b>" not in result._repr_html_()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "ratings",
    [
        pd.DataFrame({"a": [1, None, 2], "b": [None, 2, None]}),
        pd.DataFrame({"a": [], "b": []}),
        pd.DataFrame({"a": [None, None], "b": [None, None]}),
    ],
)
def test_no_unit_rated_twice_is_refused(name, ratings):
    with pytest.raises(InsufficientDataError):
        ALL[name](ratings)


@pytest.mark.parametrize("function", [fleiss_kappa, gwet_ac])
def test_a_single_unit_has_an_estimate_and_no_interval(function):
    result = function(pd.DataFrame({"a": [1], "b": [2], "c": [1]}))
    assert math.isnan(result.standard_error)
    assert "no interval" in result.to_frame()["note"].iloc[0]
    assert "CI" not in result.describe()
    with pytest.raises(InsufficientDataError, match="at least 2 units"):
        result.confidence_interval()


@pytest.mark.parametrize("wrong", [[1, 2], "ab", None, {"a": [1]}, pd.Series([1, 2])])
def test_what_is_no_table_is_refused(wrong):
    with pytest.raises(TypeError, match="ratings must be a DataFrame"):
        fleiss_kappa(wrong)


def test_measurements_are_sent_to_a_fitting_index():
    values = np.random.default_rng(0).normal(size=(600, 2))
    with pytest.raises(ValueError, match="intraclass_correlation"):
        fleiss_kappa(pd.DataFrame(values))
