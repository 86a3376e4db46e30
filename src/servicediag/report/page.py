"""The self-contained page for managers: one HTML file, no script, nothing loaded from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.report import figures, further_figures, method
from servicediag.report.cells import groupings, units_of
from servicediag.report.charts import Frame
from servicediag.report.comments import comment_questions
from servicediag.report.labels import Labels
from servicediag.report.publication import blank_to_none, printable
from servicediag.report.story import Story, brief, cannot_tell, stories, strengths, told_open
from servicediag.report.tables import (
    FRAME_KINDS,
    Table,
    frame_table,
    limited,
    watch_table,
    without_column,
    without_empty,
)
from servicediag.report.theme import Theme, font_stack
from servicediag.report.unit_files import file_names, folder_of, write_with_folder
from servicediag.report.version import package_version
from servicediag.wording.telling import capitalised

__all__ = ["MAXIMUM_UNITS", "render_page", "write_page"]

MAXIMUM_UNITS = 60
"""Sections of units on one page; with more, each unit gets a file of its own."""
TOP, OPEN_QUESTIONS, MOST_STRENGTHS = 5, 5, 10
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
NOT_MEASURED = ("gap", "what", "code", "settled_by")
INDEXES = ("index", "unit", "part", "estimate", "ci_low", "ci_high", "n", "verdict", "wave")
OPERATIONS = ("indicator", "unit", "value", "cases", "other_units", "verdict", "target", "target_verdict", "by", "wave")


@dataclass(frozen=True)
class UnitSection:
    """What the page says about one unit."""

    name: str
    stories: tuple[Story, ...]
    scores: Table
    troubles: int


def write_page(diagnosis: Diagnosis, path: str | Path, *, language: str | None, theme: Theme, overwrite: bool) -> Path:
    """Write the page; see :func:`render_page`. Many units get a file each in the folder ``<name>-units`` beside it."""
    path = Path(path)
    frame = _frame_of(diagnosis, language, theme)
    sections = _unit_sections(frame)
    if len(sections) <= MAXIMUM_UNITS + 1:
        write_with_folder(path, _page(frame, sections), {}, overwrite=overwrite)
        return path
    names = file_names(unit.name for unit in sections)
    folder = folder_of(path).name
    links = [(f"{quote(folder)}/{name}", unit) for name, unit in zip(names, sections, strict=True)]
    files = {name: _unit_page(frame, unit, path.name) for name, unit in zip(names, sections, strict=True)}
    page = _page(frame, [], unit_links=links, unit_folder=folder)
    write_with_folder(path, page, files, overwrite=overwrite)
    return path


def render_page(diagnosis: Diagnosis, *, language: str | None, theme: Theme) -> str:
    """The page as one text, with at most ``MAXIMUM_UNITS`` units told.

    Every text from data passes the template's escaping; drawings are made and escaped here.
    """
    frame = _frame_of(diagnosis, language, theme)
    sections = _unit_sections(frame)
    told, units = sections[: MAXIMUM_UNITS + 1], len(sections) - 1
    cut = frame.labels.say("unit.cut", shown=MAXIMUM_UNITS, all=units) if units > MAXIMUM_UNITS else ""
    return _page(frame, told, units_cut=cut)


def _frame_of(diagnosis: Diagnosis, language: str | None, theme: Theme) -> Frame:
    published = printable(diagnosis, language)
    return Frame(published, Labels.of(published), theme)


def _page(frame: Frame, units: Sequence[UnitSection], **links: Any) -> str:
    page = {
        **_story_sections(frame.diagnosis, frame.labels),
        **_figure_sections(frame),
        **_table_sections(frame.diagnosis, frame.labels),
        "units": units, "units_cut": "", "unit_links": (), "unit_folder": "", **links,
    }  # fmt: skip
    page["sections"] = _present(page)
    return _environment().get_template("page.html.j2").render(**_fixed(frame), **page)


def _unit_page(frame: Frame, unit: UnitSection, page: str) -> str:
    title = str(frame.diagnosis.study.get("title") or frame.labels.say("title.page"))
    template = _environment().get_template("unit.html.j2")
    return template.render(**_fixed(frame), title=title, unit=unit, back=f"../{quote(page)}")


def _fixed(frame: Frame) -> dict[str, Any]:
    language = frame.labels.language
    return {"language": language, "theme": frame.theme, "font": font_stack(language), "signs": SIGNS,
            "version": package_version(), "mark": frame.labels.marks(), "say": frame.labels.say,
            "number": frame.labels.number,
            "sentences": lambda *parts: frame.labels.joined("sentences", parts)}  # fmt: skip


def _story_sections(diagnosis: Diagnosis, labels: Labels) -> dict[str, Any]:
    short = brief(diagnosis, labels, TOP)
    troubles = diagnosis.top(max(1, len(diagnosis.findings)))
    left_open = cannot_tell(diagnosis, labels)
    return {
        "title": str(diagnosis.study.get("title") or labels.say("title.page")),
        "named": bool(diagnosis.study.get("title")),
        "facts": method.facts(diagnosis, labels),
        "brief": short,
        "brief_open": [told_open(*question, labels) for question in short.open[:OPEN_QUESTIONS]],
        "open_shown": OPEN_QUESTIONS,
        "top": short.troubles,
        "more": len(troubles) - len(short.troubles),
        "strengths": stories(strengths(diagnosis), labels),
        "most_strengths": MOST_STRENGTHS,
        "cannot": left_open,
        "open_questions": _by_sentence(left_open.abstentions),
        "watch_table": limited(
            watch_table(stories(left_open.watch, labels), labels, labels.say("cannot.watch")), labels
        ),
        "not_measured": _capitalised(_frame(diagnosis, labels, "not_measured", NOT_MEASURED, "cannot.not_measured")),
        "statements": method.statements(diagnosis, labels),
        "references": method.references(diagnosis),
        "glossary": method.glossary(labels),
    }


def _by_sentence(abstentions: Sequence[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Each sentence once, with the findings that it is about."""
    found: dict[str, list[str]] = {}
    for what, sentence in abstentions:
        found.setdefault(sentence, []).append(what)
    return list(found.items())


def _figure_sections(frame: Frame) -> dict[str, Any]:
    return {
        "figure_sections": [
            ("heatmap", figures.heatmap_figures(frame)),
            ("gaps", figures.gap_figures(frame)),
            ("answers", further_figures.answer_figures(frame)),
            ("readiness", figures.readiness_figures(frame)),
            ("plane", further_figures.plane_figures(frame)),
            ("tools", figures.dumbbell_figures(frame)),
            ("changes", further_figures.change_figures(frame)),
            ("agreement", further_figures.agreement_figures(frame)),
            ("segments", further_figures.segment_figures(frame)),
            ("indexes", further_figures.index_figures(frame)),
        ],
        "folded": ("answers",),
    }


def _table_sections(diagnosis: Diagnosis, labels: Labels) -> dict[str, Any]:
    whole = replace(diagnosis, indicators=diagnosis.indicators[diagnosis.indicators["unit"].isna()])
    lists, scales = _item_tables(diagnosis, labels)

    return {
        "item_tables": lists,
        "scale_tables": scales,
        "indicators": _frame(whole, labels, "indicators", INDICATORS, "indicators.table"),
        "all_indexes": _frame(diagnosis, labels, "indexes", INDEXES, "index.other.heading"),
        "operations": _frame(diagnosis, labels, "operations", OPERATIONS, "method.operations"),
        "comment_questions": comment_questions(diagnosis, labels),
        "reliability": _frame(diagnosis, labels, "reliability", RELIABILITY, "reliability.table"),
        "parts": method.parts_table(diagnosis, labels),
        "thresholds": method.thresholds_table(diagnosis, labels),
        "settings": method.settings_table(diagnosis, labels),
        "withheld": _withheld_table(diagnosis, labels),
        "n_withheld": len(diagnosis.withheld),
    }


def _frame(diagnosis: Diagnosis, labels: Labels, name: str, columns: Sequence[str], caption: str) -> Table:
    """One table of the diagnosis under its caption, without columns that hold nothing."""
    frame = getattr(diagnosis, name)
    table = frame_table(frame, columns, labels, caption=labels.say(caption), kinds=FRAME_KINDS.get(name))
    return limited(without_empty(table), labels)


def _capitalised(table: Table) -> Table:
    """Every text with a capital at its beginning, as what stands alone in a cell is written."""
    rows = (tuple(capitalised(v) if isinstance(v, str) else v for v in row) for row in table.rows)
    return replace(table, rows=tuple(rows))


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
    rows = [
        (*key[:at], labels.joined("names", dimensions) or None, *key[at + 1 :]) for key, dimensions in found.items()
    ]
    return limited(without_empty(replace(table, rows=tuple(rows))), labels)


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
        caption = caption if wave is None else labels.clauses((caption, wave))
        all_scored = all(blank_to_none(value) is not False for value in inside["scored"])
        names = [name for name in ITEMS if name != "scored" or not all_scored]
        inside = inside.sort_values("health", kind="stable")
        table = without_empty(frame_table(inside, names, labels, caption=caption))
        (others if (instrument, dimension) in scales else lists).append(table)
    return lists, others


def _unit_sections(frame: Frame) -> list[UnitSection]:
    """The whole organisation and every unit; empty where there is no unit."""
    diagnosis, labels = frame.diagnosis, frame.labels
    groups = list(dict.fromkeys(grouping.by for grouping in groupings(diagnosis)))
    places: list[tuple[str | None, str | None]] = [(None, None)]
    places += [(by, unit) for by in groups for unit in units_of(diagnosis, by)]
    rows_of = {
        tuple(blank_to_none(part) for part in key): rows
        for key, rows in diagnosis.evidence.groupby(["by", "unit"], sort=False, dropna=False)
    }
    findings_of: dict[tuple[str | None, str | None], list[Finding]] = {}
    for finding in diagnosis.findings:
        findings_of.setdefault((finding.by if finding.unit else None, finding.unit), []).append(finding)
    sections = []
    for by, unit in places:
        name = labels.unit(unit)
        if by is not None and len(groups) > 1:
            name = labels.aside(name, labels.value("by", by))
        found = findings_of.get((by, unit), [])
        rows = rows_of.get((by, unit), diagnosis.evidence.iloc[:0])
        table = frame_table(rows, SCORES, labels, caption=labels.say("unit.scores", unit=name))
        scores = without_column(without_empty(_dimension_first(table)), "instrument")
        troubles = sum(finding.is_trouble for finding in found)
        sections.append(UnitSection(name, stories(found, labels), scores, troubles))
    return sections if len(places) > 1 else []


def _dimension_first(table: Table) -> Table:
    order = sorted(range(len(table.columns)), key=lambda position: table.columns[position].name != "dimension")
    return Table(table.caption, tuple(table.columns[i] for i in order),
                 tuple(tuple(row[i] for i in order) for row in table.rows))  # fmt: skip


def _present(page: dict[str, Any]) -> list[str]:
    """Identifiers of the sections that the page has, in its order."""
    drawn = [name for name, found in page["figure_sections"] if found or (name == "indexes" and page["all_indexes"])]
    optional = {
        "items": page["item_tables"] or page["scale_tables"],
        "indicators": page["indicators"],
        "operations": page["operations"],
        "comments": page["comment_questions"],
        "units": page["units"] or page["unit_links"],
        "reliability": page["reliability"],
    }
    middle = [name for name, content in optional.items() if content]
    return ["summary", "findings", "strengths", "cannot_tell", *drawn, *middle, "method", "withheld", "glossary"]


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("servicediag.report", "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # fmt: skip
