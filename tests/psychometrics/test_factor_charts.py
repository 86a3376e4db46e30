"""Charts of factor and item results: what is drawn is what the tables hold, and names stay data."""

import json

import numpy as np
import pandas as pd
import pytest

from servicediag import psychometrics as pm

NAMES = ["<b>q1</b>", "datum.x:Q", "a.b[0]", "q'4\""]


def scale():
    generator = np.random.default_rng(0)
    level = generator.normal(size=(120, 1)) + generator.normal(size=(120, 4))
    return pd.DataFrame(np.digitize(level, [-1, 0, 1]), columns=NAMES)


def spec(chart):
    return json.loads(chart.to_json())


def rows(chart):
    return [row for values in spec(chart)["datasets"].values() for row in values]


def test_scree_plot_draws_eigenvalues_and_the_parallel_line():
    result = pm.parallel_analysis(scale(), n_iterations=20)
    drawn = pd.DataFrame(rows(result.plot()))
    own = drawn[(drawn["panel"] == "Components") & (drawn["line"] == "answers")]["eigenvalue"]
    limit = drawn[(drawn["panel"] == "Common factors") & (drawn["line"] == "unrelated items")]["eigenvalue"]
    assert own.tolist() == pytest.approx(result.to_frame()["component"].tolist())
    assert limit.tolist() == pytest.approx(result.to_frame()["factor_limit"].tolist())


def test_loading_heatmap_draws_every_loading():
    result = pm.exploratory_factor_analysis(scale(), 1)
    drawn = pd.DataFrame(rows(result.plot())).set_index("item")["value"]
    assert drawn[NAMES].tolist() == pytest.approx(result.loadings["factor_1"].tolist())


def test_residual_heatmap_leaves_the_diagonal_out():
    assert len(rows(pm.exploratory_factor_analysis(scale(), 1).plot_residuals())) == 12


def test_item_curves_draw_probabilities_and_information():
    result = pm.graded_response_model(scale())
    drawn = pd.DataFrame(rows(result.plot()))
    assert set(drawn["item"].dropna()) == set(NAMES)
    assert set(drawn["curve"].dropna()) == {*NAMES, "whole test"}
    per_level = drawn.dropna(subset="probability").groupby(["item", "theta"])["probability"].sum()
    assert np.allclose(per_level, 1)


def test_names_of_items_appear_as_data_and_sort_order_only():
    text = spec(pm.exploratory_factor_analysis(scale(), 1).plot())
    fields = json.dumps([layer["encoding"] for layer in text["layer"]])
    assert '"field": "datum' not in fields
    assert "alert" not in fields
