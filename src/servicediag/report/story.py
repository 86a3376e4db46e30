"""A finding told in the order in which a reader asks: what, where, how sure, which cause, what against, what first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from servicediag.diagnosis.model import Cause, Diagnosis, Finding
from servicediag.report.labels import Labels
from servicediag.wording.telling import capitalised, without_code

__all__ = [
    "Brief",
    "CannotTell",
    "Reason",
    "Story",
    "brief",
    "cannot_tell",
    "first_action",
    "headline",
    "open_questions",
    "reason_text",
    "stories",
    "strengths",
    "told_open",
]


@dataclass(frozen=True)
class Reason:
    """A cause with the sentences that bear on it."""

    cause: str
    status: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Story:
    """What a report says about one finding.

    Attributes
    ----------
    place : str
        Unit, dimension and rater in words.
    tier, severity : str
        The codes; ``tier_label`` and ``severity_label`` are the words.
    standing : str
        How sure the place among the troubles is; empty where it has none or stands alone.
    consistent : tuple of Reason
        Supported causes with the evidence that confirms them.
    possible : tuple of Reason
        Causes that are possible, inconclusive, or not to be told apart.
    against : tuple of Reason
        Evidence against a cause, whatever became of the cause.
    untested : tuple of Reason
        Causes, or parts of them, that nobody measured.
    open : tuple of str
        What cannot be said, without the codes that only machines need.
    """

    finding: Finding
    title: str
    place: str
    estimate: str
    standing: str
    tier_label: str
    severity_label: str
    consistent: tuple[Reason, ...]
    possible: tuple[Reason, ...]
    against: tuple[Reason, ...]
    untested: tuple[Reason, ...]
    open: tuple[str, ...]
    first_action: str


@dataclass(frozen=True)
class CannotTell:
    """What the data leave open: refusals, causes that nobody measured, and gaps to watch."""

    abstentions: tuple[tuple[str, str], ...]
    untested: tuple[Reason, ...]
    watch: tuple[Finding, ...]


@dataclass(frozen=True)
class Brief:
    """The shortest form of a report: a few troubles, a strength, what first, and what cannot be told.

    Attributes
    ----------
    open : tuple of (str, str)
        What cannot be told, and what would settle it (empty where nothing is said).
    """

    headline: str
    troubles: tuple[Story, ...]
    strengths: tuple[str, ...]
    first_actions: tuple[str, ...]
    open: tuple[tuple[str, str], ...]


def brief(diagnosis: Diagnosis, labels: Labels, most: int = 5) -> Brief:
    """The summary of the diagnosis; what it lacks is taken from the findings."""
    summary = diagnosis.summary
    known = {finding.id: finding for finding in diagnosis.findings}
    troubles = stories((known[name] for name in summary.troubles if name in known), labels)
    troubles = (troubles or stories(diagnosis.top(most), labels))[:most]
    good = summary.strengths or tuple(
        labels.colon(story.title, story.estimate) for story in stories(strengths(diagnosis)[:most], labels)
    )
    actions = summary.first_actions or tuple(
        dict.fromkeys(story.first_action for story in troubles if story.first_action)
    )
    questions = tuple((question.what, question.settled_by) for question in summary.cannot_tell)
    return Brief(summary.headline or headline(diagnosis, labels), troubles, good, actions,
                 questions or cannot_tell(diagnosis, labels).abstentions)  # fmt: skip


def told_open(what: str, settled: str, labels: Labels) -> str:
    """An open question, and what would settle it; a whole sentence about that stands by itself."""
    what = capitalised(what)
    if not settled:
        return what
    whole = settled.endswith((".", "。"))
    told = capitalised(settled) if whole else labels.say("brief.settled", what=settled)
    return labels.say("mark.stop").join((what, told))


def stories(findings: Iterable[Finding], labels: Labels) -> tuple[Story, ...]:
    """The story of each finding."""
    return tuple(_story(finding, labels) for finding in findings)


def strengths(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """Findings that are established or likely to be better than their comparator."""
    return tuple(
        finding for finding in diagnosis.findings
        if finding.tier in ("established", "likely") and (finding.kind == "strength" or finding.direction == "better")
    )  # fmt: skip


def cannot_tell(diagnosis: Diagnosis, labels: Labels) -> CannotTell:
    """Everything that the diagnosis leaves open, each sentence once."""
    abstentions: dict[tuple[str, str], None] = {}
    untested: dict[tuple[str, str], Reason] = {}
    for finding in diagnosis.findings:
        what = finding.title or labels.place(finding)
        # what would settle a gap to watch is told beside it
        sentences = () if finding.tier == "watch" else open_questions(finding)
        if finding.tier == "abstained" and not sentences:
            sentences = (finding.text,)
        abstentions.update(((what, sentence), None) for sentence in sentences if sentence)
        for cause in finding.causes:
            if cause.status == "untested":
                untested.setdefault((cause.rule, cause.cause), _reason(cause, cause.untested, labels))
    watch = tuple(finding for finding in diagnosis.findings if finding.tier == "watch")
    return CannotTell(tuple(abstentions), tuple(untested.values()), watch)


def headline(diagnosis: Diagnosis, labels: Labels) -> str:
    """One or two sentences: how many troubles, how sure, and which comes first."""
    troubles = [finding for finding in diagnosis.findings if finding.is_trouble]
    if not troubles:
        return labels.say("headline.none")
    sure = sum(finding.tier == "established" for finding in troubles)
    counted = labels.say("headline.counted", found=labels.say("count.troubles", count=len(troubles)), established=sure,
                         likely=len(troubles) - sure)  # fmt: skip
    first = labels.say("headline.first", title=troubles[0].title or labels.place(troubles[0]))
    return labels.joined("sentences", (counted, first))


def open_questions(finding: Finding) -> tuple[str, ...]:
    """The finding's abstentions as sentences, without the code before the colon."""
    return tuple(capitalised(without_code(sentence)) for sentence in finding.abstentions)


def first_action(finding: Finding) -> str:
    """The first action of the finding, or of its first supported cause; empty where there is none."""
    candidates = [
        *finding.actions,
        *(a for cause in finding.causes if cause.status == "supported" for a in cause.actions),
    ]
    return candidates[0] if candidates else ""


def _story(finding: Finding, labels: Labels) -> Story:
    causes = finding.causes
    open_states = ("possible", "inconclusive", "not_distinguishable")
    return Story(
        finding=finding,
        title=_title(finding, labels),
        place=labels.place(finding),
        estimate=labels.estimate(finding),
        standing=_standing(finding, labels),
        tier_label=labels.value("tier", finding.tier),
        severity_label=labels.value("severity", finding.severity),
        consistent=tuple(_reason(c, c.confirming, labels) for c in causes if c.status == "supported"),
        possible=tuple(_reason(c, (*c.confirming, *c.undetermined), labels) for c in causes if c.status in open_states),
        against=tuple(_reason(c, c.refuting, labels) for c in causes if c.refuting or c.status == "not_supported"),
        untested=tuple(_reason(c, c.untested, labels) for c in causes if c.untested or c.status == "untested"),
        open=open_questions(finding),
        first_action=first_action(finding),
    )


def _title(finding: Finding, labels: Labels) -> str:
    """The title of a finding as it stands alone; a unit that is a bare number begins it with a small letter."""
    title = finding.title or labels.place(finding)
    name = labels.within(finding.unit)
    return capitalised(title) if name != finding.unit and title.startswith(name) else title


def _standing(finding: Finding, labels: Labels) -> str:
    """Troubles that cannot be told apart from this one, and the interval of its place."""
    parts = []
    if finding.tied_with:
        parts.append(labels.say("brief.tied", count=len(finding.tied_with)))
    if finding.rank_low is not None and finding.rank_high is not None and finding.rank_low < finding.rank_high:
        parts.append(labels.say("brief.place", low=finding.rank_low, high=finding.rank_high))
    return labels.joined("list", parts)


def reason_text(reason: Reason, labels: Labels) -> str:
    """The cause, and the sentences that bear on it."""
    if not reason.sentences:
        return reason.cause
    return labels.colon(reason.cause, labels.joined("sentences", reason.sentences))


def _reason(cause: Cause, sentences: tuple[str, ...], labels: Labels) -> Reason:
    return Reason(cause.cause, labels.value("status", cause.status), tuple(sentences))
