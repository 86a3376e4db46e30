"""Fixed texts in every language, read from the packaged files ``<language>/<area>.yaml``."""

from servicediag.wording.catalogue import languages, text

__all__ = ["languages", "text"]
