"""Learning-rate schedules of the authors' code: cosine per iteration; for SCC, steps."""

from __future__ import annotations

import math


def dropping_rate(
    initial: float, iteration: int, iterations: int, *, epochs: int, drops: tuple[int, ...]
) -> float:
    """Rate at an iteration of `iterations` in `epochs`: a tenth from each epoch of `drops` (from 0) on."""
    epoch = iteration * epochs // iterations
    return initial * 0.1 ** sum(epoch >= drop for drop in drops)


def cosine_rate(initial: float, iteration: int, iterations: int, warmup: int = 0) -> float:
    """Rate at an iteration of `iterations`, from `initial` to 0; rises linearly over `warmup` first.

    The published recipe has no warm-up; training from random weights needs one.
    """
    if iteration < warmup:
        return initial * (iteration + 1) / warmup
    return initial * (1 + math.cos(math.pi * iteration / iterations)) / 2
