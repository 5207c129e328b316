"""Which pictures a step sees: one order for all ranks, a function of seed and epoch alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def epoch_order(pictures: int, seed: int, epoch: int) -> Numbers:
    """All pictures in the order of this epoch: int64 (pictures,)."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(pictures)


def steps_of(pictures: int, batch_size: int) -> int:
    """Optimiser steps of an epoch."""
    return math.ceil(pictures / batch_size)


def positions_of(pictures: int, batch_size: int, step: int) -> Numbers:
    """Places in the epoch's order of the pictures of a step: int64 (batch,).

    An epoch is dealt into batches that differ by one picture at most: a small last one would be noise to
    batch norms, and there might be ranks without a picture of it.
    """
    steps = steps_of(pictures, batch_size)
    return np.arange(pictures * step // steps, pictures * (step + 1) // steps)


def shares(positions: Numbers, ranks: int, rank: int, accumulate: int) -> list[Numbers]:
    """The rank's part of each of the `accumulate` parts of a batch.

    Parts of the batch are cut first: batch norms see one such part at a time, over all ranks.
    """
    return [np.array_split(part, ranks)[rank] for part in np.array_split(positions, accumulate)]
