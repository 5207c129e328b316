"""What the network sees of packed crops: augmented in training, exact in validation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aucli.datatypes import CropConvention
from aucli.training.augment import strong_appearance
from aucli.training.crops import centre_crops, normalised, straying_crops
from aucli.training.draws import Draws
from aucli.training.published_augment import published_crops
from aucli.training.recipe import Augmentation


@dataclass(frozen=True)
class Views:
    """Normalised float32 (faces, 3, size, size) of packed uint8 (faces, side, side, 3).

    flip: mirror half of the training pictures; not for AU sets with sided AUs.
    """

    convention: CropConvention
    augmentation: Augmentation
    flip: bool

    @torch.no_grad()
    def training(self, packed: Tensor, draws: Draws, *, clean: float = 0.0) -> Tensor:
        """clean: share of the pictures whose appearance stays as it is."""
        if self.augmentation == "published":
            return normalised(published_crops(packed, self.convention.size, draws, flip=self.flip))
        crops = straying_crops(packed, self.convention, draws, flip=self.flip)
        changed = strong_appearance(crops, draws)
        if clean:
            changed = torch.where(draws.chance(clean) > 0, crops, changed)
        return normalised(changed)

    @torch.no_grad()
    def exact(self, packed: Tensor) -> Tensor:
        return normalised(centre_crops(packed, self.convention.size))
