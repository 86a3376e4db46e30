"""The attacks on the sums of groups: linear algebra, linear programming, integrality. Knows nothing of the library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import linprog

PROTECTED = 0.20
"""A sum is protected where it may lie anywhere in this share of its range."""
FEW = 10
"""Single people are looked for in groups below this."""


@dataclass(frozen=True)
class Equation:
    """The answers of these people and the errors add up to ``total``, give or take ``half``, in points.

    ``errors`` are roundings that several equations have in common: a name, and the most each may be either way.
    ``report`` and ``by`` say where the number stands.
    """

    people: frozenset[int]
    total: float
    half: float
    squares: float | None = None
    errors: tuple[tuple[str, float], ...] = ()
    report: int = 0
    by: str = ""

    @property
    def exact(self) -> bool:
        return not self.errors


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
        What everybody answered, in points: a success must be true.
    """
    if not equations:
        return []
    patterns, classes = _classes(equations)
    sizes = np.array([len(people) for people in classes])
    system = _System(patterns, sizes, equations)
    found = []
    targets = list(_targets(patterns, sizes, minimum))
    large = [*equations, *_remainders(equations)]
    for target, follows in zip(targets, system.follow(targets), strict=True):
        people = frozenset().union(*(classes[k] for k in np.flatnonzero(target)))
        if follows:
            low, high = system.sum_of(target)
            found += [Success("rank", people, low, high)] if low <= float(truth[list(people)].sum()) <= high else []
            continue
        if _told_by_large_groups(large, people):
            continue
        found += _judge("interval", people, *system.bounds(target, step), step, truth)
    return [*found, *_singles(equations, truth)]


def _told_by_large_groups(equations: Sequence[Equation], people: frozenset[int]) -> bool:
    """Whether groups of ten or more that are shown are so near an end that they tell of each of these people."""
    told: frozenset[int] = frozenset()
    for equation in equations:
        n, part = len(equation.people), people & equation.people
        if n < FEW or not part:
            continue
        m = len(part)
        low, high = max(0.0, equation.total - 100.0 * (n - m)), min(100.0 * m, equation.total)
        if high - low < 2 * PROTECTED * 100.0 * m:
            told |= part
    return told == people


def _remainders(equations: Sequence[Equation]) -> Iterator[Equation]:
    """What the units of one grouping that are shown leave of the whole of a report: one more group that is told of."""
    wholes = {e.report: e for e in equations if e.by == "" and e.exact}
    for report, by in {(e.report, e.by) for e in equations if e.by}:
        if report in wholes:
            units = {e.people: e for e in equations if (e.report, e.by) == (report, by) and e.exact}
            parts = [e for e in units.values() if len(e.people) < len(wholes[report].people)]
            together = frozenset().union(*(e.people for e in parts))
            if sum(len(e.people) for e in parts) == len(together):
                total = wholes[report].total - sum(e.total for e in parts)
                yield Equation(wholes[report].people - together, total, 0.0)


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

    def bounds(self, target: np.ndarray, step: float | None) -> tuple[float, float]:
        """Least and greatest sum of the target that fits all equations; two sums that are far apart will do."""
        enough = max(PROTECTED * 100.0 * float(target @ self._sizes), 2 * (step or 0.0))
        sums = [float(point @ target) for point in self._points]
        if sums and max(sums) - min(sums) > enough:
            return min(sums), max(sums)
        ends = []
        for sign in (1.0, -1.0):
            costs = np.append(sign * target, np.zeros(self._matrix.shape[1] - len(target)))
            result = linprog(costs, A_ub=self._rows, b_ub=self._limits, bounds=self._ends)
            if not result.success:
                return -np.inf, np.inf
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
    """Single people of small groups, and small parts of what is left of the whole, by totals and spread."""
    most = max(len(equation.people) for equation in equations)
    for equation in equations:
        if equation.exact and 1 < len(equation.people) < FEW:
            yield from _of_spread(equation, 1, truth)
    for whole in {e.people: e for e in equations if e.exact and e.squares is not None}.values():
        if len(whole.people) < most / 2:
            continue
        inside = [e for e in equations if e.exact and e.people < whole.people]
        for left, pool in _leftovers(whole, inside):
            for other in left:
                if 0 < len(other) < len(pool.people) and pool.squares is not None:
                    yield from _of_spread(pool, len(other), truth, other)


def _leftovers(whole: Equation, inside: Sequence[Equation]) -> Iterator[tuple[list[frozenset[int]], Equation]]:
    """What is left of the whole once the disjoint groups that are shown are taken away."""
    used: frozenset[int] = frozenset()
    total, squares, half = whole.total, whole.squares, whole.half
    for equation in sorted(inside, key=lambda e: -len(e.people)):
        if equation.people & used:
            continue
        used |= equation.people
        total, half = total - equation.total, half + equation.half
        squares = None if squares is None or equation.squares is None else squares - equation.squares
    rest = whole.people - used
    if rest and squares is not None:
        yield [frozenset({person}) for person in rest][:1], Equation(rest, total, half, squares)


def _of_spread(
    equation: Equation, m: int, truth: np.ndarray, people: frozenset[int] | None = None
) -> Iterator[Success]:
    """The sum of m of n people lies within a multiple of the spread of m/n of the total (Samuelson, 1968)."""
    n, total = len(equation.people), equation.total
    low, high = max(0.0, total - 100.0 * (n - m)), min(100.0 * m, total)
    if equation.squares is not None:
        inner = max(equation.squares - total**2 / n, 0.0)
        reach = np.sqrt(m * (n - m) / n * inner)
        low, high = max(low, m * total / n - reach), min(high, m * total / n + reach)
    people = people or frozenset({min(equation.people)})
    slack = equation.half + 0.5
    yield from _judge("interval", people, low - slack, high + slack, None, truth)
