"""Alchemer (SurveyGizmo): a row of a grid is ``row:question``; rows may be test data, partial or disqualified."""

from __future__ import annotations

from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, marks, tidy

__all__ = ["ALCHEMER"]

_OWN = frozenset(
    (
        "response id", "time started", "date submitted", "status", "contact id", "legacy comments", "comments",
        "language", "referer", "sessionid", "session id", "user agent", "longitude", "latitude", "country", "city",
        "state/region", "postal", "is test data",
    )
)  # fmt: skip


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = {fold(cell) for cell in rows[0]}
    if {"response id", "time started", "date submitted"} <= names or {
        "response id",
        "date submitted",
        "status",
    } <= names:
        return "the headings Response ID, Date Submitted and Status are those of Alchemer"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    tests = (
        *marks(headings, "is test data", ("1", "yes", "true"), "test data"),
        *marks(headings, "is_test_data", ("1", "yes", "true"), "test data"),
        *marks(headings, "status", ("test", "test data", "deleted"), "test data or deleted"),
    )
    submission = column_of(headings, "response id")
    return Layout(
        "alchemer",
        headings,
        position + 1,
        questions=tuple(_rows(heading) for heading in headings),
        no_items=frozenset(i for i, name in enumerate(headings) if fold(name) in _OWN),
        tests=tests,
        doubtful=marks(headings, "status", ("partial", "disqualified"), "partial or disqualified"),
        submission=() if submission is None else (submission,),
        positional=True,
    )


def _rows(heading: str) -> tuple[str, ...]:
    """What stands before each colon: the row of a grid comes first, and may itself hold one."""
    parts = heading.split(":")
    return tuple(row for end in range(1, min(len(parts), 6)) if (row := ":".join(parts[:end]).strip()))


ALCHEMER = Platform("alchemer", _fingerprint, _layout)
