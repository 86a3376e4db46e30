"""Title and text of a finding, made from its own numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import Any

from servicediag.diagnosis.draft import Draft, Titles, rater_group
from servicediag.diagnosis.model import STABLE_SHARE, Finding
from servicediag.diagnosis.settings import Settings
from servicediag.wording.catalogue import has_text, placeholders, text
from servicediag.wording.telling import Figure, Sentence, capitalised, figure, joined, sentence

__all__ = ["method_statements", "with_sentences"]


def with_sentences(draft: Draft, titles: Titles, settings: Settings) -> Draft:
    """The draft with ``title`` and ``text`` filled from the finding."""
    extra = dict(draft.values)
    title_key, text_key = _keys(draft.finding, extra)
    further = (*_further(extra), *_again(draft.finding))
    keys = tuple(f"finding.{key}" for key in (f"title.{title_key}", f"text.{text_key}", *further))
    values = _values(draft.finding, extra, titles, settings, _asked(keys))
    # the sentences share their values: there may be ten thousands of findings
    title, *sentences = (Sentence(text(key, **values), key, values) for key in keys)
    told = [capitalised(one) for one in sentences]
    return draft.with_finding(title=title, text=told[0] if len(told) == 1 else joined("sentences", told))


@lru_cache(maxsize=256)
def _asked(keys: tuple[str, ...]) -> frozenset[str]:
    """What the sentences need values for: most findings say few of their numbers."""
    return frozenset().union(*map(placeholders, keys))


def _further(extra: Mapping[str, object]) -> Iterable[str]:
    """Keys of the sentences that follow the first one."""
    if extra.get("pattern"):
        yield f"pattern.{extra['pattern']}"
    if "repaired" in extra:
        yield "text.promise_repaired"
    if "reading" in extra and has_text(f"finding.reading.{extra['reading']}"):
        yield f"reading.{extra['reading']}"
    if "rests_on" in extra:
        yield f"rests_on.{extra['rests_on']}"


def _again(finding: Finding) -> Iterable[str]:
    """Key of the sentence that says how seldom the finding would be told as surely again, where it is seldom."""
    if finding.seldom_again is not None:
        yield f"again.{finding.tier}"


def _keys(finding: Finding, extra: Mapping[str, object]) -> tuple[str, str]:
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


@lru_cache(maxsize=256)
def _fixed(key: str) -> str:
    """A sentence without placeholders, of which there are few."""
    return sentence(key)


def _values(
    finding: Finding, extra: Mapping[str, Any], titles: Titles, settings: Settings, asked: Set[str]
) -> dict[str, Any]:
    unit = "" if finding.unit is None else unit_name(finding.unit)
    place = _fixed("finding.whole") if finding.unit is None else unit
    values: dict[str, Any] = {
        "unit": _fixed("finding.whole_title") if finding.unit is None else unit,
        "place": place,
        "verb": _fixed(f"finding.verb.{finding.tier}"),
        "n": finding.n,
        "comparator": finding.comparator,
    }
    if "margin" in asked:
        values["margin"] = figure(settings.minimum_effect, "g")
    if finding.instrument is not None and finding.dimension is not None:
        dimension = titles.evidence.instruments[finding.instrument].dimension(finding.dimension)
        values["dimension"] = titles.dimension(finding.instrument, finding.dimension)
        values["direction"] = _fixed(f"finding.direction.{dimension.direction}")
        values["raters"] = titles.raters(finding.instrument, finding.form or "")
    elif finding.rater is not None:
        values["raters"] = rater_group(finding.rater)
        values["raters_title"] = capitalised(values["raters"])
    values.update(_numbers(finding, asked))
    values.update({key: _number(value) for key, value in extra.items() if key in asked and key != "indicator"})
    if "outer_raters" in extra:
        values.update(raters=extra["outer_raters"], others=extra["inner_raters"],
                      inner=_number(extra["inner_health"]), outer=_number(extra["outer_health"]))  # fmt: skip
    return values


def _numbers(finding: Finding, asked: Set[str]) -> dict[str, str]:
    """The numbers of the finding that are asked for, by name."""
    known: dict[str, tuple[float, str]] = {}
    if finding.estimate is not None:
        known["size"] = abs(finding.estimate), ".1f"
        known["percent"] = 100 * finding.estimate, ".0f"
        known["probability"] = finding.estimate, ".2f"
    for name, value in (("low", finding.ci_low), ("high", finding.ci_high)):
        if value is not None:
            known[name] = value, "+.1f"
            known[f"{name}_percent"] = 100 * value, ".0f"
    if finding.shrunk is not None:
        known["shrunk"] = abs(finding.shrunk), ".1f"
    if finding.seldom_again is not None:
        known["again"] = finding.seldom_again, ".0f"
    if finding.minimum_detectable_gap is not None:
        known["detectable"] = finding.minimum_detectable_gap, ".1f"
    found: dict[str, str] = {name: figure(*number) for name, number in known.items() if name in asked}
    if "probability" in found and known["probability"][0] >= 0.995:
        found["probability"] = sentence("finding.more_than", probability=figure(0.99, ".2f"))
    return found


def unit_name(unit: str) -> str:
    """The unit as a sentence needs it: a bare number becomes "unit 21".

    Examples
    --------
    >>> unit_name("21"), unit_name("Branch 21")
    ('unit 21', 'Branch 21')
    """
    return unit if any(map(str.isalpha, unit)) else sentence("finding.numbered_unit", unit=unit)


def _number(value: object) -> str:
    if isinstance(value, float):
        return figure(value, ".1f")
    return value if isinstance(value, str) else Figure(str(value))


def method_statements(settings: Settings) -> tuple[str, ...]:
    """The conventions of this diagnosis in sentences, with their numbers."""
    s = settings
    return (
        sentence("finding.method.conventions"),
        sentence("finding.method.contrast"),
        sentence("finding.method.family"),
        sentence(
            "finding.method.established",
            minimum=figure(s.minimum_effect, "g"),
            rate=figure(100 * s.established_error_rate, "g"),
            n=s.established_n,
            reliability=figure(s.reliability_needed, ".2f"),
        ),
        sentence("finding.method.likely", rate=figure(100 * s.likely_error_rate, "g"), gap=figure(s.smallest_gap, "g")),
        sentence("finding.method.watch", gap=figure(s.smallest_gap, "g")),
        sentence(
            "finding.method.severity",
            minor=figure(s.smallest_gap, "g"),
            major=figure(2 * s.smallest_gap, "g"),
            critical=figure(4 * s.smallest_gap, "g"),
        ),
        sentence(
            "finding.method.shares",
            share=figure(100 * s.share_criterion, "g"),
            good=figure(s.good_level, "g"),
            scale=figure(4 * s.smallest_gap, "g"),
        ),
        sentence(
            "finding.method.bottleneck",
            minimum=figure(s.minimum_effect, "g"),
            probability=figure(100 * s.bottleneck_probability, "g"),
        ),
        sentence("finding.method.reliability", floor=figure(s.reliability_floor, ".2f")),
        sentence("finding.method.stability", share=figure(100 * STABLE_SHARE, "g")),
        sentence(
            "finding.method.unit_wide",
            share=figure(100 * s.unit_wide_share, "g"),
            dimensions=s.unit_wide_dimensions,
            gap=figure(s.smallest_gap, "g"),
        ),
        sentence("finding.method.whole"),
        sentence("finding.method.causes"),
        sentence(
            "finding.method.conditions",
            minimum=figure(s.minimum_effect, "g"),
            gap=figure(s.smallest_gap, "g"),
            low=figure(s.low_level, "g"),
            good=figure(s.good_level, "g"),
        ),
        sentence("finding.method.privacy", group=s.minimum_group),
        sentence(f"finding.method.population_{s.population}"),
    )
