"""Write an instrument as an Excel questionnaire with drop-downs that ``read_responses`` reads back."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicediag.files import atomic_path, new_workbook
from servicediag.instrument import Instrument, load_instrument
from servicediag.wording import languages, text

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

__all__ = ["write_answer_sheet"]

N_ROWS = 500
"""Respondents that the drop-downs reach."""
HIDDEN_SHEET = "servicediag"
BACKGROUND = ("respondent", "unit", "wave")
_FIRST_ROW = 2
_FIRST_ITEM = len(BACKGROUND)
_ITEM_WIDTH = 23
_ITEM_PIXELS = _ITEM_WIDTH * 7 + 5
_ITEMS_PER_BAND = 4
_GUIDE_WIDTH = 74
# Characters in a line and points a line, for each style of the guide; LibreOffice does not fit heights by itself.
_GUIDE_LINES = {"title": (42, 21), "heading": (60, 16), "stem": (74, 15), "text": (88, 15), "question": (84, 15)}
_LINE_POINTS = 15
_TALLEST_ROW = 409
_LONGEST_TITLE = 32
_LONGEST_MESSAGE = 255
# A fixed date makes the same questionnaire the same bytes.
_CREATED = datetime(2000, 1, 1)
_DARK, _LIGHT, _LINE = "#1F3A4D", "#E8EEF2", "#B4C2CC"


def write_answer_sheet(
    instrument: Instrument | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    form: str | None = None,
    language: str = "en",
    overwrite: bool = False,
) -> Path:
    """Write an Excel questionnaire: a row a respondent, a column a question, answers chosen from lists.

    Parameters
    ----------
    instrument : Instrument, str or path
        An instrument, its id, or the path of its folder.
    path : str or path
        The workbook to write; its name ends in ``.xlsx``.
    form : str, optional
        Which version of the questionnaire; default is the instrument's first form.
    language : str
        One of the instrument's languages. Fixed words that are not available in it stand in English.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        The workbook. Its first sheet has the questions in row 1, their item codes in the hidden row 2, and room for
        500 respondents from row 3; columns A to C hold respondent, unit and wave. The second sheet holds instruction,
        questions and answers to read; the very hidden third one tells ``read_responses`` what was asked.

    Raises
    ------
    ValueError
        Unknown instrument, form or language, or a path that does not end in ``.xlsx``.
    InstrumentError
        The files of the instrument are faulty.
    FileExistsError
        The path exists and ``overwrite`` is False, or it is a symbolic link.
    FileNotFoundError
        The folder of the path does not exist.

    Notes
    -----
    The same instrument gives the same bytes. Text is written as text, never as a formula.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_answer_sheet("seven-sins", Path(folder) / "customers.xlsx", form="customer-short").name
    'customers.xlsx'
    """
    loaded = instrument if isinstance(instrument, Instrument) else load_instrument(instrument)
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise ValueError(f"path={str(path)!r} must end in .xlsx, since Excel opens no workbook under another ending")
    questionnaire = _Questionnaire(loaded, loaded.form(form).id, language)
    questions = questionnaire.questions
    with atomic_path(target, overwrite) as temporary:
        _write(questionnaire, questions, temporary)
    return target


@dataclass(frozen=True)
class _Question:
    """An item as its respondent meets it; ``labels`` are the options in order, those without an answer last."""

    code: str
    text: str
    stem: str
    labels: tuple[str, ...]
    n_substantive: int


@dataclass(frozen=True)
class _Questionnaire:
    """The texts of one form in one language."""

    instrument: Instrument
    form: str
    language: str

    @cached_property
    def fixed_language(self) -> str:
        return self.language if self.language in languages() else "en"

    def fixed(self, key: str, **values: Any) -> str:
        return text(f"questionnaire.{key}", self.fixed_language, **values)

    def filled(self, template: str) -> str:
        """Respondent-facing text with the unit's placeholder replaced: a sheet serves many units."""
        return template.replace("{unit}", self.fixed("this_unit"))

    @cached_property
    def questions(self) -> tuple[_Question, ...]:
        return tuple(self._question(item.code) for item in self.instrument.form_items(self.form))

    def _question(self, code: str) -> _Question:
        where = (code, self.form, self.language)
        options = tuple(self.instrument.options(*where).values())
        missing = tuple(self.instrument.missing_options(*where).values())
        return _Question(
            code=code,
            text=self.instrument.text(*where),
            stem=self.filled(self.instrument.stem(*where)),
            labels=(*options, *missing),
            n_substantive=len(options),
        )


def _write(questionnaire: _Questionnaire, questions: tuple[_Question, ...], path: Path) -> None:
    with new_workbook(path) as book:
        title = questionnaire.instrument.locales[questionnaire.language].forms[questionnaire.form].title
        book.set_properties({"title": title, "subject": questionnaire.fixed("guide.answer_sheet"), "created": _CREATED})
        answers = book.add_worksheet(questionnaire.fixed("sheet.answers"))
        guide = book.add_worksheet(questionnaire.fixed("sheet.guide"))
        hidden = book.add_worksheet(HIDDEN_SHEET)
        lists = _write_hidden(hidden, questionnaire, questions)
        _write_answers(book, answers, questionnaire, questions, lists)
        _write_guide(book, guide, questionnaire, questions, answers.get_name())
        answers.activate()


def _write_hidden(
    sheet: Worksheet, questionnaire: _Questionnaire, questions: tuple[_Question, ...]
) -> dict[tuple[str, ...], str]:
    """What was asked, and the lists of labels; gives the cell range of each list."""
    from xlsxwriter.utility import xl_range_abs

    instrument = questionnaire.instrument
    identity = (
        ("instrument", instrument.id),
        ("form", questionnaire.form),
        ("language", questionnaire.language),
        ("version", instrument.version),
    )
    for row, pair in enumerate(identity):
        for column, value in enumerate(pair):
            sheet.write_string(row, column, value)
    ranges: dict[tuple[str, ...], str] = {}
    for question in questions:
        if question.labels in ranges:
            continue
        column = 3 + len(ranges)
        sheet.write_string(0, column, instrument.scale(question.code, questionnaire.form).id)
        for row, label in enumerate(question.labels, start=1):
            sheet.write_string(row, column, label)
        ranges[question.labels] = f"={HIDDEN_SHEET}!{xl_range_abs(1, column, len(question.labels), column)}"
    sheet.very_hidden()
    return ranges


def _write_answers(
    book: Workbook,
    sheet: Worksheet,
    questionnaire: _Questionnaire,
    questions: tuple[_Question, ...],
    lists: dict[tuple[str, ...], str],
) -> None:
    header = book.add_format(
        {"bold": True, "text_wrap": True, "valign": "bottom", "bg_color": _LIGHT, "border": 1, "border_color": _LINE}
    )
    # As text, so that Excel turns neither 007 into 7 nor 2025-03 into a date.
    as_text = book.add_format({"num_format": "@"})
    band_points = _band_height(questions)
    text_lines = max((_lines(question.text, _ITEM_WIDTH - 2) for question in questions), default=1)
    sheet.set_row(0, min(_TALLEST_ROW, band_points + text_lines * _LINE_POINTS + 6))
    sheet.set_row(1, None, None, {"hidden": True})
    sheet.set_column(0, 0, 13, as_text)
    sheet.set_column(1, 1, 22, as_text)
    sheet.set_column(2, 2, 13, as_text)
    sheet.set_column(_FIRST_ITEM, _FIRST_ITEM + len(questions) - 1, _ITEM_WIDTH)
    for column, name in enumerate(BACKGROUND):
        sheet.write_string(0, column, questionnaire.fixed(f"column.{name}"), header)
        sheet.write_string(1, column, name)
        _validate(sheet, column, questionnaire.fixed(f"column.{name}"), questionnaire.fixed(f"help.{name}"))
    for number, question in enumerate(questions):
        column = _FIRST_ITEM + number
        sheet.write_string(0, column, question.text, header)
        sheet.write_string(1, column, question.code)
        message = f"{question.stem}\n{question.text}" if question.stem else question.text
        title = questionnaire.fixed("help.question", number=number + 1)
        refusal = {
            "error_title": _shortened(questionnaire.fixed("help.refused_title"), _LONGEST_TITLE),
            "error_message": _shortened(questionnaire.fixed("help.refused"), _LONGEST_MESSAGE),
        }
        _validate(sheet, column, title, message, validate="list", source=lists[question.labels], **refusal)
    _write_bands(sheet, questions, band_points)
    sheet.freeze_panes(_FIRST_ROW, _FIRST_ITEM)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_print_scale(60)
    sheet.repeat_rows(0)
    sheet.repeat_columns(0, _FIRST_ITEM - 1)


def _validate(sheet: Worksheet, column: int, title: str, message: str, **rule: Any) -> None:
    """Help, and for a question the list of answers, for every cell of a column."""
    options = {
        "validate": "any",
        "input_title": _shortened(title, _LONGEST_TITLE),
        "input_message": _shortened(message, _LONGEST_MESSAGE),
        **rule,
    }
    sheet.data_validation(_FIRST_ROW, column, _FIRST_ROW + N_ROWS - 1, column, options)


def _write_bands(sheet: Worksheet, questions: tuple[_Question, ...], points: float) -> None:
    """Lead-ins above the questions they belong to. They are shapes, since the cells hold the questions alone."""
    for column, width, stem in _bands(questions):
        options = {
            "width": width * _ITEM_PIXELS - 4,
            "height": points / 0.75 - 4,
            "x_offset": 2,
            "y_offset": 2,
            "object_position": 1,
            "fill": {"color": _DARK},
            "line": {"none": True},
            "font": {"color": "white", "size": 10},
            "align": {"vertical": "middle"},
            "description": stem,
        }
        sheet.insert_textbox(0, column, stem, options)


def _bands(questions: tuple[_Question, ...]) -> Iterator[tuple[int, int, str]]:
    """Column, number of questions and text of each band; long runs of one lead-in repeat it, to keep it in view."""
    column = _FIRST_ITEM
    for stem, run in groupby(questions, key=lambda question: question.stem):
        left = len(list(run))
        while left:
            # Seven questions make four and three rather than four, two and one.
            n_bands = -(-left // _ITEMS_PER_BAND)
            width = -(-left // n_bands)
            if stem:
                yield column, width, stem
            column, left = column + width, left - width


def _band_height(questions: tuple[_Question, ...]) -> float:
    lines = [_lines(stem, width * (_ITEM_WIDTH - 2)) for _, width, stem in _bands(questions)]
    return max(lines) * _LINE_POINTS + 9 if lines else 0.0


def _write_guide(
    book: Workbook, sheet: Worksheet, questionnaire: _Questionnaire, questions: tuple[_Question, ...], answers: str
) -> None:
    formats = {
        "title": book.add_format({"bold": True, "font_size": 16, "font_color": _DARK, "text_wrap": True}),
        "heading": book.add_format({"bold": True, "font_size": 12, "font_color": _DARK, "text_wrap": True}),
        "stem": book.add_format({"bold": True, "bg_color": _LIGHT, "text_wrap": True, "valign": "vcenter"}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
        "question": book.add_format({"text_wrap": True, "valign": "top", "indent": 1}),
    }
    sheet.set_column(0, 0, _GUIDE_WIDTH)
    sheet.hide_gridlines(2)
    sheet.set_portrait()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    for row, (style, line) in enumerate(_guide_lines(questionnaire, questions, answers)):
        columns, points = _GUIDE_LINES[style]
        sheet.set_row(row, min(_TALLEST_ROW, _lines(line, columns) * points + 3))
        sheet.write_string(row, 0, line, formats[style])


def _guide_lines(
    questionnaire: _Questionnaire, questions: tuple[_Question, ...], answers: str
) -> Iterator[tuple[str, str]]:
    """What a respondent, or whoever hands out the questionnaire, should read: style and text of each line."""
    fixed, instrument = questionnaire.fixed, questionnaire.instrument
    frame = instrument.locales[questionnaire.language].forms[questionnaire.form]
    form = instrument.form(questionnaire.form)
    yield "title", questionnaire.filled(frame.title)
    if frame.instruction:
        yield "text", questionnaire.filled(frame.instruction)
    yield "text", ""
    yield "heading", fixed("guide.how")
    yield "text", fixed("guide.row", sheet=answers, rows=N_ROWS)
    yield "text", fixed("guide.choose")
    yield "text", fixed("guide.unit")
    yield "text", fixed("guide.keep")
    yield "text", ""
    yield "heading", fixed("guide.questions")
    number = 0
    for (stem, labels, n), run in groupby(questions, key=lambda q: (q.stem, q.labels, q.n_substantive)):
        if stem:
            yield "stem", stem
        for question in run:
            number += 1
            yield "question", f"{number}. {question.text}"
        yield "text", f"{fixed('guide.answers')} {' · '.join(labels[:n])}"
        if labels[n:]:
            yield "text", f"{fixed('guide.no_answer')} {' · '.join(labels[n:])}"
        yield "text", ""
    yield "heading", fixed("guide.about")
    unvalidated = instrument.status.strip().lower().startswith("not")
    yield "text", fixed("guide.status" if unvalidated else "guide.validated", status=instrument.status)
    yield "text", fixed("guide.version", version=instrument.version, tongue=questionnaire.language)
    if instrument.license:
        yield "text", fixed("guide.license", license=instrument.license)
    if form.reference_period:
        yield "text", fixed("guide.period", period=form.reference_period)


def _shortened(message: str, longest: int) -> str:
    return message if len(message) <= longest else f"{message[: longest - 1].rstrip()}…"


def _lines(message: str, columns: int) -> int:
    """Lines that a text takes in a cell of that many columns; East Asian characters take two columns each."""
    total = 0
    for paragraph in message.split("\n"):
        used, lines = 0, 1
        for word in paragraph.split(" "):
            size = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in word)
            if used and used + size > columns:
                lines, used = lines + 1, 0
            lines += max(0, size - 1) // columns
            used += size % columns + 1
        total += lines
    return total
