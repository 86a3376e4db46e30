"""How far the sum of few people may range when a total, and perhaps the spread, of their group is known."""

from __future__ import annotations

import numpy as np

__all__ = ["FEASIBLE_SHARE", "UNANIMITY_BELOW", "feasible_width", "near_an_end", "open_width"]

UNANIMITY_BELOW = 10
"""Groups smaller than this do not show a number that tells what (nearly) everybody answered."""
FEASIBLE_SHARE = 0.20
"""What is withheld is protected where its sum could lie anywhere in at least this share of its range."""


def feasible_width(m: np.ndarray | float, n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Width of what the sum of m of n answers from 0 to 1 may be, when total and sum of squares of all n are known.

    A sum of m answers lies within a multiple of the spread of m/n of the total (Samuelson, 1968).
    """
    share = m * total / n
    reach = np.sqrt(np.maximum(m * (n - m) / n * np.maximum(squares - total**2 / n, 0.0), 0.0))
    high = np.minimum(np.minimum(total, m), share + reach)
    low = np.maximum(np.maximum(0.0, total - (n - m)), share - reach)
    return np.asarray(high - low)


def open_width(
    m: np.ndarray | float,
    n: np.ndarray | float,
    least: np.ndarray | float,
    most: np.ndarray | float,
    top: float = 1.0,
) -> np.ndarray:
    """How far the sum of m of n answers from 0 to the top may range where that of all n lies between two numbers."""
    return np.asarray(np.minimum(top * m, most) - np.maximum(0.0, least - top * (n - m)))


def near_an_end(n: np.ndarray, total: np.ndarray, minimum: int) -> np.ndarray:
    """Groups whose total of answers from 0 to 1 leaves some set of fewer people than the minimum less than a fifth."""
    found = np.zeros(len(n), dtype=bool)
    for m in range(1, minimum):
        width = open_width(m, n, total, total)
        found |= (n > m) & (width < FEASIBLE_SHARE * m)
    return found
