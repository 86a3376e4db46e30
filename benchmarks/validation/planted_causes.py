"""Causes to plant, read from the rule file as data: a symptom, and what would confirm the cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from organisations import Scale, scales_of

from servicediag.instrument import load_instrument
from servicediag.instrument.catalogue import instruments_root
from servicediag.instrument.yaml_loader import load_yaml

ASKED_OF_STAFF = ("readiness", "four-tools", "service-culture", "service-recovery", "attitude-causes")
SYMPTOMS = "seven-sins"


@dataclass(frozen=True)
class PlantedCause:
    """``low``: references and items that the cause lowers; ``rivals``: other measured causes of the symptom."""

    rule: str
    symptom: str
    low: tuple[str, ...]
    rivals: int


def staff_scales() -> tuple[Scale, ...]:
    """All scales of the employees' questionnaires."""
    found: list[Scale] = []
    for name in ASKED_OF_STAFF:
        forms = load_instrument(name).forms
        form = next(form for form in forms if form.rater == "employee")
        found += scales_of(name, form.id)
    return tuple(found)


def planted_causes(scales: Sequence[Scale]) -> tuple[PlantedCause, ...]:
    """Rules whose strong evidence can all be planted in these scales, a cause a rule and symptom."""
    measured = {scale.reference for scale in scales} | {code for scale in scales for code in scale.items}
    document: Any = load_yaml((instruments_root() / "_rules" / "causes.yaml").read_text(encoding="utf-8")).data
    rules = [rule for rule in document["rules"] if "confirmed_by" in rule]
    found = []
    for rule in rules:
        for symptom in rule["symptoms"]:
            low = _evidence(rule, measured)
            if symptom.startswith(f"{SYMPTOMS}/") and low:
                same = [other for other in rules if symptom in other["symptoms"] and other["id"] != rule["id"]]
                rivals = sum(bool(_named(other) & measured) for other in same)
                found.append(PlantedCause(rule["id"], symptom, low, rivals))
    return tuple(found)


def _evidence(rule: Mapping[str, Any], measured: set[str]) -> tuple[str, ...]:
    """One measured alternative of each piece that is a low score; nothing where a strong piece cannot be planted."""
    low: list[str] = []
    strong = False
    for piece in rule["confirmed_by"]:
        choices = [one["low"] for one in piece.get("any_of", [piece]) if "low" in one and one["low"] in measured]
        if choices:
            low.append(choices[0])
            strong = strong or piece.get("weight", "strong") == "strong"
    return tuple(low) if strong and rule["side"] == "organisation" else ()


def _named(rule: Mapping[str, Any]) -> set[str]:
    """What the strong evidence of a rule names."""
    pieces = [piece for piece in rule["confirmed_by"] if piece.get("weight", "strong") == "strong"]
    return {one["low"] for piece in pieces for one in piece.get("any_of", [piece]) if "low" in one}
