"""What the name of a file or sheet hints at: a note at most, since anybody can rename a file."""

from __future__ import annotations

import re

from servicediag.errors import Issue
from servicediag.responses.normalise import normal_text

__all__ = ["name_hint"]

_FILES = tuple(
    (platform, re.compile(pattern))
    for platform, pattern in (
        ("limesurvey", r"results-survey[0-9]+.*"),
        ("kobo", r".*_-_(?:all_versions|latest_version|labels|false)_-_.*"),
        ("redcap", r".*_data(?:_labels)?_[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{4}.*"),
        ("qualtrics", r".+[_+][a-z]+[ +_][0-9]{1,2},?[ +_][0-9]{4}[_+][0-9]{2}[._][0-9]{2}.*"),
        ("wjx", r"[0-9]{6,}_[0-9]+_.+_[0-9]+_[0-9]+"),
        ("sosci", r"r?data_\S+_[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}-[0-9]{2}.*"),
        ("typeform", r"responses-[a-z0-9]{6,12}-[0-9a-z]{26}-[0-9a-z]{26}"),
        ("microsoft_forms", r".*\(1-[0-9]{1,6}\)(?: ?\([0-9]{1,2}\))?"),
        ("google_forms", r".*\((?:responses|respuestas|respostas|réponses|antworten|ответы|回复|回應)\).*"),
    )
)
_SHEETS = re.compile(
    r"(?:form responses|respuestas de formulario|respostas ao formulário|réponses au formulaire|formularantworten"
    r"|ответы на форму|表单回复|表單回應).{0,6}"
)


def name_hint(stem: str, sheet: str | None, where: str) -> Issue | None:
    """A note where a plain sheet is called as a platform calls its exports.

    Parameters
    ----------
    stem : str
        The name of the file without its suffix.

    Examples
    --------
    >>> name_hint("results-survey123456", None, "f.csv").problem
    'The name of the file is like that of an export of limesurvey, but nothing in the file shows it.'
    >>> name_hint("answers", "Sheet1", "f.xlsx") is None
    True
    """
    name = stem.strip().casefold()
    platform = next((platform for platform, pattern in _FILES if pattern.fullmatch(name)), None)
    what = "file"
    if platform is None and sheet and _SHEETS.fullmatch(normal_text(sheet)):
        platform, what = "google_forms", "sheet"
    if platform is None:
        return None
    problem = f"The name of the {what} is like that of an export of {platform}, but nothing in the file shows it."
    remedy = (
        f"It was read as a plain sheet, where numbers are codes of the scale; if it is one, pass platform={platform!r}."
    )
    return Issue("name_hint", "note", where, problem, remedy)
