"""The optimiser steps of one stage, on one rank or many, and everything needed to go on in the middle."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from aucli.errors import TrainingError, UsageError
from aucli.training.average import copy_of, update_average
from aucli.training.batches import Batch, Part
from aucli.training.clip_objective import ClipObjective
from aucli.training.distributed import Ranks, sum_over_ranks, synchronise
from aucli.training.draws import Draws
from aucli.training.heatmap_objective import HeatmapObjective
from aucli.training.landmarks import in_views
from aucli.training.objective import Objective
from aucli.training.optimiser import make_optimiser, set_rate
from aucli.training.picture_objective import PictureObjective
from aucli.training.recipe import StageRecipe
from aucli.training.sam import SAM
from aucli.training.stochastic_depth import Depths
from aucli.training.views import SwapSides, Views
from aucli_models.scc import SCC

AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_VIEWS, _DEPTHS = 1, 2  # purposes of draws
_SMALLEST_SCALE = 1.0  # a loss scale below this does not come from overflow


@dataclass(frozen=True)
class Arithmetic:
    """How numbers are computed: the device, the precision, and whether torch compiles the network."""

    device: torch.device
    precision: str = "fp32"
    compiled: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """A `Part` of a batch as the network sees it: views of its pictures, with the labels of what is there."""

    images: Tensor
    labels: Tensor
    intensity: Tensor | None
    landmarks: Tensor | None
    positions: NDArray[np.int64]


class Engine:
    """Trains a network by a recipe; `result` is the network to keep.

    Args:
        network: of `create_model`, with the AUs of the labels; moved to the device, its batch norms and
            stochastic depths replaced by forms that do not depend on the number of ranks.
        au_weights: see `losses.au_weights`.
        views: how pictures become the network's input.
        steps: optimiser steps of the whole stage.
        names: of the faces, to name a batch.
        landmarks: whether batches have them.
        clip_frames: of the clips that a batch is made of, None for single pictures.

    Raises:
        UsageError: sharpness-aware minimisation in float16.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: StageRecipe,
        au_weights: Tensor,
        views: Views,
        *,
        steps: int,
        seed: int,
        names: Sequence[str],
        landmarks: bool = False,
        clip_frames: int | None = None,
        ranks: Ranks | None = None,
        arithmetic: Arithmetic | None = None,
    ) -> None:
        arithmetic = arithmetic or Arithmetic(torch.device("cpu"))
        if recipe.sam_rho is not None and arithmetic.precision == "fp16":
            raise UsageError("--precision fp16 does not go with this recipe's two passes: use bf16 or fp32")
        self.recipe, self.steps, self.seed = recipe, steps, seed
        self.step_number = 0
        self._views, self._names = views, names
        self._ranks = ranks or Ranks()
        self._device = arithmetic.device
        if self._ranks.count > 1:
            synchronise(network)
        self._depths = Depths(network)
        self.average = None
        if recipe.average is not None:
            self.average = _placed(copy_of(network), self._device)
        self._clip_frames = clip_frames
        autocast = AUTOCAST[arithmetic.precision]
        self.objective: Objective
        if clip_frames is not None:
            self.objective = ClipObjective(network, recipe, au_weights, frames=clip_frames, autocast=autocast)
        elif isinstance(network, SCC):
            self.objective = HeatmapObjective(network, network.au_set, autocast=autocast)
        else:
            self.objective = PictureObjective(
                network,
                recipe,
                au_weights,
                size=views.convention.size,
                landmarks=landmarks,
                autocast=autocast,
            )
        self._swap_sides = SwapSides(self.objective.network.au_names, self._device)
        _placed(self.objective, self._device)
        self.network = network
        self._optimiser = make_optimiser(self.objective, recipe)
        self._sam = None if recipe.sam_rho is None else SAM(network, self._optimiser, recipe.sam_rho)
        self._scaler = torch.amp.GradScaler(
            self._device.type, enabled=arithmetic.precision == "fp16", init_scale=2.0**14
        )
        self._parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
        if arithmetic.compiled:
            self.objective.compile()
        self._forward: Objective | DistributedDataParallel = self.objective
        if self._ranks.count > 1:
            with warnings.catch_warnings():
                # The option's name is new in torch 2.15, and older ones know the old name only.
                warnings.simplefilter("ignore", FutureWarning)
                self._forward = DistributedDataParallel(self.objective, broadcast_buffers=False)
        self._unchecked: _Unchecked | None = None

    @property
    def result(self) -> nn.Module:
        """The network to keep, as it is now."""
        return self.network if self.average is None else self.average

    def step(self, batch: Batch) -> tuple[Tensor, float]:
        """One optimiser step; returns the whole batch's loss (on the device, over all ranks) and the rate.

        Raises:
            TrainingError: loss or gradient of this step, on a GPU perhaps of the one before, is not finite.
        """
        rate = set_rate(self._optimiser, self.recipe, self.step_number, self.steps)
        self.network.train()
        parts = [self.seen(batch, part) for part in batch.parts]
        if self._sam is None:
            self._optimiser.zero_grad(set_to_none=True)
            loss = self._backward(batch, parts)
        else:
            loss, _ = self._sam.gradient(lambda: self._backward(batch, parts))
        loss = sum_over_ranks(loss)
        self._scaler.unscale_(self._optimiser)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        self.check()
        self._unchecked = _Unchecked.of(batch, loss, norm)
        if self._device.type == "cpu":
            self.check()
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self._parameters, self.recipe.clip_norm, norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.step_number += 1
        if self.average is not None and self.recipe.average is not None:
            update_average(self.average, self.network, self.recipe.average, self.step_number)
        return loss, rate

    def check(self) -> None:
        """Look at the loss and gradient of the last step; on a GPU that happens one step late, so
        that it need not wait for the processor.

        Raises:
            TrainingError: NaN or infinite; names pictures of the batch.
        """
        unchecked, self._unchecked = self._unchecked, None
        if unchecked is None:
            return
        loss, norm = unchecked.numbers()
        if math.isfinite(loss) and (math.isfinite(norm) or self._overflow_is_expected()):
            return
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's length is {norm}"
        batch = unchecked.batch
        some = [self._names[face] for face in batch.faces]
        shown = ", ".join(some[:4]) + (f" and {len(some) - 4} more" if len(some) > 4 else "")
        raise TrainingError(
            f"stage {self.network.stage}, epoch {batch.epoch + 1}, batch {batch.step + 1}: {what}, on "
            f"{shown}; the last checkpoint is from before it: look at these pictures, or try a lower --lr "
            "or another --precision"
        )

    def state(self) -> dict[str, Any]:
        """Everything that changes during training; draws need no state, see `Draws`."""
        self.check()
        state = {
            "step": self.step_number,
            "objective": self.objective.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of an engine that was made alike."""
        self.objective.load_state_dict(state["objective"], strict=True)
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"], strict=True)
        self.step_number = state["step"]

    def seen(self, batch: Batch, part: Part) -> Seen:
        """A part of a batch as it is trained on in this step."""
        draws = Draws(self.seed, batch.epoch, part.positions, device=self._device, purpose=_VIEWS)
        view = self._views.training(part.crops, draws, clean=self.recipe.clean)
        flipped, landmarks = view.flipped, None
        intensity = None if part.intensity is None else self._swap_sides(part.intensity, flipped)
        if part.landmarks is not None and view.to_view is not None:
            landmarks = in_views(part.landmarks, view.to_view, flipped)
        return Seen(view.images, self._swap_sides(part.labels, flipped), intensity, landmarks, part.positions)

    def _backward(self, batch: Batch, parts: list[Seen]) -> Tensor:
        """Forward and backward through all parts; the sum of this rank's shares of the loss."""
        counts = astuple(batch.counts)
        shares = []
        forward = self._forward
        for number, part in enumerate(parts):
            places = part.positions
            if self._clip_frames is not None:  # the frames of a clip have one place, and depths of their own
                places = places * self._clip_frames + np.arange(len(places)) % self._clip_frames
            self._depths.draw(Draws(self.seed, batch.epoch, places, device=self._device, purpose=_DEPTHS))
            last = number == len(parts) - 1
            # Gradients of several ranks are exchanged once, with the last part.
            with nullcontext() if last else self._without_exchange():
                share: Tensor = forward(part.images, part.labels, part.intensity, counts, part.landmarks)
                # DistributedDataParallel takes the mean over ranks, the shares are to be summed.
                torch.autograd.backward(self._scaler.scale(share * self._ranks.count))
            shares.append(share.detach())
        return torch.stack(shares).sum()

    def _without_exchange(self) -> AbstractContextManager[None]:
        if isinstance(self._forward, DistributedDataParallel):
            exchanged_later: AbstractContextManager[None] = self._forward.no_sync()
            return exchanged_later
        return nullcontext()

    def _overflow_is_expected(self) -> bool:
        """Float16's loss scale starts too high on purpose: such a step is left out, and the scale halved."""
        return self._scaler.is_enabled() and self._scaler.get_scale() >= _SMALLEST_SCALE


class _Unchecked:
    """Loss and gradient norm of a step on their way to the processor."""

    def __init__(self, batch: Batch, values: Tensor, copied: torch.cuda.Event | None) -> None:
        self.batch, self._values, self._copied = batch, values, copied

    @classmethod
    def of(cls, batch: Batch, loss: Tensor, norm: Tensor) -> _Unchecked:
        values = torch.stack([loss.float(), norm.float()])
        if values.device.type != "cuda":
            return cls(batch, values, None)
        host = torch.empty(2, pin_memory=True)
        host.copy_(values, non_blocking=True)
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch gives it no types
        copied.record()
        return cls(batch, host, copied)

    def numbers(self) -> tuple[float, float]:
        if self._copied is not None:
            self._copied.synchronize()
        return float(self._values[0]), float(self._values[1])


def _placed(module: nn.Module, device: torch.device) -> nn.Module:
    """On the device, convolutions' weights with channels last."""
    return module.to(device).to(memory_format=torch.channels_last)
