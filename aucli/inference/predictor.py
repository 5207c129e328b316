"""Face crops to AU scores, in batches, on one device."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aucli.config import ClipMode
from aucli.errors import OutOfMemoryError
from aucli.inference.batch_size import (
    CPU_BATCH,
    FaceMemory,
    batch_for,
    cuda_peak_bytes,
    is_out_of_memory,
)
from aucli.inference.fixed_batch import FixedBatch, Run, fixed_if_safe
from aucli.inference.timing import UNTIMED, Timer
from aucli.zoo import load
from aucli.zoo.card import Card
from aucli_models.au import unsided
from aucli_models.au_points import points_per_au
from aucli_models.fold import folded
from aucli_models.layers import MAX_INTENSITY
from aucli_models.mdhr import MDHR
from aucli_models.mdhr_stream import Streams
from aucli_models.output import AUOutput, IntensityOutput

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

_AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_GRAPH_TOLERANCE = {"fp32": 1e-4, "bf16": 0.02, "fp16": 0.02}  # between two forms of the same arithmetic


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

    def rows(self, rows: slice) -> Predictions:
        """Of these faces only."""
        return Predictions(
            None if self.outputs is None else self.outputs[rows],
            None if self.intensities is None else self.intensities[rows],
            None if self.pairs is None else self.pairs[rows],
            None if self.heatmaps is None else self.heatmaps[rows],
        )

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


class FacePredictor(Protocol):
    """What scores the faces of one video: a `Predictor`, or a lane of one that several videos share."""

    @property
    def card(self) -> Card: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def batch_size(self) -> int: ...
    def __call__(self, crops: Tensor, timer: Timer = UNTIMED) -> Predictions: ...
    def sequences(self) -> Sequences: ...


class Predictor:
    """A network with its card on a device.

    precision: fp32, bf16 or fp16, see `devices.resolve_precision`. batch_size: faces that go through
    the network together, None for as many as suit the device; it never changes a score beyond 2e-6 in fp32.
    When memory runs out it is halved; `take_notes` tells.
    edges, heatmaps: whether it also gives `pairs`, `heatmaps`; the card's network must have them
    (`Card.gives_edges`, `Card.gives_heatmaps`).
    clips: what a clip is to a network that reads them (`Card.reads_clips`): a whole sequence, or as its
    authors test, consecutive clips of `Card.clip_frames`.

    On a GPU full batches of a network of probabilities that reads single pictures run as a CUDA graph, if its
    results are the same.

    Raises:
        UnknownModelError, CheckpointError: see `zoo.load`.
        OutOfMemoryError: the network does not fit the GPU with a single face.
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
        clips: ClipMode = "track",
    ) -> None:
        self.device = torch.device(device)
        network, self.card = load(model, self.device)
        self.network = folded(network).to(memory_format=torch.channels_last)
        self._autocast = _AUTOCAST[precision]
        self._asked = {"edges": True} if edges else {}
        self._heatmaps = heatmaps
        self._clip_frames = self.card.clip_frames if clips == "official" else None
        self._mean = torch.tensor(self.card.mean, device=self.device).view(3, 1, 1) * 255
        self._std = torch.tensor(self.card.std, device=self.device).view(3, 1, 1) * 255
        self._notes: list[str] = []
        self._memory: FaceMemory | None = None
        self._bytes_per_face = 0
        self._graph: FixedBatch | None = None
        self.batch_size = batch_size or CPU_BATCH
        if self.device.type == "cuda":
            self._fit_gpu(precision, batch_size)

    @torch.inference_mode()
    def _fit_gpu(self, precision: str, batch_size: int | None) -> None:
        """Choose the batch size unless one is given, and capture a graph of it."""
        shape = (3, self.card.crop.size, self.card.crop.size)
        if batch_size is None:
            self._memory = FaceMemory(
                {
                    "device": torch.cuda.get_device_name(self.device),
                    "torch": str(torch.__version__),
                    "weights": self.card.sha256,
                    "precision": precision,
                    "edges": bool(self._asked),
                }
            )

            def peak(faces: int) -> int:
                crops = torch.zeros(faces, *shape, device=self.device)
                run = self._run_as_sequence if self.card.reads_clips else self._run
                return cuda_peak_bytes(lambda: run(crops), self.device)

            try:
                self._bytes_per_face = self._memory.measured(peak)
            except (RuntimeError, MemoryError) as error:
                if is_out_of_memory(error):
                    raise self._too_little_memory() from error
                raise
            free = torch.cuda.mem_get_info(self.device)[0]
            self.batch_size = batch_for(self._bytes_per_face, free)
            _LOG.debug("%d bytes a face: batches of %d", self._bytes_per_face, self.batch_size)
        if not self.card.probabilities or self.card.reads_clips:
            return  # the outputs of SCC are not what `FixedBatch` copies, and those of MDHR depend on others
        example = torch.rand(self.batch_size, *shape, device=self.device) * 255
        with torch.cuda.device(self.device):
            self._graph = fixed_if_safe(cast("Run", self._run), example, _GRAPH_TOLERANCE[precision])

    def __call__(self, crops: Tensor, timer: Timer = UNTIMED) -> Predictions:
        """Crops float32 (faces, 3, size, size), 0 to 255 -> the network's outputs. For a network that reads
        single pictures; of others see `sequences`. timer: told of it as the stage `network`.

        Raises:
            OutOfMemoryError: the memory does not suffice for a single face.
        """
        with timer("network"):
            return self._predict(crops)

    @torch.inference_mode()
    def _predict(self, crops: Tensor) -> Predictions:
        if len(crops) == 0:
            nothing = np.zeros((0, len(self.card.au_names)), np.float32)
            if not self.card.probabilities:
                maps = np.zeros((*nothing.shape, 1, 1), np.uint8) if self._heatmaps else None
                return Predictions(None, nothing, heatmaps=maps)
            nodes = len(unsided(self.card.au_names))
            pairs = np.zeros((0, nodes, nodes), np.float32) if self._asked else None
            return Predictions(nothing, nothing if self.card.intensity else None, pairs)
        parts = self.in_batches(len(crops), lambda part: self._compute(crops[part]))
        measured = [part for part in parts if isinstance(part, IntensityOutput)]
        if measured:
            return Predictions.measured(measured, self.card.au_set, with_heatmaps=self._heatmaps)
        return Predictions.joined([part for part in parts if isinstance(part, AUOutput)])

    def take_notes(self) -> tuple[str, ...]:
        """What the report should say of the calls since this was last asked."""
        notes, self._notes = tuple(self._notes), []
        return notes

    def in_batches(self, faces: int, run: Callable[[slice], Result]) -> list[Result]:
        """What `run` gives for one part of the faces after the other. A part for which the memory does not
        suffice comes again in smaller ones, so `run` must leave nothing behind where it raises.

        Raises:
            OutOfMemoryError: the memory does not suffice for a single face.
        """
        found: list[Result] = []
        done = 0
        while done < faces:
            part = slice(done, min(faces, done + self.batch_size))
            result = self._attempt(run, part)
            if result is None:
                self._halve(part.stop - done)
                continue
            found.append(result)
            done = part.stop
        return found

    def _attempt(self, run: Callable[[slice], Result], part: slice) -> Result | None:
        """None when memory ran out; then nothing of the attempt is held any more."""
        try:
            return run(part)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if part.stop - part.start == 1:
                raise self._too_little_memory() from error
        return None

    def _compute(self, batch: Tensor) -> AUOutput | IntensityOutput:
        graph = self._graph
        # A graph takes the time of a full batch however few faces there are.
        if graph is not None and graph.size // 2 < len(batch) <= graph.size:
            return graph(batch)
        return self._run(batch)

    def _halve(self, faces: int) -> None:
        """Go on with half as many faces as did not fit."""
        self.batch_size = min(self.batch_size, faces // 2)
        self._notes.append(
            f"out of memory with {faces} faces in a batch: went on with {self.batch_size}, no row is lost"
        )
        _LOG.warning("%s: %s", self.device, self._notes[-1])
        self._graph = None  # it holds the memory of a full batch
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self._memory is not None:
            self._bytes_per_face *= 2
            self._memory.remember(self._bytes_per_face)

    def _too_little_memory(self) -> OutOfMemoryError:
        return OutOfMemoryError(
            f"{self.device} has not enough free memory for {self.card.name} and one face: end what else "
            "uses it, or choose another --device or --model"
        )

    def _run(self, batch: Tensor) -> AUOutput | IntensityOutput:
        with self.arithmetic():
            output: AUOutput | IntensityOutput = self.network(self.images(batch), **self._asked)
        return output

    def _run_as_sequence(self, batch: Tensor) -> None:
        """What a network that reads clips does with that many faces at once."""
        Sequences(self, self._clip_frames).compute(batch, [None] * len(batch))

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

    A crop is 0 to 255. How the faces are dealt into calls and batches changes no score beyond 2e-6.
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

        Raises:
            OutOfMemoryError: the memory does not suffice for a single face.
        """
        parts = self._predictor.in_batches(len(keys), lambda part: self.compute(crops[part], keys[part]))
        return [(key, scores.float().cpu().numpy()) for part in parts for key, scores in part]

    def compute(self, crops: Tensor, keys: Sequence[Hashable]) -> list[tuple[Hashable, Tensor]]:
        """The same for a batch, on the device."""
        with self._predictor.arithmetic():
            return self._streams.push(self._predictor.images(crops), keys)

    @torch.inference_mode()
    def end(self, key: Hashable) -> NDArray[np.float32]:
        """The scores that a sequence still owes, float32 (faces, AUs)."""
        with self._predictor.arithmetic():
            return self._streams.end(key).float().cpu().numpy()
