"""Files are written whole or not at all, and never where a link points."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from servicediag.files import atomic_path


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
