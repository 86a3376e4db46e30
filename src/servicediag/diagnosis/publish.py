"""The door: drafts and cells in, only what may be shown out, as the published diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.cells import current_waves
from servicediag.diagnosis.draft import Draft, Titles
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.diagnosis.sentences import method_statements
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import wilson
from servicediag.diagnosis.targets import Targets
from servicediag.results import table_rows

__all__ = ["publish"]

TIER_ORDER = ("established", "likely", "watch", "abstained")
SEVERITY_ORDER = ("critical", "major", "minor", "none")
EVIDENCE_COLUMNS = [
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "title", "direction_of_scale", "n", "mean", "sd",
    "ci_low", "ci_high", "health", "gap", "gap_low", "gap_high", "shrunk_gap", "q_value", "q_minimum_effect",
    "minimum_detectable_gap", "tier", "severity", "direction", "icc1", "icc2",
]  # fmt: skip
ITEM_COLUMNS = [
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "item", "text", "n", "mean", "health", "ci_low",
    "ci_high", "scored",
]  # fmt: skip
INDICATOR_COLUMNS = [
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "indicator", "title", "n", "count", "share",
    "ci_low", "ci_high",
]  # fmt: skip
WITHHELD_COLUMNS = ["by", "unit", "rater", "form", "wave", "instrument", "dimension", "measure", "rule"]


def publish(
    drafts: Iterable[Draft],
    evidence: Evidence,
    cells: pd.DataFrame,
    readiness: pd.DataFrame,
    reliability: pd.DataFrame,
    settings: Settings,
    targets: Targets,
) -> Diagnosis:
    """Let through what the privacy rules permit, ranked; everything else is named in ``withheld`` without its size."""
    shown = cells[cells["hidden"] == ""]
    permitted = [draft for draft in drafts if draft.finding.n >= settings.minimum_group]
    return Diagnosis(
        findings=tuple(draft.finding for draft in sorted(permitted, key=_rank)),
        evidence=_evidence_frame(shown, evidence),
        items=_item_frame(shown, evidence),
        indicators=_indicator_frame(shown, evidence),
        readiness=_named(readiness),
        withheld=_withheld_frame(cells),
        reliability=_named(_visible_reliability(reliability, settings)),
        study=_study(evidence, cells, settings),
        method=_method(settings, targets),
    )


def _rank(draft: Draft) -> tuple[Any, ...]:
    finding: Finding = draft.finding
    sure = finding.tier in ("established", "likely") and finding.direction == "worse"
    return (
        not finding.is_trouble,
        0 if sure else TIER_ORDER.index(finding.tier),
        -round(draft.loss, 6),
        TIER_ORDER.index(finding.tier),
        SEVERITY_ORDER.index(finding.severity),
        finding.id,
    )


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The inside name of the whole organisation, and of no wave, become None."""
    out = frame.copy()
    for column in {"by", "unit", "wave"} & set(out.columns):
        values = [None if value == WHOLE else value for value in out[column]]
        out[column] = pd.Series(values, index=out.index, dtype=object)
    return out.reset_index(drop=True)


def _evidence_frame(shown: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    scores = shown[shown["kind"] == "score"].copy()
    titles = Titles(evidence)
    places = list(zip(scores["instrument"], scores["dimension"], strict=True))
    scores["title"] = [titles.dimension(i, d) for i, d in places]
    scores["direction_of_scale"] = [evidence.instruments[i].dimension(d).direction for i, d in places]
    return _named(scores[EVIDENCE_COLUMNS])


def _item_frame(shown: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    items = shown[shown["kind"] == "item"].rename(columns={"name": "item"})
    titles = Titles(evidence)
    keys = list(zip(items["instrument"], items["item"], items["form"], strict=True))
    texts = {key: titles.item(*key) for key in set(keys)}
    scored = {key: evidence.instruments[key[0]].item(key[1]).in_score for key in texts}
    items = items.assign(text=[texts[key] for key in keys], scored=[scored[key] for key in keys])
    return _named(items[ITEM_COLUMNS])


def _indicator_frame(shown: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    found = shown[shown["kind"] == "indicator"].rename(columns={"name": "indicator", "total": "count"})
    limits = [wilson(c, n) for c, n in zip(found["count"], found["n"], strict=True)]
    found = found.assign(
        share=found["count"] / found["n"],
        ci_low=[low for low, _ in limits],
        ci_high=[high for _, high in limits],
        title=[_indicator_title(evidence, r.instrument, r.dimension, r.indicator) for r in table_rows(found)],
    )
    found["count"] = found["count"].astype(np.int64)
    return _named(found[INDICATOR_COLUMNS])


def _indicator_title(evidence: Evidence, instrument: str, dimension: str, name: str) -> str:
    title = evidence.instruments[instrument].dimension(dimension).title if dimension else ""
    if name.endswith("_severe_incidence"):
        return f"{title}: met often"
    if name.endswith("_incidence"):
        return f"{title}: met sometimes or more"
    if name.startswith("blocked_only_by_"):
        return f"Held back by '{title}' alone"
    if name.startswith("quadrant_"):
        return f"Confidence and capability: {name.removeprefix('quadrant_').replace('_', '-')}"
    return "Three or more kinds of behaviour met" if name == "three_or_more_incident" else name


def _withheld_frame(cells: pd.DataFrame) -> pd.DataFrame:
    """Hidden scores, and hidden items and indicators whose score is shown, each with its rule.

    ``measure`` is empty for a score, else the item code or the indicator's name.
    """
    hidden = cells[cells["hidden"] != ""].rename(columns={"hidden": "rule", "name": "measure"})
    place = ["by", "unit", "form", "wave", "instrument", "dimension"]
    scores = set(hidden.loc[hidden["kind"] == "score", place].itertuples(index=False, name=None))
    extra = np.array([key not in scores for key in hidden[place].itertuples(index=False, name=None)], dtype=bool)
    return _named(hidden[(hidden["kind"] == "score") | (extra & (hidden["rule"] == "unanimity"))][WITHHELD_COLUMNS])


def _visible_reliability(reliability: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    return reliability[reliability["n_respondents"] >= settings.minimum_group].drop(columns="reflective")


def _study(evidence: Evidence, cells: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    parts = []
    for (instrument, form, wave), n in evidence.n_respondents.items():
        value = evidence.instruments[instrument]
        parts.append(
            {
                "instrument": instrument,
                "title": value.title,
                "version": value.version,
                "status": value.status,
                "form": form,
                "rater": value.form(form).rater,
                "wave": None if wave == WHOLE else wave,
                "n_respondents": n if n >= settings.minimum_group else None,
            }
        )
    units = cells[cells["by"] != WHOLE].groupby("by")["unit"].nunique()
    notes = [*evidence.notes, *_wave_notes(evidence)]
    sources: Sequence[str] = [line for value in evidence.instruments.values() for line in value.sources]
    return {
        "parts": tuple(parts),
        "groupings": evidence.groupings,
        "n_units": {str(by): int(count) for by, count in units.items()},
        "notes": tuple(notes),
        "sources": tuple(dict.fromkeys(sources)),
    }


def _wave_notes(evidence: Evidence) -> Iterable[str]:
    newest = current_waves(evidence)
    waves = sorted({wave for *_, wave in evidence.n_respondents if wave != WHOLE})
    if len(waves) > 1:
        latest = ", ".join(sorted({wave for wave in newest.values() if wave != WHOLE}))
        yield f"Of the waves {', '.join(waves)} the newest is taken to be {latest}, by the order of their names."


def _method(settings: Settings, targets: Targets) -> dict[str, Any]:
    return {
        "smallest_gap": settings.smallest_gap,
        "minimum_effect": settings.minimum_effect,
        "minimum_group": settings.minimum_group,
        "population": settings.population,
        "targets": targets.origin,
        "low_level": settings.low_level,
        "good_level": settings.good_level,
        "share_criterion": settings.share_criterion,
        "bottleneck_probability": settings.bottleneck_probability,
        "seed": settings.seed,
        "statements": method_statements(settings),
    }
