"""How often the diagnosis is right: acceptance goals A1-A14, wrong models, baselines and real data, as one table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping

from cause_goals import cause_goals
from gap_goals import (
    careless_goals,
    every_kind_goals,
    file_goals,
    null_goals,
    planted_goals,
    shrinkage_goals,
    wrong_model_goals,
)
from goals import Row, table
from real_data import stability_goals
from state_goals import bottleneck_goals, calibration_goals, coverage_goals


def studies(runs: float, seed: int) -> Mapping[str, Callable[[], list[Row]]]:
    """The studies with their numbers of organisations, which ``runs`` multiplies."""

    def times(number: int) -> int:
        return max(2, round(number * runs))

    return {
        "null": lambda: null_goals(times(1000), seed),
        "every kind": lambda: every_kind_goals(times(60), seed + 100_000),
        "exports": lambda: file_goals(times(12), seed + 200_000),
        "planted": lambda: planted_goals(times(100), seed + 300_000),
        "bottleneck": lambda: bottleneck_goals(times(60), seed + 400_000),
        "calibration": lambda: calibration_goals(times(60), seed + 500_000),
        "coverage": lambda: coverage_goals(times(60), seed + 600_000),
        "shrinkage": lambda: shrinkage_goals(times(60), seed + 700_000),
        "causes": lambda: cause_goals(times(20), seed + 800_000),
        "careless": lambda: careless_goals(times(200), times(60), seed + 900_000),
        "wrong models": lambda: wrong_model_goals(times(60), seed + 1_000_000),
        "real data": lambda: stability_goals(times(20), seed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=float, default=1.0, help="multiplies every number of organisations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", action="append", choices=list(studies(1.0, 0)), help="only this study; may be repeated"
    )
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name, study in studies(arguments.runs, arguments.seed).items():
        if arguments.only and name not in arguments.only:
            continue
        start = time.process_time()
        found = study()
        rows += found
        seconds = time.process_time() - start
        print(f"{name}: {seconds:.0f} s of processor time\n{table(found)}", file=sys.stderr, flush=True)
    order = [f"A{number}" for number in range(1, 15)]
    print(table(sorted(rows, key=lambda row: order.index(row.goal) if row.goal in order else len(order))))


if __name__ == "__main__":
    main()
