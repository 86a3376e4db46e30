"""Qualtrics: two or three rows of headings, previews, recodes, negative codes."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses

METADATA = ("StartDate", "EndDate", "Status", "IPAddress", "Progress", "Finished", "RecordedDate", "ResponseId")


def made(questions, answers, *, tags=None, status="IP Address", import_ids="json", texts=True, stem="About us - "):
    tags = tags or [f"Q7_{i + 1}" for i in range(6)]
    rows = [[*METADATA, *tags, "Q7_DO_1", "Q8_1_TEXT"]]
    if texts:
        words = ("Anfangsdatum", "Enddatum", "Antworttyp", "IP-Adresse", "Stand", "Beendet", "Erfasst", "Antwort-ID")
        rows.append([*words, *(stem + text for text in questions), "Display Order", f"{stem}{questions[0]}"])
    if import_ids:
        names = [f"QID{i}" for i in range(len(rows[0]))]
        rows.append([json.dumps({"ImportId": n}) if import_ids == "json" else str({"ImportId": n}) for n in names])
    for i, answer in enumerate(answers):
        kind = "Survey Preview" if i in (1,) and status == "IP Address" else status
        first = ["2026-03-01 08:00:00", "2026-03-01 08:05:00", kind, "192.0.2.1", "100", "True", "2026-03-01 08:05:01"]
        rows.append([*first, f"R_{i:03d}", *answer, "1|2", "free"])
    return rows


@pytest.mark.parametrize("import_ids", ["json", "python", None])
@pytest.mark.parametrize("stem", ["About us - ", "About us-", "About these very many things that were cut o...-"])
def test_rows_of_headings(import_ids, stem, export, questions, labels, check, harbour):
    path = export(made(questions, [labels(i) for i in range(4)], import_ids=import_ids, stem=stem))
    responses = read_responses(path, harbour, form="guest")
    check(responses, "qualtrics", 4, [0, 2, 3])
    assert responses.answers.index.tolist() == ([4, 6, 7] if import_ids else [3, 5, 6])
    assert "removed_test_row" in {issue.code for issue in responses.intake.issues}
    assert "IPAddress" not in responses.respondents
    assert "ResponseId" in responses.respondents


def test_import_ids_without_texts__matched_by_the_export_tags(export, questions, numbers, check, harbour, codes):
    rows = made(questions, [numbers(i) for i in range(3)], tags=codes, texts=False, status="0")
    check(read_responses(export(rows), harbour, form="guest"), "qualtrics", 3, [0, 1, 2], "code")


def test_title_above_the_headings(export, questions, labels, check, harbour):
    rows = [["Guest survey"], [], *made(questions, [labels(i) for i in range(3)], status="0")]
    width = len(rows[2])
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    check(read_responses(export(rows), harbour, form="guest"), "qualtrics", 3, [0, 1, 2])


def test_tab_separated_utf_16(export, questions, labels, check, harbour):
    rows = made(questions, [labels(i) for i in range(3)], status="0")
    path = export(rows, "export.tsv", delimiter="\t", encoding="utf-16")
    check(read_responses(path, harbour, form="guest"), "qualtrics", 3, [0, 1, 2])


def test_legacy_names(export, questions, labels, check, harbour):
    names = ["V1", "V2", "V3", "V7", "V8", *[f"Q1_{i + 1}" for i in range(6)], ""]
    words = ["ResponseID", "ResponseSet", "Name", "Status", "StartDate", *questions, ""]
    rows = [names, words, *[[f"R_{i}", "Default", "Anonymous", i == 0, "2017-01-01", *labels(i), ""] for i in range(3)]]
    responses = read_responses(export(rows, encoding="utf-8-sig"), harbour, form="guest")
    check(responses, "qualtrics", 3, [0, 1, 2])


def test_numbers_stop_until_a_mapping_confirms_their_direction(export, questions, numbers, harbour, tmp_path):
    path = export(made(questions, [numbers(i) for i in range(3)], status="0"))
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["unknown_direction"]
    mapping = error.value.save_mapping(tmp_path / "mapping.csv")
    declared = read_responses(path, harbour, form="guest", columns=mapping)
    assert declared.answers["hrb_calm_1"].tolist() == [1, 2, 3]
    assert ("assumed_direction", "warning") in {(i.code, i.severity) for i in declared.intake.issues}
    text = mapping.read_text(encoding="utf-8").replace('"hrb_calm_1","declared"', '"hrb_calm_1","reversed"')
    mapping.write_text(text, encoding="utf-8")
    turned = read_responses(path, harbour, form="guest", columns=mapping)
    assert turned.answers["hrb_calm_1"].tolist() == [5, 4, 3]
    assert turned.answers["hrb_calm_2"].tolist() == declared.answers["hrb_calm_2"].tolist()
    again = turned.intake.save_mapping(tmp_path / "again.yaml")
    assert read_responses(path, harbour, form="guest", columns=again).answers.equals(turned.answers)


def test_negative_codes_are_no_answers_and_higher_recodes_are_refused(export, questions, numbers, harbour, codes):
    answers = [[-1, -2, -99, *numbers(0)[3:]], numbers(1), numbers(2)]
    responses = read_responses(export(made(questions, answers, tags=codes, status="0")), harbour, form="guest")
    assert responses.missing.iloc[0].tolist() == ["not_applicable", "not_applicable", "blank", "", "", ""]
    assert "platform_missing" in {issue.code for issue in responses.intake.issues}
    answers = [[10, 11, 12, 13, 10, 11]] * 3
    with pytest.raises(ResponsesError) as error:
        read_responses(export(made(questions, answers, tags=codes, status="0")), harbour, form="guest")
    assert {issue.code for issue in error.value.issues} == {"out_of_range"}


def test_file_of_tests_only_is_kept_with_a_warning(export, questions, labels, check, harbour):
    rows = made(questions, [labels(i) for i in range(3)], status="Survey Test")
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "qualtrics", 3, [0, 1, 2])
    assert ("removed_test_row", "warning") in {(i.code, i.severity) for i in responses.intake.issues}


def test_frame_that_pandas_read_with_one_row_of_headings(export, questions, labels, check, harbour):
    path = export(made(questions, [labels(i) for i in range(3)], status="0"))
    frame = pd.read_csv(path, dtype=str)
    responses = read_responses(frame, harbour, form="guest")
    check(responses, "qualtrics", 3, [0, 1, 2])
    assert responses.answers.index.tolist() == [2, 3, 4]


def test_submission_that_is_there_twice(export, questions, labels, harbour):
    rows = made(questions, [labels(i) for i in range(3)], status="0")
    copied = read_responses(export([*rows, rows[-1]]), harbour, form="guest")
    assert ("duplicate_respondent", "warning") in {(i.code, i.severity) for i in copied.intake.issues}
    changed = [*rows[-1][: len(METADATA)], *labels(0), "", ""]
    with pytest.raises(ResponsesError) as error:
        read_responses(export([*rows, changed]), harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["duplicate_respondent"]


def test_unit_can_be_named_by_its_question(export, questions, labels, harbour):
    rows = made(questions, [labels(i) for i in range(3)], status="0")
    cells = ["Q9", "Which pier?", '{"ImportId":"QID9"}', "N", "S", "N"]
    rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    for name in ("Q9", "Which pier?"):
        responses = read_responses(export(rows), harbour, form="guest", unit=name)
        assert responses.respondents["unit"].tolist() == ["N", "S", "N"]
