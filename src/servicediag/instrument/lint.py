"""The linter: faults of form and matters of judgement in instruments and in the whole catalogue."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable
from itertools import pairwise

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument.background import load_background
from servicediag.instrument.catalogue import (
    ITEMS_PER_MINUTE,
    MAXIMUM_PACKAGE_ITEMS,
    Package,
    instrument_ids,
    instruments_root,
    locate,
    read_packages,
)
from servicediag.instrument.documents import DimensionDocument, ItemDocument, ScaleDocument
from servicediag.instrument.lint_texts import duplicate_issues, item_texts, text_issues, warning
from servicediag.instrument.loading import SourceFolder, list_files, read_sources, sort_issues
from servicediag.instrument.references import (
    InstrumentSources,
    ScaleSource,
    check_scale,
    form_item_codes,
    normalised_label,
)
from servicediag.instrument.rollups import load_rollups
from servicediag.instrument.yaml_loader import YamlPath, check_document, load_yaml

__all__ = ["lint_catalogue", "lint_instrument"]

MINIMUM_REFLECTIVE_ITEMS = 4
"""Convention of this library: fewer items can hardly show that they measure one thing."""
_SCALE_FILE = re.compile(r"[^_.].*\.yaml")


def lint_instrument(
    id_or_path: str | os.PathLike[str] | Traversable, *, root: Traversable | None = None
) -> tuple[Issue, ...]:
    """Every fault of an instrument and everything that a person should look at.

    Parameters
    ----------
    id_or_path : str, path or Traversable
        As in ``load_instrument``.
    root : Traversable, optional
        Folder of another catalogue.

    Returns
    -------
    tuple of Issue
        By file and line. Faults of form are errors: what ``load_instrument`` refuses, item codes, keying, too few
        items, missing provenance, repeated texts, placeholders. Matters of judgement are warnings: wording, near
        duplicates, mixed scales.

    Raises
    ------
    ValueError
        The catalogue holds no instrument of that id.
    InstrumentError
        The path does not exist (``unreadable_file``).

    Examples
    --------
    >>> [issue for issue in lint_instrument("seven-sins") if issue.severity == "error"]
    []
    """
    source, scales, expected_id = locate(id_or_path, root)
    reading = read_sources(source, scales, expected_id=expected_id)
    found: list[Issue] = list(reading.issues)
    if reading.sources is not None:
        found += _instrument_issues(reading.sources)
        found += duplicate_issues(item_texts(reading.sources))
    return sort_issues(found)


def lint_catalogue(*, root: Traversable | None = None) -> tuple[Issue, ...]:
    """Every fault of every instrument, scale and package of a catalogue, and of what they share.

    Parameters
    ----------
    root : Traversable, optional
        Folder of the catalogue; default is the one that comes with servicediag.

    Returns
    -------
    tuple of Issue
        What ``lint_instrument`` finds in each, and: item codes and prefixes used by two instruments, the same or
        nearly the same item in two instruments, scales that share all their labels, faulty background fields,
        packages and roll-ups that lead nowhere, packages that are long (a warning).

    Examples
    --------
    >>> [issue for issue in lint_catalogue() if issue.severity == "error"]
    []
    """
    catalogue = instruments_root() if root is None else root
    found: list[Issue] = []
    instruments: list[InstrumentSources] = []
    for instrument_id in instrument_ids(catalogue):
        source, folders, expected_id = locate(instrument_id, catalogue)
        reading = read_sources(source, folders, expected_id=expected_id)
        found += reading.issues
        if reading.sources is not None:
            instruments.append(reading.sources)
            found += _instrument_issues(reading.sources)
    found += duplicate_issues([text for sources in instruments for text in item_texts(sources)])
    found += _shared_codes(instruments)
    scales, issues = _catalogue_scales(catalogue)
    found += issues
    own = [scale for sources in instruments for scale in sources.scales.values() if scale.path]
    found += _shared_label_sets([*scales, *own])
    found += _shared_file_issues(catalogue)
    return sort_issues(found)


def _shared_file_issues(root: Traversable) -> Iterator[Issue]:
    """Faults of packages, background fields and roll-ups."""
    try:
        yield from _long_packages(read_packages(root), root)
    except InstrumentError as error:
        yield from error.issues
    try:
        load_background(root=root)
    except InstrumentError as error:
        yield from error.issues
    try:
        load_rollups(root=root)
    except InstrumentError as error:
        yield from error.issues


def _long_packages(packages: Sequence[Package], root: Traversable) -> Iterator[Issue]:
    """A warning for each package that asks too much of one person."""
    for index, package in enumerate(packages):
        if package.n_items > MAXIMUM_PACKAGE_ITEMS:
            loaded = load_yaml(SourceFolder(root, "").file("_packages.yaml"), "_packages.yaml")
            problem = f"The package {package.id!r} asks {package.n_items} items, about {package.minutes} minutes."
            remedy = f"Ask one person for at most {MAXIMUM_PACKAGE_ITEMS}, at {ITEMS_PER_MINUTE} items a minute."
            yield warning(loaded, "long_package", ("packages", index), problem, remedy)


def _instrument_issues(sources: InstrumentSources) -> Iterator[Issue]:
    yield from _identity(sources)
    for index, dimension in enumerate(sources.document.dimensions):
        path: YamlPath = ("dimensions", index)
        yield from _item_count(sources, dimension, path)
        yield from _keying(sources, dimension, path)
        yield from _mixed_scales(sources, dimension, path)
        yield from _target_at_an_end(sources, dimension, path)
        for position, item in enumerate(dimension.items):
            yield from _item_issues(sources, dimension, item, (*path, "items", position))
    for scale in sources.scales.values():
        yield from _uneven_codes(scale)
    yield from _shared_label_sets(list(sources.scales.values()))
    yield from text_issues(sources)


def _identity(sources: InstrumentSources) -> Iterator[Issue]:
    document, loaded = sources.document, sources.loaded
    for key in ("license", "sources"):
        if not getattr(document, key):
            yield loaded.issue("missing_provenance", (), f"The instrument does not state its {key}.", f"Add {key!r}.")
    held = {code for form in document.forms for code in form_item_codes(document, form)}
    for index, dimension in enumerate(document.dimensions):
        for position, item in enumerate(dimension.items):
            if item.code not in held:
                path = ("dimensions", index, "items", position)
                problem = f"No form holds the item {item.code!r}."
                yield loaded.issue("unused_item", path, problem, "Add it to a form or delete it.")


def _is_sin(sources: InstrumentSources, dimension: DimensionDocument) -> bool:
    return dimension.block == "sins" or sources.document.prefix == "sin"


def _item_count(sources: InstrumentSources, dimension: DimensionDocument, path: YamlPath) -> Iterator[Issue]:
    scored = sum(item.in_score for item in dimension.items)
    if dimension.measurement == "reflective" and scored < MINIMUM_REFLECTIVE_ITEMS:
        problem = f"The reflective dimension {dimension.id!r} has {scored} scored items."
        remedy = f"Give it at least {MINIMUM_REFLECTIVE_ITEMS}, or declare it as what it is."
        yield sources.loaded.issue("too_few_items", path, problem, remedy)
    elif dimension.measurement == "single" and scored != 1:
        problem = f"The dimension {dimension.id!r} is declared single and has {scored} scored items."
        yield sources.loaded.issue("too_many_items", path, problem, "Keep one, or declare another measurement.")


def _keying(sources: InstrumentSources, dimension: DimensionDocument, path: YamlPath) -> Iterator[Issue]:
    reverse_keyed = sum(item.reverse_keyed for item in dimension.items)
    if dimension.measurement != "reflective":
        return
    if _is_sin(sources, dimension):
        if reverse_keyed != 1:
            problem = f"The sin {dimension.id!r} has {reverse_keyed} reverse-keyed items."
            yield sources.loaded.issue("keying", path, problem, "Give it exactly one, opposed in content.")
    elif reverse_keyed > 1:
        problem = f"The dimension {dimension.id!r} has {reverse_keyed} reverse-keyed items."
        yield sources.loaded.issue("keying", path, problem, "Keep at most one.")


def _mixed_scales(sources: InstrumentSources, dimension: DimensionDocument, path: YamlPath) -> Iterator[Issue]:
    scales = sorted({item.scale or dimension.scale or "" for item in dimension.items if item.in_score})
    if len(scales) > 1:
        problem = f"The items of {dimension.id!r} use different scales: {', '.join(scales)}."
        remedy = "Use one scale, so that the items can be averaged without assumptions."
        yield warning(sources.loaded, "mixed_scales", path, problem, remedy)


def _target_at_an_end(sources: InstrumentSources, dimension: DimensionDocument, path: YamlPath) -> Iterator[Issue]:
    if dimension.target is None or 0 < dimension.target.points < 100:
        return
    problem = f"The target of {dimension.id!r} is {dimension.target.points:g} points of health, an end of the scale."
    remedy = "Every group meets 0, and none that has any trouble meets 100: declare what is to be reached."
    yield warning(sources.loaded, "target_at_an_end", (*path, "target", "points"), problem, remedy)


def _item_issues(
    sources: InstrumentSources, dimension: DimensionDocument, item: ItemDocument, path: YamlPath
) -> Iterator[Issue]:
    loaded, prefix = sources.loaded, sources.document.prefix
    match = re.fullmatch(r"([a-z0-9]+)_([a-z0-9_]+)_[a-z]?[0-9]+", item.code)
    part = match.group(2) if match else ""
    if match is None or match.group(1) != prefix or not f"{dimension.id}_".startswith(f"{part}_"):
        problem = f"The item code {item.code!r} does not say prefix, dimension and number."
        remedy = f"Write it as {prefix}_{dimension.id}_1."
        yield loaded.issue("item_code", (*path, "code"), problem, remedy)
    lost = [
        key for key in ("facet", "source", "evidence") if key not in item.model_fields_set or not getattr(item, key)
    ]
    if lost:
        problem = f"The item {item.code!r} does not state its {', '.join(lost)}."
        yield loaded.issue("missing_provenance", path, problem, "Say where its content comes from.")


def _uneven_codes(source: ScaleSource) -> Iterator[Issue]:
    codes = source.document.codes
    steps = {high - low for low, high in pairwise(codes)}
    if len(steps) > 1:
        problem = f"The codes of {source.document.id!r} are not evenly spaced."
        yield source.loaded.issue("uneven_codes", (*source.path, "codes"), problem, "Number the options one by one.")


def _shared_codes(instruments: list[InstrumentSources]) -> Iterator[Issue]:
    """Item codes and prefixes that two instruments use: one export may hold both."""
    prefixes: dict[str, str] = {}
    codes: dict[str, str] = {}
    for sources in instruments:
        document, loaded = sources.document, sources.loaded
        owner = prefixes.setdefault(document.prefix, document.id)
        if owner != document.id:
            problem = f"The prefix {document.prefix!r} is used by {owner!r} as well."
            yield loaded.issue("duplicate_id", ("prefix",), problem, "Choose another prefix.")
        for index, dimension in enumerate(document.dimensions):
            for position, item in enumerate(dimension.items):
                owner = codes.setdefault(item.code.replace("_", ""), document.id)
                if owner != document.id:
                    path = ("dimensions", index, "items", position, "code")
                    problem = f"The item code {item.code!r} is used by {owner!r} as well."
                    yield loaded.issue("duplicate_id", path, problem, "Item codes are unique over the catalogue.")


def _catalogue_scales(root: Traversable) -> tuple[list[ScaleSource], list[Issue]]:
    """Every scale file of a catalogue, whether an instrument names it or not."""
    scales: list[ScaleSource] = []
    issues: list[Issue] = []
    folder = SourceFolder(root.joinpath("_scales"), "_scales")
    for file in list_files(folder.folder, _SCALE_FILE):
        try:
            loaded = load_yaml(folder.read(file), folder.name(file))
        except InstrumentError as error:
            issues.extend(error.issues)
            continue
        document, found = check_document(loaded, ScaleDocument)
        issues.extend(found)
        if document is not None:
            source = ScaleSource(document, loaded)
            scales.append(source)
            issues.extend([*check_scale(source), *_uneven_codes(source)])
            if f"{document.id}.yaml" != file:
                problem = f"The id is {document.id!r}, its file {file.removesuffix('.yaml')!r}."
                issues.append(loaded.issue("invalid_value", ("id",), problem, "Rename one."))
    return scales, issues


def _shared_label_sets(scales: list[ScaleSource]) -> Iterator[Issue]:
    """Scales whose labels are the same: a column of labels could not be told apart."""
    owners: dict[frozenset[str], str] = {}
    for source in scales:
        for language, labels in source.document.labels.items():
            key = frozenset(normalised_label(label) for label in labels.values())
            owner = owners.setdefault(key, source.document.id)
            if owner != source.document.id:
                problem = f"The scales {owner!r} and {source.document.id!r} have the same labels in {language!r}."
                path = (*source.path, "labels", language)
                yield source.loaded.issue("duplicate_label_set", path, problem, "Keep one scale, or word one anew.")
