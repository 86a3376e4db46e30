"""Laws that hold for every reliability coefficient, on data that hypothesis invents."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.errors import InsufficientDataError

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
POLICIES = ("listwise", "pairwise")


@st.composite
def scales(draw, gaps=False, n_items=(2, 6), n_rows=(4, 30)):
    """Answers 1 to 5 that share a factor to a degree that varies."""
    k = draw(st.integers(*n_items))
    n = draw(st.integers(*n_rows))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    strength = draw(st.floats(-0.5, 2.0))
    trait = generator.normal(size=(n, 1))
    answers = np.clip(np.rint(3 + strength * trait + generator.normal(size=(n, k))), 1, 5)
    if gaps:
        answers[generator.random((n, k)) < draw(st.floats(0, 0.4))] = np.nan
    return pd.DataFrame(answers, columns=[f"q{i + 1}" for i in range(k)])


def coefficients(items, missing="listwise"):
    """Every estimate of the family, or nothing where the data do not allow one."""
    try:
        lambdas = pm.guttman_lambdas(items, missing=missing)
        numbers = [
            pm.cronbach_alpha(items, missing=missing).estimate,
            pm.cronbach_alpha(items, missing=missing).standardized,
            pm.inter_item_correlation(items, missing=missing).mean,
            *(getattr(lambdas, f"lambda{i}") for i in range(1, 7)),
        ]
    except InsufficientDataError:
        return None
    return np.array(numbers)


def assert_same(one, two, atol=1e-9):
    assert (one is None) == (two is None)
    if one is not None:
        assert_allclose(one, two, atol=atol, rtol=1e-9)


@given(scales(gaps=True), st.randoms(use_true_random=False), st.sampled_from(POLICIES))
@QUICK
def test_order_of_respondents_and_items_is_irrelevant(items, random, missing):
    rows, columns = list(items.index), list(items.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    assert_same(coefficients(items, missing), coefficients(items.loc[rows, columns], missing))


@given(scales(gaps=True), st.floats(0.1, 50), st.floats(-100, 100), st.sampled_from(POLICIES))
@QUICK
def test_a_change_of_unit_changes_nothing(items, factor, shift, missing):
    assert_same(coefficients(items, missing), coefficients(items * factor + shift, missing), atol=1e-7)


@given(scales(gaps=True), st.sampled_from(POLICIES))
@QUICK
def test_reversing_every_item_changes_nothing(items, missing):
    assert_same(coefficients(items, missing), coefficients(6 - items, missing))


@given(scales(), st.integers(2, 4))
@QUICK
def test_copies_of_all_respondents_change_no_estimate(items, times):
    assert_same(coefficients(items), coefficients(pd.concat([items] * times)))


@given(scales(gaps=True))
@QUICK
def test_listwise_is_the_same_as_dropping_first(items):
    complete = items.dropna()
    assert_same(coefficients(items), coefficients(complete))
    try:
        alpha = pm.cronbach_alpha(items)
    except InsufficientDataError:
        return
    alone = pm.cronbach_alpha(complete)
    for method in ("feldt", "bonett", "duhachek"):
        try:
            assert alpha.confidence_interval(0.9, method) == alone.confidence_interval(0.9, method)
        except InsufficientDataError:
            assert method == "bonett"
    assert alpha.n_dropped == len(items) - len(complete)


@given(scales())
@QUICK
def test_pairwise_equals_listwise_without_gaps(items):
    assert_same(coefficients(items, "listwise"), coefficients(items, "pairwise"))


@given(scales())
@QUICK
def test_guttmans_bounds_keep_their_order(items):
    try:
        lambdas = pm.guttman_lambdas(items)
    except InsufficientDataError:
        return
    assert lambdas.lambda1 <= lambdas.lambda3 + 1e-12 or lambdas.lambda3 < 0
    assert lambdas.lambda3 <= lambdas.lambda2 + 1e-12
    assert_allclose(lambdas.lambda3, pm.cronbach_alpha(items).estimate, atol=1e-9)
    assert lambdas.lambda2 <= 1 + 1e-12
    assert lambdas.lambda4 <= 1 + 1e-12


@given(scales(n_items=(2, 2)))
@QUICK
def test_two_items_have_one_reliability(items):
    try:
        alpha = pm.cronbach_alpha(items)
    except InsufficientDataError:
        return
    lambdas = pm.guttman_lambdas(items)
    assert_allclose(pm.mcdonald_omega(items).estimate, alpha.estimate, atol=1e-9)
    assert_allclose(pm.split_half(items).flanagan_rulon, alpha.estimate, atol=1e-9)
    assert_allclose(lambdas.lambda4, alpha.estimate, atol=1e-9)
    assert_allclose(pm.mcdonald_omega(items).standard_error, alpha.standard_error, rtol=1e-9)


@given(scales(), st.floats(0.001, 0.999))
@QUICK
def test_estimates_lie_in_their_intervals(items, level):
    try:
        results = [pm.cronbach_alpha(items), pm.split_half(items)]
    except InsufficientDataError:
        return
    intervals = []
    for method in ("feldt", "bonett", "duhachek"):
        if method != "bonett" or len(items) > 2:
            intervals.append((results[0], results[0].confidence_interval(level, method)))
    if not math.isnan(results[1].estimate):
        intervals.append((results[1], results[1].confidence_interval(level)))
    for result, interval in intervals:
        assert interval.low <= result.estimate <= interval.high
        assert interval.level == level


@given(scales(n_items=(3, 6), n_rows=(12, 40)), st.floats(0.01, 0.99), st.sampled_from(["delta", "percentile", "bca"]))
@settings(max_examples=25, deadline=None)
def test_omega_lies_in_its_interval(items, level, method):
    try:
        omega = pm.mcdonald_omega(items)
        interval = omega.confidence_interval(level, method, **({} if method == "delta" else {"n_resamples": 100}))
    except InsufficientDataError:
        return
    assert interval.low <= omega.estimate <= interval.high


@given(scales(n_items=(3, 6), n_rows=(12, 40)), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_omega_does_not_depend_on_order_unit_or_direction(items, random):
    try:
        omega = pm.mcdonald_omega(items)
    except InsufficientDataError:
        return
    assume(not omega.heywood_items)  # of two equally good solutions on the boundary, rounding picks one
    columns = list(items.columns)
    random.shuffle(columns)
    for changed in (items[columns], items * 7 - 3, 6 - items, pd.concat([items, items])):
        assert_allclose(pm.mcdonald_omega(changed).estimate, omega.estimate, atol=1e-9)


@given(scales(n_items=(3, 6), n_rows=(12, 40)))
@settings(max_examples=40, deadline=None)
def test_model_based_omega_is_a_share(items):
    try:
        omega = pm.mcdonald_omega(items, denominator="model")
    except InsufficientDataError:
        return
    assert 0 <= omega.estimate <= 1
    assert (omega.uniquenesses >= 0).all()


# ----------------------------------------------------------------------------------- nothing but an answer or a reason


@st.composite
def odd_tables(draw):
    """Tables as they come: few rows, gaps, constants, copies, extreme sizes, several types."""
    n, k = draw(st.integers(0, 8)), draw(st.integers(0, 5))
    cell = draw(
        st.sampled_from(
            [
                st.sampled_from([1.0, 2.0, math.nan]),
                st.integers(1, 5).map(float),
                st.floats(allow_nan=True, allow_infinity=True),
                st.sampled_from([0.0, 1e-160, 1e-130, 1e-88, 1e-30, 1.0, 1e80, -1e99]),
                st.sampled_from([0.0, 6e-88, 1e-87]),
                st.just(3.0),
            ]
        )
    )
    columns = {}
    for j in range(k):
        values = draw(st.lists(cell, min_size=n, max_size=n))
        kind = draw(st.sampled_from(["float", "object", "copy", "opposite", "text", "nullable"]))
        if kind == "copy" and columns:
            columns[f"q{j}"] = columns["q0"]
        elif kind == "opposite" and columns and columns["q0"].dtype == float:
            columns[f"q{j}"] = -columns["q0"]
        elif kind == "text" and draw(st.integers(0, 9)) == 0:
            columns[f"q{j}"] = pd.Series(["yes"] * n, dtype=object)
        elif kind == "nullable" and not any(math.isinf(v) for v in values):
            columns[f"q{j}"] = pd.Series(values, dtype="Float64")
        elif kind == "object":
            columns[f"q{j}"] = pd.Series([None if math.isnan(v) else v for v in values], dtype=object)
        else:
            columns[f"q{j}"] = pd.Series(values, dtype=float)
    return pd.DataFrame(columns, index=range(n))


STATISTICS = {
    "alpha": lambda x, m: pm.cronbach_alpha(x, missing=m),
    "omega": lambda x, m: pm.mcdonald_omega(x, missing=m),
    "omega_model": lambda x, m: pm.mcdonald_omega(x, missing=m, denominator="model"),
    "guttman": lambda x, m: pm.guttman_lambdas(x, missing=m),
    "guttman_standardized": lambda x, m: pm.guttman_lambdas(x, missing=m, standardized=True),
    "split": lambda x, m: pm.split_half(x, missing=m),
    "first_second": lambda x, m: pm.split_half(x, missing=m, split="first_second"),
    "correlation": lambda x, m: pm.inter_item_correlation(x, missing=m),
    "keying": lambda x, m: pm.check_keying(x, missing=m),
    "items": lambda x, m: pm.item_analysis(x),
    "units": lambda x, m: pm.unit_table(x, list(range(len(x))), scale=(1, 5)),
    "groups": lambda x, m: pm.compare_groups(x.iloc[:, 0], x.iloc[::-1, -1]) if x.size else pm.cronbach_alpha(x),
    "paired": lambda x, m: pm.compare_paired(x.iloc[:, 0], x.iloc[:, -1]) if x.size else pm.cronbach_alpha(x),
    "mean": lambda x, m: pm.survey_mean(x.iloc[:, 0]) if x.size else pm.cronbach_alpha(x),
    "compare": lambda x, m: pm.compare_alphas(x, x * 1.0),
    "compare_dependent": lambda x, m: pm.compare_alphas(x, x, design="dependent"),
}


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("missing", POLICIES)
@given(items=odd_tables())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_statistic_gives_a_result_or_a_reason(statistic, missing, items):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = STATISTICS[statistic](items, missing)
        except (InsufficientDataError, ValueError):
            return
        except TypeError:
            assert statistic.startswith("compare")  # text times a number, in the test itself
            return
        assert isinstance(result.to_frame(), pd.DataFrame)
        assert result.describe()
        assert "\n" not in repr(result)
        assert "np." not in repr(result)
        assert result._repr_html_().startswith("<div")
        for method in ("feldt", "bonett", "duhachek", "bca", "percentile") if statistic == "alpha" else ():
            extra = {"n_resamples": 100} if method in ("bca", "percentile") else {}
            try:
                interval = result.confidence_interval(0.9, method, **extra)
            except InsufficientDataError:
                continue
            assert interval.low <= result.estimate <= interval.high
