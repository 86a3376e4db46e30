"""Maximum likelihood where every respondent answered every item: one covariance matrix a group, and quick steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from servicediag.psychometrics._frames import FloatArray
from servicediag.psychometrics._structure_data import Sample
from servicediag.psychometrics._structure_model import (
    COVARIANCE,
    INTERCEPT,
    LOADING,
    MEAN,
    REGRESSION,
    RESIDUAL,
    IntArray,
    ParameterTable,
)
from servicediag.psychometrics._structure_steps import FIRM

__all__ = ["CompleteAnswers", "Moments", "firm_inverse", "is_complete"]


def is_complete(samples: Sequence[Sample]) -> bool:
    """Whether the answers are known by one covariance matrix a group."""
    return all(
        len(sample.blocks) == 1 and len(sample.blocks[0].n) == 1 and not sample.blocks[0].gaps.shape[1]
        for sample in samples
    )


@dataclass(frozen=True)
class Moments:
    """What a group's parameters imply.

    Attributes
    ----------
    effects : ndarray, shape (n_latents, n_latents)
        Total effects of the factors on each other.
    paths, spread : ndarray, shape (n_latents, n_items)
        Total effects on the items, and covariances with them.
    means : ndarray, shape (n_latents,)
        Means of the factors, before they affect each other.
    inverse : ndarray, shape (n_items, n_items)
    away : ndarray, shape (n_items,)
        Observed less implied means.
    """

    effects: FloatArray
    paths: FloatArray
    spread: FloatArray
    means: FloatArray
    inverse: FloatArray
    away: FloatArray


class _Group:
    """The free parameters of one group by the kind of matrix they fill, and the fixed values around them."""

    def __init__(self, table: ParameterTable, group: int, sample: Sample, share: float) -> None:
        p, m = table.n_items, table.n_latents
        shapes = ((p, m), (m, m), (m, m), (p, p), (p,), (m,))
        self.sample, self.share = sample, share
        here = table.of_group(group)
        self._fixed = [np.zeros(shape) for shape in shapes]
        self._places: list[tuple[IntArray, IntArray, IntArray]] = []
        for kind, matrix in enumerate(self._fixed):
            entries = here[table.kind[here] == kind]
            row, column, number = table.row[entries], table.column[entries], table.free[entries]
            at: tuple[IntArray, ...] = (row,) if matrix.ndim == 1 else (row, column)
            matrix[at] = np.where(number < 0, table.fixed[entries], 0.0)
            if kind in (COVARIANCE, RESIDUAL):
                matrix[column, row] = matrix[row, column]
            free = number >= 0
            self._places.append((row[free], column[free], number[free]))
        self.numbers = np.concatenate([number for _, _, number in self._places])
        ends = np.cumsum([0] + [len(number) for _, _, number in self._places])
        self._spans = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.own = len(set(self.numbers.tolist())) == len(self.numbers)
        self._prepare_slopes(p)

    def _prepare_slopes(self, p: int) -> None:
        """What does not depend on the parameters: residuals, and which item a loading belongs to."""
        n = len(self.numbers)
        self._slopes, self._levels = np.zeros((2, n, p)), np.zeros((n, p))
        u, v = self._slopes
        row, _, _ = self._places[LOADING]
        self._loading_entries = np.arange(n)[self._spans[LOADING]]
        u[self._loading_entries, row] = 1.0
        row, column, _ = self._places[RESIDUAL]
        entries = np.arange(n)[self._spans[RESIDUAL]]
        u[entries, row] = np.where(row == column, 0.5, 1.0)
        v[entries, column] = 1.0
        row, column, _ = self._places[COVARIANCE]
        self._half = np.where(row == column, 0.5, 1.0)[:, None]
        row, _, _ = self._places[INTERCEPT]
        self._levels[np.arange(n)[self._spans[INTERCEPT]], row] = 1.0

    def _filled(self, kind: int, parameters: FloatArray) -> FloatArray:
        row, column, number = self._places[kind]
        if not len(number):
            return self._fixed[kind]
        matrix = self._fixed[kind].copy()
        if matrix.ndim == 1:
            matrix[row] = parameters[number]
            return matrix
        matrix[row, column] = parameters[number]
        if kind in (COVARIANCE, RESIDUAL):
            matrix[column, row] = parameters[number]
        return matrix

    def moments(self, parameters: FloatArray) -> tuple[Moments, float] | None:
        """What the parameters imply, and the discrepancy; None where the covariance is not positive definite."""
        loadings, covariances = self._filled(LOADING, parameters), self._filled(COVARIANCE, parameters)
        effects: FloatArray = np.eye(len(covariances))
        paths: FloatArray = loadings.T
        if len(self._places[REGRESSION][2]) or self._fixed[REGRESSION].any():
            effects = np.asarray(np.linalg.inv(effects - self._filled(REGRESSION, parameters)))
            paths = effects.T @ paths
        spread = covariances @ paths
        covariance = spread.T @ paths + self._filled(RESIDUAL, parameters)
        spread = effects @ spread
        if not np.isfinite(covariance.sum()):
            return None
        root, failed = dpotrf(covariance, lower=1)
        if failed:
            return None
        inverse = _whole(dpotri(root, lower=1)[0])
        means = self._fixed[MEAN]
        away = np.zeros(len(covariance))
        value = 2 * float(np.log(root.diagonal()).sum()) + float(np.vdot(inverse, self.sample.covariance))
        if self.sample.mean_structure:
            means = self._filled(MEAN, parameters)
            away = self.sample.mean - self._filled(INTERCEPT, parameters) - paths.T @ means
            value += float(away @ inverse @ away)
        if not np.isfinite(value):
            return None
        return Moments(effects, paths, spread, means, inverse, away), value

    def gradient(self, implied: Moments) -> FloatArray:
        """Gradient of the group's discrepancy by its own parameters."""
        self._fill_slopes(implied)
        (u, v), inverse = self._slopes, implied.inverse
        seen = self.sample.covariance
        if self.sample.mean_structure:
            seen = seen + implied.away[:, None] * implied.away
        result: FloatArray = np.einsum("ij,ij->i", u, v @ (inverse - inverse @ seen @ inverse))
        if self.sample.mean_structure:
            result -= self._levels @ (inverse @ implied.away)
        return 2 * result

    def information(self, implied: Moments) -> FloatArray:
        """Expected information of one respondent about the group's own parameters."""
        self._fill_slopes(implied)
        n, p = self._levels.shape
        both = self._slopes.reshape(2 * n, p)
        products = both @ implied.inverse @ both.T
        crossed = products[:n, n:]
        result: FloatArray = products[:n, :n] * products[n:, n:] + crossed * crossed.T
        if self.sample.mean_structure:
            result += self._levels @ implied.inverse @ self._levels.T
        return result

    def _fill_slopes(self, implied: Moments) -> None:
        """How the moments change with the parameters: ``u v' + v u'`` and ``w``, a row a parameter."""
        (u, v), w, spans = self._slopes, self._levels, self._spans
        row, column, _ = self._places[LOADING]
        v[spans[LOADING]] = implied.spread[column]
        for kind, right in ((REGRESSION, implied.spread), (COVARIANCE, implied.paths)):
            row_of, column_of, number = self._places[kind]
            if len(number):
                u[spans[kind]], v[spans[kind]] = implied.paths[row_of], right[column_of]
        u[spans[COVARIANCE]] *= self._half
        if self.sample.mean_structure:
            levels = implied.effects @ implied.means
            w[self._loading_entries, row] = levels[column]
            row_of, column_of, _ = self._places[REGRESSION]
            w[spans[REGRESSION]] = implied.paths[row_of] * levels[column_of, None]
            w[spans[MEAN]] = implied.paths[self._places[MEAN][0]]


def firm_inverse(scaled: FloatArray) -> FloatArray | None:
    """Inverse of a symmetric matrix with a diagonal of 1; None where it is not far from singular."""
    root, failed = dpotrf(scaled, lower=1)
    return None if failed or not root.diagonal().min() > FIRM else _whole(dpotri(root, lower=1)[0])


def _whole(lower: FloatArray) -> FloatArray:
    """A symmetric matrix given by its lower triangle; what stands above it does not count."""
    half = np.tril(lower, -1)
    result: FloatArray = half + half.T
    result.flat[:: len(result) + 1] = lower.diagonal()
    return result


class CompleteAnswers:
    """Discrepancy, gradient and expected information of all groups."""

    def __init__(self, table: ParameterTable, samples: Sequence[Sample]) -> None:
        total = sum(sample.n for sample in samples)
        self._n_free = table.n_free
        self._groups = [_Group(table, group, sample, sample.n / total) for group, sample in enumerate(samples)]

    def moments(self, parameters: FloatArray) -> tuple[list[Moments], float]:
        """What every group's parameters imply, and the discrepancy: infinite outside the model."""
        found, value = [], 0.0
        for group in self._groups:
            part = group.moments(parameters)
            if part is None:
                return [], float("inf")
            found.append(part[0])
            value += group.share * part[1]
        return found, value

    def gradient(self, implied: Sequence[Moments]) -> FloatArray:
        """Gradient of the discrepancy by the free parameters."""
        result = np.zeros(self._n_free)
        for group, moments in zip(self._groups, implied, strict=True):
            np.add.at(result, group.numbers, group.share * group.gradient(moments))
        return result

    def information(self, implied: Sequence[Moments]) -> FloatArray:
        """Expected information of one respondent about the free parameters."""
        result = np.zeros((self._n_free, self._n_free))
        for group, moments in zip(self._groups, implied, strict=True):
            numbers, part = group.numbers, group.share * group.information(moments)
            if group.own:
                result[numbers[:, None], numbers] += part
            else:
                np.add.at(result, (numbers[:, None], numbers), part)
        return result
