"""Very many rows, columns and units, texts that make searching slow, and inputs that would expose a person.

Classes 18 (here at a tenth; `benchmarks/hostile.py` has the full size), 19 and 20 of hostile inputs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import servicediag as sd
from servicediag.errors import ResponsesError

FORM = {"form": "customer-short", "unit": "Branch"}
SINS = ("-i", "seven-sins:customer-short", "--unit", "Branch")
SLOW = {
    "many letters": "a" * 30_000 + "!",
    "many at": "@" * 30_000,
    "at and dots": "a@" + "." * 30_000,
    "letters at": ("a" * 60 + "@") * 450,
    "digits": "1" * 30_000 + "x",
    "brackets": "(" * 30_000,
    "numbers": "1." * 15_000,
    "colons": "0:" * 15_000 + "g",
    "spaces": " " * 30_000 + "x",
    "dashes": "- " * 15_000,
    "accents": "e" + "\u0301" * 30_000,
    "ligatures": "\ufdfa" * 30_000,
    "quotes": "'\"" * 15_000,
}


@pytest.mark.parametrize("names", [list(SLOW)[:4], list(SLOW)[4:8], list(SLOW)[8:]], ids=str)
def test_texts_that_make_searching_slow_are_read_in_time(names, rows, text_file, confined):
    """As comments, as headings, as units and as answers."""
    texts = [SLOW[name] for name in names]
    table = rows(["North", *texts], 3, {text: lambda number, text=text: text for text in texts})
    outcome = confined("read", path=text_file(table), **FORM)
    assert outcome.kind == "done", outcome.codes
    for row, text in enumerate(texts, start=1):
        table[row][3] = text
    outcome = confined("read", path=text_file(table), **FORM)
    assert outcome.kind == "done" or set(outcome.codes) == {"unknown_label"}
    assert len(outcome.text) < 20_000


def test_ten_thousand_columns_are_refused_and_the_limit_named(rows, text_file, workbook, command):
    wide = {f"c{i}": (lambda number: "x") for i in range(10_000)}
    for path in (text_file(rows(["North"], 2, wide)), workbook(rows(["North"], 1, wide))):
        outcome = command("check", path, "-i", "seven-sins:customer-short")
        assert outcome.value == 1
        assert "columns is 2,000" in outcome.text


def test_hundred_thousand_rows_are_read(text_file, rows, confined):
    head, *body = rows(["North"], 100)
    outcome = confined("read", path=text_file([head, *body * 1_000]), **FORM)
    assert (outcome.kind, outcome.value["n"]) == ("done", 100_000)


def test_more_rows_than_the_limit_are_refused(text_file, command):
    outcome = command("check", text_file(b"sin_cold_1\n" + b"5\n" * 2_000_001), "-i", "seven-sins:customer-short")
    assert outcome.value == 1
    assert "text_rows is 2,000,000" in outcome.text


def test_units_of_one_person_are_withheld_however_many(text_file, rows, command, tmp_path):
    """The column of the units is that of the respondents."""
    out = tmp_path / "report.json"
    path = text_file(rows([f"Unit {i}" for i in range(400)], 1, {"Respondent": lambda number: f"Unit {number}"}))
    outcome = command("diagnose", path, *SINS, "--respondent", "Respondent", "-o", out)
    assert outcome.kind == "done", outcome.text
    assert "Unit 7" not in outcome.text
    published = json.loads(out.read_text())
    assert [row["unit"] for row in published["evidence"] if row["unit"]] == []
    assert [finding for finding in published["findings"] if finding["unit"]] == []


def test_so_many_units_that_memory_would_not_do_are_refused(text_file, command, items, labels):
    """Fifty thousand branches of one person: the column names people."""
    body = [[f"Unit {i}", *(labels[3] for _ in items)] for i in range(50_000)]
    outcome = command("diagnose", text_file([["Branch", *items], *body]), *SINS)
    assert outcome.value == 1, outcome.text
    assert "50,000 groups" in outcome.text
    assert outcome.megabytes < 500


# --- inputs that would expose a person --------------------------------------------------------------------------------


def frame_of(rows, units, n=12):
    head, *body = rows(units, n)
    return pd.DataFrame(body, columns=head)


def read(frame, **keywords):
    return sd.read_responses(frame, "seven-sins", **{**FORM, **keywords})


def published_units(diagnosis) -> set[str]:
    frames = (diagnosis.evidence, diagnosis.items, diagnosis.indicators, diagnosis.readiness, diagnosis.reliability)
    found = {str(unit) for frame in frames if "unit" in frame for unit in frame["unit"].dropna()}
    return found | {str(finding.unit) for finding in diagnosis.findings if finding.unit}


def test_small_unit_is_in_no_frame_and_in_no_file(rows, tmp_path):
    frame = pd.concat([frame_of(rows, ["North", "South", "East"]), frame_of(rows, ["Tiny branch"], 4)])
    diagnosis = sd.diagnose(read(frame.reset_index(drop=True)), by="unit")
    assert "Tiny branch" not in published_units(diagnosis)
    written = diagnosis.to_json(tmp_path / "r.json")
    shown = json.loads(Path(written).read_text())
    assert not any("Tiny branch" in json.dumps(row) and re.search(r'"(n|mean|count)": [0-9]', json.dumps(row))
                   for row in shown["withheld"])  # fmt: skip


def test_same_answers_of_everybody_are_not_shown_as_a_distribution(rows, items, labels):
    frame = frame_of(rows, ["North", "South", "East"], 6)
    frame.loc[frame["Branch"] == "North", items] = labels[4]
    diagnosis = sd.diagnose(read(frame), by="unit")
    shown = diagnosis.items[diagnosis.items["unit"] == "North"]
    assert not (shown["mean"].isin([0.0, 1.0, 5.0, 100.0])).any()


def test_respondent_that_comes_twice_is_refused(rows):
    frame = frame_of(rows, ["North"], 8)
    frame["Respondent"] = [1, 1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(ResponsesError) as error:
        read(frame, respondent="Respondent")
    assert {issue.code for issue in error.value.issues} == {"duplicate_respondent"}


def test_errors_quote_no_answer_of_a_person_but_the_texts_that_are_unknown(rows, workbook, command):
    """Comments and personal details are never part of a message."""
    secret = {"Comment": lambda number: f"secret {number}", "E-mail": lambda number: f"ann{number}@x.test"}
    table = rows(["North"], 8, secret)
    table[3][4] = "no such label"
    outcome = command("check", workbook(table), "-i", "seven-sins:customer-short")
    assert outcome.value == 1
    assert "secret" not in outcome.text
    assert "@x.test" not in outcome.text
