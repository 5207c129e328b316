"""What the losses of all networks share; `*_objective` beside this file say what counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from aucli.training.auxiliary import AuxiliaryHeads
from aucli.training.counts import Counts


class Objective(nn.Module, ABC):
    """The loss of a part of a batch, as its share of the whole batch's loss: shares add up.

    Args:
        network: of `create_model`.
        autocast: type of the network's arithmetic, None for float32. Losses are float32.
    """

    def __init__(self, network: nn.Module, autocast: torch.dtype | None) -> None:
        super().__init__()
        self.network: Any
        self.network = network
        self.autocast = autocast
        self.heads: AuxiliaryHeads | None = None  # trained with the network and left out of the model

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        intensity: Tensor | None,
        counts: tuple[int, ...],
        landmarks: Tensor | None = None,
    ) -> Tensor:
        """Images (batch, 3, side, side) normalised; labels (batch, aus) 1, 0 or -1; intensity (batch, aus)
        and landmarks (batch, 68, 2) in pixels of the images, NaN where not known; counts as in `Counts`.
        """
        with torch.autocast(images.device.type, self.autocast, enabled=self.autocast is not None):
            output = self._output(images)
        return self._loss(output, labels, intensity, landmarks, Counts(*counts))

    @abstractmethod
    def _output(self, images: Tensor) -> Any:
        """What the loss needs of the network."""

    @abstractmethod
    def _loss(
        self,
        output: Any,
        labels: Tensor,
        intensity: Tensor | None,
        landmarks: Tensor | None,
        known: Counts,
    ) -> Tensor: ...
