"""Hostile inputs made by code, and a process with limits to try them in."""

from __future__ import annotations

import importlib.util
import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import servicediag as sd

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/'
    'vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override '
    'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+'
    'xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{RELATIONS}/'
    'officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets><sheet name="S" sheetId="1" '
    'r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
"""What an .xlsx file holds besides its worksheet."""
MEGABYTES = 500


def _confinement() -> Any:
    name = "servicediag_hostile_confinement"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("confinement.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module.Confinement()


@pytest.fixture(scope="session")
def process() -> Iterator[Any]:
    """The process that jobs are forked from."""
    if os.name != "posix":
        pytest.skip("limits of a process are set as POSIX systems do")
    confined = _confinement()
    yield confined
    confined.close()


@pytest.fixture(scope="session")
def confined(process: Any) -> Callable[..., Any]:
    """Do a job within limits: it ends well, or in a refusal of a documented kind.

    The promise is 5 seconds of processor time, of which a busy machine takes more: a job is stopped after 20.
    """

    def run(job: str, **arguments: Any) -> Any:
        outcome = process.run(job, **arguments)
        assert outcome.kind in ("done", "refused"), f"{outcome.kind}: {outcome.error}: {outcome.text[:2_000]}"
        assert outcome.megabytes < MEGABYTES
        return outcome

    return run


@pytest.fixture(scope="session")
def command(confined: Callable[..., Any]) -> Callable[..., Any]:
    """Start the command line as a person does; what it prints is neither a traceback nor an internal error."""

    def run(*arguments: object, **conditions: Any) -> Any:
        outcome = confined("command", arguments=[str(argument) for argument in arguments], **conditions)
        assert "Traceback" not in outcome.text
        assert "internal error" not in outcome.text.casefold()
        assert outcome.value in (0, 1, 2, 130)
        return outcome

    return run


@pytest.fixture(scope="session")
def items() -> list[str]:
    """The item codes of the shortest questionnaire for customers."""
    return [item.code for item in sd.load_instrument("seven-sins").form_items("customer-short")]


@pytest.fixture(scope="session")
def labels(items: list[str]) -> list[str]:
    """Its labels in the order of their codes."""
    return list(sd.load_instrument("seven-sins").options(items[0], form="customer-short").values())


@pytest.fixture(scope="session")
def rows(items: list[str], labels: list[str]) -> Callable[..., list[list[Any]]]:
    """Headings and answers of people: ``rows(["North", "South"], n=3)`` has three people of each, a column Branch."""

    def make(
        units: Sequence[object] = ("North",),
        n: int = 12,
        extra: Mapping[str, Callable[[int], object]] | None = None,
    ) -> list[list[Any]]:
        more = dict(extra or {})
        table: list[list[Any]] = [["Branch", *items, *more]]
        for number, unit in enumerate(unit for unit in units for _ in range(n)):
            answers = [labels[(number * 3 + place * place + number // 7) % 5] for place in range(len(items))]
            table.append([unit, *answers, *(value(number) for value in more.values())])
        return table

    return make


@pytest.fixture(scope="session")
def write_rows() -> Callable[..., Path]:
    """Write rows as an .xlsx file in which every value is a text."""

    def write(path: Path, rows: Sequence[Sequence[object]]) -> Path:
        import xlsxwriter

        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet("Answers")
            for i, row in enumerate(rows):
                for j, value in enumerate(row):
                    sheet.write_string(i, j, str(value))
        return path

    return write


@pytest.fixture
def workbook(tmp_path: Path, write_rows: Callable[..., Path]) -> Callable[..., Path]:
    """Write rows as an .xlsx file of a test."""

    def write(rows: Sequence[Sequence[object]], name: str = "export.xlsx") -> Path:
        return write_rows(tmp_path / name, rows)

    return write


@pytest.fixture
def text_file(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as delimited text, or bytes as they are."""

    def write(content: Sequence[Sequence[object]] | bytes, name: str = "export.csv", delimiter: str = ",") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            quoted = (['"' + str(value).replace('"', '""') + '"' for value in row] for row in content)
            path.write_bytes("\n".join(delimiter.join(row) for row in quoted).encode("utf-8", "surrogatepass"))
        return path

    return write


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """Write an .xlsx file from the XML of its sheet and further parts; None leaves a part out."""

    def write(
        sheet: str | bytes,
        parts: Mapping[str, str | bytes | None] | None = None,
        method: int = zipfile.ZIP_DEFLATED,
    ) -> Path:
        path = tmp_path / "x.xlsx"
        contents = {**PARTS, "xl/worksheets/sheet1.xml": sheet, **(parts or {})}
        with zipfile.ZipFile(path, "w", method) as archive:
            for part, content in contents.items():
                if content is not None:
                    archive.writestr(part, content)
        return path

    return write


@pytest.fixture
def sheet_xml() -> Callable[..., str]:
    """The XML of a worksheet with these rows of cells."""

    def make(cells: str, before: str = "", after: str = "") -> str:
        return (
            f'<?xml version="1.0"?>{before}<worksheet xmlns="{MAIN}" xmlns:r="{RELATIONS}">'
            f"<sheetData>{cells}</sheetData>{after}</worksheet>"
        )

    return make


@pytest.fixture
def cells() -> Callable[..., str]:
    """Rows of values as XML, every value a text in its cell."""
    from xml.sax.saxutils import escape

    def make(rows: Sequence[Sequence[object]]) -> str:
        cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
        return "".join(f"<row>{''.join(cell.format(escape(str(v))) for v in row)}</row>" for row in rows)

    return make
