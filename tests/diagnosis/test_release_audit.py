"""Facts of several releases, put together: what tells of few people has to go, and nothing else."""

import numpy as np

from servicediag.diagnosis.release_audit import Fact, exposing_groups

PEOPLE = np.arange(30)


def among(*people):
    return np.isin(PEOPLE, people)


def test_leaver_follows_from_two_totals():
    before, now = Fact(among(*range(12)), 600.0), Fact(among(*range(11)), 560.0, group="now")
    assert exposing_groups([before, now], 5) == {"now"}


def test_many_leavers_do_not_matter():
    before, now = Fact(among(*range(20)), 1000.0), Fact(among(*range(12)), 560.0, group="now")
    assert exposing_groups([before, now], 5) == set()


def test_rounding_that_leaves_a_fifth_protects_and_less_does_not():
    before = Fact(among(*range(12)), 600.0)
    wide = Fact(among(*range(11)), 560.0, errors={"a": 10.0}, group="now")
    narrow = Fact(among(*range(11)), 560.0, errors={"a": 9.0}, group="now")
    assert exposing_groups([before, wide], 5) == set()
    assert exposing_groups([before, narrow], 5) == {"now"}


def test_rounding_that_two_numbers_share_cancels_out():
    """The whole less the rounded unit is the exact sum of the others, and with it that of the one who left them."""
    before = [Fact(among(*range(30)), 1500.0), Fact(among(*range(12)), 600.0)]
    unit = Fact(among(*range(11)), 560.0, errors={"a": 20.0}, group="unit")
    whole = Fact(among(*range(11), *range(12, 29)), 1400.0, errors={"a": 20.0}, group="whole")
    assert exposing_groups([*before, unit], 5) == set()
    assert exposing_groups([*before, unit, whole], 5) != set()


def test_unit_hidden_earlier_and_shown_now_gives_its_partner_away():
    """Earlier 3 and 8 people were withheld together; the 8 shown now tell the 3."""
    before = [Fact(among(*range(23)), 1150.0), Fact(among(*range(11, 23)), 600.0)]
    now = Fact(among(*range(8)), 400.0, group="eight")
    assert exposing_groups([*before, now], 5) == {"eight"}


def test_same_numbers_again_tell_nothing_new():
    before = [Fact(among(*range(10)), 500.0), Fact(among(*range(10, 13)), 150.0)]
    assert exposing_groups([*before, Fact(among(*range(10)), 500.0, group="again")], 5) == set()


def test_changed_answers_elsewhere_do_not_hide_a_leaver():
    """The facts contradict one another since people of another group changed their answers."""
    before = [Fact(among(*range(12)), 600.0), Fact(among(*range(12, 24)), 600.0), Fact(among(*range(24)), 1200.0)]
    now = [
        Fact(among(*range(11)), 560.0, group="unit"),
        Fact(among(*range(12, 24)), 700.0, group="other"),
    ]
    assert "unit" in exposing_groups([*before, *now], 5)


def test_few_left_over_who_agree_are_protected_by_the_spread():
    """Six of eighteen are left, all at 50 points."""
    people, answers = among(*range(18)), np.append(np.full(6, 50.0), np.tile([0.0, 100.0], 6))
    whole = Fact(people, answers.sum(), float((answers**2).sum()))
    part = Fact(among(*range(6, 18)), 600.0, float((answers[6:] ** 2).sum()), group="part")
    assert exposing_groups([whole, part], 5) == {"part"}


def test_part_of_two_groupings_that_nearly_agrees_is_not_left_over():
    """The whole less a unit and a region is eight people, all within a few points of one another."""
    near = 8 * 50.0**2 + 60.0
    facts = [
        Fact(among(*range(30)), 1500.0, squares=near + 100_000.0, group="whole"),
        Fact(among(*range(12)), 600.0, squares=60_000.0, group="unit"),
        Fact(among(*range(12, 22)), 500.0, squares=40_000.0, group="region"),
    ]
    assert exposing_groups(facts, 5) == {"region"}
    apart = [Fact(f.people, f.total, (f.squares or 0) + 9_000 * (f.group == "whole"), group=f.group) for f in facts]
    assert exposing_groups(apart, 5) == set()


def test_part_near_the_end_of_the_scale_is_not_left_over_even_without_spread():
    facts = [Fact(among(*range(30)), 1995.0, group="whole"), Fact(among(*range(24)), 1400.0, group="unit")]
    assert exposing_groups(facts, 5) == {"unit"}


def test_atoms_count_as_many_people_as_they_hold():
    atoms = np.array([True, False])
    facts = [Fact(np.array([True, True]), 600.0, group="whole"), Fact(atoms, 400.0, group="unit")]
    assert exposing_groups(facts, 5, np.array([8, 12])) == set()
    assert exposing_groups(facts, 5, np.array([8, 4])) == {"unit"}


def test_group_of_ten_or_more_that_tells_of_itself_is_left_alone():
    everybody = Fact(among(*range(12)), 1190.0, group="unit")
    assert exposing_groups([everybody], 5) == set()
