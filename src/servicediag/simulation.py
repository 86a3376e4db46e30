"""Studies with planted gaps: people of whom the truth is known, answering an instrument as people do."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from servicediag.instrument.model import Dimension, Instrument, Item
from servicediag.results import as_html, short_repr

if TYPE_CHECKING:
    from servicediag.responses import Responses

__all__ = ["AnswerProcess", "Effect", "SimulatedStudy", "simulate"]

_RARE_TROUBLE = 90.0
"""Average health of what customers report: troubles are rare, so most answers sit at the healthy end."""
_USUAL = 66.0
_REACH = 1.0
"""An effect may not bring an item nearer than this to the ends of its scale, in points."""


@dataclass(frozen=True)
class Effect:
    """A planted difference: where, in what, and how many points of health.

    Attributes
    ----------
    unit : str or None
        Name of the unit; None plants the effect in every unit.
    target : str
        A dimension id (``instrument/dimension`` where ids repeat) or an item code.
    points : float
        Change of the expected health on the 0-100 metric; negative is worse, for strengths and weaknesses alike.
    among : (str, str) or None
        Only for respondents of that category of a background column, such as ``("promise_broken", "yes")``; None for
        everybody of the unit.

    Examples
    --------
    >>> Effect("North", "seven-sins/rule", -20)
    Effect(unit='North', target='seven-sins/rule', points=-20, among=None)
    """

    unit: str | None
    target: str
    points: float
    among: tuple[str, str] | None = None


@dataclass(frozen=True)
class AnswerProcess:
    """How people come to an answer; the defaults are those of ordinary staff and customer surveys.

    Attributes
    ----------
    halo : float, 0 to 1
        Correlation between any two latent dimensions of a person, made by one general factor. Observed scales then
        correlate at about ``halo`` times their reliability, .3 to .6 for the default and its neighbours.
    loading : float, 0 to 1
        Mean loading of an item on its dimension; items differ by up to .08, fixed by their code.
    icc : float, 0 to 1
        Share of the latent variance that lies between units apart from what is planted.
    item_spread : float
        Items differ in expected health by up to this many points, fixed by their code.
    overdispersion : float, between 0 and 1
        Spread of the answers: 0 gives binomial answers, larger values fill the ends of the scale.
    acquiescence : float, 0 to 1
        Share of people who drift towards the upper end of the printed scale whatever is asked.
    careless : float, 0 to 1
        Share of people who do not read: half tick one column, half tick at random. Planted effects shrink by
        this share.
    missing : float, 0 to 1
        Chance that a single answer is left blank; unhappy people leave a little more blank.
    no_answer_option : float, 0 to 1
        Chance of ticking an option such as "does not apply" where the scale has one.
    breakoff : float, 0 to 1
        Share of people who stop before the end.
    """

    halo: float = 0.5
    loading: float = 0.75
    icc: float = 0.05
    item_spread: float = 5.0
    overdispersion: float = 0.12
    acquiescence: float = 0.05
    careless: float = 0.03
    missing: float = 0.02
    no_answer_option: float = 0.03
    breakoff: float = 0.02

    def __post_init__(self) -> None:
        for name in ("halo", "loading", "icc", "acquiescence", "careless", "missing", "no_answer_option", "breakoff"):
            _check(name, getattr(self, name), 0.0, 1.0)
        _check("item_spread", self.item_spread, 0.0, 50.0)
        _check("overdispersion", self.overdispersion, 0.0, 0.95)


@dataclass(frozen=True, repr=False, eq=False)
class SimulatedStudy:
    """One simulated export with the truth beside it.

    Attributes
    ----------
    parts : tuple of (Instrument, form id)
    answers : DataFrame, shape (n_respondents, n_items)
        Raw codes of the response scales; missing answers are NaN.
    missing : DataFrame of the same shape
        Why an answer is missing; empty text where there is an answer.
    respondents : DataFrame
        Column ``unit``, and one for each background column.
    planted : DataFrame
        A row a planted effect: ``unit`` (None: every unit), ``instrument, dimension, item`` (None: all), ``points``,
        ``background, category`` (None: everybody).
    true_health : DataFrame
        Expected health, 0 to 100, of attentive people who answer everything: a row a ``unit, instrument, dimension``
        with the planted effects (``health``) and without them (``health_without_effects``).
    """

    parts: tuple[tuple[Instrument, str], ...]
    answers: pd.DataFrame
    missing: pd.DataFrame
    respondents: pd.DataFrame
    planted: pd.DataFrame
    true_health: pd.DataFrame

    def __repr__(self) -> str:
        names = ", ".join(f"{instrument.id}:{form}" for instrument, form in self.parts)
        counts = [("n_respondents", len(self.answers)), ("n_planted", len(self.planted))]
        return short_repr("SimulatedStudy", [("parts", names), *counts])

    def _repr_html_(self) -> str:
        return as_html(repr(self))

    def labelled(self, language: str = "en") -> pd.DataFrame:
        """The export as people have it: question texts as headings, labels as answers, blanks as None."""
        columns: list[pd.Series[Any]] = [self.respondents[name] for name in self.respondents.columns]
        for instrument, form in self.parts:
            for item in instrument.form_items(form):
                labels = instrument.options(item.code, form, language)
                reasons = instrument.missing_options(item.code, form, language)
                answers = self.answers[item.code].map(labels).astype(object)
                answers = answers.where(answers.notna(), self.missing[item.code].map(reasons).astype(object))
                text = instrument.text(item.code, form, language)
                columns.append(answers.where(answers.notna(), None).rename(text))
        return pd.concat(columns, axis=1)

    def responses(self, language: str = "en") -> Responses:
        """The same answers as ``read_responses`` reads them from the labelled export; nobody is set aside."""
        from servicediag.responses import read_responses

        instruments: list[Instrument] = [instrument for instrument, _ in self.parts]
        forms = {instrument.id: form for instrument, form in self.parts}
        return read_responses(
            self.labelled(language), instruments, form=forms, unit="unit", language=language, minimum_completed=0.0
        )


@dataclass(frozen=True)
class _Question:
    """An item of a part, its answers sorted by health: ``values`` in points, ``thresholds`` on the latent scale."""

    instrument: Instrument
    form: str
    dimension: Dimension
    item: Item
    codes: np.ndarray
    values: np.ndarray
    thresholds: np.ndarray
    loading: float

    def expected_health(self, shift: float, spread: float = 1.0) -> float:
        """Expected health of people whose latent value has that mean and standard deviation."""
        from scipy.special import ndtr

        return float(self.values[0] + ndtr((shift - self.thresholds) / spread) @ np.diff(self.values))

    def shift_for(self, points: float) -> float:
        """The latent shift that changes the expected health by so many points."""
        if points == 0:
            return 0.0
        start = self.expected_health(0.0)
        goal = start + points
        if not self.values[0] + _REACH <= goal <= self.values[-1] - _REACH:
            raise ValueError(
                f"effects of {points:g} points on {self.item.code} are out of reach: "
                f"its expected health is {start:.0f}; plant less, or set its baseline"
            )
        low, high = -12.0, 12.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.expected_health(middle) < goal else (low, middle)
        return (low + high) / 2


def simulate(
    instrument: Any,
    *,
    form: str | Mapping[str, str] | None = None,
    n_units: int = 12,
    respondents_per_unit: int | Sequence[int] = 30,
    effects: Sequence[Effect] = (),
    seed: int = 0,
    unit_seed: int | None = None,
    unit_names: Sequence[str] | None = None,
    baseline: Mapping[str, float] | None = None,
    background: Mapping[str, Mapping[str, float]] | None = None,
    process: AnswerProcess | None = None,
) -> SimulatedStudy:
    """People in units answer one or more instruments, with the planted effects and otherwise without any.

    Parameters
    ----------
    instrument : Instrument, id, path, or a list of these
        A member of a list may be a pair ``(instrument, form id)``. Several instruments are answered by the same
        people and share their general factor.
    form : str or {instrument id: form id}, optional
        Default: the first form of each instrument.
    n_units : int
    respondents_per_unit : int, (low, high), or a sequence of ``n_units`` sizes
        A pair is a range from which sizes are drawn, both ends included, unless there are exactly two units.
    effects : sequence of Effect
        Effects on the same item add up.
    seed : int
        Seed of the people; the same arguments give the same answers.
    unit_seed : int, optional
        Seed of the units' own differences (``process.icc``); give the same one to several waves of an organisation.
    unit_names : sequence of str, optional
        Default: ``Unit 01`` and so on.
    baseline : {dimension: health}, optional
        Expected health of a dimension without effects, 0 to 100. Default: 90 for weaknesses that customers or mystery
        shoppers rate (rare troubles, so a floor effect), otherwise 66.
    background : {column: {category: share}}, optional
        Columns beside the answers, such as length of service, whether a promise was broken, or who served; each person
        belongs to a category by chance, in proportion to the shares. Effects may be planted in one category only.
    process : AnswerProcess, optional
        How people answer: halo, noise, acquiescence, carelessness, missing answers.

    Returns
    -------
    SimulatedStudy

    Raises
    ------
    ValueError
        An effect names an unknown unit, dimension or item, or is out of the scale's reach.

    Notes
    -----
    A person's latent health in a dimension is ``sqrt(halo) * general + sqrt(1 - halo) * specific`` plus the same for
    the unit; an item adds independent noise and is cut into categories whose shares, without effects, are
    beta-binomial around the baseline. Thresholds, loadings and item means depend on the item's code only, so that
    forms and waves are comparable. An effect is the latent shift that changes the item's expected health, over all
    units that could have been, by exactly the points asked for; in a given unit it may differ a little
    (``true_health``). The engine that diagnoses reads none of this.

    Examples
    --------
    >>> study = simulate("seven-sins", n_units=3, respondents_per_unit=20, seed=1,
    ...                  effects=[Effect("Unit 02", "rule", -15)], process=AnswerProcess(icc=0.0))
    >>> study
    SimulatedStudy(parts='seven-sins:customer', n_respondents=60, n_planted=1)
    >>> truth = study.true_health.query("dimension == 'rule'").set_index("unit")
    >>> (truth.health - truth.health_without_effects).round(1).tolist()
    [0.0, -15.0, 0.0]
    """
    process = process or AnswerProcess()
    parts = _parts(instrument, form)
    names = _unit_names(n_units, unit_names)
    rng = np.random.default_rng([seed, 1])
    unit = np.repeat(np.arange(n_units), _sizes(respondents_per_unit, n_units, rng))
    questions = list(_questions(parts, baseline or {}, process))
    groups = _drawn_background(background or {}, len(unit), seed)
    planted = _planted(effects, questions, names, groups)
    kinds, kind = _kinds_of_people(planted, groups)
    shifts = _shifts(_points(planted, questions, names, kinds), questions)

    dimensions = list(dict.fromkeys((q.instrument.id, q.dimension.id) for q in questions))
    place = np.array([dimensions.index((q.instrument.id, q.dimension.id)) for q in questions])
    units = _factors(np.random.default_rng([seed if unit_seed is None else unit_seed, 2]), n_units, dimensions, process)
    general = rng.standard_normal(len(unit))
    people = _factors(rng, len(unit), dimensions, process, general)
    latent = np.sqrt(process.icc) * units[unit] + np.sqrt(1 - process.icc) * people
    positions = _positions(questions, latent[:, place], shifts[:, unit, kind].T, rng)
    positions = _with_response_styles(positions, questions, process, rng)
    reasons = _reasons(questions, general, process, rng)

    codes = [question.item.code for question in questions]
    answers = np.column_stack([q.codes[positions[:, j]] for j, q in enumerate(questions)]).astype(float)
    return SimulatedStudy(
        parts=parts,
        answers=pd.DataFrame(np.where(reasons == "", answers, np.nan), columns=codes),
        missing=pd.DataFrame(reasons, columns=codes),
        respondents=pd.concat([pd.DataFrame({"unit": np.array(names, dtype=object)[unit]}), groups], axis=1),
        planted=planted,
        true_health=_true_health(questions, units[:, place], shifts, names, _shares(unit, kind, len(kinds)), process),
    )


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}={value!r} must lie between {low:g} and {high:g}")


def _parts(instrument: Any, form: str | Mapping[str, str] | None) -> tuple[tuple[Instrument, str], ...]:
    """The instruments with the form of each, from any of the accepted spellings."""
    members = instrument if isinstance(instrument, list) else [instrument]
    if not members:
        raise ValueError("instrument=[] must name at least one instrument")
    parts = []
    for member in members:
        chosen, own = member if isinstance(member, tuple) else (member, None)
        if isinstance(chosen, (str, Path)):
            from servicediag.instrument import load_instrument

            chosen = load_instrument(chosen)
        if not isinstance(chosen, Instrument):
            raise TypeError(f"instrument={member!r} must be an Instrument, an id, a path, or a list of these")
        wanted = own or (form.get(chosen.id) if isinstance(form, Mapping) else form)
        parts.append((chosen, chosen.form(wanted).id))
    return tuple(parts)


def _unit_names(n_units: int, unit_names: Sequence[str] | None) -> list[str]:
    if n_units < 1:
        raise ValueError(f"n_units={n_units!r} must be at least 1")
    if unit_names is None:
        width = max(2, len(str(n_units)))
        return [f"Unit {number:0{width}d}" for number in range(1, n_units + 1)]
    if len(set(unit_names)) != n_units:
        raise ValueError(f"unit_names must hold {n_units} different names (n_units), not {len(set(unit_names))}")
    return list(unit_names)


def _sizes(respondents_per_unit: int | Sequence[int], n_units: int, rng: np.random.Generator) -> np.ndarray:
    """Respondents of each unit."""
    given = np.atleast_1d(np.asarray(respondents_per_unit))
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer) or given.min() < 1:
        raise ValueError(f"respondents_per_unit={respondents_per_unit!r} must be whole numbers of at least 1")
    if len(given) == 1:
        return np.full(n_units, given[0])
    if len(given) == n_units:
        return given
    if len(given) == 2 and given[0] <= given[1]:
        return rng.integers(given[0], given[1] + 1, size=n_units)
    raise ValueError(
        f"respondents_per_unit={respondents_per_unit!r} must be one size, (low, high), or {n_units} sizes (n_units)"
    )


def _questions(
    parts: Sequence[tuple[Instrument, str]], baseline: Mapping[str, float], process: AnswerProcess
) -> Iterator[_Question]:
    """Every item of every part with its categories and thresholds."""
    from scipy.special import ndtri

    known = {name for part, _ in parts for d in part.dimensions for name in (d.id, f"{part.id}/{d.id}")}
    if unknown := sorted(set(baseline) - known):
        raise ValueError(f"baseline names {', '.join(unknown)}; choose from {', '.join(sorted(known))}")
    for instrument, form in parts:
        rare = instrument.form(form).rater in ("customer", "mystery_shopper")
        for item in instrument.form_items(form):
            dimension = instrument.dimension(item.dimension)
            usual = _RARE_TROUBLE if rare and dimension.direction == "weakness" else _USUAL
            mean = baseline.get(f"{instrument.id}/{dimension.id}", baseline.get(dimension.id, usual))
            _check(f"baseline[{dimension.id!r}]", mean, 2 * _REACH, 100 - 2 * _REACH)
            mean += process.item_spread * _fixed_by_code(item.code, "mean")
            codes = np.array(instrument.scale(item.code, form).codes)
            if (dimension.direction == "weakness") != item.reverse_keyed:
                codes = codes[::-1]
            shares = _category_shares(np.clip(mean, 2 * _REACH, 100 - 2 * _REACH) / 100, len(codes), process)
            yield _Question(
                instrument=instrument,
                form=form,
                dimension=dimension,
                item=item,
                codes=codes,
                values=100.0 * np.abs(codes - codes[0]) / (codes.max() - codes.min()),
                thresholds=ndtri(np.cumsum(shares)[:-1]),
                loading=float(np.clip(process.loading + 0.08 * _fixed_by_code(item.code, "loading"), 0.0, 1.0)),
            )


def _fixed_by_code(code: str, purpose: str) -> float:
    """A number between -1 and 1 that belongs to the item, whatever the seed."""
    return zlib.crc32(f"{purpose}:{code}".encode()) / 0xFFFFFFFF * 2 - 1


def _category_shares(mean: float, n_categories: int, process: AnswerProcess) -> np.ndarray:
    """Beta-binomial shares of the categories, from unhealthy to healthy."""
    from scipy.special import betaln, gammaln

    n, k = n_categories - 1, np.arange(n_categories)
    strength = 1 / max(process.overdispersion, 1e-6) - 1
    a, b = mean * strength, (1 - mean) * strength
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    shares = np.exp(choose + betaln(k + a, n - k + b) - betaln(a, b))
    return np.asarray(shares / shares.sum())


def _drawn_background(background: Mapping[str, Mapping[str, float]], n: int, seed: int) -> pd.DataFrame:
    """A category for each person in every background column."""
    rng = np.random.default_rng([seed, 3])
    columns = {}
    for name, shares in background.items():
        weights = np.array(list(shares.values()), dtype=float)
        if name == "unit" or not len(weights) or not np.isfinite(weights).all() or weights.min() <= 0:
            raise ValueError(f"background={name!r} must be a column other than unit with shares above 0")
        codes = rng.choice(len(weights), size=n, p=weights / weights.sum())
        columns[name] = np.array(list(shares), dtype=object)[codes]
    return pd.DataFrame(columns, index=range(n), dtype=object)


def _planted(
    effects: Sequence[Effect], questions: Sequence[_Question], names: Sequence[str], groups: pd.DataFrame
) -> pd.DataFrame:
    """The effects with their targets found."""
    rows = []
    for effect in effects:
        if effect.unit is not None and effect.unit not in names:
            raise ValueError(f"effect.unit={effect.unit!r} is not a unit; choose from {', '.join(names)}")
        if effect.among is not None and effect.among[0] not in groups.columns:
            choices = ", ".join(groups.columns) or "none"
            raise ValueError(f"effect.among={effect.among!r} names no background column; choose from {choices}")
        instrument_id, _, short = effect.target.rpartition("/")
        found = {
            (q.instrument.id, q.dimension.id, q.item.code if short == q.item.code else None)
            for q in questions
            if short in (q.dimension.id, q.item.code) and instrument_id in ("", q.instrument.id)
        }
        if len(found) != 1:
            choices = ", ".join(sorted({f"{q.instrument.id}/{q.dimension.id}" for q in questions}))
            problem = "is held by several instruments" if found else "is neither a dimension nor an item here"
            raise ValueError(f"effect.target={effect.target!r} {problem}; choose from {choices}")
        rows.append((effect.unit, *found.pop(), float(effect.points), *(effect.among or (None, None))))
    columns = ["unit", "instrument", "dimension", "item", "points", "background", "category"]
    frame = pd.DataFrame(rows, columns=columns)
    text_columns = [name for name in columns if name != "points"]
    frame[text_columns] = frame[text_columns].astype(object)
    return frame.where(frame.notna(), None)


def _kinds_of_people(
    planted: pd.DataFrame, groups: pd.DataFrame
) -> tuple[list[frozenset[tuple[str, str]]], np.ndarray]:
    """The different sets of categories in which something is planted, and which of them each person belongs to."""
    named = planted.loc[planted["background"].notna(), ["background", "category"]]
    pairs = list(dict.fromkeys(named.itertuples(index=False, name=None)))
    member = np.zeros((len(groups), len(pairs)), dtype=bool)
    for column, (name, category) in enumerate(pairs):
        member[:, column] = groups[name].to_numpy() == category
    patterns, kind = np.unique(member, axis=0, return_inverse=True)
    kinds = [frozenset(pair for pair, inside in zip(pairs, pattern, strict=True) if inside) for pattern in patterns]
    return kinds, kind.reshape(-1)


def _points(
    planted: pd.DataFrame,
    questions: Sequence[_Question],
    names: Sequence[str],
    kinds: Sequence[frozenset[tuple[str, str]]],
) -> np.ndarray:
    """Points planted, questions x units x kinds of people."""
    points = np.zeros((len(questions), len(names), len(kinds)))
    for effect in planted.to_dict("records"):
        units = slice(None) if effect["unit"] is None else names.index(effect["unit"])
        pair = (effect["background"], effect["category"])
        touched = np.array([pair[0] is None or pair in kind for kind in kinds])
        for row, question in enumerate(questions):
            here = (question.instrument.id, question.dimension.id) == (effect["instrument"], effect["dimension"])
            if here and effect["item"] in (None, question.item.code):
                points[row, units] += float(effect["points"]) * touched
    return points


def _shifts(points: np.ndarray, questions: Sequence[_Question]) -> np.ndarray:
    """The latent shifts that plant these points; each different number is solved for once a question."""
    shifts = np.zeros_like(points)
    for row, question in enumerate(questions):
        different, place = np.unique(points[row], return_inverse=True)
        solved = np.array([question.shift_for(float(value)) for value in different])
        shifts[row] = solved[place.reshape(points[row].shape)]
    return shifts


def _shares(unit: np.ndarray, kind: np.ndarray, n_kinds: int) -> np.ndarray:
    """Share of each kind of people in every unit, units x kinds."""
    counts = np.bincount(unit * n_kinds + kind).astype(float)
    counts.resize((int(unit.max()) + 1) * n_kinds)
    table = counts.reshape(-1, n_kinds)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _factors(
    rng: np.random.Generator,
    n: int,
    dimensions: Sequence[tuple[str, str]],
    process: AnswerProcess,
    general: np.ndarray | None = None,
) -> np.ndarray:
    """Latent health of n people or units in every dimension: one general factor and a specific one each."""
    if general is None:
        general = rng.standard_normal(n)
    specific = rng.standard_normal((n, len(dimensions)))
    return np.asarray(np.sqrt(process.halo) * general[:, None] + np.sqrt(1 - process.halo) * specific)


def _positions(
    questions: Sequence[_Question], latent: np.ndarray, shifts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Position of each answer among the item's categories in order of health, people x questions."""
    loadings = np.array([question.loading for question in questions])
    value = loadings * latent + np.sqrt(1 - loadings**2) * rng.standard_normal(latent.shape) + shifts
    return np.column_stack([np.searchsorted(q.thresholds, value[:, j]) for j, q in enumerate(questions)])


def _with_response_styles(
    positions: np.ndarray, questions: Sequence[_Question], process: AnswerProcess, rng: np.random.Generator
) -> np.ndarray:
    """Some people drift towards the upper end of the printed scale, and some do not read."""
    n_people = len(positions)
    last = np.array([len(question.codes) - 1 for question in questions])
    upwards = np.array([1 if question.codes[-1] > question.codes[0] else -1 for question in questions])
    drift = (rng.random(n_people) < process.acquiescence)[:, None] & (rng.random(positions.shape) < 0.5)
    positions = np.clip(positions + drift * upwards, 0, last)

    careless = rng.random(n_people) < process.careless
    at_random = np.floor(rng.random(positions.shape) * (last + 1)).astype(int)
    column = np.minimum(rng.integers(0, last.max() + 1, size=n_people)[:, None], last)
    one_column = np.where(upwards > 0, column, last - column)
    unread = np.where((rng.random(n_people) < 0.5)[:, None], one_column, at_random)
    return np.where(careless[:, None], unread, positions)


def _reasons(
    questions: Sequence[_Question], general: np.ndarray, process: AnswerProcess, rng: np.random.Generator
) -> np.ndarray:
    """Why an answer is missing, people x questions; empty text where there is one."""
    shape = (len(general), len(questions))
    reasons = np.full(shape, "", dtype=object)
    ticked = rng.random(shape) < process.no_answer_option
    which = rng.random(shape)
    for column, question in enumerate(questions):
        language = question.instrument.languages[0]
        offered = list(question.instrument.missing_options(question.item.code, question.form, language))
        if offered:
            chosen = np.array(offered, dtype=object)[np.floor(which[:, column] * len(offered)).astype(int)]
            reasons[:, column] = np.where(ticked[:, column], chosen, "")
    # exp(-0.4 g) has mean exp(0.08) for a standard normal g: the average chance stays ``process.missing``.
    chance = np.minimum(process.missing * np.exp(-0.4 * general - 0.08), 1.0)
    reasons[rng.random(shape) < chance[:, None]] = "blank"
    stop = np.where(rng.random(len(general)) < process.breakoff, rng.random(len(general)), 1.0)
    reasons[np.arange(len(questions)) >= np.maximum(stop * len(questions), 1)[:, None]] = "blank"
    return reasons


def _true_health(
    questions: Sequence[_Question],
    units: np.ndarray,
    shifts: np.ndarray,
    names: Sequence[str],
    shares: np.ndarray,
    process: AnswerProcess,
) -> pd.DataFrame:
    """Expected health of every unit in every dimension, over its people and the items that count in the score."""
    rows = []
    for column, question in enumerate(questions):
        if not question.item.in_score:
            continue
        spread = float(np.sqrt(1 - question.loading**2 * process.icc))
        own = question.loading * np.sqrt(process.icc) * units[:, column]
        for unit, name in enumerate(names):
            rows.append(
                {
                    "unit": name,
                    "instrument": question.instrument.id,
                    "dimension": question.dimension.id,
                    "health": sum(
                        share * question.expected_health(own[unit] + shift, spread)
                        for share, shift in zip(shares[unit], shifts[column, unit], strict=True)
                    ),
                    "health_without_effects": question.expected_health(own[unit], spread),
                }
            )
    keys = ["unit", "instrument", "dimension"]
    return pd.DataFrame(rows).groupby(keys, sort=False, as_index=False).mean()
