"""What earlier releases have shown of which people, so that joiners and leavers cannot be read off by subtraction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from servicediag.diagnosis.breakdowns import wave_order
from servicediag.diagnosis.evidence import COUNTS, WHOLE, Evidence, Place
from servicediag.diagnosis.privacy import PrivacyRules
from servicediag.diagnosis.ranges import FEASIBLE_SHARE
from servicediag.diagnosis.release_gate import ReleaseGate
from servicediag.diagnosis.releases import PLACE, VARIABLE, Group, Ledger, Members, Release, Variable
from servicediag.instrument import Instrument
from servicediag.wording.telling import sentence

__all__ = ["Guarded", "guard_against"]

MOST_STRETCHES = 3
"""Into how many equal stretches the range of what joiners and leavers can change is cut; one of them is told."""
LATTICE = {"score": 5.0, "item": 50.0, "indicator": 100.0}
"""Finest spacing of the sums that a person can add, in points: an answer on a three-point scale is 0, 50 or 100."""
USUAL_SPREAD = 25.0
"""Standard deviation, in points, that stands for that of a group where no unchanged group can lend its own."""
REST = "\x00rest"
"""Grouping of the people of no unit; no column can have that name, since control characters are refused there."""
Groups = Mapping[Place, frozenset[str]]
Errors = tuple[tuple[str, float], ...]
"""Names of roundings, each with the most that it may be either way."""


@dataclass(frozen=True)
class _Change:
    """How a group differs from an earlier one: how many people it has more and fewer, and the earlier group."""

    joined: int
    left: int
    earlier: Group

    @property
    def few(self) -> int:
        return self.joined + self.left


@dataclass(frozen=True)
class Guarded:
    """Evidence that may be shown beside earlier releases, and the release to be kept in the ledger."""

    evidence: Evidence
    release: Release


def guard_against(
    ledger: Ledger, members: Members, evidence: Evidence, minimum: int, rules: PrivacyRules | None = None
) -> Guarded:
    """Evidence whose numbers are so coarse that they tell nothing of the few who joined or left since a release.

    The units of the first grouping, and the people of no unit, are compared with every earlier group of the same
    form, or of another form for the same raters; earlier waves of this study are earlier groups too. Where fewer
    people than the minimum differ, the unit's mean is rounded to a step at which their sum could still lie anywhere
    in a fifth of its range, and its spread is that of the units that did not change. The whole is put together anew
    from these numbers, so that it tells no more than they do. Counts of answers, items and shares of such a unit, and
    breakdowns of the form, are left out; so are further groupings as soon as anybody joined or left, and what no step
    would protect (rule ``ledger``).

    All that is left is then put together with all that was shown earlier; what would tell of few people is withheld,
    until nothing does.
    """
    sources = dict.fromkeys(place[2:5] for place in members.groups)
    done: dict[Place, Group] = {}
    for source in sorted(sources, key=lambda source: (source[:2], wave_order(source[2]))):
        waves = [one for one in sources if one[:2] == source[:2] and wave_order(one[2]) < wave_order(source[2])]
        mine = {p: group for p, group in done.items() if p[2:5] in waves or p[2:4] != source[:2]}
        before = Release(mine, members.unanswered)
        forms = _Forms(evidence.instruments[source[0]], source[1])
        releases = [forms.of(one) for one in (*ledger.releases, before)]
        earlier = [[*one.groups.values(), *_rests(one, evidence.groupings)] for one in releases]
        earlier = [[group for group in one if group.members] for one in earlier]
        now = {place: people for place, people in members.groups.items() if place[2:5] == source}
        coarse = _guarded(evidence, now, earlier, minimum)
        gate = ReleaseGate(coarse.evidence, members, source, coarse.errors, minimum, rules or PrivacyRules())
        evidence, groups = gate.against([one for one in releases if one.groups])
        done.update(groups)
    return Guarded(evidence, Release(done, members.unanswered))


@dataclass(frozen=True)
class _Forms:
    """A form, and the others of its instrument that ask the same raters, whose numbers can be subtracted from it."""

    instrument: Instrument
    form: str

    def of(self, release: Release) -> Release:
        """The groups of these forms, with what is the same in both."""
        groups = {
            place: group if place[3] == self.form else self._same(group, place[3])
            for place, group in release.groups.items()
            if place[2] == self.instrument.id and place[3] in self._of_the_same_raters
        }
        return Release(groups, release.unanswered)

    @cached_property
    def _of_the_same_raters(self) -> frozenset[str]:
        rater = self.instrument.form(self.form).rater
        return frozenset(form.id for form in self.instrument.forms if form.rater == rater)

    def _same(self, group: Group, form: str) -> Group:
        """Scores of the same items, and items; what another form did not show was not withheld for that."""
        means = {v: one for v, one in group.means.items() if self._items(v, form) == self._items(v, self.form)}
        return replace(group, means=means, released=False)

    def _items(self, variable: Variable, form: str) -> frozenset[str]:
        kind, dimension, name = variable
        if kind == "item":
            return frozenset([name])
        inside = set(self.instrument.form(form).items)
        return frozenset(
            item.code
            for one in self.instrument.dimensions
            for item in one.scored_items
            if one.id == dimension and item.code in inside
        )


def _rests(release: Release, groupings: Sequence[str]) -> Iterator[Group]:
    """People of the whole who are in no unit of a grouping: they follow by subtraction."""
    groups = release.groups
    for place, whole in groups.items():
        if place[0] != WHOLE:
            continue
        for by in groupings:
            units = [group.members for other, group in groups.items() if other[0] == by and other[2:] == place[2:]]
            yield Group(whole.members.difference(*units))


@dataclass(frozen=True)
class _Rounded:
    """Evidence with what changed made coarse, and the roundings in the sums of each place and variable, in points."""

    evidence: Evidence
    errors: Mapping[tuple[Place, Variable], Errors] = field(default_factory=dict)


def _guarded(evidence: Evidence, members: Groups, earlier: Sequence[Sequence[Group]], minimum: int) -> _Rounded:
    """The evidence of one form and wave with what changed by few people since ``earlier`` releases made coarse."""
    known = [group for release in earlier for group in release]
    changes = {place: change for place, people in members.items() if (change := _change(people, earlier, minimum))}
    whole = next(place for place in members if place[0] == WHOLE)
    first = evidence.groupings[0] if evidence.groupings else WHOLE
    units = tuple(place for place in members if place[0] == first != WHOLE)
    rest = (REST, "", *whole[2:])
    nowhere = members[whole].difference(*(members[place] for place in units))
    parts = {place: changes[place] for place in units if place in changes}
    if (of_rest := _change(nowhere, earlier, minimum)) is not None:
        parts[rest] = of_rest
    moved = {
        place: (nowhere if place == rest else members[place]) ^ one.earlier.members for place, one in parts.items()
    }
    lost = None
    if whole in changes:
        gone = (members[whole] ^ changes[whole].earlier.members).difference(*moved.values())
        joined = len(gone & members[whole])
        lost = _Change(joined, len(gone) - joined, Group(frozenset())) if gone else None
    evidence = _as_before(evidence, members, changes, known)
    inside, across = _wider_groups(members, changes, moved, (WHOLE, first))
    if not parts and not across and lost is None:
        return _Rounded(evidence)
    return _Coarse(evidence, whole, units, parts, inside, across, lost, minimum).evidence()


def _wider_groups(
    members: Groups, changes: Mapping[Place, _Change], moved: Groups, units: tuple[str, str]
) -> tuple[dict[Place, tuple[Place, ...]], dict[Place, _Change]]:
    """Groups of further groupings that changed, with the units in which they did; and those that changed otherwise."""
    inside: dict[Place, tuple[Place, ...]] = {}
    across: dict[Place, _Change] = {}
    for place, change in changes.items():
        if place[0] in units:
            continue
        gone = members[place] ^ change.earlier.members
        mine = tuple(part for part, people in moved.items() if people <= gone)
        if frozenset().union(*(moved[part] for part in mine)) == gone:
            inside[place] = mine
        else:
            across[place] = change
    return inside, across


def _as_before(
    evidence: Evidence, members: Groups, changes: Mapping[Place, _Change], earlier: Sequence[Group]
) -> Evidence:
    """What was withheld of the same people, or nearly the same, stays so: other things were withheld to protect it."""
    known: dict[frozenset[str], set[Variable]] = {}
    for group in earlier:
        if group.released:
            known.setdefault(group.members, set()).update(group.means)
    before = {place: people if people in known else None for place, people in members.items()}
    for place, change in changes.items():
        if before[place] is None and change.earlier.members in known:
            before[place] = change.earlier.members
    cells = evidence.cells
    places = cells[PLACE].itertuples(index=False, name=None)
    variables = cells[VARIABLE].itertuples(index=False, name=None)
    again = frozenset(
        (*place, *variable)
        for place, variable in zip(places, variables, strict=True)
        if (people := before.get(place)) is not None and variable not in known[people]
    )
    return replace(evidence, closed_cells=evidence.closed_cells | again) if again else evidence


def _change(people: frozenset[str], earlier: Sequence[Sequence[Group]], minimum: int) -> _Change | None:
    """The earlier group from which most people differ, but fewer than the minimum; None where there is none.

    From a release that had a group of exactly these people nothing has changed.
    """
    found = [
        _Change(len(people - group.members), len(group.members - people), group)
        for release in earlier
        if not any(group.members == people for group in release)
        for group in release
        if abs(len(people) - len(group.members)) < minimum
        and 0 < len(people ^ group.members) < minimum
        # two small groups of other people differ by few, but have nothing to be subtracted
        and not people.isdisjoint(group.members)
    ]
    return max(found, key=lambda change: (change.few, len(change.earlier.means)), default=None)


@dataclass(frozen=True)
class _Coarse:
    """One form and wave in which some units, or the people of none, differ from an earlier release by few people.

    ``wider`` are groups of further groupings with the units in which they changed, ``across`` those that changed
    otherwise; ``lost`` are people who joined or left in no unit that is still there.
    """

    source: Evidence
    whole: Place
    units: tuple[Place, ...]
    parts: Mapping[Place, _Change]
    wider: Mapping[Place, tuple[Place, ...]]
    across: Mapping[Place, _Change]
    lost: _Change | None
    minimum: int

    def evidence(self) -> _Rounded:
        cells = self.source.cells.copy()
        places = list(zip(*(cells[name] for name in PLACE), strict=True))
        variables = list(zip(*(cells[name] for name in VARIABLE), strict=True))
        at = {key: row for row, key in enumerate(zip(places, variables, strict=True))}
        sums = cells[["n", "total", "total_squares"]].to_numpy(float)
        errors: dict[tuple[Place, Variable], Errors] = {}
        for variable in dict.fromkeys(v for place, v in zip(places, variables, strict=True) if place == self.whole):
            self._variable(at, sums, variable, errors)
        cells["total"], cells["total_squares"] = sums[:, 1], sums[:, 2]
        own = {*self.parts, *self.across}
        touched = np.array([place in own or place in self.wider or place == self.whole for place in places])
        cells.loc[touched, COUNTS] = 0
        shut = {
            (*place, *v)
            for place, v in zip(places, variables, strict=True)
            if (place in own and v[0] != "score") or (place in self.wider and v[0] == "indicator")
        }
        coarse = replace(
            self.source,
            cells=cells,
            closed_cells=self.source.closed_cells | shut,
            segments=self._without(self.source.segments),
            changes=self._without(self.source.changes),
            clusters=self._without(self.source.clusters),
            cross=self._without_cross(),
            notes=tuple(dict.fromkeys((*self.source.notes, NOTE))),
        )
        return _Rounded(coarse, errors)

    def _variable(
        self,
        at: Mapping[tuple[Place, Variable], int],
        sums: np.ndarray,
        variable: Variable,
        errors: dict[tuple[Place, Variable], Errors],
    ) -> None:
        """Make one variable coarse in place, and note its roundings."""
        rows = {place: at[place, variable] for place in self.units if (place, variable) in at}
        whole = at[self.whole, variable]
        rest = sums[whole] - sums[list(rows.values())].sum(axis=0) if rows else sums[whole].copy()
        lent = _spread(sums[[row for place, row in rows.items() if place not in self.parts]])
        moved: dict[Place, np.ndarray] = {}
        parts = dict(self.parts)
        if self.lost is not None:
            carriers = [p for p, r in rows.items() if p not in parts and self._is_withheld(p, variable, sums[r, 0])]
            if carriers:
                # the rounding is put into a unit of which nothing was or is shown
                parts[max(carriers, key=lambda place: (sums[rows[place], 0], place))] = self.lost
        rows |= {place: at[place, variable] for place in self.across if (place, variable) in at}
        for place, change in {**parts, **self.across}.items():
            old = rest if place[0] == REST else sums[rows[place]].copy() if place in rows else np.zeros(3)
            if old[0] < 1:
                continue
            new, half = _rounded(old, change, variable, lent)
            errors[place, variable] = (("/".join(place[:2]), half),)
            if place in parts:
                moved[place] = new - old
            if place[0] != REST:
                sums[rows[place]] = new
        self._add_up(at, sums, variable, errors, moved)

    def _is_withheld(self, place: Place, variable: Variable, n: float) -> bool:
        return bool(n < self.minimum or (*place, *variable) in self.source.closed_cells)

    def _add_up(
        self,
        at: Mapping[tuple[Place, Variable], int],
        sums: np.ndarray,
        variable: Variable,
        errors: dict[tuple[Place, Variable], Errors],
        moved: Mapping[Place, np.ndarray],
    ) -> None:
        """Put the whole, and wider groups, together anew from the units."""
        for place, parts in ((self.whole, tuple(moved)), *self.wider.items()):
            row = at.get((place, variable))
            mine = [part for part in parts if part in moved]
            if row is None or not mine:
                continue
            sums[row] += sum(moved[part] for part in mine)
            errors[place, variable] = tuple(one for part in mine for one in errors[part, variable])
            if variable[0] == "indicator":
                exact = sums[row, 1]
                sums[row, 1] = min(max(round(exact), 0), sums[row, 0])
                own = 100.0 * max(0.5, abs(sums[row, 1] - exact))
                errors[place, variable] += (("/".join(place[:2]), own),)

    def _without(self, table: pd.DataFrame) -> pd.DataFrame:
        keep = [key != self.whole[2:4] for key in zip(table["instrument"], table["form"], strict=True)]
        return table[np.array(keep, dtype=bool)].reset_index(drop=True)

    def _without_cross(self) -> pd.DataFrame:
        cross = self.source.cross
        mine = np.array([f"{self.whole[2]}:{self.whole[3]}" in source.split("+") for source in cross["source"]], bool)
        return cross[~(mine & (cross["wave"] == self.whole[4]).to_numpy())].reset_index(drop=True)


NOTE = sentence("finding.note.changed_groups")


def _spread(sums: np.ndarray) -> float:
    """Variance within the groups that did not change."""
    n, total, squares = sums.T
    if not (n - 1).sum() > 0:
        return USUAL_SPREAD**2
    return max(float((squares - total**2 / np.maximum(n, 1)).sum() / (n - 1).sum()), 1.0)


def _rounded(sums: np.ndarray, change: _Change, variable: Variable, variance: float) -> tuple[np.ndarray, float]:
    """Sums of which the total is rounded and the spread lent, and the most that the total is off by, in points.

    Of an earlier total that was shown as it was, what joined or left added is told by the stretch that it lies in,
    which is wide enough wherever it lies. Any other total is rounded twice as far.
    """
    n, total, _ = sums
    points = _points(variable)
    few = 100.0 * change.few
    half = max(FEASIBLE_SHARE * few, 2.0 * LATTICE[variable[0]])
    rounded = round(points * total / half / 2) * half * 2
    earlier = change.earlier.means.get(variable)
    if earlier is not None and not earlier.errors:
        before, low = points * earlier.mean * earlier.n, -100.0 * change.left
        share = (points * total - before - low) / few
        # outside of what they can have added somebody else has changed an answer
        if -1e-4 <= share <= 1 + 1e-4:
            stretches = max(1, min(MOST_STRETCHES, int(few / half)))
            middle = (min(max(int(share * stretches), 0), stretches - 1) + 0.5) / stretches
            rounded, half = before + low + few * middle, few / stretches / 2
    rounded = min(max(rounded / points, 0.0), 100.0 * n / points)
    mean = rounded * points / n / 100.0
    spread = mean * (1 - mean) if variable[0] == "indicator" else variance
    return np.array([n, rounded, rounded**2 / n + max(n - 1, 0.0) * spread]), half


def _points(variable: Variable) -> float:
    """Points that one unit of a sum counts for: indicators are sums of zeros and ones."""
    return 100.0 if variable[0] == "indicator" else 1.0
