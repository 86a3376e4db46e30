"""Maximum likelihood for covariance and mean structures: discrepancy, gradient, information, and the minimiser.

Every entry of the model's matrices changes the implied covariance by ``u v' + v u'`` and the implied mean by ``w``.
Gradient and information follow from the vectors u, v and w alone (Joreskog 1969, Psychometrika, 34, 183-202; Browne &
Arminger 1995, Handbook of Statistical Modeling for the Social and Behavioral Sciences, 185-249).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from servicediag.psychometrics._frames import FloatArray
from servicediag.psychometrics._structure_complete import CompleteAnswers, is_complete
from servicediag.psychometrics._structure_data import Block, Sample, clearly_regular
from servicediag.psychometrics._structure_model import (
    COVARIANCE,
    INTERCEPT,
    LOADING,
    MEAN,
    REGRESSION,
    RESIDUAL,
    IntArray,
    Matrices,
    ParameterTable,
)
from servicediag.psychometrics._structure_steps import NO_GRADIENT, Curvature, Steps, polished

__all__ = [
    "Minimum",
    "Slopes",
    "case_products",
    "discrepancy",
    "entry_gradient",
    "entry_information",
    "expected_information",
    "gradient",
    "minimise",
    "observed_information",
    "own_information",
    "saturated_information",
    "slopes",
    "weak_directions",
    "weighted_inverse",
]

_CASES = 4096  # respondents handled at a time
_REFRESH = 3  # iterations
_FEW_PATTERNS, _PAIRED_ITEMS = 8, 64
_ITERATIONS = 200
_WORK = 1e9  # patterns times the cube of the items, over all steps of a search
_FEWEST_ITERATIONS = 60
_KEPT = 30_000_000  # entries of inverses that are kept from one use to the next
_ASTRAY = 1e3  # no loading or variance of scaled items is as large as this
_SMALL_GAIN = 1e-14  # expected fall of the discrepancy at which the search ends
_OUTSIDE = 1e10  # the discrepancy where the implied covariance is not positive definite
_NEAR = 1e-3  # expected fall of the discrepancy below which the curvature hardly changes any more
_SMALL_GRADIENT = 1e-6  # beyond this a search that stands still has not converged


@dataclass(frozen=True)
class Slopes:
    """How the implied moments of a group change with some entries: ``u v' + v u'`` and ``w``, a column an entry."""

    u: FloatArray
    v: FloatArray
    w: FloatArray


@dataclass(frozen=True)
class Minimum:
    """Where the minimiser ended; ``firm``: whether the expected information is known to be far from singular there."""

    parameters: FloatArray
    value: float
    converged: bool
    n_iterations: int
    largest_gradient: float
    firm: bool = False


def slopes(matrices: Matrices, kind: IntArray, row: IntArray, column: IntArray) -> Slopes:
    """Slopes of entries given by their places, each of shape (n_items, n_entries)."""
    p, n = len(matrices.loadings), len(kind)
    effects = matrices.total_effects
    paths = matrices.loadings @ effects
    spread = matrices.loadings @ matrices.factor_covariance
    levels = effects @ matrices.means
    unit = np.eye(p)
    u, v, w = np.zeros((p, n)), np.zeros((p, n)), np.zeros((p, n))
    for which, left, right in (
        (LOADING, unit, spread),
        (REGRESSION, paths, spread),
        (COVARIANCE, paths, paths),
        (RESIDUAL, unit, unit),
    ):
        here = kind == which
        u[:, here], v[:, here] = left[:, row[here]], right[:, column[here]]
        if which in (COVARIANCE, RESIDUAL):
            u[:, here] *= np.where(row[here] == column[here], 0.5, 1.0)
        else:
            w[:, here] = left[:, row[here]] * levels[column[here]]
    here = kind == INTERCEPT
    w[:, here] = unit[:, row[here]]
    here = kind == MEAN
    w[:, here] = paths[:, row[here]]
    return Slopes(u, v, w)


def discrepancy(
    matrices: Sequence[Matrices], samples: Sequence[Sample], *, keep: bool = False
) -> tuple[float, list[list[FloatArray]] | None]:
    """``ln det(Sigma) + trace(S inverse(Sigma)) + d' inverse(Sigma) d``, by respondents; infinite outside the model.

    And, where they are to be kept, the inverses for the patterns of every group.
    """
    total = sum(sample.n for sample in samples)
    value = 0.0
    kept: list[list[FloatArray]] = []
    for place, sample in zip(matrices, samples, strict=True):
        covariance, mean = place.covariance, place.mean
        kept.append([])
        for block in sample.blocks:
            part = _inverses(block, covariance)
            if part is None:
                return float("inf"), None
            inverse, log_determinant = part
            if keep:
                kept[-1].append(inverse)
            away = _away(block, mean, sample)
            fit = (_times(inverse, away) * away).sum(axis=1)
            if block.covariance.any():
                fit += (inverse * block.covariance).sum(axis=(1, 2))
            value += float(block.n @ (log_determinant + fit)) / total
    return value, kept if keep else None


def _times(inverse: FloatArray, away: FloatArray) -> FloatArray:
    """The product of every pattern's matrix with its vector."""
    return np.asarray((inverse @ away[:, :, None])[:, :, 0])


def _away(block: Block, mean: FloatArray, sample: Sample) -> FloatArray:
    if not sample.mean_structure:
        return np.zeros_like(block.mean)
    result: FloatArray = block.answered * (block.mean - mean)
    return result


def _inverses(block: Block, covariance: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Inverses and logs of the determinants of the patterns; None outside the model."""
    if not np.isfinite(covariance).all():
        return None
    try:
        inverse, log_determinant = block.inverses(covariance)
    except np.linalg.LinAlgError:
        return None
    return (inverse, log_determinant) if np.isfinite(inverse).all() else None


def _inverses_of(place: Matrices, sample: Sample) -> list[FloatArray]:
    covariance = place.covariance
    parts = [_inverses(block, covariance) for block in sample.blocks]
    if any(part is None for part in parts):
        raise np.linalg.LinAlgError("implied covariance is not positive definite")
    return [part[0] for part in parts if part is not None]


def weighted_inverse(
    place: Matrices, sample: Sample, inverses: Sequence[FloatArray] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of a group's discrepancy by its implied covariance and, times -1/2, by its implied mean."""
    mean = place.mean
    by_covariance, by_mean = np.zeros((len(mean),) * 2), np.zeros_like(mean)
    for block, inverse in zip(sample.blocks, inverses or _inverses_of(place, sample), strict=True):
        share = block.n / sample.n
        pull = _times(inverse, _away(block, mean, sample))
        by_covariance += np.tensordot(share, inverse, axes=1) - (pull * share[:, None]).T @ pull
        if block.covariance.any():  # it is 0 where no two respondents left out the same items
            by_covariance -= np.tensordot(share, inverse @ block.covariance @ inverse, axes=1)
        by_mean += share @ pull
    return by_covariance, by_mean


def entry_gradient(slope: Slopes, by_covariance: FloatArray, by_mean: FloatArray) -> FloatArray:
    """Gradient of a group's discrepancy by entries."""
    result: FloatArray = 2 * ((slope.u * (by_covariance @ slope.v)).sum(axis=0) - by_mean @ slope.w)
    return result


def entry_information(
    place: Matrices,
    sample: Sample,
    rows: Slopes,
    columns: Slopes | None = None,
    inverses: Sequence[FloatArray] | None = None,
) -> FloatArray:
    """Expected information of one respondent of a group about entries: those of rows with those of columns."""
    other = rows if columns is None else columns
    result = np.zeros((rows.u.shape[1], other.u.shape[1]))
    stacks = inverses or _inverses_of(place, sample)
    if _many_patterns(sample):
        mean = np.zeros_like(place.residuals)
        both = np.zeros((_n_pairs(mean),) * 2)
        for block, stacked in zip(sample.blocks, stacks, strict=True):
            share = block.n / sample.n
            both += _paired(share, stacked, stacked)
            mean += np.tensordot(share, stacked, axes=1)
        result += _products(rows).T @ _unpaired(both, len(mean)) @ _products(other) / 2
        return result + rows.w.T @ mean @ other.w if sample.mean_structure else result
    for block, stacked in zip(sample.blocks, stacks, strict=True):
        for share, inverse in zip(block.n / sample.n, stacked, strict=True):
            on_u, on_v = inverse @ other.u, inverse @ other.v
            result += share * ((rows.u.T @ on_u) * (rows.v.T @ on_v) + (rows.u.T @ on_v) * (rows.v.T @ on_u))
            if sample.mean_structure:
                result += share * (rows.w.T @ (inverse @ other.w))
    return result


def _many_patterns(sample: Sample) -> bool:
    """Whether sums over patterns come before products with slopes, which takes memory of the items' fourth power."""
    return len(sample.mean) <= _PAIRED_ITEMS and sum(len(block.n) for block in sample.blocks) > _FEW_PATTERNS


def _n_pairs(matrix: FloatArray) -> int:
    return len(matrix) * (len(matrix) + 1) // 2


def _paired(share: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Sums over patterns of the products of every entry of one symmetric matrix with every entry of another."""
    row, column = np.tril_indices(first.shape[1])
    result: FloatArray = (first[:, row, column] * share[:, None]).T @ second[:, row, column]
    return result


def _unpaired(sums: FloatArray, p: int) -> FloatArray:
    """Sums of products, shape (p * p, p * p), with ``first[i, k] * second[j, l]`` at ``(i, j), (k, l)``."""
    row, column = np.tril_indices(p)
    number = np.empty((p, p), dtype=np.intp)
    number[row, column] = number[column, row] = np.arange(len(row))
    whole = sums[number[:, None, :, None], number[None, :, None, :]]
    return np.asarray(whole.reshape(p * p, p * p))


def _products(slope: Slopes) -> FloatArray:
    """``u v' + v u'`` of every entry, shape (p * p, n_entries)."""
    whole = slope.u[:, None, :] * slope.v[None, :, :]
    result: FloatArray = whole + whole.transpose(1, 0, 2)
    return result.reshape(-1, slope.u.shape[1])


def own_information(place: Matrices, sample: Sample, slope: Slopes) -> FloatArray:
    """The diagonal of ``entry_information``."""
    result = np.zeros(slope.u.shape[1])
    for block, stacked in zip(sample.blocks, _inverses_of(place, sample), strict=True):
        for share, inverse in zip(block.n / sample.n, stacked, strict=True):
            on_u, on_v = inverse @ slope.u, inverse @ slope.v
            squares = (slope.u * on_u).sum(axis=0) * (slope.v * on_v).sum(axis=0)
            result += share * (squares + (slope.u * on_v).sum(axis=0) ** 2)
            if sample.mean_structure:
                result += share * (slope.w * (inverse @ slope.w)).sum(axis=0)
    return result


def _group_slopes(table: ParameterTable, place: Matrices, group: int) -> tuple[IntArray, Slopes]:
    entries = np.flatnonzero((table.group == group) & (table.free >= 0))
    return table.free[entries], slopes(place, table.kind[entries], table.row[entries], table.column[entries])


def _both(
    table: ParameterTable,
    matrices: Sequence[Matrices],
    samples: Sequence[Sample],
    *,
    information: bool,
    kept: Sequence[Sequence[FloatArray]] | None = None,
) -> tuple[FloatArray, FloatArray]:
    total = sum(sample.n for sample in samples)
    first, second = np.zeros(table.n_free), np.zeros((table.n_free, table.n_free))
    for group, (place, sample) in enumerate(zip(matrices, samples, strict=True)):
        numbers, slope = _group_slopes(table, place, group)
        share, inverses = sample.n / total, kept[group] if kept is not None else _inverses_of(place, sample)
        np.add.at(first, numbers, share * entry_gradient(slope, *weighted_inverse(place, sample, inverses)))
        if information:
            own = entry_information(place, sample, slope, inverses=inverses)
            np.add.at(second, np.ix_(numbers, numbers), share * own)
    return first, second


def gradient(table: ParameterTable, parameters: FloatArray, samples: Sequence[Sample]) -> FloatArray:
    """Gradient of the discrepancy by the free parameters."""
    return _both(table, table.matrices(parameters), samples, information=False)[0]


def expected_information(table: ParameterTable, parameters: FloatArray, samples: Sequence[Sample]) -> FloatArray:
    """Expected information of one respondent about the free parameters."""
    if is_complete(samples):
        objective = CompleteAnswers(table, samples)
        implied, value = objective.moments(parameters)
        if not np.isfinite(value):
            raise np.linalg.LinAlgError("implied covariance is not positive definite")
        return objective.information(implied)
    return _both(table, table.matrices(parameters), samples, information=True)[1]


def observed_information(table: ParameterTable, parameters: FloatArray, samples: Sequence[Sample]) -> FloatArray:
    """Half the second derivatives of the discrepancy, per respondent."""
    total = sum(sample.n for sample in samples)
    n = table.n_free
    result, by_moments = np.zeros((n, n)), []
    for group, (place, sample) in enumerate(zip(table.matrices(parameters), samples, strict=True)):
        numbers, slope = _group_slopes(table, place, group)
        share = sample.n / total
        by_covariance, by_mean = weighted_inverse(place, sample)
        by_moments.append((share * by_covariance, share * by_mean))
        np.add.at(result, np.ix_(numbers, numbers), share * _bending(place, sample, slope))
    for column in range(n):  # what the curvature of the implied moments adds: their slopes, differenced
        change = np.zeros(n)
        change[column] = 1e-4 * max(1.0, abs(parameters[column]))
        ahead = _with_fixed_weights(table, parameters + change, by_moments)
        behind = _with_fixed_weights(table, parameters - change, by_moments)
        result[column] += (ahead - behind) / (4 * change[column])
    return (result + result.T) / 2


def _with_fixed_weights(
    table: ParameterTable, parameters: FloatArray, by_moments: Sequence[tuple[FloatArray, FloatArray]]
) -> FloatArray:
    result = np.zeros(table.n_free)
    for group, place in enumerate(table.matrices(parameters)):
        numbers, slope = _group_slopes(table, place, group)
        np.add.at(result, numbers, entry_gradient(slope, *by_moments[group]))
    return result


def _bending(place: Matrices, sample: Sample, slope: Slopes) -> FloatArray:
    """Half the second derivatives of a group's discrepancy by entries, as if the moments were linear in them."""
    if _many_patterns(sample):
        return _bending_of_many(place, sample, slope)
    mean = place.mean
    u, v, w = slope.u, slope.v, slope.w
    result = np.zeros((u.shape[1], u.shape[1]))
    for block, inverses in zip(sample.blocks, _inverses_of(place, sample), strict=True):
        away = _away(block, mean, sample)
        seen = block.covariance + away[:, :, None] * away[:, None, :]
        for at, (share, inverse) in enumerate(zip(block.n / sample.n, inverses, strict=True)):
            weight = inverse @ seen[at] @ inverse
            u_u, u_v, v_v = u.T @ inverse @ u, u.T @ inverse @ v, v.T @ inverse @ v
            s_u, s_v, t_v = u.T @ weight @ u, u.T @ weight @ v, v.T @ weight @ v
            mixed = u_v.T * s_v + v_v * s_u + u_u * t_v + u_v * s_v.T
            part = (mixed + mixed.T) / 2 - u_u * v_v - u_v * u_v.T
            if sample.mean_structure:
                pull = inverse @ away[at]
                on_w = inverse @ w
                turn = (pull @ u)[:, None] * (v.T @ on_w) + (pull @ v)[:, None] * (u.T @ on_w)
                part += turn + turn.T + w.T @ on_w
            result += share * part
    return result


def _bending_of_many(place: Matrices, sample: Sample, slope: Slopes) -> FloatArray:
    p, mean = len(place.residuals), place.mean
    inverse_sum, pulls = np.zeros((p, p)), np.zeros((p * p, p))
    weights = np.zeros((_n_pairs(inverse_sum),) * 2)
    for block, inverses in zip(sample.blocks, _inverses_of(place, sample), strict=True):
        away, share = _away(block, mean, sample), block.n / sample.n
        pull = _times(inverses, away)
        weight = pull[:, :, None] * pull[:, None, :] - inverses / 2
        if block.covariance.any():
            weight += inverses @ block.covariance @ inverses
        weights += _paired(share, inverses, weight)
        inverse_sum += np.tensordot(share, inverses, axes=1)
        pulls += ((pull * share[:, None]).T @ inverses.reshape(len(share), -1)).reshape(p * p, p)
    products = _products(slope)
    result: FloatArray = products.T @ _unpaired(weights, p) @ products
    result = (result + result.T) / 2
    if sample.mean_structure:
        turn = products.T @ pulls @ slope.w
        result += turn + turn.T + slope.w.T @ inverse_sum @ slope.w
    return result


def saturated_information(place: Matrices, sample: Sample, slope: Slopes) -> FloatArray:
    """Observed information of one respondent of a group where the moments themselves are the parameters."""
    return _bending(place, sample, slope)


def case_products(place: Matrices, sample: Sample, slope: Slopes) -> FloatArray:
    """Mean product of the respondents' scores for some entries: derivatives of each one's log-likelihood."""
    if sample.rows is None:
        raise ValueError("sample holds no rows")
    result = np.zeros((slope.u.shape[1],) * 2)
    covariance, mean = place.covariance, place.mean if sample.mean_structure else sample.mean
    answered = ~np.isnan(sample.rows)
    patterns, member = np.unique(answered, axis=0, return_inverse=True)
    order = np.argsort(member.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(member.reshape(-1), minlength=len(patterns)))
    for pattern, part in zip(patterns, np.split(order, ends[:-1]), strict=True):
        held = np.flatnonzero(pattern)
        inverse = np.linalg.inv(covariance[np.ix_(held, held)])
        u, v = slope.u[held], slope.v[held]
        expected = (u * (inverse @ v)).sum(axis=0)
        for start in range(0, len(part), _CASES):
            pull = (sample.rows[np.ix_(part[start : start + _CASES], held)] - mean[held]) @ inverse
            score = (pull @ u) * (pull @ v) - expected
            if sample.mean_structure:
                score += pull @ slope.w[held]
            result += score.T @ score
    return result / sample.n


# ------------------------------------------------------------------------------------------------------- minimiser


_Place = tuple[tuple[Matrices, ...], list[list[FloatArray]] | None]


class _ByPattern:
    """Discrepancy, gradient and expected information where respondents left out different items."""

    def __init__(self, table: ParameterTable, samples: Sequence[Sample]) -> None:
        self._table, self._samples = table, samples
        self._information, self._age = np.empty((0, 0)), 0
        entries = sum(block.covariance.size for sample in samples for block in sample.blocks)
        self._keep = entries <= _KEPT

    def moments(self, parameters: FloatArray) -> tuple[_Place, float]:
        """The matrices of every group with their inverses, and the discrepancy: infinite outside the model."""
        matrices = self._table.matrices(parameters)
        value, kept = discrepancy(matrices, self._samples, keep=self._keep)
        return (matrices, kept), value

    def gradient(self, place: _Place) -> FloatArray:
        """Gradient by the free parameters."""
        return _both(self._table, place[0], self._samples, information=False, kept=place[1])[0]

    def information(self, place: _Place) -> FloatArray:
        """Expected information, which costs more than all else and is kept for a while."""
        if self._age % _REFRESH == 0:
            self._information = _both(self._table, place[0], self._samples, information=True, kept=place[1])[1]
        self._age += 1
        return self._information


def minimise(
    table: ParameterTable, start: FloatArray, samples: Sequence[Sample], steps: Steps | None = None
) -> Minimum:
    """Fisher scoring with a line search; where it stands still before the gradient vanishes, quasi-Newton goes on."""
    complete, steps = is_complete(samples), steps or Steps()
    objective: Any = CompleteAnswers(table, samples) if complete else _ByPattern(table, samples)
    limit = _iterations(samples)
    parameters = start.copy()
    place, value = objective.moments(parameters)
    largest, previous, converged, done = np.inf, np.inf, False, 0
    firm = False
    while done < limit and np.isfinite(value):
        done += 1
        steps.step(limit - done)
        slope, information = objective.gradient(place), objective.information(place)
        largest, previous = float(np.abs(slope).max(initial=0.0)), largest
        curvature = Curvature(information)
        firm = complete and curvature.firm
        step = curvature.step(slope)
        gain = -float(slope @ step)
        if gain < _NEAR and gain > _SMALL_GAIN:
            near = polished(objective, parameters, slope, curvature, steps)
            if near is not None:
                parameters, value, largest, more = near
                return Minimum(parameters, value, True, done + more, largest, firm)
        still = gain < _SMALL_GAIN and (largest < NO_GRADIENT or largest > previous / 2)
        moved = None if still else _search(objective, parameters, step, value, gain)
        if moved is None:
            converged = largest < _SMALL_GRADIENT
            break
        parameters, place, value = moved
        if np.abs(parameters).max() > _ASTRAY:
            return Minimum(parameters, value, False, done, largest)
    if not converged and np.isfinite(value):
        return _quasi_newton(objective, parameters, done, limit, steps)
    return Minimum(parameters, value, converged, done, largest, firm)


def _iterations(samples: Sequence[Sample]) -> int:
    """Steps that a search may take: fewer where each is dear."""
    cost = sum(len(block.n) for sample in samples for block in sample.blocks) * len(samples[0].mean) ** 3
    return int(min(max(_WORK / cost, _FEWEST_ITERATIONS), _ITERATIONS))


def _search(
    objective: Any, parameters: FloatArray, step: FloatArray, value: float, gain: float
) -> tuple[FloatArray, Any, float] | None:
    size = 1.0
    for _ in range(40):
        candidate = parameters + size * step
        place, reached = objective.moments(candidate)
        if reached <= value - 1e-4 * size * gain + 1e-15 * abs(value):
            return candidate, place, reached
        size /= 2
    return None


def _quasi_newton(objective: Any, start: FloatArray, done: int, limit: int, steps: Steps) -> Minimum:
    from scipy.optimize import minimize

    def both(x: FloatArray) -> tuple[float, FloatArray]:
        place, reached = objective.moments(x)
        if not np.isfinite(reached):
            return _OUTSIDE, np.zeros(len(x))
        try:
            return reached, objective.gradient(place)
        except np.linalg.LinAlgError:
            return _OUTSIDE, np.zeros(len(x))

    def reported(_: FloatArray) -> None:
        steps.step(limit)

    options = {"gtol": 1e-9, "maxiter": limit}
    found = minimize(both, start, jac=True, method="BFGS", options=options, callback=reported)
    reached, slope = both(found.x)
    largest = float(np.abs(slope).max(initial=0.0))
    converged = reached < _OUTSIDE and largest < _SMALL_GRADIENT
    return Minimum(np.asarray(found.x), reached, converged, done + int(found.nit), largest)


def weak_directions(information: FloatArray, tolerance: float = 1e-9) -> tuple[bool, npt.NDArray[np.bool_]]:
    """Whether the information is singular, and which parameters take part in what it leaves open."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    scaled = information / np.outer(scale, scale)
    if clearly_regular(scaled):
        return False, np.zeros(len(scaled), dtype=bool)
    values, vectors = np.linalg.eigh(scaled)
    weak = values < tolerance
    return bool(weak.any()), np.asarray((np.abs(vectors[:, weak]) > 0.05).any(axis=1))
