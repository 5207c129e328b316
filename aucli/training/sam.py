"""Sharpness-aware minimisation around any optimiser: the training of OpenGraphAU's second stage.

Foret et al., Sharpness-Aware Minimization, ICLR 2021; the adaptive form is that of Kwon et al., ASAM, ICML
2021, as in the code that OpenGraphAU's authors use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class SAM:
    """Takes the gradient at the nearby point where the loss is about largest.

    Args:
        network: its batch norms learn no statistics at that point.
        optimiser: whose parameters are moved; it takes the step, for instance AdamW.
        rho: radius; the authors use 2.0.
        adaptive: measure the radius relative to each weight's size.
    """

    def __init__(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, rho: float = 2.0, *, adaptive: bool = True
    ) -> None:
        self._network, self._optimiser, self._rho, self._adaptive = network, optimiser, rho, adaptive

    def gradient(self, backward: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """Leave the nearby point's gradient in the parameters, which keep their values.

        backward: runs the network forward and backward, adds to the gradients, and returns its loss; called
            twice. Returns the loss here and there.
        """
        self._optimiser.zero_grad(set_to_none=True)
        loss = backward()
        groups = self._optimiser.param_groups
        weights = [(p, p.detach().clone()) for group in groups for p in group["params"] if p.grad is not None]
        self._ascend([p for p, _ in weights])
        self._optimiser.zero_grad(set_to_none=True)
        try:
            with frozen_statistics(self._network):
                sharp = backward()
        finally:
            with torch.no_grad():
                for parameter, value in weights:
                    parameter.copy_(value)
        return loss.detach(), sharp.detach()

    @torch.no_grad()
    def _ascend(self, parameters: list[nn.Parameter]) -> None:
        # The gradient for weights in units of their own size; the step back from those units to the weights.
        sizes = [p.abs() if self._adaptive else torch.ones_like(p) for p in parameters]
        gradients = [p.grad for p in parameters if p.grad is not None]
        moves = [size * gradient for size, gradient in zip(sizes, gradients, strict=True)]
        norm = torch.nn.utils.get_total_norm(moves)
        for parameter, size, move in zip(parameters, sizes, moves, strict=True):
            parameter.add_(size * move * (self._rho / (norm + 1e-12)))


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norms normalise by the batch, as in training, but do not move their running statistics."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
