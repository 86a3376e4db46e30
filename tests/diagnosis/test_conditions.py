"""Conditions of cause rules answer yes, no, undetermined or unmeasured by an interval, from hand-made sums."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.conditions import ConditionReader, Place, Study, judged_and_none
from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.evidence import build_evidence
from servicediag.diagnosis.model import Finding
from servicediag.diagnosis.operations import read_indicators
from servicediag.diagnosis.rules import Condition, load_rules
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.targets import Targets

UNIT, WHOLE = Place("unit", "A", "seven-sins/cold", "customer"), Place("", "", "seven-sins/cold", "customer")
CELL_KEYS = ["by", "unit", "wave", "instrument", "form", "rater", "kind", "dimension", "name"]


@pytest.fixture(scope="module")
def evidence():
    customers = sd.simulate("seven-sins", n_units=2, respondents_per_unit=6).responses()
    staff = sd.simulate([("readiness", "employee"), "service-culture"], n_units=2, respondents_per_unit=6).responses()
    return build_evidence(customers, staff)


@pytest.fixture(scope="module")
def many():
    return build_evidence(sd.simulate("readiness", form="employee", n_units=8, respondents_per_unit=5).responses())


def cell(**values):
    row = {
        "by": "unit", "unit": "A", "wave": "", "instrument": "readiness", "form": "employee", "rater": "employee",
        "kind": "score", "dimension": "want", "name": "", "n": 30, "total": 0.0, "gap": math.nan,
        "gap_low_90": math.nan, "gap_high_90": math.nan, "health": 60.0, "health_low_90": 55.0,
        "health_high_90": 65.0, "current": True, "hidden": "",
    }  # fmt: skip
    return {**row, **values}


def gap(value, half=4.0, **values):
    return cell(gap=value, gap_low_90=value - half, gap_high_90=value + half, **values)


def item(code, value, half=4.0, **values):
    return gap(value, half, kind="item", dimension="want_requirements", name=code, **values)


def group(category, n, mean, sd, **values):
    """Sums of a weakness score: a mean of 30 is a health of 70."""
    row = {
        "by": "unit", "unit": "A", "instrument": "seven-sins", "form": "customer", "rater": "customer",
        "dimension": "cold", "background": "promise_broken", "category": category, "n": n, "total": n * mean,
        "total_squares": (n - 1) * sd**2 + n * mean**2,
    }  # fmt: skip
    return {**row, **values}


def person(cluster, n, mean, sd, **values):
    return {**group("", n, mean, sd, **values), "cluster": cluster}


def finding(kind, **values):
    fields = {
        "id": "f", "kind": kind, "by": "unit", "unit": "A", "wave": None, "instrument": "service-culture",
        "dimension": "values", "item": None, "rater": "employee", "estimate": -9.0, "ci_low": -12.0, "ci_high": -6.0,
        "n": 40, "comparator": "", "direction": "worse", "severity": "minor", "tier": "likely",
    }  # fmt: skip
    return Draft(Finding(**{**fields, **values}))


def read(evidence, condition, *, cells=(), segments=(), clusters=(), drafts=(), place=UNIT, indicators=None, **more):
    settings = Settings()
    study = Study(
        evidence,
        pd.DataFrame(list(cells) or [cell(unit="nowhere")]),
        settings,
        more.pop("targets", Targets()),
        more.pop("operations", read_indicators(None, evidence, load_rules().indicators)),
        pd.DataFrame(list(segments)),
        pd.DataFrame(list(clusters)),
        drafts,
        **more,
    )
    return ConditionReader(study, condition.references).read(condition, place)


class TestScores:
    @pytest.mark.parametrize(
        ("value", "half", "state"), [(-9, 4, "yes"), (-9, 10, "undetermined"), (-1, 3, "no"), (-4, 3, "undetermined")]
    )
    def test_a_unit_is_low_by_its_interval(self, evidence, value, half, state):
        reading = read(evidence, Condition("low", "readiness/want"), cells=[gap(value, half)])
        assert reading.state == state
        assert f"{value:+.1f}" in reading.sentence
        assert reading.source == "employee"

    def test_not_low_is_the_opposite(self, evidence):
        assert read(evidence, Condition("not_low", "readiness/want"), cells=[gap(-9)]).state == "no"
        assert read(evidence, Condition("not_low", "readiness/want"), cells=[gap(-1, 3)]).state == "yes"
        assert read(evidence, Condition("not_low", "readiness/want"), cells=[gap(-9, 10)]).state == "undetermined"

    def test_the_general_level_of_the_same_people_is_taken_out(self, evidence):
        others = [gap(-8, dimension=name) for name in ("know", "can", "know_requirements")]
        assert read(evidence, Condition("low", "readiness/want"), cells=[gap(-9), *others]).state != "yes"
        elsewhere = [gap(-8, instrument="seven-sins", form="customer", rater="customer", dimension=name)
                     for name in ("cold", "rule", "run")]  # fmt: skip
        assert read(evidence, Condition("low", "readiness/want"), cells=[gap(-9), *elsewhere]).state == "yes"

    def test_withheld_and_old_cells_are_not_read(self, evidence):
        for hidden in ({"hidden": "minimum_group"}, {"current": False}):
            reading = read(evidence, Condition("low", "readiness/want"), cells=[gap(-9, **hidden)])
            assert reading.state == "unmeasured"

    def test_a_certain_group_of_raters_may_be_asked_for(self, evidence):
        told = [gap(-9), gap(-1, 3, form="supervisor", rater="supervisor")]
        assert read(evidence, Condition("low", "readiness/want", rater="supervisor"), cells=told).state == "no"
        assert read(evidence, Condition("low", "readiness/want", rater="leader"), cells=told).state == "unmeasured"

    @pytest.mark.parametrize(("health", "state"), [(40, "yes"), (46, "undetermined"), (60, "undetermined"), (80, "no")])
    def test_the_whole_organisation_by_its_level(self, evidence, health, state):
        whole = cell(by="", unit="", health=health, health_low_90=health - 5.0, health_high_90=health + 5.0)
        assert read(evidence, Condition("low", "readiness/want"), cells=[whole], place=WHOLE).state == state

    def test_a_behaviour_that_many_meet_is_present_whatever_its_mean(self, evidence):
        place = {"by": "", "unit": "", "instrument": "seven-sins", "form": "customer", "rater": "customer"}
        level = cell(**place, dimension="brush", health=75.0, health_low_90=72.0, health_high_90=78.0)
        met = cell(**place, dimension="brush", kind="indicator", name="brush_incidence", n=100, total=45.0)
        condition = Condition("present", "seven-sins/brush")
        assert read(evidence, condition, cells=[level], place=WHOLE).state == "no"
        assert read(evidence, condition, cells=[level, met], place=WHOLE).state == "yes"
        assert read(evidence, Condition("low", "seven-sins/brush"), cells=[level, met], place=WHOLE).state == "no"

    def test_what_nobody_asked_names_the_instrument(self, evidence):
        reading = read(evidence, Condition("low", "four-tools/feed"))
        assert reading.state == "unmeasured"
        assert "four-tools" in reading.sentence


class TestLowestOf:
    AMONG = ("rdy_want_r1", "rdy_want_r2", "rdy_want_r3")
    CONDITION = Condition("lowest_of", "rdy_want_r1", among=AMONG)

    @pytest.mark.parametrize(
        ("gaps", "half", "state"),
        [
            ((-15, -2, 0), 4, "yes"),
            ((-15, -2, 0), 10, "undetermined"),
            ((-15, -14, 0), 4, "undetermined"),
            ((0, -15, 0), 4, "no"),
            ((-1, 9, 8), 2, "yes"),
            ((1, 12, 12), 2, "undetermined"),
        ],
    )
    def test_lower_than_each_other_one_beyond_doubt(self, evidence, gaps, half, state):
        cells = [item(code, value, half) for code, value in zip(self.AMONG, gaps, strict=True)]
        assert read(evidence, self.CONDITION, cells=cells).state == state

    def test_nothing_to_compare_with(self, evidence):
        assert read(evidence, self.CONDITION, cells=[item("rdy_want_r1", -15)]).state == "unmeasured"

    def test_the_whole_organisation_needs_targets(self, evidence):
        cells = [
            cell(by="", unit="", dimension=name, health=health, health_low_90=health - 2.0, health_high_90=health + 2.0)
            for name, health in (("know", 40.0), ("want", 60.0), ("can", 65.0))
        ]
        condition = Condition(
            "lowest_of", "readiness/know", among=("readiness/know", "readiness/want", "readiness/can")
        )
        assert read(evidence, condition, cells=cells, place=WHOLE).state == "undetermined"
        aims = Targets({("readiness", name, None): 70.0 for name in ("know", "want", "can")})
        assert read(evidence, condition, cells=cells, place=WHOLE, targets=aims).state == "yes"
        easy = Targets({**aims.values, ("readiness", "know", None): 35.0})
        assert read(evidence, condition, cells=cells, place=WHOLE, targets=easy).state == "no"


class TestGroups:
    CONTRAST = Condition("contrast", "symptom", among=("promise_broken",), groups=("yes", "no"))

    @pytest.mark.parametrize(
        ("broken", "kept", "n", "state"),
        [(62, 26, 40, "yes"), (30, 28, 500, "no"), (36, 28, 8, "undetermined"), (20, 40, 60, "no")],
    )
    def test_contrast_between_two_groups_in_points_of_health(self, evidence, broken, kept, n, state):
        reading = read(evidence, self.CONTRAST, segments=[group("yes", n, broken, 20), group("no", n, kept, 20)])
        assert reading.state == state
        assert f"{100 - broken:.1f}" in reading.sentence
        assert f"{kept - broken:+.1f}" in reading.sentence

    def test_contrast_without_one_of_the_groups_asks_for_it(self, evidence):
        reading = read(evidence, self.CONTRAST, segments=[group("yes", 40, 62, 20), group("unsure", 9, 40, 20)])
        assert reading.state == "unmeasured"
        assert "promise" in reading.sentence

    def test_turned_condition(self, evidence):
        no_contrast = Condition("contrast", "symptom", among=("promise_broken",), groups=("yes", "no"), holds=False)
        same = [group("yes", 200, 30, 20), group("no", 200, 29, 20)]
        assert read(evidence, no_contrast, segments=same).state == "yes"
        assert read(evidence, no_contrast, segments=[group("yes", 40, 62, 20), group("no", 40, 26, 20)]).state == "no"

    def test_the_whole_organisation_stands_in_for_a_unit_without_a_breakdown(self, evidence):
        whole = [group("yes", 40, 62, 20, by="", unit=""), group("no", 40, 26, 20, by="", unit="")]
        reading = read(evidence, self.CONTRAST, segments=whole)
        assert reading.state == "yes"
        assert "in the whole organisation" in reading.sentence

    @pytest.mark.parametrize(
        ("means", "n", "state"),
        [
            ((20, 25, 30, 35), 40, "yes"),
            ((30, 30, 30, 31), 200, "no"),
            ((28, 30, 33, 36), 8, "undetermined"),
            ((45, 40, 30, 25), 40, "no"),
        ],
    )
    def test_gradient_over_ordered_bands(self, evidence, means, n, state):
        bands = ("under_1", "from_1", "from_4", "from_10")
        rows = [group(b, n, m, 15, background="tenure") for b, m in zip(bands, means, strict=True)]
        condition = Condition("gradient", "symptom", among=("tenure",), sense="worse")
        assert read(evidence, condition, segments=rows[::-1]).state == state
        better = Condition("gradient", "symptom", among=("tenure",), sense="better")
        assert read(evidence, better, segments=rows).state != "yes" or state == "no"

    def test_change_along_a_gradient_is_that_of_the_line(self, evidence):
        """Weighted least squares over respondents: checked by hand with numpy."""
        bands, sizes, means = ("under_1", "from_1", "from_4", "from_10"), (30, 20, 25, 40), (22.0, 30.0, 28.0, 41.0)
        rows = [group(b, n, m, 15, background="tenure") for b, n, m in zip(bands, sizes, means, strict=True)]
        x, y = np.repeat(range(4), sizes), np.repeat(100 - np.array(means), sizes)
        slope = np.polyfit(x, y, 1)[0]
        reading = read(evidence, Condition("gradient", "symptom", among=("tenure",), sense="worse"), segments=rows)
        assert reading.shortfall == pytest.approx(3 * slope)
        assert f"{3 * slope:+.1f}" in reading.sentence

    def test_two_bands_make_no_gradient(self, evidence):
        rows = [group(band, 40, mean, 15, background="tenure") for band, mean in (("under_1", 20), ("from_10", 45))]
        condition = Condition("gradient", "symptom", among=("tenure",), sense="worse")
        assert read(evidence, condition, segments=rows).state == "unmeasured"

    @pytest.mark.parametrize(
        ("old", "n", "state"), [(55, 40, "yes"), (31, 300, "no"), (40, 8, "undetermined"), (10, 300, "yes")]
    )
    def test_a_group_worse_off_than_the_others(self, evidence, old, n, state):
        ages = {"under_30": 30, "from_30": 30, "from_75": old}
        rows = [group(age, n, mean, 15, background="age_band") for age, mean in ages.items()]
        rows += [
            group("yes", n, 30, 15, background="first_language"),
            group("no", n, 30, 15, background="first_language"),
        ]
        condition = Condition("segment_difference", "symptom", among=("age_band", "first_language", "support_need"))
        assert read(evidence, condition, segments=rows).state == state


class TestConcentration:
    CONDITION = Condition("concentrated", "symptom")

    @staticmethod
    def persons(means, n=12):
        return [person(f"p{number}", n, mean, 12) for number, mean in enumerate(means)]

    @pytest.mark.parametrize(
        ("means", "n", "state"),
        [
            ((20, 22, 21, 19, 20, 60), 20, "yes"),
            ((20, 20.5, 20, 19.5, 20, 20), 60, "no"),
            ((20, 24, 18, 26, 22, 30), 5, "undetermined"),
            ((10, 12, 11, 60, 62, 61), 20, "undetermined"),
        ],
    )
    def test_few_persons(self, evidence, means, n, state):
        reading = read(evidence, self.CONDITION, clusters=self.persons(means, n))
        assert reading.state == state

    def test_fewer_than_five_persons_say_nothing(self, evidence):
        assert read(evidence, self.CONDITION, clusters=self.persons((20, 20, 20, 60), 30)).state == "unmeasured"

    def test_no_single_person_can_be_found_in_the_sentence(self, evidence):
        sentence = read(evidence, self.CONDITION, clusters=self.persons((20, 22, 21, 19, 20, 60), 20)).sentence
        assert "60" not in sentence
        assert "p5" not in sentence


class TestIndicators:
    @staticmethod
    def table(evidence, **columns):
        units = sorted({u for b, u in zip(evidence.cells["by"], evidence.cells["unit"], strict=True) if b})
        return read_indicators(pd.DataFrame({"unit": units, **columns}), evidence, load_rules().indicators)

    @pytest.mark.parametrize(
        ("value", "sense", "state"),
        [(50.0, "high", "yes"), (50.0, "low", "no"), (19.5, "high", "no"), (20.5, "high", "undetermined"),
         (5.0, "low", "yes")],
    )  # fmt: skip
    def test_against_the_other_units(self, many, value, sense, state):
        operations = self.table(many, workload=[value, 18.0, 19.0, 20.0, 21.0, 22.0, 20.0, 20.0])
        place = Place("unit", "Unit 01")
        reading = read(many, Condition("indicator", "workload", sense=sense), operations=operations, place=place)
        assert reading.state == state
        assert reading.source == "operations"

    def test_units_alike_are_not_high(self, many):
        operations = self.table(many, workload=[20.0] * 8)
        place = Place("unit", "Unit 01")
        assert (
            read(many, Condition("indicator", "workload", sense="high"), operations=operations, place=place).state
            == "no"
        )

    @pytest.mark.parametrize(("n", "state"), [(400, "yes"), (6, "undetermined")])
    def test_a_share_has_the_doubt_of_its_cases(self, many, n, state):
        operations = self.table(many, breach_rate=[0.3] + [0.1] * 7, breach_rate_n=[n] * 8)
        reading = read(many, Condition("indicator", "breach_rate", sense="high"), operations=operations,
                       place=Place("unit", "Unit 01"))  # fmt: skip
        assert reading.state == state
        assert "30.0 %" in reading.sentence

    @pytest.mark.parametrize(
        ("n", "limit", "state"),
        [(80, 0.05, "yes"), (80, 0.12, "undetermined"), (80, 0.3, "no"), (6, 0.05, "undetermined")],
    )
    def test_against_a_limit(self, many, n, limit, state):
        """Breach 12 of 80 has a 95 % interval of .088 to .244; the 90 % one lies inside."""
        operations = self.table(many, breach_rate=[0.15] * 8, breach_rate_n=[n] * 8)
        condition = Condition("indicator", "breach_rate", sense="high", limit=limit)
        assert read(many, condition, operations=operations, place=Place("unit", "Unit 01")).state == state

    def test_counts_of_the_organisation_are_exact(self, many):
        frame = pd.DataFrame({"unit": [None], "earlier_programmes": [2]})
        operations = read_indicators(frame, many, load_rules().indicators)
        high = Condition("indicator", "earlier_programmes", sense="high", limit=1.0)
        assert read(many, high, operations=operations, place=Place("unit", "Unit 01")).state == "yes"
        none = read_indicators(frame.assign(earlier_programmes=0), many, load_rules().indicators)
        assert read(many, high, operations=none, place=Place("unit", "Unit 01")).state == "no"

    def test_missing_records_are_asked_for(self, many):
        reading = read(many, Condition("indicator", "breach_rate", sense="high"), place=Place("unit", "Unit 01"))
        assert reading.state == "unmeasured"
        assert "promises due" in reading.sentence


class TestFindings:
    CONDITION = Condition("finding", "say_do")

    def test_a_sure_finding_of_the_unit(self, evidence):
        assert read(evidence, self.CONDITION, drafts=[finding("say_do")]).state == "yes"
        assert read(evidence, self.CONDITION, drafts=[finding("say_do", unit="B")]).state == "unmeasured"

    def test_an_unsure_finding_decides_nothing(self, evidence):
        assert read(evidence, self.CONDITION, drafts=[finding("say_do", tier="watch")]).state == "undetermined"

    def test_judged_and_not_found(self, evidence):
        judged = frozenset({("say_do", "unit", "A")})
        assert read(evidence, self.CONDITION, judged=judged).state == "no"
        assert read(evidence, Condition("finding", "say_do", holds=False), judged=judged).state == "yes"

    def test_an_index_that_is_aligned_is_no_gap(self):
        rows = [("unit", "A", "say_do", "aligned"), ("unit", "B", "say_do", "gap"), (None, None, "stages", "aligned")]
        indexes = pd.DataFrame(rows, columns=["by", "unit", "index", "verdict"])
        assert judged_and_none(indexes) == {("say_do", "unit", "A"), ("stages", "", "")}
        assert judged_and_none(None) == frozenset()

    def test_of_one_instrument_only(self, evidence):
        about = Condition("finding", "say_do:readiness")
        assert read(evidence, about, drafts=[finding("say_do")]).state == "unmeasured"
        assert (
            read(evidence, Condition("finding", "say_do:service-culture/values"), drafts=[finding("say_do")]).state
            == "yes"
        )


class TestLag:
    CONDITION = Condition("lag", "service-culture/intern", before="service-culture/coop")

    @staticmethod
    def waves(first, later, units=20, n_waves=6, seed=3):
        """Random walks; ``later`` follows ``first`` by one wave where it should."""
        rng = np.random.default_rng(seed)
        steps = rng.normal(0, 5, (units, n_waves))
        own = rng.normal(0, 2, (units, n_waves))
        following = own.copy()
        following[:, 1:] += steps[:, :-1]
        levels = {first: 60 + steps.cumsum(axis=1), later: 60 + following.cumsum(axis=1)}
        return [
            cell(unit=f"U{u}", wave=f"W{w}", instrument="service-culture", form="staff", dimension=name,
                 health=float(values[u, w]), current=w == n_waves - 1)
            for name, values in levels.items() for u in range(units) for w in range(n_waves)
        ]  # fmt: skip

    def test_what_moves_first(self, evidence):
        place = Place("unit", "U1")
        assert read(evidence, self.CONDITION, cells=self.waves("intern", "coop"), place=place).state == "yes"
        assert read(evidence, self.CONDITION, cells=self.waves("coop", "intern"), place=place).state == "no"

    def test_too_few_waves_or_units(self, evidence):
        for few in ({"units": 6}, {"n_waves": 3}):
            cells = self.waves("intern", "coop", **few)
            assert read(evidence, self.CONDITION, cells=cells, place=Place("unit", "U1")).state == "unmeasured"


def test_a_condition_is_read_once_per_place(evidence, monkeypatch):
    calls = []
    study = Study(evidence, pd.DataFrame([gap(-9)]), Settings(), Targets())
    reader = ConditionReader(study, ["readiness/want"])
    monkeypatch.setattr(reader, "_answer", lambda *a: calls.append(a) or "answer")
    for place in (UNIT, Place("unit", "A", "seven-sins/rule"), UNIT):
        reader.read(Condition("low", "readiness/want"), place)
    assert len(calls) == 1
    reader.read(
        Condition("contrast", "symptom", among=("x",), groups=("a", "b")), Place("unit", "A", "seven-sins/rule")
    )
    reader.read(Condition("contrast", "symptom", among=("x",), groups=("a", "b")), UNIT)
    assert len(calls) == 3


def test_association_over_units(evidence):
    rng = np.random.default_rng(1)
    x = rng.normal(60, 8, 15)
    y = x + rng.normal(0, 4, 15)
    cells = [
        gap(-1, unit=f"U{u}", dimension=name, health=float(values[u]))
        for name, values in (("want", x), ("can", y))
        for u in range(15)
    ]
    reader = ConditionReader(Study(evidence, pd.DataFrame(cells), Settings(), Targets()), [])
    r, low, high, n = reader.association(Place("unit", "U1", "readiness/want"), "readiness/can")
    assert r == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert low < r < high
    assert n == 15
    few = ConditionReader(Study(evidence, pd.DataFrame(cells[:8] + cells[15:23]), Settings(), Targets()), [])
    assert few.association(Place("unit", "U1", "readiness/want"), "readiness/can") is None
