"""A stored picture on any device as it is to be shown: turned, mirrored, with square pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from aucli.media.display import Orientation


def displayed(pixels: Tensor, orientation: Orientation, width: int) -> Tensor:
    """uint8 (height, width, 3), contiguous, on the same device.

    pixels: uint8 (height, width, 3) as stored. width: in pixels, of the stored picture with square pixels,
    see `display_width`.
    """
    if width != pixels.shape[1]:
        # antialias widens the filter where pixels get fewer, as libswscale's does.
        stored = pixels.permute(2, 0, 1).unsqueeze(0).to(torch.float32)
        wide = interpolate(stored, (pixels.shape[0], width), mode="bilinear", antialias=True)
        pixels = wide[0].permute(1, 2, 0).round_().clamp_(0, 255).to(torch.uint8)
    if orientation.transposed:
        pixels = pixels.transpose(0, 1)
    flipped = [dim for dim, flip in enumerate((orientation.flip_y, orientation.flip_x)) if flip]
    return (pixels.flip(flipped) if flipped else pixels).contiguous()
