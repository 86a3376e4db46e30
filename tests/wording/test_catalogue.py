"""Fixed texts are found by key, filled strictly, and never fall back."""

from __future__ import annotations

import string
from importlib.resources import files

import pytest

from servicediag.wording import languages, text
from servicediag.wording.catalogue import has_text, keys, parse

AREAS = sorted(
    entry.name[:-5] for entry in (files("servicediag.wording") / "en").iterdir() if entry.name.endswith(".yaml")
)


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


@pytest.mark.parametrize("area", AREAS)
def test_every_language_has_every_key_with_the_same_placeholders(area: str) -> None:
    def placeholders(key: str, language: str) -> set[str]:
        source = (files("servicediag.wording") / language / f"{area}.yaml").read_text(encoding="utf-8")
        return {name for _, name, _, _ in string.Formatter().parse(parse(source, area)[key]) if name}

    singular = {key for key in keys(area) if not key.endswith((".one", ".few", ".many", ".other"))}
    for language in languages():
        assert singular <= set(keys(area, language))
        for key in singular:
            assert placeholders(key, language) == placeholders(key, "en")


def test_has_text_knows_what_is_there() -> None:
    assert has_text("report.title.page")
    assert not has_text("report.title.nothing")
