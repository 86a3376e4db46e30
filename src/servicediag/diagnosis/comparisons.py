"""Two groups of raters on the same items: what the receiving side says beside what the leading side says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from servicediag.diagnosis.cells import index_part
from servicediag.diagnosis.draft import Draft, rater_group
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.gap_study import GapReport, GapStudy, Judgement, NotMeasured, gap_draft, judge
from servicediag.diagnosis.levels import level_verdict
from servicediag.diagnosis.model import COMPARISON_COLUMNS, PATTERN_COLUMNS, FindingKind
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.row_keys import RowKeys
from servicediag.diagnosis.scale_use import REASONS, ScaleUse
from servicediag.diagnosis.superiority import superiority
from servicediag.results import table_rows
from servicediag.wording.telling import joined, sentence

__all__ = ["comparison_gaps"]

CLOSENESS = (
    "customer",
    "mystery_shopper",
    "internal_customer",
    "employee",
    "peer",
    "supervisor",
    "hr",
    "leader",
    "auditor",
)
"""From those who receive to those who lead; of two raters the later one is the inner side."""
PLACE = ["by", "unit", "wave", "instrument", "dimension", "item"]
FEWEST_ITEMS = 3


def comparison_gaps(study: GapStudy) -> GapReport:
    """Perception gaps, provision gaps, and the named patterns of what several groups of raters see together."""
    scores = _compared(study, "score")
    items = _compared(study, "item")
    patterns = _patterns(study)
    return GapReport(
        drafts=tuple(_findings(study, scores, patterns)),
        tables={
            "comparisons": pd.concat([scores, items], ignore_index=True)[list(COMPARISON_COLUMNS)],
            "patterns": patterns,
        },
        not_measured=tuple(_not_measured(study, scores)),
    )


def _compared(study: GapStudy, kind: str) -> pd.DataFrame:
    """A row a pair of raters and a score or item, with the difference (outer minus inner) and its verdict."""
    mine = (study.shown_texts["kind"] == kind) & (study.shown_numbers["n"] > 1)
    sides = RowKeys.of(study.shown, ["instrument", "rater"])
    asked = np.bincount(sides.codes[mine], minlength=len(sides.keys)) > 0
    raters = Counter(instrument for (instrument, _), some in zip(sides.keys, asked, strict=True) if some)
    cells = study.shown[mine & sides.each(lambda side: raters[side[0]] > 1, bool)]
    cells = cells[cells["rater"].isin(CLOSENESS)]
    cells = cells[~index_part(cells)].rename(columns={"name": "item"})
    cells = cells.assign(
        rank=[CLOSENESS.index(rater) for rater in cells["rater"]], variance=cells["error"] ** 2, row=cells.index
    )
    keep = [*PLACE, "rater", "form", "rank", "health", "n", "variance", "sign", "row"]
    pairs = cells[keep].merge(cells[keep], on=PLACE, suffixes=("_outer", "_inner"))
    pairs = pairs[pairs["rank_outer"] < pairs["rank_inner"]]
    pairs = pairs[
        _each(pairs, ["instrument", "dimension", "form_outer", "form_inner"], partial(_parallel, study.evidence))
    ]
    if kind == "item":
        pairs = pairs[_each(pairs, ["instrument", "item"], partial(_scored, study.evidence))]
    variance = pairs["variance_outer"] + pairs["variance_inner"]
    pairs = pairs[variance > 0].sort_values([*PLACE, "rank_outer", "rank_inner"], ignore_index=True)
    return _judged(study, pairs, kind)


def _each(table: pd.DataFrame, columns: list[str], holds: Callable[..., bool]) -> np.ndarray:
    """Whether it holds for each row, asked once for each combination of the columns."""
    keys = list(zip(*(table[name].to_numpy(dtype=object) for name in columns), strict=True))
    known = {key: holds(*key) for key in set(keys)}
    return np.array([known[key] for key in keys], dtype=bool)


def _judged(study: GapStudy, pairs: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Welch's test of every row (Welch, 1947), its verdict of equivalence, and its tier within the rows of its kind."""
    outer, inner = pairs["variance_outer"].to_numpy(float), pairs["variance_inner"].to_numpy(float)
    n_outer, n_inner = pairs["n_outer"].to_numpy(float), pairs["n_inner"].to_numpy(float)
    difference = (pairs["health_outer"] - pairs["health_inner"]).to_numpy(float)
    error = np.sqrt(outer + inner)
    df = error**4 / (outer**2 / (n_outer - 1) + inner**2 / (n_inner - 1))
    half, half_90 = stdtrit(df, 0.975) * error, stdtrit(df, 0.95) * error
    wave = pairs["wave"]
    trust = [
        [study.trust.get((i, form, w, d)) for form in forms]
        for i, d, w, *forms in zip(
            pairs["instrument"], pairs["dimension"], wave, pairs["form_outer"], pairs["form_inner"], strict=True
        )
    ]
    # the reliability of a dimension says nothing about a single item
    trust = trust if kind == "score" else [[] for _ in trust]
    judgements = judge(difference, error, df, np.minimum(n_outer, n_inner), trust, study.settings)
    names = {name: pairs[name] for name in PLACE}
    for side in ("outer", "inner"):
        names |= {f"{side}_{name}": pairs[f"{name}_{side}"] for name in ("rater", "form", "health", "n")}
    return pd.DataFrame(
        {
            **names,
            "difference": difference, "error": error, "df": df,
            "ci_low": difference - half, "ci_high": difference + half,
            "ci_low_90": difference - half_90, "ci_high_90": difference + half_90,
            **_superiority(study, pairs, kind),
            "q_value": [j.q for j in judgements],
            "tier": pd.Series([j.tier for j in judgements], index=pairs.index, dtype=object),
            "verdict": _verdicts(difference, difference - half_90, difference + half_90, study.settings.smallest_gap),
            "judgement": pd.Series(judgements, index=pairs.index, dtype=object),
        }
    )  # fmt: skip


def _verdicts(difference: np.ndarray, low: np.ndarray, high: np.ndarray, margin: float) -> np.ndarray:
    """*aligned*: the 90 % interval is within the margin; *gap*: it excludes 0 and the difference reaches the margin."""
    verdict = np.full(len(difference), "undetermined", dtype=object)
    verdict[((low > 0) | (high < 0)) & (np.abs(difference) >= margin)] = "gap"
    verdict[(low > -margin) & (high < margin)] = "aligned"
    return verdict


def _superiority(study: GapStudy, pairs: pd.DataFrame, kind: str) -> dict[str, np.ndarray]:
    """P(someone of the outer side answers better than someone of the inner side), its limits and test, of items.

    Only where the answers of both sides by option are shown: it tells nothing that does not follow from these.
    """
    names = ("superiority", "superiority_low", "superiority_high", "superiority_p")
    if kind != "item":
        return {name: np.full(len(pairs), np.nan) for name in names}
    outer, inner = (study.counts(pairs.set_index(f"row_{side}")) for side in ("outer", "inner"))
    several = np.minimum(outer.sum(axis=1), inner.sum(axis=1)) >= UNANIMITY_BELOW
    shown = several & pairs["by"].isin([WHOLE, *study.evidence.groupings[:1]]).to_numpy()
    reversed_ = _each(
        pairs, ["instrument", "item"], lambda i, code: study.evidence.instruments[i].item(code).reverse_keyed
    )
    turned = reversed_ != (pairs["sign_outer"].to_numpy(float) < 0)
    found = superiority(inner, outer)
    low, high = found.interval()
    values = (
        np.where(turned, 1 - found.estimate, found.estimate),
        np.where(turned, 1 - high, low),
        np.where(turned, 1 - low, high),
        found.p,
    )
    return {name: np.where(shown, one, np.nan) for name, one in zip(names, values, strict=True)}


def _scored(evidence: Evidence, instrument: str, code: str) -> bool:
    return evidence.instruments[instrument].item(code).in_score


def _parallel(evidence: Evidence, instrument: str, dimension: str, first: str, second: str) -> bool:
    """Same items on the same response scale in both forms; at least three, unless the dimension is shorter."""
    held = _common_items(evidence, instrument, dimension, first, second)
    source = evidence.instruments[instrument]
    return bool(held) and all(source.scale(code, first).id == source.scale(code, second).id for code in held)


def _common_items(evidence: Evidence, instrument: str, dimension: str, first: str, second: str) -> list[str]:
    """Items of the dimension that both forms ask; none where the forms differ or hold too few."""
    source = evidence.instruments[instrument]
    scored = source.dimension(dimension).scored_items
    held = [[item.code for item in scored if item.code in source.form(form).items] for form in (first, second)]
    return held[0] if held[0] == held[1] and len(held[0]) >= min(FEWEST_ITEMS, len(scored)) else []


def _findings(study: GapStudy, scores: pd.DataFrame, patterns: pd.DataFrame) -> Iterable[Draft]:
    """A finding a pair of raters that disagree; where a pattern has a name, one for all the raters it speaks of."""
    named = {tuple(row[:5]): row.pattern for row in table_rows(patterns)}
    told: dict[tuple[str, ...], Draft] = {}
    use = ScaleUse(study.evidence)
    for row in table_rows(scores):
        if row.tier is None or (row.difference > 0 and row.tier == "watch"):
            continue
        place = (row.by, row.unit, row.wave, row.instrument, row.dimension)
        pattern = named.get(place)
        draft = _draft(study, row, pattern, use)
        if pattern is None:
            yield draft
        elif place not in told or abs(row.difference) > abs(told[place].finding.estimate or 0.0):
            told[place] = draft
    yield from told.values()


def _draft(study: GapStudy, row: Any, pattern: str | None, use: ScaleUse) -> Draft:
    provision = f"{row.instrument}/{row.dimension}" in study.definitions.provision
    kind: FindingKind = "provision_gap" if provision else "perception_gap"
    judgement: Judgement = row.judgement
    code = use.code(row.instrument, row.dimension, row.wave, row.outer_form, row.inner_form)
    if code in REASONS and judgement.tier == "established":
        # a difference that may come from how the scale is used is not established
        judgement = replace(judgement, tier="likely")
    outer = study.titles.raters(row.instrument, row.outer_form)
    inner = study.titles.raters(row.instrument, row.inner_form)
    return gap_draft(
        kind,
        (row.by, row.unit, row.wave),
        judgement,
        estimate=row.difference,
        error=row.error,
        df=row.df,
        n=min(row.outer_n, row.inner_n),
        comparator=sentence("finding.comparator.raters", raters=inner),
        settings=study.settings,
        about=(row.instrument, row.outer_form, row.inner_form, row.dimension),
        abstentions=use.cautions(code),
        values=(
            ("outer_health", float(row.outer_health)),
            ("inner_health", float(row.inner_health)),
            ("outer_raters", outer),
            ("inner_raters", inner),
            ("outer_n", int(row.outer_n)),
            ("inner_n", int(row.inner_n)),
            ("pattern", pattern or ""),
        ),
        instrument=row.instrument,
        dimension=row.dimension,
        rater=row.outer_rater,
        form=row.outer_form,
    )


def _patterns(study: GapStudy) -> pd.DataFrame:
    """Groups of raters whose levels fit a named pattern, on the same items of one dimension."""
    side_of = {rater: side for side, raters in study.definitions.sides.items() for rater in raters}
    cells = study.shown_scores[study.shown_scores["rater"].isin(list(side_of))]
    cells = cells[~index_part(cells) & cells["error"].notna()]
    cells = cells.assign(side=[side_of[rater] for rater in cells["rater"]])
    place = ["by", "unit", "wave", "instrument", "dimension"]
    cells = cells[cells.groupby(place)["side"].transform("nunique") > 1]
    # of several forms of one side, such as supervisors and leaders, the one with most answers speaks for it
    cells = cells.sort_values([*place, "n", "form"], ascending=[*(True for _ in place), False, True])
    cells = cells.drop_duplicates([*place, "side"])
    borders = [study.border([f"{i}/{d}"]) for i, d in zip(cells["instrument"], cells["dimension"], strict=True)]
    low, high = np.array(borders, dtype=float).reshape(-1, 2).T
    health, error, n = (cells[name].to_numpy(float) for name in ("health", "error", "n"))
    sides: dict[tuple[str, ...], dict[str, tuple[str, str, float]]] = {}
    names = [cells[name].to_numpy(dtype=object) for name in (*place, "side", "form")]
    levels = level_verdict(health, error, n - 1, low, high)
    for *key, side, form, level, value in zip(*names, levels, health.tolist(), strict=True):
        sides.setdefault(tuple(key), {})[side] = (form, level, value)
    rows = []
    for where, seen in sides.items():
        if not _same_items(study.evidence, where[3], where[4], [form for form, *_ in seen.values()]):
            continue
        for pattern in study.definitions.patterns:
            if all(side in seen and seen[side][1] == level for side, level in pattern.levels.items()):
                known = (seen[side][2] if side in seen else np.nan for side in PATTERN_COLUMNS[6:])
                rows.append((*where, pattern.id, *known))
                break
    return pd.DataFrame(rows, columns=list(PATTERN_COLUMNS))


def _same_items(evidence: Evidence, instrument: str, dimension: str, forms: list[str]) -> bool:
    first = forms[0]
    return all(_common_items(evidence, instrument, dimension, first, form) for form in forms[1:])


def _not_measured(study: GapStudy, scores: pd.DataFrame) -> Iterable[NotMeasured]:
    """Instruments that were made for several raters, of which one was asked, or which could not be compared."""
    done = set(scores["instrument"])
    for name, instrument in study.evidence.instruments.items():
        raters = {form.rater for form in instrument.forms}
        if name in done or len(raters) < 2:
            continue
        gap = (
            "provision_gap" if any(p.startswith(f"{name}/") for p in study.definitions.provision) else "perception_gap"
        )
        asked = {(instrument.form(form).rater, wave) for i, form, wave in study.evidence.n_respondents if i == name}
        missing = sorted(raters - {rater for rater, _ in asked})
        others = joined("names", (rater_group(rater) for rater in missing))
        title = study.titles.instrument(name)
        if len({rater for rater, _ in asked}) == 1:
            yield NotMeasured.told(gap, "ONE_SIDE_MISSING", "raters_one_side", instrument=title, raters=others)
            continue
        shown = study.shown.loc[study.shown_texts["instrument"] == name, ["rater", "wave"]]
        if shown["rater"].nunique() < 2:
            yield NotMeasured.told(gap, "ANON", "raters_too_few", instrument=title)
        elif shown.groupby("rater")["wave"].max().nunique() > 1:
            yield NotMeasured.told(gap, "DIFFERENT_PERIOD", "raters_waves", instrument=title)
        else:
            yield NotMeasured.told(gap, "NOT_PARALLEL", "raters_items", instrument=title)
