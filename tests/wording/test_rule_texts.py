"""Causes, recommendations, questionnaires and background fields have their texts in every language of reports."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from servicediag.diagnosis.rule_texts import RuleTexts
from servicediag.diagnosis.rules import RuleSet, load_rules
from servicediag.instrument import load_instrument
from servicediag.instrument.background import load_background
from servicediag.instrument.catalogue import instrument_ids, instruments_root
from servicediag.instrument.yaml_loader import load_yaml
from servicediag.wording import languages
from servicediag.wording.telling import Term, retold

OTHERS = [language for language in languages() if language != "en"]


def texts_of(rules: RuleSet) -> Iterable[Term]:
    for rule in rules.rules:
        yield rule.cause
        for condition in (*rule.conditions, *rule.refuters):
            if condition.needs:
                yield condition.needs
    yield from (action.text for action in rules.actions)
    for indicator in rules.indicators:
        yield indicator.title
        yield indicator.needs


def test_every_text_of_the_rules_can_be_told_again() -> None:
    assert all(isinstance(text, Term) and isinstance(text.texts, RuleTexts) for text in texts_of(load_rules()))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_of_the_rules_has_a_translation_and_none_is_left_over(language: str) -> None:
    # a rule that is told by its variants may have a text of its own
    lacking, used = set(), {("causes", rule.id) for rule in load_rules().rules}
    for text in texts_of(load_rules()):
        used.add((text.texts.section, text.texts.key))
        try:
            assert retold(text, language)
        except (ValueError, LookupError) as error:
            lacking.add(str(error))
    assert sorted(lacking) == []
    file = instruments_root() / "_rules" / "locale" / f"{language}.yaml"
    tree = load_yaml(file.read_bytes(), file.name).data
    found = {(section, key) for section in ("causes", "actions", "needs") for key in tree[section]}
    found |= {("indicators", f"{key}/{part}") for key, parts in tree["indicators"].items() for part in parts}
    assert sorted(found - used) == []


def test_rules_by_path_stay_in_the_language_of_their_author(tmp_path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        """
extends: default
without: [R11]
actions: [{code: ACT.OWN, text: Ask them, source: authors, evidence: I}]
rules:
  - id: X01
    cause: Nobody asked
    symptoms: [seven-sins/apathy]
    side: organisation
    step: tools
    evidence: I
    confirmed_by: [{low: four-tools/role, weight: strong}]
    refuted_by: [{not_low: four-tools/role}]
    actions: [ACT.OWN]
""",
        encoding="utf-8",
    )
    rules = load_rules(own)
    by_id = {rule.id: rule for rule in rules.rules}
    assert retold(by_id["X01"].cause, "es") == "Nobody asked"
    assert retold(rules.action("ACT.OWN").text, "es") == "Ask them"
    assert isinstance(by_id["R08"].cause.texts, RuleTexts)


@pytest.mark.parametrize("instrument", instrument_ids(instruments_root()))
def test_every_questionnaire_of_the_catalogue_has_every_language_of_reports(instrument: str) -> None:
    assert set(languages()) <= set(load_instrument(instrument).languages)


def test_every_background_field_has_every_language_of_reports() -> None:
    for field in load_background():
        assert set(languages()) <= set(field.title), field.id
        assert all(set(languages()) <= set(labels) for labels in field.options.values()), field.id
