"""The evidence table: sums over groups of respondents, after which no row of a person is seen again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from servicediag.instrument.model import Instrument
from servicediag.responses.model import Part, Responses
from servicediag.scoring import DimensionScore, item_points, person_indicators, score_all

__all__ = ["Evidence", "Moments", "build_evidence"]

N_CATEGORIES = 11
"""Widest response scale that category counts are kept for."""
COUNTS = [f"count_{k}" for k in range(N_CATEGORIES)]
KEYS = ["by", "unit", "instrument", "form", "rater", "wave", "kind", "dimension", "name"]
CELL_SUMS = ["n", "total", "total_squares", *COUNTS]
CROSS_KEYS = ["by", "unit", "wave", "source", "first", "second"]
CROSS_SUMS = ["n", "first_total", "second_total", "first_squares", "second_squares", "product"]
WHOLE = ""
"""Grouping and unit name of the whole organisation inside the evidence; people's unit names are never empty."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the complete rows of a dimension's items, enough for its reliability."""

    items: tuple[str, ...]
    n: int
    n_dropped: int
    totals: np.ndarray
    products: np.ndarray

    def merge(self, other: Moments) -> Moments:
        return Moments(
            self.items,
            self.n + other.n,
            self.n_dropped + other.n_dropped,
            self.totals + other.totals,
            self.products + other.products,
        )

    def covariance(self) -> np.ndarray:
        """Covariance matrix of the items, n - 1 in the denominator."""
        return (self.products - np.outer(self.totals, self.totals) / self.n) / (self.n - 1)


@dataclass(frozen=True, repr=False, eq=False)
class Evidence:
    """Sums that every later stage works on. Working data of the analyst: not for release.

    Attributes
    ----------
    cells : DataFrame
        A row a grouping x unit x instrument x form x wave x score, item or indicator: number of answers, sum, sum
        of squares (in 0-100 points, direction of the dimension's name) and counts of the answer categories.
    cross : DataFrame
        Sums of cross-products of the scores of one export, per unit and wave, on respondents who have both.
    moments : mapping of (instrument, form, wave, dimension) -> Moments
        What the reliability of a dimension needs.
    instruments : mapping of id -> Instrument
    n_respondents : mapping of (instrument, form, wave) -> int
    groupings : tuple of str
        Names of the columns that were grouped by.
    atoms : mapping of (instrument, form, wave) -> DataFrame
        With several groupings: how many people share each combination of groups. Only the privacy gate reads it.
    fingerprints : frozenset of str
        Hashes of the exports that were added up, so that none is added twice.
    notes : tuple of str
    """

    cells: pd.DataFrame
    cross: pd.DataFrame
    moments: Mapping[tuple[str, str, str, str], Moments]
    instruments: Mapping[str, Instrument]
    n_respondents: Mapping[tuple[str, str, str], int]
    groupings: tuple[str, ...]
    atoms: Mapping[tuple[str, str, str], pd.DataFrame] = field(default_factory=dict)
    fingerprints: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        people = ", ".join(f"{i}:{f}={n}" for (i, f, _), n in self.n_respondents.items())
        return f"Evidence(groupings={self.groupings}, n_cells={len(self.cells)}, {people})"

    def to_frame(self) -> pd.DataFrame:
        """The cells with n, mean and sd; ``unit`` is None for the whole organisation. Not for release."""
        frame = self.cells.copy()
        n = frame["n"].to_numpy(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = frame["total"].to_numpy() / n
            squares = np.maximum(frame["total_squares"].to_numpy() - n * mean**2, 0.0)
            spread = np.sqrt(squares / np.where(n > 1, n - 1, np.nan))
        frame.insert(len(KEYS) + 1, "mean", mean)
        frame.insert(len(KEYS) + 2, "sd", spread)
        for column in ("by", "unit", "wave"):
            frame[column] = frame[column].astype(object).where(frame[column] != WHOLE, None)
        return frame

    def merge(self, other: Evidence) -> Evidence:
        """Evidence of both; sums add, so partitions of one study give the evidence of the whole.

        Raises
        ------
        ValueError
            The two were grouped by different columns, hold different versions of an instrument, or share an export.
        """
        if self.groupings != other.groupings:
            raise ValueError(f"other was grouped by {other.groupings}, this by {self.groupings}")
        if self.fingerprints & other.fingerprints:
            raise ValueError("other holds answers that are already here: the same export was given twice")
        for name in self.instruments.keys() & other.instruments.keys():
            if self.instruments[name].content_hash != other.instruments[name].content_hash:
                raise ValueError(f"other holds a different version of instrument {name!r}")
        moments = dict(self.moments)
        for key, value in other.moments.items():
            mine = moments.get(key)
            if mine is not None and mine.items != value.items:
                raise ValueError(f"other holds different items for {'/'.join(filter(None, key))}")
            moments[key] = value if mine is None else mine.merge(value)
        people = dict(self.n_respondents)
        for part, n in other.n_respondents.items():
            people[part] = people.get(part, 0) + n
        return Evidence(
            _add(KEYS, CELL_SUMS, [self.cells, other.cells]),
            _add(CROSS_KEYS, CROSS_SUMS, [self.cross, other.cross]),
            moments,
            {**self.instruments, **other.instruments},
            people,
            self.groupings,
            _add_atoms(self.atoms, other.atoms),
            self.fingerprints | other.fingerprints,
            tuple(dict.fromkeys((*self.notes, *other.notes))),
        )


def build_evidence(*responses: Responses, by: str | Sequence[str] = "unit") -> Evidence:
    """Add up the answers of one or more exports by unit (and any further grouping).

    Parameters
    ----------
    *responses : Responses
        Exports of one study: several instruments, forms or waves.
    by : str or sequence of str
        Column of ``responses.respondents`` that names the unit, or several, each a grouping of its own.

    Returns
    -------
    Evidence
        Sums only; ``.merge`` adds evidence of another part of the same study.

    Raises
    ------
    ValueError
        No export holds one of the columns (the default ``"unit"`` may be absent, then only the whole is diagnosed),
        or the same export was given twice.
    """
    if not responses:
        raise ValueError("responses is empty; give at least one")
    groupings = (by,) if isinstance(by, str) else tuple(by)
    notes = _check_groupings(responses, groupings)
    evidence: Evidence | None = None
    for one in responses:
        mine = _evidence_of(one, groupings, notes)
        evidence = mine if evidence is None else evidence.merge(mine)
    return evidence  # type: ignore[return-value]


def _check_groupings(responses: Sequence[Responses], groupings: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    for column in groupings:
        if any(column in one.respondents.columns for one in responses):
            if not any(one.respondents[column].notna().any() for one in responses if column in one.respondents):
                notes.append(f"The column {column!r} is empty, so only the organisation as a whole is diagnosed.")
            continue
        if groupings == ("unit",):
            notes.append("No unit column was named, so only the organisation as a whole is diagnosed.")
            continue
        choices = sorted({str(c) for one in responses for c in one.respondents.columns})
        raise ValueError(f"by={column!r} is not a respondent column of any export; choose from {choices}")
    return tuple(notes)


def _evidence_of(responses: Responses, groupings: tuple[str, ...], notes: tuple[str, ...]) -> Evidence:
    scored = score_all(responses)
    waves, wave_names = _wave_codes(responses)
    columns = list(_columns(responses, scored))
    cells: list[_Block] = []
    cross: list[_Block] = []
    for grouping in (WHOLE, *groupings):
        if grouping == WHOLE:
            units, unit_names = np.zeros(len(responses), dtype=np.int64), np.array([WHOLE], dtype=object)
        elif grouping in responses.respondents.columns:
            units, unit_names = _unit_codes(responses.respondents[grouping])
        else:
            continue
        group = np.where(units >= 0, waves * len(unit_names) + units, -1)
        places = _Places(grouping, np.tile(unit_names, len(wave_names)), np.repeat(wave_names, len(unit_names)))
        cells.extend(_sum_column(places, column, group) for column in columns)
        cross.extend(_sum_products(places, scored, group))
    moments = {
        (s.part.instrument.id, s.part.form.id, str(wave), s.dimension.id): _moments(responses, s, waves == code)
        for s in scored
        if s.dimension.measurement == "reflective"
        for code, wave in enumerate(wave_names)
    }
    people = {
        (part.instrument.id, part.form.id, str(wave)): int((waves == code).sum())
        for part in responses.parts
        for code, wave in enumerate(wave_names)
    }
    instruments = {part.instrument.id: part.instrument for part in responses.parts}
    return Evidence(
        _table(cells, KEYS, CELL_SUMS),
        _table(cross, CROSS_KEYS, CROSS_SUMS),
        moments,
        instruments,
        people,
        groupings,
        _atoms(responses, groupings, waves, wave_names) if len(groupings) > 1 else {},
        frozenset({_fingerprint(responses)}),
        notes,
    )


def _fingerprint(responses: Responses) -> str:
    """Hash of who answered what, in which unit and wave."""
    digest = hashlib.sha256()
    for part in responses.parts:
        digest.update(f"{part.instrument.id}:{part.form.id}".encode())
    for code, column in responses.codes.items():
        digest.update(code.encode() + column.tobytes())
    places = responses.respondents[[c for c in ("unit", "wave") if c in responses.respondents.columns]]
    digest.update(pd.util.hash_pandas_object(places.astype(str), index=True).to_numpy().tobytes())
    return digest.hexdigest()


def _atoms(
    responses: Responses, groupings: tuple[str, ...], waves: np.ndarray, wave_names: np.ndarray
) -> dict[tuple[str, str, str], pd.DataFrame]:
    columns = {}
    for grouping in groupings:
        if grouping in responses.respondents.columns:
            codes, names = _unit_codes(responses.respondents[grouping])
            columns[grouping] = np.append(names, WHOLE)[codes]
    table = pd.DataFrame(columns, dtype=object)
    found = {}
    for code, wave in enumerate(wave_names):
        members = table[waves == code].groupby(list(columns), sort=True).size().rename("n").reset_index()
        for part in responses.parts:
            found[part.instrument.id, part.form.id, str(wave)] = members
    return found


def _add_atoms(
    first: Mapping[tuple[str, str, str], pd.DataFrame], second: Mapping[tuple[str, str, str], pd.DataFrame]
) -> dict[tuple[str, str, str], pd.DataFrame]:
    added = dict(first)
    for key, members in second.items():
        if key in added:
            both = pd.concat([added[key], members])
            columns = [name for name in both.columns if name != "n"]
            added[key] = both.groupby(columns, sort=True)["n"].sum().reset_index()
        else:
            added[key] = members
    return added


def _unit_codes(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Codes and names of units; blank names are -1: such people count for the organisation only."""
    raw, values = pd.factorize(column)
    text = np.array([str(value).strip() for value in values] + [""], dtype=object)
    names = np.array(sorted(set(text) - {""}), dtype=object)
    place = {name: position for position, name in enumerate(names)}
    codes = np.array([place.get(name, -1) for name in text], dtype=np.int64)
    return codes[raw], names


def _wave_codes(responses: Responses) -> tuple[np.ndarray, np.ndarray]:
    if "wave" not in responses.respondents.columns:
        return np.zeros(len(responses), dtype=np.int64), np.array([WHOLE], dtype=object)
    text = responses.respondents["wave"].astype(object)
    codes, names = pd.factorize(text.where(text.notna(), WHOLE).map(str), sort=True)
    return codes.astype(np.int64), np.asarray(names, dtype=object)


@dataclass(frozen=True)
class _Column:
    """One number a respondent, to be added up: a score, an item or an indicator."""

    part: Part
    kind: str
    dimension: str
    name: str
    values: np.ndarray
    categories: np.ndarray | None = None


def _columns(responses: Responses, scored: Sequence[DimensionScore]) -> Iterable[_Column]:
    for s in scored:
        yield _Column(s.part, "score", s.dimension.id, "", s.values)
    for part in responses.parts:
        for dimension in part.dimensions:
            for item in dimension.items:
                if item.code in responses.codes:
                    codes = responses.codes[item.code]
                    points = item_points(part, item.code, codes)
                    yield _Column(part, "item", dimension.id, item.code, points, codes - part.bounds(item.code)[0])
    by_id = {part.instrument.id: part for part in responses.parts}
    for (instrument, name), values in person_indicators(responses, tuple(scored)).items():
        yield _Column(by_id[instrument], "indicator", _indicator_dimension(by_id[instrument], name), name, values)


def _indicator_dimension(part: Part, name: str) -> str:
    for dimension in part.dimensions:
        if name in (f"{dimension.id}_incidence", f"{dimension.id}_severe_incidence"):
            return dimension.id
        if name == f"blocked_only_by_{dimension.id}":
            return dimension.id
    return ""


@dataclass(frozen=True)
class _Places:
    """The groups that one grouping makes, unit by unit within each wave."""

    by: str
    units: np.ndarray
    waves: np.ndarray

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True)
class _Block:
    """Sums of one number for all groups of a grouping; ``keys`` are the same for all of them."""

    places: _Places
    keys: Mapping[str, str]
    sums: Mapping[str, np.ndarray]


def _sum_column(places: _Places, column: _Column, group: np.ndarray) -> _Block:
    known = ~np.isnan(column.values) & (group >= 0)
    where, values = group[known], column.values[known]
    n_groups = len(places)
    counts = np.zeros((n_groups, N_CATEGORIES), dtype=np.int64)
    if column.categories is not None:
        flat = where * N_CATEGORIES + np.minimum(column.categories[known], N_CATEGORIES - 1)
        counts = np.bincount(flat, minlength=n_groups * N_CATEGORIES).reshape(n_groups, N_CATEGORIES)
    keys = {
        "instrument": column.part.instrument.id,
        "form": column.part.form.id,
        "rater": column.part.form.rater,
        "kind": column.kind,
        "dimension": column.dimension,
        "name": column.name,
    }
    sums = {
        "n": np.bincount(where, minlength=n_groups),
        "total": np.bincount(where, values, minlength=n_groups),
        "total_squares": np.bincount(where, values**2, minlength=n_groups),
        **dict(zip(COUNTS, counts.T, strict=True)),
    }
    return _Block(places, keys, sums)


def _sum_products(places: _Places, scored: Sequence[DimensionScore], group: np.ndarray) -> Iterable[_Block]:
    """Cross-products of every pair of scores that the same people gave."""
    if len(scored) < 2:
        return
    sums = _group_products(np.column_stack([s.values for s in scored]), group, len(places))
    source = "+".join(dict.fromkeys(f"{s.part.instrument.id}:{s.part.form.id}" for s in scored))
    for a, first in enumerate(scored):
        for b in range(a + 1, len(scored)):
            n, totals, squares, products = (table[:, a, b] for table in sums)
            # totals and squares of a column are over the people who have the other one too
            values = (n.astype(np.int64), totals, sums[1][:, b, a], squares, sums[2][:, b, a], products)
            keys = {"source": source, "first": _reference(first), "second": _reference(scored[b])}
            yield _Block(places, keys, dict(zip(CROSS_SUMS, values, strict=True)))


def _group_products(values: np.ndarray, group: np.ndarray, n_groups: int) -> tuple[np.ndarray, ...]:
    """Counts, totals, squares and products per group and pair of columns, each n_groups x columns x columns."""
    order = np.argsort(group, kind="stable")
    order = order[np.searchsorted(group[order], 0) :]
    known = ~np.isnan(values[order])
    filled = np.where(known, values[order], 0.0)
    known = known.astype(np.float64)
    borders = np.searchsorted(group[order], np.arange(n_groups + 1))
    width = values.shape[1]
    n, totals, squares, products = (np.zeros((n_groups, width, width)) for _ in range(4))
    for position in range(n_groups):
        rows = slice(borders[position], borders[position + 1])
        x, m = filled[rows], known[rows]
        n[position], totals[position] = m.T @ m, x.T @ m
        squares[position], products[position] = (x * x).T @ m, x.T @ x
    return n, totals, squares, products


def _table(blocks: Sequence[_Block], keys: list[str], sums: list[str]) -> pd.DataFrame:
    """All blocks as one frame, in a fixed order of keys; groups without an answer left out."""
    if not blocks:
        return pd.DataFrame(columns=[*keys, *sums])
    sizes = [len(block.places) for block in blocks]
    columns: dict[str, np.ndarray] = {
        "by": np.repeat(np.array([block.places.by for block in blocks], dtype=object), sizes),
        "unit": np.concatenate([block.places.units for block in blocks]),
        "wave": np.concatenate([block.places.waves for block in blocks]),
    }
    for key in blocks[0].keys:
        columns[key] = np.repeat(np.array([block.keys[key] for block in blocks], dtype=object), sizes)
    for name in sums:
        columns[name] = np.concatenate([block.sums[name] for block in blocks])
    table = pd.DataFrame(columns)[[*keys, *sums]]
    return table[table["n"] > 0].sort_values(keys, kind="stable", ignore_index=True)


def _reference(scored: DimensionScore) -> str:
    return f"{scored.part.instrument.id}:{scored.part.form.id}/{scored.dimension.id}"


def _moments(responses: Responses, scored: DimensionScore, rows: np.ndarray) -> Moments:
    codes = tuple(item.code for item in scored.dimension.scored_items if item.code in responses.codes)
    part = scored.part
    columns = []
    for code in codes:
        points = item_points(part, code, responses.codes[code][rows])
        minimum, maximum = part.bounds(code)
        columns.append(points * ((maximum - minimum) / 100.0))
    table = np.column_stack(columns)
    complete = table[~np.isnan(table).any(axis=1)]
    return Moments(codes, len(complete), len(table) - len(complete), complete.sum(axis=0), complete.T @ complete)


def _add(keys: list[str], sums: list[str], frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows with the same keys added up, in a fixed order of keys; empty groups left out."""
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame(columns=[*keys, *sums])
    table = pd.concat(filled, ignore_index=True)[[*keys, *sums]]
    table = table[table["n"] > 0]
    return table.groupby(keys, sort=True, as_index=False, observed=True)[sums].sum()
