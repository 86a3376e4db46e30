"""What is withheld of a scale does not follow from its score and its other items."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import servicediag as sd
from servicediag.diagnosis.privacy_scales import hide_what_scales_tell, scored_cells

SIZES = {"A": 6, "B": 8, "C": 14, "D": 15, "E": 16}
KNOW = [item.code for item in sd.load_instrument("readiness").dimension("know").scored_items]


@pytest.fixture
def responses(make_responses):
    return make_responses([("readiness", "employee")], np.repeat(list(SIZES), list(SIZES.values())), seed=5)


def _with(responses, code, rows, value):
    column = responses.codes[code].copy()
    column[rows] = value
    return replace(responses, codes={**responses.codes, code: column})


def _shown(diagnosis, unit):
    items = diagnosis.items
    return set(items.loc[(items["unit"] == unit) & items["item"].isin(KNOW), "item"])


def _has_score(diagnosis, unit):
    levels = diagnosis.evidence
    return bool(((levels["unit"] == unit) & (levels["dimension"] == "know")).any())


def test_an_item_that_a_small_group_answered_alike_does_not_follow_from_the_score(responses):
    diagnosis = sd.diagnose(_with(responses, KNOW[0], slice(0, 6), 5))
    assert len(set(KNOW) - _shown(diagnosis, "A")) >= 2 or not _has_score(diagnosis, "A")


def test_the_score_goes_too_where_all_items_were_answered_alike(responses):
    for code in KNOW:
        responses = _with(responses, code, slice(0, 6), 5)
    diagnosis = sd.diagnose(responses)
    assert not _has_score(diagnosis, "A")
    assert not _shown(diagnosis, "A")


def test_a_score_on_which_a_small_group_agrees_does_not_follow_from_its_items(responses):
    generator = np.random.default_rng(1)
    for row in range(6):
        for code, value in zip(KNOW, generator.permutation([1, 2, 3, 4, 5]), strict=True):
            responses = _with(responses, code, row, value)
    diagnosis = sd.diagnose(responses)
    assert not _has_score(diagnosis, "A")
    assert set(KNOW) - _shown(diagnosis, "A")


def test_the_partner_that_protects_a_small_group_does_not_give_its_item_away(responses):
    """Three of A answered the item; B, or another unit, is withheld with it, and must not follow from its own scale."""
    diagnosis = sd.diagnose(_with(responses, KNOW[0], slice(0, 3), -128))
    for unit in SIZES:
        hidden = set(KNOW) - _shown(diagnosis, unit)
        assert hidden != {KNOW[0]} or unit == "A" or not _has_score(diagnosis, unit)


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=5, max_size=9),
    st.sets(st.integers(0, 3), min_size=1, max_size=4),
)
def test_what_is_hidden_of_a_scale_stays_open_for_a_fifth(answers, first):
    """Whatever is hidden first: what follows of it from the rest is an interval of at least a fifth, or nothing."""
    points = np.array(answers) * 25.0
    columns = [*points.T, points.mean(axis=1)]
    table = pd.DataFrame(
        {
            "by": "unit", "unit": "A", "instrument": "i", "form": "f", "wave": "", "dimension": "d",
            "kind": ["item"] * 3 + ["score"], "name": ["a", "b", "c", ""],
            "n": len(points), "total": [column.sum() for column in columns],
        }
    )  # fmt: skip
    hidden = np.array(["unanimity" if k in first else "" for k in range(4)], dtype=object)
    hide_what_scales_tell(hidden, table, np.ones(4, dtype=bool))
    n, total = len(points), table["total"].to_numpy() / 100.0
    concealed = np.flatnonzero(hidden[:3] != "")
    if hidden[3] != "":
        assert len(concealed)
    elif len(concealed):
        together = total[3] * 3 - total[:3][hidden[:3] == ""].sum()
        low, high = max(0.0, together - (len(concealed) - 1) * n), min(n, together)
        assert high - low >= 0.2 * n - 1e-9


def test_items_that_do_not_count_for_a_score_tell_nothing_of_it(responses):
    cells = sd.build_evidence(responses).cells
    counted = {item.code for d in responses.instrument.dimensions for item in d.scored_items}
    scored = scored_cells(cells, {responses.instrument.id: responses.instrument})
    assert set(cells.loc[scored & (cells["kind"] == "item"), "name"]) <= counted
    assert not scored[(cells["kind"] == "indicator").to_numpy()].any()
