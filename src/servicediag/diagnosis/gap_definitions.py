"""Read the definitions of gaps strictly, and check them against the catalogue."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicediag.instrument.catalogue import instrument_ids, instruments_root, load_instrument
from servicediag.instrument.yaml_loader import did_you_mean

if TYPE_CHECKING:
    from servicediag.diagnosis.gap_documents import GapDefinitions, Member
    from servicediag.errors import Issue
    from servicediag.instrument.background import BackgroundField
    from servicediag.instrument.model import Instrument
    from servicediag.instrument.yaml_loader import LoadedYaml, YamlPath

__all__ = ["lint_gaps", "load_gaps"]

FILE = "_rules/gaps.yaml"


def load_gaps(path: str | os.PathLike[str] | Traversable | None = None) -> GapDefinitions:
    """The definitions of gaps: which scales and items make up each side.

    Parameters
    ----------
    path : str, path or Traversable, optional
        A YAML file; default is the one that comes with servicediag.

    Raises
    ------
    InstrumentError
        With every fault as an ``Issue`` with file and line: ``unreadable_file``, ``unknown_key``, ``missing_key``,
        ``unknown_value``, ``invalid_value``, ``duplicate_id``.

    Examples
    --------
    >>> load_gaps().stages.order[0]
    'acculturation/info'
    """
    from servicediag.instrument.loading import faults

    if path is None:
        return _own()
    loaded, document = _read(path)
    issues = tuple(_repeated(document, loaded))
    if issues:
        raise faults(loaded.name, issues)
    return document


def lint_gaps(path: str | os.PathLike[str] | Traversable | None = None) -> tuple[Issue, ...]:
    """Every fault of a file of gap definitions, references into the catalogue included.

    Returns
    -------
    tuple of Issue
        The faults of reading, or else ``duplicate_id`` and ``unknown_reference`` (an instrument, dimension, item,
        rater's form, answer, background field or option that does not exist); empty where the file is sound.

    Examples
    --------
    >>> lint_gaps()
    ()
    """
    from servicediag.errors import InstrumentError
    from servicediag.instrument.background import load_background
    from servicediag.instrument.loading import sort_issues

    try:
        loaded, document = _read(instruments_root().joinpath(FILE) if path is None else path)
    except InstrumentError as error:
        return error.issues
    instruments = {name: load_instrument(name) for name in instrument_ids(instruments_root())}
    fields = {field.id: field for field in load_background()}
    found = (
        *_repeated(document, loaded),
        *_unknown(document, loaded, instruments),
        *_unknown_options(document, loaded, fields),
        *_unknown_indicators(document, loaded),
    )
    return sort_issues(found)


@lru_cache(maxsize=1)
def _own() -> GapDefinitions:
    return load_gaps(instruments_root().joinpath(FILE))


def _read(path: str | os.PathLike[str] | Traversable) -> tuple[LoadedYaml, GapDefinitions]:
    from servicediag.diagnosis.gap_documents import GapDefinitions
    from servicediag.instrument.yaml_loader import load_yaml, validate_document

    place = Path(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(place, Traversable):
        raise TypeError(f"path must be a path, not {type(path).__name__}")
    loaded = load_yaml(place, FILE if place == instruments_root().joinpath(FILE) else str(place))
    return loaded, validate_document(loaded, GapDefinitions)


def _repeated(document: GapDefinitions, loaded: LoadedYaml) -> Iterator[Issue]:
    named: dict[YamlPath, list[str]] = {
        ("patterns",): [pattern.id for pattern in document.patterns],
        ("confidence_capability", "facets"): [facet.id for facet in document.confidence_capability.facets],
        ("stages", "inversions"): [inversion.id for inversion in document.stages.inversions],
        ("stages", "order"): list(document.stages.order),
        ("negative_cycle", "stages"): [stage.id for stage in document.negative_cycle.stages],
    }
    for path, names in named.items():
        for index, name in enumerate(names):
            if name in names[:index]:
                yield loaded.issue("duplicate_id", (*path, index), f"{name!r} is used twice.", "Keep one of them.")


def _unknown(document: GapDefinitions, loaded: LoadedYaml, instruments: Mapping[str, Instrument]) -> Iterator[Issue]:
    """Dimensions, items and answers that do not exist, or that no such rater is asked about."""
    for path, references, raters in _references(document):
        for number, reference in enumerate(references):
            problem = _fault_of(reference, raters, instruments)
            if problem:
                yield loaded.issue("unknown_reference", (*path, number), problem, "Choose from the catalogue.")
    promise, silent = document.promise_gap, document.silent_loss
    for place, answers in (
        (("promise_gap", "second_breach"), promise.second_breach),
        (("silent_loss", "left"), silent.left),
        (("silent_loss", "told"), silent.told),
    ):
        raters = answers.raters or silent.raters
        problem = _fault_of(answers.item, raters, instruments) or _unknown_answers(answers, raters, instruments)
        if problem:
            yield loaded.issue("unknown_reference", place, problem, "Choose from the catalogue.")


def _unknown_options(
    document: GapDefinitions, loaded: LoadedYaml, fields: Mapping[str, BackgroundField]
) -> Iterator[Issue]:
    promise = document.promise_gap
    options: list[tuple[YamlPath, str, tuple[str, ...]]] = [
        (("promise_gap", "screen"), promise.screen.field, (*promise.screen.kept, *promise.screen.broken)),
        (("promise_gap", "repair"), promise.repair.field, (*promise.repair.repaired, *promise.repair.left_broken)),
        (("tenure_gradient", "field"), document.tenure_gradient.field, ()),
    ]
    for path, name, codes in options:
        lost = [code for code in codes if name in fields and code not in fields[name].options]
        if name not in fields or lost:
            what = f"The background field {name!r} has no option {lost[0]!r}" if lost else f"There is no field {name!r}"
            yield loaded.issue("unknown_reference", path, f"{what}.", "Choose from _background.yaml.")


def _unknown_indicators(document: GapDefinitions, loaded: LoadedYaml) -> Iterator[Issue]:
    """Operations data that the catalogue of indicators does not know."""
    from servicediag.diagnosis.rules import load_rules

    known = [indicator.id for indicator in load_rules().indicators]
    promise, loss = document.promise_gap.operations, document.silent_loss.operations
    named: list[tuple[YamlPath, tuple[str, ...]]] = [
        (("promise_gap", "operations"), (promise.breach, promise.repaired, promise.second_breach)),
        (("silent_loss", "operations"), (loss.left, loss.complaints)),
    ]
    for index, stage in enumerate(document.negative_cycle.stages):
        named.append((("negative_cycle", "stages", index, "operations"), stage.operations))
    for path, names in named:
        for name in names:
            if name not in known:
                yield loaded.issue("unknown_reference", path, f"{name!r} is no indicator.", did_you_mean(name, known))


def _references(document: GapDefinitions) -> Iterator[tuple[YamlPath, tuple[str, ...], tuple[str, ...]]]:
    """Path, references and raters of every list of references."""
    d = document
    yield ("provision",), d.provision, ()
    pair = d.confidence_capability
    yield ("confidence_capability",), (pair.confidence, pair.capability), pair.raters
    for index, facet in enumerate(pair.facets):
        place: YamlPath = ("confidence_capability", "facets", index)
        yield (*place, "confidence"), facet.confidence, pair.raters
        yield (*place, "capability"), facet.capability, pair.raters
    yield ("attribution", "environment"), d.attribution.environment, ()
    yield ("attribution", "blame"), (d.attribution.blame.staff, d.attribution.blame.situation), ()
    yield ("promise_gap", "attitude"), d.promise_gap.attitude, d.promise_gap.raters
    for index, statement in enumerate(d.say_do.pairs):
        yield ("say_do", "pairs", index), (statement.said, statement.done), d.say_do.raters
    yield ("stages", "order"), d.stages.order, d.stages.raters
    for index, inversion in enumerate(d.stages.inversions):
        yield ("stages", "inversions", index), (inversion.ahead, inversion.behind), d.stages.raters
    yield ("tenure_gradient", "references"), d.tenure_gradient.references, d.tenure_gradient.raters
    yield ("launch_decay", "cynicism"), d.launch_decay.cynicism, d.launch_decay.raters
    sides: list[tuple[YamlPath, tuple[Member, ...]]] = [
        (("attribution", "person"), d.attribution.person),
        (("attribution", "organisation"), d.attribution.organisation),
        (("internal_external", "internal"), d.internal_external.internal),
        (("internal_external", "external"), d.internal_external.external),
    ]
    stages = enumerate(d.negative_cycle.stages)
    sides += [(("negative_cycle", "stages", index, "members"), stage.members) for index, stage in stages]
    for path, members in sides:
        for index, member in enumerate(members):
            yield (*path, index, "references"), member.references, member.raters


def _fault_of(reference: str, raters: tuple[str, ...], instruments: Mapping[str, Instrument]) -> str:
    """Why the reference leads nowhere; empty text where it is sound."""
    instrument_id, slash, dimension = reference.partition("/")
    if not slash:
        holder = next((i for i in instruments.values() if any(item.code == reference for item in i.items)), None)
        codes = [reference]
    else:
        holder = instruments.get(instrument_id)
        if holder is not None and dimension not in [d.id for d in holder.dimensions]:
            holder = None
        codes = [] if holder is None else [item.code for item in holder.dimension(dimension).items]
    if holder is None:
        return f"{reference!r} does not exist."
    asked = {form.rater for form in holder.forms if any(code in form.items for code in codes)}
    return f"No form asks {' or '.join(raters)} about {reference!r}." if raters and not asked & set(raters) else ""


def _unknown_answers(answers: Any, raters: tuple[str, ...], instruments: Mapping[str, Instrument]) -> str:
    for instrument in instruments.values():
        for form in instrument.forms:
            if form.rater in raters and answers.item in form.items:
                lost = [c for c in answers.answers if c not in instrument.scale(answers.item, form.id).codes]
                if lost:
                    return f"{answers.item!r} has no answer {lost[0]}."
    return ""
