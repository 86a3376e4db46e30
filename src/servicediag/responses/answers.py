"""Codes the matched columns on the scales of their form, and reports what a scale does not know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from servicediag.errors import Issue
from servicediag.instrument.model import Form, Instrument, Scale
from servicediag.responses.coding import Coding, Conventions, ScaleLabels, code_texts
from servicediag.responses.matching import Match
from servicediag.responses.model import missing_code
from servicediag.responses.multiple_choice import several_answers, several_problem
from servicediag.responses.normalise import normal_text, without_number
from servicediag.responses.platforms.layout import Layout
from servicediag.responses.readers import Table, distinct
from servicediag.responses.remarks import Remarks, label_hint
from servicediag.responses.vocabulary import further_labels, missing_reasons

__all__ = ["Coder"]

_MOST_VALUES_NAMED = 10
_LONGEST_VALUE = 60
_UNREADABLE = missing_code("unreadable")


class _Labels:
    """The labels of a scale, and those with the vocabulary's, which are only worked out where they are needed."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.own = ScaleLabels.of(scale)

    @cached_property
    def wide(self) -> ScaleLabels:
        return self.own.extended(further_labels(self.scale))


@dataclass
class Coder:
    """Codes columns by their distinct texts; what was worked out to tell the form is kept for the coding.

    Attributes
    ----------
    language : str or None
        The language of the labels, where the caller names it.
    missing : collection of str
        Declared missing codes, normalised.
    layout : Layout
        How the platform writes codes and missing answers.
    """

    table: Table
    language: str | None
    missing: Collection[str]
    layout: Layout
    _distinct: dict[int, tuple[list[str | None], np.ndarray]] = field(default_factory=dict)
    _codings: dict[tuple[int, int], tuple[Coding, bool]] = field(default_factory=dict)
    _labels: dict[int, _Labels] = field(default_factory=dict)
    _remarked: Remarks = field(default_factory=Remarks)

    def fits(self, instrument: Instrument) -> Callable[[Match, Form], bool]:
        """Whether every answer of a matched column is known to the scale of a form."""

        def test(match: Match, form: Form) -> bool:
            return not self._coding(match, instrument, form)[0].refusals

        return test

    def column(self, match: Match, instrument: Instrument, form: Form) -> tuple[np.ndarray, list[Issue]]:
        """The codes of a matched column, a row each, and its issues."""
        texts, indices = self._column(match.column)
        coding, widened = self._coding(match, instrument, form)
        scale = instrument.scale(match.item, form.id)
        issues = [*self._refused(match, scale, coding), *self._remarks(match, scale, coding)]
        values = coding.codes
        if coding.numbers:
            self._remarked.numbers(match, scale, coding, self.layout)
            if match.reverse:
                values = values.copy()
                turned = list(coding.numbers)
                values[turned] = scale.minimum + scale.maximum - values[turned]
        self._remarked.labels(match, scale, [_bare(texts[i]) for i in coding.labels], coding, widened)
        self._remarked.missing([str(texts[i]) for i in coding.platform_missing], coding, indices)
        return values.take(indices), issues

    def remarks(self) -> list[Issue]:
        """What is to be said of several columns together, once all are coded."""
        return self._remarked.issues(self.table, self.layout)

    def _column(self, column: int) -> tuple[list[str | None], np.ndarray]:
        if column not in self._distinct:
            self._distinct[column] = distinct(self.table.columns[column])
        return self._distinct[column]

    def _coding(self, match: Match, instrument: Instrument, form: Form) -> tuple[Coding, bool]:
        """The coding of a column, and whether it took labels that are not of the instrument."""
        scale = instrument.scale(match.item, form.id)
        key = (match.column, id(scale))
        if key not in self._codings:
            if id(scale) not in self._labels:
                self._labels[id(scale)] = _Labels(scale)
            labels = self._labels[id(scale)]
            stated = (self.language,) if self.language else tuple(sorted({name for _, name in match.readings}))
            texts, _ = self._column(match.column)
            conventions = self._conventions(match.column)

            def code(known: ScaleLabels, conventions: Conventions) -> Coding:
                return code_texts(texts, known, instrument.languages, stated, self.missing, conventions)

            coding, widened = code(labels.own, conventions), False
            if any(refusal.code == "unknown_label" for refusal in coding.refusals):
                reasons = {**missing_reasons(), **conventions.reasons}
                wider = code(labels.wide, replace(conventions, reasons=reasons))
                widened = len(wider.refusals) < len(coding.refusals)
                coding = wider if widened else coding
            self._codings[key] = coding, widened
        return self._codings[key]

    def _conventions(self, column: int) -> Conventions:
        layout = self.layout
        variables = layout.variables
        if variables is None:
            return Conventions(layout.missing, option_letters=layout.option_letters)
        return Conventions(
            layout.missing, value_labels=variables.values[column], user_missing=variables.missing[column]
        )

    def _refused(self, match: Match, scale: Scale, coding: Coding) -> Iterator[Issue]:
        """An issue for each distinct text that the scale does not know, and one for all numbers beyond it."""
        texts, indices = self._column(match.column)
        unknown = [refusal for refusal in coding.refusals if refusal.code == "unknown_label"]
        for refusal in unknown[:_MOST_VALUES_NAMED]:
            places = np.flatnonzero(indices == refusal.index)
            value = _shorten(str(texts[refusal.index]))
            times = _times(len(places))
            if held := several_answers(str(texts[refusal.index]), scale):
                where = self.table.where(match.column, places)
                yield Issue("several_answers", "error", where, *several_problem(value, times, match.item, held))
                continue
            else:
                problem = f"{value!r} ({times}) is not an answer of {match.item}."
                hint = label_hint(str(texts[refusal.index]), scale)
                remedy = f"{hint} The answers are {_options(scale)}. Correct it, or pass missing_codes=(...).".strip()
            yield Issue(refusal.code, "error", self.table.where(match.column, places), problem, remedy)
        if (rest := len(unknown) - _MOST_VALUES_NAMED) > 0:
            problem = f"{rest:,} more distinct values are not answers of {match.item}."
            remedy = "Check whether this column holds the item at all."
            yield Issue("unknown_label", "error", self.table.where(match.column), problem, remedy)
        if beyond := [refusal.index for refusal in coding.refusals if refusal.code == "out_of_range"]:
            yield self._beyond(match, scale, beyond)

    def _beyond(self, match: Match, scale: Scale, values: Sequence[int]) -> Issue:
        """One issue for all numbers of a column that are no codes of the scale."""
        texts, indices = self._column(match.column)
        shown = [
            f"{_shorten(str(texts[value]))!r} ({_times(int((indices == value).sum()))})"
            for value in values[:_MOST_VALUES_NAMED]
        ]
        rest = len(values) - len(shown)
        named = f"{', '.join(shown)} and {rest:,} more" if rest else ", ".join(shown)
        are = "is not a code" if len(values) == 1 else "are not codes"
        problem = f"{named} {are} of {match.item}, which goes from {scale.minimum} to {scale.maximum}."
        it = "it" if len(values) == 1 else "them"
        remedy = f"Correct {it}, or declare {it} as missing: missing_codes=(...)."
        if self.layout.positional:
            remedy = f"Export the answers as texts, not as numbers. {remedy}"
        places = np.flatnonzero(np.isin(indices, values))
        return Issue("out_of_range", "error", self.table.where(match.column, places), problem, remedy)

    def _remarks(self, match: Match, scale: Scale, coding: Coding) -> Iterator[Issue]:
        if coding.labels and coding.numbers and self.layout.variables is None and not _only_ends(scale, coding):
            problem = f"The answers to {match.item} are labels in some rows and bare numbers in others."
            remedy = "The numbers were taken as codes of the same scale; check that they are."
            yield self._warning("mixed_labels_and_codes", match, coding.numbers, problem, remedy)
        if coding.disagreeing and not self.layout.list_numbers:
            problem = f"The number before a label is not the code of that label in {match.item}."
            remedy = "The label was taken; check that the options were offered in this order."
            yield self._warning("label_number_disagrees", match, coding.disagreeing, problem, remedy)
        if len(coding.languages) > 1:
            problem = f"The answers to {match.item} are in several languages: {', '.join(coding.languages)}."
            yield Issue("mixed_languages", "warning", self.table.where(match.column), problem)
        unreadable = np.flatnonzero(coding.codes[:-1] == _UNREADABLE)
        if len(unreadable):
            problem = f"Cells of {match.item} hold an error value of the spreadsheet."
            remedy = "They count as missing; mend the formula or type the answer."
            yield self._warning("unreadable_cell", match, unreadable, problem, remedy)

    def _warning(self, code: str, match: Match, values: Sequence[int] | np.ndarray, problem: str, remedy: str) -> Issue:
        _, indices = self._column(match.column)
        places = np.flatnonzero(np.isin(indices, values))
        return Issue(code, "warning", self.table.where(match.column, places), problem, remedy)


def _bare(text: str | None) -> str:
    """A label, normalised, without a number beside it."""
    normal = normal_text(text or "")
    split = without_number(normal)
    return split[1] if split else normal


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _only_ends(scale: Scale, coding: Coding) -> bool:
    """Whether labels with their numbers stand at the ends of the scale only: ``1 (None)``, 2, 3 ... ``10 (All)``."""
    return coding.agreeing and {int(coding.codes[i]) for i in coding.labels} <= {scale.minimum, scale.maximum}


def _options(scale: Scale) -> str:
    labels = next(iter(scale.labels.values()), {})
    return ", ".join(f"{code} {labels.get(code, '')}".strip() for code in scale.codes)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
