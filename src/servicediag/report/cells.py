"""Which units, columns and cells a chart or a unit's section shows, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.report.publication import blank_to_none

__all__ = ["Cells", "Grouping", "Panel", "groupings", "panels", "units_of"]

_PLACE = ("by", "unit", "wave", "instrument", "form", "rater", "dimension")


@dataclass(frozen=True)
class Grouping:
    """One way of dividing the organisation, at one wave."""

    by: str | None
    wave: str | None


@dataclass(frozen=True)
class Panel:
    """One questionnaire in one form: neighbouring columns of a heatmap."""

    instrument: str
    form: str | None
    rater: str | None
    dimensions: tuple[str, ...]


def groupings(diagnosis: Diagnosis) -> list[Grouping]:
    """Every grouping x wave that has cells of units, shown or withheld, in the order of the evidence."""
    pairs: dict[Grouping, None] = {}
    for frame in (diagnosis.evidence, _named(diagnosis.withheld)):
        named = frame[frame["unit"].notna()]
        pairs.update((Grouping(by, wave), None) for by, wave in _pairs(named, "by", "wave"))
    return list(pairs)


def panels(diagnosis: Diagnosis, wave: str | None) -> list[Panel]:
    """The questionnaires of a wave with their dimensions, in the order of the evidence."""
    found: dict[tuple[Any, Any, Any], dict[str, None]] = {}
    for frame in (diagnosis.evidence, diagnosis.withheld):
        inside = frame[_same(frame["wave"], wave) & frame["dimension"].notna() & frame["instrument"].notna()]
        columns = ("instrument", "form", "rater", "dimension")
        for instrument, form, rater, dimension in _pairs(inside, *columns):
            found.setdefault((instrument, form, rater), {})[dimension] = None
    return [Panel(*key, tuple(dimensions)) for key, dimensions in found.items()]


def units_of(diagnosis: Diagnosis, by: str | None) -> list[str]:
    """Units of a grouping: those with the most important findings first, then as the evidence has them.

    The order follows the findings; it is no ranking of units by score.
    """
    known: dict[str, None] = {}
    for frame in (diagnosis.evidence, _named(diagnosis.withheld)):
        inside = frame[_same(frame["by"], by) & frame["unit"].notna()]
        known.update(dict.fromkeys(inside["unit"]))
    troubled = dict.fromkeys(
        finding.unit for finding in _troubles(diagnosis.findings) if finding.by == by and finding.unit in known
    )
    return [unit for unit in (*troubled, *(unit for unit in known if unit not in troubled)) if unit is not None]


def _named(withheld: pd.DataFrame) -> pd.DataFrame:
    """What is withheld without the rows that stand for the many units of a grouping, and name none."""
    return withheld[withheld["unit"].notna()]


class Cells:
    """The shown and the withheld cells of a diagnosis, found by their place."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self._shown: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in diagnosis.evidence.to_dict("records"):
            record = {str(key): blank_to_none(value) for key, value in row.items()}
            by = None if record["unit"] is None else record["by"]
            self._shown[(by, *(record[column] for column in _PLACE[1:]))] = record
        places = diagnosis.withheld.reindex(columns=list(_PLACE)).itertuples(index=False, name=None)
        hidden = [tuple(blank_to_none(value) for value in place) for place in places]
        self._exact = {place for place in hidden if None not in (*place[:2], *place[3:])}
        # a grouping without a unit stands for units that are not named one by one
        self._any_unit = {place for place in hidden if place[0] is not None and place[1] is None}
        self._open = [place for place in hidden if place not in self._exact and place not in self._any_unit]

    def get(self, grouping: Grouping, unit: str | None, panel: Panel, dimension: str) -> dict[str, Any] | None:
        """The evidence of a cell, or None where nothing is published."""
        return self._shown.get(_place(grouping, unit, panel, dimension))

    def has_units(self, grouping: Grouping, units: Iterable[str], panel: Panel) -> bool:
        """Whether any unit has a published cell in that questionnaire."""
        return any(self.get(grouping, unit, panel, dimension) for unit in units for dimension in panel.dimensions)

    def is_withheld(self, grouping: Grouping, unit: str | None, panel: Panel, dimension: str) -> bool:
        """Whether the privacy gate took that cell; an entry that leaves a column open stands for all of it."""
        place = _place(grouping, unit, panel, dimension)
        if place in self._exact or (unit is not None and (place[0], None, *place[2:]) in self._any_unit):
            return True
        return any(
            given[1] == unit and all(entry is None or entry == here for entry, here in zip(given, place, strict=True))
            for given in self._open
        )


def _place(grouping: Grouping, unit: str | None, panel: Panel, dimension: str) -> tuple[Any, ...]:
    by = None if unit is None else grouping.by
    return by, unit, grouping.wave, panel.instrument, panel.form, panel.rater, dimension


def _troubles(findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if f.tier in ("established", "likely") and f.direction == "worse"]


def _same(column: pd.Series, value: Any) -> pd.Series:
    return column.isna() if value is None else column == value


def _pairs(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    rows = frame[list(columns)].drop_duplicates().itertuples(index=False, name=None)
    return [tuple(blank_to_none(value) for value in row) for row in rows]
