"""Stage 1 to stage 2: what carries over and what starts anew (ME-GraphAU, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from aucli_models.graph import EdgeGraph, GatedGraphLayer, NeighbourGraph
from aucli_models.me_graphau import MEGraphAU


@dataclass(frozen=True)
class Transfer:
    """Keys of the stage-2 network filled from stage 1, keys left as initialised, stage-1 keys not used."""

    filled: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def transfer_stage1(stage1: nn.Module, stage2: nn.Module) -> Transfer:
    """Copy everything before the graph, and the head, from a stage-1 network into a stage-2 network.

    Raises:
        ValueError: a shared key differs in shape: another backbone or AU set.
    """
    source, target = stage1.state_dict(), stage2.state_dict()
    graph = ("graph.", "edge_fc.")
    filled = tuple(key for key in target if not key.startswith(graph))
    for key in filled:
        if key not in source or source[key].shape != target[key].shape:
            raise ValueError(
                f"stage 1 does not fit stage 2 at {key}: train both with one backbone and AU set"
            )
        target[key] = source[key]
    stage2.load_state_dict(target, strict=True)
    return Transfer(
        filled,
        tuple(key for key in target if key.startswith(graph)),
        tuple(key for key in source if key.startswith(graph)),
    )


@torch.no_grad()
def start_graph_from_stage1(stage1: nn.Module, stage2: nn.Module) -> None:
    """Let the edge graph begin as nearly what the stage-1 graph has become.

    Not in the published recipe, which begins with a random graph and trains for 20 epochs. Here a stage-2
    run of a third of an epoch then starts from stage 1's accuracy instead of far below it: the first
    layer takes over U, V and the batch norm (V times the number of AUs, by which its message is divided), the
    second passes its input through until it learns otherwise.
    """
    assert isinstance(stage1, MEGraphAU)
    assert isinstance(stage2, MEGraphAU)
    old, new = stage1.graph, stage2.graph
    assert isinstance(old, NeighbourGraph)
    assert isinstance(new, EdgeGraph)
    first, second = new.layers
    assert isinstance(first, GatedGraphLayer)
    assert isinstance(second, GatedGraphLayer)
    first.U.weight.copy_(old.U.weight)
    first.V.weight.copy_(old.V.weight * len(stage1.head.sc))
    first.bnv.load_state_dict(old.bnv.state_dict())
    second.bnv.weight.zero_()
