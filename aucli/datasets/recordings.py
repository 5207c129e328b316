"""Coded recordings as the owners of a dataset ship them, before any face is cut out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import LabelledFaces


@dataclass(frozen=True, eq=False)
class Recording:
    """One video, folder of numbered pictures, or set of single pictures of one person, with its labels.

    name: unique in the dataset (`F001/T1`). source: the video, the folder of numbered pictures, or the folder
        that `pictures` are relative to; nothing says yet that it exists.
    frames: int32 (coded,), rising: which frames are coded. Counted from 0 in a video; in a folder of numbered
        pictures the numbers in their names; places in `pictures` where there are such.
    labels: int8 (coded, AUs). intensity: float32 (coded, AUs) or None. See `LabelledFaces`.
    pictures: single pictures, one for each coded row, that have nothing to do with each other in time.
    fold, split: the part of the person, where the dataset's own table says so.
    """

    name: str
    subject: str
    source: Path
    au_names: tuple[str, ...]
    frames: NDArray[np.int32]
    labels: NDArray[np.int8]
    intensity: NDArray[np.float32] | None = None
    pictures: tuple[str, ...] | None = None
    fold: int | None = None
    split: str | None = None

    def __len__(self) -> int:
        return len(self.frames)


def faces_of(
    dataset: str,
    root: Path,
    recordings: Sequence[Recording],
    path_of: Callable[[Recording, int], str],
) -> LabelledFaces:
    """The coded frames of recordings that code the same AUs, where each is a crop already.

    path_of: path of a coded row's picture, relative to `root`.
    """
    au_names = recordings[0].au_names
    intensity = None
    if all(one.intensity is not None for one in recordings):
        intensity = np.concatenate([one.intensity for one in recordings if one.intensity is not None])
    return LabelledFaces(
        dataset=dataset,
        root=root,
        au_names=au_names,
        paths=tuple(path_of(one, row) for one in recordings for row in range(len(one))),
        subjects=tuple(one.subject for one in recordings for _ in range(len(one))),
        videos=tuple(one.name for one in recordings for _ in range(len(one))),
        frames=np.concatenate([one.frames for one in recordings]),
        labels=np.concatenate([one.labels for one in recordings]),
        intensity=intensity,
    )
