"""AdamW as a recipe has it: which parameters decay, and which learn more slowly."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from aucli.training.objective import Objective
from aucli.training.recipe import StageRecipe
from aucli.training.schedule import cosine_rate, dropping_rate

_GRAPH = ("graph.", "edge_fc.")


def make_optimiser(objective: Objective, recipe: StageRecipe) -> torch.optim.AdamW | torch.optim.Adam:
    """AdamW, or Adam if the recipe says so, over all parameters of the network and of the training heads."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for key, parameter in objective.network.named_parameters():
        front = objective.network.stage == 2 and not key.startswith(_GRAPH)
        decays = parameter.ndim > 1 or not recipe.decay_matrices_only
        groups.setdefault((front, decays), []).append(parameter)
    if objective.heads is not None:
        groups.setdefault((False, not recipe.decay_matrices_only), []).extend(objective.heads.parameters())
    options: list[dict[str, Any]] = [
        {
            "params": parameters,
            "weight_decay": recipe.weight_decay if decays else 0.0,
            "factor": recipe.front_rate_factor if front else 1.0,
        }
        for (front, decays), parameters in groups.items()
    ]
    if recipe.adam:
        return torch.optim.Adam(options, lr=recipe.rate)
    return torch.optim.AdamW(options, lr=recipe.rate)


def set_rate(optimiser: torch.optim.Optimizer, recipe: StageRecipe, step: int, steps: int) -> float:
    """Give the optimiser the rate of a step of `steps`; returns it."""
    if recipe.rate_drops:
        rate = dropping_rate(recipe.rate, step, steps, epochs=recipe.epochs, drops=recipe.rate_drops)
    else:
        rate = cosine_rate(recipe.rate, step, steps, round(recipe.warmup * steps))
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]
    return rate
