"""How many people were asked in each unit, as the caller declares it, checked against the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.cells import current_waves
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.settings import Invited
from servicediag.results import table_rows

__all__ = ["InvitedLike", "resolve_invited"]

InvitedLike = Mapping[str | None, int] | pd.DataFrame | None
COLUMNS = ("unit", "by", "instrument", "form", "wave")


def resolve_invited(invited: InvitedLike, evidence: Evidence) -> dict[Invited, int]:
    """Check the numbers of people asked, and key them as ``Settings`` does.

    Parameters
    ----------
    invited : mapping, DataFrame or None
        ``{unit: people asked}``, None as a unit for the whole organisation; or a frame with the columns ``unit`` and
        ``invited`` and, where numbers differ by them, ``by``, ``instrument``, ``form`` and ``wave``. Without a wave
        the newest one is meant.

    Raises
    ------
    ValueError
        A missing column, an unknown unit or form, no whole number, fewer people asked than answered, or a number that
        could belong to several groups of raters.
    TypeError
        Neither a mapping nor a frame.
    """
    if invited is None:
        return {}
    if not isinstance(invited, pd.DataFrame):
        if not isinstance(invited, Mapping):
            raise TypeError(f"invited must be a mapping or a DataFrame, not {type(invited).__name__}")
        invited = pd.DataFrame({"unit": list(invited.keys()), "invited": list(invited.values())}, dtype=object)
    missing = {"unit", "invited"} - set(invited.columns)
    if missing:
        raise ValueError(f"invited lacks the columns {sorted(missing)}; it needs unit and invited")
    known = _Known(evidence)
    found: dict[Invited, int] = {}
    faults = []
    for row in table_rows(invited):
        place, people = known.place(row), _whole_number(row.invited)
        fault = known.fault(place)
        if people is None:
            fault = f"{row.invited!r} for {row.unit!r} is no whole number of people"
        elif not fault and people < known.answered(place):
            fault = f"{row.unit!r} has {people} people asked but {known.answered(place)} who answered"
        if fault:
            faults.append(fault)
        elif people is not None:
            found[place] = people
    if faults:
        raise ValueError(f"invited: {'; '.join(dict.fromkeys(faults))}")
    return found


def _whole_number(value: object) -> int | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number >= 0 and number % 1 == 0 else None


class _Known:
    """The units, forms and waves of the study, and how many answered."""

    def __init__(self, evidence: Evidence) -> None:
        self._forms = {(instrument, form) for instrument, form, _ in evidence.n_respondents}
        self._groupings = evidence.groupings
        self._cells = evidence.cells[evidence.cells["kind"] == "score"]
        self._newest = current_waves(evidence)
        self._units = set(zip(self._cells["by"], self._cells["unit"], strict=True))

    def place(self, row: Any) -> Invited:
        unit, by, instrument, form, wave = (_name(getattr(row, name, None)) for name in COLUMNS)
        if unit != WHOLE and not by:
            by = self._groupings[0]
        return by, unit, instrument, form, wave

    def fault(self, place: Invited) -> str:
        by, unit, instrument, form, wave = place
        if (by, unit) not in self._units:
            names = sorted(name for group, name in self._units if group == by)
            return f"{unit!r} is not a unit of this study; units are {', '.join(names)}"
        if not any(instrument in ("", i) and form in ("", f) for i, f in self._forms):
            return f"{instrument or 'any instrument'}:{form} was not answered here"
        raters = {r for (i, f), r in self._raters_of().items() if instrument in ("", i) and form in ("", f)}
        if len(raters) > 1:
            return f"{', '.join(sorted(raters))} were asked; say in a column form which of them each number counts"
        if wave and wave not in set(self._cells["wave"]):
            return f"{wave!r} is not a wave of this study"
        return ""

    def _raters_of(self) -> dict[tuple[str, str], str]:
        forms = self._cells[["instrument", "form", "rater"]].drop_duplicates()
        return {(i, f): r for i, f, r in forms.itertuples(index=False)}

    def answered(self, place: Invited) -> int:
        by, unit, instrument, form, wave = place
        mine = self._cells[(self._cells["by"] == by) & (self._cells["unit"] == unit)]
        for column, value in (("instrument", instrument), ("form", form), ("wave", wave)):
            if value:
                mine = mine[mine[column] == value]
        if not wave:
            newest = [self._newest[key] for key in zip(mine["instrument"], mine["form"], strict=True)]
            mine = mine[mine["wave"] == np.array(newest, dtype=object)]
        return int(mine["n"].max()) if len(mine) else 0


def _name(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()
