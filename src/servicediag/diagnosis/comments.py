"""The gate of open answers: which comments may be listed, in which groups, and what they mention."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from servicediag.diagnosis.breakdowns import real_ids, wave_order
from servicediag.diagnosis.comment_screening import Screened, screened
from servicediag.diagnosis.evidence import WHOLE, Evidence, groupings_of, wave_codes_of
from servicediag.diagnosis.model import COMMENT_COLUMNS, COMMENT_THEME_COLUMNS
from servicediag.diagnosis.releases import Ledger, Source
from servicediag.diagnosis.themes import load_themes
from servicediag.responses.model import Responses
from servicediag.wording.telling import Sentence, joined, sentence

__all__ = ["FEWEST_COMMENTERS", "NO_THEME", "Comments", "list_comments"]

FEWEST_COMMENTERS = 10
"""People who wrote something, of whom a group is listed; a larger minimum group counts instead."""
NO_THEME = "none"
"""Stands for comments that hold none of the listed words."""
Scope = Literal["unit", "others", "whole", "listed"]
Person = object


@dataclass(frozen=True)
class Comments:
    """Open answers that may be shown.

    Attributes
    ----------
    comments : DataFrame
        A row a comment, in an order that says nothing of the file: ``COMMENT_COLUMNS``.
    themes : DataFrame
        A row a group and theme that is mentioned in it: ``COMMENT_THEME_COLUMNS``. It follows from the comments.
    notes : tuple of Sentence
        What was listed, what was not, and what was taken out.
    listed : mapping of (instrument, form, wave) -> frozenset of str
        A salted hash of every list, for the release ledger.
    """

    comments: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COMMENT_COLUMNS), dtype=object))
    themes: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(COMMENT_THEME_COLUMNS), dtype=object)
    )
    notes: tuple[Sentence, ...] = ()
    listed: Mapping[Source, frozenset[str]] = field(default_factory=dict)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables under their names in the diagnosis."""
        return {"comments": self.comments, "comment_themes": self.themes}


@dataclass(frozen=True)
class _Question:
    """One column of open answers, of one wave of one kind of export."""

    heading: str
    sources: tuple[Source, ...]
    rater: str

    def place(self, group: _Group) -> dict[str, object]:
        """What every row of a group says of where it belongs."""
        instrument, form, wave = self.sources[0]
        return {"by": group.by, "unit": group.unit, "scope": group.scope, "rater": self.rater, "form": form,
                "wave": wave, "instrument": instrument, "question": self.heading}  # fmt: skip


@dataclass(frozen=True)
class _Answer:
    """What somebody wrote; who it was is used for counting people only."""

    person: Person
    unit: str
    text: str


@dataclass(frozen=True)
class _Group:
    """Comments that are listed together."""

    by: str
    unit: str
    scope: Scope
    comments: tuple[Screened, ...]


def list_comments(
    parts: Sequence[Responses | Evidence],
    groupings: Sequence[str],
    minimum_group: int,
    *,
    ledger: Ledger | None = None,
    seed: int = 0,
) -> Comments:
    """The comments that may be shown, each once and in one group only.

    A unit of the first grouping is a group of its own where at least 10 people (or the minimum group, if that is
    larger) wrote something; all others make one group, which is listed under the same condition and otherwise left out.
    So no list and no difference of lists holds fewer people. Nothing else about who wrote a comment goes with it, the
    questions are put in order each by itself, and the order follows from the comments alone. Of an export that is given
    again for another questionnaire, only comments of rows that were set aside the first time are added.

    Where an earlier release in the ledger listed comments of the same questionnaire, form and wave, only lists that
    are exactly the same are shown again.

    Parameters
    ----------
    parts : sequence of Responses or Evidence
        Evidence holds no comments.
    groupings : sequence of str
        Of these the first counts.
    seed : int
        Another one puts the comments into another order.
    """
    minimum = max(FEWEST_COMMENTERS, minimum_group)
    by = groupings[0] if groupings else WHOLE
    responses = [part for part in parts if isinstance(part, Responses) and part.comments]
    answers = _answers(responses, by)
    if not answers:
        return Comments()
    lists = {question: _groups(written, by, minimum) for question, written in answers.items()}
    few = [question for question, groups in lists.items() if not groups]
    known = _hashes(lists, "" if ledger is None else ledger.salt)
    again = [question for question in known if ledger is not None and _differs(question, known[question], ledger)]
    shown = {question: lists[question] for question in known if question not in again}
    return Comments(
        *_tables(shown, seed),
        tuple(_notes(shown, few, again, minimum)),
        _by_source({question: known[question] for question in shown}),
    )


def _answers(responses: Sequence[Responses], by: str) -> dict[_Question, list[_Answer]]:
    """Who wrote what to every question, in a fixed order of the questions."""
    found: dict[tuple[str, str, Source], list[_Answer]] = {}
    parts: dict[tuple[str, str, Source], dict[Source, None]] = {}
    for number, one in enumerate(responses):
        ids = real_ids(one)
        waves, wave_names = wave_codes_of(one)
        # the last is the whole where the export has no such column
        *_, grouping = groupings_of(one, (by,))
        inside = grouping.by == by
        for heading, texts in one.comments.items():
            before = _read_before(one, heading, responses[:number])
            new = (texts != "") & ~before
            if before.any() and not new.any():
                continue
            for wave, name in enumerate(wave_names):
                sources = tuple((part.instrument.id, part.form.id, str(name)) for part in one.parts)
                key = (heading, one.parts[0].form.rater, sources[0])
                answers = found.setdefault(key, [])
                # the same form may stand beside other ones in another export
                parts.setdefault(key, {}).update(dict.fromkeys(sources))
                for row in np.flatnonzero(new & (waves == wave)):
                    unit = grouping.codes[row] if inside else -1
                    person = (number, row) if ids is None or ids[row] is None else ids[row]
                    answers.append(_Answer(person, WHOLE if unit < 0 else str(grouping.units[unit]), texts[row]))
    questions = {_Question(key[0], tuple(parts[key]), key[1]): answers for key, answers in found.items()}
    order = sorted(questions, key=lambda one: [(*source[:2], wave_order(source[2])) for source in one.sources])
    return {question: questions[question] for question in order}


def _read_before(responses: Responses, heading: str, earlier: Iterable[Responses]) -> np.ndarray:
    """Rows that an export read earlier holds too, as when it is read once for each of its questionnaires.

    Listed twice, they would tell by the difference what those wrote who answered one questionnaire only.
    """
    rows, texts = responses.respondents.index, responses.comments[heading]
    before = np.zeros(len(rows), dtype=bool)
    for other in earlier:
        said: dict[Person, set[str]] = {}
        for row, text in zip(other.respondents.index, other.comments.get(heading, ()), strict=False):
            said.setdefault(row, set()).add(text)
        shared = rows.isin(list(said))
        alike = all(text in said[row] for row, text in zip(rows[shared], texts[shared], strict=True))
        if alike and (texts[shared] != "").any():
            before |= shared
    return before


def _groups(answers: Sequence[_Answer], by: str, minimum: int) -> tuple[_Group, ...]:
    """Units of which enough people wrote something, then the others together if they are enough."""
    people: dict[str, set[Person]] = {}
    for answer in answers:
        people.setdefault(answer.unit, set()).add(answer.person)
    units = sorted(unit for unit, who in people.items() if unit != WHOLE and len(who) >= minimum)
    texts: dict[str, list[Screened]] = {unit: [] for unit in units}
    rest: list[Screened] = []
    for answer in answers:
        texts.get(answer.unit, rest).append(screened(answer.text))
    groups = [_Group(by, unit, "unit", tuple(texts[unit])) for unit in units]
    others: set[Person] = set().union(*(who for unit, who in people.items() if unit not in texts))
    if len(others) >= minimum:
        groups.append(_Group(WHOLE, WHOLE, "others" if units else "whole", tuple(rest)))
    return tuple(groups)


def _together(groups: Sequence[_Group]) -> Iterator[_Group]:
    """All groups of a question as one, where there are several."""
    if len(groups) > 1:
        yield _Group(WHOLE, WHOLE, "listed", tuple(comment for group in groups for comment in group.comments))


def _tables(lists: Mapping[_Question, Sequence[_Group]], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a comment, and a row a group and theme."""
    rows, themes, words = [], [], load_themes()
    for question, groups in lists.items():
        for group in groups:
            rows += [{**question.place(group), "comment": text} for text in _in_order(group, question.heading, seed)]
        known = {one.text: words.of(one.text) for group in groups for one in group.comments}
        for group in (*_together(groups), *groups):
            mentions = _mentions([known[one.text] for one in group.comments], words.themes)
            themes += [{**question.place(group), **row} for row in mentions]
    comments = pd.DataFrame(rows, columns=list(COMMENT_COLUMNS)).astype(object)
    return comments, pd.DataFrame(themes, columns=list(COMMENT_THEME_COLUMNS))


def _in_order(group: _Group, heading: str, seed: int) -> list[str]:
    """The texts, shuffled by a hash of all of them, so that only what is listed decides on their order."""
    texts = sorted(comment.text for comment in group.comments)
    key = _hash([str(seed), heading, group.unit, *texts])
    return [texts[place] for place in sorted(range(len(texts)), key=lambda place: _hash([key, str(place)]))]


def _mentions(comments: Sequence[Mapping[str, frozenset[str]]], themes: Sequence[str]) -> Iterator[dict[str, object]]:
    """How many of the comments mention each theme, the most frequent first, and by which words."""
    counts: Counter[str] = Counter()
    words: dict[str, Counter[str]] = {}
    for mentioned in comments:
        found = mentioned or {NO_THEME: frozenset()}
        counts.update(found.keys())
        for theme, by_words in found.items():
            words.setdefault(theme, Counter()).update(by_words)
    order = {theme: place for place, theme in enumerate((*themes, NO_THEME))}
    for theme in sorted(counts, key=lambda theme: (theme == NO_THEME, -counts[theme], order[theme])):
        listed = sorted(words[theme].items(), key=lambda pair: (-pair[1], pair[0]))
        told = ", ".join(f"{word} {count}" for word, count in listed) or None
        share = counts[theme] / len(comments)
        yield {"theme": theme, "n_comments": len(comments), "mentions": counts[theme], "share": share, "words": told}


def _hashes(lists: Mapping[_Question, Sequence[_Group]], salt: str) -> dict[_Question, str]:
    """A salted hash of the groups and texts of every question that has some."""
    return {
        question: _hash(
            [salt, question.heading]
            + [json.dumps([group.by, group.unit, sorted(one.text for one in group.comments)]) for group in groups]
        )
        for question, groups in lists.items()
        if groups
    }


def _differs(question: _Question, known: str, ledger: Ledger) -> bool:
    """Whether an earlier release listed comments of the same form and wave, but not exactly these."""
    earlier = [release.comments.get(source) for release in ledger.releases for source in question.sources]
    return any(hashes and known not in hashes for hashes in earlier)


def _by_source(known: Mapping[_Question, str]) -> dict[Source, frozenset[str]]:
    sources: dict[Source, frozenset[str]] = {}
    for question, value in known.items():
        for source in question.sources:
            sources[source] = sources.get(source, frozenset()) | {value}
    return sources


def _notes(
    shown: Mapping[_Question, Sequence[_Group]], few: Iterable[_Question], again: Iterable[_Question], minimum: int
) -> Iterator[Sentence]:
    listed = [comment for groups in shown.values() for group in groups for comment in group.comments]
    if listed:
        replaced, cut = sum(comment.replaced for comment in listed), sum(comment.shortened for comment in listed)
        yield sentence("finding.note.comments", listed=len(listed), replaced=replaced, shortened=cut, minimum=minimum)
    for key, questions in (("comments_few", few), ("comments_again", again)):
        headings = dict.fromkeys(question.heading for question in questions)
        if headings:
            names = joined("list", headings)
            yield sentence(f"finding.note.{key}", questions=names, minimum=minimum)


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
