"""A finding is told in a reader's order, and what the data leave open is told as open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servicediag.diagnosis.model import Cause, Diagnosis
from servicediag.report.labels import Labels
from servicediag.report.story import cannot_tell, first_action, headline, open_questions, stories, strengths, told_open


@pytest.fixture
def labels(diagnosis: Diagnosis) -> Labels:
    return Labels.of(diagnosis, "en")


def test_causes_are_told_by_what_became_of_them(diagnosis: Diagnosis, labels: Labels) -> None:
    (story,) = stories(diagnosis.findings[:1], labels)
    told = {
        name: [reason.cause for reason in getattr(story, name)]
        for name in ("consistent", "possible", "against", "untested")
    }
    assert told == {
        "consistent": ["Nobody owns a case from start to end"],
        "possible": ["Too little time for each customer", "Departments do not work together"],
        "against": ["Staff do not want to serve"],
        "untested": ["Systems send customers from desk to desk"],
    }


def test_evidence_against_a_supported_cause_is_not_swept_away(diagnosis: Diagnosis, labels: Labels) -> None:
    cause = Cause("R1", "One thing", "supported", confirming=("It is low.",), refuting=("But it is not here.",))
    (story,) = stories([replace(diagnosis.findings[0], causes=(cause,))], labels)
    assert [reason.sentences for reason in story.against] == [("But it is not here.",)]


def test_what_nobody_measured_is_listed_once_and_nothing_else(diagnosis: Diagnosis, labels: Labels) -> None:
    untested = [(c.rule, c.cause) for f in diagnosis.findings for c in f.causes if c.status == "untested"]
    told = cannot_tell(replace(diagnosis, findings=diagnosis.findings * 2), labels)
    assert [reason.cause for reason in told.untested] == [cause for _, cause in dict.fromkeys(untested)]


def test_two_untested_causes_of_one_rule_are_both_told(diagnosis: Diagnosis, labels: Labels) -> None:
    causes = tuple(Cause("R34", name, "untested") for name in ("Policies", "Delegation"))
    told = cannot_tell(replace(diagnosis, findings=(replace(diagnosis.findings[0], causes=causes),)), labels)
    assert [reason.cause for reason in told.untested] == ["Policies", "Delegation"]


def test_gaps_to_watch_are_no_findings_but_are_told(diagnosis: Diagnosis, labels: Labels) -> None:
    told = cannot_tell(diagnosis, labels)
    assert [finding.title for finding in told.watch] == ["Brush-off is worse in Home delivery"]
    assert told.watch[0] not in diagnosis.top(99)


def test_refusals_name_what_would_settle_them(diagnosis: Diagnosis, labels: Labels) -> None:
    told = dict(cannot_tell(diagnosis, labels).abstentions)
    assert told["Change over time"] == "There is one wave; a second one would show change."


def test_codes_of_refusals_are_for_machines(diagnosis: Diagnosis) -> None:
    finding = replace(diagnosis.findings[0], abstentions=("TOO_FEW: only 4 answered.", "Plain: text."))
    assert open_questions(finding) == ("Only 4 answered.", "Plain: text.")


def test_first_action_is_that_of_the_finding_then_of_a_supported_cause(diagnosis: Diagnosis) -> None:
    finding = diagnosis.findings[0]
    possible = Cause("R1", "x", "possible", actions=("Do nothing of the kind.",))
    supported = Cause("R2", "y", "supported", actions=("Do this.",))
    assert first_action(replace(finding, actions=("First.",), causes=(supported,))) == "First."
    assert first_action(replace(finding, actions=(), causes=(possible, supported))) == "Do this."
    assert first_action(replace(finding, actions=(), causes=(possible,))) == ""


def test_strengths_are_sure_and_better(diagnosis: Diagnosis) -> None:
    assert [finding.direction for finding in strengths(diagnosis)] == ["better", "better"]
    unsure = tuple(replace(finding, tier="watch") for finding in diagnosis.findings)
    assert strengths(replace(diagnosis, findings=unsure)) == ()


def test_headline_counts_the_troubles_by_how_sure_they_are(diagnosis: Diagnosis, labels: Labels) -> None:
    text = headline(diagnosis, labels)
    assert text.startswith("9 weak points found: 8 established, 1 likely.")
    assert "Runaround is worse in Customer contact centre" in text


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("points", "−12.3 points (95% interval −15.0 to −9.0)"), ("share", "29% (95% interval 26% to 32%)")],
)
def test_estimate_is_shown_in_its_unit(diagnosis: Diagnosis, labels: Labels, metric: str, shown: str) -> None:
    numbers = (-12.34, -15.0, -9.0) if metric == "points" else (0.2886, 0.2561, 0.3234)
    estimate, low, high = numbers
    finding = replace(diagnosis.findings[0], metric=metric, estimate=estimate, ci_low=low, ci_high=high)
    assert labels.estimate(finding) == shown


def test_probability_never_reads_as_certain(diagnosis: Diagnosis, labels: Labels) -> None:
    finding = replace(diagnosis.findings[0], metric="probability", estimate=0.99955, ci_low=None, ci_high=None)
    assert labels.estimate(finding) == "probability > 0.99"


def test_a_unit_that_is_a_number_is_named_as_a_unit(diagnosis: Diagnosis, labels: Labels) -> None:
    assert [labels.within("16"), labels.within("Desk 16"), labels.unit("16")] == ["unit 16", "Desk 16", "16"]
    finding = replace(diagnosis.findings[0], unit="16", title="unit 16: 'Apathy' is worse than elsewhere")
    named = replace(finding, unit="desk", title="desk: 'Apathy' is worse than elsewhere")
    titles = [story.title for story in stories((finding, named), labels)]
    assert titles == ["Unit 16: 'Apathy' is worse than elsewhere", "desk: 'Apathy' is worse than elsewhere"]


def test_what_would_settle_a_question_begins_with_a_capital_after_a_full_stop(labels: Labels) -> None:
    assert told_open("a gap", "no cause is supported.", labels) == "A gap. No cause is supported."
    assert told_open("a gap", "a log", labels) == "A gap. Would settle it: a log"
