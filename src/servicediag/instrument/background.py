"""Background fields: what is asked or noted about respondents beside the items, shared by all instruments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal

from servicediag.instrument.catalogue import instruments_root
from servicediag.instrument.model import Rater

if TYPE_CHECKING:
    from servicediag.errors import Issue
    from servicediag.instrument.documents import BackgroundDocument, BackgroundFieldDocument
    from servicediag.instrument.yaml_loader import LoadedYaml, YamlPath

__all__ = ["BackgroundField", "load_background"]

FILE = "_background.yaml"


@dataclass(frozen=True)
class BackgroundField:
    """A question about the respondent, or a label that the survey sets.

    Attributes
    ----------
    kind : {"choice", "number", "text"}
    set_by : {"respondent", "survey"}
        Asked, or set by the link, the sheet or the analyst.
    raters : tuple of str
        The respondents for whom the field makes sense.
    optional : bool
        Whether it is left out unless an analysis needs it.
    ordered : bool
        Whether the options have an order, from the first to the last.
    title, question : mapping language -> text
        The name in reports, and what a respondent reads; ``question`` is empty where nothing is asked.
    options : mapping code -> {language: label}
        Empty unless ``kind`` is ``"choice"``.
    minimum, maximum : int or None
        Bounds of a number.
    shown_if : mapping field id -> option codes
        The field is asked only of those who chose one of these; empty: of everybody.
    why : str
        What the field is for.
    identifiability : str
        How far it helps to recognise a person, and what to do about that.
    """

    id: str
    kind: Literal["choice", "number", "text"]
    set_by: Literal["respondent", "survey"]
    raters: tuple[Rater, ...]
    title: Mapping[str, str]
    question: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    optional: bool = False
    ordered: bool = False
    minimum: int | None = None
    maximum: int | None = None
    shown_if: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    why: str = ""
    identifiability: str = ""

    def labels(self, language: str = "en") -> dict[str, str]:
        """The options in order, ``{code: label}``; empty where the field is no choice.

        Raises
        ------
        ValueError
            There are no texts in that language.

        Examples
        --------
        >>> [one.labels() for one in load_background() if one.id == "put_right"]
        [{'no': 'No', 'partly': 'Partly', 'fully': 'Yes, fully'}]
        """
        if language not in self.title:
            raise ValueError(f"language={language!r} is not available for {self.id}; choose from {tuple(self.title)}")
        return {code: labels[language] for code, labels in self.options.items()}


def load_background(*, root: Traversable | None = None) -> tuple[BackgroundField, ...]:
    """The background fields of the catalogue, in the order in which they are asked.

    Parameters
    ----------
    root : Traversable, optional
        Folder of another catalogue; default is the one that comes with servicediag.

    Returns
    -------
    tuple of BackgroundField
        Empty where the catalogue has no ``_background.yaml``.

    Raises
    ------
    InstrumentError
        The file is faulty: every fault with file and line.

    Examples
    --------
    >>> fields = {one.id: one for one in load_background()}
    >>> fields["customer_type"].labels()["both"], fields["put_right"].shown_if
    ('Both of these', {'promise_broken': ('yes',)})
    """
    from servicediag.instrument.documents import BackgroundDocument
    from servicediag.instrument.loading import SourceFolder, faults
    from servicediag.instrument.yaml_loader import load_yaml, validate_document

    catalogue = instruments_root() if root is None else root
    if not catalogue.joinpath(FILE).is_file():
        return ()
    loaded = load_yaml(SourceFolder(catalogue, "").file(FILE), FILE)
    document = validate_document(loaded, BackgroundDocument)
    issues = list(_faults(document, loaded))
    if issues:
        raise faults(FILE, issues)
    return tuple(_build(entry) for entry in document.fields)


def _build(entry: BackgroundFieldDocument) -> BackgroundField:
    return BackgroundField(
        id=entry.id,
        kind=entry.kind,
        set_by=entry.set_by,
        raters=entry.raters,
        title=entry.title,
        question=entry.question,
        options=entry.options,
        optional=entry.optional,
        ordered=entry.ordered,
        minimum=entry.minimum,
        maximum=entry.maximum,
        shown_if=entry.shown_if,
        why=entry.why,
        identifiability=entry.identifiability,
    )


def _faults(document: BackgroundDocument, loaded: LoadedYaml) -> Iterator[Issue]:
    """Every fault between fields that are each valid by themselves."""
    languages = sorted({name for entry in document.fields for _, texts in _texts(entry, ()) for name in texts})
    earlier: dict[str, BackgroundFieldDocument] = {}
    for index, entry in enumerate(document.fields):
        path: YamlPath = ("fields", index)
        if entry.id in earlier:
            problem = f"The field {entry.id!r} is defined twice."
            yield loaded.issue("duplicate_id", (*path, "id"), problem, "Rename one.")
        yield from _shape(entry, loaded, path)
        yield from _conditions(entry, earlier, loaded, path)
        yield from _labels(entry, loaded, path)
        for where, texts in _texts(entry, path):
            lost = [name for name in languages if name not in texts]
            if lost:
                problem = f"The field {entry.id!r} lacks a text in {', '.join(lost)}."
                yield loaded.issue("missing_text", where, problem, "Give every text in every language of the file.")
        earlier[entry.id] = entry


def _texts(entry: BackgroundFieldDocument, path: YamlPath) -> Iterator[tuple[YamlPath, Mapping[str, str]]]:
    yield (*path, "title"), entry.title
    if entry.question:
        yield (*path, "question"), entry.question
    for code, labels in entry.options.items():
        yield (*path, "options", code), labels


def _shape(entry: BackgroundFieldDocument, loaded: LoadedYaml, path: YamlPath) -> Iterator[Issue]:
    """What each kind of field must and must not have."""
    if entry.kind == "choice" and len(entry.options) < 2:
        problem = f"The choice {entry.id!r} has {len(entry.options)} options."
        yield loaded.issue("missing_key", path, problem, "Give it at least two.")
    if entry.kind != "choice" and (entry.options or entry.ordered):
        problem = f"The {entry.kind} field {entry.id!r} has options or an order."
        yield loaded.issue("invalid_value", path, problem, "Remove them, or make it a choice.")
    if entry.kind != "number" and (entry.minimum is not None or entry.maximum is not None):
        problem = f"The {entry.kind} field {entry.id!r} has bounds."
        yield loaded.issue("invalid_value", path, problem, "Remove them, or make it a number.")
    if entry.minimum is not None and entry.maximum is not None and entry.minimum >= entry.maximum:
        problem = f"The minimum of {entry.id!r} is {entry.minimum}, its maximum {entry.maximum}."
        yield loaded.issue("invalid_value", (*path, "minimum"), problem, "Put the lower one first.")
    if entry.set_by == "respondent" and not entry.question:
        problem = f"The field {entry.id!r} is asked, but has no question."
        yield loaded.issue("missing_text", path, problem, "Write it, or let the survey set the field.")
    if len(set(entry.raters)) < len(entry.raters):
        problem = f"The field {entry.id!r} names a rater twice."
        yield loaded.issue("duplicate_id", (*path, "raters"), problem, "Keep one of them.")


def _conditions(
    entry: BackgroundFieldDocument,
    earlier: Mapping[str, BackgroundFieldDocument],
    loaded: LoadedYaml,
    path: YamlPath,
) -> Iterator[Issue]:
    """``shown_if`` names earlier fields, their options, and only what every rater of the field was asked."""
    from servicediag.instrument.yaml_loader import did_you_mean

    for name, codes in entry.shown_if.items():
        where: YamlPath = (*path, "shown_if", name)
        condition = earlier.get(name)
        if condition is None:
            problem = f"{entry.id!r} depends on {name!r}, which is no earlier field."
            yield loaded.issue("unknown_field", where, problem, did_you_mean(name, earlier))
            continue
        for position, code in enumerate(codes):
            if code not in condition.options:
                problem = f"{name!r} has no option {code!r}."
                remedy = did_you_mean(code, condition.options)
                yield loaded.issue("unknown_option", (*where, position), problem, remedy)
        unasked = [rater for rater in entry.raters if rater not in condition.raters]
        if unasked:
            problem = f"{entry.id!r} depends on {name!r}, which is not asked of {', '.join(unasked)}."
            yield loaded.issue("invalid_value", where, problem, "Ask both fields of the same raters.")


def _labels(entry: BackgroundFieldDocument, loaded: LoadedYaml, path: YamlPath) -> Iterator[Issue]:
    """One label must mean one option, or answers could be read in two ways."""
    from servicediag.instrument.references import normalised_label

    seen: dict[tuple[str, str], str] = {}
    for code, labels in entry.options.items():
        for language, label in labels.items():
            owner = seen.setdefault((language, normalised_label(label)), code)
            if owner != code:
                problem = f"{label!r} stands for both {owner} and {code}."
                where = (*path, "options", code, language)
                yield loaded.issue("duplicate_label", where, problem, "Make the labels distinct.")
