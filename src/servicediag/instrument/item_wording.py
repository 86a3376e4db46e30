"""How an item reads: its length, negations, joined ideas and reading level."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = [
    "MAXIMUM_GRADE",
    "MAXIMUM_WORDS",
    "flesch_kincaid_grade",
    "joins",
    "negations",
    "placeholders",
    "wording_faults",
    "words",
]

MAXIMUM_WORDS = 20
"""Convention of this library: an item that is longer is hard to keep in mind."""
MAXIMUM_GRADE = 8.0
"""Convention of this library: the items of a form should be readable after eight years of school."""
_SINGLE_TEXT_MARGIN = 2.0

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|nobody|none|nothing|nowhere|nor|neither|cannot|without|\w+n['’]t)\b", re.IGNORECASE
)
_CHOICE = re.compile(r"\bbetween\b.{1,80}?\band\b", re.IGNORECASE)
_JOIN = re.compile(r"\b(?:and/or|and|or)\b", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_VOWELS = re.compile(r"[aeiouy]+")
_SILENT_ENDING = re.compile(
    r"(?:[^aeiouyl]e|[aeiouylr]le|[^aeiouytdl]ed|[aeiouylr]led|[^aeiouyszcghl]es|[aeiouylr]les)$"
)
_SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)")


def words(text: str) -> list[str]:
    """The words of a text; ``customer's`` and ``day-to-day`` are one word each.

    Examples
    --------
    >>> words("The customer's day-to-day needs, met.")
    ['The', "customer's", 'day-to-day', 'needs', 'met']
    """
    return _WORD.findall(text)


def negations(text: str) -> list[str]:
    """English words that negate.

    Examples
    --------
    >>> negations("Staff don't leave without asking, and nobody notes it.")
    ["don't", 'without', 'nobody']
    """
    return _NEGATION.findall(text)


def joins(text: str) -> list[str]:
    """English words that may join two ideas in one item.

    Examples
    --------
    >>> joins("Staff were polite and quick.")
    ['and']
    >>> joins("I had to choose between one customer and another.")  # one choice is one idea
    []
    """
    return _JOIN.findall(_CHOICE.sub("", text))


def flesch_kincaid_grade(text: str) -> float:
    """Flesch-Kincaid grade: years of school needed to read an English text; 0.0 for a text without words.

    Notes
    -----
    ``0.39 * words / sentences + 11.8 * syllables / words - 15.59`` [1]_. Syllables are counted as groups of vowels
    with a silent final e left out, which is right for most English words; for a single sentence the grade is rough.

    References
    ----------
    .. [1] Kincaid, J. P., Fishburne, R. P., Rogers, R. L., Chissom, B. S. (1975). Derivation of new readability
       formulas for Navy enlisted personnel. Research Branch Report 8-75, Naval Technical Training Command.

    Examples
    --------
    >>> round(flesch_kincaid_grade("The cat sat on the mat."), 2)
    -1.45
    """
    found = words(text)
    if not found:
        return 0.0
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    syllables = sum(_syllables(word) for word in found)
    return 0.39 * len(found) / sentences + 11.8 * syllables / len(found) - 15.59


def placeholders(text: str) -> tuple[frozenset[str], bool]:
    """Names of the ``{placeholders}`` in a text, and whether a brace is left over.

    Examples
    --------
    >>> placeholders("In {unit}, how often?"), placeholders("In {unit, how often?")
    ((frozenset({'unit'}), False), (frozenset(), True))
    """
    rest = _PLACEHOLDER.sub("", text)
    return frozenset(_PLACEHOLDER.findall(text)), "{" in rest or "}" in rest


def wording_faults(text: str, language: str) -> Iterator[tuple[str, str, str]]:
    """Code, problem and remedy of whatever makes an item hard to answer; all but length is judged in English only.

    Examples
    --------
    >>> [code for code, _, _ in wording_faults("Staff were never not polite.", "en")]
    ['double_negative']
    """
    count = len(words(text))
    if count > MAXIMUM_WORDS:
        yield "too_long", f"The text has {count} words, more than {MAXIMUM_WORDS}.", "Shorten it."
    if language.partition("-")[0] != "en":
        return
    negated = negations(text)
    if len(negated) > 1:
        yield "double_negative", f"The text negates twice: {', '.join(negated)}.", "Say it positively."
    elif negated and negated[0].lower() != "without":
        yield "negation", f"The text negates: {negated[0]}.", "Say it positively if that is possible."
    joined = joins(text)
    if joined:
        problem = f"The text may ask two things at once: '{joined[0]}'."
        yield "double_barrelled", problem, "Ask one thing, or see that either part alone gives the same answer."
    grade = flesch_kincaid_grade(text)
    # The grade of one sentence swings by more than a year with a single long word.
    if grade > MAXIMUM_GRADE + _SINGLE_TEXT_MARGIN:
        problem = f"The text reads at about school grade {grade:.0f}; the aim is {MAXIMUM_GRADE:.0f}."
        yield "reading_level", problem, "Use shorter words or a shorter sentence."


def _syllables(word: str) -> int:
    lower = word.lower()
    return max(1, len(_VOWELS.findall(lower)) - (_SILENT_ENDING.search(lower) is not None))
