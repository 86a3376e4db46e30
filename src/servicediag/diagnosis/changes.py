"""From one wave to the next: change within persons or between samples, who answered, and what a launch has lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from servicediag.diagnosis.breakdowns import wave_order
from servicediag.diagnosis.cells import index_part
from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.gap_study import GapReport, GapStudy, Judgement, NotMeasured, gap_draft, index_rows, judge
from servicediag.diagnosis.model import CHANGE_COLUMNS
from servicediag.diagnosis.stage_sequence import Change, Readings, stage_sequence
from servicediag.results import table_rows
from servicediag.wording.telling import sentence

__all__ = ["change_gaps"]

GAP = "change"
KEYS = ["by", "unit", "rater", "form", "instrument", "dimension"]
LINKED_SHARE = 0.5
"""Share of the smaller wave that must be linked before the change of the linked people speaks for all."""
MOVED = 0.10
"""Share of the respondents by which a group may grow or shrink before the waves count as differently made up."""
Waves = dict[tuple[str, str], list[str]]


def change_gaps(study: GapStudy) -> GapReport:
    """Change from the last wave but one to the newest, and from the best wave to the newest."""
    waves = _waves(study)
    if not any(len(names) > 1 for names in waves.values()):
        return GapReport(not_measured=(NotMeasured.told(GAP, "ONE_SIDE_MISSING", "changes_one_wave"),))
    last = {form: names[-2:] for form, names in waves.items() if len(names) > 1}
    table = _judged(study, _with_pairs(study, _between(study, last)))
    moved = _moved(study, last)
    sequence = stage_sequence(study, table)
    rows = [*_composition_rows(moved), *_standardized(study, moved, last)]
    decay, decay_rows = _launch_decay(study, {form: names for form, names in waves.items() if len(names) > 2})
    return GapReport(
        drafts=(*_drafts(study, table, moved, sequence.readings), *decay, *sequence.drafts),
        tables={
            "changes": table[list(CHANGE_COLUMNS)],
            "indexes": index_rows([*rows, *decay_rows, *sequence.rows]),
        },
        not_measured=(*_not_linked(table), *sequence.not_measured),
    )


def _waves(study: GapStudy) -> Waves:
    found: dict[tuple[str, str], set[str]] = {}
    for instrument, form, wave in study.evidence.n_respondents:
        found.setdefault((instrument, form), set()).add(wave)
    return {form: sorted(names - {""}, key=wave_order) for form, names in found.items()}


def _between(study: GapStudy, waves: Waves) -> pd.DataFrame:
    """Levels of two waves side by side, for every group that may be shown in both."""
    cells = study.cells
    scores = cells[(cells["kind"] == "score") & (cells["hidden"] == "") & (cells["n"] > 1) & ~index_part(cells)]
    keep = [*KEYS, "wave", "n", "health", "error", "sign", "gap"]
    frames = []
    for (instrument, form), (first, second) in waves.items():
        mine = scores[(scores["instrument"] == instrument) & (scores["form"] == form)][keep]
        earlier = mine[mine["wave"] == first].rename(columns={"wave": "first_wave"})
        later = mine[mine["wave"] == second].rename(columns={"wave": "second_wave"})
        frames.append(earlier.merge(later, on=KEYS, suffixes=("_first", "_second")))
    return pd.concat(frames, ignore_index=True)


def _with_pairs(study: GapStudy, table: pd.DataFrame) -> pd.DataFrame:
    """Change and its error: of linked people where they are at least half of the smaller wave, else of two samples.

    Linked are two waves that follow one another: beside these the changes from a third one would tell of the few who
    left a wave out.
    """
    keys = [*KEYS, "first_wave", "second_wave"]
    pairs = study.changes[[*keys, "n", "total", "total_squares"]].rename(columns={"n": "n_pairs"})
    table = table.merge(pairs, on=keys, how="left")
    n_pairs = table["n_pairs"].to_numpy(float)
    if "previous" in table:
        n_pairs = np.where(table["first_wave"] == table["previous"], n_pairs, np.nan)
    smaller = table[["n_first", "n_second"]].to_numpy(float).min(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = table["total"].to_numpy(float) / n_pairs
        spread = np.sqrt(np.maximum(table["total_squares"] - n_pairs * mean**2, 0.0) / (n_pairs - 1))
        linked = (n_pairs >= LINKED_SHARE * smaller) & (spread > 0)
        first, second = table["error_first"].to_numpy(float), table["error_second"].to_numpy(float)
        error = np.sqrt(first**2 + second**2)
        parts = first**4 / (table["n_first"] - 1) + second**4 / (table["n_second"] - 1)
        df = np.where(linked, n_pairs - 1, error**4 / parts)
    sign = table["sign_second"].to_numpy(float)
    table = table.assign(
        design=np.where(linked, "paired", "unpaired"),
        change=np.where(linked, sign * mean, table["health_second"] - table["health_first"]),
        error=np.where(linked, spread / np.sqrt(n_pairs), error),
        df=df,
        standardized_response_mean=np.where(linked, sign * mean / spread, np.nan),
        n_pairs=np.where(linked, n_pairs, np.nan),
        n=np.where(linked, n_pairs, smaller).astype(int),
    )
    names = {"health_first": "first_health", "health_second": "second_health"}
    return table[table["error"] > 0].rename(columns=names).sort_values(keys, ignore_index=True)


def _judged(study: GapStudy, table: pd.DataFrame) -> pd.DataFrame:
    change, error, df = (table[name].to_numpy(float) for name in ("change", "error", "df"))
    trust = [
        [study.trust.get((row.instrument, row.form, wave, row.dimension)) for wave in (row.first_wave, row.second_wave)]
        for row in table_rows(table)
    ]
    judgements = judge(change, error, df, table["n"].to_numpy(float), trust, study.settings)
    half, half_90 = stdtrit(df, 0.975) * error, stdtrit(df, 0.95) * error
    margin = study.settings.smallest_gap
    verdict = np.full(len(table), "undetermined", dtype=object)
    beyond = (np.abs(change) > half) & (np.abs(change) >= margin)
    verdict[(change - half_90 > -margin) & (change + half_90 < margin)] = "stable"
    verdict[beyond] = np.where(change[beyond] > 0, "improved", "declined")
    return table.assign(
        ci_low=change - half,
        ci_high=change + half,
        q_value=[j.q for j in judgements],
        tier=pd.Series([j.tier for j in judgements], index=table.index, dtype=object),
        verdict=verdict,
        judgement=pd.Series(judgements, index=table.index, dtype=object),
    )


def _drafts(
    study: GapStudy, table: pd.DataFrame, moved: pd.DataFrame, readings: Mapping[Change, Readings]
) -> Iterable[Draft]:
    backgrounds: dict[tuple[str, ...], dict[str, None]] = {}
    for *place, background in _tuples(moved, ["instrument", "form", "by", "unit", "background"]):
        backgrounds.setdefault(tuple(place), {})[background] = None
    for row in table_rows(table):
        if row.tier is None or (row.change > 0 and row.tier not in ("established", "likely")):
            continue
        others = backgrounds.get((row.instrument, row.form, row.by, row.unit), {})
        yield gap_draft(
            "change",
            (row.by, row.unit, row.second_wave),
            row.judgement,
            estimate=row.change,
            error=row.error,
            df=row.df,
            n=row.n,
            comparator=sentence("finding.comparator.wave", wave=row.first_wave),
            settings=study.settings,
            about=(row.first_wave, row.instrument, row.form, row.dimension),
            abstentions=tuple(_cautions(row, others, study.settings.smallest_gap)),
            values=(("first_health", float(row.first_health)), ("second_health", float(row.second_health)),
                    ("first_wave", row.first_wave), ("second_wave", row.second_wave),
                    ("wording", "change_worse" if row.change < 0 else "change_better"),
                    *readings.get((row.by, row.unit, row.form, f"{row.instrument}/{row.dimension}"), ())),
            instrument=row.instrument,
            dimension=row.dimension,
            rater=row.rater,
            form=row.form,
        )  # fmt: skip


def _tuples(table: pd.DataFrame, columns: list[str]) -> Iterable[tuple[str, ...]]:
    return zip(*(table[name].to_numpy(dtype=object) for name in columns), strict=True)


def _cautions(row: Any, backgrounds: Iterable[str], margin: float) -> Iterable[str]:
    if row.design == "unpaired":
        yield sentence("finding.abstention.not_linked")
    for background in backgrounds:
        yield sentence("finding.abstention.composition_changed", background=background)
    if row.change > 0 and row.by != WHOLE and row.gap_first <= -margin:
        yield sentence("finding.abstention.regression")


def _moved(study: GapStudy, waves: Waves) -> pd.DataFrame:
    """Background categories whose share of the respondents moved by more than a tenth between the waves."""
    segments = study.segments
    segments = segments[segments["kind"] == "score"]
    keys = ["by", "unit", "instrument", "form", "rater", "wave", "background"]
    # the score that most people have stands for all respondents of its form
    sizes = segments.groupby([*keys, "category"], as_index=False)["n"].max()
    sizes["share"] = sizes["n"] / sizes.groupby(keys)["n"].transform("sum")
    frames = []
    for (instrument, form), (first, second) in waves.items():
        mine = sizes[(sizes["instrument"] == instrument) & (sizes["form"] == form)]
        places = [key for key in keys if key != "wave"]
        earlier, later = (mine[mine["wave"] == wave].drop(columns="wave") for wave in (first, second))
        both = earlier.merge(later, on=[*places, "category"], suffixes=("_first", "_second"))
        frames.append(both.assign(shift=both["share_second"] - both["share_first"], wave=second))
    table = pd.concat(frames, ignore_index=True)
    moved: pd.DataFrame = table[table["shift"].abs() > MOVED].reset_index(drop=True)
    return moved


def _composition_rows(moved: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    for row in table_rows(moved):
        part = f"{row.instrument}:{row.form} {row.background}={row.category}"
        n = int(min(row.n_first, row.n_second))
        place = (row.by, row.unit, row.wave)
        yield place, "composition", part, float(row.shift), np.nan, np.nan, n, "composition changed"


def _standardized(study: GapStudy, moved: pd.DataFrame, waves: Waves) -> Iterable[tuple[Any, ...]]:
    """Change with the newer wave weighted to the make-up of the older one (direct standardization)."""
    places = ["by", "unit", "instrument", "form", "background"]
    for by, unit, instrument, form, background in moved[places].drop_duplicates().itertuples(index=False, name=None):
        first, second = waves[instrument, form]
        rows = study.segments
        rows = rows[(rows["by"] == by) & (rows["unit"] == unit) & (rows["instrument"] == instrument)]
        rows = rows[(rows["form"] == form) & (rows["background"] == background) & (rows["kind"] == "score")]
        for dimension, group in rows.groupby("dimension", sort=True):
            result = _standard(group[group["wave"] == first], group[group["wave"] == second])
            if result is None:
                continue
            value, error, n = result
            low, high = value - 1.96 * error, value + 1.96 * error
            margin = study.settings.smallest_gap
            verdict = "undetermined"
            if low > 0 or high < 0:
                verdict = ("improved" if value > 0 else "declined") if abs(value) >= margin else verdict
            part = f"{instrument}/{dimension} by {background}"
            yield (by, unit, second), "standardized_change", part, value, low, high, n, verdict


def _standard(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, float, int] | None:
    both = first.merge(second, on="category", suffixes=("_a", "_b"))
    if len(both) != len(first) or len(both) != len(second) or (both[["n_a", "n_b"]].to_numpy() < 2).any():
        return None
    weights = (both["n_a"] / both["n_a"].sum()).to_numpy(float)
    means, squares = [], []
    for side in ("_a", "_b"):
        n, total, total_squares = (both[name + side].to_numpy(float) for name in ("n", "total", "total_squares"))
        means.append(total / n)
        squares.append(np.maximum(total_squares - total**2 / n, 0.0) / (n - 1) / n)
    value = float(both["sign_a"].iloc[0] * (weights @ (means[1] - means[0])))
    error = float(np.sqrt(weights**2 @ (squares[0] + squares[1])))
    return value, error, int(both[["n_a", "n_b"]].to_numpy().min())


def _launch_decay(study: GapStudy, waves: Waves) -> tuple[list[Draft], list[tuple[Any, ...]]]:
    """The newest wave against the best earlier one, for the whole organisation."""
    frames = []
    for (instrument, form), names in waves.items():
        for earlier in names[:-1]:
            table = _between(study, {(instrument, form): [earlier, names[-1]]})
            frames.append(table[table["by"] == WHOLE].assign(previous=names[-2]))
    if not frames:
        return [], []
    # every earlier wave is in the family, so that choosing the best one is paid for
    table = _judged(study, _with_pairs(study, pd.concat(frames, ignore_index=True)))
    best = table.sort_values("first_health", kind="stable").groupby(["instrument", "form", "dimension"]).tail(1)
    cynical = _cynicism_rose(study, best)
    drafts, rows = [], []
    for row in table_rows(best.sort_values(["instrument", "form", "dimension"])):
        lost = row.change < 0 and row.tier in ("established", "likely")
        verdict = ("relapse" if cynical else "decayed") if lost else row.verdict
        part = f"{row.instrument}/{row.dimension} since {row.first_wave}"
        place = (row.by, row.unit, row.second_wave)
        rows.append((place, "launch_decay", part, row.change, row.ci_low, row.ci_high, row.n, verdict))
        if lost and row.first_wave != row.previous:
            drafts.append(_decay_draft(study, row))
    return drafts, rows


def _cynicism_rose(study: GapStudy, best: pd.DataFrame) -> bool:
    definition = study.definitions.launch_decay
    names = best["instrument"] + "/" + best["dimension"]
    mine = best[names.isin(definition.cynicism) & best["rater"].isin(definition.raters)]
    return bool(((mine["change"] < 0) & mine["tier"].isin(["established", "likely"])).any())


def _decay_draft(study: GapStudy, row: Any) -> Draft:
    judgement: Judgement = row.judgement
    return gap_draft(
        "change",
        (row.by, row.unit, row.second_wave),
        judgement,
        estimate=row.change,
        error=row.error,
        df=row.df,
        n=row.n,
        comparator=sentence("finding.comparator.best_wave", wave=row.first_wave),
        settings=study.settings,
        about=("best", row.instrument, row.form, row.dimension),
        values=(("first_health", float(row.first_health)), ("second_health", float(row.second_health)),
                ("first_wave", row.first_wave), ("second_wave", row.second_wave), ("wording", "change_decay")),
        instrument=row.instrument,
        dimension=row.dimension,
        rater=row.rater,
        form=row.form,
    )  # fmt: skip


def _not_linked(table: pd.DataFrame) -> Iterable[NotMeasured]:
    if len(table) and not (table["design"] == "paired").any():
        yield NotMeasured.told(GAP, "NOT_LINKED", "changes_linked")
