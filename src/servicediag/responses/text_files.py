"""Reads delimited text with its encoding and delimiter found from the content, and nothing turned into numbers."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from servicediag.responses.column_builder import compact, joined
from servicediag.responses.normalise import normal_text
from servicediag.responses.safety import Limits, looks_like_utf16, refuse, too_large

__all__ = ["TextFile", "decode_file", "read_text_file"]

Bytes = bytes | memoryview

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_BYTES = 200_000
_SAMPLE_RECORDS = 100
_BATCH = 20_000
_HEAD = 65_536
_PIECE = 1 << 18
_BLOCK = 1 << 20
_LEAST_PART = 1 << 22
_LONGEST_LINE = 1 << 20
_FEW_RECORDS = 20
_MOSTLY = 0.9
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


@dataclass(frozen=True)
class _Text:
    """A stretch of text in UTF-8: in a file, of which no more than a piece is in memory, or decoded from one.

    Attributes
    ----------
    start, stop : int
        Its place, in bytes.
    """

    source: Path | memoryview
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def bytes_at(self, start: int, length: int) -> memoryview:
        """So many bytes, or as many as there are, from a place within the stretch on."""
        first = self.start + start
        last = min(first + length, self.stop)
        if isinstance(self.source, memoryview):
            return self.source[first:last]
        with self.source.open("rb", buffering=0) as file:
            file.seek(first)
            return _filled(file, last - first)

    def pieces(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Pieces that stay in the cache of the processor while they are looked through; each only until the next."""
        if isinstance(self.source, memoryview):
            whole = np.frombuffer(self.source[self.start : self.stop], np.uint8)
            yield from (whole[start : start + _PIECE] for start in range(0, len(whole), _PIECE))
            return
        held = np.empty(_PIECE, np.uint8)
        left = len(self)
        with self.source.open("rb", buffering=0) as file:
            file.seek(self.start)
            while count := file.readinto(held.data[:left]):
                yield held[:count]
                left -= count

    def stream(self) -> Any:
        """What Arrow reads the stretch from."""
        if isinstance(self.source, memoryview):
            return pa.BufferReader(pa.py_buffer(self.source[self.start : self.stop]))
        return pa.OSFile(os.fsencode(self.source)).get_stream(self.start, len(self))

    def lines(self) -> io.TextIOWrapper:
        """The lines with their ends as they are, of which no more than a piece is in memory at a time."""
        source: Any = io.BytesIO(self.source) if isinstance(self.source, memoryview) else self.source.open("rb")
        source.seek(self.start)
        return io.TextIOWrapper(source, encoding="utf-8", newline="")

    def sample(self) -> str:
        """The first lines, as many as tell how the text is laid out."""
        sample = bytes(self.bytes_at(0, _SAMPLE_BYTES))
        if len(sample) < len(self):
            sample = sample[: sample.rfind(b"\n") + 1] or sample
        return sample.decode("utf-8", errors="ignore")

    def parts(self) -> list[_Text]:
        """Whole lines in parts of nearly one size for the processors; fewer where lines are longer than is looked."""
        number = min(pa.cpu_count(), len(self) // _LEAST_PART)
        cuts = [0]
        for part in range(1, number):
            middle = len(self) * part // number
            end = bytes(self.bytes_at(middle, _LONGEST_LINE)).find(b"\n")
            if end >= 0 and cuts[-1] < middle + end + 1 < len(self):
                cuts.append(middle + end + 1)
        places = pairwise([*cuts, len(self)])
        return [_Text(self.source, self.start + start, self.start + stop) for start, stop in places]


@dataclass(frozen=True)
class _Seen:
    """What a look at every byte of a text tells."""

    is_utf8: bool = True
    holds_nul: bool = False
    quoted_newline: bool = False


def read_text_file(path: Path, limits: Limits, encoding: str | None, known_texts: frozenset[str]) -> TextFile:
    """Read .csv, .tsv or .txt as text; blank lines stay, so that row numbers are those of the file.

    Raises
    ------
    ResponsesError
        unreadable_file or too_large.
    """
    guessed = False
    text, named = _text_as_it_stands(path, encoding)
    seen = _look_through(text) if text else _Seen(is_utf8=False)
    if text is None or not seen.is_utf8:
        data, named, guessed = decode_file(path, encoding, known_texts)
        text = _Text(data, 0, len(data))
        seen = _look_through(text)
    if seen.holds_nul:
        raise refuse("unreadable_file", path.name, "It holds NUL characters.", "Export the answers again.")
    sample = text.sample()
    delimiter = guess_delimiter(sample, path.suffix, known_texts)
    return TextFile(_parse(text, sample, delimiter, path.name, limits, seen.quoted_newline), named, delimiter, guessed)


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
        return _filled(file, os.fstat(file.fileno()).st_size)


def _filled(file: io.FileIO, length: int) -> memoryview:
    """The next bytes of a file, so many or as many as there are."""
    content = np.empty(length, np.uint8).data
    filled = 0
    while count := file.readinto(content[filled:]):
        filled += count
    return content[:filled]


def _text_as_it_stands(path: Path, encoding: str | None) -> tuple[_Text | None, str]:
    """The text of a file that need not be decoded if all of it is UTF-8, else None; and its encoding."""
    with path.open("rb", buffering=0) as file:
        head, size = bytes(_filled(file, _HEAD)), os.fstat(file.fileno()).st_size
    named = encoding or (_encoding_by_head(head) or ("utf-8",))[0]
    if _codec(named) not in ("utf-8", "utf-8-sig"):
        return None, named
    return _Text(path, len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0, size), named


def _look_through(text: _Text) -> _Seen:
    """Look at every byte once, at the parts of a long text side by side.

    A part ends with a newline. Where that stands within quotes, the part says so; where it does not, the next begins
    outside of quotes as the first does.
    """
    parts = text.parts()
    if len(parts) == 1:
        return _look_at(text)
    with ThreadPoolExecutor(len(parts)) as pool:
        seen = list(pool.map(_look_at, parts))
    return _Seen(
        all(part.is_utf8 for part in seen),
        any(part.holds_nul for part in seen),
        any(part.quoted_newline for part in seen),
    )


def _look_at(text: _Text) -> _Seen:
    decoder = codecs.getincrementaldecoder("utf-8")()
    holds_nul = quoted_newline = False
    inside = 0
    try:
        for piece in text.pieces():
            if piece.view(np.int8).min() <= 0 or decoder.getstate()[0]:  # NUL, or more than ASCII
                holds_nul = holds_nul or bool(piece.min() == 0)
                decoder.decode(piece.tobytes())
            if not quoted_newline:
                quoted_newline, inside = _quoted_newline(piece, inside)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _Seen(is_utf8=False)
    return _Seen(True, holds_nul, quoted_newline)


def _quoted_newline(piece: npt.NDArray[np.uint8], inside: int) -> tuple[bool, int]:
    """Whether a line of a piece ends within quotes, and whether the piece itself does (1) or not (0)."""
    is_quote = piece == ord('"')
    if not (inside or is_quote.any()):
        return False, 0
    quotes = np.flatnonzero(is_quote)
    lines = np.flatnonzero((piece == ord("\n")) | (piece == ord("\r")))
    found = ((np.searchsorted(quotes, lines) + inside) % 2).any()
    return bool(found), (inside + len(quotes)) % 2


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
    if found := _encoding_by_head(bytes(data[:_HEAD])):
        return found
    try:
        _check_utf8(data)
    except UnicodeDecodeError:
        return _best_candidate(bytes(data[:_SAMPLE_BYTES]), known_texts), True
    return "utf-8", False


def _encoding_by_head(head: bytes) -> tuple[str, bool] | None:
    """What the first bytes say of the encoding, and whether that is a guess; None where they say nothing."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", False
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", False
    if looks_like_utf16(head):
        return ("utf-16-le" if head[1::2].count(0) > head[0::2].count(0) else "utf-16-be"), True
    return None


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


def _parse(
    text: _Text, sample: str, delimiter: str, where: str, limits: Limits, quoted_newline: bool
) -> tuple[Any, ...]:
    """Columns of text: Arrow's reader where every record has as many fields, else record by record."""
    records = list(_records(sample, delimiter, _SAMPLE_RECORDS))
    width = max(map(len, records), default=0)
    if width > limits.columns:
        raise too_large(where, "Columns", width, "columns", limits)
    if width == 0:
        return ()
    types = {str(column): _type_of(records, column) for column in range(width)}
    try:
        columns = _arrow_columns(text, delimiter, types, quoted_newline)
    except pa.ArrowInvalid:
        return _parse_records(text, delimiter, where, limits)
    if len(columns[0]) > limits.text_rows:
        raise too_large(where, "Rows", len(columns[0]), "text_rows", limits)
    return columns


def _type_of(records: list[list[str]], column: int) -> pa.DataType:
    """Text of which each is kept once, except ids, times and comments, for which that would only take time."""
    texts = [record[column] for record in records if len(record) > column]
    once = len(texts) > _FEW_RECORDS and len(set(texts)) > _MOSTLY * len(texts)
    return pa.string() if once else pa.dictionary(pa.int32(), pa.string())


def _arrow_columns(
    text: _Text, delimiter: str, types: Mapping[str, pa.DataType], quoted_newline: bool
) -> tuple[Any, ...]:
    """The columns by Arrow's reader, which cuts the text into parts for the processors where no text holds a newline.

    A reader of its own for each part keeps to the cache of its processor, other than Arrow's own threads: they take
    half as much processor time again. Each part is made small before the parts are joined, since memory that is taken
    anew costs as much as the parsing.
    """

    def read(part: _Text) -> list[Any]:
        table = pa_csv.read_csv(
            part.stream(),
            read_options=pa_csv.ReadOptions(column_names=list(types), block_size=_BLOCK, use_threads=quoted_newline),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=quoted_newline, ignore_empty_lines=False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=types,
                strings_can_be_null=False,
                check_utf8=False,  # the whole text was looked through before
            ),
        )
        return [compact(column.combine_chunks()) for column in table.columns]

    parts = [text] if quoted_newline else text.parts()
    if len(parts) == 1:
        return tuple(read(text))
    with ThreadPoolExecutor(len(parts)) as pool:
        return tuple(joined(same) for same in zip(*pool.map(read, parts), strict=True))


def _parse_records(text: _Text, delimiter: str, where: str, limits: Limits) -> tuple[Any, ...]:
    """Records of unequal length: short ones are filled with blanks, a long one is a fault unless its rest is blank."""

    def records() -> Iterator[list[str]]:
        with text.lines() as lines:
            yield from csv.reader(lines, delimiter=delimiter)

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
