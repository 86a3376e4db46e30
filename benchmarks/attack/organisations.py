"""Random organisations for the attack test: who works where, what everybody answered, and the reports about them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

import servicediag as sd
from servicediag.diagnosis.privacy import PrivacyRules
from servicediag.diagnosis.settings import Settings
from servicediag.report import print_diagnosis
from servicediag.responses import Responses
from servicediag.scoring import code_points

MINIMUM = 5
FORM = ("readiness", "employee")
BACKGROUNDS = {
    "tenure": ("under_1", "from_1", "from_4"),
    "age_band": ("under_30", "from_30", "from_45"),
}
"""Some of the answers that the instruments give to questions about background."""


@dataclass(frozen=True)
class Organisation:
    """Everybody's answers, the columns that reports break them down by, and who is in each report."""

    responses: Responses
    groupings: tuple[str, ...]
    backgrounds: tuple[str, ...]
    reports: tuple[np.ndarray, ...]
    invited: Mapping[str, int]
    together: bool = False
    """Whether the reports are two waves of one study, told of in one report."""
    _columns: dict[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)
    _people: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict, compare=False, repr=False)

    def column(self, name: str) -> np.ndarray:
        """The group of every respondent, an empty name for none."""
        if name not in self._columns:
            self._columns[name] = self.responses.respondents[name].fillna("").astype(str).to_numpy()
        return self._columns[name]

    def people(self, column: str, value: str) -> frozenset[int]:
        if (column, value) not in self._people:
            self._people[column, value] = frozenset(np.flatnonzero(self.column(column) == value).tolist())
        return self._people[column, value]

    def small_units(self) -> set[str]:
        """Units with fewer people than the minimum in every report."""
        units = self.column(self.groupings[0])
        return {unit for unit in set(units) - {""} if all((units[r] == unit).sum() < MINIMUM for r in self.reports)}


def random_organisation(seed: int, kind: str = "one") -> Organisation:
    """An organisation with small units, missing answers, up to two groupings and up to two background fields.

    ``kind`` is *one* report, *two* reports of which the second leaves some people out, or two *waves* with one to
    three people who joined or left and nobody else changing an answer, which is the worst case; a *study* is one report
    about two such waves.
    """
    generator = np.random.default_rng([seed, ["one", "two", "waves", "study"].index(kind)])
    sizes = generator.integers(1, 22, size=generator.integers(3, 9))
    sizes[generator.integers(len(sizes))] = generator.integers(12, 30)
    units = np.repeat([f"Unit {k}" for k in range(len(sizes))], sizes).astype(object)
    n = len(units)
    if generator.random() < 0.3:
        units[generator.choice(n, generator.integers(1, 6), replace=False)] = ""
    columns = {"unit": units}
    if generator.random() < 0.4:
        columns["region"] = _second_grouping(generator, units)
    backgrounds = tuple(BACKGROUNDS)[: generator.integers(0, 3)]
    for name in backgrounds:
        columns[name] = generator.choice(BACKGROUNDS[name], n, p=generator.dirichlet([2, 2, 1])).astype(object)
    responses = _answers(generator, columns, missing=generator.choice([0.0, 0.02, 0.08]))
    invited = {unit: int((units == unit).sum() + generator.integers(0, 4)) for unit in set(units) - {""}}
    groupings = tuple(name for name in ("unit", "region") if name in columns)
    reports = _reports(generator, kind, n, units)
    return Organisation(responses, groupings, backgrounds, reports, invited, kind == "study")


def _second_grouping(generator: np.random.Generator, units: np.ndarray) -> np.ndarray:
    """Regions of whole units, with a few people elsewhere, or groups across all units."""
    names = sorted(set(units))
    of_unit = dict(zip(names, generator.choice(["North", "South", "West"], len(names)), strict=True))
    regions = np.array([of_unit[unit] for unit in units], dtype=object)
    stray = generator.choice(len(units), generator.integers(0, 4), replace=False)
    regions[stray] = "South"
    return regions if generator.random() < 0.7 else generator.choice(["North", "South", "West"], len(units))


def _reports(generator: np.random.Generator, kind: str, n: int, units: np.ndarray) -> tuple[np.ndarray, ...]:
    everybody = np.ones(n, dtype=bool)
    if kind == "one":
        return (everybody,)
    unit = generator.choice(sorted(set(units) - {""}))
    at = np.flatnonzero(units == unit) if generator.random() < 0.6 else np.arange(n)
    few = generator.choice(at, min(len(at), generator.integers(1, 4)), replace=False)
    second = everybody.copy()
    second[few] = False
    if kind == "two" and generator.random() < 0.3:
        second &= generator.random(n) < 0.85
    return (everybody, second) if generator.random() < 0.6 else (second, everybody)


def _answers(
    generator: np.random.Generator, columns: Mapping[str, np.ndarray], missing: float, level: np.ndarray | None = None
) -> Responses:
    """Answers to a form; each unit has a level of its own, and some units nearly agree."""
    instrument = sd.load_instrument(FORM[0])
    units = columns["unit"]
    n = len(units)
    centre = {unit: generator.normal(0.3, 0.9) for unit in sorted(set(units))}
    spread = {unit: generator.choice([0.2, 0.8, 1.0]) for unit in sorted(set(units))}
    person = np.array([centre[u] + spread[u] * generator.normal(0, 0.7) for u in units]) if level is None else level
    width = np.array([spread[u] for u in units]) if level is None else np.zeros(n)
    answers: dict[str, np.ndarray] = {}
    for code in instrument.form(FORM[1]).items:
        reverse = -1 if instrument.item(code).reverse_keyed else 1
        value = np.rint(3 + reverse * (person + width * generator.normal(0, 0.8, n)))
        value = np.clip(value, 1, 5)
        value[generator.random(n) < missing] = np.nan
        answers[code] = value
    frame = pd.DataFrame({"id": [f"p{k}" for k in range(n)], **columns, **answers})
    return sd.read_responses(frame, instrument, form=FORM[1], unit="unit", respondent="id", minimum_completed=0)


def crafted(rule: str, seed: int) -> Organisation:
    """An organisation in which nothing but that rule protects somebody."""
    generator = np.random.default_rng([seed, 99])
    big = generator.integers(11, 20, size=3).tolist()
    sizes, level_of = {
        "minimum_group": ([*big, 3, 4], {}),
        "complementary": ([*big, int(generator.integers(1, 4))], {}),
        "unanimity": ([*big, 6], {3: 9.0}),
        "interval": ([*big, 3, 4], {3: -9.0, 4: -9.0}),
        "audit": ([*big, 3, 6], {}),
        "partial_answers": ([*big, 8], {}),
        "ledger": (big, {}),
        "waves": (big, {}),
        "scales": ([*big, 6], {}),
    }[rule]
    units = np.repeat([f"Unit {k}" for k in range(len(sizes))], sizes).astype(object)
    columns = {"unit": units}
    backgrounds: tuple[str, ...] = ()
    if rule == "audit":
        columns["region"] = np.where(np.isin(units, ["Unit 0", "Unit 3"]), "North", "South").astype(object)
    place = np.repeat(np.arange(len(sizes)), sizes)
    level = np.array([level_of.get(k, np.nan) for k in place])
    level = np.where(np.isnan(level), generator.normal(0.2, 1.0, len(units)), level)
    responses = _answers(generator, columns, 0.0, level)
    if rule in ("unanimity", "interval"):
        responses = _answers(generator, columns, 0.0, level)
    elif rule == "partial_answers":
        codes = {code: column.copy() for code, column in responses.codes.items()}
        for code in ("rdy_know_s1", "rdy_want_s1", "rdy_can_s1"):
            codes[code][np.flatnonzero(units == "Unit 3")[0]] = -128
        responses = replace(responses, codes=codes)
    elif rule == "scales":
        codes = {code: column.copy() for code, column in responses.codes.items()}
        for code in ("rdy_know_s1", "rdy_want_s1", "rdy_can_s1"):
            codes[code][units == "Unit 3"] = 5
        responses = replace(responses, codes=codes)
    everybody = np.ones(len(units), dtype=bool)
    reports: tuple[np.ndarray, ...] = (everybody,)
    if rule in ("ledger", "waves"):
        second = everybody.copy()
        second[generator.integers(len(units))] = False
        reports = (everybody, second)
    groupings = ("unit", "region") if "region" in columns else ("unit",)
    return Organisation(responses, groupings, backgrounds, reports, {}, rule == "waves")


def write_reports(
    organisation: Organisation, folder: Path, *, without: str = "", ledger: bool = True, formats: Sequence[str] = ()
) -> Iterator[Path]:
    """The files of every report, in folders of their own; ``without`` names a rule that is switched off."""
    rules = replace(PrivacyRules(), **{without: False}) if without else PrivacyRules()
    told = [_of(organisation.responses, rows) for rows in organisation.reports]
    if organisation.together:
        told = [_in_waves(organisation)]
    book = folder / "ledger.json" if ledger and len(told) > 1 else None
    asked = len(organisation.groupings) == 1 and not organisation.together
    for number, (responses, rows) in enumerate(zip(told, organisation.reports, strict=False)):
        place = folder / str(number)
        place.mkdir()
        with mock.patch("servicediag.diagnosis.engine.Settings", partial(Settings, privacy=rules)):
            diagnosis = sd.diagnose(
                responses,
                by=organisation.groupings,
                background=organisation.backgrounds,
                invited=organisation.invited or None if rows.all() and asked else None,
                minimum_group=MINIMUM,
                ledger=book,
            )
        diagnosis.to_json(place / "report.json")
        if "xlsx" in formats:
            diagnosis.to_excel(place / "report.xlsx")
        if "html" in formats:
            diagnosis.to_html(place / "report.html")
        if "pptx" in formats:
            diagnosis.to_slides(place / "report.pptx")
        if "docx" in formats:
            diagnosis.to_word(place / "report.docx")
        if "txt" in formats:
            (place / "report.txt").write_text(_terminal_text(diagnosis), encoding="utf-8")
        yield place


def _terminal_text(diagnosis: sd.Diagnosis) -> str:
    from rich.console import Console

    out = io.StringIO()
    print_diagnosis(diagnosis, Console(file=out, width=200, no_color=True))
    return out.getvalue()


def _of(responses: Responses, rows: np.ndarray) -> Responses:
    codes = {code: column[rows] for code, column in responses.codes.items()}
    return replace(responses, codes=codes, respondents=responses.respondents[rows])


def _in_waves(organisation: Organisation) -> Responses:
    """One export with a wave for each report."""
    parts = [_of(organisation.responses, rows) for rows in organisation.reports]
    codes = {code: np.concatenate([part.codes[code] for part in parts]) for code in parts[0].codes}
    waves = [part.respondents.assign(wave=wave_name(r)) for r, part in enumerate(parts)]
    return replace(organisation.responses, codes=codes, respondents=pd.concat(waves))


def scales(organisation: Organisation) -> dict[str, tuple[str, ...]]:
    """The items that count for each score, as the questionnaire tells."""
    (part,) = organisation.responses.parts
    return {one.id: tuple(i.code for i in one.scored_items if i.code in part.items) for one in part.dimensions}


def wave_name(r: int) -> str:
    """How the wave of a report is called where one report tells of all."""
    return f"Wave {r + 1}"


def truth(organisation: Organisation) -> dict[tuple[str, ...], np.ndarray]:
    """What everybody answered, in points, for each score, item and indicator; NaN where nothing."""
    responses = organisation.responses
    scores = sd.score(responses)
    instrument, form = FORM
    found = {(instrument, form, "score", str(name), ""): scores.values[name].to_numpy(float) for name in scores.values}
    for name in scores.indicators:
        found[instrument, form, "indicator", "", str(name)] = 100.0 * scores.indicators[name].to_numpy(float)
    (part,) = responses.parts
    for dimension in part.dimensions:
        for item in dimension.items:
            points = np.take(code_points(part, item.code), responses.codes[item.code].view(np.uint8))
            found[instrument, form, "item", dimension.id, item.code] = points
    return found
