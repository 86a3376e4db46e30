"""Exploratory factor analysis: which items move together, by minres or maximum likelihood, rotated."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import (
    CorrelationKind,
    Correlations,
    correlations,
    item_index,
    refuse_singular,
    singular_items,
)
from servicediag.psychometrics._factor_extraction import FLOOR, Extraction, ExtractionMethod, extract
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_number,
    check_choice,
    check_count,
    check_number,
    name_list,
)
from servicediag.psychometrics._moments import DroppedItem, Missing
from servicediag.psychometrics._rotation import Normalization, Rotated, RotationMethod, rotate
from servicediag.psychometrics.polychoric import Categories

__all__ = ["ExploratoryFactorAnalysis", "exploratory_factor_analysis"]

_STATISTIC = "Exploratory factor analysis"


@dataclass(frozen=True, repr=False)
class ExploratoryFactorAnalysis(Result):
    """Common factors of some items.

    Attributes
    ----------
    n_factors, n_items, n_respondents, n_dropped : int
    method : {"minres", "ml"}
    rotation : {"oblimin", "varimax", "promax", "none"}
    normalization : {"kaiser", "none"}
        Whether items were brought to equal communality for the rotation.
    correlation : {"pearson", "polychoric"}
    items : tuple
        Items that count.
    dropped_items : tuple of DroppedItem
    heywood_items : tuple
        Items whose unique variance ran to 0; the search holds it at .005.
    converged : bool
        Of the extraction and of the rotation.
    notes : tuple of str
    """

    n_factors: int
    n_items: int
    n_respondents: int
    n_dropped: int
    method: ExtractionMethod
    rotation: RotationMethod
    normalization: Normalization
    correlation: CorrelationKind
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    heywood_items: tuple[Hashable, ...]
    converged: bool
    notes: tuple[str, ...]
    _rotated: Rotated = field(repr=False, compare=False)
    _extraction: Extraction = field(repr=False, compare=False)
    _known: Correlations = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("n_factors", "method", "rotation", "n_items", "n_respondents", "converged")

    @property
    def loadings(self) -> pd.DataFrame:
        """Pattern loadings, items x factors: the factors' regression weights for the standardised items."""
        return self._by_factor(self._rotated.loadings)

    @property
    def structure(self) -> pd.DataFrame:
        """Correlations of items with factors, items x factors."""
        return self._by_factor(self._rotated.loadings @ self._rotated.factor_correlations)

    @property
    def factor_correlations(self) -> pd.DataFrame:
        """Correlations of the factors; the identity for orthogonal rotations."""
        names = self._factor_names
        return pd.DataFrame(self._rotated.factor_correlations, index=names, columns=names)

    @property
    def uniquenesses(self) -> pd.Series:
        """Share of each item's variance that the factors do not explain."""
        return pd.Series(self._extraction.uniquenesses, index=item_index(self.items), name="uniqueness")

    @property
    def communalities(self) -> pd.Series:
        """Share of each item's variance that the factors explain."""
        return pd.Series(1 - self._extraction.uniquenesses, index=item_index(self.items), name="communality")

    @property
    def variance(self) -> pd.DataFrame:
        """Rows factor: sum_of_squares, proportion of the items' variance, cumulative."""
        pattern, phi = self._rotated.loadings, self._rotated.factor_correlations
        explained = np.diag(phi @ pattern.T @ pattern)
        table = {"sum_of_squares": explained, "proportion": explained / self.n_items}
        frame = pd.DataFrame(table, index=self._factor_names)
        return frame.assign(cumulative=frame["proportion"].cumsum())

    @property
    def residuals(self) -> pd.DataFrame:
        """Observed minus implied correlations, items x items, 0 on the diagonal."""
        names = item_index(self.items)
        return pd.DataFrame(self._residual_matrix(), index=names, columns=names.rename(None))

    @property
    def fit(self) -> pd.Series:
        """How well the correlations are reproduced.

        Returns
        -------
        Series
            chi_square (Bartlett's correction), df, p, rmsea, rmsea_low, rmsea_high (90 %), tli, rmsr (root mean square
            of the off-diagonal residuals). For minres, chi-square is the likelihood discrepancy at that solution, as
            is usual; all but rmsr are NaN without degrees of freedom or where correlations cannot be inverted.
        """
        return pd.Series(_fit(self._known, self._implied(), self.n_factors, self._residual_matrix()), name="fit")

    def sorted_loadings(self, cut: float = 0.0) -> pd.DataFrame:
        """The pattern matrix, items grouped by the factor they load on most and sorted by that loading.

        Parameters
        ----------
        cut : float
            Smaller loadings are left blank (NaN); 0 to 1.
        """
        cut = check_number("cut", cut, 0.0, 1.0)
        order = self._order()
        frame = self.loadings.iloc[order]
        return frame.where(frame.abs() >= cut)

    def to_frame(self) -> pd.DataFrame:
        """The sorted pattern matrix with communality, uniqueness and complexity (Hofmann 1978), index item."""
        pattern = self._rotated.loadings
        squares = pattern**2
        with np.errstate(invalid="ignore", divide="ignore"):
            complexity = squares.sum(axis=1) ** 2 / (squares**2).sum(axis=1)
        frame = self.loadings.assign(
            communality=self.communalities, uniqueness=self.uniquenesses, complexity=complexity
        )
        return frame.iloc[self._order()]

    def describe(self) -> str:
        """One sentence in APA style."""
        name = "Minimum-residual" if self.method == "minres" else "Maximum-likelihood"
        turned = "unrotated" if self.rotation == "none" else f"{self.rotation} rotation"
        total = float(self.variance["proportion"].sum())
        sentence = (
            f"{name} factor analysis of {self.n_items} items ({turned}, n = {self.n_respondents}): {self.n_factors} "
            f"factor{'s' if self.n_factors > 1 else ''} explained {100 * total:.0f}% of the variance, "
            f"RMSR = {apa_number(float(self.fit['rmsr']), 3)}."
        )
        return " ".join([sentence, *self.notes])

    def plot(self) -> Any:
        """Heatmap of the sorted pattern matrix, an altair chart."""
        from servicediag.psychometrics._factor_charts import loading_heatmap

        return loading_heatmap(self.sorted_loadings())

    def plot_residuals(self) -> Any:
        """Heatmap of the residual correlations, an altair chart."""
        from servicediag.psychometrics._factor_charts import residual_heatmap

        return residual_heatmap(self.residuals.iloc[self._order(), self._order()])

    @property
    def _factor_names(self) -> pd.Index:
        return pd.Index([f"factor_{j + 1}" for j in range(self.n_factors)], name="factor")

    def _by_factor(self, values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(values, index=item_index(self.items), columns=self._factor_names.rename(None))

    def _order(self) -> list[int]:
        size = np.abs(self._rotated.loadings)
        strongest = size.argmax(axis=1)
        return sorted(range(self.n_items), key=lambda i: (strongest[i], -size[i, strongest[i]]))

    def _implied(self) -> FloatArray:
        loadings = self._extraction.loadings
        implied: FloatArray = loadings @ loadings.T
        np.fill_diagonal(implied, np.diag(implied) + self._extraction.uniquenesses)
        return implied

    def _residual_matrix(self) -> FloatArray:
        residual: FloatArray = self._known.matrix - self._implied()
        np.fill_diagonal(residual, 0.0)
        return residual


def exploratory_factor_analysis(
    items: pd.DataFrame,
    n_factors: int,
    *,
    method: ExtractionMethod = "minres",
    rotation: RotationMethod = "oblimin",
    normalization: Normalization | None = None,
    correlation: CorrelationKind = "pearson",
    missing: Missing = "listwise",
    categories: Categories | None = None,
    n_starts: int = 1,
    seed: int = 0,
) -> ExploratoryFactorAnalysis:
    """Common factors of the items' correlations.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        At least 3 items.
    n_factors : int
        1 to ``n_items - 1``; see :func:`parallel_analysis`.
    method : {"minres", "ml"}
        Least squares of the off-diagonal correlations, or maximum likelihood.
    rotation : {"oblimin", "varimax", "promax", "none"}
        Oblimin with gamma 0 (quartimin); promax with power 4.
    normalization : {"kaiser", "none"}, optional
        Default: ``"kaiser"`` for varimax and promax, ``"none"`` for oblimin.
    correlation : {"pearson", "polychoric"}
    missing : {"listwise", "pairwise"}
    categories : optional
        For polychoric correlations, see :func:`polychoric_correlation`.
    n_starts, seed : int
        Oblimin starts from the unrotated factors and from varimax; more than 1 adds random starts against local minima.

    Returns
    -------
    ExploratoryFactorAnalysis
        Factors in the order of the variance they explain, each with loadings that sum to at least 0; no item is
        turned.

    Raises
    ------
    InsufficientDataError
        Fewer than 3 items that vary, too few respondents, or, for ``ml``, correlations that cannot be inverted.
    ValueError
        ``n_factors`` is not below the number of items, or a choice is unknown.

    Notes
    -----
    Minres: Harman & Jones (1966) [1]_. Maximum likelihood: Joreskog (1967) [2]_. Oblimin by gradient projection:
    Jennrich (2002) [3]_. Unique variances are kept at .005 or above; an item that is held there is named.

    References
    ----------
    .. [1] Harman, H. H., & Jones, W. H. (1966). Psychometrika, 31, 351-368.
    .. [2] Joreskog, K. G. (1967). Psychometrika, 32, 443-482.
    .. [3] Jennrich, R. I. (2002). Psychometrika, 67, 7-20.

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> first, second = generator.normal(size=(2, 200, 1))
    >>> answers = np.hstack([first + generator.normal(size=(200, 3)), second + generator.normal(size=(200, 3))])
    >>> result = exploratory_factor_analysis(pd.DataFrame(answers, columns=list("abcdef")), 2)
    >>> sorted(result.sorted_loadings(cut=0.4).dropna(how="all")["factor_1"].dropna().index)
    ['a', 'b', 'c']
    """
    check_choice("method", method, get_args(ExtractionMethod))
    check_choice("rotation", rotation, get_args(RotationMethod))
    if normalization is None:
        normalization = "kaiser" if rotation in ("varimax", "promax") else "none"
    check_choice("normalization", normalization, get_args(Normalization))
    n_factors = check_count("n_factors", n_factors, 1)
    known = correlations(
        items,
        statistic=_STATISTIC,
        correlation=correlation,
        missing=missing,
        categories=categories,
        minimum_items=3,
    )
    n_starts, seed = check_count("n_starts", n_starts, 1), check_count("seed", seed, 0)
    return analyse(known, n_factors, method, rotation, normalization, n_starts=n_starts, seed=seed)


def analyse(
    known: Correlations,
    n_factors: int,
    method: ExtractionMethod,
    rotation: RotationMethod,
    normalization: Normalization,
    *,
    n_starts: int = 1,
    seed: int = 0,
) -> ExploratoryFactorAnalysis:
    """The analysis of correlations that are known."""
    if n_factors >= known.n_items:
        raise ValueError(f"n_factors must be below the {known.n_items} items that vary, not {n_factors}")
    if method == "ml":
        refuse_singular(known, "Maximum-likelihood factor analysis")
    off = known.matrix[np.triu_indices(known.n_items, 1)]
    if not np.abs(off).max() > 1e-12:
        raise InsufficientDataError(f"{_STATISTIC}: no two of the {known.n_items} items correlate; there is no factor.")
    extraction = extract(known.matrix, n_factors, method, thorough=True)
    rotated = rotate(extraction.loadings, rotation, normalization, n_starts=n_starts, seed=seed)
    heywood = tuple(known.items[i] for i in np.flatnonzero(extraction.heywood))
    return ExploratoryFactorAnalysis(
        n_factors=n_factors,
        n_items=known.n_items,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        method=method,
        rotation=rotation,
        normalization=normalization,
        correlation=known.kind,
        items=known.items,
        dropped_items=known.dropped_items,
        heywood_items=heywood,
        converged=extraction.converged and rotated.converged,
        notes=_notes(known, n_factors, extraction, rotated, heywood),
        _rotated=rotated,
        _extraction=extraction,
        _known=known,
    )


def _notes(
    known: Correlations, m: int, extraction: Extraction, rotated: Rotated, heywood: tuple[Hashable, ...]
) -> tuple[str, ...]:
    notes = list(known.notes)
    fault = singular_items(known.matrix, known.items)
    if fault and known.kind == "pearson":
        notes.append(f"The correlations cannot be inverted: {fault}.")
    if heywood:
        notes.append(
            f"Heywood case: the unique variance of {name_list(heywood)} ran to 0 (limit of the search: {FLOOR}). Too "
            "many factors, a repeated item, or a small sample."
        )
    if _degrees(known.n_items, m) < 0:
        notes.append(f"{m} factors of {known.n_items} items are not identified: other loadings fit as well.")
    if not extraction.converged:
        notes.append("The extraction did not converge.")
    if extraction.n_best < extraction.n_starts:
        notes.append(
            f"The search ended in different solutions; the best one, which {extraction.n_best} of "
            f"{extraction.n_starts} starts reached, is shown. {m} factors hardly stand out in these answers."
        )
    if not rotated.converged:
        notes.append("The rotation did not converge.")
    return tuple(notes)


def _degrees(k: int, m: int) -> int:
    return ((k - m) ** 2 - (k + m)) // 2


def _fit(known: Correlations, implied: FloatArray, m: int, residual: FloatArray) -> dict[str, float]:
    k, n = known.n_items, known.n_smallest
    df = _degrees(k, m)
    names = ("chi_square", "df", "p", "rmsea", "rmsea_low", "rmsea_high", "tli")
    values: dict[str, float] = dict.fromkeys(names, math.nan)
    values["df"] = df
    off = residual[np.triu_indices(k, 1)]
    values["rmsr"] = float(np.sqrt((off**2).mean()))
    sign, log_observed = np.linalg.slogdet(known.matrix)
    sign_implied, log_implied = np.linalg.slogdet(implied)
    factor = n - 1 - (2 * k + 5) / 6 - 2 * m / 3
    if df <= 0 or factor <= 0 or min(sign, sign_implied) <= 0 or singular_items(known.matrix, known.items):
        return values
    discrepancy = float(np.trace(np.linalg.solve(implied, known.matrix)) - k + log_implied - log_observed)
    chi_square = max(factor * discrepancy, 0.0)
    values["chi_square"] = chi_square
    values.update(_tests(chi_square, df, n))
    baseline_df = k * (k - 1) / 2
    baseline = -(n - 1 - (2 * k + 5) / 6) * log_observed / baseline_df
    values["tli"] = float((baseline - chi_square / df) / (baseline - 1)) if baseline > 1 else math.nan
    return values


def _tests(chi_square: float, df: int, n: int) -> dict[str, float]:
    """p, and the root mean square error of approximation with its 90 % interval (Steiger 1990)."""
    from scipy.special import chdtrc, chndtrinc

    limits = {}
    for name, probability in (("rmsea_low", 0.95), ("rmsea_high", 0.05)):
        central = 1 - float(chdtrc(df, chi_square))
        # Without any noncentrality the value is already less likely to be exceeded than wanted.
        excess = float(chndtrinc(chi_square, df, probability)) if central > probability else 0.0
        limits[name] = math.sqrt(max(excess, 0.0) / (df * (n - 1)))
    rmsea = math.sqrt(max(chi_square - df, 0.0) / (df * (n - 1)))
    return {"p": float(chdtrc(df, chi_square)), "rmsea": rmsea, **limits}
