"""Promises to customers: how many are broken, whether they are put right, and how staff are rated then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from servicediag.diagnosis.draft import Draft, finding_id, name_or_none, share_tiers
from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.gap_study import GapReport, GapStudy, NotMeasured, Place, gap_draft, index_rows, judge
from servicediag.diagnosis.model import Finding, Tier
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.stability import share_stability
from servicediag.diagnosis.statistics import wilson
from servicediag.results import plain, table_rows
from servicediag.wording.telling import figure, joined, sentence

__all__ = ["promise_gaps"]

GAP = "promise_gap"
GROUPS = ("kept", "repaired", "left_broken")
PROVISIONAL = sentence("finding.abstention.promise_attitude")
Row = tuple[Any, ...]
Counts = dict[Place, tuple[float, float]]
"""How many of how many, for each place."""


def promise_gaps(study: GapStudy) -> GapReport:
    """Breach rate, recovery rate, second breaches, and the contrast of attitudes between the groups of customers."""
    shares, share_rows, missing = _shares(study)
    contrasts, contrast_rows, lacking = _contrasts(study)
    return GapReport(
        drafts=(*shares, *contrasts),
        tables={"indexes": index_rows([*share_rows, *contrast_rows])},
        not_measured=(*missing, *lacking),
    )


def _shares(study: GapStudy) -> tuple[list[Draft], list[Row], list[NotMeasured]]:
    """Counts of the operations data and of the screening questions, with Wilson's intervals."""
    definition = study.definitions.promise_gap
    screen, repair, log = definition.screen, definition.repair, definition.operations
    broken, few = _log(study, log.breach)
    asked = _asked(study, screen.field, {"broken": screen.broken, "kept": screen.kept})
    mended = _asked(study, repair.field, {"repaired": repair.repaired, "left_broken": repair.left_broken})
    counts: dict[str, Counts] = {
        "breach rate, operations": broken,
        "breach rate, customers": {place: (c["broken"], c["broken"] + c["kept"]) for place, c in asked.items()},
        "recovery rate, operations": _log(study, log.repaired)[0],
        "recovery rate, customers": {
            place: (c["repaired"], c["repaired"] + c["left_broken"]) for place, c in mended.items()
        },
        "second breach, operations": _log(study, log.second_breach)[0],
        "second breach, customers": _second_breach(study),
    }
    rows: list[Row] = []
    for part, table in counts.items():
        for place, (count, n) in sorted(table.items()):
            low, high = wilson(count, n)
            rows.append((place, "promises", part, count / n, low, high, int(n), ""))
    drafts = [*_breach_drafts(study, broken, "operations"),
              *_breach_drafts(study, counts["breach rate, customers"], "customers")]  # fmt: skip
    return drafts, rows, list(_missing(study, broken, few, asked))


def _missing(study: GapStudy, broken: Counts, few: list[str], asked: Mapping[Place, object]) -> Iterable[NotMeasured]:
    definition = study.definitions.promise_gap
    if few:
        yield NotMeasured.told(GAP, "TOO_FEW", "promises_few", fewest=definition.fewest_promises,
                               units=joined("names", sorted(few)))  # fmt: skip
    elif not broken:
        name = definition.operations.breach
        yield NotMeasured.told(GAP, "ONE_SIDE_MISSING", "promises_log", name=name, cases=f"{name}_n")
    if not asked:
        yield NotMeasured.told(GAP, "ONE_SIDE_MISSING", "promises_asked", field=definition.screen.field)


def _log(study: GapStudy, indicator: str) -> tuple[Counts, list[str]]:
    """Cases counted by an indicator of the operations data, and the places with too few of them."""
    fewest = study.definitions.promise_gap.fewest_promises
    counts: Counts = {}
    few = []
    for (by, unit, name), measurement in study.recorded.items():
        if name != indicator or measurement.cases is None:
            continue
        if measurement.cases < fewest:
            few.append(unit or sentence("finding.whole"))
        else:
            counts[by, unit, measurement.wave] = (measurement.value * measurement.cases, float(measurement.cases))
    return counts, few


def _asked(study: GapStudy, background: str, groups: Mapping[str, tuple[str, ...]]) -> dict[Place, dict[str, float]]:
    """Customers of each group, counted by the score that most of them have; places where all groups may be shown."""
    rows = _segments(study, background)
    if rows.empty:
        return {}
    most = rows.groupby(["by", "unit", "wave", "category"])["n"].max().reset_index()
    found: dict[Place, dict[str, float]] = {}
    for place, group in most.groupby(["by", "unit", "wave"], sort=True):
        sizes = dict(zip(group["category"], group["n"], strict=True))
        sums = {name: float(sum(sizes.get(code, 0) for code in codes)) for name, codes in groups.items()}
        if min(sums.values()) >= study.settings.minimum_group:
            found[str(place[0]), str(place[1]), str(place[2])] = sums
    return found


def _segments(study: GapStudy, background: str) -> pd.DataFrame:
    """Sums of the attitude scales of customers by one background field, newest wave."""
    definition = study.definitions.promise_gap
    rows = study.segments[study.segments["background"] == background]
    if rows.empty:
        return rows
    names = rows["instrument"] + "/" + rows["dimension"]
    rows = rows[(rows["kind"] == "score") & names.isin(definition.attitude) & rows["rater"].isin(definition.raters)]
    current = study.cells.loc[study.cells["current"], ["instrument", "form", "wave"]].drop_duplicates()
    return rows.merge(current, on=["instrument", "form", "wave"])


def _second_breach(study: GapStudy) -> Counts:
    """Of the customers with a failure, those to whom the promise made in the recovery was broken as well."""
    definition = study.definitions.promise_gap.second_breach
    raters = definition.raters or study.definitions.promise_gap.raters
    return answer_counts(study, definition.item, definition.answers, raters)


def answer_counts(study: GapStudy, item: str, answers: tuple[int, ...], raters: tuple[str, ...]) -> Counts:
    """How many gave one of the answers, and how many answered, for every group of which answers by option are shown.

    Those are large enough, and of the whole or the first grouping: a region less its larger units would tell of a small
    one.
    """
    rows = study.shown.iloc[study.rows_of.get(item, np.array([], dtype=np.int64))]
    told = rows["by"].isin([WHOLE, *study.evidence.groupings[:1]])
    rows = rows[rows["rater"].isin(raters) & (rows["n"] >= UNANIMITY_BELOW) & told]
    found: Counts = {}
    for row, counts in zip(table_rows(rows), study.counts(rows), strict=True):
        lowest = study.evidence.instruments[row.instrument].scale(item, row.form).minimum
        found[row.by, row.unit, row.wave] = (float(sum(counts[code - lowest] for code in answers)), float(counts.sum()))
    return found


def _breach_drafts(study: GapStudy, counts: Counts, source: str) -> Iterable[Draft]:
    """More promises broken than the conventional share."""
    settings = study.settings
    places = sorted(counts)
    table = pd.DataFrame([counts[place] for place in places], columns=["count", "n"])
    table["share"] = table["count"] / table["n"]
    tiers = share_tiers(table, settings)
    stable = share_stability(table["count"].to_numpy(float), table["n"].to_numpy(float), tiers, settings)
    for place, share, n, tier, again in zip(places, table["share"], table["n"], tiers, stable, strict=True):
        if share <= settings.share_criterion or tier == "watch":
            continue
        draft = _breach_draft(study, place, float(share), int(n), tier, source)
        yield draft.with_finding(stability=plain(float(again)))


def _breach_draft(study: GapStudy, place: Place, share: float, n: int, tier: Tier, source: str) -> Draft:
    settings = study.settings
    low, high = wilson(share * n, n)
    # the same convention as for other shares: a quarter is a minor, half a major, all a critical trouble
    size = 4 * settings.smallest_gap * share
    return Draft(
        Finding(
            id=finding_id("promise_gap", *place, source),
            kind="promise_gap",
            by=name_or_none(place[0]),
            unit=name_or_none(place[1]),
            wave=name_or_none(place[2]),
            instrument=None,
            dimension=None,
            item=None,
            rater="customer" if source == "customers" else None,
            estimate=share,
            ci_low=low,
            ci_high=high,
            n=n,
            comparator=sentence("finding.comparator.promises", share=figure(100 * settings.share_criterion, "g")),
            direction="worse",
            severity=settings.severity(size),
            tier=tier,
            metric="share",
        ),
        loss=max(0.0, size - settings.smallest_gap),
        values=(("wording", "promise_breach"), ("source", sentence(f"finding.source.{source}"))),
    )


def _contrasts(study: GapStudy) -> tuple[list[Draft], list[Row], list[NotMeasured]]:
    """Ratings of staff by customers whose promise was broken and left so, minus those whose promises were kept."""
    groups = _groups(study)
    table = _attitudes(groups) if set(groups["group"]) >= {"kept", "left_broken"} else groups.iloc[:0]
    if table.empty:
        return [], [], [NotMeasured.told(GAP, "TOO_FEW", "promises_attitude")]
    estimate, error, df, n = (table[name].to_numpy(float) for name in ("difference", "error", "df", "n"))
    trust: list[list[float | None]] = [[] for _ in range(len(table))]
    judgements = judge(estimate, error, df, n, trust, study.settings)
    drafts, rows = [], []
    for row, judgement in zip(table.to_dict("records"), judgements, strict=True):
        place = (row["by"], row["unit"], row["wave"])
        for name in GROUPS:
            if not np.isnan(row[name]):
                rows.append((place, "attitude_contrast", name, row[name], np.nan, np.nan, int(row[f"n_{name}"]), ""))
        half = float(stdtrit(row["df"], 0.975)) * row["error"]
        size = row["difference"]
        verdict = "lower where a promise was broken" if size + half < 0 else "undetermined"
        rows.append((place, "attitude_contrast", "left_broken - kept", size, size - half, size + half, int(row["n"]),
                     verdict))  # fmt: skip
        if size < 0 and judgement.tier is not None:
            drafts.append(_contrast_draft(study, place, row, judgement))
    return drafts, rows, []


def _contrast_draft(study: GapStudy, place: Place, row: Mapping[Any, Any], judgement: Any) -> Draft:
    repaired = () if np.isnan(row["repaired"]) else (("repaired", float(row["repaired"])),)
    return gap_draft(
        "promise_gap",
        place,
        judgement,
        estimate=float(row["difference"]),
        error=float(row["error"]),
        df=float(row["df"]),
        n=int(row["n"]),
        comparator=sentence("finding.comparator.kept"),
        settings=study.settings,
        about=("attitude",),
        abstentions=(PROVISIONAL,),
        values=(
            ("wording", "promise_attitude"),
            ("kept", float(row["kept"])),
            ("left_broken", float(row["left_broken"])),
            *repaired,
        ),
        rater="customer",
    )


def _groups(study: GapStudy) -> pd.DataFrame:
    """Sums of every attitude scale for the three groups of customers."""
    screen, repair = study.definitions.promise_gap.screen, study.definitions.promise_gap.repair
    chosen = [(screen.field, screen.kept, "kept")]
    chosen += [(repair.field, repair.repaired, "repaired"), (repair.field, repair.left_broken, "left_broken")]
    if _segments(study, repair.field).empty:
        # without the second question every broken promise counts as left so
        chosen = [(screen.field, screen.kept, "kept"), (screen.field, screen.broken, "left_broken")]
    frames = []
    for background, codes, name in chosen:
        rows = _segments(study, background)
        frames.append(rows[rows["category"].isin(codes)].assign(group=name))
    keys = ["by", "unit", "wave", "instrument", "form", "dimension", "sign", "group"]
    return pd.concat(frames).groupby(keys, as_index=False)[["n", "total", "total_squares"]].sum()


def _attitudes(groups: pd.DataFrame) -> pd.DataFrame:
    """Mean health over the scales, a row a place, of the scales that both groups rated; errors as if all correlated."""
    groups = groups[groups["n"] > 1]
    n, total, sign = (groups[name].to_numpy(float) for name in ("n", "total", "sign"))
    variance = np.maximum(groups["total_squares"] - total**2 / n, 0.0) / (n - 1) / n
    health = np.where(sign > 0, total / n, 100 - total / n)
    groups = groups.assign(health=health, error=np.sqrt(variance))
    scale = ["by", "unit", "wave", "instrument", "form", "dimension"]
    wide = groups.pivot(index=scale, columns="group", values=["health", "error", "n"])
    for name in ("health", "error", "n"):
        for group in GROUPS:
            if (name, group) not in wide.columns:
                wide[name, group] = np.nan
    wide = wide[wide["health", "kept"].notna() & wide["health", "left_broken"].notna()]
    place = ["by", "unit", "wave"]
    means, sizes = wide.groupby(place).mean(), wide["n"].groupby(place).min()
    table = pd.DataFrame({group: means["health", group] for group in GROUPS})
    for group in GROUPS:
        table[f"n_{group}"] = sizes[group]
    kept, broken = means["error", "kept"], means["error", "left_broken"]
    table["difference"] = table["left_broken"] - table["kept"]
    table["error"] = np.sqrt(kept**2 + broken**2)
    table["n"] = table[["n_kept", "n_left_broken"]].min(axis=1)
    parts = kept**4 / (table["n_kept"] - 1) + broken**4 / (table["n_left_broken"] - 1)
    table["df"] = table["error"] ** 4 / parts
    return table[table["error"] > 0].reset_index()
