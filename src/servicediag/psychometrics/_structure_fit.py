"""A fitted factor model: starting values, the solution in the answers' units, its standard errors and score tests."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, name_list
from servicediag.psychometrics._structure_complete import firm_inverse
from servicediag.psychometrics._structure_data import Block, Sample, Study
from servicediag.psychometrics._structure_engine import (
    Minimum,
    entry_gradient,
    entry_information,
    expected_information,
    minimise,
    observed_information,
    own_information,
    slopes,
    weak_directions,
    weighted_inverse,
)
from servicediag.psychometrics._structure_model import (
    COVARIANCE,
    INTERCEPT,
    LOADING,
    REGRESSION,
    RESIDUAL,
    Equality,
    FactorModel,
    Identification,
    Matrices,
    ParameterTable,
    parameter_table,
    refuse_too_many_parameters,
    with_markers,
    with_variances,
)
from servicediag.psychometrics._structure_steps import Steps

__all__ = ["Candidates", "Solution", "fit_structure", "parameter_name", "score_tests"]

_WEAK = 1e-9


@dataclass(frozen=True)
class Solution:
    """A fitted model, in scaled units.

    Attributes
    ----------
    table : ParameterTable
        In the identification that was asked for, or that of the search where it does not exist.
    given : ndarray or None
        Sampling covariance of the free parameters that counts instead of the usual one.
    """

    model: FactorModel
    study: Study
    table: ParameterTable
    parameters: FloatArray
    matrices: tuple[Matrices, ...]
    minimum: Minimum
    identification: Identification
    df: int
    given: FloatArray | None = None

    @property
    def covariance(self) -> FloatArray | None:
        """Sampling covariance of the free parameters; None where the information is singular."""
        return self._sampling[0] if self.given is None else self.given

    @property
    def weak(self) -> tuple[str, ...]:
        """Parameters that the data leave open."""
        return () if self.is_regular else self._sampling[1]

    @cached_property
    def is_regular(self) -> bool:
        """Whether the information is far from singular already in the units of the search, and in these."""
        if not (self.minimum.converged and self.minimum.firm):
            return False
        return self.identification != "marker" or _firm_markers(self.model, self.matrices)

    @cached_property
    def _sampling(self) -> tuple[FloatArray | None, tuple[str, ...]]:
        return _sampling(self.model, self.table, self.parameters, self.study)

    @property
    def converged(self) -> bool:
        return self.minimum.converged

    @property
    def chi_square(self) -> float:
        """Number of respondents times the discrepancy beyond the least possible one."""
        study = self.study
        least = sum(sample.n / study.n * sample.saturated for sample in study.samples)
        return max(0.0, study.n * (self.minimum.value - least))

    def latent_units(self) -> FloatArray:
        """What one scaled unit of each factor is in the units set by the identification."""
        if self.identification == "variance":
            return np.ones(self.table.n_latents)
        firsts = [block[0] for block in self.model.blocks]
        if self.model.structure == "second_order":
            firsts.append(firsts[0])
        elif self.model.structure == "bifactor":
            firsts.append(0)
        return self.study.scale[firsts]

    def units(self) -> tuple[FloatArray, FloatArray]:
        """Factor and summand that turn the scaled value of every entry of the table into the answers' units."""
        scale, shift = self.study.scale, self.study.shift
        factor, table = self.latent_units(), self.table
        row, column = table.row, table.column
        item_row, item_column = row % len(scale), column % len(scale)
        latent_row, latent_column = row % len(factor), column % len(factor)
        multiply = np.choose(
            table.kind,
            [
                scale[item_row] / factor[latent_column],
                factor[latent_row] / factor[latent_column],
                factor[latent_row] * factor[latent_column],
                scale[item_row] * scale[item_column],
                scale[item_row],
                factor[latent_row],
            ],
        )
        return np.asarray(multiply), np.asarray(np.where(table.kind == INTERCEPT, shift[item_row], 0.0))

    def entry_variances(self) -> FloatArray | None:
        """Sampling variance of every entry of the table in scaled units; 0 for fixed ones."""
        if self.covariance is None:
            return None
        variances = np.maximum(np.diag(self.covariance), 0.0)
        free = self.table.free
        return np.asarray(np.where(free >= 0, variances[np.maximum(free, 0)] if len(variances) else 0.0, 0.0))


def fit_structure(
    model: FactorModel,
    study: Study,
    *,
    equal: frozenset[Equality] = frozenset(),
    identification: Identification = "marker",
    statistic: str,
    steps: Steps | None = None,
) -> Solution:
    """Fit a model to one or several groups by maximum likelihood.

    The search chooses the units of the factors itself; the solution in other units is the same model. Where it does
    not exist, since a marker item does not load or a variance is not above 0, the units of the search are kept.

    Raises
    ------
    InsufficientDataError
        The model has more parameters than moments, or is not identified whatever the data.
    """
    samples = study.samples
    mean_structure = samples[0].mean_structure
    # A second-order factor may take all of a factor's variance, which units of variance 1 cannot express.
    search: Identification = "marker" if model.structure == "second_order" else "variance"
    inner = parameter_table(model, len(samples), mean_structure=mean_structure, equal=equal, identification=search)
    p = len(model.items)
    df = refuse_too_many_parameters(inner, len(samples) * (p * (p + 1) // 2 + (p if mean_structure else 0)))
    start = _start(model, inner, samples, 1.0)
    minimum = minimise(inner, start, samples, steps)
    if not minimum.converged:
        second = minimise(inner, _start(model, inner, samples, 0.6), samples, steps)
        if second.converged or second.value < minimum.value:
            minimum = second
    found = inner.matrices(minimum.parameters)
    turned = _in_units(model, found, identification, "loadings" in equal)
    chosen, used = (found, search) if turned is None else (turned, identification)
    table = parameter_table(model, len(samples), mean_structure=mean_structure, equal=equal, identification=used)
    parameters = table.parameters_of(chosen)
    solution = Solution(model, study, table, parameters, chosen, minimum, used, df)
    if not solution.is_regular and (solution.covariance is None or not minimum.converged):
        _refuse_unidentified(model, inner, start, samples, statistic)  # the model itself may be at fault
    return solution


def _firm_markers(model: FactorModel, matrices: Sequence[Matrices]) -> bool:
    """Whether every first item reflects its factor well, so that its units lose no precision."""
    firsts = [block[0] for block in model.blocks]
    for place in matrices:
        own = place.covariances.diagonal()
        if model.structure in ("second_order", "bifactor") or own.min() < 0.04:
            return False
        if (own < 0.04 * place.covariance.diagonal()[firsts]).any():
            return False
    return True


def _in_units(
    model: FactorModel, matrices: Sequence[Matrices], identification: Identification, shared: bool
) -> tuple[Matrices, ...] | None:
    """A solution in the units asked for; with shared loadings those of the first group count for all."""
    if identification == "marker":
        places = [with_markers(model, _oriented(place)) for place in matrices]
    else:
        first = np.diag(matrices[0].covariances)
        units = np.sqrt(first) if shared and (first > 0).all() else None
        if shared and units is None:
            return None
        scaled = [with_variances(place, units) for place in matrices]
        places = [None if place is None else _oriented(place) for place in scaled]
    return tuple(place for place in places if place is not None) if all(p is not None for p in places) else None


def _oriented(place: Matrices) -> Matrices:
    """Each factor turned so that its loadings add up to more than 0."""
    first_order = place.loadings.sum(axis=0)
    sign = np.where(first_order < 0, -1.0, 1.0)
    regressions = place.regressions * sign[:, None]
    above = np.where(regressions.sum(axis=0) < 0, -1.0, 1.0)
    both = sign * above
    return replace(
        place,
        loadings=place.loadings * both,
        regressions=place.regressions * np.outer(both, both),
        covariances=place.covariances * np.outer(both, both),
        means=place.means * both,
    )


# ---------------------------------------------------------------------------------------------------------- start


def _start(model: FactorModel, table: ParameterTable, samples: Sequence[Sample], share: float) -> FloatArray:
    """Starting values from the first principal axis of each factor's items."""
    total = sum(sample.n for sample in samples)
    pooled = np.asarray(sum(sample.n / total * sample.covariance for sample in samples))
    k = len(model.factors)
    loadings = np.zeros((len(model.items), len(model.latents)))
    weights = np.zeros((len(model.items), k))
    member = np.zeros((len(model.items), k))
    for factor, block in enumerate(model.blocks):
        member[list(block), factor] = 1.0
    by_triads, known = _triads(pooled, member)
    for factor, block in enumerate(model.blocks):
        inside = list(block)
        if share == 1 and known[factor]:
            weights[inside, factor] = loadings[inside, factor] = by_triads[inside, factor]
        else:
            axis, weights[inside, factor] = _axis(pooled[np.ix_(inside, inside)])
            loadings[inside, factor] = axis * share
    related = _factor_relations(pooled, loadings[:, :k], weights)
    regressions = np.zeros((len(model.latents), len(model.latents)))
    covariances = np.eye(len(model.latents))
    if model.structure == "correlated":
        covariances = related
    elif model.structure == "second_order":
        upper = np.clip(_axis(related)[0], -0.8, 0.8)
        upper[np.abs(upper) < 0.2] = 0.2
        regressions[:k, k] = upper / np.sqrt(1 - upper**2)
        loadings[:, :k] *= np.sqrt(1 - upper**2)
    elif model.structure == "bifactor":
        loadings[:, k] = np.clip(_axis(pooled)[0], -0.9, 0.9) * 0.8 * share
        loadings[:, :k] *= 0.5
    means, own = np.zeros(len(model.latents)), pooled.diagonal()
    common = Matrices(loadings, regressions, covariances, pooled, own, means)
    unique = np.maximum(own - ((loadings @ common.factor_covariance) * loadings).sum(axis=1), 0.2 * own)
    places = [replace(common, residuals=np.diag(unique), intercepts=sample.mean) for sample in samples]
    if model.structure == "second_order":
        places = [with_markers(model, place) or place for place in places]
    return table.parameters_of(places)


def _factor_relations(pooled: FloatArray, loadings: FloatArray, weights: FloatArray) -> FloatArray:
    """Correlations of the factors by least squares on the covariances between blocks, or of the blocks' composites."""
    composites = weights.T @ pooled @ weights
    spread = np.sqrt(np.maximum(composites.diagonal(), 1e-12))
    related = composites / (spread[:, None] * spread) * 0.9
    strength = (weights * loadings).sum(axis=0)
    direct = composites / (strength[:, None] * strength)
    inside = np.isfinite(direct).all() and np.abs(direct[~np.eye(len(direct), dtype=bool)]).max(initial=0.0) < 0.95
    result = direct if inside else related
    np.fill_diagonal(result, 1.0)
    return np.asarray(result if not inside or np.linalg.eigvalsh(result)[0] > 0.01 else related)


def _triads(covariance: FloatArray, member: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Loadings from all triads of covariances inside a factor (Harman 1976, Modern Factor Analysis, 115-117).

    And for which factors all of them can be used; ``member``: 1 where an item belongs to a factor.
    """
    own = covariance.diagonal()[:, None]
    sums = covariance @ member - own
    squares = (covariance * covariance) @ member - own * own
    left = (sums * member).sum(axis=0) - 2 * sums
    shared = (sums * sums - squares) / np.where(left > 0, left, 1.0)
    usable = (left > 0) & (sums > 0) & (shared > 0.04 * own) & (shared < 0.95 * own)
    known = (usable | (member == 0)).all(axis=0) & (member.sum(axis=0) > 2)
    return np.sqrt(np.maximum(shared, 0.0)), known


def _axis(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Loadings on the first principal axis, less what chance alone would give, and the weights of its composite."""
    if len(covariance) == 1:
        return np.sqrt(np.diag(covariance)), np.ones(1)
    values, vectors = np.linalg.eigh(covariance)
    vector = vectors[:, -1] * (-1.0 if vectors[:, -1].sum() < 0 else 1.0)
    size = np.sqrt(max(values[-1] - values[:-1].mean(), 0.2 * values[-1]))
    limit = 0.95 * np.sqrt(np.diag(covariance))
    return np.clip(vector * size, -limit, limit), vector


def _refuse_unidentified(
    model: FactorModel, table: ParameterTable, start: FloatArray, samples: Sequence[Sample], statistic: str
) -> None:
    """A model that is not identified near one point drawn at random is not identified at all."""
    generator = np.random.default_rng(1)
    whole = tuple(replace(sample, blocks=(_all_answered(sample),)) for sample in samples)
    for _ in range(5):
        point = start * generator.uniform(0.85, 1.15, len(start)) + generator.uniform(-0.05, 0.05, len(start))
        try:
            information = expected_information(table, point, whole)
        except np.linalg.LinAlgError:
            continue
        singular, involved = weak_directions(information, _WEAK)
        if not singular:
            return
        names = [parameter_name(model, table, samples, int(n)) for n in np.flatnonzero(involved)]
        raise InsufficientDataError(
            f"{statistic}: the model cannot be identified: any data leave open {name_list(names)}. "
            "Give each factor at least 3 items of its own, or a simpler structure."
        )


def _all_answered(sample: Sample) -> Block:
    block = sample.blocks[0]
    p = len(sample.mean)
    return replace(
        block,
        answered=np.ones((1, p)),
        gaps=np.zeros((1, 0), dtype=np.intp),
        n=np.array([float(sample.n)]),
        mean=sample.mean[None],
        covariance=sample.covariance[None],
    )


# -------------------------------------------------------------------------------------------------- sampling error


def _sampling(
    model: FactorModel, table: ParameterTable, parameters: FloatArray, study: Study
) -> tuple[FloatArray | None, tuple[str, ...]]:
    """Sampling covariance: from the expected information, with missing answers from the observed one."""
    try:
        of_model = observed_information if study.n_incomplete else expected_information
        information = of_model(table, parameters, study.samples)
    except np.linalg.LinAlgError:
        return None, ()
    diagonal = information.diagonal()
    if (diagonal > 0).all():
        scale = np.sqrt(diagonal)
        across = scale[:, None] * scale
        inverse = firm_inverse(information / across)
        if inverse is None and not weak_directions(information, _WEAK)[0]:
            inverse = np.linalg.inv(information / across)
        if inverse is not None:
            return np.asarray(inverse / (across * study.n)), ()
    involved = weak_directions(information, _WEAK)[1]
    return None, tuple(parameter_name(model, table, study.samples, int(n)) for n in np.flatnonzero(involved))


def parameter_name(model: FactorModel, table: ParameterTable, samples: Sequence[Sample], number: int) -> str:
    """A free parameter in words."""
    entry = int(np.flatnonzero(table.free == number)[0])
    label = samples[table.group[entry]].label
    where = "" if label is None else f" in {label}"
    return _entry_name(model, table.kind[entry], table.row[entry], table.column[entry]) + where


def _entry_name(model: FactorModel, kind: int, row: int, column: int) -> str:
    items: tuple[Hashable, ...] = model.items
    latents = model.latents
    if kind == LOADING:
        return f"loading of {items[row]} on {latents[column]}"
    if kind == REGRESSION:
        return f"loading of {latents[row]} on {latents[column]}"
    if kind in (COVARIANCE, RESIDUAL):
        names, what = (latents, "") if kind == COVARIANCE else (items, "residual ")
        if row == column:
            return f"{what}variance of {names[row]}"
        return f"{what}covariance of {names[row]} and {names[column]}"
    return f"intercept of {items[row]}" if kind == INTERCEPT else f"mean of {latents[row]}"


# ----------------------------------------------------------------------------------------------------- score tests


@dataclass(frozen=True)
class Candidates:
    """Entries that might be freed: fixed ones, or ones held equal over groups."""

    kind: npt.NDArray[np.intp]
    group: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]


def score_tests(solution: Solution, candidates: Candidates) -> tuple[FloatArray, FloatArray]:
    """How much chi-square would fall if an entry were freed, and how far the entry would then move (scaled units).

    Sorbom (1989), Psychometrika, 54, 371-384; with the expected information.
    """
    table, study = solution.table, solution.study
    n_free, n_candidates = table.n_free, len(candidates.kind)
    score = np.zeros(n_candidates)
    own, cross = np.zeros(n_candidates), np.zeros((n_free, n_candidates))
    information = np.zeros((n_free, n_free))
    for group, (place, sample) in enumerate(zip(solution.matrices, study.samples, strict=True)):
        entries = np.flatnonzero((table.group == group) & (table.free >= 0))
        chosen = np.flatnonzero(candidates.group == group)
        inside = slopes(place, table.kind[entries], table.row[entries], table.column[entries])
        outside = slopes(place, candidates.kind[chosen], candidates.row[chosen], candidates.column[chosen])
        share = sample.n / study.n
        numbers = table.free[entries]
        np.add.at(information, np.ix_(numbers, numbers), share * entry_information(place, sample, inside))
        part = np.zeros((n_free, len(chosen)))
        np.add.at(part, numbers, share * entry_information(place, sample, inside, outside))
        cross[:, chosen] = part
        own[chosen] = share * own_information(place, sample, outside)
        score[chosen] = -share * entry_gradient(outside, *weighted_inverse(place, sample)) / 2
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    solved = np.linalg.pinv(information / np.outer(scale, scale), hermitian=True) @ (cross / scale[:, None])
    remaining = own - (cross / scale[:, None] * solved).sum(axis=0)
    open_ = remaining > 1e-8 * np.maximum(own, 1e-300)  # else freeing the entry would change nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(open_, score / remaining, np.nan)
        fall = np.where(open_, study.n * score**2 / remaining, np.nan)
    return fall, change
