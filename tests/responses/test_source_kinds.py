"""Old and open workbooks, SPSS, JSON and Parquet files are read like the others, or refused with a reason."""

from __future__ import annotations

import contextlib
import json
import shutil
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import Limits, read_responses
from servicediag.responses.readers import open_source

ANSWERS = [[1, 2, 3, 4, 5, 1], [5, 4, 3, 2, 1, 5]]
LABELS = {1: "Never", 2: "Rarely", 3: "Sometimes", 4: "Often", 5: "Almost always"}
END, FREE = 0xFFFFFFFE, 0xFFFFFFFF


def read_raw(path, **limits):
    """Every sheet as rows of text."""
    source = open_source(path, Limits.of(limits), None, frozenset())
    grids = [source.text] if source.text else [source.load(sheet) for sheet in source.sheets]
    return [grid.top(grid.n_rows) for grid in grids]


# ------------------------------------------------------------------------------------------------------- .xls workbooks


def record(kind, data=b""):
    return struct.pack("<HH", kind, len(data)) + data


def beginning(kind, version=0x600):
    return record(0x809, struct.pack("<HHHHII", version, kind, 0, 0, 0, 0))


def number(row, column, value):
    return record(0x203, struct.pack("<HHHd", row, column, 0, value))


def shared(row, column, index):
    return record(0xFD, struct.pack("<HHHI", row, column, 0, index))


def shared_texts(texts, announced=None, room=8_000):
    """The table of shared texts; a text that does not fit runs on in the next record."""
    count = len(texts) if announced is None else announced
    parts, part = [], struct.pack("<II", count, count)
    for text in texts:
        wide = not text.isascii()
        part += struct.pack("<HB", len(text), wide)
        rest = text
        while rest:
            fits = max((room - len(part)) // (1 + wide), 0)
            piece, rest = rest[:fits], rest[fits:]
            part += piece.encode("utf-16-le" if wide else "latin-1")
            if rest:
                parts.append(part)
                part = bytes([wide])
        if room - len(part) < 12:
            parts.append(part)
            part = b""
    if part:
        parts.append(part)
    return record(0xFC, parts[0]) + b"".join(record(0x3C, part) for part in parts[1:])


def records(sheets, texts=(), extent=(0, 0, 0, 0), before=b"", **table):
    """The stream of a workbook: ``sheets`` are (name, state, records of cells)."""

    def head(places):
        listed = b"".join(
            record(0x85, struct.pack("<IBBBB", place, state, 0, len(name), 1) + name.encode("utf-16-le"))
            for (name, state, _), place in zip(sheets, places, strict=True)
        )
        return beginning(5) + before + listed + shared_texts(texts, **table) + record(0x0A)

    start = len(head([0] * len(sheets)))
    places, bodies = [], []
    for _, _, cells in sheets:
        bodies.append(beginning(0x10) + record(0x200, struct.pack("<IIHHH", *extent, 0)) + cells + record(0x0A))
        places.append(start)
        start += len(bodies[-1])
    return head(places) + b"".join(bodies)


def container(stream, name="Workbook", **changed):
    """An OLE file with one stream, in sectors of 512 bytes; ``changed`` overwrites single sectors' successors."""
    stream = stream.ljust(4096, b"\0")
    stream += bytes(-len(stream) % 512)
    n = len(stream) // 512
    n_fat = next(k for k in range(1, 110) if k * 128 >= k + 1 + n)
    fat = [0xFFFFFFFD] * n_fat + [END] + list(range(n_fat + 2, n_fat + 1 + n)) + [END]
    fat += [FREE] * (n_fat * 128 - len(fat))
    for sector, successor in changed.items():
        fat[n_fat + int(sector.removeprefix("after_"))] = successor if successor >= END else n_fat + successor
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, n_fat, n_fat, 0, 4096, END, 0, END, 0)
    head += struct.pack("<109I", *range(n_fat), *[FREE] * (109 - n_fat))
    entries = b""
    for title, kind, start, size, child in (("Root Entry", 5, END, 0, 1), (name, 2, n_fat + 1, len(stream), FREE)):
        text = title.encode("utf-16-le") + b"\0\0"
        entries += text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text), kind, 1, FREE, FREE, child) + bytes(36)
        entries += struct.pack("<IQ", start, size)
    return head + struct.pack(f"<{len(fat)}I", *fat) + entries.ljust(512, b"\0") + stream


@pytest.fixture
def xls(tmp_path):
    """Write an .xls file from the records of its sheets."""

    def write(sheets, texts=(), *, name="Workbook", chains=None, **options):
        path = tmp_path / "export.xls"
        path.write_bytes(container(records(sheets, texts, **options), name, **(chains or {})))
        return path

    return write


def table_of(codes, answers=ANSWERS):
    cells = b"".join(shared(0, j, j) for j in range(len(codes)))
    return cells + b"".join(number(i + 1, j, v) for i, row in enumerate(answers) for j, v in enumerate(row))


def test_xls__cells_and_places_are_those_of_the_sheet(xls, codes, harbour):
    responses = read_responses(xls([("Data", 0, table_of(codes))], codes), harbour, form="guest")
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert responses.answers.index.tolist() == [2, 3]
    assert responses.intake.sheet == "Data"


def test_xls__fault_is_named_by_its_cell(xls, codes, harbour):
    path = xls([("Data", 0, table_of(codes, [[1, 2, 9, 4, 5, 1], ANSWERS[1]]))], codes)
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert error.value.issues[0].where == "export.xls, Data!C2"


def test_xls__shared_texts_that_run_on_into_the_next_record(xls):
    texts = ["a" * 7_000, "б" * 3_000, "c" * 5_000, "д", "e" * 9_000]
    cells = b"".join(shared(0, j, j) for j in range(5))
    assert read_raw(xls([("Data", 0, cells)], texts)) == [[texts]]


def test_xls__rows_of_small_numbers_in_one_record(xls):
    values = b"".join(struct.pack("<HI", 0, value << 2 | 2) for value in (4, 5, 6))
    cells = record(0xBD, struct.pack("<HH", 2, 3) + values + struct.pack("<H", 5))
    sheet = open_source(xls([("Data", 0, cells)]), Limits(), None, frozenset()).sheets[0]
    assert (sheet.first_column, sheet.last_column, sheet.last_row) == (4, 6, 3)
    assert read_raw(xls([("Data", 0, cells)])) == [[["", "", ""], ["", "", ""], ["4", "5", "6"]]]


def test_xls__hidden_sheets_are_read_only_when_named(xls, codes, harbour):
    path = xls([("Old", 2, table_of(codes, [ANSWERS[0]])), ("New", 0, table_of(codes))], codes)
    assert len(read_responses(path, harbour, form="guest")) == 2
    assert len(read_responses(path, harbour, form="guest", sheet="Old")) == 1


def test_xls__error_cells_are_unreadable_not_blank(xls, codes, harbour):
    broken = table_of(codes) + b"".join(record(0x205, struct.pack("<HHHBB", 3, j, 0, 0x2A, 1)) for j in range(2))
    broken += b"".join(number(3, j, 1) for j in range(2, 6))
    responses = read_responses(xls([("Data", 0, broken)], codes), harbour, form="guest")
    assert responses.missing.loc[4].tolist() == ["unreadable"] * 2 + [""] * 4


def test_xls__small_workbook_inside_the_short_stream(tmp_path, codes, harbour):
    """Short streams lie in pieces of 64 bytes inside another stream."""
    stream = records([("Data", 0, table_of(codes))], codes)
    stream += bytes(-len(stream) % 64)
    assert len(stream) < 4096
    padded = stream + bytes(-len(stream) % 512)
    n_small, n = len(stream) // 64, len(padded) // 512
    fat = [0xFFFFFFFD, END, END, *range(4, 3 + n), END]
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 2, 1, END, 0) + struct.pack("<109I", 0, *[FREE] * 108)
    entries = b""
    for title, kind, start, size in (("Root Entry", 5, 3, len(padded)), ("Workbook", 2, 0, len(stream))):
        text = title.encode("utf-16-le") + b"\0\0"
        entries += text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text), kind, 1, FREE, FREE, FREE) + bytes(36)
        entries += struct.pack("<IQ", start, size)
    small_fat = [*range(1, n_small), END] + [FREE] * (128 - n_small)
    path = tmp_path / "small.xls"
    path.write_bytes(
        head
        + struct.pack("<128I", *fat, *[FREE] * (128 - len(fat)))
        + entries.ljust(512, b"\0")
        + struct.pack("<128I", *small_fat)
        + padded
    )
    assert read_responses(path, harbour, form="guest").answers.to_numpy().tolist() == ANSWERS


@pytest.mark.parametrize(
    "chains",
    [{"after_1": 1}, {"after_4": 1}, {"after_0": 0}, {"after_3": 9_999}],
    ids=["own successor", "circle", "directory in a circle", "out of the file"],
)
def test_xls__chain_of_sectors_that_never_ends__unreadable(chains, xls, codes, harbour, faults):
    assert faults(xls([("Data", 0, table_of(codes))], codes, chains=chains), harbour) == ["unreadable_file"]


@pytest.mark.parametrize("extent", [(0, 0xFFFFFFFF, 0, 0xFFFF), (9, 1, 9, 1), (0xFFFFFFFF, 1, 0xFFFF, 1)])
def test_xls__announced_extent_is_not_believed(extent, xls, codes, harbour):
    path = xls([("Data", 0, table_of(codes))], codes, extent=extent)
    assert len(read_responses(path, harbour, form="guest")) == 2


def test_xls__cells_out_of_order__unsafe(xls, codes, harbour, faults):
    path = xls([("Data", 0, number(9, 0, 1) + table_of(codes))], codes)
    assert faults(path, harbour) == ["unsafe_file"]


def test_xls__cells_at_the_far_ends_of_the_sheet__too_large(xls, harbour, faults):
    path = xls([("Data", 0, number(0, 0, 1) + number(65_535, 255, 1))])
    assert faults(path, harbour) == ["too_large"]


def test_xls__column_beyond_the_limit__too_large(xls, harbour, faults):
    assert faults(xls([("Data", 0, number(0, 60_000, 1))]), harbour) == ["too_large"]


def test_xls__one_long_text_in_many_cells__too_large(xls, harbour, faults):
    cells = b"".join(shared(i, 0, 0) for i in range(9_000))
    assert faults(xls([("Data", 0, cells)], ["x" * 32_000]), harbour) == ["too_large"]


def test_xls__more_shared_texts_announced_than_there_are__unsafe(xls, harbour, faults):
    assert faults(xls([("Data", 0, shared(0, 0, 0))], ["x"], announced=0x7FFFFFFF), harbour) == ["unsafe_file"]


def test_xls__sheets_that_share_their_cells__unsafe(tmp_path, harbour, faults):
    stream = records([("A", 0, number(0, 0, 1)), ("B", 0, number(0, 0, 1))])
    first = stream.find(beginning(0x10))
    second = stream.find(beginning(0x10), first + 1)
    path = tmp_path / "export.xls"
    path.write_bytes(container(stream.replace(struct.pack("<I", second), struct.pack("<I", first))))
    assert faults(path, harbour) == ["unsafe_file"]


def test_xls__encrypted__unreadable_and_says_so(xls, codes, harbour):
    path = xls([("Data", 0, table_of(codes))], codes, before=record(0x2F, bytes(6)))
    with pytest.raises(ResponsesError, match="encrypted"):
        read_responses(path, harbour)


@pytest.mark.parametrize("name", ["WordDocument", "PowerPoint Document"])
def test_xls__other_office_documents__unreadable(name, xls, codes, harbour, faults):
    assert faults(xls([("Data", 0, table_of(codes))], codes, name=name), harbour) == ["unreadable_file"]


def test_xls__truncated_anywhere__unreadable(xls, codes, harbour, faults, tmp_path):
    data = xls([("Data", 0, table_of(codes, ANSWERS * 60))], codes).read_bytes()
    path = tmp_path / "cut.xls"
    for size in (8, 300, 600, 1_300, len(data) // 2):
        path.write_bytes(data[:size])
        assert faults(path, harbour) == ["unreadable_file"]


def test_xls__any_damaged_byte_ends_in_answers_or_a_refusal(xls, codes, harbour, tmp_path):
    data = xls([("Data", 0, table_of(codes))], codes).read_bytes()
    path = tmp_path / "damaged.xls"
    for place in [*range(24, 80), *range(512, 540), *range(1024, 1280, 3), *range(1536, 2400, 5)]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        with contextlib.suppress(ResponsesError):
            read_raw(path)


# ------------------------------------------------------------------------------------------------ .ods and real writers

ODS = "application/vnd.oasis.opendocument.spreadsheet"
SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{prefix}:1.0"'
    for prefix in ("office", "table", "text", "style")
)


def cell(value, repeated=1):
    again = f' table:number-columns-repeated="{repeated}"' if repeated > 1 else ""
    if value is None:
        return f"<table:table-cell{again}/>"
    if isinstance(value, str):
        return f'<table:table-cell office:value-type="string"{again}><text:p>{value}</text:p></table:table-cell>'
    return (
        f'<table:table-cell office:value-type="float" office:value="{value}"{again}>'
        f"<text:p>{value}</text:p></table:table-cell>"
    )


def row(cells, repeated=1):
    again = f' table:number-rows-repeated="{repeated}"' if repeated > 1 else ""
    return f"<table:table-row{again}>{cells}</table:table-row>"


def sheet(name, rows, style=""):
    return f'<table:table table:name="{name}"{style}>{rows}</table:table>'


@pytest.fixture
def ods(tmp_path):
    """Write an .ods file from the XML of its sheets."""

    def write(sheets, *, before="", kind=ODS, manifest="", prolog=""):
        path = tmp_path / "export.ods"
        body = f"{before}<office:body><office:spreadsheet>{sheets}</office:spreadsheet></office:body>"
        extra = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
        text = f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<office:document-content {SPACES} {extra}>{body}'
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
            archive.writestr("content.xml", text + "</office:document-content>")
            archive.writestr("META-INF/manifest.xml", f"<manifest>{manifest}</manifest>")
        return path

    return write


def rows_of(codes, answers=ANSWERS):
    return "".join(row("".join(map(cell, values))) for values in [codes, *answers])


def test_ods__cells_and_places_are_those_of_the_sheet(ods, codes, harbour):
    above = row(cell(None), 2)
    below = row(cell(None, 16_384), 1_048_571)
    responses = read_responses(ods(sheet("Data", above + rows_of(codes) + below)), harbour, form="guest")
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert responses.answers.index.tolist() == [4, 5]


def test_ods__blank_answers_are_blank(ods, codes, harbour):
    answers = [[None, *ANSWERS[0][1:]], ANSWERS[1]]
    responses = read_responses(ods(sheet("Data", rows_of(codes, answers))), harbour, form="guest")
    assert responses.missing[codes[0]].tolist() == ["blank", ""]
    assert responses.answers.iloc[1].tolist() == ANSWERS[1]


def test_ods__repeated_cells_and_rows_are_written_out(ods):
    rows = row(cell(None) + cell("a", 2) + cell(None, 3) + cell("b") + cell(None, 16_000), 2) + row(cell(1.5))
    expected = ["", "a", "a", "", "", "", "b"]
    assert read_raw(ods(sheet("Data", rows))) == [[expected, expected, ["1.5", *[""] * 6]]]


def test_ods__every_kind_of_value(ods):
    def typed(kind, attribute, value, shown="shown"):
        return (
            f'<table:table-cell office:value-type="{kind}" office:{attribute}="{value}">'
            f"<text:p>{shown}</text:p></table:table-cell>"
        )

    cells = (
        typed("percentage", "value", "0.25")
        + typed("float", "value", "4.0")
        + typed("date", "date-value", "2024-03-05T10:00:00")
        + typed("boolean", "boolean-value", "true")
        + '<table:table-cell office:value-type="string"><text:p>two<text:s text:c="2"/>parts</text:p>'
        "<text:p>and<text:tab/>more</text:p></table:table-cell>"
        + '<table:table-cell office:value-type="string" calcext:value-type="error" office:string-value="">'
        "<text:p>#DIV/0!</text:p></table:table-cell>"
    )
    expected = ["0.25", "4", "2024-03-05 10:00:00", "true", "two  parts\nand\tmore", "#ERROR!"]
    assert read_raw(ods(sheet("Data", row(cells)))) == [[expected]]


def test_ods__comment_on_a_cell_is_no_part_of_it(ods):
    noted = (
        '<table:table-cell office:value-type="string"><office:annotation><text:p>why?</text:p></office:annotation>'
        "<text:p>Often</text:p></table:table-cell>"
    )
    assert read_raw(ods(sheet("Data", row(noted + cell("Never"))))) == [[["Often", "Never"]]]


def test_ods__hidden_sheet_is_read_only_when_named(ods, codes, harbour):
    style = (
        '<office:automatic-styles><style:style style:name="ta1" style:family="table"><style:table-properties '
        'table:display="false"/></style:style></office:automatic-styles>'
    )
    old = sheet("Old", rows_of(codes, [ANSWERS[0]]), ' table:style-name="ta1"')
    path = ods(old + sheet("New", rows_of(codes)), before=style)
    assert len(read_responses(path, harbour, form="guest")) == 2
    assert len(read_responses(path, harbour, form="guest", sheet="Old")) == 1


@pytest.mark.parametrize(
    "rows",
    [
        row(cell("x", 16_384), 1_048_576),
        row(cell("x"), 1_048_576),
        row(cell("x", 16_384)),
        row(cell("x")) + row(cell(None), 1_048_570) + row(cell("x")),
        row(cell(None, 16_383) + cell("x")),
        row(cell("x" * 30_000, 1_000), 1_000),
        row('<table:table-cell office:value-type="string"><text:p><text:s text:c="900000000"/></text:p>').replace(
            "</table:table-row>", "</table:table-cell></table:table-row>"
        ),
        row(cell("x" * 40_000)),
    ],
    ids=["all cells", "rows", "columns", "far row", "far column", "long text", "spaces", "long cell"],
)
def test_ods__repetition_beyond_the_limits__too_large(rows, ods, harbour, faults):
    assert faults(ods(sheet("Data", rows)), harbour) == ["too_large"]


def test_ods__too_many_tags__too_large(ods, codes, harbour, faults):
    path = ods(sheet("Data", rows_of(codes)))
    assert faults(path, harbour, form="guest", limits={"tags": 20}) == ["too_large"]
    assert len(read_responses(path, harbour, form="guest")) == 2


@pytest.mark.parametrize("repeats", ["-1", "0", "x", "9" * 30, ""])
def test_ods__faulty_count__unreadable(repeats, ods, harbour, faults):
    rows = f'<table:table-row table:number-rows-repeated="{repeats}">{cell("x")}</table:table-row>'
    assert faults(ods(sheet("Data", rows)), harbour) == ["unreadable_file"]


def test_ods__document_type_definition__unsafe(ods, codes, harbour, faults):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    assert faults(ods(sheet("Data", rows_of(codes)), prolog=bomb), harbour) == ["unsafe_file"]


def test_ods__encrypted__unreadable_and_says_so(ods, codes, harbour):
    with pytest.raises(ResponsesError, match="encrypted"):
        read_responses(ods(sheet("Data", rows_of(codes)), manifest="<manifest:encryption-data/>"), harbour)


def test_ods__text_document__unreadable(ods, codes, harbour, faults):
    path = ods(sheet("Data", rows_of(codes)), kind="application/vnd.oasis.opendocument.text")
    assert faults(path, harbour) == ["unreadable_file"]


@pytest.mark.parametrize("xml", ["<table:table-row>", "</x>", "&unknown;"])
def test_ods__damaged__unreadable(xml, ods, harbour, faults):
    assert faults(ods(sheet("Data", xml)), harbour) == ["unreadable_file"]


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
@pytest.mark.parametrize("suffix", ["xls", "ods"])
def test_workbook_that_libreoffice_saved(suffix, workbook, codes, harbour, tmp_path):
    labels = [[*(LABELS[value] for value in row[:4]), *row[4:], "Ёлка 中文", True] for row in ANSWERS]
    path = workbook(Note=[["x"]], Data=[["A title"], [], [*codes, "Shop", "Open"], *labels])
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    command = ["soffice", profile, "--headless", "--convert-to", suffix, "--outdir", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    responses = read_responses(path.with_suffix(f".{suffix}"), harbour, form="guest", unit="Shop")
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert responses.answers.index.tolist() == [4, 5]
    assert responses.respondents["unit"].tolist() == ["Ёлка 中文"] * 2


# ----------------------------------------------------------------------------------------------------------------- JSON


@pytest.fixture
def json_file(tmp_path):
    def write(data, name="export.json", encoding="utf-8"):
        path = tmp_path / name
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_json__list_of_records(json_file, codes, harbour):
    path = json_file([dict(zip(codes, row, strict=True)) | {"shop": "Юг"} for row in ANSWERS])
    responses = read_responses(path, harbour, form="guest", unit="shop")
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert responses.respondents["unit"].tolist() == ["Юг", "Юг"]


def test_json__records_need_not_have_the_same_members(json_file):
    assert read_raw(json_file([{"a": 1}, {"b": "x", "a": None}, {}, {"c": True}])) == [
        [["a", "b", "c"], ["1", "", ""], ["", "x", ""], ["", "", ""], ["", "", "true"]]
    ]


def test_json__numbers_stay_as_they_are_written(json_file):
    text = '[{"a": 1.50, "b": 12345678901234567890123, "c": 1e400, "d": -0, "e": NaN}]'
    assert read_raw(json_file(text)) == [[list("abcde"), ["1.50", "12345678901234567890123", "1e400", "-0", ""]]]


def test_json__mappings_inside_become_columns_and_lists_are_joined(json_file):
    rows = read_raw(json_file([{"group": {"q1": "Often", "deep": {"q2": 3}}, "several": ["a", "b"], "none": []}]))
    assert rows == [[["group/q1", "group/deep/q2", "several", "none"], ["Often", "3", "a; b", ""]]]


@pytest.mark.parametrize("inner", [{"a": ["Never"]}, {"a": {"b": "Never"}}, {"a": 1, "b": 2}])
def test_json__answers_inside_a_mapping__warning_names_the_rows(inner, json_file, codes, harbour):
    records = [dict(zip(codes, row, strict=True)) for row in [*ANSWERS, ANSWERS[0]]]
    records[1][codes[0]] = inner
    responses = read_responses(json_file(records), harbour, form="guest")
    assert responses.answers[codes[0]].isna().tolist() == [False, True, False]
    found = [issue for issue in responses.intake.issues if issue.code == "nested_answers"]
    assert len(found) == (2 if "b" in inner else 1)
    assert {issue.severity for issue in found} == {"warning"}
    assert all(codes[0] in issue.problem and issue.where.endswith("3") and issue.remedy for issue in found)


def test_json__what_stands_beside_an_answer_or_is_one_is_no_nested_answer(json_file, codes, harbour):
    records = [{"group": dict(zip(codes, row, strict=True)), f"{codes[0]}/other": "because"} for row in ANSWERS]
    responses = read_responses(json_file(records), harbour, form="guest")
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert "nested_answers" not in [issue.code for issue in responses.intake.issues]
    mapped = [{code: {"value": answer} for code, answer in zip(codes, row, strict=True)} for row in ANSWERS]
    columns = {f"{code}/value": code for code in codes}
    responses = read_responses(json_file(mapped), harbour, form="guest", columns=columns)
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert "nested_answers" not in [issue.code for issue in responses.intake.issues]


def test_json__records_inside_one_member(json_file, codes, harbour):
    data = {"count": 2, "next": None, "results": [dict(zip(codes, row, strict=True)) for row in ANSWERS]}
    assert len(read_responses(json_file(data), harbour, form="guest")) == 2


def test_json__name_that_a_record_holds_twice_is_two_columns(json_file):
    assert read_raw(json_file('[{"q": 1, "q": 2}, {"q": 3}]')) == [[["q", "q"], ["1", "2"], ["3", ""]]]


def test_json__pairs_of_question_and_answer_in_any_order(json_file, codes, harbour):
    answers = [[list(pair) for pair in zip(codes, map(str, row), strict=True)] for row in ANSWERS]
    answers[1].reverse()
    path = json_file(answers)
    source = open_source(path, Limits(), None, frozenset())
    assert source.text.platform == "yandex_forms"
    assert [row[: len(codes)] for row in source.text.top(3)] == [codes, *[list(map(str, row)) for row in ANSWERS]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1251"])
def test_json__other_encodings(encoding, json_file, codes, harbour):
    data = [dict(zip(codes, ["Никогда", "Редко", "Иногда", "Часто", "Почти всегда", "Никогда"], strict=True))] * 2
    responses = read_responses(json_file(data, encoding=encoding), harbour, form="guest")
    assert responses.answers.iloc[0].tolist() == ANSWERS[0]


@pytest.mark.parametrize("name", ["export.json", "export.txt", "export.xlsx"])
def test_json__known_by_its_content(name, json_file, codes, harbour):
    path = json_file([dict(zip(codes, row, strict=True)) for row in ANSWERS], name)
    assert len(read_responses(path, harbour, form="guest")) == 2


def test_text_that_begins_like_json_is_still_text(tmp_path, codes, harbour):
    path = tmp_path / "export.csv"
    path.write_text(f"[[note]],{','.join(codes)}\n{{,1,2,3,4,5,1\n[[,5,4,3,2,1,5\n")
    assert len(read_responses(path, harbour, form="guest")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '[{"a": 1},]',
        '[{"a": 1} {"a": 2}]',
        '[{"a": 1}] and more',
        '[{"a": 1}',
        '[{"a": 1}, 5]',
        "[[1, 2]]",
        '{"a": 1}',
        '{"a": [{"x": 1}], "b": [{"x": 1}]}',
    ],
    ids=[
        "deep lists",
        "deep mappings",
        "comma",
        "no comma",
        "rest",
        "cut",
        "number",
        "no pairs",
        "no list",
        "two lists",
    ],
)
def test_json__what_is_no_list_of_records__unreadable(text, json_file, harbour, faults):
    assert faults(json_file(text), harbour) == ["unreadable_file"]


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        ([{"a": "b"}] * 9, {"json_values": 10}),
        ([{"a": "b"}] * 9, {"text_rows": 8}),
        ([{f"q{i}": "x" for i in range(9)}], {"columns": 8}),
        ([{"a": "b" * 50}], {"cell_characters": 40}),
        ([{"a": "b"}] * 9, {"workbook_bytes": 20}),
        ([{"a": "b", "c": "d"}] * 9, {"cells": 10}),
    ],
)
def test_json__beyond_a_limit__too_large(data, limits, json_file, harbour, faults):
    assert faults(json_file(data), harbour, limits=limits) == ["too_large"]


def test_json__half_a_surrogate_pair_is_no_crash(json_file):
    assert read_raw(json_file('[{"a": "\\ud800", "b": "x"}]'))[0][1][1] == "x"


# -------------------------------------------------------------------------------------------------------------- Parquet


def test_parquet__columns_of_any_type(tmp_path):
    frame = pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "float": [1.0, 2.5, None],
            "text": ["a", None, ""],
            "label": pd.Categorical(["Often", "Never", None]),
            "flag": [True, False, True],
            "day": pd.to_datetime(["2024-01-02", None, "2024-01-03"]),
            "list": [[1], [2], [3]],
        }
    )
    path = tmp_path / "export.parquet"
    frame.to_parquet(path)
    assert read_raw(path) == [
        [
            ["whole", "float", "text", "label", "flag", "day"],
            ["1", "1", "a", "Often", "True", "2024-01-02 00:00:00"],
            ["2", "2.5", "", "Never", "False", ""],
            ["3", "", "", "", "True", "2024-01-03 00:00:00"],
        ]
    ]


def test_parquet__answers_as_labels_and_codes(tmp_path, codes, harbour):
    frame = pd.DataFrame(ANSWERS, columns=codes).astype(dict.fromkeys(codes[2:], "int8"))
    frame[codes[0]] = frame[codes[0]].map(LABELS)
    frame[codes[1]] = frame[codes[1]].map(LABELS).astype("category")
    path = tmp_path / "export.pq"
    frame.assign(shop=["North", "South"]).to_parquet(path)
    responses = read_responses(path, harbour, form="guest", unit="shop")
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert responses.respondents["unit"].tolist() == ["North", "South"]


def test_parquet__several_row_groups_are_one_table(tmp_path):
    path = tmp_path / "export.parquet"
    frame = pd.DataFrame({"a": [f"t{i % 7}" for i in range(100)], "b": range(100)})
    frame.to_parquet(path, row_group_size=9)
    rows = read_raw(path)[0]
    assert rows[1:] == [[f"t{i % 7}", str(i)] for i in range(100)]


@pytest.mark.parametrize(
    "limits", [{"text_rows": 8}, {"columns": 1}, {"inflated_bytes": 50}, {"cell_characters": 3}, {"text_bytes": 100}]
)
def test_parquet__beyond_a_limit__too_large(limits, tmp_path, harbour, faults):
    path = tmp_path / "export.parquet"
    pd.DataFrame({"a": ["text"] * 9, "b": range(9)}).to_parquet(path)
    assert faults(path, harbour, limits=limits) == ["too_large"]


def test_parquet__one_long_text_repeated_stays_small(tmp_path):
    path = tmp_path / "export.parquet"
    indices = pa.array(np.zeros(50_000, np.int32))
    pq.write_table(pa.table({"a": pa.DictionaryArray.from_arrays(indices, ["x" * 30_000])}), path)
    grid = open_source(path, Limits(), None, frozenset()).text
    assert grid.n_rows == 50_001
    assert grid.columns[0].nbytes < 1_000_000


def test_parquet__damaged__unreadable(tmp_path, harbour, faults):
    path = tmp_path / "export.parquet"
    pd.DataFrame({"a": ["text"] * 900, "b": range(900)}).to_parquet(path)
    data = path.read_bytes()
    for damaged in (data[:40], data[:-1], b"PAR1" + bytes(500) + b"PAR1", data[:-8] + b"\xff" * 4 + data[-4:]):
        path.write_bytes(damaged)
        assert faults(path, harbour) == ["unreadable_file"]


def test_parquet__encrypted__unreadable_and_says_so(tmp_path, harbour):
    path = tmp_path / "export.parquet"
    path.write_bytes(b"PARE" + bytes(500) + b"PARE")
    with pytest.raises(ResponsesError, match="encrypted"):
        read_responses(path, harbour)


# ----------------------------------------------------------------------------------------------------------------- SPSS


@pytest.fixture
def sav(tmp_path):
    """Write an SPSS file; the keywords are those of ``pyreadstat.write_sav``."""
    pyreadstat = pytest.importorskip("pyreadstat")

    def write(frame, name="export.sav", **keywords):
        path = tmp_path / name
        pyreadstat.write_sav(frame, str(path), **keywords)
        return path

    return write


def scale_labels(codes):
    return dict.fromkeys(codes, LABELS)


@pytest.mark.parametrize("compressed", [False, True])
def test_spss__item_codes_as_names(compressed, sav, codes, harbour):
    frame = pd.DataFrame(ANSWERS, columns=codes).assign(store=["North", "South"])
    path = sav(frame, row_compress=compressed, compress=False, variable_value_labels=scale_labels(codes))
    responses = read_responses(path, harbour, form="guest", unit="store")
    assert responses.answers.to_numpy().tolist() == ANSWERS
    assert responses.intake.platform == "spss"
    assert responses.respondents["unit"].tolist() == ["North", "South"]


def test_spss__zsav(sav, codes, harbour):
    path = sav(pd.DataFrame(ANSWERS, columns=codes), "export.zsav", compress=True)
    path = path.rename(path.with_suffix(".dat"))
    rows = read_raw(path)[0]
    assert rows == [codes, *[[str(value) for value in row] for row in ANSWERS]]


def test_spss__questions_as_labels_of_the_variables(sav, codes, harbour):
    texts = [harbour.text(code, "guest") for code in codes]
    frame = pd.DataFrame(ANSWERS, columns=[f"V{i}" for i in range(6)])
    path = sav(frame, column_labels=texts, variable_value_labels=scale_labels(frame.columns))
    assert read_responses(path, harbour).answers.to_numpy().tolist() == ANSWERS


def test_spss__label_decides_over_the_code(sav, codes, harbour):
    frame = pd.DataFrame([[6 - value for value in row] for row in ANSWERS], columns=codes)
    turned = {6 - code: label for code, label in LABELS.items()}
    path = sav(frame, variable_value_labels=dict.fromkeys(codes, turned))
    assert read_responses(path, harbour, form="guest").answers.to_numpy().tolist() == ANSWERS


def test_spss__declared_missing_values_are_declared_and_blank_ones_blank(sav, codes, harbour):
    frame = pd.DataFrame([*ANSWERS, [9, -5, None, 4, 5, 1]], columns=codes, dtype=float)
    labels = {code: {**LABELS, 9: "No answer"} for code in codes}
    ranges = {code: [9, {"lo": -10, "hi": -1}] for code in codes}
    path = sav(frame, variable_value_labels=labels, missing_ranges=ranges)
    responses = read_responses(path, harbour, form="guest")
    assert responses.missing.iloc[2].tolist() == ["declared", "declared", "blank", "", "", ""]


def test_spss__background_is_shown_by_its_labels(sav, codes, harbour):
    frame = pd.DataFrame([ANSWERS[0]] * 4, columns=codes).assign(store=[1.0, 2.0, 9.0, 3.0], role=[1.0, 2.0, 3.0, None])
    path = sav(
        frame,
        variable_value_labels={
            **scale_labels(codes),
            "store": {1: "North", 2: "South", 9: "No answer"},
            "role": {1: "Other", 2: "Clerk", 3: "Other"},
        },
        missing_ranges={"store": [9]},
    )
    people = read_responses(path, harbour, form="guest", unit="store").respondents
    assert people["unit"].fillna("").tolist() == ["North", "South", "", "3"]
    assert people["role"].fillna("").tolist() == ["Other (1)", "Clerk", "Other (3)", ""]


def test_spss__labels_and_ranges_are_kept_beside_the_cells(sav):
    frame = pd.DataFrame({"a": [1.0, 9.0], "b": ["x", "z"]})
    path = sav(
        frame,
        column_labels=["A question?", None],
        variable_value_labels={"a": {1: "Yes", 9: "Refused"}},
        missing_ranges={"a": [9], "b": ["z"]},
    )
    variables = open_source(path, Limits(), None, frozenset()).text.variables
    assert variables.labels == ("A question?", "")
    assert variables.values == ({"1": "Yes", "9": "Refused"}, {})
    assert variables.missing == (((9.0, 9.0),), (("z", "z"),))


def test_spss__without_pyreadstat__says_what_to_install(sav, codes, harbour, monkeypatch):
    path = sav(pd.DataFrame(ANSWERS, columns=codes))
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    with pytest.raises(ResponsesError, match=r'pip install "servicediag\[spss\]"') as error:
        read_responses(path, harbour)
    assert [issue.code for issue in error.value.issues] == ["missing_extra"]


@pytest.mark.parametrize(
    "limits",
    [{"text_rows": 8}, {"columns": 1}, {"inflated_bytes": 50}, {"cell_characters": 3}, {"workbook_bytes": 100}],
)
def test_spss__beyond_a_limit__too_large(limits, sav, harbour, faults):
    assert faults(sav(pd.DataFrame({"a": ["text"] * 9, "b": range(9)})), harbour, limits=limits) == ["too_large"]


def test_spss__number_of_cases_that_lies__limits_still_hold(sav, harbour, faults):
    path = sav(pd.DataFrame({"a": range(500), "b": range(500)}))
    data = bytearray(path.read_bytes())
    data[80:84] = struct.pack("<i", -1)
    path.write_bytes(data)
    assert faults(path, harbour, limits={"text_rows": 400}) == ["too_large"]
    data[80:84] = struct.pack("<i", 2_000_000_000)
    path.write_bytes(data)
    assert len(read_raw(path)[0]) == 501


def test_spss__packed_beyond_any_honest_ratio__unsafe(sav, harbour, faults):
    path = sav(pd.DataFrame({f"v{i}": [1.0] * 40_000 for i in range(40)}), "export.zsav", compress=True)
    assert path.stat().st_size < 60_000
    data = bytearray(path.read_bytes())
    data[80:84] = struct.pack("<i", -1)
    path.write_bytes(data)
    assert faults(path, harbour) == ["unsafe_file"]


def test_spss__damaged__unreadable(sav, codes, harbour, faults):
    path = sav(pd.DataFrame(ANSWERS * 50, columns=codes))
    data = path.read_bytes()
    for damaged in (data[:100], data[:400], b"$FL2" + bytes(500), data[:64] + b"\xff" * 30 + data[94:]):
        path.write_bytes(damaged)
        assert faults(path, harbour) == ["unreadable_file"]


def test_spss__parser_that_breaks_down__the_file_is_refused_and_python_goes_on(
    sav, codes, harbour, faults, monkeypatch
):
    """The parser runs in a process of its own, since a damaged file can end it with a memory fault."""
    path = sav(pd.DataFrame(ANSWERS, columns=codes))
    broken = subprocess.CompletedProcess([], -11, b"", b"")
    monkeypatch.setattr("servicediag.responses.spss_file.subprocess.run", lambda *args, **kwargs: broken)
    assert faults(path, harbour) == ["unreadable_file"]


def test_spss__where_no_process_can_be_started__parsed_all_the_same(sav, codes, harbour, monkeypatch):
    path = sav(pd.DataFrame(ANSWERS, columns=codes), variable_value_labels=scale_labels(codes))
    monkeypatch.setattr(sys, "executable", "")
    assert read_responses(path, harbour, form="guest").answers.to_numpy().tolist() == ANSWERS


def test_spss__date_beyond_the_calendar_is_kept_as_a_number(sav, tmp_path):
    path = sav(pd.DataFrame({"a": [1e15, 2.0], "b": [1.0, 2.0]}), variable_format={"a": "DATETIME20"})
    assert [row[1] for row in read_raw(path)[0]] == ["b", "1", "2"]


def test_file_without_sheets__sheet_is_refused(json_file, harbour, faults):
    assert faults(json_file([{"a": 1}]), harbour, sheet="Data") == ["missing_sheet"]
