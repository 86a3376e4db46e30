"""Conditions about operations data: an indicator that is high or low against the other units, or against a limit."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from servicediag.diagnosis.operations import Indicator, Measurement, Operations
from servicediag.diagnosis.readings import OPERATIONS, Place, Reading, State, tell, turned, unmeasured, verdict
from servicediag.diagnosis.rules import Condition
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import wilson
from servicediag.diagnosis.sums import WHOLE
from servicediag.wording.telling import sentence

__all__ = ["shown_value", "read_indicator"]

FEWEST_UNITS = 5
"""Other units without which nothing is called high or low among them."""
HALF = 0.5
"""Convention: standard deviations of the other units that count as a difference worth naming (Cohen's medium, 1988)."""


def read_indicator(condition: Condition, place: Place, operations: Operations, settings: Settings) -> Reading:
    """Whether an indicator is as the condition says.

    A value is what the records say of all cases, so its doubt is that of the cases behind a share, or that of what is
    usual in the other units.
    """
    indicator = operations.catalogue.get(condition.target)
    value = operations.of(place.by, place.unit, condition.target)
    where = ""
    if value is None and condition.limit is not None:
        value = operations.of(WHOLE, WHOLE, condition.target)
        where = "" if place.by == WHOLE else sentence("finding.condition.in_whole")
    if indicator is None or value is None:
        needs = "" if indicator is None else indicator.needs
        return unmeasured(condition, needs or condition.target)
    if condition.limit is None:
        others = operations.others(place.by, place.unit, condition.target)
        reading = _against_units(condition, indicator, value, others, settings)
    else:
        others = operations.others(place.by, place.unit, condition.target) if not where else ()
        reading = _against_limit(condition, indicator, value, others, settings, where)
    return turned(reading, condition)


def shown_value(indicator: Indicator, value: float, sign: str = "") -> tuple[float, str]:
    """A value as a sentence shows it, a share as a percentage; and its format.

    Examples
    --------
    >>> shown_value(Indicator("churn", "Churn", "weakness", "share", "", ""), 0.125, "+")
    (12.5, '+.1f')
    """
    if indicator.unit == "share":
        return 100 * value, f"{sign}.1f"
    return value, f"{sign}.0f" if indicator.unit == "count" else f"{sign}.1f"


def _percent(indicator: Indicator) -> str:
    return sentence("finding.percent") if indicator.unit == "share" else ""


def _against_units(
    condition: Condition,
    indicator: Indicator,
    value: Measurement,
    others: tuple[Measurement, ...],
    settings: Settings,
) -> Reading:
    if len(others) < FEWEST_UNITS:
        numbers = {"units": (FEWEST_UNITS, "d"), "value": shown_value(indicator, value.value)}
        told = tell("indicator_alone", numbers=numbers, title=indicator.title, percent=_percent(indicator))
        return Reading("undetermined", told.sentence, target=indicator.id, source=OPERATIONS, numbers=told.numbers)
    values = np.array([other.value for other in others])
    cases = [other.cases for other in others]
    if value.cases is not None and all(case is not None for case in cases):
        known = np.array(cases, dtype=float)
        usual = float(values @ known / known.sum())
        low, high = _difference_limits(value.value, value.cases, usual, float(known.sum()))
        smallest = settings.smallest_gap / 100
    else:
        usual, spread = float(values.mean()), float(values.std(ddof=1))
        half = float(stdtrit(len(values) - 1, 0.95)) * spread / math.sqrt(len(values))
        low, high = value.value - usual - half, value.value - usual + half
        smallest = HALF * spread
    gap = value.value - usual
    if condition.sense == "low":
        state = verdict(gap, low, high, smallest)
    else:
        state = verdict(-gap, -high, -low, smallest)
    if smallest == 0 and gap == 0:
        state = "no"
    numbers = {
        "value": shown_value(indicator, value.value),
        "usual": shown_value(indicator, usual),
        "low": shown_value(indicator, low, "+"),
        "high": shown_value(indicator, high, "+"),
        "units": (len(others), "d"),
    }
    told = tell("indicator_units", numbers=numbers, title=indicator.title, percent=_percent(indicator))
    return Reading(state, told.sentence, target=indicator.id, source=OPERATIONS, numbers=told.numbers)


def _difference_limits(share: float, cases: float, usual: float, usual_cases: float) -> tuple[float, float]:
    """90 % limits of the difference of two shares from their score intervals (Newcombe, 1998)."""
    low, high = wilson(share * cases, cases, 0.90)
    usual_low, usual_high = wilson(usual * usual_cases, usual_cases, 0.90)
    gap = share - usual
    return gap - math.hypot(share - low, usual_high - usual), gap + math.hypot(high - share, usual - usual_low)


def _against_limit(
    condition: Condition,
    indicator: Indicator,
    value: Measurement,
    others: tuple[Measurement, ...],
    settings: Settings,
    where: str,
) -> Reading:
    limit = float(condition.limit or 0.0)
    low, high = _limits(indicator, value, others, settings)
    state: State = "undetermined"
    if indicator.unit == "count":
        state = "yes" if (value.value >= limit) == (condition.sense == "high") else "no"
    elif low >= limit:
        state = "yes" if condition.sense == "high" else "no"
    elif high <= limit:
        state = "no" if condition.sense == "high" else "yes"
    numbers = {"value": shown_value(indicator, value.value), "limit": shown_value(indicator, limit)}
    told = tell("indicator_limit", numbers=numbers, title=indicator.title, percent=_percent(indicator), where=where)
    return Reading(state, told.sentence, target=indicator.id, source=OPERATIONS, numbers=told.numbers)


def _limits(
    indicator: Indicator, value: Measurement, others: tuple[Measurement, ...], settings: Settings
) -> tuple[float, float]:
    """How far the value could be off: by its cases, or by half the spread of the units."""
    if value.cases is not None:
        return wilson(value.value * value.cases, value.cases, 0.90)
    margin = math.inf
    if indicator.unit == "points":
        margin = settings.smallest_gap
    elif len(others) >= FEWEST_UNITS:
        margin = HALF * float(np.std([other.value for other in others], ddof=1))
    return value.value - margin, value.value + margin
