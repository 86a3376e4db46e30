"""The tables of the workbook, sheet by sheet, with numbers as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from servicediag.diagnosis.model import Cause, Diagnosis, Finding
from servicediag.report import method
from servicediag.report.answers import answer_rows
from servicediag.report.comments import comment_themes_table, comments_table
from servicediag.report.labels import Labels
from servicediag.report.publication import blank_to_none
from servicediag.report.story import reason_text, stories
from servicediag.report.tables import (
    FRAME_KINDS,
    Column,
    Table,
    all_columns,
    columns_of,
    frame_table,
    without_empty,
)
from servicediag.results import COLUMN_GLOSSARY
from servicediag.wording.catalogue import has_text, text

__all__ = ["causes_table", "dictionary_table", "findings_table", "frame_sheets", "method_tables"]

# what a reader wants first comes first; PRINTED says how many of the columns go on paper
EVIDENCE = (
    "unit",
    "title",
    "rater",
    "n",
    "health",
    "gap",
    "gap_low",
    "gap_high",
    "tier",
    "severity",
    "direction",
    "mean",
    "ci_low",
    "ci_high",
    "sd",
    "shrunk_gap",
    "q_value",
    "q_minimum_effect",
    "minimum_detectable_gap",
    "by",
    "wave",
    "instrument",
    "form",
    "dimension",
    "direction_of_scale",
)
ITEMS = (
    "unit",
    "text",
    "n",
    "health",
    "mean",
    "ci_low",
    "ci_high",
    "scored",
    "dimension",
    "instrument",
    "rater",
    "form",
    "by",
    "wave",
    "item",
)
INDICATORS = ("unit", "title", "n", "count", "share", "ci_low", "ci_high", "instrument", "rater", "form", "by", "wave",
              "indicator")  # fmt: skip
READINESS = (
    "unit",
    "n",
    "know",
    "want",
    "can",
    "p_lowest_know",
    "p_lowest_want",
    "p_lowest_can",
    "bottleneck",
    "verdict",
    "by",
    "wave",
)
RELIABILITY = (
    "dimension",
    "instrument",
    "form",
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
    "wave",
)
WAVES = ("unit", "dimension", "rater", "first_wave", "second_wave", "first_health", "second_health", "change", "ci_low",
         "ci_high", "tier", "verdict", "n_first", "n_second", "n_pairs", "design", "standardized_response_mean",
         "q_value", "instrument", "form", "by")  # fmt: skip
COMPARISONS = ("unit", "dimension", "item", "inner_rater", "outer_rater", "inner_health", "outer_health", "difference",
               "ci_low", "ci_high", "tier", "verdict", "pattern", "inner_n", "outer_n", "superiority",
               "superiority_low", "superiority_high", "superiority_p", "ci_low_90", "ci_high_90", "q_value",
               "instrument", "inner_form", "outer_form", "by", "wave")  # fmt: skip
AGREEMENT = ("unit", "dimension", "rater", "n", "health", "sd", "sd_share_of_maximum", "average_deviation",
             "rwg_uniform", "rwg_skewed", "verdict", "instrument", "form", "by", "wave")  # fmt: skip
SEGMENTS = ("unit", "dimension", "background", "category", "n", "health", "mean", "ci_low", "ci_high", "rater",
            "instrument", "form", "by", "wave")  # fmt: skip
INDEXES = ("unit", "index", "part", "estimate", "ci_low", "ci_high", "n", "verdict", "by", "wave")
OPERATIONS = ("unit", "indicator", "value", "cases", "other_units", "verdict", "target", "target_verdict", "by", "wave")
NOT_MEASURED = ("gap", "what", "code", "settled_by")
ANSWERS = ("unit", "text", "n", "options")
ANSWER_PLACE = ("dimension", "instrument", "rater", "form", "by", "wave", "item")
MOST_ANSWERS = 10_000
"""Rows of the sheet of answers; with more it holds the whole organisation only."""
WITHHELD = ("unit", "dimension", "instrument", "rater", "rule", "by", "wave", "form")
FINDINGS = ("number", "title", "estimate", "estimate_low", "estimate_high", "estimate_unit", "n", "tier", "severity",
            "consistent", "first_action", "unit", "dimension", "rater", "comparator", "explanation", "against",
            "untested", "open", "direction", "kind", "instrument", "item", "by", "wave", "shrunk",
            "minimum_detectable_gap", "q_value", "q_minimum_effect", "tier_without_item", "rests_on", "stability",
            "id")  # fmt: skip
CAUSES = (
    "number",
    "finding",
    "cause",
    "status",
    "confirming",
    "refuting",
    "undetermined",
    "untested",
    "actions",
    "unit",
    "rule",
    "side",
    "evidence_tag",
    "action_codes",
    "shortfall",
)
PRINTED = {"findings": 11, "causes": 9, "scales": 11, "items": 9, "indicators": 9, "readiness": 10, "reliability": 14,
           "waves": 12, "comparisons": 13, "agreement": 11, "segments": 10, "indexes": 8, "answers": 9,
           "comments": 4, "comment_themes": 7}  # fmt: skip
_NUMBERS = {"number": "count", "estimate": "points", "estimate_low": "points", "estimate_high": "points",
            "shrunk": "signed", "stability": "share"}  # fmt: skip


def frame_sheets(diagnosis: Diagnosis, labels: Labels) -> dict[str, Table]:
    """A sheet a table of the diagnosis, with every column of it."""

    def sheet(name: str, first: tuple[str, ...], frame: Any = None, **options: Any) -> Table:
        frame = getattr(diagnosis, name) if frame is None else frame
        kinds = FRAME_KINDS.get(name)
        table = frame_table(frame, all_columns(frame, first), labels, kinds=kinds, **options)
        return without_empty(table, keep=first)

    return {
        "scales": sheet("evidence", EVIDENCE, raw=("dimension",)),
        "items": sheet("items", ITEMS),
        "answers": answers_table(diagnosis, labels),
        "indicators": sheet("indicators", INDICATORS),
        "readiness": sheet("readiness", READINESS),
        "waves": sheet("changes", WAVES, _whole_first(diagnosis.changes)),
        "comparisons": sheet("comparisons", COMPARISONS, _with_patterns(diagnosis)),
        "agreement": sheet("agreement", AGREEMENT),
        "segments": sheet("segments", SEGMENTS),
        "indexes": sheet("indexes", INDEXES),
        "operations": sheet("operations", OPERATIONS),
        "comments": comments_table(diagnosis, labels),
        "comment_themes": comment_themes_table(diagnosis, labels),
        "quality": method.quality_table(diagnosis, labels),
        "not_measured": sheet("not_measured", NOT_MEASURED),
        "reliability": sheet("reliability", RELIABILITY),
        "withheld": sheet("withheld", WITHHELD),
    }


def answers_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """A row a unit and question with the shares of its answers, the whole organisation first."""
    records = list(answer_rows(_whole_first(diagnosis.answers)))
    caption = labels.say("sheet.answers.title")
    if len(records) > MOST_ANSWERS:
        records = [record for record in records if record["unit"] is None]
        caption = labels.say("workbook.answers_whole")
    shares = sorted({name for record in records for name in record if name.startswith("share_")},
                    key=lambda name: int(name.removeprefix("share_")))  # fmt: skip
    texts = dict(zip(zip(diagnosis.items["form"], diagnosis.items["item"], strict=True), diagnosis.items["text"],
                     strict=True))  # fmt: skip
    columns = (
        *columns_of(ANSWERS, labels),
        *(Column(name, labels.say("workbook.answer", code=name.removeprefix("share_")), "share") for name in shares),
        *columns_of(ANSWER_PLACE, labels),
    )
    rows = []
    for record in records:
        told = {
            **record, "unit": labels.unit(record["unit"]), "text": texts.get((record["form"], record["item"])),
            "dimension": labels.dimension(record["instrument"], record["dimension"]),
            "instrument": labels.instrument(record["instrument"]), "rater": labels.value("rater", record["rater"]),
        }  # fmt: skip
        rows.append(tuple(_filled(blank_to_none(told.get(column.name))) for column in columns))
    return without_empty(Table(caption, columns, tuple(rows)), keep=ANSWERS)


def _whole_first(frame: pd.DataFrame) -> pd.DataFrame:
    whole = frame["unit"].isna()
    return pd.concat([frame[whole], frame[~whole]])


def _with_patterns(diagnosis: Diagnosis) -> pd.DataFrame:
    """Comparisons with the named pattern beside each dimension that has one."""
    keys = ["by", "unit", "wave", "instrument", "dimension"]

    def places(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
        return [tuple(blank_to_none(part) for part in row) for row in frame[keys].itertuples(index=False, name=None)]

    named = dict(zip(places(diagnosis.patterns), diagnosis.patterns["pattern"], strict=True))
    table = diagnosis.comparisons
    patterns = [named.get(place) if blank_to_none(item) is None else None
                for place, item in zip(places(table), table["item"], strict=True)]  # fmt: skip
    return table.assign(pattern=pd.Series(patterns, index=table.index, dtype=object))


def findings_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """A row a finding, in the order of importance."""
    columns = columns_of(FINDINGS, labels, _NUMBERS)
    rows = []
    for number, story in enumerate(stories(diagnosis.findings, labels), start=1):
        finding = story.finding
        values = {
            **_identity(finding, labels), "number": number, "title": story.title, "n": finding.n, "id": finding.id,
            "estimate": finding.estimate, "estimate_low": finding.ci_low, "estimate_high": finding.ci_high,
            "estimate_unit": "" if finding.estimate is None else labels.say(f"workbook.unit_{finding.metric}"),
            "comparator": finding.comparator,
            "tier": story.tier_label, "severity": story.severity_label,
            "direction": labels.value("direction", finding.direction), "shrunk": finding.shrunk,
            "minimum_detectable_gap": finding.minimum_detectable_gap, "q_value": finding.q_value,
            "q_minimum_effect": finding.q_minimum_effect, "rests_on": finding.rests_on,
            "tier_without_item": labels.value("tier", finding.tier_without_item), "stability": finding.stability,
            "consistent": _lines(r.cause for r in story.consistent),
            "against": _lines(reason_text(one, labels) for one in story.against),
            "untested": _lines(dict.fromkeys(r.cause for r in story.untested)),
            "first_action": story.first_action, "open": _lines(story.open), "explanation": finding.text,
        }  # fmt: skip
        rows.append(tuple(_filled(values[column.name]) for column in columns))
    return Table(labels.say("sheet.findings.title"), columns, tuple(rows))


def causes_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """A row a finding and candidate cause; a finding without causes has one row if it proposes actions."""
    columns = columns_of(CAUSES, labels, _NUMBERS)
    rows = []
    for number, finding in enumerate(diagnosis.findings, start=1):
        start = {"number": number, "finding": finding.title or labels.place(finding), "unit": labels.unit(finding.unit)}
        entries = [_cause(cause, labels) for cause in finding.causes]
        if not entries and finding.actions:
            entries = [{"actions": _lines(finding.actions)}]
        rows += [tuple(_filled({**start, **entry}.get(column.name)) for column in columns) for entry in entries]
    return Table(labels.say("sheet.causes.title"), columns, tuple(rows))


def method_tables(diagnosis: Diagnosis, labels: Labels) -> list[Table]:
    """What the method sheet holds, one block below the other."""

    def listed(key: str, entries: list[str]) -> Table:
        column = Column("text", labels.say(key), "text")
        return Table(labels.say(key), (column,), tuple((entry,) for entry in entries))

    blocks = [
        listed("method.statements", method.statements(diagnosis, labels)),
        method.parts_table(diagnosis, labels),
        method.thresholds_table(diagnosis, labels),
        method.settings_table(diagnosis, labels),
        listed("method.references", method.references(diagnosis)),
        Table(labels.say("section.glossary"), (Column("name", labels.column("term"), "text"),
              Column("meaning", labels.column("meaning"), "text")), tuple(method.glossary(labels))),
    ]  # fmt: skip
    return [block for block in blocks if block]


def dictionary_table(sheets: Mapping[str, Table], labels: Labels) -> Table:
    """Every column of every sheet: heading, name in the JSON file, what it counts, and what it means."""
    columns = columns_of(("heading", "name", "counts", "meaning", "sheet"), labels)
    where: dict[Column, list[str]] = {}
    for key, table in sheets.items():
        for column in table.columns:
            where.setdefault(column, []).append(labels.say(f"sheet.{key}.title"))
    rows = [
        (
            column.label,
            column.name,
            labels.say(f"counts.{column.kind}"),
            _meaning(column.name, labels),
            labels.joined("names", titles),
        )
        for column, titles in where.items()
    ]
    return Table(labels.say("sheet.dictionary.title"), columns, tuple(rows))


def _identity(finding: Finding, labels: Labels) -> dict[str, Any]:
    return {
        "unit": labels.unit(finding.unit), "by": finding.by, "wave": finding.wave, "item": finding.item,
        "dimension": labels.dimension(finding.instrument, finding.dimension),
        "instrument": labels.instrument(finding.instrument), "rater": labels.value("rater", finding.rater),
        "kind": labels.value("kind", finding.kind),
    }  # fmt: skip


def _cause(cause: Cause, labels: Labels) -> dict[str, Any]:
    return {
        "cause": cause.cause, "status": labels.value("status", cause.status), "rule": cause.rule,
        "confirming": _lines(cause.confirming), "refuting": _lines(cause.refuting),
        "undetermined": _lines(cause.undetermined), "untested": _lines(cause.untested),
        "actions": _lines(cause.actions), "action_codes": _lines(cause.action_codes),
        "side": labels.value("side", cause.side), "evidence_tag": labels.value("evidence_tag", cause.evidence_tag),
        "shortfall": cause.shortfall,
    }  # fmt: skip


def _lines(entries: Iterable[str]) -> str:
    return "\n".join(entries)


def _filled(value: Any) -> Any:
    return None if value == "" else value


def _meaning(name: str, labels: Labels) -> str:
    key = f"report.meaning.{'answer' if name.startswith('share_') else name}"
    return text(key, labels.language) if has_text(key, labels.language) else COLUMN_GLOSSARY.get(name, "")
