"""Fixed texts are found by key, filled strictly, and never fall back."""

from __future__ import annotations

import re
import string
from functools import cache
from importlib.resources import files

import pytest

from servicediag.wording import languages, text
from servicediag.wording.catalogue import has_text, nested, parse
from servicediag.wording.plurals import CATEGORIES

AREAS = sorted(
    entry.name[:-5] for entry in (files("servicediag.wording") / "en").iterdir() if entry.name.endswith(".yaml")
)
LANGUAGES = languages()


def test_missing_key_raises_and_names_the_key() -> None:
    with pytest.raises(KeyError, match=r"report\.no\.such\.key"):
        text("report.no.such.key")


def test_missing_area_raises() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        text("nowhere.key")


@pytest.mark.parametrize("key", ["../en/report.title.page", "report/../report.x", "", "."])
def test_key_never_leaves_the_folder_of_texts(key: str) -> None:
    with pytest.raises(KeyError):
        text(key)


@pytest.mark.parametrize("language", ["xx", "", "../en", "EN"])
def test_unknown_language_raises_and_lists_the_choices(language: str) -> None:
    with pytest.raises(ValueError, match="en"):
        text("report.title.page", language)


def test_missing_value_of_a_placeholder_raises_and_names_it() -> None:
    with pytest.raises(ValueError, match="rater"):
        text("report.rated_by")


def test_values_are_inserted_and_never_parsed() -> None:
    assert text("report.rated_by", rater="{0.__class__} {x}") == "rated by {0.__class__} {x}"


def test_plural_follows_the_count() -> None:
    assert text("report.count.units", count=1) == "1 unit"
    assert text("report.count.units", count=0) == "0 units"


def test_every_scalar_of_a_file_is_text() -> None:
    assert parse("{no: no, year: 2024-01-01, number: 012}", "area") == {
        "area.no": "no",
        "area.year": "2024-01-01",
        "area.number": "012",
    }


@pytest.mark.parametrize(
    "source",
    [
        "a: x\na: y",
        "a: [x]",
        "a:",
        "- x",
        "a: ''",
        "a: '{0}'",
        "a: '{x.y}'",
        "a: '{x[0]}'",
        "a: '{x!r}'",
        "a: '{x:{y}}'",
    ],
)
def test_faulty_file_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="area|duplicate"):
        parse(source, "area")


def test_english_is_there() -> None:
    assert "en" in languages()


@cache
def templates(area: str, language: str) -> dict[str, str]:
    source = (files("servicediag.wording") / language / f"{area}.yaml").read_text(encoding="utf-8")
    return parse(source, area)


def placeholders(template: str) -> set[tuple[str, str]]:
    return {(name, form or "") for _, name, form, _ in string.Formatter().parse(template) if name}


def plural(area: str) -> set[str]:
    """Keys that have plural forms in English."""
    return {key.rpartition(".")[0] for key in templates(area, "en") if key.endswith(".one")}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("area", AREAS)
def test_every_language_has_exactly_the_keys_of_english(area: str, language: str) -> None:
    counted = plural(area)
    english = {key for key in templates(area, "en") if key.rpartition(".")[0] not in counted}
    wanted = english | {f"{key}.{form}" for key in counted for form in CATEGORIES[language]}
    found = set(templates(area, language))
    assert sorted(wanted - found) == [], f"{language}/{area}.yaml lacks texts"
    assert sorted(found - wanted) == [], f"{language}/{area}.yaml has texts that nothing uses"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("area", AREAS)
def test_every_language_fills_the_same_placeholders(area: str, language: str) -> None:
    counted, english = plural(area), templates(area, "en")
    for key, template in templates(area, language).items():
        stem, _, form = key.rpartition(".")
        if stem in counted:
            # a form for one thing need not say the number
            most = placeholders(english[f"{stem}.other"])
            least = most - {("count", "")} if form in ("one", "other") else most
            assert least <= placeholders(template) <= most, f"{language}: {key}"
        elif key in english:
            assert placeholders(template) == placeholders(english[key]), f"{language}: {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_codes_before_abstentions_stay_the_same(language: str) -> None:
    english, told = templates("finding", "en"), templates("finding", language)
    for key, template in english.items():
        code = re.match(r"[A-Z][A-Z_]+(?=: )", template)
        if code and key.startswith("finding.abstention."):
            assert told[key].startswith(f"{code[0]}: "), f"{language}: {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_sheets_have_names_that_a_workbook_takes(language: str) -> None:
    titles = [
        text for key, text in templates("report", language).items() if re.match(r"report\.sheet\.\w+\.title\Z", key)
    ]
    assert len({title.casefold() for title in titles}) == len(titles)
    assert [title for title in titles if len(title) > 31 or re.search(r"[\[\]:*?/\\]", title)] == []


def test_has_text_knows_what_is_there() -> None:
    assert has_text("report.title.page")
    assert not has_text("report.title.nothing")


@pytest.mark.parametrize(("language", "told", "expected"), [
    ("zh-Hans", "在““能够”所需的条件”方面", "在“‘能够’所需的条件”方面"),
    ("ru", "«Требования для «мочь»»", "«Требования для „мочь“»"),
    ("es", "«Requisitos de «poder»»", "«Requisitos de “poder”»"),
    ("en", "“the “customer first” rule”", "“the ‘customer first’ rule”"),
    ("ru", "«а» и «б»", "«а» и «б»"),
    ("zh-Hans", "“一“二“三”四”五”", "“一‘二“三”四’五”"),
])  # fmt: skip
def test_quotations_within_a_quotation_have_the_inner_marks(language: str, told: str, expected: str) -> None:
    assert nested(told, language) == expected


@pytest.mark.parametrize("told", ["»a«", "««a»", "a»", "«a«b"])
def test_marks_that_do_not_pair_stay_as_they_are(told: str) -> None:
    assert nested(told, "ru") == told


def test_a_title_with_marks_of_its_own_is_quoted_with_inner_ones() -> None:
    assert text("finding.quote.title", "ru", title="Требования для «мочь»") == "«Требования для „мочь“»"
