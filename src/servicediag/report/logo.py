"""The logo of a theme: a small PNG or SVG picture that holds nothing active and loads nothing."""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass, field
from xml.etree import ElementTree

__all__ = ["MAXIMUM_LOGO_BYTES", "MAXIMUM_LOGO_PIXELS", "MINIMUM_LOGO_PIXELS", "Logo"]

MAXIMUM_LOGO_BYTES = 500_000
MINIMUM_LOGO_PIXELS, MAXIMUM_LOGO_PIXELS = 16, 4000
"""Bounds of width and height; a logo is printed about 2 cm high."""
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PASSIVE = frozenset(
    [
        "svg",
        "g",
        "defs",
        "title",
        "desc",
        "metadata",
        "symbol",
        "use",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "tspan",
        "linearGradient",
        "radialGradient",
        "stop",
        "clipPath",
        "mask",
        "pattern",
        "style",
    ]
)
"""Elements of SVG that draw and do nothing else."""
_MOST_DRAWN, _DEEPEST = 20_000, 40
"""Shapes that an SVG draws, those that come again counted again, and how deep they are nested."""
_REFERENCE = re.compile(r"url\(\s*['\"]?#([^)'\"]*)")
_SVG, _HTML = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xhtml}"
_LENGTH = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(px|pt|mm|cm|in)?\s*\Z")
_PIXELS = {"px": 1.0, "pt": 96 / 72, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_LOADING = re.compile(r"@import|url\(\s*['\"]?(?!#)|expression\(|\\", re.IGNORECASE)


@dataclass(frozen=True)
class Logo:
    """A picture that reports embed.

    Attributes
    ----------
    content : bytes
        The file: PNG, or SVG that draws only shapes and text, at most 500 kB, each side 16 to 4000 pixels.
    kind : {"png", "svg"}
    width, height : float
        In pixels.

    Raises
    ------
    ValueError
        The picture is too large or too small, of another kind, or an SVG that loads or does something.

    Examples
    --------
    >>> Logo(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="120" height="40"/></svg>')
    Logo(kind='svg', width=120.0, height=40.0)
    >>> Logo(b"GIF89a")
    Traceback (most recent call last):
    ...
    ValueError: the logo is neither a PNG nor an SVG picture
    """

    content: bytes = field(repr=False)
    kind: str = field(init=False)
    width: float = field(init=False)
    height: float = field(init=False)

    def __post_init__(self) -> None:
        if len(self.content) > MAXIMUM_LOGO_BYTES:
            raise ValueError(f"the logo has {len(self.content):,} bytes; at most {MAXIMUM_LOGO_BYTES:,} are embedded")
        is_png = self.content.startswith(_PNG_START)
        width, height = _png_size(self.content) if is_png else _svg_size(self.content)
        if not all(MINIMUM_LOGO_PIXELS <= side <= MAXIMUM_LOGO_PIXELS for side in (width, height)):
            raise ValueError(
                f"the logo has {width:g} x {height:g} pixels; each side must have {MINIMUM_LOGO_PIXELS} to "
                f"{MAXIMUM_LOGO_PIXELS}"
            )
        for name, value in (("kind", "png" if is_png else "svg"), ("width", width), ("height", height)):
            object.__setattr__(self, name, value)

    def png(self) -> bytes:
        """The picture as PNG, which every office program shows."""
        if self.kind == "png":
            return self.content
        from vl_convert import svg_to_png

        # at least 400 pixels wide, so that it is sharp in print
        scale = max(1.0, 400 / self.width)
        return bytes(svg_to_png(self.content.decode("utf-8"), scale=scale))

    def data_uri(self) -> str:
        """The picture as the address of an image in a page."""
        media = {"png": "image/png", "svg": "image/svg+xml"}[self.kind]
        return f"data:{media};base64,{base64.b64encode(self.content).decode('ascii')}"

    def fit(self, width: float, height: float) -> tuple[float, float]:
        """Width and height of the picture within a box, its shape kept.

        Examples
        --------
        >>> Logo(b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50"/>').fit(100, 100)
        (100.0, 25.0)
        """
        scale = min(width / self.width, height / self.height)
        return self.width * scale, self.height * scale


def _png_size(content: bytes) -> tuple[float, float]:
    if len(content) < 45 or content[12:16] != b"IHDR" or b"IEND" not in content[-16:]:
        raise ValueError("the logo is a damaged PNG picture")
    width, height = struct.unpack(">II", content[16:24])
    return float(width), float(height)


def _svg_size(content: bytes) -> tuple[float, float]:
    root = _svg_root(content)
    _refuse_active(root)
    _refuse_endless(root)
    sides = [_pixels(root.get(name)) for name in ("width", "height")]
    if None in sides:
        box = (root.get("viewBox") or "").replace(",", " ").split()
        try:
            sides = [float(box[2]), float(box[3])]
        except (IndexError, ValueError):
            raise ValueError("the logo has neither width and height nor a viewBox") from None
    return float(sides[0] or 0), float(sides[1] or 0)


def _svg_root(content: bytes) -> ElementTree.Element:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if "<svg" not in text:
        raise ValueError("the logo is neither a PNG nor an SVG picture")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("the logo declares a document type, which could make it load files; save it as plain SVG")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"the logo is a damaged SVG picture: {error}") from None
    if _local(root.tag) != "svg":
        raise ValueError("the logo is neither a PNG nor an SVG picture")
    return root


def _refuse_active(root: ElementTree.Element) -> None:
    for element in root.iter():
        name = _local(element.tag)
        # drawing programs add elements of their own, which nobody else reads
        foreign = element.tag.startswith("{") and not element.tag.startswith(_SVG)
        if name not in _PASSIVE and (not foreign or element.tag.startswith(_HTML)):
            raise ValueError(f"the logo holds <{name}>; only shapes and text are embedded")
        if name == "style" and _LOADING.search(element.text or ""):
            raise ValueError("the logo's style loads something; only shapes and text are embedded")
        for attribute, value in element.attrib.items():
            key = _local(attribute).lower()
            if key.startswith("on") or (key in ("href", "src") and not value.startswith("#")) or _LOADING.search(value):
                raise ValueError(f"the logo's <{name}> has {key}={value[:40]!r}; only shapes and text are embedded")


def _refuse_endless(root: ElementTree.Element) -> None:
    """Refuse what takes a renderer long or leads it deep: shapes that hold or repeat others which do so themselves."""
    named: dict[str, ElementTree.Element] = {}
    for element in root.iter():
        named.setdefault(element.get("id", ""), element)
    sizes: dict[ElementTree.Element, tuple[int, int]] = {}

    def size(element: ElementTree.Element, level: int) -> tuple[int, int]:
        """Shapes that an element draws, and the levels in which they are nested."""
        if element not in sizes:
            inside = [*element, *(named[name] for name in _referred(element) if name in named)]
            found = [size(one, level + 1) for one in inside] if level <= _DEEPEST else [(0, _DEEPEST)]
            sizes[element] = 1 + sum(n for n, _ in found), 1 + max((levels for _, levels in found), default=0)
        n, levels = sizes[element]
        if levels > _DEEPEST:
            raise ValueError(f"the logo's shapes are nested in more than {_DEEPEST} levels, or in themselves")
        if n > _MOST_DRAWN:
            raise ValueError(f"the logo draws more than {_MOST_DRAWN:,} shapes; give a simpler picture")
        return n, levels

    size(root, 1)


def _referred(element: ElementTree.Element) -> list[str]:
    """Ids of the elements that an element draws as well."""
    found = []
    for attribute, value in element.attrib.items():
        if _local(attribute) == "href" and value.startswith("#"):
            found.append(value[1:])
        found += _REFERENCE.findall(value)
    return found


def _local(name: str) -> str:
    return str(name).rpartition("}")[2]


def _pixels(length: str | None) -> float | None:
    found = _LENGTH.match(length or "")
    return float(found[1]) * _PIXELS[found[2] or "px"] if found else None
