"""A real SPSS file: values, labels and declared missing values are what SPSS put into it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from servicediag.instrument.model import Dimension, Form, FormText, Instrument, Item, Locale, Scale
from servicediag.responses import Limits, read_responses
from servicediag.responses.readers import open_source

SAMPLE = Path(__file__).parents[3] / "shared" / "exports" / "samples" / "spss" / "pyreadstat_sample_missing.sav"

pytest.importorskip("pyreadstat")
pytestmark = pytest.mark.skipif(not SAMPLE.is_file(), reason="the sample file is not here")


def test_cells_labels_and_declared_missing_values():
    grid = open_source(SAMPLE, Limits(), None, frozenset()).text
    rows = grid.top(8)
    assert rows[0] == ["mychar", "mynum", "mydate", "dtime", "mylabl", "myord", "mytime"]
    assert rows[1] == ["a", "1.1", "2018-05-06", "2018-05-06 10:10:10", "1", "1", "10:10:10"]
    assert [row[1] for row in rows[1:]] == ["1.1", "1.2", "-1000.3", "-1.4", "1000.3", "-1", "2500"]
    assert rows[7] == ["", "2500", "", "", "", "-3", ""]
    assert grid.platform == "spss"
    assert grid.variables.labels[1] == "numeric"
    assert grid.variables.values[5] == {"-1": "missing", "1": "low", "2": "medium", "3": "high"}
    assert grid.variables.missing[1] == ((2000.0, 3000.0), (-1.0, -1.0))
    assert grid.variables.missing[5] == ((-1.0, -1.0), (-2.0, -2.0), (-3.0, -3.0))


def test_answers_are_coded_by_their_labels_and_declared_missing_ones_say_so():
    scale = Scale("level", (1, 2, 3), {"en": {1: "Low", 2: "Medium", 3: "High"}})
    item = Item("myord", "order", "level", 1, 3)
    locale = Locale(
        "en", "original", "T", "", {"f": FormText("T", "", {"default": ""})}, {"order": ("Order", "")},
        {"myord": {"f": "How much?"}},
    )  # fmt: skip
    instrument = Instrument(
        "sample", "1.0.0", "T", ("en",), (Form("f", "customer", ("myord",), "f"),),
        (Dimension("order", "Order", "strength", "single", (item,)),), {"level": scale}, {"en": locale},
    )  # fmt: skip
    responses = read_responses(SAMPLE, instrument, form="f", unit="mylabl", minimum_completed=0)
    assert responses.intake.platform == "spss"
    answers = responses.answers["myord"].tolist()
    assert answers[:5] == [1, 2, 3, 1, 1]
    assert pd.isna(answers[5:]).all()
    assert responses.missing["myord"].tolist() == ["", "", "", "", "", "declared", "declared"]
