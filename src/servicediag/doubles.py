"""Finds exports that were given twice, whose answers would count twice."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from servicediag.errors import Issue

if TYPE_CHECKING:
    from servicediag.responses import Part, Responses

__all__ = ["doubled_exports"]

_REMEDY = "Leave one of them out; if they are two waves, give the export of each."


def doubled_exports(exports: Sequence[Path], read: Sequence[Responses]) -> Iterator[Issue]:
    """An issue for every form that a later export holds exactly as an earlier one does.

    Exports are the same where their files are, byte for byte, and the form stands on the same sheet and in the same
    columns; or where the same rows gave the same answers, as in a copy that was saved anew.

    Parameters
    ----------
    exports : sequence of Path
    read : sequence of Responses
        What was read from each export, in the same order.
    """
    for (first, earlier), (second, later) in combinations(zip(exports, read, strict=True), 2):
        parts = [part for part in later.parts if any(_is_same_form(part, other) for other in earlier.parts)]
        for part in parts:
            same_file = _is_same_place(part, earlier, later) and filecmp.cmp(first, second, shallow=False)
            if same_file or _is_same_people(part, earlier, later):
                what = f"{part.instrument.id}:{part.form.id}"
                problem = f"It holds the same answers to {what} as {first}; they would count twice."
                yield Issue("duplicate_export", "error", str(second), problem, _REMEDY)


def _is_same_form(first: Part, second: Part) -> bool:
    return (first.instrument.id, first.form.id, first.items) == (second.instrument.id, second.form.id, second.items)


def _is_same_place(part: Part, earlier: Responses, later: Responses) -> bool:
    """Whether the form was read from a sheet and columns of the same names."""
    places = []
    for responses in (earlier, later):
        columns = dict(zip(responses.intake.matches["item"], responses.intake.matches["column"], strict=True))
        places.append((responses.intake.sheet, [columns[item] for item in part.items]))
    return places[0] == places[1]


def _is_same_people(part: Part, earlier: Responses, later: Responses) -> bool:
    """Whether the same rows, units and waves gave the same answers."""
    people = [r.respondents[[c for c in ("unit", "wave") if c in r.respondents.columns]] for r in (earlier, later)]
    return people[0].equals(people[1]) and all(
        earlier.codes[item].tobytes() == later.codes[item].tobytes() for item in part.items
    )
