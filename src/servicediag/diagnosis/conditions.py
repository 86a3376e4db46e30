"""Answers the conditions of cause rules: yes, no, undetermined or unmeasured, each with the sentence that says why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import correlation, median
from typing import NamedTuple

import numpy as np
import pandas as pd

from servicediag.diagnosis.draft import Draft, Titles, dimension_title, instrument_title, item_text, name_or_none
from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.group_conditions import GroupConditions
from servicediag.diagnosis.model import Finding
from servicediag.diagnosis.operations import Operations
from servicediag.diagnosis.operations_conditions import read_indicator
from servicediag.diagnosis.readings import Place, Reading, State, tell, turned, unmeasured, verdict
from servicediag.diagnosis.row_keys import RowKeys, having
from servicediag.diagnosis.rules import Condition
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import wilson
from servicediag.diagnosis.sums import WHOLE
from servicediag.diagnosis.targets import Targets
from servicediag.diagnosis.wave_conditions import LagConditions
from servicediag.errors import InstrumentError
from servicediag.instrument.catalogue import instrument_ids, instruments_root, load_instrument
from servicediag.instrument.model import Instrument
from servicediag.wording.telling import figure, sentence

__all__ = ["ConditionReader", "Place", "Reading", "Study", "judged_and_none"]

MINIMUM_SCALES = 4
"""A general factor of a group of raters is taken out where at least this many of its scales are known."""
FEWEST_UNITS = 10
"""Units without which no correlation over units is given."""
SURE = ("established", "likely")
GROUP_KINDS = frozenset({"gradient", "segment_difference", "contrast", "concentrated"})
NO_ROWS = np.array([], dtype=np.int64)
OF_SYMPTOM = frozenset({*GROUP_KINDS, "lag"})
"""Kinds whose answer may depend on what is to be explained."""


@dataclass(frozen=True)
class Study:
    """What conditions are read in.

    Attributes
    ----------
    cells : DataFrame
        Judged cells; only what may be shown is read.
    segments, clusters : DataFrame
        Breakdowns that may be shown, of the newest wave.
    drafts : sequence of Draft
        The findings of the study.
    judged : frozenset of (kind of finding, grouping, unit)
        Gaps that were judged and found to be none.
    """

    evidence: Evidence
    cells: pd.DataFrame
    settings: Settings
    targets: Targets
    operations: Operations = field(default_factory=Operations)
    segments: pd.DataFrame = field(default_factory=pd.DataFrame)
    clusters: pd.DataFrame = field(default_factory=pd.DataFrame)
    drafts: Sequence[Draft] = ()
    judged: frozenset[tuple[str, str, str]] = frozenset()


class _Row(NamedTuple):
    """A score or item of one form at one place."""

    by: str
    unit: str
    instrument: str
    form: str
    rater: str
    kind: str
    dimension: str
    name: str
    n: int
    gap: float
    gap_low_90: float
    gap_high_90: float
    health: float
    health_low_90: float
    health_high_90: float

    @property
    def reference(self) -> str:
        return self.name if self.kind == "item" else f"{self.instrument}/{self.dimension}"

    @property
    def scale(self) -> tuple[str, str, str]:
        return self.instrument, self.form, self.dimension


class _RowsOfPlace(NamedTuple):
    """Positions of the scores and items of one place, the first of each reference, and gaps of the raters by scale."""

    positions: np.ndarray
    first: dict[str, int]
    gaps: dict[str, dict[tuple[str, str, str], float]]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Scores and named items by place; those of a place are taken up when it is first asked for.

    Where several forms measure a score, the instrument's first form counts, which stands first.
    """

    columns: Mapping[str, np.ndarray]
    references: np.ndarray
    of_place: Mapping[tuple[str, str], np.ndarray]
    _known: dict[tuple[str, str], _RowsOfPlace] = field(default_factory=dict)
    _health: dict[str, dict[tuple[str, str], float]] = field(default_factory=dict)

    @classmethod
    def of(cls, shown: pd.DataFrame, references: frozenset[str], instruments: Iterable[Instrument]) -> _Rows:
        order = {(i.id, form.id): position for i in instruments for position, form in enumerate(i.forms)}
        shown = shown[having(shown, kind="score") | shown["name"].isin(references).to_numpy()]
        rows = RowKeys.of(shown, ["instrument", "form", "kind", "dimension", "name"])
        first = np.argsort(rows.each(lambda key: order[key[:2]], np.int64), kind="stable")
        columns = {name: shown[name].to_numpy()[first] for name in _Row._fields}
        names = rows.each(lambda key: key[4] if key[2] == "item" else f"{key[0]}/{key[3]}")[first]
        return cls(columns, names, _rows_of_places(columns["by"], columns["unit"]))

    def at(self, by: str, unit: str) -> _RowsOfPlace:
        """What is known of a place."""
        if (by, unit) not in self._known:
            self._known[by, unit] = self._taken_up(by, self.of_place.get((by, unit), NO_ROWS))
        return self._known[by, unit]

    def row(self, by: str, unit: str, reference: str, rater: str = "") -> _Row | None:
        """A score or item at a place; None where it is not shown."""
        place = self.at(by, unit)
        position = place.first.get(reference)
        if rater and position is not None:
            same = (p for p in place.positions.tolist() if self.references[p] == reference)
            position = next((p for p in same if self.columns["rater"][p] == rater), None)
        # made when it is asked for: most rows are asked for once or never
        return None if position is None else _Row(*(column.item(position) for column in self.columns.values()))

    def _taken_up(self, by: str, positions: np.ndarray) -> _RowsOfPlace:
        # of several rows of a reference the one written last, which is the first one, stays
        first = dict(zip(self.references[positions[::-1]].tolist(), positions[::-1].tolist(), strict=True))
        gaps: dict[str, dict[tuple[str, str, str], float]] = {}
        if by != WHOLE:
            scores = positions[self.columns["kind"][positions] == "score"]
            scores = scores[~np.isnan(self.columns["gap"][scores].astype(float))]
            names = ("rater", "gap", "instrument", "form", "dimension")
            for rater, gap, *scale in zip(*(self.columns[name][scores].tolist() for name in names), strict=True):
                gaps.setdefault(rater, {})[tuple(scale)] = gap
        return _RowsOfPlace(positions, first, gaps)

    def health(self, reference: str) -> dict[tuple[str, str], float]:
        """Health of every unit in a score or item."""
        if reference not in self._health:
            mine = np.flatnonzero((self.references == reference) & (self.columns["by"] != WHOLE))
            first: dict[tuple[str, str], float] = {}
            parts = (self.columns[name][mine].tolist() for name in ("by", "unit", "health"))
            for by, unit, value in zip(*parts, strict=True):
                first.setdefault((by, unit), value)
            self._health[reference] = {key: value for key, value in first.items() if not math.isnan(value)}
        return self._health[reference]


def _rows_of_places(by: np.ndarray, unit: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Positions of the rows of each place, in order."""
    (bys, by_names), (units, unit_names) = pd.factorize(by), pd.factorize(unit)
    codes, found = np.unique(bys * len(unit_names) + units, return_inverse=True)
    borders = np.cumsum(np.bincount(found, minlength=len(codes)))[:-1]
    rows = np.split(np.argsort(found, kind="stable"), borders) if len(codes) else []
    places = [(by_names[code // len(unit_names)], unit_names[code % len(unit_names)]) for code in codes.tolist()]
    return dict(zip(places, rows, strict=True))


def judged_and_none(indexes: pd.DataFrame | None) -> frozenset[tuple[str, str, str]]:
    """Gaps that a table of indexes judges to be none, as (kind of finding, grouping, unit)."""
    if indexes is None or indexes.empty:
        return frozenset()
    none = indexes[(indexes["verdict"] == "aligned").to_numpy()]
    return frozenset(
        (str(index), WHOLE if pd.isna(by) else str(by), WHOLE if pd.isna(unit) else str(unit))
        for index, by, unit in zip(none["index"], none["by"], none["unit"], strict=True)
    )


class ConditionReader:
    """Reads conditions of cause rules in what may be published, each once per place.

    A unit's score is *low* when it is below the rest, and the 90 % interval of its gap less the general level that the
    same raters give the unit lies below 0, with the gap at or beyond the smallest gap of interest; it is *not low* when
    the interval lies wholly above minus the smallest gap. With a declared target, and for the whole organisation, the
    level itself is compared.

    Parameters
    ----------
    study : Study
    references : iterable of str
        Dimensions and items that the conditions name; nothing else is looked up.
    """

    def __init__(self, study: Study, references: Iterable[str]) -> None:
        self._study = study
        self._settings = study.settings
        self._titles = Titles(study.evidence)
        self._read: dict[Place | tuple[str, str], dict[Condition, Reading]] = {}
        self._lacking: dict[str, Reading] = {}
        self._labels: dict[tuple[str, ...], str] = {}
        visible = having(study.cells, hidden="")
        shown = study.cells.loc[visible & study.cells["current"].to_numpy(), [*_Row._fields, "total"]]
        self._rows = _Rows.of(shown, frozenset(references), study.evidence.instruments.values())
        self._incidence = _incidence(shown)
        self._groups = GroupConditions(study.evidence, study.segments, study.clusters, study.settings)
        self._lags = LagConditions(study.cells[visible & ~having(study.cells, wave=WHOLE)], self._titles)
        self._findings = _findings(study.drafts)

    def _general(self, row: _Row) -> float:
        """Median gap on the raters' other scales: what they think of the unit at large, moved little by a few lows."""
        scales = self._rows.at(row.by, row.unit).gaps.get(row.rater, {})
        others = [gap for name, gap in scales.items() if name != row.scale]
        return float(median(others)) if len(others) >= MINIMUM_SCALES - 1 else 0.0

    def read(self, condition: Condition, place: Place) -> Reading:
        """The answer to one condition at a place."""
        known = self._read.setdefault(place if condition.kind in OF_SYMPTOM else (place.by, place.unit), {})
        reading = known.get(condition)
        if reading is None:
            reading = known[condition] = self._answer(condition, place)
        return reading

    def association(self, place: Place, target: str) -> tuple[float, float, float, int] | None:
        """Correlation over the units between the symptom's health and that of ``target``, its 95 % limits, and units.

        Limits by Fisher's transformation (1921); None below 10 units.
        """
        first, second = self._rows.health(place.symptom), self._rows.health(target)
        by = place.by or next((key[0] for key in first), WHOLE)
        units = [key for key in first if key in second and key[0] == by]
        if len(units) < FEWEST_UNITS or place.symptom == target:
            return None
        x, y = [first[unit] for unit in units], [second[unit] for unit in units]
        if min(x) == max(x) or min(y) == max(y):
            return None
        r = max(-0.999999, min(0.999999, correlation(x, y)))
        half = 1.959964 / math.sqrt(len(units) - 3)
        return r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), len(units)

    def _answer(self, condition: Condition, place: Place) -> Reading:
        if condition.kind in GROUP_KINDS:
            return self._groups.read(condition, place)
        if condition.kind == "indicator":
            return read_indicator(condition, place, self._study.operations, self._settings)
        if condition.kind == "lag":
            return self._lags.read(condition, place)
        if condition.kind == "finding":
            return self._finding(condition, place)
        if condition.kind == "lowest_of":
            return self._lowest(condition, place)
        return self._score(condition, place)

    def _score(self, condition: Condition, place: Place) -> Reading:
        row = self._rows.row(place.by, place.unit, condition.target, condition.rater or "")
        if row is None:
            return self._unmeasured(condition)
        low = self._level(row) if place.by == WHOLE else self._contrast(row)
        if condition.kind in ("present", "absent") and low.state != "yes":
            low = self._met(row) or low
        return low if condition.kind in ("low", "present") else turned(low, replace(condition, holds=False))

    def _met(self, row: _Row) -> Reading | None:
        """A behaviour that more than a conventional share of the raters meet is present, whatever its mean."""
        count, n = self._incidence.get((row.by, row.unit, row.instrument, row.form, row.dimension), (0.0, 0.0))
        low, high = wilson(count, n) if n else (0.0, 0.0)
        if row.by != WHOLE or low <= self._settings.share_criterion:
            return None
        told = tell(
            "incidence",
            numbers={
                "share": (100 * count / n, ".0f"),
                "low": (100 * low, ".0f"),
                "high": (100 * high, ".0f"),
                "n": (int(n), "d"),
            },
            about=self._label(row),
            raters=self._raters(row),
        )
        return Reading(
            "yes", told.sentence, row.health - self._settings.good_level, row.reference, row.rater, numbers=told.numbers
        )

    def _unmeasured(self, condition: Condition) -> Reading:
        """That a score or item cannot be read, and why, which is the same wherever it cannot."""
        target = condition.target
        if target not in self._lacking:
            self._lacking[target] = Reading("unmeasured", self._why_unmeasured(condition), target=target)
        return self._lacking[target]

    def _why_unmeasured(self, condition: Condition) -> str:
        name = condition.instrument or ""
        if name in self._study.evidence.instruments:
            label = _label_in(self._study.evidence.instruments[name], condition.target)
            return sentence("finding.condition.too_few", about=label)
        instrument = _unanswered(name)
        if instrument is None:
            return sentence("finding.condition.instrument_unknown", about=condition.target, id=name)
        label = _label_in(instrument, condition.target)
        return sentence("finding.condition.instrument", about=label, title=instrument_title(instrument), id=name)

    def _label(self, row: _Row) -> str:
        key = (*row.scale, row.name)
        if key not in self._labels:
            self._labels[key] = self._made_label(row)
        return self._labels[key]

    def _made_label(self, row: _Row) -> str:
        if row.kind == "item":
            return sentence("finding.quote.item", text=self._titles.item(row.instrument, row.name, row.form))
        return sentence("finding.quote.title", title=self._titles.dimension(row.instrument, row.dimension))

    def _raters(self, row: _Row) -> str:
        return self._titles.raters(row.instrument, row.form)

    def _target(self, row: _Row) -> float:
        if row.kind != "score":
            return math.nan
        return self._study.targets.of(row.instrument, row.dimension, name_or_none(row.unit))

    def _contrast(self, row: _Row) -> Reading:
        """A unit against its target, or against the rest with its general level taken out."""
        if not math.isnan(self._target(row)):
            return self._against(row, self._target(row))
        if math.isnan(row.gap):
            told = tell("no_rest", numbers={}, about=self._label(row))
            return Reading("undetermined", told.sentence, target=row.reference, source=row.rater, numbers=told.numbers)
        general = self._general(row)
        gap, low, high = row.gap - general, row.gap_low_90 - general, row.gap_high_90 - general
        removed = sentence("finding.condition.general", gap=figure(gap, "+.1f")) if general else ""
        told = tell(
            "contrast_unit",
            numbers={"gap": (row.gap, "+.1f"), "low": (low, "+.1f"), "high": (high, "+.1f"), "n": (row.n, "d")},
            about=self._label(row),
            removed=removed,
            raters=self._raters(row),
        )
        # what is no worse than elsewhere explains nothing, however good the rest of the unit is
        state = verdict(gap, low, high, self._settings.smallest_gap) if row.gap < 0 else "no"
        return Reading(
            state,
            told.sentence,
            max(gap, row.gap),
            row.reference,
            row.rater,
            numbers=(*told.numbers, ("adjusted", gap)),
        )

    def _against(self, row: _Row, target: float) -> Reading:
        gap, low, high = (v - target for v in (row.health, row.health_low_90, row.health_high_90))
        told = tell(
            "target",
            numbers={
                "gap": (gap, "+.1f"),
                "target": (target, "g"),
                "low": (low, "+.1f"),
                "high": (high, "+.1f"),
                "n": (row.n, "d"),
            },
            about=self._label(row),
            raters=self._raters(row),
        )
        state: State = "undetermined"
        if not math.isnan(low):
            state = verdict(gap, low, high, self._settings.smallest_gap)
        return Reading(state, told.sentence, gap, row.reference, row.rater, numbers=told.numbers)

    def _level(self, row: _Row) -> Reading:
        """The whole organisation against its declared target, or against the conventional borders of low and good."""
        if not math.isnan(self._target(row)):
            return self._against(row, self._target(row))
        settings = self._settings
        told = tell(
            "level",
            numbers={
                "health": (row.health, ".1f"),
                "low": (row.health_low_90, ".1f"),
                "high": (row.health_high_90, ".1f"),
                "bad": (settings.low_level, "g"),
                "good": (settings.good_level, "g"),
                "n": (row.n, "d"),
            },
            about=self._label(row),
            raters=self._raters(row),
        )
        state: State = "undetermined"
        if row.health_high_90 < settings.low_level:
            state = "yes"
        elif row.health_low_90 >= settings.good_level:
            state = "no"
        return Reading(
            state, told.sentence, row.health - settings.good_level, row.reference, row.rater, numbers=told.numbers
        )

    def _lowest(self, condition: Condition, place: Place) -> Reading:
        """Whether one of several scores of the same people is lower than each of the others, beyond doubt.

        The limits treat the scores as independent, which is wider than right where they correlate positively.
        """
        rows = {name: self._rows.row(place.by, place.unit, name) for name in condition.among}
        own = rows.pop(condition.target, None)
        others = [row for row in rows.values() if row is not None and own is not None and row.rater == own.rater]
        if own is None or not others:
            return self._unmeasured(condition)
        standings = [self._standing(row) for row in (own, *others)]
        if any(math.isnan(value) for standing in standings for value in standing):
            told = tell("no_rest", numbers={}, about=self._label(own))
            return Reading("undetermined", told.sentence, target=own.reference, source=own.rater, numbers=told.numbers)
        (gap, half), *rest = standings
        limits = [(gap - other - math.hypot(half, wide), gap - other + math.hypot(half, wide)) for other, wide in rest]
        state: State = "undetermined"
        if gap < 0 and all(high < 0 for _, high in limits) and gap <= min(o for o, _ in rest) - self._margin:
            state = "yes"
        elif any(low > 0 for low, _ in limits):
            state = "no"
        nearest = min(range(len(rest)), key=lambda position: rest[position][0])
        low, high = limits[nearest]
        told = tell(
            "lowest_of",
            numbers={
                "gap": (gap, "+.1f"),
                "other": (rest[nearest][0], "+.1f"),
                "low": (low, "+.1f"),
                "high": (high, "+.1f"),
                "count": (len(others) + 1, "d"),
                "n": (own.n, "d"),
            },
            about=self._label(own),
            raters=self._raters(own),
        )
        return Reading(state, told.sentence, gap, own.reference, own.rater, numbers=told.numbers)

    @property
    def _margin(self) -> float:
        return self._settings.minimum_effect

    def _standing(self, row: _Row) -> tuple[float, float]:
        """Where a score stands against its own reference, and half of its 90 % interval; NaN where it has none."""
        target = self._target(row)
        if not math.isnan(target):
            return row.health - target, (row.health_high_90 - row.health_low_90) / 2
        if row.by == WHOLE:
            return math.nan, math.nan
        return row.gap, (row.gap_high_90 - row.gap_low_90) / 2

    def _finding(self, condition: Condition, place: Place) -> Reading:
        """Whether the unit, or else the whole organisation, has a finding of that kind."""
        kind, _, about = condition.target.partition(":")
        for by, unit in dict.fromkeys(((place.by, place.unit), (WHOLE, WHOLE))):
            found = [f for f in self._findings.get((kind, by, unit), ()) if _is_about(f, about)]
            worse = [f for f in found if f.direction == "worse" and f.tier in SURE]
            where = sentence("finding.condition.in_whole") if by == WHOLE else ""
            name = sentence(f"finding.kind.{kind}")
            if worse:
                first = min(worse, key=lambda f: f.estimate or 0.0)
                told = tell("finding", numbers={"n": (first.n, "d")}, kind=name, where=where)
                return turned(
                    Reading(
                        "yes", told.sentence, target=condition.target, source=first.rater or kind, numbers=told.numbers
                    ),
                    condition,
                )
            if (kind, by, unit) in self._study.judged:
                told = tell("no_finding", numbers={}, kind=name, where=where)
                return turned(
                    Reading("no", told.sentence, target=condition.target, source=kind, numbers=told.numbers), condition
                )
            if found:
                told = tell("unclear_finding", numbers={}, kind=name, where=where)
                return Reading(
                    "undetermined", told.sentence, target=condition.target, source=kind, numbers=told.numbers
                )
        return unmeasured(condition, sentence(f"finding.kind.{kind}"))


@lru_cache(maxsize=32)
def _unanswered(name: str) -> Instrument | None:
    """An instrument that nobody answered, for its titles only: a faulty one must not stop a diagnosis."""
    try:
        return load_instrument(name) if name in instrument_ids(instruments_root()) else None
    except InstrumentError:
        return None


def _findings(drafts: Sequence[Draft]) -> dict[tuple[str, str, str], list[Finding]]:
    found: dict[tuple[str, str, str], list[Finding]] = {}
    for draft in drafts:
        finding = draft.finding
        found.setdefault((finding.kind, finding.by or WHOLE, finding.unit or WHOLE), []).append(finding)
    return found


def _is_about(finding: Finding, about: str) -> bool:
    return not about or about in (finding.instrument, f"{finding.instrument}/{finding.dimension}")


def _incidence(shown: pd.DataFrame) -> dict[tuple[str, str, str, str, str], tuple[float, float]]:
    """Respondents of the whole organisation who met a behaviour, and respondents, by place, form and dimension."""
    rows = shown[having(shown, kind="indicator", by=WHOLE)]
    named = (rows["dimension"] + "_incidence" == rows["name"]).to_numpy()
    keys = ("by", "unit", "instrument", "form", "dimension", "total", "n")
    values = zip(*(rows.loc[named, key].to_numpy(dtype=object) for key in keys), strict=True)
    return {(by, unit, i, form, d): (float(total), float(n)) for by, unit, i, form, d, total, n in values}


def _label_in(instrument: Instrument, target: str) -> str:
    """Title of a dimension, or wording of an item; the bare reference where the instrument does not hold it."""
    try:
        if "/" in target:
            return sentence("finding.quote.title", title=dimension_title(instrument, target.split("/")[1]))
        form = next(form.id for form in instrument.forms if target in form.items)
        return sentence("finding.quote.item", text=item_text(instrument, target, form))
    except (KeyError, ValueError, StopIteration):
        return target
