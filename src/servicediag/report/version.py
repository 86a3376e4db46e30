"""The version that a report names as its maker."""

from __future__ import annotations

from servicediag import __version__

__all__ = ["package_version"]


def package_version() -> str:
    """Version of servicediag."""
    return __version__
