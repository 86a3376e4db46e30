"""Files are written whole or not at all, and never where a link points."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from servicediag.files import atomic_path, make_folder


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_file_appears_only_when_it_is_complete(tmp_path):
    with atomic_path(tmp_path / "out.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "out.txt").exists()
    assert (tmp_path / "out.txt").read_text() == "new"
    assert names(tmp_path) == ["out.txt"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "out.txt").write_text("old")

    def fail_halfway() -> None:
        with atomic_path(tmp_path / "out.txt", overwrite=True) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert (tmp_path / "out.txt").read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_existing_file_is_replaced_only_on_request(tmp_path):
    (tmp_path / "out.txt").write_text("old")
    with (
        pytest.raises(FileExistsError, match=r"out\.txt already exists.*overwrite=True"),
        atomic_path(tmp_path / "out.txt"),
    ):
        pytest.fail("the block must not run")
    with atomic_path(tmp_path / "out.txt", overwrite=True) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "out.txt").read_text() == "new"


def test_file_that_appears_meanwhile_is_kept(tmp_path):
    def write_while_another_writes() -> None:
        with atomic_path(tmp_path / "out.txt") as temporary:
            temporary.write_text("mine")
            (tmp_path / "out.txt").write_text("theirs")

    with pytest.raises(FileExistsError):
        write_while_another_writes()
    assert (tmp_path / "out.txt").read_text() == "theirs"
    assert names(tmp_path) == ["out.txt"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_link_is_refused_even_with_overwrite(tmp_path, exists):
    target = tmp_path / "elsewhere.txt"
    if exists:
        target.write_text("precious")
    (tmp_path / "out.txt").symlink_to(target)
    with pytest.raises(FileExistsError, match="symbolic link"), atomic_path(tmp_path / "out.txt", overwrite=True):
        pytest.fail("the block must not run")
    assert target.exists() == exists
    assert (tmp_path / "out.txt").is_symlink()


def test_missing_folder_and_folder_as_target(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="nowhere does not exist"),
        atomic_path(tmp_path / "nowhere" / "out.txt"),
    ):
        pytest.fail("the block must not run")
    with pytest.raises(IsADirectoryError, match="is a folder"), atomic_path(tmp_path, overwrite=True):
        pytest.fail("the block must not run")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain.txt").write_text("")
    with atomic_path(str(tmp_path / "out.txt")) as temporary:
        assert temporary.suffix == ".txt"
    assert (tmp_path / "out.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def refusing(*arguments: object) -> None:
    """What the system says of a folder that others own, with the name it was asked for."""
    raise PermissionError(errno.EACCES, "Permission denied", *map(str, arguments[:1]))


def test_folder_that_cannot_be_written_is_named_and_not_the_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(PermissionError) as caught, atomic_path(tmp_path / "out.html"):
        pytest.fail("the block must not run")
    message = str(caught.value)
    assert message == f"cannot write into {tmp_path} (Permission denied); choose another folder"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the system has no /proc")
def test_folder_of_the_system_is_named_and_not_the_temporary_file():
    with pytest.raises(OSError, match=r"^cannot write into /proc \(.*\); choose"), atomic_path("/proc/x"):
        pytest.fail("the block must not run")


def test_disk_that_fills_up_while_writing_names_the_folder(tmp_path):
    def write_on_a_full_disk() -> None:
        with atomic_path(tmp_path / "out.txt") as temporary:
            raise OSError(errno.ENOSPC, "No space left on device", str(temporary))

    with pytest.raises(OSError, match=f"^cannot write into {re.escape(str(tmp_path))} .No space left on device."):
        write_on_a_full_disk()
    assert names(tmp_path) == []


def test_faults_of_other_files_are_passed_on_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "out.txt"):
        (tmp_path / "input.csv").read_text()
    assert str(caught.value.filename) == str(tmp_path / "input.csv")


def test_file_that_cannot_be_replaced_is_named(tmp_path, monkeypatch):
    (tmp_path / "out.txt").write_text("open elsewhere")
    monkeypatch.setattr(os, "replace", refusing)
    with (
        pytest.raises(PermissionError, match=r"^cannot replace .*out\.txt \(Permission denied\); close it"),
        atomic_path(tmp_path / "out.txt", overwrite=True) as temporary,
    ):
        temporary.write_text("new")
    monkeypatch.undo()
    assert (tmp_path / "out.txt").read_text() == "open elsewhere"
    assert names(tmp_path) == ["out.txt"]


def test_fault_of_replacing_that_is_no_right_does_not_ask_to_close_the_file(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", broken)
    with (
        pytest.raises(OSError, match=r"^cannot replace .*out\.txt \(Input/output error\); give another name$"),
        atomic_path(tmp_path / "out.txt", overwrite=True),
    ):
        pass
    monkeypatch.undo()
    assert names(tmp_path) == []


def test_folders_are_made_with_those_above_and_a_file_in_the_way_is_named(tmp_path):
    assert make_folder(tmp_path / "a" / "b") == make_folder(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file is a file; give the name of a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OSError, match="^cannot write into "):
        make_folder(tmp_path / "file" / "below")
