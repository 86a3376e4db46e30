"""Which published groups would, put together, single out fewer people than the minimum: linear algebra over groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["SETTLED", "TOLERANCE", "AuditResult", "audit", "combination", "in_row_space", "row_space",
           "small_sets"]  # fmt: skip

TOLERANCE = 1e-7
"""A coefficient or a residual below this is zero: the matrices hold zeros and ones only."""
SETTLED = 1e-3
"""Cost, in a combination of groups, of one that is shown or hidden for good; that of any other is 1."""
MOST_UNIONS = 2_000
"""Unions of small parts looked at in one turn; as long as one of them follows, there is a further turn."""


@dataclass(frozen=True)
class AuditResult:
    """What has to be withheld besides what is hidden already.

    Attributes
    ----------
    hidden : ndarray of bool, shape (n_groups,)
        Groups that must not be shown: those hidden before, and the further ones.
    finished : bool
        False where the study is too large to be audited; then nothing but the whole may be shown.
    """

    hidden: np.ndarray
    finished: bool


def audit(
    membership: np.ndarray,
    sizes: np.ndarray,
    hidden: np.ndarray,
    minimum: int,
    *,
    largest: int = 2_000,
    settled: int = 1,
) -> AuditResult:
    """Hide groups until no smaller set of people than the minimum follows from the groups that are shown.

    The total of a set of people follows from the published totals where the set's indicator lies in the row space of
    the published groups. Looked for are all smallest parts that the groups make (people who are in exactly the same
    groups), all intersections and all differences of two published groups, and up to four smallest parts together.

    Parameters
    ----------
    membership : ndarray of bool, shape (n_groups, n_atoms)
        Which atom (people alike in every grouping) belongs to which group. The first group is the whole.
    sizes : ndarray of int, shape (n_atoms,)
        People in each atom who answered.
    hidden : ndarray of bool, shape (n_groups,)
        Groups that are not shown for another reason.
    minimum : int
        Fewest people that may be told apart.
    largest : int
        Atoms or groups above this are not audited, and everything but the settled groups is hidden.
    settled : int
        How many of the first groups are shown or hidden for good; of others rather than of them is hidden.

    Returns
    -------
    AuditResult

    References
    ----------
    Cox, L. H. (1980). Suppression methodology and statistical disclosure control. *Journal of the American
    Statistical Association*, 75, 377-385.

    Examples
    --------
    Three departments of 10, 10 and 3 people; the third is hidden, but follows from the whole and the two others.

    >>> groups = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
    >>> audit(groups, np.array([10, 10, 3]), np.array([False, False, False, True]), minimum=5).hidden.tolist()
    [False, True, False, True]
    """
    hidden = hidden.copy()
    people = sizes > 0
    membership, sizes = membership[:, people], sizes[people]
    group_sizes = membership @ sizes
    taken: list[int] = []
    while (shown := np.flatnonzero(~hidden)).size:
        classes, class_sizes = _classes(membership[shown], sizes)
        if max(classes.shape) > largest:
            return AuditResult(hidden | (np.arange(len(hidden)) >= settled), False)
        target = _exposed(classes, class_sizes, small_sets(classes, class_sizes, minimum))
        if target is None:
            break
        parts = shown[np.abs(combination(classes, target, np.where(shown < settled, SETTLED, 1.0))) > TOLERANCE]
        candidates = parts[parts >= settled]
        if not len(candidates) and settled > 1:
            return AuditResult(hidden | (np.arange(len(hidden)) >= settled), True)
        candidates = candidates if len(candidates) else parts
        taken.append(int(candidates[np.lexsort((candidates, group_sizes[candidates]))[0]]))
        hidden[taken[-1]] = True
    for group in taken[:-1]:
        # what was hidden first may be needless since more is hidden
        hidden[group] = False
        classes, class_sizes = _classes(membership[~hidden], sizes)
        hidden[group] = _exposed(classes, class_sizes, small_sets(classes, class_sizes, minimum)) is not None
    return AuditResult(hidden, True)


def _classes(shown: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Atoms in exactly the same shown groups are one class; nothing published tells them apart."""
    inside = shown.any(axis=0)
    patterns, place = np.unique(shown[:, inside], axis=1, return_inverse=True)
    return patterns, np.bincount(place.ravel(), sizes[inside], minlength=patterns.shape[1])


def _exposed(groups: np.ndarray, sizes: np.ndarray, targets: np.ndarray) -> np.ndarray | None:
    """The smallest of the targets that follow from the groups, or None."""
    if not len(targets):
        return None
    follows = np.flatnonzero(in_row_space(groups, targets))
    if not len(follows):
        return None
    chosen = follows[np.argmin(targets[follows] @ sizes)]
    return np.asarray(targets[chosen])


def row_space(groups: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span what follows from the groups."""
    return _row_space(groups.astype(float).tobytes(), len(groups))


def in_row_space(groups: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Which of the targets follow from the groups."""
    basis = row_space(groups)
    residual = targets - (targets @ basis.T) @ basis
    return np.asarray(np.abs(residual).max(axis=1) < TOLERANCE)


@lru_cache(maxsize=4)
def _row_space(cells: bytes, n_groups: int) -> np.ndarray:
    # The scores of a form mostly have the same groups, and each is looked at several times.
    groups = np.frombuffer(cells).reshape(n_groups, -1)
    _, values, basis = np.linalg.svd(groups, full_matrices=False)
    spanned: np.ndarray = basis[values > TOLERANCE * max(values[0], 1.0)]
    spanned.flags.writeable = False
    return spanned


def combination(groups: np.ndarray, target: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """How the groups add up to a target that follows from them, with as few of the costly groups as can be.

    Examples
    --------
    Five units and their whole; two units follow from the whole and the three others, or from themselves.

    >>> groups = np.vstack([np.ones(5), np.eye(5)])
    >>> np.flatnonzero(combination(groups, np.array([1.0, 1, 0, 0, 0]), np.ones(6))).tolist()
    [1, 2]
    """
    from scipy.optimize import linprog

    columns = groups.T.astype(float)
    found = linprog(np.tile(costs, 2), A_eq=np.hstack([columns, -columns]), b_eq=target, method="highs")
    if not found.success:
        return np.asarray(np.linalg.lstsq(columns, target, rcond=None)[0])
    return np.asarray(found.x[: len(costs)] - found.x[len(costs) :])


def small_sets(groups: np.ndarray, sizes: np.ndarray, minimum: int) -> np.ndarray:
    """Indicators of the small classes, intersections, differences, and leftovers of two groups, and of small unions.

    What two groups leave of everybody need not follow from the groups, but may lie in a narrow range. Unions are of up
    to four classes, and only those that follow from the groups.
    """
    small = np.flatnonzero(sizes < minimum)
    found = [np.eye(len(sizes), dtype=bool)[small]]
    both = (groups * sizes) @ groups.T
    total = np.diag(both)
    for first, second in np.argwhere(np.triu((both > 0) & (both < minimum))):
        found.append((groups[first] & groups[second])[None])
    difference = total[:, None] - both
    for first, second in np.argwhere((difference > 0) & (difference < minimum)):
        found.append((groups[first] & ~groups[second])[None])
    neither = sizes.sum() - total[:, None] - total[None, :] + both
    for first, second in np.argwhere(np.triu((neither > 0) & (neither < minimum), 1)):
        found.append(~(groups[first] | groups[second])[None])
    found += [one[None] > 0 for one in _unions(groups, sizes, minimum)]
    packed = dict.fromkeys(row.tobytes() for row in np.packbits(np.vstack(found), axis=1))
    rows = np.frombuffer(b"".join(sorted(packed)), dtype=np.uint8).reshape(len(packed), (len(sizes) + 7) // 8)
    return np.unpackbits(rows, axis=1, count=len(sizes)).astype(float)


def _unions(groups: np.ndarray, sizes: np.ndarray, minimum: int) -> Iterator[np.ndarray]:
    """Indicators of two to four small classes, with fewer people than the minimum, that only together follow.

    What is outside the row space has to cancel out: sought are numbers, one for each class, that add up to zero.
    """
    small = np.flatnonzero(sizes < minimum)
    if len(small) < 2:
        return
    basis = row_space(groups)
    outside = np.eye(len(sizes))[small] - basis[:, small].T @ basis
    numbers = outside @ np.random.default_rng(0).normal(size=len(sizes))
    alone = np.flatnonzero(np.abs(numbers) > TOLERANCE)
    first, second = (alone[one] for one in np.triu_indices(len(alone), 1))
    few = sizes[small[first]] + sizes[small[second]] < minimum
    pairs = np.stack([first[few], second[few]], axis=1)
    sums = numbers[pairs].sum(axis=1)
    cancel = np.abs(sums) < TOLERANCE
    parts = [tuple(pair) for pair in pairs[cancel].tolist()]
    parts += _cancelling(pairs[~cancel], sums[~cancel], alone[:, None], numbers[alone])
    parts += _cancelling(pairs[~cancel], sums[~cancel], pairs[~cancel], sums[~cancel])
    for part in dict.fromkeys(parts):
        union = np.zeros(len(sizes))
        union[small[list(part)]] = 1.0
        if union @ sizes < minimum and np.abs(union - (union @ basis.T) @ basis).max() < TOLERANCE:
            yield union


def _cancelling(one: np.ndarray, of_one: np.ndarray, other: np.ndarray, of_other: np.ndarray) -> list[tuple[int, ...]]:
    """Different classes, some of a row of ``one`` and some of a row of ``other``, whose numbers add up to zero."""
    order = np.argsort(of_other)
    low = np.searchsorted(of_other[order], -of_one - TOLERANCE)
    high = np.searchsorted(of_other[order], -of_one + TOLERANCE)
    found: dict[tuple[int, ...], None] = {}
    for row in np.flatnonzero(high > low):
        for match in order[low[row] : high[row]]:
            classes = sorted({*one[row].tolist(), *other[match].tolist()})
            if len(classes) == one.shape[1] + other.shape[1]:
                found[tuple(classes)] = None
        if len(found) > MOST_UNIONS:
            break
    return list(found)
