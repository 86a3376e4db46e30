"""Operations data beside the survey: which indicators there are, and their values for each unit, checked strictly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from servicediag.diagnosis.breakdowns import wave_order
from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.model import OPERATION_COLUMNS
from servicediag.diagnosis.sums import WHOLE
from servicediag.instrument.yaml_loader import did_you_mean

__all__ = ["Indicator", "Measurement", "Operations", "read_indicators"]

IndicatorUnit = Literal["share", "rate", "count", "points"]
CASES = "_n"
"""A column of that ending holds the number of cases behind a share."""
_BOUNDS: Mapping[str, tuple[float, float, str]] = {
    "share": (0.0, 1.0, "between 0 and 1"),
    "rate": (0.0, math.inf, "0 or more"),
    "count": (0.0, math.inf, "a whole number of 0 or more"),
    "points": (-100.0, 100.0, "between -100 and 100"),
}


@dataclass(frozen=True)
class Indicator:
    """One kind of operations data.

    Attributes
    ----------
    direction : {"strength", "weakness", "neutral"}
    unit : {"share", "rate", "count", "points"}
    needs : str
        Which records give it.
    source : str
        Short numbers of the source documents that name it, or ``"authors"``.
    """

    id: str
    title: str
    direction: Literal["strength", "weakness", "neutral"]
    unit: IndicatorUnit
    needs: str
    source: str


@dataclass(frozen=True)
class Measurement:
    """The newest value of an indicator in a unit, and the number of cases behind it where that is known."""

    value: float
    cases: int | None = None
    wave: str = WHOLE


@dataclass(frozen=True)
class Operations:
    """Operations data of a study.

    Attributes
    ----------
    catalogue : mapping of id -> Indicator
    newest : mapping of (grouping, unit, id) -> Measurement
        The newest wave of each; grouping and unit are empty text for the whole organisation.
    table : DataFrame
        Every value given: ``by, unit, wave, indicator, value, cases``.
    """

    catalogue: Mapping[str, Indicator] = field(default_factory=dict)
    newest: Mapping[tuple[str, str, str], Measurement] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(OPERATION_COLUMNS)))

    def of(self, by: str, unit: str, indicator: str) -> Measurement | None:
        """The value of a unit; None where it was not given."""
        return self.newest.get((by, unit, indicator))

    def others(self, by: str, unit: str, indicator: str) -> tuple[Measurement, ...]:
        """The values of the other units of the same grouping."""
        return tuple(
            value for (b, u, i), value in self.newest.items() if b == by and i == indicator and u not in (unit, WHOLE)
        )

    def shown(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The values of the whole organisation and of units that have a score that may be shown."""
        scores = cells[(cells["kind"] == "score").to_numpy() & (cells["hidden"] == "").to_numpy()]
        places = {(WHOLE, WHOLE), *zip(scores["by"], scores["unit"], strict=True)}
        known = [place in places for place in zip(self.table["by"], self.table["unit"], strict=True)]
        return self.table[np.array(known, dtype=bool)]


def read_indicators(
    frame: pd.DataFrame | None, evidence: Evidence, catalogue: Iterable[Indicator], minimum_cases: int = 1
) -> Operations:
    """Check operations data against the catalogue of indicators and the units of the study.

    Parameters
    ----------
    frame : DataFrame or None
        A row a unit (and wave): the column ``unit`` (blank: the whole organisation), a column for each indicator by its
        id, ``<id>_n`` with the number of cases behind a share, and perhaps ``wave`` and ``by`` (the grouping, needed
        only where two groupings share a unit's name). Blank cells are not measured.
    evidence : Evidence
        Whose units may be named.
    catalogue : iterable of Indicator
        The indicators that may be named.
    minimum_cases : int
        Shares of fewer cases are left out: they could tell about single people.

    Raises
    ------
    TypeError
        ``frame`` is no DataFrame.
    ValueError
        All faults at once: a missing or unknown column, an unknown unit, a unit given twice, a value that is no number
        or outside its range.
    """
    known = {indicator.id: indicator for indicator in catalogue}
    if frame is None:
        return Operations(known)
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"indicators must be a DataFrame, not {type(frame).__name__}")
    faults = list(_column_faults(frame, known))
    rows: list[dict[str, Any]] = []
    if "unit" in frame.columns and frame.columns.is_unique:
        rows, wrong = _rows(frame, evidence, known)
        faults += wrong
    if faults:
        raise ValueError(f"indicators: {'; '.join(faults)}")
    rows = [row for row in rows if row["cases"] is None or row["cases"] >= minimum_cases]
    newest: dict[tuple[str, str, str], Measurement] = {}
    for row in sorted(rows, key=lambda row: wave_order(row["wave"])):
        newest[row["by"], row["unit"], row["indicator"]] = Measurement(row["value"], row["cases"], row["wave"])
    return Operations(known, newest, pd.DataFrame(rows, columns=list(OPERATION_COLUMNS)))


def _column_faults(frame: pd.DataFrame, known: Mapping[str, Indicator]) -> Iterator[str]:
    names = [str(name) for name in frame.columns]
    if "unit" not in names:
        yield "the column unit is missing"
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"the column {name} stands there {names.count(name)} times"
    for name in names:
        if name in ("unit", "wave", "by") or name in known:
            continue
        stem = name.removesuffix(CASES)
        if name.endswith(CASES) and stem in known:
            if known[stem].unit != "share":
                yield f"{name!r} counts cases, and {stem} is no share"
            elif stem not in names:
                yield f"{name!r} counts the cases of {stem}, which is missing"
            continue
        yield f"{name!r} is no indicator. {did_you_mean(name, known)}".rstrip(".")
    if not any(name in known for name in names):
        yield f"no column holds an indicator; choose from {', '.join(known)}"


def _rows(
    frame: pd.DataFrame, evidence: Evidence, known: Mapping[str, Indicator]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The values given as rows, and what is wrong with them."""
    groupings: dict[str, list[str]] = {}
    for by, unit in evidence.cells[["by", "unit"]].drop_duplicates().itertuples(index=False, name=None):
        if by != WHOLE:
            groupings.setdefault(unit, []).append(by)
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    seen: set[tuple[str, str, str]] = set()
    for record in frame.to_dict("records"):
        unit, wave = _text(record["unit"]), _text(record.get("wave"))
        place = _grouping(unit, _text(record.get("by")), groupings)
        if not isinstance(place, _Fault):
            if (place, unit, wave) in seen:
                faults.append(f"{_called(unit)} stands there twice" + (f" for the wave {wave!r}" if wave else ""))
            seen.add((place, unit, wave))
        else:
            faults.append(place.text)
        for indicator in known.values():
            value = record.get(indicator.id)
            if _blank(value):
                continue
            number, fault = _number(value, indicator)
            cases, case_fault = _cases(record.get(indicator.id + CASES))
            faults += [f"{_called(unit)}: {indicator.id}{text}" for text in (fault, case_fault) if text]
            if not isinstance(place, _Fault) and not fault and not case_fault:
                rows.append({"by": place, "unit": unit, "wave": wave, "indicator": indicator.id, "value": number,
                             "cases": cases})  # fmt: skip
    return rows, list(dict.fromkeys(faults))


@dataclass(frozen=True)
class _Fault:
    text: str


def _grouping(unit: str, named: str, groupings: Mapping[str, list[str]]) -> str | _Fault:
    """The grouping that a unit belongs to."""
    if unit == WHOLE:
        return WHOLE
    mine = groupings.get(unit, [])
    if named:
        every = sorted({by for several in groupings.values() for by in several})
        if named not in every:
            return _Fault(f"by={named!r} is no grouping of this study; choose from {', '.join(every)}")
        return named if named in mine else _Fault(f"{unit!r} is not a unit of {named}")
    if len(mine) == 1:
        return mine[0]
    if mine:
        return _Fault(f"{unit!r} is in the groupings {', '.join(mine)}; say which in a column by")
    return _Fault(f"{unit!r} is not a unit of this study. {did_you_mean(unit, sorted(groupings))}".rstrip("."))


def _called(unit: str) -> str:
    return repr(unit) if unit else "the whole organisation"


def _text(value: Any) -> str:
    return "" if _blank(value) else str(value).strip()


def _blank(value: Any) -> bool:
    return value is None or bool(pd.isna(value)) or (isinstance(value, str) and not value.strip())


def _number(value: Any, indicator: Indicator) -> tuple[float, str]:
    """The value, and what is wrong with it."""
    low, high, words = _BOUNDS[indicator.unit]
    number = _float(value)
    if math.isnan(number) or not low <= number <= high or math.isinf(number):
        return math.nan, f"={value!r} must be {words}"
    if indicator.unit == "count" and number != int(number):
        return math.nan, f"={value!r} must be {words}"
    return number, ""


def _cases(value: Any) -> tuple[int | None, str]:
    if _blank(value):
        return None, ""
    number = _float(value)
    if math.isnan(number) or math.isinf(number) or number < 1 or number != int(number):
        return None, f"{CASES}={value!r} must be a whole number of at least 1"
    return int(number), ""


def _float(value: Any) -> float:
    """NaN for what is no number; text that looks like one is none, because its decimal sign is a guess."""
    if isinstance(value, (bool, str)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
