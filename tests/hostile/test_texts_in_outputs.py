"""Text from data stays text in whatever is written: no formula, link, markup or script, no control of a terminal.

Classes 1 to 6 of hostile inputs: formulas and links as names of units, as headings and in comments; HTML; markup of
the terminal; control characters, direction overrides and texts that no file can hold.
"""

from __future__ import annotations

import csv
import json
import re
import zipfile
from html.parser import HTMLParser

import openpyxl
import pytest

UNITS = (
    "=cmd|'/c calc'!A1",
    ' ＝HYPERLINK("http://x.test?"&A1)',
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "[bold red]x[/]",
    "[link=file:///etc/passwd]y[/link]",
    "https://x.test/a",
    "mailto:a@x.test",
    "{{ 7*7 }} {% raw %}",
    "Sa\u202else\u200d\x0b\x1b[31m",
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
COMMENT = "</script><script>alert(2)</script>=1+1 @x [blink]z[/blink]"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NEVER = {"script", "iframe", "object", "embed", "form", "link", "base", "img", "foreignobject", "input", "button", "a:"}


@pytest.fixture(scope="module")
def export(write_rows, rows, tmp_path_factory):
    extra = {
        "\t=1+1": lambda number: f"={number}+1",
        "=HYPERLINK(A1)": lambda number: COMMENT,
        "<b onclick=x>Region</b>": lambda number: UNITS[number % 3],
    }
    return write_rows(tmp_path_factory.mktemp("hostile") / "export.xlsx", rows(UNITS, 12, extra))


@pytest.fixture(scope="module")
def written(export, command):
    """What one command printed, and the three reports that it wrote."""
    paths = {suffix: export.with_name(f"report.{suffix}") for suffix in ("xlsx", "html", "json")}
    outs = [part for path in paths.values() for part in ("-o", path)]
    return command("diagnose", export, "-i", "seven-sins:customer-short", "--unit", "Branch", *outs), paths


def test_main_job_opens_no_connection_and_starts_no_process(written):
    assert written[0].events == ()


class _Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.policies: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attributes]
        named = dict(attributes)
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(named["content"])

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        self.texts.append(data)


def page_of(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    return page


def assert_harmless_workbook(path, book=None):
    """No formula, link, macro or connection in the parts; no cell, name or property that a spreadsheet would run."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert not re.search(r"vbaProject|externalLink|connections|activeX|embeddings", name)
            content = archive.read(name).decode("utf-8", "replace")
            assert "ddeLink" not in content
            if name.startswith("xl/worksheets/sheet"):
                assert not re.search(r"<f[\s>]|<hyperlink [^>]*r:id", content), name
            if name.endswith(".rels"):
                assert "External" not in content, name
    book = book or openpyxl.load_workbook(path)
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f", f"{sheet.title}!{cell.coordinate}"
                assert cell.hyperlink is None or cell.hyperlink.location
    return book


@pytest.fixture(scope="module")
def book(written):
    return openpyxl.load_workbook(written[1]["xlsx"])


def texts_of(book) -> list[str]:
    return [cell.value for sheet in book for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]


def test_reports_are_written_and_name_every_unit_as_it_is_called(written):
    outcome, paths = written
    assert outcome.kind == "done"
    assert all(path.is_file() for path in paths.values())
    found = {row["unit"] for row in json.loads(paths["json"].read_text(encoding="utf-8"))["evidence"]}
    assert {unit.strip() for unit in UNITS[:-1]} <= {str(unit).strip() for unit in found}


def test_workbook_holds_no_formula_and_no_link(written, book):
    texts = texts_of(assert_harmless_workbook(written[1]["xlsx"], book))
    for unit in UNITS[:13]:
        assert any(unit.strip() in text for text in texts), unit
    assert not any(CONTROL.search(text.replace("\n", "")) for text in texts)


def test_workbook_marks_texts_that_look_like_formulas_so_that_editing_them_makes_none(book):
    risky = [
        cell
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if isinstance(cell.value, str) and cell.value.lstrip().startswith(FORMULA_STARTS)
    ]
    assert risky
    assert all(cell.quotePrefix for cell in risky)


def test_headers_properties_and_sheet_names_hold_nothing_of_the_data(book):
    about = [book.properties.title, book.properties.subject, book.properties.description, *book.sheetnames]
    about += [
        part.text
        for sheet in book
        for place in (sheet.oddHeader, sheet.oddFooter)
        for part in (place.left, place.center, place.right)
    ]
    assert not any(unit.strip() in str(text) for unit in UNITS for text in about)


def test_page_runs_nothing_and_loads_nothing(written):
    text = written[1]["html"].read_text(encoding="utf-8")
    page = page_of(text)
    assert not page.tags & NEVER
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcdoc", "action")]
    assert all(value.startswith("#") for name, value in page.attributes if name.endswith("href"))
    assert not re.search(r"url\((?!#)", text)
    assert not any("javascript:" in value for _, value in page.attributes)
    assert not CONTROL.search(text.replace("\n", ""))


def test_page_forbids_scripts_and_requests_by_its_policy(written):
    (policy,) = page_of(written[1]["html"].read_text(encoding="utf-8")).policies
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert not {"script-src", "connect-src", "frame-src", "object-src"} & set(rules)
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert "http" not in policy


def test_page_shows_the_names_as_they_are(written):
    shown = " ".join(page_of(written[1]["html"].read_text(encoding="utf-8")).texts)
    for unit in UNITS[:13]:
        assert unit.strip() in shown, unit


@pytest.fixture(scope="module")
def listed(export, command):
    """What the reliability of every unit looks like on the terminal, and the .csv file with it."""
    path = export.with_name("reliability.csv")
    return command("reliability", export, "-i", "seven-sins:customer-short", "--by", "Branch", "-o", path), path


def test_terminal_shows_markup_as_it_is_written(written, listed):
    assert "[bold red]x[/]" in listed[0].text
    for outcome in (listed[0], written[0]):
        assert not CONTROL.search(outcome.text.replace("\n", ""))


def test_comments_reach_no_report(written, book):
    outcome, paths = written
    assert "[blink]" not in outcome.text
    for suffix in ("html", "json"):
        assert "blink" not in paths[suffix].read_text(encoding="utf-8")
    assert not any("blink" in text for text in texts_of(book))


def test_scores_hold_no_formula(export, tmp_path, command):
    path = tmp_path / "scores.xlsx"
    assert command("score", export, "-i", "seven-sins:customer-short", "--unit", "Branch", "-o", path).kind == "done"
    texts = texts_of(assert_harmless_workbook(path))
    assert UNITS[0] in texts
    assert "\t=1+1" in texts or "=1+1" in [text.strip() for text in texts]


def test_csv_defuses_what_a_spreadsheet_would_run(listed):
    outcome, path = listed
    assert outcome.kind == "done"
    with path.open(encoding="utf-8-sig", newline="") as file:
        fields = [field for row in csv.reader(file) for field in row]
    risky = [f for f in fields if f.lstrip(" ").startswith(FORMULA_STARTS) and not re.fullmatch(r"-?[0-9.e-]+", f)]
    assert risky == []
    assert f"'{UNITS[0]}" in fields


def test_annotated_copy_holds_values_only(tmp_path, rows, items, command):
    """A hostile workbook is copied without its formulas and links, whatever else it is marked for."""
    path = tmp_path / "export.xlsx"
    book = openpyxl.Workbook()
    table = rows(UNITS[:2], 12)
    table[3][1] = "No such answer"
    for row in table:
        book.active.append(row)
    for row in book.active.iter_rows(max_col=1):
        row[0].data_type = "s"
    book.active["Z1"] = "Total"
    book.active["Z2"] = '=HYPERLINK("http://x.test/?"&A1,"click")'
    book.active["A4"].hyperlink = "http://x.test/"
    book.save(path)
    outcome = command("check", path, "-i", "seven-sins:customer-short", "--annotate", tmp_path / "marked.xlsx")
    assert outcome.kind == "refused"
    assert "[unknown_label]" not in outcome.text
    marked = assert_harmless_workbook(tmp_path / "marked.xlsx")
    assert "No such answer" in texts_of(marked)
    assert any(cell.comment for row in marked.active.iter_rows() for cell in row)


@pytest.fixture
def hostile_instrument(tmp_path):
    """An instrument whose every text is hostile."""
    texts = {code: {"customer": f'{start} "><svg onload=alert(1)> {code}'} for code, start in
             (("hos_calm_1", "=1+1"), ("hos_calm_2", "[bold]"), ("hos_calm_3", "@x"))}  # fmt: skip
    structure = {
        "id": "hostile",
        "version": "1.0.0",
        "prefix": "hos",
        "status": "=not yet validated",
        "license": "<script>",
        "original_language": "en",
        "sources": ["<script>alert(1)</script> [red]"],
        "notes": ["=1+1"],
        "forms": [{"id": "customer", "rater": "customer"}],
        "dimensions": [
            {
                "id": "calm",
                "direction": "strength",
                "measurement": "reflective",
                "scale": "own3",
                "items": [{"code": code, "facet": "x", "source": "001", "evidence": "I"} for code in texts],
            }
        ],
        "scales": [{"id": "own3", "codes": [1, 2, 3], "labels": {"en": {1: "=no()", 2: "<i>partly", 3: "[bold]yes"}}}],
    }
    locale = {
        "language": "en",
        "status": "original",
        "title": "=Title <script>alert(1)</script>",
        "definition": "[bold]Definition",
        "forms": {"customer": {"title": "=Form", "instruction": "@i", "stems": {"default": "+stem <script>"}}},
        "dimensions": {"calm": {"title": "=Calm<script>", "definition": "<script>"}},
        "items": texts,
    }
    folder = tmp_path / "hostile"
    (folder / "locale").mkdir(parents=True)
    whole_keys = re.compile(r'"([123])": ')  # JSON is YAML, but for keys that are numbers
    (folder / "instrument.yaml").write_text(whole_keys.sub(r"\1: ", json.dumps(structure)))
    (folder / "locale" / "en.yaml").write_text(json.dumps(locale))
    return folder


def test_texts_of_an_instrument_stay_texts(hostile_instrument, tmp_path, command, workbook):
    sheet = tmp_path / "sheet.xlsx"
    made = command("answer-sheet", hostile_instrument, sheet)
    assert made.kind == "done", made.text
    with zipfile.ZipFile(sheet) as archive:
        assert not any("<f>" in archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/worksheets/"))
    assert not [c for s in openpyxl.load_workbook(sheet) for r in s.iter_rows() for c in r if c.data_type == "f"]
    shown = command("instruments", hostile_instrument)
    assert "[bold]" in shown.text
    assert "[red]" in shown.text

    labels = ["=no()", "<i>partly", "[bold]yes"]
    table = [["unit", "hos_calm_1", "hos_calm_2", "hos_calm_3"]]
    table += [[f"U{i % 3}", labels[i % 3], labels[(i // 2) % 3], labels[(i // 4) % 3]] for i in range(60)]
    reports = [tmp_path / f"report.{suffix}" for suffix in ("xlsx", "html")]
    outs = [part for path in reports for part in ("-o", path)]
    outcome = command("diagnose", workbook(table), "-i", hostile_instrument, "--unit", "unit", *outs)
    assert outcome.kind == "done", outcome.text
    assert "=Calm<script>" in outcome.text
    assert_harmless_workbook(reports[0])
    page = page_of(reports[1].read_text(encoding="utf-8"))
    assert not page.tags & NEVER
    assert not [name for name, _ in page.attributes if name.startswith("on")]
