"""Random numbers that belong to a picture's place in an epoch, not to the process that draws them.

A counter-based generator: a number is a hash of seed, epoch, place, and how many draws came before. So it
is the same on any number of ranks, and a run that goes on in the middle needs no generator's state.
The hash is Wellons' `lowbias32` (public domain), in int64 because torch has few unsigned operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9


class Draws:
    """Draws for a batch; each method's result has the batch first and lies on `device`.

    positions: int64 (batch,), places in the epoch's order.
    purpose: keeps the draws of different users apart.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        positions: NDArray[np.int64],
        *,
        device: torch.device | None = None,
        purpose: int = 0,
    ) -> None:
        self.device = device or torch.device("cpu")
        key = torch.zeros(1, dtype=torch.int64)
        for number in (seed & _MASK, seed >> 32, epoch, purpose):
            key = _mixed(key * 31 + (number & _MASK) + _GOLDEN)
        self._keys = _mixed(_mixed(torch.from_numpy(positions).long()) + key)
        self._drawn = 0

    def __len__(self) -> int:
        return len(self._keys)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float32 (batch, *shape), low <= number < high."""
        return self._unit(shape).mul_(high - low).add_(low).to(self.device)

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """float32 (batch, *shape), mean 0, at most 5 standard deviations away."""
        middle = self._unit(shape) + 2.0**-25  # never 0
        return torch.erfinv(2 * middle - 1).mul_(math.sqrt(2) * scale).to(self.device)

    def integers(self, *shape: int, below: int) -> Tensor:
        """int64 (batch, *shape), 0 <= number < below."""
        return (self._hash(shape) * below >> 32).to(self.device)

    def chance(self, probability: float) -> Tensor:
        """float32 (batch, 1, 1, 1) of 0 and 1."""
        return (self._unit((1, 1, 1)) < probability).float().to(self.device)

    def some(self, share: float) -> Tensor:
        """Rows of the pictures that a costly change is made to: int64 (number,)."""
        return torch.nonzero(self._unit(()) < share).flatten().to(self.device)

    def orders(self, count: int) -> Tensor:
        """A permutation of 0 to count - 1 for each picture: int64 (batch, count)."""
        return self._unit((count,)).argsort(dim=1, stable=True).to(self.device)

    def noise(self, shape: Sequence[int], rows: Tensor) -> Tensor:
        """float32 (rows, *shape) of mean 0 and variance 1, triangular, computed where the pictures lie."""
        keys = self._next_keys().to(self.device)[rows]
        places = torch.arange(math.prod(shape), device=self.device)
        bits = _mixed(keys[:, None] ^ _mixed(places))
        sums = ((bits >> 16) + (bits & 0xFFFF)).float()
        return sums.mul_(2.0**-16).sub_(1.0).mul_(math.sqrt(6)).view(len(rows), *shape)

    def _next_keys(self) -> Tensor:
        self._drawn += 1
        return _mixed(self._keys + self._drawn * _GOLDEN)

    def _hash(self, shape: Sequence[int]) -> Tensor:
        places = _mixed(torch.arange(math.prod(shape)))
        return _mixed(self._next_keys()[:, None] ^ places).view(len(self._keys), *shape)

    def _unit(self, shape: Sequence[int]) -> Tensor:
        return (self._hash(shape) >> 8).float() * 2.0**-24


def _mixed(x: Tensor) -> Tensor:
    """A hash of the lower 32 bits, 0 to 2^32 - 1."""
    x = x & _MASK
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _MASK
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _MASK
    return x ^ (x >> 16)
