"""The privacy gate's rules: which cells may be shown, and which further ones would give a hidden one away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from servicediag.diagnosis.audit import AuditResult, audit
from servicediag.diagnosis.privacy_scales import hide_what_scales_tell
from servicediag.diagnosis.ranges import FEASIBLE_SHARE, UNANIMITY_BELOW, feasible_width, near_an_end
from servicediag.diagnosis.release_audit import Fact, exposing_groups, too_large
from servicediag.diagnosis.row_keys import RowKeys

__all__ = ["PrivacyRules", "hidden_cells"]

SENSITIVE_MINIMUM = 10
"""Fewest answers to a sensitive scale that may be shown; ``instruments/_rules/privacy.yaml`` names these scales."""
SOURCE = ["instrument", "form", "wave"]
SCORE = ["kind", "dimension", "name"]


@dataclass(frozen=True)
class PrivacyRules:
    """Which rules are in force. All are, always; only the attack test switches one off, to see that it is needed."""

    minimum_group: bool = True
    unanimity: bool = True
    complementary: bool = True
    interval: bool = True
    audit: bool = True
    partial_answers: bool = True
    waves: bool = True
    scales: bool = True


def hidden_cells(
    cells: pd.DataFrame,
    atoms: Mapping[tuple[str, str, str], pd.DataFrame],
    minimum: int,
    rules: PrivacyRules | None = None,
    closed: np.ndarray | None = None,
    sensitive: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> np.ndarray:
    """The rule that withholds each cell of the evidence, or empty text where it may be shown.

    Rules: ``minimum_group`` (fewer answers than the minimum), ``unanimity`` (a number that tells what nearly everyone
    of a small group answered), ``partial_answers`` (an item of a small group whose score, taken beside it, would tell
    about the few who left it out), ``complementary`` (it would give a hidden cell away by subtraction, of groups or of
    the items of a scale, or narrow it down to less than a fifth of its range), ``audit`` (it would single people out
    together with other groupings), ``ledger`` (few people joined or left since it was shown before, or between waves).

    Parameters
    ----------
    cells : DataFrame
        Cells of the evidence with their sums and category counts.
    atoms : mapping of (instrument, form, wave) -> DataFrame
        With several groupings: how many people of each combination of groups answered each score, item or indicator.
    minimum : int
    rules : PrivacyRules, optional
    closed : ndarray of bool, optional
        Cells that the release ledger withholds (rule ``ledger``).
    sensitive : ndarray of bool, optional
        Cells of sensitive scales, for which the minimum is at least 10.
    scored : ndarray of bool, optional
        Scores and the items that count for them, which tell of one another.
    """
    if sensitive is not None and sensitive.any() and minimum < SENSITIVE_MINIMUM:
        hidden = np.full(len(cells), "", dtype=object)
        for mine, least in ((~sensitive, minimum), (sensitive, SENSITIVE_MINIMUM)):
            some, counted = (None if one is None else one[mine] for one in (closed, scored))
            hidden[mine] = hidden_cells(cells[mine], atoms, least, rules, some, scored=counted)
        return hidden
    rules = rules or PrivacyRules()
    table = cells.reset_index(drop=True)
    hidden = np.full(len(table), "", dtype=object)
    small = table["n"].to_numpy() < minimum
    if closed is not None:
        hidden[closed] = "ledger"
    if rules.unanimity:
        hidden[_unanimous(table, minimum) & ~small] = "unanimity"
    if rules.partial_answers:
        apart, n = table["n_apart"].to_numpy(), table["n"].to_numpy()
        hidden[(apart > 0) & (apart < minimum) & (n < UNANIMITY_BELOW) & ~small] = "partial_answers"
    if rules.minimum_group:
        hidden[small] = "minimum_group"
    together = scored if scored is not None and rules.scales else np.zeros(len(table), dtype=bool)
    hide_what_scales_tell(hidden, table, together)
    while True:
        if rules.complementary:
            _complement(hidden, table, minimum, rules)
        if rules.audit:
            _audit(hidden, table, atoms, minimum)
        if not hide_what_scales_tell(hidden, table, together):
            return hidden


def quadrant_rows(table: pd.DataFrame) -> np.ndarray:
    """Positions of the shares of people in each quadrant of confidence and capability."""
    named = [name for name in table["name"].unique() if str(name).startswith("quadrant_")]
    return np.flatnonzero(table["name"].isin(named).to_numpy() & (table["kind"] == "indicator").to_numpy())


def _complement(hidden: np.ndarray, table: pd.DataFrame, minimum: int, rules: PrivacyRules) -> None:
    """Within each grouping, hide further units until the hidden ones stay hidden; in the end the whole with them."""
    whole = (table["by"] == "").to_numpy()
    places = table.loc[whole, SOURCE + SCORE].itertuples(index=False, name=None)
    wholes = dict(zip(places, np.flatnonzero(whole), strict=True))
    n, total = table["n"].to_numpy(float), table["total"].to_numpy(float)
    squares = table["total_squares"].to_numpy(float)
    counts = table[[name for name in table.columns if str(name).startswith("count_")]].to_numpy()
    ranges = np.where((table["kind"] == "indicator").to_numpy(), 1.0, 100.0)
    units, names = pd.factorize(table["unit"])
    of_unit = np.asarray(names).astype(str)
    open_wholes: set[int] = set()
    parts = table.loc[~whole, ["by", *SOURCE]]
    for key, source in _positions(parts):
        inside = parts.index.to_numpy()[source]
        sizes = np.zeros(len(of_unit))
        np.maximum.at(sizes, units[inside], n[inside])
        for score, group in _positions(table.loc[inside, SCORE]):
            at = wholes.get((*key[1:], *score))
            if at is None or hidden[at] != "":
                continue
            rows = inside[group]
            rest = tuple(float(sums[at] - sums[rows].sum()) for sums in (n, total, squares))
            rows = rows[np.lexsort((of_unit[units[rows]], sizes[units[rows]]))]
            # what the ledger withholds is looked after by its own audit
            guarded = (hidden[rows] != "") & (hidden[rows] != "ledger") & rules.interval
            scale = ranges[at]
            sums = np.array([n[rows], total[rows] / scale, squares[rows] / scale**2])
            of_rest = np.array([rest[0], rest[1] / scale, rest[2] / scale**2])
            chosen = counts[np.append(at, rows)] if score[0] == "item" and rules.interval else None
            pool = _Pool(sums, guarded, of_rest, minimum, rules.interval, chosen)
            if not _hide_units(hidden, rows, pool):
                open_wholes.add(int(at))
    if open_wholes:
        # even with every unit hidden the whole would tell too much about them
        keys = set(table.loc[sorted(open_wholes), SOURCE + SCORE].itertuples(index=False, name=None))
        every = [key in keys for key in table[SOURCE + SCORE].itertuples(index=False, name=None)]
        hidden[np.array(every) & (hidden == "")] = "complementary"


def _positions(keys: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """The rows of each combination of texts, without a copy of the table."""
    yield from RowKeys.of(keys, list(keys.columns)).positions().items()


@dataclass(frozen=True)
class _Pool:
    """Units of a grouping, and the people of no unit (``rest``), who are in the whole only.

    ``sums`` and ``rest`` hold n, total and squares, of answers from 0 to 1. ``guarded`` are the units that are hidden
    for their own sake, not to protect another one. ``chosen`` counts the answers to an item by option, of the whole
    first.
    """

    sums: np.ndarray
    guarded: np.ndarray
    rest: np.ndarray
    minimum: int
    interval: bool
    chosen: np.ndarray | None = None

    def is_safe(self, concealed: np.ndarray) -> bool:
        """Nothing is concealed, or what is concealed cannot be worked out from the whole and the units shown."""
        if self._options_tell(concealed):
            return False
        few_in_none = bool(0 < self.rest[0] < self.minimum) or self._tells_of_each(self.rest)
        if not concealed.any() and not few_in_none:
            return True
        together = self.sums[:, concealed].sum(axis=1) + self.rest
        if concealed.sum() + (self.rest[0] > 0) < 2 or together[0] < self.minimum:
            return False
        sizes = self.sums[0][self.guarded]
        if few_in_none and self.interval:
            sizes = np.append(sizes, self.rest[0])
        if self._tells_of_each(together):
            return False
        return bool((feasible_width(sizes, *together) >= FEASIBLE_SHARE * sizes - 1e-9).all())

    def _options_tell(self, concealed: np.ndarray) -> bool:
        """Whether few people, whose answers by option are left when those of the larger units are taken away, agree."""
        if self.chosen is None:
            return False
        counted = ~concealed & (self.sums[0] >= UNANIMITY_BELOW)
        left = self.chosen[0] - self.chosen[1:][counted].sum(axis=0)
        n = left.sum()
        return bool(0 < n < UNANIMITY_BELOW and left.max() >= n - 1)

    def _tells_of_each(self, sums: np.ndarray) -> bool:
        """Whether people, of whom nothing is shown by itself, agree so nearly that each one's answer is known.

        The sum of any few of them may not be known either, as in a small group that is shown.
        """
        n, total, _ = sums
        if not self.interval or n <= 0:
            return False
        few = bool(near_an_end(np.array([n]), np.array([total]), self.minimum)[0])
        return few or bool(feasible_width(1.0, *sums) < FEASIBLE_SHARE)


def _hide_units(hidden: np.ndarray, rows: np.ndarray, pool: _Pool) -> bool:
    """Hide the first of ``rows`` until the pool is safe; False where it is not even with all of them hidden.

    The order is the same for every score of a form, so that mostly the same unit is taken for all of them.
    """
    concealed = hidden[rows] != ""
    taken = []
    for position in np.flatnonzero(~concealed):
        if pool.is_safe(concealed):
            break
        concealed[position] = True
        taken.append(position)
    safe = pool.is_safe(concealed)
    # what was hidden first may be needless since more is hidden
    for position in taken[:-1] if safe else []:
        concealed[position] = False
        concealed[position] = not pool.is_safe(concealed)
    hidden[rows[concealed & (hidden[rows] == "")]] = "complementary"
    return safe


def _unanimous(table: pd.DataFrame, minimum: int) -> np.ndarray:
    """Small groups in which all, or all but one, gave the same answer; and scores on which nobody differs."""
    counts = table[[name for name in table.columns if str(name).startswith("count_")]].to_numpy()
    n, total = table["n"].to_numpy(float), table["total"].to_numpy(float)
    squares = table["total_squares"].to_numpy(float)
    kind = table["kind"].to_numpy()
    of_indicator = (kind == "indicator") & ((total < 2) | (n - total < 2))
    of_item = (kind == "item") & (counts.max(axis=1, initial=0) >= n - 1)
    # where all are near to an end of the scale, or to one another, each one's answer is known to a fifth of its range
    near = feasible_width(1.0, np.maximum(n, 1), total / 100.0, squares / 100.0**2) < FEASIBLE_SHARE
    of_score = (kind != "indicator") & (near | near_an_end(n, total / 100.0, minimum))
    masked = (n < UNANIMITY_BELOW) & (of_indicator | of_item | of_score)
    # quadrants add up to everybody: one masked quadrant would follow from the four others
    quadrant = quadrant_rows(table)
    places = list(table.loc[quadrant, ["by", "unit", *SOURCE]].itertuples(index=False, name=None))
    caught = {place for place, position in zip(places, quadrant, strict=True) if masked[position]}
    masked[quadrant] = [place in caught for place in places]
    return np.asarray(masked)


def _audit(
    hidden: np.ndarray, table: pd.DataFrame, atoms: Mapping[tuple[str, str, str], pd.DataFrame], minimum: int
) -> None:
    """Hide what would single people out, or narrow them down, only together with what other groupings show."""
    seen: dict[tuple[bytes, ...], AuditResult] = {}
    for source, members in atoms.items():
        mine = np.logical_and.reduce([(table[c] == value).to_numpy() for c, value in zip(SOURCE, source, strict=True)])
        answered = dict(iter(members.groupby(SCORE, sort=False)))
        for score, group in table[mine].groupby(SCORE, sort=False):
            people = answered.get(score)
            if people is None:
                continue
            rows = group.index.to_numpy()[np.argsort((group["by"] != "").to_numpy(), kind="stable")]
            places = list(zip(table.loc[rows, "by"], table.loc[rows, "unit"], strict=True))
            if places[0][0] != "":
                continue
            membership = np.array(
                [np.ones(len(people), bool) if by == "" else (people[by] == unit).to_numpy() for by, unit in places]
            )
            sizes, shut = people["n"].to_numpy(), hidden[rows] != ""
            further = np.array([by not in ("", places[-1][0]) for by, _ in places])
            if too_large(membership[~shut]):
                # what is too large to be looked at is shown of one grouping only, as if there were no other
                hidden[rows[further & ~shut]] = "audit"
                continue
            key = (membership.tobytes(), sizes.tobytes(), shut.tobytes())
            if key not in seen:
                seen[key] = audit(membership, sizes, shut, minimum)
            closed = _narrowed(table.loc[rows], membership, sizes, seen[key].hidden, minimum)
            hidden[rows[closed & ~shut]] = "audit"


def _narrowed(
    group: pd.DataFrame, membership: np.ndarray, sizes: np.ndarray, closed: np.ndarray, minimum: int
) -> np.ndarray:
    """Groups closed besides, since the totals of all leave some few people less than a fifth of their range."""
    gone = exposing_groups(facts_of(group, membership, ~closed), minimum, sizes, step_of(group))
    return np.asarray(closed | np.isin(np.arange(len(closed)).astype(str), sorted(gone)))


def step_of(group: pd.DataFrame) -> float | None:
    """Distance of two possible answers in points; of an item, as far as the options that were chosen tell."""
    kind = str(group["kind"].iloc[0])
    if kind != "item":
        return 100.0 if kind == "indicator" else None
    chosen = group[[name for name in group.columns if str(name).startswith("count_")]].to_numpy().any(axis=0)
    return 100.0 / max(int(np.flatnonzero(chosen).max(initial=1)), 1)


def facts_of(group: pd.DataFrame, membership: np.ndarray, shown: np.ndarray, settled: int = 0) -> list[Fact]:
    """What the rows that are shown tell of the atoms, named by their positions; the first few are settled."""
    points = np.where((group["kind"] == "indicator").to_numpy(), 100.0, 1.0)
    totals, squares = group["total"].to_numpy(float) * points, group["total_squares"].to_numpy(float) * points**2
    return [
        Fact(membership[k], float(totals[k]), float(squares[k]), group=None if k < settled else str(k))
        for k in np.flatnonzero(shown)
    ]
