"""Numbers as the reader of a language writes them: decimal mark, minus sign, groups of digits, per cent, colon."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from types import MappingProxyType
from typing import Any

__all__ = [
    "MINUS", "NumberFormat", "cell_formats", "fixed", "localized", "number", "number_format", "p_value", "percent",
    "percent_text", "probability", "signed",
]  # fmt: skip

MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"
_WRITTEN = re.compile(r"([+-]?)(\d+)(?:\.(\d+))?")
_AS_SPREADSHEETS = Context(prec=400, rounding=ROUND_HALF_UP)
_GROUPED_FROM = 5
"""Digits from which groups of three are set apart."""


@dataclass(frozen=True)
class NumberFormat:
    """How a language writes numbers.

    Attributes
    ----------
    decimal : str
        Between whole and fraction.
    group : str
        Between groups of three digits of numbers of five digits and more; may be empty.
    percent : str
        What follows the number of a percentage, the space before the sign included.
    colon : str
        Between a heading and a number or a sentence on the same line.
    """

    decimal: str
    group: str
    percent: str
    colon: str = ": "


_FORMATS: Mapping[str, NumberFormat] = MappingProxyType({
    "en": NumberFormat(".", "", "%"),
    "es": NumberFormat(",", _SPACE, f"{_SPACE}%"),
    "ru": NumberFormat(",", _SPACE, f"{_SPACE}%"),
    "zh-Hans": NumberFormat(".", "", "%", "："),
})  # fmt: skip


def number_format(language: str) -> NumberFormat:
    """How that language writes numbers.

    Raises
    ------
    ValueError
        The language is not known.
    """
    if language not in _FORMATS:
        raise ValueError(f"language={language!r} has no number format; choose from {', '.join(_FORMATS)}")
    return _FORMATS[language]


def localized(shown: str, language: str) -> str:
    """A text with every number in it, written the English way, as the language writes it, with a true minus sign.

    Examples
    --------
    >>> localized("-18.25", "es"), localized("12000", "ru"), localized("+4.0", "zh-Hans")
    ('−18,25', '12\\xa0000', '+4.0')
    """
    style = number_format(language)

    def written(found: re.Match[str]) -> str:
        sign, whole, fraction = found.groups()
        if style.group and len(whole) >= _GROUPED_FROM:
            whole = f"{int(whole):,}".replace(",", style.group)
        return sign.replace("-", MINUS) + whole + (f"{style.decimal}{fraction}" if fraction else "")

    return _WRITTEN.sub(written, shown)


def fixed(value: float, specification: str) -> str:
    """A number with a fixed count of decimals; halves go away from zero, as in every spreadsheet.

    Examples
    --------
    >>> fixed(62.5, ".0f"), fixed(29.65, ".1f"), fixed(-4.25, "+.1f"), format(62.5, ".0f")
    ('63', '29.7', '-4.3', '62')
    >>> fixed(100 * 0.285, ".0f")
    '29'
    """
    # twelve digits, so that what arithmetic left behind them does not decide over a half
    digits = f"{value:.12g}"
    if not digits.endswith("5"):
        # no half: it rounds alike either way, and this way several times faster
        return format(value, specification)
    with localcontext(_AS_SPREADSHEETS):
        return format(Decimal(digits), specification)


def number(value: Any, decimals: int = 1, language: str = "en") -> str:
    """A number with a true minus sign; empty text where there is none.

    Examples
    --------
    >>> number(-3.14159), number(None), number(-0.04), number(2.5, language="es")
    ('−3.1', '', '0.0', '2,5')
    """
    if value is None or not math.isfinite(value):
        return ""
    shown = fixed(value, f".{decimals}f")
    if not shown.strip("-0."):
        shown = shown.lstrip("-")
    return localized(shown, language)


def signed(value: Any, decimals: int = 1, language: str = "en") -> str:
    """A difference with its sign.

    Examples
    --------
    >>> signed(4), signed(-4), signed(0.0), signed(0.25, 2, "ru")
    ('+4.0', '−4.0', '0.0', '+0,25')
    """
    shown = number(value, decimals, language)
    return f"+{shown}" if shown.strip("0.,") and not shown.startswith(MINUS) else shown


def percent(value: Any, language: str = "en") -> str:
    """A share of 0 to 1 as a percentage.

    Examples
    --------
    >>> percent(0.284), percent(0.284, "es"), percent(None)
    ('28%', '28\\xa0%', '')
    """
    if value is None or not math.isfinite(value):
        return ""
    return percent_text(number(100 * value, 0, language), language)


def percent_text(shown: str, language: str) -> str:
    """A number that is written already, as a percentage.

    Examples
    --------
    >>> percent_text("40", "ru")
    '40\\xa0%'
    """
    return f"{shown}{number_format(language).percent}"


def cell_formats(language: str) -> dict[str, str]:
    """Number formats of spreadsheet cells; the program itself writes the decimal mark of its user.

    Examples
    --------
    >>> cell_formats("en")["share"], cell_formats("es")["probability"]
    ('0%', '[>0.99]"> 0,99";[<0.01]"< 0,01";0.00')
    """
    highest, lowest = localized("> 0.99", language), localized("< 0.01", language)
    space = number_format(language).percent.removesuffix("%")
    return {
        "count": "0", "points": "0.0", "signed": "+0.0;-0.0;0.0", "share": f'0"{space}"%' if space else "0%",
        "p": "0.000", "coefficient": "0.00", "value": "0.00",
        "probability": f'[>0.99]"{highest}";[<0.01]"{lowest}";0.00',
    }  # fmt: skip


def probability(value: Any, language: str = "en") -> str:
    """A probability that never reads as certain: not above ``> 0.99`` and not below ``< 0.01``.

    Examples
    --------
    >>> probability(0.9983), probability(0.25), probability(0.0004, "es")
    ('> 0.99', '0.25', '< 0,01')
    """
    if value is None or not math.isfinite(value):
        return ""
    if value > 0.99:
        return localized("> 0.99", language)
    return localized("< 0.01" if value < 0.01 else fixed(value, ".2f"), language)


def p_value(value: Any, language: str = "en") -> str:
    """An error probability with three decimals, small ones as ``< 0.001``.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00002, "ru")
    ('0.031', '< 0,001')
    """
    if value is not None and value < 0.001:
        return localized("< 0.001", language)
    return number(value, 3, language)
