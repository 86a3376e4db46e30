"""The instruments on organisation and outcomes hold what their design says, and the packages hold every instrument."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.rules import lint_rules, load_rules
from servicediag.instrument import (
    Instrument,
    instruments_root,
    lint_catalogue,
    lint_instrument,
    list_instruments,
    list_packages,
    load_background,
    load_instrument,
    load_package,
)

REQUIREMENTS = (
    "topmgt", "mission", "firststep", "long", "tailor", "measure", "expert", "involve", "qwl", "reward", "persist",
)  # fmt: skip
HR = ("rules", "easy", "centred", "feedback", "diag")
LEVERS = ("struct", "comms", "fair", "partic")
TRACKER = ("enthusiasm", "resources", "permanence", "willingness")
OUTCOMES = {
    "return": ("strength", "yes_no"),
    "reason": ("weakness", "reason3"),
    "told": ("strength", "yes_no"),
    "badword": ("weakness", "people5"),
    "goodword": ("strength", "people5"),
    "intention": ("strength", "intention5"),
}

DIMENSIONS = {
    "quality-culture-requirements": [(name, "strength", "formative", 2) for name in REQUIREMENTS],
    "hr-internal-service": [
        *((name, "strength", "reflective", 4) for name in HR),
        *((name, "strength", "single", 1) for name in LEVERS),
    ],
    "strategic-customer-thinking": [("thinking", "strength", "formative", 7)],
    "programme-launch": [(name, "strength", "single", 1) for name in TRACKER],
    "customer-outcomes": [(name, direction, "single", 1) for name, (direction, _) in OUTCOMES.items()],
}
FORMS = {
    "quality-culture-requirements": [("leader", "leader", 22, "present"), ("employee", "employee", 22, "present")],
    "hr-internal-service": [
        ("internal-customer", "internal_customer", 24, "last 6 months"),
        ("hr", "hr", 24, "last 6 months"),
    ],
    "strategic-customer-thinking": [("leader", "leader", 7, "present")],
    "programme-launch": [("employee", "employee", 4, "this month")],
    "customer-outcomes": [("customer", "customer", 6, "last 12 months")],
}
PREFIXES = {
    "quality-culture-requirements": "req",
    "hr-internal-service": "hrq",
    "strategic-customer-thinking": "str",
    "programme-launch": "launch",
    "customer-outcomes": "out",
}
SCALES = {
    "quality-culture-requirements": "maturity5",
    "hr-internal-service": "agreement5",
    "strategic-customer-thinking": "maturity5",
    "programme-launch": "agreement5",
}
IDS = tuple(DIMENSIONS)
FORM_IDS = [(instrument, form[0]) for instrument, forms in FORMS.items() for form in forms]
PACKAGES = list_packages()["id"].tolist()


@pytest.fixture(scope="module")
def instruments() -> dict[str, Instrument]:
    return {instrument_id: load_instrument(instrument_id) for instrument_id in IDS}


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Instrument]:
    return {instrument_id: load_instrument(instrument_id) for instrument_id in list_instruments()["id"]}


@pytest.mark.parametrize("instrument_id", IDS)
def test_the_linter_finds_nothing(instrument_id: str) -> None:
    assert lint_instrument(instrument_id) == ()


def test_the_catalogue_as_a_whole_has_no_errors() -> None:
    assert [issue for issue in lint_catalogue() if issue.severity == "error"] == []


@pytest.mark.parametrize("instrument_id", IDS)
def test_dimensions_have_the_designed_direction_measurement_and_length(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    found = [(d.id, d.direction, d.measurement, len(d.items)) for d in instruments[instrument_id].dimensions]
    assert found == DIMENSIONS[instrument_id]


@pytest.mark.parametrize("instrument_id", IDS)
def test_forms_have_the_designed_rater_length_and_period(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    forms = instruments[instrument_id].forms
    assert [(f.id, f.rater, len(f.items), f.reference_period) for f in forms] == FORMS[instrument_id]


@pytest.mark.parametrize("instrument_id", IDS)
def test_items_are_numbered_in_order_and_all_scored_directly(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    prefix = PREFIXES[instrument_id]
    expected = [f"{prefix}_{d}_{n}" for d, _, _, length in DIMENSIONS[instrument_id] for n in range(1, length + 1)]
    items = instruments[instrument_id].items
    assert [item.code for item in items] == expected
    assert {(item.reverse_keyed, item.in_score) for item in items} == {(False, True)}


@pytest.mark.parametrize("instrument_id", IDS)
def test_every_item_says_where_its_content_comes_from(instruments: dict[str, Instrument], instrument_id: str) -> None:
    source = "004" if instrument_id == "programme-launch" else "003"
    items = instruments[instrument_id].items
    assert [i.code for i in items if not i.facet or i.source != source or i.evidence not in {"S", "S~", "I"}] == []


@pytest.mark.parametrize("instrument_id", SCALES)
def test_all_items_share_the_designed_scale(instruments: dict[str, Instrument], instrument_id: str) -> None:
    instrument = instruments[instrument_id]
    used = {instrument.scale(code, form.id).id for form in instrument.forms for code in form.items}
    assert used == {SCALES[instrument_id]}


@pytest.mark.parametrize("code", ["req_expert_2", "req_persist_2", "hrq_easy_3", "hrq_diag_1", "out_intention_1"])
def test_what_is_elaborated_is_told_from_what_is_stated(instruments: dict[str, Instrument], code: str) -> None:
    (item,) = [item for one in instruments.values() for item in one.items if item.code == code]
    assert item.evidence == ("S" if code == "hrq_diag_1" else "I")


def test_maturity_starts_at_zero(instruments: dict[str, Instrument]) -> None:
    for name in ("quality-culture-requirements", "strategic-customer-thinking"):
        assert {(item.minimum, item.maximum) for item in instruments[name].items} == {(0, 4)}


@pytest.mark.parametrize("instrument_id", ["quality-culture-requirements", "strategic-customer-thinking"])
def test_leaders_are_asked_for_evidence_from_the_third_level(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    instrument = instruments[instrument_id]
    shown = instrument.locales["en"].forms["leader"].instruction
    third, below = instrument.options(instrument.items[0].code)[3], instrument.options(instrument.items[0].code)[2]
    assert f'From "{third}" upwards' in shown
    assert f'choose "{below}"' in shown
    assert any(f"From {third} upwards" in note and "named piece of evidence" in note for note in instrument.notes)


@pytest.mark.parametrize("name", OUTCOMES)
def test_each_outcome_has_the_scale_that_fits_it(instruments: dict[str, Instrument], name: str) -> None:
    assert instruments["customer-outcomes"].scale(f"out_{name}_1").id == OUTCOMES[name][1]


def test_labels_of_outcomes_are_read_and_scored_in_the_direction_of_their_names() -> None:
    answers = pd.DataFrame(
        {
            "out_return_1": ["No", "Yes", "Does not apply to me"],
            "out_reason_1": ["The main reason", "I have not left", "No part"],
            "out_told_1": ["Yes", "Unsure", "No"],
            "out_badword_1": ["More than 10 people", "Nobody", "1 or 2 people"],
            "out_goodword_1": ["Nobody", "3 to 5 people", "6-10 people"],
            "out_intention_1": ["Certainly not", "Probably", "Perhaps"],
        }
    )
    responses = sd.read_responses(answers, "customer-outcomes", minimum_completed=0)
    values = sd.score(responses).values
    assert values.iloc[0].tolist() == [0, 100, 100, 100, 0, 0]
    assert values["badword"].tolist() == [100, 0, 25]
    assert values["goodword"].tolist() == [0, 50, 75]
    assert values["intention"].tolist() == [0, 75, 50]
    assert responses.missing.loc[1, ["out_reason_1", "out_told_1"]].tolist() == ["not_applicable", "dont_know"]


def test_no_figure_of_the_source_on_word_of_mouth_is_used(instruments: dict[str, Instrument]) -> None:
    outcomes = instruments["customer-outcomes"]
    texts = [*outcomes.notes, *outcomes.sources, *(d.definition for d in outcomes.dimensions)]
    texts += [outcomes.text(item.code) for item in outcomes.items]
    assert [text for text in texts if re.search(r"\b(68|90|ten|five|dollar|Peters)\b|%", text)] == []
    assert any("none is used here" in note for note in outcomes.notes)


def test_rules_find_every_dimension_and_item_that_they_name(catalogue: dict[str, Instrument]) -> None:
    rules = load_rules()
    named = {symptom.rpartition(":")[2].partition("/")[0] for rule in rules.rules for symptom in rule.symptoms}
    named |= {str(condition.instrument) for rule in rules.rules for condition in (*rule.conditions, *rule.refuters)}
    assert {"hr-internal-service", "customer-outcomes", "programme-launch", "service-recovery"} <= named
    assert lint_rules(rules, catalogue.values()) == ()


def test_the_rule_on_hr_looks_into_all_five_sides_of_its_service() -> None:
    variants = [rule.variant for rule in load_rules().rules if rule.id == "R40"]
    assert variants == [f"hr-internal-service/{name}" for name in HR]


@pytest.mark.parametrize(
    ("instrument_id", "cautions"),
    [
        ("quality-culture-requirements", ["self-audit", "perception gap", "error of copying", "Do not know"]),
        ("hr-internal-service", ["hr_stratum", "side by side", "Never ask anyone to name", "single items"]),
        ("strategic-customer-thinking", ["asks nobody to spy", "favourable answer"]),
        ("programme-launch", ["date of its launch", "no success yet", "Never use them to find out"]),
        ("customer-outcomes", ["customers who have left", "leaving_reason", "neither averaged nor added"]),
    ],
)
def test_the_cautions_are_printed_with_the_instrument(
    instruments: dict[str, Instrument], instrument_id: str, cautions: list[str]
) -> None:
    instrument = instruments[instrument_id]
    notes = " ".join(instrument.notes)
    assert [caution for caution in cautions if caution not in notes] == []
    assert instrument.status == "not yet validated"
    assert "No norms exist" in notes
    assert any("original" in source for source in instrument.sources)


def test_background_fields_that_the_cautions_name_exist(instruments: dict[str, Instrument]) -> None:
    fields = {field.id for field in load_background()}
    notes = " ".join(note for instrument in instruments.values() for note in instrument.notes)
    named = set(re.findall(r"background field (\w+)", notes))
    assert named == {"hr_stratum", "leaving_reason"}
    assert named <= fields


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_items_are_short_and_stand_below_a_stem(
    instruments: dict[str, Instrument], instrument_id: str, form: str
) -> None:
    instrument = instruments[instrument_id]
    for code in instrument.form(form).items:
        text, stem = instrument.text(code, form), instrument.stem(code, form)
        assert len(text.split()) <= 20, code
        assert "{" not in text, code
        assert stem, code
        assert set(re.findall(r"\{.*?\}", stem)) <= {"{unit}"}, code


@pytest.mark.parametrize(("instrument_id", "form"), [pair for pair in FORM_IDS if pair[0] in SCALES])
def test_stems_ask_in_the_words_of_their_response_scale(
    instruments: dict[str, Instrument], instrument_id: str, form: str
) -> None:
    instrument = instruments[instrument_id]
    asked = {"maturity5": "how far is this in place", "agreement5": "how far do you agree"}[SCALES[instrument_id]]
    assert all(asked in instrument.stem(code, form).casefold() for code in instrument.form(form).items)


def test_outcomes_are_asked_as_full_questions(instruments: dict[str, Instrument]) -> None:
    outcomes = instruments["customer-outcomes"]
    assert [item.code for item in outcomes.items if not outcomes.text(item.code).endswith("?")] == []


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_staff_are_asked_for_no_names(instruments: dict[str, Instrument], instrument_id: str, form: str) -> None:
    shown = instruments[instrument_id].locales["en"].forms[form]
    assert "no right or wrong answers" in shown.instruction
    if form in {"employee", "internal-customer", "hr"}:
        assert "do not name anyone" in shown.instruction


def test_items_for_different_raters_can_be_told_apart_by_their_text(instruments: dict[str, Instrument]) -> None:
    for instrument in instruments.values():
        for item in instrument.items:
            wordings = instrument.locales["en"].items[item.code]
            assert len({text.casefold() for text in wordings.values()}) == len(wordings), item.code


def test_no_two_response_scales_of_the_catalogue_share_their_labels() -> None:
    names = sorted(path.name for path in instruments_root().joinpath("_scales").iterdir())
    assert {"yes_no.yaml", "reason3.yaml", "people5.yaml", "intention5.yaml"} <= set(names)
    assert [issue for issue in lint_catalogue() if issue.code == "duplicate_label_set"] == []


def test_every_instrument_is_in_a_package(catalogue: dict[str, Instrument]) -> None:
    held = {part.instrument for package_id in PACKAGES for part in load_package(package_id).parts}
    assert held == set(catalogue)


@pytest.mark.parametrize("package_id", PACKAGES)
def test_package_is_for_one_kind_of_respondent_and_short_enough(
    catalogue: dict[str, Instrument], package_id: str
) -> None:
    package = load_package(package_id)
    forms = [(catalogue[part.instrument].form(part.form), part) for part in package.parts]
    assert len({form.rater for form, _ in forms}) == 1
    codes = [code for form, part in forms for code in part.items or form.items]
    assert len(set(codes)) == len(codes) == package.n_items <= 45
    assert package.minutes <= 10
    assert not re.search(r"\d", package.title)


@pytest.mark.parametrize(
    ("package_id", "n_items"),
    [("pulse", 29), ("core-employee", 38), ("tools", 34), ("customer", 35), ("customer-short", 20)],
)
def test_the_designed_packages_have_their_length(package_id: str, n_items: int) -> None:
    assert load_package(package_id).n_items == n_items
