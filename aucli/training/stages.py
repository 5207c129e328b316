"""Stage 1 to stage 2: what carries over and what starts anew (ME-GraphAU, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from aucli_models.graph import EdgeGraph, GatedGraphLayer, NeighbourGraph
from aucli_models.me_graphau import MEGraphAU

_BACKBONE = "backbone."
_GRAPH = ("graph.", "edge_fc.")
_INTENSITY = "intensity_head."


@dataclass(frozen=True)
class Transfer:
    """Keys of a network filled from another, keys left as initialised, the other's keys not used."""

    filled: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def transfer_stage1(stage1: nn.Module, stage2: nn.Module) -> Transfer:
    """Copy everything before the graph, and the heads, from a stage-1 network into a stage-2 network.

    Raises:
        ValueError: a shared key differs in shape: another backbone or AU set.
    """
    return _transfer(stage1, stage2, "stage 1 does not fit stage 2", without=_GRAPH)


def transfer_all(source: nn.Module, network: nn.Module) -> Transfer:
    """Copy a network of the same kind and stage.

    Raises:
        ValueError: a shared key differs in shape: another backbone or AU set.
    """
    return _transfer(source, network, "the networks differ", without=())


def transfer_backbone(source: nn.Module, network: nn.Module) -> Transfer:
    """Copy the backbone of a network of another system; `pixels to tokens` is the same task in all of them.

    Raises:
        ValueError: another backbone.
    """
    keys = tuple(key for key in network.state_dict() if key.startswith(_BACKBONE))
    return _copied(source, network, keys, "the backbones differ")


def _transfer(source: nn.Module, network: nn.Module, what: str, *, without: tuple[str, ...]) -> Transfer:
    """Copy all but the keys that begin so, and but the read-out of intensities where one of both has none."""
    old, new = source.state_dict(), network.state_dict()
    keys = tuple(
        key for key in new if not key.startswith(without) and (key in old or not key.startswith(_INTENSITY))
    )
    return _copied(source, network, keys, what)


def _copied(source: nn.Module, network: nn.Module, filled: tuple[str, ...], what: str) -> Transfer:
    old, new = source.state_dict(), network.state_dict()
    for key in filled:
        if key not in old or old[key].shape != new[key].shape:
            raise ValueError(f"{what} at {key}: train both with one backbone and AU set")
        new[key] = old[key]
    network.load_state_dict(new, strict=True)
    return Transfer(
        filled,
        tuple(key for key in new if key not in filled),
        tuple(key for key in old if key not in filled),
    )


@torch.no_grad()
def start_graph_from_stage1(stage1: nn.Module, stage2: nn.Module) -> None:
    """Let the edge graph begin as nearly what the stage-1 graph has become.

    Not in the published recipe, which begins with a random graph and trains for 20 epochs. Here a stage-2
    run of a third of an epoch then starts from stage 1's accuracy instead of far below it: the first layer
    takes over U, V and the batch norm (V times the number of nodes, by which its message is divided), the
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
    first.V.weight.copy_(old.V.weight * stage1.au_features.aus)
    first.bnv.load_state_dict(old.bnv.state_dict())
    second.bnv.weight.zero_()
