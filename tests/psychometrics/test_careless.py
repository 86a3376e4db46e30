"""Indices of careless answering: definitions, order, missing answers, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import (
    average_string,
    even_odd_consistency,
    intra_individual_variability,
    longstring,
    mahalanobis,
    mahalanobis_probability,
    missing_count,
    person_total_correlation,
    psychometric_antonyms,
    psychometric_synonyms,
    similar_pairs,
)

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

FIVE_SCALES = {name: [f"{name}{i}" for i in range(1, 5)] for name in "abcde"}


def study(n=80, seed=0, gaps=0.05):
    """Answers on 1-5 to five scales of four items, some missing."""
    random = np.random.default_rng(seed)
    columns = {}
    for items in FIVE_SCALES.values():
        trait = random.normal(size=n)
        for item in items:
            columns[item] = np.clip(np.rint(3 + trait + random.normal(0, 0.6, n)), 1, 5)
    frame = pd.DataFrame(columns, index=[f"r{i}" for i in range(n)])
    return frame.mask(random.random(frame.shape) < gaps)


def rows(*answers):
    return pd.DataFrame(list(answers), dtype="float64")


answer_tables = (
    st.integers(1, 8)
    .flatmap(
        lambda k: st.lists(
            st.lists(st.one_of(st.integers(1, 4), st.none()), min_size=k, max_size=k), min_size=1, max_size=8
        )
    )
    .map(lambda cells: pd.DataFrame(cells, dtype="float64"))
)


# ------------------------------------------------------------------------------------------------------------ runs


def test_longest_run_is_found_wherever_it_stands():
    answers = rows([1, 1, 1, 2, 3], [2, 3, 3, 3, 3], [1, 2, 3, 4, 5], [4, 4, 4, 4, 4])
    assert longstring(answers).tolist() == [3, 4, 1, 5]


def test_a_missing_answer_breaks_a_run_and_is_none_itself():
    answers = rows([3, 3, None, 3, 3], [None] * 5, [None, None, None, 1, None])
    assert longstring(answers).tolist() == [2, 0, 1]
    assert average_string(answers).fillna(-1).tolist() == [2, -1, 1]


def test_runs_stop_at_the_end_of_a_block_and_follow_its_order():
    answers = pd.DataFrame([[3, 3, 3, 3, 1]], columns=["q1", "q2", "q3", "q4", "q5"])
    assert longstring(answers, blocks={"first": ["q1", "q2"], "second": ["q3", "q4", "q5"]}).tolist() == [2]
    assert longstring(answers, blocks={"shown": ["q1", "q5", "q2", "q3", "q4"]}).tolist() == [3]


@QUICK
@given(answer_tables)
def test_runs_equal_a_count_by_hand(answers):
    for (_, row), longest, average in zip(
        answers.iterrows(), longstring(answers), average_string(answers), strict=True
    ):
        runs, before = [], None
        for value in row:
            if pd.isna(value):
                before = None
            elif value == before:
                runs[-1] += 1
            else:
                runs.append(1)
                before = value
        assert longest == max(runs, default=0)
        assert (runs == [] and math.isnan(average)) or average == pytest.approx(np.mean(runs))


@QUICK
@given(answer_tables)
def test_variability_and_gaps_equal_their_definitions(answers):
    assert_allclose(intra_individual_variability(answers), answers.std(axis=1, ddof=1), atol=1e-12, equal_nan=True)
    assert missing_count(answers).tolist() == answers.isna().sum(axis=1).tolist()


# -------------------------------------------------------------------------------------------------------- distance


def test_distance_is_the_squared_mahalanobis_distance():
    answers = study(gaps=0)
    centred = (answers - answers.mean()).to_numpy()
    expected = [row @ np.linalg.inv(answers.cov()) @ row for row in centred]
    assert_allclose(mahalanobis(answers), expected)
    assert_allclose(mahalanobis(answers).sum(), 79 * 20)


def test_distance_ignores_keying_and_metric():
    answers = study()
    turned = answers * np.where(np.arange(20) % 3 == 0, -2.0, 1.0) + 7
    assert_allclose(mahalanobis(turned), mahalanobis(answers), rtol=1e-8)


def test_someone_with_gaps_gets_the_distance_over_the_items_answered():
    from scipy.stats import chi2

    answers = study(gaps=0)
    gappy = answers.copy()
    gappy.iloc[0, 5:] = np.nan
    gappy.iloc[1, :] = np.nan
    part = gappy.iloc[0, :5] - gappy.mean().iloc[:5]
    expected = part @ np.linalg.inv(gappy.cov().iloc[:5, :5]) @ part
    assert_allclose(mahalanobis(gappy).iloc[0], expected)
    assert_allclose(mahalanobis_probability(gappy).iloc[0], chi2.sf(expected, 5))
    assert math.isnan(mahalanobis(gappy).iloc[1])
    assert math.isnan(mahalanobis_probability(gappy).iloc[1])


def test_random_answers_stand_out_by_distance():
    answers = study(200)
    answers.iloc[0] = [1, 5] * 10
    assert mahalanobis(answers).idxmax() == "r0"
    assert mahalanobis_probability(answers)["r0"] < 0.001


@pytest.mark.parametrize("spoil", [lambda x: x.assign(a2=3), lambda x: x.assign(a2=x["a1"]), lambda x: x.iloc[:10]])
def test_items_that_say_nothing_of_their_own_are_refused(spoil):
    with pytest.raises(InsufficientDataError, match="Leave"):
        mahalanobis(spoil(study(gaps=0)))


def test_refusal_names_the_items_at_fault():
    answers = study(gaps=0)
    with pytest.raises(InsufficientDataError, match="c3 do not vary"):
        mahalanobis(answers.assign(c3=2))
    with pytest.raises(InsufficientDataError, match="undefined: b1, b2, d4 repeat"):
        mahalanobis(answers.assign(d4=answers["b1"] + answers["b2"]))


# ------------------------------------------------------------------------------------------------------ consistency


def test_even_odd_is_the_stepped_up_correlation_of_half_means_over_scales():
    answers = study()
    result = even_odd_consistency(answers, FIVE_SCALES)
    for person in answers.index[:20]:
        odd = [answers.loc[person, [items[0], items[2]]].mean() for items in FIVE_SCALES.values()]
        even = [answers.loc[person, [items[1], items[3]]].mean() for items in FIVE_SCALES.values()]
        r = pd.Series(odd).corr(pd.Series(even))
        assert_allclose(result[person], max(2 * r / (1 + r), -1), atol=1e-9)
    assert result.mean() > 0.7


def test_even_odd_is_floored_at_minus_one_and_undefined_for_straight_lining():
    scales = {"x": ["a", "b"], "y": ["c", "d"], "z": ["e", "f"]}
    answers = pd.DataFrame([[1, 5, 5, 1, 3, 3], [3] * 6, [1, 2, 3, None, 5, 4]], columns=list("abcdef"))
    result = even_odd_consistency(answers, scales)
    assert result.iloc[0] == -1
    assert result.iloc[1:].isna().all()


def test_even_odd_needs_three_scales_of_two_items_that_exist():
    answers = study()
    with pytest.raises(InsufficientDataError, match="at least 3 scales"):
        even_odd_consistency(answers, {"a": ["a1", "a2"], "b": ["b1", "b2"]})
    with pytest.raises(ValueError, match="at least 2 items each; not so b"):
        even_odd_consistency(answers, {**FIVE_SCALES, "b": ["b1"]})
    with pytest.raises(ValueError, match="does not have: zz"):
        even_odd_consistency(answers, {**FIVE_SCALES, "b": ["b1", "zz"]})
    with pytest.raises(ValueError, match="twice in b"):
        even_odd_consistency(answers, {**FIVE_SCALES, "b": ["b1", "b1"]})
    for wrong in (["a1", "a2"], {"a": "a1"}, None, {"a": 3}):
        with pytest.raises(TypeError, match="scales must map"):
            even_odd_consistency(answers, wrong)


def test_person_total_is_the_correlation_with_the_item_means():
    answers = study()
    means = answers.mean()
    expected = [row.corr(means) for _, row in answers.iterrows()]
    assert_allclose(person_total_correlation(answers), expected, atol=1e-9)


def test_pairs_are_those_beyond_the_limit_the_strongest_first():
    answers = study()
    r = answers.corr()
    pairs = similar_pairs(answers, minimum_correlation=0.5)
    names = list(answers)
    beyond = {(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if r.loc[a, b] > 0.5}
    assert set(zip(pairs["first"], pairs["second"], strict=True)) == beyond
    assert_allclose(pairs["correlation"], [r.loc[a, b] for a, b in pairs[["first", "second"]].to_numpy()])
    assert pairs["correlation"].is_monotonic_decreasing
    negative = similar_pairs(answers.assign(a1=6 - answers["a1"]), minimum_correlation=-0.5)
    assert len(negative) == 3
    assert (negative["correlation"] < -0.5).all()


def test_synonyms_correlate_the_answers_to_both_sides_of_the_pairs():
    answers = study()
    pairs = similar_pairs(answers, minimum_correlation=0.6)
    result = psychometric_synonyms(answers)
    for person in answers.index[:20]:
        first = answers.loc[person, list(pairs["first"])].reset_index(drop=True)
        second = answers.loc[person, list(pairs["second"])].reset_index(drop=True)
        assert_allclose(result[person], first.corr(second), atol=1e-9)


def test_antonyms_are_negative_for_careful_people_and_positive_for_straight_lining_with_a_slip():
    answers = study(gaps=0)
    turned = answers.assign(**{item: 6 - answers[item] for items in FIVE_SCALES.values() for item in items[::2]})
    turned.iloc[0] = [4, 4, 4, 4] * 2 + [2, 2, 2, 2] * 3
    result = psychometric_antonyms(turned, maximum_correlation=-0.5)
    assert result.iloc[1:].median() < -0.5
    assert result.iloc[0] > 0.9


def test_synonyms_are_the_same_every_time_and_fill_nothing_in():
    answers = study(gaps=0.3)
    pd.testing.assert_series_equal(psychometric_synonyms(answers), psychometric_synonyms(answers))
    answers.iloc[3, 2:] = np.nan
    assert math.isnan(psychometric_synonyms(answers).iloc[3])


def test_too_few_pairs_are_refused_with_their_number():
    with pytest.raises(InsufficientDataError, match="there are 0"):
        psychometric_synonyms(study(), minimum_correlation=0.99)
    with pytest.raises(InsufficientDataError, match=r"below -0\.6"):
        psychometric_antonyms(study())


@pytest.mark.parametrize("limit", [1.5, -0.1, "high", None, True])
def test_wrong_limits_are_refused_by_name(limit):
    with pytest.raises((ValueError, TypeError), match="minimum_correlation"):
        psychometric_synonyms(study(), minimum_correlation=limit)


# ---------------------------------------------------------------------------------------------------------- all

EVERY = {
    "longstring": longstring,
    "average_string": average_string,
    "intra_individual_variability": intra_individual_variability,
    "missing_count": missing_count,
    "mahalanobis": mahalanobis,
    "mahalanobis_probability": mahalanobis_probability,
    "person_total_correlation": person_total_correlation,
    "psychometric_synonyms": psychometric_synonyms,
    "even_odd_consistency": lambda answers: even_odd_consistency(answers, FIVE_SCALES),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_index_is_a_named_series_on_the_respondents(name):
    answers = study()
    result = EVERY[name](answers)
    assert result.index.equals(answers.index)
    assert result.name == name


@pytest.mark.parametrize("name", EVERY)
def test_order_of_respondents_does_not_matter(name):
    answers = study()
    shuffled = answers.sample(frac=1, random_state=3)
    assert_allclose(EVERY[name](shuffled).loc[answers.index], EVERY[name](answers), atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("name", EVERY)
def test_dtype_of_the_answers_does_not_matter(name):
    answers = study(gaps=0)
    expected = EVERY[name](answers)
    for dtype in ("int8", "Int64", "float32", object):
        assert_allclose(EVERY[name](answers.astype(dtype)), expected, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", ["mahalanobis", "person_total_correlation", "psychometric_synonyms"])
def test_many_respondents_are_handled_in_parts_with_the_same_result(name, monkeypatch):
    from servicediag.psychometrics import _rows, careless

    answers = study()
    whole = EVERY[name](answers)
    monkeypatch.setattr(_rows, "_BLOCK", 7)
    monkeypatch.setattr(careless, "_BLOCK", 50)
    assert_allclose(EVERY[name](answers), whole, equal_nan=True)


@pytest.mark.parametrize("name", EVERY)
def test_text_is_refused_and_named(name):
    with pytest.raises(ValueError, match="a1"):
        EVERY[name](study().astype(object).assign(a1="often"))
