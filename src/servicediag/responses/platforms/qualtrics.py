"""Qualtrics: three rows of headings, or two in older exports and workbooks; negative codes are no answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, marks, tidy

__all__ = ["QUALTRICS"]

_IMPORT_ID = re.compile(r"\{\s*['\"]ImportId['\"]\s*:")
_METADATA = frozenset(
    (
        "startdate", "enddate", "status", "ipaddress", "progress", "duration (in seconds)", "finished", "recordeddate",
        "responseid", "responseset", "recipientlastname", "recipientfirstname", "recipientemail", "externalreference",
        "externaldatareference", "locationlatitude", "locationlongitude", "locationaccuracy", "distributionchannel",
        "userlanguage",
    )
)  # fmt: skip
_CERTAIN = frozenset(("recordeddate", "responseid", "responseset", "duration (in seconds)", "distributionchannel"))
_DATES = ("startdate", "enddate", "recordeddate")
_PREVIEWS = frozenset(
    fold(name)
    for name in (
        "1", "2", "9", "17", "survey preview", "survey test", "survey preview spam", "offline survey preview",
        "umfragevorschau", "umfragetest", "vista previa de la encuesta", "aperçu de l'enquête", "aperçu du sondage",
        "visualização da pesquisa", "предварительный просмотр опроса", "调查预览", "調查預覽",
    )
)  # fmt: skip
_UNFINISHED = frozenset(("false", "0", "falsch", "falso", "faux", "нет", "no"))
_NO_ITEM = re.compile(
    r".*(?:_TEXT|_DO|_DO_.*|_First Click|_Last Click|_Page Submit|_Click Count|_NPS_GROUP| - Topics| - Parent Topics)",
    re.IGNORECASE,
)
_LOWEST = 98


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = [fold(cell) for cell in rows[0]]
    filled = sum(map(bool, names))
    if not filled:
        return ""
    for row in rows[1:3]:
        if _is_import_row(row) and filled >= sum(map(bool, row)) / 2:
            return "a row of ImportIds stands below the headings"
    known = set(names)
    if {"v1", "v2", "v3"} <= known and len(rows) > 1 and _METADATA & {fold(cell) for cell in rows[1]}:
        return "the headings begin V1, V2, V3 and the row below names them"
    found = known & _METADATA
    if len(found) >= 4 and found & _CERTAIN:
        return f"the headings {', '.join(cell for cell in rows[0] if fold(cell) in found)} are those of Qualtrics"
    return ""


def _is_import_row(row: Sequence[str]) -> bool:
    filled = [cell for cell in row if cell.strip()]
    return bool(filled) and 2 * sum(bool(_IMPORT_ID.match(cell.strip())) for cell in filled) >= len(filled)


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    names = tidy(rows[position])
    below = rows[position + 1 : position + 3]
    labels: Sequence[str] = [""] * len(names)
    first_row = position + 1
    imports = next((i for i, row in enumerate(below) if _is_import_row(row)), None)
    if imports is not None:
        first_row = position + 2 + imports
        labels = below[0] if imports == 1 else labels
    elif below and _is_label_row(names, below[0]):
        first_row = position + 2
        labels = below[0]
    labels = tidy(labels)
    keys = [
        fold(label) if fold(name) not in _METADATA else fold(name) for name, label in zip(names, labels, strict=True)
    ]
    status = marks(keys, "status", _PREVIEWS, "previews or tests of the survey")
    channel = marks(keys, "distributionchannel", ("preview",), "previews or tests of the survey")
    submission = column_of(keys, "responseid")
    return Layout(
        "qualtrics",
        names,
        first_row,
        questions=tuple(_questions(label) for label in labels),
        no_items=frozenset(i for i, name in enumerate(names) if keys[i] in _METADATA or _NO_ITEM.fullmatch(name)),
        tests=(*status, *channel),
        doubtful=marks(keys, "finished", _UNFINISHED, "not finished"),
        submission=() if submission is None else (submission,),
        missing={**{f"-{number}": "not_applicable" for number in range(1, _LOWEST + 1)}, "-99": "blank"},
        positional=True,
    )


def _is_label_row(names: Sequence[str], row: Sequence[str]) -> bool:
    """Whether the row below the names says in words what they are, and is not the first respondent."""
    folded = [fold(name) for name in names]
    if "v1" in folded:
        return True
    for name in _DATES:
        if name in folded and (cell := row[folded.index(name)].strip()):
            return not any(character.isdigit() for character in cell)
    if "responseid" in folded and (cell := row[folded.index("responseid")].strip()):
        return not cell.startswith("R_")
    return not any(cell.strip().isdigit() for cell in row)


def _questions(label: str) -> tuple[str, ...]:
    """The text, then what follows each hyphen: older exports write ``stem-row`` without spaces."""
    label = label.removesuffix(" - Selected Choice")
    parts = [label] if label else []
    at = label.find("-")
    while at >= 0 and len(parts) < 12:
        if rest := label[at + 1 :].strip():
            parts.append(rest)
        at = label.find("-", at + 1)
    return tuple(parts)


QUALTRICS = Platform("qualtrics", _fingerprint, _layout)
