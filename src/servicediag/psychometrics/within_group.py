"""Agreement within units: r_wg(j), Lindell's r*_wg(j), a_wg and the average deviation, unit by unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import (
    FloatArray,
    Result,
    apa_number,
    check_choice,
    name_list,
    numeric_frame,
)
from servicediag.psychometrics._resampling import Progress
from servicediag.psychometrics._units import CategoryCounter, unit_codes
from servicediag.psychometrics.benchmarks_rules import RuleSet, rule_set
from servicediag.psychometrics.null_distributions import NullDistribution, NullName, ResponseScale, null_distribution
from servicediag.psychometrics.rwg_simulation import rwg_critical_value, rwg_j

__all__ = ["WithinGroupAgreement", "refuse_off_scale", "within_group_agreement"]

Missing = Literal["listwise", "available"]
_WORDS = {
    "slight_skew": "slightly skewed",
    "moderate_skew": "moderately skewed",
    "heavy_skew": "heavily skewed",
    "given shares": "given",
    "given variance": "given",
}
_EQUAL = 1e-12  # ratios to the null variance closer than this to 1 differ by rounding only


@dataclass(frozen=True, repr=False)
class WithinGroupAgreement(Result):
    """Agreement within every unit.

    Attributes
    ----------
    n_units, n_items, n_respondents : int
        Units with at least one usable respondent, items, and usable respondents.
    n_dropped : int
        Respondents left out: no unit, or (listwise) an answer missing.
    n_truncated : int
        Units whose answers vary more than under the null, so that ``rwg_j`` is 0 by definition.
    n_undefined : int
        Units with fewer than 2 usable respondents.
    scale : (float, float)
        Lowest and highest option value.
    null : NullDistribution
        What ``rwg_j`` and ``rwg_j_lindell`` were measured against.
    missing : {"listwise", "available"}
    """

    n_units: int
    n_items: int
    n_respondents: int
    n_dropped: int
    n_truncated: int
    n_undefined: int
    scale: tuple[float, float]
    null: NullDistribution
    missing: Missing
    _table: pd.DataFrame = field(compare=False)

    _shown = ("n_units", "n_items", "n_respondents", "n_dropped", "n_truncated", "median_rwg_j")

    @property
    def median_rwg_j(self) -> float:
        """Median of ``rwg_j`` over the units where it is defined."""
        return float(self._table["rwg_j"].median())

    @property
    def ad_m_limit(self) -> float:
        """Number of options over 6: average deviations up to it are called agreement by Burke & Dunlap (2002)."""
        return ResponseScale(*self.scale).n_points / 6

    def to_frame(self) -> pd.DataFrame:
        """One row a unit.

        Returns
        -------
        DataFrame
            Index ``unit``; columns n, rwg_j (0 to 1), rwg_j_lindell (at most 1), awg (-1 to 1), ad_m (in scale points),
            variance (mean over items, ddof 1), awg_items (items with an interpretable mean), truncated, note.
        """
        return self._table.drop(columns="_items").copy()

    def under(self, *nulls: NullName | float) -> pd.DataFrame:
        """``rwg_j`` of every unit under several null distributions, a column each."""
        columns = {}
        for null in nulls or ("uniform", "slight_skew", "moderate_skew", "heavy_skew"):
            distribution = null_distribution(null, scale=self.scale)
            name = str(null) if distribution.name == "given variance" else distribution.name
            ratio = self._table["variance"].to_numpy() / distribution.variance
            columns[name] = rwg_j(ratio, self._table["_items"].to_numpy())
        return pd.DataFrame(columns, index=self._table.index)

    def critical_values(
        self,
        *,
        level: float = 0.95,
        correlation: float = 0.0,
        n_resamples: int = 2000,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Compare every unit with the ``rwg_j`` that chance alone reaches in a unit of its size.

        Parameters
        ----------
        level : float
            Quantile of the simulated chance distribution.
        correlation : float
            Correlation of the latent answers to any two items, 0 to 1; higher values make chance agreement more likely.
        n_resamples, seed, progress
            Simulated units of every size, start of the random numbers, and a callback (done, total) over unit sizes.

        Returns
        -------
        DataFrame
            Index ``unit``; columns n, rwg_j, critical_value, exceeds.
        """
        table = self._table[["n", "rwg_j"]].copy()
        defined = table["rwg_j"].notna()
        sizes = sorted({int(n) for n in table.loc[defined, "n"]})
        values = {}
        for done, size in enumerate(sizes, start=1):
            values[size] = rwg_critical_value(
                size,
                n_items=self.n_items,
                scale=self.scale,
                null=self.null.shares or self.null.variance,
                correlation=correlation,
                level=level,
                n_resamples=n_resamples,
                seed=seed,
            )
            if progress is not None:
                progress(done, len(sizes))
        table["critical_value"] = table["n"].map(values).astype(np.float64).where(defined)
        table["exceeds"] = (table["rwg_j"] > table["critical_value"]).where(defined).astype("boolean")
        return table

    def interpret(
        self,
        rules: str | RuleSet | None = None,
        *,
        coefficient: Literal["rwg_j", "rwg_j_lindell", "awg"] = "rwg_j",
    ) -> pd.DataFrame:
        """Label every unit by a named rule set and count the labels.

        Returns
        -------
        DataFrame
            Index ``label`` from the lowest band to the highest; columns n_units, share, rules, citation, criticism.
        """
        check_choice("coefficient", coefficient, ("rwg_j", "rwg_j_lindell", "awg"))
        chosen = rule_set(rules, "awg" if coefficient == "awg" else "agreement_index")
        values = self._table[coefficient].dropna()
        labels = pd.Series([chosen.label(value) for value in values], dtype=object)
        counts = labels.value_counts().reindex(list(chosen.labels), fill_value=0)
        return pd.DataFrame(
            {
                "n_units": counts,
                "share": counts / len(values) if len(values) else np.nan,
                "rules": chosen.name,
                "citation": chosen.citation,
                "criticism": chosen.criticism,
            }
        ).rename_axis("label")

    def describe(self) -> str:
        """One sentence in APA style; a second null shows how much the first one decides."""
        table = self.to_frame()
        contrast: NullName = "uniform" if self.null.name == "slight_skew" else "slight_skew"
        other = float(self.under(contrast)[contrast].median())
        truncated = f" ({self.n_truncated} truncated at 0)" if self.n_truncated else ""
        first, second = (_WORDS.get(name, name) for name in (self.null.name, contrast))
        return (
            f"Across {self.n_units} units of median size {table['n'].median():g}, the median r_wg({self.n_items}) was "
            f"{apa_number(self.median_rwg_j)} against a {first} null{truncated} and {apa_number(other)} against a "
            f"{second} one, the median a_wg {apa_number(float(table['awg'].median()))} and the median AD_M "
            f"{apa_number(float(table['ad_m'].median()), leading_zero=True)} scale points."
        )


def within_group_agreement(
    answers: pd.DataFrame,
    units: pd.Series | Sequence[Any] | npt.NDArray[Any],
    *,
    scale: tuple[float, float],
    null: NullName | Sequence[float] | float = "uniform",
    missing: Missing = "listwise",
) -> WithinGroupAgreement:
    """How far the members of every unit agree in their answers.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Answers to parallel items of one scale; one column gives the single-item indices.
    units : Series, array or list, length n_respondents
        The unit of every respondent; a Series is matched by its index. Respondents without a unit are left out.
    scale : (float, float)
        Lowest and highest option value, options one apart; answers outside are refused.
    null : str, sequence of float, or float
        Answers without agreement, see :func:`null_distribution`.
    missing : {"listwise", "available"}
        Leave out respondents with any missing answer, or use what each item has (items with fewer than 2 answers in a
        unit do not count there).

    Returns
    -------
    WithinGroupAgreement

    Raises
    ------
    InsufficientDataError
        No items, or no unit with at least 2 usable respondents.
    TypeError, ValueError
        Answers are no numbers or off the scale, or another argument is wrong.

    Notes
    -----
    With s2 the mean over J items of the variances within the unit (ddof 1), e2 the null variance and q = s2 / e2:
    r_wg(j) = J (1 - q) / (J (1 - q) + q), set to 0 where q > 1 [1]_; r*_wg(j) = 1 - q, not truncated [2]_;
    a_wg = 1 - 2 s2 / ((H M + L M - M**2 - H L) n / (n - 1)), averaged over the items whose mean M allows it, that is
    between (L (n - 1) + H) / n and (H (n - 1) + L) / n, unanimous items counting 1 [3]_; AD_M = mean absolute
    deviation from the item mean, averaged over items [4]_. r_wg(j) depends heavily on the null: look at more than one.

    References
    ----------
    .. [1] James, L. R., Demaree, R. G., & Wolf, G. (1984). Journal of Applied Psychology, 69, 85-98.
    .. [2] Lindell, M. K., Brandt, C. J., & Whitney, D. J. (1999). Applied Psychological Measurement, 23, 127-135.
    .. [3] Brown, R. D., & Hauenstein, N. M. A. (2005). Organizational Research Methods, 8, 165-184.
    .. [4] Burke, M. J., Finkelstein, L. M., & Dusig, M. S. (1999). Organizational Research Methods, 2, 49-68.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [4, 5, 4, 1, 5, 3], "q2": [4, 4, 4, 2, 5, 2]})
    >>> result = within_group_agreement(answers, ["north"] * 3 + ["south"] * 3, scale=(1, 5))
    >>> result.to_frame()["rwg_j"].round(3).to_dict()
    {'north': 0.957, 'south': 0.0}
    >>> result.n_truncated
    1
    """
    frame = numeric_frame(answers, "answers")
    checked = ResponseScale.of(scale)
    distribution = null_distribution(null, scale=(checked.lowest, checked.highest))
    check_choice("missing", missing, ("listwise", "available"))
    codes, labels = unit_codes(units, frame.index)
    if not frame.columns:
        raise InsufficientDataError("Agreement within units needs at least 1 item; answers has none. Give a column.")
    refuse_off_scale(frame.values, frame.columns, checked)
    keep = codes >= 0
    if missing == "listwise":
        keep &= frame.complete
    elif frame.values.dtype.kind == "f":
        keep &= ~np.isnan(frame.values).all(axis=1)
    values = frame.values
    if not keep.all():
        values, codes = values[keep], codes[keep]
    table = _unit_table(values, codes, labels, checked, distribution)
    if table["rwg_j"].isna().all():
        raise InsufficientDataError(
            f"No unit has 2 usable respondents ({len(values)} respondents in {len(labels)} units). "
            "Join small units, or fill the unit column."
        )
    return WithinGroupAgreement(
        n_units=int((table["n"] > 0).sum()),
        n_items=len(frame.columns),
        n_respondents=len(values),
        n_dropped=len(keep) - len(values),
        n_truncated=int(table["truncated"].sum()),
        n_undefined=int(table["rwg_j"].isna().sum()),
        scale=(checked.lowest, checked.highest),
        null=distribution,
        missing=missing,
        _table=table,
    )


def refuse_off_scale(values: npt.NDArray[Any], columns: tuple[Any, ...], scale: ResponseScale) -> None:
    """Raise ValueError that names the items with answers beyond the scale."""
    if not values.size:
        return
    low = np.fmin.reduce(values, axis=0)
    high = np.fmax.reduce(values, axis=0)
    off = [
        f"{name} ({low[at]:g} to {high[at]:g})"
        for at, name in enumerate(columns)
        if low[at] < scale.lowest or high[at] > scale.highest
    ]
    if off:
        raise ValueError(
            f"answers off the scale {scale.lowest:g} to {scale.highest:g}: {name_list(off)}; "
            "declare the right scale, or recode these answers as missing"
        )


# -------------------------------------------------------------------------------------------------------- sums


@dataclass(frozen=True)
class _ItemMoments:
    """Of one item, unit by unit: number of answers, mean, variance (ddof 1), mean absolute deviation."""

    n: FloatArray
    mean: FloatArray
    variance: FloatArray
    deviation: FloatArray


def _item_moments(
    answers: npt.NDArray[Any],
    codes: npt.NDArray[np.int64],
    n_units: int,
    scale: ResponseScale,
    counter: CategoryCounter | None,
) -> _ItemMoments:
    with np.errstate(divide="ignore", invalid="ignore"):
        counts = counter.counts(answers) if counter is not None else None
        if counts is not None:
            return _moments_of_counts(counts.astype(np.float64), scale)
        if answers.dtype.kind == "f":
            present = ~np.isnan(answers)
            answers, codes = answers[present], codes[present]
        return _moments_of_values(answers, codes, n_units)


def _moments_of_counts(counts: FloatArray, scale: ResponseScale) -> _ItemMoments:
    values = scale.lowest + np.arange(scale.n_points)
    n = counts.sum(axis=1)
    mean = counts @ values / n
    away = values - mean[:, None]
    return _ItemMoments(n, mean, (counts * away**2).sum(axis=1) / (n - 1), (counts * np.abs(away)).sum(axis=1) / n)


def _moments_of_values(answers: npt.NDArray[Any], codes: npt.NDArray[np.int64], n_units: int) -> _ItemMoments:
    n = np.bincount(codes, minlength=n_units).astype(np.float64)
    mean = np.bincount(codes, weights=answers, minlength=n_units) / n
    away = answers - mean[codes]
    squares = np.bincount(codes, weights=away**2, minlength=n_units)
    return _ItemMoments(n, mean, squares / (n - 1), np.bincount(codes, weights=np.abs(away), minlength=n_units) / n)


def _awg(moments: _ItemMoments, scale: ResponseScale) -> FloatArray:
    """a_wg of one item a unit; NaN where the mean does not allow it."""
    low, high = scale.lowest, scale.highest
    n, mean = moments.n, moments.mean
    rounding = _EQUAL * (high - low)
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = (high - mean) * (mean - low) * n / (n - 1)
        value = 1 - 2 * moments.variance / largest
        inside = (mean >= (low * (n - 1) + high) / n - rounding) & (mean <= (high * (n - 1) + low) / n + rounding)
    value[~inside] = math.nan
    value[moments.variance <= rounding**2] = 1.0
    value[n < 2] = math.nan
    return value


def _unit_table(
    values: npt.NDArray[Any],
    codes: npt.NDArray[np.int64],
    labels: pd.Index,
    scale: ResponseScale,
    null: NullDistribution,
) -> pd.DataFrame:
    n_units = len(labels)
    few_cells = n_units * scale.n_points <= max(4 * len(values), 65_536)
    counter = CategoryCounter(codes, n_units, scale.lowest, scale.n_points) if few_cells else None
    sums = {name: np.zeros(n_units) for name in ("variance", "deviation", "items", "awg", "awg_items")}
    for position in range(values.shape[1]):
        moments = _item_moments(values[:, position], codes, n_units, scale, counter)
        usable = moments.n >= 2
        sums["items"] += usable
        sums["variance"] += np.where(usable, moments.variance, 0.0)
        sums["deviation"] += np.where(usable, moments.deviation, 0.0)
        awg = _awg(moments, scale)
        sums["awg_items"] += ~np.isnan(awg)
        sums["awg"] += np.nan_to_num(awg)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = sums["variance"] / sums["items"]
        ratio = variance / null.variance
        table = pd.DataFrame(
            {
                "n": np.bincount(codes, minlength=n_units),
                "rwg_j": rwg_j(ratio, sums["items"]),
                "rwg_j_lindell": 1 - ratio,
                "awg": sums["awg"] / sums["awg_items"],
                "ad_m": sums["deviation"] / sums["items"],
                "variance": variance,
                "awg_items": sums["awg_items"].astype(np.int64),
                "truncated": ratio > 1 + _EQUAL,
            },
            index=labels,
        )
    table["note"] = np.select(
        [sums["items"] == 0, table["truncated"].to_numpy(), sums["awg_items"] == 0],
        [
            "undefined: fewer than 2 usable respondents",
            "answers vary more than under the null; rwg_j is 0",
            "awg undefined: every item mean is too close to an end of the scale",
        ],
        "",
    )
    table["_items"] = sums["items"]
    return table
