"""Native charts of slides, whose embedded workbook holds the numbers of the chart as plain values and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lxml import etree
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import (
    XL_AXIS_CROSSES,
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_LEGEND_POSITION,
    XL_TICK_LABEL_POSITION,
)
from pptx.enum.dml import MSO_PATTERN
from pptx.util import Pt

from servicediag.escaping import excel_text, starts_like_formula
from servicediag.files import new_workbook
from servicediag.report.office import CREATED, FONT, describe
from servicediag.report.slide_content import Chart, Series
from servicediag.report.theme import Theme, mix, readable_on

__all__ = ["add_chart"]

_C = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_INK, _RULE = RGBColor(0x33, 0x33, 0x33), RGBColor(0xD9, 0xD9, 0xD9)


def add_chart(slide: Any, chart: Chart, theme: Theme, box: tuple[int, int, int, int]) -> Any:
    """Draw a chart into a box of a slide, and give it its alt text."""
    data = _Data(chart)
    kind = XL_CHART_TYPE.BAR_STACKED_100 if chart.kind == "shares" else XL_CHART_TYPE.BAR_CLUSTERED
    shape = slide.shapes.add_chart(kind, *box, data)
    describe(shape._element.nvGraphicFramePr.cNvPr, chart.alt)
    drawn = shape.chart
    drawn.font.size, drawn.font.name = Pt(12 if len(chart.categories) <= 12 else 10), FONT
    drawn.font.color.rgb = _INK
    drawn.has_title = False
    drawn.has_legend = len(chart.series) > 1
    if drawn.has_legend:
        drawn.legend.position, drawn.legend.include_in_layout = XL_LEGEND_POSITION.BOTTOM, False
    _axes(drawn, chart)
    plot = drawn.plots[0]
    plot.gap_width = 45
    plot.overlap = 100 if chart.kind in ("shares", "one_each") else -5
    colours = _colours(chart, theme)
    for position, (series, drawn_series) in enumerate(zip(chart.series, plot.series, strict=True)):
        _paint(drawn_series, colours[position], hatched=series.hatched)
        if chart.kind == "shares":
            _label_inside(drawn_series, series, colours[position], chart.label_format)
        elif series.has_intervals:
            _error_bars(drawn_series._element, data, position)
        else:
            _label_at_end(drawn_series, chart)
    return shape


class _Data(CategoryChartData):
    """Chart data with a workbook of its own: text stays text, and the interval's ends are there to be edited."""

    def __init__(self, chart: Chart) -> None:
        super().__init__(number_format=chart.number_format)  # type: ignore[no-untyped-call]
        self.chart = chart
        self.categories = chart.categories
        for series in chart.series:
            self.add_series(series.name, series.values)  # type: ignore[no-untyped-call]

    @cached_property
    def intervals(self) -> list[tuple[int, str, Sequence[float | None]]]:
        """Of each series with intervals: its position, which end, and how far that end is from the value."""
        found: list[tuple[int, str, Sequence[float | None]]] = []
        for position, series in enumerate(self.chart.series):
            if series.has_intervals:
                found.append((position, "minus", _distances(series.low, series.values)))
                found.append((position, "plus", _distances(series.values, series.high)))
        return found

    def interval_column(self, position: int, end: str) -> int:
        """The column of the sheet, from 0, that holds one end of the intervals of a series."""
        ends = [(at, name) for at, name, _ in self.intervals]
        return 1 + len(self.chart.series) + ends.index((position, end))

    @property
    def xlsx_blob(self) -> bytes:
        with TemporaryDirectory(prefix="servicediag-") as folder:
            file = Path(folder) / "chart.xlsx"
            with new_workbook(file) as book:
                book.set_properties({"created": CREATED})
                self._write(book.add_worksheet("Sheet1"), book.add_format({"quote_prefix": True}))
            return file.read_bytes()

    def _write(self, sheet: Any, quoted: Any) -> None:
        def write(row: int, column: int, words: str) -> None:
            sheet.write_string(row, column, excel_text(words), quoted if starts_like_formula(words) else None)

        for row, category in enumerate(self.chart.categories, start=1):
            write(row, 0, category)
        columns: list[tuple[str, Sequence[float | None]]] = [(s.name, s.values) for s in self.chart.series]
        columns += [(self.chart.series[at].name + self.chart.end_labels[end], values)
                    for at, end, values in self.intervals]  # fmt: skip
        for column, (name, values) in enumerate(columns, start=1):
            write(0, column, name)
            for row, value in enumerate(values, start=1):
                if value is not None:
                    sheet.write_number(row, column, value)


def _distances(low: Sequence[float | None], high: Sequence[float | None]) -> list[float | None]:
    return [None if a is None or b is None else round(b - a, 6) for a, b in zip(low, high, strict=True)]


def _colours(chart: Chart, theme: Theme) -> list[str]:
    if chart.kind == "shares":
        return _diverging(theme, len(chart.series))
    roles = {"primary": theme.primary, "accent": theme.accent, "muted": "#8c8c8c"}
    return [roles[series.role] for series in chart.series]


def _diverging(theme: Theme, n: int) -> list[str]:
    """From the accent over a light grey to the primary colour; the middle is set apart where there is one."""
    half = n // 2
    strengths = [1 - 0.62 * step / max(1, half) for step in range(half)]
    worse = [mix(theme.accent, "#ffffff", strength) for strength in strengths]
    better = [mix(theme.primary, "#ffffff", strength) for strength in reversed(strengths)]
    return [*worse, *(["#d9d9d9"] if n % 2 else []), *better]


def _axes(drawn: Any, chart: Chart) -> None:
    names, values = drawn.category_axis, drawn.value_axis
    names.reverse_order = True
    # the first category stands at the top, and the numbers still below the bars
    values._element.crosses.val = XL_AXIS_CROSSES.MAXIMUM
    names.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    names.has_major_gridlines = False
    names.format.line.color.rgb = RGBColor(0x80, 0x80, 0x80)
    values.minimum_scale, values.maximum_scale = chart.minimum, chart.maximum
    values.has_major_gridlines = True
    values.major_gridlines.format.line.color.rgb = _RULE
    values.tick_labels.number_format, values.tick_labels.number_format_is_linked = chart.number_format, False
    values.format.line.fill.background()
    values.has_title = True
    values.axis_title.text_frame.text = chart.axis
    run = values.axis_title.text_frame.paragraphs[0].runs[0]
    run.font.size, run.font.bold, run.font.color.rgb = Pt(12), False, _INK


def _paint(series: Any, colour: str, *, hatched: bool) -> None:
    series.invert_if_negative = False
    fill, rgb = series.format.fill, RGBColor.from_string(colour[1:].upper())
    if hatched:
        fill.patterned()
        fill.pattern = MSO_PATTERN.WIDE_UPWARD_DIAGONAL
        fill.fore_color.rgb, fill.back_color.rgb = rgb, RGBColor(0xFF, 0xFF, 0xFF)
    else:
        fill.solid()
        fill.fore_color.rgb = rgb
    series.format.line.color.rgb = rgb if hatched else RGBColor(0xFF, 0xFF, 0xFF)
    series.format.line.width = Pt(0.75)


def _label_inside(series: Any, content: Series, colour: str, number_format: str) -> None:
    labels = series.data_labels
    labels.show_value, labels.position = True, XL_LABEL_POSITION.CENTER
    labels.number_format, labels.number_format_is_linked = number_format, False
    labels.font.size, labels.font.color.rgb = Pt(11), RGBColor.from_string(readable_on(colour)[1:].upper())
    for position, value in enumerate(content.values):
        if value is None or value < 0.045:
            # no room for a number; the workbook of the chart holds it
            label = series.points[position].data_label
            label.has_text_frame = True
            label.text_frame.text = ""


def _label_at_end(series: Any, chart: Chart) -> None:
    labels = series.data_labels
    labels.show_value, labels.position = True, XL_LABEL_POSITION.OUTSIDE_END
    labels.number_format, labels.number_format_is_linked = chart.label_format, False
    labels.font.size = Pt(11 if len(chart.categories) * len(chart.series) <= 16 else 9)


def _error_bars(series: Any, data: _Data, position: int) -> None:
    """Interval lines, which read their lengths from the chart's workbook."""
    rows = len(data.chart.categories)
    bars = etree.SubElement(series, f"{{{_C}}}errBars")
    for name, value in (("errBarType", "both"), ("errValType", "cust"), ("noEndCap", "0")):
        etree.SubElement(bars, f"{{{_C}}}{name}").set("val", value)
    for end in ("plus", "minus"):
        column = data.interval_column(position, end)
        letter = _column_letter(column)
        reference = etree.SubElement(etree.SubElement(bars, f"{{{_C}}}{end}"), f"{{{_C}}}numRef")
        etree.SubElement(reference, f"{{{_C}}}f").text = f"Sheet1!${letter}$2:${letter}${rows + 1}"
        cache = etree.SubElement(reference, f"{{{_C}}}numCache")
        etree.SubElement(cache, f"{{{_C}}}formatCode").text = "General"
        etree.SubElement(cache, f"{{{_C}}}ptCount").set("val", str(rows))
        values = next(values for at, name, values in data.intervals if (at, name) == (position, end))
        for index, distance in enumerate(values):
            if distance is not None:
                point = etree.SubElement(cache, f"{{{_C}}}pt")
                point.set("idx", str(index))
                etree.SubElement(point, f"{{{_C}}}v").text = repr(float(distance))
    bars.append(etree.fromstring(
        f'<c:spPr xmlns:c="{_C}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        '<a:ln w="15875"><a:solidFill><a:srgbClr val="1A1A1A"/></a:solidFill></a:ln></c:spPr>'))  # fmt: skip
    # the schema wants the bars just before the categories
    series.find(f"{{{_C}}}cat").addprevious(bars)


def _column_letter(column: int) -> str:
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(column))
