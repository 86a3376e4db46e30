"""Judges what is absent: items that the export lacks, answers that a respondent left out, and doubled respondents."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from servicediag.errors import Issue
from servicediag.instrument.model import MISSING_REASONS, Instrument
from servicediag.responses.model import FIRST_MISSING, Part, missing_code
from servicediag.responses.readers import Table

__all__ = ["absent_items", "constant_items", "doubled_respondents", "share_completed"]

_NOT_ANSWERED = tuple(missing_code(reason) for reason in ("blank", "declared", "unreadable"))
_MOST_NAMED = 5
_FEWEST_FOR_CONSTANT = 10
_LAST_MISSING = FIRST_MISSING + len(MISSING_REASONS) - 1


def absent_items(
    instrument: Instrument, offered: Collection[str], present: Collection[str], where: str
) -> Iterator[Issue]:
    """An issue for each dimension of the form that the export holds only in part or not at all.

    A dimension wholly absent is a note; one that its minimum-answered rule can still score is a warning; anything
    between is an error.

    Parameters
    ----------
    offered : collection of str
        Items that the form, or its part in a package, asks.
    """
    found = set(present)
    for dimension in instrument.dimensions:
        scored = [item.code for item in dimension.scored_items if item.code in offered]
        unscored = [item.code for item in dimension.items if item.code in offered and item.code not in scored]
        absent = [code for code in scored if code not in found]
        name = f"{instrument.id}/{dimension.id}"
        if scored and len(absent) == len(scored):
            problem = f"No item of {name} is in the file; it is not scored."
            yield Issue("missing_item", "note", where, problem)
        elif absent:
            needed = max(1, math.ceil(dimension.minimum_answered * len(scored) - 1e-9))
            counts = f"{len(absent)} of {len(scored)} scored items of {name} are not in the file: {', '.join(absent)}."
            if len(scored) - len(absent) >= needed:
                remedy = f"It is scored from the others, since {needed} are enough; add the columns if you have them."
                yield Issue("missing_item", "warning", where, counts, remedy)
            else:
                remedy = f"A score needs {needed}. Add the columns, map them with columns=, or delete the others."
                yield Issue("missing_item", "error", where, counts, remedy)
        if rest := [code for code in unscored if code not in found and found & set(scored)]:
            problem = f"Items of {name} that are reported by themselves are not in the file: {', '.join(rest)}."
            yield Issue("missing_item", "note", where, problem)


def share_completed(parts: Sequence[Part], codes: Mapping[str, np.ndarray], n_rows: int) -> np.ndarray:
    """Share of the items answered, for each respondent the highest over the instruments of the export.

    "Does not apply", "don't know" and "prefer not to say" are answers here; blank, declared and unreadable are not.
    """
    best = np.zeros(n_rows)
    for part in parts:
        answered = np.zeros(n_rows, np.int32)
        for code in part.items:
            column = codes[code]
            answered += np.logical_and.reduce([column != reason for reason in _NOT_ANSWERED])
        best = np.maximum(best, answered / max(len(part.items), 1))
    return best


def doubled_respondents(ids: pd.Index, waves: pd.Series | None, table: Table, kept: np.ndarray) -> Iterator[Issue]:
    """An issue naming the respondents that occur more than once within a wave, with their rows.

    Parameters
    ----------
    ids : Index
        Respondents that were kept.
    kept : int array
        Their positions in the table.
    """
    if len(pc.unique(pa.array(ids))) == len(ids):  # the Index itself would turn its texts into objects to tell
        return
    frame = pd.DataFrame({"respondent": np.asarray(ids), "position": kept})
    frame["wave"] = "" if waves is None else waves.fillna("").to_numpy()
    doubled = frame[frame.duplicated(["wave", "respondent"], keep=False)]
    if doubled.empty:
        return
    places = doubled.groupby(["wave", "respondent"], sort=False)["position"]
    groups = [(respondent, list(positions)) for (_, respondent), positions in places]
    named = [f"{respondent!r} ({_rows(positions, table)})" for respondent, positions in groups[:_MOST_NAMED]]
    who = "1 respondent id occurs" if len(groups) == 1 else f"{len(groups):,} respondent ids occur"
    within = "" if waves is None else " in a wave"
    problem = f"{who} more than once{within}: {', '.join(named)}{_more(len(groups))}."
    remedy = "Keep one row for each, or say which column holds the wave: wave=."
    yield Issue("duplicate_respondent", "error", table.where(), problem, remedy)


def _rows(positions: Sequence[int], table: Table) -> str:
    return f"rows {', '.join(str(table.rows[p]) for p in positions[:_MOST_NAMED])}{_more(len(positions))}"


def _more(count: int) -> str:
    return f" and {count - _MOST_NAMED:,} more" if count > _MOST_NAMED else ""


def constant_items(
    parts: Sequence[Part], codes: Mapping[str, np.ndarray], columns: Mapping[str, int], table: Table
) -> Iterator[Issue]:
    """A warning for every item to which all who answered, ten or more, gave the same answer.

    Parameters
    ----------
    codes : mapping of item code -> int8 array
        Of the respondents that were kept.
    columns : mapping of item code -> int
        The column of the table that holds each item.
    """
    for part in parts:
        for code in part.items:
            answers = codes[code][codes[code] > _LAST_MISSING]
            if len(answers) >= _FEWEST_FOR_CONSTANT and answers.min() == answers.max():
                value = int(answers[0])
                label = next(iter(part.instrument.scale(code, part.form.id).labels.values()), {}).get(value, "")
                shown = f"{value} {label}".strip()
                problem = f"All {len(answers):,} answers to {code} are the same: {shown}."
                remedy = "Check that the column holds the answers; an item that does not vary tells nobody apart."
                yield Issue("constant_item", "warning", table.where(columns[code]), problem, remedy)
