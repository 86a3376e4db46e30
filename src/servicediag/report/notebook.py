"""What a notebook shows of a diagnosis: a short fragment, and charts as altair values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from servicediag.diagnosis.model import Diagnosis
from servicediag.errors import InsufficientDataError
from servicediag.report import charts
from servicediag.report.cells import Grouping, groupings
from servicediag.report.charts import Frame
from servicediag.report.labels import Labels
from servicediag.report.publication import printable
from servicediag.report.story import headline, stories
from servicediag.report.theme import Theme

__all__ = ["KINDS", "fragment", "plot"]

_TOP = 5
_OVERALL: Mapping[str, Callable[[Frame], Any]] = {
    "gaps": charts.gaps,
    "provision_gap": lambda frame: charts.dumbbell(frame, "provision_gap"),
    "perception_gap": lambda frame: charts.dumbbell(frame, "perception_gap"),
}
_GROUPED: Mapping[str, Callable[[Frame, Grouping], Any]] = {
    "heatmap": charts.heatmap,
    "readiness": charts.readiness,
    "bottleneck": charts.bottleneck,
}
KINDS = ("gaps", "heatmap", "readiness", "bottleneck", "provision_gap", "perception_gap")


def plot(diagnosis: Diagnosis, kind: str, *, language: str, theme: Theme) -> Any:
    """The chart of that kind as an altair value; see :func:`servicediag.report.plot`."""
    import altair

    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not a chart; choose from {', '.join(KINDS)}")
    published = printable(diagnosis)
    frame = Frame(published, Labels.of(published, language), theme)
    if kind in _OVERALL:
        specification = _OVERALL[kind](frame)
    else:
        found = groupings(published)
        same = [grouping for grouping in found if grouping.by == found[0].by]
        specification = _GROUPED[kind](frame, same[-1]) if same else None
    if specification is None:
        raise InsufficientDataError(f"This diagnosis publishes nothing that a chart of kind={kind!r} could show.")
    return altair.Chart.from_dict(specification)


def fragment(diagnosis: Diagnosis, *, language: str) -> str:
    """Headline and top findings as escaped HTML."""
    published = printable(diagnosis)
    labels = Labels.of(published, language)
    title = str(published.study.get("title") or labels.say("title.page"))
    rows = []
    for story in stories(published.top(_TOP), labels):
        cells = (story.title, story.estimate, story.tier_label, story.severity_label, story.first_action)
        rows.append("<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in cells) + "</tr>")
    heads = [labels.column(name) for name in ("finding", "estimate", "tier", "severity", "first_action")]
    head = "".join(f'<th style="text-align:left">{escape(text)}</th>' for text in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    count = len(published.withheld)
    withheld = f"<p>{escape(labels.say('count.withheld', count=count))}</p>" if count else ""
    return (
        f"<div><p><strong>{escape(title)}</strong></p><p>{escape(headline(published, labels))}</p>{table}{withheld}"
        f"<p>{escape(labels.say('method.not_validated'))}</p></div>"
    )
