"""Labels that surveys commonly offer, by kind of scale and number of points, to recognise what an instrument lacks."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from servicediag.instrument.model import Scale
from servicediag.responses.normalise import normal_text

__all__ = ["LabelSet", "further_labels", "label_sets", "missing_reasons", "sets_that_part", "sets_with"]

_FILE = "vocabulary.csv"


@dataclass(frozen=True)
class LabelSet:
    """The labels of one kind of scale with one number of points.

    Attributes
    ----------
    kind : str
        What the scale asks: "agreement", "frequency"; sets of one kind with different wordings have kinds of their own.
    places : mapping of language -> {normalised label: place from 1, lowest first}
    """

    kind: str
    points: int
    places: Mapping[str, Mapping[str, int]]


@lru_cache(maxsize=1)
def _records() -> tuple[dict[str, str], ...]:
    file = resources.files("servicediag.responses").joinpath(_FILE)
    return tuple(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


@lru_cache(maxsize=1)
def label_sets() -> tuple[LabelSet, ...]:
    """All sets of the vocabulary; a set of 4 points is never part of one of 5.

    Examples
    --------
    >>> [(s.points, s.places["en"]["agree"]) for s in label_sets() if s.kind == "agreement"]
    [(4, 3), (5, 4), (6, 5), (7, 6)]
    """
    sets: dict[tuple[str, int], dict[str, dict[str, int]]] = {}
    for record in _records():
        if record["scale"] != "missing":
            places = sets.setdefault((record["scale"], int(record["points"])), {})
            places.setdefault(record["language"], {})[normal_text(record["label"])] = int(record["code"])
    return tuple(LabelSet(kind, points, places) for (kind, points), places in sets.items())


@lru_cache(maxsize=1)
def missing_reasons() -> Mapping[str, str]:
    """Normalised label of "no answer" -> missing reason.

    Examples
    --------
    >>> missing_reasons()["weiss nicht"], missing_reasons()["не применимо"]
    ('dont_know', 'not_applicable')
    """
    return {normal_text(r["label"]): r["code"] for r in _records() if r["scale"] == "missing"}


def further_labels(scale: Scale) -> dict[str, dict[str, int]]:
    """Labels in further languages and spellings that mean a code of a declared scale: language -> {label: code}.

    A set of the vocabulary belongs to the scale if it has as many points and the scale's own labels stand at the same
    places in it, all of them or all but one. A label that the scale has itself is left out, and so is one whose place
    two such sets dispute.
    """
    own = {language: _places(scale, labels) for language, labels in scale.labels.items()}
    known = {label for places in own.values() for label in places}
    known |= {normal_text(text) for by_code in scale.aliases.values() for texts in by_code.values() for text in texts}
    known |= {normal_text(text) for by_reason in scale.missing.values() for text in by_reason.values()}
    found: dict[str, dict[str, set[int]]] = {}
    for labels in label_sets():
        if _belongs(labels, own, len(scale.codes)):
            for language, places in labels.places.items():
                for label, place in places.items():
                    if label not in known:
                        found.setdefault(language, {}).setdefault(label, set()).add(scale.codes[place - 1])
    return {
        language: {label: codes.pop() for label, codes in by_label.items() if len(codes) == 1}
        for language, by_label in found.items()
    }


def _places(scale: Scale, labels: Mapping[int, str]) -> dict[str, int]:
    order = {code: place for place, code in enumerate(scale.codes, start=1)}
    return {normal_text(label): order[code] for code, label in labels.items()}


def _belongs(labels: LabelSet, own: Mapping[str, Mapping[str, int]], points: int) -> bool:
    if labels.points != points:
        return False
    most = 0
    for language, places in own.items():
        theirs = labels.places.get(language, {})
        shared = places.keys() & theirs.keys()
        if any(places[label] != theirs[label] for label in shared):
            return False
        most = max(most, len(shared))
    return most >= (points if points < 4 else points - 1)


def sets_that_part(first: str, second: str, used: Collection[str]) -> list[LabelSet]:
    """Sets that know most of the labels used, and in which these two are different answers; the best first."""
    known: dict[int, int] = {}
    sets = label_sets()
    for number, labels in enumerate(sets):
        for places in labels.places.values():
            if first in places and second in places and places[first] != places[second]:
                known[number] = max(known.get(number, 0), sum(label in places for label in used))
    best = sorted(known, key=lambda number: -known[number])
    return [sets[number] for number in best if known[number] >= 0.8 * len(used)]


def sets_with(label: str) -> list[LabelSet]:
    """Sets that hold a normalised label, in any language."""
    return [labels for labels in label_sets() if any(label in places for places in labels.places.values())]
