"""Averaged weights: an exponential moving average that forgets the random start quickly."""

from __future__ import annotations

import copy

import torch
from torch import nn


def copy_of(network: nn.Module) -> nn.Module:
    """A copy in eval mode without gradients."""
    return copy.deepcopy(network).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """After a step, counted from 1: average = keep * average + (1 - keep) * network; keep rises to decay."""
    keep = min(decay, step / (step + 50))
    ours = network.state_dict()
    for key, averaged in average.state_dict().items():
        if averaged.dtype.is_floating_point:
            averaged.lerp_(ours[key], 1 - keep)
        else:
            averaged.copy_(ours[key])
