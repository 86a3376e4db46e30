"""Turns the texts of a column into the codes of a declared response scale, by its distinct texts only."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from servicediag.instrument.model import Scale
from servicediag.responses.model import missing_code
from servicediag.responses.normalise import normal_text, parse_number, without_number

__all__ = ["Coding", "Conventions", "Refusal", "ScaleLabels", "code_texts", "missing_texts"]

RefusalCode = Literal["unknown_label", "out_of_range"]
_BLANK = missing_code("blank")
_DECLARED = missing_code("declared")
_UNREADABLE = missing_code("unreadable")
_ERROR_VALUES = frozenset(
    ("#n/a", "#na", "#ref", "#value", "#div/0", "#div0", "#name", "#null", "#num", "#gettingdata", "#error")
)
_OPTION_CODE = re.compile(r"([a-z]{1,2})0{0,4}([0-9]{1,3})")
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
class Conventions:
    """How a platform or a file writes codes and missing answers.

    Attributes
    ----------
    missing : mapping of normalised text -> missing reason
        Where the scale has no such label or code.
    reasons : mapping of normalised text -> missing reason
        Common labels of "no answer", beside those of the scale.
    option_letters : str
        What may stand before the number of an option in its code.
    value_labels : mapping of str -> str
        The labels of the values of this column.
    user_missing : tuple of (low, high)
        Ranges of values of this column that are declared as missing.
    """

    missing: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=lambda: _GENERIC_MISSING)
    option_letters: str = ""
    value_labels: Mapping[str, str] = field(default_factory=dict)
    user_missing: tuple[tuple[float | str, float | str], ...] = ()


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
    agreeing : bool
        Whether a number beside a label is the code of that label, and none is another.
    platform_missing : tuple of int
        Places of the texts that are missing as the platform writes it.
    """

    codes: np.ndarray
    refusals: tuple[Refusal, ...]
    languages: tuple[str, ...]
    labels: tuple[int, ...]
    numbers: tuple[int, ...]
    disagreeing: tuple[int, ...]
    agreeing: bool = False
    platform_missing: tuple[int, ...] = ()


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

    def extended(self, further: Mapping[str, Mapping[str, int]]) -> ScaleLabels:
        """With further labels, which never overrule the scale's own."""
        merged = {language: {**further.get(language, {}), **known} for language, known in self.by_language.items()}
        merged.update({language: dict(labels) for language, labels in further.items() if language not in merged})
        return ScaleLabels(self.codes, merged)

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
    conventions: Conventions | None = None,
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
    conventions = conventions or Conventions()
    written = [normal_text(text) if text else "" for text in texts]
    normal = _labelled(written, conventions.value_labels)
    plain = [_label_part(text, scale) for text in normal]
    known = {label for labels in scale.by_language.values() for label in labels}
    used = [label for label in plain if label in known]
    languages = scale.choose_languages(used, (*stated, *preferred))
    disputed = frozenset() if set(languages) & set(stated) else scale.disputed(used)
    codes = np.full(len(texts) + 1, _BLANK, np.int8)
    places: dict[str, list[int]] = {}
    disagreeing: list[int] = []
    beside: list[bool] = []
    for index, label in enumerate(plain):
        one = _Text(written[index], normal[index], label)
        readable = scale.read(label, languages) if label not in disputed else None
        kind, codes[index] = _read(one, readable, scale.codes, missing, conventions)
        places.setdefault(kind, []).append(index)
        number = one.number_beside() if kind == "label" and codes[index] in scale.codes else None
        if number is not None:
            beside.append(number == codes[index])
            if not beside[-1] and one.written == one.text:
                disagreeing.append(index)
    refusals = [
        Refusal(index, kind) for kind in ("unknown_label", "out_of_range") for index in places.get(kind, ())
    ]  # fmt: skip
    return Coding(
        codes, tuple(sorted(refusals, key=lambda refusal: refusal.index)), languages, tuple(places.get("label", ())),
        tuple(places.get("number", ())), tuple(disagreeing), bool(beside) and all(beside),
        tuple(places.get("platform", ())),
    )  # fmt: skip


@dataclass(frozen=True)
class _Text:
    """A distinct text: as it is written, with the label of a value in its place, and the label without its number."""

    written: str
    text: str
    label: str

    def number_beside(self) -> float | None:
        """The number that stands beside the label, or that the label is the value label of."""
        if self.written != self.text:
            return parse_number(self.written)
        split = without_number(self.text) if self.label != self.text else None
        return split[0] if split else None


_Kind = Literal["label", "number", "platform", "missing", "unknown_label", "out_of_range"]


def _read(
    one: _Text, readable: int | None, codes: frozenset[int], missing: Collection[str], conventions: Conventions
) -> tuple[_Kind, int]:
    """What a text is, and its code; the first that fits."""
    own = _canonical(one.written)
    if not one.text:
        return "missing", _BLANK
    if own in missing or _canonical(one.text) in missing:
        return "missing", _DECLARED
    if conventions.user_missing and _within(own, conventions.user_missing):
        return "missing", missing_code(conventions.reasons.get(one.label, "declared"))
    if readable is not None:
        return "label", readable
    number = _option_number(one.text, conventions.option_letters)
    if number is not None and number in codes:
        return "number", int(number)
    if reason := conventions.missing.get(one.text) or conventions.missing.get(own):
        return "platform", missing_code(reason)
    if reason := conventions.reasons.get(one.label):
        return "missing", missing_code(reason)
    if number is not None:
        return "out_of_range", _BLANK
    return ("missing", _UNREADABLE) if one.text in _ERROR_VALUES else ("unknown_label", _BLANK)


def _labelled(texts: list[str], value_labels: Mapping[str, str]) -> list[str]:
    """The texts, with the label of a value in its place."""
    if not value_labels:
        return texts
    labels = {_canonical(normal_text(value)): normal_text(label) for value, label in value_labels.items()}
    return [labels.get(_canonical(text), text) for text in texts]


def _option_number(text: str, letters: str) -> float | None:
    """The number that a text is, also behind the letters of an option code: 3 for ``a3`` or ``ao03``."""
    if letters and (match := _OPTION_CODE.fullmatch(text)) and match[1].startswith(letters.casefold()):
        return float(match[2])
    return parse_number(text)


def _within(text: str, ranges: Sequence[tuple[float | str, float | str]]) -> bool:
    number = parse_number(text)
    for low, high in ranges:
        if isinstance(low, str) or isinstance(high, str):
            if text == normal_text(str(low)):
                return True
        elif number is not None and low <= number <= high:
            return True
    return False


def _label_part(text: str, scale: ScaleLabels) -> str:
    """The label itself, where a number stands before or after it; a label that has a number of its own is kept.

    The names of choices in a form of KoboToolbox or ODK are labels with underscores for spaces.
    """
    if _is_label(text, scale):
        return text
    split = without_number(text)
    if split:
        return split[1]
    spaced = " ".join(text.split("_")) if "_" in text else text
    return spaced if _is_label(spaced, scale) else text


def _is_label(text: str, scale: ScaleLabels) -> bool:
    return any(text in labels for labels in scale.by_language.values())
