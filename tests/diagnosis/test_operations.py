"""Operations data are checked strictly, and published only for units that are shown."""

from __future__ import annotations

import pandas as pd
import pytest

import servicediag as sd
from servicediag.diagnosis.operations import read_indicators
from servicediag.diagnosis.rules import load_rules


@pytest.fixture(scope="module")
def study():
    return sd.simulate(
        "readiness", form="employee", n_units=4, respondents_per_unit=[12, 12, 12, 3], seed=1
    ).responses()


@pytest.fixture(scope="module")
def evidence(study):
    return sd.build_evidence(study)


def read(evidence, minimum=1, **columns):
    return read_indicators(pd.DataFrame(columns), evidence, load_rules().indicators, minimum)


def test_values_by_unit_and_of_the_whole(evidence):
    found = read(evidence, unit=["Unit 01", " Unit 02 ", None], churn=[0.1, 0.2, 0.15], complaints=[3, None, 4.5])
    assert found.of("unit", "Unit 02", "churn").value == 0.2
    assert found.of("", "", "complaints").value == 4.5
    assert found.of("unit", "Unit 02", "complaints") is None
    assert [m.value for m in found.others("unit", "Unit 01", "churn")] == [0.2]


def test_the_newest_wave_counts(evidence):
    found = read(evidence, unit=["Unit 01"] * 3, wave=["Wave 10", "Wave 2", "Wave 9"], churn=[0.3, 0.1, 0.2])
    assert found.of("unit", "Unit 01", "churn").value == 0.3
    assert len(found.table) == 3


def test_shares_of_few_cases_are_left_out(evidence):
    found = read(evidence, minimum=5, unit=["Unit 01", "Unit 02"], turnover=[0.5, 0.1], turnover_n=[4, 40])
    assert found.of("unit", "Unit 01", "turnover") is None
    assert found.table["unit"].tolist() == ["Unit 02"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"place": ["Unit 01"], "churn": [0.1]}, "the column unit is missing"),
        ({"unit": ["Unit 09"], "churn": [0.1]}, "'Unit 09' is not a unit"),
        ({"unit": ["Unit 01", "Unit 01"], "churn": [0.1, 0.2]}, "'Unit 01' stands there twice"),
        ({"unit": ["Unit 01"], "churn": [12]}, "churn=12 must be between 0 and 1"),
        ({"unit": ["Unit 01"], "churn": ["a lot"]}, "churn='a lot'"),
        ({"unit": ["Unit 01"], "churn": ["0,1"]}, "churn='0,1'"),
        ({"unit": ["Unit 01"], "churn": [b"0.1"]}, "churn=b'0.1'"),
        ({"unit": ["Unit 01"], "workload": [-3]}, "workload=-3 must be 0 or more"),
        ({"unit": ["Unit 01"], "workload": [float("inf")]}, "workload=inf"),
        ({"unit": ["Unit 01"], "earlier_programmes": [1.5]}, "a whole number"),
        ({"unit": ["Unit 01"], "churns": [0.1]}, "'churns' is no indicator. Did you mean 'churn'?"),
        ({"unit": ["Unit 01"], "churn": [0.1], "churn_n": [0]}, "churn_n=0"),
        ({"unit": ["Unit 01"], "churn_n": [10]}, "counts the cases of churn, which is missing"),
        ({"unit": ["Unit 01"], "workload": [1], "workload_n": [10]}, "workload is no share"),
        ({"unit": ["Unit 01"]}, "no column holds an indicator"),
        ({"unit": ["Unit 01"], "by": ["team"], "churn": [0.1]}, "by='team' is no grouping"),
    ],
)
def test_faults_are_told(evidence, columns, told):
    with pytest.raises(ValueError, match="indicators: ") as caught:
        read(evidence, **columns)
    assert told in str(caught.value)


def test_all_faults_at_once(evidence):
    with pytest.raises(ValueError) as caught:
        read(evidence, unit=["Unit 01", "Unit 01", "X"], churn=["many", 3, 0.1], turnovr=[1, 2, 3])
    for told in ("turnovr", "'many'", "churn=3", "twice", "'X'"):
        assert told in str(caught.value)


def test_no_table(evidence):
    with pytest.raises(TypeError, match="must be a DataFrame, not dict"):
        read_indicators({"unit": ["Unit 01"]}, evidence, ())
    assert read_indicators(None, evidence, load_rules().indicators).table.empty


def test_withheld_units_are_not_published(study):
    units = [f"Unit {n:02d}" for n in range(1, 5)]
    found = sd.diagnose(study, indicators=pd.DataFrame({"unit": units, "workload": [10.0, 11.0, 12.0, 13.0]}))
    shown = set(found.evidence["unit"].dropna())
    assert "Unit 04" not in shown
    assert set(found.operations["unit"]) == shown
    assert found.operations["indicator"].unique().tolist() == ["workload"]
