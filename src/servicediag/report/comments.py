"""Open answers as the page and the workbook show them: question by question, group by group, with their themes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import pandas as pd

from servicediag.diagnosis.model import Diagnosis
from servicediag.report.labels import Labels
from servicediag.report.publication import blank_to_none
from servicediag.report.tables import Table, all_columns, frame_table, without_empty

__all__ = ["CommentGroup", "CommentQuestion", "comment_questions", "comment_themes_table", "comments_table"]

MOST_COMMENTS, MOST_GROUPS = 200, 60
"""Comments of one group, and groups of one question, on the page; the workbook holds more."""
MOST_ROWS = 100_000
"""Comments in the workbook; the JSON report holds all."""
COMMENTS = ("unit", "comment", "question", "rater", "wave", "by", "form", "instrument", "scope")
THEMES = ("unit", "theme", "mentions", "share", "n_comments", "words", "question", "rater", "wave", "by", "form",
          "instrument", "scope")  # fmt: skip
_QUESTION = ["instrument", "form", "rater", "wave", "question"]
_THEME_OF_PAGE = ("theme", "mentions", "share", "words")


@dataclass(frozen=True)
class CommentGroup:
    """The comments of people who are listed together.

    Attributes
    ----------
    size : str
        How many comments there are.
    themes : str
        What they mention, in one line.
    cut : str
        How many of them are shown, where it is not all.
    """

    name: str
    size: str
    themes: str
    comments: tuple[str, ...]
    cut: str


@dataclass(frozen=True)
class CommentQuestion:
    """One open question: what its comments mention, and its groups.

    Attributes
    ----------
    more : str
        Where the comments of further groups are, if there are any.
    """

    title: str
    themes: Table
    groups: tuple[CommentGroup, ...]
    more: str


def comment_questions(diagnosis: Diagnosis, labels: Labels) -> list[CommentQuestion]:
    """The open questions of which comments are listed, for the page."""
    counted = _by_question(_with_places(diagnosis.comment_themes, labels))
    found = []
    for key, inside in _by_question(_with_places(diagnosis.comments, labels)).items():
        mentions = counted[key]
        groups = tuple(islice(_groups(inside, mentions, labels), MOST_GROUPS))
        # of several groups, all together stand first
        first = mentions[["scope", "unit"]].eq(mentions[["scope", "unit"]].iloc[0]).all(axis=1)
        caption = labels.say("comments.themes")
        table = without_empty(frame_table(mentions[first], _THEME_OF_PAGE, labels, caption=caption))
        more = labels.say("comments.more") if len(inside[["scope", "unit"]].drop_duplicates()) > len(groups) else ""
        found.append(CommentQuestion(_title(key, labels), table, groups, more))
    return found


def comments_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """A row a comment, for the workbook."""
    table = _sheet(diagnosis.comments, COMMENTS, labels, "sheet.comments.title")
    further = len(table.rows) - MOST_ROWS
    if further <= 0:
        return table
    note = (labels.say("comments.cut_sheet", count=further), *[None] * (len(table.columns) - 1))
    return replace(table, rows=(*table.rows[:MOST_ROWS], note))


def comment_themes_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """A row a group and theme, for the workbook."""
    return _sheet(diagnosis.comment_themes, THEMES, labels, "sheet.comment_themes.title")


def _sheet(frame: pd.DataFrame, first: tuple[str, ...], labels: Labels, caption: str) -> Table:
    told = _with_places(frame, labels)
    return without_empty(frame_table(told, all_columns(told, first), labels, caption=labels.say(caption)))


def _by_question(frame: pd.DataFrame) -> dict[tuple[Any, ...], pd.DataFrame]:
    """The rows of every question, in the order of the table."""
    rows: dict[tuple[Any, ...], list[int]] = {}
    for position, key in enumerate(frame[_QUESTION].itertuples(index=False, name=None)):
        rows.setdefault(tuple(map(blank_to_none, key)), []).append(position)
    return {key: frame.iloc[positions] for key, positions in rows.items()}


def _with_places(frame: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """The table with the words for a scope where there is no unit."""
    names = [
        labels.value("scope", scope) if unit is None or unit != unit else unit
        for unit, scope in zip(frame["unit"], frame["scope"], strict=True)
    ]
    return frame.assign(unit=pd.Series(names, index=frame.index, dtype=object))


def _groups(comments: pd.DataFrame, themes: pd.DataFrame, labels: Labels) -> Iterator[CommentGroup]:
    for (scope, unit), inside in comments.groupby(["scope", "unit"], sort=False):
        texts = tuple(map(str, inside["comment"]))
        mine = themes[(themes["scope"] == scope) & (themes["unit"] == unit)]
        told = labels.joined("list", (
            labels.colon(labels.value("theme", theme), labels.number(count, 0))
            for theme, count in zip(mine["theme"], mine["mentions"], strict=True)
        ))  # fmt: skip
        cut = labels.say("comments.cut", shown=MOST_COMMENTS, all=len(texts)) if len(texts) > MOST_COMMENTS else ""
        size = labels.say("comments.listed", count=len(texts))
        yield CommentGroup(str(unit), size, told, texts[:MOST_COMMENTS], cut)


def _title(key: tuple[Any, ...], labels: Labels) -> str:
    """The question, who answered it, and when where that is known."""
    _, _, rater, wave, question = key
    who = [labels.value("rater", rater), *([str(wave)] if wave is not None else [])]
    return labels.aside(str(question), labels.clauses(who))
