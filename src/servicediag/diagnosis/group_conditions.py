"""Conditions about groups within a unit: gradients, contrasts and differences by background, and few persons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import fdtri, stdtrit

from servicediag.diagnosis.draft import Titles
from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.readings import Place, Reading, State, tell, turned, unmeasured, verdict
from servicediag.diagnosis.row_keys import having
from servicediag.diagnosis.rules import SYMPTOM, Condition
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import pooled_variance, welch
from servicediag.diagnosis.sums import WHOLE
from servicediag.instrument.background import BackgroundField, load_background
from servicediag.wording.telling import Term, lowered, sentence

__all__ = ["GroupConditions", "shown_groups"]

FEWEST_BANDS = 3
"""A gradient needs at least this many bands."""
FEWEST_PERSONS = 5
"""Persons who serve, each rated twice or more, without whom nothing is said about how trouble spreads over them."""
SPREAD_EVENLY = 0.10
"""Convention: where less of the variance than this lies between the persons who serve, a trouble is spread evenly."""
FEW = 1 / 3
"""Convention: up to this share of the persons are few."""


@dataclass(frozen=True)
class _Group:
    """Sums of a score in one category of a background field, in points of health."""

    category: str
    n: float
    total: float
    squares: float

    @property
    def mean(self) -> float:
        return self.total / self.n


@dataclass(frozen=True)
class _Groups:
    """The categories of one field for one dimension at one place, as one form asked them."""

    place: Place
    form: str
    rater: str
    groups: tuple[_Group, ...]


def shown_groups(
    evidence: Evidence, cells: pd.DataFrame, hidden_segments: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments and clusters of the newest waves that may be read: segments that no privacy rule withholds
    (``hidden_segments`` names the rule of each), clusters where the score of their unit may be shown."""
    segments, clusters = evidence.segments, evidence.clusters
    if not len(segments) and not len(clusters):
        return segments, clusters
    keys = ["by", "unit", "instrument", "form", "wave", "dimension"]
    shown = cells.loc[having(cells, kind="score", hidden="") & cells["current"].to_numpy(), keys]
    places = pd.MultiIndex.from_frame(shown)
    if len(segments):
        segments = segments[(hidden_segments == "") & having(segments, kind="score")]
        segments = segments[pd.MultiIndex.from_frame(segments[keys]).isin(places)]
    if len(clusters):
        clusters = clusters[pd.MultiIndex.from_frame(clusters[keys]).isin(places)]
    return segments, clusters


class GroupConditions:
    """Reads what the segments and clusters of the evidence say.

    Only breakdowns that may be shown are read. Where a unit has none, the whole organisation's is read, and the
    sentence says so.
    """

    def __init__(self, evidence: Evidence, segments: pd.DataFrame, clusters: pd.DataFrame, settings: Settings) -> None:
        self._settings = settings
        self._titles = Titles(evidence)
        self._evidence = evidence
        self._fields: dict[str, BackgroundField] | None = None
        self._segments = _indexed(segments, ["by", "unit", "instrument", "dimension", "background"])
        self._clusters = _indexed(clusters, ["by", "unit", "instrument", "dimension"])

    def read(self, condition: Condition, place: Place) -> Reading:
        """The answer to a gradient, a difference, a contrast or a concentration."""
        target = place.symptom if condition.target == SYMPTOM else condition.target
        about = self._about(target)
        if not target:
            return unmeasured(condition, about)
        if condition.kind == "concentrated":
            reading = self._concentrated(target, place)
        elif condition.kind == "segment_difference":
            reading = self._difference(condition, target, place)
        else:
            found = self._groups(target, condition.among[0], place)
            answer = self._gradient if condition.kind == "gradient" else self._contrast
            reading = None if found is None else answer(condition, target, found)
        return unmeasured(condition, about) if reading is None else turned(reading, condition)

    def _about(self, target: str) -> str:
        instrument, _, dimension = target.partition("/")
        if instrument not in self._evidence.instruments:
            return target
        return sentence("finding.quote.title", title=self._titles.dimension(instrument, dimension))

    def _field(self, name: str) -> BackgroundField | None:
        if self._fields is None:
            self._fields = {field.id: field for field in load_background()}
        return self._fields.get(name)

    def _label(self, field: str, category: str) -> str:
        """A category in words: the answer in quotation marks after the title of the field."""
        known = self._field(field)
        if known is None or category not in known.options:
            return sentence("finding.quote.category", field=field, category=category)
        options = known.options[category]
        return sentence("finding.quote.category", field=Term(known.title["en"], known.title),
                        category=Term(options["en"], options))  # fmt: skip

    def _name(self, field: str) -> str:
        known = self._field(field)
        return field if known is None else lowered(Term(known.title["en"], known.title))

    def _groups(self, target: str, field: str, place: Place) -> _Groups | None:
        """The breakdown at the place, or else of the whole organisation; of the form that showed the symptom first."""
        instrument, _, dimension = target.partition("/")
        for where in dict.fromkeys((place, Place(WHOLE, WHOLE, place.symptom, place.form))):
            rows = self._segments.get((where.by, where.unit, instrument, dimension, field))
            if rows is None:
                continue
            forms = list(dict.fromkeys(row.form for row in rows))
            if place.form in forms and target == place.symptom:
                forms = [place.form]
            sign = self._sign(instrument, dimension)
            chosen = [row for row in rows if row.form == forms[0]]
            return _Groups(where, forms[0], chosen[0].rater, tuple(_group(row, row.category, sign) for row in chosen))
        return None

    def _sign(self, instrument: str, dimension: str) -> int:
        return 1 if self._evidence.instruments[instrument].dimension(dimension).direction == "strength" else -1

    def _where(self, found: Place) -> str:
        return sentence("finding.condition.in_whole") if found.by == WHOLE else ""

    def _gradient(self, condition: Condition, target: str, found: _Groups) -> Reading | None:
        """Change of health from the first to the last band, by the line through the bands' people."""
        field = self._field(condition.among[0])
        if field is None or not field.ordered:
            return None
        order = list(field.options)
        bands = [(order.index(g.category), g) for g in found.groups if g.category in order]
        if len(bands) < FEWEST_BANDS:
            return None
        n, total, squares = (np.array(column) for column in zip(*((g.n, g.total, g.squares) for _, g in bands),
                                                                 strict=True))  # fmt: skip
        rank = np.array([position for position, _ in bands], dtype=float)
        middle = float(n @ rank / n.sum())
        spread = float(n @ (rank - middle) ** 2)
        slope = float((total * (rank - middle)).sum() / spread)
        variance, df = pooled_variance(n, total, squares)
        reach = float(rank.max() - rank.min()) * (1 if condition.sense == "worse" else -1)
        half = float(stdtrit(df, 0.95)) * math.sqrt(variance / spread) * abs(reach)
        change = slope * reach
        shown = change if condition.sense == "worse" else -change
        told = tell(
            "gradient",
            numbers={
                "gap": (shown, "+.1f"),
                "low": (shown - half, "+.1f"),
                "high": (shown + half, "+.1f"),
                "n": (int(n.sum()), "d"),
                "bands": (len(bands), "d"),
            },
            about=self._about(target),
            field=self._name(condition.among[0]),
            raters=self._titles.raters(target.partition("/")[0], found.form),
            where=self._where(found.place),
        )
        state = verdict(change, change - half, change + half, self._settings.smallest_gap)
        return Reading(state, told.sentence, change, target, found.rater, numbers=told.numbers)

    def _contrast(self, condition: Condition, target: str, found: _Groups) -> Reading | None:
        """Mean health of one group less that of another."""
        by_name = {group.category: group for group in found.groups}
        pair = [by_name.get(name) for name in condition.groups]
        if pair[0] is None or pair[1] is None:
            return None
        worse, than = pair[0], pair[1]
        test = welch((worse.n, worse.total, worse.squares), (than.n, than.total, than.squares))
        if test is None:
            return None
        gap, error, df = test
        half = float(stdtrit(df, 0.95)) * error
        field = condition.among[0]
        told = tell(
            "contrast",
            numbers={
                "health": (worse.mean, ".1f"),
                "other": (than.mean, ".1f"),
                "gap": (gap, "+.1f"),
                "low": (gap - half, "+.1f"),
                "high": (gap + half, "+.1f"),
                "n": (int(worse.n), "d"),
                "m": (int(than.n), "d"),
            },
            about=self._about(target),
            worse=self._label(field, worse.category),
            than=self._label(field, than.category),
            raters=self._titles.raters(target.partition("/")[0], found.form),
            where=self._where(found.place),
        )
        state = verdict(float(gap), float(gap - half), float(gap + half), self._settings.smallest_gap)
        return Reading(state, told.sentence, float(gap), target, found.rater, numbers=told.numbers)

    def _difference(self, condition: Condition, target: str, place: Place) -> Reading | None:
        """The worst group of any of the fields against the others of its field; limits hold for all groups together."""
        gaps: list[tuple[float, float, str, _Group, _Groups, float]] = []
        for field in condition.among:
            found = self._groups(target, field, place)
            if found is not None and len(found.groups) > 1:
                gaps.extend((*gap, field, group, found, df) for group, gap, df in _against_others(found.groups))
        if not gaps:
            return None
        level = 0.05 / len(gaps)
        limits = [(gap, float(stdtrit(df, 1 - level)) * error) for gap, error, *_, df in gaps]
        states = [verdict(gap, gap - half, gap + half, self._settings.smallest_gap) for gap, half in limits]
        state: State = "undetermined"
        if "yes" in states:
            state = "yes"
        elif all(one == "no" for one in states):
            state = "no"
        worst = min(range(len(gaps)), key=lambda i: (states[i] != "yes", limits[i][0]))
        (gap, half), (_, _, field, group, found, _) = limits[worst], gaps[worst]
        told = tell(
            "segment_difference",
            numbers={
                "gap": (gap, "+.1f"),
                "low": (gap - half, "+.1f"),
                "high": (gap + half, "+.1f"),
                "n": (int(group.n), "d"),
                "groups": (len(gaps), "d"),
            },
            about=self._about(target),
            group=self._label(field, group.category),
            raters=self._titles.raters(target.partition("/")[0], found.form),
            where=self._where(found.place),
        )
        return Reading(state, told.sentence, gap, target, found.rater, numbers=told.numbers)

    def _concentrated(self, target: str, place: Place) -> Reading | None:
        """Whether the persons who serve differ, and few of them are worse than the others."""
        instrument, _, dimension = target.partition("/")
        for where in dict.fromkeys((place, Place(WHOLE, WHOLE))):
            rows = self._clusters.get((where.by, where.unit, instrument, dimension), ())
            forms = list(dict.fromkeys(row.form for row in rows))
            form = place.form if place.form in forms else next(iter(forms), "")
            sign = self._sign(instrument, dimension) if rows else 1
            persons = [_group(row, row.cluster, sign) for row in rows if row.form == form and row.n > 1]
            if len(persons) >= max(FEWEST_PERSONS, self._settings.minimum_group):
                return self._spread(target, form, persons, where)
        return None

    def _spread(self, target: str, form: str, persons: Sequence[_Group], where: Place) -> Reading:
        n, total, squares = (np.array(c) for c in zip(*((p.n, p.total, p.squares) for p in persons), strict=True))
        low, estimate, high = _intraclass_limits(n, total, squares)
        others = list(_against_others(persons))
        level = 0.05 / len(others)
        worse = sum(
            verdict(gap, gap - half, gap + half, self._settings.smallest_gap) == "yes"
            for (gap, half) in ((g, float(stdtrit(df, 1 - level)) * error) for _, (g, error), df in others)
        )
        state: State = "undetermined"
        if low > 0 and 0 < worse <= FEW * len(persons):
            state = "yes"
        elif high < SPREAD_EVENLY:
            state = "no"
        instrument = target.partition("/")[0]
        told = tell(
            f"concentrated_{state}",
            numbers={
                "persons": (len(persons), "d"),
                "share": (100 * max(estimate, 0.0), ".0f"),
                "low": (100 * max(low, 0.0), ".0f"),
                "high": (100 * max(high, 0.0), ".0f"),
                "n": (int(n.sum()), "d"),
            },
            about=self._about(target),
            raters=self._titles.raters(instrument, form),
            where=self._where(where),
        )
        rater = self._evidence.instruments[instrument].form(form).rater
        return Reading(state, told.sentence, math.nan, target, rater, numbers=told.numbers)


def _indexed(frame: pd.DataFrame, keys: list[str]) -> Mapping[tuple[str, ...], Sequence[_Row]]:
    """Rows that may be shown, of the newest wave, by their keys."""
    found: dict[tuple[str, ...], list[_Row]] = {}
    if frame.empty:
        return found
    columns = {name: frame[name].to_numpy(dtype=object) for name in {*keys, "form", "n", "total", "total_squares"}}
    for name in ("rater", "category", "cluster"):
        columns[name] = frame[name].to_numpy(dtype=object) if name in frame else np.full(len(frame), "", dtype=object)
    rows = zip(*(columns[name] for name in _Row.__dataclass_fields__), strict=True)
    for key, row in zip(zip(*(columns[name] for name in keys), strict=True), rows, strict=True):
        found.setdefault(key, []).append(_Row(*row))
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    form: str
    rater: str
    category: str
    cluster: str
    n: float
    total: float
    total_squares: float


def _group(row: _Row, name: str, sign: int) -> _Group:
    """The sums of a row in points of health."""
    n, total, squares = float(row.n), float(row.total), float(row.total_squares)
    if sign < 0:
        total, squares = 100 * n - total, 1e4 * n - 200 * total + squares
    return _Group(name, n, total, squares)


def _against_others(groups: Sequence[_Group]) -> Iterable[tuple[_Group, tuple[float, float], int]]:
    """Mean of each group less that of the others, its standard error by the pooled variance, and its degrees."""
    n, total, squares = (np.array(c) for c in zip(*((g.n, g.total, g.squares) for g in groups), strict=True))
    variance, df = pooled_variance(n, total, squares)
    for position, group in enumerate(groups):
        rest = n.sum() - n[position]
        if rest > 0 and df > 0:
            gap = group.mean - (total.sum() - group.total) / rest
            yield group, (float(gap), math.sqrt(variance * (1 / group.n + 1 / rest))), df


def _intraclass_limits(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> tuple[float, float, float]:
    """ICC(1) between persons with its 90 % limits from the F distribution (Shrout and Fleiss, 1979)."""
    k, everybody = len(n), n.sum()
    between = float((total**2 / n).sum() - total.sum() ** 2 / everybody) / (k - 1)
    within = float((squares - total**2 / n).sum()) / (everybody - k)
    size = float((everybody - (n**2).sum() / everybody) / (k - 1))
    if within <= 0:
        return 1.0, 1.0, 1.0
    f = between / within
    low = f / float(fdtri(k - 1, everybody - k, 0.95))
    high = f / float(fdtri(k - 1, everybody - k, 0.05))
    return tuple((value - 1) / (value - 1 + size) for value in (low, f, high))
