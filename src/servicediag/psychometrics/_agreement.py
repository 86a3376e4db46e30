"""What the indices of agreement between raters share: fields, intervals, table and sentence."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    EstimateResult,
    apa_interval,
    apa_number,
    check_choice,
    check_level,
    holding,
)
from servicediag.psychometrics._resampling import Progress, Sums, bootstrap_interval
from servicediag.results import ConfidenceInterval

if TYPE_CHECKING:
    from servicediag.psychometrics.benchmarks_rules import Coefficient

__all__ = ["AgreementCoefficient", "IntervalMethod", "StudentInterval"]

IntervalMethod = Literal["analytic", "percentile", "bca", "bootstrap"]


@dataclass(frozen=True, repr=False)
class AgreementCoefficient(EstimateResult):
    """An index of agreement beyond chance.

    Attributes
    ----------
    estimate : float
        At most 1; 0 is agreement as by chance, negative values are kept.
    standard_error : float
        Valid whatever the true value (not only if there is no agreement); NaN with fewer than 2 units.
    n_units, n_raters, n_ratings, n_dropped : int
        Units used, raters, ratings used, and units left out for want of ratings.
    categories : tuple
        Categories in their order.
    weights : str
        ``"unweighted"``, ``"linear"``, ``"quadratic"``, ``"given"``, or the measurement level.
    """

    estimate: float
    standard_error: float
    n_units: int
    n_raters: int
    n_ratings: int
    n_dropped: int
    categories: tuple[Hashable, ...]
    weights: str
    _sums: Sums = field(compare=False, kw_only=True)

    _shown = ("estimate", "standard_error", "n_units", "n_raters", "n_dropped", "weights")
    _coefficient: ClassVar[Coefficient] = "kappa"

    @property
    @abstractmethod
    def name(self) -> str:
        """What the coefficient is called in a sentence."""

    @abstractmethod
    def _quantile(self, probability: float) -> float:
        """Quantile of the reference distribution of the analytic interval."""

    @abstractmethod
    def _parts(self) -> dict[str, float]:
        """What the coefficient is made of, for the table."""

    def confidence_interval(
        self,
        level: float = 0.95,
        method: IntervalMethod = "analytic",
        *,
        n_resamples: int = 2000,
        seed: int | np.random.Generator = 0,
        progress: Progress | None = None,
    ) -> ConfidenceInterval:
        """Interval for the population of units, these raters given.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.
        method : {"analytic", "percentile", "bca", "bootstrap"}
            From the standard error, or by resampling units; ``bootstrap`` means ``bca``. Analytic limits are not cut
            at 1: one beyond it says that there are too few units for a symmetric interval.
        n_resamples, seed, progress
            Of the resampling: number, start of the random numbers, and a callback (done, total).
        """
        level = check_level(level)
        check_choice("method", method, get_args(IntervalMethod))
        if self.n_units < 2:
            raise InsufficientDataError(f"An interval of {self.name} needs at least 2 units. Have more units rated.")
        if method == "analytic":
            reach = self._quantile((1 + level) / 2) * self.standard_error
            low, high = self.estimate - reach, self.estimate + reach
            return holding(low, high, self.estimate, level=level, method=method)
        return bootstrap_interval(
            self._sums,
            self.estimate,
            level=level,
            method="percentile" if method == "percentile" else "bca",
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
        )

    def to_frame(self, *, level: float = 0.95) -> pd.DataFrame:
        """One row, index the name of the coefficient.

        Returns
        -------
        DataFrame
            Columns estimate, ci_low, ci_high, ci_level, ci_method, standard_error, what the coefficient is made of,
            n_units, n_raters, n_ratings, n_dropped, n_categories, weights, note.
        """
        low = high = math.nan
        if self.n_units > 1:
            low, high = self.confidence_interval(level)
        row: dict[str, Any] = {
            "estimate": self.estimate,
            "ci_low": low,
            "ci_high": high,
            "ci_level": level,
            "ci_method": "analytic",
            "standard_error": self.standard_error,
            **self._parts(),
            "n_units": self.n_units,
            "n_raters": self.n_raters,
            "n_ratings": self.n_ratings,
            "n_dropped": self.n_dropped,
            "n_categories": len(self.categories),
            "weights": self.weights,
            "note": "" if self.n_units > 1 else "no interval: a single unit",
        }
        return pd.DataFrame([row], index=pd.Index([self.name], name="coefficient"))

    def describe(self) -> str:
        """One sentence in APA style."""
        row = self.to_frame().iloc[0]
        interval = ""
        if not math.isnan(row["ci_low"]):
            interval = f", {apa_interval(ConfidenceInterval(row['ci_low'], row['ci_high']))}"
        raters = (
            f"{row['n_raters']} raters"
            if row["n_ratings"] == row["n_units"] * row["n_raters"]
            else (f"up to {row['n_raters']} raters")
        )
        kind = "" if self.weights == "unweighted" else f" ({self.weights})"
        value = f"{apa_number(row['estimate'])}{interval}"
        return f"{self.name}{kind} was {value}, for {row['n_units']} units and {raters}."


class StudentInterval:
    """Student's t with one degree of freedom less than there are units."""

    n_units: int

    def _quantile(self, probability: float) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(self.n_units - 1, probability))
