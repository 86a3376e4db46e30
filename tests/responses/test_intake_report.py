"""What the intake report tells, in text and as JSON; answers that seem to have been reversed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from servicediag.responses import read_responses


@pytest.fixture
def intake(harbour, workbook, codes):
    rows = [["Timestamp", *codes, "E-mail"], *[[f"{i}", *["Often", 4, "Never", 2, 3, 1], "a@b.org"] for i in range(12)]]
    return read_responses(workbook(Answers=rows), harbour, form="guest").intake


def test_text_names_platform_reason_rows_items_and_places(intake):
    text = intake.to_text()
    assert "Platform: google_forms, since the first heading is 'Timestamp'." in text
    assert "Rows: 12 read, 12 kept." in text
    assert "Answers to: harbour:guest." in text
    assert "Found: 6 of 6 items (6 by code)." in text
    assert "Kept beside the items: Timestamp." in text
    assert text.index("Warnings:") < text.index("Notes:")
    assert "answers.xlsx, Answers, column H" in text
    assert "a@b.org" not in text


def test_json_holds_the_same_and_can_be_written(intake, tmp_path):
    path = tmp_path / "intake.json"
    said = json.loads(intake.to_json(path))
    assert said == json.loads(path.read_text(encoding="utf-8")) == intake.to_dict()
    assert (said["platform"], said["rows_read"], said["items_matched"], said["items_asked"]) == (
        "google_forms",
        12,
        6,
        6,
    )
    assert {issue["code"] for issue in said["issues"]} == set(intake.to_frame()["code"])
    with pytest.raises(FileExistsError):
        intake.to_json(path)


def correlated(codes, n=60, turned=()):
    """Answers to four calm items, of which the third is reverse-keyed; some columns are turned once more."""
    generator = np.random.default_rng(4)
    level = generator.normal(3, 1, n)
    frame = pd.DataFrame(
        {code: np.clip(np.rint(level + generator.normal(0, 0.4, n)), 1, 5) for code in codes}
    )  # fmt: skip
    for code in ("hrb_calm_3", *turned):
        frame[code] = 6 - frame[code]
    return frame


@pytest.mark.parametrize("turned", ["hrb_calm_3", "hrb_calm_1"])
def test_answers_that_run_against_the_rest__warned_of(turned, harbour, codes):
    responses = read_responses(correlated(codes, turned=(turned,)), harbour, form="guest")
    found = [issue for issue in responses.intake.issues if issue.code == "seems_reversed"]
    assert len(found) == 1
    assert turned in found[0].problem


def test_answers_keyed_as_declared__no_warning(harbour, codes):
    assert read_responses(correlated(codes), harbour, form="guest").intake.issues == ()
