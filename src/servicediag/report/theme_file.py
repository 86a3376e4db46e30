"""A theme that a user keeps in a YAML file, checked with the line of every fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument.yaml_loader import LoadedYaml, load_yaml, validate_document
from servicediag.report.logo import MAXIMUM_LOGO_BYTES, Logo
from servicediag.report.theme import Theme

__all__ = ["read_theme"]

_COLOUR_REMEDY = 'Take a darker colour, written in quotes: "#14324f".'
_LOGO_REMEDY = "Give a PNG or a plain SVG of at most 500 kB, by a path that starts at the theme file."


class _ThemeDocument(BaseModel):
    """The keys of a theme file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(default="house", min_length=1, max_length=120)
    organisation: str = Field(default="", max_length=120)
    prepared_by: str = Field(default="", max_length=120)
    primary: str = Theme.primary
    accent: str = Theme.accent
    logo: str | None = Field(default=None, min_length=1)


def read_theme(path: str | Path) -> Theme:
    """The theme in a YAML file.

    Parameters
    ----------
    path : str or Path
        A mapping with the keys ``name``, ``organisation``, ``prepared_by``, ``primary``, ``accent`` (colours as
        ``"#rrggbb"``, in quotes) and ``logo`` (path of a PNG or SVG file, from the theme file); each may be left out.

    Returns
    -------
    Theme

    Raises
    ------
    InstrumentError
        Every fault with its line: unknown keys, colours that cannot be read on white, a logo that is too large or
        does something.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "theme.yaml"
    ...     _ = file.write_text('organisation: Example Ltd\\nprimary: "#14324f"\\n')
    ...     read_theme(file).organisation
    'Example Ltd'
    """
    path = Path(path)
    loaded = load_yaml(path, path.name)
    if loaded.data is None:
        return Theme(name="house")
    issues = _comments_for_colours(loaded)
    if issues:
        raise _faulty(loaded, issues)
    document = validate_document(loaded, _ThemeDocument)
    values: dict[str, Any] = document.model_dump()
    for role in ("primary", "accent"):
        try:
            Theme(**{role: values[role]})
        except ValueError as error:
            issues.append(loaded.issue("invalid_colour", (role,), f"{error}.", _COLOUR_REMEDY))
    try:
        values["logo"] = None if document.logo is None else _logo(path, document.logo)
    except (OSError, ValueError) as error:
        issues.append(_logo_issue(loaded, error))
    if issues:
        raise _faulty(loaded, issues)
    return Theme(**values)


def _comments_for_colours(loaded: LoadedYaml) -> list[Issue]:
    """Colours without quotes, which YAML takes for comments, so that the key has no value."""
    data = loaded.data if isinstance(loaded.data, dict) else {}
    problem = "The colour is empty; without quotes, # begins a comment."
    return [
        loaded.issue("invalid_colour", (role,), f"{role}: {problem}", _COLOUR_REMEDY)
        for role in ("primary", "accent") if role in data and data[role] is None
    ]  # fmt: skip


def _faulty(loaded: LoadedYaml, issues: list[Issue]) -> InstrumentError:
    return InstrumentError(f"{loaded.name}: {len(issues)} problem{'s' if len(issues) > 1 else ''}", issues)


def _logo(theme: Path, name: str) -> Logo:
    file = theme.parent / name
    if file.exists() and not file.is_file():
        raise ValueError(f"{name} is not a file")
    with file.open("rb") as stream:
        return Logo(stream.read(MAXIMUM_LOGO_BYTES + 1))


def _logo_issue(loaded: LoadedYaml, error: Exception) -> Issue:
    said = f"{error.strerror}: {loaded.data['logo']}" if isinstance(error, OSError) else str(error)
    return loaded.issue("invalid_logo", ("logo",), f"{said[:1].upper()}{said[1:]}.", _LOGO_REMEDY)
