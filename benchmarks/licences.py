"""The licences of everything that is installed with servicediag, as installed packages state them.

``python benchmarks/licences.py`` prints a table; the exit code is 1 where a licence is of the GPL family or unknown.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement

COPYLEFT = re.compile(
    r"\bA?GPL|Affero|GNU (?:Affero )?General Public|(?<!Lesser )General Public License", re.IGNORECASE
)
WEAK = re.compile(r"LGPL|Lesser General Public", re.IGNORECASE)
LONGEST = 60


def closure(name: str, extras: frozenset[str]) -> dict[str, str]:
    """Name and version of every package that must be there at run time; what is not installed has no version."""
    found: dict[str, str] = {}
    waiting = [(name, extras)]
    seen = set()
    while waiting:
        current, wanted = waiting.pop()
        if (current, wanted) in seen:
            continue
        seen.add((current, wanted))
        try:
            package = distribution(current)
        except PackageNotFoundError:
            found.setdefault(current, "")
            continue
        found[current] = package.version
        for line in package.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
                waiting.append((requirement.name.lower().replace("_", "-"), frozenset(requirement.extras)))
    found.pop(name, None)
    return dict(sorted(found.items()))


def licence(name: str) -> str:
    """What a package says of its licence: the expression, the classifiers, or the first line of the field."""
    about = distribution(name).metadata
    classifiers = [value.rpartition(" :: ")[2] for value in about.get_all("Classifier") or () if "License ::" in value]
    stated = about.get("License-Expression") or ", ".join(classifiers) or (about.get("License") or "").split("\n")[0]
    return stated[:LONGEST] or "unknown"


def is_copyleft(stated: str) -> bool:
    """Whether a licence is of the GPL family, the lesser one left aside."""
    return bool(COPYLEFT.search(WEAK.sub("", stated)))


def main() -> int:
    wanted = frozenset(sys.argv[1:] or ["spss"])
    faulty = False
    print("| package | version | licence |\n|---|---|---|")
    for name, version in closure("servicediag", wanted).items():
        stated = licence(name) if version else "not installed"
        faulty |= stated == "unknown" or is_copyleft(stated)
        print(f"| {name} | {version} | {stated} |")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
