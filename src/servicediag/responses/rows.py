"""Tells rows that are no respondent's answers from those that are: tests, totals, doubtful and repeated submissions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from servicediag.errors import Issue
from servicediag.responses.matching import ItemKey, ItemTexts
from servicediag.responses.normalise import normal_code, normal_text, parse_number
from servicediag.responses.platforms.layout import Layout, Marks, keep_rows
from servicediag.responses.readers import Table, distinct
from servicediag.responses.samples import sample_texts

__all__ = [
    "doubled_submissions", "doubtful_rows", "holds_answers", "other_kind", "questions_in_rows",
    "without_other_rows",
]  # fmt: skip

_LAST_ROWS = 5
_TOTALS = frozenset(
    (
        "total", "totals", "grand total", "sum", "average", "mean", "median", "std dev", "standard deviation", "count",
        "suma", "promedio", "media", "mediana", "recuento", "total general", "合计", "总计", "平均",
        "平均值", "平均分", "總計", "合計", "итого", "всего", "среднее", "сумма", "soma", "média", "summe", "gesamt",
        "mittelwert", "durchschnitt", "somme", "moyenne",
    )
)  # fmt: skip
_MOST_NAMED = 5
_SAMPLE = 200
_MOST_TEXTS = 60
_LEAST_QUESTIONS = 3
_LEAST_DESIGN = 2
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}(?:[ T].{0,30})?")
_DESIGN = re.compile(r"select_(?:one|multiple)\s\S.*|(?:begin|end)[ _](?:group|repeat)")
"""What stands in the column `type` of an XLSForm, by which a form of KoboToolbox or ODK is written."""


def without_other_rows(table: Table, layout: Layout, items: Collection[int]) -> tuple[Table, int, list[Issue]]:
    """The table without totals, tests and rejected rows; how many rows it had beside the totals; what was removed.

    Where every row is a test, all are kept, with a warning: somebody is trying the survey out. So it is where every row
    was rejected.
    """
    issues: list[Issue] = []
    totals = _totals(table, items)
    if len(totals):
        problem = f"{len(totals)} rows at the end are totals or averages, not answers."
        where = table.where(positions=totals)
        issues.append(Issue("removed_total_row", "note", where, problem, "They were left out."))
        keep = np.ones(len(table.rows), bool)
        keep[totals] = False
        table = keep_rows(table, keep)
    table = _without_repeated_headings(table, items, issues)
    n_rows = len(table.rows)
    table = _without_marked(table, layout.tests, "removed_test_row", "Do not report on them.", issues)
    table = _without_marked(table, layout.rejected, "removed_rejected_row", "Check why none is approved.", issues)
    return table, n_rows, issues


def _without_repeated_headings(table: Table, items: Collection[int], issues: list[Issue]) -> Table:
    """The table without rows in which the headings stand once more, as where two exports were put below each other."""
    repeated = np.full(len(table.rows), len(items) >= _LEAST_QUESTIONS)
    for column in items:
        if not repeated.any():
            return table
        texts, indices = distinct(table.columns[column])
        heading = normal_text(table.headings[column])
        same = np.array([bool(text) and normal_text(text or "") == heading for text in texts] + [False])
        repeated &= same[indices]
    if not repeated.any():
        return table
    problem = f"{int(repeated.sum()):,} rows repeat the headings."
    remedy = "They were left out; check that no respondent is in the file twice."
    issues.append(
        Issue("removed_heading_row", "warning", table.where(positions=np.flatnonzero(repeated)), problem, remedy)
    )
    return keep_rows(table, ~repeated)


def questions_in_rows(table: Table, texts: ItemTexts) -> Issue | None:
    """An error where the questions stand one below the other: a list of answers, a summary, or a sheet on its side."""
    for column, heading in enumerate(table.headings):
        cells = sample_texts(table.columns[column], _MOST_TEXTS)
        if sum(bool(_DESIGN.fullmatch(text.strip())) for text in cells) >= _LEAST_DESIGN:
            problem = "It seems to be an XLSForm, which describes the questions of a form and holds no answers."
            remedy = "Export the answers: in KoboToolbox Data > Downloads."
            return Issue("questions_in_rows", "error", table.where(column), problem, remedy)
        found = {key for text in cells for key in _items_of(text, texts)}
        if not found:
            continue
        asked = texts.count(table.headings)
        # a sheet without a heading of ours begins, for the reader, at the first row that holds a question
        below = asked == 1 and bool(own := texts.by_text(heading)) and bool(found.difference(own))
        if below or _LEAST_QUESTIONS <= len(found) > asked:
            problem = f"The questions stand one below the other in {table.names[column]!r}, not side by side."
            remedy = (
                "The reading needs a row for each respondent and a column for each question: export answers, not "
                "a summary. In Excel a sheet on its side is turned by Paste Special > Transpose, a list of answers "
                "by Data > From Table/Range > Pivot Column."
            )
            return Issue("questions_in_rows", "error", table.where(column), problem, remedy)
    return None


def _items_of(text: str, texts: ItemTexts) -> Collection[ItemKey]:
    normal = normal_text(text)
    return texts.texts.get(normal) or texts.codes.get(normal_code(text), frozenset())


def _without_marked(table: Table, marks: Sequence[Marks], code: str, advice: str, issues: list[Issue]) -> Table:
    """The table without the rows that bear one of the marks; with them, and a warning, where all rows do."""
    n_rows = len(table.rows)
    found = [(mark, marked) for mark in marks if (marked := _marked(table, mark)).any()]
    if not found:
        return table
    meaning = " or ".join(dict.fromkeys(mark.meaning for mark, _ in found))
    marked = np.logical_or.reduce([marked for _, marked in found])
    where = table.where(positions=np.flatnonzero(marked))
    if marked.all():
        problem = f"All {n_rows:,} rows are {meaning}; they were kept."
        issues.append(Issue(code, "warning", where, problem, advice))
        return table
    problem = f"{int(marked.sum()):,} of {n_rows:,} rows are {meaning}."
    issues.append(Issue(code, "note", where, problem, "They were left out."))
    return keep_rows(table, ~marked)


def doubtful_rows(table: Table, layout: Layout, kept: np.ndarray) -> Iterator[Issue]:
    """A note for each mark of the platform that rows which were kept bear: not finished, not approved."""
    for marks in layout.doubtful:
        marked = np.intersect1d(np.flatnonzero(_marked(table, marks)), kept)
        if len(marked):
            problem = f"{len(marked):,} of the {len(kept):,} rows that were kept are {marks.meaning}."
            remedy = "They were kept for the answers that they hold; delete them in the file if they should not count."
            yield Issue("doubtful_row", "note", table.where(positions=marked), problem, remedy)


def doubled_submissions(
    table: Table, layout: Layout, codes: Mapping[str, np.ndarray], kept: np.ndarray
) -> Iterator[Issue]:
    """Submissions that are in the file more than once: an error where their answers differ, else a warning."""
    if not layout.submission or not codes:
        return
    ids = pd.DataFrame({column: _texts(table, column)[kept] for column in layout.submission})
    filled = (ids != "").all(axis=1).to_numpy()
    doubled = ids.duplicated(keep=False).to_numpy() & filled
    if not doubled.any():
        return
    ids = ids.loc[doubled]
    answers = pd.DataFrame({code: column[kept][doubled] for code, column in codes.items()}, index=ids.index)
    together = pd.concat([ids.astype(str), answers], axis=1)
    conflicting = bool((~together.duplicated(keep=False)).any())
    names = " and ".join(repr(table.names[column]) for column in layout.submission)
    where = table.where(positions=kept[doubled])
    n_ids = len(ids.drop_duplicates())
    if conflicting:
        problem = f"{n_ids:,} values of {names} occur in several rows, with different answers."
        remedy = "Each row should be a submission of its own; keep one row for each."
        yield Issue("duplicate_respondent", "error", where, problem, remedy)
    else:
        problem = f"{n_ids:,} values of {names} occur in several rows with the same answers; each row counts."
        yield Issue("duplicate_respondent", "warning", where, problem, "Delete the copies in the file.")


def other_kind(table: Table) -> str:
    """What a file without items may be instead, in words; empty text where nothing speaks for anything."""
    headings = {normal_text(heading) for heading in table.headings}
    if {"variable / field name", "field label"} <= headings:
        return "a data dictionary of REDCap, which describes questions and holds no answers"
    cells = [
        text.strip() for column in table.columns for text in distinct(column)[0][:_SAMPLE] if text and text.strip()
    ]
    percentages = sum(text.endswith("%") for text in cells)
    if cells and percentages > len(cells) / 4:
        return "a summary table of percentages; the reading needs a row for each respondent"
    return ""


def holds_answers(headings: Sequence[str]) -> bool:
    """Whether what should be headings are mostly dates and numbers, and no running numbers of questions."""
    filled = [text for heading in headings if (text := normal_text(heading))]
    dates = sum(bool(_DATE.fullmatch(text)) for text in filled)
    numbers = [number for text in filled if (number := parse_number(text)) is not None]
    running = len(numbers) > 1 and all(after > before for before, after in pairwise(numbers))
    return dates + (0 if running else len(numbers)) > len(filled) / 2


def _texts(table: Table, column: int) -> np.ndarray:
    texts, indices = distinct(table.columns[column])
    known: np.ndarray = np.array([(text or "").strip() for text in texts] + [""], dtype=object)[indices]
    return known


def _marked(table: Table, marks: Marks) -> np.ndarray:
    texts, indices = distinct(table.columns[marks.column])
    known = [normal_text(text or "") in marks.values for text in texts] + ["" in marks.values]
    marked: np.ndarray = np.array(known)[indices]
    return marked


def _totals(table: Table, items: Collection[int]) -> np.ndarray:
    """Positions among the last rows where a word such as "Total" stands beside numbers that are no answers."""
    n_rows = len(table.rows)
    last = range(max(n_rows - _LAST_ROWS, 0), n_rows)
    found = []
    for position in last:
        cells = {
            i: text.strip()
            for i, column in enumerate(table.columns)
            if (text := column[position].as_py()) and text.strip()
        }
        words = {i for i, text in cells.items() if i not in items and _is_total(table, i, text)}
        numbers = {i: parse_number(text.rstrip("% ")) for i, text in cells.items() if i not in words}
        if not words or not numbers or None in numbers.values():
            continue
        for column in numbers.keys() & set(items):
            number = numbers[column] or 0.0
            if number != int(number) or number > _highest(table, column, position):
                found.append(position)
                break
    return np.array(found, dtype=int)


def _is_total(table: Table, column: int, text: str) -> bool:
    """Whether a text is a word for a total, and stands but once in its column: it is no unit of that name."""
    word = normal_text(text)
    if word not in _TOTALS:
        return False
    texts, indices = distinct(table.columns[column])
    same = [i for i, other in enumerate(texts) if other and normal_text(other) == word]
    return int(np.isin(indices, same).sum()) == 1


def _highest(table: Table, column: int, but: int) -> float:
    """The highest number in a column beside that of one row; 0 where there is none."""
    texts, indices = distinct(table.columns[column])
    others = np.unique(np.delete(indices, but))
    return max((parse_number(normal_text(texts[i] or "")) or 0.0 for i in others if i >= 0), default=0.0)
