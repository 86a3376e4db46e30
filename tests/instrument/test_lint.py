"""The linter: which faults of form are errors, which matters of judgement are warnings, and where."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument import lint_catalogue, lint_instrument

INSTRUMENT, LOCALE, SCALE = "harbour/instrument.yaml", "harbour/locale/en.yaml", "_scales/frequency5.yaml"


def lint(catalogue: SimpleNamespace) -> tuple[Issue, ...]:
    return lint_instrument("harbour", root=catalogue.root)


def found(issues: tuple[Issue, ...]) -> list[tuple[str, str, str]]:
    return [(issue.severity, issue.code, issue.where) for issue in issues]


def test_good_instrument_and_good_catalogue_are_clean(catalogue: SimpleNamespace) -> None:
    assert lint(catalogue) == ()
    assert lint_catalogue(root=catalogue.root) == ()


def test_instrument_is_linted_by_path_as_well(catalogue: SimpleNamespace) -> None:
    assert lint_instrument(catalogue.root / "harbour") == ()
    assert lint_instrument(str(catalogue.root / "harbour" / "instrument.yaml")) == ()


def test_unknown_id_and_path__error(catalogue: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="Did you mean 'harbour'"):
        lint_instrument("harbor", root=catalogue.root)
    with pytest.raises(InstrumentError):
        lint_instrument(catalogue.root / "absent")


CASES = {
    "target that everybody meets": (
        INSTRUMENT,
        "block: mood",
        "block: mood\n    target: {points: 0, source: Agreed in 2025}",
        "warning",
        "target_at_an_end",
    ),
    "code with another prefix": (INSTRUMENT, "code: hrb_calm_3", "code: hbr_calm_3", "error", "item_code"),
    "code with another dimension": (INSTRUMENT, "code: hrb_calm_3", "code: hrb_loud_3", "error", "item_code"),
    "code that shortens a word": (INSTRUMENT, "code: hrb_calm_3", "code: hrb_cal_3", "error", "item_code"),
    "code without number": (INSTRUMENT, "code: hrb_calm_3", "code: hrb_calm_x", "error", "item_code"),
    "no facet": (INSTRUMENT, "facet: order, ", "", "error", "missing_provenance"),
    "empty source": (INSTRUMENT, 'source: "002"', 'source: ""', "error", "missing_provenance"),
    "no evidence": (
        INSTRUMENT,
        'facet: delay, source: "002", evidence: S,',
        'facet: delay, source: "002",',
        "error",
        "missing_provenance",
    ),
    "no license": (INSTRUMENT, "license: CC-BY-4.0\n", "", "error", "missing_provenance"),
    "no sources": (INSTRUMENT, "sources: [Written for the tests.]\n", "", "error", "missing_provenance"),
    "too few reflective items": (
        INSTRUMENT,
        "evidence: I, reverse_keyed: true",
        "evidence: I, in_score: false",
        "error",
        "too_few_items",
    ),
    "two reverse-keyed items": (
        INSTRUMENT,
        'source: "001", evidence: I}\n',
        'source: "001", evidence: I, reverse_keyed: true}\n',
        "error",
        "keying",
    ),
    "single dimension without a scored item": (
        INSTRUMENT,
        "in_score: true",
        "in_score: false",
        "error",
        "too_many_items",
    ),
    "mixed scales": (INSTRUMENT, "facet: order,", "facet: order, scale: presence3,", "warning", "mixed_scales"),
    "no definition": (
        LOCALE,
        "{title: Calm, definition: Quiet and steady care.}",
        "{title: Calm}",
        "error",
        "missing_text",
    ),
    "no instruction": (
        LOCALE,
        "{title: This visit, instruction: Think of this visit.}",
        "{title: This visit}",
        "error",
        "missing_text",
    ),
    "translation as the original": (
        LOCALE,
        "status: original",
        "status: working translation",
        "error",
        "invalid_value",
    ),
    "too long": (LOCALE, "My boat left late.", "My boat left " + "so " * 17 + "late.", "error", "too_long"),
    "one negation": (LOCALE, "My boat left late.", "My boat did not leave in time.", "warning", "negation"),
    "two negations": (LOCALE, "My boat left late.", "My boat never left without delay.", "warning", "double_negative"),
    "two things at once": (
        LOCALE,
        "My boat left late.",
        "My boat left late or came late.",
        "warning",
        "double_barrelled",
    ),
    "hard to read": (
        LOCALE,
        "My boat left late.",
        "Departure punctuality deteriorated considerably.",
        "warning",
        "reading_level",
    ),
    "stray brace": (LOCALE, "My boat left late.", "My boat left {unit late.", "error", "placeholder"),
    "loaded title": (LOCALE, "{title: This visit,", "{title: Delay on this visit,", "warning", "loaded_label"),
    "same text": (LOCALE, "My bags were kept in order.", "staff took  THEIR time", "error", "duplicate_item"),
    "nearly the same text": (
        LOCALE,
        "My bags were kept in order.",
        "Staff took all their time.",
        "warning",
        "near_duplicate",
    ),
    "text that nobody reads": (
        LOCALE,
        "My boat left late.",
        "My boat left late.\n    watcher: Boats left late.",
        "warning",
        "unused_text",
    ),
    "fault of the loader": (INSTRUMENT, "default: presence3", "default: yesno", "error", "unknown_scale"),
}


@pytest.mark.parametrize("case", CASES)
def test_fault_is_found_with_its_severity(catalogue: SimpleNamespace, case: str) -> None:
    file, old, new, severity, code = CASES[case]
    if code == "item_code":
        catalogue.edit(LOCALE, "hrb_calm_3", new.removeprefix("code: "))
    catalogue.edit(file, old, new)
    matching = [issue for issue in lint(catalogue) if issue.code == code]
    assert [issue.severity for issue in matching] == [severity]
    assert matching[0].where.startswith(f"{file}:")
    assert matching[0].problem
    assert matching[0].remedy


def test_only_the_planted_fault_is_found_at_its_line(catalogue: SimpleNamespace) -> None:
    catalogue.edit(LOCALE, "My boat left late.", "My boat did not leave in time.")
    catalogue.edit(INSTRUMENT, "facet: order, ", "")
    assert found(lint(catalogue)) == [
        ("error", "missing_provenance", catalogue.line(INSTRUMENT, "hrb_calm_3")),
        ("warning", "negation", catalogue.line(LOCALE, "did not leave")),
    ]


def test_code_may_carry_the_first_words_of_the_dimension_and_a_letter(catalogue: SimpleNamespace) -> None:
    for file in (INSTRUMENT, LOCALE):
        path = catalogue.root / file
        text = path.read_text(encoding="utf-8").replace("hrb_late_1", "hrb_late_s1")
        text = text.replace("- id: late", "- id: late_boats").replace("  late: {", "  late_boats: {")
        path.write_text(text, encoding="utf-8")
    assert lint(catalogue) == ()


def test_a_sin_needs_exactly_one_reverse_keyed_item(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, ", reverse_keyed: true", "")
    assert lint(catalogue) == ()
    catalogue.edit(INSTRUMENT, "block: mood", "block: sins")
    assert found(lint(catalogue)) == [("error", "keying", catalogue.line(INSTRUMENT, "- id: calm"))]


def test_formative_lists_need_no_four_items_and_no_keys(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "measurement: reflective", "measurement: formative")
    catalogue.edit(INSTRUMENT, "facet: pace,", "facet: pace, reverse_keyed: true,")
    assert lint(catalogue) == ()


def test_item_in_no_form__error(catalogue: SimpleNamespace) -> None:
    catalogue.edit(
        INSTRUMENT, "wording: guest\n    scales: {default: presence3}", "wording: guest\n    dimensions: [calm]"
    )
    catalogue.edit(INSTRUMENT, "reference_period: last 3 months", "dimensions: [calm]")
    catalogue.edit(INSTRUMENT, "items: [hrb_calm_2, hrb_late_1]", "items: [hrb_calm_2]")
    assert ("error", "unused_item", catalogue.line(INSTRUMENT, "hrb_late_1")) in found(lint(catalogue))


def test_faults_of_the_loader_do_not_hide_those_of_the_linter(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "default: presence3", "default: yesno")
    catalogue.edit(LOCALE, "My boat left late.", "My boat did not leave in time.")
    assert [issue.code for issue in lint(catalogue)] == ["unknown_scale", "negation"]


def test_unreadable_structure_is_reported_not_raised(catalogue: SimpleNamespace) -> None:
    catalogue.write(INSTRUMENT, "id: [")
    assert [issue.code for issue in lint(catalogue)] == ["invalid_yaml"]


def translate(catalogue: SimpleNamespace, old: str, new: str) -> None:
    text = (catalogue.root / LOCALE).read_text(encoding="utf-8")
    text = text.replace("language: en", "language: de").replace("status: original", "status: working translation")
    assert old in text
    catalogue.write("harbour/locale/de.yaml", text.replace(old, new))
    labels = "  de: {1: Nie, 2: Selten, 3: Manchmal, 4: Oft, 5: Fast immer}\n"
    catalogue.edit(SCALE, "labels:\n", "labels:\n" + labels)
    catalogue.edit(SCALE, "missing:\n", "missing:\n  de: {not_applicable: Kam nicht vor}\n")
    catalogue.edit("_scales/presence3.yaml", "labels:\n", "labels:\n  de: {1: Nein, 2: Teilweise, 3: Ja}\n")


def test_placeholders_are_equal_in_every_language(catalogue: SimpleNamespace) -> None:
    translate(catalogue, "{unit}", "{einheit}")
    issues = lint(catalogue)
    assert [(issue.code, issue.severity) for issue in issues] == [("placeholder", "error")]
    assert issues[0].where.startswith("harbour/locale/de.yaml:")
    assert "{unit}" in issues[0].problem


def test_wording_in_other_languages_is_judged_by_length_only_and_mildly(catalogue: SimpleNamespace) -> None:
    translate(catalogue, "left late", "not never or no " + "so " * 20)
    matching = [issue for issue in lint(catalogue) if issue.code in {"too_long", "negation", "double_negative"}]
    assert [(issue.code, issue.severity) for issue in matching] == [("too_long", "warning")]


def test_label_sets_that_cannot_be_told_apart__error(catalogue: SimpleNamespace) -> None:
    text = (catalogue.root / SCALE).read_text(encoding="utf-8")
    twin = text.replace("id: frequency5", "id: often5").replace("Never", "NEVER").replace("[1, 2,", "[0, 2,")
    catalogue.write("_scales/often5.yaml", twin.replace("{1: NEVER", "{0: NEVER "))
    assert lint(catalogue) == ()
    issues = lint_catalogue(root=catalogue.root)
    assert ("error", "duplicate_label_set", "_scales/often5.yaml:4") in found(issues)
    assert ("error", "uneven_codes", "_scales/often5.yaml:2") in found(issues)


def test_own_scale_with_the_labels_of_a_catalogue_scale__error(catalogue: SimpleNamespace) -> None:
    own = "scales: [{id: own3, codes: [1, 2, 3], labels: {en: {1: no, 2: partly, 3: 'yes'}}}]\n"
    catalogue.edit("kitchen/instrument.yaml", "prefix: kit\n", f"prefix: kit\n{own}")
    issues = lint_catalogue(root=catalogue.root)
    assert found(issues) == [("error", "duplicate_label_set", "kitchen/instrument.yaml:4")]


def test_same_item_in_two_instruments(catalogue: SimpleNamespace) -> None:
    catalogue.edit("kitchen/locale/en.yaml", "The ovens worked all day.", "My boat left late.")
    catalogue.edit(
        "kitchen/locale/en.yaml",
        "Plates were warm before food went on them.",
        "Staff all spoke in a quiet voice.",
    )
    assert lint_instrument("kitchen", root=catalogue.root) == ()
    issues = lint_catalogue(root=catalogue.root)
    assert {(issue.severity, issue.code) for issue in issues} == {
        ("error", "duplicate_item"),
        ("warning", "near_duplicate"),
    }
    assert all(issue.where.startswith("kitchen/") for issue in issues)
    assert any("harbour/hrb_late_1" in issue.problem for issue in issues)


def test_codes_and_prefixes_are_unique_over_the_catalogue(catalogue: SimpleNamespace) -> None:
    for file in ("kitchen/instrument.yaml", "kitchen/locale/en.yaml"):
        path = catalogue.root / file
        text = path.read_text(encoding="utf-8").replace("kit_heat_1", "hrb_calm_1")
        path.write_text(text.replace("prefix: kit", "prefix: hrb"), encoding="utf-8")
    catalogue.edit("_packages.yaml", "kit_heat_1", "hrb_calm_1")
    issues = [entry for entry in found(lint_catalogue(root=catalogue.root)) if entry[1] == "duplicate_id"]
    assert issues == [
        ("error", "duplicate_id", "kitchen/instrument.yaml:3"),
        ("error", "duplicate_id", catalogue.line("kitchen/instrument.yaml", "hrb_calm_1")),
    ]


def test_catalogue_lint_covers_unused_scales_packages_and_every_instrument(catalogue: SimpleNamespace) -> None:
    catalogue.write("_scales/idle2.yaml", "id: idle3\ncodes: [2, 1]\nlabels: {en: {1: a, 2: b}}\n")
    catalogue.write("_scales/broken2.yaml", "id: [")
    catalogue.edit("_packages.yaml", "form: guest", "form: gest")
    catalogue.edit("kitchen/instrument.yaml", "facet: ovens, ", "")
    assert found(lint_catalogue(root=catalogue.root)) == [
        ("error", "unknown_form", "_packages.yaml:5"),
        ("error", "invalid_yaml", "_scales/broken2.yaml:2"),
        ("error", "invalid_value", "_scales/idle2.yaml:1"),
        ("error", "invalid_value", "_scales/idle2.yaml:2"),
        ("error", "missing_provenance", catalogue.line("kitchen/instrument.yaml", "kit_heat_2")),
    ]


def test_package_that_asks_too_much_of_one_person__warning(catalogue: SimpleNamespace) -> None:
    codes = [f"kit_heat_{number}" for number in range(1, 48)]
    items = "".join(f'      - {{code: {code}, facet: plates, source: "003", evidence: S}}\n' for code in codes[2:])
    catalogue.write("kitchen/instrument.yaml", (catalogue.root / "kitchen/instrument.yaml").read_text("utf-8") + items)
    catalogue.edit("_packages.yaml", ", items: [kit_heat_1]", "")
    issues = [issue for issue in lint_catalogue(root=catalogue.root) if issue.code == "long_package"]
    assert found(tuple(issues)) == [("warning", "long_package", catalogue.line("_packages.yaml", "id: both"))]
    assert "52 items, about 12 minutes" in issues[0].problem
