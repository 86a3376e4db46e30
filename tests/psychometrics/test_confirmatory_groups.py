"""Measurement invariance, and convergent and discriminant validity: planted truth, laws, refusals."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import InsufficientDataError
from servicediag import psychometrics as pm
from servicediag.psychometrics.invariance import INVARIANCE_CRITERIA

MODEL = {"one": ["a", "b", "c", "d"], "two": ["e", "f", "g"]}
ITEMS = [item for block in MODEL.values() for item in block]


def two_groups(seed=0, n=500, loading=0.0, intercept=0.0, residual=1.0, mean=0.0):
    """Two groups that differ in item ``b`` as told, and in the factors' means."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(["north", "south"], n)
    south = groups == "south"
    factors = generator.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=2 * n) + mean * south[:, None]
    answers = pd.DataFrame(np.repeat(factors, [4, 3], axis=1) + generator.normal(size=(2 * n, 7)), columns=ITEMS)
    noise = generator.normal(size=2 * n) * np.sqrt(np.where(south, residual, 1.0))
    answers["b"] = factors[:, 0] * (1 + loading * south) + intercept * south + noise
    return answers, pd.Series(groups, index=answers.index)


# --------------------------------------------------------------------------------------------------- invariance


def test_equal_groups_hold_to_the_last_level_even_where_their_means_differ():
    answers, groups = two_groups(mean=0.8)
    result = pm.measurement_invariance(answers, MODEL, groups)
    assert list(result.to_frame().index) == ["configural", "metric", "scalar", "strict"]
    assert result.holds == "strict"
    assert_allclose(result.model("scalar").factor_means.loc["south"], 0.8, atol=0.15)
    assert_allclose(result.model("scalar").factor_means.loc["north"], 0)
    assert (result.to_frame()["p_difference"].dropna() > 0.01).all()


@pytest.mark.parametrize(
    ("planted", "level"),
    [({"loading": 1.0}, "metric"), ({"intercept": 1.0}, "scalar"), ({"residual": 6.0}, "strict")],
)
def test_what_differs_is_found_at_its_level_and_item(planted, level):
    answers, groups = two_groups(**planted)
    result = pm.measurement_invariance(answers, MODEL, groups)
    verdicts = result.interpret()
    assert not verdicts.loc[level, "holds"]
    assert verdicts.loc[:level, "holds"].iloc[:-1].all()
    assert result.score_tests(level)["item"].iloc[0] == "b"
    assert result.to_frame().loc[level, "p_difference"] < 1e-6
    assert level.capitalize() in result.describe()


def test_score_test_tells_the_size_of_an_intercept_difference():
    answers, groups = two_groups(intercept=0.5, n=4000)
    table = pm.measurement_invariance(answers, MODEL, groups).score_tests("scalar")
    found = table[(table["item"] == "b") & (table["group"] == "south")]["expected_difference"].iloc[0]
    other = table[(table["item"] == "b") & (table["group"] == "north")]["expected_difference"].iloc[0]
    assert found > 0 > other
    assert_allclose(found - other, 2 * 0.5, rtol=0.25)  # each row frees one group, so each tells the whole difference


def test_degrees_of_freedom_and_nesting():
    answers, groups = two_groups()
    table = pm.measurement_invariance(answers, MODEL, groups).to_frame()
    assert table["df"].tolist() == [26, 31, 36, 43]
    assert (table["chi_square"].diff().dropna() > -1e-6).all()
    assert_allclose(table["chi_square_difference"].iloc[1:], table["chi_square"].diff().iloc[1:])
    assert_allclose(table["cfi_difference"].iloc[1:], table["cfi"].diff().iloc[1:])


def test_names_of_groups_order_of_rows_and_units_do_not_matter():
    answers, groups = two_groups(loading=0.3, intercept=0.3)
    first = pm.measurement_invariance(answers, MODEL, groups).to_frame()
    shuffled = answers.sample(frac=1, random_state=1)
    renamed = groups.map({"north": 9, "south": 3})
    second = pm.measurement_invariance(shuffled * 10 + 3, MODEL, renamed).to_frame()
    columns = ["chi_square", "cfi", "tli", "rmsea", "srmr"]
    assert_allclose(first[columns], second[columns], atol=1e-5)


def test_strict_model_of_random_groups_is_near_the_model_of_all():
    answers, _ = two_groups()
    three = pd.Series(["x", "y", "z"] * 333 + ["x"], index=answers.index)
    result = pm.measurement_invariance(answers, MODEL, three)
    assert result.groups == ("x", "y", "z")
    whole = pm.confirmatory_factor_analysis(answers, MODEL)
    assert_allclose(result.model("strict").loadings.loc["x"], whole.loadings, atol=0.05)
    assert_allclose(result.model("strict").loadings.loc["x"], result.model("strict").loadings.loc["z"])


def test_groups_and_items_that_cannot_be_used_are_refused():
    answers, groups = two_groups(n=60)
    with pytest.raises(InsufficientDataError, match="at least 2 groups"):
        pm.measurement_invariance(answers, MODEL, ["all"] * 120)
    with pytest.raises(InsufficientDataError, match=r"constant in group south: c"):
        pm.measurement_invariance(answers.assign(c=answers["c"].where(groups == "north", 2.0)), MODEL, groups)
    with pytest.raises(TypeError, match="groups"):
        pm.measurement_invariance(answers, MODEL, None)
    with pytest.raises(ValueError, match="groups"):
        pm.measurement_invariance(answers, MODEL, ["a", "b"])
    with pytest.raises(ValueError, match="level"):
        pm.measurement_invariance(answers, MODEL, groups).model("partial")


def test_labels_of_groups_may_be_anything_that_names():
    answers, groups = two_groups(n=60)
    for labels in ({"north": (1, 2), "south": (3, 4)}, {"north": 1, "south": "b"}):
        result = pm.confirmatory_factor_analysis(answers, MODEL, groups=[labels[name] for name in groups])
        assert set(result.groups) == set(labels.values())
        assert result.loadings.index.names == ["group", "item"]
        assert result.loadings.shape == (14, 2)
        assert_allclose(result.factor_means, 0)


def test_respondents_without_a_group_are_left_out_and_counted():
    answers, groups = two_groups(n=100)
    groups = groups.astype(object)
    groups.iloc[:7] = None
    result = pm.measurement_invariance(answers, MODEL, groups)
    assert (result.n_respondents, result.n_dropped, result.group_sizes) == (193, 7, (93, 100))


@pytest.mark.parametrize(
    ("name", "level", "changes", "verdict"),
    [
        ("chen2007", "metric", (-0.009, 0.02, 0.04), "holds"),
        ("chen2007", "metric", (-0.010, 0.014, 0.029), "doubtful"),
        ("chen2007", "metric", (-0.010, 0.015, 0.0), "fails"),
        ("chen2007", "scalar", (-0.010, 0.0, 0.010), "fails"),
        ("chen2007_small", "metric", (-0.005, 0.010, 0.0), "fails"),
        ("cheung_rensvold2002", "scalar", (-0.010, 0.0, 0.0), "fails"),
        ("cheung_rensvold2002", "scalar", (-0.0099, 0.1, 0.1), "holds"),
    ],
)
def test_boundaries_of_the_criteria(name, level, changes, verdict):
    assert INVARIANCE_CRITERIA[name].verdict(level, *changes) == verdict


# ----------------------------------------------------------------------------------------------------- validity


def exact(correlation, n=100):
    p = len(correlation)
    raw = np.random.default_rng(0).normal(size=(n, p))
    raw -= raw.mean(axis=0)
    raw = raw @ np.linalg.inv(np.linalg.cholesky(raw.T @ raw / n)).T
    return raw @ np.linalg.cholesky(correlation).T


def test_htmt_by_hand():
    r = np.array(
        [
            [1.0, 0.6, 0.5, 0.3, 0.2, 0.4],
            [0.6, 1.0, 0.4, 0.2, 0.3, 0.3],
            [0.5, 0.4, 1.0, 0.1, 0.2, 0.3],
            [0.3, 0.2, 0.1, 1.0, 0.5, 0.7],
            [0.2, 0.3, 0.2, 0.5, 1.0, 0.6],
            [0.4, 0.3, 0.3, 0.7, 0.6, 1.0],
        ]
    )
    answers = pd.DataFrame(exact(r) * [1, 2, 3, 4, 5, 6], columns=list("abcdef"))
    result = pm.convergent_discriminant(answers, {"x": list("abc"), "y": list("def")})
    between = np.array([0.3, 0.2, 0.4, 0.2, 0.3, 0.3, 0.1, 0.2, 0.3])
    assert_allclose(result.htmt.loc["x", "y"], between.mean() / np.sqrt(0.5 * 0.6), atol=1e-10)
    geometric = np.exp(np.log(between).mean()) / (0.6 * 0.5 * 0.4 * 0.5 * 0.7 * 0.6) ** (1 / 6)
    assert_allclose(result.htmt2.loc["y", "x"], geometric, atol=1e-10)
    assert_allclose(np.diag(result.htmt), 1)


def test_variance_extracted_and_reliability_follow_from_the_loadings():
    answers, _ = two_groups()
    answers = answers * [1, 2, 1, 3, 1, 1, 2]
    result = pm.convergent_discriminant(answers, MODEL)
    fitted = pm.confirmatory_factor_analysis(answers, MODEL, identification="variance")
    for factor, items in MODEL.items():
        loadings = fitted.loadings.loc[items, factor]
        residuals = fitted.residual_variances.loc[items, "variance"]
        raw = (loadings**2).sum() / ((loadings**2).sum() + residuals.sum())
        assert_allclose(result.average_variance_extracted[factor], raw, rtol=1e-8)
        standard = (fitted.standardized_loadings.loc[items, factor] ** 2).mean()
        assert_allclose(result.standardized_variance_extracted[factor], standard, rtol=1e-8)
        assert_allclose(
            result.composite_reliability[factor], loadings.sum() ** 2 / (loadings.sum() ** 2 + residuals.sum())
        )
        observed = loadings.sum() ** 2 / answers[items].sum(axis=1).var(ddof=0)
        assert_allclose(result.composite_reliability_observed[factor], observed, rtol=1e-8)
    alone = pm.mcdonald_omega(answers[MODEL["one"]], denominator="model").estimate
    one = pm.convergent_discriminant(answers, {"one": MODEL["one"]})
    assert_allclose(one.composite_reliability["one"], alone, rtol=1e-4)


def test_factors_that_are_one_are_told():
    generator = np.random.default_rng(1)
    answers = pd.DataFrame(generator.normal(size=(400, 1)) + generator.normal(size=(400, 7)), columns=ITEMS)
    result = pm.convergent_discriminant(answers, MODEL)
    assert result.htmt.loc["one", "two"] > 0.9
    assert not result.to_frame()["fornell_larcker"].any()
    assert "one and two" in result.describe()
    assert result.pairs()["label"].iloc[0] == "not distinct"


def test_negative_correlations_are_named_and_never_silently_turned():
    answers, _ = two_groups()
    against = answers.assign(e=-answers["e"], f=-answers["f"], g=-answers["g"])
    straight, turned = (pm.convergent_discriminant(x, MODEL) for x in (answers, against))
    assert_allclose(turned.htmt.loc["one", "two"], -straight.htmt.loc["one", "two"])
    absolute = pm.convergent_discriminant(against, MODEL, correlations="absolute")
    assert_allclose(absolute.htmt.loc["one", "two"], straight.htmt.loc["one", "two"])
    assert any("negatively between one and two" in note for note in turned.notes)
    mixed = pm.convergent_discriminant(answers.assign(a=-2 * answers["a"], b=-answers["b"]), MODEL)
    assert np.isnan(mixed.htmt.loc["one", "two"])
    assert any("undefined for one" in note for note in mixed.notes)


def test_items_of_two_factors_and_unknown_choices_are_refused():
    answers, _ = two_groups()
    with pytest.raises(ValueError, match="more than one factor"):
        pm.convergent_discriminant(answers, {"one": list("abcd"), "two": list("defg")})
    with pytest.raises(ValueError, match="correlations"):
        pm.convergent_discriminant(answers, MODEL, correlations="squared")
