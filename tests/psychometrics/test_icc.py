"""Intraclass correlation: definitions, laws, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import cronbach_alpha, intraclass_correlation

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

FORMS = ["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]
RATINGS = pd.DataFrame({"a": [4, 2, 5, 1, 3, 4, 2], "b": [5, 2, 5, 2, 4, 3, 3], "c": [4, 1, 4, 2, 3, 5, 1]})


def ratings_tables(smallest=3):
    shapes = st.tuples(st.integers(smallest, 8), st.integers(2, 5))
    return shapes.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-9, 9))).map(pd.DataFrame)


def result_or_none(ratings):
    try:
        return intraclass_correlation(ratings)
    except InsufficientDataError:
        return None


def test_mean_squares_are_those_of_a_two_way_table():
    y = RATINGS.to_numpy(float)
    n, k = y.shape
    grand, rows, columns = y.mean(), y.mean(axis=1), y.mean(axis=0)
    residual = sum((y[i, j] - rows[i] - columns[j] + grand) ** 2 for i in range(n) for j in range(k))
    result = intraclass_correlation(RATINGS)
    assert_allclose(result.mean_square_targets, k * sum((rows - grand) ** 2) / (n - 1))
    assert_allclose(result.mean_square_raters, n * sum((columns - grand) ** 2) / (k - 1))
    assert_allclose(result.mean_square_error, residual / ((n - 1) * (k - 1)))
    assert_allclose(result.mean_square_within, RATINGS.T.var().mean())


def test_consistency_of_the_mean_is_cronbachs_alpha():
    assert_allclose(intraclass_correlation(RATINGS).coefficient("ICC(3,k)"), cronbach_alpha(RATINGS).estimate)


def test_average_forms_are_the_spearman_brown_transform_of_the_single_ones():
    result = intraclass_correlation(RATINGS)
    for number in "123":
        single = result.coefficient(f"ICC({number},1)")
        assert_allclose(result.coefficient(f"ICC({number},k)"), 3 * single / (1 + 2 * single))


@pytest.mark.parametrize(
    ("form", "mean_square", "df2"),
    [("ICC(1,1)", "mean_square_within", 14), ("ICC(3,1)", "mean_square_error", 12)],
)
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.999])
def test_limits_are_the_values_that_the_f_test_just_rejects(form, mean_square, df2, level):
    from scipy.stats import f as f_distribution

    result = intraclass_correlation(RATINGS)
    ratio = result.mean_square_targets / getattr(result, mean_square)
    low, high = result.confidence_interval(level, form=form)
    at_low = f_distribution.sf(ratio / (1 + 3 * low / (1 - low)), 6, df2)
    at_high = f_distribution.cdf(ratio / (1 + 3 * high / (1 - high)), 6, df2)
    assert_allclose([at_low, at_high], (1 - level) / 2, rtol=1e-9)


def test_interval_of_absolute_agreement_covers_as_often_as_it_says():
    random = np.random.default_rng(3)
    variances = {"target": 2.0, "rater": 0.5, "error": 1.0}
    true = variances["target"] / sum(variances.values())
    n, k, covered, runs = 15, 4, 0, 400
    for _ in range(runs):
        values = (
            random.normal(0, variances["target"] ** 0.5, (n, 1))
            + random.normal(0, variances["rater"] ** 0.5, (1, k))
            + random.normal(0, variances["error"] ** 0.5, (n, k))
        )
        covered += true in intraclass_correlation(pd.DataFrame(values)).confidence_interval(0.9)
    assert 0.86 < covered / runs < 0.94


@QUICK
@given(ratings_tables(), st.lists(st.integers(-50, 50), min_size=5, max_size=5))
def test_consistency_ignores_how_severe_raters_are(ratings, shifts):
    shifted = ratings + np.array(shifts[: ratings.shape[1]])
    before, after = result_or_none(ratings), result_or_none(shifted)
    if before is not None and after is not None:
        assert_allclose(after.coefficient("ICC(3,1)"), before.coefficient("ICC(3,1)"), atol=1e-9, equal_nan=True)
        assert_allclose(
            after.to_frame().loc["ICC(3,1)", "f"], before.to_frame().loc["ICC(3,1)", "f"], atol=1e-9, rtol=1e-7
        )


def test_absolute_agreement_and_the_bias_test_see_a_severe_rater():
    before = intraclass_correlation(RATINGS)
    after = intraclass_correlation(RATINGS + np.array([0, 5, 0]))
    assert after.coefficient("ICC(2,1)") < before.coefficient("ICC(2,1)") / 2
    assert after.rater_bias_f > 10 * before.rater_bias_f
    assert after.rater_bias_p < 0.001
    assert_allclose(after.to_frame()["f"].iloc[1], before.to_frame()["f"].iloc[1])


@QUICK
@given(ratings_tables(), st.integers(-20, 20), st.sampled_from([0.25, 3.0, -2.0]))
def test_shifting_and_stretching_all_ratings_changes_nothing(ratings, shift, factor):
    before, after = result_or_none(ratings), result_or_none(ratings * factor + shift)
    if before is None:
        assert after is None
    else:
        assert_allclose(after.to_frame()["estimate"], before.to_frame()["estimate"], atol=1e-9, rtol=1e-9)


@QUICK
@given(ratings_tables(), st.randoms())
def test_order_of_targets_and_raters_does_not_matter(ratings, random):
    rows, columns = list(ratings.index), list(ratings.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    before, after = result_or_none(ratings), result_or_none(ratings.loc[rows, columns])
    if before is not None:
        assert_allclose(after.to_frame()["estimate"], before.to_frame()["estimate"], atol=1e-9)


@QUICK
@given(ratings_tables(smallest=2), st.floats(0.001, 0.999))
def test_every_estimate_lies_in_its_interval(ratings, level):
    result = result_or_none(ratings)
    if result is None:
        return
    table = result.to_frame(level=level)
    defined = table.dropna(subset="estimate")
    assert (defined["ci_low"] <= defined["estimate"]).all()
    assert (defined["estimate"] <= defined["ci_high"]).all()
    assert (defined["estimate"] <= 1 + 1e-12).all()
    assert (table.loc[table["estimate"].isna(), "note"] != "").all()


@QUICK
@given(ratings_tables())
def test_wider_levels_give_wider_intervals(ratings):
    result = result_or_none(ratings)
    for form in FORMS:
        if result is not None and not math.isnan(result.coefficient(form)):
            narrow, wide = (result.confidence_interval(level, form=form) for level in (0.8, 0.99))
            assert wide.low <= narrow.low + 1e-12
            assert narrow.high <= wide.high + 1e-12


def test_perfect_agreement_is_one_with_a_degenerate_interval():
    result = intraclass_correlation(pd.DataFrame({"a": [1, 2, 5], "b": [1, 2, 5]}))
    table = result.to_frame()
    assert_allclose(table[["estimate", "ci_low", "ci_high"]], 1.0)
    assert (table["f"] == math.inf).all()
    assert (table["p"] == 0).all()


def test_systematic_disagreement_stays_negative():
    result = intraclass_correlation(pd.DataFrame({"a": [1, 2, 3, 4], "b": [4, 3, 2, 2]}))
    assert result.coefficient("ICC(1,1)") < -0.5
    assert result.coefficient("ICC(3,1)") < -0.5


def test_incomplete_targets_are_left_out_of_everything_and_counted():
    gaps = pd.concat([RATINGS.astype(float), pd.DataFrame({"a": [9.0, np.nan], "b": [np.nan] * 2, "c": [1.0, np.nan]})])
    result = intraclass_correlation(gaps)
    complete = intraclass_correlation(RATINGS)
    assert (result.n_targets, result.n_dropped) == (7, 2)
    pd.testing.assert_frame_equal(result.to_frame(), complete.to_frame())


def test_both_naming_systems_and_the_words_of_spss_are_in_the_table():
    table = intraclass_correlation(RATINGS).to_frame()
    assert list(table.index) == FORMS
    assert list(table["mcgraw_wong"]) == ["ICC(1)", "ICC(A,1)", "ICC(C,1)", "ICC(k)", "ICC(A,k)", "ICC(C,k)"]
    assert "MODEL(ONEWAY)" in table.loc["ICC(1,1)", "spss"]
    assert "TYPE(ABSOLUTE)" in table.loc["ICC(2,k)", "spss"]
    assert "average" in table.loc["ICC(2,k)", "spss"]
    assert "TYPE(CONSISTENCY)" in table.loc["ICC(3,1)", "spss"]


def test_sentence_and_repr_show_the_numbers_of_the_table():
    result = intraclass_correlation(RATINGS)
    row = result.to_frame().loc["ICC(2,1)"]
    assert f"was {row['estimate']:.2f}".replace("0.", ".") in result.describe()
    assert "7 targets rated by 3 raters" in result.describe()
    assert repr(result).startswith("IntraclassCorrelation(ICC(1,1)=")
    assert "np.float" not in repr(result)
    assert "<table" in result._repr_html_()


def test_verdict_judges_the_interval_and_names_its_rule():
    verdict = intraclass_correlation(RATINGS).interpret(form="ICC(3,k)")
    low, high = intraclass_correlation(RATINGS).confidence_interval(form="ICC(3,k)")
    assert low < 0.9 < high
    assert " to " in verdict.label
    assert "Koo" in verdict.citation


@pytest.mark.parametrize(
    ("ratings", "words"),
    [
        (pd.DataFrame({"a": [1, 2, 3]}), "2 ratings"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.nan]}), "2 targets"),
        (pd.DataFrame({"a": [0.1, 0.1, 0.1], "b": [0.1, 0.1, 0.1]}), "equal"),
    ],
)
def test_too_little_data_is_refused_with_what_to_do(ratings, words):
    with pytest.raises(InsufficientDataError, match=words):
        intraclass_correlation(ratings)


def test_undefined_total_variance_is_a_note_and_a_refused_interval():
    crossed = intraclass_correlation(pd.DataFrame({"a": [1, 0], "b": [0, 1]}))
    assert math.isnan(crossed.coefficient("ICC(2,1)"))
    assert "undefined" in crossed.to_frame().loc["ICC(2,1)", "note"]
    with pytest.raises(InsufficientDataError, match=r"ICC\(2,1\)"):
        crossed.confidence_interval()
    assert "undefined" in crossed.describe()


@pytest.mark.parametrize(("level", "error"), [(0, ValueError), (1, ValueError), (95, ValueError), ("95", TypeError)])
def test_wrong_level_is_refused(level, error):
    with pytest.raises(error, match="level"):
        intraclass_correlation(RATINGS).confidence_interval(level)


def test_wrong_form_and_method_name_the_choices():
    result = intraclass_correlation(RATINGS)
    with pytest.raises(ValueError, match=r"form must be one of 'ICC\(1,1\)'"):
        result.confidence_interval(form="ICC2")
    with pytest.raises(ValueError, match="method must be one of 'f'"):
        result.confidence_interval(method="bootstrap")


def test_targets_that_do_not_differ_on_average_give_limits_and_no_crash():
    table = intraclass_correlation(pd.DataFrame([[0, 0], [0, 0], [-1, 1]])).to_frame()
    row = table.loc["ICC(2,1)"]
    assert row["ci_low"] <= row["estimate"] <= row["ci_high"]


@pytest.mark.parametrize(("n_targets", "n_raters", "warned"), [(150, 4, True), (50, 4, False), (150, 12, False)])
def test_limits_from_few_raters_of_many_targets_carry_a_note(n_targets, n_raters, warned):
    generator = np.random.default_rng(1)
    ratings = generator.normal(size=(n_targets, 1)) + generator.normal(size=(n_targets, n_raters))
    result = intraclass_correlation(pd.DataFrame(ratings))
    notes = result.to_frame()["note"]
    assert [bool(note) for note in notes] == [warned and form.startswith("ICC(2") for form in notes.index]
    assert ("few raters" in result.describe()) is warned
