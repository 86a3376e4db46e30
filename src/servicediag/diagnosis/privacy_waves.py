"""Cells of an earlier wave that would tell, beside a later wave of the same answers, of the few who came or went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.privacy import PrivacyRules
from servicediag.diagnosis.ranges import FEASIBLE_SHARE
from servicediag.diagnosis.releases import VARIABLE
from servicediag.wording.telling import sentence

__all__ = ["without_repeated_answers"]

NEARLY_THE_SAME = 3.0
"""Root mean square change, in points, below which a whole organisation is taken to have repeated its answers."""
NOTE = sentence("finding.note.repeated_answers")
PLACE = ["by", "unit", "instrument", "form"]
SCALE = ["instrument", "form", "dimension"]


def without_repeated_answers(evidence: Evidence, minimum: int, rules: PrivacyRules) -> Evidence:
    """Evidence in which earlier waves are closed as far as something would follow by subtraction from later ones.

    Where people answer anew, two waves have nothing to be subtracted. Where those who answered twice gave the same
    answers again, the difference of two sums is that of the few who came or went. So of a scale that a whole
    organisation answered nearly alike the earlier wave is withheld altogether; and that of a group to which or from
    which fewer people than ``minimum`` went, if the changes of all others are too small to leave the answer of one of
    them a fifth of its range. Waves of which a release ledger knows are looked at there.
    """
    table = evidence.changes
    if table.empty or not rules.waves:
        return evidence
    squares = table["total_squares"].to_numpy(float)
    repeated = (table["by"] == WHOLE).to_numpy() & (squares < NEARLY_THE_SAME**2 * table["n"].to_numpy(float))
    few = _came_or_went(table, evidence.cells)
    # how far the changes of the others leave a sum open: the root of the sum of their squares, either way
    near = (few > 0) & (few < minimum) & (2 * np.sqrt(np.maximum(squares, 0.0)) < 100.0 * FEASIBLE_SHARE)
    if not (repeated | near).any():
        return evidence
    wholly = _keys(table[repeated], SCALE)
    # shares of patterns are of several scales, and have none of their own
    wholly |= {(instrument, form, "", wave) for instrument, form, _, wave in wholly}
    places = _keys(table[near], [*PLACE, "dimension"])
    rows = evidence.cells[["by", "unit", "instrument", "form", "wave", *VARIABLE]].itertuples(index=False, name=None)
    closed = frozenset(
        (by, unit, instrument, form, wave, kind, dimension, name)
        for by, unit, instrument, form, wave, kind, dimension, name in rows
        if (instrument, form, dimension, wave) in wholly or (by, unit, instrument, form, dimension, wave) in places
    )
    return replace(evidence, closed_cells=evidence.closed_cells | closed, notes=(*evidence.notes, NOTE))


def _came_or_went(table: pd.DataFrame, cells: pd.DataFrame) -> np.ndarray:
    """How many people of a group have a score in one of the two waves only; NaN where it was not there before."""
    scores = cells[(cells["kind"] == "score").to_numpy()]
    n = scores.set_index([*PLACE, "dimension", "wave"])["n"]
    once = np.zeros(len(table))
    for wave in ("first_wave", "second_wave"):
        keys = pd.MultiIndex.from_frame(table[[*PLACE, "dimension", wave]])
        # who came from another unit is among those who answered twice, but was not here before
        once += np.abs(n.reindex(keys).to_numpy(float) - table["n"].to_numpy(float))
    return once


def _keys(table: pd.DataFrame, columns: list[str]) -> set[tuple[str, ...]]:
    return set(table[[*columns, "first_wave"]].itertuples(index=False, name=None))
