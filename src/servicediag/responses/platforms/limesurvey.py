"""LimeSurvey: headings are codes, texts, shortened texts, or codes with texts; A1, A2 ... are the codes of options."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Marks, Platform, column_of, fold, tidy

__all__ = ["LIMESURVEY"]

_METADATA = {
    "submitdate": ("submitdate", "date submitted", "datum abgeschickt", "date de soumission", "fecha de envío",
                   "data de envio", "дата отправки", "дата отсылки", "提交日期", "data inoltro", "datum inzending"),
    "lastpage": ("lastpage", "last page", "letzte seite", "dernière page", "última página", "последняя страница",
                 "ultima pagina", "laatste pagina", "最后一页"),
    "startlanguage": ("startlanguage", "start language", "start-sprache", "startsprache", "langue de départ", "langue",
                      "lenguaje inicial", "idioma inicial", "начальный язык", "язык начала", "lingua iniziale",
                      "starttaal", "起始语言"),
    "id": ("response id", "antwort id", "antwort-id", "id de la réponse", "id réponse", "id de respuesta",
           "id da resposta", "id ответа", "id risposta", "reactie id", "答案 id"),
    "other": ("seed", "startdate", "date started", "datestamp", "date last action", "token", "ipaddr", "refurl"),
}  # fmt: skip
_NAMES = {fold(name): key for key, names in _METADATA.items() for name in names}
_CERTAIN = frozenset(("submitdate", "lastpage", "startlanguage"))
_CODE = re.compile(
    r"([A-Za-z][A-Za-z0-9_]{0,40}(?:\[[^\[\]]{1,60}\]){0,2})(?:(\s*[.:]\s+|\s+-\s+|\._\.|$))(.*)", re.DOTALL
)
_SUBQUESTION = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}\[[A-Za-z0-9_-]{1,40}\](?:\[[A-Za-z0-9_-]{1,40}\])?")
_LAST_PART = re.compile(r"(.*?)\s*\[([^\[\]]*)\]\s*$", re.DOTALL)
_NO_ITEM = re.compile(r".*\[(?:other|comment|othercomment)\].*|interviewtime.*|\w+Time(?:\[\w+\])?", re.DOTALL)

_SHORTEST_PREFIX = 12
"""Shortened headings keep 15 characters of each text."""


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = [cell.strip() for cell in rows[0]]
    found = {_NAMES[key]: name for name in names if (key := _metadata_key(name)) in _NAMES}
    own = {_metadata_key(name) for name in names} & {"submitdate", "startlanguage"}
    if own or len(found.keys() & _CERTAIN) >= 2:
        return f"the headings {', '.join(repr(name) for name in found.values())} are those of LimeSurvey"
    coded = [name for name in names if (match := _CODE.fullmatch(name)) and _SUBQUESTION.fullmatch(match[1])]
    if len(coded) >= 2 and 10 * len(coded) >= sum(map(bool, names)):
        return f"headings such as {coded[0].split('.')[0]!r} are the codes of sub-questions"
    return ""


def _metadata_key(name: str) -> str:
    """A heading of the platform's own columns, also where it is ``submitdate. Date submitted``."""
    match = _CODE.fullmatch(name)
    own = match[1] if match else name
    return fold(own) if fold(own) in _NAMES else fold(name)


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    keys = [
        "id" if fold(name) == "id" or name.startswith("id. ") else _NAMES.get(_metadata_key(name), "")
        for name in headings
    ]
    submission = column_of(keys, "id")
    submitted = column_of(keys, "submitdate")
    return Layout(
        "limesurvey",
        headings,
        position + 1,
        codes=tuple(_code(name) for name in headings),
        questions=tuple(_questions(name) for name in headings),
        no_items=frozenset(i for i, name in enumerate(headings) if keys[i] or _NO_ITEM.fullmatch(name)),
        doubtful=() if submitted is None else (Marks(submitted, frozenset(("",)), "not sent off"),),
        submission=() if submission is None else (submission,),
        missing={"n/a": "blank"},
        positional=True,
        option_letters="A",
        shortest_prefix=_SHORTEST_PREFIX,
    )


def _code(heading: str) -> str:
    match = _CODE.fullmatch(heading)
    return match[1] if match else ""


def _questions(heading: str) -> tuple[str, ...]:
    """The text without its code, and the text of the sub-question in the last brackets."""
    match = _CODE.fullmatch(heading)
    text = match[3].strip() if match and match[3] else heading
    texts = [text]
    if part := _LAST_PART.fullmatch(text):
        texts = [part[2], text] if part[2].strip() else [part[1], text]
    return tuple(t for t in texts if t)


LIMESURVEY = Platform("limesurvey", _fingerprint, _layout)
