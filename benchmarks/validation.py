"""How often the diagnosis is right on simulated organisations: false findings on noise, planted gaps found, causes."""

from __future__ import annotations

import argparse
from collections import Counter

from servicediag import build_evidence, diagnose, simulate
from servicediag.simulation import AnswerProcess, Effect

EMPLOYEES = [("readiness", "employee"), ("four-tools", "receiver")]
UNITS = [f"Unit {k:02d}" for k in range(1, 21)]
SIZES = (8, 40)
SURE = ("established", "likely")


def organisation(seed, effects_customers=(), effects_employees=(), icc=0.0):
    """One diagnosis: customers of 20 units answer the seven sins, employees readiness and four tools."""
    process = AnswerProcess(icc=icc)
    common = {"unit_names": UNITS, "n_units": len(UNITS), "process": process}
    customers = simulate(
        "seven-sins", form="customer", respondents_per_unit=(30, 60), effects=effects_customers, seed=seed, **common
    )
    employees = simulate(EMPLOYEES, respondents_per_unit=SIZES, effects=effects_employees, seed=seed + 1, **common)
    return diagnose(build_evidence(customers.responses(), employees.responses()))


def unit_troubles(diagnosis, tiers):
    return [f for f in diagnosis.findings if f.kind == "unit_gap" and f.tier in tiers]


def null_study(n, seed):
    counts = Counter()
    for run in range(n):
        diagnosis = organisation(seed + 10 * run)
        counts["established"] += bool(unit_troubles(diagnosis, ("established",)))
        counts["established or likely"] += bool(unit_troubles(diagnosis, SURE))
        counts["bottlenecks"] += sum(f.kind == "bottleneck" for f in diagnosis.findings)
        counts["units judged"] += int((diagnosis.readiness["verdict"] != "no target declared").sum())
    print(f"null, {n} organisations: any established {counts['established'] / n:.3f}, ", end="")
    print(f"any established or likely {counts['established or likely'] / n:.3f}, ", end="")
    print(f"bottleneck named {counts['bottlenecks'] / counts['units judged']:.4f} of units")


def gap_study(n, seed, points):
    """Feedback planted low in two units and its consequence, apathy, in the same units; the rest is noise."""
    counts = Counter()
    planted = [("Unit 04", "feed"), ("Unit 04", "apathy"), ("Unit 11", "feed"), ("Unit 11", "apathy")]
    for run in range(n):
        diagnosis = organisation(
            seed + 10 * run,
            [Effect(unit, d, -points) for unit, d in planted if d == "apathy"],
            [Effect(unit, d, -points) for unit, d in planted if d == "feed"],
        )
        for tiers in (("established",), SURE):
            found = {(f.unit, f.dimension) for f in unit_troubles(diagnosis, tiers)}
            counts["found", tiers] += len(found & set(planted))
            counts["false", tiers] += len(found - set(planted))
        for finding in unit_troubles(diagnosis, SURE):
            if (finding.unit, finding.dimension) in planted and finding.dimension == "apathy":
                counts["apathy"] += 1
                supported = [cause.rule for cause in finding.causes if cause.status == "supported"]
                counts["true cause"] += "R11" in supported
                counts["refuted"] += any(c.rule == "R11" and c.status == "not_supported" for c in finding.causes)
                counts["supported"] += len(supported)
    print(f"gap {points:g}, {n} organisations:", end=" ")
    for name, tiers in (("established", ("established",)), ("established or likely", SURE)):
        found, false = counts["found", tiers], counts["false", tiers]
        rate = false / max(1, found + false)
        print(f"{name}: sensitivity {found / (len(planted) * n):.2f}, false share {rate:.3f};", end=" ")
    print(
        f"cause: recall {counts['true cause'] / max(1, counts['apathy']):.2f}, "
        f"precision {counts['true cause'] / max(1, counts['supported']):.2f}, "
        f"true cause refuted {counts['refuted'] / max(1, counts['apathy']):.3f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--null", type=int, default=200)
    parser.add_argument("--planted", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    null_study(arguments.null, arguments.seed)
    for points in (10.0, 15.0, 20.0):
        gap_study(arguments.planted, arguments.seed + 7, points)


if __name__ == "__main__":
    main()
