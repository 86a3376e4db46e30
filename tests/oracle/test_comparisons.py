"""Comparisons of groups and of paired scores, shares, means and scale scores against R on real data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import servicediag as sd
from servicediag.psychometrics import (
    compare_groups,
    compare_paired,
    cronbach_alpha,
    survey_mean,
    survey_share,
)

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference values are not part of the project")
CLOSED_FORM = {"rtol": 0, "atol": 1e-9}
NONCENTRAL = {"rtol": 0, "atol": 1e-4}
TWO_GROUPS = ["bfi_gender_A", "hs_school_x1"]
PAIRED = ["sleep", "ecsi_expect_vs_sat"]


def reference(name):
    stored = json.loads((ORACLE / "reference" / f"{name}.json").read_text(encoding="utf-8"))
    return {key: entry["value"] for key, entry in stored["entries"].items()}


def data(name):
    return pd.read_csv(ORACLE / "data" / f"{name}.csv")


def two_groups(name):
    """The scores b and a of the stored calls, which compare b with a."""
    if name == "hs_school_x1":
        table = data("holzinger1939")
        return table.x1[table.school == "Grant-White"], table.x1[table.school == "Pasteur"]
    table = data("bfi")
    table["A1"] = 7 - table["A1"]
    score = table[[f"A{item}" for item in range(1, 6)]].mean(axis=1, skipna=False)
    return score[table.gender == 2], score[table.gender == 1]


def pairs(name):
    """The scores a and b of the stored calls, in which b - a is the difference."""
    if name == "sleep":
        table = data("sleep")
        return (table.extra[table.group == group].reset_index(drop=True) for group in (1, 2))
    table = data("ecsi_mobi")
    return (table[[f"{code}{item}" for item in range(1, 4)]].mean(axis=1) for code in ("CUEX", "CUSA"))


@pytest.mark.parametrize("name", TWO_GROUPS)
def test_groups_are_described_and_tested_as_in_r(name):
    expected, result = reference(f"twogroup__{name}"), compare_groups(*two_groups(name))
    described = [result.n_second, result.n_first, result.mean_second, result.mean_first]
    described += [result.sd_second, result.sd_first]
    assert_allclose(described, [expected["desc"][key] for key in ("n_a", "n_b", "mean_a", "mean_b", "sd_a", "sd_b")])
    for row, entry in (("difference", "welch"), ("student_difference", "student")):
        ours = result.to_frame().loc[row, ["test", "df", "p", "ci_low", "ci_high"]].astype(float)
        theirs = [expected[entry][key] for key in ("t", "df", "p")] + expected[entry]["ci"]
        assert_allclose(ours, theirs, **CLOSED_FORM)
    assert_allclose(result.mann_whitney_u, expected["mannwhitney"]["W"], **CLOSED_FORM)
    assert_allclose(result.mann_whitney_p, expected["mannwhitney"]["p"], **CLOSED_FORM)


@pytest.mark.parametrize("name", TWO_GROUPS)
@pytest.mark.parametrize(
    ("statistic", "entry", "key"),
    [
        ("cohens_d", "d_effectsize", "Cohens_d"),
        ("hedges_g", "g_effectsize", "Hedges_g"),
        ("hedges_g_separate", "g_effectsize_unpooled", "Hedges_g"),
        ("glass_delta", "glass_delta", "Glass_delta"),
    ],
)
def test_standardised_differences_match_effectsize(name, statistic, entry, key):
    expected = reference(f"twogroup__{name}")[entry]
    result = compare_groups(*two_groups(name))
    assert_allclose(result.to_frame().loc[statistic, "estimate"], expected[key], **CLOSED_FORM)
    limits = tuple(result.confidence_interval(expected["CI"], statistic=statistic))
    assert_allclose(limits, [expected["CI_low"], expected["CI_high"]], **NONCENTRAL)


@pytest.mark.parametrize("name", TWO_GROUPS)
def test_order_of_scores_matches_effsize(name):
    expected, result = reference(f"twogroup__{name}"), compare_groups(*two_groups(name))
    assert_allclose(result.cliffs_delta, expected["cliff"]["estimate"], **CLOSED_FORM)
    limits = tuple(result.confidence_interval(statistic="cliffs_delta"))
    assert_allclose(limits, expected["cliff"]["ci"], **CLOSED_FORM)
    assert_allclose(result.superiority, expected["vda"], **CLOSED_FORM)


@pytest.mark.parametrize("name", PAIRED)
def test_paired_scores_are_described_and_tested_as_in_r(name):
    expected, result = reference(f"paired__{name}"), compare_paired(*pairs(name))
    described = [result.n_pairs, result.mean_before, result.mean_after, result.sd_before, result.sd_after]
    described += [result.correlation, result.sd_difference]
    keys = ("n", "mean_a", "mean_b", "sd_a", "sd_b", "r", "sd_diff")
    assert_allclose(described, [expected["desc"][key] for key in keys], **CLOSED_FORM)
    paired = expected["t_paired"]
    assert_allclose([result.difference, result.t, result.df, result.p],
                    [paired[key] for key in ("estimate", "t", "df", "p")], **CLOSED_FORM)  # fmt: skip
    assert_allclose(tuple(result.confidence_interval()), paired["ci"], **CLOSED_FORM)
    assert_allclose([result.wilcoxon_v, result.wilcoxon_p], list(expected["wilcoxon"].values()), **CLOSED_FORM)


@pytest.mark.parametrize("name", PAIRED)
def test_standardised_changes_match_effectsize_and_effsize(name):
    expected, result = reference(f"paired__{name}"), compare_paired(*pairs(name))
    for statistic, entry, key in (
        ("standardized_response_mean", "dz_effectsize", "Cohens_d"),
        ("hedges_g", "gz_effectsize", "Hedges_g"),
    ):
        assert_allclose(getattr(result, statistic), expected[entry][key], **CLOSED_FORM)
        limits = tuple(result.confidence_interval(expected[entry]["CI"], statistic=statistic))
        assert_allclose(limits, [expected[entry]["CI_low"], expected[entry]["CI_high"]], **NONCENTRAL)
    assert_allclose(result.repeated_measures_d, expected["dz_effsize_within"]["estimate"], **CLOSED_FORM)


def test_shares_and_means_match_r():
    expected, answers = reference("survey__ecsi_props"), data("ecsi_mobi")["CUSL3"]
    share = survey_share(int((answers >= 9).sum()), len(answers))
    assert_allclose(share.estimate, expected["wilson"]["estimate"], **CLOSED_FORM)
    methods = {"wilson": "wilson", "wilson_continuity": "wilson_cc", "clopper_pearson": "clopper_pearson"}
    for method, entry in methods.items():
        assert_allclose(tuple(share.confidence_interval(0.95, method)), expected[entry]["ci"], **CLOSED_FORM)
    mean = survey_mean(answers)
    theirs = expected["t_mean_ci"]
    assert_allclose(mean.estimate, theirs["estimate"], **CLOSED_FORM)
    assert_allclose(mean.estimate / mean.standard_error, theirs["t"], **CLOSED_FORM)
    assert mean.df == theirs["df"]
    assert_allclose(tuple(mean.confidence_interval()), theirs["ci"], **CLOSED_FORM)


# --------------------------------------------------------------------------------------------------------- scoring

BFI = {
    "agree": ["-A1", "A2", "A3", "A4", "A5"],
    "conscientious": ["C1", "C2", "C3", "-C4", "-C5"],
    "extraversion": ["-E1", "-E2", "E3", "E4", "E5"],
    "neuroticism": ["N1", "N2", "N3", "N4", "N5"],
    "openness": ["O1", "-O2", "O3", "O4", "-O5"],
}
INSTRUMENT = """\
id: five-factors
version: 1.0.0
prefix: bfi
status: not yet validated
license: CC-BY-4.0
original_language: en
sources: [A stand-in with the keys and bounds of the questionnaire and none of its items]
forms: [{id: self, rater: employee}]
scales: [{id: six, codes: [1, 2, 3, 4, 5, 6], labels: {en: {1: a, 2: b, 3: c, 4: d, 5: e, 6: f}}}]
dimensions:
"""


def five_factors(folder):
    """An instrument with the scales of the stored calls; a score needs one answer, as there."""
    text, words, titles = INSTRUMENT, [], []
    for dimension, keys in BFI.items():
        text += f"  - id: {dimension}\n    direction: strength\n    measurement: reflective\n"
        text += "    minimum_answered: 0.2\n    scale: six\n    items:\n"
        for number, key in enumerate(keys, 1):
            code = f"bfi_{dimension}_{number}"
            turned = str(key.startswith("-")).lower()
            text += f"      - {{code: {code}, reverse_keyed: {turned}, source: 'psych', evidence: S}}\n"
            words.append(f"  {code}: {{self: Wording {dimension} {number}}}\n")
        titles.append(f"  {dimension}: {{title: {dimension.title()}, definition: A factor.}}\n")
    (folder / "locale").mkdir()
    (folder / "instrument.yaml").write_text(text, encoding="utf-8")
    locale = "language: en\nstatus: original\ntitle: Five factors\ndefinition: Five factors.\n"
    locale += "forms:\n  self: {title: Yourself, instruction: Answer., stems: {default: I}}\n"
    locale += "dimensions:\n" + "".join(titles) + "items:\n" + "".join(words)
    (folder / "locale" / "en.yaml").write_text(locale, encoding="utf-8")
    return sd.load_instrument(folder)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    instrument = five_factors(tmp_path_factory.mktemp("five-factors"))
    table = data("bfi")
    columns = {
        key.lstrip("-"): f"bfi_{name}_{number}" for name, keys in BFI.items() for number, key in enumerate(keys, 1)
    }
    frame = table[list(columns)].rename(columns=columns)
    responses = sd.read_responses(frame, instrument, form="self", minimum_completed=0)
    return responses, sd.score(responses).values


def test_scores_are_those_of_psych_on_the_scale_from_0_to_100(scored):
    expected, (_, values) = reference("scoring__bfi_scoring"), scored
    entry = expected["mean_impute_none"]
    means = 1 + values / 100 * 5
    assert list(means.columns) == entry["first30"]["colnames"]
    assert_allclose(means.to_numpy()[:30], np.array(entry["first30"]["matrix"], dtype=float), **CLOSED_FORM)
    for name in means:
        assert_allclose(means[name].mean(), entry["score_mean"][name], **CLOSED_FORM)
        assert_allclose(means[name].std(), entry["score_sd"][name], **CLOSED_FORM)
        assert int(means[name].isna().sum()) == entry["score_na"][name]
    assert_allclose(means.corr(), np.array(expected["corr_test"]["r"]["matrix"], dtype=float), **CLOSED_FORM)


def test_reliability_of_the_scored_scales_matches_psych(scored):
    entry, (responses, _) = reference("scoring__bfi_scoring")["mean_impute_none"], scored
    for place, name in enumerate(BFI):
        keyed = responses.dimension(name)
        alpha = cronbach_alpha(keyed, missing="pairwise")
        assert_allclose(alpha.estimate, entry["alpha"]["matrix"][0][place], **CLOSED_FORM)
        assert int(keyed.isna().sum().sum()) == entry["missing"][name]
