"""A model that reads clips over all pictures of a dataset: frames in their order, recording by recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from aucli.datasets.labelled import LabelledFaces
from aucli.datasets.pictures import Unreadable
from aucli.inference.predictor import Predictor


def in_time(faces: LabelledFaces) -> NDArray[np.int64]:
    """The rows of all faces in the order of subject, recording and frame number: int64 (faces,)."""
    subjects, videos = (np.unique(names, return_inverse=True)[1] for names in (faces.subjects, faces.videos))
    return np.lexsort((faces.frames, videos, subjects)).astype(np.int64)


def follows(faces: LabelledFaces, row: int, before: int) -> bool:
    """Whether a picture is the next frame of the same recording; never where frames have no numbers."""
    return bool(
        faces.frames[before] >= 0
        and faces.frames[row] == faces.frames[before] + 1
        and faces.videos[row] == faces.videos[before]
        and faces.subjects[row] == faces.subjects[before]
    )


class ClipScores:
    """Scores of pictures that come in the order of `in_time`: float32 (faces, AUs), NaN until known.

    A missing frame number, and a picture that cannot be read, end a sequence.
    """

    def __init__(self, faces: LabelledFaces, predictor: Predictor, unreadable: Unreadable) -> None:
        self._faces, self._predictor, self._unreadable = faces, predictor, unreadable
        self._sequences = predictor.sequences()
        self._owed: dict[int, deque[int]] = {}
        self._before: int | None = None
        self._run = 0
        self.values = np.full((len(faces), len(predictor.card.au_names)), np.nan, np.float32)

    def add(self, rows: NDArray[np.int64], crops: NDArray[np.uint8]) -> None:
        """The next pictures: crops uint8 (rows, size, size, 3)."""
        kept, keys = [], []
        ended = []
        for place, row in enumerate(rows.tolist()):
            if row in self._unreadable.reasons:
                continue
            if self._before is None or not follows(self._faces, row, self._before):
                ended.append(self._run)
                self._run += 1
            self._before = row
            self._owed.setdefault(self._run, deque()).append(row)
            kept.append(place)
            keys.append(self._run)
        if kept:
            pixels = torch.from_numpy(crops[kept]).to(self._predictor.device).permute(0, 3, 1, 2).float()
            for run, scores in self._sequences.push(pixels, keys):
                assert isinstance(run, int)
                self._settle(run, scores)
        self._end(ended)

    def finish(self) -> None:
        """There are no more pictures."""
        self._end([self._run])

    def _end(self, runs: Iterable[int]) -> None:
        for run in runs:
            if run in self._sequences.open:
                self._settle(run, self._sequences.end(run))

    def _settle(self, run: int, scores: NDArray[np.float32]) -> None:
        for row in scores:
            self.values[self._owed[run].popleft()] = row
        if not self._owed[run]:
            del self._owed[run]
