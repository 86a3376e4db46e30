"""Gaps between units: false findings, gaps found, wrong models, and what simpler rules do (A1-A6, A13, A14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from baselines import BASELINES, baseline_numbers
from goals import Measured, Row, mean, ratio, resampled
from judged import SETTINGS, score_cells, whole_diagnosis
from organisations import CARELESS, WRONG_MODELS, AnswerModel, organisation, planted_at_random

from servicediag import build_evidence, diagnose, simulate
from servicediag.simulation import AnswerProcess

PLAIN = AnswerModel()
GAPS = (7.5, 12.5, 20.0)
"""0.3, 0.5 and 0.8 on a scale from 1 to 5: standardised differences near 0.36, 0.6 and 1.0."""
FIRM = ("established",)
TOLD = ("established", "likely")
ENOUGH = 20


def told(cells: pd.DataFrame, tiers: Sequence[str]) -> np.ndarray:
    return cells["tier"].isin(tiers).to_numpy()


def false(cells: pd.DataFrame) -> np.ndarray:
    """Not a true gap of more than the minimum effect in the direction that the engine sees."""
    direction = np.sign(cells["gap"].to_numpy(float))
    return np.asarray(direction * cells["true_gap"].to_numpy(float) <= SETTINGS.minimum_effect)


def null_counts(model: AnswerModel, runs: int, seed: int) -> dict[str, np.ndarray]:
    """Organisations in which something false is said; without planted gaps."""
    found = {"established": np.zeros(runs), "told": np.zeros(runs)}
    for run in range(runs):
        cells = score_cells(organisation(model, seed + run))
        wrong = false(cells)
        found["established"][run] = (told(cells, FIRM) & wrong).any()
        found["told"][run] = (told(cells, TOLD) & wrong).any()
    return found


def null_goals(runs: int, seed: int) -> list[Row]:
    found = null_counts(PLAIN, runs, seed)
    ones = np.ones(runs)
    return [
        Row("A1", "null: any established gap or strength", ratio(found["established"], ones), "at most", 0.05),
        Row("A2", "null: any established or likely", ratio(found["told"], ones), "at most", 0.10),
    ]


def every_kind_goals(runs: int, seed: int) -> list[Row]:
    """The same with all kinds of findings of the whole engine: attribution, dispersion, bottleneck and the rest."""
    kinds: dict[str, int] = {}
    firm, some = np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        diagnosis = whole_diagnosis(organisation(PLAIN, seed + run))
        for finding in diagnosis.findings:
            if finding.tier in TOLD:
                kinds[f"{finding.kind} {finding.tier}"] = kinds.get(f"{finding.kind} {finding.tier}", 0) + 1
                some[run] = 1
                firm[run] = max(firm[run], finding.tier == "established")
    seen = "; ".join(f"{name}: {count}" for name, count in sorted(kinds.items())) or "none"
    return [
        Row(
            "A1", f"null, findings of every kind: any established ({seen})", ratio(firm, np.ones(runs)), "at most", 0.05
        ),
        Row(
            "A2", "null, findings of every kind: any established or likely", ratio(some, np.ones(runs)), "at most", 0.10
        ),
    ]


def file_goals(runs: int, seed: int) -> list[Row]:
    """Null organisations through the labelled export, the reader and the whole engine, with the library's generator."""
    firm, some = np.zeros(runs), np.zeros(runs)
    process = AnswerProcess(icc=0.0)
    sizes = {"n_units": 20, "respondents_per_unit": (8, 39), "process": process}
    for run in range(runs):
        customers = simulate("seven-sins", form="customer", seed=seed + 2 * run, **sizes)
        staff = simulate([("readiness", "employee"), ("four-tools", "receiver")], seed=seed + 2 * run + 1, **sizes)
        diagnosis = diagnose(build_evidence(customers.responses(), staff.responses()))
        tiers = {f.tier for f in diagnosis.findings if f.unit is not None}
        firm[run], some[run] = "established" in tiers, bool(tiers & set(TOLD))
    return [
        Row("A1", "null, from exports, all about units: any established", ratio(firm, np.ones(runs)), "at most", 0.05),
        Row("A2", "null, from exports, all about units: any established or likely", ratio(some, np.ones(runs)),
            "at most", 0.10),
    ]  # fmt: skip


PARTS = ("hit", "called", "wrong", "low", "low wrong")
RULES = ("diagnosis", "diagnosis, established", *BASELINES)


def planted_study(model: AnswerModel, points: float, runs: int, seed: int) -> dict[str, np.ndarray]:
    """Counts of each organisation with a tenth of all cells planted: found, false, and those of the baselines."""
    names = ["planted", "planted_large", "false_firm", "false_told", "firm", "told", "detectable", "cells"]
    names += ["large_firm", "large_told", "small_told", "planted_small"]
    names += [f"{rule}|{part}" for rule in RULES for part in PARTS]
    counts = {name: np.zeros(runs) for name in names}
    for run in range(runs):
        one = organisation(model, seed + run, effects=planted_at_random(seed + run, points))
        cells = score_cells(one).merge(baseline_numbers(one), on=["unit", "instrument", "dimension"])
        for name, value in _counts(cells).items():
            counts[name][run] = value
    return counts


def _counts(cells: pd.DataFrame) -> dict[str, int]:
    planted = (cells["planted"] < 0).to_numpy()
    worse = (cells["gap"] < 0).to_numpy()
    large = (cells["n"] >= ENOUGH).to_numpy()
    firm, some, wrong = told(cells, FIRM), told(cells, TOLD), false(cells)
    rules = {"diagnosis": some, "diagnosis, established": firm}
    rules |= {name: rule(cells) for name, rule in BASELINES.items()}
    found = {
        "planted": planted, "planted_large": planted & large, "planted_small": planted & ~large,
        "firm": firm, "told": some, "false_firm": firm & wrong, "false_told": some & wrong,
        "large_firm": firm & planted & large & worse, "large_told": some & planted & large & worse,
        "small_told": some & planted & ~large & worse,
        "detectable": cells["minimum_detectable_gap"].notna().to_numpy(), "cells": np.ones(len(cells), dtype=bool),
    }  # fmt: skip
    for name, called in rules.items():
        found[f"{name}|hit"], found[f"{name}|called"] = called & planted & worse, called
        found[f"{name}|wrong"] = called & wrong
        found[f"{name}|low"], found[f"{name}|low wrong"] = called & worse, called & worse & ~planted
    return {name: int(mask.sum()) for name, mask in found.items()}


def planted_goals(runs: int, seed: int) -> list[Row]:
    rows: list[Row] = []
    for points in GAPS:
        study = planted_study(PLAIN, points, runs, seed)
        rows += _planted_rows(points, study)
        rows += _against_baselines(points, study, runs)
    return sorted(rows, key=lambda row: int(row.goal[1:]))


def _planted_rows(points: float, study: dict[str, np.ndarray]) -> Iterable[Row]:
    gap = f"gap {points:g}"
    yield Row("A3", f"{gap}: false among established", ratio(study["false_firm"], study["firm"]), "at most", 0.05)
    yield Row(
        "A3", f"{gap}: false among established or likely", ratio(study["false_told"], study["told"]), "at most", 0.10
    )
    firm = ratio(study["large_firm"], study["planted_large"])
    some = ratio(study["large_told"], study["planted_large"])
    if points == 20.0:
        yield Row("A4", f"{gap}, n >= 20: found, established", firm, "at least", 0.85)
        yield Row("A4", f"{gap}, n >= 20: found, established or likely", some, "at least", 0.95)
    elif points == 12.5:
        yield Row("A5", f"{gap}, n >= 20: found, established or likely", some, "at least", 0.60)
    else:
        yield Row(
            "A6",
            f"{gap}, n 8-39: found, no promise",
            ratio(study["large_told"] + study["small_told"], study["planted"]),
        )
        yield Row("A6", "minimum detectable gap given", ratio(study["detectable"], study["cells"]), "at least", 1.0)


def f_half(sums: np.ndarray) -> float:
    """F0.5 of (planted found, calls, wrong calls, planted): precision counts twice as much as recall."""
    hit, called, wrong, planted = sums
    precision, recall = 1 - wrong / max(called, 1), hit / planted
    return float(1.25 * precision * recall / (0.25 * precision + recall)) if hit else 0.0


def _against_baselines(points: float, study: dict[str, np.ndarray], runs: int) -> Iterable[Row]:
    readings = {"": ("hit", "called", "wrong"), ", low cells only": ("hit", "low", "low wrong")}
    for words, parts in readings.items():
        sums = {rule: np.column_stack([*(study[f"{rule}|{p}"] for p in parts), study["planted"]]) for rule in RULES}
        scores = {rule: resampled(columns, f_half, runs) for rule, columns in sums.items()}
        best = max(BASELINES, key=lambda rule: scores[rule].value)
        for rule, score in scores.items():
            yield Row("A14", f"gap {points:g}: F0.5 of {rule}{words}", score)
        both = np.hstack([sums["diagnosis"], sums[best]])
        margin = resampled(both, lambda columns: f_half(columns[:4]) - f_half(columns[4:]), runs)
        sense = "at least" if points >= 12.5 else None
        yield Row("A14", f"gap {points:g}: F0.5 above {best}{words}", margin, sense, 0.0 if sense else np.nan)


def wrong_model_goals(runs: int, seed: int) -> list[Row]:
    """Null organisations and planted gaps of 20 points under models that the engine does not know of."""
    rows = []
    for model in WRONG_MODELS:
        null = null_counts(model, runs, seed)
        rows.append(Row("wrong", f"{model.name}: null, false established", ratio(null["established"], np.ones(runs)),
                        "at most", 0.05))  # fmt: skip
        study = planted_study(model, 20.0 if model.shares[-1] < 0.5 else 15.0, max(4, runs // 4), seed)
        rows.append(Row("wrong", f"{model.name}: gap 20, false of told", ratio(study["false_told"], study["told"]),
                        "at most", 0.10))  # fmt: skip
        rows.append(
            Row("wrong", f"{model.name}: gap 20, n >= 20, told", ratio(study["large_told"], study["planted_large"]))
        )
    return rows


def careless_goals(runs: int, planted_runs: int, seed: int) -> list[Row]:
    null = null_counts(CARELESS, runs, seed)
    plain = planted_study(PLAIN, 20.0, planted_runs, seed)
    careless = planted_study(CARELESS, 20.0, planted_runs, seed)
    columns = np.column_stack(
        [one[name] for one in (plain, careless) for name in ("large_firm", "planted_large", "large_told")]
    )

    def loss(place: int) -> Measured:
        return resampled(columns, lambda s: float(s[place] / s[1] - s[3 + place] / s[4]), planted_runs)

    return [
        Row(
            "A13", f"{CARELESS.name}: null, any established", ratio(null["established"], np.ones(runs)), "at most", 0.07
        ),
        Row("A13", f"{CARELESS.name}: gap 20, n >= 20, loss of established", loss(0), "at most", 0.10),
        Row("A13", f"{CARELESS.name}: gap 20, n >= 20, loss of told", loss(2), "at most", 0.10),
    ]


def shrinkage_goals(runs: int, seed: int) -> list[Row]:
    """Error of shrunk and raw gaps where units differ a little (standard deviation about 4 points)."""
    model = replace(PLAIN, icc=0.05)
    ratios = []
    for run in range(runs):
        cells = score_cells(organisation(model, seed + run))
        raw = ((cells["gap"] - cells["true_gap"]) ** 2).mean()
        shrunk = ((cells["shrunk_gap"] - cells["true_gap"]) ** 2).mean()
        ratios.append(float(np.sqrt(shrunk / raw)))
    return [Row("A10", "error of shrunk gaps relative to raw ones", mean(ratios), "at most", 0.80)]
