"""A Parquet footer that describes more than can be held is refused before it is parsed; wide files are read."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import Limits, read_responses
from servicediag.responses.parquet_file import read_parquet
from servicediag.responses.parquet_footer import check_footer

STRUCT = 12


def number(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def listed(members, n):
    return bytes([0x19, 0xF0 | STRUCT]) + number(n) + members


def footer(groups, n_groups, schema=None, n_schema=2):
    """The metadata of a file: version, schema, number of rows, groups of rows."""
    root = b"\x48\x04root\x15\x02\x00"
    leaf = b"\x15\x02\x25\x02\x18\x01a\x00"
    return b"\x15\x02" + listed(schema or root + leaf, n_schema) + b"\x16\x0a" + listed(groups, n_groups) + b"\x00"


def group(n_columns):
    return listed(b"\x26\x00\x00" * n_columns, n_columns) + b"\x16\x14\x16\x0a\x00"


@pytest.fixture
def craft(tmp_path):
    def write(metadata):
        path = tmp_path / "answers.parquet"
        path.write_bytes(b"PAR1" + b"\0" * 32 + metadata + len(metadata).to_bytes(4, "little") + b"PAR1")
        return path

    return write


@pytest.mark.parametrize(
    "metadata",
    [
        footer(group(900_000), 1),
        footer(group(1) * 120_000, 120_000),
        footer(group(19_000) * 20, 20),
        footer(b"", 0, b"\x15\x02\x25\x02\x18\x01a\x00" * 200_000, 200_000),
    ],
    ids=["columns", "groups", "groups of columns", "schema"],
)
def test_more_parts_than_can_be_held__unsafe(metadata, craft, harbour, faults):
    assert faults(craft(metadata), harbour, form="guest") == ["unsafe_file"]


@pytest.mark.parametrize(
    "metadata",
    [
        footer(group(30_000), 1), b"\x19\xfc" + b"\xff" * 300_000, b"\x18" + number(1 << 30) + b"x" * 300_000,
        b"\x1b" + b"\x05" * 300_000, b"\x1c" * 300_000, b"\x19\xf3" + number(1 << 50) + b"x" * 300_000,
    ],
    ids=["long list", "endless number", "text beyond the end", "map", "deep", "list of bytes"],
)  # fmt: skip
def test_faulty_footer__refused(metadata, craft, harbour, faults):
    (code,) = faults(craft(metadata), harbour, form="guest")
    assert code in ("unreadable_file", "unsafe_file")


def test_wide_file_with_a_large_footer_is_read(tmp_path):
    columns = {f"column {i} {'x' * 100}": ["a", "b"] for i in range(1_200)}
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=1)
    assert int.from_bytes(path.read_bytes()[-8:-4], "little") > 200_000
    check_footer(path)
    grid = read_parquet(path, Limits())
    assert len(grid.columns) == 1_200
    assert [column[2].as_py() for column in grid.columns[:3]] == ["b", "b", "b"]


def test_ordinary_file_is_read(harbour, answered, tmp_path):
    path = tmp_path / "answers.parquet"
    answered(3).astype(int).to_parquet(path)
    assert read_responses(path, harbour, form="guest").answers["hrb_calm_1"].tolist() == [1, 2, 3]


def test_error_names_the_size_and_a_way_out(craft, harbour):
    with pytest.raises(ResponsesError, match=r"footer of 2,700,\d+ bytes.*\.csv"):
        read_responses(craft(footer(group(900_000), 1)), harbour, form="guest")
