"""What was asked for beside what was measured, with intervals, as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Z = 1.959964


@dataclass(frozen=True)
class Measured:
    """A number from simulated organisations with its 95 % interval."""

    value: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class Row:
    """One goal; ``sense`` says on which side of the target the number must lie, None where none was set."""

    goal: str
    what: str
    measured: Measured
    sense: Literal["at most", "at least"] | None = None
    target: float = math.nan
    digits: int = 3

    @property
    def met(self) -> str:
        if self.sense is None:
            return "-"
        value, low, high = self.measured.value, self.measured.low, self.measured.high
        if math.isnan(value):
            return "not measured"
        good = value <= self.target if self.sense == "at most" else value >= self.target
        clear = not low <= self.target <= high or low == high
        return ("yes" if good else "no") + ("" if clear else ", interval crosses")

    def cells(self) -> tuple[str, ...]:
        def show(number: float) -> str:
            return "-" if math.isnan(number) else f"{number:.{self.digits}f}"

        target = "" if self.sense is None else f"{self.sense} {self.target:g}"
        measured = self.measured
        interval = f"{show(measured.low)} to {show(measured.high)}"
        return self.goal, self.what, target, show(measured.value), str(measured.runs), interval, self.met


HEADINGS = ("goal", "what", "target", "measured", "runs", "95 % interval", "met")


def table(rows: Iterable[Row]) -> str:
    """Rows as a Markdown table that also reads well in a terminal."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def ratio(counts: Sequence[float] | np.ndarray, of: Sequence[float] | np.ndarray) -> Measured:
    """Sum of counts over sum of ``of``, an entry an organisation; things within one organisation are not independent.

    Wilson's interval (1927) with the effective number that the variance between organisations leaves (Cochran, 1977,
    ratio estimates); where nothing or everything was counted, with the number of organisations.
    """
    count, total = np.asarray(counts, dtype=float), np.asarray(of, dtype=float)
    used = total > 0
    if not used.any():
        return Measured(math.nan, math.nan, math.nan, len(total))
    share = count.sum() / total.sum()
    n = float(used.sum())
    if 0 < share < 1 and n > 1:
        variance = ((count - share * total) ** 2).sum() * n / (n - 1) / total.sum() ** 2
        n = min(total.sum(), share * (1 - share) / variance) if variance > 0 else n
    centre, scale = share + Z**2 / (2 * n), 1 + Z**2 / n
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Measured(float(share), max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale), len(total))


def mean(values: Sequence[float] | np.ndarray) -> Measured:
    """Mean over organisations with its normal interval."""
    one = np.asarray(values, dtype=float)
    half = Z * float(one.std(ddof=1)) / math.sqrt(len(one)) if len(one) > 1 else math.nan
    return Measured(float(one.mean()), float(one.mean()) - half, float(one.mean()) + half, len(one))


def resampled(columns: np.ndarray, statistic: Callable[[np.ndarray], float], runs: int, seed: int = 0) -> Measured:
    """A statistic of sums over organisations (rows of ``columns``), with its percentile interval from 400 resamples."""
    rng = np.random.default_rng(seed)
    draws = [statistic(columns[rng.integers(0, len(columns), len(columns))].sum(axis=0)) for _ in range(400)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Measured(float(statistic(columns.sum(axis=0))), float(low), float(high), runs)
