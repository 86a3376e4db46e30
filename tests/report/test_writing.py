"""A file appears whole or not at all, never over another one unasked, never through a link."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from servicediag.report.writing import atomic_path


def test_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "a.txt").exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".txt"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target, overwrite=True) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_existing_file_is_refused_without_overwrite(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(FileExistsError, match="overwrite=True"), atomic_path(target):
        pass
    assert target.read_text() == "old"


def test_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(FileExistsError), atomic_path(target) as temporary:
        temporary.write_text("mine")
        target.write_text("theirs")
    assert target.read_text() == "theirs"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_overwrite_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_path(target, overwrite=True) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("dangling", [False, True])
def test_symbolic_link_is_neither_followed_nor_replaced(tmp_path: Path, overwrite: bool, dangling: bool) -> None:
    aim, link = tmp_path / "aim.txt", tmp_path / "link.txt"
    if not dangling:
        aim.write_text("precious")
    link.symlink_to(aim)
    with pytest.raises(FileExistsError, match="symbolic link"), atomic_path(link, overwrite=overwrite):
        pass
    assert link.is_symlink()
    assert aim.exists() is not dangling


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic_path(tmp_path / "nowhere" / "a.txt"):
        pass


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), atomic_path(tmp_path, overwrite=True):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="no umask there")
def test_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("")
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("")
    assert os.stat(tmp_path / "a.txt").st_mode == os.stat(tmp_path / "plain.txt").st_mode
