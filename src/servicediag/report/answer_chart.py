"""Diverging bars of the answers to each item, the middle of the scale set apart (Heiberger and Robbins, 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servicediag.report import marks
from servicediag.report.answers import Bar, Block, Questionnaire
from servicediag.report.charts import Frame, Spec
from servicediag.report.labels import Labels
from servicediag.report.marks import INK, RULE, constant, mark
from servicediag.report.plain_text import distinct, shorten, wrap
from servicediag.report.theme import Theme, mix, readable_on

__all__ = ["answers", "side_colours"]

_TEXT_COLUMNS, _ROW_HEIGHT, _WIDTH = 58, 34, 560
_READABLE = 26
"""Width in pixels from which a per cent fits into a segment."""
MIDDLE = "#bdbdbd"


def answers(frame: Frame, questionnaire: Questionnaire) -> Spec | None:
    """Unfavourable answers to the left of zero, favourable ones to the right, the middle in a strip of its own.

    One panel for each response scale and direction; the per cent stands in every segment that has room for it.
    """
    panels = [_panel(frame, questionnaire.instrument, block) for block in questionnaire.blocks]
    return marks.chart({"vconcat": panels, "spacing": 30}) if panels else None


def side_colours(theme: Theme, options: int) -> list[str]:
    """A colour for each answer from the least to the most favourable; the ends are dark, the middle is grey."""
    half = options // 2
    shades = [1 - 0.55 * step / max(1, half - 1) if half > 1 else 1.0 for step in range(half)]
    low = [mix(theme.accent, "#ffffff", shade) for shade in shades]
    high = [mix(theme.primary, "#ffffff", shade) for shade in reversed(shades)]
    return [*low, *([MIDDLE] if options % 2 else []), *high]


def _panel(frame: Frame, instrument: str, block: Block) -> Spec:
    names, headings, bars = _rows(frame, instrument, block)
    colours = side_colours(frame.theme, len(block.options))
    half = len(block.options) // 2
    left = max([0.1, *(sum(bar.shares[:half]) for bar in block.bars)])
    right = max([0.1, *(sum(bar.shares[len(bar.shares) - half :]) for bar in block.bars)])
    middle = max([0.1, *(bar.shares[half] for bar in block.bars)]) if block.has_middle else 0.0
    pixels = _WIDTH / (left + right + middle)
    sides, centre = _segments(frame.labels, bars, colours, pixels)
    y = marks.band_scale("row", names)
    height = {"step": _ROW_HEIGHT}
    main = {
        "layer": [*_drawn(sides, y, (-left, right), pixels), _zero(), *marks.row_labels(names, strong=headings)],
        "width": pixels * (left + right), "height": height,
    }  # fmt: skip
    strips: list[Spec] = [main]
    if block.has_middle:
        heading = marks.heading(shorten(block.options[half], 32), INK, -18)
        layers = [*_drawn(centre, y, (0.0, middle), pixels), heading]
        strips.append({"layer": layers, "width": pixels * middle, "height": height})
    entries = [("square", colour, option) for option, colour in zip(block.options, colours, strict=True)]
    return {"vconcat": [{"hconcat": strips, "spacing": 26}, marks.symbol_key(entries)], "spacing": 6}


def _rows(frame: Frame, instrument: str, block: Block) -> tuple[list[str], list[str], list[tuple[str, Bar]]]:
    """Names of all rows in order, those that only head a dimension, and the bars with their names."""
    entries: list[tuple[str, Bar | None]] = []
    for position, bar in enumerate(block.bars):
        if position == 0 or bar.dimension != block.bars[position - 1].dimension:
            entries.append((shorten(frame.labels.dimension(instrument, bar.dimension), _TEXT_COLUMNS), None))
        entries.append((wrap(bar.text, _TEXT_COLUMNS), bar))
    names = distinct(name for name, _ in entries)
    paired = [(name, bar) for name, (_, bar) in zip(names, entries, strict=True)]
    return names, [name for name, bar in paired if bar is None], [(n, b) for n, b in paired if b is not None]


def _segments(
    labels: Labels, bars: Sequence[tuple[str, Bar]], colours: Sequence[str], pixels: float
) -> tuple[list[Spec], list[Spec]]:
    """Segments of the two sides, from zero outwards, and those of the middle."""
    half = len(colours) // 2
    sides: list[Spec] = []
    centre: list[Spec] = []
    for name, bar in bars:
        edge = 0.0
        for position in reversed(range(half)):
            sides.append(_segment(name, edge - bar.shares[position], edge, bar.shares[position], colours[position]))
            edge -= bar.shares[position]
        edge = 0.0
        for position in range(len(colours) - half, len(colours)):
            sides.append(_segment(name, edge, edge + bar.shares[position], bar.shares[position], colours[position]))
            edge += bar.shares[position]
        if len(colours) % 2:
            centre.append(_segment(name, 0.0, bar.shares[half], bar.shares[half], colours[half]))
    for segment in (*sides, *centre):
        segment["text"] = labels.percent(segment["share"]) if pixels * segment["share"] >= _READABLE else ""
    return sides, centre


def _segment(name: str, low: float, high: float, share: float, colour: str) -> Spec:
    return {"row": name, "low": low, "high": high, "place": (low + high) / 2, "share": share, "shade": colour,
            "ink": readable_on(colour)}  # fmt: skip


def _drawn(segments: Sequence[Spec], y: Spec, domain: tuple[float, float], pixels: float) -> list[Spec]:
    scale: dict[str, Any] = {"domain": list(domain), "nice": False, "zero": False,
                             "range": [0, pixels * (domain[1] - domain[0])]}  # fmt: skip
    low = {"field": "low", "type": "quantitative", "scale": scale, "axis": None}
    place = {**low, "field": "place"}
    shown = [segment for segment in segments if segment["share"] > 0]
    told = [segment for segment in shown if segment["text"]]
    text = {"field": "text", "type": "nominal"}
    return [
        mark("rect", shown, {"y": y, "x": low, "x2": {"field": "high"}, "fill": marks.unscaled("shade")},
             stroke="white", strokeWidth=1, height=20),
        mark("text", told, {"y": y, "x": place, "text": text, "color": marks.unscaled("ink")}, fontSize=11),
    ]  # fmt: skip


def _zero() -> Spec:
    encoding = {"x": {"field": "place", "type": "quantitative"}, "y": constant(0), "y2": constant("height")}
    return mark("rule", [{"place": 0}], encoding, color=RULE, strokeWidth=1.2)
