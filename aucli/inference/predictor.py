"""Face crops to AU scores, in batches, on one device."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aucli.config import ClipMode
from aucli.zoo import load
from aucli_models.au import unsided
from aucli_models.fold import folded
from aucli_models.mdhr import MDHR
from aucli_models.mdhr_stream import Streams
from aucli_models.output import AUOutput

_AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
DEFAULT_BATCH = {"cpu": 8, "cuda": 128}  # 8: what a layer makes of them still fits the cache


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of faces, as it says it: outputs float32 (faces, AUs), 0 to 1; intensities float32
    (faces, AUs), 0 to 5, or None from a network that gives none; pairs float32 (faces, nodes, nodes), the
    probability that both AUs of a pair occur, or None where edges were not asked for. Nodes are the AUs
    without a side; (i, k) is as (k, i), and the diagonal says nothing.
    """

    outputs: NDArray[np.float32]
    intensities: NDArray[np.float32] | None = None
    pairs: NDArray[np.float32] | None = None

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
    edges: whether it also gives `pairs`; the card's network must have them (`Card.gives_edges`).
    clips: what a clip is to a network that reads them (`Card.reads_clips`): a whole sequence, or as its
        authors test, consecutive clips of `Card.clip_frames`.

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
        clips: ClipMode = "track",
    ) -> None:
        self.device = torch.device(device)
        network, self.card = load(model, self.device)
        self.network = folded(network).to(memory_format=torch.channels_last)
        self.batch_size = batch_size or DEFAULT_BATCH[self.device.type]
        self._autocast = _AUTOCAST[precision]
        self._asked = {"edges": True} if edges else {}
        self._clip_frames = self.card.clip_frames if clips == "official" else None
        self._mean = torch.tensor(self.card.mean, device=self.device).view(3, 1, 1) * 255
        self._std = torch.tensor(self.card.std, device=self.device).view(3, 1, 1) * 255

    @torch.inference_mode()
    def __call__(self, crops: Tensor) -> Predictions:
        """Crops float32 (faces, 3, size, size), 0 to 255 -> the network's outputs. For a network that reads
        single pictures; of others see `sequences`.
        """
        if len(crops) == 0:
            nothing = np.zeros((0, len(self.card.au_names)), np.float32)
            nodes = len(unsided(self.card.au_names))
            pairs = np.zeros((0, nodes, nodes), np.float32) if self._asked else None
            return Predictions(nothing, nothing if self.card.intensity else None, pairs)
        return Predictions.joined([self._run(batch) for batch in torch.split(crops, self.batch_size)])

    def _run(self, batch: Tensor) -> AUOutput:
        with self.arithmetic():
            output: AUOutput = self.network(self.images(batch), **self._asked)
        return output

    def images(self, crops: Tensor) -> Tensor:
        """Crops 0 to 255 as the network reads them."""
        return ((crops - self._mean) / self._std).contiguous(memory_format=torch.channels_last)

    def arithmetic(self) -> torch.autocast:
        """In which the network computes."""
        return torch.autocast(self.device.type, self._autocast, enabled=self._autocast is not None)

    def sequences(self) -> Sequences:
        """A beginning for all sequences of a video; only for a network that reads clips."""
        return Sequences(self, self._clip_frames)


class Sequences:
    """Faces that follow each other to AU scores; see `Streams`, whose outputs these are, as arrays.

    A crop is 0 to 255. How the faces are dealt into calls and batches changes no score beyond 1e-6.
    """

    def __init__(self, predictor: Predictor, clip_frames: int | None) -> None:
        self._predictor = predictor
        assert isinstance(predictor.network, MDHR)  # as the card says
        self._streams: Streams[Hashable] = Streams(predictor.network, clip_frames)

    @property
    def open(self) -> frozenset[Hashable]:
        """The sequences with faces whose scores are not known yet."""
        return self._streams.open

    @torch.inference_mode()
    def push(self, crops: Tensor, keys: Sequence[Hashable]) -> list[tuple[Hashable, NDArray[np.float32]]]:
        """Crops float32 (faces, 3, size, size), each the next of its sequence -> scores known now, float32
        (faces, AUs); a sequence may come several times.
        """
        found = []
        for start in range(0, len(keys), self._predictor.batch_size):
            part = slice(start, start + self._predictor.batch_size)
            with self._predictor.arithmetic():
                found += self._streams.push(self._predictor.images(crops[part]), keys[part])
        return [(key, scores.float().cpu().numpy()) for key, scores in found]

    @torch.inference_mode()
    def end(self, key: Hashable) -> NDArray[np.float32]:
        """The scores that a sequence still owes, float32 (faces, AUs)."""
        with self._predictor.arithmetic():
            return self._streams.end(key).float().cpu().numpy()
