"""A page and a folder of further pages beside it, which appear together or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from servicediag.files import atomic_path

__all__ = ["file_names", "write_with_folder"]

_OURS = re.compile(r"\d{4,}(-[a-z0-9-]+)?\.html\Z")
_LONGEST = 40


def file_names(titles: Iterable[str]) -> list[str]:
    """A file name for each title: its number, and as much of the title as is safe on every system.

    Examples
    --------
    >>> file_names(["Contact centre", "客服", "../etc/passwd"])
    ['0000-contact-centre.html', '0001.html', '0002-etc-passwd.html']
    """
    names = []
    for position, title in enumerate(titles):
        words = re.sub(r"[^a-z0-9]+", "-", title[: 4 * _LONGEST].lower())[:_LONGEST].strip("-")
        names.append(f"{position:04d}{'-' if words else ''}{words}.html")
    return names


def write_with_folder(
    path: Path, page: str, files: Mapping[str, str], *, folder: str = "", overwrite: bool = False
) -> None:
    """Write the page, and ``files`` into the folder of that name beside it.

    An earlier folder is replaced as a whole, and only if every entry in it is a file of such a report.

    Raises
    ------
    FileExistsError
        The page or the folder exists and ``overwrite`` is False, or the folder holds anything else or is a link.
    """
    if not files:
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(page.encode("utf-8"))
        return
    target = path.with_name(folder)
    _refuse(target, overwrite)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(page.encode("utf-8"))
        fresh = target.with_name(f"{temporary.stem}-new")
        old = target.with_name(f"{temporary.stem}-old")
        fresh.mkdir()
        try:
            for name, text in files.items():
                (fresh / name).write_bytes(text.encode("utf-8"))
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if old.exists() and not target.exists():
                old.rename(target)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _refuse(target: Path, overwrite: bool) -> None:
    if not (target.exists() or target.is_symlink()):
        return
    if not overwrite:
        raise FileExistsError(f"{target} exists; allow overwriting to replace it")
    ours = not target.is_symlink() and target.is_dir()
    if not (ours and all(entry.is_file() and _OURS.match(entry.name) for entry in target.iterdir())):
        raise FileExistsError(f"{target} is no folder of such pages, or holds other files; move it away first")
