"""What of a release may be shown beside all earlier ones: the rules for one report and the audit of all, in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from servicediag.diagnosis.evidence import COUNTS, WHOLE, Evidence, Place
from servicediag.diagnosis.privacy import PrivacyRules, hidden_cells
from servicediag.diagnosis.privacy_breakdowns import hidden_segments
from servicediag.diagnosis.privacy_scales import scored_cells
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.release_audit import Fact, exposing_groups
from servicediag.diagnosis.release_counts import Distribution, exposing_distributions
from servicediag.diagnosis.releases import (
    PLACE,
    VARIABLE,
    Group,
    Members,
    Release,
    Shown,
    Source,
    Variable,
    segment_place,
)
from servicediag.diagnosis.sensitive import sensitive_cells
from servicediag.instrument import Instrument
from servicediag.results import table_rows

__all__ = ["ReleaseGate"]

UNITS = "\x00units "
"""Before a grouping's name: all of its units together, which the gap of any unit to the rest tells."""
Rows = Mapping[Variable, Mapping[Place, Shown]]
"""What is shown of each variable, by group."""


@dataclass(frozen=True)
class ReleaseGate:
    """One form and wave of a release.

    Attributes
    ----------
    errors : mapping of (place, variable) -> tuple of (name, float)
        Roundings that are part of the evidence's sums, in points.
    """

    evidence: Evidence
    members: Members
    source: Source
    errors: Mapping[tuple[Place, Variable], tuple[tuple[str, float], ...]]
    minimum: int
    rules: PrivacyRules

    def against(self, releases: Sequence[Release]) -> tuple[Evidence, dict[Place, Group]]:
        """The evidence with what must not be shown beside the releases closed, and the groups to be kept."""
        groups = self._groups()
        before = _Earlier(releases, groups, self.source, self.members, self.evidence.instruments[self.source[0]])
        evidence = self.evidence
        while True:
            cells = self._cells(evidence)
            shown = self._shown(cells)
            if closed := self._exposing(before, shown):
                evidence = replace(evidence, closed_cells=evidence.closed_cells | closed)
            elif uncounted := frozenset(before.uncountable(shown, self.minimum)):
                evidence = self._without_counts(evidence, uncounted)
            else:
                break
        of_segments = self._shown_segments(evidence, cells)
        if before.any and of_segments and any(before.exposing(_joined(shown, of_segments), self.minimum)):
            segments = evidence.segments[~self._mine(evidence.segments)].reset_index(drop=True)
            evidence, of_segments = replace(evidence, segments=segments), {}
        means: dict[Place, dict[Variable, Shown]] = {}
        for variable, places in _joined(shown, of_segments).items():
            for place, one in places.items():
                means.setdefault(place, {})[variable] = one
        kept = {
            p: Group(people, means.get(p, {})) for p, people in groups.items() if p in means or p in self.members.groups
        }
        return evidence, kept

    def _groups(self) -> dict[Place, frozenset[str]]:
        """The people of every group of this form and wave, of breakdowns, and of all units of a grouping together."""
        groups = {place: people for place, people in self.members.groups.items() if place[2:5] == self.source}
        of_groupings = {by: [p for place, p in groups.items() if place[0] == by] for by in self.evidence.groupings}
        groups |= {p: people for p, people in self.members.segments.items() if p[2:5] == self.source}
        for by, units in of_groupings.items():
            groups[UNITS + by, "", *self.source] = frozenset().union(*units)
        return groups

    def _mine(self, table: pd.DataFrame) -> np.ndarray:
        """Rows of this form and wave."""
        same = [(table[c] == v).to_numpy() for c, v in zip(PLACE[2:], self.source, strict=True)]
        return np.asarray(np.logical_and.reduce(same))

    def _cells(self, evidence: Evidence) -> pd.DataFrame:
        """Cells of this form and wave with the rule that hides each."""
        cells = evidence.cells
        cells = cells[self._mine(cells)].reset_index(drop=True)
        keys = cells[[*PLACE, *VARIABLE]].itertuples(index=False, name=None)
        closed = np.array([k[:5] in evidence.closed or k in evidence.closed_cells for k in keys], dtype=bool)
        atoms = {source: people for source, people in evidence.atoms.items() if source == self.source}
        scored = scored_cells(cells, evidence.instruments)
        hidden = hidden_cells(cells, atoms, self.minimum, self.rules, closed, sensitive_cells(cells), scored)
        return cells.assign(hidden=pd.Series(hidden, index=cells.index, dtype=object))

    def _shown(self, cells: pd.DataFrame) -> dict[Variable, dict[Place, Shown]]:
        """What the cells show, and what gaps to the rest show besides."""
        found: dict[Variable, dict[Place, Shown]] = {}
        open_cells = cells[(cells["hidden"] == "").to_numpy()]
        for row, counts in zip(table_rows(open_cells), open_cells[COUNTS].to_numpy(int).tolist(), strict=True):
            place, variable = (row.by, row.unit, *self.source), (row.kind, row.dimension, row.name)
            errors = self.errors.get((place, variable), ())
            squares = None if errors else float(row.total_squares) * (1e4 if row.kind == "indicator" else 1.0)
            counted = row.n >= UNANIMITY_BELOW and row.by in (WHOLE, *self.evidence.groupings[:1]) and any(counts)
            one = Shown(int(row.n), row.total / row.n, squares, errors, tuple(counts) if counted else ())
            found.setdefault(variable, {})[place] = one
        for by in self.evidence.groupings:
            self._add_units(found, cells, by)
        return found

    def _add_units(self, found: dict[Variable, dict[Place, Shown]], cells: pd.DataFrame, by: str) -> None:
        """All units together, where one of them is shown with its gap, and the whole is shown too."""
        judged = cells[(cells["kind"] != "indicator").to_numpy()]
        whole = {
            (row.kind, row.dimension, row.name): float(row.n)
            for row in table_rows(judged[((judged["by"] == WHOLE) & (judged["hidden"] == "")).to_numpy()])
        }
        units = judged[(judged["by"] == by).to_numpy()]
        places = [place for place in self.members.groups if place[0] == by and place[2:5] == self.source]
        for variable, inside in units.groupby(VARIABLE, sort=False):
            key = (str(variable[0]), str(variable[1]), str(variable[2]))
            if key not in whole or not (inside["hidden"] == "").any():
                continue
            n, total = float(inside["n"].sum()), float(inside["total"].sum())
            rest = whole[key] - n
            if 0 < rest < self.minimum or (rest > 0 and (inside["hidden"] != "").any()):
                # the reference of the gaps includes the people of no unit: it is what the unit leaves of the whole
                continue
            errors = tuple(dict.fromkeys(one for place in places for one in self.errors.get((place, key), ())))
            found[key][UNITS + by, "", *self.source] = Shown(int(n), total / n, None, errors)

    def _exposing(self, before: _Earlier, shown: Rows) -> frozenset[tuple[str, ...]]:
        """Cells that tell of few people beside the earlier releases."""
        if not before.any:
            return frozenset()
        gone = set()
        for variable, place in before.exposing(shown, self.minimum):
            # where the whole is withheld, units are compared with the other units that are shown
            of_gaps = place[0].startswith(UNITS)
            gone.add((*((WHOLE, WHOLE, *self.source) if of_gaps else place), *variable))
        return frozenset(gone)

    def _without_counts(self, evidence: Evidence, places: frozenset[tuple[str, ...]]) -> Evidence:
        """Evidence without the answers by option of some groups to some items."""
        cells = evidence.cells.copy()
        keys = cells[[*PLACE, *VARIABLE]].itertuples(index=False, name=None)
        cells.loc[np.array([key in places for key in keys], dtype=bool), COUNTS] = 0
        return replace(evidence, cells=cells)

    def _shown_segments(self, evidence: Evidence, cells: pd.DataFrame) -> dict[Variable, dict[Place, Shown]]:
        """What breakdowns by background show."""
        table = evidence.segments[self._mine(evidence.segments)].reset_index(drop=True)
        if table.empty:
            return {}
        table = table[hidden_segments(table, cells, self.minimum, evidence.segment_atoms) == ""]
        found: dict[Variable, dict[Place, Shown]] = {}
        for row in table_rows(table):
            place = segment_place(row.by, row.unit, row.background, row.category, self.source)
            found.setdefault((row.kind, row.dimension, row.name), {})[place] = Shown(int(row.n), row.total / row.n)
        return found


def _joined(first: Rows, second: Rows) -> dict[Variable, dict[Place, Shown]]:
    return {key: {**first.get(key, {}), **second.get(key, {})} for key in dict.fromkeys((*first, *second))}


class _Earlier:
    """Everything that was shown of a form before, and the people of it and of the new release."""

    def __init__(
        self,
        releases: Sequence[Release],
        now: Mapping[Place, frozenset[str]],
        source: Source,
        members: Members,
        instrument: Instrument,
    ) -> None:
        self.any = any(group.means for release in releases for group in release.groups.values())
        self._source, self._members, self._instrument = source, members, instrument
        self._harmless: dict[Variable, Mapping[Place, Shown]] = {}
        if not self.any:
            return
        everybody = frozenset().union(*now.values(), *(g.members for r in releases for g in r.groups.values()))
        self._columns = {person: column for column, person in enumerate(sorted(everybody))}
        self._now = {place: self._mask(people) for place, people in now.items()}
        self._before = [
            (number, release, place, group, self._mask(group.members))
            for number, release in enumerate(releases)
            for place, group in release.groups.items()
            if group.means
        ]

    def _mask(self, people: frozenset[str]) -> np.ndarray:
        inside = np.zeros(len(self._columns), dtype=bool)
        inside[[self._columns[person] for person in people if person in self._columns]] = True
        return inside

    def exposing(self, shown: Rows, minimum: int) -> Iterator[tuple[Variable, Place]]:
        """Variables and groups of the new release that would tell of few people."""
        for variable, places in shown.items():
            if self._harmless.get(variable) == places:
                continue
            facts = [*self._known(variable)]
            silent = self._silent(self._members.unanswered, self._source, variable)
            names = {}
            for place, one in places.items():
                names[place_name := "\x00".join(place)] = place
                facts.append(_fact(self._now[place] & ~silent, one, variable, "now", place_name))
            found = exposing_groups(facts, minimum, step=self._step(variable))
            if not found:
                self._harmless[variable] = places
            for name in sorted(found):
                yield variable, names[name]

    def _step(self, variable: Variable) -> float | None:
        """Distance of two possible answers, in points; scores are means of several, and may lie anywhere."""
        kind, _, name = variable
        if kind != "item":
            return 100.0 if kind == "indicator" else None
        return 100.0 / (len(self._instrument.scale(name, self._source[1]).codes) - 1)

    def uncountable(self, shown: Rows, minimum: int) -> Iterator[tuple[str, ...]]:
        """Groups and items of the new release whose answers by option would tell of few people."""
        for variable, places in shown.items():
            if not self.any or variable[0] != "item":
                continue
            silent = self._silent(self._members.unanswered, self._source, variable)
            names = {"\x00".join(place): place for place in places}
            found = [Distribution(people, one.counts) for _, one, people in self._earlier(variable) if one.counts]
            found += [
                Distribution(self._now[place] & ~silent, places[place].counts, name)
                for name, place in names.items()
                if places[place].counts
            ]
            for name in sorted(exposing_distributions(found, minimum)):
                yield (*names[name], *variable)

    def _known(self, variable: Variable) -> Iterator[Fact]:
        for number, one, people in self._earlier(variable):
            yield _fact(people, one, variable, str(number), None)

    def _earlier(self, variable: Variable) -> Iterator[tuple[int, Shown, np.ndarray]]:
        """What was shown of the variable, of which release, and of whom."""
        for number, release, place, group, people in self._before:
            one = group.means.get(variable)
            if one is not None:
                silent = self._silent(release.unanswered, (place[2], place[3], place[4]), variable)
                yield number, one, people & ~silent

    def _silent(
        self, unanswered: Mapping[tuple[Source, Variable], frozenset[str]], source: Source, variable: Variable
    ) -> np.ndarray:
        return self._mask(unanswered.get((source, variable), frozenset()))


def _fact(people: np.ndarray, one: Shown, variable: Variable, release: str, group: str | None) -> Fact:
    points = 100.0 if variable[0] == "indicator" else 1.0
    errors = {f"{release}:{name}": half for name, half in one.errors}
    return Fact(people, points * one.mean * one.n, one.squares, errors, group)
