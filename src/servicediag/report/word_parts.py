"""Headings, paragraphs and tables of a Word document, in the fonts and colours of a theme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from servicediag.report.office import FONT, describe, east_asian_font
from servicediag.report.theme import Theme, readable_on

__all__ = ["WordFile"]

_LOCALES = {"en": "en-GB", "es": "es-ES", "ru": "ru-RU", "zh-Hans": "zh-CN"}
_RULE = "C4C4C4"


class WordFile:
    """A document with our styles; text is inserted as text, never read as markup."""

    def __init__(self, theme: Theme, language: str, *, landscape: bool = False) -> None:
        self.theme, self.document = theme, Document()
        section = self.document.sections[0]
        section.page_width, section.page_height = Cm(21.0), Cm(29.7)
        if landscape:
            section.orientation = WD_ORIENT.LANDSCAPE
            section.page_width, section.page_height = section.page_height, section.page_width
        section.left_margin = section.right_margin = Cm(1.75)
        section.top_margin = section.bottom_margin = Cm(2.0)
        self._styles(language)

    def heading(self, words: str, level: int) -> None:
        """Level 0 is the title of the document."""
        self.document.add_heading(words, level)

    def paragraph(
        self, words: str, *, bold: bool = False, muted: bool = False, italic: bool = False, with_next: bool = False
    ) -> Any:
        """One paragraph; ``with_next`` keeps it on the page of what follows."""
        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.keep_with_next = with_next or None
        run = paragraph.add_run(words)
        run.bold, run.italic = bold or None, italic or None
        if muted:
            run.font.color.rgb = RGBColor(0x4D, 0x4D, 0x4D)
        return paragraph

    def labelled(self, label: str, words: str) -> None:
        """A word in bold, and what it stands for."""
        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(2)
        paragraph.add_run(f"{label}: ").bold = True
        paragraph.add_run(words)

    def bullets(self, entries: Iterable[str]) -> None:
        for entry in entries:
            self.document.add_paragraph(entry, style="List Bullet")

    def picture(self, stream: Any, size: tuple[float, float], alt: str) -> None:
        """A picture of that many centimetres."""
        shape = self.document.add_picture(stream, Cm(size[0]), Cm(size[1]))
        describe(shape._inline.docPr, alt)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], alt: str) -> Any:
        """A table whose heads come again on every page; widths in centimetres."""
        table = self.document.add_table(rows=1 + len(rows), cols=len(heads))
        table.autofit = False
        _table_alt(table, alt)
        _borders(table, {"insideH": _RULE, "bottom": _RULE})
        for column, width in zip(table.columns, widths, strict=True):
            column.width = Cm(width)
        # asking a table for one cell walks through all of them, so each row is asked once
        for line, (row, values) in enumerate(zip(table.rows, (heads, *rows), strict=True)):
            _keep_whole(row, is_head=line == 0)
            for cell, words, width in zip(row.cells, values, widths, strict=True):
                cell.width = Cm(width)
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.space_after = Pt(0)
                run = paragraph.add_run(words)
                run.font.size = Pt(9)
                if line == 0:
                    paragraph.paragraph_format.keep_with_next = True
                    run.bold, run.font.color.rgb = True, _rgb(readable_on(self.theme.primary))
                    _shade(cell, self.theme.primary)
        self.document.add_paragraph().paragraph_format.space_after = Pt(4)
        return table

    def research_table(
        self,
        heads: Sequence[tuple[str, bool]],
        rows: Sequence[Sequence[str]],
        marks: Sequence[str],
        marked: int,
        alt: str,
    ) -> None:
        """A table with three lines across and none down; heads are (text, italic), ``marks`` go to a column."""
        table = self.document.add_table(rows=1 + len(rows), cols=len(heads))
        _table_alt(table, alt)
        _borders(table, {"top": "000000", "bottom": "000000"}, size=8)
        for line, row in enumerate(table.rows):
            _keep_whole(row, is_head=line == 0)
            for place, cell in enumerate(row.cells):
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.space_after = Pt(0)
                words, italic = heads[place] if line == 0 else (rows[line - 1][place], False)
                run = paragraph.add_run(words)
                run.italic, run.font.size = italic or None, Pt(9)
                if place > marked:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
                if line == 0:
                    _line_below(cell)
                elif place == marked and marks[line - 1]:
                    paragraph.add_run(marks[line - 1]).font.superscript = True
        self.document.add_paragraph().paragraph_format.space_after = Pt(4)

    def _styles(self, language: str) -> None:
        styles = self.document.styles
        _font(styles["Normal"], language)
        styles["Normal"].font.size = Pt(10)
        styles["Normal"].paragraph_format.space_after = Pt(6)
        for name, size in (("Title", 22), ("Heading 1", 15), ("Heading 2", 12)):
            style = styles[name]
            _font(style, language)
            style.font.size, style.font.color.rgb, style.font.bold = Pt(size), _rgb(self.theme.primary), True
        defaults = styles.element.find(qn("w:docDefaults"))
        for tag in defaults.iter(qn("w:lang")):
            # a document without East Asian letters has no use for another language than its own
            for attribute in ("w:val", "w:eastAsia"):
                tag.set(qn(attribute), _LOCALES.get(language, language))


def _font(style: Any, language: str) -> None:
    style.font.name = FONT
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for theme_font in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme_font}"), None)
    for script in ("ascii", "hAnsi", "cs"):
        fonts.set(qn(f"w:{script}"), FONT)
    fonts.set(qn("w:eastAsia"), east_asian_font(language))


def _keep_whole(row: Any, *, is_head: bool) -> None:
    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if is_head:
        properties.append(OxmlElement("w:tblHeader"))


def _shade(cell: Any, colour: str) -> None:
    shade = OxmlElement("w:shd")
    shade.set(qn("w:val"), "clear")
    shade.set(qn("w:color"), "auto")
    shade.set(qn("w:fill"), colour[1:].upper())
    cell._tc.get_or_add_tcPr().append(shade)


def _line_below(cell: Any) -> None:
    borders, line = OxmlElement("w:tcBorders"), OxmlElement("w:bottom")
    for name, value in (("val", "single"), ("sz", "6"), ("space", "0"), ("color", "000000")):
        line.set(qn(f"w:{name}"), value)
    borders.append(line)
    cell._tc.get_or_add_tcPr().append(borders)


def _borders(table: Any, lines: dict[str, str], size: int = 4) -> None:
    borders = OxmlElement("w:tblBorders")
    # the schema wants the sides in this order
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        if side in lines:
            line = OxmlElement(f"w:{side}")
            for name, value in (("val", "single"), ("sz", str(size)), ("space", "0"), ("color", lines[side])):
                line.set(qn(f"w:{name}"), value)
            borders.append(line)
    _insert(table, borders)


def _table_alt(table: Any, alt: str) -> None:
    description = OxmlElement("w:tblDescription")
    description.set(qn("w:val"), alt)
    table._tbl.tblPr.append(description)


def _insert(table: Any, borders: Any) -> None:
    """Before the first property that the schema wants after borders."""
    later = {qn(f"w:{name}") for name in ("shd", "tblLayout", "tblCellMar", "tblLook", "tblCaption", "tblDescription")}
    properties = table._tbl.tblPr
    place = next((i for i, child in enumerate(properties) if child.tag in later), len(properties))
    properties.insert(place, borders)


def _rgb(colour: str) -> RGBColor:
    return RGBColor.from_string(colour[1:].upper())
