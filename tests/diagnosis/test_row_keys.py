"""Rows by the texts that they share, and counts that do not depend on how many rows are looked at together."""

import numpy as np
import pandas as pd
import pytest

from servicediag.diagnosis import sums
from servicediag.diagnosis.row_keys import RowKeys

TABLE = pd.DataFrame({"by": ["b", "a", "b", "", "a"], "kind": ["x", "x", "x", "y", "y"]})


def test_a_combination_stands_once_in_the_order_in_which_it_occurs():
    keys = RowKeys.of(TABLE, ["by", "kind"])
    assert keys.keys == [("b", "x"), ("a", "x"), ("", "y"), ("a", "y")]
    assert [keys.keys[code] for code in keys.codes] == list(TABLE.itertuples(index=False, name=None))


def test_positions_of_some_rows_leave_out_combinations_without_any():
    found = RowKeys.of(TABLE, ["by", "kind"]).positions_of(np.array([True, True, True, False, False]))
    assert {key: rows.tolist() for key, rows in found.items()} == {("b", "x"): [0, 2], ("a", "x"): [1]}


def test_a_table_without_rows_has_no_combinations():
    keys = RowKeys.of(TABLE.iloc[:0], ["by", "kind"])
    assert (keys.keys, keys.positions(), keys.each(len, int).tolist()) == ([], {}, [])


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_counts_are_the_same_however_many_rows_are_taken_at_once(monkeypatch, at_once):
    monkeypatch.setattr(sums, "ROWS_AT_ONCE", at_once)
    first, place = np.array([0, 3, 3, 0, 3]), np.array([0, 1, 1, 2, 0])
    assert sums.cell_counts(first, lambda rows: place[rows], 6).tolist() == [1, 0, 1, 1, 2, 0]
