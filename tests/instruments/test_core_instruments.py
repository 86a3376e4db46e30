"""The three core instruments hold what their design says: items, forms, keys, bounds, scores and texts."""

from __future__ import annotations

import re

import pytest

from servicediag.instrument import Instrument, Item, lint_instrument, list_instruments, load_instrument, load_package

CORE = ("seven-sins", "readiness", "four-tools")
SINS = ("apathy", "brush", "cold", "condesc", "robot", "rule", "run")
STATE = ("know", "want", "can")
STATE_CODES = {f"rdy_{dimension}_s{number}" for dimension in STATE for number in range(1, 6)}
SHORT_CODES = {f"sin_{sin}_{number}" for sin in SINS for number in (1, 5)}
PROVISION_CODES = {f"tool_{tool}_{number}" for tool in ("comm", "feed", "capa") for number in range(1, 7)}

DIMENSIONS = {
    "seven-sins": [(sin, "weakness", "reflective", 5) for sin in SINS],
    "readiness": [
        ("know", "strength", "reflective", 5),
        ("want", "strength", "reflective", 5),
        ("can", "strength", "reflective", 5),
        ("know_requirements", "strength", "formative", 7),
        ("want_requirements", "strength", "formative", 6),
        ("can_requirements", "strength", "formative", 6),
    ],
    "four-tools": [
        ("comm", "strength", "formative", 6),
        ("feed", "strength", "formative", 6),
        ("capa", "strength", "formative", 6),
        ("conf", "strength", "reflective", 6),
        ("role", "strength", "reflective", 4),
        ("blame_staff", "weakness", "formative", 3),
        ("blame_situation", "strength", "formative", 3),
    ],
}
FORMS = {
    "seven-sins": [
        ("customer", "customer", None, 35),
        ("observer", "employee", None, 35),
        ("supervisor", "supervisor", None, 35),
        ("mystery-shopper", "mystery_shopper", None, 35),
        ("customer-short", "customer", "customer", 14),
        ("observer-short", "employee", "observer", 14),
    ],
    "readiness": [
        ("employee", "employee", None, 34),
        ("supervisor", "supervisor", None, 15),
        ("employee-state", "employee", "employee", 15),
    ],
    "four-tools": [
        ("receiver", "employee", None, 34),
        ("provider", "supervisor", None, 34),
        ("audit", "auditor", None, 18),
    ],
}
REVERSE_KEYED = {
    "seven-sins": {f"sin_{sin}_5" for sin in SINS},
    "readiness": {"rdy_want_s5", "rdy_can_s5"},
    "four-tools": set(),
}
FORM_IDS = [(instrument, form[0]) for instrument, forms in FORMS.items() for form in forms]


@pytest.fixture(scope="module")
def core() -> dict[str, Instrument]:
    return {instrument_id: load_instrument(instrument_id) for instrument_id in CORE}


def codes_of(instrument: Instrument, form: str) -> set[str]:
    return {item.code for item in instrument.form_items(form)}


@pytest.mark.parametrize("instrument_id", CORE)
def test_the_linter_finds_nothing(instrument_id: str) -> None:
    assert lint_instrument(instrument_id) == ()


def test_the_catalogue_lists_the_three_with_their_item_counts() -> None:
    table = list_instruments().set_index("id")
    assert table.loc[list(CORE), "n_items"].tolist() == [35, 34, 34]


@pytest.mark.parametrize("instrument_id", CORE)
def test_dimensions_have_the_designed_direction_measurement_and_length(
    core: dict[str, Instrument], instrument_id: str
) -> None:
    found = [(d.id, d.direction, d.measurement, len(d.items)) for d in core[instrument_id].dimensions]
    assert found == DIMENSIONS[instrument_id]


@pytest.mark.parametrize("instrument_id", CORE)
def test_forms_have_the_designed_rater_parent_and_length(core: dict[str, Instrument], instrument_id: str) -> None:
    found = [(f.id, f.rater, f.short_of, len(f.items)) for f in core[instrument_id].forms]
    assert found == FORMS[instrument_id]


@pytest.mark.parametrize("instrument_id", CORE)
def test_exactly_the_designed_items_are_reverse_keyed(core: dict[str, Instrument], instrument_id: str) -> None:
    assert {item.code for item in core[instrument_id].items if item.reverse_keyed} == REVERSE_KEYED[instrument_id]


@pytest.mark.parametrize("instrument_id", CORE)
def test_every_item_is_bounded_by_one_and_five(core: dict[str, Instrument], instrument_id: str) -> None:
    assert all((item.minimum, item.maximum) == (1, 5) for item in core[instrument_id].items)


@pytest.mark.parametrize("instrument_id", CORE)
def test_every_item_says_where_its_content_comes_from(core: dict[str, Instrument], instrument_id: str) -> None:
    def lacks_origin(item: Item) -> bool:
        return not item.facet or item.source not in {"000", "002", "003"} or item.evidence not in {"S", "S~", "I"}

    assert [item.code for item in core[instrument_id].items if lacks_origin(item)] == []


@pytest.mark.parametrize("instrument_id", CORE)
def test_instruments_say_that_they_are_not_validated_and_have_no_norms(
    core: dict[str, Instrument], instrument_id: str
) -> None:
    instrument = core[instrument_id]
    assert instrument.status == "not yet validated"
    assert any("No norms exist" in note for note in instrument.notes)
    assert any("original" in source for source in instrument.sources)


def test_item_codes_are_unique_over_the_instruments(core: dict[str, Instrument]) -> None:
    codes = [item.code for instrument in core.values() for item in instrument.items]
    assert len(set(codes)) == len(codes) == 103


def test_only_discontent_with_present_service_is_outside_a_score(core: dict[str, Instrument]) -> None:
    outside = {item.code for instrument in core.values() for item in instrument.items if not item.in_score}
    assert outside == {"rdy_want_r5"}
    scored = core["readiness"].dimension("want_requirements").scored_items
    assert [item.code for item in scored] == [f"rdy_want_r{number}" for number in (1, 2, 3, 4, 6)]


def test_a_sin_is_scored_from_three_of_five_items(core: dict[str, Instrument]) -> None:
    assert {dimension.minimum_answered for dimension in core["seven-sins"].dimensions} == {0.6}


@pytest.mark.parametrize("instrument_id", ["readiness", "four-tools"])
def test_other_dimensions_need_two_thirds_of_their_items(core: dict[str, Instrument], instrument_id: str) -> None:
    shares = {dimension.minimum_answered for dimension in core[instrument_id].dimensions}
    assert all(share == pytest.approx(2 / 3) for share in shares)


@pytest.mark.parametrize("form", ["customer-short", "observer-short"])
def test_short_forms_of_the_sins_hold_the_first_and_the_reversed_item(core: dict[str, Instrument], form: str) -> None:
    assert codes_of(core["seven-sins"], form) == SHORT_CODES


@pytest.mark.parametrize("form", ["supervisor", "employee-state"])
def test_state_forms_of_readiness_hold_no_requirement(core: dict[str, Instrument], form: str) -> None:
    assert codes_of(core["readiness"], form) == STATE_CODES


def test_the_audit_holds_only_what_management_provides(core: dict[str, Instrument]) -> None:
    assert codes_of(core["four-tools"], "audit") == PROVISION_CODES


@pytest.mark.parametrize(
    ("instrument_id", "form", "code", "scale"),
    [
        ("seven-sins", "customer", "sin_run_2", "frequency5"),
        ("seven-sins", "supervisor", "sin_cold_3", "frequency5"),
        ("seven-sins", "mystery-shopper", "sin_apathy_5", "presence3"),
        ("readiness", "employee", "rdy_can_r4", "agreement5"),
        ("four-tools", "receiver", "tool_comm_1", "adequacy5"),
        ("four-tools", "provider", "tool_capa_6", "adequacy5"),
        ("four-tools", "receiver", "tool_conf_3", "sureness5"),
        ("four-tools", "receiver", "tool_role_4", "agreement5"),
        ("four-tools", "receiver", "tool_blame_2", "frequency5"),
        ("four-tools", "receiver", "tool_blame_6", "frequency5"),
        ("four-tools", "audit", "tool_feed_6", "presence3"),
    ],
)
def test_items_are_answered_on_the_designed_scale(
    core: dict[str, Instrument], instrument_id: str, form: str, code: str, scale: str
) -> None:
    assert core[instrument_id].scale(code, form).id == scale


@pytest.mark.parametrize(
    ("instrument_id", "form", "code", "options"),
    [
        ("seven-sins", None, "sin_rule_1", ["Never", "Rarely", "Sometimes", "Often", "Almost always"]),
        ("seven-sins", "mystery-shopper", "sin_rule_1", ["No", "Partly", "Yes"]),
        (
            "readiness",
            None,
            "rdy_know_s1",
            ["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"],
        ),
        (
            "four-tools",
            None,
            "tool_feed_1",
            ["Not provided", "Far from enough", "Partly enough", "Mostly enough", "Fully enough"],
        ),
    ],
)
def test_options_run_from_least_to_most(
    core: dict[str, Instrument], instrument_id: str, form: str | None, code: str, options: list[str]
) -> None:
    assert core[instrument_id].options(code, form) == dict(enumerate(options, start=1))


@pytest.mark.parametrize(
    ("instrument_id", "code", "reason"),
    [
        ("seven-sins", "sin_cold_2", "not_applicable"),
        ("readiness", "rdy_know_s1", "dont_know"),
        ("four-tools", "tool_capa_5", "not_applicable"),
    ],
)
def test_respondents_may_say_that_an_item_does_not_fit(
    core: dict[str, Instrument], instrument_id: str, code: str, reason: str
) -> None:
    assert reason in core[instrument_id].missing_options(code)


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_items_are_short_and_stems_hold_the_unit(core: dict[str, Instrument], instrument_id: str, form: str) -> None:
    instrument = core[instrument_id]
    texts = {code: instrument.text(code, form) for code in instrument.form(form).items}
    assert {code: text for code, text in texts.items() if len(text.split()) > 20} == {}
    assert {code: text for code, text in texts.items() if "{" in text} == {}
    placeholders = {name for code in texts for name in re.findall(r"\{.*?\}", instrument.stem(code, form))}
    assert placeholders <= {"{unit}"}


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_every_item_stands_below_a_stem(core: dict[str, Instrument], instrument_id: str, form: str) -> None:
    instrument = core[instrument_id]
    assert all(instrument.stem(code, form) for code in instrument.form(form).items)


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_respondents_see_no_loaded_label(core: dict[str, Instrument], instrument_id: str, form: str) -> None:
    instrument = core[instrument_id]
    shown = instrument.locales["en"].forms[form]
    labels = {instrument.locales["en"].dimensions[d.id][0].casefold() for d in instrument.dimensions}
    loaded = (labels if instrument_id == "seven-sins" else set()) | {"sin", "sins", "blame", "mystery"}
    texts = [shown.title, shown.instruction, *shown.stems.values()]
    texts += [instrument.text(code, form) for code in instrument.form(form).items]
    words = {word.casefold() for text in texts for word in re.findall(r"[\w-]+", text)}
    assert words & loaded == set()


def test_items_for_different_raters_can_be_told_apart_by_their_text(core: dict[str, Instrument]) -> None:
    for instrument in core.values():
        for item in instrument.items:
            wordings = instrument.locales["en"].items[item.code]
            assert len(set(wordings.values())) == len(wordings), item.code


def test_no_two_items_of_a_form_read_the_same(core: dict[str, Instrument]) -> None:
    for instrument in core.values():
        for form in instrument.forms:
            texts = [instrument.text(code, form.id) for code in form.items]
            assert len(set(texts)) == len(texts), (instrument.id, form.id)


def test_supervisors_read_the_observer_items_below_a_stem_of_their_own(core: dict[str, Instrument]) -> None:
    sins = core["seven-sins"]
    for item in sins.items:
        assert sins.text(item.code, "supervisor") == sins.text(item.code, "observer")
        assert sins.stem(item.code, "supervisor") != sins.stem(item.code, "observer")


@pytest.mark.parametrize(
    ("package_id", "n_items"), [("pulse", 29), ("core-employee", 38), ("tools", 34), ("customer", 35)]
)
def test_packages_stay_within_what_one_respondent_can_answer(
    core: dict[str, Instrument], package_id: str, n_items: int
) -> None:
    parts = load_package(package_id).parts
    codes = [code for part in parts for code in part.items or core[part.instrument].form(part.form).items]
    assert len(set(codes)) == len(codes) == n_items <= 45


def test_the_pulse_asks_staff_about_their_unit_and_their_state(core: dict[str, Instrument]) -> None:
    parts = {part.instrument: part for part in load_package("pulse").parts}
    assert codes_of(core["seven-sins"], parts["seven-sins"].form) == SHORT_CODES
    assert codes_of(core["readiness"], parts["readiness"].form) == STATE_CODES
    raters = {core[part.instrument].form(part.form).rater for part in parts.values()}
    assert raters == {"employee"}


def test_the_core_employee_package_adds_role_clarity_to_readiness() -> None:
    parts = {part.instrument: part for part in load_package("core-employee").parts}
    assert parts["four-tools"].items == ("tool_role_1", "tool_role_2", "tool_role_3", "tool_role_4")
    assert parts["readiness"].items is None
