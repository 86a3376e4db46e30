"""What several releases, put together, tell about few people: linear algebra, linear programming, and the spread."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np

from servicediag.diagnosis.audit import SETTLED, TOLERANCE, combination, in_row_space, row_space, small_sets
from servicediag.diagnosis.ranges import FEASIBLE_SHARE, UNANIMITY_BELOW, feasible_width, near_an_end, open_width

__all__ = ["Fact", "exposing_groups", "too_large"]

MOST_FACTS = 600
"""More facts about one variable, or parts that they make, are not audited: then nothing new is shown of it."""
MOST_COEFFICIENTS = 100_000
"""Facts times parts within one release, above which only one of its groupings is shown."""
MOST_PROGRAMS = 3_000
"""Linear programs for one variable; where these are not enough, the smallest group goes, until they are."""
MOST_UNIONS = 20_000
"""Parts together of which the range is looked at, pairs first; of more than these only what follows exactly.

As many sets with a few people of some part are looked at besides.
"""
SLACK = 1e-4
"""Points by which sums may differ because they were written down with six digits."""


@dataclass(frozen=True)
class Fact:
    """The answers of these people, in points from 0 to 100, add up to ``total`` less the errors.

    Attributes
    ----------
    people : ndarray of bool
        Which of all respondents of all releases, or which atoms of people who are alike in every grouping.
    errors : mapping of name -> float
        Roundings that were added, each with the most that it may be either way, in points.
    group : str or None
        The group of the new release that the fact comes from; None for what was shown earlier.
    """

    people: np.ndarray
    total: float
    squares: float | None = None
    errors: Mapping[str, float] = field(default_factory=dict)
    group: str | None = None


def exposing_groups(
    facts: Sequence[Fact], minimum: int, sizes: np.ndarray | None = None, step: float | None = None
) -> set[str]:
    """Groups of the new release that must not be shown beside the others and what was shown earlier.

    Of every set of fewer people than the minimum that the groups make, the sum must not follow, and must be able to
    lie anywhere in a fifth of its range, at two possible sums at least. So must the sum of any few people of a larger
    part. What earlier releases tell by themselves cannot be helped.

    Parameters
    ----------
    facts : sequence of Fact
        Of one variable: those of earlier releases, and those of the new one.
    minimum : int
    sizes : ndarray, optional
        People of each atom, where facts are about atoms; one each where they are about people.
    step : float, optional
        Distance of two possible answers, in points, where answers are steps of a scale.

    Examples
    --------
    Six people earlier, now without the last of them; the sum of the others would tell the answer of the sixth.

    >>> everybody, fewer = np.ones(6, dtype=bool), np.arange(6) < 5
    >>> exposing_groups([Fact(everybody, 300.0), Fact(fewer, 240.0, group="now")], 5)
    {'now'}
    """
    everything = {fact.group for fact in facts if fact.group is not None}
    gone: list[str] = []
    while found := _exposing(facts, set(gone), minimum, sizes, step):
        if len(found) > 1:
            # they could not be audited
            return everything
        gone += sorted(found)
    # what went first may be needless since more has gone, and what went last since something is back
    maybe = gone[:-1]
    while maybe:
        before = len(gone)
        for group in maybe:
            if not _exposing(facts, set(gone) - {group}, minimum, sizes, step):
                gone.remove(group)
        maybe = list(gone) if len(gone) < before else []
    return set(gone)


def _exposing(
    facts: Sequence[Fact], gone: Collection[str], minimum: int, sizes: np.ndarray | None, step: float | None
) -> set[str]:
    """Groups of which one has to go besides those that are gone."""
    left = _distinct([fact for fact in facts if fact.group not in gone or fact.group is None])
    return set() if all(fact.group is None for fact in left) else _System(left, minimum, sizes, step).exposing()


def too_large(groups: np.ndarray) -> bool:
    """Whether there are more groups, or parts that they make, than can be audited together."""
    if len(groups) > MOST_FACTS or not len(groups):
        return bool(len(groups))
    parts = int(np.unique(np.packbits(groups, axis=0), axis=1).shape[1])
    return parts > MOST_FACTS or parts * len(groups) > MOST_COEFFICIENTS


def _distinct(facts: Iterable[Fact]) -> list[Fact]:
    """Facts without those that were known earlier, with their spread if they have one, and without empty ones."""
    known: dict[bytes, list[Fact]] = {}
    kept = []
    for fact in sorted(facts, key=lambda fact: fact.group is not None):
        if not fact.people.any():
            continue
        if not fact.errors:
            same = known.setdefault(np.packbits(fact.people).tobytes(), [])
            near = [one for one in same if abs(one.total - fact.total) < 2 * SLACK]
            if any(fact.squares is None or one.squares is not None for one in near):
                continue
            same.append(fact)
        kept.append(fact)
    return kept


@dataclass(frozen=True)
class _FewPeople:
    """Sets of fewer people than the minimum, each of so many people of some parts.

    ``parts`` and ``people`` say what can be chosen, ``sizes`` how many people each part has; ``chosen`` has a row for
    each set.
    """

    parts: np.ndarray
    people: np.ndarray
    chosen: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(
        cls,
        whole: Sequence[tuple[int, int]],
        some: Sequence[tuple[int, int]],
        of_how_many: Iterable[int],
        minimum: int,
        sizes: np.ndarray,
    ) -> _FewPeople:
        """Sets of so many parts, as long as these are not too many; with one of ``some``, where there are any."""
        items = np.array([*some, *whole], dtype=int).reshape(-1, 2)
        found, left = [np.zeros((0, len(items)))], MOST_UNIONS
        for count in of_how_many:
            takes = [(j, count - j) for j in range(bool(some), min(len(some), count) + 1) if count - j <= len(whole)]
            left -= sum(comb(len(some), j) * comb(len(whole), i) for j, i in takes)
            if left < 0:
                break
            for j, i in takes:
                of_whole = list(combinations(range(len(some), len(items)), i))
                places = np.array([a + b for a in combinations(range(len(some)), j) for b in of_whole], dtype=int)
                places = places.reshape(-1, count)
                parts = np.sort(items[places, 0], axis=1)
                # of one part there are not two numbers of people
                places = places[(items[places, 1].sum(axis=1) < minimum) & (parts[:, 1:] > parts[:, :-1]).all(axis=1)]
                sets = np.zeros((len(places), len(items)))
                np.put_along_axis(sets, places, 1.0, axis=1)
                found.append(sets)
        return cls(items[:, 0], items[:, 1], np.vstack(found), sizes)

    def counts(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """How many people of every part are in each set."""
        of_parts = np.zeros((len(self.parts), len(self.sizes)))
        of_parts[np.arange(len(self.parts)), self.parts] = self.people
        return np.asarray((self.chosen if chosen is None else chosen) @ of_parts)

    def ends(self, chosen: np.ndarray, points: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest sum of each set where the sums of the parts are those of any of the points."""
        if not len(points):
            return np.full(len(chosen), np.inf), np.full(len(chosen), -np.inf)
        sums, people = np.array(points).T[self.parts], 100.0 * self.people[:, None]
        others = 100.0 * self.sizes[self.parts, None] - people
        low, high = chosen @ np.maximum(sums - others, 0.0), chosen @ np.minimum(sums, people)
        return low.min(axis=1), high.max(axis=1)


class _System:
    """The facts as linear equations in the sums of people who are in exactly the same groups, and in the errors."""

    def __init__(
        self, facts: Sequence[Fact], minimum: int, sizes: np.ndarray | None, step: float | None = None
    ) -> None:
        self._facts, self._minimum, self._step = facts, minimum, step or 0.0
        inside = np.array([fact.people for fact in facts])
        patterns, place = np.unique(np.packbits(inside, axis=0).T, axis=0, return_inverse=True)
        of_class = np.bincount(place.ravel(), sizes)
        bits = np.unpackbits(patterns.T, axis=0, count=len(facts)).astype(bool)
        filled = bits.any(axis=0) & (of_class > 0)
        self._groups, self._sizes = bits[:, filled], of_class[filled]
        names = list(dict.fromkeys(name for fact in facts for name in fact.errors))
        self._half = np.array([max(fact.errors.get(name, 0.0) for fact in facts) for name in names])
        errors = np.array([[float(name in fact.errors) for name in names] for fact in facts]).reshape(len(facts), -1)
        self._matrix = np.hstack([self._groups.astype(float), errors])
        self._totals = np.array([fact.total for fact in facts])
        self._new = np.array([fact.group is not None for fact in facts])
        self._costs = np.where(self._new, 1.0, SETTLED)
        self._told = self._told_by_a_large_group()
        self._points: list[np.ndarray] = []
        self._centre: np.ndarray | None = None
        self._programs = 0
        self._slack = np.full(len(facts), SLACK)

    def exposing(self) -> set[str]:
        """Groups of which one has to go, or a reason for none."""
        everything = {fact.group for fact in self._facts if fact.group is not None}
        if max(self._matrix.shape) > MOST_FACTS:
            return everything
        if not len(self._sizes):
            return set()
        targets = self._small_sets()
        if len(targets) and len(self._half):
            together = self._together(targets)
            if together is None:
                return everything
            targets = np.vstack([targets, together])
        if len(targets):
            weights = self._weights_of_what_follows(targets)
            if weights is not None:
                return self._chosen(weights) or everything
            known = self._narrow(targets)
            if known is not None:
                return self._chosen(known) or everything
        known = self._narrow_together()
        if known is not None:
            return self._chosen(known) or everything
        return self._told_of_each() or self._told_by_spread()

    def _small_sets(self) -> np.ndarray:
        """Sets of fewer people than the minimum that the groups make, of all people and of those not told anyway."""
        sets = small_sets(self._groups, self._sizes, self._minimum)
        open_ = ~self._told
        if open_.all() or not open_.any():
            return sets
        apart = small_sets(self._groups[:, open_], self._sizes[open_], self._minimum)
        further = np.zeros((len(apart), len(self._sizes)))
        further[:, open_] = apart
        return np.unique(np.vstack([sets, further]), axis=0)

    def _together(self, sets: np.ndarray) -> np.ndarray | None:
        """Small sets that would follow but for the roundings, put together; None where there are too many.

        Of two sets the sum may be known better than that of each. A set of which large groups tell is left out: what it
        adds would not be learnt of the others.
        """
        sets = sets[~self._told_by_large_groups(sets * self._sizes)]
        known = [one > 0 for one in sets[in_row_space(self._groups.astype(float), sets)]] if len(sets) else []
        last, found = known, {one.tobytes(): one for one in known}
        while last and len(found) <= MOST_FACTS:
            joined = {
                (one | other).tobytes(): one | other
                for one in last
                for other in known
                if not (one & other).any() and (one | other) @ self._sizes < self._minimum
            }
            last = [one for key, one in joined.items() if key not in found]
            found |= joined
        more = list(found.values())[len(known) :]
        return None if len(found) > MOST_FACTS else np.array(more, dtype=float).reshape(len(more), len(self._sizes))

    def _chosen(self, weights: np.ndarray) -> set[str]:
        """The smallest new group that takes part."""
        parts = np.flatnonzero((np.abs(weights) > TOLERANCE) & self._new).tolist()
        if not parts:
            return set()
        people = self._groups @ self._sizes
        group = self._facts[min(parts, key=lambda row: (people[row], row))].group
        return set() if group is None else {group}

    def _weights_of_what_follows(self, targets: np.ndarray) -> np.ndarray | None:
        """How the facts add up to a small set that did not follow before; None where there is none."""
        wide = np.hstack([targets, np.zeros((len(targets), len(self._half)))])
        follows = in_row_space(self._matrix, wide)
        if follows.any() and not self._new.all():
            follows &= ~in_row_space(self._matrix[~self._new], wide)
        if not follows.any():
            return None
        return combination(self._matrix, wide[np.flatnonzero(follows)[0]], self._costs)

    def _narrow(self, targets: np.ndarray) -> np.ndarray | None:
        """What the facts weigh in for a small set whose sum is known too well; None where there is none."""
        if not self._is_feasible():
            return np.ones(len(self._facts))
        for target in targets[~self._told_by_large_groups(targets * self._sizes)]:
            enough = max(FEASIBLE_SHARE * 100.0 * float(target @ self._sizes), 2 * self._step)
            if self._width_so_far(target) >= enough:
                continue
            self._walk(target)
            if self._width_so_far(target) >= enough:
                continue
            known = self._known(target * self._sizes)
            if known is not None:
                return known
        return None

    def _narrow_together(self) -> np.ndarray | None:
        """The same of few people of several parts, or of some people of a part, who may be told together."""
        if not self._is_feasible():
            return np.ones(len(self._facts))
        for sets in (self._whole_parts(), self._people_of_parts()):
            known = self._narrow_among(sets)
            if known is not None:
                return known
        return None

    def _narrow_among(self, sets: _FewPeople) -> np.ndarray | None:
        """What the facts weigh in for the first of these sets whose sum is known too well; None where there is none."""
        counts = sets.counts()
        left = sets.chosen[~self._told_by_large_groups(counts) & ~self._told_by_an_earlier_fact(counts)]
        enough = FEASIBLE_SHARE * 100.0 * (left @ sets.people)
        if (sets.people == self._sizes[sets.parts]).all():
            enough = np.maximum(enough, 2 * self._step)
        lowest, highest = np.full(len(left), np.inf), np.full(len(left), -np.inf)
        seen = 0
        while len(left):
            if seen == len(self._points):
                counts = sets.counts(left[:1])[0]
                self._walk((counts > 0).astype(float))
                low, high = sets.ends(left[:1], self._points[seen:])
                if max(highest[0], high[0]) - min(lowest[0], low[0]) < enough[0]:
                    known = self._known(counts)
                    if known is not None:
                        return known
                    left, enough, lowest, highest = left[1:], enough[1:], lowest[1:], highest[1:]
            # a few solutions are enough for most sets
            low, high = sets.ends(left, self._points[seen : seen + 8])
            seen = min(seen + 8, len(self._points))
            lowest, highest = np.minimum(lowest, low), np.maximum(highest, high)
            narrow = highest - lowest < enough
            left, enough, lowest, highest = left[narrow], enough[narrow], lowest[narrow], highest[narrow]
        return None

    def _whole_parts(self) -> _FewPeople:
        """Several parts together of fewer people than the minimum, pairs first, as long as they are not too many."""
        return _FewPeople.of(self._small_parts(), [], range(2, self._minimum), self._minimum, self._sizes)

    def _people_of_parts(self) -> _FewPeople:
        """Some people of parts that are near an end of the scale, and whole parts with them."""
        points = np.array(self._points)
        room = FEASIBLE_SHARE * 100.0 * (self._minimum - 1)
        some = []
        for k in range(1, self._minimum):
            free = open_width(k, self._sizes, points, points, 100.0)
            some += [(int(part), k) for part in np.flatnonzero((self._sizes > k) & (free < room).all(axis=0))]
        whole = self._small_parts() if some else []
        return _FewPeople.of(whole, some, range(1, self._minimum), self._minimum, self._sizes)

    def _small_parts(self) -> list[tuple[int, int]]:
        """Parts of fewer people than the minimum, and how many these are."""
        return [(part, int(self._sizes[part])) for part in np.flatnonzero(self._sizes < self._minimum).tolist()]

    def _known(self, counts: np.ndarray) -> np.ndarray | None:
        """What the facts weigh in for the ends of a sum, where these tell too much and earlier releases do not."""
        n = float(counts.sum())
        low, high = self._end(counts), self._end(counts, -1.0)
        if low[0] is None or high[0] is None or self._programs > MOST_PROGRAMS:
            return np.ones(len(self._facts))
        if not self._is_told(n, low[0], -high[0]):
            return None
        if not self._new.all():
            before = [self._end(counts, sign, ~self._new)[0] for sign in (1.0, -1.0)]
            if before[0] is not None and before[1] is not None and self._is_told(n, before[0], -before[1]):
                return None
        return np.asarray(low[1] + high[1])

    def _is_told(self, n: float, low: float, high: float) -> bool:
        """Whether a sum between these ends is known to less than a fifth of its range, or is the only possible one."""
        if high - low < FEASIBLE_SHARE * 100.0 * n:
            return True
        return bool(self._step) and bool(np.floor(high / self._step + 1e-4) - np.ceil(low / self._step - 1e-4) < 1)

    def _is_feasible(self) -> bool:
        """Whether there are answers that fit the facts; earlier ones may have to give way."""
        if not self._points:
            self._find_centre()
        return bool(self._points) or self._make_feasible()

    def _width_so_far(self, target: np.ndarray) -> float:
        """How far apart the sums of the target are in the solutions that were met."""
        sums = np.array(self._points) @ target
        return float(sums.max() - sums.min())

    def _find_centre(self) -> None:
        """A solution away from every end, from which others are found without a linear program."""
        sums = 100.0 * self._sizes
        self._ends = np.vstack([np.stack([0.0 * sums, sums], axis=1), np.stack([-self._half, self._half], axis=1)])
        self._basis = row_space(self._matrix)
        # mostly everybody can have answered much alike
        even = np.append(sums * self._totals.sum() / (100.0 * (self._groups @ self._sizes).sum()), 0.0 * self._half)
        missing = self._totals - self._matrix @ even
        even = even + np.linalg.lstsq(self._matrix @ self._basis.T, missing, rcond=None)[0] @ self._basis
        away = np.abs(self._matrix @ even - self._totals).max() < SLACK
        low, width = self._ends[:, 0], self._ends[:, 1] - self._ends[:, 0]
        if away and (np.abs((even - low) / width - 0.5) < 0.4).all():
            found: np.ndarray | None = even
        else:
            found = self._farthest_from_the_ends(low, width)
        if found is not None:
            self._centre = found
            self._points.append(found[: len(self._sizes)])

    def _farthest_from_the_ends(self, low: np.ndarray, width: np.ndarray) -> np.ndarray | None:
        from scipy.optimize import linprog

        eye, one = np.eye(len(low)), width[:, None]
        # every unknown stays a share of its width, the last unknown, away from both ends
        found = linprog(
            np.append(np.zeros(len(low)), -1.0),
            A_ub=np.vstack([np.hstack([-eye, one]), np.hstack([eye, one])]),
            b_ub=np.append(-low, low + width),
            A_eq=np.hstack([self._matrix, np.zeros((len(self._matrix), 1))]),
            b_eq=self._totals,
            bounds=[(None, None)] * len(low) + [(0.0, 0.5)],
            method="highs",
        )
        return found.x[:-1] if found.success else None

    def _walk(self, target: np.ndarray) -> None:
        """Two more solutions, found from the centre in the direction that changes the target most."""
        if self._centre is None:
            return
        wide = np.append(target, np.zeros(len(self._half)))
        step = wide - (wide @ self._basis.T) @ self._basis
        step[np.abs(step) < TOLERANCE] = 0.0
        moving = step != 0
        if not moving.any():
            return
        room = (self._ends[moving] - self._centre[moving, None]) / step[moving, None]
        for far in (room.max(axis=1).min(), room.min(axis=1).max()):
            self._points.append((self._centre + far * step)[: len(target)])

    def _told_by_a_large_group(self) -> np.ndarray:
        """Classes within a group of ten or more that is so near an end of the scale that it tells of its people."""
        told = np.zeros(len(self._sizes), dtype=bool)
        for row, fact in enumerate(self._facts):
            n = np.array([self._groups[row] @ self._sizes])
            if not fact.errors and n[0] >= UNANIMITY_BELOW:
                told |= self._groups[row] & near_an_end(n, np.array([fact.total]) / 100.0, self._minimum)
        return told

    def _told_by_large_groups(self, counts: np.ndarray) -> np.ndarray:
        """Sets with people of each of whom groups of ten or more, near an end of the scale, tell by themselves.

        What would be learnt of the others is learnt of them without these.
        """
        told = np.zeros(len(counts), dtype=bool)
        for row, fact in enumerate(self._facts):
            n = float(self._groups[row] @ self._sizes)
            if fact.errors or n < UNANIMITY_BELOW:
                continue
            people = counts @ self._groups[row]
            width = open_width(people, n, fact.total, fact.total, 100.0)
            told |= (people > 0) & (width < FEASIBLE_SHARE * 100.0 * people)
        return told

    def _told_by_an_earlier_fact(self, counts: np.ndarray) -> np.ndarray:
        """Sets of which an earlier fact, rounded as it may be, tells by itself: that cannot be helped."""
        told, people = np.zeros(len(counts), dtype=bool), counts.sum(axis=1)
        for row in np.flatnonzero(~self._new).tolist():
            n, half = self._groups[row] @ self._sizes, sum(self._facts[row].errors.values()) + self._slack[row]
            width = open_width(people, n, self._totals[row] - half, self._totals[row] + half, 100.0)
            told |= (counts @ self._groups[row] == people) & (width < FEASIBLE_SHARE * 100.0 * people)
        return told

    def _bounds(self, rows: np.ndarray) -> list[tuple[float, float]]:
        sums = [(0.0, 100.0 * n) for n in self._sizes.tolist()]
        return [*sums, *((-h, h) for h in self._half.tolist()), *((-s, s) for s in self._slack[rows].tolist())]

    def _end(
        self, counts: np.ndarray, sign: float = 1.0, rows: np.ndarray | None = None
    ) -> tuple[float | None, np.ndarray]:
        """Least sum of so many people of each class, times the sign, and what each fact weighs in."""
        from scipy.optimize import linprog

        self._programs += 1
        rows = np.ones(len(self._facts), dtype=bool) if rows is None else rows
        matrix, totals = np.hstack([self._matrix[rows], np.eye(int(rows.sum()))]), self._totals[rows]
        costs, bounds = np.zeros(matrix.shape[1]), self._bounds(rows)
        costs[: len(counts)] = sign * (counts == self._sizes)
        for part in np.flatnonzero((counts > 0) & (counts < self._sizes)).tolist():
            # the sum of a class is that of these people and that of its others
            apart = np.zeros((1, matrix.shape[1] + 2))
            apart[0, [part, -2, -1]] = -1.0, 1.0, 1.0
            matrix = np.vstack([np.pad(matrix, ((0, 0), (0, 2))), apart])
            totals, costs = np.append(totals, 0.0), np.append(costs, [sign, 0.0])
            bounds += [(0.0, 100.0 * counts[part]), (0.0, 100.0 * (self._sizes[part] - counts[part]))]
        found = linprog(costs, A_eq=matrix, b_eq=totals, bounds=bounds, method="highs")
        if not found.success:
            return None, np.zeros(len(self._facts))
        if rows.all():
            self._points.append(found.x[: len(counts)])
        weights = np.zeros(len(self._facts))
        weights[rows] = found.eqlin.marginals[: int(rows.sum())]
        return float(found.fun), np.abs(weights)

    def _make_feasible(self) -> bool:
        """Where people changed their answers, let earlier facts give way as little as possible."""
        if self._end(np.zeros(len(self._sizes)))[0] is not None:
            return True
        from scipy.optimize import linprog

        n, width = len(self._facts), self._matrix.shape[1]
        matrix = np.hstack([self._matrix, np.eye(n), -np.eye(n)])
        costs = np.append(np.zeros(width), np.ones(2 * n))
        sums = [*((0.0, 100.0 * size) for size in self._sizes.tolist()), *((-h, h) for h in self._half.tolist())]
        found = linprog(costs, A_eq=matrix, b_eq=self._totals, bounds=[*sums, *[(0.0, None)] * (2 * n)], method="highs")
        if not found.success:
            return False
        given = found.x[width : width + n] - found.x[width + n :]
        self._totals = self._totals - given
        self._slack = np.full(n, 10 * SLACK)
        return self._end(np.zeros(len(self._sizes)))[0] is not None

    def _told_of_each(self) -> set[str]:
        """New groups from which sets of fewer than ten people follow of which each answer is known to a fifth."""
        exact = [row for row, fact in enumerate(self._facts) if not fact.errors]
        with_spread = [row for row in exact if self._facts[row].squares is not None]
        known = np.array([fact.squares or 0.0 for fact in self._facts])
        turns = ((exact, False), (with_spread, True)) if with_spread != exact else ((exact, True),)
        for rows, spread in turns:
            if not rows or not self._new[rows].any():
                continue
            sets = small_sets(self._groups[rows], self._sizes, UNANIMITY_BELOW)
            if not len(sets):
                continue
            matrix = self._groups[rows].astype(float)
            sets = sets[in_row_space(matrix, sets)]
            weights = np.linalg.lstsq(matrix.T, sets.T, rcond=None)[0]
            weights[np.abs(weights) < TOLERANCE] = 0.0
            n, total = sets @ self._sizes, weights.T @ self._totals[rows] / 100.0
            told = near_an_end(n, total, self._minimum)
            if spread:
                told |= feasible_width(1.0, n, total, weights.T @ known[rows] / 1e4) < FEASIBLE_SHARE
            for column in np.flatnonzero(told):
                wide = np.zeros(len(self._facts))
                wide[rows] = combination(matrix, sets[column], self._costs[rows])
                if chosen := self._chosen(wide):
                    return chosen
        return set()

    def _told_by_spread(self) -> set[str]:
        """New groups that, taken from a larger one, leave people who agree so nearly that each is known.

        Or so near an end of the scale that the sum of any few is. A group of ten or more that is shown by itself may
        tell of its people; what is left of another may not.
        """
        exact = np.array([not fact.errors and fact.squares is not None for fact in self._facts], dtype=bool)
        rows = np.flatnonzero(exact)
        if not len(rows):
            return set()
        groups = self._groups[rows]
        size, total = groups @ self._sizes, self._totals[rows] / 100.0
        squares = np.array([self._facts[row].squares or 0.0 for row in rows.tolist()]) / 1e4
        shown = {group.tobytes() for group in self._groups}
        inside = ((groups * self._sizes) @ groups.T == size) & (size < size[:, None])
        parts = [np.flatnonzero(_disjoint(groups, np.flatnonzero(one), size)) for one in inside]
        takes = [(k, part) for k, part in enumerate(parts) if len(part) > 1]
        takes += [(int(k), np.array([part])) for k, part in zip(*np.nonzero(inside), strict=True)]
        if not takes:
            return set()
        sums = np.array([size, total, squares])
        left = np.array([sums[:, k] - sums[:, part].sum(axis=1) for k, part in takes]).T
        told = (_width_of_each(*left) < FEASIBLE_SHARE) | near_an_end(left[0], left[1], self._minimum)
        for place in np.flatnonzero((left[0] > 0.5) & told):
            whole, part = takes[place]
            people = groups[whole] & ~groups[part].any(axis=0)
            used = rows[[whole, *part]]
            if self._new[used].any() and not (left[0, place] >= UNANIMITY_BELOW and people.tobytes() in shown):
                weights = np.zeros(len(self._facts))
                weights[used] = 1.0
                return self._chosen(weights)
        return set()


def _width_of_each(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    return feasible_width(1.0, np.maximum(n, 1.0), total, squares)


def _disjoint(groups: np.ndarray, inside: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Which of the groups that are inside one have nobody in common, the largest taken first."""
    used, taken = np.zeros(groups.shape[1], dtype=bool), np.zeros(len(groups), dtype=bool)
    for row in inside[np.lexsort((inside, -size[inside]))]:
        if not (used & groups[row]).any():
            used |= groups[row]
            taken[row] = True
    return taken
