"""Reliability per dimension: keyed answers, honest n, and reasons where there is no coefficient."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import servicediag as sd
from servicediag import psychometrics as pm


@pytest.fixture(scope="module")
def responses(make_responses):
    units = np.repeat(["North", "South"], [60, 45])
    return make_responses([("readiness", "employee"), ("four-tools", "receiver")], units, seed=9, missing=0.03)


def test_table_has_the_promised_columns(responses):
    assert list(sd.reliability(responses).to_frame().columns) == [
        "instrument", "dimension", "n_items", "n_respondents", "alpha", "alpha_low", "alpha_high", "omega", "omega_low",
        "omega_high", "mean_inter_item_correlation", "sem", "note",
    ]  # fmt: skip


def test_coefficients_are_those_of_the_keyed_complete_answers(responses):
    row = sd.reliability(responses).to_frame().set_index("dimension").loc["want"]
    keyed = responses.answers[[f"rdy_want_s{k}" for k in range(1, 6)]].copy()
    keyed["rdy_want_s5"] = 6 - keyed["rdy_want_s5"]
    complete = keyed.dropna()
    assert row["n_respondents"] == len(complete) < len(keyed)
    covariance = complete.cov().to_numpy()
    assert_allclose(row["alpha"], 5 / 4 * (1 - np.trace(covariance) / covariance.sum()))
    assert_allclose(row["omega"], pm.mcdonald_omega(complete).estimate)
    correlation = complete.corr().to_numpy()
    assert_allclose(row["mean_inter_item_correlation"], correlation[np.triu_indices(5, 1)].mean())
    score_sd = ((complete - 1) * 25).mean(axis=1).std()
    assert_allclose(row["sem"], score_sd * np.sqrt(1 - row["alpha"]))


def test_formative_blocks_get_a_reason_and_no_coefficient(responses):
    table = sd.reliability(responses).to_frame().set_index("dimension")
    for dimension in ("can_requirements", "comm", "feed", "capa"):
        assert np.isnan(table.loc[dimension, "alpha"])
        assert "Formative" in table.loc[dimension, "note"]


def test_groups_get_rows_of_their_own(responses):
    table = sd.reliability(responses, by="unit").to_frame()
    assert set(table["unit"]) == {"North", "South"}
    assert (table.groupby("unit")["n_respondents"].max() <= [60, 45]).all()


def test_item_table_belongs_to_the_dimension(responses):
    items = sd.reliability(responses).items("can").to_frame()
    assert list(items.index) == [f"rdy_can_s{k}" for k in range(1, 6)]
    assert items["floor"].between(0, 1).all()


def test_constant_items_and_few_respondents_give_notes_and_no_error(make_responses):
    frame = pd.DataFrame({f"rdy_know_s{k}": [3, 3, 3] for k in range(1, 6)})
    frame = frame.assign(**{f"rdy_{d}_s{k}": [1, 2, 3] for d in ("want", "can") for k in range(1, 6)})
    table = sd.reliability(sd.read_responses(frame, "readiness", form="employee-state")).to_frame()
    know = table.set_index("dimension").loc["know"]
    assert np.isnan(know["alpha"])
    assert know["note"]


def test_unknown_group_column_names_the_choices(responses):
    with pytest.raises(ValueError, match="by='region'"):
        sd.reliability(responses, by="region")
