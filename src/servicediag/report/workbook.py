"""The Excel workbook for HR and researchers: real numbers, filters, print layout; text never becomes a formula."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from servicediag.diagnosis.model import Diagnosis
from servicediag.escaping import LONGEST_CELL, starts_like_formula
from servicediag.files import atomic_path, new_workbook
from servicediag.report import method
from servicediag.report.cells import Cells, Grouping, Panel, groupings, panels, units_of
from servicediag.report.charts import Frame, packed, panel_title
from servicediag.report.labels import Labels
from servicediag.report.logo import Logo
from servicediag.report.plain_text import display_width, longest_word
from servicediag.report.publication import printable
from servicediag.report.sheets import (
    PRINTED,
    causes_table,
    dictionary_table,
    findings_table,
    frame_sheets,
    method_tables,
)
from servicediag.report.story import brief, told_open
from servicediag.report.tables import Column, Table
from servicediag.report.theme import Theme, readable_on
from servicediag.report.version import package_version
from servicediag.report.workbook_charts import answer_charts, readiness_chart, wave_charts
from servicediag.wording.numbers import cell_formats

__all__ = ["SHEETS", "write_workbook"]

SHEETS = ("readme", "findings", "causes", "heatmap", "scales", "items", "answers", "indicators", "readiness",
          "waves", "comparisons", "agreement", "segments", "indexes", "operations", "comments", "comment_themes",
          "reliability", "quality", "not_measured", "withheld", "method", "dictionary")  # fmt: skip
ALWAYS = ("readme", "findings", "method", "dictionary")
"""Sheets that are there even where they have nothing to say; others are left out then."""
CREATED = datetime(2000, 1, 1)
HEAT_WIDTH = 13
WIDE_TEXTS = {
    "explanation": 110,
    "text": 50,
    "note": 50,
    "meaning": 80,
    "sheet": 40,
    "value": 60,
    "against": 60,
    "open": 60,
    "title": 40,
    "finding": 32,
    "consistent": 36,
    "first_action": 36,
    "comparator": 36,
    "cause": 30,
    "confirming": 36,
    "refuting": 30,
    "undetermined": 30,
    "untested": 46,
    "actions": 32,
    "options": 60,
    "what": 70,
    "settled_by": 70,
    "remark": 100,
    "part": 50,
    "comment": 100,
    "question": 50,
    "words": 70,
}
WIDE_WORD = 14
"""Columns that a heading of wide characters takes on a line."""
MARKS = {"established_worse": "▼", "likely_worse": "▽", "established_better": "▲", "likely_better": "△"}

_Properties = tuple[tuple[str, Any], ...]
_ROW_LINE: _Properties = (("bottom", 1), ("bottom_color", "#d9d9d9"))


def write_workbook(
    diagnosis: Diagnosis, path: str | Path, *, language: str | None, theme: Theme, overwrite: bool
) -> Path:
    """Write the workbook; the same diagnosis gives the same bytes."""
    published = printable(diagnosis, language)
    labels = Labels.of(published)
    with atomic_path(path, overwrite=overwrite) as temporary, new_workbook(temporary) as book:
        _Writer(book, Frame(published, labels, theme)).write()
    return Path(path)


class _Exact(float):
    """Written with the digits that it has; xlsxwriter asks for 16, which makes 92.35 another number, and longer."""

    def __format__(self, specification: str) -> str:
        return repr(float(self))


class _Writer:
    """Fills one workbook, sheet by sheet."""

    def __init__(self, book: Any, frame: Frame) -> None:
        self.book, self.frame = book, frame
        self.diagnosis, self.labels, self.theme = frame.diagnosis, frame.labels, frame.theme
        self.sheets: list[str] = []
        self._numbers = cell_formats(self.labels.language)
        self._formats: dict[_Properties, Any] = {}
        self._looks: dict[tuple[str, str, _Properties], Any] = {}
        self._longest_heads: dict[int, int] = {}  # of the columns of the heatmap

    @cached_property
    def title(self) -> str:
        return str(self.diagnosis.study.get("title") or self.labels.say("title.page"))

    def write(self) -> None:
        self.book.set_properties({"title": _limited(self.title, 200), "subject": self.labels.say("workbook.subject"),
                                  "comments": f"servicediag {package_version()}", "created": CREATED})  # fmt: skip
        tables = {
            "findings": findings_table(self.diagnosis, self.labels),
            "causes": causes_table(self.diagnosis, self.labels),
            **frame_sheets(self.diagnosis, self.labels),
        }
        tables = {key: table for key, table in tables.items() if table or key in ALWAYS}
        self.sheets = [key for key in SHEETS if key in tables or key in ALWAYS
                       or (key == "heatmap" and groupings(self.diagnosis))]  # fmt: skip
        sheets = {key: self.book.add_worksheet(self.labels.say(f"sheet.{key}.title")) for key in self.sheets}
        for key, sheet in sheets.items():
            self._page_setup(sheet, landscape=key not in ("readme", "method", "dictionary"))
        self._readme(sheets["readme"])
        for key, table in tables.items():
            self._table_sheet(sheets[key], table, PRINTED.get(key))
        if "heatmap" in sheets:
            self._heatmap(sheets["heatmap"])
        self._charts(sheets, tables)
        self._method(sheets["method"])
        self._table_sheet(sheets["dictionary"], dictionary_table(tables, self.labels))
        sheets["readme"].activate()

    def _charts(self, sheets: dict[str, Any], tables: dict[str, Table]) -> None:
        if "waves" in sheets:
            wave_charts(self.book, sheets["waves"], tables["waves"], self.labels, self.theme)
        if "answers" in sheets:
            answer_charts(self.book, sheets["answers"], tables["answers"], self.labels, self.theme)
        if "readiness" in sheets and readiness_chart(
            self.book, sheets["readiness"], tables["readiness"], self.labels, self.theme
        ):
            last = len(tables["readiness"].rows)
            sheets["readiness"].print_area(0, 0, last + 8 + int(2.4 * min(last, 40)), PRINTED["readiness"] - 1)
            if last <= 30:
                sheets["readiness"].fit_to_pages(1, 1)

    # --- cells and formats -------------------------------------------------------------------------------------------

    def style(self, **properties: Any) -> Any:
        key = tuple(properties.items())
        if key not in self._formats:
            self._formats[key] = self.book.add_format(
                {"font_name": "Arial", "font_size": 10, "valign": "top", **properties}
            )
        return self._formats[key]

    def put(self, sheet: Any, row: int, column: int, value: Any, kind: str = "text", **properties: Any) -> None:
        """One cell: numbers as numbers, everything else as text, which a spreadsheet must never read as a formula."""
        self._put(sheet, row, column, value, kind, tuple(properties.items()))

    def _put(self, sheet: Any, row: int, column: int, value: Any, kind: str, properties: _Properties) -> None:
        if value is None:
            sheet.write_blank(row, column, None, self._look("blank", kind, properties))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            value = _Exact(value) if isinstance(value, float) else value
            sheet.write_number(row, column, value, self._look("number", kind, properties))
        else:
            text = _limited(str(value), LONGEST_CELL)
            form = "formula" if starts_like_formula(text) else "text"
            sheet.write_string(row, column, text, self._look(form, kind, properties))

    def _look(self, form: str, kind: str, properties: _Properties) -> Any:
        """The format of a cell of this form: blank, number, text, or text that looks like a formula."""
        key = (form, kind, properties)
        look = self._looks.get(key)
        if look is None:
            own: dict[str, Any] = {}
            if form == "number":
                own = {"num_format": self._numbers[kind]} if kind in self._numbers else {}
            elif form != "blank":
                inset = {} if any(name == "align" for name, _ in properties) else {"align": "left", "indent": 1}
                own = {"text_wrap": True, **inset, **({"quote_prefix": True} if form == "formula" else {})}
            look = self._looks[key] = self.style(**{**own, **dict(properties)})
        return look

    def head(self, sheet: Any, row: int, column: int, text: str, *, numeric: bool = False) -> None:
        self.put(sheet, row, column, text, bold=True, font_color="#ffffff", bg_color=self.theme.primary,
                 valign="vcenter", align="right" if numeric else "left", indent=0 if numeric else 1, border=1,
                 border_color="#ffffff")  # fmt: skip

    def _page_setup(self, sheet: Any, *, landscape: bool) -> None:
        sheet.set_paper(9)
        if landscape:
            sheet.set_landscape()
        sheet.set_margins(left=0.5, right=0.5, top=0.7, bottom=0.7)
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        page = self.labels.say("workbook.page", current="\x00", all="\x01")
        footer = _header_text(page).replace("\x00", "&P").replace("\x01", "&N")
        sheet.set_header(f"&L{_header_text(_limited(self.title, 110))}&R&A")
        sheet.set_footer(f"&Lservicediag {package_version()}&R{footer}")

    # --- sheets ------------------------------------------------------------------------------------------------------

    def _table_sheet(self, sheet: Any, table: Table, printed: int | None = None) -> None:
        """A head row, frozen and filtered, and the rows beneath; the first ``printed`` columns go on paper."""
        widths = [_width(column, table, position) for position, column in enumerate(table.columns)]
        for position, width in enumerate(widths):
            sheet.set_column(position, position, width)
        self._rows(sheet, 0, table, widths)
        last_row, last_column = max(len(table.rows), 1), len(table.columns) - 1
        if not table.rows:
            self.put(sheet, 1, 0, self.labels.say("workbook.empty"), text_wrap=False)
        naming = [
            i for i, c in enumerate(table.columns[:2]) if c.name in ("number", "unit", "title", "finding", "text")
        ]
        sheet.freeze_panes(1, naming[-1] + 1 if naming else 1)
        sheet.autofilter(0, 0, last_row, last_column)
        sheet.repeat_rows(0)
        sheet.print_area(0, 0, last_row, min(last_column, (printed or len(table.columns)) - 1))

    def _rows(self, sheet: Any, top: int, table: Table, widths: Sequence[float]) -> None:
        labels = [column.label for column in table.columns]
        sheet.set_row(top, _height(labels, widths) + 4)
        for position, column in enumerate(table.columns):
            self.head(sheet, top, position, column.label, numeric=column.numeric)
        long = _long_columns(table, widths)
        for number, row in enumerate(table.rows, start=top + 1):
            for position, (value, kind) in enumerate(zip(row, self._kinds(table, row), strict=True)):
                self._put(sheet, number, position, value, kind, _ROW_LINE)
            sheet.set_row(number, _height([row[i] for i in long], [widths[i] for i in long]))

    def _kinds(self, table: Table, row: Sequence[Any]) -> tuple[str, ...]:
        """What each cell counts; a finding that is a probability or share is not shown as points."""
        if "estimate_unit" not in table.names:
            return table.kinds
        units = {self.labels.say("workbook.unit_points"): "signed", self.labels.say("workbook.unit_share"): "share"}
        found = units.get(str(row[table.names.index("estimate_unit")]), "probability")
        return tuple(found if name.startswith("estimate") and name != "estimate_unit" else kind
                     for name, kind in zip(table.names, table.kinds, strict=True))  # fmt: skip

    def _readme(self, sheet: Any) -> None:
        labels = self.labels
        sheet.set_column(0, 0, 22)
        sheet.set_column(1, 1, 86)
        self.put(sheet, 0, 0, self.title, bold=True, font_size=18, font_color=self.theme.primary, text_wrap=False)
        sheet.set_row(0, 30)
        self._logo(sheet)
        row = 1
        if self.theme.names():
            row = self._line(sheet, row, self.theme.names())
        short = brief(self.diagnosis, labels)
        for line in (method.facts(self.diagnosis, labels), short.headline):
            row = self._line(sheet, row, line)
        row = self._section(sheet, row + 1, labels.say("workbook.most_important"))
        for story in short.troubles:
            size = (story.estimate, story.standing) if story.standing else (story.estimate,)
            text = labels.colon(story.title, labels.joined("list", size))
            if story.first_action:
                text += "\n" + labels.colon(labels.say("story.first"), story.first_action)
            row = self._pair(sheet, row, self.labels.clauses((story.tier_label, story.severity_label)), text)
        row = self._section(sheet, row + 1, labels.say("workbook.strengths")) if short.strengths else row
        for sentence in short.strengths[:5]:
            row = self._pair(sheet, row, "", sentence)
        row = self._section(sheet, row + 1, labels.say("brief.open")) if short.open else row
        for what, settled in short.open[:5]:
            row = self._pair(sheet, row, "", told_open(what, settled, labels))
        row = self._section(sheet, row + 1, labels.say("workbook.before"))
        for sentence in method.cautions(self.diagnosis, labels):
            row = self._pair(sheet, row, "", sentence)
        row = self._section(sheet, row + 1, labels.say("workbook.sheets"))
        for key in self.sheets[1:]:
            title = labels.say(f"sheet.{key}.title")
            about = labels.say(f"sheet.{key}.about")
            self.put(sheet, row, 1, about)
            sheet.set_row(row, _height((about,), (84,)))
            link = self.style(font_color=self.theme.primary, underline=1, align="left", indent=1)
            sheet.write_url(row, 0, f"internal:'{title}'!A1", link, title)
            row += 1
        sheet.print_area(0, 0, row, 1)

    def _logo(self, sheet: Any) -> None:
        """At the right end of the first row, beside the title."""
        logo = self.theme.logo
        if logo is None:
            return
        picture = logo.png()
        wide, high = logo.fit(150, 36)
        across, down = Logo(picture).width, Logo(picture).height
        sheet.insert_image(0, 1, "logo.png", {
            "image_data": BytesIO(picture), "x_offset": 605 - wide, "y_offset": 2, "x_scale": wide / across,
            "y_scale": high / down, "description": self.theme.organisation or self.theme.name})  # fmt: skip

    def _section(self, sheet: Any, row: int, heading: str) -> int:
        look: dict[str, Any] = {"bold": True, "font_size": 12, "font_color": self.theme.primary, "text_wrap": False}
        self.put(sheet, row, 0, heading, **look)
        sheet.set_row(row, 20)
        return row + 1

    def _line(self, sheet: Any, row: int, text: str, width: float = 104) -> int:
        """A text across both columns, in a row high enough for it."""
        sheet.merge_range(row, 0, row, 1, "", self.style(text_wrap=True))
        self.put(sheet, row, 0, text)
        sheet.set_row(row, _height((text,), (width,)))
        return row + 1

    def _pair(self, sheet: Any, row: int, name: str, text: str) -> int:
        self.put(sheet, row, 0, name or None)
        self.put(sheet, row, 1, text)
        sheet.set_row(row, _height((text,), (84,)) + 3)
        return row + 1

    def _method(self, sheet: Any) -> None:
        widths = (40, 56, 12, 14, 16, 14, 22)
        for position, width in enumerate(widths):
            sheet.set_column(position, position, width)
        row = 0
        for table in method_tables(self.diagnosis, self.labels):
            row = self._section(sheet, row, table.caption)
            if len(table.columns) == 1:
                for text, *_ in table.rows:
                    row = self._line(sheet, row, text, 94)
            else:
                self._rows(sheet, row, table, widths)
                row += len(table.rows) + 1
            row += 1
        sheet.freeze_panes(0, 1)
        sheet.print_area(0, 0, max(row, 1), len(widths) - 1)

    # --- heatmap -----------------------------------------------------------------------------------------------------

    def _heatmap(self, sheet: Any) -> None:
        sheet.set_column(0, 0, 38)
        sheet.set_row(0, 24)
        self.put(sheet, 0, 0, self.labels.say("sheet.heatmap.title"), bold=True, font_size=14,
                 font_color=self.theme.primary, text_wrap=False)  # fmt: skip
        self.put(sheet, 1, 0, self.labels.say("workbook.heat_note"), text_wrap=False)
        cells = Cells(self.diagnosis)
        row, widest, matrices = 3, 1, 0
        for grouping in groupings(self.diagnosis):
            units: list[str | None] = [None, *units_of(self.diagnosis, grouping.by)]
            by = self.labels.value("by", grouping.by)
            # the head below says "unit" already
            by = "" if by.casefold() == self.labels.column("unit").casefold() else by
            place = " ".join(part for part in (by, grouping.wave or "") if part)
            for line in packed(panels(self.diagnosis, grouping.wave)):
                widest = max(widest, self._matrix(sheet, row, place, units, line, (cells, grouping)))
                row, matrices = row + len(units) + 3, matrices + 1
        if not matrices:
            self.put(sheet, row, 0, self.labels.say("workbook.empty"), text_wrap=False)
        for column in range(1, max(widest, 1) + 1):
            sheet.set_column(column, column, max(HEAT_WIDTH, 1.15 * self._longest_heads.get(column, 0) + 1.5))
        sheet.freeze_panes(5 if matrices == 1 else 0, 1)
        sheet.print_area(0, 0, row, widest)

    def _matrix(
        self, sheet: Any, top: int, place: str, units: Sequence[str | None], columns: Sequence[Panel],
        source: tuple[Cells, Grouping],
    ) -> int:  # fmt: skip
        """Two head rows and a row a unit; gives the last column."""
        self.head(sheet, top, 0, place)
        self.head(sheet, top + 1, 0, self.labels.column("unit"))
        for offset, unit in enumerate(units):
            name = self.labels.unit(unit)
            self.put(sheet, top + 2 + offset, 0, name, bold=unit is None, valign="vcenter")
            sheet.set_row(top + 2 + offset, max(20.0, _height((name,), (38,))))
        left = 1
        for panel in columns:
            title, last = panel_title(self.frame, panel), left + len(panel.dimensions) - 1
            if last > left:
                sheet.merge_range(top, left, top, last, "", self.style())
            self.head(sheet, top, left, title)
            for position, dimension in enumerate(panel.dimensions):
                title = self.labels.dimension(panel.instrument, dimension)
                self.head(sheet, top + 1, left + position, title)
                longest = max(self._longest_heads.get(left + position, 0), longest_word(title))
                self._longest_heads[left + position] = longest
                for offset, unit in enumerate(units):
                    self._heat_cell(sheet, top + 2 + offset, left + position, source, unit, panel, dimension)
            left = last + 1
        sheet.set_row(top, 30)
        sheet.set_row(top + 1, 45)
        self._shade(sheet, top + 2, 1, top + 1 + len(units), left - 1)
        return left - 1

    def _heat_cell(
        self, sheet: Any, row: int, column: int, source: tuple[Cells, Grouping], unit: str | None, panel: Panel,
        dimension: str,
    ) -> None:  # fmt: skip
        cells, grouping = source
        cell = cells.get(grouping, unit, panel, dimension)
        frame: dict[str, Any] = {"align": "center", "valign": "vcenter", "border": 1, "border_color": "#ffffff"}
        if cell is not None and cell["health"] is not None:
            sign = MARKS.get(f"{cell['tier']}_{cell['direction']}", "")
            self.put(sheet, row, column, cell["health"], num_format=f'0" {sign}"' if sign else "0", **frame)
        elif cells.is_withheld(grouping, unit, panel, dimension):
            hatch: dict[str, Any] = {
                "pattern": 14,
                "fg_color": "#c9c9c9",
                "bg_color": "#ffffff",
                "italic": True,
                "font_size": 8,
            }
            self.put(sheet, row, column, self.labels.say("withheld"), **{**frame, **hatch, "border_color": "#c9c9c9"})
        else:
            self.put(sheet, row, column, "–", **frame)

    def _shade(self, sheet: Any, top: int, left: int, bottom: int, right: int) -> None:
        """The absolute scale from 0 to 100, dark is low; white numbers where black ones would not stand out."""
        dark = next(h for h in range(101) if readable_on(self.theme.health_colour(h)) == "#000000")
        light = self.book.add_format({"font_color": "#ffffff"})
        sheet.conditional_format(top, left, bottom, right, {
            "type": "2_color_scale", "min_type": "num", "max_type": "num", "min_value": 0, "max_value": 100,
            "min_color": self.theme.primary, "max_color": self.theme.pale})  # fmt: skip
        sheet.conditional_format(top, left, bottom, right, {"type": "cell", "criteria": "between", "minimum": 0,
                                                            "maximum": dark - 0.000001, "format": light})  # fmt: skip


def _width(column: Column, table: Table, position: int) -> float:
    """Wide enough for the heading's longest word and for most values; long texts wrap."""
    # a word of wide characters may be parted, so its column need not be as wide
    words = column.label.split()
    longest = max((min(display_width(word), max(longest_word(word), WIDE_WORD)) for word in words), default=8)
    if column.numeric:
        return max(9.0, longest + 3.0)
    texts = {str(row[position]) for row in table.rows if row[position] is not None}
    values = [max((display_width(line) for line in value.split("\n")), default=0) for value in texts]
    return float(min(max([longest + 3, *values]) + 3, WIDE_TEXTS.get(column.name, 30)))


def _long_columns(table: Table, widths: Sequence[float]) -> list[int]:
    """Positions of the columns in which some text may need more than one line; only these can make a row higher."""
    return [
        position
        for position, (_, width) in enumerate(zip(table.columns, widths, strict=False))
        if any(_may_wrap(value, width) for value in {row[position] for row in table.rows})
    ]


def _may_wrap(value: Any, width: float) -> bool:
    """No character takes more than two columns, so most texts are seen to fit without being measured."""
    return isinstance(value, str) and (1.68 * len(value) >= width - 1.5 or "\n" in value)


def _height(values: Sequence[Any], widths: Sequence[float]) -> float:
    """Height of a row in points: the lines of its longest text at these column widths."""
    lines = 1
    for value, width in zip(values, widths, strict=False):
        if _may_wrap(value, width):
            texts = value[:LONGEST_CELL].split("\n")
            lines = max(lines, sum(1 + int(0.84 * display_width(text) / (width - 1.5)) for text in texts))
    return min(2 + 13.0 * lines, 400.0)


def _limited(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _header_text(text: str) -> str:
    """Text of a page header, in which an ampersand would start a command."""
    return text.replace("&", "&&")
