"""Face crops to AU scores, in batches, on one device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aucli.zoo import load
from aucli_models.au import unsided
from aucli_models.au_points import points_per_au
from aucli_models.fold import folded
from aucli_models.layers import MAX_INTENSITY
from aucli_models.output import AUOutput, IntensityOutput

_AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
DEFAULT_BATCH = {"cpu": 8, "cuda": 128}  # 8: what a layer makes of them still fits the cache


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of faces, as it says it: outputs float32 (faces, AUs), 0 to 1, or None from a
    network without probabilities; intensities float32 (faces, AUs), 0 to 5, or None from one that gives none;
    heatmaps uint8 (faces, AUs, side, side), 51 for a grade of intensity, the highest of an AU's points, or
    None where they were not asked for; pairs float32 (faces, nodes, nodes), the
    probability that both AUs of a pair occur, or None where edges were not asked for. Nodes are the AUs
    without a side; (i, k) is as (k, i), and the diagonal says nothing.
    """

    outputs: NDArray[np.float32] | None
    intensities: NDArray[np.float32] | None = None
    pairs: NDArray[np.float32] | None = None
    heatmaps: NDArray[np.uint8] | None = None

    @classmethod
    def joined(cls, parts: Sequence[AUOutput]) -> Predictions:
        """Of the batches of one network, in their order."""
        intensities = [part.intensity for part in parts if part.intensity is not None]
        pairs = [_both(part.edge_logits) for part in parts if part.edge_logits is not None]
        return cls(
            torch.cat([part.probabilities for part in parts]).float().cpu().numpy(),
            torch.cat(intensities).float().cpu().numpy() if intensities else None,
            torch.cat(pairs).cpu().numpy() if pairs else None,
        )

    @classmethod
    def measured(
        cls, parts: Sequence[IntensityOutput], au_set: str, *, with_heatmaps: bool = False
    ) -> Predictions:
        """Of the batches of one network without probabilities, in their order."""
        intensities = torch.cat([part.intensities for part in parts]).float().cpu().numpy()
        heatmaps = None
        if with_heatmaps:
            heatmaps = torch.cat([_of_aus(part.heatmaps, au_set) for part in parts]).cpu().numpy()
        return cls(None, np.clip(intensities, 0.0, MAX_INTENSITY), heatmaps=heatmaps)


def _of_aus(heatmaps: Tensor, au_set: str) -> Tensor:
    """uint8 (faces, AUs, side, side) of the maps of points."""
    maps = torch.split(heatmaps, list(points_per_au(au_set)), dim=1)
    highest = torch.stack([of_au.amax(1) for of_au in maps], dim=1)
    return (highest / MAX_INTENSITY).round().clamp(0, 255).to(torch.uint8)


def _both(edge_logits: Tensor) -> Tensor:
    """Probability that both AUs of a pair occur, float32 (faces, nodes, nodes): class 3 = 2 * 1 + 1 of the
    edge logits (faces, nodes * nodes, 4), as the mean of both directions.
    """
    nodes = math.isqrt(edge_logits.shape[1])
    both = edge_logits.float().softmax(-1)[..., 3].view(-1, nodes, nodes)
    return (both + both.mT) / 2


class Predictor:
    """A network with its card on a device.

    precision: fp32, bf16 or fp16, see `devices.resolve_precision`. batch_size: faces that go through
    the network together, None for the device's default; it never changes a score beyond 1e-6.
    edges, heatmaps: whether it also gives `pairs`, `heatmaps`; the card's network must have them
    (`Card.gives_edges`, `Card.gives_heatmaps`).

    Raises:
        UnknownModelError, CheckpointError: see `zoo.load`.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "cpu",
        precision: str = "fp32",
        batch_size: int | None = None,
        edges: bool = False,
        heatmaps: bool = False,
    ) -> None:
        self.device = torch.device(device)
        network, self.card = load(model, self.device)
        self.network = folded(network).to(memory_format=torch.channels_last)
        self.batch_size = batch_size or DEFAULT_BATCH[self.device.type]
        self._autocast = _AUTOCAST[precision]
        self._asked = {"edges": True} if edges else {}
        self._heatmaps = heatmaps
        self._mean = torch.tensor(self.card.mean, device=self.device).view(3, 1, 1) * 255
        self._std = torch.tensor(self.card.std, device=self.device).view(3, 1, 1) * 255

    @torch.inference_mode()
    def __call__(self, crops: Tensor) -> Predictions:
        """Crops float32 (faces, 3, size, size), 0 to 255 -> the network's outputs."""
        if len(crops) == 0:
            nothing = np.zeros((0, len(self.card.au_names)), np.float32)
            if not self.card.probabilities:
                maps = np.zeros((*nothing.shape, 1, 1), np.uint8) if self._heatmaps else None
                return Predictions(None, nothing, heatmaps=maps)
            nodes = len(unsided(self.card.au_names))
            pairs = np.zeros((0, nodes, nodes), np.float32) if self._asked else None
            return Predictions(nothing, nothing if self.card.intensity else None, pairs)
        parts = [self._run(batch) for batch in torch.split(crops, self.batch_size)]
        measured = [part for part in parts if isinstance(part, IntensityOutput)]
        if measured:
            return Predictions.measured(measured, self.card.au_set, with_heatmaps=self._heatmaps)
        return Predictions.joined([part for part in parts if isinstance(part, AUOutput)])

    def _run(self, batch: Tensor) -> AUOutput | IntensityOutput:
        images = ((batch - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self._autocast, enabled=self._autocast is not None):
            output: AUOutput | IntensityOutput = self.network(images, **self._asked)
        return output
