"""How far the people of a group agree: spread, average deviation, r_wg(j), and units that disagree more than most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from servicediag.diagnosis.cells import index_part
from servicediag.diagnosis.draft import Draft
from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.gap_study import GapReport, GapStudy, Judgement, NotMeasured, gap_draft, index_rows
from servicediag.diagnosis.group_tables import N_CATEGORIES
from servicediag.diagnosis.levels import level_verdict
from servicediag.diagnosis.model import AGREEMENT_COLUMNS
from servicediag.diagnosis.row_keys import RowKeys, combinations_of, having
from servicediag.diagnosis.statistics import benjamini_hochberg
from servicediag.diagnosis.tiers import NOT_APPLICABLE, tiers_of
from servicediag.psychometrics.null_distributions import null_distribution
from servicediag.results import table_rows
from servicediag.wording.telling import figure, sentence

__all__ = ["agreement_gaps", "average_deviation", "maximum_spread"]

ROWS_AT_ONCE = 8_192
"""As many as stay in the cache with what is worked out of them."""
RWG_FROM = 10
"""Fewest people from which r_wg(j) is given."""
PLACE = ["by", "unit", "instrument", "form", "wave", "dimension"]
SCORE_COLUMNS = [*PLACE, "rater", "n", "mean", "sd", "health", "error"]
DESCRIPTIVE = sentence("finding.abstention.dispersion")


def average_deviation(counts: np.ndarray) -> np.ndarray:
    """Mean absolute deviation from the mean, in steps of the response scale (Burke, Finkelstein and Dusig, 1999).

    Parameters
    ----------
    counts : array, shape (..., n_options)
        How many chose each option.

    Examples
    --------
    The answers 4, 4, 5, 3, 4, 2 have mean 3.667.

    >>> average_deviation(np.array([0, 1, 1, 3, 1])).round(3).item()
    0.778
    """
    n = counts.sum(axis=-1)
    steps = np.arange(counts.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = counts @ steps / n
        return np.asarray((counts * np.abs(steps - np.expand_dims(mean, -1))).sum(axis=-1) / n)


def maximum_spread(mean: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Largest standard deviation (n - 1) that n scores between 0 and 100 with that mean can have.

    Examples
    --------
    Half of ten people at 0 and half at 100:

    >>> maximum_spread(np.array([50.0]), np.array([10])).round(2).tolist()
    [52.7]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.maximum(mean * (100 - mean), 0.0) * n / (n - 1)))


def agreement_gaps(study: GapStudy) -> GapReport:
    """Agreement of every group on every score, and units whose people disagree more than elsewhere."""
    table = _table(study)
    return GapReport(
        drafts=tuple(_findings(study, table)),
        tables={
            "agreement": table[list(AGREEMENT_COLUMNS)].reset_index(drop=True),
            "indexes": index_rows(_explained(study)),
        },
        not_measured=tuple(_not_measured(study, table)),
    )


def _table(study: GapStudy) -> pd.DataFrame:
    groups = np.zeros(len(study.evidence.cells), dtype=np.int64)
    groups[study.cells.index] = combinations_of(study.cells, PLACE)
    scores = study.shown_scores
    scores = scores.loc[~index_part(scores) & (scores["n"] > 1).to_numpy(), SCORE_COLUMNS]
    scores = scores.set_axis(groups[scores.index]).join(_items(study, groups))
    n = scores["n"].to_numpy(float)
    limit = maximum_spread(scores["mean"].to_numpy(float), n)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(limit > 0, scores["sd"] / limit, np.nan)
    scores = scores.assign(sd_share_of_maximum=share)
    enough = n >= RWG_FROM
    for name in ("uniform", "skewed"):
        scores[f"rwg_{name}"] = np.where(enough, _rwg(scores[f"ratio_{name}"], scores["n_items"]), np.nan)
    return scores.assign(verdict=_verdicts(study, scores)).reset_index(drop=True)


def _explained(study: GapStudy) -> Iterable[tuple[Any, ...]]:
    """Share of the differences between people that lies between the groups of a background field (eta squared)."""
    rows = study.segments[study.segments["kind"] == "score"]
    if rows.empty:
        return
    current = study.cells.loc[study.cells["current"], ["instrument", "form", "wave"]].drop_duplicates()
    rows = rows.merge(current, on=["instrument", "form", "wave"])
    keys = ["by", "unit", "wave", "instrument", "form", "dimension", "background"]
    for key, group in rows.groupby(keys, sort=True):
        by, unit, wave, instrument, form, dimension, background = map(str, key)
        n, total, squares = (group[name].to_numpy(float) for name in ("n", "total", "total_squares"))
        mean = total.sum() / n.sum()
        whole = squares.sum() - n.sum() * mean**2
        within = squares - total**2 / n
        df, df_within = len(n) - 1, int(n.sum()) - len(n)
        if df < 1 or df_within < 1 or not within.sum() > 0:
            continue
        between = whole - within.sum()
        p = float(fdtrc(df, df_within, (between / df) / (within.sum() / df_within)))
        part = f"{instrument}/{dimension} ({form}) by {background}"
        share = float(between / whole)
        verdict = "groups differ" if p <= study.settings.established_error_rate else "undetermined"
        yield (by, unit, wave), "variance_explained", part, share, np.nan, np.nan, int(n.sum()), verdict


def _items(study: GapStudy, groups: np.ndarray) -> pd.DataFrame:
    """Per group and dimension whose items may all be shown: average deviation and variances against two nulls.

    ``groups`` numbers the groups and dimensions of the evidence's cells; so does the index of the table.
    """
    cells = study.cells
    mine = having(cells, kind="item") & cells["current"].to_numpy()
    items = cells.loc[mine, ["instrument", "form", "name", "n", "sd", "hidden"]]
    counts = study.counts(items)
    about = RowKeys.of(items, ["instrument", "form", "name"])
    facts = np.array([_facts(study, *key) for key in about.keys], dtype=float).reshape(-1, 4)
    known = facts[about.codes]
    inside = (counts.sum(axis=1) > 0) & (known[:, 0] > 0)
    if not inside.all():
        items, counts, known = items[inside], counts[inside], known[inside]
    items = items.assign(**dict(zip(("options", "uniform", "skewed"), known[:, 1:].T, strict=True)))
    n = items["n"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = (items["options"].to_numpy() - 1) / 100
        variance = (items["sd"].to_numpy(float) * steps) ** 2
        items = items.assign(
            average_deviation=_in_parts(average_deviation, counts),
            ratio_uniform=variance / items["uniform"],
            ratio_skewed=variance / items["skewed"],
            shown=(having(items, hidden="") & (n > 1)).astype(float),
            limit=items["options"] / 6,
        )
    grouped = items.groupby(groups[items.index], sort=False)
    columns = ["average_deviation", "ratio_uniform", "ratio_skewed", "limit"]
    table = grouped[columns].mean().assign(n_items=grouped.size(), shown=grouped["shown"].min())
    shown: pd.DataFrame = table[table["shown"] > 0].drop(columns="shown")
    return shown


def _in_parts(of_rows: Callable[[np.ndarray], np.ndarray], table: np.ndarray) -> np.ndarray:
    """What a function of rows gives, asked for few of them at a time."""
    begins = range(0, max(len(table), 1), ROWS_AT_ONCE)
    return np.concatenate([of_rows(table[begin : begin + ROWS_AT_ONCE]) for begin in begins])


def _facts(study: GapStudy, instrument: str, form: str, code: str) -> tuple[float, float, float, float]:
    """Whether an item counts, its number of options, and the variances of answers without agreement."""
    source = study.evidence.instruments[instrument]
    scale = source.scale(code, form)
    options = scale.maximum - scale.minimum + 1
    if not source.item(code).in_score or options > N_CATEGORIES:
        return 0.0, float(options), np.nan, np.nan
    uniform = (options**2 - 1) / 12
    try:
        skewed = null_distribution("slight_skew", scale=(scale.minimum, scale.maximum)).variance
    except ValueError:
        skewed = np.nan
    return 1.0, float(options), uniform, float(skewed)


def _rwg(ratio: pd.Series, n_items: pd.Series) -> np.ndarray:
    """r_wg(j) of J items whose mean variance is that share of the null's (James, Demaree and Wolf, 1984)."""
    agreed = n_items * (1 - ratio)
    return np.where(ratio >= 1, np.where(ratio.isna(), np.nan, 0.0), agreed / (agreed + ratio))


def _verdicts(study: GapStudy, scores: pd.DataFrame) -> np.ndarray:
    """Strong where the average deviation is below a sixth of the options, with the level where that is clear."""
    references = (scores["instrument"] + "/" + scores["dimension"]).to_numpy()
    borders = {reference: study.border([reference]) for reference in set(references)}
    limits = np.array([borders[r] for r in references], dtype=float).reshape(-1, 2)
    df = np.maximum(scores["n"].to_numpy(float) - 1, 1)
    level = level_verdict(
        scores["health"].to_numpy(float), scores["error"].to_numpy(float), df, limits[:, 0], limits[:, 1]
    )
    deviation = scores["average_deviation"].to_numpy(float)
    agreed = np.where(deviation < scores["limit"].to_numpy(float), "strong", "weak").astype(object)
    words = np.where(np.isin(level, ["low", "high"]), agreed + "_" + level.astype(object), agreed)
    words = np.where(scores["sd"].to_numpy(float) > 0, words, "no variance")
    return np.where(np.isnan(deviation), "", words)


def _findings(study: GapStudy, table: pd.DataFrame) -> Iterable[Draft]:
    """Units whose spread exceeds that of the other shown units by the smallest gap, where agreement is weak too."""
    settings = study.settings
    units = table[(table["by"] != WHOLE) & (table["n"] >= settings.established_n)].reset_index(drop=True)
    if units.empty:
        return
    keys = ["by", "instrument", "form", "wave", "dimension"]
    df = units["n"].to_numpy(float) - 1
    squares = units["sd"].to_numpy(float) ** 2 * df
    group = units.groupby(keys, sort=False)
    rest_df = group["n"].transform("sum").to_numpy(float) - group["n"].transform("size").to_numpy(float) - df
    rest = pd.Series(squares).groupby([units[k] for k in keys], sort=False).transform("sum").to_numpy() - squares
    with np.errstate(invalid="ignore", divide="ignore"):
        elsewhere = np.sqrt(rest / rest_df)
        difference = units["sd"].to_numpy(float) - elsewhere
        p = {m: _tail(units["sd"].to_numpy(float), elsewhere + m, df, rest_df) for m in (0.0, settings.minimum_effect)}
    q, q_minimum = (benjamini_hochberg(values) for values in p.values())
    trust = _trust(study, units)
    tiers, unreliable = tiers_of(q, q_minimum, difference, difference, units["n"].to_numpy(float), trust, settings)
    weak = np.array([verdict.startswith("weak") for verdict in units["verdict"].to_numpy(dtype=object)])
    told = np.flatnonzero(weak & (difference > 0) & ~np.isnan(q) & np.isin(tiers, ["established", "likely"]))
    for position, row in zip(told, table_rows(units.iloc[told]), strict=True):
        size = float(difference[position])
        # the standard error of a standard deviation, twice its variance for tails heavier than the normal's
        error = float(np.sqrt(row.sd**2 / df[position] + elsewhere[position] ** 2 / rest_df[position]))
        yield gap_draft(
            "dispersion",
            (row.by, row.unit, row.wave),
            Judgement(float(q[position]), float(q_minimum[position]), tiers[position], bool(unreliable[position])),
            estimate=-size,
            error=error,
            df=float(df[position]),
            n=row.n,
            comparator=sentence("finding.comparator.spread"),
            settings=settings,
            about=(row.instrument, row.form, row.dimension),
            abstentions=(DESCRIPTIVE,),
            values=(("sd", float(row.sd)),
                    ("average_deviation", figure(row.average_deviation, ".2f"))),
            instrument=row.instrument,
            dimension=row.dimension,
            rater=row.rater,
            form=row.form,
        )  # fmt: skip


def _not_measured(study: GapStudy, table: pd.DataFrame) -> Iterable[NotMeasured]:
    """Why no unit could be compared with the others, where there are units."""
    units = table[table["by"] != WHOLE]
    enough = units[units["n"] >= study.settings.established_n]
    if units.empty:
        return
    if enough.empty:
        yield NotMeasured.told("dispersion", "TOO_FEW", "dispersion_few", people=study.settings.established_n)
    elif not (enough["sd"] > 0).any():
        yield NotMeasured.told("dispersion", "NO_VARIANCE", "dispersion_alike")


def _trust(study: GapStudy, units: pd.DataFrame) -> np.ndarray:
    """Reliability of the scale of each row, ``NOT_APPLICABLE`` where there is none."""
    keys = zip(*(units[name].to_numpy(dtype=object) for name in ("instrument", "form", "wave", "dimension")),
               strict=True)  # fmt: skip
    found = [study.trust.get(key) for key in keys]
    return np.array([NOT_APPLICABLE if value is None else value for value in found], dtype=float)


def _tail(sd: np.ndarray, border: np.ndarray, df: np.ndarray, rest_df: np.ndarray) -> np.ndarray:
    """One-sided p of "the spread is no larger than the border", with half the degrees of freedom.

    The variance of a variance grows with the kurtosis: half the degrees of freedom hold the error rate for tails up to
    a kurtosis of 5 (Box, 1953).
    """
    return np.asarray(fdtrc(df / 2, rest_df / 2, (sd / border) ** 2))
