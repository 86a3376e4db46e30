"""Refuses files that are damaged, encrypted, too large or not a table at all, before a parser sees them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from servicediag.errors import Issue, ResponsesError

__all__ = [
    "FileKind",
    "Limits",
    "Stamp",
    "check_directory",
    "looks_like_utf16",
    "refuse",
    "sniff_kind",
    "stamp_of",
    "too_large",
    "unchanged",
    "unsafe",
]

Stamp = tuple[int, int, int]
FileKind = Literal["workbook", "old_workbook", "open_document", "spss", "parquet", "json", "text"]
_STARTS: Mapping[bytes, FileKind] = {
    b"PK\x03\x04": "workbook",
    b"PK\x05\x06": "workbook",
    bytes.fromhex("d0cf11e0a1b11ae1"): "old_workbook",
    b"$FL2": "spss",
    b"$FL3": "spss",
    b"PAR1": "parquet",
}
_JSON = re.compile(rb"""\s{0,1000}(?:\[\s{0,1000}[\[{]|\{\s{0,1000}")""")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MARKUP = (b"<!doctype", b"<html", b"<table", b"<?xml", b"<meta", b"<head", b"<body", b"<!--")
_OTHER_FORMATS = (b"%pdf", b"{\\rtf", b"\x1f\x8b", b"7z\xbc\xaf", b"rar!", b"\x89png", b"\xff\xd8\xff")
_CONTROL = bytes(set(range(32)) - set(b"\t\r\n\x0b\x0c\x1a"))
_RATIO_FROM_BYTES = 10_000_000
_MAXIMUM_PARTS = 5_000
_SAVE_AS = "Open it in Excel or LibreOffice and save it as .xlsx, without a password."


@dataclass(frozen=True)
class Limits:
    """How large a file may be; each limit can be raised for a file that is trusted.

    Attributes
    ----------
    workbook_bytes, text_bytes : int
        Size of the file on disk; ``text_bytes`` for delimited text and .parquet, ``workbook_bytes`` for all others.
    inflated_bytes : int
        Size of a workbook's parts once unpacked, and of its texts once repeated in every cell that refers to them.
    inflation_ratio : int
        Unpacked size over packed size, for parts that unpack to more than 10 MB.
    workbook_rows, text_rows, columns : int
        Rows and columns of a sheet; ``text_rows`` for delimited text, .json, .parquet and .sav.
    cells : int
        Rows times columns of the used range of a worksheet.
    cell_characters : int
        Length of a single text.
    json_values : int
        Commas and opening brackets of a .json file.
    tags : int
        Opening and closing tags of an .ods file, of which a cell has about four.
    """

    workbook_bytes: int = 50_000_000
    text_bytes: int = 500_000_000
    inflated_bytes: int = 500_000_000
    inflation_ratio: int = 200
    workbook_rows: int = 200_000
    text_rows: int = 2_000_000
    columns: int = 2_000
    cells: int = 30_000_000
    cell_characters: int = 32_767
    json_values: int = 4_000_000
    tags: int = 10_000_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"limits={{{field.name!r}: {value!r}}} must be a whole number of at least 1")

    @classmethod
    def of(cls, limits: Limits | Mapping[str, int] | None) -> Limits:
        """The limits themselves, the defaults, or the defaults with some of them replaced."""
        if limits is None:
            return cls()
        if isinstance(limits, Limits):
            return limits
        names = [f.name for f in fields(cls)]
        if not isinstance(limits, Mapping):
            raise TypeError(f"limits={limits!r} must be a Limits or a mapping of {', '.join(names)}")
        unknown = [name for name in limits if name not in names]
        if unknown:
            raise ValueError(f"limits={unknown[0]!r} is no limit; choose from {', '.join(names)}")
        return cls(**limits)


def refuse(code: str, where: str, problem: str, remedy: str) -> ResponsesError:
    """The error for a file that is not read at all."""
    return ResponsesError(f"{where} was not read.", [Issue(code, "error", where, problem, remedy)])


def too_large(where: str, what: str, found: int, limit_name: str, limits: Limits) -> ResponsesError:
    """The error for a file beyond a limit; it names the limit and how to raise it."""
    limit = getattr(limits, limit_name)
    remedy = f"If you trust the file, pass limits={{{limit_name!r}: {found}}}."
    return refuse("too_large", where, f"{what}: {found:,}; the limit {limit_name} is {limit:,}.", remedy)


def stamp_of(path: Path) -> Stamp | None:
    """What tells whether a file is still the same: its place on the disk, size and time of change; None without one."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


@contextmanager
def unchanged(path: Path, stamp: Stamp | None) -> Iterator[None]:
    """Refuse a file that is no longer what it was, whatever came of reading it meanwhile.

    Raises
    ------
    ResponsesError
        unreadable_file.
    """
    try:
        yield
    except Exception:
        if stamp_of(path) != stamp:
            raise _changed(path) from None
        raise
    if stamp_of(path) != stamp:
        raise _changed(path)


def _changed(path: Path) -> ResponsesError:
    remedy = "Wait until the program that writes it has finished, then read it again."
    return refuse("unreadable_file", path.name, "The file changed while it was read.", remedy)


def sniff_kind(path: Path, limits: Limits) -> FileKind:
    """What a file is by its first bytes; its name is not trusted.

    Raises
    ------
    ResponsesError
        unreadable_file, too_large or empty_sheet.
    """
    where = path.name
    if path.is_dir():
        raise refuse("unreadable_file", where or str(path), f"{str(path)!r} is a folder.", "Give the file in it.")
    if path.exists() and not path.is_file():
        problem = f"{str(path)!r} is a pipe or a device."
        raise refuse("unreadable_file", where, problem, "Save what it gives as a file, and give that.")
    if not path.is_file():
        raise refuse("unreadable_file", where, f"There is no file {str(path)!r}.", "Check the path.")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(65_536)
    except OSError as error:
        problem = f"It cannot be opened: {error.strerror}."
        raise refuse("unreadable_file", where, problem, "Check its rights.") from error
    if not head:
        raise refuse("empty_sheet", where, "The file is empty.", "Export the answers again.")
    kind = _kind(head)
    limit = "text_bytes" if kind in ("text", "parquet") else "workbook_bytes"
    if size > getattr(limits, limit):
        raise too_large(where, "Bytes of the file", size, limit, limits)
    if kind == "workbook" and _is_open_document(path):
        return "open_document"
    if kind == "old_workbook" and _ENCRYPTED in path.read_bytes():
        raise refuse("unreadable_file", where, "The workbook is encrypted.", _SAVE_AS)
    if kind in ("json", "text") and (reason := _unreadable(head)):
        raise refuse("unreadable_file", where, *reason)
    return kind


def _kind(head: bytes) -> FileKind:
    for start, kind in _STARTS.items():
        if head.startswith(start):
            return kind
    return "json" if _JSON.match(_as_utf8(head)) else "text"


def _as_utf8(head: bytes) -> bytes:
    """The first bytes without a byte order mark, and without the NUL bytes of UTF-16."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    return head[:2_000].lstrip(b"\xff\xfe").replace(b"\0", b"") if looks_like_utf16(head) else head


def _is_open_document(path: Path) -> bool:
    """Whether a zip archive holds what an OpenDocument file holds; a damaged one is for the reader to refuse."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return "content.xml" in names and "xl/workbook.xml" not in names


def _unreadable(head: bytes) -> tuple[str, str] | None:
    """Why a file is not a table in plain text: problem and remedy."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if start.startswith(_MARKUP):
        return "This is a web page or XML, whatever its name says.", _SAVE_AS
    if start.startswith(b"pare"):
        return "The Parquet file is encrypted.", "Write it without encryption, or give it as .csv."
    if start.startswith(_OTHER_FORMATS):
        return "This is not a table of answers.", "Give the export as .xlsx or .csv."
    if looks_like_utf16(head):
        return None
    control = len(head) - len(head.translate(None, _CONTROL))
    if b"\0" in head or control > len(head) / 100:
        return "It is neither a workbook nor text, or it is damaged.", "Export the answers again."
    return None


def looks_like_utf16(head: bytes) -> bool:
    """Whether every other byte is NUL as in Western text in UTF-16, or a byte order mark says so."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return max(even, odd) > len(head) / 10 and min(even, odd) < len(head) / 100


def check_directory(archive: zipfile.ZipFile, where: str, limits: Limits, main_part: str = "xl/workbook.xml") -> None:
    """Refuse a workbook by what its zip directory says, before anything is unpacked.

    Parameters
    ----------
    main_part : str
        The part without which it is no workbook.

    Raises
    ------
    ResponsesError
        unreadable_file, unsafe_file or too_large.
    """
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise refuse("unreadable_file", where, "The workbook is encrypted.", _SAVE_AS)
    if main_part not in names:
        raise refuse("unreadable_file", where, f"It is {_what_zip(names)}, not an .xlsx workbook.", _SAVE_AS)
    if len(names) > _MAXIMUM_PARTS or len({name.casefold() for name in names}) < len(names):
        raise unsafe(where, "Its zip directory lists the same part twice, or thousands of parts")
    if any(name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") for name in names):
        raise unsafe(where, "Its zip directory holds a path that leads out of the file")
    total = sum(entry.file_size for entry in entries)
    if total > limits.inflated_bytes:
        raise too_large(where, "Bytes once unpacked", total, "inflated_bytes", limits)
    for entry in entries:
        ratio = entry.file_size / max(entry.compress_size, 1)
        if entry.file_size > _RATIO_FROM_BYTES and ratio > limits.inflation_ratio:
            what = f"Unpacked over packed size of {entry.filename}"
            issue = too_large(where, what, round(ratio) + 1, "inflation_ratio", limits).issues[0]
            raise refuse("unsafe_file", where, issue.problem, issue.remedy)


def _what_zip(names: list[str]) -> str:
    if any(name.endswith("workbook.bin") for name in names):
        return "a binary .xlsb workbook"
    if "content.xml" in names:
        return "an OpenDocument file"
    return "a Word or PowerPoint file" if "[Content_Types].xml" in names else "a zip archive"


def unsafe(where: str, problem: str) -> ResponsesError:
    """The error for a file that is built to harm, or looks so."""
    remedy = "If you know where it comes from, open it in Excel or LibreOffice and save it anew."
    return refuse("unsafe_file", where, f"{problem}.", remedy)
