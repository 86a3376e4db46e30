"""Strict YAML: plain data in which every value keeps its line, and every fault is listed at once."""

from __future__ import annotations

import os
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from servicediag.errors import InstrumentError, Issue

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    Model = TypeVar("Model", bound=BaseModel)

__all__ = [
    "LoadedYaml",
    "MAXIMUM_BYTES",
    "MAXIMUM_DEPTH",
    "MAXIMUM_ISSUES",
    "check_document",
    "did_you_mean",
    "load_yaml",
    "peek_text",
    "read_bytes",
    "validate_document",
]

MAXIMUM_BYTES = 1_000_000
"""Largest YAML file that is read."""
MAXIMUM_DEPTH = 20
"""Deepest nesting of lists and mappings that is read."""
MAXIMUM_ISSUES = 200
"""Most faults of one file that are listed; a hostile file could hold a hundred thousand."""
_MAXIMUM_DIGITS = 15
_MOST_CHOICES = 60
_NEAR = 60
"""Of 100, how alike two words must be."""

YamlPath = tuple[str | int, ...]
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_UNSAFE_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202d\u202e\ud800-\udfff]")
_CONSTANTS: dict[str, bool | None] = {"": None, "null": None, "true": True, "false": False}
_CODES = {"extra_forbidden": "unknown_key", "missing": "missing_key", "literal_error": "unknown_value"}
_EXPECTED = {
    "tuple_type": "a list is expected",
    "list_type": "a list is expected",
    "dict_type": "a mapping (key: value) is expected",
    "model_type": "a mapping (key: value) is expected",
    "string_type": "text is expected",
    "too_short": "it is empty",
    "string_too_short": "it is empty",
}
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class LoadedYaml:
    """Plain data of one YAML file, and where each value stands.

    Attributes
    ----------
    data : dict, list, str, int, float, bool or None
    lines : mapping of path -> line
        ``("items", 0, "code")`` -> line, counted from 1; an entry of a mapping has the line of its key.
    name : str
        Name of the file in messages.
    """

    data: Any
    lines: Mapping[YamlPath, int] = field(repr=False)
    name: str

    def where(self, path: Iterable[str | int] = ()) -> str:
        """``file:line`` of a value; of its nearest parent where the value itself is missing."""
        found: YamlPath = ()
        for part in path:
            if (*found, part) in self.lines:
                found = (*found, part)
        return f"{self.name}:{self.lines.get(found, 1)}"

    def issue(self, code: str, path: Iterable[str | int], problem: str, remedy: str = "") -> Issue:
        """An error at the line of a value."""
        return Issue(code, "error", self.where(path), problem, remedy)


def load_yaml(source: str | bytes | Path | Traversable, name: str | None = None) -> LoadedYaml:
    """Read one YAML document strictly.

    Only what is plainly data is accepted: no anchors, aliases, tags, directives or second document, no duplicate
    keys, at most 1 MB and 20 levels. Unquoted scalars are integers (``-?(0|[1-9][0-9]*)``), plain decimals,
    ``true``, ``false``, ``null`` or empty; everything else stays text (``no``, ``12:30``, ``012``, ``2024-01-01``).
    Keys are integers or text.

    Parameters
    ----------
    source : str, bytes, Path or Traversable
        ``str`` and ``bytes`` are the YAML text itself; a file is given as a ``Path``.
    name : str, optional
        Name of the file in messages; default is the path.

    Returns
    -------
    LoadedYaml

    Raises
    ------
    InstrumentError
        With every fault (at most 200) as an ``Issue``: ``unreadable_file``, ``too_large``, ``unsafe_file``,
        ``invalid_yaml``, ``duplicate_key``, ``invalid_value``.

    Examples
    --------
    >>> loaded = load_yaml("answer: no\\ncodes:\\n  - 1\\n  - 012\\n", "example.yaml")
    >>> loaded.data
    {'answer': 'no', 'codes': [1, '012']}
    >>> loaded.where(("codes", 1))
    'example.yaml:4'
    """
    name = _source_name(source) if name is None else name
    return _parse(_decode(read_bytes(source, name), name), name, _PARSER)


def peek_text(source: str | bytes | Path | Traversable, key: str, name: str | None = None) -> str | None:
    """The text of one top-level key, read without building the rest of the file; None where it is absent.

    Examples
    --------
    >>> peek_text("language: en\\ntitle: Seven service sins\\nitems: {}\\n", "title")
    'Seven service sins'
    """
    name = _source_name(source) if name is None else name
    depth, is_key, wanted = 0, False, False
    for event in _events(_decode(read_bytes(source, name), name), name, _PARSER):
        if depth == 1:
            is_key = not is_key
            if wanted:
                return event.value if isinstance(event, yaml.ScalarEvent) else None
            wanted = is_key and isinstance(event, yaml.ScalarEvent) and event.value == key
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
            is_key = is_key and depth != 1
    return None


def read_bytes(source: str | bytes | Path | Traversable, name: str) -> bytes:
    """The bytes of a source, at most ``MAXIMUM_BYTES`` of them; a larger file is refused unread."""
    if isinstance(source, bytes):
        content = source
    elif isinstance(source, str):
        content = source.encode("utf-8", "surrogatepass")
    elif isinstance(source, Path) and os.path.exists(source) and not os.path.isfile(source):
        problem = "It is a folder, a pipe or a device, not a file."
        raise _single("unreadable_file", name, problem, "Give a file of text.")
    else:
        try:
            with source.open("rb") as stream:
                content = stream.read(MAXIMUM_BYTES + 1)
        except (OSError, KeyError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it cannot be opened"
            raise _single(
                "unreadable_file", name, f"The file cannot be read: {reason}.", "Check the path and its permissions."
            ) from error
    if len(content) > MAXIMUM_BYTES:
        raise _single(
            "too_large",
            name,
            f"The file has more than {MAXIMUM_BYTES:,} bytes.",
            "Split it; instruments and rules are far smaller.",
        )
    return content


def did_you_mean(wrong: object, choices: Iterable[object]) -> str:
    """A remedy for a word that is not among the choices: the nearest one, or the list of all.

    Examples
    --------
    >>> did_you_mean("wekness", ["strength", "weakness"])
    "Did you mean 'weakness'?"
    >>> did_you_mean("high", ["strength", "weakness"])
    "Choose from 'strength', 'weakness'."
    """
    # only where something is faulty
    from rapidfuzz import fuzz, process

    known = [str(choice) for choice in choices]
    near = process.extractOne(str(wrong)[:100], known, scorer=fuzz.ratio, score_cutoff=_NEAR)
    if near is not None:
        return f"Did you mean {near[0]!r}?"
    if not known:
        return "There is none to choose from."
    more = f" and {len(known) - _MOST_CHOICES:,} more" if len(known) > _MOST_CHOICES else ""
    return f"Choose from {', '.join(map(repr, known[:_MOST_CHOICES]))}{more}."


def _single(code: str, where: str, problem: str, remedy: str) -> InstrumentError:
    return InstrumentError(f"{where}: 1 problem", (Issue(code, "error", where, problem, remedy),))


def _source_name(source: str | bytes | Path | Traversable) -> str:
    return "<text>" if isinstance(source, (str, bytes)) else str(source)


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _single(
            "invalid_yaml", f"{name}:{line}", "The file is not UTF-8 text.", "Save it with the encoding UTF-8."
        ) from error


def _events(text: str, name: str, parser: Any) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=parser)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _single(
            "invalid_yaml", f"{name}:{line}", "A control character stands in the text.", "Delete it."
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise _single(
            "invalid_yaml",
            f"{name}:{line}",
            f"The YAML cannot be parsed: {problem}.",
            "Check the indentation (spaces only) and put text that holds ': ', '#' or quotes into quotes.",
        ) from error


class _StopReading(Exception):
    """What follows in the file cannot be read sensibly."""


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read; ``key`` is the key that waits for its value."""

    content: dict[str | int, Any] | list[Any]
    path: YamlPath
    key: str | int | None = None
    key_line: int = 0


class _Builder:
    """Builds plain data from parser events, noting lines and faults on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.data: Any = None
        self.lines: dict[YamlPath, int] = {(): 1}
        self.issues: list[Issue] = []
        self.documents = 0
        self.stack: list[_Open] = []

    def fault(self, code: str, line: int, problem: str, remedy: str) -> None:
        self.issues.append(Issue(code, "error", f"{self.name}:{line}", problem, remedy))
        if len(self.issues) >= MAXIMUM_ISSUES:
            raise _StopReading

    def read(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self.start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.document(event)

    def document(self, event: Any) -> None:
        line = event.start_mark.line + 1
        self.documents += 1
        if self.documents > 1:
            self.fault("unsafe_file", line, "The file holds more than one YAML document.", "Keep one; remove '---'.")
            raise _StopReading
        if event.version or event.tags:
            self.fault("unsafe_file", line, "The file holds a YAML directive.", "Remove the line that starts with '%'.")

    def alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        self.fault(
            "unsafe_file", line, f"The alias {_shortened('*' + event.anchor)} is not allowed.", "Write the value out."
        )
        if self.waits_for_key():
            self.set_key(f"*{event.anchor}", line)
        else:
            self.add(None, line)

    def decorations(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            self.fault(
                "unsafe_file", line, f"The anchor {_shortened('&' + event.anchor)} is not allowed.", "Remove it."
            )
        if event.tag is not None:
            self.fault(
                "unsafe_file",
                line,
                f"The tag {_shortened(event.tag)} is not allowed.",
                "Remove it; quote text instead.",
            )

    def start(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if event.anchor is not None or event.tag is not None:
            self.decorations(event, line)
        if self.waits_for_key():
            self.fault("invalid_value", line, "A list or mapping is used as a key.", "Use text or a whole number.")
            raise _StopReading
        if len(self.stack) >= MAXIMUM_DEPTH:
            self.fault("too_large", line, f"The nesting is deeper than {MAXIMUM_DEPTH} levels.", "Flatten it.")
            raise _StopReading
        content: dict[str | int, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(content, self.add(content, line)))

    def scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if event.anchor is not None or event.tag is not None:
            self.decorations(event, line)
        text: str = event.value
        if _UNSAFE_TEXT.search(text):
            self.fault("unsafe_file", line, "The text holds an invisible control character.", "Delete it.")
        value = text if event.style else self.plain_scalar(text, line)
        if not self.stack and not text and not event.style:
            # A document without a value has no line to point at, and the two parsers place it differently.
            line = 1
        if not self.waits_for_key():
            self.add(value, line)
        elif value is None:
            self.fault("invalid_value", line, "A key is empty.", "Write the key before the colon.")
            self.set_key(text, line)
        else:
            self.set_key(value if type(value) is int else text, line)

    def plain_scalar(self, text: str, line: int) -> Any:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text[0] not in "-0123456789":
            return text
        whole = _INTEGER.fullmatch(text) is not None
        if not whole and _DECIMAL.fullmatch(text) is None:
            return text
        if len(text.partition(".")[0].removeprefix("-")) > _MAXIMUM_DIGITS:
            problem = f"A number has over {_MAXIMUM_DIGITS} digits."
            self.fault("invalid_value", line, problem, "Shorten it, or put it in quotes if it is text.")
            return 0
        return int(text) if whole else float(text)

    def waits_for_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].key is None and isinstance(self.stack[-1].content, dict)

    def set_key(self, key: str | int, line: int) -> None:
        parent = self.stack[-1]
        if key in parent.content:
            first = self.lines.get((*parent.path, key), line)
            problem = f"The key {_shortened(key)} is written twice, first in line {first}."
            self.fault("duplicate_key", line, problem, "Keep one of them.")
        parent.key, parent.key_line = key, line

    def add(self, value: Any, line: int) -> YamlPath:
        path: YamlPath = ()
        if not self.stack:
            self.data = value
        else:
            parent = self.stack[-1]
            if isinstance(parent.content, list):
                path = (*parent.path, len(parent.content))
                parent.content.append(value)
            elif parent.key is not None:
                path, line = (*parent.path, parent.key), parent.key_line
                parent.content[parent.key] = value
                parent.key = None
        self.lines[path] = line
        return path


def _parse(text: str, name: str, parser: Any) -> LoadedYaml:
    builder = _Builder(name)
    try:
        for event in _events(text, name, parser):
            builder.read(event)
    except _StopReading:
        pass
    except InstrumentError as error:
        builder.issues.extend(error.issues)
    if builder.issues:
        count = len(builder.issues)
        raise InstrumentError(f"{name}: {count} problem{'s' if count > 1 else ''}", builder.issues)
    return LoadedYaml(builder.data, builder.lines, name)


def validate_document(loaded: LoadedYaml, model: type[Model]) -> Model:
    """The data of a YAML file as a validated document.

    Parameters
    ----------
    loaded : LoadedYaml
    model : type of pydantic.BaseModel

    Raises
    ------
    InstrumentError
        With every fault: ``unknown_key``, ``missing_key``, ``unknown_value``, ``invalid_value``.
    """
    document, issues = check_document(loaded, model)
    if document is None:
        raise InstrumentError(f"{loaded.name}: {len(issues)} problem{'s' if len(issues) > 1 else ''}", issues)
    return document


def check_document(loaded: LoadedYaml, model: type[Model]) -> tuple[Model | None, tuple[Issue, ...]]:
    """Validate without raising: the document or None, and the faults with file and line."""
    from pydantic import ValidationError

    try:
        return model.model_validate(loaded.data), ()
    except ValidationError as error:
        details = (detail for detail in error.errors(include_url=False) if not _is_consequence(detail))
        issues = (_issue(loaded, model, detail) for detail in islice(details, MAXIMUM_ISSUES))
        return None, tuple(sorted(issues, key=lambda issue: int(issue.where.rpartition(":")[2])))


def _is_consequence(detail: ErrorDetails) -> bool:
    # pydantic counts only the valid entries of a list, so a list of faulty entries is called too short as well.
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _issue(loaded: LoadedYaml, model: type[BaseModel], detail: ErrorDetails) -> Issue:
    location, kind, value = detail["loc"], detail["type"], detail["input"]
    place = _dotted(location)
    problem = f"{place}: {_EXPECTED.get(kind, detail['msg'])}."
    remedy = "Write a value, or leave the key out." if value is None else f"Found {_shortened(value)}."
    if kind == "extra_forbidden":
        problem, remedy = f"The key {place!r} is not known.", did_you_mean(location[-1], _keys(model, location))
    elif kind == "missing":
        problem, remedy = f"The key {place!r} is missing.", "Add it."
    elif kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(detail["ctx"]["expected"]))
        problem, remedy = f"{place}: {_shortened(value)} is not known.", did_you_mean(value, choices)
    elif kind == "string_type" and isinstance(value, (int, float)):
        problem, remedy = f"{place}: {value!r} is read as a number or true/false, not as text.", "Put it in quotes."
    elif kind == "string_pattern_mismatch":
        problem, remedy = f"{place}: {_shortened(value)} is not allowed.", f"It must match {detail['ctx']['pattern']}"
    return loaded.issue(_CODES.get(kind, "invalid_value"), location, problem, remedy)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _dotted(location: Iterable[str | int]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part != "[key]")
    place = "".join(parts).removeprefix(".") or "document"
    return place if len(place) <= 120 else f"{place[:117]}..."


def _keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Keys that are allowed where an unknown one was found."""
    found = _models_at([model], location[:-1])
    return [info.alias or key for entry in found for key, info in entry.model_fields.items()]


def _models_at(annotations: list[Any], location: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """The document classes that can stand at a path below any of the annotated types."""
    from pydantic import BaseModel

    unfolded = [part for annotation in annotations for part in _unfold(annotation)]
    models = [part for part in unfolded if isinstance(part, type) and issubclass(part, BaseModel)]
    if not location:
        return models
    below: list[Any] = []
    for entry in models:
        fields = {info.alias or key: info.annotation for key, info in entry.model_fields.items()}
        below.extend([fields[str(location[0])]] if location[0] in fields else [])
    for part in unfolded:
        arguments = typing.get_args(part)
        below.extend(arguments[-1:] if typing.get_origin(part) is dict else arguments[:1])
    # A union adds the name of its member to the path of an error: skip what leads nowhere.
    return _models_at(below, location[1:]) if below else _models_at(annotations, location[1:])


def _unfold(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _unfold(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        return [part for argument in typing.get_args(annotation) for part in _unfold(argument)]
    return [annotation]
