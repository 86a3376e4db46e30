"""Recognises text that was written in one encoding and opened in another, and says what it must have been."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from servicediag.errors import Issue, Severity
from servicediag.responses.matching import question_parts
from servicediag.responses.normalise import normal_text, without_number
from servicediag.responses.personal import personal_reason
from servicediag.responses.readers import Table
from servicediag.responses.samples import sample_texts

__all__ = ["garbled_texts", "put_right"]

_OPENED_AS = ("cp1252", "mac_roman", "cp1251", "cp850", "gb18030")
_NEEDS_PROOF = ("gb18030",)
"""Encodings in which plain text of their own language can be valid UTF-8 by chance."""
_MOST_TEXTS = 60
_LEAST_LOST = 1 / 3
_LOST = re.compile(r"\ufffd|\?{3,}|^\s*\?{2,}(?:\s+\?+)*\s*$")
_LONGEST = 60


@dataclass(frozen=True)
class _Garbled:
    """A text, what it was, as what it was opened, and whether the instrument knows it so."""

    column: int
    text: str
    right: str
    opened_as: str
    known: bool


def put_right(text: str) -> tuple[str, str] | None:
    """What a text was that was written in UTF-8 and opened as something else, and as what; None where it was not.

    Examples
    --------
    >>> put_right("EstÃ¡ de acuerdo"), put_right("РќРёРєРѕРіРґР°"), put_right("Está de acuerdo")
    (('Está de acuerdo', 'cp1252'), ('Никогда', 'cp1251'), None)
    """
    return next(_readings(text), None)


def _readings(text: str) -> Iterator[tuple[str, str]]:
    if text.isascii():
        return
    for encoding in _OPENED_AS:
        try:
            right = _bytes(text, encoding).decode("utf-8")
        except UnicodeError:
            continue
        if len(right) < len(text) or encoding in _NEEDS_PROOF:
            yield right, encoding


def _bytes(text: str, encoding: str) -> bytes:
    """The bytes that were opened: those which the encoding leaves open became characters that stand for no letter."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return b"".join(_byte(c) or c.encode(encoding) for c in text)


def _byte(character: str) -> bytes:
    """The byte that a control character stands for, or one for private use as LibreOffice writes it; else none."""
    code = ord(character)
    return bytes((code & 0xFF,)) if 0x80 <= code < 0xA0 or 0xF180 <= code < 0xF1A0 else b""


def garbled_texts(table: Table, known_texts: Collection[str], read_as: str | None) -> list[Issue]:
    """An error where garbled texts would be questions or labels of the instrument, a warning for others.

    Columns that seem to say who somebody is are passed over, since an issue quotes what it found.

    Parameters
    ----------
    known_texts : collection of str
        Normalised questions and labels of the instruments.
    read_as : str or None
        The encoding in which a text file was read.
    """
    found: list[_Garbled] = []
    lost: list[tuple[int, str]] = []
    for column, heading in enumerate(table.headings):
        answers = sample_texts(table.columns[column], _MOST_TEXTS)
        if personal_reason(heading, answers):
            continue
        questions = table.questions[column] if table.questions else ()
        for text in dict.fromkeys((heading, *questions, *answers)):
            if garbled := _garbled(column, text, known_texts):
                found.append(garbled)
            elif _LOST.search(text):
                lost.append((column, text))
    known = [garbled for garbled in found if garbled.known]
    others = [garbled for garbled in found if not garbled.known]
    issues = []
    if known:
        what = f"put right, {len(known):,} of them are questions or labels of the instrument"
        issues.append(_issue("error", known, what, table, read_as))
    if others:
        issues.append(_issue("warning", others, "they were kept as they are", table, read_as))
    if lost:
        column, text = lost[0]
        problem = f"Letters were lost in {len(lost):,} texts, e.g. {_shortened(text)!r}; they cannot be put right."
        remedy = "Export anew, and save as .xlsx or as CSV UTF-8, not as plain CSV."
        headings = {column for column, text in lost if text == table.headings[column]}
        severity: Severity = "error" if len(headings) > _LEAST_LOST * len(table.headings) else "warning"
        issues.append(Issue("lost_letters", severity, table.where(column), problem, remedy))
    return issues


def _garbled(column: int, text: str, known_texts: Collection[str]) -> _Garbled | None:
    readings = list(_readings(text))
    for right, opened_as in readings:
        if _is_known(right, known_texts):
            return _Garbled(column, text, right, opened_as, known=True)
    certain = [reading for reading in readings if reading[1] not in _NEEDS_PROOF]
    return _Garbled(column, text, *certain[0], known=False) if certain else None


def _is_known(text: str, known_texts: Collection[str]) -> bool:
    normal = [normal_text(part) for part in question_parts(text)]
    numbered = [split[1] for part in normal if (split := without_number(part))]
    return any(part in known_texts for part in (*normal, *numbered) if part)


def _issue(severity: Severity, found: Sequence[_Garbled], what: str, table: Table, read_as: str | None) -> Issue:
    first = found[0]
    number = "1 text is" if len(found) == 1 else f"{len(found):,} texts are"
    problem = (
        f"{number} garbled: {_around(first.text, first.right)!r} is {_around(first.right, first.text)!r}, written in "
        f"UTF-8 and opened as {first.opened_as}; {what}."
    )
    if read_as is not None and read_as.lower().replace("-", "_") == first.opened_as:
        remedy = "Pass encoding='utf-8'."
    else:
        remedy = (
            "Export anew, and read that file as it is; or open it in Excel by Data > From Text/CSV with 65001: Unicode "
            "(UTF-8)."
        )
    return Issue("garbled_text", severity, table.where(first.column), problem, remedy)


def _around(text: str, other: str) -> str:
    """A text, shortened to what stands around the first letter in which it differs from another."""
    at = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    start = max(at - _LONGEST // 2, 0) if at > _LONGEST - _LONGEST // 3 else 0
    return f"...{_shortened(text[start:])}" if start else _shortened(text)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
