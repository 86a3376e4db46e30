"""Which published groups would, put together, single out fewer people than the minimum: linear algebra over groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["TOLERANCE", "AuditResult", "audit", "small_sets"]

TOLERANCE = 1e-7
"""A coefficient or a residual below this is zero: the matrices hold zeros and ones only."""


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
    groups), all intersections and all differences of two published groups.

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
    while True:
        shown = np.flatnonzero(~hidden)
        if not len(shown):
            return AuditResult(hidden, True)
        classes, class_sizes = _classes(membership[shown], sizes)
        if max(classes.shape) > largest:
            return AuditResult(hidden | (np.arange(len(hidden)) >= settled), False)
        target = _exposed(classes, class_sizes, minimum)
        if target is None:
            return AuditResult(hidden, True)
        weights = np.linalg.lstsq(classes.T.astype(float), target, rcond=None)[0]
        parts = shown[np.abs(weights) > TOLERANCE]
        candidates = parts[parts >= settled]
        if not len(candidates) and settled > 1:
            return AuditResult(hidden | (np.arange(len(hidden)) >= settled), True)
        candidates = candidates if len(candidates) else parts
        hidden[candidates[np.lexsort((candidates, group_sizes[candidates]))[0]]] = True


def _classes(shown: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Atoms in exactly the same shown groups are one class; nothing published tells them apart."""
    inside = shown.any(axis=0)
    patterns, place = np.unique(shown[:, inside], axis=1, return_inverse=True)
    return patterns, np.bincount(place.ravel(), sizes[inside], minlength=patterns.shape[1])


def _exposed(groups: np.ndarray, sizes: np.ndarray, minimum: int) -> np.ndarray | None:
    """A set of fewer people than the minimum that follows from the groups, or None."""
    targets = small_sets(groups, sizes, minimum)
    if not len(targets):
        return None
    matrix = groups.astype(float)
    _, values, basis = np.linalg.svd(matrix, full_matrices=False)
    basis = basis[values > TOLERANCE * max(values[0], 1.0)]
    residual = targets - (targets @ basis.T) @ basis
    follows = np.flatnonzero(np.abs(residual).max(axis=1) < TOLERANCE)
    if not len(follows):
        return None
    chosen = follows[np.argmin(targets[follows] @ sizes)]
    return np.asarray(targets[chosen])


def small_sets(groups: np.ndarray, sizes: np.ndarray, minimum: int) -> np.ndarray:
    """Indicators of the small classes, and of the small intersections and differences of two groups."""
    small = np.flatnonzero(sizes < minimum)
    found = [np.eye(len(sizes))[small]]
    both = (groups * sizes) @ groups.T
    total = np.diag(both)
    for first, second in np.argwhere(np.triu((both > 0) & (both < minimum))):
        found.append((groups[first] & groups[second])[None].astype(float))
    difference = total[:, None] - both
    for first, second in np.argwhere((difference > 0) & (difference < minimum)):
        found.append((groups[first] & ~groups[second])[None].astype(float))
    return np.unique(np.vstack(found), axis=0)
