"""Judging an item's wording."""

from __future__ import annotations

import pytest

from servicediag.instrument.item_wording import (
    flesch_kincaid_grade,
    joins,
    negations,
    placeholders,
    wording_faults,
    words,
)


def codes(text: str, language: str = "en") -> list[str]:
    return [code for code, _, _ in wording_faults(text, language)]


def test_length_limit_is_inclusive() -> None:
    assert codes("so " * 20) == []
    assert codes("so " * 21) == ["too_long"]


def test_words_keep_apostrophes_and_hyphens_and_any_script() -> None:
    assert words("Don't re-open l’été – 2 fois, (да)!") == ["Don't", "re-open", "l’été", "2", "fois", "да"]


@pytest.mark.parametrize(
    "text", ["nothing", "Not", "isn't", "can’t", "cannot", "nobody", "NEVER", "neither", "without"]
)
def test_negations_are_found(text: str) -> None:
    assert negations(f"It {text} x") == [text]


@pytest.mark.parametrize("text", ["notice", "know", "another", "nonetheless", "now", "piano", "north"])
def test_words_that_only_look_negative_are_not(text: str) -> None:
    assert negations(text) == []


def test_without_alone_is_no_fault_but_counts_with_another() -> None:
    assert codes("He left without it.") == []
    assert codes("No one left without it.") == ["double_negative"]


def test_joins_are_whole_words() -> None:
    assert joins("Sand or band, more/less and/or not: Andy ordered") == ["or", "and/or"]


def test_english_rules_hold_for_every_kind_of_english_and_no_other_language() -> None:
    assert codes("It is not so.", "en-GB") == ["negation"]
    assert codes("It is not so.", "de") == []


@pytest.mark.parametrize(
    ("text", "n_words", "n_sentences", "n_syllables"),
    [
        ("The cat sat.", 3, 1, 3),
        ("The cat sat. The dog ran.", 6, 2, 6),
        ("Managers explained every rule to me.", 6, 1, 11),
        ("The tables were clean", 4, 1, 5),
    ],
)
def test_grade_follows_the_published_formula(text: str, n_words: int, n_sentences: int, n_syllables: int) -> None:
    expected = 0.39 * n_words / n_sentences + 11.8 * n_syllables / n_words - 15.59
    assert flesch_kincaid_grade(text) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("word", "syllables"),
    [("made", 1), ("table", 2), ("needed", 2), ("cared", 1), ("places", 2), ("rules", 1), ("the", 1), ("free", 1),
     ("customer", 3), ("people", 2), ("washes", 2), ("handled", 2), ("called", 1), ("by", 1), ("role", 1)],
)  # fmt: skip
def test_syllables_of_common_words(word: str, syllables: int) -> None:
    assert flesch_kincaid_grade(word) == pytest.approx(0.39 + 11.8 * syllables - 15.59)


def test_grade_of_nothing_is_zero() -> None:
    assert flesch_kincaid_grade("...") == 0.0


def test_placeholders_and_stray_braces() -> None:
    assert placeholders("{a} of {b} and {a}") == (frozenset({"a", "b"}), False)
    assert placeholders("{A}") == (frozenset(), True)
    assert placeholders("a}") == (frozenset(), True)
