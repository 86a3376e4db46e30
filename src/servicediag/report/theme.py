"""The look of a report: names, a logo, two colours whose contrast is checked, and the colours made from them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from servicediag.report.logo import Logo

__all__ = [
    "DARKEST_GROUND", "FONT_STACK", "GRAPHIC_CONTRAST", "MINIMUM_CONTRAST", "Theme", "contrast", "font_stack", "mix",
    "readable_on",
]  # fmt: skip

MINIMUM_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3: contrast of text against its background."""
GRAPHIC_CONTRAST = 3.0
"""WCAG 2.2, success criterion 1.4.11: contrast of lines and marks against what lies beside them."""
DARKEST_GROUND = "#e4e4e4"
"""The darkest grey that marks are drawn on: the band of differences too small to matter."""
FONT_STACK = "Arial, 'Liberation Sans', 'Noto Sans', 'Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', sans-serif"
"""Fonts of pages and drawings; quotation marks of Chinese are as wide as its characters only in its own fonts."""
_CHINESE_FIRST = "'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', Arial, sans-serif"
_LONGEST_NAME = 120
_HEX = re.compile(r"#[0-9a-fA-F]{6}\Z")


def font_stack(language: str) -> str:
    """The fonts of a page in that language."""
    return _CHINESE_FIRST if language.startswith("zh") else FONT_STACK


@dataclass(frozen=True)
class Theme:
    """Names, logo and two colours of a report. Both colours are used for text and marks, so both must stand out.

    Attributes
    ----------
    name : str
    primary : str
        Headings, table heads and the dark (low) end of the heatmap, as ``"#rrggbb"``.
    accent : str
        Findings that are worse than their comparator.
    organisation, prepared_by : str
        Names that slides and documents print: whose report it is, and who made it.
    logo : Logo, optional
        See :class:`~servicediag.report.logo.Logo`.

    Raises
    ------
    ValueError
        A colour is not ``"#rrggbb"``, its contrast to white is below 4.5 to 1, or to the grey ground of charts below
        3 to 1; or a name is longer than 120 characters.

    Examples
    --------
    >>> Theme(name="house", primary="#14324f").primary
    '#14324f'
    >>> Theme(primary="#ffff00")
    Traceback (most recent call last):
    ...
    ValueError: primary='#ffff00' has a contrast of 1.1 to 1 against white; text needs at least 4.5 to 1
    """

    name: str = "servicediag"
    primary: str = "#0b3d6e"
    accent: str = "#a63d00"
    organisation: str = ""
    prepared_by: str = ""
    logo: Logo | None = None

    def __post_init__(self) -> None:
        for name in ("name", "organisation", "prepared_by"):
            if len(getattr(self, name)) > _LONGEST_NAME:
                raise ValueError(f"{name} has {len(getattr(self, name))} characters; at most {_LONGEST_NAME} fit")
        for role in ("primary", "accent"):
            colour = getattr(self, role)
            if not isinstance(colour, str) or not _HEX.match(colour):
                raise ValueError(f"{role}={colour!r} must be a colour written as '#rrggbb'")
            for ground, what, needed in (
                ("#ffffff", "white; text", MINIMUM_CONTRAST),
                (DARKEST_GROUND, "the grey of charts; marks", GRAPHIC_CONTRAST),
            ):
                found = contrast(colour, ground)
                if found < needed:
                    raise ValueError(
                        f"{role}={colour!r} has a contrast of {found:.1f} to 1 against {what} needs at least "
                        f"{needed} to 1"
                    )

    @property
    def pale(self) -> str:
        """Background of table heads and the light (healthy) end of the heatmap."""
        return mix(self.primary, "#ffffff", 0.06)

    def names(self) -> str:
        """Whose report it is and who made it, in one line."""
        return " · ".join(filter(None, (self.organisation, self.prepared_by)))

    def health_colour(self, health: float) -> str:
        """Colour of a health value on the absolute scale from 0 (dark) to 100 (light)."""
        return mix(self.primary, self.pale, 1 - min(max(health, 0.0), 100.0) / 100)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 [1]_.

    References
    ----------
    .. [1] W3C (2023). Web Content Accessibility Guidelines 2.2, "contrast ratio" and "relative luminance".

    Examples
    --------
    >>> contrast("#000000", "#ffffff")
    21.0
    """
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def mix(first: str, second: str, share: float) -> str:
    """The colour that has ``share`` (0 to 1) of the first and the rest of the second.

    Examples
    --------
    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def readable_on(background: str) -> str:
    """Black or white, whichever stands out more; on any colour the better one reaches 4.5 to 1.

    Examples
    --------
    >>> readable_on("#16324f"), readable_on("#eeeeee")
    ('#ffffff', '#000000')
    """
    return max(("#000000", "#ffffff"), key=lambda text: contrast(text, background))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
