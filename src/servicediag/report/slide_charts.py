"""The charts and the heatmap that slides may hold, from the published tables alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from servicediag.report.answers import turned_items
from servicediag.report.cells import Cells, Grouping, Panel, groupings, panels, units_of
from servicediag.report.charts import STATES, TIER_SHAPES, smallest_gap
from servicediag.report.plain_text import distinct, shorten
from servicediag.report.publication import blank_to_none
from servicediag.report.slide_content import Chart, Grid, Role, Series, Shade, Slide, Writer
from servicediag.wording.numbers import cell_formats

__all__ = ["chart_slides"]

MAXIMUM_ROWS = 14
"""Bars of one chart, so that the names can be read from the back of a room."""
_ROLES: tuple[Role, ...] = ("muted", "primary", "accent")
_TIER_ROLES: tuple[Role, ...] = ("primary", "accent", "muted")
_GROUPS = 8
"""Groups of bars, for the same reason."""
_HEAT_COLUMNS, _CATEGORY = 9, 44


def chart_slides(writer: Writer, most: int) -> list[Slide]:
    """At most so many slides with a figure, the most telling kinds first, in the order of the story."""
    makers: tuple[Callable[[Writer], Slide | None], ...] = (_gaps, _heatmap, _readiness, _changes, _two_sides, _answers,
                                                            _levels)  # fmt: skip
    return [slide for slide in (make(writer) for make in makers) if slide is not None][:most]


def _gaps(writer: Writer) -> Slide | None:
    labels, evidence = writer.frame.labels, writer.frame.diagnosis.evidence
    known = evidence[evidence["tier"].isin(TIER_SHAPES) & evidence["gap"].notna() & evidence["unit"].notna()]
    if known.empty:
        return None
    order = known.assign(rank=known["tier"].map(list(TIER_SHAPES).index), size=-known["gap"].abs())
    chosen = order.sort_values(["rank", "size"], kind="stable").head(MAXIMUM_ROWS).sort_values("gap", kind="stable")
    rows = _records(chosen)
    series = [
        _tier_series(labels.value("tier", tier), rows, tier, position)
        for position, tier in enumerate(TIER_SHAPES) if any(row["tier"] == tier for row in rows)
    ]  # fmt: skip
    counts = {tier: int((known["tier"] == tier).sum()) for tier in TIER_SHAPES}
    worst = rows[0]
    title = writer.say("gaps.title", established=counts["established"], likely=counts["likely"],
                       gap=labels.signed(worst["gap"]),
                       unit=labels.within(worst["unit"]), dimension=_dimension(writer, worst))  # fmt: skip
    ends = [value for row in rows for value in (row["gap_low"], row["gap_high"], row["gap"]) if value is not None]
    reach = 10.0 * math.ceil(max(abs(value) for value in ends) / 10)
    categories = _categories(f"{labels.unit(row['unit'])} · {_dimension(writer, row)}" for row in rows)
    chart = Chart("one_each", categories, tuple(series), writer.say("gaps.axis"), _alt(writer, title, "gaps"), -reach,
                  reach, "+0;−0;0", "+0.0;−0.0;0.0", _ends(writer))  # fmt: skip
    lead = writer.say("gaps.lead", band=labels.number(smallest_gap(writer.frame.diagnosis), 0))
    return Slide("gaps", title, chart, writer.notes("gaps"), lead=lead + _cut(writer, len(rows), len(known)))


def _tier_series(name: str, rows: list[dict[str, Any]], tier: str, position: int) -> Series:
    def column(field: str) -> tuple[float | None, ...]:
        return tuple(row[field] if row["tier"] == tier else None for row in rows)

    return Series(name, column("gap"), _TIER_ROLES[position], column("gap_low"), column("gap_high"),
                  hatched=tier != "established")  # fmt: skip


def _heatmap(writer: Writer) -> Slide | None:
    diagnosis, labels = writer.frame.diagnosis, writer.frame.labels
    found = _heat_panel(writer)
    if found is None:
        return None
    grouping, panel = found
    cells, units = Cells(diagnosis), units_of(diagnosis, grouping.by)
    dimensions = panel.dimensions[:_HEAT_COLUMNS]
    rows, values = [], []
    for unit in (None, *units[: MAXIMUM_ROWS - 1]):
        row: list[str | Shade] = [shorten(labels.unit(unit), 30)]
        for dimension in dimensions:
            cell = cells.get(grouping, unit, panel, dimension)
            health = None if cell is None else blank_to_none(cell["health"])
            hidden = cells.is_withheld(grouping, unit, panel, dimension)
            nothing = labels.say("withheld") if hidden else "–"
            row.append(Shade(nothing if health is None else labels.number(health, 0), health))
            if health is not None and unit is not None:
                values.append((health, unit, dimension))
        rows.append(tuple(row))
    health, unit, dimension = min(values)
    named = labels.dimension(panel.instrument, dimension)
    title = writer.say("heatmap.title", instrument=labels.instrument(panel.instrument), unit=labels.within(unit),
                       dimension=named, value=labels.number(health, 0))  # fmt: skip
    heads = (labels.column("unit"), *(labels.dimension(panel.instrument, name) for name in dimensions))
    grid = Grid((2.0, *(1.0 for _ in dimensions)), heads, tuple(rows), _alt(writer, title, "heatmap"), lines=1)
    lead = writer.say("heatmap.lead") + _cut(writer, len(rows) - 1, len(units))
    return Slide("heatmap", title, grid, writer.notes("heatmap"), lead=lead)


def _heat_panel(writer: Writer) -> tuple[Grouping, Panel] | None:
    """The questionnaire of the most important trouble that has a panel with units; else the first that has one."""
    diagnosis, cells = writer.frame.diagnosis, Cells(writer.frame.diagnosis)
    shown = [
        (grouping, panel) for grouping in reversed(groupings(diagnosis)) for panel in panels(diagnosis, grouping.wave)
        if any(cells.get(grouping, unit, panel, dimension) is not None
               for unit in units_of(diagnosis, grouping.by)[: MAXIMUM_ROWS - 1]
               for dimension in panel.dimensions[:_HEAT_COLUMNS])
    ]  # fmt: skip
    for finding in diagnosis.top(max(1, len(diagnosis.findings))):
        if finding.kind == "unit_gap":
            for grouping, panel in shown:
                if panel.instrument == finding.instrument and panel.rater == finding.rater:
                    return grouping, panel
    return shown[0] if shown else None


def _readiness(writer: Writer) -> Slide | None:
    labels, frame = writer.frame.labels, writer.frame.diagnosis.readiness
    waves = [wave for wave in dict.fromkeys(blank_to_none(w) for w in frame["wave"]) if wave is not None]
    if waves:
        frame = frame[frame["wave"] == waves[-1]]
    known = frame[frame[list(STATES)].notna().any(axis=1)]
    if known.empty:
        return None
    # the organisation stands first, then the units that something holds back
    ranked = sorted(_records(known), key=lambda row: (row["unit"] is not None, row["bottleneck"] not in STATES))
    rows = ranked[:_GROUPS]
    series = tuple(
        Series(labels.say(f"readiness.{state}"), tuple(row[state] for row in rows), role, hatched=state == "can")
        for state, role in zip(STATES, _ROLES, strict=True)
    )
    named = [row for row in ranked if row["bottleneck"] in STATES]
    if named:
        first = named[0]
        title = writer.say("readiness.title", unit=labels.within(first["unit"]),
                           state=labels.say(f"readiness.{first['bottleneck']}"),
                           more=writer.count(named[1:], "more_units") if len(named) > 1 else "")  # fmt: skip
    else:
        title = writer.say("readiness.tied")
    categories = _categories(labels.unit(row["unit"]) for row in rows)
    chart = Chart("bars", categories, series, labels.say("chart.health_axis"), _alt(writer, title, "readiness"))
    return Slide("readiness", title, chart, writer.notes("readiness"),
                 lead=writer.say("readiness.lead") + _cut(writer, len(rows), len(known)))  # fmt: skip


def _largest_first(frame: pd.DataFrame, number: str) -> list[dict[str, Any]]:
    """Rows of the whole organisation, or without any those of its units, by how large a number of theirs is."""
    whole = frame[frame["unit"].isna()]
    chosen = (frame if whole.empty else whole).assign(size=lambda f: -f[number].abs())
    return _records(chosen.sort_values("size", kind="stable"))


def _placed_dimension(writer: Writer, row: dict[str, Any]) -> str:
    """The title of a dimension, behind its unit where it is one."""
    title = _dimension(writer, row)
    return title if row["unit"] is None else f"{row['unit']} · {title}"


def _changes(writer: Writer) -> Slide | None:
    labels, changes = writer.frame.labels, writer.frame.diagnosis.changes
    known = changes[changes["first_health"].notna() & changes["second_health"].notna()]
    if known.empty:
        return None
    rows = _largest_first(known, "change")[:_GROUPS]
    first, second = str(rows[0]["first_wave"]), str(rows[0]["second_wave"])
    counts = {verdict: int((known["verdict"] == verdict).sum()) for verdict in ("improved", "declined", "stable")}
    title = writer.say("changes.title", first=first, second=second, **counts)
    series = (Series(first, tuple(row["first_health"] for row in rows), "muted"),
              Series(second, tuple(row["second_health"] for row in rows), "primary"))  # fmt: skip
    categories = _categories(_placed_dimension(writer, row) for row in rows)
    chart = Chart("bars", categories, series, labels.say("chart.health_axis"), _alt(writer, title, "changes"))
    return Slide("changes", title, chart, writer.notes("changes"))


def _two_sides(writer: Writer) -> Slide | None:
    labels, frame = writer.frame.labels, writer.frame.diagnosis.comparisons
    known = frame[frame["difference"].notna() & frame["item"].isna()]
    if known.empty:
        return None
    rows = _largest_first(known, "difference")
    sides = (rows[0]["inner_rater"], rows[0]["outer_rater"])
    rows = [row for row in rows if (row["inner_rater"], row["outer_rater"]) == sides][:_GROUPS]
    inner, outer = (labels.value("rater", side) for side in sides)
    widest = rows[0]
    key = "two_sides.gap" if widest["verdict"] == "gap" else "two_sides.undetermined"
    title = writer.say(key, inner=inner, outer=outer, dimension=_dimension(writer, widest),
                       difference=labels.signed(widest["difference"]))  # fmt: skip
    series = (Series(inner, tuple(row["inner_health"] for row in rows), "primary"),
              Series(outer, tuple(row["outer_health"] for row in rows), "accent", hatched=True))  # fmt: skip
    categories = _categories(_placed_dimension(writer, row) for row in rows)
    chart = Chart("bars", categories, series, labels.say("chart.health_axis"), _alt(writer, title, "two_sides"))
    return Slide("two_sides", title, chart, writer.notes("two_sides"), lead=writer.say("two_sides.lead"))


def _answers(writer: Writer) -> Slide | None:
    """How people answered the questions of the most important trouble that has a scale of its own."""
    labels, diagnosis = writer.frame.labels, writer.frame.diagnosis
    turned = turned_items(diagnosis)
    for finding in diagnosis.top(max(1, len(diagnosis.findings))):
        answers = _at(diagnosis.answers, finding)
        items = _at(diagnosis.items, finding)
        items = items[items["health"].notna() & items["item"].isin(answers["item"])]
        if items.empty:
            continue
        whole = len(items)
        items = items.sort_values("health", kind="stable")
        # one legend serves items of one direction only: that of the weakest
        directions = [(finding.instrument, form, item) in turned
                      for form, item in zip(items["form"], items["item"], strict=True)]  # fmt: skip
        weakest = items[[direction == directions[0] for direction in directions]].head(_GROUPS)
        answers = answers[answers["item"].isin(weakest["item"])]
        options = answers.drop_duplicates("code").sort_values("code", kind="stable")
        if len(options) > 7 or answers["item"].nunique() != len(weakest):
            continue
        shares = {(row["item"], row["code"]): blank_to_none(row["share"]) for row in answers.to_dict("records")}
        rows = _records(weakest)
        codes = list(zip(options["code"], options["label"], strict=True))
        if directions[0]:
            codes.reverse()
        series = tuple(
            Series(str(label), tuple(shares.get((row["item"], code)) for row in rows)) for code, label in codes
        )
        title = writer.say("answers.title", unit=labels.within(finding.unit), question=rows[0]["text"],
                           dimension=labels.dimension(finding.instrument, finding.dimension))  # fmt: skip
        categories = _categories((row["text"] for row in rows), 70)
        share = cell_formats(labels.language)["share"]
        chart = Chart("shares", categories, series, writer.say("answers.axis"), _alt(writer, title, "answers"), 0, 1,
                      share, share)  # fmt: skip
        return Slide("answers", title, chart, writer.notes("answers"),
                     lead=writer.say("answers.lead") + _cut(writer, len(rows), whole))  # fmt: skip
    return None


def _levels(writer: Writer) -> Slide | None:
    labels, evidence = writer.frame.labels, writer.frame.diagnosis.evidence
    known = evidence[evidence["unit"].isna() & evidence["health"].notna()]
    waves = [wave for wave in dict.fromkeys(blank_to_none(w) for w in known["wave"]) if wave is not None]
    known = known[known["wave"] == waves[-1]] if waves else known
    if known.empty:
        return None
    rows = _records(known.sort_values("health", kind="stable"))
    title = writer.say("levels.title", lowest=_dimension(writer, rows[0]), low=labels.number(rows[0]["health"], 0),
                       highest=_dimension(writer, rows[-1]), high=labels.number(rows[-1]["health"], 0))  # fmt: skip
    shown = rows[:MAXIMUM_ROWS]
    categories = _categories(labels.aside(_dimension(writer, r), labels.value("rater", r["rater"])) for r in shown)
    values = tuple(row["health"] for row in shown)
    chart = Chart("bars", categories, (Series(labels.column("health"), values),), labels.say("chart.health_axis"),
                  _alt(writer, title, "levels"))  # fmt: skip
    return Slide("levels", title, chart, writer.notes("levels"), lead=_cut(writer, len(shown), len(rows)).strip())


def _at(frame: pd.DataFrame, finding: Any) -> pd.DataFrame:
    """Rows about the people, unit and dimension of a finding."""
    inside = pd.Series(True, index=frame.index)
    for column in ("by", "unit", "wave", "instrument", "dimension", "rater"):
        wanted = getattr(finding, column)
        if column == "by" and finding.unit is None:
            continue
        inside &= frame[column].isna() if wanted is None else frame[column] == wanted
    return frame[inside]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): blank_to_none(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _dimension(writer: Writer, row: dict[str, Any]) -> str:
    return writer.frame.labels.dimension(row["instrument"], row["dimension"])


def _categories(names: Any, width: int = _CATEGORY) -> tuple[str, ...]:
    return tuple(distinct(shorten(str(name), width) for name in names))


def _alt(writer: Writer, title: str, kind: str) -> str:
    return writer.say("alt.chart", title=title, kind=writer.say(f"{kind}.alt"))


def _ends(writer: Writer) -> dict[str, str]:
    return {end: writer.say(f"interval.{end}") for end in ("minus", "plus")}


def _cut(writer: Writer, shown: int, whole: int) -> str:
    return "" if shown >= whole else " " + writer.say("cut", shown=shown, all=whole)
