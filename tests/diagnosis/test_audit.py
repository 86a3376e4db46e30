"""Laws of the audit: whatever it lets through, no set of fewer people than the minimum follows from it."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from servicediag.diagnosis.audit import audit, small_sets


@st.composite
def organisations(draw):
    """People with two or three attributes, and the groups of every attribute and of every pair of attributes."""
    n_attributes = draw(st.integers(2, 3))
    levels = [draw(st.integers(2, 4)) for _ in range(n_attributes)]
    atoms = np.stack([grid.ravel() for grid in np.meshgrid(*map(np.arange, levels), indexing="ij")], axis=1)
    sizes = np.array(draw(st.lists(st.integers(0, 12), min_size=len(atoms), max_size=len(atoms))))
    groups = [np.ones(len(atoms), dtype=bool)]
    for attribute, n in enumerate(levels):
        groups.extend(atoms[:, attribute] == level for level in range(n))
    if draw(st.booleans()):
        for a, b in combinations(range(n_attributes), 2):
            groups.extend((atoms[:, a] == i) & (atoms[:, b] == j) for i in range(levels[a]) for j in range(levels[b]))
    return np.array(groups), sizes


def _follows(shown, target):
    answer = np.linalg.lstsq(shown.T.astype(float), target.astype(float), rcond=None)[0]
    return np.abs(shown.T @ answer - target).max() < 1e-6


@given(organisations(), st.integers(3, 6))
@settings(max_examples=60)
def test_no_small_set_follows_from_what_is_shown(organisation, minimum):
    groups, sizes = organisation
    before = groups @ sizes < minimum
    result = audit(groups, sizes, before, minimum)
    assert result.finished
    assert (result.hidden >= before).all()
    shown = groups[~result.hidden][:, sizes > 0]
    people = sizes[sizes > 0]
    if not len(shown):
        return
    targets = [np.eye(len(people))[a] for a in np.flatnonzero(people < minimum)]
    targets += [first & second for first, second in combinations(shown, 2)]
    targets += [first & ~second for first in shown for second in shown]
    for target in targets:
        if 0 < np.asarray(target) @ people < minimum:
            assert not _follows(shown, np.asarray(target))


def test_a_group_that_follows_by_subtraction_takes_the_next_smallest_with_it():
    groups = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    result = audit(groups, np.array([30, 20, 9, 2]), np.array([False] * 4 + [True]), minimum=5)
    assert result.hidden.tolist() == [False, False, False, True, True]


def test_nothing_further_is_hidden_where_nothing_is_small():
    groups = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
    assert not audit(groups, np.array([5, 6, 7]), np.zeros(4, dtype=bool), minimum=5).hidden.any()


def test_a_study_too_large_to_audit_shows_only_the_whole():
    groups = np.vstack([np.ones(40, dtype=bool), np.eye(40, dtype=bool)])
    result = audit(groups, np.full(40, 9), np.zeros(41, dtype=bool), minimum=5, largest=20)
    assert not result.finished
    assert result.hidden.tolist() == [False] + [True] * 40


def test_parts_that_only_together_are_what_a_region_holds_beside_its_units_are_protected():
    """A region less two of its units is two pairs of people, who are no group and no part of their own."""
    region = [1, 1, 1, 1, 0]
    groups = np.array([[1] * 5, region, [1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1]], dtype=bool)
    sizes = np.array([7, 15, 2, 2, 20])
    result = audit(groups, sizes, np.zeros(5, dtype=bool), minimum=5)
    assert result.finished
    assert not _follows(groups[~result.hidden], np.array([0, 0, 1, 1, 0]))


@given(organisations(), st.integers(3, 5))
@settings(max_examples=30)
def test_no_few_parts_together_follow_either(organisation, minimum):
    groups, sizes = organisation
    result = audit(groups, sizes, groups @ sizes < minimum, minimum)
    shown = np.unique(groups[~result.hidden][:, sizes > 0], axis=1, return_inverse=True)
    if not (~result.hidden).any():
        return
    parts, of_part = shown[0], np.bincount(shown[1].ravel(), sizes[sizes > 0])
    small = np.flatnonzero((of_part < minimum) & parts.any(axis=0))
    for count in (2, 3, 4):
        for chosen in combinations(small.tolist(), count):
            if of_part[list(chosen)].sum() < minimum:
                assert not _follows(parts, np.isin(np.arange(len(of_part)), chosen))


def test_what_two_groups_leave_of_everybody_is_looked_at_as_a_set():
    everybody, unit, field, category = [1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]
    groups = np.array([everybody, unit, field, category], dtype=bool)
    sets = small_sets(groups, np.array([20, 20, 2, 2]), 5)
    assert [0, 0, 1, 1] in sets.tolist()


def test_what_was_hidden_first_is_shown_where_what_was_hidden_later_protects_as_well():
    """Three people are left of the thirteen by the ten, and three of the sixteen by the thirteen."""
    groups = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=bool)
    result = audit(groups, np.array([10, 3, 3]), np.zeros(3, dtype=bool), 5)
    assert result.hidden.tolist() == [False, True, False]
