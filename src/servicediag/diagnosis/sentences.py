"""Title and text of a finding, made from its own numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from servicediag.diagnosis.draft import RATERS, Draft, Titles
from servicediag.diagnosis.settings import Settings
from servicediag.wording import text
from servicediag.wording.catalogue import has_text

__all__ = ["method_statements", "with_sentences"]


def with_sentences(draft: Draft, titles: Titles, settings: Settings) -> Draft:
    """The draft with ``title`` and ``text`` filled from the finding."""
    title_key, text_key = _keys(draft)
    values = _values(draft, titles, settings)
    sentences = [_text(f"text.{text_key}", values), *(_text(key, values) for key in _further(draft))]
    return draft.with_finding(title=text(f"finding.title.{title_key}", **values), text=" ".join(sentences))


def _further(draft: Draft) -> Iterable[str]:
    """Keys of the sentences that follow the first one."""
    extra = dict(draft.values)
    if extra.get("pattern"):
        yield f"pattern.{extra['pattern']}"
    if "repaired" in extra:
        yield "text.promise_repaired"
    if has_text(f"finding.reading.{extra.get('reading')}"):
        yield f"reading.{extra['reading']}"


def _text(key: str, values: Mapping[str, Any]) -> str:
    sentence = text(f"finding.{key}", **values)
    return sentence[0].upper() + sentence[1:]


def _keys(draft: Draft) -> tuple[str, str]:
    finding = draft.finding
    extra = dict(draft.values)
    if "wording" in extra:
        return str(extra["wording"]), str(extra["wording"])
    if "indicator" in extra:
        name = str(extra["indicator"])
        key = name.removeprefix("quadrant_") if name.startswith("quadrant_") else "incidence"
        return key, key
    if finding.kind in ("provision_gap", "perception_gap"):
        side = "worse" if finding.direction == "worse" else "better"
        title = "provision_gap" if finding.kind == "provision_gap" and side == "worse" else f"perception_gap_{side}"
        return title, f"rater_{side}"
    if extra.get("held_down_by"):
        return finding.kind, f"{finding.kind}_{extra['held_down_by']}"
    if finding.kind == "unit_gap" and finding.tier == "watch":
        return "unit_gap", "watch_small" if extra.get("distinct") else "watch"
    return finding.kind, finding.kind


def _values(draft: Draft, titles: Titles, settings: Settings) -> dict[str, Any]:
    finding = draft.finding
    extra = dict(draft.values)
    unit = "" if finding.unit is None else unit_name(finding.unit)
    place = text("finding.whole") if finding.unit is None else unit
    values: dict[str, Any] = {
        "unit": text("finding.whole_title") if finding.unit is None else unit,
        "place": place,
        "verb": text(f"finding.verb.{finding.tier}"),
        "n": finding.n,
        "comparator": finding.comparator,
        "margin": f"{settings.minimum_effect:g}",
    }
    if finding.instrument is not None and finding.dimension is not None:
        dimension = titles.evidence.instruments[finding.instrument].dimension(finding.dimension)
        values["dimension"] = dimension.title
        values["direction"] = text(f"finding.direction.{dimension.direction}")
        values["raters"] = titles.raters(finding.instrument, finding.form or "")
    elif finding.rater is not None:
        values["raters"] = RATERS[finding.rater]
        values["raters_title"] = values["raters"].capitalize()
    values.update(_numbers(draft))
    values.update({key: _number(value) for key, value in extra.items() if key != "indicator"})
    if "outer_raters" in extra:
        values.update(raters=extra["outer_raters"], others=extra["inner_raters"],
                      inner=_number(extra["inner_health"]), outer=_number(extra["outer_health"]))  # fmt: skip
    return values


def _numbers(draft: Draft) -> dict[str, str]:
    finding = draft.finding
    found: dict[str, str] = {}
    if finding.estimate is not None:
        found["size"] = f"{abs(finding.estimate):.1f}"
        found["percent"] = f"{100 * finding.estimate:.0f}"
        found["probability"] = f"{finding.estimate:.2f}" if finding.estimate < 0.995 else "more than 0.99"
    for name, value in (("low", finding.ci_low), ("high", finding.ci_high)):
        if value is not None:
            found[name] = f"{value:+.1f}"
            found[f"{name}_percent"] = f"{100 * value:.0f}"
    if finding.shrunk is not None:
        found["shrunk"] = f"{abs(finding.shrunk):.1f}"
    if finding.minimum_detectable_gap is not None:
        found["detectable"] = f"{finding.minimum_detectable_gap:.1f}"
    return found


def unit_name(unit: str) -> str:
    """The unit as a sentence needs it: a bare number becomes "unit 21".

    Examples
    --------
    >>> unit_name("21"), unit_name("Branch 21")
    ('unit 21', 'Branch 21')
    """
    return unit if any(character.isalpha() for character in unit) else text("finding.numbered_unit", unit=unit)


def _number(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def method_statements(settings: Settings) -> tuple[str, ...]:
    """The conventions of this diagnosis in sentences, with their numbers."""
    s = settings
    return (
        text("finding.method.conventions"),
        text("finding.method.contrast"),
        text("finding.method.family"),
        text(
            "finding.method.established",
            minimum=f"{s.minimum_effect:g}",
            rate=f"{100 * s.established_error_rate:g}",
            n=s.established_n,
            reliability=f"{s.reliability_needed:.2f}",
        ),
        text("finding.method.likely", rate=f"{100 * s.likely_error_rate:g}", gap=f"{s.smallest_gap:g}"),
        text("finding.method.watch", gap=f"{s.smallest_gap:g}"),
        text(
            "finding.method.severity",
            minor=f"{s.smallest_gap:g}",
            major=f"{2 * s.smallest_gap:g}",
            critical=f"{4 * s.smallest_gap:g}",
        ),
        text(
            "finding.method.shares",
            share=f"{100 * s.share_criterion:g}",
            good=f"{s.good_level:g}",
            scale=f"{4 * s.smallest_gap:g}",
        ),
        text(
            "finding.method.bottleneck",
            minimum=f"{s.minimum_effect:g}",
            probability=f"{100 * s.bottleneck_probability:g}",
        ),
        text("finding.method.reliability", floor=f"{s.reliability_floor:.2f}"),
        text(
            "finding.method.unit_wide",
            share=f"{100 * s.unit_wide_share:g}",
            dimensions=s.unit_wide_dimensions,
            gap=f"{s.smallest_gap:g}",
        ),
        text("finding.method.whole"),
        text("finding.method.causes"),
        text(
            "finding.method.conditions",
            gap=f"{s.smallest_gap:g}",
            low=f"{s.low_level:g}",
            good=f"{s.good_level:g}",
        ),
        text("finding.method.privacy", group=s.minimum_group),
        text(f"finding.method.population_{s.population}"),
    )
