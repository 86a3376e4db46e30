"""Stages of a new culture between two waves: in order, past one that is not met, or back."""

from dataclasses import replace

import numpy as np
import pytest

import servicediag as sd
from servicediag.responses.model import FIRST_MISSING

N = 240
EARLIER = np.arange(N) % 2 == 0
STAGES = ("info", "attitude", "behaviour", "culture")


def two_waves(make_responses, before, now, *, form=("acculturation", "employee"), units=None):
    """Answers of two samples; ``before`` and ``now`` shift stages of each, in steps of the answer scale."""
    kinds = np.where(EARLIER, "before", "now")
    shifts = [
        (kind, stage, step) for kind, steps in (("before", before), ("now", now)) for stage, step in steps.items()
    ]
    answers = make_responses([form], kinds, seed=3, shifts=shifts, halo=0.2, trait=0.4, noise=0.5)
    wave = np.where(EARLIER, "2025-1", "2025-2")
    unit = np.full(N, "Branch 1", dtype=object) if units is None else units
    return replace(answers, respondents=answers.respondents.assign(unit=unit, wave=wave))


def diagnose(answers):
    return sd.diagnose(answers, targets=dict.fromkeys((f"acculturation/{stage}" for stage in STAGES), 60.0))


def order(diagnosis):
    rows = diagnosis.indexes[(diagnosis.indexes["index"] == "stage_sequence") & diagnosis.indexes["unit"].isna()]
    return rows.set_index("part")


def skips(diagnosis):
    found = [f for f in diagnosis.findings if f.kind == "stage_gap" and "since wave" in f.comparator]
    return [f for f in found if f.unit is None]


def test_stages_that_follow_each_other_are_in_order(make_responses):
    diagnosis = diagnose(two_waves(make_responses, {"info": 1.2}, {"info": 1.2, "attitude": 1.2}))
    rows = order(diagnosis)
    assert rows["verdict"].to_dict() == {"before": "info", "now": "attitude", "order": "in order"}
    assert rows["estimate"].tolist()[:2] == [1.0, 2.0]
    assert skips(diagnosis) == []


def test_a_stage_that_rises_past_one_that_is_not_met_has_skipped_it(make_responses):
    diagnosis = diagnose(two_waves(make_responses, {"info": 1.2}, {"info": 1.2, "behaviour": 1.2}))
    assert order(diagnosis).loc["order", "verdict"] == "skipped"
    (finding,) = skips(diagnosis)
    assert (finding.dimension, finding.direction, finding.tier) == ("attitude", "worse", "established")
    changes = diagnosis.changes[diagnosis.changes["unit"].isna()].set_index("dimension")["change"]
    assert finding.estimate == pytest.approx(changes["attitude"] - changes["behaviour"])
    assert finding.ci_high < 0
    assert any(note.startswith("NOT_LINKED") for note in finding.abstentions)


def test_a_stage_that_is_met_already_is_not_skipped(make_responses):
    before = {"info": 1.2, "attitude": 1.2}
    diagnosis = diagnose(two_waves(make_responses, before, {**before, "behaviour": 1.2}))
    assert order(diagnosis)["verdict"].to_dict() == {"before": "attitude", "now": "behaviour", "order": "in order"}
    assert skips(diagnosis) == []


def test_a_stage_that_is_lost_is_told_with_its_change(make_responses):
    before = {"info": 1.2, "attitude": 1.2}
    diagnosis = diagnose(two_waves(make_responses, before, {"info": 1.2}))
    assert order(diagnosis)["verdict"].to_dict() == {"before": "attitude", "now": "info", "order": "backwards"}
    (lost,) = [f for f in diagnosis.findings if f.kind == "change" and f.unit is None and f.dimension == "attitude"]
    titles = {stage: sd.load_instrument("acculturation").dimension(stage).title for stage in STAGES}
    assert f"from '{titles['attitude']}' to '{titles['info']}'" in lost.text
    assert skips(diagnosis) == []
    for language in ("es", "ru", "zh-Hans"):
        told = {f.id: f for f in diagnosis.in_language(language).findings}[lost.id]
        assert told.text.count("{") == 0
        assert len(told.text) > 0


def test_where_the_first_stage_is_lost_none_is_left(make_responses):
    diagnosis = diagnose(two_waves(make_responses, {"info": 1.2}, {}))
    assert order(diagnosis)["verdict"].to_dict() == {"before": "info", "now": "none", "order": "backwards"}
    assert any("none of the stages is reached any more" in finding.text for finding in diagnosis.findings)


def test_two_samples_of_the_same_people_s_kind_have_no_order(make_responses):
    diagnosis = diagnose(two_waves(make_responses, {"info": 1.2}, {"info": 1.2}))
    assert order(diagnosis).loc["order", "verdict"] in ("stable", "undetermined")
    assert skips(diagnosis) == []


def test_units_have_an_order_of_their_own(make_responses):
    units = np.where(np.arange(N) // 2 % 2 == 0, "Branch 1", "Branch 2").astype(object)
    diagnosis = diagnose(two_waves(make_responses, {"info": 1.2}, {"info": 1.2, "behaviour": 1.2}, units=units))
    rows = diagnosis.indexes[(diagnosis.indexes["index"] == "stage_sequence") & (diagnosis.indexes["part"] == "order")]
    assert dict(zip(rows["unit"], rows["verdict"], strict=True)) == {
        None: "skipped", "Branch 1": "skipped", "Branch 2": "skipped",
    }  # fmt: skip


def test_a_stage_that_one_wave_did_not_ask_is_said(make_responses):
    answers = two_waves(make_responses, {"info": 1.2}, {"info": 1.2})
    culture = {item.code for item in sd.load_instrument("acculturation").dimension("culture").items}
    codes = {
        code: np.where(EARLIER & (code in culture), FIRST_MISSING, column).astype(column.dtype)
        for code, column in answers.codes.items()
    }
    diagnosis = diagnose(replace(answers, codes=codes))
    said = diagnosis.not_measured[diagnosis.not_measured["gap"] == "stage_gap"]
    assert "in which order the stages moved from one wave to the next" in set(said["what"])
    assert order(diagnosis).empty
