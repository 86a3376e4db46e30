"""Write a file whole or not at all, and never where a link points."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic_path"]


@contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path in the same folder; when the block ends well, the file takes its place under ``path``.

    When the block raises, nothing is left behind and an existing file stays as it was.

    Parameters
    ----------
    path : str or Path
        Where the file shall be.
    overwrite : bool
        Whether an existing file may be replaced. A symbolic link is never followed nor replaced.

    Raises
    ------
    FileExistsError
        The path exists and ``overwrite`` is False, or it is a symbolic link.
    FileNotFoundError
        The folder does not exist.
    IsADirectoryError
        The path is a folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "note.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     (Path(folder) / "note.txt").read_text()
    'whole'
    """
    target = Path(path)
    _refuse(target, overwrite)
    temporary = _create(target)
    try:
        yield temporary
        _refuse(target, overwrite)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse(target: Path, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.is_symlink():
        raise FileExistsError(f"{target} is a symbolic link, which is never followed; give the real path")
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; give the name of a file")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} already exists; give another name, or overwrite=True to replace it")


def _create(target: Path) -> Path:
    """An empty file that nobody else has, with the permissions that the user's umask gives new files."""
    while True:
        candidate = target.parent / f".{target.stem[:40]}-{secrets.token_hex(8)}{target.suffix}"
        try:
            os.close(os.open(candidate, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return candidate
