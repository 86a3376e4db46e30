"""What the slides say, as plain values: titles that state the finding, tables, charts, and notes for the speaker."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass, field
from typing import Any, Literal

from servicediag.diagnosis.model import Finding
from servicediag.report import method
from servicediag.report.charts import Frame
from servicediag.report.story import Story, cannot_tell, first_action, headline, stories, strengths
from servicediag.report.tables import frame_table, without_empty
from servicediag.wording.catalogue import text
from servicediag.wording.telling import capitalised

__all__ = ["Bullets", "Chart", "Grid", "Role", "Series", "Shade", "Slide", "Writer", "opening_slides", "closing_slides"]

Role = Literal["primary", "accent", "muted"]
TOP = 5
_CAUSES = 4
_WIDTHS = {"dimension": 26.0, "instrument": 28.0, "form": 16.0, "rater": 16.0, "n_respondents": 14.0, "n_items": 11.0,
           "status": 16.0}  # fmt: skip
"""Shares of the width that columns of words take; those of numbers take 10."""


@dataclass(frozen=True)
class Series:
    """Values of one series, a value a category; ``low`` and ``high`` are the ends of 95 % intervals."""

    name: str
    values: tuple[float | None, ...]
    role: Role = "primary"
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    hatched: bool = False

    @property
    def has_intervals(self) -> bool:
        return any(value is not None for value in self.low)


@dataclass(frozen=True)
class Chart:
    """Horizontal bars.

    Attributes
    ----------
    kind : {"bars", "one_each", "shares"}
        Bars side by side; one bar a category, whose series tells of which kind it is; or parts of a whole.
    """

    kind: Literal["bars", "one_each", "shares"]
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    axis: str
    alt: str
    minimum: float = 0.0
    maximum: float = 100.0
    number_format: str = "0"
    label_format: str = "0"
    end_labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Shade:
    """A cell of a table that is coloured by a health value; None where nothing is shown."""

    text: str
    health: float | None


@dataclass(frozen=True)
class Grid:
    """A table: the share of the width that each column takes, heads, and rows of texts."""

    widths: tuple[float, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str | Shade, ...], ...]
    alt: str
    lines: int = 4


@dataclass(frozen=True)
class Bullets:
    """Entries of a word or two before the colon, and what follows."""

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Slide:
    """One slide: its title says the finding."""

    key: str
    title: str
    body: Chart | Grid | Bullets | None
    notes: str
    lead: str = ""


@dataclass(frozen=True)
class Writer:
    """The published diagnosis with its words, and the sentences on slides in the same language."""

    frame: Frame

    def say(self, key: str, **values: Any) -> str:
        return text(f"slides.{key}", self.frame.labels.language, **values)

    def count(self, things: Sized, key: str) -> str:
        return self.say(f"count.{key}", count=len(things))

    def notes(self, key: str, *sentences: str, **values: Any) -> str:
        """How the slide's numbers were made, then what else the speaker may need, then what holds for all slides."""
        return "\n".join([self.say(f"notes.{key}", **values), *filter(None, sentences), self.say("notes.always")])

    def title(self) -> str:
        """The name of the study."""
        return str(self.frame.diagnosis.study.get("title") or self.frame.labels.say("title.page"))


def opening_slides(writer: Writer) -> list[Slide]:
    """The title, the summary, and the most important finding or what to watch."""
    return [_title_slide(writer), _summary_slide(writer), _first_slide(writer)]


def closing_slides(writer: Writer) -> list[Slide]:
    """Causes, actions, strengths, open questions, who answered, reliability, and what to keep in mind."""
    return [
        _causes_slide(writer),
        _actions_slide(writer),
        _strengths_slide(writer),
        _open_slide(writer),
        _answered_slide(writer),
        _reliability_slide(writer),
        _caution_slide(writer),
    ]


def _title_slide(writer: Writer) -> Slide:
    diagnosis, labels = writer.frame.diagnosis, writer.frame.labels
    facts = method.facts(diagnosis, labels)
    return Slide("title", writer.title(), Bullets((("", facts),)), writer.notes("title", facts), lead=_headline(writer))


def _summary_slide(writer: Writer) -> Slide:
    told = stories(writer.frame.diagnosis.top(TOP), writer.frame.labels)
    body: Grid | Bullets = Bullets(((writer.say("summary.none_head"), writer.say("summary.none")),))
    if told:
        rows = [(str(place), story.title, story.estimate, _sure(writer, story), story.first_action or
                 writer.frame.labels.say("story.no_action")) for place, story in enumerate(told, start=1)]  # fmt: skip
        heads = tuple(writer.say(f"column.{name}") for name in ("place", "finding", "size", "sure", "first"))
        body = Grid((4, 30, 22, 14, 30), heads, tuple(rows), writer.say("alt.table", title=writer.say("summary.table")))
    return Slide("summary", _headline(writer), body, writer.notes("summary"))


def _first_slide(writer: Writer) -> Slide:
    top = writer.frame.diagnosis.top(1)
    if not top:
        return _watch_slide(writer)
    labels, (story,) = writer.frame.labels, stories(top, writer.frame.labels)
    against = labels.joined("list", (reason.cause for reason in story.against)) or labels.say("story.nothing_against")
    entries = [
        (writer.say("column.size"), writer.frame.labels.joined("list", (story.estimate, f"n = {story.finding.n}"))),
        (writer.say("column.compared"), story.finding.comparator),
        (writer.say("column.sure"), _sure(writer, story)),
        (writer.say("column.consistent"), _causes_of(writer, story) or labels.say("story.no_cause")),
        (writer.say("column.against"), against),
        (writer.say("column.untested"), _untested(writer, story)),
        (writer.say("column.first"), story.first_action or labels.say("story.no_action")),
    ]
    entries = [(head, words) for head, words in entries if words]
    evidence = [sentence for reason in story.consistent for sentence in reason.sentences]
    notes = writer.notes("finding", story.finding.text, *evidence, *story.open)
    return Slide("finding", story.title, Bullets(tuple(entries)), notes)


def _watch_slide(writer: Writer) -> Slide:
    labels = writer.frame.labels
    watch = stories(cannot_tell(writer.frame.diagnosis, labels).watch, labels)
    entries = tuple((story.place, story.estimate) for story in watch)
    title = writer.say("watch.title", found=writer.count(watch, "watch")) if watch else writer.say("watch.none")
    body = Bullets(entries or ((writer.say("watch.none_head"), writer.say("watch.none_text")),))
    return Slide("finding", title, body, writer.notes("watch"))


def _causes_slide(writer: Writer) -> Slide:
    labels = writer.frame.labels
    troubles = stories(writer.frame.diagnosis.top(TOP), labels)
    told = [s for s in troubles if s.consistent or s.against or s.untested][:_CAUSES]
    explained = [story for story in troubles if story.consistent]
    heads = tuple(writer.say(f"column.{name}") for name in ("finding", "consistent", "against", "untested"))
    rows = [
        (story.title, _causes_of(writer, story) or writer.frame.labels.say("story.no_cause"),
         labels.joined("list", (r.cause for r in story.against)) or "–",
         _untested(writer, story) or "–")
        for story in told
    ]  # fmt: skip
    if not rows:
        body: Grid | Bullets = Bullets(((writer.say("causes.none_head"), writer.say("causes.none")),))
        title = writer.say("causes.none_title")
    else:
        title = writer.say("causes.title", explained=len(explained), troubles=writer.count(troubles, "troubles"))
        body = Grid((25, 27, 22, 26), heads, tuple(rows), writer.say("alt.table", title=title), lines=5)
    return Slide("causes", title, body, writer.notes("causes"))


def _actions_slide(writer: Writer) -> Slide:
    diagnosis, labels = writer.frame.diagnosis, writer.frame.labels
    serves: dict[str, list[str]] = {action: [] for action in diagnosis.summary.first_actions}
    for finding in diagnosis.top(TOP):
        for action in _actions(finding):
            serves.setdefault(action, []).append(finding.title or labels.place(finding))
    if not serves:
        entries = ((writer.say("actions.none_head"), writer.say("actions.none")),)
        return Slide("actions", writer.say("actions.none_title"), Bullets(entries), writer.notes("actions"))
    rows = tuple(
        (str(place), action, labels.joined("list", findings[:3]) or "–")
        for place, (action, findings) in enumerate(serves.items(), start=1)
    )
    title = writer.say("actions.title", action=next(iter(serves)))
    heads = tuple(writer.say(f"column.{name}") for name in ("place", "action", "serves"))
    return Slide("actions", title, Grid((4, 50, 46), heads, rows, writer.say("alt.table", title=title), lines=3),
                 writer.notes("actions"))  # fmt: skip


def _strengths_slide(writer: Writer) -> Slide:
    found = stories(strengths(writer.frame.diagnosis), writer.frame.labels)
    entries = [(story.title, writer.frame.labels.joined("list", (story.estimate, story.tier_label))) for story in found]
    named = [sentence for sentence in writer.frame.diagnosis.summary.strengths if sentence]
    levels = _highest_levels(writer)
    if entries:
        title = writer.say("strengths.title", found=writer.count(found, "strengths"), title=entries[0][0])
    elif named and levels is not None:
        return Slide("strengths", named[0], levels, writer.notes("strengths"))
    else:
        entries = [_halves(sentence, writer.frame.labels.colon("", "")) for sentence in named]
        title = named[0] if named else writer.say("strengths.none")
    body = Bullets(tuple(entries) or ((writer.say("strengths.none_head"), writer.say("strengths.none_text")),))
    return Slide("strengths", title, body, writer.notes("strengths"))


def _highest_levels(writer: Writer) -> Grid | None:
    """The highest levels of the whole organisation, which stand in for strengths where none is established."""
    labels, evidence = writer.frame.labels, writer.frame.diagnosis.evidence
    known = evidence[evidence["unit"].isna() & evidence["health"].notna()]
    waves = known["wave"].dropna().tolist()
    known = known[known["wave"] == waves[-1]] if waves else known
    if known.empty:
        return None
    highest = known.sort_values("health", ascending=False, kind="stable").head(TOP)
    table = without_empty(frame_table(highest, ("dimension", "instrument", "rater", "n", "health"), labels))
    rows = tuple(tuple(row) for row in table.cells(labels.language))
    widths = tuple(_WIDTHS.get(column.name, 10.0) for column in table.columns)
    heads = tuple(column.label for column in table.columns)
    return Grid(widths, heads, rows, writer.say("alt.table", title=labels.say("section.strengths")), lines=2)


def _open_slide(writer: Writer) -> Slide:
    diagnosis, labels = writer.frame.diagnosis, writer.frame.labels
    questions = [(question.what, question.settled_by) for question in diagnosis.summary.cannot_tell]
    questions = questions or list(cannot_tell(diagnosis, labels).abstentions)
    if not questions:
        entries = ((writer.say("open.none_head"), labels.say("cannot.none")),)
        return Slide("open", writer.say("open.none"), Bullets(entries), writer.notes("open"))
    heads = (writer.say("column.open"), writer.say("column.settled"))
    title = writer.say("open.title", found=writer.count(questions, "questions"))
    rows = tuple((capitalised(what), capitalised(settled)) for what, settled in questions)
    return Slide("open", title, Grid((50, 50), heads, rows, writer.say("alt.table", title=title), lines=4),
                 writer.notes("open"))  # fmt: skip


def _answered_slide(writer: Writer) -> Slide:
    diagnosis, labels = writer.frame.diagnosis, writer.frame.labels
    parts = method.parts_table(diagnosis, labels)
    # the parts of one group of raters were mostly answered by the same people
    people = {part.get("rater"): int(part.get("n_respondents") or 0) for part in diagnosis.study.get("parts") or ()}
    known = bool(people) and all(people.values())
    title = writer.say("answered.title" if known else "answered.unknown",
                       respondents=labels.say("count.respondents", count=sum(people.values())),
                       withheld=writer.count(diagnosis.withheld, "withheld"))  # fmt: skip
    heads = tuple(column.label for column in parts.columns)
    body: Grid | Bullets = Bullets(((writer.say("answered.none_head"), labels.say("method.privacy")),))
    if parts:
        rows = tuple(tuple(row) for row in parts.cells(labels.language))
        widths = tuple(_WIDTHS.get(column.name, 10.0) for column in parts.columns)
        body = Grid(widths, heads, rows, writer.say("alt.table", title=title), lines=2)
    return Slide("answered", title, body, writer.notes("answered", labels.say("method.privacy")))


def _reliability_slide(writer: Writer) -> Slide:
    labels, frame = writer.frame.labels, writer.frame.diagnosis.reliability
    known = frame[frame["alpha"].notna()] if "alpha" in frame else frame.iloc[:0]
    if known.empty:
        entries = ((writer.say("reliability.none_head"), writer.say("reliability.none")),)
        return Slide("reliability", writer.say("reliability.none_title"), Bullets(entries), writer.notes("reliability"))
    lowest = known.sort_values("alpha", kind="stable")
    title = writer.say(
        "reliability.title", scales=writer.count(lowest, "scales"), low=labels.number(lowest["alpha"].iloc[0], 2),
        high=labels.number(lowest["alpha"].iloc[-1], 2))  # fmt: skip
    names = ("dimension", "instrument", "form", "n_items", "n_respondents", "alpha", "alpha_low", "alpha_high", "omega")
    table = without_empty(frame_table(lowest, names, labels))
    widths = tuple(_WIDTHS.get(column.name, 10.0) for column in table.columns)
    rows = tuple(tuple(row) for row in table.cells(labels.language))
    body = Grid(widths, tuple(column.label for column in table.columns), rows, writer.say("alt.table", title=title),
                lines=1)  # fmt: skip
    return Slide("reliability", title, body, writer.notes("reliability"), lead=writer.say("reliability.lead"))


def _caution_slide(writer: Writer) -> Slide:
    names = ("consistent", "not_validated", "conventions", "missing", "rounding", "privacy")
    entries = [(writer.say(f"caution.{name}"), writer.frame.labels.say(f"method.{name}")) for name in names]
    references = method.references(writer.frame.diagnosis)
    notes = writer.notes("caution", *method.statements(writer.frame.diagnosis, writer.frame.labels), *references)
    return Slide("caution", writer.say("caution.title"), Bullets(tuple(entries)), notes)


def _headline(writer: Writer) -> str:
    return writer.frame.diagnosis.summary.headline or headline(writer.frame.diagnosis, writer.frame.labels)


def _sure(writer: Writer, story: Story) -> str:
    return writer.frame.labels.say("story.tier_and_severity", tier=story.tier_label, severity=story.severity_label)


def _untested(writer: Writer, story: Story) -> str:
    """Causes that nothing measured speaks for; what the others lack is told on the page."""
    supported = {reason.cause for reason in story.consistent}
    causes = dict.fromkeys(reason.cause for reason in story.untested if reason.cause not in supported)
    return writer.frame.labels.joined("list", causes)


def _causes_of(writer: Writer, story: Story) -> str:
    return writer.frame.labels.joined("list", dict.fromkeys(reason.cause for reason in story.consistent))


def _actions(finding: Finding) -> tuple[str, ...]:
    return finding.actions or ((first_action(finding),) if first_action(finding) else ())


def _halves(sentence: str, separator: str) -> tuple[str, str]:
    head, colon, rest = sentence.partition(separator)
    return (head, rest) if colon else ("", sentence)
