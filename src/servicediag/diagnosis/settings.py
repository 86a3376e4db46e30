"""The conventions that judge a finding, as one frozen value that every report prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from servicediag.diagnosis.model import Severity
from servicediag.diagnosis.privacy import PrivacyRules

__all__ = ["Invited", "Settings"]

Invited = tuple[str, str, str, str, str]
"""Grouping, unit, instrument, form and wave of people who were asked; empty text for the whole organisation, for any
instrument or form, and for the newest wave."""


SEVERITIES: tuple[Severity, ...] = ("none", "minor", "major", "critical")
BORDERS = (1, 2, 4)
"""Where *minor*, *major* and *critical* begin, in smallest gaps of interest."""


@dataclass(frozen=True)
class Settings:
    """Thresholds in points of the 0-100 scale, error rates, and group sizes. All are conventions, not norms."""

    smallest_gap: float = 5.0
    minimum_group: int = 5
    population: Literal["process", "census"] = "process"
    population_size: Mapping[str, int] = field(default_factory=dict)
    invited: Mapping[Invited, int] = field(default_factory=dict)
    seed: int = 0
    established_error_rate: float = 0.05
    likely_error_rate: float = 0.08
    established_n: int = 10
    reliability_needed: float = 0.70
    reliability_floor: float = 0.60
    low_level: float = 50.0
    good_level: float = 70.0
    share_criterion: float = 0.25
    bottleneck_probability: float = 0.90
    unit_wide_share: float = 0.75
    unit_wide_dimensions: int = 4
    fewest_clusters: int = 5
    clusters_known: float = 0.90
    low_response: float = 0.30
    ranking_icc2: float = 0.50
    privacy: PrivacyRules = field(default_factory=PrivacyRules)
    privacy_override: str = ""
    rule_files: Mapping[str, str] = field(default_factory=dict)

    @property
    def minimum_effect(self) -> float:
        """A gap must be shown to be larger than this to be *established*."""
        return self.smallest_gap / 2

    def invited_of(self, by: str, unit: str, instrument: str, form: str, wave: str, newest: bool) -> int | None:
        """How many were asked: what was declared for this instrument, form and wave, else for more of them at once."""
        for one in (instrument, ""):
            for two in (form, ""):
                for three in (wave, "") if newest else (wave,):
                    found = self.invited.get((by, unit, one, two, three))
                    if found is not None:
                        return found
        return None

    def severity(self, points: float) -> Severity:
        """Size class of a gap; a value equal to a border belongs to the larger class."""
        return SEVERITIES[sum(abs(points) >= border * self.smallest_gap for border in BORDERS)]

    def severities(self, points: np.ndarray) -> np.ndarray:
        """Size classes of many gaps; *none* where a gap is not known."""
        with np.errstate(invalid="ignore"):
            classes = [np.abs(points) >= border * self.smallest_gap for border in BORDERS]
        return np.asarray(np.array(SEVERITIES, dtype=object)[np.sum(classes, axis=0)])
