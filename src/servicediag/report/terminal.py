"""The summary in a terminal: at most 100 columns, readable without colour, text from data never taken as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from servicediag.diagnosis.model import Diagnosis
from servicediag.report.labels import Labels
from servicediag.report.publication import printable
from servicediag.report.story import Reason, Story, cannot_tell, headline, reason_text, stories, strengths
from servicediag.wording.catalogue import text

__all__ = ["MAXIMUM_WIDTH", "print_summary"]

MAXIMUM_WIDTH = 100
_LISTED = 5
_COLOURS = {"established": "bold", "likely": "", "watch": "dim", "abstained": "dim"}


def print_summary(diagnosis: Diagnosis, console: Console, *, language: str | None = None, top: int = 5) -> None:
    """Print the diagnosis; see :func:`servicediag.report.print_diagnosis`."""
    published = printable(diagnosis, language)
    _Printer(console, Labels.of(published)).print(published, top)


class _Printer:
    """Prints onto one console, so that every text passes the same door."""

    def __init__(self, console: Console, labels: Labels) -> None:
        self.console, self.labels = console, labels
        self.width = min(MAXIMUM_WIDTH, console.width)

    def print(self, diagnosis: Diagnosis, top: int) -> None:
        labels = self.labels
        chosen = diagnosis.top(top)
        self._heading(str(diagnosis.study.get("title") or labels.say("title.page")))
        self._line(headline(diagnosis, labels), style="bold")
        self._line(labels.say("method.not_validated"), style="dim")
        for position, story in enumerate(stories(chosen, labels), start=1):
            self._finding(position, story)
        more = len(diagnosis.top(max(1, len(diagnosis.findings)))) - len(chosen)
        if more:
            self._line(labels.say("count.findings_more", count=more), style="dim")
        self._strengths(diagnosis)
        self._left_open(diagnosis)

    def _finding(self, position: int, story: Story) -> None:
        labels, finding = self.labels, story.finding
        self.console.print()
        self._line(f"{position}. {story.title}", style="bold")
        self._line(story.place, style="dim", indent=3)
        against = labels.say("story.against_comparator", comparator=finding.comparator) if finding.comparator else ""
        size = labels.clauses(part for part in (story.estimate, against, f"n = {finding.n}") if part)
        if finding.minimum_detectable_gap is not None:
            size += labels.say("mark.semicolon")
            size += labels.say("story.detectable", gap=labels.number(finding.minimum_detectable_gap))
        rows: list[tuple[str, list[str]]] = [
            (labels.say("story.size"), [size]),
            (labels.say("story.sure"), list(self._sure(story))),
            (labels.say("story.consistent"), _told(story.consistent, labels) or [labels.say("story.no_cause")]),
            (labels.say("story.against"), _told(story.against, labels) or [labels.say("story.nothing_against")]),
        ]
        if story.untested:
            rows.append((labels.say("story.untested"), _told(story.untested, labels)))
        rows.append((labels.say("story.first"), [story.first_action or labels.say("story.no_action")]))
        self._rows(rows, _COLOURS.get(finding.tier, ""))

    def _sure(self, story: Story) -> Iterable[str]:
        finding, language = story.finding, self.labels.language
        yield self.labels.clauses((story.tier_label, story.severity_label))
        if finding.seldom_again is not None:
            yield text(f"finding.again.{finding.tier}", language, again=self.labels.number(finding.seldom_again, 0))

    def _strengths(self, diagnosis: Diagnosis) -> None:
        self.console.print()
        self._heading(self.labels.say("section.strengths"))
        found = stories(strengths(diagnosis)[:_LISTED], self.labels)
        told = ((story.title, self.labels.aside(story.estimate, story.tier_label)) for story in found)
        entries = [self.labels.colon(*entry) for entry in told]
        self._list(entries or diagnosis.summary.strengths[:_LISTED] or [self.labels.say("nothing")])

    def _left_open(self, diagnosis: Diagnosis) -> None:
        labels = self.labels
        left = cannot_tell(diagnosis, labels)
        self.console.print()
        self._heading(labels.say("section.cannot_tell"))
        groups: list[tuple[str, Sequence[str]]] = [
            ("cannot.abstentions", [labels.colon(what, sentence) for what, sentence in left.abstentions]),
            ("cannot.untested", [reason.cause for reason in left.untested]),
            ("cannot.watch", [labels.colon(finding.title, labels.estimate(finding)) for finding in left.watch]),
        ]
        for key, entries in groups:
            if entries:
                self._line(labels.say(key), style="bold")
                hidden = len(entries) - _LISTED
                rest = [labels.say("count.entries_more", count=hidden)] if hidden > 0 else []
                self._list([*entries[:_LISTED], *rest])
        if not any(entries for _, entries in groups):
            self._line(labels.say("cannot.none"))
        if len(diagnosis.withheld):
            self._line(labels.say("count.withheld", count=len(diagnosis.withheld)))
        self._line(labels.say("method.conventions"), style="dim")

    # --- the only ways to the console --------------------------------------------------------------------------------

    def _text(self, content: str, style: str = "") -> Text:
        """Plain text that the console's encoding can hold; nothing in it is markup, link or emoji code."""
        encoding = self.console.encoding or "utf-8"
        return Text(content.encode(encoding, "replace").decode(encoding), style=style, overflow="fold")

    def _heading(self, content: str) -> None:
        characters = "-" if self.console.options.ascii_only else "─"
        self.console.print(Rule(self._text(content, "bold"), align="left", characters=characters), width=self.width)

    def _line(self, content: str, *, style: str = "", indent: int = 0) -> None:
        padded = Padding(self._text(content, style), (0, 0, 0, indent))
        self.console.print(padded, width=self.width, highlight=False)

    def _list(self, entries: Iterable[str]) -> None:
        for entry in entries:
            grid = Grid.grid(padding=(0, 1, 0, 0))
            grid.add_column(width=2)
            grid.add_column(ratio=1)
            grid.add_row(self._text(" -"), self._text(entry))
            self.console.print(grid, width=self.width, highlight=False)

    def _rows(self, rows: Iterable[tuple[str, Sequence[str]]], second_style: str) -> None:
        grid = Grid.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=20)
        grid.add_column(ratio=1)
        for position, (name, entries) in enumerate(rows):
            style = second_style if position == 1 else ""
            grid.add_row(self._text(name, "dim"), self._text("\n".join(entries), style))
        self.console.print(Padding(grid, (0, 0, 0, 3)), width=self.width, highlight=False)


def _told(reasons: Iterable[Reason], labels: Labels) -> list[str]:
    return [reason_text(reason, labels) for reason in reasons]
