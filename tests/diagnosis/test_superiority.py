"""The probability of superiority and its test, against scipy and the definition."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from servicediag.diagnosis.superiority import superiority

COUNTS = st.lists(st.integers(0, 12), min_size=5, max_size=5).filter(lambda c: sum(c) >= 3)


@given(COUNTS, COUNTS)
def test_superiority_is_scipys_brunner_munzel(first, second):
    x, y = np.repeat(np.arange(5), first), np.repeat(np.arange(5), second)
    found = superiority(np.array(first), np.array(second))
    wins = np.subtract.outer(y, x)
    assert_allclose(found.estimate, ((wins > 0) + 0.5 * (wins == 0)).mean(), atol=1e-12)
    if math.isnan(found.p):
        return
    reference = stats.brunnermunzel(x, y)
    assert_allclose((found.estimate - 0.5) / found.standard_error, reference.statistic, rtol=1e-9, atol=1e-9)
    assert_allclose(found.p, reference.pvalue, rtol=1e-7, atol=1e-12)


@given(COUNTS, COUNTS)
def test_superiority_of_exchanged_groups_is_the_rest(first, second):
    one, other = superiority(np.array(first), np.array(second)), superiority(np.array(second), np.array(first))
    assert_allclose(one.estimate + other.estimate, 1.0)
    assert_allclose(one.p, other.p, rtol=1e-9, equal_nan=True)
    low, high = one.interval()
    if not math.isnan(low):
        assert 0 < low <= one.estimate <= high < 1


def test_superiority_of_groups_that_never_overlap_has_no_error():
    result = superiority(np.array([4, 0, 0]), np.array([0, 0, 5]))
    assert result.estimate == 1.0
    assert math.isnan(result.p)
    assert all(math.isnan(limit) for limit in result.interval())


def test_superiority_of_one_person_is_refused():
    result = superiority(np.array([1, 0]), np.array([3, 2]))
    assert all(math.isnan(value) for value in (result.estimate, result.standard_error, result.p, *result.interval()))


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=4))
def test_many_pairs_are_what_each_is_alone(pairs):
    first, second = np.array([one for one, _ in pairs]), np.array([other for _, other in pairs])
    together = superiority(first, second)
    for row in range(len(pairs)):
        alone = superiority(first[row], second[row])
        assert_allclose(together.estimate[row], alone.estimate)
        assert_allclose(together.p[row], alone.p, equal_nan=True)
