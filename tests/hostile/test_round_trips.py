"""What we write we read back equal, whatever texts and numbers it holds."""

from __future__ import annotations

import csv
import datetime
import json
import math
import tempfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

import servicediag as sd
from servicediag.escaping import csv_text, excel_text, plain_csv_text, starts_like_formula
from servicediag.instrument.yaml_loader import load_yaml
from servicediag.responses.mapping_file import read_mapping, write_mapping
from servicediag.tables import write_csv, write_workbook

FORMULAS = ("=1+1", "+1", "-1", "@x", "\t=1", " ＝A1", "\r\n=1", "'=1", "''", "=", "\u00a0=1")
SPECIAL = st.sampled_from(
    [*FORMULAS, "NA", "null", "~", "no", "12:30", "012", "<b>", "a,b;c", '"q"', "x\ny", "é中\u202e"]
)
ENCODABLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TEXT = st.one_of(SPECIAL, ENCODABLE)
PRINTABLE = st.one_of(
    SPECIAL, st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=40)
)
quick = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])


@given(TEXT)
def test_csv_text_is_no_formula_and_is_undone(text):
    escaped = csv_text(text)
    assert plain_csv_text(escaped) == text
    assert not starts_like_formula(escaped)


@quick
@given(st.text(max_size=40))
def test_excel_text_can_be_encoded_and_is_as_long_as_a_cell_at_most(text):
    assert len(excel_text(text * 2_000)) <= 32_767
    excel_text(text).encode("utf-8")


@quick
@given(st.dictionaries(TEXT.filter(str), st.tuples(st.sampled_from(["sin_cold_1", "rdy_know_s1"]), st.booleans())))
@pytest.mark.parametrize("suffix", [".csv", ".yaml"])
def test_mapping_file(suffix, mapping):
    if suffix == ".yaml":  # the strict loader refuses characters that nobody sees, and whole numbers are numbers
        mapping = {key: value for key, value in mapping.items() if _is_plain(key)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"mapping{suffix}"
        write_mapping([(column, item, reverse) for column, (item, reverse) in mapping.items()], path)
        if not mapping:
            return
        found = read_mapping(path)
    assert {column: (item.code, item.reverse) for column, item in found.items()} == mapping


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\u202e" not in text


@quick
@given(
    st.lists(
        st.tuples(
            PRINTABLE,
            st.one_of(st.none(), st.floats(-1e300, 1e300), st.integers(-(10**9), 10**9)),
            st.booleans(),
            st.datetimes(datetime.datetime(1901, 1, 1), datetime.datetime(2200, 1, 1)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_score_table_as_a_workbook(rows):
    frame = pd.DataFrame(rows, columns=pd.Index(["text", "number", "flag", "when"], dtype=object), dtype=object)
    with tempfile.TemporaryDirectory() as folder:
        path = write_workbook(Path(folder) / "t.xlsx", {"T": frame})
        sheet = openpyxl.load_workbook(path)["T"]
        found = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    for (text, number, flag, when), (text_2, number_2, flag_2, when_2) in zip(rows, found, strict=True):
        assert unescape(text_2 or "") == text
        assert number_2 is None if number is None else math.isclose(number_2, number, rel_tol=1e-15)
        assert flag_2 is flag
        assert abs(when_2 - when) < datetime.timedelta(milliseconds=1)


@quick
@given(st.lists(st.tuples(TEXT, st.integers(-(10**9), 10**9)), min_size=1, max_size=8))
@example([("=1+1", -1)])
def test_table_as_csv(rows):
    frame = pd.DataFrame(rows, columns=pd.Index(["text", "number"], dtype=object))
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "t.csv", frame)
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = [(plain_csv_text(text), int(number)) for text, number in list(csv.reader(file))[1:]]
    assert found == rows


@quick
@given(
    st.recursive(
        st.one_of(PRINTABLE.filter(_is_plain), st.integers(-(10**14), 10**14), st.booleans(), st.none()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(PRINTABLE.filter(_is_plain), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_json_is_yaml_that_the_strict_loader_reads(value):
    assert load_yaml(json.dumps(value, ensure_ascii=False)).data == value


@quick
@given(
    st.dictionaries(
        PRINTABLE.filter(_is_plain).filter(lambda text: not text.lstrip("-").isdigit()), ENCODABLE.filter(_is_plain)
    )
)
def test_what_a_yaml_writer_writes_is_read_as_it_was(mapping):
    text = yaml.safe_dump(mapping, allow_unicode=True, sort_keys=False)
    assert load_yaml(text).data == mapping


@pytest.fixture(scope="module")
def sheet(tmp_path_factory):
    return sd.write_answer_sheet("seven-sins", tmp_path_factory.mktemp("sheet") / "s.xlsx", form="customer-short")


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_answer_sheet(sheet, items, labels, data):
    """Any choice from the drop-downs, under any names, is read back as the codes of the labels."""
    names = st.text(st.characters(categories=["L", "N"], include_characters=" =+-@"), min_size=1, max_size=12)
    people = data.draw(
        st.lists(
            st.tuples(names.filter(lambda name: name.strip()), st.lists(st.integers(0, 4), min_size=14, max_size=14)),
            min_size=3,
            max_size=6,
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        book = openpyxl.load_workbook(sheet)
        page = book.worksheets[0]
        for row, (unit, choices) in enumerate(people, start=3):
            page.cell(row, 2, unit).data_type = "s"
            for column, choice in enumerate(choices, start=4):
                page.cell(row, column, labels[choice])
        path = Path(folder) / "filled.xlsx"
        book.save(path)
        responses = sd.read_responses(path, "seven-sins")
    assert responses.form == "customer-short"
    assert responses.answers[items].to_numpy().tolist() == [[choice + 1 for choice in choices] for _, choices in people]
    found = [" ".join(str(unit).split()) for unit in responses.respondents["unit"]]
    assert found == [" ".join(unit.split()) for unit, _ in people]


def test_diagnosis_as_json(rows, tmp_path):
    head, *body = rows(["=North", "<South>", "East"])
    responses = sd.read_responses(pd.DataFrame(body, columns=head), "seven-sins", form="customer-short", unit="Branch")
    diagnosis = sd.diagnose(responses, by="unit")
    found = json.loads(Path(diagnosis.to_json(tmp_path / "r.json")).read_text(encoding="utf-8"))
    assert [finding["id"] for finding in found["findings"]] == [finding.id for finding in diagnosis.findings]
    assert [finding["unit"] for finding in found["findings"]] == [finding.unit for finding in diagnosis.findings]
    for row, (_, published) in zip(found["evidence"], diagnosis.evidence.iterrows(), strict=True):
        assert row["unit"] == (None if pd.isna(published["unit"]) else published["unit"])
        assert row["n"] == published["n"]
        assert row["mean"] == pytest.approx(published["mean"], abs=0.05 if published["n"] < 30 else 0.005)
