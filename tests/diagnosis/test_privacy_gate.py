"""Small groups are withheld, and so is what would give them away."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.cells import judge_cells, reliability_table
from servicediag.diagnosis.privacy_breakdowns import hidden_changes, hidden_segments
from servicediag.diagnosis.settings import Settings

UNITS = np.repeat(["North", "South", "West", "East", "Harbour"], [20, 4, 18, 7, 25])


@pytest.fixture(scope="module")
def diagnosis(make_responses):
    return sd.diagnose(make_responses([("readiness", "employee"), ("four-tools", "receiver")], UNITS, seed=6))


def frames(diagnosis):
    return {name: getattr(diagnosis, name) for name in ("evidence", "items", "indicators", "readiness")}


def test_unit_below_the_minimum_is_nowhere(diagnosis):
    for name, frame in frames(diagnosis).items():
        assert "South" not in set(frame["unit"]), name
    assert all(f.unit != "South" for f in diagnosis.findings)
    assert not any("South" in text for f in diagnosis.findings for text in (f.text, f.title, *f.abstentions))


def test_next_smallest_unit_is_withheld_so_that_the_first_cannot_be_subtracted(diagnosis):
    withheld = diagnosis.withheld.groupby("unit")["rule"].unique().map(set)
    assert "minimum_group" in withheld["South"]
    assert "complementary" in withheld["East"]
    scores = diagnosis.withheld[diagnosis.withheld["measure"] == ""]
    assert set(scores["unit"]) == {"South", "East"}
    for name, frame in frames(diagnosis).items():
        assert "East" not in set(frame["unit"]), name


def test_withheld_never_tells_a_size(diagnosis):
    assert "n" not in diagnosis.withheld.columns


def test_every_published_group_reaches_the_minimum(diagnosis):
    for name, frame in frames(diagnosis).items():
        assert (frame["n"] >= 5).all(), name
    assert all(f.n >= 5 for f in diagnosis.findings)


def test_larger_minimum_withholds_more(make_responses):
    responses = make_responses([("readiness", "employee")], UNITS, seed=6)
    assert set(sd.diagnose(responses, minimum_group=19).withheld["unit"]) == {"South", "East", "West"}


def test_unanimous_share_of_a_small_group_is_masked_and_cannot_be_subtracted(make_responses):
    shifts = [("C", "rule", 2.5), ("C", "run", -2.5)]
    responses = make_responses(
        [("seven-sins", "customer")], np.repeat(["A", "B", "C"], [30, 30, 8]), seed=2, shifts=shifts
    )
    diagnosis = sd.diagnose(responses)
    shares = diagnosis.indicators
    small = shares[shares["unit"] == "C"]
    assert len(small)
    assert ((small["count"] >= 2) & (small["n"] - small["count"] >= 2)).all()
    masked = shares[shares["indicator"] == "run_incidence"]
    assert len(set(masked["unit"].dropna())) <= 1
    assert "run" in set(diagnosis.withheld.loc[diagnosis.withheld["unit"] == "C", "dimension"])


def everything_shown(diagnosis):
    frames = [diagnosis.evidence, diagnosis.items, diagnosis.indicators, diagnosis.readiness, diagnosis.reliability]
    tables = [frame.round(9).astype(object).where(frame.notna(), None).to_dict("list") for frame in frames]
    return [*tables, [(f.id, f.title, f.text, f.tier, f.causes and f.causes[0].status) for f in diagnosis.findings]]


def test_nothing_shown_tells_withheld_units_apart(make_responses):
    """Exchanging people between the withheld units leaves every published number as it is."""
    responses = make_responses([("readiness", "employee"), ("four-tools", "receiver")], UNITS, seed=6)
    unit = responses.respondents["unit"].to_numpy().copy()
    hidden = np.flatnonzero(np.isin(unit, ["South", "East"]))
    exchanged = unit.copy()
    exchanged[hidden] = unit[hidden][::-1]
    other = replace(responses, respondents=responses.respondents.assign(unit=exchanged))
    assert (exchanged != unit).sum() >= 6
    first, second = sd.diagnose(responses), sd.diagnose(other)
    items = first.items[first.items["unit"].isna()]["item"]
    assert len(items)
    assert everything_shown(first) == everything_shown(second)


def test_nothing_shown_tells_withheld_units_apart_by_servers_waves_backgrounds_or_response(make_responses):
    """The same with everything that breaks answers down further: who served, which age, which wave, who was asked."""
    units = np.repeat(["North", "South", "West", "East", "Dock", "Harbour", "Mill"], [40, 4, 36, 7, 28, 50, 30])
    people = np.arange(len(units))
    waves = []
    for wave, seed in (("2025", 6), ("2026", 7)):
        one = make_responses([("seven-sins", "customer")], units, seed=seed, shifts=[("Mill", "cold", -2.0)])
        respondents = one.respondents.assign(
            wave=wave, server=[f"s{k % 9}" for k in people], age_band=np.resize(["under_30", "from_30"], len(units))
        )
        respondents.index = [f"p{k}" for k in people]
        waves.append(replace(one, respondents=respondents.rename_axis("respondent")))
    hidden = np.flatnonzero(np.isin(units, ["South", "East"]))
    exchanged = units.copy()
    exchanged[hidden] = units[hidden][::-1]
    asked = {"North": 60, "South": 9, "West": 150, "East": 9, "Dock": 30, "Harbour": 55, "Mill": 90}
    shown = []
    for place in (units, exchanged):
        moved = [replace(one, respondents=one.respondents.assign(unit=place)) for one in waves]
        evidence = sd.build_evidence(*moved, cluster="server")
        diagnosis = sd.diagnose(evidence, invited=asked)
        cells = judge_cells(evidence, Settings(), reliability_table(evidence))
        rules = (hidden_segments(evidence.segments, cells, 5), hidden_changes(evidence.changes, cells, 5))
        broken_down = zip((evidence.segments, evidence.changes), rules, strict=True)
        open_rows = [table[rule == ""].reset_index(drop=True) for table, rule in broken_down]
        assert all(len(table) for table in open_rows)
        assert diagnosis.evidence["design_effect"].notna().any()
        assert diagnosis.evidence["response_rate"].notna().any()
        assert diagnosis.evidence["rank_low"].notna().any()
        shown.append((everything_shown(diagnosis), open_rows))
    assert shown[0][0] == shown[1][0]
    for one, other in zip(shown[0][1], shown[1][1], strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-12)


def test_few_people_without_a_unit_cannot_be_subtracted(make_responses):
    responses = make_responses([("readiness", "employee")], np.repeat(["A", "B", "C"], [20, 15, 25]), seed=3)
    respondents = responses.respondents.assign(unit=["", *responses.respondents["unit"][1:]])
    diagnosis = sd.diagnose(replace(responses, respondents=respondents))
    assert set(diagnosis.evidence["unit"].dropna()) == {"A", "C"}
    assert set(diagnosis.withheld["rule"]) == {"complementary"}


def test_small_remainder_of_a_wider_group_is_protected(make_responses):
    units = np.repeat(["U1", "U2", "U3", "U4", "U5"], [20, 3, 15, 16, 6])
    responses = make_responses([("readiness", "employee")], units, seed=3)
    region = np.where(np.isin(units, ["U1", "U2"]), "North", "South")
    responses = replace(responses, respondents=responses.respondents.assign(region=region))
    shown = sd.diagnose(responses, by=["unit", "region"]).evidence
    units_shown = set(shown.loc[shown["by"] == "unit", "unit"])
    regions_shown = set(shown.loc[shown["by"] == "region", "unit"])
    assert "U2" not in units_shown
    assert not ({"U1"} <= units_shown and "North" in regions_shown)


def test_small_group_that_agrees_on_an_item_does_not_show_it(make_responses):
    responses = make_responses([("readiness", "employee")], np.repeat(["A", "B", "C"], [8, 20, 20]), seed=2)
    codes = dict(responses.codes)
    column = codes["rdy_can_r3"].copy()
    column[:8] = 1
    codes["rdy_can_r3"] = column
    items = sd.diagnose(replace(responses, codes=codes)).items
    shown = items[items["item"] == "rdy_can_r3"]["unit"].dropna()
    assert "A" not in set(shown)
    assert len(set(shown)) <= 1


def test_missing_answers_count_against_the_minimum_item_by_item(make_responses):
    responses = make_responses([("readiness", "employee")], np.repeat(["A", "B", "C", "D"], [6, 20, 20, 20]), seed=2)
    codes = dict(responses.codes)
    column = codes["rdy_can_r3"].copy()
    column[:3] = -128
    codes["rdy_can_r3"] = column
    items = sd.diagnose(replace(responses, codes=codes)).items
    shown = items[items["item"] == "rdy_can_r3"]["unit"].dropna()
    assert "A" not in set(shown)
    assert "A" in set(items[items["item"] == "rdy_can_r5"]["unit"])
