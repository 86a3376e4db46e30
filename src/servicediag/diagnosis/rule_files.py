"""Fingerprints of rule files, by which a report can be traced to the rules that it was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache

from servicediag.instrument.catalogue import instruments_root
from servicediag.instrument.yaml_loader import read_bytes

__all__ = ["FOLDER", "fingerprint", "fingerprints"]

FOLDER = "_rules"
_READ_BESIDE = ("gaps.yaml", "privacy.yaml", "themes.yaml")
"""Files of ours that hold whatever the root-cause rules are."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def fingerprint(content: bytes) -> str:
    """SHA-256 of a text file without byte order mark, with line feeds only: the same on every system.

    Examples
    --------
    >>> fingerprint(b"rules:\\r\\n") == fingerprint(b"rules:\\n")
    True
    """
    plain = content.removeprefix(_BYTE_ORDER_MARK).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return hashlib.sha256(plain).hexdigest()


def fingerprints(rule_files: Mapping[str, str]) -> dict[str, str]:
    """Those of the files of a rule set, and of the definitions of gaps and of sensitive scales, by name."""
    return {**rule_files, **_beside()}


@lru_cache(maxsize=1)
def _beside() -> dict[str, str]:
    names = {name: f"{FOLDER}/{name}" for name in _READ_BESIDE}
    return {
        shown: fingerprint(read_bytes(instruments_root().joinpath(FOLDER, name), shown))
        for name, shown in names.items()
    }
