"""Order of the findings: by expected loss, with what the data say about that order, and ties shown as ties."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from servicediag.diagnosis.draft import Draft, changed
from servicediag.diagnosis.model import Finding, Severity, Tier
from servicediag.diagnosis.settings import Settings

__all__ = ["ranked"]

TIER_ORDER: tuple[Tier, ...] = ("established", "likely", "watch", "abstained")
SEVERITY_ORDER: tuple[Severity, ...] = ("critical", "major", "minor", "none")
N_DRAWS = 2000
DRAWN_AT_MOST = 200
"""Troubles whose order is drawn; those after them have a place, but no interval of it."""
SURE = 0.90
"""Probability from which one trouble is called greater than another; below it they are tied."""
_PER_INTERVAL = 2 * 1.959964


def ranked(drafts: Iterable[Draft], settings: Settings) -> list[Finding]:
    """The findings, most important first; troubles with their rank, its 90 % interval, and ties.

    Notes
    -----
    The size of a trouble is drawn from a normal posterior: its shrunken estimate, and the error of its interval shrunk
    alike; its loss is what exceeds the smallest gap of interest. Troubles that cannot be told from the first of their
    group with a probability of 90 % have the same rank (Goldstein and Spiegelhalter, 1996, on league tables).
    """
    ordered = sorted(drafts, key=_key)
    troubles = [draft for draft in ordered if draft.finding.is_trouble]
    places = _with_places(troubles, settings)
    return [places.get(draft.finding.id, draft.finding) for draft in ordered]


def _key(draft: Draft) -> tuple[object, ...]:
    finding = draft.finding
    sure = finding.tier in ("established", "likely") and finding.direction == "worse"
    return (
        not finding.is_trouble,
        0 if sure else TIER_ORDER.index(finding.tier),
        -round(draft.loss, 6),
        TIER_ORDER.index(finding.tier),
        SEVERITY_ORDER.index(finding.severity),
        finding.id,
    )


def _with_places(troubles: Sequence[Draft], settings: Settings) -> dict[str, Finding]:
    losses = _losses(troubles[:DRAWN_AT_MOST], settings)
    group: list[int] = []
    ranks: dict[str, Finding] = {}
    groups: list[list[int]] = []
    for position, draft in enumerate(troubles):
        if position < len(losses) and group and _ahead(losses[group[0]], losses[position]) < SURE:
            group.append(position)
        else:
            group = [position]
            groups.append(group)
        ranks[draft.finding.id] = draft.finding
    order = (-losses).argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") + 1
    for members in groups:
        for position in members:
            finding = troubles[position].finding
            tied = tuple(troubles[other].finding.id for other in members if other != position)
            drawn = order[position] if position < len(losses) else None
            ranks[finding.id] = changed(
                finding,
                rank=members[0] + 1,
                rank_low=None if drawn is None else int(np.quantile(drawn, 0.05, method="lower")),
                rank_high=None if drawn is None else int(np.quantile(drawn, 0.95, method="higher")),
                p_top_three=None if drawn is None else float((drawn <= 3).mean()),
                tied_with=tied,
            )
    return ranks


def _ahead(first: np.ndarray, second: np.ndarray) -> float:
    """Probability that the first loss is the greater one; equal losses count half."""
    return float((first > second).mean() + (first == second).mean() / 2)


def _losses(troubles: Sequence[Draft], settings: Settings) -> np.ndarray:
    """Draws of each trouble's loss in points, troubles x draws; a finding's draws depend on the seed and its place in
    the order of ids only."""
    rng = np.random.default_rng([settings.seed, 7])
    noise = rng.standard_normal((len(troubles), N_DRAWS))
    place = np.argsort(np.argsort(np.array([draft.finding.id for draft in troubles], dtype=object)))
    losses = np.zeros((len(troubles), N_DRAWS))
    for position, draft in enumerate(troubles):
        loss, spread = _posterior(draft, settings)
        losses[position] = np.maximum(loss + spread * noise[place[position]], 0.0)
    return losses


def _posterior(draft: Draft, settings: Settings) -> tuple[float, float]:
    """How far a trouble lies beyond the smallest gap of interest, and the standard deviation of that, in points."""
    finding = draft.finding
    if finding.estimate is None or finding.ci_low is None or finding.ci_high is None:
        return draft.loss, 0.0
    error = (finding.ci_high - finding.ci_low) / _PER_INTERVAL
    if finding.metric != "points":
        relative = error / abs(finding.estimate) if finding.estimate else 0.0
        return draft.loss, draft.loss * relative
    best = finding.estimate if finding.shrunk is None else finding.shrunk
    keep = min(1.0, abs(best / finding.estimate)) if finding.estimate else 1.0
    return abs(best) - settings.smallest_gap, error * math.sqrt(keep)
