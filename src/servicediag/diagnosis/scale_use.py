"""Whether groups of people use a scale alike, so that their means may be compared: measurement invariance from sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from servicediag.diagnosis.draft import Titles
from servicediag.diagnosis.evidence import Evidence
from servicediag.diagnosis.moments import Moments
from servicediag.wording.telling import sentence

__all__ = ["ScaleUse", "language_notes"]

REASONS = frozenset({"scalar_fails", "metric_fails", "misfit", "improper"})
"""Verdicts against a comparison; the others say that it could not be examined."""


class ScaleUse:
    """Verdicts on pairs of forms, each fitted once."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._known: dict[tuple[str, str, str, str, str], str] = {}

    def code(self, instrument: str, dimension: str, wave: str, first: str, second: str) -> str:
        """``comparable``, a reason against it, or ``too_few`` or ``impossible`` where it could not be examined."""
        key = (instrument, dimension, wave, first, second)
        if key not in self._known:
            found = {form: self._evidence.moments.get((instrument, form, wave, dimension)) for form in (first, second)}
            self._known[key] = _verdict({form: m for form, m in found.items() if m is not None}, dimension)
        return self._known[key]

    def cautions(self, code: str) -> tuple[str, ...]:
        """What a comparison has to say of itself."""
        if code == "comparable":
            return ()
        if code not in REASONS:
            return (sentence("finding.abstention.scale_use_untested"),)
        return (sentence("finding.abstention.scale_use_refuted", reason=sentence(f"finding.scale_use.{code}")),)


def _verdict(moments: Mapping[str, Moments], dimension: str) -> str:
    from servicediag.psychometrics import GroupMoments, invariance_verdict

    shared = set.intersection(*(set(m.items) for m in moments.values())) if moments else set()
    if len(moments) < 2 or any(m.n < 2 for m in moments.values()) or not shared:
        return "too_few"
    groups = {
        name: GroupMoments.from_sums(m.items, m.n, m.totals, m.products, m.n_dropped) for name, m in moments.items()
    }
    items = [item for item in next(iter(moments.values())).items if item in shared]
    return str(invariance_verdict(groups, {dimension: items}).code)


def language_notes(evidence: Evidence) -> Iterable[str]:
    """Where questionnaires were answered in several languages: scales whose answers should not be compared between."""
    keys, titles = sorted(evidence.language_moments), Titles(evidence)
    for (instrument, form, wave, dimension), group in groupby(keys, key=lambda key: key[:4]):
        found = {key[4]: evidence.language_moments[key] for key in group}
        if len(found) < 2:
            continue
        code = _verdict(found, dimension)
        where = sentence(
            "finding.note.scale_place",
            title=titles.dimension(instrument, dimension),
            place=", ".join(filter(None, (instrument, form, wave))),
            languages=", ".join(found),
        )
        if code in REASONS:
            reason = sentence(f"finding.scale_use.{code}")
            yield sentence("finding.note.do_not_compare", where=where, reason=reason)
        elif code != "comparable":
            yield sentence("finding.note.too_few_to_compare", where=where)
