"""Turns the texts of a column into the codes of a declared response scale, by its distinct texts only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from servicediag.instrument.model import Scale
from servicediag.responses.model import missing_code
from servicediag.responses.normalise import normal_text, parse_number, without_number

__all__ = ["Coding", "Refusal", "ScaleLabels", "code_texts", "missing_texts"]

RefusalCode = Literal["unknown_label", "out_of_range"]
_BLANK = missing_code("blank")
_DECLARED = missing_code("declared")
_UNREADABLE = missing_code("unreadable")
_ERROR_VALUES = frozenset(
    ("#n/a", "#na", "#ref", "#value", "#div/0", "#div0", "#name", "#null", "#num", "#gettingdata", "#error")
)
_GENERIC_MISSING: Mapping[str, str] = {
    **dict.fromkeys(("n/a", "n.a", "na", "not applicable", "does not apply", "no aplica", "n/c"), "not_applicable"),
    **dict.fromkeys(("不适用", "不適用", "неприменимо", "не применимо"), "not_applicable"),
    **dict.fromkeys(("don't know", "i don't know", "dont know", "do not know", "no se", "no sé", "ns/nc"), "dont_know"),
    **dict.fromkeys(("不知道", "不清楚", "затрудняюсь ответить", "не знаю"), "dont_know"),
    **dict.fromkeys(("prefer not to say", "prefer not to answer", "i prefer not to answer"), "refused"),
    **dict.fromkeys(("prefiero no contestar", "prefiero no responder", "不愿回答", "отказ от ответа"), "refused"),
    **dict.fromkeys(("-", "--", "(空)", "(跳过)", "."), "blank"),
}


@dataclass(frozen=True)
class Refusal:
    """A distinct text that the scale does not know; ``index`` is its place among the distinct texts."""

    index: int
    code: RefusalCode


@dataclass(frozen=True)
class Coding:
    """What each distinct text of a column means on a scale.

    Attributes
    ----------
    codes : int8 array
        A code, or a missing reason, for each distinct text, and at the end one for the blank cell.
    refusals : tuple of Refusal
    languages : tuple of str
        Languages whose labels were needed; empty where the column holds codes only.
    labels, numbers : tuple of int
        Places of the texts read as labels, and of those read as bare codes.
    disagreeing : tuple of int
        Places of the texts whose number is not the code of their label.
    """

    codes: np.ndarray
    refusals: tuple[Refusal, ...]
    languages: tuple[str, ...]
    labels: tuple[int, ...]
    numbers: tuple[int, ...]
    disagreeing: tuple[int, ...]


@dataclass(frozen=True)
class ScaleLabels:
    """Normalised label -> code or missing reason, for each language of a scale."""

    codes: frozenset[int]
    by_language: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, scale: Scale) -> ScaleLabels:
        by_language: dict[str, dict[str, int]] = {}
        for language, labels in scale.labels.items():
            known = by_language.setdefault(language, {})
            known.update({normal_text(label): code for code, label in labels.items()})
        for language, aliases in scale.aliases.items():
            known = by_language.setdefault(language, {})
            for code, spellings in aliases.items():
                for spelling in spellings:
                    known.setdefault(normal_text(spelling), code)
        for language, missing in scale.missing.items():
            known = by_language.setdefault(language, {})
            known.update({normal_text(label): missing_code(reason) for reason, label in missing.items()})
        return cls(frozenset(scale.codes), by_language)

    def read(self, label: str, languages: Collection[str]) -> int | None:
        """The code of a label where these languages agree on it; None where none knows it or they differ."""
        found = {self.by_language[name][label] for name in languages if label in self.by_language[name]}
        return found.pop() if len(found) == 1 else None

    def choose_languages(self, labels: Sequence[str], preferred: Sequence[str]) -> tuple[str, ...]:
        """The first language that knows every label, else the fewest that together know most of them."""
        first = [name for name in preferred if name in self.by_language]
        order = list(dict.fromkeys([*first, *self.by_language]))
        needed = set(labels)
        chosen: list[str] = []
        while needed and order:
            best = max(order, key=lambda name: len(needed & self.by_language[name].keys()))
            gained = needed & self.by_language[best].keys()
            if not gained:
                break
            chosen.append(best)
            order.remove(best)
            needed -= gained
        return tuple(chosen)

    def disputed(self, labels: Sequence[str]) -> frozenset[str]:
        """Labels whose code depends on which of the languages that know them all is meant."""
        complete = [known for known in self.by_language.values() if known.keys() >= set(labels)]
        return frozenset(label for label in labels if len({known[label] for known in complete}) > 1)


def missing_texts(missing_codes: Collection[int | float | str]) -> frozenset[str]:
    """Declared missing codes in the form in which the texts of a column are compared with them."""
    return frozenset(_canonical(normal_text(_number_text(code))) for code in missing_codes)


def _number_text(code: int | float | str) -> str:
    return code if isinstance(code, str) else f"{code:.15g}"


def _canonical(text: str) -> str:
    """A number in one spelling, so that -99, -99.0 and "-99,0" are the same missing code; other texts as they are."""
    number = parse_number(text)
    return text if number is None else f"{number:.15g}"


def code_texts(
    texts: Sequence[str | None],
    scale: ScaleLabels,
    preferred: Sequence[str] = (),
    stated: Sequence[str] = (),
    missing: Collection[str] = (),
) -> Coding:
    """Code the distinct texts of a column as a whole: a label means nothing outside its set.

    Parameters
    ----------
    texts : sequence of str or None
        Distinct texts of the column.
    preferred : sequence of str
        Languages in the order in which they are tried.
    stated : sequence of str
        Languages that the caller or the heading names; they are tried first. Without one, a label whose code depends
        on the language is refused.
    missing : collection of str
        What ``missing_texts`` gives for the declared missing codes.
    """
    normal = [normal_text(text) if text else "" for text in texts]
    plain = [_label_part(text, scale) for text in normal]
    known = {label for labels in scale.by_language.values() for label in labels}
    used = [label for label in plain if label in known]
    languages = scale.choose_languages(used, (*stated, *preferred))
    disputed = frozenset() if set(languages) & set(stated) else scale.disputed(used)
    codes = np.full(len(texts) + 1, _BLANK, np.int8)
    refusals: list[Refusal] = []
    labels, numbers, disagreeing = [], [], []
    for index, (text, label) in enumerate(zip(normal, plain, strict=True)):
        if _canonical(text) in missing and text:
            codes[index] = _DECLARED
        elif not text:
            continue
        elif label not in disputed and (code := scale.read(label, languages)) is not None:
            codes[index] = code
            labels.append(index)
            if label != text and (split := without_number(text)) and split[0] != code and code in scale.codes:
                disagreeing.append(index)
        elif (number := parse_number(text)) is not None:
            if number in scale.codes:
                codes[index] = int(number)
                numbers.append(index)
            else:
                refusals.append(Refusal(index, "out_of_range"))
        elif text in _ERROR_VALUES:
            codes[index] = _UNREADABLE
        elif label in _GENERIC_MISSING:
            codes[index] = missing_code(_GENERIC_MISSING[label])
        else:
            refusals.append(Refusal(index, "unknown_label"))
    return Coding(codes, tuple(refusals), languages, tuple(labels), tuple(numbers), tuple(disagreeing))


def _label_part(text: str, scale: ScaleLabels) -> str:
    """The label itself, where a number stands before or after it; a label that has a number of its own is kept."""
    if any(text in labels for labels in scale.by_language.values()):
        return text
    split = without_number(text)
    return split[1] if split else text
