"""SPSS: the first row of the grid names the variables; labels and missing values come with the file."""

from __future__ import annotations

from servicediag.responses.platforms.layout import Layout, fold, tidy
from servicediag.responses.readers import Grid

__all__ = ["layout"]

_OWN = frozenset(("id", "case", "caseid", "respid", "respondent"))


def layout(grid: Grid) -> Layout:
    """Variable names as headings, their labels as questions."""
    rows = grid.top(1)
    headings = tidy(rows[0]) if rows else ()
    variables = grid.variables
    labels = variables.labels if variables else ("",) * len(headings)
    return Layout(
        "spss",
        headings,
        1,
        questions=tuple((label.strip(),) if label.strip() else () for label in labels),
        no_items=frozenset(i for i, name in enumerate(headings) if fold(name) in _OWN),
        why="the file is of SPSS",
        positional=True,
        variables=variables,
    )
