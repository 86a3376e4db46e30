"""In what share of repeated surveys a finding would be told as surely again, computed around what was observed.

A survey like this one gives another estimate: ``observed + error * t``, with the standard error and the degrees of
freedom that were observed (a parametric bootstrap; Efron and Tibshirani, 1993, section 6.5). A tier begins at a
critical size of the estimate, so its share follows from the distribution function, without draws. The other findings of
the family, the weight of shrinkage, reliability and the number of respondents stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betainc, gammaln, ndtr, ndtri, stdtr, stdtrit

from servicediag.diagnosis.model import Tier
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import minimum_effect_p
from servicediag.results import plain

__all__ = [
    "RANKS", "Redrawn", "border_shares", "cell_stability", "own_share", "rejection_bars", "share_stability",
    "tier_shares",
]  # fmt: skip

RANKS: tuple[Tier, ...] = ("watch", "likely", "established")
"""Tiers from the weakest; the columns of all arrays here."""


@dataclass(frozen=True)
class Redrawn:
    """A declared family of estimates whose tiers are drawn again; arrays are aligned.

    Attributes
    ----------
    estimate, error, df : array
        In points; the error in the same.
    n : array
        Respondents, as the tiers were judged by.
    p, p_minimum : array
        Two-sided p of "no difference" and of "less than the minimum effect", before they are adjusted.
    weight : array, optional
        Share of an estimate that shrinkage keeps, before it is limited to one standard error; without it nothing is
        shrunk.
    by_direction : bool
        Whether *likely* asks for the error rate among the estimates of its own direction as well.
    bound : array, optional
        Size that an estimate needs so that it keeps its direction whatever those say who did not answer; where it falls
        below, its tier is one lower. Minus infinity where that was not asked.
    reliability : array, optional
        Of the scales, where a tier may be one lower: without it the scale of whatever is *established* is reliable.
    """

    estimate: np.ndarray
    error: np.ndarray
    df: np.ndarray
    n: np.ndarray
    p: np.ndarray
    p_minimum: np.ndarray
    weight: np.ndarray | None = None
    by_direction: bool = False
    bound: np.ndarray | None = None
    reliability: np.ndarray | None = None

    @classmethod
    def of(cls, estimate: np.ndarray, error: np.ndarray, df: np.ndarray, n: np.ndarray, settings: Settings) -> Redrawn:
        """A family that is not shrunk, with its tests."""
        p, p_minimum = (minimum_effect_p(estimate, error, df, one) for one in (0.0, settings.minimum_effect))
        return cls(estimate, error, df, n, p, p_minimum)


def tier_shares(family: Redrawn, settings: Settings, chosen: np.ndarray | None = None) -> np.ndarray:
    """Shares of repeated surveys in which each estimate reaches each tier, or a stronger one, in its direction.

    Parameters
    ----------
    family : Redrawn
    settings : Settings
    chosen : array of int, optional
        Positions in the family of those that are asked for; default all.

    Returns
    -------
    array, shape (n_chosen, 3)
        In the order of ``RANKS``; NaN where the standard error is not known.

    Examples
    --------
    A single gap of 10 points with an error of 4 and a known variance: *likely* begins at 1.75 errors (rate .08),
    *established* at 2.5 points and 1.64 errors (rate .05).

    >>> one, many = np.ones(1), np.full(1, 1e9)
    >>> gap = Redrawn.of(10 * one, 4 * one, many, 40 * one, Settings())
    >>> tier_shares(gap, Settings()).round(2).tolist()
    [[0.89, 0.77, 0.58]]
    """
    chosen = np.arange(len(family.estimate)) if chosen is None else chosen
    sizes = _critical_sizes(family, settings, chosen)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (np.abs(family.estimate[chosen])[:, None] - sizes) / family.error[chosen, None]
        return np.asarray(stdtr(family.df[chosen, None], beyond))


def _of_own_tier(values: np.ndarray, tiers: Sequence[Tier] | np.ndarray) -> np.ndarray:
    """Of each row the value of its own tier; NaN where it has none that is drawn again."""
    own, named = np.full(len(values), np.nan), np.asarray(tiers, dtype=object)
    for column, tier in enumerate(RANKS):
        rows = named == tier
        own[rows] = values[rows, column]
    return own


def border_shares(distance: np.ndarray, error: np.ndarray, df: np.ndarray, settings: Settings) -> np.ndarray:
    """The same for levels that are tested one-sidedly against a border; the distance is negative below it.

    Examples
    --------
    A level 6 points below the border, with an error of 3 and a known variance: *likely* from 1.41 errors, *established*
    from 1.64.

    >>> border_shares(np.array([-6.0]), np.array([3.0]), np.array([1e9]), Settings()).round(2).tolist()
    [[0.98, 0.72, 0.64]]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stdtr(df, distance / error)
        rates = (settings.likely_error_rate, settings.established_error_rate)
        needed = (-error * stdtrit(df, rejection_bars(p, rate)) for rate in rates)
        beyond = (-distance[:, None] - np.column_stack([np.zeros(len(p)), *needed])) / error[:, None]
        return np.asarray(stdtr(df[:, None], beyond))


def own_share(shares: Sequence[float] | np.ndarray, tier: Tier) -> float | None:
    """Of one row the share of its own tier; None where it has none that is drawn again.

    Examples
    --------
    >>> own_share((0.9, 0.8, 0.6), "likely"), own_share((0.9, 0.8, 0.6), "abstained")
    (0.8, None)
    """
    return plain(float(shares[RANKS.index(tier)])) if tier in RANKS else None


def cell_stability(
    cells: pd.DataFrame, family: np.ndarray, p: np.ndarray, p_minimum: np.ndarray, trust: np.ndarray, settings: Settings
) -> np.ndarray:
    """The same for the gaps of units to the rest; NaN for cells without a tier.

    Parameters
    ----------
    cells : DataFrame
        With their contrasts, tiers and what those who did not answer leave open.
    family : array of bool
        Which cells were judged together.
    p, p_minimum : arrays
        Their p-values, as ``Redrawn`` has them.
    trust : array
        Reliability of the scale of each cell.
    """
    names = ("gap", "standard_error", "df", "n", "weight")
    gap, error, df, n, weight = (cells[name].to_numpy(float)[family] for name in names)
    bound = _response_bound(cells, settings)[family]
    redrawn = Redrawn(gap, error, df, n, p, p_minimum, weight, True, bound, trust[family])
    tiers = cells["tier"].to_numpy(dtype=object)[family]
    told = np.flatnonzero((tiers == "established") | (tiers == "likely") | (tiers == "watch"))
    needed = _of_own_tier(_critical_sizes(redrawn, settings, told), tiers[told])
    found = np.full(len(cells), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (np.abs(gap[told]) - needed) / error[told]
        found[np.flatnonzero(family)[told]] = stdtr(df[told], beyond)
    return found


def _response_bound(cells: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Size from which a gap keeps its direction whatever those say who did not answer, where few answered.

    The mean of a unit moves by its response rate for each point that those who answered move.
    """
    gap, rate, low, high = (
        cells[name].to_numpy(float) for name in ("gap", "response_rate", "gap_bound_low", "gap_bound_high")
    )
    with np.errstate(invalid="ignore"):
        left = np.where(gap < 0, -high, low)
        return np.where(rate < settings.low_response, np.abs(gap) - left / rate, -np.inf)


def share_stability(
    count: np.ndarray, n: np.ndarray, tiers: Sequence[Tier] | np.ndarray, settings: Settings
) -> np.ndarray:
    """The same for shares of respondents that are tested against the criterion: ``n`` people with the share observed.

    Parameters
    ----------
    count, n : arrays
        Of the whole family.
    tiers : sequence of Tier
        As ``share_tiers`` gives them.

    Examples
    --------
    25 of 50 people, alone in the family: *established* from 18 of them, which the draws reach nearly always.

    >>> share_stability(np.array([25.0]), np.array([50.0]), ["established"], Settings()).round(3).tolist()
    [0.984]
    """
    criterion = settings.share_criterion
    error = np.sqrt(criterion * (1 - criterion) / n)
    p = ndtr(-(count / n - criterion) / error)
    rates = (settings.likely_error_rate, settings.established_error_rate)
    likely, established = (np.ceil(n * (criterion - error * ndtri(rejection_bars(p, rate))) - 1e-9) for rate in rates)
    # a share at the criterion itself is not told, one at a critical value is
    needed = np.column_stack([np.floor(n * criterion) + 1, likely, established])
    people = n[:, None]
    possible = needed <= people
    possible[:, 2] &= n >= settings.established_n
    # the upper tail of the binomial distribution
    needed = np.minimum(needed, people)
    reached = np.where(possible, betainc(needed, people - needed + 1, (count / n)[:, None]), 0.0)
    return _of_own_tier(reached, tiers)


def rejection_bars(p: np.ndarray, rate: float) -> np.ndarray:
    """Largest p-value with which each member of a family passes at that rate, the others staying as they are.

    Notes
    -----
    The step-up rule of Benjamini and Hochberg (1995) passes the largest r of m p-values of which the r-th is at most
    ``rate * r / m``. One of those that pass may be as large as that; one that does not would be the r-th itself.

    Examples
    --------
    Two of four pass at .05, so .025 is the bar for them; a third would make it .0375.

    >>> rejection_bars(np.array([0.001, 0.02, 0.3, 0.9]), 0.05).round(4).tolist()
    [0.025, 0.025, 0.0375, 0.0375]
    """
    known = p[~np.isnan(p)]
    low = np.sort(known[known <= rate])
    places = np.arange(len(low) + 2)
    bars = rate * places / max(len(known), 1)
    within = np.searchsorted(low, bars, side="right")
    passing = bars[np.flatnonzero(within >= places)[-1]]
    reachable = bars[within >= places - 1]
    above = reachable[np.maximum(np.searchsorted(reachable, p, side="left") - 1, 0)]
    return np.asarray(np.where(p <= passing, passing, above))


def _critical_sizes(family: Redrawn, settings: Settings, chosen: np.ndarray) -> np.ndarray:
    """Sizes of chosen estimates from which each tier, or a stronger one, is given; infinite where it never is."""
    error, df, rate = family.error[chosen], family.df[chosen], settings.likely_error_rate
    tail = rejection_bars(family.p, rate)[chosen] / 2
    if family.by_direction:
        tail = np.minimum(tail, _bars_of_direction(family.p, family.estimate, rate)[chosen])
    weight = np.ones(len(error)) if family.weight is None else family.weight[chosen]
    with np.errstate(divide="ignore"):
        large = np.minimum(settings.smallest_gap / weight, settings.smallest_gap + error)
    likely = np.maximum(-error * stdtrit(df, tail), large)
    bars = rejection_bars(family.p_minimum, settings.established_error_rate)[chosen]
    firm = np.where(
        family.n[chosen] >= settings.established_n, _beyond(settings.minimum_effect, error, df, bars), np.inf
    )
    told = np.minimum(likely, firm)
    established, watch = firm, np.minimum(settings.smallest_gap, told)
    if family.reliability is not None:
        established = np.where(family.reliability[chosen] >= settings.reliability_needed, firm, np.inf)
    if family.bound is not None:
        bound = family.bound[chosen]
        told, established = np.minimum(np.maximum(told, bound), established), np.maximum(established, bound)
    return np.column_stack([watch, told, established])


def _bars_of_direction(p: np.ndarray, estimate: np.ndarray, rate: float) -> np.ndarray:
    """One-sided bars among the estimates of the same direction."""
    worse, better = np.where(estimate < 0, p / 2, 1 - p / 2), np.where(estimate > 0, p / 2, 1 - p / 2)
    return np.where(estimate < 0, rejection_bars(worse, rate), rejection_bars(better, rate))


def _beyond(minimum: float, error: np.ndarray, df: np.ndarray, bars: np.ndarray) -> np.ndarray:
    """Size at which the p-value of "less than the minimum effect" is the bar, both tails counted.

    By Newton's method on its logarithm: tails fall nearly as an exponential does, so two steps hold it to a thousandth.
    """
    near = -stdtrit(df, bars)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        apart = 2 * minimum / error
        rows = np.flatnonzero(stdtr(df, -near - apart) > 1e-4 * bars)
        x, nu, other, bar = near[rows], df[rows], apart[rows], bars[rows]
        for _ in range(2):
            p = stdtr(nu, -x) + stdtr(nu, -x - other)
            x = x + p * np.log(p / bar) / (_density(nu, x) + _density(nu, x + other))
    near[rows] = x
    return np.asarray(minimum + error * near)


def _density(df: np.ndarray, t: np.ndarray) -> np.ndarray:
    # beyond this it is the normal density, and the difference of the two logarithms would be lost
    df = np.minimum(df, 1e7)
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(np.pi * df)
    return np.asarray(np.exp(constant - (df + 1) / 2 * np.log1p(t**2 / df)))
