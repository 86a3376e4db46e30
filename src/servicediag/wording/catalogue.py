"""Look up a fixed text by its key and fill its placeholders, strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from string import Formatter
from types import MappingProxyType
from typing import Any

import yaml

from servicediag.wording.numbers import fixed, localized
from servicediag.wording.plurals import category

__all__ = ["has_text", "keys", "languages", "parse", "placeholders", "text"]

_AREA = re.compile(r"[a-z][a-z_]*\Z")
_QUOTES = MappingProxyType({
    "en": ("“", "”", "‘", "’"), "es": ("«", "»", "“", "”"), "ru": ("«", "»", "„", "“"), "zh-Hans": ("“", "”", "‘", "’"),
})  # fmt: skip
"""Opening and closing marks of a quotation, then of one within it."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?\Z")


def text(key: str, /, language: str = "en", **values: Any) -> str:
    """The fixed text of that key, with its placeholders filled.

    Parameters
    ----------
    key : str
        ``area.path.to.text``; the area names the file, e.g. ``"report.summary.heading"``.
    language : str
        One of :func:`languages`.
    **values
        What goes into the placeholders. Text is inserted as it is, never parsed; numbers are written as the language
        writes them. ``count`` also chooses between the plural forms of a key that has them (``one``, ``other``; in
        Russian also ``few`` and ``many``).

    Raises
    ------
    KeyError
        No such key in that language. There is no silent fallback to another language.
    ValueError
        No such language, or a placeholder has no value.

    Examples
    --------
    >>> text("report.value.tier.established")
    'established'
    >>> text("report.count.findings", count=1), text("report.count.findings", count=3)
    ('1 finding', '3 findings')
    """
    catalogue = _catalogue(key.partition(".")[0], language)
    if key not in catalogue and "count" in values:
        key = f"{key}.{category(values['count'], language)}"
    if key not in catalogue:
        raise KeyError(f"key={key!r} has no text in language {language!r}")
    template = catalogue[key]
    if not _placeholders(template) <= values.keys():
        missing = sorted(_placeholders(template) - values.keys())
        raise ValueError(f"key={key!r} needs values for {', '.join(missing)}")
    told = template.format(**values) if language == "en" else _Filler(language).vformat(template, (), values)
    return nested(told, language) if _quotes(language)[0] in template else told


def nested(told: str, language: str) -> str:
    """A text in which quotations within a quotation have the inner marks of the language.

    Text whose marks do not pair stays as it is.

    Examples
    --------
    >>> nested("«Знаю слово «надо»»", "ru"), nested("“a” and “b”", "en")
    ('«Знаю слово „надо“»', '“a” and “b”')
    """
    opening, closing, inner_opening, inner_closing = _quotes(language)
    if all(closing in part for part in told.split(opening)[1:-1]):
        return told  # none begins within another one
    depth, written = 0, []
    for character in told:
        depth -= character == closing
        if depth < 0:
            return told
        inner = {opening: inner_opening, closing: inner_closing} if depth % 2 else {}
        written.append(inner.get(character, character))
        depth += character == opening
    return told if depth else "".join(written)


def _quotes(language: str) -> tuple[str, str, str, str]:
    return _QUOTES.get(language, _QUOTES["en"])


def has_text(key: str, language: str = "en") -> bool:
    """Whether that key has a text in that language.

    Examples
    --------
    >>> has_text("report.value.tier.established"), has_text("report.value.tier.certain")
    (True, False)
    """
    return key in _catalogue(key.partition(".")[0], language)


def placeholders(key: str) -> frozenset[str]:
    """What the text of that key needs values for, in whatever language; none where there is no such text.

    Examples
    --------
    >>> sorted(placeholders("finding.quote.item"))
    ['text']
    """
    return _placeholders(_catalogue(key.partition(".")[0], "en").get(key, ""))


def keys(area: str, language: str = "en") -> tuple[str, ...]:
    """Every key of an area, in the order of its file."""
    return tuple(_catalogue(area, language))


def languages() -> tuple[str, ...]:
    """Languages that have texts, in alphabetical order.

    Examples
    --------
    >>> "en" in languages()
    True
    """
    folders = (entry.name for entry in files("servicediag.wording").iterdir() if entry.is_dir())
    return tuple(sorted(name for name in folders if _LANGUAGE.match(name)))


def parse(source: str, area: str) -> dict[str, str]:
    """Flatten the YAML of one area into ``{full key: text}``.

    Raises
    ------
    ValueError
        A duplicate key, a value that is no text, or a placeholder that is more than a name.

    Examples
    --------
    >>> parse("tier: {watch: to watch}", "report")
    {'report.tier.watch': 'to watch'}
    """
    tree = yaml.load(source, Loader=_TextLoader)
    if not isinstance(tree, dict):
        raise ValueError(f"wording area={area!r} must be a mapping of keys to texts")
    flat = dict(_flatten(tree, area))
    for key, template in flat.items():
        _check_template(key, template)
    return flat


@lru_cache(maxsize=64)
def _catalogue(area: str, language: str) -> Mapping[str, str]:
    if not isinstance(language, str) or language not in languages():
        raise ValueError(f"language={language!r} has no texts; choose from {', '.join(languages())}")
    file = files("servicediag.wording") / language / f"{area}.yaml"
    if not _AREA.match(area) or not file.is_file():
        raise KeyError(f"area={area!r} has no texts in language {language!r}")
    return MappingProxyType(parse(file.read_text(encoding="utf-8"), area))


class _Filler(Formatter):
    """Fills placeholders, with numbers as a language writes them."""

    def __init__(self, language: str) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        shown = (fixed if isinstance(value, float) and format_spec.endswith("f") else format)(value, format_spec)
        return localized(shown, self._language) if isinstance(value, int | float) else shown


def _flatten(tree: Mapping[Any, Any], prefix: str) -> list[tuple[str, str]]:
    entries: list[tuple[str, str]] = []
    for name, value in tree.items():
        key = f"{prefix}.{name}"
        if isinstance(value, dict):
            entries.extend(_flatten(value, key))
        elif isinstance(value, str) and value:
            entries.append((key, value))
        else:
            raise ValueError(f"{key} must be a text or a mapping of texts")
    if len({key for key, _ in entries}) != len(entries):
        raise ValueError(f"{prefix} spells a key in two ways")
    return entries


@lru_cache(maxsize=2048)
def _placeholders(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)


def _check_template(key: str, template: str) -> None:
    for _, name, specification, conversion in Formatter().parse(template):
        if name is not None and (not name.isidentifier() or conversion or (specification and "{" in specification)):
            raise ValueError(f"{key} has a placeholder that is no plain name: {name!r}")


class _TextLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Every scalar is text, and a key may stand only once."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


def _construct_mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in mapping:
            raise ValueError(f"duplicate key {key!r} in line {key_node.start_mark.line + 1}")
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_TextLoader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
