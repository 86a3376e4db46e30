"""From evidence to a published diagnosis: judge cells, draft findings, explain them, pass the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Literal

import pandas as pd

from servicediag.diagnosis.all_gaps import all_gaps
from servicediag.diagnosis.bottleneck import bottleneck_findings, readiness_profile
from servicediag.diagnosis.causes import Lacking, connect, explain
from servicediag.diagnosis.cells import judge_cells, reliability_of, reliability_table
from servicediag.diagnosis.comments import list_comments
from servicediag.diagnosis.conditions import ConditionReader, Study, judged_and_none
from servicediag.diagnosis.draft import Draft, Titles
from servicediag.diagnosis.evidence import WHOLE, Evidence, build_evidence
from servicediag.diagnosis.gap_definitions import load_gaps
from servicediag.diagnosis.gap_study import GapStudy
from servicediag.diagnosis.gaps import (
    level_findings,
    organisation_findings,
    share_findings,
    unit_findings,
    unit_wide_findings,
)
from servicediag.diagnosis.group_conditions import shown_groups
from servicediag.diagnosis.invitations import InvitedLike, resolve_invited
from servicediag.diagnosis.item_stability import with_item_stability
from servicediag.diagnosis.ledger import guard_against
from servicediag.diagnosis.model import PublishedDiagnosis
from servicediag.diagnosis.operations import read_indicators
from servicediag.diagnosis.privacy_waves import without_repeated_answers
from servicediag.diagnosis.publish import publish
from servicediag.diagnosis.releases import Ledger, Members, membership, open_ledger, write_release
from servicediag.diagnosis.row_keys import having
from servicediag.diagnosis.rule_files import fingerprints
from servicediag.diagnosis.rules import RuleSet, load_rules
from servicediag.diagnosis.sentences import with_sentences
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.targets import Targets, TargetsLike, resolve_targets
from servicediag.responses.model import Responses

__all__ = ["diagnose"]

SMALLEST_MINIMUM_GROUP, USUAL_MINIMUM_GROUP = 3, 5
"""Below the usual minimum a reason has to be recorded; below the smallest nothing is shown at all."""


def diagnose(
    *responses_or_evidence: Responses | Evidence,
    by: str | Sequence[str] = "unit",
    targets: TargetsLike = None,
    indicators: pd.DataFrame | None = None,
    population: Literal["process", "census"] = "process",
    population_size: Mapping[str, int] | None = None,
    invited: InvitedLike = None,
    cluster: str | None = None,
    background: Sequence[str] | None = None,
    rules: RuleSet | str | Path | None = None,
    minimum_group: int = 5,
    privacy_override: str | None = None,
    smallest_gap: float = 5.0,
    ledger: str | Path | None = None,
    seed: int = 0,
) -> PublishedDiagnosis:
    """Diagnose a study: what is wrong, where, how sure, consistent with which cause, what first.

    Parameters
    ----------
    *responses_or_evidence : Responses or Evidence
        Several instruments, forms and waves make one diagnosis. Open answers that were asked for on reading
        (``comments=``) are listed where at least 10 people of a group wrote something; findings never quote them.
    by : str or sequence of str
        Column that names the unit, or several; evidence already carries its groupings.
    targets : mapping, DataFrame, path, Diagnosis or str, optional
        ``{dimension: points of health}``, a frame with ``dimension, target`` (and ``unit``, and ``origin``: a norm, an
        agreement), a file of either (.yaml, .json; .csv, .xlsx), an earlier diagnosis, or the name of an earlier wave
        of this study. An indicator of operations data may stand in the place of a dimension, with a target in its own
        measure. By default the targets that the instruments declare, of which the library's own have none.
    indicators : DataFrame, optional
        Operations data, a row a unit: the column ``unit`` and columns such as ``breach_rate, repeat_contacts, turnover,
        churn, complaints, training_records, workload`` (``instruments/_rules/indicators.yaml`` lists all with their
        units); ``<name>_n`` holds the cases behind a share, ``wave`` the wave.
    population : {"process", "census"}
        Whether intervals speak of the way of working, or of the people now in the units only. A census needs
        ``population_size``.
    population_size : mapping of unit -> int, optional
        People in each unit, for ``population="census"``.
    invited : mapping or DataFrame, optional
        How many people were asked: ``{unit: people}``, or a frame with ``unit, invited`` and, where several groups of
        raters or waves were asked, ``form`` and ``wave``. With it response rates are shown, and what those who did not
        answer could change.
    cluster : str, optional
        Column that names what respondents are nested in, such as the server whom a customer rated; intervals and tests
        then allow for it. Evidence already carries its clusters.
    background : sequence of str, optional
        Further columns to break scores down by, beside the background fields that are known; ``()`` for none.
    rules : RuleSet or path, optional
        Root-cause rules; default the library's own. A file with ``extends: default`` adds to them.
    minimum_group : int
        Groups with fewer answers are withheld; sensitive scales need 10 all the same. 3 and 4 need a
        ``privacy_override``.
    privacy_override : str, optional
        Why groups of 3 or 4 may be shown; the report prints it.
    smallest_gap : float
        Smallest gap of interest in points of health: practical size, equivalence bound and border of *minor*.
    ledger : path, optional
        A local file of what was shown of whom before; it is checked, and the new release is added to it. Begun where
        there is none. Needs responses that have respondent ids. Keep it where only the analyst can read it.
    seed : int
        For the draws behind the bottleneck's probability.

    Returns
    -------
    PublishedDiagnosis
        Already through the privacy gate: it may be shown to the organisation.

    Raises
    ------
    ValueError
        An argument is out of its range; the message names the choices.
    ResponsesError
        Fewer respondents than ``minimum_group`` altogether: nothing could be shown. Or a file of targets, or the
        ledger, is faulty; or another diagnosis used the ledger meanwhile (ledger_changed, ledger_locked).
    InstrumentError
        A rule file is faulty, or names a dimension or item that its instrument lacks.

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
    settings = replace(settings, privacy_override=_override(minimum_group, privacy_override))
    evidence = _gather(responses_or_evidence, by, cluster, background)
    book, members = _open(ledger, responses_or_evidence, evidence, background)
    release = None
    if book is None:
        evidence = without_repeated_answers(evidence, minimum_group, settings.privacy)
    else:
        guarded = guard_against(book, members, evidence, minimum_group, settings.privacy)
        evidence, release = guarded.evidence, guarded.release
    _check_population(evidence, settings)
    _check_size(evidence, settings)
    settings = replace(settings, invited=resolve_invited(invited, evidence))
    comments = list_comments(responses_or_evidence, evidence.groupings, minimum_group, ledger=book, seed=seed)
    evidence = replace(evidence, notes=(*evidence.notes, *comments.notes))
    rule_set = _rule_set(rules, evidence)
    settings = replace(settings, rule_files=fingerprints(dict(rule_set.files)))
    operations = read_indicators(indicators, evidence, rule_set.indicators, settings.minimum_group)
    aims = resolve_targets(targets, evidence, settings.minimum_group, operations.catalogue)
    reliability = reliability_table(evidence)
    cells = judge_cells(evidence, settings, reliability, aims)
    # no finding is about a single item, and most cells are items
    scales = cells[~having(cells, kind="item")]
    operations = operations.shown(scales, settings.minimum_group)
    readiness = readiness_profile(evidence, scales, settings, aims)
    study = GapStudy(evidence, cells, settings, aims, reliability_of(reliability), load_gaps(), operations)
    gaps = all_gaps(study)
    drafts = [*_drafts(scales, readiness, reliability, settings, aims), *gaps.drafts]
    drafts = with_item_stability(drafts, study)
    segments, clusters = shown_groups(evidence, scales, study.hidden_segments)
    tables = {**gaps.tables, **comments.tables}
    none_found = judged_and_none(tables.get("indexes"))
    read_in = Study(evidence, cells, settings, aims, operations, segments, clusters, drafts, none_found)
    reader = ConditionReader(read_in, rule_set.references)
    wide = frozenset((d.finding.by, d.finding.unit, d.finding.rater) for d in drafts if d.finding.kind == "unit_wide")
    titles = Titles(evidence)
    lacking: dict[Lacking, str] = {}
    told = [with_sentences(explain(draft, rule_set, reader, wide, lacking), titles, settings) for draft in drafts]
    published = publish(connect(told), evidence, cells, readiness, reliability, settings, aims, tables)
    if book is not None and release is not None:
        write_release(book, replace(release, comments=comments.listed))
    return published


def _rule_set(rules: RuleSet | str | Path | None, evidence: Evidence) -> RuleSet:
    if rules is None:
        return load_rules()
    from servicediag.diagnosis.rule_loading import refuse_missing_parts

    found = rules if isinstance(rules, RuleSet) else load_rules(rules)
    refuse_missing_parts(found, evidence.instruments)
    return found


def _open(
    path: str | Path | None,
    parts: Sequence[Responses | Evidence],
    evidence: Evidence,
    background: Sequence[str] | None,
) -> tuple[Ledger | None, Members]:
    """The ledger, where one was named, and who is in which group."""
    if path is None:
        return None, Members()
    responses = [part for part in parts if isinstance(part, Responses)]
    if len(responses) < len(parts):
        raise ValueError("ledger= needs Responses, not Evidence: sums do not tell who is in them")
    book = open_ledger(path)
    return book, membership(responses, evidence.groupings, background, book.salt)


def _drafts(
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


def _settings(
    minimum_group: int,
    smallest_gap: float,
    population: Literal["process", "census"],
    population_size: Mapping[str, int] | None,
    seed: int,
) -> Settings:
    for name, value in (("minimum_group", minimum_group), ("seed", seed)):
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name}={value!r} must be a whole number")
    if not isinstance(smallest_gap, Real) or isinstance(smallest_gap, bool):
        raise TypeError(f"smallest_gap={smallest_gap!r} must be a number of points")
    if not isinstance(population_size or {}, Mapping):
        raise TypeError(f"population_size must be a mapping, not {type(population_size).__name__}")
    if seed < 0:
        raise ValueError(f"seed={seed!r} must be at least 0")
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


def _override(minimum_group: int, reason: str | None) -> str:
    """The reason for a minimum below the usual one, which has to be given."""
    reason = (reason or "").strip()
    if minimum_group < USUAL_MINIMUM_GROUP and not reason:
        raise ValueError(
            f"minimum_group={minimum_group!r} is below {USUAL_MINIMUM_GROUP}: say why with privacy_override='...', "
            f"which the report prints, or leave it at {USUAL_MINIMUM_GROUP}"
        )
    return reason


def _gather(
    parts: Sequence[Responses | Evidence],
    by: str | Sequence[str],
    cluster: str | None,
    background: Sequence[str] | None,
) -> Evidence:
    if not parts:
        raise ValueError("responses_or_evidence is empty; give at least one Responses or Evidence")
    for part in parts:
        if not isinstance(part, Responses | Evidence):
            raise TypeError(f"responses_or_evidence holds a {type(part).__name__}; give Responses or Evidence")
    evidence = [part for part in parts if isinstance(part, Evidence)]
    responses = [part for part in parts if isinstance(part, Responses)]
    if responses:
        groupings = evidence[0].groupings if evidence else by
        evidence.append(build_evidence(*responses, by=groupings, cluster=cluster, background=background))
    elif cluster is not None or background is not None:
        raise ValueError("cluster= and background= are for responses; give them to build_evidence")
    whole = evidence[0]
    for part in evidence[1:]:
        whole = whole.merge(part)
    return whole


def _check_population(evidence: Evidence, settings: Settings) -> None:
    """A unit's size must be a known unit's, and no smaller than its answers."""
    units = evidence.cells[having(evidence.cells, kind="score") & ~having(evidence.cells, by=WHOLE)]
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
