"""JSON Schemas of the instrument files, for editors that complete and check YAML."""

from __future__ import annotations

import json
from pathlib import Path

from servicediag.instrument.documents import (
    BackgroundDocument,
    Document,
    InstrumentDocument,
    LocaleDocument,
    PackagesDocument,
    RollupsDocument,
    ScaleDocument,
)

__all__ = ["json_schemas", "write_schemas"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DOCUMENTS: dict[str, type[Document]] = {
    "background": BackgroundDocument,
    "instrument": InstrumentDocument,
    "locale": LocaleDocument,
    "packages": PackagesDocument,
    "rollups": RollupsDocument,
    "scale": ScaleDocument,
}


def json_schemas() -> dict[str, str]:
    """The schemas as text by file name, made from the documents that the loader validates with.

    Returns
    -------
    dict of str -> str
        ``background.schema.json``, ``instrument.schema.json``, ``locale.schema.json``, ``packages.schema.json``,
        ``rollups.schema.json``, ``scale.schema.json``.

    Examples
    --------
    >>> [name.removesuffix(".schema.json") for name in json_schemas()]
    ['background', 'instrument', 'locale', 'packages', 'rollups', 'scale']
    """
    return {
        f"{name}.schema.json": json.dumps(
            {"$schema": _DIALECT, **document.model_json_schema()}, indent=2, ensure_ascii=False
        )
        + "\n"
        for name, document in _DOCUMENTS.items()
    }


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write the schemas into a folder, which is made where it is missing; ``docs/schema`` holds the published ones.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple of Path
        The files written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_schemas(Path(folder))][0]
    'background.schema.json'
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in json_schemas().items():
        path = folder / name
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return tuple(written)
