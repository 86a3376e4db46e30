"""Estimators of the gap diagnosis against reference values that R computed on real data."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.special import stdtr, stdtrit

from servicediag.diagnosis.statistics import (
    benjamini_hochberg,
    difference_reliability,
    one_sample,
    welch,
    wilson,
)
from servicediag.diagnosis.superiority import superiority
from servicediag.psychometrics import cronbach_alpha

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="reference data are not at hand")


def data(name):
    return pd.read_csv(ORACLE / "data" / f"{name}.csv")


def reference(name):
    with open(ORACLE / "reference" / f"{name}.json", encoding="utf-8") as file:
        return {key: entry["value"] for key, entry in json.load(file)["entries"].items()}


def sums(values):
    values = np.asarray(values, dtype=float)
    return len(values), float(values.sum()), float((values**2).sum())


@pytest.fixture(scope="module")
def kiosk():
    frame = data("kiosk_servqual_odd").dropna()
    expected, perceived = (frame[[f"{side}{item:02d}" for item in range(1, 25)]].to_numpy(float) for side in ("E", "P"))
    return expected, perceived


@pytest.fixture(scope="module")
def gaps():
    return reference("gap__kiosk_odd")


def paired_gaps(kiosk):
    return [one_sample(*sums(column)) for column in (kiosk[1] - kiosk[0]).T]


def p_values(kiosk):
    return np.array([2 * stdtr(df, -abs(mean / error)) for mean, error, df in paired_gaps(kiosk)])


def test_item_gaps_are_the_paired_t_tests(kiosk, gaps):
    found = paired_gaps(kiosk)
    item = gaps["item_gap"]
    assert [len(kiosk[0]), len(found)] == [gaps["n"]["n"], gaps["n"]["k"]]
    assert_allclose([mean for mean, _, _ in found], item["gap"], rtol=1e-12)
    assert_allclose([error * math.sqrt(df + 1) for _, error, df in found], item["sd"], rtol=1e-11)
    assert_allclose([mean / error for mean, error, _ in found], item["t"], rtol=1e-11)
    assert_allclose(p_values(kiosk), item["p"], rtol=1e-9)
    limits = [(m - stdtrit(df, 0.975) * error, m + stdtrit(df, 0.975) * error) for m, error, df in found]
    assert_allclose(np.array(limits).T, [item["lo"], item["hi"]], rtol=1e-10)


def test_adjusted_p_of_the_item_gaps(kiosk, gaps):
    assert_allclose(benjamini_hochberg(p_values(kiosk)), gaps["p_holm_bh"]["BH"], rtol=1e-9)


def test_reliability_of_the_difference_of_two_scales(kiosk, gaps):
    expected, perceived = kiosk
    alphas = [cronbach_alpha(pd.DataFrame(side)).estimate for side in kiosk]
    assert_allclose(alphas, [gaps["alpha_E_P_gap"]["E"], gaps["alpha_E_P_gap"]["P"]], rtol=1e-11)
    first, second = expected.mean(axis=1), perceived.mean(axis=1)
    found = difference_reliability(
        np.std(first, ddof=1), alphas[0], np.std(second, ddof=1), alphas[1], np.corrcoef(first, second)[0, 1]
    )
    assert_allclose(found, gaps["diffscore_reliability_base"], rtol=1e-11)


def test_paired_change_of_a_small_group():
    frame, expected = data("sleep"), reference("paired__sleep")["t_paired"]
    change = frame.loc[frame["group"] == 2, "extra"].to_numpy() - frame.loc[frame["group"] == 1, "extra"].to_numpy()
    mean, error, df = one_sample(*sums(change))
    assert_allclose((mean, mean / error, df), (expected["estimate"], expected["t"], expected["df"]), rtol=1e-10)
    half = stdtrit(df, 0.975) * error
    assert_allclose((mean - half, mean + half), expected["ci"], rtol=1e-10)


def test_two_groups_differ_as_welch_and_cliff_say():
    frame, expected = data("bfi"), reference("twogroup__bfi_gender_A")
    frame["A1"] = 7 - frame["A1"]
    # pandas divides by the answers given; the reference keeps complete rows only
    items = frame[[f"A{i}" for i in range(1, 6)]]
    total = items.sum(axis=1).where(items.notna().all(axis=1))
    first, second = (total[frame["gender"] == g].dropna().to_numpy() for g in (1, 2))
    difference, error, df = welch(sums(second / 5), sums(first / 5))
    assert_allclose((difference / error, df), (expected["welch"]["t"], expected["welch"]["df"]), rtol=1e-9)
    counts = [np.bincount(group.astype(int), minlength=31) for group in (first, second)]
    result = superiority(*counts)
    assert_allclose(result.estimate, expected["vda"], rtol=1e-12)
    assert_allclose(2 * result.estimate - 1, expected["cliff"]["estimate"], rtol=1e-11)


def test_share_of_top_answers_has_wilsons_interval():
    answers, expected = data("ecsi_mobi")["CUSL3"], reference("survey__ecsi_props")["wilson"]
    count = int((answers >= 9).sum())
    assert_allclose(count / len(answers), expected["estimate"], rtol=1e-12)
    assert_allclose(wilson(count, len(answers)), expected["ci"], rtol=1e-10)
