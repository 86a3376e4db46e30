"""What a notebook shows of a diagnosis: a short fragment, and charts as altair values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from html import escape
from typing import Any

from servicediag.diagnosis.model import Diagnosis
from servicediag.errors import InsufficientDataError
from servicediag.report import charts, group_charts
from servicediag.report.answer_chart import answers
from servicediag.report.answers import questionnaires
from servicediag.report.cells import Grouping, groupings
from servicediag.report.charts import Frame
from servicediag.report.labels import Labels
from servicediag.report.marks import in_language
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
    "plane": group_charts.plane,
    "agreement": charts.agreement,
}


def _answers(frame: Frame) -> Iterable[tuple[str, Callable[[], Any]]]:
    return ((one.instrument, partial(answers, frame, one)) for one in questionnaires(frame.diagnosis))


def _changes(frame: Frame) -> Iterable[tuple[str, Callable[[], Any]]]:
    # the newest pair first
    pairs = reversed(group_charts.wave_pairs(frame.diagnosis))
    return ((f"{first}-{second}", partial(group_charts.changes, frame, first, second)) for first, second in pairs)


def _segments(frame: Frame) -> Iterable[tuple[str, Callable[[], Any]]]:
    fields = group_charts.backgrounds(frame.diagnosis)
    return ((field, partial(group_charts.segments, frame, field)) for field in fields)


def _indexes(frame: Frame) -> Iterable[tuple[str, Callable[[], Any]]]:
    return ((name, partial(group_charts.index, frame, name)) for name in group_charts.INDEXES)


_ONE_OF_SEVERAL: Mapping[str, Callable[[Frame], Iterable[tuple[str, Callable[[], Any]]]]] = {
    "answers": _answers, "changes": _changes, "segments": _segments, "index": _indexes,
}  # fmt: skip
KINDS = (*_OVERALL, *_GROUPED, *_ONE_OF_SEVERAL)


def plot(diagnosis: Diagnosis, kind: str, *, about: str | None = None, language: str | None, theme: Theme) -> Any:
    """The chart of that kind as an altair value; see :func:`servicediag.report.plot`."""
    import altair

    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not a chart; choose from {', '.join(KINDS)}")
    if about is not None and kind not in _ONE_OF_SEVERAL:
        raise ValueError(f"about={about!r} goes with kind {', '.join(_ONE_OF_SEVERAL)}, not with {kind!r}")
    published = printable(diagnosis, language)
    frame = Frame(published, Labels.of(published), theme)
    if kind in _OVERALL:
        specification = _OVERALL[kind](frame)
    elif kind in _ONE_OF_SEVERAL:
        specification = _first(_ONE_OF_SEVERAL[kind](frame), about)
    else:
        found = groupings(published)
        same = [grouping for grouping in found if grouping.by == found[0].by]
        specification = _GROUPED[kind](frame, same[-1]) if same else None
    if specification is None:
        raise InsufficientDataError(f"This diagnosis publishes nothing that a chart of kind={kind!r} could show.")
    return altair.Chart.from_dict(in_language(specification, published.language))


def _first(drawn: Iterable[tuple[str, Callable[[], Any]]], about: str | None) -> Any:
    """The first of several charts that has anything to show, or the one of that name."""
    choices = list(drawn)
    names = list(dict.fromkeys(name for name, _ in choices))
    if about is not None and choices and about not in names:
        raise ValueError(f"about={about!r} has no chart here; choose from {', '.join(names)}")
    charts_of = (draw() for name, draw in choices if about in (None, name))
    return next((chart for chart in charts_of if chart is not None), None)


def fragment(diagnosis: Diagnosis, *, language: str | None) -> str:
    """Headline and top findings as escaped HTML."""
    published = printable(diagnosis, language)
    labels = Labels.of(published)
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
