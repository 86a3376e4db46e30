"""Figures of the page: a heading that says the finding, the drawing, how to read it, and the table beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from servicediag.report import charts
from servicediag.report.cells import Cells, Grouping, groupings, panels, units_of
from servicediag.report.charts import Frame
from servicediag.report.marks import in_language
from servicediag.report.svg import to_svg
from servicediag.report.tables import (
    FRAME_KINDS,
    Table,
    frame_table,
    health_table,
    limited,
    without_column,
    without_empty,
)

__all__ = [
    "Figure", "cut_note", "dumbbell_figures", "gap_figures", "heatmap_figures", "make_figure", "readiness_figures",
    "with_place",
]  # fmt: skip

GAP_COLUMNS = ("unit", "dimension", "rater", "gap", "gap_low", "gap_high", "n", "tier", "severity", "q_value",
               "minimum_detectable_gap", "instrument", "by", "wave")  # fmt: skip
COMPARISON_COLUMNS = ("unit", "dimension", "inner_rater", "outer_rater", "inner_health", "outer_health", "difference",
                      "ci_low", "ci_high", "inner_n", "outer_n", "tier", "verdict", "instrument", "by",
                      "wave")  # fmt: skip
PATTERN_COLUMNS = ("unit", "dimension", "pattern", "manager", "employee", "customer", "instrument", "by", "wave")
READINESS_COLUMNS = ("unit", "n", "know", "want", "can", "p_lowest_know", "p_lowest_want", "p_lowest_can", "bottleneck",
                     "verdict")  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One figure; ``svg`` is markup made by us, everything else is plain text."""

    id: str
    heading: str
    reading: str
    svg: str
    tables: tuple[Table, ...]


def heatmap_figures(frame: Frame) -> list[Figure]:
    """One heatmap for every grouping and wave."""
    figures = []
    for position, grouping in enumerate(groupings(frame.diagnosis), start=1):
        chart = charts.heatmap(frame, grouping)
        if chart is None:
            continue
        units: list[str | None] = [None, *units_of(frame.diagnosis, grouping.by)]
        cells = Cells(frame.diagnosis)
        tables = tuple(
            health_table(frame.labels, cells, grouping, units, panel, charts.panel_title(frame, panel))
            for panel in panels(frame.diagnosis, grouping.wave)
        )
        reading = [frame.labels.say("figure.heatmap.reading"), *cut_note(frame, len(units) - 1)]
        figures.append(
            make_figure(
                frame,
                f"heatmap-{position}",
                chart,
                with_place(frame, grouping, _lowest(frame, grouping)),
                reading,
                tables,
            )
        )
    return figures


def gap_figures(frame: Frame) -> list[Figure]:
    """One gap plot of everything that is established, likely or to watch."""
    chart = charts.gaps(frame)
    if chart is None:
        return []
    evidence = frame.diagnosis.evidence
    known = evidence[evidence["tier"].isin(charts.TIER_SHAPES) & evidence["gap"].notna()].sort_values(
        "gap", kind="stable"
    )
    counts = {tier: int((known["tier"] == tier).sum()) for tier in charts.TIER_SHAPES}
    worst = known.iloc[0]
    heading = frame.labels.say(
        "figure.gaps.heading", **counts, unit=frame.labels.within(worst["unit"]), gap=frame.labels.signed(worst["gap"]),
        dimension=frame.labels.dimension(worst["instrument"], worst["dimension"]))  # fmt: skip
    smallest = frame.labels.number(charts.smallest_gap(frame.diagnosis), 0)
    reading = [frame.labels.say("figure.gaps.reading", gap=smallest), *cut_note(frame, len(known))]
    table = frame_table(known, GAP_COLUMNS, frame.labels, caption=frame.labels.say("figure.gaps.table"))
    for column in ("instrument", "by"):
        table = without_column(table, column)
    return [make_figure(frame, "gaps", chart, heading, reading, (without_empty(table),))]


def readiness_figures(frame: Frame) -> list[Figure]:
    """Know, want and can for every grouping and wave that has them."""
    figures = []
    for position, grouping in enumerate(groupings(frame.diagnosis), start=1):
        chart = charts.readiness(frame, grouping)
        if chart is None:
            continue
        table = frame.diagnosis.readiness
        inside = table["by"].isna() if grouping.by is None else (table["by"] == grouping.by) | table["unit"].isna()
        inside &= table["wave"].isna() if grouping.wave is None else table["wave"] == grouping.wave
        known = table[inside]
        caption = frame.labels.say("figure.readiness.table")
        tables = (frame_table(known, READINESS_COLUMNS, frame.labels, caption=caption),)
        heading = with_place(frame, grouping, _bottlenecks(frame, known))
        reading = [frame.labels.say("figure.readiness.reading"), *cut_note(frame, len(known) - 1)]
        figures.append(make_figure(frame, f"readiness-{position}", chart, heading, reading, tables))
    return figures


def dumbbell_figures(frame: Frame) -> list[Figure]:
    """What was given beside what was received, and where two groups see the same service differently."""
    figures: list[Figure] = []
    for kind in ("provision_gap", "perception_gap"):
        chart = charts.dumbbell(frame, kind)
        if chart is None:
            continue
        chosen = [f for f in frame.diagnosis.findings if f.kind == kind and f.estimate is not None]
        widest = max(chosen, key=lambda f: abs(f.estimate or 0.0))
        heading = frame.labels.say(f"figure.{kind}.heading", estimate=frame.labels.size(widest),
                                   unit=frame.labels.within(widest.unit),
                                   dimension=frame.labels.dimension(widest.instrument, widest.dimension))  # fmt: skip
        places = {(f.by, f.unit, f.instrument, f.dimension) for f in chosen}
        evidence = frame.diagnosis.evidence
        keys = zip(evidence["by"], evidence["unit"], evidence["instrument"], evidence["dimension"], strict=True)
        sides = evidence[[key in places for key in keys]]
        table = frame_table(
            sides,
            ("unit", "dimension", "rater", "n", "health", "ci_low", "ci_high", "by"),
            frame.labels,
            caption=frame.labels.say(f"figure.{kind}.table"),
        )
        reading = [frame.labels.say(f"figure.{kind}.reading"), *cut_note(frame, len(places))]
        tables = (table, *(_comparisons(frame) if not figures else ()))
        figures.append(make_figure(frame, kind.replace("_", "-"), chart, heading, reading, tables))
    return figures


def _comparisons(frame: Frame) -> list[Table]:
    """All comparisons of two groups of raters on a dimension, and the patterns that have a name."""
    table = frame.diagnosis.comparisons
    sources = (
        ("comparisons", table[table["item"].isna()], COMPARISON_COLUMNS),
        ("patterns", frame.diagnosis.patterns, PATTERN_COLUMNS),
    )
    tables = []
    for name, rows, columns in sources:
        caption = frame.labels.say(f"figure.raters.{name}")
        found = frame_table(rows, columns, frame.labels, caption=caption, kinds=FRAME_KINDS[name])
        for column in ("instrument", "by", "wave"):
            found = without_column(found, column)
        tables.append(without_empty(found))
    return [found for found in tables if found]


def make_figure(
    frame: Frame, figure: str, chart: Any, heading: str, reading: Sequence[str], tables: tuple[Table, ...]
) -> Figure:
    """The figure with its drawing; of long tables the first rows, since the workbook holds all."""
    text = frame.labels.joined("sentences", reading)
    description = f"{text} {frame.labels.say('figure.values_below')}"
    drawing = to_svg(in_language(chart, frame.labels.language), figure=figure, title=heading, description=description)
    return Figure(figure, heading, text, drawing, tuple(limited(table, frame.labels) for table in tables))


def cut_note(frame: Frame, rows: int, most: int = charts.MAXIMUM_ROWS) -> list[str]:
    """What to say where a drawing cannot show all rows."""
    return [frame.labels.say("figure.cut", shown=most, all=rows)] if rows > most else []


def with_place(frame: Frame, grouping: Grouping, heading: str) -> str:
    """The heading, with grouping and wave before it where the report has several."""
    if len(groupings(frame.diagnosis)) < 2:
        return heading
    place = frame.labels.clauses(part for part in (frame.labels.value("by", grouping.by), grouping.wave or "") if part)
    return frame.labels.colon(place, heading) if place else heading


def _lowest(frame: Frame, grouping: Grouping) -> str:
    evidence = frame.diagnosis.evidence
    known = evidence[evidence["health"].notna() & evidence["unit"].notna()]
    if grouping.by is not None:
        known = known[known["by"] == grouping.by]
    known = known[known["wave"].isna() if grouping.wave is None else known["wave"] == grouping.wave]
    if known.empty:
        return frame.labels.say("figure.heatmap.empty")
    row = known.sort_values("health", kind="stable").iloc[0]
    return frame.labels.say(
        "figure.heatmap.heading",
        unit=frame.labels.within(row["unit"]),
        value=frame.labels.number(row["health"], 0),
        dimension=frame.labels.dimension(row["instrument"], row["dimension"]),
    )


def _bottlenecks(frame: Frame, known: Any) -> str:
    named = known[known["bottleneck"].isin(charts.STATES)]
    if named.empty:
        return frame.labels.say("figure.readiness.tied")
    entries = [
        frame.labels.say("figure.readiness.named", unit=frame.labels.within(row["unit"]),
                         state=frame.labels.say(f"readiness.{row['bottleneck']}"))
        for row in named.head(3).to_dict("records")
    ]  # fmt: skip
    more = len(named) - len(entries)
    listed = frame.labels.joined("list", entries)
    return frame.labels.say("figure.readiness.heading", named=listed) + (
        f" {frame.labels.say('figure.readiness.more', count=more)}" if more else ""
    )
