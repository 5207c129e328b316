"""YUV to RGB on any device, as the CPU decoder's libswscale does it, so that both give the same pictures.

Matrices: Recommendations ITU-R BT.601, BT.709, BT.2020 (all of the form of BT.709-6, 3.2 and 3.4, with their
own weights of red and blue). Untagged video is read as BT.601 whatever its size, as libswscale does.

libswscale has three ways, each with its own rounding, which is repeated here:

- 4:2:0 and 4:2:2 of 8 bits and an even height: a chroma sample is shown in the columns and rows that it
  belongs to, and each product is rounded down.
- 4:4:4 and gray: rounded to the nearest.
- Other 4:2:0 and 4:2:2: chroma is interpolated between rows, each of which lies between its two rows of luma;
  and between columns where it lies on the left one of its two columns. Samples are rounded to 8 bits, and
  what chroma adds is a whole number of steps of luma.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# AVColorSpace (ITU-T H.273, MatrixCoefficients): weights of red and blue in luma.
_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
    10: (0.2627, 0.0593),  # BT.2020 with constant luminance, for which libswscale has no other way
}
_BT601 = (0.299, 0.114)
FULL_RANGE = 2  # AVCOL_RANGE_JPEG


@dataclass(frozen=True)
class Gains:
    """Factors with 16 fractional bits, as libswscale has them. black: the level of black."""

    black: int
    luma: int
    v_red: int
    u_green: int
    v_green: int
    u_blue: int

    @classmethod
    def of(cls, matrix: int, *, full_range: bool) -> Gains:
        red, blue = _WEIGHTS.get(matrix, _BT601)
        green = 1 - red - blue
        from_u, from_v = 2 * (1 - blue), 2 * (1 - red)
        factors = (from_v, -from_u * blue / green, -from_v * red / green, from_u)
        fractions = [round(factor * 255 / 224 * 2**16) for factor in factors]
        if full_range:
            return cls(0, 2**16, *(int(fraction * 224 / 255) for fraction in fractions))
        return cls(16, 2**16 * 255 // 219, *fractions)


def yuv_to_rgb(
    planes: tuple[Tensor, ...], *, matrix: int, full_range: bool, bits: int, left: bool = False
) -> Tensor:
    """uint8 (height, width, 3) on the planes' device.

    planes: Y (height, width), and unless the video is gray U and V (rows, columns), with as many samples as
    Y or half as many, rounded either way; uint8 or uint16, of any strides. matrix: AVColorSpace of the video.
    bits: of a sample, counted from its lowest bit; 16 for P010 and its like, which have theirs on top.
    left: chroma lies on the left one of its two columns, as it does in H.264 and HEVC; else between them.
    """
    gains = Gains.of(matrix, full_range=full_range)
    height, width = planes[0].shape
    if len(planes) == 1 or planes[1].shape == planes[0].shape:
        return _to_nearest(planes, gains, bits)
    if bits == 8 and height % 2 == 0:
        luma, chroma = _rounded_down(planes, gains)
    else:
        luma, chroma = _in_steps(planes, gains, bits, left=left)
    if 2 * chroma.shape[1] == width:  # without a copy of the chroma in full width
        rgb = (luma.view(height, -1, 2, 1) + chroma.unsqueeze(2)).flatten(1, 2)
    else:
        rgb = luma.unsqueeze(-1) + _filled(chroma, width, dim=1)
    if rgb.dtype == torch.int32:
        rgb = _levels(rgb, gains)
    return rgb.clamp_(0, 255).to(torch.uint8)


def _to_nearest(planes: tuple[Tensor, ...], gains: Gains, bits: int) -> Tensor:
    y, *uv = (plane.to(torch.float32).mul_(2.0 ** (8 - bits)) for plane in planes)
    luma = y.sub_(gains.black).mul_(gains.luma / 2**16)
    if not uv:
        rgb = luma.unsqueeze(-1).repeat(1, 1, 3)
    else:
        u, v = (plane.sub_(128) for plane in uv)
        factors = ((0, gains.v_red), (gains.u_green, gains.v_green), (gains.u_blue, 0))
        parts = [luma + u * (of_u / 2**16) + v * (of_v / 2**16) for of_u, of_v in factors]
        rgb = torch.stack(parts, dim=-1)
    return rgb.round_().clamp_(0, 255).to(torch.uint8)


def _rounded_down(planes: tuple[Tensor, ...], gains: Gains) -> tuple[Tensor, Tensor]:
    """Luma (height, width) and chroma (height, columns, 3) whose sum is RGB; float32, whole numbers."""

    def times(plane: Tensor, zero: int, gain: int) -> Tensor:
        # libswscale keeps 13 of the 16 bits. Exact: an integer below 2**24 over a power of 2.
        return plane.to(torch.float32).sub_(zero).mul_(((gain << 13) + 2**15 >> 16) / 2**13).floor_()

    y, u, v = planes
    green = times(u, 128, gains.u_green).add_(times(v, 128, gains.v_green))
    chroma = torch.stack((times(v, 128, gains.v_red), green, times(u, 128, gains.u_blue)), dim=-1)
    return times(y, gains.black, gains.luma), _filled(chroma, y.shape[0], dim=0)


def _in_steps(planes: tuple[Tensor, ...], gains: Gains, bits: int, *, left: bool) -> tuple[Tensor, Tensor]:
    """Luma (height, width) and chroma (height, columns, 3), int32, whose sum `_levels` turns into RGB."""
    y, u, v = planes
    scale = 2.0 ** (8 - bits)
    uv = torch.stack((u, v), dim=-1).to(torch.float32).mul_(scale)
    if left:
        uv = torch.lerp(uv, torch.cat((uv[:, 1:], uv[:, -1:]), dim=1), 0.25)
    uv = _between_rows(uv, y.shape[0]).add_(0.5).to(torch.int32)
    u, v = uv[..., 0], uv[..., 1]

    def steps(level: Tensor, gain: int) -> Tensor:
        of_luma = ((gain << 16) + 2**15) // gains.luma
        return (level * of_luma >> 16) - (of_luma >> 9)

    green = steps(u, gains.u_green) + steps(v, gains.v_green)
    chroma = torch.stack((steps(v, gains.v_red), green, steps(u, gains.u_blue)), dim=-1)
    return y.to(torch.float32).mul_(scale).add_(0.5).to(torch.int32), chroma


def _levels(steps: Tensor, gains: Gains) -> Tensor:
    """RGB of steps of luma. In libswscale's table black is near step 326, or at 384 for full range."""
    first, offset = (326, 384 + gains.black) if gains.black else (384, 384)
    return (steps + first).mul_(gains.luma).sub_((offset << 16) - 2**15).bitwise_right_shift_(16)


def _between_rows(chroma: Tensor, height: int) -> Tensor:
    """Chroma (rows, columns, 2) for each row of luma."""
    if chroma.shape[0] == height:
        return chroma
    above = torch.cat((chroma[:1], chroma[:-1]))
    below = torch.cat((chroma[1:], chroma[-1:]))
    pairs = torch.stack((torch.lerp(chroma, above, 0.25), torch.lerp(chroma, below, 0.25)), dim=1)
    both = pairs.flatten(0, 1)
    # Of an odd number of rows the chroma may have been rounded up or down.
    return both[:height] if both.shape[0] >= height else torch.cat((both, both[-1:]))


def _filled(chroma: Tensor, length: int, dim: int) -> Tensor:
    """Each sample twice, and the last one again where they are too few; as it is where they are enough."""
    if chroma.shape[dim] == length:
        return chroma
    places = torch.arange(length, device=chroma.device).div_(2, rounding_mode="floor")
    return chroma.index_select(dim, places.clamp_(max=chroma.shape[dim] - 1))
