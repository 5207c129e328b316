"""Landmarks of the training pictures, as far as a dataset has them: the heads learn to place them too.

Most AUs show in how far a lid, a brow or a lip corner has moved. On synthfaces a small classifier of
exact landmarks reaches a mean AUC of 0.955 (without AU38 and AU39), of landmarks that are one pixel of
160 off 0.918, so what a network cannot place it cannot code (`benchmarks/landmark_ceiling.py`).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from aucli.datatypes import CropConvention
from aucli.faces.align import similarity
from aucli.training.crops import packed_convention, packed_side

LANDMARKS = 68

# Multi-PIE's order: jaw, brows, nose, eyes, outer and inner lips, each from the picture's left to its right
# (the eyes and lips round about).
_OTHER_SIDE = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)  # fmt: skip


def in_packed_crops(
    landmarks: NDArray[np.float32], points: NDArray[np.float32], convention: CropConvention
) -> NDArray[np.float32]:
    """Landmarks of pictures, float32 (faces, 68, 2) in their pixels -> the same in pixels of packed crops.

    points: float32 (faces, 5, 2), by which the crops were cut.
    """
    wide = packed_convention(convention, packed_side(convention.size))
    matrix = similarity(points, wide)
    moved: NDArray[np.float64] = landmarks @ matrix[:, :, :2].transpose(0, 2, 1) + matrix[:, None, :, 2]
    return moved.astype(np.float32)


def in_views(landmarks: Tensor, to_view: Tensor, flipped: Tensor) -> Tensor:
    """Landmarks in pixels of packed crops -> in pixels of what the network sees: (faces, 68, 2), float32.

    to_view: float64 (faces, 2, 3), from one to the other, with the mirroring. flipped: bool (faces,), which
    are mirrored: what was the left end of the mouth is the right one there.
    """
    moved = landmarks.double() @ to_view[:, :, :2].mT + to_view[:, None, :, 2]
    return torch.where(flipped[:, None, None], moved[:, list(_OTHER_SIDE)], moved).float()


def landmark_loss(predicted: Tensor, landmarks: Tensor, *, size: int, count: int) -> Tensor:
    """Smooth L1 distance in parts of the picture's side; a coordinate that is NaN never counts.

    predicted: (faces, 136), from the middle of the picture, in its sides. landmarks: (faces, 68, 2), pixels.
    count: known coordinates of the whole batch, by which the sum is divided.
    """
    target = landmarks.flatten(1) / size - 0.5
    errors = F.smooth_l1_loss(predicted, target.nan_to_num(), beta=0.005, reduction="none")
    return errors.masked_fill(~target.isfinite(), 0.0).sum() / max(count, 1)
