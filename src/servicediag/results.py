"""Small frozen values that every layer shares: intervals, refusals, and readable representations."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMN_GLOSSARY", "ConfidenceInterval", "Undefined", "as_html", "plain", "short_repr", "table_rows"]


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """Limits of an interval estimate, its level, and the method that made it.

    Examples
    --------
    >>> low, high = ConfidenceInterval(0.7, 0.8, level=0.95, method="feldt")
    >>> low, high
    (0.7, 0.8)
    """

    low: float
    high: float
    level: float = 0.95
    method: str = ""

    def __iter__(self) -> Iterator[float]:
        yield self.low
        yield self.high

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Undefined:
    """A value that cannot be given, and why. It is false in a condition and reads as its reason."""

    reason: str

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"undefined: {self.reason}"


def plain(value: Any) -> Any:
    """Turn numpy scalars into plain Python values, NaN into None, and arrays and lists into tuples.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.float64(0.5)), plain(float("nan")), plain([np.int64(1), 2])
    (0.5, None, (1, 2))
    """
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind is float:
        return None if value != value else value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, (list, tuple)) or (hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1):
        return tuple(plain(entry) for entry in value)
    return value


def short_repr(name: str, pairs: Iterable[tuple[str, Any]]) -> str:
    """One stable line for a result: floats with four significant digits, no numpy types, no object ids.

    Examples
    --------
    >>> short_repr("CronbachAlpha", [("estimate", 0.831234), ("n_respondents", 120)])
    'CronbachAlpha(estimate=0.8312, n_respondents=120)'
    """
    parts = []
    for key, value in pairs:
        value = plain(value)
        parts.append(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value!r}")
    return f"{name}({', '.join(parts)})"


def table_rows(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame as named tuples, without the index."""
    return iter(frame.itertuples(index=False))


COLUMN_GLOSSARY: dict[str, str] = {
    "n": "respondents who gave this value",
    "mean": "mean score, 0 to 100, in the direction of the dimension's name",
    "sd": "standard deviation between respondents, n - 1 in the denominator",
    "ci_low": "lower limit of the 95 % interval",
    "ci_high": "upper limit of the 95 % interval",
    "health": "score turned so that high is good, 0 to 100",
    "gap": "health of the unit minus health of its comparator, in points; negative is worse",
    "shrunk_gap": "gap drawn towards zero by how little the unit's own data can say (empirical Bayes)",
    "q_value": "Benjamini-Hochberg adjusted p of 'no difference', over all cells of the declared family",
    "q_minimum_effect": "Benjamini-Hochberg adjusted p of 'the difference is below the minimum effect'",
    "minimum_detectable_gap": "smallest true gap that this cell's size finds with a chance of 80 %",
    "tier": "how sure: established, likely, watch or abstained",
    "severity": "how large: critical, major, minor or none",
}


def as_html(line: str, table: pd.DataFrame | None = None) -> str:
    """A line and a table for a notebook: escaped, and kept from MathJax.

    Examples
    --------
    >>> as_html("a < b")
    '<div class="tex2jax_ignore mathjax_ignore"><p>a &lt; b</p></div>'
    """
    shown = "" if table is None else table.to_html(index=False, escape=True, na_rep="")
    return f'<div class="tex2jax_ignore mathjax_ignore"><p>{html.escape(line)}</p>{shown}</div>'
