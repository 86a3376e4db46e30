"""Agreement within units: definitions, null distributions, laws, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import null_distribution, rwg_critical_value, within_group_agreement

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANSWERS = pd.DataFrame({"q1": [4, 5, 4, 1, 5, 3, 2], "q2": [4, 4, 4, 2, 5, 2, 2]})
UNITS = pd.Series(["north"] * 3 + ["south"] * 3 + ["alone"])


@st.composite
def studies(draw):
    rows, items = draw(st.integers(2, 20)), draw(st.integers(1, 4))
    cells = st.one_of(st.integers(1, 5), st.none())
    answers = draw(st.lists(st.lists(cells, min_size=items, max_size=items), min_size=rows, max_size=rows))
    units = draw(st.lists(st.sampled_from("abc"), min_size=rows, max_size=rows))
    return pd.DataFrame(answers, dtype="float64"), pd.Series(units)


def result_or_none(*args, **options):
    try:
        return within_group_agreement(*args, scale=(1, 5), **options)
    except InsufficientDataError:
        return None


def by_hand(unit, scale=(1, 5), null_variance=2.0):
    """The four indices of one unit with complete answers, one item after the other."""
    low, high = scale
    n, items = unit.shape
    variances, deviations, awg = [], [], []
    for item in unit:
        x = unit[item].to_numpy(float)
        s2 = sum((x - x.mean()) ** 2) / (n - 1)
        variances.append(s2)
        deviations.append(sum(abs(x - x.mean())) / n)
        mean = x.mean()
        if s2 == 0:
            awg.append(1.0)
        elif (low * (n - 1) + high) / n <= mean <= (high * (n - 1) + low) / n:
            awg.append(1 - 2 * s2 / (((high + low) * mean - mean**2 - high * low) * n / (n - 1)))
    q = np.mean(variances) / null_variance
    rwg = items * (1 - q) / (items * (1 - q) + q) if q <= 1 else 0.0
    return rwg, 1 - q, np.mean(awg) if awg else math.nan, np.mean(deviations)


def test_indices_equal_their_definitions():
    random = np.random.default_rng(1)
    answers = pd.DataFrame(random.integers(1, 6, (60, 3)), columns=list("xyz"))
    units = pd.Series(random.integers(0, 9, 60))
    table = within_group_agreement(answers, units, scale=(1, 5)).to_frame()
    for unit, part in answers.groupby(units):
        assert_allclose(table.loc[unit, ["rwg_j", "rwg_j_lindell", "awg", "ad_m"]].astype(float), by_hand(part))


def test_a_single_item_gives_r_wg():
    table = within_group_agreement(ANSWERS[["q1"]], UNITS, scale=(1, 5)).to_frame()
    assert_allclose(table.loc["north", "rwg_j"], 1 - (1 / 3) / 2)


def test_more_dispersion_than_under_the_null_is_truncated_counted_and_kept_raw():
    result = within_group_agreement(pd.DataFrame({"q": [1, 5, 1, 5, 3, 3]}), list("aaaabb"), scale=(1, 5))
    table = result.to_frame()
    assert result.n_truncated == 1
    assert table.loc["a", "rwg_j"] == 0
    assert_allclose(table.loc["a", "rwg_j_lindell"], 1 - (16 / 3) / 2)
    assert "more than under the null" in table.loc["a", "note"]
    assert not table.loc["b", "truncated"]


def test_variance_exactly_at_the_null_is_zero_but_not_truncated():
    result = within_group_agreement(pd.DataFrame({"q": [1, 3]}), list("aa"), scale=(1, 5))
    assert result.to_frame().loc["a", "rwg_j"] == 0
    assert result.n_truncated == 0


def test_units_of_one_are_undefined_with_a_note_and_stay_in_the_table():
    result = within_group_agreement(ANSWERS, UNITS, scale=(1, 5))
    row = result.to_frame().loc["alone"]
    assert row["n"] == 1
    assert math.isnan(row["rwg_j"])
    assert math.isnan(row["ad_m"])
    assert "fewer than 2" in row["note"]
    assert (result.n_units, result.n_undefined) == (3, 1)


def test_awg_is_undefined_where_the_mean_is_too_close_to_the_end_of_the_scale():
    table = within_group_agreement(pd.DataFrame({"q": [5, 5, 4, 5, 5, 5]}), list("aaabbb"), scale=(1, 5)).to_frame()
    assert math.isnan(table.loc["a", "awg"])
    assert "awg undefined" in table.loc["a", "note"]
    assert table.loc["b", "awg"] == 1  # unanimous


def test_listwise_leaves_out_respondents_and_available_leaves_out_cells():
    answers = pd.DataFrame({"q1": [4, 5, 3, 3.0], "q2": [4, np.nan, 2, 4]})
    units = ["a"] * 4
    listwise = within_group_agreement(answers, units, scale=(1, 5))
    available = within_group_agreement(answers, units, scale=(1, 5), missing="available")
    assert (listwise.n_respondents, listwise.n_dropped) == (3, 1)
    assert_allclose(listwise.to_frame().loc["a", "variance"], answers.dropna().var().mean())
    assert (available.n_respondents, available.n_dropped) == (4, 0)
    assert_allclose(available.to_frame().loc["a", "variance"], answers.var().mean())


def test_a_unit_whose_members_all_skipped_an_item_stays_visible():
    answers = pd.DataFrame({"q1": [4.0, 5, 3, 3], "q2": [4.0, 4, np.nan, np.nan]})
    table = within_group_agreement(answers, list("aabb"), scale=(1, 5)).to_frame()
    assert table.loc["b", "n"] == 0
    assert math.isnan(table.loc["b", "rwg_j"])


def test_respondents_without_a_unit_are_left_out_and_counted():
    units = UNITS.astype(object).where(UNITS != "alone", None)
    result = within_group_agreement(ANSWERS, units, scale=(1, 5))
    assert result.n_dropped == 1
    assert list(result.to_frame().index) == ["north", "south"]


@QUICK
@given(studies(), st.sampled_from(["listwise", "available"]))
def test_ranges(study, missing):
    result = result_or_none(*study, missing=missing)
    if result is None:
        return
    table = result.to_frame().dropna(subset="rwg_j")
    assert table["rwg_j"].between(0, 1).all()
    assert (table["rwg_j_lindell"] <= 1).all()
    assert table["awg"].dropna().between(-1 - 1e-12, 1).all()
    assert table["ad_m"].between(0, 2).all()
    assert result.n_respondents + result.n_dropped == len(study[0])


@QUICK
@given(studies(), st.randoms())
def test_order_of_respondents_and_items_does_not_matter(study, random):
    answers, units = study
    rows, columns = list(range(len(answers))), list(answers.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    before = result_or_none(answers, units)
    after = result_or_none(answers.loc[rows, columns], units.loc[rows])
    if before is not None:
        pd.testing.assert_frame_equal(before.to_frame(), after.to_frame())


@QUICK
@given(studies())
def test_reversing_or_shifting_the_scale_changes_nothing(study):
    answers, units = study
    before = result_or_none(answers, units)
    if before is None:
        return
    columns = ["n", "rwg_j", "rwg_j_lindell", "awg", "ad_m"]
    for turned, scale in ((6 - answers, (1, 5)), (answers + 10, (11, 15))):
        after = within_group_agreement(turned, units, scale=scale).to_frame()
        pd.testing.assert_frame_equal(before.to_frame()[columns], after[columns])


@QUICK
@given(studies())
def test_answers_between_the_options_follow_the_same_formulas(study):
    answers, units = study
    whole = result_or_none(answers, units)
    if whole is None:
        return
    nearly = within_group_agreement(answers * (1 - 1e-13) + 3e-13, units, scale=(1, 5)).to_frame()
    columns = ["n", "rwg_j", "rwg_j_lindell", "ad_m", "variance"]
    pd.testing.assert_frame_equal(whole.to_frame()[columns], nearly[columns], atol=1e-9)


@QUICK
@given(studies())
def test_listwise_is_the_same_as_dropping_first(study):
    answers, units = study
    complete = answers.dropna()
    before, after = result_or_none(answers, units), result_or_none(complete, units.loc[complete.index])
    if before is not None:
        table = before.to_frame()
        pd.testing.assert_frame_equal(table[table["n"] > 0], after.to_frame())


def test_series_of_units_is_matched_by_its_index_and_never_by_position():
    shuffled = UNITS.iloc[::-1]
    with pytest.raises(ValueError, match="another index"):
        within_group_agreement(ANSWERS, shuffled, scale=(1, 5))
    part = ANSWERS.iloc[[0, 1, 2]]
    assert list(within_group_agreement(part, UNITS, scale=(1, 5)).to_frame().index) == ["north"]


def test_labels_keep_their_type_and_sort_even_if_mixed():
    answers = pd.DataFrame({"q": [1, 2, 3, 4, 5, 5]})
    assert list(within_group_agreement(answers, [10, 10, 9, 9, 2, 2], scale=(1, 5)).to_frame().index) == [2, 9, 10]
    mixed = within_group_agreement(answers, [1, 1, "b", "b", "a", "a"], scale=(1, 5)).to_frame()
    assert list(mixed.index) == [1, "a", "b"]
    ordered = pd.Series(pd.Categorical(["low", "low", "mid", "mid", "top", "top"], ["top", "mid", "low"]))
    assert list(within_group_agreement(answers, ordered, scale=(1, 5)).to_frame().index) == ["top", "mid", "low"]


# ------------------------------------------------------------------------------------------------------------ nulls


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("uniform", 2.00),
        ("slight_skew", 1.34),
        ("moderate_skew", 0.90),
        ("heavy_skew", 0.44),
        ("triangular", 1.32),
        ("normal", 1.04),
    ],
)
def test_five_point_nulls_have_the_printed_variances(name, printed):
    assert_allclose(null_distribution(name, scale=(1, 5)).variance, printed, atol=1e-12)


@pytest.mark.parametrize("points", [2, 3, 4, 6, 7, 11, 101])
def test_nulls_on_other_scales_are_distributions_narrower_than_the_uniform_one(points):
    uniform = null_distribution("uniform", scale=(0, points - 1)).variance
    assert_allclose(uniform, (points**2 - 1) / 12)
    slight, moderate, heavy = (
        null_distribution(name, scale=(0, points - 1)) for name in ("slight_skew", "moderate_skew", "heavy_skew")
    )
    for null in (
        slight,
        moderate,
        heavy,
        *(null_distribution(n, scale=(0, points - 1)) for n in ("triangular", "normal")),
    ):
        assert len(null.shares) == points
        assert_allclose(sum(null.shares), 1)
        assert 0 < null.variance <= uniform
    assert slight.variance > moderate.variance > heavy.variance


def test_shares_and_variances_can_be_given():
    shares = [0.0, 0.1, 0.2, 0.3, 0.4]
    given_shares = null_distribution(shares, scale=(1, 5)).variance
    assert_allclose(given_shares, 1.0)
    by_shares = within_group_agreement(ANSWERS, UNITS, scale=(1, 5), null=shares)
    by_variance = within_group_agreement(ANSWERS, UNITS, scale=(1, 5), null=1.0)
    assert_allclose(by_shares.to_frame()["rwg_j"], by_variance.to_frame()["rwg_j"])


@pytest.mark.parametrize(
    "null", ["flat", [0.5, 0.5], [0.2] * 4 + [0.3], [1, 0, 0, 0, 0], 0, -1.0, None, [2, -1, 0, 0, 0]]
)
def test_wrong_nulls_are_refused_by_name(null):
    with pytest.raises((ValueError, TypeError), match="null"):
        null_distribution(null, scale=(1, 5))


@pytest.mark.parametrize("scale", [(5, 1), (1, 1), (1, 2.5), (1, 2, 3), 5, "15", (None, 5), (0, math.inf), (0, 1e9)])
def test_wrong_scales_are_refused_by_name(scale):
    with pytest.raises((ValueError, TypeError), match="scale"):
        within_group_agreement(ANSWERS, UNITS, scale=scale)


def test_a_stricter_null_gives_less_agreement_in_the_same_table():
    result = within_group_agreement(ANSWERS, UNITS, scale=(1, 5))
    table = result.under("uniform", "slight_skew", 0.44)
    assert_allclose(table["uniform"], result.to_frame()["rwg_j"])
    own = within_group_agreement(ANSWERS, UNITS, scale=(1, 5), null="slight_skew").to_frame()["rwg_j"]
    assert_allclose(table["slight_skew"], own)
    assert table["0.44"]["north"] < table["slight_skew"]["north"] < table["uniform"]["north"]


# ------------------------------------------------------------------------------------------------- critical values


def exact_critical_value(size, points, level):
    """All multisets of answers of a small unit, weighted by how often they come up."""
    from itertools import combinations_with_replacement
    from math import factorial

    values = []
    for answers in combinations_with_replacement(range(points), size):
        ways = factorial(size) / math.prod(factorial(answers.count(option)) for option in range(points))
        variance = np.var(answers, ddof=1)
        values.append((max(0.0, 1 - variance / ((points**2 - 1) / 12)), ways / points**size))
    values.sort()
    reached = np.cumsum([share for _, share in values])
    return values[int(np.searchsorted(reached, level))][0]


def test_critical_value_of_one_item_is_the_exact_one():
    simulated = rwg_critical_value(5, scale=(1, 5), n_resamples=40_000)
    assert_allclose(simulated, exact_critical_value(5, 5, 0.95), atol=1e-9)


def test_correlated_items_make_chance_agreement_larger_and_one_item_does_not_care():
    independent = rwg_critical_value(10, n_items=5, scale=(1, 5))
    correlated = rwg_critical_value(10, n_items=5, scale=(1, 5), correlation=0.7)
    assert correlated > independent + 0.02
    tiny = rwg_critical_value(10, n_items=5, scale=(1, 5), correlation=1e-9)
    assert_allclose(tiny, independent, atol=0.05)


def test_critical_values_repeat_with_a_seed_and_report_progress():
    seen = []
    first = rwg_critical_value(8, scale=(1, 7), seed=3, progress=lambda done, total: seen.append((done, total)))
    assert first == rwg_critical_value(8, scale=(1, 7), seed=3)
    assert seen[-1] == (2000, 2000)


def test_units_are_compared_with_chance_in_units_of_their_size():
    result = within_group_agreement(ANSWERS, UNITS, scale=(1, 5))
    table = result.critical_values(seed=1)
    assert_allclose(table.loc["north", "critical_value"], rwg_critical_value(3, n_items=2, scale=(1, 5), seed=1))
    assert bool(table.loc["south", "exceeds"]) is False
    assert pd.isna(table.loc["alone", "exceeds"])


@pytest.mark.parametrize(
    "options",
    [{"correlation": 2.0}, {"level": 1}, {"n_resamples": 5}, {"null": 1.5}, {"n_items": 0}, {"seed": -1}],
)
def test_wrong_options_of_the_simulation_are_refused_by_name(options):
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        rwg_critical_value(5, **{"scale": (1, 5), **options})


# ------------------------------------------------------------------------------------------------ showing, refusing


def test_sentence_gives_a_second_null_and_repr_is_one_line():
    result = within_group_agreement(ANSWERS, UNITS, scale=(1, 5))
    assert "against a uniform null" in result.describe()
    assert "slightly skewed" in result.describe()
    assert "\n" not in repr(result)
    assert repr(result) == repr(within_group_agreement(ANSWERS, UNITS, scale=(1, 5)))


def test_unit_labels_are_escaped_in_html():
    html = within_group_agreement(ANSWERS, ["<script>"] * 7, scale=(1, 5))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_bands_count_the_units_and_name_their_source_and_critics():
    table = within_group_agreement(ANSWERS, UNITS, scale=(1, 5)).interpret()
    assert table["n_units"].sum() == 2
    assert table.loc["very strong agreement", "n_units"] == 1
    assert "LeBreton" in table["citation"].iloc[0]
    assert table["criticism"].iloc[0]
    awg = within_group_agreement(ANSWERS, UNITS, scale=(1, 5)).interpret(coefficient="awg")
    assert "Brown" in awg["citation"].iloc[0]


def test_answers_off_the_scale_are_refused_and_all_named():
    answers = pd.DataFrame({"q1": [1, 9], "q2": [0, 3], "q3": [2, 2]})
    with pytest.raises(ValueError, match=r"q1 \(1 to 9\), q2 \(0 to 3\)"):
        within_group_agreement(answers, list("aa"), scale=(1, 5))


def test_no_unit_with_two_members_is_refused_with_what_to_do():
    with pytest.raises(InsufficientDataError, match="Join small units"):
        within_group_agreement(ANSWERS, range(7), scale=(1, 5))


@pytest.mark.parametrize("units", ["abcdefg", 3, None, [[1]] * 7, ["a"] * 6, np.zeros((7, 2)), {"a": 1}])
def test_units_that_do_not_fit_are_refused_by_name(units):
    with pytest.raises((ValueError, TypeError), match="units"):
        within_group_agreement(ANSWERS, units, scale=(1, 5))


def test_result_does_not_change_with_what_it_was_made_from():
    answers = ANSWERS.copy()
    result = within_group_agreement(answers, UNITS, scale=(1, 5))
    before = result.to_frame()
    answers.iloc[:, :] = 1
    shown = result.to_frame()
    shown.iloc[:, 0] = 99
    pd.testing.assert_frame_equal(result.to_frame(), before)
