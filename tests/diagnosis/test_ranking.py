"""Troubles are ranked by expected loss, and what cannot be told apart is tied."""

from __future__ import annotations

import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.model import Finding
from servicediag.diagnosis.ranking import ranked
from servicediag.diagnosis.settings import Settings


def trouble(name, size, half=1.0, **changes):
    values = {
        "id": name, "kind": "unit_gap", "by": "unit", "unit": name, "wave": None, "instrument": "readiness",
        "dimension": "know", "item": None, "rater": "employee", "estimate": -size, "ci_low": -size - half,
        "ci_high": -size + half, "n": 40, "comparator": "", "direction": "worse", "severity": "major",
        "tier": "established", "shrunk": -size, **changes,
    }  # fmt: skip
    return Draft(Finding(**values), loss=max(0.0, size - 5))


def order(*drafts):
    return {finding.id: finding for finding in ranked(drafts, Settings())}


def test_clear_differences_are_ranked():
    found = order(trouble("b", 20), trouble("a", 30), trouble("c", 10))
    assert list(found) == ["a", "b", "c"]
    assert [finding.rank for finding in found.values()] == [1, 2, 3]
    assert [(f.rank_low, f.rank_high, f.p_top_three) for f in found.values()] == [(n, n, 1.0) for n in (1, 2, 3)]
    assert [finding.tied_with for finding in found.values()] == [(), (), ()]


def test_what_cannot_be_told_apart_is_tied():
    found = order(trouble("a", 20, 6), trouble("b", 19.5, 6), trouble("c", 8, 1))
    assert [found[name].rank for name in "abc"] == [1, 1, 3]
    assert (found["a"].tied_with, found["b"].tied_with, found["c"].tied_with) == (("b",), ("a",), ())
    assert found["a"].rank_low == 1
    assert found["a"].rank_high == 2


def test_chance_of_being_among_the_first_three():
    found = order(*(trouble(name, 20, 8) for name in "abcdef"))
    chances = [finding.p_top_three for finding in found.values()]
    assert sum(chances) == pytest.approx(3.0)
    assert all(0.4 < chance < 0.6 for chance in chances)
    assert {finding.rank for finding in found.values()} == {1}


def test_only_troubles_have_a_rank_and_they_come_first():
    strength = trouble("good", 30, direction="better", kind="strength", severity="none")
    watch = trouble("maybe", 40, tier="watch")
    found = order(strength, watch, trouble("a", 9))
    assert next(iter(found)) == "a"
    assert (found["good"].rank, found["maybe"].rank) == (None, None)


def test_a_share_is_ranked_by_its_loss():
    share = trouble("share", 12, estimate=0.6, ci_low=0.5, ci_high=0.7, metric="share", shrunk=None)
    found = order(trouble("small", 6, 0.5), share, trouble("large", 30))
    assert list(found) == ["large", "share", "small"]
    assert found["share"].rank == 2


def test_order_of_the_input_does_not_matter():
    drafts = [trouble(name, size, 5) for name, size in zip("abcde", (12, 14, 9, 20, 13), strict=True)]
    assert ranked(drafts, Settings()) == ranked(drafts[::-1], Settings())


def test_shrinkage_narrows_the_posterior():
    """Half of the gap kept: half of the variance kept too."""
    wide = order(trouble("a", 20, 8), trouble("b", 18, 8))
    shrunk = order(trouble("a", 40, 8, shrunk=-20.0), trouble("b", 36, 8, shrunk=-18.0))
    assert shrunk["b"].p_top_three == wide["b"].p_top_three == 1.0
    assert (wide["a"].rank, wide["b"].rank) == (shrunk["a"].rank, shrunk["b"].rank) == (1, 1)


@pytest.fixture(scope="module")
def found():
    effects = [sd.Effect(f"Unit {n:02d}", name, -22) for n, name in enumerate(("know", "want", "can"), 1)]
    effects += [sd.Effect(f"Unit {n:02d}", "know", -20) for n in range(4, 9)]
    study = sd.simulate("readiness", form="employee", n_units=12, respondents_per_unit=40, seed=8, effects=effects)
    return sd.diagnose(study.responses())


class TestSummary:
    def test_at_most_five_troubles_and_they_are_the_first(self, found):
        assert found.summary.troubles == tuple(finding.id for finding in found.top(5))
        assert len(found.summary.troubles) == 5
        first = found.top(1)[0]
        assert first.title in found.summary.headline

    def test_causes_that_nobody_measured_are_asked_for(self, found):
        asked = " ".join(entry.settled_by for entry in found.summary.cannot_tell)
        assert "programme-failure" in asked

    def test_a_strength_is_there_even_where_nothing_stands_out(self):
        study = sd.simulate("readiness", form="employee", n_units=5, respondents_per_unit=30, seed=3,
                            process=sd.AnswerProcess(icc=0.0))  # fmt: skip
        found = sd.diagnose(study.responses())
        assert not [finding for finding in found.findings if finding.direction == "better"]
        (strength,) = found.summary.strengths
        best = found.evidence[found.evidence["unit"].isna()].sort_values("health").iloc[-1]
        assert f"{best['health']:.1f}" in strength
        assert best["title"] in strength

    def test_the_frame_of_findings_has_the_rank(self, found):
        frame = found.to_frame()
        assert frame["rank"].iloc[0] == 1
        assert isinstance(frame, pd.DataFrame)
        assert "tied_with" in frame
