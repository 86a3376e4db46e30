"""The door: drafts and cells in, only what may be shown out, as the published diagnosis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.cells import current_waves
from servicediag.diagnosis.draft import Draft, Titles
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import PublishedDiagnosis
from servicediag.diagnosis.ranking import ranked
from servicediag.diagnosis.row_keys import RowKeys, having
from servicediag.diagnosis.scale_use import language_notes
from servicediag.diagnosis.sentences import method_statements
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import wilson
from servicediag.diagnosis.summary import summarise
from servicediag.diagnosis.targets import Targets
from servicediag.wording.telling import sentence

__all__ = ["publish"]

EVIDENCE_COLUMNS = [
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "title", "direction_of_scale", "n", "mean", "sd",
    "ci_low", "ci_high", "health", "gap", "gap_low", "gap_high", "shrunk_gap", "q_value", "q_minimum_effect",
    "minimum_detectable_gap", "tier", "severity", "direction", "icc1", "icc2", "equivalence", "target", "target_gap",
    "target_gap_low", "target_gap_high", "target_equivalence", "rank_low", "rank_high", "p_worst_fifth", "n_clusters",
    "design_effect", "invited", "response_rate", "gap_bound_low", "gap_bound_high", "survives_nonresponse",
]  # fmt: skip
ITEM_COLUMNS = [
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "item", "text", "n", "mean", "health", "ci_low",
    "ci_high", "scored",
]  # fmt: skip
INDICATOR_COLUMNS = [
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "indicator", "title", "n", "count", "share",
    "ci_low", "ci_high",
]  # fmt: skip
MOST_WITHHELD = 5_000
"""With more rows than this the units are not named one by one."""
WITHHELD_COLUMNS = ["by", "unit", "rater", "form", "wave", "instrument", "dimension", "measure", "rule"]


def publish(
    drafts: Iterable[Draft],
    evidence: Evidence,
    cells: pd.DataFrame,
    readiness: pd.DataFrame,
    reliability: pd.DataFrame,
    settings: Settings,
    targets: Targets,
    tables: Mapping[str, pd.DataFrame],
) -> PublishedDiagnosis:
    """Let through what the privacy rules permit, ranked; everything else is named in ``withheld`` without its size."""
    shown = _Shown(cells)
    # records of few cases were left out when they were read
    permitted = [d for d in drafts if d.finding.n >= settings.minimum_group or d.finding.kind == "operations"]
    findings = tuple(ranked(permitted, settings))
    not_measured = tables.get("not_measured", pd.DataFrame())
    named: dict[str, Any] = {name: _named(table) for name, table in tables.items()}
    return PublishedDiagnosis(
        findings=findings,
        evidence=_evidence_frame(shown, evidence),
        items=_item_frame(shown, evidence),
        indicators=_indicator_frame(shown, evidence),
        readiness=_named(readiness),
        withheld=_withheld_frame(cells),
        reliability=_named(_visible_reliability(reliability, settings)),
        study=_study(evidence, settings),
        method=_method(settings, targets),
        summary=summarise(findings, cells, not_measured, Titles(evidence)),
        **named,
    )


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The inside name of the whole organisation, and of no wave, become None."""
    # only whole columns are put in place of others, so that the rest need not be copied
    out = frame.reset_index(drop=True)
    for column in {"by", "unit", "wave"} & set(out.columns):
        values = out[column].to_numpy(dtype=object, copy=True)
        values[values == WHOLE] = None
        out[column] = pd.Series(values, index=out.index, dtype=object)
    return out


class _Shown:
    """Cells that may be shown, of which each table takes some rows and columns; there may be very many."""

    def __init__(self, cells: pd.DataFrame) -> None:
        self._cells = cells
        self._kinds = cells["kind"].to_numpy(dtype=object)
        self._open = having(cells, hidden="")

    def of(self, kind: str, columns: Sequence[str], **renamed: str) -> pd.DataFrame:
        """Rows of a kind, with those of the columns that the cells have, under their new names."""
        old = {new: name for name, new in renamed.items()}
        names = [old.get(name, name) for name in columns if old.get(name, name) in self._cells.columns]
        found: pd.DataFrame = self._cells.loc[self._open & (self._kinds == kind), names].rename(columns=renamed)
        return found


def _evidence_frame(shown: _Shown, evidence: Evidence) -> pd.DataFrame:
    scores = shown.of("score", EVIDENCE_COLUMNS)
    titles = Titles(evidence)
    about = RowKeys.of(scores, ["instrument", "dimension"])
    scores["title"] = pd.Series(about.each(lambda key: titles.dimension(*key)), index=scores.index, dtype=object)
    scores["direction_of_scale"] = about.each(lambda key: evidence.instruments[key[0]].dimension(key[1]).direction)
    return _named(scores[EVIDENCE_COLUMNS])


def _item_frame(shown: _Shown, evidence: Evidence) -> pd.DataFrame:
    items = shown.of("item", ITEM_COLUMNS, name="item")
    titles = Titles(evidence)
    about = RowKeys.of(items, ["instrument", "item", "form"])
    items = items.assign(
        text=pd.Series(about.each(lambda key: titles.item(*key)), index=items.index, dtype=object),
        scored=about.each(lambda key: evidence.instruments[key[0]].item(key[1]).in_score, bool),
    )
    return _named(items[ITEM_COLUMNS])


def _indicator_frame(shown: _Shown, evidence: Evidence) -> pd.DataFrame:
    found = shown.of("indicator", [*INDICATOR_COLUMNS, "n_worth"], name="indicator", total="count")
    # few combinations of count and n occur
    sizes = RowKeys.of(found, ["count", "n", "n_worth"])
    limits = np.array([wilson(count / n * worth, worth) for count, n, worth in sizes.keys], dtype=float)
    limits = limits.reshape(-1, 2)[sizes.codes]
    about = RowKeys.of(found, ["instrument", "dimension", "indicator"])
    names = Titles(evidence)
    titles = about.each(lambda key: _indicator_title(names, *key))
    found = found.assign(
        share=found["count"] / found["n"],
        ci_low=limits[:, 0],
        ci_high=limits[:, 1],
        title=pd.Series(titles, index=found.index, dtype=object),
    )
    found["count"] = found["count"].astype(np.int64)
    return _named(found[INDICATOR_COLUMNS])


def _indicator_title(titles: Titles, instrument: str, dimension: str, name: str) -> str:
    title = titles.dimension(instrument, dimension) if dimension else ""
    for kind in ("severe_incidence", "incidence"):
        if name.endswith(f"_{kind}"):
            return sentence(f"finding.indicator.{kind}", title=title)
    if name.startswith("blocked_only_by_"):
        return sentence("finding.indicator.blocked_only_by", title=title)
    if name.startswith("quadrant_"):
        return sentence(f"finding.indicator.{name}")
    return sentence("finding.indicator.three_or_more") if name == "three_or_more_incident" else name


def _withheld_frame(cells: pd.DataFrame) -> pd.DataFrame:
    """Hidden scores, and hidden items and indicators whose score is shown, each with its rule.

    ``measure`` is empty for a score, else the item code or the indicator's name. Very many are told by grouping only,
    without a unit.
    """
    hidden = cells[~having(cells, hidden="")].rename(columns={"hidden": "rule", "name": "measure"})
    place = ["by", "unit", "form", "wave", "instrument", "dimension"]
    scores = set(hidden.loc[hidden["kind"] == "score", place].itertuples(index=False, name=None))
    extra = np.array([key not in scores for key in hidden[place].itertuples(index=False, name=None)], dtype=bool)
    told = hidden[(hidden["kind"] == "score") | (extra & hidden["rule"].isin(["unanimity", "ledger"]))]
    told = told[WITHHELD_COLUMNS]
    if len(told) > MOST_WITHHELD:
        told = told.assign(unit=WHOLE).drop_duplicates()
    return _named(told)


def _visible_reliability(reliability: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    return reliability[reliability["n_respondents"] >= settings.minimum_group].drop(columns="reflective")


def _study(evidence: Evidence, settings: Settings) -> dict[str, Any]:
    parts, titles = [], Titles(evidence)
    for (instrument, form, wave), n in evidence.n_respondents.items():
        value = evidence.instruments[instrument]
        parts.append(
            {
                "instrument": instrument,
                "title": titles.instrument(instrument),
                "version": value.version,
                "status": _status(value.status),
                "form": form,
                "rater": value.form(form).rater,
                "wave": None if wave == WHOLE else wave,
                "n_respondents": n if n >= settings.minimum_group else None,
            }
        )
    units = Counter(by for by, _ in sorted(_places(evidence.cells)) if by != WHOLE)
    notes = [*evidence.notes, *_wave_notes(evidence), *language_notes(evidence)]
    sources: Sequence[str] = [line for value in evidence.instruments.values() for line in value.sources]
    return {
        "parts": tuple(parts),
        "groupings": evidence.groupings,
        "n_units": {str(by): count for by, count in units.items()},
        "notes": tuple(notes),
        "sources": tuple(dict.fromkeys(sources)),
    }


def _places(cells: pd.DataFrame) -> set[tuple[str, str]]:
    """Grouping and unit of every row; where rows of a place follow one another, only the first is looked at."""
    by, unit = (cells[name].to_numpy(dtype=object) for name in ("by", "unit"))
    begins = np.ones(len(cells), dtype=bool)
    begins[1:] = (by[1:] != by[:-1]) | (unit[1:] != unit[:-1])
    return set(zip(by[begins], unit[begins], strict=True))


def _status(status: str) -> str:
    known = sentence("finding.status.not_yet_validated")
    return known if status == known else status


def _wave_notes(evidence: Evidence) -> Iterable[str]:
    newest = current_waves(evidence)
    waves = sorted({wave for *_, wave in evidence.n_respondents if wave != WHOLE})
    if len(waves) > 1:
        latest = ", ".join(sorted({wave for wave in newest.values() if wave != WHOLE}))
        yield sentence("finding.note.newest_wave", waves=", ".join(waves), latest=latest)


def _method(settings: Settings, targets: Targets) -> dict[str, Any]:
    return {
        "smallest_gap": settings.smallest_gap,
        "minimum_effect": settings.minimum_effect,
        "minimum_group": settings.minimum_group,
        **({"privacy_override": settings.privacy_override} if settings.privacy_override else {}),
        "population": settings.population,
        "targets": targets.origin,
        **({"target_files": dict(targets.files)} if targets.files else {}),
        "low_level": settings.low_level,
        "good_level": settings.good_level,
        "share_criterion": settings.share_criterion,
        "bottleneck_probability": settings.bottleneck_probability,
        "seed": settings.seed,
        "rule_files": dict(settings.rule_files),
        "statements": method_statements(settings),
    }
