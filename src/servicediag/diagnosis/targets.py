"""Declared targets in points of health, with where they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from servicediag.diagnosis.breakdowns import wave_order
from servicediag.diagnosis.draft import instrument_title
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import Diagnosis
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.target_places import RECORDS, Key, TargetPlaces
from servicediag.results import table_rows
from servicediag.wording.telling import joined, sentence

if TYPE_CHECKING:
    from servicediag.diagnosis.operations import Indicator

__all__ = ["RECORDS", "TargetsLike", "Targets", "resolve_targets"]

TargetsLike = Mapping[str, float] | pd.DataFrame | Diagnosis | str | Path | None
Row = tuple[str, str | None, object]
"""Name of the dimension, unit and target as they were given."""
FILE_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".ods"})
"""A text that ends so names a file, unless an earlier wave is called so."""


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
    files : mapping of name -> SHA-256
        The file that they were read from.
    """

    values: Mapping[Key, float] = field(default_factory=dict)
    origin: str = field(default_factory=lambda: sentence("finding.origin.none"))
    origins: Mapping[Key, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

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
    targets : mapping, DataFrame, path, Diagnosis, str or None
        ``{dimension: points of health}`` (``instrument/dimension`` where ids repeat); a frame, or a file, with the
        columns ``dimension``, ``target`` and, for targets per unit, ``unit``, and ``origin``, which says where each
        comes from (a norm, an agreement); a ``.yaml`` or ``.json`` file of such a mapping; an earlier diagnosis, or the
        name of an earlier wave of this study, whose levels of the whole organisation become the targets. None: the
        targets that the instruments themselves declare, if any.
        Indicators of operations data may stand there as well (``operations/<id>`` where a dimension has that id).
    minimum_group : int
        Levels of an earlier wave with fewer answers are no targets.
    indicators : mapping of id -> Indicator, optional

    Raises
    ------
    ValueError
        An unknown dimension, unit or wave, a missing column, a target that is declared twice, or one outside 0 to 100
        or the range of its indicator.
    ResponsesError
        The same of a file, every fault with its line or cell; or the file cannot be read.
    """
    if targets is None:
        return _of_instruments(evidence)
    if isinstance(targets, Diagnosis):
        return _of_diagnosis(targets, evidence)
    places = TargetPlaces.of(evidence, indicators or {})
    if isinstance(targets, str) and not _is_file(targets, evidence):
        return _of_wave(targets, evidence, minimum_group)
    if isinstance(targets, str | Path):
        return _of_file(Path(targets), places)
    if isinstance(targets, pd.DataFrame):
        return _of_frame(targets, places)
    if not isinstance(targets, Mapping):
        raise TypeError(f"targets is a {type(targets).__name__}; give a mapping, a DataFrame, a path or a diagnosis")
    rows = [(str(name), None, value) for name, value in targets.items()]
    return Targets(_located(rows, places), sentence("finding.origin.study"))


def _of_instruments(evidence: Evidence) -> Targets:
    """What the instruments declare for everybody, each with its source."""
    values: dict[Key, float] = {}
    origins: dict[Key, str] = {}
    for instrument in evidence.instruments.values():
        for dimension in instrument.dimensions:
            if dimension.target is not None:
                key = (instrument.id, dimension.id, None)
                title, source = instrument_title(instrument), dimension.target.source
                values[key] = dimension.target.points
                origins[key] = sentence("finding.origin.instrument", instrument=title, source=source)
    if not values:
        return Targets()
    return Targets(values, joined("list", dict.fromkeys(origins.values())), origins)


def _of_diagnosis(earlier: Diagnosis, evidence: Evidence) -> Targets:
    known = TargetPlaces.of(evidence, {})
    whole = table_rows(earlier.evidence[earlier.evidence["unit"].isna()])
    places: dict[Key, float] = {(row.instrument, row.dimension, None): float(row.health) for row in whole}
    values = {key: health for key, health in places.items() if known.find(f"{key[0]}/{key[1]}") is not None}
    return Targets(values, sentence("finding.origin.diagnosis"))


def _earlier_waves(evidence: Evidence) -> list[str]:
    return sorted({name for *_, name in evidence.n_respondents if name}, key=wave_order)[:-1]


def _is_file(text: str, evidence: Evidence) -> bool:
    return Path(text).suffix.lower() in FILE_SUFFIXES and text not in _earlier_waves(evidence)


def _of_wave(wave: str, evidence: Evidence, minimum_group: int) -> Targets:
    """Levels of the whole organisation in an earlier wave; of several forms, the one with most answers."""
    earlier = _earlier_waves(evidence)
    if wave not in earlier:
        choices = ", ".join(earlier) if earlier else "none: the study holds one wave"
        raise ValueError(
            f"targets={wave!r} is not an earlier wave of this study; choose from {choices}; "
            "a file ends in .yaml, .json, .csv or .xlsx"
        )
    cells = evidence.cells
    cells = cells[(cells["kind"] == "score") & (cells["by"] == WHOLE) & (cells["wave"] == wave)]
    # a target is printed, so it follows the rules of what may be shown
    cells = cells[cells["n"] >= max(minimum_group, UNANIMITY_BELOW)].sort_values("n")
    values: dict[Key, float] = {}
    for row in table_rows(cells):
        mean = row.total / row.n
        strong = evidence.instruments[row.instrument].dimension(row.dimension).direction == "strength"
        values[row.instrument, row.dimension, None] = mean if strong else 100 - mean
    return Targets(values, sentence("finding.origin.wave", wave=wave))


def _of_file(path: Path, places: TargetPlaces) -> Targets:
    from servicediag.diagnosis.target_file import read_targets

    read = read_targets(path, places)
    found = _of_rows(read.rows, read.origins, places, sentence("finding.origin.file", file=path.name))
    return replace(found, files={path.name: read.sha256})


def _of_frame(frame: pd.DataFrame, places: TargetPlaces) -> Targets:
    missing = {"dimension", "target"} - set(frame.columns)
    if missing:
        raise ValueError(f"targets lacks the columns {sorted(missing)}; it needs dimension and target")

    def texts(column: str) -> list[str | None]:
        if column not in frame.columns:
            return [None] * len(frame)
        return [None if pd.isna(text) or not str(text).strip() else str(text).strip() for text in frame[column]]

    rows = [
        (str(name), u, value) for name, u, value in zip(frame["dimension"], texts("unit"), frame["target"], strict=True)
    ]
    return _of_rows(rows, texts("origin"), places, sentence("finding.origin.study"))


def _of_rows(rows: Sequence[Row], origins: Sequence[str | None], places: TargetPlaces, otherwise: str) -> Targets:
    """Targets with their own origins, or with a common one where they have none."""
    values = _located(rows, places)
    own = {key: origin for key, origin in zip(values, origins, strict=True) if origin is not None}
    every = sorted(set(own.values()))
    return Targets(values, ", ".join(every) if every and len(own) == len(values) else otherwise, own)


def _number(value: object) -> float:
    """NaN for what is no number; the check of the range then names it."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def _located(rows: Sequence[Row], places: TargetPlaces) -> dict[Key, float]:
    """The targets by what they are for, in the order of the rows."""
    found: dict[Key, float] = {}
    faults: list[str] = []
    unknown = False
    for name, unit, given in rows:
        value = _number(given)
        shown = repr(given)[:80] if math.isnan(value) else f"{value:g}"
        wrong = [fault.problem for fault in places.faults(name, unit, value, shown)]
        place = places.find(name)
        if place is not None and (*place, unit) in found:
            wrong.append(f"{name!r} has two targets{'' if unit is None else f' in {unit!r}'}")
        if place is not None and not wrong:
            found[(*place, unit)] = value
        faults += wrong
        unknown |= place is None
    if faults:
        choices = f"; choose from {places.choices}" if unknown else ""
        raise ValueError(f"targets: {'; '.join(faults)}{choices}")
    return found
