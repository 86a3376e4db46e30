"""Joins the columns of a question that has one for each of its options into one column of answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from servicediag.errors import Issue
from servicediag.responses.normalise import normal_text
from servicediag.responses.platforms.layout import Layout
from servicediag.responses.readers import Table, distinct
from servicediag.responses.twins import filled_rows

__all__ = ["JoinedOptions", "joined_options"]

_LEAST_SINGLE = 0.8
_SEPARATORS = (" - ", ": ", " | ", "-")


@dataclass(frozen=True)
class JoinedOptions:
    """Which columns were left empty because another holds their answers, and what is to be said of it."""

    emptied: frozenset[int]
    issues: tuple[Issue, ...]


def joined_options(table: Table, layout: Layout) -> tuple[Table, JoinedOptions]:
    """A table in which the first column of each such question holds all its answers.

    The columns of a question are joined if each holds nothing but its own option, and at least 80 % of the rows with
    an answer fill exactly one; so a question with several answers is left as it is. A row that fills several counts as
    not answered, and is reported.
    """
    columns, headings = list(table.columns), list(table.headings)
    questions = list(table.questions)
    emptied: set[int] = set()
    joined: list[int] = []
    issues: list[Issue] = []
    for question, members in _groups(layout.options, table):
        filled = np.array([filled_rows(table, column) for column, _ in members])
        counts = filled.sum(axis=0)
        if not counts.any() or (counts == 1).sum() < _LEAST_SINGLE * (counts > 0).sum():
            continue
        texts: np.ndarray = np.full(len(table.rows), None, dtype=object)
        for (_, option), rows in zip(members, filled, strict=True):
            texts[rows] = option
        texts[counts > 1] = None
        first = members[0][0]
        columns[first] = pa.array(texts, pa.string()).dictionary_encode()
        headings[first] = question
        questions[first] = ()
        for column, _ in members[1:]:
            columns[column] = pa.nulls(len(table.rows), pa.string())
            emptied.add(column)
        joined.append(first)
        if (counts > 1).any():
            problem = (
                f"{int((counts > 1).sum()):,} rows fill several options of {question!r}; they count as not answered."
            )
            places = table.where(first, np.flatnonzero(counts > 1))
            issues.append(Issue("several_options", "warning", places, problem, "Correct them if you can."))
    if joined:
        what = "1 question has" if len(joined) == 1 else f"{len(joined):,} questions have"
        problem = f"{what} a column for each option, such as {headings[joined[0]]!r}; the columns were joined."
        issues.insert(0, Issue("joined_options", "note", table.where(joined[0]), problem))
    whole = replace(table, columns=tuple(columns), headings=tuple(headings), questions=tuple(questions))
    return whole, JoinedOptions(frozenset(emptied), tuple(issues))


def _groups(options: Sequence[tuple[str, str]], table: Table) -> list[tuple[str, list[tuple[int, str]]]]:
    """Questions with the columns of their options: those of which each cell is blank or the option itself."""
    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    unused: list[tuple[int, str, str]] = []
    for column, (question, part) in enumerate(options):
        if not question:
            continue
        texts = {normal_text(text) for text in distinct(table.columns[column])[0] if text and text.strip()}
        if not texts:
            unused.append((column, question, part))
            continue
        row, option = _split(part, texts)
        if option:
            groups.setdefault((question, row), []).append((column, option))
    for column, question, part in unused:
        for row, option in (("", part), *_splits(part)):
            if (question, row) in groups:
                groups[question, row].append((column, option))
                break
    return [
        (f"{question} - {row}" if row else question, sorted(members))
        for (question, row), members in groups.items()
        if len(members) > 1
    ]


def _split(part: str, texts: set[str]) -> tuple[str, str]:
    """The row and the option of a heading below the question; no option if the cells hold something else."""
    if texts <= {normal_text(part)}:
        return "", part
    return next(((row, option) for row, option in _splits(part) if texts <= {normal_text(option)}), ("", ""))


def _splits(part: str) -> Iterator[tuple[str, str]]:
    """The row and the option that a heading may consist of."""
    for separator in _SEPARATORS:
        row, found, option = part.rpartition(separator)
        if found:
            yield row.strip(), option.strip()
