"""Attack reports about random organisations, and say how often something is learnt that they do not show.

python benchmarks/attack/run.py --organisations 500 --results attack.jsonl
python benchmarks/attack/run.py --mutations --organisations 50 --results mutations.jsonl

Every organisation is a line in the file of results; one that is there already is not attacked again, so that a run
may be stopped and taken up, or be shared out with ``--first``. The file counts for one state of the library only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from equations import Equation, Success, attack, options_told
from organisations import (
    FORM,
    MINIMUM,
    Organisation,
    crafted,
    random_organisation,
    scales,
    truth,
    wave_name,
    write_reports,
)
from rendered_files import Counted, Reported, counted, reported, small_groups_named

KINDS = ("one", "two", "waves", "study")
RULES = (
    "minimum_group",
    "unanimity",
    "complementary",
    "interval",
    "audit",
    "partial_answers",
    "ledger",
    "waves",
    "scales",
)
Category = tuple[str, str, str, str]
"""Grouping, unit, background field and category."""
STRETCHES = 3
"""Into how many stretches the documentation says that the range of what joiners and leavers can change is cut."""
LATTICE = {"score": 5.0, "item": 50.0, "indicator": 100.0}
ITEMS_ATTACKED = 6


def successes(organisation: Organisation, folders: Sequence[Path], ledger: bool) -> list[tuple[str, str, Success]]:
    """What the attacks learn from the files, per variable."""
    answers = truth(organisation)
    told = list(_told(organisation, folders))
    numbers = [[(r, one) for one in reported(folder) if _is_of(one, wave)] for r, folder, wave in told]
    broken_down = {
        (one.by, one.unit, one.background, one.category) for r, one in numbers[0] if r == 0 and one.background
    }
    together = {
        one.by
        for r, one in numbers[0]
        if r == 0 and one.rest and one.variable in answers and not _of_none(organisation, one.by, answers[one.variable])
    }
    first = _FirstReport(frozenset(broken_down), frozenset(together))
    found = []
    by_variable: dict[tuple[str, ...], list[tuple[int, Reported]]] = {}
    for r, one in (entry for report in numbers for entry in report):
        key = one.variable if one.variable[2] != "indicator" else (*one.variable[:3], "", one.variable[4])
        by_variable.setdefault(key, []).append((r, one))
    items = [key for key in by_variable if key[2] == "item"][::5][:ITEMS_ATTACKED]
    for key, entry in _of_scales(organisation, by_variable, answers):
        by_variable.setdefault(key, []).append(entry)
        items += [key] if key[2] == "item" and key not in items else []
    for key, entries in by_variable.items():
        if key not in answers or (key[2] == "item" and key not in items):
            continue
        equations = list(_equations(organisation, entries, ~np.isnan(answers[key]), ledger, first))
        step = {"item": 25.0, "indicator": 100.0}.get(key[2])
        found += [("/".join(key), s.attack, s) for s in attack(equations, MINIMUM, step, np.nan_to_num(answers[key]))]
    chosen = [(r, one) for r, folder, wave in told for one in counted(folder) if _is_of(one, wave)]
    return [*found, *_partial(organisation, by_variable, answers), *_of_options(organisation, chosen, answers)]


def _of_scales(
    organisation: Organisation,
    by_variable: Mapping[tuple[str, ...], Sequence[tuple[int, Reported]]],
    answers: Mapping[tuple[str, ...], np.ndarray],
) -> Iterator[tuple[tuple[str, ...], tuple[int, Reported]]]:
    """Scores and items that are not shown, from the others of their scale where everybody answered all of them."""
    shown = {(key, r, o.by, o.unit): o for key, entries in by_variable.items() for r, o in entries
             if o.n and not o.background and not o.rest}  # fmt: skip
    places = dict.fromkeys((r, by, unit) for _, r, by, unit in shown)
    for dimension, codes in scales(organisation).items():
        score = (*FORM, "score", dimension, "")
        keys = [score, *((*FORM, "item", dimension, code) for code in codes)]
        for r, by, unit in places:
            rows = organisation.reports[r] & (organisation.column(by) == unit if by else True)
            lacking = [key for key in keys if (key, r, by, unit) not in shown]
            n = {int((rows & ~np.isnan(answers[key])).sum()) for key in keys}
            if len(lacking) != 1 or len(n) != 1 or (r > 0 and not organisation.together and _is_rounded(
                organisation, r, by, unit)):  # fmt: skip
                continue
            known = {key: shown[key, r, by, unit] for key in keys if key not in lacking}
            weights = {key: len(codes) if key == score else -1 for key in keys}
            divisor = -weights[lacking[0]]
            mean = sum(weights[key] * one.mean for key, one in known.items()) / divisor
            half = sum(abs(weights[key]) * one.half for key, one in known.items()) / abs(divisor)
            yield lacking[0], (r, Reported(by, unit, "", "", "", lacking[0], n.pop(), mean, half))


@dataclass(frozen=True)
class _FirstReport:
    """The categories within groups that the first report tells of, and groupings all of whose units are a group."""

    broken_down: frozenset[Category] = frozenset()
    together: frozenset[str] = frozenset()


def _of_none(organisation: Organisation, by: str, values: np.ndarray) -> bool:
    """Whether anybody of no unit answered in the first report."""
    return bool((organisation.reports[0] & ~np.isnan(values) & (organisation.column(by) == "")).any())


def _told(organisation: Organisation, folders: Sequence[Path]) -> Iterator[tuple[int, Path, str | None]]:
    """For each set of people that is told of: its folder, and its wave where that tells of several."""
    for r in range(len(organisation.reports)):
        yield (r, folders[0], wave_name(r)) if organisation.together else (r, folders[r], None)


def _is_of(one: Reported | Counted, wave: str | None) -> bool:
    return wave is None or one.wave == wave


def _of_options(
    organisation: Organisation, chosen: Sequence[tuple[int, Counted]], answers: Mapping[tuple[str, ...], np.ndarray]
) -> Iterator[tuple[str, str, Success]]:
    """Distributions of few people, by subtraction of distributions that are shown."""
    for key in (key for key in answers if key[2] == "item"):
        present = [frozenset(np.flatnonzero(rows & ~np.isnan(answers[key])).tolist()) for rows in organisation.reports]
        groups = []
        for r, one in chosen:
            if one.item == key[4]:
                people = present[r] & organisation.people(one.by, one.unit) if one.by else present[r]
                if sum(one.counts) == len(people):
                    groups.append((people, one.counts))
        for people, counts in options_told(groups, MINIMUM):
            yield "/".join(key), "options", Success("options", people, float(min(counts)), float(max(counts)))


def _equations(
    organisation: Organisation,
    entries: Sequence[tuple[int, Reported]],
    answered: np.ndarray,
    ledger: bool,
    first: _FirstReport,
) -> Iterator[Equation]:
    means = {(r, one.by, one.unit) for r, one in entries if not one.rest and not one.background}
    mine = {(one.by, one.unit, one.background, one.category) for r, one in entries if r == 0 and one.background}
    breakdowns = {place: place in mine for place in sorted(first.broken_down)}
    for r, one in sorted(entries, key=lambda entry: entry[0]):
        present = frozenset(np.flatnonzero(organisation.reports[r] & answered).tolist())
        shown = {unit for number, by, unit in means if (number, by) == (r, one.by)}
        outside = _outside_the_gap(organisation, one, present, shown, whole=(r, "", "") in means)
        people = _people(organisation, one, present, outside)
        if one.n is not None and one.n != len(people):
            raise ValueError(f"{one} speaks of {len(people)} people")
        errors: tuple[tuple[str, float], ...] = ()
        if ledger and r > 0 and not one.background:
            roundings = _Roundings(organisation, r, one.variable[2], means, breakdowns, first.together, answered)
            errors = tuple(roundings.of(one, outside))
        # the spread of what is rounded is lent by others
        sd = None if errors else one.sd
        by = one.by + ("/rest" if one.rest else "") + one.background
        yield Equation(people, one.mean * len(people), one.half * len(people), sd, one.sd_half, errors, r, by)


def _outside_the_gap(
    organisation: Organisation, one: Reported, present: frozenset[int], shown: set[str], whole: bool
) -> set[str]:
    """Groups, and the people of none (an empty name), with whom a group is not compared."""
    if not one.rest:
        return set()
    units = organisation.column(one.by)
    every = {units[p] for p in present}
    if not whole:
        return every - shown
    # people of no unit belong to the rest where they are few, or where a unit is withheld
    nowhere = sum(units[p] == "" for p in present)
    return set() if nowhere < MINIMUM or every - {""} - shown else {""}


def _people(organisation: Organisation, one: Reported, present: frozenset[int], outside: set[str]) -> frozenset[int]:
    people = present
    if one.rest:
        units = organisation.column(one.by)
        return frozenset(p for p in present if units[p] != one.unit and units[p] not in outside)
    if one.by:
        people &= organisation.people(one.by, one.unit)
    if one.background:
        people &= organisation.people(one.background, one.category)
    return people


@dataclass(frozen=True)
class _Roundings:
    """The roundings that are part of the numbers of a report since few people came or went, by the documented rules.

    ``means`` are the groups whose mean of the variable is shown, of all reports; ``breakdowns`` the categories within
    groups of which the first report shows something, and whether it shows this variable, which the people in
    ``answered`` have; ``together`` are groupings all of whose units are a group of the first report.
    """

    organisation: Organisation
    r: int
    kind: str
    means: set[tuple[int, str, str]]
    breakdowns: Mapping[Category, bool]
    together: frozenset[str]
    answered: np.ndarray

    def of(self, one: Reported, outside: set[str]) -> Iterator[tuple[str, float]]:
        first = self.organisation.groupings[0]
        if one.by and not one.rest:
            yield from self._of_group(one.by, one.unit)
            return
        units = self.organisation.column(one.by or first)
        others = sorted(set(units) - outside - ({one.unit} if one.rest else set()))
        nowhere = self.organisation.reports[self.r] & self.answered & (units == "")
        if one.by not in ("", first) and "" in others and nowhere.any():
            yield from self._of_all_but(one.by, one.unit)
            return
        yield from dict.fromkeys(error for unit in others for error in self._of_group(one.by or first, unit))
        if one.by == "" or (one.by == first and (self.r, "", "") in self.means):
            yield from self._of_those_of_no_unit()
        if one.by == "" and self.kind == "indicator" and self._moved.any():
            yield f"{self.r}:whole", 100.0

    def _of_all_but(self, by: str, unit: str) -> Iterator[tuple[str, float]]:
        """Of the whole, from which a group of a further grouping is taken."""
        first = self.organisation.groupings[0]
        units = sorted(set(self.organisation.column(first)))
        every = {*self._of_those_of_no_unit(), *(error for one in units for error in self._of_group(first, one))}
        own = set(self._of_group(by, unit))
        if own <= every:
            yield from sorted(every - own)
        else:
            yield f"{self.r}:{by}/all but {unit}", sum(half for _, half in every | own)

    @property
    def _moved(self) -> np.ndarray:
        reports = self.organisation.reports
        return np.asarray(reports[0] != reports[self.r])

    def _of_group(self, by: str, unit: str) -> Iterator[tuple[str, float]]:
        """Those of the units in which a group changed, or one of its own."""
        first = self.organisation.groupings[0]
        gone, before = self._gone(by, unit)
        if not gone.any():
            return
        moved = {unit: (gone, before)}
        if by != first:
            lost = {name: self._gone(first, name) for name in sorted(set(self.organisation.column(first)))}
            moved = {name: one for name, one in lost.items() if one[0].any() and not (one[0] & ~gone).any()}
        if moved and (np.logical_or.reduce([one for one, _ in moved.values()]) == gone).all():
            for name, (one, place) in moved.items():
                yield f"{self.r}:{first}/{name}", self._half(int(one.sum()), place)
        else:
            yield f"{self.r}:{by}/{unit}", self._half(int(gone.sum()), before)

    def _of_those_of_no_unit(self) -> Iterator[tuple[str, float]]:
        """Who makes a difference to the whole but to no unit is made up for in a unit that stays withheld."""
        first = self.organisation.groupings[0]
        units = self.organisation.column(first)
        parts = {unit: self._gone(first, unit)[0] for unit in sorted(set(units))}
        lost = self._gone("", "")[0] & ~np.logical_or.reduce(list(parts.values()))
        n = {unit: int((self.organisation.reports[self.r] & self.answered & (units == unit)).sum()) for unit in parts}
        withheld = [u for u in n if n[u] and (n[u] < MINIMUM or (0, first, u) not in self.means)]
        if lost.any() and any(unit and not parts[unit].any() for unit in withheld):
            yield f"{self.r}:lost", self._half(int(lost.sum()), None)

    def _gone(self, by: str, unit: str) -> tuple[np.ndarray, tuple[str, ...] | None]:
        """Who makes the difference to the group of the first report that differs most, by fewer than the minimum.

        Nobody, where a group of exactly these people was there; and no group, where none is near.
        """
        rows = self.organisation.reports
        now = rows[self.r] & (self.organisation.column(by) == unit) if by else rows[self.r]
        before: dict[tuple[str, ...], np.ndarray] = {("", ""): rows[0]}
        for name in self.organisation.groupings:
            column = self.organisation.column(name)
            before |= {(name, value): rows[0] & (column == value) for value in sorted(set(column))}
        before |= {("units", name): rows[0] & (self.organisation.column(name) != "") for name in sorted(self.together)}
        for place, name, background, category in self.breakdowns:
            inside = rows[0] & (self.organisation.column(background) == category)
            within = self.organisation.column(place) == name if place else inside
            before[place, name, background, category] = inside & within
        lost = {place: now ^ group for place, group in before.items() if (now & group).any()}
        near = {place: one for place, one in lost.items() if one.sum() < MINIMUM}
        if not near:
            return np.zeros(len(now), dtype=bool), None
        least = min(near, key=lambda place: int(near[place].sum()))
        if not near[least].any():
            return near[least], least
        most = max(near, key=lambda place: (int(near[place].sum()), self._is_shown(place)))
        return near[most], most

    def _is_shown(self, place: tuple[str, ...]) -> bool:
        """Whether the first report shows the variable of a group, or of a category within one."""
        if len(place) == 2:
            return (0, place[0], place[1]) in self.means
        return self.breakdowns[place[0], place[1], place[2], place[3]]

    def _half(self, moved: int, before: tuple[str, ...] | None) -> float:
        """The most by which the sum of a group is off: a stretch where what it differs from was shown, else more."""
        few = 100.0 * moved
        half = max(few / 5, 2 * LATTICE[self.kind])
        if before is None or not self._is_shown(before):
            return half
        return few / 2 / max(1, min(STRETCHES, int(few / half)))


def _partial(
    organisation: Organisation,
    by_variable: Mapping[tuple[str, ...], Sequence[tuple[int, Reported]]],
    answers: Mapping[tuple[str, ...], np.ndarray],
) -> Iterator[tuple[str, str, Success]]:
    """A score times its items less the items: what is left comes from those who left an item out."""
    shown = {(k, r, o.by, o.unit): o for k, e in by_variable.items() for r, o in e if o.n and not o.background}
    scored = {o.variable: o.scored for e in by_variable.values() for _, o in e if o.variable[2] == "item"}
    for (key, r, by, unit), score in shown.items():
        if key[2] != "score" or score.n is None or score.n >= 10 or not by:
            continue
        items = [k for k in answers if k[2] == "item" and k[3] == key[3] and scored.get(k, True)]
        means = [shown.get((k, r, by, unit)) for k in items]
        if not items or any(mean is None or mean.n is None for mean in means):
            continue
        inside = sorted(organisation.people(by, unit) & set(np.flatnonzero(organisation.reports[r]).tolist()))
        if score.n != sum(not np.isnan(answers[key][p]) for p in inside) or _is_rounded(organisation, r, by, unit):
            continue
        left_out = {p: sum(np.isnan(answers[k][p]) for k in items) for p in inside if not np.isnan(answers[key][p])}
        apart = {p: j for p, j in left_out.items() if j}
        # whoever has no score, but answered an item, is in the sums of the items only
        others = any(np.isnan(answers[key][p]) and any(not np.isnan(answers[k][p]) for k in items) for p in inside)
        if not 0 < len(apart) < MINIMUM or others:
            continue
        sums = [mean.mean * mean.n for mean in means if mean is not None and mean.n is not None]
        value = len(items) * score.mean * score.n - sum(sums)
        half = 0.05 * score.n * 2 * len(items)
        if 2 * half < 20.0 * sum(apart.values()):
            # what is left is the score of each of them, once for every item left out
            true = abs(value - sum(j * answers[key][p] for p, j in apart.items())) <= half
            name = "partial" if true else "contradiction"
            yield "/".join(key), name, Success(name, frozenset(apart), value - half, value + half)


def _is_rounded(organisation: Organisation, r: int, by: str, unit: str) -> bool:
    moved = np.flatnonzero(organisation.reports[0] != organisation.reports[r])
    return 0 < len(organisation.people(by, unit) & set(moved.tolist())) < MINIMUM


def cells_kept(organisation: Organisation, folders: Sequence[Path]) -> list[tuple[int, int, int]]:
    """For each report, scores of units: shown, with enough answers to be shown, and of these too much alike for it."""
    kept = []
    answers = truth(organisation)
    for r, folder, wave in _told(organisation, folders):
        rows = organisation.reports[r]
        document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        told = {name: [row for row in document[name] if row["by"]] for name in ("evidence", "withheld")}
        shown = sum(row["wave"] == wave for row in told["evidence"])
        alike = sum(
            row["wave"] == wave and row["measure"] is None and row["rule"] == "unanimity" for row in told["withheld"]
        )
        permitted = 0
        for key, values in answers.items():
            if key[2] != "score":
                continue
            there = ~np.isnan(values) & rows
            for by in organisation.groupings:
                units = organisation.column(by)
                permitted += sum(int((there & (units == unit)).sum()) >= MINIMUM for unit in set(units) - {""})
        kept.append((shown, permitted, alike))
    return kept


def attacked(
    organisation: Organisation, *, without: str = "", formats: Sequence[str] = ()
) -> tuple[list[tuple[str, str, Success]], list[str], list[tuple[int, int, int]]]:
    """Successes of the attacks, small groups named in a file, and the cells that stay in each report."""
    ledger = without != "ledger" and not organisation.together
    switched = "" if without in ("ledger", "") else without
    with tempfile.TemporaryDirectory() as name:
        folders = list(write_reports(organisation, Path(name), without=switched, ledger=ledger, formats=formats))
        named = [
            place for folder in folders for place in small_groups_named(folder, organisation.small_units(), MINIMUM)
        ]
        return successes(organisation, folders, ledger), named, cells_kept(organisation, folders)


class Results:
    """What became of each organisation, kept in a file a line each where one is named."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._state = _state_of_the_library()
        self._known: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if row["state"] == self._state:
                    self._known[row["case"]] = row

    def of(self, case: str, organisation: Callable[[], Organisation], **how: Any) -> dict[str, Any]:
        """The result that is known, or that of an attack now."""
        if case in self._known:
            return self._known[case]
        began = time.process_time()
        found, named, kept = attacked(organisation(), **how)
        row = {
            "state": self._state,
            "case": case,
            "attacks": dict(Counter(name for _, name, _ in found if name != "contradiction")),
            "misread": len({variable for variable, name, _ in found if name == "contradiction"}),
            "first": [(v, a, sorted(s.people), round(s.low, 1), round(s.high, 1)) for v, a, s in found[:3]],
            "named": named[:2],
            "kept": kept,
            "seconds": round(time.process_time() - began, 2),
        }
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        return row


def _state_of_the_library() -> str:
    """A hash of the code that decides what is shown, and of the attack."""
    import servicediag

    digest = hashlib.sha256()
    folders = (Path(servicediag.__file__).parent / "diagnosis", Path(__file__).parent)
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def mutations(rules: Sequence[str], seeds: Sequence[int], results: Results) -> None:
    """One rule at a time switched off, in organisations where nothing but that rule protects somebody."""
    for rule in rules:
        rows = {
            on: [results.of(f"{rule} {on} {seed}", partial(crafted, rule, seed), without=without) for seed in seeds]
            for on, without in (("on", ""), ("off", rule))
        }
        on, off = (sum(bool(row["attacks"]) for row in rows[name]) for name in ("on", "off"))
        print(f"{rule:16} on: {on}/{len(seeds)} attacked, off: {off}/{len(seeds)} attacked", flush=True)
        missed = [seed for seed, row in zip(seeds, rows["off"], strict=True) if not row["attacks"]]
        caught = [seed for seed, row in zip(seeds, rows["on"], strict=True) if row["attacks"]]
        if missed or caught:
            print(f"  attacked though on: {caught}; not attacked though off: {missed}", flush=True)


def random_organisations(kind: str, seeds: Sequence[int], formats: Sequence[str], every: int, results: Results) -> None:
    """Attack organisations of a kind; every so many of them by all kinds of files."""
    rows = []
    for seed in seeds:
        files = tuple(formats) if seed % every == 0 else ()
        case = " ".join([kind, str(seed), *files])
        row = results.of(case, partial(random_organisation, seed, kind), formats=files)
        if row["attacks"] or row["named"]:
            print(f"  {kind} {seed}: {row['first']} {row['named']}", flush=True)
        rows.append(row)
    broken = sum(bool(row["attacks"] or row["named"]) for row in rows)
    how = sum((Counter(row["attacks"]) for row in rows), Counter())
    shares, of_varied = [], []
    for one in zip(*(row["kept"] for row in rows), strict=True):
        shown, permitted, alike = np.sum(one, axis=0)
        shares.append(f"{shown / max(permitted, 1):.0%}")
        of_varied.append(f"{shown / max(permitted - alike, 1):.0%}")
    seconds = float(np.mean([row["seconds"] for row in rows]))
    print(
        f"{kind:6} {broken}/{len(rows)} organisations attacked {dict(how)}; of cells with enough "
        f"answers stay {' then '.join(shares)}, of those whose answers are not too much alike "
        f"{' then '.join(of_varied)}; {sum(row['misread'] for row in rows)} variables misread in "
        f"{sum(bool(row['misread']) for row in rows)}; {seconds:.1f} s each",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--organisations", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--mutations", action="store_true", help="switch off one rule at a time")
    parser.add_argument("--rules", nargs="*", default=RULES)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--formats", nargs="*", default=["xlsx", "html", "pptx", "docx", "txt"])
    parser.add_argument("--every", type=int, default=25, help="all kinds of files for one organisation in so many")
    parser.add_argument("--results", type=Path, help="file of results, to stop and take up again")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.organisations)
    results = Results(arguments.results)
    if arguments.mutations:
        mutations(arguments.rules, seeds, results)
        return
    for kind in arguments.kinds:
        random_organisations(kind, seeds, arguments.formats, arguments.every, results)


if __name__ == "__main__":
    main()
