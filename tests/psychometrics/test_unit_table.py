"""The table of units and items against pandas, with gaps, empty units and answers off the scale."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import unit_table, within_group_agreement


def study(missing=0.0, n=500, low=1, dtype=float):
    generator = np.random.default_rng(4)
    answers = pd.DataFrame(generator.integers(low, low + 5, (n, 3)).astype(dtype), columns=["q1", "q2", "q3"])
    if missing:
        answers = answers.mask(generator.random(answers.shape) < missing)
    return answers, pd.Series(generator.choice(["north", "south", "west"], n))


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("low", [1, -2, 0])
def test_every_number_is_that_of_pandas(missing, low):
    answers, units = study(missing, low=low)
    table = unit_table(answers, units, scale=(low, low + 4)).to_frame()
    grouped = answers.groupby(units)
    for column, expected in (("n", grouped.count()), ("mean", grouped.mean()), ("sd", grouped.std())):
        assert_allclose(table[column].unstack("item"), expected, rtol=1e-12)
    for option in range(low, low + 5):
        counts = (answers == option).groupby(units).sum()
        assert_array_equal(table[f"count_{option}"].unstack("item"), counts)
    assert_allclose(table["rwg"], np.maximum(1 - table["sd"] ** 2 / 2, 0), atol=1e-12)


def test_integers_of_every_width_give_the_same_table():
    answers, units = study()
    expected = unit_table(answers, units, scale=(1, 5)).to_frame()
    for dtype in ("int8", "uint8", "int64", "Int8"):
        pd.testing.assert_frame_equal(unit_table(answers.astype(dtype), units, scale=(1, 5)).to_frame(), expected)


@pytest.mark.parametrize("policy", ["available", "listwise"])
def test_units_agree_with_within_group_agreement(policy):
    answers, units = study(0.2)
    table = unit_table(answers, units, scale=(1, 5), missing=policy)
    agreement = within_group_agreement(answers, units, scale=(1, 5), missing=policy)
    assert_allclose(table.units()["rwg_j"], agreement.to_frame()["rwg_j"], atol=1e-12)
    assert_allclose(table.units()["sd"] ** 2, agreement.to_frame()["variance"], rtol=1e-12)
    assert_array_equal(table.units()["n"], agreement.to_frame()["n"])
    assert table.n_dropped == agreement.n_dropped


def test_one_answer_has_no_spread_and_no_agreement():
    table = unit_table(pd.DataFrame({"q1": [4, 2, 3]}), ["a", "b", "b"], scale=(1, 5)).to_frame()
    assert table.loc[("a", "q1"), ["sd", "rwg"]].isna().all()
    assert table.loc[("a", "q1"), "mean"] == 4.0


def test_respondents_without_a_unit_are_counted():
    result = unit_table(pd.DataFrame({"q1": [4, 2, 3]}), ["a", None, "b"], scale=(1, 5))
    assert (result.n_respondents, result.n_dropped, result.n_units) == (2, 1, 2)
    assert "2 units" in result.describe()


@pytest.mark.parametrize(
    ("answers", "units", "error", "wording"),
    [
        ({"q1": [1, 7]}, ["a", "a"], ValueError, "off the scale"),
        ({"q1": [1, 2.5]}, ["a", "a"], ValueError, "between the options"),
        ({"q1": [1, 2]}, [None, None], InsufficientDataError, "unit column"),
        ({}, [], InsufficientDataError, "at least 1 item"),
    ],
)
def test_what_cannot_be_tabled_is_refused(answers, units, error, wording):
    with pytest.raises(error, match=wording):
        unit_table(pd.DataFrame(answers), units, scale=(1, 5))


def test_counts_cannot_be_changed():
    result = unit_table(pd.DataFrame({"q1": [4, 2, 3]}), ["a", "b", "b"], scale=(1, 5))
    with pytest.raises(ValueError, match="read-only"):
        result.counts[0, 0, 0] = 9
