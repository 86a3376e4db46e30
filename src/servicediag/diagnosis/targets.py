"""Declared targets in points of health, with where they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.model import Diagnosis
from servicediag.results import table_rows

__all__ = ["TargetsLike", "Targets", "resolve_targets"]

TargetsLike = Mapping[str, float] | pd.DataFrame | Diagnosis | None


@dataclass(frozen=True)
class Targets:
    """Targets per (instrument, dimension, unit); unit None is for everybody."""

    values: Mapping[tuple[str, str, str | None], float] = field(default_factory=dict)
    origin: str = "none declared"

    def of(self, instrument: str, dimension: str, unit: str | None) -> float:
        """The unit's own target, else the common one, else NaN."""
        common = self.values.get((instrument, dimension, None), math.nan)
        return common if unit is None else self.values.get((instrument, dimension, unit), common)

    def declared(self, instrument: str, dimension: str) -> bool:
        return (instrument, dimension, None) in self.values


def resolve_targets(targets: TargetsLike, evidence: Evidence) -> Targets:
    """Check declared targets against the instruments of the study.

    Parameters
    ----------
    targets : mapping, DataFrame, Diagnosis or None
        ``{dimension: points of health}`` (``instrument/dimension`` where ids repeat); a frame with the columns
        ``dimension``, ``target`` and, for targets per unit, ``unit``; or an earlier diagnosis, whose levels of the
        whole organisation become the targets.

    Raises
    ------
    ValueError
        An unknown dimension, a missing column, or a target outside 0 to 100.
    """
    if targets is None:
        return Targets()
    rows: list[tuple[str, str | None, float]]
    if isinstance(targets, Diagnosis):
        whole = targets.evidence[targets.evidence["unit"].isna()]
        rows = [(f"{r.instrument}/{r.dimension}", None, float(r.health)) for r in table_rows(whole)]
        known = set(evidence.instruments)
        rows = [row for row in rows if row[0].split("/")[0] in known]
        return Targets(_located(rows, evidence), "level of an earlier diagnosis")
    if isinstance(targets, pd.DataFrame):
        missing = {"dimension", "target"} - set(targets.columns)
        if missing:
            raise ValueError(f"targets lacks the columns {sorted(missing)}; it needs dimension and target")
        units = targets["unit"] if "unit" in targets.columns else pd.Series([None] * len(targets), index=targets.index)
        rows = [
            (str(d), None if pd.isna(u) or str(u).strip() == "" else str(u).strip(), _number(t))
            for d, u, t in zip(targets["dimension"], units, targets["target"], strict=True)
        ]
    else:
        rows = [(str(name), None, _number(value)) for name, value in targets.items()]
    return Targets(_located(rows, evidence), "declared for this study")


def _number(value: object) -> float:
    """NaN for what is no number; the check of the range then names it."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def _located(rows: list[tuple[str, str | None, float]], evidence: Evidence) -> dict[tuple[str, str, str | None], float]:
    places: dict[str, list[tuple[str, str]]] = {}
    for instrument in evidence.instruments.values():
        for dimension in instrument.dimensions:
            for name in (dimension.id, f"{instrument.id}/{dimension.id}"):
                places.setdefault(name, []).append((instrument.id, dimension.id))
    units = set(evidence.cells["unit"])
    found: dict[tuple[str, str, str | None], float] = {}
    faults = []
    for name, unit, value in rows:
        where = places.get(name.strip().lower(), [])
        if len(where) != 1:
            reason = "is in several instruments; write instrument/dimension" if where else "is not a dimension here"
            faults.append(f"{name!r} {reason}")
        elif not 0 <= value <= 100:
            faults.append(f"the target of {name!r} is {value:g}, not between 0 and 100")
        elif unit is not None and unit not in units:
            faults.append(f"{unit!r} is not a unit of this study")
        else:
            found[(*where[0], unit)] = value
    if faults:
        choices = ", ".join(sorted(name for name, where in places.items() if len(where) == 1 and "/" in name))
        raise ValueError(f"targets: {'; '.join(faults)}; choose from {choices}")
    return found
