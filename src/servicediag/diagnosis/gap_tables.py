"""Published tables that need no judgement: answers by option, and scores by background."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from servicediag.diagnosis.evidence import WHOLE
from servicediag.diagnosis.gap_study import GapReport, GapStudy
from servicediag.diagnosis.model import ANSWER_COLUMNS, SEGMENT_COLUMNS
from servicediag.diagnosis.ranges import UNANIMITY_BELOW
from servicediag.diagnosis.row_keys import RowKeys, having

__all__ = ["plain_tables"]

MOST_ANSWER_ROWS = 200_000
"""Beyond this many rows only the whole organisation's answers are listed by option."""


def plain_tables(study: GapStudy) -> GapReport:
    """Answers and segments as they may be published."""
    return GapReport(tables={"answers": _answers(study), "segments": _segments(study)})


def _answers(study: GapStudy) -> pd.DataFrame:
    """A row an option of every item, for groups too large for an answer to tell about single people."""
    cells = study.cells
    mine = having(cells, kind="item", hidden="") & (cells["n"].to_numpy() >= UNANIMITY_BELOW)
    items = cells.loc[mine, ["by", "unit", "rater", "form", "wave", "instrument", "dimension", "name", "n"]]
    # groups of two groupings overlap in few people, whose answers would follow from two distributions
    items = items[items["by"].isin([WHOLE, *study.evidence.groupings[:1]])]
    # groups of which an earlier release tells too much are without counts
    items = items[study.counts(items).sum(axis=1) > 0]
    about = RowKeys.of(items, ["instrument", "form", "name"])
    forms = [_options(study, *key) for key in about.keys]
    if np.bincount(about.codes, minlength=len(forms)) @ [len(codes) for codes, _ in forms] > MOST_ANSWER_ROWS:
        of_whole = having(items, by=WHOLE)
        items, about = items[of_whole], about.at(of_whole)
    options = [forms[code] for code in about.codes.tolist()]
    widths = np.array([len(codes) for codes, _ in options], dtype=int)
    repeated = items.loc[items.index.repeat(widths)].rename(columns={"name": "item"})
    counts = study.counts(items)
    shares = [row[: len(codes)] / row.sum() for row, (codes, _) in zip(counts, options, strict=True)]
    repeated = repeated.assign(
        code=np.concatenate([codes for codes, _ in options]) if options else [],
        label=pd.Series([label for _, labels in options for label in labels], index=repeated.index, dtype=object),
        share=np.concatenate(shares) if shares else [],
    )
    table: pd.DataFrame = repeated[list(ANSWER_COLUMNS)].reset_index(drop=True)
    return table


def _options(study: GapStudy, instrument: str, form: str, code: str) -> tuple[np.ndarray, list[str]]:
    """Codes from the lowest to the highest, and their labels; a code without a label has an empty one."""
    labels = study.titles.options(instrument, code, form)
    codes = np.arange(min(labels), max(labels) + 1)
    return codes, [labels.get(int(one), "") for one in codes]


def _segments(study: GapStudy) -> pd.DataFrame:
    rows = study.segments
    rows = rows[rows["kind"] == "score"]
    n, total, squares = (rows[name].to_numpy(float) for name in ("n", "total", "total_squares"))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        error = np.sqrt(np.maximum(squares - n * mean**2, 0.0) / (n - 1) / n)
    half = stdtrit(np.maximum(n - 1, 1), 0.975) * error
    health = np.where(rows["sign"].to_numpy(float) > 0, mean, 100 - mean)
    table = rows.assign(mean=mean, health=health, ci_low=mean - half, ci_high=mean + half)
    return table[list(SEGMENT_COLUMNS)].reset_index(drop=True)
