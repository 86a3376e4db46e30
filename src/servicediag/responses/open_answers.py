"""Open answers (comments): the columns that the caller names, and what in them is no comment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from servicediag.errors import Issue
from servicediag.escaping import encodable
from servicediag.responses.matching import Match, close_names
from servicediag.responses.normalise import normal_text
from servicediag.responses.readers import Table, distinct

__all__ = ["find_comments", "is_comment", "item_faults", "kept_comments", "read_comments", "wanted_comments"]

_NOTHING_SAID = frozenset({
    "n/a", "na", "n.a", "nil", "no", "nope", "none", "nothing", "no comment", "no comments", "not applicable",
    "nothing to add", "nothing to say", "nothing else", "no answer", "no opinion", "don't know", "i don't know",
    "no aplica", "ninguno", "ninguna", "nada", "sin comentarios", "sin comentario", "ningun comentario",
    "ningún comentario", "nada que añadir", "nada que agregar", "nada más", "sin respuesta", "no sé", "no se", "s/c",
    "нет", "ничего", "никаких", "нет комментариев", "без комментариев", "нет комментария", "комментариев нет",
    "нечего добавить", "нечего сказать", "ничего не могу сказать", "не знаю", "не применимо", "затрудняюсь ответить",
    "нет ответа", "н/д", "н/п",
    "无", "無", "没有", "沒有", "暂无", "暫無", "没", "没有意见", "无意见", "没有建议", "无建议", "不知道", "不适用",
    "不清楚", "没什么", "没有了", "无评论", "没有评论", "没有补充", "无补充",
})  # fmt: skip
"""Answers that say that there is nothing to say, in normal form."""
_MOST_NAMED = 3
_LONGEST_NOTHING = 60
"""Characters that none of them has, spaces around it included."""


def wanted_comments(comments: str | Sequence[str]) -> tuple[str, ...]:
    """The headings that the caller names, each once.

    Raises
    ------
    TypeError
        Something else than texts.
    """
    if isinstance(comments, bytes) or not isinstance(comments, Iterable):
        raise TypeError(f"comments={comments!r} must be headings of columns")
    names = (comments,) if isinstance(comments, str) else tuple(comments)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise TypeError(f"comments={wrong[0]!r} must be headings of columns")
    return tuple(dict.fromkeys(names))


def find_comments(table: Table, asked: Sequence[str], taken: Mapping[int, str], issues: list[Issue]) -> dict[str, int]:
    """Heading and column of each open answer; a heading that is not there, or serves for something else, is a fault."""
    found: dict[str, int] = {}
    for name in asked:
        columns = table.called(name)
        if not columns:
            problem = f"There is no column {name!r} for comments=."
            issues.append(Issue("missing_comments", "error", table.where(), problem, _near(name, table)))
        elif len(columns) > 1:
            remedy = f"Name one of them: comments={table.names[columns[0]]!r}."
            problem = f"Several columns are called {name!r}."
            issues.append(Issue("duplicate_match", "error", table.where(), problem, remedy))
        elif columns[0] in taken:
            problem = f"Column {name!r} was named for comments=, but it holds the {taken[columns[0]]}."
            issues.append(Issue("comments_in_use", "error", table.where(columns[0]), problem, "Check comments=."))
        elif columns[0] not in found.values():
            found[table.names[columns[0]]] = columns[0]
    return found


def _near(name: str, table: Table) -> str:
    """Headings that look like the name, or else hold it, as a remedy."""
    holding = [repr(heading) for heading in table.names if normal_text(name) in normal_text(heading)]
    found = f"Did you mean {' or '.join(holding[:_MOST_NAMED])}?" if normal_text(name) and holding else ""
    return close_names(name, table.names) or found or "Check comments=."


def item_faults(table: Table, comments: Mapping[str, int], matches: Sequence[Match]) -> Iterator[Issue]:
    """A fault for every column of comments that holds an item."""
    items = {column: match.item for match in matches for column in (match.column, *match.twins)}
    for name, column in comments.items():
        if column in items:
            problem = f"Column {name!r} was named for comments=, but it holds the item {items[column]}."
            yield Issue("comments_in_use", "error", table.where(column), problem, "Check comments=.")


def read_comments(table: Table, columns: Mapping[str, int], kept: np.ndarray) -> dict[str, np.ndarray]:
    """The open answers of the respondents that were kept; empty text where somebody wrote nothing."""
    read = {}
    for name, column in columns.items():
        texts, indices = distinct(table.columns[column])
        said = [encodable(text).strip() if text and is_comment(text) else "" for text in texts]
        read[name] = np.array([*said, ""], dtype=object)[indices[kept]]
    return read


def kept_comments(table: Table, columns: Mapping[str, int], comments: Mapping[str, np.ndarray]) -> Iterator[Issue]:
    """A note on every column of comments: how many respondents wrote something."""
    for name, texts in comments.items():
        written = int((texts != "").sum())
        problem = f"Column {name!r} is kept as open answers; {written:,} of {len(texts):,} respondents wrote something."
        yield Issue("kept_comments", "note", table.where(columns[name]), problem)


def is_comment(text: str) -> bool:
    """Whether a text says something: it holds a letter or digit, and is not one of the usual words for nothing.

    Examples
    --------
    >>> is_comment("The queue is long."), is_comment(" - "), is_comment("No comment."), is_comment("无")
    (True, False, False, False)
    """
    return any(map(str.isalnum, text)) and (len(text) > _LONGEST_NOTHING or normal_text(text) not in _NOTHING_SAID)
