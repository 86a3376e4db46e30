"""The main job on 100,000 x 60 labelled answers, against pandas + openpyxl + pingouin, as a ratio in one run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = {"seven-sins": "observer", "readiness": "employee-state", "four-tools": "receiver"}
DIMENSIONS = {"four-tools": {"role", "blame_staff", "blame_situation"}}
"""Of the four tools only these, so that the export holds 60 items."""


def items():
    """(item, text, labels, reverse keyed, dimension) of the 60 columns."""
    import servicediag as sd

    found = []
    for name, form in PARTS.items():
        instrument = sd.load_instrument(name)
        wanted = DIMENSIONS.get(name)
        for item in instrument.form_items(form):
            if wanted is None or item.dimension in wanted:
                labels = instrument.options(item.code, form=form)
                text = instrument.text(item.code, form=form)
                found.append((item.code, text, labels, item.reverse_keyed, f"{name}/{item.dimension}"))
    return found


def write_export(path, n, seed=0):
    """An export as people have it: question texts as headings, labels as answers, 2 % blank, 50 branches."""
    import numpy as np
    import xlsxwriter

    generator = np.random.default_rng(seed)
    columns = items()
    book = xlsxwriter.Workbook(path)  # texts stand once in the file, as Excel writes them
    sheet = book.add_worksheet("Answers")
    for position, heading in enumerate(["Respondent", "Branch", *(text for _, text, *_ in columns)]):
        sheet.write_string(0, position, heading)
    person = generator.normal(0, 0.6, n)
    codes = np.empty((n, len(columns)), dtype=np.int8)
    for position, (_, _, labels, reverse, _) in enumerate(columns):
        level = 3 + (-person if reverse else person) + generator.normal(0, 0.9, n)
        codes[:, position] = np.clip(np.rint(level), min(labels), max(labels))
        codes[generator.random(n) < 0.02, position] = -1
    branches = generator.integers(1, 51, n)
    for row in range(n):
        sheet.write_string(row + 1, 0, f"r{row}")
        sheet.write_string(row + 1, 1, f"Branch {branches[row]:03d}")
        for position, (_, _, labels, *_) in enumerate(columns):
            if codes[row, position] > 0:
                sheet.write_string(row + 1, position + 2, labels[int(codes[row, position])])
    book.close()


def run_ours(path, out):
    import servicediag as sd

    responses = sd.read_responses(path, list(PARTS), form=PARTS, unit="Branch", respondent="Respondent")
    scores = sd.score(responses)
    table = sd.reliability(responses).to_frame()
    sd.diagnose(responses).to_excel(out, overwrite=True)
    known = table.dropna(subset=["alpha"])
    return {
        "n": len(scores.values),
        "alpha": {f"{i}/{d}": a for i, d, a in known[["instrument", "dimension", "alpha"]].itertuples(index=False)},
    }


def run_peers(path, out):
    import pandas as pd
    import pingouin

    frame = pd.read_excel(path, engine="openpyxl")
    columns = items()
    coded = pd.DataFrame(index=frame.index)
    for code, text, labels, reverse, _ in columns:
        values = frame[text].map({label: number for number, label in labels.items()})
        coded[code] = min(labels) + max(labels) - values if reverse else values
    scores = pd.DataFrame(index=frame.index)
    alpha = {}
    for dimension in dict.fromkeys(column[-1] for column in columns):
        block = coded[[code for code, *_, name in columns if name == dimension]]
        scores[dimension] = (block.mean(axis=1) - 1) * 25
        alpha[dimension] = float(pingouin.cronbach_alpha(data=block, nan_policy="listwise")[0])
    scores.groupby(frame["Branch"]).agg(["mean", "std", "count"]).to_excel(out)
    return {"n": len(scores), "alpha": alpha}


def measured(side, path):
    """Seconds and peak MiB of one side in a process of its own, imports included."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "report.xlsx")
        command = [sys.executable, __file__, "--side", side, "--export", path, "--out", out]
        begin, cpu = time.perf_counter(), os.times()
        # bytecode is kept, as pip compiles it when a library is installed
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        after = os.times()
        used = after.children_user + after.children_system - cpu.children_user - cpu.children_system
        result = json.loads(done.stdout.strip().splitlines()[-1])
        return {"seconds": time.perf_counter() - begin, "cpu": used, **result}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--respondents", type=int, default=100_000)
    parser.add_argument("--side", choices=["ours", "peers"])
    parser.add_argument("--export")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    if arguments.side:
        run = {"ours": run_ours, "peers": run_peers}[arguments.side]
        result = run(arguments.export, arguments.out)
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
        print(json.dumps({**result, "peak_mib": peak}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.export or str(Path(folder) / "export.xlsx")
        if not arguments.export:
            write_export(path, arguments.respondents)
        print(f"{arguments.respondents} x {len(items())} labelled answers, {Path(path).stat().st_size / 2**20:.0f} MiB")
        small = str(Path(folder) / "small.xlsx")
        write_export(small, 500)
        for side in ("ours", "peers"):
            measured(side, small)  # warms bytecode and file cache of both
        ours, peers = measured("ours", path), measured("peers", path)
    gaps = [abs(ours["alpha"][name] - value) for name, value in peers["alpha"].items() if name in ours["alpha"]]
    for name, side in (("servicediag", ours), ("pandas + openpyxl + pingouin", peers)):
        print(f"{name}: {side['seconds']:.1f} s ({side['cpu']:.1f} s of processor), peak {side['peak_mib']:.0f} MiB")
    print(f"ratio {peers['seconds'] / ours['seconds']:.1f} ({peers['cpu'] / ours['cpu']:.1f} of processor time)")
    print(f"largest difference of {len(gaps)} alphas {max(gaps):.1e}")


if __name__ == "__main__":
    main()
