"""The evidence table: sums over groups of respondents, after which no row of a person is seen again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from servicediag.diagnosis.backgrounds import Background, check_backgrounds, read_backgrounds, survey_languages
from servicediag.diagnosis.breakdowns import (
    CHANGE_KEYS,
    CLUSTER_KEYS,
    SEGMENT_KEYS,
    Linked,
    change_table,
    cluster_table,
    distribution,
    real_ids,
    segment_table,
)
from servicediag.diagnosis.cross_products import CROSS_SUMS
from servicediag.diagnosis.group_tables import COUNTS, added_up, block_table
from servicediag.diagnosis.moments import Moments, add_moments, all_moments, language_moments
from servicediag.diagnosis.sums import (
    BACKGROUND,
    SUMS,
    WHOLE,
    Grouping,
    Quantity,
    add_tables,
    empty_table,
)
from servicediag.errors import Issue, ResponsesError
from servicediag.instrument.model import Instrument
from servicediag.responses.model import Part, Responses
from servicediag.results import as_html
from servicediag.scoring import DimensionScore, code_points, person_indicators, score_all
from servicediag.wording.telling import sentence

__all__ = [
    "COUNTS", "WHOLE", "Evidence", "Moments", "Place", "build_evidence", "groupings_of", "quantities_of",
    "wave_codes_of",
]  # fmt: skip

Key = TypeVar("Key")
Place = tuple[str, str, str, str, str]
"""Grouping, unit, instrument, form and wave."""

LINKED = sentence("finding.note.linked")
MOST_CELLS = 600_000
"""Sums that one grouping may need: some 450 MB on the way to a report."""
MOST_ATOMS = 5_000
"""With more combinations of groups and background categories breakdowns cannot be audited, and are withheld."""
KEYS = ["by", "unit", "instrument", "form", "rater", "wave", "kind", "dimension", "name"]
CELL_SUMS = ["n", "total", "total_squares", "n_apart", *COUNTS]
CROSS_KEYS = ["by", "unit", "wave", "source", "first", "second"]


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
    segments : DataFrame
        Sums of scores and indicators by background category, a row a grouping x unit x score x category:
        ``by, unit, instrument, form, rater, wave, kind, dimension, name, background, category, n, total,
        total_squares``.
    clusters : DataFrame
        Sums of scores by cluster of respondents, such as the server whom customers rated: ``by, unit, instrument,
        form, wave, dimension, cluster, n, total, total_squares``. A cluster is named by a hash.
    changes : DataFrame
        Sums of the change of a score within persons who answered in two waves: ``by, unit, instrument, form, rater,
        dimension, first_wave, second_wave, n, total, total_squares``; of those who were in the unit in both waves.
    distributions : mapping of (instrument, form, wave, dimension) -> int array
        How many scores of the whole organisation lie nearest to each point from 0 to 100.
    cluster : str or None
        Name of the column that holds the clusters.
    atoms : mapping of (instrument, form, wave) -> DataFrame
        With several groupings: how many people of each combination of groups answered each score, item or indicator.
        Only the privacy gate reads it.
    segment_atoms : mapping of (instrument, form, wave) -> DataFrame
        The same for combinations of groups and background categories, where there are several of them.
    fingerprints : frozenset of str
        Hashes of the exports that were added up, so that none is added twice.
    closed : frozenset of (grouping, unit, instrument, form, wave)
        Groups that a release ledger withholds altogether.
    closed_cells : frozenset of (grouping, unit, instrument, form, wave, kind, dimension, name)
        Single items and indicators that it withholds.
    language_moments : mapping of (instrument, form, wave, dimension, language) -> Moments
        Where the respondents' column ``survey_language`` says which language they answered in.
    notes : tuple of str
    """

    cells: pd.DataFrame
    cross: pd.DataFrame
    moments: Mapping[tuple[str, ...], Moments]
    instruments: Mapping[str, Instrument]
    n_respondents: Mapping[tuple[str, str, str], int]
    groupings: tuple[str, ...]
    atoms: Mapping[tuple[str, str, str], pd.DataFrame] = field(default_factory=dict)
    fingerprints: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default=())
    segments: pd.DataFrame = field(default_factory=lambda: empty_table(SEGMENT_KEYS, SUMS))
    clusters: pd.DataFrame = field(default_factory=lambda: empty_table(CLUSTER_KEYS, SUMS))
    changes: pd.DataFrame = field(default_factory=lambda: empty_table(CHANGE_KEYS, SUMS))
    distributions: Mapping[tuple[str, str, str, str], np.ndarray] = field(default_factory=dict)
    cluster: str | None = None
    segment_atoms: Mapping[tuple[str, str, str], pd.DataFrame] = field(default_factory=dict)
    closed: frozenset[Place] = frozenset()
    closed_cells: frozenset[tuple[str, ...]] = frozenset()
    language_moments: Mapping[tuple[str, ...], Moments] = field(default_factory=dict)

    def __repr__(self) -> str:
        people = ", ".join(f"{i}:{f}={n}" for (i, f, _), n in self.n_respondents.items())
        return f"Evidence(groupings={self.groupings}, n_cells={len(self.cells)}, {people})"

    def _repr_html_(self) -> str:
        return as_html(repr(self))

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

        Only changes within persons need the answers of a person in one part: those of two parts are not linked.

        Raises
        ------
        ValueError
            The two were grouped or clustered by different columns, hold different versions of an instrument, or share
            an export.
        """
        if self.groupings != other.groupings:
            raise ValueError(f"other was grouped by {other.groupings}, this by {self.groupings}")
        if self.cluster and other.cluster and self.cluster != other.cluster:
            raise ValueError(f"other has its clusters in {other.cluster!r}, this in {self.cluster!r}")
        if self.fingerprints & other.fingerprints:
            raise ValueError("other holds answers that are already here: the same export was given twice")
        for name in self.instruments.keys() & other.instruments.keys():
            if self.instruments[name].content_hash != other.instruments[name].content_hash:
                raise ValueError(f"other holds a different version of instrument {name!r}")
        return Evidence(
            add_tables(KEYS, CELL_SUMS, [self.cells, other.cells]),
            add_tables(CROSS_KEYS, CROSS_SUMS, [self.cross, other.cross]),
            add_moments(self.moments, other.moments),
            {**self.instruments, **other.instruments},
            _add_values(self.n_respondents, other.n_respondents),
            self.groupings,
            _add_atoms(self.atoms, other.atoms),
            self.fingerprints | other.fingerprints,
            tuple(dict.fromkeys((*self.notes, *other.notes))),
            add_tables(SEGMENT_KEYS, SUMS, [self.segments, other.segments]),
            add_tables(CLUSTER_KEYS, SUMS, [self.clusters, other.clusters]),
            add_tables(CHANGE_KEYS, SUMS, [self.changes, other.changes]),
            _add_values(self.distributions, other.distributions),
            self.cluster or other.cluster,
            _add_atoms(self.segment_atoms, other.segment_atoms),
            self.closed | other.closed,
            self.closed_cells | other.closed_cells,
            add_moments(self.language_moments, other.language_moments),
        )


def build_evidence(
    *responses: Responses,
    by: str | Sequence[str] = "unit",
    cluster: str | None = None,
    background: Sequence[str] | None = None,
) -> Evidence:
    """Add up the answers of one or more exports by unit (and any further grouping).

    Parameters
    ----------
    *responses : Responses
        Exports of one study: several instruments, forms or waves.
    by : str or sequence of str
        Column of ``responses.respondents`` that names the unit, or several, each a grouping of its own.
    cluster : str, optional
        Column that names what respondents are nested in, such as the server whom a customer rated.
    background : sequence of str, optional
        Further columns by which scores are broken down, with at most 20 values each, beside those that the
        catalogue's background fields are found in by their id, title or question; ``()`` for none at all.

    Returns
    -------
    Evidence
        Sums only; ``.merge`` adds evidence of another part of the same study.

    Raises
    ------
    ValueError
        No export holds one of the columns (the default ``"unit"`` may be absent, then only the whole is diagnosed),
        or the same export was given twice.

    Notes
    -----
    Where respondents have ids of their own (``respondent=`` of ``read_responses``), their answers in several waves
    are linked within one call.
    """
    if not responses:
        raise ValueError("responses is empty; give at least one")
    groupings = _names("by", by)
    plan = _Plan(groupings, cluster, None if background is None else _names("background", background))
    notes = _check_groupings(responses, plan.groupings)
    _check_cluster(responses, cluster)
    check_backgrounds(responses, plan.background)
    linked: list[Linked] = []
    evidence = _evidence_of(responses[0], plan, notes, linked)
    for one in responses[1:]:
        evidence = evidence.merge(_evidence_of(one, plan, notes, linked))
    changes = change_table(linked)
    if len(changes):
        evidence = replace(evidence, changes=changes, notes=(*evidence.notes, LINKED))
    return evidence


@dataclass(frozen=True)
class _Plan:
    """What answers are added up by."""

    groupings: tuple[str, ...]
    cluster: str | None
    background: tuple[str, ...] | None


def _check_cluster(responses: Sequence[Responses], cluster: str | None) -> None:
    if cluster is not None and not any(cluster in one.respondents.columns for one in responses):
        choices = sorted({str(c) for one in responses for c in one.respondents.columns})
        raise ValueError(f"cluster={cluster!r} is not a respondent column of any export; choose from {choices}")


def _names(argument: str, given: str | Iterable[str]) -> tuple[str, ...]:
    """Names of columns, each once."""
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument}={given!r} must be the name of a column, or several")
    return tuple(dict.fromkeys(map(str, names)))


def _check_groupings(responses: Sequence[Responses], groupings: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    for column in groupings:
        if any(column in one.respondents.columns for one in responses):
            if not any(one.respondents[column].notna().any() for one in responses if column in one.respondents):
                notes.append(sentence("finding.note.empty_column", column=column))
            continue
        if groupings == ("unit",):
            notes.append(sentence("finding.note.no_unit_column"))
            continue
        choices = sorted({str(c) for one in responses for c in one.respondents.columns})
        raise ValueError(f"by={column!r} is not a respondent column of any export; choose from {choices}")
    return tuple(notes)


def _evidence_of(responses: Responses, plan: _Plan, notes: tuple[str, ...], linked: list[Linked]) -> Evidence:
    """Sums of one export; where its respondents can be linked over waves, their scores go to ``linked``."""
    scored = score_all(responses)
    waves, wave_names = wave_codes_of(responses)
    quantities = list(quantities_of(responses, scored))
    groupings = list(groupings_of(responses, plan.groupings))
    _check_cells(groupings, waves, len(quantities))
    cells, cross = added_up(groupings, quantities, scored, (waves, wave_names))
    counted = [quantity for quantity in quantities if quantity.kind != "item"]
    backgrounds, remarks = read_backgrounds(responses, plan.background)
    clusters = empty_table(CLUSTER_KEYS, SUMS)
    if plan.cluster in responses.respondents.columns:
        clusters = cluster_table(counted, groupings, responses.respondents[plan.cluster], (waves, wave_names))
    ids = real_ids(responses)
    if ids is not None and any(name != WHOLE for name in wave_names):
        linked.append(Linked(ids, tuple(counted), tuple(groupings), waves, wave_names))
    return Evidence(
        block_table(cells, KEYS, CELL_SUMS),
        block_table(cross, CROSS_KEYS, CROSS_SUMS),
        all_moments(responses, scored, waves, wave_names),
        {part.instrument.id: part.instrument for part in responses.parts},
        _people(responses, waves, wave_names),
        plan.groupings,
        _atoms(groupings, quantities, waves, wave_names) if len(groupings) > 2 else {},
        frozenset({_fingerprint(responses)}),
        (*notes, *remarks),
        segment_table(counted, groupings, backgrounds, (waves, wave_names)),
        clusters,
        distributions=_distributions(scored, waves, wave_names),
        cluster=plan.cluster,
        segment_atoms=_segment_atoms(groupings, backgrounds, counted, waves, wave_names),
        language_moments=language_moments(responses, scored, waves, wave_names, survey_languages(responses)),
    )


def _check_cells(groupings: Sequence[Grouping], waves: np.ndarray, n_quantities: int) -> None:
    """Refuse groups so many that their sums would not fit into memory; such a column mostly names single people."""
    most = MOST_CELLS // max(n_quantities, 1)
    for grouping in groupings:
        group = np.where(grouping.codes >= 0, waves * len(grouping.units) + grouping.codes, -1)
        found = int((np.bincount(group + 1)[1:] > 0).sum())
        if found > most:
            issue = Issue(
                "too_many_groups",
                "error",
                grouping.by,
                f"The column {grouping.by!r} makes {found:,} groups; with {n_quantities} numbers for each the limit is "
                f"{most:,}.",
                "Name a column of units rather than of people, or diagnose parts of the organisation by themselves.",
            )
            raise ResponsesError("Too many groups for a diagnosis.", (issue,))


def groupings_of(responses: Responses, names: Sequence[str]) -> Iterable[Grouping]:
    """The whole and the groups that each column makes."""
    yield Grouping(WHOLE, np.array([WHOLE], dtype=object), np.zeros(len(responses), dtype=np.int64))
    for name in names:
        if name in responses.respondents.columns:
            codes, units = _unit_codes(responses.respondents[name])
            yield Grouping(name, units, codes)


def _people(responses: Responses, waves: np.ndarray, wave_names: np.ndarray) -> dict[tuple[str, str, str], int]:
    return {
        (part.instrument.id, part.form.id, str(wave)): int((waves == code).sum())
        for part in responses.parts
        for code, wave in enumerate(wave_names)
    }


def _distributions(
    scored: Sequence[DimensionScore], waves: np.ndarray, wave_names: np.ndarray
) -> dict[tuple[str, str, str, str], np.ndarray]:
    return {
        (s.part.instrument.id, s.part.form.id, str(wave), s.dimension.id): distribution(s.values[waves == code])
        for s in scored
        for code, wave in enumerate(wave_names)
    }


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
    groupings: Sequence[Grouping],
    quantities: Sequence[Quantity],
    waves: np.ndarray,
    wave_names: np.ndarray,
) -> dict[tuple[str, str, str], pd.DataFrame]:
    """How many people of each combination of groups answered each score, item or indicator."""
    named = [grouping for grouping in groupings if grouping.by != WHOLE]
    codes = np.column_stack([grouping.codes for grouping in named])
    combinations, place = np.unique(codes, axis=0, return_inverse=True)
    columns = {g.by: np.append(g.units, WHOLE)[combinations[:, c]] for c, g in enumerate(named)}
    found: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    for quantity in quantities:
        known = ~np.isnan(quantity.values)
        if quantity.kind == "item":
            known = np.take(~np.isnan(code_points(quantity.part, quantity.name)), quantity.values.view(np.uint8))
        for code, wave in enumerate(wave_names):
            n = np.bincount(place.ravel()[known & (waves == code)], minlength=len(combinations))
            keys = {"kind": quantity.kind, "dimension": quantity.dimension, "name": quantity.name}
            rows = pd.DataFrame({**columns, **keys, "n": n}).astype(dict.fromkeys([*columns, *keys], object))
            source = (quantity.part.instrument.id, quantity.part.form.id, str(wave))
            found.setdefault(source, []).append(rows[rows["n"] > 0])
    return {source: pd.concat(rows, ignore_index=True) for source, rows in found.items()}


def _segment_atoms(
    groupings: Sequence[Grouping],
    backgrounds: Sequence[Background],
    quantities: Sequence[Quantity],
    waves: np.ndarray,
    wave_names: np.ndarray,
) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Atoms of groups and background categories, where two of them may overlap in few people."""
    if not backgrounds or len(groupings) - 1 + len(backgrounds) < 2:
        return {}
    fields = [Grouping(BACKGROUND + b.id, np.array(b.categories, dtype=object), b.codes) for b in backgrounds]
    codes = np.column_stack([one.codes for one in (*groupings, *fields)])
    if len(np.unique(codes, axis=0)) > MOST_ATOMS:
        return {}
    return _atoms([*groupings, *fields], quantities, waves, wave_names)


def _add_values(first: Mapping[Key, Any], second: Mapping[Key, Any]) -> dict[Key, Any]:
    added = dict(first)
    for key, value in second.items():
        added[key] = added[key] + value if key in added else value
    return added


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


def wave_codes_of(responses: Responses) -> tuple[np.ndarray, np.ndarray]:
    """A code a respondent, and the names of the waves."""
    if "wave" not in responses.respondents.columns:
        return np.zeros(len(responses), dtype=np.int64), np.array([WHOLE], dtype=object)
    text = responses.respondents["wave"].astype(object)
    codes, names = pd.factorize(text.where(text.notna(), WHOLE).map(str), sort=True)
    return codes.astype(np.int64), np.asarray(names, dtype=object)


def quantities_of(responses: Responses, scored: Sequence[DimensionScore]) -> Iterable[Quantity]:
    """Every score, item and indicator that cells are made of."""
    known = {}
    for s in scored:
        known[s.part.instrument.id, s.dimension.id] = ~np.isnan(s.values)
        yield Quantity(s.part, "score", s.dimension.id, "", s.values)
    for part in responses.parts:
        for dimension in part.dimensions:
            for item in dimension.items:
                if item.code in responses.codes:
                    beside = known.get((part.instrument.id, dimension.id)) if item.in_score else None
                    yield Quantity(part, "item", dimension.id, item.code, responses.codes[item.code], beside)
    by_id = {part.instrument.id: part for part in responses.parts}
    for (instrument, name), values in person_indicators(responses, tuple(scored)).items():
        yield Quantity(by_id[instrument], "indicator", _indicator_dimension(by_id[instrument], name), name, values)


def _indicator_dimension(part: Part, name: str) -> str:
    for dimension in part.dimensions:
        if name in (f"{dimension.id}_incidence", f"{dimension.id}_severe_incidence"):
            return dimension.id
        if name == f"blocked_only_by_{dimension.id}":
            return dimension.id
    return ""
