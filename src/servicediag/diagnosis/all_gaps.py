"""Every gap of a study, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from servicediag.diagnosis.agreement import agreement_gaps
from servicediag.diagnosis.attribution import attribution_gaps
from servicediag.diagnosis.changes import change_gaps
from servicediag.diagnosis.comparisons import comparison_gaps
from servicediag.diagnosis.confidence import confidence_gaps
from servicediag.diagnosis.early_warning import negative_cycle, silent_loss_gaps
from servicediag.diagnosis.gap_study import GapReport, GapStudy
from servicediag.diagnosis.gap_tables import plain_tables
from servicediag.diagnosis.level_targets import target_gaps
from servicediag.diagnosis.model import NOT_MEASURED_COLUMNS
from servicediag.diagnosis.operations_gaps import operations_gaps
from servicediag.diagnosis.promises import promise_gaps
from servicediag.diagnosis.readiness_index import readiness_gaps
from servicediag.diagnosis.tenure import tenure_gaps
from servicediag.diagnosis.two_sides import internal_external_gaps, say_do_gaps, stage_gaps

__all__ = ["all_gaps"]

GAPS: tuple[Callable[[GapStudy], GapReport], ...] = (
    target_gaps,
    comparison_gaps,
    confidence_gaps,
    readiness_gaps,
    attribution_gaps,
    promise_gaps,
    internal_external_gaps,
    change_gaps,
    agreement_gaps,
    say_do_gaps,
    stage_gaps,
    tenure_gaps,
    silent_loss_gaps,
    operations_gaps,
    negative_cycle,
    plain_tables,
)


def all_gaps(study: GapStudy) -> GapReport:
    """Drafts of all gaps, the rows of every table put together, and what could not be judged.

    The table ``not_measured`` lists the latter; every other table is named as the attribute of the diagnosis.
    """
    reports = [gap(study) for gap in GAPS]
    minimum = study.settings.minimum_group
    parts: dict[str, list[pd.DataFrame]] = {}
    for report in reports:
        for name, table in report.tables.items():
            parts.setdefault(name, []).append(_sized(table, minimum))
    tables = {name: _together(frames) for name, frames in parts.items()}
    missing = tuple(one for report in reports for one in report.not_measured)
    rows = [(one.gap, one.code, one.what, one.settled_by) for one in missing]
    tables["not_measured"] = pd.DataFrame(rows, columns=list(NOT_MEASURED_COLUMNS), dtype=object)
    drafts = tuple(draft for report in reports for draft in report.drafts)
    return GapReport(drafts, tables, missing)


def _sized(table: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """Rows whose own number of respondents reaches the minimum."""
    if "n" not in table.columns:
        return table
    return table[table["n"] >= minimum]


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0].reset_index(drop=True)
