"""The action plan as a Word document: findings, causes, actions with owner and date to fill in, next steps."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from servicediag.diagnosis.model import Diagnosis
from servicediag.files import atomic_path
from servicediag.report import method
from servicediag.report.charts import Frame
from servicediag.report.labels import Labels
from servicediag.report.office import need, packed, set_properties
from servicediag.report.publication import printable
from servicediag.report.story import Reason, Story, cannot_tell, headline, stories, strengths
from servicediag.report.theme import Theme
from servicediag.wording.catalogue import text
from servicediag.wording.telling import capitalised

__all__ = ["write_document"]

MAXIMUM_FINDINGS = 40
"""Findings that are told; the workbook holds all."""
_EMPTY_ROWS = 3
_SHARES = {"instrument": 2.2, "form": 1.4, "rater": 1.5, "version": 0.8, "n_respondents": 1.3}
"""How much wider than others a column of the table of questionnaires is."""


def write_document(
    diagnosis: Diagnosis, path: str | Path, *, language: str | None, theme: Theme, overwrite: bool
) -> Path:
    """Write the action plan; the same diagnosis, language and theme give the same bytes.

    Raises
    ------
    ImportError
        python-docx is not installed; it comes with ``servicediag[word]``.
    """
    need("docx", "word", "Word documents")
    published = printable(diagnosis, language)
    plan = _Plan(Frame(published, Labels.of(published), theme))
    plan.write()
    content = plan.finished()
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
    return Path(path)


class _Plan:
    """Writes the sections of one document."""

    def __init__(self, frame: Frame) -> None:
        from servicediag.report.word_parts import WordFile

        self.diagnosis, self.labels, self.theme = frame.diagnosis, frame.labels, frame.theme
        self.file = WordFile(frame.theme, frame.labels.language)
        self.troubles = stories(self.diagnosis.top(MAXIMUM_FINDINGS), self.labels)

    def say(self, key: str, **values: Any) -> str:
        return text(f"document.{key}", self.labels.language, **values)

    def title(self) -> str:
        named = self.diagnosis.study.get("title")
        return self.say("title_of", study=named) if named else self.say("title")

    def write(self) -> None:
        self._head()
        self._actions()
        self._findings()
        self._strengths()
        self._open()
        self._method()

    def finished(self) -> bytes:
        set_properties(self.file.document.core_properties, self.theme, title=self.title(), subject=self.say("subject"),
                       language=self.labels.language)  # fmt: skip
        return packed(self.file.document.save)

    def _head(self) -> None:
        if self.theme.logo is not None:
            name = self.theme.organisation or self.theme.name
            self.file.picture(
                io.BytesIO(self.theme.logo.png()), self.theme.logo.fit(5.0, 1.8), self.say("logo", name=name)
            )
        self.file.heading(self.title(), 0)
        names = [self.theme.organisation]
        if self.theme.prepared_by:
            names.append(self.say("prepared", name=self.theme.prepared_by))
        if any(names):
            self.file.paragraph(" · ".join(filter(None, names)), muted=True)
        self.file.paragraph(method.facts(self.diagnosis, self.labels), muted=True)
        self.file.paragraph(self.diagnosis.summary.headline or headline(self.diagnosis, self.labels), bold=True)
        self.file.paragraph(self.labels.say("method.consistent"))

    def _actions(self) -> None:
        """A row an action, with the weak points that it serves and empty columns for people to fill in."""
        self.file.heading(self.say("actions.heading"), 1)
        self.file.paragraph(self.say("actions.lead"), with_next=True)
        serves: dict[str, list[str]] = {action: [] for action in self.diagnosis.summary.first_actions}
        for number, story in enumerate(self.troubles, start=1):
            for action in story.finding.actions or filter(None, (story.first_action,)):
                serves.setdefault(action, []).append(f"{number}. {story.title}")
        rows = [(str(place), action, "\n".join(titles[:4]), "", "", "")
                for place, (action, titles) in enumerate(serves.items(), start=1)]  # fmt: skip
        if not rows:
            self.file.paragraph(self.labels.say("story.no_action"))
        rows += [("", "", "", "", "", "")] * _EMPTY_ROWS
        heads = [self.say(f"column.{name}") for name in ("place", "action", "serves", "owner", "date", "done")]
        self.file.table(heads, rows, (1.0, 5.0, 4.8, 3.0, 1.8, 1.9), self.say("actions.alt"))

    def _findings(self) -> None:
        self.file.heading(self.say("findings.heading"), 1)
        if not self.troubles:
            self.file.paragraph(self.labels.say("headline.none"))
        for place, story in enumerate(self.troubles, start=1):
            self.file.heading(f"{place}. {story.title}", 2)
            self._finding(story)
        hidden = sum(finding.is_trouble for finding in self.diagnosis.findings) - len(self.troubles)
        if hidden > 0:
            self.file.paragraph(self.say("findings.more", count=hidden))

    def _finding(self, story: Story) -> None:
        sure = self.labels.say("story.tier_and_severity", tier=story.tier_label, severity=story.severity_label)
        size = f"{story.estimate}; {self.labels.say('story.against_comparator', comparator=story.finding.comparator)}"
        self.file.labelled(self.labels.say("story.size"), f"{size}; n = {story.finding.n}")
        self.file.labelled(self.labels.say("story.sure"), sure)
        if story.finding.text:
            self.file.paragraph(story.finding.text)
        heads = [self.say("column.cause"), self.say("column.status"), self.say("column.evidence")]
        rows = [
            *self._reasons(story.consistent, self.labels.say("story.consistent")),
            *self._reasons(story.possible, self.labels.say("story.possible")),
            *self._reasons(story.against, self.labels.say("story.against")),
            *self._reasons(story.untested, self.labels.say("story.untested")),
        ]
        if rows:
            self.file.table(heads, rows, (5.5, 3.2, 8.8), self.say("findings.alt", title=story.title))
        else:
            self.file.paragraph(self.labels.say("story.no_cause"))
        self.file.bullets(story.open)

    def _reasons(self, reasons: Iterable[Reason], heading: str) -> list[tuple[str, str, str]]:
        return [(reason.cause, heading, self.labels.joined("sentences", reason.sentences) or "–") for reason in reasons]

    def _strengths(self) -> None:
        labels = self.labels
        self.file.heading(labels.say("section.strengths"), 1)
        found = [labels.colon(story.title, labels.joined("names", (story.estimate, story.tier_label)))
                 for story in stories(strengths(self.diagnosis), labels)]  # fmt: skip
        told = found or [sentence for sentence in self.diagnosis.summary.strengths if sentence]
        if told:
            self.file.bullets(told)
        else:
            self.file.paragraph(self.say("strengths.none"))

    def _open(self) -> None:
        self.file.heading(self.say("next.heading"), 1)
        self.file.paragraph(self.labels.say("lead.cannot_tell"), with_next=True)
        rows: Sequence[tuple[str, ...]] = [
            (capitalised(question.what), capitalised(question.settled_by), "", "")
            for question in self.diagnosis.summary.cannot_tell
        ]
        rows = rows or [(what, settled, "", "")
                        for what, settled in cannot_tell(self.diagnosis, self.labels).abstentions]  # fmt: skip
        if not rows:
            self.file.paragraph(self.labels.say("cannot.none"))
            return
        heads = [self.say(f"column.{name}") for name in ("open", "settled", "owner", "date")]
        self.file.table(heads, rows, (5.6, 7.1, 3.0, 1.8), self.say("next.alt"))

    def _method(self) -> None:
        self.file.heading(self.labels.say("section.method"), 1)
        self.file.bullets(method.statements(self.diagnosis, self.labels))
        parts = method.parts_table(self.diagnosis, self.labels)
        if parts:
            heads, shares = [c.label for c in parts.columns], [_SHARES.get(c.name, 1.0) for c in parts.columns]
            widths = [17.5 * share / sum(shares) for share in shares]
            self.file.table(heads, [tuple(row) for row in parts.cells(self.labels.language)], widths, parts.caption)
        references = method.references(self.diagnosis)
        if references:
            self.file.heading(self.labels.say("method.references"), 2)
            self.file.bullets(references)
