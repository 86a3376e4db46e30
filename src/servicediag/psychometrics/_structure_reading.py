"""How a fitted factor model reads: its standardised values, and what a reader should know before using it."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from servicediag.psychometrics._frames import FloatArray, name_list
from servicediag.psychometrics._structure_fit import Solution
from servicediag.psychometrics._structure_model import (
    COVARIANCE,
    LOADING,
    REGRESSION,
    RESIDUAL,
    IntArray,
    ParameterTable,
)

__all__ = ["solution_notes", "standardized_values", "standardized_variances"]

_AT_ONCE = 64  # parameters
_PER_PARAMETER = 5  # respondents; Bentler & Chou (1987), Sociological Methods & Research, 16, 78-117


def standardized_values(solution: Solution) -> FloatArray:
    """Every entry of the table for items and factors of variance 1, by the variances that the model implies."""
    values: FloatArray = _standardized(solution, solution.table.values(solution.parameters)[None])[0]
    return values


def _standardized(solution: Solution, values: FloatArray) -> FloatArray:
    """The same for B sets of values of all entries, shape (B, n_entries)."""
    study, table = solution.study, solution.table
    result = np.zeros_like(values)
    for group in range(table.n_groups):
        here = table.of_group(group)
        kind, row, column = table.kind[here], table.row[here], table.column[here]
        own = values[:, here]
        item, factor, rest, left = _spreads(table, own, here)
        item_row, item_column = row % table.n_items, column % table.n_items
        latent_row, latent_column = row % table.n_latents, column % table.n_latents
        intercept = own + (study.shift / study.scale)[item_row]
        same = row == column
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = np.where(same, factor[:, latent_row] ** 2, left[:, latent_row] * left[:, latent_column])
            residual = np.where(same, item[:, item_row] ** 2, rest[:, item_row] * rest[:, item_column])
            result[:, here] = np.choose(
                kind,
                [
                    own * factor[:, latent_column] / item[:, item_row],
                    own * factor[:, latent_column] / factor[:, latent_row],
                    own / covariance,
                    own / residual,
                    intercept / item[:, item_row],
                    own / factor[:, latent_row],
                ],
            )
    return result


def _spreads(
    table: ParameterTable, values: FloatArray, here: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Standard deviations of items, factors, residuals, and what a second-order factor leaves of the factors."""
    p, m, count = table.n_items, table.n_latents, len(values)
    kind, row, column = table.kind[here], table.row[here], table.column[here]
    shapes = {LOADING: (p, m), REGRESSION: (m, m), COVARIANCE: (m, m), RESIDUAL: (p, p)}
    filled = {}
    for which, shape in shapes.items():
        chosen = kind == which
        filled[which] = np.zeros((count, *shape))
        filled[which][:, row[chosen], column[chosen]] = values[:, chosen]
    covariances = filled[COVARIANCE]
    lower = covariances.transpose(0, 2, 1).copy()
    lower[:, np.arange(m), np.arange(m)] = 0.0
    covariances = covariances + lower
    of_factors = covariances
    if (kind == REGRESSION).any():
        effects = np.linalg.inv(np.eye(m) - filled[REGRESSION])
        of_factors = effects @ covariances @ effects.transpose(0, 2, 1)
    loadings, residuals = filled[LOADING], np.diagonal(filled[RESIDUAL], axis1=1, axis2=2)
    common = ((loadings @ of_factors) * loadings).sum(axis=2)
    with np.errstate(invalid="ignore"):
        factor = np.sqrt(np.diagonal(of_factors, axis1=1, axis2=2))
        left = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
        return np.sqrt(common + residuals), factor, np.sqrt(residuals), left


def standardized_variances(solution: Solution) -> FloatArray | None:
    """Sampling variances of the standardised entries by the delta method; 0 for those that cannot vary."""
    if solution.covariance is None:
        return None
    table, parameters = solution.table, solution.parameters
    rates = np.zeros((table.n_free, len(table.kind)))
    steps = 1e-5 * np.maximum(1.0, np.abs(parameters))
    for start in range(0, table.n_free, _AT_ONCE):
        chosen = np.arange(start, min(start + _AT_ONCE, table.n_free))
        moved = np.tile(parameters, (2, len(chosen), 1))
        moved[0, np.arange(len(chosen)), chosen] += steps[chosen]
        moved[1, np.arange(len(chosen)), chosen] -= steps[chosen]
        values = np.where(table.free >= 0, moved[:, :, np.maximum(table.free, 0)], table.fixed)
        ahead, behind = _standardized(solution, values.reshape(-1, len(table.kind))).reshape(values.shape)
        rates[chosen] = (ahead - behind) / (2 * steps[chosen, None])
    variances: FloatArray = np.maximum((rates * (solution.covariance @ rates)).sum(axis=0), 0.0)
    variances[variances < 1e-16] = 0.0
    return variances


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
    found: set[int] = set()
    for place in solution.matrices:
        for factor, block in enumerate(solution.model.blocks):
            loadings = place.loadings[list(block), factor]
            turned = loadings * (-1.0 if loadings.sum() < 0 else 1.0)
            found |= {block[i] for i in np.flatnonzero(turned < 0)}
    return [solution.model.items[i] for i in sorted(found)]
