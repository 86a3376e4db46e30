"""Reads a .json file: a list of records, or a list of lists of question and answer pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from servicediag.responses.column_builder import ColumnBuilder
from servicediag.responses.readers import Grid
from servicediag.responses.safety import Limits, refuse, too_large
from servicediag.responses.text_files import TextFile, decode_file

__all__ = ["read_json"]

_DEEPEST = 5
_SPACE = " \t\r\n"
_REMEDY = "Give a list of records, [{question: answer, ...}, ...], or export as .xlsx or .csv."


def read_json(path: Path, limits: Limits, encoding: str | None, known_texts: frozenset[str]) -> Grid:
    """Answers of a .json file as text; numbers stay as they are written.

    A record is a mapping, where mappings inside it become columns ``outer/inner``, or a list of pairs. A name that a
    record holds twice becomes two columns.

    Raises
    ------
    ResponsesError
        unreadable_file or too_large.
    """
    where = path.name
    data, encoding, guessed = decode_file(path, encoding, known_texts)
    text = str(data, "utf-8")
    n_values = text.count("{") + text.count("[") + text.count(",")
    if n_values > limits.json_values:
        raise too_large(where, "Values", n_values, "json_values", limits)
    table = _Collected(where, limits)
    try:
        for record in _records(text):
            table.add(record)
    except (ValueError, RecursionError) as error:
        reason = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        problem = f"It is not valid JSON, or no list of records ({reason})."
        raise refuse("unreadable_file", where, problem, _REMEDY) from error
    return table.grid(TextFile((), encoding, "", guessed))


def _records(text: str) -> Iterator[Any]:
    """The members of the outer list, one at a time; or of the one list that an outer mapping holds."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=_no_number)
    start = _skip(text, 0)
    if text.startswith("{", start):
        whole, end = decoder.raw_decode(text, start)
        if _skip(text, end) < len(text):
            raise ValueError("something follows the mapping")
        lists = [value for _, value in whole if _is_list(value) and value and isinstance(value[0], list)]
        if len(lists) != 1:
            raise ValueError("no list of records, or several")
        yield from lists[0]
        return
    if not text.startswith("[", start):
        raise ValueError("no list")
    place = _skip(text, start + 1)
    while not text.startswith("]", place):
        record, end = decoder.raw_decode(text, place)
        yield record
        place = _skip(text, end)
        if text.startswith(",", place):
            place = _skip(text, place + 1)
            if text.startswith("]", place):
                raise ValueError("a comma before the end")
        elif not text.startswith("]", place):
            raise json.JSONDecodeError("no comma between records", text, place)
    if _skip(text, place + 1) < len(text):
        raise ValueError("something follows the list")


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON mapping in their order, repeated names included."""


def _no_number(name: str) -> None:
    """NaN and the infinities, which some programs write for a blank cell."""


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value, _Pairs)


class _Collected:
    """Records folded into columns as they come."""

    def __init__(self, where: str, limits: Limits) -> None:
        self._where = where
        self._limits = limits
        self._n_rows = 1
        self._paired = False
        self._columns: dict[str, list[ColumnBuilder]] = {}
        self._n_columns = 0

    def add(self, record: Any) -> None:
        row = self._n_rows
        self._n_rows += 1
        for name, value in record if isinstance(record, _Pairs) else self._pairs(record):
            if value.__class__ is str:
                self._put(row, name, value)
            elif isinstance(value, _Pairs) and value:
                for inner, cell in _flat(value, f"{name}/", _DEEPEST):
                    self._put(row, inner, _cell(cell))
            else:
                self._put(row, name, _cell(value))
        if row > self._limits.text_rows:
            raise too_large(self._where, "Rows", row, "text_rows", self._limits)
        if row * self._n_columns > self._limits.cells:
            raise too_large(self._where, "Rows times columns", row * self._n_columns, "cells", self._limits)

    def _put(self, row: int, name: str, cell: str) -> None:
        """Fill the first column of that name that this record has not filled yet."""
        columns = self._columns.get(name)
        if columns is None:
            columns = self._columns[name] = [self._new(name)]
        if not cell:
            return
        column = columns[0]
        if len(column) > row:
            column = next((other for other in columns if len(other) <= row), columns[-1])
            if len(column) > row:
                column = self._new(name)
                columns.append(column)
        column.put(row, cell)

    def _new(self, name: str) -> ColumnBuilder:
        self._n_columns += 1
        if self._n_columns > self._limits.columns:
            raise too_large(self._where, "Columns", self._n_columns, "columns", self._limits)
        column = ColumnBuilder()
        column.put(0, name)
        return column

    def _pairs(self, record: Any) -> Iterator[tuple[str, Any]]:
        if not isinstance(record, list):
            raise ValueError("a record is neither a mapping nor a list")
        for pair in record:
            if not _is_list(pair) or len(pair) != 2 or not isinstance(pair[0], str):
                raise ValueError("a list that holds no pairs of question and answer")
            self._paired = True
            yield pair[0], pair[1]

    def grid(self, text_file: TextFile) -> Grid:
        """The names in the first row, a record in each of the others."""
        columns = tuple(column.finish(self._n_rows) for named in self._columns.values() for column in named)
        platform = "yandex_forms" if self._paired else None
        return Grid(self._where, None, columns, text_file=text_file, platform=platform)


def _flat(record: _Pairs, path: str, deepest: int) -> Iterator[tuple[str, Any]]:
    for name, value in record:
        if isinstance(value, _Pairs) and value and deepest:
            yield from _flat(value, f"{path}{name}/", deepest - 1)
        else:
            yield path + name, value


def _cell(value: Any) -> str:
    """A value as the text of one cell: a list of several choices is joined as survey tools join it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Pairs):
        return json.dumps(dict(value), ensure_ascii=False)
    if isinstance(value, list):
        return "; ".join(_cell(member) for member in value)
    return str(value)
