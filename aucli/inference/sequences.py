"""The faces of a video as sequences, for models that read clips: unbroken runs of one track each.

A sequence ends where its track is not in the next analysed frame (so also at a cut, which ends all tracks),
and where the next frame comes late. The outputs of a frame come with later ones; frames leave in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aucli.datatypes import Faces
from aucli.inference.predictor import FacePredictor
from aucli.inference.timing import UNTIMED, Timer

LONGEST_STEP_SECONDS = 0.5
"""Between neighbouring frames of a sequence; what changes over a longer pause is no motion."""
FRAMES_AT_ONCE = 64  # frames without enough faces for a batch go on after that many


class _CroppedFrame(Protocol):
    """What is needed of a frame, see `pipeline.CroppedFrame`."""

    @property
    def pts_seconds(self) -> float: ...
    @property
    def faces(self) -> Faces: ...
    @property
    def crops(self) -> Tensor: ...


FrameType = TypeVar("FrameType", bound=_CroppedFrame)


@dataclass(eq=False)
class _Waiting(Generic[FrameType]):
    """A frame whose outputs are not all known: float32 (faces, AUs), `missing` of them to come."""

    frame: FrameType
    outputs: NDArray[np.float32]
    missing: int


class _Runs:
    """The number of the run that each track is in, from frame to frame."""

    def __init__(self) -> None:
        self._runs: dict[int, int] = {}
        self._begun = 0
        self._seconds = -np.inf

    def update(self, tracks: Sequence[int], pts_seconds: float) -> tuple[list[int], list[int]]:
        """The runs of the next frame's faces, and the runs that ended before it."""
        late = pts_seconds - self._seconds > LONGEST_STEP_SECONDS
        self._seconds = pts_seconds
        over = [track for track in self._runs if late or track not in tracks]
        ended = [self._runs.pop(track) for track in over]
        for track in tracks:
            if track not in self._runs:
                self._runs[track] = self._begun
                self._begun += 1
        return [self._runs[track] for track in tracks], ended


def with_outputs(
    cropped: Iterable[FrameType], predictor: FacePredictor, timer: Timer = UNTIMED
) -> Generator[list[tuple[FrameType, NDArray[np.float32]]], None, None]:
    """Every frame with the outputs of its faces, float32 (faces, AUs), several at once and in their order.

    Memory does not grow with the video: a frame waits for those after it that its outputs depend on.
    """
    sequences, runs = predictor.sequences(), _Runs()
    waiting: deque[_Waiting[FrameType]] = deque()
    owed: dict[Hashable, deque[tuple[_Waiting[FrameType], int]]] = {}
    crops: list[Tensor] = []
    keys: list[int] = []
    ended: list[int] = []
    gathered = 0

    def settle(run: Hashable, outputs: NDArray[np.float32]) -> None:
        for row in outputs:
            one, place = owed[run].popleft()
            one.outputs[place] = row
            one.missing -= 1
        if not owed[run]:
            del owed[run]

    def compute() -> list[tuple[FrameType, NDArray[np.float32]]]:
        nonlocal gathered
        with timer("network"):
            if keys:
                for run, outputs in sequences.push(torch.cat(crops), keys):
                    settle(run, outputs)
            for run in ended:
                if run in sequences.open:
                    settle(run, sequences.end(run))
        crops.clear()
        keys.clear()
        ended.clear()
        gathered = 0
        done = []
        while waiting and not waiting[0].missing:
            one = waiting.popleft()
            done.append((one.frame, one.outputs))
        return done

    for frame in cropped:
        assert frame.faces.tracks is not None  # only tracked faces are scored
        now, over = runs.update(frame.faces.tracks.tolist(), frame.pts_seconds)
        faces = len(frame.faces)
        one = _Waiting(frame, np.full((faces, len(predictor.card.au_names)), np.nan, np.float32), faces)
        waiting.append(one)
        for place, run in enumerate(now):
            owed.setdefault(run, deque()).append((one, place))
        crops.append(frame.crops)
        keys += now
        ended += over
        gathered += 1
        if len(keys) >= predictor.batch_size or gathered >= FRAMES_AT_ONCE:
            done = compute()
            if done:
                yield done
    ended += [run for run in runs.update([], np.inf)[1]]
    done = compute()
    if done:
        yield done
