"""Which plural form of a text goes with a number, by the rules of Unicode CLDR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

__all__ = ["CATEGORIES", "category"]

CATEGORIES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "en": ("one", "other"),
    "es": ("one", "other"),
    "ru": ("one", "few", "many", "other"),
    "zh-Hans": ("other",),
})  # fmt: skip
"""The plural forms that texts have in each language; of Spanish without *many*, which speaks of millions."""


def category(count: float, language: str) -> str:
    """The plural form for a number.

    Raises
    ------
    ValueError
        The plural rules of that language are not known.

    Examples
    --------
    >>> [category(count, "ru") for count in (1, 3, 5, 11, 21, 2.5)]
    ['one', 'few', 'many', 'many', 'one', 'other']
    >>> category(1, "en"), category(2, "es"), category(1, "zh-Hans")
    ('one', 'other', 'other')
    """
    if language not in _RULES:
        raise ValueError(f"language={language!r} has no plural rules; choose from {', '.join(_RULES)}")
    return _RULES[language](count)


def _one_or_other(count: float) -> str:
    return "one" if count == 1 else "other"


def _russian(count: float) -> str:
    if count != int(count):
        return "other"
    tens, ones = abs(int(count)) % 100, abs(int(count)) % 10
    if ones == 1 and tens != 11:
        return "one"
    return "few" if ones in (2, 3, 4) and tens not in (12, 13, 14) else "many"


_RULES: Mapping[str, Callable[[float], str]] = {
    "en": _one_or_other,
    "es": _one_or_other,
    "ru": _russian,
    "zh-Hans": lambda _: "other",
}
