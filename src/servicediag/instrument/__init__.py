"""Instruments: the catalogue, the strict loader, packages, background fields, roll-ups and the linter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servicediag.instrument.background import BackgroundField, load_background
from servicediag.instrument.catalogue import (
    Package,
    PackagePart,
    instruments_root,
    list_instruments,
    list_packages,
    load_instrument,
    load_package,
)
from servicediag.instrument.model import Dimension, Form, Instrument, Item, Scale, Target
from servicediag.instrument.rollups import Rollup, RollupPart, load_rollups

if TYPE_CHECKING:
    from servicediag.instrument.lint import lint_catalogue, lint_instrument

__all__ = [
    "BackgroundField",
    "Dimension",
    "Form",
    "Instrument",
    "Item",
    "Package",
    "PackagePart",
    "Rollup",
    "RollupPart",
    "Scale",
    "Target",
    "instruments_root",
    "lint_catalogue",
    "lint_instrument",
    "list_instruments",
    "list_packages",
    "load_background",
    "load_instrument",
    "load_package",
    "load_rollups",
]


def __getattr__(name: str) -> Any:
    # The linter brings pydantic and rapidfuzz, which most work does not need.
    if name in {"lint_catalogue", "lint_instrument"}:
        from servicediag.instrument import lint

        return getattr(lint, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
