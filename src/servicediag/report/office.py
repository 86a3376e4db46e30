"""Office files with the same bytes for the same content, in the fonts and colours of a theme."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from typing import Any
from xml.sax.saxutils import quoteattr

from servicediag.report.theme import Theme
from servicediag.report.version import package_version

__all__ = [
    "CREATED",
    "FONT",
    "describe",
    "east_asian_font",
    "need",
    "packed",
    "property_text",
    "set_properties",
    "themed",
]

CREATED = datetime(2000, 1, 1)
"""Written into every file, so that no file tells when it was made, and equal content gives equal bytes."""
FONT = "Arial"
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LONGEST_PROPERTY = 200


def need(module: str, extra: str, what: str) -> None:
    """Refuse, in words that help, where an optional dependency is not installed.

    Raises
    ------
    ImportError
        The module is missing; the message names the extra that brings it.

    Examples
    --------
    >>> need("no_such_module", "slides", "Slides")
    Traceback (most recent call last):
    ...
    ImportError: Slides need a package that is not installed; run: pip install "servicediag[slides]"
    """
    if find_spec(module) is None:
        raise ImportError(f'{what} need a package that is not installed; run: pip install "servicediag[{extra}]"')


def packed(save: Callable[[io.BytesIO], Any]) -> bytes:
    """What ``save`` writes, packed again without the times at which its parts were made."""
    source, target = io.BytesIO(), io.BytesIO()
    save(source)
    with zipfile.ZipFile(source) as parts, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts.infolist():
            entry = zipfile.ZipInfo(part.filename, _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 0
            archive.writestr(entry, parts.read(part))
    return target.getvalue()


def set_properties(properties: Any, theme: Theme, *, title: str, subject: str, language: str) -> None:
    """Title, makers and language of a document or a presentation; nothing of the template remains."""
    author = theme.prepared_by or theme.organisation or "servicediag"
    properties.title, properties.subject = property_text(title), property_text(subject)
    properties.author = properties.last_modified_by = property_text(author)
    properties.comments, properties.language = f"servicediag {package_version()}", language
    properties.category = properties.keywords = properties.content_status = ""
    properties.created = properties.modified = properties.last_printed = CREATED
    properties.revision = 1


def property_text(text: str) -> str:
    """Text as a property of a file holds it."""
    return text if len(text) <= _LONGEST_PROPERTY else text[: _LONGEST_PROPERTY - 1] + "…"


def describe(drawing: Any, text: str, title: str = "") -> None:
    """Give a picture, chart or table its alt text; ``drawing`` is the element that carries name and id."""
    drawing.set("descr", text)
    if title:
        drawing.set("title", title)


def east_asian_font(language: str) -> str:
    """The font for Chinese, Japanese and Korean letters; programs take another one where it is not installed."""
    return "Yu Gothic" if language.startswith("ja") else "Microsoft YaHei"


def themed(xml: bytes, theme: Theme, language: str) -> bytes:
    """An Office theme with our colours and fonts, so that what a person adds later looks like the rest."""
    from lxml import etree

    root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    space = {"a": "http://schemas.openxmlformats.org/drawingml/2006/main"}
    colours = {"dk2": theme.primary, "accent1": theme.primary, "accent2": theme.accent, "hlink": theme.primary}
    for name, colour in colours.items():
        for slot in root.iterfind(f".//a:clrScheme/a:{name}", space):
            slot.clear()
            slot.append(etree.fromstring(
                f'<a:srgbClr xmlns:a="{space["a"]}" val={quoteattr(colour[1:].upper())}/>'))  # fmt: skip
    for kind, font in (("latin", FONT), ("ea", east_asian_font(language))):
        for slot in root.iterfind(f".//a:fontScheme/*/a:{kind}", space):
            slot.attrib.clear()
            slot.set("typeface", font)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))
