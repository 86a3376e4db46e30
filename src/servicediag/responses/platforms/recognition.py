"""Tells by its content which platform made an export, and so where its headings and answers are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from servicediag.responses.matching import ItemTexts
from servicediag.responses.platforms import plain, spss, yandex_forms
from servicediag.responses.platforms.alchemer import ALCHEMER
from servicediag.responses.platforms.google_forms import GOOGLE_FORMS
from servicediag.responses.platforms.jotform import JOTFORM
from servicediag.responses.platforms.kobo import KOBO
from servicediag.responses.platforms.layout import Layout, Platform
from servicediag.responses.platforms.limesurvey import LIMESURVEY
from servicediag.responses.platforms.microsoft_forms import MICROSOFT_FORMS
from servicediag.responses.platforms.qualtrics import QUALTRICS
from servicediag.responses.platforms.redcap import REDCAP
from servicediag.responses.platforms.sosci import SOSCI
from servicediag.responses.platforms.surveymonkey import SURVEYMONKEY
from servicediag.responses.platforms.typeform import TYPEFORM
from servicediag.responses.platforms.wenjuan import WENJUAN
from servicediag.responses.platforms.wjx import WJX
from servicediag.responses.readers import Grid

__all__ = ["PLATFORM_NAMES", "lay_out", "lay_out_rows", "recognised_items"]

_ORDER: tuple[Platform, ...] = (
    QUALTRICS, SURVEYMONKEY, SOSCI, LIMESURVEY, KOBO, WJX, WENJUAN, MICROSOFT_FORMS, GOOGLE_FORMS, TYPEFORM, ALCHEMER,
    JOTFORM, REDCAP,
)  # fmt: skip
"""The order of the tests: what is most certain comes first."""
PLATFORM_NAMES = (*(platform.name for platform in _ORDER), "yandex_forms", "spss", "answer_sheet", "plain")
_ROWS_SEARCHED = 15
_ROWS_SEEN = _ROWS_SEARCHED + 3


def lay_out(
    grid: Grid, texts: ItemTexts, names: Collection[str], header_row: int | None, platform: str | None
) -> Layout:
    """The layout of a sheet or text file.

    Parameters
    ----------
    names : collection of str
        Column names that the caller passed.
    header_row : int or None
        Row of the headings in the file, counted from 1, where the caller names it.
    platform : str or None
        Name of the platform, where the caller knows it.
    """
    kind = platform or grid.platform
    if kind == "spss" and header_row is None:
        return spss.layout(grid)
    if kind == "yandex_forms" and header_row is None:
        return yandex_forms.layout(grid)
    seen = _ROWS_SEEN if header_row is None else header_row + 3
    return lay_out_rows(grid.top(seen), texts, names, header_row, platform)


def lay_out_rows(
    rows: Sequence[Sequence[str]],
    texts: ItemTexts,
    names: Collection[str],
    header_row: int | None,
    platform: str | None,
    *,
    searched: int = _ROWS_SEARCHED,
) -> Layout:
    """The layout by the first rows of a sheet: the first fingerprint that fits, else a plain sheet.

    Parameters
    ----------
    searched : int
        How many of the rows can be the one with the headings.
    """
    starts = (
        range(min(searched, len(rows))) if header_row is None else range(min(header_row, len(rows)) - 1, header_row)
    )
    starts = range(max(starts.start, 0), min(starts.stop, len(rows)))
    for candidate in _ORDER:
        if platform not in (None, candidate.name):
            continue
        for position in starts:
            if why := candidate.fingerprint(rows[position:]):
                return replace(candidate.layout(rows, position), why=why)
    found = plain.layout(rows[: searched if header_row is None else None], texts, names, header_row)
    if platform in (None, "plain", "answer_sheet"):
        return found
    said = f"platform={platform!r} was passed"
    for candidate in _ORDER:
        if candidate.name == platform and rows:
            return replace(candidate.layout(rows, found.first_row - 1), why=said)
    return replace(found, platform=str(platform), why=said)


def recognised_items(layout: Layout, texts: ItemTexts, names: Collection[str]) -> int:
    """How many items or named columns a layout holds."""
    questions = [question for column in layout.questions for question in column]
    found = texts.count([*layout.headings, *layout.codes, *questions])
    return found + sum(heading in names for heading in layout.headings if heading)
