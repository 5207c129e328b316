"""What the network sees of packed crops: augmented in training, exact in validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aucli.datatypes import CropConvention
from aucli.training.augment import strong_appearance
from aucli.training.crops import (
    centre_crops,
    normalised,
    packed_convention,
    packed_side,
    straying_crops,
    whole_crops,
)
from aucli.training.draws import Draws
from aucli.training.published_augment import clip_crops, published_crops
from aucli.training.recipe import Augmentation
from aucli_models.au import mirrored


@dataclass(frozen=True, eq=False)
class View:
    """What the network sees: images float32 (faces, 3, size, size), normalised; flipped bool (faces,), which
    of them are mirrored; to_view float64 (faces, 2, 3), from pixels of the packed crop to pixels of the
    image, None where the augmentation does not say.
    """

    images: Tensor
    flipped: Tensor
    to_view: Tensor | None


@dataclass(frozen=True)
class Views:
    """Normalised float32 (faces, 3, size, size) of packed uint8 (faces, side, side, 3).

    flip: mirror half of the training pictures; their labels are then those of `SwapSides`.
    whole: the exact view is the whole packed crop, resized, and not its middle: as MDHR's authors test.
    """

    convention: CropConvention
    augmentation: Augmentation
    flip: bool
    whole: bool = False

    @property
    def seen(self) -> CropConvention:
        """How faces are to be cut for the network outside of training."""
        if not self.whole:
            return self.convention
        wide = packed_convention(self.convention, packed_side(self.convention.size))
        return replace(wide, size=self.convention.size)

    @torch.no_grad()
    def training(self, packed: Tensor, draws: Draws, *, clean: float = 0.0) -> View:
        """The pictures as they are trained on.

        clean: share of the pictures whose appearance stays as it is.
        """
        if self.augmentation == "clip":
            crops, flipped = clip_crops(packed, self.convention.size, draws, flip=self.flip)
            return View(normalised(crops), flipped, None)
        if self.augmentation == "published":
            crops, flipped = published_crops(packed, self.convention.size, draws, flip=self.flip)
            return View(normalised(crops), flipped, None)
        if self.augmentation == "none":
            crops = centre_crops(packed, self.convention.size)
            start = (packed.shape[1] - self.convention.size) // 2
            moved = torch.eye(3, dtype=torch.float64, device=packed.device)[:2].repeat(len(packed), 1, 1)
            moved[:, :, 2] = -start
            return View(
                normalised(crops), torch.zeros(len(packed), dtype=torch.bool, device=packed.device), moved
            )
        crops, flipped, to_view = straying_crops(packed, self.convention, draws, flip=self.flip)
        changed = strong_appearance(crops, draws)
        if clean:
            changed = torch.where(draws.chance(clean) > 0, crops, changed)
        return View(normalised(changed), flipped, to_view)

    @torch.no_grad()
    def exact(self, packed: Tensor) -> Tensor:
        cut = whole_crops if self.whole else centre_crops
        return normalised(cut(packed, self.convention.size))


class SwapSides:
    """Labels of mirrored pictures: what was AU12L is AU12R there, and an AU without a side is itself.

    Args:
        au_names: the labels' columns; of a sided AU, both sides.
    """

    def __init__(self, au_names: Sequence[str], device: torch.device) -> None:
        self._others = torch.tensor([au_names.index(au) for au in mirrored(au_names)], device=device)

    def __call__(self, values: Tensor, flipped: Tensor) -> Tensor:
        """Labels or intensities (faces, aus), their sides swapped where a face is `flipped`, (faces,)."""
        return torch.where(flipped[:, None], values[:, self._others], values)
