"""Merges columns that hold the same item for different respondents, as a form edited while live leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from servicediag.errors import Issue
from servicediag.instrument.model import Instrument
from servicediag.responses.matching import Match
from servicediag.responses.normalise import normal_text
from servicediag.responses.readers import Table, distinct

__all__ = ["filled_rows", "merge_twins"]

_SHORTEST_STEM = 10


def filled_rows(table: Table, column: int) -> np.ndarray:
    """Whether the cell of each row holds more than spaces."""
    texts, indices = distinct(table.columns[column])
    filled: np.ndarray = np.array([bool(text and text.strip()) for text in texts] + [False])[indices]
    return filled


def merge_twins(
    table: Table, matches: Sequence[Match], instruments: Sequence[Instrument] = ()
) -> tuple[Table, list[Match], list[Issue]]:
    """One match an item: columns of which no row fills two are merged with a warning, others are an error.

    Where two questions have the same rows ("How often ...?", "How important ...?"), the one that begins as a stem of
    the instrument does is taken.

    Returns
    -------
    Table, list of Match, list of Issue
        The table with the merged column in the place of the first; the others are named in ``Match.twins``.
    """
    by_item: dict[str, list[Match]] = {}
    for match in matches:
        by_item.setdefault(match.item, []).append(match)
    columns = list(table.columns)
    merged: list[Match] = []
    issues: list[Issue] = []
    for item, same in by_item.items():
        if len(same) > 1:
            same, others = _below_the_stem(table, same, instruments)
            issues.extend(_other_question(item, other, table) for other in others)
        first = same[0]
        if len(same) == 1:
            merged.append(first)
            continue
        filled = np.array([filled_rows(table, match.column) for match in same])
        names = " and ".join(repr(table.names[match.column]) for match in same)
        if (filled.sum(axis=0) > 1).any():
            merged.append(first)
            issues.append(_duplicate(item, same, names, table, filled))
            continue
        if len({match.reverse for match in same}) > 1:
            problem = f"The mapping says that {names} run in different directions; they hold the same item {item}."
            issues.append(Issue("duplicate_match", "error", table.where(first.column), problem, "Correct the mapping."))
        columns[first.column] = _merged(table, [match.column for match in same], filled)
        readings = frozenset().union(*(match.readings for match in same))
        merged.append(replace(first, readings=readings, twins=tuple(match.column for match in same[1:])))
        problem = f"The item {item} is in {len(same)} columns, {names}; no row fills more than one of them."
        remedy = "They were merged; check that they ask the same."
        issues.append(Issue("coalesced_columns", "warning", table.where(first.column), problem, remedy))
    return replace(table, columns=tuple(columns)), merged, issues


def _below_the_stem(
    table: Table, same: list[Match], instruments: Sequence[Instrument]
) -> tuple[list[Match], list[Match]]:
    """The columns whose question begins with the item's stem, and the others; all of them where that parts nothing."""
    instrument = next((one for one in instruments if one.id == same[0].instrument), None)
    if instrument is None or any(match.method == "mapping" for match in same):
        return same, []
    dimension = instrument.item(same[0].item).dimension
    stems = {
        normal_text(form.stems.get(dimension, form.stems.get("default", "")))
        for locale in instrument.locales.values()
        for form in locale.forms.values()
    }
    long = tuple(stem for stem in stems if len(stem) >= _SHORTEST_STEM)
    below = [match for match in same if any(text.startswith(long) for text in _whole_texts(table, match.column))]
    return (below, [match for match in same if match not in below]) if below else (same, [])


def _whole_texts(table: Table, column: int) -> list[str]:
    questions = table.questions[column] if table.questions else ()
    return [normal_text(text) for text in (table.headings[column], *questions)]


def _other_question(item: str, match: Match, table: Table) -> Issue:
    problem = f"{table.names[match.column]!r} has the text of {item} below another question than its stem."
    remedy = "It was not taken for the item; if it is, say so with columns=."
    return Issue("other_question", "warning", table.where(match.column), problem, remedy)


def _merged(table: Table, columns: Sequence[int], filled: np.ndarray) -> pa.Array:
    texts: np.ndarray = np.full(len(table.rows), None, dtype=object)
    for column, rows in zip(columns, filled, strict=True):
        known, indices = distinct(table.columns[column])
        values = np.array([*known, None], dtype=object)
        texts[rows] = values[indices[rows]]
    return pa.array(texts, pa.string()).dictionary_encode()


def _duplicate(item: str, same: Sequence[Match], names: str, table: Table, filled: np.ndarray) -> Issue:
    first = table.names[same[0].column]
    n_both = int((filled.sum(axis=0) > 1).sum())
    problem = f"{len(same)} columns hold the item {item}: {names}; {n_both:,} rows fill more than one."
    remedy = f"Delete one, or say which holds: columns={{{first!r}: {item!r}}}."
    return Issue("duplicate_match", "error", table.where(same[0].column), problem, remedy)
