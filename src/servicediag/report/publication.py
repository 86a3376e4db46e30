"""The one preparation that every renderer starts from: rounded numbers, printable text, names that differ."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.model import Cause, Diagnosis, Finding, OpenQuestion, PublishedDiagnosis, Summary
from servicediag.escaping import encodable
from servicediag.report.columns import FRAMES, SIZES, ColumnKind, kind_of
from servicediag.report.plain_text import clean, clean_tree, distinct
from servicediag.report.references import spelled
from servicediag.results import plain
from servicediag.wording.catalogue import text
from servicediag.wording.numbers import MINUS, fixed

__all__ = ["FRAMES", "RARE", "blank_to_none", "printable", "rounded"]

RARE = 30
"""Values of fewer respondents are published with one decimal, which makes single answers harder to work out."""
_FULL = 6
_DECIMALS = {"points": (1, 2), "share": (3, 4), "coefficient": (4, 4), "value": (3, _FULL)}
"""Decimals of what few respondents gave, and of what more of them gave."""
_HYPHENATED = re.compile(r"(?<![^\s(\[])-(?=\d)")
"""A hyphen before a number, at its beginning."""
_SPACED_PERCENT = re.compile(r"(?<=\d) %")
_SHOWN = {"points": 1, "share": 2}
"""Decimals with which tables and sentences show what they hold."""


def rounded(diagnosis: Diagnosis, language: str | None = None) -> Diagnosis:
    """The diagnosis with numbers as they may be published: one decimal where fewer than 30 answered, two elsewhere.

    Shares and probabilities keep three decimals there, and four elsewhere. Text is told in ``language``, by default the
    diagnosis's own; lone surrogates, which no file can hold, are replaced.

    Raises
    ------
    TypeError
        What is given has not passed the privacy gate.
    """
    if not isinstance(diagnosis, PublishedDiagnosis):
        raise TypeError(
            f"diagnosis is a {type(diagnosis).__name__}; only a PublishedDiagnosis, which diagnose() gives, is rendered"
        )
    if language is not None:
        diagnosis = diagnosis.in_language(language)
    frames: dict[str, Any] = {name: _rounded_frame(getattr(diagnosis, name), name) for name in FRAMES}
    findings = tuple(_mapped(_rounded_finding(finding), encodable) for finding in diagnosis.findings)
    return replace(diagnosis, findings=findings, study=_plain_tree(diagnosis.study),
                   method=_plain_tree(diagnosis.method), summary=_mapped(diagnosis.summary, encodable),
                   **frames)  # fmt: skip


def printable(diagnosis: Diagnosis, language: str | None = None) -> Diagnosis:
    """The rounded diagnosis with control characters and direction overrides taken out of every text.

    Two units whose names then read alike get a number, so that no reader takes one for the other. Rows follow the
    order of the questionnaires in the study and of the dimensions in the questionnaires.
    """
    diagnosis = rounded(diagnosis, language)
    names = _unit_names(diagnosis)
    places = _places(diagnosis)
    frames: dict[str, Any] = {
        name: _printable_frame(_in_order(getattr(diagnosis, name), places), names) for name in FRAMES
    }
    told = _told(diagnosis.language)
    open_gaps = frames["not_measured"]
    frames["not_measured"] = open_gaps.assign(**{
        name: pd.Series(_each_text(open_gaps[name], told), index=open_gaps.index, dtype=object)
        for name in ("what", "settled_by") if name in open_gaps
    })  # fmt: skip
    findings = []
    for finding in diagnosis.findings:
        unit = None if finding.unit is None else names[finding.by, finding.unit]
        texts = {name: _mapped(getattr(finding, name), told) for name in ("abstentions", "causes")}
        texts["text"] = _typeset(finding.text, diagnosis.language)
        findings.append(replace(_mapped(replace(finding, **texts), clean), unit=unit))
    method = clean_tree(diagnosis.method)
    if isinstance(method.get("statements"), (list, tuple)):
        method = {**method, "statements": tuple(_typeset(str(one), diagnosis.language) for one in method["statements"])}
    return replace(diagnosis, findings=tuple(findings), study=clean_tree(diagnosis.study), method=method,
                   summary=_mapped(diagnosis.summary, told), **frames)  # fmt: skip


def _told(language: str) -> Callable[[str], str]:
    """What makes a sentence of ours fit to print, with the ids in it told by their titles."""
    return lambda sentence: _typeset(spelled(clean(sentence), language), language)


def _typeset(sentence: str, language: str) -> str:
    """With minus and percentages as tables have them; the others than English are told that way from the start."""
    return sentence if language != "en" else _SPACED_PERCENT.sub("%", _HYPHENATED.sub(MINUS, sentence))


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
    rare = _rare(frame, name)
    columns = {column: _rounded_column(frame[column], kind_of(name, column), rare) for column in frame.columns}
    return pd.DataFrame(columns, columns=list(frame.columns), index=frame.index)


def _rare(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Rows behind which any group of respondents is small, or of unknown size where a table has levels without it."""
    sizes = [pd.to_numeric(frame[size], errors="coerce").to_numpy(float) for size in SIZES if size in frame]
    if not sizes:
        return np.full(len(frame), name == "patterns")
    # a row of a change within persons has pairs, another one has two groups: what it lacks does not count
    table = np.vstack(sizes)
    return np.asarray((table < RARE).any(axis=0) | np.isnan(table).all(axis=0))


def _rounded_column(values: pd.Series[Any], kind: ColumnKind, rare: np.ndarray) -> pd.Series[Any]:
    if kind == "count":
        counts = [blank_to_none(value) for value in pd.to_numeric(values, errors="coerce").tolist()]
        return pd.Series([None if count is None else int(count) for count in counts], dtype=object)
    if kind in ("text", "flag"):
        return pd.Series(_each_text(map(blank_to_none, values.tolist()), encodable), dtype=object)
    numbers = pd.to_numeric(values, errors="coerce").astype(float).tolist()
    if kind == "error_rate":
        return pd.Series([_significant(value) for value in numbers], dtype=float)
    pairs = zip(numbers, rare.tolist(), strict=True)
    return pd.Series([_shortened(value, kind, few=few) for value, few in pairs], dtype=float)


def _shortened(value: float, kind: str, *, few: bool) -> float:
    """With as many decimals as its kind has, or two more where without them a table would show another last digit."""
    decimals = _DECIMALS[kind][0 if few else 1]
    if not math.isfinite(value):
        return value
    short = float(fixed(value, f".{decimals}f"))
    cut = decimals - _SHOWN.get(kind, decimals)
    if cut > 0 and abs(value) < abs(short):
        # rounded up to a half, which is rounded up again where it is shown
        at_half = round(abs(short) * 10**decimals) % 10**cut == 5 * 10 ** (cut - 1)
        return float(fixed(value, f".{decimals + 2}f")) if at_half else short
    return short


def _each_text(values: Iterable[Any], change: Callable[[str], str]) -> list[Any]:
    """The values with every text changed, a text that comes again and again only once."""
    entries = list(values)
    changed = {entry: change(entry) for entry in {value for value in entries if type(value) is str}}
    return [
        changed[entry] if type(entry) is str else change(entry) if isinstance(entry, str) else entry
        for entry in entries
    ]


def _rounded_finding(finding: Finding) -> Finding:
    few = finding.n < RARE
    kind = {"points": "points", "value": "value"}.get(finding.metric, "share")
    changes: dict[str, Any] = {}
    for name in ("estimate", "ci_low", "ci_high", "shrunk", "minimum_detectable_gap", "q_value", "q_minimum_effect"):
        value = blank_to_none(getattr(finding, name))
        if value is not None:
            value = _significant(value) if name.startswith("q_") else _shortened(float(value), kind, few=few)
        changes[name] = value
    for name in ("by", "unit", "wave", "instrument", "dimension", "item", "rater", "form"):
        changes[name] = blank_to_none(getattr(finding, name))
    for name, digits in (("p_top_three", 3), ("stability", 4)):
        if (probability := getattr(finding, name)) is not None:
            changes[name] = round(probability, digits)
    causes = tuple(
        cause if cause.shortfall is None else replace(cause, shortfall=round(cause.shortfall, 1))
        for cause in finding.causes
    )
    return replace(finding, n=int(finding.n), causes=causes, **changes)


def _significant(value: float) -> float:
    """With four significant digits, which keeps small error rates apart."""
    return float(f"{value:.4g}")


def _mapped(value: Any, change: Any) -> Any:
    """A finding, cause or summary with ``change`` applied to every text in it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_mapped(entry, change) for entry in value)
    if isinstance(value, (Finding, Cause, Summary, OpenQuestion)):
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
        # a unit that is called like the whole must not be taken for it
        read = [text("report.whole_organisation", diagnosis.language), *(clean(str(key[1])) or "?" for key in inside)]
        names.update(zip(inside, distinct(read)[1:], strict=True))
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
            values = _each_text(values, clean)
        columns[column] = pd.Series(list(values), index=frame.index, dtype=frame[column].dtype)
    return pd.DataFrame(columns, columns=list(frame.columns), index=frame.index)
