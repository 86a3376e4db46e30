"""Charts of a published diagnosis as Vega-Lite specifications, which altair shows and the page draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.report import marks
from servicediag.report.cells import Cells, Grouping, Panel, panels, units_of
from servicediag.report.labels import Labels
from servicediag.report.marks import BAND, INK, LABEL, LINE, MUTED, RULE, STRIPE, Records, constant, mark
from servicediag.report.plain_text import display_width, distinct, shorten, wrap
from servicediag.report.publication import blank_to_none
from servicediag.report.theme import Theme, readable_on

__all__ = [
    "MAXIMUM_ROWS", "STATES", "TIER_SHAPES", "WIDE", "WITHHELD_FILL", "Frame", "agreement", "bottleneck", "by_name",
    "dumbbell", "gaps", "heatmap", "packed", "panel_title", "readiness", "smallest_gap", "spans",
]  # fmt: skip

MAXIMUM_ROWS = 40
"""Rows of one chart; the tables hold what does not fit."""
WITHHELD_FILL = "#fefdfc"
"""Fill of withheld cells; the page turns exactly this colour into a hatch."""
UNIT_COLUMNS, HEAD_COLUMNS, COLUMNS_A_ROW = 30, 14, 11
CELL_WIDTH, CELL_HEIGHT, ROW_HEIGHT, WIDE = 78, 36, 44, 500
STATES = ("know", "want", "can")
SHAPES = ("circle", "square", "triangle-up", "diamond")
DIRECTION_SHAPES = {"worse": "triangle-down", "better": "triangle-up"}
TIER_SHAPES = {"established": "circle", "likely": "diamond", "watch": "square"}
Spec = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """What every chart needs: the published diagnosis, its words and its colours."""

    diagnosis: Diagnosis
    labels: Labels
    theme: Theme


def heatmap(frame: Frame, grouping: Grouping) -> Spec | None:
    """Health of every unit and dimension on the absolute scale from 0 to 100, the number in each cell.

    Dark is low, so that the order of the colours survives printing in grey. A triangle marks a cell that is
    established (filled) or likely (hollow) to be worse (pointing down) or better (pointing up) than the rest.
    """
    units = units_of(frame.diagnosis, grouping.by)[:MAXIMUM_ROWS]
    columns = panels(frame.diagnosis, grouping.wave)
    if not units or not columns:
        return None
    names = distinct(wrap(frame.labels.unit(unit), UNIT_COLUMNS) for unit in (None, *units))
    rows: dict[str, str | None] = dict(zip(names, (None, *units), strict=True))
    cells = Cells(frame.diagnosis)
    told = [panel for panel in columns if cells.has_units(grouping, units, panel)]
    silent = [panel for panel in columns if panel not in told]
    # where no unit may be shown, one row stands for all of them
    every: dict[str, str | None] = {names[0]: None, frame.labels.say("every_unit"): units[0]}
    lines = [
        line
        for shown, names in ((told, rows), (silent, every))
        for line in _heat_lines(frame, shown, list(names), _heat_records(frame, cells, grouping, names))
    ]
    shades = [frame.theme.health_colour(health) for health in range(0, 101, 2)]
    ticks = {health // 2: str(health) for health in (0, 20, 40, 60, 80, 100)}
    keys = [
        marks.symbol_key([(shape, fill, frame.labels.say(f"chart.mark.{tier}_{direction}"))
                          for direction, shape in DIRECTION_SHAPES.items()
                          for tier, fill in (("established", INK), ("likely", "white"))]),
        marks.gradient_key(frame.labels.say("chart.heat_legend"), shades, ticks),
    ]  # fmt: skip
    return marks.chart({"vconcat": [*lines, {"vconcat": keys, "spacing": 8}], "spacing": 28})


def agreement(frame: Frame, grouping: Grouping) -> Spec | None:
    """Standard deviation of every unit and dimension, shaded by its share of the largest possible; dark disagrees."""
    table = frame.diagnosis.agreement
    keys = ("by", "unit", "wave", "instrument", "form", "rater", "dimension")
    known = {tuple(blank_to_none(row[key]) for key in keys): row for row in table.to_dict("records")
             if blank_to_none(row["sd"]) is not None}  # fmt: skip
    units = units_of(frame.diagnosis, grouping.by)[:MAXIMUM_ROWS]
    measured = {key[3:] for key in known if key[2] == grouping.wave and (key[1] is None or key[0] == grouping.by)}
    columns = [
        replace(panel, dimensions=tuple(d for d in panel.dimensions
                                        if (panel.instrument, panel.form, panel.rater, d) in measured))
        for panel in panels(frame.diagnosis, grouping.wave)
    ]  # fmt: skip
    columns = [panel for panel in columns if panel.dimensions]
    if not columns:
        return None
    cells = Cells(frame.diagnosis)

    def record(unit: str | None, panel: Panel, dimension: str) -> Spec:
        by = None if unit is None else grouping.by
        row = known.get((by, unit, grouping.wave, panel.instrument, panel.form, panel.rater, dimension))
        if row is None:
            return _without_value(frame, cells, grouping, unit, panel, dimension)
        # where the largest possible spread is not given, half the range of the scale stands for it
        share = blank_to_none(row["sd_share_of_maximum"])
        shade = frame.theme.health_colour(100 - 100 * (row["sd"] / 50 if share is None else share))
        return {"state": "shown", "sd": row["sd"], "text": frame.labels.number(row["sd"], 0), "shade": shade,
                "ink": readable_on(shade), "mark": ""}  # fmt: skip

    names = distinct(wrap(frame.labels.unit(unit), UNIT_COLUMNS) for unit in (None, *units))
    rows: dict[str, str | None] = dict(zip(names, (None, *units), strict=True))
    lines = _heat_lines(frame, columns, names, lambda panel: _grid(frame, rows, panel, record))
    shades = [frame.theme.health_colour(100 - share) for share in range(0, 101, 2)]
    ticks = {share // 2: frame.labels.percent(share / 100) for share in (0, 20, 40, 60, 80, 100)}
    key = marks.gradient_key(frame.labels.say("chart.agreement_legend"), shades, ticks)
    return marks.chart({"vconcat": [*lines, key], "spacing": 28})


def gaps(frame: Frame) -> Spec | None:
    """Gaps that are established, likely or to watch, with intervals, zero line and the band of equivalence."""
    evidence = frame.diagnosis.evidence
    known = evidence[evidence["tier"].isin(TIER_SHAPES) & evidence["gap"].notna()]
    if known.empty:
        return None
    order = known.assign(rank=known["tier"].map(list(TIER_SHAPES).index), size=-known["gap"].abs())
    chosen = order.sort_values(["rank", "size"], kind="stable").head(MAXIMUM_ROWS).sort_values("gap", kind="stable")
    key = marks.symbol_key([(shape, INK if tier == "established" else "white", frame.labels.value("tier", tier))
                            for tier, shape in TIER_SHAPES.items()])  # fmt: skip
    return marks.chart({"vconcat": [_forest(frame, _gap_records(frame, chosen)), key], "spacing": 12})


def readiness(frame: Frame, grouping: Grouping) -> Spec | None:
    """Know, want and can of every unit with intervals, beside the probability that each is the lowest."""
    rows = _readiness_rows(frame, grouping)
    if not rows:
        return None
    views = [_level_strip(frame, rows), _lowest_matrix(frame, rows, with_units=False)]
    return marks.chart({"hconcat": views, "spacing": 28})


def bottleneck(frame: Frame, grouping: Grouping) -> Spec | None:
    """The probability that know, want or can is the lowest, per unit, as numbers in shaded cells."""
    rows = _readiness_rows(frame, grouping)
    return marks.chart(_lowest_matrix(frame, rows, with_units=True)) if rows else None


def dumbbell(frame: Frame, kind: str = "provision_gap") -> Spec | None:
    """What one side says it gave beside what the other received, for every finding of that kind."""
    rows, sides = _sides(frame, kind)
    if not rows:
        return None
    return spans(frame, rows, sides, "rater")


def spans(frame: Frame, rows: Records, ends: Records, kind: str) -> Spec:
    """Levels of health of several kinds joined by a line: rows have ``row, low, high`` and their texts.

    ``kind`` is the field of the ends that decides shape and colour.
    """
    names = [row["row"] for row in rows]
    y = marks.band_scale("row", names)
    low, high = {"field": "low", "type": "quantitative"}, {"field": "high", "type": "quantitative"}
    points = {
        "y": y, "x": _health_axis(frame), "shape": by_name(ends, kind, SHAPES),
        "color": by_name(ends, kind, (frame.theme.accent, frame.theme.primary, MUTED, INK)),
    }  # fmt: skip
    text = {"fontSize": LABEL, "color": INK}
    layers = [
        mark("rule", rows, {"y": y, "x": low, "x2": {"field": "high"}}, color=RULE, strokeWidth=2),
        mark("point", ends, points, filled=True, size=120, opacity=1),
        mark("text", rows, {"y": y, "x": low, "text": {"field": "low_text"}}, align="right", dx=-11, **text),
        mark("text", rows, {"y": y, "x": high, "text": {"field": "high_text"}}, align="left", dx=11, **text),
        marks.beside(rows, y, WIDE + 12, "difference"),
        *marks.row_labels(names, bold=True),
    ]
    return marks.chart({"layer": layers, "width": WIDE, "height": {"step": ROW_HEIGHT}})


def smallest_gap(diagnosis: Diagnosis) -> float:
    """Half-width of the band within which a gap counts as no gap, in points."""
    return float(diagnosis.method.get("smallest_gap") or 5.0)


def panel_title(frame: Frame, panel: Panel) -> str:
    """Questionnaire and rater of a panel."""
    title = frame.labels.instrument(panel.instrument)
    if panel.rater is None:
        return title
    return frame.labels.aside(title, frame.labels.say("rated_by", rater=frame.labels.value("rater", panel.rater)))


def _health_axis(frame: Frame) -> Spec:
    axis = {"title": frame.labels.say("chart.health_axis"), "values": [0, 20, 40, 60, 80, 100], "gridColor": BAND}
    return {"field": "health", "type": "quantitative", "scale": {"domain": [0, 100]}, "axis": axis}


def by_name(ends: Records, field: str, values: Sequence[str]) -> Spec:
    """A shape or colour for each name in a field, with a legend."""
    names = list(dict.fromkeys(end[field] for end in ends))
    cycled = [values[position % len(values)] for position in range(len(names))]
    return {"field": field, "type": "nominal", "scale": {"domain": names, "range": cycled},
            "legend": marks.legend()}  # fmt: skip


# --- heatmap ---------------------------------------------------------------------------------------------------------


def packed(columns: Sequence[Panel]) -> list[list[Panel]]:
    """Panels side by side as long as they fit the width of a page; a wider one is parted."""
    lines: list[list[Panel]] = []
    used = COLUMNS_A_ROW + 1
    for panel in columns:
        for start in range(0, len(panel.dimensions), COLUMNS_A_ROW):
            dimensions = panel.dimensions[start : start + COLUMNS_A_ROW]
            if used + len(dimensions) > COLUMNS_A_ROW:
                lines.append([])
                used = 0
            lines[-1].append(Panel(panel.instrument, panel.form, panel.rater, dimensions))
            used += len(dimensions)
    return lines


def _heat_lines(
    frame: Frame, columns: Sequence[Panel], names: list[str], records_of: Callable[[Panel], list[Spec]]
) -> list[Spec]:
    lines: list[Spec] = []
    for line in packed(columns):
        lift = max(head.count("\n") for panel in line for head in _heads(frame, panel)) * LINE
        drawn = [
            _heat_panel(frame, panel, records_of(panel), names if position == 0 else (), names, lift)
            for position, panel in enumerate(line)
        ]
        lines.append({"hconcat": drawn, "spacing": 12})
    return lines


def _heads(frame: Frame, panel: Panel) -> list[str]:
    titles = (frame.labels.dimension(panel.instrument, dimension) for dimension in panel.dimensions)
    return distinct(wrap(title, HEAD_COLUMNS, lines=3) for title in titles)


def _cell_width(heads: Sequence[str]) -> float:
    """Room for the longest line of a head; Latin letters are narrower than those of other scripts."""
    lines = [line for head in heads for line in head.split("\n")]
    needed = (LABEL * display_width(line) * (0.55 if max(line, default="") < "\u0250" else 0.62) for line in lines)
    return max(CELL_WIDTH, *(width + 4 for width in needed))


def _heat_records(
    frame: Frame, cells: Cells, grouping: Grouping, rows: Mapping[str, str | None]
) -> Callable[[Panel], list[Spec]]:
    """What gives the records of a questionnaire: health, or why there is none."""

    def record(unit: str | None, panel: Panel, dimension: str) -> Spec:
        cell = cells.get(grouping, unit, panel, dimension)
        if cell is None or cell["health"] is None:
            return _without_value(frame, cells, grouping, unit, panel, dimension)
        shade = frame.theme.health_colour(cell["health"])
        return {"state": "shown", "health": cell["health"], "text": frame.labels.number(cell["health"], 0),
                "shade": shade, "ink": readable_on(shade), "mark": f"{cell['tier']}_{cell['direction']}"}  # fmt: skip

    return lambda panel: _grid(frame, rows, panel, record)


def _grid(
    frame: Frame, rows: Mapping[str, str | None], panel: Panel, record: Callable[[str | None, Panel, str], Spec]
) -> list[Spec]:
    heads = list(zip(panel.dimensions, _heads(frame, panel), strict=True))
    return [
        {"row": name, "column": head, **record(unit, panel, dimension)}
        for name, unit in rows.items() for dimension, head in heads
    ]  # fmt: skip


def _without_value(
    frame: Frame, cells: Cells, grouping: Grouping, unit: str | None, panel: Panel, dimension: str
) -> Spec:
    if cells.is_withheld(grouping, unit, panel, dimension):
        return {"state": "withheld", "text": frame.labels.say("withheld")}
    return {"state": "absent", "text": "–"}


def _heat_panel(
    frame: Frame, panel: Panel, records: Sequence[Spec], labelled: Sequence[str], names: list[str], lift: float
) -> Spec:
    heads = _heads(frame, panel)
    x = marks.band_scale("column", heads)
    place = {"x": x, "y": marks.band_scale("row", names)}
    shown = [record for record in records if record["state"] == "shown"]
    rest = [record for record in records if record["state"] != "shown"]
    hidden = [record for record in rest if record["state"] == "withheld"]
    text = {"field": "text", "type": "nominal"}
    layers = [
        mark("rect", shown, {**place, "fill": marks.unscaled("shade")}, stroke="white", strokeWidth=1.5),
        mark("rect", hidden, place, fill=WITHHELD_FILL, stroke=RULE, strokeWidth=0.6, strokeDash=[3, 2]),
        mark("text", shown, {**place, "text": text, "color": marks.unscaled("ink")}, fontSize=13),
        mark("text", rest, {**place, "text": text}, fontSize=11, color=MUTED),
        *_triangles(shown, place),
        *marks.heads_above(heads, x),
        marks.heading(shorten(panel_title(frame, panel), max(20, 12 * len(heads))), frame.theme.primary, lift),
        *marks.row_labels(labelled, strong=(frame.labels.unit(None),)),
    ]
    return {"layer": layers, "width": {"step": _cell_width(heads)}, "height": {"step": CELL_HEIGHT}}


def _triangles(shown: Records, place: Mapping[str, Any]) -> list[Spec]:
    """In the corner of a cell: down is worse, up is better, filled is established, hollow is likely."""
    layers = []
    for direction, shape in DIRECTION_SHAPES.items():
        for tier, fill, stroke in (("established", "black", "white"), ("likely", "white", "black")):
            chosen = [record for record in shown if record["mark"] == f"{tier}_{direction}"]
            layers.append(mark("point", chosen, place, shape=shape, size=58, fill=fill, stroke=stroke, strokeWidth=0.9,
                               opacity=1, xOffset=25))  # fmt: skip
    return layers


# --- gap plot --------------------------------------------------------------------------------------------------------


def _gap_records(frame: Frame, chosen: Any) -> list[Spec]:
    labels, records = frame.labels, []
    for row in chosen.to_dict("records"):
        rater = "" if row["rater"] is None else labels.aside("", labels.value("rater", row["rater"]))
        what = shorten(labels.dimension(row["instrument"], row["dimension"]), 44 - display_width(rater)) + rater
        colour = frame.theme.accent if row["gap"] < 0 else frame.theme.primary
        value = labels.say("chart.gap_value", gap=labels.signed(row["gap"]), low=labels.signed(row["gap_low"]),
                           high=labels.signed(row["gap_high"]), n=row["n"])  # fmt: skip
        records.append({
            "row": f"{shorten(labels.unit(row['unit']), 42)}\n{what}", "gap": row["gap"], "low": row["gap_low"],
            "high": row["gap_high"], "tier": row["tier"], "colour": colour, "value": value,
            "fill": colour if row["tier"] == "established" else "#ffffff",
        })  # fmt: skip
    for record, name in zip(records, distinct(record["row"] for record in records), strict=True):
        record["row"] = name
    return records


def _forest(frame: Frame, records: list[Spec]) -> Spec:
    smallest = smallest_gap(frame.diagnosis)
    reach = [abs(value) for r in records for value in (r["gap"], r["low"], r["high"]) if value == value]
    limit = 1.04 * max([2 * smallest, *reach])
    scale = {"domain": [-limit, limit], "nice": False}
    axis = {"title": frame.labels.say("chart.gap_axis"), "gridColor": BAND, "tickCount": 9}
    x = {"field": "gap", "type": "quantitative", "scale": scale, "axis": axis}
    low = {"field": "low", "type": "quantitative", "scale": scale}
    names = [record["row"] for record in records]
    y = marks.band_scale("row", names)
    label = frame.labels.say("chart.band", gap=frame.labels.number(smallest, 0))
    band = [{"low": -smallest, "high": smallest, "gap": 0, "label": label}]
    stroke, fill = marks.unscaled("colour"), marks.unscaled("fill")
    points = [
        mark("point", [record for record in records if record["tier"] == tier],
             {"y": y, "x": x, "stroke": stroke, "fill": fill}, shape=shape, size=110, strokeWidth=1.8, opacity=1)
        for tier, shape in TIER_SHAPES.items()
    ]  # fmt: skip
    layers = [
        mark("rect", band, {"x": low, "x2": {"field": "high"}}, color=BAND, opacity=0.85),
        mark("text", band, {"x": x, "y": constant(-4), "text": {"field": "label"}}, fontSize=11, color=MUTED,
             baseline="bottom"),
        mark("rule", band, {"x": x}, color=INK, strokeWidth=1.2),
        mark("rule", records, {"y": y, "x": low, "x2": {"field": "high"}, "stroke": stroke}, strokeWidth=2.2),
        *points,
        marks.beside(records, y, WIDE + 12, "value"),
        *marks.row_labels(names, bold=True),
    ]  # fmt: skip
    return {"layer": layers, "width": WIDE, "height": {"step": ROW_HEIGHT}}


# --- readiness -------------------------------------------------------------------------------------------------------


def _readiness_rows(frame: Frame, grouping: Grouping) -> list[Spec]:
    table = frame.diagnosis.readiness
    if "form" in table and table["form"].notna().any():
        table = table[table["form"] == table["form"].dropna().iloc[0]]
    known = {row["unit"]: row for row in table.to_dict("records")
             if row["wave"] == grouping.wave and (row["unit"] is None or row["by"] == grouping.by)}  # fmt: skip
    order = [None, *units_of(frame.diagnosis, grouping.by)]
    rows = [known[unit] for unit in order if unit in known][: MAXIMUM_ROWS + 1]
    names = distinct(wrap(frame.labels.unit(row["unit"]), UNIT_COLUMNS) for row in rows)
    return [{**{str(k): v for k, v in row.items()}, "row": name} for row, name in zip(rows, names, strict=True)]


def _state_titles(frame: Frame) -> list[str]:
    return [frame.labels.say(f"readiness.{state}") for state in STATES]


def _level_strip(frame: Frame, rows: Sequence[Spec]) -> Spec:
    intervals = _state_intervals(frame)
    titles = _state_titles(frame)
    records = []
    for row in rows:
        for name, title in zip(STATES, titles, strict=True):
            low, high = intervals.get((row["by"], row["unit"], row["wave"], name), (None, None))
            records.append({"row": row["row"], "state": title, "health": row[name], "low": low, "high": high})
    names = [row["row"] for row in rows]
    points = [record for record in records if _known(record["health"])]
    spans = [record for record in points if _known(record["low"]) and _known(record["high"])]
    colours = (MUTED, frame.theme.primary, frame.theme.accent)
    state: Spec = {"field": "state", "type": "nominal"}
    y = marks.band_scale("row", names)
    place = {
        "y": y,
        "yOffset": {**state, "scale": {"domain": titles, "paddingOuter": 0.6}},
        "color": {**state, "scale": {"domain": titles, "range": list(colours)}, "legend": marks.legend()},
    }
    shape = {**state, "scale": {"domain": titles, "range": list(SHAPES)}, "legend": marks.legend()}
    layers = [
        mark("rect", [{"row": name} for name in names[::2]], {"y": y}, color=STRIPE),
        mark("rule", spans, {**place, "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}},
             strokeWidth=1.8),
        mark("point", points, {**place, "x": _health_axis(frame), "shape": shape}, filled=True, size=66, opacity=1),
        marks.heading(frame.labels.say("chart.levels"), frame.theme.primary),
        *marks.row_labels(names, strong=(frame.labels.unit(None),)),
    ]  # fmt: skip
    return {"layer": layers, "width": 440, "height": {"step": ROW_HEIGHT, "for": "position"}}


def _state_intervals(frame: Frame) -> dict[tuple[Any, ...], tuple[Any, Any]]:
    """Intervals of the know, want and can states from the evidence; they are strengths, so score is health."""
    known = frame.diagnosis.evidence
    known = known[(known["instrument"] == "readiness") & known["dimension"].isin(STATES)]
    known = known[(known["rater"] == "employee") | known["rater"].isna()]
    return {
        (row["by"], row["unit"], row["wave"], row["dimension"]): (row["ci_low"], row["ci_high"])
        for row in known.to_dict("records")
    }


def _lowest_matrix(frame: Frame, rows: Sequence[Spec], *, with_units: bool) -> Spec:
    titles = _state_titles(frame)
    records = []
    for row in rows:
        for state, title in zip(STATES, titles, strict=True):
            chance = row[f"p_lowest_{state}"]
            if not _known(chance):
                continue
            shade = frame.theme.health_colour(100 - 100 * chance)
            records.append({"row": row["row"], "column": title, "text": frame.labels.probability(chance),
                            "ink": readable_on(shade), "shade": shade,
                            "named": row["bottleneck"] == state})  # fmt: skip
    names = [row["row"] for row in rows]
    x = marks.band_scale("column", titles)
    place = {"x": x, "y": marks.band_scale("row", names)}
    named = [record for record in records if record["named"]]
    text = {"text": {"field": "text", "type": "nominal"}, "color": marks.unscaled("ink")}
    layers = [
        mark("rect", records, {**place, "fill": marks.unscaled("shade")}, stroke="white", strokeWidth=1.5),
        mark("rect", named, place, fill=None, stroke=frame.theme.accent, strokeWidth=3),
        mark("text", records, {**place, **text}, fontSize=13),
        *marks.heads_above(titles, x),
        marks.heading(frame.labels.say("chart.lowest"), frame.theme.primary),
        *(marks.row_labels(names, strong=(frame.labels.unit(None),)) if with_units else []),
    ]
    return {"layer": layers, "width": {"step": 78}, "height": {"step": ROW_HEIGHT}}


def _known(value: Any) -> bool:
    return value is not None and value == value


# --- two sides -------------------------------------------------------------------------------------------------------


def _sides(frame: Frame, kind: str) -> tuple[list[Spec], list[Spec]]:
    """A row a place of a finding and a record a side, where at least two raters of the same cell are published."""
    labels = frame.labels
    sides = _cells_by_place(frame.diagnosis.evidence)
    patterns = {_place_of(row): row["pattern"] for row in frame.diagnosis.patterns.to_dict("records")}
    rows: list[Spec] = []
    ends: list[Spec] = []
    for place, finding in _first_of_each_place(frame.diagnosis.findings, kind).items():
        levels = [row for row in sides.get(place, ()) if finding.wave in (None, row["wave"])]
        if len({row["rater"] for row in levels}) < 2 or len(rows) == MAXIMUM_ROWS:
            continue
        title = shorten(labels.dimension(finding.instrument, finding.dimension), 44)
        name = distinct([*(row["row"] for row in rows), f"{shorten(labels.unit(finding.unit), 42)}\n{title}"])[-1]
        low, high = (limit(row["health"] for row in levels) for limit in (min, max))
        named = patterns.get((*place, levels[0]["wave"]))
        difference = labels.estimate(finding)
        if named is not None:
            difference += f"\n{labels.value('pattern', named)}"
        rows.append({"row": name, "low": low, "high": high, "low_text": labels.number(low, 0),
                     "high_text": labels.number(high, 0), "difference": difference})  # fmt: skip
        ends += [{"row": name, "health": row["health"], "rater": labels.value("rater", row["rater"])} for row in levels]
    return rows, ends


def _cells_by_place(evidence: Any) -> dict[tuple[Any, ...], list[dict[Any, Any]]]:
    found: dict[tuple[Any, ...], list[dict[Any, Any]]] = {}
    for row in evidence.to_dict("records"):
        if _known(row["health"]):
            found.setdefault(_place_of(row)[:4], []).append(row)
    return found


def _place_of(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    by, *rest = (blank_to_none(row[name]) for name in ("by", "unit", "instrument", "dimension", "wave"))
    return (None if rest[0] is None else by, *rest)


def _first_of_each_place(findings: Sequence[Finding], kind: str) -> dict[tuple[Any, ...], Finding]:
    """Findings of that kind about a dimension; several about one cell share a row."""
    found: dict[tuple[Any, ...], Finding] = {}
    for finding in findings:
        if finding.kind == kind and finding.dimension is not None:
            by = None if finding.unit is None else finding.by
            found.setdefault((by, finding.unit, finding.instrument, finding.dimension), finding)
    return found
