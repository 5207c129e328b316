"""The training loop of one stage: AdamW, cosine schedule per iteration, weight averaging, checkpoints."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aucli.datasets.synthfaces import SynthFaces
from aucli.datatypes import CropConvention
from aucli.evaluation.metrics import roc_auc
from aucli.sinks.atomic import atomic_file
from aucli.training.augment import Augment
from aucli.training.auxiliary import AuxiliaryHeads
from aucli.training.crops import Straying, cut_crops
from aucli.training.losses import au_weights, edge_loss, weighted_asymmetric_loss
from aucli.training.schedule import cosine_rate
from aucli.zoo.card import IMAGENET_MEAN, IMAGENET_STD
from aucli_models.me_graphau import MEGraphAU


@dataclass(frozen=True)
class Recipe:
    """Numbers of one stage.

    The published recipe starts from ImageNet weights with a rate of 1e-4 and no warm-up; from random
    weights the rate is higher and rises first.
    """

    iterations: int
    batch_size: int = 64
    rate: float = 2.5e-3
    front_rate_factor: float = 1.0  # stage 2: all before the graph learns more slowly
    warmup: int = 400
    weight_decay: float = 0.02  # on matrices only
    average: float = 0.999  # of the averaged weights, reached from below
    edge_weight: float = 0.05  # lambda of the paper, stage 2
    clip_norm: float = 5.0
    clean: float = 0.0  # share of the pictures whose appearance is left as it is, for the last stretch


class Trainer:
    """Trains a network on faces in memory; `average` is the network to keep."""

    def __init__(
        self, network: MEGraphAU, faces: SynthFaces, convention: CropConvention, recipe: Recipe, seed: int = 0
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.iteration = 0
        self.generator = torch.Generator().manual_seed(seed)
        self._faces = faces
        self._convention = convention
        self._augment = Augment(self.generator)
        self._occurrence = torch.from_numpy(faces.occurrence)
        self._intensity = torch.from_numpy(faces.intensity[:, : faces.occurrence.shape[1]].copy())
        self._weights = au_weights(faces.occurrence.mean(0)).float()
        self._order: list[int] = []
        self._tokens: Tensor | None = None
        self.heads = self._auxiliary_heads()
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        network.backbone.register_forward_hook(self._keep_tokens)
        self._optimiser = torch.optim.AdamW(self._groups(), lr=recipe.rate)

    def step(self) -> float:
        """One batch; returns its loss.

        Raises:
            FloatingPointError: the loss is not finite; names the pictures of the batch.
        """
        recipe = self.recipe
        chosen = self._next_batch()
        images = self._images(chosen)
        factor = cosine_rate(1.0, self.iteration, recipe.iterations, recipe.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate * group["factor"] * factor
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            nodes, edges = self.network.node_features(images)
            logits = None if edges is None else self.network.edge_fc(edges)
        labels = self._occurrence[chosen]
        loss = weighted_asymmetric_loss(self.network.head(nodes.float()), labels, self._weights)
        assert self._tokens is not None
        loss = loss + self.heads(self._tokens, nodes, labels, self._intensity[chosen])
        if logits is not None:
            loss = loss + recipe.edge_weight * edge_loss(logits.float().flatten(1, 2), labels)
        if not math.isfinite(loss.item()):
            paths = self._faces.table["path"].iloc[chosen[:3]].tolist()
            raise FloatingPointError(f"iteration {self.iteration}: loss {loss.item()} on {paths} and others")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [*self.network.parameters(), *self.heads.parameters()]
        nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        self._optimiser.step()
        self.iteration += 1
        self._update_average()
        return float(loss.item())

    def run(self, on_step: Callable[[int, float], None]) -> None:
        """All iterations that are left; `on_step` is told iteration and loss after each."""
        while self.iteration < self.recipe.iterations:
            loss = self.step()
            on_step(self.iteration, loss)

    def save(self, path: Path) -> None:
        """Everything needed to go on, written whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "heads": self.heads.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "iteration": self.iteration,
            "order": self._order,
        }
        with atomic_file(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Go on from a file of `save` with the same recipe and data."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"], strict=True)
        self.average.load_state_dict(state["average"], strict=True)
        self.heads.load_state_dict(state["heads"], strict=True)
        self._optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.iteration = state["iteration"]
        self._order = state["order"]

    def _auxiliary_heads(self) -> AuxiliaryHeads:
        size = self._convention.size
        with torch.no_grad():
            tokens = self.network.eval().backbone(torch.zeros(1, 3, size, size))
        aus, channels = self.network.head.sc.shape
        return AuxiliaryHeads(tokens.shape[1], tokens.shape[2], channels, aus)

    def _keep_tokens(self, _module: nn.Module, _inputs: object, tokens: Tensor) -> None:
        self._tokens = tokens

    def _groups(self) -> list[dict[str, Any]]:
        """Parameters by decay (matrices) and by rate (stage 2: what is before the graph is slower)."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for key, parameter in self.network.named_parameters():
            front = self.network.stage == 2 and not key.startswith(("graph.", "edge_fc."))
            groups.setdefault((front, parameter.ndim > 1), []).append(parameter)
        groups.setdefault((False, False), []).extend(self.heads.parameters())
        recipe = self.recipe
        return [
            {
                "params": parameters,
                "weight_decay": recipe.weight_decay if decays else 0.0,
                "factor": recipe.front_rate_factor if front else 1.0,
            }
            for (front, decays), parameters in groups.items()
        ]

    def _next_batch(self) -> list[int]:
        if len(self._order) < self.recipe.batch_size:
            self._order = torch.randperm(len(self._occurrence), generator=self.generator).tolist()
        batch = sorted(self._order[: self.recipe.batch_size])  # in the order in which they lie in memory
        self._order = self._order[self.recipe.batch_size :]
        return batch

    @torch.no_grad()
    def _images(self, chosen: list[int]) -> Tensor:
        crops = cut_crops(
            self._faces.pictures[chosen],
            self._faces.points[chosen],
            self._convention,
            straying=Straying(),
            generator=self.generator,
        )
        changed = self._augment(crops)
        if self.recipe.clean:
            clean = torch.rand((len(crops), 1, 1, 1), generator=self.generator) < self.recipe.clean
            changed = torch.where(clean, crops, changed)
        return normalise(changed)

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(self.recipe.average, self.iteration / (self.iteration + 50))
        ours = self.network.state_dict()
        for key, averaged in self.average.state_dict().items():
            if averaged.dtype.is_floating_point:
                averaged.lerp_(ours[key], 1 - keep)
            else:
                averaged.copy_(ours[key])


def normalise(crops: Tensor) -> Tensor:
    """Crops 0 to 1 as the network reads them."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return ((crops - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def outputs(network: nn.Module, faces: SynthFaces, convention: CropConvention) -> NDArray[np.float32]:
    """The network's outputs on exact crops of all faces: float32 (faces, aus)."""
    network.eval()
    scores = []
    for start in range(0, len(faces.points), 64):
        some = slice(start, start + 64)
        crops = cut_crops(faces.pictures[some], faces.points[some], convention)
        scores.append(network(normalise(crops)).probabilities)
    return torch.cat(scores).numpy()


def aucs(scores: NDArray[np.float32], faces: SynthFaces) -> list[float]:
    """AUC of each AU."""
    return [roc_auc(scores[:, i], faces.occurrence[:, i]) for i in range(scores.shape[1])]
