"""Release ledgers that are damaged, made up, vast, or used by two diagnoses at the same time.

A release is never lost, nothing that cannot be true is believed, and what is wrong is told before the diagnosis.
"""

from __future__ import annotations

import copy
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import servicediag as sd
from servicediag.cli import app
from servicediag.diagnosis import engine, releases
from servicediag.diagnosis.evidence import COUNTS
from servicediag.diagnosis.releases import Group, LedgerError, Release, Shown, open_ledger, write_release
from servicediag.errors import ResponsesError

SINS = ("-i", "seven-sins:customer-short")
WHO = ("--unit", "Branch", "--respondent", "Id")
PLACE = ("unit", "A", "seven-sins", "customer-short", "")
OTHERS = ("unit", "B", "seven-sins", "customer-short", "")
SCORE, ITEM, SHARE = ("score", "apathy", "apathy"), ("item", "apathy", "sin_apathy_1"), ("indicator", "", "any")
RELEASE = Release(
    {
        PLACE: Group(
            frozenset({"a1", "a2", "a3"}),
            {
                SCORE: Shown(12, 50.0, errors=(("unit/A", 160.0),)),
                ITEM: Shown(12, 25.0, 30_000.0, counts=(12, *(0,) * (len(COUNTS) - 1))),
                SHARE: Shown(12, 0.25, 30_000.0),
            },
            released=True,
        ),
        OTHERS: Group(frozenset({"b1"}), released=True),
    },
    {(PLACE[2:], SCORE): frozenset({"a3"})},
    {PLACE[2:]: frozenset({"c1"})},
)


@pytest.fixture
def file(tmp_path):
    """A ledger that holds one release."""
    path = tmp_path / "releases.json"
    write_release(open_ledger(path), RELEASE)
    return path


@pytest.fixture
def export(rows, text_file):
    return text_file(rows(["North", "South"], extra={"Id": lambda number: f"p{number}"}))


@pytest.fixture
def responses(rows, items):
    header, *people = rows(["North", "South"], extra={"Id": lambda number: f"p{number}"})
    named = dict(zip(items, items, strict=True))
    frame = pd.DataFrame(people, columns=header)
    return sd.read_responses(frame, "seven-sins", form="customer-short", unit="Branch", respondent="Id", columns=named)


@pytest.fixture
def no_diagnosis(monkeypatch):
    """Whatever is told now is told before the work is done."""

    def late(*_, **__):
        pytest.fail("the ledger was not checked first")

    monkeypatch.setattr(engine, "guard_against", late)


def code_of(caught):
    assert isinstance(caught.value, ResponsesError)
    (issue,) = caught.value.issues
    return issue.code


def left(folder):
    return sorted(entry.name for entry in Path(folder).iterdir())


# --- two at the same time ---------------------------------------------------------------------------------------------


@pytest.fixture
def another_meanwhile(monkeypatch):
    """While the first diagnosis is made, another one with the same ledger begins and ends."""
    guard = engine.guard_against

    def guard_and_let_another_in(book, *arguments):
        monkeypatch.setattr(engine, "guard_against", guard)
        write_release(open_ledger(book.path), RELEASE)
        return guard(book, *arguments)

    monkeypatch.setattr(engine, "guard_against", guard_and_let_another_in)


@pytest.mark.parametrize("begun", [False, True])
def test_release_that_another_diagnosis_added_meanwhile_is_kept(begun, responses, tmp_path, another_meanwhile):
    path = tmp_path / "releases.json"
    if begun:
        write_release(open_ledger(path), RELEASE)
    with pytest.raises(LedgerError, match="was changed during this diagnosis") as caught:
        sd.diagnose(responses, by="unit", ledger=path)
    assert code_of(caught) == "ledger_changed"
    assert [one.groups.keys() for one in open_ledger(path).releases] == [RELEASE.groups.keys()] * (1 + begun)
    sd.diagnose(responses, by="unit", ledger=path)
    assert len(open_ledger(path).releases) == 2 + begun


def test_no_report_is_written_of_a_release_that_the_ledger_does_not_hold(export, tmp_path, another_meanwhile):
    path, out = tmp_path / "releases.json", tmp_path / "out"
    out.mkdir()
    command = ["diagnose", str(export), *SINS, *WHO, "--ledger", str(path), "-o", str(out / "report.json")]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1
    assert "Run the diagnosis again." in " ".join(refused.output.split())
    assert left(out) == []
    assert CliRunner().invoke(app, command).exit_code == 0
    assert left(out) == ["report.json"]
    assert len(open_ledger(path).releases) == 2


def test_ledger_that_is_gone_or_older_again_counts_as_changed(file):
    first = open_ledger(file)
    before = file.read_bytes()
    write_release(first, RELEASE)
    second = open_ledger(file)
    for content in (None, before):
        file.unlink() if content is None else file.write_bytes(content)
        with pytest.raises(LedgerError) as caught:
            write_release(second, RELEASE)
        assert code_of(caught) == "ledger_changed"
        assert (file.read_bytes() if file.exists() else None) == content


def test_of_many_writers_who_read_the_same_one_succeeds(file):
    book = open_ledger(file)

    def write(number):
        place = ("unit", f"unit {number}", *PLACE[2:])
        try:
            write_release(book, Release({place: Group(frozenset({f"p{number}"}))}, {}))
        except LedgerError as error:
            return error.issues[0].code
        return place

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(write, range(32)))
    (won,) = [end for end in ends if isinstance(end, tuple)]
    assert {end for end in ends if end != won} <= {"ledger_changed", "ledger_locked"}
    assert [list(one.groups) for one in open_ledger(file).releases] == [[PLACE, OTHERS], [won]]
    assert left(file.parent) == ["releases.json"]


def test_lock_that_was_left_behind_is_named_and_kept(file, responses, no_diagnosis):
    before, lock, book = file.read_bytes(), Path(f"{file}.lock"), open_ledger(file)
    lock.touch()
    with pytest.raises(LedgerError, match=r"that file may be deleted") as caught:
        sd.diagnose(responses, by="unit", ledger=file)
    assert code_of(caught) == "ledger_locked"
    assert repr(str(lock)) in str(caught.value)
    with pytest.raises(LedgerError, match="is in use"):
        write_release(book, RELEASE)
    assert file.read_bytes() == before
    assert left(file.parent) == ["releases.json", "releases.json.lock"]
    lock.unlink()
    assert len(open_ledger(file).releases) == 1


@pytest.mark.parametrize("error", [OSError, MemoryError, KeyboardInterrupt])
def test_no_lock_is_left_by_a_fault(error, file, monkeypatch):
    book = open_ledger(file)

    def broken(*_):
        raise error

    monkeypatch.setattr(releases, "sniff_kind", broken)
    with pytest.raises(error):
        write_release(book, RELEASE)
    with pytest.raises(error):
        open_ledger(file)
    assert left(file.parent) == ["releases.json"]


# --- what no ledger can hold ------------------------------------------------------------------------------------------


def test_what_was_written_is_read_again(file):
    (release,) = open_ledger(file).releases
    assert release == RELEASE


@pytest.mark.parametrize(
    "text",
    [
        "",
        " " * 5_000,
        "[" * 200_000,
        '{"schema": 3, "salt": "s", "releases": ' + "[" * 100_000,
        '{"schema": 3, "salt": "s", "releases": ' + '{"a":' * 100_000,
        '{"schema": 3, "salt": "s", "releases": ' + "9" * 100_000 + "}",
        '{"schema": 3, "salt": "s", "releases": {}}',
        '{"schema": 3, "salt": "s", "releases": ""}',
        '{"schema": 3, "salt": "s", "releases": [null]}',
        '{"schema": 3, "salt": "s", "releases": [{}]}',
        '{"schema": 3, "salt": 7, "releases": []}',
        '{"schema": 3, "salt": "", "releases": []}',
        '{"schema": 3, "salt": "\\ud800", "releases": []}',
        '{"schema": NaN, "salt": "s", "releases": []}',
        '{"schema": 3, "salt": "s", "releases": []} {}',
        '{"schema": 3, "salt": "s", "releases": [], "more": Infinity}',
        '{"schema": 4, "salt": "s", "releases": []}',
        '"schema"',
    ],
)
def test_text_that_is_no_ledger(text, tmp_path, responses, no_diagnosis):
    path = tmp_path / "releases.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError, match="is no release ledger that this version can read") as caught:
        sd.diagnose(responses, by="unit", ledger=path)
    assert isinstance(caught.value, ValueError)
    assert code_of(caught) in ("unreadable_file", "empty_sheet")
    assert path.read_text(encoding="utf-8") == text
    assert left(tmp_path) == ["releases.json"]


@pytest.mark.parametrize("content", [b'{"schema": 3, "salt": "\xff"}', b"PK\x03\x04", b"\x00" * 200, b"\xff\xfe{\x00"])
def test_bytes_that_are_no_text(content, tmp_path):
    (tmp_path / "releases.json").write_bytes(content)
    with pytest.raises(LedgerError, match="is no release ledger"):
        open_ledger(tmp_path / "releases.json")


N, MEAN, SQUARES, ERRORS, ANSWERS = range(3, 8)
IMPOSSIBLE = {
    "n": [(SCORE, N, value) for value in (float("inf"), -3, 0, 2.5, 12.0, True, "12", None, 10**400)],
    "mean": [(SCORE, MEAN, value) for value in (float("nan"), 1e308, -1e308, 10**400, "50", None, True, [50])],
    "exact mean": [(ITEM, MEAN, 101.5), (ITEM, MEAN, -1.5), (SHARE, MEAN, 1.2)],
    "squares": [(ITEM, SQUARES, value) for value in (float("inf"), float("nan"), -5.0, 1e300, "9", False)],
    "roundings": [
        (SCORE, ERRORS, value)
        for value in (
            [["u", float("inf")]],
            [["u", -1.0]],
            [["u", 1e300]],
            [["u", "1"]],
            [[1, 1.0]],
            [["u"]],
            {"uv": 1},
        )
    ],
    "counts": [
        (ITEM, ANSWERS, value)
        for value in (*([wrong] * len(COUNTS) for wrong in (-1, 1.5, "1", True, 10**400)), [1, 2], "", {}, None)
    ],
    "names": [(SCORE, 0, 7), (SCORE, 1, None), (SCORE, 2, "\ud800"), (SCORE, 2, ["apathy"])],
}


@pytest.mark.parametrize(
    ("variable", "column", "value"),
    [pytest.param(*case, id=f"{name}-{k}") for name, cases in IMPOSSIBLE.items() for k, case in enumerate(cases)],
)
def test_number_that_cannot_be_true_is_refused(variable, column, value, file):
    document = json.loads(file.read_text(encoding="utf-8"))
    (row,) = [row for row in document["releases"][0]["groups"][0]["means"] if tuple(row[:3]) == variable]
    row[column] = value
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(LedgerError, match="is no release ledger") as caught:
        open_ledger(file)
    assert code_of(caught) == "unreadable_file"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("groups", 0, "unit"), "\ud800"),
        (("groups", 0, "unit"), None),
        (("groups", 0, "wave"), 2024),
        (("groups", 0, "members"), [1, 2]),
        (("groups", 0, "members"), ["a1", "\udfff"]),
        (("groups", 0, "members"), "a1"),
        (("groups", 0, "members"), {"a1": 1}),
        (("groups", 0, "means"), [["score"]]),
        (("groups", 0, "means"), ["abcdefgh"]),
        (("groups", 0, "means"), {}),
        (("groups", 0), []),
        (("groups",), {}),
        (("unanswered",), {}),
        (("unanswered", 0, "variable"), ["a", "b"]),
        (("unanswered", 0, "variable"), [1, 2, 3, 4, 5, 6]),
        (("unanswered", 0, "people"), [None]),
        (("comments",), {}),
        (("comments", 0, "source"), [1, 2, 3]),
        (("comments", 0, "lists"), [7]),
    ],
)
def test_entry_of_another_kind_is_refused(path, value, file):
    document = json.loads(file.read_text(encoding="utf-8"))
    place = document["releases"][0]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(LedgerError, match="is no release ledger"):
        open_ledger(file)


@pytest.mark.parametrize("path", [("groups",), ("groups", 0, "means"), ("unanswered",), ("comments",)])
def test_entry_that_is_repeated_is_refused(path, file):
    """The second would hide from the audit what the first one tells."""
    document = json.loads(file.read_text(encoding="utf-8"))
    entries = document["releases"][0]
    for name in path:
        entries = entries[name]
    entries.append(copy.deepcopy(entries[0]))
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(LedgerError, match="is no release ledger"):
        open_ledger(file)


@pytest.mark.parametrize("mean", [-30.0, 130.0])
def test_rounding_may_lead_out_of_the_range_of_the_answers(mean, tmp_path):
    """What moved in a unit is added to a wider group that may hold few people."""
    wide = Group(frozenset("abcde"), {SCORE: Shown(5, mean, errors=(("unit/A", 160.0),))}, released=True)
    write_release(open_ledger(tmp_path / "r.json"), Release({PLACE: wide}, {}))
    assert open_ledger(tmp_path / "r.json").releases[0].groups == {PLACE: wide}


# --- what is no file, or too large ------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipe_is_refused_unread(tmp_path, export, command):
    os.mkfifo(tmp_path / "pipe")
    outcome = command("diagnose", export, *SINS, *WHO, "--ledger", tmp_path / "pipe")
    assert outcome.value == 1
    assert "is a pipe or a device" in outcome.text.replace("\n", " ")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no such device")
def test_device_is_refused_unread(export, command):
    outcome = command("diagnose", export, *SINS, *WHO, "--ledger", "/dev/zero")
    assert outcome.value == 1
    said = outcome.text.replace("\n", " ")
    assert "is a pipe or a device" in said or "cannot write into /dev" in said
    assert not os.path.lexists("/dev/zero.lock")


def test_vast_file_is_refused_unread(tmp_path, export, command):
    path = tmp_path / "releases.json"
    with path.open("wb") as file:
        file.write(b" " * 70_000)
        file.truncate(releases.MOST_BYTES + 1)
    outcome = command("diagnose", export, *SINS, *WHO, "--ledger", path)
    assert outcome.value == 1
    assert "too_large" in outcome.text
    assert f"{releases.MOST_BYTES:,}" in outcome.text


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_VALUES"])
def test_ledger_never_grows_beyond_what_can_be_read_again(limit, file, monkeypatch):
    before = file.read_bytes()
    size = len(before) if limit == "MOST_BYTES" else sum(before.count(sign) for sign in (b",", b"[", b"{"))
    monkeypatch.setattr(releases, limit, size)
    book = open_ledger(file)
    with pytest.raises(LedgerError, match="has no room for this release") as caught:
        write_release(book, RELEASE)
    assert code_of(caught) == "too_large"
    assert file.read_bytes() == before
    monkeypatch.setattr(releases, limit, size - 1)
    with pytest.raises(LedgerError, match="is no release ledger") as caught:
        open_ledger(file)
    assert code_of(caught) == "too_large"


# --- where no ledger can be written -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nowhere/releases.json", FileNotFoundError, "does not exist; create it first"),
        ("", IsADirectoryError, "is a folder"),
        ("x" * 248 + ".json", OSError, "cannot write into"),
    ],
)
def test_place_that_cannot_be_written_is_told_before_the_diagnosis(
    name, error, said, tmp_path, responses, no_diagnosis
):
    with pytest.raises(error, match=said):
        sd.diagnose(responses, by="unit", ledger=tmp_path / name)
    assert left(tmp_path) == []


def test_folder_without_the_right_to_write_is_told_before_the_diagnosis(file, responses, no_diagnosis, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", denied)
        with pytest.raises(PermissionError, match="cannot write into") as caught:
            sd.diagnose(responses, by="unit", ledger=file)
    assert str(file.parent) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "arguments", "code"),
    [("{}", WHO, 1), ("[" * 200_000, WHO, 1), (None, WHO[:2], 2), (None, (*WHO, "--ledger", "nowhere/r.json"), 1)],
)
def test_exit_code_tells_a_faulty_file_from_wrong_usage(content, arguments, code, export, tmp_path, command):
    path = tmp_path / "targets.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    outcome = command("diagnose", export, *SINS, "--ledger", path, *arguments)
    assert outcome.value == code, outcome.text
    if content is not None:
        assert "is no release ledger that this version can read" in outcome.text.replace("\n", " ")
        assert "ledger=" not in outcome.text


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_link_is_wrong_usage(export, tmp_path, command):
    (tmp_path / "link.json").symlink_to(tmp_path / "elsewhere.json")
    outcome = command("diagnose", export, *SINS, *WHO, "--ledger", tmp_path / "link.json")
    assert outcome.value == 2
    assert "symbolic link" in outcome.text.replace("\n", " ")


def test_error_survives_a_process_boundary(file):
    import pickle

    file.write_text("[", encoding="utf-8")
    with pytest.raises(LedgerError) as caught:
        open_ledger(file)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (LedgerError, str(caught.value))
