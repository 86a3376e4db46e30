"""A factor model as a table of parameters: which are free, fixed or held equal, and the matrices that they fill."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, check_choice, name_list

__all__ = [
    "COVARIANCE",
    "Equality",
    "FactorModel",
    "Identification",
    "KINDS",
    "LOADING",
    "LatentStructure",
    "Matrices",
    "ParameterTable",
    "REGRESSION",
    "RESIDUAL",
    "factor_model",
    "parameter_table",
    "refuse_too_many_parameters",
    "with_markers",
    "with_variances",
]

LatentStructure = Literal["correlated", "orthogonal", "second_order", "bifactor"]
Identification = Literal["marker", "variance"]
Equality = Literal["loadings", "intercepts", "residuals"]
IntArray = npt.NDArray[np.intp]

LOADING, REGRESSION, COVARIANCE, RESIDUAL, INTERCEPT, MEAN = range(6)
KINDS = ("loading", "second_order_loading", "factor_covariance", "residual_covariance", "intercept", "factor_mean")


@dataclass(frozen=True)
class FactorModel:
    """Which items measure which factors.

    Attributes
    ----------
    items : tuple
        In the order in which the model names them.
    factors : tuple
        The factors that the items were given to.
    blocks : tuple of tuple of int
        Positions of the items of each factor.
    structure : {"correlated", "orthogonal", "second_order", "bifactor"}
    general : Hashable
        Name of the general factor of a second-order or bifactor model.
    residual_covariances : tuple of (int, int)
        Pairs of items whose residuals may covary.
    """

    items: tuple[Hashable, ...]
    factors: tuple[Hashable, ...]
    blocks: tuple[tuple[int, ...], ...]
    structure: LatentStructure
    general: Hashable
    residual_covariances: tuple[tuple[int, int], ...]

    @property
    def latents(self) -> tuple[Hashable, ...]:
        """Factors, and the general one last where there is one."""
        return (*self.factors, self.general) if self.structure in ("second_order", "bifactor") else self.factors

    @property
    def is_simple(self) -> bool:
        """Whether no item measures two of the factors."""
        return sum(len(block) for block in self.blocks) == len(self.items)


def factor_model(
    model: object,
    columns: Collection[Hashable],
    *,
    structure: LatentStructure = "correlated",
    general: Hashable = "general",
    residual_covariances: Sequence[tuple[Hashable, Hashable]] = (),
) -> FactorModel:
    """Check a model, ``{factor: [items]}``, against the columns at hand.

    Raises
    ------
    TypeError
        The model is no mapping from factors to lists of items.
    ValueError
        An item is not among the columns or is named twice, a factor has none, or the structure is unknown.
    """
    check_choice("structure", structure, get_args(LatentStructure))
    if not isinstance(model, Mapping):
        raise TypeError(f"model must be a mapping, {{factor: [items]}}, not {type(model).__name__}")
    if not model:
        raise ValueError("model has no factors; give {factor: [items]}")
    blocks = {factor: _item_list(factor, items) for factor, items in model.items()}
    names = tuple(dict.fromkeys(item for block in blocks.values() for item in block))
    absent = [item for item in names if item not in columns]
    if absent:
        raise ValueError(f"model names {name_list(absent)}, which items does not hold; it holds {name_list(columns)}")
    if structure in ("second_order", "bifactor"):
        if general in blocks:
            raise ValueError(f"general={general!r} is also the name of a factor; choose another name")
        if len(blocks) < 2:
            raise ValueError(f"structure={structure!r} needs at least 2 factors beside the general one")
    position = {item: i for i, item in enumerate(names)}
    return FactorModel(
        items=names,
        factors=tuple(blocks),
        blocks=tuple(tuple(position[item] for item in block) for block in blocks.values()),
        structure=structure,
        general=general,
        residual_covariances=_pairs(residual_covariances, position),
    )


def _item_list(factor: Hashable, items: object) -> list[Hashable]:
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Collection):
        raise TypeError(f"model must give factor {factor} a list of items, not {type(items).__name__}")
    block = list(items)
    for item in block:
        if not isinstance(item, Hashable):
            raise TypeError(f"model must name the items of factor {factor}; {item!r} is no name")
    if not block:
        raise ValueError(f"factor {factor} of model has no items")
    if len(set(block)) < len(block):
        raise ValueError(f"factor {factor} of model names an item twice: {name_list(block)}")
    return block


def _pairs(pairs: Sequence[tuple[Hashable, Hashable]], position: Mapping[Hashable, int]) -> tuple[tuple[int, int], ...]:
    result = []
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"residual_covariances must hold pairs of items, not {pair!r}")
        first, second = pair
        if first not in position or second not in position or first == second:
            raise ValueError(f"residual_covariances must pair two different items of model, not {first} and {second}")
        i, j = sorted((position[first], position[second]))
        result.append((i, j))
    if len(set(result)) < len(result):
        raise ValueError("residual_covariances names a pair twice")
    return tuple(result)


# ---------------------------------------------------------------------------------------------------------- table


@dataclass(frozen=True)
class Matrices:
    """The matrices of one group: items = intercepts + loadings (factors) + residuals.

    Attributes
    ----------
    loadings : ndarray, shape (n_items, n_latents)
    regressions : ndarray, shape (n_latents, n_latents)
        Of first-order factors on the second-order one.
    covariances : ndarray, shape (n_latents, n_latents)
        Of the factors, or of what the second-order factor leaves of them.
    residuals : ndarray, shape (n_items, n_items)
    intercepts : ndarray, shape (n_items,)
    means : ndarray, shape (n_latents,)
    """

    loadings: FloatArray
    regressions: FloatArray
    covariances: FloatArray
    residuals: FloatArray
    intercepts: FloatArray
    means: FloatArray

    @property
    def total_effects(self) -> FloatArray:
        """What a change in the factors amounts to, directly and through other factors."""
        unit = np.eye(len(self.regressions))
        return np.asarray(np.linalg.inv(unit - self.regressions)) if self.regressions.any() else unit

    @property
    def factor_covariance(self) -> FloatArray:
        """Covariance of the factors that the model implies."""
        if not self.regressions.any():
            return self.covariances
        effects = self.total_effects
        result: FloatArray = effects @ self.covariances @ effects.T
        return result

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the items that the model implies."""
        result: FloatArray = self.loadings @ self.factor_covariance @ self.loadings.T + self.residuals
        return (result + result.T) / 2

    @property
    def mean(self) -> FloatArray:
        """Means of the items that the model implies."""
        result: FloatArray = self.intercepts + self.loadings @ self.total_effects @ self.means
        return result

    @property
    def all(self) -> tuple[FloatArray, ...]:
        """The matrices in the order of their kinds."""
        return self.loadings, self.regressions, self.covariances, self.residuals, self.intercepts, self.means

    def at(self, kind: int, row: int, column: int) -> float:
        """One entry."""
        matrix = self.all[kind]
        return float(matrix[row] if matrix.ndim == 1 else matrix[row, column])


@dataclass(frozen=True)
class ParameterTable:
    """Entries of the matrices of every group that are not zero by definition.

    Attributes
    ----------
    kind, group, row, column : ndarray of int, shape (n_entries,)
        Place of each entry; ``column`` equals ``row`` for means and intercepts.
    free : ndarray of int, shape (n_entries,)
        Number of the free parameter; entries with the same number are held equal; -1 for a fixed entry.
    fixed : ndarray, shape (n_entries,)
        Value of a fixed entry.
    """

    kind: IntArray
    group: IntArray
    row: IntArray
    column: IntArray
    free: IntArray
    fixed: FloatArray
    n_items: int
    n_latents: int
    n_groups: int
    mean_structure: bool

    @property
    def n_free(self) -> int:
        return int(self.free.max(initial=-1)) + 1

    def values(self, parameters: FloatArray) -> FloatArray:
        """Value of every entry."""
        if not len(parameters):
            return self.fixed.copy()
        return np.asarray(np.where(self.free >= 0, parameters[self.free], self.fixed), dtype=np.float64)

    def of_group(self, group: int) -> IntArray:
        """Numbers of the entries of a group."""
        return np.asarray(np.flatnonzero(self.group == group), dtype=np.intp)

    def matrices(self, parameters: FloatArray) -> tuple[Matrices, ...]:
        """The matrices of every group."""
        values = self.values(parameters)
        result = []
        for group in range(self.n_groups):
            p, m = self.n_items, self.n_latents
            filled = [np.zeros((p, m)), np.zeros((m, m)), np.zeros((m, m)), np.zeros((p, p)), np.zeros(p), np.zeros(m)]
            here = self.group == group
            for kind, target in enumerate(filled):
                chosen = here & (self.kind == kind)
                if kind in (INTERCEPT, MEAN):
                    target[self.row[chosen]] = values[chosen]
                else:
                    target[self.row[chosen], self.column[chosen]] = values[chosen]
                if kind in (COVARIANCE, RESIDUAL):
                    target[self.column[chosen], self.row[chosen]] = values[chosen]
            result.append(Matrices(*filled))
        return tuple(result)

    def parameters_of(self, matrices: Sequence[Matrices]) -> FloatArray:
        """Free parameters that fill these matrices; the first of entries held equal counts."""
        parameters = np.zeros(self.n_free)
        for group in range(self.n_groups - 1, -1, -1):
            place = matrices[group]
            here = (self.group == group) & (self.free >= 0)
            for kind, matrix in enumerate(place.all):
                entries = np.flatnonzero(here & (self.kind == kind))[::-1]
                at = self.row[entries] if matrix.ndim == 1 else (self.row[entries], self.column[entries])
                parameters[self.free[entries]] = matrix[at]
        return parameters


class _Builder:
    """Collects entries; those of one key share a free parameter."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, int, int, int, float]] = []
        self._n_free = 0
        self._shared: dict[tuple[int, int, int], int] = {}

    def free(self, kind: int, group: int, row: int, column: int, *, shared: bool = False) -> None:
        number = self._shared.setdefault((kind, row, column), self._n_free) if shared else self._n_free
        self._n_free += number == self._n_free
        self.entries.append((kind, group, row, column, number, 0.0))

    def fix(self, kind: int, group: int, row: int, column: int, value: float) -> None:
        self.entries.append((kind, group, row, column, -1, value))


def parameter_table(
    model: FactorModel,
    n_groups: int,
    *,
    mean_structure: bool,
    equal: frozenset[Equality] = frozenset(),
    identification: Identification = "marker",
) -> ParameterTable:
    """The parameters of a model in one or several groups.

    ``identification="marker"`` fixes the loading of each factor's first item at 1; ``"variance"`` fixes each factor's
    variance at 1, in the first group only where loadings are equal. With equal intercepts the factor means of the
    groups after the first are free.
    """
    builder = _Builder()
    for group in range(n_groups):
        _add_loadings(builder, model, group, "loadings" in equal, identification)
        _add_covariances(builder, model, group, "loadings" in equal, identification)
        _add_residuals(builder, model, group, "residuals" in equal)
        if mean_structure:
            for item in range(len(model.items)):
                builder.free(INTERCEPT, group, item, item, shared="intercepts" in equal)
            if group and "intercepts" in equal:
                direct = len(model.latents) if model.structure == "bifactor" else len(model.factors)
                for factor in range(direct):
                    builder.free(MEAN, group, factor, factor)
    entries = np.array(builder.entries)
    kind, group_of, row, column, free = entries[:, :5].T.astype(np.intp)
    return ParameterTable(
        kind=kind,
        group=group_of,
        row=row,
        column=column,
        free=free,
        fixed=entries[:, 5].copy(),
        n_items=len(model.items),
        n_latents=len(model.latents),
        n_groups=n_groups,
        mean_structure=mean_structure,
    )


def _add_loadings(builder: _Builder, model: FactorModel, group: int, shared: bool, identification: str) -> None:
    blocks = list(model.blocks)
    if model.structure == "bifactor":
        blocks.append(tuple(range(len(model.items))))
    for factor, block in enumerate(blocks):
        for rank, item in enumerate(block):
            if identification == "marker" and not rank:
                builder.fix(LOADING, group, item, factor, 1.0)
            else:
                builder.free(LOADING, group, item, factor, shared=shared)
    if model.structure == "second_order":
        for factor in range(len(model.factors)):
            if identification == "marker" and not factor:
                builder.fix(REGRESSION, group, factor, len(model.factors), 1.0)
            else:
                builder.free(REGRESSION, group, factor, len(model.factors), shared=shared)


def _add_covariances(builder: _Builder, model: FactorModel, group: int, shared: bool, identification: str) -> None:
    for factor in range(len(model.latents)):
        if identification == "variance" and not (shared and group):
            builder.fix(COVARIANCE, group, factor, factor, 1.0)
        else:
            builder.free(COVARIANCE, group, factor, factor)
    if model.structure == "correlated":
        for first in range(len(model.factors)):
            for second in range(first + 1, len(model.factors)):
                builder.free(COVARIANCE, group, first, second)


def _add_residuals(builder: _Builder, model: FactorModel, group: int, shared: bool) -> None:
    alone = {block[0] for block in model.blocks if len(block) == 1}
    for item in range(len(model.items)):
        if item in alone and model.is_simple:
            builder.fix(RESIDUAL, group, item, item, 0.0)  # one item cannot show its error
        else:
            builder.free(RESIDUAL, group, item, item, shared=shared)
    for first, second in model.residual_covariances:
        builder.free(RESIDUAL, group, first, second)


def with_markers(model: FactorModel, matrices: Matrices) -> Matrices | None:
    """The same model with each factor in the units of its first item; None where a first item does not load."""
    scale = np.ones(len(model.latents))
    blocks = list(model.blocks)
    if model.structure == "bifactor":
        blocks.append(tuple(range(len(model.items))))
    for factor, block in enumerate(blocks):
        scale[factor] = matrices.loadings[block[0], factor]
    if model.structure == "second_order":
        scale[-1] = scale[0] * matrices.regressions[0, -1]
    if np.abs(scale).min() < 1e-6 or not np.isfinite(scale).all():
        return None
    return Matrices(
        loadings=matrices.loadings / scale,
        regressions=matrices.regressions * scale[:, None] / scale,
        covariances=matrices.covariances * np.outer(scale, scale),
        residuals=matrices.residuals,
        intercepts=matrices.intercepts,
        means=matrices.means * scale,
    )


def with_variances(matrices: Matrices, units: FloatArray | None = None) -> Matrices | None:
    """The same model with factors, or what a second-order factor leaves of them, of variance 1.

    ``units``: standard deviations to divide the factors by, where those of another group count. None where a variance
    is not above 0.
    """
    own = np.diag(matrices.covariances)
    if units is None and not (own > 0).all():
        return None
    scale = np.sqrt(own) if units is None else units
    return Matrices(
        loadings=matrices.loadings * scale,
        regressions=matrices.regressions * scale / scale[:, None],
        covariances=matrices.covariances / np.outer(scale, scale),
        residuals=matrices.residuals,
        intercepts=matrices.intercepts,
        means=matrices.means / scale,
    )


def refuse_too_many_parameters(table: ParameterTable, n_moments: int) -> int:
    """Degrees of freedom; InsufficientDataError where the model has more parameters than the items have moments."""
    df = n_moments - table.n_free
    if df < 0:
        raise InsufficientDataError(
            f"The model has {table.n_free} free parameters, but {table.n_items} items give only {n_moments} variances, "
            "covariances and means: give each factor at least 3 items, or join factors."
        )
    return df
