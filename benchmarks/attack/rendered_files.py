"""What a reader finds in the files of a report: numbers of named groups, and whatever names a group too small to show.

Reads .json, .xlsx (hidden sheets and the caches of charts included), .html (attributes and texts of figures included),
.pptx and .docx (by ``office_files``) and the text of a terminal. Knows nothing of the library.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
from office_files import is_number as _is_number
from office_files import small_groups, texts

UNREPORTED = ("withheld", "not shown", "dictionary", "method", "heatmap")
"""Parts of a report that may name a group without telling anything of it; only a number beside the name tells."""


@dataclass(frozen=True)
class Reported:
    """A mean of a group as a file shows it; the true one is within ``half`` of it.

    ``rest`` says that the people are all those of the grouping's units except this one; ``sd_half`` is how far the
    spread that is shown may be from the true one.
    """

    by: str
    unit: str
    background: str
    category: str
    wave: str
    variable: tuple[str, ...]
    n: int | None
    mean: float
    half: float
    sd: float | None = None
    rest: bool = False
    sd_half: float = 0.0
    scored: bool = True


def reported(folder: Path) -> list[Reported]:
    """Every mean of a group that the files of a folder show."""
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found = [*_scores(document), *_items(document), *_others(document)]
    workbook = folder / "report.xlsx"
    if workbook.exists():
        found += _of_workbook(workbook, document)
    return found


@dataclass(frozen=True)
class Counted:
    """How many people of a group chose each option of an item."""

    by: str
    unit: str
    wave: str
    item: str
    counts: tuple[int, ...]


def counted(folder: Path) -> list[Counted]:
    """Every distribution of answers in the report."""
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for row in document["answers"]:
        key = (*_place(row), row["wave"] or "", row["item"])
        found.setdefault(key, []).append((row["code"], round(row["share"] * row["n"])))
    return [Counted(*key, tuple(count for _, count in sorted(options))) for key, options in found.items()]


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return row.get("by") or "", row.get("unit") or ""


def _half(n: int | None, points: bool = True) -> float:
    if n is not None and n >= 30:
        return 0.005 if points else 5e-5
    return 0.05


def _scores(document: dict[str, Any]) -> Iterator[Reported]:
    for row in document["evidence"]:
        variable = (row["instrument"], row["form"], "score", row["dimension"], "")
        n, mean, sd = row["n"], row["mean"], row["sd"]
        yield Reported(*_place(row), "", "", row["wave"] or "", variable, n, mean, _half(n), sd, sd_half=_half(n))
        if row["gap"] is not None:
            sign = -1.0 if row["direction_of_scale"] == "weakness" else 1.0
            half = 2 * _half(n)
            rest = mean - sign * row["gap"]
            yield Reported(*_place(row), "", "", row["wave"] or "", variable, None, rest, half, rest=True)


def _items(document: dict[str, Any]) -> Iterator[Reported]:
    for row in document["items"]:
        variable = (row["instrument"], row["form"], "item", row["dimension"], row["item"])
        from scipy.stats import t

        low, high, n = row["ci_low"], row["ci_high"], row["n"]
        sd, doubt = None, 0.0
        # an interval that ends where the scale does tells less of the spread
        if low is not None and n and n > 1 and low > 0 and high < 100:
            sd, doubt = (x / t.ppf(0.975, n - 1) * n**0.5 for x in ((high - low) / 2, _half(n)))
        place = (*_place(row), "", "", row["wave"] or "")
        yield Reported(*place, variable, n, row["mean"], _half(n), sd, sd_half=doubt, scored=row["scored"])
    for row in document["indicators"]:
        variable = (row["instrument"], row["form"], "indicator", row["dimension"] or "", row["indicator"])
        mean = 100.0 * row["count"] / row["n"]
        yield Reported(*_place(row), "", "", row["wave"] or "", variable, row["n"], mean, 1e-6)


def _others(document: dict[str, Any]) -> Iterator[Reported]:
    for row in document["segments"]:
        variable = (row["instrument"], row["form"], "score", row["dimension"], "")
        place = (*_place(row), row["background"], str(row["category"]), row["wave"] or "")
        yield Reported(*place, variable, row["n"], row["mean"], _half(row["n"]))
    weak = {(r["instrument"], r["dimension"]) for r in document["evidence"] if r["direction_of_scale"] == "weakness"}

    def of_health(
        row: dict[str, Any], form: str, wave: str, n: int, health: float, sd: float | None = None
    ) -> Reported:
        kind = ("item", row["dimension"], row["item"]) if row.get("item") else ("score", row["dimension"], "")
        mean = 100 - health if (row["instrument"], row["dimension"]) in weak else health
        variable, half = (row["instrument"], form, *kind), _half(n)
        return Reported(*_place(row), "", "", wave or "", variable, n, mean, half, sd, sd_half=half)

    for row in document["agreement"]:
        yield of_health(row, row["form"], row["wave"], row["n"], row["health"], row["sd"])
    for row in document["comparisons"]:
        for side in ("inner", "outer"):
            yield of_health(row, row[f"{side}_form"], row["wave"], row[f"{side}_n"], row[f"{side}_health"])
    for row in document["changes"]:
        for side in ("first", "second"):
            yield of_health(row, row["form"], row[f"{side}_wave"], row[f"n_{side}"], row[f"{side}_health"])
    for row in document["readiness"]:
        for state in ("know", "want", "can"):
            variable = ("readiness", row["form"], "score", state, "")
            yield Reported(*_place(row), "", "", row["wave"] or "", variable, None, row[state], _half(row["n"]))


def _of_workbook(path: Path, document: dict[str, Any]) -> Iterator[Reported]:
    """Means of the scales as the cells hold them, to their last digit."""
    known = {(r["title"], r["unit"] or "", r["by"] or "", r["form"], r["wave"] or ""): r for r in document["evidence"]}
    for row in _rows(path):
        key = (
            row.get("Title"),
            row.get("Unit"),
            row.get("Grouping") or "",
            row.get("Form"),
            str(row.get("Wave") or ""),
        )
        key = (key[0], "" if key[2] == "" else key[1], *key[2:])
        match, mean = known.get(key), row.get("Mean score")
        if match is None or not isinstance(mean, (int, float)):
            continue
        variable = (match["instrument"], match["form"], "score", match["dimension"], "")
        digits = len(repr(float(mean)).partition(".")[2])
        half = _half(row.get("n")) if digits <= 1 else 0.5 * 10.0**-digits
        yield Reported(key[2], str(key[1]), "", "", str(key[4]), variable, row.get("n"), float(mean), half)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of every sheet, hidden or not, by their headings."""
    for sheet in openpyxl.load_workbook(path):
        headings: list[str] | None = None
        for row in sheet.iter_rows(values_only=True):
            if headings is None or "Unit" in row:
                if "Unit" in row:
                    headings = [str(value) for value in row]
                continue
            yield {"": sheet.title, **dict(zip(headings, row, strict=False))}


class _Html(HTMLParser):
    """Texts and attribute values of a page, and the rows of its tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag == "style"
        self.texts += [value for name, value in attrs if value and name in ("aria-label", "title", "alt", "content")]
        self.texts += [value for name, value in attrs if value and name.startswith("data-")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.texts.append(data)
            if self.rows and self.rows[-1]:
                self.rows[-1][-1] += data


def small_groups_named(folder: Path, small: set[str], minimum: int) -> list[str]:
    """Places in which a file tells a number of a group that is too small, or any number of too few respondents."""
    found = list(_in_json(json.loads((folder / "report.json").read_text(encoding="utf-8")), small, minimum))
    said: list[str] = []
    for path in (folder / "report.pptx", folder / "report.docx"):
        if path.exists():
            said += texts(path)
            found += small_groups(path, small)
    if (folder / "report.html").exists():
        page = _Html()
        page.feed((folder / "report.html").read_text(encoding="utf-8"))
        said += page.texts
        found += [f"html: {row}" for row in page.rows if row and row[0] in small and any(map(_is_number, row[1:]))]
    if (folder / "report.txt").exists():
        said += (folder / "report.txt").read_text(encoding="utf-8").splitlines()
    if (folder / "report.xlsx").exists():
        found += _in_workbook(folder / "report.xlsx", small, minimum)
    for text in said:
        counts = [int(n) for n in re.findall(r"\bn = (\d+)|\b(\d+) respondents", text) for n in n if n]
        found += [f"text: {text}" for n in counts if 0 < n < minimum]
    return found


def _in_json(value: Any, small: set[str], minimum: int, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        n = value.get("n")
        if path.split("/")[-1] not in ("withheld", "operations"):
            if isinstance(n, int) and n < minimum:
                yield f"json {path}: n={n}"
            if value.get("unit") in small and any(isinstance(x, (int, float)) for x in value.values()):
                yield f"json {path}: {value['unit']}"
        for key, entry in value.items():
            yield from _in_json(entry, small, minimum, f"{path}/{key}")
    elif isinstance(value, list):
        for entry in value:
            yield from _in_json(entry, small, minimum, path)


def _in_workbook(path: Path, small: set[str], minimum: int) -> Iterator[str]:
    cells: set[float] = set()
    for sheet in openpyxl.load_workbook(path):
        for row in sheet.iter_rows(values_only=True):
            numbers = [float(value) for value in row if isinstance(value, (int, float))]
            cells.update(round(number, 6) for number in numbers)
            if row and row[0] in small and numbers:
                yield f"xlsx {sheet.title}: {row[0]}"
    for row in _rows(path):
        if isinstance(row.get("n"), int) and row["n"] < minimum:
            yield f"xlsx {row['']}: n={row['n']}"
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            if "/charts/" not in name or not name.endswith(".xml"):
                continue
            text = parts.read(name).decode()
            caches = re.findall(r"<c:(?:num|str)Cache>.*?</c:(?:num|str)Cache>", text, re.DOTALL)
            for entry in (v for cache in caches for v in re.findall(r"<c:v>([^<]*)</c:v>", cache)):
                if entry in small:
                    yield f"chart cache {name}: {entry}"
                elif _is_number(entry) and round(float(entry), 6) not in cells:
                    yield f"chart cache {name}: {entry} is in no cell"
