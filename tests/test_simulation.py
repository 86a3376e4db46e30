"""Simulated studies hold what was planted, and otherwise look like surveys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from servicediag.instrument.model import Dimension, Form, FormText, Instrument, Item, Locale, Scale
from servicediag.simulation import AnswerProcess, Effect, SimulatedStudy, simulate

LABELS = {1: "Never", 2: "Rarely", 3: "Sometimes", 4: "Often", 5: "Almost always"}
CLEAN = AnswerProcess(icc=0.0, acquiescence=0.0, careless=0.0, missing=0.0, no_answer_option=0.0, breakoff=0.0)
MANY = {"n_units": 2, "respondents_per_unit": 4000}


def instrument(instrument_id: str = "visit", rater: str = "customer", prefix: str = "vis") -> Instrument:
    """Five dimensions of five items, the last item reversed: three weaknesses and two strengths."""
    scale = Scale("frequency5", (1, 2, 3, 4, 5), {"en": LABELS}, {"en": {"not_applicable": "Did not apply"}})
    directions = {"cold": "weakness", "rule": "weakness", "run": "weakness", "know": "strength", "want": "strength"}
    dimensions, texts = [], {}
    for name, direction in directions.items():
        codes = [f"{prefix}_{name}_{number}" for number in range(1, 6)]
        items = tuple(Item(code, name, "frequency5", 1, 5, reverse_keyed=code.endswith("5")) for code in codes)
        dimensions.append(Dimension(name, name.title(), direction, "reflective", items))
        texts.update({code: {"main": f"Question {code.replace('_', ' ')}"} for code in codes})
    form = Form("main", rater, tuple(texts), "main")
    titles = {name: (name.title(), "") for name in directions}
    locale = Locale("en", "original", "Visit", "", {"main": FormText("Visit", "", {})}, titles, texts)
    return Instrument(
        instrument_id, "1.0.0", "Visit", ("en",), (form,), tuple(dimensions), {"frequency5": scale}, {"en": locale}
    )


def health(study: SimulatedStudy, dimension: str) -> pd.Series:
    """Health of every respondent in a dimension, computed from the raw codes by the declared bounds and keys."""
    for questionnaire, _ in study.parts:
        for candidate in questionnaire.dimensions:
            if candidate.id == dimension:
                weak = candidate.direction == "weakness"
                columns = {
                    item.code: (
                        5 - study.answers[item.code] if weak != item.reverse_keyed else study.answers[item.code] - 1
                    )
                    for item in candidate.items
                }
                return 25.0 * pd.DataFrame(columns).mean(axis=1)
    raise ValueError(dimension)


def unit_gap(study: SimulatedStudy, dimension: str) -> float:
    by_unit = health(study, dimension).groupby(study.respondents["unit"]).mean()
    return float(by_unit["Unit 02"] - by_unit["Unit 01"])


@pytest.mark.parametrize("dimension", ["rule", "know"])
@pytest.mark.parametrize("points", [-20.0, -8.0, 6.0])
def test_planted_points_appear_in_the_unit__strengths_and_weaknesses_alike(dimension, points):
    study = simulate(
        instrument(),
        **MANY,
        effects=[Effect("Unit 02", dimension, points)],
        baseline={"rule": 80},
        process=CLEAN,
        seed=3,
    )
    assert unit_gap(study, dimension) == pytest.approx(points, abs=1.5)
    assert unit_gap(study, "cold") == pytest.approx(0.0, abs=1.5)


def test_effect_without_unit_reaches_every_unit():
    without = simulate(instrument(), **MANY, process=CLEAN)
    with_effect = simulate(instrument(), **MANY, process=CLEAN, effects=[Effect(None, "know", -15)])
    assert health(with_effect, "know").mean() - health(without, "know").mean() == pytest.approx(-15, abs=0.5)
    assert unit_gap(with_effect, "know") == pytest.approx(unit_gap(without, "know"), abs=2.0)


def test_effect_on_an_item_leaves_the_other_items_alone():
    study = simulate(instrument(), **MANY, process=CLEAN, effects=[Effect("Unit 02", "vis_rule_2", -20)])
    means = study.answers.groupby(study.respondents["unit"]).mean().diff().iloc[1]
    assert means["vis_rule_2"] == pytest.approx(20 / 25, abs=0.08)
    assert means.drop("vis_rule_2").abs().max() < 0.1


def test_effects_on_the_same_item_add_up():
    effects = [Effect("Unit 02", "rule", -5), Effect(None, "visit/rule", -3), Effect("Unit 02", "vis_rule_1", -4)]
    study = simulate(instrument(), **MANY, process=CLEAN, effects=effects)
    truth = study.true_health.query("dimension == 'rule'").set_index("unit")
    planted = truth["health"] - truth["health_without_effects"]
    assert planted["Unit 01"] == pytest.approx(-3.0, abs=1e-6)
    assert planted["Unit 02"] == pytest.approx(-(5 * 8 + 4) / 5, abs=1e-6)


def test_planted_frame_names_what_was_planted():
    effects = [Effect("Unit 02", "rule", -5), Effect(None, "vis_know_1", 4)]
    planted = simulate(instrument(), n_units=2, effects=effects).planted
    everybody = {"background": None, "category": None}
    assert planted.to_dict("records") == [
        {"unit": "Unit 02", "instrument": "visit", "dimension": "rule", "item": None, "points": -5.0, **everybody},
        {"unit": None, "instrument": "visit", "dimension": "know", "item": "vis_know_1", "points": 4.0, **everybody},
    ]


TENURE = {"tenure": {"new": 0.5, "old": 0.5}, "asked": {"yes": 1.0}}


class TestBackground:
    def test_people_belong_to_categories_in_proportion(self):
        study = simulate(instrument(), **MANY, background={"tenure": {"new": 3, "old": 1}})
        assert list(study.respondents.columns) == ["unit", "tenure"]
        assert (study.respondents["tenure"] == "new").mean() == pytest.approx(0.75, abs=0.02)
        assert study.labelled()["tenure"].equals(study.respondents["tenure"])

    def test_an_effect_among_some_leaves_the_others_alone(self):
        effects = [Effect(None, "know", -16, among=("tenure", "old")), Effect("Unit 02", "know", -6)]
        study = simulate(instrument(), **MANY, effects=effects, background=TENURE, process=CLEAN, seed=4)
        means = health(study, "know").groupby([study.respondents["unit"], study.respondents["tenure"]]).mean()
        plain = simulate(instrument(), **MANY, process=CLEAN, seed=4)
        usual = health(plain, "know").mean()
        expected = {("Unit 01", "new"): 0, ("Unit 01", "old"): -16, ("Unit 02", "new"): -6, ("Unit 02", "old"): -22}
        for place, points in expected.items():
            assert means[place] - usual == pytest.approx(points, abs=1.5)
        truth = study.true_health.query("dimension == 'know'").set_index("unit")
        assert (truth["health"] - truth["health_without_effects"]).round(0).tolist() == [-8.0, -14.0]

    def test_a_background_does_not_change_the_people(self):
        plain = simulate(instrument(), seed=4)
        with_background = simulate(instrument(), seed=4, background=TENURE)
        pd.testing.assert_frame_equal(plain.answers, with_background.answers)

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"effects": [Effect(None, "know", -5, among=("age", "old"))]}, "age"),
            ({"background": {"tenure": {"new": -1}}}, "tenure"),
            ({"background": {"unit": {"A": 1}}}, "unit"),
        ],
    )
    def test_faulty_background(self, arguments, told):
        with pytest.raises(ValueError, match=told):
            simulate(instrument(), **arguments)


def test_true_health_is_what_many_people_show():
    process = AnswerProcess(icc=0.3, acquiescence=0.0, careless=0.0, missing=0.0, no_answer_option=0.0, breakoff=0.0)
    study = simulate(instrument(), **MANY, effects=[Effect("Unit 01", "know", -10)], process=process, seed=5)
    for dimension in ("cold", "know"):
        shown = health(study, dimension).groupby(study.respondents["unit"]).mean()
        truth = study.true_health.query("dimension == @dimension").set_index("unit")["health"]
        assert np.allclose(shown, truth, atol=1.5)


def test_same_seed_same_answers__other_seed_other_answers():
    first, again, other = (simulate(instrument(), seed=seed) for seed in (4, 4, 5))
    pd.testing.assert_frame_equal(first.answers, again.answers)
    pd.testing.assert_frame_equal(first.labelled(), again.labelled())
    assert not first.answers.equals(other.answers)


def test_unit_seed_keeps_the_units_while_the_people_change():
    first = simulate(instrument(), seed=1, unit_seed=9)
    second = simulate(instrument(), seed=2, unit_seed=9)
    pd.testing.assert_frame_equal(first.true_health, second.true_health)
    assert not first.answers.equals(second.answers)


def test_scales_correlate_as_surveys_do():
    study = simulate(instrument(rater="employee"), n_units=30, respondents_per_unit=60, seed=2)
    scores = pd.DataFrame({name: health(study, name) for name in ("cold", "rule", "run", "know", "want")})
    off_diagonal = scores.corr().to_numpy()[np.triu_indices(5, 1)]
    assert off_diagonal.min() > 0.25
    assert off_diagonal.max() < 0.65


def test_units_differ_by_the_declared_share():
    process = AnswerProcess(icc=0.10, acquiescence=0.0, careless=0.0, missing=0.0, no_answer_option=0.0, breakoff=0.0)
    study = simulate(instrument(), n_units=150, respondents_per_unit=40, process=process, seed=8)
    scores = health(study, "know")
    units = scores.groupby(study.respondents["unit"])
    between, within = 40 * units.mean().var(ddof=1), units.var(ddof=1).mean()
    icc = (between - within) / (between + 39 * within)
    assert 0.04 < icc < 0.13


def test_customers_report_rare_troubles_with_a_floor_effect():
    study = simulate(instrument(rater="customer"), **MANY, process=CLEAN)
    never = (study.answers["vis_rule_1"] == 1).mean()
    often = (study.answers["vis_rule_1"] >= 4).mean()
    assert never > 0.4
    assert often < 0.15


def test_acquiescence_lifts_raw_answers_of_both_keys():
    plain = simulate(instrument(rater="employee"), **MANY, process=CLEAN)
    drifting = AnswerProcess(icc=0.0, acquiescence=0.5, careless=0.0, missing=0.0, no_answer_option=0.0, breakoff=0.0)
    drift = simulate(instrument(rater="employee"), **MANY, process=drifting).answers.mean() - plain.answers.mean()
    assert drift[["vis_rule_1", "vis_rule_5", "vis_know_1", "vis_know_5"]].min() > 0.05


def test_careless_people_answer_in_one_column_or_without_pattern():
    careless = AnswerProcess(careless=1.0, missing=0.0, no_answer_option=0.0, breakoff=0.0)
    study = simulate(instrument(), **MANY, process=careless)
    one_column = study.answers.nunique(axis=1) == 1
    assert one_column.mean() == pytest.approx(0.5, abs=0.03)
    assert study.answers[~one_column].corr().abs().to_numpy()[np.triu_indices(25, 1)].max() < 0.1


def test_missing_answers_have_reasons_and_lean_to_the_unhappy():
    process = AnswerProcess(missing=0.10, no_answer_option=0.05, breakoff=0.0, careless=0.0)
    study = simulate(instrument(), **MANY, process=process)
    assert (study.missing != "").equals(study.answers.isna())
    assert set(np.unique(study.missing)) == {"", "blank", "not_applicable"}
    assert (study.missing == "blank").to_numpy().mean() == pytest.approx(0.10, abs=0.01)
    unhappy = health(study, "know") < health(study, "know").median()
    blanks = (study.missing == "blank").mean(axis=1)
    assert blanks[unhappy].mean() > blanks[~unhappy].mean()


def test_people_who_break_off_leave_the_end_blank():
    process = AnswerProcess(missing=0.0, no_answer_option=0.0, breakoff=1.0)
    answered = simulate(instrument(), process=process).answers.notna().to_numpy()
    assert answered[:, 0].all()
    assert (np.diff(answered.astype(int), axis=1) <= 0).all()
    assert not answered[:, -1].all()


def test_several_instruments_share_the_person():
    staff, tools = instrument("staff", "employee"), instrument("tools", "employee", "too")
    study = simulate([(staff, "main"), tools], n_units=20, respondents_per_unit=50, seed=6)
    assert len(study.answers.columns) == 50
    together = study.answers["vis_know_1"].corr(study.answers["too_know_1"])
    assert 0.15 < together < 0.6


@pytest.mark.parametrize(("sizes", "expected"), [(7, [7, 7, 7]), ([4, 9, 2], [4, 9, 2]), ((3, 3), [3, 3, 3])])
def test_sizes_of_units(sizes, expected):
    study = simulate(instrument(), n_units=3, respondents_per_unit=sizes)
    assert study.respondents["unit"].value_counts(sort=False).tolist() == expected


def test_sizes_from_a_range_stay_in_it():
    sizes = simulate(instrument(), n_units=40, respondents_per_unit=(15, 20)).respondents["unit"].value_counts()
    assert sizes.min() == 15
    assert sizes.max() == 20


def test_labelled_has_question_texts_as_headings_and_labels_as_answers():
    study = simulate(instrument(), process=AnswerProcess(missing=0.1, no_answer_option=0.1))
    labelled = study.labelled()
    assert labelled.columns[:2].tolist() == ["unit", "Question vis cold 1"]
    column = labelled["Question vis cold 1"]
    assert set(column.dropna()) <= {*LABELS.values(), "Did not apply"}
    codes = column.map({label: code for code, label in LABELS.items()})
    pd.testing.assert_series_equal(codes, study.answers["vis_cold_1"], check_names=False, check_dtype=False)
    assert (column == "Did not apply").equals(study.missing["vis_cold_1"] == "not_applicable")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"effects": [Effect("Nowhere", "rule", -5)]}, "Nowhere"),
        ({"effects": [Effect(None, "rules", -5)]}, "choose from"),
        ({"effects": [Effect(None, "rule", -95)]}, "out of reach"),
        ({"respondents_per_unit": [3, 4, 5]}, "12 sizes"),
        ({"respondents_per_unit": 0}, "at least 1"),
        ({"n_units": 0}, "n_units=0"),
        ({"unit_names": ["A", "A"], "n_units": 2}, "2 different names"),
        ({"baseline": {"nothing": 50}}, "nothing"),
        ({"baseline": {"rule": 120}}, "rule"),
        ({"form": "night"}, "night"),
    ],
)
def test_wrong_arguments_are_named(arguments, told):
    with pytest.raises(ValueError, match=told):
        simulate(instrument(), **arguments)


def test_a_dimension_of_two_instruments_must_be_named_with_its_instrument():
    both = [instrument("staff"), instrument("tools", prefix="too")]
    with pytest.raises(ValueError, match="several instruments"):
        simulate(both, effects=[Effect(None, "rule", -5)])
    planted = simulate(both, effects=[Effect(None, "tools/rule", -5)]).planted
    assert planted["instrument"].tolist() == ["tools"]


def test_process_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"halo=1\.5"):
        AnswerProcess(halo=1.5)
