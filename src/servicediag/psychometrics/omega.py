"""McDonald's omega of one common factor, fitted by maximum likelihood to the covariance matrix, with its intervals."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    EstimateResult,
    FloatArray,
    apa_interval,
    apa_number,
    check_choice,
    check_level,
    holding,
    name_list,
    printed_method,
)
from servicediag.psychometrics._moments import (
    DroppedItem,
    Missing,
    Moments,
    moments,
    moments_from_covariance,
)
from servicediag.psychometrics._one_factor import (
    fit_one_factor,
    fit_one_factor_from_starts,
    refine_one_factor,
)
from servicediag.psychometrics._resampling import CovarianceSums, PairwiseSums, Progress, bootstrap_interval
from servicediag.psychometrics.alpha import alpha_variance
from servicediag.psychometrics.benchmarks_rules import Coefficient
from servicediag.results import ConfidenceInterval

__all__ = [
    "McDonaldOmega",
    "OmegaDenominator",
    "OmegaInterval",
    "mcdonald_omega",
    "omega_from_covariance",
    "omega_from_moments",
    "omega_without_each_item",
]

OmegaDenominator = Literal["observed", "model"]
OmegaInterval = Literal["delta", "percentile", "bca", "bootstrap"]
_DENOMINATORS = ("observed", "model")
_METHODS = ("delta", "percentile", "bca", "bootstrap")
_STATISTIC = "McDonald's omega"


@dataclass(frozen=True, repr=False)
class McDonaldOmega(EstimateResult):
    """McDonald's omega of the sum of some items that share one factor.

    Attributes
    ----------
    estimate : float
        Share of the variance of the sum that the factor explains.
    denominator : {"observed", "model"}
        Variance of the sum: of the answers, or as the model implies it.
    n_items, n_respondents, n_dropped, n_smallest : int
        Items and respondents that count, respondents left out for missing answers, and fewest respondents behind
        any covariance.
    missing : {"listwise", "pairwise"}
    items : tuple
        Items that count.
    dropped_items : tuple of DroppedItem
        Constant items, which take no part, and why.
    heywood_items : tuple
        Items whose unique variance was estimated at 0, the edge of what is possible.
    negative_items : tuple
        Items with a negative loading.
    standard_error : float
        By the delta method; NaN where the model is not identified.
    notes : tuple of str
        What a reader should know.
    """

    estimate: float
    denominator: OmegaDenominator
    n_items: int
    n_respondents: int
    n_dropped: int
    n_smallest: int
    missing: Missing
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    heywood_items: tuple[Hashable, ...]
    negative_items: tuple[Hashable, ...]
    standard_error: float
    notes: tuple[str, ...]
    _solution: _Solution = field(repr=False, compare=False)
    _moments: Moments = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("estimate", "denominator", "n_items", "n_respondents", "n_dropped")
    _coefficient: ClassVar[Coefficient] = "reliability"

    @property
    def loadings(self) -> pd.DataFrame:
        """Loadings in the metric of the answers, shape (n_items, 1); factor variance 1.

        Maximum-likelihood estimates, so the answers' variances count with n in the denominator.
        """
        n = self._moments.n_respondents
        deviations = np.sqrt(np.diag(self._moments.covariance) * (n - 1) / n)
        return self._column(self._solution.loadings * deviations)

    @property
    def standardized_loadings(self) -> pd.DataFrame:
        """Loadings of the standardised items, shape (n_items, 1)."""
        return self._column(self._solution.loadings)

    @property
    def uniquenesses(self) -> pd.Series:
        """Share of each standardised item's variance that the factor does not explain."""
        names = pd.Index(self.items, tupleize_cols=False, name="item")
        return pd.Series(self._solution.uniquenesses, index=names, name="uniqueness")

    def _column(self, values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame({"factor": values}, index=pd.Index(self.items, tupleize_cols=False, name="item"))

    def confidence_interval(
        self,
        level: float = 0.95,
        method: OmegaInterval = "delta",
        *,
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> ConfidenceInterval:
        """Interval of omega.

        Parameters
        ----------
        level : float
            Between 0 and 1.
        method : {"delta", "bca", "percentile", "bootstrap"}
            ``delta``: normal theory, symmetric; the sampling error of the observed denominator is part of it.
            ``bca`` and ``percentile`` resample respondents and fit the model to each sample; ``bootstrap`` means
            ``bca``.
        n_resamples, seed, progress
            For resampling; ``progress(done, total)`` is called now and then.

        Returns
        -------
        ConfidenceInterval
            Not clamped to any range. A resampled one also carries ``n_resamples`` and ``n_failed``.

        Raises
        ------
        InsufficientDataError
            The model is not identified well enough for a standard error.

        References
        ----------
        Raykov (2002), Multivariate Behavioral Research, 37, 89-103. Kelley & Pornprasertmanit (2016), Psychological
        Methods, 21, 69-92, who advise ``bca`` with the observed denominator.
        """
        level = check_level(level)
        check_choice("method", method, _METHODS)
        if method == "delta":
            return self._delta(level)
        return bootstrap_interval(
            _omega_sums(self._moments, self._solution, self.denominator),
            self.estimate,
            level=level,
            method="percentile" if method == "percentile" else "bca",
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
            n_jackknife=400,
        )

    def _delta(self, level: float) -> ConfidenceInterval:
        from scipy.special import ndtri

        if math.isnan(self.standard_error):
            raise InsufficientDataError(
                f"{_STATISTIC}: the data do not identify every loading, so there is no standard error; "
                "use method='percentile', or leave out items that hardly correlate with the others."
            )
        reach = -float(ndtri((1 - level) / 2)) * self.standard_error
        label = "delta (smallest pairwise n)" if self.missing == "pairwise" else "delta"
        return holding(self.estimate - reach, self.estimate + reach, self.estimate, level=level, method=label)

    def to_frame(self, level: float = 0.95, method: OmegaInterval = "delta") -> pd.DataFrame:
        """One row: estimate, limits (NaN where the model is not identified), denominator and counts."""
        low = high = math.nan
        label: str = method
        if method != "delta" or not math.isnan(self.standard_error):
            interval = self.confidence_interval(level, method)
            low, high, label = interval.low, interval.high, interval.method
        row = {
            "estimate": self.estimate,
            "ci_low": low,
            "ci_high": high,
            "ci_level": check_level(level),
            "ci_method": label,
            "denominator": self.denominator,
            "n_items": self.n_items,
            "n_respondents": self.n_respondents,
            "n_dropped": self.n_dropped,
        }
        return pd.DataFrame([row], index=pd.Index(["mcdonald_omega"], name="coefficient"))

    def describe(self, level: float = 0.95, method: OmegaInterval = "delta") -> str:
        """One sentence in APA style, with the notes."""
        row = self.to_frame(level, method).iloc[0]
        interval = ConfidenceInterval(row.ci_low, row.ci_high, level=row.ci_level, method=row.ci_method)
        limits = f", {apa_interval(interval)} ({printed_method(row.ci_method)})" if not math.isnan(row.ci_low) else ""
        sentence = (
            f"McDonald's omega of {row.n_items} items (one factor, {row.denominator} variance) was "
            f"{apa_number(row.estimate)}{limits}, n = {row.n_respondents}."
        )
        return " ".join([sentence, *self.notes])


@dataclass(frozen=True)
class _Solution:
    """A fitted factor of the standardised items; NaN with two items of negative covariance."""

    loadings: FloatArray
    uniquenesses: FloatArray
    heywood: npt.NDArray[np.bool_]


def mcdonald_omega(
    items: pd.DataFrame, *, denominator: OmegaDenominator = "observed", missing: Missing = "listwise"
) -> McDonaldOmega:
    """McDonald's omega, the reliability of a sum score whose items share one factor.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Scored answers of one scale, reverse-keyed items already turned.
    denominator : {"observed", "model"}
        Variance of the sum: of the answers themselves, or as the fitted model implies it. They agree where the model
        fits; the observed one is safer where it does not [2]_.
    missing : {"listwise", "pairwise"}
        As for :func:`cronbach_alpha`.

    Returns
    -------
    McDonaldOmega
        Two items are fitted with equal loadings, where omega is alpha; three are just identified. Unique variances
        are not allowed below 0: an item held there is listed in ``heywood_items``. Negative loadings are kept as they
        are and listed.

    Raises
    ------
    InsufficientDataError
        Fewer than 2 items that vary, fewer than 2 respondents, a total score that does not vary, two items that are
        copies of each other, or pairwise covariances that no complete answers could give.
    ValueError
        Answers that are no numbers, or an unknown denominator or policy.

    Notes
    -----
    ``(sum of loadings)^2 / variance of the sum`` [1]_, loadings by maximum likelihood.

    References
    ----------
    .. [1] McDonald, R. P. (1999). Test theory: A unified treatment. Erlbaum.
    .. [2] Kelley, K., & Pornprasertmanit, S. (2016). Psychological Methods, 21, 69-92.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [3, 3, 3, 4, 2, 3, 4, 4, 2, 2], "q2": [3, 2, 3, 3, 3, 3, 4, 4, 3, 2],
    ...                         "q3": [1, 2, 4, 4, 3, 3, 3, 4, 2, 3]})
    >>> mcdonald_omega(answers)
    McDonaldOmega(estimate=0.702, denominator='observed', n_items=3, n_respondents=10, n_dropped=0)
    """
    check_choice("denominator", denominator, _DENOMINATORS)
    return omega_from_moments(moments(items, missing, statistic=_STATISTIC), denominator)


def omega_from_covariance(
    covariance: pd.DataFrame | FloatArray,
    n_respondents: int,
    *,
    denominator: OmegaDenominator = "observed",
    items: tuple[Hashable, ...] | None = None,
) -> McDonaldOmega:
    """McDonald's omega where only sums were kept.

    Parameters
    ----------
    covariance : DataFrame or ndarray, shape (n_items, n_items)
        ddof 1, of the respondents who answered every item. A DataFrame also names the items.
    n_respondents : int
        Respondents behind it.
    denominator : {"observed", "model"}
    items : tuple, optional
        Names of the items.

    Returns
    -------
    McDonaldOmega
        As from answers; intervals by resampling are refused with ValueError.

    Examples
    --------
    >>> import numpy as np
    >>> parallel = np.full((4, 4), 0.5) + 0.5 * np.eye(4)
    >>> round(omega_from_covariance(parallel, 100).estimate, 4)
    0.8
    """
    check_choice("denominator", denominator, _DENOMINATORS)
    known = moments_from_covariance(covariance, n_respondents, items=items, statistic=_STATISTIC)
    return omega_from_moments(known, denominator)


def omega_from_moments(known: Moments, denominator: OmegaDenominator = "observed") -> McDonaldOmega:
    """McDonald's omega from moments that were already checked."""
    _refuse_degenerate(known)
    weights = np.sqrt(np.diag(known.covariance) / known.total_variance)  # of the standardised items in the sum
    if known.n_items == 2:
        solution = _solve_two(known)
        estimate = 4 * float(known.covariance[0, 1]) / known.total_variance
        variance = alpha_variance(known.covariance)
    else:
        solution = _solve(known, weights)
        common = float(weights @ solution.loadings) ** 2
        total = 1.0 if denominator == "observed" else common + float(weights**2 @ solution.uniquenesses)
        estimate = common / total
        variance = _variance(known.correlation, solution, weights, denominator)
    heywood = tuple(known.items[i] for i in np.flatnonzero(solution.heywood))
    negative = tuple(known.items[i] for i in np.flatnonzero(solution.loadings < 0))
    return McDonaldOmega(
        estimate=estimate,
        denominator=denominator,
        n_items=known.n_items,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        n_smallest=known.n_smallest,
        missing=known.missing,
        items=known.items,
        dropped_items=known.dropped_items,
        heywood_items=heywood,
        negative_items=negative,
        standard_error=math.sqrt(variance / known.n_smallest) if variance >= 0 else math.nan,
        notes=_notes(known, heywood, negative, estimate),
        _solution=solution,
        _moments=known,
    )


def omega_without_each_item(known: Moments, denominator: OmegaDenominator = "observed") -> FloatArray:
    """Omega of the other items, for each item in turn; NaN where fewer than two remain or the fit fails.

    Every fit starts from the solution of the whole scale, which is close to each of them.
    """
    k = known.n_items
    if k < 3:
        return np.full(k, np.nan)
    others = np.array([[j for j in range(k) if j != i] for i in range(k)])
    whole = fit_one_factor_from_starts(known.correlation)
    loadings, starts = whole.loadings[0][others], np.where(whole.converged[0], whole.uniquenesses[0], 0.5)[others]
    covariances = known.covariance[others[:, :, None], others[:, None, :]]
    if k < 5 or denominator != "observed":
        return _omegas(covariances, starts, denominator)
    correlations = known.correlation[others[:, :, None], others[:, None, :]]
    loadings, _, settled = refine_one_factor(correlations, loadings, starts)
    deviations = np.sqrt(np.diag(known.covariance))[others]
    result: FloatArray = (loadings * deviations).sum(axis=1) ** 2 / covariances.sum(axis=(1, 2))
    result[~settled] = _omegas(covariances[~settled], starts[~settled], denominator)
    return result


def _refuse_degenerate(known: Moments) -> None:
    correlation = known.correlation
    copies = np.argwhere(np.triu(np.abs(correlation) > 1 - 1e-10, 1))
    if known.n_items > 2 and len(copies):
        pairs = [f"{known.items[i]} and {known.items[j]}" for i, j in copies]
        raise InsufficientDataError(
            f"{_STATISTIC}: {name_list(pairs)} correlate perfectly, so no factor model can be fitted; "
            "leave one of them out, or collect more answers."
        )
    if known.missing == "pairwise" and np.linalg.eigvalsh(correlation)[0] < -1e-8:
        raise InsufficientDataError(
            f"{_STATISTIC}: the pairwise covariances are indefinite, as no complete answers could make them; "
            "use missing='listwise'."
        )


def _solve_two(known: Moments) -> _Solution:
    joint = float(known.covariance[0, 1])
    if joint < 0:
        return _Solution(np.full(2, np.nan), np.full(2, np.nan), np.zeros(2, dtype=bool))
    communality = joint / np.diag(known.covariance)
    return _Solution(np.sqrt(communality), 1 - communality, communality > 1)


def _solve(known: Moments, weights: FloatArray) -> _Solution:
    fit = fit_one_factor_from_starts(known.correlation)
    if not fit.converged[0]:
        raise InsufficientDataError(
            f"{_STATISTIC}: no one-factor solution was found for these {known.n_items} items; they hardly share "
            "anything. Look at the correlations, or collect more answers."
        )
    loadings = fit.loadings[0] if weights @ fit.loadings[0] >= 0 else -fit.loadings[0]
    return _Solution(loadings, fit.uniquenesses[0], fit.heywood[0])


def _omegas(covariances: FloatArray, starts: FloatArray, denominator: str) -> FloatArray:
    """Omega of each of B covariance matrices; NaN where a fit fails."""
    totals = covariances.sum(axis=(1, 2))
    if covariances.shape[1] == 2:
        with np.errstate(all="ignore"):
            result: FloatArray = np.where(totals > 0, 4 * covariances[:, 0, 1] / totals, np.nan)
        return result
    diagonals = np.diagonal(covariances, axis1=1, axis2=2)
    with np.errstate(all="ignore"):
        deviations = np.sqrt(np.where(diagonals > 1e-12 * diagonals.max(axis=1, keepdims=True), diagonals, np.nan))
        correlations = covariances / (deviations[:, :, None] * deviations[:, None, :])
    off_diagonal = ~np.eye(covariances.shape[1], dtype=bool)
    copies = (np.abs(correlations) > 1 - 1e-10) & off_diagonal
    correlations = np.where(copies.any(axis=(1, 2), keepdims=True), np.nan, correlations)
    fit = fit_one_factor(correlations, starts)
    common = (fit.loadings * deviations).sum(axis=1) ** 2
    if denominator == "model":
        totals = common + (fit.uniquenesses * deviations**2).sum(axis=1)
    with np.errstate(all="ignore"):
        return np.where(totals > 0, common / totals, np.nan)


def _omega_sums(known: Moments, solution: _Solution, denominator: str) -> CovarianceSums | PairwiseSums:
    answers = known.answers("a bootstrap interval")

    def value(covariances: FloatArray) -> FloatArray:
        return _omegas(covariances, solution.uniquenesses, denominator)

    return CovarianceSums(answers, value) if known.missing == "listwise" else PairwiseSums(answers, value)


def _variance(correlation: FloatArray, solution: _Solution, weights: FloatArray, denominator: str) -> float:
    """Asymptotic variance of omega times n for normal answers, whether or not the model fits; -1 if not identified.

    Omega is a function of the sample covariance S (here scaled by constants so that it equals the correlation matrix),
    through the loadings and, with the observed denominator, directly. With G the symmetric matrix for which
    d omega = trace(G dS), its variance is 2 trace(G S G S) / n. The loadings change with S as the implicit function
    theorem says. ``weights`` are those of the scaled items in the sum, whose variance is then 1.
    """
    loadings, unique = solution.loadings, solution.uniquenesses
    precision = np.asarray(np.linalg.inv(np.outer(loadings, loadings) + np.diag(unique)), dtype=np.float64)
    common = float(weights @ loadings)
    k = len(loadings)
    if denominator == "model":
        unshared = float(weights**2 @ unique)
        total = common**2 + unshared
        by_loading = 2 * common * unshared / total**2 * weights
        by_unique = -((common / total * weights) ** 2)
    else:
        by_loading, by_unique = 2 * common * weights, np.zeros(k)
    free = np.concatenate([np.ones(k, dtype=bool), ~solution.heywood])
    hessian = _hessian(correlation, precision, loadings)
    effects = _solve_scaled(hessian, np.concatenate([by_loading, by_unique]), free)
    if effects is None:
        return -1.0
    change = np.outer(effects[:k], loadings)
    gradient = precision @ (change + change.T + np.diag(effects[k:])) @ precision
    if denominator == "observed":
        gradient = gradient - common**2 * np.outer(weights, weights)
    product = gradient @ correlation
    return 2 * max(float(np.trace(product @ product)), 0.0)


def _hessian(covariance: FloatArray, precision: FloatArray, loadings: FloatArray) -> FloatArray:
    """Second derivatives of ln det(Sigma) + trace(S inverse(Sigma)) in loadings and unique variances, (2k, 2k)."""
    sample = precision @ covariance @ precision
    by_model, by_sample = precision @ loadings, sample @ loadings
    across = np.outer(by_sample, by_model)
    corner = 2 * (precision - sample) + 2 * (across + across.T - np.outer(by_model, by_model))
    corner += 2 * (float(loadings @ by_model) * (sample - precision) + float(loadings @ by_sample) * precision)
    mixed = 2 * (sample - precision) * by_model[None, :] + 2 * precision * by_sample[None, :]
    return np.block([[corner, mixed], [mixed.T, (2 * sample - precision) * precision]])


def _solve_scaled(hessian: FloatArray, gradient: FloatArray, free: npt.NDArray[np.bool_]) -> FloatArray | None:
    if not (np.diag(hessian)[free] > 0).all():
        return None
    scale = np.sqrt(np.abs(np.diag(hessian)))
    scale[scale == 0] = 1.0
    scaled = (hessian / np.outer(scale, scale))[np.ix_(free, free)]
    if np.linalg.eigvalsh(scaled)[0] < 1e-10:
        return None
    result = np.zeros(len(gradient))
    result[free] = np.linalg.solve(scaled, gradient[free] / scale[free]) / scale[free]
    return result


def _notes(
    known: Moments, heywood: tuple[Hashable, ...], negative: tuple[Hashable, ...], estimate: float
) -> tuple[str, ...]:
    notes = []
    if known.dropped_items:
        notes.append(f"Left out: {name_list(known.dropped_items)}.")
    if known.n_items == 2:
        notes.append("Two items cannot show a factor: equal loadings are assumed, where omega is alpha.")
        if estimate < 0:
            notes.append("The items correlate negatively, so no such factor exists; check their keying.")
    if heywood:
        notes.append(
            f"Heywood case: the unique variance of {name_list(heywood)} was held at 0. One factor fits badly or the "
            "sample is small: trust neither the estimate nor its interval."
            if known.n_items > 2
            else f"The unique variance of {name_list(heywood)} is negative under equal loadings."
        )
    if negative:
        notes.append(
            f"Negative loadings: {name_list(negative)}. Omega is that of the sum as it stands; check the keying."
        )
    if known.missing == "pairwise":
        notes.append(f"Covariances are pairwise, each from at least {known.n_smallest} respondents.")
    return tuple(notes)
