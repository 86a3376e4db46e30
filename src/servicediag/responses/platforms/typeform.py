"""Typeform: the platform's own columns stand last; headings may hold HTML."""

from __future__ import annotations

from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, marks, tidy

__all__ = ["TYPEFORM"]

_OWN = frozenset(
    ("#", "start date (utc)", "submit date (utc)", "stage date (utc)", "network id", "response type", "tags")
)


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = {fold(cell) for cell in rows[0]}
    found = names & _OWN
    if len(found) >= 2 and found & {"start date (utc)", "submit date (utc)"}:
        return f"the headings {', '.join(sorted(found))} are those of Typeform"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    submission = column_of(headings, "#")
    return Layout(
        "typeform",
        headings,
        position + 1,
        no_items=frozenset(i for i, name in enumerate(headings) if fold(name) in _OWN),
        doubtful=marks(headings, "response type", ("partial", "started"), "not finished"),
        submission=() if submission is None else (submission,),
        positional=True,
    )


TYPEFORM = Platform("typeform", _fingerprint, _layout)
