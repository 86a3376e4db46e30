"""Numbers of small groups are rounded before anybody sees them, and names are kept apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from servicediag.diagnosis.model import Diagnosis
from servicediag.report.publication import blank_to_none, printable, rounded
from servicediag.wording.numbers import fixed, number, percent

POINTS = ["mean", "sd", "ci_low", "ci_high", "health", "gap", "gap_low", "gap_high", "shrunk_gap"]


@pytest.mark.parametrize("column", POINTS)
def test_fewer_than_30_respondents_have_one_decimal(diagnosis: Diagnosis, column: str) -> None:
    before, after = diagnosis.evidence, rounded(diagnosis).evidence
    few = (before["n"] < 30).to_numpy()
    assert few.any()
    assert list(after.loc[few, column].dropna()) == [
        float(fixed(value, ".1f")) for value in before.loc[few, column].dropna()
    ]
    np.testing.assert_allclose(after.loc[~few, column], before.loc[~few, column], atol=0.005 + 1e-9)


@pytest.mark.parametrize("column", POINTS)
def test_tables_show_the_same_decimal_as_the_unrounded_number_would(diagnosis: Diagnosis, column: str) -> None:
    before, after = diagnosis.evidence[column].dropna(), rounded(diagnosis).evidence[column].dropna()
    assert [number(value) for value in after] == [number(value) for value in before]


def test_a_number_is_not_rounded_up_twice(diagnosis: Diagnosis) -> None:
    evidence = diagnosis.evidence.assign(n=100, health=62.2463, gap=-4.2496, mean=62.2512, sd=20.0049)
    row = rounded(replace(diagnosis, evidence=evidence)).evidence.iloc[0]
    assert [row["health"], row["gap"], row["mean"], row["sd"]] == [62.2463, -4.2496, 62.25, 20.0]


def test_shares_of_small_groups_keep_a_tenth_of_a_percent(diagnosis: Diagnosis) -> None:
    before, after = diagnosis.indicators, rounded(diagnosis).indicators
    few = (before["n"] < 30).to_numpy()
    for column in ("share", "ci_low", "ci_high"):
        pairs = list(zip(after.loc[few, column], before.loc[few, column], strict=True))
        # another decimal where without it the table would show another per cent
        assert [percent(short) for short, _ in pairs] == [percent(value) for _, value in pairs]
        assert {short for short, value in pairs if short != round(value, 3)} <= {
            short for short, value in pairs if percent(round(value, 3)) != percent(value)
        }


def test_english_sentences_are_set_like_the_tables_beside_them(diagnosis: Diagnosis) -> None:
    finding = replace(diagnosis.findings[0], text="Gap -4.2 points (95 % interval -6.1 to -2.3) in Desk-7, 2024-01-01.")
    told = printable(replace(diagnosis, findings=(finding,))).findings[0].text
    assert told == "Gap −4.2 points (95% interval −6.1 to −2.3) in Desk-7, 2024-01-01."


def test_small_error_rates_stay_apart() -> None:
    assert 0 < float(f"{1e-9:.4g}") < 1e-8


def test_error_rates_keep_four_significant_digits(diagnosis: Diagnosis) -> None:
    evidence = diagnosis.evidence.assign(q_value=1.23456e-9)
    assert set(rounded(replace(diagnosis, evidence=evidence)).evidence["q_value"]) == {1.235e-9}


def test_finding_of_a_small_group_is_rounded_as_its_cell(diagnosis: Diagnosis) -> None:
    published = rounded(diagnosis)
    for before, after in zip(diagnosis.findings, published.findings, strict=True):
        if before.estimate is not None and before.n < 30 and before.metric == "points":
            assert after.estimate == float(fixed(before.estimate, ".1f"))


def test_probability_of_a_bottleneck_is_not_rounded_like_points(diagnosis: Diagnosis) -> None:
    finding = next(finding for finding in diagnosis.findings if finding.kind == "bottleneck")
    small = replace(diagnosis, findings=(replace(finding, n=12, estimate=0.9666),))
    assert rounded(small).findings[0].estimate == 0.967


def test_input_is_left_as_it_was(diagnosis: Diagnosis) -> None:
    copies = {name: getattr(diagnosis, name).copy(deep=True) for name in ("evidence", "items", "readiness", "withheld")}
    printable(diagnosis)
    for name, copy in copies.items():
        pd.testing.assert_frame_equal(getattr(diagnosis, name), copy)


def test_units_that_read_alike_after_cleaning_stay_two(diagnosis: Diagnosis) -> None:
    names = {"Home delivery": "Sales\u202e", "Field engineers": "Sales"}
    evidence = diagnosis.evidence.assign(unit=diagnosis.evidence["unit"].replace(names))
    units = printable(replace(diagnosis, evidence=evidence)).evidence["unit"].dropna().unique()
    assert {"Sales", "Sales (2)"} <= set(units)
    assert len(units) == diagnosis.evidence["unit"].nunique()


def test_unit_has_the_same_name_in_findings_and_frames(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], hostile_texts: Any
) -> None:
    published = printable(spoilt(diagnosis, hostile_texts.bidi))
    known = set(published.evidence["unit"])
    assert {finding.unit for finding in published.findings} <= known


def test_numbers_hidden_in_columns_of_objects_are_found(diagnosis: Diagnosis) -> None:
    evidence = diagnosis.evidence.astype({"gap": object, "n": object})
    after = rounded(replace(diagnosis, evidence=evidence)).evidence
    few = (diagnosis.evidence["n"] < 30).to_numpy()
    assert list(after.loc[few, "gap"]) == [float(fixed(value, ".1f")) for value in diagnosis.evidence.loc[few, "gap"]]


@pytest.mark.parametrize(
    "value", [float("nan"), np.nan, pd.NA, pd.NaT, None, "", math.inf, -math.inf, np.float64("nan")]
)
def test_nothing_is_none(value: object) -> None:
    assert blank_to_none(value) is None


@pytest.mark.parametrize(
    ("value", "plain"), [(np.int64(3), 3), (0.0, 0.0), (False, False), (np.bool_(True), True), ("x", "x")]
)
def test_something_stays_as_a_plain_value(value: object, plain: object) -> None:
    found = blank_to_none(value)
    assert found == plain
    assert type(found) is type(plain)


def test_rows_follow_the_study_and_the_questionnaires(diagnosis: Diagnosis) -> None:
    shuffled = replace(diagnosis, evidence=diagnosis.evidence.iloc[::-1].reset_index(drop=True))
    pairs = printable(shuffled).evidence[["instrument", "form", "dimension"]].drop_duplicates()
    expected = diagnosis.evidence[["instrument", "form", "dimension"]].drop_duplicates()
    assert pairs.to_numpy().tolist() == expected.to_numpy().tolist()
