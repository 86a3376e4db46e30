"""Declared targets in points of health, with where they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from servicediag.diagnosis.breakdowns import wave_order
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import Diagnosis
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.results import table_rows
from servicediag.wording.telling import sentence

if TYPE_CHECKING:
    from servicediag.diagnosis.operations import Indicator

__all__ = ["RECORDS", "TargetsLike", "Targets", "resolve_targets"]

RECORDS = "operations"
"""Stands where the instrument would for targets of operations data."""

TargetsLike = Mapping[str, float] | pd.DataFrame | Diagnosis | str | None
Key = tuple[str, str, str | None]
"""Instrument, dimension and unit; unit None is for everybody."""
Row = tuple[str, str | None, float]
"""Name of the dimension, unit and target as they were given."""


@dataclass(frozen=True)
class Targets:
    """Targets with where they come from.

    Attributes
    ----------
    values : mapping of (instrument, dimension, unit) -> points of health
        Of operations data in their own measure, with ``"operations"`` as the instrument.
    origin : str
        Where the targets come from, all of them.
    origins : mapping of (instrument, dimension, unit) -> str
        Where single ones come from, if that differs.
    """

    values: Mapping[Key, float] = field(default_factory=dict)
    origin: str = field(default_factory=lambda: sentence("finding.origin.none"))
    origins: Mapping[Key, str] = field(default_factory=dict)

    def of(self, instrument: str, dimension: str, unit: str | None) -> float:
        """The unit's own target, else the common one, else NaN."""
        common = self.values.get((instrument, dimension, None), math.nan)
        return common if unit is None else self.values.get((instrument, dimension, unit), common)

    def origin_of(self, instrument: str, dimension: str, unit: str | None) -> str:
        """Where the target comes from that ``of`` gives."""
        own = (instrument, dimension, unit)
        return self.origins.get(own if own in self.values else (instrument, dimension, None), self.origin)

    def declared(self, instrument: str, dimension: str) -> bool:
        return (instrument, dimension, None) in self.values


def resolve_targets(
    targets: TargetsLike, evidence: Evidence, minimum_group: int = 5, indicators: Mapping[str, Indicator] | None = None
) -> Targets:
    """Check declared targets against the instruments of the study.

    Parameters
    ----------
    targets : mapping, DataFrame, Diagnosis, str or None
        ``{dimension: points of health}`` (``instrument/dimension`` where ids repeat); a frame with the columns
        ``dimension``, ``target`` and, for targets per unit, ``unit``, and ``origin``, which says where each comes from
        (the instrument, a norm, an agreement); an earlier diagnosis, or the name of an earlier wave of this study,
        whose levels of the whole organisation become the targets.
        Indicators of operations data may stand there as well (``operations/<id>`` where a dimension has that id).
    minimum_group : int
        Levels of an earlier wave with fewer answers are no targets.
    indicators : mapping of id -> Indicator, optional

    Raises
    ------
    ValueError
        An unknown dimension or wave, a missing column, or a target outside 0 to 100 or the range of its indicator.
    """
    known = indicators or {}
    if targets is None:
        return Targets()
    if isinstance(targets, Diagnosis):
        return _of_diagnosis(targets, evidence)
    if isinstance(targets, str):
        return _of_wave(targets, evidence, minimum_group)
    if isinstance(targets, pd.DataFrame):
        return _of_frame(targets, evidence, known)
    rows = [(str(name), None, _number(value)) for name, value in targets.items()]
    return Targets(_located(rows, evidence, known), sentence("finding.origin.study"))


def _of_diagnosis(earlier: Diagnosis, evidence: Evidence) -> Targets:
    whole = earlier.evidence[earlier.evidence["unit"].isna()]
    rows: list[Row] = [(f"{r.instrument}/{r.dimension}", None, float(r.health)) for r in table_rows(whole)]
    rows = [row for row in rows if row[0].split("/")[0] in evidence.instruments]
    return Targets(_located(rows, evidence), sentence("finding.origin.diagnosis"))


def _of_wave(wave: str, evidence: Evidence, minimum_group: int) -> Targets:
    """Levels of the whole organisation in an earlier wave; of several forms, the one with most answers."""
    waves = sorted({name for *_, name in evidence.n_respondents if name}, key=wave_order)
    earlier = waves[:-1]
    if wave not in earlier:
        choices = ", ".join(earlier) if earlier else "none: the study holds one wave"
        raise ValueError(f"targets={wave!r} is not an earlier wave of this study; choose from {choices}")
    cells = evidence.cells
    cells = cells[(cells["kind"] == "score") & (cells["by"] == WHOLE) & (cells["wave"] == wave)]
    # a target is printed, so it follows the rules of what may be shown
    cells = cells[cells["n"] >= max(minimum_group, UNANIMITY_BELOW)].sort_values("n")
    rows: list[Row] = []
    for row in table_rows(cells):
        mean = row.total / row.n
        strong = evidence.instruments[row.instrument].dimension(row.dimension).direction == "strength"
        rows.append((f"{row.instrument}/{row.dimension}", None, mean if strong else 100 - mean))
    return Targets(_located(rows, evidence), sentence("finding.origin.wave", wave=wave))


def _of_frame(frame: pd.DataFrame, evidence: Evidence, indicators: Mapping[str, Indicator]) -> Targets:
    missing = {"dimension", "target"} - set(frame.columns)
    if missing:
        raise ValueError(f"targets lacks the columns {sorted(missing)}; it needs dimension and target")

    def texts(column: str) -> list[str | None]:
        if column not in frame.columns:
            return [None] * len(frame)
        return [None if pd.isna(text) or not str(text).strip() else str(text).strip() for text in frame[column]]

    origins: dict[Key, str] = {}
    rows = [(str(d), u, _number(t)) for d, u, t in zip(frame["dimension"], texts("unit"), frame["target"], strict=True)]
    values = _located(rows, evidence, indicators)
    for row, origin in zip(rows, texts("origin"), strict=True):
        if origin is not None:
            origins |= dict.fromkeys(_located([row], evidence, indicators), origin)
    every = sorted(set(origins.values()))
    origin = ", ".join(every) if every and len(origins) == len(values) else sentence("finding.origin.study")
    return Targets(values, origin, origins)


def _number(value: object) -> float:
    """NaN for what is no number; the check of the range then names it."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def _located(
    rows: Sequence[Row], evidence: Evidence, indicators: Mapping[str, Indicator] | None = None
) -> dict[Key, float]:
    indicators = indicators or {}
    places: dict[str, list[tuple[str, str]]] = {}
    for instrument in evidence.instruments.values():
        for dimension in instrument.dimensions:
            for name in (dimension.id, f"{instrument.id}/{dimension.id}"):
                places.setdefault(name, []).append((instrument.id, dimension.id))
    for indicator in indicators:
        for name in (indicator, f"{RECORDS}/{indicator}"):
            places.setdefault(name, []).append((RECORDS, indicator))
    units = set(evidence.cells["unit"])
    found: dict[Key, float] = {}
    faults = []
    for name, unit, value in rows:
        where = places.get(name.strip().lower(), [])
        if len(where) != 1:
            reason = "is in several instruments; write instrument/dimension" if where else "is not a dimension here"
            faults.append(f"{name!r} {reason}")
        elif where[0][0] == RECORDS and indicators[where[0][1]].fault_of(value):
            faults.append(f"the target of {name!r} is {value:g}; it {indicators[where[0][1]].fault_of(value)}")
        elif where[0][0] != RECORDS and not 0 <= value <= 100:
            faults.append(f"the target of {name!r} is {value:g}, not between 0 and 100")
        elif unit is not None and unit not in units:
            faults.append(f"{unit!r} is not a unit of this study")
        else:
            found[(*where[0], unit)] = value
    if faults:
        choices = ", ".join(sorted(name for name, where in places.items() if len(where) == 1 and "/" in name))
        raise ValueError(f"targets: {'; '.join(faults)}; choose from {choices}")
    return found
