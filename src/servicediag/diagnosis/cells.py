"""Evidence to cells: level, gap to the rest, tests, shrinkage and tier for every group and score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from servicediag.diagnosis.breakdowns import wave_order
from servicediag.diagnosis.clusters import CLUSTER_COLUMNS, ClusterIndex, NestedContrast
from servicediag.diagnosis.evidence import COUNTS, WHOLE, Evidence
from servicediag.diagnosis.nonresponse import add_response
from servicediag.diagnosis.privacy import hidden_cells
from servicediag.diagnosis.privacy_scales import scored_cells
from servicediag.diagnosis.row_keys import RowKeys, having
from servicediag.diagnosis.sensitive import is_sensitive
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.stability import cell_stability
from servicediag.diagnosis.statistics import (
    Contrast,
    benjamini_hochberg,
    directional_rates,
    equivalence,
    intraclass,
    limited_weights,
    pooled_variance,
    rank_draws,
    rank_uncertainty,
    shrinkage_weights,
    student_quantiles,
    unit_contrasts,
)
from servicediag.diagnosis.targets import Targets
from servicediag.diagnosis.tiers import LOW_RESPONSE, NOT_APPLICABLE, TOO_FEW_CLUSTERS, one_tier_down, tiers_of
from servicediag.reliability_table import RELIABILITY_COLUMNS, reliability_row
from servicediag.responses.model import Part
from servicediag.results import table_rows

__all__ = ["current_waves", "index_part", "judge_cells", "reliability_of", "reliability_table"]

INDEX_PARTS = frozenset({("four-tools", "blame_staff"), ("four-tools", "blame_situation")})
"""Dimensions that are read only within an index of their own, never by themselves."""
SMALLEST_RANKING = 5
"""Fewer units than this have no fifth that is the worst."""
CONTRAST_COLUMNS = (
    "gap", "standard_error", "df", "level_error", "level_df", "gap_low", "gap_high", "gap_low_90", "gap_high_90",
    "weight", "keep", "shrunk_gap",
    "minimum_detectable_gap", "icc1", "icc2", "rank_low", "rank_high", "p_worst_fifth",
)  # fmt: skip


class _Score(NamedTuple):
    """A score, item or indicator within a grouping."""

    by: str
    instrument: str
    form: str
    wave: str
    kind: str
    dimension: str
    name: str


def judge_cells(
    evidence: Evidence, settings: Settings, reliability: pd.DataFrame, targets: Targets | None = None
) -> pd.DataFrame:
    """A row a cell with everything that findings, causes and reports need; its index is that of the evidence's cell.

    Adds to the evidence's keys and sums: ``mean, sd, ci_low, ci_high, health``, the gap to the rest in points of
    health with its tests (``CONTRAST_COLUMNS``) and its ``equivalence`` verdict, the declared ``target`` with the gap
    to it, ``n_clusters, design_effect`` where respondents are nested, ``invited, response_rate`` and the bounds that
    those who did not answer leave, ``q_value, q_minimum_effect, tier, severity, direction``, ``cautions`` (sentences
    on why a tier was held down), ``hidden`` (the rule that withholds the cell, or empty text) and ``current`` (newest
    wave of its form).
    """
    rows = RowKeys.of(evidence.cells, _Score._fields, _Score._make)
    closed = _closed(evidence)
    delicate = rows.each(lambda key: is_sensitive(key.instrument, key.dimension), bool)
    scored = scored_cells(evidence.cells, evidence.instruments)
    hidden = hidden_cells(
        evidence.cells, evidence.atoms, settings.minimum_group, settings.privacy, closed, delicate, scored
    )
    cells = evidence.cells.drop(columns=COUNTS)
    pools = _pools(cells, rows, hidden == "", settings)
    kept = _kept(cells, hidden, keep_indicators=bool(len(evidence.segments)))
    if not kept.all():
        cells, hidden, rows = cells[kept].copy(), hidden[kept], rows.at(kept)
    cells["sign"] = _signs(evidence, rows)
    cells["hidden"] = pd.Series(hidden, index=cells.index, dtype=object)
    clusters = ClusterIndex.of(evidence, settings)
    _add_levels(cells, clusters)
    _add_contrasts(cells, rows, settings, clusters, pools)
    newest = current_waves(evidence)
    cells["current"] = rows.each(lambda key: key.wave == newest[key.instrument, key.form], bool)
    _add_verdicts(cells, settings, targets or Targets())
    add_response(cells, evidence, settings)
    _add_tiers(cells, rows, settings, reliability)
    return cells


def _closed(evidence: Evidence) -> np.ndarray | None:
    """Cells that the release ledger withholds."""
    if not evidence.closed and not evidence.closed_cells:
        return None
    names = ["by", "unit", "instrument", "form", "wave", "kind", "dimension", "name"]
    keys = evidence.cells[names].itertuples(index=False, name=None)
    return np.array([key[:5] in evidence.closed or key in evidence.closed_cells for key in keys], dtype=bool)


def index_part(cells: pd.DataFrame) -> np.ndarray:
    """Which cells belong to a dimension that is never judged by itself."""
    return RowKeys.of(cells, ["instrument", "dimension"]).each(INDEX_PARTS.__contains__, bool)


def _texts(cells: pd.DataFrame, *columns: str) -> list[np.ndarray]:
    """Columns of text as objects, over which Python goes much faster than over a column of pandas."""
    return [cells[name].to_numpy(dtype=object) for name in columns]


def current_waves(evidence: Evidence) -> dict[tuple[str, str], str]:
    """The newest wave of each instrument and form: the last by name, numbers within names read as numbers."""
    newest: dict[tuple[str, str], str] = {}
    for instrument, form, wave in evidence.n_respondents:
        newest[instrument, form] = max(newest.get((instrument, form), WHOLE), wave, key=wave_order)
    return newest


def reliability_table(evidence: Evidence) -> pd.DataFrame:
    """Reliability per instrument, form, wave and dimension, from the evidence's moments."""
    rows = []
    whole = evidence.cells[having(evidence.cells, by=WHOLE, kind="score")]
    places = zip(*_texts(whole, "instrument", "form", "wave", "dimension"), strict=True)
    scored = dict(zip(places, whole["n"].tolist(), strict=True))
    for instrument_id, form_id, wave in evidence.n_respondents:
        instrument = evidence.instruments[instrument_id]
        for dimension in instrument.dimensions:
            place = (instrument_id, form_id, wave, dimension.id)
            if place not in scored:
                continue
            moments = evidence.moments.get(place)
            codes = tuple(item.code for item in dimension.scored_items) if moments is None else moments.items
            usable = moments is not None and moments.n > 1
            row = reliability_row(
                Part(instrument, instrument.form(form_id), codes),
                dimension,
                codes,
                moments.covariance() if moments is not None and usable else None,
                scored[place] if moments is None else moments.n,
            )
            rows.append({**row, "form": form_id, "wave": wave, "reflective": dimension.measurement == "reflective"})
    table = pd.DataFrame(rows, columns=[*RELIABILITY_COLUMNS, "form", "wave", "reflective"])
    # a column of pandas' own text type would forget how the notes were made
    table["note"] = pd.Series([row["note"] for row in rows], index=table.index, dtype=object)
    return table


def reliability_of(reliability: pd.DataFrame) -> dict[tuple[str, str, str, str], float | None]:
    """Omega, or alpha where omega is undefined, per (instrument, form, wave, dimension); None where not applicable."""
    found: dict[tuple[str, str, str, str], float | None] = {}
    for row in table_rows(reliability):
        value = row.alpha if math.isnan(row.omega) else row.omega
        found[row.instrument, row.form, row.wave, row.dimension] = float(value) if row.reflective else None
    return found


def _signs(evidence: Evidence, rows: RowKeys) -> np.ndarray:
    """+1 where a high score is good, -1 where it is bad."""
    weak = {
        (instrument.id, dimension.id)
        for instrument in evidence.instruments.values()
        for dimension in instrument.dimensions
        if dimension.direction == "weakness"
    }
    return rows.each(lambda key: -1.0 if (key.instrument, key.dimension) in weak else 1.0, float)


def _add_levels(cells: pd.DataFrame, clusters: ClusterIndex) -> None:
    n = cells["n"].to_numpy(float)
    mean = cells["total"].to_numpy(float) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.maximum(cells["total_squares"].to_numpy(float) - n * mean**2, 0.0)
        spread = np.sqrt(squares / np.where(n > 1, n - 1, np.nan))
        error, df, nested = clusters.levels(cells, spread / np.sqrt(n), n - 1)
        half = student_quantiles(np.maximum(df, 1), 0.975) * error
        half_90 = student_quantiles(np.maximum(df, 1), 0.95) * error
    sign = cells["sign"].to_numpy()
    health = np.where(sign > 0, mean, 100.0 - mean)
    cells["mean"], cells["sd"], cells["health"], cells["error"], cells["error_df"] = mean, spread, health, error, df
    for name in CLUSTER_COLUMNS:
        cells[name] = nested[name]
    cells["n_worth"] = clusters.of_shares(cells)
    cells["ci_low"], cells["ci_high"] = mean - half, mean + half
    cells["health_low_90"], cells["health_high_90"] = health - half_90, health + half_90


def _kept(cells: pd.DataFrame, hidden: np.ndarray, *, keep_indicators: bool) -> np.ndarray:
    """Rows that somebody asks for: of a unit of which a form shows nothing, only scores and what is named as withheld.

    There may be very many such units.
    """
    begins = np.zeros(len(cells), dtype=bool)
    begins[:1] = True
    for column in _texts(cells, "by", "unit", "instrument", "form", "wave"):
        begins[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(begins)
    shown = np.logical_or.reduceat(hidden == "", first) if len(first) else np.zeros(0, dtype=bool)
    kind = cells["kind"].to_numpy(dtype=object)
    kept = np.repeat(shown, np.diff(np.append(first, len(cells))))
    kept |= (kind == "score") | (hidden == "unanimity") | having(cells, by=WHOLE)
    return kept | (kind == "indicator") if keep_indicators else kept


def _of_units(rows: RowKeys) -> np.ndarray:
    """Which rows are a unit's score or item, rather than an indicator or of the whole organisation."""
    return rows.each(lambda key: key.by != WHOLE and key.kind != "indicator", bool)


def _pools(
    cells: pd.DataFrame, rows: RowKeys, shown: np.ndarray, settings: Settings
) -> dict[tuple[str, ...], np.ndarray]:
    """n, total and squares of the units withheld, for each score, item and grouping that has units."""
    sums = cells[["n", "total", "total_squares"]].to_numpy(float)
    wholes = {key[1:]: int(one[-1]) for key, one in rows.positions().items() if key[0] == WHOLE}
    found = {}
    for key, group in rows.positions_of(_of_units(rows)).items():
        if not shown[wholes[key[1:]]]:
            # a reference that holds more than the units shown would tell the whole
            found[key] = np.zeros(3)
            continue
        pool = sums[group[~shown[group]]].sum(axis=0)
        rest = sums[wholes[key[1:]]] - sums[group].sum(axis=0)
        if 0 < rest[0] < settings.minimum_group or (rest[0] > 0 and pool[0] > 0):
            # a reference without the people of no unit would tell of them, or of the units withheld, apart
            pool = pool + rest
        found[key] = pool
    return found


def _add_contrasts(
    cells: pd.DataFrame,
    rows: RowKeys,
    settings: Settings,
    clusters: ClusterIndex,
    pools: Mapping[tuple[str, ...], np.ndarray],
) -> None:
    """Gap of each unit that may be shown to the rest within its grouping, in points of health."""
    columns = {name: np.full(len(cells), np.nan) for name in CONTRAST_COLUMNS}
    judged = _of_units(rows) & having(cells, hidden="")
    units = cells["unit"].to_numpy(dtype=object)
    sums = cells[["n", "total", "total_squares"]].to_numpy(float)
    sign = cells["sign"].to_numpy()
    for key, first in rows.positions_of(judged).items():
        pool = pools[key]
        together = np.vstack([sums[first], pool]) if pool[0] > 0 else sums[first]
        nested = clusters.contrast(key, units[first], together) if settings.population == "process" else None
        values = _contrast_of(together, sign[first], units[first], settings, nested)
        for name, value in values.items():
            columns[name][first] = value
    for name, column in columns.items():
        cells[name] = column


def _contrast_of(
    together: np.ndarray, sign: np.ndarray, units: np.ndarray, settings: Settings, nested: NestedContrast | None
) -> dict[str, np.ndarray | float]:
    """Contrasts of the units shown. Withheld units count as one group, so that nothing published tells them apart.

    ``together`` holds n, total and squares of the units shown and, behind them, of those withheld.
    """
    n, total, squares = np.ascontiguousarray(together.T)
    first = slice(len(units))
    population = None
    if settings.population == "census":
        population = np.full(len(n), math.nan)
        population[first] = [settings.population_size.get(u, math.nan) for u in units]
    contrast = unit_contrasts(n, total, squares, population)
    if contrast is None or not len(units):
        return {}
    variance, df = pooled_variance(n, total, squares)
    fraction = np.ones(len(n)) if population is None else np.where(np.isnan(population), 1.0, 1 - n / population)
    level_error, level_df = np.sqrt(variance * np.clip(fraction, 0.0, 1.0) / n), np.full(len(n), float(df))
    of_unit: float | np.ndarray = variance
    if nested is not None:
        contrast, level_error, level_df = nested.contrast, nested.level_error, nested.level_df
        of_unit = np.where(np.isnan(level_error), variance, n * level_error**2)
    weight = shrinkage_weights(n, total, of_unit)
    keep = limited_weights(weight, contrast.gap, contrast.standard_error)
    low, high = contrast.interval(0.95)
    low_90, high_90 = contrast.interval(0.90)
    icc1, icc2 = intraclass(n, total, squares)
    gap = sign * contrast.gap[first]
    return {
        "gap": gap,
        "standard_error": contrast.standard_error[first],
        "df": np.broadcast_to(contrast.df, len(n))[first],
        "level_error": level_error[first],
        "level_df": level_df[first],
        "gap_low": np.where(sign > 0, low[first], -high[first]),
        "gap_high": np.where(sign > 0, high[first], -low[first]),
        "gap_low_90": np.where(sign > 0, low_90[first], -high_90[first]),
        "gap_high_90": np.where(sign > 0, high_90[first], -low_90[first]),
        "weight": weight[first],
        "keep": keep[first],
        "shrunk_gap": gap * keep[first],
        "minimum_detectable_gap": contrast.minimum_detectable()[first],
        "icc1": icc1,
        "icc2": icc2,
    }


def _add_ranks(cells: pd.DataFrame, rows: RowKeys, settings: Settings, family: np.ndarray) -> None:
    """Rank intervals of the units shown, where the differences between units are reliable enough to rank them."""
    ranked = family & (cells["icc2"].to_numpy() >= settings.ranking_icc2) & cells["standard_error"].notna().to_numpy()
    shrunk, error, keep = (cells[name].to_numpy(float) for name in ("shrunk_gap", "standard_error", "keep"))
    columns = {name: cells[name].to_numpy(float, copy=True) for name in ("rank_low", "rank_high", "p_worst_fifth")}
    draws: dict[int, np.ndarray] = {}
    for group in rows.positions_of(ranked).values():
        if len(group) < SMALLEST_RANKING:
            continue
        if len(group) not in draws:
            # most scores are of the same units
            draws = {len(group): rank_draws(len(group), settings.seed)}
        ranks = rank_uncertainty(shrunk[group], error[group] * np.sqrt(keep[group]), normal=draws[len(group)])
        columns["rank_low"][group], columns["rank_high"][group] = ranks.low, ranks.high
        columns["p_worst_fifth"][group] = ranks.worst_fifth
    for name, column in columns.items():
        cells[name] = column


def _add_verdicts(cells: pd.DataFrame, settings: Settings, targets: Targets) -> None:
    """Gap to the declared target, and whether gaps lie within the smallest gap of interest beyond doubt."""
    margin = settings.smallest_gap
    cells["equivalence"] = equivalence(cells["gap_low_90"].to_numpy(), cells["gap_high_90"].to_numpy(), margin)
    wanted = np.full(len(cells), np.nan)
    if targets.values:
        scores = np.flatnonzero(having(cells, kind="score"))
        places = zip(*_texts(cells.iloc[scores], "instrument", "dimension", "unit"), strict=True)
        wanted[scores] = [targets.of(i, d, None if unit == WHOLE else unit) for i, d, unit in places]
    pooled = cells["level_error"].notna().to_numpy() & ~np.isnan(cells["error"].to_numpy(float))
    error = np.where(pooled, cells["level_error"], cells["error"]).astype(float)
    df = np.maximum(np.where(pooled, cells["level_df"], cells["error_df"]).astype(float), 1)
    cells["target"], gap = wanted, cells["health"].to_numpy() - wanted
    cells["target_gap"] = gap
    half, half_90 = student_quantiles(df, 0.975) * error, student_quantiles(df, 0.95) * error
    cells["target_gap_low"], cells["target_gap_high"] = gap - half, gap + half
    cells["target_equivalence"] = equivalence(gap - half_90, gap + half_90, margin)


def _add_tiers(cells: pd.DataFrame, rows: RowKeys, settings: Settings, reliability: pd.DataFrame) -> None:
    """Tier, severity and direction of every cell of the declared family: unit x score cells that may be shown."""
    judged = rows.each(_is_judged, bool)
    inside = judged & cells["current"].to_numpy() & having(cells, hidden="")
    contrast = Contrast(*(cells[name].to_numpy(float)[inside] for name in ("gap", "standard_error", "df")))
    q, q_minimum = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    p, p_minimum = contrast.p_no_difference(), contrast.p_minimum_effect(settings.minimum_effect)
    q[inside] = directional_rates(p, contrast.gap)
    q_minimum[inside] = benjamini_hochberg(p_minimum)
    cells["q_value"], cells["q_minimum_effect"] = q, q_minimum
    _add_ranks(cells, rows, settings, inside)
    known = {place: NOT_APPLICABLE if value is None else value for place, value in reliability_of(reliability).items()}
    trust = np.full(len(cells), NOT_APPLICABLE)
    of_place = rows.each(
        lambda key: known.get((key.instrument, key.form, key.wave, key.dimension), NOT_APPLICABLE), float
    )
    trust[inside] = of_place[inside]
    shrunk = cells["shrunk_gap"].to_numpy(float)
    tiers, weak = tiers_of(
        q,
        q_minimum,
        shrunk,
        cells["gap"].to_numpy(float),
        cells["n"].to_numpy(float),
        trust,
        settings,
    )
    tiers[~inside], weak[~inside] = None, False
    cautions = _hold_down(cells, tiers, inside, settings)
    for name, column in (
        ("tier", tiers), ("cautions", cautions), ("severity", settings.severities(shrunk))
    ):  # fmt: skip
        cells[name] = pd.Series(column, index=cells.index, dtype=object)
    cells["unreliable"] = weak
    cells["stability"] = cell_stability(cells, inside, p, p_minimum, trust, settings)
    gap = cells["gap"].to_numpy()
    direction = np.array(["none", "worse", "better"], dtype=object)[np.where(gap < 0, 1, np.where(gap > 0, 2, 0))]
    cells["direction"] = pd.Series(direction, index=cells.index, dtype=object)


def _is_judged(key: _Score) -> bool:
    return key.kind == "score" and key.by != WHOLE and (key.instrument, key.dimension) not in INDEX_PARTS


def _hold_down(cells: pd.DataFrame, tiers: np.ndarray, family: np.ndarray, settings: Settings) -> np.ndarray:
    """Lower tiers that few clusters or few answers do not bear, and say so in a sentence a cell."""
    cautions = np.empty(len(cells), dtype=object)
    cautions.fill(())
    gap = cells["gap"].to_numpy(float)
    for place in np.flatnonzero(family & ~np.isnan(gap) & np.isnan(cells["standard_error"].to_numpy(float))):
        tiers[place] = "abstained" if abs(gap[place]) >= settings.smallest_gap else None
        cautions[place] = (TOO_FEW_CLUSTERS,)
    few = cells["response_rate"].to_numpy(float) < settings.low_response
    survives = cells["survives_nonresponse"].to_numpy(dtype=object)
    for place in np.flatnonzero(family & few):
        lower = one_tier_down(tiers[place])
        if survives[place] is False and lower != tiers[place]:
            tiers[place], cautions[place] = lower, (LOW_RESPONSE,)
    return cautions
