"""How sure a statement is: one rule for every kind of gap."""

from __future__ import annotations

from collections.abc import Sequence

from servicediag.diagnosis.model import Tier
from servicediag.diagnosis.settings import Settings

__all__ = ["LOW_RELIABILITY", "tier_of"]

LOW_RELIABILITY = (
    "LOW_RELIABILITY: this scale measures too imprecisely here for a firmer statement; add items or respondents."
)


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
    known = [value for value in reliabilities if value is not None]
    reliable = all(value >= settings.reliability_needed for value in known)
    likely = q <= settings.likely_error_rate and abs(shrunk) >= settings.smallest_gap
    established = q_minimum_effect <= settings.established_error_rate and n >= settings.established_n
    if (likely or established) and not all(value >= settings.reliability_floor for value in known):
        return "abstained", True
    if established and reliable:
        return "established", False
    if likely or established:
        return "likely", not reliable
    return ("watch" if abs(raw) >= settings.smallest_gap else None), False
