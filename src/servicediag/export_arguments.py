"""What the command line says of exports: the options, and reading by them."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from servicediag.instrument import Instrument, Package
    from servicediag.responses import Responses
    from servicediag.terminal import Steps

__all__ = [
    "Platform",
    "Reading",
    "file_argument",
    "file_option",
    "instrument_and_form",
    "name_and_form",
    "one_for_each",
    "read_beside",
    "read_exports",
    "reads_exports",
]

Reading = dict[str, Any]


class Platform(StrEnum):
    """The platforms as ``read_responses`` names them; the readers, which know them too, are slow to load."""

    QUALTRICS = "qualtrics"
    SURVEYMONKEY = "surveymonkey"
    GOOGLE_FORMS = "google_forms"
    MICROSOFT_FORMS = "microsoft_forms"
    LIMESURVEY = "limesurvey"
    TYPEFORM = "typeform"
    JOTFORM = "jotform"
    ALCHEMER = "alchemer"
    KOBO = "kobo"
    REDCAP = "redcap"
    SPSS = "spss"
    SOSCI = "sosci"
    WJX = "wjx"
    WENJUAN = "wenjuan"
    YANDEX_FORMS = "yandex_forms"
    ANSWER_SHEET = "answer_sheet"
    PLAIN = "plain"


def file_argument(**texts: Any) -> Any:
    """An argument that names a file; that it cannot be read is a fault of the file, not of the command line."""
    return typer.Argument(readable=False, **texts)


def file_option(*names: str, **texts: Any) -> Any:
    """An option that names a file, as ``file_argument`` does."""
    return typer.Option(*names, readable=False, **texts)


_EACH: dict[str, Any] = {
    "unit": (
        list[str] | None,
        typer.Option("--unit", metavar="COLUMN", help="Column that holds the unit; once, or once for each export."),
    ),
    "wave": (
        list[str] | None,
        typer.Option(
            "--wave", metavar="COLUMN", help="Column, or fixed value, of the wave; once, or once for each export."
        ),
    ),
    "respondent": (
        list[str] | None,
        typer.Option("--respondent", metavar="COLUMN", help="Column that identifies a respondent; '' for none."),
    ),
    "sheet": (
        list[str] | None,
        typer.Option("--sheet", metavar="NAME", help="Sheet of the workbook; once, or once for each export."),
    ),
    "columns": (
        list[Path] | None,
        file_option(
            "--columns", metavar="FILE", help="Mapping of columns to item codes, as check --save-mapping writes."
        ),
    ),
}
"""Options of which each export may have its own: given once for all exports, or once for each in their order."""
_SEVERAL: dict[str, Any] = {
    "comments": (
        list[str] | None,
        typer.Option(
            "--comment",
            metavar="COLUMN",
            help="Column of open answers that the reports may list; may be repeated. With several exports once for all "
            "or once for each, several columns as A|B, '' for none.",
        ),
    ),
}
"""Options that may be repeated for one export, and of which each of several exports may have its own."""
_ALL: dict[str, Any] = {
    "export_language": (
        str | None,
        typer.Option("--export-language", metavar="LL", help="Language of the answers, where labels are ambiguous."),
    ),
    "platform": (
        Platform | None,
        typer.Option("--platform", help="Survey platform of the export, if it is not recognised."),
    ),
    "accept_suggestions": (
        bool | None,
        typer.Option("--accept-suggestions", help="Take headings that only resemble a question for that question."),
    ),
    "header_row": (int | None, typer.Option("--header-row", min=1, help="Row of the headings, if it is not found.")),
    "encoding": (str | None, typer.Option("--encoding", help="Encoding of a text file, if it is not found.")),
    "missing_codes": (
        list[str] | None,
        typer.Option("--missing-code", metavar="VALUE", help="Value that means no answer; may be repeated."),
    ),
    "minimum_completed": (
        float | None,
        typer.Option(
            "--minimum-completed",
            min=0,
            max=1,
            help="Share of items below which a respondent is set aside; default 0.5.",
        ),
    ),
    "limit": (
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="NAME=VALUE",
            help="Another limit for files that are trusted, as the error that names it says; may be repeated.",
        ),
    ),
}


def reads_exports(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how exports are read; the command gets them as one mapping, ``reading``."""

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        command(reading={name: values.pop(name) for name in (*_EACH, *_SEVERAL, *_ALL)}, **values)

    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "reading"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])
        for name, (kind, option) in (_EACH | _SEVERAL | _ALL).items()
    ]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *added)]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def instrument_and_form(specification: str) -> tuple[Instrument, str]:
    """An instrument and the form of it, from ``ID[:FORM]``."""
    from servicediag.instrument import load_instrument

    name, form = name_and_form(specification)
    try:
        loaded = load_instrument(name)
        return loaded, loaded.form(form).id
    except ValueError as error:
        raise typer.BadParameter(str(error).removeprefix("id_or_path=")) from None


def name_and_form(specification: str) -> tuple[str, str | None]:
    """Split ``ID:FORM``; a colon inside a path (``C:\\study``) is none of that."""
    name, colon, form = specification.rpartition(":")
    if not colon or not name or any(c in form for c in "/\\") or Path(specification).exists():
        return specification, None
    return name, form


def one_for_each(values: Sequence[Any] | None, exports: Sequence[Path], option: str) -> list[Any]:
    """Values of a repeatable option, one an export; a single one serves for all."""
    given = list(values or [None])
    if len(given) == 1:
        return given * len(exports)
    if len(exports) == 1 and option == "-i":
        return ["+".join(given)]
    if len(given) != len(exports):
        raise typer.BadParameter(f"{option} is given {len(given)} times for {len(exports)} exports: give one for each")
    return given


def read_beside(specifications: Sequence[str], reading: Reading) -> list[Path]:
    """The files that are read beside the exports: mappings of columns, and instruments that are given by their path."""
    found = list(reading["columns"] or ())
    for specification in specifications:
        parts = [specification] if Path(specification).exists() else specification.split("+")
        for place in (Path(name_and_form(part)[0]) for part in parts):
            if place.exists():
                folder = place if place.is_dir() else place.parent
                folders = (folder, folder / "locale", folder.parent / "_scales")
                found += [place, *(file for holder in folders for file in holder.glob("*.yaml"))]
    return found


def read_exports(
    exports: Sequence[Path],
    specifications: Sequence[str],
    reading: Reading,
    steps: Steps | None = None,
) -> list[Responses]:
    """Read every export with its own instruments and options; the faults of all are told together."""
    from servicediag.errors import ResponsesError
    from servicediag.responses import read_responses
    from servicediag.terminal import as_options

    sources = [_sources(specification) for specification in specifications]
    chosen = {name: one_for_each(reading[name], exports, f"--{name}") for name in _EACH}
    renamed = {"export_language": "language", "limit": "limits"}
    common = {renamed.get(name, name): reading[name] for name in _ALL if reading[name] is not None}
    comments = _comments(reading["comments"], exports)
    if "limits" in common:
        common["limits"] = _limits(common["limits"])
    if "platform" in common:
        common["platform"] = common["platform"].value
    report = None if steps is None else steps.within
    found, failed = [], []
    for number, (export, (members, forms)) in enumerate(zip(exports, sources, strict=True)):
        if steps is not None:
            steps()
        own: dict[str, Any] = {name: values[number] or None for name, values in chosen.items()} | common
        own["comments"] = comments[number]
        try:
            found.append(read_responses(export, members, form=forms or None, progress=report, **own))
        except ResponsesError as error:
            failed.append(error)
        except ValueError as error:
            # A wrong argument is named at the beginning; any other text might quote the data.
            if not re.match(r"[a-z_]+=", str(error)):
                raise
            raise typer.BadParameter(as_options(str(error))) from None
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ResponsesError(
            "\n".join(error.headline for error in failed), [issue for error in failed for issue in error.issues]
        )
    return found


def _comments(given: Sequence[str] | None, exports: Sequence[Path]) -> list[tuple[str, ...]]:
    """The columns of open answers of each export; only with several exports does one value name several columns."""
    if len(exports) == 1:
        return [tuple(name for name in given or () if name)]
    named = one_for_each(given, exports, "--comment")
    return [tuple(name.strip() for name in (entry or "").split("|") if name.strip()) for entry in named]


def _limits(given: Sequence[str]) -> dict[str, int]:
    """Limits from ``NAME=VALUE``; which names there are, the reader knows."""
    found: dict[str, int] = {}
    for entry in given:
        name, _, value = entry.partition("=")
        if not re.fullmatch("[0-9]{1,18}", value):
            raise typer.BadParameter(f"--limit {entry}: write NAME=VALUE with a whole number, as in columns=5000")
        if name in found:
            raise typer.BadParameter(f"--limit {name} is given twice")
        found[name] = int(value)
    return found


def _sources(specification: str) -> tuple[list[Instrument | str], dict[str, str]]:
    """Instruments and packages of one export, and the forms that were named."""
    parts = [specification] if Path(specification).exists() else specification.split("+")
    members: list[Instrument | str] = []
    forms: dict[str, str] = {}
    ids: list[str] = []
    for part in parts:
        package = _package(part)
        if package is not None:
            members.append(part)
            ids.extend(held.instrument for held in package.parts)
            continue
        loaded, form = instrument_and_form(part)
        members.append(loaded)
        ids.append(loaded.id)
        if name_and_form(part)[1] is not None:
            forms[loaded.id] = form
    if doubled := sorted({name for name in ids if ids.count(name) > 1}):
        raise typer.BadParameter(f"{', '.join(doubled)}: named twice for one export")
    return members, forms


def _package(name: str) -> Package | None:
    """The package of that name; packages are read only for a name that is nothing else."""
    from servicediag.instrument import load_instrument, load_package

    try:
        load_instrument(name_and_form(name)[0])
    except ValueError:
        try:
            return load_package(name)
        except ValueError:
            return None
    return None
