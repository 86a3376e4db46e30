"""Google Forms: the first column is the time in the language of the form; a grid is ``Question [Row]``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from servicediag.responses.platforms.layout import Layout, Platform, fold, tidy

__all__ = ["GOOGLE_FORMS"]

_TIMESTAMPS = frozenset(
    fold(name)
    for name in (
        "Timestamp", "Marca temporal", "Marca de tiempo", "Carimbo de data/hora", "Отметка времени", "Zeitstempel",
        "Horodateur", "时间戳记", "時間戳記", "Informazioni cronologiche", "Tijdstempel", "Sygnatura czasowa",
        "タイムスタンプ", "타임스탬프", "Zaman damgası", "Позначка часу", "Tidstämpel",
    )
)  # fmt: skip
_TIME = re.compile(
    r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\s\S{1,4}(?:\s\S{1,2})?)?"
    r"\s[A-Z]{2,5}(?:[+-][0-9:]{1,5})?"
)


_OF_A_PROGRAM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(?:Z|[+-][0-9:]{4,6})?")
"""A time as programs write it for each other; a form that somebody programmed has it below ``timestamp``."""


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    column = _time_column(rows)
    first = rows[0][column].strip() if rows[0] else ""
    below = rows[1][column].strip() if len(rows) > 1 else ""
    if _OF_A_PROGRAM.fullmatch(below):
        return ""
    if fold(first) in _TIMESTAMPS and sum(bool(cell.strip()) for cell in rows[0]) > 1:
        return f"the first heading is {first!r}"
    if not first and _TIME.fullmatch(below):
        return "the first column holds times as Google Forms writes them"
    return ""


def _time_column(rows: Sequence[Sequence[str]]) -> int:
    """The first column, or the second where somebody numbered the rows before it."""
    if len(rows) < 3 or len(rows[0]) < 2 or fold(rows[0][0]) in _TIMESTAMPS:
        return 0
    numbers = [row[0].strip() for row in rows[1:] if any(cell.strip() for cell in row[1:])]
    numbered = all(number.isdecimal() for number in numbers) and len(numbers) > 1
    return int(numbered and all(int(b) - int(a) == 1 for a, b in pairwise(numbers)))


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    own = frozenset((0, _time_column(rows[position:])))
    return Layout("google_forms", tidy(rows[position]), position + 1, no_items=own, positional=True)


GOOGLE_FORMS = Platform("google_forms", _fingerprint, _layout)
