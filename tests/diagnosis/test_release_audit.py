"""Facts of several releases, put together: what tells of few people has to go, and nothing else."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from servicediag.diagnosis import release_audit
from servicediag.diagnosis.release_audit import Fact, exposing_groups, too_large
from servicediag.diagnosis.release_counts import Distribution, exposing_distributions

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


def test_attack_by_a_region_that_lost_five_people_and_units_that_tell_in_which_third_one_of_them_is():
    """One left each of two units, three a unit that is withheld: the five less one are four, known to a third."""
    before = [Fact(among(*range(10)), 500.0), Fact(among(*range(10, 20)), 500.0), Fact(among(*range(25)), 1250.0)]
    units = [
        Fact(among(*range(9)), 450.0, errors={"a": 16.0}, group="first"),
        Fact(among(*range(10, 19)), 450.0, errors={"b": 16.0}, group="second"),
    ]
    region = Fact(among(*range(9), *range(10, 19), 20, 21), 1000.0, group="region")
    assert exposing_groups([*before, *units], 5) == set()
    assert exposing_groups([*before, region], 5) == set()
    assert exposing_groups([*before, *units, region], 5)


def test_only_a_group_that_takes_part_is_withheld():
    """The leaver follows from the unit; that the other group is the whole less the unit has nothing to do with it."""
    before = [Fact(among(*range(30)), 1500.0), Fact(among(*range(20)), 1000.0), Fact(among(*range(20, 25)), 250.0)]
    other = Fact(among(*range(20, 30)), 500.0, group="other")
    now = Fact(among(*range(19)), 960.0, group="now")
    assert exposing_groups([*before, now, other], 5) == {"now"}


def test_distribution_of_few_follows_from_two_releases_and_is_withheld():
    whole, most = Distribution(among(*range(30)), (20, 10)), Distribution(among(*range(22)), (14, 8), "now")
    assert exposing_distributions([whole, most], 5) == {"now"}
    assert exposing_distributions([whole, Distribution(among(*range(12)), (7, 5), "now")], 5) == set()


def test_distribution_of_few_within_one_release_is_withheld_only_where_they_agree():
    def reports(left):
        return [
            Distribution(among(*range(30)), (10 + left, 20 - left), "whole"),
            Distribution(among(*range(22)), (10, 12), "unit"),
        ]

    assert exposing_distributions(reports(4), 5) == set()
    assert exposing_distributions(reports(7), 5) == {"unit"}


def test_same_distribution_again_tells_nothing_new():
    before = Distribution(among(*range(22)), (14, 8))
    again = Distribution(among(*range(22)), (14, 8), "again")
    assert exposing_distributions([Distribution(among(*range(30)), (20, 10)), before, again], 5) == set()


def test_many_groups_of_many_parts_are_too_large_to_be_audited():
    parts = np.eye(400, dtype=bool)
    assert too_large(parts)
    assert not too_large(parts[:50])


def test_attack_by_a_unit_within_a_region_whose_others_all_answered_alike():
    """Fourteen are left, all at 50 points; a team of just these people may be shown, and then tells it by itself."""
    alike, unit = 14 * 50.0**2, 12 * 50.0**2 + 20_000.0
    facts = [
        Fact(among(*range(26)), 1300.0, squares=alike + unit, group="region"),
        Fact(among(*range(12)), 600.0, squares=unit, group="unit"),
    ]
    assert exposing_groups(facts, 5) == {"unit"}
    assert exposing_groups([*facts, Fact(among(*range(12, 26)), 700.0, squares=alike, group="team")], 5) == set()
    assert exposing_groups([replace(facts[0], squares=alike + unit + 20_000.0), facts[1]], 5) == set()


def test_attack_by_a_unit_within_a_region_whose_others_are_near_the_end_of_the_scale():
    """Fifteen are left with a mean of 98.2: each may be a quarter of the scale off, any four together may not."""

    def facts(mean):
        left, unit = np.full(15, 100.0), np.tile([0.0, 50.0], 6)
        left[0] -= 15 * (100.0 - mean)
        answers = np.append(left, unit)
        region = Fact(among(*range(27)), answers.sum(), float((answers**2).sum()), group="region")
        return [region, Fact(among(*range(15, 27)), unit.sum(), float((unit**2).sum()), group="unit")]

    assert exposing_groups(facts(98.2), 5) == {"unit"}
    assert exposing_groups(facts(94.0), 5) == set()


def test_answers_that_are_steps_need_two_possible_sums():
    """The answer of the one who left is 13 to 37 points: enough of a range, but only 25 is an answer."""
    before = Fact(among(*range(12)), 600.0)
    now = Fact(among(*range(11)), 575.0, errors={"a": 12.0}, group="now")
    assert exposing_groups([before, now], 5) == set()
    assert exposing_groups([before, now], 5, step=25.0) == {"now"}
    assert exposing_groups([before, now], 5, step=10.0) == set()


def test_attack_by_a_region_and_a_unit_of_it_that_has_one_person_elsewhere():
    """Fourteen are the region less the unit, give or take the one: they, and any four, lack 70 points at most."""
    region, unit = among(*range(26)), among(*range(14, 27))

    def facts(total):
        return [Fact(region, total + 500.0, group="region"), Fact(unit, 500.0, group="unit")]

    assert exposing_groups(facts(1330.0), 5)
    assert exposing_groups(facts(1200.0), 5) == set()


def test_attack_by_a_category_of_which_a_large_group_tells_one_and_a_rounding_another():
    """Six, less one of a team of whom all are near 100, less one who left and is known to 32 points: four are left."""
    before = [
        Fact(among(*range(30)), 2300.0),
        Fact(among(*range(6)), 330.0),
        Fact(among(5, *range(6, 17)), 1196.0),
    ]
    now = Fact(among(*range(4), *range(5, 30)), 2250.0, errors={"a": 16.0}, group="now")
    assert exposing_groups([before[0], *before[2:], now], 5) == set()
    assert exposing_groups([*before, now], 5) == {"now"}


def test_person_of_whom_a_large_group_tells_does_not_close_the_group_of_another():
    """All of the team are at 100, which the team may show; what is known of the pair is no more of the other leaver."""
    before = [Fact(among(*range(12)), 1200.0), Fact(among(*range(12, 22)), 500.0)]
    now = [
        Fact(among(*range(11)), 1100.0, errors={"a": 15.0}, group="team"),
        Fact(among(*range(12, 21)), 450.0, errors={"b": 15.0}, group="unit"),
    ]
    assert exposing_groups([*before, *now], 5) == set()
    narrow = replace(now[1], errors={"b": 9.0})
    assert exposing_groups([*before, now[0], narrow], 5) == {"unit"}


def test_two_parts_together_are_not_narrowed_down_though_each_of_them_is_open():
    """A and B follow from three groups but for one person D, whom a group of ten leaves half of the range."""
    sizes = np.array([2.0, 2.0, 10.0, 10.0, 1.0, 9.0])
    a, b, c1, c2, d, e = np.eye(6, dtype=bool)
    facts = [Fact(a | c1, 600.0, group="1"), Fact(b | c2, 600.0, group="2"), Fact(c1 | c2 | d, 1080.0, group="3")]
    assert exposing_groups([*facts, Fact(d | e, 950.0, group="4")], 5, sizes)
    # a group that leaves D the whole range leaves the two together more than a fifth of theirs
    assert not exposing_groups([*facts, Fact(d | e, 600.0, group="4")], 5, sizes)


def test_a_part_of_which_a_large_group_tells_only_together_with_others_is_looked_at():
    """Any three of the sixteen are told by their group, this one is not; with two others it follows but for one."""
    sizes = np.array([2.0, 1.0, 10.0, 10.0, 1.0, 9.0, 15.0])
    a, b, c1, c2, d, e, f = np.eye(7, dtype=bool)
    facts = [Fact(a | c1, 600.0, group="1"), Fact(b | c2, 510.0, group="2"), Fact(c1 | c2 | d, 1000.0, group="3")]
    near = [Fact(b | f, 40.0, group="5"), Fact(d | e, 950.0, group="4")]
    assert exposing_groups([*facts, *near], 5, sizes)


@pytest.mark.parametrize(("lacking", "gone"), [(67.0, {"nine"}), (90.0, set())])
def test_three_of_a_team_and_one_more_are_not_told_together_though_each_is_open(lacking, gone):
    """Of a team of ten 67 points are lacking, of any three of it at most 67 of 300; so many of 100 are open of the one
    who makes nine with eight of the team, but no more of the 400 of all four."""
    sizes = np.array([8.0, 2.0, 1.0])
    most, few, one = np.eye(3, dtype=bool)
    facts = [Fact(most | few, 1000.0 - lacking, group="ten"), Fact(most | one, 800.0, group="nine")]
    assert exposing_groups(facts, 5, sizes) == gone


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_of_no_few_people_less_than_a_fifth_stays_open(seed):
    """Every choice of up to four people of the parts, against a program in which they are parts of their own."""
    facts, sizes = random_facts(seed, parts=5, groups=3, levels=[3.0, 50.0, 94.0], share=0.6)
    gone = exposing_groups(facts, 5, sizes)
    left = [fact for fact in facts if fact.group not in gone]
    inside = np.any([fact.people for fact in left], axis=0) if left else np.zeros(5, dtype=bool)
    for counts in product(*(range(int(min(size, 4)) + 1) for size in sizes * inside)):
        chosen, people = np.array(counts, dtype=float), sum(counts)
        if 0 < people < 5 and not any(told_by_itself(fact, chosen, sizes) for fact in left):
            assert range_of(chosen, left, sizes) >= 20.0 * people - 0.1


def random_facts(seed, parts, groups, levels, share):
    """The whole and random groups of parts of one to eight people, whose means are one of some levels."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 9, parts).astype(float)
    sums = sizes * generator.choice(levels, parts)
    chosen = [np.ones(parts, dtype=bool), *(generator.random((groups, parts)) < share)]
    facts = [Fact(group, float(sums[group].sum()), group=str(k)) for k, group in enumerate(chosen) if group.any()]
    return facts, sizes


def told_by_itself(fact, chosen, sizes):
    """Whether a group of ten or more leaves those of the chosen who are in it less than a fifth."""
    n, m = sizes[fact.people].sum(), chosen[fact.people].sum()
    return n >= 10 and m > 0 and min(100 * m, fact.total) - max(0, fact.total - 100 * (n - m)) < 20 * m


def range_of(chosen, facts, sizes):
    rows = np.array([np.repeat(fact.people, 2) for fact in facts], dtype=float)
    bounds = [(0.0, 100.0 * n) for pair in zip(chosen, sizes - chosen, strict=True) for n in pair]
    of_chosen, totals = np.tile([1.0, 0.0], len(sizes)), [fact.total for fact in facts]
    ends = [sign * linprog(sign * of_chosen, A_eq=rows, b_eq=totals, bounds=bounds).fun for sign in (1.0, -1.0)]
    return ends[1] - ends[0]


def test_what_went_first_is_shown_where_what_went_later_protects_as_well():
    """Three people are left of thirteen by the ten, and three of sixteen by the thirteen: only these have to go."""
    groups = [("ten", 10, 500.0), ("thirteen", 13, 650.0), ("sixteen", 16, 800.0)]
    facts = [Fact(among(*range(n)), total, group=name) for name, n, total in groups]
    assert exposing_groups(facts, 5) == {"thirteen"}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_nothing_that_is_withheld_could_be_shown_beside_what_is_left(seed):
    facts, sizes = random_facts(seed, parts=10, groups=5, levels=[5.0, 50.0, 97.0], share=0.5)
    gone = exposing_groups(facts, 5, sizes)
    assert exposing_groups([fact for fact in facts if fact.group not in gone], 5, sizes) == set()
    for again in gone:
        assert exposing_groups([fact for fact in facts if fact.group not in gone - {again}], 5, sizes)


def test_spread_that_was_not_shown_before_is_looked_at_though_the_total_is_known():
    """Six are left of eighteen, all at 50: a breakdown had told the total of the eighteen without the spread."""
    answers = np.where(PEOPLE < 6, 50.0, np.tile([0.0, 100.0], 15))[:18]
    of_everybody, of_most = float((answers**2).sum()), float((answers[6:] ** 2).sum())
    before = Fact(among(*range(18)), answers.sum())
    now = [replace(before, squares=of_everybody, group="all"), Fact(among(*range(6, 18)), 600.0, of_most, group="part")]
    assert exposing_groups([before, now[1]], 5) == set()
    assert exposing_groups([before, *now], 5) == {"part"}


def test_what_an_earlier_rounded_group_tells_by_itself_costs_no_program(monkeypatch):
    """Of 36 people who were all at an end any few were told before, in each of twelve ways to cross two groupings."""
    generator, people = np.random.default_rng(0), np.arange(96)
    unit = np.where(people < 36, 0, 1 + (people - 36) // 15)
    answers = np.where(unit == 0, 0.0, generator.uniform(0, 100, 96).round())
    first, second = people % 3, people // 3 % 4
    before = [(unit == u, {"0:u": 15.0} if u == 0 else {}) for u in range(5)]
    facts = [Fact(p, float(answers[p].sum()), errors=e) for p, e in [*before, (people >= 0, {"0:u": 15.0})]]
    for name, column in (("a", first), ("b", second)):
        for k in range(column.max() + 1):
            total = float(answers[column == k].sum())
            facts.append(Fact(column == k, total, errors={"1:u": 15.0}, group=f"{name}{k}"))
    monkeypatch.setattr(release_audit, "MOST_PROGRAMS", 300)
    assert exposing_groups(facts, 5) == set()


def test_what_went_last_is_shown_where_something_that_is_back_tells_by_itself():
    sizes = np.array([8.0, 5.0, 1.0, 3.0, 5.0])
    totals = {"01234": 726.9507, "0124": 542.8613, "234": 686.2042, "1234": 700.1967, "01": 40.7465}
    facts = [Fact(np.isin(list("01234"), list(name)), total, group=name) for name, total in totals.items()]
    assert exposing_groups(facts, 5, sizes) == {"0124", "1234"}


def test_people_of_whom_nobody_answered_close_nothing():
    assert exposing_groups([Fact(among(1, 2), 0.0, group="now")], 5, np.zeros(30)) == set()
