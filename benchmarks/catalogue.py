"""Reading the catalogue of instruments against PyYAML's C loader on the same files; files opened for one instrument."""

from __future__ import annotations

import argparse
import builtins
import io
import statistics
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from servicediag import list_instruments, load_instrument
from servicediag.instrument import instruments_root


@contextmanager
def opened_files(root):
    """Names of the catalogue's files that are opened inside, relative to it; a file opened twice counts twice."""
    found = []
    originals = (io.open, builtins.open)

    def noting(file, *more, **options):
        with suppress(TypeError, ValueError):  # no file of the catalogue
            found.append(Path(file).resolve().relative_to(root).as_posix())
        return originals[0](file, *more, **options)

    io.open = builtins.open = noting  # pathlib opens by io.open
    try:
        yield found
    finally:
        io.open, builtins.open = originals


def parse_whole(paths):
    for path in paths:
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def alternating(first, second, rounds):
    """Medians of two actions that take turns, and the median of the ratios."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(rounds)]
    ours, theirs = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(theirs), statistics.median(a / b for a, b in pairs)


def compare_listing(root, rounds):
    with opened_files(root) as found:
        n = len(list_instruments())
    paths = [root / name for name in found]
    size = sum(path.stat().st_size for path in paths) / 1024
    print(f"list_instruments(): {n} instruments, opens {len(found)} files, {size:.0f} KiB")
    ours, theirs, ratio = alternating(list_instruments, lambda: parse_whole(paths), rounds)
    print(f"  {1e3 * ours:.0f} ms; C loader parsing the same files whole {1e3 * theirs:.0f} ms; ratio {ratio:.2f}")


def compare_loading(root, names, rounds):
    for name in names:
        with opened_files(root) as found:
            instrument = load_instrument(name)
        scales = {scale.id for scale in instrument.scales.values()}
        allowed = {f"_scales/{scale}.yaml" for scale in scales}
        foreign = [path for path in found if not path.startswith(f"{name}/") and path not in allowed]
        twice = len(found) - len(set(found))
        ours, theirs, ratio = alternating(
            lambda name=name: load_instrument(name), lambda found=found: parse_whole([root / f for f in found]), rounds
        )
        print(
            f"load_instrument({name!r}): opens {len(found)} files "
            f"({sum(path.startswith('_scales/') for path in found)} scales of {len(scales)} named), "
            f"{len(foreign)} of others {foreign or ''}, {twice} twice; "
            f"{1e3 * ours:.1f} ms, C loader {1e3 * theirs:.1f} ms, ratio {ratio:.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--instruments", nargs="+", default=["seven-sins", "readiness", "four-tools"])
    arguments = parser.parse_args()
    root = Path(str(instruments_root())).resolve()
    compare_listing(root, arguments.rounds)
    compare_loading(root, arguments.instruments, arguments.rounds)


if __name__ == "__main__":
    main()
