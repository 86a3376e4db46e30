"""Tables as values: which columns, what they count, and the rows, for the page and the workbook alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from servicediag.report.cells import Cells, Grouping, Panel
from servicediag.report.columns import COEFFICIENTS, COUNTS
from servicediag.report.labels import Labels
from servicediag.report.publication import blank_to_none
from servicediag.report.story import Story
from servicediag.wording import numbers

__all__ = [
    "CODED", "FRAME_KINDS", "KIND_OF", "MOST_ROWS", "Column", "Table", "all_columns", "columns_of", "frame_table",
    "health_table", "limited", "shown", "watch_table", "without_column", "without_empty",
]  # fmt: skip

_KINDS = {
    "count": COUNTS,
    "points": ("mean", "sd", "ci_low", "ci_high", "health", "minimum_detectable_gap", "know", "want", "can", "sem"),
    "signed": ("gap", "gap_low", "gap_high", "shrunk_gap", "shortfall"),
    "share": ("share",),
    "probability": ("p_lowest_know", "p_lowest_want", "p_lowest_can"),
    "p": ("q_value", "q_minimum_effect"),
    "coefficient": tuple(name for name in COEFFICIENTS if name != "sem"),
}
FRAME_KINDS: Mapping[str, Mapping[str, str]] = {
    "indicators": {"ci_low": "share", "ci_high": "share"},
    "comparisons": {
        **dict.fromkeys(("inner_health", "outer_health"), "points"),
        **dict.fromkeys(("superiority", "superiority_low", "superiority_high"), "share"), "superiority_p": "p",
        **dict.fromkeys(("difference", "ci_low", "ci_high", "ci_low_90", "ci_high_90"), "signed"),
    },
    "patterns": dict.fromkeys(("manager", "employee", "customer"), "points"),
    "changes": {
        **dict.fromkeys(("first_health", "second_health"), "points"),
        **dict.fromkeys(("change", "ci_low", "ci_high"), "signed"),
    },
    "agreement": {"sd_share_of_maximum": "share", "average_deviation": "coefficient"},
    "indexes": dict.fromkeys(("estimate", "ci_low", "ci_high"), "value"),
    "operations": dict.fromkeys(("value", "other_units", "target"), "value"),
    "not_measured": {"gap": "text", "code": "text"},
}  # fmt: skip
"""What columns count in one table only."""
MOST_ROWS = 300
"""Rows of one table on the page; the workbook holds all."""
KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
CODED = (
    "tier",
    "severity",
    "direction",
    "rater",
    "kind",
    "status",
    "side",
    "evidence_tag",
    "rule",
    "direction_of_scale",
    "bottleneck",
    "verdict",
    "scored",
    "design",
    "pattern",
    "equivalence",
    "by",
    "form",
    "scope",
    "theme",
)
_CODED_AS = {"inner_rater": "rater", "outer_rater": "rater", "target_equivalence": "equivalence",
             "target_verdict": "verdict",
             "inner_form": "form", "outer_form": "form"}  # fmt: skip
_SHOWS: Mapping[str, Callable[[Any, str], str]] = {
    "count": lambda value, language: numbers.number(value, 0, language),
    "points": lambda value, language: numbers.number(value, 1, language),
    "signed": lambda value, language: numbers.signed(value, 1, language),
    "coefficient": lambda value, language: numbers.number(value, 2, language),
    "value": lambda value, language: numbers.number(value, 2, language),
    "share": numbers.percent, "probability": numbers.probability, "p": numbers.p_value,
}  # fmt: skip
_BESIDE = {"unit": "by", "dimension": "instrument", "category": "background", "part": "index", "severity": "tier",
           "direction": "tier"}  # fmt: skip
"""Columns whose words depend on another column of the row."""


@dataclass(frozen=True)
class Column:
    """One column: its name in the data, its heading, and what its values count."""

    name: str
    label: str
    kind: str

    @property
    def numeric(self) -> bool:
        return self.kind != "text"


@dataclass(frozen=True)
class Table:
    """A caption, columns, and rows of plain values (None where there is nothing)."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __bool__(self) -> bool:
        return bool(self.rows)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        return tuple(column.kind for column in self.columns)

    def cells(self, language: str = "en") -> list[list[str]]:
        """The rows as the reader of that language sees them."""
        return [[shown(v, c.kind, language) for v, c in zip(row, self.columns, strict=True)] for row in self.rows]


def shown(value: Any, kind: str, language: str = "en") -> str:
    """A value as text: points with one decimal, differences with their sign, shares as per cent.

    Examples
    --------
    >>> shown(-4.25, "signed"), shown(0.314, "share"), shown(None, "points"), shown(12, "count")
    ('−4.3', '31%', '', '12')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    show = _SHOWS.get(kind)
    return str(value) if show is None else show(value, language)


def columns_of(names: Iterable[str], labels: Labels, kinds: Mapping[str, str] | None = None) -> tuple[Column, ...]:
    """Columns with their headings; ``kinds`` overrides what a column counts."""
    chosen = {**KIND_OF, **(kinds or {})}
    return tuple(Column(name, labels.column(name), chosen.get(name, "text")) for name in names)


def frame_table(
    frame: pd.DataFrame, names: Sequence[str], labels: Labels, *, caption: str = "",
    kinds: Mapping[str, str] | None = None, raw: Sequence[str] = (),
) -> Table:  # fmt: skip
    """Those columns of a frame, codes as words except in ``raw``; columns that the frame lacks are left out."""
    columns = columns_of([name for name in names if name in frame.columns], labels, kinds)
    filled = [_plain_values(frame, c.name) if c.name in raw else _words(frame, c, labels) for c in columns]
    return Table(caption, columns, tuple(zip(*filled, strict=True)))


def all_columns(frame: pd.DataFrame, first: Sequence[str]) -> list[str]:
    """The columns of a frame, the documented ones first."""
    return [*(n for n in first if n in frame.columns), *(str(n) for n in frame.columns if n not in first)]


def health_table(
    labels: Labels, cells: Cells, grouping: Grouping, units: Sequence[str | None], panel: Panel, caption: str
) -> Table:
    """Health of units (rows) by the dimensions of one questionnaire (columns)."""
    columns = [Column("unit", labels.column("unit"), "text")]
    columns += [Column(d, labels.dimension(panel.instrument, d), "points") for d in panel.dimensions]
    rows = []
    for unit in units:
        row: list[Any] = [labels.unit(unit)]
        for dimension in panel.dimensions:
            cell = cells.get(grouping, unit, panel, dimension)
            if cell is not None:
                row.append(cell["health"])
            else:
                row.append(labels.say("withheld") if cells.is_withheld(grouping, unit, panel, dimension) else None)
        rows.append(tuple(row))
    return Table(caption, tuple(columns), tuple(rows))


def without_column(table: Table, name: str) -> Table:
    """Without one column, if every row can still be told from the others by its texts; else the table as it is."""
    texts = [i for i, c in enumerate(table.columns) if not c.numeric and c.name != name]
    if len({tuple(row[i] for i in texts) for row in table.rows}) < len(table.rows):
        return table
    kept = [i for i, c in enumerate(table.columns) if c.name != name]
    return replace(table, columns=tuple(table.columns[i] for i in kept),
                   rows=tuple(tuple(row[i] for i in kept) for row in table.rows))  # fmt: skip


def watch_table(stories: Iterable[Story], labels: Labels, caption: str) -> Table:
    """A row a gap to watch, with what would settle it."""
    columns = columns_of(("place", "estimate_text", "n", "settle"), labels)
    rows = [(story.place, story.estimate, story.finding.n, labels.joined("sentences", story.open)) for story in stories]
    return Table(caption, columns, tuple(rows))


def without_empty(table: Table, keep: Sequence[str] = ()) -> Table:
    """Without the columns that hold nothing."""
    used = [
        i for i, c in enumerate(table.columns) if c.name in keep or any(row[i] not in (None, "") for row in table.rows)
    ]
    return replace(table, columns=tuple(table.columns[i] for i in used),
                   rows=tuple(tuple(row[i] for i in used) for row in table.rows))  # fmt: skip


def limited(table: Table, labels: Labels) -> Table:
    """The first rows of a table that is too long for a page, which its caption then says."""
    if len(table.rows) <= MOST_ROWS:
        return table
    cut = labels.say("table.cut", shown=MOST_ROWS, all=len(table.rows))
    return replace(table, caption=f"{table.caption} ({cut})", rows=table.rows[:MOST_ROWS])


def _words(frame: pd.DataFrame, column: Column, labels: Labels) -> list[Any]:
    """The values of a column as words; what comes again and again is looked up once."""
    values = _plain_values(frame, column.name)
    if column.numeric:
        return values
    beside = _BESIDE.get(column.name)
    others = _plain_values(frame, beside) if beside and beside in frame.columns else [""] * len(values)
    pairs = list(zip(values, others, strict=True))
    words = {pair: _word(column.name, *pair, labels) for pair in dict.fromkeys(pairs)}
    return [words[pair] for pair in pairs]


def _plain_values(frame: pd.DataFrame, name: str) -> list[Any]:
    return [blank_to_none(value) for value in frame[name].tolist()]


def _word(name: str, value: Any, beside: Any, labels: Labels) -> Any:
    """One value of a column in words; ``beside`` is what the column it depends on holds in the same row."""
    if name == "unit":
        return labels.say("several_units") if value is None and beside else labels.unit(value)
    if value is None or (name in ("severity", "direction") and beside is None):
        return None
    if name == "instrument":
        return labels.instrument(value)
    if name == "dimension":
        return labels.dimension(beside, value)
    if name == "background":
        return labels.background(value)
    if name == "category":
        return labels.category(beside, value)
    if name == "part":
        return labels.part(beside, value)
    if name == "index":
        return labels.index(value)
    if name == "gap" and isinstance(value, str):
        word = labels.value("kind", value)
        return labels.index(value) if word == value else word
    if name == "code" and isinstance(value, str):
        return labels.value("code", value)
    if name in CODED or name in _CODED_AS:
        return labels.value(_CODED_AS.get(name, name), value)
    return value
