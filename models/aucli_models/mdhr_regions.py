"""The face regions of MDHR: which rows of the 7 x 7 map they are, and which AUs they hold. Data only.

Source: Wang et al., CVPR 2024, section 3.2, and the authors' code where it differs: the paper has three
regions, the code for BP4D divides the AUs of the lowest one among two heads on the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAP_SIDE = 7
"""Rows and columns of the map that regions are cut from."""

_UPPER, _MIDDLE, _LOWER = (0, 3), (2, 5), (4, 7)  # neighbours share a row


@dataclass(frozen=True)
class Region:
    """A region and its AUs, whose joint state is one class: the first AU is the most significant bit.

    rows: first row of the map, and the one after the last. own_block: whether a linear block of its own
    comes before its class and its AUs.
    """

    name: str
    rows: tuple[int, int]
    aus: tuple[str, ...]
    own_block: bool

    @property
    def classes(self) -> int:
        """Joint states of its AUs."""
        return 1 << len(self.aus)


REGIONS: dict[str, tuple[Region, ...]] = {
    "bp4d": (
        Region("up", _UPPER, ("AU1", "AU2", "AU4", "AU7"), own_block=True),
        Region("mid", _MIDDLE, ("AU6",), own_block=True),
        Region("down1", _LOWER, ("AU12", "AU14", "AU15"), own_block=True),
        Region("down2", _LOWER, ("AU10", "AU17", "AU23", "AU24"), own_block=True),
    ),
    "disfa": (
        Region("up", _UPPER, ("AU1", "AU2", "AU4"), own_block=False),
        Region("mid", _MIDDLE, ("AU6", "AU9"), own_block=False),
        Region("down", _LOWER, ("AU12", "AU25", "AU26"), own_block=False),
    ),
}
"""By AU set; each AU of the set lies in one region."""


def region_of(au_set: str, au_names: Sequence[str]) -> list[int]:
    """Number of the region that each AU lies in."""
    return [
        next(number for number, region in enumerate(REGIONS[au_set]) if au in region.aus) for au in au_names
    ]
