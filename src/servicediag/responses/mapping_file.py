"""Files that say which column of an export holds which item."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from servicediag.errors import InstrumentError, Issue, ResponsesError
from servicediag.escaping import csv_text, plain_csv_text
from servicediag.files import atomic_path
from servicediag.instrument.yaml_loader import load_yaml, read_bytes
from servicediag.responses.matching import MappedItem

__all__ = ["read_mapping", "write_mapping"]

_REVERSED = ("reversed", "reverse", "yes", "true", "1")
_DECLARED = ("", "declared", "no", "false", "0")


def write_mapping(entries: Sequence[tuple[str, str, bool]], path: str | Path, overwrite: bool = False) -> Path:
    """Write (source column, item code, whether its numbers run against the codes) to ``.csv`` or ``.yaml``.

    Raises
    ------
    ValueError
        Another suffix.
    FileExistsError
        The file exists and ``overwrite`` is False.
    ResponsesError
        unsafe_file, where a heading cannot be held by YAML.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".csv", ".yaml", ".yml"):
        raise ValueError(f"path={str(path)!r} must end in .csv or .yaml")
    with atomic_path(target, overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".csv":
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(["source_column", "item_code", "direction"])
            writer.writerows(
                (csv_text(column), item, "reversed" if reverse else "declared") for column, item, reverse in entries
            )
        else:
            pairs: dict[str, Any] = {
                column: {"item": item, "direction": "reversed"} if reverse else item
                for column, item, reverse in entries
            }
            written = yaml.safe_dump(pairs, allow_unicode=True, sort_keys=False, width=4_000)
            _refuse_unreadable(written)
            file.write(written)
    return target


def _refuse_unreadable(written: str) -> None:
    """Refuse what the strict loader would not read again: control characters in a heading, for one."""
    try:
        load_yaml(written, "mapping")
    except InstrumentError as error:
        remedy = "Give a name that ends in .csv, which holds any heading."
        issue = Issue("unsafe_file", "error", "", f"It could not be read again: {error.issues[0].problem}", remedy)
        raise ResponsesError("The mapping was not written.", [issue]) from None


def read_mapping(path: Path) -> dict[str, MappedItem | None]:
    """A mapping file as ``{source column: item}``; an empty item code says that the column is no item.

    Raises
    ------
    ValueError
        The file is no mapping.
    InstrumentError
        unreadable_file or too_large (more than 1 MB); and where a YAML file is faulty.
    """
    if path.suffix.lower() == ".csv":
        try:
            text = read_bytes(path, path.name).decode("utf-8-sig")
            records = list(csv.DictReader(io.StringIO(text, newline="")))
        except (UnicodeDecodeError, csv.Error):
            raise ValueError(f"columns={str(path)!r} is no table in UTF-8 text; save it as CSV UTF-8") from None
        if not records or not {"source_column", "item_code"} <= records[0].keys():
            raise ValueError(f"columns={str(path)!r} must have the columns source_column and item_code")
        return {
            plain_csv_text(record["source_column"] or ""): _entry(record["item_code"], record.get("direction"), path)
            for record in records
        }
    data: Any = load_yaml(path).data
    if not isinstance(data, dict):
        raise ValueError(f"columns={str(path)!r} must be a mapping of source column to item code")
    return {
        str(column): _entry(entry.get("item"), entry.get("direction"), path)
        if isinstance(entry, dict)
        else _entry(entry, None, path)
        for column, entry in data.items()
    }


def _entry(code: Any, direction: Any, path: Path) -> MappedItem | None:
    if code is None or code == "":
        return None
    said = str(direction or "").strip().casefold()
    if said not in _REVERSED and said not in _DECLARED:
        raise ValueError(f"columns={str(path)!r} has the direction {direction!r}; choose declared or reversed")
    return MappedItem(str(code), said in _REVERSED)
