"""Open answers that are listed stay text, and screening them takes time in proportion to their length (class 19)."""

from __future__ import annotations

import json
import re

import openpyxl
import pytest

from servicediag.diagnosis.comment_screening import LONGEST, screened

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
SAID = (
    "=cmd|'/c calc'!A1",
    ' ＝HYPERLINK("x","y")',
    "+SUM(A1)",
    "-2+3 for the desk",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    '"><svg onload=alert(1)>',
    "[bold red]x[/]",
    "{{ 7*7 }} {% raw %}",
    "Sa\u202eles\u2066 x\x1b[31m",
    "x" * 32_000,
    "a&b 'c'",
)
LONG = 32_000
KILLERS = [
    (text * LONG)[:LONG] + "!"
    for text in ("a", "@", "a@", "a@b.", ".", "a.", "a.com", "http://", "x.co/", "1", "1 ", "+(", "等", "a b", "www.a")
]
"""Texts nearly as long as a cell may be, of one piece again and again."""


QUESTION, LONG_TEXTS = "=What <b>else</b>?", "Remarks"


@pytest.fixture(scope="module")
def reports(write_rows, rows, command, tmp_path_factory):
    """What one command printed, and the reports that it wrote of both questions."""
    folder = tmp_path_factory.mktemp("comments")
    extra = {
        QUESTION: lambda number: SAID[number % len(SAID)],
        LONG_TEXTS: lambda number: KILLERS[number % len(KILLERS)],
    }
    export = write_rows(folder / "export.xlsx", rows(("North", "South"), len(KILLERS), extra))
    paths = {suffix: folder / f"report.{suffix}" for suffix in ("xlsx", "html", "json")}
    outs = [part for path in paths.values() for part in ("-o", path)]
    asked = ("--comment", QUESTION, "--comment", LONG_TEXTS)
    outcome = command("diagnose", export, "-i", "seven-sins:customer-short", "--unit", "Branch", *asked, *outs)
    assert outcome.kind == "done", outcome.text
    return outcome, paths


def listed(reports, question) -> list[str]:
    rows = json.loads(reports[1]["json"].read_text(encoding="utf-8"))["comments"]
    return [row["comment"] for row in rows if row["question"] == question]


def test_screening_and_counting_take_time_in_proportion_to_the_text(reports):
    """What takes time in proportion to the square would have been stopped long before it was done."""
    texts = listed(reports, LONG_TEXTS)
    assert len(texts) >= 20
    assert max(map(len, texts)) <= LONGEST + 1


@pytest.mark.parametrize("text", ["a.com", "x.com" + "." * 1_990, "a" * 63 + "@ "])
def test_what_is_not_listed_of_a_long_text_is_not_looked_through(text):
    """So that a file of the largest size is screened within minutes, whatever it holds."""
    found = screened(" ".join([*["word"] * 900, *[text] * 6_000]))
    assert found.shortened
    assert found.replaced <= 1_000
    assert len(found.text) <= LONGEST + 1


def test_every_comment_is_listed(reports):
    texts = listed(reports, QUESTION)
    assert len(texts) == 2 * len(KILLERS)
    told = " ".join(texts)
    for text in SAID[:9]:
        assert text.strip() in told


def test_workbook_holds_texts_only(reports):
    book = openpyxl.load_workbook(reports[1]["xlsx"])
    cells = [cell for row in book["Comments"].iter_rows() for cell in row if isinstance(cell.value, str)]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    risky = [cell for cell in cells if cell.value.lstrip(" \u3000").startswith(FORMULA_STARTS)]
    assert len({cell.value for cell in risky if cell.value in map(str.strip, SAID) or cell.value == QUESTION}) == 5
    assert all(cell.quotePrefix for cell in risky)
    assert not any(CONTROL.search(cell.value) for cell in cells)


def test_page_holds_no_markup_of_a_comment(reports):
    page = reports[1]["html"].read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "onload=alert(1)>" not in page
    assert "&lt;/script&gt;" in page
    assert "=What &lt;b&gt;else" in page
    assert not CONTROL.search(page.replace("\n", ""))


def test_terminal_prints_no_comment(reports):
    outcome, _ = reports
    count = sum(len(listed(reports, question)) for question in (QUESTION, LONG_TEXTS))
    assert f"Open answers: {count} listed" in outcome.text
    assert "bold red" not in outcome.text
    assert "alert" not in outcome.text
