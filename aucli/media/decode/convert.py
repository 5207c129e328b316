"""Which way a decoded picture becomes RGB: one kernel on a GPU where it can be had, else step by step."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from aucli.media.decode.colour import FULL_RANGE, yuv_to_rgb

_LOG = logging.getLogger(__name__)

_TRIALS = ((1, 1), (6, FULL_RANGE))  # AVColorSpace and AVColorRange: BT.709, BT.601 in full range
Fused = Callable[..., Tensor]


def to_rgb(
    planes: tuple[Tensor, ...], *, matrix: int, full_range: bool, bits: int, left: bool = False
) -> Tensor:
    """See `yuv_to_rgb`, whose bits these are whichever way is taken."""
    y = planes[0]
    if y.is_cuda and bits == 8 and len(planes) == 3 and y.shape[0] % 2 == 0 and planes[1].shape != y.shape:
        fused = fused_on(y.device)
        if fused is not None:
            with torch.cuda.device(y.device):
                return fused(planes, matrix=matrix, full_range=full_range)
    return yuv_to_rgb(planes, matrix=matrix, full_range=full_range, bits=bits, left=left)


@lru_cache(maxsize=64)
def fused_on(device: torch.device) -> Fused | None:
    """The kernel, tried on this device and compared with the way in steps; None, with the reason in the log,
    where it cannot be used or differs.
    """
    try:
        from aucli.media.decode.colour_triton import yuv_to_rgb_in_one
    except ImportError as error:
        _LOG.info("pictures are converted in steps: %s", error)
        return None
    return yuv_to_rgb_in_one if is_same_on(device, yuv_to_rgb_in_one) else None


def is_same_on(device: torch.device, fused: Fused) -> bool:
    """Whether this gives the bits of `yuv_to_rgb` for random samples, as a GPU's surfaces have them."""
    random = torch.Generator().manual_seed(0)
    luma = torch.randint(0, 256, (6, 70), dtype=torch.uint8, generator=random).to(device)
    both = torch.randint(0, 256, (3, 35, 2), dtype=torch.uint8, generator=random).to(device)
    planes = (luma, both[..., 0], both[..., 1])
    for matrix, colour_range in _TRIALS:
        full_range = colour_range == FULL_RANGE
        try:
            found = fused(planes, matrix=matrix, full_range=full_range)
            same = torch.equal(found, yuv_to_rgb(planes, matrix=matrix, full_range=full_range, bits=8))
        except Exception as error:  # Triton raises what its compiler, the driver or a missing gcc raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            _LOG.info("pictures are converted in steps on %s: %s", device, reason)
            return False
        if not same:
            _LOG.warning("pictures are converted in steps on %s: the kernel gave other values", device)
            return False
    return True
