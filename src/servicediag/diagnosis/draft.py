"""A finding before the gate, with what ranks it; and the small helpers every kind of gap shares."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import Finding, FindingKind, Tier
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import benjamini_hochberg

__all__ = ["RATERS", "Draft", "Titles", "finding_id", "name_or_none", "share_tiers"]


@dataclass(frozen=True)
class Draft:
    """A finding and its expected loss in points of health, by which findings are ranked within a tier."""

    finding: Finding
    loss: float = 0.0
    values: tuple[tuple[str, object], ...] = ()

    def with_finding(self, **changes: object) -> Draft:
        return replace(self, finding=replace(self.finding, **changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Titles:
    """Readable names of dimensions and items, from the instruments."""

    evidence: Evidence

    def dimension(self, instrument: str, dimension: str) -> str:
        return self.evidence.instruments[instrument].dimension(dimension).title

    def item(self, instrument: str, code: str, form: str) -> str:
        return self.evidence.instruments[instrument].text(code, form=form)

    def raters(self, instrument: str, form: str) -> str:
        return RATERS[self.evidence.instruments[instrument].form(form).rater]


RATERS = {
    "customer": "customers",
    "employee": "employees",
    "supervisor": "supervisors",
    "mystery_shopper": "mystery shoppers",
    "auditor": "auditors",
    "leader": "leaders",
    "hr": "the HR department",
    "peer": "peers",
    "internal_customer": "internal customers",
}


def finding_id(kind: FindingKind, *about: object) -> str:
    """Stable identifier: a hash of what the finding is about, not of its numbers."""
    text = "|".join([kind, *("" if part is None else str(part) for part in about)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def name_or_none(value: str) -> str | None:
    return None if value == WHOLE else value


def share_tiers(shares: pd.DataFrame, settings: Settings) -> list[Tier]:
    """Tier of "more than the criterion" for each row (``n``, ``share``), corrected over the rows.

    One-sided score test against the criterion (Wilson, 1927), Benjamini-Hochberg over the family of rows.
    """
    from scipy.special import ndtr

    criterion = settings.share_criterion
    error = np.sqrt(criterion * (1 - criterion) / shares["n"].to_numpy(float))
    q = benjamini_hochberg(ndtr(-(shares["share"].to_numpy(float) - criterion) / error))
    tiers: list[Tier] = []
    for value, n in zip(q, shares["n"], strict=True):
        if value <= settings.established_error_rate and n >= settings.established_n:
            tiers.append("established")
        else:
            tiers.append("likely" if value <= settings.likely_error_rate else "watch")
    return tiers
