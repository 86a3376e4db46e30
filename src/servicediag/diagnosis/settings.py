"""The conventions that judge a finding, as one frozen value that every report prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Thresholds in points of the 0-100 scale, error rates, and group sizes. All are conventions, not norms."""

    smallest_gap: float = 5.0
    minimum_group: int = 5
    population: Literal["process", "census"] = "process"
    population_size: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    established_error_rate: float = 0.05
    likely_error_rate: float = 0.10
    established_n: int = 10
    reliability_needed: float = 0.70
    reliability_floor: float = 0.60
    low_level: float = 50.0
    good_level: float = 70.0
    share_criterion: float = 0.25
    bottleneck_probability: float = 0.90
    unit_wide_share: float = 0.75
    unit_wide_dimensions: int = 4

    @property
    def minimum_effect(self) -> float:
        """A gap must be shown to be larger than this to be *established*."""
        return self.smallest_gap / 2

    def severity(self, points: float) -> Literal["critical", "major", "minor", "none"]:
        """Size class of a gap; a value equal to a border belongs to the larger class."""
        size = abs(points)
        if size >= 4 * self.smallest_gap:
            return "critical"
        if size >= 2 * self.smallest_gap:
            return "major"
        return "minor" if size >= self.smallest_gap else "none"
