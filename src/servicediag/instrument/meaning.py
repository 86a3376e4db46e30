"""The meaning of an instrument as one hash, so that it cannot change while its version stays the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument.catalogue import instrument_ids, instruments_root, load_instrument
from servicediag.instrument.model import Instrument
from servicediag.instrument.yaml_loader import load_yaml

__all__ = ["content_hashes", "content_hashes_text", "meaning_hash", "read_content_hashes", "unversioned_changes"]

HEADER = """\
# Version of each instrument and hash of its meaning: the texts of its original language, its keys, directions, forms
# and response scales. Written by servicediag.instrument.catalogue_page.write_pages, which refuses a meaning that has
# changed under the same version. Translations, notes, facets, sources and accepted spellings are not part of it.
"""


def meaning_hash(instrument: Instrument) -> str:
    """SHA-256 of what answers to an instrument mean: texts of the original language, keys, forms and scales.

    Parameters
    ----------
    instrument : Instrument

    Returns
    -------
    str
        The same for two instruments whose answers may be compared. Translations, notes, facets, sources, targets and
        accepted spellings do not count, nor does the version.

    Examples
    --------
    >>> from dataclasses import replace
    >>> sins = load_instrument("seven-sins")
    >>> meaning_hash(replace(sins, notes=(), version="9.0.0")) == meaning_hash(sins)
    True
    """
    content = json.dumps(_meaning(instrument), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def _meaning(instrument: Instrument) -> dict[str, Any]:
    language = instrument.languages[0]
    locale = instrument.locales[language]
    return {
        "id": instrument.id,
        "language": language,
        "title": locale.title,
        "definition": locale.definition,
        "forms": [
            {
                "id": form.id,
                "rater": form.rater,
                "period": form.reference_period,
                "title": locale.forms[form.id].title,
                "instruction": locale.forms[form.id].instruction,
                "items": [
                    {
                        "code": item.code,
                        "stem": instrument.stem(item.code, form.id, language),
                        "text": instrument.text(item.code, form.id, language),
                        "scale": instrument.scale(item.code, form.id).id,
                    }
                    for item in instrument.form_items(form.id)
                ],
            }
            for form in instrument.forms
        ],
        "dimensions": [
            {
                "id": dimension.id,
                "texts": locale.dimensions[dimension.id],
                "direction": dimension.direction,
                "measurement": dimension.measurement,
                "minimum_answered": dimension.minimum_answered,
                "items": [[item.code, item.reverse_keyed, item.in_score] for item in dimension.items],
            }
            for dimension in instrument.dimensions
        ],
        "scales": {
            scale.id: [[code, scale.labels[language][code]] for code in scale.codes]
            + [[reason, text] for reason, text in sorted(scale.missing.get(language, {}).items())]
            for scale in (instrument.scale(code, form.id) for form in instrument.forms for code in form.items)
        },
    }


def content_hashes(*, root: Traversable | None = None) -> dict[str, tuple[str, str]]:
    """``{id: (version, meaning hash)}`` of every instrument of a catalogue.

    Raises
    ------
    InstrumentError
        An instrument is faulty.
    """
    catalogue = instruments_root() if root is None else root
    loaded = (load_instrument(instrument_id, root=catalogue) for instrument_id in instrument_ids(catalogue))
    return {instrument.id: (instrument.version, meaning_hash(instrument)) for instrument in loaded}


def content_hashes_text(hashes: Mapping[str, tuple[str, str]]) -> str:
    """The hashes as the file that ``read_content_hashes`` reads.

    Examples
    --------
    >>> content_hashes_text({"seven-sins": ("1.0.0", "ab12")}).splitlines()[-1]
    'seven-sins: {version: "1.0.0", meaning: "ab12"}'
    """
    lines = [f'{name}: {{version: "{version}", meaning: "{value}"}}' for name, (version, value) in hashes.items()]
    return HEADER + "\n".join(lines) + "\n"


def read_content_hashes(path: Path) -> dict[str, tuple[str, str]]:
    """The hashes that were recorded; none where the file does not exist.

    Raises
    ------
    InstrumentError
        The file does not have the form that ``content_hashes_text`` gives it.
    """
    if not path.is_file():
        return {}
    data = load_yaml(path).data
    try:
        return {str(name): (str(entry["version"]), str(entry["meaning"])) for name, entry in data.items()}
    except (AttributeError, KeyError, TypeError):
        problem = "The file does not give a version and a meaning for each instrument."
        issue = Issue("invalid_value", "error", str(path), problem, "Take it from the repository again.")
        raise InstrumentError(f"{path.name}: 1 problem", [issue]) from None


def unversioned_changes(
    recorded: Mapping[str, tuple[str, str]], current: Mapping[str, tuple[str, str]]
) -> tuple[Issue, ...]:
    """Instruments whose meaning has changed while their version stayed the same.

    Examples
    --------
    >>> changes = unversioned_changes({"a": ("1.0.0", "ab12")}, {"a": ("1.0.0", "cd34"), "b": ("1.0.0", "ef56")})
    >>> [issue.where for issue in changes]
    ['a/instrument.yaml']
    """
    changed = [
        name
        for name, (version, value) in current.items()
        if name in recorded and recorded[name][0] == version and recorded[name][1] != value
    ]
    return tuple(
        Issue(
            "unversioned_change",
            "error",
            f"{name}/instrument.yaml",
            f"Texts, keys or scales of {name!r} have changed, but its version is still {current[name][0]}.",
            "Raise the version and write the pages again; or take the change back.",
        )
        for name in changed
    )
