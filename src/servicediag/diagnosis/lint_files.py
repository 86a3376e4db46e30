"""Which linter a file is for: root-cause rules, definitions of gaps, or an instrument."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from servicediag.diagnosis.gap_definitions import lint_gaps
from servicediag.diagnosis.rules import lint_rules, load_rules
from servicediag.errors import InstrumentError, Issue
from servicediag.instrument import lint_instrument
from servicediag.instrument.catalogue import instrument_ids, instruments_root
from servicediag.instrument.yaml_loader import load_yaml

__all__ = ["lint_catalogue_files", "lint_file"]

RULES = "_rules"
GAPS = "gaps.yaml"
_RULE_FILES = frozenset({"causes.yaml", "actions.yaml", "indicators.yaml"})
_RULE_SECTIONS = frozenset({"rules", "actions", "indicators", "extends"})


def lint_file(name: str) -> tuple[Issue, ...]:
    """Every fault of a rule file, of a folder with rules, of ``gaps.yaml``, or of an instrument, with file and line.

    Parameters
    ----------
    name : str
        A path; the id of an instrument; or ``_rules`` for the rules that come with servicediag. A file of a folder with
        ``causes.yaml`` is read together with its neighbours, because it names what stands in them.

    Raises
    ------
    ValueError
        Neither a path nor an instrument of that id.

    Examples
    --------
    >>> lint_file("_rules")
    ()
    """
    path = Path(name)
    if name == RULES:
        return (*_lint_rules(None), *lint_gaps())
    if path.name == GAPS and path.is_file():
        return lint_gaps(path)
    if path.name in _RULE_FILES and path.is_file() and path.with_name("causes.yaml").is_file():
        return _lint_rules(path.parent)
    if path.joinpath("causes.yaml").is_file():
        gaps = path.joinpath(GAPS)
        return (*_lint_rules(path), *(lint_gaps(gaps) if gaps.is_file() else ()))
    if path.is_file() and path.name != "instrument.yaml":
        try:
            data = load_yaml(path).data
        except InstrumentError as error:
            return tuple(error.issues)
        if isinstance(data, dict) and not _RULE_SECTIONS.isdisjoint(data):
            return _lint_rules(path)
    return lint_instrument(name)


def lint_catalogue_files() -> Iterator[tuple[str, tuple[Issue, ...]]]:
    """Name and faults of every instrument that comes with servicediag, and of its rules and gaps."""
    for name in [*instrument_ids(instruments_root()), RULES]:
        yield name, lint_file(name)


def _lint_rules(path: Path | None) -> tuple[Issue, ...]:
    try:
        return lint_rules(load_rules(path))
    except InstrumentError as error:
        return tuple(error.issues)
