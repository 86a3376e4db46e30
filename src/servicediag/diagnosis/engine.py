"""From evidence to a published diagnosis: judge cells, draft findings, explain them, pass the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from servicediag.diagnosis.bottleneck import bottleneck_findings, readiness_profile
from servicediag.diagnosis.causes import connect, explain
from servicediag.diagnosis.cells import judge_cells, reliability_of, reliability_table
from servicediag.diagnosis.comparisons import blame_findings, rater_findings
from servicediag.diagnosis.conditions import ConditionReader
from servicediag.diagnosis.draft import Draft, Titles
from servicediag.diagnosis.evidence import WHOLE, Evidence, build_evidence
from servicediag.diagnosis.gaps import (
    level_findings,
    organisation_findings,
    share_findings,
    unit_findings,
    unit_wide_findings,
)
from servicediag.diagnosis.model import Diagnosis
from servicediag.diagnosis.publish import publish
from servicediag.diagnosis.rules import RuleSet, load_rules
from servicediag.diagnosis.sentences import with_sentences
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.targets import Targets, TargetsLike, resolve_targets
from servicediag.responses.model import Responses

__all__ = ["diagnose"]

SMALLEST_MINIMUM_GROUP = 3


def diagnose(
    *responses_or_evidence: Responses | Evidence,
    by: str | Sequence[str] = "unit",
    targets: TargetsLike = None,
    population: Literal["process", "census"] = "process",
    population_size: Mapping[str, int] | None = None,
    rules: RuleSet | str | Path | None = None,
    minimum_group: int = 5,
    smallest_gap: float = 5.0,
    seed: int = 0,
) -> Diagnosis:
    """Diagnose a study: what is wrong, where, how sure, consistent with which cause, what first.

    Parameters
    ----------
    *responses_or_evidence : Responses or Evidence
        Several instruments, forms and waves make one diagnosis.
    by : str or sequence of str
        Column that names the unit, or several; evidence already carries its groupings.
    targets : mapping, DataFrame or Diagnosis, optional
        ``{dimension: points of health}``, a frame with ``dimension, target`` (and ``unit``), or an earlier diagnosis.
    population : {"process", "census"}
        Whether intervals speak of the way of working, or of the people now in the units only. A census needs
        ``population_size``.
    population_size : mapping of unit -> int, optional
        People in each unit, for ``population="census"``.
    rules : RuleSet or path, optional
        Root-cause rules; default the library's own.
    minimum_group : int
        Groups with fewer answers are withheld, at least 3.
    smallest_gap : float
        Smallest gap of interest in points of health: practical size, equivalence bound and border of *minor*.
    seed : int
        For the draws behind the bottleneck's probability.

    Returns
    -------
    Diagnosis
        Already through the privacy gate: it may be shown to the organisation.

    Raises
    ------
    ValueError
        An argument is out of its range; the message names the choices.
    ResponsesError
        Fewer respondents than ``minimum_group`` altogether: nothing could be shown.

    Notes
    -----
    Units are compared with all other respondents by the variance pooled within units; error rates are adjusted over
    the declared family (Benjamini and Hochberg, 1995); *established* asks for more than the minimum effect (Murphy
    and Myors, 1999); gaps are shrunk by empirical Bayes (DerSimonian and Laird, 1986). ``method`` states all
    conventions.

    Examples
    --------
    >>> import servicediag as sd
    >>> study = sd.simulate("readiness", form="employee", n_units=6, respondents_per_unit=40, seed=2)
    >>> diagnosis = sd.diagnose(study.responses())
    >>> sorted(diagnosis.evidence["dimension"].unique())[:2]
    ['can', 'can_requirements']
    """
    settings = _settings(minimum_group, smallest_gap, population, population_size, seed)
    evidence = _gather(responses_or_evidence, by)
    _check_population(evidence, settings)
    _check_size(evidence, settings)
    rule_set = rules if isinstance(rules, RuleSet) else load_rules(rules)
    aims = resolve_targets(targets, evidence)
    reliability = reliability_table(evidence)
    cells = judge_cells(evidence, settings, reliability)
    readiness = readiness_profile(evidence, cells, settings, aims)
    drafts = list(_drafts(evidence, cells, readiness, reliability, settings, aims))
    reader = ConditionReader(evidence, cells, settings, aims)
    wide = frozenset((d.finding.by, d.finding.unit, d.finding.rater) for d in drafts if d.finding.kind == "unit_wide")
    titles = Titles(evidence)
    told = [with_sentences(explain(draft, rule_set, reader, wide), titles, settings) for draft in drafts]
    return publish(connect(told), evidence, cells, readiness, reliability, settings, aims)


def _drafts(
    evidence: Evidence,
    cells: pd.DataFrame,
    readiness: pd.DataFrame,
    reliability: pd.DataFrame,
    settings: Settings,
    targets: Targets,
) -> Iterable[Draft]:
    trust = reliability_of(reliability)
    yield from unit_findings(cells, settings)
    yield from unit_wide_findings(cells, settings)
    yield from organisation_findings(cells, settings, targets, trust)
    yield from level_findings(cells, settings, targets, trust)
    yield from share_findings(cells, settings)
    yield from bottleneck_findings(readiness, settings, trust)
    yield from rater_findings(evidence, cells, settings, trust)
    yield from blame_findings(evidence, cells, settings)


def _settings(
    minimum_group: int,
    smallest_gap: float,
    population: Literal["process", "census"],
    population_size: Mapping[str, int] | None,
    seed: int,
) -> Settings:
    if minimum_group < SMALLEST_MINIMUM_GROUP:
        raise ValueError(f"minimum_group={minimum_group!r} must be at least {SMALLEST_MINIMUM_GROUP}")
    if not 0 < smallest_gap <= 50:
        raise ValueError(f"smallest_gap={smallest_gap!r} must be above 0 and at most 50 points")
    if population not in ("process", "census"):
        raise ValueError(f"population={population!r} must be 'process' or 'census'")
    if population == "census" and not population_size:
        raise ValueError("population='census' needs population_size={unit: number of people}")
    return Settings(
        smallest_gap=float(smallest_gap),
        minimum_group=minimum_group,
        population=population,
        population_size=dict(population_size or {}),
        seed=seed,
    )


def _gather(parts: Sequence[Responses | Evidence], by: str | Sequence[str]) -> Evidence:
    if not parts:
        raise ValueError("responses_or_evidence is empty; give at least one Responses or Evidence")
    for part in parts:
        if not isinstance(part, Responses | Evidence):
            raise TypeError(f"responses_or_evidence holds a {type(part).__name__}; give Responses or Evidence")
    evidence = [part for part in parts if isinstance(part, Evidence)]
    responses = [part for part in parts if isinstance(part, Responses)]
    if responses:
        evidence.append(build_evidence(*responses, by=evidence[0].groupings if evidence else by))
    whole = evidence[0]
    for part in evidence[1:]:
        whole = whole.merge(part)
    return whole


def _check_population(evidence: Evidence, settings: Settings) -> None:
    """A unit's size must be a known unit's, and no smaller than its answers."""
    units = evidence.cells[(evidence.cells["by"] != WHOLE) & (evidence.cells["kind"] == "score")]
    answered = units.groupby("unit")["n"].max()
    faults = [
        f"{unit!r} is not a unit of this study" for unit in settings.population_size if unit not in answered.index
    ]
    faults += [
        f"{unit!r} has {size} people but {int(answered[unit])} answers"
        for unit, size in settings.population_size.items()
        if unit in answered.index and size < answered[unit]
    ]
    if faults:
        raise ValueError(f"population_size: {'; '.join(faults)}; units are {', '.join(map(str, answered.index))}")


def _check_size(evidence: Evidence, settings: Settings) -> None:
    from servicediag.errors import Issue, ResponsesError

    if any(n >= settings.minimum_group for n in evidence.n_respondents.values()):
        return
    most = max(evidence.n_respondents.values(), default=0)
    issue = Issue(
        "too_few_respondents",
        "error",
        "",
        f"At most {most} respondent(s) answered a form, fewer than the minimum group of {settings.minimum_group}.",
        "Collect more answers; nothing can be shown without exposing single people.",
    )
    raise ResponsesError("Too few respondents for a diagnosis.", (issue,))
