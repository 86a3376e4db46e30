"""Know, want, can: which one is the lowest, with what probability, per unit and for the whole organisation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.draft import Draft, finding_id, name_or_none
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import Finding, Tier
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.targets import Targets
from servicediag.results import table_rows

__all__ = ["READINESS_COLUMNS", "bottleneck_findings", "readiness_profile"]

STATES = ("know", "want", "can")
N_DRAWS = 20_000
READINESS_COLUMNS = (
    "by", "unit", "wave", "form", "n", "know", "want", "can", "p_lowest_know", "p_lowest_want", "p_lowest_can",
    "bottleneck", "verdict", "shortfall",
)  # fmt: skip


@dataclass(frozen=True)
class _Profile:
    """Means of the three states in one group, their reference, and the covariance of a person's scores."""

    n: np.ndarray
    means: np.ndarray
    reference: np.ndarray
    covariance: np.ndarray
    df: float


def readiness_profile(evidence: Evidence, cells: pd.DataFrame, settings: Settings, targets: Targets) -> pd.DataFrame:
    """A row a group: levels and the probability that each state is the lowest by at least the minimum effect.

    The probability is the smaller of two: among the raw levels, and among the distances to each state's own target
    (or, for a unit without targets, to the rest of the organisation). It comes from draws of a multivariate t
    posterior of the means with the covariance pooled over units.
    """
    rows = []
    for (form, wave), scores in _state_cells(cells):
        generator = np.random.default_rng(settings.seed)
        normal = generator.standard_normal((N_DRAWS, 3))
        uniform = generator.random(N_DRAWS)
        for by, group in scores.groupby("by", sort=True):
            table: Any = group.pivot(index="unit", columns="dimension", values=["n", "mean", "total", "hidden"])
            table = table[table["n"].notna().all(axis=1)]
            covariance, df = _pooled_covariance(evidence, str(by), form, wave)
            if covariance is None or table.empty:
                continue
            chi = _chi_square(uniform, df)
            for unit in table.index:
                if any(table.loc[unit, ("hidden", state)] != "" for state in STATES):
                    continue
                profile = _profile_of(table, unit, str(by), targets, covariance, df)
                rows.append(_row(str(by), str(unit), wave, form, profile, normal, chi, settings))
    return pd.DataFrame(rows, columns=list(READINESS_COLUMNS))


def _state_cells(cells: pd.DataFrame) -> Iterable[tuple[tuple[str, str], pd.DataFrame]]:
    mask = (cells["instrument"] == "readiness") & (cells["kind"] == "score") & cells["dimension"].isin(STATES)
    for (form, wave), scores in cells[mask & cells["current"] & (cells["rater"] == "employee")].groupby(
        ["form", "wave"]
    ):
        if set(scores["dimension"]) == set(STATES):
            yield (str(form), str(wave)), scores


def _pooled_covariance(evidence: Evidence, by: str, form: str, wave: str) -> tuple[np.ndarray | None, float]:
    """Covariance of the three scores within the groups of a grouping, and its degrees of freedom."""
    names = [f"readiness:{form}/{state}" for state in STATES]
    cross = evidence.cross[(evidence.cross["by"] == by) & (evidence.cross["wave"] == wave)]
    cross = cross[cross["first"].isin(names) & cross["second"].isin(names) & (cross["n"] > 1)]
    covariance = np.full((3, 3), np.nan)
    df = math.inf
    for (first, second), pairs in cross.groupby(["first", "second"]):
        a, b = names.index(str(first)), names.index(str(second))
        n = pairs["n"].to_numpy(float)
        freedom = float((n - 1).sum())
        for i, j, left, right, product in (
            (a, b, "first_total", "second_total", "product"),
            (a, a, "first_total", "first_total", "first_squares"),
            (b, b, "second_total", "second_total", "second_squares"),
        ):
            value = float((pairs[product] - pairs[left] * pairs[right] / n).sum()) / freedom
            covariance[i, j] = covariance[j, i] = value
        df = min(df, freedom)
    if np.isnan(covariance).any() or not np.diag(covariance).min() > 0:
        return None, 0.0
    return covariance, df


def _chi_square(uniform: np.ndarray, df: float) -> np.ndarray:
    from scipy.special import chdtri

    # chdtri inverts the upper tail, so the draws are the same chi-square quantiles for every df
    return np.sqrt(np.asarray(chdtri(df, uniform)) / df)


def _profile_of(table: Any, unit: str, by: str, targets: Targets, covariance: np.ndarray, df: float) -> _Profile:
    n = np.array([table.loc[unit, ("n", s)] for s in STATES], dtype=float)
    means = np.array([table.loc[unit, ("mean", s)] for s in STATES], dtype=float)
    reference = np.array([targets.of("readiness", s, name_or_none(unit)) for s in STATES])
    if np.isnan(reference).any():
        reference = np.full(3, np.nan)
        if by != WHOLE and len(table) > 1:
            totals = table["total"].sum() - table.loc[unit, "total"]
            counts = table["n"].sum() - table.loc[unit, "n"]
            reference = np.array([totals[s] / counts[s] for s in STATES], dtype=float)
    return _Profile(n, means, reference, covariance, df)


def _row(
    by: str, unit: str, wave: str, form: str, profile: _Profile, normal: np.ndarray, chi: np.ndarray, settings: Settings
) -> dict[str, object]:
    of_means = profile.covariance / np.sqrt(np.outer(profile.n, profile.n))
    draws = normal @ np.linalg.cholesky(of_means + 1e-12 * np.eye(3)).T / chi[:, None]
    raw = _lowest(profile.means + draws, settings.minimum_effect)
    comparable = not np.isnan(profile.reference).any()
    distance = profile.means - profile.reference
    own = _lowest(distance + draws, settings.minimum_effect) if comparable else raw
    probability = np.minimum(raw, own)
    best = int(np.argmax(probability))
    below = float((distance[best] + draws[:, best] < 0).mean()) if comparable else math.nan
    named = comparable and probability[best] >= settings.bottleneck_probability
    named = named and below >= settings.bottleneck_probability
    return {
        "by": by, "unit": unit, "wave": wave, "form": form, "n": int(profile.n.min()),
        **dict(zip(STATES, profile.means.tolist(), strict=True)),
        **{f"p_lowest_{s}": float(p) for s, p in zip(STATES, probability, strict=True)},
        "bottleneck": STATES[best] if named else None,
        "verdict": "bottleneck" if named else ("tied" if comparable else "no target declared"),
        "shortfall": float(distance[best]) if comparable else math.nan,
    }  # fmt: skip


def _lowest(draws: np.ndarray, margin: float) -> np.ndarray:
    """Share of draws in which each column lies below both others by at least the margin."""
    found = []
    for column in range(3):
        others = np.delete(draws, column, axis=1).min(axis=1)
        found.append(float((draws[:, column] <= others - margin).mean()))
    return np.array(found)


def bottleneck_findings(
    profile: pd.DataFrame, settings: Settings, trust: dict[tuple[str, str, str, str], float | None]
) -> Iterable[Draft]:
    """A finding for every group in which one state is the lowest beyond reasonable doubt."""
    for row in table_rows(profile[profile["bottleneck"].notna()]):
        reliabilities = [trust.get(("readiness", row.form, row.wave, state)) for state in STATES]
        trusted = all(value is None or value >= settings.reliability_needed for value in reliabilities)
        probability = float(getattr(row, f"p_lowest_{row.bottleneck}"))
        tier: Tier = "established" if trusted and row.n >= settings.established_n else "likely"
        against = "the two other states, raw and against the rest of the organisation"
        yield Draft(
            Finding(
                id=finding_id("bottleneck", row.by, row.unit, row.wave, row.form),
                kind="bottleneck",
                by=name_or_none(row.by),
                unit=name_or_none(row.unit),
                wave=name_or_none(row.wave),
                instrument="readiness",
                dimension=row.bottleneck,
                item=None,
                rater="employee",
                form=row.form,
                estimate=probability,
                ci_low=None,
                ci_high=None,
                n=int(row.n),
                comparator=against if row.by != WHOLE else "the two other states, raw and against the targets",
                direction="worse",
                severity=settings.severity(row.shortfall),
                tier=tier,
                shrunk=float(row.shortfall),
            ),
            loss=max(0.0, -float(row.shortfall) - settings.smallest_gap),
            values=tuple((state, float(getattr(row, state))) for state in STATES),
        )
