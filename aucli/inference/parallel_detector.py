"""A detector that spreads the pictures of a call over threads, each running torch with one thread.

Convolutions on pyramids of many small pictures gain little from threads inside one operation; whole pictures
side by side keep all cores busy, and every picture is computed as if it were alone: the number of
cores cannot change a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aucli.datatypes import Faces
from aucli.faces.detect import Detector


def useful_threads(detect_every: int) -> int:
    """Threads for detection that still make a run of one video faster.

    Detection in each frame takes about six times as long as a small network; done more rarely, with re-fits
    between, it keeps fewer threads busy, and one more only takes a core from the network: with a detection
    in every 5th frame on two cores 45 frames per second with two threads, 52 with one
    (benchmarks/results/bench_extract_cpu_every5.json).
    """
    return max(1, round(6 / detect_every))


class ParallelDetector:
    """The same results as `detector`, with up to `threads` pictures at a time."""

    def __init__(self, detector: Detector, threads: int) -> None:
        self.name = detector.name
        self.version = detector.version
        self.can_refit = detector.can_refit
        self.sure_score = detector.sure_score
        self._detector = detector
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="detect")

    def detect(self, pictures: Tensor) -> list[Faces]:
        """See `Detector.detect`."""
        parts = self._pool.map(self._detector.detect, torch.split(pictures, 1))
        return [faces for part in parts for faces in part]

    def refit(self, pictures: Tensor, boxes: Sequence[NDArray[np.float32]]) -> list[Faces]:
        """See `Detector.refit`."""
        parts = self._pool.map(
            self._detector.refit, torch.split(pictures, 1), [boxes[i : i + 1] for i in range(len(boxes))]
        )
        return [faces for part in parts for faces in part]
