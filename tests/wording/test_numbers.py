"""Numbers are written as the reader of each language writes them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicediag.wording import languages, text
from servicediag.wording.numbers import (
    cell_formats,
    localized,
    number,
    number_format,
    p_value,
    percent,
    probability,
    signed,
)
from servicediag.wording.plurals import CATEGORIES, category
from servicediag.wording.telling import figure

NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["−12.5", "+0.3", "28%", "12000", "< 0.001"]),
        ("es", ["−12,5", "+0,3", f"28{NBSP}%", f"12{NBSP}000", "< 0,001"]),
        ("ru", ["−12,5", "+0,3", f"28{NBSP}%", f"12{NBSP}000", "< 0,001"]),
        ("zh-Hans", ["−12.5", "+0.3", "28%", "12000", "< 0.001"]),
    ],
)
def test_each_language_writes_numbers_its_own_way(language: str, expected: list[str]) -> None:
    shown = [signed(-12.5, 1, language), signed(0.3, 1, language), percent(0.284, language),
             number(12000, 0, language), p_value(0.0004, language)]  # fmt: skip
    assert shown == expected


def test_four_digits_stay_together() -> None:
    assert number(2024, 0, "es") == "2024"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_empty(value: float | None) -> None:
    assert [show(value) for show in (number, signed, percent, probability, p_value)] == [""] * 5


@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(CATEGORIES)))
def test_a_number_reads_back_as_the_value_it_rounds(value: float, language: str) -> None:
    style = number_format(language)
    shown = number(value, 2, language).replace(style.group or NBSP, "").replace(style.decimal, ".").replace(MINUS, "-")
    assert float(shown) == pytest.approx(value, abs=0.00501)


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [(62.5, 0, "63"), (29.65, 1, "29.7"), (-2.85, 1, "−2.9"), (31.849999999999994, 1, "31.9"), (31.8499, 1, "31.8")],
)
def test_halves_go_away_from_zero_as_in_a_spreadsheet(value: float, decimals: int, shown: str) -> None:
    assert number(value, decimals) == shown
    assert str(figure(value, f".{decimals}f")) == shown.replace(MINUS, "-")


def test_half_a_per_cent_is_rounded_up() -> None:
    assert [percent(0.285), percent(0.125), percent(0.2849)] == ["29%", "13%", "28%"]


def test_zero_never_has_a_sign() -> None:
    assert [signed(value, 1, "es") for value in (0.04, -0.04, 0.0)] == ["0,0"] * 3


def test_words_around_a_number_stay() -> None:
    assert localized("n = 30, gap -2.5", "ru") == "n = 30, gap −2,5"


def test_spreadsheets_keep_numbers_and_set_the_space_before_the_per_cent_sign() -> None:
    assert cell_formats("ru")["share"] == f'0"{NBSP}"%'
    assert cell_formats("zh-Hans")["share"] == "0%"


def test_unknown_language_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="zh-Hans"):
        number(1.0, 1, "xx")
    with pytest.raises(ValueError, match="zh-Hans"):
        category(1, "xx")


@pytest.mark.parametrize(
    ("count", "form"),
    [(0, "many"), (1, "one"), (2, "few"), (4, "few"), (5, "many"), (11, "many"), (12, "many"), (14, "many"),
     (21, "one"), (22, "few"), (25, "many"), (101, "one"), (111, "many"), (112, "many"), (122, "few"), (1.5, "other"),
     (3.0, "few")],
)  # fmt: skip
def test_russian_has_the_plural_forms_of_cldr(count: float, form: str) -> None:
    assert category(count, "ru") == form


@pytest.mark.parametrize(("language", "forms"), [("en", ["other", "one", "other"]), ("es", ["other", "one", "other"]),
                                                 ("zh-Hans", ["other", "other", "other"])])  # fmt: skip
def test_the_other_languages_have_theirs(language: str, forms: list[str]) -> None:
    assert [category(count, language) for count in (0, 1, 2)] == forms


def test_every_language_with_texts_has_plural_forms_and_a_number_format() -> None:
    for language in languages():
        assert language in CATEGORIES
        assert number_format(language).decimal in ".,"


def test_numbers_in_english_texts_are_as_they_were() -> None:
    assert text("report.count.units", count=12000) == "12000 units"
