"""Start the command line: ``python -m servicediag`` is the same as ``servicediag``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line on the arguments of the process."""
    try:
        from servicediag.cli import app

        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a character gets a substitute instead of a crash.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        app(prog_name="servicediag")
    except KeyboardInterrupt:
        # before a command began, which would say that nothing was written
        sys.exit(130)


if __name__ == "__main__":
    main()
