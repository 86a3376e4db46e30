"""Damaged, disguised and hostile files end in a typed refusal before a parser can be led astray."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import Limits, read_responses

PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default '
    'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
    'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.'
    'openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
    'Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" '
    'r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
}
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sheet_xml(cells, before=""):
    return f'<?xml version="1.0"?>{before}<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'


@pytest.fixture
def pack(tmp_path):
    """Write a workbook from the XML of its sheet, with further parts."""

    def write(sheet, **parts):
        path = tmp_path / "hostile.xlsx"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in {**PARTS, "xl/worksheets/sheet1.xml": sheet, **parts}.items():
                archive.writestr(name, text)
        return path

    return write


def headings(codes, row=1):
    cells = "".join(
        f'<c r="{chr(65 + i)}{row}" t="inlineStr"><is><t>{code}</t></is></c>' for i, code in enumerate(codes)
    )
    return f'<row r="{row}">{cells}</row>'


def test_hand_made_workbook_is_read(pack, harbour, codes):
    answers = "".join(f'<c r="{chr(65 + i)}2"><v>{i % 5 + 1}</v></c>' for i in range(6))
    path = pack(sheet_xml(f'{headings(codes)}<row r="2">{answers}</row>'))
    assert read_responses(path, harbour, form="guest").answers.loc[2].tolist() == [1, 2, 3, 4, 5, 1]


def test_cells_that_leave_their_place_unsaid_are_counted(pack, harbour, codes):
    names = "".join(f'<c t="inlineStr"><is><t>{code}</t></is></c>' for code in codes)
    path = pack(sheet_xml(f"<row>{names}</row><row>{'<c><v>9</v></c>' * 6}</row>"))
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert error.value.issues[0].where == "hostile.xlsx, S!A2"


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c r="ZZZ1"><v>1</v></c></row>',
        '<row r="1"><c r = "A1"><v>1</v></c><c r = "XFD1"><v>1</v></c></row>',
        '<x:row r="1" xmlns:x="u"><x:c r="A1"><x:v>1</x:v></x:c><x:c r="A1000000"><x:v>1</x:v></x:c></x:row>',
        "<row>" + "<c><v>1</v></c>" * 3000 + "</row>",
        '<row r="900000"/><row><c><v>1</v></c></row>',
    ],
)
def test_dimension_bomb__refused_before_parsing(cells, pack, harbour, faults):
    assert faults(pack(sheet_xml(cells)), harbour) == ["too_large"]


def test_many_rows_and_columns_together__refused(pack, harbour, faults):
    path = pack(sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row><row r="100000"><c r="AMJ100000"><v>1</v></c></row>'))
    assert faults(path, harbour) == ["too_large"]


def test_one_long_text_in_many_cells__refused(pack, harbour, faults):
    shared = f'<sst xmlns="{MAIN}"><si><t>{"x" * 32_000}</t></si></sst>'
    cells = "".join(f'<row r="{i}"><c r="A{i}" t="s"><v>0</v></c></row>' for i in range(1, 20_001))
    assert faults(pack(sheet_xml(cells), **{"xl/sharedStrings.xml": shared}), harbour) == ["too_large"]


def test_long_text_in_one_cell_of_many_is_no_bomb(pack, harbour, codes, faults):
    shared = f'<sst xmlns="{MAIN}"><si><t>a</t></si><si><t>{"x" * 32_000}</t></si></sst>'
    cells = "".join(f'<row r="{i}"><c r="A{i}" t="s"><v>{int(i == 5)}</v></c></row>' for i in range(1, 20_001))
    assert faults(pack(sheet_xml(cells), **{"xl/sharedStrings.xml": shared}), harbour) == ["missing_item"]


def shared_cells(codes, answers, first_row=1):
    """Headings and rows of answers as cells of shared texts, with the texts: what most programs write."""
    texts = [*codes, *dict.fromkeys(answer for row in answers for answer in row)]
    rows = [
        f'<row r="{number}">'
        + "".join(f'<c r="{chr(65 + i)}{number}" t="s"><v>{texts.index(v)}</v></c>' for i, v in enumerate(row))
        + "</row>"
        for number, row in enumerate([codes, *answers], start=first_row)
    ]
    shared = f'<sst xmlns="{MAIN}">{"".join(f"<si><t>{text}</t></si>" for text in texts)}</sst>'
    return rows, {"xl/sharedStrings.xml": shared}


@pytest.mark.parametrize("dimension", ["A1:XFD1048576", "A1:B1", "nonsense", "B2"])
def test_size_that_the_sheet_states_is_not_believed(dimension, pack, harbour, codes):
    rows, shared = shared_cells(codes, [["1", "2", "3", "4", "5", "1"], ["5"] * 6])
    sheet = sheet_xml("".join(rows)).replace("<sheetData>", f'<dimension ref="{dimension}"/><sheetData>')
    answers = read_responses(pack(sheet, **shared), harbour, form="guest").answers
    assert answers.to_numpy().tolist() == [[1, 2, 3, 4, 5, 1], [5] * 6]


def test_rows_out_of_order_are_put_in_order(pack, harbour, codes):
    rows, shared = shared_cells(codes, [["1"] * 6, ["2"] * 6])
    path = pack(sheet_xml(rows[0] + rows[2] + rows[1]), **shared)
    assert read_responses(path, harbour, form="guest").answers["hrb_calm_1"].to_dict() == {2: 1, 3: 2}


@pytest.mark.parametrize(
    "cell",
    ['<c r="A1048576" t="s"><v>0</v></c>', '<c r="XFD9" t="s"><v>0</v></c>', '<c r="AAA9" t="s"><v>0</v></c>' * 2],
)
def test_cell_of_a_shared_text_far_away__refused(cell, pack, harbour, codes, faults):
    rows, shared = shared_cells(codes, [["1"] * 6])
    number = "1048576" if "1048576" in cell else "9"
    limits = {"columns": 700}
    path = pack(sheet_xml("".join(rows) + f'<row r="{number}">{cell}</row>'), **shared)
    assert faults(path, harbour, limits=limits) == ["too_large"]


@pytest.mark.parametrize("kind", ["inlineStr", "s"])
def test_text_beyond_the_length_of_a_cell__refused(kind, pack, harbour, codes, faults):
    text = "x" * 40_000
    rows, shared = shared_cells(codes, [["1"] * 6, [text] * 6])
    if kind == "inlineStr":
        rows[2] = f'<row r="3"><c r="A3" t="inlineStr"><is><t>{text}</t></is></c></row>'
    assert faults(pack(sheet_xml("".join(rows)), **shared), harbour) == ["too_large"]


def test_text_that_is_not_there__unreadable(pack, harbour, codes, faults):
    rows, shared = shared_cells(codes, [["1"] * 6, ["2"] * 6])
    rows[2] = rows[2].replace("<v>7</v>", "<v>999999</v>", 1)
    assert faults(pack(sheet_xml("".join(rows)), **shared), harbour) == ["unreadable_file"]


@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "docProps/core.xml"]
)
def test_document_type_definition__unsafe(part, pack, harbour, faults):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    sheet = sheet_xml("", bomb if part.endswith("sheet1.xml") else "")
    parts = {} if part.endswith("sheet1.xml") else {part: f'<?xml version="1.0"?>{bomb}<sst xmlns="{MAIN}"/>'}
    assert faults(pack(sheet, **parts), harbour) == ["unsafe_file"]


def test_zip_bomb__refused_by_its_directory(pack, harbour, faults):
    assert faults(pack(sheet_xml(" " * 60_000_000)), harbour) == ["unsafe_file"]


def test_inflated_size__too_large(pack, harbour, faults):
    assert faults(pack(sheet_xml(" " * 5_000_000)), harbour, limits={"inflated_bytes": 4_000_000}) == ["too_large"]


def test_size_that_lies_about_the_unpacked_part__unreadable(pack, harbour, faults):
    path = pack(sheet_xml(" " * 1_000_000))
    data = bytearray(path.read_bytes())
    start = data.rfind(b"PK\x01\x02", 0, data.rfind(b"xl/worksheets/sheet1.xml"))
    data[start + 24 : start + 28] = (1_000).to_bytes(4, "little")
    path.write_bytes(data)
    assert faults(path, harbour) == ["unreadable_file"]


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "xl\\..\\..\\evil", "xl/Workbook.xml"])
def test_path_out_of_the_archive_or_doubled_part__unsafe(name, pack, harbour, faults):
    assert faults(pack(sheet_xml(""), **{name: "x"}), harbour) == ["unsafe_file"]


def test_truncated_workbook__unreadable(harbour, workbook, codes, faults, tmp_path):
    data = workbook(Data=[codes, [1] * 6]).read_bytes()
    for size in (20, len(data) // 2, len(data) - 30):
        path = tmp_path / "cut.xlsx"
        path.write_bytes(data[:size])
        assert faults(path, harbour) == ["unreadable_file"]


def test_damaged_list_of_sheets__unreadable(pack, harbour, faults):
    assert faults(pack(sheet_xml(""), **{"xl/workbook.xml": "<workbook><"}), harbour) == ["unreadable_file"]


def test_encrypted_workbook__unreadable_and_says_so(tmp_path, harbour):
    path = tmp_path / "secret.xlsx"
    path.write_bytes(
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 99
    )
    with pytest.raises(ResponsesError, match="encrypted") as error:
        read_responses(path, harbour)
    assert [issue.code for issue in error.value.issues] == ["unreadable_file"]


@pytest.mark.parametrize(
    "content",
    [
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 2_000,
        b"<html><body><table><tr><td>hrb_calm_1</td></tr></table></body></html>",
        b"\xef\xbb\xbf  <TABLE><tr><td>1</td></tr></TABLE>",
        b'<?xml version="1.0"?><Workbook/>',
        b"%PDF-1.7 and so on",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        bytes(range(256)) * 40,
        b"a,b\n1,\x002\n",
    ],
)
@pytest.mark.parametrize("name", ["export.xls", "export.csv", "export.xlsx"])
def test_what_is_no_table__unreadable(content, name, tmp_path, harbour, faults):
    path = tmp_path / name
    path.write_bytes(content)
    assert faults(path, harbour) == ["unreadable_file"]


@pytest.mark.parametrize("part", ["word/document.xml", "content.xml", "xl/workbook.bin", "readme.txt"])
def test_other_zip_formats__unreadable(part, tmp_path, harbour, faults):
    path = tmp_path / "export.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(part, "x")
    assert faults(path, harbour) == ["unreadable_file"]


def test_missing_file_and_folder__unreadable(tmp_path, harbour, faults):
    assert faults(tmp_path / "nowhere.xlsx", harbour) == ["unreadable_file"]
    assert faults(tmp_path, harbour) == ["unreadable_file"]
    with pytest.raises(ResponsesError, match="is a folder"):
        read_responses(tmp_path, harbour)
    with pytest.raises(ResponsesError, match="There is no file"):
        read_responses(tmp_path / "nowhere.xlsx", harbour)


def test_macros_are_not_needed_to_read_the_answers(tmp_path, workbook, codes, harbour):
    path = workbook(Data=[codes, [1, 2, 3, 4, 5, 1], [2] * 6])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xcc\x61 not run")
    macro_book = path.rename(tmp_path / "answers.xlsm")
    assert len(read_responses(macro_book, harbour, form="guest")) == 2


def test_formula_without_a_value__refused_with_its_cells(workbook, codes, harbour):
    with pytest.raises(ResponsesError) as error:
        read_responses(
            workbook(Data=[codes, ["=1+1", 2, 3, 4, 5, 1], [2] * 6, ["=A3", *[3] * 5]]), harbour, form="guest"
        )
    (issue,) = error.value.issues
    assert (issue.code, issue.where) == ("formula_without_value", "answers.xlsx, Data!A2, A4")


def test_formula_elsewhere_or_with_a_value_is_no_fault(workbook, pack, codes, harbour):
    rows = [[*codes, "Sum"], [None, 2, 3, 4, 5, 1, "=1+1"], [2] * 7]
    beside = read_responses(workbook(Data=rows, Other=[["x"], ["=1+1"]]), harbour, form="guest")
    assert beside.missing["hrb_calm_1"].tolist() == ["blank", ""]
    cells = "".join(f'<c r="{chr(65 + i)}2"><f>1+{i % 5}</f><v>{i % 5 + 1}</v></c>' for i in range(1, 6))
    calculated = read_responses(pack(sheet_xml(f'{headings(codes)}<row r="2">{cells}</row>')), harbour, form="guest")
    assert calculated.answers.loc[2].tolist()[1:] == [2, 3, 4, 5, 1]


@pytest.mark.parametrize(
    ("limits", "rows"),
    [
        ({"workbook_bytes": 1_000}, 3),
        ({"workbook_rows": 3}, 5),
        ({"columns": 5}, 3),
        ({"cells": 12}, 3),
        ({"cell_characters": 8}, 3),
        (Limits(workbook_rows=3), 5),
    ],
)
def test_limit_of_a_workbook__too_large_and_named(limits, rows, workbook, codes, harbour):
    path = workbook(Data=[codes, *[[1, 2, 3, 4, 5, 1]] * rows])
    with pytest.raises(ResponsesError, match=r"limits=\{'\w+': \d+\}") as error:
        read_responses(path, harbour, form="guest", limits=limits)
    assert [issue.code for issue in error.value.issues] == ["too_large"]
    assert len(read_responses(path, harbour, form="guest")) == rows


@pytest.mark.parametrize("limits", [{"text_bytes": 20}, {"text_rows": 2}, {"columns": 5}, {"cell_characters": 8}])
@pytest.mark.parametrize("ragged", [False, True])
def test_limit_of_a_text_file__too_large(limits, ragged, tmp_path, codes, harbour, faults):
    path = tmp_path / "export.csv"
    path.write_text(",".join(codes) + "\n1,2,3,4,5,1\n1,2,3,4,5,1\n" + ("1,2\n" if ragged else "1,2,3,4,5,1\n"))
    assert faults(path, harbour, form="guest", limits=limits) == ["too_large"]


def test_wrong_limits__named():
    with pytest.raises(ValueError, match="rows_of_text"):
        Limits.of({"rows_of_text": 5})
    with pytest.raises(TypeError, match="limits="):
        Limits.of(5)


@pytest.mark.parametrize("content", [b"", b"\n\n", b",,\n,,\n"])
def test_empty_text_file__empty_sheet(content, tmp_path, harbour, faults):
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    assert faults(path, harbour) == ["empty_sheet"]


def test_workbook_without_cells__empty_sheet(tmp_path, harbour, faults):
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    path = tmp_path / "empty.xlsx"
    path.write_bytes(buffer.getvalue())
    assert faults(path, harbour) == ["empty_sheet"]


def test_headings_without_answers__empty_sheet(harbour, codes, workbook, answered, faults):
    assert faults(workbook(Data=[codes]), harbour, form="guest") == ["empty_sheet"]
    assert faults(answered(0), harbour, form="guest") == ["empty_sheet"]
