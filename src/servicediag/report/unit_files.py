"""A page and a folder of further pages beside it, which appear together or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from servicediag.files import atomic_path, check_name

__all__ = ["file_names", "folder_of", "page_place", "write_with_folder"]

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


def folder_of(page: Path) -> Path:
    """The folder of the further pages, beside the page.

    Examples
    --------
    >>> folder_of(Path("report.html")).name
    'report-units'
    """
    return page.with_name(f"{page.stem}-units")


@contextmanager
def page_place(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a path of the same name in a temporary folder; what is written there takes its place when the block ends.

    That is the page and, if there is one, its folder: both keep their names, so that links between them hold. An
    earlier folder is replaced as a whole, and only if every entry in it is a file of such a report. Where there is no
    new one, the folder of the page that is replaced is taken away, if that page links to every entry in it.

    Raises
    ------
    FileExistsError
        The page or the folder exists and ``overwrite`` is False, or the folder holds anything else or is a link.
    OSError
        As of ``atomic_path``.
    """
    folder = folder_of(path)
    check_name(folder)
    scratch: Path | None = None
    fresh = moving = False
    try:
        with atomic_path(path, overwrite=overwrite) as temporary:
            scratch = temporary.with_name(f"{temporary.stem}-new")
            scratch.mkdir()
            yield scratch / path.name
            (scratch / path.name).replace(temporary)
            fresh = (scratch / folder.name).exists()
            if fresh:
                _refuse(folder, overwrite)
            moving = fresh or _is_of(folder, path)
            if moving and folder.exists():
                folder.rename(scratch / "earlier")
            if fresh:
                (scratch / folder.name).rename(folder)
    except BaseException:
        if moving and scratch is not None:
            _move_back(folder, scratch, fresh)
        raise
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def write_with_folder(path: Path, page: str, files: Mapping[str, str], *, overwrite: bool = False) -> None:
    """Write the page, and ``files`` into the folder beside it; see :func:`page_place`."""
    if files:
        _refuse(folder_of(path), overwrite)
    with page_place(path, overwrite) as place:
        place.write_bytes(page.encode("utf-8"))
        if files:
            folder_of(place).mkdir()
        for name, text in files.items():
            (folder_of(place) / name).write_bytes(text.encode("utf-8"))


def _move_back(folder: Path, scratch: Path, fresh: bool) -> None:
    """Undo what was moved, as far as it was; ``fresh`` says whether there was a new folder."""
    earlier = scratch / "earlier"
    if fresh and not (scratch / folder.name).exists():
        folder.rename(scratch / folder.name)
    if earlier.exists():
        earlier.rename(folder)


def _is_of(folder: Path, page: Path) -> bool:
    """Whether the folder holds nothing but pages of units that the page links to."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        entries = list(folder.iterdir())
        links = page.read_text(encoding="utf-8").split(f'href="{quote(folder.name)}/')[1:]
    except (OSError, UnicodeDecodeError):
        return False
    linked = {link.split('"', 1)[0] for link in links}
    return bool(entries) and all(_OURS.match(e.name) and e.name in linked and e.is_file() for e in entries)


def _refuse(target: Path, overwrite: bool) -> None:
    if not (target.exists() or target.is_symlink()):
        return
    if not overwrite:
        raise FileExistsError(f"{target} exists; allow overwriting to replace it")
    ours = not target.is_symlink() and target.is_dir()
    if not (ours and all(entry.is_file() and _OURS.match(entry.name) for entry in target.iterdir())):
        raise FileExistsError(f"{target} is no folder of such pages, or holds other files; move it away first")
