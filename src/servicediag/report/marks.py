"""Pieces of Vega-Lite charts: marks with their own data, labels, heads and keys, none of which holds an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from servicediag.report.plain_text import display_width
from servicediag.report.publication import blank_to_none
from servicediag.report.theme import FONT_STACK
from servicediag.wording.numbers import MINUS, number_format

__all__ = [
    "BAND", "INK", "LABEL", "LINE", "MUTED", "RULE", "STRIPE", "Records", "band_scale", "beside", "chart", "constant",
    "gradient_key", "heading", "heads_above", "legend", "mark", "row_labels", "symbol_key", "unscaled",
]  # fmt: skip

Records = Sequence[Mapping[str, Any]]
INK, MUTED, RULE, BAND, STRIPE = "#1a1a1a", "#4d4d4d", "#808080", "#e4e4e4", "#f4f4f4"
LABEL, LINE = 12, 15
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def chart(view: Mapping[str, Any]) -> dict[str, Any]:
    """A complete chart: the view with the look that all charts share."""
    axis = {"labelColor": INK, "titleColor": MUTED, "labelFontSize": LABEL, "titleFontSize": LABEL,
            "titleFontWeight": 400, "titlePadding": 8, "labelLimit": 0, "titleLimit": 0}  # fmt: skip
    config = {
        "font": FONT_STACK, "lineBreak": "\n", "background": "white", "padding": 4, "view": {"stroke": None},
        "axis": axis, "legend": {"labelFontSize": LABEL, "labelColor": INK}, "text": {"lineBreak": "\n"},
    }  # fmt: skip
    return {"$schema": _SCHEMA, **view, "config": config}


def in_language(specification: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The chart with the numbers of its axes as that language writes them."""
    style = number_format(language)
    written = {"decimal": style.decimal, "thousands": style.group, "grouping": [3], "currency": ["", ""],
               "minus": MINUS, "percent": style.percent}  # fmt: skip
    config = {**specification.get("config", {}), "locale": {"number": written}}
    return {**specification, "config": config}


def mark(kind: str, records: Records, encoding: Mapping[str, Any], **style: Any) -> dict[str, Any]:
    """One layer: marks of that kind for those records. Data stay data: values are never read as expressions."""
    values = [{name: blank_to_none(value) for name, value in record.items()} for record in records]
    return {"data": {"values": values}, "mark": {"type": kind, **style},
            "encoding": dict(encoding)}  # fmt: skip


def band_scale(field: str, names: Sequence[str]) -> dict[str, Any]:
    """A position for each name, in that order, without an axis."""
    return {"field": field, "type": "nominal", "scale": {"domain": list(names)}, "axis": None}


def constant(value: Any) -> dict[str, Any]:
    """The same value for every mark, in pixels or as it is."""
    return {"value": value}


def unscaled(field: str) -> dict[str, Any]:
    """A colour that the records themselves give."""
    return {"field": field, "type": "nominal", "scale": None}


def _text(field: str) -> dict[str, Any]:
    return {"field": field, "type": "nominal"}


def legend() -> dict[str, Any]:
    """A legend below the chart, in one line."""
    return {"title": None, "orient": "bottom", "direction": "horizontal", "labelLimit": 420, "symbolSize": 110}


def row_labels(names: Sequence[str], *, bold: bool = False, strong: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Names left of the rows, of one or two lines, centred on the row, which axis labels cannot be.

    ``bold`` sets the first of two lines bold; ``strong`` are names that are bold as a whole.
    """
    style = {"align": "right", "fontSize": LABEL, "color": INK, "limit": 0}
    placed = {"y": band_scale("row", names), "x": constant(-10), "text": _text("line")}
    layers = []
    for lines, part, shift in ((1, 0, 0.0), (2, 0, -LINE / 2), (2, 1, LINE / 2)):
        for heavy in (False, True):
            chosen = [
                {"row": name, "line": name.split("\n")[part]} for name in names
                if name.count("\n") == lines - 1 and heavy == (name in strong or (bold and lines == 2 and part == 0))
            ]  # fmt: skip
            if chosen:
                layers.append(mark("text", chosen, placed, dy=shift, fontWeight=700 if heavy else 400, **style))
    return layers


def heads_above(heads: Sequence[str], x: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Column heads of one to three lines that end just above the cells."""
    layers = []
    for lines in sorted({head.count("\n") + 1 for head in heads}):
        chosen = [{"column": head} for head in heads if head.count("\n") + 1 == lines]
        encoding = {"x": x, "y": constant(-7), "text": _text("column")}
        layers.append(mark("text", chosen, encoding, baseline="bottom", dy=-(lines - 1) * LINE, lineHeight=LINE,
                           fontSize=LABEL, color=INK, limit=0))  # fmt: skip
    return layers


def heading(text: str, colour: str, lift: float = 0.0) -> dict[str, Any]:
    """A heading above column heads that are ``lift`` pixels higher than one line."""
    encoding = {"x": constant(0), "y": constant(-(16 + LINE + lift)), "text": _text("title")}
    return mark("text", [{"title": text}], encoding, align="left", baseline="bottom", fontSize=13, fontWeight=700,
                color=colour, limit=0)  # fmt: skip


def beside(records: Records, y: Mapping[str, Any], left: float, field: str) -> dict[str, Any]:
    """A text of one or two lines at the right end of every row, centred on the row."""
    encoding = {"y": y, "x": constant(left), "text": _text(field)}
    two_lines = any("\n" in str(record[field]) for record in records)
    return mark("text", records, encoding, align="left", fontSize=LABEL, color=INK, limit=0, lineHeight=LINE,
                dy=-LINE / 2 if two_lines else 0)  # fmt: skip


def symbol_key(entries: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Symbols with their meaning in one line: (shape, fill, text)."""
    layers, left = [], 8.0
    for shape, fill, text in entries:
        record = [{"text": text}]
        symbol = {"x": constant(left), "y": constant(10)}
        layers.append(
            mark("point", record, symbol, shape=shape, size=90, fill=fill, stroke=INK, strokeWidth=1.4, opacity=1)
        )
        words = {"x": constant(left + 10), "y": constant(10), "text": _text("text")}
        layers.append(mark("text", record, words, align="left", fontSize=LABEL, color=INK, limit=0))
        left += 34 + 6.4 * display_width(text)
    return {"layer": layers, "width": int(left), "height": 20}


def gradient_key(title: str, colours: Sequence[str], ticks: Mapping[int, str]) -> dict[str, Any]:
    """A strip of neighbouring colours with numbers beneath; ``ticks`` maps the position of a colour to its number."""
    step, height, top = 5, 16, 22
    strip = [{"left": i * step, "right": (i + 1) * step + 0.7, "colour": colour} for i, colour in enumerate(colours)]
    scale = {"domain": [0, len(colours) * step], "range": [0, len(colours) * step]}
    axis = {"type": "quantitative", "scale": scale, "axis": None}
    numbers = [{"middle": (position + 0.5) * step, "number": text} for position, text in ticks.items()]
    layers = [
        mark(
            "text",
            [{"title": title}],
            {"x": constant(0), "y": constant(8), "text": _text("title")},
            align="left",
            fontSize=LABEL,
            color=MUTED,
            limit=0,
        ),
        mark(
            "rect",
            strip,
            {
                "x": {"field": "left", **axis},
                "x2": {"field": "right"},
                "y": constant(top),
                "y2": constant(top + height),
                "fill": unscaled("colour"),
            },
        ),
        mark(
            "text",
            numbers,
            {"x": {"field": "middle", **axis}, "y": constant(top + height + 12), "text": _text("number")},
            fontSize=LABEL,
            color=INK,
        ),
    ]
    return {"layer": layers, "width": len(colours) * step, "height": top + height + 20}
