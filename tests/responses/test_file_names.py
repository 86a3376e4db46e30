"""The name of a file or sheet is a note at most, and only where the content says nothing."""

from __future__ import annotations

import pytest

from servicediag.responses import read_responses
from servicediag.responses.file_names import name_hint

NAMES = {
    "results-survey654321": "limesurvey",
    "results-survey654321 (2)": "limesurvey",
    "Service_-_all_versions_-_labels_-_2025-05-17-09-12-44": "kobo",
    "Service_-_latest_version_-_False_-_2025-05-17": "kobo",
    "ServiceStudy_DATA_2024-03-04_1012": "redcap",
    "ServiceStudy_DATA_LABELS_2024-03-04_1012": "redcap",
    "Service culture_September 3, 2022_13.38": "qualtrics",
    "Service+culture_September+3,+2022_13.38": "qualtrics",
    "218763254_2_员工服务调查_120_118": "wjx",
    "data_service_2024-03-04_10-10": "sosci",
    "responses-aB3dE6fG-01H2J39OSXDQ83I4DHMI4H229L-01H2J39OSXDQ83I4DHMI4H229L": "typeform",
    "Staff survey(1-50)": "microsoft_forms",
    "Staff survey(1-50) (1)": "microsoft_forms",
    "Staff survey (Responses)": "google_forms",
    "Encuesta (respuestas) - Respuestas de formulario 1": "google_forms",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_platforms_give(name):
    assert f"platform='{NAMES[name]}'" in name_hint(name, None, "file").remedy


@pytest.mark.parametrize(
    "sheet", ["Form Responses 1", "Respuestas de formulario 1", "Ответы на форму (1)", "表单回复 1"]
)
def test_sheets_that_google_forms_names(sheet):
    assert "platform='google_forms'" in name_hint("answers", sheet, "file").remedy


@pytest.mark.parametrize("name", ["answers", "Branch (North)", "2024 results", "data", "survey_1", "Q3 (1-2-3)"])
def test_other_names_say_nothing(name):
    assert name_hint(name, "Sheet1", "file") is None


def test_plain_sheet_of_such_a_name__read_as_plain_with_a_note(harbour, answered, tmp_path):
    path = tmp_path / "results-survey1234.csv"
    answered(4).to_csv(path, index=False)
    responses = read_responses(path, harbour, form="guest")
    assert responses.intake.platform == "plain"
    assert [(issue.code, issue.severity) for issue in responses.intake.issues] == [("name_hint", "note")]
    said = read_responses(path, harbour, form="guest", platform="limesurvey")
    assert "name_hint" not in {issue.code for issue in said.intake.issues}


def test_content_goes_before_the_name(harbour, answered, tmp_path):
    path = tmp_path / "results-survey1234.csv"
    frame = answered(4)
    frame.insert(0, "Timestamp", "2026-03-04 10:00")
    frame.to_csv(path, index=False)
    responses = read_responses(path, harbour, form="guest")
    assert responses.intake.platform == "google_forms"
    assert "name_hint" not in {issue.code for issue in responses.intake.issues}
