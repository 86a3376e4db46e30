"""SurveyMonkey: the question above the first of its columns, the row of a grid or an option below it."""

from __future__ import annotations

from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, filled_forward, fold, tidy

__all__ = ["SURVEYMONKEY"]

_RESPONDENT = (
    "respondent id", "respondentid", "id del encuestado", "identificador del encuestado", "id do respondente",
    "identifiant du répondant", "id répondant", "befragten-id", "teilnehmer-id", "id респондента", "受访者 id",
)  # fmt: skip
_ANSWER = frozenset(
    fold(name)
    for name in (
        "response", "open-ended response", "respuesta", "respuesta abierta", "resposta", "resposta aberta",
        "réponse", "réponse ouverte", "antwort", "offene antwort", "ответ", "открытый ответ", "答复", "开放式答复",
    )
)  # fmt: skip
_OWN = frozenset(
    (
        "collector id",
        "start date",
        "end date",
        "ip address",
        "email address",
        "first name",
        "last name",
        "custom data 1",
    )
)
_METADATA = _OWN.union(_RESPONDENT)
_OTHER = frozenset(
    fold(name)
    for name in (
        "other (please specify)", "otro (especifique)", "outro (especifique)", "autre (veuillez préciser)",
        "sonstiges (bitte angeben)", "другое (укажите)", "其他（请注明）",
    )
)  # fmt: skip


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = {fold(cell) for cell in rows[0]}
    if len(rows) < 2 or not names & set(_RESPONDENT):
        return ""
    below = {fold(cell) for cell in rows[1]}
    if below & (_ANSWER | _OTHER):
        return "a respondent's id is among the headings, and the row below says Response"
    own = [i for i, cell in enumerate(rows[0]) if fold(cell) in _OWN or fold(cell) in _RESPONDENT]
    grid = sum(not above.strip() and bool(part.strip()) for above, part in zip(rows[0], rows[1], strict=True))
    if len(own) > 1 and grid and not any(rows[1][i].strip() for i in own):
        return "a respondent's id is among the headings, and questions stand above the rows of their grids"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    above = tidy(rows[position])
    below = tidy(rows[position + 1]) if position + 1 < len(rows) else ("",) * len(above)
    headings: list[str] = []
    questions: list[tuple[str, ...]] = []
    options: list[tuple[str, str]] = []
    for own, question, part in zip(above, filled_forward(above), below, strict=True):
        if not own and fold(question) in _METADATA:
            question = ""
        if not part or fold(part) in _ANSWER:
            headings.append(own or question)
            questions.append(())
            options.append(("", ""))
        else:
            headings.append(f"{question} - {part}" if question else part)
            questions.append((part,))
            options.append(("", "") if not question or fold(part) in _OTHER else (question, part))
    submission = column_of(above, *_RESPONDENT)
    return Layout(
        "surveymonkey",
        tuple(headings),
        position + 2,
        questions=tuple(questions),
        no_items=frozenset(i for i, part in enumerate(below) if fold(part) in _OTHER),
        submission=() if submission is None else (submission,),
        positional=True,
        options=tuple(options),
    )


SURVEYMONKEY = Platform("surveymonkey", _fingerprint, _layout)
