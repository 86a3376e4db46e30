"""Typeform: the platform's own columns stand last; headings may hold HTML, links, or signs of bold and slanted type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, marks, tidy

__all__ = ["TYPEFORM"]

_OWN = frozenset(
    ("#", "start date (utc)", "submit date (utc)", "stage date (utc)", "network id", "response type", "tags")
)
_MARKUP = re.compile(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)")
_LINK = re.compile(r"\[([^\[\]]{1,500})\]\(https?:[^()\s]{1,500}\)")


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
        questions=tuple((plain,) if (plain := _plain(name)) != name else () for name in headings),
        no_items=frozenset(i for i, name in enumerate(headings) if fold(name) in _OWN),
        doubtful=marks(headings, "response type", ("partial", "started"), "not finished"),
        submission=() if submission is None else (submission,),
        positional=True,
    )


def _plain(heading: str) -> str:
    """The heading without signs of bold and slanted type, and with the words of a link in its place."""
    return _MARKUP.sub("", _LINK.sub(r"\1", heading))


TYPEFORM = Platform("typeform", _fingerprint, _layout)
