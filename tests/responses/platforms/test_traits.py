"""Single traits of the exports of each platform, as its manuals, public programs and published files show them."""

from __future__ import annotations

import json
from dataclasses import replace

import openpyxl
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses


def issues(responses):
    return {(issue.code, issue.severity) for issue in responses.intake.issues}


@pytest.fixture
def xlsx(tmp_path):
    """Write sheets as a workbook: ``xlsx(Sheet1=rows, Other=rows)``."""

    def write(**sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        path = tmp_path / "export.xlsx"
        book.save(path)
        return path

    return write


# ------------------------------------------------------------------------------------------- Qualtrics

QUALTRICS = ["StartDate", "Status", "Progress", "Duration (in seconds)", "Finished", "RecordedDate", "ResponseId"]
QUALTRICS_TEXTS = [
    "Start Date",
    "Response Type",
    "Progress",
    "Duration (in seconds)",
    "Finished",
    "Recorded",
    "Response ID",
]


def qualtrics_rows(questions, answers, *, status=0, finished=1, after=()):
    own = [
        ["2026-03-04 08:00:00", status, 100, 61, finished, "2026-03-04 08:01:01", f"R_{i}"] for i in range(len(answers))
    ]
    names = [*QUALTRICS, *(f"Q2_{i}" for i in range(1, 7)), *(name for name, _ in after)]
    texts = [*QUALTRICS_TEXTS, *questions, *(text for _, text in after)]
    return [names, texts, *([*mine, *answer, *("x" for _ in after)] for mine, answer in zip(own, answers, strict=True))]


def test_qualtrics_workbook_has_two_rows_of_headings(xlsx, questions, labels, check, harbour):
    texts = [f"Think of your visits.\n<b>How often</b> did this happen? - {text}" for text in questions]
    path = xlsx(Sheet0=qualtrics_rows(texts, [labels(i) for i in range(3)]))
    check(read_responses(path, harbour, form="guest"), "qualtrics", 3, [0, 1, 2])


def test_qualtrics_timing_order_and_placeholder_columns_are_no_items(export, questions, labels, check, harbour):
    after = [
        ("Q9_First Click", "Timing - First Click"), ("Q2_DO_1", f"How often? - {questions[0]}"),
        ("Q2_4_TEXT", f"How often? - {questions[3]} - Text"), ("Q3", "Click to write the question text"),
        ("Q4_1", "Click to write the question text - Click to write Choice 1"), ("Q5 - Topics", questions[5]),
    ]  # fmt: skip
    rows = qualtrics_rows([f"How often? - {t}" for t in questions], [labels(i) for i in range(3)], after=after)
    check(read_responses(export(rows), harbour, form="guest"), "qualtrics", 3, [0, 1, 2])


def test_qualtrics_numeric_status_and_unfinished(export, questions, labels, check, harbour):
    rows = qualtrics_rows(questions, [labels(i) for i in range(4)])
    rows[3][1], rows[4][4] = 1, 0
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "qualtrics", 4, [0, 2, 3])
    assert {("removed_test_row", "note"), ("doubtful_row", "note")} <= issues(responses)


def test_qualtrics_codes_that_start_at_ten__refused_with_what_to_do(export, questions, codes, harbour):
    rows = qualtrics_rows(questions, [[10, 11, 12, 13, 14, 10]] * 3)
    rows[0][7:13] = codes
    with pytest.raises(ResponsesError, match="as texts, not as numbers") as error:
        read_responses(export(rows), harbour, form="guest")
    assert {issue.code for issue in error.value.issues} == {"out_of_range"}


# ---------------------------------------------------------------------------------------- SurveyMonkey


def test_surveymonkey_grid_with_a_column_for_each_row_and_option(export, questions, labels, harbour):
    options = list(harbour.options("hrb_calm_1").values())
    above = ["Respondent ID", "Collector ID", "Start Date", "How often did this happen?", *[""] * (6 * 5 - 1)]
    below = ["", "", "", *(f"{question} - {option}" for question in questions for option in options)]
    rows = [
        [f"114{i}", "7", "2026", *(o if o == chosen else "" for chosen in labels(i) for o in options)] for i in range(3)
    ]
    responses = read_responses(export([above, below, *rows]), harbour, form="guest")
    assert responses.intake.platform == "surveymonkey"
    assert responses.answers["hrb_calm_1"].tolist() == [1, 2, 3]
    assert responses.answers["hrb_late_2"].tolist() == [1, 2, 3]
    assert list(responses.respondents) == ["Respondent ID", "Collector ID", "Start Date"]
    joined = [issue for issue in responses.intake.issues if issue.code == "joined_options"]
    assert len(joined) == 1
    assert "6 questions" in joined[0].problem


def test_surveymonkey_ids_that_a_workbook_holds_as_numbers(xlsx, questions, labels, harbour):
    above = ["Respondent ID", "Collector ID", *questions, "Which pier?"]
    below = ["", "", *["Response"] * 7]
    rows = [[11411350000.0 + i, 98765.0, *labels(i), "N"] for i in range(3)]
    responses = read_responses(xlsx(Sheet=[above, below, *rows]), harbour, form="guest", respondent="Respondent ID")
    assert responses.answers.index.tolist() == ["11411350000", "11411350001", "11411350002"]


def test_surveymonkey_stray_bytes_in_a_heading(questions, labels, harbour, tmp_path):
    rows = [
        ["Respondent ID", *questions, "Fan of it?"],
        ["", *["Response"] * 7],
        *[[str(i), *labels(i), "No"] for i in (1, 2)],
    ]
    data = "\n".join(",".join(row) for row in rows).encode().replace(b"Fan of", b"Fan \x8c\xe6 of")
    path = tmp_path / "export.csv"
    path.write_bytes(data)
    responses = read_responses(path, harbour, form="guest")
    (guess,) = (issue for issue in responses.intake.issues if issue.code == "guessed_encoding")
    assert f"byte {data.index(0x8C) + 1}" in guess.problem


# ---------------------------------------------------------------------------------------- Google Forms


@pytest.mark.parametrize(
    "time", ["2018/02/11 1:08:26 AM GMT+3", "2024/03/04 10:08:26 p. m. GMT+1", "2024/03/04 1:08:26 PM EET"]
)
def test_google_forms_first_heading_blank__known_by_its_times(time, export, questions, labels, check, harbour):
    path = export([["", *questions], *[[time, *labels(i)] for i in range(3)]])
    check(read_responses(path, harbour, form="guest"), "google_forms", 3, [0, 1, 2])


@pytest.mark.parametrize("heading", ["", "No.", "№"])
def test_google_forms_rows_numbered_by_hand(heading, export, questions, labels, numbers, check, harbour):
    times = [f"3/{i + 4}/2026 10:08:26" for i in range(3)]
    rows = [[heading, "Timestamp", *questions], *[[i + 1, times[i], *labels(i)] for i in range(3)]]
    check(read_responses(export(rows), harbour, form="guest"), "google_forms", 3, [0, 1, 2])
    bare = [rows[0], *[[i + 1, times[i], *numbers(i)] for i in range(3)]]
    with pytest.raises(ResponsesError) as error:
        read_responses(export(bare), harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["unknown_direction"]


def test_times_as_programs_write_them_are_not_of_google_forms(export, questions, numbers, check, harbour):
    rows = [["timestamp", *questions], *[[f"2026-03-04T10:0{i}:14.256235", *numbers(i)] for i in range(3)]]
    check(read_responses(export(rows), harbour, form="guest"), "plain", 3, [0, 1, 2])


def test_google_forms_quiz_and_several_choices(export, questions, labels, check, harbour):
    ways = ["Pop, Rock / Indie", "Pop", "Rock / Indie"]
    rows = [
        ["Marca temporal", "Puntuación", *questions, "Música"],
        *[["x", "3 / 5", *labels(i), ways[i]] for i in range(3)],
    ]
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "google_forms", 3, [0, 1, 2])
    assert responses.respondents["Música"].tolist() == ways


# ------------------------------------------------------------------------------------- Microsoft Forms

MICROSOFT = ["ID", "Start time", "Completion time", "Email", "Name", "Last modified time"]


def test_microsoft_forms_columns_in_another_order_than_the_form(export, questions, labels, harbour):
    shuffled = [3, 0, 5, 1, 4, 2]
    rows = [[*MICROSOFT, *(questions[j] for j in shuffled)]]
    rows += [[i, "", "", "anonymous", "", "", *(labels(i)[j] for j in shuffled)] for i in range(3)]
    responses = read_responses(export(rows), harbour, form="guest")
    for j, code in enumerate(item.code for item in harbour.items):
        assert responses.answers[code].tolist() == [(i + j) % 5 + 1 for i in range(3)]


def test_microsoft_forms_quiz_columns_are_no_items(export, questions, labels, check, harbour):
    extra = [heading for text in questions for heading in (f"Points - {text}", f"Feedback - {text}")]
    rows = [[*MICROSOFT, "Total points", *questions, *extra]]
    rows += [[i, "", "", "anonymous", "", "", 0, *labels(i), *["0", ""] * 6] for i in range(3)]
    check(read_responses(export(rows), harbour, form="guest"), "microsoft_forms", 3, [0, 1, 2])


def test_microsoft_forms_headings_in_two_languages(export, questions, labels, check, harbour):
    spanish = [harbour.text(item.code, "guest", "es") for item in harbour.items]
    rows = [[*MICROSOFT, *(f"{t} / {s}\u00a0" for t, s in zip(questions, spanish, strict=True))]]
    rows += [[i, "", "", "anonymous", "", "", *labels(i)] for i in range(3)]
    check(read_responses(export(rows), harbour, form="guest"), "microsoft_forms", 3, [0, 1, 2])


# ------------------------------------------------------------------------------------------ LimeSurvey


@pytest.mark.parametrize("pattern", ["G1[{}]", "G1_{}", "G1[{}]. How often? [text]"])
def test_limesurvey_codes_without_underscores(pattern, export, codes, numbers, check, harbour):
    rows = [["id", "submitdate", "lastpage", *(pattern.format(code.replace("_", "")) for code in codes)]]
    rows += [[i, "2026-01-01", 3, *numbers(i)] for i in range(3)]
    check(read_responses(export(rows, delimiter=";"), harbour, form="guest"), "limesurvey", 3, [0, 1, 2], "code")


def test_limesurvey_blank_last_line_masked_formulas_and_dates_of_the_export(
    questions, labels, check, harbour, tmp_path
):
    head = ["id", "submitdate", *(f"How often? [{t} ]" for t in questions), "Why? [other]"]
    lines = [head, *[[str(i), "2026-01-01", *labels(i), "'=1+1"] for i in range(3)]]
    text = "".join(";".join(f'"{cell}"' for cell in line) + "\r\n" for line in lines) + "\r\n"
    path = tmp_path / "export.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    responses = read_responses(path, harbour, form="guest")
    check(responses, "limesurvey", 3, [0, 1, 2])
    assert (responses.intake.delimiter, responses.intake.encoding) == (";", "utf-8-sig")


def test_limesurvey_answers_in_another_language_than_the_headings(export, questions, harbour):
    spanish = ["Nunca", "Rara vez", "A veces", "A menudo", "Casi siempre", "Nunca"]
    rows = [["id", "submitdate", "startlanguage", *(f"How? [{t}]" for t in questions)], ["1", "2026", "en", *spanish]]
    rows.append(["2", "2026", "es", *spanish])
    assert read_responses(export(rows), harbour, form="guest").answers.iloc[0].tolist() == [1, 2, 3, 4, 5, 1]


# ------------------------------------------------------------------------- Typeform, Alchemer, Jotform

TYPEFORM = ["Response Type", "Start Date (UTC)", "Submit Date (UTC)", "Network ID"]


def test_typeform_signs_of_type_unfinished_rows_and_doubled_options(export, questions, labels, check, harbour):
    marked = [f"*{questions[0]}*", f"How _often?_ - __{questions[1]}__", *questions[2:]]
    rows = [["#", *marked, "Desk", "Other", "Ferry", "Other", *TYPEFORM]]
    kinds = ["completed", "partial", "completed"]
    rows += [[f"h{i}", *labels(i), "Desk", "", "Ferry", "", kinds[i], "", "", "n"] for i in range(3)]
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "typeform", 3, [0, 1, 2])
    assert {("doubtful_row", "note"), ("duplicate_heading", "warning")} <= issues(responses)
    assert "Network ID" not in responses.respondents


def test_typeform_link_in_a_question(export, questions, labels, check, harbour):
    linked = questions[3].replace("at once", "[at once](https://example.org/at-once)")
    rows = [["#", *questions[:3], linked, *questions[4:], *TYPEFORM]]
    rows += [[f"h{i}", *labels(i), "completed", "", "", "n"] for i in range(3)]
    check(read_responses(export(rows), harbour, form="guest"), "typeform", 3, [0, 1, 2])


def test_alchemer_disqualified_rows_are_kept_and_noted(export, questions, labels, harbour):
    rows = [["Response ID", "Time Started", "Date Submitted", "Status", *(f"{t}:How was it?" for t in questions)]]
    rows += [[i, "", "", "Disqualified" if i == 1 else "Complete", *labels(i)] for i in range(3)]
    responses = read_responses(export(rows), harbour, form="guest")
    assert len(responses) == 3
    assert ("doubtful_row", "note") in issues(responses)


def test_jotform_table_in_one_cell__not_supported_and_said_so(export, questions, labels, harbour):
    cell = "\n".join(f"{text}: {label}" for text, label in zip(questions, labels(0), strict=True))
    path = export([["Submission Date", "How was it?", "Submission ID"], ["2026-01-01", cell, "1"]])
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert {issue.code for issue in error.value.issues} == {"missing_item"}


# ---------------------------------------------------------------------------------------- Kobo and ODK

KOBO = ["_id", "_uuid", "_submission_time", "_validation_status", "_index"]


@pytest.mark.parametrize(
    ("refused", "hold"), [("Not approved", "On hold"), ("validation_status_not_approved", "validation_status_on_hold")]
)
def test_kobo_rows_that_are_not_approved_are_left_out_and_noted(
    refused, hold, export, questions, labels, check, harbour
):
    states = ["", refused, "Approved", hold]
    rows = [["start", *questions, *KOBO]]
    rows += [["2026-03-04T10:00:00.000+01:00", *labels(i), i, f"u{i}", "2026", states[i], i] for i in range(4)]
    responses = read_responses(export(rows, delimiter=";"), harbour, form="guest")
    check(responses, "kobo", 4, [0, 2, 3])
    assert {("removed_rejected_row", "note"), ("doubtful_row", "note")} <= issues(responses)


def test_kobo_file_in_which_nothing_is_approved_is_kept_with_a_warning(export, questions, labels, harbour):
    rows = [["start", *questions, *KOBO], *[["", *labels(i), i, f"u{i}", "", "Not approved", i] for i in range(3)]]
    responses = read_responses(export(rows), harbour, form="guest")
    assert len(responses) == 3
    assert ("removed_rejected_row", "warning") in issues(responses)


def test_odk_central_rejected_submission(export, codes, numbers, check, harbour):
    rows = [["SubmissionDate", *(f"visit-{code}" for code in codes), "KEY", "ReviewState"]]
    rows += [["2026-03-04T10:00:00Z", *numbers(i), f"uuid:{i}", "rejected" if i == 0 else ""] for i in range(3)]
    check(read_responses(export(rows), harbour, form="guest"), "kobo", 3, [1, 2], "code")


def test_kobo_repeats_in_further_sheets_are_not_taken_for_the_answers(xlsx, questions, labels, check, harbour):
    main = [["start", *questions, *KOBO], *[["", *labels(i), i, f"u{i}", "", "", i] for i in range(3)]]
    path = xlsx(people=[["name", "_parent_index"], ["x", 1], ["y", 1]], Survey=main)
    check(read_responses(path, harbour, form="guest"), "kobo", 3, [0, 1, 2])


def test_kobo_several_choices_beside_their_columns(export, questions, labels, harbour):
    rows = [["start", *questions, "ways", "ways/desk", "ways/mail", *KOBO]]
    rows += [["", *labels(i), "desk mail", 1, 1, i, f"u{i}", "", "", i] for i in range(3)]
    responses = read_responses(export(rows), harbour, form="guest")
    assert responses.respondents["ways"].tolist() == ["desk mail"] * 3
    assert ("multiple_choice", "note") in issues(responses)


# ---------------------------------------------------------------------------------------------- REDCap


def test_redcap_events_checkboxes_and_rows_of_other_forms(export, codes, numbers, harbour):
    before = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    rows = [[*before, "visit_timestamp", *codes, "way___1", "way____1", "visit_complete"]]
    for i in range(3):
        rows.append([i, "visit_1_arm_1", "", "", "2026-03-04 10:00:00", *numbers(i), "1", "0", "2"])
        rows.append([i, "visit_1_arm_1", "notes", "1", "", *[""] * 9])
    responses = read_responses(export(rows), harbour, form="guest", wave="redcap_event_name")
    assert (responses.intake.platform, responses.intake.n_rows, responses.intake.n_kept) == ("redcap", 6, 3)
    (removed,) = (issue for issue in responses.intake.issues if issue.code == "removed_partial")
    assert "3 of them nothing" in removed.problem
    assert ("multiple_choice", "note") in issues(responses)


def test_redcap_labels_with_checkboxes(export, questions, labels, check, harbour):
    rows = [["Record ID", "Survey Identifier", *questions, "Way? (choice=Desk)", "Way? (choice=Mail)", "Complete?"]]
    rows += [[i, "", *labels(i), "Checked", "Unchecked", "Complete"] for i in range(3)]
    responses = read_responses(export(rows), harbour, form="guest")
    check(responses, "redcap", 3, [0, 1, 2])
    assert ("multiple_choice", "note") in issues(responses)


def test_redcap_decimal_commas(export, codes, numbers, check, harbour):
    rows = [["record_id", *codes, "visit_complete"], *[[i, *(f"{n},0" for n in numbers(i)), 2] for i in range(3)]]
    check(read_responses(export(rows, delimiter=";"), harbour, form="guest"), "redcap", 3, [0, 1, 2], "code")


# ---------------------------------------------------------------------------------------- SoSci Survey

SOSCI = ["CASE", "SERIAL", "REF", "QUESTNNR", "MODE", "STARTED"]


@pytest.mark.parametrize(("delimiter", "encoding"), [("\t", "utf-16"), (";", "cp1252"), ("\t", "utf-8-sig")])
def test_sosci_text_files(delimiter, encoding, export, codes, numbers, check, harbour):
    rows = [[*SOSCI, *codes, "Übung", "TIME001", "FINISHED", "LASTPAGE", "MISSREL"]]
    rows += [[i, "", "", "base", "interview", "2026-03-04 10:00:00", *numbers(i), "ä", 12, 1, 4, 0] for i in range(3)]
    path = export(rows, delimiter=delimiter, encoding=encoding)
    check(read_responses(path, harbour, form="guest"), "sosci", 3, [0, 1, 2], "code")


def test_sosci_workbook_with_labels_that_begin_with_the_title_of_the_question(xlsx, questions, labels, check, harbour):
    names = [*SOSCI, *(f"AB01_{i:02d}" for i in range(1, 7)), "FINISHED"]
    texts = ["Interview-Nummer", "Kennung", "Referenz", "Fragebogen", "Modus", "Beginn (Europe/Berlin)"]
    rows = [names, [*texts, *(f"Service: {text}" for text in questions), "Beendet"]]
    rows += [[i + 1, "", "", "base", "interview", "2026-03-04 10:00:00", *labels(i), 1] for i in range(3)]
    check(read_responses(xlsx(Daten=rows), harbour, form="guest"), "sosci", 3, [0, 1, 2])


# ---------------------------------------------------------------------------------------- Yandex Forms


def yandex(questions, answers, tail=True):
    end = [["Набрано баллов", 3], ["Всего баллов", 5], ["Результат теста", "-"]] if tail else []
    return [
        [["ID", str(i)], ["Время создания", "2026-03-04"], ["", ""], *map(list, zip(questions, answer, strict=True)),
         ["Каналы / Касса", "Касса"], ["Каналы / Почта", "Почта"], *end]
        for i, answer in enumerate(answers)
    ]  # fmt: skip


def test_yandex_numbers_before_labels_are_places_in_the_list(harbour, questions, labels, check, tmp_path):
    numbered = [[f"{6 - j} - {label}" for j, label in enumerate(labels(i))] for i in range(3)]
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(yandex([f"Как часто? / {q}" for q in questions], numbered), ensure_ascii=False), "utf-8")
    responses = read_responses(path, harbour, form="guest")
    check(responses, "yandex_forms", 3, [0, 1, 2])
    assert "label_number_disagrees" not in {code for code, _ in issues(responses)}
    assert {"ID", "Набрано баллов"} <= set(responses.respondents)


def test_yandex_bare_numbers_stop_the_reading(harbour, questions, numbers, tmp_path):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(yandex(questions, [numbers(i) for i in range(3)], tail=False)), "utf-8")
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    assert [issue.code for issue in error.value.issues] == ["unknown_direction"]


# ---------------------------------------------------------------------------------------- 问卷星 (wjx)


def test_wjx_several_choices_durations_and_the_sum_of_points(export, questions, labels, check, harbour):
    rows = [
        [
            "序号",
            "提交答卷时间",
            "所用时间",
            "来自IP",
            *(f"{i}、{t}" for i, t in enumerate(questions, 1)),
            "7、渠道[多选题]",
            "总分",
        ]
    ]
    ways = ["柜台┋邮件", "柜台", "邮件┋电话"]
    rows += [[i + 1, "2026/3/4 12:24:22", "137秒", "192.0.2.1(广东-深圳)", *labels(i), ways[i], 9] for i in range(3)]
    responses = read_responses(export(rows, encoding="gb18030"), harbour, form="guest")
    check(responses, "wjx", 3, [0, 1, 2])
    assert ("multiple_choice", "note") in issues(responses)
    assert responses.respondents["所用时间"].tolist() == ["137秒"] * 3


# ------------------------------------------------------------------ scales of ten and of eleven points


@pytest.mark.parametrize(
    ("codes_of", "value", "fits"),
    [
        (range(11), 0, True), (range(1, 11), 0, False), (range(1, 11), 10, True), (range(11), 11, False),
        (range(10), 10, False),
    ],
)  # fmt: skip
def test_ten_and_eleven_points_are_kept_apart_by_the_declared_bounds(codes_of, value, fits, harbour, codes, answered):
    ends = {codes_of[0]: "Not at all", codes_of[-1]: "Completely"}
    labels = {code: ends.get(code, str(code)) for code in codes_of}
    scale = replace(harbour.scales["frequency"], codes=tuple(codes_of), labels={"en": labels}, missing={}, aliases={})
    mine = replace(harbour, scales={**harbour.scales, "frequency": scale})
    frame = answered(3, **{code: [value, 5, "5"] for code in codes})
    if fits:
        assert read_responses(frame, mine, form="guest").answers.iloc[0].tolist() == [value] * 6
    else:
        with pytest.raises(ResponsesError) as error:
            read_responses(frame, mine, form="guest")
        assert {issue.code for issue in error.value.issues} == {"out_of_range"}
