"""What slides and documents hold: texts, tables, notes, alternative texts, charts and the workbooks inside them.

Reads the parts of the package themselves, whether a viewer shows them or not. Knows nothing of the library.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import openpyxl


def texts(path: Path) -> Iterator[str]:
    """Every paragraph, description and title in any part of the package."""
    for _, root in _parts(path):
        for element in root.iter():
            if _tag(element) == "p":
                words = "".join(piece.text or "" for piece in element.iter() if _tag(piece) == "t")
                if words.strip():
                    yield words
            yield from (value for name, value in element.attrib.items() if name in ("descr", "title") and value)


def rows(path: Path) -> Iterator[list[str]]:
    """Rows of every table."""
    for _, root in _parts(path):
        for row in root.iter():
            if _tag(row) == "tr":
                cells = [cell for cell in row if _tag(cell) == "tc"]
                yield ["".join(t.text or "" for t in cell.iter() if _tag(t) == "t").strip() for cell in cells]


def caches(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Values that each chart keeps beside its drawing."""
    for name, root in _parts(path):
        if "/charts/" in name:
            yield name, [element.text or "" for element in root.iter() if _tag(element) == "v"]


def workbooks(path: Path) -> Iterator[tuple[str, list[list[object]]]]:
    """Rows of every sheet of the workbooks inside the charts."""
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            if name.endswith(".xlsx"):
                for sheet in openpyxl.load_workbook(io.BytesIO(package.read(name))):
                    yield name, [list(row) for row in sheet.iter_rows(values_only=True)]


def small_groups(path: Path, small: set[str]) -> Iterator[str]:
    """Numbers beside the name of a group that is too small; numbers of a chart that are not in its workbook."""
    kind = path.suffix[1:]
    for row in rows(path):
        if row and row[0] in small and any(map(is_number, row[1:])):
            yield f"{kind} table: {row}"
    in_books: set[str] = set()
    for name, sheet in workbooks(path):
        for line in sheet:
            numbers = [value for value in line if isinstance(value, (int, float))]
            in_books.update(f"{number:.6g}" for number in numbers)
            if small & {str(value) for value in line} and numbers:
                yield f"{kind} {name}: {line}"
    for name, values in caches(path):
        for value in values:
            if value in small:
                yield f"{kind} cache {name}: {value}"
            elif is_number(value) and f"{float(value):.6g}" not in in_books:
                yield f"{kind} cache {name}: {value} is in no workbook"


def is_number(text: str) -> bool:
    return re.fullmatch(r"[-\N{MINUS SIGN}+]?\d+(\.\d+)?\s*%?", text.strip()) is not None


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _parts(path: Path) -> Iterator[tuple[str, ElementTree.Element]]:
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            if name.endswith(".xml"):
                # files that the test itself has just written
                yield name, ElementTree.fromstring(package.read(name))
