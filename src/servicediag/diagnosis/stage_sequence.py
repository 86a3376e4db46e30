"""The order in which the stages of a new culture move between two waves: forward one by one, past one, or back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.gap_study import GapStudy, Judgement, NotMeasured, gap_draft, judge
from servicediag.diagnosis.levels import level_verdict
from servicediag.results import table_rows
from servicediag.wording.telling import sentence

__all__ = ["Change", "Readings", "StageSequence", "stage_sequence"]

GAP = "stage_gap"
INDEX = "stage_sequence"
TOLD = ("established", "likely")
Change = tuple[str, str, str, str]
"""Grouping, unit, form and ``instrument/dimension`` of a change between two waves."""
Readings = tuple[tuple[str, object], ...]
"""Values for the text of a change."""
Row = tuple[Any, ...]


@dataclass(frozen=True)
class StageSequence:
    """What the order of the stages adds to the changes: findings, rows of indexes, and values for texts of changes."""

    drafts: tuple[Draft, ...] = ()
    rows: tuple[Row, ...] = ()
    not_measured: tuple[NotMeasured, ...] = ()
    readings: Mapping[Change, Readings] = field(default_factory=dict)


@dataclass(frozen=True)
class _Course:
    """The changes of all stages in one place, in their order, and how many in an unbroken run were and are met."""

    steps: tuple[Any, ...]
    met: tuple[bool, ...]
    before: int
    now: int

    @property
    def place(self) -> tuple[str, str, str]:
        return self.steps[0].by, self.steps[0].unit, self.steps[0].second_wave

    @property
    def n(self) -> int:
        return min(int(step.n) for step in self.steps)

    @property
    def lost(self) -> Any | None:
        """The change of the first stage that is met no longer, where it declined beyond doubt."""
        step = self.steps[self.now] if self.now < self.before else None
        return step if step is not None and step.change < 0 and step.tier in TOLD else None


def stage_sequence(study: GapStudy, changes: pd.DataFrame) -> StageSequence:
    """Judge the order of the stages from the judged changes of all scores between two waves."""
    courses = list(_courses(study, changes))
    if not courses:
        return StageSequence(not_measured=tuple(_not_measured(study, changes)))
    overtaken = list(_overtakings(study, courses))
    skipped = {course.place for course, *_ in overtaken}
    return StageSequence(
        drafts=tuple(_draft(study, *one) for one in overtaken),
        rows=tuple(row for course in courses for row in _rows(course, skipped=course.place in skipped)),
        readings=dict(_reading(study, course, course.lost) for course in courses if course.lost is not None),
    )


def _courses(study: GapStudy, changes: pd.DataFrame) -> Iterator[_Course]:
    """Places where every stage was asked of the same form in both waves; of several forms the largest."""
    definition = study.definitions.stages
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    names = changes["instrument"] + "/" + changes["dimension"]
    mine = changes[names.isin(definition.order).to_numpy() & changes["rater"].isin(definition.raters).to_numpy()]
    for row in table_rows(mine):
        forms = found.setdefault((row.by, row.unit), {})
        forms.setdefault(row.form, {})[f"{row.instrument}/{row.dimension}"] = row
    for _, forms in sorted(found.items()):
        whole = [steps for steps in forms.values() if len(steps) == len(definition.order)]
        if whole:
            steps = max(whole, key=lambda each: sum(step.n for step in each.values()))
            yield _course(study, [steps[stage] for stage in definition.order])


def _course(study: GapStudy, steps: Sequence[Any]) -> _Course:
    runs = []
    for wave in ("first", "second"):
        met = []
        for stage, step in zip(study.definitions.stages.order, steps, strict=True):
            health, error, n = (getattr(step, name) for name in (f"{wave}_health", f"error_{wave}", f"n_{wave}"))
            low, high = study.border([stage])
            verdict = level_verdict(np.array([health]), np.array([error]), max(n - 1, 1), low, high)
            met.append(bool(verdict[0] == "high"))
        runs.append(tuple(met))
    before, now = (next((k for k, met in enumerate(run) if not met), len(run)) for run in runs)
    return _Course(tuple(steps), runs[1], before, now)


def _overtakings(
    study: GapStudy, courses: Sequence[_Course]
) -> Iterator[tuple[_Course, int, Judgement, tuple[float, float, float, int]]]:
    """Stages that rose more than the stage before them, which is not met yet; one family of all such pairs."""
    found = []
    for course in courses:
        for position, (earlier, later) in enumerate(zip(course.steps, course.steps[1:], strict=False)):
            # the same people mostly change alike in both, which would make the error smaller
            error = float(np.hypot(earlier.error, later.error))
            gap = (earlier.change - later.change, error, min(earlier.df, later.df), min(earlier.n, later.n))
            found.append((course, position, gap))
    numbers = np.array([gap for *_, gap in found], dtype=float)
    trust = [
        [study.trust.get((step.instrument, step.form, step.second_wave, step.dimension))
         for step in course.steps[position : position + 2]]
        for course, position, _ in found
    ]  # fmt: skip
    estimates, errors, df, n = numbers.T
    judgements = judge(estimates, errors, df, n, trust, study.settings)
    for (course, position, gap), judgement in zip(found, judgements, strict=True):
        later = course.steps[position + 1]
        rose = later.change > 0 and later.tier in TOLD
        if gap[0] < 0 and judgement.tier in TOLD and rose and not course.met[position]:
            yield course, position, judgement, gap


def _draft(
    study: GapStudy, course: _Course, position: int, judgement: Judgement, gap: tuple[float, float, float, int]
) -> Draft:
    earlier, later = course.steps[position : position + 2]
    unlinked = "unpaired" in (earlier.design, later.design)
    return gap_draft(
        "stage_gap",
        course.place,
        judgement,
        estimate=gap[0],
        error=gap[1],
        df=gap[2],
        n=gap[3],
        comparator=sentence("finding.comparator.stage_change", stage=_title(study, later), wave=earlier.first_wave),
        settings=study.settings,
        about=("sequence", earlier.dimension, later.dimension),
        abstentions=(sentence("finding.abstention.not_linked"),) if unlinked else (),
        values=(
            ("wording", "stage_skipped"),
            ("ahead", _title(study, later)),
            ("ahead_change", float(later.change)),
            ("behind_change", float(earlier.change)),
            ("first_wave", earlier.first_wave),
        ),
        instrument=earlier.instrument,
        dimension=earlier.dimension,
        rater=earlier.rater,
        form=earlier.form,
    )


def _rows(course: _Course, *, skipped: bool) -> Iterable[Row]:
    for part, reached in (("before", course.before), ("now", course.now)):
        name = course.steps[reached - 1].dimension if reached else "none"
        yield course.place, INDEX, part, float(reached), np.nan, np.nan, course.n, name
    yield course.place, INDEX, "order", np.nan, np.nan, np.nan, course.n, _verdict(course, skipped=skipped)


def _verdict(course: _Course, *, skipped: bool) -> str:
    if course.lost is not None:
        return "backwards"
    if skipped:
        return "skipped"
    if any(step.change > 0 and step.tier in TOLD for step in course.steps):
        return "in order"
    return "stable" if all(step.verdict == "stable" for step in course.steps) else "undetermined"


def _reading(study: GapStudy, course: _Course, step: Any) -> tuple[Change, Readings]:
    """For the text of the change of the stage that was lost: from which stage to which the place has fallen."""
    change = (step.by, step.unit, step.form, f"{step.instrument}/{step.dimension}")
    values: list[tuple[str, object]] = [("from_stage", _title(study, course.steps[course.before - 1]))]
    if course.now:
        values += [("reading", "stage_backwards"), ("to_stage", _title(study, course.steps[course.now - 1]))]
    else:
        values.append(("reading", "stage_lost"))
    return change, tuple(values)


def _title(study: GapStudy, step: Any) -> str:
    return study.titles.dimension(step.instrument, step.dimension)


def _not_measured(study: GapStudy, changes: pd.DataFrame) -> Iterator[NotMeasured]:
    """Where some stage was asked at all, and there are two waves."""
    order = study.definitions.stages.order
    cells = study.cells
    asked = set((cells["instrument"] + "/" + cells["dimension"])[(cells["kind"] == "score").to_numpy()])
    if asked & set(order):
        both = set(changes["instrument"] + "/" + changes["dimension"])
        lacking = [stage for stage in order if stage not in both]
        yield NotMeasured.told(GAP, "ONE_SIDE_MISSING", "stages_waves", references=", ".join(lacking or order))
