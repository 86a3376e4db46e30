"""Charts of confidence beside capability, of waves, of groups of respondents, and of indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from servicediag.diagnosis.model import Diagnosis
from servicediag.report import marks
from servicediag.report.cells import Grouping, units_of
from servicediag.report.charts import MAXIMUM_ROWS, WIDE, Frame, Spec, smallest_gap, spans
from servicediag.report.labels import Labels
from servicediag.report.marks import BAND, INK, LABEL, MUTED, RULE, constant, mark
from servicediag.report.plain_text import distinct, shorten
from servicediag.report.publication import blank_to_none

__all__ = [
    "INDEXES", "MOST_CHANGES", "Index", "backgrounds", "change_rows", "changes", "index", "index_rows", "index_text",
    "plane", "plane_rows", "segment_rows", "segments", "spread", "wave_pairs",
]  # fmt: skip

CONFIDENCE, CAPABILITY = ("four-tools", "conf"), ("four-tools", "capa")
MOST_CHANGES = 24
"""Rows of the drawing of changes; most changes are small."""
_MIDDLE = 50.0
_PLANE = 430
_KEY_STEP = 20


@dataclass(frozen=True)
class Index:
    """How an index is drawn: what it counts, which parts, its borders, and whether units stand beside the whole."""

    metric: Literal["share", "points", "level"]
    parts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    band: tuple[float, float] | None = None
    units: bool = True


INDEXES: Mapping[str, Index] = {
    "attribution": Index("share", parts=("organisation",), band=(0.4, 0.6)),
    "blame_shift": Index("points"),
    "promises": Index("share"),
    "attitude_contrast": Index("points", parts=("left_broken - kept",)),
    "internal_external": Index("level", parts=("internal", "external")),
    "say_do": Index("points", parts=("gap",)),
    "stages": Index("level"),
    "readiness": Index("share", parts=("index",)),
    "held_back_by": Index("share"),
    "negative_cycle": Index("level", without=("furthest",), units=False),
}
"""The indexes that are drawn; the table holds all."""
_SHOWN_AS = {"share": "percent", "points": "signed", "level": "number"}


# --- confidence and capability ---------------------------------------------------------------------------------------


def plane_rows(frame: Frame, grouping: Grouping) -> list[dict[str, Any]]:
    """Confidence and capability of the whole organisation and of each unit, as employees rate both."""
    evidence = frame.diagnosis.evidence
    own = evidence[(evidence["rater"] == "employee") & evidence["health"].notna()]
    own = own[own["wave"].isna() if grouping.wave is None else own["wave"] == grouping.wave]
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in own.to_dict("records"):
        unit = blank_to_none(row["unit"])
        if unit is None or blank_to_none(row["by"]) == grouping.by:
            known[unit, row["instrument"], row["dimension"]] = {str(key): value for key, value in row.items()}
    rows: list[dict[str, Any]] = []
    for unit in (None, *units_of(frame.diagnosis, grouping.by)):
        confidence, capability = known.get((unit, *CONFIDENCE)), known.get((unit, *CAPABILITY))
        if confidence is not None and capability is not None:
            rows.append({"unit": unit, "number": str(len(rows) + 1), "n": min(confidence["n"], capability["n"]),
                         **_side("confidence", confidence), **_side("capability", capability)})  # fmt: skip
    return rows


def plane(frame: Frame, grouping: Grouping) -> Spec | None:
    """Capability across, confidence up, a cross of 95 % intervals for each unit; the numbers are named beside it."""
    rows = plane_rows(frame, grouping)[: MAXIMUM_ROWS + 1]
    if not rows:
        return None
    x, y = (_plane_axis(frame, name) for name in ("capability", "confidence"))
    whole, units = [row for row in rows if row["unit"] is None], [row for row in rows if row["unit"] is not None]
    cross = {"opacity": 0.75, "strokeWidth": 1.3}
    layers = [
        mark("rule", [{"capability": _MIDDLE}], {"x": x}, color=RULE, strokeDash=[4, 3]),
        mark("rule", [{"confidence": _MIDDLE}], {"y": y}, color=RULE, strokeDash=[4, 3]),
        *_corners(frame),
        mark("rule", rows, {"y": y, "x": {**x, "field": "capability_low"}, "x2": {"field": "capability_high"}},
             color=frame.theme.primary, **cross),
        mark("rule", rows, {"x": x, "y": {**y, "field": "confidence_low"}, "y2": {"field": "confidence_high"}},
             color=frame.theme.primary, **cross),
        mark("point", whole, {"x": x, "y": y}, shape="square", size=340, fill=frame.theme.primary, opacity=1),
        mark("text", whole, {"x": x, "y": y, "text": _named("number")}, fontSize=11, color="white", fontWeight=700),
        mark("point", units, {"x": x, "y": y}, shape="circle", size=320, fill="white", stroke=frame.theme.primary,
             strokeWidth=1.6, opacity=1),
        mark("text", units, {"x": x, "y": y, "text": _named("number")}, fontSize=11, color=INK),
    ]  # fmt: skip
    return marks.chart({"layer": [*layers, *_unit_key(frame, rows)], "width": _PLANE, "height": _PLANE})


def _side(name: str, cell: Mapping[str, Any]) -> Spec:
    # a weakness is turned like its mean, so that the interval lies around the health
    turned = cell["direction_of_scale"] == "weakness"
    low, high = (100 - cell["ci_high"], 100 - cell["ci_low"]) if turned else (cell["ci_low"], cell["ci_high"])
    return {name: cell["health"], f"{name}_low": low, f"{name}_high": high}


def _plane_axis(frame: Frame, name: str) -> Spec:
    axis = {"title": frame.labels.say(f"chart.{name}_axis"), "values": [0, 20, 40, 60, 80, 100], "gridColor": BAND}
    return {"field": name, "type": "quantitative", "scale": {"domain": [0, 100]}, "axis": axis}


def _corners(frame: Frame) -> list[Spec]:
    far, low = _PLANE - 8, _PLANE - 12
    places = {"over_confident": (8, 16, "left"), "ready": (far, 16, "right"),
              "unequipped": (8, low, "left"), "under_confident": (far, low, "right")}  # fmt: skip
    return [
        mark("text", [{"text": frame.labels.say(f"chart.corner.{name}")}],
             {"x": constant(x), "y": constant(y), "text": _named("text")}, align=align, fontSize=LABEL, color=MUTED)
        for name, (x, y, align) in places.items()
    ]  # fmt: skip


def _unit_key(frame: Frame, rows: Sequence[Mapping[str, Any]]) -> list[Spec]:
    """The names of the numbered points, right of the plane."""
    layers = []
    for position, row in enumerate(rows):
        text = [{"text": f"{row['number']}  {shorten(frame.labels.unit(row['unit']), 40)}"}]
        top = 8 + position * min(_KEY_STEP, _PLANE / len(rows))
        place = {"x": constant(_PLANE + 24), "y": constant(top), "text": _named("text")}
        layers.append(mark("text", text, place, align="left", fontSize=LABEL, color=INK, limit=0,
                           fontWeight=700 if row["unit"] is None else 400))  # fmt: skip
    return layers


# --- waves -----------------------------------------------------------------------------------------------------------


def wave_pairs(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """The pairs of waves that are compared, in their order."""
    table = diagnosis.changes
    pairs = zip(table["first_wave"], table["second_wave"], strict=True)
    return list(dict.fromkeys((str(first), str(second)) for first, second in pairs))


def change_rows(frame: Frame, first: str, second: str) -> pd.DataFrame:
    """The changes that are established or likely, largest first, then the others of the whole organisation."""
    table = frame.diagnosis.changes
    pair = (table["first_wave"] == first) & (table["second_wave"] == second) & table["change"].notna()
    sure = table["tier"].isin(["established", "likely"])
    size = table["change"].astype(float).abs()
    parts = [size[pair & sure].sort_values(ascending=False, kind="stable"), size[pair & ~sure & table["unit"].isna()]]
    return table.loc[[label for part in parts for label in part.index]]


def changes(frame: Frame, first: str, second: str) -> Spec | None:
    """Health at two waves joined by a line, with the change and its interval."""
    labels = frame.labels
    rows: list[Spec] = []
    ends: list[Spec] = []
    for record in change_rows(frame, first, second).head(MOST_CHANGES).to_dict("records"):
        row = {str(key): blank_to_none(value) for key, value in record.items()}
        levels = {first: row["first_health"], second: row["second_health"]}
        what = labels.aside(labels.dimension(row["instrument"], row["dimension"]), labels.value("rater", row["rater"]))
        name = _row_name(rows, labels.unit(row["unit"]), what)
        text = labels.say("chart.difference_value", difference=labels.signed(row["change"]),
                          low=labels.signed(row["ci_low"]), high=labels.signed(row["ci_high"]))  # fmt: skip
        if row["verdict"] is not None:
            text += f"\n{labels.value('verdict', row['verdict'])}"
        rows.append(_span(labels, name, levels.values(), text))
        ends += [{"row": name, "wave": wave, "health": level} for wave, level in levels.items()]
    return spans(frame, rows, ends, "wave") if rows else None


# --- groups of respondents -------------------------------------------------------------------------------------------


def backgrounds(diagnosis: Diagnosis) -> list[str]:
    """The background fields that scores are broken down by."""
    return list(dict.fromkeys(str(name) for name in diagnosis.segments["background"].dropna()))


def segment_rows(frame: Frame, background: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Dimensions of the whole organisation with the levels of each category at the last wave, widest spread first."""
    table = frame.diagnosis.segments
    whole = table[(table["background"] == background) & table["unit"].isna() & table["health"].notna()]
    found: dict[tuple[Any, ...], dict[Any, list[dict[str, Any]]]] = {}
    for record in whole.to_dict("records"):
        row = {str(key): blank_to_none(value) for key, value in record.items()}
        key = (row["instrument"], row["form"], row["dimension"])
        found.setdefault(key, {}).setdefault(row["wave"], []).append(row)
    rows = [(waves[max(waves, key=str)][0], waves[max(waves, key=str)]) for waves in found.values()]
    rows = [(row, levels) for row, levels in rows if len(levels) > 1]
    return sorted(rows, key=lambda entry: -spread(entry[1]))


def segments(frame: Frame, background: str) -> Spec | None:
    """Levels of the categories of one background field, a row a dimension."""
    labels = frame.labels
    rows: list[Spec] = []
    ends: list[Spec] = []
    for row, levels in segment_rows(frame, background)[:MAXIMUM_ROWS]:
        title = labels.dimension(row["instrument"], row["dimension"])
        name = _row_name(
            rows, title, labels.aside(labels.instrument(row["instrument"]), labels.value("rater", row["rater"]))
        )
        text = labels.say("chart.spread_value", spread=labels.number(spread(levels)))
        rows.append(_span(labels, name, [level["health"] for level in levels], text))
        ends += [{"row": name, "category": labels.category(background, level["category"]), "health": level["health"]}
                 for level in levels]  # fmt: skip
    return spans(frame, rows, ends, "category") if rows else None


def spread(levels: Sequence[Mapping[str, Any]]) -> float:
    """The highest level less the lowest, in points."""
    healths = [float(level["health"]) for level in levels]
    return max(healths) - min(healths)


# --- indexes ---------------------------------------------------------------------------------------------------------


def index_rows(frame: Frame, name: str) -> list[dict[str, Any]]:
    """What is drawn of an index: the whole organisation first, then the units."""
    look, table = INDEXES[name], frame.diagnosis.indexes
    inside = table[(table["index"] == name) & table["estimate"].notna()]
    rows = [{str(key): blank_to_none(value) for key, value in row.items()} for row in inside.to_dict("records")]
    rows = [row for row in rows if (not look.parts or row["part"] in look.parts) and row["part"] not in look.without]
    if not look.units and any(row["unit"] is None for row in rows):
        rows = [row for row in rows if row["unit"] is None]
    return sorted(rows, key=lambda row: row["unit"] is not None)


def index(frame: Frame, name: str) -> Spec | None:
    """One index with its intervals: of the whole organisation and of each unit."""
    look, labels = INDEXES[name], frame.labels
    found = index_rows(frame, name)[:MAXIMUM_ROWS]
    if not found:
        return None
    show = getattr(labels, _SHOWN_AS[look.metric])
    factor = 100.0 if look.metric == "share" else 1.0
    several = len({row["part"] for row in found}) > 1
    records: list[Spec] = []
    for row in found:
        title = _row_name(records, labels.unit(row["unit"]), labels.part(name, row["part"]) if several else "")
        text = show(row["estimate"])
        if row["ci_low"] is not None and row["ci_high"] is not None:
            text = labels.say("chart.difference_value", difference=text, low=show(row["ci_low"]),
                              high=show(row["ci_high"]))  # fmt: skip
        if row["verdict"] is not None:
            text += f"\n{labels.value('verdict', row['verdict'])}"
        low, high = (None if row[end] is None else factor * row[end] for end in ("ci_low", "ci_high"))
        records.append({"row": title, "value": factor * row["estimate"], "low": low, "high": high,
                        "text": text, "whole": row["unit"] is None})  # fmt: skip
    return marks.chart(_intervals(frame, look, name, records))


def index_text(labels: Labels, name: str, value: float) -> str:
    """The value of an index in what it counts."""
    return str(getattr(labels, _SHOWN_AS[INDEXES[name].metric])(value))


def _intervals(frame: Frame, look: Index, name: str, records: list[Spec]) -> Spec:
    x = _index_axis(frame, look, name, records)
    low = {**x, "field": "low"}
    names = [record["row"] for record in records]
    y = marks.band_scale("row", names)
    band = None if look.band is None else (100 * look.band[0], 100 * look.band[1])
    if look.metric == "points":
        band = (-smallest_gap(frame.diagnosis), smallest_gap(frame.diagnosis)) if name == "say_do" else None
    edges = [] if band is None else [{"low": band[0], "high": band[1]}]
    spanned = [record for record in records if record["low"] is not None and record["high"] is not None]
    colour, zero = frame.theme.primary, [{"value": 0}] if look.metric == "points" else []
    layers = [
        mark("rect", edges, {"x": low, "x2": {"field": "high"}}, color=BAND, opacity=0.85),
        mark("rule", zero, {"x": x}, color=INK, strokeWidth=1.2),
        mark("rule", spanned, {"y": y, "x": low, "x2": {"field": "high"}}, color=colour, strokeWidth=2.2),
        mark("point", [record for record in records if not record["whole"]], {"y": y, "x": x}, shape="circle", size=110,
             fill="white", stroke=colour, strokeWidth=1.8, opacity=1),
        mark("point", [record for record in records if record["whole"]], {"y": y, "x": x}, shape="square", size=120,
             fill=colour, stroke=colour, opacity=1),
        marks.beside(records, y, WIDE + 12, "text"),
        *marks.row_labels(names, bold=True, strong=(frame.labels.unit(None),)),
    ]  # fmt: skip
    return {"layer": layers, "width": WIDE, "height": {"step": 44}}


def _index_axis(frame: Frame, look: Index, name: str, records: Sequence[Mapping[str, Any]]) -> Spec:
    title = frame.labels.say(f"index.{name}.axis")
    axis: dict[str, Any]
    if look.metric == "level":
        domain, axis = [0.0, 100.0], {"values": [0, 20, 40, 60, 80, 100]}
    elif look.metric == "share":
        most = max([100.0, *(r["high"] or r["value"] for r in records)])
        domain, axis = [0.0, most], {"tickCount": 6}
    else:
        reach = [abs(v) for r in records for v in (r["value"], r["low"], r["high"]) if v is not None]
        limit = 1.04 * max([10.0, *reach])
        domain, axis = [-limit, limit], {"tickCount": 9}
    return {"field": "value", "type": "quantitative", "scale": {"domain": domain, "nice": False},
            "axis": {"title": title, "gridColor": BAND, **axis}}  # fmt: skip


# --- rows ------------------------------------------------------------------------------------------------------------


def _row_name(rows: Sequence[Mapping[str, Any]], first: str, second: str) -> str:
    """A name of one or two lines that no earlier row has."""
    lines = [shorten(first, 42), *([shorten(second, 46)] if second else [])]
    return distinct([*(row["row"] for row in rows), "\n".join(lines)])[-1]


def _span(labels: Labels, name: str, levels: Any, text: str) -> Spec:
    values = list(levels)
    low, high = min(values), max(values)
    return {"row": name, "low": low, "high": high, "low_text": labels.number(low, 0),
            "high_text": labels.number(high, 0), "difference": text}  # fmt: skip


def _named(field: str) -> Spec:
    return {"field": field, "type": "nominal"}
