"""Time and size of the reports: python benchmarks/report.py [--units 20] [--people 1000]

Every artefact is written once in a fresh process, so that imports count, and timed by its processor time; then all of
them in one fresh process, as one command writes them.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import servicediag as sd

PARTS = (("seven-sins", "customer"), ("four-tools", "receiver"))
FILES = {"workbook": "report.xlsx", "page": "report.html", "json": "report.json",
         "slides": "report.pptx", "document": "report.docx"}  # fmt: skip


def diagnosis_file(folder: Path, units: int, people: int) -> Path:
    """A diagnosis of that many units and people on 14 scales, kept in a file."""
    study = sd.simulate(list(PARTS), n_units=units, respondents_per_unit=max(6, people // units), seed=1)
    path = folder / "diagnosis.pickle"
    path.write_bytes(pickle.dumps(sd.diagnose(study.responses())))
    return path


def write_one(name: str, source: Path) -> dict[str, float]:
    """Write one artefact, or ``all``, in this process and say what it took."""
    diagnosis = pickle.loads(source.read_bytes())
    writers = {"workbook": diagnosis.to_excel, "page": diagnosis.to_html, "json": diagnosis.to_json,
               "slides": diagnosis.to_slides, "document": diagnosis.to_word}  # fmt: skip
    targets = {one: source.with_name(FILES[one]) for one in (FILES if name == "all" else [name])}
    wall = time.perf_counter()
    for one, target in targets.items():
        writers[one](target, overwrite=True)
    wall = time.perf_counter() - wall
    size = sum(target.stat().st_size for target in targets.values())
    pages = source.with_name("report-units")
    size += sum(page.stat().st_size for page in pages.glob("*")) if "page" in targets else 0
    return {"wall": wall, "processor": time.process_time(), "bytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=20)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(write_one(arguments.measure[0], Path(arguments.measure[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = diagnosis_file(Path(folder), arguments.units, arguments.people)
        for name in (*FILES, "all"):
            command = [sys.executable, __file__, "--measure", name, str(source)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{name:9} {found['processor']:6.1f} s processor, imports included; {found['wall']:6.1f} s to write; "
                  f"{found['bytes'] / 1e6:6.2f} MB")  # fmt: skip
        print(f"{arguments.units} units, {arguments.people} people")


if __name__ == "__main__":
    main()
