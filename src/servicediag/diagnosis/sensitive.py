"""Scales that tell so much about people that they are shown of larger groups only."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from servicediag.errors import InstrumentError
from servicediag.instrument.catalogue import instruments_root

__all__ = ["sensitive_cells", "sensitive_scales"]

FILE = "_rules/privacy.yaml"


@cache
def sensitive_scales() -> frozenset[str]:
    """Every sensitive scale as ``instrument/dimension``.

    Raises
    ------
    InstrumentError
        The file that names them is faulty, or names a dimension that the catalogue does not have.

    Examples
    --------
    >>> "attitude-causes/morale" in sensitive_scales()
    True
    """
    from servicediag.diagnosis.rule_documents import PrivacyFile
    from servicediag.instrument import load_instrument
    from servicediag.instrument.yaml_loader import load_yaml, validate_document

    loaded = load_yaml(instruments_root().joinpath(FILE), FILE)
    document = validate_document(loaded, PrivacyFile)
    issues = []
    for number, scale in enumerate(document.sensitive):
        instrument, _, dimension = scale.partition("/")
        try:
            load_instrument(instrument).dimension(dimension)
        except (ValueError, KeyError):
            issues.append(
                loaded.issue(
                    "unknown_reference", ("sensitive", number), f"There is no {scale}.", "Choose from the catalogue."
                )
            )
    if issues:
        raise InstrumentError(f"{FILE} names what does not exist.", issues)
    return frozenset(document.sensitive)


def sensitive_cells(cells: pd.DataFrame) -> np.ndarray:
    """Which cells, or other rows with an instrument and a dimension, are of a sensitive scale."""
    scales = {tuple(scale.split("/")) for scale in sensitive_scales()}
    keys = zip(cells["instrument"].to_numpy(dtype=object), cells["dimension"].to_numpy(dtype=object), strict=True)
    return np.array([key in scales for key in keys], dtype=bool)
