"""How a file was read: what was matched, what was left out, and which cells a person should look at."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from servicediag.errors import Issue, ResponsesError
from servicediag.files import atomic_path
from servicediag.results import short_repr

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["Intake", "mark_cells", "read_mapping"]

_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})\b")
_REFUSALS = ("unreadable_file", "unsafe_file", "too_large")
_MORE = re.compile(r" and [0-9]+ more$")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_FILLS = {"error": "FFC7CE", "warning": "FFEB9C", "note": "DDEBF7"}
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

    def __repr__(self) -> str:
        pairs = [
            ("source", self.source),
            ("platform", self.platform),
            ("n_rows", self.n_rows),
            ("n_kept", self.n_kept),
            ("n_items", len(self.matches)),
            ("n_issues", len(self.issues)),
        ]
        return short_repr("Intake", pairs)

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

    def save_mapping(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write which column holds which item, as a file that ``read_responses(..., columns=path)`` takes.

        Parameters
        ----------
        path : path
            ``.csv`` (columns ``source_column, item_code``), or ``.yaml``.

        Raises
        ------
        ValueError
            Another suffix.
        FileExistsError
            The file exists and ``overwrite`` is False.
        """
        target = Path(path)
        pairs = list(zip(self.matches["column"], self.matches["item"], strict=True))
        suffix = target.suffix.lower()
        if suffix not in (".csv", ".yaml", ".yml"):
            raise ValueError(f"path={str(path)!r} must end in .csv or .yaml")
        with atomic_path(target, overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            if suffix == ".csv":
                writer = csv.writer(file, quoting=csv.QUOTE_ALL)
                writer.writerow(["source_column", "item_code"])
                writer.writerows((_escape(column), item) for column, item in pairs)
            else:
                yaml.safe_dump(dict(pairs), file, allow_unicode=True, sort_keys=False, width=4_000)
        return target

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
    """Write a copy of a workbook with the cells that issues name coloured and commented; macros are left out.

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
        workbook = openpyxl.load_workbook(source)
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
    with atomic_path(path, overwrite) as temporary:
        workbook.save(temporary)
    return Path(path)


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


def _escape(text: str) -> str:
    """A heading that a spreadsheet would take for a formula gets an apostrophe; ``read_mapping`` takes it off."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) or text.startswith("'") else text


def read_mapping(path: Path) -> dict[str, str | None]:
    """A mapping file as ``{source column: item code}``; an empty item code says that the column is no item.

    Raises
    ------
    ValueError
        The file cannot be read as a mapping.
    """
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = list(csv.DictReader(file))
        if not records or not {"source_column", "item_code"} <= records[0].keys():
            raise ValueError(f"columns={str(path)!r} must have the columns source_column and item_code")
        return {_unescape(record["source_column"] or ""): record["item_code"] or None for record in records}
    from servicediag.instrument.yaml_loader import load_yaml

    data: Any = load_yaml(path).data
    if not isinstance(data, dict):
        raise ValueError(f"columns={str(path)!r} must be a mapping of source column to item code")
    return {str(column): None if code is None else str(code) for column, code in data.items()}


def _unescape(text: str) -> str:
    return text[1:] if text.startswith("'") else text
