"""Hierarchical and total omega: how much of a total score one general factor explains, by Schmid and Leiman."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import CorrelationKind, Correlations, correlations, item_index
from servicediag.psychometrics._factor_extraction import ExtractionMethod, extract
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_number,
    check_choice,
    check_count,
    check_level,
    name_list,
)
from servicediag.psychometrics._moments import DroppedItem, Missing, Moments
from servicediag.psychometrics._resampling import CovarianceSums, PairwiseSums, Progress, bootstrap_interval
from servicediag.psychometrics._rotation import rotate
from servicediag.psychometrics.factors import ExploratoryFactorAnalysis, analyse
from servicediag.psychometrics.polychoric import Categories
from servicediag.results import ConfidenceInterval

__all__ = ["OmegaHierarchical", "omega_hierarchical"]

_STATISTIC = "Hierarchical omega"
_JACKKNIFE = 200  # groups of respondents left out for the acceleration of BCa


@dataclass(frozen=True)
class _Recipe:
    """What is needed to estimate both omegas anew from other correlations."""

    n_factors: int
    method: ExtractionMethod
    second_order: Literal["estimated", "equal"]
    moments: Moments | None

    def from_covariances(self, covariances: FloatArray, coefficient: Literal["hierarchical", "total"]) -> FloatArray:
        """One of the omegas for B covariance matrices, shape (B,); NaN where it cannot be estimated."""
        values = np.full(len(covariances), math.nan)
        for at, covariance in enumerate(covariances):
            own = np.sqrt(np.diag(covariance))
            if not (own > 0).all():
                continue
            matrix = covariance / np.outer(own, own)
            total = float(matrix.sum())
            fit = extract(matrix, self.n_factors, self.method)
            if not fit.converged or total <= 1e-12 * len(matrix):
                continue
            if coefficient == "total":
                values[at] = 1 - float(fit.uniquenesses.sum()) / total
                continue
            rotated = rotate(fit.loadings, "oblimin", "none")
            if rotated.converged:
                second, _ = _second_order(rotated.factor_correlations, self.second_order)
                values[at] = float((rotated.loadings @ second).sum()) ** 2 / total
        return values


@dataclass(frozen=True, repr=False)
class OmegaHierarchical(Result):
    """Omega of a total score over several group factors under one general factor.

    Attributes
    ----------
    hierarchical : float
        Share of the variance of the sum of the standardised items that the general factor explains.
    total : float
        Share that all common factors explain.
    asymptotic : float
        ``hierarchical / total``: what hierarchical omega tends to with ever more such items.
    standardized_alpha : float
    explained_common_variance : float
        Share of the common variance that is due to the general factor (ECV).
    general_h : float
        Hancock and Mueller's H: how well the items define the general factor.
    uncontaminated_correlations : float
        Share of the correlations that are between items of different groups (PUC).
    n_factors, n_items, n_respondents, n_dropped : int
    correlation : {"pearson", "polychoric"}
    items : tuple
    dropped_items : tuple of DroppedItem
    negative_items : tuple
        Items with a negative loading on the general factor; nothing was turned.
    heywood_items : tuple
    identified : bool
        Whether so many factors of so few items have one solution.
    notes : tuple of str
    """

    hierarchical: float
    total: float
    asymptotic: float
    standardized_alpha: float
    explained_common_variance: float
    general_h: float
    uncontaminated_correlations: float
    n_factors: int
    n_items: int
    n_respondents: int
    n_dropped: int
    correlation: CorrelationKind
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    negative_items: tuple[Hashable, ...]
    heywood_items: tuple[Hashable, ...]
    identified: bool
    notes: tuple[str, ...]
    _general: FloatArray = field(repr=False, compare=False)
    _groups: FloatArray = field(repr=False, compare=False)
    _uniquenesses: FloatArray = field(repr=False, compare=False)
    _matrix: FloatArray = field(repr=False, compare=False)
    _second_order: FloatArray = field(repr=False, compare=False)
    _recipe: _Recipe = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("hierarchical", "total", "n_factors", "n_items", "n_respondents", "identified")

    @property
    def loadings(self) -> pd.DataFrame:
        """Schmid-Leiman loadings, items x (general, group_1, ...); the factors are uncorrelated."""
        columns = ["general", *self._group_names]
        return pd.DataFrame(
            np.column_stack([self._general, self._groups]), index=item_index(self.items), columns=columns
        )

    @property
    def uniquenesses(self) -> pd.Series:
        """Share of each item's variance that no common factor explains."""
        return pd.Series(self._uniquenesses, index=item_index(self.items), name="uniqueness")

    @property
    def second_order_loadings(self) -> pd.Series:
        """Loadings of the group factors on the general factor."""
        return pd.Series(self._second_order, index=pd.Index(self._group_names, name="factor"), name="loading")

    @property
    def groups(self) -> pd.DataFrame:
        """Rows general and each group: n_items, omega_total, omega_general, omega_group, h.

        For a group these are of the sum of the items that load on it most: what the general factor and the group's own
        factor explain, each of the two, and H of that factor. In the first row ``omega_group`` adds up the groups.
        """
        strongest = np.abs(self._groups).argmax(axis=1)
        variance = float(self._matrix.sum())
        rows, own_parts = [], 0.0
        for j in range(self.n_factors):
            members = np.flatnonzero(strongest == j)
            own = float(self._groups[members, j].sum()) ** 2
            own_parts += own
            rows.append(self._group_row(members, own, self._groups[members, j]))
        whole = {
            "n_items": self.n_items,
            "omega_total": self.total,
            "omega_general": self.hierarchical,
            "omega_group": own_parts / variance,
            "h": self.general_h,
        }
        return pd.DataFrame([whole, *rows], index=pd.Index(["general", *self._group_names], name="factor"))

    def confidence_interval(
        self,
        level: float = 0.95,
        method: Literal["percentile", "bca"] = "percentile",
        *,
        coefficient: Literal["hierarchical", "total"] = "hierarchical",
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> ConfidenceInterval:
        """Interval by resampling respondents; factors, rotation and general factor are estimated anew each time.

        Parameters
        ----------
        level : float
        method : {"percentile", "bca"}
        coefficient : {"hierarchical", "total"}
            Which omega.
        n_resamples, seed, progress
            Number of resamples (at least 10), start of the random numbers, callback (done, total). 2,000 resamples of
            9 items in 3 groups take some 15 seconds.

        Returns
        -------
        ResampledInterval
            ``n_failed`` counts the resamples in which the factors were not found.

        Raises
        ------
        InsufficientDataError
            Most resamples failed.
        ValueError
            Omega of polychoric correlations, for which no interval is offered.

        References
        ----------
        Kelley & Pornprasertmanit (2016), Psychological Methods, 21, 69-92.
        """
        level = check_level(level)
        check_choice("method", method, ("percentile", "bca"))
        check_choice("coefficient", coefficient, ("hierarchical", "total"))
        recipe, known = self._recipe, self._recipe.moments
        if known is None:
            raise ValueError(f"correlation={self.correlation!r} has no interval here; see categorical_omega")
        answers = known.answers("An interval by resampling")

        def value(covariances: FloatArray) -> FloatArray:
            return recipe.from_covariances(covariances, coefficient)

        sums = CovarianceSums(answers, value) if known.missing == "listwise" else PairwiseSums(answers, value)
        return bootstrap_interval(
            sums,
            getattr(self, coefficient),
            level=level,
            method=method,
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
            n_jackknife=_JACKKNIFE,
        )

    def to_frame(self) -> pd.DataFrame:
        """The Schmid-Leiman loadings with communality, uniqueness and the general factor's share, index item."""
        frame = self.loadings
        common = (frame**2).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = self._general**2 / common.to_numpy()
        return frame.assign(communality=common, uniqueness=self._uniquenesses, general_share=share)

    def describe(self) -> str:
        """One sentence in APA style."""
        sentence = (
            f"Hierarchical omega was {apa_number(self.hierarchical)} and total omega {apa_number(self.total)} "
            f"(Schmid-Leiman, {self.n_factors} group factors, {self.n_items} items, n = {self.n_respondents}); the "
            f"general factor held {100 * self.explained_common_variance:.0f}% of the common variance."
        )
        return " ".join([sentence, *self.notes])

    @property
    def _group_names(self) -> list[str]:
        return [f"group_{j + 1}" for j in range(self.n_factors)]

    def _group_row(self, members: npt.NDArray[np.intp], own: float, loadings: FloatArray) -> dict[str, float]:
        variance = float(self._matrix[np.ix_(members, members)].sum()) if len(members) else math.nan
        if not variance > 0:
            names = ("omega_total", "omega_general", "omega_group", "h")
            return {"n_items": len(members), **dict.fromkeys(names, math.nan)}
        by_general = float(self._general[members].sum()) ** 2 / variance
        return {
            "n_items": len(members),
            "omega_total": by_general + own / variance,
            "omega_general": by_general,
            "omega_group": own / variance,
            "h": _h_index(loadings),
        }


def omega_hierarchical(
    items: pd.DataFrame,
    *,
    n_factors: int = 3,
    method: ExtractionMethod = "minres",
    second_order: Literal["estimated", "equal"] = "estimated",
    correlation: CorrelationKind = "pearson",
    missing: Missing = "listwise",
    categories: Categories | None = None,
) -> OmegaHierarchical:
    """Hierarchical and total omega from a Schmid-Leiman solution of oblique factors.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Reverse-keyed items already turned; nothing is turned here.
    n_factors : int
        Group factors. 3 is a default, not a finding; see :func:`parallel_analysis`.
    method : {"minres", "ml"}
        How the group factors are extracted; they are rotated by oblimin without normalisation.
    second_order : {"estimated", "equal"}
        Two group factors have one correlation, from which two loadings on a general factor cannot be told: there
        ``"equal"`` loadings must be asked for.
    correlation : {"pearson", "polychoric"}
        With polychoric correlations omega is that of hypothetical continuous answers.
    missing : {"listwise", "pairwise"}
    categories : optional
        For polychoric correlations.

    Returns
    -------
    OmegaHierarchical

    Raises
    ------
    InsufficientDataError
        Too few items, respondents or no correlations.
    ValueError
        Fewer than 2 factors, 2 without ``second_order="equal"``, or not fewer than items.

    Notes
    -----
    The correlations of the oblique factors are given one second-order factor; its effects on the items are the general
    loadings (Schmid & Leiman 1957 [1]_). Hierarchical omega is the squared sum of these over the sum of all
    correlations, total omega 1 minus the sum of uniquenesses over the same (Zinbarg et al. 2005 [2]_). ECV, H and PUC
    as in Rodriguez, Reise & Haviland (2016) [3]_.

    References
    ----------
    .. [1] Schmid, J., & Leiman, J. M. (1957). Psychometrika, 22, 53-61.
    .. [2] Zinbarg, R. E., Revelle, W., Yovel, I., & Li, W. (2005). Psychometrika, 70, 123-133.
    .. [3] Rodriguez, A., Reise, S. P., & Haviland, M. G. (2016). Psychological Methods, 21, 137-150.

    Examples
    --------
    >>> generator = np.random.default_rng(3)
    >>> general = generator.normal(size=(400, 1))
    >>> parts = [general + generator.normal(size=(400, 1)) + generator.normal(size=(400, 3)) for _ in range(3)]
    >>> result = omega_hierarchical(pd.DataFrame(np.hstack(parts)))
    >>> round(result.hierarchical, 1), round(result.total, 1)
    (0.7, 0.9)
    """
    check_choice("second_order", second_order, ("estimated", "equal"))
    check_choice("method", method, ("minres", "ml"))
    n_factors = check_count("n_factors", n_factors, 2)
    if n_factors == 2 and second_order != "equal":
        raise ValueError("n_factors=2 does not identify a general factor; use 3, or ask for second_order='equal'")
    known = correlations(
        items,
        statistic=_STATISTIC,
        correlation=correlation,
        missing=missing,
        categories=categories,
        minimum_items=3,
    )
    total = float(known.matrix.sum())
    if total <= 1e-12 * known.n_items:
        raise InsufficientDataError(f"{_STATISTIC}: the sum of the standardised items does not vary; check the keying.")
    oblique = analyse(known, n_factors, method, "oblimin", "none")
    second, notes = _second_order(oblique.factor_correlations.to_numpy(), second_order)
    recipe = _Recipe(n_factors, method, second_order, known.moments)
    return _assemble(known, oblique, second, notes, recipe)


def _assemble(
    known: Correlations,
    oblique: ExploratoryFactorAnalysis,
    second: FloatArray,
    notes: list[str],
    recipe: _Recipe,
) -> OmegaHierarchical:
    pattern, unique = oblique.loadings.to_numpy(), oblique.uniquenesses.to_numpy()
    k, total = known.n_items, float(known.matrix.sum())
    general: FloatArray = pattern @ second
    groups: FloatArray = pattern * np.sqrt(np.maximum(1 - second**2, 0.0))
    negative = tuple(known.items[i] for i in np.flatnonzero(general < 0))
    if negative:
        notes.append(f"Negative general loadings: {name_list(negative)}. Nothing was turned; check the keying.")
    hierarchical, all_common = float(general.sum()) ** 2 / total, 1 - float(unique.sum()) / total
    common = float((general**2).sum())
    sizes = np.bincount(np.abs(groups).argmax(axis=1), minlength=oblique.n_factors)
    pairs = k * (k - 1) / 2
    return OmegaHierarchical(
        hierarchical=hierarchical,
        total=all_common,
        asymptotic=hierarchical / all_common if all_common > 0 else math.nan,
        standardized_alpha=k / (k - 1) * (1 - k / total),
        explained_common_variance=common / (common + float((groups**2).sum())),
        general_h=_h_index(general),
        uncontaminated_correlations=1 - float((sizes * (sizes - 1) / 2).sum()) / pairs,
        n_factors=oblique.n_factors,
        n_items=k,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        correlation=known.kind,
        items=known.items,
        dropped_items=known.dropped_items,
        negative_items=negative,
        heywood_items=oblique.heywood_items,
        identified=(k - oblique.n_factors) ** 2 >= k + oblique.n_factors,
        notes=(*oblique.notes, *notes),
        _general=general,
        _groups=groups,
        _uniquenesses=unique,
        _matrix=known.matrix,
        _second_order=second,
        _recipe=recipe,
    )


def _second_order(phi: FloatArray, kind: Literal["estimated", "equal"]) -> tuple[FloatArray, list[str]]:
    """Loadings of the group factors on the general factor, and what is doubtful about them."""
    m = len(phi)
    off = phi[np.triu_indices(m, 1)]
    if kind == "equal":
        mean = float(off.mean())
        notes = ["The group factors were given equal loadings on the general factor."]
        if mean < 0:
            notes.append("They correlate negatively, so there is no general factor.")
        return np.full(m, math.sqrt(max(mean, 0.0))), notes
    notes = []
    if not np.abs(off).max() > 1e-12:
        return np.zeros(m), ["The group factors do not correlate, so there is no general factor."]
    fit = extract(phi, 1, "minres")
    loadings = fit.loadings[:, 0]
    if fit.heywood.any():
        names = name_list([f"group_{j + 1}" for j in np.flatnonzero(fit.heywood)])
        notes.append(f"Heywood case of the second order: the general factor coincides with {names}.")
    if not fit.converged:
        notes.append("The second-order factor did not converge.")
    if (off < 0).any():
        notes.append("Some group factors correlate negatively, which speaks against a general factor.")
    return np.clip(loadings, -1.0, 1.0), notes


def _h_index(loadings: FloatArray) -> float:
    """Construct replicability (Hancock & Mueller 2001); 1 where an item is the factor itself."""
    squares = loadings**2
    if (squares >= 1).any():
        return 1.0
    odds = float((squares / (1 - squares)).sum())
    return odds / (1 + odds)
