"""What is to be said of the answers of several columns together: direction, other scales, borrowed labels."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from servicediag.errors import Issue
from servicediag.instrument.model import Scale
from servicediag.responses.coding import Coding
from servicediag.responses.matching import Match
from servicediag.responses.normalise import normal_text
from servicediag.responses.platforms.layout import Layout
from servicediag.responses.readers import Table
from servicediag.responses.vocabulary import sets_that_part, sets_with

__all__ = ["Remarks", "label_hint"]

_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic|mai|mär|okt|dez|fév|avr|aoû|déc|fev|set|out|янв"
    r"|фев|мар|апр|май|мая|июн|июл|авг|сен|окт|ноя|дек)[^\W\d_]{0,7}\.?"
)
_DATE = re.compile(
    rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?: 00:00:00)?|[0-9]{{1,2}}[. -]{{1,2}}{_MONTH}|{_MONTH}[ -][0-9]{{1,2}}"
    r"|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{4}|[0-9]{1,2}月[0-9]{1,2}日",
    re.IGNORECASE,
)
_MOST_COLUMNS_NAMED = 8
_MOST_VALUES_NAMED = 6
_NO_AND_YES = (0, 1)


def label_hint(text: str, scale: Scale) -> str:
    """What a text may have been that the scale does not know; never used to code it.

    Examples
    --------
    >>> two = Scale("s", (1, 2), {"en": {1: "Rarely", 2: "Often"}})
    >>> label_hint("Oftn", two), label_hint("2026-05-03 00:00:00", two)
    ("Did you mean 'Often'?", 'A spreadsheet may have turned a label such as 3-5 into a date.')
    >>> label_hint("2026-05-03", Scale("s", (1, 2), {"en": {1: "1-2", 2: "3-5"}}))
    "A spreadsheet may have turned '3-5' into a date."
    """
    if date := _DATE.fullmatch(text.strip()):
        return f"A spreadsheet may have turned {_band(date, scale)} into a date."
    label = normal_text(text)
    if known := sets_with(label):
        kind = known[0].kind
        points = " or ".join(str(found.points) for found in known if found.kind == kind)
        return f"It is an answer of a scale of {points} points ({kind.replace('_', ' ')})."
    by_text = {normal_text(own): own for labels in scale.labels.values() for own in labels.values()}
    close = difflib.get_close_matches(label, by_text, n=1, cutoff=0.8)
    return f"Did you mean {by_text[close[0]]!r}?" if close else ""


def _band(date: re.Match[str], scale: Scale) -> str:
    """The only label that may have become this date; else an example of such labels."""
    parts = [int(part) for part in date.groups() if part]
    pairs = [{parts[1], parts[2]}] if len(parts) == len(("year", "month", "day")) else []
    labels = {label for by_code in scale.labels.values() for label in by_code.values()}
    found = [label for label in labels if {int(n) for n in re.findall("[0-9]+", label)} in pairs]
    return repr(found[0]) if len(found) == 1 else "a label such as 3-5"


@dataclass
class _OfScale:
    """What the columns of one scale hold."""

    scale: Scale
    unknown: list[Match] = field(default_factory=list)
    assumed: list[Match] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    labelled: list[Match] = field(default_factory=list)


@dataclass
class Remarks:
    """Collects, column by column, what is said once for all columns of a scale."""

    _scales: dict[str, _OfScale] = field(default_factory=dict)
    _borrowed: dict[str, list[Match]] = field(default_factory=dict)
    _missing: dict[tuple[str, str], int] = field(default_factory=dict)

    def numbers(self, match: Match, scale: Scale, coding: Coding, layout: Layout) -> None:
        """Note whether the file, the item code or a mapping says in which direction bare numbers run."""
        if not layout.positional or coding.agreeing or tuple(scale.codes) == _NO_AND_YES:
            return
        if coding.labels and layout.variables is None:
            return
        of_scale = self._of(scale)
        (of_scale.assumed if match.method in ("code", "mapping") else of_scale.unknown).append(match)

    def labels(self, match: Match, scale: Scale, labels: Sequence[str], coding: Coding, widened: bool) -> None:
        """Note the labels of a column, and the languages of those that are not of the instrument."""
        of_scale = self._of(scale)
        of_scale.labels.update(zip(labels, (int(coding.codes[i]) for i in coding.labels), strict=True))
        of_scale.labelled.append(match)
        if widened:
            for language in coding.languages or ("",):
                self._borrowed.setdefault(language, []).append(match)

    def missing(self, texts: Sequence[str], coding: Coding, indices: np.ndarray) -> None:
        """Count the answers that are missing as the platform writes it."""
        for text, index in zip(texts, coding.platform_missing, strict=True):
            reason = _reason(int(coding.codes[index]))
            key = (text.strip(), reason)
            self._missing[key] = self._missing.get(key, 0) + int((indices == index).sum())

    def issues(self, table: Table, layout: Layout) -> list[Issue]:
        """One issue for each scale or language, in the order of the columns."""
        found: list[Issue] = []
        for of_scale in self._scales.values():
            found.extend(_directions(of_scale, table, layout))
            found.extend(_other_scale(of_scale, table))
        for language, matches in self._borrowed.items():
            problem = f"Answers to {_items(matches)} were read by the common labels of {language or 'no answer'}."
            remedy = "The instrument itself does not have them; look at a few cells."
            found.append(Issue("common_labels", "note", _where(matches, table), problem, remedy))
        if self._missing:
            pairs = list(self._missing.items())[:_MOST_VALUES_NAMED]
            shown = ", ".join(f"{text!r} as {reason.replace('_', ' ')} ({count:,})" for (text, reason), count in pairs)
            problem = f"As {layout.platform} writes it, these answers were read as missing: {shown}."
            found.append(Issue("platform_missing", "note", table.where(), problem))
        return found

    def _of(self, scale: Scale) -> _OfScale:
        return self._scales.setdefault(scale.id, _OfScale(scale))


def _reason(code: int) -> str:
    from servicediag.instrument.model import MISSING_REASONS
    from servicediag.responses.model import FIRST_MISSING

    return MISSING_REASONS[code - FIRST_MISSING]


def _directions(of_scale: _OfScale, table: Table, layout: Layout) -> Iterator[Issue]:
    scale = of_scale.scale
    ends = _ends(scale)
    if matches := of_scale.unknown:
        problem = (
            f"The answers to {_items(matches)} are bare numbers; {layout.platform} does not say whether "
            f"{scale.minimum} is the lowest or the highest answer."
        )
        remedy = (
            f"Export the answers as texts; or, if {ends}, confirm it by mapping each column to its item with columns=. "
            "In a mapping file the column direction says declared or reversed."
        )
        yield Issue("unknown_direction", "error", _where(matches, table), problem, remedy)
    if matches := of_scale.assumed:
        turned = [match for match in matches if match.reverse]
        kept = [match for match in matches if not match.reverse]
        if kept:
            problem = f"The bare numbers of {_items(kept)} were taken as the codes of the scale: {ends}."
            severity = "warning" if any(match.method == "mapping" for match in kept) else "note"
            remedy = "The file does not say so; check it in the survey." if severity == "warning" else ""
            yield Issue("assumed_direction", severity, _where(kept, table), problem, remedy)  # type: ignore[arg-type]
        if turned:
            problem = f"The numbers of {_items(turned)} were turned, as the mapping says, so that {ends}."
            yield Issue("assumed_direction", "note", _where(turned, table), problem)


def _other_scale(of_scale: _OfScale, table: Table) -> Iterator[Issue]:
    """An error where two labels that would have one code are different answers of a common scale."""
    by_code: dict[int, list[str]] = {}
    for label, code in of_scale.labels.items():
        by_code.setdefault(code, []).append(label)
    scale = of_scale.scale
    for code, labels in by_code.items():
        if code not in scale.codes or len(labels) < 2:
            continue
        for other in labels[1:]:
            if sets := sets_that_part(labels[0], other, tuple(of_scale.labels)):
                kinds = f"{sets[0].points} points ({sets[0].kind.replace('_', ' ')})"
                problem = (
                    f"{labels[0]!r} and {other!r} would both be {code}, but a scale of {kinds} has both of them, "
                    f"and the scale of {_items(of_scale.labelled)} has {len(scale.codes)} points."
                )
                remedy = "Ask the items on the scale that the instrument declares, or write one label for both."
                yield Issue("other_scale", "error", _where(of_scale.labelled, table), problem, remedy)
                return


def _ends(scale: Scale) -> str:
    labels = next(iter(scale.labels.values()), {})
    first, last = scale.minimum, scale.maximum
    return f"{first} is {labels.get(first, 'the lowest')!r} and {last} is {labels.get(last, 'the highest')!r}"


def _items(matches: Sequence[Match]) -> str:
    names = list(dict.fromkeys(match.item for match in matches))
    shown = ", ".join(names[:_MOST_COLUMNS_NAMED])
    return shown if len(names) <= _MOST_COLUMNS_NAMED else f"{shown} and {len(names) - _MOST_COLUMNS_NAMED} more items"


def _where(matches: Sequence[Match], table: Table) -> str:
    """The columns in words."""
    columns = list(dict.fromkeys(match.column for match in matches))
    if len(columns) == 1:
        return table.where(columns[0])
    names = [table.letters[c] if table.letters else repr(table.names[c]) for c in columns]
    more = f" and {len(names) - _MOST_COLUMNS_NAMED} more" if len(names) > _MOST_COLUMNS_NAMED else ""
    return f"{table.where()}, columns {', '.join(names[:_MOST_COLUMNS_NAMED])}{more}"
