"""Roll-ups: dimensions and items of several instruments that are read together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal

from servicediag.instrument.catalogue import instrument_ids, instruments_root

if TYPE_CHECKING:
    from servicediag.errors import Issue
    from servicediag.instrument.documents import InstrumentDocument, RollupsDocument
    from servicediag.instrument.yaml_loader import LoadedYaml, YamlPath

__all__ = ["Rollup", "RollupPart", "load_rollups"]

FILE = "_rollups.yaml"


@dataclass(frozen=True)
class RollupPart:
    """One side of a roll-up; ``references`` are ``instrument/dimension`` or item codes."""

    id: str
    title: Mapping[str, str]
    references: tuple[str, ...]


@dataclass(frozen=True)
class Rollup:
    """Parts of several instruments that are read together; a declaration, without a score of its own.

    Attributes
    ----------
    title : mapping language -> text
    source : str
        Where the roll-up and its composition come from.
    evidence : {"S", "S~", "I"}
        Whether the source states the composition, implies it, or the authors infer it.
    notes : tuple of str
        Cautions for whoever reads the parts together.
    """

    id: str
    title: Mapping[str, str]
    source: str
    evidence: Literal["S", "S~", "I"]
    notes: tuple[str, ...]
    parts: tuple[RollupPart, ...]


def load_rollups(*, root: Traversable | None = None) -> tuple[Rollup, ...]:
    """The roll-ups of the catalogue, every reference checked.

    Parameters
    ----------
    root : Traversable, optional
        Folder of another catalogue; default is the one that comes with servicediag.

    Returns
    -------
    tuple of Rollup
        Empty where the catalogue has no ``_rollups.yaml``.

    Raises
    ------
    InstrumentError
        The file is faulty, or names an instrument, dimension or item that does not exist.

    Examples
    --------
    >>> triangle = load_rollups()[0]
    >>> triangle.evidence, [part.id for part in triangle.parts]
    ('I', ['strategy', 'systems', 'people'])
    """
    from servicediag.instrument.documents import RollupsDocument
    from servicediag.instrument.loading import SourceFolder, faults, read_structure
    from servicediag.instrument.yaml_loader import load_yaml, validate_document

    catalogue = instruments_root() if root is None else root
    if not catalogue.joinpath(FILE).is_file():
        return ()
    outer = SourceFolder(catalogue, "")
    loaded = load_yaml(outer.file(FILE), FILE)
    document = validate_document(loaded, RollupsDocument)
    structures = {
        instrument_id: read_structure(SourceFolder(outer.file(instrument_id), instrument_id))[0]
        for instrument_id in instrument_ids(catalogue)
    }
    issues = list(_faults(document, loaded, structures))
    if issues:
        raise faults(FILE, issues)
    return tuple(
        Rollup(
            rollup.id,
            rollup.title,
            rollup.source,
            rollup.evidence,
            rollup.notes,
            tuple(RollupPart(part.id, part.title, part.references) for part in rollup.parts),
        )
        for rollup in document.rollups
    )


def _faults(
    document: RollupsDocument, loaded: LoadedYaml, structures: Mapping[str, InstrumentDocument]
) -> Iterator[Issue]:
    """References that lead nowhere, ids and references that are repeated, and texts that are missing."""
    titles = [rollup.title for rollup in document.rollups]
    titles += [part.title for rollup in document.rollups for part in rollup.parts]
    languages = sorted({name for title in titles for name in title})
    seen: set[str] = set()
    for index, rollup in enumerate(document.rollups):
        path: YamlPath = ("rollups", index)
        yield from _once(rollup.id, seen, loaded, (*path, "id"), "The roll-up")
        yield from _complete(rollup.title, languages, loaded, (*path, "title"))
        parts: set[str] = set()
        references: set[str] = set()
        for position, part in enumerate(rollup.parts):
            place: YamlPath = (*path, "parts", position)
            yield from _once(part.id, parts, loaded, (*place, "id"), "The part")
            yield from _complete(part.title, languages, loaded, (*place, "title"))
            for number, reference in enumerate(part.references):
                where: YamlPath = (*place, "references", number)
                yield from _once(reference, references, loaded, where, "The reference")
                yield from _unknown(reference, structures, loaded, where)


def _once(name: str, seen: set[str], loaded: LoadedYaml, path: YamlPath, what: str) -> Iterator[Issue]:
    if name in seen:
        yield loaded.issue("duplicate_id", path, f"{what} {name!r} is used twice.", "Keep one of them.")
    seen.add(name)


def _complete(texts: Mapping[str, str], languages: list[str], loaded: LoadedYaml, path: YamlPath) -> Iterator[Issue]:
    lost = [name for name in languages if name not in texts]
    if lost:
        problem = f"A title lacks a text in {', '.join(lost)}."
        yield loaded.issue("missing_text", path, problem, "Give every title in every language of the file.")


def _unknown(
    reference: str, structures: Mapping[str, InstrumentDocument], loaded: LoadedYaml, path: YamlPath
) -> Iterator[Issue]:
    from servicediag.instrument.yaml_loader import did_you_mean

    instrument, slash, dimension = reference.partition("/")
    if not slash:
        codes = [item.code for one in structures.values() for d in one.dimensions for item in d.items]
        if reference not in codes:
            problem = f"The item {reference!r} does not exist."
            yield loaded.issue("unknown_item", path, problem, did_you_mean(reference, codes))
    elif instrument not in structures:
        problem = f"The instrument {instrument!r} does not exist."
        yield loaded.issue("unknown_instrument", path, problem, did_you_mean(instrument, structures))
    else:
        known = [d.id for d in structures[instrument].dimensions]
        if dimension not in known:
            problem = f"The dimension {dimension!r} of {instrument} does not exist."
            yield loaded.issue("unknown_dimension", path, problem, did_you_mean(dimension, known))
