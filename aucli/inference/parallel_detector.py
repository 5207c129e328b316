"""A worker's detector: on the CPU the pictures of a call go to threads, each running torch with one thread.

Convolutions on pyramids of many small pictures gain little from threads inside one operation; whole pictures
side by side keep all cores busy, and every picture is computed as if it were alone: the number of
cores cannot change a value.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from aucli.datatypes import Faces
from aucli.faces.detect import Detector
from aucli.inference.portions import Portions, for_cpu


def useful_threads(detect_every: int) -> int:
    """Threads for detection that still make a run of one video faster.

    Detection in each frame takes about six times as long as a small network; done more rarely, with re-fits
    between, it keeps fewer threads busy, and one more only takes a core from the network: with a detection
    in every 5th frame two cores did 45 frames per second with two threads, 52 with one.
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

    def detect(self, pictures: Sequence[Tensor]) -> list[Faces]:
        """See `Detector.detect`."""
        parts = self._pool.map(self._detector.detect, [[picture] for picture in pictures])
        return [faces for part in parts for faces in part]

    def refit(self, pictures: Sequence[Tensor], boxes: Sequence[NDArray[np.float32]]) -> list[Faces]:
        """See `Detector.refit`."""
        parts = self._pool.map(
            self._detector.refit, [[picture] for picture in pictures], [[one] for one in boxes]
        )
        return [faces for part in parts for faces in part]


class OneAtATime:
    """The same for several videos at a time on a GPU: calls take turns, so that only one takes its memory."""

    def __init__(self, detector: Detector) -> None:
        self.name = detector.name
        self.version = detector.version
        self.can_refit = detector.can_refit
        self.sure_score = detector.sure_score
        self._detector = detector
        self._turn = threading.Lock()

    def detect(self, pictures: Sequence[Tensor]) -> list[Faces]:
        """See `Detector.detect`."""
        with self._turn:
            return self._detector.detect(pictures)

    def refit(self, pictures: Sequence[Tensor], boxes: Sequence[NDArray[np.float32]]) -> list[Faces]:
        """See `Detector.refit`."""
        with self._turn:
            return self._detector.refit(pictures, boxes)


class WorkerDetector:
    """The form of a detector that suits a device and how often it is asked; the same results in each form.

    portions: of a GPU; those of the CPU follow from the threads.
    """

    def __init__(self, detector: Detector, threads: int, portions: Portions | None = None) -> None:
        self._detector = detector if portions is None else OneAtATime(detector)
        self._threads = threads
        self._portions = portions
        self._parallel: dict[int, ParallelDetector] = {}  # by threads
        self._making = threading.Lock()

    def every(self, frames: int) -> tuple[Detector, Portions]:
        """What to detect with in each Nth frame, and how many pictures to give it."""
        if self._portions is not None:
            return self._detector, self._portions
        threads = min(self._threads, useful_threads(frames))
        if threads == 1:
            return self._detector, for_cpu(1)
        with self._making:
            if threads not in self._parallel:
                self._parallel[threads] = ParallelDetector(self._detector, threads)
        return self._parallel[threads], for_cpu(threads)
