"""Answers to dimension scores, 0 to 100, and to person-level indicators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from servicediag.responses.model import FIRST_MISSING, Part, Responses

if TYPE_CHECKING:
    from servicediag.instrument.model import Dimension

__all__ = ["INCIDENT_FROM", "SEVERE_FROM", "Scores", "dimension_key", "item_points", "score"]

_MISSING_BELOW = FIRST_MISSING + 64
"""Every code below this is a missing reason; response scales never reach that far down."""

ROWS_AT_ONCE = 65_536
"""Rows whose points are looked up together, so that they stay in the processor's cache."""
INCIDENT_FROM = 50.0
"""Points from which a directly keyed behaviour counts as met: "sometimes" on a five-point frequency scale."""
SEVERE_FROM = 75.0
"""Points from which it counts as met often."""
BEHAVIOUR_SCALES = ("frequency", "extent", "presence")
"""Response scales on which a behaviour is reported; the name of a scale begins with one of these."""
CUT = 50.0
"""Convention: below the middle of the scale a person's score counts as low."""
BORDERLINE = 5.0
"""Convention: points around the cut within which a person is not assigned to a side. It is fixed, so that parts of a
study add up to the whole."""


def item_points(part: Part, code: str, codes: np.ndarray) -> np.ndarray:
    """Answers to one item as 0-100 points in the direction of its dimension's name; missing is NaN."""
    # an index is looked up twice as fast as ``np.take``, which copies the index first
    return np.asarray(code_points(part, code)[codes.astype(np.int8, copy=False).view(np.uint8)])


def is_answer(codes: np.ndarray) -> np.ndarray:
    """Which codes stand for an answer rather than for a reason why there is none."""
    return np.asarray(codes >= _MISSING_BELOW)


def code_points(part: Part, code: str) -> np.ndarray:
    """Points of each of the 256 codes that an answer to an item can be held as, those of 0 first, of -1 last."""
    minimum, maximum = part.bounds(code)
    codes = np.arange(256).astype(np.int8)
    points = (codes.astype(np.float64) - minimum) * (100.0 / (maximum - minimum))
    if part.instrument.item(code).reverse_keyed:
        points = 100.0 - points
    points[codes < _MISSING_BELOW] = np.nan
    return points


def dimension_key(responses: Responses, part: Part, dimension: Dimension) -> str:
    """``dimension`` or, where two instruments of the export share the id, ``instrument/dimension``."""
    shared = sum(d.id == dimension.id for p in responses.parts for d in p.instrument.dimensions) > 1
    return f"{part.instrument.id}/{dimension.id}" if shared else dimension.id


@dataclass(frozen=True)
class DimensionScore:
    """Scores of one dimension with the rule that gave them."""

    part: Part
    dimension: Dimension
    values: np.ndarray
    n_items: int
    minimum_items: int


def score_dimension(responses: Responses, part: Part, dimension: Dimension) -> DimensionScore | None:
    """Mean of the answered items where enough are answered; None where too few items are in the export at all."""
    in_form = set(part.form.items)
    declared = [item for item in dimension.scored_items if item.code in in_form]
    present = [item.code for item in declared if item.code in responses.codes]
    needed = max(1, math.ceil(dimension.minimum_answered * len(declared) - 1e-9))
    if not present or len(present) < needed:
        return None
    of_bounds: dict[tuple[int, int], list[tuple[np.ndarray, bool]]] = {}
    for code in present:
        keyed = responses.codes[code], part.instrument.item(code).reverse_keyed
        of_bounds.setdefault(part.bounds(code), []).append(keyed)
    values = np.full(len(responses), np.nan)
    for begin in range(0, len(responses), ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        total, answered = np.zeros(len(values[rows])), np.zeros(len(values[rows]), dtype=np.int16)
        for bounds, columns in of_bounds.items():
            _add_points(bounds, columns, rows, total, answered)
        np.divide(total, answered, out=values[rows], where=answered >= needed)
    return DimensionScore(part, dimension, values, len(declared), needed)


def _add_points(
    bounds: tuple[int, int],
    columns: Sequence[tuple[np.ndarray, bool]],
    rows: slice,
    total: np.ndarray,
    answered: np.ndarray,
) -> None:
    """Add the points of some respondents' answers on one response scale, and how many answers there are.

    ``columns`` holds the codes of each item, and whether it is reverse-keyed. Steps of the scale, which are whole
    numbers, are added up faster than points.
    """
    steps = np.zeros(len(total), dtype=np.int32)
    lowest, highest = np.array(bounds, dtype=np.int8).view(np.uint8)
    for column, reverse_keyed in columns:
        given = is_answer(column[rows])
        answered += given
        # a difference of bytes is right even where one of signed bytes would not fit
        codes = column[rows].view(np.uint8)
        steps += given * (highest - codes if reverse_keyed else codes - lowest)
    total += steps * (100.0 / (bounds[1] - bounds[0]))


def score_all(responses: Responses) -> tuple[DimensionScore, ...]:
    """Scores of every dimension of every part that can be scored."""
    scored = (score_dimension(responses, part, d) for part in responses.parts for d in part.dimensions)
    return tuple(s for s in scored if s is not None)


@dataclass(frozen=True, repr=False, eq=False)
class Scores:
    """Scores of the respondents. Working data of the analyst: not for release.

    Attributes
    ----------
    values : DataFrame, respondents x dimensions
        0 to 100 in the direction of the dimension's name: a high sin score is bad. NaN where fewer items than the
        instrument's ``minimum_answered`` were answered.
    indicators : DataFrame, respondents x indicators
        1.0, 0.0 or NaN: ``<sin>_incidence``, ``<sin>_severe_incidence``, ``three_or_more_incident``,
        ``blocked_only_by_<know|want|can>``, ``quadrant_<ready|over_confident|under_confident|unequipped|borderline>``.
    rules : DataFrame
        A row a dimension: items in the form, answers needed for a score, respondents scored.
    """

    responses: Responses
    values: pd.DataFrame
    indicators: pd.DataFrame
    rules: pd.DataFrame
    _dimensions: Mapping[str, DimensionScore] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Scores(n_respondents={len(self.values)}, dimensions={list(self.values.columns)})"

    def _repr_html_(self) -> str:
        note = "<p>Working data of the analyst: not for release.</p>"
        return note + str(self.rules.to_html(index=False, escape=True))

    def to_frame(self) -> pd.DataFrame:
        """Respondent fields, scores and indicators side by side, a row a respondent. Not for release."""
        return pd.concat([self.responses.respondents, self.values, self.indicators], axis=1)

    def to_markdown(self, path: str | Path | None = None, *, language: str = "en", overwrite: bool = False) -> str:
        """Means, deviations and correlations in APA form as Markdown; see ``servicediag.report.research_table``."""
        from servicediag.report import research_table

        return research_table(self, "markdown", path=path, language=language, overwrite=overwrite)

    def to_latex(self, path: str | Path | None = None, *, language: str = "en", overwrite: bool = False) -> str:
        """Means, deviations and correlations in APA form as LaTeX; see ``servicediag.report.research_table``."""
        from servicediag.report import research_table

        return research_table(self, "latex", path=path, language=language, overwrite=overwrite)

    def to_word(self, path: str | Path, *, language: str = "en", overwrite: bool = False) -> Path:
        """Means, standard deviations and correlations in APA form as a Word document; needs ``servicediag[word]``."""
        from servicediag.report import research_table

        return Path(research_table(self, "docx", path=path, language=language, overwrite=overwrite))

    @cached_property
    def _favourable(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Per dimension: answers on the good side of the middle, and answers given, per respondent."""
        counts = {}
        for key, scored in self._dimensions.items():
            good = np.zeros(len(self.responses))
            given = np.zeros(len(self.responses))
            sign = 1 if scored.dimension.direction == "strength" else -1
            for item in scored.dimension.scored_items:
                if item.code in self.responses.codes:
                    points = item_points(scored.part, item.code, self.responses.codes[item.code])
                    given += ~np.isnan(points)
                    good += np.nan_to_num(sign * (points - 50.0)) > 0
            counts[key] = (good, given)
        return counts

    def by(self, column: str = "unit") -> pd.DataFrame:
        """A row a group and dimension. Working data: small groups are shown here, so it is not for release.

        Parameters
        ----------
        column : str
            A column of ``responses.respondents``.

        Returns
        -------
        DataFrame
            The grouping column, ``dimension, n, mean, sd, ci_low, ci_high`` (95 % t interval; NaN below 2
            respondents) and ``share_favourable``, the share of all given answers on the good side of the
            scale's middle (0-1).
        """
        respondents = self.responses.respondents
        if column not in respondents.columns:
            raise ValueError(f"column={column!r} is not a respondent column; choose from {list(respondents.columns)}")
        codes, groups = pd.factorize(respondents[column], sort=True)
        frames = [self._by_dimension(key, codes, len(groups)) for key in self.values.columns]
        for frame, key in zip(frames, self.values.columns, strict=True):
            frame.insert(0, "dimension", key)
            frame.insert(0, column, list(groups))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[column, "dimension"])

    def _by_dimension(self, key: str, codes: np.ndarray, n_groups: int) -> pd.DataFrame:
        from scipy.special import stdtrit

        values = self.values[key].to_numpy()
        known = ~np.isnan(values) & (codes >= 0)
        n = np.bincount(codes[known], minlength=n_groups).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(codes[known], values[known], minlength=n_groups) / n
            deviations = (values[known] - mean[codes[known]]) ** 2
            sd = np.sqrt(np.bincount(codes[known], deviations, minlength=n_groups) / np.where(n > 1, n - 1, np.nan))
            half = stdtrit(np.maximum(n - 1, 1), 0.975) * sd / np.sqrt(n)
            good, given = (
                np.bincount(codes[codes >= 0], column[codes >= 0], minlength=n_groups)
                for column in self._favourable[key]
            )
            share = np.where(given > 0, good / given, np.nan)
        return pd.DataFrame(
            {"n": n.astype(int), "mean": mean, "sd": sd, "ci_low": mean - half, "ci_high": mean + half,
             "share_favourable": share}
        )  # fmt: skip


def score(responses: Responses) -> Scores:
    """Score every dimension of an export on 0-100 by the declared bounds and keys.

    Parameters
    ----------
    responses : Responses
        Coded answers, from ``read_responses``.

    Returns
    -------
    Scores
        ``.values`` (respondents x dimensions), ``.indicators``, ``.by("unit")``, ``.to_frame()``.

    Notes
    -----
    ``100 * (raw - minimum) / (maximum - minimum)`` with the bounds of the response scale, ``100 -`` that for
    reverse-keyed items; the dimension's score is the mean of the answered items if at least the instrument's
    ``minimum_answered`` share of them is answered. Nothing is imputed, and the observed range is never used.

    Examples
    --------
    >>> import servicediag as sd
    >>> study = sd.simulate("readiness", form="employee", n_units=3, respondents_per_unit=10, seed=1)
    >>> scores = sd.score(study.responses())
    >>> list(scores.values.columns)[:3], scores.values.shape[0]
    (['know', 'want', 'can'], 30)
    """
    scored = score_all(responses)
    keyed = {dimension_key(responses, s.part, s.dimension): s for s in scored}
    index = responses.respondents.index
    values = pd.DataFrame({key: s.values for key, s in keyed.items()}, index=index)
    rules = pd.DataFrame(
        [
            {
                "instrument": s.part.instrument.id,
                "dimension": s.dimension.id,
                "title": s.dimension.title,
                "direction": s.dimension.direction,
                "measurement": s.dimension.measurement,
                "n_items": s.n_items,
                "minimum_items": s.minimum_items,
                "n_scored": int((~np.isnan(s.values)).sum()),
            }
            for s in scored
        ]
    )
    indicators = pd.DataFrame(
        {name: column.astype(float) for (_, name), column in person_indicators(responses, scored).items()}, index=index
    )
    return Scores(responses, values, indicators, rules, keyed)


def person_indicators(responses: Responses, scored: tuple[DimensionScore, ...]) -> dict[tuple[str, str], np.ndarray]:
    """Indicators that need a person's whole record, ``{(instrument, name): 1.0 / 0.0 / NaN}``."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for part in responses.parts:
        mine = {s.dimension.id: s for s in scored if s.part is part}
        found.update({(part.instrument.id, k): v for k, v in _incidence(responses, part).items()})
        if part.form.rater != "employee":
            continue  # what others think of a person's state is no state of that person
        if {"know", "want", "can"} <= set(mine):
            found.update({(part.instrument.id, k): v for k, v in _blocked_only_by(mine).items()})
        if {"conf", "capa"} <= set(mine):
            found.update({(part.instrument.id, k): v for k, v in _quadrants(mine).items()})
    return found


def _incidence(responses: Responses, part: Part) -> dict[str, np.ndarray]:
    """Met at least one directly keyed behaviour at "sometimes" (or "often") or more, per reflective weakness."""
    found: dict[str, np.ndarray] = {}
    for dimension in part.dimensions:
        if dimension.direction != "weakness" or not _is_behaviour(part, dimension):
            continue
        in_form = set(part.form.items)
        direct = [i.code for i in dimension.scored_items if not i.reverse_keyed and i.code in in_form]
        present = [code for code in direct if code in responses.codes]
        if not present:
            continue
        # "never met it" needs enough answers to be believed; "met it" needs one
        needed = max(1, math.ceil(dimension.minimum_answered * len(direct) - 1e-9))
        answered = np.zeros(len(responses), dtype=np.int16)
        met, met_often = np.zeros((2, len(responses)), dtype=bool)
        for code in present:
            column = responses.codes[code]
            answered += is_answer(column)
            met |= column >= _first_code(part, code, INCIDENT_FROM)
            met_often |= column >= _first_code(part, code, SEVERE_FROM)
        enough = answered >= needed
        found[f"{dimension.id}_incidence"] = _indicator(met, met | enough)
        found[f"{dimension.id}_severe_incidence"] = _indicator(met_often, met_often | enough)
    incident = [column for name, column in found.items() if name.endswith("_incidence") and "_severe_" not in name]
    if len(incident) >= 3:
        n_met, unknown = np.zeros(len(responses), dtype=np.uint8), np.zeros(len(responses), dtype=bool)
        for column in incident:
            n_met += column == 1.0
            unknown |= np.isnan(column)
        found["three_or_more_incident"] = _indicator(n_met >= 3, (n_met >= 3) | ~unknown)
    return found


def _indicator(holds: np.ndarray, known: np.ndarray) -> np.ndarray:
    """1.0, 0.0 or NaN; there are many such columns, and half the memory of a score is enough for them."""
    return np.where(known, holds, np.float32(np.nan))


def _first_code(part: Part, code: str, points: float) -> np.int8:
    """Lowest code of a directly keyed item that is worth so many points or more."""
    reached = np.arange(256).astype(np.int8)[code_points(part, code) >= points]
    return np.int8(reached.min())


def _is_behaviour(part: Part, dimension: Dimension) -> bool:
    """Reflective, and asked as how often or whether something happened: agreement has no "sometimes"."""
    scales = {part.instrument.scale(item.code, part.form.id).id for item in dimension.scored_items}
    asked = all(scale.startswith(BEHAVIOUR_SCALES) for scale in scales)
    return dimension.measurement == "reflective" and asked


def _blocked_only_by(scored: Mapping[str, DimensionScore]) -> dict[str, np.ndarray]:
    """One of know, want, can below the cut and the two others not."""
    values = {d: scored[d].values for d in ("know", "want", "can")}
    known = ~np.logical_or.reduce([np.isnan(one) for one in values.values()])
    low = {d: one < CUT for d, one in values.items()}
    one_low = np.add.reduce(list(low.values()), dtype=np.uint8) == 1
    return {f"blocked_only_by_{d}": _indicator(low[d] & one_low, known) for d in low}


def _quadrants(scored: Mapping[str, DimensionScore]) -> dict[str, np.ndarray]:
    """Confidence x capability; a score near the cut makes a person *borderline*."""
    confidence, capability = scored["conf"].values, scored["capa"].values
    known = ~np.isnan(confidence) & ~np.isnan(capability)
    borderline = (np.abs(confidence - CUT) <= BORDERLINE) | (np.abs(capability - CUT) <= BORDERLINE)
    sure, able = confidence > CUT, capability > CUT
    regions = {
        "ready": sure & able & ~borderline,
        "over_confident": sure & ~able & ~borderline,
        "under_confident": ~sure & able & ~borderline,
        "unequipped": ~sure & ~able & ~borderline,
        "borderline": borderline,
    }
    return {f"quadrant_{name}": _indicator(region, known) for name, region in regions.items()}
