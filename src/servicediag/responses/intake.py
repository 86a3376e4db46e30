"""How a file was read: what was matched, what was left out, and which cells a person should look at."""

from __future__ import annotations

import errno
import html
import io
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from servicediag.errors import Issue, ResponsesError
from servicediag.escaping import encodable
from servicediag.files import atomic_path
from servicediag.responses.intake_text import intake_dict, intake_text
from servicediag.responses.mapping_file import write_mapping
from servicediag.results import short_repr

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["Intake", "mark_cells"]

_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})\b")
_REFUSALS = ("unreadable_file", "unsafe_file", "too_large")
_MORE = re.compile(r" and [0-9]+ more$")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_FILLS = {"error": "FFC7CE", "warning": "FFEB9C", "note": "DDEBF7"}
_PLAIN_LIST = re.compile(r"([A-Za-z0-9_]+!)?\$?[A-Z]{1,3}\$?[0-9]{1,7}:\$?[A-Z]{1,3}\$?[0-9]{1,7}|\"[^\"]*\"")
"""Answers to choose from: cells of the workbook, or the answers themselves."""
_COMMENT_WIDTH = 320
_LONGEST_COMMENT = 2_000


@dataclass(frozen=True, repr=False)
class Intake:
    """How one export was read.

    Attributes
    ----------
    platform : str
        Which layout was recognised, e.g. ``"plain"`` or ``"answer_sheet"``.
    n_rows, n_kept : int
        Rows with any content, and respondents that were kept.
    matches : DataFrame
        A row an item that was found: ``item``, ``column`` (its heading), ``method``.
    issues : tuple of Issue
        Warnings and notes; errors stop the reading.
    source : str
        Name of the file, or ``"DataFrame"``.
    sheet, delimiter, encoding : str or None
        Where the source has them.
    path : Path or None
        The file itself.
    why : str
        What in the file shows which platform made it; empty for a plain sheet.
    n_items : int
        Items that the forms ask, whether found or not.
    reversed_columns : tuple of str
        Columns whose numbers were turned because the mapping said so.
    forms : tuple of str
        What was filled in, as ``instrument:form``.
    background : tuple of str
        The columns kept beside the items, as they are called in ``respondents``.
    """

    platform: str
    n_rows: int
    n_kept: int
    matches: pd.DataFrame = field(compare=False)
    issues: tuple[Issue, ...]
    source: str
    sheet: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    path: Path | None = None
    why: str = ""
    n_items: int = 0
    reversed_columns: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    background: tuple[str, ...] = ()

    def __repr__(self) -> str:
        pairs = [
            ("source", self.source),
            ("platform", self.platform),
            ("n_rows", self.n_rows),
            ("n_kept", self.n_kept),
            ("n_items", self.n_matched),
            ("n_issues", len(self.issues)),
        ]
        return short_repr("Intake", pairs)

    @property
    def n_matched(self) -> int:
        """Items that were found."""
        return int(self.matches["item"].nunique())

    def _repr_html_(self) -> str:
        lines = [f"<p><code>{html.escape(repr(self))}</code></p>"]
        if self.issues:
            rows = "".join(
                "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in asdict(issue).values()) + "</tr>"
                for issue in self.issues
            )
            head = "".join(f"<th>{name}</th>" for name in Issue.__dataclass_fields__)
            lines.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        return "".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """A row an issue: ``code, severity, where, problem, remedy``."""
        columns = list(Issue.__dataclass_fields__)
        return pd.DataFrame([asdict(issue) for issue in self.issues], columns=columns)

    def to_text(self) -> str:
        """The report in plain text: platform, rows, items, then errors, warnings and notes with their places."""
        return encodable(intake_text(self))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return intake_dict(self)

    def to_json(self, path: str | Path | None = None, *, overwrite: bool = False) -> str:
        """The report as JSON text, also written to a file where a path is given.

        Raises
        ------
        FileExistsError
            The file exists and ``overwrite`` is False.
        """
        text = encodable(json.dumps(self.to_dict(), ensure_ascii=False, indent=2))
        if path is not None:
            with atomic_path(Path(path), overwrite) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
        return text

    def save_mapping(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write which column holds which item, as a file that ``read_responses(..., columns=path)`` takes.

        Parameters
        ----------
        path : path
            ``.csv`` (columns ``source_column, item_code, direction``), or ``.yaml``.

        Raises
        ------
        ValueError
            Another suffix.
        FileExistsError
            The file exists and ``overwrite`` is False.
        """
        turned = set(self.reversed_columns)
        pairs = zip(self.matches["column"], self.matches["item"], strict=True)
        return write_mapping([(column, item, column in turned) for column, item in pairs], path, overwrite)

    def annotate(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a copy of the workbook in which the cells that the issues name are coloured and commented.

        Parameters
        ----------
        path : path
            The copy, ``.xlsx``.

        Raises
        ------
        ValueError
            The source is not a workbook.
        FileExistsError
            The file exists and ``overwrite`` is False.
        ResponsesError
            unreadable_file, where the workbook cannot be edited.
        """
        if self.path is None or self.sheet is None:
            raise ValueError(f"source={self.source!r} is not a workbook; only workbooks can be annotated")
        return mark_cells(self.path, self.issues, path, overwrite=overwrite)


def mark_cells(source: str | Path, issues: Sequence[Issue], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a copy of a workbook with the cells that issues name coloured and commented.

    The copy holds values only: formulas, also those of rules and names, macros, charts, and links to elsewhere are left
    out.
    Where an issue counts more cells than it names, those of the same column that hold the same value are marked too.

    Raises
    ------
    ValueError
        ``path`` does not end in ``.xlsx``.
    FileExistsError
        The file exists and ``overwrite`` is False.
    ResponsesError
        unreadable_file, where the workbook cannot be edited; or the issues that say why it was not read at all.
    """
    import openpyxl

    if refused := [issue for issue in issues if issue.code in _REFUSALS]:
        raise ResponsesError(f"{Path(source).name} was not read and cannot be annotated.", refused)
    if Path(path).suffix.lower() != ".xlsx":
        raise ValueError(f"path={str(path)!r} must end in .xlsx")
    try:
        workbook = openpyxl.load_workbook(source, data_only=True, keep_links=False)
    except Exception as error:
        name = Path(source).name
        problem = f"The workbook cannot be edited ({type(error).__name__})."
        issue = Issue("unreadable_file", "error", name, problem, "Open it in Excel, save it anew, and read it again.")
        raise ResponsesError(f"{name} cannot be annotated.", [issue]) from error
    for issue in issues:
        for worksheet in workbook.worksheets:
            _, found, cells = issue.where.rpartition(f", {worksheet.title}!")
            if found:
                for cell in _meant(worksheet, cells):
                    _mark(cell, issue)
    _keep_values(workbook)
    packed = io.BytesIO()
    try:
        workbook.save(packed)
    except Exception as error:
        # openpyxl writes every sheet to a temporary file first; with lxml a full disk is then no OSError.
        if type(error).__name__ != "SerialisationError":
            raise
        raise OSError(errno.ENOSPC, "temporary files cannot be written", tempfile.gettempdir()) from error
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(packed.getbuffer())
    return Path(path)


def _keep_values(workbook: Workbook) -> None:
    """Take out what computes, or leads elsewhere: names, charts, pivots, tables, rules, and the links of cells."""
    from openpyxl.formatting.formatting import ConditionalFormattingList

    workbook.defined_names.clear()
    for sheet in workbook.chartsheets:
        workbook.remove(sheet)
    for worksheet in workbook.worksheets:
        worksheet.defined_names.clear()
        worksheet.tables.clear()
        worksheet.conditional_formatting = ConditionalFormattingList()
        rules = worksheet.data_validations.dataValidation
        rules[:] = [rule for rule in rules if _is_plain(rule)]
        for drawn in (worksheet._charts, worksheet._images, worksheet._pivots):
            drawn.clear()
        for cell in worksheet._cells.values():  # the public ways make a cell of every place up to the farthest one
            if cell.hyperlink is not None:
                cell.hyperlink = None


def _is_plain(rule: DataValidation) -> bool:
    """Whether a rule for what is typed computes nothing: a hint, or a list of answers to choose from."""
    if rule.formula2 or not rule.formula1:
        return not rule.formula2
    return rule.type == "list" and _PLAIN_LIST.fullmatch(rule.formula1) is not None


def _meant(worksheet: Worksheet, cells: str) -> Iterator[Cell]:
    """The cells that a place names and, where it says "and n more", those of the column with the same values."""
    named = [worksheet[f"{letters}{row}"] for letters, row in _CELL.findall(cells)]
    yield from named
    if _MORE.search(cells):
        values = {cell.value for cell in named} - {None}
        rows = {cell.row for cell in named}
        for (cell,) in worksheet.iter_rows(min_row=max(rows) + 1, min_col=named[0].column, max_col=named[0].column):
            if cell.value in values:
                yield cell


def _mark(cell: Cell, issue: Issue) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    before = f"{cell.comment.text}\n" if cell.comment else ""
    text = _CONTROL.sub(" ", f"{before}{issue.problem} {issue.remedy}")[:_LONGEST_COMMENT]
    cell.fill = PatternFill("solid", start_color=_FILLS[issue.severity])
    cell.comment = Comment(text, "servicediag", width=_COMMENT_WIDTH)
