"""The one preparation that every renderer starts from: rounded numbers, printable text, names that differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.model import Cause, Diagnosis, Finding
from servicediag.report.plain_text import clean, clean_tree, distinct, encodable
from servicediag.results import plain

__all__ = ["FRAMES", "RARE", "TEXT_COLUMNS", "blank_to_none", "printable", "rounded"]

RARE = 30
"""Values of fewer respondents are published with one decimal, which makes single answers harder to work out."""
_FULL = 6
FRAMES = ("evidence", "items", "indicators", "readiness", "withheld", "reliability")
POINTS = (
    "mean", "sd", "ci_low", "ci_high", "health", "gap", "gap_low", "gap_high", "shrunk_gap", "minimum_detectable_gap",
    "know", "want", "can", "shortfall",
)  # fmt: skip
COUNTS = ("n", "count", "n_items", "n_respondents")
COEFFICIENTS = (
    "alpha", "alpha_low", "alpha_high", "omega", "omega_low", "omega_high", "mean_inter_item_correlation", "sem",
    "icc1", "icc2",
)  # fmt: skip
SHARES = ("share", "p_lowest_know", "p_lowest_want", "p_lowest_can")
TEXT_COLUMNS = (
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "title", "direction_of_scale", "tier", "severity",
    "direction", "item", "text", "indicator", "bottleneck", "verdict", "rule", "note",
)  # fmt: skip
_NUMBERS = frozenset((*POINTS, *SHARES, *COUNTS, *COEFFICIENTS, "q_value", "q_minimum_effect"))


def rounded(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis with numbers as they may be published: one decimal where fewer than 30 answered.

    Shares and probabilities keep three decimals there. Text stays as it is, except that lone surrogates, which no
    file can hold, are replaced.
    """
    frames = {name: _rounded_frame(getattr(diagnosis, name), name) for name in FRAMES}
    findings = tuple(_mapped(_rounded_finding(finding), encodable) for finding in diagnosis.findings)
    return replace(diagnosis, findings=findings, study=_plain_tree(diagnosis.study),
                   method=_plain_tree(diagnosis.method), **frames)  # fmt: skip


def printable(diagnosis: Diagnosis) -> Diagnosis:
    """The rounded diagnosis with control characters and direction overrides taken out of every text.

    Two units whose names then read alike get a number, so that no reader takes one for the other. Rows follow the
    order of the questionnaires in the study and of the dimensions in the questionnaires.
    """
    diagnosis = rounded(diagnosis)
    names = _unit_names(diagnosis)
    places = _places(diagnosis)
    frames = {name: _printable_frame(_in_order(getattr(diagnosis, name), places), names) for name in FRAMES}
    findings = []
    for finding in diagnosis.findings:
        unit = None if finding.unit is None else names[finding.by, finding.unit]
        findings.append(replace(_mapped(finding, clean), unit=unit))
    return replace(diagnosis, findings=tuple(findings), study=clean_tree(diagnosis.study),
                   method=clean_tree(diagnosis.method), **frames)  # fmt: skip


def blank_to_none(value: Any) -> Any:
    """A plain Python value; NaN, NaT, infinities and empty text are None.

    Examples
    --------
    >>> blank_to_none(float("nan")), blank_to_none(""), blank_to_none(0.0)
    (None, None, 0.0)
    """
    value = plain(value)
    if value is None or value is pd.NA or value is pd.NaT or value == "":
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounded_frame(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    rare = np.zeros(len(frame), dtype=bool)
    if "n" in frame:
        rare = ~(pd.to_numeric(frame["n"], errors="coerce").to_numpy(float) >= RARE)
    shares = (*SHARES, "ci_low", "ci_high") if name == "indicators" else SHARES
    columns: dict[str, Any] = {}
    for column in frame.columns:
        values = frame[column]
        if column in _NUMBERS:
            values = pd.to_numeric(values, errors="coerce")
        if column in COUNTS:
            counts = [blank_to_none(value) for value in values]
            columns[column] = pd.Series([None if count is None else int(count) for count in counts], dtype=object)
        elif column in TEXT_COLUMNS or not pd.api.types.is_numeric_dtype(values):
            entries = [blank_to_none(value) for value in values]
            texts = [encodable(entry) if isinstance(entry, str) else entry for entry in entries]
            columns[column] = pd.Series(texts, dtype=object)
        elif column.startswith("q_"):
            columns[column] = pd.Series([_significant(value) for value in values], dtype=float)
        elif pd.api.types.is_float_dtype(values):
            decimals = 3 if column in shares else 1 if column in POINTS else _FULL
            pairs = zip(values, rare, strict=True)
            # Python's round, because that of numpy is off by one digit for some values near a half
            exact = [round(float(value), decimals if few else _FULL) for value, few in pairs]
            columns[column] = pd.Series(exact, dtype=float)
        else:
            columns[column] = values
    return pd.DataFrame(columns, columns=list(frame.columns), index=frame.index)


def _rounded_finding(finding: Finding) -> Finding:
    rare = finding.n < RARE
    decimals = (1 if finding.metric == "points" else 3) if rare else _FULL
    changes: dict[str, Any] = {}
    for name in ("estimate", "ci_low", "ci_high", "shrunk", "minimum_detectable_gap", "q_value", "q_minimum_effect"):
        value = blank_to_none(getattr(finding, name))
        if value is not None:
            value = _significant(value) if name.startswith("q_") else round(float(value), decimals)
        changes[name] = value
    for name in ("by", "unit", "wave", "instrument", "dimension", "item", "rater", "form"):
        changes[name] = blank_to_none(getattr(finding, name))
    return replace(finding, n=int(finding.n), **changes)


def _significant(value: float) -> float:
    """With four significant digits, which keeps small error rates apart."""
    return float(f"{value:.4g}")


def _mapped(value: Any, change: Any) -> Any:
    """A finding or cause with ``change`` applied to every text in it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_mapped(entry, change) for entry in value)
    if isinstance(value, (Finding, Cause)):
        return replace(value, **{f.name: _mapped(getattr(value, f.name), change) for f in fields(value)})
    return blank_to_none(value)


def _plain_tree(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {encodable(str(key)): _plain_tree(entry) for key, entry in value.items()}
    if isinstance(value, pd.DataFrame):
        return [_plain_tree(row) for row in value.to_dict("records")]
    if isinstance(value, (list, tuple, set, frozenset)):
        ordered = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return tuple(_plain_tree(entry) for entry in ordered)
    value = blank_to_none(value)
    if isinstance(value, str):
        return encodable(value)
    return value if value is None or isinstance(value, (bool, int, float)) else encodable(str(value))


def _unit_names(diagnosis: Diagnosis) -> dict[tuple[Any, Any], str]:
    raw: dict[tuple[Any, Any], None] = {}
    for name in FRAMES:
        frame = getattr(diagnosis, name)
        if {"by", "unit"} <= set(frame.columns):
            raw.update(dict.fromkeys(zip(frame["by"], frame["unit"], strict=True)))
    raw.update(dict.fromkeys((finding.by, finding.unit) for finding in diagnosis.findings))
    known = [key for key in raw if key[1] is not None]
    names: dict[tuple[Any, Any], str] = {}
    for by in dict.fromkeys(key[0] for key in known):
        inside = [key for key in known if key[0] == by]
        names.update(zip(inside, distinct(clean(str(key[1])) or "?" for key in inside), strict=True))
    return names


def _places(diagnosis: Diagnosis) -> dict[tuple[Any, ...], int]:
    """Position of every questionnaire and form, and of every dimension, as study and reliability list them."""
    parts = diagnosis.study.get("parts") or ()
    forms = [(part.get("instrument"), part.get("form")) for part in parts if isinstance(part, Mapping)]
    known = diagnosis.reliability.reindex(columns=["instrument", "dimension"])
    dimensions = known.itertuples(index=False, name=None)
    places: dict[tuple[Any, ...], int] = {}
    for key in (*(("form", *form) for form in forms), *(("dimension", *pair) for pair in dimensions)):
        places.setdefault(key, len(places))
    return places


def _in_order(frame: pd.DataFrame, places: Mapping[tuple[Any, ...], int]) -> pd.DataFrame:
    """Rows by questionnaire, form and dimension; what the study does not list comes last, in its own order."""
    if not {"instrument", "form", "dimension"} <= set(frame.columns):
        return frame
    last = len(places)
    rows = zip(frame["instrument"], frame["form"], frame["dimension"], strict=True)
    keys = [(places.get(("form", i, f), last), places.get(("dimension", i, d), last)) for i, f, d in rows]
    order = sorted(range(len(frame)), key=keys.__getitem__)
    return frame.iloc[order].reset_index(drop=True)


def _printable_frame(frame: pd.DataFrame, names: Mapping[tuple[Any, Any], str]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for column in frame.columns:
        values: Iterable[Any] = frame[column]
        if column == "unit":
            by = frame["by"] if "by" in frame else [None] * len(frame)
            values = [None if unit is None else names[key, unit] for key, unit in zip(by, values, strict=True)]
        elif frame[column].dtype == object:
            values = [clean(value) if isinstance(value, str) else value for value in values]
        columns[column] = pd.Series(list(values), index=frame.index, dtype=frame[column].dtype)
    return pd.DataFrame(columns, columns=list(frame.columns), index=frame.index)
