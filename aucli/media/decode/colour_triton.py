"""The commonest of `colour`'s conversions as one Triton kernel: 4:2:0, 4:2:2 and 4:4:0 of 8 bits.

In single steps torch reads and writes a picture some twenty times and launches as many kernels; this reads
each sample once. Integers only, so it gives the same bits as `colour` on any device. Imported where it is
used: only torch's wheels with CUDA bring Triton, which needs a C compiler once, to make its launcher.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from aucli.media.decode.colour import Gains

BLOCK = 1024  # columns of a row in one program


@triton.jit
def _times(sample, zero, gain):
    """A product with 13 fractional bits, rounded down as libswscale does."""
    return ((sample.to(tl.int32) - zero) * gain) >> 13


@triton.jit
def _convert(  # noqa: PLR0917  # Triton takes numbers and pointers only
    y,
    u,
    v,
    rgb,
    width,
    chroma_rows,
    chroma_columns,
    y_row,
    y_column,
    u_row,
    u_column,
    v_row,
    v_column,
    row_shift,
    column_shift,
    black,
    luma,
    v_red,
    u_green,
    v_green,
    u_blue,
    block: tl.constexpr,
):
    row = tl.program_id(0)
    columns = tl.program_id(1) * block + tl.arange(0, block)
    inside = columns < width
    of_row = tl.minimum(row >> row_shift, chroma_rows - 1)
    of_columns = tl.minimum(columns >> column_shift, chroma_columns - 1)
    level = _times(tl.load(y + row * y_row + columns * y_column, mask=inside, other=0), black, luma)
    of_u = tl.load(u + of_row * u_row + of_columns * u_column, mask=inside, other=0)
    of_v = tl.load(v + of_row * v_row + of_columns * v_column, mask=inside, other=0)
    red = level + _times(of_v, 128, v_red)
    green = level + _times(of_u, 128, u_green) + _times(of_v, 128, v_green)
    blue = level + _times(of_u, 128, u_blue)
    out = rgb + (row * width + columns) * 3
    tl.store(out, tl.minimum(tl.maximum(red, 0), 255).to(tl.uint8), mask=inside)
    tl.store(out + 1, tl.minimum(tl.maximum(green, 0), 255).to(tl.uint8), mask=inside)
    tl.store(out + 2, tl.minimum(tl.maximum(blue, 0), 255).to(tl.uint8), mask=inside)


def yuv_to_rgb_in_one(planes: tuple[Tensor, Tensor, Tensor], *, matrix: int, full_range: bool) -> Tensor:
    """As `colour.yuv_to_rgb` of 8 bits and an even height, where chroma has fewer samples than luma."""
    y, u, v = planes
    height, width = y.shape
    gains = Gains.of(matrix, full_range=full_range)
    rgb = torch.empty((height, width, 3), dtype=torch.uint8, device=y.device)
    _convert[(height, triton.cdiv(width, BLOCK))](
        y,
        u,
        v,
        rgb,
        width,
        *u.shape,
        *y.stride(),
        *u.stride(),
        *v.stride(),
        int(u.shape[0] != height),
        int(u.shape[1] != width),
        gains.black,
        # libswscale keeps 13 of the 16 bits.
        *(
            ((gain << 13) + 2**15) >> 16
            for gain in (gains.luma, gains.v_red, gains.u_green, gains.v_green, gains.u_blue)
        ),
        block=BLOCK,
    )
    return rgb
