"""The part of the linter that reads texts: wording, placeholders, loaded labels, and items that say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from servicediag.errors import Issue
from servicediag.instrument.documents import LocaleDocument
from servicediag.instrument.item_wording import (
    MAXIMUM_GRADE,
    flesch_kincaid_grade,
    placeholders,
    wording_faults,
    words,
)
from servicediag.instrument.references import InstrumentSources, form_item_codes
from servicediag.instrument.yaml_loader import LoadedYaml, YamlPath

__all__ = ["ItemText", "duplicate_issues", "item_texts", "text_issues", "warning"]

NEAR_DUPLICATE = 90.0
"""Likeness of two texts, 0 to 100 (words in any order), from which they are called nearly the same."""


@dataclass(frozen=True)
class ItemText:
    """One wording of one item, and where it is written."""

    instrument: str
    code: str
    language: str
    text: str
    where: str


def warning(loaded: LoadedYaml, code: str, path: Iterable[str | int], problem: str, remedy: str) -> Issue:
    """A matter of judgement at the line of a value."""
    return Issue(code, "warning", loaded.where(path), problem, remedy)


def text_issues(sources: InstrumentSources) -> Iterator[Issue]:
    """Faults and doubts in the texts of an instrument, in every language."""
    original = sources.locales.get(sources.document.original_language)
    for locale, loaded in sources.locales.values():
        yield from _completeness(sources, locale, loaded)
        yield from _wording(sources, locale, loaded)
        yield from _reading_level(locale, loaded)
        yield from _loaded_labels(sources, locale, loaded)
        yield from _unused_texts(sources, locale, loaded)
        if original is not None:
            yield from _placeholders(original[0], locale, loaded)


def item_texts(sources: InstrumentSources) -> list[ItemText]:
    """Every wording of every item in every language."""
    return [
        ItemText(sources.document.id, code, locale.language, text, loaded.where(("items", code, wording)))
        for locale, loaded in sources.locales.values()
        for code, wordings in locale.items.items()
        for wording, text in wordings.items()
    ]


def duplicate_issues(texts: Sequence[ItemText]) -> Iterator[Issue]:
    """Items that say the same (an error) or nearly the same (a warning) as an earlier one in their language."""
    from rapidfuzz import fuzz, process

    for language in sorted({text.language for text in texts}):
        chosen = [text for text in texts if text.language == language]
        compared = [" ".join(word.casefold() for word in words(text.text)) for text in chosen]
        likeness = process.cdist(compared, compared, scorer=fuzz.token_sort_ratio, score_cutoff=NEAR_DUPLICATE)
        seen: set[tuple[str, str]] = set()
        for first, second in zip(*likeness.nonzero(), strict=True):
            one, other = chosen[first], chosen[second]
            if first >= second or one.code == other.code or (one.code, other.code) in seen:
                continue
            seen.add((one.code, other.code))
            owner = f"{one.instrument}/{one.code}" if one.instrument != other.instrument else one.code
            if compared[first] == compared[second]:
                problem = f"The item {other.code!r} has the text of {owner!r}."
                yield Issue("duplicate_item", "error", other.where, problem, "Keep one, or ask something else.")
            else:
                problem = f"The item {other.code!r} reads nearly like {owner!r}: {one.text}"
                yield Issue("near_duplicate", "warning", other.where, problem, "See that both are needed.")


def _completeness(sources: InstrumentSources, locale: LocaleDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    original = sources.document.original_language
    if (locale.language == original) != (locale.status == "original"):
        problem = f"The status is {locale.status!r}, but the original language is {original!r}."
        yield loaded.issue("invalid_value", ("status",), problem, "Only the original language has the status original.")
    for key, texts in locale.dimensions.items():
        if not texts.definition:
            problem = f"The dimension {key!r} has no definition."
            yield loaded.issue("missing_text", ("dimensions", key), problem, "Add one sentence.")
    for key, form in locale.forms.items():
        if not form.instruction:
            yield loaded.issue("missing_text", ("forms", key), f"The form {key!r} has no instruction.", "Add it.")


def _wording(sources: InstrumentSources, locale: LocaleDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    is_original = locale.language == sources.document.original_language
    for code, wordings in locale.items.items():
        for wording, text in wordings.items():
            for fault, problem, remedy in wording_faults(text, locale.language):
                # A translation may need more words than the original was allowed.
                is_error = fault == "too_long" and is_original
                where = loaded.where(("items", code, wording))
                problem = f"{code} ({wording}): {problem}"
                yield Issue(fault, "error" if is_error else "warning", where, problem, remedy)


def _reading_level(locale: LocaleDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    if locale.language.partition("-")[0] != "en":
        return
    for wording in sorted({wording for wordings in locale.items.values() for wording in wordings}):
        texts = [wordings[wording].rstrip(".?! ") for wordings in locale.items.values() if wording in wordings]
        grade = flesch_kincaid_grade(". ".join(texts) + ".")
        if grade > MAXIMUM_GRADE:
            problem = (
                f"The items in the wording {wording!r} read at school grade {grade:.1f}, above {MAXIMUM_GRADE:.0f}."
            )
            yield warning(loaded, "reading_level", ("items",), problem, "Use shorter words or shorter sentences.")


def _loaded_labels(sources: InstrumentSources, locale: LocaleDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    """Names of faults on what respondents read: they would answer the label instead of the item."""
    weaknesses = [dimension.id for dimension in sources.document.dimensions if dimension.direction == "weakness"]
    names = [locale.dimensions[key].title for key in weaknesses if key in locale.dimensions]
    if names:
        names.append(locale.title)
    for path, text in _frame_texts(locale):
        shown = [name for name in names if re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)]
        if shown:
            problem = f"Respondents read the name {shown[0]!r}, which judges what they are asked."
            yield warning(loaded, "loaded_label", path, problem, "Keep such names for reports.")


def _frame_texts(locale: LocaleDocument) -> Iterator[tuple[YamlPath, str]]:
    for key, form in locale.forms.items():
        yield ("forms", key, "title"), form.title
        yield ("forms", key, "instruction"), form.instruction
        for dimension, stem in form.stems.items():
            yield ("forms", key, "stems", dimension), stem


def _all_texts(locale: LocaleDocument) -> dict[YamlPath, str]:
    texts = dict(_frame_texts(locale))
    for code, wordings in locale.items.items():
        texts.update({("items", code, wording): text for wording, text in wordings.items()})
    return texts


def _placeholders(original: LocaleDocument, locale: LocaleDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    wanted = _all_texts(original)
    for path, text in _all_texts(locale).items():
        names, stray = placeholders(text)
        if stray:
            problem = "A brace does not belong to a {placeholder}."
            yield loaded.issue("placeholder", path, problem, "Write placeholders as {name}, and no other braces.")
        elif path in wanted and names != placeholders(wanted[path])[0]:
            expected = ", ".join(f"{{{name}}}" for name in sorted(placeholders(wanted[path])[0])) or "none"
            problem = f"The placeholders differ from those of {original.language!r}: {expected}."
            yield loaded.issue("placeholder", path, problem, "Use the same placeholders in every language.")


def _unused_texts(sources: InstrumentSources, locale: LocaleDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    used = {
        (code, form.wording or form.id)
        for form in sources.document.forms
        for code in form_item_codes(sources.document, form)
    }
    for code, wordings in locale.items.items():
        for wording in wordings:
            if (code, wording) not in used:
                problem = f"No form asks {code!r} in the wording {wording!r}."
                yield warning(loaded, "unused_text", ("items", code, wording), problem, "Delete the text.")
