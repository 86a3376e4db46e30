"""Factor models, invariance and validity against reference values that R computed on real data."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="reference data are not at hand")

STUDIES = ("bfi25_5f", "bfi_N_1f", "ecsi_4f", "hs9_1f", "hs9_3f", "lq2002_3f")
REVERSED = ("A1", "C4", "C5", "E1", "E2", "O2", "O5")
FIT = {
    "df": "df", "p": "pvalue", "cfi": "cfi", "tli": "tli", "rmsea": "rmsea", "rmsea_low": "rmsea.ci.lower",
    "rmsea_high": "rmsea.ci.upper", "rmsea_close_p": "rmsea.pvalue", "srmr": "srmr",
}  # fmt: skip


def reference(family, name):
    text = (ORACLE / "reference" / f"{family}__{name}.json").read_text(encoding="utf-8")
    whole = json.loads(text)
    lines = re.search(r'model <- "([^"]*)"', " ".join(whole["prep"])).group(1).replace("\\n", "\n").split("\n")
    model = {}
    for line in lines:
        factor, items = line.split("=~")
        model[factor.strip()] = [item.strip() for item in items.split("+")]
    source = re.search(r"csv\('(\w+)'\)", " ".join(whole["prep"])).group(1)
    data = pd.read_csv(ORACLE / "data" / f"{source}.csv")
    if source == "bfi":
        for item in REVERSED:
            data[item] = 7 - data[item]
        data = data.dropna(subset=[f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)])
    return data, model, {key: entry["value"] for key, entry in whole["entries"].items()}


def parameters(result, value, groups=(None,)):
    """Our parameter rows beside the reference's, in its order."""
    ours = {}
    for row in result.to_frame().to_dict("records"):
        for ends in ((row["from"], row["to"]), (row["to"], row["from"])):
            ours[(row.get("group"), row["kind"], *ends)] = row
    kinds = {"=~": "loading", "~1": "intercept"}
    theirs, standardized = pd.DataFrame(value["estimates"]), pd.DataFrame(value["standardized"])
    pairs = []
    for at, row in theirs.iterrows():
        factor = row["lhs"] in result.factors
        kind = kinds.get(row["op"], "factor_covariance" if factor else "residual_covariance")
        ends = ("", row["lhs"]) if row["op"] == "~1" else (row["lhs"], row["rhs"])
        if row["op"] == "~1" and factor:
            kind = "factor_mean"
            if not row["se"]:
                continue  # fixed at 0
        label = groups[int(row["group"]) - 1] if "group" in row else None
        pairs.append((ours[(label, kind, *ends)], row, standardized.loc[at]))
    return pairs


def check(result, value, groups=(None,)):
    assert_allclose(result.fit.chi_square, value["fit"]["chisq"], atol=1e-3)
    for name, theirs in FIT.items():
        assert_allclose(getattr(result.fit, name), value["fit"][theirs], atol=1e-5, err_msg=name)
    assert_allclose(result.fit.log_likelihood, value["fit"]["logl"], atol=1e-3)
    assert_allclose([result.fit.aic, result.fit.bic], [value["fit"]["aic"], value["fit"]["bic"]], atol=1e-3)
    pairs = parameters(result, value, groups)
    assert len(pairs) > result.fit.n_parameters - 1
    for ours, theirs, standard in pairs:
        name = f"{ours['from']} {ours['to']}"
        assert_allclose(ours["estimate"], theirs["est"], atol=1e-4, err_msg=name)
        assert_allclose(np.nan_to_num(ours["standard_error"]), theirs["se"], atol=1e-4, err_msg=name)
        assert_allclose(ours["standardized"], standard["est.std"], atol=1e-4, err_msg=name)
        assert_allclose(ours["standardized_error"], standard["se"], atol=1e-4, err_msg=name)


@pytest.fixture(scope="module", params=STUDIES)
def case(request):
    return reference("cfa", request.param)


def test_marker_solution(case):
    data, model, known = case
    check(pm.confirmatory_factor_analysis(data, model), known["ml"])


def test_solution_with_factor_variances_of_one(case):
    data, model, known = case
    check(pm.confirmatory_factor_analysis(data, model, identification="variance"), known["ml_stdlv"])


def test_srmr_with_means(case):
    data, model, known = case
    result = pm.confirmatory_factor_analysis(data, model, mean_structure=True)
    assert_allclose(result.fit.srmr, known["ml_meanstructure"]["fit"]["srmr"], atol=1e-5)
    assert result.fit.n_parameters == known["ml_meanstructure"]["fit"]["npar"]


def test_implied_covariance(case):
    data, model, known = case
    expected = known["implied_cov"]
    ours = pm.confirmatory_factor_analysis(data, model).implied_covariance
    expected = pd.DataFrame(expected["matrix"], index=expected["rownames"], columns=expected["colnames"])
    assert_allclose(ours.loc[expected.index, expected.columns], expected, atol=1e-4)


def test_modification_indices(case):
    data, model, known = case
    expected = pd.DataFrame(known["modindices_top10"])
    ours = pm.confirmatory_factor_analysis(data, model).modification_indices().head(10)
    assert ours["from"].tolist() == expected["lhs"].tolist()
    assert ours["to"].tolist() == expected["rhs"].tolist()
    assert_allclose(ours["modification_index"], expected["mi"], rtol=1e-4)
    assert_allclose(ours["expected_change"], expected["epc"], atol=1e-4)
    assert_allclose(ours["standardized_change"], expected["sepc.all"], atol=1e-4)


def test_robust_fit(case):
    data, model, known = case
    expected = known["mlr"]["fit"]
    ours = pm.confirmatory_factor_analysis(data, model).robust("yuan_bentler")
    assert_allclose(ours.chi_square, expected["chisq.scaled"], atol=1e-3)
    assert_allclose(ours.scaling_factor, expected["chisq.scaling.factor"], atol=1e-5)
    for name in ("cfi", "tli", "rmsea"):
        assert_allclose(getattr(ours, name), expected[f"{name}.scaled"], atol=1e-5)
        assert_allclose(getattr(ours, f"{name}_robust"), expected[f"{name}.robust"], atol=1e-5)


def test_validity(case):
    data, model, known = case
    ours = pm.convergent_discriminant(data, model)
    for factor in model:
        assert_allclose(ours.average_variance_extracted[factor], known["AVE"][factor], atol=1e-4)
        assert_allclose(ours.composite_reliability[factor], known["compRelSEM"][factor], atol=1e-4)
        assert_allclose(ours.composite_reliability_observed[factor], known["compRelSEM_obsvar"][factor], atol=1e-4)
    if "htmt" in known:
        assert_allclose(ours.htmt2, known["htmt"]["matrix"], atol=1e-9)


def test_incomplete_answers():
    data, model, known = reference("cfa", "hs9_3f")
    data.loc[data["ageyr"] < 13, "x5"] = np.nan
    result = pm.confirmatory_factor_analysis(data, model, missing="fiml")
    check(result, known["fiml_with_missing"])


# The reference's first group is the first in the file; ours is the first by name.
@pytest.mark.parametrize(
    ("name", "column", "labels"),
    [
        ("hs_school", "school", {"Pasteur": "1 Pasteur", "Grant-White": "2 Grant-White"}),
        ("bfi_gender_CN", "gender", {}),
    ],
)
def test_invariance(name, column, labels):
    data, model, known = reference("invariance", name)
    data = data.dropna(subset=[column])
    groups = data[column].replace(labels)
    result = pm.measurement_invariance(data, model, groups)
    for level in ("configural", "metric", "scalar", "strict"):
        check(result.model(level), known[level], result.groups)
    table = result.to_frame().iloc[1:]
    assert_allclose(table["chi_square_difference"], known["lrt"]["Chisq diff"][1:], atol=1e-3)
    assert_allclose(table["df_difference"], known["lrt"]["Df diff"][1:])
    assert_allclose(table["p_difference"], known["lrt"]["Pr(>Chisq)"][1:], atol=1e-5)
