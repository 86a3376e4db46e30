"""Laws of reading: what is written as labels, codes or text comes back as the same codes, in any order of rows."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses

ITEMS = [*(f"hrb_calm_{i}" for i in range(1, 5)), "hrb_late_1", "hrb_late_2"]
MISSING = {"en": ("Did not apply", "not_applicable"), "es": ("No lo sé", "dont_know")}

answer_rows = st.lists(st.lists(st.integers(0, 5), min_size=6, max_size=6), min_size=2, max_size=8)
languages = st.sampled_from(["en", "es", "ru"])


def as_labels(rows, harbour, language, *, text_headings):
    """Codes 1 to 5 as labels of a language; 0 as its "no answer" option, or blank where it has none."""
    options = dict(harbour.scales["frequency"].labels[language])
    options[0] = MISSING.get(language, ("", "blank"))[0]
    frame = pd.DataFrame([[options[code] for code in row] for row in rows], columns=ITEMS)
    if text_headings:
        texts = harbour.locales[language].items
        frame.columns = [f"How often? [{texts[code]['guest']}]" for code in ITEMS]
    return frame


def assert_same_codes(responses, rows, reason):
    expected = np.array(rows, float)
    expected[expected == 0] = np.nan
    np.testing.assert_array_equal(responses.answers[ITEMS].to_numpy(), expected)
    reasons = np.where(np.isnan(expected), reason, "")
    assert responses.missing[ITEMS].to_numpy().tolist() == reasons.tolist()


def read(source, harbour, **options):
    return read_responses(source, harbour, form="guest", minimum_completed=0, **options)


def issues_of(path, harbour):
    try:
        return read(path, harbour).intake.issues
    except ResponsesError as error:
        return error.issues or [None]


@given(rows=answer_rows, language=languages, text_headings=st.booleans())
@settings(max_examples=40, deadline=None)
def test_labels_come_back_as_their_codes(harbour, rows, language, text_headings):
    frame = as_labels(rows, harbour, language, text_headings=text_headings).assign(id=range(len(rows)))
    assert_same_codes(read(frame, harbour), rows, MISSING.get(language, ("", "blank"))[1])


@given(
    rows=answer_rows,
    language=languages,
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
)
@settings(max_examples=25, deadline=None)
def test_labels_come_back_from_text_files(harbour, rows, language, delimiter, encoding):
    frame = as_labels(rows, harbour, language, text_headings=False).assign(id=range(len(rows)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        frame.to_csv(path, sep=delimiter, index=False, encoding=encoding)
        responses = read(path, harbour)
    assert_same_codes(responses, rows, MISSING.get(language, ("", "blank"))[1])
    assert responses.intake.delimiter == delimiter


@given(rows=answer_rows, language=languages, row=st.integers(1, 12), column=st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_labels_come_back_from_workbooks(harbour, rows, language, row, column):
    frame = as_labels(rows, harbour, language, text_headings=True).assign(id=range(len(rows)))
    book = openpyxl.Workbook()
    for i, values in enumerate([list(frame), *frame.values.tolist()]):
        for j, value in enumerate(values):
            book.active.cell(row + i, column + j, value)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xlsx"
        book.save(path)
        responses = read(path, harbour)
    assert_same_codes(responses, rows, MISSING.get(language, ("", "blank"))[1])
    assert responses.answers.index.tolist() == list(range(row + 1, row + 1 + len(rows)))


@given(rows=answer_rows, order=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_order_of_rows_does_not_matter(harbour, rows, order):
    frame = as_labels(rows, harbour, "en", text_headings=False)
    frame["id"] = [f"p{i}" for i in range(len(rows))]
    frame["branch"] = [f"unit {i % 3}" for i in range(len(rows))]
    shuffled = frame.sample(frac=1, random_state=order.randrange(1000))
    first = read(frame, harbour, respondent="id", unit="branch")
    second = read(shuffled, harbour, respondent="id", unit="branch")
    pd.testing.assert_frame_equal(first.answers, second.answers.loc[first.answers.index])
    pd.testing.assert_frame_equal(first.missing, second.missing.loc[first.missing.index])
    pd.testing.assert_frame_equal(first.respondents, second.respondents.loc[first.respondents.index])
    assert first.intake.issues == second.intake.issues


@given(rows=answer_rows)
@settings(max_examples=25, deadline=None)
def test_reading_what_was_read_changes_nothing(harbour, rows):
    first = read(as_labels(rows, harbour, "en", text_headings=False).assign(id=range(len(rows))), harbour)
    again = read(first.answers.assign(id=range(len(rows))), harbour)
    pd.testing.assert_frame_equal(again.answers, first.answers)


@given(st.text(max_size=300))
@settings(max_examples=50, deadline=None)
def test_any_text_is_read_or_refused(harbour, text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        issues = issues_of(path, harbour)
    assert all(issue.code and issue.problem for issue in issues)


@given(st.binary(max_size=300), st.integers(0, 5000))
@settings(max_examples=50, deadline=None)
def test_any_damage_to_a_workbook_is_read_or_refused(harbour, damage, place):
    buffer = io.BytesIO()
    book = openpyxl.Workbook()
    for row in [ITEMS, [1, 2, 3, 4, 5, 1], [2] * 6]:
        book.active.append(row)
    book.save(buffer)
    data = bytearray(buffer.getvalue())
    place %= len(data)
    data[place : place + len(damage)] = damage
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xlsx"
        path.write_bytes(data)
        issues = issues_of(path, harbour)
    assert all(issue.code and issue.problem for issue in issues)
