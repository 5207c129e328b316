"""Batches ready for the device: gathered by a thread while the device computes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aucli.datasets.labelled import MISSING
from aucli.inference.prefetch import prefetch
from aucli.training.clips import Clips
from aucli.training.counts import Counts
from aucli.training.distributed import Ranks
from aucli.training.order import epoch_order, positions_of, shares, steps_of

_AHEAD = 3  # batches


@dataclass(frozen=True, eq=False)
class Examples:
    """The faces that are trained on, in memory or mapped from a file.

    crops: uint8 (pictures, side, side, 3); rows: int64 (faces,), the crop of each face. labels: int8 (faces,
    aus), 1, 0 or -1, columns as `au_names`. intensity: float32 (faces, aus), NaN where not known, or None.
    landmarks: float32 (faces, 68, 2) in pixels of the crops, or None. names: of the pictures, by row.
    clips: how they are dealt into clips, None for pictures that are learned from one by one.
    """

    crops: NDArray[np.uint8]
    rows: NDArray[np.int64]
    labels: NDArray[np.int8]
    intensity: NDArray[np.float32] | None
    landmarks: NDArray[np.float32] | None
    names: Sequence[str]
    au_names: tuple[str, ...]
    clips: Clips | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def items(self) -> int:
        """What an epoch takes once: pictures, or recordings."""
        return len(self) if self.clips is None else len(self.clips.recordings)


@dataclass(frozen=True, eq=False)
class Part:
    """What a rank computes at once: packed crops uint8 (pictures, side, side, 3), labels float32 (pictures,
    aus), intensity alike or None, landmarks (pictures, 68, 2) in pixels of the crops or None, and the
    pictures' places in the epoch's order; those of a clip have one place.
    """

    crops: Tensor
    labels: Tensor
    intensity: Tensor | None
    landmarks: Tensor | None
    positions: NDArray[np.int64]

    def moved(self, move: Callable[[Tensor], Tensor]) -> Part:
        """The part with its tensors elsewhere."""
        intensity, landmarks = (
            None if some is None else move(some) for some in (self.intensity, self.landmarks)
        )
        return Part(move(self.crops), move(self.labels), intensity, landmarks, self.positions)


@dataclass(frozen=True, eq=False)
class Batch:
    """An optimiser step's pictures: this rank's parts, and what is known of the whole.

    faces: int64 (batch,), all faces of the step, over all ranks.
    """

    epoch: int
    step: int
    parts: tuple[Part, ...]
    counts: Counts
    faces: NDArray[np.int64]


def batches(
    examples: Examples,
    *,
    batch_size: int,
    epoch: int,
    first_step: int,
    seed: int,
    ranks: Ranks,
    accumulate: int = 1,
    device: torch.device | None = None,
) -> Generator[Batch, None, None]:
    """The batches of an epoch from a step on, on the device."""
    target = device or torch.device("cpu")
    pinned = target.type == "cuda"

    def taken(
        order: NDArray[np.int64], places: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The faces at these places of the epoch, and whether each is there for its own sake."""
        if examples.clips is None:
            return order[places], np.ones(len(places), np.bool_)
        return examples.clips.drawn(order[places], seed=seed, epoch=epoch, positions=places)

    def gathered() -> Generator[Batch, None, None]:
        order = epoch_order(examples.items, seed, epoch)
        for step in range(first_step, steps_of(examples.items, batch_size)):
            positions = positions_of(examples.items, batch_size, step)
            faces, real = taken(order, positions)
            labels = torch.from_numpy(np.where(real[:, None], examples.labels[faces], MISSING))
            counts = Counts.of(
                labels,
                _some(examples.intensity, faces),
                examples.au_names,
                landmarks=_some(examples.landmarks, faces),
                regions=None if examples.clips is None else examples.clips.regions,
            )
            parts = tuple(
                _part(examples, *taken(order, places), places, pinned)
                for places in shares(positions, ranks.count, ranks.rank, accumulate)
            )
            yield Batch(epoch, step, parts, counts, faces)

    def to_target(tensor: Tensor) -> Tensor:
        return tensor.to(target, non_blocking=True)

    with closing(prefetch(gathered(), _AHEAD)) as ahead:
        for batch in ahead:
            yield Batch(
                batch.epoch,
                batch.step,
                tuple(part.moved(to_target) for part in batch.parts),
                batch.counts,
                batch.faces,
            )


def _part(
    examples: Examples,
    faces: NDArray[np.int64],
    real: NDArray[np.bool_],
    positions: NDArray[np.int64],
    pinned: bool,
) -> Part:
    rows = examples.rows[faces]
    in_file_order = np.argsort(rows)  # a disk likes that better
    crops = np.empty((len(rows), *examples.crops.shape[1:]), np.uint8)
    crops[in_file_order] = examples.crops[rows[in_file_order]]
    part = Part(
        torch.from_numpy(crops),
        torch.from_numpy(np.where(real[:, None], examples.labels[faces], MISSING)).float(),
        _some(examples.intensity, faces),
        _some(examples.landmarks, faces),
        np.repeat(positions, len(faces) // max(1, len(positions))),
    )
    return part.moved(Tensor.pin_memory) if pinned else part


def _some(values: NDArray[np.float32] | None, faces: NDArray[np.int64]) -> Tensor | None:
    return None if values is None else torch.from_numpy(values[faces])
