"""Platforms with one row of headings: recognised in any of their languages, by names, codes or texts."""

from __future__ import annotations

import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses


def sheet(before, headings, after, rows, own):
    """Rows of an export: the platform's own cells of respondent ``i`` around the answers."""
    first = [*before, *headings, *after]
    body = []
    for i, answers in enumerate(rows):
        cells = [f"{value}" if not callable(value) else value(i) for value in own]
        body.append([*cells[: len(before)], *answers, *cells[len(before) :]])
    return [first, *body]


KOBO_TAIL = ["_id", "_uuid", "_submission_time", "_validation_status", "_notes", "_status", "_submitted_by", "_index"]
TYPEFORM_TAIL = ["Response Type", "Start Date (UTC)", "Stage Date (UTC)", "Submit Date (UTC)", "Network ID", "Tags"]
ALCHEMER = ["Response ID", "Time Started", "Date Submitted", "Status", "Contact ID", "Language", "SessionID"]
SHAPES = {
    "google en": ("google_forms", ["Timestamp", "Email Address"], ["{}"], []),
    "google pt": ("google_forms", ["Carimbo de data/hora"], ["How was it? [{}]"], []),
    "google ru": ("google_forms", ["Отметка времени"], ["{} "], []),
    "google zh-Hant": ("google_forms", ["時間戳記"], ["{}"], []),
    "microsoft en": ("microsoft_forms", ["ID", "Start time", "Completion time", "Email", "Name"], ["{}\u00a0"], []),
    "microsoft de": ("microsoft_forms", ["ID", "Startzeit", "Fertigstellungszeit", "E-Mail", "Name"], ["{}"], []),
    "microsoft es": ("microsoft_forms", ["ID", "Hora de inicio", "Hora de finalización"], ["{}"], []),
    "typeform": ("typeform", ["#"], ["<strong>{}</strong>"], TYPEFORM_TAIL),
    "alchemer": ("alchemer", ALCHEMER, ["{}:How was it?"], []),
    "jotform": ("jotform", ["Submission Date"], ["How was it? >> {}"], ["Submission IP", "Submission ID"]),
    "kobo labels": ("kobo", ["start", "end"], ["Visit/About us/{}"], KOBO_TAIL),
    "odk": ("kobo", ["SubmissionDate"], ["{}"], ["KEY", "meta-instanceID"]),
    "redcap labels": ("redcap", ["Record ID", "Survey Timestamp"], ["{}"],
                      ["Race (choice=A)", "Complete?", "Complete?"]),
    "wjx": ("wjx", ["序号", "提交答卷时间", "所用时间", "来源", "来自IP"], ["7、{}"], ["总分"]),
    "wenjuan": ("wenjuan", ["答卷编号", "IP地址", "来源", "开始时间", "答题时长", "姓名"], ["Q2_How was it?_{}"], []),
    "wjx without its own columns": ("wjx", [], ["7、How was it?—{}"], []),
    "limesurvey full": ("limesurvey", ["ID réponse", "Date de soumission", "Dernière page", "Langue"],
                        ["How? [{}]"], []),
    "limesurvey codes and texts": ("limesurvey",
                                   ["id. Response ID", "submitdate. Date submitted", "lastpage. Last page"],
                                   ["G1[SQ00#]. How was it? [{}]"], []),
    "limesurvey separator of one's own": ("limesurvey", ["", "startdate._.Date started"],
                                          ["G1[SQ00#]._.How was it? [{}]"], []),
    "limesurvey anonymised": ("limesurvey", [""], ["G1[SQ00#]. [{}]"], []),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_labelled_export_is_recognised_and_read(shape, export, questions, labels, check, harbour):
    platform, before, (pattern,), after = SHAPES[shape]
    headings = [pattern.replace("#", str(i)).format(text) for i, text in enumerate(questions, start=1)]
    own = [""] * len([*before, *after])
    rows = sheet(before, headings, after, [labels(i) for i in range(3)], own)
    check(read_responses(export(rows), harbour, form="guest"), platform, 3, [0, 1, 2])
    many = [["My survey"] + [""] * (len(rows[0]) - 1), *rows] if platform != "google_forms" else rows
    check(read_responses(export(many), harbour, form="guest"), platform, 3, [0, 1, 2])


CODED = {
    "kobo names": ("kobo", ["start"], "visit/{}", KOBO_TAIL, [""] * 9),
    "odk names": ("kobo", ["SubmissionDate"], "visit-{}", ["KEY", "meta-instanceID"], [""] * 3),
    "limesurvey": ("limesurvey", ["id", "submitdate", "lastpage"], "G1[{}]", [], [lambda i: i, "2026-01-01", 3]),
    "limesurvey letters": ("limesurvey", ["submitdate", "lastpage"], "G1[{}]", [], ["2026-01-01", 3]),
    "redcap raw": ("redcap", ["record_id", "redcap_survey_identifier", "visit_timestamp"], "{}",
                   ["visit_complete"], [lambda i: i + 1, "", "[not completed]", 2]),
    "sosci": ("sosci", ["CASE", "SERIAL", "REF", "QUESTNNR", "MODE", "STARTED"], "{}", ["LASTPAGE", "MISSREL"],
              [lambda i: i + 1, "", "", "base", "interview", "2026-01-01", 9, 0]),
}  # fmt: skip


@pytest.mark.parametrize("shape", CODED)
def test_coded_export_is_recognised_and_read_by_item_codes(shape, export, codes, numbers, check, harbour):
    platform, before, pattern, after, own = CODED[shape]
    answers = [numbers(i) for i in range(3)]
    if shape == "limesurvey letters":
        answers = [[f"A{code}" if i else f"AO0{code}" for code in row] for i, row in enumerate(answers)]
    rows = sheet(before, [pattern.format(code) for code in codes], after, answers, own)
    path = export(rows, delimiter=";" if platform in ("kobo", "limesurvey") else ",", encoding="utf-8-sig")
    responses = read_responses(path, harbour, form="guest")
    check(responses, platform, 3, [0, 1, 2], "code")
    assert ("assumed_direction", "note") in {(i.code, i.severity) for i in responses.intake.issues}


@pytest.mark.parametrize("shape", [name for name, (platform, *_) in SHAPES.items() if platform != "wjx"] + ["wjx"])
def test_bare_numbers_under_questions_stop_the_reading(shape, export, questions, numbers, harbour):
    platform, before, (pattern,), after = SHAPES[shape]
    headings = [pattern.replace("#", str(i)).format(text) for i, text in enumerate(questions, start=1)]
    rows = sheet(before, headings, after, [numbers(i) for i in range(3)], [""] * len([*before, *after]))
    with pytest.raises(ResponsesError, match=platform) as error:
        read_responses(export(rows), harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["unknown_direction"]


def test_sosci_labels_below_names_and_debug_rows(export, questions, labels, check, harbour):
    before = ["CASE", "QUESTNNR", "MODE", "STARTED"]
    rows = sheet(
        before,
        [f"AB01_0{i}" for i in range(1, 7)],
        ["FINISHED"],
        [labels(i) for i in range(4)],
        [lambda i: i + 1, "base", lambda i: "debug" if i == 1 else "interview", "2026-01-01", "T"],
    )
    words = ["Interview-Nummer", "Fragebogen", "Modus", "Start", *[f"Besuch: {text}" for text in questions], "Beendet"]
    words = [word.replace("Besuch: ", "Besuch - ") for word in words]
    responses = read_responses(export([rows[0], words, *rows[1:]]), harbour, form="guest")
    check(responses, "sosci", 4, [0, 2, 3])
    assert responses.answers.index.tolist() == [3, 5, 6]


def test_sosci_writes_missing_answers_as_negative_codes(export, codes, numbers, harbour):
    rows = sheet(
        ["CASE", "QUESTNNR", "MODE"], codes, [], [numbers(0), numbers(1), numbers(2)], [lambda i: i, "b", "interview"]
    )
    rows[1][3:5] = [-9, -1]
    responses = read_responses(export(rows), harbour, form="guest")
    assert responses.missing.iloc[0].tolist() == ["blank", "dont_know", "", "", "", ""]


def test_wjx_skipped_and_empty_answers(export, questions, labels, harbour):
    rows = sheet(
        ["序号", "所用时间"],
        [f"{i}、{t}" for i, t in enumerate(questions, 1)],
        [],
        [labels(i) for i in range(3)],
        [lambda i: i + 1, "137秒"],
    )
    rows[1][2:5] = ["(跳过)", "(空)", "-3"]
    responses = read_responses(export(rows, encoding="gb18030"), harbour, form="guest")
    assert responses.missing.iloc[0].tolist() == ["blank", "blank", "blank", "", "", ""]
    assert responses.intake.platform == "wjx"


def test_wjx_matrix_with_its_stem_on_the_first_row_only(export, questions, labels, check, harbour):
    last = f"12、{questions[5]}(1=never，5=almost always)"
    headings = [f"7、How was it?—{questions[0]}", *[f"7、{text}" for text in questions[1:5]], last]
    rows = sheet(["序号", "来自IP"], headings, [], [labels(i) for i in range(3)], [lambda i: i + 1, "192.0.2.1(x-y)"])
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "wjx", 3, [0, 1, 2])
    assert "来自IP" not in responses.respondents


def test_limesurvey_system_made_na_is_blank_and_unfinished_rows_are_noted(export, questions, labels, harbour):
    rows = sheet(
        ["id", "submitdate", "lastpage"],
        [f"How? [{text}]" for text in questions],
        [],
        [labels(i) for i in range(3)],
        [lambda i: i + 1, lambda i: "" if i == 0 else "2026-01-01", 4],
    )
    rows[1][3] = "N/A"
    responses = read_responses(export(rows), harbour, form="guest")
    assert responses.missing["hrb_calm_1"].tolist() == ["blank", "", ""]
    assert "doubtful_row" in {issue.code for issue in responses.intake.issues}


def test_limesurvey_shortened_headings(export, questions, labels, harbour):
    headings = [f"How was it.. [{text[:15]}.. ]" if len(text) > 15 else f"How was it.. [{text}]" for text in questions]
    rows = sheet(
        ["id", "submitdate", "lastpage"], headings, [], [labels(i) for i in range(3)], [lambda i: i + 1, "2026", 4]
    )
    responses = read_responses(export(rows, delimiter=";"), harbour, form="guest")
    assert set(responses.intake.matches["method"]) == {"prefix", "text"}
    assert responses.answers["hrb_calm_2"].tolist() == [2, 3, 4]


def test_alchemer_test_data_is_left_out(export, questions, labels, check, harbour):
    rows = sheet(
        ["Response ID", "Time Started", "Date Submitted", "Status", "Is Test Data"],
        questions,
        [],
        [labels(i) for i in range(3)],
        [lambda i: i + 1, "", "", lambda i: "Partial" if i == 0 else "Complete", lambda i: int(i == 2)],
    )
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "alchemer", 3, [0, 1])
    assert {"removed_test_row", "doubtful_row"} <= {issue.code for issue in responses.intake.issues}


def test_microsoft_forms_edited_while_live(export, questions, labels, harbour):
    """The edited question stands again with a 2 behind it, and its answers are numbers where they were labels."""
    headings = [*questions, f"{questions[0]}2"]
    rows = sheet(
        ["ID", "Start time", "Completion time", "Email"],
        headings,
        [],
        [[*labels(0), ""], ["", *labels(1)[1:], "4\u00a0"], ["", *labels(2)[1:], "(3): Sometimes"]],
        [lambda i: i + 1, "", "", "anonymous"],
    )
    responses = read_responses(export(rows), harbour, form="guest")
    assert responses.intake.platform == "microsoft_forms"
    assert responses.answers["hrb_calm_1"].tolist() == [1, 4, 3]
    assert {"coalesced_columns", "mixed_labels_and_codes"} <= {issue.code for issue in responses.intake.issues}
    assert responses.intake.matches["item"].tolist().count("hrb_calm_1") == 2
    assert responses.intake.n_matched == 6
    assert f"{questions[0]}2" not in responses.respondents


def test_saved_mapping_of_twin_columns_reads_again(export, questions, labels, harbour, tmp_path):
    rows = [["Timestamp", *questions, questions[0]], ["1", *labels(0), ""], ["2", "", *labels(1)[1:], "Often"]]
    path = export(rows)
    first = read_responses(path, harbour, form="guest")
    mapping = first.intake.save_mapping(tmp_path / "mapping.csv")
    again = read_responses(path, harbour, form="guest", columns=mapping)
    assert again.answers.equals(first.answers)
    assert again.answers["hrb_calm_1"].tolist() == [1, 4]


def test_twin_columns_that_a_row_fills_both__error(export, questions, labels, faults, harbour):
    rows = [["Timestamp", *questions, questions[0]], ["1", *labels(0), ""], ["2", *labels(1), "Often"]]
    assert faults(export(rows), harbour, form="guest") == ["duplicate_match"]


def test_text_that_is_not_the_platforms_is_a_plain_sheet(export, questions, labels, check, harbour):
    rows = sheet(["Status", "Language", "Name"], questions, ["Comments"], [labels(i) for i in range(3)], [""] * 4)
    check(read_responses(export(rows), harbour, form="guest"), "plain", 3, [0, 1, 2])
