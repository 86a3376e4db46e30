"""Texts that remember how they were made, so that a finished diagnosis can be told again in another language.

Each is a ``str`` that reads as any other text. :func:`retold` gives it in another language; text from data, which is
plain ``str``, stays as it is.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from servicediag.wording.catalogue import text
from servicediag.wording.numbers import fixed, localized

__all__ = [
    "Changed", "Figure", "Joined", "Retelling", "Sentence", "Separator", "Term", "Told", "capitalised", "figure",
    "joined", "lowered", "retold", "sentence", "without_code",
]  # fmt: skip

Separator = Literal["sentences", "list", "names"]
Change = Literal["capital", "small", "uncoded"]
_CODE = re.compile(r"[A-Z][A-Z_]+[:：]\s*")
_CHANGES: Mapping[Change, Callable[[str], str]] = {
    "capital": lambda source: source[:1].upper() + source[1:],
    "small": str.lower,
    "uncoded": lambda source: _CODE.sub("", source, count=1) if _CODE.match(source) else str(source),
}


@dataclass
class Retelling:
    """Tells texts in one language, and keeps what their authors did not give in it.

    Attributes
    ----------
    language : str
    lacking : list of str
        Names and texts that stayed in their author's own language.

    Examples
    --------
    >>> retelling = Retelling("es")
    >>> retelling(Term("Feedback", {"en": "Feedback"})), retelling.lacking
    ('Feedback', ['Feedback'])
    """

    language: str
    lacking: list[str] = field(default_factory=list)

    def __call__(self, value: Any) -> Any:
        return value.told(self) if isinstance(value, Told) else value


class Told(str):
    """A text of ours that can be told in another language."""

    __slots__ = ()

    @abstractmethod
    def told(self, retelling: Retelling) -> str:
        """The text in the language of the retelling."""


class Sentence(Told):
    """A fixed text with its key and what fills its placeholders."""

    __slots__ = ("key", "values")
    key: str
    values: Mapping[str, Any]

    def __new__(cls, shown: str, key: str, values: Mapping[str, Any]) -> Sentence:
        self = super().__new__(cls, shown)
        self.key, self.values = key, values
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence, (str(self), self.key, self.values)

    def told(self, retelling: Retelling) -> str:
        values = {name: retelling(value) for name, value in self.values.items()}
        return Sentence(text(self.key, retelling.language, **values), self.key, values)


class Term(Told):
    """A name or text that its author gives in several languages; in the others it stays in the author's own."""

    __slots__ = ("original", "texts")
    original: str
    texts: Mapping[str, str]

    def __new__(cls, shown: str, texts: Mapping[str, str], original: str | None = None) -> Term:
        self = super().__new__(cls, shown)
        self.texts = texts
        self.original = shown if original is None else original
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Term, (str(self), self.texts, self.original)

    def told(self, retelling: Retelling) -> str:
        try:
            return Term(self.texts[retelling.language], self.texts, self.original)
        except KeyError:
            retelling.lacking.append(self.original)
            return Term(self.original, self.texts, self.original)


class Figure(Told):
    """A number that is written already, as English writes it.

    It holds nothing but its text; :func:`figure` gives the same one for the same text.
    """

    __slots__ = ()

    @property
    def plain(self) -> str:
        """How English writes it."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Figure, (str(self),)

    def told(self, retelling: Retelling) -> str:
        # English sentences keep the hyphen that their numbers always had
        if retelling.language == "en":
            return Figure(self.plain)
        return _LocalFigure(localized(self.plain, retelling.language), self.plain)


class _LocalFigure(Figure):
    """A number as another language writes it."""

    __slots__ = ("english",)
    english: str

    def __new__(cls, shown: str, english: str) -> _LocalFigure:
        self = super().__new__(cls, shown)
        self.english = english
        return self

    @property
    def plain(self) -> str:
        return self.english

    def __reduce__(self) -> tuple[Any, ...]:
        return _LocalFigure, (str(self), self.english)


class Joined(Told):
    """Several texts one after the other."""

    __slots__ = ("parts", "separator")
    parts: tuple[str, ...]
    separator: Separator

    def __new__(cls, shown: str, separator: Separator, parts: tuple[str, ...]) -> Joined:
        self = super().__new__(cls, shown)
        self.separator, self.parts = separator, parts
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Joined, (str(self), self.separator, self.parts)

    def told(self, retelling: Retelling) -> str:
        return joined(self.separator, (retelling(part) for part in self.parts), retelling.language)


class Changed(Told):
    """A text with another beginning: a capital, small letters throughout, or without the code before the colon."""

    __slots__ = ("change", "source")
    change: Change
    source: str

    def __new__(cls, source: str, change: Change) -> Changed:
        self = super().__new__(cls, _CHANGES[change](source))
        self.source, self.change = source, change
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Changed, (self.source, self.change)

    def told(self, retelling: Retelling) -> str:
        return Changed(retelling(self.source), self.change)


def sentence(key: str, /, **values: Any) -> Sentence:
    """A fixed text in English that can be told in any other language.

    Parameters
    ----------
    key : str
        As in :func:`servicediag.wording.text`.
    **values
        What goes into the placeholders. Text from data may be plain ``str``; a text of ours should itself be one that
        can be retold.

    Examples
    --------
    >>> sentence("finding.summary.more_answers")
    'more answers in these units'
    """
    return Sentence(text(key, **values), key, values)


def figure(value: float, specification: str) -> Figure:
    """A number in the format of a sentence.

    Examples
    --------
    >>> figure(-4.25, "+.1f"), retold(figure(12.5, ".1f"), "es")
    ('-4.3', '12,5')
    """
    return _figure((fixed if specification.endswith("f") else format)(value, specification))


@lru_cache(maxsize=4096)
def _figure(shown: str) -> Figure:
    # a diagnosis writes the same few thousand numbers ten thousands of times, each an object to look after
    return Figure(shown)


def joined(separator: Separator, parts: Iterable[str], language: str = "en") -> Joined:
    """Texts one after the other: sentences, the entries of a list, or names.

    Examples
    --------
    >>> joined("names", ["know", "want"]), joined("list", ["one cause", "another"])
    ('know, want', 'one cause; another')
    """
    told = tuple(parts)
    between = text(f"finding.join.{separator}", language, first="", second="")
    return Joined(between.join(told), separator, told)


def capitalised(source: str) -> Changed:
    """The text with a capital at its beginning.

    Examples
    --------
    >>> capitalised("employees of the desk")
    'Employees of the desk'
    """
    return Changed(source, "capital")


def lowered(source: str) -> Changed:
    """The text in small letters, for the middle of a sentence.

    Examples
    --------
    >>> lowered("Length of service")
    'length of service'
    """
    return Changed(source, "small")


def without_code(source: str) -> Changed:
    """The text without the code that begins it.

    Examples
    --------
    >>> without_code("TIE: two states lie low together.")
    'two states lie low together.'
    """
    return Changed(source, "uncoded")


def retold(value: Any, language: str) -> Any:
    """A text in another language; anything that is no text of ours, as it is.

    Parameters
    ----------
    value : object
    language : str
        One of :func:`servicediag.wording.languages`.

    Raises
    ------
    KeyError
        A fixed text is missing in that language; there is no silent fallback.

    Examples
    --------
    >>> retold(Term("Feedback", {"en": "Feedback", "es": "Retroalimentación"}), "es"), retold("Branch 21", "es")
    ('Retroalimentación', 'Branch 21')
    """
    return Retelling(language)(value)
