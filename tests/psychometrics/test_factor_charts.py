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


def title_of(chart):
    return spec(chart)["title"]["text"]


def test_titles_say_what_was_found():
    parallel = pm.parallel_analysis(scale(), n_iterations=20)
    assert title_of(parallel.plot()) == "1 factor and 1 component stand out from unrelated items"
    assert title_of(pm.exploratory_factor_analysis(scale(), 1).plot()) == "4 of 4 items load on one factor only"
    model = pm.graded_response_model(scale())
    best = model.test_information()["information"].idxmax()
    assert title_of(model.plot()).startswith(f"Scores are most precise around level {best:.1f}")


def test_residual_heatmap_of_a_model_names_the_worst_pair_and_prints_the_notable_ones():
    answers = scale()
    answers["copy"] = (answers[NAMES[0]] + np.random.default_rng(2).integers(0, 2, len(answers))).to_numpy()
    fitted = pm.confirmatory_factor_analysis(answers, {"all": [*NAMES, "copy"]})
    largest = fitted.residuals.where(~np.eye(5, dtype=bool)).abs().max().max()
    assert f"{largest:.2f}" in title_of(fitted.plot())
    assert len(rows(fitted.plot())) == 20


def test_residuals_of_groups_are_drawn_side_by_side_with_their_names():
    answers = scale()
    groups = pd.Series(["<i>north</i>", "south"] * 60)
    chart = pm.confirmatory_factor_analysis(answers, {"all": NAMES}, groups=groups).plot()
    titles = [part["title"]["text"] for part in spec(chart)["concat"]]
    assert [title.split(":")[0] for title in titles] == ["<i>north</i>", "south"]
