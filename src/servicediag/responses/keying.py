"""Warns of items whose answers seem to have been reversed before they were exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from servicediag.errors import Issue
from servicediag.instrument.model import MISSING_REASONS
from servicediag.responses.model import FIRST_MISSING, Part

__all__ = ["seeming_reversals"]

_LEAST_ITEMS = 3
_LEAST_RESPONDENTS = 20
_MOST_RESPONDENTS = 2_000
_NEARLY_ONE = 1 - 1e-12
_Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""
_ANSWERED = FIRST_MISSING + len(MISSING_REASONS)


def seeming_reversals(parts: Sequence[Part], codes: Mapping[str, np.ndarray], where: str) -> Iterator[Issue]:
    """A warning for each dimension in which items run against the others although they are keyed as declared.

    Only reflective dimensions of at least three items are looked at, by the corrected item-total correlation; its 95 %
    interval by Fisher's z must lie below 0. Of a large file the first 2,000 respondents are enough.
    """
    for part in parts:
        for dimension in part.dimensions:
            present = [item.code for item in dimension.scored_items if item.code in codes]
            if dimension.measurement != "reflective" or len(present) < _LEAST_ITEMS:
                continue
            if suspects := _suspects(part, present, codes):
                names = ", ".join(suspects)
                problem = f"In {part.instrument.id}/{dimension.id} the answers to {names} run against the other items."
                remedy = "Check whether they were reversed before the export, or are codes that run the other way."
                yield Issue("seems_reversed", "warning", where, problem, remedy)


def _suspects(part: Part, present: Sequence[str], codes: Mapping[str, np.ndarray]) -> list[str]:
    columns = []
    for code in present:
        values = codes[code][:_MOST_RESPONDENTS].astype(np.float64)
        values[values < _ANSWERED] = np.nan
        minimum, maximum = part.bounds(code)
        columns.append(minimum + maximum - values if part.instrument.item(code).reverse_keyed else values)
    answers = np.column_stack(columns)
    answers = answers[~np.isnan(answers).any(axis=1)]
    if len(answers) < _LEAST_RESPONDENTS:
        return []
    centred = answers - answers.mean(axis=0)
    rest = centred.sum(axis=1, keepdims=True) - centred
    spread = np.sqrt((centred**2).sum(axis=0) * (rest**2).sum(axis=0))
    products = (centred * rest).sum(axis=0)
    correlations = np.divide(products, spread, out=np.zeros(len(present)), where=spread > 0)
    highest = np.tanh(np.arctanh(np.clip(correlations, -_NEARLY_ONE, _NEARLY_ONE)) + _Z / np.sqrt(len(answers) - 3))
    return [code for code, high in zip(present, highest, strict=True) if high < 0]
