"""Native charts of the workbook; each shows cells of its own sheet and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from servicediag.report.charts import STATES
from servicediag.report.labels import Labels
from servicediag.report.plain_text import shorten
from servicediag.report.tables import Table
from servicediag.report.theme import Theme, mix
from servicediag.wording.numbers import cell_formats

__all__ = ["answer_charts", "readiness_chart", "wave_charts"]

MOST_CHARTS, MOST_BARS = 12, 40
_GRID = {"visible": True, "line": {"color": "#d9d9d9"}}
_PLAIN, _MIDDLE = "#9a9a9a", "#bdbdbd"


def readiness_chart(book: Any, sheet: Any, table: Table, labels: Labels, theme: Theme) -> bool:
    """Bars of know, want and can below the table; gives whether there is a chart."""
    names = [column.name for column in table.columns]
    if not table.rows or not {"unit", *STATES} <= set(names):
        return False
    title, last = labels.say("sheet.readiness.title"), len(table.rows)
    patterned = {"pattern": {"pattern": "dark_upward_diagonal", "fg_color": theme.accent, "bg_color": "#ffffff"}}
    looks: tuple[dict[str, Any], ...] = (_filled(_PLAIN), _filled(theme.primary), patterned)
    chart = book.add_chart({"type": "bar"})
    for state, look in zip(STATES, looks, strict=True):
        chart.add_series(_series(title, (1, last), names.index("unit"), names.index(state), 60, look))
    _finish(chart, labels.say("workbook.readiness_chart"), theme, {"min": 0, "max": 100, "major_gridlines": _GRID})
    chart.set_size({"width": 760, "height": 120 + 46 * min(last, MOST_BARS)})
    text = labels.say("workbook.readiness_alt", finding=labels.say("count.units", count=last))
    sheet.insert_chart(last + 2, 0, chart, {"description": text})
    return True


def wave_charts(book: Any, sheet: Any, table: Table, labels: Labels, theme: Theme) -> None:
    """Health of the whole organisation at both waves, a chart for each pair of waves, right of the table."""
    names = [column.name for column in table.columns]
    if not {"unit", "dimension", "first_wave", "second_wave", "first_health", "second_health"} <= set(names):
        return
    place = [names.index(name) for name in ("first_wave", "second_wave")]
    charts = []
    for key, first, last in _runs(table, labels, place):
        chart = book.add_chart({"type": "bar"})
        for column, colour in (("first_health", _PLAIN), ("second_health", theme.primary)):
            chart.add_series(_series(labels.say("sheet.waves.title"), (first, last), names.index("dimension"),
                                     names.index(column), 50, _filled(colour)))  # fmt: skip
        _finish(chart, labels.say("workbook.changes_chart"), theme, {"min": 0, "max": 100, "major_gridlines": _GRID})
        text = labels.say("workbook.changes_alt", first=key[0], second=key[1])
        charts.append((chart, text, 120 + 34 * (last - first + 1)))
    _stack(sheet, len(names) + 1, charts)


def answer_charts(book: Any, sheet: Any, table: Table, labels: Labels, theme: Theme) -> None:
    """Shares of the answers of the whole organisation, stacked, a chart a questionnaire and scale."""
    names = [column.name for column in table.columns]
    shares = [position for position, name in enumerate(names) if name.startswith("share_")]
    kept = [names.index(name) for name in ("instrument", "rater", "form", "wave", "options") if name in names]
    if not shares or "text" not in names:
        return
    charts = []
    for key, first, last in _runs(table, labels, kept):
        used = [position for position in shares if table.rows[first - 1][position] is not None]
        chart = book.add_chart({"type": "bar", "subtype": "percent_stacked"})
        for position, colour in zip(used, _graded(theme, len(used)), strict=True):
            series = _series(labels.say("sheet.answers.title"), (first, last), names.index("text"), position, 40,
                             _filled(colour))  # fmt: skip
            chart.add_series({**series, "border": {"color": "#ffffff"}})
        title = labels.clauses(str(part) for part in key[:2] if part is not None)
        axis = {"num_format": cell_formats(labels.language)["share"], "major_gridlines": _GRID}
        _finish(chart, labels.say("workbook.answers_chart", questionnaire=shorten(title, 80)), theme, axis)
        text = labels.say("workbook.answers_alt", questionnaire=labels.say("mark.stop").join((title, str(key[-1]))))
        charts.append((chart, text, 120 + 30 * (last - first + 1)))
    _stack(sheet, len(names) + 1, charts[:MOST_CHARTS])


def _runs(table: Table, labels: Labels, columns: Sequence[int]) -> list[tuple[tuple[Any, ...], int, int]]:
    """Runs of rows of the whole organisation that agree in those columns, by their first and last row in the sheet."""
    whole = labels.unit(None)
    unit = [column.name for column in table.columns].index("unit")
    rows = [(number, row) for number, row in enumerate(table.rows, start=1) if row[unit] == whole]
    runs = []
    for key, run in groupby(rows, key=lambda entry: tuple(entry[1][column] for column in columns)):
        numbers = [number for number, _ in run]
        if numbers[-1] - numbers[0] + 1 == len(numbers):
            runs.append((key, numbers[0], min(numbers[-1], numbers[0] + MOST_BARS - 1)))
    return runs


def _series(sheet: str, rows: tuple[int, int], names: int, values: int, gap: int, look: Mapping[str, Any]) -> Any:
    return {"name": [sheet, 0, values], "categories": [sheet, rows[0], names, rows[1], names],
            "values": [sheet, rows[0], values, rows[1], values], "gap": gap, **look}  # fmt: skip


def _finish(chart: Any, title: str, theme: Theme, axis: dict[str, Any]) -> None:
    chart.set_title({"name": title, "name_font": {"size": 12, "color": theme.primary}})
    chart.set_x_axis(axis)
    chart.set_y_axis({"reverse": True, "num_font": {"size": 9}})
    chart.set_legend({"position": "bottom"})


def _stack(sheet: Any, column: int, charts: Sequence[tuple[Any, str, int]]) -> None:
    """Charts one below the other, right of the table."""
    top = 0
    for chart, text, height in charts:
        chart.set_size({"width": 900, "height": height})
        sheet.insert_chart(1, column, chart, {"y_offset": top, "description": text})
        top += height + 20


def _graded(theme: Theme, count: int) -> list[str]:
    """From one colour of the theme over grey to the other, in the order of the scale."""
    half = count // 2
    low = [mix(theme.accent, "#ffffff", 1 - 0.5 * step / max(1, half)) for step in range(half)]
    high = [mix(theme.primary, "#ffffff", 1 - 0.5 * step / max(1, half)) for step in range(half)]
    return [*low, *([_MIDDLE] if count % 2 else []), *reversed(high)]


def _filled(colour: str) -> dict[str, Any]:
    return {"fill": {"color": colour}}
