"""Computes the indices of careless answering from coded answers, each where there is enough to compute it from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics.careless import (
    even_odd_consistency,
    intra_individual_variability,
    longstring,
    mahalanobis,
    mahalanobis_probability,
    psychometric_synonyms,
    similar_pairs,
)
from servicediag.responses.model import missing_code
from servicediag.responses.normalise import normal_text

if TYPE_CHECKING:
    from servicediag.responses.model import Part, Responses

__all__ = ["Block", "Indices", "compute_indices"]

_SHORTEST_BLOCK = 10
_FEWEST_SCALES = 4
_FEW_PAIRS = 5
_FEWEST_OPTIONS = 4
_RESPONDENTS_AN_ITEM = 5
_HALF_A_STEP = 0.5
_NOT_ANSWERED = tuple(missing_code(reason) for reason in ("blank", "declared", "unreadable"))
_DURATIONS = ("duration (in seconds)", "interviewtime", "time_sum", "所用时间", "所用時間")
_SECONDS = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,9})?)\s?(?:s|sec|secs|seconds|秒)?\.?")
_CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{2}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True)
class Block:
    """Items with the same response options, one after another in the form.

    Attributes
    ----------
    is_mixed : bool
        Whether some of them say the opposite of others, so that the same answer to all of them makes no sense.
    """

    items: tuple[str, ...]
    scale: str
    is_mixed: bool

    fewest = _SHORTEST_BLOCK

    @property
    def is_judged(self) -> bool:
        """Whether it is long enough for a run to say something."""
        return len(self.items) >= _SHORTEST_BLOCK


@dataclass
class Indices:
    """A row a respondent, the runs within every block, and why an index is missing or weak."""

    frame: pd.DataFrame
    runs: list[tuple[Block, np.ndarray]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def compute_indices(responses: Responses, duration: str | None) -> Indices:
    """Every index for every respondent; NaN, with a note, where there is too little to compute it from.

    Raises
    ------
    ValueError
        There is no column called ``duration``.
    """
    indices = Indices(pd.DataFrame(index=responses.respondents.index))
    blocks = list(_blocks(responses))
    _add_runs(indices, responses, blocks)
    _add_variability(indices, responses, blocks)
    shares = _shares(responses, list(_items(responses)))
    reflective = shares[[code for _, code in _reflective_items(responses)]]
    _add_distance(indices, shares, reflective)
    _add_spread(indices, responses, shares)
    _add_consistency(indices, responses, reflective)
    _add_contradictions(indices, responses)
    answered = _n_answered(responses)
    _add_seconds(indices, responses, duration, answered)
    n_items = max(len(responses.codes), 1)
    indices.frame["missing_share"] = 1 - answered / n_items
    return indices


# ------------------------------------------------------------------------------------------------------ runs and spread


def _blocks(responses: Responses) -> Iterator[Block]:
    """The stretches of items with one response scale, in the order of each form."""
    for part in responses.parts:
        present = set(part.items)
        direction = {
            item.code: item.reverse_keyed != (dimension.direction == "weakness")
            for dimension in part.instrument.dimensions
            for item in dimension.items
        }
        items: list[str] = []
        before = ""
        for code in part.form.items:
            if code not in present:
                continue
            scale = part.instrument.scale(code, part.form.id).id
            if items and scale != before:
                yield _block(items, before, direction)
                items = []
            items.append(code)
            before = scale
        if items:
            yield _block(items, before, direction)


def _block(items: list[str], scale: str, direction: Mapping[str, bool]) -> Block:
    return Block(tuple(items), scale, len({direction[code] for code in items}) > 1)


def _add_runs(indices: Indices, responses: Responses, blocks: list[Block]) -> None:
    answers = responses.answers
    longest = np.zeros(len(answers), dtype=np.int64)
    lengths = np.zeros(len(answers), dtype=np.int64)
    for block in blocks:
        run = longstring(answers[list(block.items)]).to_numpy()
        indices.runs.append((block, run))
        is_longer = run > longest
        lengths[is_longer] = len(block.items)
        longest = np.maximum(longest, run)
    indices.frame["longstring"] = longest
    indices.frame["longstring_block"] = lengths
    indices.frame["longstring_percentile"] = _percentile(indices.frame["longstring"])
    if not any(block.is_judged for block in blocks):
        text = f"no {_SHORTEST_BLOCK} items with the same response options stand in a row, so no run is judged."
        indices.notes["longstring"] = text


def _add_variability(indices: Indices, responses: Responses, blocks: list[Block]) -> None:
    """Over the items of the response scale that most items have: answers on others cannot be set beside them."""
    by_scale: dict[str, list[str]] = {}
    for block in blocks:
        by_scale.setdefault(block.scale, []).extend(block.items)
    items = max(by_scale.values(), key=len, default=[])
    spread = intra_individual_variability(responses.answers[items]) if items else math.nan
    indices.frame["intra_individual_variability"] = spread
    indices.frame["intra_individual_variability_percentile"] = _percentile(
        indices.frame["intra_individual_variability"]
    )
    if len(by_scale) > 1:
        text = f"over the {len(items)} items that share the most frequent response options."
        indices.notes["intra_individual_variability"] = text


def _percentile(values: pd.Series) -> pd.Series:
    return values.rank(method="max", pct=True)


# ------------------------------------------------------------------------------------------- distance and consistency


def _items(responses: Responses) -> Iterator[tuple[Part, str]]:
    for part in responses.parts:
        yield from ((part, code) for code in part.items)


def _reflective_items(responses: Responses) -> Iterator[tuple[Part, str]]:
    for part in responses.parts:
        present = set(part.items)
        for dimension in part.dimensions:
            if dimension.measurement == "reflective":
                yield from ((part, item.code) for item in dimension.scored_items if item.code in present)


def _shares(responses: Responses, items: list[tuple[Part, str]]) -> pd.DataFrame:
    """Keyed answers on a common range, from 0 to 1."""
    keyed = responses.keyed
    columns = {}
    for part, code in items:
        minimum, maximum = part.bounds(code)
        columns[code] = (keyed[code] - minimum) / max(maximum - minimum, 1)
    return pd.DataFrame(columns, index=keyed.index)


def _add_distance(indices: Indices, shares: pd.DataFrame, reflective: pd.DataFrame) -> None:
    """Over all items, whatever they measure; over those of reflective dimensions where there are too few people."""
    constant = [str(code) for code in shares if shares[code].nunique() < 2]
    remarks = []
    varying = shares.drop(columns=constant)
    indices.frame["mahalanobis"] = _or_note(indices, "mahalanobis", mahalanobis, varying)
    if "mahalanobis" in indices.notes and 2 <= len(reflective.columns) < len(shares.columns):
        del indices.notes["mahalanobis"]
        remarks.append("over the items of reflective dimensions only, since there are too few respondents for all.")
        constant = [code for code in constant if code in reflective]
        varying = reflective.drop(columns=constant)
        indices.frame["mahalanobis"] = _or_note(indices, "mahalanobis", mahalanobis, varying)
    if "mahalanobis" in indices.notes:
        indices.frame["mahalanobis_p"] = math.nan
        return
    indices.frame["mahalanobis_p"] = np.asarray(mahalanobis_probability(varying), dtype=np.float64)
    if constant:
        remarks.append(f"without items to which all gave the same answer: {', '.join(constant)}.")
    if len(shares) < _RESPONDENTS_AN_ITEM * varying.shape[1]:
        remarks.append(
            f"{len(shares)} respondents are few for {varying.shape[1]} items: people who are far from the others are "
            "partly hidden, since they belong to the sample that they are compared with."
        )
    if remarks:
        indices.notes["mahalanobis"] = " ".join(remarks)


def _add_spread(indices: Indices, responses: Responses, shares: pd.DataFrame) -> None:
    """Spread of the answers turned to one direction, as a share of that of answers ticked at random.

    Random answers use every option alike; whoever answers one thing after another by what it says, for the better or
    the worse throughout, keeps to a part of them.
    """
    weaknesses = {
        item.code
        for part in responses.parts
        for dimension in part.instrument.dimensions
        for item in dimension.items
        if dimension.direction == "weakness"
    }
    items = [
        (part, code)
        for part, code in _items(responses)
        if len(part.instrument.scale(code, part.form.id).codes) >= _FEWEST_OPTIONS
    ]
    turned = pd.DataFrame(
        {code: 1 - shares[code] if code in weaknesses else shares[code] for _, code in items}, index=shares.index
    )
    expected = np.array([_random_variance(part, code) for part, code in items])
    given = turned.notna().to_numpy()
    answered = given.sum(axis=1)
    variance = np.divide(given @ expected, answered, out=np.full(len(turned), math.nan), where=answered > 0)
    enough = answered >= _SHORTEST_BLOCK
    spread = np.asarray(intra_individual_variability(turned), dtype=np.float64) if len(turned.columns) else math.nan
    indices.frame["spread"] = np.where(enough, spread / np.sqrt(variance), math.nan)
    if not enough.any():
        text = f"needs answers to {_SHORTEST_BLOCK} items of {_FEWEST_OPTIONS} options or more."
        indices.notes["spread"] = text


def _random_variance(part: Part, code: str) -> float:
    """Variance of an answer for which each option of the item is as likely, on the range from 0 to 1."""
    options = np.array(part.instrument.scale(code, part.form.id).codes, dtype=np.float64)
    return float(np.var(options / max(np.ptp(options), 1)))


def _add_consistency(indices: Indices, responses: Responses, shares: pd.DataFrame) -> None:
    scales: dict[Hashable, Sequence[Hashable]] = {}
    for part in responses.parts:
        for dimension in part.dimensions:
            codes = [item.code for item in dimension.scored_items if item.code in shares]
            if dimension.measurement == "reflective" and len(codes) > 1:
                scales[f"{part.instrument.id}/{dimension.id}"] = codes
    if len(scales) < _FEWEST_SCALES:
        indices.frame["even_odd_consistency"] = math.nan
        indices.notes["even_odd_consistency"] = (
            f"needs at least {_FEWEST_SCALES} reflective dimensions of two items or more; there are {len(scales)}."
        )
    else:
        indices.frame["even_odd_consistency"] = _or_note(
            indices, "even_odd_consistency", lambda answers: even_odd_consistency(answers, scales), shares
        )
    indices.frame["psychometric_synonyms"] = _or_note(indices, "psychometric_synonyms", psychometric_synonyms, shares)
    if "psychometric_synonyms" not in indices.notes and (n_pairs := len(similar_pairs(shares))) < _FEW_PAIRS:
        indices.notes["psychometric_synonyms"] = f"rests on {n_pairs} pairs of items only."


def _or_note(
    indices: Indices, name: str, statistic: Callable[[pd.DataFrame], pd.Series], answers: pd.DataFrame
) -> np.ndarray | float:
    """The values of a statistic; NaN and a note where it is undefined."""
    try:
        return np.asarray(statistic(answers), dtype=np.float64)
    except InsufficientDataError as error:
        indices.notes[name] = (
            str(error) if len(answers.columns) else "there are no scored items of reflective dimensions."
        )
        return math.nan


def _add_contradictions(indices: Indices, responses: Responses) -> None:
    """Dimensions where the reverse-keyed items and the mean of the others are both at the same end of the raw scale."""
    answers = responses.answers
    found = np.zeros(len(answers), dtype=np.int64)
    possible = np.zeros(len(answers), dtype=np.int64)
    n_dimensions = 0
    for part in responses.parts:
        for dimension in part.dimensions:
            present = [item for item in dimension.scored_items if item.code in part.items]
            turned = [item.code for item in present if item.reverse_keyed]
            plain = [item.code for item in present if not item.reverse_keyed]
            if dimension.measurement != "reflective" or not turned or not plain:
                continue
            n_dimensions += 1
            minimum, maximum = part.bounds(plain[0])
            means = [answers[codes].mean(axis=1).to_numpy() for codes in (turned, plain)]
            possible += ~np.isnan(means[0] + means[1])
            both_high = np.logical_and(*(mean >= maximum - _HALF_A_STEP for mean in means))
            both_low = np.logical_and(*(mean <= minimum + _HALF_A_STEP for mean in means))
            found += both_high | both_low
    indices.frame["contradictions"] = np.where(possible > 0, found.astype(float), math.nan)
    indices.frame["contradictions_possible"] = possible
    if not n_dimensions:
        indices.notes["contradictions"] = "no reflective dimension has both reverse-keyed and other scored items."


# ------------------------------------------------------------------------------------------------------- time and gaps


def _n_answered(responses: Responses) -> np.ndarray:
    """Items that someone answered; "does not apply" and "don't know" are answers here."""
    answered = np.zeros(len(responses), dtype=np.int64)
    for column in responses.codes.values():
        answered += ~np.isin(column, _NOT_ANSWERED)
    return answered


def _add_seconds(indices: Indices, responses: Responses, duration: str | None, answered: np.ndarray) -> None:
    name = "seconds_per_item"
    column = _duration_column(responses.respondents, duration)
    if column is None:
        indices.frame[name] = math.nan
        indices.notes[name] = "no column of durations was found; name it with duration=."
        return
    values = responses.respondents[column]
    seconds = _seconds(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        indices.frame[name] = np.where(answered > 0, seconds / np.maximum(answered, 1), math.nan)
    unread = int((np.isnan(seconds) & values.notna().to_numpy()).sum())
    if duration is None:
        indices.notes[name] = f"from the column {column!r}."
    if unread:
        before = indices.notes.get(name, "")
        indices.notes[name] = f"{before} {unread} durations are no positive number of seconds.".strip()


def _duration_column(respondents: pd.DataFrame, duration: str | None) -> object | None:
    if duration is None:
        known = {normal_text(str(name)): name for name in respondents.columns}
        return next((known[name] for name in _DURATIONS if name in known), None)
    if duration not in respondents.columns:
        choices = ", ".join(map(str, respondents.columns)) or "there are none"
        raise ValueError(f"duration={duration!r} is not a column of respondents; choose from {choices}")
    return duration


def _seconds(values: pd.Series) -> np.ndarray:
    """Durations as seconds; what is not positive, or no duration, is NaN."""
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        seconds = values.dt.total_seconds().to_numpy(dtype=np.float64)
    else:
        texts = values.map(_parse_seconds, na_action="ignore")
        seconds = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    return np.where(seconds > 0, seconds, math.nan)


def _parse_seconds(value: object) -> float:
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    text = normal_text(str(value))
    if match := _SECONDS.fullmatch(text):
        return float(match[1].replace(",", "."))
    if match := _CLOCK.fullmatch(text):
        return 3600 * int(match[1] or 0) + 60 * int(match[2]) + float(match[3])
    return math.nan
