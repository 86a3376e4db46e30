"""Yandex Forms: pairs of question and answer, of which the reader made a row of questions and rows of answers."""

from __future__ import annotations

from servicediag.responses.platforms.layout import Layout, fold, tidy
from servicediag.responses.readers import Grid

__all__ = ["layout"]

_OWN = frozenset(fold(name) for name in ("ID", "Время создания", "Набрано баллов", "Всего баллов", "Результат теста"))
_SEPARATOR = " / "


def layout(grid: Grid) -> Layout:
    """The questions as headings; what follows each slash may be the question's own text."""
    rows = grid.top(1)
    headings = tidy(rows[0]) if rows else ()
    return Layout(
        "yandex_forms",
        headings,
        1,
        questions=tuple(_questions(heading) for heading in headings),
        no_items=frozenset(i for i, name in enumerate(headings) if not name or fold(name) in _OWN),
        why="every answer is a list of pairs of question and answer",
        positional=True,
        list_numbers=True,
    )


def _questions(heading: str) -> tuple[str, ...]:
    parts = heading.split(_SEPARATOR)
    tails = [_SEPARATOR.join(parts[start:]) for start in range(1, len(parts))]
    heads = [_SEPARATOR.join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]
    return tuple(text for text in (*tails, *heads) if text.strip())
