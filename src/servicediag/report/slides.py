"""Slides for a talk: 10 to 15, with native charts that can be edited, from the published diagnosis alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from servicediag.diagnosis.model import Diagnosis
from servicediag.files import atomic_path
from servicediag.report.charts import Frame
from servicediag.report.labels import Labels
from servicediag.report.office import describe, need, packed, set_properties, themed
from servicediag.report.plain_text import display_width, longest_word, shorten
from servicediag.report.publication import printable
from servicediag.report.slide_charts import chart_slides
from servicediag.report.slide_content import (
    Bullets,
    Chart,
    Grid,
    Shade,
    Slide,
    Writer,
    closing_slides,
    opening_slides,
)
from servicediag.report.theme import Theme, readable_on

__all__ = ["MAXIMUM_SLIDES", "slide_contents", "write_slides"]

MAXIMUM_SLIDES = 15
_WIDTH, _HEIGHT, _MARGIN = 13.333, 7.5, 0.6
_BODY_TOP, _BODY_TOP_WITH_LEAD, _BODY_BOTTOM = 1.5, 1.85, 6.85
_TABLE_SIZES = (15, 14, 13, 12)
"""Sizes of the letters in a table; the largest in which all rows fit is taken."""
_TITLE_SIZES, _SMALLEST_TITLE = (26, 24, 22, 20, 18), 16
_ALL_LINES = 12
_MORE_THAN_FIT = 40  # bullets on a slide, of however many a study of thousands of units has
"""Lines of a cell in which no text of ours is cut."""
_TITLE_ONLY = 5
_INK, _MUTED, _RULE = "#1a1a1a", "#4d4d4d", "#c4c4c4"


def write_slides(
    diagnosis: Diagnosis, path: str | Path, *, language: str | None, theme: Theme, overwrite: bool
) -> Path:
    """Write the slides; the same diagnosis, language and theme give the same bytes.

    Raises
    ------
    ImportError
        python-pptx is not installed; it comes with ``servicediag[slides]``.
    """
    need("pptx", "slides", "Slides")
    writer = Writer(_frame(diagnosis, language, theme))
    deck = _Deck(writer)
    for content in _contents(writer):
        deck.add(content)
    content_bytes = deck.finished()
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content_bytes)
    return Path(path)


def slide_contents(diagnosis: Diagnosis, *, language: str | None = None, theme: Theme | None = None) -> list[Slide]:
    """What the slides say, in their order, before they are drawn."""
    return _contents(Writer(_frame(diagnosis, language, theme or Theme())))


def _frame(diagnosis: Diagnosis, language: str | None, theme: Theme) -> Frame:
    published = printable(diagnosis, language)
    return Frame(published, Labels.of(published), theme)


def _contents(writer: Writer) -> list[Slide]:
    opening, closing = opening_slides(writer), closing_slides(writer)
    return [*opening, *chart_slides(writer, MAXIMUM_SLIDES - len(opening) - len(closing)), *closing]


class _Deck:
    """Draws slides into one presentation."""

    def __init__(self, writer: Writer) -> None:
        from pptx import Presentation
        from pptx.util import Inches

        self.writer, self.theme = writer, writer.frame.theme
        self.language = writer.frame.labels.language
        self.deck = Presentation()
        self.deck.slide_width, self.deck.slide_height = Inches(_WIDTH), Inches(_HEIGHT)

    def add(self, content: Slide) -> None:
        """One slide with title, body and notes."""
        slide = self.deck.slides.add_slide(self.deck.slide_layouts[_TITLE_ONLY])
        if content.key == "title":
            self._opening(slide, content)
        else:
            self._heading(slide, content)
            top = _BODY_TOP_WITH_LEAD if content.lead else _BODY_TOP
            box = (_MARGIN, top, _WIDTH - 2 * _MARGIN, _BODY_BOTTOM - top)
            if isinstance(content.body, Chart):
                self._chart(slide, content.body, box)
            elif isinstance(content.body, Grid):
                self._grid(slide, content.body, box)
            elif content.body is not None:
                self._bullets(slide, content.body, box)
        slide.notes_slide.notes_text_frame.text = content.notes

    def finished(self) -> bytes:
        """The file; whatever the template says of its own maker is taken out."""
        from pptx.opc.constants import RELATIONSHIP_TYPE as KIND

        self._foot()
        set_properties(self.deck.core_properties, self.theme, title=self.writer.title(),
                       subject=self.writer.say("subject"), language=self.language)  # fmt: skip
        package = self.deck.part.package
        for relation in [r for r in package._rels.values() if r.reltype == KIND.THUMBNAIL]:
            package._rels.pop(relation.rId)
        for part in package.iter_parts():
            if str(part.partname).startswith("/ppt/theme/"):
                part._blob = themed(part.blob, self.theme, self.language)
        return packed(self.deck.save)

    # --- parts of a slide --------------------------------------------------------------------------------------------

    def _opening(self, slide: Any, content: Slide) -> None:
        self._bar(slide, 0.28)
        self._place(slide.shapes.title, (_MARGIN, 2.1, 12.1, 1.3))
        self._write(slide.shapes.title.text_frame, shorten(content.title, 120), 40, self.theme.primary, bold=True)
        self._text(slide, (_MARGIN, 3.5, 11.4, 1.3), shorten(content.lead, 300), 20, _INK)
        if isinstance(content.body, Bullets):
            facts = " ".join(words for _, words in content.body.entries)
            self._text(slide, (_MARGIN, 4.7, 11.4, 1.1), shorten(facts, 480), 14, _MUTED)
        names = [self.theme.organisation]
        if self.theme.prepared_by:
            names.append(self.writer.say("prepared", name=self.theme.prepared_by))
        if any(names):
            self._text(slide, (_MARGIN, 5.9, 11.4, 0.8), "\n".join(filter(None, names)), 16, _MUTED)
        if self.theme.logo is not None:
            self._logo(slide, (_MARGIN, 0.75, 3.2, 1.0))

    def _heading(self, slide: Any, content: Slide) -> None:
        self._bar(slide, 0.12)
        width = _WIDTH - 2 * _MARGIN - (1.7 if self.theme.logo is not None else 0)
        title = shorten(content.title, 190)
        # a title has room for two lines
        size = next((s for s in _TITLE_SIZES if display_width(title) <= 1.85 * _characters(s, width)), _SMALLEST_TITLE)
        self._place(slide.shapes.title, (_MARGIN, 0.3, width, 1.0))
        self._write(slide.shapes.title.text_frame, title, size, self.theme.primary, bold=True)
        if content.lead:
            self._text(slide, (_MARGIN, 1.33, _WIDTH - 2 * _MARGIN, 0.45), shorten(content.lead, 170), 14, _MUTED)
        if self.theme.logo is not None:
            self._logo(slide, (_WIDTH - _MARGIN - 1.5, 0.35, 1.5, 0.7), right=True)

    def _foot(self) -> None:
        slides = list(self.deck.slides)
        for page, slide in enumerate(slides, start=1):
            if page > 1:
                place = self.writer.say("page", page=page, pages=len(slides))
                parts = [self.theme.organisation, shorten(self.writer.title(), 80), place]
                self._text(
                    slide, (_MARGIN, 7.0, _WIDTH - 2 * _MARGIN, 0.35), " · ".join(filter(None, parts)), 11, _MUTED
                )

    def _chart(self, slide: Any, chart: Chart, box: tuple[float, float, float, float]) -> None:
        from servicediag.report.native_charts import add_chart

        add_chart(slide, chart, self.theme, self._emu(box))

    def _bullets(self, slide: Any, body: Bullets, box: tuple[float, float, float, float]) -> None:
        from pptx.util import Pt

        size, shown = _fitting(body, box)
        frame = self._text(slide, box, "", size, _INK).text_frame
        for position, (head, words) in enumerate(shown):
            paragraph = frame.paragraphs[0] if position == 0 else frame.add_paragraph()
            paragraph.space_after = Pt(0.5 * size)
            for text, bold in ((f"{head}: " if head and words else head, True), (words, False)):
                if text:
                    self._run(paragraph, text, size, self.theme.primary if bold else _INK, bold=bold)
        if len(shown) < len(body.entries):
            count = len(body.entries) - len(shown)
            self._run(frame.add_paragraph(), self.writer.say("count.more_rows", count=count), size, _MUTED)

    def _grid(self, slide: Any, grid: Grid, box: tuple[float, float, float, float]) -> None:
        from pptx.util import Inches

        grid, size, rows, height = _fitting_rows(grid, box)
        left, top, width, _ = box
        shape = slide.shapes.add_table(len(rows) + 1, len(grid.heads), *self._emu((left, top, width, height)))
        describe(shape._element.nvGraphicFramePr.cNvPr, grid.alt)
        table = shape.table
        table.horz_banding = False
        whole = sum(grid.widths)
        for column, share in zip(table.columns, grid.widths, strict=True):
            column.width = Inches(width * share / whole)
        heights = [_row_height(grid, row, width, size) for row in (grid.heads, *rows)]
        for line, (row, high) in enumerate(zip((grid.heads, *rows), heights, strict=True)):
            table.rows[line].height = Inches(high)
            for position, content in enumerate(row):
                room = width * grid.widths[position] / whole - 0.16
                letters = _head_size(grid, width) if line == 0 else size
                self._cell(table.cell(line, position), content, grid.lines, room, letters, is_head=line == 0)
        if len(rows) < len(grid.rows):
            more = self.writer.say("count.more_rows", count=len(grid.rows) - len(rows))
            self._text(slide, (left, top + sum(heights) + 0.05, width, 0.35), more, 12, _MUTED)

    def _cell(self, cell: Any, content: str | Shade, lines: int, room: float, size: float, *, is_head: bool) -> None:
        from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
        from pptx.util import Inches

        shade = content if isinstance(content, Shade) else None
        words = shorten(_words(content), _limit(lines, room, size))
        ground = self.theme.primary if is_head else "#ffffff"
        if shade is not None and shade.health is not None:
            ground = self.theme.health_colour(shade.health)
        cell.fill.solid()
        cell.fill.fore_color.rgb = _rgb(ground)
        cell.margin_left = cell.margin_right = Inches(0.08)
        cell.margin_top = cell.margin_bottom = Inches(0.04)
        cell.vertical_anchor = MSO_ANCHOR.MIDDLE if shade or is_head else MSO_ANCHOR.TOP
        ink = readable_on(ground) if is_head or shade else _INK
        self._write(cell.text_frame, words, size, ink, bold=is_head)
        _lines(cell, "#ffffff" if shade else _RULE)
        if shade is not None:
            cell.text_frame.paragraphs[0].alignment = PP_ALIGN.CENTER

    def _logo(self, slide: Any, box: tuple[float, float, float, float], *, right: bool = False) -> None:
        logo = self.theme.logo
        if logo is None:
            return
        left, top, width, height = box
        wide, high = logo.fit(width, height)
        picture = slide.shapes.add_picture(
            io.BytesIO(logo.png()), *self._emu((left + (width - wide if right else 0), top, wide, high))
        )
        name = self.theme.organisation or self.theme.name
        describe(picture._element.nvPicPr.cNvPr, self.writer.say("logo", name=name))

    def _bar(self, slide: Any, height: float) -> None:
        from pptx.enum.shapes import MSO_SHAPE

        bar = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *self._emu((0, 0, _WIDTH, height)))
        bar.fill.solid()
        bar.fill.fore_color.rgb = _rgb(self.theme.primary)
        bar.line.fill.background()
        _decorative(bar._element.nvSpPr.cNvPr)

    # --- text --------------------------------------------------------------------------------------------------------

    def _text(self, slide: Any, box: tuple[float, float, float, float], words: str, size: float, colour: str) -> Any:
        shape = slide.shapes.add_textbox(*self._emu(box))
        self._write(shape.text_frame, words, size, colour)
        return shape

    def _write(self, frame: Any, words: str, size: float, colour: str, *, bold: bool = False) -> None:
        from pptx.enum.text import MSO_ANCHOR, PP_ALIGN

        frame.word_wrap = True
        if frame._parent.__class__.__name__ != "_Cell":
            frame.vertical_anchor = MSO_ANCHOR.TOP
        for position, line in enumerate(words.split("\n")):
            paragraph = frame.paragraphs[0] if position == 0 else frame.add_paragraph()
            paragraph.alignment = PP_ALIGN.LEFT
            if line:
                self._run(paragraph, line, size, colour, bold=bold)

    def _run(self, paragraph: Any, words: str, size: float, colour: str, *, bold: bool = False) -> None:
        from pptx.util import Pt

        run = paragraph.add_run()
        run.text = words
        run.font.size, run.font.bold = Pt(size), bold
        run.font.color.rgb = _rgb(colour)
        run._r.get_or_add_rPr().set("lang", _locale(self.language))

    def _place(self, shape: Any, box: tuple[float, float, float, float]) -> None:
        shape.left, shape.top, shape.width, shape.height = self._emu(box)

    @staticmethod
    def _emu(box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        left, top, width, height = (round(914_400 * inches) for inches in box)
        return left, top, width, height


def _fitting(body: Bullets, box: tuple[float, float, float, float]) -> tuple[int, list[tuple[str, str]]]:
    """The largest letters in which all entries fit, and the entries, shortened where even the smallest do not."""
    entries = [(shorten(head, 120), shorten(words, 420)) for head, words in body.entries[:_MORE_THAN_FIT]]
    for size in (20, 18, 16, 14):
        if _height(entries, size, box[2]) <= box[3]:
            return size, entries
    while len(entries) > 1 and _height(entries, 14, box[2]) > box[3] - 0.4:
        entries = entries[:-1]
    return 14, entries


def _height(entries: list[tuple[str, str]], size: float, width: float) -> float:
    """Inches that entries take."""
    lines = [1 + int(display_width(f"{head}: {words}") / _characters(size, width - 0.2)) for head, words in entries]
    return sum(1.25 * size * count + 0.5 * size for count in lines) / 72


def _characters(size: float, width: float) -> float:
    """How many letters fit a line; wide ones count twice."""
    return width * 72 / (0.53 * size)


def _fitting_rows(
    grid: Grid, box: tuple[float, float, float, float]
) -> tuple[Grid, float, list[tuple[str | Shade, ...]], float]:
    """The grid with the lines that its cells may have, size of the letters, rows that fit, and the height of all."""
    sizes = [size for size in _TABLE_SIZES if _keeps_words(grid, grid.rows, box[2], 1.09 * size)] or _TABLE_SIZES[-1:]
    for lines in (_ALL_LINES, grid.lines):
        freed = replace(grid, lines=lines)
        for size in sizes:
            whole = sum(_row_height(freed, row, box[2], size) for row in (grid.heads, *grid.rows))
            if whole <= box[3]:
                return freed, size, list(grid.rows), whole
    size = _TABLE_SIZES[-1]
    used, rows = _row_height(grid, grid.heads, box[2], size), []
    for row in grid.rows:
        height = _row_height(grid, row, box[2], size)
        if used + height > box[3] - 0.4:
            break
        rows.append(row)
        used += height
    return grid, size, rows, used


def _row_height(grid: Grid, row: tuple[str | Shade, ...], width: float, size: float) -> float:
    whole, lines, spacing = sum(grid.widths), 1, 1.22
    for content, share in zip(row, grid.widths, strict=True):
        room = width * share / whole - 0.16
        words = shorten(_words(content), _limit(grid.lines, room, size))
        # words are not broken, so a line is filled to nine tenths on average
        lines = max(lines, 1 + int((display_width(words) - 1) / (0.9 * _characters(size, room))))
        # fonts of wide letters have taller lines
        spacing = 1.45 if display_width(words) > len(words) else spacing
    return 0.1 + lines * size * spacing / 72


def _limit(lines: int, room: float, size: float) -> int:
    """Letters that the lines of a cell hold."""
    return max(8, int(0.85 * max(lines, 2) * _characters(size, room)))


def _head_size(grid: Grid, width: float) -> float:
    """The largest letters in which the longest word of every head stays whole."""
    # bold letters are wider
    return next((size for size in (13, 12, 11, 10, 9) if _keeps_words(grid, (grid.heads,), width, 1.2 * size)), 8)


def _keeps_words(grid: Grid, rows: Sequence[tuple[str | Shade, ...]], width: float, size: float) -> bool:
    """Whether no word of these rows is broken."""
    whole = sum(grid.widths)
    return all(
        longest_word(_words(content)) <= _characters(size, width * share / whole - 0.16)
        for row in rows for content, share in zip(row, grid.widths, strict=True)
    )  # fmt: skip


def _words(content: str | Shade) -> str:
    return content.text if isinstance(content, Shade) else content


def _lines(cell: Any, colour: str) -> None:
    from lxml import etree

    main = "http://schemas.openxmlformats.org/drawingml/2006/main"
    properties = cell._tc.get_or_add_tcPr()
    # the schema wants lines before the fill; the line of the table's style above the next row must give way
    for place, side in enumerate(("lnT", "lnB")):
        properties.insert(place, etree.fromstring(
            f'<a:{side} xmlns:a="{main}" w="9525"><a:solidFill><a:srgbClr val="{colour[1:].upper()}"/></a:solidFill>'
            f'</a:{side}>'))  # fmt: skip


def _decorative(drawing: Any) -> None:
    """Screen readers pass over what only decorates."""
    from lxml import etree

    uri = "http://schemas.microsoft.com/office/drawing/2017/decorative"
    main = "http://schemas.openxmlformats.org/drawingml/2006/main"
    drawing.append(etree.fromstring(
        f'<a:extLst xmlns:a="{main}"><a:ext uri="{{C183D7F6-B498-43B3-948B-1728B52AA6E4}}">'
        f'<adec:decorative xmlns:adec="{uri}" val="1"/></a:ext></a:extLst>'))  # fmt: skip


def _locale(language: str) -> str:
    return {"en": "en-GB", "es": "es-ES", "ru": "ru-RU", "zh-Hans": "zh-CN"}.get(language, language)


def _rgb(colour: str) -> Any:
    from pptx.dml.color import RGBColor

    return RGBColor.from_string(colour[1:].upper())
