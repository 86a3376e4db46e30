"""Jotform: the time of submission first, its id and address last; a row of a table is ``Question >> Row``."""

from __future__ import annotations

from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, tidy

__all__ = ["JOTFORM"]

_OWN = frozenset(("submission date", "submission id", "submission ip", "last update date"))


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = [fold(cell) for cell in rows[0]]
    found = _OWN & set(names)
    if len(found) >= 2 or (names and names[0] == "submission date"):
        return f"the headings {', '.join(sorted(found))} are those of Jotform"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    submission = column_of(headings, "submission id")
    return Layout(
        "jotform",
        headings,
        position + 1,
        no_items=frozenset(i for i, name in enumerate(headings) if fold(name) in _OWN),
        submission=() if submission is None else (submission,),
        positional=True,
    )


JOTFORM = Platform("jotform", _fingerprint, _layout)
