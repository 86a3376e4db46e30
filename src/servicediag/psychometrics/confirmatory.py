"""Confirmatory factor analysis by maximum likelihood: does a stated structure reproduce the answers, and where not."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.psychometrics._frames import FloatArray, Result, check_choice, check_level, name_list
from servicediag.psychometrics._resampling import Progress
from servicediag.psychometrics._structure_data import MissingAnswers, study
from servicediag.psychometrics._structure_fit import Candidates, Solution, fit_structure, score_tests
from servicediag.psychometrics._structure_indices import (
    FitIndices,
    correlation_residuals,
    fit_indices,
    undefined_fit,
)
from servicediag.psychometrics._structure_model import (
    COVARIANCE,
    INTERCEPT,
    KINDS,
    LOADING,
    MEAN,
    REGRESSION,
    RESIDUAL,
    FactorModel,
    Identification,
    LatentStructure,
    factor_model,
)
from servicediag.psychometrics._structure_reading import solution_notes, standardized_values, standardized_variances
from servicediag.psychometrics._structure_steps import Steps

if TYPE_CHECKING:
    from servicediag.psychometrics._structure_robust import RobustFit, RobustMethod

__all__ = ["ConfirmatoryFactorAnalysis", "confirmatory_factor_analysis", "result_of"]

StandardErrors = Literal["normal", "satorra_bentler", "yuan_bentler"]
_STATISTIC = "Confirmatory factor analysis"


@dataclass(frozen=True, repr=False)
class ConfirmatoryFactorAnalysis(Result):
    """A fitted factor model.

    Attributes
    ----------
    fit : FitIndices
        chi_square, df, p, cfi, tli, rmsea with its 90 % limits and close-fit p, srmr; NaN where not converged.
    structure : {"correlated", "orthogonal", "second_order", "bifactor"}
    identification : {"marker", "variance"}
        What sets the units of the factors: their first items, or a variance of 1.
    missing : {"listwise", "fiml"}
    items, factors : tuple
    groups : tuple
        Labels of the groups in the order of the tables; empty without groups.
    n_respondents, n_dropped, n_incomplete : int
        Respondents that count, those left out, and those that count with some answers missing.
    group_sizes : tuple of int
    converged : bool
    n_iterations : int
    heywood_items : tuple
        Items whose residual variance was estimated at or below 0: an improper solution.
    notes : tuple of str
        What a reader should know: improper or open parameters, mixed signs, no convergence.
    """

    fit: FitIndices
    structure: LatentStructure
    identification: Identification
    missing: MissingAnswers
    items: tuple[Hashable, ...]
    factors: tuple[Hashable, ...]
    groups: tuple[Hashable, ...]
    n_respondents: int
    n_dropped: int
    n_incomplete: int
    group_sizes: tuple[int, ...]
    converged: bool
    n_iterations: int
    heywood_items: tuple[Hashable, ...]
    notes: tuple[str, ...]
    _solution: Solution = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("n_respondents", "n_dropped", "structure", "converged", "fit")

    # ------------------------------------------------------------------------------------------------- matrices

    @property
    def loadings(self) -> pd.DataFrame:
        """Loadings in the answers' units, items x factors (with groups: group and item x factors)."""
        return self._table(LOADING, self._values(), self.items, self._latents)

    @property
    def standardized_loadings(self) -> pd.DataFrame:
        """Loadings of standardised items on standardised factors, items x factors."""
        return self._table(LOADING, standardized_values(self._solution), self.items, self._latents)

    @property
    def second_order_loadings(self) -> pd.DataFrame:
        """Standardised loadings of the factors on the second-order factor; empty columns for other structures."""
        general = self._latents[len(self.factors) :] if self.structure == "second_order" else ()
        whole = self._table(REGRESSION, standardized_values(self._solution), self._latents, self._latents)
        chosen = [name[-1] in self.factors if self.groups else name in self.factors for name in whole.index]
        return whole.loc[chosen, list(general)].rename_axis(index={"item": "factor"})

    @property
    def factor_correlations(self) -> pd.DataFrame:
        """Correlations of the factors that the model implies, factors x factors."""
        return self._square([_correlation(place.factor_covariance) for place in self._solution.matrices], self._latents)

    @property
    def factor_covariances(self) -> pd.DataFrame:
        """Covariances of the factors that the model implies, in the units set by ``identification``."""
        units = self._solution.latent_units()
        covariances = [place.factor_covariance * np.outer(units, units) for place in self._solution.matrices]
        return self._square(covariances, self._latents)

    @property
    def residual_variances(self) -> pd.DataFrame:
        """Variance of each item that the factors leave: column ``variance``, and ``share`` of the item's variance."""
        frames = []
        for place in self._solution.matrices:
            own = np.diag(place.residuals)
            share = own / np.diag(place.covariance)
            variance = own * self._solution.study.scale**2
            frames.append(pd.DataFrame({"variance": variance, "share": share}, index=_index(self.items, "item")))
        return self._stacked(frames)

    @property
    def implied_covariance(self) -> pd.DataFrame:
        """Covariances of the items that the model implies, items x items."""
        scale = self._solution.study.scale
        return self._square(
            [place.covariance * np.outer(scale, scale) for place in self._solution.matrices], self.items, "item"
        )

    @property
    def residuals(self) -> pd.DataFrame:
        """Observed minus implied correlations, items x items: what the model leaves unexplained."""
        pairs = zip(self._solution.matrices, self._solution.study.samples, strict=True)
        return self._square([correlation_residuals(*pair) for pair in pairs], self.items, "item")

    @property
    def factor_means(self) -> pd.DataFrame:
        """Means of the factors, 0 in the first group; group x factors. Empty without groups."""
        units = self._solution.latent_units()
        rows = [place.total_effects @ place.means * units for place in self._solution.matrices]
        index = _index(self.groups, "group")
        return pd.DataFrame(rows if self.groups else [], index=index, columns=_index(self._latents, "factor"))

    @property
    def _latents(self) -> tuple[Hashable, ...]:
        return self._solution.model.latents

    def _values(self) -> FloatArray:
        multiply, add = self._solution.units()
        values: FloatArray = self._solution.table.values(self._solution.parameters) * multiply + add
        return values

    def _table(
        self, kind: int, values: FloatArray, rows: Sequence[Hashable], columns: Sequence[Hashable]
    ) -> pd.DataFrame:
        table = self._solution.table
        frames = []
        for group in range(table.n_groups):
            filled = np.zeros((len(rows), len(columns)))
            here = (table.kind == kind) & (table.group == group)
            filled[table.row[here], table.column[here]] = values[here]
            frames.append(pd.DataFrame(filled, index=_index(rows, "item"), columns=_index(columns, "factor")))
        return self._stacked(frames)

    def _square(self, matrices: Sequence[FloatArray], names: Sequence[Hashable], axis: str = "factor") -> pd.DataFrame:
        return self._stacked(
            [pd.DataFrame(m, index=_index(names, axis), columns=_index(names, axis)) for m in matrices]
        )

    def _stacked(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        if not self.groups:
            return frames[0]
        rows = frames[0].index
        whole = pd.concat(list(frames), ignore_index=True)
        groups = np.arange(len(self.groups))
        levels: list[Any] = [_index(self.groups, "group"), rows]
        whole.index = pd.MultiIndex(  # by its parts, since labels that are tuples would else become levels
            levels=levels,
            codes=[np.repeat(groups, len(rows)).tolist(), np.tile(np.arange(len(rows)), len(groups)).tolist()],
            names=["group", rows.name],
        )
        return whole

    # --------------------------------------------------------------------------------------------------- tables

    def to_frame(self, *, level: float = 0.95, standard_errors: StandardErrors = "normal") -> pd.DataFrame:
        """A row a parameter.

        Parameters
        ----------
        level : float
        standard_errors : {"normal", "satorra_bentler", "yuan_bentler"}
            ``normal``: for normal answers. The others allow for any: a sandwich of the expected information
            (``satorra_bentler``, which R calls MLM) or of the observed one (``yuan_bentler``, MLR; also with
            ``missing="fiml"``).

        Returns
        -------
        DataFrame
            ``group`` (with groups), ``kind``, ``from``, ``to``, ``estimate``, ``standard_error`` (NaN for fixed
            parameters and where the information is singular), ``z``, ``p``, ``ci_low``, ``ci_high`` (normal theory),
            ``standardized``, ``standardized_error`` (delta method).

        Raises
        ------
        InsufficientDataError
            Robust errors of a solution that did not converge, leaves parameters open, or rests on moments alone.
        """
        from scipy.special import ndtr, ndtri

        level = check_level(level)
        solution, table = self._with_errors(standard_errors), self._solution.table
        order = np.lexsort((table.kind, table.group))
        multiply, add = solution.units()
        estimate = (table.values(solution.parameters) * multiply + add)[order]
        variances = solution.entry_variances() if self.converged else None
        error = unknown = np.full(len(order), np.nan)
        if variances is not None:
            error = np.where(table.free >= 0, np.sqrt(variances) * multiply, np.nan)[order]
        with np.errstate(divide="ignore", invalid="ignore"):
            z = estimate / error
        half = -ndtri((1 - level) / 2) * error
        spread = standardized_variances(solution) if self.converged else None
        source, target = self._ends(order)
        columns: dict[str, Any] = {"group": [self.groups[g] for g in table.group[order]]} if self.groups else {}
        columns |= {
            "kind": [KINDS[kind] for kind in table.kind[order]],
            "from": source,
            "to": target,
            "estimate": estimate,
            "standard_error": error,
            "z": z,
            "p": 2 * ndtr(-np.abs(z)),
            "ci_low": estimate - half,
            "ci_high": estimate + half,
            "standardized": standardized_values(solution)[order],
            "standardized_error": unknown.copy() if spread is None else np.sqrt(spread)[order],
        }
        return pd.DataFrame(columns, copy=False)

    def _with_errors(self, kind: StandardErrors) -> Solution:
        check_choice("standard_errors", kind, get_args(StandardErrors))
        if kind == "normal":
            return self._solution
        from servicediag.psychometrics._structure_robust import robust_covariance

        return replace(self._solution, given=robust_covariance(self._solution, kind))

    def _ends(self, entries: npt.NDArray[np.intp]) -> tuple[list[Hashable], list[Hashable]]:
        """Names of what entries of the table lead from and to; means and intercepts come from nowhere."""
        table, p = self._solution.table, len(self.items)
        kind, row, column = table.kind[entries], table.row[entries], table.column[entries]
        names = (*self.items, *self._latents, "")
        upper = (kind == REGRESSION) | (kind == COVARIANCE) | (kind == MEAN)
        first = np.select([(kind == LOADING) | (kind == REGRESSION), kind == COVARIANCE], [p + column, p + row], row)
        first[(kind == INTERCEPT) | (kind == MEAN)] = -1
        second = np.where((kind == COVARIANCE) | (kind == RESIDUAL), column, row) + np.where(upper, p, 0)
        return [names[at] for at in first.tolist()], [names[at] for at in second.tolist()]

    def modification_indices(self, *, minimum: float = 0.0) -> pd.DataFrame:
        """What freeing one more parameter would change, largest first.

        Parameters
        ----------
        minimum : float
            Indices below this are left out.

        Returns
        -------
        DataFrame
            ``group`` (with groups), ``kind`` (``loading`` of an item on another factor, or ``residual_covariance`` of
            two items), ``from``, ``to``, ``modification_index`` (expected fall of chi-square, 1 df),
            ``expected_change`` in the answers' units, ``standardized_change``. Empty where not converged.

        Notes
        -----
        Score tests with the expected information (Sorbom 1989). A model changed by them fits this sample: confirm the
        change in another one (MacCallum, Roznowski & Necowitz 1992).
        """
        candidates = _candidates(self._solution.model, len(self.group_sizes))
        columns = ["kind", "from", "to", "modification_index", "expected_change", "standardized_change"]
        if not self.converged or not len(candidates.kind):
            return pd.DataFrame(columns=["group", *columns] if self.groups else columns)
        fall, change = score_tests(self._solution, candidates)
        units, standard = self._candidate_units(candidates)
        loading = candidates.kind == LOADING
        names = np.fromiter((*self.items, *self._latents), dtype=object)
        source = np.where(loading, candidates.column + len(self.items), candidates.row)
        frame = pd.DataFrame(
            {
                "kind": [KINDS[kind] for kind in candidates.kind],
                "from": names[source],
                "to": names[np.where(loading, candidates.row, candidates.column)],
                "modification_index": fall,
                "expected_change": change * units,
                "standardized_change": change * standard,
            }
        )
        if self.groups:
            frame.insert(0, "group", [self.groups[group] for group in candidates.group])
        kept = frame[(fall >= minimum) & np.isfinite(fall)]
        return kept.sort_values("modification_index", ascending=False, kind="stable").reset_index(drop=True)

    def _candidate_units(self, candidates: Candidates) -> tuple[FloatArray, FloatArray]:
        scale, latent_units = self._solution.study.scale, self._solution.latent_units()
        units, standard = np.ones(len(candidates.kind)), np.ones(len(candidates.kind))
        for group, place in enumerate(self._solution.matrices):
            item_spread = np.sqrt(np.diag(place.covariance))
            with np.errstate(invalid="ignore"):
                factor_spread = np.sqrt(np.diag(place.factor_covariance))
                residual_spread = np.sqrt(np.diag(place.residuals))
            here = candidates.group == group
            loading = here & (candidates.kind == LOADING)
            row, column = candidates.row[loading], candidates.column[loading]
            units[loading] = scale[row] / latent_units[column]
            standard[loading] = factor_spread[column] / item_spread[row]
            pair = here & (candidates.kind == RESIDUAL)
            row, column = candidates.row[pair], candidates.column[pair]
            units[pair] = scale[row] * scale[column]
            with np.errstate(divide="ignore"):
                standard[pair] = 1 / (residual_spread[row] * residual_spread[column])
        return units, standard

    # ----------------------------------------------------------------------------------------------- robust, looks

    def robust(self, method: RobustMethod = "satorra_bentler") -> RobustFit:
        """Chi-square and fit that allow for answers that are not normal.

        Parameters
        ----------
        method : {"satorra_bentler", "yuan_bentler"}
            ``satorra_bentler``: mean-adjusted chi-square (Satorra & Bentler 1994). ``yuan_bentler``: the variant of
            Yuan & Bentler (2000) that Mplus and lavaan give with MLR, also for incomplete answers.

        Raises
        ------
        InsufficientDataError
            The solution did not converge or leaves parameters open; Satorra and Bentler's of incomplete answers.
        """
        from servicediag.psychometrics._structure_robust import robust_fit

        return robust_fit(self._solution, self.fit, method)

    def describe(self) -> str:
        """The fit in APA style, and what to know about it."""
        shape = {
            "correlated": "correlated factors", "orthogonal": "uncorrelated factors",
            "second_order": "factors under a second-order factor", "bifactor": "factors beside a general factor",
        }[self.structure]  # fmt: skip
        what = "One factor" if len(self.factors) == 1 else f"{len(self.factors)} {shape}"
        groups = f" in {len(self.groups)} groups" if self.groups else ""
        sentence = f"{what} for {len(self.items)} items{groups}: {self.fit.describe()}"
        return " ".join([sentence, *self.notes])

    def plot(self) -> Any:
        """Heatmap of the residual correlations as an altair chart, one a group; blue: more than implied."""
        from servicediag.psychometrics._factor_charts import residual_heatmap, residual_heatmaps

        if not self.groups:
            return residual_heatmap(self.residuals)
        whole, k = self.residuals, len(self.items)
        parts = [whole.iloc[at * k : (at + 1) * k].droplevel("group") for at in range(len(self.groups))]
        return residual_heatmaps([(str(group), part) for group, part in zip(self.groups, parts, strict=True)])


def confirmatory_factor_analysis(
    items: object,
    model: Mapping[Any, Sequence[Any]],
    *,
    groups: object = None,
    structure: LatentStructure = "correlated",
    identification: Identification = "marker",
    missing: MissingAnswers = "listwise",
    mean_structure: bool | None = None,
    general: Hashable = "general",
    residual_covariances: Sequence[tuple[Hashable, Hashable]] = (),
    progress: Progress | None = None,
) -> ConfirmatoryFactorAnalysis:
    """Fit a stated factor structure by maximum likelihood.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Keyed answers; columns that the model does not name take no part.
    model : mapping
        ``{factor: [items]}``. The factor of a single item is that item without error.
    groups : Series, list or str, optional
        A group for each respondent, or the name of a column that holds it: the same structure in each, nothing held
        equal. Respondents without a group are left out.
    structure : {"correlated", "orthogonal", "second_order", "bifactor"}
        How the factors relate: freely; not at all; through one factor above them (at least 3 of them); or not at all
        beside one factor of all items.
    identification : {"marker", "variance"}
        Units of a factor: those of its first item, whose loading is 1, or a variance of 1. It changes no fit index and
        no standardised value. With markers the sign of a factor is that of its first item.
    missing : {"listwise", "fiml"}
        Respondents with a missing answer are left out and counted; or count with what they answered, by full
        information, which assumes that what is missing depends on what was answered only (Arbuckle 1996).
    mean_structure : bool, optional
        Whether item means are parameters: default only with groups or ``"fiml"``. It changes SRMR only.
    general : str
        Name of the general factor of a second-order or bifactor model.
    residual_covariances : sequence of pairs of items
        Items that share more than their factors, stated beforehand.
    progress : callable, optional
        Called with (steps done, steps there may be at most); it may raise to stop. With ``"fiml"`` and thousands of
        patterns of missing answers the fit takes seconds to minutes.

    Returns
    -------
    ConfirmatoryFactorAnalysis
        A solution that did not converge or is improper is marked in ``converged``, ``heywood_items`` and ``notes``.

    Raises
    ------
    InsufficientDataError
        Too few respondents, an item that does not vary, items that repeat each other, or a model that its items
        cannot identify.
    ValueError, TypeError
        An impossible model, unknown items or choices, answers that are no numbers.

    Notes
    -----
    Covariances are divided by N and chi-square is N times the discrepancy. Standard errors come from the expected
    information; with incomplete answers from the observed one. Negative variances are shown, not repaired.

    References
    ----------
    Joreskog (1969), Psychometrika, 34, 183-202. Bollen (1989), Structural Equations with Latent Variables. Brown
    (2015), Confirmatory Factor Analysis for Applied Research, 2nd ed.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> generator = np.random.default_rng(1)
    >>> factors = generator.normal(size=(400, 2)) @ np.array([[1, 0.4], [0, 0.9]])
    >>> noise = generator.normal(size=(400, 6))
    >>> answers = pd.DataFrame(np.repeat(factors, 3, axis=1) + noise, columns=list("abcdef"))
    >>> result = confirmatory_factor_analysis(answers, {"one": ["a", "b", "c"], "two": ["d", "e", "f"]})
    >>> result.fit.df, result.converged, bool(result.fit.cfi > 0.95)
    (8, True, True)
    >>> result.standardized_loadings.round(1).loc["a"].tolist()
    [0.7, 0.0]
    """
    check_choice("identification", identification, get_args(Identification))
    check_choice("missing", missing, get_args(MissingAnswers))
    if not isinstance(items, (pd.DataFrame, np.ndarray)) or np.ndim(items) != 2:
        raise TypeError(f"items must be a DataFrame (respondents x items), not {type(items).__name__}")
    if mean_structure is False and (groups is not None or missing == "fiml"):
        raise ValueError("mean_structure=False is for complete answers of one group; leave it out")
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(items)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise ValueError(f"items has more than one column named {name_list(twice)}; give each its own name")
    stated = factor_model(
        model, frame.columns, structure=structure, general=general, residual_covariances=residual_covariances
    )
    steps = Steps(progress)
    known = study(
        frame,
        stated.items,
        groups=group_labels(frame, groups, stated),
        missing=missing,
        mean_structure=bool(mean_structure) or groups is not None or missing == "fiml",
        statistic=_STATISTIC,
        steps=steps,
    )
    solution = fit_structure(stated, known, identification=identification, statistic=_STATISTIC, steps=steps)
    result = result_of(solution, missing, identification)
    steps.end()
    return result


def group_labels(frame: pd.DataFrame, groups: object, model: FactorModel) -> object:
    """The groups themselves, where a column of the answers was named."""
    if not isinstance(groups, str):
        return groups
    if groups not in frame.columns or groups in model.items:
        raise ValueError(f"groups={groups!r} is no column of items beside those of model: {name_list(frame.columns)}")
    return frame[groups]


def result_of(
    solution: Solution, missing: MissingAnswers, identification: Identification = "marker"
) -> ConfirmatoryFactorAnalysis:
    """The public result of a fitted model."""
    known, model = solution.study, solution.model
    negative = {
        model.items[i]
        for place in solution.matrices
        for i in np.flatnonzero(np.diag(place.residuals) <= 0).tolist()
        if (i,) not in model.blocks
    }
    heywood = tuple(item for item in model.items if item in negative)
    labels = tuple(sample.label for sample in known.samples)
    notes = solution_notes(solution, heywood)
    if identification != solution.identification:
        notes += (f"These units of the factors do not exist here; they are set by {solution.identification}.",)
    return ConfirmatoryFactorAnalysis(
        fit=fit_indices(solution) if solution.converged else undefined_fit(solution),
        structure=model.structure,
        identification=solution.identification,
        missing=missing,
        items=model.items,
        factors=model.factors,
        groups=() if labels == (None,) else labels,
        n_respondents=known.n,
        n_dropped=known.n_dropped,
        n_incomplete=known.n_incomplete,
        group_sizes=tuple(sample.n for sample in known.samples),
        converged=solution.converged,
        n_iterations=solution.minimum.n_iterations,
        heywood_items=heywood,
        notes=notes,
        _solution=solution,
    )


def _candidates(model: FactorModel, n_groups: int) -> Candidates:
    """Loadings on other factors, and covariances of residuals."""
    places = []
    for factor, block in enumerate(model.blocks):
        places += [(LOADING, item, factor) for item in range(len(model.items)) if item not in block]
    alone = {block[0] for block in model.blocks if len(block) == 1}
    for first in range(len(model.items)):
        for second in range(first + 1, len(model.items)):
            if (first, second) not in model.residual_covariances and not {first, second} & alone:
                places.append((RESIDUAL, first, second))
    one = np.array(places, dtype=np.intp).reshape(-1, 3)
    whole = np.tile(one, (n_groups, 1))
    group = np.repeat(np.arange(n_groups, dtype=np.intp), len(one))
    return Candidates(whole[:, 0], group, whole[:, 1], whole[:, 2])


def _index(names: Sequence[Hashable], axis: str) -> pd.Index:
    return pd.Index(list(names), tupleize_cols=False, name=axis)


def _correlation(covariance: FloatArray) -> FloatArray:
    own = np.diag(covariance)
    spread = np.sqrt(np.where(own > 0, own, math.nan))  # no correlation with a factor of negative variance
    result: FloatArray = covariance / np.outer(spread, spread)
    diagonal = np.arange(len(own))
    result[diagonal, diagonal] = np.where(own > 0, 1.0, math.nan)
    return result
