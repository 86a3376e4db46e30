"""One normal form of text, so that what people read as the same text compares as the same text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["normal_code", "normal_text", "parse_number", "without_number"]

_TRANSLATION = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u02bc": "'", "\u00b4": "'", "`": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2015": "-", "\u2212": "-",
        "\u0451": "\u0435",
    }
)  # fmt: skip
_NOT_ALPHANUMERIC = re.compile(r"[\W_]")
_TRAILING = ".。!！?？:：;；,，* "
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:[.,][0-9]{1,18})?")
_LEADING_NUMBER = re.compile(r"[(\[]?\s?([0-9]{1,3})\s?[)\]]?\s?(?:[-.:=、)]\s?|\s)(.+)")
_BARE_NUMBER_AND_BRACKET = re.compile(r"([0-9]{1,3})\s?\((.+)\)")
_TRAILING_NUMBER = re.compile(r"(.+?)\s?[(\[]\s?([0-9]{1,3})\s?[)\]]")
_LONGEST = 4_000


@lru_cache(maxsize=8192)
def normal_text(text: str) -> str:
    """Text without what people do not see: width, quotes, dashes, case, spaces, final punctuation, hidden characters.

    Examples
    --------
    >>> normal_text("  I don’t\\u00a0know. ")
    "i don't know"
    """
    text = unicodedata.normalize("NFKC", text[:_LONGEST]).translate(_TRANSLATION).casefold().translate(_TRANSLATION)
    if not text.isprintable():
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c in "\t\n\r")
    return " ".join(text.split()).rstrip(_TRAILING)


@lru_cache(maxsize=8192)
def normal_code(text: str) -> str:
    """Letters and digits only, in one case, so ``SIN.APATHY.1`` and ``sin_apathy_1`` are the same code.

    Examples
    --------
    >>> normal_code("SIN.APATHY.1")
    'sinapathy1'
    """
    return _NOT_ALPHANUMERIC.sub("", unicodedata.normalize("NFKC", text[:_LONGEST]).casefold())


def parse_number(text: str) -> float | None:
    """The number that a normalised text is, written with ASCII digits and a decimal point or comma; else None.

    Examples
    --------
    >>> parse_number("5"), parse_number("3,5"), parse_number("1e400"), parse_number("5 - agree")
    (5.0, 3.5, None, None)
    """
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def without_number(text: str) -> tuple[int, str] | None:
    """Split a normalised label such as ``5 - strongly agree`` or ``agree (4)`` into its number and its text.

    Examples
    --------
    >>> without_number("5 - strongly agree"), without_number("(3): agree"), without_number("agree (4)")
    ((5, 'strongly agree'), (3, 'agree'), (4, 'agree'))
    >>> without_number("1 (none at all)"), without_number("agree")
    ((1, 'none at all'), None)
    """
    if match := _BARE_NUMBER_AND_BRACKET.fullmatch(text):
        return int(match[1]), match[2].strip(_TRAILING)
    if match := _LEADING_NUMBER.fullmatch(text):
        return int(match[1]), match[2].strip(_TRAILING)
    if match := _TRAILING_NUMBER.fullmatch(text):
        return int(match[2]), match[1].strip(_TRAILING)
    return None
