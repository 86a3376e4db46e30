"""How many people of each unit to ask, so that a gap is found, a bottleneck is named, and units may be shown."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from servicediag.diagnosis.bottleneck import StateProfile, judge_states
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import (
    benjamini_hochberg,
    directional_rates,
    limited_weights,
    minimum_effect_p,
    pooled_variance,
    shrinkage_weights,
    unit_contrasts,
)
from servicediag.diagnosis.tiers import NOT_APPLICABLE, tiers_of
from servicediag.results import short_repr
from servicediag.wording import text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyPlan", "plan"]

N_SIZES = 12
"""Sizes at which the chance is simulated; needed numbers are interpolated between them."""
N_DRAWS = 1_000
"""Posterior draws behind the bottleneck of one simulated unit."""
MOST_UNITS, MOST_SCALES = 10_000, 200
"""With which a simulation still fits into memory."""
STATE_CORRELATION = 0.4
"""Between the scores that a person gives know, want and can."""
TARGETS = ("p_likely", "p_established", "p_bottleneck")


@dataclass(frozen=True, repr=False, eq=False)
class StudyPlan:
    """How many people to ask, and the power curve behind it.

    Attributes
    ----------
    people_per_unit : int or None
        People to ask in each unit so that the gap is found in the wanted tier; None where ``largest`` is not enough.
    expected_answers : int or None
        Answers that these people give on average.
    people_for_bottleneck : int or None
        So that, where one of know, want and can lies lower by the gap, it is named.
    people_to_publish : int or None
        So that every unit has enough answers to be shown, with the same chance.
    curve : DataFrame
        What ``to_frame()`` gives.
    gap, n_units, power, tier, response_rate, minimum_group, largest, n_simulations
        As they were asked for.
    """

    people_per_unit: int | None
    expected_answers: int | None
    people_for_bottleneck: int | None
    people_to_publish: int | None
    curve: pd.DataFrame = field(repr=False)
    gap: float
    n_units: int
    power: float
    tier: Literal["likely", "established"]
    response_rate: float
    minimum_group: int
    largest: int
    n_simulations: int

    def __repr__(self) -> str:
        names = ("people_per_unit", "people_for_bottleneck", "people_to_publish", "gap", "n_units", "power", "tier")
        return short_repr("StudyPlan", [(name, getattr(self, name)) for name in names])

    def to_frame(self) -> pd.DataFrame:
        """The power curve, a row a number of people asked in each unit.

        Returns
        -------
        DataFrame
            ``people`` asked, ``expected_answers``, and chances from 0 to 1: ``p_shown`` (all units may be shown),
            ``p_likely`` (the gap is found, likely or established), ``p_established``, ``p_bottleneck``;
            ``simulation_error`` is the largest standard error of the last three.
        """
        return self.curve.copy()

    def describe(self) -> str:
        """The answer in three sentences."""
        words: dict[str, Any] = {"gap": f"{self.gap:g}", "units": self.n_units, "tier": self.tier}
        answer = text("plan.needed", power=f"{100 * self.power:.0f}", ask=self._ask(), **words)
        return " ".join([answer, self._also("bottleneck", self.people_for_bottleneck), self._also("publish", None)])

    def _ask(self) -> str:
        if self.people_per_unit is None:
            return text("plan.ask.none", largest=self.largest)
        if self.response_rate == 1:
            return text("plan.ask.exact", people=self.people_per_unit)
        rate = f"{100 * self.response_rate:.0f}"
        return text("plan.ask.response", people=self.people_per_unit, answers=self.expected_answers, rate=rate)

    def _also(self, what: str, people: int | None) -> str:
        values: dict[str, Any] = {"largest": self.largest}
        if what == "publish":
            people = self.people_to_publish
            values["minimum"] = self.minimum_group
        if people is None:
            return text(f"plan.{what}.none", **values)
        del values["largest"]
        return text(f"plan.{what}.some", people=people, **values)

    def plot(self) -> Any:
        """Power curve as an altair chart: chance against people asked in each unit."""
        import altair as alt

        names = {
            "p_established": "gap established", "p_likely": "gap likely or established",
            "p_bottleneck": "bottleneck named", "p_shown": "all units shown",
        }  # fmt: skip
        long = self.curve.melt("people", list(names), var_name="what", value_name="chance")
        long["what"] = long["what"].map(names)
        dashes = alt.Scale(domain=list(names.values()), range=[[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]])
        lines = (
            alt.Chart(long)
            .mark_line(point=True)
            .encode(
                x=alt.X("people:Q", title="People asked in each unit"),
                y=alt.Y("chance:Q", title="Chance", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
                color=alt.Color("what:N", title=None, sort=list(names.values())),
                strokeDash=alt.StrokeDash("what:N", title=None, scale=dashes),
                tooltip=["what:N", "people:Q", alt.Tooltip("chance:Q", format=".0%")],
            )
        )
        goal = alt.Chart(long.head(1)).mark_rule(color="#8c8c8c").encode(y=alt.datum(self.power))
        subtitle = f"{self.n_simulations} simulated studies a point"
        title = alt.TitleParams(f"{self.n_units} units, gap of {self.gap:g} points", subtitle=subtitle)
        return alt.layer(goal, lines).properties(width=420, height=260, title=title)

    def _repr_html_(self) -> str:
        table = self.curve.to_html(index=False, escape=True, float_format=lambda value: f"{value:.2f}")
        return f'<div class="tex2jax_ignore mathjax_ignore"><p>{html.escape(self.describe())}</p>{table}</div>'


@dataclass(frozen=True)
class _Design:
    """What is simulated."""

    gap: float
    n_units: int
    n_scales: int
    icc: float
    standard_deviation: float
    reliability: float
    n_items: int
    response_rate: float
    settings: Settings

    @property
    def between(self) -> float:
        """Standard deviation of the units' true means."""
        return self.standard_deviation * math.sqrt(self.icc / (1 - self.icc))


def plan(
    *,
    gap: float = 10.0,
    n_units: int = 12,
    power: float = 0.80,
    tier: Literal["likely", "established"] = "established",
    n_scales: int = 10,
    icc: float = 0.0,
    standard_deviation: float = 20.0,
    reliability: float = 0.80,
    n_items: int = 5,
    response_rate: float = 1.0,
    minimum_group: int = 5,
    smallest_gap: float = 5.0,
    largest: int = 300,
    n_simulations: int = 200,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> StudyPlan:
    """How many people of each unit to ask, by simulating studies and judging them as ``diagnose`` does.

    Parameters
    ----------
    gap : float
        Points of health, 0 to 100, by which one scale of one unit truly lies below the rest of the organisation.
    n_units : int
        Units of the study, 2 to 10,000.
    power : float, between 0 and 1
        Chance with which the gap should be found.
    tier : {"established", "likely"}
        How sure the finding should be; *likely* counts *established* too.
    n_scales : int
        Scales that are judged together, 1 to 200: the more, the larger the family over which error rates are adjusted.
    icc : float, 0 to below 1
        Share of the variance of scores that lies between units apart from the gap. More of it may ask for fewer people
        than 0 does, since real differences elsewhere loosen the adjustment over the family.
    standard_deviation : float
        Of the observed scores of the people of one unit, in points.
    reliability : float, between 0 and 1
        Of the scale; its estimate must reach .70 for *established*, and varies from study to study.
    n_items : int
        Items of the scale, behind that variation; 1 for scales to which reliability does not apply.
    response_rate : float, above 0 to 1
        Share of those asked who answer.
    minimum_group, smallest_gap
        As in ``diagnose``.
    largest : int
        Most people a unit to consider.
    n_simulations : int
        Simulated studies at each size; the standard error of a chance is at most ``0.5 / sqrt(n_simulations)``.
    seed : int
    progress : callable, optional
        Called with the share that is done, 0 to 1.

    Returns
    -------
    StudyPlan

    Raises
    ------
    ValueError
        An argument is out of its range.
    TypeError
        An argument is no number, or no whole number where one is needed.

    Notes
    -----
    Scores are normal, scales independent of each other, and units of equal size but for the answers that fail to
    come. Gaps are judged by the engine's own functions: contrast with the rest, Benjamini-Hochberg (1995) over all
    units and scales, minimum effect, shrinkage and tiers. The bottleneck is a unit in which one of know, want and can
    lies lower by ``gap``. Chances are made monotone in the number of people (pool adjacent violators; Barlow et al.,
    1972) and interpolated. Skewed answers and nesting of customers in servers need more people.

    References
    ----------
    Barlow, R. E., Bartholomew, D. J., Bremner, J. M., & Brunk, H. D. (1972). Statistical inference under order
    restrictions. Wiley.
    Feldt, L. S. (1965). Psychometrika, 30, 357-370 (distribution of an estimated reliability).

    Examples
    --------
    >>> import servicediag as sd
    >>> wanted = sd.plan(gap=20, n_units=6, n_scales=4, n_simulations=40, response_rate=0.5)
    >>> wanted.people_to_publish
    17
    >>> wanted.to_frame().columns.tolist()[:4]
    ['people', 'expected_answers', 'p_shown', 'p_likely']
    """
    _check_numbers(gap=gap, power=power, icc=icc, standard_deviation=standard_deviation, reliability=reliability,
                   response_rate=response_rate, smallest_gap=smallest_gap)  # fmt: skip
    _check_whole(n_units=n_units, n_scales=n_scales, n_items=n_items, minimum_group=minimum_group, largest=largest,
                 n_simulations=n_simulations, seed=seed)  # fmt: skip
    settings = Settings(smallest_gap=float(smallest_gap), minimum_group=minimum_group, seed=seed)
    design = _Design(gap, n_units, n_scales, icc, standard_deviation, reliability, n_items, response_rate, settings)
    _check(design, power, tier, largest, n_simulations)
    curve = _curve(design, largest, n_simulations, seed, progress)
    needed = {name: _needed(curve, name, power) for name in TARGETS}
    people = needed[f"p_{tier}"]
    return StudyPlan(
        people_per_unit=people,
        expected_answers=None if people is None else math.floor(people * response_rate + 0.5),
        people_for_bottleneck=needed["p_bottleneck"],
        people_to_publish=next((m for m in range(1, largest + 1) if _all_shown(design, m) >= power), None),
        curve=curve,
        gap=float(gap),
        n_units=n_units,
        power=power,
        tier=tier,
        response_rate=response_rate,
        minimum_group=minimum_group,
        largest=largest,
        n_simulations=n_simulations,
    )


def _check_numbers(**given: object) -> None:
    for name, value in given.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"{name}={value!r} must be a number")


def _check_whole(**given: object) -> None:
    for name, value in given.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name}={value!r} must be a whole number")


def _check(design: _Design, power: float, tier: str, largest: int, n_simulations: int) -> None:
    if tier not in ("likely", "established"):
        raise ValueError(f"tier={tier!r} must be 'likely' or 'established'")
    ranges = {
        "gap": (0 < design.gap <= 100, "above 0 and at most 100 points"),
        "n_units": (2 <= design.n_units <= MOST_UNITS, f"2 to {MOST_UNITS:,}"),
        "power": (0 < power < 1, "between 0 and 1"),
        "n_scales": (1 <= design.n_scales <= MOST_SCALES, f"1 to {MOST_SCALES}"),
        "icc": (0 <= design.icc < 1, "at least 0 and below 1"),
        "standard_deviation": (0 < design.standard_deviation <= 50, "above 0 and at most 50 points"),
        "reliability": (0 < design.reliability < 1, "between 0 and 1"),
        "n_items": (design.n_items >= 1, "at least 1"),
        "response_rate": (0 < design.response_rate <= 1, "above 0 and at most 1"),
        "smallest_gap": (0 < design.settings.smallest_gap <= 50, "above 0 and at most 50 points"),
    }
    given = {**vars(design), "power": power, "smallest_gap": design.settings.smallest_gap}
    for name, (fine, choices) in ranges.items():
        if not fine:
            raise ValueError(f"{name}={given[name]!r} must be {choices}")
    minimum = design.settings.minimum_group
    if minimum < 3:
        raise ValueError(f"minimum_group={minimum!r} must be at least 3")
    if largest <= minimum:
        raise ValueError(f"largest={largest!r} must be above minimum_group={minimum}")
    if n_simulations < 2:
        raise ValueError(f"n_simulations={n_simulations!r} must be at least 2")
    if design.settings.seed < 0:
        raise ValueError(f"seed={design.settings.seed!r} must be at least 0")


def _curve(
    design: _Design, largest: int, n_simulations: int, seed: int, progress: Callable[[float], None] | None
) -> pd.DataFrame:
    import pandas as pd

    smallest = design.settings.minimum_group
    sizes = np.unique(np.round(np.geomspace(smallest, largest, N_SIZES)).astype(int))
    normal = np.random.default_rng([seed, 0]).standard_normal((N_DRAWS, 3))
    rows = []
    for place, people in enumerate(sizes):
        rng = np.random.default_rng([seed, int(people)])
        found = np.array([_study(design, int(people), rng, normal) for _ in range(n_simulations)], dtype=float)
        rows.append(found.mean(axis=0))
        if progress is not None:
            progress((place + 1) / len(sizes))
    chances = np.column_stack([_rising(column) for column in np.array(rows).T])
    return pd.DataFrame(
        {
            "people": sizes,
            "expected_answers": sizes * design.response_rate,
            "p_shown": [_all_shown(design, int(people)) for people in sizes],
            **dict(zip(TARGETS, chances.T, strict=True)),
            "simulation_error": np.sqrt(chances * (1 - chances) / n_simulations).max(axis=1),
        }
    )


def _all_shown(design: _Design, people: int) -> float:
    """Chance that every unit has enough answers; withholding one would take another with it."""
    from scipy.special import bdtrc

    enough = float(bdtrc(design.settings.minimum_group - 1, people, design.response_rate))
    return float(np.nan_to_num(enough)) ** design.n_units if people >= design.settings.minimum_group else 0.0


def _study(design: _Design, people: int, rng: np.random.Generator, normal: np.ndarray) -> tuple[bool, bool, bool]:
    """One simulated study: the gap in the first unit and scale is likely, is established; its bottleneck is named."""
    n = rng.binomial(people, design.response_rate, design.n_units)
    shown = n >= design.settings.minimum_group
    if not shown[0] or (n > 0).sum() < 2:
        return False, False, False
    order = np.flatnonzero(n > 0)
    n, shown = n[order].astype(float), shown[order]
    tier = _tier_of_gap(design, n, shown, rng)
    return tier in ("likely", "established"), tier == "established", _named(design, n, rng, normal)


def _tier_of_gap(design: _Design, n: np.ndarray, shown: np.ndarray, rng: np.random.Generator) -> object:
    settings, scales = design.settings, design.n_scales
    centre = design.between * rng.standard_normal((scales, len(n)))
    centre[0, 0] = (centre[0, 1:] @ n[1:]) / n[1:].sum() - design.gap
    mean = centre + design.standard_deviation * rng.standard_normal((scales, len(n))) / np.sqrt(n)
    within = design.standard_deviation**2 * rng.chisquare(np.maximum(n - 1, 1), (scales, len(n))) * (n > 1)
    total = n * mean
    squares = within + n * mean**2
    sums = [_pooled(np.vstack([n, total[scale], squares[scale]]), shown) for scale in range(scales)]
    contrasts = [contrast for contrast in (unit_contrasts(*column) for column in sums) if contrast is not None]
    if len(contrasts) < scales:
        return None
    told = slice(0, int(shown.sum()))
    gap, error = (np.concatenate([getattr(c, name)[told] for c in contrasts]) for name in ("gap", "standard_error"))
    p, p_minimum = (minimum_effect_p(gap, error, contrasts[0].df, least) for least in (0.0, settings.minimum_effect))
    q, q_minimum = directional_rates(p, gap), benjamini_hochberg(p_minimum)
    people, totals, of_squares = sums[0]
    kept = shrinkage_weights(people, totals, pooled_variance(people, totals, of_squares)[0])
    shrunk = gap[told] * limited_weights(kept[told], gap[told], error[told])
    first = slice(0, 1)
    reliability = np.array([_estimated_reliability(design, int(n.sum()), rng)])
    tiers, _ = tiers_of(q[first], q_minimum[first], shrunk[first], gap[first], n[first], reliability, settings)
    return tiers[0] if gap[0] < 0 else None


def _pooled(sums: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The units shown, and behind them all others as one group."""
    if shown.all():
        return sums
    return np.column_stack([sums[:, shown], sums[:, ~shown].sum(axis=1)])


def _estimated_reliability(design: _Design, n: int, rng: np.random.Generator) -> float:
    """Alpha that a sample gives, by the F distribution of ``(1 - alpha) / (1 - estimate)`` (Feldt, 1965)."""
    if design.n_items < 2 or n < 2:
        return NOT_APPLICABLE
    return 1 - (1 - design.reliability) / float(rng.f(n - 1, (n - 1) * (design.n_items - 1)))


def _named(design: _Design, n: np.ndarray, rng: np.random.Generator, normal: np.ndarray) -> bool:
    """Whether the state that is lower by the gap is named in the first unit."""
    settings = design.settings
    shape = np.full((3, 3), STATE_CORRELATION) + (1 - STATE_CORRELATION) * np.eye(3)
    covariance = design.standard_deviation**2 * shape
    root = np.linalg.cholesky(covariance)
    others = n[1:].sum()
    means = root @ rng.standard_normal(3) / math.sqrt(n[0]) - np.array([design.gap, 0.0, 0.0])
    reference = root @ rng.standard_normal(3) / math.sqrt(others)
    profile = StateProfile(np.full(3, n[0]), means, reference, np.full(3, others), covariance)
    return judge_states(profile, normal, settings).bottleneck == "know"


def _rising(chances: np.ndarray) -> np.ndarray:
    """The closest sequence that never falls: neighbours that do are replaced by their mean.

    Examples
    --------
    >>> _rising(np.array([0.1, 0.5, 0.3, 0.9])).tolist()
    [0.1, 0.4, 0.4, 0.9]
    """
    blocks: list[list[float]] = []
    for chance in chances:
        blocks.append([float(chance), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, size = blocks.pop()
            before, length = blocks[-1]
            blocks[-1] = [(before * length + value * size) / (length + size), length + size]
    return np.concatenate([np.full(int(size), value) for value, size in blocks])


def _needed(curve: pd.DataFrame, name: str, power: float) -> int | None:
    """People with whom the chance reaches the wanted power, between the sizes that were simulated."""
    people, chances = curve["people"].to_numpy(float), curve[name].to_numpy(float)
    reached = np.flatnonzero(chances >= power)
    if not len(reached):
        return None
    place = int(reached[0])
    if place == 0:
        return int(people[0])
    low, high = chances[place - 1], chances[place]
    share = (power - low) / (high - low)
    needed = float(people[place - 1] + share * (people[place] - people[place - 1]))
    return math.ceil(needed - 1e-9)
