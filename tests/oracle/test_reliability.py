"""Reliability statistics against reference values that R computed on real data."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="reference data are not at hand")

REVERSED = {"A": ["A1"], "C": ["C4", "C5"], "E": ["E1", "E2"], "N": [], "O": ["O2", "O5"]}
STUDIES = [
    "attitude", "bfi_A", "bfi_C", "bfi_E", "bfi_N", "bfi_O", "ecsi_perq", "ecsi_sat", "fevs_null", "hs9",
    "lq2002_hostil", "lq2002_lead",
]  # fmt: skip


def data(name):
    return pd.read_csv(ORACLE / "data" / f"{name}.csv")


def bfi(scale):
    items = data("bfi")[[f"{scale}{i}" for i in range(1, 6)]].copy()
    for name in REVERSED[scale]:
        items[name] = 7 - items[name]
    return items


def study(name):
    if name.startswith("bfi_"):
        return bfi(name[-1])
    if name == "attitude":
        return data("attitude")
    if name == "fevs_null":
        frame = data("fevs_synthetic_null")
        return frame.loc[frame["FY"] == 2023, [f"Q{i}" for i in range(1, 11)]]
    source, columns = {
        "ecsi_perq": ("ecsi_mobi", [f"PERQ{i}" for i in range(1, 8)]),
        "ecsi_sat": ("ecsi_mobi", [f"CUSA{i}" for i in range(1, 4)]),
        "hs9": ("holzinger1939", [f"x{i}" for i in range(1, 10)]),
        "lq2002_hostil": ("lq2002", [f"HOSTIL{i:02d}" for i in range(1, 6)]),
        "lq2002_lead": ("lq2002", [f"LEAD{i:02d}" for i in range(1, 12)]),
    }[name]
    return data(source)[columns]


def reference(family, name):
    with open(ORACLE / "reference" / f"{family}__{name}.json", encoding="utf-8") as file:
        return {key: entry["value"] for key, entry in json.load(file)["entries"].items()}


@pytest.fixture(params=STUDIES)
def case(request):
    return study(request.param), reference("reliability", request.param)


def test_counts_match(case):
    items, expected = case
    alpha = pm.cronbach_alpha(items)
    assert alpha.n_respondents == expected["n"]["n_complete"]
    assert alpha.n_respondents + alpha.n_dropped == expected["n"]["n_rows"]
    assert alpha.n_items == expected["n"]["k"]


def test_alpha_and_its_companions_match_psych(case):
    items, expected = case
    alpha, total = pm.cronbach_alpha(items), expected["alpha_complete"]["total"]
    mine = [
        alpha.estimate,
        alpha.standardized,
        alpha.mean_inter_item_correlation,
        alpha.median_inter_item_correlation,
        alpha.standard_error,
    ]
    assert_allclose(mine, [total[k] for k in ("raw_alpha", "std.alpha", "average_r", "median_r", "ase")], atol=1e-9)


@pytest.mark.parametrize(("entry", "level"), [("alpha_ci_feldt", 0.95), ("alpha_ci_feldt90", 0.90)])
def test_feldt_interval_matches_psych(case, entry, level):
    items, expected = case
    interval = pm.cronbach_alpha(items).confidence_interval(level)
    assert_allclose(tuple(interval), (expected[entry]["lower.ci"], expected[entry]["upper.ci"]), atol=1e-9)


def test_duhachek_interval_is_the_normal_one_of_psychs_standard_error(case):
    items, expected = case
    total = expected["alpha_complete"]["total"]
    interval = pm.cronbach_alpha(items).confidence_interval(0.95, "duhachek")
    reach = 1.959963984540054 * total["ase"]
    assert_allclose(tuple(interval), (total["raw_alpha"] - reach, total["raw_alpha"] + reach), atol=1e-9)


def test_item_analysis_matches_psych(case):
    items, expected = case
    table, stats = pm.item_analysis(items).to_frame(), expected["alpha_complete"]["item.stats"]
    assert_allclose(table["mean"], stats["mean"], atol=1e-9)
    assert_allclose(table["sd"], stats["sd"], atol=1e-9)
    assert_allclose(table["item_total_correlation"], stats["raw.r"], atol=1e-9)
    assert_allclose(table["corrected_item_total_correlation"], stats["r.drop"], atol=1e-9)
    assert_allclose(table["corrected_item_total_correlation"], expected["r_drop_direct"], atol=1e-9)
    assert (table["n"] == stats["n"]).all()


def test_alpha_without_each_item_matches_psych(case):
    items, expected = case
    table = pm.item_analysis(items).to_frame()
    assert_allclose(table["alpha_if_item_deleted"], expected["alpha_complete"]["alpha.drop"]["raw_alpha"], atol=1e-9)


def test_guttman_lambdas_match_on_covariances(case):
    items, expected = case
    result = pm.guttman_lambdas(items)
    for name, value in expected["guttman_cov_base"].items():
        assert_allclose(getattr(result, name), value, atol=1e-9, err_msg=name)
    best = expected["splithalf_allsplits_base"]["max"]
    best = best["rulon"] if isinstance(best, dict) else best[0]
    assert result.lambda4_exact
    assert_allclose(result.lambda4, best, atol=1e-9)


def test_guttman_lambdas_match_psych_on_correlations(case):
    items, expected = case
    result = pm.guttman_lambdas(items, standardized=True)
    for number in (1, 2, 3, 5, 6):
        assert_allclose(getattr(result, f"lambda{number}"), expected["guttman"][f"lambda.{number}"], atol=1e-9)
    if result.n_items % 2 == 0:
        assert_allclose(result.lambda4, expected["splithalf_cor"]["maxrb"], atol=1e-9)


def test_odd_even_split_matches(case):
    items, expected = case
    result, split = pm.split_half(items), expected["oddeven"]
    assert_allclose(
        [result.correlation, result.spearman_brown, result.flanagan_rulon],
        [split["r"], split["spearman_brown"], split["guttman_rulon"]],
        atol=1e-9,
    )


@pytest.mark.parametrize("scale", list("ACENO"))
def test_pairwise_alpha_matches_psych(scale):
    items, expected = bfi(scale), reference("reliability", f"bfi_{scale}")
    alpha = pm.cronbach_alpha(items, missing="pairwise")
    assert_allclose(alpha.estimate, expected["alpha_pairwise"]["total"]["raw_alpha"], atol=1e-9)
    assert alpha.n_smallest == np.min(expected["n_pairwise"]["matrix"])
    assert_allclose(
        pm.check_keying(items, missing="pairwise").to_frame()["corrected_item_total_correlation"],
        expected["alpha_pairwise"]["item.stats"]["r.drop"],
        atol=1e-9,
    )


@pytest.mark.parametrize("scale", list("ACENO"))
def test_alpha_from_the_covariance_matrix_of_r(scale):
    expected = reference("reliability", f"bfi_{scale}")
    from servicediag.psychometrics.alpha import alpha_from_covariance

    alpha = alpha_from_covariance(np.array(expected["cov"]["matrix"]), expected["n"]["n_complete"])
    assert_allclose(alpha.estimate, expected["alpha_complete"]["total"]["raw_alpha"], atol=1e-9)
    limits = expected["alpha_ci_feldt"]
    assert_allclose(tuple(alpha.confidence_interval()), (limits["lower.ci"], limits["upper.ci"]), atol=1e-9)


@pytest.mark.parametrize("name", ["attitude", "ecsi_sat"])
@pytest.mark.parametrize(("method", "entry"), [("percentile", "percent"), ("bca", "bca")])
def test_bootstrap_intervals_agree_with_boot(name, method, entry):
    expected = reference("bootalpha", name)["boot_alpha"]
    interval = pm.cronbach_alpha(study(name)).confidence_interval(0.95, method, n_resamples=20_000, seed=1)
    # Monte Carlo: the reference itself has 5000 resamples.
    assert_allclose(tuple(interval), expected[entry], atol=0.015)
    assert interval.n_failed == 0


def one_factor_items(name):
    if name == "hs9_1f":
        return study("hs9")
    everything = data("bfi")
    complete = everything[[f"{s}{i}" for s in "ACENO" for i in range(1, 6)]].notna().all(axis=1)
    return everything.loc[complete, [f"N{i}" for i in range(1, 6)]]


@pytest.mark.parametrize("name", ["bfi_N_1f", "hs9_1f"])
@pytest.mark.parametrize(("denominator", "entry"), [("observed", "compRelSEM_obsvar"), ("model", "compRelSEM")])
def test_one_factor_omega_matches_semtools(name, denominator, entry):
    (expected,) = reference("cfa", name)[entry].values()
    result = pm.mcdonald_omega(one_factor_items(name), denominator=denominator)
    assert_allclose(result.estimate, expected, atol=1e-5)
    assert result.heywood_items == ()


@pytest.mark.parametrize("name", ["bfi_N_1f", "hs9_1f"])
def test_one_factor_loadings_match_lavaan(name):
    estimates = reference("cfa", name)["ml_stdlv"]["estimates"]
    expected = [v for v, op in zip(estimates["est"], estimates["op"], strict=True) if op == "=~"]
    result = pm.mcdonald_omega(one_factor_items(name))
    assert_allclose(result.loadings["factor"], expected, atol=1e-4)


def test_omega_is_near_alpha_without_a_common_factor():
    items = study("fevs_null")
    assert abs(pm.mcdonald_omega(items).estimate) < 0.15
    assert abs(pm.cronbach_alpha(items).estimate) < 0.15


def retest_scores():
    frame = data("epiR")
    frame = frame[frame["study"] == "CART"]
    items = [name for name in frame.columns if name not in ("id", "time", "study")]
    waves = []
    for time in (1, 2):
        wave = frame[frame["time"] == time].set_index("id")
        waves.append(wave[items].mean(axis=1))
    return waves


def test_retest_matches_psych():
    expected = reference("retest", "epiR_cart")
    first, second = retest_scores()
    result = pm.retest(first, second.sample(frac=1, random_state=1))
    single = expected["icc"]["results"]
    assert result.n_matched == expected["desc"]["n"]
    assert_allclose(result.correlation, expected["pearson"]["estimate"], atol=1e-9)
    assert_allclose(result.icc_agreement, single["ICC"][1], atol=1e-9)
    assert_allclose(result.icc_consistency, single["ICC"][2], atol=1e-9)
    assert_allclose(
        tuple(result.confidence_interval()), (single["lower bound"][1], single["upper bound"][1]), atol=1e-9
    )
    assert_allclose(tuple(result.confidence_interval(of="correlation")), expected["pearson"]["ci"], atol=1e-9)
    assert_allclose(result.sem, expected["sem_rci_base"]["SEM_within"], atol=1e-9)


def test_reliable_change_matches_the_definition():
    expected = reference("retest", "epiR_cart")["sem_rci_base"]
    first, second = retest_scores()
    deviation = first.std(ddof=1)
    table = pm.reliable_change(first, second, standard_deviation=deviation, reliability=expected["r"])
    in_order = table.sort_index()["rci"].dropna()
    assert_allclose(in_order[:20], list(expected["RCI_first20"].values()), atol=1e-9)
    assert int((table["reliable"] & (table["change"] > 0)).sum()) == expected["n_improved"]
    assert int((table["reliable"] & (table["change"] < 0)).sum()) == expected["n_worse"]
    assert_allclose(pm.standard_error_of_measurement(deviation, expected["r"]), expected["SEM_sd1"], atol=1e-9)
    assert_allclose(pm.minimal_detectable_change(deviation, expected["r"]), expected["MDC95"], atol=1e-9)
