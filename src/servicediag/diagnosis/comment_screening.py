"""Takes addresses, links and long numbers out of open answers: help for whoever reads them first, no guarantee."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ADDRESS", "LINK", "LONGEST", "NUMBER", "Screened", "screened"]

LONGEST = 2_000
"""Characters of one comment; what is longer is cut."""
ADDRESS, LINK, NUMBER = "[@]", "[www]", "[#]"
"""What stands in a text for an address or account, a link, and a long number."""
_LOOKED_THROUGH = 2 * LONGEST
_FEWEST_DIGITS = 7
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
"""Controls, direction overrides and characters without width, behind which an address could hide."""
_MAIL = re.compile(
    r"[^\s@＠<>()\[\]{},;:!?\"'“”‘’«»，。；：！？、（）\u3040-\u9fff\uac00-\ud7a3]{1,64}[@＠]"
    r"[^\s@＠<>()\[\]{},;:!?\"'“”‘’«»，。；：！？、（）\u3040-\u9fff\uac00-\ud7a3]{1,190}(?<!\.)"
)
_ACCOUNT = re.compile(r"[@＠]\w[\w.]{0,29}(?<!\.)")
_LINK = re.compile(
    r"(?:[a-z]{3,5}://|www\.)[^\s<>\"'“”«»，。；！？、（）\u3040-\u9fff\uac00-\ud7a3]{1,2000}(?<![.,;:!?)])",
    re.IGNORECASE,
)
_ENDS_A_NAME = re.compile(r"\.(?:com|org|net|info|рф|ru|cn)(?![0-9a-zа-яё_-])|\.[a-z]{2,6}/\S", re.IGNORECASE)
_SITE = re.compile(
    # tried once for every run of its letters, at the beginning of it
    r"(?<![0-9a-zà-žа-яё.-])[0-9a-zà-žа-яё.-]{1,4000}\.(?:(?:com|org|net|info|рф|ru|cn)(?![0-9a-zа-яё_-])|[a-z]{2,6}(?=/[^\s/]))"
    r"[^\s<>\"'“”«»，。；！？、（）\u3040-\u9fff\uac00-\ud7a3]{0,2000}(?<![.,;:!?)])",
    re.IGNORECASE,
)
_YEARS = re.compile(r"(?:19|20)\d\d ?[/–-] ?(?:19|20)\d\d")
_NUMBER = re.compile(r"\+?[(]?\d[\d\s()./–-]{5,28}\d")


@dataclass(frozen=True)
class Screened:
    """A comment as it may be listed.

    Attributes
    ----------
    replaced : int
        How many addresses, links and numbers a sign now stands for.
    shortened : bool
        Whether its end was cut off.
    """

    text: str
    replaced: int = 0
    shortened: bool = False


def screened(comment: str) -> Screened:
    """A comment in one line, without characters that cannot be seen, what looks like contact details, and its excess.

    Names of people or places, events, and a way of writing that others know are not recognised. Every expression takes
    time in proportion to the text.

    Examples
    --------
    >>> screened("Call Ann, +34 600 123 456,\\nor ann@example.org.").text
    'Call Ann, [#], or [@].'
    >>> screened("See www.example.org/me and @ann_b").replaced
    2
    """
    text = " ".join(_INVISIBLE.sub("", comment).split())
    shortened = len(text) > _LOOKED_THROUGH
    text, replaced = text[:_LOOKED_THROUGH], 0
    if "://" in text or "www." in text.casefold():
        text, found = _LINK.subn(LINK, text)
        replaced += found
    if "@" in text or "＠" in text:
        for pattern in (_MAIL, _ACCOUNT):
            text, found = pattern.subn(ADDRESS, text)
            replaced += found
    if _ENDS_A_NAME.search(text):
        text, found = _SITE.subn(LINK, text)
        replaced += found
    text, found = _without_numbers(text)
    if len(text) <= LONGEST and not shortened:
        return Screened(text, replaced + found)
    return Screened(text[:LONGEST].rstrip() + "…", replaced + found, shortened=True)


def _without_numbers(text: str) -> tuple[str, int]:
    replaced = 0

    def sign(match: re.Match[str]) -> str:
        nonlocal replaced
        if sum(map(str.isdigit, match[0])) < _FEWEST_DIGITS or _YEARS.fullmatch(match[0]):
            return match[0]
        replaced += 1
        return NUMBER

    return _NUMBER.sub(sign, text), replaced
