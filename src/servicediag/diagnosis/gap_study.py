"""What every gap between two sides reads, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from servicediag.diagnosis.draft import Draft, Titles, finding_id, name_or_none
from servicediag.diagnosis.evidence import COUNTS, Evidence
from servicediag.diagnosis.model import Finding, FindingKind, Severity, Tier
from servicediag.diagnosis.operations import Measurement, Operations
from servicediag.diagnosis.privacy_breakdowns import hidden_changes, hidden_segments
from servicediag.diagnosis.row_keys import RowKeys, having, positions_of_codes
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.stability import Redrawn, own_share, tier_shares
from servicediag.diagnosis.statistics import benjamini_hochberg, expected_loss, minimum_effect_p
from servicediag.diagnosis.targets import Targets
from servicediag.diagnosis.tiers import LOW_RELIABILITY, tier_of
from servicediag.wording.telling import sentence

if TYPE_CHECKING:
    from servicediag.diagnosis.gap_documents import GapDefinitions

__all__ = ["GapReport", "GapStudy", "Judgement", "NotMeasured", "Place", "gap_draft", "index_rows", "judge"]

Code = Literal[
    "TOO_FEW", "ANON", "LOW_RELIABILITY", "MISSING_TARGET", "NOT_PARALLEL", "NOT_LINKED", "DIFFERENT_PERIOD",
    "ONE_SIDE_MISSING", "NO_VARIANCE", "COMPOSITION_CHANGED", "FORMATIVE", "TIE",
]  # fmt: skip
Place = tuple[str, str, str]
"""Grouping, unit and wave; empty text for the whole organisation and for no wave."""
Trust = Mapping[tuple[str, str, str, str], float | None]


@dataclass(frozen=True)
class NotMeasured:
    """A gap that could not be judged: why, what is missing, and which data would settle it."""

    gap: str
    code: Code
    what: str
    settled_by: str

    @classmethod
    def told(cls, gap: str, code: Code, key: str, **values: Any) -> NotMeasured:
        """In the fixed texts of that key."""
        texts = (sentence(f"finding.not_measured.{key}.{part}", **values) for part in ("what", "settled_by"))
        return cls(gap, code, *texts)


@dataclass(frozen=True)
class GapReport:
    """Draft findings of one gap, rows for the published tables, and what could not be judged."""

    drafts: tuple[Draft, ...] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    not_measured: tuple[NotMeasured, ...] = ()


@dataclass(frozen=True, eq=False)
class GapStudy:
    """The evidence with its judged cells, and everything that says how to read it.

    Attributes
    ----------
    cells : DataFrame
        Judged cells; the index is the position of the row in ``evidence.cells``.
    trust : mapping of (instrument, form, wave, dimension) -> float or None
        Reliability, None where it does not apply.
    operations : Operations
        Operations data beside the survey.
    """

    evidence: Evidence
    cells: pd.DataFrame
    settings: Settings
    targets: Targets
    trust: Trust
    definitions: GapDefinitions
    operations: Operations = field(default_factory=Operations)

    @cached_property
    def shown(self) -> pd.DataFrame:
        """Cells of the newest wave of each form that may be shown."""
        shown: pd.DataFrame = self.cells[self.cells["current"].to_numpy() & having(self.cells, hidden="")]
        return shown

    @cached_property
    def shown_scores(self) -> pd.DataFrame:
        """Those of them that are scores."""
        scores: pd.DataFrame = self.shown[self.shown_texts["kind"] == "score"]
        return scores

    @cached_property
    def shown_texts(self) -> dict[str, np.ndarray]:
        names = ("by", "unit", "instrument", "form", "rater", "wave", "kind", "dimension", "name")
        return {name: self.shown[name].to_numpy(dtype=object) for name in names}

    @cached_property
    def shown_numbers(self) -> dict[str, np.ndarray]:
        names = ("health", "error", "error_df", "n", "sign")
        return {name: self.shown[name].to_numpy(dtype=float) for name in names}

    @cached_property
    def _shown_places(self) -> RowKeys:
        return RowKeys.of(self.shown, ["by", "unit"])

    @cached_property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Grouping and unit of every group that shows something, in order."""
        return tuple(sorted(self._shown_places.keys))

    @cached_property
    def place_of(self) -> np.ndarray:
        """Position in ``places`` of each row of ``shown``."""
        return self._positions(self._shown_places)

    def _positions(self, rows: RowKeys) -> np.ndarray:
        known = {place: position for position, place in enumerate(self.places)}
        return rows.each(lambda place: known.get(place, -1), int)

    @cached_property
    def rows_of(self) -> dict[str, np.ndarray]:
        """Positions in ``shown`` of every dimension (``instrument/dimension``) and of every item."""
        keys = RowKeys.of(self.shown, ["kind", "instrument", "dimension", "name"])
        names = [_reference(*key) for key in keys.keys]
        codes, found = pd.factorize(np.array(names, dtype=object))
        return dict(zip(found.tolist(), positions_of_codes(codes[keys.codes], len(found)), strict=True))

    def shared_covariance(self, first: str, second: str, wave: str) -> np.ndarray:
        """Sum over the people who gave both scores of the products of their deviations, times n / (n - 1).

        Over ``places``; NaN where fewer people than the minimum gave both. Divided by the numbers of people who gave
        each score it is the covariance of the two means.
        """
        found = np.zeros((4, len(self.places)))
        for pair in ((first, second), (second, first)):
            rows = self._pairs.get((*pair, wave), np.array([], dtype=np.int64))
            rows = rows[self._pair_places[rows] >= 0]
            for values, sums in zip(found, self._pair_sums, strict=True):
                np.add.at(values, self._pair_places[rows], sums[rows])
        n, one, other, product = found
        with np.errstate(invalid="ignore", divide="ignore"):
            shared = (product - one * other / n) * n / (n - 1)
        return np.where(n >= self.settings.minimum_group, shared, np.nan)

    @cached_property
    def _cross(self) -> pd.DataFrame:
        """Cross-products of the places that show something; there may be very many others."""
        units = list({unit for _, unit in self.places})
        cross = self.evidence.cross
        return cross[cross["unit"].isin(units).to_numpy()]

    @cached_property
    def _pairs(self) -> dict[tuple[str, str, str], np.ndarray]:
        return RowKeys.of(self._cross, ["first", "second", "wave"]).positions()

    @cached_property
    def _pair_places(self) -> np.ndarray:
        return self._positions(RowKeys.of(self._cross, ["by", "unit"]))

    @cached_property
    def _pair_sums(self) -> np.ndarray:
        return self._cross[["n", "first_total", "second_total", "product"]].to_numpy(float).T

    @cached_property
    def segments(self) -> pd.DataFrame:
        """Sums by background category that may be shown, with the sign that turns a score into health."""
        return self._signed(self.evidence.segments[self.hidden_segments == ""])

    @cached_property
    def hidden_segments(self) -> np.ndarray:
        """The rule that withholds each row of the evidence's segments, or empty text."""
        table, atoms = self.evidence.segments, self.evidence.segment_atoms
        return np.asarray(hidden_segments(table, self.cells, self.settings.minimum_group, atoms))

    @cached_property
    def changes(self) -> pd.DataFrame:
        """Sums of change within persons that may be shown, with the sign that turns a score into health."""
        table = self.evidence.changes
        hidden = hidden_changes(table, self.cells, self.settings.minimum_group, self.evidence.groupings)
        return self._signed(table[hidden == ""])

    def _signed(self, table: pd.DataFrame) -> pd.DataFrame:
        directions = {
            (instrument.id, dimension.id): 1.0 if dimension.direction == "strength" else -1.0
            for instrument in self.evidence.instruments.values()
            for dimension in instrument.dimensions
        }
        keys = zip(table["instrument"], table["dimension"], strict=True)
        return table.assign(sign=[directions.get(key, 1.0) for key in keys])

    @cached_property
    def recorded(self) -> dict[tuple[str, str, str], Measurement]:
        """Operations data of the whole organisation and of units that may be shown, by grouping, unit and indicator."""
        if not self.operations.newest:
            return {}
        scores = self.cells[having(self.cells, kind="score", hidden="")]
        places = {("", ""), *zip(scores["by"], scores["unit"], strict=True)}
        return {key: value for key, value in self.operations.newest.items() if key[:2] in places}

    @cached_property
    def titles(self) -> Titles:
        return Titles(self.evidence)

    def counts(self, rows: pd.DataFrame) -> np.ndarray:
        """How many chose each option, in the order of the response scale, for rows of ``cells``."""
        wanted = rows.index.to_numpy()
        return np.column_stack([self.evidence.cells[name].to_numpy()[wanted] for name in COUNTS]).astype(float)

    def border(self, references: Iterable[str]) -> tuple[float, float]:
        """Below what a level is low and from what it is high: the mean declared target, or else the conventions."""
        values = []
        for reference in references:
            instrument, _, dimension = reference.partition("/")
            values.append(self.targets.of(instrument, dimension, None))
        if values and not np.isnan(values).any():
            return float(np.mean(values)), float(np.mean(values))
        return self.settings.low_level, self.settings.good_level


def _reference(kind: str, instrument: str, dimension: str, name: str) -> str:
    """What gap definitions call a score or an item; empty for an indicator."""
    return f"{instrument}/{dimension}" if kind == "score" else name if kind == "item" else ""


@dataclass(frozen=True)
class Judgement:
    """Adjusted p-values and the tier of one estimate within its family."""

    q: float
    q_minimum: float
    tier: Tier | None
    unreliable: bool
    shares: tuple[float, ...] | None = None
    """Of repeated surveys that reach each tier (``stability.RANKS``); None where nothing is drawn again."""


def judge(
    estimates: np.ndarray,
    errors: np.ndarray,
    df: np.ndarray,
    n: np.ndarray,
    reliabilities: Sequence[Sequence[float | None]],
    settings: Settings,
) -> list[Judgement]:
    """Tiers of a declared family of differences (Benjamini and Hochberg, 1995)."""
    q = benjamini_hochberg(minimum_effect_p(estimates, errors, df, 0.0))
    q_minimum = benjamini_hochberg(minimum_effect_p(estimates, errors, df, settings.minimum_effect))
    found = []
    for one, minimum, size, people, trust in zip(q, q_minimum, estimates, n, reliabilities, strict=True):
        tier, unreliable = tier_of(one, minimum, size, size, people, trust, settings)
        found.append(Judgement(float(one), float(minimum), tier, unreliable))
    told = np.array([position for position, one in enumerate(found) if one.tier is not None], dtype=np.int64)
    shares = tier_shares(Redrawn.of(estimates, errors, df, n, settings), settings, told)
    for position, again in zip(told, shares.tolist(), strict=True):
        found[position] = replace(found[position], shares=tuple(again))
    return found


def gap_draft(
    kind: FindingKind,
    place: Place,
    judgement: Judgement,
    *,
    estimate: float,
    error: float,
    df: float,
    n: int,
    comparator: str,
    settings: Settings,
    about: Sequence[object] = (),
    abstentions: Sequence[str] = (),
    values: Sequence[tuple[str, object]] = (),
    **where: Any,
) -> Draft:
    """A draft about a difference in points of health, negative where it is worse; ``where`` names what it is about."""
    worse = estimate < 0
    half = float(stdtrit(df, 0.975)) * error
    severity: Severity = settings.severity(estimate) if worse else "none"
    tier: Tier = judgement.tier or "watch"
    return Draft(
        Finding(
            id=finding_id(kind, *place, *about),
            kind=kind,
            by=name_or_none(place[0]),
            unit=name_or_none(place[1]),
            wave=name_or_none(place[2]),
            instrument=where.get("instrument"),
            dimension=where.get("dimension"),
            item=where.get("item"),
            rater=where.get("rater"),
            form=where.get("form"),
            estimate=float(estimate),
            ci_low=float(estimate - half),
            ci_high=float(estimate + half),
            n=int(n),
            comparator=comparator,
            direction="worse" if worse else "better",
            severity=severity,
            tier=tier,
            q_value=judgement.q,
            q_minimum_effect=judgement.q_minimum,
            shrunk=float(estimate),
            abstentions=(*abstentions, LOW_RELIABILITY) if judgement.unreliable else tuple(abstentions),
            stability=None if judgement.shares is None else own_share(judgement.shares, tier),
        ),
        loss=expected_loss(float(estimate), float(error), settings.smallest_gap),
        values=tuple(values),
    )


def index_rows(rows: Iterable[tuple[Place, str, str, float, float, float, int, str]]) -> pd.DataFrame:
    """Rows of the table of indexes: place, index, part, estimate, interval, n, verdict."""
    names = ["by", "unit", "wave", "index", "part", "estimate", "ci_low", "ci_high", "n", "verdict"]
    return pd.DataFrame([(*place, *rest) for place, *rest in rows], columns=names)
