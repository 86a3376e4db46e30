"""`servicediag --help` against a bare Python start, medians of alternating runs, as a ratio."""

import statistics
import subprocess
import sys
import time

ROUNDS = 15


def seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - begin


def main():
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(seconds([sys.executable, "-c", "pass"]))
        ours.append(seconds([sys.executable, "-m", "servicediag", "--help"]))
    low, high = statistics.median(bare), statistics.median(ours)
    print(f"bare {1000 * low:.0f} ms, servicediag --help {1000 * high:.0f} ms, ratio {high / low:.1f}")


if __name__ == "__main__":
    main()
