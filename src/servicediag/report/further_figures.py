"""Figures of answers, confidence and capability, waves, agreement, groups of respondents, and indexes."""

from __future__ import annotations

from typing import Any

from servicediag.report import charts, group_charts
from servicediag.report.answer_chart import answers
from servicediag.report.answers import Questionnaire, questionnaires
from servicediag.report.cells import Grouping, Panel, groupings
from servicediag.report.charts import Frame
from servicediag.report.figures import Figure, cut_note, make_figure, with_place
from servicediag.report.publication import blank_to_none
from servicediag.report.tables import FRAME_KINDS, Column, Table, columns_of, frame_table, without_column, without_empty

__all__ = ["agreement_figures", "answer_figures", "change_figures", "index_figures", "plane_figures", "segment_figures"]

CHANGE_COLUMNS = ("unit", "dimension", "rater", "first_health", "second_health", "change", "ci_low", "ci_high",
                  "n_first", "n_second", "n_pairs", "design", "tier", "verdict", "instrument", "by")  # fmt: skip
AGREEMENT_COLUMNS = ("unit", "dimension", "rater", "n", "health", "sd", "sd_share_of_maximum", "average_deviation",
                     "rwg_uniform", "rwg_skewed", "verdict", "instrument", "by")  # fmt: skip
SEGMENT_COLUMNS = ("dimension", "category", "n", "health", "mean", "ci_low", "ci_high", "rater", "instrument", "wave")
INDEX_COLUMNS = ("unit", "part", "estimate", "ci_low", "ci_high", "n", "verdict", "by", "wave")
PLANE_COLUMNS = ("number", "unit", "n", "confidence", "confidence_low", "confidence_high", "capability",
                 "capability_low", "capability_high")  # fmt: skip


def answer_figures(frame: Frame) -> list[Figure]:
    """How the whole organisation answered, a figure a questionnaire."""
    figures = []
    for position, questionnaire in enumerate(questionnaires(frame.diagnosis), start=1):
        chart = answers(frame, questionnaire)
        if chart is None:
            continue
        worst = max(questionnaire.bars, key=lambda bar: bar.unfavourable)
        title = _panel_title(frame, questionnaire)
        heading = frame.labels.say("figure.answers.heading", questionnaire=title, item=worst.text,
                                   share=frame.labels.percent(worst.unfavourable))  # fmt: skip
        reading = [frame.labels.say("figure.answers.reading")]
        tables = tuple(_answer_tables(frame, questionnaire, title))
        figures.append(make_figure(frame, f"answers-{position}", chart, heading, reading, tables))
    return figures


def plane_figures(frame: Frame) -> list[Figure]:
    """Confidence beside capability for every grouping, at each wave that has both."""
    figures = []
    for position, grouping in enumerate(groupings(frame.diagnosis), start=1):
        chart = group_charts.plane(frame, grouping)
        if chart is None:
            continue
        rows = group_charts.plane_rows(frame, grouping)
        columns = columns_of(PLANE_COLUMNS, frame.labels, dict.fromkeys(PLANE_COLUMNS[3:], "points"))
        values = [{**row, "unit": frame.labels.unit(row["unit"])} for row in rows]
        caption = frame.labels.say("figure.plane.table")
        table = Table(caption, columns, tuple(tuple(row[column.name] for column in columns) for row in values))
        heading = with_place(frame, grouping, _plane_heading(frame, grouping, rows))
        reading = [frame.labels.say("figure.plane.reading"), *cut_note(frame, len(rows) - 1)]
        figures.append(make_figure(frame, f"plane-{position}", chart, heading, reading, (table,)))
    return figures


def change_figures(frame: Frame) -> list[Figure]:
    """What changed between two waves."""
    figures = []
    for position, (first, second) in enumerate(group_charts.wave_pairs(frame.diagnosis), start=1):
        chart = group_charts.changes(frame, first, second)
        if chart is None:
            continue
        every = frame.diagnosis.changes
        inside = every[(every["first_wave"] == first) & (every["second_wave"] == second)]
        sure = inside[inside["tier"].isin(["established", "likely"])]
        counts = {verdict: int((sure["verdict"] == verdict).sum()) for verdict in ("declined", "improved")}
        heading = frame.labels.say("figure.changes.heading", first=first, second=second, **counts)
        if len(sure):
            largest = sure.iloc[int(sure["change"].abs().to_numpy(float).argmax())]
            heading += " " + frame.labels.say(
                "figure.changes.largest", unit=frame.labels.within(blank_to_none(largest["unit"])),
                dimension=frame.labels.dimension(largest["instrument"], largest["dimension"]),
                change=frame.labels.signed(largest["change"]))  # fmt: skip
        smallest = frame.labels.number(charts.smallest_gap(frame.diagnosis), 0)
        rows = group_charts.change_rows(frame, first, second)
        cut = cut_note(frame, len(rows), group_charts.MOST_CHANGES)
        reading = [frame.labels.say("figure.changes.reading", gap=smallest), *cut]
        caption = frame.labels.say("figure.changes.table", first=first, second=second)
        ordered = inside.loc[[*rows.index, *inside.index.difference(rows.index, sort=False)]]
        table = _told(frame, ordered, "changes", CHANGE_COLUMNS, caption)
        figures.append(make_figure(frame, f"changes-{position}", chart, heading, reading, (table,)))
    return figures


def agreement_figures(frame: Frame) -> list[Figure]:
    """How far the people of each unit agree."""
    figures = []
    table = frame.diagnosis.agreement
    for position, grouping in enumerate(groupings(frame.diagnosis), start=1):
        chart = charts.agreement(frame, grouping)
        if chart is None:
            continue
        inside = table[(table["by"] == grouping.by) | table["unit"].isna()]
        inside = inside[inside["wave"].isna() if grouping.wave is None else inside["wave"] == grouping.wave]
        widest = inside.iloc[int(inside["sd"].fillna(-1.0).to_numpy(float).argmax())]
        heading = frame.labels.say(
            "figure.agreement.heading",
            unit=frame.labels.within(blank_to_none(widest["unit"])),
            dimension=frame.labels.dimension(widest["instrument"], widest["dimension"]),
            sd=frame.labels.number(widest["sd"], 0),
        )
        tables = (_told(frame, inside, "agreement", AGREEMENT_COLUMNS, frame.labels.say("figure.agreement.table")),)
        reading = [frame.labels.say("figure.agreement.reading"), *cut_note(frame, inside["unit"].nunique())]
        figures.append(make_figure(frame, f"agreement-{position}", chart, with_place(frame, grouping, heading),
                                   reading, tables))  # fmt: skip
    return figures


def segment_figures(frame: Frame) -> list[Figure]:
    """Levels by each background field, for the whole organisation."""
    figures = []
    labels, table = frame.labels, frame.diagnosis.segments
    for position, background in enumerate(group_charts.backgrounds(frame.diagnosis), start=1):
        chart = group_charts.segments(frame, background)
        if chart is None:
            continue
        rows = group_charts.segment_rows(frame, background)
        row, levels = rows[0]
        ends = [choose(levels, key=lambda level: level["health"]) for choose in (min, max)]
        low, high = (
            f"{labels.category(background, end['category'])} {labels.number(end['health'], 0)}" for end in ends
        )
        heading = labels.say("figure.segments.heading", background=labels.background(background), low=low, high=high,
                             dimension=labels.dimension(row["instrument"], row["dimension"]))  # fmt: skip
        inside = table[(table["background"] == background) & table["unit"].isna()]
        caption = labels.say("figure.segments.table", background=labels.background(background))
        reading = [labels.say("figure.segments.reading"), *cut_note(frame, len(rows))]
        tables = (_told(frame, inside, "segments", SEGMENT_COLUMNS, caption),)
        figures.append(make_figure(frame, f"segments-{position}", chart, heading, reading, tables))
    return figures


def index_figures(frame: Frame) -> list[Figure]:
    """The indexes that have a drawing, in a fixed order."""
    figures = []
    labels, table = frame.labels, frame.diagnosis.indexes
    for name in group_charts.INDEXES:
        chart = group_charts.index(frame, name)
        if chart is None:
            continue
        rows = group_charts.index_rows(frame, name)
        title = labels.say(f"index.{name}.title")
        inside = table[table["index"] == name]
        tables = (_told(frame, inside, "indexes", INDEX_COLUMNS, title),)
        reading = [labels.say(f"index.{name}.reading"), *cut_note(frame, len(rows))]
        heading = labels.say("figure.index.heading", title=title, told=_index_told(frame, name, rows, inside))
        figures.append(make_figure(frame, f"index-{name.replace('_', '-')}", chart, heading, reading, tables))
    return figures


def _told(frame: Frame, rows: Any, name: str, columns: tuple[str, ...], caption: str) -> Table:
    table = frame_table(rows, columns, frame.labels, caption=caption, kinds=FRAME_KINDS.get(name))
    for column in ("instrument", "by", "wave"):
        table = without_column(table, column)
    return without_empty(table)


def _panel_title(frame: Frame, questionnaire: Questionnaire) -> str:
    panel = Panel(questionnaire.instrument, questionnaire.form, questionnaire.rater, ())
    title = charts.panel_title(frame, panel)
    return title if questionnaire.wave is None else frame.labels.clauses((title, questionnaire.wave))


def _answer_tables(frame: Frame, questionnaire: Questionnaire, title: str) -> list[Table]:
    """One table for each response scale, its answers as columns."""
    tables = []
    for position, block in enumerate(questionnaire.blocks, start=1):
        columns = (
            *columns_of(("text", "dimension", "n"), frame.labels),
            *(Column(f"option_{number}", option, "share") for number, option in enumerate(block.options, start=1)),
        )
        rows = tuple(
            (bar.text, frame.labels.dimension(questionnaire.instrument, bar.dimension), bar.n, *bar.shares)
            for bar in block.bars
        )
        caption = frame.labels.say("figure.answers.table", questionnaire=title)
        caption = caption if len(questionnaire.blocks) == 1 else frame.labels.aside(caption, str(position))
        tables.append(Table(caption, columns, rows))
    return tables


def _plane_heading(frame: Frame, grouping: Grouping, rows: list[dict[str, Any]]) -> str:
    """The shares of the whole organisation where they are published, else its two levels."""
    table = frame.diagnosis.indicators
    whole = table[table["unit"].isna()]
    whole = whole[whole["wave"].isna() if grouping.wave is None else whole["wave"] == grouping.wave]
    shares = dict(zip(whole["indicator"], whole["share"], strict=True))
    if {"quadrant_over_confident", "quadrant_unequipped"} <= set(shares):
        return frame.labels.say("figure.plane.heading", over=frame.labels.percent(shares["quadrant_over_confident"]),
                                unequipped=frame.labels.percent(shares["quadrant_unequipped"]))  # fmt: skip
    confidence, capability = (frame.labels.number(rows[0][name], 0) for name in ("confidence", "capability"))
    unit = frame.labels.within(rows[0]["unit"])
    return frame.labels.say("figure.plane.levels", unit=unit, confidence=confidence, capability=capability)


def _index_told(frame: Frame, name: str, rows: list[dict[str, Any]], inside: Any) -> str:
    """Value and verdict of the whole organisation, part by part; where it has none, of the first unit."""
    labels, unit = frame.labels, rows[0]["unit"]
    told = []
    for row in rows:
        if row["unit"] == unit:
            value = group_charts.index_text(frame.labels, name, row["estimate"])
            verdict = "" if row["verdict"] is None else labels.aside("", labels.value("verdict", row["verdict"]))
            part = f"{frame.labels.part(name, row['part'])} " if len(rows) > 1 or row["part"] else ""
            told.append(f"{part}{value}{verdict}")
    summed = inside[inside["estimate"].isna() & inside["verdict"].notna()]
    summed = summed[summed["unit"].isna() if unit is None else summed["unit"] == unit]
    told += [frame.labels.value("verdict", verdict) for verdict in summed["verdict"]]
    return frame.labels.colon(frame.labels.within(unit), frame.labels.joined("list", told))
