"""What those who were asked and did not answer could change."""

from __future__ import annotations

import numpy as np
import pandas as pd

from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import centile_of_counts, response_bounds

__all__ = ["RESPONSE_COLUMNS", "add_response"]

RESPONSE_COLUMNS = ("invited", "response_rate", "gap_bound_low", "gap_bound_high", "survives_nonresponse")
QUARTERS = (0.25, 0.75)


def add_response(cells: pd.DataFrame, evidence: Evidence, settings: Settings) -> None:
    """Add to scores how many were asked, the share that answered, and the gap if all others were low, or all high.

    Low and high are the quartiles of the whole organisation's scores; the rest of the organisation stays as it is. A
    gap *survives* where it keeps its direction at both; None where that is not known.
    """
    columns = {name: np.full(len(cells), np.nan) for name in RESPONSE_COLUMNS[:-1]}
    survives = np.full(len(cells), None, dtype=object)
    if settings.invited:
        scores = np.flatnonzero((cells["kind"] == "score").to_numpy())
        keys = ["by", "unit", "instrument", "form", "wave"]
        places = zip(*(cells[key].to_numpy(dtype=object)[scores] for key in keys), cells["current"].to_numpy()[scores],
                     strict=True)  # fmt: skip
        found = [settings.invited_of(*place) for place in places]
        rows = scores[[one is not None for one in found]]
        invited = np.array([one for one in found if one is not None], dtype=float)
        lowest, highest = _quartiles(cells, evidence, rows)
        n, mean, sign = (cells[name].to_numpy(float)[rows] for name in ("n", "mean", "sign"))
        moved = np.stack(response_bounds(mean, n, invited, lowest, highest)) - mean
        bounds = np.sort(cells["gap"].to_numpy(float)[rows] + sign * moved, axis=0)
        columns["invited"][rows], columns["response_rate"][rows] = invited, n / invited
        columns["gap_bound_low"][rows], columns["gap_bound_high"][rows] = bounds
        survives[rows] = [None if np.isnan(low) else bool(low > 0 or high < 0) for low, high in bounds.T]
    for name, column in columns.items():
        cells[name] = column
    cells["survives_nonresponse"] = pd.Series(survives, index=cells.index, dtype=object)


def _quartiles(cells: pd.DataFrame, evidence: Evidence, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keys = ["instrument", "form", "wave", "dimension"]
    places = list(zip(*(cells[key].to_numpy(dtype=object)[rows] for key in keys), strict=True))
    known = {
        place: tuple(centile_of_counts(evidence.distributions[place], share) for share in QUARTERS)
        for place in set(places)
    }
    lowest, highest = np.array([known[place] for place in places], dtype=float).reshape(-1, 2).T
    return lowest, highest
