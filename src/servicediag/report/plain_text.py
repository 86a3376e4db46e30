"""Text from data made fit to print: no control characters, known width, no two names alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from servicediag.escaping import encodable

__all__ = ["clean", "clean_tree", "display_width", "distinct", "longest_word", "shorten", "wrap"]

_UNBROKEN = 10_000
"""Columns that no word fills."""
_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters
    "\u061c\u200b\u200e\u200f\u2060\u202a-\u202e\u2066-\u2069\ufeff"  # direction overrides and zero-width spaces
    "\ufdd0-\ufdef\ufffe\uffff]"  # not characters at all
)


def clean(text: str) -> str:
    """Without control characters and direction overrides; line breaks become spaces.

    Examples
    --------
    >>> clean("Sales\\u202e\\x00 and\\nservice")
    'Sales and service'
    """
    return _UNPRINTABLE.sub("", _BREAKS.sub(" ", encodable(text))).strip()


def display_width(text: str) -> int:
    """Columns that a text takes: East Asian wide characters two, combining marks none.

    Examples
    --------
    >>> display_width("desk"), display_width("客服")
    (4, 4)
    """
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def shorten(text: str, width: int) -> str:
    """The text within ``width`` columns, its end replaced by an ellipsis where it is longer.

    A word is not cut where at least six tenths of the width are left without it.

    Examples
    --------
    >>> shorten("Customer contact centre", 12), shorten("Rindfleischetikettierung", 12)
    ('Customer…', 'Rindfleisch…')
    """
    if display_width(text) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept.append(character)
    cut = "".join(kept)
    whole = cut.rpartition(" ")[0] if not text[len(cut) :].startswith(" ") else cut
    return (whole if display_width(whole) >= 0.6 * width else cut).rstrip() + "…"


def wrap(text: str, width: int, *, lines: int = 2) -> str:
    """The text broken into at most ``lines`` lines of ``width`` columns, the last one shortened.

    Examples
    --------
    >>> wrap("Branch network North, Zone 1", 16)
    'Branch network\\nNorth, Zone 1'
    """
    done: list[str] = []
    current = ""
    for word in _pieces(text[: 4 * width * lines], width):
        fits = display_width(current + word) <= width
        if not current or fits or len(done) == lines - 1:
            current += word
        else:
            done.append(current.strip())
            current = word.lstrip()
    return "\n".join([*done, shorten(current.strip(), width)])


def longest_word(text: str) -> int:
    """Columns of the longest part that a line does not break: a word, or one wide character.

    Examples
    --------
    >>> longest_word("Customer contact"), longest_word("客服中心")
    (8, 2)
    """
    return max((display_width(piece.strip()) for piece in _pieces(text, _UNBROKEN)), default=1)


def distinct(labels: Iterable[str]) -> list[str]:
    """The labels with a number added where two read alike.

    Examples
    --------
    >>> distinct(["Sales", "Sales", "Claims"])
    ['Sales', 'Sales (2)', 'Claims']
    """
    taken: set[str] = set()
    result = []
    for label in labels:
        candidate, count = label, 1
        while candidate in taken:
            count += 1
            candidate = f"{label} ({count})"
        taken.add(candidate)
        result.append(candidate)
    return result


def clean_tree(value: Any) -> Any:
    """Clean every text in nested mappings and sequences."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_tree(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(clean_tree(entry) for entry in value)
    return value


def _columns(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200c\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pieces(text: str, width: int) -> list[str]:
    """Words with the space before them; wide characters may be parted anywhere, long words at ``width``."""
    pieces: list[str] = []
    for word in re.findall(r"\s*\S+", text):
        start = ""
        for character in word:
            if start.strip() and (_columns(character) == 2 or display_width(start + character) > width):
                pieces.append(start)
                start = ""
            start += character
        pieces.append(start)
    return pieces
