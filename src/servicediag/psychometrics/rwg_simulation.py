"""How large r_wg(j) gets by chance: its formula, and its quantiles when answers follow the null distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from servicediag.psychometrics._frames import FloatArray, check_count, check_level, check_number
from servicediag.psychometrics._resampling import Progress
from servicediag.psychometrics.null_distributions import NullName, ResponseScale, null_distribution

__all__ = ["rwg_critical_value", "rwg_j"]

_CELLS = 2_000_000  # simulated answers held at a time


def rwg_j(ratio: FloatArray, n_items: FloatArray) -> FloatArray:
    """r_wg(j) from the ratio of observed to null variance: 0 where the ratio exceeds 1, NaN where it is NaN."""
    agreed = np.asarray(n_items * (1 - np.minimum(ratio, 1.0)), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: FloatArray = agreed / (agreed + ratio)
    return result


def rwg_critical_value(
    n_respondents: int,
    *,
    n_items: int = 1,
    scale: tuple[float, float],
    null: NullName | Sequence[float] | float = "uniform",
    correlation: float = 0.0,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
    progress: Progress | None = None,
) -> float:
    """The r_wg(j) that units whose members answer at random exceed only with probability ``1 - level``.

    Parameters
    ----------
    n_respondents, n_items : int
        Size of the unit, at least 2, and number of items.
    scale : (float, float)
        Lowest and highest option value.
    null : str or sequence of float
        Distribution that answers are drawn from and measured against, see :func:`null_distribution`.
    correlation : float
        Correlation, 0 to 1, of the normal variables behind the answers to any two items.
    level : float
        Between 0 and 1.
    n_resamples, seed, progress
        Simulated units, start of the random numbers, and a callback (done, total).

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong; a null given as a variance has no answers to draw.

    References
    ----------
    .. [1] Cohen, A., Doveh, E., & Nahum-Shani, I. (2009). Organizational Research Methods, 12, 148-164.

    Examples
    --------
    >>> 0.4 < rwg_critical_value(10, scale=(1, 5)) < 0.6
    True
    """
    size = check_count("n_respondents", n_respondents, 2)
    items = check_count("n_items", n_items, 1)
    draws = check_count("n_resamples", n_resamples, 100)
    shared = check_number("correlation", correlation, 0.0, 1.0)
    level = check_level(level)
    checked = ResponseScale.of(scale)
    distribution = null_distribution(null, scale=(checked.lowest, checked.highest))
    if not distribution.shares:
        raise ValueError("null must be a name or shares here: no answers can be drawn from a variance alone")
    shares = np.array(distribution.shares)
    generator = np.random.default_rng([check_count("seed", seed, 0), size, items])
    width = shares.size if shared == 0 else size
    at_once = max(1, min(draws, _CELLS // (items * width)))
    ratios = np.empty(draws)
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        if shared == 0:
            variances = _independent(generator, count, size, items, shares)
        else:
            variances = _correlated(generator, count, size, items, shares, shared)
        ratios[start : start + count] = variances / distribution.variance
        if progress is not None:
            progress(start + count, draws)
    # r_wg of few people takes few values: the quantile is one of them, and chance exceeds it in at most 1 - level.
    return float(np.quantile(rwg_j(ratios, np.full(draws, float(items))), level, method="inverted_cdf"))


def _independent(generator: np.random.Generator, count: int, size: int, items: int, shares: FloatArray) -> FloatArray:
    """Mean variance over items of simulated units, from how often each option was drawn."""
    options = np.arange(shares.size)
    counts = generator.multinomial(size, shares, size=(count, items)).astype(np.float64)
    means = counts @ options / size
    squares = (counts * np.square(options - means[..., None])).sum(axis=-1)
    result: FloatArray = squares.mean(axis=1) / (size - 1)
    return result


def _correlated(
    generator: np.random.Generator, count: int, size: int, items: int, shares: FloatArray, correlation: float
) -> FloatArray:
    """The same with answers cut from normal variables that share a part within a respondent."""
    from scipy.special import ndtri

    cuts = ndtri(np.clip(np.cumsum(shares)[:-1], 0.0, 1.0))
    common = generator.standard_normal((count, size, 1))
    own = generator.standard_normal((count, size, items))
    latent = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
    answers = np.searchsorted(cuts, latent.ravel(), side="right").reshape(latent.shape)
    result: FloatArray = answers.var(axis=1, ddof=1).mean(axis=1)
    return result
