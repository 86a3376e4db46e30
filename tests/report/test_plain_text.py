"""Names from data are made printable, measured and kept apart."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicediag.report.plain_text import clean, display_width, distinct, shorten, wrap

OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


@given(st.text(alphabet=st.characters()))
def test_clean_text_can_be_written_and_holds_no_control_character(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not [character for character in cleaned if unicodedata.category(character) in ("Cc", "Cs")]
    assert not set(cleaned) & set(OVERRIDES)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize("text", ["客户服务中心", "Отдел обслуживания", "می‌خواهم", "a < b & c", "São Paulo", "👩‍👩‍👧"])
def test_clean_leaves_ordinary_names_alone(text: str) -> None:
    assert clean(text) == text


def test_line_breaks_become_spaces() -> None:
    assert clean("a\r\nb\tc") == "a b c"


def test_width_counts_wide_characters_twice_and_marks_not() -> None:
    assert display_width("客服a") == 5
    assert display_width("e\u0301") == 1


@given(st.text(max_size=60), st.integers(1, 20))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert display_width(shorten(text, width)) <= width or display_width(text) <= width


@given(st.text(alphabet="ab 客ж", max_size=90), st.integers(4, 20), st.integers(1, 3))
def test_wrapped_text_fits_its_box(text: str, width: int, lines: int) -> None:
    wrapped = wrap(text, width, lines=lines).split("\n")
    assert len(wrapped) <= lines
    assert all(display_width(line) <= width for line in wrapped)


def test_wrap_loses_nothing_where_there_is_room() -> None:
    text = "Branch network North, Zone 1"
    assert wrap(text, 16).replace("\n", " ") == text


def test_wrap_of_a_huge_name_ends() -> None:
    assert display_width(wrap("x" * 40_000, 20)) <= 41


@given(st.lists(st.sampled_from(["a", "b", "a (2)"]), max_size=8))
def test_distinct_labels_differ_and_keep_their_order(labels: list[str]) -> None:
    result = distinct(labels)
    assert len(set(result)) == len(labels)
    assert all(found.startswith(label) for found, label in zip(result, labels, strict=True))


@pytest.mark.parametrize(
    ("words", "width", "short"),
    [
        ("the discretion to decide", 19, "the discretion to…"),
        ("Rindfleischetikett", 10, "Rindfleis…"),
        ("a b", 3, "a b"),
        ("客户服务中心", 7, "客户服…"),
    ],
)
def test_words_stay_whole_where_a_text_is_cut(words: str, width: int, short: str) -> None:
    assert shorten(words, width) == short
