"""Attack reports about random organisations, and say how often something is learnt that they do not show.

python benchmarks/attack/run.py --organisations 500
python benchmarks/attack/run.py --mutations --organisations 50
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from equations import Equation, Success, attack
from organisations import MINIMUM, Organisation, crafted, random_organisation, truth, write_reports
from rendered_files import Reported, reported, small_groups_named

KINDS = ("one", "two", "waves")
RULES = ("minimum_group", "unanimity", "complementary", "interval", "audit", "partial_answers", "ledger")
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Steps that the documentation says a mean is rounded to where few people joined or left."""
LATTICE = {"score": 5.0, "item": 50.0, "indicator": 100.0}
ITEMS_ATTACKED = 6


def successes(organisation: Organisation, folders: Sequence[Path], ledger: bool) -> list[tuple[str, str, Success]]:
    """What the attacks learn from the files, per variable."""
    answers = truth(organisation)
    numbers = [[(r, one) for one in reported(folder)] for r, folder in enumerate(folders)]
    found = []
    by_variable: dict[tuple[str, ...], list[tuple[int, Reported]]] = {}
    for r, one in (entry for report in numbers for entry in report):
        key = one.variable if one.variable[2] != "indicator" else (*one.variable[:3], "", one.variable[4])
        by_variable.setdefault(key, []).append((r, one))
    items = [key for key in by_variable if key[2] == "item"][::5][:ITEMS_ATTACKED]
    for key, entries in by_variable.items():
        if key not in answers or (key[2] == "item" and key not in items):
            continue
        equations = list(_equations(organisation, entries, ~np.isnan(answers[key]), ledger))
        step = {"item": 25.0, "indicator": 100.0}.get(key[2])
        found += [("/".join(key), s.attack, s) for s in attack(equations, MINIMUM, step, np.nan_to_num(answers[key]))]
    return [*found, *_partial(organisation, by_variable, answers)]


def _equations(
    organisation: Organisation, entries: Sequence[tuple[int, Reported]], answered: np.ndarray, ledger: bool
) -> Iterator[Equation]:
    means = {(r, one.unit): one.mean for r, one in entries if one.by == organisation.groupings[0] and not one.rest}
    for r, one in sorted(entries, key=lambda entry: entry[0]):
        present = frozenset(np.flatnonzero(organisation.reports[r] & answered).tolist())
        people = _people(organisation, one, present)
        if one.n is not None and one.n != len(people):
            raise ValueError(f"{one} speaks of {len(people)} people")
        half = one.half
        exact = True
        if ledger and r > 0:
            coarse = _coarse_half(organisation, one, r, people, means)
            exact, half = coarse == 0.0, max(half, coarse / max(len(people), 1))
        squares = None
        if one.sd is not None and one.n and exact:
            squares = one.sd**2 * (one.n - 1) + one.n * one.mean**2
        yield Equation(people, one.mean * len(people), half * len(people), squares, exact)


def _people(organisation: Organisation, one: Reported, present: frozenset[int]) -> frozenset[int]:
    people = present
    if one.rest:
        units = organisation.responses.respondents[one.by].fillna("").astype(str).to_numpy()
        few = [p for p in present if units[p] == ""]
        # people of no unit belong to the rest where they are too few to stand alone
        outside = frozenset(few) if len(few) >= MINIMUM else frozenset()
        return present - organisation.people(one.by, one.unit) - outside
    if one.by:
        people &= organisation.people(one.by, one.unit)
    if one.background:
        people &= organisation.people(one.background, one.category)
    return people


def _coarse_half(
    organisation: Organisation, one: Reported, r: int, people: frozenset[int], means: Mapping[tuple[int, str], float]
) -> float:
    """How far a sum may be from the truth because few people joined or left, by the rules that are documented.

    A reader who knows the rules and who came and went can tell the step from the mean that is shown: it is a multiple.
    """
    first, second = organisation.reports[0], organisation.reports[r]
    units = organisation.responses.respondents[organisation.groupings[0]].fillna("").astype(str).to_numpy()
    half = 0.0
    parts = {unit: np.flatnonzero(units == unit) for unit in set(units)}
    for unit, rows in parts.items():
        few = int((first[rows] != second[rows]).sum())
        n = int(second[rows].sum())
        touched = one.rest or bool(people & set(rows.tolist()))
        if 0 < few < MINIMUM and n and touched:
            needed = max(20.0 * few, 2 * LATTICE[one.variable[2]])
            mean = means.get((r, unit), 0.0)
            fits = [s for s in STEPS if n * s >= needed and abs(mean / s - round(mean / s)) < 0.06 / s]
            half += n * max(fits, default=STEPS[-1]) / 2
    return half


def _partial(
    organisation: Organisation,
    by_variable: Mapping[tuple[str, ...], Sequence[tuple[int, Reported]]],
    answers: Mapping[tuple[str, ...], np.ndarray],
) -> Iterator[tuple[str, str, Success]]:
    """A score times its items less the items: what is left comes from those who left an item out."""
    shown = {(k, r, o.by, o.unit): o for k, e in by_variable.items() for r, o in e if o.n and not o.background}
    for (key, r, by, unit), score in shown.items():
        if key[2] != "score" or r > 0 or score.n is None or score.n >= 10 or not by:
            continue
        items = [k for k in answers if k[2] == "item" and k[3] == key[3]]
        means = [shown.get((k, r, by, unit)) for k in items]
        if not items or any(mean is None or mean.n is None for mean in means):
            continue
        inside = sorted(organisation.people(by, unit))
        left_out = {p: sum(np.isnan(answers[k][p]) for k in items) for p in inside if not np.isnan(answers[key][p])}
        apart = {p: j for p, j in left_out.items() if j}
        if not 0 < len(apart) < MINIMUM or any(np.isnan(answers[key][p]) for p in inside):
            continue
        sums = [mean.mean * mean.n for mean in means if mean is not None and mean.n is not None]
        value = len(items) * score.mean * score.n - sum(sums)
        half = 0.05 * score.n * 2 * len(items)
        if 2 * half < 20.0 * sum(apart.values()):
            yield "/".join(key), "partial", Success("partial", frozenset(apart), value - half, value + half)


def shares_kept(organisation: Organisation, folder: Path) -> tuple[int, int]:
    """Scores of units that are shown, and those that have enough answers to be shown."""
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    shown = sum(row["by"] is not None for row in document["evidence"])
    permitted = 0
    for key, values in truth(organisation).items():
        if key[2] != "score":
            continue
        for by in organisation.groupings:
            units = organisation.responses.respondents[by].fillna("").astype(str).to_numpy()
            there = ~np.isnan(values) & organisation.reports[0]
            permitted += sum((there & (units == unit)).sum() >= MINIMUM for unit in set(units) - {""})
    return shown, permitted


def attacked(
    organisation: Organisation, *, without: str = "", formats: Sequence[str] = ()
) -> tuple[list[tuple[str, str, Success]], list[str], tuple[int, int]]:
    """Successes of the attacks, small groups named in a file, and the cells that stay."""
    ledger = without != "ledger"
    switched = "" if without in ("ledger", "") else without
    with tempfile.TemporaryDirectory() as name:
        written = write_reports(organisation, Path(name), without=switched, ledger=ledger, formats=formats)
        folders = list(written)
        named = [
            place for folder in folders for place in small_groups_named(folder, organisation.small_units(), MINIMUM)
        ]
        return successes(organisation, folders, ledger), named, shares_kept(organisation, folders[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--organisations", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--mutations", action="store_true", help="switch off one rule at a time")
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--formats", nargs="*", default=["xlsx", "html", "txt"])
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.organisations)
    if arguments.mutations:
        for rule in RULES:
            kept = sum(bool(attacked(crafted(rule, seed))[0]) for seed in seeds)
            hit = sum(bool(attacked(crafted(rule, seed), without=rule)[0]) for seed in seeds)
            print(f"{rule:16} on: {kept}/{len(seeds)} attacked, off: {hit}/{len(seeds)} attacked", flush=True)
        return
    for kind in arguments.kinds:
        broken, shown, permitted, how = 0, 0, 0, Counter[str]()
        for seed in seeds:
            found, named, (mine, all_) = attacked(random_organisation(seed, kind), formats=arguments.formats)
            shown, permitted = shown + mine, permitted + all_
            how.update(attack_name for _, attack_name, _ in found)
            if found or named:
                broken += 1
                first = [(v, a, sorted(s.people), round(s.low, 1), round(s.high, 1)) for v, a, s in found[:3]]
                print(f"  {kind} {seed}: {first} {named[:2]}")
        share = shown / max(permitted, 1)
        print(
            f"{kind:6} {broken}/{len(seeds)} organisations attacked {dict(how)}; {share:.0%} of permitted cells stay",
            flush=True,
        )


if __name__ == "__main__":
    main()
