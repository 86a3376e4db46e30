"""Errors of levels and gaps where respondents are nested in clusters, such as customers in the server they rated."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import ClusterSums, Contrast, cluster_contrasts, cluster_sums

__all__ = ["CLUSTER_COLUMNS", "ClusterIndex", "NestedContrast"]

CLUSTER_COLUMNS = ("n_clusters", "design_effect")
SCORE = ("by", "instrument", "form", "wave", "kind", "dimension", "name")


@dataclass(frozen=True)
class NestedContrast:
    """Gaps and levels of units with cluster-robust errors, NaN where too few clusters are known."""

    contrast: Contrast
    level_error: np.ndarray
    level_df: np.ndarray


@dataclass(frozen=True, eq=False)
class ClusterIndex:
    """The clusters of a study, found by the score that they belong to.

    Without clusters every error stays as it is. Respondents of no known cluster count as clusters of one; where they
    are more than a tenth of a unit, or the unit has fewer clusters than the fewest, its error is NaN.
    """

    table: pd.DataFrame
    rows: Mapping[Hashable, np.ndarray]
    settings: Settings
    sums: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))

    @classmethod
    def of(cls, evidence: Evidence, settings: Settings) -> ClusterIndex:
        table = evidence.clusters
        rows: dict[Hashable, np.ndarray] = {}
        if len(table):
            found = table.assign(kind="score", name="").groupby(list(SCORE), sort=False).indices
            rows = {key: np.asarray(one) for key, one in found.items()}
        return cls(table, rows, settings, table[["n", "total", "total_squares"]].to_numpy(float))

    def levels(
        self, cells: pd.DataFrame, error: np.ndarray, df: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Standard errors of the means of cells, their degrees of freedom, number of clusters and design effect.

        The design effect is the squared error over that of as many respondents who are not nested (Kish, 1965).
        """
        nested = {name: np.full(len(cells), np.nan) for name in CLUSTER_COLUMNS}
        if self.table.empty:
            return error, df, nested
        scores = np.flatnonzero((cells["kind"] == "score").to_numpy())
        keys = ["by", "unit", "instrument", "form", "wave", "dimension"]
        found = pd.MultiIndex.from_frame(cells.iloc[scores][keys])
        place = found.get_indexer(pd.MultiIndex.from_frame(self.table[keys]))
        together = cells.iloc[scores][["n", "total", "total_squares"]].to_numpy(float)
        sums, known = self._sums(place, self.sums, together)
        inside = known > 0
        variance = np.where(self._usable(sums, known, together[:, 0]), sums.variance(), np.nan)
        rows = scores[inside]
        with np.errstate(divide="ignore", invalid="ignore"):
            nested["design_effect"][rows] = variance[inside] / error[rows] ** 2
        clusters = np.bincount(place, minlength=len(scores))
        nested["n_clusters"][rows] = clusters[inside]
        error, df = error.copy(), np.asarray(df, dtype=float).copy()
        error[rows], df[rows] = np.sqrt(variance[inside]), sums.n_clusters[inside] - 1
        return error, df, nested

    def of_shares(self, cells: pd.DataFrame) -> np.ndarray:
        """How many respondents each share of respondents is worth: fewer where those of a cluster answer alike.

        The design effect is that of the score of the dimension, in the same group.
        """
        n = cells["n"].to_numpy(float)
        shares = np.flatnonzero((cells["kind"] == "indicator").to_numpy())
        if self.table.empty or not len(shares):
            return n
        keys = ["by", "unit", "instrument", "form", "wave", "dimension"]
        scores = cells[(cells["kind"] == "score").to_numpy()]
        place = pd.MultiIndex.from_frame(scores[keys]).get_indexer(pd.MultiIndex.from_frame(cells.iloc[shares][keys]))
        effect = np.append(scores["design_effect"].to_numpy(float), 1.0)[place]
        worth = n.copy()
        worth[shares] = n[shares] / np.fmax(effect, 1.0)
        return worth

    def contrast(self, key: Hashable, units: np.ndarray, together: np.ndarray) -> NestedContrast | None:
        """Gaps of the units shown to the rest; None where the score has no clusters.

        Parameters
        ----------
        key : tuple of by, instrument, form, wave, kind, dimension and name
        units : array, shape (n_shown,)
            Names of the units shown.
        together : array, shape (n_shown or n_shown + 1, 3)
            n, total and squares of the units shown, then of all that are withheld.
        """
        rows = self.rows.get(key)
        if rows is None or not len(units):
            return None
        place = pd.Index(units).get_indexer(self.table["unit"].to_numpy(dtype=object)[rows])
        sums = self.sums[rows]
        withheld = place < 0
        if withheld.any():
            # a cluster whose people are in several withheld units is one, so that nothing tells these units apart
            codes, names = pd.factorize(self.table["cluster"].to_numpy(dtype=object)[rows][withheld])
            pooled = np.column_stack([np.bincount(codes, column[withheld], minlength=len(names)) for column in sums.T])
            place = np.append(place[~withheld], np.full(len(names), len(units)))
            sums = np.vstack([sums[~withheld], pooled])
        nested, known = self._sums(place, sums, together)
        usable = self._usable(nested, known, together[:, 0])
        contrast = cluster_contrasts(nested, self.settings.fewest_clusters)
        error = np.where(usable, contrast.standard_error, np.nan)
        level = np.sqrt(np.where(usable, nested.variance(), np.nan))
        return NestedContrast(Contrast(contrast.gap, error, contrast.df), level, nested.n_clusters - 1)

    def _sums(self, place: np.ndarray, sums: np.ndarray, together: np.ndarray) -> tuple[ClusterSums, np.ndarray]:
        """Sums over clusters and over respondents of no known cluster, and how many respondents' cluster is known."""
        known = np.column_stack([np.bincount(place, column, minlength=len(together)) for column in sums.T])
        alone = np.where((together[:, :1] - known[:, :1]) > 0.5, together - known, 0.0)
        return cluster_sums(place, sums[:, 0], sums[:, 1], len(together), alone.T), known[:, 0]

    def _usable(self, sums: ClusterSums, known: np.ndarray, people: np.ndarray) -> np.ndarray:
        enough = sums.n_clusters >= self.settings.fewest_clusters
        return np.asarray(enough & (known >= self.settings.clusters_known * people))
