"""Confirmatory factor analysis of ordered answers: a stated structure fitted to polychoric correlations."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import singular_items
from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_level, name_list
from servicediag.psychometrics._polychoric_solver import cell_influence, solve_pairs, thresholds_of
from servicediag.psychometrics._structure_engine import slopes
from servicediag.psychometrics._structure_model import (
    COVARIANCE,
    KINDS,
    LOADING,
    REGRESSION,
    RESIDUAL,
    FactorModel,
    IntArray,
    LatentStructure,
    Matrices,
    ParameterTable,
    factor_model,
    parameter_table,
)
from servicediag.psychometrics.polychoric import (
    Categories,
    OrdinalAnswers,
    cross_tables,
    ordinal_answers,
    pearson_starts,
)

__all__ = ["OrdinalConfirmatoryFactorAnalysis", "OrdinalFit", "ordinal_confirmatory_factor_analysis"]

_STATISTIC = "Confirmatory factor analysis of ordered answers"
_ITERATIONS = 500
_ROWS = 2048


@dataclass(frozen=True, repr=False)
class OrdinalFit(Result):
    """Fit of a structure to polychoric correlations, by a chi-square with the right mean and variance.

    Attributes
    ----------
    chi_square : float
        Adjusted in mean and variance (scaled and shifted; Asparouhov & Muthen 2010).
    df : int
    p : float
    cfi, tli, rmsea : float
        Of the adjusted chi-squares.
    srmr : float
        Root mean square of the residual correlations, the items' own with 0 among them, as for answers as measurements.
    unadjusted_chi_square : float
        Weighted sum of squares, for comparison only: it does not follow a chi-square distribution.
    scaling_factor, shift : float
        The adjusted one is the unadjusted one over the factor plus the shift.
    baseline_chi_square : float
        Adjusted, of the model in which items are unrelated.
    baseline_df, n_respondents : int
    """

    chi_square: float
    df: int
    p: float
    cfi: float
    tli: float
    rmsea: float
    srmr: float
    unadjusted_chi_square: float
    scaling_factor: float
    shift: float
    baseline_chi_square: float
    baseline_df: int
    n_respondents: int

    _shown: ClassVar[tuple[str, ...]] = ("chi_square", "df", "p", "cfi", "tli", "rmsea", "srmr")

    def to_frame(self) -> pd.DataFrame:
        """One row with every index."""
        return pd.DataFrame([vars(self)])

    def describe(self) -> str:
        """The indices in APA style."""
        chance = ""
        if not math.isnan(self.p):
            chance = ", p < .001" if self.p < 0.001 else f", p = {apa_number(self.p, 3)}"
        return (
            f"adjusted chi-square({self.df}) = {self.chi_square:.2f}{chance}, CFI = {apa_number(self.cfi, 3)}, "
            f"TLI = {apa_number(self.tli, 3)}, RMSEA = {apa_number(self.rmsea, 3)}, "
            f"SRMR = {apa_number(self.srmr, 3)}, n = {self.n_respondents}."
        )


@dataclass(frozen=True, repr=False)
class OrdinalConfirmatoryFactorAnalysis(Result):
    """A factor model of the normal variables that are thought to lie behind ordered answers.

    Attributes
    ----------
    fit : OrdinalFit
    structure : {"correlated", "orthogonal", "second_order", "bifactor"}
    items, factors : tuple
    n_respondents, n_dropped : int
    converged : bool
    heywood_items : tuple
        Items of which the factors explain all variance or more.
    notes : tuple of str
    """

    fit: OrdinalFit
    structure: LatentStructure
    items: tuple[Hashable, ...]
    factors: tuple[Hashable, ...]
    n_respondents: int
    n_dropped: int
    converged: bool
    heywood_items: tuple[Hashable, ...]
    notes: tuple[str, ...]
    _model: FactorModel = field(repr=False, compare=False)
    _table: ParameterTable = field(repr=False, compare=False)
    _entries: IntArray = field(repr=False, compare=False)
    _matrices: Matrices = field(repr=False, compare=False)
    _errors: FloatArray = field(repr=False, compare=False)
    _polychoric: FloatArray = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("n_respondents", "n_dropped", "structure", "converged", "fit")

    @property
    def loadings(self) -> pd.DataFrame:
        """Standardised loadings, items x factors."""
        names = pd.Index(list(self._model.latents), tupleize_cols=False, name="factor")
        spread = np.sqrt(np.diag(self._matrices.factor_covariance))
        return pd.DataFrame(self._matrices.loadings * spread, index=self._item_index, columns=names)

    @property
    def factor_correlations(self) -> pd.DataFrame:
        """Correlations of the factors that the model implies."""
        names = pd.Index(list(self._model.latents), tupleize_cols=False, name="factor")
        own = np.sqrt(np.diag(self._matrices.factor_covariance))
        matrix = self._matrices.factor_covariance / np.outer(own, own)
        return pd.DataFrame(matrix, index=names, columns=names)

    @property
    def residuals(self) -> pd.DataFrame:
        """Polychoric minus implied correlations, items x items."""
        difference = self._polychoric - self._matrices.covariance
        np.fill_diagonal(difference, 0.0)
        return pd.DataFrame(difference, index=self._item_index, columns=self._item_index)

    @property
    def _item_index(self) -> pd.Index:
        return pd.Index(list(self.items), tupleize_cols=False, name="item")

    def to_frame(self, *, level: float = 0.95) -> pd.DataFrame:
        """A row a free parameter: kind, from, to, estimate, standard_error, z, p, ci_low, ci_high.

        Items have variance 1, and so have the factors, or what a second-order factor leaves of them. Standard errors
        are robust; NaN where not converged.
        """
        from scipy.special import ndtr, ndtri

        level = check_level(level)
        table, rows = self._table, []
        for entry, error in zip(self._entries, self._errors, strict=True):
            kind, row, column = int(table.kind[entry]), int(table.row[entry]), int(table.column[entry])
            estimate = self._matrices.at(kind, row, column)
            source, target = self._ends(kind, row, column)
            z, half = estimate / error if error > 0 else math.nan, -float(ndtri((1 - level) / 2)) * error
            chance = 2 * float(ndtr(-abs(z)))
            rows.append((KINDS[kind], source, target, estimate, error, z, chance, estimate - half, estimate + half))
        columns = ["kind", "from", "to", "estimate", "standard_error", "z", "p", "ci_low", "ci_high"]
        return pd.DataFrame(rows, columns=columns)

    def _ends(self, kind: int, row: int, column: int) -> tuple[Hashable, Hashable]:
        latents = self._model.latents
        if kind == LOADING:
            return latents[column], self.items[row]
        if kind == RESIDUAL:
            return self.items[row], self.items[column]
        return (latents[column], latents[row]) if kind == REGRESSION else (latents[row], latents[column])

    def describe(self) -> str:
        """The fit in APA style, and what to know about it."""
        what = "One factor" if len(self.factors) == 1 else f"{len(self.factors)} factors"
        return " ".join([f"{what} for {len(self.items)} ordered items: {self.fit.describe()}", *self.notes])


def ordinal_confirmatory_factor_analysis(
    items: pd.DataFrame,
    model: Mapping[Any, Sequence[Any]],
    *,
    categories: Categories | None = None,
    structure: LatentStructure = "correlated",
    general: Hashable = "general",
    residual_covariances: Sequence[tuple[Hashable, Hashable]] = (),
) -> OrdinalConfirmatoryFactorAnalysis:
    """Fit a stated factor structure to ordered answers by diagonally weighted least squares (WLSMV).

    For items with few or lopsided categories, where :func:`confirmatory_factor_analysis` takes the codes for
    measurements and makes loadings too small.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Keyed ordered answers; columns that the model does not name take no part. Rows with a missing answer are left
        out and counted.
    model, structure, general, residual_covariances
        As in :func:`confirmatory_factor_analysis`.
    categories : optional
        See :func:`polychoric_correlation`.

    Returns
    -------
    OrdinalConfirmatoryFactorAnalysis
        A solution that did not converge or is improper is marked in ``converged``, ``heywood_items`` and ``notes``.

    Raises
    ------
    InsufficientDataError
        An item that does not vary, too few respondents, a pair of items whose correlation runs to -1 or 1, or a model
        that its items cannot identify.
    ValueError, TypeError
        An impossible model, unknown items, or answers outside the categories.

    Notes
    -----
    Polychoric correlations in two steps; each residual correlation is weighted by the inverse of its sampling variance
    [1]_. Standard errors are robust, and chi-square is scaled and shifted so that its mean and variance are right
    [2]_. The thresholds are left free. Its indices are not those of answers as measurements, and the usual values for
    those are too lenient here (Xia & Yang 2019). Chi-square and standard errors divide by n - 1, as lavaan does here.

    References
    ----------
    .. [1] Muthen, B., du Toit, S. H. C., & Spisic, D. (1997). Robust inference using weighted least squares.
    .. [2] Asparouhov, T., & Muthen, B. (2010). Simple second order chi-square correction.

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> level = np.repeat(generator.normal(size=(500, 2)), 3, axis=1) + generator.normal(size=(500, 6))
    >>> answers = pd.DataFrame(np.digitize(level, [-1, 0, 1]), columns=list("abcdef"))
    >>> result = ordinal_confirmatory_factor_analysis(answers, {"one": list("abc"), "two": list("def")})
    >>> result.fit.df, result.converged, bool(result.fit.cfi > 0.95)
    (8, True, True)
    >>> result.loadings.round(1).loc["a"].tolist()
    [0.7, 0.0]
    """
    if not isinstance(items, pd.DataFrame):
        raise TypeError(f"items must be a DataFrame (respondents x items), not {type(items).__name__}")
    if not items.columns.is_unique:
        twice = items.columns[items.columns.duplicated()].unique()
        raise ValueError(f"items has more than one column named {name_list(twice)}; give each its own name")
    stated = factor_model(
        model, items.columns, structure=structure, general=general, residual_covariances=residual_covariances
    )
    alone = [factor for factor, block in zip(stated.factors, stated.blocks, strict=True) if len(block) == 1]
    if alone:
        raise ValueError(f"model gives {name_list(alone)} one item, of which no error can be told; give at least 2")
    chosen = items.loc[:, list(stated.items)]
    known = ordinal_answers(chosen, categories, "listwise", statistic=_STATISTIC, minimum_items=3)
    if known.dropped_items:
        raise InsufficientDataError(
            f"{_STATISTIC} needs items that vary; {name_list(known.dropped_items)}. Leave them out of the model."
        )
    if len(known.codes) <= len(known.items):
        raise InsufficientDataError(
            f"{_STATISTIC} needs more respondents than its {len(known.items)} items, and there are {len(known.codes)} "
            f"({known.n_dropped} left out for missing answers)."
        )
    return _fitted(stated, known, _targets(known))


@dataclass(frozen=True)
class _Targets:
    """Correlations below the diagonal, their weights, and their sampling covariance times n."""

    matrix: FloatArray
    first: IntArray
    second: IntArray
    observed: FloatArray
    weights: FloatArray
    spread: FloatArray


def _targets(known: OrdinalAnswers) -> _Targets:
    tables, counts = cross_tables(known)
    limits = thresholds_of(counts)
    first, second = np.triu_indices(len(known.items), 1)
    fit = solve_pairs(tables, limits[first], limits[second], pearson_starts(tables))
    stuck = [f"{known.items[first[p]]} and {known.items[second[p]]}" for p in np.flatnonzero(fit.at_limit)]
    if stuck:
        raise InsufficientDataError(
            f"{_STATISTIC}: the correlation of {name_list(stuck)} runs to -1 or 1, since no respondent falls into some "
            "of their combinations. Join categories, or leave one of them out."
        )
    influence = cell_influence(tables, limits[first], limits[second], fit.rho, expected=False)
    n, spread = len(known.codes), np.zeros((len(first), len(first)))
    for start in range(0, n, _ROWS):
        codes = known.codes[start : start + _ROWS]
        rows = influence[np.arange(len(first)), codes[:, first], codes[:, second]]
        spread += rows.T @ rows
    matrix = np.eye(len(known.items))
    matrix[first, second] = matrix[second, first] = fit.rho
    variances = np.diag(spread) / n
    if not (np.isfinite(variances).all() and (variances > 0).all()):
        raise InsufficientDataError(f"{_STATISTIC}: the correlations have no standard errors; too few respondents.")
    return _Targets(matrix, first, second, fit.rho, 1 / variances, spread / n)


def _fitted(model: FactorModel, known: OrdinalAnswers, targets: _Targets) -> OrdinalConfirmatoryFactorAnalysis:
    table = parameter_table(model, 1, mean_structure=False, identification="variance")
    entries = np.flatnonzero((table.free >= 0) & ~((table.kind == RESIDUAL) & (table.row == table.column)))
    df = len(targets.observed) - len(entries)
    if df < 0:
        raise InsufficientDataError(
            f"The model has {len(entries)} free parameters, but {len(model.items)} items give only "
            f"{len(targets.observed)} correlations: give each factor at least 3 items, or join factors."
        )
    values, converged = _search(model, table, entries, targets)
    place = _place(table, entries, values)
    delta = _delta(table, entries, place, targets)
    information = delta.T @ (targets.weights[:, None] * delta)
    if np.linalg.cond(information) > 1e12:
        raise InsufficientDataError(
            f"{_STATISTIC}: the answers leave parameters of this model open. Give each factor at least 3 items of its "
            "own, or a simpler structure."
        )
    inverse = np.linalg.inv(information)
    pull = inverse @ (delta.T * targets.weights)
    n = len(known.codes)
    errors = np.sqrt(np.diag(pull @ targets.spread @ pull.T) / (n - 1))
    share = np.diag(place.loadings @ place.factor_covariance @ place.loadings.T)
    heywood = tuple(model.items[i] for i in np.flatnonzero(share >= 1).tolist())
    return OrdinalConfirmatoryFactorAnalysis(
        fit=_fit(targets, place, delta, pull, df, n, converged),
        structure=model.structure,
        items=model.items,
        factors=model.factors,
        n_respondents=n,
        n_dropped=known.n_dropped,
        converged=converged,
        heywood_items=heywood,
        notes=_notes(model, known, targets, place, heywood, converged, df),
        _model=model,
        _table=table,
        _entries=entries,
        _matrices=place,
        _errors=errors if converged else np.full(len(errors), math.nan),
        _polychoric=targets.matrix,
    )


def _place(table: ParameterTable, entries: IntArray, values: FloatArray) -> Matrices:
    """Matrices with these values; residual variances as left of items of variance 1."""
    parameters = np.zeros(table.n_free)
    parameters[table.free[entries]] = values
    place = table.matrices(parameters)[0]
    common = np.diag(place.loadings @ place.factor_covariance @ place.loadings.T)
    np.fill_diagonal(place.residuals, 1 - common)
    return place


def _delta(table: ParameterTable, entries: IntArray, place: Matrices, targets: _Targets) -> FloatArray:
    """Derivatives of the implied correlations by the free entries."""
    slope = slopes(place, table.kind[entries], table.row[entries], table.column[entries])
    first, second = targets.first, targets.second
    result: FloatArray = slope.u[first] * slope.v[second] + slope.v[first] * slope.u[second]
    return result


def _start(model: FactorModel, table: ParameterTable, entries: IntArray, targets: _Targets) -> FloatArray:
    """Loadings from the mean correlation of an item with the others of its factor."""
    values = np.zeros(len(entries))
    own = targets.matrix - np.eye(len(targets.matrix))
    by_general = model.structure in ("bifactor", "second_order")
    for at, entry in enumerate(entries):
        kind, row, column = table.kind[entry], table.row[entry], table.column[entry]
        if kind == LOADING:
            block = list(model.blocks[column]) if column < len(model.blocks) else list(range(len(own)))
            related = float(own[row, block].sum()) / max(len(block) - 1, 1)
            values[at] = np.clip(math.copysign(math.sqrt(abs(related)), related), -0.8, 0.8)
            values[at] *= 0.7 if by_general else 1.0
        elif kind == REGRESSION:
            values[at] = 0.7
        elif kind == COVARIANCE:
            block = own[np.ix_(model.blocks[row], model.blocks[column])]
            values[at] = np.clip(1.5 * block.mean(), -0.7, 0.7)
    return values


def _search(model: FactorModel, table: ParameterTable, entries: IntArray, targets: _Targets) -> tuple[FloatArray, bool]:
    """Gauss-Newton, damped where a step does not help (Levenberg-Marquardt)."""
    values = _start(model, table, entries, targets)
    first, second = targets.first, targets.second

    def misfit(at: FloatArray) -> tuple[float, FloatArray, Matrices]:
        place = _place(table, entries, at)
        away = targets.observed - place.covariance[first, second]
        return float(targets.weights @ away**2), away, place

    value, away, place = misfit(values)
    damping = 0.0
    for _ in range(_ITERATIONS):
        delta = _delta(table, entries, place, targets)
        weighted = delta * targets.weights[:, None]
        information, slope = delta.T @ weighted, weighted.T @ away
        scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
        scaled = information / np.outer(scale, scale) + (damping + 1e-12) * np.eye(len(scale))
        step = np.linalg.solve(scaled, slope / scale) / scale
        reached = misfit(values + step)
        if np.abs(step).max(initial=0.0) < 1e-10 and damping < 1e-6:
            return values, True
        if np.isfinite(reached[0]) and reached[0] <= value * (1 + 1e-14):
            values = values + step
            value, away, place = reached
            damping /= 10
        else:
            damping = max(10 * damping, 1e-3)
        if np.abs(values).max(initial=0.0) > 1e3 or damping > 1e12:
            break
    return values, False


def _fit(
    targets: _Targets, place: Matrices, delta: FloatArray, pull: FloatArray, df: int, n: int, converged: bool
) -> OrdinalFit:
    from scipy.special import chdtrc

    away = targets.observed - place.covariance[targets.first, targets.second]
    weights, baseline_df = targets.weights, len(targets.observed)
    removed = np.diag(weights) - (weights[:, None] * delta) @ pull
    model = _adjusted(removed @ targets.spread, float(weights @ away**2), df, n)
    baseline = _adjusted(weights[:, None] * targets.spread, float(weights @ targets.observed**2), baseline_df, n)
    chi_square, plain, factor, shift = model if converged else (math.nan,) * 4
    excess, room = max(chi_square - df, 0.0), max(baseline[0] - baseline_df, chi_square - df, 0.0)
    tli = math.nan
    if df and baseline[0] != baseline_df:
        tli = 1 - (chi_square - df) / (baseline[0] - baseline_df) * baseline_df / df
    return OrdinalFit(
        chi_square=chi_square,
        df=df,
        p=float(chdtrc(df, chi_square)) if df and converged else math.nan,
        cfi=math.nan if not converged else 1 - excess / room if room else 1.0,
        tli=tli,
        rmsea=math.nan if not converged else math.sqrt(excess / ((n - 1) * df)) if df else 0.0,
        srmr=math.sqrt(float((away**2).sum()) / (len(away) + len(targets.matrix))) if converged else math.nan,
        unadjusted_chi_square=plain,
        scaling_factor=factor,
        shift=shift,
        baseline_chi_square=baseline[0],
        baseline_df=baseline_df,
        n_respondents=n,
    )


def _adjusted(product: FloatArray, discrepancy: float, df: int, n: int) -> tuple[float, float, float, float]:
    """Scaled and shifted chi-square, the plain one, and by what it was scaled and shifted."""
    plain = (n - 1) * discrepancy
    if not df:
        return plain, plain, 1.0, 0.0
    mean, square = float(np.trace(product)), float((product * product.T).sum())
    factor = math.sqrt(square / df)
    shift = df - mean / factor
    return plain / factor + shift, plain, factor, shift


def _notes(
    model: FactorModel,
    known: OrdinalAnswers,
    targets: _Targets,
    place: Matrices,
    heywood: tuple[Hashable, ...],
    converged: bool,
    df: int,
) -> tuple[str, ...]:
    notes = []
    if not converged:
        notes.append("No convergence: the numbers are those of the last step and no estimates.")
    if heywood:
        notes.append(f"Improper solution (Heywood case): the factors explain all of {name_list(heywood)} or more.")
    own = place.covariances - np.diag(np.diag(place.covariances))
    high = [f"{model.latents[i]} and {model.latents[j]}" for i, j in np.argwhere(np.triu(np.abs(own) >= 1))]
    if high:
        notes.append(f"Improper solution: the correlation of {name_list(high)} is not inside -1 and 1.")
    turned = [
        model.items[i]
        for factor, block in enumerate(model.blocks)
        for i in block
        if place.loadings[i, factor] * place.loadings[list(block), factor].sum() < 0
    ]
    if turned:
        notes.append(f"Loadings against the rest of their factor: {name_list(turned)}; check the keying.")
    fault = singular_items(targets.matrix, known.items)
    if fault:
        notes.append(f"The polychoric correlations are not positive definite: {fault}.")
    if not df:
        notes.append("The model has no degrees of freedom: it fits whatever the answers are, so the fit says nothing.")
    if known.n_dropped:
        notes.append(f"{known.n_dropped} respondents were left out for missing answers.")
    return tuple(notes)
