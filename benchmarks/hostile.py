"""Very large inputs at full size, each in a process with limits: 60 s of processor time and 500 MB.

``python benchmarks/hostile.py`` prints what became of each; the exit code is 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS, MEGABYTES = 60, 500
CONFINEMENT = Path(__file__).parents[1] / "tests" / "hostile" / "confinement.py"
READ = {"form": "customer-short", "unit": "Branch"}


def confinement() -> Any:
    """The process with limits that the tests use."""
    spec = importlib.util.spec_from_file_location("confinement", CONFINEMENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["confinement"] = module
    spec.loader.exec_module(module)
    return module.Confinement()


def write(path: Path, n_rows: int, units: int, columns: int = 14) -> Path:
    """A text file with answers to the first items, and a branch a row of the given number."""
    import servicediag as sd

    instrument = sd.load_instrument("seven-sins")
    codes = [item.code for item in instrument.form_items("customer-short")][:columns]
    labels = list(instrument.options(codes[0], form="customer-short").values())
    lines = [",".join(labels[(row + place * place) % 5] for place in range(len(codes))) for row in range(35)]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(["Branch", *codes]) + "\n")
        file.writelines(f"Unit {row % units},{lines[row % 35]}\n" for row in range(n_rows))
    return path


def cases(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, job, arguments."""
    three = write(folder / "three.csv", 1_000_000, 20, columns=2)
    yield "1,000,000 rows x 3 columns", "read", {"path": three, **READ, "minimum_completed": 0}
    million = write(folder / "million.csv", 1_000_000, 20)
    yield "1,000,000 rows x 15 columns: read", "read", {"path": million, **READ}
    command = [str(million), "-i", "seven-sins:customer-short", "--unit", "Branch", "-o", str(folder / "m.json")]
    yield "1,000,000 rows x 15 columns: diagnose", "command", {"arguments": ["diagnose", *command]}
    wide = folder / "wide.csv"
    wide.write_text(",".join(f"c{i}" for i in range(10_000)) + "\n" + ",".join("5" for _ in range(10_000)) + "\n")
    yield "10,000 columns", "read", {"path": wide, "form": "customer-short"}
    raised = {"form": "customer-short", "limits": {"columns": 20_000}}
    yield "10,000 columns, limit raised", "read", {"path": wide, **raised}
    alone = write(folder / "alone.csv", 50_000, 50_000)
    command = [str(alone), "-i", "seven-sins:customer-short", "--unit", "Branch", "-o", str(folder / "a.html")]
    yield "50,000 units of one person: diagnose", "command", {"arguments": ["diagnose", *command]}
    small = write(folder / "small.csv", 50_000, 5_000)
    command = [str(small), "-i", "seven-sins:customer-short", "--unit", "Branch", "-o", str(folder / "s.json")]
    yield "5,000 units of ten people: diagnose", "command", {"arguments": ["diagnose", *command]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    arguments = parser.parse_args()
    process = confinement()
    broken = 0
    with tempfile.TemporaryDirectory() as name:
        for case, job, values in cases(Path(name)):
            if arguments.only not in case:
                continue
            found = process.run(job, seconds=SECONDS, **values)
            bad = found.kind not in ("done", "refused") or found.megabytes > MEGABYTES or "internal error" in found.text
            broken += bad
            said = f"{found.kind} {' '.join(sorted(set(found.codes)))} {found.error}"
            print(f"{case:46s} {said:36s} {found.seconds:6.1f} s {found.megabytes:6.0f} MB{'  BROKEN' if bad else ''}")
    process.close()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
