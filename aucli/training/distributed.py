"""Several processes, one run: what torchrun starts, and sums over all of them.

A rank sees its part of every batch. So that the number of ranks changes nothing but rounding, batch norms
normalise by the statistics of the whole batch, here by one small all-reduce each that gradients pass
through; it works with gloo on CPUs and with nccl on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from aucli.errors import DeviceError, UsageError
from aucli_models.graph import EdgeFeatures

# The first rank may cut out and store the crops of a whole dataset while the others wait for it.
_PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Ranks:
    """A process among those of the run: `rank` of `count`, `local` on its machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and talks."""
        return self.rank == 0

    @classmethod
    def of_environment(cls) -> Ranks:
        """As torchrun says; alone without it.

        Raises:
            UsageError: its variables are incomplete or no numbers.
        """
        if "WORLD_SIZE" not in os.environ:
            return cls()
        try:
            rank, count, local = (int(os.environ[key]) for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"WORLD_SIZE is set, but RANK or LOCAL_RANK is not ({error}): start with "
                "torchrun --nproc-per-node N -m aucli.cli.main train ..., or unset it"
            ) from error
        return cls(rank, count, local)


@contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """The process group of the run, while the block runs.

    Raises:
        DeviceError: the ranks do not find each other.
    """
    if ranks.count == 1:
        yield
        return
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise DeviceError(f"rank {ranks.rank} of {ranks.count} cannot join the others: {error}") from error
    try:
        yield
        # A rank that leaves while another still computes sometimes aborts when its process ends (gloo).
        dist.barrier()
    finally:
        dist.destroy_process_group()


def sum_over_ranks(x: Tensor) -> Tensor:
    """The sum of `x` over all ranks; gradients pass through it."""
    if not _several():
        return x
    summed: Tensor = _Sum.apply(x)
    return summed


def wait_for_all() -> None:
    """Until every rank has come here."""
    if _several():
        dist.barrier()


_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d)


def synchronise(network: nn.Module) -> nn.Module:
    """Make every batch norm of the network use the statistics of all ranks' parts of a batch, in place."""
    for module in list(network.modules()):
        if isinstance(module, EdgeFeatures):
            module.reduce_moments = moments_over_ranks
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d) and type(child) in _PLAIN:
                setattr(module, name, SyncedBatchNorm.like(child))
            elif isinstance(child, _BatchNorm) and not isinstance(child, SyncedBatchNorm):
                raise TypeError(f"{type(child).__name__} in {name}: there is no synchronised form of it")
    return network


class SyncedBatchNorm(_BatchNorm):
    """BatchNorm1d or 2d over the batch of all ranks; the same parameters, buffers and keys."""

    @classmethod
    def like(cls, norm: _BatchNorm) -> SyncedBatchNorm:
        synced = cls(norm.num_features, norm.eps, norm.momentum)
        synced.weight, synced.bias = norm.weight, norm.bias
        synced.running_mean, synced.running_var = norm.running_mean, norm.running_var
        synced.num_batches_tracked = norm.num_batches_tracked
        return synced.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"(batch, channels, ...) is expected, got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not _several():
            return super().forward(input)
        x = input.float()
        dims = [0, *range(2, x.dim())]
        local_var, local_mean = (moment.double() for moment in torch.var_mean(x, dims, correction=0))
        count = x.numel() // x.shape[1]
        mean, square, total = moments_over_ranks(local_mean, local_var + local_mean.square(), count)
        var = (square - mean.square()).clamp(min=0)
        self._track(mean.detach(), var.detach() * (total / (total - 1)))
        shape = (1, -1) + (1,) * (x.dim() - 2)
        scale = (self.weight * (var + self.eps).rsqrt()).float()
        normalised = (x - mean.float().view(shape)) * scale.view(shape) + self.bias.view(shape)
        return normalised.to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, unbiased_var: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        momentum = 0.1 if self.momentum is None else self.momentum
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(unbiased_var.to(self.running_var.dtype), momentum)


def moments_over_ranks(mean: Tensor, square: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Means of `count` numbers and of their squares on this rank, both (channels,) -> those over all ranks,
    and the count over all ranks. float64: their difference is a variance.
    """
    sums = torch.cat([mean.double() * count, square.double() * count, mean.new_tensor([count]).double()])
    sums = sum_over_ranks(sums)
    total = sums[-1].detach()
    mean, square = (sums[:-1] / total).chunk(2)
    return mean, square, total


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        summed = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        # The loss is the sum of all ranks' losses, and each of them depends on this sum.
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
