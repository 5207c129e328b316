"""Pictures of faces with AU labels: the one form that every dataset is brought into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import CropConvention

MISSING = -1
"""Label of an AU that was not coded; it never counts, in no loss and in no score."""


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """Faces in one fixed order; nothing is read from the pictures yet.

    root: folder that `paths` are relative to. paths: one picture per face.
    subjects: person in each picture, unique within the dataset.
    videos: recording of each picture (`F001/T1`), frames: its frame number there, -1 where there is none.
    labels: int8 (faces, AUs), 1, 0 or `MISSING`, columns as `au_names`.
    points: float32 (faces, 5, 2), landmarks in pixels, picture-left eye first; None where the pictures are
        aligned crops already.
    intensity: float32 (faces, AUs), 0 to 5, NaN where not coded; None where the dataset has none.
    landmarks: float32 (faces, 68, 2), Multi-PIE's 68 points in pixels of the picture, for training; None
        where the dataset has none.
    crop: how the aligned crops were cut, for those that `aucli prepare` made; None where nobody knows.
    """

    dataset: str
    root: Path
    au_names: tuple[str, ...]
    paths: tuple[str, ...]
    subjects: tuple[str, ...]
    videos: tuple[str, ...]
    frames: NDArray[np.int32]
    labels: NDArray[np.int8]
    points: NDArray[np.float32] | None = None
    intensity: NDArray[np.float32] | None = None
    landmarks: NDArray[np.float32] | None = None
    crop: CropConvention | None = None

    def __len__(self) -> int:
        return len(self.paths)
