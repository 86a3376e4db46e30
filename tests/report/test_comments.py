"""Open answers in the page, the workbook and the JSON: the same texts, in the same groups, and nothing where none were
asked for.
"""

from __future__ import annotations

import html
import json
from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

import servicediag as sd
from servicediag.cli import app
from servicediag.diagnosis.comments import NO_THEME
from servicediag.diagnosis.themes import load_themes
from servicediag.report import comments as told
from servicediag.report.labels import Labels
from servicediag.report.publication import printable
from servicediag.wording import languages, text
from servicediag.wording.catalogue import has_text

QUESTION = "What would you change?"
SAID = ("The queue is too long", "Thank you all", "The system crashes", "Blue")


@pytest.fixture(scope="module")
def diagnosed(make_responses):
    """Units A and B are listed, C and D together."""
    units = np.repeat(list("ABCD"), [14, 13, 8, 7])
    responses = make_responses([("readiness", "employee")], units, seed=4)
    texts = np.array([f"{SAID[k % 4]} ({unit}{k})" for k, unit in enumerate(units)], dtype=object)
    return sd.diagnose(replace(responses, comments={QUESTION: texts}))


@pytest.fixture(scope="module")
def files(diagnosed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comments")
    return (
        diagnosed.to_html(folder / "report.html"),
        diagnosed.to_excel(folder / "report.xlsx"),
        json.loads(diagnosed.to_json(folder / "report.json").read_text(encoding="utf-8")),
    )


def rows_of(path, title):
    sheet = openpyxl.load_workbook(path)[title]
    heading, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    return [dict(zip(heading, row, strict=True)) for row in rows]


def section(page):
    return page.split('<section id="comments"')[1].split("</section>")[0]


def test_page_workbook_and_json_list_the_same(files, read_page):
    page, workbook, document = files
    expected = [row["comment"] for row in document["comments"]]
    assert len(expected) == 42
    assert [row["Comment"] for row in rows_of(workbook, "Comments")] == expected
    shown = section(page.read_text(encoding="utf-8"))
    listed = [part.split("</bdi>")[0] for part in shown.split("<li><bdi>")[1:]]
    assert listed == expected


def test_page_workbook_and_json_count_the_same(files, read_page):
    page, workbook, document = files
    counted = [(row["theme"], row["mentions"], row["n_comments"], row["words"]) for row in document["comment_themes"]]
    sheet = rows_of(workbook, "Comment themes")
    named = [(text(f"report.value.theme.{theme}"), *rest) for theme, *rest in counted]
    assert [(row["Theme"], row["Mentions"], row["Comments"], row["Words found"]) for row in sheet] == named
    table = read_page(section(page.read_text(encoding="utf-8"))).tables[text("report.comments.themes")]
    together = [row for row in document["comment_themes"] if row["scope"] == "listed"]
    assert [(row[0], row[1]) for row in table[1:]] == [
        (text(f"report.value.theme.{row['theme']}"), str(row["mentions"])) for row in together
    ]


def test_groups_are_closed_and_named(files):
    shown = section(files[0].read_text(encoding="utf-8"))
    heads = [part.split("</summary>")[0] for part in shown.split("<summary>")[1:]]
    assert heads == ["<bdi>A</bdi> (14 comments)", "<bdi>B</bdi> (13 comments)",
                     "<bdi>All other units together</bdi> (15 comments)"]  # fmt: skip
    assert "<details open" not in shown


def test_workbook_says_for_whom_the_comments_are_listed(files):
    places = dict.fromkeys((row["Unit"], row["Listed for"]) for row in rows_of(files[1], "Comments"))
    others = text("report.value.scope.others")
    assert list(places) == [("A", "One unit"), ("B", "One unit"), (others, others)]


@pytest.mark.parametrize("language", languages())
def test_every_language_tells_it(diagnosed, language, tmp_path):
    page = diagnosed.to_html(tmp_path / "r.html", language=language).read_text(encoding="utf-8")
    shown = html.unescape(section(page))
    assert text("report.section.comments", language) in shown
    assert text("report.value.theme.waiting", language) in shown
    assert text("report.value.scope.others", language) in shown
    assert text("report.lead.comments", language)[:20] in shown


@pytest.mark.parametrize("language", languages())
def test_every_theme_has_a_title(language):
    themes = (*load_themes().themes, NO_THEME)
    assert [theme for theme in themes if not has_text(f"report.value.theme.{theme}", language)] == []


def test_notes_say_how_many_are_listed_and_that_screening_is_help(diagnosed):
    (note,) = [note for note in diagnosed.study["notes"] if note.startswith("Open answers")]
    assert "42 listed" in note
    assert "at least 10 people" in note
    assert "no guarantee" in note
    assert note in sd_notes(diagnosed, "en")
    assert not any(note in entry for entry in sd_notes(diagnosed, "ru"))


def sd_notes(diagnosed, language):
    return diagnosed.in_language(language).study["notes"]


def test_nothing_of_it_is_in_a_report_without_comments(diagnosis, tmp_path):
    page = diagnosis.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'id="comments"' not in page
    assert text("report.section.comments") not in page
    sheets = openpyxl.load_workbook(diagnosis.to_excel(tmp_path / "r.xlsx")).sheetnames
    assert not {"Comments", "Comment themes"} & set(sheets)
    document = json.loads(diagnosis.to_json(tmp_path / "r.json").read_text(encoding="utf-8"))
    assert document["comments"] == document["comment_themes"] == []


def test_page_holds_the_first_of_very_many_and_says_so(diagnosed, monkeypatch):
    monkeypatch.setattr(told, "MOST_COMMENTS", 5)
    monkeypatch.setattr(told, "MOST_GROUPS", 2)
    monkeypatch.setattr(told, "MOST_ROWS", 30)
    published = printable(diagnosed)
    labels = Labels.of(published)
    (question,) = told.comment_questions(published, labels)
    assert [len(group.comments) for group in question.groups] == [5, 5]
    assert question.groups[0].cut == "5 of 14 are shown here; the workbook lists all of them."
    assert question.more
    rows = told.comments_table(published, labels).rows
    assert len(rows) == 31
    assert rows[-1][0] == "12 further comments are in the JSON report."


def test_same_input_gives_the_same_bytes(diagnosed, tmp_path):
    for suffix, write in (("html", diagnosed.to_html), ("xlsx", diagnosed.to_excel), ("json", diagnosed.to_json)):
        first, second = write(tmp_path / f"a.{suffix}"), write(tmp_path / f"b.{suffix}")
        assert first.read_bytes() == second.read_bytes()


# --- command line -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    paths = []
    for number, form in enumerate((("seven-sins", "customer-short"), ("readiness", "employee"))):
        study = sd.simulate(form[0], form=form[1], n_units=3, respondents_per_unit=15, seed=number)
        frame = study.labelled().rename(columns={"unit": "Branch"})
        frame["Remarks"] = [f"Remark {number} {k}" for k in range(len(frame))]
        if number:
            frame["Best, of all?"] = [f"Best {k}" if k < 12 else "-" for k in range(len(frame))]
        paths.append(folder / f"{form[0]}.csv")
        frame.to_csv(paths[-1], index=False)
    return paths


FORMS = ("-i", "seven-sins:customer-short", "-i", "readiness:employee", "--unit", "Branch")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def questions(path):
    frame = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["comments"])
    return set(zip(frame["question"], frame["rater"], strict=True)) if len(frame) else set()


def test_command_lists_none_unless_it_is_asked(exports, tmp_path):
    result = run("diagnose", *exports, *FORMS, "-o", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    assert questions(tmp_path / "r.json") == set()
    assert "pen answers" not in result.output


def test_command_takes_columns_for_all_exports_or_for_each(exports, tmp_path):
    one, each = tmp_path / "one.json", tmp_path / "each.json"
    assert run("diagnose", *exports, *FORMS, "--comment", "Remarks", "-o", one).exit_code == 0
    result = run("diagnose", *exports, *FORMS, "--comment", "", "--comment", "Remarks | Best, of all?", "-o", each)
    assert result.exit_code == 0, result.output
    assert questions(one) == {("Remarks", "customer"), ("Remarks", "employee")}
    assert questions(each) == {("Remarks", "employee"), ("Best, of all?", "employee")}
    assert result.output.count("Open answers: ") == 1


def test_command_takes_several_columns_of_one_export(exports, tmp_path):
    path = tmp_path / "r.json"
    columns = ("--comment", "Remarks", "--comment", "best, of all")
    result = run("diagnose", exports[1], "-i", "readiness:employee", "--unit", "Branch", *columns, "-o", path)
    assert result.exit_code == 0, result.output
    assert {question for question, _ in questions(path)} == {"Remarks", "Best, of all?"}


def test_command_lists_every_faulty_column_in_its_own_words(exports):
    result = run("check", exports[1], "-i", "readiness:employee", "--comment", "Remark", "--comment", "zzz")
    assert result.exit_code == 1
    assert "'Remarks'" in result.output
    assert "Check --comment." in result.output
    assert "comments=" not in result.output
