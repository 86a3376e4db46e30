"""How the benchmarks measure: processor time of actions in turn, on one thread of linear algebra."""

import time

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")}


def seconds(action):
    """Processor time, which other work on the machine hardly changes."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def alternating(rounds, **actions):
    """Seconds of every action in turn, after one unmeasured turn: name -> list, a value a round."""
    for action in actions.values():
        action()
    found = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            found[name].append(seconds(action))
    return found
