"""The instruments on programmes, culture and practices hold what their design says: items, forms, keys and bounds."""

from __future__ import annotations

import re

import pytest

from servicediag.diagnosis.rules import Condition, lint_rules, load_rules
from servicediag.instrument import Instrument, Item, lint_instrument, load_instrument

REASONS = ("culture", "top", "quick", "trainonly", "oneoff", "nofeed", "intrel", "detail")
ROUTES = ("cynic_learned", "cynic_earned", "cynic_rational")
PATTERNS = (
    "arrog", "secret", "toler", "people", "rules", "gender", "closed", "conserv", "product", "funct", "status",
)  # fmt: skip
STAGES = ("info", "attitude", "behaviour", "culture")
CHECKPOINTS = ("direct", "support", "maintain", "retain")
STEPS = ("import", "clock", "knowcust", "protocol", "personal")

DIMENSIONS = {
    "programme-failure": [
        ("culture", "weakness", "reflective", 4),
        *((route, "weakness", "formative", 2) for route in ROUTES),
        *((reason, "weakness", "reflective", 4) for reason in REASONS[1:]),
    ],
    "cultural-antipatterns": [(pattern, "weakness", "formative", 3) for pattern in PATTERNS],
    "acculturation": [(stage, "strength", "ordered_stages", 4) for stage in STAGES],
    "attitude-life-cycle": [(checkpoint, "strength", "formative", 4) for checkpoint in CHECKPOINTS],
    "error-prevention": [(step, "strength", "formative", 4) for step in STEPS],
}
FORMS = {
    "programme-failure": [("employee", "employee", 38), ("leader", "leader", 38)],
    "cultural-antipatterns": [("employee", "employee", 33)],
    "acculturation": [("employee", "employee", 16), ("supervisor", "supervisor", 4)],
    "attitude-life-cycle": [("employee", "employee", 16), ("hr", "hr", 16)],
    "error-prevention": [("employee", "employee", 20)],
}
PERIODS = {
    "programme-failure": "since the programme began",
    "cultural-antipatterns": "present",
    "acculturation": "last 3 months",
    "attitude-life-cycle": "present",
    "error-prevention": "last 4 weeks",
}
PREFIXES = {
    "programme-failure": "fail",
    "cultural-antipatterns": "anti",
    "acculturation": "acc",
    "attitude-life-cycle": "life",
    "error-prevention": "prev",
}
REVERSE_KEYED = {
    "programme-failure": {"fail_culture_4"},
    "cultural-antipatterns": {"anti_gender_3"},
    "acculturation": set(),
    "attitude-life-cycle": {"life_retain_4"},
    "error-prevention": set(),
}
SOURCE = {
    "programme-failure": "004",
    "cultural-antipatterns": "004",
    "acculturation": "003",
    "attitude-life-cycle": "000",
    "error-prevention": "003",
}
IDS = tuple(DIMENSIONS)
FORM_IDS = [(instrument, form[0]) for instrument, forms in FORMS.items() for form in forms]


@pytest.fixture(scope="module")
def instruments() -> dict[str, Instrument]:
    return {instrument_id: load_instrument(instrument_id) for instrument_id in IDS}


@pytest.mark.parametrize("instrument_id", IDS)
def test_the_linter_finds_nothing(instrument_id: str) -> None:
    assert lint_instrument(instrument_id) == ()


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
    assert [(f.id, f.rater, len(f.items)) for f in forms] == FORMS[instrument_id]
    assert {f.reference_period for f in forms} == {PERIODS[instrument_id]}


@pytest.mark.parametrize("instrument_id", IDS)
def test_items_are_numbered_in_order_within_what_their_code_names(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    expected: list[str] = []
    for dimension, _, _, length in DIMENSIONS[instrument_id]:
        part = "cynic" if dimension in ROUTES else dimension
        start = 2 * ROUTES.index(dimension) if dimension in ROUTES else 0
        expected += [f"{PREFIXES[instrument_id]}_{part}_{start + number}" for number in range(1, length + 1)]
    assert [item.code for item in instruments[instrument_id].items] == expected


@pytest.mark.parametrize("instrument_id", IDS)
def test_exactly_the_designed_items_are_reverse_keyed(instruments: dict[str, Instrument], instrument_id: str) -> None:
    reverse_keyed = {item.code for item in instruments[instrument_id].items if item.reverse_keyed}
    assert reverse_keyed == REVERSE_KEYED[instrument_id]


@pytest.mark.parametrize("instrument_id", IDS)
def test_every_item_is_scored_and_bounded_by_one_and_five(
    instruments: dict[str, Instrument], instrument_id: str
) -> None:
    assert all((i.minimum, i.maximum, i.in_score) == (1, 5, True) for i in instruments[instrument_id].items)


@pytest.mark.parametrize("instrument_id", IDS)
def test_every_item_says_where_its_content_comes_from(instruments: dict[str, Instrument], instrument_id: str) -> None:
    def lacks_origin(item: Item) -> bool:
        return not item.facet or item.source != SOURCE[instrument_id] or item.evidence not in {"S", "S~", "I"}

    assert [item.code for item in instruments[instrument_id].items if lacks_origin(item)] == []


@pytest.mark.parametrize(
    ("instrument_id", "by_dimension"),
    [
        ("programme-failure", {}),
        ("cultural-antipatterns", {}),
        ("acculturation", {"behaviour": "frequency5"}),
        ("attitude-life-cycle", {}),
        ("error-prevention", dict.fromkeys(STEPS, "frequency5")),
    ],
)
def test_practices_are_asked_by_frequency_and_beliefs_by_agreement(
    instruments: dict[str, Instrument], instrument_id: str, by_dimension: dict[str, str]
) -> None:
    instrument = instruments[instrument_id]
    for form in instrument.forms:
        for item in instrument.form_items(form.id):
            expected = by_dimension.get(item.dimension, "agreement5")
            assert instrument.scale(item.code, form.id).id == expected, (form.id, item.code)


@pytest.mark.parametrize("instrument_id", IDS)
def test_two_thirds_of_a_dimension_must_be_answered(instruments: dict[str, Instrument], instrument_id: str) -> None:
    shares = {dimension.minimum_answered for dimension in instruments[instrument_id].dimensions}
    assert all(share == pytest.approx(2 / 3) for share in shares)


def test_the_three_routes_to_cynicism_are_separate_scores(instruments: dict[str, Instrument]) -> None:
    failure = instruments["programme-failure"]
    routes = {route: [item.code for item in failure.dimension(route).scored_items] for route in ROUTES}
    assert routes == {
        "cynic_learned": ["fail_cynic_1", "fail_cynic_2"],
        "cynic_earned": ["fail_cynic_3", "fail_cynic_4"],
        "cynic_rational": ["fail_cynic_5", "fail_cynic_6"],
    }


@pytest.mark.parametrize(("rule_id", "route"), [("R31", "learned"), ("R32", "earned"), ("R10", "rational")])
def test_rules_on_cynicism_rest_on_the_items_of_their_route(
    instruments: dict[str, Instrument], rule_id: str, route: str
) -> None:
    (rule,) = [rule for rule in load_rules().rules if rule.id == rule_id]
    targets = {condition.target for piece in rule.pieces for condition in piece.alternatives}
    named = sorted(target for target in targets if target.startswith("fail_cynic_"))
    facets = [instruments["programme-failure"].item(code).facet for code in named]
    assert len(facets) == 2
    assert all(facet.startswith(f"{route}, ") for facet in facets)


def test_every_rule_that_names_these_instruments_finds_what_it_names(instruments: dict[str, Instrument]) -> None:
    rules = load_rules()
    named: set[Condition] = {
        condition
        for rule in rules.rules
        for condition in (*rule.conditions, *rule.refuters)
        if condition.instrument in instruments
    }
    assert {condition.instrument for condition in named} >= set(IDS) - {"attitude-life-cycle"}
    faults = lint_rules(rules, instruments.values())
    assert [issue for issue in faults if issue.code == "unknown_reference"] == []


def test_acculturation_keeps_the_order_of_its_stages(instruments: dict[str, Instrument]) -> None:
    assert tuple(dimension.id for dimension in instruments["acculturation"].dimensions) == STAGES


def test_supervisors_judge_the_stage_that_can_be_seen(instruments: dict[str, Instrument]) -> None:
    items = instruments["acculturation"].form_items("supervisor")
    assert [item.code for item in items] == [f"acc_behaviour_{number}" for number in range(1, 5)]


@pytest.mark.parametrize("code", ["life_direct_2", "life_support_3", "life_maintain_4", "life_retain_2"])
def test_what_the_source_only_names_is_tagged_as_inference(instruments: dict[str, Instrument], code: str) -> None:
    assert instruments["attitude-life-cycle"].item(code).evidence == "I"


@pytest.mark.parametrize(
    ("instrument_id", "cautions"),
    [
        ("programme-failure", ["never be averaged", "quality meetings", "perception gap", "Never ask anyone to name"]),
        (
            "cultural-antipatterns",
            ["screen", "eleven patterns, not twelve", "facts from HR", "Never ask staff to name"],
        ),
        ("acculturation", ["fixed order", "compliance", "no stage is named"]),
        ("attitude-life-cycle", ["only names the four checkpoints", "Never ask staff"]),
        ("error-prevention", ["broken numbering", "depend on culture", "not a norm"]),
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


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_stems_ask_in_the_words_of_their_response_scale(
    instruments: dict[str, Instrument], instrument_id: str, form: str
) -> None:
    instrument = instruments[instrument_id]
    for code in instrument.form(form).items:
        asked = "how often" if instrument.scale(code, form).id == "frequency5" else "how far do you agree"
        assert asked in instrument.stem(code, form).casefold(), code


@pytest.mark.parametrize(("instrument_id", "form"), FORM_IDS)
def test_respondents_see_no_loaded_label_and_are_asked_for_no_names(
    instruments: dict[str, Instrument], instrument_id: str, form: str
) -> None:
    instrument = instruments[instrument_id]
    shown = instrument.locales["en"].forms[form]
    framing = " ".join([shown.title, shown.instruction, *shown.stems.values()])
    items = " ".join(instrument.text(code, form) for code in instrument.form(form).items)
    words = {word.casefold() for word in re.findall(r"[\w-]+", f"{framing} {items}")}
    loaded = {"cynic", "cynical", "cynicism", "anti-pattern", "anti-patterns", "arrogance", "arrogant", "alcohol"}
    assert words & loaded == set()
    assert words & {"failure", "failures", "weakness", "pattern", "patterns"} == set()
    assert "do not name anyone" in framing or "do not think of single persons" in framing


def test_items_for_different_raters_can_be_told_apart_by_their_text(instruments: dict[str, Instrument]) -> None:
    for instrument in instruments.values():
        for item in instrument.items:
            wordings = instrument.locales["en"].items[item.code]
            assert len(set(wordings.values())) == len(wordings), item.code
