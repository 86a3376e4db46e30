"""Texts of the rules that come with servicediag in other languages, read when a report first needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from servicediag.diagnosis.operations import Indicator
from servicediag.diagnosis.rules import Action, Condition, Piece, Rule
from servicediag.instrument.catalogue import instruments_root
from servicediag.instrument.yaml_loader import load_yaml, read_bytes
from servicediag.wording.telling import Term, Told

__all__ = ["RuleTexts", "action_term", "indicator_terms", "rule_terms"]

FOLDER = "_rules/locale"


@dataclass(frozen=True)
class RuleTexts(Mapping[str, str]):
    """One text of the rules by language.

    Attributes
    ----------
    section : {"causes", "actions", "indicators", "needs"}
    key : str
        A rule, ``rule/variant``, an action, ``indicator/title``, ``indicator/needs``, or the English text of a need.
    english : str
    """

    section: str
    key: str
    english: str

    def __getitem__(self, language: str) -> str:
        if language == "en":
            return self.english
        texts = _locale(language)[self.section]
        if self.key not in texts:
            raise ValueError(f"{FOLDER}/{language}.yaml has no text under {self.section} for {self.key!r}")
        return texts[self.key]

    def __iter__(self) -> Iterator[str]:
        from servicediag.wording import languages

        return iter(languages())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def rule_terms(rule: Rule, *, ours: bool) -> Rule:
    """The rule with texts that can be told in other languages; of rules by path in their author's own only."""
    key = rule.id if rule.variant is None else f"{rule.id}/{rule.variant}"
    return replace(
        rule,
        cause=_term("causes", key, rule.cause, ours),
        pieces=tuple(
            Piece(piece.weight, tuple(_needs(one, ours) for one in piece.alternatives)) for piece in rule.pieces
        ),
        refuter_groups=tuple(tuple(_needs(one, ours) for one in group) for group in rule.refuter_groups),
    )


def action_term(action: Action, *, ours: bool) -> Action:
    """The same for a recommendation."""
    return replace(action, text=_term("actions", action.code, action.text, ours))


def indicator_terms(indicator: Indicator, *, ours: bool) -> Indicator:
    """The same for an indicator of operations data."""
    title = _term("indicators", f"{indicator.id}/title", indicator.title, ours)
    return replace(indicator, title=title, needs=_term("indicators", f"{indicator.id}/needs", indicator.needs, ours))


def _needs(condition: Condition, ours: bool) -> Condition:
    if not condition.needs:
        return condition
    return replace(condition, needs=_term("needs", condition.needs, condition.needs, ours))


def _term(section: str, key: str, english: str, ours: bool) -> str:
    # what a file by path takes over from servicediag has its texts already
    if not english or isinstance(english, Told):
        return english
    return Term(english, RuleTexts(section, key, english) if ours else {})


@lru_cache(maxsize=16)
def _locale(language: str) -> Mapping[str, Mapping[str, str]]:
    file = instruments_root() / FOLDER / f"{language}.yaml"
    name = f"{FOLDER}/{language}.yaml"
    tree: Any = load_yaml(read_bytes(file, name), name).data
    indicators = {
        f"{indicator}/{part}": text for indicator, texts in tree["indicators"].items() for part, text in texts.items()
    }
    return {"causes": tree["causes"], "actions": tree["actions"], "needs": tree["needs"], "indicators": indicators}
