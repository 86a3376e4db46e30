"""From a chart to an inline SVG that says its finding to those who cannot see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import vl_convert

from servicediag.report.charts import WITHHELD_FILL
from servicediag.report.plain_text import clean
from servicediag.report.theme import FONT_STACK

__all__ = ["to_svg"]

_DROPPED = ("class", "role", "pointer-events", "font-family", "display", "href")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
"""A tenth of a pixel is enough for a drawing, and a third of the page's size."""
_GEOMETRY = frozenset({"d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "dy", "font-size"})
_HATCH = "M0,6L6,0M-1.5,1.5L1.5,-1.5M4.5,7.5L7.5,4.5"


def to_svg(chart: Mapping[str, Any], *, figure: str, title: str, description: str) -> str:
    """The chart as one ``<svg role="img">`` element with title and description, for use inside a page.

    Marks of single values lose their own accessible names: the description and the table beneath the figure say
    the same. Nothing in it refers to anything outside the element.

    Parameters
    ----------
    chart : mapping
        A Vega-Lite specification with its data.
    figure : str
        Identifier of the figure, unique in the page.
    title, description : str
        What the figure shows, in plain text; both are cleaned and escaped here.
    """
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(dict(chart), allowed_base_urls=[]))
    for element in root.iter():
        _simplify(element, figure)
    _drop_invisible(root)
    size = {name: root.attrib[name] for name in ("width", "height", "viewBox")}
    root.attrib.clear()
    root.attrib.update(size)
    root.attrib.update({"role": "img", "aria-labelledby": f"{figure}-title {figure}-desc", "font-family": FONT_STACK})
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, {"id": f"{figure}-{tag}"})
        element.text = clean(text)
        root.insert(position, element)
    root.insert(2, _hatch(f"{figure}-hatch"))
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _simplify(element: Any, figure: str) -> None:
    """Without namespaces, accessible names of single marks and handlers; withheld cells get the figure's hatch."""
    element.tag = element.tag.rpartition("}")[2]
    for name, value in list(element.attrib.items()):
        idle = name == "opacity" and value == "1"
        if idle or "}" in name or name in _DROPPED or name.startswith(("aria-", "on")):
            del element.attrib[name]
        elif value == WITHHELD_FILL:
            element.attrib[name] = f"url(#{figure}-hatch)"
        elif name in _GEOMETRY:
            element.attrib[name] = _LONG_NUMBER.sub(_short, value)


def _short(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _drop_invisible(root: Any) -> None:
    """Leave out the empty and unpainted paths that frame every group."""
    painted = ("fill", "stroke")
    for parent in root.iter():
        for child in list(parent):
            bare = child.tag == "path" and not any(name in child.attrib for name in painted)
            if bare or (child.tag == "g" and not len(child)):
                parent.remove(child)


def _hatch(identifier: str) -> Any:
    definitions = ElementTree.Element("defs")
    box = {"width": "6", "height": "6"}
    pattern = ElementTree.SubElement(
        definitions, "pattern", {"id": identifier, "patternUnits": "userSpaceOnUse", **box}
    )
    ElementTree.SubElement(pattern, "rect", {**box, "fill": "#ffffff"})
    ElementTree.SubElement(pattern, "path", {"d": _HATCH, "stroke": "#c9c9c9", "stroke-width": "0.8"})
    return definitions
