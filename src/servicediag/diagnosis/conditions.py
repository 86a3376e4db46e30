"""Answers the conditions of cause rules from the judged cells: yes, no, undetermined or unmeasured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from servicediag.diagnosis.draft import Titles, name_or_none
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.rules import Condition
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.targets import Targets
from servicediag.errors import InstrumentError
from servicediag.instrument.catalogue import instrument_ids, instruments_root, load_instrument
from servicediag.instrument.model import Instrument
from servicediag.results import table_rows

__all__ = ["ConditionReader", "Place", "Reading"]

State = Literal["yes", "no", "undetermined", "unmeasured"]
READ_COLUMNS = [
    "by", "unit", "instrument", "form", "rater", "kind", "dimension", "name", "n", "gap", "gap_low_90", "gap_high_90",
    "health", "health_low_90", "health_high_90",
]  # fmt: skip
MINIMUM_SCALES = 4
"""A general factor of a group of raters is taken out where at least this many of its scales are known."""


@dataclass(frozen=True)
class Place:
    """Where a condition is read: a unit of a grouping, or the whole organisation."""

    by: str
    unit: str


@dataclass(frozen=True)
class Reading:
    """The answer to a condition, in a sentence with its numbers, and how far below the reference the score lies."""

    state: State
    sentence: str
    shortfall: float = math.nan
    target: str = ""


class ConditionReader:
    """Reads conditions of cause rules in the published part of the cells.

    A unit's score is *low* when it is below the rest, and the 90 % interval of its gap less the general level that the
    same raters give the unit lies below 0, with the gap at or beyond the smallest gap of interest; it is *not low* when
    the interval lies wholly above minus the smallest gap. With a declared target, and for the whole organisation, the
    level itself is compared.
    """

    def __init__(self, evidence: Evidence, cells: pd.DataFrame, settings: Settings, targets: Targets) -> None:
        self._settings = settings
        self._targets = targets
        self._titles = Titles(evidence)
        self._evidence = evidence
        self._known = frozenset(instrument_ids(instruments_root()))
        self._catalogue: dict[str, Instrument | None] = {}
        shown = cells[(cells["kind"] != "indicator") & cells["current"] & (cells["hidden"] == "")]
        self._rows = self._index(shown)
        self._gaps = self._gaps_by_rater(shown)

    def _index(self, shown: pd.DataFrame) -> Mapping[tuple[str, str, str], Any]:
        """Rows by place and reference; where several forms measure a score, the instrument's first form counts."""
        order = {
            (i.id, form.id): position
            for i in self._evidence.instruments.values()
            for position, form in enumerate(i.forms)
        }
        position = [order[key] for key in zip(shown["instrument"], shown["form"], strict=True)]
        rows: dict[tuple[str, str, str], Any] = {}
        table = shown[READ_COLUMNS].assign(position=position).sort_values("position", kind="stable")
        for row in table_rows(table):
            reference = row.name if row.kind == "item" else f"{row.instrument}/{row.dimension}"
            rows.setdefault((row.by, row.unit, reference), row)
        return rows

    def _gaps_by_rater(self, shown: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, float]]:
        """Gaps of a unit on all scales of one group of raters, by scale."""
        scores = shown[(shown["kind"] == "score") & (shown["by"] != WHOLE) & shown["gap"].notna()]
        gaps: dict[tuple[str, str, str], dict[str, float]] = {}
        for row in table_rows(scores):
            scales = gaps.setdefault((row.by, row.unit, row.rater), {})
            scales[f"{row.instrument}:{row.form}/{row.dimension}"] = float(row.gap)
        return gaps

    def _general(self, row: Any) -> float:
        """Median gap on the raters' other scales: what they think of the unit at large, moved little by a few lows."""
        own = f"{row.instrument}:{row.form}/{row.dimension}"
        scales = self._gaps.get((row.by, row.unit, row.rater), {})
        others = [gap for name, gap in scales.items() if name != own]
        return float(np.median(others)) if len(others) >= MINIMUM_SCALES - 1 else 0.0

    def measured(self, place: Place, reference: str) -> bool:
        return (place.by, place.unit, reference) in self._rows

    def read(self, condition: Condition, place: Place) -> Reading:
        """The answer to one condition at a place."""
        if condition.kind == "pattern":
            needs = condition.needs or condition.target
            return Reading("unmeasured", f"Not measured: {needs}.", target=condition.target)
        row = self._rows.get((place.by, place.unit, condition.target))
        if row is None:
            return Reading("unmeasured", self._unmeasured(condition), target=condition.target)
        low = self._level(row) if place.by == WHOLE else self._contrast(row)
        if condition.kind in ("low", "present"):
            return low
        flipped: Mapping[State, State] = {"yes": "no", "no": "yes"}
        return Reading(flipped.get(low.state, low.state), low.sentence, low.shortfall, low.target)

    def _unmeasured(self, condition: Condition) -> str:
        name = condition.instrument or ""
        if name in self._evidence.instruments:
            return f"Not answered by enough people here: {_label_in(self._evidence.instruments[name], condition)}."
        if name not in self._catalogue:
            self._catalogue[name] = self._load(name)
        instrument = self._catalogue[name]
        if instrument is None:
            return f"Not measured: {condition.target}; the instrument '{name}' would test it."
        label = _label_in(instrument, condition)
        return f"Not measured: {label}; the instrument '{instrument.title}' ({name}) would test it."

    def _load(self, name: str) -> Instrument | None:
        """An instrument that nobody answered, for its titles only: a faulty one must not stop a diagnosis."""
        try:
            return load_instrument(name) if name in self._known else None
        except InstrumentError:
            return None

    def _label(self, row: Any) -> str:
        if row.kind == "item":
            return f"“{self._titles.item(row.instrument, row.name, row.form)}”"
        return f"'{self._titles.dimension(row.instrument, row.dimension)}'"

    def _contrast(self, row: Any) -> Reading:
        """A unit against its target, or against the rest with its general level taken out."""
        target = (
            self._targets.of(row.instrument, row.dimension, name_or_none(row.unit)) if row.kind == "score" else math.nan
        )
        if not math.isnan(target):
            return self._against(row, target)
        if math.isnan(row.gap):
            return Reading("undetermined", f"{self._label(row)} cannot be compared with other units.", target=_ref(row))
        general = self._general(row)
        gap, low, high = row.gap - general, row.gap_low_90 - general, row.gap_high_90 - general
        removed = ""
        if general:
            removed = f"; {gap:+.1f} once the general level that the same people give the unit is taken out"
        sentence = (
            f"{self._label(row)}: {row.gap:+.1f} points of health against the rest{removed} "
            f"(90 % interval {low:+.1f} to {high:+.1f}, n = {row.n}, {self._titles.raters(row.instrument, row.form)})."
        )
        # what is no worse than elsewhere explains nothing, however good the rest of the unit is
        state = self._verdict(gap, low, high) if row.gap < 0 else "no"
        return Reading(state, sentence, max(gap, row.gap), _ref(row))

    def _against(self, row: Any, target: float) -> Reading:
        gap, low, high = (v - target for v in (row.health, row.health_low_90, row.health_high_90))
        sentence = (
            f"{self._label(row)}: {gap:+.1f} points against the target of {target:g} (90 % interval {low:+.1f} to "
            f"{high:+.1f}, n = {row.n}, {self._titles.raters(row.instrument, row.form)})."
        )
        if math.isnan(low):
            return Reading("undetermined", sentence, gap, _ref(row))
        return Reading(self._verdict(gap, low, high), sentence, gap, _ref(row))

    def _verdict(self, gap: float, low: float, high: float) -> State:
        if high < 0 and gap <= -self._settings.smallest_gap:
            return "yes"
        return "no" if low > -self._settings.smallest_gap else "undetermined"

    def _level(self, row: Any) -> Reading:
        """The whole organisation against its declared target, or against the conventional borders of low and good."""
        target = self._targets.of(row.instrument, row.dimension, None) if row.kind == "score" else math.nan
        if not math.isnan(target):
            return self._against(row, target)
        settings = self._settings
        sentence = (
            f"{self._label(row)}: health {row.health:.1f} (90 % interval {row.health_low_90:.1f} to "
            f"{row.health_high_90:.1f}; low is below {settings.low_level:g}, good from {settings.good_level:g}; "
            f"n = {row.n}, {self._titles.raters(row.instrument, row.form)})."
        )
        state: State = "undetermined"
        if row.health_high_90 < settings.low_level:
            state = "yes"
        elif row.health_low_90 >= settings.good_level:
            state = "no"
        return Reading(state, sentence, row.health - settings.good_level, _ref(row))


def _label_in(instrument: Instrument, condition: Condition) -> str:
    """Title of a dimension, or wording of an item; the bare reference where the instrument does not hold it."""
    try:
        if "/" in condition.target:
            return f"'{instrument.dimension(condition.target.split('/')[1]).title}'"
        form = next(form.id for form in instrument.forms if condition.target in form.items)
        return f"“{instrument.text(condition.target, form=form)}”"
    except (ValueError, StopIteration):
        return condition.target


def _ref(row: Any) -> str:
    return str(row.name) if row.kind == "item" else f"{row.instrument}/{row.dimension}"
