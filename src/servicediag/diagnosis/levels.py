"""Levels of several scores in the same groups, their means and differences with standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from servicediag.diagnosis.gap_study import GapStudy, Place

if TYPE_CHECKING:
    from servicediag.diagnosis.gap_documents import Member

__all__ = ["Estimate", "Panel", "level_verdict", "panel_of", "side_weights"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number a group: value, standard error, degrees of freedom, and the smallest n behind it; NaN where unknown."""

    value: np.ndarray
    error: np.ndarray
    df: np.ndarray
    n: np.ndarray

    @cached_property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of every group."""
        return self._interval(0.95)

    @cached_property
    def limits_90(self) -> tuple[np.ndarray, np.ndarray]:
        """90 % interval of every group."""
        return self._interval(0.90)

    def _interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        half = stdtrit(self.df, 0.5 + level / 2) * self.error
        return self.value - half, self.value + half

    @property
    def known(self) -> np.ndarray:
        """Positions of the groups that have a value and an error."""
        return np.flatnonzero(~np.isnan(self.value) & (self.error > 0))


@dataclass(frozen=True, eq=False)
class Panel:
    """Points of health of several scores or items, groups x references.

    Attributes
    ----------
    places : tuple of (by, unit, wave)
    references : tuple of str
        Those that were measured, in the order asked for.
    missing : tuple of str
        Those that were not.
    periods : frozenset of str
        Waves of the references; more than one means that they were not asked in the same period.
    covariance : array, groups x references x references
        Of the means, where the same people gave both scores of one export; 0 where that is unknown.
    unknown : array of bool, references x references
        Pairs that the same people may have answered without their covariance being known.
    forms : tuple of (instrument, form, wave, dimension)
        Where each reference was read, for its reliability.
    """

    places: tuple[Place, ...]
    references: tuple[str, ...]
    missing: tuple[str, ...]
    periods: frozenset[str]
    health: np.ndarray
    error: np.ndarray
    df: np.ndarray
    n: np.ndarray
    covariance: np.ndarray
    unknown: np.ndarray
    forms: tuple[tuple[str, str, str, str], ...]

    def mean(self, weights: np.ndarray) -> Estimate:
        """Weighted mean of references; unknown covariances count as perfect correlation, the widest possible."""
        used = np.flatnonzero(weights)
        values = self.health[:, used] @ weights[used]
        n = self.n[:, used].min(axis=1, initial=np.inf)
        variance = self._variance(weights, used)
        df = self.df[:, used].min(axis=1, initial=np.inf)
        return Estimate(values, np.sqrt(np.maximum(variance, 0.0)), np.maximum(df, 1.0), n)

    def difference(self, first: np.ndarray, second: np.ndarray) -> Estimate:
        """First mean minus second mean; a covariance between the two counts where it is known."""
        a, b = self.mean(first), self.mean(second)
        left, right = np.flatnonzero(first), np.flatnonzero(second)
        shared = np.einsum("i,gij,j->g", first[left], self.covariance[:, left][:, :, right], second[right])
        variance = np.maximum(a.error**2 + b.error**2 - 2 * shared, 0.0)
        return Estimate(a.value - b.value, np.sqrt(variance), np.minimum(a.df, b.df), np.minimum(a.n, b.n))

    def _variance(self, weights: np.ndarray, used: np.ndarray) -> np.ndarray:
        w = weights[used]
        known = np.einsum("i,gij,j->g", w, self.covariance[:, used][:, :, used], w)
        errors = self.error[:, used] * w
        bound = np.einsum("gi,ij,gj->g", errors, self.unknown[np.ix_(used, used)].astype(float), errors)
        return np.asarray(known + bound)


def panel_of(study: GapStudy, wanted: Sequence[tuple[str, tuple[str, ...]]]) -> Panel:
    """Levels of references, each by one kind of rater; where a form and its short form were asked, the larger one.

    Parameters
    ----------
    wanted : sequence of (reference, raters)
        ``instrument/dimension`` or an item code; repeated references are taken once.
    """
    found = {reference: _rows_of(study, reference, raters) for reference, raters in dict.fromkeys(wanted)}
    rows_of = {reference: rows for reference, rows in found.items() if len(rows)}
    numbers = study.shown_numbers
    tables = {name: np.full((len(study.places), len(rows_of)), np.nan) for name in numbers}
    for column, rows in enumerate(rows_of.values()):
        for name, values in numbers.items():
            tables[name][study.place_of[rows], column] = values[rows]
    texts = study.shown_texts
    heads = [{name: str(column[rows[0]]) for name, column in texts.items()} for rows in rows_of.values()]
    forms = tuple((head["instrument"], head["form"], head["wave"], head["dimension"]) for head in heads)
    periods = frozenset(form[2] for form in forms)
    wave = next(iter(periods)) if len(periods) == 1 else ""
    covariance, unknown = _covariances(study, tuple(rows_of), forms, [head["rater"] for head in heads], tables)
    return Panel(
        tuple((by, unit, wave) for by, unit in study.places),
        tuple(rows_of),
        tuple(reference for reference, rows in found.items() if not len(rows)),
        periods,
        tables["health"],
        tables["error"],
        tables["error_df"],
        tables["n"],
        covariance,
        unknown,
        forms,
    )


def _rows_of(study: GapStudy, reference: str, raters: tuple[str, ...]) -> np.ndarray:
    """Positions in the cells shown of one form that such raters filled in."""
    rows = study.rows_of.get(reference, np.array([], dtype=np.int64))
    rows = rows[np.isin(study.shown_texts["rater"][rows], raters)]
    if not len(rows):
        return rows
    forms = study.shown_texts["form"][rows]
    largest = forms[int(study.shown_numbers["n"][rows].argmax())]
    return np.asarray(rows[forms == largest])


def _covariances(
    study: GapStudy,
    references: tuple[str, ...],
    forms: tuple[tuple[str, str, str, str], ...],
    raters: list[str],
    tables: dict[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Known covariances of the means, and which pairs of references have an unknown one."""
    size = len(references)
    covariance = np.zeros((len(study.places), size, size))
    unknown = np.zeros((size, size), dtype=bool)
    names = [f"{instrument}:{form}/{dimension}" for instrument, form, _, dimension in forms]
    for a in range(size):
        covariance[:, a, a] = tables["error"][:, a] ** 2
        for b in range(a + 1, size):
            if raters[a] != raters[b] or forms[a][2] != forms[b][2]:
                continue
            known = np.full(len(study.places), np.nan)
            if "/" in references[a] and "/" in references[b]:
                shared = study.shared_covariance(names[a], names[b], forms[a][2])
                known = shared / (tables["n"][:, a] * tables["n"][:, b]) * tables["sign"][:, a] * tables["sign"][:, b]
            covariance[:, a, b] = covariance[:, b, a] = np.nan_to_num(known)
            unknown[a, b] = unknown[b, a] = np.isnan(known).all()
    return covariance, unknown


def side_weights(panel: Panel, members: Sequence[Member]) -> np.ndarray:
    """Weights that average the measured members of a side, each being the mean of its own references."""
    weights = np.zeros(len(panel.references))
    measured = [[panel.references.index(r) for r in m.references if r in panel.references] for m in members]
    measured = [positions for positions in measured if positions]
    for positions in measured:
        weights[positions] += 1 / (len(measured) * len(positions))
    return weights


def level_verdict(
    value: np.ndarray, error: np.ndarray, df: np.ndarray | float, low: np.ndarray | float, high: np.ndarray | float
) -> np.ndarray:
    """*low* where the 90 % interval lies below ``low``, *high* where it lies at or above ``high``, else *unclear*.

    Examples
    --------
    Sixteen people with mean 41 and standard deviation 20 are low; with standard deviation 25 that is not clear.

    >>> errors = np.array([20.0, 25.0]) / 4
    >>> level_verdict(np.array([41.0, 41.0]), errors, 15, 50, 70).tolist()
    ['low', 'unclear']
    """
    half = stdtrit(df, 0.95) * error
    with np.errstate(invalid="ignore"):
        verdict = np.where(value + half < low, "low", np.where(value - half >= high, "high", "unclear"))
    return np.where(np.isnan(value + half), "", verdict)
