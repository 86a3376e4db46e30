"""Reads delimited text with its encoding and delimiter found from the content, and nothing turned into numbers."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from servicediag.responses.normalise import normal_text
from servicediag.responses.safety import Limits, looks_like_utf16, refuse, too_large

__all__ = ["TextFile", "decode_file", "read_text_file"]

Bytes = bytes | memoryview

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_BYTES = 200_000
_SAMPLE_RECORDS = 100
_BATCH = 20_000
_PIECE = 1 << 18
_BLOCK = 1 << 20
_LEAST_PART = 1 << 22
_LONGEST_LINE = 1 << 20
_FIELD = re.compile(r'[,;\t|\r\n"]+')
_HIGH = re.compile(b"[\x80-\xff]+")
_ENOUGH_RUNS = 5
_REMEDY_RAGGED = "Quote the texts that hold the delimiter, or export as .xlsx."


@dataclass(frozen=True)
class TextFile:
    """The cells of a text file and how they were told apart.

    Attributes
    ----------
    guessed : bool
        Whether the encoding is a guess that a person should check.
    """

    columns: tuple[Any, ...]
    encoding: str
    delimiter: str
    guessed: bool


def read_text_file(path: Path, limits: Limits, encoding: str | None, known_texts: frozenset[str]) -> TextFile:
    """Read .csv, .tsv or .txt as text; blank lines stay, so that row numbers are those of the file.

    Raises
    ------
    ResponsesError
        unreadable_file or too_large.
    """
    where = path.name
    data, encoding, guessed = decode_file(path, encoding, known_texts)
    if _holds_nul(data):
        raise refuse("unreadable_file", where, "It holds NUL characters.", "Export the answers again.")
    sample = _whole_lines(data)
    delimiter = guess_delimiter(sample, path.suffix, known_texts)
    return TextFile(_parse(data, sample, delimiter, where, limits), encoding, delimiter, guessed)


def decode_file(path: Path, encoding: str | None, known_texts: frozenset[str]) -> tuple[memoryview, str, bool]:
    """The text of a file in UTF-8, its encoding, and whether the encoding is a guess.

    Raises
    ------
    ResponsesError
        unreadable_file.
    """
    data = _content(path)
    guessed = False
    if encoding is None:
        encoding, guessed = guess_encoding(data, known_texts)
        if encoding == "utf-8":  # which all of it was found to be
            return data, encoding, guessed
    try:
        return _to_utf8(data, _codec(encoding)), encoding, guessed
    except UnicodeError as error:
        place = f"Byte {error.start + 1}" if isinstance(error, UnicodeDecodeError) else "It"
        problem = f"{place} is not text in the encoding {encoding}."
        raise refuse("unreadable_file", path.name, problem, "Pass encoding=, e.g. encoding='cp1252'.") from error


def _content(path: Path) -> memoryview:
    """The bytes of a file, in memory that is taken in large pages: half of the time of ``read_bytes``."""
    with path.open("rb", buffering=0) as file:
        content = np.empty(os.fstat(file.fileno()).st_size, np.uint8).data
        filled = 0
        while count := file.readinto(content[filled:]):
            filled += count
    return content[:filled]


def _pieces(data: Bytes) -> Iterator[npt.NDArray[np.uint8]]:
    """Pieces that stay in the cache of the processor while they are looked through."""
    whole = np.frombuffer(data, np.uint8)
    return (whole[start : start + _PIECE] for start in range(0, len(whole), _PIECE))


def _holds_nul(data: Bytes) -> bool:
    return any(piece.min() == 0 for piece in _pieces(data))


def _check_utf8(data: Bytes) -> None:
    """Raise UnicodeDecodeError where the data are not UTF-8; by pieces, so that the text never stands in memory."""
    start = 0
    while start < len(data):
        piece = data[start : start + _PIECE]
        if np.frombuffer(piece, np.uint8).max() < 0x80:
            start += len(piece)
            continue
        try:
            _, used = codecs.utf_8_decode(piece, "strict", start + len(piece) == len(data))
        except UnicodeDecodeError as error:
            at = start + error.start, start + error.end
            raise UnicodeDecodeError("utf-8", bytes(data), *at, error.reason) from None
        start += used  # a character that the end of the piece cuts is left for the next


def _to_utf8(data: memoryview, codec: str) -> memoryview:
    if codec in ("utf-8", "utf-8-sig"):
        _check_utf8(data)
    else:
        data = memoryview(str(data, codec).encode("utf-8"))
    marked = bytes(data[: len(codecs.BOM_UTF8)]) == codecs.BOM_UTF8
    return data[len(codecs.BOM_UTF8) :] if marked else data


def _whole_lines(data: memoryview) -> str:
    """The first lines of UTF-8 text, as many as tell how it is laid out."""
    sample = bytes(data[:_SAMPLE_BYTES])
    if len(sample) < len(data):
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    return sample.decode("utf-8", errors="ignore")


def _codec(encoding: str) -> str:
    try:
        " ".encode(encoding)  # refuses what packs or scrambles bytes and is no encoding of text
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ValueError(f"encoding={encoding!r} is not known; try 'utf-8', 'utf-16', 'cp1252' or 'cp1251'") from None


def guess_encoding(data: Bytes, known_texts: frozenset[str]) -> tuple[str, bool]:
    """The encoding, and whether it is a guess: byte order mark, strict UTF-8, UTF-16 by its NULs, then candidates.

    Among the candidates the one in which most of the instrument's texts and labels can be read is taken.

    Examples
    --------
    >>> guess_encoding("Zufriedenheit über alles".encode("cp1252"), frozenset())
    ('cp1252', True)
    """
    head = bytes(data[:65_536])
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", False
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", False
    if looks_like_utf16(head):
        return ("utf-16-le" if head[1::2].count(0) > head[0::2].count(0) else "utf-16-be"), True
    try:
        _check_utf8(data)
    except UnicodeDecodeError:
        return _best_candidate(bytes(data[:_SAMPLE_BYTES]), known_texts), True
    return "utf-8", False


def _best_candidate(sample: bytes, known_texts: frozenset[str]) -> str:
    best, best_score = "", 0
    by_letters = _by_letters(sample)
    candidates = (by_letters, *(c for c in ("cp1252", "cp1251", "gb18030", "big5", "mac_roman") if c != by_letters))
    for candidate in candidates:
        texts = _FIELD.split(sample.decode(candidate, errors="replace"))
        score = sum(normal_text(text) in known_texts for text in texts if text)
        if score > best_score and _high_texts_known(texts, known_texts):
            best, best_score = candidate, score
    return best or by_letters


def _high_texts_known(texts: list[str], known_texts: frozenset[str]) -> bool:
    """Whether a text beyond ASCII is known: those within ASCII read alike in every candidate and prove nothing."""
    return any(normal_text(text) in known_texts for text in texts if not text.isascii())


def _by_letters(sample: bytes) -> str:
    """Without known words: single high bytes are accents, longer runs are Cyrillic, or Chinese if all in pairs."""
    runs = _HIGH.findall(sample)
    n_high = sum(map(len, runs))
    n_odd = sum(len(run) % 2 for run in runs)
    if len(runs) >= _ENOUGH_RUNS and n_odd == 0:
        return "gb18030"
    if sum(len(run) for run in runs if len(run) > 2) < 0.6 * n_high:
        return "cp1252"
    return "cp1251" if n_odd > 0.2 * len(runs) else "gb18030"


def guess_delimiter(text: str, suffix: str = "", known_texts: Collection[str] = ()) -> str:
    """The delimiter that sets most known texts free; among those, the one that gives most fields to most records.

    Examples
    --------
    >>> guess_delimiter("a;b;c\\n1,5;2;3\\n")
    ';'
    """
    best, best_score = ("\t" if suffix.lower() == ".tsv" else ","), (0, 0.0)
    for delimiter in _DELIMITERS:
        records = [record for record in _records(text, delimiter, _SAMPLE_RECORDS) if any(record)]
        if not records:
            continue
        fields = Counter(field for record in records for field in record if field)
        n_known = sum(count for field, count in fields.items() if normal_text(field) in known_texts)
        width, count = Counter(len(record) for record in records).most_common(1)[0]
        score = (n_known, width * count / len(records) if width > 1 else 0.0)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _records(text: str, delimiter: str, most: int | None = None) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, record in enumerate(reader):
            if number == most:
                return
            yield record
    except csv.Error:
        return


def _parse(data: memoryview, sample: str, delimiter: str, where: str, limits: Limits) -> tuple[Any, ...]:
    """Columns of text: Arrow's reader where every record has as many fields, else record by record."""
    width = max((len(record) for record in _records(sample, delimiter, _SAMPLE_RECORDS)), default=0)
    if width > limits.columns:
        raise too_large(where, "Columns", width, "columns", limits)
    if width == 0:
        return ()
    try:
        table = _arrow_table(data, delimiter, [str(i) for i in range(width)])
    except pa.ArrowInvalid:
        return _parse_records(str(data, "utf-8"), delimiter, where, limits)
    if table.num_rows > limits.text_rows:
        raise too_large(where, "Rows", table.num_rows, "text_rows", limits)
    return tuple(column.combine_chunks() for column in table.columns)


def _arrow_table(data: memoryview, delimiter: str, names: list[str]) -> pa.Table:
    """The columns by Arrow's reader, which cuts the text into parts for the processors where no text holds a newline.

    A reader of its own for each part keeps to the cache of its processor, other than Arrow's own threads: they take
    half as much processor time again.
    """
    quoted_newline = _has_quoted_newline(data)
    parts = [data] if quoted_newline else _parts(data, min(pa.cpu_count(), len(data) // _LEAST_PART))

    def read(part: memoryview) -> pa.Table:
        return pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(part)),
            read_options=pa_csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=quoted_newline),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=quoted_newline, ignore_empty_lines=False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())),
                strings_can_be_null=False,
                check_utf8=False,  # the whole text was decoded before
            ),
        )

    if len(parts) == 1:
        return read(data)
    with ThreadPoolExecutor(len(parts)) as pool:
        return pa.concat_tables(pool.map(read, parts))


def _parts(data: memoryview, number: int) -> list[memoryview]:
    """Whole lines in parts of nearly one size; a single part where a line is longer than is looked through."""
    cuts = [0]
    for part in range(1, number):
        middle = len(data) * part // number
        end = bytes(data[middle : middle + _LONGEST_LINE]).find(b"\n")
        if end >= 0 and cuts[-1] < middle + end + 1 < len(data):
            cuts.append(middle + end + 1)
    return [data[start:stop] for start, stop in pairwise([*cuts, len(data)])]


def _has_quoted_newline(data: Bytes) -> bool:
    """Whether a line ends within quotes; where none does, the reader can cut the text into pieces without looking."""
    inside = 0
    for piece in _pieces(data):
        is_quote = piece == ord('"')
        if not (inside or is_quote.any()):
            continue
        quotes = np.flatnonzero(is_quote)
        lines = np.flatnonzero((piece == ord("\n")) | (piece == ord("\r")))
        if ((np.searchsorted(quotes, lines) + inside) % 2).any():
            return True
        inside = (inside + len(quotes)) % 2
    return False


def _parse_records(text: str, delimiter: str, where: str, limits: Limits) -> tuple[Any, ...]:
    """Records of unequal length: short ones are filled with blanks, a long one is a fault unless its rest is blank."""

    def records() -> Iterator[list[str]]:
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    try:
        widths = Counter(len(record) for record in records())
        n_rows = widths.total()
        if n_rows > limits.text_rows:
            raise too_large(where, "Rows", n_rows, "text_rows", limits)
        width = widths.most_common(1)[0][0]
        if width > limits.columns:
            raise too_large(where, "Columns", width, "columns", limits)
        chunks: list[list[Any]] = []
        faulty: list[int] = []
        batch: list[list[str]] = []
        for number, record in enumerate(records(), start=1):
            if any(record[width:]):
                faulty.append(number)
            batch.append(record[:width] + [""] * (width - len(record)))
            if len(batch) == _BATCH or number == n_rows:
                chunks.append([pa.array(column, pa.string()) for column in zip(*batch, strict=True)])
                batch = []
    except csv.Error as error:
        problem = f"The text cannot be split into fields ({error})."
        raise refuse("unreadable_file", where, problem, _REMEDY_RAGGED) from error
    if faulty:
        rows = ", ".join(map(str, faulty[:5])) + (f" and {len(faulty) - 5} more" if len(faulty) > 5 else "")
        problem = f"Most rows have {width} fields, row {rows} more."
        raise refuse("unreadable_file", where, problem, _REMEDY_RAGGED)
    return tuple(pa.chunked_array(list(parts)) for parts in zip(*chunks, strict=True))
