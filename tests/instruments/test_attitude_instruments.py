"""The instruments on attitudes, their causes, recovery and culture hold what their design says."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from servicediag.diagnosis.rules import lint_rules, load_rules
from servicediag.instrument import Instrument, Item, lint_instrument, list_instruments, load_instrument
from servicediag.responses import read_responses
from servicediag.scoring import score

IDS = ("employee-attitudes", "attitude-causes", "service-recovery", "service-culture")
PREFIXES = {"employee-attitudes": "att", "attitude-causes": "cau", "service-recovery": "rec", "service-culture": "scu"}
ATTITUDES = ("first", "pos", "prof", "people", "avail", "pers", "basic", "rely")
CULTURE = ("every", "intern", "valued", "vision", "values", "system", "role", "coop")
CONDITIONS = ("interest", "ability", "authority", "backing")

DIMENSIONS = {
    "employee-attitudes": [(d, "strength", "reflective", "frequency5", 4) for d in ATTITUDES],
    "attitude-causes": [
        ("promise", "weakness", "formative", "frequency5", 4),
        ("demand", "weakness", "formative", "frequency5", 4),
        ("time", "weakness", "formative", "frequency5", 5),
        ("morale", "weakness", "reflective", "agreement5", 4),
        ("train", "strength", "formative", "agreement5", 4),
        ("support", "strength", "formative", "agreement5", 4),
        ("measure", "strength", "formative", "agreement5", 4),
    ],
    "service-recovery": [
        *((d, "strength", "non_compensatory", "agreement5", 4) for d in CONDITIONS),
        ("outcome", "strength", "formative", "extent5", 6),
    ],
    "service-culture": [(d, "strength", "reflective", "agreement5", 4) for d in CULTURE],
}
FORMS = {
    "employee-attitudes": [
        ("customer", "customer", "last 3 months", 32),
        ("supervisor", "supervisor", "last 4 weeks", 32),
        ("self", "employee", "last 4 weeks", 32),
        ("peer", "peer", "last 4 weeks", 32),
    ],
    "attitude-causes": [
        ("employee", "employee", "last 3 months", 29),
        ("supervisor", "supervisor", "last 3 months", 29),
    ],
    "service-recovery": [
        ("employee", "employee", "latest service failure", 16),
        ("customer", "customer", "latest service failure", 6),
    ],
    "service-culture": [("staff", "employee", "present", 32), ("leaders", "leader", "present", 32)],
}
REVERSE_KEYED = {
    "employee-attitudes": set(),
    "attitude-causes": {"cau_demand_2"},
    "service-recovery": set(),
    "service-culture": {"scu_valued_3", "scu_coop_2"},
}
NAMED_ONLY = ("support", "authority", "ability")
"""Dimensions that the source names and does not explain: every item of theirs is the authors' inference."""
FORM_IDS = [(instrument, form[0]) for instrument, forms in FORMS.items() for form in forms]


@pytest.fixture(scope="module")
def instruments() -> dict[str, Instrument]:
    return {instrument_id: load_instrument(instrument_id) for instrument_id in IDS}


def uniform_answers(instrument: Instrument, form: str, code: int) -> pd.DataFrame:
    """Two respondents who give every item of the form the same answer."""
    return pd.DataFrame({item.code: [code, code] for item in instrument.form_items(form)})


@pytest.mark.parametrize("instrument_id", IDS)
def test_the_linter_finds_no_error(instrument_id: str) -> None:
    assert [issue for issue in lint_instrument(instrument_id) if issue.severity == "error"] == []


def test_the_only_doubt_about_wording_is_the_choice_between_two_customers() -> None:
    found = {(issue.code, issue.problem.split()[0]) for name in IDS for issue in lint_instrument(name)}
    assert found <= {("double_barrelled", "cau_time_4")}


def test_the_catalogue_lists_them_with_their_item_counts() -> None:
    table = list_instruments().set_index("id")
    assert table.loc[list(IDS), "n_items"].tolist() == [32, 29, 22, 32]


@pytest.mark.parametrize("instrument_id", IDS)
def test_dimensions_have_the_designed_direction_measurement_scale_and_length(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    found = [
        (d.id, d.direction, d.measurement, "/".join(sorted({item.scale for item in d.items})), len(d.items))
        for d in instruments[instrument_id].dimensions
    ]
    assert found == DIMENSIONS[instrument_id]


@pytest.mark.parametrize("instrument_id", IDS)
def test_forms_have_the_designed_rater_period_and_length(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    found = [(f.id, f.rater, f.reference_period, len(f.items)) for f in instruments[instrument_id].forms]
    assert found == FORMS[instrument_id]


@pytest.mark.parametrize("instrument_id", IDS)
def test_codes_number_the_items_of_a_dimension_from_one(instruments: dict[str, Instrument], instrument_id: str) -> None:
    prefix = PREFIXES[instrument_id]
    for dimension in instruments[instrument_id].dimensions:
        expected = [f"{prefix}_{dimension.id}_{number}" for number in range(1, len(dimension.items) + 1)]
        assert [item.code for item in dimension.items] == expected


@pytest.mark.parametrize("instrument_id", IDS)
def test_exactly_the_designed_items_are_reverse_keyed(instruments: dict[str, Instrument], instrument_id: str) -> None:
    found = {item.code for item in instruments[instrument_id].items if item.reverse_keyed}
    assert found == REVERSE_KEYED[instrument_id]


def test_every_item_counts_and_is_bounded_by_one_and_five_in_every_form(instruments: dict[str, Instrument]) -> None:
    for instrument in instruments.values():
        for form in instrument.forms:
            for item in instrument.form_items(form.id):
                scale = instrument.scale(item.code, form.id)
                bounds = (item.minimum, item.maximum, scale.minimum, scale.maximum)
                assert (item.in_score, *bounds) == (True, 1, 5, 1, 5), item.code


def test_staff_rate_the_conditions_of_recovery_and_customers_its_outcome(instruments: dict[str, Instrument]) -> None:
    recovery = instruments["service-recovery"]
    held = {form.id: {item.dimension for item in recovery.form_items(form.id)} for form in recovery.forms}
    assert held == {"employee": set(CONDITIONS), "customer": {"outcome"}}


def test_a_score_needs_two_thirds_of_the_items(instruments: dict[str, Instrument]) -> None:
    shares = {d.minimum_answered for instrument in instruments.values() for d in instrument.dimensions}
    assert [round(share, 6) for share in shares] == [round(2 / 3, 6)]


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_the_highest_answers_score_a_hundred_but_for_the_reverse_keyed_items(
    instruments: dict[str, Instrument], instrument_id: str, form: str
) -> None:
    instrument = instruments[instrument_id]
    expected = {}
    for dimension in instrument.dimensions:
        items = [item for item in dimension.items if item.code in instrument.form(form).items]
        if items:
            turned = sum(item.code in REVERSE_KEYED[instrument_id] for item in items)
            expected[dimension.id] = 100 * (len(items) - turned) / len(items)
    answers = read_responses(uniform_answers(instrument, form, 5), instrument, form=form)
    found = score(answers).values.iloc[0]
    assert found.to_dict() == pytest.approx(expected)


def test_customer_attitudes_can_be_scored_when_the_optional_item_on_personal_cost_is_left_out(
    instruments: dict[str, Instrument],
) -> None:
    attitudes = instruments["employee-attitudes"]
    answers = uniform_answers(attitudes, "customer", 4).drop(columns="att_first_4")
    values = score(read_responses(answers, attitudes, form="customer")).values
    assert values["first"].tolist() == [75.0, 75.0]
    assert any("att_first_4" in note for note in attitudes.notes)


@pytest.mark.parametrize("instrument_id", IDS)
def test_every_item_says_where_its_content_comes_from(instruments: dict[str, Instrument], instrument_id: str) -> None:
    sources = {
        "employee-attitudes": {"003"},
        "attitude-causes": {"000", "003"},
        "service-recovery": {"000"},
        "service-culture": {"001"},
    }[instrument_id]

    def lacks_origin(item: Item) -> bool:
        return not item.facet or item.source not in sources or item.evidence not in {"S", "S~", "I"}

    assert [item.code for item in instruments[instrument_id].items if lacks_origin(item)] == []
    assert all(any(f"Source {number}" in text for text in instruments[instrument_id].sources) for number in sources)


def test_what_the_source_only_names_is_not_said_to_be_stated_by_it(instruments: dict[str, Instrument]) -> None:
    items = [item for instrument in instruments.values() for item in instrument.items]
    assert {item.evidence for item in items if item.dimension in NAMED_ONLY} == {"I"}
    stated = {
        item.code
        for item in items
        if item.dimension in (*CONDITIONS, "train", "support", "measure") and item.evidence != "I"
    }
    assert stated == {
        "cau_train_1", "cau_train_2", "cau_measure_1", "cau_measure_3", "rec_interest_1", "rec_backing_1",
    }  # fmt: skip


@pytest.mark.parametrize("instrument_id", IDS)
def test_instruments_say_that_they_are_not_validated_and_have_no_norms(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    instrument = instruments[instrument_id]
    assert instrument.status == "not yet validated"
    assert any("No norms exist" in note for note in instrument.notes)
    assert any("original" in source for source in instrument.sources)


@pytest.mark.parametrize(
    ("code", "facet"),
    [
        ("scu_valued_3", "mirror"),  # restrictions on staff that are passed on (R04)
        ("cau_morale_2", "exhaustion"),  # people who serve are exhausted (R05)
        ("cau_time_4", "priority conflict"),  # one customer against another (R12)
        ("cau_measure_4", "volume"),  # rewards for speed (R29)
    ],
)
def test_items_that_cause_rules_name_ask_what_the_rule_means(
    instruments: dict[str, Instrument], code: str, facet: str
) -> None:
    item = next(item for instrument in instruments.values() for item in instrument.items if item.code == code)
    assert facet in item.facet
    rules = load_rules().rules
    assert any(code in {c.target for c in (*rule.conditions, *rule.refuters)} for rule in rules)


def test_agreeing_that_restrictions_reach_customers_lowers_being_valued(instruments: dict[str, Instrument]) -> None:
    culture = instruments["service-culture"]
    answers = uniform_answers(culture, "staff", 3)
    answers["scu_valued_3"] = [1, 5]
    values = score(read_responses(answers, culture, form="staff")).values["valued"]
    assert values.tolist() == [62.5, 37.5]


def test_every_dimension_and_item_that_a_rule_names_exists(instruments: dict[str, Instrument]) -> None:
    assert lint_rules(load_rules(), instruments.values()) == ()


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_items_are_short_and_stems_hold_the_unit(
    instruments: dict[str, Instrument], instrument_id: str, form: str
) -> None:
    instrument = instruments[instrument_id]
    texts = {code: instrument.text(code, form) for code in instrument.form(form).items}
    assert {code: text for code, text in texts.items() if len(text.split()) > 20 or "{" in text} == {}
    stems = [instrument.stem(code, form) for code in texts]
    assert {name for stem in stems for name in re.findall(r"\{.*?\}", stem)} == {"{unit}"}
    assert all(stems)


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_respondents_see_no_loaded_label(instruments: dict[str, Instrument], instrument_id: str, form: str) -> None:
    shown = instruments[instrument_id].locales["en"].forms[form]
    words = {w for text in (shown.title, shown.instruction, *shown.stems.values()) for w in re.findall(r"\w+", text)}
    loaded = {"attitude", "attitudes", "morale", "blame", "broken", "burnout", "culture", "recovery", "cause", "causes"}
    assert {word.casefold() for word in words} & loaded == set()


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_the_form_can_be_told_from_the_texts_of_its_items(
    instruments: dict[str, Instrument], instrument_id: str, form: str
) -> None:
    instrument = instruments[instrument_id]
    generator = np.random.default_rng(1)
    codes = instrument.form(form).items
    export = pd.DataFrame({instrument.text(code, form): generator.integers(1, 6, 6) for code in codes})
    assert read_responses(export, instrument).form == form


def test_every_rater_reads_a_text_of_their_own_for_every_item(instruments: dict[str, Instrument]) -> None:
    texts = [
        instrument.text(code, form.id)
        for instrument in instruments.values()
        for form in instrument.forms
        for code in form.items
    ]
    assert len(set(texts)) == len(texts)
