"""Values of R for answers that are made here, for what no stored reference covers; the call stands beside each.

R 4.2.2, lavaan 0.6-14, semTools 0.5-6, MASS 7.3-58. ``m`` is MODEL in lavaan's words, ``d`` the answers, ``h`` those
with gaps, ``g`` alternates a, b, a, b ...
"""

import math
import random
import statistics

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm

MODEL = {"one": ["q1", "q2", "q3"], "two": ["q4", "q5", "q6"], "three": ["q7", "q8", "q9"]}
ITEMS = [item for block in MODEL.values() for item in block]
GROUPS = ["a", "b"] * 200


def made_answers():
    """Nine lopsided items of three factors, two of which share something else; Python's own random numbers."""
    draw, normal = random.Random(5), statistics.NormalDist()

    def standard():
        return normal.inv_cdf(min(max(draw.random(), 1e-12), 1 - 1e-12))

    rows = []
    for _ in range(400):
        general, same, row = standard(), standard(), []
        for factor in range(3):
            level = 0.6 * general + 0.8 * standard()
            for position in range(3):
                loading = 0.75 - 0.1 * position
                value = loading * level + math.sqrt(1 - loading**2) * standard()
                if (factor, position) in ((0, 2), (1, 0)):
                    value = 0.8 * value + 0.6 * same
                row.append(1 + sum(value > cut for cut in (-1.9, -1.4, -0.8, 0.2)))
        rows.append(row)
    return pd.DataFrame(rows, columns=ITEMS)


def with_gaps(answers):
    draw = random.Random(9)
    rows = [[value if draw.random() > 0.08 else math.nan for value in row] for row in answers.to_numpy().tolist()]
    return pd.DataFrame(rows, columns=ITEMS)


ANSWERS = made_answers()
GAPPY = with_gaps(ANSWERS)


def errors(table, kinds=("loading", "residual_covariance", "factor_covariance")):
    free = table[table["kind"].isin(kinds) & table["standard_error"].notna()]
    return {(row["kind"], row["from"], row["to"]): row["standard_error"] for row in free.to_dict("records")}


def test_the_answers_are_those_that_r_was_given():
    assert ANSWERS.to_numpy()[[0, 1, 399]].tolist() == FIRST_SECOND_LAST
    assert int(ANSWERS.to_numpy().sum()) == TOTAL
    assert int(GAPPY.isna().sum().sum()) == N_GAPS


# --------------------------------------------------------------------------------- robust standard errors and fit
# parameterEstimates(cfa(m, d, estimator = "MLM"))$se, "MLR", and cfa(m, h, estimator = "MLR", missing = "fiml")

LOADINGS = [("one", "q2"), ("one", "q3"), ("two", "q5"), ("two", "q6"), ("three", "q8"), ("three", "q9")]
COVARIANCES = [("one", "two"), ("one", "three"), ("two", "three")]
ROBUST = {
    "satorra_bentler": {
        "loadings": [0.184430255, 0.117378805, 0.154127494, 0.130541409, 0.162874145, 0.117250917],
        "covariances": [0.0415500848, 0.0390146045, 0.0490641764],
        "residual": 0.100367971,
        "chi_square": 66.7416456,
        "scaling_factor": 1.08428642,
        "baseline_scaling_factor": 1.2105126,
        "cfi": 0.886595473,
        "rmsea": 0.0667252182,
        "cfi_robust": 0.898420729,
        "tli_robust": 0.847631093,
        "rmsea_robust": 0.0694803522,
    },
    "yuan_bentler": {
        "loadings": [0.243892245, 0.127196973, 0.215573762, 0.172467266, 0.158120067, 0.119350965],
        "covariances": [0.0647950428, 0.0372574044, 0.0493714068],
        "residual": 0.115050119,
        "chi_square": 72.3058408,
        "scaling_factor": 1.00084667,
        "baseline_scaling_factor": 1.11748233,
        "cfi": 0.882544388,
        "rmsea": 0.0709355934,
        "cfi_robust": 0.894803654,
        "tli_robust": 0.842205481,
        "rmsea_robust": 0.0709656165,
    },
    "incomplete": {
        "loadings": [0.356372608, 0.131534798, 0.202551793, 0.163148473, 0.16564581, 0.136808857],
        "covariances": [0.0616601794, 0.036422154, 0.0503017144],
        "residual": 0.122779594,
        "chi_square": 65.5749202,
        "scaling_factor": 0.995850617,
        "baseline_scaling_factor": 1.10398484,
        "cfi": 0.88402672,
        "rmsea": 0.0658082127,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", ROBUST)
def test_robust_standard_errors_and_fit(case):
    known = dict(ROBUST[case])
    method = "yuan_bentler" if case == "incomplete" else case
    answers, missing = (GAPPY, "fiml") if case == "incomplete" else (ANSWERS, "listwise")
    result = pm.confirmatory_factor_analysis(answers, MODEL, missing=missing)
    found = errors(result.to_frame(standard_errors=method))
    assert_allclose([found["loading", *pair] for pair in LOADINGS], known.pop("loadings"), rtol=2e-5)
    assert_allclose([found["factor_covariance", *pair] for pair in COVARIANCES], known.pop("covariances"), rtol=2e-5)
    assert_allclose(found["residual_covariance", "q1", "q1"], known.pop("residual"), rtol=2e-5)
    fit = result.robust(method)
    assert_allclose([getattr(fit, name) for name in known], list(known.values()), rtol=3e-6)


# fitMeasures(cfa(m, d, estimator = ..., group = "g", group.equal = c("loadings", "intercepts")))
@pytest.mark.parametrize(
    ("method", "chi_square", "factor", "error_of_q2"),
    [("satorra_bentler", 108.887529, 1.08009336, 0.161774284), ("yuan_bentler", 116.269638, 1.01151685, 0.22165802)],
)
def test_robust_fit_of_groups_with_equal_loadings_and_intercepts(method, chi_square, factor, error_of_q2):
    fitted = pm.measurement_invariance(ANSWERS, MODEL, GROUPS).model("scalar")
    robust = fitted.robust(method)
    assert_allclose([robust.chi_square, robust.scaling_factor], [chi_square, factor], rtol=1e-6)
    found = errors(fitted.to_frame(standard_errors=method))
    assert_allclose(found["loading", "one", "q2"], error_of_q2, rtol=2e-5)


# ------------------------------------------------------------------------------------------------- ordered answers
# f <- cfa(m, d, ordered = TRUE, estimator = "WLSMV", std.lv = TRUE)


def test_ordered_answers_of_three_factors():
    result = pm.ordinal_confirmatory_factor_analysis(ANSWERS, MODEL, categories=range(1, 6))
    fit = result.fit
    values = [fit.chi_square, fit.df, fit.cfi, fit.tli, fit.rmsea, fit.srmr, fit.unadjusted_chi_square]
    known = [57.6205179, 24, 0.946831831, 0.920247747, 0.059252971, 0.0549385626, 43.9499526]
    assert_allclose(values, known, rtol=1e-6)
    loadings = [0.63454364, 0.762915916, 0.437115455, 0.681309476, 0.547480867, 0.490789203]
    loadings += [0.702585795, 0.743805075, 0.560862578]
    assert_allclose(result.loadings.sum(axis=1), loadings, atol=1e-6)
    between = result.factor_correlations.to_numpy()[[0, 0, 1], [1, 2, 2]]
    assert_allclose(between, [0.432417928, 0.390624703, 0.478111611], atol=1e-6)
    standard_errors = [0.0615282483, 0.0623274125, 0.0582029429, 0.0660025704, 0.0615934732, 0.0657170163]
    standard_errors += [0.0538298106, 0.0563759628, 0.057243893, 0.070541888, 0.0708587041, 0.0785544767]
    assert_allclose(result.to_frame()["standard_error"], standard_errors, rtol=1e-5)


# cfa(paste(m, "general =~ one + two + three"), ...); cfa(paste(m, "q3 ~~ q4"), ...); d >= 4 in place of d


def test_ordered_answers_under_a_second_order_factor():
    result = pm.ordinal_confirmatory_factor_analysis(ANSWERS, MODEL, structure="second_order")
    assert_allclose(result.fit.chi_square, 57.6205212, rtol=1e-6)
    table = result.to_frame().set_index(["from", "to"])
    assert_allclose(table.loc[("one", "q1"), ["estimate", "standard_error"]].astype(float), [0.5102879, 0.06014047],
                    rtol=2e-5)  # fmt: skip
    assert_allclose(table.loc[("general", "two"), ["estimate", "standard_error"]].astype(float),
                    [1.0603485, 0.32182223], rtol=2e-4)  # fmt: skip


def test_ordered_answers_with_items_that_share_more():
    result = pm.ordinal_confirmatory_factor_analysis(ANSWERS, MODEL, residual_covariances=[("q3", "q4")])
    fit = result.fit
    assert_allclose([fit.chi_square, fit.cfi, fit.rmsea], [31.3574978, 0.986783283, 0.0301778135], rtol=1e-6)
    row = result.to_frame().set_index("kind").loc["residual_covariance"]
    assert_allclose([row["estimate"], row["standard_error"]], [0.2683671, 0.05345823], rtol=1e-5)


def test_answers_of_two_categories():
    result = pm.ordinal_confirmatory_factor_analysis((ANSWERS >= 4).astype(int), MODEL)
    fit = result.fit
    assert_allclose([fit.chi_square, fit.cfi, fit.rmsea], [40.9252334, 0.930644553, 0.0420412156], rtol=1e-6)
    assert_allclose(result.loadings.loc["q2", "one"], 0.823500894, rtol=1e-5)
    assert_allclose(result.to_frame()["standard_error"].iloc[1], 0.0972103507, rtol=1e-5)


# compRelSEM(cfa("one =~ q1 + ... + q9", d, ordered = TRUE)), obs.var = FALSE; and of q1, q2, q3, q5
@pytest.mark.parametrize(
    ("items", "denominator", "known"),
    [
        (ITEMS, "observed", 0.715781235),
        (ITEMS, "model", 0.683325107),
        (["q1", "q2", "q3", "q5"], "observed", 0.534241093),
    ],
)
def test_categorical_omega(items, denominator, known):
    result = pm.categorical_omega(ANSWERS[items], categories=range(1, 6), denominator=denominator)
    assert_allclose(result.estimate, known, atol=2e-7)


# MASS::polr(ordered(item) ~ rowSums(d)), ... + g, ... * g: logLik of each, and of polr(ordered(item) ~ 1)
@pytest.mark.parametrize(
    ("item", "null", "score", "uniform", "both"),
    [
        ("q1", -517.791493, -462.104529, -462.059749, -460.446673),
        ("q5", -496.201749, -449.516644, -449.214394, -448.210273),
        ("q9", -481.419644, -424.715446, -424.323633, -424.267446),
    ],
)
def test_ordinal_dif(item, null, score, uniform, both):
    table = pm.ordinal_dif(ANSWERS, pd.Series(GROUPS), max_rounds=0, pseudo_r2="mcfadden").to_frame()
    known = [2 * (both - score), 2 * (uniform - score), 2 * (both - uniform), (score - both) / null]
    names = ["chi_square", "chi_square_uniform", "chi_square_nonuniform", "r2_change"]
    assert_allclose(table.loc[item, names].astype(float), known, atol=5e-5)  # polr stops at a gain of 1e-8 of its own


# optim() of the marginal log-likelihood of slopes and intercepts, theta on 241 points from -6 to 6 (own R code)


def test_graded_response_model():
    result = pm.graded_response_model(ANSWERS[["q1", "q2", "q3", "q7", "q8"]], categories=range(1, 6))
    assert_allclose(result.log_likelihood, -2436.59051, atol=1e-4)
    slopes = [1.4483089, 1.92545406, 0.751595291, 0.655749101, 0.603590803]
    intercepts = [4.20474991, 2.78628074, 1.70501662, -0.544288824]
    assert_allclose(result.discriminations, slopes, rtol=1e-4)
    assert_allclose(-result.difficulties.loc["q1"] * slopes[0], intercepts, rtol=1e-4)


# semTools::htmt(m, d, htmt2 = FALSE, absolute = FALSE or TRUE)
@pytest.mark.parametrize(("correlations", "first"), [("signed", 0.416425927), ("absolute", 0.431159489)])
def test_heterotrait_monotrait_ratio(correlations, first):
    ratio = pm.convergent_discriminant(ANSWERS, MODEL, correlations=correlations).htmt
    assert_allclose(ratio.to_numpy()[[0, 0, 1], [1, 2, 2]], [first, 0.359410581, 0.481609557], atol=1e-8)


FIRST_SECOND_LAST = [[5, 5, 5, 4, 5, 4, 4, 5, 4], [2, 2, 5, 4, 5, 4, 4, 1, 5], [4, 5, 4, 4, 5, 4, 4, 5, 4]]
TOTAL, N_GAPS = 14740, 324
