"""A finished diagnosis told again in another language, from its own texts and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pandas.api.types import is_object_dtype

from servicediag.diagnosis.model import Cause, Diagnosis, Finding, OpenQuestion, Summary
from servicediag.wording import languages
from servicediag.wording.telling import Retelling, Sentence, Told, sentence

__all__ = ["diagnosis_in_language"]

D = TypeVar("D", bound=Diagnosis)
OWN_LANGUAGE = "finding.note.own_language"


def diagnosis_in_language(diagnosis: D, language: str) -> D:
    """The diagnosis with every text of ours in that language; see :meth:`Diagnosis.in_language`."""
    if language not in languages():
        raise ValueError(f"language={language!r} has no texts; choose from {', '.join(languages())}")
    if language == diagnosis.language:
        return diagnosis
    retelling = Retelling(language)
    parts = {part.name: _retold(getattr(diagnosis, part.name), retelling) for part in fields(diagnosis)}
    return replace(diagnosis, **{**parts, "study": _with_note(parts["study"], retelling), "language": language})


def _retold(value: Any, retelling: Retelling) -> Any:
    if isinstance(value, Told):
        return retelling(value)
    if isinstance(value, tuple):
        return tuple(_retold(entry, retelling) for entry in value)
    if isinstance(value, Finding | Cause | Summary | OpenQuestion):
        changed = {part.name: _retold(getattr(value, part.name), retelling) for part in fields(value)}
        return replace(value, **changed)
    if isinstance(value, pd.DataFrame):
        return _retold_frame(value, retelling)
    if isinstance(value, Mapping):
        return {key: _retold(entry, retelling) for key, entry in value.items()}
    return value


def _retold_frame(frame: pd.DataFrame, retelling: Retelling) -> pd.DataFrame:
    columns: dict[str, pd.Series[Any]] = {}
    for name in [name for name in frame.columns if is_object_dtype(frame[name])]:
        values = frame[name].to_numpy()
        # the same text stands in many rows
        known = {id(value): value for value in values if isinstance(value, Told)}
        if known:
            told = {place: retelling(value) for place, value in known.items()}
            entries = np.empty(len(values), dtype=object)
            entries[:] = [told.get(id(value), value) for value in values]
            columns[name] = pd.Series(entries, index=frame.index, dtype=object)
    return frame.assign(**columns) if columns else frame


def _with_note(study: Mapping[str, Any], retelling: Retelling) -> Mapping[str, Any]:
    """The study, whose notes say so where texts stayed in the language of their author."""
    notes = [note for note in study.get("notes") or () if not (isinstance(note, Sentence) and note.key == OWN_LANGUAGE)]
    if retelling.lacking:
        notes.append(retelling(sentence(OWN_LANGUAGE)))
    return {**study, "notes": tuple(notes)} if "notes" in study or notes else study
