"""Convergent and discriminant validity of factors: variance extracted, composite reliability, HTMT."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from servicediag.psychometrics._frames import FloatArray, Result, apa_number, check_choice, name_list
from servicediag.psychometrics._structure_data import MissingAnswers
from servicediag.psychometrics.benchmarks_rules import rule_set
from servicediag.psychometrics.confirmatory import ConfirmatoryFactorAnalysis, confirmatory_factor_analysis

__all__ = ["ConvergentDiscriminant", "HtmtCorrelations", "convergent_discriminant", "validity_of"]

HtmtCorrelations = Literal["signed", "absolute"]


@dataclass(frozen=True, repr=False)
class ConvergentDiscriminant(Result):
    """How much the items of each factor share, and how far the factors differ.

    Attributes
    ----------
    average_variance_extracted : Series
        Index factor: the factor's share in the variance of its items, in the answers' units, as the sum of what it
        explains over the sum of the items' variances (Fornell & Larcker 1981; the version of semTools).
    standardized_variance_extracted : Series
        Mean squared standardised loading; equal to the former where items have one variance.
    composite_reliability : Series
        Squared sum of the loadings over the variance of the sum that the model implies (Joreskog 1971; Fornell &
        Larcker 1981).
    composite_reliability_observed : Series
        The same over the observed variance of the sum.
    factor_correlations : DataFrame
    htmt : DataFrame
        Heterotrait-monotrait ratio (Henseler, Ringle & Sarstedt 2015), factors x factors; 1 on the diagonal; NaN where
        the items of a factor do not correlate positively on average, or where a factor has one item.
    htmt2 : DataFrame
        The same with geometric means (Roemer, Schuberth & Henseler 2021), of absolute correlations.
    n_respondents, n_dropped : int
    notes : tuple of str
    """

    average_variance_extracted: pd.Series
    standardized_variance_extracted: pd.Series
    composite_reliability: pd.Series
    composite_reliability_observed: pd.Series
    factor_correlations: pd.DataFrame
    htmt: pd.DataFrame
    htmt2: pd.DataFrame
    n_respondents: int
    n_dropped: int
    notes: tuple[str, ...]
    _model: ConfirmatoryFactorAnalysis = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("factors", "n_respondents", "n_dropped")

    @property
    def factors(self) -> tuple[Hashable, ...]:
        """The factors, in the order of the model."""
        return tuple(self.average_variance_extracted.index)

    @property
    def model(self) -> ConfirmatoryFactorAnalysis:
        """The fitted model behind the numbers."""
        return self._model

    def to_frame(self) -> pd.DataFrame:
        """Index factor: the coefficients, the nearest other factor, and Fornell & Larcker's comparison with it.

        ``fornell_larcker`` is true where the variance extracted (standardised) exceeds the largest squared
        correlation with another factor.
        """
        k = len(self.factors)
        correlations = self.factor_correlations.to_numpy()
        away = np.where(np.eye(k, dtype=bool), -1.0, np.abs(correlations))
        known = k > 1 and not np.isnan(away).any()
        nearest = away.argmax(axis=1)
        own = np.arange(k)
        largest = correlations[own, nearest] if known else np.full(k, math.nan)
        extracted = self.standardized_variance_extracted.to_numpy()
        return pd.DataFrame(
            {
                "average_variance_extracted": self.average_variance_extracted,
                "standardized_variance_extracted": self.standardized_variance_extracted,
                "composite_reliability": self.composite_reliability,
                "composite_reliability_observed": self.composite_reliability_observed,
                "nearest_factor": [self.factors[i] if known else "" for i in nearest],
                "nearest_correlation": largest,
                "fornell_larcker": extracted > largest**2 if known else np.full(k, math.nan),
            }
        )

    def pairs(self, rules: str | None = None) -> pd.DataFrame:
        """A row a pair of factors: first, second, correlation, htmt, htmt2, and the label of htmt by a rule set.

        ``rules``: default Henseler, Ringle & Sarstedt (2015).
        """
        chosen = rule_set(rules, "htmt")
        correlations, ratios, ratios2 = (
            table.to_numpy(dtype=np.float64) for table in (self.factor_correlations, self.htmt, self.htmt2)
        )
        rows = []
        for i, first in enumerate(self.factors):
            for j in range(i + 1, len(self.factors)):
                ratio = float(ratios[i, j])
                rows.append(
                    {
                        "first": first,
                        "second": self.factors[j],
                        "correlation": float(correlations[i, j]),
                        "htmt": ratio,
                        "htmt2": float(ratios2[i, j]),
                        "label": chosen.label(abs(ratio)),
                    }
                )
        return pd.DataFrame(rows, columns=["first", "second", "correlation", "htmt", "htmt2", "label"])

    def describe(self) -> str:
        """Range of the coefficients, and the pairs that HTMT does not tell apart."""
        extracted, reliable = self.average_variance_extracted, self.composite_reliability
        parts = [
            f"Average variance extracted {_range(extracted)}, composite reliability {_range(reliable)}, "
            f"n = {self.n_respondents}."
        ]
        pairs = self.pairs()
        close = pairs[pairs["label"] != "distinct"]
        if len(close):
            named = [
                f"{row['first']} and {row['second']} ({apa_number(row['htmt'])})" for row in close.to_dict("records")
            ]
            parts.append(f"HTMT beyond .85: {name_list(named)}.")
        elif len(pairs):
            parts.append(f"Largest HTMT {apa_number(float(pairs['htmt'].abs().max()))}.")
        return " ".join([*parts, *self.notes])


def _range(values: pd.Series) -> str:
    if values.isna().any():
        return "undefined"
    low, high = float(values.min()), float(values.max())
    return apa_number(low) if len(values) == 1 else f"{apa_number(low)} to {apa_number(high)}"


def convergent_discriminant(
    items: object,
    model: Mapping[Any, Sequence[Any]],
    *,
    missing: MissingAnswers = "listwise",
    correlations: HtmtCorrelations = "signed",
) -> ConvergentDiscriminant:
    """Average variance extracted, composite reliability and the heterotrait-monotrait ratio of factors.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Keyed answers.
    model : mapping
        ``{factor: [items]}``, each item in one factor.
    missing : {"listwise", "fiml"}
        As in :func:`confirmatory_factor_analysis`; HTMT is then of the full-information correlations.
    correlations : {"signed", "absolute"}
        For ``htmt``: the correlations as they are, or their absolute values (HTMT+, Ringle et al. 2023), which
        differ where items of two factors correlate negatively.

    Returns
    -------
    ConvergentDiscriminant

    Raises
    ------
    InsufficientDataError, ValueError, TypeError
        As in :func:`confirmatory_factor_analysis`; and an item that measures two factors.

    References
    ----------
    Fornell & Larcker (1981), Journal of Marketing Research, 18, 39-50. Henseler, Ringle & Sarstedt (2015), Journal of
    the Academy of Marketing Science, 43, 115-135. Roemer, Schuberth & Henseler (2021), Industrial Management & Data
    Systems, 121, 2637-2650.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> generator = np.random.default_rng(5)
    >>> factors = generator.normal(size=(500, 2))
    >>> answers = pd.DataFrame(np.repeat(factors, 3, axis=1) + generator.normal(size=(500, 6)), columns=list("abcdef"))
    >>> result = convergent_discriminant(answers, {"one": list("abc"), "two": list("def")})
    >>> bool(abs(result.htmt.loc["one", "two"]) < 0.2), bool(0.4 < result.average_variance_extracted["one"] < 0.6)
    (True, True)
    """
    check_choice("correlations", correlations, get_args(HtmtCorrelations))
    return validity_of(confirmatory_factor_analysis(items, model, missing=missing), correlations)


def validity_of(
    fitted: ConfirmatoryFactorAnalysis, correlations: HtmtCorrelations = "signed"
) -> ConvergentDiscriminant:
    """The same from a fitted model of one group with correlated factors."""
    solution = fitted._solution
    if not solution.model.is_simple:
        blocks = solution.model.blocks
        twice = [name for i, name in enumerate(fitted.items) if sum(i in block for block in blocks) > 1]
        raise ValueError(f"model gives {name_list(twice)} to more than one factor; each item needs one factor here")
    extracted, standardized, implied, observed = _by_factor(fitted)
    spread = np.sqrt(np.diag(solution.study.samples[0].covariance))
    r = solution.study.samples[0].covariance / np.outer(spread, spread)
    ratio = _htmt(np.abs(r) if correlations == "absolute" else r, solution.model.blocks, geometric=False)
    ratio2 = _htmt(np.abs(r), solution.model.blocks, geometric=True)
    index = pd.Index(fitted.factors, tupleize_cols=False, name="factor")
    return ConvergentDiscriminant(
        average_variance_extracted=pd.Series(extracted, index=index, name="average_variance_extracted"),
        standardized_variance_extracted=pd.Series(standardized, index=index, name="standardized_variance_extracted"),
        composite_reliability=pd.Series(implied, index=index, name="composite_reliability"),
        composite_reliability_observed=pd.Series(observed, index=index, name="composite_reliability_observed"),
        factor_correlations=fitted.factor_correlations,
        htmt=pd.DataFrame(ratio, index=index, columns=index),
        htmt2=pd.DataFrame(ratio2, index=index, columns=index),
        n_respondents=fitted.n_respondents,
        n_dropped=fitted.n_dropped,
        notes=(*fitted.notes, *_htmt_notes(fitted, r, correlations)),
        _model=fitted,
    )


def _by_factor(fitted: ConfirmatoryFactorAnalysis) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Variance extracted, raw and standardised, and composite reliability, by the model and by the observed sum."""
    solution = fitted._solution
    place, sample, scale = solution.matrices[0], solution.study.samples[0], solution.study.scale
    result = np.full((4, len(fitted.factors)), math.nan)
    if not fitted.converged:
        return result[0], result[1], result[2], result[3]
    for factor, block in enumerate(solution.model.blocks):
        chosen = list(block)
        variance = place.covariances[factor, factor]
        loadings = place.loadings[chosen, factor] * scale[chosen]
        residuals = place.residuals[np.ix_(chosen, chosen)] * np.outer(scale[chosen], scale[chosen])
        explained = loadings**2 * variance
        own = explained + np.diag(residuals)
        common = loadings.sum() ** 2 * variance
        seen = sample.covariance[np.ix_(chosen, chosen)] * np.outer(scale[chosen], scale[chosen])
        result[:, factor] = (
            explained.sum() / own.sum(),
            (explained / own).mean(),
            common / (common + residuals.sum()),
            common / seen.sum(),
        )
    return result[0], result[1], result[2], result[3]


def _htmt(r: FloatArray, blocks: Sequence[tuple[int, ...]], *, geometric: bool) -> FloatArray:
    """Mean correlation between two factors' items over the geometric mean of those within."""

    def mean(values: FloatArray) -> float:
        if not values.size:
            return math.nan
        if not geometric:
            return float(values.mean())
        return float(np.exp(np.log(values).mean())) if (values > 0).all() else 0.0

    within = [mean(r[np.ix_(block, block)][np.triu_indices(len(block), 1)]) for block in blocks]
    result = np.eye(len(blocks))
    for i in range(len(blocks)):
        for j in range(i + 1, len(blocks)):
            both = within[i] * within[j]
            good = within[i] > 0 and within[j] > 0
            between = mean(r[np.ix_(blocks[i], blocks[j])].ravel())
            result[i, j] = result[j, i] = between / math.sqrt(both) if good else math.nan
    return result


def _htmt_notes(fitted: ConfirmatoryFactorAnalysis, r: FloatArray, correlations: str) -> list[str]:
    blocks, factors = fitted._solution.model.blocks, fitted.factors
    notes = []
    weak = [
        factors[f]
        for f, block in enumerate(blocks)
        if len(block) > 1 and not r[np.ix_(block, block)][np.triu_indices(len(block), 1)].mean() > 0
    ]
    if weak and correlations == "signed":
        notes.append(
            f"HTMT is undefined for {name_list(weak)}: its items do not correlate positively; check the keying."
        )
    alone = [factors[f] for f, block in enumerate(blocks) if len(block) == 1]
    if alone and len(blocks) > 1:
        notes.append(f"HTMT is undefined for {name_list(alone)}: one item has no correlations of its own.")
    mixed = [
        f"{factors[i]} and {factors[j]}"
        for i in range(len(blocks))
        for j in range(i + 1, len(blocks))
        if (r[np.ix_(blocks[i], blocks[j])] < 0).any()
    ]
    if mixed:
        how = "; HTMT2 takes the absolute values" if correlations == "signed" else ", taken without their sign"
        notes.append(f"Some items correlate negatively between {name_list(mixed)}{how}.")
    return notes
