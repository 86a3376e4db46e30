"""Organisations of which the truth is known, made without any code of the engine that is to judge them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from servicediag.instrument import load_instrument

EVEN = (0.04, 0.12, 0.28, 0.38, 0.18)
"""Shares of the five answers from worst to best; a scale of five items then has a standard deviation near 20 points."""
SKEWED = (0.02, 0.04, 0.09, 0.25, 0.60)
POINTS = np.array([0.0, 25.0, 50.0, 75.0, 100.0])


@dataclass(frozen=True)
class Scale:
    """A dimension as one group of raters answers it."""

    instrument: str
    form: str
    rater: str
    dimension: str
    weakness: bool
    items: tuple[str, ...]

    @property
    def reference(self) -> str:
        return f"{self.instrument}/{self.dimension}"


@dataclass(frozen=True)
class AnswerModel:
    """How people answer; the defaults are what the engine assumes, everything else is a model it does not know of.

    ``selection``: correlation between a person's general satisfaction and answering at all, while units differ in
    their response rate between 30 and 90 %.
    """

    name: str = "plain"
    halo: float = 0.5
    loading: float = 0.75
    icc: float = 0.0
    shares: tuple[float, ...] = EVEN
    acquiescence: float = 0.0
    careless: float = 0.0
    selection: float = 0.0
    sizes: tuple[int, int] = (8, 39)
    unequal: bool = False


WRONG_MODELS = (
    AnswerModel("halo (one general factor, r about .65)", halo=0.85),
    AnswerModel("correlated scales, r about .45", halo=0.65),
    AnswerModel("acquiescence of 15 % of people", acquiescence=0.15),
    AnswerModel("careless 10 %", careless=0.10),
    AnswerModel("skew, 60 % at the best answer", shares=SKEWED),
    AnswerModel("ICC .02", icc=0.02),
    AnswerModel("ICC .15", icc=0.15),
    AnswerModel("missing not at random, response 30-90 %", selection=0.3),
    AnswerModel("unequal units, 5 to 300", unequal=True),
)
CARELESS = AnswerModel("careless 10 % and acquiescence 5 %", careless=0.10, acquiescence=0.05)


@dataclass(frozen=True, eq=False)
class Group:
    """The answers of one group of raters, and the truth about them.

    ``answers``: people x items, points of health; ``truth``: units x scales, expected health of attentive people;
    ``planted``: units x scales, points planted on the whole scale.
    """

    scales: tuple[Scale, ...]
    unit: np.ndarray
    answers: np.ndarray
    truth: np.ndarray
    planted: np.ndarray

    @cached_property
    def column_scale(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.scales)), [len(scale.items) for scale in self.scales])

    @cached_property
    def health(self) -> np.ndarray:
        """Scores of people, people x scales, in points of health."""
        inside = self.column_scale[:, None] == np.arange(len(self.scales))
        return np.asarray(self.answers @ (inside / inside.sum(axis=0)))

    @cached_property
    def n(self) -> np.ndarray:
        return np.bincount(self.unit, minlength=len(self.truth))

    @cached_property
    def true_gap(self) -> np.ndarray:
        """True health of a unit minus that of all other respondents, units x scales."""
        n = self.n[:, None]
        rest = ((n * self.truth).sum(axis=0) - n * self.truth) / (n.sum() - n)
        return np.asarray(self.truth - rest)


@dataclass(frozen=True, eq=False)
class Organisation:
    """Groups of raters in the same units."""

    groups: tuple[Group, ...]
    n_units: int

    @property
    def units(self) -> list[str]:
        return [f"Unit {number:02d}" for number in range(1, self.n_units + 1)]


Effects = Mapping[tuple[int, str], float]
"""What is planted: ``{(unit, instrument/dimension or item code): points of health}``."""


@lru_cache(maxsize=64)
def scales_of(instrument: str, form: str, dimensions: tuple[str, ...] = ()) -> tuple[Scale, ...]:
    """Dimensions of a form with their scored items."""
    loaded = load_instrument(instrument)
    chosen = loaded.form(form)
    codes = {item.code for item in loaded.form_items(form)}
    found = []
    for dimension in loaded.dimensions:
        items = tuple(item.code for item in dimension.scored_items if item.code in codes)
        if items and (not dimensions or dimension.id in dimensions):
            weak = dimension.direction == "weakness"
            found.append(Scale(instrument, form, chosen.rater, dimension.id, weak, items))
    return tuple(found)


CUSTOMERS = scales_of("seven-sins", "customer")
EMPLOYEES = (
    *scales_of("readiness", "employee", ("know", "want", "can")),
    *scales_of("four-tools", "receiver", ("comm", "feed", "capa", "conf")),
)
"""Fourteen scales with the customers' seven."""


def organisation(
    model: AnswerModel,
    seed: int,
    groups: Sequence[tuple[Scale, ...]] = (CUSTOMERS, EMPLOYEES),
    n_units: int = 20,
    effects: Effects | None = None,
) -> Organisation:
    """One organisation; the same arguments give the same answers."""
    rng = np.random.default_rng(seed)
    return Organisation(tuple(_group(model, rng, scales, n_units, effects or {}) for scales in groups), n_units)


def planted_at_random(
    seed: int, points: float, share: float = 0.10, scales: Sequence[Scale] = (*CUSTOMERS, *EMPLOYEES), n_units: int = 20
) -> Effects:
    """Gaps to the rest of that size, on average, in a share of all unit x scale cells.

    Where several units are planted in one scale the rest is lower too, so each of them is planted lower by as much.
    """
    rng = np.random.default_rng([seed, 99])
    cells = [(unit, scale.reference) for unit in range(n_units) for scale in scales]
    chosen = [cells[place] for place in rng.choice(len(cells), size=round(share * len(cells)), replace=False)]
    often = Counter(reference for _, reference in chosen)
    return {(unit, reference): -points / (1 - (often[reference] - 1) / (n_units - 1)) for unit, reference in chosen}


def _group(
    model: AnswerModel,
    rng: np.random.Generator,
    scales: tuple[Scale, ...],
    n_units: int,
    effects: Effects,
) -> Group:
    unit = np.repeat(np.arange(n_units), _sizes(model, rng, n_units))
    general = rng.standard_normal(len(unit))
    if model.selection:
        answering = _answering(model, rng, unit, general, n_units)
        unit, general = unit[answering], general[answering]
    column = np.repeat(np.arange(len(scales)), [len(scale.items) for scale in scales])
    own, common = np.sqrt(1 - model.halo), np.sqrt(model.halo)
    of_unit = common * rng.standard_normal((n_units, 1)) + own * rng.standard_normal((n_units, len(scales)))
    of_person = common * general[:, None] + own * rng.standard_normal((len(unit), len(scales)))
    latent = np.sqrt(model.icc) * of_unit[unit] + np.sqrt(1 - model.icc) * of_person
    points = _item_points(scales, n_units, effects)
    shift = _shifts(points, model.shares)
    noise = rng.standard_normal((len(unit), len(column)))
    position = model.loading * latent[:, column] + np.sqrt(1 - model.loading**2) * noise + shift[unit]
    answer = np.searchsorted(_thresholds(model.shares), position)
    answer = _response_styles(answer, model, rng, np.array([scales[c].weakness for c in column]))
    centre = model.loading * np.sqrt(model.icc) * of_unit[:, column] + shift
    spread = np.sqrt(1 - model.loading**2 * model.icc)
    expected = 100 - 25 * ndtr((_thresholds(model.shares) - centre[..., None]) / spread).sum(axis=-1)
    inside = column[:, None] == np.arange(len(scales))
    inside = inside / inside.sum(axis=0)
    return Group(scales, unit, POINTS[answer], expected @ inside, points @ inside)


def _sizes(model: AnswerModel, rng: np.random.Generator, n_units: int) -> np.ndarray:
    if model.unequal:
        return np.clip(np.exp(rng.normal(3.3, 1.1, n_units)), 5, 300).astype(int)
    low, high = model.sizes
    sizes = rng.integers(low, high + 1, size=n_units)
    return sizes * 2 if model.selection else sizes


def _answering(
    model: AnswerModel, rng: np.random.Generator, unit: np.ndarray, general: np.ndarray, n_units: int
) -> np.ndarray:
    border = ndtri(rng.uniform(0.30, 0.90, n_units))
    willing = model.selection * general + np.sqrt(1 - model.selection**2) * rng.standard_normal(len(unit))
    return np.asarray(-willing < border[unit])


def _item_points(scales: Sequence[Scale], n_units: int, effects: Effects) -> np.ndarray:
    """Points planted on each item, units x items."""
    columns = [(scale.reference, item) for scale in scales for item in scale.items]
    points = np.zeros((n_units, len(columns)))
    for place, names in enumerate(columns):
        for unit in range(n_units):
            points[unit, place] = sum(effects.get((unit, name), 0.0) for name in names)
    return points


def _thresholds(shares: tuple[float, ...]) -> np.ndarray:
    return np.asarray(ndtri(np.cumsum(shares)[:-1]))


def _shifts(points: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """The latent shifts that change the expected health of an item by so many points."""
    shifts = np.zeros_like(points)
    for value in np.unique(points[points != 0]):
        shifts[points == value] = _shift(float(value), shares)
    return shifts


@lru_cache(maxsize=256)
def _shift(points: float, shares: tuple[float, ...]) -> float:
    borders = _thresholds(shares)
    goal = 100 - 25 * float(ndtr(borders).sum()) + points
    if not 1 <= goal <= 99:
        raise ValueError(f"{points:g} points are out of reach of an item with answers {shares}")
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 100 - 25 * float(ndtr(borders - middle).sum()) < goal else (low, middle)
    return (low + high) / 2


def _response_styles(
    answer: np.ndarray, model: AnswerModel, rng: np.random.Generator, weakness: np.ndarray
) -> np.ndarray:
    """Some drift to the upper end of the printed scale, some do not read: half tick one column, half at random."""
    upwards = np.where(weakness, -1, 1)
    drift = (rng.random(len(answer)) < model.acquiescence)[:, None] & (rng.random(answer.shape) < 0.5)
    answer = np.clip(answer + drift * upwards, 0, 4)
    careless = rng.random(len(answer)) < model.careless
    column = np.broadcast_to(rng.integers(0, 5, size=(len(answer), 1)), answer.shape)
    unread = np.where(
        (rng.random(len(answer)) < 0.5)[:, None],
        np.where(weakness, 4 - column, column),
        rng.integers(0, 5, size=answer.shape),
    )
    return np.where(careless[:, None], unread, answer)
