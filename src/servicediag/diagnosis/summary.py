"""The shortest form of a diagnosis: a few troubles, a strength, what cannot be told, and what to do first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from servicediag.diagnosis.draft import Titles
from servicediag.diagnosis.model import Finding, OpenQuestion, Summary
from servicediag.diagnosis.row_keys import having
from servicediag.diagnosis.sums import WHOLE
from servicediag.results import table_rows
from servicediag.wording.telling import figure, joined, sentence, without_code

__all__ = ["summarise"]

MOST_TROUBLES = 5
MOST_STRENGTHS = 3


def summarise(findings: Sequence[Finding], cells: pd.DataFrame, not_measured: pd.DataFrame, titles: Titles) -> Summary:
    """At most five troubles, at least one strength where anything was measured, and the open questions.

    Parameters
    ----------
    findings : sequence of Finding
        In order of importance.
    cells : DataFrame
        Judged cells; only what may be shown is read.
    not_measured : DataFrame
        Gaps that could not be judged: ``gap, code, what, settled_by``.
    titles : Titles
    """
    every = [finding for finding in findings if finding.is_trouble]
    troubles = tuple(every[:MOST_TROUBLES])
    good = [f for f in findings if f.direction == "better" and f.tier in ("established", "likely")]
    strengths = tuple(finding.text for finding in good[:MOST_STRENGTHS]) or tuple(_highest(cells, titles))
    actions = tuple(dict.fromkeys(action for finding in troubles for action in finding.actions))
    return Summary(
        headline=_headline(every),
        troubles=tuple(finding.id for finding in troubles),
        strengths=strengths,
        first_actions=actions[:MOST_TROUBLES],
        cannot_tell=tuple(dict.fromkeys(_open(troubles, findings, not_measured))),
    )


def _headline(troubles: Sequence[Finding]) -> str:
    if not troubles:
        return sentence("finding.summary.none")
    established = sum(finding.tier == "established" for finding in troubles)
    tied = len(troubles[0].tied_with)
    first = sentence("finding.summary.tied", title=troubles[0].title, others=tied) if tied else troubles[0].title
    return sentence(
        "finding.summary.some",
        found=len(troubles),
        established=established,
        likely=len(troubles) - established,
        first=first,
    )


def _highest(cells: pd.DataFrame, titles: Titles) -> Iterable[str]:
    """Where nothing stands out for the better: the highest level of the whole organisation."""
    whole = cells[having(cells, kind="score", by=WHOLE, hidden="") & cells["current"].to_numpy()]
    if whole.empty:
        return
    best = next(table_rows(whole.sort_values(["health", "instrument", "dimension"], ascending=[False, True, True])))
    yield sentence(
        "finding.summary.highest",
        dimension=titles.dimension(best.instrument, best.dimension),
        health=figure(best.health, ".1f"),
        raters=titles.raters(best.instrument, best.form),
        n=int(best.n),
    )


def _open(
    troubles: Sequence[Finding], findings: Sequence[Finding], not_measured: pd.DataFrame
) -> Iterable[OpenQuestion]:
    """What cannot be told about the troubles, the gaps that could not be judged, and the gaps to watch."""
    for finding in troubles:
        for abstention in finding.abstentions:
            if abstention.startswith("CAUSE_UNKNOWN"):
                yield OpenQuestion(finding.title, without_code(abstention))
        for cause in finding.causes:
            if cause.status == "untested":
                whether = sentence("finding.summary.whether", cause=cause.cause)
                yield OpenQuestion(whether, joined("sentences", cause.untested))
    for row in table_rows(not_measured):
        yield OpenQuestion(row.what, row.settled_by)
    watched = [finding for finding in findings if finding.tier == "watch" and finding.minimum_detectable_gap]
    if watched:
        yield OpenQuestion(
            sentence("finding.summary.watched", found=len(watched)), sentence("finding.summary.more_answers")
        )
