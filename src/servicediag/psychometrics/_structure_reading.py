"""How a fitted factor model reads: its standardised values, and what a reader should know before using it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from servicediag.psychometrics._frames import FloatArray, name_list
from servicediag.psychometrics._structure_engine import slopes
from servicediag.psychometrics._structure_fit import Solution
from servicediag.psychometrics._structure_model import (
    COVARIANCE,
    INTERCEPT,
    LOADING,
    MEAN,
    REGRESSION,
    RESIDUAL,
    IntArray,
)

__all__ = ["solution_notes", "standardized_values", "standardized_variances"]

_PER_PARAMETER = 5  # respondents; Bentler & Chou (1987), Sociological Methods & Research, 16, 78-117


def standardized_values(solution: Solution) -> FloatArray:
    """Every entry of the table for items and factors of variance 1, by the variances that the model implies."""
    result = np.zeros(len(solution.table.kind))
    for group in range(solution.table.n_groups):
        units = _units(solution, group)
        result[units.entries] = units.values * units.size
    return result


def standardized_variances(solution: Solution) -> FloatArray | None:
    """Sampling variances of the standardised entries by the delta method; 0 for those that cannot vary."""
    if solution.covariance is None:
        return None
    table = solution.table
    rates = np.zeros((table.n_free, len(table.kind)))
    for group in range(table.n_groups):
        units = _units(solution, group)
        chosen = np.flatnonzero(table.free[units.entries] >= 0)
        numbers = table.free[units.entries[chosen]]
        rates[numbers[:, None], units.entries] = _rates(solution, group, units, chosen).T
    variances: FloatArray = np.maximum((rates * (solution.covariance @ rates)).sum(axis=0), 0.0)
    variances[variances < 1e-16] = 0.0
    return variances


@dataclass(frozen=True)
class _Units:
    """What the entries of one group are multiplied by: roots of variances over roots of variances.

    Attributes
    ----------
    entries : ndarray of int
        Numbers of the group's entries in the table.
    values, size : ndarray, shape (n_entries,)
        The entries, those of intercepts in the answers' own place, and what to multiply them by.
    variances : ndarray, shape (n_variances,)
        Of items, factors, residuals, what a second-order factor leaves of the factors; and 1.
    above, below : ndarray of int, shape (n_entries,) and (2, n_entries)
        Which of these variances count.
    """

    entries: IntArray
    values: FloatArray
    size: FloatArray
    variances: FloatArray
    above: IntArray
    below: IntArray


def _units(solution: Solution, group: int) -> _Units:
    study, table, place = solution.study, solution.table, solution.matrices[group]
    p, m = table.n_items, table.n_latents
    entries = table.of_group(group)
    kind, row, column = table.kind[entries], table.row[entries], table.column[entries]
    factors, residuals, left, one = p, p + m, 2 * p + m, 2 * (p + m)
    spread = place.factor_covariance
    own = place.residuals.diagonal()
    items = ((place.loadings @ spread) * place.loadings).sum(axis=1) + own
    variances = np.concatenate([items, spread.diagonal(), own, place.covariances.diagonal(), [1.0]])
    above, below = np.full(len(entries), one), np.full((2, len(entries)), one)
    for which, over, first, second in (
        (LOADING, factors + column, row, None),
        (REGRESSION, factors + column, factors + row, None),
        (COVARIANCE, None, left + row, left + column),
        (RESIDUAL, None, residuals + row, residuals + column),
        (INTERCEPT, None, row, None),
        (MEAN, None, factors + row, None),
    ):
        here = kind == which
        for target, chosen in ((above, over), (below[0], first), (below[1], second)):
            if chosen is not None:
                target[here] = chosen[here]
    for which, whole in ((COVARIANCE, factors), (RESIDUAL, 0)):
        here = (kind == which) & (row == column)
        below[:, here] = whole + row[here]
    values = table.values(solution.parameters)[entries]
    values = np.where(kind == INTERCEPT, values + (study.shift / study.scale)[row % p], values)
    with np.errstate(invalid="ignore", divide="ignore"):
        roots = np.sqrt(variances)
        size = roots[above] / (roots[below[0]] * roots[below[1]])
    return _Units(entries, values, size, variances, above, below)


def _rates(solution: Solution, group: int, units: _Units, chosen: IntArray) -> FloatArray:
    """How every standardised entry of a group changes with some of the entries, shape (n_entries, n_chosen)."""
    table, place = solution.table, solution.matrices[group]
    p, m = table.n_items, table.n_latents
    numbers = units.entries[chosen]
    kind, row, column = table.kind[numbers], table.row[numbers], table.column[numbers]
    moved = np.zeros((len(units.variances), len(chosen)))
    on_items = slopes(place, kind, row, column)
    moved[:p] = 2 * on_items.u * on_items.v
    latent = np.flatnonzero((kind == REGRESSION) | (kind == COVARIANCE))
    alone = replace(place, loadings=np.eye(m), residuals=np.zeros((m, m)), intercepts=np.zeros(m))
    on_factors = slopes(alone, kind[latent], row[latent], column[latent])
    moved[p : p + m, latent] = 2 * on_factors.u * on_factors.v
    for which, start in ((RESIDUAL, p + m), (COVARIANCE, 2 * p + m)):
        here = np.flatnonzero((kind == which) & (row == column))
        moved[start + row[here], here] = 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = moved / units.variances[:, None]
        below = relative[units.below[0]] + relative[units.below[1]]
        result: FloatArray = (units.values * units.size / 2)[:, None] * (relative[units.above] - below)
    result[chosen, np.arange(len(chosen))] += units.size[chosen]
    return result


def solution_notes(solution: Solution, heywood: tuple[Hashable, ...]) -> tuple[str, ...]:
    """What a reader should know about a solution, one sentence or two each."""
    notes = _search_notes(solution)
    if heywood:
        notes.append(
            f"Improper solution (Heywood case): the residual variance of {name_list(heywood)} is not above 0. The "
            "model is wrong for these items, or the sample is too small."
        )
    notes += _factor_notes(solution)
    mixed = _mixed_signs(solution)
    if mixed:
        notes.append(f"Loadings against the rest of their factor: {name_list(mixed)}; check the keying.")
    if not solution.df:
        notes.append("The model has no degrees of freedom: it fits whatever the answers are, so the fit says nothing.")
    if solution.study.n_dropped:
        notes.append(f"{solution.study.n_dropped} respondents were left out for missing answers or groups.")
    if solution.study.n < _PER_PARAMETER * solution.table.n_free:
        notes.append(
            f"{solution.study.n} respondents are few for {solution.table.n_free} parameters: at least "
            f"{_PER_PARAMETER} for each are advised (Bentler & Chou 1987)."
        )
    return tuple(notes)


def _search_notes(solution: Solution) -> list[str]:
    notes = []
    if not solution.converged:
        doubtful = _doubtful_items(solution)
        where = f" The search ran astray at {name_list(doubtful)}." if doubtful else ""
        notes.append(f"No convergence: the numbers are those of the last step and no estimates.{where}")
    elif solution.weak:
        notes.append(
            f"The answers leave open {name_list(solution.weak)}, so there are no standard errors; the estimates are "
            "one of many that fit as well."
        )
    elif not solution.is_regular and solution.covariance is None:
        notes.append("The information matrix cannot be inverted, so there are no standard errors.")
    return notes


def _doubtful_items(solution: Solution) -> list[Hashable]:
    found = set()
    for place in solution.matrices:
        share = np.diag(place.residuals) / np.diag(place.covariance)
        found |= set(np.flatnonzero(~((share > 1e-3) & (share < 1 - 1e-3))))
    return [solution.model.items[i] for i in sorted(found)]


def _factor_notes(solution: Solution) -> list[str]:
    notes = []
    latents = solution.model.latents
    for place, sample in zip(solution.matrices, solution.study.samples, strict=True):
        where = "" if sample.label is None else f" in {sample.label}"
        own = np.diag(place.covariances)
        negative = [latents[i] for i in np.flatnonzero(own <= 0)]
        if negative:
            notes.append(f"Improper solution: the variance of factor {name_list(negative)}{where} is not above 0.")
            continue
        matrix = place.covariances / np.sqrt(np.outer(own, own))
        high = [f"{latents[i]} and {latents[j]}" for i, j in np.argwhere(np.triu(np.abs(matrix) >= 1, 1))]
        if high:
            notes.append(
                f"Improper solution: the correlation of {name_list(high)}{where} is not inside -1 and 1; the items do "
                "not tell these factors apart."
            )
        elif np.linalg.eigvalsh(matrix)[0] <= 0:
            notes.append(f"Improper solution: the factors' correlations{where} contradict each other.")
    return notes


def _mixed_signs(solution: Solution) -> list[Hashable]:
    against = np.zeros(len(solution.model.items), dtype=bool)
    for place in solution.matrices:
        loadings = place.loadings[:, : len(solution.model.factors)]
        against |= (loadings * np.where(loadings.sum(axis=0) < 0, -1.0, 1.0) < 0).any(axis=1)
    return [solution.model.items[i] for i in np.flatnonzero(against)]
