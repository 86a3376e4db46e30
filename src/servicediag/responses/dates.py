"""Warns of dates that can be read day first or month first; none of them is interpreted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import pyarrow.compute as pc

from servicediag.errors import Issue
from servicediag.responses.readers import Table
from servicediag.responses.samples import all_texts, sample_texts

__all__ = ["ambiguous_dates"]

_DATE = re.compile(r"\s*([0-9]{1,2})([/-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?:[\s,T].{0,40})?", re.DOTALL)
"""With strokes or hyphens: dates with full stops are written day first wherever they are used."""
_LATE_DAY = "(?:1[3-9]|2[0-9]|3[01])"
_ORDERS = {"day first": rf"^\s*{_LATE_DAY}[/-]", "month first": rf"^\s*[0-9]{{1,2}}[/-]{_LATE_DAY}[/-]"}
"""What shows that a column of dates is written so."""
_LEAST_SHARE = 0.8
_SAMPLE = 500
_LAST_MONTH = 12
_MOST_NAMED = 6
_REMEDY = (
    "They were kept as text and nothing was computed from them. Before you take them as waves or choose rows by them, "
    "write them as year-month-day."
)


def ambiguous_dates(table: Table, columns: Collection[int]) -> Iterator[Issue]:
    """A warning for the columns in which no date has a day above 12, and one for those that hold both orders."""
    undecided, mixed = [], []
    for column in columns:
        found = _orders(table, column)
        if found is None:
            continue
        example, orders = found
        if not orders:
            undecided.append((column, example))
        elif len(orders) > 1:
            mixed.append((column, example))
    if undecided:
        names, example = _named(undecided, table)
        problem = f"The dates in {names}, such as {example!r}, can be day/month or month/day: no day is above 12."
        yield Issue("ambiguous_date", "warning", _where(undecided, table), problem, _REMEDY)
    if mixed:
        names, example = _named(mixed, table)
        problem = f"The dates in {names}, such as {example!r}, are day/month in some rows and month/day in others."
        yield Issue("ambiguous_date", "warning", _where(mixed, table), problem, _REMEDY)


def _orders(table: Table, column: int) -> tuple[str, set[str]] | None:
    """A date that can be read both ways, and what the others show of their order; None where that is no question."""
    sample = sample_texts(table.columns[column], _SAMPLE)
    dates = [match for text in sample if (match := _DATE.fullmatch(text))]
    if not dates or len(dates) < _LEAST_SHARE * len(sample):
        return None
    both = [date[0].strip() for date in dates if _can_be_both(int(date[1]), int(date[3]))]
    if not both:
        return None
    texts = all_texts(table.columns[column])
    orders = {name for name, pattern in _ORDERS.items() if pc.any(pc.match_substring_regex(texts, pattern)).as_py()}
    return None if len(orders) == 1 else (both[0], orders)


def _can_be_both(first: int, second: int) -> bool:
    return first != second and max(first, second) <= _LAST_MONTH


def _named(found: list[tuple[int, str]], table: Table) -> tuple[str, str]:
    names = [repr(table.names[column]) for column, _ in found]
    more = f" and {len(names) - _MOST_NAMED} more columns" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more, found[0][1]


def _where(found: list[tuple[int, str]], table: Table) -> str:
    return table.where(found[0][0]) if len(found) == 1 else table.where()
