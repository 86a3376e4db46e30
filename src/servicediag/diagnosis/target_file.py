"""Targets that a user declares in a file, every fault with its line or cell."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from servicediag.declared_tables import read_number, read_table, unusable
from servicediag.diagnosis.rule_files import fingerprint
from servicediag.diagnosis.target_places import TargetPlaces
from servicediag.errors import InstrumentError, Issue, ResponsesError
from servicediag.instrument.yaml_loader import load_yaml, read_bytes

__all__ = ["TargetFile", "read_targets"]

MAPPINGS = frozenset({".yaml", ".yml", ".json"})
MOST_FAULTS = 200
"""Faults of one file that are listed; a hostile file could hold a hundred thousand."""
_REMEDY = (
    "Write a row 'dimension: points' (.yaml, .json), or the columns dimension, target and perhaps unit and origin "
    "(.csv, .xlsx)."
)


@dataclass(frozen=True)
class TargetFile:
    """What a file declares.

    Attributes
    ----------
    rows : tuple of (dimension, unit, target)
        Unit None: for everybody.
    origins : tuple of str or None
        Where each comes from, in the author's words.
    sha256 : str
        Of the file; of ``.yaml`` and ``.json`` as of rule files, with line feeds only.
    """

    rows: tuple[tuple[str, str | None, float], ...]
    origins: tuple[str | None, ...]
    sha256: str


@dataclass(frozen=True)
class _Entry:
    """One target as it stands in the file; ``where`` gives the place of a column of it."""

    line: str
    name: str
    target: Any
    unit: str | None = None
    origin: str | None = None
    in_table: bool = True

    def where(self, column: str) -> str:
        return f"{self.line}, column {column}" if self.in_table else self.line


def read_targets(path: Path, places: TargetPlaces) -> TargetFile:
    """Targets in points of health, checked against the study.

    Parameters
    ----------
    path : Path
        ``.yaml`` or ``.json``: a mapping ``{dimension: points}``. ``.csv`` or ``.xlsx``: the columns ``dimension``,
        ``target`` and, for targets of single units, ``unit``; ``origin`` may say where each comes from.
    places : TargetPlaces
        Dimensions and indicators that may be named, and units. Targets of indicators are in their own measure, those
        of shares perhaps as ``12 %``.

    Raises
    ------
    ResponsesError
        Every unknown dimension and unit, every target that is no number from 0 to 100 or outside an indicator's range,
        and every one that is declared twice; or the file cannot be read.
    """
    if path.suffix.lower() in MAPPINGS:
        entries, sha256 = _mapping(path)
    else:
        entries = _table(path)
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    rows = tuple((one.name, one.unit, _number(one.target, places, one.name)) for one in entries)
    issues = list(islice(_faults(entries, rows, places), MOST_FAULTS))
    if issues:
        least = "at least " if len(issues) == MOST_FAULTS else ""
        raise ResponsesError(f"{path.name}: {least}{len(issues)} problem{'s' if len(issues) != 1 else ''}", issues)
    return TargetFile(rows, tuple(one.origin for one in entries), sha256)


def _mapping(path: Path) -> tuple[list[_Entry], str]:
    try:
        content = read_bytes(path, path.name)
        loaded = load_yaml(content, path.name)
    except InstrumentError as error:
        raise ResponsesError(error.headline, error.issues) from None
    if not isinstance(loaded.data, dict):
        raise unusable(path, "It is no mapping of dimensions to points.", _REMEDY)
    entries = [_Entry(loaded.where((name,)), str(name), target, in_table=False) for name, target in loaded.data.items()]
    return entries, fingerprint(content)


def _table(path: Path) -> list[_Entry]:
    frame = read_table(path, _REMEDY)
    missing = [name for name in ("dimension", "target") if name not in frame.columns]
    if missing:
        problem = f"The column {' and '.join(missing)} is missing."
        issue = Issue("missing_column", "error", path.name, problem, _REMEDY)
        raise ResponsesError(f"{path.name}: 1 problem", [issue])
    return [
        _Entry(f"{path.name}, row {number}", str(row["dimension"]).strip(), row["target"], *_further(row))
        for number, row in zip(frame.index, frame.to_dict("records"), strict=True)
    ]


def _further(row: Mapping[Any, Any]) -> tuple[str | None, str | None]:
    """Unit and origin, None where the cell is empty or the column missing."""
    unit, origin = (str(row.get(name) or "").strip() or None for name in ("unit", "origin"))
    return unit, origin


def _faults(
    entries: Iterable[_Entry], rows: Iterable[tuple[str, str | None, float]], places: TargetPlaces
) -> Iterator[Issue]:
    """Every target that cannot be one of this study."""
    first: dict[tuple[tuple[str, str], str | None], str] = {}
    for entry, (name, unit, value) in zip(entries, rows, strict=True):
        for fault in places.faults(name, unit, value, repr(entry.target)[:80]):
            problem, remedy = (f"{text[:1].upper()}{text[1:]}." for text in (fault.problem, fault.remedy))
            yield Issue(fault.code, "error", entry.where(fault.column), problem, remedy)
        place = places.find(name)
        if place is not None and (place, unit) in first:
            problem = f"{name!r} has a target already, in {first[place, unit]}."
            yield Issue("duplicate_target", "error", entry.where("dimension"), problem, "Keep one of them.")
        elif place is not None:
            first[place, unit] = entry.line


def _number(value: Any, places: TargetPlaces, name: str) -> float:
    """The value as a number; NaN where it is none, or not written with plain digits."""
    if isinstance(value, str):
        indicator = places.indicator(name)
        return read_number(value, share=indicator is not None and indicator.unit == "share")
    return math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
