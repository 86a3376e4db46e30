"""Recognises questions that allow several answers: joined in one cell, or spread over a column for each option."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from servicediag.errors import Issue
from servicediag.instrument.model import Scale
from servicediag.responses.matching import ItemTexts
from servicediag.responses.normalise import normal_text
from servicediag.responses.readers import Table
from servicediag.responses.samples import sample_texts

__all__ = ["TICKS", "joined_choices", "option_columns", "several_answers", "several_labels", "several_problem"]

_SEPARATORS = (";", "┋", "|", "\n", ", ", ",")
_LETTERED = (" ",)
_MOST_TEXTS = 400
_LONGEST_CHOICE = 80
_MOST_CHOICES = 60
_LEAST_RECURRING = 0.5
_MOST_NAMED = 5
TICKS = frozenset(
    ("0", "1", "y", "n", "yes", "no", "true", "false", "checked", "unchecked", "selected", "not selected", "n/a", "x",
     "ja", "nein", "sí", "si", "oui", "non", "да", "нет", "是", "否", "quoted", "not quoted", "gewählt",
     "nicht gewählt")
)  # fmt: skip
"""What the cells of a column for one option hold, normalised."""
_STEMS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"(.+?)___\S+",
        r"(.+?)\s*\(choice=.*\)",
        r"(.+?)\s*\[[^\[\]]+\]",
        r"(.+)/[^/]+",
        r"(.+?)\s+[-\u2013]\s+.+",
        r"(.+?)>>.+",
        r"(.+?)[┋:].+",
        r"(.+)_[0-9]{1,3}",
    )
)
_CODE = re.compile(r"\[[A-Za-z0-9_]{1,40}\](?=[.:]\s)")
"""The code of a sub-question before its text."""
_REVERSED_STEM = re.compile(r"[^:]+:\s*(.+)", re.DOTALL)


def several_labels(text: str, known: Collection[str]) -> tuple[str, ...]:
    """The labels or codes of a scale that one cell holds, where it holds two or more of them and nothing else.

    Parameters
    ----------
    known : collection of str
        Normalised labels and codes.

    Examples
    --------
    >>> several_labels("Often;Never;", {"often", "never"}), several_labels("1 3", {"1", "2", "3"})
    (('often', 'never'), ('1', '3'))
    >>> several_labels("Often", {"often", "never"})
    ()
    """
    for separator in (*_SEPARATORS, *_LETTERED):
        parts = [normal_text(part) for part in text.split(separator)]
        filled = tuple(part for part in parts if part)
        if len(filled) > 1 and all(part in known for part in filled):
            return filled
    return ()


def several_answers(text: str, scale: Scale) -> tuple[str, ...]:
    """The answers of a scale that one cell holds, where it holds several."""
    labels = {normal_text(label) for by_code in scale.labels.values() for label in by_code.values()}
    return several_labels(text, labels | {str(code) for code in scale.codes})


def several_problem(value: str, times: str, item: str, held: tuple[str, ...]) -> tuple[str, str]:
    """What is wrong with a cell that holds several answers, and what to do."""
    problem = f"{value!r} ({times}) holds {len(held)} answers of {item}, which takes one."
    remedy = "Ask it as a single choice; of what was collected, clear these cells or declare them: missing_codes=(...)."
    return problem, remedy


def joined_choices(table: Table, columns: Collection[int], roles: Mapping[int, str]) -> Iterator[Issue]:
    """A note for each column of which cells hold several choices, a warning where the column is the unit or wave.

    Parameters
    ----------
    columns : collection of int
        Columns that are no items and were not left out.
    roles : mapping of column -> role
    """
    for column in columns:
        found = _choices(table, column)
        if found is None:
            continue
        separator, n_choices = found
        shown = {"\n": "a line break", ", ": "commas", ",": "commas"}.get(separator, repr(separator))
        problem = f"Cells of {table.names[column]!r} hold several of {n_choices} choices, joined by {shown}."
        role = roles.get(column)
        if role in ("unit", "wave"):
            problem = f"{problem} As the {role}, every combination counts as a {role} of its own."
            remedy = f"Give every respondent one {role}, e.g. the main one, in a column of its own."
            yield Issue("multiple_choice", "warning", table.where(column), problem, remedy)
        else:
            remedy = "The column was kept as it is, among the background; make a column for a choice to compare by it."
            yield Issue("multiple_choice", "note", table.where(column), problem, remedy)


def _choices(table: Table, column: int) -> tuple[str, int] | None:
    """What joins the choices in the cells of a column, and how many there are; None where nothing recurs."""
    texts = sample_texts(table.columns[column], _MOST_TEXTS)
    for separator in _SEPARATORS:
        split = [[part.strip() for part in text.split(separator) if part.strip()] for text in texts]
        several = [parts for parts in split if len(parts) > 1]
        if not several or len(several) < len(split) / 4:
            continue
        counts = Counter(part for parts in split for part in set(parts))
        if len(several) == 1 and any(counts[part] == 1 for part in several[0]):
            continue
        recurring = sum(count > 1 for count in counts.values())
        short = all(len(choice) <= _LONGEST_CHOICE for choice in counts)
        words = any(not choice.replace(".", "").isdigit() for choice in counts)
        if short and words and len(counts) <= _MOST_CHOICES and recurring >= _LEAST_RECURRING * len(counts):
            return separator, len(counts)
    return None


def option_columns(table: Table, texts: ItemTexts, settled: Collection[int], found: Collection[str]) -> Iterator[Issue]:
    """A note for each question that has a column for each of its options; an error where it is an item.

    Parameters
    ----------
    settled : collection of int
        Columns that hold items, the unit, wave or respondent.
    found : collection of str
        Item codes for which a column was found.
    """
    groups: dict[str, list[int]] = {}
    for column in range(len(table.headings)):
        if column in settled:
            continue
        if stem := _stem(table, column):
            groups.setdefault(stem, []).append(column)
    for stem, columns in groups.items():
        if len(columns) < 2:
            continue
        where = table.where(columns[0])
        keys = texts.by_code(stem) or frozenset(texts.by_text(stem))
        missing = sorted(code for _, code in keys if code not in found)
        names = ", ".join(repr(table.names[column]) for column in columns[:_MOST_NAMED])
        more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
        if len(missing) == 1 and len(keys) == 1:
            problem = f"The item {missing[0]} has a column for each option: {names}{more}; several can be chosen."
            remedy = (
                "An item takes one answer: ask it as a single choice. If each row has one answer, put its label into a "
                f"column {missing[0]!r}."
            )
            yield Issue("several_options", "error", where, problem, remedy)
        else:
            problem = f"{len(columns)} columns are the options of one question, {stem!r}: {names}{more}."
            yield Issue("multiple_choice", "note", where, problem, "They were kept as they are, among the background.")


def _stem(table: Table, column: int) -> str:
    """The question of which a column is an option, ticked or named in its cells; empty text for other columns."""
    cells = _cells(table, column)
    questions = table.questions[column] if table.questions else ()
    names = tuple(_CODE.sub("", name) for name in (table.headings[column], *questions))
    if not cells or len(cells) > 2:
        return ""
    if cells <= TICKS:
        return next((stem for name in names if (stem := _before(name))), "")
    if len(cells) > 1:
        return ""
    (cell,) = cells
    for name in names:
        if normal_text(name) == cell:
            return _group_of(table, column)
        for pattern in (*_STEMS, _REVERSED_STEM):
            match = pattern.fullmatch(name)
            rest = name.replace(match[1], "", 1) if match else ""
            if match and cell in (normal_text(rest.strip(" -\u2013[]/>:")), normal_text(rest)):
                return match[1].strip()
    return ""


def _before(name: str) -> str:
    return next((match[1].strip() for pattern in _STEMS if (match := pattern.fullmatch(name))), "")


def _group_of(table: Table, column: int) -> str:
    """Where the options are the headings themselves, the first of those that stand side by side."""
    first = column
    while first > 0 and _is_own_option(table, first - 1):
        first -= 1
    return f"{table.names[first]} ..."


def _is_own_option(table: Table, column: int) -> bool:
    return _cells(table, column) == {normal_text(table.headings[column])}


def _cells(table: Table, column: int) -> set[str]:
    return {normal_text(text) for text in sample_texts(table.columns[column], _MOST_TEXTS)}
