"""Shows the background of a statistics file by its value labels: "North" instead of 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from servicediag.responses.normalise import parse_number
from servicediag.responses.readers import Table, Variables, distinct

__all__ = ["with_value_labels"]


def with_value_labels(table: Table, variables: Variables | None, items: Collection[int]) -> Table:
    """The table in which labelled values of the columns that are no items read as their labels.

    Values that the file declares to be missing become blank. A label that stands for several values keeps the value
    beside it.
    """
    if variables is None or len(variables.values) != len(table.columns):
        return table
    columns = tuple(
        column if number in items else _labelled(column, variables.values[number], variables.missing[number])
        for number, column in enumerate(table.columns)
    )
    return replace(table, columns=columns)


def _labelled(column: Any, labels: Mapping[str, str], missing: Sequence[tuple[float | str, float | str]]) -> Any:
    if not labels and not missing:
        return column
    texts, indices = distinct(column)
    repeated = {label for label, count in Counter(labels.values()).items() if count > 1}
    shown = []
    for text in texts:
        label = labels.get(text or "", text or "")
        if text and _is_missing(text, missing):
            label = ""
        elif label in repeated:
            label = f"{label} ({text})"
        shown.append(label)
    places = indices.astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=places < 0), pa.array(shown, pa.string()))


def _is_missing(text: str, ranges: Sequence[tuple[float | str, float | str]]) -> bool:
    number = parse_number(text)
    return any(
        text == low if isinstance(low, str) or isinstance(high, str) else number is not None and low <= number <= high
        for low, high in ranges
    )
