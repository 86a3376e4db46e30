"""The release ledger's file: which people every group of a release had, and what was shown of them."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from servicediag.diagnosis.backgrounds import read_backgrounds
from servicediag.diagnosis.breakdowns import real_ids
from servicediag.diagnosis.evidence import Place, groupings_of, quantities_of, wave_codes_of
from servicediag.diagnosis.sums import BACKGROUND
from servicediag.files import atomic_path
from servicediag.responses.model import Responses
from servicediag.scoring import code_points, score_all

__all__ = [
    "PLACE", "VARIABLE", "Group", "Ledger", "Members", "Release", "Shown", "Source", "Variable", "membership",
    "open_ledger", "segment_place", "write_release",
]  # fmt: skip

SCHEMA = 3
PLACE = ["by", "unit", "instrument", "form", "wave"]
VARIABLE = ["kind", "dimension", "name"]
Source = tuple[str, str, str]
"""Instrument, form and wave."""
Variable = tuple[str, str, str]
"""Kind, dimension and name of a score, an item or an indicator."""


@dataclass(frozen=True)
class Shown:
    """What was shown of a variable: people, mean, sum of squares where the spread was shown too.

    ``errors`` are the roundings that are part of the sum, each with the most it may be, in points. ``counts`` are the
    answers to an item by option, where they were shown.
    """

    n: int
    mean: float
    squares: float | None = None
    errors: tuple[tuple[str, float], ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Group:
    """The people of a group in an earlier release, and what was shown of them."""

    members: frozenset[str]
    means: Mapping[Variable, Shown] = field(default_factory=dict)
    released: bool = False


@dataclass(frozen=True)
class Members:
    """Hashes of the people of every group, of those who gave no answer, and of the groups by background.

    Attributes
    ----------
    groups, segments : mapping of place -> frozenset of str
    unanswered : mapping of (source, variable) -> frozenset of str
        Only where somebody gave none.
    """

    groups: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    segments: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    unanswered: Mapping[tuple[Source, Variable], frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Release:
    """Groups of a release, who of them gave no answer to which variable, and a hash of every list of open answers."""

    groups: Mapping[Place, Group]
    unanswered: Mapping[tuple[Source, Variable], frozenset[str]]
    comments: Mapping[Source, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """The releases so far: for each, who was in which group, as salted hashes, and what was shown.

    Attributes
    ----------
    salt : str
        Random, made once for this file; hashes of two ledgers cannot be compared.
    releases : tuple of Release
        Oldest first.
    """

    path: Path
    salt: str
    releases: tuple[Release, ...] = ()


def open_ledger(path: str | os.PathLike[str]) -> Ledger:
    """Read a ledger, or begin one where there is no file yet; nothing is written.

    Raises
    ------
    ValueError
        The file is no ledger of this version, or a symbolic link.
    """
    place = Path(path)
    if place.is_symlink():
        raise ValueError(f"ledger={str(place)!r} is a symbolic link; name the file itself")
    if not place.exists():
        return Ledger(place, secrets.token_hex(16))
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError("another version")
        return Ledger(place, str(document["salt"]), tuple(_release(one) for one in document["releases"]))
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"ledger={str(place)!r} is no release ledger that this version can read") from error


def _release(document: Mapping[str, Any]) -> Release:
    groups: dict[Place, Group] = {}
    for group in document["groups"]:
        by, unit, instrument, form, wave = (str(group[name]) for name in PLACE)
        means = {}
        for kind, dimension, name, n, mean, squares, errors, counts in group["means"]:
            known = tuple((str(error), float(half)) for error, half in errors)
            spread = None if squares is None else float(squares)
            chosen = tuple(map(int, counts))
            means[str(kind), str(dimension), str(name)] = Shown(int(n), float(mean), spread, known, chosen)
        people = frozenset(map(str, group["members"]))
        groups[by, unit, instrument, form, wave] = Group(people, means, released=True)
    unanswered = {}
    for entry in document["unanswered"]:
        instrument, form, wave, kind, dimension, name = map(str, entry["variable"])
        unanswered[(instrument, form, wave), (kind, dimension, name)] = frozenset(map(str, entry["people"]))
    comments = {}
    for entry in document.get("comments", ()):
        instrument, form, wave = map(str, entry["source"])
        comments[instrument, form, wave] = frozenset(map(str, entry["lists"]))
    return Release(groups, unanswered, comments)


def write_release(ledger: Ledger, release: Release) -> None:
    """Add a release to the ledger's file, whole or not at all."""
    document = {
        "schema": SCHEMA,
        "salt": ledger.salt,
        "releases": [_document(one) for one in (*ledger.releases, release)],
    }
    with atomic_path(ledger.path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


def _document(release: Release) -> dict[str, Any]:
    groups = []
    for place, group in release.groups.items():
        means = [
            [*variable, one.n, round(one.mean, 6), None if one.squares is None else round(one.squares, 3),
             [[error, round(half, 6)] for error, half in one.errors], list(one.counts)]
            for variable, one in group.means.items()
        ]  # fmt: skip
        groups.append({**dict(zip(PLACE, place, strict=True)), "members": sorted(group.members), "means": means})
    unanswered = [
        {"variable": [*source, *variable], "people": sorted(people)}
        for (source, variable), people in release.unanswered.items()
    ]
    comments = [{"source": list(source), "lists": sorted(lists)} for source, lists in release.comments.items()]
    return {"groups": groups, "unanswered": unanswered, **({"comments": comments} if comments else {})}


def segment_place(by: str, unit: str, background: str, category: str, source: Source) -> Place:
    """The place of a background category within a group; no column and no unit can have such a name."""
    return (f"{by}{BACKGROUND}{background}", f"{unit}{BACKGROUND}{category}", *source)


def membership(
    responses: Sequence[Responses], groupings: Sequence[str], background: Sequence[str] | None, salt: str
) -> Members:
    """Salted hashes of the respondents of every group.

    Raises
    ------
    ValueError
        An export has no respondent ids of its own, so that nobody can be recognised from one release to the next.
    """
    groups: dict[Place, set[str]] = {}
    segments: dict[Place, set[str]] = {}
    unanswered: dict[tuple[Source, Variable], set[str]] = {}
    for one in responses:
        ids = real_ids(one)
        if ids is None or any(person is None for person in ids):
            raise ValueError("ledger= needs an id for every respondent: name their column with respondent=")
        hashes = np.array(
            [hashlib.sha256(f"{salt}:{person}".encode()).hexdigest()[:24] for person in ids], dtype=object
        )
        for found, pairs in (
            (groups, _member_groups(one, groupings)),
            (segments, _segment_groups(one, groupings, background)),
        ):
            for place, rows in pairs:
                found.setdefault(place, set()).update(hashes[rows])
        for key, rows in _unanswered(one):
            unanswered.setdefault(key, set()).update(hashes[rows])
    return Members(
        {place: frozenset(people) for place, people in groups.items()},
        {place: frozenset(people) for place, people in segments.items()},
        {key: frozenset(people) for key, people in unanswered.items()},
    )


def _member_groups(responses: Responses, names: Sequence[str]) -> Iterator[tuple[Place, np.ndarray]]:
    """Rows of the respondents of every group that the evidence keeps sums of."""
    waves, wave_names = wave_codes_of(responses)
    for grouping in groupings_of(responses, names):
        for wave, wave_name in enumerate(wave_names):
            for unit, unit_name in enumerate(grouping.units):
                rows = np.flatnonzero((waves == wave) & (grouping.codes == unit))
                for part in responses.parts:
                    place = (grouping.by, str(unit_name), part.instrument.id, part.form.id, str(wave_name))
                    if len(rows):
                        yield place, rows


def _segment_groups(
    responses: Responses, names: Sequence[str], background: Sequence[str] | None
) -> Iterator[tuple[Place, np.ndarray]]:
    """The same for every background category within every group."""
    waves, wave_names = wave_codes_of(responses)
    fields, _ = read_backgrounds(responses, None if background is None else tuple(background))
    for grouping in groupings_of(responses, names):
        for one in fields:
            key = (waves * len(grouping.units) + grouping.codes) * len(one.categories) + one.codes
            key = np.where((grouping.codes < 0) | (one.codes < 0), -1, key)
            for code in np.unique(key[key >= 0]):
                place, category = divmod(int(code), len(one.categories))
                wave, unit = divmod(place, len(grouping.units))
                rows = np.flatnonzero(key == code)
                for part in responses.parts:
                    source = (part.instrument.id, part.form.id, str(wave_names[wave]))
                    names_of = (grouping.by, str(grouping.units[unit]), one.id, str(one.categories[category]))
                    yield segment_place(*names_of, source), rows


def _unanswered(responses: Responses) -> Iterator[tuple[tuple[Source, Variable], np.ndarray]]:
    """Rows of those who have no value of a score, an item or an indicator."""
    waves, wave_names = wave_codes_of(responses)
    for one in quantities_of(responses, score_all(responses)):
        missing = np.isnan(one.values)
        if one.kind == "item":
            missing = np.take(np.isnan(code_points(one.part, one.name)), one.values.view(np.uint8))
        for wave, name in enumerate(wave_names):
            rows = np.flatnonzero(missing & (waves == wave))
            if len(rows):
                source = (one.part.instrument.id, one.part.form.id, str(name))
                yield (source, (one.kind, one.dimension, one.name)), rows
