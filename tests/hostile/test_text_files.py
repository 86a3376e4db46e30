"""Delimited text in any encoding and with any numbers: class 17 of hostile inputs."""

from __future__ import annotations

import codecs

import pytest

import servicediag as sd
from servicediag.errors import ResponsesError

FORM = {"form": "customer-short", "unit": "Branch"}
SCORE = ("-i", "seven-sins:customer-short", "--unit", "Branch")


@pytest.fixture(scope="module")
def instrument():
    return sd.load_instrument("seven-sins")


def joined(rows, delimiter=","):
    return "\n".join(delimiter.join(f'"{value}"' for value in row) for row in rows) + "\n"


def coded(rows, labels, items):
    """The answers as numbers, with what confirms that they run as the scale does: both together."""
    return [rows[0], *([row[0], *(f"{labels.index(v) + 1} - {v}" for v in row[1:])] for row in rows[1:])]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp1251", "gb18030", "utf-32", "cp037"],
)
def test_text_in_any_encoding_is_read_or_refused_and_never_garbled(encoding, rows, text_file, confined):
    name = {"cp1251": "Центр", "gb18030": "中心"}.get(encoding, "Zürich" if encoding != "cp037" else "North")
    path = text_file(joined(rows([name, "North"])).encode(encoding))
    outcome = confined("read", path=path, **FORM)
    if outcome.kind == "done":
        assert outcome.value["units"] == sorted([name, "North"]) or "guessed_encoding" in outcome.codes
        assert outcome.value["n"] == 24
    else:
        assert set(outcome.codes) <= {"unreadable_file", "missing_column", "missing_item", "empty_sheet"}


def test_encoding_that_was_named_wrongly_is_refused(rows, text_file, command):
    path = text_file(joined(rows(["Zürich"])).encode("cp1252"))
    outcome = command("check", path, "-i", "seven-sins:customer-short", "--encoding", "utf-8")
    assert outcome.value == 1
    assert "encoding" in outcome.text
    for name in ("no-such", "zlib", "undefined", "a\udcff"):
        refused = command("check", path, "-i", "seven-sins:customer-short", "--encoding", name)
        assert refused.value in (1, 2), name


def test_bomb_in_an_encoding_that_unpacks_is_no_text(text_file, command):
    """zlib is a codec of Python's; as the encoding of a file it would be a bomb."""
    path = text_file(codecs.encode(b"a" * 50_000_000, "zlib"))
    assert command("check", path, "-i", "seven-sins", "--encoding", "zlib").kind == "refused"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_and_a_decimal_comma_is_no_delimiter(delimiter, rows, text_file, confined, labels, items):
    table = coded(rows(), labels, items)
    table = [[*table[0], "Hours"], *([*row, "1,5"] for row in table[1:])]
    outcome = confined("read", path=text_file(joined(table, delimiter).encode()), **FORM)
    assert (outcome.kind, outcome.value["n"]) == ("done", 12)
    assert "Hours" in outcome.value["columns"]


@pytest.mark.parametrize(
    "value",
    ["1e400", "-1e400", "inf", "NaN", "-0", "१२", "٣", "３", "5" * 400, "0x5", "1_0", "1e0", "5.0000001", "+5", "½",
     "②", "5\u200b", "\u202e5", "--5", "5-", "true", "None", "null", "#REF!", "=5", "5%", "1,000", "Ⅴ", "五"],
    ids=ascii,
)  # fmt: skip
def test_number_written_oddly_is_a_code_a_blank_or_a_fault_but_never_another_number(
    value, rows, text_file, instrument, items
):
    """One cell of many: what a person reads as 5 is 5 (and 1,000 is 1 with three decimals); all else is named."""
    table = rows()
    table[4][3] = value
    meant = {"３": 3.0, "+5": 5.0, "5\u200b": 5.0, "\u202e5": 5.0, "②": 2.0, "1,000": 1.0, "#REF!": float("nan")}
    path = text_file(joined(table).encode())
    if value not in meant:
        with pytest.raises(ResponsesError) as error:
            sd.read_responses(path, instrument, **FORM)
        assert {issue.code for issue in error.value.issues} <= {"unknown_label", "out_of_range"}
        return
    found = sd.read_responses(path, instrument, **FORM).answers[items[2]].iloc[3]
    assert found == pytest.approx(meant[value], nan_ok=True)


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan", "N/A", "TRUE", "1e5", "007", "2024-01-01", "-", "inf"])
def test_unit_that_looks_like_no_name_keeps_it(name, rows, text_file, instrument):
    responses = sd.read_responses(text_file(joined(rows([name, "North"])).encode()), instrument, **FORM)
    assert set(responses.respondents["unit"]) == {name, "North"}


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100_000,
        b"a,b\n" + b"\0" * 1_000,
        b'"' * 100_001,
        b'"' + b"x" * 1_000_000,
        b"," * 1_000_000,
        b"\n" * 1_000_000,
        b"\r" * 1_000_000,
        b"a" * 5_000_000,
        b"a,b\n" * 100_000 + b'"unclosed',
        b"\xff\xfe" + b"\0\xd8" * 1_000,
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbfa,b\n1,2\n",
        b"PK",
        bytes(range(1, 256)) * 100,
        b"sep=;\na;b\n1;2\n",
    ],
    ids=["NUL", "NUL in it", "quotes", "unclosed", "commas", "newlines", "returns", "one word", "late quote",
         "half surrogates", "mark", "two marks", "PK", "every byte", "sep"],
)  # fmt: skip
def test_text_that_is_no_table_is_refused(content, text_file, command, tmp_path):
    outcome = command("score", text_file(content), *SCORE, "-o", tmp_path / "s.xlsx")
    assert outcome.value == 1
    assert not (tmp_path / "s.xlsx").exists()


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"source_column,item_code\n\0,x\n", b"\x80abc", b'"' * 1_000_000, b"x" * 3_000_000, b"",
     b"source_column,item_code\nBranch,no_such_item\n", b"source_column,item_code\n" + b"a,b,c,d\n" * 10],
    ids=["UTF-16", "NUL", "not UTF-8", "quotes", "one word", "empty", "unknown item", "ragged"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".yaml"])
def test_mapping_file_that_is_none_is_refused(content, suffix, rows, workbook, tmp_path, command):
    mapping = tmp_path / f"mapping{suffix}"
    mapping.write_bytes(content)
    outcome = command("check", workbook(rows()), "-i", "seven-sins:customer-short", "--columns", mapping)
    assert outcome.value in (1, 2)


TARGETS = {
    "list.yaml": b"apathy: [1]\n",
    "infinite.yaml": b"apathy: 1e400\n",
    "digits.json": "apathy: \u0661\n".encode(),
    "no mapping.yaml": b"- a\n",
    "deep.json": b"[" * 20_000,
    "UTF-16.json": b"\xff\xfe\x00",
    "too large.csv": b"dimension,target\napathy,101\n",
    "no target.csv": b"dimension\n",
    "nan.csv": b"dimension,target\napathy,nan\n",
    "underscore.csv": b"dimension,target\napathy,1_0\n",
    "text.xlsx": b"dimension\n",
    "empty.yaml": b"",
}


@pytest.mark.parametrize("name", TARGETS)
def test_target_file_that_is_none_is_refused(name, rows, workbook, tmp_path, command):
    targets = tmp_path / name
    targets.write_bytes(TARGETS[name])
    outcome = command("diagnose", workbook(rows(["North", "South"])), *SCORE, "--targets", targets)
    assert outcome.value in (1, 2), outcome.text
