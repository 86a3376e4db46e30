"""Groups are compared only where they use a scale alike; where they do not, the diagnosis says so."""

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.evidence import build_evidence
from servicediag.diagnosis.scale_use import ScaleUse, language_notes

ITEMS = [f"rdy_know_s{number}" for number in range(1, 6)]


def answers(n, seed, intercepts=(0, 0, 0, 0, 0), level=0.0):
    """Five items of one trait on a wide enough spread; intercepts shift single items whatever the trait is."""
    generator = np.random.default_rng(seed)
    trait = generator.normal(level, 0.8, n)
    raw = 3 + trait[:, None] + np.asarray(intercepts) + generator.normal(0, 0.6, (n, 5))
    return pd.DataFrame(np.clip(np.rint(raw), 1, 5).astype(int), columns=ITEMS)


def evidence_of(employees, supervisors):
    parts = []
    for form, frame in (("employee", employees), ("supervisor", supervisors)):
        parts.append(sd.read_responses(frame, "readiness", form=form, minimum_completed=0))
    return build_evidence(*parts)


@pytest.mark.parametrize(
    ("intercepts", "expected"), [((0, 0, 0, 0, 0), "comparable"), ((0.8, -0.8, 0, 0, 0), "scalar_fails")]
)
def test_two_forms_are_comparable_unless_items_are_easier_for_one_side(intercepts, expected):
    evidence = evidence_of(answers(400, 1), answers(400, 2, intercepts, level=-0.4))
    use = ScaleUse(evidence)
    code = use.code("readiness", "know", "", "employee", "supervisor")
    assert code == expected
    assert bool(use.cautions(code)) == (expected != "comparable")


def test_a_few_answers_leave_it_untested():
    use = ScaleUse(evidence_of(answers(60, 1), answers(60, 2)))
    code = use.code("readiness", "know", "", "employee", "supervisor")
    assert code == "too_few"
    assert "untested" in use.cautions(code)[0]


def test_a_difference_between_raters_who_use_the_scale_differently_is_not_established():
    same = answers(400, 1, level=0.8), answers(400, 2, level=-0.4)
    other = answers(400, 1, level=0.8), answers(400, 2, (1.2, -1.2, 0, 0, 0), level=-0.4)
    tiers = []
    for pair in (same, other):
        findings = sd.diagnose(evidence_of(*pair)).findings
        found = [f for f in findings if f.kind == "perception_gap" and f.dimension == "know"]
        assert len(found) == 1
        tiers.append((found[0].tier, any("do not use this scale alike" in a for a in found[0].abstentions)))
    assert tiers == [("established", False), ("likely", True)]


def test_languages_that_work_differently_are_named_in_the_notes():
    frame = pd.concat([answers(300, 1), answers(300, 2, (1.5, -1.5, 0, 0, 0))], ignore_index=True)
    frame["survey_language"] = ["es"] * 300 + ["ru"] * 300
    responses = sd.read_responses(frame, "readiness", form="employee", minimum_completed=0)
    notes = list(language_notes(build_evidence(responses)))
    assert len(notes) == 1
    assert notes[0].startswith("Do not compare")
    assert "es, ru" in notes[0]
    halves = [responses.drop(responses.answers.index[:300]), responses.drop(responses.answers.index[300:])]
    merged = build_evidence(halves[0]).merge(build_evidence(halves[1]))
    assert list(language_notes(merged)) == notes
