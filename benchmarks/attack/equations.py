"""The attacks on the sums of groups: linear algebra, linear programming, integrality. Knows nothing of the library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy.linalg import orth
from scipy.optimize import linprog

PROTECTED = 0.20
"""A sum is protected where it may lie anywhere in this share of its range."""
FEW = 10
"""Single people are looked for in groups below this."""
MOST_UNIONS, MOST_SETS = 500_000, 20_000
"""Unions of small classes that are tried by linear algebra, and by linear programming."""


@dataclass(frozen=True)
class Equation:
    """The answers of these people and the errors add up to ``total``, give or take ``half``, in points.

    ``errors`` are roundings that several equations have in common: a name, and the most each may be either way.
    ``sd`` is the spread that is shown, give or take ``sd_half``. ``report`` and ``by`` say where the number stands.
    """

    people: frozenset[int]
    total: float
    half: float
    sd: float | None = None
    sd_half: float = 0.0
    errors: tuple[tuple[str, float], ...] = ()
    report: int = 0
    by: str = ""

    @property
    def exact(self) -> bool:
        return not self.errors

    def squares_about(self, centre: float) -> tuple[float, float]:
        """Least and greatest sum of squared distances of the answers from a centre."""
        n, sd = len(self.people), self.sd or 0.0
        far, half = abs(self.total / n - centre), self.half / n
        inner = (n - 1) * max(sd - self.sd_half, 0.0) ** 2, (n - 1) * (sd + self.sd_half) ** 2
        return inner[0] + n * max(far - half, 0.0) ** 2, inner[1] + n * (far + half) ** 2


@dataclass(frozen=True)
class Success:
    """People of whom something was learnt that the reports do not show."""

    attack: str
    people: frozenset[int]
    low: float
    high: float


def attack(equations: Sequence[Equation], minimum: int, step: float | None, truth: np.ndarray) -> list[Success]:
    """Everything that can be worked out of fewer people than the minimum.

    Parameters
    ----------
    equations : sequence of Equation
        Of one variable, from one or several reports.
    minimum : int
    step : float or None
        Distance between two possible answers of a person, in points; None where anything between is possible.
    truth : ndarray
        What everybody answered, in points: a success must be true. Where what follows is not, or the equations
        contradict one another, the attack has misread the report; that is told as ``contradiction``, and counted.
    """
    if not equations:
        return []
    patterns, classes = _classes(equations)
    sizes = np.array([len(people) for people in classes])
    system = _System(patterns, sizes, equations)
    found = []
    targets = list(_targets(patterns, sizes, minimum))
    targets += list(_unions(patterns, sizes, minimum))
    for target, follows in zip(targets, system.follow(targets), strict=True):
        people = frozenset().union(*(classes[k] for k in np.flatnonzero(target)))
        if follows:
            low, high = system.sum_of(target)
            true = low <= float(truth[list(people)].sum()) <= high
            found.append(Success("rank" if true else "contradiction", people, low, high))
            continue
        if _told_by_large_groups(equations, people):
            continue
        bounds = system.bounds(target, step)
        if bounds is None:
            found.append(Success("contradiction", people, 0.0, 0.0))
            break
        found += _judge("interval", people, *bounds, step, truth)
    if not any(one.attack == "contradiction" for one in found):
        found += _of_unions(equations, system, classes, sizes, minimum, step, truth)
    return [*found, *_singles(equations, truth), *_of_parts(equations, patterns, classes, sizes, minimum, truth)]


def _of_unions(
    equations: Sequence[Equation], system: _System, classes: Sequence[frozenset[int]], sizes: np.ndarray,
    minimum: int, step: float | None, truth: np.ndarray,
) -> Iterator[Success]:  # fmt: skip
    """Two to four small classes together, the range of whose sum may be narrow though each one's is not."""
    small = np.flatnonzero(sizes < minimum)
    sets = [np.zeros((0, len(sizes)))]
    for count in (2, 3, 4):
        if comb(len(small), count) > MOST_SETS:
            break
        chosen = small[np.array(list(combinations(range(len(small)), count)), dtype=int).reshape(-1, count)]
        chosen = chosen[sizes[chosen].sum(axis=1) < minimum]
        sets.append(np.zeros((len(chosen), len(sizes))))
        np.put_along_axis(sets[-1], chosen, 1.0, axis=1)
    left = np.vstack(sets)
    while len(left):
        left = left[system.reach(left) < np.maximum(PROTECTED * 100.0 * (left @ sizes), 2 * (step or 0.0))]
        if not len(left):
            return
        target, left = left[0].astype(bool), left[1:]
        people = frozenset().union(*(classes[k] for k in np.flatnonzero(target)))
        if _told_by_large_groups(equations, people):
            continue
        bounds = system.bounds(target, step)
        if bounds is not None:
            yield from _judge("interval", people, *bounds, step, truth)


def _of_parts(
    equations: Sequence[Equation], patterns: np.ndarray, classes: Sequence[frozenset[int]], sizes: np.ndarray,
    minimum: int, truth: np.ndarray,
) -> Iterator[Success]:  # fmt: skip
    """Single people of parts of fewer than ten that follow from totals, which may be near an end of the scale."""
    exact = [row for row, equation in enumerate(equations) if equation.exact]
    if not exact:
        return
    system = _System(patterns[exact], sizes, [equations[row] for row in exact])
    targets = [t for t in _targets(patterns[exact], sizes, FEW) if sizes[t].sum() >= minimum]
    for target, follows in zip(targets, system.follow(targets), strict=True):
        if follows:
            low, high = system.sum_of(target)
            people = frozenset().union(*(classes[k] for k in np.flatnonzero(target)))
            yield from _of_spread(people, (low + high) / 2, (high - low) / 2, None, truth)


def _told_by_large_groups(equations: Sequence[Equation], people: frozenset[int]) -> bool:
    """Whether groups of ten or more that are shown tell of some of these people by themselves, each by its own mean.

    What would be learnt of the others is learnt of them without these.
    """
    for equation in equations:
        n, part = len(equation.people), people & equation.people
        if n < FEW or not part:
            continue
        m = len(part)
        low, high = max(0.0, equation.total - 100.0 * (n - m)), min(100.0 * m, equation.total)
        if high - low < PROTECTED * 100.0 * m:
            return True
    return False


def _classes(equations: Sequence[Equation]) -> tuple[np.ndarray, list[frozenset[int]]]:
    """People in exactly the same sets cannot be told apart; a row an equation, a column a class of them."""
    groups: dict[tuple[bool, ...], set[int]] = {}
    for person in frozenset().union(*(equation.people for equation in equations)):
        groups.setdefault(tuple(person in equation.people for equation in equations), set()).add(person)
    return np.array(list(groups), dtype=bool).T, [frozenset(people) for people in groups.values()]


def _targets(patterns: np.ndarray, sizes: np.ndarray, minimum: int) -> Iterator[np.ndarray]:
    """Small classes, and small intersections and differences of two groups."""
    candidates: Iterable[np.ndarray] = [
        *np.eye(len(sizes), dtype=bool),
        *patterns,
        *(a & b for a, b in combinations(patterns, 2)),
        *(a & ~b for a in patterns for b in patterns),
    ]
    seen = set()
    for target in candidates:
        if 0 < sizes[target].sum() < minimum and target.tobytes() not in seen:
            seen.add(target.tobytes())
            yield target


def _unions(patterns: np.ndarray, sizes: np.ndarray, minimum: int) -> Iterator[np.ndarray]:
    """Two to four small classes together whose sum is a sum of groups, roundings aside."""
    small = np.flatnonzero(sizes < minimum)
    basis = orth(patterns.T.astype(float))
    for count in (2, 3, 4):
        if comb(len(small), count) > MOST_UNIONS:
            return
        chosen = small[np.array(list(combinations(range(len(small)), count)), dtype=int).reshape(-1, count)]
        chosen = chosen[sizes[chosen].sum(axis=1) < minimum]
        for part in np.array_split(chosen, len(chosen) // 20_000 + 1):
            sets = np.zeros((len(part), len(sizes)))
            np.put_along_axis(sets, part, 1.0, axis=1)
            outside = np.abs(sets - (sets @ basis) @ basis.T).max(axis=1, initial=0.0)
            yield from sets[outside < 1e-7].astype(bool)


class _System:
    """The equations in the sums of classes of people and in the errors."""

    def __init__(self, patterns: np.ndarray, sizes: np.ndarray, equations: Sequence[Equation]) -> None:
        self._sizes = sizes
        half: dict[str, float] = {}
        for equation in equations:
            for name, most in equation.errors:
                half[name] = max(most, half.get(name, 0.0))
        errors = [[float(name in dict(equation.errors)) for name in half] for equation in equations]
        self._matrix = np.hstack([patterns.astype(float), np.array(errors).reshape(len(equations), -1)])
        total = np.array([equation.total for equation in equations])
        slack = np.array([equation.half for equation in equations]) + 1e-6
        self._rows, self._limits = np.vstack([self._matrix, -self._matrix]), np.append(total + slack, slack - total)
        self._ends = [*((0.0, 100.0 * n) for n in sizes.tolist()), *((-most, most) for most in half.values())]
        self._points: list[np.ndarray] = []

    def follow(self, targets: Sequence[np.ndarray]) -> np.ndarray:
        """Which targets are sums of equations, by linear algebra."""
        if not targets:
            return np.zeros(0, dtype=bool)
        wide = np.zeros((len(targets), self._matrix.shape[1]))
        wide[:, : len(self._sizes)] = targets
        _, values, basis = np.linalg.svd(self._matrix, full_matrices=False)
        basis = basis[values > 1e-7 * values[0]]
        return np.asarray(np.abs(wide - (wide @ basis.T) @ basis).max(axis=1) < 1e-7)

    def sum_of(self, target: np.ndarray) -> tuple[float, float]:
        """The sum of a target that follows, as exact as the numbers were written down."""
        wide = np.append(target, np.zeros(self._matrix.shape[1] - len(target)))
        weights = np.linalg.lstsq(self._matrix.T, wide, rcond=None)[0]
        n = len(weights)
        total, half = (self._limits[:n] - self._limits[n:]) / 2, (self._limits[:n] + self._limits[n:]) / 2
        value, doubt = float(weights @ total), float(np.abs(weights) @ half) + 1e-3
        return value - doubt, value + doubt

    def reach(self, targets: np.ndarray) -> np.ndarray:
        """How far apart the sums of each target are in the solutions that were met."""
        if not self._points:
            return np.zeros(len(targets))
        return np.asarray(np.ptp(targets @ np.array(self._points).T, axis=1))

    def bounds(self, target: np.ndarray, step: float | None) -> tuple[float, float] | None:
        """Least and greatest sum of the target that fits all equations; two sums that are far apart will do.

        None where nothing fits them all.
        """
        enough = max(PROTECTED * 100.0 * float(target @ self._sizes), 2 * (step or 0.0))
        sums = [float(point @ target) for point in self._points]
        if sums and max(sums) - min(sums) > enough:
            return min(sums), max(sums)
        ends = []
        for sign in (1.0, -1.0):
            costs = np.append(sign * target, np.zeros(self._matrix.shape[1] - len(target)))
            result = linprog(costs, A_ub=self._rows, b_ub=self._limits, bounds=self._ends)
            if not result.success:
                return None
            self._points.append(result.x[: len(target)])
            ends.append(sign * result.fun)
        return ends[0], ends[1]


def _judge(
    attack_name: str, people: frozenset[int], low: float, high: float, step: float | None, truth: np.ndarray
) -> Iterator[Success]:
    """A success is a narrow interval, or a single possible sum, and holds the truth."""
    value = float(truth[list(people)].sum())
    if not low - 1e-3 <= value <= high + 1e-3:
        return
    if high - low < PROTECTED * 100.0 * len(people) - 1e-3:
        yield Success(attack_name, people, low, high)
    elif step is not None and np.floor((high + 1e-3) / step) - np.ceil((low - 1e-3) / step) < 1:
        yield Success("integrality", people, low, high)


def options_told(
    counts: Sequence[tuple[frozenset[int], tuple[int, ...]]], minimum: int
) -> Iterator[tuple[frozenset[int], tuple[int, ...]]]:
    """Few people whose answers are left when distributions are subtracted, or a small group that chose nearly alike.

    Subtracted are single groups, and as many groups as have nobody in common.
    """
    distinct = list(dict.fromkeys(counts))
    for whole, chosen in distinct:
        inside = sorted((one for one in distinct if one[0] < whole), key=lambda one: -len(one[0]))
        together: list[tuple[frozenset[int], tuple[int, ...]]] = []
        for one in inside:
            if not any(one[0] & other[0] for other in together):
                together.append(one)
        for parts in ([], together, *([one] for one in inside)):
            people = whole.difference(*(part[0] for part in parts))
            left = np.array(chosen) - sum((np.array(part[1]) for part in parts), np.zeros(len(chosen), dtype=int))
            if 0 < len(people) < FEW and (len(people) < minimum or left.max() >= len(people) - 1):
                yield people, tuple(left.tolist())


def _singles(equations: Sequence[Equation], truth: np.ndarray) -> Iterator[Success]:
    """Single people of small groups, and of what is left of a group, by totals and spread."""
    distinct = {(e.people, e.total, e.sd): e for e in equations if e.exact}.values()
    for equation in distinct:
        if 1 < len(equation.people) < FEW:
            spread = None if equation.sd is None else equation.squares_about(equation.total / len(equation.people))[1]
            yield from _of_spread(equation.people, equation.total, equation.half, spread, truth)
    known = [equation for equation in distinct if equation.sd is not None]
    # a group of ten or more that is shown may tell of itself
    large = {equation.people for equation in equations if len(equation.people) >= FEW}
    for whole in known:
        inside = sorted((e for e in known if e.people < whole.people), key=lambda e: -len(e.people))
        for parts in (_disjoint(inside), *([one] for one in inside)):
            rest = whole.people.difference(*(e.people for e in parts))
            if parts and len(rest) > 1 and rest not in large:
                total = whole.total - sum(e.total for e in parts)
                half = whole.half + sum(e.half for e in parts)
                centre = total / len(rest)
                spread = whole.squares_about(centre)[1] - sum(e.squares_about(centre)[0] for e in parts)
                yield from _of_spread(rest, total, half, max(spread, 0.0), truth)


def _disjoint(inside: Sequence[Equation]) -> list[Equation]:
    """The first groups that have nobody in common."""
    taken: list[Equation] = []
    for equation in inside:
        if not any(equation.people & other.people for other in taken):
            taken.append(equation)
    return taken


def _of_spread(
    people: frozenset[int], total: float, half: float, squares: float | None, truth: np.ndarray
) -> Iterator[Success]:
    """One of n answers lies within a multiple of the spread of the mean (Samuelson, 1968).

    ``squares`` is the most that the squared distances from ``total / n`` may add up to.
    """
    n = len(people)
    low, high = max(0.0, total - half - 100.0 * (n - 1)), min(100.0, total + half)
    if squares is not None:
        # the distances from the true mean add up to no more
        reach = np.sqrt((n - 1) / n * squares) + half / n
        low, high = max(low, total / n - reach), min(high, total / n + reach)
    yield from _judge("interval", frozenset({min(people)}), low, high, None, truth)
