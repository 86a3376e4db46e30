"""Does the intended structure hold: planted faults are found, in words, and too little data is refused."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import servicediag as sd
from servicediag import psychometrics as pm

STATES = ("know", "want", "can")


def readiness(n=400, seed=0, spoil=None):
    """Answers to the state items of readiness on a fine ground, with one fault planted."""
    instrument = sd.load_instrument("readiness")
    generator = np.random.default_rng(seed)
    general = generator.normal(0, 0.6, n)
    levels, columns = {}, {}
    for dimension in STATES:
        levels[dimension] = general + generator.normal(0, 0.8, n)
    for dimension in STATES:
        for item in instrument.dimension(dimension).items:
            columns[item.code] = levels[dimension] + generator.normal(0, 0.7, n)
    if spoil:
        spoil(columns, levels, generator)
    frame = {}
    for code, value in columns.items():
        item = next(i for i in instrument.items if i.code == code)
        middle = (item.minimum + item.maximum) / 2
        value = -value if item.reverse_keyed else value
        frame[code] = np.clip(np.rint(middle + value), item.minimum, item.maximum)
    return sd.read_responses(pd.DataFrame(frame), instrument, form="employee", minimum_completed=0)


def remark(check, item):
    table = check.to_frame()
    return table.loc[(table["kind"] == "item") & (table["to"] == item), "remark"].iloc[0]


def test_intended_structure_holds_where_it_was_planted():
    check = sd.check_structure(readiness())
    assert check.fits["verdict"].iloc[0] == "holds"
    table = check.to_frame()
    assert set(table.loc[table["kind"] == "item", "from"]) == set(STATES)
    assert (table["ci_low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["ci_high"]).all()
    assert table["path"].tolist()[-1] == "want <-> can"
    assert (table.loc[table["kind"] == "item", "estimate"] > 0.5).all()


def test_paths_are_those_of_the_keyed_answers():
    responses = readiness()
    check = sd.check_structure(responses)
    model = {d: [f"rdy_{d}_s{k}" for k in range(1, 6)] for d in STATES}
    fitted = pm.confirmatory_factor_analysis(responses.keyed, model)
    items = check.to_frame().query("kind == 'item'")
    expected = [fitted.standardized_loadings.loc[row["to"], row["from"]] for row in items.to_dict("records")]
    assert_allclose(items["estimate"], expected, atol=1e-6)
    assert_allclose(check.model("readiness").fit.chi_square, fitted.fit.chi_square, atol=1e-6)
    assert_allclose(check.fits["cfi"].iloc[0], fitted.fit.cfi, atol=1e-8)


def test_item_that_measures_nothing_is_found():
    def spoil(columns, levels, generator):
        columns["rdy_want_s2"] = generator.normal(0, 1, len(levels["want"]))

    check = sd.check_structure(readiness(spoil=spoil))
    assert "weakly" in remark(check, "rdy_want_s2") or "against" in remark(check, "rdy_want_s2")
    assert "want -> rdy_want_s2" in check.describe()


def test_item_keyed_the_wrong_way_is_found():
    def spoil(columns, levels, generator):
        columns["rdy_can_s2"] = -columns["rdy_can_s2"]

    assert "against its dimension" in remark(sd.check_structure(readiness(spoil=spoil)), "rdy_can_s2")


def test_item_of_another_dimension_is_found():
    def spoil(columns, levels, generator):
        columns["rdy_know_s3"] = levels["can"] + generator.normal(0, 0.7, len(levels["can"]))

    check = sd.check_structure(readiness(spoil=spoil))
    assert "also reflects can" in remark(check, "rdy_know_s3")


def test_items_that_repeat_each_other_are_found():
    def spoil(columns, levels, generator):
        shared = generator.normal(0, 0.7, len(levels["can"]))
        columns["rdy_can_s1"] = columns["rdy_can_s1"] + shared
        columns["rdy_can_s2"] = columns["rdy_can_s2"] + shared

    check = sd.check_structure(readiness(spoil=spoil))
    assert "Shares more with rdy_can_s2" in remark(check, "rdy_can_s1")


def test_dimensions_that_are_one_are_told():
    def spoil(columns, levels, generator):
        for k in range(1, 6):
            columns[f"rdy_want_s{k}"] = levels["know"] + generator.normal(0, 0.7, len(levels["know"]))

    table = sd.check_structure(readiness(spoil=spoil)).to_frame()
    chosen = table[(table["kind"] == "dimensions") & (table["path"] == "know <-> want")]
    assert "told apart" in chosen["remark"].iloc[0] or "tell these" in chosen["remark"].iloc[0]


def want_and_morale(n=400, alike=False, seed=4):
    """Answers to want and to morale, which are either one thing, or two."""
    generator = np.random.default_rng(seed)
    want, other = generator.normal(0, 1, (2, n))
    levels = {"readiness": ("want", want), "attitude-causes": ("morale", -want if alike else other)}
    frame = {}
    for name, (dimension, level) in levels.items():
        for item in sd.load_instrument(name).dimension(dimension).scored_items:
            answer = (-level if item.reverse_keyed else level) + generator.normal(0, 0.6, n)
            frame[item.code] = np.clip(np.rint((item.minimum + item.maximum) / 2 + answer), item.minimum, item.maximum)
    return sd.read_responses(
        pd.DataFrame(frame), list(levels), form=dict.fromkeys(levels, "employee"), minimum_completed=0
    )


@pytest.mark.parametrize("alike", [True, False])
def test_dimensions_of_two_instruments_that_resemble_each_other_are_told_apart_or_not(alike):
    table = sd.check_structure(want_and_morale(alike=alike)).to_frame()
    pair = table[table["path"] == "readiness/want <-> attitude-causes/morale"]
    assert len(pair) == 1
    assert bool(pair["remark"].iloc[0]) == alike
    assert (pair["estimate"].iloc[0] < -0.9) == alike


def test_a_pair_with_a_list_of_provisions_is_named_as_not_examined():
    parts = [("readiness", "employee"), ("four-tools", "receiver")]
    check = sd.check_structure(sd.simulate(parts, n_units=2, respondents_per_unit=90, seed=3).responses())
    assert any("readiness/can and four-tools/capa" in note for note in check.notes)


def test_too_few_respondents_are_refused_with_their_number():
    with pytest.raises(sd.InsufficientDataError, match="60 respondents"):
        sd.check_structure(readiness(60))


def test_fewer_than_the_whole_model_needs_are_examined_one_by_one():
    check = sd.check_structure(readiness(120))
    assert check.fits["model"].tolist() == ["know alone", "want alone", "can alone"]
    assert any("165 are needed" in note for note in check.notes)
    assert set(check.to_frame()["kind"]) == {"item"}
    with pytest.raises(ValueError, match="know"):
        check.model("readiness")


def test_constant_item_is_named_and_does_not_stop_the_rest():
    def spoil(columns, levels, generator):
        columns["rdy_know_s1"] = np.full(len(levels["know"]), 0.0)

    check = sd.check_structure(readiness(spoil=spoil))
    assert any("constant: rdy_know_s1" in note for note in check.notes)
    assert check.fits["model"].tolist() == ["want alone", "can alone"]


def test_formative_instruments_claim_no_structure(make_responses):
    units = np.repeat(["North", "South"], 100)
    check = sd.check_structure(make_responses([("four-tools", "receiver")], units))
    assert set(check.to_frame()["from"]) <= {"conf", "role"}


def test_missing_answers_count_with_full_information(make_responses):
    responses = make_responses([("readiness", "employee")], ["x"] * 250, missing=0.03)
    listwise, full = sd.check_structure(responses), sd.check_structure(responses, missing="fiml")
    assert full.fits["n_respondents"].iloc[0] == 250 > listwise.fits["n_respondents"].iloc[0]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"minimum_respondents": 10}, ValueError),
        ({"minimum_respondents": "x"}, TypeError),
        ({"missing": "mean"}, ValueError),
    ],
)
def test_impossible_arguments_are_refused(arguments, error):
    with pytest.raises(error):
        sd.check_structure(readiness(120), **arguments)


def test_what_is_no_responses_is_refused():
    with pytest.raises(TypeError, match="responses"):
        sd.check_structure(pd.DataFrame({"a": [1, 2]}))


def test_result_is_stable_and_escaped():
    responses = readiness(200)
    check = sd.check_structure(responses)
    assert repr(check) == repr(sd.check_structure(responses))
    assert "know -&gt; rdy_know_s1" in check._repr_html_()
    table = check.to_frame()
    table.iloc[0, 0] = "changed"
    assert check.to_frame().iloc[0, 0] == "readiness"
