"""Files of every kind, cut off or with bytes changed: the command line never shows what a parser raised."""

from __future__ import annotations

import importlib.util
import json
import zipfile

import pandas as pd
import pytest

CHECK = ("-i", "seven-sins:customer-short")


def _parquet(path, frame):
    frame.to_parquet(path)


def _json(path, frame):
    path.write_text(json.dumps(frame.to_dict("records")))


def _sav(path, frame):
    import pyreadstat

    pyreadstat.write_sav(frame.rename(columns={"Branch": "branch"}), str(path))


def _ods(path, frame):
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = "".join(f' xmlns:{name}="{office}{name}:1.0"' for name in ("office", "text", "table"))
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    lines = ("".join(map(cell.format, row)) for row in [frame.columns, *frame.to_numpy()])
    table = "".join(f"<table:table-row>{line}</table:table-row>" for line in lines)
    content = (
        f'<?xml version="1.0"?><office:document-content{spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="S">{table}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)


PARSERS = ("magic bytes", "Couldn't", "Expecting value", "pydantic", "Error tokenizing", "Invalid argument", "errno")
"""Words of the parsers' own messages."""
WRITERS = {"parquet": _parquet, "json": _json, "sav": _sav, "ods": _ods}


@pytest.fixture
def whole(tmp_path, rows):
    head, *body = rows(["North", "South"], 6)
    frame = pd.DataFrame(body, columns=head)

    def write(kind):
        if kind == "sav" and importlib.util.find_spec("pyreadstat") is None:
            pytest.skip("needs pyreadstat")
        path = tmp_path / f"export.{kind}"
        WRITERS[kind](path, frame)
        return path

    return write


@pytest.mark.parametrize("kind", WRITERS)
def test_whole_file_is_read(kind, whole, command):
    outcome = command("check", whole(kind), *CHECK)
    assert outcome.kind == "done", outcome.text


@pytest.mark.parametrize("kind", WRITERS)
def test_file_that_is_cut_off_is_refused_in_our_words(kind, whole, command):
    path = whole(kind)
    data = path.read_bytes()
    for part in (0.5,) if kind == "sav" else (0.02, 0.97):
        path.write_bytes(data[: int(len(data) * part)])
        outcome = command("check", path, *CHECK)
        assert outcome.value == 1
        assert not any(word in outcome.text for word in PARSERS)


@pytest.mark.parametrize("kind", WRITERS)
def test_file_with_changed_bytes_ends_in_an_answer_or_in_our_words(kind, whole, command):
    path = whole(kind)
    data = path.read_bytes()
    for position in range(9, len(data), len(data) // (1 if kind == "sav" else 3)):
        bent = bytearray(data)
        bent[position] ^= 0x5A
        bent[position // 2] ^= 0xFF
        path.write_bytes(bent)
        assert command("check", path, *CHECK).value in (0, 1)


@pytest.mark.parametrize(
    "content",
    ['[{"a": ' + "[" * 50_000, '{"a": ' * 50_000, "[1e999999]", '[{"a": NaN}]', '{"a": 1, "a": 2}', "[" + "1," * 10_000,
     '[{"\\ud800": 1}]', "[]", "{}", "[[]]", '[{}]', '[{"a": {"b": {"c": [1, {"d": 2}]}}}]', "[" + "9" * 10_000 + "]",
     '[{"__proto__": 1}]'],
    ids=["deep lists", "deep mappings", "infinite", "NaN", "doubled key", "unclosed", "surrogate", "empty list",
         "empty", "list of nothing", "list of empty", "nested", "endless number", "proto"],
)  # fmt: skip
def test_hostile_json_is_refused(content, tmp_path, command):
    path = tmp_path / "export.json"
    path.write_text(content)
    assert command("check", path, *CHECK).value == 1
