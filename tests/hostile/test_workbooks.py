"""Workbooks that are built to exhaust, to reach out or to mislead: classes 8 to 14 of hostile inputs.

Entity bombs, external entities, zip bombs, false sizes, dimension bombs, formulas and links in place of answers, paths
that lead out of the archive, and files that are not what their name says.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile

import openpyxl
import pytest

FORM = {"form": "customer-short"}
CHECK = ("-i", "seven-sins:customer-short")
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha" * 10}">' for i in range(10))
BOMBS = {
    "billion laughs": f"<!DOCTYPE x [{LAUGHS}]>",
    "quadratic blow-up": f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>',
    "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
    "external definition": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
}
REFERENCES = {"billion laughs": "&l9;", "quadratic blow-up": "&a;" * 50_000, "external entity": "&e;"}


@pytest.fixture
def answers(cells, rows, sheet_xml):
    return sheet_xml(cells(rows()))


@pytest.fixture
def refused(command):
    """Refused with one fault, which is of these codes."""

    def check(path, *codes):
        shown = command("check", path, *CHECK)
        assert shown.value == 1
        faults = [line for line in shown.text.splitlines() if line.startswith("error ")]
        assert faults in [[f"error {code}"] for code in codes], shown.text

    return check


def test_file_made_by_hand_is_read(pack, answers, confined):
    outcome = confined("read", path=pack(answers), **FORM)
    assert (outcome.kind, outcome.value["n"]) == ("done", 12)


@pytest.mark.parametrize(
    ("bomb", "part"), [*((bomb, "sheet") for bomb in BOMBS), *((bomb, "xl/sharedStrings.xml") for bomb in REFERENCES)]
)
def test_document_type_definition_is_refused(bomb, part, pack, cells, rows, sheet_xml, answers, refused):
    definition, reference = BOMBS[bomb], REFERENCES.get(bomb, "")
    if part == "sheet":
        text = f'<row><c t="inlineStr"><is><t>{reference}</t></is></c></row>'
        path = pack(sheet_xml(text + cells(rows()), definition))
    else:
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        shared = f'<?xml version="1.0"?>{definition}<sst xmlns="{main}"><si><t>{reference}</t></si></sst>'
        path = pack(answers, {part: shared})
    refused(path, "unsafe_file", "unreadable_file")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-7", "utf-32"])
def test_bomb_in_another_encoding_is_refused(encoding, pack, sheet_xml, refused):
    declared = encoding.removesuffix("-be")
    sheet = sheet_xml("<row><c><v>1</v></c></row>", BOMBS["billion laughs"])
    sheet = sheet.replace('version="1.0"', f'version="1.0" encoding="{declared}"')
    refused(pack(sheet.encode(encoding)), "unsafe_file", "unreadable_file")


def test_definition_cut_by_the_border_of_two_pieces_is_seen(pack, sheet_xml, refused):
    for shift in (0, 8):
        blank = " " * ((1 << 20) - 20 - shift)
        sheet = sheet_xml("", f"<!--{blank}-->{BOMBS['billion laughs']}")
        refused(pack(sheet), "unsafe_file", "unreadable_file")


def test_relations_to_elsewhere_are_not_followed(pack, answers, confined, command, tmp_path):
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLinkPath" '
        'Target="file:///etc/hostname" TargetMode="External"/></Relationships>'
    )
    link = (
        '<externalLink xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><ddeLink ddeService="cmd" '
        'ddeTopic="/c calc"/></externalLink>'
    )
    parts = {"xl/externalLinks/_rels/externalLink1.xml.rels": relation, "xl/externalLinks/externalLink1.xml": link}
    path = pack(answers, parts)
    assert confined("read", path=path, **FORM).value["n"] == 12
    outcome = command("check", path, *CHECK, "--annotate", tmp_path / "marked.xlsx")
    assert outcome.kind == "done", outcome.text
    with zipfile.ZipFile(tmp_path / "marked.xlsx") as archive:
        assert not [name for name in archive.namelist() if "external" in name.casefold()]


def test_sheet_that_is_said_to_lie_elsewhere_is_refused(pack, answers, refused):
    for target in ("file:///etc/passwd", "../../../etc/passwd"):
        relations = (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
            'Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
            f'Target="{target}" TargetMode="External"/></Relationships>'
        )
        refused(pack(answers, {"xl/_rels/workbook.xml.rels": relations}), "unreadable_file", "empty_sheet")


def test_zip_bomb_is_refused_by_its_directory(pack, sheet_xml, refused):
    refused(pack(sheet_xml(" " * 40_000_000)), "unsafe_file")


def test_many_long_rows_within_the_ratio_are_refused_by_their_size(tmp_path, refused):
    """1.6 MB of text repeated in cells: the size counts that the parts take once unpacked."""
    path = tmp_path / "x.xlsx"
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"constant_memory": False}) as book:
        sheet = book.add_worksheet("S")
        for row in range(20_000):
            sheet.write_string(row, 0, "y" * 32_000)
    refused(path, "too_large", "unsafe_file")


def _with_declared_size(path, part, size):
    """The archive with another unpacked size in the entry of its directory and in the header of the part."""
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"PK\x01\x02", 0, data.rfind(part.encode()))
    header = struct.unpack_from("<I", data, entry + 42)[0]
    struct.pack_into("<I", data, entry + 24, size)
    struct.pack_into("<I", data, header + 22, size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", [1_000, 0])
def test_size_that_lies_is_refused(size, pack, sheet_xml, refused):
    path = pack(sheet_xml(" " * 15_000_000))
    refused(_with_declared_size(path, "xl/worksheets/sheet1.xml", size), "unreadable_file", "unsafe_file")


def test_archive_in_an_archive_is_no_workbook(tmp_path, refused):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", b"\0" * 20_000_000)
    path = tmp_path / "x.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.zip", inner.getvalue())
    refused(path, "unreadable_file")


def test_thousands_of_parts_are_refused(pack, answers, refused):
    refused(pack(answers, {f"xl/media/{i}": "x" for i in range(6_000)}, method=zipfile.ZIP_STORED), "unsafe_file")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_parts_packed_in_another_way_do_not_escape_the_limits(method, pack, sheet_xml, confined):
    path = pack(sheet_xml(" " * 15_000_000), method=method)
    assert confined("read", path=path, **FORM).kind == "refused"


def test_dimension_bomb_is_refused(pack, cells, rows, sheet_xml, refused):
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    refused(pack(sheet_xml(cells(rows()) + far)), "too_large")


def test_dimension_bomb_of_blank_cells_is_read_and_marked(pack, cells, rows, sheet_xml, confined, command, tmp_path):
    table = rows()
    table[2][3] = "No such answer"
    far = '<row r="1048576"><c r="XFD1048576" s="0"/></row>'
    body = cells(rows()).replace("<row>", "").split("</row>")
    numbered = "".join(f'<row r="{i}">{row}</row>' for i, row in enumerate(body[:-1], start=1))
    path = pack(sheet_xml(numbered + far))
    assert confined("read", path=path, **FORM).value["n"] == 12
    outcome = command("check", path, *CHECK, "--annotate", tmp_path / "marked.xlsx")
    assert outcome.kind == "done", outcome.text


def test_a_sheet_that_only_says_it_is_vast_is_read(pack, answers, confined):
    path = pack(answers.replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>'))
    assert confined("read", path=path, **FORM).value["n"] == 12


@pytest.mark.parametrize("place", ["A0", "XFE1", "ZZZZZZZ1", "A99999999999", "1A", "", "Ä1"])
def test_cell_at_an_impossible_place_is_refused_or_left_out(place, pack, cells, rows, sheet_xml, confined, command):
    path = pack(sheet_xml(cells(rows()) + f'<row><c r="{place}"><v>5</v></c></row>'))
    command("check", path, *CHECK)


def _formulas(path, rows, cached):
    """A workbook in which formulas stand in place of the answers of one person."""
    book = openpyxl.Workbook()
    for row in rows():
        book.active.append(row)
    for column in range(2, 16):
        book.active.cell(3, column).value = "=cmd|'/c calc'!A1"
    hidden = book.create_sheet("Hidden")
    hidden["A1"] = '=HYPERLINK("http://x.test")'
    hidden.sheet_state = "veryHidden"
    book.save(path)
    if cached is not None:
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = "xl/worksheets/sheet1.xml"
        parts[name] = (
            parts[name]
            .replace(b"</f><v />", b"</f><v>%s</v>" % cached)
            .replace(b"</f><v></v>", b"</f><v>%s</v>" % cached)
        )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in parts.items():
                archive.writestr(part, content)
    return path


def test_formula_without_a_value_is_refused_and_not_computed(tmp_path, rows, confined):
    outcome = confined("read", path=_formulas(tmp_path / "x.xlsx", rows, None), minimum_completed=0, **FORM)
    assert outcome.kind == "refused"
    assert set(outcome.codes) == {"formula_without_value"}


def test_formula_with_a_value_is_what_the_spreadsheet_said(tmp_path, rows, confined):
    path = _formulas(tmp_path / "x.xlsx", rows, b"7")
    outcome = confined("read", path=path, minimum_completed=0, **FORM)
    assert outcome.kind == "refused"
    assert set(outcome.codes) == {"out_of_range"}


def test_macros_are_not_kept_in_the_annotated_copy(tmp_path, rows, workbook, command):
    path = workbook(rows(), "x.xlsm")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"not run")
    outcome = command("check", path, *CHECK, "--annotate", tmp_path / "marked.xlsx")
    assert outcome.kind == "done", outcome.text
    with zipfile.ZipFile(tmp_path / "marked.xlsx") as archive:
        assert not [name for name in archive.namelist() if "vba" in name]


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "xl\\..\\..\\x", "xl/./../../x"])
def test_path_out_of_the_archive_is_refused_and_nothing_is_unpacked(name, pack, answers, refused, tmp_path):
    before = sorted(os.listdir(tmp_path.parent))
    path = pack(answers, {name: "evil"})
    refused(path, "unsafe_file")
    assert sorted(os.listdir(tmp_path)) == ["x.xlsx"]
    assert sorted(os.listdir(tmp_path.parent)) == before


@pytest.mark.parametrize(
    "content",
    [
        b"<html><body><script>alert(1)</script><table><tr><td>1</td></tr></table></body></html>",
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 5_000,
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\xff" * 5_000,
        b"PK\x03\x04" + b"\xff" * 500,
        b"PK\x05\x06" + b"\0" * 18,
        b"%PDF-1.7",
        b"\x7fELF" + b"\0" * 100,
    ],
    ids=["html", "old blank", "old wild", "zip start", "empty zip", "pdf", "program"],
)
def test_file_that_is_not_what_its_name_says_is_refused(content, tmp_path, refused):
    path = tmp_path / "x.xlsx"
    path.write_bytes(content)
    refused(path, "unreadable_file")


def test_workbook_that_is_cut_off_is_refused(tmp_path, rows, workbook, confined):
    data = workbook(rows()).read_bytes()
    path = tmp_path / "cut.xlsx"
    for part in (1, 6, 10, 11):
        path.write_bytes(data[: len(data) * part // 12])
        outcome = confined("read", path=path, **FORM)
        assert (outcome.kind, outcome.codes) == ("refused", ("unreadable_file",))


def test_workbook_with_changed_bytes_is_refused_or_read(tmp_path, rows, workbook, confined):
    data = workbook(rows()).read_bytes()
    path = tmp_path / "bent.xlsx"
    for position in range(30, len(data), len(data) // 8):
        bent = bytearray(data)
        bent[position] ^= 0x55
        path.write_bytes(bent)
        confined("read", path=path, **FORM)
