"""``servicediag check``: what it prints of a reading, and what it offers where the reading stops."""

from __future__ import annotations

import csv
import pickle

import pytest
from typer.testing import CliRunner

import servicediag as sd
from servicediag.cli import app
from servicediag.errors import ResponsesError
from servicediag.export_arguments import Platform
from servicediag.responses import SuggestedMappingError, read_responses
from servicediag.responses.platforms.recognition import PLATFORM_NAMES

SINS = "seven-sins:customer"
PLATFORMS = {
    "qualtrics", "surveymonkey", "google_forms", "microsoft_forms", "limesurvey", "typeform", "jotform", "alchemer",
    "kobo", "redcap", "spss", "sosci", "wjx", "wenjuan", "yandex_forms", "answer_sheet", "plain",
}  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def sins():
    return sd.load_instrument("seven-sins")


@pytest.fixture
def export(sins, tmp_path):
    """Write answers of eight customers: ``export("a.csv", labels=True, Branch=[...])``; headings are the questions."""

    def write(name="export.csv", labels=True, first=(), change=lambda heading: heading, **more):
        codes = sins.form("customer").items
        headings = [change(sins.text(code, "customer", "en")) for code in codes]
        rows = [[*(name for name, _ in first), *headings, *more]]
        for i in range(8):
            answers = [(i + j) % 5 + 1 for j in range(len(codes))]
            shown = [sins.options(code, "customer", "en")[a] for code, a in zip(codes, answers, strict=True)]
            rows.append([*(v for _, v in first), *(shown if labels else answers), *(v[i] for v in more.values())])
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    return write


def test_platform_choices_are_the_vocabulary_everywhere():
    assert {member.value for member in Platform} == set(PLATFORM_NAMES) == PLATFORMS
    shown = "".join(run("check", "--help").stdout.split())
    assert all(name in shown for name in PLATFORMS)


def test_platform_can_be_named_and_another_name_is_wrong_usage(export):
    named = run("check", export(), "-i", SINS, "--platform", "jotform")
    assert named.exit_code == 0, named.output
    assert "Platform: jotform, since platform='jotform' was passed." in named.stdout
    assert run("check", export(), "-i", SINS, "--platform", "paper").exit_code == 2


def test_report_is_that_of_the_intake_in_the_words_of_the_command_line(export, sins):
    path = export(Branch=list("aabbbbbb"), Comment=["x"] * 8)
    shown = run("check", path, "-i", SINS, "--unit", "Branch").stdout
    intake = read_responses(path, sins, form="customer", unit="Branch").intake
    for line in intake.to_text().splitlines()[:6]:
        assert line in shown
    assert "Kept beside the items: unit, Comment." in shown
    assert "[small_group]" in shown
    small = run("check", path, "-i", SINS, "--minimum-completed", "0").stdout
    assert "minimum_completed=" not in small


def test_suggested_matches_stop_and_the_mapping_that_is_saved_makes_the_next_reading_work(export, tmp_path):
    path, mapping = export(change=lambda text: text.replace("Staff ", "Stafff ")), tmp_path / "mapping.csv"
    stopped = run("check", path, "-i", SINS)
    assert stopped.exit_code == 1
    assert "--save-mapping" in stopped.stderr
    assert not mapping.exists()
    saved = run("check", path, "-i", SINS, "--save-mapping", mapping)
    assert saved.exit_code == 1
    assert str(mapping) in saved.stdout.replace("\n", "")
    assert run("check", path, "-i", SINS, "--columns", mapping).exit_code == 0


def test_numbers_of_a_platform_stop_and_the_mapping_can_say_reversed(export, sins, tmp_path):
    path, mapping = export(labels=False, first=[("Timestamp", "2026-03-04 10:00")]), tmp_path / "mapping.csv"
    assert "unknown_direction" in run("check", path, "-i", SINS, "--save-mapping", mapping).stderr
    declared = read_responses(path, sins, form="customer", columns=mapping).answers
    mapping.write_text(mapping.read_text(encoding="utf-8").replace('"declared"', '"reversed"'), encoding="utf-8")
    assert run("check", path, "-i", SINS, "--columns", mapping).exit_code == 0
    turned = read_responses(path, sins, form="customer", columns=mapping).answers
    assert (turned == 6 - declared).all(axis=None)


def test_export_without_an_item__a_mapping_to_fill_in(export, sins, tmp_path):
    path, mapping = export(change=lambda text: f"Frage {len(text)} {text[::-1]}"), tmp_path / "mapping.csv"
    assert run("check", path, "-i", SINS, "--save-mapping", mapping).exit_code == 1
    with mapping.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 35
    assert {row["item_code"] for row in rows} == {""}
    with mapping.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(
            {**row, "item_code": code} for row, code in zip(rows, sins.form("customer").items, strict=True)
        )
    assert run("check", path, "-i", SINS, "--columns", mapping).exit_code == 0


def test_confirmed_mapping_can_be_saved_again(export, tmp_path):
    path, mapping = export(change=lambda text: text.replace("Staff ", "Stafff ")), tmp_path / "mapping.csv"
    done = run("check", path, "-i", SINS, "--accept-suggestions", "--save-mapping", mapping)
    assert done.exit_code == 0, done.output
    assert run("check", path, "-i", SINS, "--columns", mapping).exit_code == 0


def test_error_keeps_its_mapping_and_what_was_reversed_through_pickling(harbour, answered, tmp_path):
    frame = answered(3).rename(columns={"hrb_calm_1": "Staff kept clam", "hrb_calm_2": "Q2"}).assign(Timestamp="x")
    frame = frame[["Timestamp", *frame.columns[:-1]]].rename(columns={"hrb_late_1": "The boat was late"})
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("Q2: {item: hrb_calm_2, direction: reversed}\n", encoding="utf-8")
    with pytest.raises(SuggestedMappingError) as error:
        read_responses(frame, harbour, form="guest", columns=mapping)
    copy = pickle.loads(pickle.dumps(error.value))
    assert isinstance(copy, ResponsesError)
    assert copy.mapping == error.value.mapping
    assert copy.mapping["Q2"] == "hrb_calm_2"
    again = copy.save_mapping(tmp_path / "again.yaml").read_text(encoding="utf-8")
    assert "reversed" in again
