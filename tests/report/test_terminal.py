"""The terminal tells the summary within 100 columns, without colour, and reads nothing from data as markup."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from servicediag.diagnosis.model import Diagnosis
from servicediag.report import print_diagnosis
from servicediag.report.plain_text import clean


def printed(diagnosis: Diagnosis, *, width: int = 160, colour: bool = False, **options: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, color_system="truecolor" if colour else None,
                      legacy_windows=False)  # fmt: skip
    print_diagnosis(diagnosis, console, **options)
    return stream.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_100_columns_or_the_terminal(diagnosis: Diagnosis, width: int) -> None:
    assert max(cell_len(line) for line in printed(diagnosis, width=width).splitlines()) <= min(width, 100)


def test_story_of_a_finding_is_told_in_full(diagnosis: Diagnosis) -> None:
    text = flat(printed(diagnosis))
    story = text[text.index("1. Runaround is worse") : text.index("2. Rulebook is worse")]
    pieces = [
        "Customer contact centre · Runaround · rated by customers",
        "−18.2 points (95% interval −24.1 to −12.2)",
        "n = 46",
        "established, major",
        "Nobody owns a case from start to end",
        "Staff do not want to serve",
        "Systems send customers from desk to desk",
        "Give contact staff authority",
    ]
    assert [piece for piece in pieces if piece not in story] == []


def test_strengths_open_questions_and_withheld_are_told(diagnosis: Diagnosis) -> None:
    text = flat(printed(diagnosis))
    for piece in (
        "What works well",
        "Coldness is better in Reception",
        "What we cannot tell",
        "There is one wave",
        "Brush-off is worse in Home delivery",
        "6 results were withheld",
        "not yet validated",
        "conventions",
    ):
        assert piece in text


@pytest.mark.parametrize("top", [1, 3])
def test_top_limits_the_findings(diagnosis: Diagnosis, top: int) -> None:
    text = printed(diagnosis, top=top)
    assert f"{top}. " in text
    assert f"\n{top + 1}. " not in text
    assert "further finding" in text


def test_without_colour_there_is_no_control_code(diagnosis: Diagnosis) -> None:
    assert "\x1b" not in printed(diagnosis)


def test_words_are_the_same_with_and_without_colour(diagnosis: Diagnosis) -> None:
    from rich.text import Text

    assert Text.from_ansi(printed(diagnosis, colour=True)).plain.split() == printed(diagnosis).split()


@pytest.mark.parametrize("name", ["html", "formula", "markup", "bidi", "template", "control"])
@pytest.mark.parametrize("colour", [False, True])
def test_hostile_text_stays_text(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], hostile_texts: Any, name: str, colour: bool
) -> None:
    text = getattr(hostile_texts, name)
    shown = printed(spoilt(diagnosis, text), colour=colour)
    assert "".join(clean(text).split()) in "".join(shown.split())
    assert "\x1b]8" not in shown
    assert not set(shown) & set("\x00\x07\x0b\x9b\u202e\u2066")
    if not colour:
        assert "\x1b" not in shown


def test_emoji_codes_in_names_are_left_alone(diagnosis: Diagnosis) -> None:
    findings = tuple(replace(finding, title=":warning: team") for finding in diagnosis.findings)
    assert ":warning: team" in printed(replace(diagnosis, findings=findings))


def test_terminal_that_knows_only_ascii_is_served(diagnosis: Diagnosis) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    print_diagnosis(diagnosis, Console(file=stream, width=100))
    stream.flush()
    assert b"Runaround is worse" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_diagnosis_of_which_nothing_may_be_shown_still_says_so(empty_diagnosis: Diagnosis) -> None:
    text = flat(printed(empty_diagnosis))
    assert "no proof that all is well" in text
    assert "6 results were withheld" in text


def test_language_without_texts_is_refused(diagnosis: Diagnosis) -> None:
    with pytest.raises(ValueError, match="language"):
        printed(diagnosis, language="xx")
