"""Themes of open answers: by which listed words a comment is counted, in every language at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from pydantic import StringConstraints

from servicediag.instrument.catalogue import instruments_root
from servicediag.instrument.documents import AtLeastOne, Document, LanguageCode, SnakeIdentifier

__all__ = ["ThemeWords", "load_themes"]

FILE = "_rules/themes.yaml"
UNSPACED = frozenset({"zh-Hans"})
"""Languages whose words are found anywhere in a text, since nothing stands between them."""
_WORD = re.compile(r"[^\W_]+")
_UNSPACED_TEXT = re.compile("[\u3400-\u9fff]")
_SHORTEST, _LONGEST = 2, 64
"""Characters of a word; what an entry begins with lies between them."""
_Word = Annotated[str, StringConstraints(pattern=r"^[^\W_]{2,}\*?( [^\W_]+\*?){0,3}$", max_length=_LONGEST)]


class ThemeDocument(Document):
    """One theme, with its words by language."""

    id: SnakeIdentifier
    words: dict[LanguageCode, AtLeastOne[_Word]]


class ThemesFile(Document):
    """``themes.yaml``."""

    themes: AtLeastOne[ThemeDocument]


@dataclass(frozen=True)
class _Entry:
    """A listed word, or several that stand side by side, and its theme; the first part is what it is found by."""

    theme: str
    shown: str
    parts: tuple[str, ...]

    def continues(self, words: list[str], at: int) -> bool:
        """Whether the further parts follow the word at that place."""
        further = words[at + 1 : at + len(self.parts)]
        return len(further) == len(self.parts) - 1 and all(map(_fits, self.parts[1:], further))


@dataclass(frozen=True)
class ThemeWords:
    """The words of all themes, ready to be found.

    Attributes
    ----------
    themes : tuple of str
        Ids in the order of the file.
    listed : mapping of theme -> mapping of language -> tuple of str
        The words as the file gives them.
    """

    themes: tuple[str, ...]
    listed: Mapping[str, Mapping[str, tuple[str, ...]]]
    _whole: Mapping[str, tuple[_Entry, ...]]
    _begun: Mapping[str, tuple[_Entry, ...]]
    _anywhere: tuple[tuple[str, str, str], ...]

    def of(self, comment: str) -> dict[str, frozenset[str]]:
        """The themes that a comment mentions, each with the listed words by which it does.

        Examples
        --------
        >>> found = load_themes().of("Waited an hour in the queue. 等了很久")
        >>> {theme: sorted(words) for theme, words in found.items()}
        {'waiting': ['queue*', 'waited', '等了']}
        """
        text = _plain(comment)
        found: dict[str, set[str]] = {}
        words = _WORD.findall(text)
        for at, word in enumerate(words):
            for entry in self._begin(word):
                if entry.continues(words, at):
                    found.setdefault(entry.theme, set()).add(entry.shown)
        if _UNSPACED_TEXT.search(text):
            for theme, shown, plain in self._anywhere:
                if plain in text:
                    found.setdefault(theme, set()).add(shown)
        return {theme: frozenset(found[theme]) for theme in self.themes if theme in found}

    def _begin(self, word: str) -> Iterator[_Entry]:
        """Entries whose first part fits a word."""
        yield from self._whole.get(word, ())
        for end in range(_SHORTEST, min(len(word), _LONGEST) + 1):
            if word[:end] in self._begun:
                yield from self._begun[word[:end]]


@cache
def load_themes() -> ThemeWords:
    """The themes of the library.

    Raises
    ------
    InstrumentError
        The file is faulty.
    """
    from servicediag.instrument.yaml_loader import load_yaml, validate_document

    document = validate_document(load_yaml(instruments_root().joinpath(FILE), FILE), ThemesFile)
    whole: dict[str, tuple[_Entry, ...]] = {}
    begun: dict[str, tuple[_Entry, ...]] = {}
    anywhere: list[tuple[str, str, str]] = []
    for theme in document.themes:
        for language, word in _every_word(theme):
            if language in UNSPACED:
                anywhere.append((theme.id, word, _plain(word)))
                continue
            entry = _Entry(theme.id, word, tuple(_plain(word).split()))
            first = entry.parts[0]
            index, key = (begun, first[:-1]) if first.endswith("*") else (whole, first)
            if all(other.shown != word or other.theme != theme.id for other in index.get(key, ())):
                index[key] = (*index.get(key, ()), entry)
    listed = {theme.id: dict(theme.words) for theme in document.themes}
    return ThemeWords(tuple(listed), listed, whole, begun, tuple(anywhere))


def _every_word(theme: ThemeDocument) -> Iterator[tuple[str, str]]:
    for language, words in theme.words.items():
        for word in words:
            yield language, word


def _plain(text: str) -> str:
    """Small letters without accents, full-width characters as usual ones."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return folded if folded.isascii() else "".join(c for c in folded if not unicodedata.combining(c))


def _fits(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part
