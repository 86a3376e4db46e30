"""A small catalogue on disk, and ways to change and point into its files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

FILES = {
    "_scales/frequency5.yaml": """\
id: frequency5
codes: [1, 2, 3, 4, 5]
labels:
  en: {1: Never, 2: Rarely, 3: Sometimes, 4: Often, 5: Almost always}
missing:
  en: {not_applicable: Did not apply}
aliases:
  en: {5: [Always]}
""",
    "_scales/presence3.yaml": """\
id: presence3
codes: [1, 2, 3]
labels:
  en: {1: No, 2: Partly, 3: Yes}
""",
    "_packages.yaml": """\
packages:
  - id: both
    title: Both instruments
    parts:
      - {instrument: harbour, form: guest}
      - {instrument: kitchen, form: cook, items: [kit_heat_1]}
""",
    "harbour/instrument.yaml": """\
id: harbour
version: 1.2.0
prefix: hrb
license: CC-BY-4.0
sources: [Written for the tests.]
forms:
  - id: guest
    rater: customer
    reference_period: last 3 months
  - id: visitor
    rater: mystery_shopper
    wording: guest
    scales: {default: presence3}
  - id: crew
    rater: employee
    wording: watcher
    dimensions: [calm]
  - id: guest-short
    rater: customer
    wording: guest
    short_of: guest
    items: [hrb_calm_2, hrb_late_1]
dimensions:
  - id: calm
    direction: strength
    measurement: reflective
    minimum_answered: 0.5
    scale: frequency5
    block: mood
    items:
      - {code: hrb_calm_1, facet: voice, source: "001", evidence: S}
      - {code: hrb_calm_2, facet: pace, source: "001", evidence: S~}
      - {code: hrb_calm_3, facet: order, source: "001", evidence: I}
      - {code: hrb_calm_4, facet: opposite, source: "001", evidence: I, reverse_keyed: true}
  - id: late
    direction: weakness
    measurement: single
    scale: presence3
    items:
      - {code: hrb_late_1, facet: delay, source: "002", evidence: S, in_score: true}
""",
    "harbour/locale/en.yaml": """\
language: en
status: original
title: Harbour mood
definition: How a harbour treats its guests.
forms:
  guest: {title: Your visit, instruction: Think of your visits., stems: {default: "In {unit}, how often?"}}
  visitor: {title: This visit, instruction: Think of this visit.}
  crew: {title: Your work, instruction: Think of your work., stems: {default: "How often?", calm: "At work?"}}
  guest-short: {title: Your visit, instruction: Think of your visits.}
dimensions:
  calm: {title: Calm, definition: Quiet and steady care.}
  late: {title: Delay, definition: Waiting longer than agreed.}
items:
  hrb_calm_1: {guest: Staff spoke in a quiet voice., watcher: People here spoke in a quiet voice.}
  hrb_calm_2: {guest: Staff took their time., watcher: People here took their time.}
  hrb_calm_3: {guest: My bags were kept in order., watcher: Bags were kept in order.}
  hrb_calm_4: {guest: Staff shouted at each other., watcher: Crew members shouted at each other.}
  hrb_late_1:
    guest: My boat left late.
""",
    "kitchen/instrument.yaml": """\
id: kitchen
version: 0.1.0
prefix: kit
license: CC-BY-4.0
sources: [Written for the tests.]
forms:
  - id: cook
    rater: employee
dimensions:
  - id: heat
    direction: strength
    measurement: formative
    scale: frequency5
    items:
      - {code: kit_heat_1, facet: plates, source: "003", evidence: S}
      - {code: kit_heat_2, facet: ovens, source: "003", evidence: S}
""",
    "kitchen/locale/en.yaml": """\
language: en
status: original
title: Warm food
forms:
  cook: {title: Your kitchen, instruction: Think of last week.}
dimensions:
  heat: {title: Heat, definition: Warm food on warm plates.}
items:
  kit_heat_1: {cook: Plates were warm before food went on them.}
  kit_heat_2: {cook: The ovens worked all day.}
""",
}


@pytest.fixture
def catalogue(tmp_path: Path) -> SimpleNamespace:
    """``root`` of a valid catalogue; ``edit(file, old, new)`` changes it; ``line(file, text)`` is where text stands."""
    root = tmp_path / "instruments"

    def write(file: str, text: str) -> Path:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(file: str, old: str, new: str) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        write(file, text.replace(old, new))

    def line(file: str, text: str) -> str:
        lines = (root / file).read_text(encoding="utf-8").splitlines()
        found = [number for number, content in enumerate(lines, start=1) if text in content]
        assert len(found) == 1, f"{text!r} is in lines {found} of {file}"
        return f"{file}:{found[0]}"

    for file, text in FILES.items():
        write(file, text)
    return SimpleNamespace(root=root, write=write, edit=edit, line=line)
