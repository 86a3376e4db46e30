"""Krippendorff's alpha: the definition by coincidences, laws by level of measurement, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import fleiss_kappa, krippendorff_alpha

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

LEVELS = ["nominal", "ordinal", "interval", "ratio"]
RATINGS = pd.DataFrame(
    {"a": [1, 2, 3, 3, np.nan, 5, 2], "b": [1, 2, 4, 3, 2, 4, np.nan], "c": [1, 3, 3, 3, 2, 4, np.nan]}
)


@st.composite
def tables(draw, lowest=0):
    rows, raters = draw(st.integers(1, 10)), draw(st.integers(2, 4))
    cell = st.one_of(st.integers(lowest, 6), st.none())
    cells = draw(st.lists(st.lists(cell, min_size=raters, max_size=raters), min_size=rows, max_size=rows))
    return pd.DataFrame(cells, dtype="float64")


def result_or_none(ratings, **options):
    try:
        return krippendorff_alpha(ratings, **options)
    except InsufficientDataError:
        return None


def by_coincidences(ratings, level):
    """Alpha from the matrix of coincidences, pair by pair."""
    units = [[value for value in row if not pd.isna(value)] for row in ratings.itertuples(index=False)]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in units for value in unit})
    coincidences = {(a, b): 0.0 for a in values for b in values}
    for unit in units:
        for i, a in enumerate(unit):
            for j, b in enumerate(unit):
                if i != j:
                    coincidences[a, b] += 1 / (len(unit) - 1)
    frequency = {a: sum(coincidences[a, b] for b in values) for a in values}
    total = sum(frequency.values())

    def distance(a, b):
        if a == b:
            return 0.0
        if level == "ordinal":
            between = [frequency[g] for g in values if min(a, b) <= g <= max(a, b)]
            return (sum(between) - (frequency[a] + frequency[b]) / 2) ** 2
        return {"nominal": 1.0, "interval": (a - b) ** 2, "ratio": ((a - b) / (a + b)) ** 2}[level]

    observed = sum(coincidences[pair] * distance(*pair) for pair in coincidences) / total
    expected = sum(frequency[a] * frequency[b] * distance(a, b) for a, b in coincidences) / (total * (total - 1))
    return 1 - observed / expected


@pytest.mark.parametrize("level", LEVELS)
@QUICK
@given(tables())
def test_alpha_equals_its_definition(level, ratings):
    result = result_or_none(ratings, level=level)
    if result is not None:
        assert_allclose(result.estimate, by_coincidences(ratings, level), atol=1e-9)


@QUICK
@given(tables())
def test_nominal_alpha_of_complete_ratings_is_fleiss_kappa_corrected_for_their_number(ratings):
    complete = ratings.dropna()
    alpha = result_or_none(complete)
    if alpha is not None:
        kappa = fleiss_kappa(complete).estimate
        assert_allclose(1 - alpha.estimate, (1 - 1 / alpha.n_ratings) * (1 - kappa), atol=1e-9)


@QUICK
@given(tables(), st.permutations(range(7)))
def test_nominal_alpha_ignores_the_names_of_categories(ratings, names):
    renamed = ratings.map(lambda value: value if pd.isna(value) else f"category {names[int(value)]}")
    before, after = result_or_none(ratings), result_or_none(renamed)
    if before is not None:
        assert_allclose((after.estimate, after.standard_error), (before.estimate, before.standard_error), atol=1e-9)


@QUICK
@given(tables())
def test_each_level_allows_its_transformations(ratings):
    for level, changed in (
        ("ordinal", np.exp(ratings)),
        ("ordinal", -ratings),
        ("interval", 3 * ratings - 20),
        ("interval", -0.5 * ratings),
        ("ratio", 7 * ratings),
    ):
        before, after = result_or_none(ratings, level=level), result_or_none(changed, level=level)
        if before is not None:
            assert_allclose(after.estimate, before.estimate, atol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
@QUICK
@given(tables(), st.randoms())
def test_order_of_units_and_raters_does_not_matter(level, ratings, random):
    rows, columns = list(ratings.index), list(ratings.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    before, after = result_or_none(ratings, level=level), result_or_none(ratings.loc[rows, columns], level=level)
    if before is not None:
        assert_allclose(after.estimate, before.estimate, atol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_units_with_one_rating_say_nothing_and_are_counted(level):
    paired = RATINGS.iloc[:6]
    with_single, without = krippendorff_alpha(RATINGS, level=level), krippendorff_alpha(paired, level=level)
    assert with_single.estimate == without.estimate
    assert with_single.standard_error == without.standard_error
    assert (with_single.n_units, with_single.n_dropped) == (6, 1)


@pytest.mark.parametrize("level", LEVELS)
@QUICK
@given(tables(), st.floats(0.001, 0.999))
def test_estimate_lies_in_its_interval(level, ratings, confidence):
    result = result_or_none(ratings, level=level)
    if result is not None:
        assert result.estimate <= 1 + 1e-12
        if result.n_units > 1:
            low, high = result.confidence_interval(confidence)
            assert low <= result.estimate <= high


@pytest.mark.parametrize("level", LEVELS)
@settings(QUICK, max_examples=15)
@given(tables())
def test_estimate_lies_in_its_resampled_interval(level, ratings):
    result = result_or_none(ratings, level=level)
    if result is None or result.n_units < 2:
        return
    try:
        interval = result.confidence_interval(method="percentile", n_resamples=100)
    except InsufficientDataError:  # most resamples leave it undefined
        return
    assert interval.low <= result.estimate <= interval.high


@pytest.mark.parametrize("level", LEVELS)
def test_resampling_uses_the_same_coefficient(level):
    """A resample that draws every unit once is the sample itself."""
    result = krippendorff_alpha(RATINGS, level=level)
    sums = result._sums
    whole = sums.rows(0, sums.n_rows).sum(axis=0)[None, :]
    assert_allclose(sums.values(whole, np.array([float(sums.n_rows)])), result.estimate)
    halves = sums.rows(0, 3).sum(axis=0) + sums.rows(3, 99).sum(axis=0)
    assert_allclose(halves, whole[0])


@pytest.mark.parametrize("level", LEVELS)
def test_analytic_interval_agrees_with_resampling_in_a_larger_study(level):
    random = np.random.default_rng(8)
    truth = random.integers(1, 6, 300)
    ratings = pd.DataFrame({r: np.clip(truth + random.integers(-1, 2, 300), 1, 5) for r in "abc"}).astype(float)
    result = krippendorff_alpha(ratings.mask(random.random(ratings.shape) < 0.1), level=level)
    analytic, resampled = result.confidence_interval(), result.confidence_interval(method="percentile")
    # The analytic error of ordinal alpha takes the ranks as fixed; resampling shows what that leaves out.
    assert_allclose(resampled.high - resampled.low, analytic.high - analytic.low, rtol=0.2)


def test_one_disagreement_among_rare_categories_is_zero_not_an_error():
    ratings = pd.DataFrame({"a": [1] * 10, "b": [1] * 9 + [2]})
    assert_allclose(krippendorff_alpha(ratings).estimate, 0, atol=1e-12)


def test_perfect_agreement_is_one():
    result = krippendorff_alpha(pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}), level="ordinal")
    assert result.estimate == 1
    assert list(result.confidence_interval()) == [1, 1]


def test_ordered_text_needs_and_uses_its_declared_order():
    words = {1: "low", 2: "middle", 3: "high"}
    numbers = pd.DataFrame({"a": [1, 2, 3, 3, 1], "b": [1, 3, 3, 2, 1]})
    text = numbers.map(words.get)
    expected = krippendorff_alpha(numbers, level="ordinal").estimate
    assert_allclose(krippendorff_alpha(text, level="ordinal", categories=words.values()).estimate, expected)
    with pytest.raises(ValueError, match="declare them in categories="):
        krippendorff_alpha(text, level="ordinal")
    assert krippendorff_alpha(numbers, level="ordinal", categories=range(9)).estimate == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ratings", "options", "error", "words"),
    [
        ({"a": [1, 1], "b": [1, 1]}, {}, InsufficientDataError, "no variation"),
        ({"a": [1, None], "b": [None, 1]}, {}, InsufficientDataError, "2 ratings"),
        ({"a": [1, 2]}, {}, InsufficientDataError, "2 ratings"),
        ({"a": ["x", "y"], "b": ["x", "y"]}, {"level": "interval"}, ValueError, "needs numbers"),
        ({"a": [-1, 2], "b": [1, 2]}, {"level": "ratio"}, ValueError, "at least 0"),
        ({"a": [1, math.inf], "b": [1, 2]}, {}, ValueError, "infinit"),
        ({"a": [1, 2], "b": [1, 2]}, {"level": "binary"}, ValueError, "level must be one of"),
        ({"a": [[1], [2]], "b": [[1], [2]]}, {}, TypeError, "categories"),
    ],
)
def test_faults_are_refused_with_a_reason(ratings, options, error, words):
    with pytest.raises(error, match=words):
        krippendorff_alpha(pd.DataFrame(ratings), **options)


def test_a_single_unit_gives_zero_without_an_interval():
    result = krippendorff_alpha(pd.DataFrame({"a": [1], "b": [2]}))
    assert_allclose(result.estimate, 0, atol=1e-12)
    with pytest.raises(InsufficientDataError, match="at least 2 units"):
        result.confidence_interval()


def test_many_distinct_measurements_are_no_hindrance_at_the_interval_level():
    random = np.random.default_rng(0)
    target = random.normal(size=3000)
    ratings = pd.DataFrame({r: target + random.normal(size=3000) for r in "ab"})
    result = krippendorff_alpha(ratings, level="interval")
    x = ratings.to_numpy()
    expected = 1 - (6000 - 1) / 6000 * np.mean((x[:, 0] - x[:, 1]) ** 2) / (2 * x.var())
    assert_allclose(result.estimate, expected)
    assert_allclose(result.observed_disagreement, np.mean((x[:, 0] - x[:, 1]) ** 2))
    with pytest.raises(ValueError, match="'analytic' for ordinal"):
        krippendorff_alpha(ratings, level="ordinal").confidence_interval(method="bca")


def test_sentence_names_the_level_and_krippendorffs_own_limits_judge():
    result = krippendorff_alpha(RATINGS, level="ordinal")
    assert "Krippendorff's alpha (ordinal)" in result.describe()
    assert "up to 3 raters" in result.describe()
    assert result.interpret().rules == "krippendorff2004"
    assert repr(result).startswith("KrippendorffAlpha(estimate=")
