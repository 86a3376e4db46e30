"""What counts as answers: number types, gaps, text, and the names of faults."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from servicediag.psychometrics._frames import (
    Result,
    apa_interval,
    apa_number,
    check_choice,
    check_count,
    check_level,
    numeric_frame,
    numeric_series,
)
from servicediag.results import ConfidenceInterval


@pytest.mark.parametrize(
    "column",
    [
        [1, 2, 3],
        pd.Series([1, 2, 3], dtype="int8"),
        pd.Series([1, 2, 3], dtype="Int64"),
        pd.Series([1, 2, 3], dtype="Float32"),
        pd.Series([1, 2, 3], dtype="float32"),
        pd.Series([1, 2.0, decimal.Decimal(3)], dtype=object),
        pd.Series([1, 2, 3], dtype="category"),
    ],
)
def test_every_type_of_number_is_read(column):
    assert numeric_frame(pd.DataFrame({"a": column})).floats.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_every_kind_of_gap_is_missing(gap):
    frame = numeric_frame(
        pd.DataFrame({"a": pd.Series([1, gap], dtype=object), "b": pd.array([gap, 2], dtype="Int64")})
    )
    assert np.isnan(frame.floats).tolist() == [[False, True], [True, False]]
    assert frame.complete.tolist() == [False, False]


def test_booleans_count_as_zero_and_one():
    assert numeric_frame(pd.DataFrame({"a": [True, False]})).floats.tolist() == [[1], [0]]
    assert numeric_frame(pd.DataFrame({"a": pd.array([True, None], dtype="boolean")})).complete.tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    "column",
    [
        ["Agree", "Disagree"],
        ["1", "2"],
        pd.Series(["Agree", None], dtype="string"),
        pd.Series(["Agree", "No"], dtype="category"),
        pd.Series([1, "Agree"], dtype=object),
        [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2)],
        [1 + 2j, 3],
    ],
)
def test_what_is_no_number_is_refused_by_column(column):
    with pytest.raises(ValueError, match=r"not so in q7 \("):
        numeric_frame(pd.DataFrame({"ok": [1, 2], "q7": column}))


def test_text_is_refused_with_its_labels():
    with pytest.raises(ValueError, match=r"a \('Agree', 'No'\), b \('x'\)"):
        numeric_frame(pd.DataFrame({"a": ["Agree", "No"], "b": ["x", "x"]}))


def test_infinite_numbers_are_refused_by_column():
    with pytest.raises(ValueError, match="in b"):
        numeric_frame(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.inf]}))


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="more than one column named a"):
        numeric_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize("data", [[1, 2], "text", None, pd.Series([1, 2])])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(TypeError, match="ratings must be a DataFrame"):
        numeric_frame(data, "ratings")


def test_arrays_get_numbers_for_names():
    frame = numeric_frame(np.array([[1, 2], [3, 4]]))
    assert frame.columns == (0, 1)


def test_a_series_keeps_its_index():
    series = numeric_series(pd.Series([1, 2], index=["x", "y"]), "before")
    assert series.to_dict() == {"x": 1.0, "y": 2.0}
    with pytest.raises(TypeError, match="before must be a Series"):
        numeric_series(3, "before")


@pytest.mark.parametrize("level", [0, 1, -0.1, 95])
def test_levels_lie_between_0_and_1(level):
    with pytest.raises(ValueError, match="level"):
        check_level(level)


@pytest.mark.parametrize("level", [True, "0.95", None])
def test_levels_are_numbers(level):
    with pytest.raises(TypeError, match="level must be a number"):
        check_level(level)


def test_arguments_are_named_with_their_choices():
    with pytest.raises(ValueError, match="missing must be one of 'listwise', 'pairwise', not 'drop'"):
        check_choice("missing", "drop", ("listwise", "pairwise"))
    with pytest.raises(ValueError, match="n_resamples must be at least 100, not 5"):
        check_count("n_resamples", 5, 100)
    with pytest.raises(TypeError, match="whole number"):
        check_count("n_resamples", 2.5, 1)


@pytest.mark.parametrize(
    ("value", "text"), [(0.005, ".01"), (-0.004, ".00"), (0.996, "1.00"), (-1.25, "-1.25"), (float("nan"), "undefined")]
)
def test_numbers_are_printed_as_apa_wants(value, text):
    assert apa_number(value) == text


def test_intervals_are_printed_with_their_level():
    assert apa_interval(ConfidenceInterval(-0.1, 0.55, level=0.9)) == "90% CI [-.10, .55]"


def test_names_are_escaped_and_kept_from_mathjax():
    class Table(Result):
        def to_frame(self):
            return pd.DataFrame({"<script>alert(1)</script>": ["<b>$x$</b>"]})

        def describe(self):
            return "<i>q1</i>"

    shown = Table()._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "tex2jax_ignore" in shown
