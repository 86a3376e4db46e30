"""What several releases, put together, tell of the answers of few people by option: linear algebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from servicediag.diagnosis.audit import SETTLED, TOLERANCE, combination, in_row_space, small_sets
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.release_audit import MOST_FACTS

__all__ = ["Distribution", "exposing_distributions"]


@dataclass(frozen=True)
class Distribution:
    """How many of these people chose each option of an item; ``group`` as of a fact."""

    people: np.ndarray
    counts: tuple[int, ...]
    group: str | None = None


def exposing_distributions(found: Sequence[Distribution], minimum: int) -> set[str]:
    """Groups of the new release whose answers by option must not be shown beside the others and the earlier ones.

    Of no set of fewer than ten people may the distribution follow by subtraction, from this release and earlier ones
    together; nor from this one alone, where the set has fewer people than the minimum or all, or all but one, agree.

    Examples
    --------
    >>> everybody, fewer = np.ones(20, dtype=bool), np.arange(20) < 12
    >>> before, now = Distribution(everybody, (12, 8)), Distribution(fewer, (8, 4), "now")
    >>> exposing_distributions([before, now], 5)
    {'now'}
    """
    known = {(one.people.tobytes(), one.counts) for one in found if one.group is None}
    left = [one for one in found if one.group is None or (one.people.tobytes(), one.counts) not in known]
    gone: set[str] = set()
    while any(one.group is not None for one in left):
        group = _telling(left, minimum)
        if group is None:
            break
        gone |= group
        left = [one for one in left if one.group is None or one.group not in gone]
    return gone


def _telling(found: Sequence[Distribution], minimum: int) -> set[str] | None:
    """The smallest new group that takes part in what would be told; None where nothing is."""
    inside = np.array([one.people for one in found])
    new = np.array([one.group is not None for one in found])
    patterns, sizes = np.unique(inside, axis=1, return_counts=True)
    groups, sizes = patterns[:, patterns.any(axis=0)], sizes[patterns.any(axis=0)]
    if max(groups.shape) > MOST_FACTS:
        return {one.group for one in found if one.group is not None}
    sets = small_sets(groups, sizes, UNANIMITY_BELOW)
    sets = sets[in_row_space(groups, sets)] if len(sets) else sets
    if len(sets) and not new.all():
        sets = sets[~in_row_space(groups[~new], sets)]
    if not len(sets):
        return None
    weights = np.linalg.lstsq(groups.T.astype(float), sets.T, rcond=None)[0]
    n, chosen = sets @ sizes, weights.T @ np.array([one.counts for one in found], dtype=float)
    told = (n < minimum) | (chosen.max(axis=1) > n - 1.5) | ~in_row_space(groups[new], sets)
    if not told.any():
        return None
    used = combination(groups, sets[np.flatnonzero(told)[0]], np.where(new, 1.0, SETTLED))
    parts = np.flatnonzero((np.abs(used) > TOLERANCE) & new).tolist()
    group = found[min(parts, key=lambda row: (inside[row].sum(), row))].group
    return set() if group is None else {group}
