"""The page tells the frames' numbers, in order, to everybody, and takes nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from servicediag.diagnosis.model import Diagnosis
from servicediag.report import Theme, write_html
from servicediag.report.page import MAXIMUM_UNITS, render_page
from servicediag.report.plain_text import clean
from servicediag.wording.numbers import fixed

Reader = Callable[[str], Any]
ORDER = ("In short", "What we found", "What works well", "What we cannot tell", "Where it is high and where it is low",
         "Which differences stand out", "Know, want, can: what holds service back", "Confidence and capability",
         "How different groups see it",
         "Question by question", "How many people met it", "Unit by unit", "How far the scores can be trusted",
         "Data and method", "What is not shown", "Words used here")  # fmt: skip
DRAWN = {"svg", "title", "desc", "defs", "pattern", "rect", "path", "g", "line", "text", "tspan"}
PLAIN = {
    "html",
    "head",
    "meta",
    "style",
    "body",
    "header",
    "main",
    "footer",
    "nav",
    "section",
    "article",
    "figure",
    "figcaption",
    "h1",
    "h2",
    "h3",
    "p",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "a",
    "span",
    "strong",
    "br",
    "bdi",
    "div",
    "details",
    "summary",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}


@pytest.fixture(scope="module")
def page(diagnosis: Diagnosis) -> str:
    return render_page(diagnosis, language="en", theme=Theme())


def value(number: float, *, sign: bool = False) -> str:
    shown = fixed(number, "+.1f" if sign else ".1f")
    return ("0.0" if shown.lstrip("+-") == "0.0" else shown).replace("-", "−")


def test_sections_come_in_the_order_of_a_readers_questions(page: str) -> None:
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == list(ORDER)


def test_every_health_in_the_tables_is_the_frames(diagnosis: Diagnosis, page: str, read_page: Reader) -> None:
    tables = read_page(page).tables
    heads, *rows = tables["Seven service sins (rated by customers)"]
    evidence = diagnosis.evidence[diagnosis.evidence["instrument"] == "seven-sins"]
    assert len(rows) == 13
    for row in rows:
        unit = (
            evidence[evidence["unit"].isna()]
            if row[0] == "Whole organisation"
            else evidence[evidence["unit"] == row[0]]
        )
        expected = unit.set_index("title")["health"]
        assert row[1:] == [value(expected[title]) for title in heads[1:]]


def test_withheld_cells_say_so_and_show_nothing(diagnosis: Diagnosis, page: str, read_page: Reader) -> None:
    tables = read_page(page).tables
    rows = {row[0]: row[1:] for row in tables["Know, want, can (rated by employees)"]}
    assert rows["Field engineers"] == ["withheld"] * 4
    heads, *found = tables["Results not shown"]
    listed = [(row[0], dimension) for row in found for dimension in row[heads.index("Dimension")].split(", ")]
    assert len(listed) == len(set(listed)) == len(diagnosis.withheld)
    assert {unit for unit, _ in listed} == set(diagnosis.withheld["unit"])


def test_every_gap_in_the_table_is_the_frames(diagnosis: Diagnosis, page: str, read_page: Reader) -> None:
    heads, *rows = read_page(page).tables["Differences from the rest of the organisation, in points of health"]
    known = diagnosis.evidence[diagnosis.evidence["tier"].isin(["established", "likely", "watch"])].sort_values("gap")
    positions = [heads.index(name) for name in ("Gap", "Gap 95% low", "Gap 95% high")]
    found = [[row[position] for position in positions] for row in rows]
    columns = known[["gap", "gap_low", "gap_high"]].itertuples(index=False, name=None)
    assert found == [[value(number, sign=True) for number in numbers] for numbers in columns]
    assert [row[heads.index("n")] for row in rows] == [str(n) for n in known["n"]]


def test_every_unit_has_its_scores(diagnosis: Diagnosis, page: str, read_page: Reader) -> None:
    tables = read_page(page).tables
    for unit, cells in diagnosis.evidence.dropna(subset=["unit"]).groupby("unit"):
        heads, *rows = tables[f"Scores of {unit}"]
        assert [row[heads.index("Health")] for row in rows] == [value(number) for number in cells["health"]]


def test_items_are_sorted_with_the_weakest_first(diagnosis: Diagnosis, page: str, read_page: Reader) -> None:
    table = read_page(page).tables["Know, want, can: What being able to serve requires (employees), whole organisation"]
    items = diagnosis.items[diagnosis.items["unit"].isna()].sort_values("health")
    assert [row[0] for row in table[1:]] == list(items["text"])
    assert [row[table[0].index("Health")] for row in table[1:]] == [value(number) for number in items["health"]]


def test_severity_is_not_printed_where_nothing_is_claimed(page: str, read_page: Reader) -> None:
    heads, *rows = read_page(page).tables["Scores of Customer contact centre"]
    sure, severity = heads.index("How sure"), heads.index("Severity")
    assert all((row[sure] == "") == (row[severity] == "") for row in rows)


def test_without_a_strength_the_section_repeats_what_the_summary_says(diagnosis: Diagnosis) -> None:
    calm = tuple(f for f in diagnosis.findings if f.direction != "better" and f.kind != "strength")
    summary = replace(diagnosis.summary, strengths=("Healthiest: 'Coldness', health 90.3.",))
    told = render_page(replace(diagnosis, findings=calm, summary=summary), language="en", theme=Theme())
    section = told.partition('<section id="strengths"')[2].partition("</section>")[0]
    assert "health 90.3" in section
    assert "Nothing to show" not in section


def test_texts_that_stand_alone_in_a_cell_begin_with_a_capital(diagnosis: Diagnosis, read_page: Reader) -> None:
    row = {"gap": "silent_loss", "code": "ONE_SIDE_MISSING", "what": "how many customers left", "settled_by": "a log"}
    gaps = pd.DataFrame([row]).reindex(columns=diagnosis.not_measured.columns)
    told = read_page(render_page(replace(diagnosis, not_measured=gaps), language="en", theme=Theme())).tables
    assert told["Gaps that could not be judged"][1] == [
        "Silent loss", "How many customers left", "One side was not asked", "A log"
    ]  # fmt: skip


def test_cautions_are_said_plainly(page: str) -> None:
    for phrase in ("not yet validated", "conventions", "onsistent with", "does not prove a cause", "no ranking"):
        assert phrase in page


def test_summary_tells_cause_evidence_against_and_first_action(page: str, read_page: Reader) -> None:
    text = " ".join(" ".join(read_page(page).texts).split())
    story = text[text.index("1. Runaround is worse") : text.index("2. Rulebook is worse")]
    pieces = [
        "−18.2 points (95% interval −24.1 to −12.2)",
        "established",
        "major",
        "Nobody owns a case",
        "Also possible",
        "What speaks against Staff do not want to serve",
        "Not measured Systems send customers",
        "What first Give contact staff authority",
    ]
    assert [piece for piece in pieces if piece not in story] == []


def test_nothing_is_loaded_from_outside_and_nothing_runs(page: str, read_page: Reader) -> None:
    reader = read_page(page)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "img", "image", "use", "base", "form"}
    for _, attributes in reader.tags:
        for name, content in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href", "action"):
                assert str(content).startswith("#")
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page


def test_policy_forbids_everything_but_own_style(page: str, read_page: Reader) -> None:
    policies = [
        a for tag, a in read_page(page).tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert [policy["content"] for policy in policies] == [
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]


def test_identifiers_are_unique_and_links_lead_somewhere(page: str, read_page: Reader) -> None:
    tags = read_page(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        if "href" in attributes:
            assert attributes["href"][1:] in ids  # type: ignore[index]
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)


def test_every_figure_has_title_description_table_and_caption(page: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.DOTALL)
    assert len(figures) == 5
    for figure in figures:
        assert re.search(r'<svg[^>]*role="img"[^>]*aria-labelledby="[^"]+"', figure)
        assert re.search(r"<title[^>]*>[^<]{20,}</title>", figure)
        assert re.search(r"<desc[^>]*>[^<]{60,}</desc>", figure)
        assert "<figcaption>" in figure
        assert "<summary>" in figure
        assert "<table>" in figure


def test_tables_have_captions_and_scopes(page: str, read_page: Reader) -> None:
    reader = read_page(page)
    assert page.count("<table>") == page.count("<caption>")
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in reader.tags if tag == "th")


def test_page_names_its_language_and_is_well_nested(page: str, read_page: Reader) -> None:
    assert read_page(page).tags[0] == ("html", {"lang": "en"})
    for tag in ("section", "article", "figure", "table", "details", "ul", "dl", "div"):
        assert len(re.findall(rf"<{tag}[\s>]", page)) == page.count(f"</{tag}>")


@pytest.mark.parametrize("name", ["html", "formula", "markup", "bidi", "template", "control"])
def test_hostile_text_stays_text(
    diagnosis: Diagnosis,
    spoilt: Callable[[Diagnosis, str], Diagnosis],
    hostile_texts: Any,
    read_page: Reader,
    name: str,
) -> None:
    text = getattr(hostile_texts, name)
    page = render_page(spoilt(diagnosis, text), language="en", theme=Theme())
    reader = read_page(page)
    assert {tag for tag, _ in reader.tags} <= PLAIN | DRAWN
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert clean(text) in "".join(reader.texts)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_same_diagnosis_gives_the_same_bytes(diagnosis: Diagnosis, page: str, tmp_path: Path) -> None:
    write_html(diagnosis, tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == page.encode()


def test_language_without_texts_is_refused_and_leaves_no_file(diagnosis: Diagnosis, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="language"):
        write_html(diagnosis, tmp_path / "a.html", language="xx")
    assert list(tmp_path.iterdir()) == []


def test_colours_of_the_theme_are_used(diagnosis: Diagnosis) -> None:
    page = render_page(diagnosis, language="en", theme=Theme(primary="#7a0019", accent="#333333"))
    assert "--primary: #7a0019" in page
    assert "#0b3d6e" not in page


def test_diagnosis_of_which_nothing_may_be_shown_still_says_so(empty_diagnosis: Diagnosis, read_page: Reader) -> None:
    page = render_page(empty_diagnosis, language="en", theme=Theme())
    assert [row[0] for row in read_page(page).tables["Results not shown"]] == [
        "Unit",
        "Field engineers",
        "Home delivery",
    ]
    assert "no proof that all is well" in page


def test_many_units_are_cut_and_the_page_says_so(diagnosis: Diagnosis) -> None:
    one = diagnosis.evidence[diagnosis.evidence["unit"] == "Billing and payments"].head(2)
    many = pd.concat([one.assign(unit=f"Unit {number:03d}") for number in range(MAXIMUM_UNITS + 9)], ignore_index=True)
    study = replace(diagnosis, evidence=many, findings=(), withheld=diagnosis.withheld.iloc[:0])
    page = render_page(study, language="en", theme=Theme())
    assert page.count('<article class="unit">') == MAXIMUM_UNITS + 1
    assert f"first {MAXIMUM_UNITS} of {MAXIMUM_UNITS + 9} units" in page
