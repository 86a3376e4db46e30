"""The record of a reading as text that a person can act on, and as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from servicediag.errors import Issue

if TYPE_CHECKING:
    from servicediag.responses.intake import Intake

__all__ = ["intake_dict", "intake_text"]

_MOST_NAMED = 20
_HEADS = {"error": "Errors", "warning": "Warnings", "note": "Notes"}


def intake_dict(intake: Intake) -> dict[str, Any]:
    """What an intake holds, as text, numbers, lists and dictionaries."""
    return {
        "source": intake.source,
        "sheet": intake.sheet,
        "platform": intake.platform,
        "why": intake.why,
        "forms": list(intake.forms),
        "encoding": intake.encoding,
        "delimiter": intake.delimiter,
        "rows_read": intake.n_rows,
        "rows_kept": intake.n_kept,
        "items_matched": intake.n_matched,
        "items_asked": intake.n_items,
        "matched_by": _by_method(intake),
        "background": list(intake.background),
        "matches": intake.matches.to_dict("records"),
        "issues": [asdict(issue) for issue in intake.issues],
    }


def intake_text(intake: Intake) -> str:
    """The report: what was read, then errors, warnings and notes, each with its place and what to do."""
    place = f", sheet {intake.sheet}" if intake.sheet else ""
    why = f", since {intake.why}" if intake.why else ""
    methods = ", ".join(f"{count} by {method}" for method, count in _by_method(intake).items())
    lines = [
        f"{intake.source}{place}",
        f"Platform: {intake.platform}{why}.",
        f"Answers to: {', '.join(intake.forms)}.",
        f"Rows: {intake.n_rows:,} read, {intake.n_kept:,} kept.",
        f"Found: {intake.n_matched} of {intake.n_items} items ({methods}).",
        f"Kept beside the items: {_beside(intake)}.",
    ]
    if intake.encoding:
        lines.append(f"Text: encoding {intake.encoding}, delimiter {intake.delimiter!r}.")
    for severity, head in _HEADS.items():
        found = [issue for issue in intake.issues if issue.severity == severity]
        if found:
            lines.append(f"{head}:")
            lines.extend(f"  - {_line(issue)}" for issue in found)
    return "\n".join(lines) + "\n"


def _beside(intake: Intake) -> str:
    names = intake.background
    if len(names) <= _MOST_NAMED:
        return ", ".join(names) or "nothing"
    return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more columns"


def _by_method(intake: Intake) -> dict[str, int]:
    once = intake.matches.drop_duplicates("item")["method"]
    return {str(method): int(count) for method, count in once.value_counts(sort=False).items()}


def _line(issue: Issue) -> str:
    return " ".join(str(issue).split())
