"""Reliability of every dimension of an export, in one table; formative blocks are refused with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics.alpha import alpha_from_covariance
from servicediag.psychometrics.omega import omega_from_covariance
from servicediag.responses.model import Part, Responses
from servicediag.wording.telling import joined, sentence

if TYPE_CHECKING:
    from servicediag.instrument.model import Dimension
    from servicediag.psychometrics.items import ItemAnalysis

__all__ = ["RELIABILITY_COLUMNS", "Reliability", "reliability", "reliability_row"]

RELIABILITY_COLUMNS = (
    "instrument", "dimension", "n_items", "n_respondents", "alpha", "alpha_low", "alpha_high", "omega", "omega_low",
    "omega_high", "mean_inter_item_correlation", "sem", "note",
)  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class Reliability:
    """Reliability of the dimensions of an export. Working data of the analyst: not for release.

    ``to_frame()`` gives the table; ``items(dimension)`` the item analysis of one dimension.
    """

    responses: Responses
    table: pd.DataFrame
    _tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Reliability(n_rows={len(self.table)}, n_respondents={len(self.responses)})"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, escape=True, float_format=lambda v: f"{v:.3f}", na_rep=""))

    def to_frame(self) -> pd.DataFrame:
        """A row a dimension (and group): see ``servicediag.reliability``."""
        return self.table.copy()

    def to_markdown(self, path: str | Path | None = None, *, language: str = "en", overwrite: bool = False) -> str:
        """The table in APA form as Markdown; see ``servicediag.report.research_table``."""
        from servicediag.report import research_table

        return research_table(self, "markdown", path=path, language=language, overwrite=overwrite)

    def to_latex(self, path: str | Path | None = None, *, language: str = "en", overwrite: bool = False) -> str:
        """The table in APA form as LaTeX with ``booktabs``; see ``servicediag.report.research_table``."""
        from servicediag.report import research_table

        return research_table(self, "latex", path=path, language=language, overwrite=overwrite)

    def to_word(self, path: str | Path, *, language: str = "en", overwrite: bool = False) -> Path:
        """The table in APA form as a Word document; needs ``servicediag[word]``."""
        from servicediag.report import research_table

        return Path(research_table(self, "docx", path=path, language=language, overwrite=overwrite))

    def items(self, dimension: str) -> ItemAnalysis:
        """Item analysis of a dimension; ``instrument/dimension`` where two instruments share the id."""
        from servicediag.psychometrics.items import item_analysis

        part, found = self.responses._locate(dimension)
        keyed = self.responses.dimension(dimension)
        bounds = {part.bounds(item.code) for item in found.scored_items if item.code in keyed.columns}
        return item_analysis(keyed, bounds=bounds.pop() if len(bounds) == 1 else None)


def reliability(responses: Responses, *, by: str | None = None) -> Reliability:
    """Cronbach's alpha, one-factor omega and the standard error of measurement, per dimension.

    Parameters
    ----------
    responses : Responses
        Coded answers, from ``read_responses``.
    by : str, optional
        A column of ``responses.respondents``; then one table row a group and dimension.

    Returns
    -------
    Reliability
        ``.to_frame()`` has the columns ``instrument, dimension, n_items, n_respondents, alpha, alpha_low,
        alpha_high, omega, omega_low, omega_high, mean_inter_item_correlation, sem, note`` (and the grouping column
        first). Answers are complete rows only. Intervals are 95 %: Feldt (1965) for alpha, delta method for omega.
        ``sem`` is the standard error of measurement of the 0-100 score with alpha as the reliability.

    Notes
    -----
    The keyed answers are made once and feed every coefficient. Formative blocks get no coefficient, and ``note``
    says why; so does a dimension with too few items, respondents or no variation.

    Examples
    --------
    >>> import servicediag as sd
    >>> study = sd.simulate("readiness", form="employee", n_units=4, respondents_per_unit=30, seed=3)
    >>> table = sd.reliability(study.responses()).to_frame()
    >>> table["dimension"].tolist()[:3], bool(table["alpha"].iloc[0] <= 1)
    (['know', 'want', 'can'], True)
    """
    rows: list[dict[str, Any]] = []
    for group, subset in _groups(responses, by):
        for part in subset.parts:
            for dimension in part.dimensions:
                row = _row_of(subset, part, dimension)
                rows.append(row if by is None else {by: group, **row})
    columns = list(RELIABILITY_COLUMNS) if by is None else [by, *RELIABILITY_COLUMNS]
    table = pd.DataFrame(rows, columns=columns)
    # a column of pandas' own text type would forget how the notes were made
    table["note"] = pd.Series([row["note"] for row in rows], index=table.index, dtype=object)
    return Reliability(responses, table)


def _groups(responses: Responses, by: str | None) -> Iterable[tuple[Any, Responses]]:
    if by is None:
        yield None, responses
        return
    respondents = responses.respondents
    if by not in respondents.columns:
        raise ValueError(f"by={by!r} is not a respondent column; choose from {list(respondents.columns)}")
    for group, rows in respondents.groupby(by, sort=True, observed=True).indices.items():
        inside = np.zeros(len(respondents), dtype=bool)
        inside[rows] = True
        yield group, responses.drop(respondents.index[~inside])


def _row_of(responses: Responses, part: Part, dimension: Dimension) -> dict[str, Any]:
    codes = [item.code for item in dimension.scored_items if item.code in responses.codes]
    keyed = responses.dimension(f"{part.instrument.id}/{dimension.id}").to_numpy()
    complete = keyed[~np.isnan(keyed).any(axis=1)]
    covariance = np.atleast_2d(np.cov(complete, rowvar=False)) if len(complete) > 1 and codes else None
    return reliability_row(part, dimension, tuple(codes), covariance, len(complete))


def reliability_row(
    part: Part, dimension: Dimension, codes: tuple[str, ...], covariance: np.ndarray | None, n_respondents: int
) -> dict[str, Any]:
    """One row of the table from the covariance of the keyed items; coefficients are NaN with a note where undefined."""
    row: dict[str, Any] = dict.fromkeys(RELIABILITY_COLUMNS, math.nan)
    row.update(
        instrument=part.instrument.id,
        dimension=dimension.id,
        n_items=len(codes),
        n_respondents=n_respondents,
        note="",
    )
    if dimension.measurement != "reflective":
        row["note"] = sentence(f"finding.reliability.{dimension.measurement}")
        return row
    if covariance is None:
        row["note"] = sentence("finding.reliability.too_few")
        return row
    notes: list[str] = []
    table = pd.DataFrame(covariance, index=list(codes), columns=list(codes))
    try:
        alpha = alpha_from_covariance(table, n_respondents)
        row.update(alpha=alpha.estimate, mean_inter_item_correlation=_mean_correlation(covariance))
        row["alpha_low"], row["alpha_high"] = alpha.confidence_interval()
        if alpha.estimate <= 1:
            row["sem"] = _score_spread(part, codes, covariance) * math.sqrt(1 - alpha.estimate)
        if alpha.estimate < 0:
            notes.append(sentence("finding.reliability.negative"))
    except InsufficientDataError as error:
        notes.append(str(error))
    try:
        omega = omega_from_covariance(table, n_respondents)
        row["omega"] = omega.estimate
        row["omega_low"], row["omega_high"] = omega.confidence_interval()
    except InsufficientDataError as error:
        if not notes:
            notes.append(str(error))
    row["note"] = joined("sentences", notes)
    return row


def _mean_correlation(covariance: np.ndarray) -> float:
    spread = np.sqrt(np.diag(covariance))
    varying = spread > 0
    if varying.sum() < 2:
        return math.nan
    correlation = covariance[np.ix_(varying, varying)] / np.outer(spread[varying], spread[varying])
    return float(correlation[np.triu_indices(int(varying.sum()), 1)].mean())


def _score_spread(part: Part, codes: tuple[str, ...], covariance: np.ndarray) -> float:
    """Standard deviation of the 0-100 mean score over the complete rows."""
    widths = np.array([high - low for low, high in (part.bounds(code) for code in codes)], dtype=float)
    weights = 100.0 / (widths * len(codes))
    return math.sqrt(max(0.0, float(weights @ covariance @ weights)))
