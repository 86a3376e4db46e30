"""Evidence: sums that add, and that say the same as the rows they came from."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import servicediag as sd

UNITS = np.repeat(["North", "South", "West"], [14, 9, 20])


@pytest.fixture(scope="module")
def readiness(make_responses):
    return make_responses([("readiness", "employee")], UNITS, seed=4, missing=0.05)


def test_cell_says_what_the_scores_of_its_rows_say(readiness):
    table = sd.build_evidence(readiness).to_frame()
    cell = table[(table["unit"] == "South") & (table["dimension"] == "can") & (table["kind"] == "score")].iloc[0]
    scores = sd.score(readiness).values["can"][readiness.respondents["unit"] == "South"].dropna()
    assert cell["n"] == len(scores)
    assert_allclose((cell["mean"], cell["sd"]), (scores.mean(), scores.std(ddof=1)))


def test_category_counts_of_an_item_are_its_raw_answers(readiness):
    table = sd.build_evidence(readiness).to_frame()
    cell = table[(table["unit"] == "West") & (table["name"] == "rdy_want_s5")].iloc[0]
    answers = readiness.answers.loc[readiness.respondents["unit"] == "West", "rdy_want_s5"]
    assert [cell[f"count_{k}"] for k in range(5)] == [(answers == k + 1).sum() for k in range(5)]


def test_partitions_add_up_to_the_whole(readiness):
    first = readiness.drop(readiness.respondents.index[20:])
    second = readiness.drop(readiness.respondents.index[:20])
    merged = sd.build_evidence(first).merge(sd.build_evidence(second))
    whole = sd.build_evidence(readiness)
    pd.testing.assert_frame_equal(merged.cells, whole.cells, check_dtype=False)
    pd.testing.assert_frame_equal(merged.cross, whole.cross, check_dtype=False)
    assert merged.n_respondents == whole.n_respondents
    for key, moments in whole.moments.items():
        assert_allclose(merged.moments[key].products, moments.products)


def test_order_of_respondents_does_not_matter(readiness):
    order = np.random.default_rng(0).permutation(len(readiness))
    shuffled = replace(
        readiness,
        codes={code: column[order] for code, column in readiness.codes.items()},
        respondents=readiness.respondents.iloc[order],
    )
    pd.testing.assert_frame_equal(sd.build_evidence(shuffled).cells, sd.build_evidence(readiness).cells)


def test_diagnosis_from_evidence_is_the_diagnosis_from_responses(readiness):
    pd.testing.assert_frame_equal(sd.diagnose(sd.build_evidence(readiness)).evidence, sd.diagnose(readiness).evidence)


def test_evidence_of_other_groupings_is_refused(readiness):
    with pytest.raises(ValueError, match="grouped by"):
        sd.build_evidence(readiness).merge(sd.build_evidence(readiness, by=[]))


def test_unknown_grouping_names_the_columns_there_are(readiness):
    with pytest.raises(ValueError, match=r"by='branch'.*unit"):
        sd.build_evidence(readiness, by="branch")


def test_people_without_a_unit_count_for_the_organisation_only(readiness):
    respondents = readiness.respondents.assign(unit=["", *readiness.respondents["unit"][1:]])
    table = sd.build_evidence(replace(readiness, respondents=respondents)).to_frame()
    scores = table[(table["kind"] == "item") & (table["name"] == "rdy_know_s2")]
    assert scores.loc[scores["unit"].notna(), "n"].sum() <= scores.loc[scores["unit"].isna(), "n"].iloc[0]
    assert set(scores["unit"].dropna()) == {"North", "South", "West"}


def test_reliability_from_the_sums_is_reliability_from_the_rows(readiness):
    from_rows = sd.reliability(readiness).to_frame().set_index("dimension")
    from_sums = sd.diagnose(readiness).reliability.set_index("dimension")
    columns = ["n_respondents", "alpha", "alpha_low", "omega", "omega_high", "mean_inter_item_correlation", "sem"]
    states = ["know", "want", "can"]
    assert_allclose(
        from_sums.loc[states, columns].astype(float), from_rows.loc[states, columns].astype(float), rtol=1e-6
    )


def test_evidence_holds_no_row_of_a_person(readiness):
    evidence = sd.build_evidence(readiness)
    assert len(evidence.cells) < len(readiness) * len(readiness.codes)
    assert not any(str(index) in evidence.cells.columns for index in readiness.respondents.index)
