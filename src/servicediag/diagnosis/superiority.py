"""How often people of one group answer higher than those of another, from how many of each gave each answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit

__all__ = ["Superiority", "superiority"]


@dataclass(frozen=True, eq=False)
class Superiority:
    """How often someone of the second group answers higher than someone of the first, ties counting half.

    Attributes
    ----------
    estimate : ndarray
        0 to 1; 0.5 where neither tends to be higher, NaN where a group has fewer than two people. Cliff's delta is
        ``2 * estimate - 1``.
    standard_error, df, p : ndarray
        Of the Brunner-Munzel test of 0.5; NaN where nobody of either group lies between people of the other.
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    df: np.ndarray
    p: np.ndarray

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Limits from the logit scale, so that they stay within 0 and 1; NaN where the error is unknown."""
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = self.standard_error / (self.estimate * (1 - self.estimate))
            half = stdtrit(self.df, 0.5 + level / 2) * spread
            centre = logit(self.estimate)
            return expit(centre - half), expit(centre + half)


def superiority(first: np.ndarray, second: np.ndarray) -> Superiority:
    """Brunner-Munzel test and probability of superiority of pairs of groups.

    Parameters
    ----------
    first, second : int arrays, shape (..., n_categories)
        Counts of the same ordered categories in two independent groups.

    References
    ----------
    Brunner, E., & Munzel, U. (2000). Biometrical Journal, 42, 17-25.
    Cliff, N. (1993). Psychological Bulletin, 114, 494-509.

    Examples
    --------
    Of nine pairs of (1, 2, 3) and (2, 3, 4) six are won by the second group and two are tied: ``(6 + 1) / 9``. The
    members of either group lie above 3/6, 5/6 and 6/6 (or 0, 1/6 and 3/6) of the other, with variance 7/108; the
    squared error is ``2 * 7 / 108 / 3``.

    >>> result = superiority(np.array([1, 1, 1, 0]), np.array([0, 1, 1, 1]))
    >>> round(float(result.estimate), 4), round(float(result.standard_error), 4)
    (0.7778, 0.2079)
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    n_first, n_second = first.sum(axis=-1), second.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate, of_second = _placement(second, first)
        _, of_first = _placement(first, second)
        squared = of_first + of_second
        squared = np.where(squared > 0, squared, np.nan)
        df = squared**2 / (of_first**2 / (n_first - 1) + of_second**2 / (n_second - 1))
        p = np.minimum(1.0, 2 * stdtr(df, -np.abs(estimate - 0.5) / np.sqrt(squared)))
    enough = (n_first >= 2) & (n_second >= 2)
    found = (np.where(enough, one, np.nan) for one in (estimate, np.sqrt(squared), df, p))
    return Superiority(*found)


def _placement(counts: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean share of the others that people lie above, ties half, and its squared standard error."""
    place = (np.cumsum(others, axis=-1) - others / 2) / others.sum(axis=-1, keepdims=True)
    n = counts.sum(axis=-1)
    mean = (counts * place).sum(axis=-1) / n
    return mean, (counts * (place - mean[..., None]) ** 2).sum(axis=-1) / (n - 1) / n
