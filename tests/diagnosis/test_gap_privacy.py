"""The tables of the gaps show nothing that the privacy gate withholds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import servicediag as sd

UNITS = np.repeat(["North", "South", "West", "East", "Dock", "Harbour"], [40, 4, 36, 7, 28, 50])
TABLES = ("comparisons", "patterns", "changes", "agreement", "segments", "indexes", "answers", "operations")
RECORDS = pd.DataFrame(
    {"unit": ["North", "South", "East"], "breach_rate": [0.2, 0.3, 0.4], "breach_rate_n": [200, 200, 200]}
)


def diagnosed(make_responses, unit):
    parts = {
        "customers": [("seven-sins", "customer"), ("service-recovery", "customer")],
        "staff": [("readiness", "employee"), ("four-tools", "receiver"), ("service-culture", "staff")],
        "observers": [("seven-sins", "observer")],
    }
    people = np.arange(len(UNITS))
    answers = []
    for number, (name, forms) in enumerate(parts.items()):
        for wave in ("2025", "2026"):
            one = make_responses(forms, UNITS, seed=10 * number + int(wave[-1]))
            noted = {"unit": unit, "wave": wave, "tenure": np.resize(["under_1", "from_1", "from_4"], len(UNITS))}
            if name == "customers":
                noted = {"unit": unit, "wave": wave, "promise_broken": np.where(people % 3 == 0, "yes", "no")}
            respondents = one.respondents.assign(**noted)
            respondents.index = pd.Index([f"{name} {k}" for k in people], name="respondent")
            answers.append(replace(one, respondents=respondents))
    return sd.diagnose(*answers, indicators=RECORDS)


@pytest.fixture(scope="module")
def twice(make_responses):
    """The same study, and again after people of the two withheld units have been exchanged."""
    hidden = np.flatnonzero(np.isin(UNITS, ["South", "East"]))
    exchanged = UNITS.copy()
    exchanged[hidden] = UNITS[hidden][::-1]
    assert (exchanged != UNITS).sum() >= 6
    return diagnosed(make_responses, UNITS), diagnosed(make_responses, exchanged)


@pytest.mark.parametrize("name", TABLES)
def test_withheld_units_are_in_no_table(twice, name):
    table = getattr(twice[0], name)
    assert name == "patterns" or len(table)
    assert not {"South", "East"} & set(table["unit"].dropna())


@pytest.mark.parametrize("name", [*TABLES, "not_measured"])
def test_no_table_tells_withheld_units_apart(twice, name):
    """Which row a rule withholds may depend on who is in the withheld units; no number that is shown does."""
    first, second = (getattr(diagnosis, name) for diagnosis in twice)
    keys = [c for c in first.columns if not pd.api.types.is_numeric_dtype(first[c]) and c not in ("tier", "verdict")]
    # error rates are adjusted over the rows of the table, so they follow its length
    numbers = [c for c in first.columns if c not in (*keys, "q_value", "tier", "verdict")]
    first, second = (
        table.fillna(dict.fromkeys(keys, "")).set_index(keys)[numbers].sort_index() for table in (first, second)
    )
    assert abs(len(first) - len(second)) <= 0.01 * len(first)
    both = first.index.intersection(second.index)
    first, second = first.loc[both], second.loc[both]
    shown = first.notna() & second.notna()
    pd.testing.assert_frame_equal(first.where(shown), second.where(shown), rtol=1e-9)


def test_findings_do_not_tell_withheld_units_apart(twice):
    texts = [[(f.id, f.title, f.text, f.abstentions) for f in diagnosis.findings] for diagnosis in twice]
    assert texts[0] == texts[1]
    assert not any("South" in str(entry) or "East" in str(entry) for entry in texts[0])


def test_whole_organisation_is_named_none(twice):
    for name in TABLES:
        table = getattr(twice[0], name)
        assert "" not in set(table["unit"].dropna()), name
