"""Scales that tell so much about people that they are shown of larger groups only."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from servicediag.diagnosis.row_keys import RowKeys
from servicediag.instrument.catalogue import instruments_root

__all__ = ["is_sensitive", "sensitive_cells", "sensitive_scales"]

FILE = "_rules/privacy.yaml"


@cache
def sensitive_scales() -> frozenset[str]:
    """Every sensitive scale as ``instrument/dimension``.

    Whether every one of them exists is a test of the catalogue, since it costs the reading of all their instruments.

    Examples
    --------
    >>> "attitude-causes/morale" in sensitive_scales()
    True
    """
    from servicediag.diagnosis.rule_documents import PrivacyFile
    from servicediag.instrument.yaml_loader import load_yaml, validate_document

    document = validate_document(load_yaml(instruments_root().joinpath(FILE), FILE), PrivacyFile)
    return frozenset(document.sensitive)


def is_sensitive(instrument: str, dimension: str) -> bool:
    return f"{instrument}/{dimension}" in sensitive_scales()


def sensitive_cells(cells: pd.DataFrame) -> np.ndarray:
    """Which cells, or other rows with an instrument and a dimension, are of a sensitive scale."""
    return RowKeys.of(cells, ["instrument", "dimension"]).each(lambda key: is_sensitive(*key), bool)
