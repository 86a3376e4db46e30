"""Small groups are withheld, and so is what would give them away."""

import numpy as np
import pytest

import servicediag as sd

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
    assert withheld["South"] == {"minimum_group"}
    assert withheld["East"] == {"complementary"}
    assert set(withheld.index) == {"South", "East"}
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


def test_unanimous_share_of_a_small_group_is_masked(make_responses):
    responses = make_responses([("seven-sins", "customer")], np.repeat(["A", "B", "C"], [30, 30, 8]), seed=2)
    shares = sd.diagnose(responses).indicators
    small = shares[shares["unit"] == "C"]
    assert ((small["count"] >= 2) & (small["n"] - small["count"] >= 2)).all()


def test_missing_answers_count_against_the_minimum_item_by_item(make_responses):
    responses = make_responses([("readiness", "employee")], np.repeat(["A", "B", "C", "D"], [6, 20, 20, 20]), seed=2)
    codes = dict(responses.codes)
    column = codes["rdy_can_r3"].copy()
    column[:3] = -128
    codes["rdy_can_r3"] = column
    from dataclasses import replace

    items = sd.diagnose(replace(responses, codes=codes)).items
    shown = items[items["item"] == "rdy_can_r3"]["unit"].dropna()
    assert "A" not in set(shown)
    assert "A" in set(items[items["item"] == "rdy_can_r4"]["unit"])
