"""The files of one instrument, read into an ``Instrument``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument.documents import (
    DEVICE_NAMES,
    DimensionDocument,
    FormDocument,
    InstrumentDocument,
    LocaleDocument,
    ScaleDocument,
)
from servicediag.instrument.model import Dimension, Form, FormText, Instrument, Item, Locale, Scale, Target
from servicediag.instrument.references import (
    InstrumentSources,
    ScaleSource,
    check_references,
    form_item_codes,
)
from servicediag.instrument.yaml_loader import LoadedYaml, check_document, load_yaml, read_bytes

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

__all__ = [
    "Reading",
    "SourceFolder",
    "faults",
    "is_safe_name",
    "list_files",
    "list_languages",
    "load_folder",
    "read_sources",
    "read_structure",
    "sort_issues",
]

_NAME = re.compile(r"[a-z][a-z0-9_-]{1,63}")
_LANGUAGE_FILE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\.yaml")
_SCALE_FILE = re.compile(r"[a-z][a-z0-9_-]{1,63}\.yaml")


class SourceFolder:
    """A folder of files that are read into documents, each once; nothing outside the folder is opened.

    Parameters
    ----------
    folder : Path or Traversable
    label : str
        How the folder is called in messages.
    """

    def __init__(self, folder: Traversable, label: str) -> None:
        self.folder = folder
        self.label = label

    def name(self, relative: str) -> str:
        """Name of a file in messages."""
        return f"{self.label}/{relative}" if self.label else relative

    def file(self, relative: str) -> Traversable:
        """A file of the folder.

        Raises
        ------
        InstrumentError
            ``unsafe_file``: links lead out of the folder.
        """
        found = self.folder.joinpath(relative)
        # os.path resolves, where pathlib raises: links that lead round in a circle, for one.
        if (
            isinstance(found, Path)
            and isinstance(self.folder, Path)
            and not Path(os.path.realpath(found)).is_relative_to(os.path.realpath(self.folder))
        ):
            name = self.name(relative)
            problem = "The file lies outside its folder."
            raise faults(name, [Issue("unsafe_file", "error", name, problem, "Replace the link by the file itself.")])
        return found

    def read(self, relative: str) -> bytes:
        """The bytes of a file."""
        return read_bytes(self.file(relative), self.name(relative))


def is_safe_name(name: str) -> bool:
    """Whether an id may become part of a path.

    Examples
    --------
    >>> is_safe_name("seven-sins"), is_safe_name("../x"), is_safe_name("con")
    (True, False, False)
    """
    return _NAME.fullmatch(name) is not None and name not in DEVICE_NAMES


def list_files(folder: Traversable, pattern: re.Pattern[str]) -> list[str]:
    """Names of the entries that match the whole pattern, sorted; none where the folder is missing."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if pattern.fullmatch(entry.name))


def faults(name: str, issues: Iterable[Issue]) -> InstrumentError:
    """One error for all faults, in the order of files and lines."""
    ordered = sort_issues(issues)
    return InstrumentError(f"{name}: {len(ordered)} problem{'s' if len(ordered) != 1 else ''}", ordered)


def sort_issues(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Each issue once, in the order of files and lines."""
    return tuple(sorted(dict.fromkeys(issues), key=_file_and_line))


def _file_and_line(issue: Issue) -> tuple[str, int]:
    file, _, line = issue.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (issue.where, 0)


def read_structure(source: SourceFolder) -> tuple[InstrumentDocument, LoadedYaml]:
    """``instrument.yaml`` alone: forms, dimensions, codes; its references are not checked.

    Raises
    ------
    InstrumentError
    """
    reader = _Reader()
    found = reader.document(source, "instrument.yaml", InstrumentDocument)
    if found is None:
        raise faults(source.name("instrument.yaml"), reader.issues)
    return found


def list_languages(source: SourceFolder, original: str) -> tuple[str, ...]:
    """Languages that an instrument has a file of texts for, the original first."""
    found = [file.removesuffix(".yaml") for file in list_files(source.folder.joinpath("locale"), _LANGUAGE_FILE)]
    return (original, *(language for language in found if language != original))


def load_folder(
    source: SourceFolder, scale_folders: Sequence[SourceFolder] = (), *, expected_id: str | None = None
) -> Instrument:
    """An instrument from its folder, every reference checked.

    Parameters
    ----------
    source : SourceFolder
        Holds ``instrument.yaml`` and ``locale/``.
    scale_folders : sequence of SourceFolder
        Where scales are looked up that the instrument does not define itself, the first match wins.
    expected_id : str, optional
        Id that the instrument must have, given by its place in the catalogue.

    Raises
    ------
    InstrumentError
        With every fault of every file, by file and line.
    """
    reading = read_sources(source, scale_folders, expected_id=expected_id)
    if reading.sources is None or reading.issues:
        raise faults(source.label, reading.issues)
    return _build(reading.sources, reading.content_hash)


@dataclass(frozen=True)
class Reading:
    """What was read of an instrument: its documents where ``instrument.yaml`` is valid, and every fault."""

    sources: InstrumentSources | None
    issues: tuple[Issue, ...]
    content_hash: str = ""


def read_sources(
    source: SourceFolder, scale_folders: Sequence[SourceFolder] = (), *, expected_id: str | None = None
) -> Reading:
    """Read and check the files of an instrument without raising; parameters as in ``load_folder``."""
    reader = _Reader()
    structure = reader.document(source, "instrument.yaml", InstrumentDocument)
    locales: dict[str, tuple[LocaleDocument, LoadedYaml]] = {}
    for file in list_files(source.folder.joinpath("locale"), _LANGUAGE_FILE):
        found = reader.document(source, f"locale/{file}", LocaleDocument)
        if found is not None:
            locales[file.removesuffix(".yaml")] = found
    if structure is None:
        return Reading(None, sort_issues(reader.issues))
    document, loaded = structure
    if expected_id is not None and document.id != expected_id:
        problem = f"The id is {document.id!r}, its folder {expected_id!r}."
        reader.issues.append(loaded.issue("invalid_value", ("id",), problem, "Rename one."))
    scales, choices = reader.scales(document, loaded, scale_folders)
    sources = InstrumentSources(document, loaded, locales, scales, choices)
    issues = sort_issues([*reader.issues, *check_references(sources, reader.unreadable)])
    return Reading(sources, issues, reader.content_hash())


class _Reader:
    """Reads files into documents and keeps their faults and bytes."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.contents: dict[str, bytes] = {}
        self.unreadable: set[str] = set()

    def document(
        self, source: SourceFolder, relative: str, model: type[Model], *, prefix: str = ""
    ) -> tuple[Model, LoadedYaml] | None:
        try:
            content = source.read(relative)
            loaded = load_yaml(content, source.name(relative))
        except InstrumentError as error:
            self.issues.extend(error.issues)
            self.unreadable.add(prefix + relative)
            return None
        self.contents[prefix + relative] = content
        document, issues = check_document(loaded, model)
        self.issues.extend(issues)
        if document is None:
            self.unreadable.add(prefix + relative)
            return None
        return document, loaded

    def scales(
        self, document: InstrumentDocument, loaded: LoadedYaml, folders: Sequence[SourceFolder]
    ) -> tuple[dict[str, ScaleSource], tuple[str, ...]]:
        """The scales that an instrument names or defines, and the ids of all it could name."""
        scales = {
            scale.id: ScaleSource(scale, loaded, ("scales", index)) for index, scale in enumerate(document.scales)
        }
        choices = list(scales)
        for folder in folders:
            choices += [file.removesuffix(".yaml") for file in list_files(folder.folder, _SCALE_FILE)]
        for scale_id in _named_scales(document):
            holder = next((f for f in folders if f.folder.joinpath(f"{scale_id}.yaml").is_file()), None)
            if scale_id in scales or holder is None:
                continue
            found = self.document(holder, f"{scale_id}.yaml", ScaleDocument, prefix="_scales/")
            if found is not None:
                scales[scale_id] = ScaleSource(*found)
                if found[0].id != scale_id:
                    problem = f"The id is {found[0].id!r}, its file {scale_id!r}."
                    self.issues.append(found[1].issue("invalid_value", ("id",), problem, "Rename one."))
        return scales, tuple(dict.fromkeys(choices))

    def content_hash(self) -> str:
        digest = hashlib.sha256()
        for relative in sorted(self.contents):
            digest.update(self.contents[relative])
        return digest.hexdigest()


def _named_scales(document: InstrumentDocument) -> list[str]:
    named = [scale for form in document.forms for scale in form.scales.values()]
    for dimension in document.dimensions:
        named += [scale for scale in (dimension.scale, *(item.scale for item in dimension.items)) if scale is not None]
    return list(dict.fromkeys(named))


def _build(sources: InstrumentSources, content_hash: str) -> Instrument:
    document = sources.document
    original, _ = sources.locales[document.original_language]
    scales = {scale_id: _scale(source.document) for scale_id, source in sources.scales.items()}
    forms = tuple(_form(document, form) for form in document.forms)
    languages = (document.original_language, *sorted(set(sources.locales) - {document.original_language}))
    return Instrument(
        id=document.id,
        version=document.version,
        title=original.title,
        languages=languages,
        forms=forms,
        dimensions=tuple(_dimension(dimension, original, forms[0], scales) for dimension in document.dimensions),
        scales=scales,
        locales={language: _locale(sources.locales[language][0]) for language in languages},
        status=document.status,
        license=document.license,
        sources=document.sources,
        notes=document.notes,
        content_hash=content_hash,
    )


def _scale(document: ScaleDocument) -> Scale:
    return Scale(
        id=document.id,
        codes=document.codes,
        labels={
            language: {code: labels[code] for code in document.codes} for language, labels in document.labels.items()
        },
        missing={
            language: {str(reason): text for reason, text in options.items()}
            for language, options in document.missing.items()
        },
        aliases={language: dict(aliases) for language, aliases in document.aliases.items()},
    )


def _form(document: InstrumentDocument, form: FormDocument) -> Form:
    codes = form_item_codes(document, form)
    scales = {}
    for dimension in document.dimensions:
        scale = form.scales.get(dimension.id, form.scales.get("default"))
        if scale is not None:
            scales.update({item.code: scale for item in dimension.items if item.code in codes})
    return Form(
        id=form.id,
        rater=form.rater,
        items=codes,
        wording=form.wording or form.id,
        scales=scales,
        reference_period=form.reference_period,
        short_of=form.short_of,
    )


def _dimension(document: DimensionDocument, locale: LocaleDocument, first: Form, scales: dict[str, Scale]) -> Dimension:
    items = []
    for entry in document.items:
        scale = entry.scale or document.scale or ""
        bounds = scales[first.scales.get(entry.code, scale)]
        items.append(
            Item(
                code=entry.code,
                dimension=document.id,
                scale=scale,
                minimum=bounds.minimum,
                maximum=bounds.maximum,
                reverse_keyed=entry.reverse_keyed,
                in_score=entry.in_score,
                facet=entry.facet,
                source=entry.source,
                evidence=entry.evidence,
            )
        )
    text = locale.dimensions[document.id]
    return Dimension(
        id=document.id,
        title=text.title,
        direction=document.direction,
        measurement=document.measurement,
        items=tuple(items),
        minimum_answered=document.minimum_answered,
        block=document.block,
        definition=text.definition,
        target=None if document.target is None else Target(document.target.points, document.target.source),
    )


def _locale(document: LocaleDocument) -> Locale:
    return Locale(
        language=document.language,
        status=document.status,
        title=document.title,
        definition=document.definition,
        forms={
            form: FormText(texts.title, texts.instruction, dict(texts.stems)) for form, texts in document.forms.items()
        },
        dimensions={key: (texts.title, texts.definition) for key, texts in document.dimensions.items()},
        items={code: dict(texts) for code, texts in document.items.items()},
    )
