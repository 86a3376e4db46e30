"""Dates that can be read two ways are warned of, never interpreted."""

from __future__ import annotations

import pandas as pd
import pytest

from servicediag.responses import read_responses


def ambiguous(responses):
    return [(issue.severity, issue.problem) for issue in responses.intake.issues if issue.code == "ambiguous_date"]


@pytest.mark.parametrize(
    "cells",
    [
        ["3/4/2026", "5/4/2026", "", "12/1/2026"],
        ["03-04-2026", "05-04-2026", "04-04-2026", "01-12-2026"],
        ["3/4/26 10:05", "5/4/26 11:00", "1/2/26 9:15", "2/2/26 9:15"],
        ["03/04/2026 10:00:00 AM", "05/04/2026 10:00:00 AM", "04/04/2026 9:00:00 PM", "04/04/2026"],
    ],
)
def test_no_day_above_twelve__warned_of_and_kept_as_text(cells, harbour, answered):
    responses = read_responses(answered(4, When=cells), harbour, form="guest")
    assert responses.respondents["When"].tolist() == cells
    ((severity, problem),) = ambiguous(responses)
    assert severity == "warning"
    assert "no day is above 12" in problem
    assert repr(cells[0]) in problem


@pytest.mark.parametrize(
    "cells",
    [
        ["3/4/2026", "25/4/2026", "4/4/2026", "1/12/2026"],
        ["3/4/2026", "4/25/2026", "4/4/2026", "1/12/2026"],
        ["2026-04-03", "2026-04-05", "2026-04-04", "2026-12-01"],
        ["2026/04/03", "2026/04/05", "2026/04/04", "2026/12/01"],
        ["03.04.2026", "05.04.2026", "04.04.2026", "01.12.2026"],
        ["4/4/2026", "5/5/2026", "4/4/2026", "6/6/2026"],
        ["1/2", "2/2", "1/2", "2/2"],
        ["3/4/2026", "some day", "soon", "never"],
    ],
    ids=["day first", "month first", "year first", "year first, strokes", "full stops", "same", "no dates", "words"],
)
def test_dates_that_can_be_told_or_are_none__nothing_said(cells, harbour, answered):
    assert not ambiguous(read_responses(answered(4, When=cells), harbour, form="guest"))


def test_both_orders_in_one_column__warned_of(harbour, answered):
    responses = read_responses(
        answered(4, When=["3/4/2026", "25/4/2026", "4/25/2026", "1/2/2026"]), harbour, form="guest"
    )
    ((_, problem),) = ambiguous(responses)
    assert "in others" in problem


def test_one_warning_for_all_columns_of_dates(harbour, answered):
    frame = answered(4, Start=["3/4/2026"] * 4, End=["4/3/2026"] * 4)
    ((_, problem),) = ambiguous(read_responses(frame, harbour, form="guest"))
    assert "'Start', 'End'" in problem


def test_wave_of_dates_is_looked_at_too(harbour, answered):
    frame = answered(4, Wave=["1/2/2026", "1/2/2026", "1/8/2026", "1/8/2026"])
    assert ambiguous(read_responses(frame, harbour, form="guest", wave="Wave"))


def test_the_one_date_that_decides_is_found_among_many(harbour, answered):
    cells = [f"{i % 12 + 1}/{i % 11 + 1}/{1000 + i}" for i in range(3000)]
    undecided = read_responses(answered(3000, When=cells), harbour, form="guest")
    assert ambiguous(undecided)
    cells[1234] = "31/1/2026"
    assert not ambiguous(read_responses(answered(3000, When=cells), harbour, form="guest"))


def test_real_dates_of_a_frame_are_no_question(harbour, answered):
    frame = answered(4, When=pd.to_datetime(["2026-03-04"] * 4))
    assert not ambiguous(read_responses(frame, harbour, form="guest"))
