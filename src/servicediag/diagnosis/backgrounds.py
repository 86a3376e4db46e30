"""Background answers of respondents, such as length of service, as codes of the declared options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from servicediag.responses.normalise import normal_text
from servicediag.wording.telling import Term, sentence

if TYPE_CHECKING:
    from servicediag.instrument.background import BackgroundField
    from servicediag.responses.model import Responses

__all__ = ["MOST_CATEGORIES", "Background", "check_backgrounds", "read_backgrounds", "survey_languages"]

MOST_CATEGORIES = 20
"""A further column with more values than this is no background field: people would be told apart by it."""
OWN_COLUMNS = ("unit", "wave")


@dataclass(frozen=True)
class Background:
    """One field: a category a respondent, -1 where there is none that is known."""

    id: str
    categories: tuple[str, ...]
    codes: np.ndarray


def check_backgrounds(responses: Sequence[Responses], background: Sequence[str] | None) -> None:
    """Refuse names of columns that no export holds, or that hold too many values.

    Raises
    ------
    ValueError
        The message names the columns there are.
    """
    for name in background or ():
        holders = [one.respondents[name] for one in responses if name in one.respondents.columns]
        if not holders:
            choices = sorted({str(c) for one in responses for c in one.respondents.columns})
            raise ValueError(f"background={name!r} is not a respondent column of any export; choose from {choices}")
        values = {text for column in holders for text in map(_text, column.unique()) if text}
        if len(values) > MOST_CATEGORIES:
            raise ValueError(
                f"background={name!r} has {len(values)} different values, more than {MOST_CATEGORIES}; band them first"
            )


def read_backgrounds(
    responses: Responses, background: Sequence[str] | None
) -> tuple[tuple[Background, ...], tuple[str, ...]]:
    """The background fields of an export, and notes on answers that are none of a field's options.

    Parameters
    ----------
    background : sequence of str or None
        Further columns, kept under their own names; None: the catalogue's fields only; empty: no field at all.

    Returns
    -------
    tuple
        Fields in the order of their ids. A column is a field of the catalogue where its heading is the field's id,
        title or question in any language; its values are option codes or labels in any language.
    """
    if background is not None and not len(background):
        return (), ()
    columns = [str(c) for c in responses.respondents.columns if str(c) not in OWN_COLUMNS]
    found: dict[str, Background] = {}
    notes: list[str] = []
    for name, field in _catalogue_fields(columns):
        if field.id in found:
            continue
        read, unknown = _choice(field, responses.respondents[name])
        found[field.id] = read
        if unknown:
            title = Term(field.title["en"], field.title)
            notes.append(sentence("finding.note.unknown_answers", field=title))
    for name in background or ():
        if name in responses.respondents.columns:
            found.setdefault(str(name), _own(str(name), responses.respondents[name]))
    return tuple(found[name] for name in sorted(found)), tuple(notes)


def _catalogue_fields(columns: Sequence[str]) -> Iterable[tuple[str, BackgroundField]]:
    from servicediag.instrument.background import load_background

    if not columns:
        return
    known: dict[str, BackgroundField] = {}
    for field in load_background():
        if field.kind == "choice":
            for text in (field.id, *field.title.values(), *field.question.values()):
                known.setdefault(normal_text(text), field)
    for name in columns:
        field_of = known.get(normal_text(name))
        if field_of is not None:
            yield name, field_of


def survey_languages(responses: Responses) -> Background | None:
    """The language of every respondent's questionnaire, where a column says so."""
    from servicediag.instrument.background import load_background

    columns = [str(c) for c in responses.respondents.columns if str(c) not in OWN_COLUMNS]
    if not columns:
        return None
    field = next(one for one in load_background() if one.id == "survey_language")
    known = {normal_text(text) for text in (field.id, *field.title.values())}
    for name in columns:
        if normal_text(name) in known:
            languages = _own(field.id, responses.respondents[name])
            return languages if len(languages.categories) <= MOST_CATEGORIES else None
    return None


def _choice(field: BackgroundField, column: pd.Series) -> tuple[Background, bool]:
    """The column as codes of the field's options, and whether some answers are none of them."""
    options = tuple(field.options)
    place: dict[str, int] = {}
    for position, (code, labels) in enumerate(field.options.items()):
        for text in (code, *labels.values()):
            key = normal_text(text)
            # a label that means another option in another language cannot be read
            place[key] = position if place.get(key, position) == position else -1
    raw, values = pd.factorize(column)
    texts = [_text(value) for value in values]
    codes = np.array([place.get(normal_text(text), -1) for text in texts] + [-1], dtype=np.int64)
    unknown = any(text and code < 0 for text, code in zip(texts, codes, strict=False))
    return Background(field.id, options, codes[raw]), unknown


def _own(name: str, column: pd.Series) -> Background:
    raw, values = pd.factorize(column)
    texts = [_text(value) for value in values]
    categories = tuple(sorted({text for text in texts if text}))
    place = {text: position for position, text in enumerate(categories)}
    codes = np.array([place.get(text, -1) for text in texts] + [-1], dtype=np.int64)
    return Background(name, categories, codes[raw])


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()
