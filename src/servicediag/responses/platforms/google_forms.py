"""Google Forms: the first column is the time in the language of the form; a grid is ``Question [Row]``."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    first = rows[0][0].strip() if rows[0] else ""
    if fold(first) in _TIMESTAMPS and sum(bool(cell.strip()) for cell in rows[0]) > 1:
        return f"the first heading is {first!r}"
    if not first and len(rows) > 1 and _TIME.fullmatch(rows[1][0].strip()):
        return "the first column holds times as Google Forms writes them"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    return Layout("google_forms", tidy(rows[position]), position + 1, no_items=frozenset((0,)), positional=True)


GOOGLE_FORMS = Platform("google_forms", _fingerprint, _layout)
