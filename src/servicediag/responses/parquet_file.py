"""Reads a .parquet file as columns of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from servicediag.responses.column_builder import as_text
from servicediag.responses.parquet_footer import MOST_MEMBERS, check_footer
from servicediag.responses.readers import Grid
from servicediag.responses.safety import Limits, refuse, too_large

__all__ = ["read_parquet"]

_BATCH = 32_768


def read_parquet(path: Path, limits: Limits) -> Grid:
    """The flat columns of a .parquet file: their names in the first row, a record in each of the others.

    Columns of lists and structures are left out: they hold no answer to a question.

    Raises
    ------
    ResponsesError
        unreadable_file or too_large.
    """
    import pyarrow.parquet as pq

    where = path.name
    check_footer(path)
    options = {"pre_buffer": False, "thrift_container_size_limit": MOST_MEMBERS}
    try:
        with pq.ParquetFile(path, **options) as file:
            _check_size(file, where, limits)
            schema = file.schema_arrow
            names = schema.names
            flat = [i for i, field in enumerate(schema) if not pa.types.is_nested(field.type)]
            texts = [names[i] for i in flat if _is_text(schema.field(i).type)]
        with pq.ParquetFile(path, read_dictionary=texts, **options) as file:
            chunks = _chunks(file, flat, where, limits)
        columns = [_joined(names[i], parts) for i, parts in zip(flat, chunks, strict=True)]
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        problem = f"The Parquet file is damaged or of a kind that cannot be read ({type(error).__name__})."
        raise refuse("unreadable_file", where, problem, "Write it anew, or give it as .csv.") from error
    return Grid(where, None, tuple(columns))


def _check_size(file: Any, where: str, limits: Limits) -> None:
    """Refuse by what the footer says, before a column is unpacked."""
    footer = file.metadata
    inflated = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
    if footer.num_rows > limits.text_rows:
        raise too_large(where, "Rows", footer.num_rows, "text_rows", limits)
    if footer.num_columns > limits.columns:
        raise too_large(where, "Columns", footer.num_columns, "columns", limits)
    if inflated > limits.inflated_bytes:
        raise too_large(where, "Bytes once unpacked", inflated, "inflated_bytes", limits)


def _chunks(file: Any, flat: list[int], where: str, limits: Limits) -> list[list[Any]]:
    """Dictionary-encoded text of each column, a batch after another, as long as the limits allow."""
    parts: list[list[Any]] = [[] for _ in flat]
    every = file.schema_arrow.names
    names = [every[i] for i in flat]
    wanted = names if len(set(every)) == len(every) else None
    n_rows = n_bytes = 0
    for batch in file.iter_batches(_BATCH, columns=wanted):
        n_rows += batch.num_rows
        n_bytes += batch.nbytes
        if n_rows > limits.text_rows:
            raise too_large(where, "Rows", n_rows, "text_rows", limits)
        if n_bytes > limits.inflated_bytes:
            raise too_large(where, "Bytes once unpacked", n_bytes, "inflated_bytes", limits)
        columns = batch.columns if wanted else [batch.column(i) for i in flat]
        for part, column in zip(parts, columns, strict=True):
            part.append(_as_texts(column))
    return parts


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _as_texts(column: Any) -> Any:
    """A column of any flat type as dictionary-encoded text, by its distinct values."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    values = encoded.dictionary
    if not _is_text(values.type):
        values = pa.array(["" if value is None else as_text(value) for value in values.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(pa.int32()), values.cast(pa.string()))


def _joined(name: str, parts: list[Any]) -> Any:
    heading = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1, np.int32)), pa.array([name], pa.string()))
    column = pa.chunked_array([heading, *parts]).unify_dictionaries().combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
