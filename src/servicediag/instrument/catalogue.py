"""The catalogue of instruments: where it lies, what it holds, and instruments and packages by id."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument.model import Instrument
from servicediag.instrument.yaml_loader import did_you_mean, load_yaml, peek_text, validate_document

if TYPE_CHECKING:
    import pandas as pd

    from servicediag.instrument.documents import InstrumentDocument, PackagePartDocument, PackagesDocument
    from servicediag.instrument.loading import SourceFolder

__all__ = [
    "ITEMS_PER_MINUTE",
    "MAXIMUM_PACKAGE_ITEMS",
    "Package",
    "PackagePart",
    "instruments_root",
    "list_instruments",
    "list_packages",
    "load_instrument",
    "load_package",
]

ITEMS_PER_MINUTE = 4.5
"""Convention of this library: the pace at which people rate items, instructions included."""
MAXIMUM_PACKAGE_ITEMS = 45
"""Convention of this library: what one person should be asked to rate at most, about ten minutes."""


def instruments_root() -> Traversable:
    """The folder of the catalogue: the package's own data, or ``instruments/`` beside ``src/`` in a checkout.

    Returns
    -------
    Traversable
        A ``Path``, or a place in the archive that servicediag is imported from.

    Raises
    ------
    InstrumentError
        Neither exists.
    """
    packaged = files("servicediag").joinpath("instruments")
    if packaged.is_dir():
        return packaged
    parents = Path(__file__).resolve().parents
    if len(parents) > 3 and parents[2].name == "src" and (parents[3] / "instruments").is_dir():
        return parents[3] / "instruments"
    problem = "The instruments that come with servicediag are not there."
    raise InstrumentError(problem, [Issue("unreadable_file", "error", str(packaged), problem, "Install it again.")])


def load_instrument(id_or_path: str | os.PathLike[str] | Traversable, *, root: Traversable | None = None) -> Instrument:
    """Load an instrument of the catalogue, or one from a folder of your own.

    Parameters
    ----------
    id_or_path : str, path or Traversable
        An id (``"seven-sins"``), an instrument's folder, or the ``instrument.yaml`` in it. Text with a slash or
        backslash, with a leading dot, or ending in ``.yaml`` is a path; other text is an id first.
    root : Traversable, optional
        Folder of another catalogue; default is the one that comes with servicediag.

    Returns
    -------
    Instrument

    Raises
    ------
    ValueError
        The catalogue holds no instrument of that id; the message names the choices.
    InstrumentError
        The path does not exist (``unreadable_file``), or the files are faulty: every fault with file and line.
    TypeError
        The argument is neither text nor a path.

    Notes
    -----
    An instrument of your own may define its response scales under ``scales:`` in ``instrument.yaml``. Other scales
    are looked up in ``_scales/`` beside its folder, then in the catalogue.

    Examples
    --------
    >>> sins = load_instrument("seven-sins")
    >>> sins.dimension("apathy").direction, sins.form().rater
    ('weakness', 'customer')
    >>> sins.options("sin_apathy_1")[1]
    'Never'
    """
    from servicediag.instrument.loading import load_folder

    source, scales, expected_id = locate(id_or_path, root)
    return load_folder(source, scales, expected_id=expected_id)


def locate(
    id_or_path: str | os.PathLike[str] | Traversable, root: Traversable | None = None
) -> tuple[SourceFolder, list[SourceFolder], str | None]:
    """Folder of an instrument, the folders of its scales, and the id that its place demands."""
    from servicediag.instrument.loading import SourceFolder

    if isinstance(id_or_path, str) and not _looks_like_path(id_or_path):
        catalogue = instruments_root() if root is None else root
        if _is_in_catalogue(id_or_path, catalogue):
            folder = SourceFolder(catalogue, "").file(id_or_path)
            return SourceFolder(folder, id_or_path), [_scale_folder(catalogue)], id_or_path
        if not os.path.exists(id_or_path):
            raise _unknown("id_or_path", id_or_path, "instrument", instrument_ids(catalogue))
    place: Traversable
    if isinstance(id_or_path, (str, os.PathLike)):
        place = Path(id_or_path)
    elif isinstance(id_or_path, Traversable):
        place = id_or_path
    else:
        raise TypeError(f"id_or_path must be an instrument's id or path, not {type(id_or_path).__name__}")
    folder = _instrument_folder(place)
    scales = []
    if isinstance(folder, Path) and (folder.parent / "_scales").is_dir():
        scales.append(SourceFolder(folder.parent / "_scales", (folder.parent / "_scales").as_posix()))
    scales.append(_scale_folder(instruments_root() if root is None else root))
    return SourceFolder(folder, folder.as_posix() if isinstance(folder, Path) else str(folder)), scales, None


def instrument_ids(root: Traversable) -> list[str]:
    """Ids of a catalogue, in order."""
    names = sorted(entry.name for entry in root.iterdir())
    return [name for name in names if _is_in_catalogue(name, root)]


def list_instruments(*, root: Traversable | None = None) -> pd.DataFrame:
    """The instruments of the catalogue.

    Parameters
    ----------
    root : Traversable, optional
        Folder of another catalogue; default is the one that comes with servicediag.

    Returns
    -------
    DataFrame
        A row an instrument, by id: ``id``, ``title``, ``version``, ``forms`` (tuple of form ids, the first is the
        default), ``languages`` (tuple, the original first) and ``n_items``.

    Raises
    ------
    InstrumentError
        An ``instrument.yaml`` is faulty; all such faults at once. Texts of items are not read here.

    Examples
    --------
    >>> list_instruments().columns.tolist()
    ['id', 'title', 'version', 'forms', 'languages', 'n_items']
    """
    import pandas as pd

    from servicediag.instrument.loading import SourceFolder, faults, list_languages, read_structure

    catalogue = instruments_root() if root is None else root
    rows: list[tuple[object, ...]] = []
    issues: list[Issue] = []
    for instrument_id in instrument_ids(catalogue):
        source = SourceFolder(SourceFolder(catalogue, "").file(instrument_id), instrument_id)
        try:
            document, _ = read_structure(source)
            languages = list_languages(source, document.original_language)
            text = f"locale/{document.original_language}.yaml"
            title = peek_text(source.file(text), "title", source.name(text))
        except InstrumentError as error:
            issues.extend(error.issues)
            continue
        n_items = sum(len(dimension.items) for dimension in document.dimensions)
        forms = tuple(form.id for form in document.forms)
        rows.append((instrument_id, title or instrument_id, document.version, forms, languages, n_items))
    if issues:
        raise faults("catalogue", issues)
    return pd.DataFrame(rows, columns=["id", "title", "version", "forms", "languages", "n_items"])


@dataclass(frozen=True)
class PackagePart:
    """One instrument of a package in one form; ``items`` is None where the whole form is asked.

    Attributes
    ----------
    n_items : int
        Number of items that the part asks.
    """

    instrument: str
    form: str
    n_items: int
    items: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Package:
    """Instruments that are fielded together in one questionnaire.

    Examples
    --------
    >>> pulse = load_package("pulse")
    >>> pulse.n_items, pulse.minutes
    (29, 7)
    """

    id: str
    title: str
    parts: tuple[PackagePart, ...]

    @property
    def n_items(self) -> int:
        """Number of rated items, counted from the instruments."""
        return sum(part.n_items for part in self.parts)

    @property
    def minutes(self) -> int:
        """Expected time in whole minutes, rounded up, at ``ITEMS_PER_MINUTE``; looking up evidence comes on top."""
        return math.ceil(self.n_items / ITEMS_PER_MINUTE)


def list_packages(*, root: Traversable | None = None) -> pd.DataFrame:
    """The packages of the catalogue.

    Returns
    -------
    DataFrame
        A row a package, in the order of the file: ``id``, ``title``, ``parts`` (tuple of ``instrument:form``),
        ``n_items`` and ``minutes`` (expected, at 4.5 items a minute).

    Raises
    ------
    InstrumentError
        ``_packages.yaml`` is faulty.

    Examples
    --------
    >>> list_packages().columns.tolist()
    ['id', 'title', 'parts', 'n_items', 'minutes']
    """
    import pandas as pd

    packages = read_packages(instruments_root() if root is None else root)
    rows = [
        (p.id, p.title, tuple(f"{part.instrument}:{part.form}" for part in p.parts), p.n_items, p.minutes)
        for p in packages
    ]
    return pd.DataFrame(rows, columns=["id", "title", "parts", "n_items", "minutes"])


def load_package(package_id: str, *, root: Traversable | None = None) -> Package:
    """A package of the catalogue: which instruments are fielded together, and in which form.

    Parameters
    ----------
    package_id : str
    root : Traversable, optional
        Folder of another catalogue; default is the one that comes with servicediag.

    Raises
    ------
    ValueError
        There is no package of that id; the message names the choices.
    InstrumentError
        ``_packages.yaml`` is faulty, or names an instrument, form or item that does not exist.

    Examples
    --------
    >>> load_package("customer").parts[0].instrument
    'seven-sins'
    """
    packages = {package.id: package for package in read_packages(instruments_root() if root is None else root)}
    if package_id not in packages:
        raise _unknown("package_id", package_id, "package", list(packages))
    return packages[package_id]


def read_packages(root: Traversable) -> tuple[Package, ...]:
    """Every package of a catalogue, its references checked; empty where there is no ``_packages.yaml``."""
    from servicediag.instrument.documents import PackagesDocument
    from servicediag.instrument.loading import SourceFolder, faults
    from servicediag.instrument.references import check_packages

    source = SourceFolder(root, "")
    if not root.joinpath("_packages.yaml").is_file():
        return ()
    loaded = load_yaml(source.file("_packages.yaml"), "_packages.yaml")
    document = validate_document(loaded, PackagesDocument)
    structures = _structures(document, root)
    issues = list(check_packages(document, loaded, structures))
    if issues:
        raise faults("_packages.yaml", issues)
    return tuple(
        Package(package.id, package.title, tuple(_part(part, structures) for part in package.parts))
        for package in document.packages
    )


def _part(part: PackagePartDocument, structures: dict[str, InstrumentDocument]) -> PackagePart:
    from servicediag.instrument.references import form_item_codes

    structure = structures[part.instrument]
    form = next(form for form in structure.forms if form.id == part.form)
    asked = form_item_codes(structure, form) if part.items is None else part.items
    return PackagePart(part.instrument, part.form, len(asked), part.items)


def _structures(document: PackagesDocument, root: Traversable) -> dict[str, InstrumentDocument]:
    """Structure of each instrument that a package names and that exists."""
    from servicediag.instrument.loading import SourceFolder, read_structure

    named = sorted({part.instrument for package in document.packages for part in package.parts})
    outer = SourceFolder(root, "")
    return {
        instrument_id: read_structure(SourceFolder(outer.file(instrument_id), instrument_id))[0]
        for instrument_id in named
        if _is_in_catalogue(instrument_id, root)
    }


def _unknown(argument: str, value: str, what: str, choices: list[str]) -> ValueError:
    listed = f"choose from {', '.join(map(repr, choices))}" if choices else "the catalogue is empty"
    suggestion = did_you_mean(value, choices)
    nearest = f" {suggestion}" if suggestion.startswith("Did") else ""
    return ValueError(f"{argument}={value[:80]!r} is not a known {what} id; {listed}.{nearest}")


def _looks_like_path(text: str) -> bool:
    return any(separator in text for separator in "/\\") or text.startswith(".") or text.endswith((".yaml", ".yml"))


def _is_in_catalogue(name: str, root: Traversable) -> bool:
    from servicediag.instrument.loading import is_safe_name

    return is_safe_name(name) and root.joinpath(name).joinpath("instrument.yaml").is_file()


def _scale_folder(root: Traversable) -> SourceFolder:
    from servicediag.instrument.loading import SourceFolder

    return SourceFolder(SourceFolder(root, "").file("_scales"), "_scales")


def _instrument_folder(place: Traversable) -> Traversable:
    """The folder that a path means, which may be the folder or the ``instrument.yaml`` in it."""
    # os.path answers no, where pathlib raises: to names that are too long, for one.
    is_path = isinstance(place, Path)
    if os.path.isdir(str(place)) if is_path else place.is_dir():
        return place
    name = place.as_posix() if isinstance(place, Path) else str(place)
    if not (os.path.isfile(str(place)) if is_path else place.is_file()):
        problem, remedy = "The path does not exist.", "Give an instrument's folder, its instrument.yaml, or an id."
    elif place.name != "instrument.yaml":
        problem, remedy = "The file is not an instrument.yaml.", "Give the instrument's folder."
    elif not isinstance(place, Path):
        problem, remedy = "A file within an archive cannot be opened by itself.", "Give the instrument's folder."
    else:
        return place.parent
    raise InstrumentError(f"{name}: 1 problem", [Issue("unreadable_file", "error", name, problem, remedy)])
