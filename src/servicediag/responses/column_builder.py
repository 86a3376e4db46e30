"""Collects the cells of a column, row by row, as its distinct texts and which of them each row holds."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["ColumnBuilder", "as_text", "compact", "joined", "text_array"]

_MOST_BY_BYTE = 128


class ColumnBuilder:
    """A column of text in the making; a million rows of a few texts take four bytes each.

    Examples
    --------
    >>> column = ColumnBuilder()
    >>> column.put(0, "Often")
    >>> column.put(2, "Never", times=2)
    >>> column.finish(5).to_pylist()
    ['Often', None, 'Never', 'Never', None]
    """

    __slots__ = ("_codes", "_places")

    def __init__(self) -> None:
        self._codes = array("i")
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def put(self, row: int, text: str, times: int = 1) -> None:
        """Set the rows from ``row`` on, as many as ``times`` says; rows must come in their order."""
        codes, places = self._codes, self._places
        code = places.get(text)
        if code is None:
            code = places[text] = len(places)
        if (gap := row - len(codes)) > 0:
            codes.extend(array("i", [-1]) * gap)
        if times == 1:
            codes.append(code)
        else:
            codes.extend(array("i", [code]) * times)

    def finish(self, n_rows: int) -> Any:
        """The column as dictionary-encoded text; rows that were not set are null."""
        codes = np.full(n_rows, -1, np.int32)
        codes[: len(self._codes)] = np.frombuffer(self._codes, np.int32) if len(self._codes) else 0
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), text_array(list(self._places)))


def text_array(texts: list[str]) -> Any:
    """Texts as an Arrow array, which cannot hold lone surrogates: they become question marks."""
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([text.encode("utf-8", "replace").decode("utf-8") for text in texts], pa.string())


def compact(column: Any) -> Any:
    """A dictionary-encoded column without nulls with a byte a row where its texts are few; any other as it is."""
    if not pa.types.is_dictionary(column.type) or len(column.dictionary) > _MOST_BY_BYTE:
        return column
    codes = column.indices.to_numpy().astype(np.int8)
    return pa.DictionaryArray.from_arrays(pa.array(codes), column.dictionary, safe=False)


def joined(columns: Sequence[Any]) -> Any:
    """Columns of one kind below each other; the texts of dictionaries stay in the order in which they come first.

    Examples
    --------
    >>> first, second = (compact(pa.array(texts).dictionary_encode()) for texts in (["b", "a"], ["a", "c"]))
    >>> joined([first, second]).dictionary.to_pylist()
    ['b', 'a', 'c']
    """
    if pa.types.is_dictionary(columns[0].type) and sum(len(column.dictionary) for column in columns) > _MOST_BY_BYTE:
        columns = [
            pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), column.dictionary, safe=False)
            for column in columns
        ]
    return pa.chunked_array(columns).combine_chunks()


def as_text(value: Any) -> str:
    """A cell as people would type it: 5.0 is 5, and a number that is none is blank.

    Examples
    --------
    >>> as_text(5.0), as_text(2.5), as_text(float("nan")), as_text("5.0")
    ('5', '2.5', '', '5.0')
    """
    if isinstance(value, (float, np.floating)):
        if value != value:
            return ""
        if float(value).is_integer():
            return str(int(value))
    return str(value)
