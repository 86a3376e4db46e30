"""Write a file whole or not at all, and never where a link points."""

from __future__ import annotations

import errno
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xlsxwriter import Workbook

__all__ = ["atomic_path", "check_name", "check_target", "create_new", "make_folder", "new_workbook"]

_LONGEST_SHOWN = 40
_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextmanager
def atomic_path(path: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path in the same folder; when the block ends well, its file takes the place of ``path``.

    When the block raises, nothing is left behind, and an existing file stays as it was.

    Parameters
    ----------
    path : str or path
        Where the file shall be.
    overwrite : bool
        Whether an existing file may be replaced. A symbolic link is neither followed nor replaced.

    Yields
    ------
    Path
        An empty file beside the target, with the same suffix.

    Raises
    ------
    FileExistsError
        The path exists and ``overwrite`` is False, or it is a symbolic link, a pipe or a device.
    FileNotFoundError
        The folder does not exist.
    IsADirectoryError
        The path is a folder.
    OSError
        The name is too long for the file system; or the folder cannot be written into, and then the message names the
        folder, never the temporary file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "note.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     [(entry.name, entry.read_text()) for entry in Path(folder).iterdir()]
    [('note.txt', 'whole')]
    """
    target = Path(path)
    check_target(target, overwrite)
    temporary = _create_beside(target)
    try:
        yield temporary
        check_target(target, overwrite)
        _put(temporary, target, overwrite)
    except Exception as error:
        fault = _fault_of_writing(error, temporary)
        if fault is None:
            raise
        raise _cannot_write(target.parent, fault) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_workbook(path: Path, *, in_memory: bool = True) -> Iterator[Workbook]:
    """An Excel workbook in which text stays text; the file is written in one piece when the block ends.

    Parameters
    ----------
    path : Path
        Replaced if it exists; give what ``atomic_path`` gives.
    in_memory : bool
        Whether the sheets are kept in memory; a large table is better put together in a temporary folder.
    """
    from xlsxwriter import Workbook

    packed = io.BytesIO()
    # A folder of our own, since xlsxwriter leaves behind what it could not finish, and these may be answers of people.
    with ExitStack() as scratch:
        options = {
            "in_memory": in_memory,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "tmpdir": None if in_memory else scratch.enter_context(TemporaryDirectory(prefix="servicediag-")),
        }
        with Workbook(packed, options) as book:
            yield book
    path.write_bytes(packed.getbuffer())


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    NotADirectoryError
        The path is a file.
    OSError
        The folder cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(Path(folder) / "study" / "reports").is_dir()
    True
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{folder} is a file; give the name of a folder") from None
    except OSError as error:
        raise _cannot_write(folder.parent, error) from error
    return folder


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse what ``atomic_path`` refuses before it writes anything."""
    check_name(target)
    # os.path answers "no" where the system does not let one look; writing then says why.
    if os.path.islink(target):
        raise FileExistsError(f"{target} is a symbolic link, which is never followed; give the real path")
    if os.path.isdir(target):
        raise IsADirectoryError(f"{target} is a folder; give the name of a file in it")
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileExistsError(f"{target} is a pipe or a device, which is never replaced; give the name of a file")
    if not os.path.isdir(target.parent):
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist; create it first")
    if not overwrite and os.path.exists(target):
        raise _exists(target)


def check_name(target: Path) -> None:
    """Refuse a name that the file system does not take for its length."""
    try:
        os.lstat(target)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            shown = f"{target.name[:_LONGEST_SHOWN]}...{target.suffix[:_LONGEST_SHOWN]}"
            raise OSError(f"{shown}: the name is too long for the file system; give a shorter one") from None


def _exists(target: Path) -> FileExistsError:
    return FileExistsError(f"{target} already exists; give another name, or overwrite=True to replace it")


def create_new(path: Path) -> None:
    """Make an empty file that nobody else has, with the permissions that the umask gives to new files.

    Raises
    ------
    FileExistsError
        There is such a file, or a link.
    OSError
        The folder cannot be written into.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        raise
    except OSError as error:
        raise _cannot_write(path.parent, error) from error


def _create_beside(target: Path) -> Path:
    """An empty file with a name that nobody has thought of."""
    while True:
        candidate = target.parent / f".{target.stem[:40]}-{secrets.token_hex(8)}{target.suffix}"
        try:
            create_new(candidate)
        except FileExistsError:
            continue
        return candidate


def _put(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give the file its name in one step, so that nobody ever sees a part of it."""
    if not overwrite:
        # A second name is never given to what exists, not even to what came into being a moment ago.
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise _exists(target) from None
        except OSError:
            pass  # a file system without second names
        else:
            return
    try:
        os.replace(temporary, target)
    except OSError as error:
        # Windows does not let a file be replaced that a program has open.
        close = "close it where it is open, or " if isinstance(error, PermissionError) else ""
        remedy = f"{close}give another name"
        raise type(error)(f"cannot replace {target}{_reason(error)}; {remedy}") from error


def _fault_of_writing(error: Exception, temporary: Path) -> OSError | None:
    """The error itself, or what a writer of files wraps, where it is about our file; a full disk names no file."""
    faults = (fault for fault in (error, *error.args) if isinstance(fault, OSError))
    return next((f for f in faults if str(f.filename) == str(temporary) or f.errno in _FULL), None)


def _cannot_write(folder: Path, error: OSError) -> OSError:
    """The same kind of error in words that help: which folder, what the system says, and what to do."""
    remedy = "make room there, or choose another folder" if error.errno in _FULL else "choose another folder"
    return type(error)(f"cannot write into {folder.absolute()}{_reason(error)}; {remedy}")


def _reason(error: OSError) -> str:
    return f" ({error.strerror})" if error.strerror else ""
