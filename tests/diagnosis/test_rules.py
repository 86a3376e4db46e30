"""Root-cause rules: the shipped ones are complete and sound, and faulty ones are refused with file and line."""

from __future__ import annotations

import typing
from dataclasses import replace
from pathlib import Path

import pytest

from servicediag import InstrumentError, load_instrument
from servicediag.diagnosis.rules import (
    INQUIRY_STEPS,
    INSTRUMENT_PREFIXES,
    Condition,
    ConditionKind,
    Piece,
    RuleSet,
    lint_rules,
    load_rules,
)
from servicediag.instrument.catalogue import instrument_ids, instruments_root

CORE = ("seven-sins", "readiness", "four-tools")
ACTION = 'actions:\n  - {code: ACT.FEED, text: "Pass ratings on.", source: "002", evidence: S}\n'
RULE = """rules:
  - id: R11
    cause: No feedback reaches the front line
    symptoms: [seven-sins/apathy]
    side: organisation
    step: tools
    confirmed_by:
      - {low: four-tools/feed, weight: strong}
    refuted_by:
      - {not_low: four-tools/feed}
    evidence: S
    actions: [ACT.FEED]
"""


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    return load_rules()


@pytest.fixture
def write(tmp_path: Path):
    def write_rules(rules: str = RULE, actions: str = ACTION) -> Path:
        path = tmp_path / "rules.yaml"
        path.write_text(rules + actions, encoding="utf-8")
        return path

    return write_rules


def faults_of(path: Path) -> list[tuple[str, int]]:
    with pytest.raises(InstrumentError) as caught:
        load_rules(path)
    return [(issue.code, int(issue.where.rpartition(":")[2])) for issue in caught.value.issues]


def by_key(ruleset: RuleSet, key: str):
    (found,) = [rule for rule in ruleset.rules if rule.key == key]
    return found


def targets(conditions) -> set[tuple[str, str]]:
    return {(condition.kind, condition.target) for condition in conditions}


class TestShippedRules:
    def test_all_forty_six_rules_are_there(self, shipped):
        assert sorted({rule.id for rule in shipped.rules}) == [f"R{number:02d}" for number in range(1, 47)]

    def test_keys_are_unique(self, shipped):
        assert len({rule.key for rule in shipped.rules}) == len(shipped.rules)

    def test_lint_finds_nothing(self, shipped):
        assert lint_rules(shipped) == ()

    def test_every_cause_can_be_refuted(self, shipped):
        assert [rule.key for rule in shipped.rules if not rule.refuters] == []

    def test_every_action_has_a_source(self, shipped):
        assert all(action.source for action in shipped.actions)
        assert [a.code for a in shipped.actions if (a.source == "authors") != (a.evidence == "I")] == []

    @pytest.mark.parametrize("sin", ["apathy", "brush", "cold", "condesc", "robot", "rule", "run"])
    def test_every_sin_has_several_rival_causes(self, shipped, sin):
        assert len(shipped.for_symptom(f"seven-sins/{sin}")) >= 3

    def test_person_side_causes(self, shipped):
        found = {rule.key for rule in shipped.rules if rule.side == "person"}
        assert found == {"R07", "R18", "R30:rdy_want_r5", "R30:rdy_want_r6"}

    def test_person_side_explanations_of_sins_are_not_decidable_with_the_core_instruments(self, shipped):
        decidable = {rule.key for rule in shipped.decidable_with(CORE)}
        assert decidable.isdisjoint({"R07", "R18"})

    @pytest.mark.parametrize(
        ("key", "condition"),
        [
            ("R01", ("low", "rdy_can_r1")),
            ("R03", ("low", "rdy_can_r5")),
            ("R10", ("low", "rdy_want_r3")),
            ("R11", ("low", "four-tools/feed")),
            ("R13", ("low", "four-tools/role")),
            ("R14", ("low", "four-tools/capa")),
            ("R16", ("low", "rdy_can_r5")),
            ("R17", ("low", "tool_comm_6")),
            ("R20", ("low", "tool_capa_4")),
            ("R21", ("low", "rdy_know_r3")),
            ("R22", ("low", "tool_capa_3")),
            ("R36", ("low", "tool_conf_6")),
            ("R37", ("low", "four-tools/feed")),
            ("R38", ("low", "four-tools/capa")),
        ],
    )
    def test_core_instruments_hold_strong_evidence(self, shipped, key, condition):
        rule = by_key(shipped, key)
        strong = [c for piece in rule.pieces if piece.weight == "strong" for c in piece.alternatives]
        assert condition in targets(strong)
        assert rule in shipped.decidable_with(CORE)

    @pytest.mark.parametrize("key", ["R02", "R05", "R06", "R09", "R12", "R15", "R19", "R24", "R25", "R39"])
    def test_rules_without_strong_core_evidence_stay_undecidable(self, shipped, key):
        assert by_key(shipped, key) not in shipped.decidable_with(CORE)

    @pytest.mark.parametrize(
        ("rule_id", "symptom", "variants"),
        [
            ("R30", "bottleneck:readiness/want", [f"rdy_want_r{n}" for n in range(1, 7)]),
            ("R33", "bottleneck:readiness/know", ["four-tools/comm", "four-tools/feed", "four-tools/capa"]),
            ("R34", "bottleneck:readiness/can", [f"rdy_can_r{n}" for n in range(1, 7)]),
            ("R35", "four-tools/role", [f"tool_comm_{n}" for n in range(1, 7)]),
        ],
    )
    def test_which_requirement_rules_become_one_rule_each(self, shipped, rule_id, symptom, variants):
        found = [rule for rule in shipped.for_symptom(symptom) if rule.id == rule_id]
        assert [rule.variant for rule in found] == variants
        for rule in found:
            lowest = Condition("lowest_of", rule.variant, among=tuple(variants))
            assert rule.pieces == (Piece("strong", (Condition("low", rule.variant), lowest)),)
            assert rule.refuters == (Condition("not_low", rule.variant),)
            assert rule.actions

    def test_or_makes_alternatives_and_comma_makes_pieces(self, shipped):
        delegated, feedback = by_key(shipped, "R03"), by_key(shipped, "R11")
        assert [len(piece.alternatives) for piece in delegated.pieces] == [2]
        assert [len(piece.alternatives) for piece in feedback.pieces] == [1, 1]

    def test_alternatives_are_refuted_only_together(self, shipped):
        (group,) = by_key(shipped, "R03").refuter_groups
        assert targets(group) == {("not_low", "rdy_can_r5"), ("not_low", "service-recovery/authority")}

    def test_every_kind_of_condition_is_used_and_says_what_it_must(self, shipped):
        conditions = {c for rule in shipped.rules for c in (*rule.conditions, *rule.refuters)}
        kinds = {condition.kind for condition in conditions}
        assert kinds == set(typing.get_args(ConditionKind))
        for condition in conditions:
            assert bool(condition.among) == (
                condition.kind in ("lowest_of", "gradient", "segment_difference", "contrast")
            )
            assert bool(condition.groups) == (condition.kind == "contrast")
            assert bool(condition.before) == (condition.kind == "lag")
            assert bool(condition.sense) == (condition.kind in ("gradient", "indicator"))

    def test_records_can_refute_what_records_confirm(self, shipped):
        overload, breach = by_key(shipped, "R12"), by_key(shipped, "R06")
        assert Condition("indicator", "workload", sense="high", holds=False) in overload.refuters
        assert Condition("indicator", "breach_rate", sense="high", holds=False) in breach.refuters

    def test_indicators_of_operations_are_named_with_their_records(self, shipped):
        named = {indicator.id: indicator for indicator in shipped.indicators}
        assert {
            "breach_rate",
            "repeat_contacts",
            "turnover",
            "churn",
            "complaints",
            "training_records",
            "workload",
        } <= (named.keys())
        assert all(indicator.needs and indicator.source for indicator in named.values())
        assert {named[name].direction for name in ("breach_rate", "turnover", "churn")} == {"weakness"}
        assert named["training_records"].direction == "strength"

    def test_no_cause_or_action_claims_more_than_consistency(self, shipped):
        texts = [rule.cause for rule in shipped.rules] + [action.text for action in shipped.actions]
        assert [text for text in texts if "due to" in text.lower() or "caused by" in text.lower()] == []
        assert [rule.cause for rule in shipped.rules if rule.cause.endswith(".")] == []

    def test_environment_is_looked_into_before_the_person(self, shipped):
        assert INQUIRY_STEPS.index("environment") < INQUIRY_STEPS.index("want") < INQUIRY_STEPS.index("individual")
        assert {rule.id for rule in shipped.rules if rule.step == "individual"} == {"R07", "R18"}

    def test_frame_has_a_row_a_cause(self, shipped):
        frame = shipped.to_frame().set_index(["id", "variant"])
        assert len(frame) == len(shipped.rules)
        row = frame.loc[("R33", "four-tools/feed")]
        assert row["confirmed_by"] == (
            "low four-tools/feed or lowest_of four-tools/feed of four-tools/comm, four-tools/feed, "
            "four-tools/capa (strong)"
        )
        assert row["refuted_by"] == "not_low four-tools/feed"

    def test_reading_twice_gives_equal_values(self, shipped):
        again = load_rules()
        assert again == shipped
        assert hash(again.rules) == hash(shipped.rules)


class TestCondition:
    @pytest.mark.parametrize(
        ("condition", "instrument", "is_item"),
        [
            (Condition("low", "rdy_can_r1"), "readiness", True),
            (Condition("not_low", "tool_comm_6"), "four-tools", True),
            (Condition("low", "sin_apathy_1"), "seven-sins", True),
            (Condition("low", "four-tools/blame_staff"), "four-tools", False),
            (Condition("present", "seven-sins/brush"), "seven-sins", False),
            (Condition("gradient", "symptom", among=("tenure",), sense="worse"), None, False),
            (Condition("concentrated", "seven-sins/cold"), "seven-sins", False),
            (Condition("indicator", "breach_rate", sense="high"), None, False),
            (Condition("finding", "say_do"), None, False),
        ],
    )
    def test_instrument_of_the_target(self, condition, instrument, is_item):
        assert (condition.instrument, condition.is_item) == (instrument, is_item)

    def test_prefixes_agree_with_the_catalogue(self):
        prefixes = {
            code.partition("_")[0]: instrument_id
            for instrument_id in instrument_ids(instruments_root())
            for code in [item.code for item in load_instrument(instrument_id).items]
        }
        assert prefixes.items() <= INSTRUMENT_PREFIXES.items()


class TestReading:
    def test_one_file_with_rules_and_actions(self, write):
        ruleset = load_rules(write())
        assert [rule.id for rule in ruleset.rules] == ["R11"]
        assert ruleset.action("ACT.FEED").evidence == "S"

    def test_a_folder_with_two_files_gives_the_same(self, write, tmp_path):
        (tmp_path / "causes.yaml").write_text(RULE, encoding="utf-8")
        (tmp_path / "actions.yaml").write_text(ACTION, encoding="utf-8")
        folder, file = load_rules(tmp_path), load_rules(str(write()))
        assert (folder.rules, folder.actions) == (file.rules, file.actions)

    def test_content_hash_follows_the_content(self, write):
        first = load_rules(write()).content_hash
        assert load_rules(write(RULE.replace("front line", "counter"))).content_hash != first

    def test_unknown_action_code(self, write):
        with pytest.raises(ValueError, match=r"Did you mean 'ACT\.FEED'"):
            load_rules(write()).action("ACT.FEEED")

    def test_path_of_a_wrong_type(self):
        with pytest.raises(TypeError, match="path must be a path, not int"):
            load_rules(7)

    def test_missing_folder(self, tmp_path):
        with pytest.raises(InstrumentError) as caught:
            load_rules(tmp_path / "nowhere")
        assert [issue.code for issue in caught.value.issues] == ["unreadable_file"]
        assert "nowhere" in caught.value.issues[0].where

    @pytest.mark.parametrize(
        ("old", "new", "code", "line"),
        [
            ("{low: four-tools/feed, weight: strong}", "{high: four-tools/feed}", "unknown_key", 8),
            ("{low: four-tools/feed, weight: strong}", "{weight: strong}", "invalid_condition", 8),
            ("{low: four-tools/feed, weight: strong}", "{low: four-tools/feed < 3}", "invalid_value", 8),
            ("weight: strong", "weight: huge", "unknown_value", 8),
            ("weight: strong", "weight: weak", "no_strong_evidence", 2),
            ("weight: strong", "needs: more data", "invalid_condition", 8),
            ("weight: strong", "absent: seven-sins/brush", "invalid_condition", 8),
            ("weight: strong", "any_of: [{low: rdy_want_r3}]", "invalid_condition", 8),
            ("{not_low: four-tools/feed}", "{gradient: symptom, over: tenure}", "missing_key", 10),
            ("{not_low: four-tools/feed}", "{gradient: symptom, over: tenure, towards: down}", "unknown_value", 10),
            (
                "{not_low: four-tools/feed}",
                "{contrast: symptom, over: promise_broken, worse: 'yes'}",
                "missing_key",
                10,
            ),
            ("{not_low: four-tools/feed}", "{concentrated: symptom, over: tenure}", "invalid_condition", 10),
            ("{not_low: four-tools/feed}", "{low: four-tools/feed, holds: false}", "invalid_condition", 10),
            ("{not_low: four-tools/feed}", "{low: symptom}", "invalid_value", 10),
            ("{not_low: four-tools/feed}", "{indicator: breach_rate, level: huge}", "unknown_value", 10),
            ("{not_low: four-tools/feed}", "{indicator: breaches, level: high}", "unknown_reference", 2),
            ("{not_low: four-tools/feed}", "{finding: gossip}", "invalid_value", 10),
            ("{not_low: four-tools/feed}", "{finding: say_do, limit: 3}", "invalid_condition", 10),
            ("{not_low: four-tools/feed}", "{lag: service-culture/intern}", "missing_key", 10),
            (
                "{not_low: four-tools/feed}",
                "{lowest_of: [rdy_can_r1, rdy_can_r2], lowest: rdy_can_r3}",
                "invalid_condition",
                10,
            ),
            ("{not_low: four-tools/feed}", "{lowest_of: [rdy_can_r1], lowest: rdy_can_r1}", "invalid_value", 10),
            ("{not_low: four-tools/feed}", "{not_low: four-tools/feed, rated_by: nobody}", "unknown_value", 10),
            ("{not_low: four-tools/feed}", "{low: four-tools/feed}", "contradictory_rule", 2),
            ("    refuted_by:\n      - {not_low: four-tools/feed}\n", "", "no_refuter", 2),
            ("[ACT.FEED]", "[ACT.FEEED]", "unknown_action", 2),
            ("    actions: [ACT.FEED]\n", "", "missing_key", 2),
            ("side: organisation", "side: staff", "unknown_value", 5),
            ("step: tools", "step: toolbox", "unknown_value", 6),
            ("[seven-sins/apathy]", "[apathy]", "invalid_value", 4),
            ("[seven-sins/apathy]", "['guess:seven-sins/apathy']", "invalid_value", 4),
            ("evidence: S", "evidence: A", "unknown_value", 11),
            ("    evidence: S\n    act", "    notes: x\n    evidence: S\n    act", "unknown_key", 11),
        ],
    )
    def test_fault_is_refused_with_its_line(self, write, old, new, code, line):
        assert RULE.count(old) == 1
        assert faults_of(write(RULE.replace(old, new))) == [(code, line)]

    def test_every_fault_at_once(self, write):
        faulty = RULE.replace("evidence: S", "evidence: A").replace("weight: strong", "weight: huge")
        actions = ACTION.replace('source: "002"', "source: somebody")
        assert faults_of(write(faulty, actions)) == [("unknown_value", 8), ("unknown_value", 11), ("invalid_value", 14)]

    def test_rule_defined_twice(self, write):
        second = RULE.removeprefix("rules:\n").replace("four-tools/feed", "four-tools/comm")
        assert faults_of(write(RULE + second)) == [("duplicate_id", 13)]

    def test_reason_instead_of_a_refuter(self, write):
        reason = "    no_refuter: Nothing that a survey asks speaks against it.\n"
        rules = RULE.replace("    refuted_by:\n      - {not_low: four-tools/feed}\n", reason)
        (rule,) = load_rules(write(rules)).rules
        assert (rule.refuters, bool(rule.no_refuter)) == ((), True)

    def test_two_rules_that_predict_the_same_for_one_symptom(self, write):
        second = RULE.removeprefix("rules:\n").replace("R11", "R12")
        assert faults_of(write(RULE + second)) == [("indistinguishable_rules", 13)]
        other_symptom = second.replace("seven-sins/apathy", "seven-sins/robot")
        assert len(load_rules(write(RULE + other_symptom)).rules) == 2

    def test_groups_of_conditions(self, write):
        rules = RULE.replace(
            "{low: four-tools/feed, weight: strong}", "any_of: [{low: four-tools/feed}, {low: rdy_know_r5}]"
        )
        rules = rules.replace(
            "{not_low: four-tools/feed}", "all_of: [{not_low: four-tools/feed}, {not_low: rdy_know_r5}]"
        )
        (rule,) = load_rules(write(rules)).rules
        assert targets(rule.pieces[0].alternatives) == {("low", "four-tools/feed"), ("low", "rdy_know_r5")}
        assert [len(group) for group in rule.refuter_groups] == [2]
        assert rule.strong_instruments == {"four-tools", "readiness"}

    @pytest.mark.parametrize(
        ("variants", "fault"),
        [
            ("[{item: rdy_want_r1, dimension: four-tools/feed, cause: X, actions: [ACT.FEED]}]", "invalid_variant"),
            ("[{cause: X, actions: [ACT.FEED]}]", "invalid_variant"),
            ("[{item: rdy_want_r1, cause: X, actions: []}]", "invalid_value"),
            (
                "[{item: rdy_want_r1, cause: X, actions: [ACT.FEED]},\n"
                "               {item: rdy_want_r1, cause: Y, actions: [ACT.FEED]}]",
                "duplicate_id",
            ),
        ],
    )
    def test_faulty_variant(self, write, variants, fault):
        start, _, _ = RULE.partition("    confirmed_by:")
        codes = [code for code, _ in faults_of(write(f"{start}    evidence: S\n    variants: {variants}\n"))]
        assert fault in codes

    def test_variants_beside_conditions(self, write):
        variant = "    variants: [{item: rdy_want_r1, cause: X, actions: [ACT.FEED]}]\n"
        assert {code for code, _ in faults_of(write(RULE + variant))} == {"invalid_condition", "invalid_variant"}


class TestOwnRules:
    OWN = RULE.replace("R11", "OWN1")

    def test_a_file_that_extends_adds_to_the_default_rules(self, write, shipped):
        ruleset = load_rules(write("extends: default\n" + self.OWN))
        assert [rule.id for rule in ruleset.rules] == [*(rule.id for rule in shipped.rules), "OWN1"]
        assert [rule.id for rule in ruleset.for_symptom("seven-sins/apathy")] == ["R08", "R09", "R10", "R11", "OWN1"]
        assert ruleset.indicators == shipped.indicators
        assert ruleset.content_hash != shipped.content_hash

    def test_default_rules_can_be_left_out(self, write):
        ruleset = load_rules(write("extends: default\nwithout: [R08, R11]\n" + RULE))
        assert [rule.id for rule in ruleset.for_symptom("seven-sins/apathy")] == ["R09", "R10", "R11"]
        assert by_key(ruleset, "R11").actions == ("ACT.FEED",)

    def test_default_actions_may_be_named(self, write):
        rules = "extends: default\n" + self.OWN.replace("ACT.FEED", "ACT.LIVEFEED")
        assert load_rules(write(rules, actions="")).action("ACT.LIVEFEED").source == "002"

    def test_own_indicator_may_be_named_in_a_condition(self, write):
        own = self.OWN.replace("{not_low: four-tools/feed}", "{indicator: queue, level: low}")
        indicator = (
            "indicators:\n"
            "  - {id: queue, title: Queue, direction: weakness, unit: rate, needs: counts, source: authors}\n"
        )
        ruleset = load_rules(write("extends: default\n" + own + indicator))
        assert [one.id for one in ruleset.indicators][-1] == "queue"

    def test_indicators_are_there_without_extending(self, write, shipped):
        assert load_rules(write()).indicators == shipped.indicators

    @pytest.mark.parametrize(
        ("head", "fault"),
        [
            ("extends: default\n", ("duplicate_id", 3)),
            ("extends: ours\n", ("unknown_value", 1)),
            ("without: [R01]\n", ("invalid_value", 1)),
            ("extends: default\nwithout: [R11, R99]\n", ("unknown_reference", 2)),
        ],
    )
    def test_faulty_extension(self, write, head, fault):
        assert faults_of(write(head + RULE)) == [fault]


class TestLint:
    def test_background_that_no_survey_asks_is_a_warning(self, write):
        own = RULE.replace("{not_low: four-tools/feed}", "{gradient: symptom, over: tenur, towards: worse}")
        (issue,) = lint_rules(load_rules(write(own)))
        assert (issue.code, issue.severity) == ("unknown_background", "warning")
        assert "tenure" in issue.remedy

    def test_group_that_is_no_answer_is_a_warning(self, write):
        own = RULE.replace(
            "{not_low: four-tools/feed}", "{contrast: symptom, over: put_right, worse: never, than: fully}"
        )
        (issue,) = lint_rules(load_rules(write(own)))
        assert (issue.code, issue.severity) == ("unknown_category", "warning")

    @pytest.mark.parametrize(
        "target",
        ["four-tools/feedback", "tool_feed_99", "five-tools/feed", "zzz_feed_1", "seven-sins/know"],
    )
    def test_reference_that_does_not_exist(self, shipped, target):
        rule = by_key(shipped, "R22")
        faulty = replace(rule, pieces=(Piece("strong", (Condition("low", target),)),))
        issues = lint_rules(replace(shipped, rules=(faulty,)))
        assert [issue.code for issue in issues] == ["unknown_reference"]
        assert target.rpartition("/")[2] in issues[0].problem

    def test_symptom_that_does_not_exist(self, shipped):
        faulty = replace(by_key(shipped, "R22"), symptoms=("seven-sins/condescension",))
        assert [issue.code for issue in lint_rules(replace(shipped, rules=(faulty,)))] == ["unknown_reference"]

    def test_reference_to_a_planned_instrument_passes(self, shipped):
        one_rule = replace(shipped, rules=(by_key(shipped, "R02"),))
        assert lint_rules(one_rule, [load_instrument("seven-sins")]) == ()

    def test_rules_made_in_code_are_checked_like_those_of_a_file(self, shipped):
        rule = replace(by_key(shipped, "R22"), refuter_groups=(), actions=("ACT.NONE",), where="")
        issues = lint_rules(replace(shipped, rules=(rule,)))
        assert {issue.code for issue in issues} == {"no_refuter", "unknown_action"}
        assert {issue.where for issue in issues} == {"R22"}
