"""Comparisons, waves, answers, agreement, groups and indexes reach page and workbook with the numbers of the JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from servicediag.diagnosis.model import Diagnosis, OpenQuestion, Summary
from servicediag.report import Theme, group_charts, plot, write_excel, write_html
from servicediag.report.answer_chart import answers, side_colours
from servicediag.report.answers import questionnaires
from servicediag.report.cells import Grouping
from servicediag.report.charts import Frame, agreement
from servicediag.report.json_report import document
from servicediag.report.labels import Labels
from servicediag.report.page import MAXIMUM_UNITS, render_page
from servicediag.report.publication import printable

UNIT = "Claims and complaints"
LABELS = ("Never", "Rarely", "Sometimes", "Often", "Almost always")
PLACE = {"wave": "2025", "instrument": "seven-sins", "dimension": "run"}
SHARES = {"sin_run_1": (0.4, 0.3, 0.1, 0.15, 0.05), "sin_run_2": (0.1, 0.1, 0.2, 0.35, 0.25)}


def places() -> Iterator[dict[str, Any]]:
    yield {"by": None, "unit": None, **PLACE}
    yield {"by": "department", "unit": UNIT, **PLACE}


def frame(rows: list[dict[str, Any]], like: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(like.columns))


@pytest.fixture(scope="module")
def rich(diagnosis: Diagnosis) -> Diagnosis:
    customer = {"rater": "customer", "form": "customer"}
    options = [
        {**place, **customer, "item": item, "code": code, "label": LABELS[code - 1], "n": 60, "share": shares[code - 1]}
        for place in places() for item, shares in SHARES.items() for code in range(1, 6)
    ]  # fmt: skip
    health = {item: 100 - 25 * sum(i * share for i, share in enumerate(shares)) for item, shares in SHARES.items()}
    health["sin_run_2"] = 100 - health["sin_run_2"]
    items = [{**place, **customer, "item": item, "text": f"Wording of {item}", "n": 60, "mean": 50.0,
              "health": health[item], "scored": True} for place in places() for item in SHARES]  # fmt: skip
    tables: dict[str, list[dict[str, Any]]] = {
        "answers": options,
        "comparisons": [{**place, "inner_rater": "employee", "outer_rater": "customer", "inner_health": 71.25,
                         "outer_health": 55.5, "inner_n": 44, "outer_n": 51, "difference": -15.75, "ci_low": -20.5,
                         "ci_high": -11.125, "tier": "established", "verdict": "gap"} for place in places()],
        "patterns": [{**place, "pattern": "defensive_staff", "manager": 41.5, "employee": 71.25, "customer": 55.5}
                     for place in places()],
        "changes": [{**{k: v for k, v in place.items() if k != "wave"}, **customer, "first_wave": "2024",
                     "second_wave": "2025", "design": "unpaired", "n_first": 50, "n_second": 60, "first_health": 62.5,
                     "second_health": 51.25, "change": -11.25, "ci_low": -15.5, "ci_high": -7.125,
                     "tier": "established", "verdict": "declined"} for place in places()],
        "agreement": [{**place, **customer, "wave": None, "n": 60, "health": 51.25, "sd": 24.5,
                       "sd_share_of_maximum": 0.525, "average_deviation": 0.875, "verdict": "weak"}
                      for place in places()],
        "segments": [{**place, **customer, "background": "tenure", "category": category, "n": 40, "mean": 100 - level,
                      "health": level, "ci_low": level - 5, "ci_high": level + 5}
                     for place in places() for category, level in (("under_1", 70.25), ("from_10", 52.5))],
        "indexes": [{"by": place["by"], "unit": place["unit"], "wave": "2025", "index": "attribution",
                     "part": "organisation", "estimate": 0.625, "ci_low": 0.5125, "ci_high": 0.7375, "n": 44,
                     "verdict": "shared"} for place in places()],
        "operations": [{"by": "department", "unit": UNIT, "indicator": "turnover", "value": 0.1875, "cases": 64}],
        "not_measured": [{"gap": "silent_loss", "code": "ONE_SIDE_MISSING", "what": "how many customers left",
                          "settled_by": "a sample of customers who left"}],
    }  # fmt: skip
    frames = {name: frame(rows, getattr(diagnosis, name)) for name, rows in tables.items()}
    frames["items"] = pd.concat([diagnosis.items, frame(items, diagnosis.items)], ignore_index=True)
    first = diagnosis.findings[0]
    findings = (replace(first, rank=1, rank_low=1, rank_high=4, tied_with=("x", "y")), *diagnosis.findings[1:])
    summary = Summary(
        headline="Ten troubles; first the runaround.", troubles=(first.id,), strengths=("Knowing is a strength.",),
        first_actions=("Name one owner.",), cannot_tell=(OpenQuestion("Whether systems do it", "a second wave"),),
    )  # fmt: skip
    return replace(diagnosis, findings=findings, summary=summary, **frames)


@pytest.fixture(scope="module")
def drawing(rich: Diagnosis) -> Frame:
    published = printable(rich)
    return Frame(published, Labels.of(published, "en"), Theme())


@pytest.fixture(scope="module")
def page(rich: Diagnosis) -> str:
    return render_page(rich, language="en", theme=Theme())


@pytest.fixture(scope="module")
def book(rich: Diagnosis, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return openpyxl.load_workbook(write_excel(rich, tmp_path_factory.mktemp("rich") / "a.xlsx"))


def rows_of(book: Any, title: str) -> list[dict[str, Any]]:
    heads, *rows = book[title].iter_rows(values_only=True)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def marks_of(spec: Any, kind: str) -> list[dict[str, Any]]:
    if "mark" in spec:
        return list(spec["data"]["values"]) if spec["mark"]["type"] == kind else []
    return [record for key in ("layer", "hconcat", "vconcat") for inner in spec.get(key, ())
            for record in marks_of(inner, kind)]  # fmt: skip


@pytest.mark.parametrize(
    ("sheet", "table", "names"),
    [
        ("Waves", "changes", ("first_health", "second_health", "change", "ci_low", "ci_high", "n_first", "n_second")),
        ("Comparisons", "comparisons", ("inner_health", "outer_health", "difference", "ci_low", "ci_high", "inner_n")),
        ("Agreement", "agreement", ("n", "health", "sd", "sd_share_of_maximum", "average_deviation")),
        ("Segments", "segments", ("n", "mean", "health", "ci_low", "ci_high")),
        ("Indexes", "indexes", ("estimate", "ci_low", "ci_high", "n")),
        ("Operations", "operations", ("value", "cases")),
    ],
)
def test_workbook_holds_the_numbers_of_the_json(
    rich: Diagnosis, book: Any, drawing: Frame, sheet: str, table: str, names: tuple[str, ...]
) -> None:
    told = document(rich)[table]
    for name in names:
        found = [row[drawing.labels.column(name)] for row in rows_of(book, sheet)]
        assert found == [row[name] for row in told], name


def test_answers_have_a_column_a_code(rich: Diagnosis, book: Any) -> None:
    told = {(row["unit"], row["item"], row["code"]): row["share"] for row in document(rich)["answers"]}
    for row in rows_of(book, "Answers"):
        unit = None if row["Unit"] == "Whole organisation" else row["Unit"]
        assert [row[f"Answer {code}"] for code in range(1, 6)] == [told[unit, row["Item"], c] for c in range(1, 6)]
    assert len(rows_of(book, "Answers")) == 4


def test_named_pattern_stands_beside_its_comparison(book: Any) -> None:
    assert {row["Pattern"] for row in rows_of(book, "Comparisons")} == {"defensive staff"}


def test_page_holds_the_numbers_of_the_json(rich: Diagnosis, page: str, read_page: Callable[[str], Any]) -> None:
    tables = read_page(page).tables
    changed = tables["Changes from 2024 to 2025"]
    assert [row[changed[0].index("Change")] for row in changed[1:]] == ["−11.3"] * len(document(rich)["changes"])
    shares = tables["Seven service sins (rated by customers), 2025: shares of the answers (1)"]
    assert shares[0][3:] == list(reversed(LABELS))
    assert shares[1][3:] == ["5%", "15%", "10%", "30%", "40%"]
    grouped = tables["Scores by group: Length of service"]
    assert [row[grouped[0].index("Health")] for row in grouped[1:]] == ["70.3", "52.5"]
    assert tables["Agreement"][1][tables["Agreement"][0].index("SD, share of largest")] == "53%"
    assert tables["The organisation's share of the shortfalls"][1][1:4] == ["organisation", "0.63", "0.51"]
    assert tables["Operations data"][1][2:] == ["0.19", "64", "department"]
    assert tables["Gaps that could not be judged"][1] == [
        "Silent loss", "How many customers left", "One side was not asked",
        "A sample of customers who left"]  # fmt: skip


def test_summary_says_troubles_with_ties_a_strength_and_what_would_settle_the_rest(page: str) -> None:
    summary = re.sub(r"<[^>]+>", "", page[page.index('<section id="summary"') : page.index('<section id="findings"')])
    for piece in ("Ten troubles; first the runaround.", "cannot be told apart from 2 others", "place 1 to 4",
                  "Knowing is a strength.", "Name one owner.", "Would settle it: a second wave"):  # fmt: skip
        assert piece in summary


def test_favourable_answers_lie_right_whatever_the_direction_of_the_question(drawing: Frame) -> None:
    (found,) = questionnaires(drawing.diagnosis)
    turned, straight = found.blocks
    assert (turned.options, straight.options) == (LABELS[::-1], LABELS)
    assert turned.bars[0].unfavourable == pytest.approx(0.2)
    assert straight.bars[0].unfavourable == pytest.approx(0.2)


def test_middle_answers_stand_apart_and_the_sides_meet_at_zero(drawing: Frame) -> None:
    (found,) = questionnaires(drawing.diagnosis)
    spec = answers(drawing, found)
    segments = [record for record in marks_of(spec, "rect") if "share" in record]
    grey = side_colours(Theme(), 5)[2]
    for name in {record["row"] for record in segments}:
        own = [record for record in segments if record["row"] == name]
        sides = [record for record in own if record["shade"] != grey]
        assert sum(record["share"] for record in own) == pytest.approx(1)
        assert min(abs(record["low"]) for record in sides) == min(abs(record["high"]) for record in sides) == 0
        assert [record["low"] for record in own if record["shade"] == grey] == [0]


def test_drawings_hold_the_published_numbers(drawing: Frame) -> None:
    changed = marks_of(group_charts.changes(drawing, "2024", "2025"), "point")
    assert sorted(record["health"] for record in changed) == [51.25, 51.25, 62.5, 62.5]
    groups = marks_of(group_charts.segments(drawing, "tenure"), "point")
    assert [(r["category"], r["health"]) for r in groups] == [("Less than 1 year", 70.25), ("10 years or longer", 52.5)]
    shares = marks_of(group_charts.index(drawing, "attribution"), "point")
    for record in shares:
        assert (record["value"], record["low"], record["high"]) == pytest.approx((62.5, 51.25, 73.75))
    spread = [r["sd"] for r in marks_of(agreement(drawing, Grouping("department", None)), "rect") if "sd" in r]
    assert spread == [24.5, 24.5]


def test_plane_has_a_cross_for_every_unit_with_both_scores(drawing: Frame) -> None:
    grouping = Grouping("department", None)
    spec, rows = group_charts.plane(drawing, grouping), group_charts.plane_rows(drawing, grouping)
    points = {(r["capability"], r["confidence"]) for r in marks_of(spec, "point")}
    own = drawing.diagnosis.evidence.query("rater == 'employee' and instrument == 'four-tools'")
    wide = own.pivot_table(index=own["unit"].fillna(""), columns="dimension", values="health").dropna()
    assert points == set(wide[["capa", "conf"]].itertuples(index=False, name=None))
    assert all(row["capability_low"] < row["capability"] < row["capability_high"] for row in rows)


def test_every_unit_of_many_gets_its_own_file(diagnosis: Diagnosis, tmp_path: Path) -> None:
    one = diagnosis.evidence[diagnosis.evidence["unit"] == "Billing and payments"].head(1)
    names = [f"Unit <{number}> 客服 🙂 {'x' * 300}" for number in range(MAXIMUM_UNITS + 2)]
    many = pd.concat([one.assign(unit=name) for name in names], ignore_index=True)
    study = replace(diagnosis, evidence=many, findings=(), withheld=diagnosis.withheld.iloc[:0])
    write_html(study, tmp_path / "a b.html")
    files = sorted(entry.name for entry in (tmp_path / "a b-units").iterdir())
    assert len(files) == len(names) + 1
    page = (tmp_path / "a b.html").read_text(encoding="utf-8")
    assert all(f'href="a%20b-units/{name}"' in page for name in files)
    assert 'href="../a%20b.html"' in (tmp_path / "a b-units" / files[1]).read_text(encoding="utf-8")
    with pytest.raises(FileExistsError):
        write_html(study, tmp_path / "a b.html")
    (tmp_path / "a b-units" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="other files"):
        write_html(study, tmp_path / "a b.html", overwrite=True)
    assert (tmp_path / "a b.html").read_text(encoding="utf-8") == page
    (tmp_path / "a b-units" / "mine.txt").unlink()
    write_html(study, tmp_path / "a b.html", overwrite=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a b-units", "a b.html"]


@pytest.mark.parametrize(("kind", "about"), [("answers", "seven-sins"), ("changes", "2024-2025"), ("index", None),
                                             ("agreement", None), ("segments", None)])  # fmt: skip
def test_every_chart_of_the_page_can_be_had_for_a_notebook(rich: Diagnosis, kind: str, about: str | None) -> None:
    assert type(plot(rich, kind, about=about)).__module__.startswith("altair")


def test_chart_about_what_is_not_there_names_the_choices(rich: Diagnosis) -> None:
    with pytest.raises(ValueError, match="seven-sins"):
        plot(rich, "answers", about="readiness")
    with pytest.raises(ValueError, match="answers"):
        plot(rich, "gaps", about="seven-sins")
