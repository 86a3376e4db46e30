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
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.sums import WHOLE
from servicediag.instrument.yaml_loader import did_you_mean

__all__ = ["Indicator", "IndicatorsError", "Measurement", "Operations", "read_indicators"]

IndicatorUnit = Literal["share", "rate", "count", "points"]
RECORD_COLUMNS = ("by", "unit", "wave", "indicator", "value", "cases")
CASES = "_n"
"""A column of that ending holds the number of cases behind a share."""
_MOST_FAULTS = 40
_LONGEST_QUOTE = 80
_BOUNDS: Mapping[str, tuple[float, float, str]] = {
    "share": (0.0, 1.0, "between 0 and 1"),
    "rate": (0.0, math.inf, "0 or more"),
    "count": (0.0, math.inf, "a whole number of 0 or more"),
    "points": (-100.0, 100.0, "between -100 and 100"),
}


class IndicatorsError(ValueError):
    """Operations data that do not fit the study; ``faults`` says each of the reasons."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"indicators: {'; '.join(self.faults)}")

    def __reduce__(self) -> tuple[type[IndicatorsError], tuple[tuple[str, ...]]]:
        return type(self), (self.faults,)


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
    target : float or None
        What a strength should reach, or a weakness not exceed, where the study declares no target of its own.
    """

    id: str
    title: str
    direction: Literal["strength", "weakness", "neutral"]
    unit: IndicatorUnit
    needs: str
    source: str
    target: float | None = None

    def fault_of(self, value: float) -> str:
        """Why no value of this indicator can be this number; empty text where one can.

        Examples
        --------
        >>> Indicator("churn", "Churn", "weakness", "share", "", "").fault_of(12.0)
        'must be between 0 and 1'
        """
        low, high, words = _BOUNDS[self.unit]
        whole = self.unit != "count" or value % 1 == 0
        return "" if math.isfinite(value) and low <= value <= high and whole else f"must be {words}"


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
    withheld : tuple of str
        Indicators of which some values of few cases were left out.
    """

    catalogue: Mapping[str, Indicator] = field(default_factory=dict)
    newest: Mapping[tuple[str, str, str], Measurement] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(RECORD_COLUMNS)))
    withheld: tuple[str, ...] = ()

    def of(self, by: str, unit: str, indicator: str) -> Measurement | None:
        """The value of a unit; None where it was not given."""
        return self.newest.get((by, unit, indicator))

    def others(self, by: str, unit: str, indicator: str) -> tuple[Measurement, ...]:
        """The values of the other units of the same grouping."""
        return tuple(
            value for (b, u, i), value in self.newest.items() if b == by and i == indicator and u not in (unit, WHOLE)
        )

    def shown(self, cells: pd.DataFrame, minimum_cases: int = 1) -> Operations:
        """The values of the whole organisation and of units that have a score that may be shown.

        A share of the whole organisation goes as well where it would tell what fewer cases than the minimum, those of
        units that are not shown, have in common.
        """
        scores = cells[(cells["kind"] == "score").to_numpy() & (cells["hidden"] == "").to_numpy()]
        places = {(WHOLE, WHOLE), *zip(scores["by"], scores["unit"], strict=True)}
        known = np.array([place in places for place in zip(self.table["by"], self.table["unit"], strict=True)], bool)
        table = self.table[known]
        telling = _telling_wholes(table, minimum_cases)
        withheld = dict.fromkeys((*self.withheld, *table["indicator"][telling]))
        return _newest(self.catalogue, table[~telling], tuple(withheld))


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
        Shares of fewer cases are left out: they could tell about single people. So are shares of few cases that tell
        what nearly all of them have in common. With 1 everything is kept.

    Raises
    ------
    TypeError
        ``frame`` is no DataFrame.
    IndicatorsError
        A ValueError with all faults at once: a missing or unknown column, an unknown unit, a unit given twice, a value
        that is no number or outside its range.
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
        more = ["and more"] if len(faults) > _MOST_FAULTS else []
        raise IndicatorsError(faults[:_MOST_FAULTS] + more)
    few = [_tells_of_few(row["value"], row["cases"], minimum_cases) for row in rows]
    withheld = dict.fromkeys(row["indicator"] for row, one in zip(rows, few, strict=True) if one)
    rows = [row for row, one in zip(rows, few, strict=True) if not one]
    return _newest(known, pd.DataFrame(rows, columns=list(RECORD_COLUMNS)), tuple(withheld))


def _newest(known: Mapping[str, Indicator], table: pd.DataFrame, withheld: tuple[str, ...]) -> Operations:
    newest: dict[tuple[str, str, str], Measurement] = {}
    for row in sorted(table.to_dict("records"), key=lambda row: wave_order(row["wave"])):
        newest[row["by"], row["unit"], row["indicator"]] = Measurement(row["value"], _count(row["cases"]), row["wave"])
    return Operations(known, newest, table.reset_index(drop=True), withheld)


def _count(cases: Any) -> int | None:
    return None if _blank(cases) else int(cases)


def _tells_of_few(share: float, cases: int | None, minimum: int) -> bool:
    """Whether a share is one of too few cases, or tells what all of few cases, or all but one, have in common."""
    if cases is None or minimum <= 1:
        return False
    count = round(share * cases)
    return cases < minimum or (cases < UNANIMITY_BELOW and not 2 <= count <= cases - 2)


def _telling_wholes(table: pd.DataFrame, minimum: int) -> np.ndarray:
    """Rows of the whole organisation whose cases exceed those of the units shown by fewer than the minimum."""
    telling = np.zeros(len(table), dtype=bool)
    of_unit = (table["by"] != WHOLE).to_numpy()
    grouped = table[of_unit].groupby(["by", "indicator", "wave"], sort=False)["cases"].sum()
    sums: dict[tuple[str, str, str], float] = dict(zip(grouped.index, grouped.tolist(), strict=True))
    for position, row in enumerate(table.to_dict("records")):
        if row["by"] != WHOLE or _blank(row["cases"]):
            continue
        shown = [cases for (_, name, wave), cases in sums.items() if (name, wave) == (row["indicator"], row["wave"])]
        telling[position] = any(0 < row["cases"] - cases < minimum for cases in shown)
    return telling


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
        yield f"{_quoted(name)} is no indicator. {did_you_mean(name, known)}".rstrip(".")
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
        if len(faults) > _MOST_FAULTS:
            break
        unit, wave = _text(record["unit"]), _text(record.get("wave"))
        place = _grouping(unit, _text(record.get("by")), groupings)
        if not isinstance(place, _Fault):
            if (place, unit, wave) in seen:
                of_wave = f" for the wave {_quoted(wave)}" if wave else ""
                faults.append(f"{_called(unit)} stands there twice{of_wave}")
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
            return _Fault(f"by={_quoted(named)} is no grouping of this study; choose from {', '.join(every)}")
        return named if named in mine else _Fault(f"{_quoted(unit)} is not a unit of {named}")
    if len(mine) == 1:
        return mine[0]
    if mine:
        return _Fault(f"{_quoted(unit)} is in the groupings {', '.join(mine)}; say which in a column by")
    return _Fault(f"{_quoted(unit)} is not a unit of this study. {did_you_mean(unit, sorted(groupings))}".rstrip("."))


def _called(unit: str) -> str:
    return _quoted(unit) if unit else "the whole organisation"


def _quoted(text: str) -> str:
    return repr(text) if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]!r}..."


def _text(value: Any) -> str:
    return "" if _blank(value) else str(value).strip()


def _blank(value: Any) -> bool:
    return value is None or bool(pd.isna(value)) or (isinstance(value, str) and not value.strip())


def _number(value: Any, indicator: Indicator) -> tuple[float, str]:
    """The value, and what is wrong with it."""
    number = _float(value)
    fault = indicator.fault_of(number)
    return (math.nan, f"={value!r} {fault}") if fault else (number, "")


def _cases(value: Any) -> tuple[int | None, str]:
    if _blank(value):
        return None, ""
    number = _float(value)
    if math.isnan(number) or math.isinf(number) or number < 1 or number != int(number):
        return None, f"{CASES}={value!r} must be a whole number of at least 1"
    return int(number), ""


def _float(value: Any) -> float:
    """NaN for what is no number; text that looks like one is none, because its decimal sign is a guess."""
    if isinstance(value, (bool, str, bytes)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
