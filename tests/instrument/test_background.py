"""Background fields: what the catalogue asks about respondents, and which faults of the file are found where."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from servicediag.errors import InstrumentError
from servicediag.instrument import BackgroundField, lint_catalogue, load_background
from servicediag.instrument.model import Rater

FILE = "_background.yaml"
GOOD = """\
fields:
  - id: late
    kind: choice
    raters: [customer]
    title: {en: Late, fr: Retard}
    question: {en: "Was it late?", fr: "En retard?"}
    options:
      "yes": {en: "Yes", fr: Oui}
      "no": {en: "No", fr: Non}
    why: To know.
    identifiability: Low.
  - id: minutes
    kind: number
    raters: [customer]
    optional: true
    minimum: 0
    maximum: 600
    shown_if: {late: ["yes"]}
    title: {en: Minutes, fr: Minutes}
    question: {en: "How many minutes?", fr: "Combien de minutes?"}
    why: To know how long.
    identifiability: Low.
  - id: place
    kind: text
    set_by: survey
    raters: [customer, employee]
    title: {en: Place, fr: Lieu}
    why: To compare.
    identifiability: Names the place.
"""


@pytest.fixture(scope="module")
def fields() -> dict[str, BackgroundField]:
    return {field.id: field for field in load_background()}


def test_fields_are_read_in_order_with_everything_they_say(catalogue: SimpleNamespace) -> None:
    catalogue.write(FILE, GOOD)
    late, minutes, place = load_background(root=catalogue.root)
    assert late.labels("fr") == {"yes": "Oui", "no": "Non"}
    assert list(late.labels()) == ["yes", "no"]
    assert (minutes.minimum, minutes.maximum, minutes.optional) == (0, 600, True)
    assert minutes.shown_if == {"late": ("yes",)}
    assert minutes.labels() == {}
    assert (place.set_by, place.question, place.raters) == ("survey", {}, ("customer", "employee"))
    assert lint_catalogue(root=catalogue.root) == ()


def test_labels_in_an_unknown_language__error(catalogue: SimpleNamespace) -> None:
    catalogue.write(FILE, GOOD)
    with pytest.raises(ValueError, match=r"language='de'.*'en', 'fr'"):
        load_background(root=catalogue.root)[0].labels("de")


def test_catalogue_without_background_fields(catalogue: SimpleNamespace) -> None:
    assert load_background(root=catalogue.root) == ()


CASES = {
    "unknown key": ("why: To know.", "why: To know.\n    when: today", "unknown_key", "when: today"),
    "unknown kind": ("kind: number", "kind: numeric", "unknown_value", "kind: numeric"),
    "unknown rater": ("raters: [customer, employee]", "raters: [passer_by]", "unknown_value", "raters: [passer_by]"),
    "no reason": ("why: To compare.", "why: ''", "invalid_value", "why: ''"),
    "no note on recognising people": ("    identifiability: Names the place.\n", "", "missing_key", "id: place"),
    "id used twice": ("id: place", "id: late", "duplicate_id", None),
    "rater named twice": ("[customer, employee]", "[customer, customer]", "duplicate_id", "[customer, customer]"),
    "choice with one option": ('      "no": {en: "No", fr: Non}\n', "", "missing_key", "id: late"),
    "text with an order": ("set_by: survey", "set_by: survey\n    ordered: true", "invalid_value", "id: place"),
    "text with bounds": ("set_by: survey", "set_by: survey\n    minimum: 1", "invalid_value", "id: place"),
    "bounds in the wrong order": ("maximum: 600", "maximum: 0", "invalid_value", "minimum: 0"),
    "asked without a question": ("    set_by: survey\n", "", "missing_text", "id: place"),
    "condition on no field": ("{late: ", "{lat: ", "unknown_field", "shown_if"),
    "condition on no option": ('["yes"]', '["maybe"]', "unknown_option", "shown_if"),
    "condition on a field of others": (
        "kind: number\n    raters: [customer]",
        "kind: number\n    raters: [customer, employee]",
        "invalid_value",
        "shown_if",
    ),
    "a language is missing": (
        "title: {en: Place, fr: Lieu}",
        "title: {en: Place}",
        "missing_text",
        "title: {en: Place}",
    ),
    "one label for two options": ("fr: Non", "fr: ' OUI'", "duplicate_label", "fr: ' OUI'"),
}


@pytest.mark.parametrize("case", CASES)
def test_fault__error_with_line(catalogue: SimpleNamespace, case: str) -> None:
    old, new, code, place = CASES[case]
    catalogue.write(FILE, GOOD)
    catalogue.edit(FILE, old, new)
    with pytest.raises(InstrumentError) as caught:
        load_background(root=catalogue.root)
    found = [(issue.code, issue.where) for issue in caught.value.issues]
    assert [where for one, where in found if one == code] != []
    if place is not None:
        assert (code, catalogue.line(FILE, place)) in found
    assert set(found) <= {(issue.code, issue.where) for issue in lint_catalogue(root=catalogue.root)}


def test_a_field_may_depend_on_earlier_fields_only(catalogue: SimpleNamespace) -> None:
    catalogue.write(FILE, GOOD.replace("shown_if: {late:", "shown_if: {minutes:"))
    with pytest.raises(InstrumentError) as caught:
        load_background(root=catalogue.root)
    assert [issue.code for issue in caught.value.issues] == ["unknown_field"]


def test_every_fault_is_listed_at_once(catalogue: SimpleNamespace) -> None:
    catalogue.write(
        FILE, GOOD.replace("{late: ", "{lat: ").replace("fr: Non", "fr: oui").replace("maximum: 600", "maximum: 0")
    )
    with pytest.raises(InstrumentError) as caught:
        load_background(root=catalogue.root)
    codes = Counter(issue.code for issue in caught.value.issues)
    assert codes == {"unknown_field": 1, "duplicate_label": 1, "invalid_value": 1}


def test_link_out_of_the_catalogue_is_refused(catalogue: SimpleNamespace, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(GOOD, encoding="utf-8")
    (catalogue.root / FILE).symlink_to(outside)
    with pytest.raises(InstrumentError) as caught:
        load_background(root=catalogue.root)
    assert [issue.code for issue in caught.value.issues] == ["unsafe_file"]


@pytest.mark.parametrize(
    "field_id",
    [
        "organisation", "unit", "wave", "form", "respondent_type", "survey_language", "customer_type", "level",
        "tenure", "hr_stratum", "linking_code", "contacts", "channel", "promise_broken", "put_right", "age_band",
        "first_language",
    ],
)  # fmt: skip
def test_the_catalogue_has_the_designed_fields(fields: dict[str, BackgroundField], field_id: str) -> None:
    assert field_id in fields


@pytest.mark.parametrize(
    ("field_id", "codes"),
    [
        ("customer_type", ["external", "internal", "both", "unsure"]),
        ("level", ["front_line", "supervisor", "middle", "senior"]),
        ("tenure", ["under_1", "from_1", "from_4", "from_10"]),
        ("hr_stratum", ["top", "middle", "line"]),
        ("channel", ["in_person", "phone", "written"]),
        ("promise_broken", ["yes", "no", "unsure"]),
        ("put_right", ["no", "partly", "fully"]),
    ],
)
def test_choices_have_the_designed_options(fields: dict[str, BackgroundField], field_id: str, codes: list[str]) -> None:
    assert list(fields[field_id].labels()) == codes


def test_recovery_is_asked_only_of_customers_with_a_broken_promise(fields: dict[str, BackgroundField]) -> None:
    assert fields["put_right"].shown_if == {"promise_broken": ("yes",)}
    assert fields["promise_broken"].raters == fields["put_right"].raters == ("customer",)


def test_whom_they_serve_is_asked_of_staff_before_anything_else(fields: dict[str, BackgroundField]) -> None:
    asked = [field.id for field in fields.values() if field.set_by == "respondent" and "employee" in field.raters]
    assert asked[0] == "customer_type"
    assert "customer" not in fields["customer_type"].raters


def test_the_kinds_of_respondent_are_those_of_the_forms(fields: dict[str, BackgroundField]) -> None:
    assert tuple(fields["respondent_type"].labels()) == get_args(Rater) == fields["unit"].raters


def test_what_reveals_most_is_optional(fields: dict[str, BackgroundField]) -> None:
    optional = {field.id for field in fields.values() if field.optional}
    assert {"linking_code", "age_band", "first_language", "support_need"} <= optional


def test_every_field_says_why_it_is_asked_and_who_could_be_recognised(fields: dict[str, BackgroundField]) -> None:
    assert [field.id for field in fields.values() if len(field.why) < 20 or not field.identifiability] == []
    assert [field.id for field in fields.values() if (field.set_by == "respondent") > bool(field.question)] == []
