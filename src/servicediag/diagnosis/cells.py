"""Evidence to cells: level, gap to the rest, tests, shrinkage and tier for every group and score."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from servicediag.diagnosis.evidence import COUNTS, WHOLE, Evidence
from servicediag.diagnosis.privacy import hidden_cells
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import (
    benjamini_hochberg,
    intraclass,
    pooled_variance,
    shrinkage_weights,
    unit_contrasts,
)
from servicediag.diagnosis.tiers import tier_of
from servicediag.reliability_table import RELIABILITY_COLUMNS, reliability_row
from servicediag.responses.model import Part
from servicediag.results import table_rows

__all__ = ["current_waves", "index_part", "judge_cells", "reliability_of", "reliability_table"]

INDEX_PARTS = frozenset({("four-tools", "blame_staff"), ("four-tools", "blame_situation")})
"""Dimensions that are read only within an index of their own, never by themselves."""
SCORE_KEYS = ["by", "instrument", "form", "wave", "kind", "dimension", "name"]
CONTRAST_COLUMNS = (
    "gap", "standard_error", "df", "level_error", "level_df", "gap_low", "gap_high", "gap_low_90", "gap_high_90",
    "keep", "shrunk_gap",
    "minimum_detectable_gap", "p_value", "p_minimum_effect", "icc1", "icc2",
)  # fmt: skip


def judge_cells(evidence: Evidence, settings: Settings, reliability: pd.DataFrame) -> pd.DataFrame:
    """A row a cell with everything that findings, causes and reports need.

    Adds to the evidence's keys and sums: ``mean, sd, ci_low, ci_high, health``, the gap to the rest in points of
    health with its tests (``CONTRAST_COLUMNS``), ``q_value, q_minimum_effect, tier, severity, direction``,
    ``hidden`` (the rule that withholds the cell, or empty text) and ``current`` (newest wave of its form).
    """
    hidden = hidden_cells(evidence.cells, evidence.atoms, settings.minimum_group)
    cells = evidence.cells.drop(columns=COUNTS)
    cells["sign"] = _signs(evidence, cells)
    cells["hidden"] = hidden
    _add_levels(cells)
    _add_contrasts(cells, settings)
    newest = current_waves(evidence)
    cells["current"] = cells["wave"] == [newest[i, f] for i, f in zip(cells["instrument"], cells["form"], strict=True)]
    _add_tiers(cells, settings, reliability)
    return cells


def index_part(cells: pd.DataFrame) -> np.ndarray:
    """Which cells belong to a dimension that is never judged by itself."""
    keys = zip(cells["instrument"], cells["dimension"], strict=True)
    return np.array([key in INDEX_PARTS for key in keys], dtype=bool)


def current_waves(evidence: Evidence) -> dict[tuple[str, str], str]:
    """The newest wave of each instrument and form: the last by name, numbers within names read as numbers."""
    newest: dict[tuple[str, str], str] = {}
    for instrument, form, wave in evidence.n_respondents:
        newest[instrument, form] = max(newest.get((instrument, form), WHOLE), wave, key=_natural)
    return newest


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorting key in which "Wave 10" comes after "Wave 9"."""
    pieces = re.findall(r"\d+|\D+", name.casefold())
    return [(1, int(piece), "") if piece.isdecimal() else (0, 0, piece) for piece in pieces]


def reliability_table(evidence: Evidence) -> pd.DataFrame:
    """Reliability per instrument, form, wave and dimension, from the evidence's moments."""
    rows = []
    for instrument_id, form_id, wave in evidence.n_respondents:
        instrument = evidence.instruments[instrument_id]
        inside = evidence.cells
        inside = inside[(inside["instrument"] == instrument_id) & (inside["form"] == form_id)]
        inside = inside[(inside["wave"] == wave) & (inside["by"] == WHOLE)]
        scored = inside[inside["kind"] == "score"].set_index("dimension")["n"]
        for dimension in instrument.dimensions:
            if dimension.id not in scored.index:
                continue
            moments = evidence.moments.get((instrument_id, form_id, wave, dimension.id))
            codes = tuple(item.code for item in dimension.scored_items) if moments is None else moments.items
            usable = moments is not None and moments.n > 1
            row = reliability_row(
                Part(instrument, instrument.form(form_id), codes),
                dimension,
                codes,
                moments.covariance() if moments is not None and usable else None,
                int(scored[dimension.id]) if moments is None else moments.n,
            )
            rows.append({**row, "form": form_id, "wave": wave, "reflective": dimension.measurement == "reflective"})
    return pd.DataFrame(rows, columns=[*RELIABILITY_COLUMNS, "form", "wave", "reflective"])


def reliability_of(reliability: pd.DataFrame) -> dict[tuple[str, str, str, str], float | None]:
    """Omega, or alpha where omega is undefined, per (instrument, form, wave, dimension); None where not applicable."""
    found: dict[tuple[str, str, str, str], float | None] = {}
    for row in table_rows(reliability):
        value = row.alpha if math.isnan(row.omega) else row.omega
        found[row.instrument, row.form, row.wave, row.dimension] = float(value) if row.reflective else None
    return found


def _signs(evidence: Evidence, cells: pd.DataFrame) -> np.ndarray:
    """+1 where a high score is good, -1 where it is bad."""
    weak = {
        (instrument.id, dimension.id)
        for instrument in evidence.instruments.values()
        for dimension in instrument.dimensions
        if dimension.direction == "weakness"
    }
    keys = zip(cells["instrument"], cells["dimension"], strict=True)
    return np.array([-1.0 if key in weak else 1.0 for key in keys])


def _add_levels(cells: pd.DataFrame) -> None:
    n = cells["n"].to_numpy(float)
    mean = cells["total"].to_numpy(float) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.maximum(cells["total_squares"].to_numpy(float) - n * mean**2, 0.0)
        spread = np.sqrt(squares / np.where(n > 1, n - 1, np.nan))
        error = spread / np.sqrt(n)
        half = stdtrit(np.maximum(n - 1, 1), 0.975) * error
        half_90 = stdtrit(np.maximum(n - 1, 1), 0.95) * error
    sign = cells["sign"].to_numpy()
    health = np.where(sign > 0, mean, 100.0 - mean)
    cells["mean"], cells["sd"], cells["health"], cells["error"] = mean, spread, health, error
    cells["ci_low"], cells["ci_high"] = mean - half, mean + half
    cells["health_low_90"], cells["health_high_90"] = health - half_90, health + half_90


def _add_contrasts(cells: pd.DataFrame, settings: Settings) -> None:
    """Gap of each unit that may be shown to the rest within its grouping, in points of health."""
    columns = {name: np.full(len(cells), np.nan) for name in CONTRAST_COLUMNS}
    units = cells.reset_index(drop=True)
    units = units[(units["by"] != WHOLE) & (units["kind"] != "indicator")]
    for _, group in units.groupby(SCORE_KEYS, sort=False, observed=True):
        shown = group[group["hidden"] == ""]
        values = _contrast_of(shown, group[group["hidden"] != ""], settings)
        for name, value in values.items():
            columns[name][shown.index.to_numpy()] = value
    for name, column in columns.items():
        cells[name] = column


def _contrast_of(shown: pd.DataFrame, withheld: pd.DataFrame, settings: Settings) -> dict[str, np.ndarray | float]:
    """Contrasts of the units shown. Withheld units count as one group, so that nothing published tells them apart."""
    sums = [shown[name].to_numpy(float) for name in ("n", "total", "total_squares")]
    if len(withheld):
        sums = [
            np.append(s, withheld[name].sum()) for s, name in zip(sums, ("n", "total", "total_squares"), strict=True)
        ]
    n, total, squares = sums
    population = None
    if settings.population == "census":
        population = np.full(len(n), math.nan)
        population[: len(shown)] = [settings.population_size.get(u, math.nan) for u in shown["unit"]]
    contrast = unit_contrasts(n, total, squares, population)
    if contrast is None or not len(shown):
        return {}
    variance, df = pooled_variance(n, total, squares)
    fraction = np.ones(len(n)) if population is None else np.where(np.isnan(population), 1.0, 1 - n / population)
    sign = shown["sign"].to_numpy()
    keep = shrinkage_weights(n, total, variance)
    low, high = contrast.interval(0.95)
    low_90, high_90 = contrast.interval(0.90)
    icc1, icc2 = intraclass(n, total, squares)
    first = slice(len(shown))
    gap = sign * contrast.gap[first]
    return {
        "gap": gap,
        "standard_error": contrast.standard_error[first],
        "df": float(contrast.df),
        "level_error": np.sqrt(variance * np.clip(fraction, 0.0, 1.0) / n)[first],
        "level_df": float(df),
        "gap_low": np.where(sign > 0, low[first], -high[first]),
        "gap_high": np.where(sign > 0, high[first], -low[first]),
        "gap_low_90": np.where(sign > 0, low_90[first], -high_90[first]),
        "gap_high_90": np.where(sign > 0, high_90[first], -low_90[first]),
        "keep": keep[first],
        "shrunk_gap": gap * keep[first],
        "minimum_detectable_gap": contrast.minimum_detectable()[first],
        "p_value": contrast.p_no_difference()[first],
        "p_minimum_effect": contrast.p_minimum_effect(settings.minimum_effect)[first],
        "icc1": icc1,
        "icc2": icc2,
    }


def _add_tiers(cells: pd.DataFrame, settings: Settings, reliability: pd.DataFrame) -> None:
    """Tier, severity and direction of every cell of the declared family: unit x score cells that may be shown."""
    judged = (cells["kind"] == "score") & ~index_part(cells) & (cells["by"] != WHOLE)
    family = judged & cells["current"] & (cells["hidden"] == "")
    inside = family.to_numpy()
    for p, q in (("p_value", "q_value"), ("p_minimum_effect", "q_minimum_effect")):
        adjusted = np.full(len(cells), np.nan)
        adjusted[inside] = benjamini_hochberg(cells.loc[family, p].to_numpy(float))
        cells[q] = adjusted
    known = reliability_of(reliability)
    tiers: list[str | None] = [None] * len(cells)
    weak = np.zeros(len(cells), dtype=bool)
    for position, row in zip(np.flatnonzero(inside), table_rows(cells[family]), strict=True):
        trust = known.get((row.instrument, row.form, row.wave, row.dimension))
        if not math.isnan(row.gap):
            tiers[position], weak[position] = tier_of(
                row.q_value, row.q_minimum_effect, row.shrunk_gap, row.gap, row.n, [trust], settings
            )
    cells["tier"] = pd.array(tiers, dtype=object)
    cells["unreliable"] = weak
    cells["severity"] = [settings.severity(g) if not math.isnan(g) else "none" for g in cells["shrunk_gap"]]
    cells["direction"] = np.where(cells["gap"] < 0, "worse", np.where(cells["gap"] > 0, "better", "none"))
