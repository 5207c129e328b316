"""Turns faces upright into squares for a network: five-point similarity and one batched warp."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from aucli.datatypes import CropConvention

# Where eyes, nose and mouth corners lie in InsightFace's ArcFace crops (`arcface_dst` of
# insightface/utils/face_align.py, MIT, given there in pixels of 112 x 112), on the unit square.
TEMPLATE: NDArray[np.float64] = (
    np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    / 112.0
)


def target_points(convention: CropConvention) -> NDArray[np.float64]:
    """float64 (5, 2): where the landmarks should come to lie in the crop, in its pixels."""
    shift = np.array([0.0, convention.shift_y])
    points: NDArray[np.float64] = ((TEMPLATE - 0.5) * convention.scale + 0.5 + shift) * convention.size
    return points


def similarity(landmarks: NDArray[np.floating], convention: CropConvention) -> NDArray[np.float64]:
    """The rotation, scale and shift that take landmarks nearest to their places, by least squares.

    landmarks: (faces, 5, 2), x, y in pixels of the picture.

    Returns float64 (faces, 2, 3): crop = matrix[:, :2] @ picture + matrix[:, 2]. In both, whole numbers
    are the centres of pixels (as in OpenCV and InsightFace). Never a mirror image. The solution of
    Umeyama (IEEE TPAMI 13(4), 1991), which in the plane is one complex division.
    """
    points = landmarks[..., 0].astype(np.float64) + 1j * landmarks[..., 1].astype(np.float64)
    wanted = target_points(convention) @ np.array([1.0, 1j])
    centre = points.mean(axis=1)
    centred = points - centre[:, None]
    spread = np.maximum((np.abs(centred) ** 2).sum(axis=1), 1e-12)
    turn = (centred.conj() * (wanted - wanted.mean())).sum(axis=1) / spread
    shift = wanted.mean() - turn * centre
    return np.stack(
        [np.stack([turn.real, -turn.imag, shift.real], 1), np.stack([turn.imag, turn.real, shift.imag], 1)],
        axis=1,
    )


def crop_faces(
    pictures: Tensor,
    picture_index: NDArray[np.integer],
    landmarks: NDArray[np.floating],
    convention: CropConvention,
) -> Tensor:
    """Cuts every face out of its picture, upright, all in one go.

    pictures: uint8 (pictures, height, width, 3), on any device.
    picture_index: (faces,), in which picture each face is.
    landmarks: (faces, 5, 2), finite, in pixels of that picture.

    Returns float32 (faces, 3, size, size), 0 to 255, on the device of the pictures. Bilinear; what lies
    outside the picture repeats its edge. A face that is more than 1.5 times as large as the crop is
    first averaged over squares of n x n pixels, n the nearest whole number to that ratio: bilinear
    sampling alone would skip pixels and flicker. A crop does not depend on the other faces of the call.
    """
    size = convention.size
    crops = torch.empty((len(landmarks), 3, size, size), device=pictures.device)
    matrix = similarity(landmarks, convention)
    turn, shift = matrix[:, :, :2], matrix[:, :, 2]
    gain = np.maximum(np.linalg.det(turn), 1e-12)  # crop pixels for one picture pixel, squared
    # The inverse of a similarity: the transposed matrix over its determinant.
    back = turn.transpose(0, 2, 1) / gain[:, None, None]
    origin = -(back @ shift[:, :, None])[:, :, 0]
    factors = np.clip(np.rint(gain**-0.5), 1, 64).astype(np.int64)
    for factor in np.unique(factors):
        rows = np.flatnonzero(factors == factor)
        crops[torch.from_numpy(rows).to(crops.device)] = _warp(
            pictures, picture_index[rows], back[rows], origin[rows], factor=int(factor), size=size
        )
    return crops


def _warp(
    pictures: Tensor,
    picture_index: NDArray[np.integer],
    back: NDArray[np.float64],
    origin: NDArray[np.float64],
    *,
    factor: int,
    size: int,
) -> Tensor:
    """Crops of faces that are averaged over the same factor: float32 (faces, 3, size, size)."""
    device = pictures.device
    height, width = pictures.shape[1:3]
    # One pixel beyond the edge is as good as a hundred, and bounds the memory of the regions.
    low, high = np.array([-1.0, -1.0]), np.array([width, height], np.float64)
    # Averaged pixel i has its centre at picture coordinate i * factor + (factor - 1) / 2.
    middle = (factor - 1) / 2
    ends = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64)
    reach = np.clip(ends @ back.transpose(0, 2, 1) + origin[:, None], low, high)  # (faces, 4, 2)
    start = np.floor((reach.min(axis=1) - middle) / factor).astype(np.int64) - 1  # (faces, 2)
    extent = np.floor((reach.max(axis=1) - middle) / factor).astype(np.int64) + 3 - start
    columns, rows = (int(number) for number in extent.max(axis=0))

    axis = torch.arange(size, dtype=torch.float64, device=device)
    turn, shift = torch.from_numpy(back).to(device), torch.from_numpy(origin).to(device)
    corner, part = [], []
    for xy in (0, 1):
        across, down = turn[:, xy, 0, None, None] * axis, turn[:, xy, 1, None, None] * axis[:, None]
        place = (across + down + shift[:, xy, None, None]).clamp(low[xy], high[xy])
        place = (place - middle) / factor - torch.from_numpy(start[:, xy, None, None]).to(device)
        whole = place.floor()
        corner.append(whole.long())
        # Copied for each colour, because broadcasting over three is slow.
        part.append((place - whole).float()[..., None].expand(-1, -1, -1, 3).contiguous())

    region = _regions(pictures, picture_index, start * factor, rows * factor, columns * factor)
    averaged = avg_pool2d(region, factor) if factor > 1 else region
    flat = averaged.permute(0, 2, 3, 1).reshape(-1, 3)
    faces = torch.arange(len(start), device=device)[:, None, None]
    index = ((faces * rows + corner[1]) * columns + corner[0]).flatten()

    def at(offset: int) -> Tensor:
        return flat.index_select(0, index + offset).view(len(start), size, size, 3)

    upper = torch.lerp(at(0), at(1), part[0])
    lower = torch.lerp(at(columns), at(columns + 1), part[0])
    return torch.lerp(upper, lower, part[1]).permute(0, 3, 1, 2)


def _regions(
    pictures: Tensor, picture_index: NDArray[np.integer], start: NDArray[np.int64], rows: int, columns: int
) -> Tensor:
    """Equally large upright cut-outs, edges repeated: float32 (faces, 3, rows, columns)."""
    device = pictures.device
    height, width = pictures.shape[1:3]
    across = np.clip(start[:, :1] + np.arange(columns), 0, width - 1)  # (faces, columns)
    down = np.clip(start[:, 1:] + np.arange(rows), 0, height - 1)  # (faces, rows)
    line = torch.from_numpy((picture_index.astype(np.int64)[:, None] * height + down) * width).to(device)
    index = line[:, :, None] + torch.from_numpy(across).to(device)[:, None, :]
    pixels = pictures.reshape(-1, 3).index_select(0, index.flatten())
    return pixels.view(len(start), rows, columns, 3).float().permute(0, 3, 1, 2)
