"""Cells taken from the markup are those that the parser finds, and markup of any other kind is left to the parser."""

from __future__ import annotations

import datetime
import zipfile

import fastexcel
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from servicediag.responses.plain_cells import PlainSheet, plain_cells
from servicediag.responses.safety import Limits
from servicediag.responses.workbook import inspect_workbook

BLANK = "blank, but formatted"
ROW = '<row r="2"><c r="A2" t="s"><v>0</v></c></row>'
VALUES = st.one_of(
    st.none(),
    st.just(BLANK),
    st.booleans(),
    st.integers(-3, 12),
    st.integers(0, 10**12),
    st.floats(-1e9, 1e9, allow_nan=False),
    st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2100, 1, 1)).map(lambda t: t.replace(microsecond=0)),
    st.dates(datetime.date(1990, 1, 1), datetime.date(2100, 1, 1)),
    st.sampled_from(["Never", "Often", " Often", "5", "a & b <c>", "два\nслова", "客服", ""]),
)


def write(path, rows, *, top=0, left=0, date_1904=False):
    """A workbook in which texts are shared, as the spreadsheet programs write them."""
    options = {"default_date_format": "yyyy-mm-dd hh:mm", "date_1904": date_1904, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as book:
        sheet, bold = book.add_worksheet("Answers & more"), book.add_format({"bold": True})
        for row, values in enumerate(rows, start=top):
            for column, value in enumerate(values, start=left):
                if value == BLANK:
                    sheet.write_blank(row, column, None, bold)
                elif isinstance(value, str):
                    sheet.write_string(row, column, value, bold if (row + column) % 2 else None)
                elif isinstance(value, bool):
                    sheet.write_boolean(row, column, value)
                elif isinstance(value, (int, float)):
                    sheet.write_number(row, column, value)
                elif value is not None:
                    sheet.write_datetime(row, column, value)


def columns_of(path):
    """The columns of the first sheet by its markup; None where they were left to the parser."""
    (sheet,) = inspect_workbook(path, Limits())
    return sheet.cells and [column.to_pylist() for column in sheet.cells.columns(path, sheet.name, sheet.part)]


def parsed(path):
    batch = fastexcel.read_excel(str(path)).load_sheet_eager(0, header_row=None, skip_rows=0, dtypes="string")
    return [column.to_pylist() for column in batch.columns]


def replace_in_sheet(path, old, new):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old in parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(old, new, 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(VALUES, max_size=6), min_size=1, max_size=8),
    top=st.integers(0, 3),
    left=st.integers(0, 30),
    date_1904=st.booleans(),
)
def test_cells_are_those_that_the_parser_finds(rows, top, left, date_1904, tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "book.xlsx"
    write(path, [["id", *["answer"] * 9], *rows], top=top, left=left, date_1904=date_1904)
    assert columns_of(path) == parsed(path)


def test_sheet_of_many_pieces(tmp_path):
    path = tmp_path / "long.xlsx"
    write(path, [[f"r{i}", "Never" if i % 3 else "Often", i % 5, None if i % 7 else "late"] for i in range(60_000)])
    assert columns_of(path) == parsed(path)


def test_sheet_that_ends_otherwise_is_left_to_the_parser(tmp_path):
    path = tmp_path / "long.xlsx"
    write(path, [[f"r{i}", "Never"] for i in range(60_000)])
    replace_in_sheet(path, b'<c r="B60000" t="s"><v>1</v></c>', b'<c r="B60000" t="inlineStr"><is><t>x</t></is></c>')
    (sheet,) = inspect_workbook(path, Limits())
    assert sheet.cells is None
    assert (sheet.first_column, sheet.last_column, sheet.last_row) == (1, 2, 60_000)


def test_few_cells_far_apart_are_not_held_as_columns(tmp_path):
    path = tmp_path / "wide.xlsx"
    write(path, [["a", *[None] * 100, "b"], *[[]] * 100, ["c"]])
    assert columns_of(path) is None


def test_sheet_of_dates_is_left_to_the_parser(tmp_path):
    path = tmp_path / "dates.xlsx"
    write(path, [[datetime.datetime(2024, 1, 1, 8) + datetime.timedelta(hours=i)] for i in range(5_000)])
    assert columns_of(path) is None


def test_rows_and_columns_in_their_order():
    found = plain_cells(b'<row r="3" ht="20"><c r="B3" s="12" t="s"><v>7</v></c><c r="AA3"><v>40</v></c></row>')
    assert (found.rows.tolist(), found.columns.tolist(), found.values.tolist()) == ([3, 3], [2, 27], [7, -41])


def test_rows_without_cells_and_cells_without_values_are_left_out():
    third = b'<row r="3"><c r="A3" s="1"/><c r="B3" t="s"><v>1</v></c></row>'
    rows = b'<row r="1"/><row r="2" ht="9"></row>' + third + b'<row r="9"/>'
    found = plain_cells(b"<sheetData>" + rows + b"</sheetData><pageMargins/></worksheet>")
    assert (found.rows.tolist(), found.columns.tolist()) == ([3], [2])


def test_other_values_are_kept_as_they_are_written():
    date = b' s="3"><v>45000.5</v></c>'
    shared = b"".join(b'<c r="%c2" t="s"><v>0</v></c>' % letter for letter in b"BCD")
    found = plain_cells(b'<row r="2"><c r="A2"' + date + shared + b"</row>")
    assert found.others == (date,)
    assert found.values.tolist() == [-1_000_001, 0, 0, 0]


@pytest.mark.parametrize(
    "markup",
    [
        '<row r="2"><c r="A2" t="e"><v>#N/A</v></c></row>',
        '<row r="2"><c r="A2" t="inlineStr"><is><t>a</t></is></c></row>',
        '<row r="2"><c r="A2" t="str"><f>B2</f><v>a</v></c></row>',
        '<row r="2"><c r="A2" t="s"><f>B2</f><v>1</v></c></row>',
        '<row r="2"><c r="A3" t="s"><v>0</v></c></row>',
        '<row r="2"><c r="A23" t="s"><v>0</v></c></row>',
        '<row r="2"><c t="s"><v>0</v></c></row>',
        '<row><c r="A2" t="s"><v>0</v></c></row>',
        '<row r="0"><c r="A0" t="s"><v>0</v></c></row>',
        '<row r="2"><c r="a2" t="s"><v>0</v></c></row>',
        '<row r="2"><c r="AAA2" t="s"><v>0</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v></v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>1a</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>-1</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>1234567</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="A2" t="s"><v>1</v></c></row>',
        '<row r="2"><c r="B2" t="s"><v>0</v></c><c r="A2" t="s"><v>1</v></c></row>',
        ROW + ROW,
        '<row r="3"><c r="A3" t="s"><v>0</v></c></row>' + ROW,
        '<row r="2"><!-- <c r="A2" t="s"><v>0</v></c> --></row>',
        '<row r="2"><c r="A2" t="s"><v>0</v></c><x/></row>',
        '<row r="2"> <c r="A2" t="s"><v>0</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>0</v></c> </row>',
        '<row r="2"/><c r="A2" t="s"><v>0</v></c></row>',
        '<row r="2"><x:c r="A2" t="s"><v>0</v></x:c></row>',
        f"<!-- {ROW} -->",
        f"<![CDATA[{ROW}]]>",
        f"<?hidden {ROW}?>",
        ROW + '</sheetData><c r="A9" t="s"><v>0</v></c>',
        ROW + "</sheetData><x:row/>",
        ROW[:-6],
        '<row r="12345678"><c r="A12345678" t="s"><v>0</v></c></row>',
    ],
)
def test_any_other_markup_is_left_to_the_parser(markup):
    assert plain_cells(ROW.encode()) is not None
    assert plain_cells(markup.encode()) is None


def test_piece_that_begins_in_a_row_that_is_there_already__refused():
    sheet = PlainSheet()
    assert sheet.add(plain_cells(ROW.encode()))
    assert not sheet.add(plain_cells(ROW.encode()))
