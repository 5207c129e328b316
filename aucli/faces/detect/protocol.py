"""What every face detector offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import Faces

if TYPE_CHECKING:
    from torch import Tensor


class Detector(Protocol):
    """Finds faces and their five landmarks in pictures.

    What it finds in a picture must not depend on the other pictures of the call: on the CPU bit
    for bit, on an accelerator up to its rounding.
    """

    name: str  # as the user types it after --detector
    version: str  # identity of the weights, for the metadata of the output
    can_refit: bool  # whether `refit` works; without it, skipped frames are interpolated
    sure_score: float  # from here on a face is believed at first sight; below, only if known already

    def detect(self, pictures: Sequence[Tensor]) -> list[Faces]:
        """All faces of each picture, best score first, without tracks.

        pictures: each uint8 (height, width, 3), RGB, on the detector's device; all of one size.
        """
        ...

    def refit(self, pictures: Sequence[Tensor], boxes: Sequence[NDArray[np.float32]]) -> list[Faces]:
        """Looks once more at places where faces were a moment ago; much cheaper than `detect`.

        pictures: as for `detect`.
        boxes: per picture float32 (faces, 4), left, top, width, height: where to look.

        Returns one row for each box, in the same order; where there is no face any more the score
        is low and box and landmarks mean nothing.
        """
        ...
