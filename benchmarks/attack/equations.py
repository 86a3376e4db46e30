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
    """The answers of these people add up to ``total``, give or take ``half``, in points."""

    people: frozenset[int]
    total: float
    half: float
    squares: float | None = None
    exact: bool = True


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
    matrix = patterns.astype(float)
    found = []
    exact = matrix[[equation.exact for equation in equations]]
    for target in _targets(patterns, sizes, minimum):
        people = frozenset().union(*(classes[k] for k in np.flatnonzero(target)))
        if len(exact) and _follows(exact, target):
            found.append(Success("rank", people, float("nan"), float("nan")))
            continue
        if _told_by_a_large_group(equations, people):
            continue
        low, high = _bounds(matrix, equations, target, sizes)
        found += _judge("interval", people, low, high, step, truth)
    return [*found, *_singles(equations, truth)]


def _told_by_a_large_group(equations: Sequence[Equation], people: frozenset[int]) -> bool:
    """Whether one group of ten or more that is shown is so near an end that it tells of each of its people."""
    m = len(people)
    for equation in equations:
        n = len(equation.people)
        if n < FEW or not people <= equation.people:
            continue
        low, high = max(0.0, equation.total - 100.0 * (n - m)), min(100.0 * m, equation.total)
        if high - low < 2 * PROTECTED * 100.0 * m:
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


def _follows(matrix: np.ndarray, target: np.ndarray) -> bool:
    weights = np.linalg.lstsq(matrix.T, target.astype(float), rcond=None)[0]
    return bool(np.abs(matrix.T @ weights - target).max() < 1e-7)


def _bounds(
    matrix: np.ndarray, equations: Sequence[Equation], target: np.ndarray, sizes: np.ndarray
) -> tuple[float, float]:
    """Least and greatest sum of the target that fits all equations, by linear programming."""
    total = np.array([equation.total for equation in equations])
    half = np.array([equation.half for equation in equations]) + 1e-6
    rows, limits = np.vstack([matrix, -matrix]), np.concatenate([total + half, half - total])
    ends = []
    for sign in (1.0, -1.0):
        result = linprog(sign * target, A_ub=rows, b_ub=limits, bounds=[(0.0, 100.0 * n) for n in sizes])
        if not result.success:
            return -np.inf, np.inf
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


def _singles(equations: Sequence[Equation], truth: np.ndarray) -> Iterator[Success]:
    """Single people of small groups, and small parts of what is left of the whole, by totals and spread."""
    whole = max(equations, key=lambda equation: len(equation.people))
    for equation in equations:
        if equation.exact and 1 < len(equation.people) < FEW:
            yield from _of_spread(equation, 1, truth)
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
