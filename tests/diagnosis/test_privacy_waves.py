"""Two waves of one study do not tell by subtraction what the few who joined or left answered."""

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.evidence import build_evidence
from servicediag.diagnosis.privacy import PrivacyRules
from servicediag.diagnosis.privacy_waves import without_repeated_answers

UNITS = np.repeat(["A", "B", "C", "D"], 12)


def _wave(seed, repeated=None, again=()):
    """Answers of everybody, where those of the units ``again`` are those of an earlier wave."""
    generator = np.random.default_rng(seed)
    items = [item.code for item in sd.load_instrument("readiness").form_items("employee")]
    level = generator.normal(3.2, 0.8, (len(UNITS), 1))
    answers = np.clip(np.rint(level + generator.normal(0, 0.8, (len(UNITS), len(items)))), 1, 5)
    frame = pd.DataFrame(answers, columns=items)
    frame.insert(0, "id", [f"p{k}" for k in range(len(UNITS))])
    frame.insert(1, "unit", UNITS)
    if repeated is not None:
        same = np.isin(UNITS, again)
        frame.loc[same, items] = repeated.loc[same, items]
    return frame


def _study(first, second):
    frame = pd.concat([first.assign(wave="2024"), second.assign(wave="2025")], ignore_index=True)
    return sd.read_responses(
        frame, sd.load_instrument("readiness"), form="employee", unit="unit", respondent="id", wave="wave"
    )


def _closed(responses):
    evidence = build_evidence(responses)
    return without_repeated_answers(evidence, 5, PrivacyRules()).closed_cells - evidence.closed_cells


def test_an_earlier_wave_of_the_same_answers_is_withheld_and_the_report_says_so():
    first = _wave(1)
    diagnosis = sd.diagnose(_study(first, first.drop(index=0)))
    tables = (diagnosis.evidence, diagnosis.items, diagnosis.readiness, diagnosis.answers, diagnosis.agreement)
    assert {wave for table in tables for wave in table["wave"]} == {"2025"}
    assert {"A", "B", "C", "D"} <= set(diagnosis.evidence["unit"].dropna())
    assert diagnosis.changes.empty
    assert set(diagnosis.withheld.loc[diagnosis.withheld["wave"] == "2024", "rule"]) == {"ledger"}
    assert any("nearly the same answers" in note for note in diagnosis.study["notes"])


def test_waves_that_were_answered_anew_are_shown_beside_one_another():
    responses = _study(_wave(1), _wave(2).drop(index=0))
    assert not _closed(responses)
    diagnosis = sd.diagnose(responses)
    assert set(diagnosis.evidence["wave"]) == {"2024", "2025"}
    assert not diagnosis.changes.empty


def test_the_earlier_wave_gives_way_to_a_unit_that_repeated_its_answers_and_lost_somebody():
    """Were its own earlier numbers closed alone, they would follow from a region, or from a partner's later ones."""
    first = _wave(1)
    responses = _study(first, _wave(2, first, ["A", "B"]).drop(index=0))
    assert {key[4] for key in _closed(responses)} == {"2024"}
    assert set(sd.diagnose(responses).evidence["wave"]) == {"2025"}


def test_a_unit_that_repeated_one_scale_by_chance_costs_nothing():
    first, second = _wave(1), _wave(2)
    codes = [item.code for item in sd.load_instrument("readiness").dimension("know").items]
    second.loc[UNITS == "A", codes] = first.loc[UNITS == "A", codes]
    assert not _closed(_study(first, second.drop(index=0)))


@pytest.mark.parametrize(("gone", "withheld"), [(0, False), (1, True), (4, True), (5, False)])
def test_only_few_who_left_are_protected(gone, withheld):
    first = _wave(1)
    assert bool(_closed(_study(first, _wave(2, first, ["A"]).drop(index=range(gone))))) is withheld


def test_who_joined_is_protected_as_who_left():
    first = _wave(1)
    second = _wave(2, first, ["A"])
    assert _closed(_study(first.drop(index=[0, 1]), second))


def test_somebody_who_changed_the_unit_counts_as_gone():
    first = _wave(1)
    second = _wave(2, first, ["A", "B"])
    second.loc[0, "unit"] = "B"
    assert _closed(_study(first, second))
    assert not _closed(_study(first, _wave(2, first, ["A", "B"])))


def test_a_scale_that_everybody_answered_alike_twice_gives_way_alone():
    first, second = _wave(1), _wave(2)
    dimension = sd.load_instrument("readiness").dimension("know")
    codes = [item.code for item in dimension.items]
    second[codes] = first[codes]
    assert {key[6] for key in _closed(_study(first, second.drop(index=0)))} == {"know"}


def test_changes_within_persons_are_told_of_one_grouping_only():
    """Those of a region less those of its units would be the few of a small unit who answered twice."""
    first, second = (_wave(seed).assign(region=np.where(UNITS < "C", "North", "South")) for seed in (1, 2))
    changes = sd.diagnose(_study(first, second), by=["unit", "region"]).changes
    designs = {by: set(group["design"]) for by, group in changes.groupby(changes["by"].fillna(""))}
    assert designs == {"": {"paired"}, "unit": {"paired"}, "region": {"unpaired"}}


def test_without_ids_nobody_is_linked():
    first = _wave(1)
    frame = pd.concat([first.assign(wave="1"), first.drop(index=0).assign(wave="2")]).drop(columns="id")
    responses = sd.read_responses(frame, sd.load_instrument("readiness"), form="employee", unit="unit", wave="wave")
    assert not _closed(responses)
