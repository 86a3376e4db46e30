"""Agreement statistics against stored results of R packages on real data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag.psychometrics import (
    aggregation,
    cohen_kappa,
    cronbach_alpha,
    fleiss_kappa,
    gwet_ac,
    intraclass_correlation,
    krippendorff_alpha,
    rwg_critical_value,
    within_group_agreement,
)

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference values are not part of the project")
CLOSED_FORM = {"rtol": 0, "atol": 1e-9}
ROUNDED = {"rtol": 0, "atol": 1e-5}


def entries(name):
    stored = json.loads((ORACLE / "reference" / f"{name}.json").read_text(encoding="utf-8"))
    return {key: entry["value"] for key, entry in stored["entries"].items() if not key.endswith("_ASIS_BUGGY")}


def data(name):
    return pd.read_csv(ORACLE / "data" / f"{name}.csv")


# -------------------------------------------------------------------------------------------------------------- ICC


def icc_ratings(name):
    if name == "cohesion_items":
        return data("cohesion")[[f"COH0{i}" for i in range(1, 6)]]
    if name == "attitude_items":
        return data("attitude")[["complaints", "learning", "raises"]]
    return data(name)


ICC_SETS = ["shrout_fleiss", "irr_anxiety", "cohesion_items", "attitude_items"]


@pytest.mark.parametrize("name", ICC_SETS)
@pytest.mark.parametrize(("key", "level"), [("icc_psych", 0.95), ("icc_psych_90", 0.90)])
def test_six_forms_with_tests_and_intervals_match_psych(name, key, level):
    expected = entries(f"icc__{name}")[key]["results"]
    table = intraclass_correlation(icc_ratings(name)).to_frame(level=level)
    for column, theirs in {
        "estimate": "ICC", "f": "F", "df1": "df1", "df2": "df2", "p": "p",
        "ci_low": "lower bound", "ci_high": "upper bound",
    }.items():  # fmt: skip
        assert_allclose(table[column], expected[theirs], **CLOSED_FORM)


@pytest.mark.parametrize("name", ICC_SETS)
def test_mean_squares_and_the_test_of_rater_bias_match_psych(name):
    reference = entries(f"icc__{name}")
    result = intraclass_correlation(icc_ratings(name))
    squares = reference["anova_base"]
    ours = (result.mean_square_targets, result.mean_square_raters, result.mean_square_within, result.mean_square_error)
    assert_allclose(ours, [squares[key] for key in ("MSR", "MSC", "MSW", "MSE")], **CLOSED_FORM)
    summary = reference["icc_psych"]["summary"]
    assert_allclose(result.rater_bias_f, summary["F value"][1], **CLOSED_FORM)
    assert_allclose(result.rater_bias_p, summary["Pr(>F)"][1], **CLOSED_FORM)


@pytest.mark.parametrize("name", ICC_SETS)
def test_estimates_and_single_rating_limits_match_irr(name):
    """irr takes other degrees of freedom for the limits of ICC(A,k), which break the Spearman-Brown relation."""
    reference = entries(f"icc__{name}")
    table = intraclass_correlation(icc_ratings(name)).to_frame()
    for form, key in {
        "ICC(1,1)": "oneway_consistency_single", "ICC(1,k)": "oneway_consistency_average",
        "ICC(3,1)": "twoway_consistency_single", "ICC(3,k)": "twoway_consistency_average",
        "ICC(2,1)": "twoway_agreement_single", "ICC(2,k)": "twoway_agreement_average",
    }.items():  # fmt: skip
        expected = reference[f"irr_{key}"]
        assert_allclose(table.loc[form, "estimate"], expected["value"], **CLOSED_FORM)
        if form != "ICC(2,k)":
            limits = [expected["lbound"], expected["ubound"]]
            assert_allclose(table.loc[form, ["ci_low", "ci_high"]].astype(float), limits, **CLOSED_FORM)


def test_consistency_of_the_average_is_alpha():
    ratings = icc_ratings("shrout_fleiss")
    assert_allclose(intraclass_correlation(ratings).coefficient("ICC(3,k)"), cronbach_alpha(ratings).estimate)
    expected = entries("icc__shrout_fleiss")["alpha"]
    assert_allclose(intraclass_correlation(ratings).coefficient("ICC(3,k)"), expected, **CLOSED_FORM)


# ------------------------------------------------------------------------------------------------------------ groups


def group_study(name):
    """Answers, units and option values of a data set."""
    if name == "cohesion_platoon":
        frame = data("cohesion")
        return frame[[f"COH0{i}" for i in range(1, 6)]], frame["UNIT"] + "." + frame["PLATOON"], (1, 5)
    if name == "fevs_null":
        frame = data("fevs_synthetic_null")
        return frame[[f"Q{i}" for i in range(1, 6)]], frame["FY"], (1, 5)
    frame = data("lq2002")
    columns, scale = {
        "lq2002_lead": ([f"LEAD{i:02d}" for i in range(1, 12)], (1, 5)),
        "lq2002_tsig": ([f"TSIG0{i}" for i in range(1, 4)], (1, 5)),
        "lq2002_hostil": ([f"HOSTIL0{i}" for i in range(1, 6)], (0, 4)),
    }[name]
    return frame[columns], frame["COMPID"], scale


GROUP_SETS = ["cohesion_platoon", "fevs_null", "lq2002_lead", "lq2002_tsig", "lq2002_hostil"]


def matched(table, groups, column):
    table = table.set_axis(table.index.astype(str))
    return table.loc[groups, column].astype(float)


@pytest.mark.parametrize("name", GROUP_SETS)
@pytest.mark.parametrize(
    ("column", "key", "theirs"),
    [
        ("rwg_j", "rwg_j", "rwg.j"),
        ("rwg_j_lindell", "rwg_j_lindell", "rwg.lindell"),
        ("awg", "awg", "a.wg"),
        ("ad_m", "ad_mean", "AD.M"),
    ],
)
def test_agreement_in_every_unit_matches_multilevel(name, column, key, theirs):
    answers, units, scale = group_study(name)
    expected = entries(f"groups__{name}")[key]
    table = within_group_agreement(answers, units, scale=scale).to_frame()
    assert_allclose(matched(table, expected["group"], column), np.array(expected[theirs], float), **CLOSED_FORM)
    if "gsize" in expected:
        assert_allclose(matched(table, expected["group"], "n"), expected["gsize"])


@pytest.mark.parametrize("name", GROUP_SETS)
@pytest.mark.parametrize("item", [0, 1, 2])
def test_single_items_match_multilevel(name, item):
    answers, units, scale = group_study(name)
    reference = entries(f"groups__{name}")
    table = within_group_agreement(answers.iloc[:, [item]], units, scale=scale).to_frame()
    expected = reference[f"rwg_item{item + 1}"]
    assert_allclose(matched(table, expected["group"], "rwg_j"), expected["rwg"], **CLOSED_FORM)
    if item == 0:
        awg = reference["awg_item1"]
        assert_allclose(matched(table, awg["group"], "awg"), np.array(awg["a.wg"], float), **CLOSED_FORM)


@pytest.mark.parametrize("name", GROUP_SETS)
def test_aggregation_matches_aov_and_multilevel(name):
    answers, units, _ = group_study(name)
    reference = entries(f"groups__{name}")
    scores = answers.mean(axis=1, skipna=False)
    anova, mean = aggregation(scores, units), aggregation(scores, units, group_size="mean")
    assert_allclose(mean.icc1, reference["ICC1_scale"], **CLOSED_FORM)
    assert_allclose((anova.icc2, mean.icc2), reference["ICC2_scale"], **CLOSED_FORM)
    by_hand = reference["n0_base"]
    assert_allclose(anova.icc1, by_hand["ICC1_n0"], **CLOSED_FORM)
    assert_allclose((anova.typical_size, mean.typical_size), (by_hand["n0"], by_hand["nbar"]), rtol=1e-12)
    assert_allclose(anova.eta_squared, by_hand["eta2"], **CLOSED_FORM)
    assert_allclose((anova.f, anova.p), (reference["aov_scale"]["F"], reference["aov_scale"]["p"]), **CLOSED_FORM)
    assert [anova.df1, anova.df2] == reference["aov_scale"]["df"]


@pytest.mark.parametrize("name", GROUP_SETS)
def test_aggregation_of_single_items_matches_multilevel(name):
    answers, units, _ = group_study(name)
    expected = entries(f"groups__{name}")["icc_by_item"]["matrix"]
    for item, (icc1, icc2) in zip(answers, expected, strict=True):
        result = aggregation(answers[item], units, group_size="mean")
        assert_allclose((result.icc1, result.icc2), (icc1, icc2), **CLOSED_FORM)


def test_simulated_critical_value_is_that_of_multilevel_up_to_one_possible_value():
    """r_wg of ten people on five options takes few values: both stand at neighbours where 5 % is passed."""
    expected = entries("groups__lq2002_tsig")["rwg_sim"]
    ours = rwg_critical_value(expected["gsize"], scale=(1, 5), n_resamples=20_000)
    assert expected["p95"] - 0.05 < ours <= expected["p95"] + 1e-9


# ------------------------------------------------------------------------------------------------------------ raters


def rater_study(name):
    if name == "bfi_N300":
        return data("bfi")[[f"N{i}" for i in range(1, 6)]].iloc[:300]
    return data("irrCAC_cac_raw4raters" if name == "irrCAC_raw4raters" else name)


RATER_SETS = ["krippendorff_4x12", "irrCAC_raw4raters", "irr_anxiety", "irr_diagnoses", "bfi_N300"]
COHEN_PAIRS = [
    (name, first, second)
    for name, raters in (("irr_anxiety", 3), ("irr_diagnoses", 4))
    for first in range(1, raters)
    for second in range(first + 1, raters + 1)
]


@pytest.mark.parametrize(("name", "first", "second"), COHEN_PAIRS)
def test_cohens_kappa_matches_irr(name, first, second):
    reference, ratings = entries(f"kappa__{name}"), rater_study(name)
    pair = ratings.iloc[:, first - 1], ratings.iloc[:, second - 1]
    expected = reference[f"cohen_{first}_{second}"]["value"]
    assert_allclose(cohen_kappa(*pair).estimate, expected, **CLOSED_FORM)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (1, 3), (2, 3)])
@pytest.mark.parametrize(("weights", "key"), [("linear", "lin"), ("quadratic", "quad")])
def test_weighted_kappa_matches_irr_on_its_terms(first, second, weights, key):
    """irr weights by the rank among the categories that these two raters used, whatever their values."""
    ratings = rater_study("irr_anxiety")
    pair = ratings.iloc[:, [first - 1, second - 1]]
    used = sorted(set(pair.to_numpy().ravel()))
    ranked = pair.replace(dict(zip(used, range(len(used)), strict=True)))
    result = cohen_kappa(ranked.iloc[:, 0], ranked.iloc[:, 1], weights=weights)
    expected = entries("kappa__irr_anxiety")[f"cohen_{key}_{first}_{second}"]["value"]
    assert_allclose(result.estimate, expected, **CLOSED_FORM)


@pytest.mark.parametrize("name", ["irr_anxiety", "irr_diagnoses"])
def test_cohens_kappa_and_its_interval_match_psych(name):
    """psych's variance of weighted kappa is no target: jackknife and delta method contradict it."""
    expected, ratings = entries(f"kappa__{name}")["cohen_psych_1_2"], rater_study(name)
    result = cohen_kappa(ratings.iloc[:, 0], ratings.iloc[:, 1])
    assert_allclose(result.estimate, expected["kappa"], **CLOSED_FORM)
    assert_allclose(result.standard_error**2, expected["var.kappa"], **CLOSED_FORM)
    low, _, high = expected["confid"]["matrix"][0]
    assert_allclose(list(result.confidence_interval()), [low, high], **CLOSED_FORM)
    used = sorted(set(ratings.iloc[:, 0]) | set(ratings.iloc[:, 1]))
    weighted = cohen_kappa(ratings.iloc[:, 0], ratings.iloc[:, 1], categories=used, weights="quadratic")
    assert_allclose(weighted.estimate, expected["weighted.kappa"], **CLOSED_FORM)


@pytest.mark.parametrize("name", ["irr_anxiety", "irr_diagnoses"])
def test_fleiss_kappa_matches_irr(name):
    expected = entries(f"kappa__{name}")["fleiss"]
    result = fleiss_kappa(rater_study(name))
    assert_allclose(result.estimate, expected["value"], **CLOSED_FORM)
    by_category = [row[0] for row in expected["detail"]["matrix"]]
    assert_allclose(result.by_category()["kappa"], by_category, rtol=0, atol=5.1e-4)  # printed with three decimals


CAC = {
    "fleiss_irrCAC": fleiss_kappa,
    "gwet_ac1": gwet_ac,
    "gwet_ac2_quadratic": lambda ratings: gwet_ac(ratings, weights="quadratic"),
}


@pytest.mark.parametrize("name", RATER_SETS)
@pytest.mark.parametrize("key", CAC)
def test_fleiss_and_gwet_match_irrcac_with_missing_ratings(name, key):
    reference = entries(f"kappa__{name}")
    if key not in reference:
        pytest.skip("categories without numbers have no quadratic weights there")
    expected, result = reference[key], CAC[key](rater_study(name))
    assert_allclose(
        (result.observed_agreement, result.expected_agreement), (expected["pa"], expected["pe"]), **CLOSED_FORM
    )
    assert_allclose((result.estimate, result.standard_error), (expected["coeff.val"], expected["coeff.se"]), **ROUNDED)
    low, high = (float(limit) for limit in expected["conf.int"].strip("()").split(","))
    ours = result.confidence_interval()
    assert_allclose((ours.low, min(ours.high, 1)), (low, high), rtol=0, atol=5.1e-4)


@pytest.mark.parametrize("name", RATER_SETS)
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_krippendorffs_alpha_matches_irr(name, level):
    reference = entries(f"kappa__{name}")
    if f"kripp_{level}" not in reference:
        pytest.skip("categories without numbers")
    result = krippendorff_alpha(rater_study(name), level=level)
    assert_allclose(result.estimate, reference[f"kripp_{level}"]["value"], **CLOSED_FORM)


@pytest.mark.parametrize("name", RATER_SETS)
def test_standard_error_of_krippendorffs_alpha_matches_irrcac(name):
    expected, result = entries(f"kappa__{name}")["kripp_irrCAC"], krippendorff_alpha(rater_study(name))
    assert_allclose((result.estimate, result.standard_error), (expected["coeff.val"], expected["coeff.se"]), **ROUNDED)
    low, high = (float(limit) for limit in expected["conf.int"].strip("()").split(","))
    ours = result.confidence_interval()
    assert_allclose((ours.low, min(ours.high, 1)), (low, high), rtol=0, atol=5.1e-4)
