"""Service inside and outside, what is said and what is done, and the stages of taking on a new culture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtr

from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.gap_study import (
    GapReport,
    GapStudy,
    Judgement,
    NotMeasured,
    gap_draft,
    index_rows,
    judge,
)
from servicediag.diagnosis.levels import Estimate, Panel, level_verdict, panel_of, side_weights
from servicediag.diagnosis.model import Tier
from servicediag.diagnosis.statistics import benjamini_hochberg
from servicediag.wording.telling import figure, sentence

__all__ = ["internal_external_gaps", "say_do_gaps", "stage_gaps"]

FEWEST_PAIRS = 3
FEWEST_UNITS = 10
"""Units from which the association between internal and external service is reported."""
CHAINS = {("low", "high"): "facade", ("high", "low"): "inward_looking", ("low", "low"): "chain_failure"}
"""Internal and external level -> name of what they show together."""


def say_do_gaps(study: GapStudy) -> GapReport:
    """Daily decisions minus official messages, on paired statements."""
    definition = study.definitions.say_do
    panel = panel_of(study, [(c, definition.raters) for p in definition.pairs for c in (p.said, p.done)])
    pairs = [p for p in definition.pairs if p.said in panel.references and p.done in panel.references]
    if len(pairs) < FEWEST_PAIRS:
        return _silent("say_do", "NOT_PARALLEL", "say_do", asked=len(pairs), needed=FEWEST_PAIRS,
                       references=_names(panel.missing))  # fmt: skip
    if len(panel.periods) > 1:
        return _silent("say_do", "DIFFERENT_PERIOD", "say_do_waves")
    said, done = (_equal_weights(panel, [getattr(p, side) for p in pairs]) for side in ("said", "done"))
    gap = panel.difference(done, said)
    known = gap.known
    judgements = _judged(study, gap, known)
    levels = {"said": panel.mean(said), "done": panel.mean(done), "gap": gap}
    rows: list[tuple[Any, ...]] = []
    drafts = []
    for position, judgement in zip(known, judgements, strict=True):
        verdict = _gap_verdict(gap, int(position), study.settings.smallest_gap)
        rows += _rows(panel, "say_do", levels, int(position), {"gap": verdict})
        if gap.value[position] < 0 and judgement.tier is not None:
            drafts.append(_difference_draft(study, panel, "say_do", gap, int(position), judgement, levels, definition))
    return GapReport(tuple(drafts), {"indexes": index_rows(rows)})


def _difference_draft(
    study: GapStudy,
    panel: Panel,
    kind: Any,
    gap: Estimate,
    position: int,
    judgement: Judgement,
    levels: dict[str, Estimate],
    definition: Any,
) -> Draft:
    return gap_draft(
        kind,
        panel.places[position],
        judgement,
        estimate=float(gap.value[position]),
        error=float(gap.error[position]),
        df=float(gap.df[position]),
        n=int(gap.n[position]),
        comparator=sentence("finding.comparator.messages"),
        settings=study.settings,
        values=tuple((name, float(level.value[position])) for name, level in levels.items() if name != "gap"),
        rater=definition.raters[0],
    )


def stage_gaps(study: GapStudy) -> GapReport:
    """How far people have come in taking on a new culture, and later stages that outrun earlier ones."""
    definition = study.definitions.stages
    panel = panel_of(study, [(stage, definition.raters) for stage in definition.order])
    if panel.missing:
        return _silent("stage_gap", "ONE_SIDE_MISSING", "stages", missing=len(panel.missing),
                       stages=len(definition.order), references=", ".join(panel.missing))  # fmt: skip
    levels = {stage: panel.mean(_equal_weights(panel, [stage])) for stage in definition.order}
    met = {stage: _met(study, stage, level) for stage, level in levels.items()}
    rows: list[tuple[Any, ...]] = []
    for position in range(len(panel.places)):
        if any(np.isnan(level.value[position]) for level in levels.values()):
            continue
        rows += _rows(panel, "stages", levels, position, {stage: met[stage][position] for stage in levels})
        rows.append(_furthest(panel, levels, met, position))
    return GapReport(tuple(_inversions(study, panel)), {"indexes": index_rows(rows)})


def _met(study: GapStudy, stage: str, level: Estimate) -> np.ndarray:
    low, high = study.border([stage])
    verdict = level_verdict(level.value, level.error, level.df, low, high)
    return np.where(verdict == "high", "met", np.where(verdict == "low", "not met", verdict))


def _furthest(panel: Panel, levels: dict[str, Estimate], met: dict[str, np.ndarray], position: int) -> tuple[Any, ...]:
    """The last stage in an unbroken run of stages that are met; its place in the order, 0 for none."""
    reached = 0
    for stage in levels:
        if met[stage][position] != "met":
            break
        reached += 1
    verdict = list(levels)[reached - 1].partition("/")[2] if reached else "none"
    n = int(min(level.n[position] for level in levels.values()))
    return panel.places[position], "stages", "furthest", float(reached), np.nan, np.nan, n, verdict


def _inversions(study: GapStudy, panel: Panel) -> Iterable[Draft]:
    definition = study.definitions.stages
    found = []
    for inversion in definition.inversions:
        behind, ahead = (_equal_weights(panel, [getattr(inversion, side)]) for side in ("behind", "ahead"))
        gap = panel.difference(behind, ahead)
        found += [(inversion, gap, position) for position in gap.known]
    if not found:
        return
    numbers = np.array([(gap.value[p], gap.error[p], gap.df[p], gap.n[p]) for _, gap, p in found])
    trust = [[study.trust.get(panel.forms[panel.references.index(name)]) for name in (i.ahead, i.behind)]
             for i, *_ in found]  # fmt: skip
    judgements = judge(numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3], trust, study.settings)
    for (inversion, gap, position), judgement in zip(found, judgements, strict=True):
        if gap.value[position] >= 0 or judgement.tier not in ("established", "likely"):
            continue
        earlier, later = (panel.references.index(name) for name in (inversion.behind, inversion.ahead))
        instrument, form, _, dimension = panel.forms[earlier]
        source = study.evidence.instruments[instrument]
        outrunning = study.titles.dimension(instrument, panel.forms[later][3])
        yield gap_draft(
            "stage_gap",
            panel.places[position],
            judgement,
            estimate=float(gap.value[position]),
            error=float(gap.error[position]),
            df=float(gap.df[position]),
            n=int(gap.n[position]),
            comparator=sentence("finding.comparator.stage", stage=outrunning),
            settings=study.settings,
            about=(inversion.id,),
            abstentions=(sentence("finding.abstention.stages_not_parallel"),),
            values=(
                ("wording", f"stage_{inversion.id}"),
                ("ahead", outrunning),
                ("ahead_health", float(panel.health[position, later])),
                ("behind_health", float(panel.health[position, earlier])),
            ),
            instrument=instrument,
            dimension=dimension,
            rater=source.form(form).rater,
            form=form,
        )


def internal_external_gaps(study: GapStudy) -> GapReport:
    """Service among colleagues beside service to customers, each against its own border."""
    definition = study.definitions.internal_external
    members = (*definition.internal, *definition.external)
    panel = panel_of(study, [(r, m.raters) for m in members for r in m.references])
    weights = {name: side_weights(panel, getattr(definition, name)) for name in ("internal", "external")}
    lacking = [name for name, side in weights.items() if not side.any()]
    if lacking:
        wanted = [r for name in lacking for m in getattr(definition, name) for r in m.references]
        which = "service_both" if len(lacking) > 1 else f"service_{lacking[0]}"
        return _silent("internal_external", "ONE_SIDE_MISSING", which, references=_names(wanted))
    if len(panel.periods) > 1:
        return _silent("internal_external", "DIFFERENT_PERIOD", "service_waves")
    sides = {name: panel.mean(side) for name, side in weights.items()}
    levels = {name: _side_levels(study, panel, weights[name], side) for name, side in sides.items()}
    rows: list[tuple[Any, ...]] = []
    for position in range(len(panel.places)):
        if any(np.isnan(side.value[position]) for side in sides.values()):
            continue
        seen = (str(levels["internal"][position]), str(levels["external"][position]))
        chain = "aligned" if seen == ("high", "high") else CHAINS.get(seen, "undetermined")
        rows += _rows(panel, "internal_external", sides, position, dict(zip(sides, seen, strict=True)))
        n = int(min(side.n[position] for side in sides.values()))
        rows.append((panel.places[position], "internal_external", "chain", np.nan, np.nan, np.nan, n, chain))
    rows += _association(panel, sides)
    return GapReport(tuple(_chain_drafts(study, panel, weights, sides)), {"indexes": index_rows(rows)})


def _side_levels(study: GapStudy, panel: Panel, weights: np.ndarray, side: Estimate) -> np.ndarray:
    low, high = study.border([panel.references[k] for k in np.flatnonzero(weights)])
    return level_verdict(side.value, side.error, side.df, low, high)


def _chain_drafts(
    study: GapStudy, panel: Panel, weights: dict[str, np.ndarray], sides: dict[str, Estimate]
) -> Iterable[Draft]:
    """A finding where both levels are beyond doubt and one of them at least is low."""
    borders = {n: study.border([panel.references[k] for k in np.flatnonzero(w)]) for n, w in weights.items()}
    tails = {name: _tails(side, *borders[name]) for name, side in sides.items()}
    known = np.intersect1d(sides["internal"].known, sides["external"].known)
    found = []
    for (internal, external), chain in CHAINS.items():
        # both statements must hold, so the larger p counts
        p = np.maximum(tails["internal"][internal], tails["external"][external])
        found += [(p[k], chain, (internal, external), int(k)) for k in known]
    if not found:
        return
    for (_, chain, seen, position), q in zip(found, benjamini_hochberg(np.array([f[0] for f in found])), strict=True):
        if q > study.settings.likely_error_rate:
            continue
        low_sides = [name for name, level in zip(sides, seen, strict=True) if level == "low"]
        worst = min(low_sides, key=lambda name: sides[name].value[position] - borders[name][0])
        side, n = sides[worst], int(min(s.n[position] for s in sides.values()))
        firm = q <= study.settings.established_error_rate and n >= study.settings.established_n
        tier: Tier = "established" if firm else "likely"
        distance = float(side.value[position] - borders[worst][0])
        draft = gap_draft(
            "internal_external",
            panel.places[position],
            Judgement(float(q), float(q), tier, False),
            estimate=distance,
            error=float(side.error[position]),
            df=float(side.df[position]),
            n=n,
            comparator=sentence(f"finding.comparator.border_{worst}", border=figure(borders[worst][0], "g")),
            settings=study.settings,
            about=(chain,),
            values=(
                ("wording", f"chain_{chain}"),
                ("internal", float(sides["internal"].value[position])),
                ("external", float(sides["external"].value[position])),
            ),
        )
        small = draft.finding.severity == "none"
        yield draft.with_finding(q_minimum_effect=None, severity="minor") if small else draft


def _tails(side: Estimate, low: float, high: float) -> dict[str, np.ndarray]:
    """One-sided p of "not low" and of "not high"."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "low": stdtr(side.df, (side.value - low) / side.error),
            "high": stdtr(side.df, (high - side.value) / side.error),
        }


def _association(panel: Panel, sides: dict[str, Estimate]) -> list[tuple[Any, ...]]:
    """Correlation of internal and external service over the units, by Fisher's z."""
    rows: list[tuple[Any, ...]] = []
    for by in sorted({place[0] for place in panel.places} - {""}):
        chosen = [k for k, place in enumerate(panel.places) if place[0] == by]
        values = np.array([[side.value[k] for side in sides.values()] for k in chosen])
        values = values[~np.isnan(values).any(axis=1)]
        if len(values) < FEWEST_UNITS or not (values.std(axis=0) > 0).all():
            continue
        r = float(np.corrcoef(values.T)[0, 1])
        half = 1.96 / np.sqrt(len(values) - 3)
        z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
        low, high = float(np.tanh(z - half)), float(np.tanh(z + half))
        verdict = "together" if low > 0 else "opposed" if high < 0 else "undetermined"
        place = (by, "", panel.places[chosen[0]][2])
        rows.append((place, "internal_external", "correlation", r, low, high, len(values), verdict))
    return rows


def _equal_weights(panel: Panel, references: Sequence[str]) -> np.ndarray:
    weights = np.zeros(len(panel.references))
    for reference in references:
        weights[panel.references.index(reference)] += 1 / len(references)
    return weights


def _judged(study: GapStudy, gap: Estimate, known: np.ndarray) -> list[Judgement]:
    trust: list[list[float | None]] = [[] for _ in known]
    return judge(gap.value[known], gap.error[known], gap.df[known], gap.n[known], trust, study.settings)


def _gap_verdict(gap: Estimate, position: int, margin: float) -> str:
    low, high = (limit[position] for limit in gap.limits_90)
    if -margin < low and high < margin:
        return "aligned"
    return "gap" if (low > 0 or high < 0) and abs(gap.value[position]) >= margin else "undetermined"


def _rows(
    panel: Panel, index: str, levels: dict[str, Estimate], position: int, verdicts: dict[str, str]
) -> list[tuple[Any, ...]]:
    rows = []
    for name, level in levels.items():
        low, high = (float(limit[position]) for limit in level.limits)
        value, n = float(level.value[position]), int(level.n[position])
        rows.append((panel.places[position], index, name, value, low, high, n, str(verdicts.get(name, ""))))
    return rows


def _names(references: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(references))


def _silent(gap: str, code: Any, key: str, **values: Any) -> GapReport:
    return GapReport(not_measured=(NotMeasured.told(gap, code, key, **values),))
