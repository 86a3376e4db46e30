"""Cross references between the files of an instrument: every one that leads nowhere, with file and line."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise

from servicediag.errors import Issue
from servicediag.instrument.documents import (
    FormDocument,
    InstrumentDocument,
    LocaleDocument,
    PackagesDocument,
    ScaleDocument,
)
from servicediag.instrument.yaml_loader import MAXIMUM_ISSUES, LoadedYaml, YamlPath, did_you_mean

__all__ = [
    "InstrumentSources",
    "ScaleSource",
    "check_packages",
    "check_references",
    "check_scale",
    "form_item_codes",
    "normalised_label",
]


@dataclass(frozen=True)
class ScaleSource:
    """A scale and the place it was read from; ``path`` leads to it within the file."""

    document: ScaleDocument
    loaded: LoadedYaml
    path: YamlPath = ()


@dataclass(frozen=True)
class InstrumentSources:
    """The validated files of one instrument, by language and by scale id."""

    document: InstrumentDocument
    loaded: LoadedYaml
    locales: Mapping[str, tuple[LocaleDocument, LoadedYaml]]
    scales: Mapping[str, ScaleSource]
    scale_choices: tuple[str, ...]


def check_references(sources: InstrumentSources, unreadable: Container[str] = ()) -> Iterator[Issue]:
    """Faults between the parts of an instrument that are each valid by themselves, at most ``MAXIMUM_ISSUES``.

    ``unreadable`` names the files that exist but are faulty, so that they are not called missing as well.
    """
    return islice(_every_fault(sources, unreadable), MAXIMUM_ISSUES)


def _every_fault(sources: InstrumentSources, unreadable: Container[str]) -> Iterator[Issue]:
    yield from _repeated_ids(sources)
    for index, form in enumerate(sources.document.forms):
        yield from _form_faults(sources, form, ("forms", index))
    yield from _scale_references(sources)
    for scale in sources.scales.values():
        yield from check_scale(scale, tuple(sources.locales))
    original = f"locale/{sources.document.original_language}.yaml"
    if sources.document.original_language not in sources.locales and original not in unreadable:
        yield sources.loaded.issue(
            "missing_text",
            ("original_language",),
            f"There is no {original}.",
            f"Write it; found {', '.join(sorted(sources.locales)) or 'none'}.",
        )
    unused = _unwritten_wordings(sources)
    for index, form in enumerate(sources.document.forms):
        if (form.wording or form.id) in unused:
            yield _unwritten_wording(sources, form, ("forms", index, "wording"))
    for locale, loaded in sources.locales.values():
        yield from _locale_faults(sources.document, locale, loaded)
        yield from _item_text_faults(sources.document, locale, loaded, unused)


def check_packages(
    document: PackagesDocument, loaded: LoadedYaml, structures: Mapping[str, InstrumentDocument]
) -> Iterator[Issue]:
    """Packages whose instrument, form or items do not exist, or that name an instrument twice."""
    yield from _repeated(
        loaded, ((p.id, ("packages", i, "id")) for i, p in enumerate(document.packages)), "The package id"
    )
    for index, package in enumerate(document.packages):
        members: set[str] = set()
        for position, part in enumerate(package.parts):
            path: YamlPath = ("packages", index, "parts", position)
            if part.instrument in members:
                # One person answers an item once, and the answers are kept by its code.
                problem = f"The package {package.id!r} names the instrument {part.instrument!r} twice."
                yield loaded.issue("duplicate_id", (*path, "instrument"), problem, "Keep one of its forms.")
            members.add(part.instrument)
            structure = structures.get(part.instrument)
            if structure is None:
                named: list[tuple[str, YamlPath]] = [(part.instrument, (*path, "instrument"))]
                yield from _unknown(loaded, "unknown_instrument", named, structures, "The instrument")
                continue
            forms = {form.id: form for form in structure.forms}
            yield from _unknown(loaded, "unknown_form", [(part.form, (*path, "form"))], forms, "The form")
            if part.form in forms:
                codes = form_item_codes(structure, forms[part.form])
                listed: list[tuple[str, YamlPath]] = [(c, (*path, "items", i)) for i, c in enumerate(part.items or ())]
                yield from _unknown(loaded, "unknown_item", listed, codes, "The item")
                yield from _repeated(loaded, listed, "The item")


def form_item_codes(document: InstrumentDocument, form: FormDocument) -> tuple[str, ...]:
    """Codes of the items that a form holds."""
    if form.items is not None:
        return form.items
    wanted = None if form.dimensions is None else set(form.dimensions)
    return tuple(
        item.code
        for dimension in document.dimensions
        if wanted is None or dimension.id in wanted
        for item in dimension.items
    )


def normalised_label(text: str) -> str:
    """A label as it is compared when files are read: case and spacing do not count."""
    return " ".join(text.casefold().split())


def _repeated(
    loaded: LoadedYaml, entries: Iterable[tuple[Hashable, YamlPath]], what: str, code: str = "duplicate_id"
) -> Iterator[Issue]:
    seen: dict[Hashable, YamlPath] = {}
    for value, path in entries:
        if value in seen:
            first = loaded.where(seen[value]).rpartition(":")[2]
            yield loaded.issue(code, path, f"{what} {value!r} is used twice, first in line {first}.", "Rename one.")
        else:
            seen[value] = path


def _repeated_ids(sources: InstrumentSources) -> Iterator[Issue]:
    document, loaded = sources.document, sources.loaded
    yield from _repeated(loaded, ((s.id, ("scales", i, "id")) for i, s in enumerate(document.scales)), "The scale id")
    yield from _repeated(loaded, ((f.id, ("forms", i, "id")) for i, f in enumerate(document.forms)), "The form id")
    dimensions: list[tuple[str, YamlPath]] = [
        (dimension.id, ("dimensions", index, "id")) for index, dimension in enumerate(document.dimensions)
    ]
    # "default" stands for every dimension in stems and in a form's scales.
    yield from _repeated(loaded, [("default", ()), *dimensions], "The dimension id")
    codes: list[tuple[str, YamlPath]] = [
        # Codes are matched without punctuation, since survey platforms drop it.
        (item.code.replace("_", ""), ("dimensions", index, "items", position, "code"))
        for index, dimension in enumerate(document.dimensions)
        for position, item in enumerate(dimension.items)
    ]
    yield from _repeated(loaded, codes, "The item code (without '_')")


def _unknown(
    loaded: LoadedYaml, code: str, entries: Iterable[tuple[str, YamlPath]], known: Iterable[str], what: str
) -> Iterator[Issue]:
    choices = dict.fromkeys(known)
    for value, path in entries:
        if value not in choices:
            yield loaded.issue(code, path, f"{what} {value!r} does not exist.", did_you_mean(value, choices))


def _form_faults(sources: InstrumentSources, form: FormDocument, path: YamlPath) -> Iterator[Issue]:
    document, loaded = sources.document, sources.loaded
    dimensions = tuple(dimension.id for dimension in document.dimensions)
    codes = tuple(item.code for dimension in document.dimensions for item in dimension.items)
    if form.items is not None and form.dimensions is not None:
        problem = f"The form {form.id!r} has both items and dimensions."
        yield loaded.issue("invalid_value", (*path, "items"), problem, "Keep one of them.")
    listed: list[tuple[str, YamlPath]] = [(code, (*path, "items", i)) for i, code in enumerate(form.items or ())]
    yield from _unknown(loaded, "unknown_item", listed, codes, "The item")
    yield from _repeated(loaded, listed, "The item")
    chosen: list[tuple[str, YamlPath]] = [(d, (*path, "dimensions", i)) for i, d in enumerate(form.dimensions or ())]
    yield from _unknown(loaded, "unknown_dimension", chosen, dimensions, "The dimension")
    yield from _repeated(loaded, chosen, "The dimension")
    overridden: list[tuple[str, YamlPath]] = [(key, (*path, "scales", key)) for key in form.scales]
    yield from _unknown(loaded, "unknown_dimension", overridden, ("default", *dimensions), "The dimension")
    if form.short_of is not None:
        yield from _short_form_faults(sources, form, path)


def _short_form_faults(sources: InstrumentSources, form: FormDocument, path: YamlPath) -> Iterator[Issue]:
    document, loaded = sources.document, sources.loaded
    others = {other.id: other for other in document.forms if other.id != form.id}
    if form.short_of not in others:
        yield from _unknown(loaded, "unknown_form", [(str(form.short_of), (*path, "short_of"))], others, "The form")
        return
    beyond = set(form_item_codes(document, form)) - set(form_item_codes(document, others[form.short_of]))
    if beyond:
        yield loaded.issue(
            "unknown_item",
            (*path, "short_of"),
            f"The form {form.id!r} holds items that {form.short_of!r} lacks: {', '.join(sorted(beyond))}.",
            "A short form is a part of its long form.",
        )


def _scale_references(sources: InstrumentSources) -> Iterator[Issue]:
    document, loaded = sources.document, sources.loaded
    named: list[tuple[str, YamlPath]] = [
        (scale, ("forms", index, "scales", key))
        for index, form in enumerate(document.forms)
        for key, scale in form.scales.items()
    ]
    for index, dimension in enumerate(document.dimensions):
        path: YamlPath = ("dimensions", index)
        if dimension.scale is not None:
            named.append((dimension.scale, (*path, "scale")))
        for position, item in enumerate(dimension.items):
            if item.scale is not None:
                named.append((item.scale, (*path, "items", position, "scale")))
            elif dimension.scale is None:
                yield loaded.issue(
                    "missing_key",
                    (*path, "items", position),
                    f"The item {item.code!r} has no scale, and its dimension has none either.",
                    "Give the dimension a default scale.",
                )
    for scale, where in named:
        if scale not in sources.scales and scale not in sources.scale_choices:
            yield from _unknown(loaded, "unknown_scale", [(scale, where)], sources.scale_choices, "The scale")


def check_scale(source: ScaleSource, languages: Iterable[str] = ()) -> Iterator[Issue]:
    """Faults within a response scale: order of codes, complete and distinct labels, the languages wanted."""
    scale, loaded, path = source.document, source.loaded, source.path
    if any(low >= high for low, high in pairwise(scale.codes)):
        yield loaded.issue(
            "invalid_value", (*path, "codes"), f"The codes of {scale.id!r} do not ascend.", "List the lowest first."
        )
    for language in languages:
        if language not in scale.labels:
            yield loaded.issue(
                "missing_text", (*path, "labels"), f"The scale {scale.id!r} has no labels in {language!r}.", "Add them."
            )
    for language, labels in scale.labels.items():
        lost = sorted(set(scale.codes) - set(labels))
        beyond = sorted(set(labels) - set(scale.codes))
        if lost or beyond:
            parts = [f"no label for {lost}" if lost else "", f"labels for unknown codes {beyond}" if beyond else ""]
            yield loaded.issue(
                "incomplete_labels",
                (*path, "labels", language),
                f"The scale {scale.id!r} in {language!r} has {' and '.join(part for part in parts if part)}.",
                f"Label exactly the codes {list(scale.codes)}.",
            )
        yield from _label_clashes(source, language)
    yield from _missing_option_faults(source)


def _label_clashes(source: ScaleSource, language: str) -> Iterator[Issue]:
    """One text must mean one code, or answers could be read in two ways."""
    scale, path = source.document, source.path
    options: list[tuple[object, str, YamlPath]] = [
        (code, label, (*path, "labels", language, code)) for code, label in scale.labels[language].items()
    ]
    options += [
        (reason, label, (*path, "missing", language, reason))
        for reason, label in scale.missing.get(language, {}).items()
    ]
    options += [
        (code, alias, (*path, "aliases", language, code, index))
        for code, aliases in scale.aliases.get(language, {}).items()
        for index, alias in enumerate(aliases)
    ]
    meaning: dict[str, object] = {}
    for code, text, where in options:
        known = meaning.setdefault(normalised_label(text), code)
        if known != code:
            yield source.loaded.issue(
                "duplicate_label", where, f"{text!r} stands for both {known} and {code}.", "Make the labels distinct."
            )


def _missing_option_faults(source: ScaleSource) -> Iterator[Issue]:
    scale, loaded, path = source.document, source.loaded, source.path
    reasons = {reason for options in scale.missing.values() for reason in options}
    for language in scale.labels if reasons else ():
        lost = reasons - set(scale.missing.get(language, {}))
        if lost:
            yield loaded.issue(
                "missing_text",
                (*path, "missing", language),
                f"The scale {scale.id!r} has no text in {language!r} for {', '.join(sorted(lost))}.",
                "Offer the same options in every language.",
            )
    for key, texts in (("missing", scale.missing), ("aliases", scale.aliases)):
        entries: list[tuple[str, YamlPath]] = [(language, (*path, key, language)) for language in texts]
        yield from _unknown(loaded, "unknown_language", entries, scale.labels, "A label set in")
    for language, aliases in scale.aliases.items():
        for code in aliases:
            if code not in scale.codes:
                yield loaded.issue(
                    "invalid_value",
                    (*path, "aliases", language, code),
                    f"The aliases name the code {code}, which {scale.id!r} lacks.",
                    f"Use the codes {list(scale.codes)}.",
                )


def _written_wordings(sources: InstrumentSources) -> set[str]:
    original = sources.locales.get(sources.document.original_language)
    return {wording for texts in original[0].items.values() for wording in texts} if original else set()


def _unwritten_wordings(sources: InstrumentSources) -> set[str]:
    """Wordings without any text: reported once for the form, not once an item."""
    written = _written_wordings(sources)
    return {form.wording or form.id for form in sources.document.forms} - written if written else set()


def _unwritten_wording(sources: InstrumentSources, form: FormDocument, path: YamlPath) -> Issue:
    wording = form.wording or form.id
    problem = f"No item has a text for the wording {wording!r} of form {form.id!r}."
    return sources.loaded.issue(
        "unknown_wording", path, problem, did_you_mean(wording, sorted(_written_wordings(sources)))
    )


def _locale_faults(document: InstrumentDocument, locale: LocaleDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    language = loaded.name.rpartition("/")[2].removesuffix(".yaml")
    if locale.language != language:
        problem = f"The file is named {language!r} but holds {locale.language!r}."
        yield loaded.issue("invalid_value", ("language",), problem, "Rename the file or change the language.")
    forms = [form.id for form in document.forms]
    dimensions = [dimension.id for dimension in document.dimensions]
    yield from _both_ways(loaded, "form", forms, locale.forms)
    yield from _both_ways(loaded, "dimension", dimensions, locale.dimensions)
    for form, texts in locale.forms.items():
        stems: list[tuple[str, YamlPath]] = [(key, ("forms", form, "stems", key)) for key in texts.stems]
        yield from _unknown(loaded, "unknown_dimension", stems, ("default", *dimensions), "The dimension")


def _both_ways(loaded: LoadedYaml, what: str, wanted: list[str], given: Mapping[str, object]) -> Iterator[Issue]:
    for name in wanted:
        if name not in given:
            yield loaded.issue(
                "missing_text", (f"{what}s",), f"The {what} {name!r} has no texts.", f"Add it under '{what}s'."
            )
    entries: list[tuple[str, YamlPath]] = [(name, (f"{what}s", name)) for name in given]
    yield from _unknown(loaded, f"unknown_{what}", entries, wanted, f"The {what}")


def _item_text_faults(
    document: InstrumentDocument, locale: LocaleDocument, loaded: LoadedYaml, unused: set[str]
) -> Iterator[Issue]:
    wordings: dict[str, list[str]] = {item.code: [] for dimension in document.dimensions for item in dimension.items}
    for form in document.forms:
        for code in form_item_codes(document, form):
            if code in wordings and (form.wording or form.id) not in wordings[code]:
                wordings[code].append(form.wording or form.id)
    known = {form.wording or form.id for form in document.forms}
    for code, wanted in wordings.items():
        for wording in wanted:
            if wording not in locale.items.get(code, {}) and wording not in unused:
                problem = f"The item {code!r} has no text for the wording {wording!r}."
                yield loaded.issue("missing_text", ("items", code), problem, "Write it.")
    entries: list[tuple[str, YamlPath]] = [(code, ("items", code)) for code in locale.items]
    yield from _unknown(loaded, "unknown_item", entries, wordings, "The item")
    for code, texts in locale.items.items():
        named: list[tuple[str, YamlPath]] = [(wording, ("items", code, wording)) for wording in texts]
        yield from _unknown(loaded, "unknown_wording", named, known, "The wording")
