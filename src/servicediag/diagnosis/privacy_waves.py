"""Earlier waves of a study that would tell, beside a later wave of the same answers, of the few who came or went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.privacy import PrivacyRules
from servicediag.diagnosis.ranges import FEASIBLE_SHARE
from servicediag.wording.telling import sentence

__all__ = ["without_repeated_answers"]

NEARLY_THE_SAME = 3.0
"""Root mean square change, in points, below which a whole organisation is taken to have repeated its answers."""
NOTE = sentence("finding.note.repeated_answers")
PLACE = ["by", "unit", "instrument", "form"]
SOURCE = ["instrument", "form", "first_wave"]


def without_repeated_answers(evidence: Evidence, minimum: int, rules: PrivacyRules) -> Evidence:
    """Evidence in which earlier waves are closed from which something would follow by subtraction of later ones.

    Where people answer anew, two waves have nothing to be subtracted. Where those who answered twice gave the same
    answers again, the difference of two sums is that of the few who came or went. So of a scale that a whole
    organisation answered nearly alike the earlier wave is withheld. The earlier wave of a form is withheld altogether
    where fewer people than ``minimum`` came to a group or left it, and on at least half of the scales the changes of
    all others are too small to leave the answer of one person a fifth of its range; by chance hardly any group
    repeats itself on so many. Waves of which a release ledger knows are looked at there.
    """
    table = evidence.changes
    if table.empty or not rules.waves:
        return evidence
    squares = table["total_squares"].to_numpy(float)
    repeated = (table["by"] == WHOLE).to_numpy() & (squares < NEARLY_THE_SAME**2 * table["n"].to_numpy(float))
    scales = set(table.loc[repeated, [*SOURCE, "dimension"]].itertuples(index=False, name=None))
    forms = _forms_told(table, _came_or_went(table, evidence.cells), squares, minimum)
    if not scales and not forms:
        return evidence
    # shares of patterns are of several scales, and have none of their own
    scales |= {(*key[:3], "") for key in scales}
    names = ["by", "unit", "instrument", "form", "wave", "kind", "dimension", "name"]
    closed = frozenset(
        key
        for key in evidence.cells[names].itertuples(index=False, name=None)
        if key[2:5] in forms or (*key[2:5], key[6]) in scales
    )
    return replace(evidence, closed_cells=evidence.closed_cells | closed, notes=(*evidence.notes, NOTE))


def _forms_told(
    table: pd.DataFrame, few: np.ndarray, squares: np.ndarray, minimum: int
) -> frozenset[tuple[object, ...]]:
    """Forms and their earlier waves in which some group repeated its answers but for the few who came or went."""
    # how far the changes of the others leave a sum open: the root of the sum of their squares, either way
    told = (few > 0) & (few < minimum) & (2 * np.sqrt(np.maximum(squares, 0.0)) < 100.0 * FEASIBLE_SHARE)
    share = pd.Series(told, index=table.index).groupby([table[name] for name in [*PLACE, "first_wave", "second_wave"]])
    found = share.mean()
    return frozenset((key[2], key[3], key[4]) for key in found.index[found.to_numpy() >= 0.5])


def _came_or_went(table: pd.DataFrame, cells: pd.DataFrame) -> np.ndarray:
    """How many people of a group have a score in one of the two waves only; NaN where it was not there before."""
    scores = cells[(cells["kind"] == "score").to_numpy()]
    n = scores.set_index([*PLACE, "dimension", "wave"])["n"]
    once = np.zeros(len(table))
    for wave in ("first_wave", "second_wave"):
        keys = pd.MultiIndex.from_frame(table[[*PLACE, "dimension", wave]])
        once += n.reindex(keys).to_numpy(float) - table["n"].to_numpy(float)
    return once
