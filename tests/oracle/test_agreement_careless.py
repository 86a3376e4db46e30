"""Indices of careless answering against stored results of R packages on real data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import (
    average_string,
    even_odd_consistency,
    intra_individual_variability,
    longstring,
    mahalanobis,
    mahalanobis_probability,
    person_total_correlation,
    psychometric_antonyms,
    psychometric_synonyms,
    similar_pairs,
)

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference values are not part of the project")
CLOSED_FORM = {"rtol": 0, "atol": 1e-9}
STUDIES = ["bfi25", "careless_dataset"]


def reference(name):
    stored = json.loads((ORACLE / "reference" / f"careless__{name}.json").read_text(encoding="utf-8"))
    return {key: entry["value"] for key, entry in stored["entries"].items()}


def answers(name):
    if name == "bfi25":
        return pd.read_csv(ORACLE / "data" / "bfi.csv").iloc[:600, :25]
    return pd.read_csv(ORACLE / "data" / "careless_dataset.csv")


def numbers(values):
    return np.array([np.nan if value is None else value for value in values], dtype=float)


@pytest.mark.parametrize("name", STUDIES)
def test_runs_match_careless(name):
    expected, data = reference(name)["longstring"], answers(name)
    assert longstring(data).tolist() == expected["longstr"]
    complete = data.notna().all(axis=1).to_numpy()  # careless counts each gap as a run of its own
    assert_allclose(average_string(data)[complete], numbers(expected["avgstr"])[complete], **CLOSED_FORM)


@pytest.mark.parametrize("name", STUDIES)
def test_variability_matches_careless(name):
    assert_allclose(intra_individual_variability(answers(name)), numbers(reference(name)["irv"]), **CLOSED_FORM)


@pytest.mark.parametrize("name", STUDIES)
def test_distance_and_its_flags_match_careless_for_complete_respondents(name):
    expected, data = reference(name)["mahad"], answers(name)
    complete = data.notna().all(axis=1).to_numpy()
    assert_allclose(mahalanobis(data)[complete], numbers(expected["d_sq"])[complete], **CLOSED_FORM)
    flagged = mahalanobis_probability(data)[complete] < 0.01
    assert flagged.tolist() == np.array(expected["flagged"])[complete].tolist()


@pytest.mark.parametrize("name", STUDIES)
def test_even_odd_matches_careless_with_its_sign_reversed(name):
    data = answers(name)
    scales = {start: list(data.columns[start : start + 5]) for start in range(0, data.shape[1], 5)}
    expected = -numbers(reference(name)["evenodd"])
    assert_allclose(even_odd_consistency(data, scales), expected, **CLOSED_FORM, equal_nan=True)


@pytest.mark.parametrize("name", STUDIES)
def test_person_total_correlation_matches_its_definition_in_r(name):
    expected = numbers(reference(name)["person_total_r_base"])
    assert_allclose(person_total_correlation(answers(name)), expected, **CLOSED_FORM, equal_nan=True)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("limit", [0.6, 0.5, 0.4])
def test_synonyms_match_careless(name, limit):
    stored, data = reference(name), answers(name)
    expected = stored[f"psychsyn_{round(100 * limit)}"]
    if max(expected["numPairs"]) < 3:
        with pytest.raises(InsufficientDataError, match="3 pairs"):
            psychometric_synonyms(data, minimum_correlation=limit)
        return
    assert len(similar_pairs(data, minimum_correlation=limit)) == max(expected["numPairs"])
    enough = np.array(expected["numPairs"]) >= 3
    ours = psychometric_synonyms(data, minimum_correlation=limit)
    assert_allclose(ours[enough], numbers(expected["cor"])[enough], **CLOSED_FORM, equal_nan=True)


def test_antonyms_match_careless():
    expected = numbers(reference("bfi25")["psychant_30"]["cor"])
    ours = psychometric_antonyms(answers("bfi25"), maximum_correlation=-0.3)
    assert_allclose(ours, expected, **CLOSED_FORM, equal_nan=True)


@pytest.mark.parametrize("name", STUDIES)
def test_strongest_pairs_match_careless(name):
    expected = reference(name)["psychsyn_critval"]
    pairs = similar_pairs(answers(name), minimum_correlation=0.0).head(len(expected["cor"]))
    assert_allclose(pairs["correlation"], expected["cor"], **CLOSED_FORM)
    assert list(zip(pairs["second"], pairs["first"], strict=True)) == list(
        zip(expected["var1"], expected["var2"], strict=True)
    )
