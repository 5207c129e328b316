"""Action units: FACS numbers, names, sides, and the ordered sets that networks predict.

An AU is always its FACS number, with `L` or `R` behind it for the person's own left or right
(`AU12`, `AU12L`); a position in an output tensor is never shown to anybody. Names follow Ekman,
Friesen and Hager, Facial Action Coding System, 2002.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

Region = Literal["upper", "lower"]

FACS_NAMES: dict[int, str] = {
    1: "Inner brow raiser",
    2: "Outer brow raiser",
    4: "Brow lowerer",
    5: "Upper lid raiser",
    6: "Cheek raiser",
    7: "Lid tightener",
    9: "Nose wrinkler",
    10: "Upper lip raiser",
    11: "Nasolabial deepener",
    12: "Lip corner puller",
    13: "Sharp lip puller",
    14: "Dimpler",
    15: "Lip corner depressor",
    16: "Lower lip depressor",
    17: "Chin raiser",
    18: "Lip pucker",
    19: "Tongue show",
    20: "Lip stretcher",
    22: "Lip funneler",
    23: "Lip tightener",
    24: "Lip pressor",
    25: "Lips part",
    26: "Jaw drop",
    27: "Mouth stretch",
    28: "Lip suck",
    32: "Lip bite",
    38: "Nostril dilator",
    39: "Nostril compressor",
    43: "Eye closure",
    45: "Blink",
}

UPPER_FACE = frozenset({1, 2, 4, 5, 6, 7, 43, 45})

_MAIN_27 = (
    1,
    2,
    4,
    5,
    6,
    7,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    22,
    23,
    24,
    25,
    26,
    27,
    32,
    38,
    39,
)
_SIDED_7 = (1, 2, 4, 6, 10, 12, 14)


def _named(numbers: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"AU{number}" for number in numbers)


_SYNTH = _named((1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 28, 38, 39, 43))
_SIDED = tuple(f"AU{number}{side}" for number in _SIDED_7 for side in "LR")

AU_SETS: dict[str, tuple[str, ...]] = {
    "bp4d": _named((1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)),
    "disfa": _named((1, 2, 4, 6, 9, 12, 25, 26)),
    "hybrid": _named(_MAIN_27) + _SIDED,
    "bp4d_intensity": _named((6, 10, 12, 14, 17)),
    "disfa_intensity": _named((1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)),
    "synth": _SYNTH,
    "synth_sided": _SYNTH + _SIDED,
}
"""Ordered AU names of each set a network may predict; the order is the network's output order."""

_NAME = re.compile(r"AU0*([1-9]\d?)([LR]?)")


def parse(name: str) -> tuple[int, str]:
    """`AU12L` -> (12, "L"); `AU4` -> (4, "").

    Raises:
        ValueError: not an AU name, or a number that FACS does not list here.
    """
    match = _NAME.fullmatch(name)
    if match is None or int(match[1]) not in FACS_NAMES:
        raise ValueError(f"{name!r} is not an AU: write for instance AU12 or AU12L")
    return int(match[1]), match[2]


def title(name: str) -> str:
    """`AU12L` -> "Lip corner puller, left"."""
    number, side = parse(name)
    return FACS_NAMES[number] + {"": "", "L": ", left", "R": ", right"}[side]


def region(name: str) -> Region:
    """Whether the AU acts in the upper or the lower face (FACS manual's grouping)."""
    return "upper" if parse(name)[0] in UPPER_FACE else "lower"


def unsided(au_names: Sequence[str]) -> tuple[str, ...]:
    """Those of the AUs that have no side, in their order: the nodes of an AU graph."""
    return tuple(au for au in au_names if not parse(au)[1])


def repeated_sides(au_names: Sequence[str]) -> frozenset[str]:
    """Those with a side of an AU that is also there as a whole: `AU12L` beside `AU12`."""
    whole = set(unsided(au_names))
    return frozenset(au for au in au_names if au not in whole and f"AU{parse(au)[0]}" in whole)


def mirrored(au_names: Sequence[str]) -> tuple[str, ...]:
    """What each AU is in a mirrored picture: `AU12L` -> `AU12R`, `AU4` -> `AU4`."""
    swapped = {"": "", "L": "R", "R": "L"}
    return tuple(f"AU{number}{swapped[side]}" for number, side in map(parse, au_names))


def facs_order(name: str) -> tuple[int, str]:
    """Sort key: FACS number, then both sides, left, right."""
    return parse(name)
