"""Reading and coding 100,000 x 60 labelled answers against what parses the same file, as ratios in one run.

By the clock and by the processor time of all threads, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = {"seven-sins": "observer", "readiness": "employee-state", "four-tools": "receiver"}
DIMENSIONS = {"four-tools": {"role", "blame_staff", "blame_situation"}}
"""Of the four tools only these, so that the export holds 60 items."""
RUNS = (
    "parse .xlsx (fastexcel)",
    "read_responses .xlsx",
    "pandas.read_csv",
    "read_responses .csv",
    "pandas + map .xlsx",
)


def items():
    """(text, labels) of the 60 columns."""
    import servicediag as sd

    found = []
    for name, form in PARTS.items():
        instrument = sd.load_instrument(name)
        wanted = DIMENSIONS.get(name)
        for item in instrument.form_items(form):
            if wanted is None or item.dimension in wanted:
                labels = instrument.options(item.code, form=form)
                found.append((instrument.text(item.code, form=form), labels))
    return found


def write_exports(folder, n, seed=0):
    """The same answers as .xlsx and .csv: question texts as headings, labels as answers, 2 % blank, 200 branches."""
    import numpy as np
    import pandas as pd
    import xlsxwriter

    generator = np.random.default_rng(seed)
    columns = {"Respondent": [f"r{i}" for i in range(n)]}
    columns["Branch"] = np.char.add("Branch ", generator.integers(1, 201, n).astype(str))
    person = generator.normal(0, 0.6, n)
    for text, labels in items():
        codes = np.clip(np.rint(3 + person + generator.normal(0, 0.9, n)), min(labels), max(labels)).astype(int)
        answers = np.array([labels.get(code, "") for code in range(max(labels) + 1)], dtype=object)[codes]
        answers[generator.random(n) < 0.02] = ""
        columns[text] = answers
    frame = pd.DataFrame(columns)
    frame.to_csv(folder / "export.csv", index=False)
    book = xlsxwriter.Workbook(folder / "export.xlsx")  # texts stand once in the file, as Excel writes them
    sheet = book.add_worksheet("Answers")
    for row, values in enumerate([list(frame.columns), *frame.to_numpy().tolist()]):
        for column, value in enumerate(values):
            if value:
                sheet.write_string(row, column, value)
    book.close()


def run(name, folder):
    """Do one of the runs; how long it took, without imports and the loading of the instruments."""
    import fastexcel
    import pandas as pd

    import servicediag as sd

    instruments = [sd.load_instrument(one) for one in PARTS]
    keywords = {"form": PARTS, "unit": "Branch", "respondent": "Respondent"}
    warm = pd.DataFrame({item.code: [1, 2, 3] for item in instruments[0].items})
    sd.read_responses(warm, instruments[0], form="customer")  # imports what is loaded on first use
    start, processor = time.perf_counter(), time.process_time()
    if name == "parse .xlsx (fastexcel)":
        fastexcel.read_excel(str(folder / "export.xlsx")).load_sheet_eager(0, header_row=None, dtypes="string")
    elif name == "read_responses .xlsx":
        sd.read_responses(folder / "export.xlsx", instruments, **keywords)
    elif name == "pandas.read_csv":
        pd.read_csv(folder / "export.csv")
    elif name == "read_responses .csv":
        sd.read_responses(folder / "export.csv", instruments, **keywords)
    else:
        frame = pd.read_excel(folder / "export.xlsx", engine="openpyxl")
        for text, labels in items():
            frame[text] = frame[text].map({label: code for code, label in labels.items()})
    return {
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - processor,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_process(name, folder):
    """One run in a process of its own."""
    command = [sys.executable, __file__, "--run", name, "--folder", str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=100_000, help="respondents")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many is taken")
    parser.add_argument("--without-openpyxl", action="store_true", help="leave out the slow peer")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run == "write":
        write_exports(arguments.folder, arguments.n)
        return
    if arguments.run:
        print(json.dumps(run(arguments.run, arguments.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, __file__, "--run", "write", "--folder", name, "-n", str(arguments.n)]
        subprocess.run(command, check=True)  # its memory would else count as that of the runs
        best = {}
        for _ in range(arguments.rounds):
            for one in RUNS[:4]:
                found = in_process(one, folder)
                held = best.setdefault(one, found)
                best[one] = {what: min(held[what], found[what]) for what in found}
        if not arguments.without_openpyxl:
            best[RUNS[4]] = in_process(RUNS[4], folder)
    for one, found in best.items():
        print(
            f"{one:28s} {found['seconds']:7.2f} s, processors {found['processor']:7.2f} s, {found['peak_mib']:7.0f} MiB"
        )
    ratios = [
        ("read_responses .xlsx", "parse .xlsx (fastexcel)", "at most 2"),
        ("read_responses .csv", "pandas.read_csv", "at most 2.5"),
        ("pandas + map .xlsx", "read_responses .xlsx", "at least 8"),
    ]
    for ours, theirs, goal in ratios:
        if ours in best and theirs in best:
            clock, processor = (best[ours][what] / best[theirs][what] for what in ("seconds", "processor"))
            print(f"{ours} / {theirs} = {clock:.2f}, processor time {processor:.2f} (goal: {goal})")


if __name__ == "__main__":
    main()
