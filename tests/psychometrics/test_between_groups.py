"""ICC(1), ICC(2) and eta squared: definitions, laws, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import aggregation, intraclass_correlation

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCORES = pd.Series([4.0, 4.5, 5.0, 2.0, 2.5, 3.0, 3.5, 4.5, 1.0])
UNITS = pd.Series(list("aaabbbbcc"))


@st.composite
def studies(draw):
    rows = draw(st.integers(3, 25))
    scores = draw(st.lists(st.one_of(st.integers(-9, 9), st.none()), min_size=rows, max_size=rows))
    units = draw(st.lists(st.sampled_from("abcd"), min_size=rows, max_size=rows))
    return pd.Series(scores, dtype="float64"), pd.Series(units)


def result_or_none(scores, units, **options):
    try:
        return aggregation(scores, units, **options)
    except InsufficientDataError:
        return None


def test_f_is_that_of_a_one_way_analysis_of_variance():
    from scipy.stats import f_oneway

    result = aggregation(SCORES, UNITS)
    expected = f_oneway(*(part for _, part in SCORES.groupby(UNITS)))
    assert_allclose((result.f, result.p), (expected.statistic, expected.pvalue))
    between = sum(len(part) * (part.mean() - SCORES.mean()) ** 2 for _, part in SCORES.groupby(UNITS))
    assert_allclose(result.eta_squared, between / ((SCORES - SCORES.mean()) ** 2).sum())


def test_group_size_by_both_conventions():
    sizes = np.array([3, 4, 2])
    anova, mean = aggregation(SCORES, UNITS), aggregation(SCORES, UNITS, group_size="mean")
    assert_allclose(anova.typical_size, (9 - (sizes**2).sum() / 9) / 2)
    assert_allclose(mean.typical_size, 3)
    for result in (anova, mean):
        b, w, m = result.mean_square_between, result.mean_square_within, result.typical_size
        assert_allclose(result.icc1, (b - w) / (b + (m - 1) * w))
        assert_allclose(result.icc2, 1 - 1 / result.f)


def test_equal_units_give_the_one_way_intraclass_correlation_with_its_interval():
    ratings = pd.DataFrame({"x": [4, 2, 5, 1], "y": [5, 2, 5, 2], "z": [4, 1, 4, 2]})
    long = ratings.stack()
    result = aggregation(pd.Series(long.to_numpy()), long.index.get_level_values(0))
    one_way = intraclass_correlation(ratings)
    for coefficient, form in (("icc1", "ICC(1,1)"), ("icc2", "ICC(1,k)")):
        assert_allclose(getattr(result, coefficient), one_way.coefficient(form))
        assert_allclose(
            list(result.confidence_interval(0.9, coefficient=coefficient)),
            list(one_way.confidence_interval(0.9, form=form)),
        )


@QUICK
@given(studies(), st.floats(0.001, 0.999), st.sampled_from(["anova", "mean"]))
def test_estimates_lie_in_their_intervals(study, level, group_size):
    result = result_or_none(*study, group_size=group_size)
    if result is None:
        return
    row = result.to_frame(level=level).iloc[0]
    assert row["icc1_low"] <= row["icc1"] <= row["icc1_high"] <= 1 + 1e-12
    if not math.isnan(row["icc2"]):
        assert row["icc2_low"] <= row["icc2"] <= row["icc2_high"] <= 1 + 1e-12
    assert 0 <= row["eta_squared"] <= 1
    assert row["n_respondents"] + row["n_dropped"] == len(study[0])


@QUICK
@given(studies(), st.integers(-100, 100), st.sampled_from([0.5, -3.0]), st.randoms())
def test_neither_metric_nor_order_matters(study, shift, factor, random):
    scores, units = study
    order = list(range(len(scores)))
    random.shuffle(order)
    before, after = (
        result_or_none(scores, units),
        result_or_none((scores * factor + shift).loc[order], units.loc[order]),
    )
    if before is not None:
        for name in ("icc1", "icc2", "eta_squared"):
            assert_allclose(getattr(after, name), getattr(before, name), atol=1e-9)


def test_respondents_without_score_or_unit_are_left_out_and_counted():
    scores = pd.concat([SCORES, pd.Series([np.nan, 3.0])], ignore_index=True)
    units = pd.concat([UNITS, pd.Series(["a", None])], ignore_index=True)
    result = aggregation(scores, units)
    assert (result.n_respondents, result.n_dropped) == (9, 2)
    assert result.icc1 == aggregation(SCORES, UNITS).icc1


def test_units_more_alike_than_chance_give_negative_values():
    result = aggregation(pd.Series([1.0, 5.0, 1.0, 5.0, 2.0, 4.0]), list("aabbcc"))
    assert result.icc1 < -0.5
    assert math.isnan(result.icc2)  # the unit means are equal
    assert "icc2 undefined" in result.to_frame()["note"].iloc[0]
    assert aggregation(pd.Series([1.0, 5.0, 1.0, 5.5, 2.0, 4.0]), list("aabbcc")).icc2 < 0


def test_no_variation_within_units_is_complete_agreement():
    result = aggregation(pd.Series([0.1, 0.1, 0.7, 0.7]), list("aabb"))
    assert (result.icc1, result.icc2, result.p) == (1.0, 1.0, 0.0)
    assert list(result.confidence_interval()) == [1.0, 1.0]


def test_verdicts_exist_for_both_coefficients():
    result = aggregation(SCORES, UNITS)
    assert result.interpret().rules == "lebreton_senter2008_icc1"
    assert result.interpret(coefficient="icc2").rules == "lebreton_senter2008_icc2"


def test_sentence_and_repr():
    result = aggregation(SCORES, UNITS)
    assert "9 respondents in 3 units" in result.describe()
    assert repr(result).startswith("Aggregation(icc1=")
    assert "<table" in result._repr_html_()


@pytest.mark.parametrize(
    ("scores", "units"),
    [([1.0, 2.0, 3.0], "aaa"), ([1.0, 2.0, 3.0], "abc"), ([2.0] * 4, "aabb"), ([], ""), ([np.nan] * 4, "aabb")],
)
def test_too_little_data_is_refused(scores, units):
    with pytest.raises(InsufficientDataError):
        aggregation(pd.Series(scores, dtype=float), list(units))


def test_wrong_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match="group_size must be one of 'anova', 'mean'"):
        aggregation(SCORES, UNITS, group_size="median")
    with pytest.raises(ValueError, match="scores must hold numbers"):
        aggregation(pd.Series(list("abcdefghi")), UNITS)
    with pytest.raises(TypeError, match="scores"):
        aggregation(pd.DataFrame({"a": [1], "b": [2]}), ["x"])
