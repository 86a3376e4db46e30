"""What goes wrong with files and machines: nothing half-written, the input never touched, a clear message.

A full disk, a folder of others, a locked file, one that changes while it is read, an interrupt and the end of memory.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import typer

import servicediag as sd
from servicediag.cli import _reporting
from servicediag.errors import ResponsesError
from servicediag.files import atomic_path
from servicediag.responses import readers

SINS = ("-i", "seven-sins:customer-short")
UNIT = ("--unit", "Branch")
WRITERS = {
    "answer sheet": (("answer-sheet", "seven-sins", "OUT.xlsx"), 4_096),
    "scores": (("score", "EXPORT", *SINS, "-o", "OUT.xlsx"), 4_096),
    "reliability.csv": (("reliability", "EXPORT", *SINS, "-o", "OUT.csv"), 200),
    "report.json": (("diagnose", "EXPORT", *SINS, *UNIT, "-o", "OUT.json"), 4_096),
    "both reports": (("diagnose", "EXPORT", *SINS, *UNIT, "-o", "OUT.xlsx", "-o", "OUT.json"), 4_096),
    "marked copy": (("check", "EXPORT", *SINS, "--annotate", "OUT.xlsx"), 4_096),
    "mapping": (("check", "EXPORT", *SINS, "--save-mapping", "OUT.csv"), 200),
}
BREAKS = {
    "answer sheet": "xlsxwriter.workbook.Workbook.close",
    "scores": "xlsxwriter.workbook.Workbook.close",
    "reliability.csv": "pandas.DataFrame.to_csv",
    "both reports": "servicediag.report.json_report._encoded",
    "marked copy": "openpyxl.workbook.workbook.Workbook.save",
    "mapping": "servicediag.responses.mapping_file.csv_text",
}


@pytest.fixture
def place(tmp_path, workbook, rows):
    """A folder with the export, the folder where files are written, and the parts of a command line."""
    export = workbook(rows(["North", "South"]))
    out = tmp_path / "out"
    out.mkdir()

    def arguments(writer: str) -> list[str]:
        named = {"EXPORT": str(export)}
        return [named.get(part, str(out / part) if part.startswith("OUT.") else part) for part in WRITERS[writer][0]]

    return export, out, arguments


def left(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("writer", WRITERS)
def test_full_disk_leaves_nothing_and_is_named(writer, place, command):
    export, out, arguments = place
    before = (export.read_bytes(), export.stat().st_mtime_ns)
    outcome = command(*arguments(writer), largest_file=WRITERS[writer][1])
    assert outcome.value == 1, outcome.text
    if "temporary files cannot be written" not in outcome.text:  # what openpyxl does with lxml
        assert str(out) in outcome.text.replace("\n", "")
        assert "File too large" in outcome.text
    assert left(out) == []
    assert (export.read_bytes(), export.stat().st_mtime_ns) == before


@pytest.mark.parametrize(("writer", "force"), [("scores", False), ("scores", True), ("mapping", True)])
def test_full_disk_keeps_the_file_that_was_there(writer, force, place, command):
    _, out, arguments = place
    parts = arguments(writer)
    target = Path(next(part for part in parts if "OUT." in part))
    target.write_text("precious")
    outcome = command(*parts, *(["--force"] if force else []), largest_file=WRITERS[writer][1])
    assert outcome.value == 1
    assert force or "--force" in outcome.text
    assert target.read_text() == "precious"
    assert left(out) == [target.name]


@pytest.mark.parametrize(
    ("writer", "error"),
    [
        *((writer, "KeyboardInterrupt") for writer in BREAKS),
        *((writer, error) for writer in ("scores", "mapping") for error in ("MemoryError", "OSError")),
    ],
)
def test_break_in_the_middle_leaves_nothing_and_says_why(writer, error, place, command):
    export, out, arguments = place
    before = export.read_bytes()
    outcome = command(*arguments(writer), break_at=f"{BREAKS[writer]}: {error}")
    assert outcome.value == (130 if error == "KeyboardInterrupt" else 1)
    expected = {"KeyboardInterrupt": "interrupted", "MemoryError": "memory", "OSError": "input/output error"}[error]
    assert expected in outcome.text.casefold()
    assert left(out) == []
    assert export.read_bytes() == before


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "MemoryError"])
def test_break_while_reading_says_why(error, place, command):
    _, _, arguments = place
    outcome = command(*arguments("scores"), break_at=f"servicediag.responses.reading.match_columns: {error}")
    assert outcome.value == (130 if error == "KeyboardInterrupt" else 1)
    assert len(outcome.text.splitlines()) == 1


@pytest.mark.parametrize(
    ("first", "code", "said"), [(KeyboardInterrupt, 130, "Interrupted"), (MemoryError, 1, "memory")]
)
def test_what_an_interrupt_or_the_end_of_memory_led_to_is_told_as_such(first, code, said, capsys):
    def library():
        try:
            raise first
        except first as error:
            raise RuntimeError("the pool is closed") from error

    with pytest.raises(typer.Exit) as end, _reporting(debug=False):
        library()
    assert end.value.exit_code == code
    assert said in capsys.readouterr().err


def test_interrupt_before_a_command_begins_ends_without_a_traceback(command):
    outcome = command("--version", break_at="servicediag.cli.app: KeyboardInterrupt")
    assert outcome.value == 130


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the system has no /proc")
@pytest.mark.parametrize("writer", ["scores", "both reports", "mapping"])
def test_folder_that_cannot_be_written_is_named(writer, place, command):
    _, out, arguments = place
    parts = [part.replace(str(out), "/proc") for part in arguments(writer)]
    outcome = command(*parts)
    assert outcome.value == 1
    assert "cannot write into /proc" in outcome.text


def test_output_never_takes_the_place_of_its_input(place, command):
    export, _, _ = place
    before = export.read_bytes()
    for target in (export, export.parent / "out" / ".." / export.name):
        outcome = command("score", export, *SINS, "-o", target, "--force")
        assert outcome.value == 2
        assert "export itself" in outcome.text
    assert export.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_output_in_a_folder_that_is_a_link_lands_in_the_real_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_path(tmp_path / "link" / "out.txt") as temporary:
        temporary.write_text("x")
    assert left(tmp_path / "real") == ["out.txt"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_link_that_appears_while_writing_is_neither_followed_nor_replaced(tmp_path):
    (tmp_path / "precious.txt").write_text("precious")

    def write() -> None:
        with atomic_path(tmp_path / "out.txt", overwrite=True) as temporary:
            temporary.write_text("x")
            (tmp_path / "out.txt").symlink_to(tmp_path / "precious.txt")

    with pytest.raises(FileExistsError, match="link"):
        write()
    assert (tmp_path / "precious.txt").read_text() == "precious"


def test_file_that_appears_at_the_last_moment_is_kept(tmp_path, monkeypatch):
    """Between the last look and the naming: the step itself refuses."""
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    (tmp_path / "out.txt").write_text("theirs")
    with (
        pytest.raises(FileExistsError, match="already exists"),
        atomic_path(tmp_path / "out.txt") as temporary,
    ):
        temporary.write_text("mine")
    assert (tmp_path / "out.txt").read_text() == "theirs"
    assert left(tmp_path) == ["out.txt"]


def test_file_system_without_second_names_is_written_all_the_same(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with atomic_path(tmp_path / "out.txt") as temporary:
        temporary.write_text("x")
    assert left(tmp_path) == ["out.txt"]


# --- reading ----------------------------------------------------------------------------------------------------------


def read(path: Path):
    return sd.read_responses(path, "seven-sins", form="customer-short", unit="Branch")


def test_locked_file_is_refused_and_the_system_quoted(place, monkeypatch):
    export, _, _ = place
    honest = Path.open

    def locked(self: Path, *arguments: object, **keywords: object):
        if self == export:
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(self))
        return honest(self, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(ResponsesError, match="cannot access the file") as error:
        read(export)
    assert [issue.code for issue in error.value.issues] == ["unreadable_file"]


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
@pytest.mark.parametrize("change", ["longer", "shorter", "replaced", "gone"])
def test_file_that_changes_while_it_is_read_is_refused(kind, change, place, monkeypatch, text_file, rows):
    export = place[0] if kind == "xlsx" else text_file(rows(["North", "South"]))
    assert len(read(export)) == 24
    name = "inspect_workbook" if kind == "xlsx" else "read_text_file"
    honest = getattr(readers, name)

    def meanwhile(path, *arguments):
        found = honest(path, *arguments)
        data = path.read_bytes()
        if change == "gone":
            path.unlink()
        elif change == "replaced":
            other = path.with_name("other")
            other.write_bytes(data)
            os.replace(other, path)
        else:
            path.write_bytes(data + b"\n" if change == "longer" else data[: len(data) // 2])
        return found

    monkeypatch.setattr(readers, name, meanwhile)
    with pytest.raises(ResponsesError) as error:
        read(export)
    assert [issue.code for issue in error.value.issues] == ["unreadable_file"]
    assert "changed while" in str(error.value)


def test_input_is_only_read(place, monkeypatch):
    export, _, _ = place
    stamp = export.stat()
    folder = left(export.parent)
    responses = read(export)
    responses.intake.to_json()
    responses.intake.annotate(export.parent / "out" / "marked.xlsx")
    assert (export.stat().st_mtime_ns, export.stat().st_size) == (stamp.st_mtime_ns, stamp.st_size)
    assert left(export.parent) == folder
