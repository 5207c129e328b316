"""Means over many rectangles of a picture from one summed-area table.

MTCNN looks at a picture in nine or more sizes and at hundreds of squares resized to 24 or 48 pixels,
all by area averaging. With the table (Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984)
each output pixel costs four look-ups whatever the size of its rectangle, there is no loop over
squares, and as the sums are integers the means are exact: the same on every device, in every batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def summed_area(pictures: Sequence[Tensor]) -> Tensor:
    """The tables of equal pictures, uint8 (height, width, 3): int32 (pictures, height + 1, width + 1, 3).

    Entry [y, x] is the sum over all rows above y and columns left of x. Above 8 megapixels the sums
    wrap around; differences of them are still right as long as one rectangle stays below that.
    """
    height, width, _ = pictures[0].shape
    table = pictures[0].new_empty((len(pictures), height + 1, width + 1, 3), dtype=torch.int32)
    table[:, 0] = 0
    table[:, :, 0] = 0
    inner = table[:, 1:, 1:]
    for place, picture in enumerate(pictures):
        inner[place].copy_(picture)
    inner.cumsum_(dim=2)
    if table.is_cuda:
        inner.cumsum_(dim=1)
        return table
    # torch.cumsum down the rows takes 9 ms on the CPU at 720p; runs of 32 rows, then the runs: 2 ms.
    run = 32
    for row in range(1, run):
        below = table[:, 1 + row :: run]
        below += table[:, row::run][:, : below.shape[1]]
    for start in range(1 + run, height + 1, run):
        table[:, start : start + run] += table[:, start - 1 : start]
    return table


def _bins(length: int, bins: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """First and past-the-end index of each bin, as torch's `adaptive_avg_pool2d` sets them."""
    index = torch.arange(bins, device=device)
    return index * length // bins, ((index + 1) * length + bins - 1) // bins


def resize_by_area(table: Tensor, height: int, width: int) -> Tensor:
    """The whole pictures averaged to this size: float32 (pictures, height, width, 3), 0 to 255."""
    top, bottom = _bins(table.shape[1] - 1, height, table.device)
    left, right = _bins(table.shape[2] - 1, width, table.device)
    rows = table.index_select(1, bottom).sub_(table.index_select(1, top))
    sums = rows.index_select(2, right).sub_(rows.index_select(2, left))
    areas = (bottom - top)[:, None] * (right - left)[None, :]
    return sums / areas[:, :, None]


def crop_by_area(table: Tensor, picture: Tensor, corners: Tensor, side: int) -> Tensor:
    """Rectangles averaged to squares: float32 (rectangles, side, side, 3), 0 to 255.

    What of a rectangle lies outside the picture is black.

    picture: int64 (rectangles,), which table each is in.
    corners: int64 (rectangles, 4), left, top, right, bottom, the last two past the end; not empty.
    """
    _, rows, columns, _ = table.shape
    index = torch.arange(side, device=table.device)
    size = corners[:, 2:] - corners[:, :2]  # (rectangles, 2), width and height
    first = corners[:, :2, None] + index * size[..., None] // side  # (rectangles, 2, side)
    last = corners[:, :2, None] + ((index + 1) * size[..., None] + side - 1) // side
    areas = (last - first)[:, 1, :, None] * (last - first)[:, 0, None, :]
    left, right = first[:, 0].clamp(0, columns - 1), last[:, 0].clamp(0, columns - 1)
    top, bottom = first[:, 1].clamp(0, rows - 1), last[:, 1].clamp(0, rows - 1)
    flat = table.view(-1, 3)

    def entries(line: Tensor, column: Tensor) -> Tensor:
        start = (picture[:, None] * rows + line) * columns
        chosen = flat.index_select(0, (start[:, :, None] + column[:, None, :]).flatten())
        return chosen.view(len(picture), side, side, 3)

    sums = entries(bottom, right).sub_(entries(top, right))
    sums.add_(entries(top, left)).sub_(entries(bottom, left))
    return sums / areas[..., None]
