"""A cause is supported only if everything measured confirms it, and nothing is blamed on persons by default."""

import math
from dataclasses import replace
from typing import ClassVar

import pytest

from servicediag.diagnosis.causes import connect, explain
from servicediag.diagnosis.conditions import Reading
from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.model import Finding
from servicediag.diagnosis.rules import Action, Condition, Piece, Rule, RuleSet

ACTION = Action("ACT.ONE", "Do the one thing.", "002", "S")


class Answers:
    """A reader that answers conditions from a table of targets: yes, no or undetermined for *low*."""

    sources: ClassVar[dict[str, str]] = {"ops": "operations", "cust": "customer"}

    def __init__(self, **low):
        self.low = {name.replace("__", "/").replace("_in_", "-"): state for name, state in low.items()}

    def association(self, place, target):
        return None

    def read(self, condition, place):
        state = self.low.get(condition.target, "unmeasured")
        if condition.kind == "not_low":
            state = {"yes": "no", "no": "yes"}.get(state, state)
        return Reading(
            state,
            f"{condition.target} reads {state}",
            -10.0 if state == "yes" else math.nan,
            condition.target,
            self.sources.get(condition.target, "employee"),
        )


def draft(**changes):
    values = {
        "id": "x", "kind": "unit_gap", "by": "unit", "unit": "A", "wave": None, "instrument": "seven-sins",
        "dimension": "rule", "item": None, "rater": "customer", "estimate": -12.0, "ci_low": -18.0, "ci_high": -6.0,
        "n": 40, "comparator": "the rest", "direction": "worse", "severity": "major", "tier": "established",
        **changes,
    }  # fmt: skip
    return Draft(Finding(**values))


def rule(identifier="T01", *, strong=(), weak=(), refuters=(), side="organisation", variant=None, cause=None):
    pieces = [Piece("strong", tuple(Condition("low", t) for t in group)) for group in strong]
    pieces += [Piece("weak", tuple(Condition("low", t) for t in group)) for group in weak]
    groups = tuple(tuple(Condition("not_low", t) for t in group) for group in refuters)
    return Rule(
        identifier, cause or f"Cause {identifier}", ("seven-sins/rule",), side, "tools", "S", tuple(pieces), groups,
        ("ACT.ONE",), variant,
    )  # fmt: skip


def causes(rules, reader, **changes):
    found = explain(draft(**changes), RuleSet(tuple(rules), (ACTION,)), reader, frozenset())
    return found.finding


def status(one_rule, **low):
    return causes([one_rule], Answers(**low)).causes[0].status


@pytest.mark.parametrize(
    ("low", "expected"),
    [
        ({"a": "yes", "b": "yes"}, "supported"),
        ({"a": "yes"}, "supported"),
        ({"a": "yes", "b": "undetermined"}, "possible"),
        ({"a": "undetermined", "b": "undetermined"}, "inconclusive"),
        ({"a": "no", "b": "yes"}, "not_supported"),
        ({"a": "no", "b": "no"}, "not_supported"),
        ({}, "untested"),
    ],
)
def test_every_measured_piece_must_confirm(low, expected):
    assert status(rule(strong=[["a"], ["b"]]), **low) == expected


def test_weak_evidence_alone_leaves_a_cause_untested():
    assert status(rule(strong=[["a"]], weak=[["b"]]), b="yes") == "untested"


def test_one_alternative_of_a_piece_is_enough():
    assert status(rule(strong=[["a", "b"]]), a="no", b="yes") == "supported"
    assert status(rule(strong=[["a", "b"]]), a="no", b="undetermined") == "inconclusive"
    assert status(rule(strong=[["a", "b"]]), a="no", b="no") == "not_supported"


def test_refuter_outweighs_confirmation():
    assert status(rule(strong=[["a"]], refuters=[["c"]]), a="yes", c="no") == "not_supported"


def test_refuters_that_belong_together_must_all_hold():
    one = rule(strong=[["a"]], refuters=[["b", "c"]])
    assert status(one, a="yes", b="no", c="yes") == "supported"
    assert status(one, a="yes", b="no", c="no") == "not_supported"


def test_only_supported_causes_bring_actions():
    assert causes([rule(strong=[["a"]])], Answers(a="yes")).actions == ("Do the one thing.",)
    assert causes([rule(strong=[["a"]])], Answers(a="undetermined")).actions == ()


def test_unknown_cause_names_the_instrument_to_ask_with():
    finding = causes([rule(strong=[["service-culture/system"]])], Answers())
    assert any("CAUSE_UNKNOWN" in text and "service-culture" in text for text in finding.abstentions)


def test_rivals_that_rest_on_the_same_evidence_are_not_told_apart():
    found = causes([rule("T01", strong=[["a"]]), rule("T02", strong=[["a"]])], Answers(a="yes"))
    assert {cause.status for cause in found.causes} == {"not_distinguishable"}
    assert found.actions == ()


ORGANISATION_FINE = {
    "readiness__can": "no", "four_in_tools__comm": "no", "four_in_tools__feed": "no", "four_in_tools__capa": "no",
    "attitude_in_causes__promise": "no",
}  # fmt: skip


def test_person_side_needs_the_organisations_side_measured():
    assert status(rule(strong=[["a"]], side="person"), a="yes") == "untested"
    without_promise = {k: v for k, v in ORGANISATION_FINE.items() if "promise" not in k}
    assert status(rule(strong=[["a"]], side="person"), a="yes", **without_promise) == "untested"


def test_person_side_is_supported_only_where_the_organisations_side_is_fine():
    one = rule(strong=[["a"]], side="person")
    assert status(one, a="yes", **ORGANISATION_FINE) == "supported"
    assert status(one, a="yes", **{**ORGANISATION_FINE, "readiness__can": "yes"}) == "inconclusive"
    assert status(one, a="yes", **{**ORGANISATION_FINE, "four_in_tools__feed": "undetermined"}) == "inconclusive"


def test_records_of_promises_serve_where_nobody_was_asked_about_them():
    one = rule(strong=[["a"]], side="person")
    without_promise = {k: v for k, v in ORGANISATION_FINE.items() if "promise" not in k}
    assert status(one, a="yes", **without_promise, breach_rate="no") == "supported"
    assert status(one, a="yes", **without_promise, breach_rate="yes") == "inconclusive"


def test_sources_are_groups_of_people_and_not_scales():
    (same,) = causes([rule(strong=[["a"], ["b"]])], Answers(a="yes", b="yes")).causes
    assert (same.sources, same.n_sources) == (("employee",), 1)
    (several,) = causes([rule(strong=[["a"], ["ops"]])], Answers(a="yes", ops="yes")).causes
    assert several.sources == ("employee", "operations")


def test_more_independent_sources_come_first():
    rules = [rule("T01", strong=[["a"], ["b"]]), rule("T02", strong=[["a"], ["ops"]])]
    found = causes(rules, Answers(a="yes", b="yes", ops="yes")).causes
    assert [cause.rule for cause in found] == ["T02", "T01"]


def test_a_cause_confirmed_only_by_those_who_complain_says_so():
    (only,) = causes([rule(strong=[["cust"]])], Answers(cust="yes")).causes
    (other,) = causes([rule(strong=[["a"]])], Answers(a="yes")).causes
    assert (only.same_source, other.same_source) == (True, False)


def test_actions_follow_the_order_of_inquiry():
    first = replace(rule("T01", strong=[["a"]]), step="culture", actions=("ACT.ONE",))
    second = replace(rule("T02", strong=[["b"], ["ops"]]), step="want", actions=("ACT.TWO",))
    third = replace(rule("T03", strong=[["c"]]), step="promise", actions=("ACT.TWO", "ACT.KEEP"))
    actions = tuple(Action(code, code, "002", "S") for code in ("ACT.ONE", "ACT.TWO", "ACT.KEEP"))
    answers = Answers(a="yes", b="yes", c="yes", ops="yes")
    found = explain(draft(), RuleSet((first, second, third), actions), answers, frozenset()).finding
    assert found.actions == ("ACT.TWO", "ACT.KEEP", "ACT.ONE")


def test_attitude_is_provisional_while_promises_are_broken():
    one = rule(strong=[["a"]])
    assert any("PROVISIONAL" in t for t in causes([one], Answers(a="yes", breach_rate="yes")).abstentions)
    assert not any("PROVISIONAL" in t for t in causes([one], Answers(a="yes", breach_rate="no")).abstentions)
    staff = causes([one], Answers(a="yes", breach_rate="yes"), rater="employee")
    assert not any("PROVISIONAL" in t for t in staff.abstentions)


@pytest.mark.parametrize(
    ("changes", "symptom"),
    [
        ({"kind": "perception_gap"}, "perception_gap:seven-sins"),
        ({"kind": "perception_gap"}, "perception_gap:seven-sins/rule"),
        ({"kind": "say_do"}, "say_do"),
        ({"kind": "bottleneck", "instrument": "readiness", "dimension": "want"}, "bottleneck:readiness/want"),
        ({"kind": "level"}, "seven-sins/rule"),
    ],
)
def test_names_of_symptoms(changes, symptom):
    named = replace(rule(strong=[["a"]]), symptoms=(symptom,))
    assert [cause.status for cause in causes([named], Answers(a="yes"), **changes).causes] == ["supported"]
    other = causes([replace(named, symptoms=("change",))], Answers(a="yes"), **changes)
    assert other.causes == ()


def test_variants_show_what_stands_out_or_one_line():
    variants = [rule("T09", strong=[[t]], variant=t, cause=f"Lack of {t}") for t in "abc"]
    found = causes(variants, Answers(a="no", b="yes", c="undetermined")).causes
    assert [(c.cause, c.status) for c in found] == [("Lack of b", "supported")]
    none = causes(variants, Answers(a="no", b="no", c="undetermined")).causes
    assert len(none) == 1
    assert none[0].status == "inconclusive"
    assert "Lack of a; Lack of b; Lack of c" in none[0].cause


@pytest.mark.parametrize("changes", [{"tier": "watch"}, {"direction": "better"}, {"kind": "strength"}])
def test_only_sure_troubles_are_explained(changes):
    assert causes([rule(strong=[["a"]])], Answers(a="yes"), **changes).causes == ()


def test_supported_causes_come_first_and_untested_stay():
    rules = [rule("T01", strong=[["x"]]), rule("T02", strong=[["a"]]), rule("T03", strong=[["b"]])]
    found = causes(rules, Answers(a="yes", b="no")).causes
    assert [c.status for c in found] == ["supported", "untested", "not_supported"]


def test_condition_that_carries_a_cause_points_to_what_it_explains():
    symptom = explain(
        draft(),
        RuleSet((rule(strong=[["four-tools/feed"]]),), (ACTION,)),
        Answers(four_in_tools__feed="yes"),
        frozenset(),
    )
    symptom = symptom.with_finding(title="A: 'Rulebook' is worse")
    tool = draft(id="y", instrument="four-tools", dimension="feed", text="Feedback is low.")
    elsewhere = draft(id="z", unit="B", instrument="four-tools", dimension="feed", text="Feedback is low.")
    connected, far = connect([symptom, tool, elsewhere])[1:]
    assert "A: 'Rulebook' is worse" in connected.finding.text
    assert connected.finding.actions == ("Do the one thing.",)
    assert far.finding.actions == ()
    assert far.finding.text == "Feedback is low."
