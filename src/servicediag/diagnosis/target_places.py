"""What may have a target in a study, and what is wrong with one that is declared for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from servicediag.diagnosis.evidence import Evidence

if TYPE_CHECKING:
    from servicediag.diagnosis.operations import Indicator

__all__ = ["RECORDS", "Key", "TargetFault", "TargetPlaces"]

RECORDS = "operations"
"""Stands where the instrument would for targets of operations data."""

Key = tuple[str, str, str | None]
"""Instrument, dimension and unit; unit None is for everybody."""


@dataclass(frozen=True)
class TargetFault:
    """Why a declared target cannot be one: in which column of a table, in words, and what to write instead."""

    code: Literal["unknown_dimension", "out_of_range", "unknown_unit"]
    column: Literal["dimension", "target", "unit"]
    problem: str
    remedy: str


@dataclass(frozen=True)
class TargetPlaces:
    """Dimensions and indicators of a study by every name that they may be called by, and its units.

    Attributes
    ----------
    names : mapping of str -> tuple of (instrument, dimension)
        More than one where ids repeat; of operations data with ``"operations"`` as the instrument.
    indicators : mapping of id -> Indicator
    units : frozenset of str
    """

    names: Mapping[str, tuple[tuple[str, str], ...]]
    indicators: Mapping[str, Indicator]
    units: frozenset[str]

    @classmethod
    def of(cls, evidence: Evidence, indicators: Mapping[str, Indicator]) -> TargetPlaces:
        names: dict[str, tuple[tuple[str, str], ...]] = {}
        places = [(one.id, dimension.id) for one in evidence.instruments.values() for dimension in one.dimensions]
        for source, name in (*places, *((RECORDS, indicator) for indicator in indicators)):
            for called in (name, f"{source}/{name}"):
                names[called] = (*names.get(called, ()), (source, name))
        return cls(names, indicators, frozenset(evidence.cells["unit"]))

    def find(self, name: str) -> tuple[str, str] | None:
        """The one dimension or indicator of that name; None where there is none, or more than one."""
        found = self.names.get(name.strip().lower(), ())
        return found[0] if len(found) == 1 else None

    def indicator(self, name: str) -> Indicator | None:
        """The indicator that a target of that name is for, if it is for one."""
        place = self.find(name)
        return self.indicators[place[1]] if place is not None and place[0] == RECORDS else None

    @cached_property
    def choices(self) -> str:
        """Every name that tells one place from all others."""
        return ", ".join(sorted(name for name, found in self.names.items() if len(found) == 1 and "/" in name))

    def faults(self, name: str, unit: str | None, value: float, shown: str) -> Iterator[TargetFault]:
        """Everything that is wrong with one target; ``shown`` is the value as it was written."""
        if self.find(name) is None:
            several = name.strip().lower() in self.names
            reason = "is in several instruments; write instrument/dimension" if several else "is not a dimension here"
            yield TargetFault("unknown_dimension", "dimension", f"{name!r} {reason}", f"choose from {self.choices}")
        else:
            indicator = self.indicator(name)
            said = f"the target of {name!r} is {shown}"
            if indicator is not None and (fault := indicator.fault_of(value)):
                yield TargetFault("out_of_range", "target", f"{said}; it {fault}", f"it {fault}")
            elif indicator is None and not 0 <= value <= 100:
                remedy = "give a number from 0 to 100, in points of health"
                yield TargetFault("out_of_range", "target", f"{said}, not between 0 and 100", remedy)
        if unit is not None and unit not in self.units:
            remedy = "write the unit as the answers do, or leave the cell empty for everybody"
            yield TargetFault("unknown_unit", "unit", f"{unit!r} is not a unit of this study", remedy)
