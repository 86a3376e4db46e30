"""Files that stand beside the exports: mappings, targets, operations data, rules, themes, ledgers and instruments.

Who writes them may choose every byte; none exhausts the machine, and none is overwritten by a report.
"""

from __future__ import annotations

import os

import pytest

import servicediag as sd
from servicediag.errors import ResponsesError
from servicediag.responses.safety import Limits, sniff_kind

SINS = ("-i", "seven-sins:customer-short")
UNIT = ("--unit", "Branch")
ACTION = "- {{code: ACT.{0}, text: t, source: authors, evidence: S}}\n"
RULE = (
    "- {{id: R{0}, cause: c, symptoms: [seven-sins/apathy], side: person, step: know, evidence: S, "
    "confirmed_by: [{{low: seven-sins/brush}}], refuted_by: [{{not_low: seven-sins/cold}}], actions: [ACT.Z{0}]}}\n"
)
INSTRUMENT = """
id: long-one
version: 1.0.0
prefix: lng
status: not yet validated
license: CC-BY-4.0
original_language: en
sources: [authors]
forms:
- {{id: customer, rater: customer, items: [{wrong}]}}
dimensions:
- id: one
  direction: strength
  measurement: reflective
  scale: frequency5
  items:
{items}
"""


@pytest.fixture
def export(text_file, rows):
    return text_file(rows(["North", "South"]))


@pytest.fixture
def beside(tmp_path):
    """Write a file beside the export."""

    def write(name: str, content: str):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


# --- names that lead nowhere, very many of them -----------------------------------------------------------------------


def test_mapping_of_many_columns_that_do_not_exist(rows, text_file, beside, command):
    wide = text_file(rows(extra={f"{place} question of many": lambda number: "" for place in range(600)}))
    mapping = beside("m.csv", "source_column,item_code\n" + "".join(f"{n} question nowhere,\n" for n in range(20_000)))
    outcome = command("check", wide, *SINS, "--columns", mapping)
    assert outcome.value == 1
    assert "There is no column '0 question nowhere'." in outcome.text


def test_rules_with_many_actions_that_do_not_exist(beside, command):
    actions, rules = map(ACTION.format, (f"A{n}" for n in range(5_000))), map(RULE.format, range(10, 600))
    outcome = command("lint", beside("r.yaml", f"actions:\n{''.join(actions)}rules:\n{''.join(rules)}"))
    assert outcome.value == 1
    assert "the action ACT.Z10 does not exist" in outcome.text


def test_rules_that_leave_out_many_that_do_not_exist(beside, command):
    without = "".join(f"- X{n}\n" for n in range(3_000))
    text = f"extends: default\nrules:\n{RULE.format(10).replace('id: R', 'id: MY-')}without:\n{without}"
    outcome = command("lint", beside("r.yaml", text))
    assert outcome.value == 1
    assert "there is no rule X0 to leave out" in outcome.text
    assert "(200 times)" in outcome.text


def test_form_of_many_items_that_do_not_exist(tmp_path, confined):
    items = "\n".join(f"  - {{code: lng_one_{n}, source: authors, evidence: S}}" for n in range(4_000))
    text = INSTRUMENT.format(items=items, wrong=", ".join(f"lng_two_{n}" for n in range(4_000)))
    (tmp_path / "instrument.yaml").write_text(text, encoding="utf-8")
    outcome = confined("instrument", name=str(tmp_path))
    assert outcome.error == "InstrumentError"
    assert "'lng_two_0' does not exist" in outcome.text
    assert len(outcome.codes) <= 200


def test_operations_data_of_many_units_that_do_not_exist(export, beside, command):
    records = beside("i.csv", "unit,turnover\n" + "".join(f"{'U' * 5_000}{n},0.1\n" for n in range(2_000)))
    outcome = command("diagnose", export, *SINS, *UNIT, "--indicators", records)
    assert outcome.value == 1
    assert "is not a unit of this study" in outcome.text
    assert len(outcome.text) < 20_000


@pytest.mark.parametrize(("columns", "n", "said"), [(300, 10, "Columns"), (190, 6_000, "Cells of the table")])
def test_operations_data_that_are_no_small_table(columns, n, said, export, beside, command):
    """The limits are those of such tables, which no option raises."""
    line = ",".join(["1"] * columns)
    records = beside("i.csv", ",".join(["unit", *(f"c{k}" for k in range(1, columns))]) + f"\n{line}" * n)
    outcome = command("diagnose", export, *SINS, *UNIT, "--indicators", records)
    assert outcome.value == 1
    assert "too_large" in outcome.text
    assert f"{said}: " in outcome.text
    assert "--limit" not in outcome.text


# --- what is read is never written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "content"),
    [
        ("--targets", "apathy: 50\n"),
        ("--indicators", "unit,turnover\n"),
        ("--theme", "organisation: X\n"),
        ("--ledger", "{}"),
    ],
)
def test_report_never_takes_the_place_of_what_is_read_beside_the_exports(option, content, export, beside, command):
    path = beside("beside.json", content)
    outcome = command("diagnose", export, *SINS, *UNIT, option, path, "-o", path, "--force")
    assert outcome.value == 2
    assert "give another name" in outcome.text
    assert path.read_text(encoding="utf-8") == content


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_output_that_is_a_link_to_itself_is_refused(tmp_path, export, command):
    loop = tmp_path / "loop.xlsx"
    loop.symlink_to(loop)
    outcome = command("score", export, *SINS, "-o", loop, "--force")
    assert outcome.value == 1
    assert "symbolic link" in outcome.text


# --- what is no file, and what only begins like another one -----------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipe_is_called_a_pipe_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ResponsesError, match="is a pipe or a device") as error:
        sniff_kind(tmp_path / "pipe.csv", Limits())
    assert [issue.code for issue in error.value.issues] == ["unreadable_file"]


def test_text_that_begins_with_the_letters_of_an_archive_is_text(tmp_path, rows):
    table = rows(["North", "South"])
    table[0][0] = "PK"
    path = tmp_path / "export.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in table), encoding="utf-8")
    assert len(sd.read_responses(path, "seven-sins", form="customer-short", unit="PK")) == 24


def test_mark_before_records_of_unequal_length_is_no_part_of_the_first_heading(tmp_path, rows):
    table = rows(["North", "South"])
    lines = [",".join(map(str, row)) + ",," * (place % 2) for place, row in enumerate(table)]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    assert len(sd.read_responses(path, "seven-sins", form="customer-short", unit="Branch")) == 24
