"""Some of the texts of a column, cheaply: enough to tell what kind of column it is, whatever the number of rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

__all__ = ["all_texts", "sample_texts"]

_ROWS = 20_000


def sample_texts(column: Any, most: int) -> list[str]:
    """Up to so many distinct texts of the first rows of a column that are not blank, in the order of the rows.

    Examples
    --------
    >>> sample_texts(pa.array(["a", "b", None, " ", "a"]), 10)
    ['a', 'b']
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], pa.string())
    head = column.slice(0, _ROWS)
    if pa.types.is_dictionary(head.type):
        # Its dictionary may hold texts of rows that were left out, such as the heading.
        texts = head.dictionary.take(head.indices.unique().slice(0, most))
    else:
        texts = head.unique().slice(0, most)
    return [text for text in texts.to_pylist() if text and text.strip()]


def all_texts(column: Any) -> Any:
    """The texts of a column as Arrow holds them, each once where it is encoded so."""
    if pa.types.is_dictionary(column.type):
        return pa.chunked_array([chunk.dictionary for chunk in getattr(column, "chunks", [column])], pa.string())
    return column
