"""Attitudes by length of service: does the organisation keep what it hires?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, Place, gap_draft, index_rows, judge
from servicediag.diagnosis.levels import level_verdict
from servicediag.wording.telling import sentence

__all__ = ["Gradient", "band_gradient", "tenure_gaps"]

GAP = "tenure_gradient"
FEWEST_BANDS = 3
SURVIVORS = sentence("finding.abstention.survivors")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Gradient:
    """Fitted difference between the last and the first of ordered bands, with its standard error.

    Attributes
    ----------
    first, last : float
        Mean of the outer bands.
    first_error, last_error : float
        Their standard errors.
    n : int
        Respondents of all bands.
    smallest : int
        Respondents of the smallest band.
    """

    difference: float
    error: float
    df: int
    n: int
    smallest: int
    first: float
    last: float
    first_error: float
    last_error: float
    first_df: int
    last_df: int


def band_gradient(n: np.ndarray, total: np.ndarray, squares: np.ndarray, position: np.ndarray) -> Gradient | None:
    """Least-squares line over ordered bands, from the sums of each band.

    Parameters
    ----------
    n, total, squares : arrays, shape (n_bands,)
        Respondents, sum and sum of squares of each band.
    position : array, shape (n_bands,)
        Place of each band in the order.

    Returns
    -------
    Gradient or None
        None with fewer than three bands, with fewer than two people in an outer one, or where nobody differs.

    Examples
    --------
    Three bands of two people each, with the scores 80 and 84, 70 and 74, 60 and 64, fall by 10 points a band.

    >>> n = np.array([2.0, 2.0, 2.0])
    >>> means = np.array([82.0, 72.0, 62.0])
    >>> found = band_gradient(n, n * means, n * means**2 + 8, np.arange(3))
    >>> found.difference, round(found.error, 3), found.df
    (-20.0, 2.449, 4)
    """
    order = np.argsort(position)
    n, total, squares, position = (values[order].astype(float) for values in (n, total, squares, position))
    if len(n) < FEWEST_BANDS or n[[0, -1]].min() < 2:
        return None
    means = total / n
    centre = (n @ position) / n.sum()
    spread = n @ (position - centre) ** 2
    slope = (n * (position - centre)) @ means / spread
    grand = total.sum() / n.sum()
    residual = squares.sum() - n.sum() * grand**2 - slope**2 * spread
    df = int(n.sum() - 2)
    length = position[-1] - position[0]
    error = length * np.sqrt(max(residual, 0.0) / df / spread)
    if not error > 0:
        return None
    outer = np.maximum(squares - n * means**2, 0.0)[[0, -1]] / (n[[0, -1]] - 1) / n[[0, -1]]
    return Gradient(
        float(slope * length), float(error), df, int(n.sum()), int(n.min()), float(means[0]), float(means[-1]),
        float(np.sqrt(outer[0])), float(np.sqrt(outer[1])), int(n[0] - 1), int(n[-1] - 1),
    )  # fmt: skip


def tenure_gaps(study: GapStudy) -> GapReport:
    """How attitudes differ from the newest to the longest-serving staff."""
    found = list(_gradients(study))
    if not found:
        definition = study.definitions.tenure_gradient
        asked = (study.segments["background"] == definition.field).any()
        beside = {"field": definition.field, "references": ", ".join(definition.references)}
        missing = (
            NotMeasured.told(GAP, "TOO_FEW", "tenure_bands", bands=FEWEST_BANDS, **beside)
            if asked
            else NotMeasured.told(GAP, "ONE_SIDE_MISSING", "tenure", **beside)
        )
        return GapReport(not_measured=(missing,))
    numbers = np.array([(g.difference, g.error, g.df, g.n) for *_, g in found])
    trust = [[study.trust.get((about["instrument"], about["form"], place[2], about["dimension"]))]
             for place, about, _ in found]  # fmt: skip
    judgements = judge(numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3], trust, study.settings)
    rows: list[Row] = []
    drafts: list[Draft] = []
    for (place, about, gradient), judgement in zip(found, judgements, strict=True):
        reading = _reading(study, f"{about['instrument']}/{about['dimension']}", gradient)
        part = f"{about['instrument']}/{about['dimension']} ({about['form']})"
        half = float(stdtrit(gradient.df, 0.975)) * gradient.error
        low, high = gradient.difference - half, gradient.difference + half
        rows.append((place, GAP, part, gradient.difference, low, high, gradient.n, reading))
        if gradient.difference < 0 and judgement.tier in ("established", "likely"):
            drafts.append(_draft(study, place, about, gradient, judgement, reading))
    return GapReport(tuple(drafts), {"indexes": index_rows(rows)})


def _draft(
    study: GapStudy, place: Place, about: Mapping[str, str], gradient: Gradient, judgement: Any, reading: str
) -> Draft:
    return gap_draft(
        "tenure_gradient",
        place,
        judgement,
        estimate=gradient.difference,
        error=gradient.error,
        df=gradient.df,
        n=gradient.n,
        comparator=sentence("finding.comparator.shortest_service"),
        settings=study.settings,
        about=(about["instrument"], about["form"], about["dimension"]),
        abstentions=(SURVIVORS,),
        values=(("first", gradient.first), ("last", gradient.last), ("reading", reading)),
        **about,
    )


def _gradients(study: GapStudy) -> Iterable[tuple[Place, dict[str, str], Gradient]]:
    from servicediag.instrument.background import load_background

    definition = study.definitions.tenure_gradient
    (bands,) = [tuple(f.options) for f in load_background() if f.id == definition.field]
    rows = study.segments
    rows = rows[(rows["kind"] == "score") & (rows["background"] == definition.field)]
    names = rows["instrument"] + "/" + rows["dimension"]
    rows = rows[names.isin(definition.references) & rows["rater"].isin(definition.raters)]
    if rows.empty:
        return
    current = study.cells.loc[study.cells["current"], ["instrument", "form", "wave"]].drop_duplicates()
    rows = rows.merge(current, on=["instrument", "form", "wave"])
    about_names = ["instrument", "form", "rater", "dimension"]
    for key, group in rows.groupby(["by", "unit", "wave", *about_names], sort=True):
        by, unit, wave, *texts = map(str, key)
        sign = float(group["sign"].iloc[0])
        gradient = band_gradient(*_health_sums(group, sign), np.array([bands.index(c) for c in group["category"]]))
        if gradient is not None:
            yield (by, unit, wave), dict(zip(about_names, texts, strict=True)), gradient


def _health_sums(group: pd.DataFrame, sign: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, total, squares = (group[name].to_numpy(float) for name in ("n", "total", "total_squares"))
    if sign > 0:
        return n, total, squares
    return n, 100 * n - total, 100**2 * n - 200 * total + squares


def _reading(study: GapStudy, reference: str, gradient: Gradient) -> str:
    """What the outer bands show together: an attitude that is lost, or one that was never there."""
    low, high = study.border([reference])
    first = level_verdict(np.array([gradient.first]), np.array([gradient.first_error]), gradient.first_df, low, high)[0]
    last = level_verdict(np.array([gradient.last]), np.array([gradient.last_error]), gradient.last_df, low, high)[0]
    known = {("high", "low"): "not_maintained", ("low", "low"): "low_from_the_start", ("high", "high"): "kept"}
    return known.get((str(first), str(last)), "undetermined")
