"""From files to an Instrument: what is built, and every fault with its file and line."""

from __future__ import annotations

import copy
import hashlib
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest

from servicediag.errors import InstrumentError
from servicediag.instrument import Instrument, Target, load_instrument

INSTRUMENT, LOCALE, SCALE = "harbour/instrument.yaml", "harbour/locale/en.yaml", "_scales/frequency5.yaml"


def load(catalogue: SimpleNamespace, instrument_id: str = "harbour") -> Instrument:
    return load_instrument(instrument_id, root=catalogue.root)


def faults(catalogue: SimpleNamespace) -> list[tuple[str, str]]:
    with pytest.raises(InstrumentError) as caught:
        load(catalogue)
    assert all(issue.severity == "error" for issue in caught.value.issues)
    assert all(issue.problem and issue.remedy for issue in caught.value.issues)
    return [(issue.code, issue.where) for issue in caught.value.issues]


def remedies(catalogue: SimpleNamespace) -> list[str]:
    with pytest.raises(InstrumentError) as caught:
        load(catalogue)
    return [issue.remedy for issue in caught.value.issues]


def test_instrument_holds_what_the_files_say(catalogue: SimpleNamespace) -> None:
    harbour = load(catalogue)
    assert (harbour.id, harbour.version, harbour.title) == ("harbour", "1.2.0", "Harbour mood")
    assert (harbour.status, harbour.license, harbour.sources) == (
        "not yet validated",
        "CC-BY-4.0",
        ("Written for the tests.",),
    )
    assert harbour.languages == ("en",)
    assert [form.id for form in harbour.forms] == ["guest", "visitor", "crew", "guest-short"]
    assert [dimension.id for dimension in harbour.dimensions] == ["calm", "late"]
    calm = harbour.dimension("calm")
    assert (calm.title, calm.definition, calm.block) == ("Calm", "Quiet and steady care.", "mood")
    assert (calm.direction, calm.measurement, calm.minimum_answered) == ("strength", "reflective", 0.5)
    assert harbour.dimension("late").minimum_answered == pytest.approx(2 / 3)
    item = harbour.item("hrb_calm_4")
    assert (item.dimension, item.reverse_keyed, item.in_score, item.scale) == ("calm", True, True, "frequency5")
    assert (item.facet, item.source, item.evidence) == ("opposite", "001", "I")


def test_forms_select_items_wordings_and_scales(catalogue: SimpleNamespace) -> None:
    harbour = load(catalogue)
    everything = ("hrb_calm_1", "hrb_calm_2", "hrb_calm_3", "hrb_calm_4", "hrb_late_1")
    assert harbour.form("guest").items == everything
    assert harbour.form("crew").items == everything[:4]
    assert harbour.form("guest-short").items == ("hrb_calm_2", "hrb_late_1")
    assert harbour.form("guest-short").short_of == "guest"
    assert harbour.form("guest").scales == {}
    assert harbour.form("visitor").scales == dict.fromkeys(everything, "presence3")
    assert harbour.text("hrb_calm_2", form="crew") == "People here took their time."
    assert harbour.text("hrb_calm_2", form="visitor") == "Staff took their time."
    assert harbour.stem("hrb_calm_1", form="crew") == "At work?"
    assert harbour.options("hrb_calm_1", form="visitor") == {1: "No", 2: "Partly", 3: "Yes"}
    assert harbour.missing_options("hrb_calm_1") == {"not_applicable": "Did not apply"}
    assert harbour.scales["frequency5"].aliases == {"en": {5: ("Always",)}}


def test_a_form_may_override_the_scale_of_one_dimension(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "{default: presence3}", "{calm: presence3}")
    assert load(catalogue).form("visitor").scales == {f"hrb_calm_{n}": "presence3" for n in range(1, 5)}


def test_bounds_are_those_of_the_first_form(catalogue: SimpleNamespace) -> None:
    item = load(catalogue).item("hrb_calm_1")
    assert (item.minimum, item.maximum) == (1, 5)
    catalogue.edit(INSTRUMENT, "reference_period: last 3 months", "scales: {calm: presence3}")
    item = load(catalogue).item("hrb_calm_1")
    assert (item.minimum, item.maximum, item.scale) == (1, 3, "frequency5")


def test_languages_start_with_the_original_and_may_hold_more(catalogue: SimpleNamespace) -> None:
    english = (catalogue.root / LOCALE).read_text(encoding="utf-8")
    for language in ("de", "ar"):
        translated = english.replace("language: en", f"language: {language}").replace(
            "status: original", "status: working translation"
        )
        catalogue.write(f"harbour/locale/{language}.yaml", translated.replace("Harbour mood", f"Title {language}"))
        for scale in ("frequency5", "presence3"):
            path = f"_scales/{scale}.yaml"
            text = (catalogue.root / path).read_text(encoding="utf-8")
            lines = [
                line.replace("  en:", f"  {language}:") for line in text.splitlines() if line.startswith("  en: {1")
            ]
            catalogue.write(path, text.replace("labels:\n", "labels:\n" + "\n".join(lines) + "\n"))
    text = (catalogue.root / SCALE).read_text(encoding="utf-8")
    catalogue.write(SCALE, text.replace("missing:", "missing:\n  de: {not_applicable: x}\n  ar: {not_applicable: y}"))
    harbour = load(catalogue)
    assert harbour.languages == ("en", "ar", "de")
    assert harbour.title == "Harbour mood"
    assert harbour.locales["de"].title == "Title de"
    assert harbour.options("hrb_calm_1", language="de")[1] == "Never"


def test_a_target_is_held_with_its_source(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "block: mood", "block: mood\n    target: {points: 70, source: Agreed in 2025}")
    harbour = load(catalogue)
    assert harbour.dimension("calm").target == Target(70.0, "Agreed in 2025")
    assert harbour.dimension("late").target is None


def test_labels_are_given_in_the_order_of_the_codes(catalogue: SimpleNamespace) -> None:
    catalogue.edit(SCALE, "{1: Never, 2: Rarely, 3", "{2: Rarely, 1: Never, 3")
    assert list(load(catalogue).options("hrb_calm_1")) == [1, 2, 3, 4, 5]


def test_instrument_can_be_pickled_and_copied(catalogue: SimpleNamespace) -> None:
    harbour = load(catalogue)
    assert pickle.loads(pickle.dumps(harbour)) == harbour
    assert copy.deepcopy(harbour) == harbour


def test_content_hash_is_that_of_the_files_in_order(catalogue: SimpleNamespace) -> None:
    files = ["_scales/frequency5.yaml", "_scales/presence3.yaml", INSTRUMENT, LOCALE]
    content = b"".join((catalogue.root / file).read_bytes() for file in files)
    assert load(catalogue).content_hash == hashlib.sha256(content).hexdigest()


def test_content_hash_depends_on_content_and_not_on_place(catalogue: SimpleNamespace, tmp_path: Path) -> None:
    before = load(catalogue).content_hash
    moved = tmp_path / "elsewhere"
    catalogue.root.rename(moved)
    assert load_instrument(moved / "harbour").content_hash == before
    scale = moved / SCALE
    scale.write_text(scale.read_text(encoding="utf-8").replace("Rarely", "Seldom"), encoding="utf-8")
    assert load_instrument(moved / "harbour").content_hash != before


def test_only_its_own_files_and_scales_are_read(catalogue: SimpleNamespace) -> None:
    catalogue.write("kitchen/instrument.yaml", "broken: [")
    catalogue.write("_scales/agreement5.yaml", "broken: [")
    catalogue.write("_packages.yaml", "broken: [")
    assert load(catalogue).id == "harbour"


CASES = {
    "target without a source": (
        [(INSTRUMENT, "block: mood", "target: {points: 70}")],
        [("missing_key", INSTRUMENT, "target: {points: 70}")],
    ),
    "target beyond the scale": (
        [(INSTRUMENT, "block: mood", "target: {points: 101, source: Agreed in 2025}")],
        [("invalid_value", INSTRUMENT, "points: 101")],
    ),
    "unknown scale": (
        [(INSTRUMENT, "measurement: single\n    scale: presence3", "measurement: single\n    scale: presense3")],
        [("unknown_scale", INSTRUMENT, "scale: presense3")],
    ),
    "unknown scale of a form": (
        [(INSTRUMENT, "{default: presence3}", "{default: yesno}")],
        [("unknown_scale", INSTRUMENT, "yesno")],
    ),
    "unknown scale of an item": (
        [(INSTRUMENT, "facet: voice,", "facet: voice, scale: loud9,")],
        [("unknown_scale", INSTRUMENT, "loud9")],
    ),
    "no scale at all": (
        [(INSTRUMENT, "measurement: single\n    scale: presence3", "measurement: single")],
        [("missing_key", INSTRUMENT, "code: hrb_late_1")],
    ),
    "unknown dimension in a form": (
        [(INSTRUMENT, "dimensions: [calm]", "dimensions: [clam]")],
        [("unknown_dimension", INSTRUMENT, "[clam]")],
    ),
    "unknown dimension in a form's scales": (
        [(INSTRUMENT, "{default: presence3}", "{defualt: presence3}")],
        [("unknown_dimension", INSTRUMENT, "defualt")],
    ),
    "unknown item in a form": (
        [(INSTRUMENT, "items: [hrb_calm_2, hrb_late_1]", "items: [hrb_calm_2, hrb_late_9]")],
        [("unknown_item", INSTRUMENT, "hrb_late_9"), ("unknown_item", INSTRUMENT, "short_of: guest")],
    ),
    "item twice in a form": (
        [(INSTRUMENT, "items: [hrb_calm_2, hrb_late_1]", "items: [hrb_calm_2, hrb_calm_2]")],
        [("duplicate_id", INSTRUMENT, "[hrb_calm_2, hrb_calm_2]")],
    ),
    "items and dimensions in a form": (
        [(INSTRUMENT, "dimensions: [calm]", "dimensions: [calm]\n    items: [hrb_calm_1]")],
        [("invalid_value", INSTRUMENT, "items: [hrb_calm_1]")],
    ),
    "short form of nothing": (
        [(INSTRUMENT, "short_of: guest", "short_of: gest")],
        [("unknown_form", INSTRUMENT, "gest\n")],
    ),
    "short form of itself": (
        [(INSTRUMENT, "short_of: guest", "short_of: guest-short")],
        [("unknown_form", INSTRUMENT, "short_of")],
    ),
    "short form with other items": (
        [(INSTRUMENT, "short_of: guest", "short_of: crew")],
        [("unknown_item", INSTRUMENT, "short_of: crew")],
    ),
    "dimension called default": (
        [(INSTRUMENT, "- id: late", "- id: default"), (LOCALE, "  late: {title: Delay", "  default: {title: Delay")],
        [("duplicate_id", INSTRUMENT, "- id: default")],
    ),
    "item code twice": (
        [(INSTRUMENT, "code: hrb_calm_3", "code: hrb_calm_1"), (LOCALE, "  hrb_calm_3:", "  # hrb_calm_3:")],
        [("duplicate_id", INSTRUMENT, "facet: order")],
    ),
    "item codes that differ in punctuation only": (
        [(INSTRUMENT, "code: hrb_calm_3", "code: hrb_ca_lm_1"), (LOCALE, "  hrb_calm_3:", "  hrb_ca_lm_1:")],
        [("duplicate_id", INSTRUMENT, "hrb_ca_lm_1")],
    ),
    "wording that no text has": (
        [(INSTRUMENT, "wording: watcher", "wording: watchr")],
        [("unknown_wording", INSTRUMENT, "wording: watchr")]
        + [("unknown_wording", LOCALE, f"hrb_calm_{n}") for n in range(1, 5)],
    ),
    "wording misspelt in one text": (
        [(LOCALE, "watcher: People here took", "wacher: People here took")],
        [("missing_text", LOCALE, "hrb_calm_2"), ("unknown_wording", LOCALE, "hrb_calm_2")],
    ),
    "text of an item missing": (
        [(LOCALE, "  hrb_late_1:\n    guest: My boat left late.", "")],
        [("missing_text", LOCALE, "items:")],
    ),
    "text of an unknown item": (
        [(LOCALE, "items:\n", "items:\n  hrb_calm_9: {guest: Nobody asks this.}\n")],
        [("unknown_item", LOCALE, "hrb_calm_9")],
    ),
    "texts of a form missing": (
        [(LOCALE, "  guest-short: {title: Your visit, instruction: Think of your visits.}\n", "")],
        [("missing_text", LOCALE, "forms:")],
    ),
    "texts of an unknown form and dimension": (
        [
            (LOCALE, "forms:\n", "forms:\n  gest: {title: x}\n"),
            (LOCALE, "dimensions:\n", "dimensions:\n  lat: {title: x}\n"),
        ],
        [("unknown_form", LOCALE, "  gest: {"), ("unknown_dimension", LOCALE, "  lat: {")],
    ),
    "texts of a dimension missing": (
        [(LOCALE, "  late: {title: Delay, definition: Waiting longer than agreed.}\n", "")],
        [("missing_text", LOCALE, "dimensions:")],
    ),
    "stem of an unknown dimension": (
        [(LOCALE, 'calm: "At work?"', 'clam: "At work?"')],
        [("unknown_dimension", LOCALE, "clam")],
    ),
    "language that is not the file's": (
        [(LOCALE, "language: en", "language: de")],
        [("invalid_value", LOCALE, "language: de")],
    ),
    "codes that do not ascend": (
        [(SCALE, "codes: [1, 2, 3, 4, 5]", "codes: [1, 3, 2, 4, 5]")],
        [("invalid_value", SCALE, "codes:")],
    ),
    "label missing and label too many": (
        [(SCALE, "4: Often, 5:", "6: Often, 5:")],
        [("incomplete_labels", SCALE, "Never")],
    ),
    "label twice": (
        [(SCALE, "2: Rarely", '2: "never "')],
        [("duplicate_label", SCALE, "never")],
    ),
    "alias that is another code's label": (
        [(SCALE, "{5: [Always]}", "{5: [often]}")],
        [("duplicate_label", SCALE, "[often]")],
    ),
    "alias of an unknown code": (
        [(SCALE, "{5: [Always]}", "{9: [Always]}")],
        [("invalid_value", SCALE, "[Always]")],
    ),
    "label of an answer that is none": (
        [(SCALE, "not_applicable: Did not apply", "not_applicable: Rarely")],
        [("duplicate_label", SCALE, "not_applicable")],
    ),
    "scale in another language only": (
        [
            (SCALE, "labels:\n  en:", "labels:\n  fr:"),
            (SCALE, "missing:\n  en:", "missing:\n  fr:"),
            (SCALE, "aliases:\n  en:", "aliases:\n  fr:"),
        ],
        [("missing_text", SCALE, "labels:")],
    ),
    "id that is not the folder's": (
        [(INSTRUMENT, "id: harbour", "id: harbor")],
        [("invalid_value", INSTRUMENT, "id: harbor\n")],
    ),
    "scale id that is not the file's": (
        [(SCALE, "id: frequency5", "id: frequency7")],
        [("invalid_value", SCALE, "id: frequency7")],
    ),
    "original language without texts": (
        [(INSTRUMENT, "prefix: hrb", "prefix: hrb\noriginal_language: de"), (SCALE, "labels:", "labels:")],
        [("missing_text", INSTRUMENT, "original_language")],
    ),
}


def test_form_id_twice__error_at_the_second(catalogue: SimpleNamespace) -> None:
    second = catalogue.line(INSTRUMENT, "- id: visitor")
    catalogue.edit(INSTRUMENT, "- id: visitor", "- id: guest")
    catalogue.edit(LOCALE, "  visitor: {title", "  # {title")
    assert faults(catalogue) == [("duplicate_id", second)]


def test_dimension_id_twice__error_at_the_second(catalogue: SimpleNamespace) -> None:
    second = catalogue.line(INSTRUMENT, "- id: late")
    catalogue.edit(INSTRUMENT, "- id: late", "- id: calm")
    catalogue.edit(INSTRUMENT, "dimensions: [calm]", "items: [hrb_calm_1]")
    catalogue.edit(LOCALE, "  late: {title", "  # {title")
    assert faults(catalogue) == [("duplicate_id", second)]


@pytest.mark.parametrize("case", CASES)
def test_fault_is_reported_with_its_line(catalogue: SimpleNamespace, case: str) -> None:
    edits, expected = CASES[case]
    for edit in edits:
        catalogue.edit(*edit)
    found = faults(catalogue)
    wanted = []
    for code, file, text in expected:
        lines = (catalogue.root / file).read_text(encoding="utf-8").splitlines(keepends=True)
        number = next(n for n, line in enumerate(lines, start=1) if text in line)
        wanted.append((code, f"{file}:{number}"))
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(
    ("file", "old", "new", "remedy"),
    [
        (INSTRUMENT, "direction: weakness", "direction: weaknes", "Did you mean 'weakness'?"),
        (INSTRUMENT, "rater: mystery_shopper", "rater: mystery_shoper", "Did you mean 'mystery_shopper'?"),
        (INSTRUMENT, "measurement: single", "mesurement: single", "Did you mean 'measurement'?"),
        (INSTRUMENT, "default: presence3", "default: presence", "Did you mean 'presence3'?"),
        (INSTRUMENT, "items: [hrb_calm_2,", "items: [hrb_clam_2,", "Did you mean 'hrb_calm_2'?"),
        (INSTRUMENT, "short_of: guest", "short_of: gest", "Did you mean 'guest'?"),
        (LOCALE, "hrb_late_1:", "hrb_latte_1:", "Did you mean 'hrb_late_1'?"),
        (SCALE, "not_applicable:", "not_aplicable:", "Did you mean 'not_applicable'?"),
        (INSTRUMENT, "version: 1.2.0", "version: 1.2", "Put it in quotes."),
        (INSTRUMENT, 'source: "002"', "source: 2", "Put it in quotes."),
    ],
)
def test_misspelling_gets_a_suggestion(catalogue: SimpleNamespace, file: str, old: str, new: str, remedy: str) -> None:
    catalogue.edit(file, old, new)
    assert remedy in remedies(catalogue)


def test_faults_of_all_files_are_listed_at_once_in_order(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "default: presence3", "default: yesno")
    catalogue.edit(INSTRUMENT, "dimensions: [calm]", "dimensions: [clam]")
    catalogue.edit(LOCALE, "language: en", "language: de")
    catalogue.edit(SCALE, "codes: [1, 2, 3, 4, 5]", "codes: [1, 3, 2, 4, 5]")
    catalogue.write("harbour/locale/fr.yaml", "language: [")
    assert faults(catalogue) == [
        ("invalid_value", catalogue.line(SCALE, "codes:")),
        ("unknown_scale", catalogue.line(INSTRUMENT, "yesno")),
        ("unknown_dimension", catalogue.line(INSTRUMENT, "[clam]")),
        ("invalid_value", catalogue.line(LOCALE, "language: de")),
        ("invalid_yaml", "harbour/locale/fr.yaml:2"),
    ]


def test_faulty_structure_does_not_hide_faults_of_texts(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "version: 1.2.0", "verson: 1.2.0")
    catalogue.edit(LOCALE, "status: original", "status: orginal")
    assert [code for code, _ in faults(catalogue)] == ["missing_key", "unknown_key", "unknown_value"]


def test_faulty_file_of_texts_is_not_called_missing(catalogue: SimpleNamespace) -> None:
    catalogue.edit(LOCALE, "status: original", "status: orginal")
    assert faults(catalogue) == [("unknown_value", catalogue.line(LOCALE, "status"))]


def test_faulty_scale_is_not_called_unknown(catalogue: SimpleNamespace) -> None:
    catalogue.write(SCALE, "id: frequency5\n")
    assert [code for code, _ in faults(catalogue)] == ["missing_key", "missing_key"]


@pytest.mark.parametrize("code", [-128, -123, -100, 128])
def test_codes_that_would_mean_missing_are_refused(catalogue: SimpleNamespace, code: int) -> None:
    catalogue.edit(SCALE, "codes: [1, 2, 3, 4, 5]", f"codes: [{code}, 2, 3, 4, 5]")
    assert ("invalid_value", catalogue.line(SCALE, "codes:")) in faults(catalogue)


def test_empty_and_blank_texts_are_refused(catalogue: SimpleNamespace) -> None:
    catalogue.edit(LOCALE, "guest: My boat left late.", 'guest: "  "')
    assert faults(catalogue) == [("invalid_value", catalogue.line(LOCALE, 'guest: "  "'))]


def test_texts_are_stripped(catalogue: SimpleNamespace) -> None:
    catalogue.edit(LOCALE, "guest: My boat left late.", "guest: >\n      My boat\n      left late.\n")
    assert load(catalogue).text("hrb_late_1") == "My boat left late."


OWN_SCALE = """\
scales:
  - id: {id}
    codes: [0, 1]
    labels:
      en: {{0: Absent, 1: Present}}
"""


def test_instrument_may_define_its_own_scale(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "prefix: hrb\n", "prefix: hrb\n" + OWN_SCALE.format(id="presence3"))
    item = load(catalogue).item("hrb_late_1")
    assert (item.minimum, item.maximum) == (0, 1)


def test_fault_in_an_own_scale_has_its_line(catalogue: SimpleNamespace) -> None:
    catalogue.edit(INSTRUMENT, "prefix: hrb\n", "prefix: hrb\n" + OWN_SCALE.format(id="own2"))
    catalogue.edit(INSTRUMENT, "{0: Absent, 1: Present}", "{0: Absent, 2: Present}")
    assert faults(catalogue) == [("incomplete_labels", catalogue.line(INSTRUMENT, "Absent"))]


@pytest.mark.parametrize("hostile", ["../x", "a/b", "CON", "x" * 65, "-x", "..", "a\\b", "é", "a\n"])
def test_unsafe_ids_are_refused(catalogue: SimpleNamespace, hostile: str) -> None:
    written = '"' + hostile.replace("\\", "\\\\").replace("\n", "\\n") + '"'
    catalogue.edit(INSTRUMENT, "id: harbour", f"id: {written}")
    catalogue.edit(INSTRUMENT, "default: presence3", f"default: {written}")
    assert [code for code, _ in faults(catalogue)] == ["invalid_value", "invalid_value"]


def test_scale_id_cannot_be_a_device(catalogue: SimpleNamespace) -> None:
    catalogue.write(
        "_scales/con.yaml", (catalogue.root / SCALE).read_text(encoding="utf-8").replace("frequency5", "con")
    )
    catalogue.edit(INSTRUMENT, "default: presence3", "default: con")
    assert faults(catalogue) == [("invalid_value", catalogue.line(INSTRUMENT, "default: con"))]


@pytest.mark.parametrize("file", [LOCALE, SCALE, INSTRUMENT])
def test_link_out_of_the_folder__refused(catalogue: SimpleNamespace, tmp_path: Path, file: str) -> None:
    outside = tmp_path / "secret.yaml"
    (catalogue.root / file).rename(outside)
    try:
        (catalogue.root / file).symlink_to(outside)
    except OSError:
        pytest.skip("links cannot be made here")
    assert faults(catalogue) == [("unsafe_file", file)]


def test_instrument_folder_linked_out_of_the_catalogue__refused(catalogue: SimpleNamespace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (catalogue.root / "harbour").rename(outside)
    try:
        (catalogue.root / "harbour").symlink_to(outside, target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    assert [code for code, _ in faults(catalogue)] == ["unsafe_file"]


@pytest.mark.parametrize("file", [INSTRUMENT, LOCALE, SCALE])
def test_hostile_yaml_in_any_file__refused(catalogue: SimpleNamespace, file: str) -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    catalogue.write(file, bomb)
    assert ("unsafe_file", f"{file}:1") in faults(catalogue)
