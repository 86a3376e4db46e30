"""Whatever is passed in: a result that can be shown, or an error of the three kinds that are promised."""

from __future__ import annotations

import datetime
import decimal
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics import (
    aggregation,
    average_string,
    cohen_kappa,
    even_odd_consistency,
    fleiss_kappa,
    gwet_ac,
    intra_individual_variability,
    intraclass_correlation,
    krippendorff_alpha,
    longstring,
    mahalanobis,
    mahalanobis_probability,
    missing_count,
    person_total_correlation,
    psychometric_antonyms,
    psychometric_synonyms,
    within_group_agreement,
)

REFUSALS = (InsufficientDataError, ValueError, TypeError)
FUNCTIONS = {
    "intraclass_correlation": intraclass_correlation,
    "within_group_agreement": lambda data: within_group_agreement(data, data.iloc[:, 0], scale=(1, 5)),
    "aggregation": lambda data: aggregation(data.iloc[:, -1], data.iloc[:, 0]),
    "cohen_kappa": lambda data: cohen_kappa(data.iloc[:, 0], data.iloc[:, -1]),
    "cohen_kappa_weighted": lambda data: cohen_kappa(data.iloc[:, 0], data.iloc[:, -1], weights="quadratic"),
    "fleiss_kappa": fleiss_kappa,
    "gwet_ac": gwet_ac,
    "gwet_ac2": lambda data: gwet_ac(data, weights="linear"),
    **{
        f"krippendorff_alpha_{level}": lambda data, level=level: krippendorff_alpha(data, level=level)
        for level in ("nominal", "ordinal", "interval", "ratio")
    },
    "longstring": longstring,
    "average_string": average_string,
    "intra_individual_variability": intra_individual_variability,
    "missing_count": missing_count,
    "mahalanobis": mahalanobis,
    "mahalanobis_probability": mahalanobis_probability,
    "person_total_correlation": person_total_correlation,
    "psychometric_synonyms": psychometric_synonyms,
    "psychometric_antonyms": psychometric_antonyms,
    "even_odd_consistency": lambda data: even_odd_consistency(data, {i: [c, c] for i, c in enumerate(data)}),
}

ordinary = st.one_of(st.none(), st.integers(-2, 6), st.just(math.nan), st.sampled_from([0.1, 2.5, 1e-300, 1e90, -1e90]))
strange = st.one_of(
    ordinary,
    st.sampled_from(
        [
            math.inf, 1e300, 10**40, True, "3", "", "=1+1", "<b>", pd.NA, pd.NaT, decimal.Decimal("1.5"), 1 + 2j,
            datetime.date(2024, 1, 1), pd.Timestamp("2024-01-01"), (1, 2), [1], {"a": 1}, b"x",
        ]
    ),
)  # fmt: skip


@st.composite
def tables(draw):
    rows, columns = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    cell = draw(st.sampled_from([ordinary, strange]))
    cells = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    frame = pd.DataFrame(cells, dtype=object if draw(st.booleans()) else None, columns=range(columns))
    if columns and draw(st.booleans()):
        frame.columns = draw(
            st.lists(st.sampled_from(["a", "b", 1, None, ("x", "y")]), min_size=columns, max_size=columns)
        )
    return frame


def show(result):
    if isinstance(result, pd.Series):
        assert result.name
        return
    assert "\n" not in repr(result)
    assert result.describe().endswith(".")
    assert "<table" in result._repr_html_()
    assert len(result.to_frame())


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=60, deadline=None)
@given(tables())
def test_a_result_that_can_be_shown_or_a_promised_error(name, data):
    try:
        result = FUNCTIONS[name](data)
    except REFUSALS:
        return
    except IndexError:
        if data.shape[1]:  # else the test itself took a column from an empty table
            raise
        return
    show(result)


ODD_FRAMES = {
    "nullable": pd.DataFrame({"a": pd.array([1, 2, None, 4, 5], "Int64"), "b": pd.array([1, 3, 3, None, 5], "Int64")}),
    "categorical": pd.DataFrame({c: pd.Categorical([1, 2, 2, 3, 1], [1, 2, 3]) for c in "ab"}),
    "boolean": pd.DataFrame({"a": [True, False, True], "b": [True, True, False]}),
    "dates": pd.DataFrame({"a": pd.date_range("2024-01-01", periods=4), "b": pd.date_range("2024-01-02", periods=4)}),
    "duplicated names": pd.DataFrame([[1, 2], [3, 4], [5, 5]], columns=["a", "a"]),
    "duplicated index": pd.DataFrame({"a": [1, 2, 3], "b": [2, 2, 3]}, index=[0, 0, 0]),
    "several levels": pd.DataFrame([[1, 2], [3, 3]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
    "one row": pd.DataFrame({"a": [1], "b": [2]}),
    "empty": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": [], "b": []}),
    "tiny numbers": pd.DataFrame({"a": [1e-200, 2e-200, 4e-200], "b": [1e-200, 3e-200, 4e-200], "c": [0, 1e-200, 0]}),
    "huge numbers": pd.DataFrame({"a": [1e99, 2e99, -4e99], "b": [1e99, 3e99, 4e99]}),
    "far from zero": pd.DataFrame({"a": [1e9 + 1, 1e9 + 2, 1e9 + 4], "b": [1e9 + 1, 1e9 + 3, 1e9 + 4]}),
    "constant": pd.DataFrame({"a": [0.1] * 5, "b": [0.1] * 5}),
    "not a frame": [[1, 2], [3, 4]],
    "text": "answers",
    "nothing": None,
    "array": np.array([[1, 2], [2, 2], [3, 5]]),
}


@pytest.mark.parametrize("frame", ODD_FRAMES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_odd_tables_give_a_result_or_a_promised_error(name, frame):
    data = ODD_FRAMES[frame]
    takes_columns = name in ("within_group_agreement", "aggregation") or "cohen" in name
    if takes_columns and not isinstance(data, pd.DataFrame):
        data = pd.DataFrame([[data, data]])
    if takes_columns and not data.shape[1]:
        data = pd.DataFrame({"a": [], "b": []})
    try:
        result = FUNCTIONS[name](data)
    except REFUSALS:
        return
    show(result)
