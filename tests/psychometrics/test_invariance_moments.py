"""Invariance from numbers, means and covariances alone: equal to that from answers, and what the verdict says."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag import InsufficientDataError
from servicediag import psychometrics as pm

MODEL = {"one": ["a", "b", "c"], "two": ["d", "e", "f"]}
ITEMS = [item for block in MODEL.values() for item in block]
ONE = {"care": ["a", "b", "c", "d"]}


def answers_of(n, seed, *, loading=1.0, intercept=0.0, level=0.0, items=ITEMS):
    """Answers of one group; item ``b`` differs as told."""
    generator = np.random.default_rng(seed)
    factors = level + generator.normal(size=(n, 2)) @ np.array([[1, 0.5], [0, 0.8]])
    table = pd.DataFrame(np.repeat(factors, 3, axis=1) + generator.normal(size=(n, 6)), columns=items)
    table["b"] = intercept + loading * factors[:, 0] + generator.normal(size=n)
    return table


def moments_of(groups, unit=1.0, origin=0.0):
    made = {}
    for name, table in groups.items():
        values = table.to_numpy() * unit + origin
        made[name] = pm.GroupMoments.from_sums(list(table), len(values), values.sum(axis=0), values.T @ values)
    return made


def both(groups, model, **options):
    whole = pd.concat(list(groups.values()), ignore_index=True)
    labels = [name for name, table in groups.items() for _ in range(len(table))]
    answers = pm.measurement_invariance(whole, model, labels, **options)
    return answers, pm.invariance_from_moments(moments_of(groups), model, **options)


@pytest.mark.parametrize("structure", ["correlated", "orthogonal"])
def test_moments_give_what_the_answers_give(structure):
    groups = {"south": answers_of(220, 1, level=0.4), "north": answers_of(310, 2, intercept=0.6),
              "west": answers_of(150, 3)}  # fmt: skip
    first, second = both(groups, MODEL, structure=structure)
    assert second.groups == first.groups == ("north", "south", "west")
    assert second.group_sizes == first.group_sizes
    pd.testing.assert_frame_equal(first.to_frame(), second.to_frame(), rtol=1e-8, atol=1e-8)
    pd.testing.assert_frame_equal(first.interpret(), second.interpret())
    pd.testing.assert_frame_equal(
        first.model("scalar").to_frame().drop(columns=["z", "p"]),
        second.model("scalar").to_frame().drop(columns=["z", "p"]),
        rtol=1e-6,
        atol=1e-7,
    )
    pd.testing.assert_frame_equal(first.score_tests(), second.score_tests(), rtol=1e-5, atol=1e-6)


@settings(max_examples=6)
@given(
    seed=st.integers(0, 10_000),
    n=st.tuples(st.integers(60, 200), st.integers(60, 200)),
    unit=st.sampled_from([1e-3, 1.0, 25.0]),
    origin=st.sampled_from([-30.0, 0.0, 3.0]),
)
def test_units_and_origin_of_the_moments_do_not_matter(seed, n, unit, origin):
    groups = {"x": answers_of(n[0], seed), "y": answers_of(n[1], seed + 1, intercept=0.3)}
    plain = pm.invariance_from_moments(moments_of(groups), MODEL).to_frame()
    other = pm.invariance_from_moments(moments_of(groups, unit, origin), MODEL).to_frame()
    columns = ["chi_square", "cfi", "rmsea", "srmr", "chi_square_difference"]
    assert_allclose(other[columns], plain[columns], rtol=1e-5, atol=1e-6)


def test_items_that_the_model_does_not_name_take_no_part():
    groups = {"x": answers_of(200, 1), "y": answers_of(200, 2)}
    with_all = pm.invariance_from_moments(moments_of(groups), ONE).to_frame()
    with_few = pm.invariance_from_moments(moments_of({k: v[ONE["care"]] for k, v in groups.items()}), ONE).to_frame()
    pd.testing.assert_frame_equal(with_all, with_few)


# ------------------------------------------------------------------------------------------------------- verdicts


def verdict_of(first, second, model=MODEL, **options):
    return pm.invariance_verdict(moments_of({"staff": first, "customers": second}), model, **options)


def test_groups_that_use_the_items_alike_may_be_compared():
    verdict = verdict_of(answers_of(400, 1), answers_of(400, 2, level=0.8))
    assert (verdict.comparable, verdict.enough, verdict.code) == (True, True, "comparable")
    assert (verdict.configural, verdict.metric, verdict.scalar) == (True, True, True)
    assert verdict.groups == ("customers", "staff")
    assert verdict.invariance.holds in ("scalar", "strict")
    assert verdict.criterion == "chen2007"
    assert "Chen (2007)" in verdict.describe()


@pytest.mark.parametrize(
    ("planted", "code", "reached"),
    [
        ({"loading": 2.5}, "metric_fails", (True, False, False)),
        ({"intercept": 1.0}, "scalar_fails", (True, True, False)),
    ],
)
def test_what_differs_is_named_with_its_item(planted, code, reached):
    verdict = verdict_of(answers_of(500, 3), answers_of(500, 4, **planted))
    assert verdict.code == code
    assert not verdict.comparable
    assert (verdict.configural, verdict.metric, verdict.scalar) == reached
    assert "most of all b" in verdict.reason


def test_a_structure_that_does_not_fit_says_nothing_of_its_parts():
    generator = np.random.default_rng(1)

    def mixed():
        pairs = np.repeat(generator.normal(size=(400, 3)), 2, axis=1)
        return pd.DataFrame(pairs + 0.5 * generator.normal(size=(400, 6)), columns=ITEMS)

    verdict = verdict_of(mixed(), mixed(), {"care": ITEMS})
    assert verdict.code in ("misfit", "improper")
    assert (verdict.configural, verdict.scalar) == (False, False)


@pytest.mark.parametrize(
    ("n", "options", "enough"), [(99, {}, False), (100, {}, True), (40, {"minimum_group": 40}, True)]
)
def test_groups_are_large_enough_or_not(n, options, enough):
    verdict = verdict_of(answers_of(400, 1), answers_of(n, 2), ONE, **options)
    assert verdict.enough is enough
    if not enough:
        assert verdict.code == "too_few"
        assert verdict.scalar is None
        assert "customers has 99" in verdict.reason


def test_many_parameters_ask_for_more_respondents_than_100():
    model = {"one": list("abcde"), "two": list("fghij"), "three": list("klmno")}
    items = [item for block in model.values() for item in block]

    def made(seed):
        generator = np.random.default_rng(seed)
        level = np.repeat(generator.normal(size=(120, 3)), 5, axis=1)
        return pd.DataFrame(level + generator.normal(size=(120, 15)), columns=items)

    verdict = verdict_of(made(1), made(2), model)
    assert verdict.needed == 5 * (15 * 2 + 3 + 15)  # loadings and factors, residuals, correlations, intercepts
    assert (verdict.enough, verdict.code) == (False, "too_few")
    assert verdict.invariance is not None


def test_a_model_that_cannot_be_fitted_is_a_verdict_not_an_error():
    same = answers_of(300, 1)
    same["c"] = same["a"]
    verdict = verdict_of(same, answers_of(300, 2))
    assert (verdict.code, verdict.configural, verdict.invariance) == ("impossible", None, None)
    assert "a and c" in verdict.reason
    two = verdict_of(answers_of(300, 1), answers_of(300, 2), {"care": ["a", "b"]})
    assert two.code == "impossible"
    assert len(verdict.to_frame()) == 1


# ------------------------------------------------------------------------------------------------------- refusals


def test_refusals_name_groups_and_items():
    good = moments_of({"x": answers_of(200, 1), "y": answers_of(200, 2)})
    lacking = dict(good, z=moments_of({"z": answers_of(200, 3)[["a", "b", "c", "d", "e"]]})["z"])
    with pytest.raises(ValueError, match="f, of which group z"):
        pm.invariance_from_moments(lacking, MODEL)
    with pytest.raises(InsufficientDataError, match="at least 2 groups"):
        pm.invariance_from_moments({"x": good["x"]}, MODEL)
    with pytest.raises(TypeError, match="GroupMoments; not so for y"):
        pm.invariance_from_moments({"x": good["x"], "y": 3}, MODEL)
    with pytest.raises(InsufficientDataError, match="group tiny"):
        pm.invariance_from_moments(dict(good, tiny=dataclasses.replace(good["x"], n=5)), MODEL)
    constant = answers_of(200, 5).assign(e=2.0)
    with pytest.raises(InsufficientDataError, match="constant in group w: e"):
        pm.invariance_from_moments(dict(good, w=moments_of({"w": constant})["w"]), MODEL)


def test_moments_that_are_none_are_refused():
    index = ["a", "b"]
    mean = pd.Series([1.0, 2.0], index=index)
    covariance = pd.DataFrame([[1.0, 0.2], [0.2, 1.0]], index=index, columns=index)
    with pytest.raises(ValueError, match="symmetric"):
        pm.GroupMoments(10, mean, pd.DataFrame([[1.0, 0.9], [0.2, 1.0]], index=index, columns=index))
    with pytest.raises(ValueError, match="in their order"):
        pm.GroupMoments(10, mean, covariance.iloc[::-1])
    with pytest.raises(ValueError, match="finite"):
        pm.GroupMoments(10, mean * np.nan, covariance)
    with pytest.raises(ValueError, match="n must be at least 2"):
        pm.GroupMoments(1, mean, covariance)
    with pytest.raises(TypeError, match="mean must be a Series"):
        pm.GroupMoments(10, [1.0, 2.0], covariance)
    assert repr(pm.GroupMoments(10, mean, covariance)) == "GroupMoments(n=10, n_items=2, n_dropped=0)"


def test_moments_alone_have_no_robust_errors():
    groups = {"x": answers_of(200, 1), "y": answers_of(200, 2)}
    fitted = pm.invariance_from_moments(moments_of(groups), MODEL).model("metric")
    with pytest.raises(InsufficientDataError, match="answers themselves"):
        fitted.robust()
    with pytest.raises(InsufficientDataError, match="answers themselves"):
        fitted.to_frame(standard_errors="yuan_bentler")
