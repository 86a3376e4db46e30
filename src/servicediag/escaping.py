"""Makes text from data safe for the files it is written to: a spreadsheet never takes it for a formula."""

from __future__ import annotations

import re

__all__ = ["LONGEST_CELL", "csv_text", "encodable", "excel_text", "plain_csv_text", "starts_like_formula"]

LONGEST_CELL = 32_767
"""Characters that a cell of an Excel sheet holds."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SURROGATES = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """With every lone surrogate, which no file can hold, replaced by the replacement character.

    Examples
    --------
    >>> encodable("North\\ud800")
    'North�'
    """
    return _SURROGATES.sub("\ufffd", text)


def starts_like_formula(text: str) -> bool:
    """Whether a spreadsheet might take a text for a formula, spaces before it left aside.

    Examples
    --------
    >>> starts_like_formula("=1+1"), starts_like_formula(" ＠SUM(A1)"), starts_like_formula("3 - 4")
    (True, True, False)
    """
    return text.lstrip(" \u00a0\u3000").startswith(_FORMULA_STARTS)


def csv_text(text: str) -> str:
    """A field of delimited text, to be quoted by the writer: what looks like a formula gets an apostrophe before it.

    A text that begins with an apostrophe gets one as well, so that ``plain_csv_text`` gives back what was meant.

    Examples
    --------
    >>> csv_text("=1+1"), csv_text("North")
    ("'=1+1", 'North')
    """
    text = encodable(text)
    return f"'{text}" if text.startswith("'") or starts_like_formula(text) else text


def plain_csv_text(text: str) -> str:
    """The text that ``csv_text`` made a field of.

    Examples
    --------
    >>> plain_csv_text(csv_text("=1+1")), plain_csv_text(csv_text("'tis"))
    ('=1+1', "'tis")
    """
    return text.removeprefix("'")


def excel_text(text: str) -> str:
    """Text that a cell of an Excel sheet can hold: no lone surrogates, at most 32,767 characters.

    It must still be written as text (``write_string``), and where it ``starts_like_formula``, with ``quote_prefix``,
    so that it stays text when somebody edits the cell.

    Examples
    --------
    >>> excel_text("North\\ud800"), len(excel_text("x" * 40_000))
    ('North\ufffd', 32767)
    """
    return encodable(text)[:LONGEST_CELL]
