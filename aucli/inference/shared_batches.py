"""One network for several videos at a time: their faces go through it together.

A GPU is as busy with ten faces as with a hundred, and a short clip alone never fills a batch. So the videos
that a process has in flight give their faces to one `SharedBatches`; whichever thread finds a batch ready
computes it for all, and each gets the own rows back. Who shared a batch changes no score beyond what
`Predictor` says of batches.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from aucli.inference.predictor import Predictions, Predictor, Sequences
from aucli.inference.timing import UNTIMED, Timer
from aucli.zoo.card import Card

PATIENCE_SECONDS = 0.02
"""How long faces wait for others: far less than a video takes for its next ones, so that a slow one holds up
nobody, and long enough for one that is ready at the same time."""


@dataclass(eq=False)
class _Request:
    """The faces of one call, and what becomes of them."""

    crops: Tensor
    deadline: float
    notes: list[str]  # of the lane
    found: Predictions | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.found is not None or self.error is not None


@dataclass(eq=False)
class Lane:
    """A `FacePredictor` for one video; what it needs of a predictor is that of all."""

    _shared: SharedBatches
    _notes: list[str] = field(default_factory=list)

    @property
    def card(self) -> Card:
        return self._shared.predictor.card

    @property
    def device(self) -> torch.device:
        return self._shared.predictor.device

    @property
    def batch_size(self) -> int:
        return self._shared.predictor.batch_size

    def __call__(self, crops: Tensor, timer: Timer = UNTIMED) -> Predictions:
        """See `Predictor.__call__`; waits for a batch."""
        return self._shared.compute(crops, self._notes, timer)

    def sequences(self) -> Sequences:
        """See `Predictor.sequences`. Motion is read per video, so these share no batches."""
        return self._shared.predictor.sequences()

    def take_notes(self) -> tuple[str, ...]:
        """See `Predictor.take_notes`: of the batches in which this video had faces."""
        return self._shared.take_notes(self._notes)


class SharedBatches:
    """A predictor for several videos at a time, each with a lane of its own in a thread of its own."""

    def __init__(self, predictor: Predictor, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.predictor = predictor
        self._patience_seconds = patience_seconds
        self._changed = threading.Condition()
        self._waiting: deque[_Request] = deque()
        self._lanes = 0
        self._is_computing = False

    @contextmanager
    def lane(self) -> Generator[Lane, None, None]:
        """Open as long as its video is in work."""
        with self._changed:
            self._lanes += 1
        try:
            yield Lane(self)
        finally:
            with self._changed:
                self._lanes -= 1
                self._changed.notify_all()  # the others may have waited for it alone

    def take_notes(self, notes: list[str]) -> tuple[str, ...]:
        """What there is in these, and of calls to the predictor itself, once."""
        with self._changed:
            taken = (*notes, *self.predictor.take_notes())
            notes.clear()
        return taken

    def compute(self, crops: Tensor, notes: list[str], timer: Timer = UNTIMED) -> Predictions:
        """What the predictor gives of these faces; notes: of their lane.

        timer: told of waits, and of the batches that this thread computes.

        Raises:
            OutOfMemoryError: the memory does not suffice for a single face.
        """
        if len(crops) == 0:
            return self.predictor(crops, timer)
        mine = _Request(crops, time.monotonic() + self._patience_seconds, notes)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
            while not mine.is_done:
                wait_seconds = self._wait_seconds()
                if wait_seconds > 0:
                    with timer("network", waiting=True):
                        self._changed.wait(None if self._is_computing else wait_seconds)
                    continue
                self._compute_next(timer)
        if mine.error is not None:
            raise mine.error
        assert mine.found is not None
        return mine.found

    def _wait_seconds(self) -> float:
        """Until the next batch is to be computed by who asks; 0 for now."""
        if self._is_computing or not self._waiting:
            return self._patience_seconds  # who computes tells when it is done
        faces = sum(len(request.crops) for request in self._waiting)
        if faces >= self.predictor.batch_size or len(self._waiting) >= self._lanes:
            return 0.0
        return max(0.0, self._waiting[0].deadline - time.monotonic())

    def _compute_next(self, timer: Timer) -> None:
        """Compute what has waited longest, up to a batch, with the lock given back meanwhile."""
        batch = [self._waiting.popleft()]
        faces = len(batch[0].crops)
        while self._waiting and faces + len(self._waiting[0].crops) <= self.predictor.batch_size:
            faces += len(self._waiting[0].crops)
            batch.append(self._waiting.popleft())
        self._is_computing = True
        self._changed.release()
        found: Predictions | None = None
        error: BaseException | None = None
        try:
            crops = batch[0].crops if len(batch) == 1 else torch.cat([request.crops for request in batch])
            found = self.predictor(crops, timer)
        except BaseException as raised:  # it belongs to all whose faces these were
            error = raised
        finally:
            self._changed.acquire()
            self._is_computing = False
        notes = self.predictor.take_notes()
        start = 0
        for request in batch:
            end = start + len(request.crops)
            request.notes.extend(notes)
            request.error = error
            request.found = None if found is None else found.rows(slice(start, end))
            start = end
        self._changed.notify_all()
