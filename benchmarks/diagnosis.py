"""Evidence and diagnosis of a million respondents against tables of their units by pandas and by psychometrics."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")}
PARTS = {"seven-sins": "observer", "readiness": "employee-state", "four-tools": "receiver"}
DIMENSIONS = {"four-tools": {"role", "blame_staff", "blame_situation"}}
"""Of the four tools only these, so that there are 60 items."""
GIB = 1024**2
"""Kilobytes, in which the system counts."""


def study(n, n_units, seed=1):
    """Answers 1 to 5 with a general factor, units that differ, and 2 % missing."""
    import numpy as np
    import pandas as pd

    import servicediag as sd

    items = [
        item.code
        for name, form in PARTS.items()
        for item in sd.load_instrument(name).form_items(form)
        if item.dimension in DIMENSIONS.get(name, {item.dimension})
    ]
    five = pd.DataFrame({code: [1, 2, 3, 4, 5] for code in items}).assign(unit="a")
    mapping = {code: code for code in items}
    responses = sd.read_responses(five, list(PARTS), form=PARTS, unit="unit", columns=mapping)
    generator = np.random.default_rng(seed)
    unit = generator.integers(0, n_units, n)
    person = generator.normal(0, 0.6, n) + generator.normal(0, 0.3, n_units)[unit]
    codes = {}
    for code in items:
        answers = np.clip(np.rint(3 + person + generator.normal(0, 0.9, n)), 1, 5).astype(np.int8)
        answers[generator.random(n) < 0.02] = -128
        codes[code] = answers
    names = np.array([f"Unit {k:05d}" for k in range(n_units)], dtype=object)[unit]
    return replace(responses, codes=codes, respondents=pd.DataFrame({"unit": names}))


def answers_of(responses):
    """What a unit table takes: a column an item, NaN where there is no answer."""
    import numpy as np
    import pandas as pd

    return pd.DataFrame(
        {code: np.where(column < 0, np.nan, column).astype(np.float32) for code, column in responses.codes.items()}
    )


def by_pandas(frame, units):
    """n, mean, sd, r_wg and counts of every unit and item."""
    grouped = frame.groupby(units)
    n, mean, variance = grouped.count(), grouped.mean(), grouped.var()
    agreement = (1 - variance / 2).clip(lower=0)
    counts = [frame.groupby([units, item]).size().unstack(fill_value=0) for item in frame]
    return n, mean, variance**0.5, agreement, counts


def processor_seconds(action):
    begin = time.process_time()
    result = action()
    return time.process_time() - begin, result


def measure(what, n, n_units):
    """In a process of its own: processor seconds of one of the actions, and the most memory it took."""
    import servicediag as sd
    from servicediag.psychometrics import unit_table

    sd.diagnose(study(600, 6))  # loads modules and rules
    responses = study(n, n_units)
    units = responses.respondents["unit"]
    actions = {
        "evidence": lambda: sd.build_evidence(responses),
        "diagnosis": lambda: sd.diagnose(responses),
    }
    if what in ("unit_table", "pandas"):
        frame = answers_of(responses)
        actions["unit_table"] = lambda: unit_table(frame, units, scale=(1, 5))
        actions["pandas"] = lambda: by_pandas(frame, units.to_numpy())
    taken, _ = processor_seconds(actions[what])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(taken, peak)


def child(what, n, n_units):
    command = [sys.executable, __file__, "--measure", what, "--respondents", str(n), "--units", str(n_units)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, check=True, capture_output=True, text=True)
    taken, peak = done.stdout.split()
    return float(taken), float(peak) / GIB


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--respondents", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=5_000)
    parser.add_argument("--measure", choices=["evidence", "diagnosis", "unit_table", "pandas"])
    arguments = parser.parse_args()
    n, n_units = arguments.respondents, arguments.units
    if arguments.measure:
        measure(arguments.measure, n, n_units)
        return
    print(f"{n:,} respondents x 60 items in {n_units:,} units; processor seconds, each in a process of its own")
    print("| what | seconds | peak GiB | times the pandas table | times psychometrics.unit_table |")
    print("|---|---|---|---|---|")
    found = {what: child(what, n, n_units) for what in ("pandas", "unit_table", "evidence", "diagnosis")}
    titles = {
        "pandas": "pandas groupby: n, mean, sd, r_wg, counts",
        "unit_table": "psychometrics.unit_table: the same",
        "evidence": "evidence",
        "diagnosis": "evidence and diagnosis",
    }
    for what, (taken, peak) in found.items():
        ratios = " | ".join(f"{taken / found[other][0]:.2f}" for other in ("pandas", "unit_table"))
        print(f"| {titles[what]} | {taken:.2f} | {peak:.2f} | {ratios} |")
    taken, _ = child("diagnosis", 1_000, 20)
    print(f"\n1,000 respondents in 20 units, {len(PARTS)} instruments, evidence and diagnosis: {taken:.2f} s")


if __name__ == "__main__":
    main()
