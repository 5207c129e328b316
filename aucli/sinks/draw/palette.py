"""Colours: those of Okabe and Ito, which people with any kind of colour vision tell apart.

Okabe and Ito, "Color Universal Design: How to make figures and presentations that are friendly to
colorblind people", 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = tuple[int, int, int]  # RGB, 0 to 255
ThemeName = Literal["dark", "light"]

_ORANGE: Colour = (230, 159, 0)
_SKY_BLUE: Colour = (86, 180, 233)
_BLUISH_GREEN: Colour = (0, 158, 115)
_YELLOW: Colour = (240, 228, 66)
_BLUE: Colour = (0, 114, 178)
_VERMILLION: Colour = (213, 94, 0)
_REDDISH_PURPLE: Colour = (204, 121, 167)


@dataclass(frozen=True)
class Theme:
    """Colours of one look.

    paper: behind text; ink: text; faint: text of less weight; line: rules and empty bars.
    persons: one after the other for the tracks; tint: of active regions, no person's colour.
    """

    paper: Colour
    ink: Colour
    faint: Colour
    line: Colour
    persons: tuple[Colour, ...]
    tint: Colour = _VERMILLION

    def person(self, track: int) -> Colour:
        """The colour of a track, the same through the whole video."""
        return self.persons[track % len(self.persons)]


THEMES: dict[ThemeName, Theme] = {
    "dark": Theme(
        paper=(22, 24, 28),
        ink=(240, 240, 240),
        faint=(165, 168, 174),
        line=(82, 86, 94),
        persons=(_SKY_BLUE, _ORANGE, _BLUISH_GREEN, _REDDISH_PURPLE, _YELLOW),
    ),
    "light": Theme(
        paper=(252, 252, 252),
        ink=(28, 28, 30),
        faint=(98, 100, 106),
        line=(200, 202, 206),
        persons=(_BLUE, _ORANGE, _BLUISH_GREEN, _REDDISH_PURPLE, _SKY_BLUE),
    ),
}


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the first colour, the rest of the second."""
    red, green, blue = (round(share * a + (1 - share) * b) for a, b in zip(one, other, strict=True))
    return red, green, blue


def ink_on(ground: Colour) -> Colour:
    """Black or white, whichever is easier to read on this colour (WCAG 2.1, relative luminance)."""
    linear = [(value / 255) ** 2.2 for value in ground]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.18 else (255, 255, 255)
