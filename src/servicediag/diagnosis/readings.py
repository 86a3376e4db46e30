"""The answer to one condition of a cause rule, and where it was read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from servicediag.diagnosis.rules import Condition
from servicediag.wording.telling import figure, sentence

__all__ = ["OPERATIONS", "Numbers", "Place", "Reading", "State", "Told", "tell", "turned", "unmeasured", "verdict"]

State = Literal["yes", "no", "undetermined", "unmeasured"]
OPERATIONS = "operations"
"""Source of what no rater says but the records of the organisation."""
Numbers = tuple[tuple[str, float], ...]
_TURNED: Mapping[State, State] = {"yes": "no", "no": "yes"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a condition is read: a unit of a grouping, or the whole organisation; and what is to be explained there.

    ``symptom`` is the dimension of the finding and ``form`` the questionnaire that showed it; both may be empty.
    """

    by: str
    unit: str
    symptom: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The answer to a condition, in a sentence with its numbers, and how far below the reference the score lies.

    ``source`` is the group of raters who said it, or ``"operations"``; ``target`` what was read; ``needs`` what would
    settle what was not measured; ``numbers`` the numbers of the sentence by name.
    """

    state: State
    sentence: str
    shortfall: float = math.nan
    target: str = ""
    source: str = ""
    needs: str = ""
    numbers: Numbers = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, and the numbers in it as it shows them."""

    sentence: str
    numbers: Numbers


def tell(key: str, /, *, numbers: Mapping[str, tuple[float, str]], **words: str) -> Told:
    """A fixed sentence with words and numbers filled in; each number comes with the format that it is shown in."""
    shown = {name: figure(value, spec) for name, (value, spec) in numbers.items()}
    told = sentence(f"finding.condition.{key}", **{**words, **shown})
    return Told(told, tuple((name, float(value)) for name, value in shown.items()))


def verdict(gap: float, low: float, high: float, smallest: float) -> State:
    """Whether something is worse: *yes* beyond half of the smallest gap of interest, *no* where it is ruled out.

    The border is not zero, because every symptom has several candidate causes, each read by an interval of its own.

    Examples
    --------
    >>> verdict(-9, -14, -4, 5), verdict(-1, -4, 2, 5), verdict(-6, -11, -1, 5)
    ('yes', 'no', 'undetermined')
    """
    if high < -smallest / 2 and gap <= -smallest:
        return "yes"
    return "no" if low > -smallest else "undetermined"


def turned(reading: Reading, condition: Condition) -> Reading:
    """The reading of a condition that may ask for the opposite."""
    if condition.holds:
        return reading
    return replace(reading, state=_TURNED.get(reading.state, reading.state))


def unmeasured(condition: Condition, about: str) -> Reading:
    """The study has no such data: say which would settle it."""
    needs = condition.needs or sentence(
        f"finding.needs.{condition.kind}", about=about or sentence("finding.needs.ratings")
    )
    return Reading(
        "unmeasured", sentence("finding.condition.unmeasured", needs=needs), target=condition.target, needs=needs
    )
