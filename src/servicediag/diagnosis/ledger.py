"""What earlier releases have shown of which people, so that joiners and leavers cannot be read off by subtraction."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.audit import audit
from servicediag.diagnosis.breakdowns import real_ids, wave_order
from servicediag.diagnosis.evidence import COUNTS, WHOLE, Evidence, Place, member_groups
from servicediag.diagnosis.privacy import FEASIBLE_SHARE
from servicediag.files import atomic_path
from servicediag.responses.model import Responses

__all__ = ["Ledger", "Members", "guard_against", "membership", "open_ledger", "save_release"]

SCHEMA = 1
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Steps that a mean is rounded to, in points; where even the last would tell too much, the number is withheld."""
LATTICE = {"score": 5.0, "item": 50.0, "indicator": 100.0}
"""Finest spacing of the sums that a person can add, in points: an answer on a three-point scale is 0, 50 or 100."""
USUAL_SPREAD = 25.0
"""Standard deviation, in points, that stands for that of a group where no unchanged group can lend its own."""
PLACE = ["by", "unit", "instrument", "form", "wave"]
VARIABLE = ["kind", "dimension", "name"]
MOST_AUDITED = 1_000
"""Groups of all releases, or parts that they make, above this cannot be audited; then only coarse numbers are shown."""
REST = "\x00rest"
"""Grouping of the people of no unit; no column can have that name, since control characters are refused there."""
Members = Mapping[Place, frozenset[str]]
Means = Mapping[tuple[str, ...], tuple[int, float]]
"""People and mean of each score, item or indicator."""


@dataclass(frozen=True)
class Group:
    """The people of a group in an earlier release, and the means that were shown of it."""

    members: frozenset[str]
    means: Means = field(default_factory=dict)
    released: bool = False


@dataclass(frozen=True)
class Ledger:
    """The releases so far: for each, who was in which group, as salted hashes, and the means that were shown.

    Attributes
    ----------
    salt : str
        Random, made once for this file; hashes of two ledgers cannot be compared.
    releases : tuple of mapping
        Groups of each release, oldest first.
    """

    path: Path
    salt: str
    releases: tuple[Mapping[Place, Group], ...] = ()


@dataclass(frozen=True)
class _Change:
    """How a group differs from an earlier one: how many people it has more and fewer, and the earlier group."""

    joined: int
    left: int
    earlier: Group

    @property
    def few(self) -> int:
        return self.joined + self.left


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
        releases = tuple(dict(_groups_of(release)) for release in document["releases"])
        return Ledger(place, str(document["salt"]), releases)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"ledger={str(place)!r} is no release ledger that this version can read") from error


def _groups_of(release: Mapping[str, Any]) -> Iterator[tuple[Place, Group]]:
    for group in release["groups"]:
        by, unit, instrument, form, wave = (str(group[name]) for name in PLACE)
        means = {tuple(map(str, key)): (int(n), float(mean)) for *key, n, mean in group["means"]}
        yield (by, unit, instrument, form, wave), Group(frozenset(map(str, group["members"])), means, released=True)


def membership(responses: Sequence[Responses], groupings: Sequence[str], salt: str) -> Members:
    """Salted hashes of the respondents of every group.

    Raises
    ------
    ValueError
        An export has no respondent ids of its own, so that nobody can be recognised from one release to the next.
    """
    found: dict[Place, set[str]] = {}
    for one in responses:
        ids = real_ids(one)
        if ids is None or any(person is None for person in ids):
            raise ValueError(
                "ledger= needs an id for every respondent: name the column with respondent= of read_responses"
            )
        hashes = np.array([hashlib.sha256(f"{salt}:{person}".encode()).hexdigest()[:24] for person in ids])
        for place, rows in member_groups(one, groupings):
            found.setdefault(place, set()).update(hashes[rows])
    return {place: frozenset(people) for place, people in found.items()}


def guard_against(ledger: Ledger, members: Members, evidence: Evidence, minimum: int) -> Evidence:
    """Evidence whose numbers are so coarse that they tell nothing of the few who joined or left since a release.

    The units of the first grouping, and the people of no unit, are compared with every earlier group of the same
    form; earlier waves of this study are earlier groups too. Where fewer people than the minimum differ, the unit's
    mean is rounded to a step at which their sum could still lie anywhere in a fifth of its range, and its spread is
    that of the units that did not change. The whole is put together anew from these numbers, so that it tells no more
    than they do. Counts of answers, items and shares of such a unit, and breakdowns of the form, are left out; so are
    further groupings as soon as anybody joined or left, and what no step would protect (rule ``ledger``).
    """
    sources = dict.fromkeys(place[2:5] for place in members)
    known = {place: Group(people) for place, people in members.items()}
    for source in sorted(sources, key=lambda source: (source[:2], wave_order(source[2]))):
        waves = [one for one in sources if one[:2] == source[:2] and wave_order(one[2]) < wave_order(source[2])]
        before = {place: group for place, group in known.items() if place[2:5] in waves}
        releases = [_of_form(one, source) for one in ledger.releases] + [_of_form(before, source)]
        earlier = [group for one in releases for group in (*one.values(), *_rests(one, evidence.groupings))]
        now = {place: people for place, people in members.items() if place[2:5] == source}
        evidence = _guarded(evidence, now, [group for group in earlier if group.members], minimum)
    return evidence


def _of_form(groups: Mapping[Place, Group], source: tuple[str, ...]) -> dict[Place, Group]:
    return {place: group for place, group in groups.items() if place[2:4] == source[:2]}


def _rests(groups: Mapping[Place, Group], groupings: Sequence[str]) -> Iterator[Group]:
    """People of the whole who are in no unit of a grouping: they follow by subtraction."""
    for place, whole in groups.items():
        if place[0] != WHOLE:
            continue
        for by in groupings:
            units = [group.members for other, group in groups.items() if other[0] == by and other[2:] == place[2:]]
            yield Group(whole.members.difference(*units))


def _guarded(evidence: Evidence, members: Members, earlier: Sequence[Group], minimum: int) -> Evidence:
    """The evidence of one form and wave with what changed by few people since ``earlier`` made coarse."""
    changes = {place: change for place, people in members.items() if (change := _change(people, earlier, minimum))}
    whole = next(place for place in members if place[0] == WHOLE)
    first = evidence.groupings[0] if evidence.groupings else WHOLE
    units = [place for place in members if place[0] == first != WHOLE]
    rest = members[whole].difference(*(members[place] for place in units))
    of_rest = _change(rest, earlier, minimum)
    parts = {place: changes[place] for place in units if place in changes}
    # groups of two groupings that changed overlap in ways that rounding does not cover
    moved = any(group.members != members[whole] and group.members & members[whole] for group in earlier)
    closed = {place for place in members if place[0] not in (WHOLE, first) and moved}
    if of_rest is not None:
        parts[(REST, "", *whole[2:])] = of_rest
    elif whole in changes and not parts:
        # who joined or left is in no unit that changed, as after another grouping: only the whole can be shown
        closed |= {place for place in members if place[0] != WHOLE}
        parts[(REST, "", *whole[2:])] = changes[whole]
        units = []
    exact = [
        place for place in members if place not in parts and not (place == whole and parts) and place not in closed
    ]
    changed = [place for place in parts if place[0] != REST]
    # the whole less its coarse units is exact again
    others = (REST, "others", *whole[2:])
    groups = {place: members[place] for place in exact}
    if changed:
        groups[others] = members[whole].difference(*(members[place] for place in changed))
    exposing = _exposing(groups, earlier, minimum)
    closed |= exposing - {others} | (set(changed) if others in exposing else set())
    evidence = _as_before(evidence, members, earlier)
    if not parts and not closed:
        return evidence
    return _Coarse(evidence, whole, tuple(units), parts, changes.get(whole)).evidence(frozenset(closed))


def _as_before(evidence: Evidence, members: Members, earlier: Sequence[Group]) -> Evidence:
    """What was withheld of the very same people stays withheld: something else may have been withheld to protect it."""
    known: dict[frozenset[str], set[tuple[str, ...]]] = {}
    for group in earlier:
        if group.released:
            known.setdefault(group.members, set()).update(group.means)
    cells = evidence.cells
    places = cells[PLACE].itertuples(index=False, name=None)
    variables = cells[VARIABLE].itertuples(index=False, name=None)
    again = frozenset(
        (*place, *variable)
        for place, variable in zip(places, variables, strict=True)
        if members.get(place) in known and variable not in known[members[place]]
    )
    return replace(evidence, closed_cells=evidence.closed_cells | again) if again else evidence


def _exposing(members: Members, earlier: Sequence[Group], minimum: int) -> set[Place]:
    """Groups that, shown as they are, would single out few people together with what was shown before."""
    shown = list({group.members for group in earlier if group.means})
    if not shown:
        return set()
    groups = [*shown, *members.values()]
    people = {person: column for column, person in enumerate(frozenset().union(*groups))}
    inside = np.zeros((len(groups), len(people)), dtype=bool)
    for row, group in enumerate(groups):
        inside[row, [people[person] for person in group]] = True
    atoms, sizes = np.unique(inside, axis=1, return_counts=True)
    hidden = np.array([0 < len(group) < minimum for group in groups])
    hidden[: len(shown)] = False
    if len(shown) == 1:
        # the audit takes the first group alone to be the whole, which it would hide in the end
        atoms, hidden = np.vstack([atoms[:1], atoms]), np.append(hidden[:1], hidden)
    result = audit(atoms, sizes, hidden, minimum, largest=MOST_AUDITED, settled=len(atoms) - len(members))
    return (
        {place for place, gone in zip(members, result.hidden[-len(members) :], strict=True) if gone}
        if members
        else set()
    )


def _change(people: frozenset[str], earlier: Iterable[Group], minimum: int) -> _Change | None:
    """The earlier group from which most people differ, but fewer than the minimum; None where there is none."""
    found = [
        _Change(len(people - group.members), len(group.members - people), group)
        for group in earlier
        if abs(len(people) - len(group.members)) < minimum and 0 < len(people ^ group.members) < minimum
    ]
    return max(found, key=lambda change: (change.few, len(change.earlier.means)), default=None)


@dataclass(frozen=True)
class _Coarse:
    """One form and wave in which some units, or the people of none, differ from an earlier release by few people."""

    source: Evidence
    whole: Place
    units: tuple[Place, ...]
    parts: Mapping[Place, _Change]
    of_whole: _Change | None

    def evidence(self, closed: frozenset[Place]) -> Evidence:
        cells = self.source.cells.copy()
        places = list(zip(*(cells[name] for name in PLACE), strict=True))
        variables = list(zip(*(cells[name] for name in VARIABLE), strict=True))
        at = {key: row for row, key in enumerate(zip(places, variables, strict=True))}
        sums = cells[["n", "total", "total_squares"]].to_numpy(float)
        gone: set[tuple[str, ...]] = set()
        for variable in dict.fromkeys(v for place, v in zip(places, variables, strict=True) if place == self.whole):
            gone.update(self._variable(at, sums, variable))
        cells["total"], cells["total_squares"] = sums[:, 1], sums[:, 2]
        touched = np.array([place in self.parts or place == self.whole for place in places])
        cells.loc[touched, COUNTS] = 0
        shut = {
            (*place, *v) for place, v in zip(places, variables, strict=True) if place in self.parts and v[0] != "score"
        }
        return replace(
            self.source,
            cells=cells,
            closed=self.source.closed | closed,
            closed_cells=self.source.closed_cells | shut | gone,
            segments=self._without(self.source.segments),
            changes=self._without(self.source.changes),
            clusters=self._without(self.source.clusters),
            cross=self._without_cross(),
            notes=tuple(dict.fromkeys((*self.source.notes, NOTE))),
        )

    def _variable(
        self, at: Mapping[tuple[Place, tuple[str, ...]], int], sums: np.ndarray, variable: tuple[str, ...]
    ) -> Iterator[tuple[str, ...]]:
        """Make one variable coarse in place; what cannot be protected is yielded."""
        rows = {place: at[place, variable] for place in self.units if (place, variable) in at}
        whole = at[self.whole, variable]
        before = sums[whole].copy()
        rest = before - sums[list(rows.values())].sum(axis=0) if rows else before
        lent = _spread(sums[[row for place, row in rows.items() if place not in self.parts]])
        moved, half, safe = np.zeros(3), 0.0, True
        for place, change in self.parts.items():
            old = rest if place[0] == REST else sums[rows[place]].copy() if place in rows else np.zeros(3)
            if old[0] < 1:
                continue
            new, hidden_within = _rounded(old, change, variable, lent)
            if new is None:
                safe = False
                if place[0] != REST:
                    yield (*place, *variable)
                continue
            moved, half = moved + new - old, half + hidden_within
            if place[0] != REST:
                sums[rows[place]] = new
        sums[whole] = before + moved
        if variable[0] == "indicator":
            sums[whole, 1] = min(max(round(sums[whole, 1]), 0), before[0])
        safe = safe and (self.of_whole is None or _is_wide(sums[whole, 1], half, self.of_whole, variable))
        if not safe:
            yield (*self.whole, *variable)

    def _without(self, table: pd.DataFrame) -> pd.DataFrame:
        keep = [key != self.whole[2:4] for key in zip(table["instrument"], table["form"], strict=True)]
        return table[np.array(keep, dtype=bool)].reset_index(drop=True)

    def _without_cross(self) -> pd.DataFrame:
        cross = self.source.cross
        mine = np.array([f"{self.whole[2]}:{self.whole[3]}" in source.split("+") for source in cross["source"]], bool)
        return cross[~(mine & (cross["wave"] == self.whole[4]).to_numpy())].reset_index(drop=True)


NOTE = (
    "Few people joined or left some groups since an earlier release: their means are rounded to steps of up to 10 "
    "points, with the spread of other groups, and totals contain the rounded numbers."
)


def _spread(sums: np.ndarray) -> float:
    """Variance within the groups that did not change."""
    n, total, squares = sums.T
    if not (n - 1).sum() > 0:
        return USUAL_SPREAD**2
    return max(float((squares - total**2 / np.maximum(n, 1)).sum() / (n - 1).sum()), 1.0)


def _rounded(
    sums: np.ndarray, change: _Change, variable: tuple[str, ...], variance: float
) -> tuple[np.ndarray | None, float]:
    """Sums with a rounded mean and a lent variance, at the first step that protects those who joined or left.

    With it comes half of the width, in points, that the true sum may lie in.
    """
    n, total, _ = sums
    points = _points(variable)
    needed = max(100.0 * FEASIBLE_SHARE * change.few, 2.0 * LATTICE[variable[0]])
    for step in STEPS:
        mean = round(points * total / n / step) * step
        half = n * step / 2
        if 2 * half >= needed and _is_wide(mean * n / points, half, change, variable):
            share = min(max(mean / 100.0, 0.0), 1.0)
            spread = share * (1 - share) if variable[0] == "indicator" else variance
            rounded = mean * n / points
            return np.array([n, rounded, rounded**2 / n + max(n - 1, 0.0) * spread]), half
    return None, 0.0


def _points(variable: tuple[str, ...]) -> float:
    """Points that one unit of a sum counts for: indicators are sums of zeros and ones."""
    return 100.0 if variable[0] == "indicator" else 1.0


def _is_wide(total: float, half: float, change: _Change, variable: tuple[str, ...]) -> bool:
    """Whether the sum of those who joined less that of those who left may lie in a fifth of its range.

    What was shown earlier is taken to be exact. Where the earlier mean was not shown, the rounding alone protects.
    """
    if variable not in change.earlier.means:
        return True
    n_before, mean_before = change.earlier.means[variable]
    difference = _points(variable) * (total - mean_before * n_before)
    low, high = max(difference - half, -100.0 * change.left), min(difference + half, 100.0 * change.joined)
    return high - low >= max(100.0 * FEASIBLE_SHARE * change.few, LATTICE[variable[0]])


def save_release(ledger: Ledger, members: Members, shown: pd.DataFrame) -> None:
    """Add a release to the ledger's file, whole or not at all.

    Parameters
    ----------
    shown : DataFrame
        Cells that are shown, with their ``mean``.
    """
    means: dict[Place, dict[tuple[str, ...], tuple[int, float]]] = {}
    for row in shown[[*PLACE, *VARIABLE, "n", "mean"]].itertuples(index=False, name=None):
        by, unit, instrument, form, wave, *variable, n, mean = row
        means.setdefault((by, unit, instrument, form, wave), {})[tuple(variable)] = (int(n), float(mean))
    release = {place: Group(members[place], means.get(place, {})) for place in sorted(members)}
    document = {
        "schema": SCHEMA,
        "salt": ledger.salt,
        "releases": [{"groups": [_document(p, g) for p, g in one.items()]} for one in (*ledger.releases, release)],
    }
    with atomic_path(ledger.path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


def _document(place: Place, group: Group) -> dict[str, Any]:
    means = [[*variable, n, round(mean, 6)] for variable, (n, mean) in group.means.items()]
    return {**dict(zip(PLACE, place, strict=True)), "members": sorted(group.members), "means": means}
