"""Microsoft Forms: one table; a repeated heading has a number behind it, since headings of a table must differ."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, tidy

__all__ = ["MICROSOFT_FORMS"]

_STARTS = frozenset(
    fold(name)
    for name in (
        "Start time", "Startzeit", "Hora de inicio", "Hora de início", "Heure de début", "Время начала", "开始时间",
        "開始時間", "Ora di inizio", "Begintijd", "Starttid", "Godzina rozpoczęcia",
    )
)  # fmt: skip
_ENDS = frozenset(
    fold(name)
    for name in (
        "Completion time", "Fertigstellungszeit", "Hora de finalización", "Hora de conclusão", "Heure de fin",
        "Время выполнения", "Время завершения", "完成时间", "完成時間", "Ora di completamento", "Tijd van voltooien",
        "Slutförandetid", "Godzina ukończenia",
    )
)  # fmt: skip
_OWN = frozenset(("id", "email", "e-mail", "name", "last modified time", "total points", "quiz feedback"))
_SUFFIX = re.compile(r"[0-9]{1,2}$")


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = {fold(cell) for cell in rows[0]}
    if names & _STARTS and names & _ENDS:
        shown = [cell.strip() for cell in rows[0] if fold(cell) in _STARTS | _ENDS]
        return f"the headings {', '.join(repr(cell) for cell in shown)} are those of Microsoft Forms"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    known = {fold(heading) for heading in headings}
    submission = column_of(headings, "id")
    return Layout(
        "microsoft_forms",
        headings,
        position + 1,
        questions=tuple(_without_suffix(heading, known) for heading in headings),
        no_items=frozenset(
            i for i, name in enumerate(headings)
            if fold(name) in _OWN | _STARTS | _ENDS or name.startswith(("Points - ", "Feedback - "))
        ),
        submission=() if submission is None else (submission,),
        positional=True,
    )  # fmt: skip


def _without_suffix(heading: str, known: set[str]) -> tuple[str, ...]:
    """The heading without its number, where another column has it so."""
    plain = _SUFFIX.sub("", heading).rstrip()
    return (plain,) if plain and plain != heading and fold(plain) in known else ()


MICROSOFT_FORMS = Platform("microsoft_forms", _fingerprint, _layout)
