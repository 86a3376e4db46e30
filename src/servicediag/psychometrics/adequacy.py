"""Whether correlations are fit for factor analysis: Kaiser, Meyer and Olkin's measure and Bartlett's test."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import (
    CorrelationKind,
    Correlations,
    correlations,
    item_index,
    refuse_singular,
)
from servicediag.psychometrics._frames import FloatArray, Result, apa_number
from servicediag.psychometrics._moments import DroppedItem, Missing
from servicediag.psychometrics.benchmarks_rules import Interpretation, RuleSet, judge, rule_set

__all__ = ["BartlettSphericity", "SamplingAdequacy", "bartlett_sphericity", "kmo"]

_KMO = "The measure of sampling adequacy"
_BARTLETT = "Bartlett's test of sphericity"


@dataclass(frozen=True, repr=False)
class SamplingAdequacy(Result):
    """The Kaiser-Meyer-Olkin measure of sampling adequacy.

    Attributes
    ----------
    overall : float
        0 to 1; 1 where partial correlations vanish.
    n_items, n_respondents, n_dropped : int
    items : tuple
        Items that count.
    dropped_items : tuple of DroppedItem
        Constant items, which take no part.
    notes : tuple of str
    """

    overall: float
    n_items: int
    n_respondents: int
    n_dropped: int
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    notes: tuple[str, ...]
    _values: FloatArray = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("overall", "n_items", "n_respondents", "n_dropped")

    @property
    def per_item(self) -> pd.Series:
        """The measure of each item, index item."""
        return pd.Series(self._values, index=item_index(self.items), name="kmo")

    def to_frame(self) -> pd.DataFrame:
        """Index item: kmo, and Kaiser's label for it."""
        rules = rule_set("kaiser1974", "kmo")
        values = self.per_item
        return pd.DataFrame({"kmo": values, "label": [rules.label(value) for value in values]})

    def describe(self) -> str:
        """One sentence in APA style."""
        worst = self.per_item.idxmin()
        sentence = (
            f"The Kaiser-Meyer-Olkin measure of sampling adequacy was {apa_number(self.overall)} "
            f"(lowest item: {worst}, {apa_number(float(self._values.min()))}), n = {self.n_respondents}."
        )
        return " ".join([sentence, *self.notes])

    def interpret(self, rules: str | RuleSet | None = None) -> Interpretation:
        """Read the overall measure by a named rule set; default Kaiser (1974)."""
        return judge(rule_set(rules, "kmo"), self.overall)


@dataclass(frozen=True, repr=False)
class BartlettSphericity(Result):
    """Test of the hypothesis that no two items correlate in the population.

    Attributes
    ----------
    statistic : float
        Approximately chi-square under the hypothesis.
    df : int
    p : float
    n_items, n_respondents, n_dropped : int
    notes : tuple of str
    """

    statistic: float
    df: int
    p: float
    n_items: int
    n_respondents: int
    n_dropped: int
    notes: tuple[str, ...] = ()

    _shown: ClassVar[tuple[str, ...]] = ("statistic", "df", "p", "n_items", "n_respondents")

    def to_frame(self) -> pd.DataFrame:
        """One row: statistic, df, p, n_items, n_respondents, n_dropped."""
        row = {name: getattr(self, name) for name in (*self._shown, "n_dropped")}
        return pd.DataFrame([row], index=pd.Index(["bartlett_sphericity"], name="test"))

    def describe(self) -> str:
        """One sentence in APA style."""
        tail = "p < .001" if self.p < 0.001 else f"p = {apa_number(self.p, 3)}"
        sentence = (
            f"Bartlett's test of sphericity: chi-square({self.df}, N = {self.n_respondents}) = "
            f"{apa_number(self.statistic, leading_zero=True)}, {tail}."
        )
        return " ".join([sentence, *self.notes])


def kmo(
    items: pd.DataFrame, *, missing: Missing = "listwise", correlation: CorrelationKind = "pearson"
) -> SamplingAdequacy:
    """Kaiser, Meyer and Olkin's measure of sampling adequacy, overall and for each item.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        At least 2 items.
    missing : {"listwise", "pairwise"}
    correlation : {"pearson", "polychoric"}

    Returns
    -------
    SamplingAdequacy

    Raises
    ------
    InsufficientDataError
        The correlation matrix cannot be inverted (the items behind it are named), or too few items or respondents.

    Notes
    -----
    Sum of squared correlations, over itself plus the sum of squared partial correlations given all other items
    [1]_ [2]_.

    References
    ----------
    .. [1] Kaiser, H. F. (1970). Psychometrika, 35, 401-415.
    .. [2] Kaiser, H. F., & Rice, J. (1974). Educational and Psychological Measurement, 34, 111-117.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [1, 2, 4, 5, 3], "b": [2, 2, 4, 5, 2], "c": [1, 3, 4, 4, 3]})
    >>> round(kmo(answers).overall, 3)
    0.577
    """
    known = correlations(items, statistic=_KMO, correlation=correlation, missing=missing)
    refuse_singular(known, _KMO)
    overall, values = _adequacy(known.matrix)
    if math.isnan(overall):
        raise InsufficientDataError(f"{_KMO} is undefined: no two of the {known.n_items} items correlate at all.")
    return SamplingAdequacy(
        overall=overall,
        n_items=known.n_items,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        items=known.items,
        dropped_items=known.dropped_items,
        notes=known.notes,
        _values=values,
    )


def _adequacy(matrix: FloatArray) -> tuple[float, FloatArray]:
    inverse = np.linalg.inv(matrix)
    scale = np.sqrt(np.diag(inverse))
    partial = -inverse / np.outer(scale, scale)
    shared, unshared = matrix**2, partial**2
    np.fill_diagonal(shared, 0.0)
    np.fill_diagonal(unshared, 0.0)
    with np.errstate(invalid="ignore"):
        values: FloatArray = shared.sum(axis=0) / (shared.sum(axis=0) + unshared.sum(axis=0))
        overall = np.float64(shared.sum()) / (shared.sum() + unshared.sum())
    return float(overall), values


def bartlett_sphericity(
    items: pd.DataFrame, *, missing: Missing = "listwise", correlation: CorrelationKind = "pearson"
) -> BartlettSphericity:
    """Bartlett's test that the correlation matrix is the identity.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
    missing : {"listwise", "pairwise"}
        Pairwise, the fewest respondents behind any correlation count as n.
    correlation : {"pearson", "polychoric"}

    Returns
    -------
    BartlettSphericity

    Raises
    ------
    InsufficientDataError
        The correlation matrix cannot be inverted (the items behind it are named), or too few items or respondents.

    Notes
    -----
    ``-(n - 1 - (2 k + 5) / 6) ln det R`` with ``k (k - 1) / 2`` degrees of freedom [1]_. With some hundred
    respondents nearly every questionnaire is significant: the test says that there is something to analyse, no more.

    References
    ----------
    .. [1] Bartlett, M. S. (1951). Biometrika, 38, 337-344.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [1, 2, 4, 5, 3], "b": [2, 2, 4, 5, 2], "c": [1, 3, 4, 4, 3]})
    >>> result = bartlett_sphericity(answers)
    >>> result.df, round(result.statistic, 2)
    (3, 7.66)
    """
    from scipy.special import chdtrc

    known = correlations(items, statistic=_BARTLETT, correlation=correlation, missing=missing)
    refuse_singular(known, _BARTLETT)
    k, n = known.n_items, known.n_smallest
    statistic = -(n - 1 - (2 * k + 5) / 6) * float(np.linalg.slogdet(known.matrix)[1])
    df = k * (k - 1) // 2
    return BartlettSphericity(
        statistic=statistic,
        df=df,
        p=float(chdtrc(df, max(statistic, 0.0))),
        n_items=k,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        notes=_bartlett_notes(known, n),
    )


def _bartlett_notes(known: Correlations, n: int) -> tuple[str, ...]:
    if n - 1 > (2 * known.n_items + 5) / 6:
        return known.notes
    return (*known.notes, f"{n} respondents are too few for the approximation with {known.n_items} items.")
