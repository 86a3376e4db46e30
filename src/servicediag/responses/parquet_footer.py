"""Looks at the footer of a Parquet file before it is parsed: a small one can describe more parts than memory holds."""

from __future__ import annotations

from pathlib import Path

from servicediag.responses.safety import refuse

__all__ = ["MOST_MEMBERS", "check_footer"]

MOST_MEMBERS = 20_000
"""Of one list in the footer: of its columns, or of its groups of rows."""
_SMALL = 200_000
_LARGE = 4_000_000
_MOST_PARTS = 150_000
_TAIL = 8
_LONGEST_NUMBER = 63
_BOOLEANS, _BYTE, _VARINTS, _DOUBLE, _TEXT, _LISTS, _MAP, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 11, 12
"""Types of the compact protocol of Thrift, in which footers are written."""


def check_footer(path: Path) -> None:
    """Refuse a footer of which the parts are too many to be held.

    The memory that a parser takes is in proportion to the number of structures, not of bytes; a footer of some size is
    therefore walked through, and its structures are counted.

    Raises
    ------
    ResponsesError
        unsafe_file.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _TAIL, 0))
        tail = file.read(_TAIL)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or not _SMALL < length <= size - _TAIL:
            return  # small enough, or a fault that the parser finds
        if length <= _LARGE:
            file.seek(size - _TAIL - length)
            footer = file.read(length)
    if length > _LARGE or _Footer(footer).n_structures() > _MOST_PARTS:
        problem = f"Its footer of {length:,} bytes describes more columns and groups of rows than can be held."
        raise refuse("unsafe_file", path.name, problem, "Write it anew in fewer groups of rows, or give it as .csv.")


class _Footer:
    """A walk through the structures of a footer, without making anything of them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def n_structures(self) -> int:
        """How many structures there are; walking stops where there are too many, or where the footer is faulty."""
        count = 1
        waiting: list[int] = [-1]  # for each open list of structures how many are to come; -1 for a structure itself
        try:
            while waiting and count <= _MOST_PARTS:
                if waiting[-1] >= 0:
                    waiting[-1] -= 1
                    if waiting[-1] < 0:
                        waiting.pop()
                        continue
                    waiting.append(-1)
                    count += 1
                inner = self._next_field()
                if inner is None:
                    waiting.pop()
                elif inner:
                    waiting.append(inner)
        except IndexError:
            pass  # the parser says what is wrong with it
        return count

    def _next_field(self) -> int | None:
        """Pass over a field; how many structures it holds that are to be walked through, None where there is none."""
        header = self._data[self._place]
        self._place += 1
        if not header:
            return None
        if not header >> 4:
            self._varint()
        return self._skip(header & 15)

    def _skip(self, kind: int) -> int:
        """Pass over a value, up to the structures that it holds."""
        if kind == _STRUCT:
            return 1
        if kind in _LISTS:
            header = self._data[self._place]
            self._place += 1
            n_members = header >> 4 if header >> 4 < 15 else self._varint()
            if header & 15 == _STRUCT:
                return n_members
            for _ in range(n_members):
                self._skip_member(header & 15)
            return 0
        if kind not in _BOOLEANS:
            self._skip_member(kind)
        return 0

    def _skip_member(self, kind: int) -> None:
        if kind in _VARINTS:
            self._varint()
        elif kind == _TEXT:
            length = self._varint()
            self._place += length
        elif kind in (*_BOOLEANS, _BYTE, _DOUBLE):
            self._place += 8 if kind == _DOUBLE else 1
        else:
            raise IndexError("footers hold no lists of lists and no maps")
        if self._place > len(self._data):
            raise IndexError("the footer ends within a value")

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._place]
            self._place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > _LONGEST_NUMBER:
                raise IndexError("no number is as long")
