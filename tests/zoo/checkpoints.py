"""Checkpoint files as the authors' scripts save them, with formula weights."""

import zipfile
from collections import OrderedDict
from functools import cache

import torch

from tests.models import golden

STAGE1, STAGE2 = "me_resnet18_disfa_stage1", "me_resnet18_disfa_stage2"


@cache
def official_state(name):
    return golden.official_state(name)


def with_module(state):
    return OrderedDict((f"module.{key}", value) for key, value in state.items())


def optimiser_state(state):
    """What AdamW keeps after a step over all weights: twice their size."""
    weights = [
        torch.nn.Parameter(value.clone())
        for key, value in state.items()
        if value.is_floating_point() and "running_" not in key
    ]
    optimiser = torch.optim.AdamW(weights, lr=1e-4, weight_decay=5e-4)
    for weight in weights:
        weight.grad = torch.full_like(weight, 0.01)
    optimiser.step()
    return optimiser.state_dict()


def save(path, state, **more):
    """`{'epoch', 'state_dict', ...}`, as both training scripts write it."""
    torch.save({"epoch": 19, "state_dict": state, **more}, path)
    return path


def save_folds(path, state, names):
    """A zip of one checkpoint per name; they differ in one number, the fold."""
    with zipfile.ZipFile(path, "w") as archive:
        for fold, name in enumerate(names, 1):
            one = dict(state)
            one["head.sc"] = state["head.sc"] + fold
            with archive.open(name, "w", force_zip64=True) as file:
                torch.save({"epoch": 19, "state_dict": with_module(one)}, file)
    return path
