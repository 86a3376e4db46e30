"""Warns of items whose answers seem to have been reversed before they were exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError, Issue
from servicediag.instrument.model import MISSING_REASONS, Dimension
from servicediag.responses.model import FIRST_MISSING, Part

__all__ = ["seeming_reversals"]

_LEAST_ITEMS = 3
_LEAST_RESPONDENTS = 20
_MOST_RESPONDENTS = 2_000
_ANSWERED = FIRST_MISSING + len(MISSING_REASONS)


def seeming_reversals(parts: Sequence[Part], codes: Mapping[str, np.ndarray], where: str) -> Iterator[Issue]:
    """A warning for each dimension in which items run against the others although they are keyed as declared.

    Only reflective dimensions of at least three items are looked at, by the corrected item-total correlation; its 95 %
    interval must lie below 0. Of a large file the first 2,000 respondents are enough.
    """
    for part in parts:
        for dimension in part.dimensions:
            present = [item.code for item in dimension.scored_items if item.code in codes]
            if dimension.measurement != "reflective" or len(present) < _LEAST_ITEMS:
                continue
            if suspects := _suspects(part, dimension, present, codes):
                names = ", ".join(suspects)
                problem = f"In {part.instrument.id}/{dimension.id} the answers to {names} run against the other items."
                remedy = "Check whether they were reversed before the export, or are codes that run the other way."
                yield Issue("seems_reversed", "warning", where, problem, remedy)


def _suspects(part: Part, dimension: Dimension, present: Sequence[str], codes: Mapping[str, np.ndarray]) -> list[str]:
    from servicediag.psychometrics import check_keying

    keyed = {}
    for code in present:
        values = codes[code][:_MOST_RESPONDENTS].astype(np.float64)
        values[values < _ANSWERED] = np.nan
        minimum, maximum = part.bounds(code)
        keyed[code] = minimum + maximum - values if part.instrument.item(code).reverse_keyed else values
    frame = pd.DataFrame(keyed).dropna()
    if len(frame) < _LEAST_RESPONDENTS:
        return []
    turned = [item.code for item in dimension.scored_items if item.reverse_keyed and item.code in present]
    try:
        table = check_keying(frame, reverse_keyed=turned).to_frame()
    except InsufficientDataError:
        return []
    verdicts = ("seems_reversed", "seems_already_reversed")
    return [str(item) for item in table.loc[table["verdict"].isin(verdicts), "item"]]
