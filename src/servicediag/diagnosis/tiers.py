"""How sure a statement is: one rule for every kind of gap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from servicediag.diagnosis.model import Tier
from servicediag.diagnosis.settings import Settings
from servicediag.wording.telling import sentence

__all__ = [
    "LOW_RELIABILITY", "LOW_RESPONSE", "NOT_APPLICABLE", "TOO_FEW_CLUSTERS", "one_tier_down", "tier_of", "tiers_of",
]  # fmt: skip

LOW_RELIABILITY = sentence("finding.abstention.low_reliability")
NOT_APPLICABLE = math.inf
"""Reliability of scales that are not meant to be consistent: no demand on it is ever missed."""
LOW_RESPONSE = sentence("finding.abstention.low_response")
TOO_FEW_CLUSTERS = sentence("finding.abstention.too_few_clusters")


def one_tier_down(tier: Tier | None) -> Tier | None:
    """*established* becomes *likely*, *likely* becomes *watch*; the others stay.

    Examples
    --------
    >>> one_tier_down("established"), one_tier_down("likely"), one_tier_down("abstained")
    ('likely', 'watch', 'abstained')
    """
    lower: dict[Tier | None, Tier] = {"established": "likely", "likely": "watch"}
    return lower.get(tier, tier)


def tier_of(
    q: float,
    q_minimum_effect: float,
    shrunk: float,
    raw: float,
    n: float,
    reliabilities: Sequence[float | None],
    settings: Settings,
) -> tuple[Tier | None, bool]:
    """Tier of a gap, and whether unreliability held it down.

    Parameters
    ----------
    q, q_minimum_effect : float
        Adjusted p of "no difference" and of "the difference is below the minimum effect".
    shrunk, raw : float
        The gap after and before shrinkage, in points.
    n : float
        Respondents; of two groups, the smaller number.
    reliabilities : sequence of float or None
        Of the scales that take part; None where reliability does not apply.

    Returns
    -------
    tuple
        None where there is nothing to say.
    """
    known = [float(value) for value in reliabilities if value is not None]
    weakest = np.array([min(known, key=lambda value: (value == value, value)) if known else NOT_APPLICABLE])
    one, minimum, small, large, people = np.array([q, q_minimum_effect, shrunk, raw, n], dtype=float).reshape(5, 1)
    tiers, unreliable = tiers_of(one, minimum, small, large, people, weakest, settings)
    return tiers[0], bool(unreliable[0])


def tiers_of(
    q: np.ndarray,
    q_minimum_effect: np.ndarray,
    shrunk: np.ndarray,
    raw: np.ndarray,
    n: np.ndarray,
    reliability: np.ndarray,
    settings: Settings,
) -> tuple[np.ndarray, np.ndarray]:
    """The same for many gaps at once, with the weakest reliability of each, ``NOT_APPLICABLE`` where there is none."""
    with np.errstate(invalid="ignore"):
        likely = (q <= settings.likely_error_rate) & (np.abs(shrunk) >= settings.smallest_gap)
        established = (q_minimum_effect <= settings.established_error_rate) & (n >= settings.established_n)
        told, reliable = likely | established, reliability >= settings.reliability_needed
        measured = reliability >= settings.reliability_floor
        watch = ~told & (np.abs(raw) >= settings.smallest_gap)
    tiers = np.full(len(q), None, dtype=object)
    tiers[watch], tiers[told] = "watch", "likely"
    tiers[established & reliable] = "established"
    tiers[told & ~measured] = "abstained"
    return tiers, told & ~reliable
