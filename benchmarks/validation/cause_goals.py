"""Whether the causes that the diagnosis supports are the planted ones (A11, A12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from gap_goals import TOLD
from goals import Row, ratio
from judged import whole_diagnosis
from organisations import CUSTOMERS, AnswerModel, Effects, Scale, organisation
from planted_causes import PlantedCause, planted_causes, staff_scales

from servicediag.diagnosis.model import Diagnosis, Finding

MODEL = AnswerModel(sizes=(30, 60))
N_UNITS = 20
PLANTED_UNITS = 5
FEW_RIVALS = 3


def cause_goals(runs: int, seed: int) -> list[Row]:
    staff = staff_scales()
    causes = planted_causes((*CUSTOMERS, *staff))
    rows: list[Row] = []
    for points in (12.5, 20.0):
        rows += _recall_rows(points, causes, staff, runs, seed)
    return [*rows, *_no_cause_rows(staff, runs, seed), *_halo_rows(staff, runs, seed)]


def _diagnoses(
    plans: Callable[[int], Effects], staff: Sequence[Scale], runs: int, seed: int
) -> Iterable[tuple[int, Diagnosis]]:
    for run in range(runs):
        yield run, whole_diagnosis(organisation(MODEL, seed + run, (CUSTOMERS, tuple(staff)), N_UNITS, plans(run)))


def _recall_rows(
    points: float, causes: Sequence[PlantedCause], staff: Sequence[Scale], runs: int, seed: int
) -> Iterable[Row]:
    """Five units of each organisation have a symptom and what its cause leaves behind; the others have nothing."""
    planted: dict[int, dict[str, PlantedCause]] = {}

    def plan(run: int) -> Effects:
        rng = np.random.default_rng([seed, run, 7])
        chosen = [causes[place] for place in rng.choice(len(causes), PLANTED_UNITS, replace=False)]
        planted[run] = {f"Unit {unit + 1:02d}": cause for unit, cause in enumerate(chosen)}
        return {
            (unit, reference): -points for unit, cause in enumerate(chosen) for reference in (cause.symptom, *cause.low)
        }

    names = ("told", "true", "refuted", "supported", "told_rivals", "true_rivals", "supported_rivals", "refuted_rivals")
    counts = {name: np.zeros(runs) for name in names}
    by_rule: Counter[tuple[str, str]] = Counter()
    for run, diagnosis in _diagnoses(plan, staff, runs, seed):
        for finding, cause in _symptoms(diagnosis, planted[run]):
            status = {one.rule: one.status for one in finding.causes}
            supported = [one.rule for one in finding.causes if one.status == "supported"]
            by_rule[cause.rule, status.get(cause.rule, "not considered")] += 1
            for suffix in ("", "_rivals") if cause.rivals >= FEW_RIVALS else ("",):
                counts["told" + suffix][run] += 1
                counts["true" + suffix][run] += cause.rule in supported
                counts["refuted" + suffix][run] += status.get(cause.rule) == "not_supported"
                counts["supported" + suffix][run] += len(supported)
    missed = Counter({key: n for key, n in by_rule.items() if key[1] != "supported"}).most_common(8)
    told = ", ".join(f"{rule} {status} {n}" for (rule, status), n in missed)
    for suffix, words in (("_rivals", "3 or more rivals measured"), ("", f"all; not supported most often: {told}")):
        gap = f"gap {points:g}, n 30-60, {words}"
        yield Row("A11", f"{gap}: true among supported", ratio(counts["true" + suffix], counts["supported" + suffix]),
                  "at least", 0.80)  # fmt: skip
        gap = gap.split(";")[0]
        yield Row("A11", f"{gap}: true cause supported", ratio(counts["true" + suffix], counts["told" + suffix]),
                  "at least", 0.50)  # fmt: skip
        yield Row("A11", f"{gap}: true cause refuted", ratio(counts["refuted" + suffix], counts["told" + suffix]),
                  "at most", 0.05)  # fmt: skip


def _symptoms(diagnosis: Diagnosis, planted: Mapping[str, PlantedCause]) -> Iterable[tuple[Finding, PlantedCause]]:
    """Planted symptoms that the diagnosis tells."""
    for finding in diagnosis.findings:
        cause = planted.get(finding.unit or "")
        name = f"{finding.instrument}/{finding.dimension}"
        if cause is not None and finding.kind == "unit_gap" and finding.tier in TOLD and name == cause.symptom:
            yield finding, cause


def _no_cause_rows(staff: Sequence[Scale], runs: int, seed: int) -> Iterable[Row]:
    """Symptoms whose cause is in no scale."""

    def plan(run: int) -> Effects:
        return {(unit, CUSTOMERS[(unit + run) % len(CUSTOMERS)].reference): -20.0 for unit in range(PLANTED_UNITS)}

    wrong, told = np.zeros(runs), np.zeros(runs)
    for run, diagnosis in _diagnoses(plan, staff, runs, seed + 50_000):
        wrong[run], told[run] = _supported(diagnosis)
    yield Row(
        "A12", "symptom of 20 points, cause not in the rules: a cause supported", ratio(wrong, told), "at most", 0.05
    )


def _halo_rows(staff: Sequence[Scale], runs: int, seed: int) -> Iterable[Row]:
    """Units that all raters put lower on everything."""
    references = [scale.reference for scale in (*CUSTOMERS, *staff)]

    def plan(_: int) -> Effects:
        return {(unit, reference): -15.0 for unit in range(PLANTED_UNITS) for reference in references}

    wrong, told = np.zeros(runs), np.zeros(runs)
    for run, diagnosis in _diagnoses(plan, staff, runs, seed + 90_000):
        wrong[run], told[run] = _supported(diagnosis)
    yield Row("A12", "unit low on everything by 15 points: a cause supported", ratio(wrong, told), "at most", 0.10)


def _supported(diagnosis: Diagnosis) -> tuple[int, int]:
    """Symptoms in the planted units with a supported cause, and all that are told."""
    units = {f"Unit {unit + 1:02d}" for unit in range(PLANTED_UNITS)}
    found = [
        finding
        for finding in diagnosis.findings
        if finding.unit in units and finding.kind == "unit_gap" and finding.instrument == "seven-sins"
        and finding.tier in TOLD and finding.direction == "worse"
    ]  # fmt: skip
    return sum(any(cause.status == "supported" for cause in finding.causes) for finding in found), len(found)
