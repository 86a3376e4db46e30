"""Workbooks and text files give the same text that people see in them, with its place in the original."""

from __future__ import annotations

import codecs
import threading

import numpy as np
import openpyxl
import pandas as pd
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import Limits, read_responses, text_files
from servicediag.responses.workbook import inspect_workbook

SIX = [[1, 2, 3, 4, 5, 1], [5, 4, 3, 2, 1, 5], [2, 2, 2, 2, 2, 2]]


def rows_of(codes, *, unit=("North", "South", "NA")):
    return [["Branch", *codes], *([u, *row] for u, row in zip(unit, SIX, strict=True))]


def as_text(rows, delimiter=","):
    return "".join(delimiter.join(str(cell) for cell in row) + "\n" for row in rows)


def write(tmp_path, data, name="export.csv"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def issue_codes(responses):
    return [issue.code for issue in responses.intake.issues]


def test_workbook__index_is_the_row_of_the_sheet(harbour, codes, workbook):
    responses = read_responses(workbook(Data=rows_of(codes)), harbour, form="guest", unit="Branch")
    assert responses.answers.to_numpy().tolist() == SIX
    assert responses.answers.index.tolist() == [2, 3, 4]
    assert responses.answers.index.name == "row"
    assert responses.respondents["unit"].tolist() == ["North", "South", "NA"]
    assert (responses.intake.sheet, responses.intake.platform, responses.intake.delimiter) == ("Data", "plain", None)


@pytest.mark.parametrize("first", [(1, 1), (4, 1), (1, 3), (9, 28)])
def test_table_anywhere_on_the_sheet__cells_are_named_as_in_the_file(first, harbour, codes, workbook):
    rows = rows_of(codes)
    rows[2][1] = 9
    with pytest.raises(ResponsesError) as error:
        read_responses(workbook(first, Data=rows), harbour, form="guest")
    place = openpyxl.utils.get_column_letter(first[1] + 1) + str(first[0] + 2)
    assert error.value.issues[0].where == f"answers.xlsx, Data!{place}"


def test_formatted_but_blank_cells_around_the_table_do_not_shift_it(harbour, codes, tmp_path):
    from openpyxl.styles import PatternFill

    book = openpyxl.Workbook()
    for i, row in enumerate(rows_of(codes)):
        for j, value in enumerate(row):
            book.active.cell(5 + i, 4 + j, value if (i, j) != (2, 1) else 9)
    for cell in ("A1", "B2", "XA7", "A1048576"):
        book.active[cell].fill = PatternFill("solid", start_color="FF0000")
    path = tmp_path / "formatted.xlsx"
    book.save(path)
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert [(i.code, i.where) for i in error.value.issues] == [("out_of_range", "formatted.xlsx, Sheet!E7")]


def test_title_rows_above_and_blank_rows_between_are_skipped(harbour, codes, workbook):
    rows = rows_of(codes)
    sheet = [["Service survey 2024"], [None, "confidential"], [], rows[0], rows[1], [], rows[2], rows[3], [None]]
    responses = read_responses(workbook(Data=sheet), harbour, form="guest")
    assert responses.answers.index.tolist() == [5, 7, 8]
    assert responses.intake.n_rows == 3


def test_header_row_named_by_the_caller(harbour, codes, workbook):
    rows = rows_of(codes)
    path = workbook(Data=[codes, *rows])
    assert read_responses(path, harbour, form="guest", header_row=2, unit="Branch").answers.to_numpy().tolist() == SIX
    with pytest.raises(ValueError, match="header_row=0"):
        read_responses(path, harbour, form="guest", header_row=0)


def test_sheet_with_most_items_is_taken(harbour, codes, workbook):
    path = workbook(Notes=[["Please read"]], Short=[codes[:2], [1, 2]], Data=rows_of(codes))
    assert read_responses(path, harbour, form="guest").intake.sheet == "Data"


def test_two_sheets_with_equally_many_items__error_until_one_is_named(harbour, codes, workbook, faults):
    path = workbook(First=rows_of(codes), Second=rows_of(codes, unit=("a", "b", "c")))
    assert faults(path, harbour, form="guest") == ["ambiguous_sheet"]
    assert read_responses(path, harbour, form="guest", sheet="second", unit="Branch").respondents["unit"][2] == "a"
    assert read_responses(path, harbour, form="guest", sheet=0).intake.sheet == "First"


def test_workbook_of_many_sheets__error_until_one_is_named(harbour, codes, workbook, faults):
    path = workbook(**{f"Sheet{number}": rows_of(codes) for number in range(60)})
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["ambiguous_sheet"]
    assert "60 sheets" in str(error.value)
    assert "sheet='Sheet0'" in str(error.value)
    assert read_responses(path, harbour, form="guest", sheet="Sheet59").intake.sheet == "Sheet59"
    with pytest.raises(ResponsesError, match="and 52 more") as error:
        read_responses(path, harbour, form="guest", sheet="None")
    assert "Sheet30" not in str(error.value)


def test_sheets_are_looked_through_by_few_threads(workbook, monkeypatch):
    path = workbook(**{f"Sheet{number}": [["a"], [1]] for number in range(20)})
    started = []
    honest = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda self: (started.append(self), honest(self))[1])
    assert len(inspect_workbook(path, Limits())) == 20
    assert len(started) <= 2


def test_sheets_that_are_equally_good__the_error_names_some(harbour, codes, workbook):
    path = workbook(**{f"Sheet{number}": rows_of(codes) for number in range(20)})
    with pytest.raises(ResponsesError, match="'Sheet7' and 12 more hold equally many"):
        read_responses(path, harbour, form="guest")


def test_hidden_sheet_is_read_only_when_named(harbour, codes, workbook, faults):
    path = workbook(Visible=[["x"], [1]], Secret=rows_of(codes))
    book = openpyxl.load_workbook(path)
    book["Secret"].sheet_state = "hidden"
    book.save(path)
    assert faults(path, harbour, form="guest") == ["missing_item"]
    assert len(read_responses(path, harbour, form="guest", sheet="Secret")) == 3


@pytest.mark.parametrize("sheet", ["Dta", 5, -1])
def test_sheet_that_is_not_there__error_names_the_sheets(sheet, harbour, codes, workbook):
    with pytest.raises(ResponsesError, match="'Data'") as error:
        read_responses(workbook(Data=rows_of(codes)), harbour, form="guest", sheet=sheet)
    assert [issue.code for issue in error.value.issues] == ["missing_sheet"]


def test_numbers_of_a_workbook_have_no_trailing_zero(harbour, codes, workbook):
    rows = [["Branch", *codes], *([float(u), *map(float, r)] for u, r in zip((7, 8, 9), SIX, strict=True))]
    responses = read_responses(workbook(Data=rows), harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == ["7", "8", "9"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_and_reported(delimiter, harbour, codes, tmp_path):
    path = write(tmp_path, as_text(rows_of(codes), delimiter).encode())
    responses = read_responses(path, harbour, form="guest", unit="Branch")
    assert responses.answers.to_numpy().tolist() == SIX
    assert (responses.intake.delimiter, responses.intake.encoding) == (delimiter, "utf-8")
    assert responses.respondents["unit"].tolist() == ["North", "South", "NA"]


def test_semicolons_with_decimal_commas(harbour, codes, tmp_path):
    rows = [[f"{cell},0" if isinstance(cell, int) else cell for cell in row] for row in rows_of(codes)]
    path = write(tmp_path, as_text(rows, ";").encode())
    responses = read_responses(path, harbour, form="guest")
    assert responses.answers.to_numpy().tolist() == SIX


@pytest.mark.parametrize(
    ("encoding", "mark", "reported", "guessed"),
    [
        ("utf-8", b"", "utf-8", False),
        ("utf-8", codecs.BOM_UTF8, "utf-8-sig", False),
        ("utf-16", b"", "utf-16", False),
        ("utf-16-le", b"", "utf-16-le", True),
        ("cp1251", b"", "cp1251", True),
    ],
)
def test_encoding_of_cyrillic_text(encoding, mark, reported, guessed, harbour, codes, tmp_path):
    rows = rows_of(["Сотрудники были спокойны", *codes[1:]], unit=("Север", "Юг", "Восток"))
    path = write(tmp_path, mark + as_text(rows).encode(encoding))
    responses = read_responses(path, harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == ["Север", "Юг", "Восток"]
    assert responses.intake.encoding == reported
    assert ("guessed_encoding" in issue_codes(responses)) is guessed


def test_encoding_of_western_text(harbour, codes, tmp_path):
    rows = rows_of(["El personal escuchó" if c == "hrb_calm_2" else c for c in codes], unit=("Málaga", "Übersee", "Ñ"))
    path = write(tmp_path, as_text(rows).encode("cp1252"))
    responses = read_responses(path, harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == ["Málaga", "Übersee", "Ñ"]
    assert issue_codes(responses) == ["guessed_encoding", "small_group"]


@pytest.mark.parametrize(
    ("encoding", "units"),
    [
        ("gb18030", ("北京分公司", "上海", "广州市")),
        ("cp1251", ("СЕВЕР", "ЮГ", "ВОСТОК")),
        ("cp1252", ("Málaga", "Übersee", "Großmärkte")),
    ],
)
def test_letters_decide_where_no_word_is_known(encoding, units, harbour, codes, tmp_path):
    path = write(tmp_path, as_text(rows_of(codes, unit=units)).encode(encoding))
    responses = read_responses(path, harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == list(units)
    assert issue_codes(responses) == ["guessed_encoding", "small_group"]


def test_known_labels_decide_between_encodings(harbour, codes, tmp_path):
    # Without known words these few Cyrillic letters in mixed case could be anything.
    rows = [codes, ["Да"] * 6, ["Нет"] * 6]
    path = write(tmp_path, as_text(rows).encode("mac_cyrillic"))
    right = write(tmp_path, as_text(rows).encode("cp1251"), "right.csv")
    assert read_responses(right, harbour, form="inspector").answers.to_numpy().tolist() == [[1] * 6, [0] * 6]
    assert len(read_responses(path, harbour, form="inspector", encoding="mac_cyrillic")) == 2


def test_encoding_that_does_not_fit__error(harbour, codes, tmp_path, faults):
    path = write(tmp_path, as_text(rows_of(codes, unit=("Málaga", "b", "c"))).encode("cp1252"))
    assert faults(path, harbour, form="guest", encoding="utf-8") == ["unreadable_file"]
    with pytest.raises(ValueError, match="encoding='klingon'"):
        read_responses(path, harbour, form="guest", encoding="klingon")


def test_no_text_is_taken_for_missing(harbour, codes, tmp_path):
    path = write(tmp_path, as_text(rows_of(codes, unit=("NA", "None", "null"))).encode())
    responses = read_responses(path, harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == ["NA", "None", "null"]


def test_quoted_line_breaks_and_delimiters(harbour, codes, tmp_path):
    text = "Comment," + ",".join(codes) + '\r\n"one, two\r\nthree",1,2,3,4,5,1\r\n"say ""no""",5,4,3,2,1,5\r\n'
    responses = read_responses(write(tmp_path, text.encode()), harbour, form="guest")
    assert responses.respondents["Comment"].tolist() == ["one, two\r\nthree", 'say "no"']
    assert responses.answers.index.tolist() == [2, 3]


def test_blank_lines_and_short_rows_keep_the_row_numbers(harbour, codes, tmp_path):
    text = ",".join([*codes, "Comment"]) + "\n1,2,3,4,5,1,x\n\n5,4,3,2,1,5\n2,2,2,2,2,2,y,,\n"
    responses = read_responses(write(tmp_path, text.encode()), harbour, form="guest")
    assert responses.answers.index.tolist() == [2, 4, 5]
    assert responses.answers.to_numpy().tolist() == SIX
    assert responses.respondents["Comment"].isna().tolist() == [False, True, False]


def test_row_with_more_fields_than_headings__error_names_the_row(harbour, codes, tmp_path):
    text = ",".join(codes) + "\n1,2,3,4,5,1\n1,2,3,4,5,1,extra\n"
    with pytest.raises(ResponsesError, match="row 3") as error:
        read_responses(write(tmp_path, text.encode()), harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["unreadable_file"]


def test_text_file_has_no_sheets(harbour, codes, tmp_path, faults):
    path = write(tmp_path, as_text(rows_of(codes)).encode())
    assert faults(path, harbour, form="guest", sheet="Data") == ["missing_sheet"]


@pytest.mark.parametrize("name", ["export.txt", "export.tsv", "export.xlsx", "export"])
def test_the_content_says_what_a_file_is_not_its_name(name, harbour, codes, tmp_path):
    path = write(tmp_path, as_text(rows_of(codes)).encode(), name)
    assert read_responses(path, harbour, form="guest").answers.to_numpy().tolist() == SIX


def test_workbook_under_another_name(harbour, codes, workbook, tmp_path):
    path = workbook(Data=rows_of(codes)).rename(tmp_path / "answers.csv")
    assert read_responses(path, harbour, form="guest").answers.to_numpy().tolist() == SIX


@pytest.mark.parametrize("dtype", ["int8", "int64", "float64", "Int64", "object", "string", "category"])
def test_frame_of_any_dtype(dtype, harbour, codes):
    frame = pd.DataFrame(SIX, columns=codes)
    frame = frame.astype(str).astype(dtype) if dtype in ("string", "category") else frame.astype(dtype)
    assert read_responses(frame, harbour, form="guest").answers.to_numpy().tolist() == SIX


def test_frame_keeps_its_index_and_the_types_of_its_background_columns(harbour, codes):
    frame = pd.DataFrame(SIX, columns=codes, index=["x", "y", "z"]).assign(tenure=[1.5, 2.5, np.nan], unit=[1, 2, 2])
    responses = read_responses(frame, harbour, form="guest", unit="unit")
    assert responses.answers.index.tolist() == ["x", "y", "z"]
    assert responses.respondents["tenure"].dtype == float
    assert responses.respondents["unit"].tolist() == ["1", "2", "2"]
    assert frame.columns.tolist() == [*codes, "tenure", "unit"]


def test_frame_with_repeated_index_labels_is_numbered(harbour, codes):
    frame = pd.DataFrame(SIX, columns=codes, index=[0, 0, 0])
    assert read_responses(frame, harbour, form="guest").answers.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("source", [[1, 2], None, 5])
def test_other_sources__type_error(source, harbour):
    with pytest.raises(TypeError, match="source="):
        read_responses(source, harbour)


@pytest.mark.parametrize("instrument", [5, [5], None])
def test_other_instruments__type_error(instrument, answered):
    with pytest.raises(TypeError):
        read_responses(answered(), instrument)


def test_unknown_instrument_and_empty_list__value_error(answered):
    with pytest.raises(ValueError, match="no-such-thing"):
        read_responses(answered(), "no-such-thing")
    with pytest.raises(ValueError, match="instrument="):
        read_responses(answered(), [])


def test_unknown_language__value_error(harbour, answered):
    with pytest.raises(ValueError, match="language='de'"):
        read_responses(answered(), harbour, language="de")


def test_progress_ends_with_every_item_coded(harbour, answered):
    steps = []
    read_responses(
        answered(), harbour, form="guest", progress=lambda done, total, what: steps.append((done, total, what))
    )
    assert steps[0] == (0, 1, "reading")
    assert steps[-1][:2] == (6, 6)


@pytest.fixture
def pieces(monkeypatch):
    """Files are looked through, and given to the processors, in pieces of this many bytes."""

    def cut(size):
        monkeypatch.setattr(text_files, "_PIECE", size)
        monkeypatch.setattr(text_files, "_LEAST_PART", size)
        monkeypatch.setattr(text_files.pa, "cpu_count", lambda: 64)

    return cut


@pytest.mark.parametrize("size", [5, 16, 37, 150])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("town", ["South", "Süd", '"South, East"', '"South\nEast"', "东南", "S" * 90])
def test_text__cut_anywhere_into_pieces__reads_the_same(town, newline, size, pieces, harbour, codes, tmp_path):
    text = as_text(rows_of(codes, unit=("North", town, "NA"))).replace(",1\n", f",1{newline}")
    path = write(tmp_path, text.encode())
    pieces(size)
    responses = read_responses(path, harbour, form="guest", unit="Branch")
    assert responses.answers.to_numpy().tolist() == SIX
    assert responses.respondents["unit"].tolist() == ["North", town.strip('"'), "NA"]
    assert (responses.intake.encoding, responses.intake.delimiter) == ("utf-8", ",")


def test_text__short_row_in_one_of_the_pieces__is_filled_with_blanks(pieces, harbour, codes, tmp_path):
    rows = [*rows_of(codes), ["North", 1, 2, 3, 4], ["South", 5, 5, 5, 5, 5, 5]]
    path = write(tmp_path, as_text(rows).encode())
    pieces(16)
    answers = read_responses(path, harbour, form="guest", unit="Branch").answers
    assert answers.iloc[3].isna().tolist() == [False] * 4 + [True] * 2
    assert answers.iloc[4].tolist() == [5] * 6


@pytest.mark.parametrize("size", [5, 16, 1000])
def test_text__byte_that_is_not_of_the_encoding__its_place_is_that_in_the_file(size, pieces, harbour, codes, tmp_path):
    data = as_text(rows_of(codes, unit=("Nörd", "South", "NA"))).encode() + b"Gen\xe8ve,1,2,3,4,5,5\n"
    path = write(tmp_path, data)
    pieces(size)
    with pytest.raises(ResponsesError, match=f"Byte {data.index(0xE8) + 1} is not text"):
        read_responses(path, harbour, form="guest", encoding="utf-8")
    assert read_responses(path, harbour, form="guest", unit="Branch").intake.encoding == "cp1252"


def test_text__nul_beyond_what_is_looked_at_first__unreadable(harbour, codes, tmp_path):
    rows = rows_of(codes) + [["North", 1, 2, 3, 4, 5, 5]] * 20_000
    path = write(tmp_path, as_text(rows).encode() + b"So\0th,1,2,3,4,5,5\n")
    with pytest.raises(ResponsesError, match="NUL"):
        read_responses(path, harbour, form="guest")


@pytest.mark.parametrize("n", [1, 63, 64, 65, 126, 127, 128, 129, 300])
def test_text__any_number_of_different_texts_in_a_column(n, harbour, codes, tmp_path):
    units = [f"u{i}" if i % 7 else "" for i in range(n)]
    rows = [["Branch", *codes], *([unit, 1, 2, 3, 4, 5, 5] for unit in units), ["x", 1, 2, 3, 4, 5, 5]]
    found = read_responses(write(tmp_path, as_text(rows).encode()), harbour, form="guest", unit="Branch").respondents
    assert found["unit"].fillna("").tolist() == [*units, "x"]
