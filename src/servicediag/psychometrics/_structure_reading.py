"""How a fitted factor model reads: its standardised values, and what a reader should know before using it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from servicediag.psychometrics._frames import FloatArray, name_list
from servicediag.psychometrics._structure_fit import Solution
from servicediag.psychometrics._structure_model import Matrices, ParameterTable

__all__ = ["solution_notes", "standardized_values", "standardized_variances"]

_PER_PARAMETER = 5  # respondents; Bentler & Chou (1987), Sociological Methods & Research, 16, 78-117


def standardized_values(solution: Solution) -> FloatArray:
    """Every entry of the table for items and factors of variance 1, by the variances that the model implies."""
    return _standardize(solution, solution.matrices, solution.table)


def _standardize(solution: Solution, matrices: Sequence[Matrices], table: ParameterTable) -> FloatArray:
    study = solution.study
    result = np.zeros(len(table.kind))
    for group, place in enumerate(matrices):
        here = table.of_group(group)
        kind, row, column = table.kind[here], table.row[here], table.column[here]
        with np.errstate(invalid="ignore", divide="ignore"):
            item = np.sqrt(np.diag(place.covariance))
            factor = np.sqrt(np.diag(place.factor_covariance))
            rest = np.sqrt(np.diag(place.residuals))
            left = np.sqrt(np.diag(place.covariances))
        values = np.array([place.at(*entry) for entry in zip(kind, row, column, strict=True)])
        intercept = values + study.shift[row % len(item)] / study.scale[row % len(item)]
        item_row, item_column = row % len(item), column % len(item)
        latent_row, latent_column = row % len(factor), column % len(factor)
        same = row == column
        with np.errstate(invalid="ignore", divide="ignore"):
            result[here] = np.choose(
                kind,
                [
                    values * factor[latent_column] / item[item_row],
                    values * factor[latent_column] / factor[latent_row],
                    values / np.where(same, factor[latent_row] ** 2, left[latent_row] * left[latent_column]),
                    values / np.where(same, item[item_row] ** 2, rest[item_row] * rest[item_column]),
                    intercept / item[item_row],
                    values / factor[latent_row],
                ],
            )
    return result


def standardized_variances(solution: Solution) -> FloatArray | None:
    """Sampling variances of the standardised entries by the delta method; 0 for those that cannot vary."""
    if solution.covariance is None:
        return None
    table, parameters = solution.table, solution.parameters
    rates = np.zeros((len(table.kind), table.n_free))
    for number in range(table.n_free):
        step = 1e-5 * max(1.0, abs(parameters[number]))
        ends = []
        for direction in (step, -step):
            moved = parameters.copy()
            moved[number] += direction
            ends.append(_standardize(solution, table.matrices(moved), table))
        rates[:, number] = (ends[0] - ends[1]) / (2 * step)
    variances: FloatArray = np.maximum(((rates @ solution.covariance) * rates).sum(axis=1), 0.0)
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
    elif solution.covariance is None:
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
