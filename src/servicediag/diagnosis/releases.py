"""The release ledger's file: which people every group of a release had, and what was shown of them."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from servicediag.diagnosis.backgrounds import read_backgrounds
from servicediag.diagnosis.breakdowns import real_ids
from servicediag.diagnosis.evidence import COUNTS, Place, groupings_of, quantities_of, wave_codes_of
from servicediag.diagnosis.sums import BACKGROUND
from servicediag.errors import Issue, ResponsesError
from servicediag.files import atomic_path, check_target, create_new
from servicediag.responses.model import Responses
from servicediag.responses.safety import Limits, sniff_kind, too_large
from servicediag.scoring import code_points, score_all

__all__ = [
    "MOST_BYTES", "PLACE", "VARIABLE", "Group", "Ledger", "LedgerError", "Members", "Release", "Shown", "Source",
    "Variable", "membership", "open_ledger", "segment_place", "write_release",
]  # fmt: skip

SCHEMA = 3
MOST_BYTES = 200_000_000
"""A membership takes 33 bytes: fifty releases of 10,000 people in twelve groups each."""
MOST_VALUES = 10_000_000
"""Commas and opening brackets; ledgers have one in 12 to 33 bytes, and a file of nothing else would fill the memory."""
MOST_PEOPLE = 1_000_000_000
"""More than any study has; with larger numbers sums of squares would cease to be exact, or to be finite."""
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
    sha256 : str, optional
        Of the file as it was read; None where there was none.
    """

    path: Path
    salt: str
    releases: tuple[Release, ...] = ()
    sha256: str | None = None


class LedgerError(ResponsesError, ValueError):
    """A release ledger is faulty, in use, or was changed meanwhile; ``issues`` says what to do."""


def open_ledger(path: str | os.PathLike[str]) -> Ledger:
    """Read a ledger, or begin one where there is no file yet; it must be possible to write it later.

    Raises
    ------
    ValueError
        The path is a symbolic link.
    LedgerError
        unreadable_file or too_large: no ledger of this version. ledger_locked: another diagnosis uses it.
    OSError
        The path is a folder, or its folder does not exist or cannot be written into.
    """
    place = Path(path)
    if place.is_symlink():
        raise ValueError(f"ledger={str(place)!r} is a symbolic link; name the file itself")
    check_target(place, overwrite=True)
    with _locked(place):
        content = _content(place)
    if content is None:
        return Ledger(place, secrets.token_hex(16))
    try:
        return replace(_parsed(content, place), sha256=hashlib.sha256(content).hexdigest())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        problem = "It is damaged, or no ledger, or another version of servicediag wrote it."
        raise _unreadable(place, [Issue("unreadable_file", "error", place.name, problem)]) from error


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Keep other diagnoses from the ledger, by a file beside it that only one of them can make."""
    lock = place.with_name(f"{place.name}.lock")
    try:
        create_new(lock)
    except FileExistsError:
        raise LedgerError(f"{place.name} is in use; nothing was added to it.", [Issue(
            "ledger_locked", "error", place.name,
            f"Another diagnosis is reading or writing the ledger, as {str(lock)!r} tells.",
            "Run the diagnosis again in a moment. If none is running, one was killed: then that file may be deleted.",
        )]) from None  # fmt: skip
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _content(place: Path) -> bytes | None:
    """The bytes of the file, within the limits; None where there is none."""
    if not os.path.lexists(place):
        return None
    try:
        sniff_kind(place, _limits())
        with place.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        _check_size(place, content)
    except ResponsesError as error:
        raise _unreadable(place, error.issues) from None
    return content


def _limits() -> Limits:
    return Limits(workbook_bytes=MOST_BYTES, text_bytes=MOST_BYTES, json_values=MOST_VALUES)


def _check_size(place: Path, content: bytes) -> None:
    values = sum(map(content.count, (b",", b"[", b"{")))
    for what, found, limit in (("Bytes", len(content), "text_bytes"), ("Values", values, "json_values")):
        if found > getattr(_limits(), limit):
            raise too_large(place.name, what, found, limit, _limits())


def _unreadable(place: Path, issues: Sequence[Issue]) -> LedgerError:
    remedy = "Take it from a backup; another file as ledger= would know of no earlier release."
    headline = f"{place.name} is no release ledger that this version can read."
    return LedgerError(headline, [replace(one, remedy=remedy) for one in issues])


def _parsed(content: bytes, place: Path) -> Ledger:
    document = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    if document["schema"] != SCHEMA:
        raise ValueError("another version")
    (salt,) = _texts([document["salt"]])
    if not salt:
        raise ValueError("hashes without a salt tell the ids")
    return Ledger(place, salt, tuple(_release(one) for one in _list(document["releases"])))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _release(document: Mapping[str, Any]) -> Release:
    groups: dict[Place, Group] = {}
    for group in _list(document["groups"]):
        by, unit, instrument, form, wave = _texts([group[name] for name in PLACE])
        people = frozenset(_texts(group["members"]))
        groups[by, unit, instrument, form, wave] = Group(people, _means(group["means"]), released=True)
    unanswered = {}
    for entry in _list(document["unanswered"]):
        instrument, form, wave, kind, dimension, name = _texts(entry["variable"])
        unanswered[(instrument, form, wave), (kind, dimension, name)] = frozenset(_texts(entry["people"]))
    comments = {}
    for entry in _list(document.get("comments", [])):
        instrument, form, wave = _texts(entry["source"])
        comments[instrument, form, wave] = frozenset(_texts(entry["lists"]))
    for found, name in ((groups, "groups"), (unanswered, "unanswered"), (comments, "comments")):
        _refuse_doubles(found, document.get(name, ()))
    return Release(groups, unanswered, comments)


def _means(rows: Any) -> dict[Variable, Shown]:
    means: dict[Variable, Shown] = {}
    for kind, dimension, name, *shown in _list(rows):
        _texts([kind, dimension, name])
        means[kind, dimension, name] = _shown(100.0 if kind == "indicator" else 1.0, *shown)
    _refuse_doubles(means, rows)
    return means


def _shown(points: float, n: Any, mean: Any, squares: Any, errors: Any, counts: Any) -> Shown:
    """What was shown of a variable, of which a value of 1 counts for so many points; refused if it cannot be true."""
    people = _number(n, 1, MOST_PEOPLE, whole=True)
    names = _texts([name for name, _ in _list(errors)])
    halves = [_number(half, 0, 100 * MOST_PEOPLE) for _, half in errors]
    # of what is kept with six decimals, and of roundings, which may lead out of the range of the answers
    slack = 1 + 1e-4 * people + 1.001 * sum(halves)
    share = slack / (points * people)
    average = _number(mean, -share, 100 / points + share)
    spread = None if squares is None else _number(squares, 0, 1e4 * people + slack)
    chosen = tuple(int(_number(count, 0, MOST_PEOPLE, whole=True)) for count in _list(counts))
    if len(chosen) not in (0, len(COUNTS)):
        raise ValueError("not a count for each option")
    return Shown(int(people), average, spread, tuple(zip(names, halves, strict=True)), chosen)


def _texts(values: Any) -> list[str]:
    """A list of texts; JSON can spell halves of characters, which no file can hold."""
    "".join(_list(values)).encode("utf-8")
    return values  # type: ignore[no-any-return]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _number(value: Any, low: float, high: float, *, whole: bool = False) -> float:
    kinds = (int,) if whole else (int, float)
    # what is no number, NaN, compares with nothing
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise ValueError("no number, or out of its range")
    return float(value)


def _refuse_doubles(found: Mapping[Any, Any], entries: Sequence[Any]) -> None:
    """Refuse a repeated group or variable: the last would hide from the audit what the others tell."""
    if len(found) < len(entries):
        raise ValueError("the same entry twice")


def write_release(ledger: Ledger, release: Release) -> None:
    """Add a release to the ledger's file, whole or not at all.

    Raises
    ------
    LedgerError
        ledger_changed: the file is not what it was when the ledger was opened. ledger_locked: another diagnosis uses
        it. too_large: with the release it could not be read again.
    """
    document = {
        "schema": SCHEMA,
        "salt": ledger.salt,
        "releases": [_document(one) for one in (*ledger.releases, release)],
    }
    content = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8")
    try:
        _check_size(ledger.path, content)
    except ResponsesError as error:
        headline = f"{ledger.path.name} has no room for this release; nothing was added to it."
        remedy = "Begin another file as ledger=; it knows of no earlier release."
        raise LedgerError(headline, [replace(one, remedy=remedy) for one in error.issues]) from None
    with _locked(ledger.path):
        now = _content(ledger.path)
        if ledger.sha256 != (None if now is None else hashlib.sha256(now).hexdigest()):
            raise _changed(ledger.path)
        with atomic_path(ledger.path, overwrite=True) as temporary:
            temporary.write_bytes(content)


def _changed(place: Path) -> LedgerError:
    problem = "It is not what it was when the diagnosis began: another may have added a release."
    issue = Issue("ledger_changed", "error", place.name, problem, "Run the diagnosis again.")
    return LedgerError(f"{place.name} was changed during this diagnosis; nothing was added to it.", [issue])


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
