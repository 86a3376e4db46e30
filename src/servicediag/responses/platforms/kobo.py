"""KoboToolbox and ODK: headings are names or labels, maybe below the names of their groups."""

from __future__ import annotations

from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, marks, tidy

__all__ = ["KOBO"]

_KOBO = frozenset(("_id", "_uuid", "_submission_time", "_validation_status", "_submitted_by", "_index"))
_ODK = frozenset(
    (
        "submissiondate", "key", "meta-instanceid", "instanceid", "submitterid", "submittername", "formversion",
        "reviewstate",
    )
)  # fmt: skip


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = {fold(cell) for cell in rows[0]}
    if len(names & _KOBO) >= 2 and names & {"_uuid", "_submission_time"}:
        return f"the headings {', '.join(sorted(names & _KOBO))} are those of KoboToolbox"
    if len(names & _ODK) >= 2 and names & {"meta-instanceid", "submissiondate"}:
        return f"the headings {', '.join(sorted(names & _ODK))} are those of ODK"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    submission = column_of(headings, "_uuid", "key", "meta-instanceid", "_id")
    known = set(headings)
    return Layout(
        "kobo",
        headings,
        position + 1,
        codes=tuple(_code(heading) for heading in headings),
        questions=tuple(_questions(heading) for heading in headings),
        no_items=frozenset(
            i for i, name in enumerate(headings)
            if fold(name) in _KOBO | _ODK or name.startswith("_") or name.rpartition("/")[0] in known
        ),
        rejected=tuple(
            mark for name in _STATES for mark in marks(headings, name, _NOT_APPROVED, "marked as not approved")
        ),
        doubtful=tuple(mark for name in _STATES for mark in marks(headings, name, _ON_HOLD, "marked as on hold")),
        submission=() if submission is None else (submission,),
        positional=True,
    )  # fmt: skip


_STATES = ("_validation_status", "reviewstate")
_NOT_APPROVED = ("not approved", "validation_status_not_approved", "no aprobado", "non approuvé", "rejected")
_ON_HOLD = ("on hold", "validation_status_on_hold", "en espera", "en attente", "hasissues")


def _code(heading: str) -> str:
    """The name of the question after the names of its groups; ODK joins them by hyphens."""
    if " " in heading:
        return ""
    return heading.rpartition("/")[2] if "/" in heading else heading.rpartition("-")[2]


def _questions(heading: str) -> tuple[str, ...]:
    """What follows each slash, the longest first: a question may itself hold one."""
    parts = heading.split("/")
    return tuple(rest for start in range(1, min(len(parts), 8)) if (rest := "/".join(parts[start:]).strip()))


KOBO = Platform("kobo", _fingerprint, _layout)
