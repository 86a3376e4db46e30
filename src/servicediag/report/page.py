"""The self-contained page for managers: one HTML file, no script, nothing loaded from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from servicediag.diagnosis.model import Diagnosis
from servicediag.files import atomic_path
from servicediag.report import figures, method
from servicediag.report.cells import groupings, units_of
from servicediag.report.charts import Frame
from servicediag.report.labels import Labels, number
from servicediag.report.publication import blank_to_none, printable
from servicediag.report.story import Story, cannot_tell, headline, stories, strengths
from servicediag.report.tables import Table, frame_table, watch_table, without_column, without_empty
from servicediag.report.theme import FONT_STACK, Theme
from servicediag.report.version import package_version

__all__ = ["MAXIMUM_UNITS", "render_page", "write_page"]

MAXIMUM_UNITS = 60
"""Sections of units on one page; the workbook holds all."""
TOP = 5
SIGNS = {"established": "●", "likely": "◆", "watch": "□", "abstained": "–"}
SCORES = ("wave", "instrument", "dimension", "rater", "n", "health", "gap", "gap_low", "gap_high",
          "minimum_detectable_gap", "tier", "severity")  # fmt: skip
ITEMS = ("text", "n", "mean", "ci_low", "ci_high", "health", "scored")
INDICATORS = ("wave", "title", "instrument", "rater", "n", "count", "share", "ci_low", "ci_high")
RELIABILITY = (
    "instrument",
    "form",
    "wave",
    "dimension",
    "n_items",
    "n_respondents",
    "alpha",
    "alpha_low",
    "alpha_high",
    "omega",
    "omega_low",
    "omega_high",
    "mean_inter_item_correlation",
    "sem",
    "note",
)
WITHHELD = ("unit", "instrument", "rater", "dimension", "rule", "by", "wave")
SHARE_KINDS = {"ci_low": "share", "ci_high": "share"}


@dataclass(frozen=True)
class UnitSection:
    """What the page says about one unit."""

    name: str
    stories: tuple[Story, ...]
    scores: Table


def write_page(diagnosis: Diagnosis, path: str | Path, *, language: str, theme: Theme, overwrite: bool) -> Path:
    """Write the page; see :func:`render_page`."""
    page = render_page(diagnosis, language=language, theme=theme)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(page.encode("utf-8"))
    return Path(path)


def render_page(diagnosis: Diagnosis, *, language: str, theme: Theme) -> str:
    """The page as text. Every text from data passes the template's escaping; drawings are made and escaped here."""
    published = printable(diagnosis)
    labels = Labels.of(published, language)
    frame = Frame(published, labels, theme)
    page = {
        **_story_sections(published, labels),
        **_figure_sections(frame),
        **_table_sections(published, labels),
        **_unit_sections(published, labels),
    }
    page["sections"] = _present(page)
    fixed = {"language": language, "theme": theme, "font": FONT_STACK, "signs": SIGNS, "version": package_version(),
             "say": labels.say, "number": number}  # fmt: skip
    return _environment().get_template("page.html.j2").render(**fixed, **page)


def _story_sections(diagnosis: Diagnosis, labels: Labels) -> dict[str, Any]:
    top = diagnosis.top(TOP)
    troubles = diagnosis.top(max(1, len(diagnosis.findings)))
    left_open = cannot_tell(diagnosis, labels)
    return {
        "title": str(diagnosis.study.get("title") or labels.say("title.page")),
        "named": bool(diagnosis.study.get("title")),
        "facts": method.facts(diagnosis, labels),
        "headline": headline(diagnosis, labels),
        "top": stories(top, labels),
        "more": len(troubles) - len(top),
        "strengths": stories(strengths(diagnosis), labels),
        "cannot": left_open,
        "watch_table": watch_table(stories(left_open.watch, labels), labels, labels.say("cannot.watch")),
        "statements": method.statements(diagnosis, labels),
        "references": method.references(diagnosis),
        "glossary": method.glossary(labels),
    }


def _figure_sections(frame: Frame) -> dict[str, Any]:
    return {
        "figure_sections": [
            ("heatmap", figures.heatmap_figures(frame)),
            ("gaps", figures.gap_figures(frame)),
            ("readiness", figures.readiness_figures(frame)),
            ("tools", figures.dumbbell_figures(frame)),
        ]
    }


def _table_sections(diagnosis: Diagnosis, labels: Labels) -> dict[str, Any]:
    indicators = diagnosis.indicators[diagnosis.indicators["unit"].isna()]
    lists, scales = _item_tables(diagnosis, labels)

    def table(frame: Any, names: Sequence[str], caption: str, kinds: Any = None) -> Table:
        return without_empty(frame_table(frame, names, labels, caption=labels.say(caption), kinds=kinds))

    return {
        "item_tables": lists,
        "scale_tables": scales,
        "indicators": table(indicators, INDICATORS, "indicators.table", SHARE_KINDS),
        "reliability": table(diagnosis.reliability, RELIABILITY, "reliability.table"),
        "parts": method.parts_table(diagnosis, labels),
        "thresholds": method.thresholds_table(diagnosis, labels),
        "settings": method.settings_table(diagnosis, labels),
        "withheld": _withheld_table(diagnosis, labels),
        "n_withheld": len(diagnosis.withheld),
    }


def _withheld_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """A row a unit, questionnaire and rule, with the dimensions in one cell."""
    table = frame_table(diagnosis.withheld, WITHHELD, labels, caption=labels.say("withheld_section.table"))
    names = [column.name for column in table.columns]
    at = names.index("dimension")
    found: dict[tuple[Any, ...], list[str]] = {}
    for row in table.rows:
        dimensions = found.setdefault((*row[:at], None, *row[at + 1 :]), [])
        if row[at] is not None and row[at] not in dimensions:
            dimensions.append(row[at])
    rows = [(*key[:at], ", ".join(dimensions) or None, *key[at + 1 :]) for key, dimensions in found.items()]
    return without_empty(replace(table, rows=tuple(rows)))


def _item_tables(diagnosis: Diagnosis, labels: Labels) -> tuple[list[Table], list[Table]]:
    """Items of the whole organisation: tables of lists of provisions, and of scales that have a reliability."""
    reliability = diagnosis.reliability
    trusted = reliability[reliability["alpha"].notna() | reliability["omega"].notna()]
    scales = set(zip(trusted["instrument"], trusted["dimension"], strict=True))
    items = diagnosis.items[diagnosis.items["unit"].isna()]
    lists: list[Table] = []
    others: list[Table] = []
    place = ["instrument", "dimension", "form", "rater", "wave"]
    for key, inside in items.groupby(place, sort=False, dropna=False):
        instrument, dimension, _, rater, wave = (blank_to_none(part) for part in key)
        caption = labels.say(
            "items.table",
            instrument=labels.instrument(instrument),
            rater=labels.value("rater", rater),
            dimension=labels.dimension(instrument, dimension),
        )
        caption = caption if wave is None else f"{caption}, {wave}"
        all_scored = all(blank_to_none(value) is not False for value in inside["scored"])
        names = [name for name in ITEMS if name != "scored" or not all_scored]
        inside = inside.sort_values("health", kind="stable")
        table = without_empty(frame_table(inside, names, labels, caption=caption))
        (others if (instrument, dimension) in scales else lists).append(table)
    return lists, others


def _unit_sections(diagnosis: Diagnosis, labels: Labels) -> dict[str, Any]:
    groups = list(dict.fromkeys(grouping.by for grouping in groupings(diagnosis)))
    places: list[tuple[str | None, str | None]] = [(None, None)]
    places += [(by, unit) for by in groups for unit in units_of(diagnosis, by)]
    rows_of = {
        tuple(blank_to_none(part) for part in key): rows
        for key, rows in diagnosis.evidence.groupby(["by", "unit"], sort=False, dropna=False)
    }
    sections = []
    for by, unit in places[: MAXIMUM_UNITS + 1]:
        name = labels.unit(unit) if by is None or len(groups) < 2 else f"{labels.unit(unit)} ({by})"
        told = stories((f for f in diagnosis.findings if (f.unit and f.by, f.unit) == (by, unit)), labels)
        rows = rows_of.get((by, unit), diagnosis.evidence.iloc[:0])
        table = frame_table(rows, SCORES, labels, caption=labels.say("unit.scores", unit=name))
        sections.append(UnitSection(name, told, without_column(without_empty(_dimension_first(table)), "instrument")))
    cut = labels.say("unit.cut", shown=MAXIMUM_UNITS, all=len(places) - 1) if len(places) - 1 > MAXIMUM_UNITS else ""
    return {"units": sections if len(places) > 1 else [], "units_cut": cut}


def _dimension_first(table: Table) -> Table:
    order = sorted(range(len(table.columns)), key=lambda position: table.columns[position].name != "dimension")
    return Table(table.caption, tuple(table.columns[i] for i in order),
                 tuple(tuple(row[i] for i in order) for row in table.rows))  # fmt: skip


def _present(page: dict[str, Any]) -> list[str]:
    """Identifiers of the sections that the page has, in its order."""
    drawn = [name for name, found in page["figure_sections"] if found]
    optional = {"items": page["item_tables"] or page["scale_tables"], "indicators": page["indicators"],
                "units": page["units"], "reliability": page["reliability"]}  # fmt: skip
    middle = [name for name, content in optional.items() if content]
    return ["summary", "strengths", "cannot_tell", *drawn, *middle, "method", "withheld", "glossary"]


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("servicediag.report", "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # fmt: skip
