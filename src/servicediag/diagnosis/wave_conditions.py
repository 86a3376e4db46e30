"""Conditions about the order of change over waves: what moves first, and what follows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtri

from servicediag.diagnosis.breakdowns import wave_order
from servicediag.diagnosis.draft import Titles
from servicediag.diagnosis.readings import Place, Reading, State, tell, turned, unmeasured
from servicediag.diagnosis.rules import SYMPTOM, Condition
from servicediag.diagnosis.sums import WHOLE
from servicediag.wording.telling import sentence

__all__ = ["LagConditions"]

FEWEST_WAVES = 4
FEWEST_UNITS = 10
"""Waves and units without which the order of change cannot be told."""


class LagConditions:
    """Reads which of two scores changes first, over the units of all waves that may be shown."""

    def __init__(self, cells: pd.DataFrame, titles: Titles) -> None:
        self._titles = titles
        self._cells = cells
        self._levels: Mapping[tuple[str, str], Mapping[tuple[str, str], float]] | None = None

    def read(self, condition: Condition, place: Place) -> Reading:
        """*yes* where change comes first in the target and later in ``before``, with a 90 % interval above zero."""
        first, later = (place.symptom if name == SYMPTOM else name for name in (condition.target, condition.before))
        tables = [self._table(place.by, reference) for reference in (first, later)]
        if any(table is None for table in tables) or first == later:
            return unmeasured(condition, self._about(first))
        x, y = tables[0], tables[1]
        units = [unit for unit in x.index if unit in y.index]  # type: ignore[union-attr]
        waves = [wave for wave in x.columns if wave in y.columns]  # type: ignore[union-attr]
        if len(waves) < FEWEST_WAVES or len(units) < FEWEST_UNITS:
            return unmeasured(condition, self._about(first))
        earlier = x.loc[units, waves].to_numpy(float)  # type: ignore[union-attr]
        following = y.loc[units, waves].to_numpy(float)  # type: ignore[union-attr]
        forward = _lagged(earlier, following)
        backward = _lagged(following, earlier)
        n = len(units) * (len(waves) - 2)
        if math.isnan(forward) or math.isnan(backward):
            return unmeasured(condition, self._about(first))
        half = float(ndtri(0.95)) / math.sqrt(max(n - 3, 1))
        low, high = math.tanh(math.atanh(forward) - half), math.tanh(math.atanh(forward) + half)
        state: State = "undetermined"
        if low > 0 and forward > backward:
            state = "yes"
        elif high < max(backward, 0.0):
            state = "no"
        told = tell(
            "lag",
            numbers={
                "forward": (forward, ".2f"),
                "low": (low, ".2f"),
                "high": (high, ".2f"),
                "backward": (backward, ".2f"),
                "units": (len(units), "d"),
                "waves": (len(waves), "d"),
            },
            first=self._about(first),
            later=self._about(later),
        )
        return turned(Reading(state, told.sentence, target=first, source="waves", numbers=told.numbers), condition)

    def _about(self, reference: str) -> str:
        instrument, _, dimension = reference.partition("/")
        if instrument not in self._titles.evidence.instruments:
            return reference
        return sentence("finding.quote.title", title=self._titles.dimension(instrument, dimension))

    def _table(self, by: str, reference: str) -> pd.DataFrame | None:
        """Health by unit and wave, of units that have it in every wave; None where there are no waves."""
        if self._levels is None:
            self._levels = _levels(self._cells)
        by = by or next((key[0] for key in self._levels if key[1] == reference), WHOLE)
        found = self._levels.get((by, reference))
        if not found:
            return None
        table = pd.Series(found).unstack()
        waves: list[str] = sorted((str(wave) for wave in table.columns), key=wave_order)
        return table[waves].dropna()


def _levels(cells: pd.DataFrame) -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """Health per unit and wave, by grouping and dimension; the first form that measures a dimension counts."""
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    rows = cells[(cells["kind"] == "score") & (cells["by"] != WHOLE) & (cells["wave"] != WHOLE)]
    names = ("by", "unit", "wave", "instrument", "dimension", "health")
    for by, unit, wave, instrument, dimension, health in zip(
        *(rows[name].to_numpy(dtype=object) for name in names), strict=True
    ):
        found.setdefault((by, f"{instrument}/{dimension}"), {}).setdefault((unit, wave), float(health))
    return found


def _lagged(first: np.ndarray, later: np.ndarray) -> float:
    """Correlation of change with the change that follows it, over units and waves."""
    before, after = np.diff(first, axis=1)[:, :-1].ravel(), np.diff(later, axis=1)[:, 1:].ravel()
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return math.nan
    return float(np.clip(np.corrcoef(before, after)[0, 1], -0.999999, 0.999999))
